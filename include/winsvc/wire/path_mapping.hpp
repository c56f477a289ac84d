// Safe mapping of a URL path to a file below a static folder. It rejects paths that leave the folder (path traversal)
// or name a device, an NTFS stream or a hidden file.
//
//   map_to_file("css/site.css")     // "css/site.css"
//   map_to_file("../secret")        // nullopt
//
// The rules of Windows apply on every system, so that a folder can be moved between systems.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "winsvc/config/abi.hpp"
#include "winsvc/wire/file_name.hpp"

namespace winsvc {
inline namespace WINSVC_ABI {
namespace detail::wire {

struct path_mapping_rules {
  bool hidden = false;  ///< serve names that begin with a dot
};

/// Returns the path relative to the folder, with '/' between the names and no '/' at the end; "" is the folder itself.
/// nullopt if the path is rejected. `tail` is the decoded tail parameter of the route.
[[nodiscard]] std::optional<std::string> map_to_file(std::string_view tail, path_mapping_rules rules = {});

}  // namespace detail::wire
}  // inline namespace WINSVC_ABI
}  // namespace winsvc

// ---------------------------------------------------------------------------------------------------------------------

#if WINSVC_BODIES_WIRE

namespace winsvc {
inline namespace WINSVC_ABI {
namespace detail::wire {

/// True if `name` is allowed in a path. Windows reserves characters and names, and removes a dot or a blank at the end,
/// so that two names denote one file (Win32: "Naming Files, Paths, and Namespaces").
WINSVC_INLINE bool is_file_name(std::string_view name, path_mapping_rules rules) {
  if (name.empty() || name == "." || name == "..") return false;
  if (name.front() == '.' && !rules.hidden) return false;
  if (name.back() == '.' || name.back() == ' ') return false;
  for (const char c : name) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte < 0x20 || byte == 0x7F || std::string_view("\\/:*?\"<>|").find(c) != std::string_view::npos) return false;
  }
  return !is_device_name(name);
}

WINSVC_INLINE std::optional<std::string> map_to_file(std::string_view tail, path_mapping_rules rules) {
  if (tail.empty()) return std::string();
  if (tail.back() == '/') tail.remove_suffix(1);
  for (std::string_view remaining = tail;;) {
    const auto slash = remaining.find('/');
    if (!is_file_name(remaining.substr(0, slash), rules)) return std::nullopt;
    if (slash == remaining.npos) return std::string(tail);
    remaining.remove_prefix(slash + 1);
  }
}

}  // namespace detail::wire
}  // inline namespace WINSVC_ABI
}  // namespace winsvc

#endif  // WINSVC_BODIES_WIRE
