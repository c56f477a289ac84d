// The path of a named route, from within a handler.
//
//   svc.get("/users/{id}", show).name("user");
//   svc.post("/users", [](const winsvc::request& req) {
//     return winsvc::reply(201).header("Location", winsvc::url_for(req, "user", 7));      // /users/7
//   });
//
//   winsvc::with_query(winsvc::url_for(req, "users"), {{"page", 2}})                      // /users?page=2
//
// A pattern then stands in one place, and may change there. What is built is a path: host and scheme are the client's
// to know. See route/url.hpp for what values may be.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "winsvc/api/httplib.hpp"
#include "winsvc/config/abi.hpp"
#include "winsvc/route/url_value.hpp"

namespace winsvc {
inline namespace WINSVC_ABI {

namespace http {
/// The body of url_for, for any number of values.
[[nodiscard]] std::string path_for(const request& req, std::string_view name, const std::vector<url_value>& values);
}  // namespace http

/// Throws setup_error: a name that no route has, values that its pattern does not take, a request that this thread does
/// not handle. Uncaught it is a logged 500.
template <class... Values>
[[nodiscard]] std::string url_for(const request& req, std::string_view name, const Values&... values) {
  return http::path_for(req, name, {url_value(values)...});
}

}  // inline namespace WINSVC_ABI
}  // namespace winsvc
