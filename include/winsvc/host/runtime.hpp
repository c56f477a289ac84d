// Runtime of a service: starts, serves, drains and stops in one order, in a terminal and under the SCM. A host gives it
// a status reporter, controls and a thread; hosts differ only in the source of a stop.
//
//   START_PENDING -> start hooks -> bind -> RUNNING -> accept, workers -> controls, one after the other
//   STOP_PENDING -> /readyz 503 -> listener closed -> requests in flight complete -> workers joined ->
//     stop hooks in reverse order -> return
//
// The host reports STOPPED as its last action. The thread that calls `run` does not run hooks: it waits for the hook
// thread (host/hook_runner.hpp), so that a hook that hangs is named and abandoned.
#pragma once

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstddef>
#include <deque>
#include <exception>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "winsvc/base/error.hpp"
#include "winsvc/addons/allowed_hosts.hpp"
#include "winsvc/base/duration.hpp"
#include "winsvc/base/stop.hpp"
#include "winsvc/config/abi.hpp"
#include "winsvc/host/control_tasks.hpp"
#include "winsvc/host/health.hpp"
#include "winsvc/host/hook_runner.hpp"
#include "winsvc/host/control_channel_server.hpp"
#include "winsvc/host/status_reporter.hpp"
#include "winsvc/host/settings_watcher.hpp"
#include "winsvc/host/worker_pool.hpp"
#include "winsvc/server/engine.hpp"
#include "winsvc/http/upload_folder.hpp"
#include "winsvc/scm/events.hpp"
#include "winsvc/scm/spec.hpp"
#include "winsvc/scm/stop_limits.hpp"
#include "winsvc/wire/host_name.hpp"

namespace winsvc {
inline namespace WINSVC_ABI {
namespace detail::host {

/// Options of a run, from the host.
struct run_options {
  std::vector<std::string> arguments;  ///< arguments of StartService
  std::function<void(const os::endpoint&)> on_listening;  ///< called after bind, before RUNNING
  std::function<void(const os::endpoint&)> on_running;    ///< called after RUNNING was reported
  std::function<void(const http::access_record&)> on_response;
  std::function<void(scm::service_event, const std::string&)> on_event;  ///< paused, continued, reloaded
  /// Time to wait for an address that the machine does not have yet (10049): the network may come up after boot. Also
  /// for a port that is in use (10048, 10013) although no program listens on it: connections of the previous run are
  /// still open.
  std::chrono::milliseconds bind_timeout{0};
  std::function<os::sys_result<std::optional<os::port_listener>>(const os::endpoint&)> find_listener =
      os::find_listener;
  std::chrono::milliseconds bind_retry_delay{500};  ///< between two attempts
  std::string control_channel;  ///< address of the control channel (os/control_channel.hpp); empty: no channel
};

/// Result of a run.
struct run_result {
  scm::exit_status exit;
  std::optional<error> failure;      ///< set if the run failed
  std::vector<error> more_failures;  ///< the other errors of the settings
  /// Set after a requested stop in which a hook, handler or worker did not return in time.
  std::optional<error> incomplete_stop;
  std::string stop_reason;  ///< reason of the operator or of the app; empty: none
  /// A hook, handler or worker did not return. The process must end without waiting for it; until then the runtime, the
  /// service definition and the app's object must not be destroyed.
  bool has_stuck_thread = false;

  /// Text of the failure or of the incomplete stop, one line for each error; empty after a complete stop.
  [[nodiscard]] std::string failure_text() const {
    if (!failure) return incomplete_stop ? incomplete_stop->to_string() : std::string();
    std::string out = failure->to_string();
    for (const auto& other : more_failures) out += '\n' + other.to_string();
    return out;
  }
};

/// Runs one service once.
class runtime {
 public:
  using milliseconds = std::chrono::milliseconds;
  using time_point = clock::time_point;

  runtime(service_definition& definition, status_reporter& reporter, run_options options)
      : definition_(definition),
        status_reporter_(reporter),
        options_(std::move(options)),
        stop_limit_(definition.stop_limit),
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
  /// whole stop. A further call can only reduce the limits of the running stop. Returns true if this call has caused
  /// the stop.
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
  static constexpr std::uint32_t result_pending = 997;

 private:
  [[nodiscard]] run_phase current_phase() const noexcept { return phase_of(status_reporter_.state()); }
  void fail(error error);
  void app_stop_reason(const std::string& reason) {
    const std::lock_guard lock(mutex_);
    if (given_reason_.empty()) given_reason_ = reason;
  }
  bool start();
  bool run_start_hooks();
  bool bind();
  [[nodiscard]] std::string temporary_bind_reason(std::uint32_t code) const;
  void open_channel();
  void start_workers();
  void start_settings_watcher();
  void serve();
  void on_hook_timeout(const std::string& operation, const std::string& hook, milliseconds limit);
  void drain();
  void run_stop_hooks();
  void record_incomplete_stop(std::string reason);
  void join_workers(time_point start_time, milliseconds limit);

  // Under mutex_.
  void record_stop_request(std::string_view reason, milliseconds limit, std::optional<milliseconds> total);
  void reduce_limits(milliseconds limit, std::optional<milliseconds> total);

  void signal_stop();
  /// A stop was requested, or the run has failed. The state of the service is the only record of it.
  [[nodiscard]] bool is_stopping() const noexcept { return current_phase() == run_phase::stopping; }
  [[nodiscard]] time_point now() const noexcept { return definition_.time->now(); }
  /// The part of a limit that has passed: less than the limit if a second stop request has shortened it.
  [[nodiscard]] milliseconds elapsed_of(milliseconds limit, time_point start_time) const {
    return (std::min)(limit, std::chrono::duration_cast<milliseconds>(now() - start_time));
  }
  [[nodiscard]] milliseconds start_hint() const {
    return definition_.start_limit + control_task_runner::wait_hint_margin;
  }
  [[nodiscard]] milliseconds stop_hint() const { return stop_limit_.load() + control_task_runner::wait_hint_margin; }
  [[nodiscard]] milliseconds time_until(time_point deadline) const {
    const auto remaining = std::chrono::duration_cast<milliseconds>(deadline - now());
    return (std::max)(remaining, milliseconds(0));
  }

  service_definition& definition_;
  status_reporter& status_reporter_;
  run_options options_;
  stop_source stop_;
  std::mutex mutex_;
  std::condition_variable wakeup_;
  std::deque<control_task> tasks_;                               // under mutex_
  bool draining_ = false;                                        // under mutex_: engine_ and workers_ do not change
  std::optional<error> failure_;                                 // under mutex_; the first one
  std::string stop_reason_;                                      // under mutex_
  std::string given_reason_;                                     // under mutex_; of the app or the operator
  // Written under mutex_ and read without it. Relaxed would do: stop_ and the locks of the waits order the changes.
  std::atomic<milliseconds> stop_limit_;
  std::atomic<time_point> total_deadline_{(time_point::max)()};
  std::unique_ptr<server::engine> engine_;
  std::unique_ptr<control_channel_server> control_channel_;
  std::unique_ptr<worker_pool> workers_;
  std::unique_ptr<settings_watcher> settings_watcher_;
  std::vector<api::named_hook> cleanups_;  // run in reverse order
  std::vector<std::string> incomplete_stop_;
  bool has_stuck_thread_ = false;
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
  {
    const std::lock_guard lock(mutex_);
    const auto limits = scm::stop_limits_for(event.control, definition_.stop_limit, definition_.spec.preshutdown);
    const auto decision =
        status_reporter_.handle_control(event.control, limits.per_step + control_task_runner::wait_hint_margin);
    if (decision.action == scm::control_action::nothing) return decision.return_code;
    if (decision.action == scm::control_action::stop) {
      record_stop_request(event.control == static_cast<std::uint32_t>(scm::control::stop)
                              ? "requested by the service control manager"
                              : "Windows is shutting down",
                          limits.per_step, limits.total);
    } else {
      if (decision.action == scm::control_action::custom) result = std::make_shared<pending_result>();
      tasks_.push_back({decision.action, event, result});
      wakeup_.notify_all();
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
    else reduce_limits(step_limit, total);
  }
  signal_stop();
  return is_first;
}

WINSVC_INLINE void runtime::record_stop_request(std::string_view reason, milliseconds limit,
                                                std::optional<milliseconds> total) {
  stop_reason_ = reason;
  reduce_limits(limit, total);
  wakeup_.notify_all();
}

/// The limits of a stop only decrease. A drain and a join that are running end earlier then.
WINSVC_INLINE void runtime::reduce_limits(milliseconds limit, std::optional<milliseconds> total) {
  stop_limit_ = (std::min)(stop_limit_.load(), limit);
  if (total) total_deadline_ = (std::min)(total_deadline_.load(), now() + *total);
  if (!draining_) return;
  const time_point deadline = now() + (std::min)(stop_limit_.load(), time_until(total_deadline_));
  engine_->shorten_drain(std::chrono::steady_clock::now() + (deadline - now()));
  if (workers_) workers_->shorten_deadline(deadline + std::chrono::seconds(1));
}

/// Called without the lock: a hook may wait for the lock or for the stop token.
WINSVC_INLINE void runtime::signal_stop() {
  if (!is_stopping()) return;
  hooks_.shorten_deadline(stop_limit_, total_deadline_);
  stop_.request_stop();
}

WINSVC_INLINE void runtime::fail(error error) {
  {
    const std::lock_guard lock(mutex_);
    if (!failure_) failure_ = error;
  }
  definition_.log.error(error.to_string());
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
    fail({scm::win32_error::exception_in_service, "start", definition_.spec.name, base::exception_message(), {}});
  }
  // After a failure, no stop was requested. Otherwise, the hook that ran at the time of the request has returned.
  if (!status_reporter_.apply(scm::lifecycle_event::stop, stop_hint()))
    status_reporter_.apply(scm::lifecycle_event::progress, stop_hint());
  if (engine_) drain();
  run_stop_hooks();
  if (control_channel_) control_channel_->close();
  definition_.stopping.set({});

  run_result result;
  {
    const std::lock_guard lock(mutex_);
    result.failure = failure_;
    result.stop_reason = given_reason_;
  }
  if (result.failure) result.exit = scm::failure_status(result.failure->code);
  else if (!incomplete_stop_.empty())
    result.incomplete_stop =
        error{base::win32_error::timeout, "stop", definition_.spec.name, base::join(incomplete_stop_, "; "), {}};
  result.has_stuck_thread = has_stuck_thread_;
  definition_.log.info(result.failure ? "stopped after a failure" : "stopped");
  definition_.log.flush();
  if (definition_.is_flush_overdue()) {  // the sink may never complete
    result.has_stuck_thread = true;
    if (!result.failure && !result.incomplete_stop)
      result.incomplete_stop = error{base::win32_error::timeout,
                                     "stop",
                                     definition_.spec.name,
                                     "a log sink did not write its last lines in time",
                                     {}};
  }
  return result;
}

/// Sets the folder for uploads, in the data folder, which has restricted access, and removes files of earlier runs.
WINSVC_INLINE void prepare_upload_folder(service_definition& definition) {
  const std::string folder = definition.resolve_data_folder();
  if (folder.empty()) return;
  definition.router.upload_folder = os::path_join(folder, "uploads");
  http::remove_stale_uploads(definition.router.upload_folder);
}

/// Starts the service: true if it is RUNNING, false if a hook or the bind failed or a stop was requested.
WINSVC_INLINE bool runtime::start() {
  add_health_routes(definition_, [this] { return current_phase(); });
  if (wire::is_loopback_host(definition_.host))
    definition_.router.add_default_middleware(allowed_hosts(), addons::is_host_check);
  if (definition_.router.accepts_uploads()) prepare_upload_folder(definition_);
  definition_.freeze();
  status_reporter_.set_handled_controls(definition_.handled_controls());
  status_reporter_.apply(scm::lifecycle_event::progress, start_hint());  // the app has run: its own limit counts now
  if (!run_start_hooks() || stop_.token().stop_requested() || !bind()) return false;
  open_channel();
  if (options_.on_response) engine_->on_response(options_.on_response);
  const os::endpoint address = engine_->address();
  // Before RUNNING: a client may connect as soon as it sees RUNNING.
  if (options_.on_listening) options_.on_listening(address);

  // A stop was requested in the meantime; STOP_PENDING is published.
  if (!status_reporter_.apply(scm::lifecycle_event::ready)) return false;
  definition_.log.info(std::string("listening on ") + (address.tls ? "https://" : "http://") + address.text());
  if (options_.on_running) options_.on_running(address);
  engine_->start();
  start_workers();
  start_settings_watcher();
  return true;
}

WINSVC_INLINE bool runtime::run_start_hooks() {
  hooks_.set_start_context([this] { return stop_.token().stop_requested() ? stop_hint() : start_hint(); },
                           stop_.token(), options_.arguments);
  bool first = true;
  for (auto& hook : definition_.hooks) {
    if (stop_.token().stop_requested()) return false;
    if (hook.stop.run) cleanups_.push_back(hook.stop);
    if (!hook.start) continue;
    // The previous hook returned.
    if (!std::exchange(first, false)) status_reporter_.apply(scm::lifecycle_event::progress, start_hint());

    api::cleanup_function cleanup;
    const hook_result result = hooks_.run_hook(hook, cleanup, definition_.start_limit);
    if (result.outcome == hook_result::timed_out) return false;
    if (result.outcome == hook_result::threw) {
      const std::string message = hook.stop.description() + " threw: " + result.message;
      // If a stop was requested during start, an exception counts as cancellation.
      if (stop_.token().stop_requested()) definition_.log.warn("start canceled: " + message);
      else fail({scm::win32_error::exception_in_service, "start", definition_.spec.name, message, {}});
      return false;
    }
    if (cleanup) cleanups_.push_back({hook.stop.name, hook.stop.location, std::move(cleanup)});
  }
  return true;
}

/// Returns the reason why a bind may succeed later; empty if it will not. "Using SO_REUSEADDR and SO_EXCLUSIVEADDRUSE":
/// an exclusive bind fails while an accepted connection of an earlier listener is open.
WINSVC_INLINE std::string runtime::temporary_bind_reason(std::uint32_t code) const {
  if (code == base::win32_error::address_not_available) return "the network may not be up yet";
  if (code != base::win32_error::address_in_use && code != base::win32_error::access_to_address) return {};
  const auto listener = options_.find_listener({definition_.host, definition_.port});
  if (!listener || *listener) return {};
  return "no program listens on the port; connections of the previous run may still be open";
}

/// Binds the listener. If the reason of a failure is temporary, the bind is tried again until the timeout; each attempt
/// is a checkpoint.
WINSVC_INLINE bool runtime::bind() {
  engine_ = std::make_unique<server::engine>(definition_.router, definition_.limits, definition_.log);
  for (const auto& notify : definition_.on_engine_created) notify(*engine_);
  for (const auto& folder : definition_.router.static_folders) {
    if (!os::real_folder(folder.folder))
      definition_.log.warn("files '" + folder.prefix + "' (" + folder.location.to_string() + "): the folder '" +
                           folder.folder + "' does not exist; its paths return 404 until it exists");
  }
  if (definition_.tls) {
    auto identity = server::tls_identity::load(*definition_.tls);
    if (!identity) {
      fail(identity.error());
      return false;
    }
    engine_->tls(*identity);
  }
  const auto deadline = now() + options_.bind_timeout;
  for (bool first = true;; first = false) {
    const auto bound = engine_->bind(definition_.host, definition_.port);
    if (bound) return true;
    const std::string reason =
        options_.bind_timeout.count() != 0 ? temporary_bind_reason(bound.error().code) : std::string();
    if (reason.empty() || now() >= deadline) {
      fail(bound.error());
      return false;
    }
    if (first) {
      definition_.log.warn(bound.error().to_string() + "; " + reason + "; trying again for up to " +
                           base::duration_text(options_.bind_timeout));
    }
    status_reporter_.apply(scm::lifecycle_event::progress, start_hint());
    if (stop_.token().wait_for(options_.bind_retry_delay)) return false;
  }
}

WINSVC_INLINE std::optional<runtime::live_counters> runtime::counters() const {
  const auto phase = current_phase();
  if (phase != run_phase::serving && phase != run_phase::paused) return std::nullopt;
  const auto seconds = engine_->statistics().seconds(now(), http::request_statistics::second_of(now()) - 2);
  return live_counters{seconds.empty() ? 0 : seconds.back().count, engine_->in_flight(), engine_->connections()};
}

/// Opens the control channel. Without it the service runs, but 'status', 'logs' and 'level' cannot query it.
WINSVC_INLINE void runtime::open_channel() {
  control_channel_ =
      std::make_unique<control_channel_server>(definition_, *engine_, [this] { return current_phase(); });
  if (options_.control_channel.empty()) return;
  if (const auto opened = control_channel_->open(options_.control_channel); !opened) {
    definition_.log.info("the control channel " + options_.control_channel + " cannot be opened: " +
                   os::system_error_message(opened.error()) + " (" + std::to_string(opened.error()) +
                   "); 'status' and 'logs' cannot query this run");
  }
}

WINSVC_INLINE void runtime::start_workers() {
  workers_ = std::make_unique<worker_pool>([this](const worker& failed, const std::string& message) {
    fail({scm::win32_error::exception_in_service, "run worker", failed.name, "threw: " + message, {}});
    request_stop("worker '" + failed.name + "' failed");
  }, *definition_.time);
  for (const auto& worker : definition_.workers) workers_->start(worker);
}

WINSVC_INLINE void runtime::start_settings_watcher() {
  if (!definition_.reload_on_change) return;
  const auto sources = definition_.settings.sources();
  const std::string path = sources.path;
  const auto warn = [this, path](const std::string& reason) {
    definition_.log.warn("changes of " + path + " are not detected" + reason + "; use 'reload' to apply them");
  };
  settings_watcher::callbacks callbacks;
  callbacks.reload = [this, path] {
    definition_.log.info(path + " has changed");
    return control({static_cast<std::uint32_t>(scm::control::param_change), 0, 0, {}, {}}) == 0;
  };
  callbacks.watch_lost = [warn] { warn(" any more"); };
  settings_watcher_ = std::make_unique<settings_watcher>(path, sources.content, std::move(callbacks),
                                                         *definition_.time);
  if (const auto watching = settings_watcher_->start(); !watching)
    warn(": " + os::system_error_message(watching.error()) + " (" + std::to_string(watching.error()) + ")");
}

/// Runs control tasks one after the other until a stop is requested.
WINSVC_INLINE void runtime::serve() {
  control_task_runner tasks(definition_, status_reporter_, hooks_, *engine_, options_.on_event,
                            [this] { return stop_hint(); });
  for (;;) {
    std::unique_lock lock(mutex_);
    wakeup_.wait(lock, [this] { return is_stopping() || !tasks_.empty(); });
    if (is_stopping()) return;
    control_task task = std::move(tasks_.front());
    tasks_.pop_front();
    lock.unlock();
    tasks.run_task(task);
  }
}

/// No other hook can run on the thread of a hook that hangs, so the service ends and reports the hook.
WINSVC_INLINE void runtime::on_hook_timeout(const std::string& operation, const std::string& hook, milliseconds limit) {
  has_stuck_thread_ = true;
  if (stop_.token().stop_requested()) {
    const bool out_of_time = now() >= total_deadline_.load();
    return record_incomplete_stop(hook + (out_of_time ? " did not finish before the shutdown time limit"
                                                      : " made no progress for " + base::duration_text(stop_limit_)));
  }
  fail({base::win32_error::service_request_timeout, operation, definition_.spec.name,
        hook + " made no progress for " + base::duration_text(limit),
        "call progress() during long work, or increase " +
            std::string(operation == "start" ? "start_limit" : "stop_limit")});
  request_stop(hook + " hangs");
}

WINSVC_INLINE void runtime::record_incomplete_stop(std::string reason) {
  definition_.log.error("stopping: " + reason);
  incomplete_stop_.push_back(std::move(reason));
}

WINSVC_INLINE void runtime::drain() {
  settings_watcher_.reset();
  std::deque<control_task> tasks;
  {
    const std::lock_guard lock(mutex_);
    const std::string reason = control_channel_ && !failure_ ? control_channel_->recent_stop_reason() : std::string();
    // The operator's reason is logged at any log level.
    if (!reason.empty()) given_reason_ = reason;
    if (!reason.empty()) definition_.log.warn("stopping: " + stop_reason_ + ": " + reason);
    else if (!stop_reason_.empty()) definition_.log.info("stopping: " + stop_reason_);
    tasks.swap(tasks_);
  }
  for (auto& task : tasks) {
    if (task.result) task.result->set(base::win32_error::service_cannot_accept_control);
  }
  if (workers_) workers_->request_stop();
  const auto progress = [this] { status_reporter_.apply(scm::lifecycle_event::progress, stop_hint()); };
  milliseconds limit{0};
  {
    const std::lock_guard lock(mutex_);
    draining_ = true;
    limit = (std::min)(stop_limit_.load(), time_until(total_deadline_));
  }
  const auto start_time = now();
  const auto drained = engine_->drain(limit, progress);
  progress();
  if (drained.completed != 0 || drained.aborted != 0) {
    std::string summary =
        "drained " + std::to_string(drained.completed) + ", aborted " + std::to_string(drained.aborted);
    for (const auto& request : drained.aborted_requests)
      summary += (&request == &drained.aborted_requests.front() ? ": " : ", ") + request;
    definition_.log.info(summary);
  }
  if (drained.stuck_threads != 0) {
    has_stuck_thread_ = true;
    engine_->abandon_threads();
    record_incomplete_stop(std::to_string(drained.stuck_threads) + " request handler(s) did not return within " +
                           base::duration_text(elapsed_of(limit, start_time)));
  }

  if (workers_) join_workers(start_time, limit);
}

/// A worker has until the deadline of the drain, and at least one second after the drain.
WINSVC_INLINE void runtime::join_workers(time_point start_time, milliseconds limit) {
  const auto deadline =
      (std::min)((std::max)(start_time + limit, now() + std::chrono::seconds(1)), total_deadline_.load());
  const auto progress = [this] { status_reporter_.apply(scm::lifecycle_event::progress, stop_hint()); };
  for (const auto& name : workers_->join(deadline, progress)) {
    has_stuck_thread_ = true;
    record_incomplete_stop("worker '" + name + "' did not return within " +
                           base::duration_text(elapsed_of(limit, start_time)));
  }
}

WINSVC_INLINE void runtime::run_stop_hooks() {
  if (has_stuck_thread_) {  // they would destroy what a hook, handler or worker still uses
    if (!cleanups_.empty())
      definition_.log.error("the stop hooks were not run: a hook, handler or worker did not return");
    return;
  }
  hooks_.set_progress_context("stopping", [this] { return stop_hint(); });
  for (; !cleanups_.empty() && !has_stuck_thread_; cleanups_.pop_back()) {
    const api::named_hook& hook = cleanups_.back();
    const hook_result result =
        hooks_.run_hook("stop", hook, (std::min)(stop_limit_.load(), time_until(total_deadline_)));
    // Logged only: if an exception made a requested stop a failure, the SCM would start the service again.
    if (result.outcome == hook_result::threw)
      definition_.log.error("stopping: " + hook.description() + " threw: " + result.message);
    if (result.outcome == hook_result::timed_out) return;
    status_reporter_.apply(scm::lifecycle_event::progress, stop_hint());
  }
}

}  // namespace detail::host
}  // inline namespace WINSVC_ABI
}  // namespace winsvc

#endif  // WINSVC_BODIES_HOST
