// The client behind a proxy: who asked, as far as proxies that we trust can say.
//
//   svc.use(winsvc::trusted_proxies({"127.0.0.1", "10.0.0.0/8", "fd00::/8"}));
//   req.remote_addr                           // from here on the client's address, for the rate limit and for handlers
//
// X-Forwarded-For is read from the right, and only while the one who wrote it is trusted: what stands further left
// anybody can write. From a peer that is not trusted it is ignored. Ports that proxies write behind addresses are
// taken off.
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

/// Throws setup_error for a range that is none (`ip_range::parse` in wire/ip.hpp).
[[nodiscard]] middleware trusted_proxies(const std::vector<std::string>& ranges);

}  // inline namespace WINSVC_ABI
}  // namespace winsvc

// ---------------------------------------------------------------------------------------------------------------------

#if WINSVC_BODIES_WEB

namespace winsvc {
inline namespace WINSVC_ABI {

WINSVC_INLINE middleware trusted_proxies(const std::vector<std::string>& ranges) {
  std::vector<ip_range> trusted;
  for (const auto& r : ranges) {
    const auto range = ip_range::parse(r);
    if (!range) {
      throw setup_error("trusted_proxies: '" + r +
                        "' is no address, and no range such as 10.0.0.0/8 with zeros behind its first bits");
    }
    trusted.push_back(*range);
  }
  return [trusted = std::move(trusted)](const request& req, response&, const next_handler& go_on) {
    // One header, however many lines there were: write_normalized_head has put them together in their order.
    const std::string hops = header_text(req, "X-Forwarded-For");
    std::string named(wire::client_behind_proxies(client_address(req), hops, trusted));
    if (named != client_address(req)) http::set_client(req, std::move(named));
    go_on();
  };
}

}  // inline namespace WINSVC_ABI
}  // namespace winsvc

#endif  // WINSVC_BODIES_WEB
