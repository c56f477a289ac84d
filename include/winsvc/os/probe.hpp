// System probe: queries of the verbs `doctor`, `why` and `prove`, which change nothing. They read firewall rules, event
// logs and the kind of a drive.
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
/// The last records of the Application event log, newest first. The events of services are there.
[[nodiscard]] sys_result<std::vector<scm::event_record>> application_events();
/// True if the path is on another computer: a UNC path or a mapped drive. A mapped drive belongs to the logon session
/// of the user who mapped it, so a service cannot use it.
[[nodiscard]] bool is_on_network(const std::string& path);
/// True if this is a 32-bit program on 64-bit Windows, which redirects System32 and HKLM\Software for it.
[[nodiscard]] bool is_emulated();
/// Version of Wine, such as "8.0"; empty on Windows and POSIX.
[[nodiscard]] std::string wine_version();
/// Name and version of the system: "Windows 10.0.22631", with the version of Wine.
[[nodiscard]] std::string system_name();

}  // namespace detail::os
}  // inline namespace WINSVC_ABI
}  // namespace winsvc
