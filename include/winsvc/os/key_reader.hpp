// Keys as a person presses them, without Enter, where standard input is a terminal.
//
//   const keys pressed([&](char key) { if (key == 'q') stop(); });
//
// Source: termios(3); "Low-Level Console Input Functions" in the Win32 documentation.
#pragma once

#include <functional>

#include "winsvc/config/abi.hpp"

namespace winsvc {
inline namespace WINSVC_ABI {
namespace os {

/// While it lives, each key is a call of `on_key`, from a thread of its own, and not shown. Ctrl-C stays what it is. Does
/// nothing where standard input or standard error is no terminal (keys of `app | less` are less's), and nothing while this
/// program is in the terminal's background. One at a time.
class key_reader {
 public:
  explicit key_reader(std::function<void(char)> on_key);
  /// The terminal is as it was; it is as well after exit(), and on POSIX after a signal that ends the process.
  ~key_reader();
  key_reader(const key_reader&) = delete;
  key_reader& operator=(const key_reader&) = delete;
  [[nodiscard]] bool is_active() const noexcept { return state_ != nullptr; }

 private:
  struct state;
  state* state_ = nullptr;
};

}  // namespace os
}  // inline namespace WINSVC_ABI
}  // namespace winsvc
