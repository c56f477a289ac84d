// What is left of a process that crashes: each crash is played by this program once more, in a process of its own.
#include "part.hpp"

#include "winsvc/base/scope.hpp"

#include <doctest/doctest.h>

#include <chrono>
#include <functional>
#include <stdexcept>
#include <thread>

#if defined(__has_feature)
  #if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
    #define SANITIZED 1
  #endif
#endif
#ifndef SANITIZED
  #define SANITIZED 0
#endif

using namespace winsvc;

namespace {

/// Where the part that is played leaves its last word, and its dumps.
std::string part_folder() { return own_words().at(2); }

void leave_a_word(const os::crash_report& r) {
  static_cast<void>(os::replace_file(os::path_join(part_folder(), "word"), r.description + "\n" + std::to_string(r.code) +
                                                                               "\n" + r.dump + "\n" +
                                                                               std::to_string(r.dump_error)));
}
/// With a dump where the test asks for one: Wine takes two seconds for it.
os::crash_handler::crash_handler_options guarded(std::function<void(const os::crash_report&)> then = nullptr) {
  os::crash_handler::crash_handler_options s;
  if (own_words().size() > 3 && own_words()[3] == "dump") s.folder = part_folder();
  s.name = "hello";
  s.on_crash = [then](const os::crash_report& r) {
    leave_a_word(r);
    if (then) then(r);
  };
  return s;
}

void write_where_nothing_is() {
  volatile std::uintptr_t nowhere = 16;
  *reinterpret_cast<volatile int*>(nowhere) = 1;
}
int recurse(volatile int* depth) {
  volatile char page[4096];
  page[0] = static_cast<char>(*depth);
  *depth = *depth + 1;
  return *depth == -1 ? 0 : recurse(&*depth) + page[0];
}

const part violation("violation", [] {
  const os::crash_handler guard(guarded());
  write_where_nothing_is();
  return 0;
});
const part illegal("illegal", [] {
  const os::crash_handler guard(guarded());
  __builtin_trap();
  return 0;
});
const part overflow("overflow", [] {
  const os::crash_handler guard(guarded());
  volatile int depth = 0;
  return recurse(&depth);
});
const part overflow_elsewhere("overflow elsewhere", [] {
  const os::crash_handler guard(guarded());
  std::thread([] {
    volatile int depth = 0;
    recurse(&depth);
  }).join();
  return 0;
});
const part aborting("abort", [] {
  const os::crash_handler guard(guarded());
  std::abort();
  return 0;
});
const part thread_throws("thread throws", [] {
  const os::crash_handler guard(guarded());
  std::thread([] { throw std::runtime_error("no such device"); }).join();
  return 0;
});
const part noexcept_throws("noexcept throws", [] {
  const os::crash_handler guard(guarded());
  [](const std::string& no_number) noexcept { static_cast<void>(std::vector<int>().at(no_number.size())); }("");
  return 0;
});
const part main_throws("main throws", []() -> int {
  static os::crash_handler guard(guarded());  // nobody unwinds, so nothing is destroyed
  throw std::runtime_error("no such device");
});
const part joinable("joinable", [] {
  const os::crash_handler guard(guarded());
  std::thread left([] { std::this_thread::sleep_for(std::chrono::hours(1)); });
  return 0;
});
const part many("many", [] {
  const os::crash_handler guard(guarded());
  std::vector<std::thread> all;
  for (int i = 0; i < 8; ++i) all.emplace_back(&write_where_nothing_is);
  for (auto& one : all) one.join();
  return 0;
});
const part word_throws("word throws", [] {
  const os::crash_handler guard(guarded([](const os::crash_report&) { throw std::runtime_error("disk full"); }));
  write_where_nothing_is();
  return 0;
});
const part word_crashes("word crashes", [] {
  const os::crash_handler guard(guarded([](const os::crash_report&) { write_where_nothing_is(); }));
  write_where_nothing_is();
  return 0;
});
const part word_hangs("word hangs", [] {
  auto settings = guarded([](const os::crash_report&) { std::this_thread::sleep_for(std::chrono::hours(1)); });
  settings.report_timeout = std::chrono::milliseconds(300);
  const os::crash_handler guard(std::move(settings));
  write_where_nothing_is();
  return 0;
});
const part wordless("wordless", [] {
  const os::crash_handler guard(os::crash_handler::crash_handler_options{});
  write_where_nothing_is();
  return 0;
});
const part no_folder("no folder", [] {
  auto settings = guarded();
  settings.folder = os::path_join(part_folder(), "none");
  const os::crash_handler guard(std::move(settings));
  write_where_nothing_is();
  return 0;
});
const part caught("caught", [] {
  const os::crash_handler guard(guarded());
  for (int i = 0; i < 3; ++i) {
    try {
      throw std::runtime_error("nothing to worry about");
    } catch (const std::exception&) {
    }
  }
  return 11;
});
const part afterwards("afterwards", [] {
  for (int i = 0; i < 3; ++i) const os::crash_handler guard(guarded());
  write_where_nothing_is();
  return 0;
});

/// A folder for one crash, and what was found in it afterwards.
struct crash {
  explicit crash(const std::string& part, const char* expected = "no dump") : with_dump(expected) {
    static int next = 0;
    folder = os::path_join(os::folder_of(os::executable_path()),
                           "crash " + std::to_string(os::process_id()) + "-" + std::to_string(next++));
    REQUIRE(os::make_folders(folder));
    again(part);
  }
  ~crash() {
    for (const auto& file : files()) os::remove_file(os::path_join(folder, file));
#if defined(_WIN32)
    ::RemoveDirectoryW(os::to_wide(folder).c_str());
#else
    ::rmdir(folder.c_str());
#endif
  }
  crash(const crash&) = delete;
  crash& operator=(const crash&) = delete;

  void again(const std::string& part) {
    code = play(part, {folder, with_dump});
    const std::string word = os::read_file(os::path_join(folder, "word")).value_or("");
    const auto lines = strings::split(word, '\n');
    told = lines.size() == 4;
    if (!told) return;
    what = lines[0];
    said_code = lines[1];
    dump = lines[2];
    fault = lines[3];
  }
  [[nodiscard]] std::vector<std::string> files() const { return *os::list_files(folder); }
  [[nodiscard]] std::vector<std::string> dumps() const {
    std::vector<std::string> names;
    for (const auto& file : files()) {
      if (os::is_dump_file_of("hello", file)) names.push_back(file);
    }
    return names;
  }

  std::string with_dump, folder, what, said_code, dump, fault;
  std::uint32_t code = 0;
  bool told = false;
};

bool begins(const std::string& s, std::string_view options) {
  CAPTURE(s);
  return strings::starts_with(s, options);
}

/// A sanitizer that reports a crash ends the process with a code of its own.
bool ended_with(const crash& c, std::uint32_t on_windows, std::uint32_t on_posix) {
#if defined(_WIN32)
  static_cast<void>(on_posix);
  const std::uint32_t expected = on_windows;
#else
  static_cast<void>(on_windows);
  const std::uint32_t expected = on_posix;
#endif
  CAPTURE(c.code);
  if (SANITIZED) return c.code != 0;
  return c.code == expected && c.said_code == std::to_string(expected);
}

}  // namespace

TEST_CASE("a dump's name has a time and a process, and belongs to one name alone") {
  CHECK(os::is_dump_file_of("hello", "hello-20260131-080509-1234.dmp"));
  CHECK(os::is_dump_file_of("hello$blue", "hello$blue-20260131-080509-1.dmp"));
  for (const char* other : {"hello-20260131-080509-.dmp", "hello-20260131-080509-1234", "hello.log", "hello-.dmp", "",
                            "hello-world-20260131-080509-1.dmp", "hell-20260131-080509-1234.dmp",
                            "hello-2026013a-080509-1.dmp", "hello-20260131-080509-12x.dmp",
                            "hello-20260131_080509-1.dmp"}) {
    CAPTURE(other);
    CHECK_FALSE(os::is_dump_file_of("hello", other));
  }
}

TEST_CASE("of the dumps the newest stay, by their names, and other files are nobody's business") {
  using names = std::vector<std::string>;
  const names files = {"hello-20260131-080509-1.dmp", "hello-20260131-080510-1.dmp", "hello-20260201-000000-1.dmp",
                       "hello-world-20260101-000000-1.dmp", "hello.log"};
  CHECK(os::excess_dumps(files, "hello", 3).empty());
  CHECK(os::excess_dumps(files, "hello", 9).empty());
  CHECK(os::excess_dumps(files, "hello", 2) == names{files[0]});
  CHECK(os::excess_dumps(files, "hello", 1) == names{files[0], files[1]});
  CHECK(os::excess_dumps(files, "hello", 0) == names{files[0], files[1]});
  CHECK(os::excess_dumps(files, "hello-world", 1).empty());
  CHECK(os::excess_dumps({}, "hello", 3).empty());
}

TEST_CASE("an exception in flight is put into words") {
  CHECK(os::current_exception_message().empty());
  CHECK(os::terminate_message() == "std::terminate");
  try {
    throw std::runtime_error("no such device");
  } catch (...) {
    CHECK(os::terminate_message() == "std::terminate: no such device");
  }
  try {
    throw 1;
  } catch (...) {
    CHECK(os::terminate_message() == "std::terminate: an exception that is no std::exception");
  }
}

TEST_CASE("an access violation leaves a word that says where, and a code that is a failure") {
  const crash c("violation");
  REQUIRE(c.told);
#if defined(_WIN32)
  CHECK(begins(c.what, "an access violation at "));
  CHECK(c.what.find(".exe+0x") != std::string::npos);
  CHECK(c.what.find("), writing 0x10") != std::string::npos);
#else
  CHECK(c.what == "a segmentation fault (SIGSEGV) at 0x10");
#endif
  CHECK(ended_with(c, 0xC0000005, 139));
}

TEST_CASE("an illegal instruction is called one") {
  const crash c("illegal");
  REQUIRE(c.told);
  CHECK(begins(c.what, "an illegal instruction"));
  CHECK(ended_with(c, 0xC000001D, 132));
}

TEST_CASE("a stack overflow has a last word, though its thread has no stack to speak it on") {
  const crash c("overflow");
  REQUIRE(c.told);
#if defined(_WIN32)
  CHECK(begins(c.what, "a stack overflow at "));
#else
  CHECK(begins(c.what, "a segmentation fault (SIGSEGV) at "));
#endif
  CHECK(ended_with(c, 0xC00000FD, 139));
}

TEST_CASE("abort() is a crash") {
  const crash c("abort");
  REQUIRE(c.told);
  CHECK(begins(c.what, "abort()"));
  CHECK(ended_with(c, 1064, 134));
}

TEST_CASE("an exception that leaves a thread, a noexcept function or main is told in its own words") {
  for (const char* part : {"thread throws", "main throws"}) {
    CAPTURE(part);
    const crash c(part);
    REQUIRE(c.told);
    CHECK(c.what == "std::terminate: no such device");
    CHECK(ended_with(c, 1064, 134));
  }
  const crash c("noexcept throws");
  REQUIRE(c.told);
  CHECK(begins(c.what, "std::terminate: "));
  CHECK(c.what.size() > std::string("std::terminate: ").size());
  CHECK(ended_with(c, 1064, 134));
}

TEST_CASE("std::terminate without an exception is told as well") {
  const crash c("joinable");
  REQUIRE(c.told);
  CHECK(c.what == "std::terminate");
  CHECK(ended_with(c, 1064, 134));
}

TEST_CASE("of many threads that crash at once one is told, and the process ends") {
  const crash c("many");
  REQUIRE(c.told);
  CHECK(ended_with(c, 0xC0000005, 139));
}

TEST_CASE("a last word that throws or crashes does not keep the process alive") {
  for (const char* part : {"word throws", "word crashes"}) {
    CAPTURE(part);
    const crash c(part);
    CHECK(c.told);
    CHECK(ended_with(c, 0xC0000005, 139));
  }
}

TEST_CASE("a last word that does not end is cut off") {
  const crash c("word hangs");
  CHECK(c.told);
  CHECK(ended_with(c, 0xC0000005, 139));
}

TEST_CASE("who wants neither word nor dump gets the code all the same") {
  const crash c("wordless");
  CHECK_FALSE(c.told);
  CHECK(c.code != 0);
  CHECK(c.files().empty());
}

TEST_CASE("an exception that is caught is none of the guard's business") {
  const crash c("caught");
  CHECK_FALSE(c.told);
  CHECK(c.code == 11);
}

TEST_CASE("when the guard is gone a crash is again what it was before") {
  const crash c("afterwards");
  CHECK_FALSE(c.told);
  CHECK(c.code != 0);
}

#if defined(_WIN32)

TEST_CASE("a stack overflow of any thread has a last word") {
  const crash c("overflow elsewhere");
  REQUIRE(c.told);
  CHECK(begins(c.what, "a stack overflow at "));
  CHECK(ended_with(c, 0xC00000FD, 139));
}

TEST_CASE("a crash leaves a minidump for a debugger, with the thread that crashed and its exception") {
  struct row { const char* part; std::uint32_t exception; };
  const row rows[] = {{"violation", 0xC0000005}, {"overflow", 0xC00000FD}, {"thread throws", 0x40000015}};
  for (const auto& r : rows) {
    CAPTURE(r.part);
    const crash c(r.part, "dump");
    REQUIRE(c.told);
    CHECK(c.fault == "0");
    REQUIRE(c.dumps().size() == 1);
    CHECK(c.dump == os::path_join(c.folder, c.dumps()[0]));
    const std::string dump = os::read_file(c.dump).value_or("");
    REQUIRE(begins(dump, "MDMP"));

    const auto word = [&](std::size_t position) {
      std::uint32_t value = 0;
      for (std::size_t i = 4; i-- > 0;) value = value << 8 | static_cast<unsigned char>(dump.at(position + i));
      return value;
    };
    constexpr std::uint32_t exception_stream = 6;
    std::size_t exception = 0;  // MINIDUMP_HEADER: how many streams there are, and where their directory is
    for (std::size_t i = 0; i < word(8); ++i) {
      const std::size_t entry = word(12) + 12 * i;
      if (word(entry) == exception_stream) exception = word(entry + 8);
    }
    REQUIRE(exception != 0);
    CHECK(word(exception) != 0);  // the thread
    CHECK(word(exception + 8) == r.exception);
  }
}

TEST_CASE("the newest dumps are kept, and other files beside them stay") {
  crash c("violation");
  CHECK(c.dumps().empty());
  CHECK(c.dump.empty());
  CHECK(c.fault == "0");
  for (const char* older : {"hello-20200101-000000-1.dmp", "hello-20200101-000001-1.dmp", "hello-20200101-000002-1.dmp",
                            "hello-world-20200101-000000-1.dmp", "hello.log"})
    CHECK(os::replace_file(os::path_join(c.folder, older), "x"));
  c.with_dump = "dump";
  c.again("violation");
  const auto dumps = c.dumps();
  REQUIRE(dumps.size() == 3);
  CHECK(dumps[0] == "hello-20200101-000001-1.dmp");
  CHECK(os::read_file(os::path_join(c.folder, "hello-world-20200101-000000-1.dmp")));
  CHECK(os::read_file(os::path_join(c.folder, "hello.log")));
}

TEST_CASE("where no dump can be written the last word says why") {
  const crash c("no folder");
  REQUIRE(c.told);
  CHECK(c.dump.empty());
  CHECK(c.fault == "3");
  CHECK(ended_with(c, 0xC0000005, 139));
}

TEST_CASE("an exception's words have its place, and its code where it has no name") {
  EXCEPTION_RECORD record{};
  record.ExceptionCode = 0xE0001234;
  record.ExceptionAddress = reinterpret_cast<void*>(0x10);
  CHECK(begins(os::exception_description(record), "exception 0xE0001234 at "));
  CHECK(os::exception_description(record).find('(') == std::string::npos);
  record.ExceptionCode = EXCEPTION_ACCESS_VIOLATION;
  record.NumberParameters = 2;
  record.ExceptionInformation[0] = 8;
  record.ExceptionInformation[1] = 0xABC;
  CHECK(os::exception_description(record).find(", executing 0xabc") != std::string::npos);
}

#endif
