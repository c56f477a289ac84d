// Answers that are written while they are made: over memory, and over a socket that the client closes.
#include <winsvc/testing.hpp>

#include "../support/wait.hpp"

#include <doctest/doctest.h>

#include <atomic>
#include <chrono>
#include <stdexcept>
#include <string>
#include <thread>

using namespace std::chrono_literals;
using winsvc::event_stream;
using winsvc::reply;
using winsvc::service;
using winsvc::stop_source;
using winsvc::stream;
using winsvc::testing::client;
using winsvc::testing::simulated_scm;
using steady = std::chrono::steady_clock;

namespace {

winsvc::os::tcp_socket asked(const simulated_scm& scm, const std::string& target) {
  const std::string url = scm.url();
  auto made = winsvc::os::tcp_socket::connect(
      {"127.0.0.1", static_cast<std::uint16_t>(std::stoi(url.substr(url.rfind(':') + 1)))}, 5s);
  REQUIRE(made);
  const std::string bytes = "GET " + target + " HTTP/1.1\r\nHost: t\r\n\r\n";
  REQUIRE(made->send(bytes.data(), bytes.size(), 5s) == winsvc::os::transfer::done);
  return std::move(*made);
}

std::string read_until(winsvc::os::tcp_socket& from, const std::string& mark) {
  std::string result;
  char buffer[4096];
  std::size_t count = 0;
  while (result.find(mark) == std::string::npos &&
         from.receive(buffer, sizeof buffer, count, waiting::limit()) == winsvc::os::transfer::done)
    result.append(buffer, count);
  return result;
}

}  // namespace

TEST_CASE("a stream is sent piece by piece, chunked, and the connection lives on") {
  auto app = [](service& svc) {
    svc.get("/numbers", [] {
      return reply::stream("text/plain", [](stream& out) {
        for (int i = 0; i < 3; ++i) CHECK(out.write(std::to_string(i) + "\n"));
      });
    });
    svc.get("/empty", [] { return reply::stream("text/plain", [](stream&) {}); });
  };
  client c(app);

  const auto r = c.get("/numbers");
  CHECK(r.status == 200);
  CHECK(r.body == "0\n1\n2\n");
  CHECK(r.header("Transfer-Encoding") == "chunked");
  CHECK(c.get("/empty").body.empty());
  std::string two = c.raw("GET /numbers HTTP/1.1\r\nHost: t\r\n\r\nGET /numbers HTTP/1.1\r\nHost: t\r\n\r\n");
  CHECK(winsvc::testing::parse_response(two).body == "0\n1\n2\n");
  CHECK(winsvc::testing::parse_response(two).body == "0\n1\n2\n");
}

TEST_CASE("events have the form that an EventSource reads") {
  auto app = [](service& svc) {
    svc.get("/events", [] {
      return reply::events([](event_stream& out) {
        out.retry_after(2s);
        out.send("hello");
        out.send("two\nlines", "greeting", "7");
        out.send("a\r\nb\rc");
        out.send("", "empty\nname");
        out.send("after " + out.last_event_id());
      });
    });
  };
  client c(app);

  const auto r = c.get("/events", {{"Last-Event-ID", "6"}});
  CHECK(r.header("Content-Type") == "text/event-stream");
  CHECK(r.header("Cache-Control") == "no-store");
  CHECK(r.body ==
        "retry: 2000\n\n"
        "data: hello\n\n"
        "id: 7\nevent: greeting\ndata: two\ndata: lines\n\n"
        "data: a\ndata: b\ndata: c\n\n"
        "event: emptyname\ndata: \n\n"
        "data: after 6\n\n");
}

TEST_CASE("whoever waits beside a stream hears that the client has left") {
  auto app = [](service& svc) {
    svc.get("/ticks", [] {
      return reply::events([](event_stream& out) {
        while (out.wait_for(1s)) out.send("tick");
        CHECK(!out.is_open());
      });
    });
  };
  client c(app);

  CHECK(c.get("/ticks").body == "data: tick\n\ndata: tick\n\ndata: tick\n\n");
}

TEST_CASE("a client that closes its end wakes the stream at once, and costs no thread any more") {
  stop_source left;
  std::atomic<bool> was_reported{true};
  auto app = [&](service& svc) {
    svc.get("/ticks", [&] {
      return reply::events([&](event_stream& out) {
        out.send("first");
        was_reported = out.wait_for(60s);
        left.request_stop();
      });
    });
  };
  simulated_scm scm;
  scm.start(app);
  {
    auto socket = asked(scm, "/ticks");
    CHECK(read_until(socket, "first\n\n").find("data: first") != std::string::npos);
  }
  CHECK(left.token().wait_for(waiting::limit()));
  CHECK(!was_reported);
  CHECK(scm.stop() == 0);
  CHECK(scm.wait() == 0);
}

TEST_CASE("a stop wakes every stream, and is not kept waiting by one that listens") {
  auto app = [](service& svc) {
    svc.get("/ticks", [] {
      return reply::events([](event_stream& out) {
        out.send("first");
        while (out.wait_for(60s)) out.send("tick");
        out.send("goodbye");  // the client is still there
      });
    });
  };
  simulated_scm scm;
  scm.start(app);
  auto socket = asked(scm, "/ticks");
  CHECK(read_until(socket, "first\n\n").find("data: first") != std::string::npos);
  const auto began = steady::now();

  CHECK(scm.stop() == 0);
  CHECK(read_until(socket, "goodbye\n\n").find("data: goodbye") != std::string::npos);

  CHECK(scm.wait() == 0);
  CHECK(steady::now() - began < 5s);
  CHECK(scm.violations().empty());
}

TEST_CASE("a request that was sent behind a stream does not make it spin or end") {
  std::atomic<int> ticks{0};
  auto app = [&](service& svc) {
    svc.get("/ticks", [&] {
      return reply::events([&](event_stream& out) {
        for (int i = 0; i < 3 && out.wait_for(30ms); ++i) {
          ++ticks;
          out.send("tick");
        }
      });
    });
  };
  simulated_scm scm;
  scm.start(app);
  auto socket = asked(scm, "/ticks");
  const std::string more = "GET /livez HTTP/1.1\r\nHost: t\r\n\r\n";
  REQUIRE(socket.send(more.data(), more.size(), 5s) == winsvc::os::transfer::done);

  CHECK(read_until(socket, "live\n").find("HTTP/1.1 200", 20) != std::string::npos);
  CHECK(ticks == 3);
  CHECK(scm.stop() == 0);
  CHECK(scm.wait() == 0);
}

TEST_CASE("a stream that throws ends its connection, is logged, and takes nobody with it") {
  auto app = [](service& svc) {
    svc.get("/bad", [] { return reply::stream("text/plain", [](stream& out) {
      out.write("begun");
      throw std::runtime_error("disk gone");
    }); });
    svc.get("/", [] { return "hello"; });
  };
  client c(app);

  CHECK(c.raw("GET /bad HTTP/1.1\r\nHost: t\r\n\r\n").find("\r\n0\r\n") == std::string::npos);
  CHECK(c.get("/").body == "hello");
  REQUIRE(!c.log().empty());
  CHECK(c.log()[0].text.find("disk gone") != std::string::npos);
}

TEST_CASE("a wait that is over before it begins, or has no end that a clock could hold, is a wait") {
  auto app = [](service& svc) {
    svc.get("/s", [] {
      return reply::stream("text/plain", [](winsvc::stream& out) {
        std::string message;
        for (const auto wait : {-5ms, 0ms}) message += out.wait_for(wait) ? "on " : "off ";
        out.write(message);
      });
    });
    svc.get("/long", [] {
      return reply::stream("text/plain", [](winsvc::stream& out) {
        out.write("first");
        out.write(out.wait_for((std::chrono::milliseconds::max)()) ? " on" : " off");
      });
    });
  };
  simulated_scm scm;
  scm.start(app);
  auto late = asked(scm, "/s");
  CHECK(read_until(late, "0\r\n\r\n").find("on on ") != std::string::npos);
  auto endless = asked(scm, "/long");
  CHECK(read_until(endless, "first").find("first") != std::string::npos);
  CHECK(scm.stop() == 0);
  CHECK(read_until(endless, " off").find(" off") != std::string::npos);
  CHECK(scm.wait() == 0);
}
