// Tests of the types of values in a path or a query.
#include "winsvc/route/metadata.hpp"

#include <doctest/doctest.h>

#include <cstdint>
#include <string>

using namespace winsvc::detail::route;

TEST_CASE("the kind of a value follows from its C++ type") {
  CHECK(kind_of_value<bool>() == value_kind::boolean);
  CHECK(kind_of_value<float>() == value_kind::number);
  CHECK(kind_of_value<double>() == value_kind::number);
  CHECK(kind_of_value<std::string>() == value_kind::text);
  CHECK(kind_of_value<std::int16_t>() == value_kind::int32);
  CHECK(kind_of_value<std::int32_t>() == value_kind::int32);
  CHECK(kind_of_value<std::int64_t>() == value_kind::int64);
  CHECK(kind_of_value<std::uint16_t>() == value_kind::uint32);
  CHECK(kind_of_value<std::uint32_t>() == value_kind::uint32);
  CHECK(kind_of_value<std::uint64_t>() == value_kind::uint64);
}

TEST_CASE("a parameter accepts the texts of its type only") {
  struct { value_kind kind; const char* text; bool expected; } const cases[] = {
      {value_kind::int32, "-2147483648", true},          {value_kind::int32, "2147483648", false},
      {value_kind::int64, "2147483648", true},           {value_kind::int64, "9223372036854775808", false},
      {value_kind::uint32, "4294967295", true},          {value_kind::uint32, "4294967296", false},
      {value_kind::uint32, "-1", false},                 {value_kind::uint64, "18446744073709551615", true},
      {value_kind::uint64, "18446744073709551616", false}, {value_kind::int32, "7x", false},
      {value_kind::int32, "", false},                    {value_kind::number, "-1.5e3", true},
      {value_kind::number, "1.5.", false},               {value_kind::boolean, "true", true},
      {value_kind::boolean, "false", true},              {value_kind::boolean, "True", false},
      {value_kind::boolean, "1", false},                 {value_kind::text, "", true},
      {value_kind::text, "any text", true},
  };
  for (const auto& c : cases) {
    CAPTURE(c.text);
    CHECK(accepts_text(c.kind, c.text) == c.expected);
  }
}

TEST_CASE("a kind has a description for error messages") {
  for (const auto kind : {value_kind::int32, value_kind::int64})
    CHECK(describe(kind) == "a whole number, or is too large");
  for (const auto kind : {value_kind::uint32, value_kind::uint64})
    CHECK(describe(kind) == "a whole number from 0 on, or is too large");
  CHECK(describe(value_kind::number) == "a number");
  CHECK(describe(value_kind::boolean) == "true or false");
  CHECK(describe(value_kind::text) == "text");
}

TEST_CASE("a kind has a JSON Schema, which may have a default") {
  CHECK(value_schema(value_kind::int32) == R"({"type":"integer","format":"int32"})");
  CHECK(value_schema(value_kind::int64, "7") == R"({"type":"integer","format":"int64","default":7})");
  CHECK(value_schema(value_kind::uint32) == R"({"type":"integer","minimum":0,"maximum":4294967295})");
  CHECK(value_schema(value_kind::uint64) == R"({"type":"integer","minimum":0})");
  CHECK(value_schema(value_kind::number) == R"({"type":"number","format":"double"})");
  CHECK(value_schema(value_kind::boolean) == R"({"type":"boolean"})");
  CHECK(value_schema(value_kind::text, R"("a")") == R"({"type":"string","default":"a"})");
  CHECK(enum_schema({"a", "b"}) == R"({"type":"string","enum":["a","b"]})");
}

TEST_CASE("members that are added to a schema replace the limits of its type") {
  CHECK(with_schema_members("", "") == "");
  CHECK(with_schema_members(R"({"type":"string"})", "") == R"({"type":"string"})");
  CHECK(with_schema_members("", R"("minLength":1)") == R"({"minLength":1})");
  CHECK(with_schema_members("{}", R"("minLength":1)") == R"({"minLength":1})");
  CHECK(with_schema_members(R"({"type":"string"})", R"("minLength":1)") == R"({"type":"string","minLength":1})");
  const std::string limits = value_schema(value_kind::uint32, "5");
  CHECK(with_schema_members(limits, R"("minimum":1)") ==
        R"({"type":"integer","maximum":4294967295,"default":5,"minimum":1})");
  CHECK(with_schema_members(limits, R"("minimum":1,"maximum":9)") ==
        R"({"type":"integer","default":5,"minimum":1,"maximum":9})");
  CHECK(with_schema_members(limits, R"("maximum":9)") == R"({"type":"integer","minimum":0,"default":5,"maximum":9})");
  CHECK(with_schema_members(value_schema(value_kind::uint64), R"("minimum":1)") ==
        R"({"type":"integer","minimum":1})");
}

TEST_CASE("a route is in the OpenAPI document, not deprecated, and has status 200 unless it states otherwise") {
  const route_metadata none;
  CHECK_FALSE(none.hidden);
  CHECK_FALSE(none.deprecated);
  CHECK_FALSE(none.sets_status);
  CHECK_FALSE(none.returns_optional);
  CHECK_FALSE(none.accepts_json);
  CHECK_FALSE(none.accepts_upload);
  CHECK(none.response == response_kind::unknown);
  const parameter_metadata parameter;
  CHECK(parameter.source == "query");
  CHECK_FALSE(parameter.required);
  CHECK_FALSE(parameter.is_argument);
}
