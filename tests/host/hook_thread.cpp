// Hook thread: results of hooks that return, throw, report progress or hang.
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
using winsvc::detail::host::hook_result;
using winsvc::detail::host::hook_thread;
using steady = std::chrono::steady_clock;

TEST_CASE("all hooks run on one separate thread, and an exception is reported") {
  hook_thread hooks(winsvc::clock::system());
  std::thread::id first, second;

  CHECK(hooks.run([&] { first = std::this_thread::get_id(); }, 5s).outcome == hook_result::completed);
  CHECK(hooks.run([&] { second = std::this_thread::get_id(); }, 5s).outcome == hook_result::completed);
  const hook_result threw = hooks.run([] { throw std::runtime_error("no such store"); }, 5s);
  const hook_result unknown = hooks.run([] { throw 7; }, 5s);

  CHECK(first == second);
  CHECK(first != std::this_thread::get_id());
  CHECK(threw.outcome == hook_result::threw);
  CHECK(threw.message == "no such store");
  CHECK(unknown.message == "unknown exception (not derived from std::exception)");
  CHECK(hooks.run([] {}, 5s).message.empty());
}

TEST_CASE("a hook without progress within its timeout is abandoned") {
  stop_source go, returned;
  hook_thread hooks(winsvc::clock::system());
  const auto start = steady::now();

  const hook_result result = hooks.run(
      [go, returned] {
        wait_for_stop(go, "the release of the hook");
        returned.request_stop();
      },
      30ms);

  CHECK(result.outcome == hook_result::timed_out);
  CHECK(steady::now() - start >= 30ms);
  go.request_stop();
  wait_for_stop(returned, "the abandoned hook to return");
}

TEST_CASE("progress restarts the timeout of a hook") {
  winsvc::testing::manual_clock time;
  hook_thread hooks(time);

  const hook_result result = hooks.run(
      [&] {
        for (int i = 0; i < 10; ++i) {
          time.advance(100ms);
          hooks.progress();
        }
        std::this_thread::sleep_for(50ms);  // run() reads the clock again, which is far past the first deadline
      },
      150ms);

  CHECK(result.outcome == hook_result::completed);
}

TEST_CASE("a hook without a limit does not time out") {
  hook_thread hooks(winsvc::clock::system());

  CHECK(hooks.run([] { std::this_thread::sleep_for(20ms); }, hook_thread::no_limit).outcome == hook_result::completed);
}

TEST_CASE("shorten_deadline reduces the timeout of the running hook and of later hooks") {
  stop_source go, started;
  hook_thread hooks(winsvc::clock::system());
  waiting::scoped_thread caller("the thread that calls shorten_deadline()", [&] {
    wait_for_stop(started, "the hook to start");
    hooks.shorten_deadline(30ms);
    hooks.shorten_deadline(10min);  // a longer limit has no effect
  });
  const auto start = steady::now();

  const hook_result result = hooks.run([go, started] {
        started.request_stop();
        wait_for_stop(go, "the release of the hook");
  }, 60s);

  CHECK(result.outcome == hook_result::timed_out);
  CHECK(steady::now() - start < 30s);
  caller.join();
  go.request_stop();

  stop_source release;
  hook_thread later(winsvc::clock::system());
  later.shorten_deadline(30ms);
  CHECK(later.run([release] { wait_for_stop(release, "the release of the hook"); }, 60s).outcome ==
        hook_result::timed_out);
  release.request_stop();
}
