// Status reporter: applies lifecycle events and publishes the resulting states in order. One lock covers the decision
// and the publication, so that no late state overtakes STOP_PENDING or follows STOPPED.
//
//   status_reporter reporter([&](const scm::service_status& status) { dispatcher.set_status(status); });
//   reporter.apply(scm::lifecycle_event::start, 30s);           // START_PENDING
//   reporter.handle_control(control, 25s, true);                 // the decision and the new state, in one step
#pragma once

#include <atomic>
#include <chrono>
#include <functional>
#include <mutex>
#include <utility>

#include "winsvc/base/error_codes.hpp"
#include "winsvc/config/abi.hpp"
#include "winsvc/scm/control_policy.hpp"
#include "winsvc/scm/lifecycle.hpp"

namespace winsvc {
inline namespace WINSVC_ABI {
namespace detail::host {

class status_reporter {
 public:
  /// `publish` is called with the lock held, on any thread; it must not call the reporter.
  explicit status_reporter(std::function<void(const scm::service_status&)> publish)
      : lifecycle_({}), publish_(std::move(publish)) {}

  /// Sets the controls that are accepted from RUNNING on. Call it after the app has run.
  void set_handled_controls(scm::handled_controls hooks) {
    const std::lock_guard lock(mutex_);
    hooks_ = hooks;
    lifecycle_.hooks(hooks);
  }

  /// Applies the transition and publishes the state. False if the transition is illegal; nothing is published then.
  bool apply(scm::lifecycle_event event, std::chrono::milliseconds wait_hint = {}, scm::exit_status exit = {}) {
    const std::lock_guard lock(mutex_);
    return publish(event, wait_hint, exit);
  }

  /// Decides what a control means in this state and publishes the resulting state, in one step under the lock. Without
  /// memory for a task (`has_task` is false), a control that needs one is rejected, and the state does not change.
  scm::control_decision handle_control(std::uint32_t control, std::chrono::milliseconds wait_hint, bool has_task) {
    const std::lock_guard lock(mutex_);
    const auto decision = scm::decide_control(lifecycle_.status().current, hooks_, control);
    if (!has_task && scm::needs_task(decision.action)) return {base::win32_error::not_enough_memory, {}, {}};
    if (decision.event) publish(*decision.event, wait_hint, {});
    return decision;
  }

  /// The current state, without waiting: a request must not wait while `publish` calls the SCM.
  [[nodiscard]] scm::state state() const noexcept { return state_.load(); }

 private:
  bool publish(scm::lifecycle_event event, std::chrono::milliseconds wait_hint, scm::exit_status exit) {
    const auto status = lifecycle_.apply(event, wait_hint, exit);
    if (status) state_.store(status->current);
    if (status && publish_) publish_(*status);
    return status.has_value();
  }

  mutable std::mutex mutex_;
  scm::lifecycle lifecycle_;
  scm::handled_controls hooks_;
  std::atomic<scm::state> state_{scm::state::none};  // copy of lifecycle_'s state, written under mutex_; see state()
  std::function<void(const scm::service_status&)> publish_;
};

}  // namespace detail::host
}  // inline namespace WINSVC_ABI
}  // namespace winsvc
