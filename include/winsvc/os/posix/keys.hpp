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
#include "winsvc/os/keys.hpp"
#include "winsvc/os/posix/door.hpp"
#include "winsvc/os/tcp.hpp"

#if !WINSVC_OS_WINDOWS
namespace winsvc {
inline namespace WINSVC_ABI {
namespace os {

/// Refuses what would stop us, on this thread, while it lives.
class refused_not_stopped {
 public:
  refused_not_stopped() noexcept {
    sigset_t both;
    ::sigemptyset(&both);
    ::sigaddset(&both, SIGTTIN);
    ::sigaddset(&both, SIGTTOU);
    ::pthread_sigmask(SIG_BLOCK, &both, &before_);
  }
  ~refused_not_stopped() { ::pthread_sigmask(SIG_SETMASK, &before_, nullptr); }
  refused_not_stopped(const refused_not_stopped&) = delete;
  refused_not_stopped& operator=(const refused_not_stopped&) = delete;

 private:
  sigset_t before_ = {};
};

/// The terminal's mode from before, given back whatever way the process ends: also by exit() and by a signal that ends it.
class terminal_mode {
 public:
  static bool is_ours() noexcept { return ::tcgetpgrp(STDIN_FILENO) == ::getpgrp(); }

  /// Single keys, without echo. False: it is no terminal, or nothing for us.
  static bool take() noexcept {
    const refused_not_stopped here;
    if (over() || !is_ours() || (!held() && ::tcgetattr(STDIN_FILENO, &before()) != 0)) return false;
    termios raw = before();
    raw.c_lflag &= ~static_cast<tcflag_t>(ECHO | ICANON);
    raw.c_cc[VMIN] = 1;
    raw.c_cc[VTIME] = 0;
    if (::tcsetattr(STDIN_FILENO, TCSANOW, &raw) != 0) return false;
    if (!held()) watch_for_the_end();
    held() = 1;
    return true;
  }
  /// Again, where somebody has taken it from us meanwhile: a shell does, when it stops us and lets us go on.
  static void keep() noexcept {
    termios now = {};
    if (is_ours() && ::tcgetattr(STDIN_FILENO, &now) == 0 && (now.c_lflag & (ECHO | ICANON)) != 0) take();
  }
  /// From a signal handler, too.
  static void give_back() noexcept {
    if (!held() || !is_ours()) return;
    const int error = errno;
    const refused_not_stopped here;
    ::tcsetattr(STDIN_FILENO, TCSANOW, &before());
    held() = 0;
    errno = error;
  }

 private:
  static termios& before() noexcept {
    static termios mode = {};
    return mode;
  }
  /// The process ends: nobody takes it any more.
  static volatile std::sig_atomic_t& over() noexcept {
    static volatile std::sig_atomic_t is = 0;
    return is;
  }
  static volatile std::sig_atomic_t& held() noexcept {
    static volatile std::sig_atomic_t is = 0;
    return is;
  }
  /// Once. A signal that somebody handles already is theirs.
  static void watch_for_the_end() noexcept {
    static const bool done = [] {
      std::atexit([] {
        over() = 1;
        give_back();
      });
      for (const int signal : {SIGABRT, SIGBUS, SIGFPE, SIGILL, SIGQUIT, SIGSEGV}) {
        struct sigaction now = {};
        if (::sigaction(signal, nullptr, &now) != 0 || (now.sa_flags & SA_SIGINFO) != 0 || now.sa_handler != SIG_DFL) continue;
        now.sa_handler = [](int which) {
          over() = 1;
          give_back();
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

struct keys::state {
  bell over;
  std::function<void(char)> on_key;
  std::thread reader;

  void read() noexcept {
    const refused_not_stopped here;
    for (;;) {
      const bool ours = terminal_mode::is_ours();
      if (ours) terminal_mode::keep();
      pollfd both[] = {{static_cast<int>(over.native()), POLLIN, 0}, {STDIN_FILENO, POLLIN, 0}};
      constexpr int look_again = 250;  // ms: nobody tells us that we are where we were
      if (::poll(both, ours ? 2 : 1, look_again) < 0 && errno != EINTR) return;
      if (both[0].revents != 0) return;
      if (!ours || both[1].revents == 0 || !terminal_mode::is_ours()) continue;
      char key = 0;
      const auto n = ::read(STDIN_FILENO, &key, 1);
      if (n < 0 && (errno == EINTR || errno == EAGAIN || !terminal_mode::is_ours())) continue;
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

WINSVC_INLINE keys::keys(std::function<void(char)> on_key) {
  if (::isatty(STDIN_FILENO) != 1 || ::isatty(STDERR_FILENO) != 1) return;
  auto made = std::make_unique<state>();
  if (!made->over.is_open() || !terminal_mode::take()) return;
  made->on_key = std::move(on_key);
  try {
    made->reader = std::thread([s = made.get()] { s->read(); });
  } catch (const std::exception&) {  // no thread: no keys
    terminal_mode::give_back();
    return;
  }
  state_ = made.release();
}

WINSVC_INLINE keys::~keys() {
  if (!state_) return;
  state_->over.ring();
  state_->reader.join();
  terminal_mode::give_back();
  delete state_;
}

}  // namespace os
}  // inline namespace WINSVC_ABI
}  // namespace winsvc

#endif  // WINSVC_BODIES_OS

#endif  // !WINSVC_OS_WINDOWS
