// CORS middleware (cross-origin resource sharing): lets pages of the given sites read the responses.
//
//   svc.use(winsvc::cors({"https://app.example"}));
//   winsvc::cors_policy policy{{"*"}};
//   policy.headers = {"Content-Type", "X-Token"};
//   svc.use(winsvc::cors(policy));
//
// The middleware responds to preflight requests. Add it before authentication, because a preflight has no credentials.
// A request from another origin gets its response without the CORS headers, and the browser then blocks the page.
// Source: the Fetch standard, section "CORS protocol".
#pragma once

#include <chrono>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "winsvc/base/error.hpp"
#include "winsvc/base/text.hpp"
#include "winsvc/config/abi.hpp"
#include "winsvc/api/middleware.hpp"
#include "winsvc/api/handler.hpp"
#include "winsvc/api/reply.hpp"
#include "winsvc/api/values.hpp"
#include "winsvc/wire/grammar.hpp"

namespace winsvc {
inline namespace WINSVC_ABI {

struct cors_policy {
  std::vector<std::string> origins{};  ///< `https://host[:port]` each, as browsers write it, or one "*"
  std::vector<std::string> methods{"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"};
  std::vector<std::string> headers{};  ///< allowed request headers; empty: all headers that a preflight lists
  std::vector<std::string> exposed{};  ///< response headers that scripts may read
  bool credentials = false;            ///< allow cookies and Authorization; not possible with "*"
  std::chrono::seconds max_age{600};   ///< time for which a browser caches a preflight
};

/// Throws setup_error for "*" with credentials, which browsers reject, and for an origin that no browser sends: an
/// origin with a path or with the default port of its scheme.
[[nodiscard]] middleware cors(cors_policy policy);
[[nodiscard]] middleware cors(std::vector<std::string> origins);

}  // inline namespace WINSVC_ABI
}  // namespace winsvc

// ---------------------------------------------------------------------------------------------------------------------

#if WINSVC_BODIES_ADDONS

namespace winsvc {
inline namespace WINSVC_ABI {

WINSVC_INLINE middleware cors(std::vector<std::string> origins) {
  cors_policy policy;
  policy.origins = std::move(origins);
  return cors(std::move(policy));
}

namespace detail::addons {

/// True if an origin contains the default port of its scheme, which browsers omit (RFC 6454 section 6.2).
WINSVC_INLINE bool has_default_port(std::string_view origin) noexcept {
  const auto port = origin.substr(origin.find_last_of(":]"));  // "]" ends an IPv6 address
  const auto scheme = origin.substr(0, origin.find(':'));
  return port == ":" || (port == ":80" && base::equal_nocase(scheme, "http")) ||
         (port == ":443" && base::equal_nocase(scheme, "https"));
}

}  // namespace detail::addons

WINSVC_INLINE middleware cors(cors_policy policy) {
  const bool any_origin = policy.origins.size() == 1 && policy.origins[0] == "*";
  if (any_origin && policy.credentials)
    throw setup_error("cors: browsers reject \"*\" with credentials; list the origins");
  for (const auto& origin : policy.origins) {
    if (any_origin) break;
    const auto scheme = origin.find("://");
    const bool is_valid = scheme != std::string::npos && detail::wire::is_token(origin.substr(0, scheme)) &&
                          detail::wire::is_authority(origin.substr(scheme + 3));
    if (!is_valid)
      throw setup_error("cors: '" + origin + "' is not an origin; write https://host or https://host:port");
    if (detail::addons::has_default_port(origin))
      throw setup_error("cors: browsers send '" + origin + "' without the default port; remove the port");
  }
  middleware result = [policy = std::move(policy), any_origin](const request& req, response& res,
                                                               const next_handler& next) {
    const std::string origin = header_text(req, "Origin");
    bool allowed = any_origin;
    for (const auto& o : policy.origins) allowed = allowed || detail::base::equal_nocase(o, origin);
    if (!any_origin) detail::api::add_header(res, "Vary", "Origin");  // a cache must keep one response per origin
    if (!any_origin && (origin.empty() || !allowed)) return next();

    detail::api::replace_header(res, "Access-Control-Allow-Origin", any_origin ? "*" : origin);
    if (policy.credentials) detail::api::replace_header(res, "Access-Control-Allow-Credentials", "true");
    if (origin.empty() || request_method(req) != "OPTIONS" || !has_header(req, "Access-Control-Request-Method")) {
      if (!policy.exposed.empty())
        detail::api::replace_header(res, "Access-Control-Expose-Headers", detail::base::join(policy.exposed, ", "));
      return next();
    }
    detail::api::set_status(res, 204);
    detail::api::replace_header(res, "Access-Control-Allow-Methods", detail::base::join(policy.methods, ", "));
    const std::string requested = header_text(req, "Access-Control-Request-Headers");
    const std::string headers = policy.headers.empty() ? requested : detail::base::join(policy.headers, ", ");
    if (!headers.empty()) detail::api::replace_header(res, "Access-Control-Allow-Headers", headers);
    detail::api::replace_header(res, "Access-Control-Max-Age", std::to_string(policy.max_age.count()));
  };
  result.adds_headers_only = true;  // a page can read the errors of the server too
  return result;
}

}  // inline namespace WINSVC_ABI
}  // namespace winsvc

#endif  // WINSVC_BODIES_ADDONS
