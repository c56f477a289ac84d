// os/folder_watch.hpp on POSIX: inotify on Linux; elsewhere a folder cannot be watched.
#pragma once

#include <cerrno>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "winsvc/config/abi.hpp"
#include "winsvc/os/folder_watch.hpp"
#include "winsvc/os/posix/door.hpp"
#include "winsvc/os/tcp.hpp"

#if !WINSVC_OS_WINDOWS
namespace winsvc {
inline namespace WINSVC_ABI {
namespace os {

struct folder_watch::state {
  bell over;
  int notes = -1;
  ~state() {
    if (notes >= 0) ::close(notes);
  }

  /// Takes all that has come. False: the folder itself has gone.
  bool drain() const {
#if WINSVC_OS_LINUX
    alignas(inotify_event) char buffer[4096];
    bool there = true;
    for (;;) {
      const auto got = ::read(notes, buffer, sizeof buffer);
      if (got <= 0) return there && (got == 0 || errno == EAGAIN || errno == EINTR);
      for (const char* at = buffer; at < buffer + got;) {
        const auto& note = *reinterpret_cast<const inotify_event*>(at);
        if ((note.mask & (IN_IGNORED | IN_DELETE_SELF | IN_MOVE_SELF | IN_UNMOUNT)) != 0) there = false;
        at += sizeof note + note.len;
      }
    }
#else
    return false;
#endif
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

WINSVC_INLINE folder_watch::folder_watch() : state_(std::make_unique<state>()) {}
WINSVC_INLINE folder_watch::~folder_watch() = default;

WINSVC_INLINE sys_result<void> folder_watch::open(const std::string& folder) {
#if WINSVC_OS_LINUX
  if (!state_->over.is_open()) return sys_failure(EMFILE);
  const int notes = ::inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
  if (notes < 0) return sys_failure(static_cast<std::uint32_t>(errno));
  constexpr std::uint32_t what = IN_CLOSE_WRITE | IN_MOVED_TO | IN_MOVED_FROM | IN_DELETE | IN_MODIFY | IN_DELETE_SELF |
                                 IN_MOVE_SELF | IN_ONLYDIR;
  if (::inotify_add_watch(notes, folder.c_str(), what) < 0) {
    const int code = errno;
    ::close(notes);
    return sys_failure(static_cast<std::uint32_t>(code));
  }
  state_->notes = notes;
  return {};
#else
  static_cast<void>(folder);
  return sys_failure(ENOTSUP);
#endif
}

WINSVC_INLINE folder_watch::seen folder_watch::wait(std::optional<std::chrono::milliseconds> limit) {
  for (;;) {
    pollfd both[] = {{state_->notes, POLLIN, 0}, {static_cast<int>(state_->over.native()), POLLIN, 0}};
    const int ready = ::poll(both, 2, limit ? static_cast<int>(limit->count()) : -1);
    if (ready < 0 && errno == EINTR) continue;
    if (both[1].revents != 0) return seen::over;  // its byte stays: over for good
    if (ready < 0) return seen::lost;
    if (ready == 0) return seen::nothing;
    return state_->drain() ? seen::change : seen::lost;
  }
}

WINSVC_INLINE void folder_watch::end() noexcept { state_->over.ring(); }

}  // namespace os
}  // inline namespace WINSVC_ABI
}  // namespace winsvc

#endif  // WINSVC_BODIES_OS

#endif  // !WINSVC_OS_WINDOWS
