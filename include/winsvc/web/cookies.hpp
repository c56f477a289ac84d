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
#include "winsvc/http/httplib.hpp"
#include "winsvc/http/reply.hpp"
#include "winsvc/wire/cookie.hpp"

namespace winsvc {
inline namespace WINSVC_ABI {

/// Adds it to the answer, in the place of one of the same name, path and domain.
inline void set_cookie(response& res, const cookie& c) { http::add_header(res, "Set-Cookie", c.text()); }

/// The first cookie of this name, without quotes around it.
[[nodiscard]] inline std::optional<std::string> find_cookie(const request& req, std::string_view name) {
  // One header, however many lines there were: canonical_head has put them together in their order.
  const std::string header = req.get_header_value("Cookie");
  const auto found = wire::cookie_in(header, name);
  return found ? std::optional<std::string>(*found) : std::nullopt;
}

}  // inline namespace WINSVC_ABI
}  // namespace winsvc
