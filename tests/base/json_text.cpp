// JSON, written.
#include "winsvc/base/json_text.hpp"

#include <doctest/doctest.h>

#include <string>
#include <vector>

using winsvc::text::json_list;
using winsvc::text::json_object;

TEST_CASE("an object has its members in the order they were put, texts quoted, empty ones left out where asked") {
  json_object o;
  CHECK(o.text() == "{}");
  o.put("n", "7").put_text("a \"b\"", "line\nfeed").put_some("none", "").put_some("some", "x").put_text("empty", "");

  CHECK(o.text() == R"({"n":7,"a \"b\"":"line\nfeed","some":"x","empty":""})");
}

TEST_CASE("a list has what was made of each item") {
  const auto number = [](int n) { return std::to_string(n); };
  CHECK(json_list(std::vector<int>{}, number) == "[]");
  CHECK(json_list(std::vector<int>{1, 2, 3}, number) == "[1,2,3]");
  CHECK(json_list(std::vector<int>{1, 2}, number, ",\n ") == "[1,\n 2]");
}
