// Runs the app's hooks on their thread and waits beside it: with the limits of the app, with a way for a hook to say
// that it gets on, and with one place that hears of a hook that hangs.
#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "winsvc/app/blueprint.hpp"
#include "winsvc/api/hooks.hpp"
#include "winsvc/config/abi.hpp"
#include "winsvc/host/hook_thread.hpp"
#include "winsvc/host/reporter.hpp"

namespace winsvc {
inline namespace WINSVC_ABI {
namespace host {

class hook_runner {
 public:
  using milliseconds = std::chrono::milliseconds;
  /// `doing` what, which hook, and how long it had been silent.
  using hung_function = std::function<void(const std::string& doing, const std::string& hook, milliseconds limit)>;

  hook_runner(blueprint& plan, reporter& report, hung_function hung)
      : plan_(plan), report_(report), hung_(std::move(hung)) {}

  /// From any thread: whatever runs has this long from here on, and what is run after it too.
  void hurry(milliseconds limit, hook_thread::time_point all_by) noexcept { thread_.hurry(limit, all_by); }

  /// What the hooks that are run next may say progress with, and the wait hint that the SCM is given then.
  void announce(const char* doing, std::function<milliseconds()> hint);
  /// The same for start hooks.
  void announce_start(std::function<milliseconds()> hint, stop_token stop, std::vector<std::string> arguments);

  /// Runs one hook. `silent` was told to `hung` when this returns.
  ending call(const std::string& doing, const std::string& hook, std::function<void()> body, milliseconds limit);
  ending call(const std::string& doing, const named_hook& hook, milliseconds limit) {
    return call(doing, hook.text(), [this, &hook] { hook.body(*pending_); }, limit);
  }
  /// Runs a start hook; `back` becomes what undoes it.
  ending call(const hook& h, undo& back, milliseconds limit);

 private:
  start_context::progress_function progress(const char* doing, std::function<milliseconds()> hint);

  blueprint& plan_;
  reporter& report_;
  hung_function hung_;
  std::optional<start_context> start_;   // here and not in a frame: a hook that was given up still uses it
  std::optional<stop_context> pending_;
  hook_thread thread_;                   // last: it ends before what hooks use
};

}  // namespace host
}  // inline namespace WINSVC_ABI
}  // namespace winsvc

// ---------------------------------------------------------------------------------------------------------------------

#if WINSVC_BODIES_HOST

namespace winsvc {
inline namespace WINSVC_ABI {
namespace host {

WINSVC_INLINE start_context::progress_function hook_runner::progress(const char* doing, std::function<milliseconds()> hint) {
  return [this, doing, hint = std::move(hint)](std::string_view what, unsigned step, unsigned of) {
    std::string line = std::string(doing) + ": " + std::string(what);
    if (of != 0) line += " (" + std::to_string(step) + " of " + std::to_string(of) + ")";
    plan_.log.info(std::move(line));
    thread_.progress();
    report_.apply(model::step::progress, hint());
  };
}

WINSVC_INLINE void hook_runner::announce(const char* doing, std::function<milliseconds()> hint) {
  pending_.emplace(progress(doing, std::move(hint)));
}

WINSVC_INLINE void hook_runner::announce_start(std::function<milliseconds()> hint, stop_token stop,
                                        std::vector<std::string> arguments) {
  start_.emplace(progress("starting", std::move(hint)), std::move(stop), std::move(arguments));
}

WINSVC_INLINE ending hook_runner::call(const std::string& doing, const std::string& hook, std::function<void()> body,
                                milliseconds limit) {
  ending how = thread_.run(std::move(body), limit);
  if (how.what == ending::silent) hung_(doing, hook, limit);
  return how;
}

WINSVC_INLINE ending hook_runner::call(const hook& h, undo& back, milliseconds limit) {
  const auto made = std::make_shared<undo>();  // shared: see start_
  ending how = call("start", h.stop.text(), [this, &h, made] { *made = h.start(*start_); }, limit);
  if (how.what == ending::done) back = std::move(*made);
  return how;
}

}  // namespace host
}  // inline namespace WINSVC_ABI
}  // namespace winsvc

#endif  // WINSVC_BODIES_HOST
