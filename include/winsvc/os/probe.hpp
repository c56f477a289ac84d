// What `doctor` and `why` ask the machine beside its services: looks, and changes nothing.
#pragma once

#include <string>
#include <vector>

#include "winsvc/config/abi.hpp"
#include "winsvc/scm/event_record.hpp"
#include "winsvc/os/service_manager.hpp"

namespace winsvc {
inline namespace WINSVC_ABI {
namespace os {

/// The firewall's own rules, as the registry has them (diagnose/firewall.hpp reads them); not those of a group policy.
[[nodiscard]] sys_result<std::vector<std::string>> firewall_rules();
/// The newest records of the System event log, newest first, as many as one look brings: what the service control manager
/// says of all services is there (scm/event_record.hpp).
[[nodiscard]] sys_result<std::vector<model::event_record>> system_events();
/// Is this path on another machine? A drive letter that stands for one is the person's who mapped it: a service has it
/// not.
[[nodiscard]] bool is_on_network(const std::string& path);
/// Is this a 32-bit program on a 64-bit Windows, which shows it other folders and registry keys by the same names?
[[nodiscard]] bool is_emulated();

}  // namespace os
}  // inline namespace WINSVC_ABI
}  // namespace winsvc
