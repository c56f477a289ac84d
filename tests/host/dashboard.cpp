// Tests of the dashboard: access, headers and data.
#include <winsvc/testing.hpp>

#include <doctest/doctest.h>

#include <chrono>
#include <map>
#include <memory>
#include <stdexcept>
#include <string>
#include <string_view>
#include <thread>

using winsvc::service;
using winsvc::testing::client_response;
using winsvc::testing::client;

namespace {

void app(service& svc) {
  svc.name("hello").display_name("Hello <service>").version("1.2");
  svc.setting("greeting", "hello", "text of the greeting");
  svc.setting("token", "s3cret", "token of the store", winsvc::secret);
  svc.get("/", [&svc] {
    svc.log().warn("a \"warning\"");
    return "hi";
  });
  svc.get("/broken", []() -> std::string { throw std::runtime_error("no"); });
  svc.dashboard("/ops/_service");
}
client_response get(client& c, std::string_view target, std::string_view host = "127.0.0.1:8080",
                    std::string_view fields = {}) {
  const std::string head = "GET " + std::string(target) + " HTTP/1.1\r\nHost: " + std::string(host) + "\r\n";
  std::string bytes = c.raw(head + std::string(fields) + "\r\n");
  return winsvc::testing::parse_response(bytes);
}

}  // namespace

TEST_CASE("the page, its style sheet and its script are served with a strict content security policy") {
  client c(app);
  const auto page = get(c, "/ops/_service");
  CHECK(page.status == 200);
  CHECK(page.header("Content-Type") == "text/html; charset=utf-8");
  CHECK(page.header("Content-Security-Policy").find("default-src 'none'; script-src 'self'; style-src 'self'") == 0);
  CHECK(page.header("Cache-Control") == "no-store");
  CHECK(page.body.find("src=\"_service/page.js\"") != std::string::npos);
  CHECK(page.body.find('@') == std::string::npos);
  for (const auto blocked : {"<script>", "style=", "onclick", "http:", "https:"})
    CHECK(page.body.find(blocked) == std::string::npos);
  CHECK(get(c, "/ops/_service/page.js").header("Content-Type") == "text/javascript; charset=utf-8");
  CHECK(get(c, "/ops/_service/page.css").header("Content-Type") == "text/css; charset=utf-8");
  const std::string script = get(c, "/ops/_service/page.js").body;
  for (const auto dangerous : {"innerHTML", "eval(", "document.write", "outerHTML", "insertAdjacentHTML"})
    CHECK(script.find(dangerous) == std::string::npos);
}

TEST_CASE("the data has the status, the routes and the settings, without secrets") {
  client c(app);
  for (int i = 0; i < 3; ++i) CHECK(c.get("/").status == 200);
  CHECK(c.get("/broken").status == 500);

  const auto d = winsvc::json::parse(get(c, "/ops/_service/data.json").body);
  CHECK(d["display_name"] == "Hello <service>");
  CHECK(d["version"] == "1.2");
  CHECK(d["state"] == "running");
  CHECK(d["answered"] == 4);
  CHECK(d["now"] >= d["since"]);
  std::map<std::string, winsvc::json> routes;
  for (const auto& r : d["routes"]) routes[r["pattern"]] = r;
  CHECK(routes["/"]["n"] == 3);
  CHECK(routes["/broken"]["e"] == 1);
  CHECK(routes["/broken"]["c"] == 0);
  CHECK(d["libraries"].get<std::string>().find("winsvc " WINSVC_VERSION_STRING ", cpp-httplib 0.") == 0);
  CHECK(d["host"] != "");
  CHECK(d["processors"] >= 1);
  CHECK(d["memory"] > 100'000);
  CHECK(d["cpu_us"] > 0);
  CHECK(d.count("log_failure") == 0);
  CHECK(routes.count("/ops/_service/data.json") == 0);
  CHECK(d["settings"][0]["value"] == "hello");
  CHECK(d["settings"][1]["value"] == "******");
  CHECK(d.dump().find("s3cret") == std::string::npos);
}

namespace {

/// A service without a listener whose log has one line.
struct logged_service {
  explicit logged_service(void (*app)(service&)) : svc(definition) {
    definition.log.add_sink(definition.recent_entries);
    app(svc);
    definition.freeze();
    engine = std::make_unique<winsvc::detail::server::engine>(definition.router, definition.limits, definition.log);
    for (const auto& notify : definition.on_engine_created) notify(*engine);
    definition.log.info("the safe is open");
  }
  winsvc::json data(const std::string& query) {
    winsvc::testing::memory_transport transport("GET /_service/data.json" + query +
                                                " HTTP/1.1\r\nHost: localhost\r\n\r\n");
    engine->serve_transport(transport);
    return winsvc::json::parse(winsvc::testing::parse_response(transport.output).body);
  }
  winsvc::detail::host::service_definition definition;
  service svc;
  std::unique_ptr<winsvc::detail::server::engine> engine;
};

}  // namespace

TEST_CASE("errors are counted by class; requests without a route and invalid requests each have a row") {
  client c(app);
  CHECK(c.get("/").status == 200);
  for (int i = 0; i < 2; ++i) CHECK(c.get("/nowhere?secret=1").status == 404);
  CHECK(c.raw("GET / HTTP/9.9\r\n\r\n").find("HTTP/1.1 505") == 0);
  CHECK(c.get("/broken?secret=2").status == 500);
  std::this_thread::sleep_for(std::chrono::milliseconds(1100));

  const auto d = winsvc::json::parse(get(c, "/ops/_service/data.json").body);
  std::map<std::string, winsvc::json> rows;
  for (const auto& r : d["routes"]) rows[r["pattern"]] = r;
  CHECK(rows["no route"]["method"] == "");
  CHECK(rows["no route"]["n"] == 2);
  CHECK(rows["no route"]["c"] == 2);
  CHECK(rows["no route"]["e"] == 0);
  CHECK(rows["invalid request"]["e"] == 1);
  CHECK(d["routes"].back()["method"] == "");  // after the routes
  int client_errors = 0, server_errors = 0;
  for (const auto& s : d["seconds"]) {
    client_errors += s["c"].get<int>();
    server_errors += s["e"].get<int>();
  }
  CHECK(client_errors == 2);
  CHECK(server_errors == 1);  // a message that is not a request is not in the rates
}

TEST_CASE("the last failed request is in the data, and its query string only for readers with the token") {
  logged_service s([](service& svc) {
    svc.get("/broken", []() -> std::string { throw std::runtime_error("no"); });
    svc.dashboard("/_service");
  });
  CHECK(s.data("").count("last_failure") == 0);
  winsvc::testing::memory_transport transport("GET /broken?key=1 HTTP/1.1\r\nHost: localhost\r\n\r\n");
  s.engine->serve_transport(transport);

  const auto failure = s.data("")["last_failure"];
  CHECK(failure["method"] == "GET");
  CHECK(failure["target"] == "/broken");
  CHECK(failure["status"] == 500);
  CHECK(failure["id"] != "");
  CHECK(failure["t"] > 1'600'000'000'000);
  CHECK(s.data("?token=" + s.definition.dashboard_token)["last_failure"]["target"] == "/broken?key=1");
}

TEST_CASE("a log file that cannot be written is in the data") {
  logged_service s([](service& svc) { svc.dashboard("/_service"); });
  s.definition.log_failure = [] { return winsvc::detail::host::log_file_failure{}; };
  CHECK(s.data("")["log_failure"] == winsvc::detail::host::log_file_failure{}.text());
}

TEST_CASE("the active requests do not include the request for the data") {
  client c(app);
  const auto d = winsvc::json::parse(get(c, "/ops/_service/data.json").body);
  CHECK(d["active_requests"].empty());
  CHECK(get(c, "/ops/_service/data.json?after=-9223372036854775808&log=18446744073709551615").status == 200);
}

TEST_CASE("the log requires the token of the run, which is in the address of the dashboard") {
  logged_service s([](service& svc) { svc.dashboard("/_service"); });
  const std::string token = s.definition.dashboard_token;
  REQUIRE(token.size() == 32);
  CHECK(s.definition.dashboard_url("http://localhost:1") == "http://localhost:1/_service?token=" + token);
  for (const std::string& query : {std::string(), std::string("?token="), "?token=" + token.substr(1),
                                   "?token=" + std::string(32, '0')}) {
    CAPTURE(query);
    CHECK(s.data(query)["log_is_hidden"] == true);
    CHECK(s.data(query)["log"].empty());
  }
  const auto shown = s.data("?token=" + token);
  CHECK(shown["log_is_hidden"] == false);
  CHECK(shown["log"][0]["text"] == "the safe is open");

  logged_service other([](service& svc) { svc.dashboard("/_service"); });
  CHECK(other.definition.dashboard_token != token);
}

TEST_CASE("a dashboard with a guard needs no token") {
  logged_service s([](service& svc) {
    svc.dashboard("/_service", [](const winsvc::request&, winsvc::response&, const winsvc::next_handler& next) {
      next();
    });
  });
  CHECK(s.definition.dashboard_token.empty());
  CHECK(s.definition.dashboard_url("http://localhost:1") == "http://localhost:1/_service");
  CHECK(s.data("")["log"][0]["text"] == "the safe is open");
}

TEST_CASE("without a guard, the client and the Host must be local") {
  client c(app);
  for (const auto host : {"127.0.0.1", "127.0.0.1:8080", "localhost", "LOCALHOST:80", "[::1]:8080", "127.1.2.3",
                          "[::ffff:7f00:1]"}) {
    CAPTURE(host);
    CHECK(get(c, "/ops/_service", host).status == 200);
  }
  for (const auto host : {"hello.example", "127.0.0.1.example", "localhost.example", "10.0.0.1", "[::2]",
                          "127.example:80", "127.ff", "127..:80", "[127.0.0.1]"}) {
    CAPTURE(host);
    CHECK(get(c, "/ops/_service", host).status == 403);
    CHECK(get(c, "/ops/_service/data.json", host).status == 403);
    CHECK(get(c, "/ops/_service/page.js", host).status == 403);
  }
  auto proxied = [](service& svc) {
    svc.use(winsvc::trusted_proxies({"127.0.0.1"}));
    svc.dashboard("/_service");
  };
  client p(proxied);
  CHECK(get(p, "/_service", "127.0.0.1", "X-Forwarded-For: 192.0.2.7\r\n").status == 403);
}

TEST_CASE("requests that a proxy has forwarded are rejected") {
  client c(app);
  for (const auto field : {"X-Forwarded-For: 203.0.113.9", "Forwarded: for=203.0.113.9", "X-Real-IP: 203.0.113.9",
                           "Via: 1.1 p"}) {
    CAPTURE(field);
    CHECK(get(c, "/ops/_service/data.json", "127.0.0.1", std::string(field) + "\r\n").status == 403);
  }
}

TEST_CASE("scripts of other sites are rejected, even with cors, but links from other sites are accepted") {
  auto open = [](service& svc) {
    svc.use(winsvc::cors({"*"}));
    svc.dashboard("/_service");
  };
  client c(open);
  const auto status = [&](const char* target, const std::string& fields) {
    return get(c, target, "127.0.0.1:80", fields).status;
  };
  CHECK(status("/_service/data.json", "Origin: http://evil.example\r\n") == 403);
  CHECK(status("/_service/data.json", "Sec-Fetch-Site: cross-site\r\nSec-Fetch-Mode: no-cors\r\n") == 403);
  CHECK(status("/_service/data.json", "Sec-Fetch-Site: same-site\r\nSec-Fetch-Mode: cors\r\n") == 403);
  CHECK(status("/_service/data.json", "Sec-Fetch-Site: same-origin\r\nSec-Fetch-Mode: cors\r\n") == 200);
  CHECK(status("/_service/data.json", "Origin: http://127.0.0.1:80\r\n") == 200);
  CHECK(status("/_service", "Sec-Fetch-Site: cross-site\r\nSec-Fetch-Mode: navigate\r\n") == 200);
  CHECK(get(c, "/_service/data.json").header("Cross-Origin-Resource-Policy") == "same-origin");
}

TEST_CASE("requests of the page and durations of streams are not in the statistics") {
  auto streaming = [](service& svc) {
    svc.get("/", [] { return "hi"; });
    svc.get("/events", [] {
      return winsvc::reply::events([](winsvc::event_stream& out) {
        out.send("a");
        std::this_thread::sleep_for(std::chrono::milliseconds(30));
        out.send("b");
      });
    });
    svc.dashboard("/_service");
  };
  client c(streaming);
  CHECK(c.get("/").status == 200);
  CHECK(c.get("/events").status == 200);
  for (int i = 0; i < 3; ++i) CHECK(get(c, "/_service/data.json").status == 200);
  std::this_thread::sleep_for(std::chrono::milliseconds(1100));
  const auto d = winsvc::json::parse(get(c, "/_service/data.json?after=9223372036854775807").body);
  CHECK(d["seconds"].empty());
  const auto data = winsvc::json::parse(get(c, "/_service/data.json").body);
  int count = 0;
  for (const auto& s : data["seconds"]) count += s["n"].get<int>();
  CHECK(count == 1);
  CHECK(data["routes"].size() == 1);
  CHECK(data["in_flight"] == 0);
  CHECK(data["routes"][0]["p99"] <= data["routes"][0]["max"]);
}

TEST_CASE("a custom guard replaces the default guard") {
  auto guarded = [](service& svc) {
    svc.dashboard("/_service", winsvc::basic_auth("service", {{"anna", "pw"}}));
  };
  client c(guarded);
  CHECK(get(c, "/_service", "hello.example").status == 401);
  CHECK(get(c, "/_service/data.json", "hello.example").status == 401);
  CHECK(get(c, "/_service", "hello.example", "Authorization: Basic YW5uYTpwdw==\r\n").status == 200);
}

TEST_CASE("there is no dashboard by default, and invalid paths are rejected") {
  auto without = [](service& svc) { svc.get("/", [] { return ""; }); };
  client c(without);
  CHECK(get(c, "/_service").status == 404);
  for (const auto path : {"", "/", "service", "/service/"}) {
    auto wrong = [path](service& svc) { svc.dashboard(path); };
    CHECK_THROWS_AS(client{wrong}, winsvc::setup_error);
  }
}
