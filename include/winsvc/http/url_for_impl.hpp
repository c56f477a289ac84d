// Implementation of api/url_for.hpp: finds a route by its name and builds its path. Also makes absolute URLs, behind a
// proxy too.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "winsvc/api/context.hpp"
#include "winsvc/api/url_for.hpp"
#include "winsvc/base/error.hpp"
#include "winsvc/base/text.hpp"
#include "winsvc/config/abi.hpp"
#include "winsvc/http/exchange.hpp"
#include "winsvc/route/url.hpp"

// ---------------------------------------------------------------------------------------------------------------------

#if WINSVC_BODIES_HTTP

namespace winsvc {
inline namespace WINSVC_ABI {
namespace detail::http {

/// Adds the prefix of a trusted proxy to an absolute path, unless the path begins with it already. Other URLs stay.
WINSVC_INLINE std::string with_prefix(const std::string& prefix, std::string_view path) {
  const bool is_path = !path.empty() && path[0] == '/' && path.substr(0, 2) != "//";
  if (prefix.empty() || !is_path) return std::string(path);
  const bool has_prefix = base::starts_with(path, prefix) &&
                          (path.size() == prefix.size() || std::string_view("/?#").find(path[prefix.size()]) !=
                                                               std::string_view::npos);
  return has_prefix ? std::string(path) : prefix + std::string(path);
}

}  // namespace detail::http

namespace detail::api {

WINSVC_INLINE std::string path_for(const request& req, std::string_view name, const std::vector<url_value>& values) {
  const auto& exchange = http::exchange_of(req, "url_for");
  return exchange.forwarded().path_prefix + route::build_path(exchange.services.table, name, values);
}

}  // namespace detail::api

WINSVC_INLINE std::string absolute_url(const request& req, std::string_view path) {
  const auto& exchange = detail::http::exchange_of(req, "absolute_url");
  const std::string host = context(req).host();
  if (host.empty()) throw setup_error("absolute_url: the request has no Host, as HTTP/1.0 allows; use a path instead");
  return context(req).scheme() + "://" + host + detail::http::with_prefix(exchange.forwarded().path_prefix, path);
}

}  // inline namespace WINSVC_ABI
}  // namespace winsvc

#endif  // WINSVC_BODIES_HTTP
