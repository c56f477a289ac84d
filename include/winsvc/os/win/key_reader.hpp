// Key reader on Windows (os/key_reader.hpp): a thread reads the key events of the console.
#pragma once

#include <exception>
#include <functional>
#include <memory>
#include <thread>
#include <utility>

#include "winsvc/config/abi.hpp"
#include "winsvc/os/key_reader.hpp"
#include "winsvc/os/thread.hpp"
#include "winsvc/os/win/windows_headers.hpp"
#include "winsvc/os/win/wide.hpp"

#if WINSVC_OS_WINDOWS
namespace winsvc {
inline namespace WINSVC_ABI {
namespace detail::os {

struct key_reader::state {
  HANDLE input = nullptr;
  unique_handle stop_event;
  std::function<void(char)> on_key;
  std::thread reader;

  void read() noexcept {
    const HANDLE handles[] = {stop_event.get(), input};
    for (;;) {
      if (::WaitForMultipleObjects(2, handles, FALSE, INFINITE) != WAIT_OBJECT_0 + 1) return;
      INPUT_RECORD record{};
      DWORD count = 0;
      if (!::GetNumberOfConsoleInputEvents(input, &count)) return;
      if (count == 0) continue;  // another process has read the event; a read would block and ignore stop_event
      if (!::ReadConsoleInputW(input, &record, 1, &count)) return;
      if (count != 1 || record.EventType != KEY_EVENT || !record.Event.KeyEvent.bKeyDown) continue;
      const wchar_t key = record.Event.KeyEvent.uChar.UnicodeChar;
      if (key == 0 || key > 0x7F) continue;
      try {
        on_key(static_cast<char>(key));
      } catch (const std::exception&) {  // out of memory: ignore this key
      }
    }
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

WINSVC_INLINE key_reader::key_reader(std::function<void(char)> on_key) {
  auto reader_state = std::make_unique<state>();
  reader_state->input = ::GetStdHandle(STD_INPUT_HANDLE);
  DWORD mode = 0;
  if (!::GetConsoleMode(::GetStdHandle(STD_ERROR_HANDLE), &mode)) return;
  if (!::GetConsoleMode(reader_state->input, &mode)) return;  // the mode stays: it does not affect ReadConsoleInputW
  reader_state->stop_event = unique_handle(::CreateEventW(nullptr, TRUE, FALSE, nullptr));
  if (!reader_state->stop_event) return;
  reader_state->on_key = std::move(on_key);
  try {
    reader_state->reader = start_thread([s = reader_state.get()] { s->read(); });
  } catch (const std::exception&) {  // the system cannot create a thread: report no keys
    return;
  }
  state_ = reader_state.release();
}

WINSVC_INLINE key_reader::~key_reader() {
  if (!state_) return;
  ::SetEvent(state_->stop_event.get());
  state_->reader.join();
  delete state_;
}

}  // namespace detail::os
}  // inline namespace WINSVC_ABI
}  // namespace winsvc

#endif  // WINSVC_BODIES_OS

#endif  // WINSVC_OS_WINDOWS
