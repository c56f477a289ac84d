// os/keys.hpp on POSIX.
#pragma once

#include <cerrno>
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

struct keys::state {
  termios before = {};
  bell over;
  std::function<void(char)> on_key;
  std::thread reader;

  void read() noexcept {
    for (;;) {
      pollfd both[] = {{STDIN_FILENO, POLLIN, 0}, {static_cast<int>(over.native()), POLLIN, 0}};
      if (::poll(both, 2, -1) < 0 && errno != EINTR) return;
      if (both[1].revents != 0) return;
      if (both[0].revents == 0) continue;
      char key = 0;
      const auto n = ::read(STDIN_FILENO, &key, 1);
      if (n < 0 && (errno == EINTR || errno == EAGAIN)) continue;
      if (n != 1) return;  // the terminal is gone
      try {
        on_key(key);
      } catch (const std::exception&) {  // no memory: the next key may have more luck
      }
    }
  }
};

inline keys::keys(std::function<void(char)> on_key) {
  // Whoever is in the background would be stopped for changing the terminal, or for reading from it.
  if (::isatty(STDIN_FILENO) != 1 || ::tcgetpgrp(STDIN_FILENO) != ::getpgrp()) return;
  auto made = std::make_unique<state>();
  if (!made->over.is_open() || ::tcgetattr(STDIN_FILENO, &made->before) != 0) return;
  termios raw = made->before;
  raw.c_lflag &= ~static_cast<tcflag_t>(ECHO | ICANON);
  raw.c_cc[VMIN] = 1;
  raw.c_cc[VTIME] = 0;
  made->on_key = std::move(on_key);
  if (::tcsetattr(STDIN_FILENO, TCSANOW, &raw) != 0) return;
  try {
    made->reader = std::thread([s = made.get()] { s->read(); });
  } catch (const std::exception&) {  // no thread: no keys
    ::tcsetattr(STDIN_FILENO, TCSANOW, &made->before);
    return;
  }
  state_ = made.release();
}

inline keys::~keys() {
  if (!state_) return;
  state_->over.ring();
  state_->reader.join();
  ::tcsetattr(STDIN_FILENO, TCSANOW, &state_->before);
  delete state_;
}

}  // namespace os
}  // inline namespace WINSVC_ABI
}  // namespace winsvc
#endif  // !WINSVC_OS_WINDOWS
