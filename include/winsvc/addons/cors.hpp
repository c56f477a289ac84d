// Cross-origin requests: which pages of other sites a browser lets read the answers.
//
//   svc.use(winsvc::cors({"https://app.example"}));
//   winsvc::cors_policy policy{{"*"}};
//   policy.headers = {"Content-Type", "X-Token"};
//   svc.use(winsvc::cors(policy));
//
// Preflights are answered here; put it before authentication, which they carry none of. An origin that is not allowed
// gets its answer without the headers: it is the browser that refuses.
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
  std::vector<std::string> headers{};  ///< of requests, beyond what needs no permission; empty: any that are asked
  std::vector<std::string> exposed{};  ///< of answers, for scripts to read
  bool credentials = false;          ///< cookies and Authorization; not with "*"
  std::chrono::seconds max_age{600}; ///< how long a browser remembers a preflight
};

/// Throws setup_error for "*" with credentials, which browsers refuse, and for an origin that no browser sends: with a
/// path, or with the port that its scheme has anyway.
[[nodiscard]] middleware cors(cors_policy policy);
[[nodiscard]] middleware cors(std::vector<std::string> origins);

}  // inline namespace WINSVC_ABI
}  // namespace winsvc

// ---------------------------------------------------------------------------------------------------------------------

#if WINSVC_BODIES_WEB

namespace winsvc {
inline namespace WINSVC_ABI {

WINSVC_INLINE middleware cors(std::vector<std::string> origins) {
  cors_policy policy;
  policy.origins = std::move(origins);
  return cors(std::move(policy));
}

namespace http {

/// RFC 6454 section 6.2: the port that a scheme has anyway is no part of an origin's text.
WINSVC_INLINE bool has_default_port(std::string_view origin) noexcept {
  const auto port = origin.substr(origin.find_last_of(":]"));  // "]" ends an IPv6 address
  const auto scheme = origin.substr(0, origin.find(':'));
  return port == ":" || (port == ":80" && strings::equal_nocase(scheme, "http")) ||
         (port == ":443" && strings::equal_nocase(scheme, "https"));
}

}  // namespace http

WINSVC_INLINE middleware cors(cors_policy policy) {
  const bool any = policy.origins.size() == 1 && policy.origins[0] == "*";
  if (any && policy.credentials)
    throw setup_error("cors: \"*\" with credentials is refused by browsers; name the origins");
  for (const auto& o : policy.origins) {
    if (any) break;
    const auto scheme = o.find("://");
    const bool is_one = scheme != std::string::npos && wire::is_token(o.substr(0, scheme)) &&
                        wire::is_authority(o.substr(scheme + 3));
    if (!is_one)
      throw setup_error("cors: '" + o + "' is no origin; write https://host or https://host:port");
    if (http::has_default_port(o)) throw setup_error("cors: browsers send '" + o + "' without its port");
  }
  return [policy = std::move(policy), any](const request& req, response& res, const next_handler& go_on) {
    const std::string origin = header_text(req, "Origin");
    bool allowed = any;
    for (const auto& o : policy.origins) allowed = allowed || strings::equal_nocase(o, origin);
    if (!any) http::add_header(res, "Vary", "Origin");  // a cache must not give one origin's answer to another
    if (origin.empty() || !allowed) return go_on();

    http::replace_header(res, "Access-Control-Allow-Origin", any ? "*" : origin);
    if (policy.credentials) http::replace_header(res, "Access-Control-Allow-Credentials", "true");
    if (request_method(req) != "OPTIONS" || !has_header(req, "Access-Control-Request-Method")) {
      if (!policy.exposed.empty()) http::replace_header(res, "Access-Control-Expose-Headers", strings::join(policy.exposed, ", "));
      return go_on();
    }
    http::set_status(res, 204);
    http::replace_header(res, "Access-Control-Allow-Methods", strings::join(policy.methods, ", "));
    const std::string requested = header_text(req, "Access-Control-Request-Headers");
    const std::string headers = policy.headers.empty() ? requested : strings::join(policy.headers, ", ");
    if (!headers.empty()) http::replace_header(res, "Access-Control-Allow-Headers", headers);
    http::replace_header(res, "Access-Control-Max-Age", std::to_string(policy.max_age.count()));
  };
}

}  // inline namespace WINSVC_ABI
}  // namespace winsvc

#endif  // WINSVC_BODIES_WEB
