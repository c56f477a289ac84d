// Service SID: the security identifier of a service, computed from its name. It exists before the service is created.
//
//   service_sid("TrustedInstaller")          // S-1-5-80-956008885-3418522649-1831038044-1853292631-2271478464
//
// Source: [MS-LSAT] 3.1.1.1.2: S-1-5-80 and the five 32-bit words of the SHA-1 of the upper-case UTF-16LE name.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "winsvc/base/sha.hpp"
#include "winsvc/base/text.hpp"
#include "winsvc/config/abi.hpp"

namespace winsvc {
inline namespace WINSVC_ABI {
namespace detail::scm {

/// Returns the SID of a service; nullopt for a name with characters outside ASCII, whose upper case is known to Windows
/// only.
[[nodiscard]] std::optional<std::string> service_sid(std::string_view name);

}  // namespace detail::scm
}  // inline namespace WINSVC_ABI
}  // namespace winsvc

// ---------------------------------------------------------------------------------------------------------------------

#if WINSVC_BODIES_SCM

namespace winsvc {
inline namespace WINSVC_ABI {
namespace detail::scm {

WINSVC_INLINE std::optional<std::string> service_sid(std::string_view name) {
  std::string utf16;
  for (const char c : name) {
    if (static_cast<unsigned char>(c) > 0x7F) return std::nullopt;
    utf16 += static_cast<char>(base::to_upper(c));
    utf16 += '\0';
  }
  const std::string digest = base::sha1(utf16);
  std::string sid = "S-1-5-80";
  for (std::size_t position = 0; position < digest.size(); position += 4) {
    std::uint32_t word = 0;
    for (std::size_t i = 4; i-- > 0;) word = word << 8 | static_cast<unsigned char>(digest[position + i]);
    sid += '-' + std::to_string(word);
  }
  return sid;
}

}  // namespace detail::scm
}  // inline namespace WINSVC_ABI
}  // namespace winsvc

#endif  // WINSVC_BODIES_SCM
