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
using winsvc::detail::os::tcp_socket;
using winsvc::detail::os::transfer;
using steady = std::chrono::steady_clock;

namespace {

struct counters {
  std::atomic<std::uint64_t> responses{0}, unavailable{0}, lost{0}, incomplete{0}, misbehaving{0}, unreachable{0};
};

/// Odd while the engine is being drained and restarted.
std::atomic<std::uint64_t> generation{0};
std::atomic<bool> stopping{false};
std::atomic<int> port{0};
counters totals;

/// Receives one response. Returns its status, 0 without a response, -1 if it is incomplete. Sets `closes` if it has
/// `Connection: close`.
int receive_response(tcp_socket& socket, std::string& buffered, bool& closes) {
  for (;;) {
    const auto end = buffered.find("\r\n\r\n");
    if (end != buffered.npos) {
      const auto position = buffered.find("Content-Length: ");
      const std::size_t length =
          position < end ? static_cast<std::size_t>(std::atol(buffered.c_str() + position + 16)) : 0;
      if (buffered.size() >= end + 4 + length) {
        const int status = std::atoi(buffered.c_str() + 9);
        closes = buffered.find("Connection: close") < end;
        buffered.erase(0, end + 4 + length);
        return status;
      }
    }
    char buffer[16 * 1024];
    std::size_t received = 0;
    if (socket.receive(buffer, sizeof buffer, received, 10s) != transfer::done) return buffered.empty() ? 0 : -1;
    buffered.append(buffer, received);
  }
}

/// Sends requests one after the other on a connection, and counts the responses.
void send_requests(tcp_socket& socket, std::mt19937& random) {
  std::string buffered;
  for (int i = 0; i < 50 && !stopping; ++i) {
    const auto before = generation.load();
    const std::string body(random() % 3 == 0 ? random() % 100'000 : random() % 100, 'x');
    std::string text;
    switch (random() % 5) {
      case 0:
        text = "POST /echo HTTP/1.1\r\nHost: t\r\nContent-Length: " + std::to_string(body.size()) + "\r\n\r\n" + body;
        break;
      case 1: text = "GET /sleep HTTP/1.1\r\nHost: t\r\n\r\n"; break;
      case 2: text = "GET /large HTTP/1.1\r\nHost: t\r\n\r\n"; break;
      default: text = "GET / HTTP/1.1\r\nHost: t\r\n\r\n"; break;
    }
    if (random() % 4 == 0) {  // in two parts
      const auto half = random() % text.size();
      static_cast<void>(socket.send(text.data(), half, 5s));
      std::this_thread::sleep_for(std::chrono::milliseconds(random() % 3));
      text.erase(0, half);
    }
    const bool sent = socket.send(text.data(), text.size(), 5s) == transfer::done;
    bool closes = false;
    const int status = receive_response(socket, buffered, closes);
    const bool is_expected = sent && before % 2 == 0 && generation.load() == before;
    if (status == 200) ++totals.responses;
    else if (status == 503) ++totals.unavailable;
    else if (status == -1 && is_expected) ++totals.incomplete;
    else if (is_expected) ++totals.lost;
    if (status <= 0 || closes) return;
  }
}

/// Starts a request and disconnects, in one of several ways.
void misbehave(tcp_socket& socket, std::mt19937& random) {
  ++totals.misbehaving;
  const auto send = [&](const std::string& text) { static_cast<void>(socket.send(text.data(), text.size(), 1s)); };
  switch (random() % 6) {
    case 0: send("GET / HT"); break;
    case 1: send("POST /echo HTTP/1.1\r\nHost: t\r\nContent-Length: 100000\r\n\r\nhalf"); break;
    case 2: send("GET /large HTTP/1.1\r\nHost: t\r\n\r\n"); break;
    case 3: send("GET /sleep HTTP/1.1\r\nHost: t\r\n\r\n"); break;
    case 4: send("\x16\x03\x01 this is not HTTP\r\n\r\n"); break;
    default: socket.shutdown_send(); break;
  }
  if (random() % 2 == 0) std::this_thread::sleep_for(std::chrono::milliseconds(random() % 20));
  if (random() % 2 == 0) {  // a reset instead of a close
    const linger option{1, 0};
    ::setsockopt(winsvc::detail::os::socket_api::raw(socket.native()), SOL_SOCKET, SO_LINGER,
                 reinterpret_cast<const char*>(&option), sizeof option);
  }
}

void client(unsigned seed) {
  std::mt19937 random(seed);
  while (!stopping) {
    auto socket = tcp_socket::connect({"127.0.0.1", static_cast<std::uint16_t>(port.load())}, 1s);
    if (!socket) {
      ++totals.unreachable;
      std::this_thread::sleep_for(5ms);
    } else if (random() % 3 == 0) {
      misbehave(*socket, random);
    } else {
      send_requests(*socket, random);
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
  winsvc::detail::http::router routes;
  const auto location = winsvc::source_location::current();
  using winsvc::detail::route::method;
  routes.add(method::get, "/", [] { return "hello"; }, location);
  routes.add(method::get, "/large", [&large] { return large; }, location);
  routes.add(method::get, "/sleep", [] { std::this_thread::sleep_for(3ms); return "slept"; }, location);
  routes.add(method::post, "/echo", [](const winsvc::request& req) { return req.body; }, location);
  routes.freeze();
  winsvc::logger log;
  const winsvc::detail::wire::limits limits;

  std::vector<std::thread> clients;
  std::mt19937 random(1);
  std::uint64_t early = 0, late = 0, aborted = 0;
  std::size_t early_handles = 0, late_handles = 0, engines = 0;
  const auto start = steady::now();
  while (steady::now() - start < seconds) {
    winsvc::detail::server::engine engine(routes, limits, log);
    if (const auto bound = engine.bind("127.0.0.1", 0); !bound) {
      std::printf("%s\n", bound.error().to_string().c_str());
      return 1;
    }
    engine.start();
    port = engine.address().port;
    ++generation;  // even again, except for the first engine
    if (engines++ == 0) {
      ++generation;
      for (unsigned i = 0; i < 24; ++i) clients.emplace_back(client, i);
    }
    const auto deadline =
        (std::min)(steady::now() + std::chrono::milliseconds(2000 + random() % 4000), start + seconds);
    while (steady::now() < deadline) {
      std::this_thread::sleep_for(std::chrono::milliseconds(random() % 300));
      engine.pause(random() % 4 == 0);
    }
    engine.pause(false);
    if (early == 0 || (steady::now() - start) * 5 <= seconds)
      early = winsvc::detail::os::query_process_usage().resident, early_handles = handles();
    late = winsvc::detail::os::query_process_usage().resident, late_handles = handles();
    ++generation;
    aborted += engine.drain(10s).aborted;
  }
  stopping = true;
  for (auto& thread : clients) thread.join();

  std::printf("%zu engines, %llu responses, %llu status 503, %llu misbehaving clients, %llu aborted by a drain\n",
              engines, static_cast<unsigned long long>(totals.responses),
              static_cast<unsigned long long>(totals.unavailable), static_cast<unsigned long long>(totals.misbehaving),
              static_cast<unsigned long long>(aborted));
  std::printf("lost %llu, incomplete %llu; resident %.1f then %.1f MiB; handles %zu then %zu\n",
              static_cast<unsigned long long>(totals.lost), static_cast<unsigned long long>(totals.incomplete),
              static_cast<double>(early) / 1048576, static_cast<double>(late) / 1048576, early_handles, late_handles);
  const bool has_grown = late > early + early / 4 + 8 * 1048576;
  return totals.lost + totals.incomplete + aborted > 0 || has_grown ? 1 : 0;
}
