// Tests of the requests that `prove` sends, with a real socket.
#include <winsvc/testing.hpp>

#include <doctest/doctest.h>

#include <chrono>
#include <string>
#include <string_view>
#include <thread>

using namespace winsvc::detail;

namespace {

/// Accepts one client, reads its request up to `last`, sends `response`, closes, and returns what the probe reports.
diagnose::prove_response response_of(std::string_view last, std::string_view response) {
  constexpr std::chrono::milliseconds limit{10'000};
  auto listener = os::tcp_socket::listen("127.0.0.1", 0);
  REQUIRE(listener);
  std::thread server([&] {
    if (!listener->wait_readable(limit)) return;
    auto client = listener->accept();
    if (!client) return;
    std::string request;
    while (request.size() < last.size() || request.compare(request.size() - last.size(), last.size(), last) != 0) {
      char c = 0;
      std::size_t received = 0;
      if (client->receive(&c, 1, received, limit) != os::transfer::done) return;
      request += c;
    }
    static_cast<void>(client->send(response.data(), response.size(), limit));
  });
  auto result = diagnose::prove_probe().get(listener->local().port, "/x");
  server.join();
  return result;
}

}  // namespace

TEST_CASE("a request of prove has the status and the body of a complete response") {
  const auto response = response_of("GET /x HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n",
                                    "HTTP/1.1 503 No\r\nA: b\r\n\r\nbody\r\n\r\nof the response");
  CHECK(response.error == "");
  CHECK(response.status == 503);
  CHECK(response.body == "body\r\n\r\nof the response");
}

TEST_CASE("a request of prove without a complete response has the status 0 and an error") {
  for (const std::string_view text : {"", "HTTP/1.1 200 OK\r\nA: b\r\n", "HTTP/1.0 200 OK\r\n\r\n"}) {
    CAPTURE(text);
    const auto response = response_of("\r\n\r\n", text);
    CHECK(response.status == 0);
    CHECK(response.body == text);
    CHECK(response.error == "no complete response");
  }
  const auto early = response_of("GET", "");  // closed while a part of the request is not read: a reset, except in Wine
  CHECK(early.status == 0);
  CHECK((early.error == "the connection failed" || early.error == "no complete response"));
}
