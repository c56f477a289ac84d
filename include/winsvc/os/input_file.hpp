// Input file: a file that is open for reading at any position (pread). Static folders are served from it.
//
//   auto file = os::input_file::open(path);
//   if (file) file->read(0, buffer, sizeof buffer);
//
// It does not lock the file: another process may write, rename or delete it at the same time.
//
// Source: pread(2), realpath(3); GetFinalPathNameByHandleW in the Win32 documentation.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <utility>

#include "winsvc/base/clock.hpp"
#include "winsvc/base/result.hpp"
#include "winsvc/config/abi.hpp"
#include "winsvc/os/file.hpp"
#include "winsvc/os/process.hpp"

namespace winsvc {
inline namespace WINSVC_ABI {
namespace detail::os {

/// A regular file, open for reading. Movable.
class input_file {
 public:
  input_file() = default;
  input_file(input_file&& other) noexcept { *this = std::move(other); }
  input_file& operator=(input_file&& other) noexcept {
    std::swap(native_, other.native_);
    std::swap(size_, other.size_);
    std::swap(modified_, other.modified_);
    std::swap(id_, other.id_);
    std::swap(real_path_, other.real_path_);
    return *this;
  }
  ~input_file();

  /// Opens a regular file. Fails for a folder and for a device.
  [[nodiscard]] static sys_result<input_file> open(const std::string& path);

  /// Size in bytes, time of the last change, and identity, as they were at `open`.
  [[nodiscard]] std::uint64_t size() const noexcept { return size_; }
  [[nodiscard]] clock::system_time modified() const noexcept { return modified_; }
  [[nodiscard]] const file_id& id() const noexcept { return id_; }
  /// The size in bytes at the time of the call; nullopt after an error.
  [[nodiscard]] std::optional<std::uint64_t> current_size() const noexcept;
  /// The absolute path with all links resolved, with upper and lower case as on the disk.
  [[nodiscard]] const std::string& real_path() const noexcept { return real_path_; }

  /// Reads up to `capacity` bytes at `position`. Returns their number; 0 at the end of the file; nullopt after an
  /// error. Can be called from any thread.
  [[nodiscard]] std::optional<std::size_t> read(std::uint64_t position, char* buffer,
                                                std::size_t capacity) const noexcept;

 private:
  std::intptr_t native_ = -1;  // a HANDLE, or a file descriptor
  std::uint64_t size_ = 0;
  clock::system_time modified_;
  file_id id_;
  std::string real_path_;
};

/// True if the code of a failed `open` means that the file does not exist.
[[nodiscard]] bool is_missing(std::uint32_t code) noexcept;
/// True if the file certainly does not exist; false also if that is unknown.
[[nodiscard]] bool lacks_file(const std::string& path);

/// The real path of a folder, as in input_file::real_path. Fails if the folder does not exist.
[[nodiscard]] sys_result<std::string> real_folder(const std::string& path);

}  // namespace detail::os
}  // inline namespace WINSVC_ABI
}  // namespace winsvc

// ---------------------------------------------------------------------------------------------------------------------

#if WINSVC_BODIES_OS

namespace winsvc {
inline namespace WINSVC_ABI {
namespace detail::os {

WINSVC_INLINE bool lacks_file(const std::string& path) {
  const auto opened = input_file::open(path);
  return !opened && is_missing(opened.error());
}

}  // namespace detail::os
}  // inline namespace WINSVC_ABI
}  // namespace winsvc

#endif  // WINSVC_BODIES_OS
