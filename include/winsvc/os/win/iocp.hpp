// os/poller.hpp on Windows: an I/O completion port. It tells of operations that are over, not of sockets that are ready;
// so a wait for bytes is a receive of none, a wait for room is a send of some, and a wait for a client is an AcceptEx.
//
// An operation belongs to the system until it is over, also when its socket is closed: the place it is part of has to
// stay until then. Closing the socket makes it be over soon.
// Source: CreateIoCompletionPort, GetQueuedCompletionStatusEx, WSARecv, WSASend, AcceptEx.
#pragma once

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>

#include "winsvc/config/abi.hpp"
#include "winsvc/os/tcp.hpp"
#include "winsvc/os/win/door.hpp"

#if WINSVC_OS_WINDOWS
namespace winsvc {
inline namespace WINSVC_ABI {
namespace os {

class iocp_poller {
 public:
  struct place;

  /// One operation under way. The system knows it by its first member.
  struct operation {
    OVERLAPPED over{};
    place* at = nullptr;
  };
  struct place {
    tcp_socket::native_handle socket = -1;
    std::atomic<void*> who{nullptr};
    std::atomic<int> pending{0};          // operations that are not over
    std::atomic<bool> receiving{false}, sending{false};
    std::atomic<std::size_t> sent{0};
    operation receive, send, accept;
    std::string leaving;                  // the bytes that are being sent: the caller's may go meanwhile
    tcp_socket next;                      // whom AcceptEx makes a client of
    std::atomic<bool> accepting{false};
    char addresses[2 * (sizeof(sockaddr_storage) + 16)] = {};
  };

  /// A place that wants room without saying for which bytes cannot be waited for.
  static constexpr bool waits_for_room = false;

  iocp_poller() noexcept {
    calls::start_up();
    port_ = ::CreateIoCompletionPort(INVALID_HANDLE_VALUE, nullptr, 0, 0);
  }
  ~iocp_poller() {
    settle();
    if (port_) ::CloseHandle(port_);
  }
  iocp_poller(const iocp_poller&) = delete;
  iocp_poller& operator=(const iocp_poller&) = delete;

  [[nodiscard]] bool is_open() const noexcept { return port_ != nullptr; }

  bool add(place& at, tcp_socket::native_handle s, void* who) noexcept {
    at.socket = s;
    at.who.store(who);
    at.sent.store(0);
    at.receive.at = at.send.at = at.accept.at = &at;
    return ::CreateIoCompletionPort(reinterpret_cast<HANDLE>(s), port_, 0, 0) != nullptr;
  }
  void arm(place& at, poll_for what, std::string_view bytes = {}) noexcept;
  [[nodiscard]] std::size_t sent(place& at) noexcept { return at.sent.exchange(0); }
  [[nodiscard]] bool is_sending(const place& at) const noexcept { return at.sending.load(); }
  [[nodiscard]] bool has_hung_up(const place&) const noexcept { return false; }  // it is told again
  [[nodiscard]] bool is_quiet(const place& at) const noexcept { return at.pending.load() == 0; }
  [[nodiscard]] bool remove(place& at) noexcept {
    at.socket = -1;
    return is_quiet(at);
  }

  bool add_listener(place& at, tcp_socket& listener, void* who) noexcept;
  void arm_accept(place& at) noexcept;
  [[nodiscard]] sys_result<tcp_socket> accept(place& at) noexcept;

  std::size_t wait(void** who, std::size_t room) noexcept;
  void wake() noexcept {
    over_.store(true);
    ::PostQueuedCompletionStatus(port_, 0, 0, nullptr);
  }
  /// Waits, for a moment, until all operations are over: before their places go.
  void settle() noexcept;

 private:
  [[nodiscard]] static SOCKET raw(const place& at) noexcept { return static_cast<SOCKET>(at.socket); }
  void begin(place& at) noexcept {
    ++at.pending;
    ++pending_;
  }
  /// It could not be begun, which is told like its end: whoever looks finds out why.
  void failed(operation& one) noexcept { ::PostQueuedCompletionStatus(port_, 0, 0, &one.over); }
  void is_over(operation& one, std::size_t bytes) noexcept;

  HANDLE port_ = nullptr;
  std::atomic<int> pending_{0};
  std::atomic<bool> over_{false};
  LPFN_ACCEPTEX accept_ex_ = nullptr;
  int family_ = AF_INET;
};

// ---------------------------------------------------------------------------------------------------------------------

// --- accepting -------------------------------------------------------------------------------------------------------

}  // namespace os
}  // inline namespace WINSVC_ABI
}  // namespace winsvc

#if WINSVC_BODIES_OS

namespace winsvc {
inline namespace WINSVC_ABI {
namespace os {

WINSVC_INLINE void iocp_poller::arm(place& at, poll_for what, std::string_view bytes) noexcept {
  if (what == poll_for::bytes && !at.receiving.exchange(true)) {
    begin(at);
    at.receive.over = OVERLAPPED{};
    WSABUF none{0, nullptr};
    DWORD got = 0, flags = 0;
    if (::WSARecv(raw(at), &none, 1, &got, &flags, &at.receive.over, nullptr) != 0 &&
        ::WSAGetLastError() != WSA_IO_PENDING)
      failed(at.receive);
  }
  if (what == poll_for::room && !at.sending.exchange(true)) {
    begin(at);
    at.send.over = OVERLAPPED{};
    constexpr std::size_t most = 64 * 1024;
    try {
      at.leaving.assign(bytes.substr(0, most));
    } catch (...) {  // no memory: looked at again at once, by who may have some
      return failed(at.send);
    }
    WSABUF some{static_cast<ULONG>(at.leaving.size()), &at.leaving[0]};
    DWORD sent = 0;
    if (::WSASend(raw(at), &some, 1, &sent, 0, &at.send.over, nullptr) != 0 && ::WSAGetLastError() != WSA_IO_PENDING)
      failed(at.send);
  }
}

WINSVC_INLINE void iocp_poller::is_over(operation& one, std::size_t bytes) noexcept {
  place& at = *one.at;
  if (&one == &at.receive) at.receiving.store(false);
  if (&one == &at.send) {
    std::string().swap(at.leaving);
    at.sent.fetch_add(bytes);
    at.sending.store(false);
  }
  --pending_;
  --at.pending;
}

WINSVC_INLINE std::size_t iocp_poller::wait(void** who, std::size_t room) noexcept {
  constexpr std::size_t most = 16;
  OVERLAPPED_ENTRY entries[most];
  for (;;) {
    ULONG count = 0;
    if (!::GetQueuedCompletionStatusEx(port_, entries, static_cast<ULONG>((std::min)(room, most)), &count, INFINITE,
                                       FALSE))
      count = 0;
    std::size_t told = 0;
    for (ULONG i = 0; i < count; ++i) {
      if (!entries[i].lpOverlapped) continue;  // woken
      auto& one = *reinterpret_cast<operation*>(entries[i].lpOverlapped);
      void* const whose = one.at->who.load();
      is_over(one, entries[i].dwNumberOfBytesTransferred);
      who[told++] = whose;
    }
    if (over_.load()) ::PostQueuedCompletionStatus(port_, 0, 0, nullptr);  // for the next who waits
    if (told > 0 || over_.load()) return told;
  }
}

WINSVC_INLINE void iocp_poller::settle() noexcept {
  const auto until = std::chrono::steady_clock::now() + std::chrono::seconds(2);
  while (port_ && pending_.load() > 0 && std::chrono::steady_clock::now() < until) {
    OVERLAPPED_ENTRY one{};
    ULONG count = 0;
    constexpr DWORD a_moment = 20;
    if (!::GetQueuedCompletionStatusEx(port_, &one, 1, &count, a_moment, FALSE) || count == 0 || !one.lpOverlapped)
      continue;
    is_over(*reinterpret_cast<operation*>(one.lpOverlapped), one.dwNumberOfBytesTransferred);
  }
}

WINSVC_INLINE bool iocp_poller::add_listener(place& at, tcp_socket& listener, void* who) noexcept {
  if (!add(at, listener.native(), who)) return false;
  sockaddr_storage address{};
  int length = sizeof address;
  if (::getsockname(raw(at), reinterpret_cast<sockaddr*>(&address), &length) == 0) family_ = address.ss_family;
  GUID which = WSAID_ACCEPTEX;
  DWORD bytes = 0;
  return ::WSAIoctl(raw(at), SIO_GET_EXTENSION_FUNCTION_POINTER, &which, sizeof which, &accept_ex_, sizeof accept_ex_,
                    &bytes, nullptr, nullptr) == 0;
}

WINSVC_INLINE void iocp_poller::arm_accept(place& at) noexcept {
  if (at.pending.load() > 0) return;
  begin(at);
  at.accept.over = OVERLAPPED{};
  at.next = calls::owned(calls::open(family_));
  DWORD got = 0;
  constexpr DWORD each = sizeof at.addresses / 2;
  at.accepting.store(at.next.is_open());
  if (!at.next.is_open() || (!accept_ex_(raw(at), calls::raw(at.next.native()), at.addresses, 0, each, each, &got,
                                         &at.accept.over) && ::WSAGetLastError() != ERROR_IO_PENDING)) {
    at.accepting.store(false);
    failed(at.accept);
  }
}

WINSVC_INLINE sys_result<tcp_socket> iocp_poller::accept(place& at) noexcept {
  if (at.accepting.load() && HasOverlappedIoCompleted(&at.accept.over) && at.accepting.exchange(false)) {
    tcp_socket client = std::move(at.next);
    const SOCKET s = calls::raw(client.native());
    const SOCKET listener = raw(at);
    if (at.accept.over.Internal == 0 &&
        ::setsockopt(s, SOL_SOCKET, SO_UPDATE_ACCEPT_CONTEXT, reinterpret_cast<const char*>(&listener),
                     sizeof listener) == 0) {
      calls::set_nonblocking(s);
      calls::set_option(s, IPPROTO_TCP, TCP_NODELAY, 1);
      return client;
    }
  }
  return accept_from(at.socket);  // whoever came meanwhile
}

}  // namespace os
}  // inline namespace WINSVC_ABI
}  // namespace winsvc

#endif  // WINSVC_BODIES_OS

#endif  // WINSVC_OS_WINDOWS
