// A folder that is watched: a thread waits until something in it changes, and nobody looks twice a second.
//
//   folder_watch watch;
//   if (watch.open("/etc/hello")) while (watch.wait() == folder_watch::seen::change) look();
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

class folder_watch {
 public:
  /// `lost`: it cannot be watched any more; the folder is gone, perhaps. `over`: end() was called.
  enum class seen { change, nothing, lost, over };

  folder_watch();
  ~folder_watch();
  folder_watch(const folder_watch&) = delete;
  folder_watch& operator=(const folder_watch&) = delete;

  /// From here on no change is missed. Not the folders in it.
  sys_result<void> open(const std::string& folder);
  /// Waits for a change since the last call, however many there were: they are one. By one thread at a time. `limit`:
  /// after which it is `nothing`; default: it waits.
  seen wait(std::optional<std::chrono::milliseconds> limit = {});
  /// Ends a wait, and every later one. From any thread.
  void end() noexcept;

 private:
  struct state;
  std::unique_ptr<state> state_;
};

}  // namespace os
}  // inline namespace WINSVC_ABI
}  // namespace winsvc
