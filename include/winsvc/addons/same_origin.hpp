// CSRF protection (cross-site request forgery): middleware that rejects unsafe requests from pages of other sites.
//
//   svc.use(winsvc::same_origin());
//
// A page of any site can make a browser send a form to this service, with the cookies and passwords that the browser
// stores for it. Browsers report where a request comes from (`Sec-Fetch-Site`, Fetch Metadata; `Origin`, RFC 6454), and
// pages cannot forge these fields. A request without them does not come from a browser and is accepted. GET, HEAD and
// OPTIONS are accepted too, because they must not change data.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "winsvc/config/abi.hpp"
#include "winsvc/api/context.hpp"
#include "winsvc/api/middleware.hpp"
#include "winsvc/api/reply.hpp"
#include "winsvc/api/values.hpp"
#include "winsvc/wire/origin.hpp"

namespace winsvc {
inline namespace WINSVC_ABI {

/// Responds with 403 to unsafe requests from other origins. `origins`: further origins that are allowed,
/// `https://host[:port]` each. Behind a proxy that changes Host, they must contain the origin of the service itself.
[[nodiscard]] middleware same_origin(std::vector<std::string> origins = {});

}  // inline namespace WINSVC_ABI
}  // namespace winsvc

// ---------------------------------------------------------------------------------------------------------------------

#if WINSVC_BODIES_ADDONS

namespace winsvc {
inline namespace WINSVC_ABI {

WINSVC_INLINE middleware same_origin(std::vector<std::string> origins) {
  return [origins = std::move(origins)](const request& req, response&, const next_handler& next) {
    const std::string_view method = request_method(req);
    if (method == "GET" || method == "HEAD" || method == "OPTIONS") return next();
    const std::string origin = header_text(req, "Origin"), site = header_text(req, "Sec-Fetch-Site");
    // "none": the user started the request, with a bookmark or the address bar.
    const bool is_own = site == "same-origin" || site == "none" || (site.empty() && origin.empty());
    if (!is_own &&
        !detail::wire::is_allowed_origin(origin, site.empty() ? context(req).host() : std::string(), origins))
      abort(403, "a page of another site may not send this request");
    next();
  };
}

}  // inline namespace WINSVC_ABI
}  // namespace winsvc

#endif  // WINSVC_BODIES_ADDONS
