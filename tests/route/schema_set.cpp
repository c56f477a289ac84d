// Tests of schema_set.
#include "winsvc/route/schema_set.hpp"

#include <doctest/doctest.h>

#include <string>

using winsvc::detail::route::schema_set;

TEST_CASE("a named schema is made once, and each use of its type refers to it") {
  schema_set set;
  const int item = 0;
  int made = 0;
  const auto make = [&] {
    ++made;
    return std::string(R"({"type":"object"})");
  };
  CHECK(set.reference(&item, "item", make) == R"({"$ref":"#/components/schemas/item"})");
  CHECK(set.reference(&item, "item", make) == R"({"$ref":"#/components/schemas/item"})");
  CHECK(made == 1);
  CHECK(set.text() == R"({"item":{"type":"object"}})");
}

TEST_CASE("types with the same name get different names for their schemas") {
  schema_set set;
  const int types[3] = {};
  set.add("problem", "{}");
  const auto make = [] { return std::string("true"); };
  CHECK(set.reference(&types[0], "item", make) == R"({"$ref":"#/components/schemas/item"})");
  CHECK(set.reference(&types[1], "item", make) == R"({"$ref":"#/components/schemas/item_2"})");
  CHECK(set.reference(&types[2], "item", make) == R"({"$ref":"#/components/schemas/item_3"})");
  CHECK(set.reference(&types[1], "item", make) == R"({"$ref":"#/components/schemas/item_2"})");
  CHECK(set.text() == R"({"problem":{},"item":true,"item_2":true,"item_3":true})");
}

TEST_CASE("the schema of a type may refer to itself and to other types") {
  schema_set set;
  const int node = 0, leaf = 0;
  const auto make_leaf = [] { return std::string("1"); };
  const auto make_node = [&] {
    return "[" + set.reference(&node, "node", [] { return std::string("not called"); }) + "," +
           set.reference(&leaf, "leaf", make_leaf) + "]";
  };
  CHECK(set.reference(&node, "node", make_node) == R"({"$ref":"#/components/schemas/node"})");
  CHECK(set.text() ==
        R"({"node":[{"$ref":"#/components/schemas/node"},{"$ref":"#/components/schemas/leaf"}],"leaf":1})");
}
