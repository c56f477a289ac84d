// Folder watcher on Windows (os/folder_watcher.hpp): FindFirstChangeNotificationW signals a handle when a file in the
// folder changes.
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "winsvc/config/abi.hpp"
#include "winsvc/os/folder_watcher.hpp"
#include "winsvc/os/win/windows_headers.hpp"
#include "winsvc/os/win/wide.hpp"

#if WINSVC_OS_WINDOWS
namespace winsvc {
inline namespace WINSVC_ABI {
namespace detail::os {

struct folder_watcher::state {
  unique_handle stop_event;
  HANDLE change = INVALID_HANDLE_VALUE;  // closed with FindCloseChangeNotification, not with CloseHandle
  state() : stop_event(::CreateEventW(nullptr, TRUE, FALSE, nullptr)) {}
  ~state() {
    if (change != INVALID_HANDLE_VALUE) ::FindCloseChangeNotification(change);
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

WINSVC_INLINE folder_watcher::folder_watcher() : state_(std::make_unique<state>()) {}
WINSVC_INLINE folder_watcher::~folder_watcher() = default;

WINSVC_INLINE sys_result<void> folder_watcher::open(const std::string& folder) {
  if (!state_->stop_event) return sys_failure(ERROR_NOT_ENOUGH_MEMORY);
  constexpr DWORD filter = FILE_NOTIFY_CHANGE_FILE_NAME | FILE_NOTIFY_CHANGE_SIZE | FILE_NOTIFY_CHANGE_LAST_WRITE;
  state_->change = ::FindFirstChangeNotificationW(wide_path(folder).c_str(), FALSE, filter);
  if (state_->change == INVALID_HANDLE_VALUE) return sys_failure(::GetLastError());
  return {};
}

WINSVC_INLINE folder_watcher::watch_event folder_watcher::wait(std::optional<std::chrono::milliseconds> limit) {
  const HANDLE handles[] = {state_->stop_event.get(), state_->change};
  switch (::WaitForMultipleObjects(2, handles, FALSE, limit ? static_cast<DWORD>(limit->count()) : INFINITE)) {
    case WAIT_OBJECT_0: return watch_event::stopped;
    // The next wait reports the changes after this call.
    case WAIT_OBJECT_0 + 1:
      return ::FindNextChangeNotification(state_->change) ? watch_event::change : watch_event::watch_lost;
    case WAIT_TIMEOUT: return watch_event::timed_out;
    default: return watch_event::watch_lost;
  }
}

WINSVC_INLINE void folder_watcher::stop() noexcept { ::SetEvent(state_->stop_event.get()); }

}  // namespace detail::os
}  // inline namespace WINSVC_ABI
}  // namespace winsvc

#endif  // WINSVC_BODIES_OS

#endif  // WINSVC_OS_WINDOWS
