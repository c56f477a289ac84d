// Crash handler on Windows (os/crash.hpp).
//
// The crashing thread may have no stack left and may hold any lock, also the lock of the heap. So it only stores
// pointers to the exception and waits, with a timeout, for the report thread, which exists from the start. That thread
// writes the dump before it allocates memory. Then the process ends, also if the report failed.
//
// Source: SetUnhandledExceptionFilter, MiniDumpWriteDump, EXCEPTION_RECORD, set_terminate in the Win32 and C runtime
// documentation.
#pragma once

#include <atomic>
#include <csignal>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <string>
#include <string_view>
#include <thread>
#include <utility>

#include "winsvc/config/abi.hpp"
#include "winsvc/scm/spec.hpp"
#include "winsvc/os/crash.hpp"
#include "winsvc/os/file.hpp"
#include "winsvc/os/process.hpp"
#include "winsvc/os/win/windows_headers.hpp"
#include "winsvc/os/win/file.hpp"
#include "winsvc/os/win/system_library.hpp"
#include "winsvc/os/win/security.hpp"
#include "winsvc/os/win/wide.hpp"

#if WINSVC_OS_WINDOWS
namespace winsvc {
inline namespace WINSVC_ABI {
namespace detail::os {

/// Describes an exception: `an access violation at 0x7ff6a1c01234 (hello.exe+0x1234), reading 0x10`.
[[nodiscard]] std::string exception_description(const EXCEPTION_RECORD& record);

struct crash_handler::state {
#pragma pack(push, 4)
  struct dump_exception {  // MINIDUMP_EXCEPTION_INFORMATION; <dbghelp.h> is not included because of its macros
    DWORD thread;
    EXCEPTION_POINTERS* pointers;
    BOOL client_pointers;
  };
#pragma pack(pop)
  using write_dump_function = BOOL(WINAPI*)(HANDLE process, DWORD id, HANDLE file, int type, const dump_exception*,
                                            const void*, const void*);
  static constexpr std::uint32_t exception_in_service = 1064;

  crash_handler_options options;
  write_dump_function write_dump = nullptr;
  std::wstring dump_path;               // allocated with the length of the longest name
  std::size_t name_length = 0;          // length of dump_path without date, time and process ID; 0: no dump requested
  local_memory dump_security{nullptr};  // security descriptor of the dump
  unique_handle crash_event, dump_written, report_done;
  std::thread report_thread;
  std::atomic<DWORD> report_thread_id{0};
  LPTOP_LEVEL_EXCEPTION_FILTER previous_filter = nullptr;
  std::terminate_handler previous_terminate = nullptr;
  void (*previous_abort)(int) = SIG_DFL;

  // The crashing thread writes these before it sets crash_event; the report thread reads them after that.
  std::string description;  // empty: describe the exception
  DWORD code = 0, thread = 0;
  EXCEPTION_POINTERS* pointers = nullptr;
  std::atomic<bool> claimed{false}, finished{false};

  static std::atomic<state*>& current() noexcept {
    static std::atomic<state*> instance{nullptr};
    return instance;
  }

  // -- on the crashing thread --

  /// Starts the report, waits for it and ends the process.
  [[noreturn]] void end_process(DWORD exit_code, EXCEPTION_POINTERS* exception) noexcept {
    code = exit_code;
    pointers = exception;
    thread = ::GetCurrentThreadId();
    ::SetEvent(crash_event.get());
    ::WaitForSingleObject(dump_written.get(), 30'000);
    ::WaitForSingleObject(report_done.get(), static_cast<DWORD>(options.report_timeout.count()));
    for (;;) ::TerminateProcess(::GetCurrentProcess(), code);
  }
  /// Returns for the first crash. A second crashing thread waits here until the first ends the process. If the report
  /// thread crashes, it ends the process, because the first thread waits for it.
  void claim() noexcept {
    if (!claimed.exchange(true)) return;
    if (::GetCurrentThreadId() == report_thread_id) ::TerminateProcess(::GetCurrentProcess(), code);
    ::Sleep(INFINITE);
  }
  /// Ends the process without a structured exception: creates an exception record, so that a debugger shows this place.
  [[noreturn]] void wait_until_terminated() noexcept {
    CONTEXT context{};
    ::RtlCaptureContext(&context);
    EXCEPTION_RECORD record{};
    record.ExceptionCode = 0x40000015;  // STATUS_FATAL_APP_EXIT
    EXCEPTION_POINTERS exception{&record, &context};
    end_process(exception_in_service, &exception);
  }

  static LONG WINAPI on_exception(EXCEPTION_POINTERS* exception) noexcept {
    const EXCEPTION_RECORD& record = *exception->ExceptionRecord;
    // An uncaught throw of libgcc: if the filter continues it, it returns to __cxa_throw, which calls std::terminate.
    constexpr DWORD gnu_throw = 0x20474343, gnu_mask = 0x20FFFFFF, microsoft_throw = 0xE06D7363;
    const bool is_continuable = (record.ExceptionFlags & EXCEPTION_NONCONTINUABLE) == 0;
    if ((record.ExceptionCode & gnu_mask) == gnu_throw && is_continuable) return EXCEPTION_CONTINUE_EXECUTION;
    state* const s = current();
    if (!s) return EXCEPTION_CONTINUE_SEARCH;  // other code restored this filter after the handler was destroyed
    s->claim();
    if (record.ExceptionCode == microsoft_throw) {
      s->description = terminate_message();
      s->end_process(exception_in_service, exception);
    }
    s->end_process(record.ExceptionCode, exception);
  }

  [[noreturn]] static void on_terminate() noexcept {
    state* const s = current();
    if (!s) std::abort();
    s->claim();
    s->description = terminate_message();
    s->wait_until_terminated();
  }

  /// SIGABRT. Microsoft's set_terminate applies to one thread; an exception that leaves another thread calls abort().
  static void on_abort(int) noexcept {
    state* const s = current();
    if (!s) return;
    s->claim();
    const std::string message = current_exception_message();
    s->description = message.empty() ? "abort()" : "abort(): " + message;
    s->wait_until_terminated();
  }

  // -- on the report thread --

  void report_thread_main() {
    ::WaitForSingleObject(crash_event.get(), INFINITE);
    if (finished) return;
    const std::uint32_t dump_error = name_length != 0 ? dump() : 0;
    ::SetEvent(dump_written.get());
    try {
      crash_report report;
      report.description = description.empty() ? exception_description(*pointers->ExceptionRecord) : description;
      report.code = code;
      report.dump_error = dump_error;
      if (name_length != 0 && dump_error == 0) report.dump = to_utf8(dump_path);
      delete_old_dumps();
      if (options.on_crash) options.on_crash(report);
    } catch (...) {  // the process ends in any case
    }
    ::SetEvent(report_done.get());
  }

  /// Allocates the memory for the longest path, so that a crash needs no allocation.
  void prepare_dump() {
    if (options.folder.empty()) return;
    // Memory contains secrets: only the system, administrators and this account may read a dump, in any folder.
    if (const auto sid = current_user_sid()) {
      if (auto descriptor = descriptor_of("D:P(A;;FA;;;SY)(A;;FA;;;BA)(A;;FA;;;" + *sid + ")"))
        dump_security = *std::move(descriptor);
    }
    write_dump = system_library("dbghelp.dll").find<write_dump_function>("MiniDumpWriteDump");
    constexpr std::string_view longest = "-20260131-080509-4294967295.dmp";
    dump_path = wide_path(path_join(options.folder, options.name + std::string(longest)));
    name_length = dump_path.size() - longest.size();
  }

  std::uint32_t dump() noexcept {
    if (!write_dump) return ERROR_MOD_NOT_FOUND;
    SYSTEMTIME now{};
    ::GetSystemTime(&now);
    char name[64];
    const int length = std::snprintf(name, sizeof name, "-%04u%02u%02u-%02u%02u%02u-%lu.dmp", now.wYear, now.wMonth,
                                     now.wDay, now.wHour, now.wMinute, now.wSecond,
                                     static_cast<unsigned long>(::GetCurrentProcessId()));
    dump_path.resize(name_length);
    for (int i = 0; i < length; ++i) dump_path += static_cast<wchar_t>(name[i]);

    DWORD error = 0;
    {
      SECURITY_ATTRIBUTES attributes{sizeof(SECURITY_ATTRIBUTES), dump_security.get(), FALSE};
      const unique_handle file(
          ::CreateFileW(dump_path.c_str(), GENERIC_WRITE, 0, &attributes, CREATE_NEW, FILE_ATTRIBUTE_NORMAL, nullptr));
      if (!file) return ::GetLastError();
      // MINIDUMP_TYPE: memory that the stacks refer to, unloaded modules and thread times, but not the complete heap.
      constexpr int indirect = 0x40, unloaded = 0x20, times = 0x1000;
      const dump_exception exception{thread, pointers, FALSE};
      if (write_dump(::GetCurrentProcess(), ::GetCurrentProcessId(), file.get(), indirect | unloaded | times,
                     &exception, nullptr, nullptr)) {
        return 0;
      }
      error = ::GetLastError();
    }
    ::DeleteFileW(dump_path.c_str());
    return error != 0 ? error : ERROR_WRITE_FAULT;
  }

  void delete_old_dumps() const {
    const auto files = list_files(options.folder);
    if (!files) return;
    for (const auto& file : excess_dumps(*files, options.name, options.max_dumps))
      remove_file(path_join(options.folder, file));
  }
};

}  // namespace detail::os
}  // inline namespace WINSVC_ABI
}  // namespace winsvc

// ---------------------------------------------------------------------------------------------------------------------

#if WINSVC_BODIES_OS

namespace winsvc {
inline namespace WINSVC_ABI {
namespace detail::os {

WINSVC_INLINE std::string exception_description(const EXCEPTION_RECORD& record) {
  struct known_exception {
    DWORD code;
    const char* description;
  };
  constexpr known_exception table[] = {
      {0xC0000005, "an access violation"},         {0xC00000FD, "a stack overflow"},
      {0xC0000094, "an integer division by zero"}, {0xC0000095, "an integer overflow"},
      {0xC000001D, "an illegal instruction"},      {0xC0000096, "a privileged instruction"},
      {0xC0000006, "a page that cannot be read"},  {0xC000008C, "an array index out of bounds"},
      {0x80000002, "a misaligned access"},         {0x80000003, "a breakpoint"},
      {0xC000008E, "a division by zero"},          {0xC0000090, "an invalid floating-point operation"},
  };
  char text[64];
  std::snprintf(text, sizeof text, "exception 0x%08lX", static_cast<unsigned long>(record.ExceptionCode));
  std::string out = text;
  for (const auto& known : table) {
    if (known.code == record.ExceptionCode) out = known.description;
  }

  std::snprintf(text, sizeof text, " at %p", record.ExceptionAddress);
  out += text;
  HMODULE module = nullptr;
  wchar_t file[MAX_PATH];
  if (::GetModuleHandleExW(GET_MODULE_HANDLE_EX_FLAG_FROM_ADDRESS | GET_MODULE_HANDLE_EX_FLAG_UNCHANGED_REFCOUNT,
                           static_cast<const wchar_t*>(record.ExceptionAddress), &module) &&
      ::GetModuleFileNameW(module, file, MAX_PATH) != 0) {
    const std::string path = to_utf8(file);
    const auto offset = static_cast<const char*>(record.ExceptionAddress) - reinterpret_cast<const char*>(module);
    std::snprintf(text, sizeof text, "+0x%llx)", static_cast<unsigned long long>(offset));
    out += " (" + path.substr(path.find_last_of("/\\") + 1) + text;
  }

  if (record.ExceptionCode == EXCEPTION_ACCESS_VIOLATION && record.NumberParameters >= 2) {
    const ULONG_PTR access = record.ExceptionInformation[0];
    std::snprintf(text, sizeof text, ", %s 0x%llx", access == 0 ? "reading" : access == 1 ? "writing" : "executing",
                  static_cast<unsigned long long>(record.ExceptionInformation[1]));
    out += text;
  }
  return out;
}

WINSVC_INLINE crash_handler::crash_handler(crash_handler_options options) : state_(new state) {
  state_->options = std::move(options);
  state_->options.name = scm::folder_name(state_->options.name);
  state_->prepare_dump();
  const auto make_event = [] { return unique_handle(::CreateEventW(nullptr, TRUE, FALSE, nullptr)); };
  state_->crash_event = make_event();
  state_->dump_written = make_event();
  state_->report_done = make_event();
  if (!state_->crash_event || !state_->dump_written || !state_->report_done) return;  // no report without events
  state_->report_thread = std::thread([state = state_] {
    state->report_thread_id = ::GetCurrentThreadId();
    state->report_thread_main();
  });
  state::current() = state_;
  state_->previous_filter = ::SetUnhandledExceptionFilter(&state::on_exception);
  state_->previous_terminate = std::set_terminate(&state::on_terminate);
  state_->previous_abort = std::signal(SIGABRT, &state::on_abort);
}

WINSVC_INLINE crash_handler::~crash_handler() {
  if (!state_->report_thread.joinable()) {
    delete state_;
    return;
  }
  // Restore the previous handlers; keep a handler that other code has installed since.
  const auto filter = ::SetUnhandledExceptionFilter(state_->previous_filter);
  if (filter != &state::on_exception) ::SetUnhandledExceptionFilter(filter);
  const auto terminate = std::set_terminate(state_->previous_terminate);
  if (terminate != &state::on_terminate) std::set_terminate(terminate);
  const auto abort = std::signal(SIGABRT, state_->previous_abort);
  if (abort != &state::on_abort) std::signal(SIGABRT, abort);
  state::current() = nullptr;
  state_->finished = true;
  ::SetEvent(state_->crash_event.get());
  state_->report_thread.join();
  delete state_;
}

}  // namespace detail::os
}  // inline namespace WINSVC_ABI
}  // namespace winsvc

#endif  // WINSVC_BODIES_OS

#endif  // WINSVC_OS_WINDOWS
