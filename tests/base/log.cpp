// Tests of logger and log_entry: formats, threshold, sinks, lost lines.
#include "winsvc/base/log.hpp"

#include "../support/wait.hpp"

#include <doctest/doctest.h>

#include <atomic>
#include <chrono>
#include <future>
#include <thread>

using winsvc::log_entry;
using winsvc::log_level;
using winsvc::logger;
using namespace std::chrono_literals;

namespace {

/// Has no lock: a sink is called by one thread at a time. The thread sanitizer checks this.
class memory_sink final : public winsvc::log_sink {
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

/// A system clock that advances by 1 ms at each read, from any thread.
class ticking_clock final : public winsvc::clock {
 public:
  [[nodiscard]] system_time system_now() const noexcept override {
    return system_time(std::chrono::duration_cast<system_time::duration>(std::chrono::milliseconds(++ticks_)));
  }

 private:
  mutable std::atomic<int> ticks_{0};
};

const winsvc::clock::system_time moment{
    std::chrono::duration_cast<winsvc::clock::system_time::duration>(1769846709250ms)};

using texts = std::vector<std::string>;

}  // namespace

TEST_CASE("a log line has the local time, the level in a column of fixed width and the text") {
  const auto line = [](log_level level, std::string text, std::chrono::minutes offset = 60min) {
    return log_entry{moment, level, std::move(text)}.line(offset);
  };
  CHECK(line(log_level::info, "ready") == "2026-01-31T09:05:09.250+01:00 INFO  ready");
  CHECK(line(log_level::debug, "x") == "2026-01-31T09:05:09.250+01:00 DEBUG x");
  CHECK(line(log_level::warn, "x") == "2026-01-31T09:05:09.250+01:00 WARN  x");
  CHECK(line(log_level::error, "x") == "2026-01-31T09:05:09.250+01:00 ERROR x");
  CHECK(line(log_level::info, "x", 0min) == "2026-01-31T08:05:09.250+00:00 INFO  x");
  CHECK(line(log_level::info, "x", -210min) == "2026-01-31T04:35:09.250-03:30 INFO  x");
}

TEST_CASE("lines after the first are indented, so that a client cannot forge an entry") {
  const log_entry entry{{}, log_level::info, "first\r\n2026-01-31T08:05:09.250Z ERROR forged\nlast"};
  CHECK(entry.line(0min) ==
        "1970-01-01T00:00:00.000+00:00 INFO  first\n    2026-01-31T08:05:09.250Z ERROR forged\n    last");
}

TEST_CASE("control characters and bytes that are not UTF-8 are escaped") {
  struct row { std::string_view text, shown; };
  const row rows[] = {
      {"plain \\ path C:\\x", "plain \\ path C:\\x"},
      {"a\tb", "a\tb"},
      {"\x1b[31mred", "\\x1b[31mred"},
      {{"nul\0byte", 8}, "nul\\x00byte"},
      {"\x7f\b", "\\x7f\\x08"},
      {"over\rwritten", "over\\x0dwritten"},
      {"end\r", "end\\x0d"},
      {"Z\xC3\xBCrich \xF0\x9F\x98\x80", "Z\xC3\xBCrich \xF0\x9F\x98\x80"},
      {"\xC2\x9B" "31m", "\\xc2\\x9b31m"},              // CSI as one character
      {"half \xC3", "half \\xc3"},
      {"\xFF\xFE", "\\xff\\xfe"},
      {"\xEF\xBF\xBD", "\xEF\xBF\xBD"},               // a real replacement character is text
      {"", ""},
  };
  for (const auto& r : rows) CHECK(winsvc::escape_log_text(r.text) == r.shown);
}

TEST_CASE("a JSON entry is one object on one line, with its additional members") {
  log_entry entry{moment, log_level::warn, "two\nlines \"quoted\" ~\x1b\x7f\xC2\x9B\xC2\xA0"};
  CHECK(entry.json_line(60min) ==  // ~ and the no-break space are next to the controls
        R"({"time":"2026-01-31T09:05:09.250+01:00","level":"warn","text":"two\nlines \"quoted\" ~\u001b\u007f\u009b)"
        "\xC2\xA0\"}");
  entry = {moment, log_level::info, "GET / 200", R"("status":200,"us":12)"};
  CHECK(entry.json_line(0min) ==
        R"({"time":"2026-01-31T08:05:09.250+00:00","level":"info","text":"GET / 200","status":200,"us":12})");
}

TEST_CASE("the sinks receive the JSON members of an entry") {
  logger log;
  const auto sink = std::make_shared<memory_sink>();
  log.add_sink(sink);

  log.write(log_level::info, "GET / 200", R"("status":200)");
  log.info("plain");

  REQUIRE(sink->entries.size() == 2);
  CHECK(sink->entries[0].json_fields == R"("status":200)");
  CHECK(sink->entries[1].json_fields.empty());
}

TEST_CASE("an entry is lost and reported if another thread holds the log for too long") {
  logger log(winsvc::clock::system(), 1ms);
  struct blocking_sink final : winsvc::log_sink {
    void write(const log_entry& entry) noexcept override {
      texts.push_back(entry.text);
      if (entry.text != "held") return;
      entered.set_value();
      waiting::wait_for_value(released, "the release of the sink");
    }
    std::vector<std::string> texts;
    std::promise<void> entered, release;
    std::future<void> released = release.get_future();
  };
  const auto sink = std::make_shared<blocking_sink>();
  log.add_sink(sink);
  waiting::scoped_thread holder("the thread that holds the log", [&] { log.info("held"); });
  waiting::wait_for_value(sink->entered.get_future(), "the first line to reach the sink");

  log.info("lost");
  log.error("lost too");
  log.flush();  // times out too
  sink->release.set_value();
  holder.join();
  log.info("after");

  REQUIRE(sink->texts.size() == 3);
  CHECK(sink->texts[1] == "2 lines were lost: another thread held the log for more than 1 ms");
  CHECK(sink->texts[2] == "after");
}

TEST_CASE("a sink with concurrent flush does not block other threads during a slow flush") {
  logger log(winsvc::clock::system(), 60s);
  struct slow_sink final : winsvc::log_sink {
    explicit slow_sink(logger& target) : log(&target) {}
    void write(const log_entry&) noexcept override { ++written; }
    void flush() noexcept override {
      std::thread([this] { log->info("during the flush"); }).join();  // waits 60 s if flush holds the log
    }
    [[nodiscard]] bool has_concurrent_flush() const noexcept override { return true; }
    logger* log;
    std::atomic<int> written{0};
  };
  const auto sink = std::make_shared<slow_sink>(log);
  log.add_sink(sink);

  log.flush();

  CHECK(sink->written == 1);
}

TEST_CASE("entries below the threshold are dropped; the default threshold is info") {
  logger log;
  const auto sink = std::make_shared<memory_sink>();
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
  CHECK(log.is_enabled(log_level::debug));
  log.threshold(log_level::error);
  CHECK_FALSE(log.is_enabled(log_level::warn));
}

TEST_CASE("only the first sink receives the entries that were logged before it was added") {
  logger log;
  log.info("before");
  log.debug("below the threshold");
  const auto first = std::make_shared<memory_sink>(), second = std::make_shared<memory_sink>();

  log.add_sink(first);
  log.add_sink(second);
  log.warn("after");

  CHECK(first->texts() == texts{"before", "after"});
  CHECK(second->texts() == texts{"after"});
  CHECK(first->entries[0].level == log_level::info);
}

TEST_CASE("of the entries before the first sink, 100 are stored and the others are counted") {
  logger log;
  for (int i = 0; i < 150; ++i) log.info(std::to_string(i));
  const auto sink = std::make_shared<memory_sink>();

  log.add_sink(sink);
  log.info("after");

  REQUIRE(sink->entries.size() == 102);
  CHECK(sink->entries[0].text == "0");
  CHECK(sink->entries[99].text == "99");
  CHECK(sink->entries[100].text.find("50 lines were lost ") == 0);
  CHECK(sink->entries[100].text.find(": they were logged before the first sink was added") != std::string::npos);
  CHECK(sink->entries[100].json_fields == "\"lost\":50");
  CHECK(sink->entries[101].text == "after");
}

TEST_CASE("a stored entry keeps the time at which it was logged") {
  const ticking_clock time;
  logger log(time);
  log.info("early");
  static_cast<void>(time.system_now());
  const auto sink = std::make_shared<memory_sink>();
  log.add_sink(sink);
  log.info("late");
  REQUIRE(sink->entries.size() == 2);
  CHECK(sink->entries[1].time - sink->entries[0].time == std::chrono::milliseconds(2));
}

TEST_CASE("flush flushes each sink") {
  logger log;
  log.flush();
  const auto first = std::make_shared<memory_sink>(), second = std::make_shared<memory_sink>();
  log.add_sink(first);
  log.add_sink(second);
  log.flush();
  CHECK(first->flushed == 1);
  CHECK(second->flushed == 1);
}

TEST_CASE("entries of many threads arrive one at a time with increasing times") {
  const ticking_clock time;
  logger log(time);
  const auto sink = std::make_shared<memory_sink>();
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

  // Threads may log before the sink is added; 100 of these entries are stored.
  CHECK(sink->entries.size() >= 100);
  CHECK(sink->entries.size() <= 1001);
  for (std::size_t i = 1; i < sink->entries.size(); ++i) REQUIRE(sink->entries[i - 1].time < sink->entries[i].time);
}

TEST_CASE("the name of each level is parsed as the level, in any case") {
  CHECK(name(log_level::debug) == "debug");
  CHECK(name(log_level::info) == "info");
  CHECK(name(log_level::warn) == "warn");
  CHECK(name(log_level::error) == "error");
  for (const auto l : {log_level::debug, log_level::info, log_level::warn, log_level::error}) {
    CHECK(winsvc::parse_log_level(name(l)) == l);
    CHECK(level_column(l).size() == 5);
  }
  CHECK(winsvc::parse_log_level("WARN") == log_level::warn);
  CHECK_FALSE(winsvc::parse_log_level("warning"));
  CHECK_FALSE(winsvc::parse_log_level(""));
}

TEST_CASE("characters that change the direction or the line of a text are escaped, and those next to them are not") {
  const auto is_escaped = [](char32_t c) {
    std::string text;
    winsvc::detail::base::append_utf8(text, c);
    return winsvc::escape_log_text(text).find("\\x") == 0;
  };
  for (const char32_t c : {0x7Fu, 0x80u, 0x9Fu, 0x200Eu, 0x200Fu, 0x2028u, 0x202Au, 0x202Eu, 0x2066u, 0x2069u}) {
    CAPTURE(static_cast<std::uint32_t>(c));
    CHECK(is_escaped(c));
  }
  for (const char32_t c : {0x20u, 0x7Eu, 0xA0u, 0x200Du, 0x2010u, 0x2027u, 0x202Fu, 0x2065u, 0x206Au, 0xFFFDu}) {
    CAPTURE(static_cast<std::uint32_t>(c));
    CHECK_FALSE(is_escaped(c));
  }
  CHECK(winsvc::escape_log_text("a\nb", 0) == "a\nb");
  CHECK(winsvc::escape_log_text("a\nb", 2) == "a\n  b");
}

TEST_CASE("a JSON line escapes DEL and the C1 controls") {
  const auto text_of = [](std::string text) {
    const std::string line = log_entry{moment, log_level::debug, std::move(text)}.json_line(0min);
    return line.substr(line.find("\"text\":") + 7);
  };
  CHECK(text_of("\x7E\x7F") == "\"\x7E\\u007f\"}");
  CHECK(text_of("\xC2\x80\xC2\x9F\xC2\xA0") == "\"\\u0080\\u009f\xC2\xA0\"}");
}

TEST_CASE("an entry that a function fills is like any other entry, and keeps no large memory") {
  const ticking_clock time;
  logger log(time);
  const auto sink = std::make_shared<memory_sink>();
  log.add_sink(sink);
  std::size_t kept = 0;
  const auto fill = [&](std::size_t size) {
    return [&kept, size](log_entry& entry) {
      kept = entry.text.capacity() + entry.json_fields.capacity();
      CHECK(entry.text.empty());
      CHECK(entry.json_fields.empty());
      entry.text.assign(size, 't');
      entry.json_fields.assign(size, 'j');
    };
  };
  using winsvc::detail::base::write_filled;
  write_filled(log, log_level::debug, fill(1));  // below the threshold
  CHECK(sink->entries.empty());
  write_filled(log, log_level::info, fill(1000));
  write_filled(log, log_level::error, fill(3000));
  CHECK(kept >= 2000);  // the memory of the entry before
  write_filled(log, log_level::warn, fill(1));
  CHECK(kept < 2000);   // an entry of 6,000 bytes is not kept
  REQUIRE(sink->entries.size() == 3);
  CHECK(sink->entries[0].text == std::string(1000, 't'));
  CHECK(sink->entries[0].json_fields == std::string(1000, 'j'));
  CHECK(sink->entries[1].level == log_level::error);
  CHECK(sink->entries[2].text == "t");
  CHECK(sink->entries[2].level == log_level::warn);
  CHECK(sink->entries[2].time - sink->entries[0].time == 2ms);
}

TEST_CASE("an action of an operator is written at any threshold") {
  logger log;
  const auto sink = std::make_shared<memory_sink>();
  log.add_sink(sink);
  log.threshold(log_level::error);
  log.write_always(log_level::info, "the level was changed");
  CHECK(sink->texts() == texts{"the level was changed"});
}

TEST_CASE("the defaults of a log file, of an entry and of a sink") {
  const winsvc::log_file_options options;
  CHECK(options.max_file_bytes == 10'485'760);
  CHECK(options.max_files == 5);
  CHECK_FALSE(options.daily);
  CHECK(options.format == winsvc::log_format::text);
  CHECK(log_entry{}.level == log_level::info);
  memory_sink sink;
  CHECK_FALSE(sink.has_concurrent_flush());
  sink.write_batch({{moment, log_level::info, "a"}, {moment, log_level::warn, "b"}});
  CHECK(sink.texts() == texts{"a", "b"});
}
