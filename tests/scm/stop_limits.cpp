// Time limits of a stop.
#include "winsvc/scm/stop_limits.hpp"

#include <doctest/doctest.h>

#include <chrono>

using namespace std::chrono_literals;
using namespace winsvc::detail::scm;

TEST_CASE("STOP has the app's limit, SHUTDOWN a fixed limit, PRESHUTDOWN a part of its timeout") {
  const auto limits = [](control control, std::chrono::milliseconds limit,
                         std::optional<std::chrono::milliseconds> preshutdown = {}) {
    return stop_limits_for(static_cast<std::uint32_t>(control), limit, preshutdown);
  };
  CHECK(limits(control::stop, 20s).step_limit == 20s);
  CHECK_FALSE(limits(control::stop, 20s).total);
  CHECK(limits(control::shutdown, 20s).step_limit == shutdown_limit);
  CHECK(limits(control::shutdown, 1s).step_limit == 1s);
  CHECK(*limits(control::shutdown, 20s).total < 5s);
  CHECK(limits(control::preshutdown, 20s, 10s).step_limit == 6s);
  CHECK(limits(control::preshutdown, 2s, 10s).step_limit == 2s);
  CHECK(*limits(control::preshutdown, 20s, 10s).total == 9s);
  CHECK(*limits(control::preshutdown, 20s).total == 18s);
}
