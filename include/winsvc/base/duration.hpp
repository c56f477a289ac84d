// Parses and formats durations: `250ms`, `30s`, `5m`, `2h`, `1d`. A number without a unit is in seconds.
//
//   parse_duration("1m30s")    // 90 s
//   duration_text(1500ms)      // "1.5 s"
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "winsvc/base/text.hpp"
#include "winsvc/config/abi.hpp"

namespace winsvc {
inline namespace WINSVC_ABI {
namespace detail::base {

/// Parses one or more pairs of a number and a unit, in any order of units. nullopt for any other text, and for more
/// than 10,000 days.
[[nodiscard]] std::optional<std::chrono::milliseconds> parse_duration(std::string_view s);

/// 5s, 2m, 1d: the duration in the largest unit that divides it; parse_duration reads it.
[[nodiscard]] std::string exact_duration(std::chrono::milliseconds d);

/// Rounded down, for messages: "350 ms", "1.5 s", "20 s", "3 min", "2 h 5 min", "4 d 1 h".
[[nodiscard]] std::string duration_text(std::chrono::milliseconds d);

}  // namespace detail::base
}  // inline namespace WINSVC_ABI
}  // namespace winsvc

// ---------------------------------------------------------------------------------------------------------------------

#if WINSVC_BODIES_BASE

namespace winsvc {
inline namespace WINSVC_ABI {
namespace detail::base {

WINSVC_INLINE std::optional<std::chrono::milliseconds> parse_duration(std::string_view s) {
  struct unit {
    std::string_view name;
    std::uint64_t ms;
  };
  constexpr unit units[] = {{"ms", 1}, {"s", 1000}, {"m", 60'000}, {"h", 3'600'000}, {"d", 86'400'000}, {"", 1000}};
  constexpr std::uint64_t limit = 10'000ull * 86'400'000ull;

  s = base::trim(s);
  if (s.empty()) return std::nullopt;
  std::uint64_t total = 0;
  while (!s.empty()) {
    const auto digits = (std::min)(s.find_first_not_of("0123456789"), s.size());
    std::uint64_t count = 0;
    if (!base::parse_number(s.substr(0, digits), limit, count)) return std::nullopt;
    s.remove_prefix(digits);

    const auto name = s.substr(0, (std::min)(s.find_first_of("0123456789"), s.size()));
    const unit* found = nullptr;
    for (const auto& u : units) {
      if (base::equal_nocase(u.name, name)) found = &u;
    }
    if (!found || count > limit / found->ms) return std::nullopt;
    s.remove_prefix(name.size());
    total += count * found->ms;
    if (total > limit) return std::nullopt;
  }
  return std::chrono::milliseconds(total);
}

WINSVC_INLINE std::string exact_duration(std::chrono::milliseconds d) {
  struct unit {
    std::int64_t ms;
    const char* name;
  };
  for (const unit u : {unit{86'400'000, "d"}, unit{3'600'000, "h"}, unit{60'000, "m"}, unit{1000, "s"}}) {
    if (d.count() != 0 && d.count() % u.ms == 0) return std::to_string(d.count() / u.ms) + u.name;
  }
  return d.count() == 0 ? "0s" : std::to_string(d.count()) + "ms";
}

WINSVC_INLINE std::string duration_text(std::chrono::milliseconds d) {
  const auto ms = d.count() < 0 ? 0 : d.count();
  const auto two_units = [](std::int64_t major, const char* major_unit, std::int64_t minor, const char* minor_unit) {
    std::string out = std::to_string(major) + major_unit;
    if (minor != 0) out += ' ' + std::to_string(minor) + minor_unit;
    return out;
  };
  if (ms < 1000) return std::to_string(ms) + " ms";
  if (ms < 60'000) {
    const auto tenths = ms / 100 % 10;
    return std::to_string(ms / 1000) + (tenths != 0 ? "." + std::to_string(tenths) : "") + " s";
  }
  if (ms < 3'600'000) return two_units(ms / 60'000, " min", ms / 1000 % 60, " s");
  if (ms < 86'400'000) return two_units(ms / 3'600'000, " h", ms / 60'000 % 60, " min");
  return two_units(ms / 86'400'000, " d", ms / 3'600'000 % 24, " h");
}

}  // namespace detail::base
}  // inline namespace WINSVC_ABI
}  // namespace winsvc

#endif  // WINSVC_BODIES_BASE
