// Pollers, each kind that this platform has, over loopback.
#include "winsvc/os/native.hpp"

#include "../support/wait.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <string>
#include <thread>
#include <utility>
#include <vector>

using namespace std::chrono_literals;
using winsvc::os::poll_for;
using winsvc::os::tcp_socket;
using winsvc::os::transfer;

namespace {

/// Two ends of a connection.
struct pair_of {
  tcp_socket here, there;
  pair_of() {
    auto listener = tcp_socket::listen("127.0.0.1", 0);
    REQUIRE(listener);
    auto made = tcp_socket::connect(listener->local(), 5s);
    REQUIRE(made);
    there = std::move(*made);
    for (int i = 0; i < 1000 && !here.is_open(); ++i) {
      auto result = listener->accept();
      if (result) here = std::move(*result);
      else std::this_thread::sleep_for(1ms);
    }
    REQUIRE(here.is_open());
  }
  void say(const char* word) { CHECK(there.send(word, std::char_traits<char>::length(word), 5s) == transfer::done); }
  /// All that is here now.
  std::string hear() {
    std::string text;
    char buffer[4096];
    std::size_t received = 0;
    while (here.receive(buffer, sizeof buffer, received, 0ms) == transfer::done) text.append(buffer, received);
    return text;
  }
};

/// Waits for one report; null after `wake`, which is also called at the limit of a wait.
template <class Poller>
void* one(Poller& p) {
  const winsvc::stop_source returned;
  waiting::scoped_thread guard("the guard of a wait", [&] {
    if (!waiting::wait_for_stop(returned, "a report of the poller")) p.wake();
  });
  void* user_data[4] = {};
  const auto count = p.wait(user_data, 1);
  returned.request_stop();
  return count == 0 ? nullptr : user_data[0];
}

}  // namespace

TEST_CASE_TEMPLATE("who has bytes is told, each time anew", Poller, winsvc::os::poller, winsvc::os::poll_poller) {
  Poller p;
  REQUIRE(p.is_open());
  pair_of a, b;
  typename Poller::registration at_a, at_b;
  REQUIRE(p.add(at_a, a.here.native(), &a));
  REQUIRE(p.add(at_b, b.here.native(), &b));
  p.arm(at_a, poll_for::readable);
  p.arm(at_b, poll_for::readable);

  for (int i = 0; i < 3; ++i) {
    b.say("b");
    CHECK(one(p) == &b);
    CHECK(b.hear() == "b");
    p.arm(at_b, poll_for::readable);
    a.say("a");
    CHECK(one(p) == &a);
    CHECK(a.hear() == "a");
    p.arm(at_a, poll_for::readable);
  }
  static_cast<void>(p.remove(at_a));
  static_cast<void>(p.remove(at_b));
}

TEST_CASE_TEMPLATE("a place that was removed is quiet once its socket is closed, and can be another's", Poller,
                   winsvc::os::poller, winsvc::os::poll_poller) {
  Poller p;
  typename Poller::registration registered;
  for (int i = 0; i < 3; ++i) {
    pair_of a;
    REQUIRE(p.add(registered, a.here.native(), &a));
    p.arm(registered, poll_for::readable);
    a.say("x");
    CHECK(one(p) == &a);
    CHECK(a.hear() == "x");
    p.arm(registered, poll_for::readable);
    const bool quiet = p.remove(registered);
    a.here.close();
    if (!quiet) CHECK(one(p) == &a);
    CHECK(p.has_no_pending(registered));
  }
}

TEST_CASE_TEMPLATE("bytes that were there before are told", Poller, winsvc::os::poller, winsvc::os::poll_poller) {
  Poller p;
  pair_of a;
  a.say("early");
  typename Poller::registration registered;
  REQUIRE(p.add(registered, a.here.native(), &a));
  p.arm(registered, poll_for::readable);
  CHECK(one(p) == &a);
  static_cast<void>(p.remove(registered));
}

TEST_CASE_TEMPLATE("the end of what a client sends is told", Poller, winsvc::os::poller, winsvc::os::poll_poller) {
  Poller p;
  pair_of a;
  typename Poller::registration registered;
  REQUIRE(p.add(registered, a.here.native(), &a));
  p.arm(registered, poll_for::readable);
  a.there.shutdown_send();
  CHECK(one(p) == &a);
  char buffer[8];
  std::size_t received = 0;
  CHECK(a.here.receive(buffer, sizeof buffer, received, 0ms) == transfer::closed);
  static_cast<void>(p.remove(registered));
}

TEST_CASE_TEMPLATE("room is told when a client that took nothing reads again", Poller, winsvc::os::poller,
                   winsvc::os::poll_poller) {
  Poller p;
  pair_of a;
  typename Poller::registration registered;
  REQUIRE(p.add(registered, a.here.native(), &a));
  const std::string much(16 * 1024 * 1024, 'x');
  std::size_t sent = 0;
  REQUIRE(a.here.send_some(much.data(), much.size(), sent) == transfer::timed_out);
  std::size_t total = sent;
  p.arm(registered, poll_for::writable, std::string_view(much).substr(total));

  waiting::scoped_thread reader("the reader", [&] {
    std::string sink(1024 * 1024, '\0');
    std::size_t received = 0, total = 0;
    while (total < much.size() && a.there.receive(&sink[0], sink.size(), received, 5s) == transfer::done) total += received;
    CHECK(total == much.size());
  });
  while (total < much.size()) {
    REQUIRE(one(p) == &a);
    total += p.take_sent_bytes(registered);
    if (a.here.send_some(much.data() + total, much.size() - total, sent) == transfer::timed_out)
      p.arm(registered, poll_for::writable, std::string_view(much).substr(total + sent));
    total += sent;
  }
  reader.join();
  static_cast<void>(p.remove(registered));
}

TEST_CASE_TEMPLATE("a wait ends when the poller is woken, also the next", Poller, winsvc::os::poller,
                   winsvc::os::poll_poller) {
  Poller p;
  std::atomic<int> ended{0};
  std::vector<waiting::scoped_thread> waiters;
  for (int i = 0; i < 3; ++i) {
    waiters.emplace_back("a waiting thread", [&] {
      CHECK(one(p) == nullptr);
      ++ended;
    });
  }
  std::this_thread::sleep_for(20ms);
  CHECK(ended == 0);
  p.wake();
  for (auto& t : waiters) t.join();
  CHECK(ended == 3);
  CHECK(one(p) == nullptr);
}

TEST_CASE_TEMPLATE("who connects to a listener is told, and can be taken", Poller, winsvc::os::poller,
                   winsvc::os::poll_poller) {
  Poller p;
  auto listener = tcp_socket::listen("127.0.0.1", 0);
  REQUIRE(listener);
  typename Poller::registration registration;
  REQUIRE(p.add_listener(registration, *listener, &p));
  p.arm_accept(registration);
  for (int round = 0; round < 3; ++round) {
    std::vector<tcp_socket> clients;
    for (int i = 0; i < 5; ++i) {
      auto made = tcp_socket::connect(listener->local(), 5s);
      REQUIRE(made);
      clients.push_back(std::move(*made));
    }
    std::vector<tcp_socket> taken;
    while (taken.size() < clients.size()) {
      REQUIRE(one(p) == &p);
      for (;;) {
        auto result = p.accept(registration);
        if (!result) {
          CHECK(winsvc::os::socket_api::would_block(result.error()));
          break;
        }
        CHECK(result->peer().host == "127.0.0.1");
        taken.push_back(std::move(*result));
      }
      p.arm_accept(registration);
    }
    const char one_more = 'x';
    CHECK(taken[4].send(&one_more, 1, 1s) == transfer::done);
  }
  static_cast<void>(p.remove(registration));
}
