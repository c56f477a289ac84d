// Handler timeouts: call a function when a handler has not returned within its time limit.
//
//   handler_timeouts timeouts;
//   { const handler_timeouts::scoped_timeout limit(timeouts, 5s, [&] { ... }); handler(); }   // called after 5 s
//
// One thread serves all timeouts; the first timeout starts it. A handler cannot be terminated: the function sends the
// response in its place.
#pragma once

#include <chrono>
#include <condition_variable>
#include <functional>
#include <map>
#include <mutex>
#include <thread>
#include <utility>

#include "winsvc/config/abi.hpp"
#include "winsvc/os/native.hpp"

namespace winsvc {
inline namespace WINSVC_ABI {
namespace detail::http {

class handler_timeouts {
 public:
  using time_point = std::chrono::steady_clock::time_point;

  handler_timeouts() = default;
  ~handler_timeouts();
  handler_timeouts(const handler_timeouts&) = delete;
  handler_timeouts& operator=(const handler_timeouts&) = delete;

  class scoped_timeout {
   public:
    /// Calls `on_timeout` after `limit`, on the timer thread. The call must be quick, because other timeouts wait for
    /// it, and it must not throw.
    scoped_timeout(handler_timeouts& owner, std::chrono::milliseconds limit, std::function<void()> on_timeout);
    /// Cancels the timeout. If the call is in progress, waits until it has returned.
    ~scoped_timeout();
    scoped_timeout(const scoped_timeout&) = delete;
    scoped_timeout& operator=(const scoped_timeout&) = delete;

   private:
    handler_timeouts& owner_;
    std::multimap<time_point, std::function<void()>>::iterator timer_;
  };

 private:
  void run();

  std::mutex mutex_;
  std::condition_variable changed_;
  std::multimap<time_point, std::function<void()>> timers_;  // an empty function: already called
  std::thread thread_;
  bool stopping_ = false;
};

}  // namespace detail::http
}  // inline namespace WINSVC_ABI
}  // namespace winsvc

// ---------------------------------------------------------------------------------------------------------------------

#if WINSVC_BODIES_HTTP

namespace winsvc {
inline namespace WINSVC_ABI {
namespace detail::http {

WINSVC_INLINE handler_timeouts::scoped_timeout::scoped_timeout(handler_timeouts& owner, std::chrono::milliseconds limit,
                                                               std::function<void()> on_timeout)
    : owner_(owner) {
  const std::lock_guard lock(owner_.mutex_);
  if (!owner_.thread_.joinable()) owner_.thread_ = os::start_thread([timeouts = &owner_] { timeouts->run(); });
  timer_ = owner_.timers_.emplace(std::chrono::steady_clock::now() + limit, std::move(on_timeout));
  if (timer_ == owner_.timers_.begin()) owner_.changed_.notify_one();
}

WINSVC_INLINE handler_timeouts::scoped_timeout::~scoped_timeout() {
  const std::lock_guard lock(owner_.mutex_);
  owner_.timers_.erase(timer_);
}

WINSVC_INLINE void handler_timeouts::run() {
  std::unique_lock lock(mutex_);
  while (!stopping_) {
    // Called timers stay in the map until their handlers return; skip them.
    auto next = timers_.begin();
    while (next != timers_.end() && !next->second) ++next;
    if (next == timers_.end()) {
      changed_.wait(lock);
    } else if (const auto time = next->first; std::chrono::steady_clock::now() < time) {
      changed_.wait_until(lock, time);
    } else {
      std::exchange(next->second, nullptr)();
    }
  }
}

WINSVC_INLINE handler_timeouts::~handler_timeouts() {
  if (!thread_.joinable()) return;
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
    changed_.notify_one();
  }
  thread_.join();
}

}  // namespace detail::http
}  // inline namespace WINSVC_ABI
}  // namespace winsvc

#endif  // WINSVC_BODIES_HTTP
