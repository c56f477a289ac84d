// Deadlines on the wheel. Time is passed in: nothing here waits.
#include "winsvc/base/timer_wheel.hpp"

#include <doctest/doctest.h>

#include <chrono>
#include <cstdint>
#include <vector>

using namespace std::chrono_literals;
using winsvc::timer_wheel;

namespace {

const timer_wheel::time_point start = timer_wheel::time_point(std::chrono::hours(1000));

/// A wheel with deadlines, by number.
struct turned {
  timer_wheel wheel{start};
  std::vector<timer_wheel::timer> entries = std::vector<timer_wheel::timer>(10);

  void set(std::size_t which, std::chrono::milliseconds in) { wheel.set(entries[which], start + in); }
  /// Those that are handed out at that time.
  std::vector<std::size_t> at(std::chrono::milliseconds in) {
    std::vector<std::size_t> late;
    wheel.advance(start + in, [&](timer_wheel::timer& e) {
      late.push_back(static_cast<std::size_t>(&e - entries.data()));
    });
    return late;
  }
};

using those = std::vector<std::size_t>;

}  // namespace

TEST_CASE("a deadline is handed out once its time has come, never before, and at most a slot or two after") {
  for (const auto in : {0ms, 1ms, 63ms, 64ms, 65ms, 1000ms, 10'000ms, 60'000ms}) {
    turned t;
    t.set(3, in);
    if (in > 0ms) CHECK(t.at(in - 1ms).empty());
    CHECK(t.at(in + 2 * timer_wheel::slot_duration) == those{3});
    CHECK(t.at(in + 10min).empty());
    CHECK(t.wheel.next_deadline() == (timer_wheel::time_point::max)());
  }
}

TEST_CASE("a deadline further ahead than a turn of the wheel waits for its turn") {
  turned t;
  t.set(1, 10min);
  std::chrono::milliseconds now = 0ms;
  int looks = 0;
  for (; t.at(now).empty(); ++looks) {
    REQUIRE(now < 10min + 2 * timer_wheel::slot_duration);
    const auto next = std::chrono::duration_cast<std::chrono::milliseconds>(t.wheel.next_deadline() - start);
    REQUIRE(next > now);
    now = next;
  }
  CHECK(now >= 10min);
  CHECK(looks < 12);  // it was looked at once a turn
}

TEST_CASE("a deadline that is set again is moved, one that is cleared is gone") {
  turned t;
  t.set(1, 10s);
  t.set(2, 10s);
  t.set(3, 10s);
  t.set(1, 20s);
  t.set(2, 1s);
  t.wheel.clear(t.entries[3]);
  t.wheel.clear(t.entries[3]);
  CHECK_FALSE(timer_wheel::is_set(t.entries[3]));

  CHECK(t.at(2s) == those{2});
  CHECK(t.at(11s).empty());
  CHECK(t.at(21s) == those{1});
}

TEST_CASE("whoever is told may set the deadline again, sooner or later") {
  turned t;
  t.set(1, 1s);
  int reported = 0;
  for (auto now = 0ms; now < 10s; now += 50ms) {
    t.wheel.advance(start + now, [&](timer_wheel::timer& e) {
      ++reported;
      t.wheel.set(e, start + now + 1s);
    });
  }
  CHECK(reported >= 8);
  CHECK(reported <= 10);
}

TEST_CASE("a wheel that was not turned for long finds all that became late, and nothing twice") {
  turned t;
  for (std::size_t i = 0; i < t.entries.size(); ++i) t.set(i, std::chrono::seconds(i * 30));
  CHECK(t.at(150s + 200ms).size() == 6);
  CHECK(t.at(24h).size() == 4);
  CHECK(t.at(25h).empty());
}

TEST_CASE("next is when the first of them may be due, and no later") {
  turned t;
  CHECK(t.wheel.next_deadline() == (timer_wheel::time_point::max)());
  t.set(1, 30s);
  t.set(2, 5s);
  CHECK(t.wheel.next_deadline() >= start + 5s);
  CHECK(t.wheel.next_deadline() <= start + 5s + timer_wheel::slot_duration);
}
