// IP addresses and ranges, and the address of a client behind trusted proxies.
//
//   parse_ip("::ffff:10.0.0.1") == parse_ip("10.0.0.1")
//   ip_range::parse("10.0.0.0/8")->contains(*parse_ip("10.1.2.3"))
//   walk_proxies("127.0.0.1", {"1.1.1.1", "203.0.113.9"}, {*ip_range::parse("127.0.0.1")}).client    // "203.0.113.9"
//
// Zone identifiers ("fe80::1%eth0") are not supported.
// Source: RFC 4291 section 2.2, RFC 4632 section 3.1.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

#include "winsvc/base/text.hpp"
#include "winsvc/config/abi.hpp"

namespace winsvc {
inline namespace WINSVC_ABI {

/// An IP address as 16 bytes; IPv4 as ::ffff:a.b.c.d.
using ip_bytes = std::array<unsigned char, 16>;
/// Parses an IPv4 or IPv6 address; nullopt if the text is not an address.
[[nodiscard]] std::optional<ip_bytes> parse_ip(std::string_view s);

/// A range of addresses: `10.0.0.0/8`, `fd00::/8`, or one address. An IPv6 range contains IPv4 addresses only if its
/// prefix has 96 bits or more, so that "::/0" does not contain them.
class ip_range {
 public:
  /// Parses a range; nullopt if the text is not a range, or if host bits are set (`10.0.0.1/8`), because it is then
  /// unclear whether an address or a network is meant.
  [[nodiscard]] static std::optional<ip_range> parse(std::string_view s);
  [[nodiscard]] bool contains(const ip_bytes& a) const noexcept;

 private:
  ip_bytes first_{};
  unsigned bits_ = 128;
};

namespace detail::wire {

/// True if the address is in one of the ranges.
[[nodiscard]] bool is_in_ranges(std::string_view address, const std::vector<ip_range>& ranges);

/// The client that a list of hops leads to.
struct proxy_walk {
  std::string_view client;
  std::size_t hops = 0;  ///< number of entries that were believed
};
/// Finds the client's address behind trusted proxies. It reads `hops` (the entries of X-Forwarded-For, or the nodes of
/// Forwarded, in their order) from the right and believes an entry if the hop that wrote it is trusted. The peer wrote
/// the last entry. Ports and brackets are removed. Reading stops at an entry that is not an address.
[[nodiscard]] proxy_walk walk_proxies(std::string_view peer, const std::vector<std::string_view>& hops,
                                      const std::vector<ip_range>& trusted);

/// Returns the part of an address that identifies one client: the IPv4 address, or the /64 prefix of an IPv6 address.
/// Returns "::" if the text is not an address.
[[nodiscard]] ip_bytes rate_limit_key(std::string_view address);

}  // namespace detail::wire

}  // inline namespace WINSVC_ABI
}  // namespace winsvc

// ---------------------------------------------------------------------------------------------------------------------

#if WINSVC_BODIES_WIRE

namespace winsvc {
inline namespace WINSVC_ABI {

WINSVC_INLINE bool is_v4(const ip_bytes& a) noexcept {
  return a[10] == 0xFF && a[11] == 0xFF && std::all_of(a.begin(), a.begin() + 10, [](auto byte) { return byte == 0; });
}

WINSVC_INLINE std::optional<ip_bytes> parse_ip(std::string_view s) {
  ip_bytes out{};
  const auto number = [](std::string_view digits, std::uint64_t limit, std::uint64_t& value) {
    return digits.size() <= 3 && (digits.size() < 2 || digits[0] != '0') &&
           detail::base::parse_number(digits, limit, value);
  };
  const auto dotted = [&](std::string_view text, std::size_t position) {
    const auto parts = detail::base::split(text, '.');
    if (parts.size() != 4) return false;
    for (std::size_t i = 0; i < 4; ++i) {
      std::uint64_t value = 0;
      if (!number(parts[i], 255, value)) return false;
      out[position + i] = static_cast<unsigned char>(value);
    }
    return true;
  };
  if (s.find(':') == s.npos) {
    out[10] = out[11] = 0xFF;
    return dotted(s, 12) ? std::optional(out) : std::nullopt;
  }

  // The groups before and after "::", which replaces the missing groups of zeros.
  std::vector<std::uint16_t> head, tail;
  const auto gap = s.find("::");
  const auto groups = [&](std::string_view part, std::vector<std::uint16_t>& output) {
    if (part.empty()) return true;
    const auto items = detail::base::split(part, ':');
    for (std::size_t i = 0; i < items.size(); ++i) {
      if (i + 1 == items.size() && items[i].find('.') != std::string_view::npos) {  // the last 32 bits, dotted
        if (!dotted(items[i], 12)) return false;
        output.push_back(static_cast<std::uint16_t>(out[12] << 8 | out[13]));
        output.push_back(static_cast<std::uint16_t>(out[14] << 8 | out[15]));
        return true;
      }
      if (items[i].empty() || items[i].size() > 4) return false;
      unsigned value = 0;
      for (const char c : items[i]) {
        const char low = detail::base::to_lower(c);
        const int digit = detail::base::is_digit(c) ? c - '0' : low >= 'a' && low <= 'f' ? low - 'a' + 10 : -1;
        if (digit < 0) return false;
        value = value * 16 + static_cast<unsigned>(digit);
      }
      output.push_back(static_cast<std::uint16_t>(value));
    }
    return true;
  };
  if (!groups(s.substr(0, gap), head)) return std::nullopt;
  if (gap != s.npos && !groups(s.substr(gap + 2), tail)) return std::nullopt;
  const std::size_t count = head.size() + tail.size();
  if (gap == s.npos ? count != 8 : count > 7) return std::nullopt;
  out = {};
  const auto store = [&out](const auto& numbers, std::size_t first) {
    for (std::size_t i = 0; i < numbers.size(); ++i) {
      out[2 * (first + i)] = static_cast<unsigned char>(numbers[i] >> 8);
      out[2 * (first + i) + 1] = static_cast<unsigned char>(numbers[i] & 0xFF);
    }
  };
  store(head, 0);
  store(tail, 8 - tail.size());
  return out;
}

/// Returns byte number `byte` of the mask of a network whose prefix has `bits` bits.
WINSVC_INLINE unsigned network_mask(unsigned byte, unsigned bits) noexcept {
  const unsigned bits_in_byte = bits <= 8 * byte ? 0 : (std::min)(bits - 8 * byte, 8u);
  return 0xFF00u >> bits_in_byte & 0xFFu;
}

WINSVC_INLINE std::optional<ip_range> ip_range::parse(std::string_view s) {
  const auto slash = s.find('/');
  const auto address = parse_ip(s.substr(0, slash));
  if (!address) return std::nullopt;
  ip_range range;
  range.first_ = *address;
  if (slash == s.npos) return range;
  const bool v4 = s.find(':') == s.npos;
  std::uint64_t bits = 0;
  if (!detail::base::parse_number(s.substr(slash + 1), v4 ? 32 : 128, bits)) return std::nullopt;
  range.bits_ = static_cast<unsigned>(bits) + (v4 ? 96 : 0);
  for (unsigned i = 0; i < 16; ++i) {
    if ((range.first_[i] & ~network_mask(i, range.bits_) & 0xFFu) != 0) return std::nullopt;
  }
  return range;
}

WINSVC_INLINE bool ip_range::contains(const ip_bytes& a) const noexcept {
  if (bits_ < 96 && is_v4(a)) return false;
  for (unsigned i = 0; i < 16; ++i) {
    if (((a[i] ^ first_[i]) & network_mask(i, bits_)) != 0) return false;
  }
  return true;
}

namespace detail::wire {

/// Returns the address of `203.0.113.9:4711`, `[2001:db8::1]:4711` or `[2001:db8::1]`; empty if it is invalid.
WINSVC_INLINE std::string_view address_in(std::string_view hop) {
  auto address = hop;
  std::string_view port_text;
  if (!hop.empty() && hop.front() == '[') {
    const auto end = hop.find(']');
    if (end == hop.npos) return {};
    address = hop.substr(1, end - 1);
    port_text = hop.substr(end + 1);
    if (address.find(':') == address.npos) return {};
  } else if (std::count(hop.begin(), hop.end(), ':') == 1) {  // an IPv6 address has at least two colons
    address = hop.substr(0, hop.find(':'));
    port_text = hop.substr(address.size());
  }
  std::uint64_t port = 0;
  if (!port_text.empty() && !(port_text.front() == ':' && base::parse_number(port_text.substr(1), 65535, port)))
    return {};
  return parse_ip(address) ? address : std::string_view();
}

WINSVC_INLINE bool is_in_ranges(std::string_view address, const std::vector<ip_range>& ranges) {
  const auto bytes = parse_ip(address);
  return bytes && std::any_of(ranges.begin(), ranges.end(), [&](const auto& range) { return range.contains(*bytes); });
}

WINSVC_INLINE proxy_walk walk_proxies(std::string_view peer, const std::vector<std::string_view>& hops,
                                      const std::vector<ip_range>& trusted) {
  proxy_walk walk{peer};
  while (walk.hops < hops.size() && is_in_ranges(walk.client, trusted)) {
    const auto address = address_in(hops[hops.size() - 1 - walk.hops]);
    if (address.empty()) break;
    walk.client = address;
    ++walk.hops;
  }
  return walk;
}

WINSVC_INLINE ip_bytes rate_limit_key(std::string_view address) {
  auto bytes = parse_ip(address).value_or(ip_bytes{});
  if (!is_v4(bytes)) std::fill(bytes.begin() + 8, bytes.end(), static_cast<unsigned char>(0));
  return bytes;
}

}  // namespace detail::wire
}  // inline namespace WINSVC_ABI
}  // namespace winsvc

#endif  // WINSVC_BODIES_WIRE
