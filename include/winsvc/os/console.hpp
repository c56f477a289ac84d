// The terminal: writing to it, and the ways a person ends a program that runs in it.
//
// A service has no standard handles; `write_out` and `write_err` then do nothing.
#pragma once

#include <functional>
#include <string_view>

#include "winsvc/config/abi.hpp"

namespace winsvc {
inline namespace WINSVC_ABI {
namespace os {

/// UTF-8 to standard output or standard error; to a Windows console as UTF-16, whatever its code page is.
void write_out(std::string_view utf8) noexcept;
void write_err(std::string_view utf8) noexcept;
[[nodiscard]] bool out_is_terminal() noexcept;
/// Is there anybody to read what we print: a console, a pipe, a file?
[[nodiscard]] bool has_standard_output() noexcept;

/// While it lives, Ctrl-C and its kin are a call of `on_interrupt` (from a thread of its own, any number of times) and
/// no longer the end of the process. Windows: Ctrl-C, Ctrl-Break, and the closing of the console, logoff and shutdown;
/// for the last three the process ends when their handler returns, so it is held until this object is destroyed. POSIX:
/// SIGINT, SIGTERM, SIGHUP. One at a time.
class interrupts {
 public:
  explicit interrupts(std::function<void()> on_interrupt);
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
