// What a control means in a state: the answer for the SCM, the status to publish at once, and what is left to do for
// the service's own thread. Pure: the control handler asks, publishes, hands on and returns.
//
//   decide(state::running, hooks, 2 /* pause */)     // {0, step::pause, duty::pause}
//   decide(state::paused, hooks, 99)                 // {120}: the service does not know it
//
// Source: HandlerEx and "Service Control Handler Function" in the Win32 documentation.
#pragma once

#include <cstdint>
#include <optional>

#include "winsvc/config/abi.hpp"
#include "winsvc/scm/lifecycle.hpp"
#include "winsvc/scm/state.hpp"

namespace winsvc {
inline namespace WINSVC_ABI {
namespace model {

/// What a control leaves to be done.
enum class control_action { nothing, stop, pause, resume, reload, power, session, time, custom };

struct control_decision {
  std::uint32_t return_code = 0;     ///< the handler's return value; of `custom` the hook's comes in its place
  std::optional<lifecycle_event> event;  ///< applied to the lifecycle before anything else happens
  control_action action = control_action::nothing;
};

/// Decides. Whatever comes, even what the SCM should not have sent, has an answer and does no harm.
[[nodiscard]] control_decision decide_control(state now, const handled_controls& h, std::uint32_t control) noexcept;

}  // namespace model
}  // inline namespace WINSVC_ABI
}  // namespace winsvc

// ---------------------------------------------------------------------------------------------------------------------

#if WINSVC_BODIES_MODEL

namespace winsvc {
inline namespace WINSVC_ABI {
namespace model {

WINSVC_INLINE control_decision decide_control(state now, const handled_controls& h, std::uint32_t what) noexcept {
  constexpr control_decision unknown{120, {}, control_action::nothing};      // ERROR_CALL_NOT_IMPLEMENTED
  constexpr control_decision not_now{1061, {}, control_action::nothing};     // ERROR_SERVICE_CANNOT_ACCEPT_CTRL
  constexpr control_decision done_already{0, {}, control_action::nothing};
  const bool working = now == state::running || now == state::paused;
  const auto if_hooked = [&](bool is_hooked, control_action then) {
    return !is_hooked ? unknown : !working ? not_now : control_decision{0, {}, then};
  };

  switch (static_cast<control>(what)) {
    case control::interrogate: return done_already;  // the SCM has our last status, which is true
    case control::stop:
    case control::shutdown:
    case control::preshutdown:
      if (now == state::stop_pending || now == state::stopped) return done_already;
      return {0, lifecycle_event::stop, control_action::stop};
    case control::pause:
      if (!h.pause_continue) return unknown;
      if (now == state::paused || now == state::pause_pending) return done_already;
      return now == state::running ? control_decision{0, lifecycle_event::pause, control_action::pause} : not_now;
    case control::continue_control:
      if (!h.pause_continue) return unknown;
      if (now == state::running || now == state::continue_pending) return done_already;
      return now == state::paused ? control_decision{0, lifecycle_event::resume, control_action::resume} : not_now;
    case control::param_change: return if_hooked(h.param_change, control_action::reload);
    case control::power_event: return if_hooked(h.power_event, control_action::power);
    case control::session_change: return if_hooked(h.session_change, control_action::session);
    case control::time_change: return if_hooked(h.time_change, control_action::time);
    default: return if_hooked(h.has_custom(what), control_action::custom);
  }
}

}  // namespace model
}  // inline namespace WINSVC_ABI
}  // namespace winsvc

#endif  // WINSVC_BODIES_MODEL
