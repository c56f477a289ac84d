// Tests of rules: which values a limit allows, and which limits are rejected.
#include "winsvc/settings/rule.hpp"

#include <doctest/doctest.h>

#include <cstdint>
#include <string>

using namespace winsvc;
using winsvc::detail::settings::rule_for;

TEST_CASE("a limit may be 0, below 0 for a signed type, and a fraction for a double") {
  CHECK(rule_for<int>(above(0)).predicate(1));
  CHECK_FALSE(rule_for<int>(above(0)).predicate(0));
  CHECK(rule_for<int>(at_least(0)).requirement == "be at least 0");
  CHECK(rule_for<unsigned>(at_least(0)).predicate(0U));
  CHECK(rule_for<int>(at_most(-1)).predicate(-1));
  CHECK_FALSE(rule_for<int>(at_most(-1)).predicate(0));
  CHECK_FALSE(rule_for<double>(below(0.5)).predicate(0.5));
  CHECK_FALSE(rule_for<std::string>(above(0)).predicate(""));
}

TEST_CASE("a limit that the type of the value cannot hold is rejected") {
  CHECK_THROWS_AS(static_cast<void>(rule_for<unsigned>(at_least(-1))), setup_error);
  CHECK_THROWS_AS(static_cast<void>(rule_for<std::uint8_t>(at_most(300))), setup_error);
  CHECK_THROWS_AS(static_cast<void>(rule_for<int>(above(0.5))), setup_error);
  CHECK_THROWS_AS(static_cast<void>(rule_for<int>(at_most(4294967295U))), setup_error);
  CHECK_THROWS_AS(static_cast<void>(rule_for<std::string>(at_least(-1))), setup_error);
}
