// os/local_time.hpp on Windows.
//
// The rules are those that hold now, for any year. SystemTimeToTzSpecificLocalTimeEx would know those of other years,
// which matters in the week after a country has changed them and is one more function to find at run time.
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
namespace os {

WINSVC_INLINE std::chrono::minutes utc_offset(clock::system_time time) noexcept {
  using namespace std::chrono;
  using ticks = duration<std::int64_t, std::ratio<1, 10'000'000>>;
  constexpr std::int64_t to_1970 = 116'444'736'000'000'000;  // FILETIME begins in 1601
  const auto as_file_time = [](std::int64_t t) {
    FILETIME out{};
    out.dwLowDateTime = static_cast<DWORD>(t);
    out.dwHighDateTime = static_cast<DWORD>(t >> 32);
    return out;
  };
  const std::int64_t before = ticks(floor<seconds>(time.time_since_epoch())).count() + to_1970;
  const FILETIME utc_ticks = as_file_time(before);
  FILETIME local_ticks{};
  SYSTEMTIME utc{}, local{};
  if (!::FileTimeToSystemTime(&utc_ticks, &utc) || !::SystemTimeToTzSpecificLocalTime(nullptr, &utc, &local) ||
      !::SystemTimeToFileTime(&local, &local_ticks)) {
    return minutes(0);
  }
  const std::int64_t after = static_cast<std::int64_t>(local_ticks.dwHighDateTime) << 32 | local_ticks.dwLowDateTime;
  return duration_cast<minutes>(ticks(after - before));
}

}  // namespace os
}  // inline namespace WINSVC_ABI
}  // namespace winsvc

#endif  // WINSVC_BODIES_OS

#endif  // WINSVC_OS_WINDOWS
