// File functions on Windows (os/file.hpp). Files are opened with all sharing modes, so that other processes may read,
// rename and delete them.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "winsvc/base/attempt.hpp"
#include "winsvc/base/scope.hpp"
#include "winsvc/config/abi.hpp"
#include "winsvc/os/file.hpp"
#include "winsvc/os/win/windows_headers.hpp"
#include "winsvc/os/win/wide.hpp"

#if WINSVC_OS_WINDOWS
namespace winsvc {
inline namespace WINSVC_ABI {
namespace detail::os {

inline constexpr DWORD share_mode_all = FILE_SHARE_READ | FILE_SHARE_WRITE | FILE_SHARE_DELETE;

/// Returns the number of bytes written; if not all, GetLastError is the reason.
std::size_t write_some(HANDLE file, std::string_view bytes) noexcept;
bool write_all(HANDLE file, std::string_view bytes) noexcept;

[[nodiscard]] file_id to_file_id(const BY_HANDLE_FILE_INFORMATION& info) noexcept;

}  // namespace detail::os
}  // inline namespace WINSVC_ABI
}  // namespace winsvc

// ---------------------------------------------------------------------------------------------------------------------

#if WINSVC_BODIES_OS

namespace winsvc {
inline namespace WINSVC_ABI {
namespace detail::os {

WINSVC_INLINE std::size_t write_some(HANDLE file, std::string_view bytes) noexcept {
  std::size_t written = 0;
  while (written < bytes.size()) {
    const auto chunk_size = static_cast<DWORD>((std::min)(bytes.size() - written, std::size_t{1} << 30));
    DWORD count = 0;
    if (!::WriteFile(file, bytes.data() + written, chunk_size, &count, nullptr)) break;
    if (count == 0) ::SetLastError(ERROR_WRITE_FAULT);
    if (count == 0) break;
    written += count;
  }
  return written;
}
WINSVC_INLINE bool write_all(HANDLE file, std::string_view bytes) noexcept {
  return write_some(file, bytes) == bytes.size();
}

WINSVC_INLINE file_id to_file_id(const BY_HANDLE_FILE_INFORMATION& info) noexcept {
  return {info.dwVolumeSerialNumber, std::uint64_t{info.nFileIndexHigh} << 32 | info.nFileIndexLow};
}
/// Opens the file with access 0, which cannot fail with a sharing violation. A deleted file that is still open keeps
/// its name but cannot be opened: nullopt.
WINSVC_INLINE std::optional<file_id> file_id_of(const std::string& path) noexcept {
  try {
    const unique_handle file(::CreateFileW(wide_path(path).c_str(), 0, share_mode_all, nullptr, OPEN_EXISTING,
                                           FILE_ATTRIBUTE_NORMAL, nullptr));
    BY_HANDLE_FILE_INFORMATION info{};
    if (!file || !::GetFileInformationByHandle(file.get(), &info)) return std::nullopt;
    return to_file_id(info);
  } catch (...) {  // out of memory
    return std::nullopt;
  }
}

WINSVC_INLINE sys_result<void> remove_folder(const std::string& path) {
  WIN32_FIND_DATAW entry{};
  const HANDLE search = ::FindFirstFileW(wide_path(path_join(path, "*")).c_str(), &entry);
  if (search == INVALID_HANDLE_VALUE) {
    const DWORD code = ::GetLastError();
    if (code == ERROR_FILE_NOT_FOUND || code == ERROR_PATH_NOT_FOUND) return {};
    return sys_failure(code);
  }
  const scope_exit close([search]() noexcept { ::FindClose(search); });
  DWORD failed = 0;
  do {
    const std::string name = to_utf8(entry.cFileName), full = path_join(path, name);
    if (name == "." || name == "..") continue;
    const bool is_folder = (entry.dwFileAttributes & FILE_ATTRIBUTE_DIRECTORY) != 0;
    const bool is_link = (entry.dwFileAttributes & FILE_ATTRIBUTE_REPARSE_POINT) != 0;
    if (is_folder && !is_link) {
      if (const auto removed = remove_folder(full); !removed) failed = removed.error();
    } else if (!(is_folder ? ::RemoveDirectoryW(wide_path(full).c_str()) : ::DeleteFileW(wide_path(full).c_str()))) {
      failed = ::GetLastError();
    }
  } while (::FindNextFileW(search, &entry));
  if (failed == 0 && !::RemoveDirectoryW(wide_path(path).c_str())) failed = ::GetLastError();
  if (failed != 0) return sys_failure(failed);
  return {};
}

WINSVC_INLINE sys_result<append_file> append_file::open(const std::string& path) {
  constexpr DWORD access = FILE_APPEND_DATA | FILE_READ_DATA;  // try_lock needs the second one
  const HANDLE file = ::CreateFileW(wide_path(path).c_str(), access, share_mode_all, nullptr, OPEN_ALWAYS,
                                    FILE_ATTRIBUTE_NORMAL, nullptr);
  if (file == INVALID_HANDLE_VALUE) return sys_failure(::GetLastError());
  append_file out;
  out.native_ = reinterpret_cast<std::intptr_t>(file);
  LARGE_INTEGER size{};
  if (::GetFileSizeEx(file, &size)) out.size_ = static_cast<std::uint64_t>(size.QuadPart);
  BY_HANDLE_FILE_INFORMATION info{};
  if (::GetFileInformationByHandle(file, &info)) out.id_ = to_file_id(info);
  return out;
}

WINSVC_INLINE bool append_file::try_lock() noexcept {
  OVERLAPPED position{};
  position.OffsetHigh = 0x7FFFFFFF;
  return ::LockFileEx(reinterpret_cast<HANDLE>(native_), LOCKFILE_EXCLUSIVE_LOCK | LOCKFILE_FAIL_IMMEDIATELY, 0, 1, 0,
                      &position) != 0 ||
         ::GetLastError() != ERROR_LOCK_VIOLATION;
}

WINSVC_INLINE sys_result<void> append_file::write(std::string_view bytes) noexcept {
  if (native_ == -1) return sys_failure(ERROR_INVALID_HANDLE);
  const std::size_t written = write_some(reinterpret_cast<HANDLE>(native_), bytes);
  size_ += written;
  if (written != bytes.size()) return sys_failure(::GetLastError());
  return {};
}

WINSVC_INLINE void append_file::close() noexcept {
  if (native_ != -1) ::CloseHandle(reinterpret_cast<HANDLE>(std::exchange(native_, -1)));
}

WINSVC_INLINE std::optional<std::string> read_file(const std::string& path) {
  const unique_handle file(::CreateFileW(wide_path(path).c_str(), GENERIC_READ, share_mode_all, nullptr, OPEN_EXISTING,
                                         FILE_ATTRIBUTE_NORMAL, nullptr));
  if (!file) return std::nullopt;
  std::string content;
  char buffer[8192];
  DWORD received = 0;
  while (::ReadFile(file.get(), buffer, sizeof buffer, &received, nullptr)) {
    if (received == 0) return content;
    content.append(buffer, received);
  }
  return std::nullopt;
}

WINSVC_INLINE std::optional<std::uint64_t> free_space(const std::string& path) {
  for (std::string existing = path;;) {
    ULARGE_INTEGER available{};
    if (::GetDiskFreeSpaceExW(wide_path(existing).c_str(), &available, nullptr, nullptr)) return available.QuadPart;
    const auto slash = existing.find_last_of("\\/");
    if (slash == existing.npos || slash < 3) return std::nullopt;
    existing.resize(slash);
  }
}

/// Calls `call`, which converts a path. Without memory for it, returns false and sets ERROR_NOT_ENOUGH_MEMORY.
template <class F>
bool call_with_path(const F& call) noexcept {
  bool succeeded = false;
  if (!base::attempt([&] { succeeded = call(); })) ::SetLastError(ERROR_NOT_ENOUGH_MEMORY);
  return succeeded;
}

WINSVC_INLINE bool rename_file(const std::string& from, const std::string& to) noexcept {
  return call_with_path([&] {
    return ::MoveFileExW(wide_path(from).c_str(), wide_path(to).c_str(),
                         MOVEFILE_REPLACE_EXISTING | MOVEFILE_WRITE_THROUGH) != 0;
  });
}
WINSVC_INLINE bool remove_file(const std::string& path) noexcept {
  return call_with_path([&] { return ::DeleteFileW(wide_path(path).c_str()) != 0; });
}
WINSVC_INLINE sys_result<void> remove_empty_folder(const std::string& path) noexcept {
  const bool is_removed = call_with_path([&] {
    const std::wstring wide = wide_path(path);
    const DWORD attributes = ::GetFileAttributesW(wide.c_str());
    if (attributes == INVALID_FILE_ATTRIBUTES) return false;
    if ((attributes & FILE_ATTRIBUTE_REPARSE_POINT) == 0) return ::RemoveDirectoryW(wide.c_str()) != 0;
    ::SetLastError(ERROR_DIRECTORY);  // it would be removed
    return false;
  });
  if (!is_removed) return sys_failure(::GetLastError());
  return {};
}

WINSVC_INLINE sys_result<void> replace_file(const std::string& path, std::string_view content) {
  const std::string sibling = path + ".new";
  {
    const unique_handle file(::CreateFileW(wide_path(sibling).c_str(), GENERIC_WRITE, 0, nullptr, CREATE_ALWAYS,
                                           FILE_ATTRIBUTE_NORMAL, nullptr));
    // After a power failure, the new name must not lead to an empty file.
    if (!file || !write_all(file.get(), content) || !::FlushFileBuffers(file.get()))
      return sys_failure(::GetLastError());
  }
  // The rename fails while another process reads the old file. A read is short: try again, 10 times with 10 ms between.
  for (int attempt = 0;; ++attempt) {
    if (rename_file(sibling, path)) return {};
    const DWORD code = ::GetLastError();
    const bool in_use = code == ERROR_ACCESS_DENIED || code == ERROR_SHARING_VIOLATION;
    if (!in_use || attempt == 10) {
      remove_file(sibling);
      return sys_failure(code);
    }
    ::Sleep(10);
  }
}

WINSVC_INLINE sys_result<void> make_folders(const std::string& path) {
  const DWORD attributes = ::GetFileAttributesW(wide_path(path).c_str());
  if (attributes != INVALID_FILE_ATTRIBUTES) {
    if ((attributes & FILE_ATTRIBUTE_DIRECTORY) != 0) return {};
    return sys_failure(ERROR_ALREADY_EXISTS);  // the path is a file
  }
  const auto slash = path.find_last_of("/\\");
  if (slash != std::string::npos && slash > 2) {
    if (auto parent = make_folders(path.substr(0, slash)); !parent) return parent;
  }
  if (!::CreateDirectoryW(wide_path(path).c_str(), nullptr) && ::GetLastError() != ERROR_ALREADY_EXISTS) {
    return sys_failure(::GetLastError());
  }
  return {};
}

WINSVC_INLINE sys_result<std::vector<std::string>> list_files(const std::string& folder) {
  WIN32_FIND_DATAW found{};
  const HANDLE search = ::FindFirstFileW(wide_path(path_join(folder, "*")).c_str(), &found);
  if (search == INVALID_HANDLE_VALUE) return sys_failure(::GetLastError());
  const scope_exit close([search]() noexcept { ::FindClose(search); });
  std::vector<std::string> names;
  do {
    if ((found.dwFileAttributes & FILE_ATTRIBUTE_DIRECTORY) == 0) names.push_back(to_utf8(found.cFileName));
  } while (::FindNextFileW(search, &found));
  const DWORD code = ::GetLastError();
  if (code != ERROR_NO_MORE_FILES) return sys_failure(code);
  std::sort(names.begin(), names.end());
  return names;
}

}  // namespace detail::os
}  // inline namespace WINSVC_ABI
}  // namespace winsvc

#endif  // WINSVC_BODIES_OS

#endif  // WINSVC_OS_WINDOWS
