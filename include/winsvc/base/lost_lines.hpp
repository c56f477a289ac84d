// lost_lines: counts log lines that were lost, and formats the text that reports them.
//
//   lost_lines lost;
//   lost.add(entry.time);
//   lost.text("they were logged faster than they could be written", &iso_time)
//   // 3 lines were lost between 2026-01-31T08:05:09.250Z and ...: they were logged faster than they could be written
//
// Each part of the log that can lose lines has one: the logger, the async sink, the rotating file sink. It is not
// thread-safe.
#pragma once

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

}  // namespace detail::base
}  // inline namespace WINSVC_ABI
}  // namespace winsvc
