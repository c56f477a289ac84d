// os/keys.hpp on Windows.
#pragma once

#include <exception>
#include <functional>
#include <memory>
#include <thread>
#include <utility>

#include "winsvc/config/abi.hpp"
#include "winsvc/os/key_reader.hpp"
#include "winsvc/os/win/windows_headers.hpp"
#include "winsvc/os/win/wide.hpp"

#if WINSVC_OS_WINDOWS
namespace winsvc {
inline namespace WINSVC_ABI {
namespace os {

struct key_reader::state {
  HANDLE input = nullptr;
  unique_handle stop_event;
  std::function<void(char)> on_key;
  std::thread reader;

  void read() noexcept {
    const HANDLE either[] = {stop_event.get(), input};
    for (;;) {
      if (::WaitForMultipleObjects(2, either, FALSE, INFINITE) != WAIT_OBJECT_0 + 1) return;
      INPUT_RECORD what{};
      DWORD count = 0;
      if (!::GetNumberOfConsoleInputEvents(input, &count)) return;
      if (count == 0) continue;  // somebody else has read it: a read would wait for the next, and not for the end
      if (!::ReadConsoleInputW(input, &what, 1, &count)) return;
      if (count != 1 || what.EventType != KEY_EVENT || !what.Event.KeyEvent.bKeyDown) continue;
      const wchar_t key = what.Event.KeyEvent.uChar.UnicodeChar;
      if (key == 0 || key > 0x7F) continue;
      try {
        on_key(static_cast<char>(key));
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

WINSVC_INLINE key_reader::key_reader(std::function<void(char)> on_key) {
  auto made = std::make_unique<state>();
  made->input = ::GetStdHandle(STD_INPUT_HANDLE);
  DWORD mode = 0;
  if (!::GetConsoleMode(::GetStdHandle(STD_ERROR_HANDLE), &mode)) return;
  if (!::GetConsoleMode(made->input, &mode)) return;  // events are read as they are, whatever the mode makes of lines
  made->stop_event = unique_handle(::CreateEventW(nullptr, TRUE, FALSE, nullptr));
  if (!made->stop_event) return;
  made->on_key = std::move(on_key);
  try {
    made->reader = std::thread([s = made.get()] { s->read(); });
  } catch (const std::exception&) {  // no thread: no keys
    return;
  }
  state_ = made.release();
}

WINSVC_INLINE key_reader::~key_reader() {
  if (!state_) return;
  ::SetEvent(state_->stop_event.get());
  state_->reader.join();
  delete state_;
}

}  // namespace os
}  // inline namespace WINSVC_ABI
}  // namespace winsvc

#endif  // WINSVC_BODIES_OS

#endif  // WINSVC_OS_WINDOWS
