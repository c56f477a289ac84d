// The few words of HTTP's grammar that the gate and the chunked decoder are written in.
//
//   is_token("Content-Type")          is_authority("[::1]:8080")          same_authority("H:80", "h")
//
// Each is a question about characters; none of them knows a request.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "winsvc/base/text.hpp"
#include "winsvc/config/abi.hpp"
#include "winsvc/route/path.hpp"

namespace winsvc {
inline namespace WINSVC_ABI {
namespace wire {

/// Letters, digits and some marks of ASCII: whether one is among them is a look at a bit.
class character_set {
 public:
  explicit constexpr character_set(std::string_view marks) noexcept {
    for (char c = '0'; c <= '9'; ++c) add(c);
    for (char c = 'a'; c <= 'z'; ++c) add(c), add(strings::to_upper(c));
    for (const char c : marks) add(c);
  }
  [[nodiscard]] constexpr bool has(char c) const noexcept {
    const auto byte = static_cast<unsigned char>(c);
    return byte < 128 && (bits_[byte / 64] >> (byte % 64) & 1) != 0;
  }

 private:
  constexpr void add(char c) noexcept {
    const auto byte = static_cast<unsigned char>(c);
    bits_[byte / 64] |= std::uint64_t{1} << (byte % 64);
  }
  std::uint64_t bits_[2] = {0, 0};
};

/// tchar of RFC 9110 section 5.6.2.
[[nodiscard]] constexpr bool is_token_char(char c) noexcept {
  constexpr character_set token("!#$%&'*+-.^_`|~");
  return token.has(c);
}
[[nodiscard]] bool is_token(std::string_view s) noexcept;
/// CTL but HTAB: in no line of a head (RFC 9110 section 5.5). CR and LF are looked at before.
[[nodiscard]] constexpr bool is_control(char c) noexcept {
  const auto byte = static_cast<unsigned char>(c);
  return (byte < 0x20 && byte != '\t') || byte == 0x7F;
}

/// `uri-host [ ":" port ]` (RFC 9110 section 7.2, RFC 3986 section 3.2.2), not empty and without a comma, which RFC
/// 3986 would allow: it is how a proxy joins two Host fields.
[[nodiscard]] bool is_authority(std::string_view s) noexcept;

/// Equal hosts, in any case and with the port 80 of "http" spelled out or not.
[[nodiscard]] bool same_authority(std::string_view a, std::string_view b) noexcept;

}  // namespace wire
}  // inline namespace WINSVC_ABI
}  // namespace winsvc

// ---------------------------------------------------------------------------------------------------------------------

#if WINSVC_BODIES_WIRE

namespace winsvc {
inline namespace WINSVC_ABI {
namespace wire {

WINSVC_INLINE bool is_token(std::string_view s) noexcept {
  return !s.empty() && std::all_of(s.begin(), s.end(), [](char c) { return is_token_char(c); });
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
    constexpr character_set name("-._~!$&'()*+;=");
    for (; end < s.size() && s[end] != ':'; ++end) {
      const char c = s[end];
      if (c == '%') {
        if (route::escaped_byte(s, end) <= 0) return false;
        end += 2;
      } else if (!name.has(c)) {
        return false;
      }
    }
    if (end == 0) return false;
  }
  if (end == s.size()) return true;
  std::uint64_t port = 0;
  return s[end] == ':' && (end + 1 == s.size() || strings::parse_number(s.substr(end + 1), 65535, port));
}
WINSVC_INLINE bool same_authority(std::string_view a, std::string_view b) noexcept {
  const auto bare = [](std::string_view s) {
    if (s.size() >= 3 && s.substr(s.size() - 3) == ":80") return s.substr(0, s.size() - 3);
    if (!s.empty() && s.back() == ':') return s.substr(0, s.size() - 1);
    return s;
  };
  return strings::equal_nocase(bare(a), bare(b));
}

}  // namespace wire
}  // inline namespace WINSVC_ABI
}  // namespace winsvc

#endif  // WINSVC_BODIES_WIRE
