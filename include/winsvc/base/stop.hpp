// stop_token, stop_source: a stop request that threads poll or wait on. A request stays set.
//
//   svc.worker("poller", [](winsvc::stop_token stop) {
//     while (!stop.wait_for(5s)) poll_once();
//   });
//
// A request has no reason and cannot be withdrawn. (std::stop_token is C++20 and has no wait with a timeout.)
#pragma once

#include <chrono>
#include <condition_variable>
#include <memory>
#include <mutex>
#include <utility>

#include "winsvc/config/abi.hpp"

namespace winsvc {
inline namespace WINSVC_ABI {

class stop_source;

/// Reports whether a stop was requested. Copies refer to the same request. Safe to use from any thread.
class stop_token {
 public:
  [[nodiscard]] bool stop_requested() const {
    const std::lock_guard lock(state_->mutex);
    return state_->stopped;
  }

  /// Waits until a stop is requested, or until `timeout` has passed. Returns true if a stop was requested. A timeout of
  /// more than a year means no timeout.
  template <class Rep, class Period>
  bool wait_for(std::chrono::duration<Rep, Period> timeout) const {
    // hours::max() would overflow when added to the current time, and the wait would return at once.
    if (std::chrono::duration<double>(timeout) > std::chrono::hours(24 * 365)) {
      wait();
      return true;
    }
    std::unique_lock lock(state_->mutex);
    return state_->state_changed.wait_for(lock, timeout, [this] { return state_->stopped; });
  }

  /// Waits until a stop is requested.
  void wait() const {
    std::unique_lock lock(state_->mutex);
    state_->state_changed.wait(lock, [this] { return state_->stopped; });
  }

 private:
  friend class stop_source;
  struct stop_state {
    std::mutex mutex;
    std::condition_variable state_changed;
    bool stopped = false;
  };
  explicit stop_token(std::shared_ptr<stop_state> state) : state_(std::move(state)) {}
  std::shared_ptr<stop_state> state_;
};

/// Requests a stop. Its owner decides when.
class stop_source {
 public:
  [[nodiscard]] stop_token token() const { return stop_token(state_); }

  /// Requests the stop and ends all waits. Safe to call from any thread; further calls have no effect.
  void request_stop() const noexcept {
    const auto own = state_;  // a thread that waits may destroy this source as soon as `stopped` is set
    {
      const std::lock_guard lock(own->mutex);
      own->stopped = true;
    }
    own->state_changed.notify_all();
  }

 private:
  std::shared_ptr<stop_token::stop_state> state_ = std::make_shared<stop_token::stop_state>();
};

}  // inline namespace WINSVC_ABI
}  // namespace winsvc
