// Implements `svc.openapi`, `svc.metrics` and `svc.access_log` (api/service.hpp): adds their routes and observers.
//
//   svc.openapi("/openapi.json").metrics("/metrics").access_log();
#pragma once

#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "winsvc/api/context.hpp"
#include "winsvc/api/service.hpp"
#include "winsvc/host/access_log.hpp"
#include "winsvc/host/definition.hpp"
#include "winsvc/server/engine.hpp"
#include "winsvc/http/engine_state.hpp"
#include "winsvc/config/abi.hpp"
#include "winsvc/os/native.hpp"
#include "winsvc/addons/metrics.hpp"
#include "winsvc/addons/api_page.hpp"
#include "winsvc/addons/dashboard_page.hpp"
#include "winsvc/addons/dashboard_style.hpp"
#include "winsvc/addons/openapi.hpp"

// ---------------------------------------------------------------------------------------------------------------------

#if WINSVC_BODIES_ADDONS

namespace winsvc {
inline namespace WINSVC_ABI {

WINSVC_INLINE service& service::openapi(std::string_view path, source_location location) {
  check_not_frozen("openapi");
  struct document {
    std::once_flag generated;
    std::string text;
  };
  const auto generate = [&definition = definition_](const std::string& path_prefix) {
    const auto& spec = definition.spec;
    const detail::addons::api_info info{spec.display_name.value_or(spec.name), definition.version,
                                        spec.description.value_or(std::string()), path_prefix};
    return detail::addons::openapi_document(definition.router.table(), info, [&definition](std::size_t id) {
      return definition.router.security_of(id);
    });
  };
  // Generated at the first request, because the app may set the version and add routes after this call; for a reader
  // behind a proxy with a path prefix at each request, because the document names the prefix.
  get(path, [generate, cache = std::make_shared<document>()](const request& req) {
    if (const auto& prefix = context(req).path_prefix(); !prefix.empty())
      return reply::with(generate(prefix), "application/json");
    std::call_once(cache->generated, [&] { cache->text = generate({}); });
    return reply::with(cache->text, "application/json");
  }, location).hidden();
  definition_.router.accept_global_hosts();

  constexpr std::string_view extension = ".json";
  const bool has_extension = path.size() > extension.size() + 1 &&
                             path.substr(path.size() - extension.size()) == extension;
  const std::string page = has_extension ? std::string(path.substr(0, path.size() - extension.size()))
                                         : std::string(path) + "/page";
  const auto last_segment = [](std::string_view p) { return std::string(p.substr(p.rfind('/') + 1)); };
  std::string markup(detail::addons::api_page_html);
  const std::string document_link = (has_extension ? "" : "../") + last_segment(path);
  for (auto i = markup.find_first_of("@%"); i != markup.npos; i = markup.find_first_of("@%", i)) {
    const std::string link = markup[i] == '@' ? last_segment(page) : document_link;
    markup.replace(i, 1, link);
    i += link.size();
  }
  get(page, [markup] {
    return reply::html(markup)
        .header("Content-Security-Policy", std::string(detail::addons::dashboard_policy))
        .header("X-Content-Type-Options", "nosniff");
  }, location).hidden();
  definition_.router.accept_global_hosts();
  get(page + "/page.css", [] {
    std::string style(detail::addons::dashboard_css);
    return reply::with(style.append(detail::addons::api_page_css), "text/css; charset=utf-8");
  }, location).hidden();
  definition_.router.accept_global_hosts();
  get(page + "/page.js", [] {
    return reply::with(std::string(detail::addons::api_page_js), "text/javascript; charset=utf-8");
  }, location).hidden();
  definition_.router.accept_global_hosts();
  return *this;
}
WINSVC_INLINE service& service::metrics(std::string_view path, source_location location) {
  check_not_frozen("metrics");
  struct metrics_state {
    std::optional<detail::addons::request_counts> counts;
    const detail::server::engine* engine = nullptr;
  };
  const auto state = std::make_shared<metrics_state>();
  definition_.on_engine_created.push_back([&definition = definition_,
                                     state](detail::server::engine& engine) {  // the routes are complete now
    state->counts.emplace(definition.router.table());
    state->engine = &engine;
    engine.on_response([state](const detail::http::access_record& record) {
      state->counts->count(record.route_id, record.method_id, record.status, record.duration);
    });
  });
  get(path, [&definition = definition_, state] {
    const detail::server::engine& engine = *state->engine;
    const detail::addons::gauges now{engine.in_flight(),
                                     engine.connections(),
                                     engine.websockets(),
                                     detail::os::query_process_usage(),
                                     {{"service", definition.spec.name},
                                      {"version", definition.version},
                                      {"winsvc", WINSVC_VERSION_STRING},
                                      {"httplib", std::string(detail::api::httplib_version_text())}}};
    return reply::with(state->counts->text(now), "text/plain; version=0.0.4; charset=utf-8");
  }, location);
  definition_.router.serve_while_paused();
  definition_.router.accept_global_hosts();
  return *this;
}
WINSVC_INLINE service& service::access_log() {
  check_not_frozen("access_log");
  if (definition_.access_log) return *this;
  definition_.on_engine_created.push_back([&definition = definition_](detail::server::engine& engine) {
    engine.on_response([&definition](const detail::http::access_record& record) {
      if (definition.is_dashboard_route(record.pattern)) return;
      detail::host::log_response(definition.log, record, detail::host::access_log_form::with_client,
                                 definition.log_file.format);
    });
  });
  definition_.access_log = true;
  return *this;
}

}  // inline namespace WINSVC_ABI
}  // namespace winsvc

#endif  // WINSVC_BODIES_ADDONS
