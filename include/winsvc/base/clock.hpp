// clock: the time source of winsvc, which tests replace so that they need not sleep. Also dates in RFC 3339 and HTTP
// form.
//
//   const auto deadline = clock.now() + 20s;
//   while (!done() && clock.now() < deadline) clock.sleep(250ms);
//
// testing/clock.hpp has a clock that the test advances.
#pragma once

#include <chrono>
#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <thread>

#include "winsvc/config/abi.hpp"

namespace winsvc {
inline namespace WINSVC_ABI {

/// A monotonic clock and a system clock, as std::chrono has them. Safe to use from any thread.
class clock {
 public:
  using duration = std::chrono::steady_clock::duration;
  using time_point = std::chrono::steady_clock::time_point;
  using system_time = std::chrono::system_clock::time_point;

  virtual ~clock() = default;
  [[nodiscard]] virtual time_point now() const noexcept { return std::chrono::steady_clock::now(); }
  [[nodiscard]] virtual system_time system_now() const noexcept { return std::chrono::system_clock::now(); }
  virtual void sleep(duration d) { std::this_thread::sleep_for(d); }
  /// Waits until `changed` is notified or this clock reaches `deadline`; time_point::max(): no deadline. May return
  /// early without a reason, as std::condition_variable does. `lock` must be held.
  virtual void wait_until(std::condition_variable& changed, std::unique_lock<std::mutex>& lock,
                          time_point deadline) const {
    if (deadline == (time_point::max)()) changed.wait(lock);
    else changed.wait_until(lock, deadline);
  }
  /// Waits until `predicate` is true or this clock reaches `deadline`. Returns the value of the predicate.
  template <class Predicate>
  bool wait_until(std::condition_variable& changed, std::unique_lock<std::mutex>& lock, time_point deadline,
                  Predicate predicate) const {
    while (!predicate()) {
      if (now() >= deadline) return predicate();
      wait_until(changed, lock, deadline);
    }
    return true;
  }

  /// The system's clock. It exists until the program ends.
  static clock& system() {
    static clock instance;
    return instance;
  }
};

/// A point in time in UTC as the fields of a date.
struct utc_fields {
  std::int64_t year = 1970;
  unsigned month = 1, day = 1, hour = 0, minute = 0, second = 0, millisecond = 0;
  unsigned weekday = 4;  ///< 0 is Sunday
};
[[nodiscard]] utc_fields to_utc(clock::system_time time) noexcept;

/// `2026-01-31T08:05:09.250Z` (RFC 3339).
[[nodiscard]] std::string iso_time(clock::system_time time);
/// `2026-01-31T09:05:09.250+01:00`: the local time that is `offset` ahead of UTC. os/local_time.hpp returns the offset.
/// An offset of 0 is written as +00:00, not as Z, so that the length is the same in winter and summer.
[[nodiscard]] std::string local_time(clock::system_time time, std::chrono::minutes offset);
/// Parses the format of `iso_time` and `local_time`. The fraction is optional and may have any number of digits.
/// nullopt for any other text.
[[nodiscard]] std::optional<clock::system_time> parse_time(std::string_view s) noexcept;
/// `Sat, 31 Jan 2026 08:05:09 GMT`, the format of the Date header (RFC 9110 section 5.6.7).
[[nodiscard]] std::string http_date(clock::system_time time);

}  // inline namespace WINSVC_ABI
}  // namespace winsvc

// ---------------------------------------------------------------------------------------------------------------------

#if WINSVC_BODIES_BASE

namespace winsvc {
inline namespace WINSVC_ABI {

WINSVC_INLINE utc_fields to_utc(clock::system_time time) noexcept {
  using namespace std::chrono;
  const std::int64_t ms = floor<milliseconds>(time.time_since_epoch()).count();  // rounds down, also before 1970
  std::int64_t days = ms / 86'400'000;
  std::int64_t ms_of_day = ms % 86'400'000;
  if (ms_of_day < 0) {
    ms_of_day += 86'400'000;
    --days;
  }
  utc_fields f;
  f.hour = static_cast<unsigned>(ms_of_day / 3'600'000);
  f.minute = static_cast<unsigned>(ms_of_day / 60'000 % 60);
  f.second = static_cast<unsigned>(ms_of_day / 1000 % 60);
  f.millisecond = static_cast<unsigned>(ms_of_day % 1000);
  f.weekday = static_cast<unsigned>(((days % 7) + 11) % 7);  // day 0 was a Thursday

  // From days to a date, in eras of 400 years. A year begins in March, so that the leap day is the last day of a year.
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

/// `2026-01-31T08:05:09.250`. Not with snprintf, which takes as long as everything else that a log line needs.
WINSVC_INLINE std::string time_text(const utc_fields& f) {
  if (f.year < 0 || f.year > 9999) {
    char out[64];
    std::snprintf(out, sizeof out, "%04lld-%02u-%02uT%02u:%02u:%02u.%03u", static_cast<long long>(f.year), f.month,
                  f.day, f.hour, f.minute, f.second, f.millisecond);
    return out;
  }
  std::string out = "0000-00-00T00:00:00.000";
  const auto put = [&out](std::size_t end, unsigned value) {  // `end` is the position after the last digit
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
  const auto minutes = offset.count() < 0 ? -offset.count() : offset.count();
  const auto digit = [](std::int64_t d) { return static_cast<char>('0' + d % 10); };
  out += offset.count() < 0 ? '-' : '+';
  out += {digit(minutes / 600), digit(minutes / 60 % 10), ':', digit(minutes % 60 / 10), digit(minutes % 10)};
  return out;
}

WINSVC_INLINE std::optional<clock::system_time> parse_time(std::string_view s) noexcept {
  using namespace std::chrono;
  bool valid = true;
  const auto number = [&](std::size_t digits, std::int64_t minimum, std::int64_t limit) {
    std::int64_t value = 0;
    for (; digits > 0; --digits) {
      if (s.empty() || s[0] < '0' || s[0] > '9') {
        valid = false;
        return std::int64_t{0};
      }
      value = value * 10 + (s[0] - '0');
      s.remove_prefix(1);
    }
    valid = valid && value >= minimum && value <= limit;
    return value;
  };
  const auto expect = [&](char c) {
    valid = valid && !s.empty() && s[0] == c;
    if (valid) s.remove_prefix(1);
  };
  const std::int64_t year = number(4, 0, 9999);
  expect('-');
  const std::int64_t month = number(2, 1, 12);
  expect('-');
  const bool is_leap_year = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
  // The months 1, 3, 5, 7, 8, 10 and 12 have 31 days.
  const std::int64_t day = number(2, 1, month == 2 ? (is_leap_year ? 29 : 28) : 30 + (month + month / 8) % 2);
  expect('T');
  const std::int64_t hour = number(2, 0, 23);
  expect(':');
  const std::int64_t minute = number(2, 0, 59);
  expect(':');
  const std::int64_t second = number(2, 0, 59);
  if (!valid) return std::nullopt;

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
    const bool negative = !s.empty() && s[0] == '-';
    expect(negative ? '-' : '+');
    offset = number(2, 0, 23) * 60;
    expect(':');
    offset += number(2, 0, 59);
    if (!valid || !s.empty()) return std::nullopt;
    if (negative) offset = -offset;
  }

  // The inverse of to_utc: years that begin in March, in eras of 400 years.
  const std::int64_t march_year = year - (month <= 2 ? 1 : 0);
  const std::int64_t era = (march_year >= 0 ? march_year : march_year - 399) / 400;
  const std::int64_t year_of_era = march_year - era * 400;
  const std::int64_t day_of_year = (153 * (month > 2 ? month - 3 : month + 9) + 2) / 5 + day - 1;
  const std::int64_t days =
      era * 146'097 + year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year - 719'468;
  const seconds since{((days * 24 + hour) * 60 + minute - offset) * 60 + second};
  // A 64-bit clock in nanoseconds cannot represent the year 9999.
  if (since >= duration_cast<seconds>((clock::system_time::max)().time_since_epoch()) ||
      since <= duration_cast<seconds>((clock::system_time::min)().time_since_epoch())) {
    return std::nullopt;
  }
  return clock::system_time(duration_cast<clock::system_time::duration>(since) +
                            duration_cast<clock::system_time::duration>(nanoseconds(fraction)));
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
