// url_for: builds the path of a named route in a handler.
//
//   svc.get("/users/{id}", show).name("user");
//   svc.post("/users", [](const winsvc::request& req) {
//     return winsvc::reply(201).header("Location", winsvc::url_for(req, "user", 7));      // /users/7
//   });
//
//   winsvc::with_query(winsvc::url_for(req, "users"), {{"page", 2}})                      // /users?page=2
//
// Handlers then need no copy of the pattern, and the pattern can change in one place. The result is a path without
// scheme and host, with the prefix of a trusted proxy (X-Forwarded-Prefix). route/url.hpp describes the values.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "winsvc/api/httplib.hpp"
#include "winsvc/api/reply.hpp"
#include "winsvc/config/abi.hpp"
#include "winsvc/route/url_value.hpp"

namespace winsvc {
inline namespace WINSVC_ABI {

/// Returns the path of the route `name`, percent-encoded (RFC 3986), with `values` as its path parameters: text,
/// numbers or bool. Throws setup_error if no route has the name, if the values do not match the pattern, or if the
/// calling thread does not handle `req`. An exception that leaves the handler is logged and becomes 500.
template <class... Values>
[[nodiscard]] std::string url_for(const request& req, std::string_view name, const Values&... values) {
  return detail::api::path_for(req, name, {url_value(values)...});
}

/// Returns the URL that a client outside uses for a path of this app: the scheme and the host of the request, and the
/// prefix of a trusted proxy unless `path` has it already. Throws setup_error if the calling thread does not handle
/// `req`, or if an HTTP/1.0 request has no host.
[[nodiscard]] std::string absolute_url(const request& req, std::string_view path);

}  // inline namespace WINSVC_ABI
}  // namespace winsvc
