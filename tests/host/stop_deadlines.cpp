// Deadlines of a running stop.
#include "winsvc/host/stop_deadlines.hpp"

#include <doctest/doctest.h>

#include <chrono>

#include "winsvc/testing.hpp"

using winsvc::detail::host::stop_deadlines;
using namespace std::chrono_literals;

TEST_CASE("without a limit of the whole stop, each step has its limit") {
  winsvc::testing::manual_clock time;
  const stop_deadlines deadlines(time, 20s);

  time.advance(24h);

  CHECK(deadlines.next_step() == 20s);
  CHECK_FALSE(deadlines.is_expired());
}

TEST_CASE("a later stop request only shortens the deadlines") {
  winsvc::testing::manual_clock time;
  stop_deadlines deadlines(time, 20s);

  deadlines.shorten(4s, 5s);
  deadlines.shorten(30s, 60s);

  CHECK(deadlines.step_limit() == 4s);
  CHECK(deadlines.end() == time.now() + 5s);
}

TEST_CASE("the last step has the time that remains of the whole stop") {
  winsvc::testing::manual_clock time;
  stop_deadlines deadlines(time, 4s);
  deadlines.shorten(4s, 5s);

  time.advance(3s);
  CHECK(deadlines.next_step() == 2s);
  CHECK(deadlines.step_limit() == 4s);

  time.advance(10s);
  CHECK(deadlines.next_step() == 0s);
  CHECK(deadlines.is_expired());
}
