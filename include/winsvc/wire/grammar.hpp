// Grammar rules of HTTP (RFC 9110, RFC 3986) that the parsers share: token, authority, control character.
//
//   is_token("Content-Type")          is_authority("[::1]:8080")
//
// The functions test text only; they do not depend on a request.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string_view>

#include "winsvc/base/text.hpp"
#include "winsvc/config/abi.hpp"
#include "winsvc/route/path.hpp"

namespace winsvc {
inline namespace WINSVC_ABI {
namespace detail::wire {

/// A set of ASCII characters: letters, digits and `marks`. The test reads one byte of a table.
class character_set {
 public:
  explicit constexpr character_set(std::string_view marks) noexcept {
    for (char c = '0'; c <= '9'; ++c) add(c);
    for (char c = 'a'; c <= 'z'; ++c) add(c), add(base::to_upper(c));
    for (const char c : marks) add(c);
  }
  [[nodiscard]] constexpr bool has(char c) const noexcept {
    return members_[static_cast<unsigned char>(c)];
  }
  /// Position of the first byte at or after `from` that is not in the set; the size of the text if all bytes are.
  [[nodiscard]] constexpr std::size_t find_end(std::string_view text, std::size_t from = 0) const noexcept {
    while (from < text.size() && has(text[from])) ++from;
    return from;
  }

 private:
  constexpr void add(char c) noexcept { members_[static_cast<unsigned char>(c)] = true; }
  bool members_[256] = {};
};

inline constexpr character_set token_characters("!#$%&'*+-.^_`|~");
/// True for tchar (RFC 9110 section 5.6.2).
[[nodiscard]] constexpr bool is_token_char(char c) noexcept { return token_characters.has(c); }
[[nodiscard]] bool is_token(std::string_view s) noexcept;
/// True for control characters other than HTAB, which are not allowed in a field (RFC 9110 section 5.5). Parsers handle
/// CR and LF first.
[[nodiscard]] constexpr bool is_control(char c) noexcept {
  const auto byte = static_cast<unsigned char>(c);
  return (byte < 0x20 && byte != '\t') || byte == 0x7F;
}

/// Position of the first byte that is not a tchar; the size of the text if all bytes are.
[[nodiscard]] constexpr std::size_t find_token_end(std::string_view text) noexcept {
  return token_characters.find_end(text);
}

/// Position of the first control character at or after `from`, HTAB included; the size of the text if it has no such
/// character.
[[nodiscard]] std::size_t find_control(std::string_view text, std::size_t from) noexcept;

/// True for `uri-host [ ":" port ]` (RFC 9110 section 7.2, RFC 3986 section 3.2.2). Rejects an empty host, and a comma,
/// which RFC 3986 allows, because a proxy may join two Host fields with a comma.
[[nodiscard]] bool is_authority(std::string_view s) noexcept;


}  // namespace detail::wire
}  // inline namespace WINSVC_ABI
}  // namespace winsvc

// ---------------------------------------------------------------------------------------------------------------------

#if WINSVC_BODIES_WIRE

namespace winsvc {
inline namespace WINSVC_ABI {
namespace detail::wire {

WINSVC_INLINE bool is_token(std::string_view s) noexcept {
  return !s.empty() && find_token_end(s) == s.size();
}
WINSVC_INLINE std::size_t find_control(std::string_view text, std::size_t from) noexcept {
  const auto is_text = [](char c) { return static_cast<unsigned char>(c) >= 0x20 && c != 0x7F; };
  // Eight bytes at a time: a byte minus 0x20 borrows if it is a control character, and so does (byte ^ 0x7F) minus 1.
  // A borrow may mark the next higher byte too, which can be text, so only the lowest mark counts.
  constexpr std::uint64_t ones = ~std::uint64_t{0} / 0xFF, highest_bits = ones * 0x80;
  std::size_t position = from;
  for (; position + 8 <= text.size(); position += 8) {
    std::uint64_t block = 0;
    std::memcpy(&block, text.data() + position, sizeof block);
    const std::uint64_t marks = ((block - ones * 0x20) | ((block ^ (ones * 0x7F)) - ones)) & ~block;
    if ((marks & highest_bits) == 0) continue;
#if defined(__GNUC__) && __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
    return position + static_cast<std::size_t>(__builtin_ctzll(marks & highest_bits)) / 8;
#else
    while (is_text(text[position])) ++position;
    return position;
#endif
  }
  while (position < text.size() && is_text(text[position])) ++position;
  return position;
}
WINSVC_INLINE bool is_authority(std::string_view s) noexcept {
  std::size_t end = 0;
  if (!s.empty() && s[0] == '[') {
    end = s.find(']');
    if (end == std::string_view::npos || end < 3) return false;
    for (const char c : s.substr(1, end - 1)) {
      if (route::hex_value(c) < 0 && c != ':' && c != '.') return false;
    }
    ++end;
  } else {
    static constexpr character_set host_characters("-._~!$&'()*+;=");
    for (;;) {
      end = host_characters.find_end(s, end);
      if (end == s.size() || s[end] != '%') break;
      if (route::escaped_byte(s, end) <= 0) return false;
      end += 3;
    }
    if (end == 0) return false;
  }
  if (end == s.size()) return true;
  std::uint64_t port = 0;
  return s[end] == ':' && (end + 1 == s.size() || base::parse_number(s.substr(end + 1), 65535, port));
}
}  // namespace detail::wire
}  // inline namespace WINSVC_ABI
}  // namespace winsvc

#endif  // WINSVC_BODIES_WIRE
