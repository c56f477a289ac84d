// Streamed responses: over memory, and over a socket that the client closes.
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

/// Connects to the simulated service and sends a GET request.
winsvc::detail::os::tcp_socket send_get(const simulated_scm& scm, const std::string& target) {
  const std::string url = scm.url();
  auto socket = winsvc::detail::os::tcp_socket::connect(
      {"127.0.0.1", static_cast<std::uint16_t>(std::stoi(url.substr(url.rfind(':') + 1)))}, 5s);
  REQUIRE(socket);
  const std::string bytes = "GET " + target + " HTTP/1.1\r\nHost: localhost\r\n\r\n";
  REQUIRE(socket->send(bytes.data(), bytes.size(), 5s) == winsvc::detail::os::transfer::done);
  return std::move(*socket);
}

std::string read_until(winsvc::detail::os::tcp_socket& socket, const std::string& mark) {
  std::string result;
  char buffer[4096];
  std::size_t count = 0;
  while (result.find(mark) == std::string::npos &&
         socket.receive(buffer, sizeof buffer, count, waiting::limit()) == winsvc::detail::os::transfer::done)
    result.append(buffer, count);
  return result;
}

}  // namespace

TEST_CASE("a stream is sent in chunks, and the connection stays open") {
  auto app = [](service& svc) {
    svc.get("/numbers", [] {
      return reply::stream("text/plain", [](stream& out) {
        for (int i = 0; i < 3; ++i) CHECK(out.write(std::to_string(i) + "\n"));
      });
    });
    svc.get("/empty", [] { return reply::stream("text/plain", [](stream&) {}); });
  };
  client c(app);

  const auto response = c.get("/numbers");
  CHECK(response.status == 200);
  CHECK(response.body == "0\n1\n2\n");
  CHECK(response.header("Transfer-Encoding") == "chunked");
  CHECK(c.get("/empty").body.empty());
  std::string output =
      c.raw("GET /numbers HTTP/1.1\r\nHost: localhost\r\n\r\nGET /numbers HTTP/1.1\r\nHost: localhost\r\n\r\n");
  CHECK(winsvc::testing::parse_response(output).body == "0\n1\n2\n");
  CHECK(winsvc::testing::parse_response(output).body == "0\n1\n2\n");
}

TEST_CASE("server-sent events have the format that an EventSource reads") {
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

  const auto response = c.get("/events", {{"Last-Event-ID", "6"}});
  CHECK(response.header("Content-Type") == "text/event-stream");
  CHECK(response.header("Cache-Control") == "no-store");
  CHECK(response.body ==
        "retry: 2000\n\n"
        "data: hello\n\n"
        "id: 7\nevent: greeting\ndata: two\ndata: lines\n\n"
        "data: a\ndata: b\ndata: c\n\n"
        "event: emptyname\ndata: \n\n"
        "data: after 6\n\n");
}

TEST_CASE("a proxy must not buffer a stream without a length, unless the app allows it") {
  const auto write = [](stream& out) { out.write("x"); };
  winsvc::event_channel channel;
  auto app = [&](service& svc) {
    svc.get("/stream", [&] { return reply::stream("text/plain", write); });
    svc.get("/events", [] { return reply::events([](event_stream& out) { out.send("x"); }); });
    svc.get("/channel", [&] { return reply::events(channel); });
    svc.get("/own", [&] { return reply::stream("text/plain", write).header("X-Accel-Buffering", "yes"); });
    svc.get("/length", [&] { return reply::stream("text/plain", write).header("Content-Length", "1"); });
    svc.get("/text", [] { return "x"; });
  };
  client c(app);
  for (const char* path : {"/stream", "/events"}) CHECK(c.get(path).header("X-Accel-Buffering") == "no");
  for (const char* path : {"/stream", "/events", "/channel"})
    CHECK(c.head(path).header("X-Accel-Buffering") == "no");
  CHECK(c.get("/own").header("X-Accel-Buffering") == "yes");
  CHECK(c.get("/length").header("X-Accel-Buffering") == "");
  CHECK(c.get("/text").header("X-Accel-Buffering") == "");
}

TEST_CASE("each write of a stream arrives at once, also for a client that accepts gzip") {
  winsvc::stop_source first_read, second_read;
  auto app = [&](service& svc) {
    svc.get("/lines", [&] {
      return reply::stream("text/plain", [&](stream& out) {
        out.write("first\n");
        waiting::wait_for_stop(first_read, "the client to read the first line");
        out.write("second\n");
        waiting::wait_for_stop(second_read, "the client to read the second line");
        out.write("third\n");
      });
    });
  };
  simulated_scm scm;
  scm.start(app);
  REQUIRE(scm.wait_for(winsvc::detail::scm::state::running));
  auto socket = send_get(scm, "/lines HTTP/1.1\r\nAccept-Encoding: gzip, br\r\nHost: localhost\r\n\r\nGET /");
  const std::string first = read_until(socket, "first\n");
  CHECK(first.find("first\n") != std::string::npos);
  CHECK(first.find("second") == std::string::npos);
  CHECK(first.find("Content-Encoding") == std::string::npos);
  first_read.request_stop();
  CHECK(read_until(socket, "second\n").find("third") == std::string::npos);
  second_read.request_stop();
  CHECK(read_until(socket, "third\n").find("third\n") != std::string::npos);
}

TEST_CASE("wait_for returns false when the client has closed") {
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

TEST_CASE("a client that closes its end wakes the stream at once") {
  stop_source closed;
  std::atomic<bool> wait_succeeded{true};
  auto app = [&](service& svc) {
    svc.get("/ticks", [&] {
      return reply::events([&](event_stream& out) {
        out.send("first");
        wait_succeeded = out.wait_for(60s);
        closed.request_stop();
      });
    });
  };
  simulated_scm scm;
  scm.start(app);
  {
    auto socket = send_get(scm, "/ticks");
    CHECK(read_until(socket, "first\n\n").find("data: first") != std::string::npos);
  }
  CHECK(closed.token().wait_for(waiting::limit()));
  CHECK(!wait_succeeded);
  CHECK(scm.stop() == 0);
  CHECK(scm.wait() == 0);
}

TEST_CASE("a stop wakes every stream and does not wait for its client") {
  auto app = [](service& svc) {
    svc.get("/ticks", [] {
      return reply::events([](event_stream& out) {
        out.send("first");
        while (out.wait_for(60s)) out.send("tick");
        out.send("stopping");  // the client can still receive
      });
    });
  };
  simulated_scm scm;
  scm.start(app);
  auto socket = send_get(scm, "/ticks");
  CHECK(read_until(socket, "first\n\n").find("data: first") != std::string::npos);
  const auto began = steady::now();

  CHECK(scm.stop() == 0);
  CHECK(read_until(socket, "stopping\n\n").find("data: stopping") != std::string::npos);

  CHECK(scm.wait() == 0);
  CHECK(steady::now() - began < 5s);
  CHECK(scm.violations().empty());
}

TEST_CASE("a request that follows during a stream neither ends the stream nor makes it spin") {
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
  auto socket = send_get(scm, "/ticks");
  const std::string more = "GET /livez HTTP/1.1\r\nHost: localhost\r\n\r\n";
  REQUIRE(socket.send(more.data(), more.size(), 5s) == winsvc::detail::os::transfer::done);

  CHECK(read_until(socket, "live\n").find("HTTP/1.1 200", 20) != std::string::npos);
  CHECK(ticks == 3);
  CHECK(scm.stop() == 0);
  CHECK(scm.wait() == 0);
}

TEST_CASE("a stream that throws ends its connection and is logged, and the service continues") {
  auto app = [](service& svc) {
    svc.get("/bad", [] { return reply::stream("text/plain", [](stream& out) {
      out.write("begun");
      throw std::runtime_error("disk removed");
    }); });
    svc.get("/", [] { return "hello"; });
  };
  client c(app);

  CHECK(c.raw("GET /bad HTTP/1.1\r\nHost: localhost\r\n\r\n").find("\r\n0\r\n") == std::string::npos);
  CHECK(c.get("/").body == "hello");
  REQUIRE(!c.log().empty());
  CHECK(c.log()[0].text.find("disk removed") != std::string::npos);
}

TEST_CASE("wait_for accepts negative, zero and maximum durations") {
  auto app = [](service& svc) {
    svc.get("/s", [] {
      return reply::stream("text/plain", [](winsvc::stream& out) {
        std::string message;
        for (const auto limit : {-5ms, 0ms}) message += out.wait_for(limit) ? "on " : "off ";
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
  auto short_wait = send_get(scm, "/s");
  CHECK(read_until(short_wait, "0\r\n\r\n").find("on on ") != std::string::npos);
  auto endless = send_get(scm, "/long");
  CHECK(read_until(endless, "first").find("first") != std::string::npos);
  CHECK(scm.stop() == 0);
  CHECK(read_until(endless, " off").find(" off") != std::string::npos);
  CHECK(scm.wait() == 0);
}

TEST_CASE("a file or a stream that is applied outside a request is a setup_error") {
  winsvc::response res;

  CHECK_THROWS_AS(winsvc::reply::file("report.pdf").apply(res), winsvc::setup_error);
  CHECK_THROWS_AS(winsvc::reply::stream("text/plain", [](winsvc::stream&) {}).apply(res), winsvc::setup_error);

  winsvc::reply::text("hello").apply(res);  // needs no request
  CHECK(res.body == "hello");
}
