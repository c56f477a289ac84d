// The engine with hundreds of clients that hold a thread, compute, or connect at the same time: the limits hold, and
// other clients are served.
#include <winsvc/testing.hpp>

#include "../support/memory_sink.hpp"
#include "limited_starter.hpp"
#include "test_engine.hpp"

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <fstream>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

#ifdef __linux__
  #include <arpa/inet.h>
  #include <malloc.h>
  #include <netinet/in.h>
  #include <sys/resource.h>
  #include <sys/socket.h>
  #include <unistd.h>
  // A sanitizer has its own allocator, which mallinfo2() does not count.
  #if defined(__GLIBC__) && !defined(WAITING_SANITIZER)
    #if __GLIBC_PREREQ(2, 33)
      #define WITH_MALLINFO2
    #endif
  #endif
#endif

using namespace engine_tests;
using winsvc::detail::route::method;
using server_limits = winsvc::server_limits;

namespace {

const auto here = winsvc::source_location::current();

/// An engine with further routes: GET /compute uses a processor for 200 ms; GET /events sends one event and
/// stays open.
struct attacked_engine : test_engine {
  explicit attacked_engine(server_limits custom_limits = {}, winsvc::detail::os::thread_starter& starter =
                                                                 winsvc::detail::os::thread_starter::system())
      : test_engine(custom_limits) {
    engine.reset();
    log.add_sink(sink);
    routes = {};
    routes.add(method::get, "/", [] { return "hello"; }, here);
    routes.add(method::post, "/echo", [](const winsvc::request& req) { return std::to_string(req.body.size()); }, here);
    routes.add(method::get, "/compute", [] {
      for (const auto end = steady::now() + 200ms; steady::now() < end;) {}
      return "computed";
    }, here);
    routes.add(method::get, "/slow", [this] {
      wait_for_stop(release, "the test to release the handlers");
      return "slow";
    }, here);
    routes.add(method::get, "/events", [] {
      return winsvc::reply::events([](winsvc::event_stream& out) {
        out.send("opened");
        while (out.wait_for(1h)) {}
      });
    }, here);
    routes.freeze();
    engine = std::make_unique<winsvc::detail::server::engine>(routes, limits, log, winsvc::clock::system(), starter);
  }
  ~attacked_engine() {
    release.request_stop();
    engine.reset();
  }
  std::shared_ptr<log_support::memory_sink> sink = std::make_shared<log_support::memory_sink>();
};

using test_clients = std::vector<std::unique_ptr<test_client>>;

/// A client whose body holds a thread: the body is sent only after 100 Continue, and then slowly or never.
constexpr const char* slow_body = "POST /echo HTTP/1.1\r\nHost: t\r\nExpect: 100-continue\r\nContent-Length: 100\r\n\r\n";

/// Receives 100 Continue. Returns false if the client receives another response, which remains in its input.
bool receive_continue(test_client& c) {
  constexpr std::string_view interim_response = "HTTP/1.1 100 Continue\r\n\r\n";
  while (c.input.find("\r\n\r\n") == std::string::npos) {
    if (!c.receive_more(waiting::limit())) return false;
  }
  if (c.input.find(interim_response) != 0) return false;
  c.input.erase(0, interim_response.size());
  return true;
}

}  // namespace

TEST_CASE("bodies that hold a thread are limited by body_threads, the next gets 503, and the log names the limit") {
  server_limits few;
  few.body_threads = 2;
  attacked_engine s(few);
  s.open();
  test_clients two;
  for (int i = 0; i < 2; ++i) {
    two.push_back(std::make_unique<test_client>(s));
    two.back()->send(slow_body);
    CHECK(receive_continue(*two.back()));
  }

  test_client third(s);
  third.send(slow_body);
  const auto response = third.read_response();
  CHECK(response.status == 503);
  CHECK(response.body.find("too many uploads are in progress") != std::string::npos);
  CHECK(s.sink->contains("the limit 'body_threads' is reached"));

  two[0]->send(std::string(100, 'x'));
  CHECK(two[0]->read_response().body == "100");
  wait_until([&] { return s.engine->in_flight() == 1; }, "the first body to end");
  test_client fourth(s);
  fourth.send(slow_body);
  CHECK(receive_continue(fourth));
}

TEST_CASE("if the system allows 100 threads and 300 bodies hold a thread, other requests are served") {
  limited_starter starter(100);
  server_limits limits;
  limits.body_timeout = 5min;  // no body is late, however slow this machine is
  attacked_engine s(limits, starter);
  s.open();
  test_clients slow;
  for (int i = 0; i < 300; ++i) {
    slow.push_back(std::make_unique<test_client>(s));
    slow.back()->send(slow_body);
  }
  wait_until([&] { return s.sink->contains("the system cannot create another thread"); }, "the shortage of threads");
  wait_until([&] { return s.sink->contains("the limit 'body_threads' is reached"); }, "the limit of bodies");

  for (int i = 0; i < 20; ++i) {
    test_client c(s);
    c.get("/");
    CHECK(c.read_response().body == "hello");
    c.send("POST /echo HTTP/1.1\r\nHost: t\r\nContent-Length: 4\r\n\r\nbody");
    CHECK(c.read_response().body == "4");
  }
  starter.available = 1000;
  int served = 0, rejected = 0;
  for (auto& c : slow) {
    if (!receive_continue(*c)) {
      rejected += c->input.find("HTTP/1.1 503 ") == 0 ? 1 : 0;
      continue;
    }
    c->send(std::string(100, 'x'));
    served += c->read_response().body == "100" ? 1 : 0;
  }
  CHECK(served == static_cast<int>(s.limits.body_threads));
  CHECK(served + rejected == 300);
}

TEST_CASE("while more clients than processors use the processors, the pool does not create a thread for each client") {
  const std::size_t processors = winsvc::detail::os::processor_count(), count = 48 + 2 * processors;
  // The pool keeps one thread for each processor and two others. 32 more: on a machine with other work, a thread that
  // has received no processor counts as blocked, and the pool creates another one.
  const std::size_t limit = processors + 2 + 32;
  std::size_t most_threads = limit;
  for (int attempt = 0; attempt < 3 && most_threads >= limit; ++attempt) {  // the other work may end
    attacked_engine s;
    s.open();
    test_clients clients;
    for (std::size_t i = 0; i < count; ++i) clients.push_back(std::make_unique<test_client>(s));
    most_threads = 0;
    for (int round = 0; round < (waiting::with_sanitizer ? 1 : 2); ++round) {
      for (auto& c : clients) c->get("/compute");
      for (auto& c : clients) {
        CHECK(c->read_response().body == "computed");
        most_threads = (std::max)(most_threads, s.engine->threads());
      }
    }
  }
  CHECK(most_threads < limit);
}

namespace {

/// Number of clients whose descriptors and threads this system allows: each has two descriptors and a thread.
int burst_size() {
#if defined(WAITING_SANITIZER) || !defined(__linux__)
  return 300;
#else
  std::uint64_t count = 3000;
  rlimit files{}, processes{};
  REQUIRE(::getrlimit(RLIMIT_NOFILE, &files) == 0);
  REQUIRE(::getrlimit(RLIMIT_NPROC, &processes) == 0);
  count = (std::min)({count, std::uint64_t{files.rlim_max / 3}, std::uint64_t{processes.rlim_cur / 2}});
  for (const char* const name : {"/sys/fs/cgroup/pids.max", "/sys/fs/cgroup/pids/pids.max"}) {
    std::uint64_t limit = 0;  // remains 0 for the text "max"
    if (std::ifstream(name) >> limit && limit > 0) count = (std::min)(count, limit / 2);
  }
  return static_cast<int>(count);
#endif
}

}  // namespace

TEST_CASE("of a burst of up to 3,000 clients of an event stream, each receives its stream") {
  const int count = burst_size();
  REQUIRE(count > 0);
  attacked_engine s;
  s.open();  // raises the limit of open files
  test_clients clients;
  for (int i = 0; i < count; ++i) {
    clients.push_back(std::make_unique<test_client>(s));
    clients.back()->get("/events");
  }
  int opened = 0;
  for (auto& c : clients) {
    while (c->input.find("data: opened\n") == std::string::npos && c->receive_more(waiting::limit())) {}
    opened += c->input.find("HTTP/1.1 200 ") == 0 && c->input.find("Content-Length") == std::string::npos ? 1 : 0;
  }
  CHECK(opened == count);
  const auto report = s.engine->drain(waiting::limit());
  CHECK(report.aborted == 0);
  CHECK(report.stuck_threads == 0);
}

TEST_CASE("with connections_per_address, an address has as many new connections as it has closed") {
  server_limits few;
  few.connections_per_address = 2;
  attacked_engine s(few);
  s.open();
  test_clients two;
  const auto connect = [&] {
    two.push_back(std::make_unique<test_client>(s));
    two.back()->get("/");
    return two.back()->read_response().status;
  };
  for (int i = 0; i < 2; ++i) CHECK(connect() == 200);
  for (int i = 0; i < 3; ++i) {
    two.erase(two.begin());
    wait_until([&] { return s.engine->connections() == 1; }, "the end of a connection");
    CHECK(connect() == 200);
    test_client third(s);
    CHECK(third.read_response().status == 429);
  }
}

#ifdef __linux__

TEST_CASE("at start, the engine raises the limit of open files to the hard limit") {
  rlimit before{};
  REQUIRE(::getrlimit(RLIMIT_NOFILE, &before) == 0);
  const winsvc::scope_exit restore([&]() noexcept { ::setrlimit(RLIMIT_NOFILE, &before); });
  rlimit reduced = before;
  reduced.rlim_cur = (std::min)(rlim_t{512}, before.rlim_max - 1);
  REQUIRE(::setrlimit(RLIMIT_NOFILE, &reduced) == 0);
  attacked_engine s;
  s.open();
  rlimit after{};
  REQUIRE(::getrlimit(RLIMIT_NOFILE, &after) == 0);
  CHECK(after.rlim_cur == before.rlim_max);
}

  #if defined(WITH_MALLINFO2)

TEST_CASE("with connections_per_address, no memory remains of the addresses of rejected clients") {
  server_limits few;
  few.connections = 1;
  few.connections_per_address = 1;
  attacked_engine s(few);
  s.open();
  test_client one(s);
  one.get("/slow");
  wait_until([&] { return s.engine->in_flight() == 1; }, "the request that occupies the connection");
  const auto reject_clients = [&s](unsigned first, unsigned count) {
    for (unsigned i = first; i < first + count; ++i) {
      tcp_socket client(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
      sockaddr_in from{}, to{};
      from.sin_family = to.sin_family = AF_INET;
      from.sin_addr.s_addr = htonl(INADDR_LOOPBACK + i);
      to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
      to.sin_port = htons(s.engine->address().port);
      const auto native = static_cast<int>(client.native());
      REQUIRE(::bind(native, reinterpret_cast<const sockaddr*>(&from), sizeof from) == 0);
      REQUIRE(::connect(native, reinterpret_cast<const sockaddr*>(&to), sizeof to) == 0);
      char byte = 0;
      std::size_t received = 0;
      REQUIRE(client.receive(&byte, 1, received, waiting::limit()) == transfer::done);  // of the 503
    }
  };
  reject_clients(1, 100);
  constexpr unsigned count = 1000;
  const auto before = ::mallinfo2().uordblks;
  reject_clients(101, count);
  const auto after = ::mallinfo2().uordblks;
  CHECK(after < before + count * 16);  // an entry has more than 48 bytes
}

  #endif
#endif
