// os/probe.hpp on Windows.
//
// Source: RegEnumValueW, GetDriveTypeW, IsWow64Process in the Win32 documentation; [MS-GPFAS] for the key.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "winsvc/config/abi.hpp"
#include "winsvc/os/probe.hpp"
#include "winsvc/os/win/door.hpp"
#include "winsvc/os/win/registry.hpp"
#include "winsvc/os/win/wide.hpp"

#if WINSVC_OS_WINDOWS
namespace winsvc {
inline namespace WINSVC_ABI {
namespace os {

inline sys_result<std::vector<std::string>> firewall_rules() {
  const auto key = registry_key::open(services_key("SharedAccess\\Parameters\\FirewallPolicy\\FirewallRules"),
                                      KEY_QUERY_VALUE);
  if (!key) return sys_failure(key.error());
  return key->texts();
}

inline bool is_on_network(const std::string& path) {
  const auto begins = [&path](std::string_view with) { return path.compare(0, with.size(), with) == 0; };
  if (begins("\\\\")) return !begins("\\\\?\\") || begins("\\\\?\\UNC\\");
  if (path.size() < 2 || path[1] != ':') return false;
  const wchar_t root[] = {static_cast<wchar_t>(path[0]), L':', L'\\', 0};
  return ::GetDriveTypeW(root) == DRIVE_REMOTE;
}

inline bool is_emulated() {
  BOOL emulated = FALSE;
  return ::IsWow64Process(::GetCurrentProcess(), &emulated) && emulated;
}

}  // namespace os
}  // inline namespace WINSVC_ABI
}  // namespace winsvc
#endif  // WINSVC_OS_WINDOWS
