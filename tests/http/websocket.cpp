// WebSockets over loopback, with a client that sends and receives bytes; rejected handshakes over memory.
#include <winsvc/testing.hpp>

#include "../support/memory_sink.hpp"
#include "../support/wait.hpp"

#include <doctest/doctest.h>

#include <atomic>
#include <chrono>
#include <functional>
#include <memory>
#include <mutex>
#include <stdexcept>
#include <string>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

using namespace std::chrono_literals;
using waiting::scoped_thread;
using waiting::wait_until;
using winsvc::service;
using winsvc::websocket;
using winsvc::detail::wire::opcode;
using winsvc::testing::client;
using steady = std::chrono::steady_clock;

namespace {

const std::string handshake =
    "Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
    "Sec-WebSocket-Version: 13\r\n";

/// An engine with the routes of an app, on a free port.
struct test_server {
  winsvc::detail::host::service_definition definition;
  std::shared_ptr<log_support::memory_sink> log = std::make_shared<log_support::memory_sink>();
  std::unique_ptr<winsvc::detail::server::engine> engine;

  explicit test_server(const std::function<void(service&)>& app) {
    service svc(definition);
    app(svc);
    definition.router.freeze();
    definition.log.add_sink(log);
    engine = std::make_unique<winsvc::detail::server::engine>(definition.router, definition.limits, definition.log);
    REQUIRE(engine->bind("127.0.0.1", 0));
    engine->start();
  }
};

/// A client that returns frames as "text hello", "close 1000 reason", "ping ", and "end" when the server has closed.
struct websocket_client {
  winsvc::detail::os::tcp_socket socket;
  std::string input;

  explicit websocket_client(const test_server& server, const std::string& fields = handshake,
                            const std::string& target = "/echo") {
    auto connected = winsvc::detail::os::tcp_socket::connect(server.engine->address(), 5s);
    REQUIRE(connected);
    socket = std::move(*connected);
    send("GET " + target + " HTTP/1.1\r\nHost: " + server.engine->address().text() + "\r\n" + fields + "\r\n");
  }

  void send(std::string_view bytes) {
    REQUIRE(socket.send(bytes.data(), bytes.size(), 5s) == winsvc::detail::os::transfer::done);
  }
  bool fill() {
    char buffer[4096];
    std::size_t received = 0;
    if (socket.receive(buffer, sizeof buffer, received, waiting::limit()) != winsvc::detail::os::transfer::done)
      return false;
    input.append(buffer, received);
    return true;
  }
  /// Receives the head of the response.
  std::string head() {
    while (input.find("\r\n\r\n") == std::string::npos) {
      if (!fill()) return input;
    }
    const auto end = input.find("\r\n\r\n") + 4;
    const std::string result = input.substr(0, end);
    input.erase(0, end);
    return result;
  }
  static std::string masked(int first, std::string_view payload) {
    std::string unmasked = winsvc::detail::wire::frame(opcode::text, payload);
    const char mask[] = {'\x01', '\x7F', '\x20', '\x55'};
    std::string frame = unmasked.substr(0, unmasked.size() - payload.size());
    frame[0] = static_cast<char>(first);
    frame[1] = static_cast<char>(frame[1] | 0x80);
    frame.append(mask, 4);
    for (std::size_t i = 0; i < payload.size(); ++i) frame += static_cast<char>(payload[i] ^ mask[i % 4]);
    return frame;
  }
  void send_text(std::string_view text) { send(masked(0x81, text)); }
  void send_close(int code = 1000) { send(masked(0x88, winsvc::detail::wire::close_payload(code, ""))); }

  std::string next_frame() {
    for (;;) {
      const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(input[i]); };
      std::size_t length = input.size() > 1 ? byte(1) : 0;
      const std::size_t header = length == 126 ? 4 : length == 127 ? 10 : 2;
      if (input.size() >= header && header > 2) {
        length = 0;
        for (std::size_t i = 2; i < header; ++i) length = length << 8 | byte(i);
      }
      if (input.size() >= header && input.size() >= header + length && input.size() > 1) {
        const int first_byte = byte(0);
        std::string payload = input.substr(header, length);
        input.erase(0, header + length);
        if (first_byte == 0x81) return "text " + payload;
        if (first_byte == 0x82) return "binary " + payload;
        if (first_byte == 0x89) return "ping " + payload;
        if (first_byte == 0x8A) return "pong " + payload;
        if (first_byte != 0x88) return "unexpected " + std::to_string(first_byte);
        if (payload.empty()) return "close";
        const int code = static_cast<unsigned char>(payload[0]) << 8 | static_cast<unsigned char>(payload[1]);
        return "close " + std::to_string(code) + ' ' + payload.substr(2);
      }
      if (!fill()) return input.empty() ? "end" : "incomplete";
    }
  }
};

void echo(service& svc) {
  svc.websocket("/echo", [](websocket& ws) {
    while (auto m = ws.receive()) ws.send(*m);
  });
}

}  // namespace

TEST_CASE("the handshake of RFC 6455 section 1.3 has the response of the RFC, and messages are echoed") {
  test_server s(echo);
  websocket_client t(s);

  const std::string head = t.head();
  CHECK(head.find("HTTP/1.1 101 ") == 0);
  CHECK(head.find("Upgrade: websocket\r\n") != head.npos);
  CHECK(head.find("Connection: Upgrade\r\n") != head.npos);
  CHECK(head.find("Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n") != head.npos);
  CHECK(head.find("Content-Length") == head.npos);
  CHECK(head.find("Sec-WebSocket-Protocol") == head.npos);
  t.send_text("hello");
  CHECK(t.next_frame() == "text hello");
  t.send(websocket_client::masked(0x82, std::string(70'000, 'x')));
  CHECK(t.next_frame() == "binary " + std::string(70'000, 'x'));
  t.send_close(1000);
  CHECK(t.next_frame() == "close 1000 ");
  CHECK(t.next_frame() == "end");
}

TEST_CASE("a WebSocket can be rejected during the handshake, with the error format of other requests") {
  auto app = [](service& svc) {
    svc.use([](const winsvc::request& req, winsvc::response& res, const winsvc::next_handler& next) {
      if (req.has_header("X-Reject")) winsvc::abort(401, "a key is required");
      next();
      res.set_header("X-Seen", "yes");
    });
    echo(svc);
    svc.websocket("/rooms/{number}", [](websocket& ws, int number) { ws.send(std::to_string(number)); });
  };
  client c(app);
  const auto open = [&](const std::string& fields, const std::string& target = "/echo") {
    std::string bytes = c.raw("GET " + target + " HTTP/1.1\r\nHost: t.example\r\n" + fields + "\r\n");
    return winsvc::testing::parse_response(bytes);
  };

  const auto no_upgrade = open("");
  CHECK(no_upgrade.status == 426);
  CHECK(no_upgrade.header("Upgrade") == "websocket");
  CHECK(no_upgrade.header("Connection") == "Upgrade");
  CHECK(no_upgrade.header("Sec-WebSocket-Version") == "13");
  CHECK(no_upgrade.header("Content-Type") == "application/problem+json");
  CHECK(no_upgrade.header("X-Seen") == "yes");
  CHECK(open(handshake + "X-Reject: 1\r\n").status == 401);
  CHECK(open(handshake + "Origin: http://evil.example\r\n").status == 403);
  CHECK(open(handshake + "Origin: http://t.example\r\n").status == 101);
  CHECK(open(handshake, "/rooms/7").status == 101);
  CHECK(open(handshake, "/rooms/seven").status == 404);
  CHECK(open(handshake, "/nowhere").status == 404);
  CHECK(open(handshake).header("X-Seen") == "yes");
  CHECK(open("Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: x\r\n")
            .status == 400);
}

TEST_CASE("the test client exchanges messages without a socket") {
  auto app = [](service& svc) {
    echo(svc);
    svc.websocket("/twice", [](websocket& ws) {
      while (auto m = ws.receive()) ws.send(m->data + m->data);
      ws.send("dropped: the client has closed");
    });
    svc.websocket("/closes", [](websocket& ws) { ws.close(4001); });
    svc.get("/page", [] { return "a page"; });
  };
  client c(app);
  const std::string large(70'000, 'x');

  const auto transcript = c.websocket("/echo", {"hello", "", large});
  CHECK(transcript.status == 101);
  CHECK(transcript.messages == std::vector<std::string>{"hello", "", large});
  CHECK(transcript.close_code == 1000);
  CHECK(c.websocket("/twice", {"ab"}).messages == std::vector<std::string>{"abab"});
  CHECK(c.websocket("/closes", {}).close_code == 4001);
  CHECK(c.websocket("/echo", {}, {{"Origin", "http://evil.example"}}).status == 403);
  CHECK(c.websocket("/page", {"hello"}).status == 200);
  CHECK(c.websocket("/page", {"hello"}).messages.empty());
}

TEST_CASE("behind a trusted proxy, the origin is compared with the host that the proxy names") {
  auto app = [](service& svc) {
    svc.use(winsvc::trusted_proxies({"127.0.0.1"}));
    svc.websocket("/echo", [](websocket& ws) { while (const auto message = ws.receive()) ws.send(*message); });
  };
  client c(app);
  const std::pair<std::string, std::string> forwarded{"X-Forwarded-Host", "shop.example"};
  CHECK(c.websocket("/echo", {"a"}, {{"Origin", "https://shop.example"}, forwarded}).status == 101);
  CHECK(c.websocket("/echo", {"a"}, {{"Origin", "https://evil.example"}, forwarded}).status == 403);
  CHECK(c.websocket("/echo", {"a"}, {{"Origin", "https://shop.example"}}).status == 403);
}

TEST_CASE("a handler has path parameters, the request, its context and the subprotocol") {
  struct user { std::string name; };
  winsvc::websocket_options options;
  options.protocols = {"chat.v2", "chat.v1"};
  options.origins = {"https://app.example"};
  test_server s([&](service& svc) {
    svc.use([](const winsvc::request& req, winsvc::response&, const winsvc::next_handler& next) {
      winsvc::context(req).set(user{"anna"});
      next();
    });
    svc.group("/v1", [&](winsvc::route_group& g) {
      g.websocket("/{room}/{number}", [](websocket& ws, const std::string& room, int number) {
        const auto& user_name = winsvc::context(ws.request()).get<user>()->name;
        ws.send(room + ' ' + std::to_string(number) + ' ' + ws.protocol() + ' ' + ws.request().get_param_value("q") +
                ' ' + user_name);
        ws.close(4000, "test complete");
      }, options);
    });
  });
  websocket_client t(s, handshake + "Sec-WebSocket-Protocol: chat.v1, chat.v2\r\nOrigin: https://app.example\r\n",
           "/v1/blue%20room/7?q=x");

  CHECK(t.head().find("Sec-WebSocket-Protocol: chat.v2\r\n") != std::string::npos);
  CHECK(t.next_frame() == "text blue room 7 chat.v2 x anna");
  CHECK(t.next_frame() == "close 4000 test complete");
  t.send_close(4000);
  CHECK(t.next_frame() == "end");
}

TEST_CASE("fragments form one message, pings between them are answered, and bytes may arrive one at a time") {
  test_server s(echo);
  websocket_client t(s);
  t.head();

  t.send(websocket_client::masked(0x01, "Hel") + websocket_client::masked(0x89, "payload") +
         websocket_client::masked(0x80, "lo"));
  CHECK(t.next_frame() == "pong payload");
  CHECK(t.next_frame() == "text Hello");
  for (const char c : websocket_client::masked(0x81, "slow")) {
    t.send({&c, 1});
    std::this_thread::sleep_for(1ms);
  }
  CHECK(t.next_frame() == "text slow");
  t.send(websocket_client::masked(0x81, "a") + websocket_client::masked(0x8A, "unsolicited") +
         websocket_client::masked(0x81, "b"));
  CHECK(t.next_frame() == "text a");
  CHECK(t.next_frame() == "text b");
}

TEST_CASE("a protocol error closes the WebSocket with the code of the error") {
  std::atomic<int> close_code{0};
  test_server s([&](service& svc) {
    svc.limits().websocket_message_bytes = 1000;
    svc.websocket("/echo", [&](websocket& ws) {
      while (auto m = ws.receive()) ws.send(*m);
      close_code = ws.close_code();
      CHECK_FALSE(ws.send("too late"));
    });
  });
  const struct { const char* name; std::string bytes; std::string expected; } cases[] = {
      {"no mask", winsvc::detail::wire::frame(opcode::text, "x"), "close 1002 frame without a mask"},
      {"reserved bit", websocket_client::masked(0xC1, "x"), "close 1002 reserved bits"},
      {"unknown opcode", websocket_client::masked(0x83, "x"), "close 1002 unknown opcode"},
      {"invalid UTF-8", websocket_client::masked(0x81, "\xC0\x80"), "close 1007 text that is not UTF-8"},
      {"too large", websocket_client::masked(0x82, std::string(1001, 'x')), "close 1009 message too large"},
      {"forbidden code", websocket_client::masked(0x88, winsvc::detail::wire::close_payload(1005, "")),
       "close 1002 close code out of range"},
  };
  for (const auto& c : cases) {
    CAPTURE(c.name);
    close_code = 0;
    websocket_client t(s);
    t.head();
    t.send_text("first");
    CHECK(t.next_frame() == "text first");
    t.send(c.bytes);
    CHECK(t.next_frame() == c.expected);
    CHECK(t.next_frame() == "end");
    CHECK(close_code == 1006);
  }
}

TEST_CASE("a Close of the client is answered with its own code, and the handler can read the code") {
  std::atomic<int> close_code{0};
  test_server s([&](service& svc) {
    svc.websocket("/echo", [&](websocket& ws) {
      CHECK_FALSE(ws.receive());
      CHECK_FALSE(ws.is_open());
      close_code = ws.close_code();
    });
  });
  {
    websocket_client t(s);
    t.head();
    t.send_close(4711);
    CHECK(t.next_frame() == "close 4711 ");
    CHECK(t.next_frame() == "end");
    CHECK(close_code == 4711);
  }
  {
    websocket_client t(s);
    t.head();
    t.send(websocket_client::masked(0x88, ""));
    CHECK(t.next_frame() == "close");
    CHECK(t.next_frame() == "end");
    CHECK(close_code == 1005);
  }
  {
    websocket_client t(s);
    t.head();
    t.socket.shutdown_send();
    CHECK(t.next_frame() == "end");  // the client could still receive, but the server cannot get a Close from it
    CHECK(close_code == 1006);
  }
}

TEST_CASE("a handler that throws closes with 1011 and the request id; abort closes with its reason") {
  test_server s([](service& svc) {
    svc.websocket("/echo", [](websocket&) { throw std::runtime_error("secret detail"); });
    svc.websocket("/full", [](websocket&) { winsvc::abort(409, "the chat is full"); });
    svc.websocket("/bytes", [](websocket& ws) { ws.send("\xFF"); });
    svc.websocket("/code", [](websocket& ws) { ws.close(1006); });
  });

  websocket_client t(s);
  t.head();
  const std::string message = t.next_frame();
  CHECK(message.find("close 1011 the handler failed; the log has the reason under ") == 0);
  CHECK(s.log->contains("websocket handler of /echo failed: secret detail"));
  CHECK(message.substr(message.rfind(' ') + 1).size() > 4);
  CHECK(s.log->contains("request " + message.substr(message.rfind(' ') + 1) + ":"));
  t.send_close(1011);
  CHECK(t.next_frame() == "end");
  websocket_client full(s, handshake, "/full");
  full.head();
  CHECK(full.next_frame() == "close 1008 the chat is full");
  websocket_client bytes(s, handshake, "/bytes");
  bytes.head();
  CHECK(bytes.next_frame().find("close 1011") == 0);
  CHECK(s.log->contains("a text message is UTF-8"));
  websocket_client code(s, handshake, "/code");
  code.head();
  CHECK(code.next_frame().find("close 1011") == 0);
  CHECK(s.log->contains("close code 1006 must not be sent"));
}

TEST_CASE("a copy sends from any thread while the handler receives, and is closed when the handler has returned") {
  std::vector<websocket> copies;
  std::mutex mutex;
  std::atomic<int> started{0};
  test_server s([&](service& svc) {
    svc.websocket("/echo", [&](websocket& ws) {
      {
        const std::lock_guard lock(mutex);
        copies.push_back(ws);
      }
      ++started;
      while (ws.receive()) {}
    });
  });
  websocket_client t(s);
  t.head();
  wait_until([&] { return started == 1; }, "the handler to start");

  const std::string a(3000, 'a'), b(3000, 'b');
  scoped_thread first_sender("the first sender", [&] { for (int i = 0; i < 100; ++i) CHECK(copies[0].send(a)); });
  scoped_thread second_sender("the second sender", [&] { for (int i = 0; i < 100; ++i) CHECK(copies[0].send(b)); });
  int received = 0;
  for (int i = 0; i < 200; ++i) {
    const std::string frame = t.next_frame();
    received += frame == "text " + a || frame == "text " + b ? 1 : 0;
  }
  first_sender.join();
  second_sender.join();
  CHECK(received == 200);
  copies[0].close(4001, "done");
  CHECK(t.next_frame() == "close 4001 done");
  CHECK_FALSE(copies[0].send("after a Close"));
  t.send_close(4001);
  CHECK(t.next_frame() == "end");
  wait_until([&] { return s.engine->websockets() == 0; }, "the WebSocket to end");
  CHECK_FALSE(copies[0].is_open());
  CHECK_FALSE(copies[0].send("closed"));
  s.engine.reset();
  CHECK_FALSE(copies[0].send("closed"));
}

TEST_CASE("receive with a limit returns without a message, and the WebSocket stays open") {
  test_server s([](service& svc) {
    svc.websocket("/echo", [](websocket& ws) {
      for (int i = 0; ws.is_open(); ++i) {
        if (auto m = ws.receive(20ms)) ws.send("got " + m->data);
        else if (ws.is_open() && i < 2) ws.send("tick");
      }
    });
  });
  websocket_client t(s);
  t.head();

  CHECK(t.next_frame() == "text tick");
  CHECK(t.next_frame() == "text tick");
  t.send_text("x");
  CHECK(t.next_frame() == "text got x");
}

TEST_CASE("a silent client receives pings, and is closed if it does not send a pong") {
  std::atomic<int> close_code{0};
  test_server s([&](service& svc) {
    svc.limits().websocket_ping = 100ms;
    svc.limits().websocket_pong = 100ms;
    svc.websocket("/echo", [&](websocket& ws) {
      while (auto m = ws.receive()) ws.send(*m);
      close_code = ws.close_code();
    });
  });
  websocket_client t(s);
  t.head();

  for (int i = 0; i < 3; ++i) {
    CHECK(t.next_frame() == "ping ");
    t.send(websocket_client::masked(0x8A, ""));
  }
  const auto start = steady::now();
  CHECK(t.next_frame() == "ping ");
  CHECK(t.next_frame() == "end");
  CHECK(close_code == 1006);
  CHECK(steady::now() - start < 5s);
}

TEST_CASE("the pong timeout does not apply while the handler does not receive") {
  test_server s([](service& svc) {
    svc.limits().websocket_ping = 50ms;
    svc.limits().websocket_pong = 200ms;
    svc.websocket("/echo", [](websocket& ws) {
      std::this_thread::sleep_for(400ms);
      while (auto m = ws.receive()) ws.send(*m);
    });
  });
  websocket_client t(s);
  t.head();

  CHECK(t.next_frame() == "ping ");
  std::this_thread::sleep_for(30ms);
  t.send_text("still here");
  CHECK(t.next_frame() == "text still here");
}

TEST_CASE("a message that arrives in single bytes has one deadline") {
  test_server s([](service& svc) {
    svc.limits().body_timeout = 200ms;
    svc.limits().websocket_ping = 50ms;
    echo(svc);
  });
  websocket_client t(s);
  t.head();

  const std::string slow = websocket_client::masked(0x81, std::string(100, 'x'));
  std::string result;
  for (std::size_t i = 0; i < slow.size() && result.find("close") == result.npos; ++i) {
    t.send(slow.substr(i, 1));
    std::this_thread::sleep_for(20ms);
    char buffer[100];
    std::size_t count = 0;
    if (t.socket.receive(buffer, sizeof buffer, count, 0ms) == winsvc::detail::os::transfer::done)
      result.append(buffer, count);
    if (result.find("did not arrive in time") != result.npos) break;
  }
  CHECK(result.find("the message did not arrive in time") != result.npos);
}

TEST_CASE("a message of endless empty fragments is ended at its deadline") {
  test_server s([](service& svc) {
    svc.limits().body_timeout = 200ms;
    echo(svc);
  });
  websocket_client t(s);
  t.head();

  t.send(websocket_client::masked(0x01, ""));
  std::atomic<bool> stopped{false};
  scoped_thread flood("the sender of fragments", [&] {
    const std::string empty = websocket_client::masked(0x00, "");
    while (!stopped && t.socket.send(empty.data(), empty.size(), 5s) == winsvc::detail::os::transfer::done)
      std::this_thread::sleep_for(100us);
  });
  const auto start = steady::now();
  CHECK(t.next_frame() == "close 1008 the message did not arrive in time");
  CHECK(steady::now() - start < 5s);
  stopped = true;
  flood.join();
}

TEST_CASE("the message deadline does not include time in which the handler does not receive") {
  test_server s([](service& svc) {
    svc.limits().body_timeout = 100ms;
    svc.websocket("/echo", [](websocket& ws) {
      while (ws.is_open()) {
        if (auto m = ws.receive(10ms)) ws.send(std::to_string(m->data.size()));
        else std::this_thread::sleep_for(150ms);
      }
    });
  });
  websocket_client t(s);
  t.head();
  const std::string large = websocket_client::masked(0x81, std::string(500'000, 'x'));

  t.send(large.substr(0, 10));
  std::this_thread::sleep_for(50ms);
  t.send(large.substr(10));
  CHECK(t.next_frame() == "text 500000");
}

TEST_CASE("a WebSocket over the limit receives 503 with Retry-After") {
  test_server s([](service& svc) {
    svc.limits().websockets = 2;
    echo(svc);
    svc.get("/", [] { return "still here"; });
  });
  websocket_client first(s);
  auto second = std::make_unique<websocket_client>(s);
  first.head();
  second->head();

  websocket_client third(s);
  const std::string head = third.head();
  CHECK(head.find("HTTP/1.1 503") == 0);
  CHECK(head.find("Retry-After: ") != head.npos);
  CHECK(s.engine->websockets() == 2);
  wait_until([&] { return s.engine->in_flight() == 0; }, "the request that opened the WebSocket to end");
  websocket_client page(s, "", "/");
  CHECK(page.head().find("HTTP/1.1 200") == 0);
  second->send_close();
  CHECK(second->next_frame() == "close 1000 ");
  CHECK(second->next_frame() == "end");
  second.reset();
  wait_until([&] { return s.engine->websockets() == 1; }, "the second WebSocket to end");
  websocket_client fourth(s);
  CHECK(fourth.head().find("HTTP/1.1 101") == 0);
}

TEST_CASE("a drain sends 1001 at once, waits for the client's Close, and aborts clients that send none") {
  std::atomic<int> started{0};
  test_server s([&](service& svc) {
    svc.limits().websocket_close = 10min;  // the drain ends first
    svc.websocket("/echo", [&](websocket& ws) {
      ++started;
      while (auto m = ws.receive()) ws.send(*m);
      CHECK_FALSE(ws.send("one more"));
    });
    svc.websocket("/deaf", [&](websocket& ws) {
      ++started;
      wait_until([&] { return !ws.is_open(); }, "the WebSocket to close");
    });
  });
  websocket_client polite(s), rude(s), deaf(s, handshake, "/deaf");
  for (auto* t : {&polite, &rude, &deaf}) REQUIRE(t->head().find("HTTP/1.1 101") == 0);
  wait_until([&] { return started == 3; }, "the three handlers to start");

  winsvc::detail::server::drain_report report;
  const auto start = steady::now();
  const auto deadline = waiting::scaled(3s);
  scoped_thread draining("the drain", [&] { report = s.engine->drain(deadline); });
  CHECK(polite.next_frame() == "close 1001 the service stops");
  polite.send_close(1001);
  CHECK(polite.next_frame() == "end");
  CHECK(deaf.next_frame() == "close 1001 the service stops");
  deaf.send_close(1001);
  CHECK(deaf.next_frame() == "end");
  CHECK(rude.next_frame() == "close 1001 the service stops");
  CHECK(steady::now() - start < deadline);
  CHECK(rude.next_frame() == "end");  // at the deadline
  draining.join();
  CHECK(report.aborted == 1);
  CHECK(report.stuck_threads == 0);
  CHECK(s.engine->websockets() == 0);
}

TEST_CASE("a client that does not read is aborted after the write timeout, and the sender continues") {
  std::atomic<bool> sends_succeed{true};
  std::atomic<bool> done{false};
  test_server s([&](service& svc) {
    svc.limits().write_timeout = 200ms;
    svc.websocket("/echo", [&](websocket& ws) {
      const std::string large(1024 * 1024, 'x');
      for (int i = 0; i < 200 && sends_succeed; ++i) sends_succeed = ws.send_binary(large);
      CHECK_FALSE(ws.is_open());
      done = true;
    });
  });
  websocket_client t(s);

  wait_until([&] { return done.load(); }, "the sender to give up");
  CHECK_FALSE(sends_succeed);
}

TEST_CASE("messages are received while another thread's send waits for a client that does not read") {
  std::atomic<int> received{0};
  std::atomic<bool> send_failed{false};
  test_server s([&](service& svc) {
    svc.limits().write_timeout = waiting::limit();
    svc.websocket("/echo", [&](websocket& ws) {
      scoped_thread other("the thread that sends", [ws, &send_failed] {
        while (ws.send_binary(std::string(1024 * 1024, 'x'))) {}
        send_failed = true;
      });
      while (ws.receive()) ++received;
      other.join();
    });
  });
  websocket_client t(s);
  t.head();

  std::this_thread::sleep_for(200ms);  // until the socket buffers are full
  for (int i = 0; i < 100; ++i) t.send_text("hello");
  wait_until([&] { return received >= 100 || send_failed; }, "100 messages");
  CHECK(received == 100);
  CHECK_FALSE(send_failed);
}

TEST_CASE("JSON is sent as a text message") {
  test_server s([](service& svc) {
    svc.websocket("/echo", [](websocket& ws) { ws.send(winsvc::json{{"n", 1}}); });
  });
  websocket_client t(s);
  t.head();

  CHECK(t.next_frame() == "text {\"n\":1}");
  CHECK(t.next_frame() == "close 1000 ");
}

TEST_CASE("a WebSocket is a route: conflicts and parameter counts are checked at registration") {
  winsvc::detail::host::service_definition definition;
  service svc(definition);
  svc.websocket("/chat/{room}", [](websocket&, std::string) {});

  CHECK_THROWS_AS(svc.get("/chat/{name}", [](std::string) { return ""; }), winsvc::setup_error);
  CHECK_THROWS_AS(svc.websocket("/other/{room}", [](websocket&) {}), winsvc::setup_error);
}
