// Cookies of requests and answers: read, set, and signed so that a client cannot change what it keeps for us.
//
//   if (auto theme = winsvc::find_cookie(req, "theme")) ...
//   winsvc::set_cookie(res, winsvc::cookie("theme", "dark").max_age(24h * 30).same_site("Lax"));
//   winsvc::set_cookie(res, winsvc::cookie("user", winsvc::sign("user", "anna", key, 8h)).max_age(8h));
//   auto user = winsvc::unsign("user", winsvc::find_cookie(req, "user"), key);     // nothing when there is none, or it
//                                                                               // was changed, or its time is over
//
// What a cookie is: wire/cookie.hpp. A reply sets one with `reply::cookie`.
#pragma once

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

/// Adds it to the answer, in the place of one of the same name, path and domain.
void set_cookie(response& res, const cookie& c);

/// The first cookie of this name, without quotes around it.
[[nodiscard]] std::optional<std::string> find_cookie(const request& req, std::string_view name);

}  // inline namespace WINSVC_ABI
}  // namespace winsvc

// ---------------------------------------------------------------------------------------------------------------------

#if WINSVC_BODIES_API

namespace winsvc {
inline namespace WINSVC_ABI {

WINSVC_INLINE void set_cookie(response& res, const cookie& c) { http::add_header(res, "Set-Cookie", c.to_string()); }
WINSVC_INLINE std::optional<std::string> find_cookie(const request& req, std::string_view name) {
  // One header, however many lines there were: write_normalized_head has put them together in their order.
  const std::string header = header_text(req, "Cookie");
  const auto found = wire::cookie_in(header, name);
  return found ? std::optional<std::string>(*found) : std::nullopt;
}

}  // inline namespace WINSVC_ABI
}  // namespace winsvc

#endif  // WINSVC_BODIES_API
