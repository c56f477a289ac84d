// Implementation of api/group.hpp: a route registrar adds routes and middleware to the router.
#pragma once

#include <cstddef>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "winsvc/api/group.hpp"
#include "winsvc/base/error.hpp"
#include "winsvc/base/text.hpp"
#include "winsvc/base/source_location.hpp"
#include "winsvc/config/abi.hpp"
#include "winsvc/http/router.hpp"
#include "winsvc/route/method.hpp"
#include "winsvc/route/url.hpp"

// ---------------------------------------------------------------------------------------------------------------------

#if WINSVC_BODIES_HTTP

namespace winsvc {
inline namespace WINSVC_ABI {
namespace detail::api {

WINSVC_INLINE std::size_t add_route(http::router& router, route::method method, std::string_view pattern,
                                    erased_handler handler, source_location location,
                                    std::shared_ptr<const middleware_chain> chain) {
  return router.add(method, pattern, std::move(handler), location, std::move(chain));
}

WINSVC_INLINE std::size_t add_route(http::router& router, std::string_view method, std::string_view pattern,
                                    erased_handler handler, source_location location,
                                    std::shared_ptr<const middleware_chain> chain) {
  if (const auto known = route::parse_method(method))
    return router.add(*known, pattern, std::move(handler), location, std::move(chain));
  const auto fail = [&](const std::string& reason) {
    throw setup_error("route " + base::json_quoted(method) + " " + std::string(pattern) + " (" + location.to_string() +
                      "): " + reason);
  };
  if (!route::is_servable_method(method))
    fail("a method is a name like PROPFIND, with letters, digits and '-'; CONNECT and TRACE are not served");
  std::string upper(method);
  for (char& c : upper) c = base::to_upper(c);
  if (upper != method && route::parse_method(upper))
    fail("methods are case-sensitive; write \"" + upper + "\"");
  return router.add(route::method::other, pattern, std::move(handler), location, std::move(chain), method);
}

WINSVC_INLINE std::size_t route_count(const http::router& router) noexcept { return router.table().entries().size(); }

WINSVC_INLINE void set_outer_chain(http::router& router, std::shared_ptr<const middleware_chain> chain,
                                   source_location location) {
  router.set_global_middleware(std::move(chain), location);
}

WINSVC_INLINE void set_group_chain(http::router& router, std::string_view prefix,
                                   std::shared_ptr<const middleware_chain> chain, source_location location) {
  router.set_group_middleware(prefix, std::move(chain), location);
}

WINSVC_INLINE std::shared_ptr<const middleware_chain> with_link(const middleware_chain& before, middleware m) {
  auto longer = std::make_shared<middleware_chain>(before);
  longer->push_back(std::make_shared<const middleware>(std::move(m)));
  return longer;
}

WINSVC_INLINE std::string path_of(const http::router& router, std::string_view name,
                                  const std::vector<url_value>& values) {
  return route::build_path(router.table(), name, values);
}

}  // namespace detail::api
}  // inline namespace WINSVC_ABI
}  // namespace winsvc

#endif  // WINSVC_BODIES_HTTP
