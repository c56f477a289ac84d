// What is logged, when, and to whom it goes.
#include "winsvc/base/log.hpp"

#include <doctest/doctest.h>

#include <chrono>
#include <thread>

using winsvc::log_entry;
using winsvc::log_level;
using winsvc::logger;

namespace {

/// Not guarded by a lock of its own: a sink is promised one thread at a time, and the thread sanitizer watches.
class memory final : public winsvc::log_sink {
 public:
  void write(const log_entry& entry) noexcept override { entries.push_back(entry); }
  void flush() noexcept override { ++flushed; }
  [[nodiscard]] std::vector<std::string> texts() const {
    std::vector<std::string> out;
    for (const auto& e : entries) out.push_back(e.text);
    return out;
  }
  std::vector<log_entry> entries;
  int flushed = 0;
};

/// A wall clock that moves on whenever it is read, from any thread.
class ticking final : public winsvc::clock {
 public:
  [[nodiscard]] wall_point wall() const noexcept override {
    return wall_point(std::chrono::duration_cast<wall_point::duration>(std::chrono::milliseconds(++ticks_)));
  }

 private:
  mutable std::atomic<int> ticks_{0};
};

using texts = std::vector<std::string>;

}  // namespace

TEST_CASE("a line has its time, its level in a column, its text") {
  const auto at = [](log_level level, std::string text) {
    return log_entry{winsvc::clock::wall_point(std::chrono::milliseconds(1769846709250)), level, std::move(text)}
        .line();
  };
  CHECK(at(log_level::info, "ready") == "2026-01-31T08:05:09.250+00:00 INFO  ready");
  CHECK(at(log_level::debug, "x") == "2026-01-31T08:05:09.250+00:00 DEBUG x");
  CHECK(at(log_level::warn, "x") == "2026-01-31T08:05:09.250+00:00 WARN  x");
  CHECK(at(log_level::error, "x") == "2026-01-31T08:05:09.250+00:00 ERROR x");
}

TEST_CASE("only the first line of a text begins at the margin, so that nobody can forge an entry") {
  const log_entry entry{{}, log_level::info, "first\r\n2026-01-31T08:05:09.250Z ERROR forged\nlast"};
  CHECK(entry.line() ==
        "1970-01-01T00:00:00.000+00:00 INFO  first\n    2026-01-31T08:05:09.250Z ERROR forged\n    last");
}

TEST_CASE("a line has the time of the place; control characters cannot reach a terminal") {
  using std::chrono::minutes;
  const log_entry entry{winsvc::clock::wall_point(std::chrono::milliseconds(1769846709250)), log_level::warn,
                        "tab\tbell\a escape\x1B[31m end\x7F zero" + std::string(1, '\0')};
  CHECK(entry.line(minutes(60)) ==
        "2026-01-31T09:05:09.250+01:00 WARN  tab\tbell\\x07 escape\\x1B[31m end\\x7F zero\\x00");
  CHECK(entry.line(minutes(-210)).substr(0, 29) == "2026-01-31T04:35:09.250-03:30");
}

TEST_CASE("as JSON it is an object on one line, with what belongs to it") {
  const log_entry entry{{}, log_level::error, "a \"b\"\nc", "\"status\":200,\"us\":88"};
  CHECK(entry.json_line() ==
        "{\"time\":\"1970-01-01T00:00:00.000+00:00\",\"level\":\"error\",\"text\":\"a \\\"b\\\"\\nc\",\"status\":200,\"us\":88}");
}

TEST_CASE("levels have names") {
  for (const auto level : {log_level::debug, log_level::info, log_level::warn, log_level::error})
    CHECK(winsvc::parse_log_level(name(level)) == level);
  CHECK(winsvc::parse_log_level("WARNING") == log_level::warn);
  CHECK_FALSE(winsvc::parse_log_level("loud"));
  CHECK_FALSE(winsvc::parse_log_level(""));
}

TEST_CASE("what is below the threshold is dropped, by default debug") {
  logger log;
  const auto sink = std::make_shared<memory>();
  log.add_sink(sink);

  log.debug("d1");
  log.info("i1");
  log.threshold(log_level::warn);
  log.info("i2");
  log.warn("w2");
  log.error("e2");
  log.threshold(log_level::debug);
  log.debug("d3");

  CHECK(sink->texts() == texts{"i1", "w2", "e2", "d3"});
  CHECK(log.wants(log_level::debug));
  log.threshold(log_level::error);
  CHECK_FALSE(log.wants(log_level::warn));
}

TEST_CASE("what was logged before the first sink is handed to it, and to no other") {
  logger log;
  log.info("before");
  log.debug("too little");
  const auto first = std::make_shared<memory>(), second = std::make_shared<memory>();

  log.add_sink(first);
  log.add_sink(second);
  log.warn("after");

  CHECK(first->texts() == texts{"before", "after"});
  CHECK(second->texts() == texts{"after"});
  CHECK(first->entries[0].level == log_level::info);
}

TEST_CASE("of what came before the first sink, the first 100 lines are kept") {
  logger log;
  for (int i = 0; i < 150; ++i) log.info(std::to_string(i));
  const auto sink = std::make_shared<memory>();

  log.add_sink(sink);
  log.info("after");

  REQUIRE(sink->entries.size() == 101);
  CHECK(sink->entries[0].text == "0");
  CHECK(sink->entries[99].text == "99");
  CHECK(sink->entries[100].text == "after");
}

TEST_CASE("an early line keeps the time at which it was logged") {
  const ticking time;
  logger log(time);
  log.info("early");
  static_cast<void>(time.wall());
  const auto sink = std::make_shared<memory>();
  log.add_sink(sink);
  log.info("late");
  REQUIRE(sink->entries.size() == 2);
  CHECK(sink->entries[1].when - sink->entries[0].when == std::chrono::milliseconds(2));
}

TEST_CASE("flush reaches every sink") {
  logger log;
  log.flush();
  const auto one = std::make_shared<memory>(), other = std::make_shared<memory>();
  log.add_sink(one);
  log.add_sink(other);
  log.flush();
  CHECK(one->flushed == 1);
  CHECK(other->flushed == 1);
}

TEST_CASE("lines of many threads come one by one, none lost, and their times never go back") {
  const ticking time;
  logger log(time);
  const auto sink = std::make_shared<memory>();
  log.info("0");
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&log] {
      for (int i = 0; i < 250; ++i) log.info("line");
    });
  }
  threads.emplace_back([&log] {
    for (int i = 0; i < 50; ++i) {
      log.flush();
      log.threshold(i % 2 == 0 ? log_level::info : log_level::debug);
    }
  });
  log.add_sink(sink);
  for (auto& t : threads) t.join();

  // Threads may have logged before the sink was there, and of those lines 100 are kept.
  CHECK(sink->entries.size() >= 100);
  CHECK(sink->entries.size() <= 1001);
  for (std::size_t i = 1; i < sink->entries.size(); ++i) REQUIRE(sink->entries[i - 1].when < sink->entries[i].when);
}

TEST_CASE("levels have names") {
  CHECK(name(log_level::debug) == "debug");
  CHECK(name(log_level::info) == "info");
  CHECK(name(log_level::warn) == "warn");
  CHECK(name(log_level::error) == "error");
}
