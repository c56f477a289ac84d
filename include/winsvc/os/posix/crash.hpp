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
#include "winsvc/os/posix/door.hpp"

#if !WINSVC_OS_WINDOWS
namespace winsvc {
inline namespace WINSVC_ABI {
namespace os {

struct crash_guard::state {
  struct fatal {
    int number;
    const char* words;
  };
  static constexpr fatal fatal_signals[] = {
      {SIGSEGV, "a segmentation fault (SIGSEGV)"}, {SIGBUS, "a bus error (SIGBUS)"},
      {SIGFPE, "an arithmetic error (SIGFPE)"},    {SIGILL, "an illegal instruction (SIGILL)"},
      {SIGABRT, "abort() (SIGABRT)"},
  };

  settings with;
  int crashed[2] = {-1, -1}, told[2] = {-1, -1};
  std::thread teller;
  pthread_t teller_id{};
  struct sigaction before[std::size(fatal_signals)] = {};
  std::terminate_handler terminate_before = nullptr;
  std::vector<char> stack;  // the handlers'
  pthread_t stack_owner{};

  // Written by the crashing thread before the byte in the pipe, read by the teller after it.
  std::string terminated;  // the words of std::terminate, when it is that
  int signal = 0;
  const void* address = nullptr;
  std::atomic<bool> taken{false}, finished{false};

  static std::atomic<state*>& current() noexcept {
    static std::atomic<state*> one{nullptr};
    return one;
  }

  /// On the crashing thread; returns when the word is spoken. Whoever crashes meanwhile waits here for the end, but not
  /// the teller itself, for which everybody would wait.
  void tell(int number, const void* where) noexcept {
    if (taken.exchange(true)) {
      while (!finished && !::pthread_equal(::pthread_self(), teller_id)) ::poll(nullptr, 0, 20);
      return;
    }
    signal = number;
    address = where;
    static_cast<void>(!::write(crashed[1], "c", 1));
    pollfd answer = {told[0], POLLIN, 0};
    while (::poll(&answer, 1, static_cast<int>(with.patience.count())) < 0 && errno == EINTR) {
    }
    finished = true;
  }

  void wait_and_speak() {
    char byte = 0;
    while (::read(crashed[0], &byte, 1) < 0 && errno == EINTR) {
    }
    if (byte != 'c') return;
    try {
      crash_report report;
      report.what = terminated.empty() ? words_of_signal() : terminated;
      report.code = 128 + static_cast<std::uint32_t>(signal);
      if (with.tell) with.tell(report);
    } catch (...) {  // the process ends in any case
    }
    static_cast<void>(!::write(told[1], "t", 1));
  }

  std::string words_of_signal() const {
    std::string words;
    for (const auto& s : fatal_signals) {
      if (s.number == signal) words = s.words;
    }
    char where[32];
    std::snprintf(where, sizeof where, " at %p", address);
    return signal == SIGABRT ? words : words + where;
  }

  static void on_signal(int number, siginfo_t* info, void*) noexcept {
    const int saved = errno;
    state* const s = current();
    if (!s) {  // somebody kept our handler for longer than we live
      std::signal(number, SIG_DFL);
      return;
    }
    s->tell(number, info->si_addr);
    for (std::size_t i = 0; i < std::size(fatal_signals); ++i) {
      if (fatal_signals[i].number == number) ::sigaction(number, &s->before[i], nullptr);
    }
    // A fault comes again when its instruction does, on return from here; what was sent must be sent again.
    if (info->si_code <= 0) ::raise(number);
    errno = saved;
  }

  [[noreturn]] static void on_terminate() noexcept {
    if (state* const s = current()) {
      if (!s->taken) s->terminated = terminate_words();
      s->tell(SIGABRT, nullptr);
      if (s->terminate_before) s->terminate_before();
    }
    std::abort();
  }
};

inline crash_guard::crash_guard(settings s) : state_(new state) {
  state_->with = std::move(s);
  if (::pipe(state_->crashed) != 0 || ::pipe(state_->told) != 0) return;
  for (const int end : {state_->crashed[0], state_->crashed[1], state_->told[0], state_->told[1]}) {
    ::fcntl(end, F_SETFD, FD_CLOEXEC);
  }
  state_->teller = std::thread([state = state_] { state->wait_and_speak(); });
  state_->teller_id = state_->teller.native_handle();

  stack_t now = {};
  if (::sigaltstack(nullptr, &now) == 0 && (now.ss_flags & SS_DISABLE) != 0) {  // a sanitizer brings its own
    state_->stack.resize(64 * 1024);
    stack_t ours = {};
    ours.ss_sp = state_->stack.data();
    ours.ss_size = state_->stack.size();
    ::sigaltstack(&ours, nullptr);
    state_->stack_owner = ::pthread_self();
  }
  state::current() = state_;
  struct sigaction action = {};
  action.sa_sigaction = &state::on_signal;
  action.sa_flags = SA_SIGINFO | SA_ONSTACK;
  for (std::size_t i = 0; i < std::size(state::fatal_signals); ++i) {
    ::sigaction(state::fatal_signals[i].number, &action, &state_->before[i]);
  }
  state_->terminate_before = std::set_terminate(&state::on_terminate);
}

inline crash_guard::~crash_guard() {
  if (state_->teller.joinable()) {
    // What somebody has put over ours since stays.
    const auto terminate_found = std::set_terminate(state_->terminate_before);
    if (terminate_found != &state::on_terminate) std::set_terminate(terminate_found);
    for (std::size_t i = 0; i < std::size(state::fatal_signals); ++i) {
      struct sigaction found = {};
      ::sigaction(state::fatal_signals[i].number, nullptr, &found);
      if ((found.sa_flags & SA_SIGINFO) != 0 && found.sa_sigaction == &state::on_signal)
        ::sigaction(state::fatal_signals[i].number, &state_->before[i], nullptr);
    }
    state::current() = nullptr;
    if (!state_->stack.empty() && ::pthread_equal(state_->stack_owner, ::pthread_self())) {
      stack_t none = {};
      none.ss_flags = SS_DISABLE;
      ::sigaltstack(&none, nullptr);
    }
    static_cast<void>(!::write(state_->crashed[1], "q", 1));
    state_->teller.join();
  }
  for (const int end : {state_->crashed[0], state_->crashed[1], state_->told[0], state_->told[1]}) {
    if (end != -1) ::close(end);
  }
  delete state_;
}

}  // namespace os
}  // inline namespace WINSVC_ABI
}  // namespace winsvc
#endif  // !WINSVC_OS_WINDOWS
