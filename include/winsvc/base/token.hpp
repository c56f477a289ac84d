// Random tokens: hexadecimal digits that must not be guessed, for names and access tokens.
//
//   random_hex(32)                           // 128 random bits
#pragma once

#include <cstddef>
#include <random>
#include <string>

#include "winsvc/config/abi.hpp"

namespace winsvc {
inline namespace WINSVC_ABI {
namespace detail::base {

/// Returns random hexadecimal digits from std::random_device, which is the generator of the system with all supported
/// compilers.
[[nodiscard]] std::string random_hex(std::size_t digits);

}  // namespace detail::base
}  // inline namespace WINSVC_ABI
}  // namespace winsvc

// ---------------------------------------------------------------------------------------------------------------------

#if WINSVC_BODIES_BASE

namespace winsvc {
inline namespace WINSVC_ABI {
namespace detail::base {

WINSVC_INLINE std::string random_hex(std::size_t digits) {
  std::random_device random;
  std::string out;
  while (out.size() < digits) out += "0123456789abcdef"[random() & 15u];
  return out;
}

}  // namespace detail::base
}  // inline namespace WINSVC_ABI
}  // namespace winsvc

#endif  // WINSVC_BODIES_BASE
