// The operator's way to a running service: a pipe on Windows, a Unix socket elsewhere.
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
namespace os = winsvc::os;
using steady = std::chrono::steady_clock;

namespace {

std::string an_address() {
  static std::atomic<int> next{0};
  const std::string name = "winsvc-channel-" + std::to_string(os::process_id()) + "-" + std::to_string(++next);
  const std::string folder = os::path_join(os::temporary_folder(), name);
  REQUIRE(os::make_folders(folder));
  return os::control_channel_address(name, folder);
}

#ifdef _WIN32
bool under_wine() { return ::GetProcAddress(::GetModuleHandleW(L"ntdll.dll"), "wine_get_version") != nullptr; }
#else
bool under_wine() { return false; }
#endif

std::string ask(const std::string& address, const std::string& question, std::uint32_t pid = os::process_id()) {
  std::string result;
  const auto done = os::send_channel_request(address, question, pid, [&result](std::string_view chunk) {
    result += chunk;
    return true;
  });
  return done ? result : "code " + std::to_string(done.error());
}

}  // namespace

TEST_CASE("a question gets its answer, and many at once each its own") {
  const std::string path = an_address();
  const auto channel = os::control_channel::open(path, [](const std::string& requested, const os::control_channel::response_writer& write) {
    for (int i = 0; i < 3; ++i) write(requested + ' ' + std::to_string(i) + '\n');
  });
  REQUIRE(channel);
  CHECK(ask(path, "hello") == "hello 0\nhello 1\nhello 2\n");
  CHECK(ask(path, "") == " 0\n 1\n 2\n");

  std::vector<scoped_thread> all;
  std::atomic<int> right{0};
  for (int t = 0; t < 12; ++t) {
    all.emplace_back("a client", [&, t] {
      const std::string me = std::to_string(t);
      if (ask(path, me) == me + " 0\n" + me + " 1\n" + me + " 2\n") ++right;
    });
  }
  for (auto& one : all) one.join();
  CHECK(right == 12);
}

TEST_CASE("a long answer arrives whole") {
  const std::string path = an_address();
  const std::string much(1'000'000, 'x');
  const auto channel = os::control_channel::open(path, [&much](const std::string&, const os::control_channel::response_writer& write) { write(much); });
  REQUIRE(channel);
  CHECK(ask(path, "all") == much);
}

TEST_CASE("a place is taken once; who comes when it is free again gets it") {
  const std::string path = an_address();
  const auto answer = [](const std::string&, const os::control_channel::response_writer& write) { write("here"); };
  {
    const auto first = os::control_channel::open(path, answer);
    REQUIRE(first);
    if (!under_wine()) CHECK_FALSE(os::control_channel::open(path, answer));  // which does not know FILE_FLAG_FIRST_PIPE_INSTANCE
    CHECK(ask(path, "x") == "here");
  }
  CHECK(ask(path, "x").find("code ") == 0);
  const auto second = os::control_channel::open(path, answer);
  REQUIRE(second);
  CHECK(ask(path, "x") == "here");
}

TEST_CASE("an answer without end is ended by whoever asked, and by the end of the channel") {
  const std::string path = an_address();
  std::atomic<int> begun{0}, ended{0};
  auto channel = os::control_channel::open(path, [&](const std::string&, const os::control_channel::response_writer& write) {
    ++begun;
    wait_until([&] { return !write("more\n"); }, "the end of the answer");
    ++ended;
  });
  REQUIRE(channel);
  int pieces = 0;
  CHECK(os::send_channel_request(path, "x", os::process_id(), [&](std::string_view) { return ++pieces < 5; }));
  wait_until([&] { return ended == 1; }, "the end of the answer");

  scoped_thread asker("the client", [&] { ask(path, "x"); });
  wait_until([&] { return begun == 2; }, "the second answer to begin");
  const auto began = steady::now();
  *channel = nullptr;
  asker.join();
  CHECK(ended == 2);
  CHECK(steady::now() - began < 4s);
}

TEST_CASE("an answer that waits for something to say is ended by the end of the channel as well") {
  const std::string path = an_address();
  std::atomic<bool> begun{false};
  auto channel = os::control_channel::open(path, [&begun](const std::string&, const os::control_channel::response_writer& write) {
    wait_until([&] {
      begun = true;
      return !write({});  // true while the client is connected
    }, "the end of the answer");
  });
  REQUIRE(channel);
  scoped_thread asker("the client", [&] { ask(path, "x"); });
  wait_until([&] { return begun.load(); }, "the answer to begin");
  *channel = nullptr;
  asker.join();
}

TEST_CASE("the channel ends whatever many who follow do, those included who have only just come") {
  for (int round = 0; round < 20; ++round) {
    const std::string address = an_address();
    auto channel = os::control_channel::open(address, [](const std::string&, const os::control_channel::response_writer& write) {
      wait_until([&] { return !write({}); }, "the end of the answer");
    });
    REQUIRE(channel);
    std::vector<scoped_thread> followers;
    for (int i = 0; i < 12; ++i) followers.emplace_back("a follower", [&address] { ask(address, "log"); });
    std::this_thread::sleep_for(std::chrono::milliseconds(round));

    const auto began = steady::now();
    channel->reset();

    CHECK(steady::now() - began < 3s);
    for (auto& one : followers) one.join();
  }
}

TEST_CASE("whoever says nothing, or too much, costs the others nothing") {
  const std::string path = an_address();
  auto channel = os::control_channel::open(path, [](const std::string& requested, const os::control_channel::response_writer& write) { write(requested); });
  REQUIRE(channel);
  CHECK(ask(path, std::string(os::control_channel::max_request_bytes * 4, 'x')).size() < 10);  // no answer to that
  CHECK(ask(path, "hello") == "hello");
}

#ifdef __linux__
TEST_CASE("only its owner may open the socket, and one that a dead process left is no hindrance") {
  const std::string path = an_address();
  const auto answer = [](const std::string&, const os::control_channel::response_writer& write) { write("here"); };
  {
    const auto channel = os::control_channel::open(path, answer);
    REQUIRE(channel);
    struct stat info = {};
    REQUIRE(::stat(path.c_str(), &info) == 0);
    CHECK((info.st_mode & 0777) == 0600);
  }
  CHECK_FALSE(os::read_file(path));
  const int left = ::socket(AF_UNIX, SOCK_STREAM, 0);
  sockaddr_un address{};
  REQUIRE(os::unix_address(path, address));
  REQUIRE(::bind(left, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0);
  ::close(left);
  const auto channel = os::control_channel::open(path, answer);
  REQUIRE(channel);
  CHECK(ask(path, "x") == "here");
  CHECK_FALSE(os::control_channel::open(std::string(200, 'x'), answer));
}

TEST_CASE("a file of somebody else's in the socket's place stays") {
  const std::string path = an_address();
  REQUIRE(os::replace_file(path, "mine"));
  const auto channel = os::control_channel::open(path, [](const std::string&, const os::control_channel::response_writer&) {});
  REQUIRE_FALSE(channel);
  CHECK(channel.error() == EEXIST);
  CHECK(os::read_file(path) == "mine");
}
#endif

#ifdef _WIN32
TEST_CASE("a pipe that is not the service's is not asked") {
  const std::string path = an_address();
  const auto channel = os::control_channel::open(path, [](const std::string&, const os::control_channel::response_writer& write) { write("here"); });
  REQUIRE(channel);
  CHECK(ask(path, "x", os::process_id() + 4) == "code 5");
}
#endif
