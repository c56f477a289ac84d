// Time as a thing that is passed in, so that no test ever sleeps: what waits in winsvc asks a `clock`, and
// winsvc/testing.hpp has one that is moved by hand.
//
//   const auto deadline = clock.now() + 20s;
//   while (!done() && clock.now() < deadline) clock.sleep(250ms);
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <optional>
#include <string>
#include <string_view>
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
/// `2026-01-31T09:05:09.250+01:00`: the time of a place, so far from UTC.
[[nodiscard]] std::string local_time(clock::wall_point when, std::chrono::minutes offset);
/// What the two write, at the front of `s`; nothing for anything else.
[[nodiscard]] std::optional<clock::wall_point> parse_time(std::string_view s) noexcept;
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

/// Without its zone.
inline std::string date_and_time(const utc_fields& f) {
  char out[64];
  std::snprintf(out, sizeof out, "%04lld-%02u-%02uT%02u:%02u:%02u.%03u", static_cast<long long>(f.year), f.month, f.day,
                f.hour, f.minute, f.second, f.millisecond);
  return out;
}

inline std::string iso_time(clock::wall_point when) { return date_and_time(to_utc(when)) + 'Z'; }

inline std::string local_time(clock::wall_point when, std::chrono::minutes offset) {
  const auto away = offset.count() < 0 ? -offset.count() : offset.count();
  char zone[32];
  std::snprintf(zone, sizeof zone, "%c%02d:%02d", offset.count() < 0 ? '-' : '+', static_cast<int>(away / 60 % 100),
                static_cast<int>(away % 60));
  return date_and_time(to_utc(when + offset)) + zone;
}

inline std::optional<clock::wall_point> parse_time(std::string_view s) noexcept {
  constexpr std::string_view form = "0000-00-00T00:00:00.000";
  if (s.size() <= form.size()) return std::nullopt;
  for (std::size_t i = 0; i < form.size(); ++i) {
    if (form[i] == '0' ? s[i] < '0' || s[i] > '9' : s[i] != form[i]) return std::nullopt;
  }
  const auto number = [s](std::size_t at, std::size_t digits) {
    std::int64_t value = 0;
    for (std::size_t i = at; i < at + digits; ++i) value = value * 10 + (s[i] - '0');
    return value;
  };
  const std::int64_t year = number(0, 4), month = number(5, 2), day = number(8, 2);
  if (month < 1 || month > 12 || day < 1 || day > 31) return std::nullopt;
  std::int64_t offset = 0;  // in minutes
  const char zone = s[form.size()];
  if (zone != 'Z') {
    const auto tail = s.substr(form.size());
    const bool good = (zone == '+' || zone == '-') && tail.size() >= 6 && tail[3] == ':';
    for (const std::size_t i : {1u, 2u, 4u, 5u}) {
      if (!good || tail[i] < '0' || tail[i] > '9') return std::nullopt;
    }
    offset = (number(form.size() + 1, 2) * 60 + number(form.size() + 4, 2)) * (zone == '-' ? -1 : 1);
  }
  // The way of to_utc, back: days since 1970 of a date whose year begins in March.
  const std::int64_t march_year = year - (month <= 2 ? 1 : 0), era = (march_year >= 0 ? march_year : march_year - 399) / 400;
  const std::int64_t year_of_era = march_year - era * 400;
  const std::int64_t day_of_year = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;
  const std::int64_t days = era * 146'097 + year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year - 719'468;
  const std::int64_t minutes = days * 1440 + number(11, 2) * 60 + number(14, 2) - offset;
  return clock::wall_point(std::chrono::duration_cast<clock::wall_point::duration>(
      std::chrono::milliseconds((minutes * 60 + number(17, 2)) * 1000 + number(20, 3))));
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
