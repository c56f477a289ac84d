// Exclusive file: creates a file only if the path does not exist (O_EXCL, CREATE_NEW), writes it once and moves it.
//
//   auto file = os::exclusive_file::create(path);   // fails if the path exists
//   file->write(bytes);
//   file->close();
//   os::move_file(path, final_path);                // a reader sees the old file or the new file
//
// Source: open(2) and rename(2); CreateFileW and MoveFileExW in the Win32 documentation.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>

#include "winsvc/config/abi.hpp"
#include "winsvc/os/file.hpp"
#include "winsvc/os/service_manager.hpp"

namespace winsvc {
inline namespace WINSVC_ABI {
namespace detail::os {

class exclusive_file {
 public:
  exclusive_file() = default;
  exclusive_file(exclusive_file&& other) noexcept : native_(std::exchange(other.native_, -1)) {}
  exclusive_file& operator=(exclusive_file&& other) noexcept {
    std::swap(native_, other.native_);
    return *this;
  }
  ~exclusive_file() { static_cast<void>(close()); }

  /// Creates the file; fails if the path exists. POSIX: mode 0600. Windows: with the inherited security of the folder.
  /// A symbolic link is not followed.
  [[nodiscard]] static sys_result<exclusive_file> create(const std::string& path);
  [[nodiscard]] bool is_open() const noexcept { return native_ != -1; }
  sys_result<void> write(std::string_view bytes) noexcept;
  /// Closes the file. Returns errors of delayed writes, which `write` did not see.
  sys_result<void> close() noexcept;

 private:
  std::intptr_t native_ = -1;  // a HANDLE, or a file descriptor
};

/// Moves a file and replaces an existing target. If `to` is on another volume, the file is copied into the folder of
/// the target first, so that a reader never sees a partial file.
sys_result<void> move_file(const std::string& from, const std::string& to);
/// Creates the folder and its parents. POSIX: the last folder gets mode 0700.
sys_result<void> make_private_folder(const std::string& path);
/// The folder for temporary files: GetTempPathW; $TMPDIR or /tmp.
[[nodiscard]] std::string temporary_folder();
/// True if the system code means that the disk is full, a quota is exceeded or the file is too large.
[[nodiscard]] bool is_disk_full_error(std::uint32_t code) noexcept;
/// True if the code means that the disk or the quota has no space, so that deleting files helps.
[[nodiscard]] bool is_no_space_error(std::uint32_t code) noexcept;
/// True if a process with this ID exists, or if this process may not query it.
[[nodiscard]] bool process_exists(std::uint32_t id) noexcept;

/// A path in the folder of `to` for the copy that `move_file` renames to `to`: `to`, a hyphen, the file name of `from`.
[[nodiscard]] std::string sibling_path(const std::string& from, const std::string& to);

}  // namespace detail::os
}  // inline namespace WINSVC_ABI
}  // namespace winsvc

// ---------------------------------------------------------------------------------------------------------------------

#if WINSVC_BODIES_OS

namespace winsvc {
inline namespace WINSVC_ABI {
namespace detail::os {

WINSVC_INLINE std::string sibling_path(const std::string& from, const std::string& to) {
  const auto slash = from.find_last_of("/\\");
  return to + '-' + (slash == std::string::npos ? from : from.substr(slash + 1));
}

}  // namespace detail::os
}  // inline namespace WINSVC_ABI
}  // namespace winsvc

#endif  // WINSVC_BODIES_OS
