// Tests of rules: which values a limit allows, and which limits are rejected.
#include "winsvc/settings/rule.hpp"

#include <doctest/doctest.h>

#include <chrono>
#include <cstdint>
#include <string>
#include <vector>

using namespace std::chrono_literals;
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
  CHECK_THROWS_AS(static_cast<void>(rule_for<byte_size>(at_most(-1))), setup_error);
  CHECK_THROWS_AS(static_cast<void>(rule_for<byte_size>(between(0, 0.5))), setup_error);
}

TEST_CASE("a rule has a sentence for messages and members of a JSON Schema") {
  using list = std::vector<std::string>;
  const auto is_even = [](int n) { return n % 2 == 0; };
  struct { std::string requirement, schema, expected_requirement, expected_schema; } const rows[] = {
      {rule_for<int>(at_least(1)).requirement, rule_for<int>(at_least(1)).schema, "be at least 1", R"("minimum":1)"},
      {rule_for<int>(at_most(9)).requirement, rule_for<int>(at_most(9)).schema, "be at most 9", R"("maximum":9)"},
      {rule_for<int>(above(0)).requirement, rule_for<int>(above(0)).schema, "be above 0", R"("exclusiveMinimum":0)"},
      {rule_for<double>(below(0.5)).requirement, rule_for<double>(below(0.5)).schema, "be below 0.5",
       R"("exclusiveMaximum":0.5)"},
      {rule_for<std::chrono::seconds>(at_most(1min)).requirement, rule_for<std::chrono::seconds>(at_most(1min)).schema,
       "be at most 1m", ""},
      {rule_for<std::string>(at_least(1)).requirement, rule_for<std::string>(at_least(1)).schema,
       "have at least 1 character", R"("minLength":1)"},
      {rule_for<std::string>(at_most(5)).requirement, rule_for<std::string>(at_most(5)).schema,
       "have at most 5 characters", R"("maxLength":5)"},
      {rule_for<std::string>(above(1)).requirement, rule_for<std::string>(above(1)).schema,
       "have more than 1 character", R"("minLength":2)"},
      {rule_for<std::string>(below(2)).requirement, rule_for<std::string>(below(2)).schema,
       "have less than 2 characters", R"("maxLength":1)"},
      {rule_for<std::string>(below(0)).requirement, rule_for<std::string>(below(0)).schema,
       "have less than 0 characters", R"("maxLength":0)"},
      {rule_for<std::string>(below(1)).requirement, rule_for<std::string>(below(1)).schema,
       "have less than 1 character", R"("maxLength":0)"},
      {rule_for<list>(above(0)).requirement, rule_for<list>(above(0)).schema, "have more than 0 items",
       R"("minItems":1)"},
      {rule_for<list>(at_least(1)).requirement, rule_for<list>(at_least(1)).schema, "have at least 1 item",
       R"("minItems":1)"},
      {rule_for<list>(at_most(3)).requirement, rule_for<list>(at_most(3)).schema, "have at most 3 items",
       R"("maxItems":3)"},
      {rule_for<std::chrono::seconds>(between(1s, 1min)).requirement,
       rule_for<std::chrono::seconds>(between(1s, 1min)).schema, "lie between 1s and 1m", ""},
      {rule_for<byte_size>(at_least(1024)).requirement, rule_for<byte_size>(at_least(1024)).schema, "be at least 1k",
       ""},
      {rule_for<int>(satisfies(is_even, "be even")).requirement, rule_for<int>(satisfies(is_even, "be even")).schema,
       "be even", ""},
      {rule_for<int>(between(1, 9)).requirement, rule_for<int>(between(1, 9)).schema, "lie between 1 and 9",
       R"("minimum":1,"maximum":9)"},
      {rule_for<std::string>(between(1, 9)).requirement, rule_for<std::string>(between(1, 9)).schema,
       "have between 1 and 9 characters", R"("minLength":1,"maxLength":9)"},
      {rule_for<list>(between(1, 9)).requirement, rule_for<list>(between(1, 9)).schema,
       "have between 1 and 9 items", R"("minItems":1,"maxItems":9)"},
      {rule_for<int>(one_of(1, 2)).requirement, rule_for<int>(one_of(1, 2)).schema, "be one of 1, 2",
       R"("enum":[1,2])"},
      {rule_for<std::string>(one_of("a", "b")).requirement, rule_for<std::string>(one_of("a", "b")).schema,
       "be one of a, b", R"("enum":["a","b"])"},
      {rule_for<std::string>(matches("[a-z]+")).requirement, rule_for<std::string>(matches("[a-z]+")).schema,
       "match the pattern [a-z]+", R"("pattern":"^(?:[a-z]+)$")"},
  };
  for (const auto& row : rows) {
    CHECK(row.requirement == row.expected_requirement);
    CHECK(row.schema == row.expected_schema);
  }
}

TEST_CASE("a rule allows its limit or not, and counts the characters of a text and the items of a list") {
  using list = std::vector<std::string>;
  CHECK(rule_for<int>(at_least(2)).predicate(2));
  CHECK_FALSE(rule_for<int>(at_least(2)).predicate(1));
  CHECK(rule_for<int>(at_most(2)).predicate(2));
  CHECK_FALSE(rule_for<int>(at_most(2)).predicate(3));
  CHECK(rule_for<int>(above(2)).predicate(3));
  CHECK_FALSE(rule_for<int>(above(2)).predicate(2));
  CHECK(rule_for<int>(below(2)).predicate(1));
  CHECK_FALSE(rule_for<int>(below(2)).predicate(2));
  for (const int n : {0, 1, 5, 6}) CHECK(rule_for<int>(between(1, 5)).predicate(n) == (n >= 1 && n <= 5));
  CHECK(rule_for<std::chrono::seconds>(at_most(1min)).predicate(60s));
  CHECK_FALSE(rule_for<std::chrono::seconds>(at_most(1min)).predicate(61s));
  CHECK(rule_for<std::string>(at_most(2)).predicate("\xC3\xBC\xC3\xBC"));
  CHECK_FALSE(rule_for<std::string>(at_most(2)).predicate("abc"));
  CHECK(rule_for<list>(at_least(2)).predicate({"", ""}));
  CHECK_FALSE(rule_for<list>(at_least(2)).predicate({"ab"}));
  for (const auto& text : list{"", "abc"}) CHECK_FALSE(rule_for<std::string>(between(1, 2)).predicate(text));
  CHECK(rule_for<std::string>(between(1, 2)).predicate("\xC3\xBC\xC3\xBC"));
  CHECK_FALSE(rule_for<byte_size>(at_most(1024)).predicate(1025));
  CHECK(rule_for<int>(one_of(1, 4)).predicate(1));
  CHECK(rule_for<int>(one_of(1, 4)).predicate(4));
  CHECK_FALSE(rule_for<int>(one_of(1, 4)).predicate(3));
  CHECK(rule_for<std::string>(matches("[a-z]+")).predicate("abc"));
  CHECK_FALSE(rule_for<std::string>(matches("[a-z]+")).predicate("abc1"));
}
