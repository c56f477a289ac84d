// Trusted proxies: middleware that reads the client's address, scheme, host, path prefix and request id from the fields
// that a proxy has added.
//
//   svc.use(winsvc::trusted_proxies({"127.0.0.1", "10.0.0.0/8", "fd00::/8"}));
//   req.remote_addr                           // the client's address, in the following middleware and handlers
//   winsvc::absolute_url(req, "/users/7")     // "https://example.com/app/users/7"
//
// The fields are Forwarded (RFC 7239), X-Forwarded-For, X-Forwarded-Proto, X-Forwarded-Host, X-Forwarded-Prefix,
// X-Request-Id and traceparent. They are ignored if the peer is not a trusted proxy, and lists are read from the right
// (wire/forwarded.hpp), because any client can send them. Configure the proxy so that it sets or removes each of them.
#pragma once

#include <algorithm>
#include <cstddef>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "winsvc/base/error.hpp"
#include "winsvc/base/text.hpp"
#include "winsvc/config/abi.hpp"
#include "winsvc/api/context.hpp"
#include "winsvc/api/middleware.hpp"
#include "winsvc/api/values.hpp"
#include "winsvc/wire/forwarded.hpp"
#include "winsvc/wire/grammar.hpp"
#include "winsvc/wire/ip.hpp"

namespace winsvc {
inline namespace WINSVC_ABI {

/// `ranges`: addresses and ranges of the trusted proxies. Throws setup_error for an invalid range (`ip_range::parse` in
/// wire/ip.hpp).
[[nodiscard]] middleware trusted_proxies(const std::vector<std::string>& ranges);

}  // inline namespace WINSVC_ABI
}  // namespace winsvc

// ---------------------------------------------------------------------------------------------------------------------

#if WINSVC_BODIES_ADDONS

namespace winsvc {
inline namespace WINSVC_ABI {

namespace detail::addons {

/// The request id that a proxy has sent: X-Request-Id if it is short and has plain characters only, else the trace id
/// of a valid traceparent (W3C Trace Context, section 3.2). Empty if both are missing.
WINSVC_INLINE std::string id_of_proxy(const std::string& request_id, const std::string& traceparent) {
  constexpr std::size_t max_bytes = 128;
  constexpr wire::character_set plain("-._");
  const auto is_plain_id = [&](char c) { return plain.has(c); };
  if (!request_id.empty() && request_id.size() <= max_bytes &&
      std::all_of(request_id.begin(), request_id.end(), is_plain_id))
    return request_id;
  const auto parts = base::split(traceparent, '-');
  const auto is_hex = [](std::string_view text, std::size_t size) {
    return text.size() == size && text.find_first_not_of("0123456789abcdef") == text.npos;
  };
  const bool valid = parts.size() >= 4 && is_hex(parts[0], 2) && parts[0] != "ff" && is_hex(parts[1], 32) &&
                     is_hex(parts[2], 16) && is_hex(parts[3], 2) && parts[1].find_first_not_of('0') != parts[1].npos;
  return valid ? std::string(parts[1]) : std::string();
}

}  // namespace detail::addons

WINSVC_INLINE middleware trusted_proxies(const std::vector<std::string>& ranges) {
  std::vector<ip_range> trusted;
  for (const auto& text : ranges) {
    const auto range = ip_range::parse(text);
    if (!range) {
      throw setup_error("trusted_proxies: '" + text +
                        "' is not an IP address or a range; write a range like 10.0.0.0/8, without host bits");
    }
    trusted.push_back(*range);
  }
  return [trusted = std::move(trusted)](const request& req, response&, const next_handler& next) {
    if (!detail::wire::is_in_ranges(client_address(req), trusted)) return next();
    // Each is a single field: for_each_normalized_field has joined all lines in their order.
    const std::string forwarded = header_text(req, "Forwarded"), x_for = header_text(req, "X-Forwarded-For"),
                      x_proto = header_text(req, "X-Forwarded-Proto"), x_host = header_text(req, "X-Forwarded-Host"),
                      x_prefix = header_text(req, "X-Forwarded-Prefix");
    auto report = detail::wire::read_forwarding_fields(client_address(req),
                                                       {forwarded, x_for, x_proto, x_host, x_prefix}, trusted);
    std::string id = detail::addons::id_of_proxy(header_text(req, "X-Request-Id"), header_text(req, "traceparent"));
    detail::api::set_forwarding(req, std::move(report), std::move(id));
    next();
  };
}

}  // inline namespace WINSVC_ABI
}  // namespace winsvc

#endif  // WINSVC_BODIES_ADDONS
