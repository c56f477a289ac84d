// UTC offset of the local time zone on Windows (os/local_time.hpp).
//
// The current rules of the time zone apply to all years. SystemTimeToTzSpecificLocalTimeEx has the rules of each year,
// but it would have to be found at run time, and it matters only shortly after a country has changed its rules.
#pragma once

#include <chrono>
#include <cstdint>
#include <ratio>

#include "winsvc/config/abi.hpp"
#include "winsvc/os/local_time.hpp"
#include "winsvc/os/win/windows_headers.hpp"

#if WINSVC_OS_WINDOWS

// ---------------------------------------------------------------------------------------------------------------------

#if WINSVC_BODIES_OS

namespace winsvc {
inline namespace WINSVC_ABI {
namespace detail::os {

WINSVC_INLINE std::chrono::minutes utc_offset(clock::system_time time) noexcept {
  using namespace std::chrono;
  using ticks = duration<std::int64_t, std::ratio<1, 10'000'000>>;
  constexpr std::int64_t to_1970 = 116'444'736'000'000'000;  // FILETIME starts in 1601
  const auto to_file_time = [](std::int64_t count) {
    FILETIME file_time{};
    file_time.dwLowDateTime = static_cast<DWORD>(count);
    file_time.dwHighDateTime = static_cast<DWORD>(count >> 32);
    return file_time;
  };
  const std::int64_t utc_count = ticks(floor<seconds>(time.time_since_epoch())).count() + to_1970;
  const FILETIME utc_ticks = to_file_time(utc_count);
  FILETIME local_ticks{};
  SYSTEMTIME utc{}, local{};
  if (!::FileTimeToSystemTime(&utc_ticks, &utc) || !::SystemTimeToTzSpecificLocalTime(nullptr, &utc, &local) ||
      !::SystemTimeToFileTime(&local, &local_ticks)) {
    return minutes(0);
  }
  const auto local_count = static_cast<std::int64_t>(local_ticks.dwHighDateTime) << 32 | local_ticks.dwLowDateTime;
  return duration_cast<minutes>(ticks(local_count - utc_count));
}

}  // namespace detail::os
}  // inline namespace WINSVC_ABI
}  // namespace winsvc

#endif  // WINSVC_BODIES_OS

#endif  // WINSVC_OS_WINDOWS
