// From the tail of a route to the path of a file below a folder, or a refusal: nothing that a client writes may lead
// out of the folder, to a device, to another stream of a file, or to a file that is hidden.
//
//   file_path("css/site.css")     // "css/site.css"
//   file_path("../secret")        // nothing
//
// The rules are Windows' on every system, so that a folder that works on one works on all.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "winsvc/config/abi.hpp"
#include "winsvc/wire/file_name.hpp"

namespace winsvc {
inline namespace WINSVC_ABI {
namespace wire {

struct path_mapping_rules {
  bool hidden = false;  ///< are names that begin with a dot served?
};

/// `tail` is decoded. The path has '/' between its names, and none at its end; "" is the folder itself.
[[nodiscard]] std::optional<std::string> map_to_file(std::string_view tail, path_mapping_rules rules = {});

}  // namespace wire
}  // inline namespace WINSVC_ABI
}  // namespace winsvc

// ---------------------------------------------------------------------------------------------------------------------

#if WINSVC_BODIES_WIRE

namespace winsvc {
inline namespace WINSVC_ABI {
namespace wire {

/// May this be a name in the path? (Naming Files, Paths, and Namespaces: reserved characters and names, and that a dot
/// or a blank at the end is dropped, so that two names are one file.)
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
  for (std::string_view rest = tail;;) {
    const auto slash = rest.find('/');
    if (!is_file_name(rest.substr(0, slash), rules)) return std::nullopt;
    if (slash == rest.npos) return std::string(tail);
    rest.remove_prefix(slash + 1);
  }
}

}  // namespace wire
}  // inline namespace WINSVC_ABI
}  // namespace winsvc

#endif  // WINSVC_BODIES_WIRE
