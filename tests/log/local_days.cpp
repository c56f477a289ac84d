// Local days: which entry is the first of a day, and the daily rotation of the file sink.
#include "winsvc/log/local_days.hpp"

#include <doctest/doctest.h>

#include <chrono>
#include <fstream>
#include <string>

#include "log_folder.hpp"

using namespace log_test;
using winsvc::detail::log::local_days;

TEST_CASE("the first time of each later day begins it") {
  local_days days(&utc);

  CHECK(days.begins_with(time_at(12h)));
  CHECK_FALSE(days.begins_with(time_at(24h - 1s)));
  CHECK(days.begins_with(time_at(24h)));
  CHECK_FALSE(days.begins_with(time_at(12h)));  // the clock was set back
  CHECK_FALSE(days.begins_with(time_at(25h)));
  CHECK(days.begins_with(time_at(72h)));
}

TEST_CASE("the system is queried for the offset once per quarter hour") {
  int queries = 0;
  local_days days([&queries](winsvc::clock::system_time) {
    ++queries;
    return 60min;
  });

  for (int second = 0; second < 900; ++second) CHECK(days.utc_offset(time_at(std::chrono::seconds(second))) == 60min);
  CHECK(queries == 1);
  CHECK(days.utc_offset(time_at(900s)) == 60min);
  CHECK(queries == 2);
}

TEST_CASE("the first line of a new day rotates the file") {
  folder f;
  test_log log(f / "hello", daily());

  log.sink.write_batch({entry("late", 24h - 1s), entry("early", 24h), entry("noon", 36h)});
  log.write(entry("day after", 72h));

  CHECK(f.read("hello.2.log") == "1970-01-01T23:59:59.000+00:00 INFO  late\n");
  CHECK(f.read("hello.1.log") ==
        "1970-01-02T00:00:00.000+00:00 INFO  early\n1970-01-02T12:00:00.000+00:00 INFO  noon\n");
  CHECK(f.read("hello.log") == "1970-01-04T00:00:00.000+00:00 INFO  day after\n");
}

TEST_CASE("a day begins at local midnight, also when daylight saving time ends") {
  folder f;
  const manual_clock time;
  const auto local_offset = [](winsvc::clock::system_time moment) { return moment < time_at(20h) ? 120min : 60min; };
  rotating_file_sink log(f / "hello", daily(), time, local_offset);

  log.write_batch({entry("before", 19h), entry("after", 22h), entry("midnight", 23h)});

  CHECK(f.read("hello.1.log") ==
        "1970-01-01T21:00:00.000+02:00 INFO  before\n1970-01-01T23:00:00.000+01:00 INFO  after\n");
  CHECK(f.read("hello.log") == "1970-01-02T00:00:00.000+01:00 INFO  midnight\n");
}

TEST_CASE("a file of an earlier run has the day of its first line, in either format") {
  for (const auto format : {log_format::text, log_format::json}) {
    folder f;
    test_log(f / "hello", daily(format)).write(entry("yesterday"));
    test_log(f / "hello", daily(format)).write(entry("today", 24h));
    test_log(f / "hello", daily(format)).write(entry("today too", 25h));

    CHECK(f.files() == 2);
    CHECK(f.read("hello.1.log").find("yesterday") != std::string::npos);
    CHECK(f.read("hello.log").find("today too") != std::string::npos);
  }
}

TEST_CASE("a file whose first line has no time has the day of its last change") {
  folder f;
  std::ofstream(f / "hello.log", std::ios::binary) << "by hand\n";

  const auto today = std::chrono::duration_cast<std::chrono::seconds>(
      winsvc::clock::system().system_now().time_since_epoch());
  test_log log(f / "hello", daily());
  log.write(entry("tomorrow", today + 24h));

  CHECK(f.read("hello.1.log") == "by hand\n");
  CHECK(f.read("hello.log").find("tomorrow") != std::string::npos);
}

TEST_CASE("a clock that goes to and fro over midnight deletes no older day") {
  // Two time sources that disagree, by seconds or by two days, and a machine that starts with a wrong clock.
  struct { const char* name; std::chrono::seconds first, second; int rotations;
  } const cases[] = {
      {"over midnight", 4 * 24h - 1s, 4 * 24h, 1},
      {"by two days", 4 * 24h - 1s, 6 * 24h, 1},
      {"back to 1970", 4 * 24h - 1s, 0s, 0},
  };
  for (const auto& c : cases) {
    CAPTURE(c.name);
    folder f;
    {
      test_log log(f / "hello", daily());
      for (int day = 0; day < 4; ++day) log.write(entry("day " + std::to_string(day), day * 24h + 12h));
      for (int i = 0; i < 10; ++i) {
        log.write(entry("first", c.first));
        log.write(entry("second", c.second));
      }
    }
    for (int run = 0; run < 5; ++run) {  // each start of the machine repeats it
      test_log log(f / "hello", daily());
      log.write(entry("second", c.second));
      log.write(entry("first", c.first));
    }

    CHECK(f.files() == 4 + c.rotations);
    CHECK(f.read(c.rotations == 0 ? "hello.3.log" : "hello.4.log").find("day 0") != std::string::npos);
  }
}

TEST_CASE("after a clock that was a year ahead, each new day rotates again") {
  folder f;
  test_log log(f / "hello", daily());

  log.write(entry("wrong", 365 * 24h));
  for (int day = 1; day <= 3; ++day) log.write(entry("day " + std::to_string(day), day * 24h));

  CHECK(f.files() == 3);
  CHECK(f.read("hello.log").find("day 3") != std::string::npos);
  CHECK(f.read("hello.2.log").find("wrong") != std::string::npos);
}

TEST_CASE("a file of an earlier run has the day of its last line, also if it begins on another day") {
  folder f;
  std::ofstream(f / "hello.log", std::ios::binary)
      << entry("first", 12h).line(0min) << '\n' << entry("last", 36h).line(0min) << "\n    continued\npart";

  test_log log(f / "hello", daily());
  log.write(entry("same day", 40h));
  CHECK(f.files() == 1);
  log.write(entry("next day", 50h));
  CHECK(f.files() == 2);
}

TEST_CASE("without the daily option a new day does not rotate the file") {
  folder f;
  test_log log(f / "hello");

  log.write(entry("one"));
  log.write(entry("two", 48h));

  CHECK(f.files() == 1);
}
