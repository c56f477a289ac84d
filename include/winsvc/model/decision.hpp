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
#include "winsvc/model/lifecycle.hpp"
#include "winsvc/model/state.hpp"

namespace winsvc {
inline namespace WINSVC_ABI {
namespace model {

/// What a control leaves to be done.
enum class duty { nothing, stop, pause, resume, reload, power, session, time, custom };

struct decision {
  std::uint32_t answer = 0;     ///< the handler's return value; of `custom` the hook's comes in its place
  std::optional<step> publish;  ///< applied to the lifecycle before anything else happens
  duty then = duty::nothing;
};

/// Decides. Whatever comes, even what the SCM should not have sent, has an answer and does no harm.
[[nodiscard]] decision decide(state now, const hooked& h, std::uint32_t control) noexcept;

}  // namespace model
}  // inline namespace WINSVC_ABI
}  // namespace winsvc

// ---------------------------------------------------------------------------------------------------------------------

#if WINSVC_BODIES_MODEL

namespace winsvc {
inline namespace WINSVC_ABI {
namespace model {

WINSVC_INLINE decision decide(state now, const hooked& h, std::uint32_t what) noexcept {
  constexpr decision unknown{120, {}, duty::nothing};      // ERROR_CALL_NOT_IMPLEMENTED
  constexpr decision not_now{1061, {}, duty::nothing};     // ERROR_SERVICE_CANNOT_ACCEPT_CTRL
  constexpr decision done_already{0, {}, duty::nothing};
  const bool working = now == state::running || now == state::paused;
  const auto if_hooked = [&](bool is_hooked, duty then) {
    return !is_hooked ? unknown : !working ? not_now : decision{0, {}, then};
  };

  switch (static_cast<control>(what)) {
    case control::interrogate: return done_already;  // the SCM has our last status, which is true
    case control::stop:
    case control::shutdown:
    case control::preshutdown:
      if (now == state::stop_pending || now == state::stopped) return done_already;
      return {0, step::stop, duty::stop};
    case control::pause:
      if (!h.pause_continue) return unknown;
      if (now == state::paused || now == state::pause_pending) return done_already;
      return now == state::running ? decision{0, step::pause, duty::pause} : not_now;
    case control::resume:
      if (!h.pause_continue) return unknown;
      if (now == state::running || now == state::continue_pending) return done_already;
      return now == state::paused ? decision{0, step::resume, duty::resume} : not_now;
    case control::param_change: return if_hooked(h.param_change, duty::reload);
    case control::power_event: return if_hooked(h.power_event, duty::power);
    case control::session_change: return if_hooked(h.session_change, duty::session);
    case control::time_change: return if_hooked(h.time_change, duty::time);
    default: return if_hooked(h.has_custom(what), duty::custom);
  }
}

}  // namespace model
}  // inline namespace WINSVC_ABI
}  // namespace winsvc

#endif  // WINSVC_BODIES_MODEL
