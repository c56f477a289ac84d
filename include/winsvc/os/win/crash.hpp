// os/crash.hpp on Windows.
//
// The crashing thread may have no stack left and may hold any lock, the heap's too. So it does next to nothing: it says
// where it stands and waits, with a limit, for a thread that was made for this in time and writes the dump before it
// asks for any memory. Then the process ends, whatever became of that.
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
namespace os {

/// `an access violation at 0x7ff6a1c01234 (hello.exe+0x1234), reading 0x10`
[[nodiscard]] std::string exception_description(const EXCEPTION_RECORD& record);

struct crash_handler::state {
#pragma pack(push, 4)
  struct dump_exception {  // MINIDUMP_EXCEPTION_INFORMATION: <dbghelp.h> would bring all its macros for this one struct
    DWORD thread;
    EXCEPTION_POINTERS* pointers;
    BOOL client_pointers;
  };
#pragma pack(pop)
  using write_dump = BOOL(WINAPI*)(HANDLE process, DWORD id, HANDLE file, int type, const dump_exception*, const void*,
                                   const void*);
  static constexpr std::uint32_t exception_in_service = 1064;

  crash_handler_options options;
  write_dump write = nullptr;
  std::wstring path;        // of the dump, with room for digits
  std::size_t digits = 0;   // where they begin
  local_memory security{nullptr};  // whom it is open to
  unique_handle crashed, written, report_done;
  std::thread report_thread;
  std::atomic<DWORD> report_thread_id{0};
  LPTOP_LEVEL_EXCEPTION_FILTER previous_filter = nullptr;
  std::terminate_handler previous_terminate = nullptr;
  void (*previous_abort)(int) = SIG_DFL;

  // Said by the crashing thread before `crashed` is set, read by the witness after it.
  std::string description;  // empty: those of the exception
  DWORD code = 0, thread = 0;
  EXCEPTION_POINTERS* pointers = nullptr;
  std::atomic<bool> claimed{false}, finished{false};

  static std::atomic<state*>& current() noexcept {
    static std::atomic<state*> one{nullptr};
    return one;
  }

  // -- on the crashing thread --

  /// Whoever crashes second waits for the end that the first one brings; but for the witness everybody would wait.
  [[noreturn]] void end_process(DWORD with_code, EXCEPTION_POINTERS* where) noexcept {
    code = with_code;
    pointers = where;
    thread = ::GetCurrentThreadId();
    ::SetEvent(crashed.get());
    ::WaitForSingleObject(written.get(), 30'000);
    ::WaitForSingleObject(report_done.get(), static_cast<DWORD>(options.report_timeout.count()));
    for (;;) ::TerminateProcess(::GetCurrentProcess(), code);
  }
  void claim() noexcept {
    if (!claimed.exchange(true)) return;
    if (::GetCurrentThreadId() == report_thread_id) ::TerminateProcess(::GetCurrentProcess(), code);
    ::Sleep(INFINITE);
  }
  /// Where there is no exception of the system's: one is made up, so that a debugger opens the dump at this place.
  [[noreturn]] void wait_until_terminated() noexcept {
    CONTEXT context{};
    ::RtlCaptureContext(&context);
    EXCEPTION_RECORD record{};
    record.ExceptionCode = 0x40000015;  // STATUS_FATAL_APP_EXIT
    EXCEPTION_POINTERS here{&record, &context};
    end_process(exception_in_service, &here);
  }

  static LONG WINAPI on_exception(EXCEPTION_POINTERS* where) noexcept {
    const EXCEPTION_RECORD& record = *where->ExceptionRecord;
    // A throw of libgcc's that nobody catches: told to go on, it comes back to __cxa_throw, which calls std::terminate.
    constexpr DWORD gnu_throw = 0x20474343, gnu_mask = 0x20FFFFFF, microsoft_throw = 0xE06D7363;
    const bool may_go_on = (record.ExceptionFlags & EXCEPTION_NONCONTINUABLE) == 0;
    if ((record.ExceptionCode & gnu_mask) == gnu_throw && may_go_on) return EXCEPTION_CONTINUE_EXECUTION;
    state* const s = current();
    if (!s) return EXCEPTION_CONTINUE_SEARCH;  // somebody kept our filter for longer than we live
    s->claim();
    if (record.ExceptionCode == microsoft_throw) {
      s->description = terminate_message();
      s->end_process(exception_in_service, where);
    }
    s->end_process(record.ExceptionCode, where);
  }

  [[noreturn]] static void on_terminate() noexcept {
    state* const s = current();
    if (!s) std::abort();
    s->claim();
    s->description = terminate_message();
    s->wait_until_terminated();
  }

  /// Microsoft's set_terminate is for one thread: an exception that leaves another one ends in abort(), and here.
  static void on_abort(int) noexcept {
    state* const s = current();
    if (!s) return;
    s->claim();
    const std::string message = current_exception_message();
    s->description = message.empty() ? "abort()" : "abort(): " + message;
    s->wait_until_terminated();
  }

  // -- on the witness --

  void report_thread_main() {
    ::WaitForSingleObject(crashed.get(), INFINITE);
    if (finished) return;
    const std::uint32_t fault = digits != 0 ? dump() : 0;
    ::SetEvent(written.get());
    try {
      crash_report report;
      report.description = description.empty() ? exception_description(*pointers->ExceptionRecord) : description;
      report.code = code;
      report.dump_error = fault;
      if (digits != 0 && fault == 0) report.dump = to_utf8(path);
      delete_old_dumps();
      if (options.on_crash) options.on_crash(report);
    } catch (...) {  // the process ends in any case
    }
    ::SetEvent(report_done.get());
  }

  /// Room for the largest name now, so that none has to be found then.
  void prepare_dump() {
    if (options.folder.empty()) return;
    // Memory holds secrets: a dump is the system's, administrators' and the service's own, wherever it lies.
    if (const auto me = current_user_sid()) {
      if (auto made = descriptor_of("D:P(A;;FA;;;SY)(A;;FA;;;BA)(A;;FA;;;" + *me + ")")) security = *std::move(made);
    }
    write = system_library("dbghelp.dll").find<write_dump>("MiniDumpWriteDump");
    constexpr std::string_view largest = "-20260131-080509-4294967295.dmp";
    path = wide_path(path_join(options.folder, options.name + std::string(largest)));
    digits = path.size() - largest.size();
  }

  std::uint32_t dump() noexcept {
    if (!write) return ERROR_MOD_NOT_FOUND;
    SYSTEMTIME now{};
    ::GetSystemTime(&now);
    char name[64];
    const int length = std::snprintf(name, sizeof name, "-%04u%02u%02u-%02u%02u%02u-%lu.dmp", now.wYear, now.wMonth,
                                     now.wDay, now.wHour, now.wMinute, now.wSecond,
                                     static_cast<unsigned long>(::GetCurrentProcessId()));
    path.resize(digits);
    for (int i = 0; i < length; ++i) path += static_cast<wchar_t>(name[i]);

    DWORD fault = 0;
    {
      SECURITY_ATTRIBUTES closed{sizeof(SECURITY_ATTRIBUTES), security.get(), FALSE};
      const unique_handle file(
          ::CreateFileW(path.c_str(), GENERIC_WRITE, 0, &closed, CREATE_NEW, FILE_ATTRIBUTE_NORMAL, nullptr));
      if (!file) return ::GetLastError();
      // What the stacks' pointers lead to, unloaded modules, and the threads' times: no whole heap.
      constexpr int indirect = 0x40, unloaded = 0x20, times = 0x1000;
      const dump_exception exception{thread, pointers, FALSE};
      if (write(::GetCurrentProcess(), ::GetCurrentProcessId(), file.get(), indirect | unloaded | times, &exception,
                nullptr, nullptr)) {
        return 0;
      }
      fault = ::GetLastError();
    }
    ::DeleteFileW(path.c_str());
    return fault != 0 ? fault : ERROR_WRITE_FAULT;
  }

  void delete_old_dumps() const {
    const auto files = list_files(options.folder);
    if (!files) return;
    for (const auto& file : excess_dumps(*files, options.name, options.max_dumps)) remove_file(path_join(options.folder, file));
  }
};

}  // namespace os
}  // inline namespace WINSVC_ABI
}  // namespace winsvc

// ---------------------------------------------------------------------------------------------------------------------

#if WINSVC_BODIES_OS

namespace winsvc {
inline namespace WINSVC_ABI {
namespace os {

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
  for (const auto& k : table) {
    if (k.code == record.ExceptionCode) out = k.description;
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
    const ULONG_PTR how = record.ExceptionInformation[0];
    std::snprintf(text, sizeof text, ", %s 0x%llx", how == 0 ? "reading" : how == 1 ? "writing" : "executing",
                  static_cast<unsigned long long>(record.ExceptionInformation[1]));
    out += text;
  }
  return out;
}

WINSVC_INLINE crash_handler::crash_handler(crash_handler_options s) : state_(new state) {
  state_->options = std::move(s);
  state_->options.name = model::folder_name(state_->options.name);
  state_->prepare_dump();
  const auto event = [] { return unique_handle(::CreateEventW(nullptr, TRUE, FALSE, nullptr)); };
  state_->crashed = event();
  state_->written = event();
  state_->report_done = event();
  if (!state_->crashed || !state_->written || !state_->report_done) return;  // no one would hear of it: as if we were not there
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
  // What somebody has put over ours since stays.
  const auto filter = ::SetUnhandledExceptionFilter(state_->previous_filter);
  if (filter != &state::on_exception) ::SetUnhandledExceptionFilter(filter);
  const auto terminate = std::set_terminate(state_->previous_terminate);
  if (terminate != &state::on_terminate) std::set_terminate(terminate);
  const auto abort = std::signal(SIGABRT, state_->previous_abort);
  if (abort != &state::on_abort) std::signal(SIGABRT, abort);
  state::current() = nullptr;
  state_->finished = true;
  ::SetEvent(state_->crashed.get());
  state_->report_thread.join();
  delete state_;
}

}  // namespace os
}  // inline namespace WINSVC_ABI
}  // namespace winsvc

#endif  // WINSVC_BODIES_OS

#endif  // WINSVC_OS_WINDOWS
