// Tests of the parser for queries and URL-encoded forms.
#include "winsvc/wire/fields.hpp"

#include <doctest/doctest.h>

#include <string>
#include <vector>

using namespace winsvc::detail::wire;
using std::string;

TEST_CASE("a field is found by its name and its value is decoded") {
  struct { const char* fields; const char* name; const char* value; } const cases[] = {
      {"a=1", "a", "1"},
      {"a=1&b=x+y", "b", "x y"},
      {"a=%C3%BC%26%3d%2B", "a", "\xC3\xBC&=+"},
      {"a+b=1", "a b", "1"},
      {"%61=1", "a", "1"},
      {"a=1&a=2", "a", "1"},
      {"a=b=c", "a", "b=c"},
      {"a", "a", ""},
      {"a=", "a", ""},
      {"&&a=1&", "a", "1"},
      {"a=100%", "a", "100%"},
      {"a=%4", "a", "%4"},
      {"a=%zz%41", "a", "%zzA"},
  };
  for (const auto& c : cases) {
    CAPTURE(c.fields);
    CHECK(find_field(c.fields, c.name) == string(c.value));
  }
  CHECK(find_field("a=x%00y", "a") == string("x\0y", 3));
}

TEST_CASE("a similar name is not found") {
  for (const char* fields : {"", "&", "=", "ab=1", "b=a", "A=1", "b=1&c=a=2", "%2561=1", "a%00=1"}) {
    CAPTURE(fields);
    CHECK(!find_field(fields, "a"));
    CHECK(find_fields(fields, "a").empty());
  }
  CHECK(!find_field("a+b=1", "a+b"));
}

TEST_CASE("all fields of a name are returned, including equal values") {
  CHECK(find_fields("a=1&b=2&a=1&a=3&%61", "a") == std::vector<string>{"1", "1", "3", ""});
}

TEST_CASE("field_count also counts empty fields") {
  CHECK(field_count("") == 0);
  CHECK(field_count("a=1") == 1);
  CHECK(field_count("a=1&b&") == 3);
}

TEST_CASE("the query of a target starts after the first question mark") {
  CHECK(query_component("/a?b=c?d") == "b=c?d");
  CHECK(query_component("/a?") == "");
  CHECK(query_component("/a") == "");
}
