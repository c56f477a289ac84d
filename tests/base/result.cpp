// Tests of result: a value or an error.
#include "winsvc/base/result.hpp"

#include <doctest/doctest.h>

#include <memory>
#include <string>

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
  const result<std::string> value(std::string(100, 'v'));
  const result<std::string> error(failure{winsvc::error{87, "read", std::string(100, 's'), "it is odd", ""}});
  for (const auto* from : {&value, &error}) {
    for (const auto* to : {&value, &error}) {
      result<std::string> copy(*from);
      copy = *to;
      REQUIRE(static_cast<bool>(copy) == static_cast<bool>(*to));
      if (copy) CHECK(*copy == **to);
      if (!copy) CHECK(copy.error().to_string() == to->error().to_string());
      const result<std::string> moved(std::move(copy));
      CHECK(static_cast<bool>(moved) == static_cast<bool>(*to));
    }
  }
}

TEST_CASE("a result destroys its value once") {
  const auto counted = std::make_shared<int>(1);
  {
    result<std::shared_ptr<int>> first(counted);
    result<std::shared_ptr<int>> second(first);
    CHECK(counted.use_count() == 3);
    first = failure{winsvc::error{87, "read", "", "it is odd", ""}};
    CHECK(counted.use_count() == 2);
    second = std::move(first);
    CHECK(counted.use_count() == 1);
    CHECK_FALSE(second);
  }
  CHECK(counted.use_count() == 1);
}
