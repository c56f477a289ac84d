// Fields of queries and forms.
#include "winsvc/wire/fields.hpp"

#include <doctest/doctest.h>

#include <string>
#include <vector>

using namespace winsvc::wire;
using std::string;

TEST_CASE("a field is found by its name and decoded, as browsers encode it") {
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

TEST_CASE("a name that is not there is not found, however like it others are") {
  for (const char* none : {"", "&", "=", "ab=1", "b=a", "A=1", "b=1&c=a=2", "%2561=1", "a%00=1"}) {
    CAPTURE(none);
    CHECK(!find_field(none, "a"));
    CHECK(find_fields(none, "a").empty());
  }
  CHECK(!find_field("a+b=1", "a+b"));
}

TEST_CASE("fields of one name are all there, equal ones too") {
  CHECK(find_fields("a=1&b=2&a=1&a=3&%61", "a") == std::vector<string>{"1", "1", "3", ""});
}

TEST_CASE("fields are counted without taking them apart") {
  CHECK(field_count("") == 0);
  CHECK(field_count("a=1") == 1);
  CHECK(field_count("a=1&b&") == 3);
}

TEST_CASE("the query of a target is what is behind its first question mark") {
  CHECK(query_component("/a?b=c?d") == "b=c?d");
  CHECK(query_component("/a?") == "");
  CHECK(query_component("/a") == "");
}
