// wait_deadline: the limit of a wait in the system, in the time of the service and in real time.
//
//   const wait_deadline deadline(time, 5s);
//   do result = socket.receive(buffer, size, received, deadline.next_wait());
//   while (result == os::transfer::timed_out && !deadline.has_passed());
//
// A clock of a test may be faster or slower than real time, and the system cannot wait for it. The deadline has passed
// when the clock or the system's clock has reached it, whichever is first. So a test that advances its clock ends the
// wait, and a wait never exceeds its limit in real time.
#pragma once

#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <mutex>

#include "winsvc/base/clock.hpp"
#include "winsvc/config/abi.hpp"

namespace winsvc {
inline namespace WINSVC_ABI {
namespace detail::base {

class wait_deadline {
 public:
  using milliseconds = std::chrono::milliseconds;

  /// `time` must outlive the deadline.
  wait_deadline(const clock& time, milliseconds limit) noexcept
      : time_(&time), end_(time.now() + limit), system_end_(is_system() ? end_ : clock::system().now() + limit) {}

  /// Moves the deadline to `limit` from now, if that is earlier.
  void shorten(milliseconds limit) noexcept {
    end_ = (std::min)(end_, time_->now() + limit);
    system_end_ = (std::min)(system_end_, clock::system().now() + limit);
  }
  /// At least 0.
  [[nodiscard]] milliseconds remaining() const noexcept {
    auto left = end_ - time_->now();
    if (!is_system()) left = (std::min)(left, system_end_ - clock::system().now());
    return (std::max)(std::chrono::duration_cast<milliseconds>(left), milliseconds(0));
  }
  [[nodiscard]] bool has_passed() const noexcept { return remaining() == milliseconds(0); }
  /// The real time of the next wait. A clock of a test may advance at any time, so the wait for it is short.
  [[nodiscard]] milliseconds next_wait() const noexcept {
    constexpr milliseconds longest_with_another_clock{5};
    return is_system() ? remaining() : (std::min)(remaining(), longest_with_another_clock);
  }
  /// Waits until `changed` is notified, at most next_wait().
  void wait(std::condition_variable& changed, std::unique_lock<std::mutex>& lock) const {
    clock::system().wait_until(changed, lock, clock::system().now() + next_wait());
  }

 private:
  [[nodiscard]] bool is_system() const noexcept { return time_ == &clock::system(); }

  const clock* time_;
  clock::time_point end_, system_end_;
};

}  // namespace detail::base
}  // inline namespace WINSVC_ABI
}  // namespace winsvc
