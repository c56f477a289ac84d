// Implementation of host/runtime.hpp: stops a run, makes its result, and handles a hook that does not return.
#pragma once

#include <mutex>
#include <string>
#include <utility>

#include "winsvc/base/attempt.hpp"
#include "winsvc/base/clock.hpp"
#include "winsvc/base/duration.hpp"
#include "winsvc/base/error.hpp"
#include "winsvc/base/error_codes.hpp"
#include "winsvc/base/text.hpp"
#include "winsvc/config/abi.hpp"
#include "winsvc/host/run_options.hpp"
#include "winsvc/host/runtime.hpp"
#include "winsvc/scm/lifecycle.hpp"
#include "winsvc/scm/state.hpp"

// ---------------------------------------------------------------------------------------------------------------------

#if WINSVC_BODIES_HOST

namespace winsvc {
inline namespace WINSVC_ABI {
namespace detail::host {

/// Runs each step, also if an earlier one throws, for example for want of memory.
WINSVC_INLINE void runtime::stop() noexcept {
  const auto step = [this](const auto& function) {
    try {
      function();
    } catch (...) {
      record_incomplete_stop(base::exception_message());
    }
  };
  // After a failure, no stop was requested. Otherwise, the hook that ran at the time of the request has returned.
  step([this] {
    if (!status_reporter_.apply(scm::lifecycle_event::stop, stop_hint())) report_progress();
  });
  if (engine_) {
    step([this] { settings_watcher_.reset(); });
    base::attempt([this] { log_stop_reason(); });
    // No task follows: the state is STOP_PENDING.
    step([this] { tasks_.reject_all(base::win32_error::service_cannot_accept_control); });
    step([this] { drain(); });
  }
  step([this] { run_stop_hooks(); });
  step([this] {
    if (control_channel_) control_channel_->close();
  });
  definition_.stopping.set({});
}

WINSVC_INLINE void runtime::log_stop_reason() {
  const std::lock_guard lock(mutex_);
  const std::string reason = control_channel_ && !failure_ ? control_channel_->recent_stop_reason() : std::string();
  // The operator's reason is logged at any log level.
  if (!reason.empty()) given_reason_ = reason;
  if (!reason.empty()) definition_.log.write_always(log_level::info, "stopping: " + stop_reason_ + ": " + reason);
  else if (!stop_reason_.empty()) definition_.log.info("stopping: " + stop_reason_);
}

WINSVC_INLINE void runtime::drain() {
  if (workers_) workers_->request_stop();
  {
    const std::lock_guard lock(mutex_);
    drainer_.emplace(definition_, *engine_, workers_.get(), stop_deadlines_, [this] { report_progress(); },
                     [this](std::string reason) {
                       has_stuck_thread_ = true;
                       record_incomplete_stop(std::move(reason));
                     });
  }
  drainer_->run();
}

WINSVC_INLINE void runtime::run_stop_hooks() {
  if (!has_stuck_thread_) {
    if (!lifecycle_hooks_.stop([this] { return stop_deadlines_.next_step(); }))
      record_incomplete_stop("a stop hook could not be started");
    return;
  }
  if (!lifecycle_hooks_.is_empty())  // they would destroy what a hook, handler or worker still uses
    definition_.log.error("the stop hooks were not run: a hook, handler or worker did not return");
}

WINSVC_INLINE run_result runtime::make_result() noexcept {
  run_result result;
  {
    const std::lock_guard lock(mutex_);
    result.failure = std::move(failure_);
    result.stop_reason = std::move(given_reason_);
  }
  base::attempt([&] { definition_.log.info(result.failure ? "stopped after a failure" : "stopped"); });
  definition_.log.flush();
  if (definition_.is_flush_overdue()) {  // the sink may never complete
    has_stuck_thread_ = is_stop_incomplete_ = true;
    base::attempt([&] {
      if (incomplete_stop_.empty()) incomplete_stop_.push_back("a log sink did not write its last lines in time");
    });
  }
  result.has_stuck_thread = has_stuck_thread_;
  if (result.failure || !is_stop_incomplete_) return result;
  result.incomplete_stop = error{base::win32_error::timeout, "stop", {}, {}, {}};
  base::attempt([&] {
    result.incomplete_stop->subject = definition_.spec.name;
    result.incomplete_stop->message = base::join(incomplete_stop_, "; ");
  });
  return result;
}

/// No other hook can run on the thread of a hook that hangs, so the service ends and reports the hook.
WINSVC_INLINE void runtime::on_hook_timeout(const std::string& operation, const std::string& hook,
                                            milliseconds limit) noexcept {
  has_stuck_thread_ = true;
  std::string reason;
  if (stop_.token().stop_requested()) {
    base::attempt([&] {
      reason = hook + (stop_deadlines_.is_expired()
                           ? " did not finish before the shutdown time limit"
                           : " made no progress for " + base::duration_text(stop_deadlines_.step_limit()));
    });
    return record_incomplete_stop(std::move(reason));
  }
  error hang{base::win32_error::service_request_timeout, {}, {}, {}, {}};
  base::attempt([&] {
    hang.operation = operation;
    hang.subject = definition_.spec.name;
    hang.message = hook + " made no progress for " + base::duration_text(limit);
    hang.hint = "call progress() during long work, or increase " +
                std::string(operation == "start" ? "start_limit" : "stop_limit");
    reason = hook + " hangs";
  });
  fail(std::move(hang));
  request_stop(reason);
}

WINSVC_INLINE void runtime::record_incomplete_stop(std::string reason) noexcept {
  is_stop_incomplete_ = true;
  base::attempt([&] { definition_.log.error("stopping: " + reason); });
  base::attempt([&] {
    if (!reason.empty()) incomplete_stop_.push_back(std::move(reason));
  });
}

}  // namespace detail::host
}  // inline namespace WINSVC_ABI
}  // namespace winsvc

#endif  // WINSVC_BODIES_HOST
