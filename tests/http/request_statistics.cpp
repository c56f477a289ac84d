// Request statistics: responses per second, and percentiles of their duration.
#include "winsvc/http/request_statistics.hpp"

#include <doctest/doctest.h>

#include <chrono>
#include <thread>
#include <vector>

using namespace std::chrono_literals;
using winsvc::detail::http::request_statistics;
using steady = std::chrono::steady_clock;

namespace {

steady::time_point at(std::chrono::milliseconds offset) { return steady::time_point(1000s + offset); }

}  // namespace

TEST_CASE("a second appears in the statistics when it has ended") {
  request_statistics statistics;
  for (int i = 0; i < 90; ++i) statistics.record(at(100ms), 100us, i < 7 ? 404 : 200);
  for (int i = 0; i < 10; ++i) statistics.record(at(900ms), 5ms, 500);
  CHECK(statistics.seconds(at(999ms), 0).empty());
  statistics.record(at(2500ms), 7us, 399);

  const auto seconds = statistics.seconds(at(3000ms), 0);
  REQUIRE(seconds.size() == 2);  // the second between them had no response
  CHECK(seconds[0].second == 1000);
  CHECK(seconds[0].count == 100);
  CHECK(seconds[0].client_errors == 7);
  CHECK(seconds[0].server_errors == 10);
  CHECK(seconds[0].p50 >= 88);
  CHECK(seconds[0].p50 <= 112);
  CHECK(seconds[0].p99 >= 4400);
  CHECK(seconds[0].p99 <= 5600);
  CHECK(seconds[1].second == 1002);
  CHECK(seconds[1].p50 == 7);
  CHECK(statistics.seconds(at(3000ms), 1000).size() == 1);
  CHECK(statistics.seconds(at(3000ms), 1002).empty());
}

TEST_CASE("percentiles are exact to one eighth, from 0 to more than a minute") {
  for (const auto elapsed :
       {0us, 1us, 3us, 4us, 7us, 8us, 9us, 15us, 16us, 100us, 999us, 12'345us, 1'000'000us, 59'000'000us}) {
    request_statistics statistics;
    statistics.record(at(0ms), elapsed, 200);
    const auto seconds = statistics.seconds(at(1000ms), 0);
    REQUIRE(seconds.size() == 1);
    CAPTURE(elapsed.count());
    CHECK(seconds[0].p50 >= elapsed.count() - elapsed.count() / 8);
    CHECK(seconds[0].p50 <= elapsed.count() + elapsed.count() / 8 + 1);
  }
  request_statistics statistics;
  statistics.record(at(0ms), 10h, 200);
  statistics.record(at(0ms), -1s, 200);
  CHECK(statistics.seconds(at(1000ms), 0)[0].count == 2);
}

TEST_CASE("the last minute is the sum of its seconds, and 300 seconds are kept") {
  request_statistics statistics;
  for (int second = 0; second < 400; ++second) {
    const auto elapsed = std::chrono::microseconds(second < 340 ? 1000 : 100);
    statistics.record(at(std::chrono::seconds(second)), elapsed, second >= 390 ? 503 : second >= 380 ? 499 : 200);
  }
  CHECK(statistics.last_minute(at(400s)).count == 60);
  CHECK(statistics.last_minute(at(400s)).server_errors == 10);
  CHECK(statistics.last_minute(at(400s)).client_errors == 10);
  CHECK(statistics.last_minute(at(400s)).p99 <= 112);
  CHECK(statistics.seconds(at(400s), 0).size() == request_statistics::kept_seconds);
  CHECK(statistics.last_minute(at(430s)).count == 30);
  CHECK(statistics.last_minute(at(1000s)).count == 0);
  CHECK(statistics.last_minute(at(1000s)).p99 == 0);
  CHECK(request_statistics().last_minute(at(0s)).count == 0);
}

TEST_CASE("responses of several threads are each counted once") {
  request_statistics statistics;
  std::vector<std::thread> threads;
  for (int t = 0; t < 40; ++t) {  // more threads than stripes
    threads.emplace_back([&statistics] {
      for (int i = 0; i < 5'000; ++i)
        statistics.record(at(std::chrono::milliseconds(i)), 10us, i % 10 == 0 ? 500 : 200);
    });
  }
  for (auto& thread : threads) thread.join();
  std::uint64_t count = 0, failed = 0;
  for (const auto& second : statistics.seconds(at(6000ms), 0)) {
    count += second.count;
    failed += second.server_errors;
  }
  CHECK(count == 200'000);
  CHECK(failed == 20'000);
}
