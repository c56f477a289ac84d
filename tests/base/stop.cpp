// Tests of stop_source and stop_token.
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

TEST_CASE("a new source has no stop request") {
  const stop_source source;
  const stop_token token = source.token();
  CHECK_FALSE(token.stop_requested());
  CHECK_FALSE(token.wait_for(1ms));
  CHECK_FALSE(token.wait_for(0ms));
  CHECK_FALSE(token.wait_for(-1s));
}

TEST_CASE("a stop that was requested before a wait ends the wait at once") {
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

TEST_CASE("a stop request ends a wait before its timeout") {
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

TEST_CASE("a wait with the longest duration waits for the stop request") {
  const stop_source source;
  std::atomic<int> woken{0};
  std::vector<scoped_thread> waiters;
  const auto start_waiter = [&](auto timeout) {
    waiters.emplace_back("a waiting thread", [&woken, timeout, token = source.token()] {
      woken += token.wait_for(timeout) ? 1 : 100;
    });
  };
  start_waiter(std::chrono::hours::max());
  start_waiter(std::chrono::seconds::max());
  start_waiter(std::chrono::nanoseconds::max());
  start_waiter(std::chrono::duration<double>(1e30));
  std::this_thread::sleep_for(3ms);
  CHECK(woken.load() == 0);

  source.request_stop();

  for (auto& t : waiters) t.join();
  CHECK(woken.load() == 4);
}

TEST_CASE("a token is valid after its source is destroyed") {
  const auto orphan = [] {
    const stop_source source;
    source.request_stop();
    return source.token();
  }();
  CHECK(orphan.stop_requested());
}

TEST_CASE("two sources are independent") {
  const stop_source first, other;
  first.request_stop();
  CHECK_FALSE(other.token().stop_requested());
}

TEST_CASE("many threads may request a stop and wait for it at the same time") {
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

TEST_CASE("a thread that a stop request wakes may destroy the source at once") {
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
