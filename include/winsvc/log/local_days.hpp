// Local days: finds the first log entry of each day, in the local time of the machine. The daily rotation uses it
// (log/rotating_file_sink.hpp).
//
//   local_days days(&os::utc_offset);
//   days.begins_with(entry.time)     // true: the entry is the first of a later day
//
// If the clock is set back over midnight, the same day does not begin a second time, because each rotation deletes the
// oldest file.
#pragma once

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <ratio>
#include <utility>
#include <vector>

#include "winsvc/base/clock.hpp"
#include "winsvc/config/abi.hpp"

namespace winsvc {
inline namespace WINSVC_ABI {
namespace detail::log {

/// Used by one thread.
class local_days {
 public:
  using offset_function = std::function<std::chrono::minutes(clock::system_time)>;

  /// `offset` returns the offset of local time from UTC at a time.
  explicit local_days(offset_function offset) : offset_(std::move(offset)) {}

  /// True for the first entry of a day that is later than the day of the entry before.
  bool begins_with(clock::system_time time);
  /// The offset of local time from UTC.
  [[nodiscard]] std::chrono::minutes utc_offset(clock::system_time time);

 private:
  [[nodiscard]] std::int64_t day_of(clock::system_time time);

  offset_function offset_;
  std::int64_t offset_quarter_ = INT64_MIN;  // number of the quarter hour, since 1970, of cached_offset_
  std::chrono::minutes cached_offset_{0};
  std::int64_t current_day_ = INT64_MIN;     // day of the last entry
  std::vector<std::int64_t> seen_days_;      // the last `max_seen_days`
};

}  // namespace detail::log
}  // inline namespace WINSVC_ABI
}  // namespace winsvc

// ---------------------------------------------------------------------------------------------------------------------

#if WINSVC_BODIES_LOG

namespace winsvc {
inline namespace WINSVC_ABI {
namespace detail::log {

WINSVC_INLINE bool local_days::begins_with(clock::system_time time) {
  constexpr std::size_t max_seen_days = 64;
  const std::int64_t day = day_of(time);
  if (day == current_day_) return false;
  seen_days_.reserve(max_seen_days);  // the last call that can throw: the day would count as seen
  const bool is_later = day > std::exchange(current_day_, day);
  if (std::find(seen_days_.begin(), seen_days_.end(), day) != seen_days_.end()) return false;
  if (seen_days_.size() == max_seen_days) seen_days_.erase(seen_days_.begin());
  seen_days_.push_back(day);
  return is_later;
}

/// Queries the system once per quarter hour, because the offset changes only then and the query takes as long as the
/// rest of a line.
WINSVC_INLINE std::chrono::minutes local_days::utc_offset(clock::system_time time) {
  using quarters = std::chrono::duration<std::int64_t, std::ratio<900>>;
  const std::int64_t quarter = std::chrono::floor<quarters>(time.time_since_epoch()).count();
  if (quarter != offset_quarter_) {
    cached_offset_ = offset_(time);
    offset_quarter_ = quarter;
  }
  return cached_offset_;
}

WINSVC_INLINE std::int64_t local_days::day_of(clock::system_time time) {
  using days = std::chrono::duration<std::int64_t, std::ratio<86'400>>;
  return std::chrono::floor<days>(time.time_since_epoch() + utc_offset(time)).count();
}

}  // namespace detail::log
}  // inline namespace WINSVC_ABI
}  // namespace winsvc

#endif  // WINSVC_BODIES_LOG
