// Control policy: decides how a service reacts to a control in its current state. A decision has the return code for
// the SCM, the lifecycle event to apply at once, and the control action. The control handler executes it.
//
//   decide_control(state::running, hooks, 2 /* pause */)     // {0, lifecycle_event::pause, control_action::pause}
//   decide_control(state::paused, hooks, 99)                 // {120}: the service does not handle the control
//
// It has no state and calls nothing.
// Source: HandlerEx and "Service Control Handler Function" in the Win32 documentation.
#pragma once

#include <cstdint>
#include <optional>

#include "winsvc/base/error_codes.hpp"
#include "winsvc/config/abi.hpp"
#include "winsvc/scm/lifecycle.hpp"
#include "winsvc/scm/state.hpp"

namespace winsvc {
inline namespace WINSVC_ABI {
namespace detail::scm {

/// Effect of a control: nothing, a stop, or a control task that the service thread runs.
enum class control_action { nothing, stop, pause, resume, reload, power, session, time, custom };

/// True if the control action is a control task.
[[nodiscard]] constexpr bool needs_task(control_action action) noexcept {
  return action != control_action::nothing && action != control_action::stop;
}

struct control_decision {
  std::uint32_t return_code = 0;  ///< return value of the control handler; for `custom`, the hook's result replaces it
  std::optional<lifecycle_event> event;  ///< applied to the lifecycle before the control action
  control_action action = control_action::nothing;
};

/// Decides what a control does in the state `current`. `hooks`: the controls that the app has hooks for. Each number
/// has a result, including controls that the SCM should not send in this state.
[[nodiscard]] control_decision decide_control(state current, const handled_controls& hooks,
                                              std::uint32_t number) noexcept;

}  // namespace detail::scm
}  // inline namespace WINSVC_ABI
}  // namespace winsvc

// ---------------------------------------------------------------------------------------------------------------------

#if WINSVC_BODIES_SCM

namespace winsvc {
inline namespace WINSVC_ABI {
namespace detail::scm {

WINSVC_INLINE control_decision decide_control(state current, const handled_controls& hooks,
                                              std::uint32_t number) noexcept {
  constexpr control_decision unknown{base::win32_error::call_not_implemented, {}, control_action::nothing};
  constexpr control_decision not_now{base::win32_error::service_cannot_accept_control, {}, control_action::nothing};
  constexpr control_decision no_change{0, {}, control_action::nothing};
  const bool is_settled = current == state::running || current == state::paused;
  const auto if_hooked = [&](bool is_hooked, control_action action) {
    return !is_hooked ? unknown : !is_settled ? not_now : control_decision{0, {}, action};
  };

  switch (static_cast<control>(number)) {
    case control::interrogate: return no_change;  // the SCM already has the current status
    case control::stop:
    case control::shutdown:
    case control::preshutdown:
      if (current == state::stop_pending || current == state::stopped) return no_change;
      return {0, lifecycle_event::stop, control_action::stop};
    case control::pause:
      if (!hooks.pause_continue) return unknown;
      if (current == state::paused || current == state::pause_pending) return no_change;
      return current == state::running ? control_decision{0, lifecycle_event::pause, control_action::pause} : not_now;
    case control::continue_control:
      if (!hooks.pause_continue) return unknown;
      if (current == state::running || current == state::continue_pending) return no_change;
      return current == state::paused ? control_decision{0, lifecycle_event::resume, control_action::resume} : not_now;
    case control::param_change: return if_hooked(hooks.param_change, control_action::reload);
    case control::power_event: return if_hooked(hooks.power_event, control_action::power);
    case control::session_change: return if_hooked(hooks.session_change, control_action::session);
    case control::time_change: return if_hooked(hooks.time_change, control_action::time);
    default: return if_hooked(hooks.has_custom(number), control_action::custom);
  }
}

}  // namespace detail::scm
}  // inline namespace WINSVC_ABI
}  // namespace winsvc

#endif  // WINSVC_BODIES_SCM
