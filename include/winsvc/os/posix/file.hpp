// Files and folders on POSIX (os/file.hpp): read, write, replace, rename, list, lock.
#pragma once

#include <algorithm>
#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "winsvc/base/scope.hpp"
#include "winsvc/config/abi.hpp"
#include "winsvc/os/file.hpp"
#include "winsvc/os/posix/headers.hpp"

#if !WINSVC_OS_WINDOWS
namespace winsvc {
inline namespace WINSVC_ABI {
namespace detail::os {

[[nodiscard]] failure<std::uint32_t> errno_failure();

/// Returns the number of bytes written; if not all, errno is the reason.
std::size_t write_some(int file, std::string_view bytes) noexcept;
bool write_all(int file, std::string_view bytes) noexcept;

[[nodiscard]] file_id to_file_id(const struct stat& info) noexcept;

}  // namespace detail::os
}  // inline namespace WINSVC_ABI
}  // namespace winsvc

// ---------------------------------------------------------------------------------------------------------------------

#if WINSVC_BODIES_OS

namespace winsvc {
inline namespace WINSVC_ABI {
namespace detail::os {

WINSVC_INLINE failure<std::uint32_t> errno_failure() { return {static_cast<std::uint32_t>(errno)}; }
WINSVC_INLINE std::size_t write_some(int file, std::string_view bytes) noexcept {
  std::size_t written = 0;
  while (written < bytes.size()) {
    const auto count = ::write(file, bytes.data() + written, bytes.size() - written);
    if (count < 0 && errno == EINTR) continue;
    if (count == 0) errno = EIO;
    if (count <= 0) break;
    written += static_cast<std::size_t>(count);
  }
  return written;
}
WINSVC_INLINE bool write_all(int file, std::string_view bytes) noexcept {
  return write_some(file, bytes) == bytes.size();
}

WINSVC_INLINE file_id to_file_id(const struct stat& info) noexcept {
  return {static_cast<std::uint64_t>(info.st_dev), static_cast<std::uint64_t>(info.st_ino)};
}
WINSVC_INLINE std::optional<file_id> file_id_of(const std::string& path) noexcept {
  struct stat info = {};
  if (::stat(path.c_str(), &info) != 0) return std::nullopt;
  return to_file_id(info);
}

WINSVC_INLINE sys_result<void> remove_folder(const std::string& path) {
  DIR* const folder = ::opendir(path.c_str());
  if (!folder) {
    if (errno == ENOENT) return {};
    return errno_failure();
  }
  std::vector<std::string> names;
  {
    const scope_exit close([folder]() noexcept { ::closedir(folder); });
    while (const dirent* const entry = ::readdir(folder)) names.emplace_back(entry->d_name);
  }
  std::uint32_t failed = 0;
  for (const auto& name : names) {
    if (name == "." || name == "..") continue;
    const std::string full = path_join(path, name);
    struct stat info = {};
    if (::lstat(full.c_str(), &info) == 0 && S_ISDIR(info.st_mode)) {
      if (const auto removed = remove_folder(full); !removed) failed = removed.error();
    } else if (::unlink(full.c_str()) != 0) {
      failed = static_cast<std::uint32_t>(errno);
    }
  }
  if (failed == 0 && ::rmdir(path.c_str()) != 0) return errno_failure();
  if (failed != 0) return sys_failure(failed);
  return {};
}

WINSVC_INLINE sys_result<append_file> append_file::open(const std::string& path) {
  const int file = ::open(path.c_str(), O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0644);
  if (file < 0) return errno_failure();
  append_file out;
  out.native_ = file;
  struct stat info = {};
  if (::fstat(file, &info) == 0) {
    out.size_ = static_cast<std::uint64_t>(info.st_size);
    out.id_ = to_file_id(info);
  }
  return out;
}

WINSVC_INLINE bool append_file::try_lock() noexcept {
  return ::flock(static_cast<int>(native_), LOCK_EX | LOCK_NB) == 0 || errno != EWOULDBLOCK;
}

WINSVC_INLINE sys_result<void> append_file::write(std::string_view bytes) noexcept {
  if (native_ == -1) return sys_failure(EBADF);
  const std::size_t written = write_some(static_cast<int>(native_), bytes);
  size_ += written;
  if (written != bytes.size()) return errno_failure();
  return {};
}

WINSVC_INLINE void append_file::close() noexcept {
  if (native_ != -1) ::close(static_cast<int>(std::exchange(native_, -1)));
}

WINSVC_INLINE std::optional<std::string> read_file(const std::string& path) {
  const int file = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (file < 0) return std::nullopt;
  const scope_exit close([file]() noexcept { ::close(file); });
  std::string content;
  char buffer[8192];
  for (;;) {
    const auto count = ::read(file, buffer, sizeof buffer);
    if (count < 0 && errno == EINTR) continue;
    if (count > 0) {
      content.append(buffer, static_cast<std::size_t>(count));
      continue;
    }
    return count == 0 ? std::optional(std::move(content)) : std::nullopt;
  }
}

WINSVC_INLINE std::optional<std::uint64_t> free_space(const std::string& path) {
  struct statvfs info = {};
  for (std::string existing = path;;) {
    if (::statvfs(existing.c_str(), &info) == 0) return static_cast<std::uint64_t>(info.f_bavail) * info.f_frsize;
    const auto slash = existing.rfind('/');
    if (slash == existing.npos || slash == 0) return std::nullopt;
    existing.resize(slash);
  }
}

WINSVC_INLINE bool rename_file(const std::string& from, const std::string& to) noexcept {
  return ::rename(from.c_str(), to.c_str()) == 0;
}
WINSVC_INLINE bool remove_file(const std::string& path) noexcept { return ::unlink(path.c_str()) == 0; }
WINSVC_INLINE sys_result<void> remove_empty_folder(const std::string& path) noexcept {
  if (::rmdir(path.c_str()) != 0) return errno_failure();
  return {};
}

WINSVC_INLINE sys_result<void> replace_file(const std::string& path, std::string_view content) {
  const std::string sibling = path + ".new";
  const int file = ::open(sibling.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
  if (file < 0) return errno_failure();
  // After a power failure, the new name must not lead to an empty file.
  const bool written = write_all(file, content) && ::fsync(file) == 0;
  if (::close(file) != 0 || !written || !rename_file(sibling, path)) return errno_failure();
  return {};
}

WINSVC_INLINE sys_result<void> make_folders(const std::string& path) {
  struct stat info = {};
  if (::stat(path.c_str(), &info) == 0) {
    if (S_ISDIR(info.st_mode)) return {};
    return sys_failure(ENOTDIR);
  }
  const auto slash = path.find_last_of('/');
  if (slash != std::string::npos && slash > 0) {
    if (auto parent = make_folders(path.substr(0, slash)); !parent) return parent;
  }
  if (::mkdir(path.c_str(), 0755) != 0 && errno != EEXIST) return errno_failure();
  return {};
}

WINSVC_INLINE sys_result<std::vector<std::string>> list_files(const std::string& folder) {
  DIR* const stream = ::opendir(folder.c_str());
  if (!stream) return errno_failure();
  const scope_exit close([stream]() noexcept { ::closedir(stream); });
  std::vector<std::string> names;
  for (errno = 0; const dirent* entry = ::readdir(stream);) {
    struct stat info = {};
    if (::fstatat(::dirfd(stream), entry->d_name, &info, 0) == 0 && S_ISREG(info.st_mode))
      names.emplace_back(entry->d_name);
    errno = 0;
  }
  const int code = errno;
  if (code != 0) return sys_failure(static_cast<std::uint32_t>(code));
  std::sort(names.begin(), names.end());
  return names;
}

}  // namespace detail::os
}  // inline namespace WINSVC_ABI
}  // namespace winsvc

#endif  // WINSVC_BODIES_OS

#endif  // !WINSVC_OS_WINDOWS
