// os/poller.hpp over poll() and WSAPoll: for systems that have nothing better, and for a second opinion in the tests. One
// thread waits in the call at a time, and each call costs by the number of sockets that are armed.
#pragma once

#include <algorithm>
#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <mutex>
#include <string_view>
#include <vector>

#include "winsvc/config/abi.hpp"
#include "winsvc/os/tcp.hpp"

namespace winsvc {
inline namespace WINSVC_ABI {
namespace os {

class poll_poller {
 public:
  struct place {
    tcp_socket::native_handle socket = -1;
    void* who = nullptr;
    poll_for armed = poll_for::nothing;
    std::uint64_t armed_as = 0;  ///< tells this arming from those before: places are used again
    std::size_t index = 0;       ///< among all, while it is there
  };

  static constexpr bool waits_for_room = true;

  [[nodiscard]] bool is_open() const noexcept { return bell_.is_open(); }

  bool add(place& at, tcp_socket::native_handle s, void* who) noexcept try {
    const std::lock_guard lock(mutex_);
    places_.push_back(&at);
    at = place{s, who, poll_for::nothing, 0, places_.size() - 1};
    return true;
  } catch (const std::bad_alloc&) {
    return false;
  }
  void arm(place& at, poll_for what, std::string_view = {}) noexcept {
    const std::lock_guard lock(mutex_);
    at.armed = what;
    at.armed_as = ++armings_;
    if (asleep_) bell_.ring();
  }
  [[nodiscard]] bool is_sending(const place&) const noexcept { return false; }
  [[nodiscard]] std::size_t sent(place&) noexcept { return 0; }
  [[nodiscard]] bool has_hung_up(const place&) const noexcept { return false; }  // it would be told again
  [[nodiscard]] bool is_quiet(const place&) const noexcept { return true; }
  void settle() noexcept {}
  [[nodiscard]] bool remove(place& at) noexcept {
    const std::lock_guard lock(mutex_);
    if (at.socket == -1) return true;
    places_[at.index] = places_.back();
    places_[at.index]->index = at.index;
    places_.pop_back();
    at.socket = -1;
    at.armed = poll_for::nothing;
    if (asleep_) bell_.ring();
    return true;
  }

  bool add_listener(place& at, tcp_socket& listener, void* who) noexcept {
    if (!add(at, listener.native(), who)) return false;
    arm_accept(at);
    return true;
  }
  void arm_accept(place& at) noexcept { arm(at, poll_for::bytes); }
  [[nodiscard]] sys_result<tcp_socket> accept(place& at) noexcept { return accept_from(at.socket); }

  std::size_t wait(void** who, std::size_t room) noexcept;
  void wake() noexcept {
    const std::lock_guard lock(mutex_);
    over_ = true;
    bell_.ring();
    turn_.notify_all();
  }

 private:
  struct watched {
    place* at;
    std::uint64_t armed_as;
  };
  void look();

  std::mutex mutex_;
  std::condition_variable turn_;
  std::vector<place*> places_;
  std::deque<void*> ready_;
  std::uint64_t armings_ = 0;
  bool waiting_ = false;  // somebody has the turn
  bool asleep_ = false;   // in the call
  bool over_ = false;
  bell bell_;
  std::vector<calls::poll_entry> entries_;  // of whoever has the turn
  std::vector<watched> watched_;
};

}  // namespace os
}  // inline namespace WINSVC_ABI
}  // namespace winsvc

// ---------------------------------------------------------------------------------------------------------------------

#if WINSVC_BODIES_OS

namespace winsvc {
inline namespace WINSVC_ABI {
namespace os {

WINSVC_INLINE std::size_t poll_poller::wait(void** who, std::size_t room) noexcept {
  std::unique_lock lock(mutex_);
  for (;;) {
    turn_.wait(lock, [this] { return over_ || !waiting_ || !ready_.empty(); });
    if (over_) return 0;
    if (!ready_.empty()) break;
    waiting_ = true;
    try {
      entries_.clear();
      watched_.clear();
      entries_.push_back({});
      entries_.back().fd = calls::raw(bell_.native());
      entries_.back().events = POLLIN;
      for (place* at : places_) {
        if (at->armed == poll_for::nothing) continue;
        watched_.push_back({at, at->armed_as});
        entries_.push_back({});
        entries_.back().fd = calls::raw(at->socket);
        entries_.back().events = at->armed == poll_for::bytes ? POLLIN : POLLOUT;
      }
      asleep_ = true;
      lock.unlock();
      static_cast<void>(calls::poll_any(entries_.data(), entries_.size(), -1));
      lock.lock();
      asleep_ = false;
      if (entries_[0].revents != 0) bell_.silence();
      for (std::size_t i = 0; i < watched_.size(); ++i) {
        place& at = *watched_[i].at;
        if (entries_[i + 1].revents == 0 || at.armed_as != watched_[i].armed_as || at.armed == poll_for::nothing)
          continue;
        at.armed = poll_for::nothing;
        ready_.push_back(at.who);
      }
    } catch (const std::bad_alloc&) {  // again, when somebody has given memory back
    }
    waiting_ = false;
  }
  std::size_t told = 0;
  for (; told < room && !ready_.empty(); ++told) {
    who[told] = ready_.front();
    ready_.pop_front();
  }
  turn_.notify_one();  // the next may wait while this one is at work
  return told;
}

}  // namespace os
}  // inline namespace WINSVC_ABI
}  // namespace winsvc

#endif  // WINSVC_BODIES_OS
