// System queries of the verbs `doctor` and `why`: firewall rules, System event log, kind of drive. They change nothing.
//
//   if (auto rules = os::firewall_rules()) for (const auto& rule : *rules) print(rule);
//
// On POSIX, the first two fail with 50 (not supported) and the others return false.
#pragma once

#include <string>
#include <vector>

#include "winsvc/config/abi.hpp"
#include "winsvc/scm/event_record.hpp"
#include "winsvc/os/service_manager.hpp"

namespace winsvc {
inline namespace WINSVC_ABI {
namespace detail::os {

/// The local firewall rules as the registry stores them, without those of a group policy. diagnose/firewall.hpp parses
/// them.
[[nodiscard]] sys_result<std::vector<std::string>> firewall_rules();
/// The last records of the System event log, newest first (about 4,000). The service control manager logs the events of
/// all services there (scm/event_record.hpp).
[[nodiscard]] sys_result<std::vector<scm::event_record>> system_events();
/// True if the path is on another computer: a UNC path or a mapped drive. A mapped drive belongs to the logon session
/// of the user who mapped it, so a service cannot use it.
[[nodiscard]] bool is_on_network(const std::string& path);
/// True if this is a 32-bit program on 64-bit Windows, which redirects System32 and HKLM\Software for it.
[[nodiscard]] bool is_emulated();

}  // namespace detail::os
}  // inline namespace WINSVC_ABI
}  // namespace winsvc
