// The engine with many clients and with slow or greedy ones: limits reject the excess, and no client delays another.
#include <winsvc/testing.hpp>

#include "../support/memory_sink.hpp"
#include "test_engine.hpp"

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#ifdef __linux__
  #include "../support/descriptor_shortage.hpp"
#endif

using namespace engine_tests;
using winsvc::detail::wire::limits;

namespace {

/// Adds a log sink to the engine and returns it.
std::shared_ptr<log_support::memory_sink> add_log(test_engine& engine) {
  auto sink = std::make_shared<log_support::memory_sink>();
  engine.log.add_sink(sink);
  return sink;
}

using test_clients = std::vector<std::unique_ptr<test_client>>;
test_clients connect_clients(const test_engine& engine, int count) {
  test_clients clients;
  for (int i = 0; i < count; ++i) clients.push_back(std::make_unique<test_client>(engine));
  return clients;
}

}  // namespace

TEST_CASE("a client over the connection limit receives 503 with Retry-After, until another client closes") {
  limits small_limits;
  small_limits.connections = 2;
  test_engine s(small_limits);
  const auto log = add_log(s);
  s.open();
  auto two = connect_clients(s, 2);
  for (auto& c : two) c->get("/slow");  // an idle connection would be closed for the new client
  CHECK(eventually([&] { return s.engine->in_flight() == 2; }));

  for (int i = 0; i < 5; ++i) {
    test_client third(s);
    const auto a = third.read_response();
    CHECK(a.status == 503);
    CHECK(a.header("Retry-After") == "10");
    CHECK(a.header("Connection") == "close");
    CHECK(third.is_disconnected());
  }
  CHECK(log->count("too many connections") == 1);  // 5 clients, but at most one warning per second
  s.release.request_stop();
  for (auto& c : two) CHECK(c->read_response().status == 200);
  two.pop_back();
  CHECK(eventually([&] { return s.engine->connections() == 1; }));
  test_client again(s);
  again.get("/");
  CHECK(again.read_response().status == 200);
}

TEST_CASE("a client over the limit of connections per address receives 429") {
  limits small_limits;
  small_limits.connections_per_address = 2;
  test_engine s(small_limits);
  s.open();
  auto two = connect_clients(s, 2);
  for (auto& c : two) {
    c->get("/");
    CHECK(c->read_response().status == 200);
  }
  test_client third(s);
  CHECK(third.read_response().status == 429);
  CHECK(third.is_disconnected());
  two.clear();
  CHECK(eventually([&] { return s.engine->connections() == 0; }));
  test_client again(s);
  again.get("/");
  CHECK(again.read_response().status == 200);
}

TEST_CASE("requests over the limits of threads and queue receive 503, the others are served") {
  limits small_limits;
  small_limits.threads = 1;  // the engine uses its minimum
  small_limits.queue = 2;
  test_engine s(small_limits);
  const auto log = add_log(s);
  s.open();
  auto clients = connect_clients(s, 80);
  for (auto& c : clients) c->get("/slow");
  CHECK(eventually([&] { return log->count("request queue full") > 0; }));
  s.release.request_stop();
  int served_count = 0, rejected_count = 0;
  for (auto& c : clients) {
    const auto a = c->read_response();
    served_count += a.status == 200 ? 1 : 0;
    rejected_count += a.status == 503 && a.header("Retry-After") == "10" ? 1 : 0;
  }
  CHECK(served_count + rejected_count == 80);
  CHECK(served_count >= 4);
  CHECK(rejected_count >= 1);
  CHECK(eventually([&] { return s.engine->in_flight() == 0; }));
}

TEST_CASE("a client that does not read a large response holds no thread, and receives all of it when it reads") {
  limits relaxed;
  relaxed.write_timeout = 10min;  // the clients read one after the other, on a slow machine for minutes
  test_engine s(relaxed);
  const std::string large(12 * 1024 * 1024, 'x');
  s.routes = {};
  s.routes.add(winsvc::detail::route::method::get, "/large", [&] { return large; }, winsvc::source_location::current());
  s.routes.add(winsvc::detail::route::method::get, "/", [] { return "hello"; }, winsvc::source_location::current());
  s.routes.freeze();
  s.engine = std::make_unique<engine>(s.routes, s.limits, s.log);
  s.open();
  auto readers = connect_clients(s, 20);
  for (auto& c : readers) c->get("/large");
  CHECK(eventually([&] { return s.engine->in_flight() == 20; }));
  test_client quick(s);
  quick.get("/");
  CHECK(quick.read_response().body == "hello");
  CHECK(s.engine->threads() < readers.size());

  if (waiting::with_sanitizer) readers.resize(5);  // the others leave: to read everything takes 5 s there
  for (auto& c : readers) CHECK(c->read_response().body.size() == large.size());
  CHECK(eventually([&] { return s.engine->in_flight() == 0; }));
}

TEST_CASE("a connection whose client reads nothing is aborted after the write timeout") {
  limits brief;
  brief.write_timeout = 100ms;
  test_engine s(brief);
  s.routes = {};
  s.routes.add(winsvc::detail::route::method::get, "/large", [] { return std::string(12 * 1024 * 1024, 'x'); },
               winsvc::source_location::current());
  s.routes.freeze();
  s.engine = std::make_unique<engine>(s.routes, s.limits, s.log);
  s.open();
  test_client c(s);
  c.get("/large");
  CHECK(eventually([&] { return s.engine->in_flight() == 1; }));
  CHECK(eventually([&] { return s.engine->connections() == 0; }));
  CHECK(eventually([&] { return s.engine->in_flight() == 0; }));
}

TEST_CASE("slow bodies hold no thread") {
  limits relaxed;
  relaxed.body_timeout = 10min;
  test_engine s(relaxed);
  s.open();
  auto slow = connect_clients(s, 50);
  for (auto& c : slow) c->send("POST /echo HTTP/1.1\r\nHost: t\r\nContent-Length: 100\r\n\r\nhalf");
  CHECK(eventually([&] { return s.engine->in_flight() == 50; }));
  test_client quick(s);
  quick.get("/");
  CHECK(quick.read_response().body == "hello");
  CHECK(s.engine->threads() < slow.size());
#ifdef __linux__  // the engine does not count a thread that waits for a client
  CHECK(threads_of_process() < slow.size());
#endif
  for (auto& c : slow) {
    c->send(std::string(96, 'x'));
    CHECK(c->read_response().body.size() == 100);
  }
}

TEST_CASE("streams hold no thread of the pool") {
  limits small_limits;
  small_limits.threads = 1;
  test_engine s(small_limits);
  s.routes = {};
  const auto here = winsvc::source_location::current();
  s.routes.add(winsvc::detail::route::method::get, "/ticks", [] {
    return winsvc::reply::events([](winsvc::event_stream& out) {
      while (out.send("tick") && out.wait_for(20ms)) {}
    });
  }, here);
  s.routes.add(winsvc::detail::route::method::get, "/", [] { return "hello"; }, here);
  s.routes.freeze();
  s.engine = std::make_unique<engine>(s.routes, s.limits, s.log);
  s.open();
  auto listeners = connect_clients(s, 40);  // far more than threads
  for (auto& c : listeners) c->get("/ticks");
  for (auto& c : listeners) {
    while (c->input.find("data: tick") == std::string::npos) REQUIRE(c->receive_more(waiting::limit()));
  }
  test_client quick(s);
  quick.get("/");
  CHECK(quick.read_response().body == "hello");
  const auto report = s.engine->drain(waiting::limit());
  CHECK(report.aborted == 0);
  CHECK(report.stuck_threads == 0);
}

TEST_CASE("a client that ends its side after its requests receives all responses, and the connection ends at once") {
  limits relaxed;
  relaxed.keep_alive_timeout = 10min;  // an engine that does not see the end of the client would wait for this time
  test_engine s(relaxed);
  s.open();
  test_client c(s);
  c.send("GET / HTTP/1.1\r\nHost: t\r\n\r\nGET / HTTP/1.1\r\nHost: t\r\n\r\n");
  c.socket.shutdown_send();
  const auto began = steady::now();
  CHECK(c.read_response().body == "hello");
  CHECK(c.read_response().body == "hello");
  CHECK(c.is_disconnected());
  test_client later(s);  // the client ends its side while no request is in flight
  later.get("/");
  CHECK(later.read_response().body == "hello");
  later.socket.shutdown_send();
  CHECK(later.is_disconnected());
  CHECK(since(began) < relaxed.keep_alive_timeout);
}

TEST_CASE("100 requests in one send receive 100 responses in order") {
  test_engine s;
  s.open();
  test_client c(s);
  std::string text;
  for (int i = 0; i < 100; ++i) {
    const std::string body = std::to_string(i);
    text += "POST /echo HTTP/1.1\r\nHost: t\r\nContent-Length: " + std::to_string(body.size()) + "\r\n\r\n" + body;
  }
  c.send(text);
  for (int i = 0; i < 100; ++i) CHECK(c.read_response().body == std::to_string(i));
}

TEST_CASE("a client with 5000 requests in one send does not delay other clients") {
  test_engine s;
  s.open();
  test_client greedy(s);
  std::string text;
  for (int i = 0; i < 5000; ++i) text += "GET / HTTP/1.1\r\nHost: t\r\n\r\n";
  scoped_thread sender("the sender of 5000 requests", [&] { greedy.send(text); });
  scoped_thread receiver("the receiver of 5000 responses", [&] {
    for (int i = 0; i < 5000; ++i) CHECK(greedy.read_response().body == "hello");
  });
  for (int i = 0; i < 20; ++i) {
    test_client other(s);
    other.get("/");
    CHECK(other.read_response().body == "hello");  // connection.cpp counts the requests of one step
  }
  sender.join();
  receiver.join();
}

TEST_CASE("a drain reports the requests that it aborted") {
  test_engine s;
  s.open();
  test_client c(s);
  c.get("/slow");
  wait_for_stop(s.handler_started, "the handler to start");
  const auto report = s.engine->drain(20ms);
  CHECK(report.aborted == 1);
  REQUIRE(report.aborted_requests.size() == 1);
  CHECK(report.aborted_requests[0].find("GET /slow ") == 0);
  CHECK(report.aborted_requests[0].rfind(" s") == report.aborted_requests[0].size() - 2);
  s.release.request_stop();
}

TEST_CASE("a drain with 400 idle connections does not wait for them") {
  limits wide;
  test_engine s(wide);
  s.open();
  auto idle = connect_clients(s, 400);
  for (auto& c : idle) {
    c->get("/");
    CHECK(c->read_response().status == 200);
  }
  const auto began = steady::now();
  const auto report = s.engine->drain(waiting::limit());
  CHECK(since(began) < waiting::limit() / 2);  // a drain that waits for one of them lasts for its limit
  CHECK(report.aborted == 0);
  CHECK(s.engine->connections() == 0);
}

#ifdef __linux__

TEST_CASE("a process without free descriptors serves its connections, and accepts again when descriptors are free") {
  test_engine s;
  const auto log = add_log(s);
  s.open();
  test_client connected(s);
  connected.get("/");
  CHECK(connected.read_response().status == 200);

  // This client has a descriptor. Then the test uses all others, so that the engine cannot accept the client.
  tcp_socket waiting_client(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  REQUIRE(waiting_client.is_open());
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(s.engine->address().port);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  {
    const descriptor_shortage shortage;
    const auto* const target = reinterpret_cast<const sockaddr*>(&address);
    REQUIRE(::connect(static_cast<int>(waiting_client.native()), target, sizeof address) == 0);
    CHECK(eventually([&] { return log->count("cannot accept a connection") > 0; }));
    connected.get("/");
    CHECK(connected.read_response().body == "hello");
  }

  const std::string request = "GET / HTTP/1.1\r\nHost: t\r\n\r\n";
  CHECK(waiting_client.send(request.data(), request.size(), waiting::limit()) == transfer::done);
  char buffer[1024];
  std::size_t received = 0;
  CHECK(waiting_client.receive(buffer, sizeof buffer, received, waiting::limit()) == transfer::done);
  CHECK(std::string_view(buffer, received).find("hello") != std::string_view::npos);
}

#if !defined(__SANITIZE_THREAD__)
  #if defined(__has_feature)
    #if __has_feature(thread_sanitizer)  // its own thread wakes up
      #define WINSVC_NO_WAKEUP_TEST
    #endif
  #endif
#endif
#ifndef WINSVC_NO_WAKEUP_TEST
TEST_CASE("an engine with idle connections causes no wakeups") {
  test_engine s;
  s.open();
  auto idle = connect_clients(s, 20);
  for (auto& c : idle) {
    c->get("/");
    CHECK(c->read_response().status == 200);
  }
  const auto context_switches = [] {  // of all threads except this one
    std::uint64_t count = 0;
    for (const auto& task : std::filesystem::directory_iterator("/proc/self/task")) {
      if (task.path().filename() == std::to_string(::gettid())) continue;
      std::ifstream status(task.path() / "status");
      for (std::string line; std::getline(status, line);) {
        const auto position = line.find("_ctxt_switches:");
        if (position != line.npos) count += std::stoull(line.substr(position + 15));
      }
    }
    return count;
  };
  std::this_thread::sleep_for(200ms);  // until the monitor thread stops scanning
  std::uint64_t before = 0, after = 1;
  for (int attempt = 0; attempt < 3 && after != before; ++attempt) {
    before = context_switches();
    std::this_thread::sleep_for(1s);
    after = context_switches();
  }
  CHECK(after == before);
}
#endif

#endif
