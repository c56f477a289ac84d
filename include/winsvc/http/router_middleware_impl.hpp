// Implementation of http/router.hpp: the middleware of routes, of groups, and of requests without a route.
#pragma once

#include <algorithm>
#include <cstddef>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "winsvc/api/middleware.hpp"
#include "winsvc/base/error.hpp"
#include "winsvc/base/source_location.hpp"
#include "winsvc/config/abi.hpp"
#include "winsvc/http/router.hpp"
#include "winsvc/route/method.hpp"
#include "winsvc/route/pattern.hpp"
#include "winsvc/route/table.hpp"
#include "winsvc/wire/host_name.hpp"

// ---------------------------------------------------------------------------------------------------------------------

#if WINSVC_BODIES_HTTP

namespace winsvc {
inline namespace WINSVC_ABI {
namespace detail::http {

WINSVC_INLINE bool router::accepts_host(std::string_view host, const route::match_result& match, route::method method,
                                        const api::middleware_chain& chain) const {
  if (!host_names_ || host.empty() || wire::is_loopback_host(wire::host_of(host))) return true;
  if (!accepted_hosts_.empty() && wire::is_allowed_host(host, accepted_hosts_)) return true;
  bool has_check = false;
  for (const auto& link : chain) has_check = has_check || host_names_(*link);
  const bound_route* const route = middleware_route(match, method);
  if (!route || !route->accepts_global_hosts) return has_check;
  for (const auto& link : *global_middleware_) {
    const auto* const names = host_names_(*link);
    if (names && !wire::is_allowed_host(host, *names)) return false;
    has_check = has_check || names;
  }
  return has_check;
}

WINSVC_INLINE void router::check_may_use(source_location location) const {
  if (frozen_)
    throw setup_error("use (" + location.to_string() +
                      "): the service has started; add middleware in the app, not in a handler or hook");
}

WINSVC_INLINE void router::set_global_middleware(std::shared_ptr<const api::middleware_chain> chain,
                                                 source_location location) {
  check_may_use(location);
  global_middleware_ = std::move(chain);
}

WINSVC_INLINE void router::set_group_middleware(std::string_view prefix,
                                                std::shared_ptr<const api::middleware_chain> chain,
                                                source_location location) {
  check_may_use(location);
  if (prefix.empty()) return;  // a group without a prefix has no paths
  for (route_group& group : groups_) {
    if (group.prefix.text != prefix) continue;
    group.middleware = std::move(chain);
    return;
  }
  try {
    groups_.push_back({route::parse_pattern(prefix), std::move(chain)});
  } catch (const setup_error&) {  // the group's routes report the malformed prefix
  }
}

WINSVC_INLINE const router::bound_route* router::middleware_route(const route::match_result& match,
                                                                  route::method method) const noexcept {
  if (match.outcome == route::match_outcome::matched) return &handlers_[match.route_id];
  const bool is_options =
      match.outcome == route::match_outcome::method_not_allowed && method == route::method::options;
  const bool uses_sibling = match.sibling_id && (is_options || match.outcome == route::match_outcome::paused);
  return uses_sibling ? &handlers_[*match.sibling_id] : nullptr;
}

WINSVC_INLINE const api::middleware_chain& router::middleware_for(const route::match_result& match,
                                                                  route::method method,
                                                                  std::string_view raw_path) const {
  if (const bound_route* const route = middleware_route(match, method)) return *route->middleware;
  const route_group* found = nullptr;
  for (const route_group& group : groups_) {
    if (route::has_prefix(raw_path, group.prefix) && (!found || route::prefix_precedes(group.prefix, found->prefix)))
      found = &group;
  }
  return found ? *found->middleware : *global_middleware_;
}

WINSVC_INLINE void router::add_middleware(std::size_t first, std::size_t last,
                                          std::shared_ptr<const middleware> added) {
  static_cast<void>(mutable_table(first, "use"));
  std::vector<std::shared_ptr<const api::middleware_chain>> chains;  // of all routes, or of no route
  for (std::size_t id = first; id < last; ++id) {
    auto longer = std::make_shared<api::middleware_chain>(*handlers_[id].middleware);
    longer->push_back(added);
    chains.push_back(std::move(longer));
  }
  for (std::size_t id = first; id < last; ++id) handlers_[id].middleware = std::move(chains[id - first]);
}

}  // namespace detail::http
}  // inline namespace WINSVC_ABI
}  // namespace winsvc

#endif  // WINSVC_BODIES_HTTP
