// The log file: rotated by size, so many kept, robust against what others do to it.
#include <winsvc/testing.hpp>

#include <doctest/doctest.h>

#include <filesystem>
#include <string>

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

winsvc::log_entry entry(std::string text) { return {{}, winsvc::log_level::info, std::move(text)}; }
/// As a line of the file: 31 characters of time and level before the text, a line end after it.
std::string line(const std::string& text) { return "1970-01-01T00:00:00.000Z INFO  " + text + '\n'; }

}  // namespace

TEST_CASE("lines are appended, also to a file of an earlier run") {
  folder f;
  { file_log(f / "hello").write(entry("one")); }
  { file_log(f / "hello").write(entry("two")); }

  CHECK(f.read("hello.log") == line("one") + line("two"));
}

TEST_CASE("a file that would grow over the limit is set aside, five are kept, the newest has no number") {
  folder f;
  file_log log(f / "hello", {80, 5});  // two lines of 36 each

  for (int i = 10; i < 30; ++i) log.write(entry("no" + std::to_string(i)));

  CHECK(f.files() == 5);
  CHECK(f.read("hello.log") == line("no28") + line("no29"));
  CHECK(f.read("hello.1.log") == line("no26") + line("no27"));
  CHECK(f.read("hello.4.log") == line("no20") + line("no21"));
  CHECK(f.read("hello.5.log") == "(none)");
}

TEST_CASE("the size of what an earlier run left counts") {
  folder f;
  { file_log(f / "hello").write(entry(std::string(60, 'x'))); }
  file_log log(f / "hello", {100, 5});

  log.write(entry("next"));

  CHECK(f.read("hello.log") == line("next"));
  CHECK(f.read("hello.1.log") == line(std::string(60, 'x')));
}

TEST_CASE("a line longer than the limit gets a file of its own, whole") {
  folder f;
  file_log log(f / "hello", {80, 3});

  log.write(entry("short"));
  log.write(entry(std::string(500, 'x')));
  log.write(entry("after"));

  CHECK(f.read("hello.2.log") == line("short"));
  CHECK(f.read("hello.1.log") == line(std::string(500, 'x')));
  CHECK(f.read("hello.log") == line("after"));
}

TEST_CASE("with one file kept, the old one goes when it is full") {
  folder f;
  file_log log(f / "hello", {80, 1});

  for (int i = 10; i < 20; ++i) log.write(entry("no" + std::to_string(i)));

  CHECK(f.files() == 1);
  CHECK(f.read("hello.log") == line("no18") + line("no19"));
}

TEST_CASE("a file that others renamed or deleted is no trouble, and the next rotation makes a new one") {
  folder f;
  file_log log(f / "hello", {80, 5});
  log.write(entry("one"));
  fs::rename(f / "hello.log", f / "taken.log");

  log.write(entry("two"));
  log.write(entry("three"));

  CHECK(f.read("taken.log").find(line("one")) == 0);
  CHECK(f.read("hello.log") == line("three"));
}

TEST_CASE("a folder that is not there makes a log that says why and takes every line in silence") {
  folder f;
  file_log log(f / "no/such/hello");

  CHECK(!log.is_open());
  CHECK(log.fault() != 0);
  log.write(entry("lost"));

  fs::create_directories(f / "no/such");
  log.write(entry("found"));
  CHECK(log.is_open());
  CHECK(f.read("no/such/hello.log") == line("found"));
}

TEST_CASE("a line break in a text does not look like the begin of an entry") {
  folder f;
  file_log log(f / "hello");

  log.write(entry("one\r\n1970-01-01T00:00:00.000Z ERROR forged"));

  CHECK(f.read("hello.log") == line("one\n    1970-01-01T00:00:00.000Z ERROR forged"));
}
