// Control channel: a named pipe on Windows, a Unix socket on POSIX.
#include "winsvc/os/native.hpp"

#include "../support/wait.hpp"

#include <doctest/doctest.h>

#include <atomic>
#include <chrono>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

using namespace std::chrono_literals;
using waiting::scoped_thread;
using waiting::wait_until;
namespace os = winsvc::detail::os;
using os::control_channel;
using steady = std::chrono::steady_clock;
using response_writer = control_channel::response_writer;

namespace {

std::string new_address() {
  static std::atomic<int> next{0};
  const std::string name = "winsvc-channel-" + std::to_string(os::process_id()) + "-" + std::to_string(++next);
  const std::string folder = os::path_join(os::temporary_folder(), name);
  REQUIRE(os::make_folders(folder));
  return os::control_channel_address(name, folder);
}

#ifdef _WIN32
bool is_wine() { return ::GetProcAddress(::GetModuleHandleW(L"ntdll.dll"), "wine_get_version") != nullptr; }
#else
bool is_wine() { return false; }
#endif

/// Returns the response, or "code N" if the request failed.
std::string send_request(const std::string& address, const std::string& request,
                         std::uint32_t pid = os::process_id()) {
  std::string response;
  const auto result = os::send_channel_request(address, request, pid, [&response](std::string_view chunk) {
    response += chunk;
    return true;
  });
  return result ? response : "code " + std::to_string(result.error());
}

void write_here(const std::string&, const response_writer& write) { write("here"); }

}  // namespace

TEST_CASE("a request gets its response, and so does each of many concurrent requests") {
  const std::string path = new_address();
  const auto channel = control_channel::open(path, [](const std::string& request, const response_writer& write) {
    for (int i = 0; i < 3; ++i) write(request + ' ' + std::to_string(i) + '\n');
  });
  REQUIRE(channel);
  CHECK(send_request(path, "hello") == "hello 0\nhello 1\nhello 2\n");
  CHECK(send_request(path, "") == " 0\n 1\n 2\n");

  std::vector<scoped_thread> clients;
  std::atomic<int> correct{0};
  for (int i = 0; i < 12; ++i) {
    clients.emplace_back("a client", [&, i] {
      const std::string id = std::to_string(i);
      if (send_request(path, id) == id + " 0\n" + id + " 1\n" + id + " 2\n") ++correct;
    });
  }
  for (auto& client : clients) client.join();
  CHECK(correct == 12);
}

TEST_CASE("a response of 1 MB arrives completely") {
  const std::string path = new_address();
  const std::string response(1'000'000, 'x');
  const auto channel =
      control_channel::open(path, [&](const std::string&, const response_writer& write) { write(response); });
  REQUIRE(channel);
  CHECK(send_request(path, "all") == response);
}

TEST_CASE("an address can be opened once, and again after the channel is closed") {
  const std::string path = new_address();
  {
    const auto first = control_channel::open(path, write_here);
    REQUIRE(first);
    if (!is_wine()) CHECK_FALSE(control_channel::open(path, write_here));  // Wine ignores FILE_FLAG_FIRST_PIPE_INSTANCE
    CHECK(send_request(path, "x") == "here");
  }
  CHECK(send_request(path, "x").find("code ") == 0);
  const auto second = control_channel::open(path, write_here);
  REQUIRE(second);
  CHECK(send_request(path, "x") == "here");
}

TEST_CASE("an endless response ends when the client or the channel closes") {
  const std::string path = new_address();
  std::atomic<int> started{0}, ended{0};
  auto channel = control_channel::open(path, [&](const std::string&, const response_writer& write) {
    ++started;
    wait_until([&] { return !write("more\n"); }, "the end of the response");
    ++ended;
  });
  REQUIRE(channel);
  int chunks = 0;
  CHECK(os::send_channel_request(path, "x", os::process_id(), [&](std::string_view) { return ++chunks < 5; }));
  wait_until([&] { return ended == 1; }, "the end of the response");

  scoped_thread client("the client", [&] { send_request(path, "x"); });
  wait_until([&] { return started == 2; }, "the second response to start");
  const auto close_time = steady::now();
  *channel = nullptr;
  client.join();
  CHECK(ended == 2);
  CHECK(steady::now() - close_time < 4s);
}

TEST_CASE("a handler that waits for data ends when the channel closes") {
  const std::string path = new_address();
  std::atomic<bool> started{false};
  auto channel = control_channel::open(path, [&started](const std::string&, const response_writer& write) {
    wait_until([&] {
      started = true;
      return !write({});  // true while the client is connected
    }, "the end of the response");
  });
  REQUIRE(channel);
  scoped_thread client("the client", [&] { send_request(path, "x"); });
  wait_until([&] { return started.load(); }, "the response to start");
  *channel = nullptr;
  client.join();
}

TEST_CASE("the channel closes while many clients connect and wait") {
  for (int round = 0; round < 20; ++round) {
    const std::string address = new_address();
    auto channel = control_channel::open(address, [](const std::string&, const response_writer& write) {
      wait_until([&] { return !write({}); }, "the end of the response");
    });
    REQUIRE(channel);
    std::vector<scoped_thread> followers;
    for (int i = 0; i < 12; ++i) followers.emplace_back("a follower", [&address] { send_request(address, "log"); });
    std::this_thread::sleep_for(std::chrono::milliseconds(round));

    const auto close_time = steady::now();
    channel->reset();

    CHECK(steady::now() - close_time < 3s);
    for (auto& follower : followers) follower.join();
  }
}

TEST_CASE("a request that is too long gets no response and does not affect other clients") {
  const std::string path = new_address();
  auto channel =
      control_channel::open(path, [](const std::string& request, const response_writer& write) { write(request); });
  REQUIRE(channel);
  CHECK(send_request(path, std::string(control_channel::max_request_bytes * 4, 'x')).size() < 10);  // empty or "code N"
  CHECK(send_request(path, "hello") == "hello");
}

#ifdef __linux__
TEST_CASE("the socket has mode 0600, and a socket file of an ended process is replaced") {
  const std::string path = new_address();
  {
    const auto channel = control_channel::open(path, write_here);
    REQUIRE(channel);
    struct stat info = {};
    REQUIRE(::stat(path.c_str(), &info) == 0);
    CHECK((info.st_mode & 0777) == 0600);
  }
  CHECK_FALSE(os::read_file(path));
  const int stale_socket = ::socket(AF_UNIX, SOCK_STREAM, 0);
  sockaddr_un address{};
  REQUIRE(os::unix_address(path, address));
  REQUIRE(::bind(stale_socket, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0);
  ::close(stale_socket);
  const auto channel = control_channel::open(path, write_here);
  REQUIRE(channel);
  CHECK(send_request(path, "x") == "here");
  CHECK_FALSE(control_channel::open(std::string(200, 'x'), write_here));
}

TEST_CASE("a regular file at the address is not replaced") {
  const std::string path = new_address();
  REQUIRE(os::replace_file(path, "mine"));
  const auto channel = control_channel::open(path, [](const std::string&, const response_writer&) {});
  REQUIRE_FALSE(channel);
  CHECK(channel.error() == EEXIST);
  CHECK(os::read_file(path) == "mine");
}
#endif

#ifdef _WIN32
TEST_CASE("a request fails with 5 if the pipe belongs to another process") {
  const std::string path = new_address();
  const auto channel = control_channel::open(path, write_here);
  REQUIRE(channel);
  CHECK(send_request(path, "x", os::process_id() + 4) == "code 5");
}
#endif
