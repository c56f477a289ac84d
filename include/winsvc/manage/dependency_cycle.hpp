// dependency_cycle: finds a cycle of dependencies through other services. Windows starts no service of a cycle (1059).
//
//   dependency_cycle(scm, "hello", "store")      // {"hello", "store", "hello"}; empty without a cycle
//
// Services that cannot be read, and groups, are treated as if they had no dependencies. Wine returns no dependencies.
#pragma once

#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include "winsvc/base/text.hpp"
#include "winsvc/config/abi.hpp"
#include "winsvc/os/service_manager.hpp"

namespace winsvc {
inline namespace WINSVC_ABI {
namespace detail::manage {

/// Returns the names of a cycle that the service `name` would close with a new dependency on `dependency`.
[[nodiscard]] std::vector<std::string> dependency_cycle(os::service_manager& scm, const std::string& name,
                                                        const std::string& dependency);

}  // namespace detail::manage
}  // inline namespace WINSVC_ABI
}  // namespace winsvc

// ---------------------------------------------------------------------------------------------------------------------

#if WINSVC_BODIES_MANAGE

namespace winsvc {
inline namespace WINSVC_ABI {
namespace detail::manage {

/// The dependencies of an installed service; empty if they cannot be read.
WINSVC_INLINE std::vector<std::string> dependencies_of(os::service_manager& scm, const std::string& name) {
  const auto manager = scm.open_manager(os::access_rights::manager_connect);
  if (!manager) return {};
  const os::service_handle manager_handle(scm, *manager);
  const auto opened = scm.open_service(*manager, name, os::access_rights::query_config);
  if (!opened) return {};
  const os::service_handle service(scm, *opened);
  const auto config = scm.query_config(service.get());
  return config ? config->dependencies : std::vector<std::string>();
}

WINSVC_INLINE std::vector<std::string> dependency_cycle(os::service_manager& scm, const std::string& name,
                                                        const std::string& dependency) {
  std::vector<std::vector<std::string>> paths{{name, dependency}};  // breadth first, so the cycle is the shortest
  std::vector<std::string> visited{dependency};
  for (std::size_t i = 0; i < paths.size(); ++i) {
    for (const auto& next : dependencies_of(scm, paths[i].back())) {
      std::vector<std::string> path = paths[i];
      path.push_back(next);
      if (base::equal_nocase(next, name)) return path;
      const bool is_visited = std::any_of(visited.begin(), visited.end(), [&next](const std::string& other) {
        return base::equal_nocase(other, next);
      });
      if (is_visited || next.empty() || next[0] == '+') continue;  // a group of services
      visited.push_back(next);
      paths.push_back(std::move(path));
    }
  }
  return {};
}

}  // namespace detail::manage
}  // inline namespace WINSVC_ABI
}  // namespace winsvc

#endif  // WINSVC_BODIES_MANAGE
