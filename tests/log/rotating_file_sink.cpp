// Rotating file sink: rotation by size, the number of files, write errors, and changes by other programs.
#include "winsvc/log/rotating_file_sink.hpp"

#include <doctest/doctest.h>

#include <cerrno>
#include <chrono>
#include <filesystem>
#include <fstream>
#include <memory>
#include <string>
#include <utility>
#include <vector>
#if !defined(_WIN32)
  #include <csignal>
  #include <sched.h>
  #include <sys/mount.h>
  #include <sys/resource.h>
  #include <sys/wait.h>
  #include <unistd.h>
#endif

#include "log_folder.hpp"

using namespace log_test;

TEST_CASE("lines are appended, also to a file of an earlier run") {
  folder f;
  { test_log(f / "hello").write(entry("one")); }
  { test_log(f / "hello").write(entry("two")); }

  CHECK(f.read("hello.log") == line("one") + line("two"));
}

TEST_CASE("a file that would exceed the limit is rotated, and five files are kept") {
  folder f;
  test_log log(f / "hello", {90, 5});  // two lines of 41 each

  for (int i = 10; i < 30; ++i) log.write(entry("no" + std::to_string(i)));

  CHECK(f.files() == 5);
  CHECK(f.read("hello.log") == line("no28") + line("no29"));
  CHECK(f.read("hello.1.log") == line("no26") + line("no27"));
  CHECK(f.read("hello.4.log") == line("no20") + line("no21"));
  CHECK(f.read("hello.5.log") == "(none)");
}

TEST_CASE("the size of the file of an earlier run counts") {
  folder f;
  { test_log(f / "hello").write(entry(std::string(60, 'x'))); }
  test_log log(f / "hello", {100, 5});

  log.write(entry("next"));

  CHECK(f.read("hello.log") == line("next"));
  CHECK(f.read("hello.1.log") == line(std::string(60, 'x')));
}

TEST_CASE("a line longer than the limit is written completely to a separate file") {
  folder f;
  test_log log(f / "hello", {90, 3});

  log.write(entry("short"));
  log.write(entry(std::string(500, 'x')));
  log.write(entry("after"));

  CHECK(f.read("hello.2.log") == line("short"));
  CHECK(f.read("hello.1.log") == line(std::string(500, 'x')));
  CHECK(f.read("hello.log") == line("after"));
}

TEST_CASE("if one file is kept, a full file is deleted") {
  folder f;
  test_log log(f / "hello", {90, 1});

  for (int i = 10; i < 20; ++i) log.write(entry("no" + std::to_string(i)));

  CHECK(f.files() == 1);
  CHECK(f.read("hello.log") == line("no18") + line("no19"));
}

TEST_CASE("if another program renames the file, the next rotation creates a new one") {
  folder f;
  test_log log(f / "hello", {90, 5});
  log.write(entry("one"));
  fs::rename(f / "hello.log", f / "renamed.log");

  log.write(entry("two"));
  log.write(entry("three"));

  CHECK(f.read("renamed.log").find(line("one")) == 0);
  CHECK(f.read("hello.log") == reopened + line("three"));
}

TEST_CASE("a file that another program moved or deleted is created again within a second") {
  folder f;
  test_log log(f / "hello");
  log.write(entry("one"));
  fs::rename(f / "hello.log", f / "renamed.log");

  log.write(entry("two"));
  log.time.sleep(1s);
  log.write(entry("three"));
  CHECK(f.read("renamed.log") == line("one") + line("two"));
  CHECK(f.read("hello.log") == reopened + line("three"));

#if !defined(_WIN32)  // on Wine a deleted file keeps its name while it is open, and can be opened by it
  fs::remove(f / "hello.log");
  log.time.sleep(1s);
  log.write(entry("four"));
  log.write(entry("five"));
  CHECK(f.read("hello.log") == reopened + line("four") + line("five"));
#endif
  CHECK(log.sink.last_error() == 0);
}

TEST_CASE("a missing folder is a write error; after it is created, the log reports the lost lines") {
  folder f;
  test_log log(f / "no/such/hello");
  CHECK_FALSE(log.sink.is_open());
  const auto code = log.sink.last_error();
  CHECK(code != 0);
  log.write(entry("lost"));
  log.write(entry("lost"));

  fs::create_directories(f / "no/such");
  log.write(entry("lost, because the file is tried once per second"));
  log.time.sleep(1s);
  log.write(entry("found"));

  CHECK(log.sink.is_open());
  CHECK(log.sink.lost_count() == 3);
  CHECK(f.read("no/such/hello.log") == lost_notice("3 lines were lost " + at_0, code) + line("found"));
}

TEST_CASE("a line break in a text does not begin a new entry") {
  folder f;
  test_log log(f / "hello");

  log.write(entry("one\r\n1970-01-01T00:00:00.000Z ERROR forged"));

  CHECK(f.read("hello.log") == line("one\n    1970-01-01T00:00:00.000Z ERROR forged"));
}

TEST_CASE("in JSON format each line is an object") {
  folder f;
  test_log log(f / "hello", daily(log_format::json));

  log.write({time_at(0s), log_level::error, "two\nlines", R"("status":500)"});

  CHECK(f.read("hello.log") ==
        R"({"time":"1970-01-01T00:00:00.000+00:00","level":"error","text":"two\nlines","status":500})" "\n");
}

TEST_CASE("a second process on a log writes to another file, and its first line and is_alternate report it") {
  folder f;
  test_log first(f / "hello");
  first.write(entry("one"));
  {
    test_log second(f / "hello"), third(f / "hello");
    CHECK_FALSE(first.sink.is_alternate());
    CHECK(second.sink.is_alternate());
    CHECK(third.sink.is_alternate());
    CHECK(second.sink.last_error() == 0);
    second.write(entry("two"));
    second.write(entry("two and a half"));
    third.write(entry("three"));
    first.write(entry("four"));
  }
  test_log again(f / "hello");  // the number is free again
  again.write(entry("five"));

  CHECK(f.read("hello.log") == line("one") + line("four"));
  const auto warning = [&](const char* name) {
    return notice("another process writes to " + (f / "hello.log") + "; this process writes to " + (f / name) +
                  "; stop one of them, or give each service another name");
  };
  CHECK(f.read("hello-2.log") == warning("hello-2.log") + line("two") + line("two and a half") +
                                     warning("hello-2.log") + line("five"));
  CHECK(f.read("hello-3.log") == warning("hello-3.log") + line("three"));
}

TEST_CASE("a log that rotates stays locked") {
  folder f;
  test_log first(f / "hello", {50, 3});
  for (int i = 0; i < 5; ++i) first.write(entry("line " + std::to_string(i)));

  test_log second(f / "hello", {50, 3});
  second.write(entry("other"));

  CHECK(second.sink.is_alternate());
  CHECK(f.read("hello.log") == line("line 4"));
}

TEST_CASE("if nine processes have a log, the lines of the next one are lost and counted") {
  folder f;
  std::vector<std::unique_ptr<test_log>> logs;
  for (int i = 0; i < 9; ++i) logs.push_back(std::make_unique<test_log>(f / "hello"));
  test_log last(f / "hello");

  last.write(entry("lost"));
  CHECK(last.sink.last_error() == winsvc::detail::os::file_in_use_error);
  CHECK(last.sink.lost_count() == 1);

  logs.pop_back();
  last.time.sleep(1s);
  last.write(entry("found"));
  CHECK(last.sink.last_error() == 0);
  CHECK(f.read("hello-9.log").find("found") != std::string::npos);
}

TEST_CASE("a partial line of an earlier run is ended before the next line") {
  folder f;
  std::ofstream(f / "hello.log", std::ios::binary) << line("one") << "1970-01-01T00:00:00.000+00:00 INFO  ha";

  test_log(f / "hello").write(entry("two"));

  CHECK(f.read("hello.log") == line("one") + "1970-01-01T00:00:00.000+00:00 INFO  ha\n" + line("two"));
}

TEST_CASE("a batch of any size is written like single lines") {
  folder f;
  std::vector<winsvc::log_entry> batch;
  std::string text;
  for (int i = 0; i < 3000; ++i) {
    batch.push_back(entry(std::string(200, static_cast<char>('a' + i % 26))));
    text += line(batch.back().text);
  }
  test_log log(f / "hello");

  log.sink.write_batch(batch);
  log.sink.write_batch({});

  CHECK(f.read("hello.log") == text);
}

#if defined(_WIN32)
TEST_CASE("a file that another program has opened exclusively is tried again") {
  folder f;
  std::ofstream(f / "hello.log", std::ios::binary) << line("one");
  const std::wstring path = winsvc::detail::os::wide_path(f / "hello.log");
  HANDLE other = ::CreateFileW(path.c_str(), GENERIC_READ, 0, nullptr, OPEN_EXISTING, 0, nullptr);
  REQUIRE(other != INVALID_HANDLE_VALUE);

  test_log log(f / "hello");
  CHECK(log.sink.last_error() == ERROR_SHARING_VIOLATION);
  log.write(entry("lost"));
  ::CloseHandle(other);
  log.time.sleep(1s);
  log.write(entry("found"));

  CHECK(f.read("hello.log") == line("one") +
                                   lost_notice("1 line was lost " + at_0, ERROR_SHARING_VIOLATION) +
                                   line("found"));
}

TEST_CASE("a file that is open without FILE_SHARE_DELETE grows, and is rotated later") {
  folder f;
  test_log log(f / "hello", {90, 5});
  log.write(entry("one"));
  log.write(entry("two"));
  const std::wstring path = winsvc::detail::os::wide_path(f / "hello.log");
  HANDLE other = ::CreateFileW(path.c_str(), GENERIC_READ, FILE_SHARE_READ | FILE_SHARE_WRITE, nullptr, OPEN_EXISTING,
                                0, nullptr);
  REQUIRE(other != INVALID_HANDLE_VALUE);

  log.write(entry("three"));
  CHECK(f.read("hello.log") == line("one") + line("two") + line("three"));
  ::CloseHandle(other);
  log.write(entry("four"));

  CHECK(f.read("hello.1.log") == line("one") + line("two") + line("three"));
  CHECK(f.read("hello.log") == line("four"));
}

TEST_CASE("while another program has an older file open, no file is overwritten") {
  folder f;
  test_log log(f / "hello", {90, 9});
  for (const char* text : {"1", "2", "3", "4", "5"}) log.write(entry(text));
  const std::wstring path = winsvc::detail::os::wide_path(f / "hello.1.log");
  HANDLE other = ::CreateFileW(path.c_str(), GENERIC_READ, FILE_SHARE_READ, nullptr, OPEN_EXISTING, 0, nullptr);
  REQUIRE(other != INVALID_HANDLE_VALUE);
  for (const char* text : {"6", "7", "8", "9"}) log.write(entry(text));
  ::CloseHandle(other);
  for (const char* text : {"10", "11", "12"}) log.write(entry(text));

  std::string text;
  for (int age = 8; age >= 0; --age) {
    const std::string name = "hello" + (age == 0 ? "" : "." + std::to_string(age)) + ".log";
    if (fs::exists(f / name.c_str())) text += f.read(name.c_str());
  }
  CHECK_FALSE(fs::exists(f / "hello.pending.log"));
  const std::string warning = notice(
      "the log file cannot be rotated: another program has it or an older log file open, "
      "or its folder is not writable; it grows until it can be rotated");
  const auto reported = text.find(warning);
  if (reported != std::string::npos) text.erase(reported, warning.size());  // present if the rotation was blocked twice
  std::string expected;
  for (int i = 1; i <= 12; ++i) expected += line(std::to_string(i));
  CHECK(text == expected);
}
#else
TEST_CASE("a full disk only loses lines; when there is space again, the log reports how many") {
  folder f;
  fs::create_symlink("/dev/full", f / "hello.log");  // every write fails: no space left on device
  test_log log(f / "hello");
  CHECK(log.sink.last_error() == 0);  // it can be opened

  log.write(entry("lost"));
  CHECK(log.sink.last_error() == ENOSPC);
  log.sink.write_batch({entry("lost"), entry("lost")});
  log.time.sleep(1s);
  log.write(entry("lost", 1s));
  fs::remove(f / "hello.log");
  log.time.sleep(1s);
  log.write(entry("found"));
  log.write(entry("and so on"));

  CHECK(log.sink.last_error() == 0);
  CHECK(log.sink.lost_count() == 4);
  CHECK(f.read("hello.log") == lost_notice("4 lines were lost between 1970-01-01T00:00:00.000+00:00 and "
                                          "1970-01-01T00:00:01.000+00:00", ENOSPC) +
                                   line("found") + line("and so on"));
}

namespace {

/// Runs the function in a child process that has `path` as a file system of `bytes`. Returns its exit code; -1 if the
/// system does not allow this.
template <class Function>
int run_on_small_disk(const fs::path& path, std::size_t bytes, const Function& function) {
  constexpr int not_allowed = 77;
  const pid_t child = ::fork();
  if (child == 0) {
    const std::string size = "size=" + std::to_string(bytes);
    const bool is_mounted = (::unshare(CLONE_NEWNS) == 0 || ::unshare(CLONE_NEWUSER | CLONE_NEWNS) == 0) &&
                            ::mount("none", "/", nullptr, MS_REC | MS_PRIVATE, nullptr) == 0 &&
                            ::mount("tmpfs", path.c_str(), "tmpfs", 0, size.c_str()) == 0;
    ::_exit(is_mounted ? function() : not_allowed);
  }
  int status = 0;
  if (child < 0 || ::waitpid(child, &status, 0) != child || !WIFEXITED(status)) return -2;
  return WEXITSTATUS(status) == not_allowed ? -1 : WEXITSTATUS(status);
}

}  // namespace

TEST_CASE("on a full disk the oldest files of the log are deleted, and the log reports it; the newest two are kept") {
  folder f;
  const int result = run_on_small_disk(f.path, 64 * 1024, [&] {
    // 20 files of 4 KiB do not fit into 64 KiB.
    test_log log(f / "hello", {4000, 20});
    for (int i = 0; i < 2000; ++i) log.write(entry("line " + std::to_string(i)));
    if (log.sink.lost_count() != 0 || log.sink.last_error() != 0) return 1;
    const auto newest = f.read("hello.log") + f.read("hello.1.log");
    if (newest.find("line 1999") == std::string::npos) return 2;
    if (f.files() > 17 || f.files() < 10) return 3;
    std::string all;
    for (int age = 0; age < 20; ++age) all += f.read(log_file_name("hello", age).c_str());
    if (all.find("the disk is full; 1 old log file was deleted to write this line") == std::string::npos) return 4;

    // No deletion makes enough space for this line.
    log.write(entry(std::string(100'000, 'x')));
    if (log.sink.lost_count() != 1) return 5;
    return fs::exists(f / "hello.1.log") && !fs::exists(f / "hello.2.log") ? 0 : 6;
  });
  if (result == -1) MESSAGE("not run: this system does not allow a mount");
  else CHECK(result == 0);
}

namespace {
/// Limits the size of files while it exists: a write stores the part that fits and then fails.
struct file_size_limit {
  rlimit before{};
  void (*handler)(int);
  explicit file_size_limit(rlim_t bytes) : handler(std::signal(SIGXFSZ, SIG_IGN)) {
    ::getrlimit(RLIMIT_FSIZE, &before);
    const rlimit now{bytes, before.rlim_max};
    ::setrlimit(RLIMIT_FSIZE, &now);
  }
  ~file_size_limit() {
    ::setrlimit(RLIMIT_FSIZE, &before);
    std::signal(SIGXFSZ, handler);
  }
};
}  // namespace

TEST_CASE("if a batch fits in part, complete lines are kept and the partial line is ended") {
  folder f;
  test_log log(f / "hello");
  {
    const file_size_limit limit(100);  // two lines of 40 bytes and a half
    log.sink.write_batch({entry("one"), entry("two"), entry("three"), entry("four")});
    CHECK(log.sink.last_error() == EFBIG);
    CHECK(log.sink.lost_count() == 2);
  }
  log.time.sleep(1s);
  log.write(entry("five"));

  CHECK(f.read("hello.log") == line("one") + line("two") + line("three").substr(0, 20) + '\n' +
                                   lost_notice("2 lines were lost " + at_0, EFBIG) + line("five"));
}

TEST_CASE("a folder without write permission is only a write error") {
  if (::geteuid() == 0) return;  // root can write to each folder
  folder f;
  fs::permissions(f.path, fs::perms::owner_read | fs::perms::owner_exec);

  test_log log(f / "hello");
  log.write(entry("lost"));

  CHECK(log.sink.last_error() == EACCES);
  fs::permissions(f.path, fs::perms::owner_all);
}

TEST_CASE("a path through a file is only a write error") {
  folder f;
  std::ofstream(f / "not a folder", std::ios::binary) << "x";
  test_log log(f / "not a folder/hello");
  log.write(entry("lost"));
  CHECK(log.sink.last_error() == ENOTDIR);
}
#endif

TEST_CASE("new options apply from the next line") {
  folder f;
  test_log log(f / "hello");
  log.write(entry("one"));
  log_file_options new_options = daily(log_format::json);
  log.sink.options(new_options);
  log.write(entry("two"));
  log.write(entry("three", 24h));

  CHECK(f.read("hello.1.log") ==
        line("one") + "{\"time\":\"1970-01-01T00:00:00.000+00:00\",\"level\":\"info\",\"text\":\"two\"}\n");
  CHECK(f.read("hello.log").find("three") != std::string::npos);
}

#ifdef __linux__
TEST_CASE("a write error is reported once, when it begins") {
  folder f;
  fs::create_symlink("/dev/full", f / "hello.log");
  test_log log(f / "hello");
  std::vector<std::uint32_t> reported;
  log.sink.on_write_error([&reported](std::uint32_t code) { reported.push_back(code); });

  for (int i = 0; i < 5; ++i) {
    log.write(entry("lost"));
    log.time.sleep(1s);
  }
  CHECK(reported == std::vector<std::uint32_t>{28});  // ENOSPC
}
#endif

TEST_CASE("a deleted log folder is created again if its parent exists") {
  folder f;
  test_log log(f / "logs/hello");
  CHECK(log.sink.is_open());
  log.write(entry("one"));
#ifndef _WIN32  // on Windows a folder remains while a file in it is open
  fs::remove_all(f / "logs");
  log.time.sleep(1s);
  log.write(entry("two"));
  CHECK(f.read("logs/hello.log").find("two") != std::string::npos);
#endif
}

#ifndef _WIN32  // on Windows a folder remains while a file in it is open
TEST_CASE("a flush detects that the log folder was replaced, at once and without a line") {
  folder f;
  test_log log(f / "logs/hello");
  std::vector<std::uint32_t> reported;
  log.sink.on_write_error([&reported](std::uint32_t code) { reported.push_back(code); });
  log.write(entry("one"));
  fs::remove_all(f / "logs");
  std::ofstream(f / "logs", std::ios::binary) << "x";

  log.sink.flush();
  log.sink.flush();

  CHECK(log.sink.last_error() == ENOTDIR);
  CHECK(reported == std::vector<std::uint32_t>{ENOTDIR});
}

TEST_CASE("a flush ends a write error whose reason is gone, and reports the lost lines") {
  folder f;
  std::ofstream(f / "logs", std::ios::binary) << "x";
  test_log log(f / "logs/hello");
  log.write(entry("lost"));
  fs::remove(f / "logs");
  log.sink.flush();
  CHECK(log.sink.last_error() == ENOTDIR);  // tried once per second
  log.time.sleep(1s);

  log.sink.flush();

  CHECK(log.sink.last_error() == 0);
  const std::string text = f.read("logs/hello.log");
  CHECK(text.find("1 line was lost " + at_0) != std::string::npos);
  log.sink.flush();
  CHECK(f.read("logs/hello.log") == text);
}
#endif

#ifdef __linux__
TEST_CASE("a flush does not end a write error while the disk is full") {
  folder f;
  fs::create_symlink("/dev/full", f / "hello.log");
  test_log log(f / "hello");
  log.write(entry("lost"));
  log.time.sleep(1s);

  log.sink.flush();

  CHECK(log.sink.last_error() == ENOSPC);
}
#endif

TEST_CASE("a flush leaves a log that works as it is") {
  folder f;
  test_log log(f / "hello");
  log.write(entry("one"));

  log.sink.flush();

  CHECK(f.read("hello.log") == line("one"));
  CHECK(log.sink.last_error() == 0);
}

TEST_CASE("if one file is kept, numbered files of earlier runs are deleted") {
  folder f;
  for (const char* name : {"hello.1.log", "hello.2.log", "hello.3.log"}) std::ofstream(f / name) << "old\n";
  log_file_options options;
  options.max_files = 1;
  options.max_file_bytes = 100;
  test_log log(f / "hello", options);
  for (int i = 0; i < 4; ++i) log.write(entry("line"));
  CHECK(f.files() == 1);
}

TEST_CASE("a file that cannot be rotated grows, and the log reports it once") {
  folder f;
  fs::create_directories(f / "hello.1.log");  // a folder: the log can neither replace nor remove it
  std::ofstream(f / "hello.1.log/in it") << "x";
  log_file_options options;
  options.max_file_bytes = 300;
  options.max_files = 2;
  test_log log(f / "hello", options);
  for (int i = 0; i < 60; ++i) log.write(entry("line"));
  const std::string text = f.read("hello.log") + f.read("hello.pending.log");
  const auto first = text.find("the log file cannot be rotated");
  REQUIRE(first != std::string::npos);
  CHECK(text.find("the log file cannot be rotated", first + 1) == std::string::npos);
}

TEST_CASE("without a size limit no file is rotated") {
  folder f;
  log_file_options options;
  options.max_file_bytes = 0;
  test_log log(f / "hello", options);
  for (int i = 0; i < 100; ++i) log.write(entry("line"));
  CHECK(f.files() == 1);
}

TEST_CASE("until the app has run, no file is deleted") {
  folder f;
  for (int age = 1; age < 9; ++age) std::ofstream(f / ("hello." + std::to_string(age) + ".log").c_str()) << "old\n";
  std::ofstream(f / "hello.pending.log") << "pending\n";
  test_log log(f / "hello", winsvc::detail::log::startup_log_options(log_format::text));
  for (int i = 0; i < 100; ++i) log.write(entry("line"));
  CHECK(f.files() == 10);
}
