// `logs`: the last entries, filters, rotated files, and following a log that grows.
#include "winsvc/log/rotating_file_sink.hpp"
#include "winsvc/log/log_reader.hpp"

#include "log_folder.hpp"

#include <doctest/doctest.h>

#include <chrono>
#include <filesystem>
#include <fstream>
#include <functional>
#include <string>
#include <utility>
#include <vector>

using log_test::folder;
using winsvc::log_level;
using winsvc::detail::log::follow_log;
using winsvc::detail::log::print_log;
using winsvc::detail::log::log_query;
using namespace std::chrono_literals;
namespace fs = std::filesystem;

namespace {

winsvc::clock::system_time time_at(std::chrono::seconds since_1970) {
  return winsvc::clock::system_time(std::chrono::duration_cast<winsvc::clock::system_time::duration>(since_1970));
}
std::string line(std::chrono::seconds time, const std::string& text, log_level level = log_level::info) {
  return winsvc::log_entry{time_at(time), level, text}.line(60min) + '\n';
}
std::string printed(const folder& data, const log_query& query = {}, std::size_t* entries = nullptr) {
  std::string text;
  const auto count = print_log(data / "hello", query, [&](std::string_view lines) { text += lines; });
  if (entries) *entries = count;
  return text;
}
log_query last_entries(std::size_t count) {
  log_query query;
  query.max_entries = count;
  return query;
}

/// A clock whose sleeps run the steps of a test. The log is followed until the last step has run.
class step_clock final : public winsvc::clock {
 public:
  explicit step_clock(std::vector<std::function<void()>> steps) : steps_(std::move(steps)) {}
  void sleep(duration d) override {
    CHECK(d == 250ms);
    steps_[next_++]();
  }
  [[nodiscard]] bool has_steps() const { return next_ < steps_.size(); }

 private:
  std::vector<std::function<void()>> steps_;
  std::size_t next_ = 0;
};
std::string followed(const folder& data, std::vector<std::function<void()>> steps, const log_query& query = {}) {
  std::string text;
  step_clock time(std::move(steps));
  follow_log(
      data / "hello", query, [&](std::string_view lines) { text += lines; }, [&] { return time.has_steps(); }, time);
  return text;
}

}  // namespace

TEST_CASE("a missing log has no lines") {
  const folder f;
  CHECK(printed(f).empty());
  CHECK(printed(f, last_entries(20)).empty());
}

TEST_CASE("all files of a log are shown, oldest first, with the lines that are not entries") {
  const folder f;
  f.append("hello.2.log", "by hand\n" + line(1s, "one"));
  f.append("hello.1.log", line(2s, "two\nwith more"));
  f.append("hello.log", line(3s, "three") + "half");
  f.append("hello.x.log", "another log");
  std::size_t entries = 0;

  CHECK(printed(f, {}, &entries) ==
        "by hand\n" + line(1s, "one") + line(2s, "two\nwith more") + line(3s, "three") + "half\n");
  CHECK(entries == 3);
}

TEST_CASE("the last entries are counted across files, with all their lines") {
  const folder f;
  f.append("hello.1.log", line(1s, "one") + line(2s, "two\nwith more"));
  f.append("hello.log", line(3s, "three"));

  CHECK(printed(f, last_entries(0)).empty());
  CHECK(printed(f, last_entries(1)) == line(3s, "three"));
  CHECK(printed(f, last_entries(2)) == line(2s, "two\nwith more") + line(3s, "three"));
  CHECK(printed(f, last_entries(3)) == line(1s, "one") + line(2s, "two\nwith more") + line(3s, "three"));
  CHECK(printed(f, last_entries(4)) == printed(f));
}

TEST_CASE("level and time filters apply before the entries are counted; continuation lines stay with their entry") {
  const folder f;
  f.append("hello.1.log",
           line(1s, "w1\nmore", log_level::warn) + line(2s, "i2\nmore") + line(3s, "e3", log_level::error));
  f.append("hello.log", line(4s, "i4") + line(5s, "w5", log_level::warn) + line(6s, "i6"));
  log_query query;
  query.min_level = log_level::warn;
  CHECK(printed(f, query) ==
        line(1s, "w1\nmore", log_level::warn) + line(3s, "e3", log_level::error) + line(5s, "w5", log_level::warn));
  query.max_entries = 2;
  CHECK(printed(f, query) == line(3s, "e3", log_level::error) + line(5s, "w5", log_level::warn));
  query.since = time_at(4s);
  CHECK(printed(f, query) == line(5s, "w5", log_level::warn));
  query.since = time_at(7s);
  CHECK(printed(f, query).empty());
  query = {};
  query.since = time_at(4s);
  CHECK(printed(f, query) == line(4s, "i4") + line(5s, "w5", log_level::warn) + line(6s, "i6"));
}

TEST_CASE("text and JSON entries are read, also in one file") {
  const folder f;
  const std::string object = winsvc::log_entry{time_at(1s), log_level::warn, "w1\nmore"}.json_line(0min) + '\n';
  f.append("hello.log", object + line(2s, "i2"));
  log_query query;
  query.min_level = log_level::warn;

  CHECK(printed(f, query) == object);
}

TEST_CASE("the chunk size of the search does not change the result") {
  const folder f;
  std::vector<std::string> lines;
  std::string text;
  for (int i = 0; i < 3000; ++i) {
    const std::string padding(static_cast<std::size_t>(i * 7 % 120), 'x');
    lines.push_back(line(std::chrono::seconds(i), padding + std::to_string(i)));
    text += lines.back();
  }
  lines.push_back(line(3000s, std::string(200'000, 'y')));  // longer than several chunks
  f.append("hello.log", text + lines.back());

  std::string expected;
  std::size_t mismatches = 0;
  for (std::size_t n = 1; n <= lines.size(); ++n) {
    expected.insert(0, lines[lines.size() - n]);
    if (n % 37 == 1 && printed(f, last_entries(n)) != expected) ++mismatches;
  }
  CHECK(mismatches == 0);
}

TEST_CASE("a follower receives appended entries as complete lines") {
  const folder f;
  f.append("hello.log", line(1s, "one") + line(2s, "two"));
  const std::string three = line(3s, "three");

  CHECK(followed(f, {[] {}, [&] { f.append("hello.log", three.substr(0, 10)); },
                     [&] { f.append("hello.log", three.substr(10)); },
                     [&] { f.append("hello.log", line(4s, "four")); }},
                 last_entries(1)) == line(2s, "two") + three + line(4s, "four"));
}

TEST_CASE("a follower receives only entries that match") {
  const folder f;
  f.append("hello.log", line(1s, "old", log_level::error));
  log_query query;
  query.min_level = log_level::warn;
  query.max_entries = 0;

  CHECK(followed(f, {[&] { f.append("hello.log", line(2s, "info\nmore")); },
                     [&] { f.append("hello.log", line(3s, "warn\nmore", log_level::warn)); }}, query) ==
        line(3s, "warn\nmore", log_level::warn));
}

TEST_CASE("a follower continues after rotations and misses no file") {
  const folder f;
  std::string text;
  const winsvc::detail::log::local_days::offset_function utc = [](winsvc::clock::system_time) { return 60min; };
  winsvc::detail::log::rotating_file_sink log(f / "hello", {100, 6}, winsvc::clock::system(), utc);
  const auto write = [&](int count) {
    for (static int i = 0; count > 0; --count, ++i) {
      const winsvc::log_entry entry{time_at(std::chrono::seconds(i)), log_level::info, std::to_string(i)};
      text += entry.line(60min) + '\n';
      log.write(entry);
    }
  };
  write(1);

  const std::string result = followed(f, {[&] { write(1); }, [&] { write(1); }, [&] { write(5); }, [&] { write(3); }});

  CHECK(fs::exists(f / "hello.4.log"));
  CHECK(result == text);
}

TEST_CASE("a follower waits for a file, and continues after it was deleted or truncated") {
  const folder f;
  const auto truncate = [&] { std::ofstream(f.path / "hello.log", std::ios::trunc); };

  CHECK(followed(f, {[] {}, [&] { f.append("hello.log", line(1s, "one")); }, [&] { fs::remove(f.path / "hello.log"); },
                     [&] { f.append("hello.log", line(2s, "two")); }, [&] { truncate(); },
                     [&] { f.append("hello.log", line(3s, "three")); }}) ==
        line(1s, "one") + line(2s, "two") + line(3s, "three"));
}

TEST_CASE("a pending rotation is shown between the newest file and the numbered files") {
  const folder f;
  f.append("hello.1.log", line(1s, "one"));
  f.append("hello.pending.log", line(2s, "two"));
  f.append("hello.log", line(3s, "three"));
  CHECK(printed(f) == line(1s, "one") + line(2s, "two") + line(3s, "three"));
}

TEST_CASE("if the current file of a follower was rotated out, the remaining files are shown") {
  const folder f;
  f.append("hello.log", line(1s, "one"));
  const auto rotate_out = [&] {
    fs::rename(f.path / "hello.log", f.path / "removed.log");
    f.append("hello.1.log", line(8s, "eight"));
    f.append("hello.log", line(9s, "nine"));
  };
  CHECK(followed(f, {[] {}, rotate_out, [] {}}) == line(1s, "one") + line(8s, "eight") + line(9s, "nine"));
}
