// Upload folder: names the files that are being received, and removes the files of a process that no longer exists.
//
//   os::path_join(folder, temporary_upload_name())     // /tmp/upload-4711-1a2b3c4d-1.part
//   remove_stale_uploads(folder);                      // at start
//
// http/upload_reader.hpp writes the files.
#pragma once

#include <atomic>
#include <cstdint>
#include <cstdio>
#include <random>
#include <string>
#include <string_view>

#include "winsvc/base/text.hpp"
#include "winsvc/config/abi.hpp"
#include "winsvc/os/native.hpp"

namespace winsvc {
inline namespace WINSVC_ABI {
namespace detail::http {

/// Returns a unique name for a file that is being received; it contains the process id.
[[nodiscard]] std::string temporary_upload_name();
/// Removes the files in `folder` whose process no longer exists. Call it before the first upload.
void remove_stale_uploads(const std::string& folder) noexcept;

}  // namespace detail::http
}  // inline namespace WINSVC_ABI
}  // namespace winsvc

// ---------------------------------------------------------------------------------------------------------------------

#if WINSVC_BODIES_HTTP

namespace winsvc {
inline namespace WINSVC_ABI {
namespace detail::http {

inline constexpr std::string_view upload_prefix = "upload-", upload_suffix = ".part";

WINSVC_INLINE std::string temporary_upload_name() {
  static const std::uint32_t salt = std::random_device{}();
  static std::atomic<std::uint64_t> count{0};  // relaxed: only uniqueness matters
  char text[64];
  std::snprintf(text, sizeof text, "%lu-%08lx-%llu", static_cast<unsigned long>(os::process_id()),
                static_cast<unsigned long>(salt),
                static_cast<unsigned long long>(count.fetch_add(1, std::memory_order_relaxed) + 1));
  return std::string(upload_prefix) + text + std::string(upload_suffix);
}

WINSVC_INLINE void remove_stale_uploads(const std::string& folder) noexcept {
  try {
    const auto names = os::list_files(folder);
    if (!names) return;
    for (const auto& name : *names) {
      if (!base::starts_with(name, upload_prefix)) continue;
      const std::string_view suffix = std::string_view(name).substr(upload_prefix.size());
      std::uint64_t owner = 0;
      if (!base::parse_number(suffix.substr(0, suffix.find('-')), 0xFFFFFFFF, owner)) continue;
      // A file with the id of this process belongs to an earlier process with the same id: no upload has begun yet.
      const auto id = static_cast<std::uint32_t>(owner);
      if (id == os::process_id() || !os::process_exists(id)) os::remove_file(os::path_join(folder, name));
    }
  } catch (...) {  // out of memory: the next start removes them
  }
}

}  // namespace detail::http
}  // inline namespace WINSVC_ABI
}  // namespace winsvc

#endif  // WINSVC_BODIES_HTTP
