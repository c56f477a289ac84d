// Cookies: reads cookies of requests and sets cookies in responses. A client cannot change a signed cookie unnoticed.
//
//   if (auto theme = winsvc::find_cookie(req, "theme")) ...
//   winsvc::set_cookie(res, winsvc::cookie("theme", "dark").max_age(24h * 30).same_site("Lax"));
//   winsvc::set_cookie(res, winsvc::cookie("user", winsvc::sign("user", "anna", key, 8h)).max_age(8h));
//
//   // nullopt if the cookie is missing, was changed or has expired
//   auto user = winsvc::unsign("user", winsvc::find_cookie(req, "user"), key);
//
// wire/cookie.hpp has the class `cookie` and the signatures. A reply sets a cookie with `reply::cookie`.
// Source: RFC 6265.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

#include "winsvc/config/abi.hpp"
#include "winsvc/api/httplib.hpp"
#include "winsvc/api/reply.hpp"
#include "winsvc/api/values.hpp"
#include "winsvc/wire/cookie.hpp"

namespace winsvc {
inline namespace WINSVC_ABI {

/// Adds a cookie to the response, and replaces one with the same name, path and domain. On HTTPS it gets `Secure`, but
/// not in a copy of the response, which does not know the request.
void set_cookie(response& res, const cookie& c);

/// The value of the first cookie with this name, without surrounding quotes; nullopt if it is missing.
[[nodiscard]] std::optional<std::string> find_cookie(const request& req, std::string_view name);

namespace detail::api {
/// Random bytes for salts and tokens, from the system's cryptographic generator (std::random_device on Windows and
/// Linux).
[[nodiscard]] std::string random_bytes(std::size_t count);
}  // namespace detail::api

}  // inline namespace WINSVC_ABI
}  // namespace winsvc

// ---------------------------------------------------------------------------------------------------------------------

#if WINSVC_BODIES_API

namespace winsvc {
inline namespace WINSVC_ABI {

WINSVC_INLINE void set_cookie(response& res, const cookie& c) {
  detail::api::add_header(res, "Set-Cookie", c.to_string(detail::api::is_for_https(res)));
}
WINSVC_INLINE std::optional<std::string> find_cookie(const request& req, std::string_view name) {
  // for_each_normalized_field has joined several Cookie headers to one, in their order.
  const std::string header = header_text(req, "Cookie");
  const auto found = detail::wire::cookie_in(header, name);
  return found ? std::optional<std::string>(*found) : std::nullopt;
}

}  // inline namespace WINSVC_ABI
}  // namespace winsvc

#endif  // WINSVC_BODIES_API
