// The engine over loopback: bind, serve, drain. Every wait is for an event; the few sleeps are a handler's work.
#include <winsvc/testing.hpp>

#include "../http/served.hpp"

#include <algorithm>
#include <atomic>
#include <chrono>
#include <memory>
#include <string>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

using namespace served_tests;

TEST_CASE("port 0 gives an address that can be connected to") {
  served s;
  s.open();

  CHECK(s.e->address().host == "127.0.0.1");
  CHECK(s.e->address().port != 0);
  caller c(s);
  c.ask("/");
  CHECK(c.hear().body == "hello");
}

TEST_CASE("a taken port fails to bind with 10048, and the sentence has the address") {
  served first, second;
  first.open();

  const auto bound = second.e->bind("127.0.0.1", first.e->address().port);

  REQUIRE(!bound);
  CHECK(bound.error().code == 10048);
  const auto sentence = bound.error().to_string();
  CHECK(sentence.find("listen on '" + first.e->address().text() + "': the port is taken") == 0);
  CHECK(sentence.find("(10048)") != std::string::npos);
  CHECK(sentence.find("choose another port with --port") != std::string::npos);
}

TEST_CASE("an address that is not this machine's fails to bind with 10049") {
  served s;

  const auto bound = s.e->bind("192.0.2.1", 0);

  REQUIRE(!bound);
  CHECK(bound.error().code == 10049);
}

TEST_CASE("the port is free again when the engine has gone") {
  std::uint16_t port = 0;
  {
    served s;
    s.open();
    port = s.e->address().port;
    caller c(s);
    c.ask("/");
    CHECK(c.hear().status == 200);
  }
  served again;
  CHECK(again.e->bind("127.0.0.1", port));
}

TEST_CASE("a connection serves one request after the other, and the client's address is told") {
  served s;
  s.open();
  caller c(s);

  for (int i = 0; i < 20; ++i) {
    c.ask("/");
    CHECK(c.hear().body == "hello");
  }
  c.say("POST /echo HTTP/1.1\r\nHost: t\r\nContent-Length: 5\r\n\r\nhe");
  c.say("llo");
  CHECK(c.hear().body == "hello");
  c.ask("/peer");
  CHECK(c.hear().body == "127.0.0.1 " + std::to_string(c.socket.local().port));
  CHECK(s.e->connections() == 1);
}

TEST_CASE("a drain ends idle connections at once") {
  auto best =
      10'000ms;  // of a few: a busy machine can be late, and an engine that waits for something is late each time
  for (int attempt = 0; attempt < 5 && best >= 100ms; ++attempt) {
    served s;
    s.open();
    std::vector<std::unique_ptr<caller>> idle;
    for (int i = 0; i < 10; ++i) {
      idle.push_back(std::make_unique<caller>(s));
      idle.back()->ask("/");
      CHECK(idle.back()->hear().status == 200);
    }

    // A client can receive a response before the engine counts it.
    wait_until([&] { return s.e->in_flight() == 0; }, "the requests in flight to end");

    const auto began = steady::now();
    const auto report = s.e->drain(10s);
    best = (std::min)(best, since(began));

    CHECK(report.completed == 0);
    CHECK(report.aborted == 0);
    CHECK(report.stuck_threads == 0);
    for (auto& c : idle) CHECK(c->ended());
    CHECK(s.e->connections() == 0);
  }
  CHECK(best.count() < 100);
}

TEST_CASE("a request in flight is answered in full during a drain, told to close, and counted") {
  served s;
  s.open();
  caller c(s);
  c.ask("/slow");
  wait_for_stop(s.begun, "the handler to start");
  CHECK(s.e->in_flight() == 1);

  int progressed = 0;
  winsvc::http::drain_report report;
  scoped_thread draining("the drain", [&] { report = s.e->drain(waiting::limit(), [&] { ++progressed; }); });
  wait_until([&] { return !tcp_socket::connect(s.e->address(), 1s); }, "the listener to close");
  s.go.request_stop();
  const auto a = c.hear();
  draining.join();

  CHECK(a.status == 200);
  CHECK(a.body == "slow");
  CHECK(a.header("Connection") == "close");
  CHECK(c.ended());
  CHECK(report.completed == 1);
  CHECK(report.aborted == 0);
  CHECK(progressed == 1);
}

TEST_CASE(
    "requests that were sent before the drain are served: on an idle connection, and by who waits to be accepted") {
  served s;
  REQUIRE(s.e->bind("127.0.0.1", 0));
  std::vector<std::unique_ptr<caller>> waiting;
  for (int i = 0; i < 10; ++i) {
    waiting.push_back(std::make_unique<caller>(s));
    waiting.back()->ask("/");
  }

  s.e->start();
  const auto report = s.e->drain(10s);

  CHECK(report.aborted == 0);
  for (auto& c : waiting) {
    const auto a = c->hear();
    CHECK(a.body == "hello");
    CHECK(c->ended());
  }
}

TEST_CASE("a handler that outlasts the deadline is counted as cut") {
  served s;
  s.open();
  caller c(s);
  c.ask("/slow");
  wait_for_stop(s.begun, "the handler to start");

  const auto began = steady::now();
  scoped_thread late("the thread that releases the handler", [&] {
    while (since(began) < 80ms) std::this_thread::sleep_for(5ms);
    s.go.request_stop();  // in its last moment
  });
  const auto report = s.e->drain(20ms);
  late.join();

  CHECK(report.aborted == 1);
  CHECK(report.stuck_threads == 0);
  CHECK(c.hear().status == 0);
}

TEST_CASE("a handler that does not return at all is counted as stuck, and the destructor waits for it") {
  auto s = std::make_unique<served>();
  s->open();
  caller c(*s);
  c.ask("/slow");
  wait_for_stop(s->begun, "the handler to start");

  const auto report = s->e->drain(1ms);
  CHECK(report.aborted == 1);
  CHECK(report.stuck_threads == 1);
  CHECK(s->finished == 0);
  s->go.request_stop();
  s->e.reset();
  CHECK(s->finished == 1);
}

TEST_CASE("an engine that is destroyed without a drain leaves nobody behind") {
  served s;
  s.open();
  caller idle(s), requested(s);
  idle.ask("/");
  CHECK(idle.hear().status == 200);

  s.e.reset();

  CHECK(idle.ended());
  served never_opened;
  served bound_only;
  CHECK(bound_only.e->bind("127.0.0.1", 0));
}

TEST_CASE("a hundred clients at once are all answered") {
  served s;
  s.open();
  std::atomic<int> good{0}, seen{0};
  s.e.reset();
  s.e = std::make_unique<engine>(s.routes, s.bounds, s.log);
  s.e->on_response([&](const winsvc::http::access_record& a) {
    if (a.status == 200 && a.method == "GET" && a.target == "/" && a.pattern == "/" && a.bytes > 5) ++seen;
  });
  s.open();

  std::vector<std::unique_ptr<caller>> clients;
  for (int i = 0; i < 100; ++i) clients.push_back(std::make_unique<caller>(s));
  for (int round = 0; round < 3; ++round) {
    for (auto& c : clients) c->ask("/");
    for (auto& c : clients) good += c->hear().body == "hello" ? 1 : 0;
  }
  CHECK(s.e->connections() == 100);
  static_cast<void>(s.e->drain(10s));

  CHECK(good == 300);
  CHECK(seen == 300);
}

TEST_CASE("a head that comes too slowly is 408, one that does not come at all just ends") {
  winsvc::wire::limits brief;
  brief.head_timeout = 60ms;
  brief.keep_alive_timeout = 60ms;
  served s(brief);
  s.open();
  caller slow(s), silent(s), after(s);
  after.ask("/");
  CHECK(after.hear().status == 200);

  slow.say("GET / HTT");
  const auto a = slow.hear();

  CHECK(a.status == 408);
  CHECK(a.header("Connection") == "close");
  CHECK(slow.ended());
  CHECK(silent.ended());
  CHECK(after.ended());
  CHECK(comes_true([&] { return s.e->in_flight() == 0; }));
}

TEST_CASE("a head that trickles in is late as a whole, however often a byte comes") {
  winsvc::wire::limits brief;
  brief.head_timeout = 80ms;
  served s(brief);
  s.open();
  caller c(s);

  const auto began = steady::now();
  c.say("GET / HTTP/1.1\r\nHost: t\r\nX: ");
  while (c.got.empty() && since(began) < 2s) {
    const char character = 'x';
    if (c.socket.send(&character, 1, 1s) != transfer::done) break;
    static_cast<void>(c.more(10ms));
  }

  CHECK(since(began) < 1s);
  CHECK(c.hear().status == 408);
}

TEST_CASE("a body that comes too slowly is 408 and ends the connection") {
  winsvc::wire::limits brief;
  brief.body_timeout = 60ms;
  served s(brief);
  s.open();
  caller c(s);

  c.say("POST /echo HTTP/1.1\r\nHost: t\r\nContent-Length: 10\r\n\r\nhalf");
  const auto a = c.hear();

  CHECK(a.status == 408);
  CHECK(a.header("Connection") == "close");
  CHECK(c.ended());
}

TEST_CASE("a client that leaves in the middle of a body or an answer costs nobody else anything") {
  served s;
  s.open();
  for (int i = 0; i < 5; ++i) {
    caller leaves(s);
    leaves.say("POST /echo HTTP/1.1\r\nHost: t\r\nContent-Length: 100000\r\n\r\nhalf");
  }
  {
    caller leaves(s);
    leaves.ask("/slow");
    wait_for_stop(s.begun, "the handler to start");
  }
  s.go.request_stop();

  caller stays(s);
  stays.ask("/");
  CHECK(stays.hear().body == "hello");
  const auto report = s.e->drain(5s);
  CHECK(report.aborted == 0);
  CHECK(report.stuck_threads == 0);
}

TEST_CASE("after a refusal the client gets the whole answer, though it is still sending") {
  winsvc::wire::limits small;
  small.body_bytes = 10;
  served s(small);
  s.open();
  caller c(s);

  c.say("POST /echo HTTP/1.1\r\nHost: t\r\nContent-Length: 200000\r\n\r\n" + std::string(200'000, 'x'));

  const auto a = c.hear();
  CHECK(a.status == 413);
  CHECK(a.header("Connection") == "close");
  CHECK(c.ended());
}
