// Which lines of a log are shown.
#include "winsvc/model/log_query.hpp"

#include <doctest/doctest.h>

#include <chrono>
#include <string>
#include <vector>

using namespace std::chrono_literals;
using namespace winsvc::model;
using winsvc::log_entry;
using winsvc::log_level;
using entries = std::vector<std::string>;

namespace {

winsvc::clock::wall_point at(int minutes) { return winsvc::clock::wall_point(std::chrono::minutes(minutes)); }

std::string text_line(int minutes, log_level level, const std::string& text) {
  return log_entry{at(minutes), level, text}.line(90min) + '\n';
}
std::string json_line(int minutes, log_level level, const std::string& text) {
  return log_entry{at(minutes), level, text, "\"status\":200"}.json_line(-60min) + '\n';
}

}  // namespace

TEST_CASE("the beginning of an entry is known in both formats, and nothing else is one") {
  for (const auto level : {log_level::debug, log_level::info, log_level::warn, log_level::error}) {
    for (const auto& line : {text_line(7, level, "x"), json_line(7, level, "x")}) {
      const auto head = parse_log_head(line);
      REQUIRE(head);
      CHECK(head->when == at(7));
      CHECK(head->level == level);
    }
  }
  for (const auto no : {"", "    continued", "2026-01-31", "2026-01-31T08:05:09.250Z", "2026-01-31T08:05:09.250Z LOUD x",
                        "{\"time\":\"2026-01-31T08:05:09.250Z\"}", "{\"time\":\"x\",\"level\":\"info\"}", "{}"})
    CHECK_FALSE(parse_log_head(no));
}

TEST_CASE("the newest entries are taken, whole, by level and by time") {
  const std::string log = text_line(1, log_level::info, "one") + text_line(2, log_level::warn, "two\nand more") +
                          text_line(3, log_level::debug, "three\nand more") + text_line(4, log_level::error, "four");
  const auto wanted = [&log](const log_query& what) {
    std::string all;
    for (const auto& e : wanted_entries(log, what, what.last)) all += e;
    return all;
  };
  CHECK(wanted({10, log_level::debug, {}}) == log);
  CHECK(wanted({1, log_level::debug, {}}) == text_line(4, log_level::error, "four"));
  CHECK(wanted({10, log_level::warn, {}}) ==
        text_line(2, log_level::warn, "two\nand more") + text_line(4, log_level::error, "four"));
  CHECK(wanted({10, log_level::debug, at(3)}) ==
        text_line(3, log_level::debug, "three\nand more") + text_line(4, log_level::error, "four"));
  CHECK(wanted({10, log_level::error, at(5)}).empty());
  CHECK(wanted({0, log_level::debug, {}}).empty());
  CHECK(first_entry("torn end\n" + log) == at(1));
  CHECK_FALSE(first_entry("torn end\n"));
}

TEST_CASE("what continues an entry of an older file is not shown, and a line without its end is") {
  const auto found = wanted_entries("    continued\n" + text_line(1, log_level::info, "one") + "2026-01-31T08:05:09.250Z INFO  two",
                                    {10, log_level::debug, {}}, 10);
  CHECK(found == entries{text_line(1, log_level::info, "one"), "2026-01-31T08:05:09.250Z INFO  two"});
}
