// Console input and output: write UTF-8, read a line or a password, handle Ctrl-C.
//
//   if (auto password = read_secret("password: ")) use(*password);
//
// A service has no standard handles; `write_stdout` and `write_stderr` then do nothing.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <string_view>

#include "winsvc/config/abi.hpp"
#include "winsvc/os/service_manager.hpp"

namespace winsvc {
inline namespace WINSVC_ABI {
namespace detail::os {

enum class output_stream { standard, error };

/// Write UTF-8 to standard output or standard error. A Windows console receives UTF-16, independent of its code page.
/// Errors are ignored.
void write_stdout(std::string_view utf8) noexcept;
void write_stderr(std::string_view utf8) noexcept;
[[nodiscard]] bool is_stdout_terminal() noexcept;
[[nodiscard]] bool is_stderr_terminal() noexcept;
/// True if a write to standard error would not block, as far as the system can report it. Always true on Windows.
[[nodiscard]] bool is_stderr_writable() noexcept;
/// True if standard output leads to a console, a pipe or a file.
[[nodiscard]] bool has_standard_output() noexcept;

/// Enables ANSI colors (`ESC [ 31 m`) on standard error during its lifetime, if possible; `on()` returns the result.
/// They stay off if standard error is not a terminal, or if NO_COLOR is set and not empty (https://no-color.org). On
/// Windows the console mode would outlive the process; the destructor restores it. One object at a time.
class stderr_colors {
 public:
  stderr_colors() noexcept;
  ~stderr_colors() {
    if (restore_mode_) restore_mode_();
  }
  stderr_colors(const stderr_colors&) = delete;
  stderr_colors& operator=(const stderr_colors&) = delete;
  [[nodiscard]] bool on() const noexcept { return on_; }

 private:
  bool on_ = false;
  std::function<void()> restore_mode_;
};

/// Writes `prompt` to standard error and reads a line from the terminal without echo. Fails if standard input is not a
/// terminal (use read_input_line for a piped secret), or if the user pressed Ctrl-C: ERROR_CANCELLED, ECANCELED.
[[nodiscard]] sys_result<std::string> read_secret(std::string_view prompt);
/// Reads one line of standard input, UTF-8, without the line end and without the byte order mark that PowerShell writes
/// before the first line. nullopt at the end of the input. Bytes after the line stay unread.
[[nodiscard]] std::optional<std::string> read_input_line();

/// Removes a '\r' at the end and a byte order mark at the beginning. `line` does not contain the '\n'.
[[nodiscard]] std::string without_line_end(std::string line);

/// The cause of an interruption. `stop_requested`: Ctrl-C, Ctrl-Break or a signal. `console_closing`: Windows closes
/// the console, logs off or shuts down, and terminates the process about 5 s later.
enum class interruption { stop_requested, console_closing };

/// Calls `on_interrupt` instead of ending the process when the user presses Ctrl-C. The call comes from a separate
/// thread and can come more than once. Windows: Ctrl-C, Ctrl-Break, console close, logoff and shutdown. Windows ends
/// the process when the handler of the last three returns, so that handler blocks until this object is destroyed.
/// POSIX: SIGINT, SIGTERM, SIGHUP. One object at a time.
class interrupts {
 public:
  explicit interrupts(std::function<void(interruption)> on_interrupt);
  ~interrupts();
  interrupts(const interrupts&) = delete;
  interrupts& operator=(const interrupts&) = delete;

 private:
  struct state;
  state* state_;
};

}  // namespace detail::os
}  // inline namespace WINSVC_ABI
}  // namespace winsvc

// ---------------------------------------------------------------------------------------------------------------------

#if WINSVC_BODIES_OS

namespace winsvc {
inline namespace WINSVC_ABI {
namespace detail::os {

WINSVC_INLINE std::string without_line_end(std::string line) {
  if (!line.empty() && line.back() == '\r') line.pop_back();
  return line.compare(0, 3, "\xEF\xBB\xBF") == 0 ? line.substr(3) : line;
}

}  // namespace detail::os
}  // inline namespace WINSVC_ABI
}  // namespace winsvc

#endif  // WINSVC_BODIES_OS
