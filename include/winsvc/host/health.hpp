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

#include "winsvc/app/blueprint.hpp"
#include "winsvc/base/source.hpp"
#include "winsvc/config/abi.hpp"

namespace winsvc {
inline namespace WINSVC_ABI {
namespace host {

/// What readiness depends on beside the checks.
enum class phase { starting, serving, paused, stopping };
[[nodiscard]] constexpr std::string_view name(phase p) noexcept {
  constexpr std::string_view names[] = {"start pending", "running", "paused", "stop pending"};  // as the SCM's are called
  return names[static_cast<int>(p)];
}

/// `now` changes with the first moment of a pause and of a stop. It and the plan outlive the router's last call.
inline void add_health_routes(blueprint& plan, const std::atomic<phase>& now) {
  const source where = source::here();
  const auto free = [&plan](const std::string& path) { return !path.empty() && !plan.router.has(path); };
  if (free(plan.live_path)) {
    plan.router.add(route::method::get, plan.live_path, [] { return "live\n"; }, where);
    plan.router.keep_while_paused();
  }
  if (!free(plan.ready_path)) return;

  plan.router.add(route::method::get, plan.ready_path, [&plan, &now]() -> reply {
    switch (now.load()) {
      case phase::starting: return reply::text("starting\n", 503);
      case phase::paused: return reply::text("paused\n", 503);
      case phase::stopping: return reply::text("stopping\n", 503);
      case phase::serving: break;
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
  }, where);
  plan.router.keep_while_paused();
}

}  // namespace host
}  // inline namespace WINSVC_ABI
}  // namespace winsvc
