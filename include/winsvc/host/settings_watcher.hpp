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
class settings_watcher {
 public:
  using milliseconds = std::chrono::milliseconds;
  static constexpr milliseconds settle_time{200};      ///< for so long nothing changes, then the file is read
  static constexpr milliseconds max_settle_time{2000};  ///< and after so long in any case; a refused reload is tried again then

  struct callbacks {
    std::function<bool()> reload;  ///< false: not now; it is asked again
    std::function<void()> watch_lost;    ///< nothing more will come: the folder has gone, perhaps
  };
  /// `known`: the file as it was read at start; nothing: it was not there.
  settings_watcher(std::string path, std::optional<std::string> known, callbacks then)
      : path_(std::move(path)), known_content_(std::move(known)), callbacks_(std::move(then)) {}
  ~settings_watcher() {
    folder_.stop();
    if (thread_.joinable()) thread_.join();
  }
  settings_watcher(const settings_watcher&) = delete;
  settings_watcher& operator=(const settings_watcher&) = delete;

  /// What has changed since the file was read at start counts as well. Fails where the folder cannot be watched.
  os::sys_result<void> start() {
    if (auto opened = folder_.open(os::folder_of(path_)); !opened) return opened;
    thread_ = std::thread([this] {
      try {
        thread_main();
      } catch (const std::exception&) {  // no memory
        callbacks_.watch_lost();
      }
    });
    return {};
  }

 private:
  using read_content = os::folder_watcher::watch_event;
  void thread_main();
  read_content wait_until_settled();

  const std::string path_;
  std::optional<std::string> known_content_;
  callbacks callbacks_;
  os::folder_watcher folder_;
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

WINSVC_INLINE void settings_watcher::thread_main() {
  for (read_content now = read_content::change;; now = folder_.wait()) {
    if (now == read_content::change) now = wait_until_settled();
    if (now == read_content::watch_lost) return callbacks_.watch_lost();
    if (now == read_content::stopped) return;
    auto content = os::read_file(path_);
    if (content == known_content_) continue;
    while (!callbacks_.reload()) {
      if (folder_.wait(max_settle_time) == read_content::stopped) return;
    }
    known_content_ = std::move(content);
  }
}

/// Until nothing has changed for a moment: `nothing`, or why there is no more to wait for.
WINSVC_INLINE settings_watcher::read_content settings_watcher::wait_until_settled() {
  const auto deadline = std::chrono::steady_clock::now() + max_settle_time;
  for (;;) {
    const read_content now = folder_.wait(settle_time);
    if (now != read_content::change) return now;
    if (std::chrono::steady_clock::now() >= deadline) return read_content::timed_out;
  }
}

}  // namespace host
}  // inline namespace WINSVC_ABI
}  // namespace winsvc

#endif  // WINSVC_BODIES_HOST
