// The page of a service: who gets it, what it may do in a browser, and the data behind it.
#include <winsvc/testing.hpp>

#include <doctest/doctest.h>

#include <chrono>
#include <map>
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
  svc.setting("greeting", "hello", "what to say");
  svc.setting("token", "s3cret", "of the store", winsvc::secret);
  svc.get("/", [&svc] {
    svc.log().warn("a \"warning\"");
    return "hi";
  });
  svc.get("/broken", []() -> std::string { throw std::runtime_error("no"); });
  svc.dashboard("/ops/_service");
}
client_response ask(client& c, std::string_view target, std::string_view host = "127.0.0.1:8080", std::string_view fields = {}) {
  std::string bytes =
      c.raw("GET " + std::string(target) + " HTTP/1.1\r\nHost: " + std::string(host) + "\r\n" + std::string(fields) + "\r\n");
  return winsvc::testing::parse_response(bytes);
}

}  // namespace

TEST_CASE("the page, its style and its script come from the header, with a policy that lets nothing else in") {
  client c(app);
  const auto page = ask(c, "/ops/_service");
  CHECK(page.status == 200);
  CHECK(page.header("Content-Type") == "text/html; charset=utf-8");
  CHECK(page.header("Content-Security-Policy").find("default-src 'none'; script-src 'self'; style-src 'self'") == 0);
  CHECK(page.header("Cache-Control") == "no-store");
  CHECK(page.body.find("src=\"_service/page.js\"") != std::string::npos);
  CHECK(page.body.find('@') == std::string::npos);
  for (const auto inline_one : {"<script>", "style=", "onclick", "http:", "https:"}) CHECK(page.body.find(inline_one) == std::string::npos);
  CHECK(ask(c, "/ops/_service/page.js").header("Content-Type") == "text/javascript; charset=utf-8");
  CHECK(ask(c, "/ops/_service/page.css").header("Content-Type") == "text/css; charset=utf-8");
  const std::string script = ask(c, "/ops/_service/page.js").body;
  for (const auto dangerous : {"innerHTML", "eval(", "document.write", "outerHTML", "insertAdjacentHTML"})
    CHECK(script.find(dangerous) == std::string::npos);
}

TEST_CASE("the data is what the page needs, without secrets, and of the log only what is new") {
  client c(app);
  for (int i = 0; i < 3; ++i) CHECK(c.get("/").status == 200);
  CHECK(c.get("/broken").status == 500);

  const auto d = winsvc::json::parse(ask(c, "/ops/_service/data.json").body);
  CHECK(d["display_name"] == "Hello <service>");
  CHECK(d["version"] == "1.2");
  CHECK(d["state"] == "running");
  CHECK(d["answered"] == 4);
  CHECK(d["now"] >= d["since"]);
  std::map<std::string, winsvc::json> routes;
  for (const auto& r : d["routes"]) routes[r["pattern"]] = r;
  CHECK(routes["/"]["n"] == 3);
  CHECK(routes["/broken"]["e"] == 1);
  CHECK(routes.count("/ops/_service/data.json") == 0);
  CHECK(d["settings"][0]["value"] == "hello");
  CHECK(d["settings"][1]["value"] == "******");
  CHECK(d.dump().find("s3cret") == std::string::npos);
}

TEST_CASE("what is at work is told with its method, target and age, but for the asking itself") {
  client c(app);
  const auto d = winsvc::json::parse(ask(c, "/ops/_service/data.json").body);
  CHECK(d["active_requests"].empty());
  CHECK(ask(c, "/ops/_service/data.json?after=-9223372036854775808&log=18446744073709551615").status == 200);
}

TEST_CASE("without a guard it is for who is on the machine, and asks for the machine") {
  client c(app);
  for (const auto host : {"127.0.0.1", "127.0.0.1:8080", "localhost", "LOCALHOST:80", "[::1]:8080", "127.1.2.3", "[::ffff:7f00:1]"}) {
    CAPTURE(host);
    CHECK(ask(c, "/ops/_service", host).status == 200);
  }
  for (const auto host : {"hello.example", "127.0.0.1.example", "localhost.example", "10.0.0.1", "[::2]", "127.example:80", "127.ff", "127..:80", "[127.0.0.1]"}) {
    CAPTURE(host);
    CHECK(ask(c, "/ops/_service", host).status == 403);
    CHECK(ask(c, "/ops/_service/data.json", host).status == 403);
    CHECK(ask(c, "/ops/_service/page.js", host).status == 403);
  }
  auto proxied = [](service& svc) {
    svc.use(winsvc::trusted_proxies({"127.0.0.1"}));
    svc.dashboard("/_service");
  };
  client p(proxied);
  CHECK(ask(p, "/_service", "127.0.0.1", "X-Forwarded-For: 192.0.2.7\r\n").status == 403);
}

TEST_CASE("who passes on what comes from elsewhere does not open it, whatever stands before it") {
  client c(app);
  for (const auto field : {"X-Forwarded-For: 203.0.113.9", "Forwarded: for=203.0.113.9", "X-Real-IP: 203.0.113.9", "Via: 1.1 p"}) {
    CAPTURE(field);
    CHECK(ask(c, "/ops/_service/data.json", "127.0.0.1", std::string(field) + "\r\n").status == 403);
  }
}

TEST_CASE("no script of another site gets at it, not where the app lets them at everything either; a link of theirs leads here") {
  auto open = [](service& svc) {
    svc.use(winsvc::cors({"*"}));
    svc.dashboard("/_service");
  };
  client c(open);
  const auto status = [&](const char* target, const std::string& fields) { return ask(c, target, "127.0.0.1:80", fields).status; };
  CHECK(status("/_service/data.json", "Origin: http://evil.example\r\n") == 403);
  CHECK(status("/_service/data.json", "Sec-Fetch-Site: cross-site\r\nSec-Fetch-Mode: no-cors\r\n") == 403);
  CHECK(status("/_service/data.json", "Sec-Fetch-Site: same-site\r\nSec-Fetch-Mode: cors\r\n") == 403);
  CHECK(status("/_service/data.json", "Sec-Fetch-Site: same-origin\r\nSec-Fetch-Mode: cors\r\n") == 200);
  CHECK(status("/_service/data.json", "Origin: http://127.0.0.1:80\r\n") == 200);
  CHECK(status("/_service", "Sec-Fetch-Site: cross-site\r\nSec-Fetch-Mode: navigate\r\n") == 200);
  CHECK(ask(c, "/_service/data.json").header("Cross-Origin-Resource-Policy") == "same-origin");
}

TEST_CASE("the page does not count itself, nor a stream's life among the times") {
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
  for (int i = 0; i < 3; ++i) CHECK(ask(c, "/_service/data.json").status == 200);
  std::this_thread::sleep_for(std::chrono::milliseconds(1100));
  const auto d = winsvc::json::parse(ask(c, "/_service/data.json?after=9223372036854775807").body);
  CHECK(d["seconds"].empty());
  const auto all = winsvc::json::parse(ask(c, "/_service/data.json").body);
  int counted = 0;
  for (const auto& s : all["seconds"]) counted += s["n"].get<int>();
  CHECK(counted == 1);
  CHECK(all["routes"].size() == 1);
  CHECK(all["in_flight"] == 0);
  CHECK(all["routes"][0]["p99"] <= all["routes"][0]["max"]);
}

TEST_CASE("a guard of one's own decides instead") {
  auto guarded = [](service& svc) {
    svc.dashboard("/_service", winsvc::basic_auth("service", {{"anna", "pw"}}));
  };
  client c(guarded);
  CHECK(ask(c, "/_service", "hello.example").status == 401);
  CHECK(ask(c, "/_service/data.json", "hello.example").status == 401);
  CHECK(ask(c, "/_service", "hello.example", "Authorization: Basic YW5uYTpwdw==\r\n").status == 200);
}

TEST_CASE("there is none unless it is asked for, and it needs a path of its own") {
  auto without = [](service& svc) { svc.get("/", [] { return ""; }); };
  client c(without);
  CHECK(ask(c, "/_service").status == 404);
  for (const auto path : {"", "/", "service", "/service/"}) {
    auto wrong = [path](service& svc) { svc.dashboard(path); };
    CHECK_THROWS_AS(client{wrong}, winsvc::setup_error);
  }
}
