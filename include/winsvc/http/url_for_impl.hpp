// Implementation of api/url_for.hpp: builds a path with the routes of the current request.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "winsvc/api/url_for.hpp"
#include "winsvc/base/error.hpp"
#include "winsvc/config/abi.hpp"
#include "winsvc/http/exchange.hpp"
#include "winsvc/route/url.hpp"

// ---------------------------------------------------------------------------------------------------------------------

#if WINSVC_BODIES_HTTP

namespace winsvc {
inline namespace WINSVC_ABI {
namespace detail::api {

WINSVC_INLINE std::string path_for(const request& req, std::string_view name, const std::vector<url_value>& values) {
  const auto* const exchange = http::current_exchange();
  if (!exchange || exchange->current_request != &req || !exchange->routes)
    throw setup_error("url_for: use it only on the thread that handles the request, while the handler runs");
  return route::build_path(*exchange->routes, name, values);
}

}  // namespace detail::api
}  // inline namespace WINSVC_ABI
}  // namespace winsvc

#endif  // WINSVC_BODIES_HTTP
