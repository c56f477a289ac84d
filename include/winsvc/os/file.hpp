// File functions: append, read a file, replace a file, rename, list a folder, create folders.
//
//   auto log = os::append_file::open(os::path_join(folder, "hello.log"));
//   log->write("started\n");
//
// Paths are UTF-8. Child processes do not inherit the handles.
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
namespace detail::os {

#if WINSVC_OS_WINDOWS
inline constexpr char path_separator = '\\';
inline constexpr std::uint32_t file_in_use_error = 32;  // ERROR_SHARING_VIOLATION
#else
inline constexpr char path_separator = '/';
inline constexpr std::uint32_t file_in_use_error = 16;  // EBUSY
#endif

/// `folder`, the separator, `name`.
[[nodiscard]] std::string path_join(const std::string& folder, std::string_view name);

/// Identity of a file, independent of its path. The system may reuse the number of a deleted file after its last handle
/// is closed.
struct file_id {
  std::uint64_t volume = 0, number = 0;
  friend bool operator==(const file_id& a, const file_id& b) noexcept {
    return a.volume == b.volume && a.number == b.number;
  }
  friend bool operator!=(const file_id& a, const file_id& b) noexcept { return !(a == b); }
};
/// The identity of the file at `path`; nullopt if the file does not exist or cannot be opened.
[[nodiscard]] std::optional<file_id> file_id_of(const std::string& path) noexcept;

/// A file that is open for appending. Other processes may read, rename and delete it at the same time. Movable.
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

  /// Opens the file; creates it if it does not exist.
  [[nodiscard]] static sys_result<append_file> open(const std::string& path);
  [[nodiscard]] bool is_open() const noexcept { return native_ != -1; }
  /// Appends all bytes, with one system call if possible. After a failure, a part of them may be in the file; `size()`
  /// includes that part.
  sys_result<void> write(std::string_view bytes) noexcept;
  /// Locks the file against other appenders until it is closed or the process ends. False only if another append_file
  /// has locked it: readers do not matter, and a file system without locks counts as free. flock(2); LockFileEx on a
  /// byte far after the end, because Windows denies access to locked bytes.
  [[nodiscard]] bool try_lock() noexcept;
  /// Bytes in the file: its size at `open` plus the bytes written.
  [[nodiscard]] std::uint64_t size() const noexcept { return size_; }
  /// True if `path` leads to this file: it was not deleted, renamed or replaced since `open`.
  [[nodiscard]] bool is_file_at(const std::string& path) const noexcept {
    const auto existing = file_id_of(path);  // the system cannot reuse the number while this handle is open
    return existing && *existing == id_;
  }
  void close() noexcept;

 private:
  std::intptr_t native_ = -1;  // a HANDLE, or a file descriptor
  std::uint64_t size_ = 0;
  file_id id_;
};

/// The content of a file; nullopt after an error.
[[nodiscard]] std::optional<std::string> read_file(const std::string& path);
/// Replaces the content of a file atomically: writes `path` + ".new" and renames it to `path`. A reader sees the old
/// text or the new text.
sys_result<void> replace_file(const std::string& path, std::string_view content);
/// Renames a file and replaces an existing target. On the same volume only.
bool rename_file(const std::string& from, const std::string& to) noexcept;
bool remove_file(const std::string& path) noexcept;
/// Deletes a folder with its content. Links are deleted, not followed. A folder that does not exist is a success.
sys_result<void> remove_folder(const std::string& path);
/// Deletes a folder that has no content. Fails if it has content, or if it is a link.
sys_result<void> remove_empty_folder(const std::string& path) noexcept;
/// Creates the folder and its parents. Succeeds if the folder exists.
sys_result<void> make_folders(const std::string& path);
/// Bytes that this process may still write on the volume of `path`. If `path` does not exist, its nearest existing
/// parent counts. nullopt if the system does not report it. GetDiskFreeSpaceExW, statvfs(3).
[[nodiscard]] std::optional<std::uint64_t> free_space(const std::string& path);
/// The names of the files in a folder, sorted by byte values, without subfolders.
[[nodiscard]] sys_result<std::vector<std::string>> list_files(const std::string& folder);

}  // namespace detail::os
}  // inline namespace WINSVC_ABI
}  // namespace winsvc

// ---------------------------------------------------------------------------------------------------------------------

#if WINSVC_BODIES_OS

namespace winsvc {
inline namespace WINSVC_ABI {
namespace detail::os {

WINSVC_INLINE std::string path_join(const std::string& folder, std::string_view name) {
  return folder + path_separator + std::string(name);
}

}  // namespace detail::os
}  // inline namespace WINSVC_ABI
}  // namespace winsvc

#endif  // WINSVC_BODIES_OS
