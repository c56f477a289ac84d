// The bodies of api/group.hpp: what a registrar does with the router.
#pragma once

#include <cstddef>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "winsvc/api/group.hpp"
#include "winsvc/base/error.hpp"
#include "winsvc/base/source_location.hpp"
#include "winsvc/config/abi.hpp"
#include "winsvc/http/router.hpp"
#include "winsvc/route/url.hpp"

// ---------------------------------------------------------------------------------------------------------------------

#if WINSVC_BODIES_HTTP

namespace winsvc {
inline namespace WINSVC_ABI {
namespace http {

WINSVC_INLINE std::size_t add_route(router& to, route::method verb, std::string_view pattern, erased_handler made, source_location location,
                             std::shared_ptr<const middleware_chain> links) {
  return to.add(verb, pattern, std::move(made), location, std::move(links));
}

WINSVC_INLINE std::size_t route_count(const router& of) noexcept { return of.routes().entries().size(); }

WINSVC_INLINE void set_outer_chain(router& to, std::shared_ptr<const middleware_chain> links, source_location location) {
  to.set_global_middleware(std::move(links), location);
}

WINSVC_INLINE std::shared_ptr<const middleware_chain> with_link(const middleware_chain& before, middleware m) {
  auto longer = std::make_shared<middleware_chain>(before);
  longer->push_back(std::make_shared<const middleware>(std::move(m)));
  return longer;
}

WINSVC_INLINE std::string path_of(const router& of, std::string_view name, const std::vector<url_value>& values) {
  return route::build_path(of.routes(), name, values);
}

}  // namespace http
}  // inline namespace WINSVC_ABI
}  // namespace winsvc

#endif  // WINSVC_BODIES_HTTP
