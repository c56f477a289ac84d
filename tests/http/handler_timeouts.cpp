// Handler timeouts: the client receives 503, the handler continues, and a stop waits for it.
#include <winsvc/testing.hpp>

#include "../support/wait.hpp"

#include <doctest/doctest.h>

#include <atomic>
#include <chrono>
#include <functional>
#include <memory>
#include <string>
#include <thread>
#include <vector>

using namespace std::chrono_literals;
using waiting::wait_until;
using winsvc::request;
using winsvc::service;
using winsvc::stop_source;
using winsvc::detail::http::handler_timeouts;
using winsvc::testing::client;

namespace {
/// A route whose handler returns after its timeout.
void add_slow_route(service& svc) {
  svc.get("/slow", [](const request& req) {
    wait_until([&] { return winsvc::context(req).timed_out(); }, "the timeout of the handler");
    return "too late";
  }).timeout(20ms);
}
}  // namespace

TEST_CASE("timeouts are called when their time has passed, the earliest first, and not after they are canceled") {
  std::string called;
  stop_source both_called;
  {
    winsvc::testing::manual_clock time;
    handler_timeouts timeouts(time);
    const auto start = time.now();
    const handler_timeouts::scoped_timeout slow(timeouts, start + 40s, [&] {
      called += "slow ";
      both_called.request_stop();
    });
    const handler_timeouts::scoped_timeout quick(timeouts, start + 10s, [&] { called += "quick "; });
    const handler_timeouts::scoped_timeout never(timeouts, start + 1h, [&] { called += "never "; });
    { const handler_timeouts::scoped_timeout canceled(timeouts, start + 20s, [&] { called += "canceled "; }); }
    time.advance(41s);
    CHECK(both_called.token().wait_for(waiting::limit()));
  }
  CHECK(called == "quick slow ");
}

TEST_CASE("a timeout is called although the handler of an earlier one still runs") {
  winsvc::testing::manual_clock time;
  handler_timeouts timeouts(time);
  std::atomic<int> called{0};
  const handler_timeouts::scoped_timeout hangs(timeouts, time.now() + 1s, [&] { ++called; });
  time.advance(2s);
  wait_until([&] { return called == 1; }, "the timeout of the handler that hangs");

  const handler_timeouts::scoped_timeout second(timeouts, time.now() + 1s, [&] { ++called; });
  const handler_timeouts::scoped_timeout third(timeouts, time.now() + 2s, [&] { ++called; });
  time.advance(1s);
  wait_until([&] { return called == 2; }, "the timeout of the second handler");
  time.advance(1s);
  wait_until([&] { return called == 3; }, "the timeout of the third handler");
}

TEST_CASE("handler timeouts without a timeout start no thread") {
  const winsvc::testing::manual_clock time;
  handler_timeouts timeouts(time);
}

TEST_CASE("a handler that exceeds the timeout of its route is answered with 503, and logged") {
  std::atomic<bool> saw_timeout{false}, finished{false};
  auto app = [&](service& svc) {
    svc.get("/slow", [&](const request& req) {
      wait_until([&] { return winsvc::context(req).timed_out(); }, "the timeout of the handler");
      saw_timeout = true;
      finished = true;
      return "too late";
    }).timeout(20ms);
    svc.get("/quick", [] { return "in time"; }).timeout(10s);
  };
  client c(app);

  const std::string output = c.raw("GET /slow HTTP/1.1\r\nHost: t\r\n\r\nGET /quick HTTP/1.1\r\nHost: t\r\n\r\n");

  CHECK(output.find("HTTP/1.1 503 Service Unavailable\r\n") == 0);
  CHECK(output.find("Connection: close\r\n") != std::string::npos);
  CHECK(output.find("Retry-After: 10\r\n") != std::string::npos);
  CHECK(output.find("no response within 20 ms") != std::string::npos);
  CHECK(output.find("too late") == std::string::npos);
  CHECK(output.find("in time") == std::string::npos);  // the connection has ended
  CHECK(saw_timeout);
  CHECK(finished);
  REQUIRE(c.log().size() == 1);
  CHECK(c.log()[0].text.find("no response within 20 ms; sent 503 to the client, the handler still runs") !=
        std::string::npos);
  CHECK(c.get("/quick").body == "in time");
}

TEST_CASE("the response to a HEAD request that exceeds the timeout has no body") {
  client c(add_slow_route);
  const std::string output = c.raw("HEAD /slow HTTP/1.1\r\nHost: t\r\n\r\n");
  CHECK(output.find("HTTP/1.1 503 ") == 0);
  CHECK(output.substr(output.size() - 4) == "\r\n\r\n");
}

TEST_CASE("no byte of a file or a long body follows a timeout response") {
  const auto wait_for_timeout = [](const request& req) {
    wait_until([&] { return winsvc::context(req).timed_out(); }, "the timeout of the handler");
  };
  const auto app = [&](service& svc) {
    svc.get("/file", [&](const request& req) {
      wait_for_timeout(req);
      return winsvc::reply::file(__FILE__);
    }).timeout(5ms);
    svc.get("/long", [&](const request& req) {
      wait_for_timeout(req);
      return std::string(100'000, 'x');
    }).timeout(5ms);
  };
  client c(app);
  for (const char* path : {"/file", "/long"}) {
    CAPTURE(path);
    std::string output = c.raw("GET " + std::string(path) + " HTTP/1.1\r\nHost: t\r\n\r\n");
    CHECK(winsvc::testing::parse_response(output).status == 503);
    CHECK(output == "");  // nothing after the response
  }
}

TEST_CASE("a timeout response is text for a client that prefers text") {
  auto app = [](service& svc) {
    svc.get("/slow", [](const request& req) {
      wait_until([&] { return winsvc::context(req).timed_out(); }, "the timeout of the handler");
      return "too late";
    }).timeout(5ms);
  };
  client c(app);
  const auto response = c.get("/slow", {{"Accept", "text/plain"}});
  CHECK(response.status == 503);
  CHECK(response.header("Content-Type") == "text/plain; charset=utf-8");
  CHECK(response.body.find("503 Service Unavailable: no response within 5 ms (request ") == 0);
}

TEST_CASE("a timeout of 0 is rejected at registration") {
  auto app = [](service& svc) { svc.get("/", [] { return ""; }).timeout(0ms); };
  CHECK_THROWS_WITH_AS(client c(app), doctest::Contains("timeout: the time must be more than 0"), winsvc::setup_error);
}

TEST_CASE("the access log has a line for every request, also without a route or with an invalid head") {
  auto app = [](service& svc) {
    svc.access_log().access_log();  // the second call has no effect
    svc.get("/users/{id}", [](int) { return "anna"; });
  };
  client c(app);
  c.get("/users/7?x=1");
  c.get("/nowhere");
  static_cast<void>(c.raw("GET / HTTP/1.1\r\n\r\n"));  // no Host
  REQUIRE(c.log().size() == 3);
  const auto line = [&](std::size_t i) { return c.log()[i].text; };
  CHECK(line(0).find("127.0.0.1 ") == 0);
  CHECK(line(0).find(" GET /users/7?x=1  200  ") != std::string::npos);
  CHECK(line(0).find(" us  /users/{id}") == line(0).size() - std::string(" us  /users/{id}").size());
  CHECK(line(1).find(" GET /nowhere  404  ") != std::string::npos);
  CHECK(line(2).find("127.0.0.1 rejected: ") == 0);
  CHECK(line(2).find("  400  ") != std::string::npos);
}

TEST_CASE("a timeout response has the headers of CORS, of security_headers and of request_id") {
  int calls_of_app = 0;
  auto app = [&calls_of_app](service& svc) {
    svc.use(winsvc::trusted_proxies({"127.0.0.1", "::1"}));
    svc.use(winsvc::cors({"https://app.example"})).use(winsvc::security_headers()).use(winsvc::request_id());
    svc.use([&calls_of_app](const request&, winsvc::response&, const winsvc::next_handler& next) {
      ++calls_of_app;
      next();
    });
    add_slow_route(svc);
  };
  client c(app);
  std::string output = c.raw("GET /slow HTTP/1.1\r\nHost: t\r\nOrigin: https://app.example\r\n"
                             "X-Request-Id: from-proxy\r\nAccept: text/html\r\n\r\n");
  CHECK(output.find("\r\nVary: Origin\r\n") != std::string::npos);
  CHECK(output.find("\r\nVary: Accept\r\n") != std::string::npos);
  const auto response = winsvc::testing::parse_response(output);
  CHECK(response.status == 503);
  CHECK(response.header("Access-Control-Allow-Origin") == "https://app.example");
  CHECK(response.header("X-Content-Type-Options") == "nosniff");
  CHECK(response.header("X-Request-Id") == "from-proxy");
  CHECK(response.header("Content-Type") == "text/html; charset=utf-8");
  CHECK(response.header("Retry-After") == "10");
  CHECK(response.body.find("from-proxy") != std::string::npos);
  CHECK(calls_of_app == 1);
}

TEST_CASE("a client that awaits events gets an event stream that ends after a timeout, and connects again") {
  client c(add_slow_route);
  const auto bytes = c.raw("GET /slow HTTP/1.1\r\nHost: t\r\nAccept: text/event-stream\r\n\r\n");
  CHECK(bytes.find("HTTP/1.1 200 ") == 0);
  CHECK(bytes.find("\r\n\r\nretry: 10000\n: no response within 20 ms\n\n") != std::string::npos);
  REQUIRE(c.log().size() == 1);
  CHECK(c.log()[0].text.find("no response within 20 ms; sent 200 to the client") != std::string::npos);
}

TEST_CASE("a middleware that fails in the response of a timeout does not prevent the response") {
  for (const bool invalid_header : {false, true}) {
    CAPTURE(invalid_header);
    std::atomic<int> calls{0};
    auto app = [&calls, invalid_header](service& svc) {
      winsvc::middleware headers([&calls, invalid_header](const request&, winsvc::response& res,
                                                          const winsvc::next_handler& next) {
        if (++calls == 2 && !invalid_header) throw std::runtime_error("no header today");
        if (invalid_header) res.headers.emplace("X-Query", "a\r\nX-Injected: b");
        next();
      });
      headers.adds_headers_only = true;
      svc.use(std::move(headers));
      add_slow_route(svc);
    };
    client c(app);
    const auto bytes = c.raw("GET /slow HTTP/1.1\r\nHost: t\r\n\r\n");
    CHECK(bytes.find("HTTP/1.1 503 ") == 0);
    CHECK(bytes.find("X-Injected") == std::string::npos);
    CHECK(calls == 2);
    REQUIRE(c.log().size() >= 2);
    CHECK(c.log()[0].text.find("a middleware of the error response failed: ") != std::string::npos);
  }
}
