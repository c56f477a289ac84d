// fast_clock: a clock that runs faster than real time, so that a test of seconds takes milliseconds.
//
//   const fast_clock time;              // 20 times faster
//   scm.time = &time;
//   time.pass(2500ms);                  // takes 125 ms
//
// A jitter of the machine is 20 times longer on this clock: keep a distance of several seconds between two limits. On a
// busy machine and with a sanitizer the clock is slower: waiting::timeout_factor() divides the factor.
#pragma once

#include <winsvc/testing.hpp>

#include "wait.hpp"

#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <mutex>
#include <thread>

class fast_clock final : public winsvc::clock {
 public:
  explicit fast_clock(int factor = 20) : factor_(std::max(1, static_cast<int>(factor / waiting::timeout_factor()))) {}

  [[nodiscard]] time_point now() const noexcept override {
    return start_ + (std::chrono::steady_clock::now() - start_) * factor_;
  }
  void sleep(duration d) override { pass(d); }
  /// Sleeps for a time of this clock.
  void pass(duration d) const { std::this_thread::sleep_for(d / factor_); }
  using clock::wait_until;
  void wait_until(std::condition_variable& changed, std::unique_lock<std::mutex>& lock,
                  time_point deadline) const override {
    const duration remaining = deadline - now();
    // Not longer than a year, which would overflow.
    changed.wait_for(lock, remaining / factor_ < std::chrono::hours(24) ? remaining / factor_ : std::chrono::hours(24));
  }

 private:
  const int factor_;
  const time_point start_ = std::chrono::steady_clock::now();
};
