// Trusted proxies: middleware that takes the client's address from X-Forwarded-For.
//
//   svc.use(winsvc::trusted_proxies({"127.0.0.1", "10.0.0.0/8", "fd00::/8"}));
//   req.remote_addr                           // the client's address, in the following middleware and handlers
//
// X-Forwarded-For is read from the right, and an entry is believed only if a trusted proxy wrote it, because any client
// can send this field. It is ignored if the peer is not a trusted proxy. Ports in the entries are removed.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "winsvc/base/error.hpp"
#include "winsvc/config/abi.hpp"
#include "winsvc/api/context.hpp"
#include "winsvc/api/middleware.hpp"
#include "winsvc/api/values.hpp"
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
    // A single field: write_normalized_head has joined all lines in their order.
    const std::string hops = header_text(req, "X-Forwarded-For");
    std::string client(detail::wire::client_behind_proxies(client_address(req), hops, trusted));
    if (client != client_address(req)) detail::api::set_client(req, std::move(client));
    next();
  };
}

}  // inline namespace WINSVC_ABI
}  // namespace winsvc

#endif  // WINSVC_BODIES_ADDONS
