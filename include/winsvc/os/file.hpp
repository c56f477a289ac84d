// The few things done with files: append, read whole, replace whole, rename, list, make folders. Paths are UTF-8;
// nothing is inherited by child processes.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "winsvc/base/clock.hpp"
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

[[nodiscard]] inline std::string path_join(const std::string& folder, std::string_view name) {
  return folder + path_separator + std::string(name);
}

/// Is what is open there (a HANDLE, a file descriptor) still what has this path? Somebody may have deleted it, or put
/// another in its place.
[[nodiscard]] bool is_at(std::intptr_t native, const std::string& path);

/// A file that is only ever added to. Others may read, rename and delete it meanwhile.
class append_file {
 public:
  append_file() = default;
  append_file(append_file&& other) noexcept
      : native_(std::exchange(other.native_, -1)), size_(other.size_), written_last_(other.written_last_) {}
  append_file& operator=(append_file&& other) noexcept {
    if (this != &other) {
      close();
      native_ = std::exchange(other.native_, -1);
      size_ = other.size_;
      written_last_ = other.written_last_;
    }
    return *this;
  }
  ~append_file() { close(); }

  [[nodiscard]] static sys_result<append_file> open(const std::string& path);
  [[nodiscard]] bool is_open() const noexcept { return native_ != -1; }
  bool write(std::string_view bytes) noexcept;
  /// Bytes in the file: those found at opening and those written since.
  [[nodiscard]] std::uint64_t size() const noexcept { return size_; }
  /// When it was written last, before it was opened.
  [[nodiscard]] clock::wall_point written_last() const noexcept { return written_last_; }
  [[nodiscard]] bool is_at(const std::string& path) const { return os::is_at(native_, path); }
  void close() noexcept;

 private:
  std::intptr_t native_ = -1;  // a HANDLE, or a file descriptor
  std::uint64_t size_ = 0;
  clock::wall_point written_last_{};
};

[[nodiscard]] std::optional<std::string> read_file(const std::string& path);
/// Writes beside the file and renames over it, so that a reader sees the old text or the new, never half of it.
sys_result<void> replace_file(const std::string& path, std::string_view content);
/// Over an existing target.
bool rename_file(const std::string& from, const std::string& to) noexcept;
bool remove_file(const std::string& path) noexcept;
/// With all parents. Existing: success.
sys_result<void> make_folders(const std::string& path);
/// The names of the files in a folder, in the order of their bytes; not of the folders in it.
[[nodiscard]] sys_result<std::vector<std::string>> list_files(const std::string& folder);

}  // namespace os
}  // inline namespace WINSVC_ABI
}  // namespace winsvc
