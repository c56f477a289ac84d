// Implementation of http/router.hpp: the middleware of routes, of groups, and of requests without a route.
#pragma once

#include <algorithm>
#include <cstddef>
#include <map>
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
#include "winsvc/route/table.hpp"

// ---------------------------------------------------------------------------------------------------------------------

#if WINSVC_BODIES_HTTP

namespace winsvc {
inline namespace WINSVC_ABI {
namespace detail::http {

WINSVC_INLINE void router::add_default_middleware(middleware added,
                                                  bool (*is_same_kind)(const middleware&) noexcept) {
  using chain_pointer = std::shared_ptr<const api::middleware_chain>;
  const auto shared = std::make_shared<const middleware>(std::move(added));
  std::map<chain_pointer, chain_pointer> results;  // many routes share a chain
  const auto add = [&](chain_pointer& chain) {
    auto& result = results[chain];
    if (!result) {
      api::middleware_chain extended;
      const bool has_own = std::any_of(chain->begin(), chain->end(), [&](const auto& m) { return is_same_kind(*m); });
      if (!has_own) extended.push_back(shared);
      extended.insert(extended.end(), chain->begin(), chain->end());
      result = std::make_shared<const api::middleware_chain>(std::move(extended));
    }
    chain = result;
  };
  for (auto& bound : handlers_) add(bound.middleware);
  for (auto& chain : group_middleware_) add(chain);
  add(global_middleware_);
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
  const auto [known, added] = group_ids_.emplace(prefix, group_middleware_.size());
  if (!added) {
    group_middleware_[known->second] = std::move(chain);
    return;
  }
  try {
    const std::string path(prefix);
    groups_.add(route::method::any, path + "/{rest_of_path_...}", known->second, location);
    groups_.add(route::method::any, path, known->second, location);
  } catch (const setup_error&) {  // a second group with the same paths, but other parameter names: the first one counts
  }
  group_middleware_.push_back(std::move(chain));
}

WINSVC_INLINE const api::middleware_chain& router::middleware_for(const route::match_result& match,
                                                                  route::method method,
                                                                  std::string_view raw_path) const {
  if (match.outcome == route::match_outcome::matched) return *handlers_[match.route_id].middleware;
  if (match.outcome == route::match_outcome::method_not_allowed && method == route::method::options && match.sibling_id)
    return *handlers_[*match.sibling_id].middleware;
  if (!group_middleware_.empty()) {
    const auto group = groups_.match(route::method::get, raw_path);
    if (group.outcome == route::match_outcome::matched) return *group_middleware_[group.route_id];
  }
  return *global_middleware_;
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
