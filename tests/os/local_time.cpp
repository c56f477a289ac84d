// Offset of the local time zone from UTC.
#include "winsvc/os/native.hpp"

#include <doctest/doctest.h>

#include <chrono>
#include <cstdint>
#include <cstdlib>
#include <ctime>
#include <string>

using namespace std::chrono_literals;
using winsvc::detail::os::utc_offset;

namespace {

winsvc::clock::system_time time_at(std::int64_t since_1970) {
  return winsvc::clock::system_time(
      std::chrono::duration_cast<winsvc::clock::system_time::duration>(std::chrono::seconds(since_1970)));
}

}  // namespace

TEST_CASE("the offset is between -14 h and 15 h and constant within a quarter of an hour") {
  for (const std::int64_t seconds : {0ll, 951782399ll, 1769846709ll, 1785398709ll}) {
    const auto offset = utc_offset(time_at(seconds));
    CHECK(offset >= -14h);
    CHECK(offset <= 15h);
    CHECK(utc_offset(time_at(seconds / 900 * 900)) == utc_offset(time_at(seconds / 900 * 900 + 899)));
  }
}

#if !defined(_WIN32)
TEST_CASE("the offset follows daylight saving time, to the second") {
  const char* const previous = std::getenv("TZ");
  const std::string saved = previous ? previous : "";
  ::setenv("TZ", "CET-1CEST,M3.5.0,M10.5.0/3", 1);
  ::tzset();

  CHECK(utc_offset(time_at(1769846709)) == 60min);   // January
  CHECK(utc_offset(time_at(1785398709)) == 120min);  // July
  CHECK(utc_offset(time_at(1774745999)) == 60min);   // the last second before 2026-03-29, 02:00
  CHECK(utc_offset(time_at(1774746000)) == 120min);

  if (previous) ::setenv("TZ", saved.c_str(), 1);
  else ::unsetenv("TZ");
  ::tzset();
}
#endif
