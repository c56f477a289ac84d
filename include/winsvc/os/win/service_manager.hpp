// The real Service Control Manager: each function is one Win32 call, its arguments translated, its code handed back.
//
// Source: the pages of OpenSCManagerW, CreateServiceW, ChangeServiceConfigW, ChangeServiceConfig2W,
// QueryServiceConfigW, QueryServiceStatusEx, StartServiceW, ControlService and DeleteService in the Win32
// documentation.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <vector>

#include "winsvc/config/abi.hpp"
#include "winsvc/os/service_manager.hpp"
#include "winsvc/os/win/door.hpp"
#include "winsvc/os/win/wide.hpp"

#if WINSVC_OS_WINDOWS
namespace winsvc {
inline namespace WINSVC_ABI {
namespace os {

[[nodiscard]] inline model::service_status from_native(const SERVICE_STATUS_PROCESS& s) noexcept {
  model::service_status out;
  out.current = static_cast<model::state>(s.dwCurrentState);
  out.accepted = s.dwControlsAccepted;
  out.exit = {s.dwWin32ExitCode, s.dwServiceSpecificExitCode};
  out.checkpoint = s.dwCheckPoint;
  out.wait_hint = std::chrono::milliseconds(s.dwWaitHint);
  return out;
}

class native_service_manager final : public service_manager {
 public:
  sys_result<raw_handle> open_manager(std::uint32_t rights) override {
    return handle_or_error(::OpenSCManagerW(nullptr, nullptr, rights));
  }

  sys_result<raw_handle> create_service(raw_handle manager, const std::string& name, std::uint32_t rights,
                                        const service_settings& s) override {
    const std::wstring display = wide(s.display_name.value_or(name));
    const std::wstring binary = wide(s.binary.value_or(std::string()));
    return handle_or_error(::CreateServiceW(native(manager), wide(name).c_str(), display.c_str(), rights,
                                            SERVICE_WIN32_OWN_PROCESS,
                                            start_type(s.startup.value_or(startup::automatic)), SERVICE_ERROR_NORMAL,
                                            binary.c_str(), nullptr, nullptr, nullptr, nullptr, nullptr));
  }

  sys_result<raw_handle> open_service(raw_handle manager, const std::string& name, std::uint32_t rights) override {
    return handle_or_error(::OpenServiceW(native(manager), wide(name).c_str(), rights));
  }

  sys_result<void> change_config(raw_handle service, const service_settings& s) override {
    const std::wstring display = wide(s.display_name.value_or(std::string()));
    const std::wstring binary = wide(s.binary.value_or(std::string()));
    return ok_or_error(::ChangeServiceConfigW(native(service), SERVICE_NO_CHANGE,
                                              s.startup ? start_type(*s.startup) : SERVICE_NO_CHANGE, SERVICE_NO_CHANGE,
                                              s.binary ? binary.c_str() : nullptr, nullptr, nullptr, nullptr, nullptr,
                                              nullptr, s.display_name ? display.c_str() : nullptr));
  }

  sys_result<void> change_description(raw_handle service, const std::string& description) override {
    std::wstring text = wide(description);
    SERVICE_DESCRIPTIONW level{text.data()};
    return ok_or_error(::ChangeServiceConfig2W(native(service), SERVICE_CONFIG_DESCRIPTION, &level));
  }

  sys_result<void> change_delayed_start(raw_handle service, bool delayed) override {
    SERVICE_DELAYED_AUTO_START_INFO level{delayed ? TRUE : FALSE};
    return ok_or_error(::ChangeServiceConfig2W(native(service), SERVICE_CONFIG_DELAYED_AUTO_START_INFO, &level));
  }

  sys_result<service_config> query_config(raw_handle service) override {
    std::vector<std::uint64_t> buffer(8192 / 8);  // 8 KiB is the most the call ever wants; 64-bit words align it
    const auto config = reinterpret_cast<QUERY_SERVICE_CONFIGW*>(buffer.data());
    DWORD needed = 0;
    if (!::QueryServiceConfigW(native(service), config, 8192, &needed)) return sys_failure(::GetLastError());

    service_config out;
    out.startup = config->dwStartType == SERVICE_DISABLED       ? startup::disabled
                  : config->dwStartType == SERVICE_DEMAND_START ? startup::manual
                                                                : startup::automatic;
    out.binary = narrow(config->lpBinaryPathName);
    out.display_name = narrow(config->lpDisplayName);
    out.account = narrow(config->lpServiceStartName);

    SERVICE_DELAYED_AUTO_START_INFO delayed{};
    if (out.startup == startup::automatic &&
        ::QueryServiceConfig2W(native(service), SERVICE_CONFIG_DELAYED_AUTO_START_INFO,
                               reinterpret_cast<BYTE*>(&delayed), sizeof delayed, &needed) &&
        delayed.fDelayedAutostart) {
      out.startup = startup::delayed;
    }
    return out;
  }

  sys_result<service_process> query_status(raw_handle service) override {
    SERVICE_STATUS_PROCESS status{};
    DWORD needed = 0;
    if (!::QueryServiceStatusEx(native(service), SC_STATUS_PROCESS_INFO, reinterpret_cast<BYTE*>(&status),
                                sizeof status, &needed)) {
      return sys_failure(::GetLastError());
    }
    return service_process{from_native(status), status.dwProcessId};
  }

  sys_result<void> start_service(raw_handle service, const std::vector<std::string>& arguments) override {
    std::vector<std::wstring> words;
    for (const auto& a : arguments) words.push_back(wide(a));
    std::vector<const wchar_t*> pointers;
    for (const auto& w : words) pointers.push_back(w.c_str());
    return ok_or_error(::StartServiceW(native(service), static_cast<DWORD>(pointers.size()),
                                       pointers.empty() ? nullptr : pointers.data()));
  }

  sys_result<void> control_service(raw_handle service, std::uint32_t control) override {
    SERVICE_STATUS status{};
    return ok_or_error(::ControlService(native(service), control, &status));
  }

  sys_result<void> delete_service(raw_handle service) override { return ok_or_error(::DeleteService(native(service))); }

  void close(raw_handle handle) noexcept override { ::CloseServiceHandle(native(handle)); }

  sys_result<void> add_event_source(const std::string& source) override {
    HKEY key = nullptr;
    LSTATUS status = ::RegCreateKeyExW(HKEY_LOCAL_MACHINE, source_key(source).c_str(), 0, nullptr, 0, KEY_SET_VALUE,
                                       nullptr, &key, nullptr);
    if (status != ERROR_SUCCESS) return sys_failure(static_cast<std::uint32_t>(status));

    constexpr wchar_t message_file[] = L"%SystemRoot%\\System32\\EventCreate.exe";
    const DWORD types = EVENTLOG_ERROR_TYPE | EVENTLOG_WARNING_TYPE | EVENTLOG_INFORMATION_TYPE;
    status = ::RegSetValueExW(key, L"EventMessageFile", 0, REG_EXPAND_SZ, reinterpret_cast<const BYTE*>(message_file),
                              sizeof message_file);
    if (status == ERROR_SUCCESS) {
      status =
          ::RegSetValueExW(key, L"TypesSupported", 0, REG_DWORD, reinterpret_cast<const BYTE*>(&types), sizeof types);
    }
    ::RegCloseKey(key);
    if (status != ERROR_SUCCESS) return sys_failure(static_cast<std::uint32_t>(status));
    return {};
  }

  sys_result<void> remove_event_source(const std::string& source) override {
    const LSTATUS status = ::RegDeleteKeyW(HKEY_LOCAL_MACHINE, source_key(source).c_str());
    if (status != ERROR_SUCCESS && status != ERROR_FILE_NOT_FOUND)
      return sys_failure(static_cast<std::uint32_t>(status));
    return {};
  }

 private:
  static SC_HANDLE native(raw_handle h) noexcept { return static_cast<SC_HANDLE>(h); }
  static std::wstring source_key(const std::string& source) {
    return L"SYSTEM\\CurrentControlSet\\Services\\EventLog\\Application\\" + wide(source);
  }
  static DWORD start_type(startup s) noexcept {
    return s == startup::manual ? SERVICE_DEMAND_START : s == startup::disabled ? SERVICE_DISABLED : SERVICE_AUTO_START;
  }
  static sys_result<raw_handle> handle_or_error(SC_HANDLE handle) {
    if (!handle) return sys_failure(::GetLastError());
    return static_cast<raw_handle>(handle);
  }
  static sys_result<void> ok_or_error(BOOL ok) {
    if (!ok) return sys_failure(::GetLastError());
    return {};
  }
};

}  // namespace os
}  // inline namespace WINSVC_ABI
}  // namespace winsvc
#endif  // WINSVC_OS_WINDOWS
