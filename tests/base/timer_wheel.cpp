// Tests of timer_wheel. The time is passed in; no test waits.
#include "winsvc/base/timer_wheel.hpp"

#include <doctest/doctest.h>

#include <chrono>
#include <cstdint>
#include <vector>

using namespace std::chrono_literals;
using winsvc::detail::base::timer_wheel;

namespace {

const timer_wheel::time_point start = timer_wheel::time_point(std::chrono::hours(1000));

/// A wheel with ten timers, each with an index. Times are relative to `start`.
struct numbered_wheel {
  timer_wheel wheel{start};
  std::vector<timer_wheel::timer> timers = std::vector<timer_wheel::timer>(10);

  void set(std::size_t index, std::chrono::milliseconds time) { wheel.set(timers[index], start + time); }
  /// Advances the wheel to this time and returns the expired timers.
  std::vector<std::size_t> advance_to(std::chrono::milliseconds time) {
    std::vector<std::size_t> expired;
    wheel.advance(start + time, [&](timer_wheel::timer& t) {
      expired.push_back(static_cast<std::size_t>(&t - timers.data()));
    });
    return expired;
  }
};

using indexes = std::vector<std::size_t>;

}  // namespace

TEST_CASE("a timer expires once, never early and at most two slots late") {
  CHECK(timer_wheel::slot_duration == 64ms);
  for (const auto time : {0ms, 1ms, 63ms, 64ms, 65ms, 1000ms, 10'000ms, 60'000ms}) {
    numbered_wheel t;
    t.set(3, time);
    if (time > 0ms) CHECK(t.advance_to(time - 1ms).empty());
    CHECK(t.advance_to(time + 2 * timer_wheel::slot_duration) == indexes{3});
    CHECK(t.advance_to(time + 10min).empty());
    CHECK(t.wheel.next_deadline() == (timer_wheel::time_point::max)());
  }
}

TEST_CASE("a deadline that is later than one turn of the wheel is not early") {
  numbered_wheel t;
  t.set(1, 10min);
  std::chrono::milliseconds now = 0ms;
  int advances = 0;
  for (; t.advance_to(now).empty(); ++advances) {
    REQUIRE(now < 10min + 2 * timer_wheel::slot_duration);
    const auto next = std::chrono::duration_cast<std::chrono::milliseconds>(t.wheel.next_deadline() - start);
    REQUIRE(next > now);
    now = next;
  }
  CHECK(now >= 10min);
  CHECK(advances < 12);  // about one per turn of 65 s
}

TEST_CASE("setting a timer again moves it, and a cleared timer does not expire") {
  numbered_wheel t;
  t.set(1, 10s);
  t.set(2, 10s);
  t.set(3, 10s);
  t.set(1, 20s);
  t.set(2, 1s);
  t.wheel.clear(t.timers[3]);
  t.wheel.clear(t.timers[3]);
  CHECK_FALSE(timer_wheel::is_set(t.timers[3]));

  CHECK(t.advance_to(2s) == indexes{2});
  CHECK(t.advance_to(11s).empty());
  CHECK(t.advance_to(21s) == indexes{1});
}

TEST_CASE("the callback may set the expired timer again") {
  numbered_wheel t;
  t.set(1, 1s);
  int expired = 0;
  for (auto now = 0ms; now < 10s; now += 50ms) {
    t.wheel.advance(start + now, [&](timer_wheel::timer& timer) {
      ++expired;
      t.wheel.set(timer, start + now + 1s);
    });
  }
  CHECK(expired >= 8);
  CHECK(expired <= 10);
}

TEST_CASE("after a long pause each expired timer is reported once") {
  numbered_wheel t;
  for (std::size_t i = 0; i < t.timers.size(); ++i) t.set(i, std::chrono::seconds(i * 30));
  CHECK(t.advance_to(150s + 200ms).size() == 6);
  CHECK(t.advance_to(24h).size() == 4);
  CHECK(t.advance_to(25h).empty());
}

TEST_CASE("next_deadline is within one slot after the earliest deadline") {
  numbered_wheel t;
  CHECK(t.wheel.next_deadline() == (timer_wheel::time_point::max)());
  t.set(1, 30s);
  t.set(2, 5s);
  CHECK(t.wheel.next_deadline() >= start + 5s);
  CHECK(t.wheel.next_deadline() <= start + 5s + timer_wheel::slot_duration);
}

TEST_CASE("next_deadline finds timers that are set, cleared and set earlier, in any order") {
  const auto slot = timer_wheel::slot_duration;
  numbered_wheel t;
  // The slot that begins after `time`: the time at which the timer expires.
  const auto slot_after = [&](std::chrono::milliseconds time) {
    const auto since_epoch = std::chrono::duration_cast<std::chrono::milliseconds>((start + time).time_since_epoch());
    return timer_wheel::time_point((since_epoch / slot + 1) * slot);
  };
  t.set(1, 30s);
  CHECK(t.wheel.next_deadline() == slot_after(30s));
  t.set(2, 5s);
  CHECK(t.wheel.next_deadline() == slot_after(5s));
  t.set(3, 1ms);
  CHECK(t.wheel.next_deadline() == slot_after(1ms));
  t.wheel.clear(t.timers[3]);
  t.set(4, 2s);
  CHECK(t.wheel.next_deadline() == slot_after(2s));
  t.wheel.clear(t.timers[4]);
  t.wheel.clear(t.timers[2]);
  CHECK(t.wheel.next_deadline() == slot_after(30s));
  CHECK(t.advance_to(10s).empty());
  t.set(5, 9s);  // in the past: the next slot
  CHECK(t.wheel.next_deadline() == slot_after(10s));
  CHECK(t.advance_to(10s + slot) == indexes{5});
  t.wheel.clear(t.timers[1]);
  CHECK(t.wheel.next_deadline() == (timer_wheel::time_point::max)());
}

TEST_CASE("the timers of one slot expire in the order in which they were set, each in its turn of the wheel") {
  const timer_wheel::timer fresh;
  CHECK_FALSE(timer_wheel::is_set(fresh));
  CHECK(fresh.next == nullptr);
  CHECK(fresh.user_data == nullptr);
  numbered_wheel t;
  for (const std::size_t i : {std::size_t{4}, std::size_t{1}, std::size_t{7}}) t.set(i, 1s);
  t.set(2, 1s + 1min + 5536ms);  // one turn of 1,024 slots later
  CHECK(t.advance_to(2s) == indexes{4, 1, 7});
  CHECK(t.advance_to(66s).empty());
  CHECK(t.advance_to(67s) == indexes{2});
}
