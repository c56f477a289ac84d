// Run-time lookup of functions in system DLLs. A program needs to link only ws2_32 and the default libraries, and does
// not load DLLs that most services never use.
//
//   using free_memory = void(WINAPI*)(void*);
//   if (const auto release = system_library("ole32.dll").find<free_memory>("CoTaskMemFree")) release(memory);
#pragma once

#include "winsvc/config/abi.hpp"
#include "winsvc/os/win/windows_headers.hpp"

#if WINSVC_OS_WINDOWS
namespace winsvc {
inline namespace WINSVC_ABI {
namespace detail::os {

/// A DLL from System32. The folder of the executable is not searched, because an attacker may have put a DLL there. The
/// DLL stays loaded.
class system_library {
 public:
  explicit system_library(const char* file) noexcept
      : module_(::LoadLibraryExA(file, nullptr, LOAD_LIBRARY_SEARCH_SYSTEM32)) {}

  /// Returns the function; null if the DLL or the function does not exist.
  template <class Function>
  [[nodiscard]] Function find(const char* name) const noexcept {
    if (!module_) return nullptr;
    return reinterpret_cast<Function>(reinterpret_cast<void*>(::GetProcAddress(module_, name)));
  }

  /// True under Wine, which has no service SIDs and ignores the size of a stack guarantee.
  [[nodiscard]] static bool runs_under_wine() noexcept {
    static const bool found = system_library("ntdll.dll").find<const char*(__cdecl*)()>("wine_get_version") != nullptr;
    return found;
  }

 private:
  HMODULE module_;
};

}  // namespace detail::os
}  // inline namespace WINSVC_ABI
}  // namespace winsvc
#endif  // WINSVC_OS_WINDOWS
