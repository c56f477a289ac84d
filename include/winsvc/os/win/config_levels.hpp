// Converts the config levels (scm/config_levels.hpp) to and from the structs of ChangeServiceConfig2W and
// QueryServiceConfig2W. It makes no system call. So a test can check each field under Wine too, although
// Wine does not store all levels.
//
//   native_level level(scm::preshutdown_timeout{30s});
//   ::ChangeServiceConfig2W(service, level.number(), level.data());
//
// Source: ChangeServiceConfig2W and the pages of the SERVICE_... structures in the Win32 documentation.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <variant>
#include <vector>

#include "winsvc/config/abi.hpp"
#include "winsvc/scm/config_levels.hpp"
#include "winsvc/os/win/windows_headers.hpp"
#include "winsvc/os/win/wide.hpp"

#if WINSVC_OS_WINDOWS
namespace winsvc {
inline namespace WINSVC_ABI {
namespace detail::os {

/// The struct of one level, and the memory that its pointers refer to.
class native_level {
 public:
  explicit native_level(const scm::config_level& value);
  native_level(const native_level&) = delete;
  native_level& operator=(const native_level&) = delete;

  [[nodiscard]] DWORD number() const noexcept { return number_; }
  /// For ChangeServiceConfig2W, whose parameter is not const although the function does not change the struct.
  [[nodiscard]] void* data() noexcept { return &native_; }

 private:
  void set(const scm::description_text& v);
  void set(const scm::recovery_options& v);
  void set(const scm::delayed_start& v) { native_.delayed.fDelayedAutostart = v.on ? TRUE : FALSE; }
  void set(const scm::failure_flag& v) { native_.flag.fFailureActionsOnNonCrashFailures = v.on ? TRUE : FALSE; }
  void set(const scm::sid_type& v) { native_.sid.dwServiceSidType = v.value; }
  void set(const scm::required_privileges& v);
  void set(const scm::preshutdown_timeout& v);

  // The largest member is the first: `{}` initializes only the first member.
  union level_data {
    SERVICE_FAILURE_ACTIONSW failure;
    SERVICE_DESCRIPTIONW description;
    SERVICE_DELAYED_AUTO_START_INFO delayed;
    SERVICE_FAILURE_ACTIONS_FLAG flag;
    SERVICE_SID_INFO sid;
    SERVICE_REQUIRED_PRIVILEGES_INFOW privileges;
    SERVICE_PRESHUTDOWN_INFO preshutdown;
  };
  static_assert(sizeof(level_data) == sizeof(SERVICE_FAILURE_ACTIONSW));
  DWORD number_;
  level_data native_{};
  std::wstring text_;
  std::vector<SC_ACTION> actions_;
};

/// Converts the struct that QueryServiceConfig2W returned for a level from 1 to 7.
[[nodiscard]] scm::config_level level_value(std::uint32_t number, const void* native);

}  // namespace detail::os
}  // inline namespace WINSVC_ABI
}  // namespace winsvc

// ---------------------------------------------------------------------------------------------------------------------

#if WINSVC_BODIES_OS

namespace winsvc {
inline namespace WINSVC_ABI {
namespace detail::os {

/// Converts a duration to a DWORD; negative durations become 0, longer ones the maximum (49 days in milliseconds).
template <class Unit>
[[nodiscard]] constexpr DWORD as_dword(Unit time) noexcept {
  constexpr std::int64_t limit = 0xFFFFFFFF;  // INFINITE
  const std::int64_t count = time.count();
  return static_cast<DWORD>(count < 0 ? 0 : count > limit ? limit : count);
}

WINSVC_INLINE native_level::native_level(const scm::config_level& value) : number_(scm::number(value)) {
  scm::call_with_value(value, [this](const auto& v) { set(v); });
}

WINSVC_INLINE void native_level::set(const scm::description_text& v) {
  text_ = to_wide(v.text);
  native_.description.lpDescription = text_.data();  // "" deletes the description; NULL would keep it
}

/// The SCM accepts the action `reboot` only from a process whose privilege to shut down is enabled.
WINSVC_INLINE void enable_shutdown_privilege() noexcept {
  HANDLE token = nullptr;
  if (!::OpenProcessToken(::GetCurrentProcess(), TOKEN_ADJUST_PRIVILEGES | TOKEN_QUERY, &token)) return;
  const unique_handle owner(token);
  TOKEN_PRIVILEGES privileges{};
  privileges.PrivilegeCount = 1;
  privileges.Privileges[0].Attributes = SE_PRIVILEGE_ENABLED;
  if (::LookupPrivilegeValueW(nullptr, L"SeShutdownPrivilege", &privileges.Privileges[0].Luid))
    ::AdjustTokenPrivileges(token, FALSE, &privileges, 0, nullptr, nullptr);
}

WINSVC_INLINE void native_level::set(const scm::recovery_options& v) {
  for (const auto& action : v.actions) {
    if (action.kind_of_action == recovery_action::kind::reboot) enable_shutdown_privilege();
  }
  for (const auto& action : v.actions)
    actions_.push_back({static_cast<SC_ACTION_TYPE>(action.kind_of_action), as_dword(action.delay)});
  native_.failure.cActions = static_cast<DWORD>(actions_.size());
  // 0 actions and a pointer that is not NULL delete the actions; NULL would keep them. The reboot message stays NULL,
  // because winsvc does not change it; an empty command deletes the command.
  text_ = to_wide(v.command);
  native_.failure.lpCommand = text_.data();
  if (actions_.empty()) actions_.push_back({SC_ACTION_NONE, 0});
  native_.failure.lpsaActions = actions_.data();
  native_.failure.dwResetPeriod = as_dword(v.reset);  // seconds here, milliseconds in the actions
}

WINSVC_INLINE void native_level::set(const scm::required_privileges& v) {
  text_ = to_wide_list(v.names);
  native_.privileges.pmszRequiredPrivileges = text_.data();
}

WINSVC_INLINE void native_level::set(const scm::preshutdown_timeout& v) {
  native_.preshutdown.dwPreshutdownTimeout = as_dword(v.limit);
}

WINSVC_INLINE scm::config_level level_value(std::uint32_t number, const void* native) {
  switch (number) {
    case scm::config_level_id::description:
      return scm::description_text{to_utf8(static_cast<const SERVICE_DESCRIPTIONW*>(native)->lpDescription)};
    case scm::config_level_id::failure_actions: {
      const auto* s = static_cast<const SERVICE_FAILURE_ACTIONSW*>(native);
      scm::recovery_options recovery;
      recovery.reset = std::chrono::seconds(s->dwResetPeriod);
      recovery.command = to_utf8(s->lpCommand);
      for (DWORD i = 0; s->lpsaActions && i < s->cActions; ++i) {
        recovery.actions.push_back({static_cast<recovery_action::kind>(s->lpsaActions[i].Type),
                                    std::chrono::milliseconds(s->lpsaActions[i].Delay)});
      }
      return recovery;
    }
    case scm::config_level_id::delayed_start:
      return scm::delayed_start{static_cast<const SERVICE_DELAYED_AUTO_START_INFO*>(native)->fDelayedAutostart != 0};
    case scm::config_level_id::failure_flag:
      return scm::failure_flag{
          static_cast<const SERVICE_FAILURE_ACTIONS_FLAG*>(native)->fFailureActionsOnNonCrashFailures != 0};
    case scm::config_level_id::sid_type:
      return scm::sid_type{static_cast<const SERVICE_SID_INFO*>(native)->dwServiceSidType};
    case scm::config_level_id::required_privileges:
      return scm::required_privileges{
          from_wide_list(static_cast<const SERVICE_REQUIRED_PRIVILEGES_INFOW*>(native)->pmszRequiredPrivileges)};
    default:
      return scm::preshutdown_timeout{
          std::chrono::milliseconds(static_cast<const SERVICE_PRESHUTDOWN_INFO*>(native)->dwPreshutdownTimeout)};
  }
}

}  // namespace detail::os
}  // inline namespace WINSVC_ABI
}  // namespace winsvc

#endif  // WINSVC_BODIES_OS

#endif  // WINSVC_OS_WINDOWS
