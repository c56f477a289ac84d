// Thread progress: decides from the items that an I/O thread serves whether the thread is blocked, and when the monitor
// thread must look at it again.
//
//   switch (progress.observe(sequence, since_last_scan)) ...   // at each scan, for each I/O thread
//
// `sequence` is odd while the thread serves an item, and grows by one at the start and at the end of each item. The
// class reads no clock.
#pragma once

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <utility>

#include "winsvc/config/abi.hpp"

namespace winsvc {
inline namespace WINSVC_ABI {
namespace detail::server {

/// State of an I/O thread since the last scan. idle: it has served nothing. quick: it has served many items. unchanged:
/// it is still in the same item. blocked: it has been in it for so long that another thread must take its role.
enum class thread_state { idle, moved, quick, unchanged, blocked };

class thread_progress {
 public:
  using duration = std::chrono::steady_clock::duration;

  /// A thread on a busy system may wait some milliseconds for a processor.
  static constexpr std::chrono::milliseconds blocked_after{6};
  /// The monitor thread may wait for a processor too, so a longer interval counts as this time: three scans must see
  /// the thread in the same item.
  static constexpr std::chrono::milliseconds max_counted_interval{4};
  static constexpr std::uint64_t many_items = 16;

  thread_state observe(std::uint64_t sequence, duration since_last_scan) noexcept {
    const auto steps = sequence - std::exchange(last_sequence_, sequence);
    const bool serves = sequence % 2 == 1;
    if (steps == 0 && serves) {
      unchanged_time_ += (std::min<duration>)(since_last_scan, max_counted_interval);
      return unchanged_time_ < blocked_after ? thread_state::unchanged : thread_state::blocked;
    }
    unchanged_time_ = duration::zero();
    if (steps == 0) return thread_state::idle;
    return steps < 2 * many_items ? thread_state::moved : thread_state::quick;
  }

 private:
  std::uint64_t last_sequence_ = 0;
  duration unchanged_time_{0};
};

}  // namespace detail::server
}  // inline namespace WINSVC_ABI
}  // namespace winsvc
