// Safe file names for uploads: turns the file name that a client sends into a name that can be used on this system.
//
//   safe_file_name("C:\\Users\\anna\\photo.jpg")   // "photo.jpg"
//   safe_file_name("../../etc/passwd")             // "passwd"
//   safe_file_name("con.txt")                      // "_con.txt": on Windows, "con.txt" opens a device
//
// The result is one component of a path on every system. It is never empty, "." or "..", a hidden name, a device name
// or an NTFS stream. A file of this name may already exist.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#include "winsvc/base/text.hpp"
#include "winsvc/config/abi.hpp"

namespace winsvc {
inline namespace WINSVC_ABI {
namespace detail::wire {

/// Input and result are UTF-8. The result has at most 200 bytes; it is "file" if no character is usable.
[[nodiscard]] std::string safe_file_name(std::string_view from_client);

}  // namespace detail::wire
}  // inline namespace WINSVC_ABI
}  // namespace winsvc

// ---------------------------------------------------------------------------------------------------------------------

#if WINSVC_BODIES_WIRE

namespace winsvc {
inline namespace WINSVC_ABI {
namespace detail::wire {

/// True for names that Windows treats as devices in each folder, regardless of the text after the first dot (Win32:
/// "Naming Files, Paths, and Namespaces"). COM and LPT also accept the superscript digits 1, 2 and 3.
WINSVC_INLINE bool is_device_name(std::string_view name) {
  std::string stem = base::to_lower(name.substr(0, name.find('.')));
  while (!stem.empty() && stem.back() == ' ') stem.pop_back();
  for (const char* device : {"con", "prn", "aux", "nul", "conin$", "conout$"}) {
    if (stem == device) return true;
  }
  if (stem.compare(0, 3, "com") != 0 && stem.compare(0, 3, "lpt") != 0) return false;
  const std::string digit = stem.substr(3);
  return (digit.size() == 1 && base::is_digit(digit[0])) || digit == "\xC2\xB9" || digit == "\xC2\xB2" ||
         digit == "\xC2\xB3";
}

WINSVC_INLINE std::string safe_file_name(std::string_view from_client) {
  constexpr std::size_t max_bytes = 200;  // file systems allow 255 bytes or UTF-16 units; the app may add a suffix
  const auto slash = from_client.find_last_of("/\\");
  if (slash != std::string_view::npos) from_client.remove_prefix(slash + 1);

  std::string name = base::to_utf8(base::to_utf16(from_client));  // replaces invalid UTF-8 by U+FFFD
  for (char& c : name) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte < 0x20 || byte == 0x7F || std::string_view("<>:\"|?*").find(c) != std::string_view::npos) c = '_';
  }
  const auto first = name.find_first_not_of(". ");
  name.erase(0, first == std::string::npos ? name.size() : first);
  if (name.size() > max_bytes) {  // keep the extension, which determines the type of the file
    const auto dot = name.rfind('.');
    const bool has_extension = dot != std::string::npos && name.size() - dot <= 20;
    const std::string extension = has_extension ? name.substr(dot) : std::string();
    name = std::string(base::truncate(name, max_bytes - extension.size())) + extension;
  }
  while (!name.empty() && (name.back() == '.' || name.back() == ' ')) name.pop_back();  // Windows removes them
  if (name.empty()) return "file";
  return is_device_name(name) ? "_" + name : name;
}

}  // namespace detail::wire
}  // inline namespace WINSVC_ABI
}  // namespace winsvc

#endif  // WINSVC_BODIES_WIRE
