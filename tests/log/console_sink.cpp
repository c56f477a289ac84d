// The log on the screen.
#include "winsvc/log/console_sink.hpp"

#include <doctest/doctest.h>

#include <chrono>
#include <string>

using winsvc::log_entry;
using winsvc::log_level;
using winsvc::host::format_console_line;
using namespace std::chrono_literals;

TEST_CASE("a terminal shows the time of day on its wall, and colours where it is wanted to") {
  const winsvc::clock::system_time moment{
      std::chrono::duration_cast<winsvc::clock::system_time::duration>(1769846709250ms)};
  const auto shown = [&](log_level level, bool colors) {
    return format_console_line({moment, level, "text\nmore \x1b[5m"}, 60min, colors);
  };
  const std::string rest = "text\n    more \\x1b[5m";

  CHECK(shown(log_level::info, false) == "09:05:09.250 INFO  " + rest);
  CHECK(shown(log_level::error, false) == "09:05:09.250 ERROR " + rest);
  CHECK(shown(log_level::debug, true) == "\x1b[2m09:05:09.250\x1b[0m \x1b[2mDEBUG " + rest + "\x1b[0m");
  CHECK(shown(log_level::info, true) == "\x1b[2m09:05:09.250\x1b[0m INFO  " + rest);
  CHECK(shown(log_level::warn, true) == "\x1b[2m09:05:09.250\x1b[0m \x1b[33mWARN  " + rest + "\x1b[0m");
  CHECK(shown(log_level::error, true) == "\x1b[2m09:05:09.250\x1b[0m \x1b[31mERROR " + rest + "\x1b[0m");
}
