// System probe on POSIX (os/probe.hpp): firewall rules and event logs return the code not_supported.
#pragma once

#include <string>
#include <vector>

#include "winsvc/base/error_codes.hpp"
#include "winsvc/config/abi.hpp"
#include "winsvc/config/compiler.hpp"
#include "winsvc/os/probe.hpp"

#if !WINSVC_OS_WINDOWS
namespace winsvc {
inline namespace WINSVC_ABI {
namespace detail::os {

bool is_on_network(const std::string&);

}  // namespace detail::os
}  // inline namespace WINSVC_ABI
}  // namespace winsvc

// ---------------------------------------------------------------------------------------------------------------------

#if WINSVC_BODIES_OS

namespace winsvc {
inline namespace WINSVC_ABI {
namespace detail::os {

WINSVC_INLINE sys_result<std::vector<std::string>> firewall_rules() {
  return sys_failure(base::win32_error::not_supported);
}
WINSVC_INLINE sys_result<std::vector<scm::event_record>> system_events() {
  return sys_failure(base::win32_error::not_supported);
}
WINSVC_INLINE sys_result<std::vector<scm::event_record>> application_events() {
  return sys_failure(base::win32_error::not_supported);
}
WINSVC_INLINE bool is_on_network(const std::string&) { return false; }
WINSVC_INLINE bool is_emulated() { return false; }
WINSVC_INLINE std::string wine_version() { return {}; }
WINSVC_INLINE std::string system_name() { return "POSIX"; }

}  // namespace detail::os
}  // inline namespace WINSVC_ABI
}  // namespace winsvc

#endif  // WINSVC_BODIES_OS

#endif  // !WINSVC_OS_WINDOWS
