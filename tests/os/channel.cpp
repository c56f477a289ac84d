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
  return os::channel_address(name, folder);
}

#ifdef _WIN32
bool under_wine() { return ::GetProcAddress(::GetModuleHandleW(L"ntdll.dll"), "wine_get_version") != nullptr; }
#else
bool under_wine() { return false; }
#endif

std::string ask(const std::string& address, const std::string& question, std::uint32_t pid = os::process_id()) {
  std::string got;
  const auto done = os::ask_channel(address, question, pid, [&got](std::string_view piece) {
    got += piece;
    return true;
  });
  return done ? got : "code " + std::to_string(done.error());
}

}  // namespace

TEST_CASE("a question gets its answer, and many at once each its own") {
  const std::string at = an_address();
  const auto door = os::channel::open(at, [](const std::string& asked, const os::channel::voice& say) {
    for (int i = 0; i < 3; ++i) say(asked + ' ' + std::to_string(i) + '\n');
  });
  REQUIRE(door);
  CHECK(ask(at, "hello") == "hello 0\nhello 1\nhello 2\n");
  CHECK(ask(at, "") == " 0\n 1\n 2\n");

  std::vector<scoped_thread> all;
  std::atomic<int> right{0};
  for (int t = 0; t < 12; ++t) {
    all.emplace_back("a client", [&, t] {
      const std::string me = std::to_string(t);
      if (ask(at, me) == me + " 0\n" + me + " 1\n" + me + " 2\n") ++right;
    });
  }
  for (auto& one : all) one.join();
  CHECK(right == 12);
}

TEST_CASE("a long answer arrives whole") {
  const std::string at = an_address();
  const std::string much(1'000'000, 'x');
  const auto door = os::channel::open(at, [&much](const std::string&, const os::channel::voice& say) { say(much); });
  REQUIRE(door);
  CHECK(ask(at, "all") == much);
}

TEST_CASE("a place is taken once; who comes when it is free again gets it") {
  const std::string at = an_address();
  const auto answer = [](const std::string&, const os::channel::voice& say) { say("here"); };
  {
    const auto first = os::channel::open(at, answer);
    REQUIRE(first);
    if (!under_wine()) CHECK_FALSE(os::channel::open(at, answer));  // which does not know FILE_FLAG_FIRST_PIPE_INSTANCE
    CHECK(ask(at, "x") == "here");
  }
  CHECK(ask(at, "x").find("code ") == 0);
  const auto second = os::channel::open(at, answer);
  REQUIRE(second);
  CHECK(ask(at, "x") == "here");
}

TEST_CASE("an answer without end is ended by whoever asked, and by the end of the channel") {
  const std::string at = an_address();
  std::atomic<int> begun{0}, ended{0};
  auto door = os::channel::open(at, [&](const std::string&, const os::channel::voice& say) {
    ++begun;
    wait_until([&] { return !say("more\n"); }, "the end of the answer");
    ++ended;
  });
  REQUIRE(door);
  int pieces = 0;
  CHECK(os::ask_channel(at, "x", os::process_id(), [&](std::string_view) { return ++pieces < 5; }));
  wait_until([&] { return ended == 1; }, "the end of the answer");

  scoped_thread asker("the client", [&] { ask(at, "x"); });
  wait_until([&] { return begun == 2; }, "the second answer to begin");
  const auto began = steady::now();
  *door = nullptr;
  asker.join();
  CHECK(ended == 2);
  CHECK(steady::now() - began < 4s);
}

TEST_CASE("an answer that waits for something to say is ended by the end of the channel as well") {
  const std::string at = an_address();
  std::atomic<bool> begun{false};
  auto door = os::channel::open(at, [&begun](const std::string&, const os::channel::voice& say) {
    wait_until([&] {
      begun = true;
      return !say({});  // true while the client is connected
    }, "the end of the answer");
  });
  REQUIRE(door);
  scoped_thread asker("the client", [&] { ask(at, "x"); });
  wait_until([&] { return begun.load(); }, "the answer to begin");
  *door = nullptr;
  asker.join();
}

TEST_CASE("the channel ends whatever many who follow do, those included who have only just come") {
  for (int round = 0; round < 20; ++round) {
    const std::string address = an_address();
    auto door = os::channel::open(address, [](const std::string&, const os::channel::voice& say) {
      wait_until([&] { return !say({}); }, "the end of the answer");
    });
    REQUIRE(door);
    std::vector<scoped_thread> followers;
    for (int i = 0; i < 12; ++i) followers.emplace_back("a follower", [&address] { ask(address, "log"); });
    std::this_thread::sleep_for(std::chrono::milliseconds(round));

    const auto began = steady::now();
    door->reset();

    CHECK(steady::now() - began < 3s);
    for (auto& one : followers) one.join();
  }
}

TEST_CASE("whoever says nothing, or too much, costs the others nothing") {
  const std::string at = an_address();
  auto door = os::channel::open(at, [](const std::string& asked, const os::channel::voice& say) { say(asked); });
  REQUIRE(door);
  CHECK(ask(at, std::string(os::channel::longest_line * 4, 'x')).size() < 10);  // no answer to that
  CHECK(ask(at, "hello") == "hello");
}

#ifdef __linux__
TEST_CASE("only its owner may open the socket, and one that a dead process left is no hindrance") {
  const std::string at = an_address();
  const auto answer = [](const std::string&, const os::channel::voice& say) { say("here"); };
  {
    const auto door = os::channel::open(at, answer);
    REQUIRE(door);
    struct stat info = {};
    REQUIRE(::stat(at.c_str(), &info) == 0);
    CHECK((info.st_mode & 0777) == 0600);
  }
  CHECK_FALSE(os::read_file(at));
  const int left = ::socket(AF_UNIX, SOCK_STREAM, 0);
  sockaddr_un address{};
  REQUIRE(os::unix_address(at, address));
  REQUIRE(::bind(left, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0);
  ::close(left);
  const auto door = os::channel::open(at, answer);
  REQUIRE(door);
  CHECK(ask(at, "x") == "here");
  CHECK_FALSE(os::channel::open(std::string(200, 'x'), answer));
}

TEST_CASE("a file of somebody else's in the socket's place stays") {
  const std::string at = an_address();
  REQUIRE(os::replace_file(at, "mine"));
  const auto door = os::channel::open(at, [](const std::string&, const os::channel::voice&) {});
  REQUIRE_FALSE(door);
  CHECK(door.error() == EEXIST);
  CHECK(os::read_file(at) == "mine");
}
#endif

#ifdef _WIN32
TEST_CASE("a pipe that is not the service's is not asked") {
  const std::string at = an_address();
  const auto door = os::channel::open(at, [](const std::string&, const os::channel::voice& say) { say("here"); });
  REQUIRE(door);
  CHECK(ask(at, "x", os::process_id() + 4) == "code 5");
}
#endif
