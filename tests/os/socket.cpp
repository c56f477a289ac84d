// Sockets on the loop: exclusive, bounded, woken.
#include "winsvc/os/native.hpp"

#include "../support/wait.hpp"

#include <doctest/doctest.h>

#include <atomic>
#include <thread>
#include <vector>

using namespace winsvc;
using os::tcp_socket;
using os::transfer;
using namespace std::chrono_literals;

namespace {

tcp_socket listening(const std::string& host = "127.0.0.1") {
  auto made = tcp_socket::listen(host, 0);
  REQUIRE(made);
  return std::move(*made);
}

struct two {
  tcp_socket client, server;
};

/// Two ends of one connection.
two connected(const std::string& host = "127.0.0.1") {
  const tcp_socket listener = listening(host);
  os::waker never;
  auto client = tcp_socket::connect(listener.local(), 5s);
  REQUIRE(client);
  REQUIRE(never.wait_for(listener, 5s) == os::waker::outcome::ready);
  auto server = listener.accept();
  REQUIRE(server);
  return {std::move(*client), std::move(*server)};
}

/// What comes until the other side ends or the limit is reached.
std::pair<std::string, transfer> received(tcp_socket& from, std::size_t up_to, std::chrono::milliseconds limit = 5s) {
  std::string all;
  char buffer[4096];
  while (all.size() < up_to) {
    std::size_t received = 0;
    const auto result = from.receive(buffer, (std::min)(sizeof buffer, up_to - all.size()), received, limit);
    if (result != transfer::done) return {all, result};
    all.append(buffer, received);
  }
  return {all, transfer::done};
}

}  // namespace

TEST_CASE("an endpoint is written as in a URL") {
  CHECK(os::endpoint{"127.0.0.1", 8080}.text() == "127.0.0.1:8080");
  CHECK(os::endpoint{"::1", 80}.text() == "[::1]:80");
  CHECK(os::endpoint{"localhost", 0}.text() == "localhost:0");
}

TEST_CASE("port 0 picks a free port, and the socket knows which") {
  const tcp_socket one = listening(), other = listening();
  CHECK(one.is_open());
  CHECK(one.local().host == "127.0.0.1");
  CHECK(one.local().port != 0);
  CHECK(other.local().port != one.local().port);
}

TEST_CASE("a port that is listened on is 10048 for everybody else, and free again afterwards") {
  tcp_socket first = listening();
  const auto port = first.local().port;
  const auto second = tcp_socket::listen("127.0.0.1", port);
  REQUIRE_FALSE(second);
  CHECK(second.error() == 10048);

  first.close();

  CHECK_FALSE(first.is_open());
  CHECK(tcp_socket::listen("127.0.0.1", port));
}

TEST_CASE("a port is free at once after a connection on it was closed from our side") {
  std::uint16_t port = 0;
  {
    const tcp_socket listener = listening();
    port = listener.local().port;
    os::waker never;
    auto client = tcp_socket::connect(listener.local(), 5s);
    REQUIRE(client);
    REQUIRE(never.wait_for(listener, 5s) == os::waker::outcome::ready);
    auto server = listener.accept();
    REQUIRE(server);
    server->close();  // who closes first keeps TIME_WAIT
  }
  CHECK(tcp_socket::listen("127.0.0.1", port));
}

TEST_CASE("an address that is not this machine's is 10049, a name that nobody knows is 11001") {
  const auto foreign = tcp_socket::listen("192.0.2.1", 0);  // TEST-NET-1, RFC 5737
  REQUIRE_FALSE(foreign);
  CHECK(foreign.error() == 10049);
  const auto unknown = tcp_socket::listen("no such host", 0);
  REQUIRE_FALSE(unknown);
  CHECK(unknown.error() == 11001);
}

TEST_CASE("two ends see each other's addresses, and bytes go both ways") {
  two t = connected();
  CHECK(t.client.peer().port == t.server.local().port);
  CHECK(t.server.peer().port == t.client.local().port);
  CHECK(t.server.peer().host == "127.0.0.1");

  CHECK(t.client.send("ping", 4, 5s) == transfer::done);
  CHECK(received(t.server, 4).first == "ping");
  CHECK(t.server.send("pong", 4, 5s) == transfer::done);
  CHECK(received(t.client, 4).first == "pong");
}

TEST_CASE("nobody listens: the connection fails, and fails at once") {
  tcp_socket listener = listening();
  const auto address = listener.local();
  listener.close();
  const auto client = tcp_socket::connect(address, 5s);
  REQUIRE_FALSE(client);
  CHECK(client.error() != 0);
  CHECK(client.error() != model::win32_error::timeout);
}

TEST_CASE("a connection that the system refuses without asking anybody is a failure too") {
  for (const os::endpoint& nowhere : {os::endpoint{"127.0.0.1", 0}, os::endpoint{"255.255.255.255", 9}}) {
    CAPTURE(nowhere.text());
    const auto client = tcp_socket::connect(nowhere, 5s);
    REQUIRE_FALSE(client);
    CHECK(client.error() != 0);
  }
}

TEST_CASE("a receive waits as long as it was told, and no byte is lost by that") {
  two t = connected();
  char character = 0;
  std::size_t received = 7;
  CHECK(t.server.receive(&character, 1, received, 0ms) == transfer::timed_out);
  CHECK(received == 0);
  const auto begin = std::chrono::steady_clock::now();
  CHECK(t.server.receive(&character, 1, received, 5ms) == transfer::timed_out);
  CHECK(std::chrono::steady_clock::now() - begin >= 4ms);

  CHECK(t.client.send("xy", 2, 5s) == transfer::done);
  CHECK(t.server.receive(&character, 1, received, 5s) == transfer::done);
  CHECK(character == 'x');
  CHECK(t.server.receive(&character, 1, received, 5s) == transfer::done);
  CHECK(character == 'y');
  CHECK(t.server.receive(&character, 1, received, 0ms) == transfer::timed_out);
}

TEST_CASE("the end of the stream is told after its last byte, and the other direction stays open") {
  two t = connected();
  CHECK(t.client.send("last", 4, 5s) == transfer::done);
  t.client.shutdown_send();

  const auto [text, how] = received(t.server, 100);
  CHECK(text == "last");
  CHECK(how == transfer::closed);
  CHECK(t.server.send("answer", 6, 5s) == transfer::done);
  CHECK(received(t.client, 6).first == "answer");
}

TEST_CASE("a send to a reader that does not read runs into its limit") {
  two t = connected();
  const std::string much(1 << 20, 'x');
  transfer result = transfer::done;
  for (int i = 0; i < 64 && result == transfer::done; ++i) result = t.client.send(much.data(), much.size(), 5ms);
  CHECK(result == transfer::timed_out);
}

TEST_CASE("much more than a buffer full goes through whole") {
  two t = connected();
  std::string much;
  for (int i = 0; i < 3'000'000; ++i) much += static_cast<char>(i * 31 % 251);
  waiting::scoped_thread sender("the sender", [&] {
    CHECK(t.client.send(much.data(), much.size(), 5s) == transfer::done);
    t.client.shutdown_send();
  });
  const auto [text, how] = received(t.server, much.size() + 1);
  sender.join();
  CHECK(how == transfer::closed);
  CHECK(text == much);
}

TEST_CASE("a send to a peer that is gone is a failure, not the end of the process") {
  two t = connected();
  t.server.close();
  transfer result = transfer::done;
  for (int i = 0; i < 1000 && result == transfer::done; ++i) result = t.client.send("x", 1, 1s);
  CHECK(result == transfer::failed);
}

TEST_CASE("shutting down wakes whoever waits on the socket, from any thread") {
  two t = connected();
  transfer result = transfer::done;
  waiting::scoped_thread receiver("the receiver", [&] {
    char character = 0;
    std::size_t received = 0;
    result = t.server.receive(&character, 1, received, 20s);
  });
  std::this_thread::sleep_for(2ms);
  const auto begin = std::chrono::steady_clock::now();

  t.server.shutdown_both();
  receiver.join();

  CHECK(std::chrono::steady_clock::now() - begin < 10s);
  CHECK((result == transfer::closed || result == transfer::failed));
}

TEST_CASE("a waker that was woken before still wakes, now and ever after") {
  const tcp_socket listener = listening();
  os::waker w;
  CHECK(w.wait_for(listener, 1ms) == os::waker::outcome::timed_out);
  w.wake();
  CHECK(w.wait_for(listener, 20s) == os::waker::outcome::woken);
  const auto without_limit = [&] {
    return waiting::call_within_deadline("a wait without a limit",
                                         [&] { return w.wait_for(listener, os::waker::no_limit); });
  };
  CHECK(without_limit() == os::waker::outcome::woken);
  w.wake();
  CHECK(without_limit() == os::waker::outcome::woken);
}

TEST_CASE("a waker wakes all who wait on it, whatever they wait for") {
  const tcp_socket listener = listening();
  os::waker w;
  std::vector<waiting::scoped_thread> waiters;
  std::atomic<int> woken{0};
  for (int i = 0; i < 4; ++i) {
    waiters.emplace_back("a waiting thread", [&] {
      if (w.wait_for(listener, os::waker::no_limit) == os::waker::outcome::woken) ++woken;
    });
  }
  std::this_thread::sleep_for(1ms);

  w.wake();

  for (auto& t : waiters) t.join();
  CHECK(woken.load() == 4);
}

TEST_CASE("a socket that can be read is told as such, until the waker was woken") {
  two t = connected();
  os::waker w;
  CHECK(w.wait_for(t.server, 1ms) == os::waker::outcome::timed_out);
  CHECK(t.client.send("x", 1, 5s) == transfer::done);
  CHECK(w.wait_for(t.server, 5s) == os::waker::outcome::ready);
  const auto without_limit = [&] {
    return waiting::call_within_deadline("a wait without a limit",
                                         [&] { return w.wait_for(t.server, os::waker::no_limit); });
  };
  CHECK(without_limit() == os::waker::outcome::ready);
  w.wake();
  CHECK(without_limit() == os::waker::outcome::woken);
}

TEST_CASE("an accept with nobody there returns at once with a code") {
  const tcp_socket listener = listening();
  const auto nothing = listener.accept();
  REQUIRE_FALSE(nothing);
  CHECK(nothing.error() != 0);
}

TEST_CASE("a moved socket is open once") {
  tcp_socket first = listening();
  tcp_socket second = std::move(first);
  CHECK(second.is_open());
  auto& same = second;
  second = std::move(same);
  CHECK(second.is_open());
  second.close();
  second.close();
  CHECK_FALSE(second.is_open());
  CHECK_FALSE(tcp_socket().is_open());
}

TEST_CASE("IPv6 works where the machine has it, and :: listens for both kinds") {
  if (!tcp_socket::listen("::1", 0)) {
    MESSAGE("no IPv6 here");
    return;
  }
  two t = connected("::1");
  CHECK(t.server.peer().host == "::1");
  CHECK(t.server.peer().text() == "[::1]:" + std::to_string(t.client.local().port));

  const tcp_socket both = listening("::");
  os::waker never;
  auto client = tcp_socket::connect({"127.0.0.1", both.local().port}, 5s);
  REQUIRE(client);
  REQUIRE(never.wait_for(both, 5s) == os::waker::outcome::ready);
  const auto server = both.accept();
  REQUIRE(server);
  CHECK(server->peer().host == "127.0.0.1");  // and not ::ffff:127.0.0.1
}

TEST_CASE("the owner of a port is ourselves when it is told at all") {
  const tcp_socket listener = listening();
  const std::string owner = os::port_owner(listener.local());
  if (!owner.empty()) CHECK(owner.find("pid " + std::to_string(os::process_id())) == 0);
}
