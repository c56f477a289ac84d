// Dashboard, `svc.dashboard`: routes of the page (addons/dashboard_page.hpp) and the data that it requests.
//
// Without a custom guard, only requests from this computer are accepted. A check of the client's address is not
// sufficient: the name of another site can resolve to 127.0.0.1 (DNS rebinding), and a page of that site then sends
// requests from a browser on this computer. Therefore the Host of the request must also be a local address or name.
// Each user of this computer can read the page then, but the log lines and the query strings of requests may contain
// data of others: they require the token of this run, which `debug` and `status` print.
#pragma once

#include <algorithm>
#include <array>
#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "winsvc/api/service.hpp"
#include "winsvc/host/definition.hpp"
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
#include "winsvc/wire/websocket.hpp"

namespace winsvc {
inline namespace WINSVC_ABI {
namespace detail::host {

/// Request counters and durations of each route since the start of the service. Thread-safe.
class route_statistics {
 public:
  explicit route_statistics(const service_definition& definition)
      : definition_(definition), counters_(definition.router.routes().entries().size()) {}

  void record(const http::access_record& response) noexcept {
    constexpr auto relaxed = std::memory_order_relaxed;  // the counters need not be consistent with each other
    if (!response.counts_in_statistics || !response.route_id || *response.route_id >= counters_.size()) return;
    route_counters& counters = counters_[*response.route_id];
    const auto us = static_cast<std::uint64_t>(response.duration.count());
    counters.duration[http::request_statistics::bucket_of(response.duration)].fetch_add(1, relaxed);
    if (response.status >= 500) counters.failed.fetch_add(1, relaxed);
    for (auto known_max = counters.max_duration.load(relaxed);
         us > known_max && !counters.max_duration.compare_exchange_weak(known_max, us, relaxed);) {}
  }
  /// Returns a JSON array of the slowest routes by the 99th percentile, at most `max_routes`.
  [[nodiscard]] std::string json(std::size_t max_routes) const;

 private:
  struct route_counters {
    std::array<std::atomic<std::uint64_t>, http::request_statistics::bucket_count> duration{};
    std::atomic<std::uint64_t> failed{0}, max_duration{0};
  };
  const service_definition& definition_;
  std::vector<route_counters> counters_;
};

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
    statistics_ = std::make_unique<route_statistics>(definition_);
    const auto system_time = definition_.time->system_now().time_since_epoch();
    epoch_ = duration_cast<seconds>(system_time - definition_.time->now().time_since_epoch());
    since_ = now();
    engine.on_response([this](const http::access_record& response) { statistics_->record(response); });
  }
  /// Returns data.json, with the statistics of the seconds after `after` and the log lines after number `log_after`.
  /// `is_trusted`: with log lines and query strings.
  [[nodiscard]] std::string json(std::int64_t after, std::uint64_t log_after, bool is_trusted) const;
  static constexpr std::size_t max_routes = 200, max_active_requests = 100;  ///< limits of data.json

 private:
  /// Milliseconds since 1970, measured with the steady clock, so that the seconds of the page are continuous even if
  /// the system time is changed.
  [[nodiscard]] std::chrono::milliseconds now() const {
    const auto steady = definition_.time->now().time_since_epoch();
    return std::chrono::duration_cast<std::chrono::milliseconds>(steady) + epoch_;
  }

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

WINSVC_INLINE std::string route_statistics::json(std::size_t max_routes) const {
  constexpr auto relaxed = std::memory_order_relaxed;
  struct row {
    std::size_t route = 0;
    std::uint64_t count = 0, p50 = 0, p99 = 0, max_duration = 0;
  };
  std::vector<row> rows;
  for (std::size_t i = 0; i < counters_.size(); ++i) {
    http::request_statistics::histogram durations{};
    row r;
    r.route = i;
    for (std::size_t k = 0; k < durations.size(); ++k)
      r.count += durations[k] = counters_[i].duration[k].load(relaxed);
    if (r.count == 0) continue;
    r.max_duration = counters_[i].max_duration.load(relaxed);
    // A percentile is the middle of a bucket and can exceed the maximum.
    r.p50 = (std::min)(std::uint64_t{http::request_statistics::percentile(durations, r.count, 50)}, r.max_duration);
    r.p99 = (std::min)(std::uint64_t{http::request_statistics::percentile(durations, r.count, 99)}, r.max_duration);
    rows.push_back(r);
  }
  std::sort(rows.begin(), rows.end(), [](const row& a, const row& b) { return a.p99 > b.p99; });
  if (rows.size() > max_routes) rows.resize(max_routes);
  return base::json_array(rows, [this](const row& r) {
    const auto& entry = definition_.router.routes().entries()[r.route];
    const std::uint64_t failed = counters_[r.route].failed.load(std::memory_order_relaxed);
    base::json_object_writer o;
    o.put_text("method", entry.method_name()).put_text("pattern", entry.path.text);
    o.put("n", std::to_string(r.count)).put("e", std::to_string(failed));
    o.put("p50", std::to_string(r.p50)).put("p99", std::to_string(r.p99));
    return o.put("max", std::to_string(r.max_duration)).text();
  });
}

WINSVC_INLINE std::string dashboard_data::json(std::int64_t after, std::uint64_t log_after, bool is_trusted) const {
  const auto ms = [](clock::system_time time) {
    return std::to_string(std::chrono::duration_cast<std::chrono::milliseconds>(time.time_since_epoch()).count());
  };
  const auto number = [](auto value) { return std::to_string(value); };
  auto& statistics = engine_->statistics();
  const auto& spec = definition_.spec;

  base::json_object_writer o;
  o.put_text("name", spec.name).put_text("display_name", spec.display_name.value_or(spec.name));
  o.put_text("version", definition_.version).put_text("state", engine_->is_paused() ? "paused" : "running");
  o.put_text("address", engine_->address().url()).put("pid", number(os::process_id()));
  o.put("since", number(since_.count())).put("now", number(now().count()));
  const auto in_flight = engine_->in_flight();  // includes this request
  o.put("in_flight", number(in_flight > 0 ? in_flight - 1 : 0)).put("connections", number(engine_->connections()));
  o.put("websockets", number(engine_->websockets())).put("threads", number(engine_->threads()));
  o.put("answered", number(engine_->response_count()));
  const auto after_start = (std::max)(after, epoch_.count()) - epoch_.count();
  const auto seconds = statistics.seconds(definition_.time->now(), after_start);
  o.put("seconds", base::json_array(seconds, [&](const http::request_statistics::interval_statistics& interval) {
    base::json_object_writer s;
    s.put("t", number(interval.second + epoch_.count()));
    s.put("n", number(interval.count)).put("e", number(interval.failed));
    return s.put("p50", number(interval.p50)).put("p99", number(interval.p99)).text();
  }));
  auto requests = engine_->active_requests(max_active_requests);
  const std::string data_request = "GET " + definition_.dashboard_path + "/data.json";
  const auto is_data_request = [&](const http::active_request& w) { return w.request_line == data_request; };
  requests.erase(std::remove_if(requests.begin(), requests.end(), is_data_request), requests.end());
  o.put("active_requests", base::json_array(requests, [&number, is_trusted](const http::active_request& w) {
    const auto us = std::chrono::duration_cast<std::chrono::microseconds>(w.age).count();
    const auto blank = w.request_line.find(' ');
    base::json_object_writer active;
    const std::string target = w.request_line.substr(blank + 1);
    active.put_text("method", w.request_line.substr(0, blank));
    active.put_text("target", is_trusted ? target : target.substr(0, target.find('?')));
    return active.put("us", number(us)).text();
  }));
  o.put("routes", statistics_->json(max_routes));
  o.put("log_is_hidden", is_trusted ? "false" : "true");
  auto entries = definition_.recent_entries->after(log_after);
  if (!is_trusted) entries.clear();
  o.put("log", base::json_array(entries, [&](const log::ring_sink::numbered_entry& numbered) {
    const auto& entry = numbered.entry;
    base::json_object_writer line;
    line.put("n", number(numbered.number)).put("t", ms(entry.time)).put_text("level", name(entry.level));
    return line.put_text("text", entry.text).text();
  }));
  using view = settings::setting_registry::setting_view;
  o.put("settings", base::json_array(definition_.settings.views(), [](const view& v) {
    base::json_object_writer setting;
    setting.put_text("name", v.name).put_text("value", v.value).put_text("source", v.origin);
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
  if (!origin.empty() && !wire::origin_is_allowed(origin, header_text(req, "Host"), {})) return false;
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
    g.get(
         "/page.css", [send] { return send(detail::addons::dashboard_css, "text/css; charset=utf-8"); }, location)
        .hidden();
    definition_.router.serve_while_paused();
    g.get(
         "/page.js", [send] { return send(detail::addons::dashboard_js, "text/javascript; charset=utf-8"); }, location)
        .hidden();
    definition_.router.serve_while_paused();
    g.get("/data.json", [send, data, token = definition_.dashboard_token](const request& req) {
      const bool is_trusted =
          token.empty() || equal_secret(query(req, "token", std::string()), token);
      return send(data->json(query(req, "after", std::int64_t{0}), query(req, "log", std::uint64_t{0}), is_trusted),
                  "application/json");
    }, location).hidden();
    definition_.router.serve_while_paused();
  });
  return *this;
}

}  // inline namespace WINSVC_ABI
}  // namespace winsvc

#endif  // WINSVC_BODIES_ADDONS
