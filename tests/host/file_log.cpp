// The log file: rotated by size and by day, so many kept, robust against what others do to it and to its disk.
#include <winsvc/testing.hpp>

#include <doctest/doctest.h>

#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstdint>
#include <filesystem>
#include <string>
#include <thread>
#include <vector>

#ifdef __linux__
  #include <sys/resource.h>
#endif

using namespace std::chrono_literals;
using winsvc::host::file_log;
namespace fs = std::filesystem;

namespace {

struct folder {
  fs::path path;
  folder() : path(fs::temp_directory_path() / ("winsvc-file-log-" + std::to_string(winsvc::os::process_id()))) {
    fs::remove_all(path);
    fs::create_directories(path);
  }
  ~folder() {
    std::error_code ignored;
    fs::remove_all(path, ignored);
  }
  std::string operator/(const char* name) const { return (path / name).string(); }
  std::string read(const char* name) const { return winsvc::os::read_file(*this / name).value_or("(none)"); }
  int files() const {
    int n = 0;
    for ([[maybe_unused]] const auto& f : fs::directory_iterator(path)) ++n;
    return n;
  }
};

winsvc::log_entry entry(std::string text, std::chrono::minutes when = 0min) {
  return {winsvc::clock::wall_point(when), winsvc::log_level::info, std::move(text)};
}
/// As a line of the file: 36 characters of time and level before the text, a line end after it.
std::string line(const std::string& text) { return "1970-01-01T00:00:00.000+00:00 INFO  " + text + '\n'; }

std::chrono::minutes utc(winsvc::clock::wall_point) { return 0min; }

/// In UTC, wherever the test runs.
struct log_of {
  file_log log;
  log_of(const std::string& path, std::uint64_t bytes = 10'000, int kept = 5, bool daily = false)
      : log(path, {winsvc::log_format::text, bytes, kept, daily}, utc) {}
  void write(const winsvc::log_entry& e) { log.write(e); }
};

/// Trouble is looked at once a second.
void wait_a_breath() { std::this_thread::sleep_for(1100ms); }

}  // namespace

TEST_CASE("lines are appended, also to a file of an earlier run") {
  folder f;
  log_of(f / "hello").write(entry("one"));
  log_of(f / "hello").write(entry("two"));

  CHECK(f.read("hello.log") == line("one") + line("two"));
}

TEST_CASE("a file that would grow over the limit is set aside, five are kept, the newest has no number") {
  folder f;
  log_of log(f / "hello", 90, 5);  // two lines of 41 each

  for (int i = 10; i < 30; ++i) log.write(entry("no" + std::to_string(i)));

  CHECK(f.files() == 5);
  CHECK(f.read("hello.log") == line("no28") + line("no29"));
  CHECK(f.read("hello.1.log") == line("no26") + line("no27"));
  CHECK(f.read("hello.4.log") == line("no20") + line("no21"));
  CHECK(f.read("hello.5.log") == "(none)");
}

TEST_CASE("the size of what an earlier run left counts") {
  folder f;
  log_of(f / "hello").write(entry(std::string(60, 'x')));
  log_of log(f / "hello", 110, 5);

  log.write(entry("next"));

  CHECK(f.read("hello.log") == line("next"));
  CHECK(f.read("hello.1.log") == line(std::string(60, 'x')));
}

TEST_CASE("a line longer than the limit gets a file of its own, whole") {
  folder f;
  log_of log(f / "hello", 90, 3);

  log.write(entry("short"));
  log.write(entry(std::string(500, 'x')));
  log.write(entry("after"));

  CHECK(f.read("hello.2.log") == line("short"));
  CHECK(f.read("hello.1.log") == line(std::string(500, 'x')));
  CHECK(f.read("hello.log") == line("after"));
}

TEST_CASE("with one file kept, the old one goes when it is full") {
  folder f;
  log_of log(f / "hello", 90, 1);

  for (int i = 10; i < 20; ++i) log.write(entry("no" + std::to_string(i)));

  CHECK(f.files() == 1);
  CHECK(f.read("hello.log") == line("no18") + line("no19"));
}

TEST_CASE("a file that was deleted or renamed is made anew, within a second") {
  folder f;
  log_of log(f / "hello");
  log.write(entry("one"));
  fs::rename(f / "hello.log", f / "taken.log");
  log.write(entry("two"));  // where the file is now
  wait_a_breath();
  log.write(entry("three"));
  fs::remove(f / "hello.log");
  wait_a_breath();
  log.write(entry("four"));

  CHECK(f.read("taken.log") == line("one") + line("two"));
  const std::string now = f.read("hello.log");
#ifdef _WIN32  // where a deleted file may keep its name and its lines until whoever has it open closes it
  CHECK(now.substr(now.size() - line("four").size()) == line("four"));
#else
  CHECK(now == line("four"));
#endif
  CHECK(log.log.fault() == 0);
}

TEST_CASE("a folder that is not there is told once, and when it is there the log says what is missing") {
  folder f;
  log_of log(f / "no/such/hello");
  int told = 0;
  log.log.on_trouble([&](std::uint32_t) { ++told; });
  CHECK(log.log.fault() != 0);
  const std::string words = winsvc::os::system_words(log.log.fault());
  log.write(entry("lost"));
  log.write(entry("lost too", 1min));

  fs::create_directories(f / "no/such");
  wait_a_breath();
  log.write(entry("found"));

  CHECK(log.log.fault() == 0);
  CHECK(told == 0);  // it was so from the beginning, and whoever made it has asked
  CHECK(f.read("no/such/hello.log") ==
        "1970-01-01T00:00:00.000+00:00 WARN  2 lines of the log could not be written since "
        "1970-01-01T00:00:00.000+00:00: " + words + '\n' + line("found"));
}

#ifdef __linux__
TEST_CASE("on a full disk the log goes on counting, and says so when there is room") {
  folder f;
  fs::create_symlink("/dev/full", f / "hello.log");
  log_of log(f / "hello");
  std::vector<std::uint32_t> told;
  log.log.on_trouble([&](std::uint32_t code) { told.push_back(code); });

  for (int i = 0; i < 3; ++i) log.write(entry("lost"));
  wait_a_breath();
  log.write(entry("lost"));
  CHECK(told == std::vector<std::uint32_t>{ENOSPC});  // once, however long it lasts
  CHECK(log.log.fault() == ENOSPC);
  fs::remove(f / "hello.log");
  wait_a_breath();
  log.write(entry("found"));
  log.write(entry("more"));

  const std::string log_text = f.read("hello.log");
  CHECK(log_text.find("4 lines of the log could not be written since 1970-01-01T00:00:00.000+00:00: No space left") !=
        std::string::npos);
  CHECK(log_text.find(line("found") + line("more")) != std::string::npos);
  CHECK(told.size() == 1);
}

TEST_CASE("a line that was written in part does not swallow the next") {
  folder f;
  const std::string path = f / "hello.log";
  log_of log(f / "hello");
  log.write(entry("one"));
  rlimit before{};
  REQUIRE(::getrlimit(RLIMIT_FSIZE, &before) == 0);
  const auto quiet = std::signal(SIGXFSZ, SIG_IGN);
  rlimit less = before;
  less.rlim_cur = 60;  // the second line ends in its middle
  ::setrlimit(RLIMIT_FSIZE, &less);
  log.write(entry("a line that has no room"));
  ::setrlimit(RLIMIT_FSIZE, &before);
  std::signal(SIGXFSZ, quiet);
  CHECK(log.log.fault() == EFBIG);
  wait_a_breath();
  log.write(entry("three"));

  const std::string text = f.read("hello.log");
  CHECK(text.find(line("one")) == 0);
  CHECK(text.find("\n1970-01-01T00:00:00.000+00:00 WARN  1 lines") == 60);
  CHECK(text.find('\n' + line("three")) != std::string::npos);
}
#endif

TEST_CASE("by day: what was written on another is set aside, also when that was in an earlier run") {
  folder f;
  log_of log(f / "hello", 10'000, 5, true);
  log.write(entry("first day", 1439min));
  log.write(entry("second day", 1440min));
  log.write(entry("still the second", 1441min));
  CHECK(f.read("hello.1.log").find("first day") != std::string::npos);
  CHECK(f.read("hello.log").find("still the second") != std::string::npos);

  // The file was written just now, by the machine's clock, and this entry is of 1970.
  log_of later(f / "hello", 10'000, 5, true);
  later.write(entry("another run", 1442min));
  CHECK(f.read("hello.log").find("second") == std::string::npos);
  CHECK(f.read("hello.2.log").find("first day") != std::string::npos);
}

TEST_CASE("the day is that of the place, and so is the time") {
  folder f;
  file_log log(f / "hello", {winsvc::log_format::text, 10'000, 5, true}, [](winsvc::clock::wall_point) { return 120min; });
  log.write(entry("today", 1319min));
  log.write(entry("tomorrow", 1320min));
  CHECK(f.read("hello.1.log") == "1970-01-01T23:59:00.000+02:00 INFO  today\n");
  CHECK(f.read("hello.log") == "1970-01-02T00:00:00.000+02:00 INFO  tomorrow\n");
}

TEST_CASE("as JSON, a line is an object") {
  folder f;
  file_log log(f / "hello", {winsvc::log_format::json, 10'000, 5, false}, utc);
  log.write({{}, winsvc::log_level::warn, "a \"b\"\nc", "\"status\":200"});
  CHECK(f.read("hello.log") ==
        "{\"time\":\"1970-01-01T00:00:00.000+00:00\",\"level\":\"warn\",\"text\":\"a \\\"b\\\"\\nc\",\"status\":200}\n");
}

TEST_CASE("many at once are written at once, and rotated where one alone would be") {
  folder f;
  log_of log(f / "hello", 90, 5);
  log.log.write_all({entry("no10"), entry("no11"), entry("no12"), entry("no13"), entry("no14")});
  CHECK(f.read("hello.2.log") == line("no10") + line("no11"));
  CHECK(f.read("hello.1.log") == line("no12") + line("no13"));
  CHECK(f.read("hello.log") == line("no14"));
}

TEST_CASE("a line break in a text does not look like the begin of an entry") {
  folder f;
  log_of log(f / "hello");

  log.write(entry("one\r\n1970-01-01T00:00:00.000Z ERROR forged"));

  CHECK(f.read("hello.log") == line("one\n    1970-01-01T00:00:00.000Z ERROR forged"));
}
