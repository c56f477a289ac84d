// How far the time of this place is from UTC, at a moment: with summer time where and when there is one.
//
//   local_time(when, os::utc_offset(when))      // 2026-07-01T10:00:00.000+02:00
//
// Source: localtime_r(3); SystemTimeToTzSpecificLocalTime.
#pragma once

#include <chrono>
#include <ctime>

#include "winsvc/base/clock.hpp"
#include "winsvc/config/abi.hpp"
#include "winsvc/config/compiler.hpp"
#include "winsvc/os/win/door.hpp"

namespace winsvc {
inline namespace WINSVC_ABI {
namespace os {

/// From any thread. 0 where the system does not say.
[[nodiscard]] std::chrono::minutes utc_offset(clock::wall_point when) noexcept;

// ---------------------------------------------------------------------------------------------------------------------

#if WINSVC_OS_WINDOWS

/// As the system counts: in 100 ns since 1601.
inline ULONGLONG ticks_of(const SYSTEMTIME& t) noexcept {
  FILETIME as_file{};
  if (!::SystemTimeToFileTime(&t, &as_file)) return 0;
  return (static_cast<ULONGLONG>(as_file.dwHighDateTime) << 32) | as_file.dwLowDateTime;
}

inline std::chrono::minutes utc_offset(clock::wall_point when) noexcept {
  const utc_fields f = to_utc(when);
  SYSTEMTIME utc{}, local{};
  utc.wYear = static_cast<WORD>(f.year);
  utc.wMonth = static_cast<WORD>(f.month);
  utc.wDay = static_cast<WORD>(f.day);
  utc.wHour = static_cast<WORD>(f.hour);
  utc.wMinute = static_cast<WORD>(f.minute);
  if (!::SystemTimeToTzSpecificLocalTime(nullptr, &utc, &local)) return std::chrono::minutes(0);
  const ULONGLONG there = ticks_of(local), here = ticks_of(utc);
  if (there == 0 || here == 0) return std::chrono::minutes(0);
  return std::chrono::minutes(static_cast<LONGLONG>(there - here) / (60 * 10'000'000LL));
}

#else

inline std::chrono::minutes utc_offset(clock::wall_point when) noexcept {
  const std::time_t seconds = std::chrono::system_clock::to_time_t(
      std::chrono::time_point_cast<std::chrono::system_clock::duration>(std::chrono::floor<std::chrono::seconds>(when)));
  std::tm local{};
  if (!::localtime_r(&seconds, &local)) return std::chrono::minutes(0);
  return std::chrono::minutes(local.tm_gmtoff / 60);
}

#endif

}  // namespace os
}  // inline namespace WINSVC_ABI
}  // namespace winsvc
