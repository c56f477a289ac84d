// os/exclusive_file.hpp on Windows.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>

#include "winsvc/config/abi.hpp"
#include "winsvc/os/exclusive_file.hpp"
#include "winsvc/os/win/windows_headers.hpp"
#include "winsvc/os/win/file.hpp"
#include "winsvc/os/win/wide.hpp"

#if WINSVC_OS_WINDOWS

// ---------------------------------------------------------------------------------------------------------------------

#if WINSVC_BODIES_OS

namespace winsvc {
inline namespace WINSVC_ABI {
namespace os {

WINSVC_INLINE sys_result<exclusive_file> exclusive_file::create(const std::string& path) {
  const HANDLE file = ::CreateFileW(wide_path(path).c_str(), GENERIC_WRITE, FILE_SHARE_READ, nullptr, CREATE_NEW,
                                    FILE_ATTRIBUTE_NORMAL, nullptr);
  if (file == INVALID_HANDLE_VALUE) return sys_failure(::GetLastError());
  exclusive_file out;
  out.native_ = reinterpret_cast<std::intptr_t>(file);
  return out;
}

WINSVC_INLINE sys_result<void> exclusive_file::write(std::string_view bytes) noexcept {
  if (!write_all(reinterpret_cast<HANDLE>(native_), bytes)) return sys_failure(::GetLastError());
  return {};
}

WINSVC_INLINE sys_result<void> exclusive_file::close() noexcept {
  if (native_ != -1 && !::CloseHandle(reinterpret_cast<HANDLE>(std::exchange(native_, -1))))
    return sys_failure(::GetLastError());
  return {};
}

WINSVC_INLINE sys_result<void> move_file(const std::string& from, const std::string& to) {
  // Somebody may be reading the old one, or a scanner the new one, at this moment: that is over in an instant.
  const auto rename = [&to](const std::string& what) -> sys_result<void> {
    for (int attempt = 0;; ++attempt) {
      if (rename_file(what, to)) return {};
      const DWORD code = ::GetLastError();
      if ((code != ERROR_ACCESS_DENIED && code != ERROR_SHARING_VIOLATION) || attempt == 10) return sys_failure(code);
      ::Sleep(10);
    }
  };
  auto done = rename(from);
  if (done || done.error() != ERROR_NOT_SAME_DEVICE) return done;
  const std::string sibling = sibling_path(from, to);
  if (::CopyFileW(wide_path(from).c_str(), wide_path(sibling).c_str(), TRUE)) done = rename(sibling);
  else done = sys_failure(::GetLastError());
  if (!done) remove_file(sibling);
  else remove_file(from);
  return done;
}

WINSVC_INLINE sys_result<void> make_private_folder(const std::string& path) { return make_folders(path); }

WINSVC_INLINE std::string temporary_folder() {
  wchar_t path[MAX_PATH + 1];
  const DWORD length = ::GetTempPathW(MAX_PATH + 1, path);
  std::string folder = length == 0 || length > MAX_PATH ? std::string("C:\\") : to_utf8(std::wstring_view(path, length));
  if (folder.size() > 3 && folder.back() == '\\') folder.pop_back();
  return folder;
}

WINSVC_INLINE bool is_disk_full_error(std::uint32_t code) noexcept {
  constexpr std::uint32_t quota_exceeded = 1295;  // ERROR_DISK_QUOTA_EXCEEDED, which not all headers have
  return code == ERROR_DISK_FULL || code == ERROR_HANDLE_DISK_FULL || code == quota_exceeded ||
         code == ERROR_FILE_TOO_LARGE;
}

WINSVC_INLINE bool process_exists(std::uint32_t id) noexcept {
  const unique_handle process(::OpenProcess(SYNCHRONIZE, FALSE, id));
  if (!process) return ::GetLastError() != ERROR_INVALID_PARAMETER;
  return ::WaitForSingleObject(process.get(), 0) == WAIT_TIMEOUT;  // it may have ended, and be held by somebody
}

}  // namespace os
}  // inline namespace WINSVC_ABI
}  // namespace winsvc

#endif  // WINSVC_BODIES_OS

#endif  // WINSVC_OS_WINDOWS
