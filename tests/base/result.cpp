// Tests of result: a value or an error.
#include "winsvc/base/result.hpp"

#include <doctest/doctest.h>

#include <memory>
#include <stdexcept>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

using winsvc::failure;
using winsvc::result;

namespace {

result<int> halve(int n) {
  if (n % 2 != 0) return failure{winsvc::error{87, "halve", std::to_string(n), "it is odd", ""}};
  return n / 2;
}

result<void> check_even(int n) {
  if (const auto halved = halve(n); !halved) return failure{halved.error()};
  return {};
}

}  // namespace

TEST_CASE("a result is true with a value and false with an error") {
  CHECK(halve(8));
  CHECK(*halve(8) == 4);

  const auto odd = halve(7);
  REQUIRE_FALSE(odd);
  CHECK(odd.error().to_string() == "halve '7': it is odd (87)");
}

TEST_CASE("an error is passed on unchanged") {
  CHECK(check_even(2));
  REQUIRE_FALSE(check_even(3));
  CHECK(check_even(3).error().code == 87);
}

TEST_CASE("a value that cannot be copied is moved out of a temporary result") {
  const auto make = []() -> result<std::unique_ptr<int>> { return std::make_unique<int>(5); };

  const std::unique_ptr<int> result = *make();

  CHECK(*result == 5);
}

TEST_CASE("the value and the error may have the same type") {
  const result<std::uint32_t, std::uint32_t> value = 5u;
  const result<std::uint32_t, std::uint32_t> failed = failure<std::uint32_t>{5};
  CHECK(value);
  CHECK_FALSE(failed);
  CHECK(failed.error() == 5);
}

TEST_CASE("the operators -> and * give access to the value, which can be changed") {
  result<std::string> text = std::string("ab");
  text->push_back('c');
  *text += 'd';
  CHECK(*text == "abcd");
  const auto& constant = text;
  CHECK(constant->size() == 4);
}

TEST_CASE("the error may be a system code") {
  const result<void, std::uint32_t> denied = failure<std::uint32_t>{5};
  CHECK_FALSE(denied);
  CHECK(denied.error() == 5);
  CHECK(result<void, std::uint32_t>());
}

TEST_CASE("a result can be copied, moved and assigned, between a value and an error") {
  const auto make = [](bool has_value) -> result<std::string> {
    if (has_value) return std::string(100, 'v');
    return failure{winsvc::error{87, "read", std::string(100, 's'), "it is odd", ""}};
  };
  for (const bool from : {true, false}) {
    for (const bool to : {true, false}) {
      auto target = make(from);
      target = make(to);
      const result<std::string> copy(target), moved(std::move(target));
      CHECK(static_cast<bool>(copy) == to);
      if (to) CHECK(*copy == *moved);
      REQUIRE(static_cast<bool>(moved) == to);
      if (to) CHECK(*moved == std::string(100, 'v'));
      if (!to) CHECK(moved.error().subject == std::string(100, 's'));
    }
  }
  static_assert(std::is_copy_constructible_v<result<std::string>>);
  static_assert(!std::is_copy_constructible_v<result<std::unique_ptr<int>>>);
  std::vector<result<std::unique_ptr<int>>> list;
  for (int i = 0; i < 3; ++i) list.push_back(std::make_unique<int>(i));
  CHECK(**list[2] == 2);
}

TEST_CASE("a result destroys its value once") {
  const auto counted = std::make_shared<int>(1);
  {
    result<std::shared_ptr<int>> first(counted);
    result<std::shared_ptr<int>> second(std::move(first));
    CHECK(counted.use_count() == 2);
    second = std::shared_ptr<int>(counted);
    CHECK(counted.use_count() == 2);
    second = failure{winsvc::error{87, "read", "", "it is odd", ""}};
    CHECK(counted.use_count() == 1);
    CHECK_FALSE(second);
  }
  CHECK(counted.use_count() == 1);
}

TEST_CASE("a result whose value throws when it is moved has an error without text") {
  struct thrower {
    explicit thrower(bool value) : throws(value) {}
    thrower(thrower&& other) : throws(other.throws) {
      if (throws) throw std::runtime_error("moved");
    }
    thrower& operator=(thrower&&) = delete;
    bool throws;
  };
  result<thrower> source(thrower(false)), target(thrower(false));
  source->throws = true;
  CHECK_THROWS_AS(target = std::move(source), std::runtime_error);
  REQUIRE_FALSE(target);
  CHECK(target.error().to_string().empty());
}
