// What comes with a control: the session that changed, the power that went. Typed, so that a hook need not look up
// numbers.
//
//   svc.on_session_change([](const winsvc::session_change& c) { if (c.what == winsvc::session_change::lock) ... });
//   svc.on_power([](const winsvc::power_event& p) { if (p.what == winsvc::power_event::suspend) ... });
//
// Source: HandlerEx, WM_WTSSESSION_CHANGE and WM_POWERBROADCAST in the Win32 documentation.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "winsvc/config/abi.hpp"

namespace winsvc {
inline namespace WINSVC_ABI {

/// A person's session on this machine changed.
struct session_change {
  /// WTS_*, with Windows' values; what is not listed here may come as its number.
  enum kind : std::uint32_t {
    console_connect = 1, console_disconnect = 2, remote_connect = 3, remote_disconnect = 4, logon = 5, logoff = 6,
    lock = 7, unlock = 8, remote_control = 9, created = 10, terminated = 11,
  };
  kind kind_of_change = logon;
  std::uint32_t session = 0;
};

/// The machine's power changed.
struct power_event {
  /// PBT_*, with Windows' values. `setting_changed` comes only to who has registered for a setting with Windows.
  enum kind : std::uint32_t {
    suspend = 0x4, resume = 0x7, status_changed = 0xA, resume_automatic = 0x12, setting_changed = 0x8013,
  };
  kind kind_of_event = status_changed;
  std::string setting;  ///< of setting_changed: the GUID, `{02731015-4510-4526-99e6-e5a17ebd1aea}`
  std::string data;     ///< and its bytes
};

[[nodiscard]] constexpr std::string_view name(session_change::kind k) noexcept {
  constexpr std::string_view names[] = {"",       "console connect", "console disconnect", "remote connect",
                                        "remote disconnect", "logon", "logoff", "lock", "unlock", "remote control",
                                        "created", "terminated"};
  return k >= 1 && k <= 11 ? names[k] : "unknown";
}
[[nodiscard]] constexpr std::string_view name(power_event::kind k) noexcept {
  return k == power_event::suspend            ? "suspend"
         : k == power_event::resume           ? "resume"
         : k == power_event::status_changed   ? "status changed"
         : k == power_event::resume_automatic ? "resume automatic"
         : k == power_event::setting_changed  ? "setting changed"
                                              : "unknown";
}

namespace model {

/// A control as the dispatcher hands it on, its event data copied out of Windows' memory.
struct control_event {
  std::uint32_t control = 0;
  std::uint32_t type = 0;     ///< dwEventType
  std::uint32_t session = 0;  ///< of SESSION_CHANGE
  std::string setting, data;  ///< of POWER_EVENT with a setting
};

}  // namespace model
}  // inline namespace WINSVC_ABI
}  // namespace winsvc
