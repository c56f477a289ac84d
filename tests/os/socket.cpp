// TCP sockets and the waker, over loopback.
#include "winsvc/os/native.hpp"

#include "../support/wait.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstddef>
#include <string>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>
#if !defined(_WIN32)
  #include <fcntl.h>
#endif

using namespace winsvc;
using detail::os::tcp_socket;
using detail::os::transfer;
using namespace std::chrono_literals;

namespace {

tcp_socket make_listener(const std::string& host = "127.0.0.1") {
  auto listener = tcp_socket::listen(host, 0);
  REQUIRE(listener);
  return std::move(*listener);
}

struct connection {
  tcp_socket client, server;
};

/// Connects a client to a new listener.
connection make_connection(const std::string& host = "127.0.0.1") {
  const tcp_socket listener = make_listener(host);
  detail::os::waker waker;
  auto client = tcp_socket::connect(listener.local(), 5s);
  REQUIRE(client);
  REQUIRE(waker.wait_for(listener, 5s) == detail::os::waker::outcome::ready);
  auto server = listener.accept();
  REQUIRE(server);
  return {std::move(*client), std::move(*server)};
}

/// Receives up to `max_bytes`; returns earlier at the end of the stream, after an error and after `limit`.
std::pair<std::string, transfer> receive_all(tcp_socket& socket, std::size_t max_bytes,
                                             std::chrono::milliseconds limit = 5s) {
  std::string bytes;
  char buffer[4096];
  while (bytes.size() < max_bytes) {
    std::size_t received = 0;
    const auto size = (std::min)(sizeof buffer, max_bytes - bytes.size());
    const auto result = socket.receive(buffer, size, received, limit);
    if (result != transfer::done) return {bytes, result};
    bytes.append(buffer, received);
  }
  return {bytes, transfer::done};
}

}  // namespace

TEST_CASE("an endpoint is formatted as in a URL") {
  CHECK(detail::os::endpoint{"127.0.0.1", 8080}.text() == "127.0.0.1:8080");
  CHECK(detail::os::endpoint{"::1", 80}.text() == "[::1]:80");
  CHECK(detail::os::endpoint{"localhost", 0}.text() == "localhost:0");
}

TEST_CASE("two parts arrive in their order, also if the socket takes only a part of them") {
  struct { std::size_t head, body; } const cases[] = {{100, 0}, {0, 100}, {100, 20'000}, {100, 16 * 1024 * 1024}};
  for (const auto& c : cases) {
    CAPTURE(c.head);
    CAPTURE(c.body);
    auto pair = make_connection();
    const std::string head(c.head, 'h');
    std::string body(c.body, ' ');
    for (std::size_t i = 0; i < body.size(); ++i) body[i] = static_cast<char>('a' + i / 1000 % 26);

    std::string received;
    std::thread reader([&] { received = receive_all(pair.client, c.head + c.body).first; });
    for (std::size_t total = 0;;) {
      std::size_t sent = 0;
      const auto rest = std::string_view(head).substr((std::min)(total, head.size()));
      const auto result =
          pair.server.send_parts(rest, std::string_view(body).substr(total - (head.size() - rest.size())), sent);
      total += sent;
      if (result != transfer::timed_out) {
        CHECK(result == transfer::done);
        CHECK(total == c.head + c.body);
        break;
      }
      if (!pair.server.wait_writable(5s)) break;
    }
    reader.join();
    CHECK((received == head + body));
  }
}

TEST_CASE("port 0 selects a free port, and local() returns it") {
  const tcp_socket first = make_listener(), second = make_listener();
  CHECK(first.is_open());
  CHECK(first.local().host == "127.0.0.1");
  CHECK(first.local().port != 0);
  CHECK(second.local().port != first.local().port);
}

TEST_CASE("listen fails with 10048 on a port in use, and succeeds after the first listener is closed") {
  tcp_socket first = make_listener();
  const auto port = first.local().port;
  const auto second = tcp_socket::listen("127.0.0.1", port);
  REQUIRE_FALSE(second);
  CHECK(second.error() == 10048);

  first.close();

  CHECK_FALSE(first.is_open());
  CHECK(tcp_socket::listen("127.0.0.1", port));
}

TEST_CASE("listen succeeds on a port whose last connection is in TIME_WAIT") {
  std::uint16_t port = 0;
  {
    const tcp_socket listener = make_listener();
    port = listener.local().port;
    detail::os::waker waker;
    auto client = tcp_socket::connect(listener.local(), 5s);
    REQUIRE(client);
    REQUIRE(waker.wait_for(listener, 5s) == detail::os::waker::outcome::ready);
    auto server = listener.accept();
    REQUIRE(server);
    server->close();  // the side that closes first enters TIME_WAIT
  }
  CHECK(tcp_socket::listen("127.0.0.1", port));
}

TEST_CASE("listen fails with 10049 for an address of another computer and with 11001 for an unknown name") {
  const auto foreign = tcp_socket::listen("192.0.2.1", 0);  // TEST-NET-1, RFC 5737
  REQUIRE_FALSE(foreign);
  CHECK(foreign.error() == 10049);
  const auto unknown = tcp_socket::listen("no such host", 0);
  REQUIRE_FALSE(unknown);
  CHECK(unknown.error() == 11001);
}

TEST_CASE("listener ends of a connection know their addresses and can send and receive") {
  connection t = make_connection();
  CHECK(t.client.peer().port == t.server.local().port);
  CHECK(t.server.peer().port == t.client.local().port);
  CHECK(t.server.peer().host == "127.0.0.1");

  CHECK(t.client.send("ping", 4, 5s) == transfer::done);
  CHECK(receive_all(t.server, 4).first == "ping");
  CHECK(t.server.send("pong", 4, 5s) == transfer::done);
  CHECK(receive_all(t.client, 4).first == "pong");
}

TEST_CASE("connect fails at once if no program listens") {
  tcp_socket listener = make_listener();
  const auto address = listener.local();
  listener.close();
  const auto client = tcp_socket::connect(address, 5s);
  REQUIRE_FALSE(client);
  CHECK(client.error() != 0);
  CHECK(client.error() != detail::base::win32_error::timeout);
}

TEST_CASE("connect fails for an invalid port and for the broadcast address") {
  for (const detail::os::endpoint& nowhere :
       {detail::os::endpoint{"127.0.0.1", 0}, detail::os::endpoint{"255.255.255.255", 9}}) {
    CAPTURE(nowhere.text());
    const auto client = tcp_socket::connect(nowhere, 5s);
    REQUIRE_FALSE(client);
    CHECK(client.error() != 0);
  }
}

TEST_CASE("receive waits up to its limit and loses no byte") {
  connection t = make_connection();
  char byte = 0;
  std::size_t receive_all = 7;
  CHECK(t.server.receive(&byte, 1, receive_all, 0ms) == transfer::timed_out);
  CHECK(receive_all == 0);
  const auto begin = std::chrono::steady_clock::now();
  CHECK(t.server.receive(&byte, 1, receive_all, 5ms) == transfer::timed_out);
  CHECK(std::chrono::steady_clock::now() - begin >= 4ms);

  CHECK(t.client.send("xy", 2, 5s) == transfer::done);
  CHECK(t.server.receive(&byte, 1, receive_all, 5s) == transfer::done);
  CHECK(byte == 'x');
  CHECK(t.server.receive(&byte, 1, receive_all, 5s) == transfer::done);
  CHECK(byte == 'y');
  CHECK(t.server.receive(&byte, 1, receive_all, 0ms) == transfer::timed_out);
}

TEST_CASE("the end of the stream is reported after the last byte, and the other direction stays open") {
  connection t = make_connection();
  CHECK(t.client.send("last", 4, 5s) == transfer::done);
  t.client.shutdown_send();

  const auto [text, result] = receive_all(t.server, 100);
  CHECK(text == "last");
  CHECK(result == transfer::closed);
  CHECK(t.server.send("reply", 5, 5s) == transfer::done);
  CHECK(receive_all(t.client, 5).first == "reply");
}

TEST_CASE("send times out if the peer does not receive") {
  connection t = make_connection();
  const std::string much(1 << 20, 'x');
  transfer result = transfer::done;
  for (int i = 0; i < 64 && result == transfer::done; ++i) result = t.client.send(much.data(), much.size(), 5ms);
  CHECK(result == transfer::timed_out);
}

TEST_CASE("3 MB are received completely and unchanged") {
  connection t = make_connection();
  std::string much;
  for (int i = 0; i < 3'000'000; ++i) much += static_cast<char>(i * 31 % 251);
  waiting::scoped_thread sender("the sender", [&] {
    CHECK(t.client.send(much.data(), much.size(), 5s) == transfer::done);
    t.client.shutdown_send();
  });
  const auto [text, result] = receive_all(t.server, much.size() + 1);
  sender.join();
  CHECK(result == transfer::closed);
  CHECK(text == much);
}

TEST_CASE("send fails if the peer has closed; no signal ends the process") {
  connection t = make_connection();
  t.server.close();
  transfer result = transfer::done;
  for (int i = 0; i < 1000 && result == transfer::done; ++i) result = t.client.send("x", 1, 1s);
  CHECK(result == transfer::failed);
}

TEST_CASE("shutdown_both wakes a thread that waits on the socket") {
  connection t = make_connection();
  transfer result = transfer::done;
  waiting::scoped_thread receiver("the receiver", [&] {
    char byte = 0;
    std::size_t receive_all = 0;
    result = t.server.receive(&byte, 1, receive_all, 20s);
  });
  std::this_thread::sleep_for(2ms);
  const auto begin = std::chrono::steady_clock::now();

  t.server.shutdown_both();
  receiver.join();

  CHECK(std::chrono::steady_clock::now() - begin < 10s);
  CHECK((result == transfer::closed || result == transfer::failed));
}

TEST_CASE("a waker ends each wait after the first wake") {
  const tcp_socket listener = make_listener();
  detail::os::waker w;
  CHECK(w.wait_for(listener, 1ms) == detail::os::waker::outcome::timed_out);
  w.wake();
  CHECK(w.wait_for(listener, 20s) == detail::os::waker::outcome::woken);
  const auto without_limit = [&] {
    return waiting::call_within_deadline("a wait without a limit",
                                         [&] { return w.wait_for(listener, detail::os::waker::no_limit); });
  };
  CHECK(without_limit() == detail::os::waker::outcome::woken);
  w.wake();
  CHECK(without_limit() == detail::os::waker::outcome::woken);
}

TEST_CASE("a waker wakes all threads that wait") {
  const tcp_socket listener = make_listener();
  detail::os::waker w;
  std::vector<waiting::scoped_thread> waiters;
  std::atomic<int> woken{0};
  for (int i = 0; i < 4; ++i) {
    waiters.emplace_back("a waiting thread", [&] {
      if (w.wait_for(listener, detail::os::waker::no_limit) == detail::os::waker::outcome::woken) ++woken;
    });
  }
  std::this_thread::sleep_for(1ms);

  w.wake();

  for (auto& t : waiters) t.join();
  CHECK(woken.load() == 4);
}

TEST_CASE("wait_for reports a readable socket until the waker is woken") {
  connection t = make_connection();
  detail::os::waker w;
  CHECK(w.wait_for(t.server, 1ms) == detail::os::waker::outcome::timed_out);
  CHECK(t.client.send("x", 1, 5s) == transfer::done);
  CHECK(w.wait_for(t.server, 5s) == detail::os::waker::outcome::ready);
  const auto without_limit = [&] {
    return waiting::call_within_deadline("a wait without a limit",
                                         [&] { return w.wait_for(t.server, detail::os::waker::no_limit); });
  };
  CHECK(without_limit() == detail::os::waker::outcome::ready);
  w.wake();
  CHECK(without_limit() == detail::os::waker::outcome::woken);
}

TEST_CASE("a child process inherits neither a listener nor either end of a connection, so that the port becomes free") {
  const auto is_inherited = [](const tcp_socket& socket) {
    const auto handle = detail::os::socket_api::raw(socket.native());
#if defined(_WIN32)
    DWORD flags = 0;
    REQUIRE(::GetHandleInformation(reinterpret_cast<HANDLE>(handle), &flags));
    return (flags & HANDLE_FLAG_INHERIT) != 0;
#else
    return (::fcntl(handle, F_GETFD) & FD_CLOEXEC) == 0;
#endif
  };
  CHECK_FALSE(is_inherited(make_listener()));
  const auto both = make_connection();
  CHECK_FALSE(is_inherited(both.client));
  CHECK_FALSE(is_inherited(both.server));
}

TEST_CASE("accept fails at once if no client waits") {
  const tcp_socket listener = make_listener();
  const auto accepted = listener.accept();
  REQUIRE_FALSE(accepted);
  CHECK(accepted.error() != 0);
}

TEST_CASE("a tcp_socket can be moved, also to itself") {
  tcp_socket first = make_listener();
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

TEST_CASE("a listener on :: accepts IPv6 and IPv4 clients") {
  if (!tcp_socket::listen("::1", 0)) {
    MESSAGE("skipped: this computer has no IPv6");
    return;
  }
  connection t = make_connection("::1");
  CHECK(t.server.peer().host == "::1");
  CHECK(t.server.peer().text() == "[::1]:" + std::to_string(t.client.local().port));

  const tcp_socket listener = make_listener("::");
  detail::os::waker waker;
  auto client = tcp_socket::connect({"127.0.0.1", listener.local().port}, 5s);
  REQUIRE(client);
  REQUIRE(waker.wait_for(listener, 5s) == detail::os::waker::outcome::ready);
  const auto server = listener.accept();
  REQUIRE(server);
  CHECK(server->peer().host == "127.0.0.1");  // and not ::ffff:127.0.0.1
}

TEST_CASE("port_owner returns this process for its own port, or an empty text") {
  const tcp_socket listener = make_listener();
  const std::string owner = detail::os::port_owner(listener.local());
  if (!owner.empty()) CHECK(owner.find("pid " + std::to_string(detail::os::process_id())) == 0);
}

TEST_CASE("another process of this program that uses the port is named as such, and other programs are not") {
  const std::uint32_t own = detail::os::process_id();
  const auto text = [](std::uint32_t pid, const std::string& image) {
    return detail::os::owner_text(detail::os::port_listener{pid, image});
  };
  CHECK(text(own + 1, detail::os::executable_path()).find(", another process of this program; stop it first") !=
        std::string::npos);
  CHECK(text(own, detail::os::executable_path()).find("another process") == std::string::npos);
  CHECK(text(7, "") == "pid 7");
  CHECK(text(7, detail::os::path_join(detail::os::folder_of(detail::os::executable_path()), "other")) ==
        "pid 7 (other.exe)");
}

#if defined(_WIN32)
TEST_CASE("find_listener finds the listener of this process, also for IPv6, and no other") {
  for (const char* host : {"127.0.0.1", "::1"}) {
    CAPTURE(host);
    auto listener = tcp_socket::listen(host, 0);
    if (!listener) continue;  // no IPv6
    const detail::os::endpoint address = listener->local();
    const auto found = detail::os::find_listener(address);
    REQUIRE(found);
    CHECK(found->has_value());
    listener->close();
    const auto after = detail::os::find_listener(address);
    REQUIRE(after);
    CHECK_FALSE(after->has_value());
  }
}
#endif
