// Tests of the parser for flat JSON objects.
#include "winsvc/base/flat_json.hpp"

#include <doctest/doctest.h>

#include <string>

#include "winsvc/base/json_writer.hpp"

using winsvc::detail::base::json_object_writer;
using winsvc::detail::base::number_of;
using winsvc::detail::base::parse_flat_object;
using winsvc::detail::base::text_of;

TEST_CASE("an object has strings and numbers, in any order, with or without a line end") {
  for (const char* end : {"", "\n", "\r\n", "\n\n"}) {
    const auto object = parse_flat_object(std::string(R"({"url":"http://h","pid":7,"":"","zero":0})") + end);
    REQUIRE(object);
    CHECK(object->size() == 4);
    CHECK(text_of(*object, "url") == "http://h");
    CHECK_FALSE(object->at("url").is_number);
    CHECK(number_of(*object, "pid") == 7);
    CHECK(text_of(*object, "pid") == "7");
    CHECK(object->at("pid").is_number);
    CHECK(object->count("") == 1);
    CHECK(number_of(*object, "zero") == 0);
  }
  REQUIRE(parse_flat_object("{}"));
  CHECK(parse_flat_object("{}")->empty());
  CHECK_FALSE(winsvc::detail::base::flat_value{}.is_number);
}

TEST_CASE("a missing member is an empty text and 0, and so is the number of a text") {
  const auto object = parse_flat_object(R"({"name":"seven","largest":18446744073709551615})");
  REQUIRE(object);
  CHECK(text_of(*object, "other").empty());
  CHECK(number_of(*object, "other") == 0);
  CHECK(number_of(*object, "name") == 0);
  CHECK(number_of(*object, "largest") == 18446744073709551615u);
}

TEST_CASE("each character that json_quoted writes is read") {
  std::string all;
  for (int c = 0; c < 128; ++c) all += static_cast<char>(c);
  all += "Z\xC3\xBCrich";
  json_object_writer writer;
  writer.put_text(all, all).put("n", "12").put_text("last", "\\");
  const auto object = parse_flat_object(writer.text());
  REQUIRE(object);
  CHECK(object->size() == 3);
  CHECK(text_of(*object, all) == all);
  CHECK(number_of(*object, "n") == 12);
  CHECK(text_of(*object, "last") == "\\");
  CHECK(text_of(parse_flat_object(R"({"a":"\u0009\u001f\u00ff\u000a"})").value(), "a") == "\t\x1F\xFF\n");
}

TEST_CASE("any other JSON and any malformed text is rejected") {
  for (const char* text : {"", "{", "}", "[]", "7", "{}x", "x{}", "\n", " {}", R"({"a":1)", R"("a":1})", R"([{"a":1}])",
                           R"({a:1})", R"({"a"})", R"({"a")", R"({"a":})", R"({"a":1,})", R"({,"a":1})",
                           R"({"a":1,,"b":2})", R"({"a":1 ,"b":2})", R"({"a" :1})", R"({ "a":1})", R"({"a"=1})",
                           R"({"a":-1})", R"({"a":1.5})", R"({"a":true})", R"({"a":null})", R"({"a":{}})",
                           R"({"a":[]})", R"({"a":"b"x})", R"({"a":"b""c":1})", R"({"a":"b})", R"({"a:1})",
                           R"({"a":1"b":2})",
                           R"({"a":18446744073709551616})", R"({"a":"\b"})", R"({"a":"\/"})", R"({"a":"\x"})",
                           R"({"a":"\)", R"({"a":"\u"})", R"({"a":"\u00"})", R"({"a":"\u000"})", R"({"a":"\u00g0"})",
                           R"({"a":"\u000g"})", R"({"a":"\u000`"})", R"({"a":"\u0100"})", R"({"a":"\u1000"})",
                           R"({"a":"\u001F"})", R"({"a":"\)" "\"}", R"({"a":"\u0001)", R"({"a":"\u0001})"}) {
    CAPTURE(text);
    CHECK_FALSE(parse_flat_object(text));
  }
}

TEST_CASE("the last of several members with the same name counts") {
  const auto object = parse_flat_object(R"({"a":1,"a":"two"})");
  REQUIRE(object);
  CHECK(object->size() == 1);
  CHECK(text_of(*object, "a") == "two");
}
