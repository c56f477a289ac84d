// os/poller.hpp on Linux. Edge-triggered, so that a connection that is served again and again costs no call but its
// receive and its send: what it waits for stays what it was.
// Source: epoll(7), epoll_ctl(2).
#pragma once

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "winsvc/config/abi.hpp"
#include "winsvc/os/posix/door.hpp"
#include "winsvc/os/tcp.hpp"

#if WINSVC_OS_LINUX
namespace winsvc {
inline namespace WINSVC_ABI {
namespace os {

class epoll_poller {
 public:
  struct place {
    tcp_socket::native_handle socket = -1;
    std::atomic<void*> who{nullptr};  // read for reports that come late
    poll_for armed = poll_for::nothing;  // what the kernel was told last
    std::atomic<bool> hung_up{false};
  };

  epoll_poller() noexcept : poll_(::epoll_create1(EPOLL_CLOEXEC)), stop_(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {
    epoll_event one{};
    one.events = EPOLLIN;  // by level, and never read: awake for good
    if (is_open()) ::epoll_ctl(poll_, EPOLL_CTL_ADD, stop_, &one);
  }
  ~epoll_poller() {
    if (poll_ != -1) ::close(poll_);
    if (stop_ != -1) ::close(stop_);
  }
  epoll_poller(const epoll_poller&) = delete;
  epoll_poller& operator=(const epoll_poller&) = delete;

  static constexpr bool waits_for_room = true;

  [[nodiscard]] bool is_open() const noexcept { return poll_ != -1 && stop_ != -1; }

  bool add(place& at, tcp_socket::native_handle s, void* who) noexcept {
    at.socket = s;
    at.who = who;
    at.armed = poll_for::bytes;
    at.hung_up.store(false, std::memory_order_relaxed);
    return tell(at, EPOLL_CTL_ADD);
  }
  void arm(place& at, poll_for what, std::string_view = {}) noexcept {
    if (at.armed == what) return;  // an edge since the last look is kept, whoever it was told to
    at.armed = what;
    tell(at, EPOLL_CTL_MOD);
  }
  [[nodiscard]] bool is_sending(const place&) const noexcept { return false; }
  [[nodiscard]] std::size_t sent(place&) noexcept { return 0; }
  [[nodiscard]] bool has_hung_up(const place& at) const noexcept { return at.hung_up.load(); }
  [[nodiscard]] bool is_quiet(const place&) const noexcept { return true; }
  void settle() noexcept {}
  [[nodiscard]] bool remove(place& at) noexcept {
    if (at.socket != -1) ::epoll_ctl(poll_, EPOLL_CTL_DEL, static_cast<int>(at.socket), nullptr);
    at.socket = -1;
    return true;
  }

  bool add_listener(place& at, tcp_socket& listener, void* who) noexcept { return add(at, listener.native(), who); }
  /// Tells the kernel again: who accepted may have stopped before there was nobody left.
  void arm_accept(place& at) noexcept { tell(at, EPOLL_CTL_MOD); }
  [[nodiscard]] sys_result<tcp_socket> accept(place& at) noexcept { return accept_from(at.socket); }

  std::size_t wait(void** who, std::size_t room) noexcept {
    constexpr std::size_t most = 16;
    epoll_event events[most];
    int count = 0;
    do count = ::epoll_wait(poll_, events, static_cast<int>((std::min)(room, most)), -1);
    while (count < 0 && errno == EINTR);
    std::size_t told = 0;
    for (int i = 0; i < count; ++i) {
      if (events[i].data.ptr == nullptr) return 0;
      auto& at = *static_cast<place*>(events[i].data.ptr);
      if ((events[i].events & (EPOLLRDHUP | EPOLLHUP | EPOLLERR)) != 0) at.hung_up.store(true);
      who[told++] = at.who.load(std::memory_order_relaxed);
    }
    return told;
  }
  void wake() noexcept {
    const std::uint64_t one = 1;
    if (stop_ != -1) static_cast<void>(!::write(stop_, &one, sizeof one));
  }

 private:
  bool tell(place& at, int how) noexcept {
    epoll_event one{};
    one.data.ptr = &at;
    one.events = EPOLLET | EPOLLRDHUP;
    if (at.armed == poll_for::bytes) one.events |= EPOLLIN;
    if (at.armed == poll_for::room) one.events |= EPOLLOUT;
    return ::epoll_ctl(poll_, how, static_cast<int>(at.socket), &one) == 0;
  }

  int poll_, stop_;
};

}  // namespace os
}  // inline namespace WINSVC_ABI
}  // namespace winsvc
#endif  // WINSVC_OS_LINUX
