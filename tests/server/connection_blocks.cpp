// The blocks of memory that the connections of one thread share: a failed allocation leaves them usable.
#include <winsvc/testing.hpp>

#include "../support/failing_allocations.hpp"
#include "../support/memory_transport.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <memory>
#include <string>
#include <utility>

#ifndef WITH_OPERATOR_NEW_OF_SANITIZER

namespace {

namespace http = winsvc::detail::http;
namespace os = winsvc::detail::os;
namespace server = winsvc::detail::server;
namespace wire = winsvc::detail::wire;
using winsvc::detail::route::method;

/// A client whose bytes are in `input`. It waits when all of them have been received.
class waiting_client final : public memory_transport {
 public:
  explicit waiting_client(std::string bytes) : input(std::move(bytes)) { output.reserve(16 * 1024); }
  os::transfer receive(char* buffer, std::size_t capacity, std::size_t& received,
                       std::chrono::milliseconds) noexcept override {
    received = (std::min)(capacity, input.size() - position_);
    if (received == 0) return os::transfer::timed_out;
    input.copy(buffer, received, position_);
    position_ += received;
    return os::transfer::done;
  }
  os::transfer send_some(const char* bytes, std::size_t count, std::size_t& sent) noexcept override {
    sent = count;
    return send(bytes, count, {});
  }
  http::stream_event wait_stream_event(std::chrono::milliseconds) noexcept override {
    return http::stream_event::peer_closed;
  }
  http::close_reason shutdown(http::close_reason reason) noexcept override { return reason; }

  std::string input;

 private:
  std::size_t position_ = 0;
};

/// The server side of the connections of one thread.
struct thread_of_connections {
  thread_of_connections() {
    const auto here = winsvc::source_location::current();
    routes.add(method::get, "/", [] { return "hello"; }, here);
    routes.add(method::post, "/size", [](const winsvc::request& req) { return std::to_string(req.body.size()); }, here);
    routes.freeze();
    processor = std::make_unique<http::request_processor>(routes, limits, log, time);
  }
  [[nodiscard]] std::unique_ptr<server::connection> connect(waiting_client& client) {
    return std::make_unique<server::connection>(client, *processor, state, limits);
  }

  http::router routes;
  wire::limits limits;
  winsvc::logger log;
  winsvc::testing::manual_clock time;
  http::engine_state state{time};
  server::scratch_buffers buffers;
  std::unique_ptr<http::request_processor> processor;
};

std::string head_of_post(std::size_t body_bytes) {
  return "POST /size HTTP/1.1\r\nHost: t\r\nContent-Length: " + std::to_string(body_bytes) + "\r\n\r\n";
}

}  // namespace

TEST_CASE("after a failed allocation, the next connection of the thread is served from empty blocks") {
  constexpr long max_allocations = 200;
  for (const long failing : {1L, 30L}) {
    CAPTURE(failing);
    bool reached = true;
    for (long n = 1; reached; ++n) {
      CAPTURE(n);
      REQUIRE(n < max_allocations);
      thread_of_connections thread;
      // Connections that wait for a body hold the blocks of the thread, so that its next blocks are small.
      waiting_client first(head_of_post(100)), second(head_of_post(100)), failed(head_of_post(5));
      waiting_client next("GET / HTTP/1.1\r\nHost: t\r\n\r\n");
      const auto first_connection = thread.connect(first), second_connection = thread.connect(second);
      const auto failed_connection = thread.connect(failed), next_connection = thread.connect(next);
      for (const auto* each : {&first_connection, &second_connection, &failed_connection})
        static_cast<void>((*each)->advance(thread.buffers, {}));
      failed.input += "hello" + head_of_post(3000) + std::string(2000, 'x');
      static_cast<void>(failing_allocations::run_with_failures(
          n, failing, [&] { static_cast<void>(failed_connection->advance(thread.buffers, {})); }, reached));
      CHECK(thread.buffers.blocks.input.consumed == 0);
      CHECK(thread.buffers.blocks.input.bytes.empty());
      static_cast<void>(next_connection->advance(thread.buffers, {}));
      CHECK(next.output.find("\r\n\r\nhello") != std::string::npos);
    }
  }
}

#endif
