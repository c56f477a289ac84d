// States, controls, statuses and exit codes of a service, with the numbers of Win32, so that os/ passes them to the
// Service Control Manager (SCM) without a conversion.
//
//   name(state::start_pending)                       // "start pending"
//   accepted_controls(state::running, hooks)         // dwControlsAccepted
//   failure_status(0).win32                          // 1064: a failure never has the code 0
//
// Source: SERVICE_STATUS, HandlerEx and SetServiceStatus in the Win32 documentation.
#pragma once

#include <bitset>
#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>

#include "winsvc/config/abi.hpp"

namespace winsvc {
inline namespace WINSVC_ABI {
namespace detail::scm {

/// dwCurrentState. `none` is the state before the first report; Win32 does not have it.
enum class state : std::uint32_t {
  none = 0,
  stopped = 1,
  start_pending = 2,
  stop_pending = 3,
  running = 4,
  continue_pending = 5,
  pause_pending = 6,
  paused = 7,
};

/// Returns the name of a state in plain words; "unknown" for other numbers.
[[nodiscard]] constexpr std::string_view name(state s) noexcept {
  constexpr std::string_view names[] = {"none",    "stopped",          "start pending", "stop pending",
                                        "running", "continue pending", "pause pending", "paused"};
  const auto i = static_cast<std::uint32_t>(s);
  return i < 8 ? names[i] : "unknown";
}

/// True for the four pending states.
[[nodiscard]] constexpr bool is_pending(state s) noexcept {
  return s == state::start_pending || s == state::stop_pending || s == state::continue_pending ||
         s == state::pause_pending;
}

/// Control that the SCM sends to a service. 128 to 255 are custom controls.
enum class control : std::uint32_t {
  stop = 1,
  pause = 2,
  continue_control = 3,  // SERVICE_CONTROL_CONTINUE
  interrogate = 4,
  shutdown = 5,
  param_change = 6,
  device_event = 11,
  hardware_profile_change = 12,
  power_event = 13,
  session_change = 14,
  preshutdown = 15,
  time_change = 16,
};

/// dwControlsAccepted, one bit for each kind of control.
namespace accepted_control {
inline constexpr std::uint32_t stop = 0x1, pause_continue = 0x2, shutdown = 0x4, param_change = 0x8,
                               power_event = 0x40, session_change = 0x80, preshutdown = 0x100, time_change = 0x200;
}  // namespace accepted_control

namespace win32_error {
inline constexpr std::uint32_t exception_in_service = 1064;  // ERROR_EXCEPTION_IN_SERVICE
inline constexpr std::uint32_t service_specific = 1066;      // ERROR_SERVICE_SPECIFIC_ERROR
inline constexpr std::uint32_t never_started = 1077;         // ERROR_SERVICE_NEVER_STARTED
}  // namespace win32_error

/// Exit code of a service: dwWin32ExitCode, and dwServiceSpecificExitCode if the first is 1066.
struct exit_status {
  std::uint32_t win32 = 0;
  std::uint32_t specific = 0;

  /// True after a failure. 1077 is the code of a service that has not been started since boot.
  [[nodiscard]] bool failed() const noexcept { return win32 != 0 && win32 != win32_error::never_started; }
  /// Returns the service-specific code if there is one, otherwise the Win32 code. Messages and the exit code of the
  /// process use it.
  [[nodiscard]] std::uint32_t code() const noexcept { return win32 == 1066 ? specific : win32; }
};

/// Returns the exit status of a failure. It is never 0, which the SCM treats as success, without a recovery, and never
/// 1066 without a service-specific code, which Windows shows as "completed successfully", and never 1077, which means
/// that the service has not run. These become 1064.
[[nodiscard]] constexpr exit_status failure_status(std::uint32_t reason) noexcept {
  const bool is_invalid =
      reason == 0 || reason == win32_error::service_specific || reason == win32_error::never_started;
  if (is_invalid) return {win32_error::exception_in_service, 0};
  return {reason, 0};
}

/// Status for the SCM: SERVICE_STATUS without dwServiceType.
struct service_status {
  state current = state::none;
  std::uint32_t accepted = 0;
  exit_status exit;
  std::uint32_t checkpoint = 0;
  std::chrono::milliseconds wait_hint{0};
};

/// True for the number of a custom control.
[[nodiscard]] constexpr bool is_custom_control(std::uint32_t number) noexcept { return number >= 128 && number <= 255; }

/// Controls that the app has hooks for. The service does not accept the others, and the SCM rejects them with 1052. The
/// SCM sends every custom control; without a hook the service returns 120.
struct handled_controls {
  bool pause_continue = false;
  bool param_change = false;
  bool power_event = false;
  bool session_change = false;
  bool time_change = false;
  bool preshutdown = false;
  std::bitset<128> custom;  ///< 128 to 255

  [[nodiscard]] bool has_custom(std::uint32_t control) const noexcept {
    return is_custom_control(control) && custom[control - 128];
  }
};

/// Returns dwControlsAccepted: 0 in a pending state and in STOPPED. It has either PRESHUTDOWN or SHUTDOWN, because
/// Windows does not send SHUTDOWN to a service that accepts PRESHUTDOWN.
[[nodiscard]] std::uint32_t accepted_controls(state s, const handled_controls& h) noexcept;

/// True if the SCM sends this control to a service that accepts `mask`. It always sends INTERROGATE and custom
/// controls.
[[nodiscard]] constexpr bool is_accepted(std::uint32_t mask, control c) noexcept {
  switch (c) {
    case control::stop: return (mask & accepted_control::stop) != 0;
    case control::pause:
    case control::continue_control: return (mask & accepted_control::pause_continue) != 0;
    case control::shutdown: return (mask & accepted_control::shutdown) != 0;
    case control::param_change: return (mask & accepted_control::param_change) != 0;
    case control::power_event: return (mask & accepted_control::power_event) != 0;
    case control::session_change: return (mask & accepted_control::session_change) != 0;
    case control::preshutdown: return (mask & accepted_control::preshutdown) != 0;
    case control::time_change: return (mask & accepted_control::time_change) != 0;
    case control::interrogate: return true;
    default: return is_custom_control(static_cast<std::uint32_t>(c));
  }
}

}  // namespace detail::scm
}  // inline namespace WINSVC_ABI
}  // namespace winsvc

// ---------------------------------------------------------------------------------------------------------------------

#if WINSVC_BODIES_SCM

namespace winsvc {
inline namespace WINSVC_ABI {
namespace detail::scm {

WINSVC_INLINE std::uint32_t accepted_controls(state s, const handled_controls& h) noexcept {
  if (s != state::running && s != state::paused) return 0;
  std::uint32_t mask = accepted_control::stop;
  mask |= h.preshutdown ? accepted_control::preshutdown : accepted_control::shutdown;
  if (h.pause_continue) mask |= accepted_control::pause_continue;
  if (h.param_change) mask |= accepted_control::param_change;
  if (h.power_event) mask |= accepted_control::power_event;
  if (h.session_change) mask |= accepted_control::session_change;
  if (h.time_change) mask |= accepted_control::time_change;
  return mask;
}

}  // namespace detail::scm
}  // inline namespace WINSVC_ABI
}  // namespace winsvc

#endif  // WINSVC_BODIES_SCM
