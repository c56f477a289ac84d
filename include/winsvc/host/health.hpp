// Liveness and readiness: `/livez` says that requests are answered, `/readyz` that they should be sent.
//
//   svc.ready("store", [] { return store.is_open(); });     // 503 "not ready: store" until it is
//
// Both are routes like any other; an app that has routes of its own at these paths keeps them.
#pragma once

#include <atomic>
#include <exception>
#include <string>
#include <string_view>

#include "winsvc/host/definition.hpp"
#include "winsvc/base/source_location.hpp"
#include "winsvc/config/abi.hpp"

namespace winsvc {
inline namespace WINSVC_ABI {
namespace host {

/// What readiness depends on beside the checks.
enum class run_phase { starting, serving, paused, stopping };
[[nodiscard]] constexpr std::string_view name(run_phase p) noexcept {
  constexpr std::string_view names[] = {"start pending", "running", "paused", "stop pending"};  // as the SCM's are called
  return names[static_cast<int>(p)];
}

/// `now` changes with the first moment of a pause and of a stop. It and the plan outlive the router's last call.
void add_health_routes(service_definition& plan, const std::atomic<run_phase>& now);

}  // namespace host
}  // inline namespace WINSVC_ABI
}  // namespace winsvc

// ---------------------------------------------------------------------------------------------------------------------

#if WINSVC_BODIES_HOST

namespace winsvc {
inline namespace WINSVC_ABI {
namespace host {

WINSVC_INLINE void add_health_routes(service_definition& plan, const std::atomic<run_phase>& now) {
  const source_location location = source_location::current();
  const auto free = [&plan](const std::string& path) { return !path.empty() && !plan.router.has_pattern(path); };
  if (free(plan.live_path)) {
    plan.router.add(route::method::get, plan.live_path, [] { return "live\n"; }, location);
    plan.router.serve_while_paused();
  }
  if (!free(plan.ready_path)) return;

  plan.router.add(route::method::get, plan.ready_path, [&plan, &now]() -> reply {
    switch (now.load()) {
      case run_phase::starting: return reply::text("starting\n", 503);
      case run_phase::paused: return reply::text("paused\n", 503);
      case run_phase::stopping: return reply::text("stopping\n", 503);
      case run_phase::serving: break;
    }
    for (const auto& r : plan.ready_checks) {
      bool good = false;
      try {
        good = r.is_ready();
      } catch (const std::exception& e) {
        plan.log.warn("ready check '" + r.name + "' threw: " + e.what());
      } catch (...) {
        plan.log.warn("ready check '" + r.name + "' threw something that is no std::exception");
      }
      if (!good) return reply::text("not ready: " + r.name + "\n", 503);
    }
    return reply::text("ready\n");
  }, location);
  plan.router.serve_while_paused();
}

}  // namespace host
}  // inline namespace WINSVC_ABI
}  // namespace winsvc

#endif  // WINSVC_BODIES_HOST
