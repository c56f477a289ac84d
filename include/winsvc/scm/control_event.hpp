// Event data of a control: session changes and power events, with names for the numbers of Windows.
//
//   using winsvc::session_change;
//   svc.on_session_change([](const session_change& c) { if (c.kind_of_change == session_change::lock) ... });
//   svc.on_power([](const winsvc::power_event& p) { if (p.kind_of_event == winsvc::power_event::suspend) ... });
//
// Source: HandlerEx, WM_WTSSESSION_CHANGE and WM_POWERBROADCAST in the Win32 documentation.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "winsvc/config/abi.hpp"

namespace winsvc {
inline namespace WINSVC_ABI {

/// A change of a user's session on this machine.
struct session_change {
  /// WTS_*, with the values of Windows. A value that is not in this list is passed as its number.
  enum kind : std::uint32_t {
    console_connect = 1, console_disconnect = 2, remote_connect = 3, remote_disconnect = 4, logon = 5, logoff = 6,
    lock = 7, unlock = 8, remote_control = 9, created = 10, terminated = 11,
  };
  kind kind_of_change = logon;
  std::uint32_t session = 0;  ///< session ID
};

/// A change of the power state of the machine.
struct power_event {
  /// PBT_*, with the values of Windows. Windows sends `setting_changed` only if the app has registered for a setting
  /// (RegisterPowerSettingNotification).
  enum kind : std::uint32_t {
    suspend = 0x4, resume = 0x7, status_changed = 0xA, resume_automatic = 0x12, setting_changed = 0x8013,
  };
  kind kind_of_event = status_changed;
  std::string setting;  ///< for setting_changed: the GUID, such as `{02731015-4510-4526-99e6-e5a17ebd1aea}`
  std::string data;     ///< for setting_changed: the bytes of the new value
};

/// Returns the name of a session change in plain words; "unknown" for other numbers.
[[nodiscard]] constexpr std::string_view name(session_change::kind k) noexcept {
  constexpr std::string_view names[] = {"",       "console connect", "console disconnect", "remote connect",
                                        "remote disconnect", "logon", "logoff", "lock", "unlock", "remote control",
                                        "created", "terminated"};
  return k >= 1 && k <= 11 ? names[k] : "unknown";
}
/// Returns the name of a power event in plain words; "unknown" for other numbers.
[[nodiscard]] constexpr std::string_view name(power_event::kind k) noexcept {
  return k == power_event::suspend            ? "suspend"
         : k == power_event::resume           ? "resume"
         : k == power_event::status_changed   ? "status changed"
         : k == power_event::resume_automatic ? "resume automatic"
         : k == power_event::setting_changed  ? "setting changed"
                                              : "unknown";
}

namespace detail::scm {

/// A control with its event data, which the dispatcher has copied from the memory of Windows.
struct control_event {
  std::uint32_t control = 0;
  std::uint32_t type = 0;     ///< dwEventType
  std::uint32_t session = 0;  ///< for SESSION_CHANGE: session ID
  std::string setting, data;  ///< for POWER_EVENT with a setting: GUID and bytes of the value
};

}  // namespace detail::scm
}  // inline namespace WINSVC_ABI
}  // namespace winsvc
