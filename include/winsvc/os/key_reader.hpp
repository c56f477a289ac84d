// Key reader: reports each key press on the terminal without Enter and without echo.
//
//   const key_reader keys([&](char key) { if (key == 'q') stop(); });
//
// A character outside ASCII is ignored on Windows and reported byte by byte on POSIX.
//
// Source: termios(3); "Low-Level Console Input Functions" in the Win32 documentation.
#pragma once

#include <functional>

#include "winsvc/config/abi.hpp"

namespace winsvc {
inline namespace WINSVC_ABI {
namespace detail::os {

/// Calls `on_key` for each key during its lifetime, on a separate thread. Ctrl-C keeps its meaning. Does nothing if
/// standard input or standard error is not a terminal (in `app | less` the keys belong to less), and nothing while this
/// program runs in the background of the terminal. One object at a time.
class key_reader {
 public:
  explicit key_reader(std::function<void(char)> on_key);
  /// Restores the mode of the terminal. The mode is also restored by exit() and, on POSIX, by a signal that ends the
  /// process.
  ~key_reader();
  key_reader(const key_reader&) = delete;
  key_reader& operator=(const key_reader&) = delete;
  /// True if keys are reported; false without a terminal, or after an error.
  [[nodiscard]] bool is_active() const noexcept { return state_ != nullptr; }

 private:
  struct state;
  state* state_ = nullptr;
};

}  // namespace detail::os
}  // inline namespace WINSVC_ABI
}  // namespace winsvc
