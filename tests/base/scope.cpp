// What is done when a scope is left.
#include "winsvc/base/scope.hpp"

#include <doctest/doctest.h>

#include <memory>
#include <stdexcept>
#include <string>

using winsvc::scope_exit;

TEST_CASE("a scope's end is reached on every path out of it") {
  int runs = 0;
  const auto leave = [&runs](int how) {
    const scope_exit at_end([&runs] { ++runs; });
    if (how == 0) return;
    if (how == 1) throw std::runtime_error("out");
  };
  leave(0);
  leave(2);
  CHECK_THROWS_AS(leave(1), std::runtime_error);
  CHECK(runs == 3);
}

TEST_CASE("scopes end in reverse order") {
  std::string order;
  {
    const scope_exit first([&] { order += 'a'; });
    const scope_exit second([&] { order += 'b'; });
    CHECK(order.empty());
  }
  CHECK(order == "ba");
}

TEST_CASE("a callable that can only be moved is taken") {
  int seen = 0;
  { const scope_exit at_end([&seen, owned = std::make_unique<int>(7)] { seen = *owned; }); }
  CHECK(seen == 7);
}
