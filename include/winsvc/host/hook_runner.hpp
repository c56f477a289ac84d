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

#include "winsvc/host/definition.hpp"
#include "winsvc/api/hooks.hpp"
#include "winsvc/config/abi.hpp"
#include "winsvc/host/hook_thread.hpp"
#include "winsvc/host/status_reporter.hpp"

namespace winsvc {
inline namespace WINSVC_ABI {
namespace host {

class hook_runner {
 public:
  using milliseconds = std::chrono::milliseconds;
  /// `doing` what, which hook, and how long it had been silent.
  using timeout_callback = std::function<void(const std::string& operation, const std::string& hook, milliseconds limit)>;

  hook_runner(service_definition& plan, status_reporter& report, timeout_callback hung)
      : plan_(plan), status_reporter_(report), on_timeout_(std::move(hung)) {}

  /// From any thread: whatever runs has this long from here on, and what is run after it too.
  void shorten_deadline(milliseconds limit, hook_thread::time_point total_deadline) noexcept { thread_.shorten_deadline(limit, total_deadline); }

  /// What the hooks that are run next may say progress with, and the wait hint that the SCM is given then.
  void set_progress_context(const char* operation, std::function<milliseconds()> hint);
  /// The same for start hooks.
  void set_start_context(std::function<milliseconds()> hint, stop_token stop, std::vector<std::string> arguments);

  /// Runs one hook. `silent` was told to `hung` when this returns.
  hook_result run_hook(const std::string& operation, const std::string& hook, std::function<void()> body, milliseconds limit);
  hook_result run_hook(const std::string& operation, const named_hook& hook, milliseconds limit) {
    return run_hook(operation, hook.description(), [this, &hook] { hook.run(*stop_context_); }, limit);
  }
  /// Runs a start hook; `back` becomes what undoes it.
  hook_result run_hook(const hook& h, cleanup_function& back, milliseconds limit);

 private:
  start_context::progress_function progress(const char* operation, std::function<milliseconds()> hint);

  service_definition& plan_;
  status_reporter& status_reporter_;
  timeout_callback on_timeout_;
  std::optional<start_context> start_context_;   // here and not in a frame: a hook that was given up still uses it
  std::optional<stop_context> stop_context_;
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

WINSVC_INLINE start_context::progress_function hook_runner::progress(const char* operation, std::function<milliseconds()> hint) {
  return [this, operation, hint = std::move(hint)](std::string_view what, unsigned step, unsigned of) {
    std::string line = std::string(operation) + ": " + std::string(what);
    if (of != 0) line += " (" + std::to_string(step) + " of " + std::to_string(of) + ")";
    plan_.log.info(std::move(line));
    thread_.progress();
    status_reporter_.apply(model::lifecycle_event::progress, hint());
  };
}

WINSVC_INLINE void hook_runner::set_progress_context(const char* operation, std::function<milliseconds()> hint) {
  stop_context_.emplace(progress(operation, std::move(hint)));
}

WINSVC_INLINE void hook_runner::set_start_context(std::function<milliseconds()> hint, stop_token stop,
                                        std::vector<std::string> arguments) {
  start_context_.emplace(progress("starting", std::move(hint)), std::move(stop), std::move(arguments));
}

WINSVC_INLINE hook_result hook_runner::run_hook(const std::string& operation, const std::string& hook, std::function<void()> body,
                                milliseconds limit) {
  hook_result result = thread_.run(std::move(body), limit);
  if (result.outcome == hook_result::timed_out) on_timeout_(operation, hook, limit);
  return result;
}

WINSVC_INLINE hook_result hook_runner::run_hook(const hook& h, cleanup_function& back, milliseconds limit) {
  const auto made = std::make_shared<cleanup_function>();  // shared: see start_
  hook_result result = run_hook("start", h.stop.description(), [this, &h, made] { *made = h.start(*start_context_); }, limit);
  if (result.outcome == hook_result::completed) back = std::move(*made);
  return result;
}

}  // namespace host
}  // inline namespace WINSVC_ABI
}  // namespace winsvc

#endif  // WINSVC_BODIES_HOST
