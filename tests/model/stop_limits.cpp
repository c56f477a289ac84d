// How long a stop may take.
#include "winsvc/model/stop_limits.hpp"

#include <doctest/doctest.h>

#include <chrono>

using namespace std::chrono_literals;
using namespace winsvc::model;

TEST_CASE("a stop has the app's limit, a shutdown what the system leaves, a preshutdown a part of what it was told") {
  const auto of = [](control what, std::chrono::milliseconds limit, std::optional<std::chrono::milliseconds> told = {}) {
    return stop_limits_for(static_cast<std::uint32_t>(what), limit, told);
  };
  CHECK(of(control::stop, 20s).each == 20s);
  CHECK_FALSE(of(control::stop, 20s).in_all);
  CHECK(of(control::shutdown, 20s).each == hurried_limit);
  CHECK(of(control::shutdown, 1s).each == 1s);
  CHECK(*of(control::shutdown, 20s).in_all < 5s);
  CHECK(of(control::preshutdown, 20s, 10s).each == 6s);
  CHECK(of(control::preshutdown, 2s, 10s).each == 2s);
  CHECK(*of(control::preshutdown, 20s, 10s).in_all == 9s);
  CHECK(*of(control::preshutdown, 20s).in_all == 18s);
}
