// Poller on Windows (os/poller.hpp): an I/O completion port. The port reports completed operations, not ready sockets.
// So the poller starts an operation to wait for an event:
//
//   readable    a receive of 0 bytes, which completes when data has arrived
//   writable    a send of the next bytes of the response
//   client      an AcceptEx
//
// The system uses an operation until it completes, even after its socket is closed, so its registration must stay until
// then. Closing the socket completes the operation soon.
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

#include "winsvc/base/clock.hpp"
#include "winsvc/config/abi.hpp"
#include "winsvc/os/tcp.hpp"
#include "winsvc/os/win/windows_headers.hpp"

#if WINSVC_OS_WINDOWS
namespace winsvc {
inline namespace WINSVC_ABI {
namespace detail::os {

class iocp_poller {
 public:
  struct registration;

  /// One overlapped operation. OVERLAPPED is its first member, so that a completion packet leads to the operation.
  struct operation {
    OVERLAPPED overlapped{};
    registration* owner = nullptr;
  };
  struct registration {
    tcp_socket::native_handle socket = -1;
    // The owner of the socket starts operations, and the thread that waits completes them, so all are atomic. Default
    // order: `pending` is decremented last, so that a thread that finds 0 may free the registration.
    std::atomic<void*> user_data{nullptr};
    std::atomic<int> pending{0};                         // number of operations that have not completed
    std::atomic<bool> receiving{false}, sending{false};  // an exchange starts each operation only once
    std::atomic<std::size_t> sent{0};                    // bytes of completed sends that were not taken yet
    operation receive, send, accept;
    std::string send_buffer;     // a copy of the bytes to send: the caller's buffer may not live until completion
    tcp_socket accepted_socket;  // the socket that AcceptEx connects
    std::atomic<bool> accepting{false};  // an exchange selects the thread that takes accepted_socket
    std::atomic<bool> accepted{false};   // AcceptEx has completed
    int family = AF_INET;                // of a listener
    char addresses[2 * (sizeof(sockaddr_storage) + 16)] = {};
  };

  /// A wait for `writable` needs the bytes to send.
  static constexpr bool supports_write_wait = false;

  iocp_poller() noexcept {
    socket_api::initialize();
    port_ = ::CreateIoCompletionPort(INVALID_HANDLE_VALUE, nullptr, 0, 0);
  }
  ~iocp_poller() {
    wait_for_pending();
    if (port_) ::CloseHandle(port_);
  }
  iocp_poller(const iocp_poller&) = delete;
  iocp_poller& operator=(const iocp_poller&) = delete;

  [[nodiscard]] bool is_open() const noexcept { return port_ != nullptr; }

  bool add(registration& registered, tcp_socket::native_handle s, void* user_data) noexcept {
    registered.socket = s;
    registered.user_data.store(user_data);
    registered.sent.store(0);
    registered.receive.owner = registered.send.owner = registered.accept.owner = &registered;
    return ::CreateIoCompletionPort(reinterpret_cast<HANDLE>(s), port_, 0, 0) != nullptr;
  }
  void arm(registration& registered, poll_for event, std::string_view bytes = {}) noexcept;
  [[nodiscard]] std::size_t take_sent_bytes(registration& registered) noexcept { return registered.sent.exchange(0); }
  [[nodiscard]] bool is_sending(const registration& registered) const noexcept { return registered.sending.load(); }
  [[nodiscard]] bool has_hung_up(const registration&) const noexcept { return false; }  // the next receive reports it
  [[nodiscard]] bool has_no_pending(const registration& registered) const noexcept {
    return registered.pending.load() == 0;
  }
  [[nodiscard]] bool remove(registration& registered) noexcept {
    registered.socket = -1;
    return has_no_pending(registered);
  }

  bool add_listener(registration& registered, tcp_socket& listener, void* user_data) noexcept;
  bool arm_accept(registration& registered) noexcept;
  [[nodiscard]] sys_result<tcp_socket> accept(registration& registered) noexcept;

  std::size_t wait(void** user_data, std::size_t capacity) noexcept;
  void wake() noexcept {
    stopping_.store(true);
    notify();
  }
  void notify() noexcept { ::PostQueuedCompletionStatus(port_, 0, 0, nullptr); }
  /// Waits until all operations have completed, at most 2 s. Call it before registrations are freed.
  void wait_for_pending() noexcept;

 private:
  [[nodiscard]] static SOCKET raw(const registration& registered) noexcept {
    return static_cast<SOCKET>(registered.socket);
  }
  void begin_operation(registration& registered) noexcept {
    ++registered.pending;
    ++pending_;
  }
  /// Reports an operation as completed. If it could not be started, the next receive or send returns the error.
  void post_completion(operation& pending) noexcept { ::PostQueuedCompletionStatus(port_, 0, 0, &pending.overlapped); }
  void on_completion(operation& operation, std::size_t bytes) noexcept;

  HANDLE port_ = nullptr;
  std::atomic<int> pending_{0};         // operations of all registrations, for wait_for_pending(); orders no other data
  std::atomic<bool> stopping_{false};   // set before the packet of wake(), loaded after it
  LPFN_ACCEPTEX accept_ex_ = nullptr;
};

// ---------------------------------------------------------------------------------------------------------------------

// --- accepting -------------------------------------------------------------------------------------------------------

}  // namespace detail::os
}  // inline namespace WINSVC_ABI
}  // namespace winsvc

#if WINSVC_BODIES_OS

namespace winsvc {
inline namespace WINSVC_ABI {
namespace detail::os {

WINSVC_INLINE void iocp_poller::arm(registration& registered, poll_for event, std::string_view bytes) noexcept {
  if (event == poll_for::readable && !registered.receiving.exchange(true)) {
    begin_operation(registered);
    registered.receive.overlapped = OVERLAPPED{};
    WSABUF empty{0, nullptr};
    DWORD received = 0, flags = 0;
    if (::WSARecv(raw(registered), &empty, 1, &received, &flags, &registered.receive.overlapped, nullptr) != 0 &&
        ::WSAGetLastError() != WSA_IO_PENDING)
      post_completion(registered.receive);
  }
  if (event == poll_for::writable && !registered.sending.exchange(true)) {
    begin_operation(registered);
    registered.send.overlapped = OVERLAPPED{};
    constexpr std::size_t max_send_bytes = 64 * 1024;
    try {
      registered.send_buffer.assign(bytes.substr(0, max_send_bytes));
    } catch (...) {  // out of memory: report the socket, so that a thread tries again
      return post_completion(registered.send);
    }
    WSABUF buffer{static_cast<ULONG>(registered.send_buffer.size()), &registered.send_buffer[0]};
    DWORD sent = 0;
    if (::WSASend(raw(registered), &buffer, 1, &sent, 0, &registered.send.overlapped, nullptr) != 0 &&
        ::WSAGetLastError() != WSA_IO_PENDING)
      post_completion(registered.send);
  }
}

WINSVC_INLINE void iocp_poller::on_completion(operation& completed, std::size_t bytes) noexcept {
  registration& registered = *completed.owner;
  if (&completed == &registered.receive) registered.receiving.store(false);
  if (&completed == &registered.accept) registered.accepted.store(true);
  if (&completed == &registered.send) {
    std::string().swap(registered.send_buffer);
    registered.sent.fetch_add(bytes);
    registered.sending.store(false);
  }
  --pending_;
  --registered.pending;
}

WINSVC_INLINE std::size_t iocp_poller::wait(void** user_data, std::size_t capacity) noexcept {
  constexpr std::size_t limit = 16;
  OVERLAPPED_ENTRY entries[limit];
  for (;;) {
    ULONG count = 0;
    const auto max_entries = static_cast<ULONG>((std::min)(capacity, limit));
    if (!::GetQueuedCompletionStatusEx(port_, entries, max_entries, &count, INFINITE, FALSE)) count = 0;
    std::size_t reported = 0;
    bool notified = false;
    for (ULONG i = 0; i < count; ++i) {
      if (!entries[i].lpOverlapped) {  // the packet of `wake` or `notify`
        notified = true;
        continue;
      }
      auto& completed = *reinterpret_cast<operation*>(entries[i].lpOverlapped);
      void* const owner_data = completed.owner->user_data.load();
      on_completion(completed, entries[i].dwNumberOfBytesTransferred);
      user_data[reported++] = owner_data;
    }
    if (stopping_.load()) notify();  // for the next waiting thread
    if (reported > 0 || notified || stopping_.load()) return reported;
  }
}

WINSVC_INLINE void iocp_poller::wait_for_pending() noexcept {
  const auto deadline = clock::system().now() + std::chrono::seconds(2);
  while (port_ && pending_.load() > 0 && clock::system().now() < deadline) {
    OVERLAPPED_ENTRY entry{};
    ULONG count = 0;
    constexpr DWORD wait_ms = 20;
    if (!::GetQueuedCompletionStatusEx(port_, &entry, 1, &count, wait_ms, FALSE) || count == 0 || !entry.lpOverlapped)
      continue;
    on_completion(*reinterpret_cast<operation*>(entry.lpOverlapped), entry.dwNumberOfBytesTransferred);
  }
}

WINSVC_INLINE bool iocp_poller::add_listener(registration& registered, tcp_socket& listener, void* user_data) noexcept {
  if (!add(registered, listener.native(), user_data)) return false;
  sockaddr_storage address{};
  int length = sizeof address;
  if (::getsockname(raw(registered), reinterpret_cast<sockaddr*>(&address), &length) == 0)
    registered.family = address.ss_family;
  GUID function = WSAID_ACCEPTEX;
  DWORD bytes = 0;
  return ::WSAIoctl(raw(registered), SIO_GET_EXTENSION_FUNCTION_POINTER, &function, sizeof function, &accept_ex_,
                    sizeof accept_ex_, &bytes, nullptr, nullptr) == 0;
}

WINSVC_INLINE bool iocp_poller::arm_accept(registration& registered) noexcept {
  if (registered.pending.load() > 0) return true;
  if (registered.accepting.load()) {  // it has completed since the last call of accept(): report the client again
    begin_operation(registered);
    post_completion(registered.accept);
    return true;
  }
  registered.accepted_socket = socket_api::to_owned_socket(socket_api::open(registered.family));
  // A failure is not reported as an event: the caller would try again at once, and without end.
  if (!registered.accepted_socket.is_open()) return false;
  begin_operation(registered);
  registered.accept.overlapped = OVERLAPPED{};
  DWORD received = 0;
  constexpr DWORD address_size = sizeof registered.addresses / 2;
  registered.accepted.store(false);
  registered.accepting.store(true);
  if (accept_ex_(raw(registered), socket_api::raw(registered.accepted_socket.native()), registered.addresses, 0,
                 address_size, address_size, &received, &registered.accept.overlapped) ||
      ::WSAGetLastError() == ERROR_IO_PENDING)
    return true;
  registered.accepting.store(false);
  --pending_;
  --registered.pending;
  return false;
}

WINSVC_INLINE sys_result<tcp_socket> iocp_poller::accept(registration& registered) noexcept {
  // In a drain, the completion may not have been dequeued. Wine may write the status after the completion is dequeued.
  const bool is_completed = registered.accepted.load() || HasOverlappedIoCompleted(&registered.accept.overlapped);
  if (registered.accepting.load() && is_completed && registered.accepting.exchange(false)) {
    tcp_socket client = std::move(registered.accepted_socket);
    const SOCKET s = socket_api::raw(client.native());
    const SOCKET listener = raw(registered);
    const auto status = registered.accept.overlapped.Internal;
    if ((status == 0 || status == STATUS_PENDING) &&
        ::setsockopt(s, SOL_SOCKET, SO_UPDATE_ACCEPT_CONTEXT, reinterpret_cast<const char*>(&listener),
                     sizeof listener) == 0) {
      socket_api::set_nonblocking(s);
      socket_api::set_option(s, IPPROTO_TCP, TCP_NODELAY, 1);
      return client;
    }
  }
  return accept_from(registered.socket);  // a client that connected without AcceptEx
}

}  // namespace detail::os
}  // inline namespace WINSVC_ABI
}  // namespace winsvc

#endif  // WINSVC_BODIES_OS

#endif  // WINSVC_OS_WINDOWS
