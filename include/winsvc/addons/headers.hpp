// Middleware for response headers and body size: request id, security headers, body limit.
//
//   svc.use(winsvc::request_id());            // X-Request-Id, the id that the log shows
//   svc.use(winsvc::security_headers());      // X-Content-Type-Options, Content-Security-Policy, ...
//   g.use(winsvc::body_limit(64 * 1024));     // a lower limit than the app's, for this group
#pragma once

#include <cstdint>
#include <string>
#include <utility>

#include "winsvc/config/abi.hpp"
#include "winsvc/api/context.hpp"
#include "winsvc/api/middleware.hpp"
#include "winsvc/api/reply.hpp"
#include "winsvc/api/values.hpp"

namespace winsvc {
inline namespace WINSVC_ABI {

/// Adds the id of the request to the response.
[[nodiscard]] middleware request_id(std::string header = "X-Request-Id");

/// Adds `X-Content-Type-Options: nosniff`, `X-Frame-Options: DENY`, `Referrer-Policy: no-referrer` and the
/// Content-Security-Policy (default: content of this site only; "" adds none). Headers that the handler sets are kept.
[[nodiscard]] middleware security_headers(std::string content_security_policy = "default-src 'self'");

/// Responds with 413 if the Content-Length or the body exceeds `bytes`. It cannot exceed the limit of the app
/// (`svc.limits().body_bytes`).
[[nodiscard]] middleware body_limit(std::uint64_t bytes);

}  // inline namespace WINSVC_ABI
}  // namespace winsvc

// ---------------------------------------------------------------------------------------------------------------------

#if WINSVC_BODIES_ADDONS

namespace winsvc {
inline namespace WINSVC_ABI {

WINSVC_INLINE middleware request_id(std::string header) {
  middleware result = [header = std::move(header)](const request& req, response& res, const next_handler& next) {
    next();  // a trusted proxy may replace the ID
    detail::api::replace_header(res, header, context(req).id());
  };
  result.adds_headers_only = true;
  return result;
}
WINSVC_INLINE middleware security_headers(std::string content_security_policy) {
  middleware result = [csp = std::move(content_security_policy)](const request&, response& res,
                                                                 const next_handler& next) {
    next();
    const auto unless_set = [&res](const char* name, const std::string& value) {
      if (!detail::api::find_header(res, name)) detail::api::replace_header(res, name, value);
    };
    unless_set("X-Content-Type-Options", "nosniff");
    unless_set("X-Frame-Options", "DENY");
    unless_set("Referrer-Policy", "no-referrer");
    if (!csp.empty()) unless_set("Content-Security-Policy", csp);
  };
  result.adds_headers_only = true;
  return result;
}
WINSVC_INLINE middleware body_limit(std::uint64_t bytes) {
  return [bytes](const request& req, response&, const next_handler& next) {
    if (find_header<std::uint64_t>(req, "Content-Length").value_or(0) > bytes)
      abort(413, "the body is larger than " + std::to_string(bytes) + " bytes");
    context(req).limit_body(bytes);
    next();
  };
}

}  // inline namespace WINSVC_ABI
}  // namespace winsvc

#endif  // WINSVC_BODIES_ADDONS
