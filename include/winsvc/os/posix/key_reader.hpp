// Key reader on POSIX (os/key_reader.hpp): a thread reads single keys from the terminal, without an echo.
//
// A terminal belongs to its foreground process group. If a background process reads from it or changes its mode, the
// system stops the process with SIGTTIN or SIGTTOU, and a stopped service serves no requests. So the key reader checks
// for the foreground before each access and blocks these signals: the access then fails with an error.
//
// Source: termios(3), tcgetpgrp(3); POSIX, "General Terminal Interface".
#pragma once

#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <exception>
#include <functional>
#include <memory>
#include <thread>
#include <utility>

#include "winsvc/config/abi.hpp"
#include "winsvc/os/key_reader.hpp"
#include "winsvc/os/thread.hpp"
#include "winsvc/os/posix/headers.hpp"
#include "winsvc/os/tcp.hpp"

#if !WINSVC_OS_WINDOWS
namespace winsvc {
inline namespace WINSVC_ABI {
namespace detail::os {

/// Blocks SIGTTIN and SIGTTOU on this thread during its lifetime.
class ignore_sigttou {
 public:
  ignore_sigttou() noexcept {
    sigset_t mask;
    ::sigemptyset(&mask);
    ::sigaddset(&mask, SIGTTIN);
    ::sigaddset(&mask, SIGTTOU);
    ::pthread_sigmask(SIG_BLOCK, &mask, &previous_mask_);
  }
  ~ignore_sigttou() { ::pthread_sigmask(SIG_SETMASK, &previous_mask_, nullptr); }
  ignore_sigttou(const ignore_sigttou&) = delete;
  ignore_sigttou& operator=(const ignore_sigttou&) = delete;

 private:
  sigset_t previous_mask_ = {};
};

/// Sets the terminal to raw mode and restores the saved mode, also at exit() and before a signal ends the process.
class terminal_mode {
 public:
  static bool is_foreground() noexcept { return ::tcgetpgrp(STDIN_FILENO) == ::getpgrp(); }

  /// Enables single keys without echo. Returns false if standard input is not a terminal, if this process is in the
  /// background or if it ends.
  static bool enable_raw_mode() noexcept {
    const ignore_sigttou blocked;
    if (stopping() || !is_foreground() || (!is_raw() && ::tcgetattr(STDIN_FILENO, &saved_mode()) != 0)) return false;
    termios raw = saved_mode();
    raw.c_lflag &= ~static_cast<tcflag_t>(ECHO | ICANON);
    raw.c_cc[VMIN] = 1;
    raw.c_cc[VTIME] = 0;
    if (::tcsetattr(STDIN_FILENO, TCSANOW, &raw) != 0) return false;
    if (!is_raw()) restore_at_exit();
    is_raw() = 1;
    return true;
  }
  /// Enables raw mode again if another process has changed the mode: a shell does so when it stops and resumes a job.
  static void restore_raw_mode() noexcept {
    termios mode = {};
    if (!is_foreground() || ::tcgetattr(STDIN_FILENO, &mode) != 0) return;
    if ((mode.c_lflag & (ECHO | ICANON)) != 0) enable_raw_mode();
  }
  /// Restores the saved mode. Can be called from a signal handler.
  static void restore_terminal() noexcept {
    if (!is_raw() || !is_foreground()) return;
    const int saved_errno = errno;
    const ignore_sigttou blocked;
    ::tcsetattr(STDIN_FILENO, TCSANOW, &saved_mode());
    is_raw() = 0;
    errno = saved_errno;
  }

 private:
  static termios& saved_mode() noexcept {
    static termios mode = {};
    return mode;
  }
  /// Not 0 when the process ends: raw mode is not enabled again.
  static volatile std::sig_atomic_t& stopping() noexcept {
    static volatile std::sig_atomic_t flag = 0;
    return flag;
  }
  static volatile std::sig_atomic_t& is_raw() noexcept {
    static volatile std::sig_atomic_t flag = 0;
    return flag;
  }
  /// Installs the exit handler and the signal handlers, once. A signal that has a handler already keeps it.
  static void restore_at_exit() noexcept {
    static const bool done = [] {
      std::atexit([] {
        stopping() = 1;
        restore_terminal();
      });
      for (const int signal : {SIGABRT, SIGBUS, SIGFPE, SIGILL, SIGQUIT, SIGSEGV}) {
        struct sigaction action = {};
        if (::sigaction(signal, nullptr, &action) != 0) continue;
        if ((action.sa_flags & SA_SIGINFO) != 0 || action.sa_handler != SIG_DFL) continue;
        action.sa_handler = [](int number) {
          stopping() = 1;
          restore_terminal();
          ::raise(number);  // SA_RESETHAND has restored the default action
        };
        action.sa_flags = static_cast<int>(SA_RESETHAND);
        ::sigaction(signal, &action, nullptr);
      }
      return true;
    }();
    static_cast<void>(done);
  }
};

struct key_reader::state {
  wakeup_event stopping;
  std::function<void(char)> on_key;
  std::thread reader;

  void read() noexcept {
    const ignore_sigttou blocked;
    for (;;) {
      const bool is_foreground = terminal_mode::is_foreground();
      if (is_foreground) terminal_mode::restore_raw_mode();
      pollfd entries[] = {{static_cast<int>(stopping.native()), POLLIN, 0}, {STDIN_FILENO, POLLIN, 0}};
      constexpr int foreground_check_interval = 250;  // ms; the system does not notify a process of this change
      if (::poll(entries, is_foreground ? 2 : 1, foreground_check_interval) < 0 && errno != EINTR) return;
      if (entries[0].revents != 0) return;
      if (!is_foreground || entries[1].revents == 0 || !terminal_mode::is_foreground()) continue;
      char key = 0;
      const auto count = ::read(STDIN_FILENO, &key, 1);
      if (count < 0 && (errno == EINTR || errno == EAGAIN || !terminal_mode::is_foreground())) continue;
      if (count != 1) return;  // the terminal was closed
      try {
        on_key(key);
      } catch (const std::exception&) {  // out of memory: ignore this key
      }
    }
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

WINSVC_INLINE key_reader::key_reader(std::function<void(char)> on_key) {
  if (::isatty(STDIN_FILENO) != 1 || ::isatty(STDERR_FILENO) != 1) return;
  auto reader_state = std::make_unique<state>();
  if (!reader_state->stopping.is_open() || !terminal_mode::enable_raw_mode()) return;
  reader_state->on_key = std::move(on_key);
  try {
    reader_state->reader = start_thread([s = reader_state.get()] { s->read(); });
  } catch (const std::exception&) {  // the system cannot create a thread: report no keys
    terminal_mode::restore_terminal();
    return;
  }
  state_ = reader_state.release();
}

WINSVC_INLINE key_reader::~key_reader() {
  if (!state_) return;
  state_->stopping.signal();
  state_->reader.join();
  terminal_mode::restore_terminal();
  delete state_;
}

}  // namespace detail::os
}  // inline namespace WINSVC_ABI
}  // namespace winsvc

#endif  // WINSVC_BODIES_OS

#endif  // !WINSVC_OS_WINDOWS
