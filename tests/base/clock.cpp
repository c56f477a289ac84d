// Tests of clock and of dates in RFC 3339 and HTTP form.
#include "winsvc/base/clock.hpp"

#include <doctest/doctest.h>

#include <cstdio>
#include <ctime>
#include <random>

using winsvc::http_date;
using winsvc::iso_time;
using winsvc::local_time;
using winsvc::parse_time;
using winsvc::to_utc;
using std::chrono::milliseconds;
using std::chrono::seconds;
using namespace std::chrono_literals;

namespace {

winsvc::clock::system_time at(std::int64_t seconds_since_1970, milliseconds fraction = 0ms) {
  return winsvc::clock::system_time(
      std::chrono::duration_cast<winsvc::clock::system_time::duration>(seconds(seconds_since_1970) + fraction));
}

}  // namespace

TEST_CASE("a time is formatted as RFC 3339 and RFC 9110 require") {
  struct row { std::int64_t s; const char* iso; const char* http; };
  const row rows[] = {
      {0, "1970-01-01T00:00:00.000Z", "Thu, 01 Jan 1970 00:00:00 GMT"},
      {784111777, "1994-11-06T08:49:37.000Z", "Sun, 06 Nov 1994 08:49:37 GMT"},
      {951782399, "2000-02-28T23:59:59.000Z", "Mon, 28 Feb 2000 23:59:59 GMT"},
      {951782400, "2000-02-29T00:00:00.000Z", "Tue, 29 Feb 2000 00:00:00 GMT"},
      {951868800, "2000-03-01T00:00:00.000Z", "Wed, 01 Mar 2000 00:00:00 GMT"},
      {946684799, "1999-12-31T23:59:59.000Z", "Fri, 31 Dec 1999 23:59:59 GMT"},
      {946684800, "2000-01-01T00:00:00.000Z", "Sat, 01 Jan 2000 00:00:00 GMT"},
      {1709164800, "2024-02-29T00:00:00.000Z", "Thu, 29 Feb 2024 00:00:00 GMT"},
      {1769846709, "2026-01-31T08:05:09.000Z", "Sat, 31 Jan 2026 08:05:09 GMT"},
      {1677628799, "2023-02-28T23:59:59.000Z", "Tue, 28 Feb 2023 23:59:59 GMT"},
      {1677628800, "2023-03-01T00:00:00.000Z", "Wed, 01 Mar 2023 00:00:00 GMT"},
      {2147483648, "2038-01-19T03:14:08.000Z", "Tue, 19 Jan 2038 03:14:08 GMT"},
      {4102444799, "2099-12-31T23:59:59.000Z", "Thu, 31 Dec 2099 23:59:59 GMT"},
      {4102444800, "2100-01-01T00:00:00.000Z", "Fri, 01 Jan 2100 00:00:00 GMT"},
      {4107542399, "2100-02-28T23:59:59.000Z", "Sun, 28 Feb 2100 23:59:59 GMT"},
      {4107542400, "2100-03-01T00:00:00.000Z", "Mon, 01 Mar 2100 00:00:00 GMT"},  // 2100 has no leap day
      {-1, "1969-12-31T23:59:59.000Z", "Wed, 31 Dec 1969 23:59:59 GMT"},
      {-86400, "1969-12-31T00:00:00.000Z", "Wed, 31 Dec 1969 00:00:00 GMT"},
      {-86401, "1969-12-30T23:59:59.000Z", "Tue, 30 Dec 1969 23:59:59 GMT"},
      {-2203891200, "1900-03-01T00:00:00.000Z", "Thu, 01 Mar 1900 00:00:00 GMT"},
      {-2203891201, "1900-02-28T23:59:59.000Z", "Wed, 28 Feb 1900 23:59:59 GMT"},
  };
  for (const auto& r : rows) {
    CHECK(iso_time(at(r.s)) == r.iso);
    CHECK(http_date(at(r.s)) == r.http);
  }
}

TEST_CASE("a local time is formatted with its UTC offset") {
  struct row { std::int64_t s; std::chrono::minutes offset; const char* text; };
  const row rows[] = {
      {1769846709, 60min, "2026-01-31T09:05:09.000+01:00"},
      {1769846709, 0min, "2026-01-31T08:05:09.000+00:00"},
      {1769846709, -210min, "2026-01-31T04:35:09.000-03:30"},
      {1769846709, 845min, "2026-01-31T22:10:09.000+14:05"},
      {951782399, 60min, "2000-02-29T00:59:59.000+01:00"},   // the local date is another day
      {0, -1min, "1969-12-31T23:59:00.000-00:01"},
      {-1, 0min, "1969-12-31T23:59:59.000+00:00"},
  };
  for (const auto& r : rows) {
    CHECK(local_time(at(r.s), r.offset) == r.text);
    CHECK(parse_time(r.text) == at(r.s));
  }
}

TEST_CASE("parse_time reads what iso_time and local_time write, to the millisecond") {
  std::mt19937_64 random(20260131);
  std::uniform_int_distribution<std::int64_t> times(-9'000'000'000'000, 9'000'000'000'000);
  std::uniform_int_distribution<int> offsets(-23 * 60, 23 * 60);
  std::size_t wrong = 0;
  for (int i = 0; i < 20'000; ++i) {
    const auto time = at(0, milliseconds(times(random)));
    if (parse_time(iso_time(time)) != time) ++wrong;
    if (parse_time(local_time(time, std::chrono::minutes(offsets(random)))) != time) ++wrong;
  }
  CHECK(wrong == 0);
}

TEST_CASE("parse_time accepts any number of fraction digits and rejects malformed times") {
  CHECK(parse_time("2026-01-31T08:05:09Z") == at(1769846709));
  CHECK(parse_time("2026-01-31T08:05:09.2Z") == at(1769846709, 200ms));
  CHECK(parse_time("2026-01-31T08:05:09.2500000000000000001Z") == at(1769846709, 250ms));
  for (const char* malformed : {
           "", "2026", "2026-01-31", "2026-01-31T08:05:09", "2026-01-31T08:05Z", "2026-01-31 08:05:09Z",
           "2026-01-31T08:05:09.Z", "2026-01-31T08:05:09Z ", " 2026-01-31T08:05:09Z", "2026-13-31T08:05:09Z",
           "2026-00-31T08:05:09Z", "2026-02-29T08:05:09Z", "2026-04-31T08:05:09Z", "2026-01-00T08:05:09Z",
           "2026-01-31T24:05:09Z", "2026-01-31T08:60:09Z", "2026-01-31T08:05:60Z", "2026-01-31T08:05:09+1:00",
           "2026-01-31T08:05:09+01", "2026-01-31T08:05:09+01:60", "2026-01-31T08:05:09+0100", "+026-01-31T08:05:09Z",
           "9999-12-31T23:59:59ZZ", "2026-01-31T08:05:09.250", "2026-01-31T08:05:09.250+"}) {
    CAPTURE(malformed);
    CHECK_FALSE(parse_time(malformed));
  }
  CHECK(parse_time("2024-02-29T00:00:00Z") == at(1709164800));
}

TEST_CASE("parse_time accepts the last day of each month, and no day after it") {
  const auto is_day = [](int year, int month, int day) {
    char text[64];
    std::snprintf(text, sizeof text, "%04d-%02d-%02dT00:00:00Z", year, month, day);
    return parse_time(text).has_value();
  };
  constexpr int lengths[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
  for (int month = 1; month <= 12; ++month) {
    CAPTURE(month);
    CHECK(is_day(2026, month, lengths[month - 1]));
    CHECK_FALSE(is_day(2026, month, lengths[month - 1] + 1));
  }
  for (const int year : {2000, 2024}) CHECK(is_day(year, 2, 29));
  for (const int year : {1900, 2025, 2100}) CHECK_FALSE(is_day(year, 2, 29));
}

TEST_CASE("parse_time rejects a year that the system clock cannot represent") {
  const auto limit =
      std::chrono::duration_cast<std::chrono::hours>(winsvc::clock::system_time::max().time_since_epoch());
  const bool has_year_9999 = limit > std::chrono::hours(24) * 366 * 8030;  // unit: 100 ns on Windows, 1 ns elsewhere
  CHECK(parse_time("9999-12-31T23:59:59Z").has_value() == has_year_9999);
  CHECK(parse_time("2262-04-11T00:00:00Z").has_value());
  CHECK(parse_time("2262-04-12T23:00:00+23:59") == parse_time("2262-04-11T23:01:00Z"));  // later there than the limit
}

TEST_CASE("milliseconds are rounded down") {
  CHECK(iso_time(at(1769846709, 250ms)) == "2026-01-31T08:05:09.250Z");
  CHECK(iso_time(at(1769846709, 7ms)) == "2026-01-31T08:05:09.007Z");
  CHECK(iso_time(at(1769846709) + 999'900us) == "2026-01-31T08:05:09.999Z");
  CHECK(iso_time(at(0, -1ms)) == "1969-12-31T23:59:59.999Z");
  CHECK(iso_time(at(0) - 100us) == "1969-12-31T23:59:59.999Z");
}

TEST_CASE("each day from 1900 to 2200 follows the previous day") {
  auto before = to_utc(at(-2208988800));
  CHECK(before.year == 1900);
  std::size_t wrong = 0;
  for (std::int64_t day = -25566; before.year < 2200; ++day) {
    const auto now = to_utc(at(day * 86400));
    const bool leap = before.year % 4 == 0 && (before.year % 100 != 0 || before.year % 400 == 0);
    const unsigned lengths[] = {31, leap ? 29u : 28u, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    const bool month_ends = before.day == lengths[before.month - 1];
    const bool year_ends = month_ends && before.month == 12;
    if (now.weekday != (before.weekday + 1) % 7 || now.day != (month_ends ? 1 : before.day + 1) ||
        now.month != (year_ends ? 1 : month_ends ? before.month + 1 : before.month) ||
        now.year != (year_ends ? before.year + 1 : before.year) || now.hour + now.minute + now.second != 0) {
      ++wrong;
    }
    before = now;
  }
  CHECK(wrong == 0);
}

TEST_CASE("the fields of a date are those of 1970-01-01 if they are not set") {
  const winsvc::utc_fields f, expected = to_utc(at(0));
  CHECK(f.year == expected.year);
  CHECK(f.month == expected.month);
  CHECK(f.day == expected.day);
  CHECK(f.hour == expected.hour);
  CHECK(f.minute == expected.minute);
  CHECK(f.second == expected.second);
  CHECK(f.millisecond == expected.millisecond);
  CHECK(f.weekday == expected.weekday);
}

#if !defined(_WIN32)
TEST_CASE("random dates equal the dates of the C library") {
  std::mt19937_64 random(20260131);
  std::uniform_int_distribution<std::int64_t> times(-9'000'000'000, 9'000'000'000);  // years 1684 to 2255
  std::size_t wrong = 0;
  for (int i = 0; i < 20'000; ++i) {
    const std::time_t time = times(random);
    std::tm expected{};
    ::gmtime_r(&time, &expected);
    const auto f = to_utc(at(time));
    if (f.year != expected.tm_year + 1900 || f.month != static_cast<unsigned>(expected.tm_mon + 1) ||
        f.day != static_cast<unsigned>(expected.tm_mday) || f.hour != static_cast<unsigned>(expected.tm_hour) ||
        f.minute != static_cast<unsigned>(expected.tm_min) || f.second != static_cast<unsigned>(expected.tm_sec) ||
        f.weekday != static_cast<unsigned>(expected.tm_wday) || ::timegm(&expected) != time) {
      ++wrong;
    }
  }
  CHECK(wrong == 0);
}
#endif

TEST_CASE("there is one system clock, and it is monotonic") {
  auto& system = winsvc::clock::system();
  CHECK(&system == &winsvc::clock::system());

  const auto before = system.now();
  system.sleep(1ms);

  CHECK(system.now() - before >= 1ms);
  CHECK(to_utc(system.system_now()).year >= 2024);
}

TEST_CASE("a year with other than four digits is written with all its digits") {
  winsvc::utc_fields f;
  f.year = 10'000;
  CHECK(winsvc::time_text(f) == "10000-01-01T00:00:00.000");
  f.year = 9999;
  CHECK(winsvc::time_text(f) == "9999-01-01T00:00:00.000");
  f.year = 7;
  CHECK(winsvc::time_text(f) == "0007-01-01T00:00:00.000");
  f.year = 0;
  CHECK(winsvc::time_text(f) == "0000-01-01T00:00:00.000");
  f.year = -1;
  CHECK(winsvc::time_text(f) == "-001-01-01T00:00:00.000");
}

TEST_CASE("parse_time reads a fraction to the unit of the clock, and accepts the last second of each field") {
  using unit = winsvc::clock::system_time::duration;
  const auto fraction = std::chrono::duration_cast<unit>(std::chrono::nanoseconds(123'456'789));
  CHECK(parse_time("2026-01-31T08:05:09.123456789Z") == at(1769846709) + fraction);
  CHECK(parse_time("2026-01-31T08:05:09.1234567899999Z") == at(1769846709) + fraction);
  CHECK(parse_time("1999-12-31T23:59:59Z") == at(946684799));
  CHECK(parse_time("2000-01-01T23:59:00+23:59") == at(946684800));
  CHECK(parse_time("1999-12-31T00:01:00-23:59") == at(946684800));
  CHECK_FALSE(parse_time("2026-01-31T08:05:09+24:00"));
  CHECK_FALSE(parse_time("2026-01-32T08:05:09Z"));
  CHECK_FALSE(parse_time("2026-01-31T08:05:09.2/Z"));
  CHECK_FALSE(parse_time("2026-01-31T08:05:09./Z"));
  CHECK_FALSE(parse_time("2026-01-31T08:05:09.:Z"));
  CHECK_FALSE(parse_time("2026-01-31T0::05:09Z"));
  CHECK_FALSE(parse_time("2026-01-31T0/:05:09Z"));
}

TEST_CASE("parse_time accepts all whole seconds that the system clock can represent, except the first and the last") {
  const auto last = std::chrono::duration_cast<seconds>(winsvc::clock::system_time::max().time_since_epoch());
  const auto first = std::chrono::duration_cast<seconds>(winsvc::clock::system_time::min().time_since_epoch());
  if (last > std::chrono::hours(24) * 366 * 8030) return;  // more than four digits of years (Windows)
  for (const auto edge : {last, first}) {
    const auto inside = edge > seconds(0) ? edge - seconds(1) : edge + seconds(1);
    CHECK(parse_time(iso_time(at(inside.count()))) == at(inside.count()));
    CHECK_FALSE(parse_time(iso_time(at(edge.count()))));
  }
}

TEST_CASE("a wait ends when its predicate is true or its deadline has passed") {
  struct : winsvc::clock {
    mutable int waits = 0;
    [[nodiscard]] time_point now() const noexcept override { return time_point(std::chrono::hours(waits)); }
    void wait_until(std::condition_variable&, std::unique_lock<std::mutex>&, time_point) const override { ++waits; }
    using clock::wait_until;
  } const time;
  std::mutex mutex;
  std::condition_variable changed;
  std::unique_lock lock(mutex);
  const auto hour = [](int h) { return winsvc::clock::time_point(std::chrono::hours(h)); };

  CHECK(time.wait_until(changed, lock, hour(9), [] { return true; }));
  CHECK(time.waits == 0);
  CHECK_FALSE(time.wait_until(changed, lock, hour(3), [] { return false; }));
  CHECK(time.waits == 3);  // the clock has reached the deadline
  CHECK(time.wait_until(changed, lock, hour(9), [&] { return time.waits == 5; }));
  CHECK(time.waits == 5);
}
