// Thread load: decides from the CPU time of threads whether they compute or block, and whether another thread helps.
//
//   load.sample(now, cpu_time);             // repeated, for each thread that is in a handler
//   tally.add(load.state());
//   if (tally.allows_growth(processors)) start_thread();
//
// The rule is the same on all systems. It needs only the CPU time of a thread, which Windows reports in steps of about
// 16 ms, so a window of time decides and not one sample. It reads no clock.
#pragma once

#include <algorithm>
#include <chrono>
#include <cstddef>

#include "winsvc/config/abi.hpp"
#include "winsvc/os/native.hpp"

namespace winsvc {
inline namespace WINSVC_ABI {
namespace detail::server {

/// unknown: no window is complete yet.
enum class load_state { unknown, computing, blocked };

/// Load of one thread.
class thread_load {
 public:
  using time_point = std::chrono::steady_clock::time_point;
  using duration = std::chrono::steady_clock::duration;

  /// Shortest time that decides: several time slices of a busy system, or several steps of the CPU time on Windows.
  static constexpr std::chrono::milliseconds window =
      (std::max)(std::chrono::milliseconds(20), 4 * os::thread_clock::resolution);
  /// A thread that had this share of the window computes: it is small, because the other threads of a busy system take
  /// their share.
  static constexpr int computing_share = 16;

  /// `cpu`: CPU time of the thread since its start.
  void sample(time_point now, std::chrono::nanoseconds cpu) noexcept {
    const duration elapsed = now - window_start_;
    // After a gap, the window contains a time in which the thread was idle: begin again.
    if (window_start_ == time_point{} || elapsed > 4 * window) {
      state_ = load_state::unknown;
    } else if (elapsed < window) {
      return;
    } else {
      state_ = (cpu - cpu_at_start_) * computing_share >= elapsed ? load_state::computing : load_state::blocked;
    }
    window_start_ = now;
    cpu_at_start_ = cpu;
  }
  [[nodiscard]] load_state state() const noexcept { return state_; }

 private:
  time_point window_start_{};
  std::chrono::nanoseconds cpu_at_start_{0};
  load_state state_ = load_state::unknown;
};

/// Number of threads in each state.
struct load_tally {
  std::size_t unknown = 0, computing = 0, blocked = 0;

  void add(load_state state) noexcept {
    ++(state == load_state::unknown ? unknown : state == load_state::computing ? computing : blocked);
  }
  /// True if one more thread helps: the threads do not occupy all processors, and at most half of them are unknown, so
  /// the number of threads at most doubles in a window.
  [[nodiscard]] bool allows_growth(std::size_t processors) const noexcept {
    return computing < processors && unknown <= blocked;
  }
};

}  // namespace detail::server
}  // inline namespace WINSVC_ABI
}  // namespace winsvc
