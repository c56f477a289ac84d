// The client behind a proxy: who asked, as far as proxies that we trust can say.
//
//   svc.use(winsvc::trusted_proxies({"127.0.0.1", "10.0.0.0/8", "fd00::/8"}));
//   req.remote_addr                           // from here on the client's address, for the rate limit and for handlers
//
// X-Forwarded-For is read from the right, and only while the one who wrote it is trusted: what stands further left
// anybody can write. From a peer that is not trusted it is ignored.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "winsvc/base/error.hpp"
#include "winsvc/base/text.hpp"
#include "winsvc/config/abi.hpp"
#include "winsvc/http/middleware.hpp"

namespace winsvc {
inline namespace WINSVC_ABI {

/// An IP address as 16 bytes; IPv4 as ::ffff:a.b.c.d.
using ip_bytes = std::array<unsigned char, 16>;
[[nodiscard]] std::optional<ip_bytes> parse_ip(std::string_view s);

/// A range of addresses: `10.0.0.0/8`, `fd00::/8`, or one address.
class ip_range {
 public:
  /// Nothing for what is none.
  [[nodiscard]] static std::optional<ip_range> parse(std::string_view s);
  [[nodiscard]] bool contains(const ip_bytes& a) const noexcept;

 private:
  ip_bytes first_{};
  unsigned bits_ = 128;
};

/// Throws setup_error for a range that is none.
[[nodiscard]] middleware trusted_proxies(const std::vector<std::string>& ranges);

// ---------------------------------------------------------------------------------------------------------------------

inline std::optional<ip_bytes> parse_ip(std::string_view s) {
  ip_bytes out{};
  const auto number = [](std::string_view digits, std::uint64_t most, std::uint64_t& value) {
    return digits.size() <= 3 && (digits.size() < 2 || digits[0] != '0') && text::parse_number(digits, most, value);
  };
  const auto dotted = [&](std::string_view four, std::size_t at) {
    const auto parts = text::split(four, '.');
    if (parts.size() != 4) return false;
    for (std::size_t i = 0; i < 4; ++i) {
      std::uint64_t value = 0;
      if (!number(parts[i], 255, value)) return false;
      out[at + i] = static_cast<unsigned char>(value);
    }
    return true;
  };
  if (s.find(':') == s.npos) {
    out[10] = out[11] = 0xFF;
    return dotted(s, 12) ? std::optional(out) : std::nullopt;
  }

  // Groups before and behind "::", which stands for as many zeros as are missing.
  std::vector<std::uint16_t> head, tail;
  const auto gap = s.find("::");
  const auto groups = [&](std::string_view part, std::vector<std::uint16_t>& into) {
    if (part.empty()) return true;
    const auto all = text::split(part, ':');
    for (std::size_t i = 0; i < all.size(); ++i) {
      if (i + 1 == all.size() && all[i].find('.') != std::string_view::npos) {  // the last 32 bits, dotted
        if (!dotted(all[i], 12)) return false;
        into.push_back(static_cast<std::uint16_t>(out[12] << 8 | out[13]));
        into.push_back(static_cast<std::uint16_t>(out[14] << 8 | out[15]));
        return true;
      }
      if (all[i].empty() || all[i].size() > 4) return false;
      unsigned value = 0;
      for (const char c : all[i]) {
        const char low = text::to_lower(c);
        const int digit = text::is_digit(c) ? c - '0' : low >= 'a' && low <= 'f' ? low - 'a' + 10 : -1;
        if (digit < 0) return false;
        value = value * 16 + static_cast<unsigned>(digit);
      }
      into.push_back(static_cast<std::uint16_t>(value));
    }
    return true;
  };
  if (!groups(s.substr(0, gap), head)) return std::nullopt;
  if (gap != s.npos && !groups(s.substr(gap + 2), tail)) return std::nullopt;
  const std::size_t have = head.size() + tail.size();
  if (gap == s.npos ? have != 8 : have > 7) return std::nullopt;
  out = {};
  for (std::size_t i = 0; i < head.size(); ++i)
    out[2 * i] = static_cast<unsigned char>(head[i] >> 8), out[2 * i + 1] = static_cast<unsigned char>(head[i] & 0xFF);
  for (std::size_t i = 0; i < tail.size(); ++i) {
    const std::size_t at = 2 * (8 - tail.size() + i);
    out[at] = static_cast<unsigned char>(tail[i] >> 8);
    out[at + 1] = static_cast<unsigned char>(tail[i] & 0xFF);
  }
  return out;
}

inline std::optional<ip_range> ip_range::parse(std::string_view s) {
  const auto slash = s.find('/');
  const auto address = parse_ip(s.substr(0, slash));
  if (!address) return std::nullopt;
  ip_range range;
  range.first_ = *address;
  if (slash == s.npos) return range;
  const bool v4 = s.find(':') == s.npos;
  std::uint64_t bits = 0;
  if (!text::parse_number(s.substr(slash + 1), v4 ? 32 : 128, bits)) return std::nullopt;
  range.bits_ = static_cast<unsigned>(bits) + (v4 ? 96 : 0);
  return range;
}

inline bool ip_range::contains(const ip_bytes& a) const noexcept {
  for (unsigned bit = 0; bit < bits_; bit += 8) {
    const unsigned left = bits_ - bit < 8 ? bits_ - bit : 8;
    const auto mask = static_cast<unsigned>(0xFF00u >> left & 0xFFu);
    if (((a[bit / 8] ^ first_[bit / 8]) & mask) != 0) return false;
  }
  return true;
}

inline middleware trusted_proxies(const std::vector<std::string>& ranges) {
  std::vector<ip_range> trusted;
  for (const auto& r : ranges) {
    const auto range = ip_range::parse(r);
    if (!range) throw setup_error("trusted_proxies: '" + r + "' is no address and no range such as 10.0.0.0/8");
    trusted.push_back(*range);
  }
  return [trusted = std::move(trusted)](const request& req, response&, const next& go_on) {
    const auto is_trusted = [&trusted](std::string_view address) {
      const auto bytes = parse_ip(address);
      if (!bytes) return false;
      for (const auto& r : trusted) {
        if (r.contains(*bytes)) return true;
      }
      return false;
    };
    // All headers of the name are one list, in their order (RFC 9110, section 5.3).
    std::vector<std::string> hops;
    const auto [begin, end] = req.headers.equal_range("X-Forwarded-For");
    for (auto header = begin; header != end; ++header) {
      for (const auto hop : text::split(header->second, ',')) hops.emplace_back(text::trimmed(hop));
    }
    std::string client = req.remote_addr;
    while (!hops.empty() && is_trusted(client) && parse_ip(hops.back())) {
      client = std::move(hops.back());
      hops.pop_back();
    }
    // cpp-httplib hands out its own non-const object as const; casting that away is well defined.
    const_cast<request&>(req).remote_addr = client;
    go_on();
  };
}

}  // inline namespace WINSVC_ABI
}  // namespace winsvc
