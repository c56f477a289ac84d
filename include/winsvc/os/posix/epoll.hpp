// Poller on Linux (os/poller.hpp): epoll, edge-triggered. A keep-alive connection needs no epoll_ctl between requests,
// because its registration does not change.
// Source: epoll(7), epoll_ctl(2).
#pragma once

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "winsvc/config/abi.hpp"
#include "winsvc/os/posix/direct_calls.hpp"
#include "winsvc/os/posix/headers.hpp"
#include "winsvc/os/tcp.hpp"

#if WINSVC_OS_LINUX
namespace winsvc {
inline namespace WINSVC_ABI {
namespace detail::os {

class epoll_poller {
 public:
  struct registration {
    tcp_socket::native_handle socket = -1;
    std::atomic<void*> user_data{nullptr};  // atomic: `wait` may read it for a late event
    poll_for armed = poll_for::nothing;     // the event mask in the kernel
    std::atomic<bool> hung_up{false};  // set by the waiting thread for the owner; relaxed would do, as it is a hint
  };

  epoll_poller() noexcept
      : poll_(::epoll_create1(EPOLL_CLOEXEC)),
        wakeup_(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)),
        notification_(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {
    if (!is_open()) return;
    epoll_event event{};
    event.events = EPOLLIN;  // level-triggered and never read: stays ready
    ::epoll_ctl(poll_, EPOLL_CTL_ADD, wakeup_, &event);
    event.events = EPOLLIN | EPOLLET;  // never read: each write is one edge
    event.data.ptr = &notification_;
    ::epoll_ctl(poll_, EPOLL_CTL_ADD, notification_, &event);
  }
  ~epoll_poller() {
    for (const int fd : {poll_, wakeup_, notification_}) {
      if (fd != -1) ::close(fd);
    }
  }
  epoll_poller(const epoll_poller&) = delete;
  epoll_poller& operator=(const epoll_poller&) = delete;

  static constexpr bool supports_write_wait = true;

  [[nodiscard]] bool is_open() const noexcept { return poll_ != -1 && wakeup_ != -1 && notification_ != -1; }

  bool add(registration& registered, tcp_socket::native_handle s, void* user_data) noexcept {
    registered.socket = s;
    registered.user_data = user_data;
    registered.armed = poll_for::readable;
    registered.hung_up.store(false, std::memory_order_relaxed);
    return update_registration(registered, EPOLL_CTL_ADD);
  }
  void arm(registration& registered, poll_for event, std::string_view = {}) noexcept {
    // The kernel reports an edge since the last receive. A send may also fail for want of memory in the kernel, with
    // room in the socket buffer: then only a new registration reports the socket.
    if (registered.armed == event && event != poll_for::writable) return;
    registered.armed = event;
    update_registration(registered, EPOLL_CTL_MOD);
  }
  [[nodiscard]] bool is_sending(const registration&) const noexcept { return false; }
  [[nodiscard]] std::size_t take_sent_bytes(registration&) noexcept { return 0; }
  [[nodiscard]] bool has_hung_up(const registration& registered) const noexcept { return registered.hung_up.load(); }
  [[nodiscard]] bool has_no_pending(const registration&) const noexcept { return true; }
  void wait_for_pending() noexcept {}
  [[nodiscard]] bool remove(registration& registered) noexcept {
    if (registered.socket != -1) ::epoll_ctl(poll_, EPOLL_CTL_DEL, static_cast<int>(registered.socket), nullptr);
    registered.socket = -1;
    return true;
  }

  bool add_listener(registration& registered, tcp_socket& listener, void* user_data) noexcept {
    return add(registered, listener.native(), user_data);
  }
  /// Registers again: the caller may have stopped accepting while clients were waiting.
  bool arm_accept(registration& registered) noexcept { return update_registration(registered, EPOLL_CTL_MOD); }
  [[nodiscard]] sys_result<tcp_socket> accept(registration& registered) noexcept {
    return accept_from(registered.socket);
  }

  std::size_t wait(void** user_data, std::size_t capacity) noexcept {
    constexpr std::size_t limit = 16;
    epoll_event events[limit];
    int count = 0;
    do count = direct_wait(poll_, events, static_cast<int>((std::min)(capacity, limit)));
    while (count < 0 && errno == EINTR);
    std::size_t reported = 0;
    for (int i = 0; i < count; ++i) {
      if (events[i].data.ptr == nullptr) return 0;
      if (events[i].data.ptr == &notification_) continue;
      auto& registered = *static_cast<registration*>(events[i].data.ptr);
      if ((events[i].events & (EPOLLRDHUP | EPOLLHUP | EPOLLERR)) != 0) registered.hung_up.store(true);
      user_data[reported++] = registered.user_data.load(std::memory_order_relaxed);
    }
    return reported;
  }
  void wake() noexcept { signal(wakeup_); }
  void notify() noexcept { signal(notification_); }

 private:
  static void signal(int event) noexcept {
    const std::uint64_t increment = 1;
    if (event != -1) static_cast<void>(!::write(event, &increment, sizeof increment));
  }
  bool update_registration(registration& registered, int operation) noexcept {
    epoll_event event{};
    event.data.ptr = &registered;
    event.events = EPOLLET | EPOLLRDHUP;
    if (registered.armed == poll_for::readable) event.events |= EPOLLIN;
    if (registered.armed == poll_for::writable) event.events |= EPOLLOUT;
    return ::epoll_ctl(poll_, operation, static_cast<int>(registered.socket), &event) == 0;
  }

  int poll_, wakeup_, notification_;
};

}  // namespace detail::os
}  // inline namespace WINSVC_ABI
}  // namespace winsvc
#endif  // WINSVC_OS_LINUX
