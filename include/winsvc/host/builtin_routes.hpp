// What a service can tell of itself, where the app asks for it: the description of its routes, its counts, and a line
// for each request.
#pragma once

#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "winsvc/api/service.hpp"
#include "winsvc/host/definition.hpp"
#include "winsvc/server/engine.hpp"
#include "winsvc/http/engine_state.hpp"
#include "winsvc/config/abi.hpp"
#include "winsvc/os/native.hpp"
#include "winsvc/addons/metrics.hpp"
#include "winsvc/addons/openapi.hpp"

// ---------------------------------------------------------------------------------------------------------------------

#if WINSVC_BODIES_WEB

namespace winsvc {
inline namespace WINSVC_ABI {

WINSVC_INLINE service& service::openapi(std::string_view path, source_location location) {
  check_not_frozen("openapi");
  struct document {
    std::once_flag generated;
    std::string text;
  };
  // Made when it is first asked for: the app says its version and the last of its routes when it likes.
  get(path, [&plan = plan_, one = std::make_shared<document>()] {
    std::call_once(one->generated, [&] {
      const auto& spec = plan.spec;
      one->text = web::openapi_document(plan.router.routes(), {spec.display_name.value_or(spec.name), plan.version,
                                                               spec.description.value_or(std::string())});
    });
    return reply::with(one->text, "application/json");
  }, location).hidden();
  return *this;
}
WINSVC_INLINE service& service::metrics(std::string_view path, source_location location) {
  check_not_frozen("metrics");
  struct metrics_state {
    std::optional<web::request_counts> counts;
    const http::engine* engine = nullptr;
  };
  const auto m = std::make_shared<metrics_state>();
  plan_.on_engine_created.push_back([&plan = plan_, m](http::engine& e) {  // now that all routes are known
    m->counts.emplace(plan.router.routes());
    m->engine = &e;
    e.on_response([m](const http::access_record& a) { m->counts->count(a.route_id, a.method_id, a.status, a.duration); });
  });
  get(path, [&plan = plan_, m] {
    const web::gauges now{m->engine->in_flight(), m->engine->connections(), m->engine->websockets(), os::query_process_usage(),
                          {{"service", plan.spec.name},
                           {"version", plan.version},
                           {"winsvc", WINSVC_VERSION_STRING},
                           {"httplib", std::string(http::httplib_version_text())}}};
    return reply::with(m->counts->text(now), "text/plain; version=0.0.4; charset=utf-8");
  }, location);
  plan_.router.serve_while_paused();
  return *this;
}
WINSVC_INLINE service& service::access_log() {
  check_not_frozen("access_log");
  if (std::exchange(plan_.access_log, true)) return *this;
  plan_.on_engine_created.push_back([&plan = plan_](http::engine& e) {
    e.on_response([&plan](const http::access_record& a) {
      if (plan.is_dashboard_route(a.pattern)) return;
      std::string line = a.peer.host + ' ';
      if (!a.id.empty()) line += std::string(a.id) + ' ';
      line += a.to_text();
      if (!a.pattern.empty()) line += "  " + std::string(a.pattern);
      const bool as_json = plan.log_file.format == log_format::json;
      plan.log.write(log_level::info, std::move(line), as_json ? a.to_json_fields() : std::string());
    });
  });
  return *this;
}

}  // inline namespace WINSVC_ABI
}  // namespace winsvc

#endif  // WINSVC_BODIES_WEB
