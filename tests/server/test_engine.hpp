// Helpers for tests of the engine over loopback: an engine with a few routes, and a client that sends bytes.
#pragma once

#include <winsvc/testing.hpp>

#include "../support/wait.hpp"

#include <doctest/doctest.h>

#include <atomic>
#include <chrono>
#include <cstddef>
#include <filesystem>
#include <iterator>
#include <memory>
#include <string>
#include <string_view>
#include <thread>
#include <utility>

namespace engine_tests {

using namespace std::chrono_literals;
using waiting::scoped_thread;
using waiting::wait_for_stop;
using waiting::wait_until;
using winsvc::detail::server::engine;
using winsvc::detail::os::tcp_socket;
using winsvc::detail::os::transfer;
using winsvc::testing::client_response;
using winsvc::testing::parse_response;

using steady = std::chrono::steady_clock;

/// An engine with a few routes, on a free port. GET /slow sets `handler_started` and waits for `release`.
struct test_engine {
  winsvc::detail::http::router routes;
  winsvc::detail::wire::limits limits;
  winsvc::logger log;
  winsvc::stop_source handler_started, release;
  std::atomic<int> finished{0};
  std::unique_ptr<winsvc::detail::server::engine> engine;

  explicit test_engine(winsvc::detail::wire::limits custom_limits = {}) : limits(custom_limits) {
    const auto here = winsvc::source_location::current();
    using winsvc::detail::route::method;
    routes.add(method::get, "/", [] { return "hello"; }, here);
    routes.add(method::post, "/echo", [](const winsvc::request& req) { return req.body; }, here);
    routes.add(method::get, "/slow", [this] {
      handler_started.request_stop();
      wait_for_stop(release, "the test to release the handler");
      ++finished;
      return "slow";
    }, here);
    routes.add(
        method::get, "/peer",
        [](const winsvc::request& req) { return req.remote_addr + ' ' + std::to_string(req.remote_port); }, here);
    routes.freeze();
    engine = std::make_unique<winsvc::detail::server::engine>(routes, limits, log);
  }
  void open() {
    REQUIRE(engine->bind("127.0.0.1", 0));
    engine->start();
  }
};

/// A client that sends bytes and receives responses.
struct test_client {
  tcp_socket socket;
  std::string input;  // received and not parsed

  explicit test_client(const test_engine& server) : test_client(server, server.engine->address()) {}
  test_client(const test_engine&, const winsvc::detail::os::endpoint& address) {
    auto connected = tcp_socket::connect(address, waiting::limit());
    REQUIRE(connected);
    socket = std::move(*connected);
  }
  void send(std::string_view bytes) {
    CHECK(socket.send(bytes.data(), bytes.size(), waiting::limit()) == transfer::done);
  }
  void get(std::string_view target) { send("GET " + std::string(target) + " HTTP/1.1\r\nHost: t\r\n\r\n"); }
  /// Receives one response; every response of these routes has a Content-Length.
  client_response read_response() {
    for (;;) {
      const auto end = input.find("\r\n\r\n");
      if (end != std::string::npos) {
        std::string head = input.substr(0, end + 4);
        const auto length = parse_response(head, true).header("Content-Length");
        if (input.size() >= end + 4 + (length.empty() ? 0u : std::stoul(length))) return parse_response(input);
      }
      if (!receive_more(waiting::limit())) return {};
    }
  }
  bool receive_more(std::chrono::milliseconds limit) {
    char buffer[64 * 1024];
    std::size_t count = 0;
    if (socket.receive(buffer, sizeof buffer, count, limit) != transfer::done) return false;
    input.append(buffer, count);
    return true;
  }
  /// Waits until the server has closed the connection. Returns false if it sends more bytes.
  bool is_disconnected() {
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
bool eventually(const F& predicate) {
  for (const auto deadline = steady::now() + waiting::limit(); !predicate(); std::this_thread::sleep_for(1ms)) {
    if (steady::now() >= deadline) return predicate();
  }
  return true;
}

#ifdef __linux__
/// Number of threads of this process. A test compares it with the number before, because abandoned threads may remain.
inline std::size_t threads_of_process() {
  const std::filesystem::directory_iterator tasks("/proc/self/task");
  return static_cast<std::size_t>(std::distance(begin(tasks), end(tasks)));
}
#endif

}  // namespace engine_tests
