// Crash handler on Windows (os/crash.hpp): catches fatal errors. One thread reports the error, and another one starts
// the process that writes the dump.
//
// The crashing thread may have no stack left and may hold any lock, also the lock of the heap. So it only stores
// pointers (os/win/crash_cause.hpp), without an allocation, and waits with a timeout. Two threads exist from the start:
//
//   report thread   describes the cause and calls on_crash; after the dump, it calls on_dump
//   dump thread     when on_crash has returned, or after its timeout, starts the process that writes the dump
//
// Then the crashing thread ends the process, also if a report or the dump failed or hangs.
//
// Source: SetUnhandledExceptionFilter, AddVectoredExceptionHandler, set_terminate, _set_invalid_parameter_handler,
// _set_purecall_handler and _CrtSetReportHook2 in the Win32 and C runtime documentation.
#pragma once

#include <atomic>
#include <csignal>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <exception>
#include <optional>
#include <string>
#include <thread>
#include <utility>

#include "winsvc/config/abi.hpp"
#include "winsvc/scm/spec.hpp"
#include "winsvc/os/crash.hpp"
#include "winsvc/os/file.hpp"
#include "winsvc/os/thread.hpp"
#include "winsvc/os/win/windows_headers.hpp"
#include "winsvc/os/win/crash_cause.hpp"
#include "winsvc/os/win/dump_writer.hpp"
#include "winsvc/os/win/runtime_error_mode.hpp"
#include "winsvc/os/win/thread.hpp"
#include "winsvc/os/win/wide.hpp"

#if WINSVC_OS_WINDOWS
namespace winsvc {
inline namespace WINSVC_ABI {
namespace detail::os {

struct crash_handler::state {
  crash_handler_options options;
  std::optional<dump_writer> dump;  // nullopt: no dump requested
  unique_handle crash_event, reported, dumped, finished_reports;
  std::thread report_thread, dump_thread;
  std::atomic<DWORD> report_thread_id{0}, dump_thread_id{0};  // each stored by its thread, loaded by a crashing thread
  reserved_stack stack;  // of the thread that creates the handler
  no_message_boxes error_mode;
  LPTOP_LEVEL_EXCEPTION_FILTER previous_filter = nullptr;
  void* vectored_handler = nullptr;
  std::terminate_handler previous_terminate = nullptr;
  void (*previous_abort)(int) = SIG_DFL;
  _invalid_parameter_handler previous_invalid_parameter = nullptr;
#if defined(_MSC_VER)
  _purecall_handler previous_pure_call = nullptr;
#endif

  crash_cause cause;      // written by the crashing thread before it sets crash_event
  DWORD dump_error = 0;   // written by the dump thread before it sets dumped
  // Default order. `claimed`: an exchange selects the first crashing thread. `stopping` is set before crash_event and
  // loaded after it.
  std::atomic<bool> claimed{false}, stopping{false};

  /// The handler of the process. Atomic, because any thread may crash while it is set or cleared. Default order: the
  /// thread that loads it sees the complete state.
  static std::atomic<state*>& current() noexcept {
    static std::atomic<state*> instance{nullptr};
    return instance;
  }
  [[nodiscard]] DWORD report_limit() const noexcept { return static_cast<DWORD>(options.report_timeout.count()); }

  // -- on the crashing thread --

  /// Starts the report, waits for it and ends the process.
  [[noreturn]] void end_process(DWORD exit_code, EXCEPTION_POINTERS* pointers) noexcept {
    cause.code = exit_code;
    cause.pointers = pointers;
    cause.thread = ::GetCurrentThreadId();
    ::SetEvent(crash_event.get());
    const bool is_reported = ::WaitForSingleObject(reported.get(), report_limit()) == WAIT_OBJECT_0;
    if (dump) {
      const auto limit = options.dump_start_timeout + options.dump_timeout;
      ::WaitForSingleObject(dumped.get(), static_cast<DWORD>(limit.count()));
      if (is_reported) ::WaitForSingleObject(finished_reports.get(), report_limit());
    }
    for (;;) ::TerminateProcess(::GetCurrentProcess(), cause.code);
  }
  /// Returns for the first crash. A second crashing thread waits here until the first ends the process. If a thread of
  /// the crash handler crashes, it ends the process, because the first thread waits for it.
  void claim() noexcept {
    if (!claimed.exchange(true)) return;
    const DWORD thread = ::GetCurrentThreadId();
    if (thread == report_thread_id || thread == dump_thread_id)
      ::TerminateProcess(::GetCurrentProcess(), cause.code);
    ::Sleep(INFINITE);
  }
  /// Ends the process without a structured exception: creates an exception record, so that a debugger shows this place.
  [[noreturn]] void end_without_exception(crash_cause::kind kind) noexcept {
    cause.kind_of_cause = kind;
    CONTEXT context{};
    ::RtlCaptureContext(&context);
    EXCEPTION_RECORD record{};
    record.ExceptionCode = 0x40000015;  // STATUS_FATAL_APP_EXIT
    EXCEPTION_POINTERS pointers{&record, &context};
    end_process(crash_cause::exception_in_service, &pointers);
  }

  static LONG WINAPI on_exception(EXCEPTION_POINTERS* pointers) noexcept {
    const EXCEPTION_RECORD& record = *pointers->ExceptionRecord;
    // An uncaught throw of libgcc: if the filter continues it, it returns to __cxa_throw, which calls std::terminate.
    constexpr DWORD gnu_throw = 0x20474343, gnu_mask = 0x20FFFFFF;
    const bool is_continuable = (record.ExceptionFlags & EXCEPTION_NONCONTINUABLE) == 0;
    if ((record.ExceptionCode & gnu_mask) == gnu_throw && is_continuable) return EXCEPTION_CONTINUE_EXECUTION;
    state* const s = current();
    if (!s) return EXCEPTION_CONTINUE_SEARCH;  // other code restored this filter after the handler was destroyed
    s->claim();
    if (record.ExceptionCode == crash_cause::microsoft_throw) {
      s->cause.uncaught.capture(*pointers);
      s->end_process(crash_cause::exception_in_service, pointers);
    }
    s->end_process(record.ExceptionCode, pointers);
  }
  /// Windows reports a corrupted heap to vectored handlers only, not to the unhandled-exception filter.
  static LONG WINAPI on_corrupted_heap(EXCEPTION_POINTERS* pointers) noexcept {
    constexpr DWORD heap_corruption = 0xC0000374;
    if (pointers->ExceptionRecord->ExceptionCode != heap_corruption) return EXCEPTION_CONTINUE_SEARCH;
    return on_exception(pointers);
  }

  [[noreturn]] static void on_terminate() noexcept {
    state* const s = current();
    if (!s) std::abort();
    s->claim();
#if !defined(_MSC_VER)
    if (calls_pure_virtual()) s->end_without_exception(crash_cause::kind::pure_call);
#endif
    s->cause.uncaught.capture();
    s->end_without_exception(crash_cause::kind::terminate);
  }
  /// SIGABRT. Microsoft's set_terminate applies to one thread; an exception that leaves another thread calls abort().
  static void on_abort(int) noexcept {
    state* const s = current();
    if (!s) return;
    s->claim();
    s->cause.uncaught.capture();
    s->end_without_exception(crash_cause::kind::abort);
  }
  static void on_invalid_parameter(const wchar_t* expression, const wchar_t* function, const wchar_t*, unsigned,
                                   std::uintptr_t) noexcept {
    state* const s = current();
    if (!s) return;
    s->claim();
    s->cause.expression = expression;
    s->cause.function = function;
    s->end_without_exception(crash_cause::kind::invalid_parameter);
  }
#if defined(_MSC_VER)
  static void __cdecl on_pure_call() noexcept {
    state* const s = current();
    if (!s) return;
    s->claim();
    s->end_without_exception(crash_cause::kind::pure_call);
  }
#if defined(_DEBUG)
  static int __cdecl on_debug_report(int type, char* message, int*) noexcept {
    state* const s = current();
    if (!s || type == _CRT_WARN) return FALSE;
    s->claim();
    for (std::size_t i = 0; message && message[i] != '\0' && i + 1 < sizeof s->cause.text; ++i)
      s->cause.text[i] = message[i];
    s->end_without_exception(crash_cause::kind::assertion);
  }
#endif
#endif

  // -- on the threads of the crash handler --

  void report_thread_main() {
    report_thread_id = ::GetCurrentThreadId();
    ::WaitForSingleObject(crash_event.get(), INFINITE);
    if (stopping) return;
    crash_report report;
    try {
      report.description = describe(cause);
      report.code = cause.code;
      if (options.on_crash) options.on_crash(report);
    } catch (...) {  // the process ends in any case
    }
    ::SetEvent(reported.get());
    if (!dump) return;
    ::WaitForSingleObject(dumped.get(), INFINITE);
    try {
      report.dump_error = dump_error;
      if (dump_error == 0) report.dump = dump->path();
      delete_old_dumps();
      if (options.on_dump) options.on_dump(report);
    } catch (...) {
    }
    ::SetEvent(finished_reports.get());
  }
  void dump_thread_main() {
    dump_thread_id = ::GetCurrentThreadId();
    ::WaitForSingleObject(crash_event.get(), INFINITE);
    if (stopping) return;
    ::WaitForSingleObject(reported.get(), report_limit());
    dump_error = dump->write(cause.thread, cause.pointers, cause.code);
    ::SetEvent(dumped.get());
  }
  void delete_old_dumps() const {
    const auto files = list_files(options.folder);
    if (!files) return;
    for (const auto& file : excess_dumps(*files, options.name, options.max_dumps))
      remove_file(path_join(options.folder, file));
  }

  // -- on the thread that owns the handler --

  void start();
  void stop() noexcept;
  void set_handlers() noexcept {
    current() = this;
    reserve_stack_of_new_threads();
    previous_filter = ::SetUnhandledExceptionFilter(&on_exception);
    vectored_handler = ::AddVectoredExceptionHandler(1, &on_corrupted_heap);
    previous_terminate = std::set_terminate(&on_terminate);
    previous_abort = std::signal(SIGABRT, &on_abort);
    previous_invalid_parameter = ::_set_invalid_parameter_handler(&on_invalid_parameter);
#if defined(_MSC_VER)
    previous_pure_call = ::_set_purecall_handler(&on_pure_call);
#if defined(_DEBUG)
    ::_CrtSetReportHook2(_CRT_RPTHOOK_INSTALL, &on_debug_report);
#endif
#endif
  }
  /// Restores the previous handlers; keeps a handler that other code has installed since.
  void restore_handlers() noexcept {
    const auto filter = ::SetUnhandledExceptionFilter(previous_filter);
    if (filter != &on_exception) ::SetUnhandledExceptionFilter(filter);
    if (vectored_handler) ::RemoveVectoredExceptionHandler(vectored_handler);
    const auto terminate = std::set_terminate(previous_terminate);
    if (terminate != &on_terminate) std::set_terminate(terminate);
    const auto abort = std::signal(SIGABRT, previous_abort);
    if (abort != &on_abort) std::signal(SIGABRT, abort);
    const auto invalid_parameter = ::_set_invalid_parameter_handler(previous_invalid_parameter);
    if (invalid_parameter != &on_invalid_parameter) ::_set_invalid_parameter_handler(invalid_parameter);
#if defined(_MSC_VER)
    const auto pure_call = ::_set_purecall_handler(previous_pure_call);
    if (pure_call != &on_pure_call) ::_set_purecall_handler(pure_call);
#if defined(_DEBUG)
    ::_CrtSetReportHook2(_CRT_RPTHOOK_REMOVE, &on_debug_report);
#endif
#endif
    current() = nullptr;
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

WINSVC_INLINE crash_handler::crash_handler(crash_handler_options options) : state_(new state) {
  state_->options = std::move(options);
  try {
    state_->start();
  } catch (...) {
    state_->stop();
    delete state_;
    throw;
  }
}

WINSVC_INLINE void crash_handler::state::start() {
  options.name = scm::folder_name(options.name);
  if (!options.folder.empty()) dump.emplace(options.folder, options.name, options.dump_timeout);
  for (unique_handle* event : {&crash_event, &reported, &dumped, &finished_reports}) {
    *event = unique_handle(::CreateEventW(nullptr, TRUE, FALSE, nullptr));
    if (!*event) return;  // no report without events
  }
  if (dump) dump_thread = start_thread([this] { dump_thread_main(); });
  report_thread = start_thread([this] { report_thread_main(); });
  set_handlers();
}

WINSVC_INLINE void crash_handler::state::stop() noexcept {
  if (report_thread.joinable()) restore_handlers();
  stopping = true;
  if (crash_event) ::SetEvent(crash_event.get());
  if (report_thread.joinable()) report_thread.join();
  if (dump_thread.joinable()) dump_thread.join();
}

WINSVC_INLINE crash_handler::~crash_handler() {
  state_->stop();
  delete state_;
}

}  // namespace detail::os
}  // inline namespace WINSVC_ABI
}  // namespace winsvc

#endif  // WINSVC_BODIES_OS

#endif  // WINSVC_OS_WINDOWS
