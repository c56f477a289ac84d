// System probe on Windows (os/probe.hpp): reads firewall rules, event logs and the kind of a drive.
//
// Source: RegEnumValueW, ReadEventLogW, GetDriveTypeW, IsWow64Process in the Win32 documentation; [MS-GPFAS] for the
// registry key of the firewall rules.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "winsvc/base/scope.hpp"
#include "winsvc/config/abi.hpp"
#include "winsvc/os/probe.hpp"
#include "winsvc/os/win/windows_headers.hpp"
#include "winsvc/os/win/registry.hpp"
#include "winsvc/os/win/system_library.hpp"
#include "winsvc/os/win/wide.hpp"

#if WINSVC_OS_WINDOWS

// ---------------------------------------------------------------------------------------------------------------------

#if WINSVC_BODIES_OS

namespace winsvc {
inline namespace WINSVC_ABI {
namespace detail::os {

WINSVC_INLINE sys_result<std::vector<std::string>> firewall_rules() {
  const auto key = registry_key::open(services_key("SharedAccess\\Parameters\\FirewallPolicy\\FirewallRules"),
                                      KEY_QUERY_VALUE);
  if (!key) return sys_failure(key.error());
  return key->to_string_list();
}

WINSVC_INLINE sys_result<std::vector<scm::event_record>> newest_events(const wchar_t* event_log_name) {
  constexpr std::size_t max_records = 4000;  // some days on a busy computer
  const HANDLE log = ::OpenEventLogW(nullptr, event_log_name);
  if (!log) return sys_failure(::GetLastError());
  const scope_exit close([log] { ::CloseEventLog(log); });
  std::vector<scm::event_record> records;
  std::string buffer(256 * 1024, '\0');  // the maximum size of a record
  while (records.size() < max_records) {
    DWORD received = 0, needed = 0;
    if (!::ReadEventLogW(log, EVENTLOG_SEQUENTIAL_READ | EVENTLOG_BACKWARDS_READ, 0, &buffer[0],
                         static_cast<DWORD>(buffer.size()), &received, &needed)) {
      if (::GetLastError() == ERROR_HANDLE_EOF || !records.empty()) break;
      return sys_failure(::GetLastError());
    }
    auto parsed = scm::parse_event_records(std::string_view(buffer).substr(0, received));
    if (parsed.empty()) break;
    for (auto& record : parsed) records.push_back(std::move(record));
  }
  return records;
}

WINSVC_INLINE sys_result<std::vector<scm::event_record>> system_events() { return newest_events(L"System"); }
WINSVC_INLINE sys_result<std::vector<scm::event_record>> application_events() { return newest_events(L"Application"); }

WINSVC_INLINE std::string wine_version() {
  using get_version = const char*(*)();
  const auto get = system_library("ntdll.dll").find<get_version>("wine_get_version");
  return get ? get() : "";
}

WINSVC_INLINE std::string system_name() {
  using get_version = LONG(WINAPI*)(OSVERSIONINFOW*);  // GetVersionExW returns the version in the manifest
  OSVERSIONINFOW version{};
  version.dwOSVersionInfoSize = sizeof version;
  if (const auto get = system_library("ntdll.dll").find<get_version>("RtlGetVersion")) get(&version);
  std::string text = "Windows " + std::to_string(version.dwMajorVersion) + '.' +
                     std::to_string(version.dwMinorVersion) + '.' + std::to_string(version.dwBuildNumber);
  if (const std::string wine = wine_version(); !wine.empty()) text = "Wine " + wine + " as " + text;
  return text;
}

WINSVC_INLINE bool is_on_network(const std::string& path) {
  const auto starts_with = [&path](std::string_view prefix) { return path.compare(0, prefix.size(), prefix) == 0; };
  if (starts_with("\\\\")) return !starts_with("\\\\?\\") || starts_with("\\\\?\\UNC\\");
  if (path.size() < 2 || path[1] != ':') return false;
  const wchar_t root[] = {static_cast<wchar_t>(path[0]), L':', L'\\', 0};
  return ::GetDriveTypeW(root) == DRIVE_REMOTE;
}

WINSVC_INLINE bool is_emulated() {
  BOOL emulated = FALSE;
  return ::IsWow64Process(::GetCurrentProcess(), &emulated) && emulated;
}

}  // namespace detail::os
}  // inline namespace WINSVC_ABI
}  // namespace winsvc

#endif  // WINSVC_BODIES_OS

#endif  // WINSVC_OS_WINDOWS
