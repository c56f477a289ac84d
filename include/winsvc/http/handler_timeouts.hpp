// Handler timeouts: call a function when a handler has not returned before its deadline.
//
//   handler_timeouts timeouts;
//   { const handler_timeouts::scoped_timeout limit(timeouts, deadline, [&] { ... }); handler(); }
//
// One thread, the timeout thread, serves all timeouts; start() or the first timeout starts it. A handler cannot be
// terminated: the function sends the response in its place.
#pragma once

#include <chrono>
#include <condition_variable>
#include <functional>
#include <map>
#include <mutex>
#include <thread>
#include <utility>

#include "winsvc/base/clock.hpp"
#include "winsvc/base/duration.hpp"
#include "winsvc/os/thread_starter.hpp"
#include "winsvc/config/abi.hpp"
#include "winsvc/os/native.hpp"

namespace winsvc {
inline namespace WINSVC_ABI {
namespace detail::http {

class handler_timeouts {
 public:
  using time_point = clock::time_point;

  explicit handler_timeouts(const clock& time,
                            os::thread_starter& starter = os::thread_starter::system())
      : time_(time), starter_(starter) {}
  ~handler_timeouts();
  handler_timeouts(const handler_timeouts&) = delete;
  handler_timeouts& operator=(const handler_timeouts&) = delete;

  /// Starts the thread before the first timeout, so that a later shortage of threads has no effect. Throws
  /// std::system_error if the system cannot create it.
  void start();

  class scoped_timeout {
   public:
    /// Calls `on_timeout` at `deadline`, on the timeout thread. The call must be quick, because later timeouts wait for
    /// it, and it must not throw. It may lock mutexes that other handlers hold while they end. Throws std::system_error
    /// if the timeout thread cannot be created.
    scoped_timeout(handler_timeouts& owner, time_point deadline, std::function<void()> on_timeout);
    /// Cancels the timeout. If the call is in progress, waits until it has returned.
    ~scoped_timeout();
    scoped_timeout(const scoped_timeout&) = delete;
    scoped_timeout& operator=(const scoped_timeout&) = delete;

   private:
    friend class handler_timeouts;
    handler_timeouts& owner_;
    const std::function<void()> on_timeout_;
    bool pending_ = true;  // under mutex_: in timeouts_, at position_
    std::multimap<time_point, scoped_timeout*>::iterator position_;
  };

 private:
  void start_locked();
  void run();

  const clock& time_;
  os::thread_starter& starter_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::multimap<time_point, scoped_timeout*> timeouts_;  // that were not called; a handler may run for longer
  const scoped_timeout* in_progress_ = nullptr;          // under mutex_: the one that the timeout thread calls
  std::condition_variable returned_;
  std::thread thread_;
  bool stopping_ = false;
};

/// Message of the 503 response after the timeout of a route.
[[nodiscard]] std::string timeout_message(std::chrono::milliseconds limit);

}  // namespace detail::http
}  // inline namespace WINSVC_ABI
}  // namespace winsvc

// ---------------------------------------------------------------------------------------------------------------------

#if WINSVC_BODIES_HTTP

namespace winsvc {
inline namespace WINSVC_ABI {
namespace detail::http {

WINSVC_INLINE std::string timeout_message(std::chrono::milliseconds limit) {
  return "no response within " + base::duration_text(limit);
}

WINSVC_INLINE void handler_timeouts::start() {
  const std::lock_guard lock(mutex_);
  start_locked();
}
WINSVC_INLINE void handler_timeouts::start_locked() {
  if (!thread_.joinable()) thread_ = starter_.start([this] { run(); });
}

WINSVC_INLINE handler_timeouts::scoped_timeout::scoped_timeout(handler_timeouts& owner, time_point deadline,
                                                               std::function<void()> on_timeout)
    : owner_(owner), on_timeout_(std::move(on_timeout)) {
  const std::lock_guard lock(owner_.mutex_);
  owner_.start_locked();
  position_ = owner_.timeouts_.emplace(deadline, this);
  if (position_ == owner_.timeouts_.begin()) owner_.changed_.notify_one();
}

WINSVC_INLINE handler_timeouts::scoped_timeout::~scoped_timeout() {
  std::unique_lock lock(owner_.mutex_);
  if (pending_) owner_.timeouts_.erase(position_);
  owner_.returned_.wait(lock, [this] { return owner_.in_progress_ != this; });
}

WINSVC_INLINE void handler_timeouts::run() {
  std::unique_lock lock(mutex_);
  while (!stopping_) {
    const auto next = timeouts_.begin();
    const auto deadline = next == timeouts_.end() ? (time_point::max)() : next->first;
    if (time_.now() < deadline) {
      time_.wait_until(changed_, lock, deadline);
      continue;
    }
    // A timeout that was called is removed, so that the next one is always the first.
    scoped_timeout& timeout = *next->second;
    timeouts_.erase(next);
    timeout.pending_ = false;
    in_progress_ = &timeout;
    lock.unlock();  // the call may last, and other handlers begin and end meanwhile
    timeout.on_timeout_();
    lock.lock();
    in_progress_ = nullptr;
    returned_.notify_all();
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
