// manual_clock: a clock that the test advances. `sleep` advances it and returns at once, so a test waits no time and
// measures exact times. A wait with a deadline ends when another thread has advanced the clock to the deadline.
//
//   winsvc::testing::manual_clock time;
//   time.advance(20s);
#pragma once

#include <chrono>
#include <condition_variable>
#include <mutex>

#include "winsvc/testing/whole.hpp"

namespace winsvc {
namespace testing {

/// Safe to use from any thread.
class manual_clock final : public clock {
 public:
  [[nodiscard]] time_point now() const noexcept override {
    const std::lock_guard lock(mutex_);
    return now_;
  }
  [[nodiscard]] system_time system_now() const noexcept override {
    return system_time(std::chrono::duration_cast<system_time::duration>(now().time_since_epoch()));
  }
  void sleep(duration d) override { advance(d); }
  using clock::wait_until;
  void wait_until(std::condition_variable& changed, std::unique_lock<std::mutex>& lock,
                  time_point deadline) const override {
    if (deadline == (time_point::max)()) return changed.wait(lock);
    // A short wait of real time: `advance` does not know the condition variables that wait for it.
    if (now() < deadline) changed.wait_for(lock, std::chrono::milliseconds(1));
  }
  void advance(duration d) {
    const std::lock_guard lock(mutex_);
    now_ += d;
  }

 private:
  mutable std::mutex mutex_;
  time_point now_{std::chrono::hours(24)};  // not 0, so that a subtraction does not underflow to a special value
};

}  // namespace testing
}  // namespace winsvc
