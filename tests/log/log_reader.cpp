// Reading a log: the newest lines, those that matter, across its files, and while it grows.
#include "winsvc/log/rotating_file_sink.hpp"
#include "winsvc/log/log_reader.hpp"

#include <doctest/doctest.h>

#include <chrono>
#include <filesystem>
#include <fstream>
#include <functional>
#include <string>
#include <utility>
#include <vector>

using winsvc::log_level;
using winsvc::host::follow_log;
using winsvc::host::print_log;
using winsvc::model::log_query;
using namespace std::chrono_literals;
namespace fs = std::filesystem;

namespace {

struct folder {
  fs::path path;
  folder() : path(fs::temp_directory_path() / ("winsvc-logs-" + std::to_string(winsvc::os::process_id()))) {
    fs::remove_all(path);
    fs::create_directories(path);
  }
  ~folder() {
    std::error_code ignored;
    fs::remove_all(path, ignored);
  }
  std::string operator/(const char* name) const { return (path / name).string(); }
  void append(const char* name, const std::string& text) const {
    std::ofstream(path / name, std::ios::binary | std::ios::app) << text;
  }
};

winsvc::clock::system_time at(std::chrono::seconds since_1970) {
  return winsvc::clock::system_time(std::chrono::duration_cast<winsvc::clock::system_time::duration>(since_1970));
}
std::string line(std::chrono::seconds when, const std::string& text, log_level level = log_level::info) {
  return winsvc::log_entry{at(when), level, text}.line(60min) + '\n';
}
std::string printed(const folder& f, const log_query& query = {}, std::size_t* entries = nullptr) {
  std::string all;
  const auto count = print_log(f / "hello", query, [&](std::string_view s) { all += s; });
  if (entries) *entries = count;
  return all;
}
log_query last(std::size_t n) {
  log_query query;
  query.max_entries = n;
  return query;
}

/// A clock whose sleeps are the steps of a story; the story's end is the follower's.
class story final : public winsvc::clock {
 public:
  explicit story(std::vector<std::function<void()>> steps) : steps_(std::move(steps)) {}
  void sleep(duration d) override {
    CHECK(d == 250ms);
    steps_[at_++]();
  }
  [[nodiscard]] bool goes_on() const { return at_ < steps_.size(); }

 private:
  std::vector<std::function<void()>> steps_;
  std::size_t at_ = 0;
};
std::string followed(const folder& f, std::vector<std::function<void()>> steps, const log_query& query = {}) {
  std::string all;
  story time(std::move(steps));
  follow_log(f / "hello", query, [&](std::string_view s) { all += s; }, [&] { return time.goes_on(); }, time);
  return all;
}

}  // namespace

TEST_CASE("a log that is not there has no lines") {
  const folder f;
  CHECK(printed(f).empty());
  CHECK(printed(f, last(20)).empty());
}

TEST_CASE("all files of a log are shown, the oldest first, and what is no entry stands where it was") {
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

  CHECK(printed(f, last(0)).empty());
  CHECK(printed(f, last(1)) == line(3s, "three"));
  CHECK(printed(f, last(2)) == line(2s, "two\nwith more") + line(3s, "three"));
  CHECK(printed(f, last(3)) == line(1s, "one") + line(2s, "two\nwith more") + line(3s, "three"));
  CHECK(printed(f, last(4)) == printed(f));
}

TEST_CASE("levels and times are asked for before the last are counted, and lines of a text go with their entry") {
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
  query.since = at(4s);
  CHECK(printed(f, query) == line(5s, "w5", log_level::warn));
  query.since = at(7s);
  CHECK(printed(f, query).empty());
  query = {};
  query.since = at(4s);
  CHECK(printed(f, query) == line(4s, "i4") + line(5s, "w5", log_level::warn) + line(6s, "i6"));
}

TEST_CASE("a log of objects is read as one of lines is, and one of both as well") {
  const folder f;
  const std::string object = winsvc::log_entry{at(1s), log_level::warn, "w1\nmore"}.json_line(0min) + '\n';
  f.append("hello.log", object + line(2s, "i2"));
  log_query query;
  query.min_level = log_level::warn;

  CHECK(printed(f, query) == object);
}

TEST_CASE("where a piece of the file begins makes no difference") {
  const folder f;
  std::vector<std::string> lines;
  std::string all;
  for (int i = 0; i < 3000; ++i) {
    const std::string text(static_cast<std::size_t>(i * 7 % 120), 'x');
    lines.push_back(line(std::chrono::seconds(i), text + std::to_string(i)));
    all += lines.back();
  }
  lines.push_back(line(3000s, std::string(200'000, 'y')));  // longer than several pieces
  f.append("hello.log", all + lines.back());

  std::string expected;
  std::size_t wrong = 0;
  for (std::size_t n = 1; n <= lines.size(); ++n) {
    expected.insert(0, lines[lines.size() - n]);
    if (n % 37 == 1 && printed(f, last(n)) != expected) ++wrong;
  }
  CHECK(wrong == 0);
}

TEST_CASE("who follows sees what is appended, in whole lines") {
  const folder f;
  f.append("hello.log", line(1s, "one") + line(2s, "two"));
  const std::string three = line(3s, "three");

  CHECK(followed(f, {[] {}, [&] { f.append("hello.log", three.substr(0, 10)); },
                     [&] { f.append("hello.log", three.substr(10)); },
                     [&] { f.append("hello.log", line(4s, "four")); }},
                 last(1)) == line(2s, "two") + three + line(4s, "four"));
}

TEST_CASE("who follows sees what is wanted, and no line of what is not") {
  const folder f;
  f.append("hello.log", line(1s, "old", log_level::error));
  log_query query;
  query.min_level = log_level::warn;
  query.max_entries = 0;

  CHECK(followed(f, {[&] { f.append("hello.log", line(2s, "info\nmore")); },
                     [&] { f.append("hello.log", line(3s, "warn\nmore", log_level::warn)); }}, query) ==
        line(3s, "warn\nmore", log_level::warn));
}

TEST_CASE("who follows goes over to the next file, and misses none when there were several") {
  const folder f;
  std::string text;
  const winsvc::host::rotating_file_sink::offset_of utc = [](winsvc::clock::system_time) { return 60min; };
  winsvc::host::rotating_file_sink log(f / "hello", {100, 6}, winsvc::clock::system(), utc);
  const auto write = [&](int count) {
    for (static int i = 0; count > 0; --count, ++i) {
      const winsvc::log_entry entry{at(std::chrono::seconds(i)), log_level::info, std::to_string(i)};
      text += entry.line(60min) + '\n';
      log.write(entry);
    }
  };
  write(1);

  const std::string seen = followed(f, {[&] { write(1); }, [&] { write(1); }, [&] { write(5); }, [&] { write(3); }});

  CHECK(fs::exists(f / "hello.4.log"));
  CHECK(seen == text);
}

TEST_CASE("who follows waits for a file, and goes on when it was deleted or emptied") {
  const folder f;
  const auto spoil = [&] { std::ofstream(f.path / "hello.log", std::ios::trunc); };

  CHECK(followed(f, {[] {}, [&] { f.append("hello.log", line(1s, "one")); }, [&] { fs::remove(f.path / "hello.log"); },
                     [&] { f.append("hello.log", line(2s, "two")); }, [&] { spoil(); },
                     [&] { f.append("hello.log", line(3s, "three")); }}) ==
        line(1s, "one") + line(2s, "two") + line(3s, "three"));
}

TEST_CASE("what was set aside and has no number yet is shown between the newest and the others") {
  const folder f;
  f.append("hello.1.log", line(1s, "one"));
  f.append("hello.aside.log", line(2s, "two"));
  f.append("hello.log", line(3s, "three"));
  CHECK(printed(f) == line(1s, "one") + line(2s, "two") + line(3s, "three"));
}

TEST_CASE("who follows a log whose file was rotated out meanwhile sees what there still is") {
  const folder f;
  f.append("hello.log", line(1s, "one"));
  const auto many = [&] {
    fs::rename(f.path / "hello.log", f.path / "gone.log");
    f.append("hello.1.log", line(8s, "eight"));
    f.append("hello.log", line(9s, "nine"));
  };
  CHECK(followed(f, {[] {}, many, [] {}}) == line(1s, "one") + line(8s, "eight") + line(9s, "nine"));
}
