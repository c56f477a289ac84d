// A clock that is moved by hand: whoever sleeps on it moves it, so waiting costs nothing and is exact.
#pragma once

#include <chrono>
#include <mutex>

#include "winsvc/testing/whole.hpp"

namespace winsvc {
namespace testing {

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
  void advance(duration d) {
    const std::lock_guard lock(mutex_);
    now_ += d;
  }

 private:
  mutable std::mutex mutex_;
  time_point now_{std::chrono::hours(24)};  // not zero: a subtraction must not look like a special case
};

}  // namespace testing
}  // namespace winsvc
