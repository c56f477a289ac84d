// Console input and output on POSIX (os/console.hpp). The signal handler writes to a pipe and a thread calls
// `on_interrupt`, because a signal handler may call only async-signal-safe functions (signal-safety(7)).
#pragma once

#include <cerrno>
#include <cstdint>
#include <cstdlib>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <thread>
#include <utility>

#include "winsvc/base/scope.hpp"
#include "winsvc/config/abi.hpp"
#include "winsvc/os/console.hpp"
#include "winsvc/os/thread.hpp"
#include "winsvc/os/posix/headers.hpp"

#if !WINSVC_OS_WINDOWS
namespace winsvc {
inline namespace WINSVC_ABI {
namespace detail::os {

void write_descriptor(int descriptor, std::string_view bytes) noexcept;
struct interrupts::state {
  static constexpr int handled_signals[3] = {SIGINT, SIGTERM, SIGHUP};
  int pipe[2] = {-1, -1};
  struct sigaction previous_action[3] = {};
  std::function<void(interruption)> on_interrupt;
  std::thread listener;

  static int& write_end() noexcept {
    static int fd = -1;
    return fd;
  }
  static void handler(int) noexcept {
    const int saved_errno = errno;
    static_cast<void>(!::write(write_end(), "i", 1));
    errno = saved_errno;
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

WINSVC_INLINE void write_descriptor(int descriptor, std::string_view bytes) noexcept {
  while (!bytes.empty()) {
    const auto count = ::write(descriptor, bytes.data(), bytes.size());
    if (count < 0 && errno == EINTR) continue;
    if (count <= 0) return;
    bytes.remove_prefix(static_cast<std::size_t>(count));
  }
}
WINSVC_INLINE void write_stdout(std::string_view utf8) noexcept { write_descriptor(STDOUT_FILENO, utf8); }
WINSVC_INLINE void write_stderr(std::string_view utf8) noexcept { write_descriptor(STDERR_FILENO, utf8); }
WINSVC_INLINE bool is_stdout_terminal() noexcept { return ::isatty(STDOUT_FILENO) == 1; }
WINSVC_INLINE bool is_stderr_terminal() noexcept { return ::isatty(STDERR_FILENO) == 1; }
WINSVC_INLINE bool is_stderr_writable() noexcept {
  pollfd entry{STDERR_FILENO, POLLOUT, 0};
  return ::poll(&entry, 1, 0) == 1 && (entry.revents & POLLOUT) != 0;
}

WINSVC_INLINE stderr_colors::stderr_colors() noexcept {
  const char* const no_color = std::getenv("NO_COLOR");
  const char* const terminal = std::getenv("TERM");
  const bool has_colors = terminal && *terminal && std::string_view(terminal) != "dumb";
  on_ = is_stderr_terminal() && !(no_color && *no_color) && has_colors;
}

WINSVC_INLINE bool has_standard_output() noexcept { return ::fcntl(STDOUT_FILENO, F_GETFD) != -1; }

WINSVC_INLINE std::optional<std::string> read_input_line() {
  std::string line;
  for (char byte = 0;;) {
    const auto count = ::read(STDIN_FILENO, &byte, 1);
    if (count < 0 && errno == EINTR) continue;
    if (count <= 0 && line.empty()) return std::nullopt;
    if (count <= 0 || byte == '\n') return without_line_end(std::move(line));
    line += byte;
  }
}

WINSVC_INLINE sys_result<std::string> read_secret(std::string_view prompt) {
  termios saved_mode{};
  if (::tcgetattr(STDIN_FILENO, &saved_mode) != 0) return sys_failure(static_cast<std::uint32_t>(errno));
  // Ctrl-C would end the process before the echo is restored. So it does not raise a signal, but ends the line.
  const char interrupt = static_cast<char>(saved_mode.c_cc[VINTR]);
  termios silent = saved_mode;
  silent.c_lflag &= ~static_cast<tcflag_t>(ECHO | ISIG);
  silent.c_cc[VEOL] = saved_mode.c_cc[VINTR];
  if (::tcsetattr(STDIN_FILENO, TCSAFLUSH, &silent) != 0) return sys_failure(static_cast<std::uint32_t>(errno));
  const scope_exit restore([&] {
    ::tcsetattr(STDIN_FILENO, TCSAFLUSH, &saved_mode);
    write_stderr("\n");  // the terminal did not echo Enter
  });
  write_stderr(prompt);
  std::string line;
  for (char byte = 0; byte != '\n' && byte != interrupt;) {
    const auto count = ::read(STDIN_FILENO, &byte, 1);
    if (count < 0 && errno == EINTR) continue;
    if (count <= 0) byte = interrupt;  // treat the end of the input as a cancellation
    line += byte;
  }
  if (line.back() == interrupt) return sys_failure(ECANCELED);
  line.pop_back();
  return line;
}

WINSVC_INLINE interrupts::interrupts(std::function<void(interruption)> on_interrupt) : state_(new state) {
  state_->on_interrupt = std::move(on_interrupt);
  if (::pipe(state_->pipe) != 0) return;
  for (const int end : state_->pipe) ::fcntl(end, F_SETFD, FD_CLOEXEC);
  state::write_end() = state_->pipe[1];
  try {
    state_->listener = start_thread([s = state_] {
      for (char byte = 0;;) {
        const auto count = ::read(s->pipe[0], &byte, 1);
        if (count < 0 && errno == EINTR) continue;
        if (count != 1 || byte != 'i') return;
        try {
          s->on_interrupt(interruption::stop_requested);
        } catch (...) {  // out of memory: ignore this Ctrl-C
        }
      }
    });
  } catch (...) {
    for (const int end : state_->pipe) ::close(end);
    delete state_;
    throw;
  }
  struct sigaction action = {};
  action.sa_handler = &state::handler;
  action.sa_flags = SA_RESTART;
  for (int i = 0; i < 3; ++i) ::sigaction(state::handled_signals[i], &action, &state_->previous_action[i]);
}

WINSVC_INLINE interrupts::~interrupts() {
  if (state_->listener.joinable()) {
    for (int i = 0; i < 3; ++i) ::sigaction(state::handled_signals[i], &state_->previous_action[i], nullptr);
    static_cast<void>(!::write(state_->pipe[1], "q", 1));
    state_->listener.join();
    for (const int end : state_->pipe) ::close(end);
  }
  delete state_;
}

}  // namespace detail::os
}  // inline namespace WINSVC_ABI
}  // namespace winsvc

#endif  // WINSVC_BODIES_OS

#endif  // !WINSVC_OS_WINDOWS
