// Functions of Windows' own libraries, found at run time: a program then links none but ws2_32 and what every program
// links, and starts without loading what most services never touch.
//
//   using free_memory = void(WINAPI*)(void*);
//   if (const auto release = system_library("ole32.dll").find<free_memory>("CoTaskMemFree")) release(memory);
#pragma once

#include "winsvc/config/abi.hpp"
#include "winsvc/os/win/windows_headers.hpp"

#if WINSVC_OS_WINDOWS
namespace winsvc {
inline namespace WINSVC_ABI {
namespace os {

/// From System32 alone: beside the executable a stranger may have put one of that name. It stays loaded.
class system_library {
 public:
  explicit system_library(const char* file) noexcept
      : module_(::LoadLibraryExA(file, nullptr, LOAD_LIBRARY_SEARCH_SYSTEM32)) {}

  /// Null when there is none.
  template <class Function>
  [[nodiscard]] Function find(const char* name) const noexcept {
    if (!module_) return nullptr;
    return reinterpret_cast<Function>(reinterpret_cast<void*>(::GetProcAddress(module_, name)));
  }

 private:
  HMODULE module_;
};

}  // namespace os
}  // inline namespace WINSVC_ABI
}  // namespace winsvc
#endif  // WINSVC_OS_WINDOWS
