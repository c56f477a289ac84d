// The one order of start, serve, drain and stop, the same in a terminal and under the SCM. A host gives it a reporter,
// controls, and a thread; what differs between hosts is only where a stop comes from.
//
//   START_PENDING -> start hooks -> bind -> RUNNING -> accept, workers -> controls, one after the other
//   STOP_PENDING -> /readyz 503 -> listener closed -> requests answered -> workers joined ->
//     stop hooks in reverse -> done
//
// The host reports the STOPPED that follows, as its last act. The thread that calls `run` never runs a hook itself: it
// waits beside the one that does (host/hook_runner.hpp), so that a hook that hangs is named and not waited for for
// ever.
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

namespace winsvc {
inline namespace WINSVC_ABI {
namespace host {

/// What a host gives a run beside the blueprint.
struct run_options {
  std::vector<std::string> arguments;  ///< of StartService
  std::function<void(const os::endpoint&)> on_listening;  ///< bound, not yet RUNNING
  std::function<void(const os::endpoint&)> on_running;    ///< RUNNING was reported
  std::function<void(const http::access_record&)> on_response;
  std::function<void(model::service_event, const std::string&)> on_event;  ///< paused, continued, reloaded
  /// How long an address that this machine has not got is waited for: at boot it may be on its way (10049).
  std::chrono::milliseconds bind_timeout{0};
  std::chrono::milliseconds bind_retry_delay{500};  ///< between two attempts
  std::string control_channel;  ///< where the operator asks (os/channel.hpp); empty: nowhere
};

/// How a run ended.
struct run_result {
  model::exit_status exit;
  std::optional<error> failure;  ///< of a failure
  std::optional<error> incomplete_stop;  ///< the stop was asked for and came, and this did not end in time
  /// A hook, handler or worker did not return. The process must end without waiting for it, and the runtime, the
  /// blueprint and the app's object must stay as they are until it does.
  bool has_stuck_thread = false;
};

class runtime {
 public:
  using milliseconds = std::chrono::milliseconds;
  using time_point = std::chrono::steady_clock::time_point;

  runtime(service_definition& plan, status_reporter& report, run_options settings)
      : plan_(plan), status_reporter_(report), settings_(std::move(settings)), stop_limit_(plan.stop_limit),
        hooks_(plan, report, [this](const std::string& operation, const std::string& hook, milliseconds limit) {
          on_hook_timeout(operation, hook, limit);
        }) {}
  runtime(const runtime&) = delete;
  runtime& operator=(const runtime&) = delete;

  /// Runs until a stop is requested or something fails. Call once.
  run_result run();

  /// A control of the SCM's: publishes what follows from it, hands the work on and returns, at the latest after
  /// `control_timeout`. From any thread.
  std::uint32_t control(const model::control_event& event);
  /// From any thread, any number of times; the first counts. STOP_PENDING is published before anything is signalled.
  /// `limit`: how long requests in flight and each hook may take, default the app's stop_limit; `total`: everything.
  void request_stop(std::string_view reason, std::optional<milliseconds> limit = {},
                    std::optional<milliseconds> total = {});

  /// What it says of itself to the operator; empty before it listens and after it stopped. From any thread.
  [[nodiscard]] std::string status() const {
    const auto now = phase_.load();
    return now == run_phase::serving || now == run_phase::paused ? control_channel_->status() : std::string();
  }
  /// How it goes, in the second that is over.
  struct live_counters {
    std::size_t responses = 0, in_flight = 0, connections = 0;
  };
  [[nodiscard]] std::optional<live_counters> counters() const;

  /// How long the sender of a control of the app's own waits for its result.
  static constexpr milliseconds control_timeout{500};
  /// And what it gets when the result is later than that: ERROR_IO_PENDING.
  static constexpr std::uint32_t result_pending = 997;

 private:
  void fail(error error);
  bool start();
  bool run_start_hooks();
  bool bind();
  void open_channel();
  void start_workers();
  void start_settings_watcher();
  void serve();
  void on_hook_timeout(const std::string& operation, const std::string& hook, milliseconds limit);
  void drain();
  void run_stop_hooks();
  void record_incomplete_stop(std::string what);

  void record_stop_request(std::string_view reason, milliseconds limit, std::optional<milliseconds> total);  // under mutex_
  void signal_stop();
  [[nodiscard]] milliseconds start_hint() const { return plan_.start_limit + control_task_runner::wait_hint_margin; }
  [[nodiscard]] milliseconds stop_hint() const { return stop_limit_.load() + control_task_runner::wait_hint_margin; }
  [[nodiscard]] static milliseconds time_until(time_point deadline) {
    const auto remaining = std::chrono::duration_cast<milliseconds>(deadline - std::chrono::steady_clock::now());
    return (std::max)(remaining, milliseconds(0));
  }

  service_definition& plan_;
  status_reporter& status_reporter_;
  run_options settings_;
  stop_source stop_;
  std::mutex mutex_;
  std::condition_variable wakeup_;
  std::deque<control_task> tasks_;               // under mutex_
  bool stop_requested_ = false;              // under mutex_
  std::optional<error> failure_;         // under mutex_; the first one
  std::string stop_reason_;              // under mutex_
  std::atomic<milliseconds> stop_limit_;      // set again at most once, before stop_ is requested
  std::atomic<time_point> total_deadline_{(time_point::max)()};  // likewise
  std::atomic<run_phase> phase_{run_phase::starting};
  std::unique_ptr<http::engine> engine_;
  std::unique_ptr<control_channel_server> control_channel_;
  std::unique_ptr<worker_pool> workers_;
  std::unique_ptr<settings_watcher> settings_watcher_;
  std::vector<named_hook> cleanups_;        // in the order they are to be run backwards
  std::vector<std::string> incomplete_stop_;
  bool has_stuck_thread_ = false;
  hook_runner hooks_;                    // last: its thread ends before what hooks use
};

// ---------------------------------------------------------------------------------------------------------------------

// -- from any thread --

// -- the run --

// -- hooks that hang --

// -- the stop --

}  // namespace host
}  // inline namespace WINSVC_ABI
}  // namespace winsvc

#if WINSVC_BODIES_HOST

namespace winsvc {
inline namespace WINSVC_ABI {
namespace host {

WINSVC_INLINE std::uint32_t runtime::control(const model::control_event& event) {
  std::shared_ptr<pending_result> result;
  {
    const std::lock_guard lock(mutex_);
    const auto limits = model::stop_limits_for(event.control, plan_.stop_limit, plan_.spec.preshutdown);
    const auto decided = status_reporter_.handle_control(event.control, limits.per_step + control_task_runner::wait_hint_margin);
    if (decided.action == model::control_action::nothing) return decided.return_code;
    if (decided.action == model::control_action::stop) {
      record_stop_request(event.control == static_cast<std::uint32_t>(model::control::stop)
                    ? "the service control manager asked for it"
                    : "the machine shuts down",
                limits.per_step, limits.total);
    } else {
      if (decided.action == model::control_action::custom) result = std::make_shared<pending_result>();
      tasks_.push_back({decided.action, event, result});
      wakeup_.notify_all();
    }
  }
  if (!result) {
    signal_stop();
    return 0;
  }
  return result->wait(control_timeout, result_pending);
}

WINSVC_INLINE void runtime::request_stop(std::string_view reason, std::optional<milliseconds> limit,
                                  std::optional<milliseconds> total) {
  {
    const std::lock_guard lock(mutex_);
    if (stop_requested_) return;
    // Not legal before START_PENDING or in a stop: then there is nothing to publish, and the request is remembered.
    status_reporter_.apply(model::lifecycle_event::stop, limit.value_or(plan_.stop_limit) + control_task_runner::wait_hint_margin);
    record_stop_request(reason, limit.value_or(plan_.stop_limit), total);
  }
  signal_stop();
}

WINSVC_INLINE void runtime::record_stop_request(std::string_view reason, milliseconds limit, std::optional<milliseconds> total) {
  if (stop_requested_) return;
  stop_requested_ = true;
  if (total) total_deadline_ = std::chrono::steady_clock::now() + *total;
  stop_reason_ = reason;
  stop_limit_ = limit;
  wakeup_.notify_all();
}

/// Outside the lock: a hook may be waiting for it, or for the token.
WINSVC_INLINE void runtime::signal_stop() {
  {
    const std::lock_guard lock(mutex_);
    if (!stop_requested_) return;
  }
  hooks_.shorten_deadline(stop_limit_, total_deadline_);
  stop_.request_stop();
}

WINSVC_INLINE void runtime::fail(error error) {
  {
    const std::lock_guard lock(mutex_);
    if (!failure_) failure_ = error;
  }
  plan_.log.error(error.to_string());
}

WINSVC_INLINE run_result runtime::run() {
  plan_.frozen = true;
  try {
    if (start()) serve();
  } catch (const std::exception& e) {  // no memory, no thread to be had
    fail({model::win32_error::exception_in_service, "start", plan_.spec.name, e.what(), {}});
  } catch (...) {
    fail({model::win32_error::exception_in_service, "start", plan_.spec.name, "something that is no std::exception was thrown",
          {}});
  }
  status_reporter_.apply(model::lifecycle_event::stop, stop_hint());  // after a failure nobody has asked for it
  if (engine_) drain();
  run_stop_hooks();
  if (control_channel_) control_channel_->close();

  run_result result;
  {
    const std::lock_guard lock(mutex_);
    result.failure = failure_;
  }
  if (result.failure) result.exit = model::failure_status(result.failure->code);
  else if (!incomplete_stop_.empty()) result.incomplete_stop = error{model::win32_error::timeout, "stop", plan_.spec.name, strings::join(incomplete_stop_, "; "), {}};
  result.has_stuck_thread = has_stuck_thread_;
  plan_.log.info(result.failure ? "stopped after a failure" : "stopped");
  plan_.log.flush();
  if (plan_.is_flush_overdue()) {  // who waited for it would wait for ever, perhaps
    result.has_stuck_thread = true;
    if (!result.failure && !result.incomplete_stop)
      result.incomplete_stop = error{model::win32_error::timeout, "stop", plan_.spec.name, "a sink of the log did not take its last lines", {}};
  }
  return result;
}

/// Uploads arrive in the data folder, where what they hold is as closed to others as all else of the service.
WINSVC_INLINE void remove_stale_uploads(service_definition& plan) {
  const std::string folder = plan.resolve_data_folder();
  if (folder.empty()) return;
  plan.router.upload_folder = os::path_join(folder, "uploads");
  http::remove_stale_uploads(plan.router.upload_folder);
}

/// True: RUNNING. False: a hook or the bind failed, or a stop came first.
WINSVC_INLINE bool runtime::start() {
  add_health_routes(plan_, phase_);
  if (plan_.router.accepts_uploads()) remove_stale_uploads(plan_);
  plan_.router.freeze();
  status_reporter_.set_handled_controls(plan_.handled_controls());
  status_reporter_.apply(model::lifecycle_event::progress, start_hint());  // the app is described: from here on its own limit counts
  if (!run_start_hooks() || stop_.token().stop_requested() || !bind()) return false;
  open_channel();
  if (settings_.on_response) engine_->on_response(settings_.on_response);
  const os::endpoint address = engine_->address();
  if (settings_.on_listening) settings_.on_listening(address);  // before RUNNING: who waits for that may ask at once

  phase_.store(run_phase::serving);
  if (!status_reporter_.apply(model::lifecycle_event::ready)) return false;  // a stop came between: STOP_PENDING was published
  plan_.log.info(std::string("listening on ") + (address.tls ? "https://" : "http://") + address.text());
  if (settings_.on_running) settings_.on_running(address);
  engine_->start();
  start_workers();
  start_settings_watcher();
  return true;
}

WINSVC_INLINE bool runtime::run_start_hooks() {
  hooks_.set_start_context([this] { return stop_.token().stop_requested() ? stop_hint() : start_hint(); }, stop_.token(),
                        settings_.arguments);
  bool first = true;
  for (auto& hook : plan_.hooks) {
    if (stop_.token().stop_requested()) return false;
    if (hook.stop.run) cleanups_.push_back(hook.stop);
    if (!hook.start) continue;
    if (!std::exchange(first, false)) status_reporter_.apply(model::lifecycle_event::progress, start_hint());  // the one before is done

    cleanup_function back;
    const hook_result result = hooks_.run_hook(hook, back, plan_.start_limit);
    if (result.outcome == hook_result::timed_out) return false;
    if (result.outcome == hook_result::threw) {
      const std::string message = hook.stop.description() + " threw: " + result.message;
      // Of a start that is to stop, an exception is one way of leaving.
      if (stop_.token().stop_requested()) plan_.log.warn("the start was cancelled: " + message);
      else fail({model::win32_error::exception_in_service, "start", plan_.spec.name, message, {}});
      return false;
    }
    if (back) cleanups_.push_back({hook.stop.name, hook.stop.location, std::move(back)});
  }
  return true;
}

/// Binds. An address that is not there yet is tried again for a while; each attempt is a checkpoint.
WINSVC_INLINE bool runtime::bind() {
  engine_ = std::make_unique<http::engine>(plan_.router, plan_.limits, plan_.log);
  for (const auto& notify : plan_.on_engine_created) notify(*engine_);
  for (const auto& f : plan_.router.static_folders) {
    if (!os::real_folder(f.folder))
      plan_.log.warn("files '" + f.prefix + "' (" + f.location.to_string() + "): the folder '" + f.folder +
                     "' is not there; its paths are 404 until it is");
  }
  if (plan_.tls) {
    auto identity = http::tls_identity::load(*plan_.tls);
    if (!identity) {
      fail(identity.error());
      return false;
    }
    engine_->tls(*identity);
  }
  const auto deadline = std::chrono::steady_clock::now() + settings_.bind_timeout;
  for (bool first = true;; first = false) {
    const auto bound = engine_->bind(plan_.host, plan_.port);
    if (bound) return true;
    if (bound.error().code != model::win32_error::address_not_available || std::chrono::steady_clock::now() >= deadline) {
      fail(bound.error());
      return false;
    }
    if (first) {
      plan_.log.warn(bound.error().to_string() + "; it may come with the network: trying again for up to " +
                     duration_text(settings_.bind_timeout));
    }
    status_reporter_.apply(model::lifecycle_event::progress, start_hint());
    if (stop_.token().wait_for(settings_.bind_retry_delay)) return false;
  }
}

WINSVC_INLINE std::optional<runtime::live_counters> runtime::counters() const {
  const auto at = phase_.load();
  if (at != run_phase::serving && at != run_phase::paused) return std::nullopt;
  const auto now = std::chrono::steady_clock::now();
  const auto last = engine_->statistics().seconds(now, http::request_statistics::second_of(now) - 2);
  return live_counters{last.empty() ? 0 : last.back().count, engine_->in_flight(), engine_->connections()};
}

/// A service that nobody can ask serves all the same.
WINSVC_INLINE void runtime::open_channel() {
  control_channel_ = std::make_unique<control_channel_server>(plan_, *engine_, phase_);
  if (settings_.control_channel.empty()) return;
  if (const auto opened = control_channel_->open(settings_.control_channel); !opened) {
    plan_.log.info("the operator's channel " + settings_.control_channel + " cannot be opened: " +
                   os::system_error_message(opened.error()) + " (" + std::to_string(opened.error()) +
                   "); status and logs tell less of this run");
  }
}

WINSVC_INLINE void runtime::start_workers() {
  workers_ = std::make_unique<worker_pool>([this](const worker& w, const std::string& message) {
    fail({model::win32_error::exception_in_service, "run worker", w.name, "it threw: " + message, {}});
    request_stop("worker '" + w.name + "' failed");
  });
  for (const auto& w : plan_.workers) workers_->start(w);
}

WINSVC_INLINE void runtime::start_settings_watcher() {
  if (!plan_.reload_on_change) return;
  const auto from = plan_.settings.sources();
  const std::string path = from.path;
  const auto lost = [this, path](const std::string& reason) {
    plan_.log.warn("changes of " + path + " are not seen" + reason + "; 'reload' still reads it");
  };
  settings_watcher::callbacks then;
  then.reload = [this, path] {
    plan_.log.info(path + " has changed");
    return control({static_cast<std::uint32_t>(model::control::param_change), 0, 0, {}, {}}) == 0;
  };
  then.watch_lost = [lost] { lost(" any more"); };
  settings_watcher_ = std::make_unique<settings_watcher>(path, from.content, std::move(then));
  if (const auto watching = settings_watcher_->start(); !watching)
    lost(": " + os::system_error_message(watching.error()) + " (" + std::to_string(watching.error()) + ")");
}

/// Does what controls ask for, one after the other, until a stop is asked for.
WINSVC_INLINE void runtime::serve() {
  control_task_runner work(plan_, plan_.log, status_reporter_, hooks_, *engine_, phase_, settings_.on_event);
  for (;;) {
    std::unique_lock lock(mutex_);
    wakeup_.wait(lock, [this] { return stop_requested_ || !tasks_.empty(); });
    if (stop_requested_) return;
    control_task next = std::move(tasks_.front());
    tasks_.pop_front();
    lock.unlock();
    work.run_task(next);
  }
}

/// A hook hangs: nothing can be run on its thread any more, so the service ends, and says over what.
WINSVC_INLINE void runtime::on_hook_timeout(const std::string& operation, const std::string& hook, milliseconds limit) {
  has_stuck_thread_ = true;
  if (stop_.token().stop_requested()) {
    const bool out_of_time = std::chrono::steady_clock::now() >= total_deadline_.load();
    return record_incomplete_stop(hook + (out_of_time ? " was still running when the machine waited no longer"
                                       : " made no progress for " + duration_text(stop_limit_)));
  }
  fail({model::win32_error::service_request_timeout, operation, plan_.spec.name,
        hook + " made no progress for " + duration_text(limit),
        "let it call progress() when something is done, or raise " +
            std::string(operation == "start" ? "start_limit" : "stop_limit")});
  request_stop(hook + " hangs");
}

WINSVC_INLINE void runtime::record_incomplete_stop(std::string what) {
  plan_.log.error("stopping: " + what);
  incomplete_stop_.push_back(std::move(what));
}

WINSVC_INLINE void runtime::drain() {
  phase_.store(run_phase::stopping);
  settings_watcher_.reset();
  std::deque<control_task> left;
  {
    const std::lock_guard lock(mutex_);
    const std::string reason = control_channel_ && !failure_ ? control_channel_->recent_stop_reason() : std::string();
    // What the operator said of it is kept whatever else the log keeps.
    if (!reason.empty()) plan_.log.warn("stopping: " + stop_reason_ + ": " + reason);
    else if (!stop_reason_.empty()) plan_.log.info("stopping: " + stop_reason_);
    left.swap(tasks_);
  }
  for (auto& one : left) {
    if (one.result) one.result->set(model::win32_error::service_cannot_accept_control);
  }
  if (workers_) workers_->request_stop();
  const auto progress = [this] { status_reporter_.apply(model::lifecycle_event::progress, stop_hint()); };
  progress();  // whatever ran when the stop came is done
  const auto now = std::chrono::steady_clock::now();
  const milliseconds limit = (std::min)(stop_limit_.load(), time_until(total_deadline_));
  const auto deadline = now + limit;
  const auto drained = engine_->drain(limit, progress);
  progress();
  if (drained.completed != 0 || drained.aborted != 0) {
    std::string what = "drained " + std::to_string(drained.completed) + ", cut " + std::to_string(drained.aborted);
    for (const auto& one : drained.aborted_requests) what += (&one == &drained.aborted_requests.front() ? ": " : ", ") + one;
    plan_.log.info(what);
  }
  if (drained.stuck_threads != 0) {
    has_stuck_thread_ = true;
    engine_->abandon_threads();
    record_incomplete_stop(std::to_string(drained.stuck_threads) + " request handler(s) did not return within " + duration_text(limit));
  }

  if (!workers_) return;
  const auto one_second_more =
      (std::min)((std::max)(deadline, std::chrono::steady_clock::now() + std::chrono::seconds(1)), total_deadline_.load());
  for (const auto& name : workers_->join(one_second_more, progress)) {
    has_stuck_thread_ = true;
    record_incomplete_stop("worker '" + name + "' did not return within " + duration_text(limit));
  }
}

WINSVC_INLINE void runtime::run_stop_hooks() {
  if (has_stuck_thread_) {  // they would tear down what a hook, handler or worker still stands on
    if (!cleanups_.empty()) plan_.log.error("the stop hooks are not run: a hook, handler or worker still does");
    return;
  }
  hooks_.set_progress_context("stopping", [this] { return stop_hint(); });
  for (; !cleanups_.empty() && !has_stuck_thread_; cleanups_.pop_back()) {
    const named_hook& back = cleanups_.back();
    const hook_result result = hooks_.run_hook("stop", back, (std::min)(stop_limit_.load(), time_until(total_deadline_)));
    // It is logged and does not make a stop that was asked for a failure: the SCM would start the service again.
    if (result.outcome == hook_result::threw) plan_.log.error("stopping: " + back.description() + " threw: " + result.message);
    if (result.outcome == hook_result::timed_out) return;
    status_reporter_.apply(model::lifecycle_event::progress, stop_hint());
  }
}

}  // namespace host
}  // inline namespace WINSVC_ABI
}  // namespace winsvc

#endif  // WINSVC_BODIES_HOST
