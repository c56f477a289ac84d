// Host names: decides whether a service accepts the name in the Host field of a request (against DNS rebinding).
//
//   is_allowed_host("LOCALHOST:8080", {})                          // true
//   is_allowed_host("a.example.com:443", {"*.example.com"})        // true
//   is_allowed_host("rebound.example", {})                         // false
//
// The name of another site can resolve to 127.0.0.1. For a browser, a page of that site then has the same origin as the
// service. Only the Host field shows the difference.
// Source: RFC 9110 section 7.2; RFC 6761 section 6.3 (localhost).
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "winsvc/base/text.hpp"
#include "winsvc/config/abi.hpp"
#include "winsvc/wire/ip.hpp"

namespace winsvc {
inline namespace WINSVC_ABI {
namespace detail::wire {

/// Returns the host of a Host field, without port, brackets and final dot; empty if the field is malformed.
[[nodiscard]] std::string_view host_of(std::string_view field) noexcept;
/// True if the address or name belongs to the loopback interface: localhost, 127.0.0.0/8, ::1. Without brackets.
[[nodiscard]] bool is_loopback_host(std::string_view host);
/// Detail text of the response to a request for another host.
inline constexpr std::string_view rejected_host_reason =
    "the service does not accept the host name of the request (header Host); the setting allowed_hosts adds names";
/// True if the field names the loopback interface or one of `names`: a name, an address, `*.example.com` for all
/// subdomains, or `*`. Case and port are ignored.
[[nodiscard]] bool is_allowed_host(std::string_view field, const std::vector<std::string>& names);

}  // namespace detail::wire
}  // inline namespace WINSVC_ABI
}  // namespace winsvc

// ---------------------------------------------------------------------------------------------------------------------

#if WINSVC_BODIES_WIRE

namespace winsvc {
inline namespace WINSVC_ABI {
namespace detail::wire {

WINSVC_INLINE std::string_view host_of(std::string_view field) noexcept {
  if (!field.empty() && field.front() == '[') {
    const auto end = field.find(']');
    if (end == field.npos || (end + 1 < field.size() && field[end + 1] != ':')) return {};
    const std::string_view host = field.substr(1, end - 1);
    return host.find(':') == host.npos ? std::string_view() : host;  // brackets are for IPv6 only
  }
  std::string_view host = field.substr(0, field.find(':'));
  if (!host.empty() && host.back() == '.') host.remove_suffix(1);
  return host;
}

WINSVC_INLINE bool is_loopback_host(std::string_view host) {
  if (host == "127.0.0.1" || host == "::1" || base::equal_nocase(host, "localhost")) return true;  // the usual names
  static const auto v4 = ip_range::parse("127.0.0.0/8"), v6 = ip_range::parse("::1");
  const auto bytes = parse_ip(host);
  return bytes && (v4->contains(*bytes) || v6->contains(*bytes));
}

WINSVC_INLINE bool is_allowed_host(std::string_view field, const std::vector<std::string>& names) {
  const std::string_view host = host_of(field);
  if (is_loopback_host(host)) return true;
  for (const std::string_view name : names) {
    if (name == "*") return true;
    if (base::starts_with(name, "*.")) {
      const auto domain = name.substr(1);
      const bool is_longer = host.size() > domain.size();
      if (is_longer && base::equal_nocase(host.substr(host.size() - domain.size()), domain)) return true;
    } else if (!host.empty() && base::equal_nocase(host, name)) {
      return true;
    }
  }
  return false;
}

}  // namespace detail::wire
}  // inline namespace WINSVC_ABI
}  // namespace winsvc

#endif  // WINSVC_BODIES_WIRE
