// drain_clock: the clock of an engine whose service has another clock than the system's, in a test.
//
//   drain_clock time(service_time);
//   time.begin_drain();
//
// Before a drain it is the clock of the service. In a drain, time also passes as fast as real time: the SCM counts the
// time of a stop in real time, so a clock that does not advance must not keep connections open.
#pragma once

#include <algorithm>
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <mutex>

#include "winsvc/base/clock.hpp"
#include "winsvc/config/abi.hpp"

namespace winsvc {
inline namespace WINSVC_ABI {
namespace detail::server {

class drain_clock final : public clock {
 public:
  /// `time` must outlive the object.
  explicit drain_clock(const clock& time) noexcept : time_(time) {}

  /// Call it once.
  void begin_drain() noexcept {
    start_ = time_.now();
    real_start_ = clock::system().now();
    draining_.store(true, std::memory_order_release);
  }

  [[nodiscard]] time_point now() const noexcept override {
    const auto now = time_.now();
    return is_draining() ? (std::max)(now, start_ + (clock::system().now() - real_start_)) : now;
  }
  [[nodiscard]] system_time system_now() const noexcept override { return time_.system_now(); }
  void sleep(duration d) override { clock::system().sleep(d); }
  using clock::wait_until;
  void wait_until(std::condition_variable& changed, std::unique_lock<std::mutex>& lock,
                  time_point deadline) const override {
    constexpr duration longest = std::chrono::milliseconds(5);  // then the clock of the service may have advanced
    if (!is_draining() || deadline == (time_point::max)()) return time_.wait_until(changed, lock, deadline);
    clock::system().wait_until(changed, lock, clock::system().now() + (std::min)(longest, deadline - now()));
  }

 private:
  [[nodiscard]] bool is_draining() const noexcept { return draining_.load(std::memory_order_acquire); }

  const clock& time_;
  time_point start_{}, real_start_{};  // of the drain
  std::atomic<bool> draining_{false};  // false -> true; release, so that a thread that sees true sees the two times
};

}  // namespace detail::server
}  // inline namespace WINSVC_ABI
}  // namespace winsvc
