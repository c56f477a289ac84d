// Crash handler on POSIX (os/crash.hpp). A signal handler may call only async-signal-safe functions. So it writes a
// byte to a pipe and waits for a byte from the report thread, which exists from the start and calls `on_crash`. Then
// the previous action of the signal runs.
//
// Source: signal-safety(7), sigaction(2).
#pragma once

#include <atomic>
#include <cerrno>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <iterator>
#include <optional>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "winsvc/config/abi.hpp"
#include "winsvc/os/crash.hpp"
#include "winsvc/os/posix/headers.hpp"
#include "winsvc/os/thread.hpp"

#if !WINSVC_OS_WINDOWS
namespace winsvc {
inline namespace WINSVC_ABI {
namespace detail::os {

struct crash_handler::state {
  struct fatal_signal {
    int number;
    const char* description;
  };
  static constexpr fatal_signal fatal_signals[] = {
      {SIGSEGV, "a segmentation fault (SIGSEGV)"}, {SIGBUS, "a bus error (SIGBUS)"},
      {SIGFPE, "an arithmetic error (SIGFPE)"},    {SIGILL, "an illegal instruction (SIGILL)"},
      {SIGABRT, "abort() (SIGABRT)"},
  };

  crash_handler_options options;
  int crash_event[2] = {-1, -1}, report_done[2] = {-1, -1};
  std::thread report_thread;
  pthread_t report_thread_id{};
  struct sigaction previous_actions[std::size(fatal_signals)] = {};
  std::terminate_handler previous_terminate = nullptr;
  reserved_stack stack;  // for the thread that creates the crash handler

  // The crashing thread writes these before it writes to the pipe; the report thread reads them after that.
  bool is_terminate = false;
  std::exception_ptr uncaught;  // of std::terminate; the report thread reads its message
  int signal = 0;
  const void* address = nullptr;
  // Default order. `claimed`: an exchange selects the first crashing thread. `finished`: the first thread has ended the
  // report. The others poll it, because a signal handler may not wait on a condition variable.
  std::atomic<bool> claimed{false}, finished{false};

  /// The handler of the process. Atomic, because a signal may interrupt any thread while it is set or cleared. Default
  /// order: the thread that loads it sees the complete state.
  static std::atomic<state*>& current() noexcept {
    static std::atomic<state*> instance{nullptr};
    return instance;
  }

  /// Runs on the crashing thread and returns after the report. A second crashing thread waits here until the first has
  /// finished, except the report thread itself: the first thread waits for it.
  void run_report(int number, const void* fault_address) noexcept {
    if (claimed.exchange(true)) {
      while (!finished && !::pthread_equal(::pthread_self(), report_thread_id)) ::poll(nullptr, 0, 20);
      return;
    }
    signal = number;
    address = fault_address;
    static_cast<void>(!::write(crash_event[1], "c", 1));
    pollfd done = {report_done[0], POLLIN, 0};
    while (::poll(&done, 1, static_cast<int>(options.report_timeout.count())) < 0 && errno == EINTR) {
    }
    finished = true;
  }

  void report_thread_main() {
    char byte = 0;
    while (::read(crash_event[0], &byte, 1) < 0 && errno == EINTR) {
    }
    if (byte != 'c') return;
    try {
      crash_report report;
      report.description = is_terminate ? with_exception_message("std::terminate", uncaught) : signal_description();
      report.code = 128 + static_cast<std::uint32_t>(signal);
      if (options.on_crash) options.on_crash(report);
    } catch (...) {  // the process ends in any case
    }
    static_cast<void>(!::write(report_done[1], "t", 1));
  }

  std::string signal_description() const {
    std::string message;
    for (const auto& s : fatal_signals) {
      if (s.number == signal) message = s.description;
    }
    char location[32];
    std::snprintf(location, sizeof location, " at %p", address);
    return signal == SIGABRT ? message : message + location;
  }

  static void on_signal(int number, siginfo_t* info, void*) noexcept {
    const int saved_errno = errno;
    state* const s = current();
    if (!s) {  // other code saved this handler and restored it after the crash handler was destroyed
      std::signal(number, SIG_DFL);
      return;
    }
    s->run_report(number, info->si_addr);
    for (std::size_t i = 0; i < std::size(fatal_signals); ++i) {
      if (fatal_signals[i].number == number) ::sigaction(number, &s->previous_actions[i], nullptr);
    }
    // On return the faulting instruction runs again and repeats the fault. A signal that was sent must be raised again.
    if (info->si_code <= 0) ::raise(number);
    errno = saved_errno;
  }

  /// Starts the report thread and sets the handlers.
  void start();
  void close_pipes() noexcept;

  [[noreturn]] static void on_terminate() noexcept {
    if (state* const s = current()) {
      if (!s->claimed) {
        s->is_terminate = true;
        s->uncaught = std::current_exception();
      }
      s->run_report(SIGABRT, nullptr);
      if (s->previous_terminate) s->previous_terminate();
    }
    std::abort();
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

WINSVC_INLINE std::optional<int> run_dump_writer(const std::vector<std::string>&) { return std::nullopt; }

WINSVC_INLINE crash_handler::crash_handler(crash_handler_options options) : state_(new state) {
  state_->options = std::move(options);
  try {
    state_->start();
  } catch (...) {
    state_->close_pipes();
    delete state_;
    throw;
  }
}

WINSVC_INLINE void crash_handler::state::start() {
  if (::pipe(crash_event) != 0 || ::pipe(report_done) != 0) return;
  for (const auto& pipe : {crash_event, report_done}) {
    for (const int end : {pipe[0], pipe[1]}) ::fcntl(end, F_SETFD, FD_CLOEXEC);
  }
  report_thread = start_thread([this] { report_thread_main(); });
  report_thread_id = report_thread.native_handle();

  current() = this;
  struct sigaction action = {};
  action.sa_sigaction = &on_signal;
  action.sa_flags = SA_SIGINFO | SA_ONSTACK;
  for (std::size_t i = 0; i < std::size(fatal_signals); ++i) {
    ::sigaction(fatal_signals[i].number, &action, &previous_actions[i]);
  }
  previous_terminate = std::set_terminate(&on_terminate);
}

WINSVC_INLINE void crash_handler::state::close_pipes() noexcept {
  for (const auto& pipe : {crash_event, report_done}) {
    for (const int end : {pipe[0], pipe[1]}) {
      if (end != -1) ::close(end);
    }
  }
}

WINSVC_INLINE crash_handler::~crash_handler() {
  if (state_->report_thread.joinable()) {
    // Restore the previous handlers; keep a handler that other code has installed since.
    const auto current_terminate = std::set_terminate(state_->previous_terminate);
    if (current_terminate != &state::on_terminate) std::set_terminate(current_terminate);
    for (std::size_t i = 0; i < std::size(state::fatal_signals); ++i) {
      struct sigaction current = {};
      ::sigaction(state::fatal_signals[i].number, nullptr, &current);
      if ((current.sa_flags & SA_SIGINFO) != 0 && current.sa_sigaction == &state::on_signal)
        ::sigaction(state::fatal_signals[i].number, &state_->previous_actions[i], nullptr);
    }
    state::current() = nullptr;
    static_cast<void>(!::write(state_->crash_event[1], "q", 1));
    state_->report_thread.join();
  }
  state_->close_pipes();
  delete state_;
}

}  // namespace detail::os
}  // inline namespace WINSVC_ABI
}  // namespace winsvc

#endif  // WINSVC_BODIES_OS

#endif  // !WINSVC_OS_WINDOWS
