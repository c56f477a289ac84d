// Service Control Manager on Windows (os/service_manager.hpp): each function is one Win32 call; it converts the
// arguments and returns the code. The functions for other objects are in os/win/install.hpp.
//
// Source: the pages of OpenSCManagerW, CreateServiceW, ChangeServiceConfigW, ChangeServiceConfig2W,
// QueryServiceConfigW, QueryServiceConfig2W, QueryServiceStatusEx, StartServiceW, ControlService,
// EnumDependentServicesW, QueryServiceObjectSecurity and DeleteService in the Win32 documentation.
#pragma once

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "winsvc/config/abi.hpp"
#include "winsvc/os/service_manager.hpp"
#include "winsvc/os/win/account_rights.hpp"
#include "winsvc/os/win/windows_headers.hpp"
#include "winsvc/os/win/install.hpp"
#include "winsvc/os/win/config_levels.hpp"
#include "winsvc/os/win/security.hpp"
#include "winsvc/os/win/wide.hpp"

#if WINSVC_OS_WINDOWS
namespace winsvc {
inline namespace WINSVC_ABI {
namespace detail::os {

[[nodiscard]] scm::service_status from_native(const SERVICE_STATUS_PROCESS& s) noexcept;

/// The arguments of CreateServiceW and ChangeServiceConfigW for a service_config_change; NULL for an empty optional.
class native_config {
 public:
  explicit native_config(const service_config_change& s)
      : binary_(to_optional_wide(s.binary)),
        display_(to_optional_wide(s.display_name)),
        account_(to_optional_wide(s.account)),
        password_(to_optional_wide(s.password)) {
    if (s.dependencies) dependencies_ = to_wide_list(*s.dependencies);
    if (s.startup) {
      start_type_ = *s.startup == startup::manual     ? SERVICE_DEMAND_START
                    : *s.startup == startup::disabled ? SERVICE_DISABLED
                                                      : SERVICE_AUTO_START;
    }
  }
  native_config(const native_config&) = delete;
  native_config& operator=(const native_config&) = delete;

  [[nodiscard]] DWORD start_type() const noexcept { return start_type_; }  ///< or SERVICE_NO_CHANGE
  [[nodiscard]] const wchar_t* binary() const noexcept { return or_null(binary_); }
  [[nodiscard]] const wchar_t* display_name() const noexcept { return or_null(display_); }
  [[nodiscard]] const wchar_t* account() const noexcept { return or_null(account_); }
  [[nodiscard]] const wchar_t* password() const noexcept { return or_null(password_); }
  [[nodiscard]] const wchar_t* dependencies() const noexcept { return or_null(dependencies_); }

 private:
  using text = std::optional<std::wstring>;
  static text to_optional_wide(const std::optional<std::string>& s) { return s ? text(to_wide(*s)) : std::nullopt; }
  static const wchar_t* or_null(const text& t) noexcept { return t ? t->c_str() : nullptr; }
  DWORD start_type_ = SERVICE_NO_CHANGE;
  text binary_, display_, account_, password_, dependencies_;
};

class native_service_manager final : public service_manager {
 public:
  sys_result<raw_handle> open_manager(std::uint32_t rights) override {
    return handle_or_error(::OpenSCManagerW(nullptr, nullptr, rights));
  }

  sys_result<raw_handle> create_service(raw_handle manager, const std::string& name, std::uint32_t rights,
                                        const service_config_change& s) override {
    const native_config config(s);
    const DWORD start = s.startup ? config.start_type() : SERVICE_AUTO_START;
    const std::wstring wide_name = to_wide(name);
    return handle_or_error(::CreateServiceW(native(manager), wide_name.c_str(),
                                            s.display_name ? config.display_name() : wide_name.c_str(), rights,
                                            SERVICE_WIN32_OWN_PROCESS, start, SERVICE_ERROR_NORMAL,
                                            s.binary ? config.binary() : L"", nullptr, nullptr, config.dependencies(),
                                            config.account(), config.password()));
  }

  sys_result<raw_handle> open_service(raw_handle manager, const std::string& name, std::uint32_t rights) override {
    return handle_or_error(::OpenServiceW(native(manager), to_wide(name).c_str(), rights));
  }

  sys_result<void> change_config(raw_handle service, const service_config_change& s) override {
    const native_config config(s);
    return ok_or_error(::ChangeServiceConfigW(native(service), SERVICE_NO_CHANGE, config.start_type(),
                                              SERVICE_NO_CHANGE, config.binary(), nullptr, nullptr,
                                              config.dependencies(), config.account(), config.password(),
                                              config.display_name()));
  }

  sys_result<void> change_level(raw_handle service, const scm::config_level& value) override {
    native_level level(value);
    return ok_or_error(::ChangeServiceConfig2W(native(service), level.number(), level.data()));
  }

  sys_result<scm::config_level> query_level(raw_handle service, std::uint32_t level) override {
    if (level < scm::config_level_id::description || level > scm::config_level_id::preshutdown)
      return sys_failure(ERROR_INVALID_LEVEL);
    std::vector<std::uint64_t> buffer(8192 / 8);  // 8 KiB is the documented maximum; 64-bit words align it
    DWORD needed = 0;
    if (!::QueryServiceConfig2W(native(service), level, reinterpret_cast<BYTE*>(buffer.data()), 8192, &needed))
      return sys_failure(::GetLastError());
    return level_value(level, buffer.data());
  }

  sys_result<service_config> query_config(raw_handle service) override {
    std::vector<std::uint64_t> buffer(8192 / 8);  // 8 KiB is the documented maximum; 64-bit words align it
    const auto config = reinterpret_cast<QUERY_SERVICE_CONFIGW*>(buffer.data());
    DWORD needed = 0;
    if (!::QueryServiceConfigW(native(service), config, 8192, &needed)) return sys_failure(::GetLastError());

    service_config out;
    out.startup = config->dwStartType == SERVICE_DISABLED       ? startup::disabled
                  : config->dwStartType == SERVICE_DEMAND_START ? startup::manual
                                                                : startup::automatic;
    out.binary = to_utf8(config->lpBinaryPathName);
    out.display_name = to_utf8(config->lpDisplayName);
    out.account = to_utf8(config->lpServiceStartName);
    out.dependencies = from_wide_list(config->lpDependencies);

    if (out.startup == startup::automatic) {
      const auto level = query_level(service, scm::config_level_id::delayed_start);
      if (level && std::get<scm::delayed_start>(*level).on) out.startup = startup::delayed;
    }
    return out;
  }

  sys_result<service_process_status> query_status(raw_handle service) override {
    SERVICE_STATUS_PROCESS status{};
    DWORD needed = 0;
    if (!::QueryServiceStatusEx(native(service), SC_STATUS_PROCESS_INFO, reinterpret_cast<BYTE*>(&status),
                                sizeof status, &needed)) {
      return sys_failure(::GetLastError());
    }
    // After a control that a dead process did not receive, Wine 8 reports the service as running without a process. It
    // rejects each later control with 1061. A driver has no process, but it is not of this type.
    const bool runs = status.dwCurrentState == SERVICE_RUNNING || status.dwCurrentState == SERVICE_PAUSED;
    if (runs && status.dwProcessId == 0 && (status.dwServiceType & SERVICE_WIN32) != 0) {
      status.dwCurrentState = SERVICE_STOPPED;
      status.dwWin32ExitCode = ERROR_PROCESS_ABORTED;
    }
    return service_process_status{from_native(status), status.dwProcessId};
  }

  sys_result<void> start_service(raw_handle service, const std::vector<std::string>& arguments) override {
    std::vector<std::wstring> wide_arguments;
    for (const auto& argument : arguments) wide_arguments.push_back(to_wide(argument));
    std::vector<const wchar_t*> pointers;
    for (const auto& argument : wide_arguments) pointers.push_back(argument.c_str());
    return ok_or_error(::StartServiceW(native(service), static_cast<DWORD>(pointers.size()),
                                       pointers.empty() ? nullptr : pointers.data()));
  }

  sys_result<void> control_service(raw_handle service, std::uint32_t control) override {
    SERVICE_STATUS status{};
    return ok_or_error(::ControlService(native(service), control, &status));
  }

  sys_result<std::vector<std::string>> active_dependents(raw_handle service) override {
    std::vector<std::uint64_t> buffer(1024 / 8);
    for (;;) {
      const auto found = reinterpret_cast<ENUM_SERVICE_STATUSW*>(buffer.data());
      DWORD needed = 0, count = 0;
      if (::EnumDependentServicesW(native(service), SERVICE_ACTIVE, found, static_cast<DWORD>(buffer.size() * 8),
                                   &needed, &count)) {
        std::vector<std::string> names;
        for (DWORD i = 0; i < count; ++i) names.push_back(to_utf8(found[i].lpServiceName));
        return names;
      }
      if (::GetLastError() != ERROR_MORE_DATA) return sys_failure(::GetLastError());
      buffer.resize((std::max)(buffer.size() * 2, std::size_t{needed} / 8 + 1));  // more services may start meanwhile
    }
  }

  sys_result<std::string> query_security(raw_handle service) override {
    std::vector<std::uint64_t> descriptor(1024 / 8);
    for (;;) {
      DWORD needed = 0;
      if (::QueryServiceObjectSecurity(native(service), DACL_SECURITY_INFORMATION, descriptor.data(),
                                       static_cast<DWORD>(descriptor.size() * 8), &needed)) {
        return dacl_text(descriptor.data());
      }
      if (::GetLastError() != ERROR_INSUFFICIENT_BUFFER || needed <= descriptor.size() * 8)
        return sys_failure(::GetLastError());
      descriptor.resize(needed / 8 + 1);
    }
  }

  sys_result<void> change_security(raw_handle service, const std::string& sddl) override {
    const auto descriptor = descriptor_of(sddl);
    if (!descriptor) return sys_failure(descriptor.error());
    return ok_or_error(::SetServiceObjectSecurity(native(service), DACL_SECURITY_INFORMATION, descriptor->get()));
  }

  sys_result<void> delete_service(raw_handle service) override { return ok_or_error(::DeleteService(native(service))); }

  void close(raw_handle handle) noexcept override { ::CloseServiceHandle(native(handle)); }

  sys_result<std::vector<std::string>> list_services(raw_handle manager) override {
    std::vector<std::string> names;
    std::vector<std::uint64_t> buffer(256 * 1024 / 8);  // 256 KiB is the documented maximum; 64-bit words align it
    DWORD needed = 0, count = 0, resume = 0;
    for (BOOL complete = FALSE; !complete;) {
      complete = ::EnumServicesStatusExW(native(manager), SC_ENUM_PROCESS_INFO, SERVICE_WIN32, SERVICE_STATE_ALL,
                                         reinterpret_cast<BYTE*>(buffer.data()),
                                         static_cast<DWORD>(buffer.size() * 8), &needed, &count, &resume, nullptr);
      if (!complete && ::GetLastError() != ERROR_MORE_DATA) return sys_failure(::GetLastError());
      const auto* const rows = reinterpret_cast<const ENUM_SERVICE_STATUS_PROCESSW*>(buffer.data());
      for (DWORD i = 0; i < count; ++i) names.push_back(to_utf8(rows[i].lpServiceName));
      if (!complete && count == 0) return sys_failure(ERROR_MORE_DATA);
    }
    return names;
  }

  std::optional<std::uint32_t> exit_code_of(std::uint32_t pid) override {
    if (pid == 0) return std::nullopt;
    if (!process_ || pid != process_id_) {  // the handle keeps the exit code of a process that ends later
      process_ = unique_handle(::OpenProcess(SYNCHRONIZE | PROCESS_QUERY_LIMITED_INFORMATION, FALSE, pid));
      process_id_ = pid;
    }
    DWORD code = 0;
    if (!process_ || ::WaitForSingleObject(process_.get(), 0) != WAIT_OBJECT_0) return std::nullopt;
    return ::GetExitCodeProcess(process_.get(), &code) ? std::optional<std::uint32_t>(code) : std::nullopt;
  }

  // -- objects other than services: os/win/install.hpp --

  sys_result<void> add_event_source(const std::string& source) override { return os::add_event_source(source); }
  sys_result<void> remove_event_source(const std::string& source) override { return os::remove_event_source(source); }
  sys_result<bool> query_event_source(const std::string& source) override { return os::query_event_source(source); }
  sys_result<bool> query_delete_mark(const std::string& name) override { return os::query_delete_mark(name); }
  sys_result<std::vector<std::string>> query_environment(const std::string& service_name) override {
    return os::query_environment(service_name);
  }
  sys_result<void> change_environment(const std::string& service_name, const std::vector<std::string>& items) override {
    return os::change_environment(service_name, items);
  }
  sys_result<std::string> account_sid(const std::string& account) override { return sid_of_account(account); }
  sys_result<std::string> account_name(const std::string& sid) override { return name_of_sid(sid); }
  sys_result<void> add_logon_right(const std::string& sid) override { return os::add_logon_right(sid); }
  sys_result<bool> query_logon_right(const std::string& sid) override { return os::query_logon_right(sid); }
  sys_result<std::string> query_folder_security(const std::string& path) override {
    return os::query_folder_security(path);
  }
  sys_result<void> change_folder_security(const std::string& path, const std::string& sddl) override {
    return os::change_folder_security(path, sddl);
  }
  sys_result<void> create_folder(const std::string& path, const std::string& sddl) override {
    return os::create_folder(path, sddl);
  }
  sys_result<void> remove_empty_folder(const std::string& path) override { return os::remove_empty_folder(path); }
  sys_result<void> rename_folder(const std::string& from, const std::string& to) override {
    if (!os::rename_file(from, to)) return sys_failure(::GetLastError());
    return {};
  }

 private:
  unique_handle process_;  // the last process of exit_code_of
  DWORD process_id_ = 0;

  static SC_HANDLE native(raw_handle h) noexcept { return static_cast<SC_HANDLE>(h); }
  static sys_result<raw_handle> handle_or_error(SC_HANDLE handle) {
    if (!handle) return sys_failure(::GetLastError());
    return static_cast<raw_handle>(handle);
  }
  static sys_result<void> ok_or_error(BOOL ok) {
    if (!ok) return sys_failure(::GetLastError());
    return {};
  }
};

}  // namespace detail::os
}  // inline namespace WINSVC_ABI
}  // namespace winsvc

// ---------------------------------------------------------------------------------------------------------------------

#if WINSVC_BODIES_OS

namespace winsvc {
inline namespace WINSVC_ABI {
namespace detail::os {

WINSVC_INLINE scm::service_status from_native(const SERVICE_STATUS_PROCESS& s) noexcept {
  scm::service_status out;
  out.current = static_cast<scm::state>(s.dwCurrentState);
  out.accepted = s.dwControlsAccepted;
  out.exit = {s.dwWin32ExitCode, s.dwServiceSpecificExitCode};
  out.checkpoint = s.dwCheckPoint;
  out.wait_hint = std::chrono::milliseconds(s.dwWaitHint);
  return out;
}

}  // namespace detail::os
}  // inline namespace WINSVC_ABI
}  // namespace winsvc

#endif  // WINSVC_BODIES_OS

#endif  // WINSVC_OS_WINDOWS
