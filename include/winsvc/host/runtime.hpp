// Runtime of a service: starts, serves, drains and stops in one order, in a terminal and under the SCM. A host gives it
// a status reporter, controls and a thread; hosts differ only in the source of a stop.
//
//   START_PENDING -> start hooks -> bind -> RUNNING -> accept, workers -> controls, one after the other
//   STOP_PENDING -> /readyz 503 -> listener closed -> requests in flight complete -> workers joined ->
//     stop hooks in reverse order -> return
//
// `start`, `serve` and `stop` have these steps in this order. The host reports STOPPED as its last action. The service
// thread, which calls `run`, does not run hooks: it waits for the hook thread (host/hook_runner.hpp), so that a hook
// that hangs is named and abandoned.
#pragma once

#include <chrono>
#include <condition_variable>
#include <cstddef>
#include <deque>
#include <exception>
#include <functional>
#include <list>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "winsvc/base/attempt.hpp"
#include "winsvc/base/error.hpp"
#include "winsvc/base/error_codes.hpp"
#include "winsvc/base/duration.hpp"
#include "winsvc/base/stop.hpp"
#include "winsvc/config/abi.hpp"
#include "winsvc/host/control_tasks.hpp"
#include "winsvc/host/drain.hpp"
#include "winsvc/host/engine_setup.hpp"
#include "winsvc/host/health.hpp"
#include "winsvc/host/hook_runner.hpp"
#include "winsvc/host/lifecycle_hooks.hpp"
#include "winsvc/host/run_options.hpp"
#include "winsvc/host/stop_deadlines.hpp"
#include "winsvc/host/control_channel_server.hpp"
#include "winsvc/host/status_reporter.hpp"
#include "winsvc/host/settings_watcher.hpp"
#include "winsvc/host/worker_pool.hpp"
#include "winsvc/server/engine.hpp"
#include "winsvc/scm/events.hpp"
#include "winsvc/scm/spec.hpp"
#include "winsvc/scm/stop_limits.hpp"

namespace winsvc {
inline namespace WINSVC_ABI {
namespace detail::host {

/// Runs one service once.
class runtime {
 public:
  using milliseconds = std::chrono::milliseconds;
  using time_point = clock::time_point;

  runtime(service_definition& definition, status_reporter& reporter, run_options options)
      : definition_(definition),
        status_reporter_(reporter),
        options_(std::move(options)),
        stop_deadlines_(*definition.time, definition.stop_limit),
        lifecycle_hooks_(definition, reporter, hooks_, [this] { return wait_hint(); }),
        hooks_(definition, reporter, [this](const std::string& operation, const std::string& hook, milliseconds limit) {
          on_hook_timeout(operation, hook, limit);
        }) {}
  runtime(const runtime&) = delete;
  runtime& operator=(const runtime&) = delete;

  /// Runs until a stop is requested or a failure occurs. Call it once.
  run_result run();

  /// Handles a control from the SCM: publishes the resulting state, queues the task and returns. A custom control waits
  /// up to `control_timeout` for its result. Safe to call from any thread.
  std::uint32_t control(const scm::control_event& event);
  /// Requests a stop. Safe to call from any thread, any number of times. STOP_PENDING is published before the stop is
  /// signaled. `limit` applies to requests in flight and to each hook (default stop_limit); `total` applies to the
  /// whole stop. A further call can only shorten the deadlines of the running stop. Returns true if this call has
  /// caused the stop.
  bool request_stop(std::string_view reason, std::optional<milliseconds> limit = {},
                    std::optional<milliseconds> total = {});

  /// Live status; empty before the service is RUNNING and after a stop was requested. Safe to call from any thread.
  [[nodiscard]] std::string status() const {
    const auto phase = current_phase();
    return phase == run_phase::serving || phase == run_phase::paused ? control_channel_->status() : std::string();
  }
  /// Load of the service: responses in the last complete second, and the current number of requests and connections.
  struct live_counters {
    std::size_t responses = 0, in_flight = 0, connections = 0;
  };
  [[nodiscard]] std::optional<live_counters> counters() const;

  /// Maximum time that the sender of a custom control waits for its result.
  static constexpr milliseconds control_timeout{500};
  /// Return code if the result is later than that: ERROR_IO_PENDING.
  static constexpr std::uint32_t result_pending = base::win32_error::io_pending;

 private:
  [[nodiscard]] run_phase current_phase() const noexcept { return phase_of(status_reporter_.state()); }
  void fail(error error) noexcept;
  void app_stop_reason(const std::string& reason) {
    const std::lock_guard lock(mutex_);
    if (given_reason_.empty()) given_reason_ = reason;
  }

  bool start();
  bool run_start_hooks();
  bool open_listener();
  void open_channel();
  bool report_running();
  void start_workers();
  void start_settings_watcher();

  void serve();

  void stop() noexcept;
  void log_stop_reason();
  void drain();
  void run_stop_hooks();
  run_result make_result() noexcept;

  void on_hook_timeout(const std::string& operation, const std::string& hook, milliseconds limit) noexcept;
  void record_incomplete_stop(std::string reason) noexcept;

  // Under mutex_.
  void record_stop_request(std::string_view reason, milliseconds limit, std::optional<milliseconds> total) noexcept;
  void shorten_deadlines(milliseconds limit, std::optional<milliseconds> total);

  void signal_stop();
  /// A stop was requested, or the run has failed. The state of the service is the only record of it.
  [[nodiscard]] bool is_stopping() const noexcept { return current_phase() == run_phase::stopping; }
  [[nodiscard]] time_point now() const noexcept { return definition_.time->now(); }
  /// The wait hint for the SCM in the current state.
  [[nodiscard]] milliseconds wait_hint() const {
    return (is_stopping() ? stop_deadlines_.step_limit() : definition_.start_limit) +
           control_task_runner::wait_hint_margin;
  }
  [[nodiscard]] milliseconds stop_hint() const {
    return stop_deadlines_.step_limit() + control_task_runner::wait_hint_margin;
  }
  void report_progress() { status_reporter_.apply(scm::lifecycle_event::progress, wait_hint()); }

  service_definition& definition_;
  status_reporter& status_reporter_;
  run_options options_;
  stop_source stop_;
  std::mutex mutex_;
  control_task_queue tasks_;
  std::optional<error> failure_;                                 // under mutex_; the first one
  std::string stop_reason_;                                      // under mutex_
  std::string given_reason_;                                     // under mutex_; of the app or the operator
  stop_deadlines stop_deadlines_;
  std::unique_ptr<server::engine> engine_;
  std::unique_ptr<control_channel_server> control_channel_;
  std::unique_ptr<worker_pool> workers_;
  std::unique_ptr<settings_watcher> settings_watcher_;
  std::optional<drainer> drainer_;  // created under mutex_, when the drain begins
  bool is_stop_incomplete_ = false;
  std::vector<std::string> incomplete_stop_;  // the reasons, as far as there was memory for them
  bool has_stuck_thread_ = false;
  lifecycle_hooks lifecycle_hooks_;
  hook_runner hooks_;  // last: its thread ends before the members that hooks use
};

// ---------------------------------------------------------------------------------------------------------------------

}  // namespace detail::host
}  // inline namespace WINSVC_ABI
}  // namespace winsvc

#if WINSVC_BODIES_HOST

namespace winsvc {
inline namespace WINSVC_ABI {
namespace detail::host {

WINSVC_INLINE std::uint32_t runtime::control(const scm::control_event& event) {
  std::shared_ptr<pending_result> result;
  std::optional<std::list<control_task>> task;  // made before the state changes
  const bool has_task = base::attempt([&] {
    const bool is_custom = scm::is_custom_control(event.control);
    task.emplace().push_back(
        {scm::control_action::nothing, event, is_custom ? std::make_shared<pending_result>() : nullptr});
  });
  {
    const std::lock_guard lock(mutex_);
    const auto limits = scm::stop_limits_for(event.control, definition_.stop_limit, definition_.spec.preshutdown);
    const auto wait_hint = limits.step_limit + control_task_runner::wait_hint_margin;
    const auto decision = status_reporter_.handle_control(event.control, wait_hint, has_task);
    if (decision.action == scm::control_action::nothing) return decision.return_code;
    if (decision.action == scm::control_action::stop) {
      record_stop_request(event.control == static_cast<std::uint32_t>(scm::control::stop)
                              ? "requested by the service control manager"
                              : "Windows is shutting down",
                          limits.step_limit, limits.total);
    } else {
      task->back().action = decision.action;
      result = task->back().result;
      tasks_.push(*std::move(task));
    }
  }
  if (!result) {
    signal_stop();
    return 0;
  }
  return result->wait(control_timeout, result_pending);
}

WINSVC_INLINE bool runtime::request_stop(std::string_view reason, std::optional<milliseconds> limit,
                                         std::optional<milliseconds> total) {
  bool is_first = false;
  {
    const std::lock_guard lock(mutex_);
    const milliseconds step_limit = limit.value_or(definition_.stop_limit);
    // Illegal during a stop: nothing is published then.
    is_first =
        status_reporter_.apply(scm::lifecycle_event::stop, step_limit + control_task_runner::wait_hint_margin);
    if (is_first) record_stop_request(reason, step_limit, total);
    else shorten_deadlines(step_limit, total);
  }
  signal_stop();
  return is_first;
}

WINSVC_INLINE void runtime::record_stop_request(std::string_view reason, milliseconds limit,
                                                std::optional<milliseconds> total) noexcept {
  base::attempt([&] { stop_reason_ = reason; });  // STOP_PENDING is published: the stop must follow
  shorten_deadlines(limit, total);
  tasks_.wake();
}

WINSVC_INLINE void runtime::shorten_deadlines(milliseconds limit, std::optional<milliseconds> total) {
  stop_deadlines_.shorten(limit, total);
  if (drainer_) drainer_->shorten();
}

/// Called without the lock: a hook may wait for the lock or for the stop token.
WINSVC_INLINE void runtime::signal_stop() {
  if (!is_stopping()) return;
  hooks_.shorten_deadline(stop_deadlines_.step_limit(), stop_deadlines_.end());
  stop_.request_stop();
}

WINSVC_INLINE void runtime::fail(error error) noexcept {
  base::attempt([&] { definition_.log.error(error.to_string()); });
  const std::lock_guard lock(mutex_);
  if (!failure_) failure_ = std::move(error);
}

WINSVC_INLINE std::optional<runtime::live_counters> runtime::counters() const {
  const auto phase = current_phase();
  if (phase != run_phase::serving && phase != run_phase::paused) return std::nullopt;
  const auto seconds = engine_->statistics().seconds(now(), http::request_statistics::second_of(now()) - 2);
  return live_counters{seconds.empty() ? 0 : seconds.back().count, engine_->in_flight(), engine_->connections()};
}

WINSVC_INLINE run_result runtime::run() {
  definition_.stopping.set([this](const std::string& reason, const std::optional<error>& failure) {
    if (failure) fail(*failure);
    else app_stop_reason(reason);
    request_stop(reason);
  });
  try {
    if (start()) serve();
  } catch (...) {  // for example out of memory, or the system cannot create a thread
    error reason{scm::win32_error::exception_in_service, "start", {}, base::exception_message(), {}};
    base::attempt([&] { reason.subject = definition_.spec.name; });
    fail(std::move(reason));
  }
  stop();
  return make_result();
}

/// Runs control tasks one after the other until a stop is requested.
WINSVC_INLINE void runtime::serve() {
  control_task_runner runner(definition_, status_reporter_, hooks_, *engine_, options_.on_event,
                             [this] { return stop_hint(); });
  while (auto task = tasks_.wait([this] { return is_stopping(); })) runner.run_task(*task);
}

}  // namespace detail::host
}  // inline namespace WINSVC_ABI
}  // namespace winsvc

#endif  // WINSVC_BODIES_HOST
