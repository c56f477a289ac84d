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
#include "winsvc/http/middleware.hpp"
#include "winsvc/http/reply.hpp"
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
[[nodiscard]] inline middleware cors(std::vector<std::string> origins) {
  cors_policy policy;
  policy.origins = std::move(origins);
  return cors(std::move(policy));
}

// ---------------------------------------------------------------------------------------------------------------------

namespace http {

/// RFC 6454 section 6.2: the port that a scheme has anyway is no part of an origin's text.
[[nodiscard]] inline bool states_usual_port(std::string_view origin) noexcept {
  const auto port = origin.substr(origin.find_last_of(":]"));  // "]" ends an IPv6 address
  const auto scheme = origin.substr(0, origin.find(':'));
  return port == ":" || (port == ":80" && text::equal_nocase(scheme, "http")) ||
         (port == ":443" && text::equal_nocase(scheme, "https"));
}

}  // namespace http

inline middleware cors(cors_policy policy) {
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
    if (http::states_usual_port(o)) throw setup_error("cors: browsers send '" + o + "' without its port");
  }
  return [policy = std::move(policy), any](const request& req, response& res, const next& go_on) {
    const std::string origin = req.get_header_value("Origin");
    bool allowed = any;
    for (const auto& o : policy.origins) allowed = allowed || text::equal_nocase(o, origin);
    if (!any) http::add_header(res, "Vary", "Origin");  // a cache must not give one origin's answer to another
    if (origin.empty() || !allowed) return go_on();

    res.set_header("Access-Control-Allow-Origin", any ? "*" : origin);
    if (policy.credentials) res.set_header("Access-Control-Allow-Credentials", "true");
    if (req.method != "OPTIONS" || !req.has_header("Access-Control-Request-Method")) {
      if (!policy.exposed.empty()) res.set_header("Access-Control-Expose-Headers", text::join(policy.exposed, ", "));
      return go_on();
    }
    res.status = 204;
    res.set_header("Access-Control-Allow-Methods", text::join(policy.methods, ", "));
    const std::string asked = req.get_header_value("Access-Control-Request-Headers");
    const std::string headers = policy.headers.empty() ? asked : text::join(policy.headers, ", ");
    if (!headers.empty()) res.set_header("Access-Control-Allow-Headers", headers);
    res.set_header("Access-Control-Max-Age", std::to_string(policy.max_age.count()));
  };
}

}  // inline namespace WINSVC_ABI
}  // namespace winsvc
