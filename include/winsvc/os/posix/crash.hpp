// os/crash.hpp on POSIX. A signal handler may do next to nothing: it writes a byte to a pipe, waits for one to come
// back, and lets happen what would have happened without it. The last word is spoken by a thread that waits for it from
// the beginning.
#pragma once

#include <atomic>
#include <cerrno>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <iterator>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "winsvc/config/abi.hpp"
#include "winsvc/os/crash.hpp"
#include "winsvc/os/posix/headers.hpp"

#if !WINSVC_OS_WINDOWS
namespace winsvc {
inline namespace WINSVC_ABI {
namespace os {

struct crash_handler::state {
  struct fatal {
    int number;
    const char* description;
  };
  static constexpr fatal fatal_signals[] = {
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
  std::vector<char> stack;  // the handlers'
  pthread_t stack_owner{};

  // Written by the crashing thread before the byte in the pipe, read by the teller after it.
  std::string terminated;  // the words of std::terminate, when it is that
  int signal = 0;
  const void* address = nullptr;
  std::atomic<bool> claimed{false}, finished{false};

  static std::atomic<state*>& current() noexcept {
    static std::atomic<state*> one{nullptr};
    return one;
  }

  /// On the crashing thread; returns when the word is spoken. Whoever crashes meanwhile waits here for the end, but not
  /// the teller itself, for which everybody would wait.
  void run_report(int number, const void* where) noexcept {
    if (claimed.exchange(true)) {
      while (!finished && !::pthread_equal(::pthread_self(), report_thread_id)) ::poll(nullptr, 0, 20);
      return;
    }
    signal = number;
    address = where;
    static_cast<void>(!::write(crash_event[1], "c", 1));
    pollfd answer = {report_done[0], POLLIN, 0};
    while (::poll(&answer, 1, static_cast<int>(options.report_timeout.count())) < 0 && errno == EINTR) {
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
      report.description = terminated.empty() ? signal_description() : terminated;
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
    char where[32];
    std::snprintf(where, sizeof where, " at %p", address);
    return signal == SIGABRT ? message : message + where;
  }

  static void on_signal(int number, siginfo_t* info, void*) noexcept {
    const int saved = errno;
    state* const s = current();
    if (!s) {  // somebody kept our handler for longer than we live
      std::signal(number, SIG_DFL);
      return;
    }
    s->run_report(number, info->si_addr);
    for (std::size_t i = 0; i < std::size(fatal_signals); ++i) {
      if (fatal_signals[i].number == number) ::sigaction(number, &s->previous_actions[i], nullptr);
    }
    // A fault comes again when its instruction does, on return from here; what was sent must be sent again.
    if (info->si_code <= 0) ::raise(number);
    errno = saved;
  }

  [[noreturn]] static void on_terminate() noexcept {
    if (state* const s = current()) {
      if (!s->claimed) s->terminated = terminate_message();
      s->run_report(SIGABRT, nullptr);
      if (s->previous_terminate) s->previous_terminate();
    }
    std::abort();
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

WINSVC_INLINE crash_handler::crash_handler(crash_handler_options s) : state_(new state) {
  state_->options = std::move(s);
  if (::pipe(state_->crash_event) != 0 || ::pipe(state_->report_done) != 0) return;
  for (const int end : {state_->crash_event[0], state_->crash_event[1], state_->report_done[0], state_->report_done[1]}) {
    ::fcntl(end, F_SETFD, FD_CLOEXEC);
  }
  state_->report_thread = std::thread([state = state_] { state->report_thread_main(); });
  state_->report_thread_id = state_->report_thread.native_handle();

  stack_t now = {};
  if (::sigaltstack(nullptr, &now) == 0 && (now.ss_flags & SS_DISABLE) != 0) {  // a sanitizer brings its own
    state_->stack.resize(64 * 1024);
    stack_t own = {};
    own.ss_sp = state_->stack.data();
    own.ss_size = state_->stack.size();
    ::sigaltstack(&own, nullptr);
    state_->stack_owner = ::pthread_self();
  }
  state::current() = state_;
  struct sigaction action = {};
  action.sa_sigaction = &state::on_signal;
  action.sa_flags = SA_SIGINFO | SA_ONSTACK;
  for (std::size_t i = 0; i < std::size(state::fatal_signals); ++i) {
    ::sigaction(state::fatal_signals[i].number, &action, &state_->previous_actions[i]);
  }
  state_->previous_terminate = std::set_terminate(&state::on_terminate);
}

WINSVC_INLINE crash_handler::~crash_handler() {
  if (state_->report_thread.joinable()) {
    // What somebody has put over ours since stays.
    const auto terminate_found = std::set_terminate(state_->previous_terminate);
    if (terminate_found != &state::on_terminate) std::set_terminate(terminate_found);
    for (std::size_t i = 0; i < std::size(state::fatal_signals); ++i) {
      struct sigaction found = {};
      ::sigaction(state::fatal_signals[i].number, nullptr, &found);
      if ((found.sa_flags & SA_SIGINFO) != 0 && found.sa_sigaction == &state::on_signal)
        ::sigaction(state::fatal_signals[i].number, &state_->previous_actions[i], nullptr);
    }
    state::current() = nullptr;
    if (!state_->stack.empty() && ::pthread_equal(state_->stack_owner, ::pthread_self())) {
      stack_t none = {};
      none.ss_flags = SS_DISABLE;
      ::sigaltstack(&none, nullptr);
    }
    static_cast<void>(!::write(state_->crash_event[1], "q", 1));
    state_->report_thread.join();
  }
  for (const int end : {state_->crash_event[0], state_->crash_event[1], state_->report_done[0], state_->report_done[1]}) {
    if (end != -1) ::close(end);
  }
  delete state_;
}

}  // namespace os
}  // inline namespace WINSVC_ABI
}  // namespace winsvc

#endif  // WINSVC_BODIES_OS

#endif  // !WINSVC_OS_WINDOWS
