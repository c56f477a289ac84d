// Log query of the verb logs.
#include "winsvc/log/log_query.hpp"

#include <doctest/doctest.h>

#include <chrono>
#include <string>

using winsvc::log_entry;
using winsvc::log_level;
using winsvc::detail::log::log_query;
using winsvc::detail::log::parse_log_line;
using namespace std::chrono_literals;

namespace {

const winsvc::clock::system_time moment{
    std::chrono::duration_cast<winsvc::clock::system_time::duration>(1769846709250ms)};

}  // namespace

TEST_CASE("time and level are parsed in both formats") {
  for (const auto level : {log_level::debug, log_level::info, log_level::warn, log_level::error}) {
    const log_entry entry{moment, level, "a \"text\"\nof two lines", "\"status\":200"};
    for (const auto offset : {0min, 60min, -210min}) {
      for (const std::string& line : {entry.line(offset), entry.json_line(offset)}) {
        CAPTURE(line);
        const auto header = parse_log_line(line);
        REQUIRE(header);
        CHECK(header->time == moment);
        CHECK(header->level == level);
      }
    }
  }
}

TEST_CASE("the first 80 characters of a line are sufficient, and the message may be empty") {
  const log_entry entry{moment, log_level::error, ""};
  CHECK(parse_log_line(entry.line(60min)));
  CHECK(parse_log_line(entry.json_line(60min).substr(0, 80)));
  CHECK(parse_log_line("2026-01-31T08:05:09.250Z WARN"));
}

TEST_CASE("any other line is a continuation line") {
  for (const char* line : {
           "", "    an indented line", "2026-01-31T08:05:09.250Z", "2026-01-31T08:05:09.250Z ",
           "2026-01-31T08:05:09.250Z LOUD x", "2026-01-31 08:05:09 INFO x", "12 monkeys",
           " 2026-01-31T08:05:09Z INFO x",
           "{}", "{\"time\":\"now\",\"level\":\"info\"}", "{\"time\":\"2026-01-31T08:05:09.250Z\"}",
           "{\"time\":\"2026-01-31T08:05:09.250Z\",\"level\":\"loud\"}", "{\"time\":\"2026-01-31T08:0"}) {
    CAPTURE(line);
    CHECK_FALSE(parse_log_line(line));
  }
}

TEST_CASE("an entry matches by level and time") {
  log_query query;
  CHECK(matches(query, {moment, log_level::debug}));
  CHECK(includes_continuation_lines(query));

  query.min_level = log_level::warn;
  CHECK_FALSE(matches(query, {moment, log_level::info}));
  CHECK(matches(query, {moment, log_level::warn}));
  CHECK(matches(query, {moment, log_level::error}));
  CHECK_FALSE(includes_continuation_lines(query));

  query.since = moment;
  CHECK(matches(query, {moment, log_level::error}));
  CHECK_FALSE(matches(query, {moment - 1ms, log_level::error}));
  query.min_level = log_level::debug;
  CHECK_FALSE(includes_continuation_lines(query));
}
