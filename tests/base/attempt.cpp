// Tests of attempt.
#include "winsvc/base/attempt.hpp"

#include <doctest/doctest.h>

#include <stdexcept>

using winsvc::detail::base::attempt;

TEST_CASE("an attempt returns whether its function returned, and ends each exception") {
  bool ran = false;
  CHECK(attempt([&] { ran = true; }));
  CHECK(ran);
  CHECK_FALSE(attempt([] { throw std::runtime_error("out"); }));
  CHECK_FALSE(attempt([] { throw 1; }));
}
