// A request to stop: remembered, and heard by whoever waits.
#include "winsvc/base/stop.hpp"

#include "../support/wait.hpp"

#include <doctest/doctest.h>

#include <atomic>
#include <memory>
#include <thread>
#include <vector>

using waiting::scoped_thread;
using winsvc::stop_source;
using winsvc::stop_token;
using namespace std::chrono_literals;

TEST_CASE("nothing is requested until it is") {
  const stop_source source;
  const stop_token token = source.token();
  CHECK_FALSE(token.stop_requested());
  CHECK_FALSE(token.wait_for(1ms));
  CHECK_FALSE(token.wait_for(0ms));
  CHECK_FALSE(token.wait_for(-1s));
}

TEST_CASE("a stop that was requested before anybody waited is remembered") {
  const stop_source source;
  const stop_token early = source.token();

  source.request_stop();
  source.request_stop();

  CHECK(early.stop_requested());
  CHECK(early.wait_for(waiting::limit()));
  waiting::scoped_thread("wait() after the request", [&] { early.wait(); }).join();
  const stop_token late = source.token();
  CHECK(late.stop_requested());
  CHECK(late.wait_for(0ms));
}

TEST_CASE("a wait ends when the stop comes, not when its time is up") {
  const stop_source source;
  std::atomic<int> woken{0};
  std::vector<scoped_thread> waiters;
  for (int i = 0; i < 8; ++i) {
    waiters.emplace_back("a waiting thread", [&woken, i, token = source.token()] {
      if (i % 2 == 0) token.wait();
      if (token.wait_for(1h)) ++woken;
    });
  }

  source.request_stop();

  for (auto& t : waiters) t.join();
  CHECK(woken.load() == 8);
}

TEST_CASE("waiting for the longest duration there is means waiting for the stop") {
  const stop_source source;
  std::atomic<int> woken{0};
  std::vector<scoped_thread> waiters;
  const auto waits = [&](auto how_long) {
    waiters.emplace_back("a waiting thread", [&woken, how_long, token = source.token()] {
      woken += token.wait_for(how_long) ? 1 : 100;
    });
  };
  waits(std::chrono::hours::max());
  waits(std::chrono::seconds::max());
  waits(std::chrono::nanoseconds::max());
  waits(std::chrono::duration<double>(1e30));
  std::this_thread::sleep_for(3ms);
  CHECK(woken.load() == 0);

  source.request_stop();

  for (auto& t : waiters) t.join();
  CHECK(woken.load() == 4);
}

TEST_CASE("a token outlives its source") {
  const auto orphan = [] {
    const stop_source source;
    source.request_stop();
    return source.token();
  }();
  CHECK(orphan.stop_requested());
}

TEST_CASE("sources are strangers to each other") {
  const stop_source one, other;
  one.request_stop();
  CHECK_FALSE(other.token().stop_requested());
}

TEST_CASE("many may ask and many may listen at once") {
  for (int round = 0; round < 20; ++round) {
    const stop_source source;
    std::atomic<int> received{0};
    std::vector<scoped_thread> threads;
    for (int i = 0; i < 4; ++i) {
      threads.emplace_back("a thread that polls", [&received, token = source.token()] {
        waiting::wait_until([&] { return token.wait_for(50us); }, "the request");
        if (token.stop_requested()) ++received;
      });
      threads.emplace_back("a thread that requests", [&source] { source.request_stop(); });
    }
    for (auto& t : threads) t.join();
    CHECK(received.load() == 4);
  }
}

TEST_CASE("whoever is woken by a request may take the source away at once") {
  for (int i = 0; i < 200; ++i) {
    auto source = std::make_unique<winsvc::stop_source>();
    const auto* requested = source.get();
    scoped_thread waiter("the waiting thread", [&source, token = source->token()] {
      token.wait();
      source.reset();
    });
    requested->request_stop();
    waiter.join();
  }
}
