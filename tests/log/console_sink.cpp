// Console sink: the format of a line.
#include "winsvc/log/console_sink.hpp"

#include <doctest/doctest.h>

#include <chrono>
#include <string>

using winsvc::log_entry;
using winsvc::log_level;
using winsvc::detail::log::format_console_line;
using namespace std::chrono_literals;

TEST_CASE("a terminal line has the local time of day, and colors if they are enabled") {
  const winsvc::clock::system_time moment{
      std::chrono::duration_cast<winsvc::clock::system_time::duration>(1769846709250ms)};
  const auto line_of = [&](log_level level, bool colors) {
    return format_console_line({moment, level, "text\nmore \x1b[5m"}, 60min, colors);
  };
  const std::string text = "text\n    more \\x1b[5m";

  CHECK(line_of(log_level::info, false) == "09:05:09.250 INFO  " + text);
  CHECK(line_of(log_level::error, false) == "09:05:09.250 ERROR " + text);
  CHECK(line_of(log_level::debug, true) == "\x1b[2m09:05:09.250\x1b[0m \x1b[2mDEBUG " + text + "\x1b[0m");
  CHECK(line_of(log_level::info, true) == "\x1b[2m09:05:09.250\x1b[0m INFO  " + text);
  CHECK(line_of(log_level::warn, true) == "\x1b[2m09:05:09.250\x1b[0m \x1b[33mWARN  " + text + "\x1b[0m");
  CHECK(line_of(log_level::error, true) == "\x1b[2m09:05:09.250\x1b[0m \x1b[31mERROR " + text + "\x1b[0m");
}

TEST_CASE("the status of an access record is colored by its class, and nothing else is") {
  const winsvc::clock::system_time moment{};
  const auto text_of = [&](const std::string& text, const std::string& fields, bool colors = true) {
    return format_console_line({moment, log_level::info, text, fields}, 0min, colors).substr(colors ? 21 : 13);
  };
  const auto record = [&](const std::string& status) {
    return text_of("GET /200  " + status + "  5 B  88 us", R"("method":"GET","status":)" + status + R"(,"us":88)");
  };
  CHECK(record("200") == "INFO  GET /200  \x1b[32m200\x1b[0m  5 B  88 us");
  CHECK(record("304") == "INFO  GET /200  \x1b[36m304\x1b[0m  5 B  88 us");
  CHECK(record("404") == "INFO  GET /200  \x1b[33m404\x1b[0m  5 B  88 us");
  CHECK(record("503") == "INFO  GET /200  \x1b[31m503\x1b[0m  5 B  88 us");
  CHECK(record("101") == "INFO  GET /200  101  5 B  88 us");
  CHECK(text_of("saved  200  items", "") == "INFO  saved  200  items");
  CHECK(text_of("other", R"("status":200)") == "INFO  other");
  CHECK(text_of("GET /  200  5 B", R"("status":200)", false) == "INFO  GET /  200  5 B");
}
