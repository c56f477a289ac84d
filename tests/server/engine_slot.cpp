// Tests of the owner of a slot, and of the deadlines of connections.
#include <winsvc/testing.hpp>

#include "../support/wait.hpp"

#include <doctest/doctest.h>

#include <atomic>
#include <chrono>
#include <cstdlib>
#include <future>
#include <optional>
#include <thread>

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

TEST_CASE("while a deadline that has passed is handled, the owner cannot set a later one and go on") {
  // Otherwise the owner could park or queue the slot with the later deadline, and advance() would end that wait.
  for (const bool is_parked : {true, false}) {
    CAPTURE(is_parked);
    winsvc::testing::manual_clock time;
    deadline_timers timers(time);
    engine_slot slot;
    std::promise<void> set;
    auto is_set = set.get_future();
    std::optional<waiting::scoped_thread> owner;
    bool was_set = false;
    const auto on_due = [&](engine_slot&) {
      owner.emplace("owner", [&] {
        static_cast<void>(timers.set(slot, time.now() + 1min));
        set.set_value();
      });
      was_set = is_set.wait_for(50ms) == std::future_status::ready;
    };
    slot.acquire();
    static_cast<void>(timers.set(slot, time.now() + 100ms));
    if (is_parked) REQUIRE(slot.park());
    time.advance(500ms);
    static_cast<void>(timers.advance(time.now(), on_due, on_due));
    REQUIRE(owner);
    owner->join();
    CHECK_FALSE(was_set);
    int due = 0;
    const auto count = [&](engine_slot&) { ++due; };
    time.advance(50s);
    static_cast<void>(timers.advance(time.now(), count, count));
    CHECK(due == 0);
    time.advance(11s);
    static_cast<void>(timers.advance(time.now(), count, count));
    CHECK(due == 1);
  }
}

TEST_CASE("a deadline that an owner sets before it parks the slot is moved, not lost") {
  winsvc::testing::manual_clock time;
  deadline_timers timers(time);
  engine_slot slot;
  int due = 0, due_busy = 0;
  const auto advance = [&](std::chrono::milliseconds step) {
    time.advance(step);
    static_cast<void>(timers.advance(time.now(), [&](engine_slot&) { ++due; }, [&](engine_slot&) { ++due_busy; }));
  };
  slot.acquire();
  CHECK(timers.set_before_park(slot, time.now() + 10s));  // the first of the slot
  CHECK(timers.set_before_park(slot, time.now() + 100ms));  // an earlier one
  CHECK_FALSE(timers.set_before_park(slot, time.now() + 1s));  // a later one
  REQUIRE(slot.park());
  advance(500ms);
  CHECK(due == 0);
  advance(600ms);
  CHECK(due == 1);
  CHECK(slot.timed_out);
  CHECK(timers.set_before_park(slot, time.now() + 100ms));  // after a deadline that has passed
  advance(500ms);
  CHECK(due_busy == 1);
  static_cast<void>(timers.set_before_park(slot, time.now() + 100ms));  // before the busy slot would be checked again
  REQUIRE(slot.park());
  advance(200ms);
  CHECK(due == 2);
}

TEST_CASE("a slot whose deadline is moved while the old one passes is not reported as timed out") {
  constexpr int rounds = waiting::with_sanitizer ? 2'000 : 200'000;
  winsvc::testing::manual_clock time;
  deadline_timers timers(time);
  engine_slot slot;
  std::atomic<int> started{0}, parked{0};
  const auto wait_for = [](const std::atomic<int>& count, int round) {
    for (int loops = 0; count.load() < round; ++loops)
      if (loops > 2000) std::this_thread::yield();
  };
  std::thread owner([&] {
    for (int round = 1; round <= rounds; ++round) {
      wait_for(started, round);
      for (volatile int i = 0; i < round % 64; i = i + 1) {}
      if (slot.claim()) {
        slot.timed_out = false;
        static_cast<void>(timers.set_before_park(slot, time.now() + 1min));
        static_cast<void>(slot.park());
        parked.store(round);
      } else {
        parked.store(-round);
      }
    }
  });
  int wrong = 0;
  for (int round = 1; round <= rounds; ++round) {
    slot.acquire();
    timers.clear(slot);
    static_cast<void>(timers.set(slot, time.now() + 100ms));
    static_cast<void>(slot.park());
    time.advance(500ms);
    bool timed_out = false;
    started.store(round);
    const auto on_due = [&](engine_slot& due) { timed_out = due.timed_out; };
    static_cast<void>(timers.advance(time.now(), on_due, [](engine_slot&) {}));
    while (std::abs(parked.load()) < round) std::this_thread::yield();
    if (timed_out && parked.load() == round) ++wrong;
  }
  owner.join();
  CHECK(wrong == 0);
}

TEST_CASE("each event for a busy slot makes its owner run another step, but several events only one") {
  engine_slot slot;
  CHECK_FALSE(slot.claim());  // free
  slot.acquire();
  CHECK_FALSE(slot.claim());
  CHECK_FALSE(slot.claim());
  CHECK_FALSE(slot.park());
  CHECK(slot.park());
  CHECK(slot.claim());
  CHECK(slot.park());
}

TEST_CASE("an owner that runs another step sees what was written before each event") {
  // As in a drain: `draining` is set, then the slot is claimed. With a store instead of the exchange in park(), about
  // 100 of 500,000 rounds end with a parked slot whose owner has not seen it (-O0, busy machine). With a sanitizer none
  // of 500,000 does, because each access takes longer; there the test finds data races only.
  constexpr int rounds = waiting::with_sanitizer ? 1'000 : 100'000;
  engine_slot slot;
  std::atomic<bool> draining{false};
  std::atomic<int> started{0}, claimed{0};
  const auto wait_for = [](const std::atomic<int>& count, int round) {
    for (int loops = 0; count.load() < round; ++loops)
      if (loops > 2000) std::this_thread::yield();
  };
  std::thread drain([&] {
    for (int round = 1; round <= rounds; ++round) {
      wait_for(started, round);
      draining.store(true);
      static_cast<void>(slot.claim());
      claimed.store(round);
    }
  });
  int lost = 0;
  for (int round = 1; round <= rounds; ++round) {
    draining.store(false);
    slot.acquire();
    static_cast<void>(slot.claim());
    started.store(round);
    for (volatile int i = 0; i < round % 128; i = i + 1) {}
    static_cast<void>(slot.park());  // false: run a step, which loads `draining`
    const bool has_seen = draining.load();
    wait_for(claimed, round);
    if (!has_seen && slot.park()) ++lost;
  }
  drain.join();
  CHECK(lost == 0);
}
