// Time limits of a stop.
#include "winsvc/host/stop_deadlines.hpp"

#include <doctest/doctest.h>

#include <chrono>

#include "winsvc/testing.hpp"

using winsvc::detail::host::stop_deadlines;
using namespace std::chrono_literals;

TEST_CASE("without a limit of the whole stop, each step has its limit") {
  winsvc::testing::manual_clock time;
  const stop_deadlines limits(time, 20s);

  time.advance(24h);

  CHECK(limits.next_step() == 20s);
  CHECK_FALSE(limits.is_expired());
}

TEST_CASE("a later stop request only reduces the limits") {
  winsvc::testing::manual_clock time;
  stop_deadlines limits(time, 20s);

  limits.reduce(4s, 5s);
  limits.reduce(30s, 60s);

  CHECK(limits.step_limit() == 4s);
  CHECK(limits.end() == time.now() + 5s);
}

TEST_CASE("the last step has the time that remains of the whole stop") {
  winsvc::testing::manual_clock time;
  stop_deadlines limits(time, 4s);
  limits.reduce(4s, 5s);

  time.advance(3s);
  CHECK(limits.next_step() == 2s);
  CHECK(limits.step_limit() == 4s);

  time.advance(10s);
  CHECK(limits.next_step() == 0s);
  CHECK(limits.is_expired());
}
