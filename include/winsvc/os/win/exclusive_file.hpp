// Exclusive file on Windows (os/exclusive_file.hpp): creates a file that did not exist (CREATE_NEW), replaces a file
// with it (MoveFileExW), and finds the folder for temporary files.
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
namespace detail::os {

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
  // The rename fails while another process reads the old file, or while a virus scanner reads the new file. A read is
  // short: try again, 10 times with 10 ms between.
  const auto rename = [&to](const std::string& path) -> sys_result<void> {
    for (int attempt = 0;; ++attempt) {
      if (rename_file(path, to)) return {};
      const DWORD code = ::GetLastError();
      if ((code != ERROR_ACCESS_DENIED && code != ERROR_SHARING_VIOLATION) || attempt == 10) return sys_failure(code);
      ::Sleep(10);
    }
  };
  auto result = rename(from);
  if (result || result.error() != ERROR_NOT_SAME_DEVICE) return result;
  const std::string sibling = sibling_path(from, to);
  if (::CopyFileW(wide_path(from).c_str(), wide_path(sibling).c_str(), TRUE)) result = rename(sibling);
  else result = sys_failure(::GetLastError());
  if (!result) remove_file(sibling);
  else remove_file(from);
  return result;
}

WINSVC_INLINE sys_result<void> make_private_folder(const std::string& path) { return make_folders(path); }

WINSVC_INLINE std::string temporary_folder() {
  wchar_t path[MAX_PATH + 1];
  const DWORD length = ::GetTempPathW(MAX_PATH + 1, path);
  const bool failed = length == 0 || length > MAX_PATH;
  std::string folder = failed ? std::string("C:\\") : to_utf8(std::wstring_view(path, length));
  if (folder.size() > 3 && folder.back() == '\\') folder.pop_back();
  return folder;
}

WINSVC_INLINE bool is_no_space_error(std::uint32_t code) noexcept {
  constexpr std::uint32_t quota_exceeded = 1295;  // ERROR_DISK_QUOTA_EXCEEDED; not all SDK headers define it
  return code == ERROR_DISK_FULL || code == ERROR_HANDLE_DISK_FULL || code == quota_exceeded;
}
WINSVC_INLINE bool is_disk_full_error(std::uint32_t code) noexcept {
  return is_no_space_error(code) || code == ERROR_FILE_TOO_LARGE;
}

WINSVC_INLINE bool process_exists(std::uint32_t id) noexcept {
  const unique_handle process(::OpenProcess(SYNCHRONIZE, FALSE, id));
  if (!process) return ::GetLastError() != ERROR_INVALID_PARAMETER;
  // A process that has ended can be opened while another process has a handle to it.
  return ::WaitForSingleObject(process.get(), 0) == WAIT_TIMEOUT;
}

}  // namespace detail::os
}  // inline namespace WINSVC_ABI
}  // namespace winsvc

#endif  // WINSVC_BODIES_OS

#endif  // WINSVC_OS_WINDOWS
