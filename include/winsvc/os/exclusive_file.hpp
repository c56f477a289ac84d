// A file that comes into being: written once from front to back, for nobody but this service, and then given its place.
//
//   auto file = os::exclusive_file::create(os::path_join(folder, name));   // fails where one is
//   file->write(bytes), file->close();
//   os::move_file(path, final_path);                                 // a reader sees the old one or the new one
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
namespace os {

class exclusive_file {
 public:
  exclusive_file() = default;
  exclusive_file(exclusive_file&& other) noexcept : native_(std::exchange(other.native_, -1)) {}
  exclusive_file& operator=(exclusive_file&& other) noexcept {
    std::swap(native_, other.native_);
    return *this;
  }
  ~exclusive_file() { static_cast<void>(close()); }

  /// For its owner alone where modes are (0600); on Windows with the rights of its folder. A link is not followed.
  [[nodiscard]] static sys_result<exclusive_file> create(const std::string& path);
  [[nodiscard]] bool is_open() const noexcept { return native_ != -1; }
  sys_result<void> write(std::string_view bytes) noexcept;
  /// What the system took and could not keep may come out only here.
  sys_result<void> close() noexcept;

 private:
  std::intptr_t native_ = -1;  // a HANDLE, or a file descriptor
};

/// Over an existing target. From another volume it is copied beside the target first, so that here too a reader sees
/// all of it or nothing.
sys_result<void> move_file(const std::string& from, const std::string& to);
/// With all parents; where modes are, the last one is for its owner alone (0700).
sys_result<void> make_private_folder(const std::string& path);
/// GetTempPathW; $TMPDIR or /tmp.
[[nodiscard]] std::string temporary_folder();
/// Does this code say that there is no room: on the disk, in a quota, for so large a file?
[[nodiscard]] bool is_disk_full_error(std::uint32_t code) noexcept;
/// Is there such a process? True also where that is not for us to know.
[[nodiscard]] bool process_exists(std::uint32_t id) noexcept;

/// Where a file is put together before it has its place: beside it, by a name that nobody else uses.
[[nodiscard]] std::string sibling_path(const std::string& from, const std::string& to);

}  // namespace os
}  // inline namespace WINSVC_ABI
}  // namespace winsvc

// ---------------------------------------------------------------------------------------------------------------------

#if WINSVC_BODIES_OS

namespace winsvc {
inline namespace WINSVC_ABI {
namespace os {

WINSVC_INLINE std::string sibling_path(const std::string& from, const std::string& to) {
  const auto slash = from.find_last_of("/\\");
  return to + '-' + (slash == std::string::npos ? from : from.substr(slash + 1));
}

}  // namespace os
}  // inline namespace WINSVC_ABI
}  // namespace winsvc

#endif  // WINSVC_BODIES_OS
