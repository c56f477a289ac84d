// Tests of scope_exit.
#include "winsvc/base/scope.hpp"

#include <doctest/doctest.h>

#include <memory>
#include <stdexcept>
#include <string>

using winsvc::scope_exit;

TEST_CASE("the callable runs at the end of the scope, on return, on an exception and at the last statement") {
  int runs = 0;
  enum class path { early_return, exception, last_statement };
  const auto leave_scope = [&runs](path p) {
    const scope_exit at_end([&runs] { ++runs; });
    if (p == path::early_return) return;
    if (p == path::exception) throw std::runtime_error("out");
  };
  leave_scope(path::early_return);
  leave_scope(path::last_statement);
  CHECK_THROWS_AS(leave_scope(path::exception), std::runtime_error);
  CHECK(runs == 3);
}

TEST_CASE("callables of one scope run in reverse order") {
  std::string order;
  {
    const scope_exit first([&] { order += 'a'; });
    const scope_exit second([&] { order += 'b'; });
    CHECK(order.empty());
  }
  CHECK(order == "ba");
}

TEST_CASE("a callable that can only be moved is accepted") {
  int seen = 0;
  { const scope_exit at_end([&seen, owned = std::make_unique<int>(7)] { seen = *owned; }); }
  CHECK(seen == 7);
}
