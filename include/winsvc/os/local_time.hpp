// UTC offset: returns the offset of the local time zone from UTC at a time, for the times in the log.
//
//   local_time(now, os::utc_offset(now))      // 2026-01-31T09:05:09.250+01:00
#pragma once

#include <chrono>

#include "winsvc/base/clock.hpp"
#include "winsvc/config/abi.hpp"

namespace winsvc {
inline namespace WINSVC_ABI {
namespace detail::os {

/// The offset at `time`, with the daylight saving time of that day. 0 if the system cannot determine it. It changes
/// only at a full quarter of an hour UTC, so that a caller may cache it until then.
[[nodiscard]] std::chrono::minutes utc_offset(clock::system_time time) noexcept;

}  // namespace detail::os
}  // inline namespace WINSVC_ABI
}  // namespace winsvc
