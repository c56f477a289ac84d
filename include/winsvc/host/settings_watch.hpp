// The settings file, watched: where App asks for it, a change of the file is a `reload` that nobody has to ask for.
//
//   svc.reload_on_change();
//
// What counts is the file's content: a save that changes nothing, or a file beside it, is no change. Who saves may write
// the file in several pieces, so it is read once its folder has been quiet for a moment; a file that is only half there
// even then changes no setting, as with every reload, and the rest of it is the next change.
#pragma once

#include <chrono>
#include <exception>
#include <functional>
#include <optional>
#include <string>
#include <thread>
#include <utility>

#include "winsvc/config/abi.hpp"
#include "winsvc/os/native.hpp"

namespace winsvc {
inline namespace WINSVC_ABI {
namespace host {

/// Watches while it lives, with a thread of its own.
class settings_watch {
 public:
  using milliseconds = std::chrono::milliseconds;
  static constexpr milliseconds quiet{200};      ///< for so long nothing changes, then the file is read
  static constexpr milliseconds patience{2000};  ///< and after so long in any case; a refused reload is tried again then

  struct listeners {
    std::function<bool()> reload;  ///< false: not now; it is asked again
    std::function<void()> lost;    ///< nothing more will come: the folder has gone, perhaps
  };
  /// `known`: the file as it was read at start; nothing: it was not there.
  settings_watch(std::string path, std::optional<std::string> known, listeners then)
      : path_(std::move(path)), known_(std::move(known)), then_(std::move(then)) {}
  ~settings_watch() {
    folder_.end();
    if (thread_.joinable()) thread_.join();
  }
  settings_watch(const settings_watch&) = delete;
  settings_watch& operator=(const settings_watch&) = delete;

  /// What has changed since the file was read at start counts as well. Fails where the folder cannot be watched.
  os::sys_result<void> begin() {
    if (auto opened = folder_.open(os::folder_of(path_)); !opened) return opened;
    thread_ = std::thread([this] {
      try {
        watch();
      } catch (const std::exception&) {  // no memory
        then_.lost();
      }
    });
    return {};
  }

 private:
  using seen = os::folder_watch::seen;
  void watch();
  seen settle();

  const std::string path_;
  std::optional<std::string> known_;
  listeners then_;
  os::folder_watch folder_;
  std::thread thread_;
};

}  // namespace host
}  // inline namespace WINSVC_ABI
}  // namespace winsvc

// ---------------------------------------------------------------------------------------------------------------------

#if WINSVC_BODIES_HOST

namespace winsvc {
inline namespace WINSVC_ABI {
namespace host {

WINSVC_INLINE void settings_watch::watch() {
  for (seen now = seen::change;; now = folder_.wait()) {
    if (now == seen::change) now = settle();
    if (now == seen::lost) return then_.lost();
    if (now == seen::over) return;
    auto content = os::read_file(path_);
    if (content == known_) continue;
    while (!then_.reload()) {
      if (folder_.wait(patience) == seen::over) return;
    }
    known_ = std::move(content);
  }
}

/// Until nothing has changed for a moment: `nothing`, or why there is no more to wait for.
WINSVC_INLINE settings_watch::seen settings_watch::settle() {
  const auto until = std::chrono::steady_clock::now() + patience;
  for (;;) {
    const seen now = folder_.wait(quiet);
    if (now != seen::change) return now;
    if (std::chrono::steady_clock::now() >= until) return seen::nothing;
  }
}

}  // namespace host
}  // inline namespace WINSVC_ABI
}  // namespace winsvc

#endif  // WINSVC_BODIES_HOST
