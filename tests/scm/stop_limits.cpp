// How long a stop may take.
#include "winsvc/scm/stop_limits.hpp"

#include <doctest/doctest.h>

#include <chrono>

using namespace std::chrono_literals;
using namespace winsvc::model;

TEST_CASE("a stop has the app's limit, a shutdown what the system leaves, a preshutdown a part of what it was told") {
  const auto of = [](control control, std::chrono::milliseconds limit, std::optional<std::chrono::milliseconds> reported = {}) {
    return stop_limits_for(static_cast<std::uint32_t>(control), limit, reported);
  };
  CHECK(of(control::stop, 20s).per_step == 20s);
  CHECK_FALSE(of(control::stop, 20s).total);
  CHECK(of(control::shutdown, 20s).per_step == shutdown_limit);
  CHECK(of(control::shutdown, 1s).per_step == 1s);
  CHECK(*of(control::shutdown, 20s).total < 5s);
  CHECK(of(control::preshutdown, 20s, 10s).per_step == 6s);
  CHECK(of(control::preshutdown, 2s, 10s).per_step == 2s);
  CHECK(*of(control::preshutdown, 20s, 10s).total == 9s);
  CHECK(*of(control::preshutdown, 20s).total == 18s);
}
