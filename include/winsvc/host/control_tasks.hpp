// What controls ask for, beside a stop: pause, continue, reload, events, and controls of the app's own. The control
// handler queues it, the service's thread does it, one after the other.
//
// A hook that throws here is logged and ends nothing. One that hangs ends the service (host/hook_runner.hpp tells it).
#pragma once

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "winsvc/host/definition.hpp"
#include "winsvc/config/abi.hpp"
#include "winsvc/host/health.hpp"
#include "winsvc/host/hook_runner.hpp"
#include "winsvc/host/builtin_settings.hpp"
#include "winsvc/host/status_reporter.hpp"
#include "winsvc/server/engine.hpp"
#include "winsvc/base/error_codes.hpp"
#include "winsvc/scm/events.hpp"

namespace winsvc {
inline namespace WINSVC_ABI {
namespace host {

/// The result of a control of the app's own, on its way from the hook to the sender.
class pending_result {
 public:
  void set(std::uint32_t code) {
    const std::lock_guard lock(mutex_);
    code_ = code;
    ready_.notify_all();
  }
  /// The code; `otherwise` when it does not come in time.
  std::uint32_t wait(std::chrono::milliseconds limit, std::uint32_t otherwise) {
    std::unique_lock lock(mutex_);
    ready_.wait_for(lock, limit, [this] { return code_.has_value(); });
    return code_.value_or(otherwise);
  }

 private:
  std::mutex mutex_;
  std::condition_variable ready_;
  std::optional<std::uint32_t> code_;
};

/// One control on its way.
struct control_task {
  model::control_action kind = model::control_action::nothing;
  model::control_event event;
  std::shared_ptr<pending_result> result;  ///< of a control of the app's own
};

class control_task_runner {
 public:
  using event_function = std::function<void(model::service_event, const std::string&)>;

  /// `now` and the engine follow a pause.
  control_task_runner(service_definition& plan, logger& log, status_reporter& report, hook_runner& hooks, http::engine& engine,
         std::atomic<run_phase>& now, event_function on_event)
      : plan_(plan),
        log_(log),
        status_reporter_(report),
        hooks_(hooks),
        engine_(engine),
        phase_(now),
        on_event_(std::move(on_event)) {}

  void run_task(control_task& next);

  /// How long a pending state may be silent before the SCM should worry, beyond what the app allows.
  static constexpr std::chrono::milliseconds wait_hint_margin{5'000};

 private:
  void pause();
  void resume();
  void run_custom_control(control_task& next);
  bool run(const char* operation, const std::vector<named_hook>& hooks);
  bool reload_certificates();
  template <class Event>
  void run(const char* operation, const std::vector<event_hook<Event>>& hooks, Event event);
  void log_failure(model::service_event what, const char* message);
  [[nodiscard]] std::chrono::milliseconds wait_hint() const { return plan_.stop_limit + wait_hint_margin; }

  service_definition& plan_;
  logger& log_;
  status_reporter& status_reporter_;
  hook_runner& hooks_;
  http::engine& engine_;
  std::atomic<run_phase>& phase_;
  event_function on_event_;
};

// ---------------------------------------------------------------------------------------------------------------------

template <class Event>
void control_task_runner::run(const char* operation, const std::vector<event_hook<Event>>& hooks, Event event) {
  const auto shared = std::make_shared<const Event>(std::move(event));
  for (const auto& hook : hooks) {
    const std::string name = "hook at " + hook.location.to_string();
    const hook_result result = hooks_.run_hook(operation, name, [&hook, shared] { hook.run(*shared); }, plan_.stop_limit);
    if (result.outcome == hook_result::threw) log_.error(std::string(operation) + ": " + name + " threw: " + result.message);
    if (result.outcome == hook_result::timed_out) return;
  }
}

}  // namespace host
}  // inline namespace WINSVC_ABI
}  // namespace winsvc

#if WINSVC_BODIES_HOST

namespace winsvc {
inline namespace WINSVC_ABI {
namespace host {

WINSVC_INLINE void control_task_runner::run_task(control_task& next) {
  switch (next.kind) {
    case model::control_action::pause: return pause();
    case model::control_action::resume: return resume();
    case model::control_action::reload:
      if (reload_settings(plan_) && run("reload", plan_.reload_hooks) && reload_certificates())
        log_failure(model::service_event::reloaded, "reloaded");
      return;
    case model::control_action::time: run("time change", plan_.time_hooks); return;
    case model::control_action::session:
      return run("session change", plan_.session_hooks,
                 session_change{static_cast<session_change::kind>(next.event.type), next.event.session});
    case model::control_action::power:
      return run("power event", plan_.power_hooks,
                 power_event{static_cast<power_event::kind>(next.event.type), next.event.setting, next.event.data});
    case model::control_action::custom: return run_custom_control(next);
    case model::control_action::stop:
    case model::control_action::nothing: return;
  }
}

WINSVC_INLINE void control_task_runner::pause() {
  status_reporter_.apply(model::lifecycle_event::progress, wait_hint());  // what stood before it in the queue is done
  engine_.pause(true);
  phase_.store(run_phase::paused);
  const bool good = run("pause", plan_.pause_hooks);
  if (!good) {
    phase_.store(run_phase::serving);
    engine_.pause(false);
  }
  // Not legal any more when a stop came meanwhile: it has the word then.
  if (status_reporter_.apply(good ? model::lifecycle_event::paused : model::lifecycle_event::hook_failed) && good) log_failure(model::service_event::paused, "paused");
}

WINSVC_INLINE void control_task_runner::resume() {
  status_reporter_.apply(model::lifecycle_event::progress, wait_hint());
  if (!run("continue", plan_.continue_hooks)) {
    status_reporter_.apply(model::lifecycle_event::hook_failed);
    return;
  }
  phase_.store(run_phase::serving);
  engine_.pause(false);
  if (status_reporter_.apply(model::lifecycle_event::resumed)) log_failure(model::service_event::continued, "continued");
}

WINSVC_INLINE void control_task_runner::run_custom_control(control_task& next) {
  std::uint32_t code = model::win32_error::exception_in_service;
  for (const auto& hook : plan_.control_hooks) {
    if (hook.code != next.event.control) continue;
    const auto result = std::make_shared<std::uint32_t>(0);  // shared: a hook that was given up may still write it
    const std::string name = "on_control " + std::to_string(hook.code) + " at " + hook.location.to_string();
    const hook_result outcome = hooks_.run_hook("control", name, [&hook, result] { *result = hook.run(hook.code); }, plan_.stop_limit);
    if (outcome.outcome == hook_result::completed) code = *result;
    if (outcome.outcome == hook_result::threw) log_.error(name + " threw: " + outcome.message);
  }
  next.result->set(code);
}

/// In the order of registration. False: one threw, or hung; those behind it are not run.
WINSVC_INLINE bool control_task_runner::run(const char* operation, const std::vector<named_hook>& hooks) {
  hooks_.set_progress_context(operation, [h = wait_hint()] { return h; });  // by value: a hook that was given up may outlive us
  bool first = true;
  for (const auto& hook : hooks) {
    if (!std::exchange(first, false)) status_reporter_.apply(model::lifecycle_event::progress, wait_hint());  // the one before is done
    const hook_result result = hooks_.run_hook(operation, hook, plan_.stop_limit);
    if (result.outcome == hook_result::threw) log_.error(std::string(operation) + ": " + hook.description() + " threw: " + result.message);
    if (result.outcome != hook_result::completed) return false;
  }
  return true;
}

/// Anew, for connections from now on. False: they cannot be used, and those that could be stay.
WINSVC_INLINE bool control_task_runner::reload_certificates() {
  if (!plan_.tls) return true;
  auto identity = http::tls_identity::load(*plan_.tls);
  if (identity) engine_.tls(*identity);
  else log_.error("reload: " + identity.error().to_string() + "; the certificate from before is used on");
  return static_cast<bool>(identity);
}

WINSVC_INLINE void control_task_runner::log_failure(model::service_event what, const char* message) {
  log_.info(message);
  if (on_event_) on_event_(what, plan_.spec.name + ' ' + message);
}

}  // namespace host
}  // inline namespace WINSVC_ABI
}  // namespace winsvc

#endif  // WINSVC_BODIES_HOST
