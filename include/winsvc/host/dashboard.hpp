// `svc.dashboard`: the service on a page (addons/dashboard_page.hpp), and the data that the page asks for.
//
// Whoever has no guard of their own gets one that lets this machine in alone. The address of the client is not enough for
// that: a page of another site can have its name resolved to 127.0.0.1, and ask from the browser of somebody who sits
// here. So the request must be for an address or name of this machine as well.
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
#include "winsvc/base/json_writer.hpp"
#include "winsvc/config/abi.hpp"
#include "winsvc/os/native.hpp"
#include "winsvc/addons/dashboard_page.hpp"
#include "winsvc/addons/dashboard_script.hpp"
#include "winsvc/addons/dashboard_style.hpp"
#include "winsvc/api/values.hpp"
#include "winsvc/wire/ip.hpp"
#include "winsvc/wire/websocket.hpp"

namespace winsvc {
inline namespace WINSVC_ABI {
namespace host {

/// How the requests of each route have fared, since the service began. From any thread.
class route_statistics {
 public:
  explicit route_statistics(const service_definition& plan) : definition_(plan), counters_(plan.router.routes().entries().size()) {}

  void record(const http::access_record& a) noexcept {
    if (!a.counts_in_statistics || !a.route_id || *a.route_id >= counters_.size()) return;
    route_counters& r = counters_[*a.route_id];
    const auto us = static_cast<std::uint64_t>(a.duration.count());
    r.duration[http::request_statistics::bucket_of(a.duration)].fetch_add(1, std::memory_order_relaxed);
    if (a.status >= 500) r.failed.fetch_add(1, std::memory_order_relaxed);
    for (auto longest = r.max_duration.load(std::memory_order_relaxed);
         us > longest && !r.max_duration.compare_exchange_weak(longest, us, std::memory_order_relaxed);) {}
  }
  /// The slowest, by the time that 99 of 100 keep within; at most so many.
  [[nodiscard]] std::string json(std::size_t limit) const;

 private:
  struct route_counters {
    std::array<std::atomic<std::uint64_t>, http::request_statistics::bucket_count> duration{};
    std::atomic<std::uint64_t> failed{0}, max_duration{0};
  };
  const service_definition& definition_;
  std::vector<route_counters> counters_;
};

/// Is this a request from this machine, for this machine, and passed on by nobody?
[[nodiscard]] bool is_local_request(const request& req);
/// Did the page itself ask, or a person, and not the script of another site, which an app with `cors` may let read what it
/// gets?
[[nodiscard]] bool is_same_origin_request(const request& req);

class dashboard_data {
 public:
  explicit dashboard_data(const service_definition& plan) : definition_(plan) {}
  void attach(http::engine& engine) {
    using namespace std::chrono;
    engine_ = &engine;
    statistics_ = std::make_unique<route_statistics>(definition_);
    epoch_ = duration_cast<seconds>(clock::system().system_now().time_since_epoch() - steady_clock::now().time_since_epoch());
    since_ = now();
    engine.on_response([this](const http::access_record& a) { statistics_->record(a); });
  }
  /// Seconds after one, log lines after another.
  [[nodiscard]] std::string json(std::int64_t after, std::uint64_t log_after) const;
  static constexpr std::size_t max_routes = 200, max_active_requests = 100;  ///< that the page is told of

 private:
  /// Milliseconds since 1970 by the steady clock: the page's seconds follow one another, whoever sets the clock on the
  /// wall meanwhile.
  [[nodiscard]] std::chrono::milliseconds now() const {
    const auto steady = std::chrono::steady_clock::now().time_since_epoch();
    return std::chrono::duration_cast<std::chrono::milliseconds>(steady) + epoch_;
  }

  const service_definition& definition_;
  http::engine* engine_ = nullptr;
  std::unique_ptr<route_statistics> statistics_;
  std::chrono::seconds epoch_{0};  // where the steady clock began, whole: its seconds are the page's
  std::chrono::milliseconds since_{0};
};

}  // namespace host

}  // inline namespace WINSVC_ABI
}  // namespace winsvc

// ---------------------------------------------------------------------------------------------------------------------

#if WINSVC_BODIES_WEB

namespace winsvc {
inline namespace WINSVC_ABI {
namespace host {

WINSVC_INLINE std::string route_statistics::json(std::size_t limit) const {
  struct row {
    std::size_t route = 0;
    std::uint64_t count = 0, p50 = 0, p99 = 0, max_duration = 0;
  };
  std::vector<row> rows;
  for (std::size_t i = 0; i < counters_.size(); ++i) {
    http::request_statistics::histogram elapsed{};
    row r;
    r.route = i;
    for (std::size_t k = 0; k < elapsed.size(); ++k) r.count += elapsed[k] = counters_[i].duration[k].load(std::memory_order_relaxed);
    if (r.count == 0) continue;
    r.max_duration = counters_[i].max_duration.load(std::memory_order_relaxed);
    r.p50 = (std::min)(std::uint64_t{http::request_statistics::percentile(elapsed, r.count, 50)}, r.max_duration);  // of a step, the middle
    r.p99 = (std::min)(std::uint64_t{http::request_statistics::percentile(elapsed, r.count, 99)}, r.max_duration);
    rows.push_back(r);
  }
  std::sort(rows.begin(), rows.end(), [](const row& a, const row& b) { return a.p99 > b.p99; });
  if (rows.size() > limit) rows.resize(limit);
  return strings::json_array(rows, [this](const row& r) {
    const auto& entry = definition_.router.routes().entries()[r.route];
    strings::json_object_writer o;
    o.put_text("method", route::name(entry.method_id)).put_text("pattern", entry.path.text);
    o.put("n", std::to_string(r.count)).put("e", std::to_string(counters_[r.route].failed.load(std::memory_order_relaxed)));
    o.put("p50", std::to_string(r.p50)).put("p99", std::to_string(r.p99));
    return o.put("max", std::to_string(r.max_duration)).text();
  });
}

WINSVC_INLINE std::string dashboard_data::json(std::int64_t after, std::uint64_t log_after) const {
  const auto ms = [](clock::system_time time) {
    return std::to_string(std::chrono::duration_cast<std::chrono::milliseconds>(time.time_since_epoch()).count());
  };
  const auto number = [](auto value) { return std::to_string(value); };
  auto& pulse = engine_->statistics();
  const auto& spec = definition_.spec;

  strings::json_object_writer o;
  o.put_text("name", spec.name).put_text("display_name", spec.display_name.value_or(spec.name));
  o.put_text("version", definition_.version).put_text("state", engine_->is_paused() ? "paused" : "running");
  o.put_text("address", engine_->address().url()).put("pid", number(os::process_id()));
  o.put("since", number(since_.count())).put("now", number(now().count()));
  const auto others = engine_->in_flight();
  o.put("in_flight", number(others > 0 ? others - 1 : 0)).put("connections", number(engine_->connections()));
  o.put("websockets", number(engine_->websockets())).put("threads", number(engine_->threads()));
  o.put("answered", number(engine_->response_count()));
  const auto seconds = pulse.seconds(std::chrono::steady_clock::now(), (std::max)(after, epoch_.count()) - epoch_.count());
  o.put("seconds", strings::json_array(seconds, [this, &number](const http::request_statistics::interval_statistics& b) {
    strings::json_object_writer s;
    s.put("t", number(b.second + epoch_.count())).put("n", number(b.count)).put("e", number(b.failed));
    return s.put("p50", number(b.p50)).put("p99", number(b.p99)).text();
  }));
  auto work = engine_->active_requests(max_active_requests);
  work.erase(std::remove_if(work.begin(), work.end(),
                            [this](const http::active_request& w) { return w.request_line == "GET " + definition_.dashboard_path + "/data.json"; }),
             work.end());
  o.put("active_requests", strings::json_array(work, [&number](const http::active_request& w) {
    const auto us = std::chrono::duration_cast<std::chrono::microseconds>(w.age).count();
    const auto blank = w.request_line.find(' ');
    strings::json_object_writer one;
    one.put_text("method", w.request_line.substr(0, blank)).put_text("target", w.request_line.substr(blank + 1));
    return one.put("us", number(us)).text();
  }));
  o.put("routes", statistics_->json(max_routes));
  o.put("log", strings::json_array(definition_.recent_entries->after(log_after), [&](const ring_sink::numbered_entry& l) {
    strings::json_object_writer line;
    line.put("n", number(l.number)).put("t", ms(l.entry.time)).put_text("level", name(l.entry.level));
    return line.put_text("text", l.entry.text).text();
  }));
  o.put("settings", strings::json_array(definition_.settings.views(), [](const model::setting_registry::setting_view& s) {
    strings::json_object_writer one;
    one.put_text("name", s.name).put_text("value", s.value).put_text("source", s.origin);
    return one.put_text("help", s.help).text();
  }));
  return o.text();
}

WINSVC_INLINE bool is_local_request(const request& req) {
  const auto loopback = [](std::string_view address) {
    static const auto v4 = ip_range::parse("127.0.0.0/8"), v6 = ip_range::parse("::1");
    const auto bytes = parse_ip(address);
    return bytes && (v4->contains(*bytes) || v6->contains(*bytes));
  };
  // Whoever passes requests on from elsewhere may well sit on this machine.
  for (const auto passed_on : {"X-Forwarded-For", "Forwarded", "X-Real-IP", "Via"}) {
    if (has_header(req, passed_on)) return false;
  }
  const std::string requested = header_text(req, "Host");
  std::string_view named = requested;
  if (const auto port = named.rfind(':'); port != named.npos && named.find(']', port) == named.npos)
    named = named.substr(0, port);
  if (named.size() > 2 && named.front() == '[' && named.back() == ']') {
    named = named.substr(1, named.size() - 2);
    if (named.find(':') == named.npos) return false;
  }
  return loopback(client_address(req)) && (strings::equal_nocase(named, "localhost") || loopback(named));
}

WINSVC_INLINE bool is_same_origin_request(const request& req) {
  const std::string site = header_text(req, "Sec-Fetch-Site"), origin = header_text(req, "Origin");
  if (!origin.empty() && !wire::origin_is_allowed(origin, header_text(req, "Host"), {})) return false;
  // Who follows a link of another site's gets here as well: what he sees, that site does not.
  return site.empty() || site == "same-origin" || site == "none" || header_text(req, "Sec-Fetch-Mode") == "navigate";
}

}  // namespace host

WINSVC_INLINE service& service::dashboard(std::string_view path, middleware guard, source_location location) {
  check_not_frozen("dashboard");
  const std::string at(path);
  if (at.size() < 2 || at[0] != '/' || at.back() == '/')
    throw setup_error("dashboard '" + at + "' (" + location.to_string() + "): give it a path of its own, such as /_service");
  const auto data = std::make_shared<host::dashboard_data>(plan_);
  plan_.dashboard_path = at;
  plan_.on_engine_created.push_back([data](http::engine& e) { data->attach(e); });  // now that all routes are known
  if (!guard) {
    guard = [](const request& req, response&, const next_handler& go_on) {
      if (!host::is_local_request(req)) abort(403, "this page is for who is on the machine");
      if (!host::is_same_origin_request(req)) abort(403, "the page of another site may not have this");
      go_on();
    };
  }
  const auto send = [](std::string_view content, const char* type) {
    auto answer = reply::with(std::string(content), type);
    answer.header("Content-Security-Policy", std::string(web::dashboard_policy));
    answer.header("X-Content-Type-Options", "nosniff").header("Referrer-Policy", "no-referrer");
    answer.header("Cross-Origin-Resource-Policy", "same-origin");
    return answer.header("Cache-Control", "no-store");
  };
  std::string page(web::dashboard_html);
  const std::string folder = at.substr(at.rfind('/') + 1);
  for (auto mark = page.find('@'); mark != page.npos; mark = page.find('@', mark + folder.size()))
    page.replace(mark, 1, folder);
  group(at, [&](route_group& g) {
    g.use(std::move(guard));
    g.get("", [send, page] { return send(page, "text/html; charset=utf-8"); }, location).hidden();
    plan_.router.serve_while_paused();
    g.get("/page.css", [send] { return send(web::dashboard_css, "text/css; charset=utf-8"); }, location).hidden();
    plan_.router.serve_while_paused();
    g.get("/page.js", [send] { return send(web::dashboard_js, "text/javascript; charset=utf-8"); }, location).hidden();
    plan_.router.serve_while_paused();
    g.get("/data.json", [send, data](const request& req) {
      return send(data->json(query(req, "after", std::int64_t{0}), query(req, "log", std::uint64_t{0})),
                  "application/json");
    }, location).hidden();
    plan_.router.serve_while_paused();
  });
  return *this;
}

}  // inline namespace WINSVC_ABI
}  // namespace winsvc

#endif  // WINSVC_BODIES_WEB
