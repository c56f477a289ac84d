// Soak test: runs an engine with normal and misbehaving clients, and pauses, drains and restarts it. Run it for several
// minutes, manually.
//
//   g++ -O2 -std=c++17 -Iinclude -isystem build/deps/include tests/bench/soak.cpp -o build/soak -pthread
//   build/soak 600          # seconds; under Wine: the same program, built with mingw
//
// A response is expected if its request was sent completely and no drain began or ended in the meantime. The test fails
// if an expected response is missing or incomplete, or if memory grows after the first fifth of the time.
#include <winsvc.hpp>

#include <atomic>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <random>
#include <string>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

#ifdef __linux__
  #include <filesystem>
#endif

using namespace std::chrono_literals;
using winsvc::os::tcp_socket;
using winsvc::os::transfer;
using steady = std::chrono::steady_clock;

namespace {

struct counts {
  std::atomic<std::uint64_t> answered{0}, refused{0}, lost{0}, torn{0}, rude{0}, unreachable{0};
};

/// Odd while the engine is being drained and restarted.
std::atomic<std::uint64_t> age{0};
std::atomic<bool> over{false};
std::atomic<int> port{0};
counts seen;

/// Receives one response. Returns its status, 0 without a response, -1 if it is incomplete. Sets `last` if it has
/// `Connection: close`.
int hear(tcp_socket& s, std::string& kept, bool& last) {
  for (;;) {
    const auto end = kept.find("\r\n\r\n");
    if (end != kept.npos) {
      const auto position = kept.find("Content-Length: ");
      const std::size_t length = position < end ? static_cast<std::size_t>(std::atol(kept.c_str() + position + 16)) : 0;
      if (kept.size() >= end + 4 + length) {
        const int status = std::atoi(kept.c_str() + 9);
        last = kept.find("Connection: close") < end;
        kept.erase(0, end + 4 + length);
        return status;
      }
    }
    char buffer[16 * 1024];
    std::size_t received = 0;
    if (s.receive(buffer, sizeof buffer, received, 10s) != transfer::done) return kept.empty() ? 0 : -1;
    kept.append(buffer, received);
  }
}

/// Sends requests one after the other on a connection, and counts the responses.
void polite(tcp_socket& s, std::mt19937& dice) {
  std::string kept;
  for (int i = 0; i < 50 && !over; ++i) {
    const auto before = age.load();
    const std::string body(dice() % 3 == 0 ? dice() % 100'000 : dice() % 100, 'x');
    std::string ask;
    switch (dice() % 5) {
      case 0: ask = "POST /echo HTTP/1.1\r\nHost: t\r\nContent-Length: " + std::to_string(body.size()) + "\r\n\r\n" + body;
        break;
      case 1: ask = "GET /sleep HTTP/1.1\r\nHost: t\r\n\r\n"; break;
      case 2: ask = "GET /large HTTP/1.1\r\nHost: t\r\n\r\n"; break;
      default: ask = "GET / HTTP/1.1\r\nHost: t\r\n\r\n"; break;
    }
    if (dice() % 4 == 0) {  // in two parts
      const auto half = dice() % ask.size();
      static_cast<void>(s.send(ask.data(), half, 5s));
      std::this_thread::sleep_for(std::chrono::milliseconds(dice() % 3));
      ask.erase(0, half);
    }
    const bool sent = s.send(ask.data(), ask.size(), 5s) == transfer::done;
    bool last = false;
    const int status = hear(s, kept, last);
    const bool due = sent && before % 2 == 0 && age.load() == before;
    if (status == 200) ++seen.answered;
    else if (status == 503) ++seen.refused;
    else if (status == -1 && due) ++seen.torn;
    else if (due) ++seen.lost;
    if (status <= 0 || last) return;
  }
}

/// Starts a request and leaves, in one of several ways.
void rude(tcp_socket& s, std::mt19937& dice) {
  ++seen.rude;
  const auto print = [&](const std::string& message) { static_cast<void>(s.send(message.data(), message.size(), 1s)); };
  switch (dice() % 6) {
    case 0: print("GET / HT"); break;
    case 1: print("POST /echo HTTP/1.1\r\nHost: t\r\nContent-Length: 100000\r\n\r\nhalf"); break;
    case 2: print("GET /large HTTP/1.1\r\nHost: t\r\n\r\n"); break;
    case 3: print("GET /sleep HTTP/1.1\r\nHost: t\r\n\r\n"); break;
    case 4: print("\x16\x03\x01 this is no HTTP\r\n\r\n"); break;
    default: s.shutdown_send(); break;
  }
  if (dice() % 2 == 0) std::this_thread::sleep_for(std::chrono::milliseconds(dice() % 20));
  if (dice() % 2 == 0) {  // a reset instead of a close
    const linger now{1, 0};
    ::setsockopt(winsvc::os::socket_api::raw(s.native()), SOL_SOCKET, SO_LINGER, reinterpret_cast<const char*>(&now),
                 sizeof now);
  }
}

void client(unsigned seed) {
  std::mt19937 dice(seed);
  while (!over) {
    auto s = tcp_socket::connect({"127.0.0.1", static_cast<std::uint16_t>(port.load())}, 1s);
    if (!s) {
      ++seen.unreachable;
      std::this_thread::sleep_for(5ms);
    } else if (dice() % 3 == 0) {
      rude(*s, dice);
    } else {
      polite(*s, dice);
    }
  }
}

/// Number of descriptors or handles of this process.
std::size_t handles() {
#ifdef __linux__
  return static_cast<std::size_t>(
      std::distance(std::filesystem::directory_iterator("/proc/self/fd"), std::filesystem::directory_iterator()));
#elif defined(_WIN32)
  DWORD count = 0;
  return ::GetProcessHandleCount(::GetCurrentProcess(), &count) ? count : 0;
#else
  return 0;
#endif
}

}  // namespace

int main(int count, char** arguments) {
  const auto seconds = std::chrono::seconds(count > 1 ? std::atol(arguments[1]) : 60);
  const std::string large(1'000'000, 'x');
  winsvc::http::router routes;
  const auto here = winsvc::source_location::current();
  using winsvc::route::method;
  routes.add(method::get, "/", [] { return "hello"; }, here);
  routes.add(method::get, "/large", [&large] { return large; }, here);
  routes.add(method::get, "/sleep", [] { std::this_thread::sleep_for(3ms); return "slept"; }, here);
  routes.add(method::post, "/echo", [](const winsvc::request& req) { return req.body; }, here);
  routes.freeze();
  winsvc::logger log;
  const winsvc::wire::limits bounds;

  std::vector<std::thread> clients;
  std::mt19937 dice(1);
  std::uint64_t early = 0, late = 0, cut = 0;
  std::size_t early_handles = 0, late_handles = 0, engines = 0;
  const auto began = steady::now();
  while (steady::now() - began < seconds) {
    winsvc::http::engine engine(routes, bounds, log);
    if (const auto bound = engine.bind("127.0.0.1", 0); !bound) {
      std::printf("%s\n", bound.error().to_string().c_str());
      return 1;
    }
    engine.start();
    port = engine.address().port;
    ++age;  // even again, except for the first engine
    if (engines++ == 0) {
      ++age;
      for (unsigned i = 0; i < 24; ++i) clients.emplace_back(client, i);
    }
    const auto deadline = (std::min)(steady::now() + std::chrono::milliseconds(2000 + dice() % 4000), began + seconds);
    while (steady::now() < deadline) {
      std::this_thread::sleep_for(std::chrono::milliseconds(dice() % 300));
      engine.pause(dice() % 4 == 0);
    }
    engine.pause(false);
    if (early == 0 || (steady::now() - began) * 5 <= seconds) early = winsvc::os::query_process_usage().resident, early_handles = handles();
    late = winsvc::os::query_process_usage().resident, late_handles = handles();
    ++age;
    cut += engine.drain(10s).aborted;
  }
  over = true;
  for (auto& c : clients) c.join();

  std::printf("%zu engines, %llu responses, %llu status 503, %llu misbehaving clients, %llu aborted by a drain\n", engines,
              static_cast<unsigned long long>(seen.answered), static_cast<unsigned long long>(seen.refused),
              static_cast<unsigned long long>(seen.rude), static_cast<unsigned long long>(cut));
  std::printf("lost %llu, incomplete %llu; resident %.1f then %.1f MiB; handles %zu then %zu\n",
              static_cast<unsigned long long>(seen.lost), static_cast<unsigned long long>(seen.torn),
              static_cast<double>(early) / 1048576, static_cast<double>(late) / 1048576, early_handles, late_handles);
  const bool grown = late > early + early / 4 + 8 * 1048576;
  return seen.lost + seen.torn + cut > 0 || grown ? 1 : 0;
}
