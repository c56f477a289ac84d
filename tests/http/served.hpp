// What the tests of the engine over loopback share: an engine with a few routes, and a client that says what it wants
// and when.
#pragma once

#include <winsvc/testing.hpp>

#include "../support/wait.hpp"

#include <doctest/doctest.h>

#include <atomic>
#include <chrono>
#include <cstddef>
#include <memory>
#include <string>
#include <string_view>
#include <thread>
#include <utility>

namespace served_tests {

using namespace std::chrono_literals;
using waiting::scoped_thread;
using waiting::wait_for_stop;
using waiting::wait_until;
using winsvc::http::engine;
using winsvc::os::tcp_socket;
using winsvc::os::transfer;
using winsvc::testing::client_response;
using winsvc::testing::parse_response;

using steady = std::chrono::steady_clock;

/// An engine with a few routes, on a free port; `begun` and `go` are the handle on a request in flight.
struct served {
  winsvc::http::router routes;
  winsvc::wire::limits bounds;
  winsvc::logger log;
  winsvc::stop_source begun, go;
  std::atomic<int> finished{0};
  std::unique_ptr<engine> e;

  explicit served(winsvc::wire::limits limits = {}) : bounds(limits) {
    const auto here = winsvc::source_location::current();
    using winsvc::route::method;
    routes.add(method::get, "/", [] { return "hello"; }, here);
    routes.add(method::post, "/echo", [](const winsvc::request& req) { return req.body; }, here);
    routes.add(method::get, "/slow", [this] {
      begun.request_stop();
      wait_for_stop(go, "the test to release the handler");
      ++finished;
      return "slow";
    }, here);
    routes.add(
        method::get, "/peer",
        [](const winsvc::request& req) { return req.remote_addr + ' ' + std::to_string(req.remote_port); }, here);
    routes.freeze();
    e = std::make_unique<engine>(routes, bounds, log);
  }
  void open() {
    REQUIRE(e->bind("127.0.0.1", 0));
    e->start();
  }
};

/// A client that says what it wants and when.
struct caller {
  tcp_socket socket;
  std::string got;

  explicit caller(const served& s) {
    auto made = tcp_socket::connect(s.e->address(), waiting::limit());
    REQUIRE(made);
    socket = std::move(*made);
  }
  void say(std::string_view bytes) {
    CHECK(socket.send(bytes.data(), bytes.size(), waiting::limit()) == transfer::done);
  }
  void ask(std::string_view target) { say("GET " + std::string(target) + " HTTP/1.1\r\nHost: t\r\n\r\n"); }
  /// One answer; every answer here has a Content-Length.
  client_response hear() {
    for (;;) {
      const auto end = got.find("\r\n\r\n");
      if (end != std::string::npos) {
        std::string head = got.substr(0, end + 4);
        const auto length = parse_response(head, true).header("Content-Length");
        if (got.size() >= end + 4 + (length.empty() ? 0u : std::stoul(length))) return parse_response(got);
      }
      if (!more(waiting::limit())) return {};
    }
  }
  bool more(std::chrono::milliseconds limit) {
    char buffer[64 * 1024];
    std::size_t count = 0;
    if (socket.receive(buffer, sizeof buffer, count, limit) != transfer::done) return false;
    got.append(buffer, count);
    return true;
  }
  /// The server has ended the connection, and said no more.
  bool ended() {
    char buffer[64];
    std::size_t count = 0;
    const auto result = socket.receive(buffer, sizeof buffer, count, waiting::limit());
    return result == transfer::closed || result == transfer::failed;
  }
};

inline std::chrono::milliseconds since(steady::time_point time) {
  return std::chrono::duration_cast<std::chrono::milliseconds>(steady::now() - time);
}

/// Waits until the predicate is true. Returns false if it is still false at the limit of a wait.
template <class F>
bool comes_true(const F& it) {
  for (const auto deadline = steady::now() + waiting::limit(); !it(); std::this_thread::sleep_for(1ms)) {
    if (steady::now() >= deadline) return it();
  }
  return true;
}

}  // namespace served_tests
