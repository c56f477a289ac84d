// A request to stop, remembered for ever: whoever looks later still sees it. What a worker waits on.
//
//   svc.worker("poller", [](winsvc::stop_token stop) {
//     while (!stop.wait_for(5s)) poll_once();
//   });
//
// It carries no reason and cannot be taken back. (std::stop_token is C++20 and has no timed wait of its own.)
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

/// The listening end. Copies listen to the same request. Safe to use from any thread.
class stop_token {
 public:
  [[nodiscard]] bool stop_requested() const {
    const std::lock_guard lock(state_->mutex);
    return state_->stopped;
  }

  /// Waits that long, or until a stop is requested. True: stop now. More than a year is for ever.
  template <class Rep, class Period>
  bool wait_for(std::chrono::duration<Rep, Period> how_long) const {
    // hours::max() and its kin would overflow when added to the time that it is now, and not wait at all.
    if (std::chrono::duration<double>(how_long) > std::chrono::hours(24 * 365)) {
      wait();
      return true;
    }
    std::unique_lock lock(state_->mutex);
    return state_->state_changed.wait_for(lock, how_long, [this] { return state_->stopped; });
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

/// The asking end, owned by whoever decides.
class stop_source {
 public:
  [[nodiscard]] stop_token token() const { return stop_token(state_); }

  /// Any number of times, from any thread; the first one counts.
  void request_stop() const noexcept {
    const auto own = state_;  // whoever waits for this may end, and take the source along
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
