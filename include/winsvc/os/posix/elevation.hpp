// Elevation on POSIX (os/elevation.hpp): not supported. The user runs the program with sudo.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "winsvc/base/error_codes.hpp"
#include "winsvc/config/abi.hpp"
#include "winsvc/os/elevation.hpp"

#if !WINSVC_OS_WINDOWS
namespace winsvc {
inline namespace WINSVC_ABI {
namespace detail::os {

sys_result<std::uint32_t> run_elevated(std::vector<std::string>, const std::string&, const output_receiver&);
sys_result<std::string> connect_to_parent(const std::string&);

}  // namespace detail::os
}  // inline namespace WINSVC_ABI
}  // namespace winsvc

// ---------------------------------------------------------------------------------------------------------------------

#if WINSVC_BODIES_OS

namespace winsvc {
inline namespace WINSVC_ABI {
namespace detail::os {

WINSVC_INLINE sys_result<std::uint32_t> run_elevated(std::vector<std::string>, const std::string&,
                                                     const output_receiver&) {
  return sys_failure(base::win32_error::not_supported);
}
WINSVC_INLINE sys_result<std::string> connect_to_parent(const std::string&) {
  return sys_failure(base::win32_error::not_supported);
}

}  // namespace detail::os
}  // inline namespace WINSVC_ABI
}  // namespace winsvc

#endif  // WINSVC_BODIES_OS

#endif  // !WINSVC_OS_WINDOWS
