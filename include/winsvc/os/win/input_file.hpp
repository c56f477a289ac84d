// Input file on Windows (os/input_file.hpp): reads a file at any position (ReadFile with an OVERLAPPED offset).
#pragma once

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <ratio>
#include <string>

#include "winsvc/config/abi.hpp"
#include "winsvc/os/input_file.hpp"
#include "winsvc/os/win/windows_headers.hpp"
#include "winsvc/os/win/file.hpp"
#include "winsvc/os/win/wide.hpp"

#if WINSVC_OS_WINDOWS
namespace winsvc {
inline namespace WINSVC_ABI {
namespace detail::os {

/// The final path of a handle, without the prefix \\?\ of GetFinalPathNameByHandleW; nullopt after an error.
std::optional<std::string> real_path_of(HANDLE file);

}  // namespace detail::os
}  // inline namespace WINSVC_ABI
}  // namespace winsvc

// ---------------------------------------------------------------------------------------------------------------------

#if WINSVC_BODIES_OS

namespace winsvc {
inline namespace WINSVC_ABI {
namespace detail::os {

WINSVC_INLINE std::optional<std::string> real_path_of(HANDLE file) {
  std::wstring path(512, L'\0');
  for (;;) {
    const DWORD length = ::GetFinalPathNameByHandleW(file, &path[0], static_cast<DWORD>(path.size()), VOLUME_NAME_DOS);
    if (length == 0) return std::nullopt;
    const bool fits = length < path.size();  // otherwise `length` is the required size
    path.resize(length);
    if (fits) break;
  }
  std::string out = to_utf8(path);
  if (out.compare(0, 8, "\\\\?\\UNC\\") == 0) return "\\\\" + out.substr(8);
  if (out.compare(0, 4, "\\\\?\\") == 0) out.erase(0, 4);
  return out;
}

WINSVC_INLINE bool is_missing(std::uint32_t code) noexcept {
  return code == ERROR_FILE_NOT_FOUND || code == ERROR_PATH_NOT_FOUND || code == ERROR_INVALID_NAME;
}

WINSVC_INLINE sys_result<std::string> real_folder(const std::string& path) {
  const unique_handle folder(::CreateFileW(wide_path(path).c_str(), 0, share_mode_all, nullptr, OPEN_EXISTING,
                                           FILE_FLAG_BACKUP_SEMANTICS, nullptr));  // required to open a folder
  BY_HANDLE_FILE_INFORMATION info{};
  if (!folder || !::GetFileInformationByHandle(folder.get(), &info)) return sys_failure(::GetLastError());
  if ((info.dwFileAttributes & FILE_ATTRIBUTE_DIRECTORY) == 0) return sys_failure(ERROR_DIRECTORY);
  auto real = real_path_of(folder.get());
  if (!real) return sys_failure(::GetLastError());
  return *std::move(real);
}

WINSVC_INLINE sys_result<input_file> input_file::open(const std::string& path) {
  const HANDLE file = ::CreateFileW(wide_path(path).c_str(), GENERIC_READ, share_mode_all, nullptr, OPEN_EXISTING,
                                    FILE_ATTRIBUTE_NORMAL, nullptr);
  if (file == INVALID_HANDLE_VALUE) return sys_failure(::GetLastError());
  input_file out;
  out.native_ = reinterpret_cast<std::intptr_t>(file);
  BY_HANDLE_FILE_INFORMATION info{};
  if (::GetFileType(file) != FILE_TYPE_DISK) return sys_failure(ERROR_ACCESS_DENIED);
  if (!::GetFileInformationByHandle(file, &info)) return sys_failure(::GetLastError());
  auto real = real_path_of(file);
  if (!real) return sys_failure(::GetLastError());
  out.real_path_ = *std::move(real);
  out.id_ = to_file_id(info);
  out.size_ = std::uint64_t{info.nFileSizeHigh} << 32 | info.nFileSizeLow;
  // 100 ns since 1601-01-01.
  const auto ticks = std::uint64_t{info.ftLastWriteTime.dwHighDateTime} << 32 | info.ftLastWriteTime.dwLowDateTime;
  constexpr std::int64_t to_1970 = 116'444'736'000'000'000;
  using hundred_ns = std::chrono::duration<std::int64_t, std::ratio<1, 10'000'000>>;
  out.modified_ = clock::system_time(std::chrono::duration_cast<clock::system_time::duration>(
      hundred_ns(static_cast<std::int64_t>(ticks) - to_1970)));
  return out;
}

WINSVC_INLINE input_file::~input_file() {
  if (native_ != -1) ::CloseHandle(reinterpret_cast<HANDLE>(native_));
}

WINSVC_INLINE std::optional<std::uint64_t> input_file::current_size() const noexcept {
  LARGE_INTEGER size{};
  if (!::GetFileSizeEx(reinterpret_cast<HANDLE>(native_), &size)) return std::nullopt;
  return static_cast<std::uint64_t>(size.QuadPart);
}

WINSVC_INLINE std::optional<std::size_t> input_file::read(std::uint64_t position, char* buffer,
                                                          std::size_t capacity) const noexcept {
  OVERLAPPED offset{};  // the handle is synchronous: only the offset is used
  offset.Offset = static_cast<DWORD>(position);
  offset.OffsetHigh = static_cast<DWORD>(position >> 32);
  DWORD received = 0;
  const auto count = static_cast<DWORD>((std::min)(capacity, std::size_t{1} << 30));
  if (::ReadFile(reinterpret_cast<HANDLE>(native_), buffer, count, &received, &offset)) return received;
  return ::GetLastError() == ERROR_HANDLE_EOF ? std::optional<std::size_t>(0) : std::nullopt;
}

}  // namespace detail::os
}  // inline namespace WINSVC_ABI
}  // namespace winsvc

#endif  // WINSVC_BODIES_OS

#endif  // WINSVC_OS_WINDOWS
