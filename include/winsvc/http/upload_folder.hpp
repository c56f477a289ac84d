// The files of uploads on disk: how a file is named while it arrives, and what is removed at the next start.
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
namespace http {

/// A name for a file that is arriving: whose it is, and unlike all others.
[[nodiscard]] std::string temporary_name();
/// Removes what processes that are gone have left in this folder.
void remove_stale_uploads(const std::string& folder) noexcept;

}  // namespace http
}  // inline namespace WINSVC_ABI
}  // namespace winsvc

// ---------------------------------------------------------------------------------------------------------------------

#if WINSVC_BODIES_HTTP

namespace winsvc {
inline namespace WINSVC_ABI {
namespace http {

inline constexpr std::string_view upload_prefix = "upload-", upload_suffix = ".part";

WINSVC_INLINE std::string temporary_name() {
  static const std::uint32_t salt = std::random_device{}();
  static std::atomic<std::uint64_t> count{0};  // relaxed: only its uniqueness matters
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
      if (!strings::starts_with(name, upload_prefix)) continue;
      const std::string_view rest = std::string_view(name).substr(upload_prefix.size());
      std::uint64_t owner = 0;
      if (!strings::parse_number(rest.substr(0, rest.find('-')), 0xFFFFFFFF, owner)) continue;
      // A file with our own number is of one that had it before us: this is called before the first upload.
      const auto id = static_cast<std::uint32_t>(owner);
      if (id == os::process_id() || !os::process_exists(id)) os::remove_file(os::path_join(folder, name));
    }
  } catch (...) {  // out of memory: they are removed at another start
  }
}

}  // namespace http
}  // inline namespace WINSVC_ABI
}  // namespace winsvc

#endif  // WINSVC_BODIES_HTTP
