// Deadlines of a running stop: the time limit of each step (the drain, the workers, each hook) and the end of the whole
// stop. They only become earlier, because a later stop request must not give a running stop more time.
//
//   stop_deadlines deadlines(*definition.time, 20s);
//   deadlines.shorten(4s, 5s);       // a shutdown: 4 s for each step, 5 s from now for all of them
//   deadlines.next_step();           // 4 s, or less near the end
//
// scm/stop_limits.hpp has the limits of each kind of stop.
#pragma once

#include <algorithm>
#include <chrono>
#include <mutex>
#include <optional>

#include "winsvc/base/clock.hpp"
#include "winsvc/config/abi.hpp"

namespace winsvc {
inline namespace WINSVC_ABI {
namespace detail::host {

/// Safe to call from any thread: the control handler shortens the deadlines while the service thread uses them.
class stop_deadlines {
 public:
  using milliseconds = std::chrono::milliseconds;
  using time_point = clock::time_point;

  stop_deadlines(const clock& time, milliseconds step_limit) : time_(time), step_limit_(step_limit) {}

  /// Reduces the limit of each step to `step_limit`, and moves the end of the whole stop to `total` from now. A later
  /// end has no effect.
  void shorten(milliseconds step_limit, std::optional<milliseconds> total) {
    const std::lock_guard lock(mutex_);
    step_limit_ = (std::min)(step_limit_, step_limit);
    if (total) end_ = (std::min)(end_, time_.now() + *total);
  }

  /// The limit of each step.
  [[nodiscard]] milliseconds step_limit() const {
    const std::lock_guard lock(mutex_);
    return step_limit_;
  }
  /// The end of the whole stop; time_point::max without a limit.
  [[nodiscard]] time_point end() const {
    const std::lock_guard lock(mutex_);
    return end_;
  }
  /// The time that a step may take that begins now: the limit of a step, at most the time until end().
  [[nodiscard]] milliseconds next_step() const {
    const std::lock_guard lock(mutex_);
    const auto remaining = std::chrono::duration_cast<milliseconds>(end_ - time_.now());
    return (std::min)(step_limit_, (std::max)(remaining, milliseconds(0)));
  }
  [[nodiscard]] bool is_expired() const { return time_.now() >= end(); }

 private:
  const clock& time_;
  mutable std::mutex mutex_;
  milliseconds step_limit_;                  // under mutex_
  time_point end_ = (time_point::max)();     // under mutex_
};

}  // namespace detail::host
}  // inline namespace WINSVC_ABI
}  // namespace winsvc
