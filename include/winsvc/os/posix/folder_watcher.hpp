// Folder watcher on POSIX (os/folder_watcher.hpp): inotify on Linux; on other systems `open` fails with ENOTSUP.
#pragma once

#include <cerrno>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "winsvc/config/abi.hpp"
#include "winsvc/os/folder_watcher.hpp"
#include "winsvc/os/posix/headers.hpp"
#include "winsvc/os/tcp.hpp"

#if !WINSVC_OS_WINDOWS
namespace winsvc {
inline namespace WINSVC_ABI {
namespace detail::os {

struct folder_watcher::state {
  wakeup_event stopping;
  int inotify_fd = -1;
  ~state() {
    if (inotify_fd >= 0) ::close(inotify_fd);
  }

  /// Reads all pending events. Returns false if the folder itself was deleted or moved, or after an error.
  bool drain() const {
#if WINSVC_OS_LINUX
    alignas(inotify_event) char buffer[4096];
    bool exists = true;
    for (;;) {
      const auto received = ::read(inotify_fd, buffer, sizeof buffer);
      if (received <= 0) return exists && (received == 0 || errno == EAGAIN || errno == EINTR);
      for (const char* position = buffer; position < buffer + received;) {
        const auto& event = *reinterpret_cast<const inotify_event*>(position);
        if ((event.mask & (IN_IGNORED | IN_DELETE_SELF | IN_MOVE_SELF | IN_UNMOUNT)) != 0) exists = false;
        position += sizeof event + event.len;
      }
    }
#else
    return false;
#endif
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
#if WINSVC_OS_LINUX
  if (!state_->stopping.is_open()) return sys_failure(EMFILE);
  const int inotify_fd = ::inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
  if (inotify_fd < 0) return sys_failure(static_cast<std::uint32_t>(errno));
  constexpr std::uint32_t events = IN_CLOSE_WRITE | IN_MOVED_TO | IN_MOVED_FROM | IN_DELETE | IN_MODIFY |
                                   IN_DELETE_SELF | IN_MOVE_SELF | IN_ONLYDIR;
  if (::inotify_add_watch(inotify_fd, folder.c_str(), events) < 0) {
    const int code = errno;
    ::close(inotify_fd);
    return sys_failure(static_cast<std::uint32_t>(code));
  }
  state_->inotify_fd = inotify_fd;
  return {};
#else
  static_cast<void>(folder);
  return sys_failure(ENOTSUP);
#endif
}

WINSVC_INLINE folder_watcher::watch_event folder_watcher::wait(std::optional<std::chrono::milliseconds> limit) {
  for (;;) {
    pollfd entries[] = {{state_->inotify_fd, POLLIN, 0}, {static_cast<int>(state_->stopping.native()), POLLIN, 0}};
    const int ready = ::poll(entries, 2, limit ? static_cast<int>(limit->count()) : -1);
    if (ready < 0 && errno == EINTR) continue;
    if (entries[1].revents != 0) return watch_event::stopped;  // never cleared: it stays stopped
    if (ready < 0) return watch_event::watch_lost;
    if (ready == 0) return watch_event::timed_out;
    return state_->drain() ? watch_event::change : watch_event::watch_lost;
  }
}

WINSVC_INLINE void folder_watcher::stop() noexcept { state_->stopping.signal(); }

}  // namespace detail::os
}  // inline namespace WINSVC_ABI
}  // namespace winsvc

#endif  // WINSVC_BODIES_OS

#endif  // !WINSVC_OS_WINDOWS
