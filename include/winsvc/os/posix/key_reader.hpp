// os/keys.hpp on POSIX.
//
// A terminal belongs to whoever is in its foreground. Who reads from it or changes it from the background is stopped by
// the system, whole, which for a service means that it serves no more: so each look and each change asks first, on a
// thread that is not stopped but refused.
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
#include "winsvc/os/posix/headers.hpp"
#include "winsvc/os/tcp.hpp"

#if !WINSVC_OS_WINDOWS
namespace winsvc {
inline namespace WINSVC_ABI {
namespace os {

/// Refuses what would stop us, on this thread, while it lives.
class ignore_sigttou {
 public:
  ignore_sigttou() noexcept {
    sigset_t both;
    ::sigemptyset(&both);
    ::sigaddset(&both, SIGTTIN);
    ::sigaddset(&both, SIGTTOU);
    ::pthread_sigmask(SIG_BLOCK, &both, &previous_mask_);
  }
  ~ignore_sigttou() { ::pthread_sigmask(SIG_SETMASK, &previous_mask_, nullptr); }
  ignore_sigttou(const ignore_sigttou&) = delete;
  ignore_sigttou& operator=(const ignore_sigttou&) = delete;

 private:
  sigset_t previous_mask_ = {};
};

/// The terminal's mode from before, given back whatever way the process ends: also by exit() and by a signal that ends it.
class terminal_mode {
 public:
  static bool is_foreground() noexcept { return ::tcgetpgrp(STDIN_FILENO) == ::getpgrp(); }

  /// Single keys, without echo. False: it is no terminal, or nothing for us.
  static bool enable_raw_mode() noexcept {
    const ignore_sigttou here;
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
  /// Again, where somebody has taken it from us meanwhile: a shell does, when it stops us and lets us go on.
  static void restore_raw_mode() noexcept {
    termios now = {};
    if (is_foreground() && ::tcgetattr(STDIN_FILENO, &now) == 0 && (now.c_lflag & (ECHO | ICANON)) != 0) enable_raw_mode();
  }
  /// From a signal handler, too.
  static void restore_terminal() noexcept {
    if (!is_raw() || !is_foreground()) return;
    const int error = errno;
    const ignore_sigttou here;
    ::tcsetattr(STDIN_FILENO, TCSANOW, &saved_mode());
    is_raw() = 0;
    errno = error;
  }

 private:
  static termios& saved_mode() noexcept {
    static termios mode = {};
    return mode;
  }
  /// The process ends: nobody takes it any more.
  static volatile std::sig_atomic_t& stopping() noexcept {
    static volatile std::sig_atomic_t is = 0;
    return is;
  }
  static volatile std::sig_atomic_t& is_raw() noexcept {
    static volatile std::sig_atomic_t is = 0;
    return is;
  }
  /// Once. A signal that somebody handles already is theirs.
  static void restore_at_exit() noexcept {
    static const bool done = [] {
      std::atexit([] {
        stopping() = 1;
        restore_terminal();
      });
      for (const int signal : {SIGABRT, SIGBUS, SIGFPE, SIGILL, SIGQUIT, SIGSEGV}) {
        struct sigaction now = {};
        if (::sigaction(signal, nullptr, &now) != 0 || (now.sa_flags & SA_SIGINFO) != 0 || now.sa_handler != SIG_DFL) continue;
        now.sa_handler = [](int which) {
          stopping() = 1;
          restore_terminal();
          ::raise(which);  // as if nobody had been here: SA_RESETHAND
        };
        now.sa_flags = static_cast<int>(SA_RESETHAND);
        ::sigaction(signal, &now, nullptr);
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
    const ignore_sigttou here;
    for (;;) {
      const bool own = terminal_mode::is_foreground();
      if (own) terminal_mode::restore_raw_mode();
      pollfd both[] = {{static_cast<int>(stopping.native()), POLLIN, 0}, {STDIN_FILENO, POLLIN, 0}};
      constexpr int wake_monitor = 250;  // ms: nobody tells us that we are where we were
      if (::poll(both, own ? 2 : 1, wake_monitor) < 0 && errno != EINTR) return;
      if (both[0].revents != 0) return;
      if (!own || both[1].revents == 0 || !terminal_mode::is_foreground()) continue;
      char key = 0;
      const auto n = ::read(STDIN_FILENO, &key, 1);
      if (n < 0 && (errno == EINTR || errno == EAGAIN || !terminal_mode::is_foreground())) continue;
      if (n != 1) return;  // the terminal is gone
      try {
        on_key(key);
      } catch (const std::exception&) {  // no memory: the next key may have more luck
      }
    }
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

WINSVC_INLINE key_reader::key_reader(std::function<void(char)> on_key) {
  if (::isatty(STDIN_FILENO) != 1 || ::isatty(STDERR_FILENO) != 1) return;
  auto made = std::make_unique<state>();
  if (!made->stopping.is_open() || !terminal_mode::enable_raw_mode()) return;
  made->on_key = std::move(on_key);
  try {
    made->reader = std::thread([s = made.get()] { s->read(); });
  } catch (const std::exception&) {  // no thread: no keys
    terminal_mode::restore_terminal();
    return;
  }
  state_ = made.release();
}

WINSVC_INLINE key_reader::~key_reader() {
  if (!state_) return;
  state_->stopping.signal();
  state_->reader.join();
  terminal_mode::restore_terminal();
  delete state_;
}

}  // namespace os
}  // inline namespace WINSVC_ABI
}  // namespace winsvc

#endif  // WINSVC_BODIES_OS

#endif  // !WINSVC_OS_WINDOWS
