// The log file: rotated by size, so many kept, robust against what others do to it.
#include "winsvc/log/rotating_file_sink.hpp"

#include <doctest/doctest.h>

#include <cerrno>
#include <chrono>
#include <filesystem>
#include <fstream>
#include <string>
#include <utility>
#include <vector>
#if !defined(_WIN32)
  #include <csignal>
  #include <sys/resource.h>
  #include <unistd.h>
#endif

using winsvc::log_format;
using winsvc::log_level;
using winsvc::host::rotating_file_sink;
using winsvc::log_file_options;
using namespace std::chrono_literals;
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

class manual final : public winsvc::clock {
 public:
  [[nodiscard]] time_point now() const noexcept override { return now_; }
  void sleep(duration d) override { now_ += d; }

 private:
  time_point now_{1h};
};

constexpr std::chrono::minutes utc(winsvc::clock::system_time) { return 0min; }

/// By day as well.
log_file_options daily(log_format format = log_format::text) {
  log_file_options options;
  options.daily = true;
  options.format = format;
  return options;
}

/// A log whose walls show UTC.
struct quiet {
  manual time;
  rotating_file_sink log;
  explicit quiet(std::string path, const log_file_options& options = {}) : log(std::move(path), options, time, &utc) {}
  void write(const winsvc::log_entry& e) { log.write(e); }
};

winsvc::clock::system_time at(std::chrono::seconds since_1970) {
  return winsvc::clock::system_time(std::chrono::duration_cast<winsvc::clock::system_time::duration>(since_1970));
}
winsvc::log_entry entry(std::string text, std::chrono::seconds when = 0s) {
  return {at(when), log_level::info, std::move(text)};
}
/// As a line of the file: 36 characters of time and level before the text, a line end after it.
std::string line(const std::string& text) { return "1970-01-01T00:00:00.000+00:00 INFO  " + text + '\n'; }
/// What a log says of itself.
std::string said(const std::string& text, const std::string& level = "WARN ") {
  return "1970-01-01T00:00:00.000+00:00 " + level + ' ' + text + '\n';
}
const std::string renewed = said("the log file was moved or deleted by somebody else: this one is new", "INFO ");

}  // namespace

TEST_CASE("lines are appended, also to a file of an earlier run") {
  folder f;
  { quiet(f / "hello").write(entry("one")); }
  { quiet(f / "hello").write(entry("two")); }

  CHECK(f.read("hello.log") == line("one") + line("two"));
}

TEST_CASE("a file that would grow over the limit is set aside, five are kept, the newest has no number") {
  folder f;
  quiet log(f / "hello", {90, 5});  // two lines of 41 each

  for (int i = 10; i < 30; ++i) log.write(entry("no" + std::to_string(i)));

  CHECK(f.files() == 5);
  CHECK(f.read("hello.log") == line("no28") + line("no29"));
  CHECK(f.read("hello.1.log") == line("no26") + line("no27"));
  CHECK(f.read("hello.4.log") == line("no20") + line("no21"));
  CHECK(f.read("hello.5.log") == "(none)");
}

TEST_CASE("the size of what an earlier run left counts") {
  folder f;
  { quiet(f / "hello").write(entry(std::string(60, 'x'))); }
  quiet log(f / "hello", {100, 5});

  log.write(entry("next"));

  CHECK(f.read("hello.log") == line("next"));
  CHECK(f.read("hello.1.log") == line(std::string(60, 'x')));
}

TEST_CASE("a line longer than the limit gets a file of its own, whole") {
  folder f;
  quiet log(f / "hello", {90, 3});

  log.write(entry("short"));
  log.write(entry(std::string(500, 'x')));
  log.write(entry("after"));

  CHECK(f.read("hello.2.log") == line("short"));
  CHECK(f.read("hello.1.log") == line(std::string(500, 'x')));
  CHECK(f.read("hello.log") == line("after"));
}

TEST_CASE("with one file kept, the old one goes when it is full") {
  folder f;
  quiet log(f / "hello", {90, 1});

  for (int i = 10; i < 20; ++i) log.write(entry("no" + std::to_string(i)));

  CHECK(f.files() == 1);
  CHECK(f.read("hello.log") == line("no18") + line("no19"));
}

TEST_CASE("a file that others renamed or deleted is no trouble, and the next rotation makes a new one") {
  folder f;
  quiet log(f / "hello", {90, 5});
  log.write(entry("one"));
  fs::rename(f / "hello.log", f / "taken.log");

  log.write(entry("two"));
  log.write(entry("three"));

  CHECK(f.read("taken.log").find(line("one")) == 0);
  CHECK(f.read("hello.log") == renewed + line("three"));
}

TEST_CASE("a file that somebody moved or deleted is missed within a second, and made anew") {
  folder f;
  quiet log(f / "hello");
  log.write(entry("one"));
  fs::rename(f / "hello.log", f / "taken.log");

  log.write(entry("two"));
  log.time.sleep(1s);
  log.write(entry("three"));
  CHECK(f.read("taken.log") == line("one") + line("two"));
  CHECK(f.read("hello.log") == renewed + line("three"));

#if !defined(_WIN32)  // Wine leaves a deleted file its name while it is open, and it can be opened by that
  fs::remove(f / "hello.log");
  log.time.sleep(1s);
  log.write(entry("four"));
  log.write(entry("five"));
  CHECK(f.read("hello.log") == renewed + line("four") + line("five"));
#endif
  CHECK(log.log.last_error() == 0);
}

TEST_CASE("a folder that is not there is a fault, and when it is there the log says what is missing") {
  folder f;
  quiet log(f / "no/such/hello");
  CHECK_FALSE(log.log.is_open());
  const auto code = log.log.last_error();
  CHECK(code != 0);
  log.write(entry("lost"));
  log.write(entry("lost"));

  fs::create_directories(f / "no/such");
  log.write(entry("lost, because it is tried once a second and no more"));
  log.time.sleep(1s);
  log.write(entry("found"));

  CHECK(log.log.is_open());
  CHECK(log.log.lost_count() == 3);
  CHECK(f.read("no/such/hello.log") == said("3 lines could not be written since 1970-01-01T00:00:00.000+00:00: " +
                                            winsvc::os::system_error_message(code)) + line("found"));
}

TEST_CASE("a line break in a text does not look like the begin of an entry") {
  folder f;
  quiet log(f / "hello");

  log.write(entry("one\r\n1970-01-01T00:00:00.000Z ERROR forged"));

  CHECK(f.read("hello.log") == line("one\n    1970-01-01T00:00:00.000Z ERROR forged"));
}

TEST_CASE("for machines, every line is an object") {
  folder f;
  quiet log(f / "hello", daily(log_format::json));

  log.write({at(0s), log_level::error, "two\nlines", R"("status":500)"});

  CHECK(f.read("hello.log") ==
        R"({"time":"1970-01-01T00:00:00.000+00:00","level":"error","text":"two\nlines","status":500})" "\n");
}

TEST_CASE("with the first line of another day the file of the last one is set aside") {
  folder f;
  quiet log(f / "hello", daily());

  log.log.write_batch({entry("late", 24h - 1s), entry("early", 24h), entry("noon", 36h)});
  log.write(entry("day after", 72h));

  CHECK(f.read("hello.2.log") == "1970-01-01T23:59:59.000+00:00 INFO  late\n");
  CHECK(f.read("hello.1.log") ==
        "1970-01-02T00:00:00.000+00:00 INFO  early\n1970-01-02T12:00:00.000+00:00 INFO  noon\n");
  CHECK(f.read("hello.log") == "1970-01-04T00:00:00.000+00:00 INFO  day after\n");
}

TEST_CASE("a day begins at midnight of the clock on the wall, also when it goes back an hour") {
  folder f;
  const manual time;
  const auto wall = [](winsvc::clock::system_time moment) { return moment < at(20h) ? 120min : 60min; };
  rotating_file_sink log(f / "hello", daily(), time, wall);

  log.write_batch({entry("before", 19h), entry("after", 22h), entry("midnight", 23h)});

  CHECK(f.read("hello.1.log") ==
        "1970-01-01T21:00:00.000+02:00 INFO  before\n1970-01-01T23:00:00.000+01:00 INFO  after\n");
  CHECK(f.read("hello.log") == "1970-01-02T00:00:00.000+01:00 INFO  midnight\n");
}

TEST_CASE("a file of an earlier run has the day of its first line, in either format") {
  for (const auto format : {log_format::text, log_format::json}) {
    folder f;
    quiet(f / "hello", daily(format)).write(entry("yesterday"));
    quiet(f / "hello", daily(format)).write(entry("today", 24h));
    quiet(f / "hello", daily(format)).write(entry("today too", 25h));

    CHECK(f.files() == 2);
    CHECK(f.read("hello.1.log").find("yesterday") != std::string::npos);
    CHECK(f.read("hello.log").find("today too") != std::string::npos);
  }
}

TEST_CASE("a file whose first line tells no time has the day on which it was last written to") {
  folder f;
  std::ofstream(f / "hello.log", std::ios::binary) << "by hand\n";

  quiet(f / "hello", daily()).write(entry("1970"));

  CHECK(f.read("hello.1.log") == "by hand\n");
  CHECK(f.read("hello.log") == line("1970"));
}

TEST_CASE("who does not ask for a file a day gets none") {
  folder f;
  quiet log(f / "hello");

  log.write(entry("one"));
  log.write(entry("two", 48h));

  CHECK(f.files() == 1);
}

TEST_CASE("files of a time when more were kept go, and one that a run left half set aside gets its name") {
  folder f;
  for (const char* name :
       {"hello.aside.log", "hello.1.log", "hello.2.log", "hello.3.log", "hello.4.log", "hello.x.log"})
    std::ofstream(f / name, std::ios::binary) << name;

  quiet log(f / "hello", {90, 3});

  CHECK(f.read("hello.1.log") == "hello.aside.log");
  CHECK(f.read("hello.2.log") == "hello.1.log");
  CHECK(f.files() == 4);  // with the new one, and what is none of ours
}

TEST_CASE("where a name is free, the older files keep theirs") {
  folder f;
  for (const char* name : {"hello.1.log", "hello.3.log"}) std::ofstream(f / name, std::ios::binary) << name;
  quiet log(f / "hello", {90, 4});
  for (const char* text : {"one", "two", "three"}) log.write(entry(text));

  CHECK(f.read("hello.1.log") == line("one") + line("two"));
  CHECK(f.read("hello.2.log") == "hello.1.log");
  CHECK(f.read("hello.3.log") == "hello.3.log");
}

TEST_CASE("half a line that an earlier run left is ended before the next one begins") {
  folder f;
  std::ofstream(f / "hello.log", std::ios::binary) << line("one") << "1970-01-01T00:00:00.000+00:00 INFO  ha";

  quiet(f / "hello").write(entry("two"));

  CHECK(f.read("hello.log") == line("one") + "1970-01-01T00:00:00.000+00:00 INFO  ha\n" + line("two"));
}

TEST_CASE("a batch is written as its lines are one by one, whatever its length") {
  folder f;
  std::vector<winsvc::log_entry> batch;
  std::string text;
  for (int i = 0; i < 3000; ++i) {
    batch.push_back(entry(std::string(200, static_cast<char>('a' + i % 26))));
    text += line(batch.back().text);
  }
  quiet log(f / "hello");

  log.log.write_batch(batch);
  log.log.write_batch({});

  CHECK(f.read("hello.log") == text);
}

#if defined(_WIN32)
TEST_CASE("a file that somebody else has opened for himself alone is waited for") {
  folder f;
  std::ofstream(f / "hello.log", std::ios::binary) << line("one");
  const std::wstring path = winsvc::os::wide_path(f / "hello.log");
  HANDLE theirs = ::CreateFileW(path.c_str(), GENERIC_READ, 0, nullptr, OPEN_EXISTING, 0, nullptr);
  REQUIRE(theirs != INVALID_HANDLE_VALUE);

  quiet log(f / "hello");
  CHECK(log.log.last_error() == ERROR_SHARING_VIOLATION);
  log.write(entry("lost"));
  ::CloseHandle(theirs);
  log.time.sleep(1s);
  log.write(entry("found"));

  CHECK(f.read("hello.log") == line("one") + said("1 line could not be written since 1970-01-01T00:00:00.000+00:00: " +
                                                  winsvc::os::system_error_message(ERROR_SHARING_VIOLATION)) + line("found"));
}

TEST_CASE("a file that somebody reads without leave to move it grows on, and is moved when it can be") {
  folder f;
  quiet log(f / "hello", {90, 5});
  log.write(entry("one"));
  log.write(entry("two"));
  const std::wstring path = winsvc::os::wide_path(f / "hello.log");
  HANDLE theirs = ::CreateFileW(path.c_str(), GENERIC_READ, FILE_SHARE_READ | FILE_SHARE_WRITE, nullptr, OPEN_EXISTING,
                                0, nullptr);
  REQUIRE(theirs != INVALID_HANDLE_VALUE);

  log.write(entry("three"));
  CHECK(f.read("hello.log") == line("one") + line("two") + line("three"));
  ::CloseHandle(theirs);
  log.write(entry("four"));

  CHECK(f.read("hello.1.log") == line("one") + line("two") + line("three"));
  CHECK(f.read("hello.log") == line("four"));
}

TEST_CASE("while somebody holds an older file, none is written over") {
  folder f;
  quiet log(f / "hello", {90, 9});
  for (const char* text : {"1", "2", "3", "4", "5"}) log.write(entry(text));
  const std::wstring path = winsvc::os::wide_path(f / "hello.1.log");
  HANDLE theirs = ::CreateFileW(path.c_str(), GENERIC_READ, FILE_SHARE_READ, nullptr, OPEN_EXISTING, 0, nullptr);
  REQUIRE(theirs != INVALID_HANDLE_VALUE);
  for (const char* text : {"6", "7", "8", "9"}) log.write(entry(text));
  ::CloseHandle(theirs);
  for (const char* text : {"10", "11", "12"}) log.write(entry(text));

  std::string all;
  for (int age = 8; age >= 0; --age) {
    const std::string name = "hello" + (age == 0 ? "" : "." + std::to_string(age)) + ".log";
    if (fs::exists(f / name.c_str())) all += f.read(name.c_str());
  }
  CHECK_FALSE(fs::exists(f / "hello.aside.log"));
  const std::string warning = said("the log file cannot be set aside: somebody holds it, or an older one, or its folder "
                                   "cannot be changed; it grows until it can");
  const auto reported = all.find(warning);
  if (reported != std::string::npos) all.erase(reported, warning.size());  // where it was held for long enough
  std::string expected;
  for (int i = 1; i <= 12; ++i) expected += line(std::to_string(i));
  CHECK(all == expected);
}
#else
TEST_CASE("a full disk loses lines and nothing else; when there is room again, the log says how many") {
  folder f;
  fs::create_symlink("/dev/full", f / "hello.log");  // takes no byte: no space left on device
  quiet log(f / "hello");
  CHECK(log.log.last_error() == 0);  // it can be opened

  log.write(entry("lost"));
  CHECK(log.log.last_error() == ENOSPC);
  log.log.write_batch({entry("lost"), entry("lost")});
  log.time.sleep(1s);
  log.write(entry("lost", 1s));
  fs::remove(f / "hello.log");
  log.time.sleep(1s);
  log.write(entry("found"));
  log.write(entry("and so on"));

  CHECK(log.log.last_error() == 0);
  CHECK(log.log.lost_count() == 4);
  CHECK(f.read("hello.log") == said("4 lines could not be written since 1970-01-01T00:00:00.000+00:00: " +
                                    winsvc::os::system_error_message(ENOSPC)) + line("found") + line("and so on"));
}

namespace {
/// No file grows beyond it while this lives: a write takes what fits, and then fails.
struct limited {
  rlimit before{};
  void (*handler)(int);
  explicit limited(rlim_t bytes) : handler(std::signal(SIGXFSZ, SIG_IGN)) {
    ::getrlimit(RLIMIT_FSIZE, &before);
    const rlimit now{bytes, before.rlim_max};
    ::setrlimit(RLIMIT_FSIZE, &now);
  }
  ~limited() {
    ::setrlimit(RLIMIT_FSIZE, &before);
    std::signal(SIGXFSZ, handler);
  }
};
}  // namespace

TEST_CASE("of a batch that fits in part, the lines that are whole are not lost, and the torn one is ended") {
  folder f;
  quiet log(f / "hello");
  {
    const limited room(100);  // two lines of 40, and a half
    log.log.write_batch({entry("one"), entry("two"), entry("three"), entry("four")});
    CHECK(log.log.last_error() == EFBIG);
    CHECK(log.log.lost_count() == 2);
  }
  log.time.sleep(1s);
  log.write(entry("five"));

  CHECK(f.read("hello.log") == line("one") + line("two") + line("three").substr(0, 20) + '\n' +
                                   said("2 lines could not be written since 1970-01-01T00:00:00.000+00:00: " +
                                        winsvc::os::system_error_message(EFBIG)) + line("five"));
}

TEST_CASE("a folder that nobody may write to is a fault, and no more") {
  if (::geteuid() == 0) return;  // root may
  folder f;
  fs::permissions(f.path, fs::perms::owner_read | fs::perms::owner_exec);

  quiet log(f / "hello");
  log.write(entry("lost"));

  CHECK(log.log.last_error() == EACCES);
  fs::permissions(f.path, fs::perms::owner_all);
}

TEST_CASE("a path through a file is a fault, and no more") {
  folder f;
  std::ofstream(f / "taken", std::ios::binary) << "x";
  quiet log(f / "taken/hello");
  log.write(entry("lost"));
  CHECK(log.log.last_error() == ENOTDIR);
}
#endif

TEST_CASE("what is asked for later holds from the next line on") {
  folder f;
  quiet log(f / "hello");
  log.write(entry("one"));
  log_file_options other = daily(log_format::json);
  log.log.options(other);
  log.write(entry("two"));
  log.write(entry("three", 24h));

  CHECK(f.read("hello.1.log") ==
        line("one") + "{\"time\":\"1970-01-01T00:00:00.000+00:00\",\"level\":\"info\",\"text\":\"two\"}\n");
  CHECK(f.read("hello.log").find("three") != std::string::npos);
}

#ifdef __linux__
TEST_CASE("trouble is told when it begins, and once") {
  folder f;
  fs::create_symlink("/dev/full", f / "hello.log");
  quiet log(f / "hello");
  std::vector<std::uint32_t> reported;
  log.log.on_write_error([&reported](std::uint32_t code) { reported.push_back(code); });

  for (int i = 0; i < 5; ++i) {
    log.write(entry("lost"));
    log.time.sleep(1s);
  }
  CHECK(reported == std::vector<std::uint32_t>{28});  // ENOSPC
}
#endif

TEST_CASE("a log's folder that somebody took away is made again, where the one that it was in is there") {
  folder f;
  quiet log(f / "logs/hello");
  CHECK(log.log.is_open());
  log.write(entry("one"));
#ifndef _WIN32  // where a folder stays while a file in it is open
  fs::remove_all(f / "logs");
  log.time.sleep(1s);
  log.write(entry("two"));
  CHECK(f.read("logs/hello.log").find("two") != std::string::npos);
#endif
}

TEST_CASE("with one file kept, those of a time when more were kept go") {
  folder f;
  for (const char* name : {"hello.1.log", "hello.2.log", "hello.3.log"}) std::ofstream(f / name) << "old\n";
  log_file_options one;
  one.max_files = 1;
  one.max_file_bytes = 100;
  quiet log(f / "hello", one);
  for (int i = 0; i < 4; ++i) log.write(entry("line"));
  CHECK(f.files() == 1);
}

TEST_CASE("a file that cannot be set aside grows, and the log says so once") {
  folder f;
  fs::create_directories(f / "hello.1.log");  // nobody's file: it can be neither moved over nor removed
  std::ofstream(f / "hello.1.log/in it") << "x";
  log_file_options small;
  small.max_file_bytes = 300;
  small.max_files = 2;
  quiet log(f / "hello", small);
  for (int i = 0; i < 60; ++i) log.write(entry("line"));
  const std::string text = f.read("hello.log") + f.read("hello.aside.log");
  const auto first = text.find("the log file cannot be set aside");
  REQUIRE(first != std::string::npos);
  CHECK(text.find("the log file cannot be set aside", first + 1) == std::string::npos);
}

TEST_CASE("without a limit no file is set aside") {
  folder f;
  log_file_options none;
  none.max_file_bytes = 0;
  quiet log(f / "hello", none);
  for (int i = 0; i < 100; ++i) log.write(entry("line"));
  CHECK(f.files() == 1);
}

TEST_CASE("until the app has said how much is kept nothing is taken away") {
  folder f;
  for (int age = 1; age < 9; ++age) std::ofstream(f / ("hello." + std::to_string(age) + ".log").c_str()) << "old\n";
  std::ofstream(f / "hello.aside.log") << "aside\n";
  quiet log(f / "hello", winsvc::host::startup_log_options(log_format::text));
  for (int i = 0; i < 100; ++i) log.write(entry("line"));
  CHECK(f.files() == 10);
}
