// Encodes and decodes base64, escapes text for HTML, and compares secrets in constant time.
//
//   base::from_base64("aGVsbG8=")            // "hello"; nullopt if the text is not base64 (RFC 4648 section 4)
//   base::escape_html("a < b")               // "a &lt; b"
//   equal_secret(given, expected)            // the time does not depend on the first difference
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "winsvc/config/abi.hpp"

namespace winsvc {
inline namespace WINSVC_ABI {
namespace detail::base {

/// Base64 with padding (RFC 4648 section 4).
[[nodiscard]] std::string to_base64(std::string_view bytes);
/// Base64url without padding, for cookies and paths (RFC 4648 section 5).
[[nodiscard]] std::string to_base64url(std::string_view bytes);
/// Decodes either alphabet, with or without padding. nullopt for any other character, or if unused bits are not zero.
[[nodiscard]] std::optional<std::string> from_base64(std::string_view s);
/// The text for the content of an element or for a quoted attribute value of HTML: &, <, >, " and ' become references.
[[nodiscard]] std::string escape_html(std::string_view text);

}  // namespace detail::base

/// True if the texts are equal. The time depends only on the length of `given`, so that a client cannot learn the
/// secret from response times.
[[nodiscard]] bool equal_secret(std::string_view given, std::string_view expected) noexcept;

}  // inline namespace WINSVC_ABI
}  // namespace winsvc

// ---------------------------------------------------------------------------------------------------------------------

#if WINSVC_BODIES_BASE

namespace winsvc {
inline namespace WINSVC_ABI {
namespace detail::base {

WINSVC_INLINE std::string encode_base64(std::string_view bytes, const char (&digits)[65], bool padded) {
  std::string out;
  out.reserve((bytes.size() + 2) / 3 * 4);
  for (std::size_t i = 0; i < bytes.size(); i += 3) {
    std::uint32_t group = 0;
    const std::size_t count = bytes.size() - i < 3 ? bytes.size() - i : 3;
    for (std::size_t k = 0; k < 3; ++k)
      group = group << 8 | (k < count ? static_cast<unsigned char>(bytes[i + k]) : 0u);
    for (std::size_t k = 0; k < 4; ++k) {
      if (k <= count) out += digits[group >> (18 - 6 * k) & 63];
      else if (padded) out += '=';
    }
  }
  return out;
}

WINSVC_INLINE std::string to_base64(std::string_view bytes) {
  return encode_base64(bytes, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/", true);
}
WINSVC_INLINE std::string to_base64url(std::string_view bytes) {
  return encode_base64(bytes, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_", false);
}

WINSVC_INLINE std::optional<std::string> from_base64(std::string_view s) {
  const auto value = [](char c) -> int {
    if (c >= 'A' && c <= 'Z') return c - 'A';
    if (c >= 'a' && c <= 'z') return c - 'a' + 26;
    if (c >= '0' && c <= '9') return c - '0' + 52;
    return c == '+' || c == '-' ? 62 : c == '/' || c == '_' ? 63 : -1;
  };
  if (s.size() % 4 == 0) {
    for (int i = 0; i < 2 && !s.empty() && s.back() == '='; ++i) s.remove_suffix(1);
  }
  if (s.size() % 4 == 1) return std::nullopt;
  std::string out;
  std::uint32_t bits = 0;
  int bit_count = 0;
  for (const char c : s) {
    const int v = value(c);
    if (v < 0) return std::nullopt;
    bits = (bits << 6 | static_cast<std::uint32_t>(v)) & 0xFFFFu;
    bit_count += 6;
    if (bit_count < 8) continue;
    bit_count -= 8;
    out += static_cast<char>(bits >> bit_count & 0xFFu);
  }
  if ((bits & ((1u << bit_count) - 1)) != 0) return std::nullopt;  // otherwise two texts would decode to the same bytes
  return out;
}

WINSVC_INLINE std::string escape_html(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  for (const char c : text) {
    switch (c) {
      case '&': out += "&amp;"; break;
      case '<': out += "&lt;"; break;
      case '>': out += "&gt;"; break;
      case '"': out += "&quot;"; break;
      case '\'': out += "&#39;"; break;
      default: out += c;
    }
  }
  return out;
}

}  // namespace detail::base

WINSVC_INLINE bool equal_secret(std::string_view given, std::string_view expected) noexcept {
  volatile unsigned char different = given.size() == expected.size() ? 0 : 1;
  for (std::size_t i = 0; i < given.size(); ++i) {
    const char against = expected.empty() ? '\0' : expected[i % expected.size()];
    different = static_cast<unsigned char>(
        different | (static_cast<unsigned char>(given[i]) ^ static_cast<unsigned char>(against)));
  }
  return different == 0;
}

}  // inline namespace WINSVC_ABI
}  // namespace winsvc

#endif  // WINSVC_BODIES_BASE
