// Requests that change something, from pages of this service alone.
//
//   svc.use(winsvc::same_origin());
//
// A page of any site can make a browser send a form to a service on this machine or in this network, with the cookies
// and the passwords that the browser keeps for it: cross-site request forgery. Browsers say where such a request comes
// from (`Sec-Fetch-Site`, Fetch Metadata; `Origin`, RFC 6454), pages cannot forge that. What says nothing is no
// browser's and is let through, as are GET, HEAD and OPTIONS, which should change nothing.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "winsvc/config/abi.hpp"
#include "winsvc/api/middleware.hpp"
#include "winsvc/api/reply.hpp"
#include "winsvc/api/values.hpp"
#include "winsvc/wire/websocket.hpp"

namespace winsvc {
inline namespace WINSVC_ABI {

/// 403 for the others. `origins`: pages of which other sites may send as well, `https://host[:port]` each. Behind a
/// proxy that changes Host, the service's own origin has to be among them.
[[nodiscard]] middleware same_origin(std::vector<std::string> origins = {});

}  // inline namespace WINSVC_ABI
}  // namespace winsvc

// ---------------------------------------------------------------------------------------------------------------------

#if WINSVC_BODIES_WEB

namespace winsvc {
inline namespace WINSVC_ABI {

WINSVC_INLINE middleware same_origin(std::vector<std::string> origins) {
  return [origins = std::move(origins)](const request& req, response&, const next_handler& go_on) {
    if (request_method(req) == "GET" || request_method(req) == "HEAD" || request_method(req) == "OPTIONS") return go_on();
    const std::string origin = header_text(req, "Origin"), site = header_text(req, "Sec-Fetch-Site");
    // "none": the person did it, by a bookmark or the address bar.
    const bool own = site == "same-origin" || site == "none" || (site.empty() && origin.empty());
    if (!own && !wire::origin_is_allowed(origin, site.empty() ? header_text(req, "Host") : std::string(), origins))
      abort(403, "a page of another site may not send this");
    go_on();
  };
}

}  // inline namespace WINSVC_ABI
}  // namespace winsvc

#endif  // WINSVC_BODIES_WEB
