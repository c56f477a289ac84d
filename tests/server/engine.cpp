// The engine over loopback: bind, serve, drain. The tests wait for events and not for a time.
#include <winsvc/testing.hpp>

#include "test_engine.hpp"

#include <algorithm>
#include <atomic>
#include <chrono>
#include <csignal>
#include <memory>
#include <string>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

using namespace engine_tests;

TEST_CASE("port 0 gives an address to which a client can connect") {
  test_engine s;
  s.open();

  CHECK(s.engine->address().host == "127.0.0.1");
  CHECK(s.engine->address().port != 0);
  test_client c(s);
  c.get("/");
  CHECK(c.read_response().body == "hello");
}

#if !defined(_WIN32)
TEST_CASE("a started engine ignores SIGPIPE, which a client that leaves may cause, but keeps a handler of the app") {
  struct sigaction before {};
  REQUIRE(::sigaction(SIGPIPE, nullptr, &before) == 0);
  const winsvc::scope_exit restore([&before]() noexcept { ::sigaction(SIGPIPE, &before, nullptr); });
  const auto handler_after_start = [](void (*handler)(int)) {
    struct sigaction action {};
    action.sa_handler = handler;
    ::sigaction(SIGPIPE, &action, nullptr);
    test_engine s;
    s.open();
    ::sigaction(SIGPIPE, nullptr, &action);
    return action.sa_handler;
  };
  CHECK(bool(handler_after_start(SIG_DFL) == SIG_IGN));
  void (*const own)(int) = [](int) {};
  CHECK(bool(handler_after_start(own) == own));
}
#endif

TEST_CASE("a port in use fails to bind with 10048, and the message has the address") {
  test_engine first, second;
  first.open();

  const auto bound = second.engine->bind("127.0.0.1", first.engine->address().port);

  REQUIRE(!bound);
  CHECK(bound.error().code == 10048);
  const auto message = bound.error().to_string();
  CHECK(message.find("listen on '" + first.engine->address().text() + "': the port is taken") == 0);
  CHECK(message.find("(10048)") != std::string::npos);
  CHECK(message.find("choose another port with --port") != std::string::npos);
}

TEST_CASE("an engine on localhost serves clients of both families until the drain") {
  if (!tcp_socket::listen("::1", 0)) return;  // this machine has no IPv6
  test_engine s;
  REQUIRE(s.engine->bind("localhost", 0));
  s.engine->start();
  const auto port = s.engine->address().port;

  for (const char* address : {"127.0.0.1", "::1", "127.0.0.1", "::1"}) {
    CAPTURE(address);
    test_client c(s, {address, port});
    c.get("/peer");
    CHECK(c.read_response().body.rfind(std::string(address) + ' ', 0) == 0);
    c.get("/");
    CHECK(c.read_response().body == "hello");
  }
  CHECK(s.engine->drain(5s).aborted == 0);

  for (const char* address : {"127.0.0.1", "::1"}) CHECK_FALSE(tcp_socket::connect({address, port}, 1s));
}

TEST_CASE("an engine on localhost fails to bind if the port is in use in one family") {
  auto taken = tcp_socket::listen("::1", 0);
  if (!taken) return;  // this machine has no IPv6
  const auto taken_port = taken->local().port;
  test_engine s;

  const auto bound = s.engine->bind("localhost", taken_port);

  REQUIRE(!bound);
  CHECK(bound.error().code == 10048);
  CHECK(bound.error().to_string().find("listen on '[::1]:") == 0);
  taken->close();
  CHECK(s.engine->bind("localhost", taken_port));
}

TEST_CASE("an address of another machine fails to bind with 10049") {
  test_engine s;

  const auto bound = s.engine->bind("192.0.2.1", 0);

  REQUIRE(!bound);
  CHECK(bound.error().code == 10049);
}

TEST_CASE("the port is free again when the engine is destroyed") {
  std::uint16_t port = 0;
  {
    test_engine s;
    s.open();
    port = s.engine->address().port;
    test_client c(s);
    c.get("/");
    CHECK(c.read_response().status == 200);
  }
  test_engine again;
  CHECK(again.engine->bind("127.0.0.1", port));
}

TEST_CASE("a connection serves one request after the other, and the handler sees the client's address") {
  test_engine s;
  s.open();
  test_client c(s);

  for (int i = 0; i < 20; ++i) {
    c.get("/");
    CHECK(c.read_response().body == "hello");
  }
  c.send("POST /echo HTTP/1.1\r\nHost: t\r\nContent-Length: 5\r\n\r\nhel");
  c.send("lo");
  CHECK(c.read_response().body == "hello");
  c.get("/peer");
  CHECK(c.read_response().body == "127.0.0.1 " + std::to_string(c.socket.local().port));
  CHECK(s.engine->connections() == 1);
}

TEST_CASE("a drain closes idle connections at once") {
  // The best of 5 attempts: a busy machine may delay one, but an engine that waits for something delays each of them.
  auto best = 10'000ms;
  for (int attempt = 0; attempt < 5 && best >= 100ms; ++attempt) {
    test_engine s;
    s.open();
    std::vector<std::unique_ptr<test_client>> idle;
    for (int i = 0; i < 10; ++i) {
      idle.push_back(std::make_unique<test_client>(s));
      idle.back()->get("/");
      CHECK(idle.back()->read_response().status == 200);
    }

    // A client can receive a response before the engine counts it.
    wait_until([&] { return s.engine->in_flight() == 0; }, "the requests in flight to end");

    const auto began = steady::now();
    const auto report = s.engine->drain(10s);
    best = (std::min)(best, since(began));

    CHECK(report.completed == 0);
    CHECK(report.aborted == 0);
    CHECK(report.stuck_threads == 0);
    for (auto& c : idle) CHECK(c->is_disconnected());
    CHECK(s.engine->connections() == 0);
  }
  CHECK(best.count() < 100);
}

TEST_CASE("a request in flight is completed during a drain, with Connection: close, and is counted") {
  test_engine s;
  s.open();
  test_client c(s);
  c.get("/slow");
  wait_for_stop(s.handler_started, "the handler to start");
  CHECK(s.engine->in_flight() == 1);

  int progressed = 0;
  winsvc::detail::server::drain_report report;
  scoped_thread draining("the drain", [&] { report = s.engine->drain(waiting::limit(), [&] { ++progressed; }); });
  wait_until([&] { return !tcp_socket::connect(s.engine->address(), 1s); }, "the listener to close");
  s.release.request_stop();
  const auto a = c.read_response();
  draining.join();

  CHECK(a.status == 200);
  CHECK(a.body == "slow");
  CHECK(a.header("Connection") == "close");
  CHECK(c.is_disconnected());
  CHECK(report.completed == 1);
  CHECK(report.aborted == 0);
  CHECK(progressed == 1);
}

TEST_CASE("requests that were sent before the drain are served, also those of clients that were not accepted yet") {
  test_engine s;
  REQUIRE(s.engine->bind("127.0.0.1", 0));
  std::vector<std::unique_ptr<test_client>> waiting;
  for (int i = 0; i < 10; ++i) {
    waiting.push_back(std::make_unique<test_client>(s));
    waiting.back()->get("/");
  }

  s.engine->start();
  const auto report = s.engine->drain(10s);

  CHECK(report.aborted == 0);
  for (auto& c : waiting) {
    const auto a = c->read_response();
    CHECK(a.body == "hello");
    CHECK(c->is_disconnected());
  }
}

TEST_CASE("a handler that exceeds the drain limit is counted as aborted") {
  test_engine s;
  s.open();
  test_client c(s);
  c.get("/slow");
  wait_for_stop(s.handler_started, "the handler to start");

  const auto began = steady::now();
  scoped_thread late("the thread that releases the handler", [&] {
    while (since(began) < 80ms) std::this_thread::sleep_for(5ms);
    s.release.request_stop();  // after the drain limit, before the abort limit
  });
  const auto report = s.engine->drain(20ms);
  late.join();

  CHECK(report.aborted == 1);
  CHECK(report.stuck_threads == 0);
  CHECK(c.read_response().status == 0);
}

TEST_CASE("a handler that does not return is counted as stuck, and the destructor waits for it") {
  auto s = std::make_unique<test_engine>();
  s->open();
  test_client c(*s);
  c.get("/slow");
  wait_for_stop(s->handler_started, "the handler to start");

  const auto report = s->engine->drain(1ms);
  CHECK(report.aborted == 1);
  CHECK(report.stuck_threads == 1);
  CHECK(s->finished == 0);
  s->release.request_stop();
  s->engine.reset();
  CHECK(s->finished == 1);
}

TEST_CASE("an engine that is destroyed without a drain closes its connections") {
  test_engine s;
  s.open();
  test_client idle(s), requested(s);
  idle.get("/");
  CHECK(idle.read_response().status == 200);

  s.engine.reset();

  CHECK(idle.is_disconnected());
  test_engine never_opened;
  test_engine bound_only;
  CHECK(bound_only.engine->bind("127.0.0.1", 0));
}

TEST_CASE("requests of 100 concurrent clients are all served") {
  test_engine s;
  s.open();
  std::atomic<int> good{0}, recorded{0};
  s.engine.reset();
  s.engine = std::make_unique<engine>(s.routes, s.limits, s.log);
  s.engine->on_response([&](const winsvc::detail::http::access_record& a) {
    if (a.status == 200 && a.method == "GET" && a.target == "/" && a.pattern == "/" && a.bytes > 5) ++recorded;
  });
  s.open();

  std::vector<std::unique_ptr<test_client>> clients;
  for (int i = 0; i < 100; ++i) clients.push_back(std::make_unique<test_client>(s));
  for (int round = 0; round < 3; ++round) {
    for (auto& c : clients) c->get("/");
    for (auto& c : clients) good += c->read_response().body == "hello" ? 1 : 0;
  }
  CHECK(s.engine->connections() == 100);
  static_cast<void>(s.engine->drain(10s));

  CHECK(good == 300);
  CHECK(recorded == 300);
}

TEST_CASE("a head that arrives too slowly is 408, a connection without a head is closed without a response") {
  winsvc::detail::wire::limits brief;
  brief.head_timeout = 60ms;
  brief.keep_alive_timeout = 500ms;  // longer than a loaded system needs from the connection to the first byte
  test_engine s(brief);
  s.open();
  test_client silent(s), after(s);
  after.get("/");
  CHECK(after.read_response().status == 200);

  test_client slow(s);
  slow.send("GET / HTT");
  const auto a = slow.read_response();

  CHECK(a.status == 408);
  CHECK(a.header("Connection") == "close");
  CHECK(slow.is_disconnected());
  CHECK(silent.is_disconnected());
  CHECK(after.is_disconnected());
  CHECK(eventually([&] { return s.engine->in_flight() == 0; }));
}

TEST_CASE("the head timeout applies to the whole head, even if single bytes arrive") {
  winsvc::detail::wire::limits brief;
  brief.head_timeout = 80ms;
  test_engine s(brief);
  s.open();
  test_client c(s);

  const auto began = steady::now();
  c.send("GET / HTTP/1.1\r\nHost: t\r\nX: ");
  while (c.input.empty() && since(began) < 2s) {
    const char character = 'x';
    if (c.socket.send(&character, 1, 1s) != transfer::done) break;
    static_cast<void>(c.receive_more(10ms));
  }

  CHECK(since(began) < 1s);
  CHECK(c.read_response().status == 408);
}

TEST_CASE("a body that arrives too slowly is 408 and ends the connection") {
  winsvc::detail::wire::limits brief;
  brief.body_timeout = 60ms;
  test_engine s(brief);
  s.open();
  test_client c(s);

  c.send("POST /echo HTTP/1.1\r\nHost: t\r\nContent-Length: 10\r\n\r\nhalf");
  const auto a = c.read_response();

  CHECK(a.status == 408);
  CHECK(a.header("Connection") == "close");
  CHECK(c.is_disconnected());
}

TEST_CASE("a client that closes during a body or a response does not affect other clients") {
  test_engine s;
  s.open();
  for (int i = 0; i < 5; ++i) {
    test_client leaves(s);
    leaves.send("POST /echo HTTP/1.1\r\nHost: t\r\nContent-Length: 100000\r\n\r\nhalf");
  }
  {
    test_client leaves(s);
    leaves.get("/slow");
    wait_for_stop(s.handler_started, "the handler to start");
  }
  s.release.request_stop();

  test_client stays(s);
  stays.get("/");
  CHECK(stays.read_response().body == "hello");
  const auto report = s.engine->drain(5s);
  CHECK(report.aborted == 0);
  CHECK(report.stuck_threads == 0);
}

TEST_CASE("a client that still sends receives the whole response of a rejected request") {
  winsvc::detail::wire::limits small;
  small.body_bytes = 10;
  test_engine s(small);
  s.open();
  test_client c(s);

  c.send("POST /echo HTTP/1.1\r\nHost: t\r\nContent-Length: 200000\r\n\r\n" + std::string(200'000, 'x'));

  const auto a = c.read_response();
  CHECK(a.status == 413);
  CHECK(a.header("Connection") == "close");
  CHECK(c.is_disconnected());
}
