// Tests of json_object_writer and json_array.
#include "winsvc/base/json_writer.hpp"

#include <doctest/doctest.h>

#include <string>
#include <vector>

using winsvc::detail::base::json_array;
using winsvc::detail::base::json_object_writer;

TEST_CASE("members keep the order of the calls; put_text_if_set omits an empty text") {
  json_object_writer o;
  CHECK(o.text() == "{}");
  o.put("n", "7").put_text("a \"b\"", "line\nfeed");
  o.put_text_if_set("none", "").put_text_if_set("some", "x").put_text("empty", "");

  CHECK(o.text() == R"({"n":7,"a \"b\"":"line\nfeed","some":"x","empty":""})");
}

TEST_CASE("an array has the JSON text of each item") {
  const auto number = [](int n) { return std::to_string(n); };
  CHECK(json_array(std::vector<int>{}, number) == "[]");
  CHECK(json_array(std::vector<int>{1, 2, 3}, number) == "[1,2,3]");
  CHECK(json_array(std::vector<int>{1, 2}, number, ",\n ") == "[1,\n 2]");
}
