// A value, or the reason there is none.
#include "winsvc/base/result.hpp"

#include <doctest/doctest.h>

#include <memory>
#include <string>

using winsvc::failure;
using winsvc::result;

namespace {

result<int> half(int n) {
  if (n % 2 != 0) return failure{winsvc::error{87, "halve", std::to_string(n), "it is odd", ""}};
  return n / 2;
}

result<void> even(int n) {
  if (const auto halved = half(n); !halved) return failure{halved.error()};
  return {};
}

}  // namespace

TEST_CASE("a result is true with a value and false with a reason") {
  CHECK(half(8));
  CHECK(*half(8) == 4);

  const auto odd = half(7);
  REQUIRE_FALSE(odd);
  CHECK(odd.error().to_string() == "halve '7': it is odd (87)");
}

TEST_CASE("a reason is handed on as it was") {
  CHECK(even(2));
  REQUIRE_FALSE(even(3));
  CHECK(even(3).error().code == 87);
}

TEST_CASE("a value that cannot be copied is moved out") {
  const auto make = []() -> result<std::unique_ptr<int>> { return std::make_unique<int>(5); };

  const std::unique_ptr<int> result = *make();

  CHECK(*result == 5);
}

TEST_CASE("a result of the reason's own type knows which side it is") {
  const result<std::uint32_t, std::uint32_t> value = 5u;
  const result<std::uint32_t, std::uint32_t> reason = failure<std::uint32_t>{5};
  CHECK(value);
  CHECK_FALSE(reason);
  CHECK(reason.error() == 5);
}

TEST_CASE("members are reached through the arrow, and a value can be changed in place") {
  result<std::string> text = std::string("ab");
  text->push_back('c');
  *text += 'd';
  CHECK(*text == "abcd");
  const auto& fixed = text;
  CHECK(fixed->size() == 4);
}

TEST_CASE("a bare system code is a reason too") {
  const result<void, std::uint32_t> denied = failure<std::uint32_t>{5};
  CHECK_FALSE(denied);
  CHECK(denied.error() == 5);
  CHECK(result<void, std::uint32_t>());
}
