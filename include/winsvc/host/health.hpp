// Liveness and readiness routes: `/livez` returns 200 while the service responds, `/readyz` returns 200 while clients
// should send requests to it.
//
//   svc.ready("store", [] { return store.is_open(); });     // 503 "not ready: store" until it returns true
//
// An app that has routes with these paths keeps its own.
#pragma once

#include <exception>
#include <functional>
#include <string>
#include <string_view>
#include <utility>

#include "winsvc/base/error.hpp"
#include "winsvc/host/definition.hpp"
#include "winsvc/base/source_location.hpp"
#include "winsvc/config/abi.hpp"
#include "winsvc/scm/state.hpp"

namespace winsvc {
inline namespace WINSVC_ABI {
namespace detail::host {

/// Phase of a run. The readiness route returns 503 in each phase except `serving`.
enum class run_phase { starting, serving, paused, stopping };
[[nodiscard]] constexpr std::string_view name(run_phase phase) noexcept {
  // Names of the SCM's states.
  constexpr std::string_view names[] = {"start pending", "running", "paused", "stop pending"};
  return names[static_cast<int>(phase)];
}

/// The phase that belongs to a state of the service. While a pause or a continue is pending, it is `paused`.
[[nodiscard]] constexpr run_phase phase_of(scm::state state) noexcept {
  switch (state) {
    case scm::state::none:
    case scm::state::start_pending: return run_phase::starting;
    case scm::state::running: return run_phase::serving;
    case scm::state::pause_pending:
    case scm::state::paused:
    case scm::state::continue_pending: return run_phase::paused;
    case scm::state::stop_pending:
    case scm::state::stopped: break;
  }
  return run_phase::stopping;
}

/// Returns the current phase. Called on any thread.
using phase_function = std::function<run_phase()>;

/// Adds both routes. `definition` must outlive the router.
void add_health_routes(service_definition& definition, phase_function phase);

}  // namespace detail::host
}  // inline namespace WINSVC_ABI
}  // namespace winsvc

// ---------------------------------------------------------------------------------------------------------------------

#if WINSVC_BODIES_HOST

namespace winsvc {
inline namespace WINSVC_ABI {
namespace detail::host {

WINSVC_INLINE void add_health_routes(service_definition& definition, phase_function phase) {
  const source_location location = source_location::current();
  const auto is_free = [&definition](const std::string& path) {
    return !path.empty() && !definition.router.has_pattern(path);
  };
  if (is_free(definition.live_path)) {
    definition.router.add(route::method::get, definition.live_path, [] { return "live\n"; }, location);
    definition.router.serve_while_paused();
    definition.router.accept_global_hosts();
  }
  if (!is_free(definition.ready_path)) return;

  definition.router.add(route::method::get, definition.ready_path, [&definition, phase = std::move(phase)]() -> reply {
        switch (phase()) {
      case run_phase::starting: return reply::text("starting\n", 503);
      case run_phase::paused: return reply::text("paused\n", 503);
      case run_phase::stopping: return reply::text("stopping\n", 503);
      case run_phase::serving: break;
        }
        for (const auto& check : definition.ready_checks) {
          bool is_ready = false;
          try {
            is_ready = check.is_ready();
          } catch (...) {
            definition.log.warn("readiness check '" + check.name + "' threw: " + base::exception_message());
          }
          if (!is_ready) return reply::text("not ready: " + check.name + "\n", 503);
        }
        // Still ready: a service without a log serves, and a restart does not help a full disk.
        const auto failure = definition.log_failure ? definition.log_failure() : std::nullopt;
        return reply::text(failure ? "ready\n" + failure->text() + '\n' : std::string("ready\n"));
  }, location);
  definition.router.serve_while_paused(!definition.ready_checks.empty());
  definition.router.accept_global_hosts();
}

}  // namespace detail::host
}  // inline namespace WINSVC_ABI
}  // namespace winsvc

#endif  // WINSVC_BODIES_HOST
