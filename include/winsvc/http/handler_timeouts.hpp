// Time-outs of handlers: somebody who looks at the clock while a handler runs.
//
//   watchdog dog;
//   { const watchdog::watch until(dog, 5s, [&] { ... }); handler(); }   // called once the handler has had 5 s
//
// One thread for all of them, begun by the first. Nothing can end a handler: what is called here answers in its place.
#pragma once

#include <chrono>
#include <condition_variable>
#include <functional>
#include <map>
#include <mutex>
#include <thread>
#include <utility>

#include "winsvc/config/abi.hpp"

namespace winsvc {
inline namespace WINSVC_ABI {
namespace http {

class handler_timeouts {
 public:
  using time_point = std::chrono::steady_clock::time_point;

  handler_timeouts() = default;
  ~handler_timeouts();
  handler_timeouts(const handler_timeouts&) = delete;
  handler_timeouts& operator=(const handler_timeouts&) = delete;

  class scoped_timeout {
   public:
    /// `late` is called on the watchdog's thread, and must be quick: the others wait. It must not throw.
    scoped_timeout(handler_timeouts& by, std::chrono::milliseconds limit, std::function<void()> late);
    /// It is not called any more, and not being called.
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
  std::multimap<time_point, std::function<void()>> timers_;  // empty functions: those that were called
  std::thread thread_;
  bool stopping_ = false;
};

}  // namespace http
}  // inline namespace WINSVC_ABI
}  // namespace winsvc

// ---------------------------------------------------------------------------------------------------------------------

#if WINSVC_BODIES_HTTP

namespace winsvc {
inline namespace WINSVC_ABI {
namespace http {

WINSVC_INLINE handler_timeouts::scoped_timeout::scoped_timeout(handler_timeouts& by, std::chrono::milliseconds limit, std::function<void()> late) : owner_(by) {
  const std::lock_guard lock(owner_.mutex_);
  if (!owner_.thread_.joinable()) owner_.thread_ = std::thread([dog = &owner_] { dog->run(); });
  timer_ = owner_.timers_.emplace(std::chrono::steady_clock::now() + limit, std::move(late));
  if (timer_ == owner_.timers_.begin()) owner_.changed_.notify_one();
}

WINSVC_INLINE handler_timeouts::scoped_timeout::~scoped_timeout() {
  const std::lock_guard lock(owner_.mutex_);
  owner_.timers_.erase(timer_);
}

WINSVC_INLINE void handler_timeouts::run() {
  std::unique_lock lock(mutex_);
  while (!stopping_) {
    // Those that were called stay until their handlers return, and are passed over.
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

}  // namespace http
}  // inline namespace WINSVC_ABI
}  // namespace winsvc

#endif  // WINSVC_BODIES_HTTP
