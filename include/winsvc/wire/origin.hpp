// Origin check: decides whether a page of another site may use this service (the Origin field, RFC 6454).
//
//   is_allowed_origin("http://a.example", "a.example:80", {})                               // true: the same site
//   is_allowed_origin("https://app.example", "a.example", {"https://app.example"})          // true: it is listed
//   is_allowed_origin("https://evil.example", "a.example", {})                              // false
//
// WebSockets and `same_origin` use it. CORS has a separate check, because it returns the origin to the browser.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "winsvc/base/text.hpp"
#include "winsvc/config/abi.hpp"

namespace winsvc {
inline namespace WINSVC_ABI {
namespace detail::wire {

/// True if a page of `origin` may connect. A browser lets each page connect to each server and adds the user's cookies:
/// without this check, a page of another site could act as the user (RFC 6455 section 10.2). Allowed are origins with
/// the host of the request, and `origins`: `https://host[:port]` each, or "*". The scheme is not compared, because the
/// service may run behind a TLS proxy.
[[nodiscard]] bool is_allowed_origin(std::string_view origin, std::string_view host,
                                     const std::vector<std::string>& origins) noexcept;

}  // namespace detail::wire
}  // inline namespace WINSVC_ABI
}  // namespace winsvc

// ---------------------------------------------------------------------------------------------------------------------

#if WINSVC_BODIES_WIRE

namespace winsvc {
inline namespace WINSVC_ABI {
namespace detail::wire {

WINSVC_INLINE bool is_allowed_origin(std::string_view origin, std::string_view host,
                                     const std::vector<std::string>& origins) noexcept {
  for (const auto& allowed : origins) {
    if (allowed == "*" || base::equal_nocase(allowed, origin)) return true;
  }
  const auto scheme_end = origin.find("://");
  if (scheme_end == origin.npos) return false;  // "null", an opaque origin
  const auto scheme = origin.substr(0, scheme_end);
  origin.remove_prefix(scheme_end + 3);
  const std::string_view default_port = base::equal_nocase(scheme, "https") ? ":443" : ":80";
  const auto without_default_port = [default_port](std::string_view authority) {
    const bool has_port = authority.size() > default_port.size() &&
                          authority.substr(authority.size() - default_port.size()) == default_port;
    return has_port ? authority.substr(0, authority.size() - default_port.size()) : authority;
  };
  return !host.empty() && base::equal_nocase(without_default_port(origin), without_default_port(host));
}

}  // namespace detail::wire
}  // inline namespace WINSVC_ABI
}  // namespace winsvc

#endif  // WINSVC_BODIES_WIRE
