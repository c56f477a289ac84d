// What a request line may name, and what Allow says.
#include "winsvc/route/method.hpp"

#include <doctest/doctest.h>

using namespace winsvc::route;

TEST_CASE("the methods of RFC 9110 §9.3 and RFC 5789 are known, CONNECT and TRACE are not") {
  struct { const char* text; std::optional<method> is; } const cases[] = {
      {"GET", method::get},       {"HEAD", method::head}, {"POST", method::post},       {"PUT", method::put},
      {"PATCH", method::patch},   {"DELETE", method::del}, {"OPTIONS", method::options}, {"CONNECT", std::nullopt},
      {"TRACE", std::nullopt},    {"ANY", std::nullopt},  {"", std::nullopt},           {"GETS", std::nullopt},
  };
  for (const auto& c : cases) {
    CAPTURE(c.text);
    CHECK(parse_method(c.text) == c.is);
    if (c.is) CHECK(name(*c.is) == c.text);
  }
}

TEST_CASE("a method's case counts (RFC 9110 §9.1)") {
  CHECK_FALSE(parse_method("get"));
  CHECK_FALSE(parse_method("Get"));
}

TEST_CASE("Allow is in one order, adds HEAD to GET, and always has OPTIONS (RFC 9110 §10.2.1)") {
  method_set set;
  CHECK(set.empty());
  CHECK(set.allow() == "OPTIONS");

  set.add(method::del);
  set.add(method::get);

  CHECK(set.allow() == "GET, HEAD, DELETE, OPTIONS");
  CHECK(set.has(method::del));
  CHECK_FALSE(set.has(method::post));
  CHECK_FALSE(set.has(method::any));
}

TEST_CASE("any stands for all of them") {
  method_set set;
  set.add(method::any);

  CHECK(set.has(method::any));
  CHECK(set.has(method::patch));
  CHECK(set.allow() == "GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS");
}

TEST_CASE("sets add up and compare") {
  method_set a, b;
  a.add(method::get);
  b.add(method::put);
  CHECK(a != b);

  a.add(b);
  b.add(method::get);

  CHECK(a == b);
}
