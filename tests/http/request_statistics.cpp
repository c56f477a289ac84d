// How busy a service is, second by second.
#include "winsvc/http/request_statistics.hpp"

#include <doctest/doctest.h>

#include <chrono>
#include <thread>
#include <vector>

using namespace std::chrono_literals;
using winsvc::http::request_statistics;
using steady = std::chrono::steady_clock;

namespace {

steady::time_point at(std::chrono::milliseconds when) { return steady::time_point(1000s + when); }

}  // namespace

TEST_CASE("what was answered in a second is told when the second is over") {
  request_statistics p;
  for (int i = 0; i < 90; ++i) p.record(at(100ms), 100us, false);
  for (int i = 0; i < 10; ++i) p.record(at(900ms), 5ms, true);
  CHECK(p.seconds(at(999ms), 0).empty());
  p.record(at(2500ms), 7us, false);

  const auto seen = p.seconds(at(3000ms), 0);
  REQUIRE(seen.size() == 2);  // nothing was answered in the second between
  CHECK(seen[0].second == 1000);
  CHECK(seen[0].count == 100);
  CHECK(seen[0].failed == 10);
  CHECK(seen[0].p50 >= 88);
  CHECK(seen[0].p50 <= 112);
  CHECK(seen[0].p99 >= 4400);
  CHECK(seen[0].p99 <= 5600);
  CHECK(seen[1].second == 1002);
  CHECK(seen[1].p50 == 7);
  CHECK(p.seconds(at(3000ms), 1000).size() == 1);
  CHECK(p.seconds(at(3000ms), 1002).empty());
}

TEST_CASE("times are right to an eighth, from none to a minute and beyond") {
  for (const auto elapsed : {0us, 1us, 3us, 4us, 7us, 8us, 9us, 15us, 16us, 100us, 999us, 12'345us, 1'000'000us, 59'000'000us}) {
    request_statistics p;
    p.record(at(0ms), elapsed, false);
    const auto seen = p.seconds(at(1000ms), 0);
    REQUIRE(seen.size() == 1);
    CAPTURE(elapsed.count());
    CHECK(seen[0].p50 >= elapsed.count() - elapsed.count() / 8);
    CHECK(seen[0].p50 <= elapsed.count() + elapsed.count() / 8 + 1);
  }
  request_statistics p;
  p.record(at(0ms), 10h, false);
  p.record(at(0ms), -1s, false);
  CHECK(p.seconds(at(1000ms), 0)[0].count == 2);
}

TEST_CASE("a minute is the sum of its seconds, and forgets what is older; five minutes are kept in all") {
  request_statistics p;
  for (int s = 0; s < 400; ++s) p.record(at(std::chrono::seconds(s)), std::chrono::microseconds(s < 340 ? 1000 : 100), s >= 390);
  CHECK(p.last_minute(at(400s)).count == 60);
  CHECK(p.last_minute(at(400s)).failed == 10);
  CHECK(p.last_minute(at(400s)).p99 <= 112);
  CHECK(p.seconds(at(400s), 0).size() == request_statistics::kept_seconds);
  CHECK(p.last_minute(at(430s)).count == 30);
  CHECK(p.last_minute(at(1000s)).count == 0);
  CHECK(p.last_minute(at(1000s)).p99 == 0);
  CHECK(request_statistics().last_minute(at(0s)).count == 0);
}

TEST_CASE("from many threads nothing is counted twice or not at all") {
  request_statistics p;
  std::vector<std::thread> all;
  for (int t = 0; t < 4; ++t) {
    all.emplace_back([&p] {
      for (int i = 0; i < 50'000; ++i) p.record(at(std::chrono::milliseconds(i / 10)), 10us, i % 10 == 0);
    });
  }
  for (auto& one : all) one.join();
  std::uint64_t count = 0, failed = 0;
  for (const auto& one : p.seconds(at(6000ms), 0)) count += one.count, failed += one.failed;
  CHECK(count == 200'000);
  CHECK(failed == 20'000);
}
