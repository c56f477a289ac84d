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
