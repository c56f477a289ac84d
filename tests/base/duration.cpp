// Tests of parse_duration and duration_text.
#include "winsvc/base/duration.hpp"

#include <doctest/doctest.h>

using winsvc::detail::base::duration_text;
using winsvc::detail::base::parse_duration;
using std::chrono::milliseconds;
using namespace std::chrono_literals;

TEST_CASE("a duration is a list of numbers with units; a number without a unit is in seconds") {
  struct row { const char* s; milliseconds value; };
  const row rows[] = {
      {"0", 0ms},        {"30", 30s},         {"250ms", 250ms},    {"30s", 30s},      {"5m", 5min},
      {"2h", 2h},        {"1d", 24h},         {"1m30s", 90s},      {"1h5m", 65min},   {"1s500ms", 1500ms},
      {"30s1m", 90s},    {"1m30", 90s},       {"1M", 1min},        {"1MS", 1ms},      {"1H", 1h},
      {" 30s ", 30s},    {"\t5m", 5min},      {"0030", 30s},       {"0ms", 0ms},      {"10000d", 240'000h},
      {"240000h", 240'000h},                  {"864000000", 240'000h},
  };
  for (const auto& r : rows) {
    CAPTURE(r.s);
    const auto result = parse_duration(r.s);
    REQUIRE(result);
    CHECK(*result == r.value);
  }
}

TEST_CASE("any other text is rejected") {
  const char* const rows[] = {
      "",      " ",    "s",    "ms",    "-1",  "-1s", "+1s",  "1.5s", "1,5s", "5 m", "5x",  "5sec", "5min", "1s 2m",
      "1 2",   "0x10", "1e3",  "s5",    "5s-", "5\n", ("\xC2\xA0" "5s"), "1w",   "1y",  "inf", "forever",
  };
  for (const char* s : rows) {
    CAPTURE(s);
    CHECK_FALSE(parse_duration(s));
  }
}

TEST_CASE("a duration of more than 10,000 days is rejected and does not overflow") {
  const char* const rows[] = {
      "10001d", "10000d1ms", "864000001", "240001h", "9999d25h", "864000000001ms", "18446744073709551615",
      "18446744073709551616", "99999999999999999999d", "213503982335d", "5124095576031h",
  };
  for (const char* s : rows) {
    CAPTURE(s);
    CHECK_FALSE(parse_duration(s));
  }
}

TEST_CASE("a duration is formatted with one or two units") {
  struct row { milliseconds d; const char* text; };
  const row rows[] = {
      {0ms, "0 ms"},        {-5ms, "0 ms"},        {350ms, "350 ms"},         {999ms, "999 ms"},
      {1000ms, "1 s"},      {1500ms, "1.5 s"},     {1099ms, "1 s"},           {20s, "20 s"},
      {59'999ms, "59.9 s"}, {60s, "1 min"},        {90s, "1 min 30 s"},       {3min, "3 min"},
      {3'599'999ms, "59 min 59 s"},                {1h, "1 h"},               {125min, "2 h 5 min"},
      {24h, "1 d"},         {97h, "4 d 1 h"},      {240'000h, "10000 d"},
  };
  for (const auto& r : rows) CHECK(duration_text(r.d) == r.text);
}

TEST_CASE("an exact duration has the largest unit without a remainder") {
  using winsvc::detail::base::exact_duration;
  using namespace std::chrono_literals;
  CHECK(exact_duration(0ms) == "0s");
  CHECK(exact_duration(1ms) == "1ms");
  CHECK(exact_duration(1500ms) == "1500ms");
  CHECK(exact_duration(90s) == "90s");
  CHECK(exact_duration(120s) == "2m");
  CHECK(exact_duration(3h) == "3h");
  CHECK(exact_duration(48h) == "2d");
}
