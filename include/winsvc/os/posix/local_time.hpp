// UTC offset of the local time zone on POSIX (os/local_time.hpp): localtime_r(3).
#pragma once

#include <chrono>
#include <ctime>

#include "winsvc/config/abi.hpp"
#include "winsvc/os/local_time.hpp"
#include "winsvc/os/posix/headers.hpp"

#if !WINSVC_OS_WINDOWS

// ---------------------------------------------------------------------------------------------------------------------

#if WINSVC_BODIES_OS

namespace winsvc {
inline namespace WINSVC_ABI {
namespace detail::os {

WINSVC_INLINE std::chrono::minutes utc_offset(clock::system_time time) noexcept {
  using namespace std::chrono;
  const auto since = static_cast<std::time_t>(floor<seconds>(time.time_since_epoch()).count());
  std::tm local = {};
  if (!::localtime_r(&since, &local)) return minutes(0);
  return duration_cast<minutes>(seconds(local.tm_gmtoff));  // truncates the seconds of offsets before about 1900
}

}  // namespace detail::os
}  // inline namespace WINSVC_ABI
}  // namespace winsvc

#endif  // WINSVC_BODIES_OS

#endif  // !WINSVC_OS_WINDOWS
