// Dashboard, `svc.dashboard`: routes of the page (addons/dashboard_page.hpp) and the data that it requests.
//
//   svc.dashboard("/_service");
//
// Without a custom guard, only requests from this computer are accepted. A check of the client's address is not
// sufficient: the name of another site can resolve to 127.0.0.1 (DNS rebinding), and a page of that site then sends
// requests from a browser on this computer. Therefore the Host of the request must also be a local address or name.
// Each user of this computer can read the page then, but the log lines and the query strings of requests may contain
// data of others: they require the token of this run, which `debug` and `status` print.
#pragma once

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <utility>

#include "winsvc/api/service.hpp"
#include "winsvc/api/httplib.hpp"
#include "winsvc/config/version.hpp"
#include "winsvc/host/definition.hpp"
#include "winsvc/host/route_statistics.hpp"
#include "winsvc/server/engine.hpp"
#include "winsvc/http/engine_state.hpp"
#include "winsvc/base/encoding.hpp"
#include "winsvc/base/json_writer.hpp"
#include "winsvc/base/token.hpp"
#include "winsvc/config/abi.hpp"
#include "winsvc/os/native.hpp"
#include "winsvc/addons/dashboard_page.hpp"
#include "winsvc/addons/dashboard_script.hpp"
#include "winsvc/addons/dashboard_style.hpp"
#include "winsvc/api/values.hpp"
#include "winsvc/wire/host_name.hpp"
#include "winsvc/wire/origin.hpp"

namespace winsvc {
inline namespace WINSVC_ABI {
namespace detail::host {

/// True if the client and the Host of the request are local, and no proxy has forwarded the request.
[[nodiscard]] bool is_local_request(const request& req);
/// True if the request comes from the page or from a user, and not from a script of another site. An app with `cors`
/// may allow such scripts to read responses.
[[nodiscard]] bool is_same_origin_request(const request& req);

/// The data of the page.
class dashboard_data {
 public:
  explicit dashboard_data(const service_definition& definition) : definition_(definition) {}
  void attach(server::engine& engine) {
    using namespace std::chrono;
    engine_ = &engine;
    statistics_ = std::make_unique<route_statistics>(definition_.router.table());
    const auto system_time = definition_.time->system_now().time_since_epoch();
    epoch_ = duration_cast<seconds>(system_time - definition_.time->now().time_since_epoch());
    since_ = now();
    engine.on_response([this](const http::access_record& response) { statistics_->record(response, now()); });
  }
  /// Returns data.json, with the statistics of the seconds after `after` and the log lines after number `log_after`.
  /// `is_trusted`: with log lines and query strings.
  [[nodiscard]] std::string json(std::int64_t after, std::uint64_t log_after, bool is_trusted) const;
  /// Limits of data.json.
  static constexpr std::size_t max_routes = 200, max_active_requests = 100;

 private:
  /// Milliseconds since 1970, measured with the steady clock, so that the seconds of the page are continuous even if
  /// the system time is changed.
  [[nodiscard]] std::chrono::milliseconds now() const {
    const auto steady = definition_.time->now().time_since_epoch();
    return std::chrono::duration_cast<std::chrono::milliseconds>(steady) + epoch_;
  }

  void put_service(base::json_object_writer& o) const;
  void put_load(base::json_object_writer& o) const;
  void put_active_requests(base::json_object_writer& o, bool is_trusted) const;
  void put_last_failure(base::json_object_writer& o, bool is_trusted) const;
  void put_log(base::json_object_writer& o, std::uint64_t after, bool is_trusted) const;

  const service_definition& definition_;
  server::engine* engine_ = nullptr;
  std::unique_ptr<route_statistics> statistics_;
  std::chrono::seconds epoch_{0};  // system time at zero of the steady clock, in whole seconds
  std::chrono::milliseconds since_{0};
};

}  // namespace detail::host

}  // inline namespace WINSVC_ABI
}  // namespace winsvc

// ---------------------------------------------------------------------------------------------------------------------

#if WINSVC_BODIES_ADDONS

namespace winsvc {
inline namespace WINSVC_ABI {
namespace detail::host {

/// A request target; without its query string unless the reader may see it.
WINSVC_INLINE std::string visible_target(const std::string& target, bool is_trusted) {
  return is_trusted ? target : target.substr(0, target.find('?'));
}

WINSVC_INLINE void dashboard_data::put_service(base::json_object_writer& o) const {
  const auto& spec = definition_.spec;
  o.put_text("name", spec.name).put_text("display_name", spec.display_name.value_or(spec.name));
  o.put_text("version", definition_.version).put_text("state", engine_->is_paused() ? "paused" : "running");
  o.put_text("libraries", api::library_versions());
  o.put_text("host", os::host_name()).put_text("address", engine_->address().url());
  o.put("pid", std::to_string(os::process_id()));
  o.put("since", std::to_string(since_.count())).put("now", std::to_string(now().count()));
  if (const auto failure = definition_.log_failure ? definition_.log_failure() : std::nullopt)
    o.put_text("log_failure", failure->text());
}

WINSVC_INLINE void dashboard_data::put_load(base::json_object_writer& o) const {
  const auto number = [](auto value) { return std::to_string(value); };
  const auto in_flight = engine_->in_flight();  // includes this request
  o.put("in_flight", number(in_flight > 0 ? in_flight - 1 : 0)).put("connections", number(engine_->connections()));
  o.put("websockets", number(engine_->websockets())).put("threads", number(engine_->threads()));
  o.put("answered", number(engine_->response_count()));
  const auto usage = os::query_process_usage();
  o.put("cpu_us", number(usage.cpu.count())).put("processors", number(os::processor_count()));
  o.put("memory", number(usage.resident));
}

WINSVC_INLINE void dashboard_data::put_active_requests(base::json_object_writer& o, bool is_trusted) const {
  auto requests = engine_->active_requests(max_active_requests);
  const std::string data_request = "GET " + definition_.dashboard_path + "/data.json";
  const auto is_data_request = [&](const http::active_request& w) { return w.request_line == data_request; };
  requests.erase(std::remove_if(requests.begin(), requests.end(), is_data_request), requests.end());
  o.put("active_requests", base::json_array(requests, [is_trusted](const http::active_request& w) {
    const auto us = std::chrono::duration_cast<std::chrono::microseconds>(w.age).count();
    const auto blank = w.request_line.find(' ');
    base::json_object_writer active;
    active.put_text("method", w.request_line.substr(0, blank));
    active.put_text("target", visible_target(w.request_line.substr(blank + 1), is_trusted));
    return active.put("us", std::to_string(us)).text();
  }));
}

WINSVC_INLINE void dashboard_data::put_last_failure(base::json_object_writer& o, bool is_trusted) const {
  const auto failure = statistics_->last_failure();
  if (!failure) return;
  base::json_object_writer last;
  last.put("t", std::to_string(failure->time.count())).put_text("method", failure->method);
  last.put_text("target", visible_target(failure->target, is_trusted));
  o.put("last_failure", last.put("status", std::to_string(failure->status)).put_text("id", failure->id).text());
}

WINSVC_INLINE void dashboard_data::put_log(base::json_object_writer& o, std::uint64_t after, bool is_trusted) const {
  o.put("log_is_hidden", is_trusted ? "false" : "true");
  auto entries = definition_.recent_entries->after(after);
  if (!is_trusted) entries.clear();
  o.put("log", base::json_array(entries, [](const log::ring_sink::numbered_entry& numbered) {
    const auto time = numbered.entry.time.time_since_epoch();
    base::json_object_writer line;
    line.put("n", std::to_string(numbered.number));
    line.put("t", std::to_string(std::chrono::duration_cast<std::chrono::milliseconds>(time).count()));
    return line.put_text("level", name(numbered.entry.level)).put_text("text", numbered.entry.text).text();
  }));
}

WINSVC_INLINE std::string dashboard_data::json(std::int64_t after, std::uint64_t log_after, bool is_trusted) const {
  const auto number = [](auto value) { return std::to_string(value); };
  base::json_object_writer o;
  put_service(o);
  put_load(o);
  const auto after_start = (std::max)(after, epoch_.count()) - epoch_.count();
  const auto seconds = engine_->statistics().seconds(definition_.time->now(), after_start);
  o.put("seconds", base::json_array(seconds, [&](const http::request_statistics::interval_statistics& interval) {
    base::json_object_writer s;
    s.put("t", number(interval.second + epoch_.count())).put("n", number(interval.count));
    s.put("c", number(interval.client_errors)).put("e", number(interval.server_errors));
    return s.put("p50", number(interval.p50)).put("p99", number(interval.p99)).text();
  }));
  put_active_requests(o, is_trusted);
  o.put("routes", statistics_->json(max_routes));
  put_last_failure(o, is_trusted);
  put_log(o, log_after, is_trusted);
  using view = settings::setting_registry::setting_view;
  o.put("settings", base::json_array(definition_.settings.views(), [](const view& v) {
    base::json_object_writer setting;
    setting.put_text("name", v.name).put_text("value", v.value).put_text("source", v.source);
    return setting.put_text("help", v.help).text();
  }));
  return o.text();
}

WINSVC_INLINE bool is_local_request(const request& req) {
  // A proxy on this computer may forward requests of other computers.
  for (const auto forwarded : {"X-Forwarded-For", "Forwarded", "X-Real-IP", "Via"}) {
    if (has_header(req, forwarded)) return false;
  }
  return wire::is_loopback_host(client_address(req)) && wire::is_loopback_host(wire::host_of(header_text(req, "Host")));
}

WINSVC_INLINE bool is_same_origin_request(const request& req) {
  const std::string site = header_text(req, "Sec-Fetch-Site"), origin = header_text(req, "Origin");
  if (!origin.empty() && !wire::is_allowed_origin(origin, header_text(req, "Host"), {})) return false;
  // Links from other sites are allowed: the user sees the page, but the other site cannot read it.
  return site.empty() || site == "same-origin" || site == "none" || header_text(req, "Sec-Fetch-Mode") == "navigate";
}

}  // namespace detail::host

WINSVC_INLINE service& service::dashboard(std::string_view path, middleware guard, source_location location) {
  check_not_frozen("dashboard");
  const std::string base(path);
  if (base.size() < 2 || base[0] != '/' || base.back() == '/') {
    throw setup_error("dashboard '" + base + "' (" + location.to_string() +
                      "): invalid path; use a path such as /_service, without '/' at the end");
  }
  const auto data = std::make_shared<detail::host::dashboard_data>(definition_);
  definition_.dashboard_path = base;
  definition_.on_engine_created.push_back(
      [data](detail::server::engine& engine) { data->attach(engine); });  // routes are complete now
  if (!guard) {
    definition_.dashboard_token = detail::base::random_hex(32);
    guard = [](const request& req, response&, const next_handler& next) {
      if (!detail::host::is_local_request(req))
        abort(403, "this page is available only on the computer of the service");
      if (!detail::host::is_same_origin_request(req)) abort(403, "a page of another site may not read this page");
      next();
    };
  }
  const auto send = [](std::string_view content, const char* type) {
    auto result = reply::with(std::string(content), type);
    result.header("Content-Security-Policy", std::string(detail::addons::dashboard_policy));
    result.header("X-Content-Type-Options", "nosniff").header("Referrer-Policy", "no-referrer");
    result.header("Cross-Origin-Resource-Policy", "same-origin");
    return result.header("Cache-Control", "no-store");
  };
  std::string page(detail::addons::dashboard_html);
  const std::string folder = base.substr(base.rfind('/') + 1);
  for (auto mark = page.find('@'); mark != page.npos; mark = page.find('@', mark + folder.size()))
    page.replace(mark, 1, folder);
  group(base, [&](route_group& g) {
    g.use(std::move(guard));
    g.get("", [send, page] { return send(page, "text/html; charset=utf-8"); }, location).hidden();
    definition_.router.serve_while_paused();
    definition_.router.accept_global_hosts();
    g.get(
         "/page.css", [send] { return send(detail::addons::dashboard_css, "text/css; charset=utf-8"); }, location)
        .hidden();
    definition_.router.serve_while_paused();
    definition_.router.accept_global_hosts();
    g.get(
         "/page.js", [send] { return send(detail::addons::dashboard_js, "text/javascript; charset=utf-8"); }, location)
        .hidden();
    definition_.router.serve_while_paused();
    definition_.router.accept_global_hosts();
    g.get("/data.json", [send, data, token = definition_.dashboard_token](const request& req) {
      const bool is_trusted =
          token.empty() || equal_secret(query(req, "token", std::string()), token);
      return send(data->json(query(req, "after", std::int64_t{0}), query(req, "log", std::uint64_t{0}), is_trusted),
                  "application/json");
    }, location).hidden();
    definition_.router.serve_while_paused();
    definition_.router.accept_global_hosts();
  });
  return *this;
}

}  // inline namespace WINSVC_ABI
}  // namespace winsvc

#endif  // WINSVC_BODIES_ADDONS
