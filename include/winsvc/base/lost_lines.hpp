// lost_lines, lost_line_counter: count log lines that were lost, and format the text that reports them.
//
//   lost_lines lost;
//   lost.add(entry.time);
//   lost.text("they were logged faster than they could be written", &iso_time)
//   // 3 lines were lost between 2026-01-31T08:05:09.250Z and ...: they were logged faster than they could be written
//
// The logger, the async sink and the rotating file sink can lose lines, so each of them has both objects.
// lost_lines is not thread-safe. lost_line_counter is, for lines that are lost without a lock.
#pragma once

#include <atomic>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "winsvc/base/clock.hpp"
#include "winsvc/config/abi.hpp"

namespace winsvc {
inline namespace WINSVC_ABI {
namespace detail::base {

struct lost_lines {
  std::uint64_t count = 0;
  std::optional<clock::system_time> first_time;  ///< of the first line whose time is known
  clock::system_time last_time{};

  [[nodiscard]] bool empty() const noexcept { return count == 0; }
  /// Counts lines whose time is not known.
  void add(std::uint64_t lines) noexcept { count += lines; }
  /// Counts lines with a time, or with times from `first` on.
  void add(std::uint64_t lines, clock::system_time first, clock::system_time last) noexcept {
    if (lines == 0) return;
    count += lines;
    if (!first_time) first_time = first;
    last_time = last;
  }
  void add(clock::system_time time) noexcept { add(1, time, time); }

  /// Returns "3 lines were lost between A and B: REASON". `format` formats a time.
  template <class Format>
  [[nodiscard]] std::string text(std::string_view reason, const Format& format) const {
    std::string out = std::to_string(count) + (count == 1 ? " line was lost" : " lines were lost");
    if (first_time && *first_time == last_time) out += " at " + format(last_time);
    else if (first_time) out += " between " + format(*first_time) + " and " + format(last_time);
    return out.append(": ").append(reason);
  }
  /// The number as a field of a JSON line.
  [[nodiscard]] std::string json_field() const { return "\"lost\":" + std::to_string(count); }
};

/// The number of lost lines, and those that no thread has reported yet. Safe to use from any thread.
class lost_line_counter {
 public:
  /// Counts lines that the caller reports.
  void add(std::uint64_t lines = 1) noexcept { total_.fetch_add(lines, std::memory_order_relaxed); }
  /// Counts a line that the next take_unreported() reports: memory is out, or a lock was not acquired in time.
  void add_unreported() noexcept {
    add();
    unreported_.fetch_add(1, std::memory_order_relaxed);
  }
  [[nodiscard]] bool has_unreported() const noexcept { return unreported_.load(std::memory_order_relaxed) != 0; }
  /// The number of lines to report.
  [[nodiscard]] std::uint64_t take_unreported() noexcept { return unreported_.exchange(0, std::memory_order_relaxed); }
  /// The report of these lines was lost, too: take_unreported() returns them again.
  void return_unreported(std::uint64_t lines) noexcept { unreported_.fetch_add(lines, std::memory_order_relaxed); }
  /// The number of lost lines since the start.
  [[nodiscard]] std::uint64_t total() const noexcept { return total_.load(std::memory_order_relaxed); }

 private:
  // Relaxed: counters that order no other data.
  std::atomic<std::uint64_t> total_{0}, unreported_{0};
};

}  // namespace detail::base
}  // inline namespace WINSVC_ABI
}  // namespace winsvc
