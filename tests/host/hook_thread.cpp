// Hooks on their thread: what becomes of one that ends, throws, gets on, hurries, or hangs.
#include <winsvc/testing.hpp>

#include "../support/wait.hpp"

#include <doctest/doctest.h>

#include <atomic>
#include <chrono>
#include <stdexcept>
#include <string>
#include <thread>

using namespace std::chrono_literals;
using waiting::wait_for_stop;
using winsvc::stop_source;
using winsvc::host::hook_result;
using winsvc::host::hook_thread;
using steady = std::chrono::steady_clock;

TEST_CASE("a hook that ends, one that throws, and all of them on one thread that is not ours") {
  hook_thread hooks;
  std::thread::id first, second;

  CHECK(hooks.run([&] { first = std::this_thread::get_id(); }, 5s).outcome == hook_result::completed);
  CHECK(hooks.run([&] { second = std::this_thread::get_id(); }, 5s).outcome == hook_result::completed);
  const hook_result threw = hooks.run([] { throw std::runtime_error("no such store"); }, 5s);
  const hook_result odd = hooks.run([] { throw 7; }, 5s);

  CHECK(first == second);
  CHECK(first != std::this_thread::get_id());
  CHECK(threw.outcome == hook_result::threw);
  CHECK(threw.message == "no such store");
  CHECK(odd.message == "something that is no std::exception");
  CHECK(hooks.run([] {}, 5s).message.empty());
}

TEST_CASE("a hook that is silent for longer than it may be is given up, and not waited for") {
  stop_source go, left;
  hook_thread hooks;
  const auto began = steady::now();

  const hook_result result = hooks.run([go, left] { wait_for_stop(go, "the release of the hook"); left.request_stop(); }, 30ms);

  CHECK(result.outcome == hook_result::timed_out);
  CHECK(steady::now() - began >= 30ms);
  go.request_stop();
  wait_for_stop(left, "the abandoned hook to return");
}

TEST_CASE("progress gives a hook its whole time again") {
  hook_thread hooks;

  const hook_result result = hooks.run([&] {
    for (int i = 0; i < 10; ++i) {
      std::this_thread::sleep_for(20ms);
      hooks.progress();
    }
  }, 150ms);

  CHECK(result.outcome == hook_result::completed);
}

TEST_CASE("a hook without a limit is waited for") {
  hook_thread hooks;

  CHECK(hooks.run([] { std::this_thread::sleep_for(20ms); }, hook_thread::no_limit).outcome == hook_result::completed);
}

TEST_CASE("who is hurried has less time, the one that runs and those that follow") {
  stop_source go, begun;
  hook_thread hooks;
  waiting::scoped_thread hurrier("the thread that calls hurry()", [&] {
    wait_for_stop(begun, "the hook to start");
    hooks.shorten_deadline(30ms);
    hooks.shorten_deadline(10min);  // nobody gets more by it
  });
  const auto began = steady::now();

  const hook_result result = hooks.run([go, begun] {
    begun.request_stop();
    wait_for_stop(go, "the release of the hook");
  }, 60s);

  CHECK(result.outcome == hook_result::timed_out);
  CHECK(steady::now() - began < 30s);
  hurrier.join();
  go.request_stop();

  stop_source hold;
  hook_thread later;
  later.shorten_deadline(30ms);
  CHECK(later.run([hold] { wait_for_stop(hold, "the release of the hook"); }, 60s).outcome == hook_result::timed_out);
  hold.request_stop();
}
