// Pollers: the poller of this platform and poll_poller, over loopback.
#include "winsvc/os/native.hpp"

#include "../support/wait.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <string>
#include <thread>
#include <utility>
#include <vector>

using namespace std::chrono_literals;
using winsvc::detail::os::poll_for;
using winsvc::detail::os::tcp_socket;
using winsvc::detail::os::transfer;

namespace {

/// Two ends of a connection.
struct connection {
  tcp_socket server, client;
  connection() {
    auto listener = tcp_socket::listen("127.0.0.1", 0);
    REQUIRE(listener);
    auto connected = tcp_socket::connect(listener->local(), 5s);
    REQUIRE(connected);
    client = std::move(*connected);
    for (int i = 0; i < 1000 && !server.is_open(); ++i) {
      auto result = listener->accept();
      if (result) server = std::move(*result);
      else std::this_thread::sleep_for(1ms);
    }
    REQUIRE(server.is_open());
  }
  void send(const char* text) { CHECK(client.send(text, std::char_traits<char>::length(text), 5s) == transfer::done); }
  /// Returns the bytes that have arrived at the server, without waiting.
  std::string receive() {
    std::string text;
    char buffer[4096];
    std::size_t received = 0;
    while (server.receive(buffer, sizeof buffer, received, 0ms) == transfer::done) text.append(buffer, received);
    return text;
  }
};

/// Waits for one event and returns its user data; null after `wake`. After the time limit a second thread calls `wake`.
template <class Poller>
void* wait_for_event(Poller& p) {
  const winsvc::stop_source returned;
  waiting::scoped_thread guard("the guard of a wait", [&] {
    if (!waiting::wait_for_stop(returned, "an event of the poller")) p.wake();
  });
  void* user_data[4] = {};
  const auto count = p.wait(user_data, 1);
  returned.request_stop();
  return count == 0 ? nullptr : user_data[0];
}

}  // namespace

TEST_CASE_TEMPLATE("a readable socket is reported each time it is armed", Poller, winsvc::detail::os::poller,
                   winsvc::detail::os::poll_poller) {
  Poller p;
  REQUIRE(p.is_open());
  connection a, b;
  typename Poller::registration at_a, at_b;
  REQUIRE(p.add(at_a, a.server.native(), &a));
  REQUIRE(p.add(at_b, b.server.native(), &b));
  p.arm(at_a, poll_for::readable);
  p.arm(at_b, poll_for::readable);

  for (int i = 0; i < 3; ++i) {
    b.send("b");
    CHECK(wait_for_event(p) == &b);
    CHECK(b.receive() == "b");
    p.arm(at_b, poll_for::readable);
    a.send("a");
    CHECK(wait_for_event(p) == &a);
    CHECK(a.receive() == "a");
    p.arm(at_a, poll_for::readable);
  }
  static_cast<void>(p.remove(at_a));
  static_cast<void>(p.remove(at_b));
}

TEST_CASE_TEMPLATE("a removed registration has no pending events after its socket is closed, and can be reused", Poller,
                   winsvc::detail::os::poller, winsvc::detail::os::poll_poller) {
  Poller p;
  typename Poller::registration registered;
  for (int i = 0; i < 3; ++i) {
    connection a;
    REQUIRE(p.add(registered, a.server.native(), &a));
    p.arm(registered, poll_for::readable);
    a.send("x");
    CHECK(wait_for_event(p) == &a);
    CHECK(a.receive() == "x");
    p.arm(registered, poll_for::readable);
    const bool has_no_pending = p.remove(registered);
    a.server.close();
    if (!has_no_pending) CHECK(wait_for_event(p) == &a);
    CHECK(p.has_no_pending(registered));
  }
}

TEST_CASE_TEMPLATE("bytes that arrived before the socket was added are reported", Poller, winsvc::detail::os::poller,
                   winsvc::detail::os::poll_poller) {
  Poller p;
  connection a;
  a.send("early");
  typename Poller::registration registered;
  REQUIRE(p.add(registered, a.server.native(), &a));
  p.arm(registered, poll_for::readable);
  CHECK(wait_for_event(p) == &a);
  static_cast<void>(p.remove(registered));
}

TEST_CASE_TEMPLATE("the end of the stream is reported", Poller, winsvc::detail::os::poller,
                   winsvc::detail::os::poll_poller) {
  Poller p;
  connection a;
  typename Poller::registration registered;
  REQUIRE(p.add(registered, a.server.native(), &a));
  p.arm(registered, poll_for::readable);
  a.client.shutdown_send();
  CHECK(wait_for_event(p) == &a);
  char buffer[8];
  std::size_t received = 0;
  CHECK(a.server.receive(buffer, sizeof buffer, received, 0ms) == transfer::closed);
  static_cast<void>(p.remove(registered));
}

TEST_CASE_TEMPLATE("a socket is reported as writable when its client reads again", Poller, winsvc::detail::os::poller,
                   winsvc::detail::os::poll_poller) {
  Poller p;
  connection a;
  typename Poller::registration registered;
  REQUIRE(p.add(registered, a.server.native(), &a));
  const std::string data(16 * 1024 * 1024, 'x');
  std::size_t sent = 0;
  REQUIRE(a.server.send_some(data.data(), data.size(), sent) == transfer::timed_out);
  std::size_t total = sent;
  p.arm(registered, poll_for::writable, std::string_view(data).substr(total));

  waiting::scoped_thread reader("the reader", [&] {
    std::string sink(1024 * 1024, '\0');
    std::size_t received = 0, total = 0;
    while (total < data.size() && a.client.receive(&sink[0], sink.size(), received, 5s) == transfer::done)
      total += received;
    CHECK(total == data.size());
  });
  while (total < data.size()) {
    REQUIRE(wait_for_event(p) == &a);
    total += p.take_sent_bytes(registered);
    if (a.server.send_some(data.data() + total, data.size() - total, sent) == transfer::timed_out)
      p.arm(registered, poll_for::writable, std::string_view(data).substr(total + sent));
    total += sent;
  }
  reader.join();
  static_cast<void>(p.remove(registered));
}

TEST_CASE_TEMPLATE("wake ends all waits, now and later", Poller, winsvc::detail::os::poller,
                   winsvc::detail::os::poll_poller) {
  Poller p;
  std::atomic<int> ended{0};
  std::vector<waiting::scoped_thread> waiters;
  for (int i = 0; i < 3; ++i) {
    waiters.emplace_back("a waiting thread", [&] {
      CHECK(wait_for_event(p) == nullptr);
      ++ended;
    });
  }
  std::this_thread::sleep_for(20ms);
  CHECK(ended == 0);
  p.wake();
  for (auto& t : waiters) t.join();
  CHECK(ended == 3);
  CHECK(wait_for_event(p) == nullptr);
}

TEST_CASE_TEMPLATE("a client that connects to a listener is reported and can be accepted", Poller,
                   winsvc::detail::os::poller, winsvc::detail::os::poll_poller) {
  Poller p;
  auto listener = tcp_socket::listen("127.0.0.1", 0);
  REQUIRE(listener);
  typename Poller::registration registration;
  REQUIRE(p.add_listener(registration, *listener, &p));
  p.arm_accept(registration);
  for (int round = 0; round < 3; ++round) {
    std::vector<tcp_socket> clients;
    for (int i = 0; i < 5; ++i) {
      auto connected = tcp_socket::connect(listener->local(), 5s);
      REQUIRE(connected);
      clients.push_back(std::move(*connected));
    }
    std::vector<tcp_socket> accepted;
    while (accepted.size() < clients.size()) {
      REQUIRE(wait_for_event(p) == &p);
      for (;;) {
        auto result = p.accept(registration);
        if (!result) {
          CHECK(winsvc::detail::os::socket_api::would_block(result.error()));
          break;
        }
        CHECK(result->peer().host == "127.0.0.1");
        accepted.push_back(std::move(*result));
      }
      p.arm_accept(registration);
    }
    const char one_more = 'x';
    CHECK(accepted[4].send(&one_more, 1, 1s) == transfer::done);
  }
  static_cast<void>(p.remove(registration));
}

#if defined(_WIN32)
TEST_CASE("if no socket for AcceptEx can be created, arm_accept fails and reports no event, and works again later") {
  winsvc::detail::os::poller p;
  auto listener = tcp_socket::listen("127.0.0.1", 0);
  REQUIRE(listener);
  winsvc::detail::os::poller::registration registration;
  REQUIRE(p.add_listener(registration, *listener, &p));
  const int family = std::exchange(registration.family, 999);  // a family of which no socket can be created

  CHECK_FALSE(p.arm_accept(registration));
  p.notify();
  CHECK(wait_for_event(p) == nullptr);  // the server tries again after a delay

  registration.family = family;
  CHECK(p.arm_accept(registration));
  auto connected = tcp_socket::connect(listener->local(), 5s);
  REQUIRE(connected);
  CHECK(wait_for_event(p) == &p);
  CHECK(p.accept(registration));
  static_cast<void>(p.remove(registration));
}
#endif

TEST_CASE_TEMPLATE("a client that was reported and not accepted is reported again", Poller, winsvc::detail::os::poller,
                   winsvc::detail::os::poll_poller) {
  Poller p;
  auto listener = tcp_socket::listen("127.0.0.1", 0);
  REQUIRE(listener);
  typename Poller::registration registration;
  REQUIRE(p.add_listener(registration, *listener, &p));
  REQUIRE(p.arm_accept(registration));
  auto client = tcp_socket::connect(listener->local(), 5s);
  REQUIRE(client);
  CHECK(wait_for_event(p) == &p);
  REQUIRE(p.arm_accept(registration));  // must not replace the socket of the client
  CHECK(wait_for_event(p) == &p);
  auto accepted = p.accept(registration);
  REQUIRE(accepted);
  CHECK(client->send("x", 1, 5s) == transfer::done);
  char byte = 0;
  std::size_t received = 0;
  CHECK(accepted->receive(&byte, 1, received, 5s) == transfer::done);
  CHECK(byte == 'x');
  static_cast<void>(p.remove(registration));
}
