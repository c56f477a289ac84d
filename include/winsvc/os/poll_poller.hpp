// Poller over poll() and WSAPoll (see os/poller.hpp): for systems without epoll or completion ports, and for tests that
// compare the pollers. One thread at a time calls poll(); the cost of the call grows with the number of armed sockets.
#pragma once

#include <algorithm>
#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <mutex>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

#include "winsvc/config/abi.hpp"
#include "winsvc/os/tcp.hpp"

namespace winsvc {
inline namespace WINSVC_ABI {
namespace detail::os {

class poll_poller {
 public:
  struct registration {
    tcp_socket::native_handle socket = -1;
    void* user_data = nullptr;
    poll_for armed = poll_for::nothing;
    std::uint64_t armed_sequence = 0;  ///< number of this call of arm: registrations are reused
    std::size_t index = 0;             ///< position in registrations_ while it is registered
  };

  static constexpr bool supports_write_wait = true;

  [[nodiscard]] bool is_open() const noexcept { return wakeup_.is_open(); }

  bool add(registration& registered, tcp_socket::native_handle s, void* user_data) noexcept try {
    const std::lock_guard lock(mutex_);
    registrations_.push_back(&registered);
    registered = registration{s, user_data, poll_for::nothing, 0, registrations_.size() - 1};
    return true;
  } catch (const std::bad_alloc&) {
    return false;
  }
  void arm(registration& registered, poll_for event, std::string_view = {}) noexcept {
    const std::lock_guard lock(mutex_);
    registered.armed = event;
    registered.armed_sequence = ++arm_counter_;
    if (in_poll_) wakeup_.signal();
  }
  [[nodiscard]] bool is_sending(const registration&) const noexcept { return false; }
  [[nodiscard]] std::size_t take_sent_bytes(registration&) noexcept { return 0; }
  [[nodiscard]] bool has_hung_up(const registration&) const noexcept { return false; }  // poll() reports it again
  [[nodiscard]] bool has_no_pending(const registration&) const noexcept { return true; }
  void wait_for_pending() noexcept {}
  [[nodiscard]] bool remove(registration& registered) noexcept {
    const std::lock_guard lock(mutex_);
    if (registered.socket == -1) return true;
    registrations_[registered.index] = registrations_.back();
    registrations_[registered.index]->index = registered.index;
    registrations_.pop_back();
    registered.socket = -1;
    registered.armed = poll_for::nothing;
    if (in_poll_) wakeup_.signal();
    return true;
  }

  bool add_listener(registration& registered, tcp_socket& listener, void* user_data) noexcept {
    if (!add(registered, listener.native(), user_data)) return false;
    arm_accept(registered);
    return true;
  }
  bool arm_accept(registration& registered) noexcept {
    arm(registered, poll_for::readable);
    return true;
  }
  [[nodiscard]] sys_result<tcp_socket> accept(registration& registered) noexcept {
    return accept_from(registered.socket);
  }

  std::size_t wait(void** user_data, std::size_t capacity) noexcept;
  void wake() noexcept {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
    wakeup_.signal();
    turn_available_.notify_all();
  }
  void notify() noexcept {
    const std::lock_guard lock(mutex_);
    notified_ = true;
    wakeup_.signal();
    turn_available_.notify_one();
  }

 private:
  struct polled_entry {
    registration* registered;
    std::uint64_t armed_sequence;
  };

  std::mutex mutex_;
  std::condition_variable turn_available_;
  std::vector<registration*> registrations_;
  std::deque<void*> ready_;
  std::uint64_t arm_counter_ = 0;
  bool has_poller_thread_ = false;  // a thread prepares, makes or evaluates the call of poll()
  bool in_poll_ = false;            // that thread is in the call
  bool stopping_ = false;
  bool notified_ = false;           // the next return of wait() is the result of notify()
  wakeup_event wakeup_;
  std::vector<socket_api::poll_entry> entries_;  // used by that thread only
  std::vector<polled_entry> polled_;
};

}  // namespace detail::os
}  // inline namespace WINSVC_ABI
}  // namespace winsvc

// ---------------------------------------------------------------------------------------------------------------------

#if WINSVC_BODIES_OS

namespace winsvc {
inline namespace WINSVC_ABI {
namespace detail::os {

WINSVC_INLINE std::size_t poll_poller::wait(void** user_data, std::size_t capacity) noexcept {
  std::unique_lock lock(mutex_);
  for (;;) {
    turn_available_.wait(lock, [this] { return stopping_ || notified_ || !has_poller_thread_ || !ready_.empty(); });
    if (stopping_) return 0;
    if (std::exchange(notified_, false) || !ready_.empty()) break;
    has_poller_thread_ = true;
    try {
      entries_.clear();
      polled_.clear();
      entries_.push_back({});
      entries_.back().fd = socket_api::raw(wakeup_.native());
      entries_.back().events = POLLIN;
      for (registration* registered : registrations_) {
        if (registered->armed == poll_for::nothing) continue;
        polled_.push_back({registered, registered->armed_sequence});
        entries_.push_back({});
        entries_.back().fd = socket_api::raw(registered->socket);
        entries_.back().events = registered->armed == poll_for::readable ? POLLIN : POLLOUT;
      }
      in_poll_ = true;
      lock.unlock();
      static_cast<void>(socket_api::poll_any(entries_.data(), entries_.size(), -1));
      lock.lock();
      in_poll_ = false;
      if (entries_[0].revents != 0) wakeup_.clear();
      for (std::size_t i = 0; i < polled_.size(); ++i) {
        registration& registered = *polled_[i].registered;
        const bool is_same_arming = registered.armed_sequence == polled_[i].armed_sequence;
        if (entries_[i + 1].revents == 0 || !is_same_arming || registered.armed == poll_for::nothing) continue;
        ready_.push_back(registered.user_data);
        registered.armed = poll_for::nothing;  // last: the next call reports a socket for which there was no memory
      }
    } catch (const std::bad_alloc&) {  // try again; another thread may free memory
      lock.unlock();
      std::this_thread::yield();
      lock.lock();
    }
    has_poller_thread_ = false;
  }
  std::size_t reported = 0;
  for (; reported < capacity && !ready_.empty(); ++reported) {
    user_data[reported] = ready_.front();
    ready_.pop_front();
  }
  turn_available_.notify_one();  // the next thread may wait while this thread serves the sockets
  return reported;
}

}  // namespace detail::os
}  // inline namespace WINSVC_ABI
}  // namespace winsvc

#endif  // WINSVC_BODIES_OS
