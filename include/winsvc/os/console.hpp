// The terminal: writing to it, asking for a secret, and the ways a person ends a program that runs in it.
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
namespace os {

/// UTF-8 to standard output or standard error; to a Windows console as UTF-16, whatever its code page is.
void write_stdout(std::string_view utf8) noexcept;
void write_stderr(std::string_view utf8) noexcept;
[[nodiscard]] bool is_stdout_terminal() noexcept;
[[nodiscard]] bool is_stderr_terminal() noexcept;
/// Would a line be taken at once, as far as the system knows?
[[nodiscard]] bool is_stderr_writable() noexcept;
/// Is there anybody to read what we print: a console, a pipe, a file?
[[nodiscard]] bool has_standard_output() noexcept;

/// While it lives, standard error shows ANSI's colours (`ESC [ 31 m`) if `on`. Not where it is no terminal, nor where
/// the person does not want them: NO_COLOR is set and not empty (https://no-color.org). A Windows console must be told
/// to look for them, which outlives the process: it is put back. One at a time.
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

/// Writes `prompt` to standard error and reads a line from the terminal that is not shown while it is typed. A code
/// when standard input is no terminal (whoever pipes a secret says so: read_input_line), or when the person gave up
/// with Ctrl-C.
[[nodiscard]] sys_result<std::string> read_secret(std::string_view prompt);
/// One line of standard input, UTF-8, without its line end and without the mark that PowerShell puts before the first;
/// nothing at the end. It takes no byte beyond the line.
[[nodiscard]] std::optional<std::string> read_input_line();

/// What was read up to a '\n', as a line.
[[nodiscard]] std::string without_line_end(std::string read);

/// Whether a person asks, or the system does, which ends the process about 5 s later whatever it is doing.
enum class interruption { stop_requested, console_closing };

/// While it lives, Ctrl-C and its kin are a call of `on_interrupt` (from a thread of its own, any number of times) and
/// no longer the end of the process. Windows: Ctrl-C, Ctrl-Break, and the closing of the console, logoff and shutdown;
/// for the last three the process ends when their handler returns, so it is held until this object is destroyed. POSIX:
/// SIGINT, SIGTERM, SIGHUP. One at a time.
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

}  // namespace os
}  // inline namespace WINSVC_ABI
}  // namespace winsvc

// ---------------------------------------------------------------------------------------------------------------------

#if WINSVC_BODIES_OS

namespace winsvc {
inline namespace WINSVC_ABI {
namespace os {

WINSVC_INLINE std::string without_line_end(std::string read) {
  if (!read.empty() && read.back() == '\r') read.pop_back();
  return read.compare(0, 3, "\xEF\xBB\xBF") == 0 ? read.substr(3) : read;
}

}  // namespace os
}  // inline namespace WINSVC_ABI
}  // namespace winsvc

#endif  // WINSVC_BODIES_OS
