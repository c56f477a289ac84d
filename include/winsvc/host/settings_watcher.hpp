// Settings watcher: runs a reload when the content of the settings file changes, if the app requests it:
//
//   svc.reload_on_change();
//
// Only a change of the content counts, not a save without a change or a change of another file in the folder. An editor
// may write the file in several steps, so it is read after the folder has had no change for 200 ms. If the file is
// still incomplete then, the reload rejects it, and its completion is the next change.
#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <utility>

#include "winsvc/base/attempt.hpp"
#include "winsvc/base/clock.hpp"
#include "winsvc/config/abi.hpp"
#include "winsvc/host/definition.hpp"
#include "winsvc/os/native.hpp"

namespace winsvc {
inline namespace WINSVC_ABI {
namespace detail::host {

/// Watches the settings file on its own thread while it exists.
class settings_watcher {
 public:
  using milliseconds = std::chrono::milliseconds;
  static constexpr milliseconds settle_time{200};  ///< time without a change before the file is read
  /// Maximum delay of a read; also the pause before a rejected reload is repeated.
  static constexpr milliseconds max_settle_time{2000};

  struct callbacks {
    std::function<bool()> reload;      ///< false: rejected now; it is called again
    std::function<void()> watch_lost;  ///< watching ended, for example because the folder was deleted
  };
  /// `known` is the content that was read at start; nullopt if the file did not exist.
  settings_watcher(std::string path, std::optional<std::string> known, callbacks functions, const clock& time)
      : path_(std::move(path)), known_content_(std::move(known)), callbacks_(std::move(functions)), time_(time) {}
  ~settings_watcher() {
    folder_.stop();
    if (thread_.joinable()) thread_.join();
  }
  settings_watcher(const settings_watcher&) = delete;
  settings_watcher& operator=(const settings_watcher&) = delete;

  /// Starts the thread. A change since the file was read at start also counts. Fails if the folder cannot be watched.
  os::sys_result<void> start() {
    if (auto opened = folder_.open(os::folder_of(path_)); !opened) return opened;
    thread_ = os::start_thread([this] {
      // After an exception, for want of memory, the file is read again.
      while (!base::attempt([this] { thread_main(); }) && wait(max_settle_time) != watch_event::stopped) {}
    });
    return {};
  }

 private:
  using watch_event = os::folder_watcher::watch_event;
  void thread_main();
  watch_event wait(std::optional<milliseconds> limit = {});
  watch_event wait_until_settled();

  const std::string path_;
  std::optional<std::string> known_content_;
  callbacks callbacks_;
  const clock& time_;
  os::folder_watcher folder_;
  bool is_lost_ = false;  // set by the thread: the folder reports `watch_lost` only once
  std::thread thread_;
};

/// Watches the settings file of a service. `reload` returns false if the reload must be repeated. A file that cannot be
/// watched is a warning in the log.
[[nodiscard]] std::unique_ptr<settings_watcher> watch_settings_file(service_definition& definition,
                                                                    std::function<bool()> reload);

}  // namespace detail::host
}  // inline namespace WINSVC_ABI
}  // namespace winsvc

// ---------------------------------------------------------------------------------------------------------------------

#if WINSVC_BODIES_HOST

namespace winsvc {
inline namespace WINSVC_ABI {
namespace detail::host {

WINSVC_INLINE void settings_watcher::thread_main() {
  for (watch_event event = watch_event::change;; event = wait()) {
    if (event == watch_event::change) event = wait_until_settled();
    if (event == watch_event::stopped) return;
    if (is_lost_) return callbacks_.watch_lost();
    auto content = os::read_file(path_);
    if (content == known_content_) continue;
    while (!callbacks_.reload()) {
      if (wait(max_settle_time) == watch_event::stopped) return;
      if (is_lost_) return callbacks_.watch_lost();
    }
    known_content_ = std::move(content);
  }
}

WINSVC_INLINE settings_watcher::watch_event settings_watcher::wait(std::optional<milliseconds> limit) {
  const watch_event event = folder_.wait(limit);
  is_lost_ = is_lost_ || event == watch_event::watch_lost;
  return event;
}

/// Waits until nothing has changed for `settle_time`: returns `timed_out` then, or the event that ends watching.
WINSVC_INLINE settings_watcher::watch_event settings_watcher::wait_until_settled() {
  const auto deadline = time_.now() + max_settle_time;
  for (;;) {
    const watch_event event = wait(settle_time);
    if (event != watch_event::change) return event;
    if (time_.now() >= deadline) return watch_event::timed_out;
  }
}

WINSVC_INLINE std::unique_ptr<settings_watcher> watch_settings_file(service_definition& definition,
                                                                    std::function<bool()> reload) {
  const auto& sources = definition.settings.sources();
  const std::string path = sources.path;
  const auto warn = [&log = definition.log, path](const std::string& reason) {
    log.warn("changes of " + path + " are not detected" + reason + "; use 'reload' to apply them");
  };
  settings_watcher::callbacks callbacks;
  callbacks.reload = [&log = definition.log, path, reload = std::move(reload)] {
    log.info(path + " has changed");
    return reload();
  };
  callbacks.watch_lost = [warn] { warn(" any more"); };
  auto watcher =
      std::make_unique<settings_watcher>(path, sources.content, std::move(callbacks), *definition.time);
  if (const auto watching = watcher->start(); !watching) warn(": " + os::system_error_text(watching.error()));
  return watcher;
}

}  // namespace detail::host
}  // inline namespace WINSVC_ABI
}  // namespace winsvc

#endif  // WINSVC_BODIES_HOST
