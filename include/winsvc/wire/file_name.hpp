// The name a client gives to a file it sends, as a name that can be given to one here.
//
//   safe_file_name("C:\\Users\\anna\\photo.jpg")   // "photo.jpg"
//   safe_file_name("../../etc/passwd")             // "passwd"
//   safe_file_name("con.txt")                      // "_con.txt": Windows opens a device by that name
//
// The result is one component of a path on every system: never empty, never "." or "..", never hidden, never a device,
// never another stream of a file. It may be the name of a file that is there already.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#include "winsvc/base/text.hpp"
#include "winsvc/config/abi.hpp"

namespace winsvc {
inline namespace WINSVC_ABI {
namespace wire {

/// UTF-8 in and out, at most 200 bytes; "file" where nothing is left.
[[nodiscard]] std::string safe_file_name(std::string_view from_client);

}  // namespace wire
}  // inline namespace WINSVC_ABI
}  // namespace winsvc

// ---------------------------------------------------------------------------------------------------------------------

#if WINSVC_BODIES_WIRE

namespace winsvc {
inline namespace WINSVC_ABI {
namespace wire {

/// Names that Windows takes for devices in every folder, whatever follows the first dot (CreateFileW, "Naming Files,
/// Paths, and Namespaces"); with the superscript digits that it takes for 1, 2 and 3.
WINSVC_INLINE bool is_device_name(std::string_view name) {
  std::string stem = strings::to_lower(name.substr(0, name.find('.')));
  while (!stem.empty() && stem.back() == ' ') stem.pop_back();
  for (const char* one : {"con", "prn", "aux", "nul", "conin$", "conout$"}) {
    if (stem == one) return true;
  }
  if (stem.compare(0, 3, "com") != 0 && stem.compare(0, 3, "lpt") != 0) return false;
  const std::string digit = stem.substr(3);
  return (digit.size() == 1 && strings::is_digit(digit[0])) || digit == "\xC2\xB9" || digit == "\xC2\xB2" ||
         digit == "\xC2\xB3";
}

WINSVC_INLINE std::string safe_file_name(std::string_view from_client) {
  constexpr std::size_t limit = 200;  // file systems take 255 bytes or units; there is room for a suffix
  const auto slash = from_client.find_last_of("/\\");
  if (slash != std::string_view::npos) from_client.remove_prefix(slash + 1);

  std::string name = strings::to_utf8(strings::to_utf16(from_client));  // what is not UTF-8 becomes U+FFFD
  for (char& c : name) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte < 0x20 || byte == 0x7F || std::string_view("<>:\"|?*").find(c) != std::string_view::npos) c = '_';
  }
  const auto first = name.find_first_not_of(". ");
  name.erase(0, first == std::string::npos ? name.size() : first);
  if (name.size() > limit) {  // the end stays, where it says what the file is
    const auto dot = name.rfind('.');
    const std::string ending = dot != std::string::npos && name.size() - dot <= 20 ? name.substr(dot) : std::string();
    name = std::string(strings::truncate(name, limit - ending.size())) + ending;
  }
  while (!name.empty() && (name.back() == '.' || name.back() == ' ')) name.pop_back();  // Windows would drop them
  if (name.empty()) return "file";
  return is_device_name(name) ? "_" + name : name;
}

}  // namespace wire
}  // inline namespace WINSVC_ABI
}  // namespace winsvc

#endif  // WINSVC_BODIES_WIRE
