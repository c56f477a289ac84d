// Folder watcher: a thread waits until a file in a folder changes, without polling.
//
//   folder_watcher watcher;
//   if (watcher.open("/etc/hello")) while (watcher.wait() == folder_watcher::watch_event::change) reload();
//
// It does not report which file changed. An editor may write the file, or write another file and rename it; the caller
// compares the files that it needs.
//
// Source: "FindFirstChangeNotificationW" in the Win32 documentation; inotify(7).
#pragma once

#include <chrono>
#include <memory>
#include <optional>
#include <string>

#include "winsvc/config/abi.hpp"
#include "winsvc/os/file.hpp"

namespace winsvc {
inline namespace WINSVC_ABI {
namespace detail::os {

class folder_watcher {
 public:
  /// `watch_lost`: the folder cannot be watched any longer, for example because it was deleted. `stopped`: stop() was
  /// called.
  enum class watch_event { change, timed_out, watch_lost, stopped };

  folder_watcher();
  ~folder_watcher();
  folder_watcher(const folder_watcher&) = delete;
  folder_watcher& operator=(const folder_watcher&) = delete;

  /// Starts to watch; no later change is missed. Subfolders are not watched.
  sys_result<void> open(const std::string& folder);
  /// Waits for a change since the last call. Several changes are reported as one. Only one thread may wait at a time.
  /// `limit`: maximum time to wait, then `timed_out`; without it, the wait has no limit.
  watch_event wait(std::optional<std::chrono::milliseconds> limit = {});
  /// Ends the current wait and each later wait. Can be called from any thread.
  void stop() noexcept;

 private:
  struct state;
  std::unique_ptr<state> state_;
};

}  // namespace detail::os
}  // inline namespace WINSVC_ABI
}  // namespace winsvc
