// Decodes a request path into segments, and percent-encodes a segment. The path is split before it is decoded, so that
// an encoded slash stays within its segment.
//
//   decode_path("/a%2Fb/c")          // {"a/b", "c"}
//   decode_path("/users/")           // {"users", ""}: a trailing slash makes a different path
//   decode_path("/%zz")              // nullopt: 400
//   percent_encode_segment("a/b \u00FC")  // "a%2Fb%20%C3%BC"
//
// It does not resolve "." and "..", does not decode '+' as a space and does not require UTF-8. Code that maps paths to
// folders must resolve "." and ".." (RFC 3986 section 6.2.2.3).
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "winsvc/config/abi.hpp"

namespace winsvc {
inline namespace WINSVC_ABI {
namespace detail::route {

/// The decoded segments of a raw path (RFC 9110 section 4.2.1, RFC 3986 section 3.3). nullopt if the path does not
/// begin with '/', if a '%' is not followed by two hex digits (RFC 3986 section 2.1), or if it contains a NUL, encoded
/// or not.
[[nodiscard]] std::optional<std::vector<std::string>> decode_path(std::string_view raw_path);

/// Appends one decoded segment to `out`. Returns false for an invalid escape or a NUL; then `out` has a partial
/// segment.
[[nodiscard]] bool decode_segment(std::string_view raw, std::string& out);

/// True if `decode_path` would succeed. Allocates nothing. `has_escapes`: set to whether the path has escapes.
[[nodiscard]] bool path_is_valid(std::string_view raw_path, bool& has_escapes) noexcept;
[[nodiscard]] bool path_is_valid(std::string_view raw_path) noexcept;

/// Encodes one segment for a URL: each byte that is not a pchar (RFC 3986 section 3.3) becomes %XX.
[[nodiscard]] std::string percent_encode_segment(std::string_view segment);

/// Encodes the blanks, tabs, quotes and non-ASCII bytes of a URL that is otherwise complete, for a Location field (RFC
/// 9110 section 10.2.2). Existing escapes and delimiters stay.
[[nodiscard]] std::string percent_encode_url(std::string_view url);

// ---------------------------------------------------------------------------------------------------------------------

/// The value of a hex digit, or -1.
[[nodiscard]] constexpr int hex_value(char c) noexcept {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

}  // namespace detail::route
}  // inline namespace WINSVC_ABI
}  // namespace winsvc

#if WINSVC_BODIES_ROUTE

namespace winsvc {
inline namespace WINSVC_ABI {
namespace detail::route {

/// The byte of the escape at `raw[position]`, or -1 if the escape is invalid.
WINSVC_INLINE int escaped_byte(std::string_view raw, std::size_t position) noexcept {
  if (raw.size() - position < 3) return -1;
  const int high = hex_value(raw[position + 1]);
  const int low = hex_value(raw[position + 2]);
  return high < 0 || low < 0 ? -1 : high * 16 + low;
}

WINSVC_INLINE bool decode_segment(std::string_view raw, std::string& out) {
  for (std::size_t position = 0; position < raw.size(); ++position) {
    int byte = static_cast<unsigned char>(raw[position]);
    if (raw[position] == '%') {
      byte = escaped_byte(raw, position);
      position += 2;
    }
    if (byte <= 0) return false;
    out += static_cast<char>(static_cast<unsigned char>(byte));
  }
  return true;
}

WINSVC_INLINE bool path_is_valid(std::string_view raw_path, bool& has_escapes) noexcept {
  has_escapes = false;
  if (raw_path.empty() || raw_path[0] != '/') return false;
  for (std::size_t position = 1; position < raw_path.size(); ++position) {
    const char c = raw_path[position];
    if (c == '\0') return false;
    if (c != '%') continue;
    has_escapes = true;
    if (escaped_byte(raw_path, position) <= 0) return false;
    position += 2;
  }
  return true;
}

WINSVC_INLINE bool path_is_valid(std::string_view raw_path) noexcept {
  bool has_escapes = false;
  return path_is_valid(raw_path, has_escapes);
}

WINSVC_INLINE std::optional<std::vector<std::string>> decode_path(std::string_view raw_path) {
  if (raw_path.empty() || raw_path[0] != '/') return std::nullopt;
  std::vector<std::string> segments;
  std::string_view remaining = raw_path.substr(1);
  for (;;) {
    const auto slash = remaining.find('/');
    if (!decode_segment(remaining.substr(0, slash), segments.emplace_back())) return std::nullopt;
    if (slash == std::string_view::npos) return segments;
    remaining.remove_prefix(slash + 1);
  }
}

WINSVC_INLINE std::string percent_encode_segment(std::string_view segment) {
  constexpr char hex[] = "0123456789ABCDEF";
  constexpr std::string_view other_pchars = "-._~!$&'()*+,;=:@";
  std::string out;
  for (const char c : segment) {
    const auto byte = static_cast<unsigned char>(c);
    const bool alphanumeric = (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z');
    if (alphanumeric || other_pchars.find(c) != std::string_view::npos) {
      out += c;
    } else {
      out += '%';
      out += hex[byte >> 4];
      out += hex[byte & 15];
    }
  }
  return out;
}

WINSVC_INLINE std::string percent_encode_url(std::string_view url) {
  constexpr char hex[] = "0123456789ABCDEF";
  constexpr std::string_view excluded = " \t\"<>\\^`{|}";  // RFC 3986 does not allow them in any part of a URL
  std::string out;
  for (const char c : url) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte < 0x80 && excluded.find(c) == std::string_view::npos) out += c;
    else out.append(1, '%').append(1, hex[byte >> 4]).append(1, hex[byte & 15]);
  }
  return out;
}

}  // namespace detail::route
}  // inline namespace WINSVC_ABI
}  // namespace winsvc

#endif  // WINSVC_BODIES_ROUTE
