// os/console.hpp on POSIX: signals, led through a pipe to a thread, because a signal handler may do next to nothing.
#pragma once

#include <cerrno>
#include <functional>
#include <string_view>
#include <thread>
#include <utility>

#include "winsvc/config/abi.hpp"
#include "winsvc/os/console.hpp"
#include "winsvc/os/posix/door.hpp"

#if !WINSVC_OS_WINDOWS
namespace winsvc {
inline namespace WINSVC_ABI {
namespace os {

inline void write_descriptor(int descriptor, std::string_view bytes) noexcept {
  while (!bytes.empty()) {
    const auto n = ::write(descriptor, bytes.data(), bytes.size());
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) return;
    bytes.remove_prefix(static_cast<std::size_t>(n));
  }
}
inline void write_out(std::string_view utf8) noexcept { write_descriptor(STDOUT_FILENO, utf8); }
inline void write_err(std::string_view utf8) noexcept { write_descriptor(STDERR_FILENO, utf8); }
inline bool out_is_terminal() noexcept { return ::isatty(STDOUT_FILENO) == 1; }
inline bool has_standard_output() noexcept { return ::fcntl(STDOUT_FILENO, F_GETFD) != -1; }

struct interrupts::state {
  static constexpr int signals[3] = {SIGINT, SIGTERM, SIGHUP};
  int pipe[2] = {-1, -1};
  struct sigaction before[3] = {};
  std::function<void()> on_interrupt;
  std::thread listener;

  static int& write_end() noexcept {
    static int fd = -1;
    return fd;
  }
  static void handler(int) noexcept {
    const int saved = errno;
    static_cast<void>(!::write(write_end(), "i", 1));
    errno = saved;
  }
};

inline interrupts::interrupts(std::function<void()> on_interrupt) : state_(new state) {
  state_->on_interrupt = std::move(on_interrupt);
  if (::pipe(state_->pipe) != 0) return;
  for (const int end : state_->pipe) ::fcntl(end, F_SETFD, FD_CLOEXEC);
  state::write_end() = state_->pipe[1];
  state_->listener = std::thread([s = state_] {
    for (char byte = 0;;) {
      const auto n = ::read(s->pipe[0], &byte, 1);
      if (n < 0 && errno == EINTR) continue;
      if (n != 1 || byte != 'i') return;
      try {
        s->on_interrupt();
      } catch (...) {  // out of memory: the next Ctrl-C may have more luck
      }
    }
  });
  struct sigaction action = {};
  action.sa_handler = &state::handler;
  action.sa_flags = SA_RESTART;
  for (int i = 0; i < 3; ++i) ::sigaction(state::signals[i], &action, &state_->before[i]);
}

inline interrupts::~interrupts() {
  if (state_->listener.joinable()) {
    for (int i = 0; i < 3; ++i) ::sigaction(state::signals[i], &state_->before[i], nullptr);
    static_cast<void>(!::write(state_->pipe[1], "q", 1));
    state_->listener.join();
    for (const int end : state_->pipe) ::close(end);
  }
  delete state_;
}

}  // namespace os
}  // inline namespace WINSVC_ABI
}  // namespace winsvc
#endif  // !WINSVC_OS_WINDOWS
