// Hook runner: runs the app's hooks on the hook thread and waits for them, with time limits, progress reports and one
// callback for a hook that times out.
//
//   const hook_result result = runner.run_hook("pause", hook, 20s);
//   if (result.outcome == hook_result::timed_out) return;      // the callback has reported it
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
namespace detail::host {

class hook_runner {
 public:
  using milliseconds = std::chrono::milliseconds;
  /// Receives the operation, the description of the hook, and the time without progress.
  using timeout_callback =
      std::function<void(const std::string& operation, const std::string& hook, milliseconds limit)>;

  hook_runner(service_definition& definition, status_reporter& reporter, timeout_callback on_timeout)
      : definition_(definition),
        status_reporter_(reporter),
        on_timeout_(std::move(on_timeout)),
        thread_(*definition.time) {}

  /// From any thread: limits the running hook and all later hooks to `limit`, and all of them to `total_deadline`.
  void shorten_deadline(milliseconds limit, hook_thread::time_point total_deadline) noexcept {
    thread_.shorten_deadline(limit, total_deadline);
  }

  /// Sets the operation that the progress of the next hooks is logged with, and the wait hint for the SCM.
  void set_progress_context(const char* operation, std::function<milliseconds()> wait_hint);
  /// The same for start hooks.
  void set_start_context(std::function<milliseconds()> wait_hint, stop_token stop, std::vector<std::string> arguments);

  /// Runs one hook. If it times out, the timeout callback has run when this returns.
  hook_result run_hook(const std::string& operation, const std::string& hook, std::function<void()> callback,
                       milliseconds limit);
  hook_result run_hook(const std::string& operation, const api::named_hook& hook, milliseconds limit) {
    return run_hook(operation, hook.description(), [this, &hook] { hook.run(*stop_context_); }, limit);
  }
  /// Runs a start hook; `cleanup` receives its cleanup function.
  hook_result run_hook(const api::hook& lifecycle_hook, api::cleanup_function& cleanup, milliseconds limit);

 private:
  start_context::progress_function progress(const char* operation, std::function<milliseconds()> wait_hint);

  service_definition& definition_;
  status_reporter& status_reporter_;
  timeout_callback on_timeout_;
  std::optional<start_context> start_context_;  // not on the stack: a hook that timed out still uses it
  std::optional<stop_context> stop_context_;
  hook_thread thread_;  // last: it ends before the members that hooks use
};

}  // namespace detail::host
}  // inline namespace WINSVC_ABI
}  // namespace winsvc

// ---------------------------------------------------------------------------------------------------------------------

#if WINSVC_BODIES_HOST

namespace winsvc {
inline namespace WINSVC_ABI {
namespace detail::host {

WINSVC_INLINE start_context::progress_function hook_runner::progress(const char* operation,
                                                                     std::function<milliseconds()> wait_hint) {
  return [this, operation, wait_hint = std::move(wait_hint)](std::string_view item, unsigned step, unsigned steps) {
    std::string line = std::string(operation) + ": " + std::string(item);
    if (steps != 0) line += " (" + std::to_string(step) + " of " + std::to_string(steps) + ")";
    definition_.log.info(std::move(line));
    thread_.progress();
    status_reporter_.apply(scm::lifecycle_event::progress, wait_hint());
  };
}

WINSVC_INLINE void hook_runner::set_progress_context(const char* operation, std::function<milliseconds()> wait_hint) {
  stop_context_.emplace(progress(operation, std::move(wait_hint)));
}

WINSVC_INLINE void hook_runner::set_start_context(std::function<milliseconds()> wait_hint, stop_token stop,
                                                  std::vector<std::string> arguments) {
  start_context_.emplace(progress("starting", std::move(wait_hint)), std::move(stop), std::move(arguments));
}

WINSVC_INLINE hook_result hook_runner::run_hook(const std::string& operation, const std::string& hook,
                                                std::function<void()> callback, milliseconds limit) {
  const auto named = [callback = std::move(callback), operation, hook] {
    const os::activity running(operation, hook);
    callback();
  };
  hook_result result = thread_.run(named, limit);
  if (result.outcome == hook_result::timed_out) on_timeout_(operation, hook, limit);
  return result;
}

WINSVC_INLINE hook_result hook_runner::run_hook(const api::hook& lifecycle_hook, api::cleanup_function& cleanup,
                                                milliseconds limit) {
  const auto cleanup_result =
      std::make_shared<api::cleanup_function>();  // shared: a hook that timed out may still write it
  hook_result result = run_hook(
      "start", lifecycle_hook.stop.description(),
      [this, &lifecycle_hook, cleanup_result] { *cleanup_result = lifecycle_hook.start(*start_context_); }, limit);
  if (result.outcome == hook_result::completed) cleanup = std::move(*cleanup_result);
  return result;
}

}  // namespace detail::host
}  // inline namespace WINSVC_ABI
}  // namespace winsvc

#endif  // WINSVC_BODIES_HOST
