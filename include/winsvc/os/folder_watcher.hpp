// A folder that is watched: a thread waits until something in it changes, and nobody looks twice a second.
//
//   folder_watcher watch;
//   if (watch.open("/etc/hello")) while (watch.wait() == folder_watcher::seen::change) look();
//
// It does not say what changed. An editor that saves may write the file, or another and rename it: who wants to know of
// one file reads that file.
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
namespace os {

class folder_watcher {
 public:
  /// `watch_lost`: it cannot be watched any more; the folder is gone, perhaps. `stopped`: end() was called.
  enum class watch_event { change, timed_out, watch_lost, stopped };

  folder_watcher();
  ~folder_watcher();
  folder_watcher(const folder_watcher&) = delete;
  folder_watcher& operator=(const folder_watcher&) = delete;

  /// From here on no change is missed. Not the folders in it.
  sys_result<void> open(const std::string& folder);
  /// Waits for a change since the last call, however many there were: they are one. By one thread at a time. `limit`:
  /// after which it is `timed_out`; default: it waits.
  watch_event wait(std::optional<std::chrono::milliseconds> limit = {});
  /// Ends a wait, and every later one. From any thread.
  void stop() noexcept;

 private:
  struct state;
  std::unique_ptr<state> state_;
};

}  // namespace os
}  // inline namespace WINSVC_ABI
}  // namespace winsvc
