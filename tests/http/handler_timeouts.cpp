// Time-outs of handlers: the client has its answer, the handler goes on, the stop waits for it.
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
using winsvc::http::handler_timeouts;
using winsvc::testing::client;

TEST_CASE("what is watched is called once its time is over, the earliest first, and not after its end") {
  std::string called;
  stop_source both;
  {
    handler_timeouts dog;
    const handler_timeouts::scoped_timeout slow(dog, 40ms, [&] {
      called += "slow ";
      both.request_stop();
    });
    const handler_timeouts::scoped_timeout quick(dog, 10ms, [&] { called += "quick "; });
    const handler_timeouts::scoped_timeout never(dog, 1h, [&] { called += "never "; });
    { const handler_timeouts::scoped_timeout ended(dog, 20ms, [&] { called += "ended "; }); }
    CHECK(both.token().wait_for(waiting::limit()));
  }
  CHECK(called == "quick slow ");
}

TEST_CASE("a watchdog that was never needed has no thread to end") { handler_timeouts dog; }

TEST_CASE("a handler that takes longer than its route allows is answered for with 503, and logged") {
  stop_source requested;
  std::atomic<bool> knew{false}, ended{false};
  auto app = [&](service& svc) {
    svc.get("/slow", [&](const request& req) {
      wait_until([&] { return winsvc::context(req).timed_out(); }, "the time-out of the handler");
      knew = true;
      ended = true;
      return "too late";
    }).timeout(20ms);
    svc.get("/quick", [] { return "in time"; }).timeout(10s);
  };
  client c(app);

  const std::string out = c.raw("GET /slow HTTP/1.1\r\nHost: t\r\n\r\nGET /quick HTTP/1.1\r\nHost: t\r\n\r\n");

  CHECK(out.find("HTTP/1.1 503 Service Unavailable\r\n") == 0);
  CHECK(out.find("Connection: close\r\n") != std::string::npos);
  CHECK(out.find("no answer within 20 ms") != std::string::npos);
  CHECK(out.find("too late") == std::string::npos);
  CHECK(out.find("in time") == std::string::npos);  // the connection has ended
  CHECK(knew);
  CHECK(ended);
  REQUIRE(c.log().size() == 1);
  CHECK(c.log()[0].text.find("no answer within 20 ms; the client was told so with 503, and the handler goes on") !=
        std::string::npos);
  CHECK(c.get("/quick").body == "in time");
}

TEST_CASE("who asked for text is told in text") {
  auto app = [](service& svc) {
    svc.get("/slow", [](const request& req) {
      wait_until([&] { return winsvc::context(req).timed_out(); }, "the time-out of the handler");
      return "too late";
    }).timeout(5ms);
  };
  client c(app);
  const auto a = c.get("/slow", {{"Accept", "text/plain"}});
  CHECK(a.status == 503);
  CHECK(a.header("Content-Type") == "text/plain; charset=utf-8");
  CHECK(a.body.find("503 Service Unavailable: no answer within 5 ms (request ") == 0);
}

TEST_CASE("a time-out of nothing is refused where it is said") {
  auto app = [](service& svc) { svc.get("/", [] { return ""; }).timeout(0ms); };
  CHECK_THROWS_WITH_AS(client c(app), doctest::Contains("timeout: a handler needs some time"), winsvc::setup_error);
}

TEST_CASE("an access log has a line for every request that was asked for, and for those that had no route") {
  auto app = [](service& svc) {
    svc.access_log().access_log();  // twice is once
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
  CHECK(line(2).find("127.0.0.1 refused: ") == 0);
  CHECK(line(2).find("  400  ") != std::string::npos);
}
