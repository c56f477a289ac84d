// Stack reserve of threads on Windows (os/thread.hpp): SetThreadStackGuarantee keeps stack for the crash handler.
//
// Wine ignores the requested size. It commits the whole stack at once, with the guard page at the end of the stack, so
// that only two pages remain after an overflow. Its dispatcher of exceptions needs more on a processor with large
// registers. So the functions here move the guard page.
//
// Source: SetThreadStackGuarantee and "Creating Guard Pages" in the Win32 documentation.
#pragma once

#include "winsvc/config/abi.hpp"
#include "winsvc/os/thread.hpp"
#include "winsvc/os/win/windows_headers.hpp"
#include "winsvc/os/win/system_library.hpp"

// ---------------------------------------------------------------------------------------------------------------------

#if WINSVC_OS_WINDOWS
#if WINSVC_BODIES_OS

namespace winsvc {
inline namespace WINSVC_ABI {
namespace detail::os {

WINSVC_INLINE reserved_stack::reserved_stack() noexcept {
  constexpr ULONG reserve = 64 * 1024;  // the default stack of a program is 1 MiB; the filter needs a few KiB
  ULONG size = reserve;
  if (!::SetThreadStackGuarantee(&size) || !system_library::runs_under_wine()) return;
  MEMORY_BASIC_INFORMATION stack{};
  if (::VirtualQuery(&stack, &stack, sizeof stack) == 0) return;
  char* const guard = static_cast<char*>(stack.AllocationBase) + reserve;
  const char* const here = reinterpret_cast<const char*>(&stack);
  DWORD previous = 0;
  if (guard + reserve < here) ::VirtualProtect(guard, 4096, PAGE_READWRITE | PAGE_GUARD, &previous);
}
/// The system has no call that takes the reserve back.
WINSVC_INLINE reserved_stack::~reserved_stack() { static_cast<void>(memory_); }

}  // namespace detail::os
}  // inline namespace WINSVC_ABI
}  // namespace winsvc

#endif  // WINSVC_BODIES_OS
#endif  // WINSVC_OS_WINDOWS
