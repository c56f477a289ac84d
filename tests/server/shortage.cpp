// The engine when a resource is exhausted (threads, descriptors, memory for slow clients) or when time passes while a
// request waits: other clients are served, and the client that must be rejected receives 503.
#include <winsvc/testing.hpp>

#include "../support/memory_sink.hpp"
#include "limited_starter.hpp"
#include "test_engine.hpp"

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstddef>
#include <filesystem>
#include <fstream>
#include <functional>
#include <iterator>
#include <memory>
#include <mutex>
#include <string>
#include <system_error>
#include <thread>
#include <utility>
#include <vector>

#ifdef __linux__
  #include <fcntl.h>

  #include "../support/descriptor_shortage.hpp"
#endif

using namespace engine_tests;
using winsvc::detail::route::method;
using server_limits = winsvc::server_limits;

namespace {

const auto here = winsvc::source_location::current();

/// An engine with further routes. GET /block waits for `release`; GET /ticks is an event stream.
struct busy_engine : test_engine {
  explicit busy_engine(server_limits custom_limits = {}, winsvc::clock& time = winsvc::clock::system(),
                       winsvc::detail::os::thread_starter& starter =
                           winsvc::detail::os::thread_starter::system())
      : test_engine(custom_limits) {
    engine.reset();
    log.add_sink(sink);
    routes = {};
    routes.add(method::get, "/", [] { return "hello"; }, here);
    routes.add(method::post, "/echo", [](const winsvc::request& req) { return std::to_string(req.body.size()); }, here);
    const auto block = routes.add(method::get, "/block", [this] {
      ++blocked;
      wait_for_stop(release, "the test to release the handlers");
      ++finished;
      return "released";
    }, here);
    static_cast<void>(block);
    const auto limited = routes.add(method::get, "/limited", [this] {
      ++limited_calls;
      std::this_thread::sleep_for(1ms);
      return "in time";
    }, here);
    winsvc::route_builder(routes, limited, limited + 1).timeout(150ms);
    routes.add(method::get, "/ticks", [this] {
      return winsvc::reply::events([this](winsvc::event_stream& out) {
        ++streams;
        while (out.send("tick") && out.wait_for(20ms)) {}
        --streams;
      });
    }, here);
    using winsvc::middleware;
    const auto chain = std::make_shared<winsvc::detail::api::middleware_chain>();
    for (middleware m : {winsvc::cors({"https://app.example"}), winsvc::security_headers(), winsvc::request_id(),
                         middleware([](const winsvc::request&, winsvc::response&, const winsvc::next_handler& next) {
                           next();
                         })})
      chain->push_back(std::make_shared<const middleware>(std::move(m)));
    routes.add(method::get, "/shared", [this] {
      wait_for_stop(release, "the test to release the handlers");
      return "released";
    }, here, chain);
    routes.add(method::get, "/endless", [this] {
      return winsvc::reply::stream("text/plain", [this](winsvc::stream& out) {
        ++streams;
        while (out.write(std::string(8 * 1024 * 1024, 'x'))) {}
        --streams;
      });
    }, here);
    routes.add(method::get, "/large", [] { return std::string(12 * 1024 * 1024, 'x'); }, here);
    routes.freeze();
    engine = std::make_unique<winsvc::detail::server::engine>(routes, limits, log, time, starter);
  }
  ~busy_engine() {
    release.request_stop();
    engine.reset();
  }
  std::vector<std::unique_ptr<test_client>> send(int count, const std::string& target) {
    std::vector<std::unique_ptr<test_client>> clients;
    for (int i = 0; i < count; ++i) {
      clients.push_back(std::make_unique<test_client>(*this));
      clients.back()->get(target);
    }
    return clients;
  }
  /// Occupies all threads that the engine may have, and waits until further requests are in the queue.
  std::vector<std::unique_ptr<test_client>> occupy_threads() {
    auto clients = send(20, "/block");
    CHECK(eventually([&] { return engine->in_flight() == 20; }));
    // The second thread stays in the poller if the pool noticed the shortage before it took a handler.
    CHECK(eventually([&] { return blocked >= 1; }));
    return clients;
  }
  std::shared_ptr<log_support::memory_sink> sink = std::make_shared<log_support::memory_sink>();
  std::atomic<int> blocked{0}, streams{0}, limited_calls{0};
};

server_limits few_threads() {
  server_limits values;
  values.threads = 1;  // the engine uses its minimum
  return values;
}

}  // namespace

TEST_CASE("a request whose time limit passes in the queue is 503 at its limit, and its handler is not started") {
  busy_engine s(few_threads());
  s.open();
  for (int i = 0; i < 4; ++i) {  // until the route is known as slow
    test_client c(s);
    c.get("/limited");
    CHECK(c.read_response().status == 200);
  }
  const auto occupied = s.occupy_threads();
  const int calls_before = s.limited_calls;

  const auto began = steady::now();
  test_client late(s);
  late.get("/limited");
  const auto response = late.read_response();

  CHECK(response.status == 503);
  CHECK(response.body.find("no response within 150 ms") != std::string::npos);
  CHECK(since(began) >= 150ms);
  CHECK(s.limited_calls == calls_before);
  CHECK(s.sink->contains("the handler was not started"));
}

TEST_CASE("a request whose client left while it waited for a thread is dropped") {
  busy_engine s(few_threads());
  s.open();
  auto stays = s.occupy_threads();
  {
    auto leave = s.send(30, "/block");
    CHECK(eventually([&] { return s.engine->in_flight() == 50; }));
  }
  std::this_thread::sleep_for(200ms);  // longer than the wait of a request whose client only ended its side

  s.release.request_stop();
  for (auto& c : stays) CHECK(c->read_response().status == 200);
  CHECK(eventually([&] { return s.engine->in_flight() == 0; }));
  CHECK(s.finished == 20);
}

TEST_CASE("a drain without a connected client ends when the running handlers have returned") {
  busy_engine s(few_threads());
  s.open();
  {
    auto leave = s.send(100, "/block");
    CHECK(eventually([&] { return s.engine->in_flight() == 100; }));
    CHECK(eventually([&] { return s.blocked >= 2; }));
  }
  winsvc::detail::server::drain_report report;
  scoped_thread draining("the drain", [&] { report = s.engine->drain(waiting::limit()); });
  wait_until([&] { return !tcp_socket::connect(s.engine->address(), 1s); }, "the listener to close");
  s.release.request_stop();
  draining.join();

  CHECK(report.aborted == 0);
  CHECK(report.stuck_threads == 0);
  CHECK(s.finished < 50);
}

TEST_CASE("a drain of an engine without clients ends at once") {
  busy_engine s;
  s.open();
  const auto began = steady::now();
  CHECK(s.engine->drain(1min).aborted == 0);
  CHECK(since(began) < 5s);
}

TEST_CASE("event streams are not limited by the queue for threads") {
  auto small_queue = few_threads();
  small_queue.queue = 2;
  busy_engine s(small_queue);
  s.open();
  const auto listeners = s.send(100, "/ticks");
  for (auto& c : listeners) {
    while (c->input.find("data: tick") == std::string::npos) REQUIRE(c->receive_more(waiting::limit()));
    CHECK(c->input.find("HTTP/1.1 200 ") == 0);
  }
}

TEST_CASE("event streams over their limit end at once, so that the client connects again") {
  for (const char* accept : {"", "Accept: text/event-stream\r\n", "Accept: text/html;q=0.5, Text/Event-Stream\r\n"}) {
    CAPTURE(accept);
    server_limits few;
    few.streams = 3;
    busy_engine s(few);
    s.open();
    std::vector<std::unique_ptr<test_client>> open;
    int served = 0, rejected = 0;
    for (int i = 0; i < 10; ++i) {  // one after the other: the first one makes the route known
      open.push_back(std::make_unique<test_client>(s));
      open.back()->send("GET /ticks HTTP/1.1\r\nHost: t\r\n" + std::string(accept) + "\r\n");
      while (open.back()->input.find("\r\n\r\n") == std::string::npos && open.back()->receive_more(waiting::limit())) {}
      CHECK(open.back()->input.find("HTTP/1.1 200 ") == 0);
      CHECK(open.back()->input.find("text/event-stream") != std::string::npos);
      if (open.back()->input.find("Content-Length: ") == std::string::npos) {
        ++served;
        continue;
      }
      ++rejected;
      CHECK(open.back()->is_disconnected());
      CHECK(open.back()->input.find("retry: 10000\n: too many streams are open\n\n") != std::string::npos);
    }
    CHECK(served >= 3);
    CHECK(served <= 4);  // the first stream of a route is not counted
    CHECK(rejected == 10 - served);
    CHECK(s.sink->contains("the limit 'streams' is reached"));
  }
}

TEST_CASE("other streams over their limit receive 503, and the log names the limit") {
  server_limits few;
  few.streams = 2;
  busy_engine s(few);
  s.open();
  auto open = s.send(1, "/endless");
  CHECK(eventually([&] { return s.streams == 1; }));
  for (int i = 0; i < 2; ++i) open.push_back(std::move(s.send(1, "/endless").front()));
  CHECK(eventually([&] { return s.streams == 3; }));  // the first stream of a route is not counted
  test_client late(s);
  late.get("/endless");
  const auto response = late.read_response();
  CHECK(response.status == 503);
  CHECK(response.body.find("too many streams are open") != std::string::npos);
  CHECK(s.sink->contains("the limit 'streams' is reached"));
}

TEST_CASE("a client that does not prefer events gets 503 from a route with events") {
  server_limits few;
  few.streams = 1;
  busy_engine s(few);
  s.open();
  std::vector<std::unique_ptr<test_client>> open;
  for (int i = 0; i < 2; ++i) {
    open.push_back(std::make_unique<test_client>(s));
    auto& c = *open.back();
    c.get("/ticks");
    while (c.input.find("data: tick") == std::string::npos) REQUIRE(c.receive_more(waiting::limit()));
  }
  for (const char* accept : {"application/json", "application/json, text/event-stream", "text/html, */*"}) {
    CAPTURE(accept);
    test_client c(s);
    c.send("GET /ticks HTTP/1.1\r\nHost: t\r\nAccept: " + std::string(accept) + "\r\n\r\n");
    CHECK(c.read_response().status == 503);
  }
}

TEST_CASE("while the service is paused, a client that awaits events gets an event stream that ends") {
  busy_engine s;
  s.open();
  s.engine->pause(true);
  test_client events(s), other(s);
  events.send("GET /ticks HTTP/1.1\r\nHost: t\r\nAccept: text/event-stream\r\n\r\n");
  CHECK(events.read_response().status == 200);
  other.send("GET /ticks HTTP/1.1\r\nHost: t\r\nAccept: application/json\r\n\r\n");
  CHECK(other.read_response().status == 503);
  s.engine->pause(false);
  test_client again(s);
  again.send("GET /ticks HTTP/1.1\r\nHost: t\r\nAccept: text/event-stream\r\n\r\n");
  while (again.input.find("data: tick") == std::string::npos) REQUIRE(again.receive_more(waiting::limit()));
}

TEST_CASE("a response to a full queue has the format that the client prefers, and the headers of CORS") {
  auto small_queue = few_threads();
  small_queue.queue = 1;
  busy_engine s(small_queue);
  s.open();
  const auto occupied = s.send(60, "/shared");
  int rejected = 0;
  CHECK(eventually([&] {  // until the queue is full
    test_client c(s);
    c.send("GET /shared HTTP/1.1\r\nHost: t\r\nOrigin: https://app.example\r\nAccept: text/html\r\n\r\n");
    if (!c.receive_more(1s)) return false;
    const auto response = c.read_response();
    CHECK(response.status == 503);
    CHECK(response.header("Content-Type") == "text/html; charset=utf-8");
    CHECK(response.header("Access-Control-Allow-Origin") == "https://app.example");
    const std::pair<std::string, std::string> vary("Vary", "Accept");
    CHECK(std::count(response.headers.begin(), response.headers.end(), vary) == 1);
    CHECK(response.header("X-Content-Type-Options") == "nosniff");
    CHECK(!response.header("X-Request-Id").empty());
    CHECK(response.header("Retry-After") == "10");
    CHECK(response.header("Connection") == "close");
    return ++rejected > 0;
  }));
  test_client unknown_method(s);
  unknown_method.send("BREW / HTTP/1.1\r\nHost: t\r\nAccept: text/plain\r\n\r\n");
  const auto response = unknown_method.read_response();
  CHECK(response.status == 501);
  CHECK(response.body == "501 Not Implemented: method not implemented\n");
  s.release.request_stop();
}

TEST_CASE("if the system has no thread for further streams, they wait and all other requests are served") {
  const int io_threads = static_cast<int>(winsvc::detail::os::processor_count());
  limited_starter starter(io_threads + 2 + 4);  // the reserve thread, the monitor thread, four others
  busy_engine s(few_threads(), winsvc::clock::system(), starter);
  s.open();
  const auto listeners = s.send(30, "/ticks");
  CHECK(eventually([&] { return s.sink->contains("the system cannot create another thread"); }));

  for (int i = 0; i < 20; ++i) {
    test_client c(s);
    c.get(i % 2 == 0 ? "/" : "/limited");
    CHECK(c.read_response().status == 200);
  }
  CHECK(s.streams < 30);
  starter.available = 1000;
  CHECK(eventually([&] { return s.streams == 30; }));
}

TEST_CASE("while all threads are blocked, health checks are served for each host name that the app accepts") {
  const int io_threads = static_cast<int>(winsvc::detail::os::processor_count());
  limited_starter starter(io_threads + 2);  // the reserve thread and the monitor thread
  winsvc::detail::host::service_definition definition;
  auto& router = definition.router;
  const auto chain = std::make_shared<winsvc::detail::api::middleware_chain>();
  chain->push_back(std::make_shared<const winsvc::middleware>(winsvc::allowed_hosts({"hello.example"})));
  router.set_global_middleware(chain, here);
  router.check_hosts(winsvc::detail::addons::host_names);
  test_engine s;
  std::atomic<int> blocked{0};
  for (int i = 0; i < io_threads; ++i) {  // each route is new, so that its first request is on an I/O thread
    router.add(method::get, "/block/" + std::to_string(i), [&] {
      ++blocked;
      wait_for_stop(s.release, "the test to release the handlers");
      return "released";
    }, here, chain);
  }
  winsvc::detail::host::add_health_routes(definition, [] { return winsvc::detail::host::run_phase::serving; });
  router.freeze();
  s.engine = std::make_unique<winsvc::detail::server::engine>(router, s.limits, s.log, winsvc::clock::system(),
                                                              starter);
  const winsvc::scope_exit release([&]() noexcept {
    s.release.request_stop();
    s.engine.reset();
  });
  s.open();
  const auto status_of = [](test_client& client, const std::string& target, const std::string& host) {
    client.send("GET " + target + " HTTP/1.1\r\nHost: " + host + "\r\n\r\n");
    return client.read_response().status;
  };
  std::vector<std::unique_ptr<test_client>> clients;
  for (int i = 0; i < io_threads; ++i) {
    clients.push_back(std::make_unique<test_client>(s));
    clients.back()->send("GET /block/" + std::to_string(i) + " HTTP/1.1\r\nHost: localhost\r\n\r\n");
  }
  REQUIRE(eventually([&] { return blocked == io_threads; }));

  test_client health(s);
  for (const char* target : {"/livez", "/readyz"}) {
    CHECK(status_of(health, target, "localhost") == 200);
    CHECK(status_of(health, target, "hello.example") == 200);
  }
  CHECK(blocked == io_threads);
  s.release.request_stop();
  CHECK(status_of(health, "/livez", "rebound.example") == 421);
}

TEST_CASE("slow bodies of any size and framing hold no thread") {
#ifdef __linux__
  const auto threads_before = threads_of_process();
#endif
  server_limits relaxed = few_threads();
  relaxed.body_timeout = 10min;
  busy_engine s(relaxed);
  s.open();
  std::vector<std::unique_ptr<test_client>> slow;
  for (int i = 0; i < 60; ++i) {
    slow.push_back(std::make_unique<test_client>(s));
    if (i % 2 == 0) slow.back()->send("POST /echo HTTP/1.1\r\nHost: t\r\nContent-Length: 200000\r\n\r\nhalf");
    else slow.back()->send("POST /echo HTTP/1.1\r\nHost: t\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\n");
  }
  CHECK(eventually([&] { return s.engine->in_flight() == 60; }));
  test_client quick(s);
  quick.get("/");
  CHECK(quick.read_response().body == "hello");
#ifdef __linux__
  CHECK(eventually([&] { return threads_of_process() < threads_before + slow.size(); }));
#endif
  for (std::size_t i = 0; i < slow.size(); ++i) {
    slow[i]->send(i % 2 == 0 ? std::string(199'996, 'x') : std::string("5\r\nother\r\n0\r\n\r\n"));
    CHECK(slow[i]->read_response().body == (i % 2 == 0 ? "200000" : "9"));
  }
}

TEST_CASE("if the bodies that arrive need too much memory, further ones are 503, and the log names the limit") {
  server_limits small;
  small.buffered_body_bytes = 100'000;
  busy_engine s(small);
  s.open();
  test_client first(s), second(s);
  first.send("POST /echo HTTP/1.1\r\nHost: t\r\nContent-Length: 90000\r\n\r\n" + std::string(80'000, 'x'));
  CHECK(eventually([&] { return s.engine->in_flight() == 1; }));
  std::this_thread::sleep_for(waiting::scaled(200ms));  // the step that began the request counts its body
  second.send("POST /echo HTTP/1.1\r\nHost: t\r\nContent-Length: 90000\r\n\r\n" + std::string(80'000, 'x'));
  CHECK(second.read_response().status == 503);
  CHECK(s.sink->contains("the limit 'buffered_body_bytes' is reached"));
  first.send(std::string(10'000, 'x'));
  CHECK(first.read_response().body == "90000");
  CHECK(eventually([&] { return s.engine->in_flight() == 0; }));  // the body counts until its request has ended
  test_client third(s);
  third.send("POST /echo HTTP/1.1\r\nHost: t\r\nContent-Length: 90000\r\n\r\n" + std::string(90'000, 'x'));
  CHECK(third.read_response().body == "90000");
}

TEST_CASE("if responses that clients do not read need too much memory, further large ones are 503") {
  server_limits small;
  small.unsent_bytes = 30 * 1024 * 1024;
  small.write_timeout = 10min;
  busy_engine s(small);
  s.open();
  std::vector<std::unique_ptr<test_client>> readers;
  for (int i = 0; i < 2; ++i) {
    readers.push_back(std::make_unique<test_client>(s));
    readers.back()->get("/large");
    while (readers.back()->input.empty()) REQUIRE(readers.back()->receive_more(waiting::limit()));
  }
  test_client third(s), small_response(s);
  third.get("/large");
  CHECK(third.read_response().status == 503);
  small_response.get("/");
  CHECK(small_response.read_response().body == "hello");
  CHECK(s.sink->contains("the limit 'unsent_bytes' is reached"));
  for (auto& c : readers) CHECK(c->read_response().body.size() == 12 * 1024 * 1024);
  test_client again(s);
  again.get("/large");
  CHECK(again.read_response().status == 200);
}

TEST_CASE("a client that reads below the minimum rate is disconnected, although it makes progress") {
  server_limits fast;
  fast.write_timeout = 2s;
  fast.response_bytes_per_second = 1024 * 1024 * 1024;
  busy_engine s(fast);
  s.open();
  test_client c(s);
  c.get("/large");
  CHECK(eventually([&] { return s.engine->in_flight() == 1; }));
  std::size_t received = 0;
  char part[64 * 1024];
  for (const auto began = steady::now(); s.engine->connections() > 0 && since(began) < 10s;) {
    std::size_t count = 0;
    if (c.socket.receive(part, sizeof part, count, 50ms) != transfer::done) break;
    received += count;
    std::this_thread::sleep_for(20ms);
  }
  CHECK(eventually([&] { return s.engine->connections() == 0; }));
  CHECK(received < 12 * 1024 * 1024);
}

TEST_CASE("the client of a stream that reads below the minimum rate is disconnected, although it makes progress") {
  server_limits fast;
  fast.write_timeout = 2s;
  fast.response_bytes_per_second = 1024 * 1024 * 1024;
  busy_engine s(fast);
  s.open();
  test_client c(s);
  c.get("/endless");
  CHECK(eventually([&] { return s.streams == 1; }));
  char part[64 * 1024];
  for (const auto began = steady::now(); s.engine->connections() > 0 && since(began) < 10s;) {
    std::size_t count = 0;
    if (c.socket.receive(part, sizeof part, count, 50ms) != transfer::done) break;
    std::this_thread::sleep_for(20ms);
  }
  CHECK(eventually([&] { return s.streams == 0; }));
}

TEST_CASE("if the connection limit is reached, the connection that is idle for the longest time is closed") {
  server_limits few;
  few.connections = 4;
  busy_engine s(few);
  s.open();
  std::vector<std::unique_ptr<test_client>> idle;
  for (int i = 0; i < 4; ++i) {
    idle.push_back(std::make_unique<test_client>(s));
    idle.back()->get("/");
    CHECK(idle.back()->read_response().status == 200);
    std::this_thread::sleep_for(30ms);
  }
  test_client newcomer(s);
  newcomer.get("/");
  CHECK(newcomer.read_response().status == 200);
  CHECK(idle[0]->is_disconnected());
  for (int i = 1; i < 4; ++i) {  // no other one was closed
    idle[static_cast<std::size_t>(i)]->get("/");
    CHECK(idle[static_cast<std::size_t>(i)]->read_response().status == 200);
  }
}

TEST_CASE("a body that arrives too slowly is 408, also if all threads are in handlers") {
  limited_starter starter(100);
  server_limits limits;
  limits.body_timeout = 60ms;
  busy_engine s(limits, winsvc::clock::system(), starter);
  s.open();
  starter.available = 0;
  const auto blocked = s.occupy_threads();
  test_client c(s);

  c.send("POST /echo HTTP/1.1\r\nHost: t\r\nContent-Length: 10\r\n\r\nhalf");

  CHECK(c.read_response().status == 408);
  CHECK(s.finished == 0);
}

TEST_CASE("all timeouts of connections use the clock of the engine") {
  winsvc::testing::manual_clock time;
  busy_engine s({}, time);
  s.open();
  test_client idle(s), slow_head(s), slow_body(s);
  slow_head.send("GET / HTTP/1.1\r\nHost: t\r\n\r\nGET / HTT");  // the first response shows that it has been received
  CHECK(slow_head.read_response().status == 200);
  slow_body.send("POST /echo HTTP/1.1\r\nHost: t\r\nContent-Length: 10\r\n\r\nhalf");
  idle.get("/");
  CHECK(idle.read_response().status == 200);
  CHECK(eventually([&] { return s.engine->connections() == 3 && s.engine->in_flight() == 1; }));

  for (auto* const late : {&slow_head, &slow_body}) {
    CHECK(eventually([&] {  // a server that waits for the rest a little later has a later deadline
      time.advance(5s);
      idle.get("/");  // before keep_alive_timeout
      return idle.read_response().status == 200 && late->receive_more(10ms);
    }));
    CHECK(late->read_response().status == 408);
  }
  // The two connections are closed when their linger time is over. The requests keep the third one open meanwhile.
  CHECK(eventually([&] {
    time.advance(1s);
    idle.get("/");
    return idle.read_response().status == 200 && s.engine->connections() == 1;
  }));
  CHECK(eventually([&] {  // the server may not wait for the next request yet
    time.advance(60s);    // keep_alive_timeout
    return s.engine->connections() == 0;
  }));
  CHECK(idle.is_disconnected());
}

#ifdef __linux__

TEST_CASE("a client that connects in the last instant before a drain is answered or refused, but not reset") {
  std::atomic<int> answered{0}, refused{0}, lost{0};
  for (int round = 0; round < 40; ++round) {
    test_engine s;
    s.open();
    std::atomic<bool> done{false};
    std::vector<std::unique_ptr<scoped_thread>> threads;
    for (int i = 0; i < 3; ++i) {
      threads.push_back(std::make_unique<scoped_thread>("a client", [&] {
        while (!done) {
          auto connected = tcp_socket::connect(s.engine->address(), 50ms);
          if (!connected) {
            ++refused;
            continue;
          }
          const std::string request = "GET / HTTP/1.1\r\nHost: t\r\nConnection: close\r\n\r\n";
          char buffer[1024];
          std::size_t count = 0;
          const bool ok = connected->send(request.data(), request.size(), 5s) == transfer::done &&
                          connected->receive(buffer, sizeof buffer, count, 5s) == transfer::done;
          ++(ok ? answered : lost);
        }
      }));
    }
    std::this_thread::sleep_for(3ms);
    CHECK(s.engine->drain(waiting::limit()).aborted == 0);
    done = true;
  }
  CHECK(answered > 0);
  CHECK(refused > 0);
  CHECK(lost == 0);
}

// clang's check of vtables (-fsanitize=vptr) opens a pipe to read an object's memory. Without a descriptor it reports
// every exception as an object of another type, so this test is not part of the build with that sanitizer.
#if defined(__has_feature)
  #if __has_feature(undefined_behavior_sanitizer)
    #define VTABLE_CHECK_NEEDS_DESCRIPTORS
  #endif
#endif
#ifndef VTABLE_CHECK_NEEDS_DESCRIPTORS

TEST_CASE("a file that cannot be opened for want of descriptors is 503 with a log line, not 404") {
  namespace fs = std::filesystem;
  const auto threads_before = threads_of_process();
  const fs::path folder = fs::temp_directory_path() / ("winsvc-shortage-" + std::to_string(::getpid()));
  fs::create_directories(folder);
  const winsvc::scope_exit remove([&]() noexcept {
    std::error_code ignored;
    fs::remove_all(folder, ignored);
  });
  std::ofstream(folder / "a.txt") << "content";
  std::ofstream(folder / "large.bin") << std::string(8 * 1024 * 1024, 'x');
  busy_engine s;
  s.engine.reset();
  s.routes = {};
  winsvc::detail::api::add_files(s.routes, {}, "/files", folder.string(), {},
                                 std::make_shared<const winsvc::detail::api::middleware_chain>(), here);
  s.routes.freeze();
  s.engine = std::make_unique<winsvc::detail::server::engine>(s.routes, s.limits, s.log);
  s.open();
  test_client c(s);
  c.get("/files/a.txt");
  CHECK(c.read_response().body == "content");
  CHECK(eventually([&] { return s.engine->in_flight() == 0; }));  // the file is closed
  {
    const descriptor_shortage shortage;
    c.get("/files/a.txt");
    const auto response = c.read_response();
    CHECK(response.status == 503);
    CHECK(response.header("Retry-After") == "10");
  }
  CHECK(s.sink->contains("a.txt': "));
  c.get("/files/a.txt");
  CHECK(c.read_response().body == "content");

  // Clients that read a large file slowly hold no thread, and receive all of it when they read.
  auto readers = s.send(40, "/files/large.bin");
  CHECK(eventually([&] { return s.engine->in_flight() == 40; }));
  c.get("/files/a.txt");
  CHECK(c.read_response().body == "content");
  CHECK(eventually([&] { return threads_of_process() < threads_before + readers.size(); }));
  if (waiting::with_sanitizer) readers.resize(5);  // the others leave: to read everything takes 10 s there
  for (auto& reader : readers) CHECK(reader->read_response().body == std::string(8 * 1024 * 1024, 'x'));
  c.send("GET /files/large.bin HTTP/1.1\r\nHost: t\r\nRange: bytes=10-1048585\r\n\r\n");
  const auto part = c.read_response();
  CHECK(part.status == 206);
  CHECK(part.body.size() == 1'048'576);
}

TEST_CASE("a client for which the process has no descriptor is rejected by a stop, not reset") {
  busy_engine s;
  s.open();
  tcp_socket client(::socket(AF_INET, SOCK_STREAM, 0));
  REQUIRE(client.is_open());
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  address.sin_port = htons(s.engine->address().port);
  std::string response;
  {
    const descriptor_shortage shortage;
    const int native = static_cast<int>(client.native());
    REQUIRE(::connect(native, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0);
    REQUIRE(::fcntl(native, F_SETFL, O_NONBLOCK) == 0);  // so that receive() has a limit
    CHECK(eventually([&] { return s.sink->contains("cannot accept a connection: "); }));

    CHECK(s.engine->drain(waiting::limit()).stuck_threads == 0);
    char buffer[4096];
    for (std::size_t count = 0; client.receive(buffer, sizeof buffer, count, waiting::limit()) == transfer::done;)
      response.append(buffer, count);
  }
  CHECK(response.find("HTTP/1.1 503 ") == 0);
  CHECK(response.find("the service is stopping") != std::string::npos);
}

#endif  // VTABLE_CHECK_NEEDS_DESCRIPTORS

#endif

#if defined(__GLIBC__) && !defined(WAITING_SANITIZER)  // a sanitizer has its own allocator
TEST_CASE("memory that was freed below a block in use is returned to the system") {
  namespace os = winsvc::detail::os;
  constexpr std::size_t count = 10'000, bytes = 8'000;  // below the size that glibc allocates with mmap
  std::vector<std::unique_ptr<char[]>> blocks;
  for (std::size_t i = 0; i < count; ++i) std::fill_n(blocks.emplace_back(new char[bytes]).get(), bytes, 'x');
  const auto last = std::move(blocks.back());
  blocks.clear();
  const auto before = os::query_process_usage().resident;
  os::release_free_memory();
  CHECK(os::query_process_usage().resident < before - count * bytes / 2);
}
#endif
