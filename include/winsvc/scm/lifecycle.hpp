// Lifecycle of a service: a state machine with a table of legal transitions. Each transition returns the status to
// report.
//
//   lifecycle machine({});
//   report(*machine.apply(lifecycle_event::start, 30s));     // START_PENDING, checkpoint 1, wait hint 30 s
//   report(*machine.apply(lifecycle_event::ready));          // RUNNING
//   machine.apply(lifecycle_event::ready);                   // nullopt: not legal in RUNNING, report nothing
//
//          start            ready          pause            paused
//   none --------> START_PENDING ---> RUNNING ---> PAUSE_PENDING ---> PAUSED
//                                      ^   ^           |               |   ^
//                                      |   +-----------+               |   |
//                                      |    hook_failed         resume |   | hook_failed
//                                      |                               v   |
//                                      +--------------------- CONTINUE_PENDING
//                                             resumed
//
//   each of these, except none --- stop ---> STOP_PENDING --- finished ---> STOPPED
//   START_PENDING --- finished ---> STOPPED (the start failed); each pending state --- progress ---> the same state
//
// It has no thread, no clock and no handle, and is not thread-safe: the host calls it under one lock and reports each
// status in this order. STOPPED is returned once, and no status after it, because Windows may terminate the process as
// soon as the SCM has received STOPPED.
#pragma once

#include <chrono>
#include <optional>

#include "winsvc/config/abi.hpp"
#include "winsvc/scm/state.hpp"

namespace winsvc {
inline namespace WINSVC_ABI {
namespace detail::scm {

/// Event that causes a transition. `hook_failed`: a pause or continue hook threw, and the service returns to the state
/// before the control.
enum class lifecycle_event { start, progress, ready, pause, paused, resume, resumed, hook_failed, stop, finished };

/// One legal transition. `progress` keeps the state and increments the checkpoint.
struct transition {
  state from;
  lifecycle_event event;
  state to;
};

inline constexpr transition transitions[] = {
    {state::none, lifecycle_event::start, state::start_pending},
    {state::start_pending, lifecycle_event::progress, state::start_pending},
    {state::start_pending, lifecycle_event::ready, state::running},
    {state::start_pending, lifecycle_event::stop, state::stop_pending},
    {state::start_pending, lifecycle_event::finished, state::stopped},
    {state::running, lifecycle_event::pause, state::pause_pending},
    {state::running, lifecycle_event::stop, state::stop_pending},
    {state::pause_pending, lifecycle_event::progress, state::pause_pending},
    {state::pause_pending, lifecycle_event::paused, state::paused},
    {state::pause_pending, lifecycle_event::hook_failed, state::running},
    {state::pause_pending, lifecycle_event::stop, state::stop_pending},
    {state::paused, lifecycle_event::resume, state::continue_pending},
    {state::paused, lifecycle_event::stop, state::stop_pending},
    {state::continue_pending, lifecycle_event::progress, state::continue_pending},
    {state::continue_pending, lifecycle_event::resumed, state::running},
    {state::continue_pending, lifecycle_event::hook_failed, state::paused},
    {state::continue_pending, lifecycle_event::stop, state::stop_pending},
    {state::stop_pending, lifecycle_event::progress, state::stop_pending},
    {state::stop_pending, lifecycle_event::finished, state::stopped},
};

/// Current state and status of a service.
class lifecycle {
 public:
  explicit lifecycle(handled_controls hooks) noexcept : hooks_(hooks) {}

  [[nodiscard]] const service_status& status() const noexcept { return status_; }
  [[nodiscard]] bool is_stopped() const noexcept { return status_.current == state::stopped; }

  /// Sets the controls that have hooks. They are known only after the app has run, which is during START_PENDING.
  void hooks(handled_controls controls) noexcept { hooks_ = controls; }

  /// Makes the transition and returns the status to report. Returns nullopt and changes nothing if the table has no
  /// such transition, or if the status would be invalid: a pending state needs a positive wait hint, because the SCM
  /// waits only 2 s without one; and Windows shows the exit code 1066 with the specific code 0 as success. `wait_hint`:
  /// maximum time until the next report; used only in pending states. 0 with `progress` keeps the hint. `exit`: used
  /// only for lifecycle_event::finished.
  std::optional<service_status> apply(lifecycle_event event, std::chrono::milliseconds wait_hint = {},
                                      exit_status exit = {}) noexcept;

 private:
  handled_controls hooks_;
  service_status status_;
};

}  // namespace detail::scm
}  // inline namespace WINSVC_ABI
}  // namespace winsvc

// ---------------------------------------------------------------------------------------------------------------------

#if WINSVC_BODIES_SCM

namespace winsvc {
inline namespace WINSVC_ABI {
namespace detail::scm {

WINSVC_INLINE std::optional<service_status> lifecycle::apply(lifecycle_event event, std::chrono::milliseconds wait_hint,
                                                              exit_status exit) noexcept {
  for (const auto& row : transitions) {
    if (row.from != status_.current || row.event != event) continue;

    service_status next;
    next.current = row.to;
    next.accepted = accepted_controls(row.to, hooks_);
    if (is_pending(row.to)) {
      next.checkpoint = row.from == row.to ? status_.checkpoint + 1 : 1;
      next.wait_hint = wait_hint.count() == 0 && row.from == row.to ? status_.wait_hint : wait_hint;
      if (next.wait_hint.count() <= 0) return std::nullopt;
    }
    if (row.to == state::stopped) {
      if (exit.win32 == win32_error::service_specific && exit.specific == 0) return std::nullopt;
      next.exit = exit;
    }
    status_ = next;
    return next;
  }
  return std::nullopt;
}

}  // namespace detail::scm
}  // inline namespace WINSVC_ABI
}  // namespace winsvc

#endif  // WINSVC_BODIES_SCM
