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
  using system_time = std::chrono::system_clock::time_point;

  virtual ~clock() = default;
  [[nodiscard]] virtual time_point now() const noexcept { return std::chrono::steady_clock::now(); }
  [[nodiscard]] virtual system_time system_now() const noexcept { return std::chrono::system_clock::now(); }
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
[[nodiscard]] utc_fields to_utc(clock::system_time time) noexcept;

/// `2026-01-31T08:05:09.250Z` (RFC 3339).
[[nodiscard]] std::string iso_time(clock::system_time time);
/// `2026-01-31T09:05:09.250+01:00`: the same moment by the clock on a wall that is `offset` ahead of UTC; how far that
/// is, os/local_time.hpp knows. Without an offset it ends with +00:00, so that lines are as long in winter and summer.
[[nodiscard]] std::string local_time(clock::system_time time, std::chrono::minutes offset);
/// What these two write, read back; the fraction may be missing or have any number of digits. Nothing for all else.
[[nodiscard]] std::optional<clock::system_time> parse_time(std::string_view s) noexcept;
/// `Sat, 31 Jan 2026 08:05:09 GMT`, the form of the Date header (RFC 9110, section 5.6.7).
[[nodiscard]] std::string http_date(clock::system_time time);

}  // inline namespace WINSVC_ABI
}  // namespace winsvc

// ---------------------------------------------------------------------------------------------------------------------

#if WINSVC_BODIES_BASE

namespace winsvc {
inline namespace WINSVC_ABI {

WINSVC_INLINE utc_fields to_utc(clock::system_time time) noexcept {
  using namespace std::chrono;
  const std::int64_t ms = floor<milliseconds>(time.time_since_epoch()).count();  // downwards before 1970 too
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

/// `2026-01-31T08:05:09.250`. By hand: every line of the log has one, and snprintf takes as long as all the rest of it.
WINSVC_INLINE std::string time_text(const utc_fields& f) {
  if (f.year < 0 || f.year > 9999) {
    char out[64];
    std::snprintf(out, sizeof out, "%04lld-%02u-%02uT%02u:%02u:%02u.%03u", static_cast<long long>(f.year), f.month,
                  f.day, f.hour, f.minute, f.second, f.millisecond);
    return out;
  }
  std::string out = "0000-00-00T00:00:00.000";
  const auto put = [&out](std::size_t end, unsigned value) {  // its last digit stands before `end`
    for (; value != 0; value /= 10) out[--end] = static_cast<char>('0' + value % 10);
  };
  put(4, static_cast<unsigned>(f.year));
  put(7, f.month);
  put(10, f.day);
  put(13, f.hour);
  put(16, f.minute);
  put(19, f.second);
  put(23, f.millisecond);
  return out;
}

WINSVC_INLINE std::string iso_time(clock::system_time time) { return time_text(to_utc(time)) + 'Z'; }

WINSVC_INLINE std::string local_time(clock::system_time time, std::chrono::minutes offset) {
  std::string out = time_text(to_utc(time + offset));
  const auto ahead = offset.count() < 0 ? -offset.count() : offset.count();
  const auto digit = [](std::int64_t d) { return static_cast<char>('0' + d % 10); };
  out += offset.count() < 0 ? '-' : '+';
  out += {digit(ahead / 600), digit(ahead / 60 % 10), ':', digit(ahead % 60 / 10), digit(ahead % 10)};
  return out;
}

WINSVC_INLINE std::optional<clock::system_time> parse_time(std::string_view s) noexcept {
  using namespace std::chrono;
  bool fits = true;
  const auto number = [&](std::size_t digits, std::int64_t minimum, std::int64_t limit) {
    std::int64_t value = 0;
    for (; digits > 0; --digits) {
      if (s.empty() || s[0] < '0' || s[0] > '9') return fits = false, std::int64_t{0};
      value = value * 10 + (s[0] - '0');
      s.remove_prefix(1);
    }
    fits = fits && value >= minimum && value <= limit;
    return value;
  };
  const auto mark = [&](char c) {
    fits = fits && !s.empty() && s[0] == c;
    if (fits) s.remove_prefix(1);
  };
  const std::int64_t year = number(4, 0, 9999);
  mark('-');
  const std::int64_t month = number(2, 1, 12);
  mark('-');
  const std::int64_t day = number(2, 1, 31);
  mark('T');
  const std::int64_t hour = number(2, 0, 23);
  mark(':');
  const std::int64_t minute = number(2, 0, 59);
  mark(':');
  const std::int64_t second = number(2, 0, 59);
  if (!fits) return std::nullopt;

  std::int64_t fraction = 0;  // ns
  if (!s.empty() && s[0] == '.') {
    s.remove_prefix(1);
    if (s.empty() || s[0] < '0' || s[0] > '9') return std::nullopt;
    for (std::int64_t weight = 100'000'000; !s.empty() && s[0] >= '0' && s[0] <= '9'; weight /= 10) {
      fraction += weight * (s[0] - '0');
      s.remove_prefix(1);
    }
  }
  std::int64_t offset = 0;
  if (s != "Z") {
    const bool behind = !s.empty() && s[0] == '-';
    mark(behind ? '-' : '+');
    offset = number(2, 0, 23) * 60;
    mark(':');
    offset += number(2, 0, 59);
    if (!fits || !s.empty()) return std::nullopt;
    if (behind) offset = -offset;
  }

  // The way back of to_utc: years that begin in March, in eras of 400.
  const std::int64_t march_year = year - (month <= 2 ? 1 : 0);
  const std::int64_t era = (march_year >= 0 ? march_year : march_year - 399) / 400;
  const std::int64_t year_of_era = march_year - era * 400;
  const std::int64_t day_of_year = (153 * (month > 2 ? month - 3 : month + 9) + 2) / 5 + day - 1;
  const std::int64_t days =
      era * 146'097 + year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year - 719'468;
  const seconds since{((days * 24 + hour) * 60 + minute - offset) * 60 + second};
  // A year 9999 is more than a clock of nanoseconds can say.
  if (since >= duration_cast<seconds>((clock::system_time::max)().time_since_epoch()) ||
      since <= duration_cast<seconds>((clock::system_time::min)().time_since_epoch())) {
    return std::nullopt;
  }
  const clock::system_time time(duration_cast<clock::system_time::duration>(since) +
                               duration_cast<clock::system_time::duration>(nanoseconds(fraction)));
  const utc_fields read = to_utc(time + minutes(offset));
  if (read.day != static_cast<unsigned>(day)) return std::nullopt;  // the 30th of February
  return time;
}

WINSVC_INLINE std::string http_date(clock::system_time time) {
  constexpr const char* days[] = {"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};
  constexpr const char* months[] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
  const utc_fields f = to_utc(time);
  char out[64];
  std::snprintf(out, sizeof out, "%s, %02u %s %04lld %02u:%02u:%02u GMT", days[f.weekday], f.day, months[f.month - 1],
                static_cast<long long>(f.year), f.hour, f.minute, f.second);
  return out;
}

}  // inline namespace WINSVC_ABI
}  // namespace winsvc

#endif  // WINSVC_BODIES_BASE
