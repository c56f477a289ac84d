// Time as a thing that is passed in, so that no test ever sleeps: what waits in winsvc asks a `clock`, and
// winsvc/testing.hpp has one that is moved by hand.
//
//   const auto deadline = clock.now() + 20s;
//   while (!done() && clock.now() < deadline) clock.sleep(250ms);
#pragma once

#include <chrono>
#include <cstdint>
#include <cstdio>
#include <string>
#include <thread>

#include "winsvc/config/abi.hpp"

namespace winsvc {
inline namespace WINSVC_ABI {

class clock {
 public:
  using duration = std::chrono::steady_clock::duration;
  using time_point = std::chrono::steady_clock::time_point;
  using wall_point = std::chrono::system_clock::time_point;

  virtual ~clock() = default;
  [[nodiscard]] virtual time_point now() const noexcept { return std::chrono::steady_clock::now(); }
  [[nodiscard]] virtual wall_point wall() const noexcept { return std::chrono::system_clock::now(); }
  virtual void sleep(duration d) { std::this_thread::sleep_for(d); }

  /// The machine's own clock. Lives as long as the program.
  static clock& system() {
    static clock machine;
    return machine;
  }
};

/// A moment in UTC, cut into the fields that dates are written with.
struct utc_fields {
  std::int64_t year = 1970;
  unsigned month = 1, day = 1, hour = 0, minute = 0, second = 0, millisecond = 0;
  unsigned weekday = 4;  ///< 0 is Sunday
};
[[nodiscard]] utc_fields to_utc(clock::wall_point when) noexcept;

/// `2026-01-31T08:05:09.250Z` (RFC 3339).
[[nodiscard]] std::string iso_time(clock::wall_point when);
/// `Sat, 31 Jan 2026 08:05:09 GMT`, the form of the Date header (RFC 9110, section 5.6.7).
[[nodiscard]] std::string http_date(clock::wall_point when);

// ---------------------------------------------------------------------------------------------------------------------

inline utc_fields to_utc(clock::wall_point when) noexcept {
  using namespace std::chrono;
  const std::int64_t ms = floor<milliseconds>(when.time_since_epoch()).count();  // downwards before 1970 too
  std::int64_t days = ms / 86'400'000;
  std::int64_t rest = ms % 86'400'000;
  if (rest < 0) {
    rest += 86'400'000;
    --days;
  }
  utc_fields f;
  f.hour = static_cast<unsigned>(rest / 3'600'000);
  f.minute = static_cast<unsigned>(rest / 60'000 % 60);
  f.second = static_cast<unsigned>(rest / 1000 % 60);
  f.millisecond = static_cast<unsigned>(rest % 1000);
  f.weekday = static_cast<unsigned>(((days % 7) + 11) % 7);  // day 0 was a Thursday

  // Days to a date, counted in 400-year eras whose year begins in March, so that the leap day is the last of its year.
  // std::gmtime is not used: it shares one buffer between threads, and its safe forms differ between platforms.
  days += 719'468;
  const std::int64_t era = (days >= 0 ? days : days - 146'096) / 146'097;
  const auto day_of_era = static_cast<unsigned>(days - era * 146'097);
  const unsigned year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36'524 - day_of_era / 146'096) / 365;
  const unsigned day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
  const unsigned march_month = (5 * day_of_year + 2) / 153;
  f.day = day_of_year - (153 * march_month + 2) / 5 + 1;
  f.month = march_month < 10 ? march_month + 3 : march_month - 9;
  f.year = static_cast<std::int64_t>(year_of_era) + era * 400 + (f.month <= 2 ? 1 : 0);
  return f;
}

inline std::string iso_time(clock::wall_point when) {
  const utc_fields f = to_utc(when);
  char out[64];
  std::snprintf(out, sizeof out, "%04lld-%02u-%02uT%02u:%02u:%02u.%03uZ", static_cast<long long>(f.year), f.month,
                f.day, f.hour, f.minute, f.second, f.millisecond);
  return out;
}

inline std::string http_date(clock::wall_point when) {
  constexpr const char* days[] = {"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};
  constexpr const char* months[] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
  const utc_fields f = to_utc(when);
  char out[64];
  std::snprintf(out, sizeof out, "%s, %02u %s %04lld %02u:%02u:%02u GMT", days[f.weekday], f.day, months[f.month - 1],
                static_cast<long long>(f.year), f.hour, f.minute, f.second);
  return out;
}

}  // inline namespace WINSVC_ABI
}  // namespace winsvc
