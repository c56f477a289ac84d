// Input file on POSIX (os/input_file.hpp): reads a file at any position (pread(2)).
#pragma once

#include <cerrno>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <memory>
#include <optional>
#include <string>

#include "winsvc/config/abi.hpp"
#include "winsvc/os/posix/headers.hpp"
#include "winsvc/os/posix/file.hpp"
#include "winsvc/os/input_file.hpp"

#if !WINSVC_OS_WINDOWS
namespace winsvc {
inline namespace WINSVC_ABI {
namespace detail::os {

/// realpath(3); nullopt after an error.
std::optional<std::string> real_path_of(const std::string& path);

}  // namespace detail::os
}  // inline namespace WINSVC_ABI
}  // namespace winsvc

// ---------------------------------------------------------------------------------------------------------------------

#if WINSVC_BODIES_OS

namespace winsvc {
inline namespace WINSVC_ABI {
namespace detail::os {

WINSVC_INLINE std::optional<std::string> real_path_of(const std::string& path) {
  const std::unique_ptr<char, void (*)(void*)> real(::realpath(path.c_str(), nullptr), &std::free);
  return real ? std::optional<std::string>(real.get()) : std::nullopt;
}

WINSVC_INLINE bool is_missing(std::uint32_t code) noexcept { return code == ENOENT || code == ENOTDIR; }

WINSVC_INLINE sys_result<std::string> real_folder(const std::string& path) {
  struct stat info = {};
  if (::stat(path.c_str(), &info) != 0) return errno_failure();
  if (!S_ISDIR(info.st_mode)) return sys_failure(ENOTDIR);
  auto real = real_path_of(path);
  if (!real) return errno_failure();
  return *std::move(real);
}

WINSVC_INLINE sys_result<input_file> input_file::open(const std::string& path) {
  auto real = real_path_of(path);
  if (!real) return errno_failure();
  // O_NOFOLLOW: the file may have been replaced by a link since. O_NONBLOCK: the open of a FIFO would wait for a
  // writer.
  const int file = ::open(real->c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
  if (file < 0) return errno_failure();
  input_file out;
  out.native_ = file;
  struct stat info = {};
  if (::fstat(file, &info) != 0) return errno_failure();
  if (!S_ISREG(info.st_mode)) return sys_failure(S_ISDIR(info.st_mode) ? EISDIR : EACCES);
  out.size_ = static_cast<std::uint64_t>(info.st_size);
  const auto since = std::chrono::seconds(info.st_mtim.tv_sec) + std::chrono::nanoseconds(info.st_mtim.tv_nsec);
  out.modified_ = clock::system_time(std::chrono::duration_cast<clock::system_time::duration>(since));
  out.id_ = to_file_id(info);
  out.real_path_ = *std::move(real);
  return out;
}

WINSVC_INLINE input_file::~input_file() {
  if (native_ != -1) ::close(static_cast<int>(native_));
}

WINSVC_INLINE std::optional<std::uint64_t> input_file::current_size() const noexcept {
  struct stat info = {};
  if (::fstat(static_cast<int>(native_), &info) != 0) return std::nullopt;
  return static_cast<std::uint64_t>(info.st_size);
}

WINSVC_INLINE std::optional<std::size_t> input_file::read(std::uint64_t position, char* buffer,
                                                          std::size_t capacity) const noexcept {
  for (;;) {
    const auto count = ::pread(static_cast<int>(native_), buffer, capacity, static_cast<off_t>(position));
    if (count >= 0) return static_cast<std::size_t>(count);
    if (errno != EINTR) return std::nullopt;
  }
}

}  // namespace detail::os
}  // inline namespace WINSVC_ABI
}  // namespace winsvc

#endif  // WINSVC_BODIES_OS

#endif  // !WINSVC_OS_WINDOWS
