// WebSockets over loopback, with a client that speaks in bytes; what is refused before, over memory.
#include <winsvc/testing.hpp>

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
using winsvc::wire::opcode;
using winsvc::testing::client;
using steady = std::chrono::steady_clock;

namespace {

const std::string handshake =
    "Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
    "Sec-WebSocket-Version: 13\r\n";

struct log_lines : winsvc::log_sink {
  void write(const winsvc::log_entry& e) noexcept override {
    const std::lock_guard lock(mutex);
    text += e.text + '\n';
  }
  bool has(std::string_view what) {
    const std::lock_guard lock(mutex);
    return text.find(what) != std::string::npos;
  }
  std::mutex mutex;
  std::string text;
};

/// An app's routes on a free port.
struct served {
  winsvc::host::service_definition plan;
  std::shared_ptr<log_lines> lines = std::make_shared<log_lines>();
  std::unique_ptr<winsvc::http::engine> engine;

  explicit served(const std::function<void(service&)>& app) {
    service svc(plan);
    app(svc);
    plan.router.freeze();
    plan.log.add_sink(lines);
    engine = std::make_unique<winsvc::http::engine>(plan.router, plan.limits, plan.log);
    REQUIRE(engine->bind("127.0.0.1", 0));
    engine->start();
  }
};

/// Frames come as "text hello", "close 1000 bye", "ping ", and "end" when the server has closed.
struct talker {
  winsvc::os::tcp_socket socket;
  std::string input;

  explicit talker(const served& to, const std::string& fields = handshake, const std::string& target = "/echo") {
    auto made = winsvc::os::tcp_socket::connect(to.engine->address(), 5s);
    REQUIRE(made);
    socket = std::move(*made);
    put("GET " + target + " HTTP/1.1\r\nHost: " + to.engine->address().text() + "\r\n" + fields + "\r\n");
  }

  void put(std::string_view bytes) {
    REQUIRE(socket.send(bytes.data(), bytes.size(), 5s) == winsvc::os::transfer::done);
  }
  bool fill() {
    char buffer[4096];
    std::size_t received = 0;
    if (socket.receive(buffer, sizeof buffer, received, waiting::limit()) != winsvc::os::transfer::done) return false;
    input.append(buffer, received);
    return true;
  }
  /// The head of the answer.
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
    std::string plain = winsvc::wire::frame(opcode::text, payload);
    const char mask[] = {'\x01', '\x7F', '\x20', '\x55'};
    std::string out = plain.substr(0, plain.size() - payload.size());
    out[0] = static_cast<char>(first);
    out[1] = static_cast<char>(out[1] | 0x80);
    out.append(mask, 4);
    for (std::size_t i = 0; i < payload.size(); ++i) out += static_cast<char>(payload[i] ^ mask[i % 4]);
    return out;
  }
  void say(std::string_view text) { put(masked(0x81, text)); }
  void goodbye(int code = 1000) { put(masked(0x88, winsvc::wire::close_payload(code, ""))); }

  std::string next() {
    for (;;) {
      const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(input[i]); };
      std::size_t length = input.size() > 1 ? byte(1) : 0;
      const std::size_t header = length == 126 ? 4 : length == 127 ? 10 : 2;
      if (input.size() >= header && header > 2) {
        length = 0;
        for (std::size_t i = 2; i < header; ++i) length = length << 8 | byte(i);
      }
      if (input.size() >= header && input.size() >= header + length && input.size() > 1) {
        const int what = byte(0);
        std::string payload = input.substr(header, length);
        input.erase(0, header + length);
        if (what == 0x81) return "text " + payload;
        if (what == 0x82) return "binary " + payload;
        if (what == 0x89) return "ping " + payload;
        if (what == 0x8A) return "pong " + payload;
        if (what != 0x88) return "unexpected " + std::to_string(what);
        if (payload.empty()) return "close";
        const int code = static_cast<unsigned char>(payload[0]) << 8 | static_cast<unsigned char>(payload[1]);
        return "close " + std::to_string(code) + ' ' + payload.substr(2);
      }
      if (!fill()) return input.empty() ? "end" : "cut";
    }
  }
};

void echo(service& svc) {
  svc.websocket("/echo", [](websocket& ws) {
    while (auto m = ws.receive()) ws.send(*m);
  });
}

}  // namespace

TEST_CASE("the handshake of RFC 6455 §1.3 is answered as it says, and the text comes back") {
  served s(echo);
  talker t(s);

  const std::string head = t.head();
  CHECK(head.find("HTTP/1.1 101 ") == 0);
  CHECK(head.find("Upgrade: websocket\r\n") != head.npos);
  CHECK(head.find("Connection: Upgrade\r\n") != head.npos);
  CHECK(head.find("Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n") != head.npos);
  CHECK(head.find("Content-Length") == head.npos);
  CHECK(head.find("Sec-WebSocket-Protocol") == head.npos);
  t.say("hello");
  CHECK(t.next() == "text hello");
  t.put(talker::masked(0x82, std::string(70'000, 'x')));
  CHECK(t.next() == "binary " + std::string(70'000, 'x'));
  t.goodbye(1000);
  CHECK(t.next() == "close 1000 ");
  CHECK(t.next() == "end");
}

TEST_CASE("a WebSocket can be refused before it is one, in the form of every error") {
  auto app = [](service& svc) {
    svc.use([](const winsvc::request& req, winsvc::response& res, const winsvc::next_handler& next) {
      if (req.has_header("X-Stranger")) winsvc::abort(401, "who are you?");
      next();
      res.set_header("X-Seen", "yes");
    });
    echo(svc);
    svc.websocket("/rooms/{number}", [](websocket& ws, int number) { ws.send(std::to_string(number)); });
  };
  client c(app);
  const auto requested = [&](const std::string& fields, const std::string& target = "/echo") {
    std::string bytes = c.raw("GET " + target + " HTTP/1.1\r\nHost: t.example\r\n" + fields + "\r\n");
    return winsvc::testing::parse_response(bytes);
  };

  const auto plain = requested("");
  CHECK(plain.status == 426);
  CHECK(plain.header("Upgrade") == "websocket");
  CHECK(plain.header("Connection") == "Upgrade");
  CHECK(plain.header("Sec-WebSocket-Version") == "13");
  CHECK(plain.header("Content-Type") == "application/problem+json");
  CHECK(plain.header("X-Seen") == "yes");
  CHECK(requested(handshake + "X-Stranger: 1\r\n").status == 401);
  CHECK(requested(handshake + "Origin: http://evil.example\r\n").status == 403);
  CHECK(requested(handshake + "Origin: http://t.example\r\n").status == 101);
  CHECK(requested(handshake, "/rooms/7").status == 101);
  CHECK(requested(handshake, "/rooms/seven").status == 404);
  CHECK(requested(handshake, "/nowhere").status == 404);
  CHECK(requested(handshake).header("X-Seen") == "yes");
  CHECK(requested("Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: x\r\n")
            .status == 400);
}

TEST_CASE("the client for tests talks without a socket") {
  auto app = [](service& svc) {
    echo(svc);
    svc.websocket("/twice", [](websocket& ws) {
      while (auto m = ws.receive()) ws.send(m->data + m->data);
      ws.send("nobody hears this");
    });
    svc.websocket("/leaves", [](websocket& ws) { ws.close(4001); });
    svc.get("/page", [] { return "a page"; });
  };
  client c(app);
  const std::string large(70'000, 'x');

  const auto t = c.websocket("/echo", {"hello", "", large});
  CHECK(t.status == 101);
  CHECK(t.messages == std::vector<std::string>{"hello", "", large});
  CHECK(t.close_code == 1000);
  CHECK(c.websocket("/twice", {"ab"}).messages == std::vector<std::string>{"abab"});
  CHECK(c.websocket("/leaves", {}).close_code == 4001);
  CHECK(c.websocket("/echo", {}, {{"Origin", "http://evil.example"}}).status == 403);
  CHECK(c.websocket("/page", {"hello"}).status == 200);
  CHECK(c.websocket("/page", {"hello"}).messages.empty());
}

TEST_CASE("path parameters, the request, its context and the subprotocol are at hand in the handler") {
  struct user { std::string name; };
  winsvc::websocket_options options;
  options.protocols = {"chat.v2", "chat.v1"};
  options.origins = {"https://app.example"};
  served s([&](service& svc) {
    svc.use([](const winsvc::request& req, winsvc::response&, const winsvc::next_handler& next) {
      winsvc::context(req).set(user{"anna"});
      next();
    });
    svc.group("/v1", [&](winsvc::route_group& g) {
      g.websocket("/{room}/{seat}", [](websocket& ws, const std::string& room, int slot) {
        const auto& user_name = winsvc::context(ws.request()).get<user>()->name;
        ws.send(room + ' ' + std::to_string(slot) + ' ' + ws.protocol() + ' ' + ws.request().get_param_value("q") +
                ' ' + user_name);
        ws.close(4000, "that is all");
      }, options);
    });
  });
  talker t(s, handshake + "Sec-WebSocket-Protocol: chat.v1, chat.v2\r\nOrigin: https://app.example\r\n",
           "/v1/blue%20room/7?q=x");

  CHECK(t.head().find("Sec-WebSocket-Protocol: chat.v2\r\n") != std::string::npos);
  CHECK(t.next() == "text blue room 7 chat.v2 x anna");
  CHECK(t.next() == "close 4000 that is all");
  t.goodbye(4000);
  CHECK(t.next() == "end");
}

TEST_CASE("fragments become one message, with pings answered in between, byte by byte too") {
  served s(echo);
  talker t(s);
  t.head();

  t.put(talker::masked(0x01, "Hel") + talker::masked(0x89, "are you there?") + talker::masked(0x80, "lo"));
  CHECK(t.next() == "pong are you there?");
  CHECK(t.next() == "text Hello");
  for (const char c : talker::masked(0x81, "slow")) {
    t.put({&c, 1});
    std::this_thread::sleep_for(1ms);
  }
  CHECK(t.next() == "text slow");
  t.put(talker::masked(0x81, "a") + talker::masked(0x8A, "unasked") + talker::masked(0x81, "b"));
  CHECK(t.next() == "text a");
  CHECK(t.next() == "text b");
}

TEST_CASE("what breaks the protocol is closed with the code that says so") {
  std::atomic<int> seen{0};
  served s([&](service& svc) {
    svc.limits().websocket_message_bytes = 1000;
    svc.websocket("/echo", [&](websocket& ws) {
      while (auto m = ws.receive()) ws.send(*m);
      seen = ws.close_code();
      CHECK_FALSE(ws.send("too late"));
    });
  });
  const struct { const char* name; std::string bytes; std::string is; } cases[] = {
      {"no mask", winsvc::wire::frame(opcode::text, "x"), "close 1002 frame without a mask"},
      {"reserved bit", talker::masked(0xC1, "x"), "close 1002 reserved bits"},
      {"unknown opcode", talker::masked(0x83, "x"), "close 1002 unknown opcode"},
      {"no UTF-8", talker::masked(0x81, "\xC0\x80"), "close 1007 text that is not UTF-8"},
      {"too large", talker::masked(0x82, std::string(1001, 'x')), "close 1009 message too large"},
      {"a code that may not be", talker::masked(0x88, winsvc::wire::close_payload(1005, "")),
       "close 1002 close code out of range"},
  };
  for (const auto& c : cases) {
    CAPTURE(c.name);
    seen = 0;
    talker t(s);
    t.head();
    t.say("first");
    CHECK(t.next() == "text first");
    t.put(c.bytes);
    CHECK(t.next() == c.is);
    CHECK(t.next() == "end");
    CHECK(seen == 1006);
  }
}

TEST_CASE("the client's goodbye is answered with its own code, and the handler can know it") {
  std::atomic<int> seen{0};
  served s([&](service& svc) {
    svc.websocket("/echo", [&](websocket& ws) {
      CHECK_FALSE(ws.receive());
      CHECK_FALSE(ws.is_open());
      seen = ws.close_code();
    });
  });
  {
    talker t(s);
    t.head();
    t.goodbye(4711);
    CHECK(t.next() == "close 4711 ");
    CHECK(t.next() == "end");
    CHECK(seen == 4711);
  }
  {
    talker t(s);
    t.head();
    t.put(talker::masked(0x88, ""));
    CHECK(t.next() == "close");
    CHECK(t.next() == "end");
    CHECK(seen == 1005);
  }
  {
    talker t(s);
    t.head();
    t.socket.shutdown_send();
    CHECK(t.next() == "end");  // it could still read, but there is nobody to talk to
    CHECK(seen == 1006);
  }
}

TEST_CASE("a handler that throws closes with 1011 and a number to ask about; abort says why") {
  served s([](service& svc) {
    svc.websocket("/echo", [](websocket&) { throw std::runtime_error("the secret of the house"); });
    svc.websocket("/full", [](websocket&) { winsvc::abort(409, "the room is full"); });
    svc.websocket("/bytes", [](websocket& ws) { ws.send("\xFF"); });
    svc.websocket("/code", [](websocket& ws) { ws.close(1006); });
  });

  talker t(s);
  t.head();
  const std::string message = t.next();
  CHECK(message.find("close 1011 the handler failed; the log has the reason under ") == 0);
  CHECK(s.lines->has("websocket handler of /echo threw: the secret of the house"));
  CHECK(s.lines->has("request " + message.substr(message.rfind(' ') + 1)));
  t.goodbye(1011);
  CHECK(t.next() == "end");
  talker full(s, handshake, "/full");
  full.head();
  CHECK(full.next() == "close 1008 the room is full");
  talker bytes(s, handshake, "/bytes");
  bytes.head();
  CHECK(bytes.next().find("close 1011") == 0);
  CHECK(s.lines->has("a text message is UTF-8"));
  talker code(s, handshake, "/code");
  code.head();
  CHECK(code.next().find("close 1011") == 0);
  CHECK(s.lines->has("close code 1006 must not be sent"));
}

TEST_CASE("a copy sends from any thread while the handler listens, and is closed when the handler has returned") {
  std::vector<websocket> kept;
  std::mutex mutex;
  std::atomic<int> here{0};
  served s([&](service& svc) {
    svc.websocket("/echo", [&](websocket& ws) {
      {
        const std::lock_guard lock(mutex);
        kept.push_back(ws);
      }
      ++here;
      while (ws.receive()) {}
    });
  });
  talker t(s);
  t.head();
  wait_until([&] { return here == 1; }, "the handler to start");

  const std::string a(3000, 'a'), b(3000, 'b');
  scoped_thread one("the first sender", [&] { for (int i = 0; i < 100; ++i) CHECK(kept[0].send(a)); });
  scoped_thread two("the second sender", [&] { for (int i = 0; i < 100; ++i) CHECK(kept[0].send(b)); });
  int whole = 0;
  for (int i = 0; i < 200; ++i) {
    const std::string result = t.next();
    whole += result == "text " + a || result == "text " + b ? 1 : 0;
  }
  one.join();
  two.join();
  CHECK(whole == 200);
  kept[0].close(4001, "enough");
  CHECK(t.next() == "close 4001 enough");
  CHECK_FALSE(kept[0].send("after a Close"));
  t.goodbye(4001);
  CHECK(t.next() == "end");
  wait_until([&] { return s.engine->websockets() == 0; }, "the WebSocket to end");
  CHECK_FALSE(kept[0].is_open());
  CHECK_FALSE(kept[0].send("nobody"));
  s.engine.reset();
  CHECK_FALSE(kept[0].send("nobody"));
}

TEST_CASE("a limited receive comes back without a message, and the talk goes on") {
  served s([](service& svc) {
    svc.websocket("/echo", [](websocket& ws) {
      for (int i = 0; ws.is_open(); ++i) {
        if (auto m = ws.receive(20ms)) ws.send("got " + m->data);
        else if (ws.is_open() && i < 2) ws.send("tick");
      }
    });
  });
  talker t(s);
  t.head();

  CHECK(t.next() == "text tick");
  CHECK(t.next() == "text tick");
  t.say("x");
  CHECK(t.next() == "text got x");
}

TEST_CASE("silence is asked for life, and a client that gives none is gone") {
  std::atomic<int> seen{0};
  served s([&](service& svc) {
    svc.limits().websocket_ping = 100ms;
    svc.limits().websocket_pong = 100ms;
    svc.websocket("/echo", [&](websocket& ws) {
      while (auto m = ws.receive()) ws.send(*m);
      seen = ws.close_code();
    });
  });
  talker t(s);
  t.head();

  for (int i = 0; i < 3; ++i) {
    CHECK(t.next() == "ping ");
    t.put(talker::masked(0x8A, ""));
  }
  const auto began = steady::now();
  CHECK(t.next() == "ping ");
  CHECK(t.next() == "end");
  CHECK(seen == 1006);
  CHECK(steady::now() - began < 5s);
}

TEST_CASE("a client is not gone because the handler was away") {
  served s([](service& svc) {
    svc.limits().websocket_ping = 50ms;
    svc.limits().websocket_pong = 200ms;
    svc.websocket("/echo", [](websocket& ws) {
      std::this_thread::sleep_for(400ms);
      while (auto m = ws.receive()) ws.send(*m);
    });
  });
  talker t(s);
  t.head();

  CHECK(t.next() == "ping ");
  std::this_thread::sleep_for(30ms);
  t.say("still here");
  CHECK(t.next() == "text still here");
}

TEST_CASE("a message that comes a byte now and then is not waited for without end") {
  served s([](service& svc) {
    svc.limits().body_timeout = 200ms;
    svc.limits().websocket_ping = 50ms;
    echo(svc);
  });
  talker t(s);
  t.head();

  const std::string slow = talker::masked(0x81, std::string(100, 'x'));
  std::string result;
  for (std::size_t i = 0; i < slow.size() && result.find("close") == result.npos; ++i) {
    t.put(slow.substr(i, 1));
    std::this_thread::sleep_for(20ms);
    char buffer[100];
    std::size_t count = 0;
    if (t.socket.receive(buffer, sizeof buffer, count, 0ms) == winsvc::os::transfer::done) result.append(buffer, count);
    if (result.find("did not arrive in time") != result.npos) break;
  }
  CHECK(result.find("the message did not arrive in time") != result.npos);
}

TEST_CASE("a message of empty fragments without end is ended") {
  served s([](service& svc) {
    svc.limits().body_timeout = 200ms;
    echo(svc);
  });
  talker t(s);
  t.head();

  t.put(talker::masked(0x01, ""));
  std::atomic<bool> over{false};
  scoped_thread flood("the sender of fragments", [&] {
    const std::string empty = talker::masked(0x00, "");
    while (!over && t.socket.send(empty.data(), empty.size(), 5s) == winsvc::os::transfer::done)
      std::this_thread::sleep_for(100us);
  });
  const auto began = steady::now();
  CHECK(t.next() == "close 1008 the message did not arrive in time");
  CHECK(steady::now() - began < 5s);
  over = true;
  flood.join();
}

TEST_CASE("a handler that was away does not blame the client for it") {
  served s([](service& svc) {
    svc.limits().body_timeout = 100ms;
    svc.websocket("/echo", [](websocket& ws) {
      while (ws.is_open()) {
        if (auto m = ws.receive(10ms)) ws.send(std::to_string(m->data.size()));
        else std::this_thread::sleep_for(150ms);
      }
    });
  });
  talker t(s);
  t.head();
  const std::string large = talker::masked(0x81, std::string(500'000, 'x'));

  t.put(large.substr(0, 10));
  std::this_thread::sleep_for(50ms);
  t.put(large.substr(10));
  CHECK(t.next() == "text 500000");
}

TEST_CASE("there is room for so many, and the next one is told when to come again") {
  served s([](service& svc) {
    svc.limits().websockets = 2;
    echo(svc);
    svc.get("/", [] { return "still here"; });
  });
  talker one(s);
  auto two = std::make_unique<talker>(s);
  one.head();
  two->head();

  talker three(s);
  const std::string head = three.head();
  CHECK(head.find("HTTP/1.1 503") == 0);
  CHECK(head.find("Retry-After: ") != head.npos);
  CHECK(s.engine->websockets() == 2);
  wait_until([&] { return s.engine->in_flight() == 0; }, "the request that opened the WebSocket to end");
  talker page(s, "", "/");
  CHECK(page.head().find("HTTP/1.1 200") == 0);
  two->goodbye();
  CHECK(two->next() == "close 1000 ");
  CHECK(two->next() == "end");
  two.reset();
  wait_until([&] { return s.engine->websockets() == 1; }, "the second WebSocket to end");
  talker four(s);
  CHECK(four.head().find("HTTP/1.1 101") == 0);
}

TEST_CASE("a drain says 1001 at once, waits for the goodbye, and cuts what does not come") {
  std::atomic<int> here{0};
  served s([&](service& svc) {
    svc.limits().websocket_close = 10min;  // the drain ends first
    svc.websocket("/echo", [&](websocket& ws) {
      ++here;
      while (auto m = ws.receive()) ws.send(*m);
      CHECK_FALSE(ws.send("one more"));
    });
    svc.websocket("/deaf", [&](websocket& ws) {
      ++here;
      wait_until([&] { return !ws.is_open(); }, "the WebSocket to close");
    });
  });
  talker polite(s), rude(s), deaf(s, handshake, "/deaf");
  for (auto* t : {&polite, &rude, &deaf}) REQUIRE(t->head().find("HTTP/1.1 101") == 0);
  wait_until([&] { return here == 3; }, "the three handlers to start");

  winsvc::http::drain_report report;
  const auto began = steady::now();
  const auto deadline = waiting::scaled(3s);
  scoped_thread draining("the drain", [&] { report = s.engine->drain(deadline); });
  CHECK(polite.next() == "close 1001 the service stops");
  polite.goodbye(1001);
  CHECK(polite.next() == "end");
  CHECK(deaf.next() == "close 1001 the service stops");
  deaf.goodbye(1001);
  CHECK(deaf.next() == "end");
  CHECK(rude.next() == "close 1001 the service stops");
  CHECK(steady::now() - began < deadline);
  CHECK(rude.next() == "end");  // at the deadline
  draining.join();
  CHECK(report.aborted == 1);
  CHECK(report.stuck_threads == 0);
  CHECK(s.engine->websockets() == 0);
}

TEST_CASE("a client that takes nothing is cut off, and does not hold the sender for ever") {
  std::atomic<bool> sent_all{true};
  std::atomic<bool> done{false};
  served s([&](service& svc) {
    svc.limits().write_timeout = 200ms;
    svc.websocket("/echo", [&](websocket& ws) {
      const std::string much(1024 * 1024, 'x');
      for (int i = 0; i < 200 && sent_all; ++i) sent_all = ws.send_binary(much);
      CHECK_FALSE(ws.is_open());
      done = true;
    });
  });
  talker t(s);

  wait_until([&] { return done.load(); }, "the sender to give up");
  CHECK_FALSE(sent_all);
}

TEST_CASE("messages come in while another thread's send waits for a client that takes nothing") {
  std::atomic<int> received{0};
  std::atomic<bool> stuck{false};
  served s([&](service& svc) {
    svc.limits().write_timeout = waiting::limit();
    svc.websocket("/echo", [&](websocket& ws) {
      scoped_thread other("the thread that sends", [ws, &stuck] {
        while (ws.send_binary(std::string(1024 * 1024, 'x'))) {}
        stuck = true;
      });
      while (ws.receive()) ++received;
      other.join();
    });
  });
  talker t(s);
  t.head();

  std::this_thread::sleep_for(200ms);  // by now the buffers between us are full
  for (int i = 0; i < 100; ++i) t.say("hello");
  wait_until([&] { return received >= 100 || stuck; }, "100 messages");
  CHECK(received == 100);
  CHECK_FALSE(stuck);
}

TEST_CASE("JSON goes out as text") {
  served s([](service& svc) {
    svc.websocket("/echo", [](websocket& ws) { ws.send(winsvc::json{{"n", 1}}); });
  });
  talker t(s);
  t.head();

  CHECK(t.next() == "text {\"n\":1}");
  CHECK(t.next() == "close 1000 ");
}

TEST_CASE("a WebSocket has its place among the routes: conflicts and counts are found at once") {
  winsvc::host::service_definition plan;
  service svc(plan);
  svc.websocket("/chat/{room}", [](websocket&, std::string) {});

  CHECK_THROWS_AS(svc.get("/chat/{name}", [](std::string) { return ""; }), winsvc::setup_error);
  CHECK_THROWS_AS(svc.websocket("/other/{room}", [](websocket&) {}), winsvc::setup_error);
}
