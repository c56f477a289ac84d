// The engine among many clients, and among bad ones: what exceeds is told so, and nobody's slowness costs another.
#include <winsvc/testing.hpp>

#include "../http/served.hpp"

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#ifdef __linux__
  #include <sys/resource.h>
#endif

using namespace served_tests;
using winsvc::wire::limits;

namespace {

struct memory_sink final : winsvc::log_sink {
  void write(const winsvc::log_entry& entry) noexcept override {
    const std::lock_guard lock(mutex);
    lines.push_back(entry.text);
  }
  std::size_t count(std::string_view what) {
    const std::lock_guard lock(mutex);
    return static_cast<std::size_t>(
        std::count_if(lines.begin(), lines.end(), [what](const auto& l) { return l.find(what) != l.npos; }));
  }
  std::mutex mutex;
  std::vector<std::string> lines;
};

std::shared_ptr<memory_sink> kept(served& s) {
  auto lines = std::make_shared<memory_sink>();
  s.log.add_sink(lines);
  return lines;
}

using callers = std::vector<std::unique_ptr<caller>>;
callers many(const served& s, int count) {
  callers all;
  for (int i = 0; i < count; ++i) all.push_back(std::make_unique<caller>(s));
  return all;
}

#ifdef __linux__
/// Number of threads of this process.
std::size_t threads_of_process() {
  const std::filesystem::directory_iterator tasks("/proc/self/task");
  return static_cast<std::size_t>(std::distance(begin(tasks), end(tasks)));
}
#endif

}  // namespace

TEST_CASE("a client more than connections are allowed is told 503 and when to come back; when one leaves, the next is "
          "served") {
  limits few;
  few.connections = 2;
  served s(few);
  const auto log = kept(s);
  s.open();
  auto two = many(s, 2);
  for (auto& c : two) {
    c->ask("/");
    CHECK(c->hear().status == 200);
  }

  for (int i = 0; i < 5; ++i) {
    caller third(s);
    const auto a = third.hear();
    CHECK(a.status == 503);
    CHECK(a.header("Retry-After") == "10");
    CHECK(a.header("Connection") == "close");
    CHECK(third.ended());
  }
  CHECK(log->count("too many connections") == 1);  // of five: once a second is enough
  two.pop_back();
  CHECK(comes_true([&] { return s.e->connections() == 1; }));
  caller again(s);
  again.ask("/");
  CHECK(again.hear().status == 200);
}

TEST_CASE("a client with more connections than one may have is told 429") {
  limits few;
  few.connections_per_address = 2;
  served s(few);
  s.open();
  auto two = many(s, 2);
  for (auto& c : two) {
    c->ask("/");
    CHECK(c->hear().status == 200);
  }
  caller third(s);
  CHECK(third.hear().status == 429);
  CHECK(third.ended());
  two.clear();
  CHECK(comes_true([&] { return s.e->connections() == 0; }));
  caller again(s);
  again.ask("/");
  CHECK(again.hear().status == 200);
}

TEST_CASE("requests beyond threads and queue are told 503; those within are answered, and who is quick as well") {
  limits few;
  few.threads = 1;  // as few as there may be
  few.queue = 2;
  served s(few);
  const auto log = kept(s);
  s.open();
  auto all = many(s, 80);
  for (auto& c : all) c->ask("/slow");
  CHECK(comes_true([&] { return log->count("too many requests wait") > 0; }));
  s.go.request_stop();
  int served_ones = 0, refused = 0;
  for (auto& c : all) {
    const auto a = c->hear();
    served_ones += a.status == 200 ? 1 : 0;
    refused += a.status == 503 && a.header("Retry-After") == "10" ? 1 : 0;
  }
  CHECK(served_ones + refused == 80);
  CHECK(served_ones >= 4);
  CHECK(refused >= 1);
  CHECK(comes_true([&] { return s.e->in_flight() == 0; }));
}

TEST_CASE("who reads nothing of a large answer holds no thread, and gets all of it when he reads") {
  limits relaxed;
  relaxed.write_timeout = 10min;  // the clients read one after the other, on a slow machine for minutes
  served s(relaxed);
  const std::string large(12 * 1024 * 1024, 'x');
  s.routes = {};
  s.routes.add(winsvc::route::method::get, "/large", [&] { return large; }, winsvc::source_location::current());
  s.routes.add(winsvc::route::method::get, "/", [] { return "hello"; }, winsvc::source_location::current());
  s.routes.freeze();
  s.e = std::make_unique<engine>(s.routes, s.bounds, s.log);
  s.open();
  auto readers = many(s, 20);
  for (auto& c : readers) c->ask("/large");
  CHECK(comes_true([&] { return s.e->in_flight() == 20; }));
  caller quick(s);
  quick.ask("/");
  CHECK(quick.hear().body == "hello");
  CHECK(s.e->threads() < readers.size());

  for (auto& c : readers) CHECK(c->hear().body.size() == large.size());
  CHECK(comes_true([&] { return s.e->in_flight() == 0; }));
}

TEST_CASE("who reads nothing for too long is cut off") {
  limits brief;
  brief.write_timeout = 100ms;
  served s(brief);
  s.routes = {};
  s.routes.add(winsvc::route::method::get, "/large", [] { return std::string(12 * 1024 * 1024, 'x'); },
               winsvc::source_location::current());
  s.routes.freeze();
  s.e = std::make_unique<engine>(s.routes, s.bounds, s.log);
  s.open();
  caller c(s);
  c.ask("/large");
  CHECK(comes_true([&] { return s.e->in_flight() == 1; }));
  CHECK(comes_true([&] { return s.e->connections() == 0; }));
  CHECK(comes_true([&] { return s.e->in_flight() == 0; }));
}

TEST_CASE("bodies that are slow to come hold no thread") {
  limits relaxed;
  relaxed.body_timeout = 10min;
  served s(relaxed);
  s.open();
  auto slow = many(s, 50);
  for (auto& c : slow) c->say("POST /echo HTTP/1.1\r\nHost: t\r\nContent-Length: 100\r\n\r\nhalf");
  CHECK(comes_true([&] { return s.e->in_flight() == 50; }));
  caller quick(s);
  quick.ask("/");
  CHECK(quick.hear().body == "hello");
  CHECK(s.e->threads() < slow.size());
#ifdef __linux__  // the engine does not count a thread that waits for a client
  CHECK(threads_of_process() < slow.size());
#endif
  for (auto& c : slow) {
    c->say(std::string(96, 'x'));
    CHECK(c->hear().body.size() == 100);
  }
}

TEST_CASE("streams hold none of the threads that serve") {
  limits few;
  few.threads = 1;
  served s(few);
  s.routes = {};
  const auto here = winsvc::source_location::current();
  s.routes.add(winsvc::route::method::get, "/ticks", [] {
    return winsvc::reply::events([](winsvc::event_stream& out) {
      while (out.send("tick") && out.wait_for(20ms)) {}
    });
  }, here);
  s.routes.add(winsvc::route::method::get, "/", [] { return "hello"; }, here);
  s.routes.freeze();
  s.e = std::make_unique<engine>(s.routes, s.bounds, s.log);
  s.open();
  auto listening = many(s, 40);  // far more than threads
  for (auto& c : listening) c->ask("/ticks");
  for (auto& c : listening) {
    while (c->got.find("data: tick") == std::string::npos) REQUIRE(c->more(waiting::limit()));
  }
  caller quick(s);
  quick.ask("/");
  CHECK(quick.hear().body == "hello");
  const auto report = s.e->drain(waiting::limit());
  CHECK(report.aborted == 0);
  CHECK(report.stuck_threads == 0);
}

TEST_CASE("a client that closes its end behind its requests gets all answers, and the connection ends at once") {
  limits relaxed;
  relaxed.keep_alive_timeout = 10min;  // an engine that does not see the end of the client would wait for this time
  served s(relaxed);
  s.open();
  caller c(s);
  c.say("GET / HTTP/1.1\r\nHost: t\r\n\r\nGET / HTTP/1.1\r\nHost: t\r\n\r\n");
  c.socket.shutdown_send();
  const auto began = steady::now();
  CHECK(c.hear().body == "hello");
  CHECK(c.hear().body == "hello");
  CHECK(c.ended());
  caller later(s);  // it may also do so while nothing is asked
  later.ask("/");
  CHECK(later.hear().body == "hello");
  later.socket.shutdown_send();
  CHECK(later.ended());
  CHECK(since(began) < relaxed.keep_alive_timeout);
}

TEST_CASE("a hundred requests in one send are a hundred answers, in their order") {
  served s;
  s.open();
  caller c(s);
  std::string text;
  for (int i = 0; i < 100; ++i) {
    const std::string body = std::to_string(i);
    text += "POST /echo HTTP/1.1\r\nHost: t\r\nContent-Length: " + std::to_string(body.size()) + "\r\n\r\n" + body;
  }
  c.say(text);
  for (int i = 0; i < 100; ++i) CHECK(c.hear().body == std::to_string(i));
}

TEST_CASE("a client with a thousand requests in one send lets others have their turn") {
  served s;
  s.open();
  caller greedy(s);
  std::string text;
  for (int i = 0; i < 5000; ++i) text += "GET / HTTP/1.1\r\nHost: t\r\n\r\n";
  scoped_thread sends("the sender of 5000 requests", [&] { greedy.say(text); });
  scoped_thread hears("the receiver of 5000 responses", [&] {
    for (int i = 0; i < 5000; ++i) CHECK(greedy.hear().body == "hello");
  });
  for (int i = 0; i < 20; ++i) {
    caller other(s);
    other.ask("/");
    CHECK(other.hear().body == "hello");  // connection.cpp counts the requests of one turn
  }
  sends.join();
  hears.join();
}

TEST_CASE("a drain says what it had to cut") {
  served s;
  s.open();
  caller c(s);
  c.ask("/slow");
  wait_for_stop(s.begun, "the handler to start");
  const auto report = s.e->drain(20ms);
  CHECK(report.aborted == 1);
  REQUIRE(report.aborted_requests.size() == 1);
  CHECK(report.aborted_requests[0].find("GET /slow ") == 0);
  CHECK(report.aborted_requests[0].rfind(" s") == report.aborted_requests[0].size() - 2);
  s.go.request_stop();
}

TEST_CASE("a drain of four hundred idle connections does not wait for any of them") {
  limits wide;
  served s(wide);
  s.open();
  auto idle = many(s, 400);
  for (auto& c : idle) {
    c->ask("/");
    CHECK(c->hear().status == 200);
  }
  const auto began = steady::now();
  const auto report = s.e->drain(waiting::limit());
  CHECK(since(began) < waiting::limit() / 2);  // a drain that waits for one of them lasts for its limit
  CHECK(report.aborted == 0);
  CHECK(s.e->connections() == 0);
}

#ifdef __linux__

TEST_CASE("a process without descriptors left goes on serving who is connected, and takes new ones when there are some") {
  served s;
  const auto log = kept(s);
  s.open();
  caller here(s);
  here.ask("/");
  CHECK(here.hear().status == 200);

  // A client whose descriptor is there already; then all others go, and nobody can be accepted.
  tcp_socket last(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  REQUIRE(last.is_open());
  sockaddr_in to{};
  to.sin_family = AF_INET;
  to.sin_port = htons(s.e->address().port);
  to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  std::vector<int> held;
  {
    rlimit before{};
    REQUIRE(::getrlimit(RLIMIT_NOFILE, &before) == 0);
    rlimit tight = before;
    tight.rlim_cur = 200;
    REQUIRE(::setrlimit(RLIMIT_NOFILE, &tight) == 0);
    const winsvc::scope_exit restore([&]() noexcept {
      for (const int fd : held) ::close(fd);
      ::setrlimit(RLIMIT_NOFILE, &before);
    });
    for (int fd = ::dup(0); fd != -1; fd = ::dup(0)) held.push_back(fd);
    REQUIRE(::connect(static_cast<int>(last.native()), reinterpret_cast<const sockaddr*>(&to), sizeof to) == 0);
    CHECK(comes_true([&] { return log->count("could not be accepted") > 0; }));
    here.ask("/");
    CHECK(here.hear().body == "hello");
  }

  const std::string ask = "GET / HTTP/1.1\r\nHost: t\r\n\r\n";
  CHECK(last.send(ask.data(), ask.size(), waiting::limit()) == transfer::done);
  char buffer[1024];
  std::size_t received = 0;
  CHECK(last.receive(buffer, sizeof buffer, received, waiting::limit()) == transfer::done);
  CHECK(std::string_view(buffer, received).find("hello") != std::string_view::npos);
}

#if !defined(__SANITIZE_THREAD__)
  #if defined(__has_feature)
    #if __has_feature(thread_sanitizer)  // which has a thread of its own that wakes up
      #define NO_WAKE_UPS_TO_COUNT
    #endif
  #endif
#endif
#ifndef NO_WAKE_UPS_TO_COUNT
TEST_CASE("an engine with idle connections makes no wake-up") {
  served s;
  s.open();
  auto idle = many(s, 20);
  for (auto& c : idle) {
    c->ask("/");
    CHECK(c->hear().status == 200);
  }
  const auto switches = [] {  // of all threads but this one
    std::uint64_t all = 0;
    for (const auto& task : std::filesystem::directory_iterator("/proc/self/task")) {
      if (task.path().filename() == std::to_string(winsvc::os::thread_id())) continue;
      std::ifstream status(task.path() / "status");
      for (std::string line; std::getline(status, line);) {
        const auto position = line.find("_ctxt_switches:");
        if (position != line.npos) all += std::stoull(line.substr(position + 15));
      }
    }
    return all;
  };
  std::this_thread::sleep_for(200ms);  // the clerk sees that nothing happens any more
  std::uint64_t before = 0, after = 1;
  for (int attempt = 0; attempt < 3 && after != before; ++attempt) {
    before = switches();
    std::this_thread::sleep_for(1s);
    after = switches();
  }
  CHECK(after == before);
}
#endif

#endif
