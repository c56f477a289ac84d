// Lifecycle hooks: runs the start hooks of the app in their order, and at the stop its stop hooks and the cleanup
// functions of the start hooks, in the reverse order.
//
//   lifecycle_hooks hooks(definition, reporter, runner, wait_hint);
//   const auto started = hooks.start(stop.token(), arguments);   // error: a hook threw
//   hooks.stop([&] { return deadlines.next_step(); });
//
// A hook that times out is reported by the hook runner's callback (host/hook_runner.hpp).
#pragma once

#include <chrono>
#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "winsvc/base/attempt.hpp"
#include "winsvc/base/error.hpp"
#include "winsvc/api/hooks.hpp"
#include "winsvc/base/result.hpp"
#include "winsvc/base/stop.hpp"
#include "winsvc/config/abi.hpp"
#include "winsvc/host/definition.hpp"
#include "winsvc/host/hook_runner.hpp"
#include "winsvc/host/status_reporter.hpp"
#include "winsvc/scm/lifecycle.hpp"

namespace winsvc {
inline namespace WINSVC_ABI {
namespace detail::host {

class lifecycle_hooks {
 public:
  using duration_function = std::function<std::chrono::milliseconds()>;

  /// `wait_hint` returns the hint for the SCM in the current state.
  lifecycle_hooks(service_definition& definition, status_reporter& reporter, hook_runner& runner,
                  duration_function wait_hint)
      : definition_(definition), status_reporter_(reporter), runner_(runner), wait_hint_(std::move(wait_hint)) {}

  /// Runs the start hooks. Returns true if all have completed, and false if a stop was requested or a hook timed out.
  /// The error names the hook that threw.
  [[nodiscard]] result<bool> start(const stop_token& stop, const std::vector<std::string>& arguments);
  /// Runs the stop hooks and cleanup functions of the hooks that were started. Ends at a hook that times out. Returns
  /// false if there was no memory to start one of them.
  bool stop(const duration_function& next_limit);
  /// True if stop() has nothing to run.
  [[nodiscard]] bool is_empty() const noexcept { return cleanups_.empty(); }

 private:
  void report_progress() { status_reporter_.apply(scm::lifecycle_event::progress, wait_hint_()); }

  service_definition& definition_;
  status_reporter& status_reporter_;
  hook_runner& runner_;
  duration_function wait_hint_;
  std::vector<api::named_hook> cleanups_;  // run in reverse order
};

}  // namespace detail::host
}  // inline namespace WINSVC_ABI
}  // namespace winsvc

// ---------------------------------------------------------------------------------------------------------------------

#if WINSVC_BODIES_HOST

namespace winsvc {
inline namespace WINSVC_ABI {
namespace detail::host {

WINSVC_INLINE result<bool> lifecycle_hooks::start(const stop_token& stop, const std::vector<std::string>& arguments) {
  runner_.set_start_context(wait_hint_, stop, arguments);
  runner_.set_progress_context("stopping", wait_hint_);  // there may be no memory for it at the stop
  cleanups_.reserve(2 * definition_.hooks.size());
  bool first = true;
  for (auto& hook : definition_.hooks) {
    if (stop.stop_requested()) return false;
    if (hook.stop.run) cleanups_.push_back(hook.stop);
    if (!hook.start) continue;
    if (!std::exchange(first, false)) report_progress();  // the previous hook returned

    api::named_hook cleanup{hook.stop.name, hook.stop.location, {}};
    const hook_result outcome = runner_.run_hook(hook, cleanup.run, definition_.start_limit);
    if (outcome.outcome == hook_result::timed_out) return false;
    if (outcome.outcome == hook_result::threw) {
      const std::string message = hook.stop.description() + " threw: " + outcome.message;
      if (!stop.stop_requested())
        return failure{error{scm::win32_error::exception_in_service, "start", definition_.spec.name, message, {}}};
      // If a stop was requested during start, an exception counts as cancellation.
      definition_.log.warn("start canceled: " + message);
      return false;
    }
    if (cleanup.run) cleanups_.push_back(std::move(cleanup));
  }
  return true;
}

WINSVC_INLINE bool lifecycle_hooks::stop(const duration_function& next_limit) {
  bool all_started = true;
  base::attempt([this] { runner_.set_progress_context("stopping", wait_hint_); });
  for (; !cleanups_.empty(); cleanups_.pop_back()) {
    const api::named_hook& hook = cleanups_.back();
    hook_result outcome;
    try {
      outcome = runner_.run_hook("stop", hook, next_limit());
    } catch (...) {  // out of memory: the hook was not started, and the other hooks run
      outcome = {hook_result::threw, base::exception_message()};
      all_started = false;
    }
    // Logged only: if an exception made a requested stop a failure, the SCM would start the service again.
    base::attempt([&] {
      if (outcome.outcome == hook_result::threw)
        definition_.log.error("stopping: " + hook.description() + " threw: " + outcome.message);
    });
    if (outcome.outcome == hook_result::timed_out) break;
    report_progress();
  }
  return all_started;
}

}  // namespace detail::host
}  // inline namespace WINSVC_ABI
}  // namespace winsvc

#endif  // WINSVC_BODIES_HOST
