// Event channels: clients that wait for events hold no thread, and no event is lost.
#include <winsvc/testing.hpp>

#include "test_engine.hpp"

#include <atomic>
#include <cstddef>
#include <cstdio>
#include <memory>
#include <string>
#include <vector>

using namespace engine_tests;
using winsvc::event_channel;
using winsvc::detail::route::method;

namespace {

/// An engine with a route GET /events for the events of `channel`.
struct channel_engine : test_engine {
  event_channel channel;
  std::vector<winsvc::response> copies;  // of the responses to requests with X-Copy

  explicit channel_engine(std::size_t history = 0, winsvc::clock& time = winsvc::clock::system()) : channel(history) {
    const auto here = winsvc::source_location::current();
    engine.reset();
    routes = {};
    routes.add(method::get, "/", [] { return "hello"; }, here);
    routes.add(method::get, "/events", [this](const winsvc::request& req, winsvc::response& res) {
      auto reply = winsvc::reply::events(channel);
      if (req.has_header("X-Length")) reply.header("Content-Length", req.get_header_value("X-Length"));
      std::move(reply).apply(res);
      if (req.has_header("X-Copy")) copies.push_back(res);
    }, here);
    routes.freeze();
    engine = std::make_unique<winsvc::detail::server::engine>(routes, limits, log, time);
    open();
  }
  ~channel_engine() { engine.reset(); }
  std::unique_ptr<test_client> subscribe(const std::string& version = "1.1", const std::string& fields = {}) {
    auto client = std::make_unique<test_client>(*this);
    client->send("GET /events HTTP/" + version + "\r\nHost: t\r\n" + fields + "\r\n");
    return client;
  }
  void wait_for_subscribers(std::size_t count) {
    CHECK(eventually([&] { return channel.subscribers() == count; }));
  }
};

/// Receives until the input contains `text`, and removes the input up to its end.
bool reads(test_client& client, const std::string& text) {
  while (client.input.find(text) == std::string::npos) {
    if (!client.receive_more(waiting::limit())) return false;
  }
  client.input.erase(0, client.input.find(text) + text.size());
  return true;
}

std::string chunk(const std::string& text) {
  char size[24];
  std::snprintf(size, sizeof size, "%zx\r\n", text.size());
  return size + text + "\r\n";
}

}  // namespace

TEST_CASE("each subscriber receives each event, in chunks; a client with HTTP/1.0 without chunks") {
  channel_engine s;
  auto one = s.subscribe(), two = s.subscribe(), old = s.subscribe("1.0");
  CHECK(reads(*one, "\r\nTransfer-Encoding: chunked\r\n"));
  CHECK(reads(*old, "\r\nConnection: close\r\n"));
  s.wait_for_subscribers(3);
  s.channel.send("1.08", "price", "7");
  s.channel.send("two\nlines");

  for (auto* client : {one.get(), two.get()}) {
    CHECK(reads(*client, "\r\n\r\n" + chunk("id: 7\nevent: price\ndata: 1.08\n\n")));
    CHECK(reads(*client, chunk("data: two\ndata: lines\n\n")));
  }
  CHECK(reads(*old, "\r\n\r\nid: 7\nevent: price\ndata: 1.08\n\ndata: two\ndata: lines\n\n"));
}

TEST_CASE("subscribers hold no thread, and other requests are served") {
  channel_engine s;
#ifdef __linux__
  const auto threads_without = threads_of_process();
#endif
  std::vector<std::unique_ptr<test_client>> clients;
  for (int i = 0; i < 100; ++i) clients.push_back(s.subscribe());
  s.wait_for_subscribers(100);
  CHECK(s.engine->in_flight() == 100);
#ifdef __linux__
  const auto threads_with_subscribers = threads_of_process();
#endif
  for (int i = 0; i < 20; ++i) s.channel.send(std::to_string(i));
  for (auto& client : clients) CHECK(reads(*client, "data: 19\n\n"));

#ifdef __linux__
  CHECK(threads_with_subscribers < threads_without + clients.size());
  CHECK(eventually([&] { return threads_of_process() < threads_without + clients.size(); }));
#endif
  test_client other(s);
  other.get("/");
  CHECK(other.read_response().status == 200);
}

TEST_CASE("a client that disconnects leaves the channel at once") {
  channel_engine s;
  auto leaves = s.subscribe(), stays = s.subscribe();
  s.wait_for_subscribers(2);
  leaves.reset();
  s.wait_for_subscribers(1);
  CHECK(eventually([&] { return s.engine->in_flight() == 1 && s.engine->connections() == 1; }));
  s.channel.send("still here");
  CHECK(reads(*stays, "data: still here\n\n"));
}

TEST_CASE("a drain ends the streams after the events that were sent before it") {
  channel_engine s;
  auto chunked = s.subscribe(), old = s.subscribe("1.0");
  s.wait_for_subscribers(2);
  for (int i = 0; i < 1000; ++i) s.channel.send(std::to_string(i));
  const auto report = s.engine->drain(waiting::limit());
  CHECK(report.aborted == 0);
  CHECK(report.completed == 2);
  CHECK(reads(*chunked, "data: 999\n\n\r\n0\r\n\r\n"));
  CHECK(chunked->is_disconnected());
  CHECK(reads(*old, "data: 999\n\n"));
  CHECK(old->is_disconnected());
}

TEST_CASE("close() ends the streams; the connections serve the next request") {
  channel_engine s;
  auto client = s.subscribe();
  s.wait_for_subscribers(1);
  client->get("/");  // pipelined: the client does not wait for the end of the stream
  s.channel.send("last");
  s.channel.close();
  s.channel.send("too late");
  CHECK(reads(*client, "data: last\n\n\r\n0\r\n\r\n"));
  CHECK(client->read_response().body == "hello");
  s.wait_for_subscribers(0);

  auto late = s.subscribe();
  CHECK(late->read_response().status == 204);
}

TEST_CASE("a pipelined request that is larger than the limit of input waits for the end of the stream") {
  channel_engine s;
  auto client = s.subscribe();
  s.wait_for_subscribers(1);
  for (int i = 0; i < 200; ++i)
    client->send("GET / HTTP/1.1\r\nHost: t\r\nX-Filler: " + std::string(400, 'x') + "\r\n\r\n");
  s.channel.send("one");
  CHECK(reads(*client, "data: one\n\n"));
  s.channel.close();
  CHECK(reads(*client, "0\r\n\r\n"));
  for (int i = 0; i < 200; ++i) CHECK(client->read_response().body == "hello");
}

TEST_CASE("a subscriber that does not read is disconnected when too many bytes wait; the others are not delayed") {
  channel_engine s;
  auto reader = s.subscribe(), stalled = s.subscribe();
  s.wait_for_subscribers(2);
  const std::string large(256 * 1024, 'x');
  int sent = 0;
  for (; sent < 400 && s.channel.subscribers() == 2; ++sent) {
    s.channel.send(large);
    CHECK(reads(*reader, large + "\n\n"));
  }
  CHECK(sent < 400);
  s.wait_for_subscribers(1);
  CHECK(eventually([&] { return s.engine->connections() == 1; }));
  s.channel.send("the last");
  CHECK(reads(*reader, "data: the last\n\n"));
}

TEST_CASE("a client that reconnects receives the events of the history that it has missed") {
  channel_engine s(3);
  for (int i = 1; i <= 5; ++i) s.channel.send("e" + std::to_string(i), {}, std::to_string(i));
  s.channel.send("without id");

  auto some = s.subscribe("1.0", "Last-Event-ID: 4\r\n");
  CHECK(reads(*some, "\r\n\r\nid: 5\ndata: e5\n\n"));
  auto all = s.subscribe("1.0", "Last-Event-ID: 1\r\n");
  CHECK(reads(*all, "\r\n\r\nid: 3\ndata: e3\n\nid: 4\ndata: e4\n\nid: 5\ndata: e5\n\n"));
  auto fresh = s.subscribe("1.0");
  s.wait_for_subscribers(3);
  s.channel.send("now");
  for (auto* client : {some.get(), all.get()}) CHECK(reads(*client, "data: now\n\n"));
  CHECK(reads(*fresh, "\r\n\r\ndata: now\n\n"));
}

TEST_CASE("a client that reconnects receives a history of any size, and clients that read receive any burst") {
  channel_engine s(1000);
  auto reader = s.subscribe("1.0");
  CHECK(reads(*reader, "\r\n\r\n"));
  for (int i = 0; i < 100; ++i) s.channel.send(std::string(30'000, 'x'), {}, std::to_string(i));  // 3 MB at once
  CHECK(reads(*reader, "id: 99\n"));
  for (int i = 100; i < 1000; ++i) s.channel.send(std::string(30'000, 'x'), {}, std::to_string(i));
  auto late = s.subscribe("1.0", "Last-Event-ID: 2\r\n");
  CHECK(reads(*late, "\r\n\r\nid: 3\n"));
  CHECK(reads(*late, "id: 999\n"));
}

TEST_CASE("a Content-Length of the app does not change the framing of events") {
  channel_engine s;
  auto client = s.subscribe("1.1", "X-Length: 12\r\n");
  CHECK(reads(*client, "Transfer-Encoding: chunked\r\n"));
  CHECK(client->input.find("Content-Length") == std::string::npos);
  s.wait_for_subscribers(1);
  s.channel.send("more than twelve bytes");
  CHECK(reads(*client, chunk("data: more than twelve bytes\n\n")));
}

TEST_CASE("a response that the app has copied does not keep the client in the channel") {
  channel_engine s;
  {
    auto client = s.subscribe("1.1", "X-Copy: 1\r\n");
    s.wait_for_subscribers(1);
  }
  s.wait_for_subscribers(0);
  CHECK(s.copies.size() == 1);
  s.channel.send("without a subscriber");
}

TEST_CASE("a subscriber without events receives a comment every 15 s") {
  winsvc::testing::manual_clock time;
  channel_engine s(0, time);
  auto client = s.subscribe(), old = s.subscribe("1.0");
  s.wait_for_subscribers(2);
  CHECK(reads(*client, "\r\n\r\n"));
  CHECK(reads(*old, "\r\n\r\n"));
  for (int i = 0; i < 3; ++i) {
    for (auto* const each : {&*client, &*old}) {
      CHECK(eventually([&] {  // the connection may not wait for events yet
        time.advance(16s);
        return each->receive_more(10ms);
      }));
    }
    CHECK(reads(*client, chunk(": keep-alive\n\n")));
    CHECK(reads(*old, ": keep-alive\n\n"));
  }
  s.channel.send("event");
  CHECK(reads(*client, chunk("data: event\n\n")));
}

TEST_CASE("HEAD does not subscribe") {
  channel_engine s;
  test_client client(s);
  client.send("HEAD /events HTTP/1.1\r\nHost: t\r\n\r\nGET / HTTP/1.1\r\nHost: t\r\n\r\n");
  CHECK(reads(client, "\r\nContent-Type: text/event-stream\r\n"));
  CHECK(reads(client, "\r\n\r\n"));
  CHECK(client.read_response().body == "hello");
  CHECK(s.channel.subscribers() == 0);
}

TEST_CASE("no event is lost or repeated while clients come and go and several threads send") {
  channel_engine s;
  constexpr int events = 300;
  std::atomic<bool> stopped{false};
  auto watcher = s.subscribe();
  s.wait_for_subscribers(1);
  {
    scoped_thread churn("the clients that come and go", [&] {
      while (!stopped) {
        auto client = s.subscribe();
        static_cast<void>(reads(*client, "\r\n\r\n"));
      }
    });
    scoped_thread first("a sender", [&] { for (int i = 0; i < events; ++i) s.channel.send("a" + std::to_string(i)); });
    scoped_thread second("a sender", [&] { for (int i = 0; i < events; ++i) s.channel.send("b" + std::to_string(i)); });
    int next[2] = {};
    for (int count = 0; count < 2 * events; ++count) {
      CHECK(reads(*watcher, "data: "));
      while (watcher->input.find('\n') == std::string::npos) REQUIRE(watcher->receive_more(waiting::limit()));
      const std::string event = watcher->input.substr(0, watcher->input.find('\n'));
      CHECK(std::stoi(event.substr(1)) == next[event[0] - 'a']++);  // in the order of its sender
    }
    stopped = true;
    for (auto* thread : {&churn, &first, &second}) thread->join();
  }
  s.wait_for_subscribers(1);
}

TEST_CASE("the time before a client connects again is sent to all subscribers, and first to later ones") {
  channel_engine s;
  auto early = s.subscribe(), old = s.subscribe("1.0");
  s.wait_for_subscribers(2);
  s.channel.retry_after(std::chrono::seconds(30));
  CHECK(reads(*early, chunk("retry: 30000\n\n")));
  CHECK(reads(*old, "retry: 30000\n\n"));
  auto late = s.subscribe(), late_old = s.subscribe("1.0");
  CHECK(reads(*late, "\r\n\r\n" + chunk("retry: 30000\n\n")));
  CHECK(reads(*late_old, "\r\n\r\nretry: 30000\n\n"));
  s.wait_for_subscribers(4);
  s.channel.send("one");
  for (auto* client : {early.get(), late.get()}) CHECK(reads(*client, chunk("data: one\n\n")));
  s.channel.retry_after(std::chrono::milliseconds(-5));
  CHECK(reads(*early, chunk("retry: 0\n\n")));
}
