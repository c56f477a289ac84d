// The few things done with files: append, read whole, replace whole, rename, list, make folders. Paths are UTF-8;
// nothing is inherited by child processes.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "winsvc/config/abi.hpp"
#include "winsvc/os/service_manager.hpp"

namespace winsvc {
inline namespace WINSVC_ABI {
namespace os {

#if WINSVC_OS_WINDOWS
inline constexpr char path_separator = '\\';
#else
inline constexpr char path_separator = '/';
#endif

[[nodiscard]] std::string path_join(const std::string& folder, std::string_view name);

/// Which file it is, whatever it is called at the moment. When the last handle to a deleted file is closed, its number
/// may be another's.
struct file_id {
  std::uint64_t volume = 0, number = 0;
  friend bool operator==(const file_id& a, const file_id& b) noexcept {
    return a.volume == b.volume && a.number == b.number;
  }
  friend bool operator!=(const file_id& a, const file_id& b) noexcept { return !(a == b); }
};
/// Of the file that a path leads to; nothing where there is none.
[[nodiscard]] std::optional<file_id> file_id_of(const std::string& path) noexcept;

/// A file that is only ever added to. Others may read, rename and delete it meanwhile.
class append_file {
 public:
  append_file() = default;
  append_file(append_file&& other) noexcept { *this = std::move(other); }
  append_file& operator=(append_file&& other) noexcept {
    if (this != &other) {
      close();
      native_ = std::exchange(other.native_, -1);
      size_ = other.size_;
      id_ = other.id_;
    }
    return *this;
  }
  ~append_file() { close(); }

  [[nodiscard]] static sys_result<append_file> open(const std::string& path);
  [[nodiscard]] bool is_open() const noexcept { return native_ != -1; }
  /// All of it, in one call of the system where that takes it. After a failure a part of it may be in the file: `size`
  /// tells how much.
  sys_result<void> write(std::string_view bytes) noexcept;
  /// Bytes in the file: those found at opening and those written since.
  [[nodiscard]] std::uint64_t size() const noexcept { return size_; }
  /// Is it what that path leads to, and not deleted or moved away since it was opened?
  [[nodiscard]] bool is_file_at(const std::string& path) const noexcept {
    const auto existing = file_id_of(path);  // its number cannot be another's meanwhile: we have it open
    return existing && *existing == id_;
  }
  void close() noexcept;

 private:
  std::intptr_t native_ = -1;  // a HANDLE, or a file descriptor
  std::uint64_t size_ = 0;
  file_id id_;
};

[[nodiscard]] std::optional<std::string> read_file(const std::string& path);
/// Writes beside the file and renames over it, so that a reader sees the old text or the new, never half of it.
sys_result<void> replace_file(const std::string& path, std::string_view content);
/// Over an existing target.
bool rename_file(const std::string& from, const std::string& to) noexcept;
bool remove_file(const std::string& path) noexcept;
/// With all parents. Existing: success.
sys_result<void> make_folders(const std::string& path);
/// Bytes that this process may still write where that path is, or its nearest folder that is there; nothing where the
/// system does not say. GetDiskFreeSpaceExW, statvfs.
[[nodiscard]] std::optional<std::uint64_t> free_space(const std::string& path);
/// The names of the files in a folder, in the order of their bytes; not of the folders in it.
[[nodiscard]] sys_result<std::vector<std::string>> list_files(const std::string& folder);

}  // namespace os
}  // inline namespace WINSVC_ABI
}  // namespace winsvc

// ---------------------------------------------------------------------------------------------------------------------

#if WINSVC_BODIES_OS

namespace winsvc {
inline namespace WINSVC_ABI {
namespace os {

WINSVC_INLINE std::string path_join(const std::string& folder, std::string_view name) {
  return folder + path_separator + std::string(name);
}

}  // namespace os
}  // inline namespace WINSVC_ABI
}  // namespace winsvc

#endif  // WINSVC_BODIES_OS
