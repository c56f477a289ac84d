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
/// nothing where standard input is no terminal, or this program is in its background. One at a time.
class keys {
 public:
  explicit keys(std::function<void(char)> on_key);
  /// The terminal is as it was.
  ~keys();
  keys(const keys&) = delete;
  keys& operator=(const keys&) = delete;
  [[nodiscard]] bool are_read() const noexcept { return state_ != nullptr; }

 private:
  struct state;
  state* state_ = nullptr;
};

}  // namespace os
}  // inline namespace WINSVC_ABI
}  // namespace winsvc
