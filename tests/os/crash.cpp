// Crash handler: each test runs this program in a child process that crashes, and checks the report, the dump and the
// exit code.
#include "../support/part.hpp"

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

/// The folder in which the crashing process writes its report and its dumps.
std::string part_folder() { return program_arguments().at(2); }

void write_report(const detail::os::crash_report& r) {
  const std::string text =
      r.description + "\n" + std::to_string(r.code) + "\n" + r.dump + "\n" + std::to_string(r.dump_error);
  static_cast<void>(detail::os::replace_file(detail::os::path_join(part_folder(), "report"), text));
}
/// Options that write the report to a file, then call `then`. A dump is written only if the test requests it, because
/// it takes 2 s under Wine.
detail::os::crash_handler::crash_handler_options report_options(
    std::function<void(const detail::os::crash_report&)> then = nullptr) {
  detail::os::crash_handler::crash_handler_options options;
  if (program_arguments().size() > 3 && program_arguments()[3] == "dump") options.folder = part_folder();
  options.name = "hello";
  options.on_crash = [then](const detail::os::crash_report& r) {
    write_report(r);
    if (then) then(r);
  };
  options.on_dump = &write_report;
  return options;
}

void write_to_invalid_address() {
  volatile std::uintptr_t address = 16;
  *reinterpret_cast<volatile int*>(address) = 1;
}
int recurse(volatile int* depth) {
  volatile char page[4096];
  page[0] = static_cast<char>(*depth);
  *depth = *depth + 1;
  return *depth == -1 ? 0 : recurse(&*depth) + page[0];
}

/// The crash handler starts this program again to write a dump.
struct dump_writer_process {
  dump_writer_process() {
    if (const auto code = detail::os::run_dump_writer(program_arguments())) std::_Exit(*code);
  }
};
const dump_writer_process the_dump_writer_process;

const part violation("violation", [] {
  const detail::os::crash_handler handler(report_options());
  write_to_invalid_address();
  return 0;
});
const part illegal("illegal", [] {
  const detail::os::crash_handler handler(report_options());
  __builtin_trap();
  return 0;
});
const part overflow("overflow", [] {
  const detail::os::crash_handler handler(report_options());
  volatile int depth = 0;
  return recurse(&depth);
});
/// Its frames are smaller than a page, so that the overflow occurs anywhere in the guard page.
int recurse_slowly(int depth) {
  volatile char part_of_page[1000];
  part_of_page[0] = static_cast<char>(depth);
  return depth == -1 ? 0 : recurse_slowly(depth + 1) + part_of_page[0];
}
const part small_overflow_on_thread("overflow with small frames", [] {
  const detail::os::crash_handler handler(report_options());
  detail::os::start_thread([] { recurse_slowly(program_arguments().size() > 99 ? -1 : 1); }).join();
  return 0;
});
const part overflow_on_thread("overflow on a thread", [] {
  const detail::os::crash_handler handler(report_options());
  detail::os::start_thread([] {
    volatile int depth = 0;
    recurse(&depth);
  }).join();
  return 0;
});
#if defined(_WIN32)
const part overflow_on_foreign_thread("overflow on a thread of the app", [] {
  const detail::os::crash_handler handler(report_options());
  std::thread([] { recurse_slowly(program_arguments().size() > 99 ? -1 : 1); }).join();
  return 0;
});
#endif
const part aborting("abort", [] {
  const detail::os::crash_handler handler(report_options());
  std::abort();
  return 0;
});
const part thread_throws("thread throws", [] {
  const detail::os::crash_handler handler(report_options());
  std::thread([] { throw std::runtime_error("no such device"); }).join();
  return 0;
});
const part noexcept_throws("noexcept throws", [] {
  const detail::os::crash_handler handler(report_options());
  [](const std::string& text) noexcept { static_cast<void>(std::vector<int>().at(text.size())); }("");
  return 0;
});
const part main_throws("main throws", []() -> int {
  static detail::os::crash_handler handler(report_options());  // the stack is not unwound, so nothing is destroyed
  throw std::runtime_error("no such device");
});
const part joinable("joinable", [] {
  const detail::os::crash_handler handler(report_options());
  std::thread not_joined([] { std::this_thread::sleep_for(std::chrono::hours(1)); });
  return 0;
});
const part many("many", [] {
  const detail::os::crash_handler handler(report_options());
  std::vector<std::thread> threads;
  for (int i = 0; i < 8; ++i) threads.emplace_back(&write_to_invalid_address);
  for (auto& thread : threads) thread.join();
  return 0;
});
const part report_throws("report throws", [] {
  const detail::os::crash_handler handler(
      report_options([](const detail::os::crash_report&) { throw std::runtime_error("disk full"); }));
  write_to_invalid_address();
  return 0;
});
const part report_crashes("report crashes", [] {
  const detail::os::crash_handler handler(
      report_options([](const detail::os::crash_report&) { write_to_invalid_address(); }));
  write_to_invalid_address();
  return 0;
});
const part report_hangs("report hangs", [] {
  auto options =
      report_options([](const detail::os::crash_report&) { std::this_thread::sleep_for(std::chrono::hours(1)); });
  options.report_timeout = std::chrono::milliseconds(300);
  const detail::os::crash_handler handler(std::move(options));
  write_to_invalid_address();
  return 0;
});
const part no_report("no report", [] {
  const detail::os::crash_handler handler(detail::os::crash_handler::crash_handler_options{});
  write_to_invalid_address();
  return 0;
});
const part no_folder("no folder", [] {
  auto options = report_options();
  options.folder = detail::os::path_join(part_folder(), "missing");
  const detail::os::crash_handler handler(std::move(options));
  write_to_invalid_address();
  return 0;
});
#if defined(_WIN32)
struct incomplete {
  incomplete() { call(); }
  virtual ~incomplete() = default;
  void call() { missing(); }
  virtual void missing() = 0;
};
struct complete : incomplete {
  void missing() override {}
};
const part pure_call("pure call", [] {
  const detail::os::crash_handler handler(report_options());
  delete new complete;
  return 0;
});
const part invalid_parameter("invalid parameter", [] {
  const detail::os::crash_handler handler(report_options());
  // As the C runtime does; that of Wine does not call the handler of a mingw program.
  if (const auto report = ::_set_invalid_parameter_handler(nullptr))
    report(L"size > length", L"strcpy_s", L"strcpy_s.c", 1, 0);
  return 0;
});
const part heap_corruption("heap corruption", [] {
  const detail::os::crash_handler handler(report_options());
  // As the heap manager does. Filters other than vectored handlers do not receive the real one.
  ::RaiseException(0xC0000374, EXCEPTION_NONCONTINUABLE, 0, nullptr);
  return 0;
});
const part report_hangs_with_dump("report hangs, dump", [] {
  auto options =
      report_options([](const detail::os::crash_report&) { std::this_thread::sleep_for(std::chrono::hours(1)); });
  options.report_timeout = std::chrono::milliseconds(300);
  const detail::os::crash_handler handler(std::move(options));
  write_to_invalid_address();
  return 0;
});
const part slow_report("slow report, dump", [] {
  const detail::os::crash_handler handler(report_options([](const detail::os::crash_report&) {
    const auto has_dump = [] { return detail::os::list_files(part_folder())->size() > 1; };  // not only the report
    const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(1);
    while (!has_dump() && std::chrono::steady_clock::now() < deadline)
      std::this_thread::sleep_for(std::chrono::milliseconds(20));
    if (has_dump()) detail::os::end_process(77);
  }));
  write_to_invalid_address();
  return 0;
});
const part dump_too_slow("dump too slow", [] {
  auto options = report_options();
  options.dump_timeout = std::chrono::milliseconds(0);
  const detail::os::crash_handler handler(std::move(options));
  write_to_invalid_address();
  return 0;
});
#endif
const part caught("caught", [] {
  const detail::os::crash_handler handler(report_options());
  for (int i = 0; i < 3; ++i) {
    try {
      throw std::runtime_error("handled");
    } catch (const std::exception&) {
    }
  }
  return 11;
});
const part after_destruction("after destruction", [] {
  for (int i = 0; i < 3; ++i) const detail::os::crash_handler handler(report_options());
  write_to_invalid_address();
  return 0;
});

/// Runs a part in a child process with its own folder and reads its report.
struct crash {
  explicit crash(const std::string& part, const char* dump_mode = "no dump") : mode(dump_mode) {
    static int next = 0;
    folder = detail::os::path_join(detail::os::folder_of(detail::os::executable_path()),
                           "crash " + std::to_string(detail::os::process_id()) + "-" + std::to_string(next++));
    REQUIRE(detail::os::make_folders(folder));
    run(part);
  }
  ~crash() {
    for (const auto& file : files()) detail::os::remove_file(detail::os::path_join(folder, file));
#if defined(_WIN32)
    ::RemoveDirectoryW(detail::os::to_wide(folder).c_str());
#else
    ::rmdir(folder.c_str());
#endif
  }
  crash(const crash&) = delete;
  crash& operator=(const crash&) = delete;

  void run(const std::string& part) {
    code = run_part(part, {folder, mode});
    const std::string report = detail::os::read_file(detail::os::path_join(folder, "report")).value_or("");
    const auto lines = detail::base::split(report, '\n');
    has_report = lines.size() == 4;
    if (!has_report) return;
    description = lines[0];
    report_code = lines[1];
    dump = lines[2];
    dump_error = lines[3];
  }
  [[nodiscard]] std::vector<std::string> files() const { return *detail::os::list_files(folder); }
  [[nodiscard]] std::vector<std::string> dumps() const {
    std::vector<std::string> names;
    for (const auto& file : files()) {
      if (detail::os::is_dump_file_of("hello", file)) names.push_back(file);
    }
    return names;
  }

  std::string mode, folder, description, report_code, dump, dump_error;
  std::uint32_t code = 0;
  bool has_report = false;
};

bool starts_with(const std::string& text, std::string_view prefix) {
  CAPTURE(text);
  return detail::base::starts_with(text, prefix);
}

/// True if the process ended with the expected code and reported it. A sanitizer ends the process with its own code.
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
  return c.code == expected && c.report_code == std::to_string(expected);
}

}  // namespace

TEST_CASE("a dump file of a service has its name, a time and a process ID") {
  CHECK(detail::os::is_dump_file_of("hello", "hello-20260131-080509-1234.dmp"));
  CHECK(detail::os::is_dump_file_of("hello$blue", "hello$blue-20260131-080509-1.dmp"));
  for (const char* other : {"hello-20260131-080509-.dmp", "hello-20260131-080509-1234", "hello.log", "hello-.dmp", "",
                            "hello-world-20260131-080509-1.dmp", "hell-20260131-080509-1234.dmp",
                            "hello-2026013a-080509-1.dmp", "hello-20260131-080509-12x.dmp",
                            "hello-20260131_080509-1.dmp"}) {
    CAPTURE(other);
    CHECK_FALSE(detail::os::is_dump_file_of("hello", other));
  }
}

TEST_CASE("the oldest dumps of a name are in excess; other files do not count") {
  using names = std::vector<std::string>;
  const names files = {"hello-20260131-080509-1.dmp", "hello-20260131-080510-1.dmp", "hello-20260201-000000-1.dmp",
                       "hello-world-20260101-000000-1.dmp", "hello.log"};
  CHECK(detail::os::excess_dumps(files, "hello", 3).empty());
  CHECK(detail::os::excess_dumps(files, "hello", 9).empty());
  CHECK(detail::os::excess_dumps(files, "hello", 2) == names{files[0]});
  CHECK(detail::os::excess_dumps(files, "hello", 1) == names{files[0], files[1]});
  CHECK(detail::os::excess_dumps(files, "hello", 0) == names{files[0], files[1]});
  CHECK(detail::os::excess_dumps(files, "hello-world", 1).empty());
  CHECK(detail::os::excess_dumps({}, "hello", 3).empty());
}

TEST_CASE("the message of std::terminate contains the message of the exception") {
  const auto message = [](const std::exception_ptr& exception) {
    return detail::os::with_exception_message("std::terminate", exception);
  };
  CHECK(message(nullptr) == "std::terminate");
  CHECK(message(std::make_exception_ptr(std::runtime_error("no such device"))) == "std::terminate: no such device");
  CHECK(message(std::make_exception_ptr(1)) == "std::terminate: unknown exception (not derived from std::exception)");
}

TEST_CASE("an access violation is reported with its address and ends the process with its code") {
  const crash c("violation");
  REQUIRE(c.has_report);
#if defined(_WIN32)
  CHECK(starts_with(c.description, "an access violation at "));
  CHECK(c.description.find(".exe+0x") != std::string::npos);
  CHECK(c.description.find("), writing 0x10") != std::string::npos);
#else
  CHECK(c.description == "a segmentation fault (SIGSEGV) at 0x10");
#endif
  CHECK(ended_with(c, 0xC0000005, 139));
}

TEST_CASE("an illegal instruction is reported") {
  const crash c("illegal");
  REQUIRE(c.has_report);
  CHECK(starts_with(c.description, "an illegal instruction"));
  CHECK(ended_with(c, 0xC000001D, 132));
}

TEST_CASE("a stack overflow is reported although its thread has no stack left") {
  const crash c("overflow");
  REQUIRE(c.has_report);
#if defined(_WIN32)
  CHECK(starts_with(c.description, "a stack overflow at "));
#else
  CHECK(starts_with(c.description, "a segmentation fault (SIGSEGV) at "));
#endif
  CHECK(ended_with(c, 0xC00000FD, 139));
}

TEST_CASE("abort() is reported") {
  const crash c("abort");
  REQUIRE(c.has_report);
  CHECK(starts_with(c.description, "abort()"));
  CHECK(ended_with(c, 1064, 134));
}

TEST_CASE("an exception that leaves a thread, a noexcept function or main is reported with its message") {
  for (const char* part : {"thread throws", "main throws"}) {
    CAPTURE(part);
    const crash c(part);
    REQUIRE(c.has_report);
    CHECK(c.description == "std::terminate: no such device");
    CHECK(ended_with(c, 1064, 134));
  }
  const crash c("noexcept throws");
  REQUIRE(c.has_report);
  CHECK(starts_with(c.description, "std::terminate: "));
  CHECK(c.description.size() > std::string("std::terminate: ").size());
  CHECK(ended_with(c, 1064, 134));
}

TEST_CASE("std::terminate without an exception is reported") {
  const crash c("joinable");
  REQUIRE(c.has_report);
  CHECK(c.description == "std::terminate");
  CHECK(ended_with(c, 1064, 134));
}

TEST_CASE("if several threads crash at the same time, one crash is reported and the process ends") {
  const crash c("many");
  REQUIRE(c.has_report);
  CHECK(ended_with(c, 0xC0000005, 139));
}

TEST_CASE("the process ends if on_crash throws or crashes") {
  for (const char* part : {"report throws", "report crashes"}) {
    CAPTURE(part);
    const crash c(part);
    CHECK(c.has_report);
    CHECK(ended_with(c, 0xC0000005, 139));
  }
}

TEST_CASE("the process ends after report_timeout if on_crash does not return") {
  const crash c("report hangs");
  CHECK(c.has_report);
  CHECK(ended_with(c, 0xC0000005, 139));
}

TEST_CASE("without on_crash and folder, a crash ends the process with a failure and writes no file") {
  const crash c("no report");
  CHECK_FALSE(c.has_report);
  CHECK(c.code != 0);
  CHECK(c.files().empty());
}

TEST_CASE("an exception that is caught is not reported") {
  const crash c("caught");
  CHECK_FALSE(c.has_report);
  CHECK(c.code == 11);
}

TEST_CASE("a crash after the crash handler is destroyed is not reported") {
  const crash c("after destruction");
  CHECK_FALSE(c.has_report);
  CHECK(c.code != 0);
}

TEST_CASE("a stack overflow of another thread of the library is reported") {
  for (const char* part : {"overflow on a thread", "overflow with small frames"}) {
    CAPTURE(part);
    const crash c(part);
    REQUIRE(c.has_report);
#if defined(_WIN32)
    CHECK(starts_with(c.description, "a stack overflow at "));
#else
    CHECK(starts_with(c.description, "a segmentation fault (SIGSEGV) at "));
#endif
    CHECK(ended_with(c, 0xC00000FD, 139));
  }
}

TEST_CASE("other arguments do not start the process that writes a dump") {
  CHECK_FALSE(detail::os::run_dump_writer({}));
  CHECK_FALSE(detail::os::run_dump_writer({"status", "write-crash-dump"}));
#if defined(_WIN32)
  CHECK(detail::os::run_dump_writer({"write-crash-dump", "1", "x", "3", "4", "5", "6"}) == 87);
  CHECK(detail::os::run_dump_writer({"write-crash-dump"}) == 87);
#else
  CHECK_FALSE(detail::os::run_dump_writer({"write-crash-dump"}));
#endif
}

#if defined(_WIN32)

TEST_CASE("a minidump contains the thread that crashed and its exception") {
  struct row { const char* part; std::uint32_t exception; };
  const row rows[] = {{"violation", 0xC0000005}, {"overflow", 0xC00000FD}, {"thread throws", 0x40000015}};
  for (const auto& r : rows) {
    CAPTURE(r.part);
    const crash c(r.part, "dump");
    REQUIRE(c.has_report);
    CHECK(c.dump_error == "0");
    REQUIRE(c.dumps().size() == 1);
    CHECK(c.dump == detail::os::path_join(c.folder, c.dumps()[0]));
    const std::string dump = detail::os::read_file(c.dump).value_or("");
    REQUIRE(starts_with(dump, "MDMP"));

    const auto read_uint32 = [&](std::size_t position) {
      std::uint32_t value = 0;
      for (std::size_t i = 4; i-- > 0;) value = value << 8 | static_cast<unsigned char>(dump.at(position + i));
      return value;
    };
    constexpr std::uint32_t exception_stream = 6;
    std::size_t exception = 0;  // MINIDUMP_HEADER: 8 is NumberOfStreams, 12 is StreamDirectoryRva
    for (std::size_t i = 0; i < read_uint32(8); ++i) {
      const std::size_t entry = read_uint32(12) + 12 * i;
      if (read_uint32(entry) == exception_stream) exception = read_uint32(entry + 8);
    }
    REQUIRE(exception != 0);
    CHECK(read_uint32(exception) != 0);  // the thread
    CHECK(read_uint32(exception + 8) == r.exception);
  }
}

TEST_CASE("the dump begins when the report is complete") {
  const crash c("slow report, dump", "dump");
  CHECK(c.code == 0xC0000005);
  CHECK(c.dumps().size() == 1);
}

TEST_CASE("a dump is written although on_crash does not return") {
  const crash c("report hangs, dump", "dump");
  CHECK(c.has_report);
  CHECK(c.dumps().size() == 1);
  CHECK(c.code == 0xC0000005);
}

TEST_CASE("the process ends with its code and without a dump if the dump takes too long") {
  const crash c("dump too slow", "dump");
  CHECK(c.has_report);
  CHECK(waiting::wait_until([&] { return c.dumps().empty(); }, "the incomplete dump is deleted"));
  CHECK(c.code == 0xC0000005);
}

TEST_CASE("a stack overflow of a thread that the app starts is reported") {
  const crash c("overflow on a thread of the app");
  REQUIRE(c.has_report);
  CHECK(starts_with(c.description, "a stack overflow at "));
  CHECK(ended_with(c, 0xC00000FD, 139));
}

TEST_CASE("a thread that starts while a crash handler exists reserves stack, unless its stack is small") {
  const detail::os::crash_handler handler(detail::os::crash_handler::crash_handler_options{});
  struct stack { ULONG size, reserved; };
  for (const unsigned requested : {1024u * 1024, 128u * 1024}) {  // Wine makes the second one larger
    CAPTURE(requested);
    stack found{};
    const auto run = [](void* result) noexcept -> DWORD {
      auto& out = *static_cast<stack*>(result);
      MEMORY_BASIC_INFORMATION info{};
      ::VirtualQuery(&info, &info, sizeof info);
      out.size = static_cast<ULONG>(reinterpret_cast<char*>(&info) - static_cast<char*>(info.AllocationBase));
      ::SetThreadStackGuarantee(&out.reserved);  // with 0, it returns the reserve and does not change it
      return 0;
    };
    const HANDLE thread = ::CreateThread(nullptr, requested, run, &found, STACK_SIZE_PARAM_IS_A_RESERVATION, nullptr);
    REQUIRE(thread);
    CHECK(::WaitForSingleObject(thread, 60'000) == WAIT_OBJECT_0);
    ::CloseHandle(thread);
    CHECK((found.reserved >= 64 * 1024) == (found.size > 256 * 1024));
  }
}

TEST_CASE("a call of a pure virtual function is reported") {
  const crash c("pure call");
  REQUIRE(c.has_report);
  CHECK(c.description == "a call of a pure virtual function");
  CHECK(ended_with(c, 1064, 134));
}

TEST_CASE("an invalid parameter of a C runtime function is reported") {
  const crash c("invalid parameter");
  REQUIRE(c.has_report);
  CHECK(c.description == "an invalid parameter of strcpy_s: size > length");
  CHECK(ended_with(c, 1064, 134));
}

TEST_CASE("a corrupted heap is reported") {
  const crash c("heap corruption");
  REQUIRE(c.has_report);
  CHECK(starts_with(c.description, "a corrupted heap at "));
  CHECK(ended_with(c, 0xC0000374, 134));
}

TEST_CASE("no mode of the process opens a message box while a crash handler exists") {
  const auto before = ::GetErrorMode();
  {
    const detail::os::crash_handler handler(detail::os::crash_handler::crash_handler_options{});
    constexpr auto flags = SEM_FAILCRITICALERRORS | SEM_NOGPFAULTERRORBOX | SEM_NOOPENFILEERRORBOX;
    CHECK((::GetErrorMode() & flags) == flags);
    CHECK(::_set_error_mode(_REPORT_ERRMODE) == _OUT_TO_STDERR);
  }
  CHECK(::GetErrorMode() == before);
}

TEST_CASE("the newest dumps are kept, and other files in the folder are not deleted") {
  crash c("violation");
  CHECK(c.dumps().empty());
  CHECK(c.dump.empty());
  CHECK(c.dump_error == "0");
  for (const char* older : {"hello-20200101-000000-1.dmp", "hello-20200101-000001-1.dmp", "hello-20200101-000002-1.dmp",
                            "hello-world-20200101-000000-1.dmp", "hello.log"})
    CHECK(detail::os::replace_file(detail::os::path_join(c.folder, older), "x"));
  c.mode = "dump";
  c.run("violation");
  const auto dumps = c.dumps();
  REQUIRE(dumps.size() == 3);
  CHECK(dumps[0] == "hello-20200101-000001-1.dmp");
  CHECK(detail::os::read_file(detail::os::path_join(c.folder, "hello-world-20200101-000000-1.dmp")));
  CHECK(detail::os::read_file(detail::os::path_join(c.folder, "hello.log")));
}

TEST_CASE("if no dump can be written, the report contains the error code") {
  const crash c("no folder");
  REQUIRE(c.has_report);
  CHECK(c.dump.empty());
  CHECK(c.dump_error == "3");
  CHECK(ended_with(c, 0xC0000005, 139));
}

TEST_CASE("an exception description contains the address, and the code if it has no name") {
  EXCEPTION_RECORD record{};
  record.ExceptionCode = 0xE0001234;
  record.ExceptionAddress = reinterpret_cast<void*>(0x10);
  CHECK(starts_with(detail::os::exception_description(record), "exception 0xE0001234 at "));
  CHECK(detail::os::exception_description(record).find('(') == std::string::npos);
  record.ExceptionCode = EXCEPTION_ACCESS_VIOLATION;
  record.NumberParameters = 2;
  record.ExceptionInformation[0] = 8;
  record.ExceptionInformation[1] = 0xABC;
  CHECK(detail::os::exception_description(record).find(", executing 0xabc") != std::string::npos);
}

#endif
