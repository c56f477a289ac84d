// Detects that the program calls exit(), on Windows (os/exit_watch.hpp): it replaces the address of ExitProcess in the
// import tables. Also map_shared_file: maps the activity file (os/activity.hpp) with CreateFileMappingW.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string>

#include "winsvc/config/abi.hpp"
#include "winsvc/os/activity.hpp"
#include "winsvc/os/exit_watch.hpp"
#include "winsvc/os/win/file.hpp"
#include "winsvc/os/win/system_library.hpp"
#include "winsvc/os/win/wide.hpp"
#include "winsvc/os/win/windows_headers.hpp"

#if WINSVC_OS_WINDOWS

// ---------------------------------------------------------------------------------------------------------------------

#if WINSVC_BODIES_OS

namespace winsvc {
inline namespace WINSVC_ABI {
namespace detail::os {

/// Replaces ExitProcess in the modules whose imports were changed.
WINSVC_INLINE void WINAPI exit_process(UINT code) {
  exit_watch::notify(static_cast<int>(code));
  // The export, because the import of this module is this function.
  if (const auto end = system_library("kernel32.dll").find<void(WINAPI*)(UINT)>("ExitProcess")) end(code);
  ::TerminateProcess(::GetCurrentProcess(), code);
}

/// Replaces the import of ExitProcess of a module, whatever library it names: newer runtimes import it from an API set.
/// A module without the import, and a system that forbids the change, stay as they are.
WINSVC_INLINE void replace_exit_import(HMODULE module) noexcept {
  if (!module) return;
  char* const base = reinterpret_cast<char*>(module);
  const auto* const dos = reinterpret_cast<const IMAGE_DOS_HEADER*>(base);
  const auto* const headers = reinterpret_cast<const IMAGE_NT_HEADERS*>(base + dos->e_lfanew);
  const auto& imports = headers->OptionalHeader.DataDirectory[IMAGE_DIRECTORY_ENTRY_IMPORT];
  if (imports.VirtualAddress == 0) return;
  for (const auto* library = reinterpret_cast<const IMAGE_IMPORT_DESCRIPTOR*>(base + imports.VirtualAddress);
       library->Name != 0; ++library) {
    if (library->OriginalFirstThunk == 0) continue;
    const auto* name = reinterpret_cast<const IMAGE_THUNK_DATA*>(base + library->OriginalFirstThunk);
    auto* address = reinterpret_cast<IMAGE_THUNK_DATA*>(base + library->FirstThunk);
    for (; name->u1.AddressOfData != 0; ++name, ++address) {
      if (IMAGE_SNAP_BY_ORDINAL(name->u1.Ordinal)) continue;
      const auto* const by_name = reinterpret_cast<const IMAGE_IMPORT_BY_NAME*>(base + name->u1.AddressOfData);
      if (std::strcmp(reinterpret_cast<const char*>(by_name->Name), "ExitProcess") != 0) continue;
      DWORD protection = 0;
      if (!::VirtualProtect(&address->u1.Function, sizeof address->u1.Function, PAGE_READWRITE, &protection)) continue;
      address->u1.Function = reinterpret_cast<ULONG_PTR>(&exit_process);
      ::VirtualProtect(&address->u1.Function, sizeof address->u1.Function, protection, &protection);
    }
  }
}

WINSVC_INLINE void install_exit_notification() noexcept {
  replace_exit_import(::GetModuleHandleW(nullptr));  // has the C runtime if it was linked statically
  for (const auto* runtime : {L"ucrtbase.dll", L"ucrtbased.dll", L"msvcrt.dll"})
    replace_exit_import(::GetModuleHandleW(runtime));
}

WINSVC_INLINE char* map_shared_file(const std::string& path, std::size_t size, std::uint32_t& code) {
  code = 0;
  const unique_handle file(::CreateFileW(wide_path(path).c_str(), GENERIC_READ | GENERIC_WRITE,
                                         FILE_SHARE_READ | FILE_SHARE_WRITE | FILE_SHARE_DELETE, nullptr, OPEN_ALWAYS,
                                         FILE_ATTRIBUTE_NORMAL, nullptr));
  void* memory = nullptr;
  if (file) {
    const unique_handle mapping(
        ::CreateFileMappingW(file.get(), nullptr, PAGE_READWRITE, 0, static_cast<DWORD>(size), nullptr));
    if (mapping) memory = ::MapViewOfFile(mapping.get(), FILE_MAP_ALL_ACCESS, 0, 0, size);
    if (!memory) code = ::GetLastError();
  } else {
    code = ::GetLastError();
  }
  return static_cast<char*>(memory);
}

WINSVC_INLINE void unmap_shared_file(char* memory, std::size_t) noexcept { ::UnmapViewOfFile(memory); }

}  // namespace detail::os
}  // inline namespace WINSVC_ABI
}  // namespace winsvc

#endif  // WINSVC_BODIES_OS

#endif  // WINSVC_OS_WINDOWS
