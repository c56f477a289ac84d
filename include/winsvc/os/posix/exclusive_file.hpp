// Exclusive file on POSIX (os/exclusive_file.hpp): open(2) with O_CREAT and O_EXCL, then rename(2).
#pragma once

#include <cerrno>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>
#include <utility>

#include "winsvc/base/scope.hpp"
#include "winsvc/config/abi.hpp"
#include "winsvc/os/exclusive_file.hpp"
#include "winsvc/os/posix/headers.hpp"
#include "winsvc/os/posix/file.hpp"

#if !WINSVC_OS_WINDOWS
namespace winsvc {
inline namespace WINSVC_ABI {
namespace detail::os {

/// Copies a file; fails if `to` exists.
sys_result<void> copy_to_new(const std::string& from, const std::string& to);

}  // namespace detail::os
}  // inline namespace WINSVC_ABI
}  // namespace winsvc

// ---------------------------------------------------------------------------------------------------------------------

#if WINSVC_BODIES_OS

namespace winsvc {
inline namespace WINSVC_ABI {
namespace detail::os {

WINSVC_INLINE sys_result<exclusive_file> exclusive_file::create(const std::string& path) {
  const int file = ::open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
  if (file < 0) return errno_failure();
  exclusive_file out;
  out.native_ = file;
  return out;
}

WINSVC_INLINE sys_result<void> exclusive_file::write(std::string_view bytes) noexcept {
  if (!write_all(static_cast<int>(native_), bytes)) return errno_failure();
  return {};
}

WINSVC_INLINE sys_result<void> exclusive_file::close() noexcept {
  if (native_ != -1 && ::close(static_cast<int>(std::exchange(native_, -1))) != 0) return errno_failure();
  return {};
}

WINSVC_INLINE sys_result<void> copy_to_new(const std::string& from, const std::string& to) {
  const int source = ::open(from.c_str(), O_RDONLY | O_CLOEXEC);
  if (source < 0) return errno_failure();
  const scope_exit close_source([source] { ::close(source); });
  auto target = exclusive_file::create(to);
  if (!target) return sys_failure(target.error());
  for (char buffer[64 * 1024];;) {
    const auto received = ::read(source, buffer, sizeof buffer);
    if (received < 0 && errno == EINTR) continue;
    if (received < 0) return errno_failure();
    if (received == 0) return target->close();
    if (auto written = target->write({buffer, static_cast<std::size_t>(received)}); !written) return written;
  }
}

WINSVC_INLINE sys_result<void> move_file(const std::string& from, const std::string& to) {
  if (rename_file(from, to)) return {};
  if (errno != EXDEV) return errno_failure();
  const std::string sibling = sibling_path(from, to);
  auto result = copy_to_new(from, sibling);
  if (result && !rename_file(sibling, to)) result = errno_failure();
  if (!result) remove_file(sibling);
  else remove_file(from);
  return result;
}

WINSVC_INLINE sys_result<void> make_private_folder(const std::string& path) {
  const auto result = make_folders(path);
  if (result && ::chmod(path.c_str(), 0700) != 0) return errno_failure();
  return result;
}

WINSVC_INLINE std::string temporary_folder() {
  const char* folder = std::getenv("TMPDIR");
  return folder && *folder ? folder : "/tmp";
}

WINSVC_INLINE bool is_no_space_error(std::uint32_t code) noexcept { return code == ENOSPC || code == EDQUOT; }
WINSVC_INLINE bool is_disk_full_error(std::uint32_t code) noexcept { return is_no_space_error(code) || code == EFBIG; }

WINSVC_INLINE bool process_exists(std::uint32_t id) noexcept {
  return ::kill(static_cast<pid_t>(id), 0) == 0 || errno != ESRCH;
}

}  // namespace detail::os
}  // inline namespace WINSVC_ABI
}  // namespace winsvc

#endif  // WINSVC_BODIES_OS

#endif  // !WINSVC_OS_WINDOWS
