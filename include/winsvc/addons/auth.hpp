// Who asks: HTTP basic and bearer authentication as middleware.
//
//   svc.use(winsvc::basic_auth("hello", {{"anna", "secret"}}));
//   svc.use(winsvc::bearer_auth("hello", [&](std::string_view token) { return user_of(token); }));
//   winsvc::context(req).get<winsvc::identity>()->name                  // in the handler
//
// Without TLS both send the secret in the clear: on a loopback address, or behind a proxy that has TLS.
// Source: RFC 9110 section 11, RFC 7617 (basic), RFC 6750 (bearer).
#pragma once

#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "winsvc/base/encoding.hpp"
#include "winsvc/base/error.hpp"
#include "winsvc/base/text.hpp"
#include "winsvc/config/abi.hpp"
#include "winsvc/api/context.hpp"
#include "winsvc/api/middleware.hpp"
#include "winsvc/api/reply.hpp"
#include "winsvc/api/values.hpp"

namespace winsvc {
inline namespace WINSVC_ABI {

/// Whoever has been authenticated; middleware leaves it in the request's context.
struct authenticated_user {
  std::string name;
};

/// `check(user, password)`; on the request's thread. Compare with `equal_secret`.
[[nodiscard]] middleware basic_auth(std::string realm,
                                    std::function<bool(std::string_view, std::string_view)> authenticate);
/// Users and their passwords, compared in constant time. Throws setup_error for a password that is empty: it comes from
/// a setting that is not there, and would let everybody in.
[[nodiscard]] middleware basic_auth(std::string realm, std::map<std::string, std::string> users);
/// `check(token)`: the name it belongs to, or nothing.
[[nodiscard]] middleware bearer_auth(std::string realm,
                                     std::function<std::optional<std::string>(std::string_view token)> authenticate);

}  // inline namespace WINSVC_ABI
}  // namespace winsvc

// ---------------------------------------------------------------------------------------------------------------------

#if WINSVC_BODIES_WEB

namespace winsvc {
inline namespace WINSVC_ABI {
namespace http {

/// What comes behind the scheme in Authorization; nothing when it is another scheme, or not there.
WINSVC_INLINE std::optional<std::string> credentials(const request& req, std::string_view scheme) {
  const std::string header = header_text(req, "Authorization");
  const auto blank = header.find(' ');
  if (blank == std::string::npos || !strings::equal_nocase(std::string_view(header).substr(0, blank), scheme))
    return std::nullopt;
  return std::string(strings::trim(std::string_view(header).substr(blank)));
}

[[noreturn]] WINSVC_INLINE void challenge(response& res, const std::string& what, std::string_view detail) {
  replace_header(res, "WWW-Authenticate", what);
  winsvc::abort(401, std::string(detail));
}

WINSVC_INLINE std::string quoted_realm(std::string_view realm) {
  std::string out = "\"";
  for (const char c : realm) {
    if (c == '"' || c == '\\') out += '\\';
    if (static_cast<unsigned char>(c) >= 0x20) out += c;
  }
  return out + '"';
}

}  // namespace http

WINSVC_INLINE middleware basic_auth(std::string realm, std::function<bool(std::string_view, std::string_view)> authenticate) {
  const std::string ask = "Basic realm=" + http::quoted_realm(realm) + ", charset=\"UTF-8\"";
  return [ask, authenticate = std::move(authenticate)](const request& req, response& res, const next_handler& go_on) {
    const auto given = http::credentials(req, "Basic");
    const auto plain = given ? strings::from_base64(*given) : std::nullopt;
    const auto colon = plain ? plain->find(':') : std::string::npos;
    if (colon == std::string::npos) return http::challenge(res, ask, "a user and a password are needed");
    const auto user = std::string_view(*plain).substr(0, colon);
    if (!authenticate(user, std::string_view(*plain).substr(colon + 1)))
      return http::challenge(res, ask, "the user or the password is wrong");
    context(req).set(authenticated_user{std::string(user)});
    go_on();
  };
}

WINSVC_INLINE middleware basic_auth(std::string realm, std::map<std::string, std::string> users) {
  for (const auto& [user, password] : users) {
    if (password.empty()) throw setup_error("basic_auth: the password of '" + user + "' is empty");
  }
  return basic_auth(std::move(realm), [users = std::move(users)](std::string_view user, std::string_view password) {
    const auto found = users.find(std::string(user));
    // The same work for a user that there is not, so that the time does not tell.
    const bool right = equal_secret(password, found == users.end() ? std::string_view("no such user") : found->second);
    return right && found != users.end();
  });
}

WINSVC_INLINE middleware bearer_auth(std::string realm,
                              std::function<std::optional<std::string>(std::string_view)> authenticate) {
  const std::string ask = "Bearer realm=" + http::quoted_realm(realm);
  return [ask, authenticate = std::move(authenticate)](const request& req, response& res, const next_handler& go_on) {
    const auto token = http::credentials(req, "Bearer");
    if (!token || token->empty()) return http::challenge(res, ask, "a token is needed");
    auto name = authenticate(*token);
    if (!name) return http::challenge(res, ask + ", error=\"invalid_token\"", "the token is not valid");
    context(req).set(authenticated_user{std::move(*name)});
    go_on();
  };
}

}  // inline namespace WINSVC_ABI
}  // namespace winsvc

#endif  // WINSVC_BODIES_WEB
