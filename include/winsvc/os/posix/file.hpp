// os/file.hpp on POSIX.
#pragma once

#include <algorithm>
#include <cerrno>
#include <cstdint>
#include <cstdio>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "winsvc/config/abi.hpp"
#include "winsvc/os/file.hpp"
#include "winsvc/os/posix/door.hpp"

#if !WINSVC_OS_WINDOWS
namespace winsvc {
inline namespace WINSVC_ABI {
namespace os {

[[nodiscard]] inline failure<std::uint32_t> errno_failure() { return {static_cast<std::uint32_t>(errno)}; }

inline bool write_all(int file, std::string_view bytes) noexcept {
  while (!bytes.empty()) {
    const auto n = ::write(file, bytes.data(), bytes.size());
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) return false;
    bytes.remove_prefix(static_cast<std::size_t>(n));
  }
  return true;
}

inline sys_result<append_file> append_file::open(const std::string& path) {
  const int file = ::open(path.c_str(), O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0644);
  if (file < 0) return errno_failure();
  append_file out;
  out.native_ = file;
  struct stat info = {};
  if (::fstat(file, &info) == 0) {
    out.size_ = static_cast<std::uint64_t>(info.st_size);
    out.written_last_ = std::chrono::system_clock::from_time_t(info.st_mtime);
  }
  return out;
}

inline bool is_at(std::intptr_t native, const std::string& path) {
  struct stat open_one = {}, there = {};
  return ::fstat(static_cast<int>(native), &open_one) == 0 && ::stat(path.c_str(), &there) == 0 &&
         open_one.st_ino == there.st_ino && open_one.st_dev == there.st_dev;
}

inline bool append_file::write(std::string_view bytes) noexcept {
  if (!write_all(static_cast<int>(native_), bytes)) return false;
  size_ += bytes.size();
  return true;
}

inline void append_file::close() noexcept {
  if (native_ != -1) ::close(static_cast<int>(std::exchange(native_, -1)));
}

inline std::optional<std::string> read_file(const std::string& path) {
  const int file = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (file < 0) return std::nullopt;
  std::string content;
  char piece[8192];
  for (;;) {
    const auto n = ::read(file, piece, sizeof piece);
    if (n < 0 && errno == EINTR) continue;
    if (n > 0) {
      content.append(piece, static_cast<std::size_t>(n));
      continue;
    }
    ::close(file);
    return n == 0 ? std::optional(std::move(content)) : std::nullopt;
  }
}

inline bool rename_file(const std::string& from, const std::string& to) noexcept {
  return ::rename(from.c_str(), to.c_str()) == 0;
}
inline bool remove_file(const std::string& path) noexcept { return ::unlink(path.c_str()) == 0; }

inline sys_result<void> replace_file(const std::string& path, std::string_view content) {
  const std::string beside = path + ".new";
  const int file = ::open(beside.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
  if (file < 0) return errno_failure();
  const bool written = write_all(file, content);
  if (::close(file) != 0 || !written || !rename_file(beside, path)) return errno_failure();
  return {};
}

inline sys_result<void> make_folders(const std::string& path) {
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

inline sys_result<std::vector<std::string>> list_files(const std::string& folder) {
  DIR* const open = ::opendir(folder.c_str());
  if (!open) return errno_failure();
  std::vector<std::string> names;
  for (errno = 0; const dirent* one = ::readdir(open);) {
    struct stat info = {};
    if (::fstatat(::dirfd(open), one->d_name, &info, 0) == 0 && S_ISREG(info.st_mode)) names.emplace_back(one->d_name);
    errno = 0;
  }
  const int code = errno;
  ::closedir(open);
  if (code != 0) return sys_failure(static_cast<std::uint32_t>(code));
  std::sort(names.begin(), names.end());
  return names;
}

}  // namespace os
}  // inline namespace WINSVC_ABI
}  // namespace winsvc
#endif  // !WINSVC_OS_WINDOWS
