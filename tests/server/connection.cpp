// A connection, step by step, over a transport that stays open: the result of each step and its wait condition.
#include <winsvc/testing.hpp>

#include "../support/memory_transport.hpp"
#include "../support/wait.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <memory>
#include <string>
#include <utility>

// A sanitizer has its own allocator, which mallinfo2() does not count.
#if defined(__linux__) && defined(__GLIBC__) && !defined(WAITING_SANITIZER)
  #include <malloc.h>
  #if __GLIBC_PREREQ(2, 33)
    #define WITH_MALLINFO2
  #endif
#endif

using winsvc::detail::server::wait_condition;
using winsvc::detail::server::wait_reason;
using winsvc::detail::os::transfer;
using winsvc::testing::parse_response;
using namespace std::chrono_literals;

namespace {

/// Transport with input from memory; after it the client is silent. Receives that would block a thread are counted.
class silent_client final : public memory_transport {
 public:
  explicit silent_client(std::string bytes) : input(std::move(bytes)) {}

  transfer receive(char* buffer, std::size_t capacity, std::size_t& received,
                   std::chrono::milliseconds limit) noexcept override {
    received = (std::min)(capacity, input.size() - position_);
    if (received == 0) {
      if (limit.count() > 0) ++blocked;
      return has_left ? transfer::closed : transfer::timed_out;
    }
    input.copy(buffer, received, position_);
    position_ += received;
    return transfer::done;
  }
  transfer send_some(const char* bytes, std::size_t count, std::size_t& sent) noexcept override {
    sent = count;
    return send(bytes, count, {});
  }
  winsvc::detail::http::stream_event wait_stream_event(std::chrono::milliseconds) noexcept override {
    return winsvc::detail::http::stream_event::peer_closed;
  }
  winsvc::detail::http::close_reason shutdown(winsvc::detail::http::close_reason reason) noexcept override {
    return reason;
  }

  std::string input;
  int blocked = 0;  ///< receives that would have blocked a thread
  bool has_left = false;  ///< the client has closed the connection

 private:
  std::size_t position_ = 0;
};

/// A connection with two routes of an app and a built-in one.
struct connection_fixture {
  winsvc::detail::http::router routes;
  winsvc::detail::wire::limits limits;
  winsvc::logger log;
  winsvc::testing::manual_clock time;
  winsvc::detail::http::engine_state state{time};
  winsvc::detail::server::scratch_buffers buffers;
  silent_client transport;
  std::unique_ptr<winsvc::detail::http::request_processor> processor;
  std::unique_ptr<winsvc::detail::server::connection> connection;

  explicit connection_fixture(std::string input, winsvc::detail::wire::limits custom_limits = {})
      : limits(custom_limits), transport(std::move(input)) {
    using winsvc::detail::route::method;
    const auto here = winsvc::source_location::current();
    routes.add(method::get, "/", [] { return "hello"; }, here);
    routes.add(method::post, "/echo", [](const winsvc::request& req) { return req.body; }, here);
    routes.add(method::get, "/livez", [] { return "live"; }, here);
    routes.serve_while_paused();
    routes.add(method::del, "/users/{name}", [](std::string) { return winsvc::reply(204); }, here);
    routes.freeze();
    processor = std::make_unique<winsvc::detail::http::request_processor>(routes, limits, log, time);
    connection = std::make_unique<winsvc::detail::server::connection>(transport, *processor, state, limits);
  }
  wait_condition step() { return connection->advance(buffers, {}); }
  /// Runs steps until the connection waits.
  void run() {
    for (int steps = 0; steps < 10'000 && step().reason == wait_reason::yield; ++steps) {
    }
  }
  /// Number of responses so far.
  [[nodiscard]] std::size_t response_count() const { return static_cast<std::size_t>(state.requests.responses()); }
};

std::string head_of_post(std::size_t body_bytes) {
  return "POST /echo HTTP/1.1\r\nHost: t\r\nContent-Length: " + std::to_string(body_bytes) + "\r\n\r\n";
}

#ifdef WITH_MALLINFO2
std::size_t bytes_in_use() { return ::mallinfo2().uordblks + ::mallinfo2().hblkhd; }
#endif

}  // namespace

TEST_CASE("a connection yields after a part of the requests that arrived together") {
  constexpr std::size_t requests = 100;
  std::string text;
  for (std::size_t i = 0; i < requests; ++i) text += "GET / HTTP/1.1\r\nHost: t\r\n\r\n";
  connection_fixture s(text);

  CHECK(s.step().reason == wait_reason::yield);
  CHECK(s.response_count() > 0);
  CHECK(s.response_count() <= requests / 4);
  for (std::size_t steps = 1; s.response_count() < requests && steps < requests; ++steps) {
    const std::size_t before = s.response_count();
    static_cast<void>(s.step());
    CHECK(s.response_count() - before <= requests / 4);
  }
  CHECK(s.response_count() == requests);
  for (std::size_t i = 0; i < requests; ++i) CHECK(parse_response(s.transport.output).body == "hello");
}

TEST_CASE("after three slow requests, an app's handler needs a blocking thread, and a built-in one does not") {
  using winsvc::detail::server::handler_kind;
  for (const bool is_builtin : {false, true}) {
    CAPTURE(is_builtin);
    connection_fixture s(std::string("GET ") + (is_builtin ? "/livez" : "/") + " HTTP/1.1\r\nHost: localhost\r\n\r\n");
    winsvc::detail::route::match_result match;
    match.outcome = winsvc::detail::route::match_outcome::matched;
    match.route_id = is_builtin ? 2 : 0;
    for (int i = 0; i < 3; ++i) s.processor->latency_of(match).record(std::chrono::seconds(1));
    REQUIRE(s.processor->is_blocking(match));

    winsvc::detail::server::step_options options;
    options.allowed = is_builtin ? handler_kind::builtin : handler_kind::fast;
    const auto next = s.connection->advance(s.buffers, options);
    CHECK((next.reason == wait_reason::blocking_thread) == !is_builtin);
    CHECK(s.response_count() == (is_builtin ? 1u : 0u));
  }
}

TEST_CASE("a connection waits for the rest of a small body without a thread") {
  connection_fixture s("POST /echo HTTP/1.1\r\nHost: t\r\nContent-Length: 100\r\n\r\nhalf");

  CHECK(s.step().reason == wait_reason::readable);
  CHECK(s.transport.blocked == 0);
  CHECK(s.transport.output.empty());
  s.transport.input += std::string(96, 'x');
  CHECK(s.step().reason == wait_reason::readable);  // for the next request
  CHECK(s.transport.blocked == 0);
  CHECK(parse_response(s.transport.output).body == "half" + std::string(96, 'x'));
}

TEST_CASE("a body over the limit is rejected without waiting for a byte of it") {
  winsvc::detail::wire::limits small;
  small.body_bytes = 10;
  for (const char* field : {"", "Expect: 100-continue\r\n"}) {
    CAPTURE(field);
    const std::string head =
        "POST /echo HTTP/1.1\r\nHost: t\r\n" + std::string(field) + "Content-Length: 11\r\n\r\n";
    connection_fixture s(head, small);

    static_cast<void>(s.step());

    CHECK(s.transport.blocked == 0);
    CHECK(s.transport.output.find("100 Continue") == std::string::npos);
    const auto response = parse_response(s.transport.output);
    CHECK(response.status == 413);
    CHECK(response.header("Connection") == "close");
  }
}

TEST_CASE("at the deadline of a body, a silent client gets 408; one that has left does not count as late") {
  for (const bool has_left : {false, true}) {
    CAPTURE(has_left);
    connection_fixture s("POST /echo HTTP/1.1\r\nHost: t\r\nContent-Length: 100\r\n\r\nhalf");
    CHECK(s.step().reason == wait_reason::readable);

    s.transport.has_left = has_left;
    s.time.advance(s.limits.body_deadline(4));
    static_cast<void>(s.step());

    CHECK(parse_response(s.transport.output).status == (has_left ? 400 : 408));
  }
}

#ifdef WITH_MALLINFO2

TEST_CASE("an idle connection holds no part of its last request") {
  connection_fixture s("");
  s.transport.input.reserve(32 * 1024);
  s.transport.output.reserve(32 * 1024);
  const auto memory_after_request = [&s](std::size_t name_size) {
    s.transport.input.append("DELETE /users/").append(name_size, 'n').append(" HTTP/1.1\r\nHost: t\r\n\r\n");
    CHECK(s.step().reason == wait_reason::readable);
    CHECK(parse_response(s.transport.output).status == 204);
    return ::mallinfo2().uordblks;
  };
  static_cast<void>(memory_after_request(7000));  // the blocks of the thread grow
  const auto before = memory_after_request(1), after = memory_after_request(7000);
  CHECK(after < before + 1000);
}

#endif

TEST_CASE("in a drain, a client that has connected less than 500 ms ago may send its first request") {
  for (const bool sends : {true, false}) {
    CAPTURE(sends);
    connection_fixture s("");
    const auto connected = s.time.now();
    s.time.advance(100ms);
    s.state.draining = true;
    const auto wait = s.step();
    CHECK(wait.reason == wait_reason::readable);
    CHECK(wait.deadline == connected + 500ms);
    s.time.advance(300ms);
    CHECK(s.step().reason == wait_reason::readable);
    s.time.advance(100ms);
    if (sends) s.transport.input = "GET / HTTP/1.1\r\nHost: t\r\n\r\n";
    static_cast<void>(s.step());
    CHECK(s.response_count() == (sends ? 1 : 0));
    if (sends) CHECK(s.transport.output.find("\r\nConnection: close\r\n") != std::string::npos);
    else CHECK(s.transport.output.empty());
  }
}

TEST_CASE("in a drain, a client that has had a response is disconnected at once") {
  connection_fixture s("GET / HTTP/1.1\r\nHost: t\r\n\r\n");
  CHECK(s.step().reason == wait_reason::readable);
  CHECK(s.response_count() == 1);
  s.state.draining = true;
  CHECK(s.step().reason == wait_reason::closed);
}

#ifdef WITH_MALLINFO2
TEST_CASE("the head that follows a large body does not keep the memory of the body") {
  constexpr std::size_t body_bytes = 4 * 1024 * 1024;
  connection_fixture s(head_of_post(body_bytes) + std::string(body_bytes, 'x') + head_of_post(100));
  s.transport.output.reserve(2 * body_bytes);
  const auto before = bytes_in_use();
  s.run();
  CHECK(s.response_count() == 1);
  CHECK(bytes_in_use() < before + 512 * 1024);
  s.transport.input += std::string(100, 'y');
  static_cast<void>(s.step());
  CHECK(s.response_count() == 2);
}

TEST_CASE("the memory of a body that arrives in parts has at most a quarter more than the bytes") {
  constexpr std::size_t body_bytes = 7 * 1024 * 1024, part_bytes = 1024 * 1024;
  connection_fixture s(head_of_post(body_bytes));
  s.transport.input.reserve(2 * body_bytes);
  const auto before = bytes_in_use();
  for (std::size_t sent = part_bytes; sent < body_bytes; sent += part_bytes) {
    CAPTURE(sent);
    s.transport.input += std::string(part_bytes, 'x');
    s.run();
    CHECK(bytes_in_use() > before + sent - 64 * 1024);  // the blocks of the thread were freed
    CHECK(bytes_in_use() < before + sent + sent / 4 + 128 * 1024);
  }
}
#endif

TEST_CASE("after a large response, the blocks of the thread have at most 256 KiB") {
  constexpr std::size_t body_bytes = 2 * 1024 * 1024;
  connection_fixture s(head_of_post(body_bytes) + std::string(body_bytes, 'x'));
  s.run();
  CHECK(s.response_count() == 1);
  const auto& blocks = s.buffers.blocks;
  for (const auto* const block : {&blocks.input.bytes, &blocks.head_block, &blocks.output})
    CHECK(block->capacity() <= 256 * 1024);
}
