// Small middleware for headers and sizes.
//
//   svc.use(winsvc::request_id());            // X-Request-Id, the id that the log has
//   svc.use(winsvc::security_headers());      // what browsers should be told
//   g.use(winsvc::body_limit(64 * 1024));     // less than the app's limit, for this group
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

/// Puts the request's id into the answer.
[[nodiscard]] middleware request_id(std::string header = "X-Request-Id");

/// nosniff, no frames, no referrer, and a Content-Security-Policy of one's own pages alone. A header that the handler
/// sets itself stays as it set it.
[[nodiscard]] middleware security_headers(std::string content_security_policy = "default-src 'self'");

/// 413 for a body that announces more, or turns out to be more. It cannot raise the app's own limit
/// (`svc.limits().body_bytes`).
[[nodiscard]] middleware body_limit(std::uint64_t bytes);

}  // inline namespace WINSVC_ABI
}  // namespace winsvc

// ---------------------------------------------------------------------------------------------------------------------

#if WINSVC_BODIES_WEB

namespace winsvc {
inline namespace WINSVC_ABI {

WINSVC_INLINE middleware request_id(std::string header) {
  return [header = std::move(header)](const request& req, response& res, const next_handler& go_on) {
    http::replace_header(res, header, context(req).id());
    go_on();
  };
}
WINSVC_INLINE middleware security_headers(std::string content_security_policy) {
  return [csp = std::move(content_security_policy)](const request&, response& res, const next_handler& go_on) {
    go_on();
    const auto unless_set = [&res](const char* name, const std::string& value) {
      if (!http::find_header(res, name)) http::replace_header(res, name, value);
    };
    unless_set("X-Content-Type-Options", "nosniff");
    unless_set("X-Frame-Options", "DENY");
    unless_set("Referrer-Policy", "no-referrer");
    if (!csp.empty()) unless_set("Content-Security-Policy", csp);
  };
}
WINSVC_INLINE middleware body_limit(std::uint64_t bytes) {
  return [bytes](const request& req, response&, const next_handler& go_on) {
    if (find_header<std::uint64_t>(req, "Content-Length").value_or(0) > bytes)
      abort(413, "the body is larger than " + std::to_string(bytes) + " bytes");
    context(req).limit_body(bytes);
    go_on();
  };
}

}  // inline namespace WINSVC_ABI
}  // namespace winsvc

#endif  // WINSVC_BODIES_WEB
