// One connection, step by step, over a transport that stays open: what a step does, and what the connection waits for.
#include <winsvc/testing.hpp>

#include <doctest/doctest.h>

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <memory>
#include <string>
#include <utility>

using winsvc::http::wait_condition;
using winsvc::http::wait_reason;
using winsvc::os::transfer;
using winsvc::testing::parse_response;

namespace {

/// Input from memory. After it the client is silent: a receive with a limit would block a thread, and is counted.
class silent_client final : public winsvc::http::transport {
 public:
  explicit silent_client(std::string bytes) : input(std::move(bytes)) {}

  transfer receive(char* buffer, std::size_t capacity, std::size_t& received, std::chrono::milliseconds limit) noexcept override {
    received = (std::min)(capacity, input.size() - at_);
    if (received == 0) {
      if (limit.count() > 0) ++blocked;
      return transfer::timed_out;
    }
    input.copy(buffer, received, at_);
    at_ += received;
    return transfer::done;
  }
  transfer receive_idle(char* buffer, std::size_t capacity, std::size_t& received,
                        std::chrono::milliseconds limit) noexcept override {
    return receive(buffer, capacity, received, limit);
  }
  transfer send(const char* from, std::size_t count, std::chrono::milliseconds) noexcept override {
    output.append(from, count);
    return transfer::done;
  }
  transfer send_some(const char* from, std::size_t count, std::size_t& sent) noexcept override {
    sent = count;
    return send(from, count, {});
  }
  winsvc::http::stream_event wait_stream_event(std::chrono::milliseconds) noexcept override { return winsvc::http::stream_event::peer_closed; }
  winsvc::http::close_reason shutdown(winsvc::http::close_reason reason) noexcept override { return reason; }
  [[nodiscard]] winsvc::os::endpoint local() const override { return {"127.0.0.1", 80}; }
  [[nodiscard]] winsvc::os::endpoint peer() const override { return {"127.0.0.1", 50000}; }

  std::string input, output;
  int blocked = 0;  ///< receives that would have blocked a thread

 private:
  std::size_t at_ = 0;
};

/// A connection with two routes.
struct stepped {
  winsvc::http::router routes;
  winsvc::wire::limits bounds;
  winsvc::logger log;
  winsvc::http::engine_state shared;
  winsvc::http::scratch_buffers buffers;
  silent_client wire;
  std::unique_ptr<winsvc::http::request_processor> core;
  std::unique_ptr<winsvc::http::connection> connection;

  explicit stepped(std::string input, winsvc::wire::limits limits = {}) : bounds(limits), wire(std::move(input)) {
    using winsvc::route::method;
    routes.add(method::get, "/", [] { return "hello"; }, winsvc::source_location::current());
    routes.add(method::post, "/echo", [](const winsvc::request& req) { return req.body; }, winsvc::source_location::current());
    routes.freeze();
    core = std::make_unique<winsvc::http::request_processor>(routes, bounds, log);
    connection = std::make_unique<winsvc::http::connection>(wire, *core, shared, bounds);
  }
  wait_condition step() { return connection->advance(buffers, {}); }
  /// Number of responses so far.
  [[nodiscard]] std::size_t answered() const { return static_cast<std::size_t>(shared.response_count.load()); }
};

}  // namespace

TEST_CASE("a connection yields after some of the requests that arrived together") {
  constexpr std::size_t requests = 100;
  std::string text;
  for (std::size_t i = 0; i < requests; ++i) text += "GET / HTTP/1.1\r\nHost: t\r\n\r\n";
  stepped s(text);

  CHECK(s.step().reason == wait_reason::yield);
  CHECK(s.answered() > 0);
  CHECK(s.answered() <= requests / 4);
  for (std::size_t steps = 1; s.answered() < requests && steps < requests; ++steps) {
    const std::size_t before = s.answered();
    static_cast<void>(s.step());
    CHECK(s.answered() - before <= requests / 4);
  }
  CHECK(s.answered() == requests);
  for (std::size_t i = 0; i < requests; ++i) CHECK(parse_response(s.wire.output).body == "hello");
}

TEST_CASE("a connection waits for the rest of a small body without a thread") {
  stepped s("POST /echo HTTP/1.1\r\nHost: t\r\nContent-Length: 100\r\n\r\nhalf");

  CHECK(s.step().reason == wait_reason::readable);
  CHECK(s.wire.blocked == 0);
  CHECK(s.wire.output.empty());
  s.wire.input += std::string(96, 'x');
  CHECK(s.step().reason == wait_reason::readable);  // for the next request
  CHECK(s.wire.blocked == 0);
  CHECK(parse_response(s.wire.output).body == "half" + std::string(96, 'x'));
}

TEST_CASE("a body over the limit is refused without waiting for a byte of it") {
  winsvc::wire::limits small;
  small.body_bytes = 10;
  for (const char* field : {"", "Expect: 100-continue\r\n"}) {
    CAPTURE(field);
    stepped s("POST /echo HTTP/1.1\r\nHost: t\r\n" + std::string(field) + "Content-Length: 11\r\n\r\n", small);

    static_cast<void>(s.step());

    CHECK(s.wire.blocked == 0);
    CHECK(s.wire.output.find("100 Continue") == std::string::npos);
    const auto refused = parse_response(s.wire.output);
    CHECK(refused.status == 413);
    CHECK(refused.header("Connection") == "close");
  }
}
