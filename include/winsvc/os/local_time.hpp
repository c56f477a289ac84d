// How far the clocks on this machine's walls are ahead of UTC: what the log needs to tell the time as people do.
//
//   local_time(now, os::utc_offset(now))      // 2026-01-31T09:05:09.250+01:00
#pragma once

#include <chrono>

#include "winsvc/base/clock.hpp"
#include "winsvc/config/abi.hpp"

namespace winsvc {
inline namespace WINSVC_ABI {
namespace os {

/// Of that moment, so that its daylight saving counts and not today's. 0 where it cannot be told. It changes at a whole
/// quarter of an hour of UTC only, which whoever asks often may use.
[[nodiscard]] std::chrono::minutes utc_offset(clock::system_time time) noexcept;

}  // namespace os
}  // inline namespace WINSVC_ABI
}  // namespace winsvc
