// `svc.dashboard`: the service on a page (web/dashboard_page.hpp), and the data that the page asks for.
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
#include "winsvc/app/blueprint.hpp"
#include "winsvc/http/engine.hpp"
#include "winsvc/http/traffic.hpp"
#include "winsvc/base/json_text.hpp"
#include "winsvc/config/abi.hpp"
#include "winsvc/os/native.hpp"
#include "winsvc/web/dashboard_page.hpp"
#include "winsvc/web/dashboard_script.hpp"
#include "winsvc/web/dashboard_style.hpp"
#include "winsvc/api/values.hpp"
#include "winsvc/wire/ip.hpp"
#include "winsvc/wire/websocket.hpp"

namespace winsvc {
inline namespace WINSVC_ABI {
namespace host {

/// How the requests of each route have fared, since the service began. From any thread.
class route_times {
 public:
  explicit route_times(const blueprint& plan) : plan_(plan), of_(plan.router.routes().entries().size()) {}

  void note(const http::access_entry& a) noexcept {
    if (!a.measured || !a.route_id || *a.route_id >= of_.size()) return;
    one& r = of_[*a.route_id];
    const auto us = static_cast<std::uint64_t>(a.took.count());
    r.took[http::pulse::step_of(a.took)].fetch_add(1, std::memory_order_relaxed);
    if (a.status >= 500) r.failed.fetch_add(1, std::memory_order_relaxed);
    for (auto longest = r.longest.load(std::memory_order_relaxed);
         us > longest && !r.longest.compare_exchange_weak(longest, us, std::memory_order_relaxed);) {}
  }
  /// The slowest, by the time that 99 of 100 keep within; at most so many.
  [[nodiscard]] std::string json(std::size_t most) const;

 private:
  struct one {
    std::array<std::atomic<std::uint64_t>, http::pulse::steps> took{};
    std::atomic<std::uint64_t> failed{0}, longest{0};
  };
  const blueprint& plan_;
  std::vector<one> of_;
};

/// Is this a request from this machine, for this machine, and passed on by nobody?
[[nodiscard]] bool is_of_this_machine(const request& req);
/// Did the page itself ask, or a person, and not the script of another site, which an app with `cors` may let read what it
/// gets?
[[nodiscard]] bool is_of_this_page(const request& req);

class dashboard_data {
 public:
  explicit dashboard_data(const blueprint& plan) : plan_(plan) {}
  void watch(http::engine& engine) {
    using namespace std::chrono;
    engine_ = &engine;
    times_ = std::make_unique<route_times>(plan_);
    epoch_ = duration_cast<seconds>(clock::system().wall().time_since_epoch() - steady_clock::now().time_since_epoch());
    since_ = now();
    engine.on_answered([this](const http::access_entry& a) { times_->note(a); });
  }
  /// Seconds after one, log lines after another.
  [[nodiscard]] std::string json(std::int64_t after, std::uint64_t log_after) const;
  static constexpr std::size_t most_routes = 200, most_at_work = 100;  ///< that the page is told of

 private:
  /// Milliseconds since 1970 by the steady clock: the page's seconds follow one another, whoever sets the clock on the
  /// wall meanwhile.
  [[nodiscard]] std::chrono::milliseconds now() const {
    const auto steady = std::chrono::steady_clock::now().time_since_epoch();
    return std::chrono::duration_cast<std::chrono::milliseconds>(steady) + epoch_;
  }

  const blueprint& plan_;
  http::engine* engine_ = nullptr;
  std::unique_ptr<route_times> times_;
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

WINSVC_INLINE std::string route_times::json(std::size_t most) const {
  struct row {
    std::size_t route = 0;
    std::uint64_t count = 0, p50 = 0, p99 = 0, longest = 0;
  };
  std::vector<row> rows;
  for (std::size_t i = 0; i < of_.size(); ++i) {
    http::pulse::counts took{};
    row r;
    r.route = i;
    for (std::size_t k = 0; k < took.size(); ++k) r.count += took[k] = of_[i].took[k].load(std::memory_order_relaxed);
    if (r.count == 0) continue;
    r.longest = of_[i].longest.load(std::memory_order_relaxed);
    r.p50 = (std::min)(std::uint64_t{http::pulse::percentile(took, r.count, 50)}, r.longest);  // of a step, the middle
    r.p99 = (std::min)(std::uint64_t{http::pulse::percentile(took, r.count, 99)}, r.longest);
    rows.push_back(r);
  }
  std::sort(rows.begin(), rows.end(), [](const row& a, const row& b) { return a.p99 > b.p99; });
  if (rows.size() > most) rows.resize(most);
  return text::json_list(rows, [this](const row& r) {
    const auto& entry = plan_.router.routes().entries()[r.route];
    text::json_object o;
    o.put_text("method", route::name(entry.verb)).put_text("pattern", entry.path.text);
    o.put("n", std::to_string(r.count)).put("e", std::to_string(of_[r.route].failed.load(std::memory_order_relaxed)));
    o.put("p50", std::to_string(r.p50)).put("p99", std::to_string(r.p99));
    return o.put("max", std::to_string(r.longest)).text();
  });
}

WINSVC_INLINE std::string dashboard_data::json(std::int64_t after, std::uint64_t log_after) const {
  const auto ms = [](clock::wall_point when) {
    return std::to_string(std::chrono::duration_cast<std::chrono::milliseconds>(when.time_since_epoch()).count());
  };
  const auto number = [](auto value) { return std::to_string(value); };
  auto& pulse = engine_->pulse();
  const auto& spec = plan_.spec;

  text::json_object o;
  o.put_text("name", spec.name).put_text("display_name", spec.display_name.value_or(spec.name));
  o.put_text("version", plan_.version).put_text("state", engine_->is_paused() ? "paused" : "running");
  o.put_text("address", engine_->address().url()).put("pid", number(os::process_id()));
  o.put("since", number(since_.count())).put("now", number(now().count()));
  const auto others = engine_->in_flight();
  o.put("in_flight", number(others > 0 ? others - 1 : 0)).put("connections", number(engine_->connections()));
  o.put("websockets", number(engine_->websockets())).put("threads", number(engine_->threads()));
  o.put("answered", number(engine_->answered()));
  const auto seconds = pulse.seconds(std::chrono::steady_clock::now(), (std::max)(after, epoch_.count()) - epoch_.count());
  o.put("seconds", text::json_list(seconds, [this, &number](const http::pulse::beat& b) {
    text::json_object s;
    s.put("t", number(b.second + epoch_.count())).put("n", number(b.count)).put("e", number(b.failed));
    return s.put("p50", number(b.p50)).put("p99", number(b.p99)).text();
  }));
  auto work = engine_->at_work(most_at_work);
  work.erase(std::remove_if(work.begin(), work.end(),
                            [this](const http::work& w) { return w.what == "GET " + plan_.own_page + "/data.json"; }),
             work.end());
  o.put("at_work", text::json_list(work, [&number](const http::work& w) {
    const auto us = std::chrono::duration_cast<std::chrono::microseconds>(w.age).count();
    const auto blank = w.what.find(' ');
    text::json_object one;
    one.put_text("method", w.what.substr(0, blank)).put_text("target", w.what.substr(blank + 1));
    return one.put("us", number(us)).text();
  }));
  o.put("routes", times_->json(most_routes));
  o.put("log", text::json_list(plan_.recent->after(log_after), [&](const recent_log::numbered& l) {
    text::json_object line;
    line.put("n", number(l.number)).put("t", ms(l.entry.when)).put_text("level", name(l.entry.level));
    return line.put_text("text", l.entry.text).text();
  }));
  o.put("settings", text::json_list(plan_.settings.shown(), [](const model::settings::shown_setting& s) {
    text::json_object one;
    one.put_text("name", s.name).put_text("value", s.value).put_text("source", s.origin);
    return one.put_text("help", s.help).text();
  }));
  return o.text();
}

WINSVC_INLINE bool is_of_this_machine(const request& req) {
  const auto loopback = [](std::string_view address) {
    static const auto v4 = ip_range::parse("127.0.0.0/8"), v6 = ip_range::parse("::1");
    const auto bytes = parse_ip(address);
    return bytes && (v4->contains(*bytes) || v6->contains(*bytes));
  };
  // Whoever passes requests on from elsewhere may well sit on this machine.
  for (const auto passed_on : {"X-Forwarded-For", "Forwarded", "X-Real-IP", "Via"}) {
    if (has_header(req, passed_on)) return false;
  }
  const std::string asked = header_text(req, "Host");
  std::string_view named = asked;
  if (const auto port = named.rfind(':'); port != named.npos && named.find(']', port) == named.npos)
    named = named.substr(0, port);
  if (named.size() > 2 && named.front() == '[' && named.back() == ']') {
    named = named.substr(1, named.size() - 2);
    if (named.find(':') == named.npos) return false;
  }
  return loopback(client_address(req)) && (text::equal_nocase(named, "localhost") || loopback(named));
}

WINSVC_INLINE bool is_of_this_page(const request& req) {
  const std::string site = header_text(req, "Sec-Fetch-Site"), origin = header_text(req, "Origin");
  if (!origin.empty() && !wire::origin_is_allowed(origin, header_text(req, "Host"), {})) return false;
  // Who follows a link of another site's gets here as well: what he sees, that site does not.
  return site.empty() || site == "same-origin" || site == "none" || header_text(req, "Sec-Fetch-Mode") == "navigate";
}

}  // namespace host

WINSVC_INLINE service& service::dashboard(std::string_view path, middleware guard, source where) {
  check_open("dashboard");
  const std::string at(path);
  if (at.size() < 2 || at[0] != '/' || at.back() == '/')
    throw setup_error("dashboard '" + at + "' (" + where.text() + "): give it a path of its own, such as /_service");
  const auto data = std::make_shared<host::dashboard_data>(plan_);
  plan_.own_page = at;
  plan_.on_engine.push_back([data](http::engine& e) { data->watch(e); });  // now that all routes are known
  if (!guard) {
    guard = [](const request& req, response&, const next& go_on) {
      if (!host::is_of_this_machine(req)) abort(403, "this page is for who is on the machine");
      if (!host::is_of_this_page(req)) abort(403, "the page of another site may not have this");
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
    g.get("", [send, page] { return send(page, "text/html; charset=utf-8"); }, where).hidden();
    plan_.router.keep_while_paused();
    g.get("/page.css", [send] { return send(web::dashboard_css, "text/css; charset=utf-8"); }, where).hidden();
    plan_.router.keep_while_paused();
    g.get("/page.js", [send] { return send(web::dashboard_js, "text/javascript; charset=utf-8"); }, where).hidden();
    plan_.router.keep_while_paused();
    g.get("/data.json", [send, data](const request& req) {
      return send(data->json(query(req, "after", std::int64_t{0}), query(req, "log", std::uint64_t{0})),
                  "application/json");
    }, where).hidden();
    plan_.router.keep_while_paused();
  });
  return *this;
}

}  // inline namespace WINSVC_ABI
}  // namespace winsvc

#endif  // WINSVC_BODIES_WEB
