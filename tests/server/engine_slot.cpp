// Tests of the deadlines of connections.
#include <winsvc/testing.hpp>

#include <doctest/doctest.h>

#include <chrono>

using namespace std::chrono_literals;
using winsvc::detail::server::deadline_timers;
using winsvc::detail::server::engine_slot;

TEST_CASE("a deadline that passes between the call that sets it and the parking of the slot is not lost") {
  winsvc::testing::manual_clock time;
  deadline_timers timers(time);
  engine_slot slot;
  int due = 0, due_busy = 0;
  const auto advance = [&](std::chrono::milliseconds step) {
    time.advance(step);
    static_cast<void>(timers.advance(time.now(), [&](engine_slot&) { ++due; }, [&](engine_slot&) { ++due_busy; }));
  };
  slot.acquire();
  static_cast<void>(timers.set(slot, time.now() + 100ms));
  advance(500ms);
  CHECK(due == 0);
  CHECK(due_busy == 1);
  REQUIRE(slot.park());
  advance(1100ms);
  CHECK(due == 1);
  CHECK(slot.timed_out);
}

TEST_CASE("the deadline of a busy slot is reported each second until it is cleared") {
  winsvc::testing::manual_clock time;
  deadline_timers timers(time);
  engine_slot slot;
  int due_busy = 0;
  const auto advance = [&](std::chrono::milliseconds step) {
    time.advance(step);
    static_cast<void>(timers.advance(time.now(), [](engine_slot&) {}, [&](engine_slot&) { ++due_busy; }));
  };
  slot.acquire();
  static_cast<void>(timers.set(slot, time.now() + 100ms));
  advance(500ms);
  CHECK(due_busy == 1);
  advance(1100ms);
  CHECK(due_busy == 2);
  timers.clear(slot);
  advance(10s);
  CHECK(due_busy == 2);
}
