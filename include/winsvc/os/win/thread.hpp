// Stack reserve of threads on Windows (os/thread.hpp): SetThreadStackGuarantee keeps stack for the crash handler.
//
// Threads that an app or a library starts reserve stack too: the loader calls a TLS callback of the executable in each
// new thread, before the code of the thread. reserve_stack_of_new_threads() enables it.
//
// Wine ignores the requested size. It commits the whole stack at once, with the guard page at the end of the stack, so
// that only two pages remain after an overflow. Its dispatcher of exceptions needs more on a processor with large
// registers. So the functions here move the guard page. After the TLS callback, Wine clears the upper 960 KiB of the
// stack, so the guard page is below them.
//
// Source: SetThreadStackGuarantee and "Creating Guard Pages" in the Win32 documentation; "The .tls Section" in the
// documentation of the PE format.
#pragma once

#include <atomic>
#include <cstddef>

#include "winsvc/config/abi.hpp"
#include "winsvc/os/thread.hpp"
#include "winsvc/os/win/windows_headers.hpp"
#include "winsvc/os/win/system_library.hpp"

#if WINSVC_OS_WINDOWS
namespace winsvc {
inline namespace WINSVC_ABI {
namespace detail::os {

/// From now on, each new thread of the process reserves stack for the crash handler.
void reserve_stack_of_new_threads() noexcept;

}  // namespace detail::os
}  // inline namespace WINSVC_ABI
}  // namespace winsvc
#endif  // WINSVC_OS_WINDOWS

// ---------------------------------------------------------------------------------------------------------------------

#if WINSVC_OS_WINDOWS
#if WINSVC_BODIES_OS

namespace winsvc {
inline namespace WINSVC_ABI {
namespace detail::os {

WINSVC_INLINE reserved_stack::reserved_stack() noexcept {
  constexpr ULONG reserve = 64 * 1024;  // the default stack of a program is 1 MiB; the filter needs a few KiB
  MEMORY_BASIC_INFORMATION stack{};
  if (::VirtualQuery(&stack, &stack, sizeof stack) == 0) return;
  char* const end = static_cast<char*>(stack.AllocationBase);
  if (reinterpret_cast<const char*>(&stack) - end < 4 * std::ptrdiff_t{reserve}) return;  // the thread needs it
  ULONG size = reserve;
  if (!::SetThreadStackGuarantee(&size) || !system_library::runs_under_wine()) return;
  DWORD previous = 0;
  ::VirtualProtect(end + reserve * 3 / 4, 4096, PAGE_READWRITE | PAGE_GUARD, &previous);
}
/// The system has no call that takes the reserve back.
WINSVC_INLINE reserved_stack::~reserved_stack() { static_cast<void>(memory_); }

/// Set once; default order.
WINSVC_INLINE std::atomic<bool>& new_threads_reserve_stack() noexcept {
  static std::atomic<bool> enabled{false};
  return enabled;
}
/// The TLS callback. The loader holds its lock meanwhile, so nothing here waits for another thread: the static variable
/// of runs_under_wine() was initialized before `enabled` was set.
WINSVC_INLINE void NTAPI on_thread_event(void*, DWORD event, void*) noexcept {
  if (event == DLL_THREAD_ATTACH && new_threads_reserve_stack()) const reserved_stack reserve;
}
// The linker sorts the sections .CRT$XL* by name; the C runtime has the first and the last one.
#if defined(_MSC_VER)
  #pragma section(".CRT$XLD", long, read)
extern const PIMAGE_TLS_CALLBACK thread_callback;
__declspec(allocate(".CRT$XLD"), selectany) const PIMAGE_TLS_CALLBACK thread_callback = &on_thread_event;
  #if defined(_M_IX86)
    #pragma comment(linker, "/include:__tls_used")
  #else
    #pragma comment(linker, "/include:_tls_used")
  #endif
#else
__attribute__((section(".CRT$XLD"), used)) inline const PIMAGE_TLS_CALLBACK thread_callback = &on_thread_event;
#endif

WINSVC_INLINE void reserve_stack_of_new_threads() noexcept {
  static_cast<void>(system_library::runs_under_wine());            // initializes its static variable
  const volatile PIMAGE_TLS_CALLBACK& callback = thread_callback;  // so that the linker keeps it
  new_threads_reserve_stack() = callback != nullptr;
}

}  // namespace detail::os
}  // inline namespace WINSVC_ABI
}  // namespace winsvc

#endif  // WINSVC_BODIES_OS
#endif  // WINSVC_OS_WINDOWS
