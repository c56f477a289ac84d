// A file that is read from any place of it: what a static folder is served from.
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
namespace os {

/// Open for reading; others may write, rename and delete it meanwhile. Movable.
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

  /// A regular file; a folder or a device is refused.
  [[nodiscard]] static sys_result<input_file> open(const std::string& path);

  /// As they were when it was opened.
  [[nodiscard]] std::uint64_t size() const noexcept { return size_; }
  [[nodiscard]] clock::system_time modified() const noexcept { return modified_; }
  [[nodiscard]] const file_id& id() const noexcept { return id_; }
  /// Its bytes now; nothing after an error.
  [[nodiscard]] std::optional<std::uint64_t> current_size() const noexcept;
  /// Absolute, links followed, in the spelling of the disk: where the file really is.
  [[nodiscard]] const std::string& real_path() const noexcept { return real_path_; }

  /// From any thread: how many bytes from `at` on are in `into` now; 0 at its end; nothing after an error.
  [[nodiscard]] std::optional<std::size_t> read(std::uint64_t position, char* buffer, std::size_t capacity) const noexcept;

 private:
  std::intptr_t native_ = -1;  // a HANDLE, or a file descriptor
  std::uint64_t size_ = 0;
  clock::system_time modified_;
  file_id id_;
  std::string real_path_;
};

/// Does this code of a failed open mean that there is no such file?
[[nodiscard]] bool is_missing(std::uint32_t code) noexcept;

/// Where a folder really is, as input_file::real_path; nothing where there is no folder of that name.
[[nodiscard]] std::optional<std::string> real_folder(const std::string& path);

}  // namespace os
}  // inline namespace WINSVC_ABI
}  // namespace winsvc
