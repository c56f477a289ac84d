// Implementation of http/router.hpp: the middleware of routes, of groups, and of requests without a route.
#pragma once

#include <algorithm>
#include <cstddef>
#include <memory>
#include <string>
#include <string_view>
#include <utility>

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

WINSVC_INLINE bool router::accepts_host(std::string_view host, const api::middleware_chain& chain) const {
  if (!is_host_check_ || host.empty() || wire::is_loopback_host(wire::host_of(host))) return true;
  return std::any_of(chain.begin(), chain.end(), [this](const auto& link) { return is_host_check_(*link); });
}

WINSVC_INLINE std::shared_ptr<const api::middleware_chain> router::global_host_checks() const {
  auto checks = std::make_shared<api::middleware_chain>();
  for (const auto& link : *global_middleware_) {
    if (is_host_check_ && is_host_check_(*link)) checks->push_back(link);
  }
  return checks;
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

WINSVC_INLINE const api::middleware_chain& router::middleware_for(const route::match_result& match,
                                                                  route::method method,
                                                                  std::string_view raw_path) const {
  if (match.outcome == route::match_outcome::matched) return *handlers_[match.route_id].middleware;
  const bool is_options =
      match.outcome == route::match_outcome::method_not_allowed && method == route::method::options;
  if (match.sibling_id && (is_options || match.outcome == route::match_outcome::paused))
    return *handlers_[*match.sibling_id].middleware;
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
  for (std::size_t id = first; id < last; ++id) {
    auto longer = std::make_shared<api::middleware_chain>(*handlers_[id].middleware);
    longer->push_back(added);
    handlers_[id].middleware = std::move(longer);
  }
}

}  // namespace detail::http
}  // inline namespace WINSVC_ABI
}  // namespace winsvc

#endif  // WINSVC_BODIES_HTTP
