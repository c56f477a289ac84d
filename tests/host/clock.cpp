// The clock of a service: its timeouts, dates and log lines use it, and a wait in the system also ends in real time.
#include "support.hpp"

using namespace support;
using winsvc::service;
using winsvc::stop_source;
using winsvc::detail::os::tcp_socket;
using winsvc::detail::os::transfer;
using winsvc::testing::manual_clock;

namespace {

/// Keeps the time of the last line "served".
struct served_time final : winsvc::log_sink {
  std::atomic<winsvc::clock::system_time> time{};
  void write(const winsvc::log_entry& entry) noexcept override {
    if (entry.text == "served") time = entry.time;
  }
};

/// Receives until the server closes the connection or `limit` has passed.
std::string receive_all(tcp_socket& socket, std::chrono::milliseconds limit, transfer& end) {
  std::string text;
  char buffer[4096];
  std::size_t count = 0;
  while ((end = socket.receive(buffer, sizeof buffer, count, limit)) == transfer::done) text.append(buffer, count);
  return text;
}

/// Advances the clock by an hour until the server has closed the connection. Returns all that it has sent. In real
/// time, no timeout of the service passes meanwhile.
std::string receive_in_later_hours(tcp_socket& socket, manual_clock& time) {
  std::string text;
  auto end = transfer::timed_out;
  wait_until(
      [&] {
        time.advance(1h);
        text += receive_all(socket, 20ms, end);
        return end != transfer::timed_out;
      },
      "the end of the connection");
  return text;
}

void send(tcp_socket& socket, std::string_view bytes) {
  CHECK(socket.send(bytes.data(), bytes.size(), waiting::limit()) == transfer::done);
}

/// Limits that are longer than any test.
void wait_for_hours(service& svc) {
  auto& limits = svc.limits();
  limits.head_timeout = limits.body_timeout = limits.keep_alive_timeout = limits.write_timeout = 1h;
  limits.websocket_ping = limits.websocket_pong = 1h;
}

}  // namespace

TEST_CASE("the engine of a host has its clock: dates, log lines, a route's timeout and idle connections") {
  manual_clock time;
  const auto served = std::make_shared<served_time>();
  stop_source started, release;
  winsvc::host host(
      [&](service& svc) {
        svc.listen("127.0.0.1", 0);
        wait_for_hours(svc);
        svc.log_to(served);
        svc.get("/", [&svc] {
          svc.log().warn("served");
          return "hello";
        });
        svc.get("/slow", [started, release] {
          started.request_stop();
          wait_for_stop(release, "the release of the handler");
          return "slow";
        }).timeout(1h);
      },
      time);
  host.start();
  REQUIRE(host.wait_until_serving(waiting::limit()));
  const auto port = static_cast<std::uint16_t>(std::stoi(host.url().substr(17)));
  auto first = tcp_socket::connect({"127.0.0.1", port}, waiting::limit());
  auto second = tcp_socket::connect({"127.0.0.1", port}, waiting::limit());
  REQUIRE(first);
  REQUIRE(second);

  ask(*first, "/");
  CHECK(hear(*first).header("Date") == "Fri, 02 Jan 1970 00:00:00 GMT");
  time.advance(30s);
  ask(*first, "/");
  CHECK(hear(*first).header("Date") == "Fri, 02 Jan 1970 00:00:30 GMT");
  ask(*second, "/slow");
  wait_for_stop(started, "the handler to start");
  time.advance(1h);
  CHECK(hear(*second).status == 503);
  release.request_stop();
  CHECK(receive_in_later_hours(*first, time).empty());

  host.stop();
  CHECK(host.wait());
  CHECK(served->time.load() == winsvc::clock::system_time(24h + 30s));
}

TEST_CASE("a service that has run for more than a year completes the requests in flight when it stops") {
  manual_clock time;
  stop_source started, release;
  winsvc::host host(
      [&](service& svc) {
        svc.listen("127.0.0.1", 0);
        wait_for_hours(svc);
        svc.get("/slow", [started, release] {
          started.request_stop();
          wait_for_stop(release, "the release of the handler");
          return "slow";
        });
      },
      time);
  host.start();
  REQUIRE(host.wait_until_serving(waiting::limit()));
  time.advance(24h * 366);
  const auto port = static_cast<std::uint16_t>(std::stoi(host.url().substr(17)));
  auto client = tcp_socket::connect({"127.0.0.1", port}, waiting::limit());
  REQUIRE(client);
  ask(*client, "/slow");
  wait_for_stop(started, "the handler to start");
  host.stop();
  transfer end{};
  CHECK(receive_all(*client, 200ms, end).empty());
  CHECK(end == transfer::timed_out);  // the stop waits for the request
  release.request_stop();
  CHECK(hear(*client).body == "slow");
  CHECK(host.wait());
}

TEST_CASE("waits in the system end when the clock of the service has reached their limit") {
  manual_clock time;
  stop_source started, aborted;  // the clock advances only after the wait has begun: before it, other limits apply
  auto app = [&](service& svc) {
    wait_for_hours(svc);
    svc.limits().websocket_ping = 24h * 365;
    svc.get("/stream", [started] {
      return winsvc::reply::stream("text/plain", [started](winsvc::stream& out) {
        started.request_stop();
        if (out.wait_for(1h)) out.write("later");
      });
    });
    svc.post("/upload", [](winsvc::upload) { return "complete"; });
    svc.get("/endless", [started, aborted] {
      return winsvc::reply::stream("text/plain", [started, aborted](winsvc::stream& out) {
        started.request_stop();
        while (out.write(std::string(64 * 1024, 'x'))) {}
        aborted.request_stop();
      });
    });
    svc.websocket("/socket", [started](winsvc::websocket& ws) {
      started.request_stop();
      ws.send(ws.receive(1h) ? "a message" : "none");
    });
  };
  simulated_scm scm;
  scm.time = &time;
  scm.start(app);

  SUBCASE("a stream that waits for its client") {
    auto client = connected(scm);
    send(client, "GET /stream HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
    wait_for_stop(started, "the stream to start");
    CHECK(receive_in_later_hours(client, time).find("later") != std::string::npos);
  }
  SUBCASE("an upload that does not arrive") {
    auto client = connected(scm);
    send(client, "POST /upload HTTP/1.1\r\nHost: localhost\r\nContent-Length: 10\r\nExpect: 100-continue\r\n\r\n");
    CHECK(hear(client).status == 100);
    send(client, "half");
    CHECK(receive_in_later_hours(client, time).find("HTTP/1.1 408 ") == 0);
  }
  SUBCASE("a response that the client does not read") {
    auto client = connected(scm);
    ask(client, "/endless");
    wait_for_stop(started, "the response to start");
    wait_until(
        [&] {
          time.advance(1h);
          return aborted.token().stop_requested();
        },
        "the end of the response");
  }
  SUBCASE("a WebSocket") {
    auto client = connected(scm);
    send(client, "GET /socket HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                 "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n");
    wait_for_stop(started, "the handler to start");
    CHECK(receive_in_later_hours(client, time).find("none") != std::string::npos);
  }
  CHECK(scm.stop() == 0);
  CHECK(scm.wait() == 0);
}

TEST_CASE("while the clock of the service does not advance, waits in the system end in real time") {
  const manual_clock time;
  simulated_scm scm;
  scm.time = &time;
  stop_source release;
  const int handlers = static_cast<int>(std::thread::hardware_concurrency()) + 8;
  std::atomic<int> started{0};
  auto app = [&](service& svc) {
    svc.get("/", [] { return "hello"; });
    svc.get("/stream", [] {
      return winsvc::reply::stream("text/plain", [](winsvc::stream& out) {
        if (out.wait_for(30ms)) out.write("later");
      });
    });
    svc.get("/blocks", [&] {
      ++started;
      wait_for_stop(release, "the release of the handlers");
      return "";
    });
  };
  scm.start(app);

  SUBCASE("a stream that waits for its client") {
    auto client = connected(scm);
    send(client, "GET /stream HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
    auto end = transfer::timed_out;
    CHECK(receive_all(client, waiting::limit(), end).find("later") != std::string::npos);
  }
  SUBCASE("the pool detects blocked threads and grows") {
    std::vector<tcp_socket> clients;
    for (int i = 0; i < handlers; ++i) ask(clients.emplace_back(connected(scm)), "/blocks");
    wait_until([&] { return started == handlers; }, "all handlers to start");
    CHECK(get(scm, "/").body == "hello");
    release.request_stop();
    for (auto& client : clients) CHECK(hear(client).status == 200);
  }
  release.request_stop();
  CHECK(scm.stop() == 0);
  CHECK(scm.wait() == 0);
}

TEST_CASE("a drain closes lingering connections in real time, while the clock of the service does not advance") {
  const manual_clock time;
  auto app = [](service& svc) { svc.get("/", [] { return "hello"; }); };
  simulated_scm scm;
  scm.time = &time;
  scm.start(app);
  auto client = connected(scm);
  send(client, "GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
  CHECK(hear(client).body == "hello");  // the server now waits for the end of the client

  const auto start = std::chrono::steady_clock::now();
  CHECK(scm.stop() == 0);
  CHECK(scm.wait() == 0);
  CHECK(scm.violations().empty());
  CHECK(std::chrono::steady_clock::now() - start < 15s);  // the limit of the stop is 20 s
}

TEST_CASE("the attempts to bind end in real time, and when the clock has reached their limit") {
  manual_clock time;
  winsvc::detail::host::service_definition definition(time);
  definition.host = "203.0.113.7";  // for documentation: no interface has this address
  winsvc::detail::host::run_options options;
  options.bind_retry_delay = 1ms;
  const winsvc::stop_source stop;
  auto engine = winsvc::detail::host::make_engine(definition);
  REQUIRE(engine);
  int attempts = 0;

  options.bind_timeout = 30ms;
  auto bound = bind_listener(**engine, definition, options, stop.token(), [&] { ++attempts; });
  CHECK_FALSE(bound);
  CHECK(attempts > 0);
  options.bind_timeout = 1h;
  bound = bind_listener(**engine, definition, options, stop.token(), [&] { time.advance(1min); });
  CHECK_FALSE(bound);
}

TEST_CASE("the test client takes a clock: dates and the rate limit of the app use it") {
  manual_clock time;
  auto app = [](service& svc) {
    svc.use(winsvc::rate_limit(0.01, 1));
    svc.get("/", [](const winsvc::request& req) { return winsvc::iso_time(winsvc::context(req).time().system_now()); });
  };
  winsvc::testing::client client(app, time);

  const auto first = client.get("/");
  CHECK(first.header("Date") == "Fri, 02 Jan 1970 00:00:00 GMT");
  CHECK(first.body == "1970-01-02T00:00:00.000Z");
  CHECK(client.get("/").status == 429);
  time.advance(100s);
  const auto later = client.get("/");
  CHECK(later.status == 200);
  CHECK(later.header("Date") == "Fri, 02 Jan 1970 00:01:40 GMT");
  CHECK(client.get("/none").header("Date") == "Fri, 02 Jan 1970 00:01:40 GMT");
}
