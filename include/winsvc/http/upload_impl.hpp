// The bodies of api/upload.hpp that work on files and on a request in progress, and the names of the files that are
// arriving.
#pragma once

#include <atomic>
#include <cstdint>
#include <cstdio>
#include <memory>
#include <random>
#include <string>
#include <string_view>
#include <utility>

#include "winsvc/api/upload.hpp"
#include "winsvc/base/error.hpp"
#include "winsvc/base/text.hpp"
#include "winsvc/config/abi.hpp"
#include "winsvc/http/exchange.hpp"
#include "winsvc/os/native.hpp"

namespace winsvc {
inline namespace WINSVC_ABI {
namespace http {

/// A name for a file that is arriving: whose it is, and unlike all others.
[[nodiscard]] std::string temporary_name();
/// Removes what processes that are gone have left in this folder.
void drop_old_uploads(const std::string& folder) noexcept;

/// Leaves an upload for the handler of this request.
void leave_upload(exchange& x, upload u);

}  // namespace http

}  // inline namespace WINSVC_ABI
}  // namespace winsvc

// ---------------------------------------------------------------------------------------------------------------------

#if WINSVC_BODIES_HTTP

namespace winsvc {
inline namespace WINSVC_ABI {

WINSVC_INLINE bool upload_error::no_room() const noexcept { return os::means_full(code_); }

WINSVC_INLINE uploaded_file::~uploaded_file() {
  if (temporary_) os::remove_file(path_);
}

WINSVC_INLINE void uploaded_file::save_to(const std::string& path) {
  if (const auto moved = os::move_file(path_, path); !moved)
    throw upload_error({moved.error(), "save the uploaded file as", path, os::system_words(moved.error()), {}});
  path_ = path;
  temporary_ = false;
}

namespace http {

inline constexpr std::string_view upload_prefix = "upload-", upload_ending = ".part";

WINSVC_INLINE std::string temporary_name() {
  static const std::uint32_t salt = std::random_device{}();
  static std::atomic<std::uint64_t> count{0};  // relaxed: only its uniqueness matters
  char text[64];
  std::snprintf(text, sizeof text, "%lu-%08lx-%llu", static_cast<unsigned long>(os::process_id()),
                static_cast<unsigned long>(salt),
                static_cast<unsigned long long>(count.fetch_add(1, std::memory_order_relaxed) + 1));
  return std::string(upload_prefix) + text + std::string(upload_ending);
}

WINSVC_INLINE void drop_old_uploads(const std::string& folder) noexcept {
  try {
    const auto names = os::list_files(folder);
    if (!names) return;
    for (const auto& name : *names) {
      if (!text::starts_with(name, upload_prefix)) continue;
      const std::string_view rest = std::string_view(name).substr(upload_prefix.size());
      std::uint64_t owner = 0;
      if (!text::parse_number(rest.substr(0, rest.find('-')), 0xFFFFFFFF, owner)) continue;
      // A file with our own number is of one that had it before us: this is called before the first upload.
      const auto id = static_cast<std::uint32_t>(owner);
      if (id == os::process_id() || !os::process_exists(id)) os::remove_file(os::path_join(folder, name));
    }
  } catch (...) {  // out of memory: they are removed at another start
  }
}

WINSVC_INLINE const void* upload_key() noexcept {
  static const char one = 0;
  return &one;
}
WINSVC_INLINE upload take_upload() {
  auto& values = current_exchange()->values;
  const auto found = values.find(upload_key());
  if (found == values.end()) return {};
  const auto held = std::static_pointer_cast<upload>(found->second);
  values.erase(found);
  return std::move(*held);
}
WINSVC_INLINE void leave_upload(exchange& x, upload u) { x.values[upload_key()] = std::make_shared<upload>(std::move(u)); }

}  // namespace http
}  // inline namespace WINSVC_ABI
}  // namespace winsvc

#endif  // WINSVC_BODIES_HTTP
