// Control tasks: the work that a control other than stop causes (pause, continue, reload, events, custom controls). The
// control handler queues a task; the service thread runs the tasks one after the other.
//
//   queue.push({{scm::control_action::pause, event, nullptr}});                 // control handler
//   while (auto task = queue.wait(is_stopping)) runner.run_task(*task);         // service thread
//
// A hook that throws here is logged, and the service continues; so is a task that has no memory, or no thread for its
// hooks. A hook that times out ends the service (host/runtime_stop_impl.hpp, on_hook_timeout).
#pragma once

#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <exception>
#include <functional>
#include <list>
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
#include "winsvc/base/attempt.hpp"
#include "winsvc/base/error.hpp"
#include "winsvc/base/error_codes.hpp"
#include "winsvc/scm/events.hpp"

namespace winsvc {
inline namespace WINSVC_ABI {
namespace detail::host {

/// Result of a custom control: the hook sets it, the control handler waits for it.
class pending_result {
 public:
  void set(std::uint32_t code) {
    const std::lock_guard lock(mutex_);
    code_ = code;
    ready_.notify_all();
  }
  /// Returns the code, or `default_code` if the hook does not set it within `limit`.
  std::uint32_t wait(std::chrono::milliseconds limit, std::uint32_t default_code) {
    std::unique_lock lock(mutex_);
    ready_.wait_for(lock, limit, [this] { return code_.has_value(); });
    return code_.value_or(default_code);
  }

 private:
  std::mutex mutex_;
  std::condition_variable ready_;
  std::optional<std::uint32_t> code_;
};

/// One queued control with the action that it causes.
struct control_task {
  scm::control_action action = scm::control_action::nothing;
  scm::control_event event;
  std::shared_ptr<pending_result> result;  ///< set for a custom control
};

/// The control tasks that wait for the service thread, in the order of the controls. Safe to use from any thread.
class control_task_queue {
 public:
  /// Needs no memory: the state for the SCM may have changed already, so the task must follow.
  void push(std::list<control_task>&& prepared) noexcept {
    const std::lock_guard lock(mutex_);
    tasks_.splice(tasks_.end(), prepared);
    wakeup_.notify_all();
  }
  /// Makes wait() evaluate its condition again.
  void wake() {
    const std::lock_guard lock(mutex_);
    wakeup_.notify_all();
  }
  /// Waits for a task and removes it; nullopt if `is_stopping()` is true. Call wake() after that has changed.
  [[nodiscard]] std::optional<control_task> wait(const std::function<bool()>& is_stopping) {
    std::unique_lock lock(mutex_);
    wakeup_.wait(lock, [&] { return is_stopping() || !tasks_.empty(); });
    if (is_stopping()) return std::nullopt;
    std::optional<control_task> task = std::move(tasks_.front());
    tasks_.pop_front();
    return task;
  }
  /// Removes all tasks. The control handlers that wait for a result receive `code`.
  void reject_all(std::uint32_t code) {
    const std::lock_guard lock(mutex_);
    for (auto& task : tasks_) {
      if (task.result) task.result->set(code);
    }
    tasks_.clear();
  }

 private:
  std::mutex mutex_;
  std::condition_variable wakeup_;
  std::list<control_task> tasks_;  // under mutex_
};

/// Runs control tasks on the service thread.
class control_task_runner {
 public:
  using event_function = std::function<void(scm::service_event, const std::string&)>;

  /// Pause and continue change the engine. `wait_hint` returns the hint for the SCM; a hook that has timed out may call
  /// it later.
  control_task_runner(service_definition& definition, status_reporter& reporter, hook_runner& hooks,
                      server::engine& engine, event_function on_event,
                      std::function<std::chrono::milliseconds()> wait_hint)
      : definition_(definition),
        log_(definition.log),
        status_reporter_(reporter),
        hooks_(hooks),
        engine_(engine),
        on_event_(std::move(on_event)),
        wait_hint_(std::move(wait_hint)) {}

  /// Runs one task. After a stop was requested, it starts no further hook.
  void run_task(control_task& task);

  /// Added to the time limit of the app to get the wait hint of a pending state.
  static constexpr std::chrono::milliseconds wait_hint_margin{5'000};

 private:
  void dispatch(control_task& task);
  void abandon(const control_task& task);
  void pause();
  void resume();
  void run_custom_control(control_task& task);
  bool run(const char* operation, const std::vector<api::named_hook>& hooks);
  bool reload_certificates();
  template <class Event>
  void run(const char* operation, const std::vector<api::event_hook<Event>>& hooks, Event event);
  void report_completed(scm::service_event event, const char* message);
  [[nodiscard]] bool is_stopping() const { return phase_of(status_reporter_.state()) == run_phase::stopping; }
  /// Raises the checkpoint if a state is pending: the task or hook before it has ended. Otherwise nothing is reported.
  void report_progress() { status_reporter_.apply(scm::lifecycle_event::progress, wait_hint_()); }

  service_definition& definition_;
  logger& log_;
  status_reporter& status_reporter_;
  hook_runner& hooks_;
  server::engine& engine_;
  event_function on_event_;
  std::function<std::chrono::milliseconds()> wait_hint_;
};

// ---------------------------------------------------------------------------------------------------------------------

template <class Event>
void control_task_runner::run(const char* operation, const std::vector<api::event_hook<Event>>& hooks, Event event) {
  const auto shared = std::make_shared<const Event>(std::move(event));
  for (const auto& hook : hooks) {
    if (is_stopping()) return;
    const std::string hook_name = "hook at " + hook.location.to_string();
    const hook_result result = hooks_.run_hook(
        operation, hook_name, [&hook, shared] { hook.run(*shared); }, definition_.stop_limit);
    if (result.outcome == hook_result::threw)
      log_.error(std::string(operation) + ": " + hook_name + " threw: " + result.message);
    if (result.outcome == hook_result::timed_out) return;
    report_progress();  // a pause or a stop may wait for the end of this task
  }
}

}  // namespace detail::host
}  // inline namespace WINSVC_ABI
}  // namespace winsvc

#if WINSVC_BODIES_HOST

namespace winsvc {
inline namespace WINSVC_ABI {
namespace detail::host {

WINSVC_INLINE void control_task_runner::run_task(control_task& task) {
  try {
    dispatch(task);
  } catch (const std::exception&) {
    abandon(task);
  }
  report_progress();  // a pause, a continue or a stop may wait for this task
}

/// Ends a task that has no memory, or no thread for its hooks, in the same way as one whose hook threw. Call it only in
/// a catch block.
WINSVC_INLINE void control_task_runner::abandon(const control_task& task) {
  const std::string reason = base::exception_message();
  base::attempt([&] { log_.error("control " + std::to_string(task.event.control) + ": " + reason); });
  const auto state = status_reporter_.state();
  if (state == scm::state::pause_pending) engine_.pause(false);
  if (state == scm::state::pause_pending || state == scm::state::continue_pending)
    status_reporter_.apply(scm::lifecycle_event::hook_failed);
  if (!task.result) return;
  constexpr std::uint32_t code = base::win32_error::not_enough_memory;
  base::attempt([&] { definition_.last_control_results.add(task.event.control, code); });
  task.result->set(code);
}

WINSVC_INLINE void control_task_runner::dispatch(control_task& task) {
  switch (task.action) {
    case scm::control_action::pause: return pause();
    case scm::control_action::resume: return resume();
    case scm::control_action::reload:
      if (reload_settings(definition_) && run("reload", definition_.reload_hooks) && reload_certificates())
        report_completed(scm::service_event::reloaded, "reloaded");
      return;
    case scm::control_action::time: run("time change", definition_.time_hooks); return;
    case scm::control_action::session:
      return run("session change", definition_.session_hooks,
                 session_change{static_cast<session_change::kind>(task.event.type), task.event.session});
    case scm::control_action::power:
      return run("power event", definition_.power_hooks,
                 power_event{static_cast<power_event::kind>(task.event.type), task.event.setting, task.event.data});
    case scm::control_action::custom: return run_custom_control(task);
    case scm::control_action::stop:
    case scm::control_action::nothing: return;
  }
}

WINSVC_INLINE void control_task_runner::pause() {
  engine_.pause(true);
  const bool succeeded = run("pause", definition_.pause_hooks);
  if (!succeeded) engine_.pause(false);  // before RUNNING: a client may send a request as soon as it sees RUNNING
  // Illegal if a stop was requested in the meantime; the stop then continues.
  if (status_reporter_.apply(succeeded ? scm::lifecycle_event::paused : scm::lifecycle_event::hook_failed) &&
      succeeded)
    report_completed(scm::service_event::paused, "paused");
}

WINSVC_INLINE void control_task_runner::resume() {
  if (!run("continue", definition_.continue_hooks)) {
    status_reporter_.apply(scm::lifecycle_event::hook_failed);
    return;
  }
  engine_.pause(false);  // before RUNNING, as in pause()
  if (status_reporter_.apply(scm::lifecycle_event::resumed))
    report_completed(scm::service_event::continued, "continued");
}

WINSVC_INLINE void control_task_runner::run_custom_control(control_task& task) {
  std::uint32_t code = scm::win32_error::exception_in_service;
  for (const auto& hook : definition_.control_hooks) {
    if (hook.code != task.event.control) continue;
    if (is_stopping()) {
      code = base::win32_error::service_cannot_accept_control;
      break;
    }
    const auto result = std::make_shared<std::uint32_t>(0);  // shared: a hook that timed out may still write it
    const std::string hook_name = "on_control " + std::to_string(hook.code) + " at " + hook.location.to_string();
    const hook_result outcome = hooks_.run_hook(
        "control", hook_name, [&hook, result] { *result = hook.run(hook.code); }, definition_.stop_limit);
    if (outcome.outcome == hook_result::completed) code = *result;
    if (outcome.outcome == hook_result::threw) log_.error(hook_name + " threw: " + outcome.message);
  }
  definition_.last_control_results.add(task.event.control, code);
  task.result->set(code);
}

/// Runs the hooks in the order of registration. False if a hook threw or timed out, or if a stop was
/// requested; the hooks after it are not run.
WINSVC_INLINE bool control_task_runner::run(const char* operation, const std::vector<api::named_hook>& hooks) {
  hooks_.set_progress_context(operation, wait_hint_);
  bool first = true;
  for (const auto& hook : hooks) {
    if (is_stopping()) return false;
    if (!std::exchange(first, false)) report_progress();  // the previous hook returned
    const hook_result result = hooks_.run_hook(operation, hook, definition_.stop_limit);
    if (result.outcome == hook_result::threw)
      log_.error(std::string(operation) + ": " + hook.description() + " threw: " + result.message);
    if (result.outcome != hook_result::completed) return false;
  }
  return true;
}

/// Loads the certificates again; new connections use them. False if they cannot be used; the old ones stay in use then.
WINSVC_INLINE bool control_task_runner::reload_certificates() {
  if (!definition_.tls) return true;
  auto identity = server::tls_identity::load(*definition_.tls);
  if (identity) engine_.tls(*identity);
  else log_.error("reload: " + identity.error().to_string() + "; the previous certificate stays in use");
  return static_cast<bool>(identity);
}

WINSVC_INLINE void control_task_runner::report_completed(scm::service_event event, const char* message) {
  log_.info(message);
  if (on_event_) on_event_(event, definition_.spec.name + ' ' + message);
}

}  // namespace detail::host
}  // inline namespace WINSVC_ABI
}  // namespace winsvc

#endif  // WINSVC_BODIES_HOST
