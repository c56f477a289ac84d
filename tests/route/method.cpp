// Tests of method and method_set.
#include "winsvc/route/method.hpp"

#include <doctest/doctest.h>

using namespace winsvc::detail::route;

TEST_CASE("the methods of RFC 9110 section 9.3 and RFC 5789 are known, except CONNECT and TRACE") {
  struct { const char* text; std::optional<method> expected; } const cases[] = {
      {"GET", method::get},       {"HEAD", method::head}, {"POST", method::post},       {"PUT", method::put},
      {"PATCH", method::patch},   {"DELETE", method::del}, {"OPTIONS", method::options}, {"CONNECT", std::nullopt},
      {"TRACE", std::nullopt},    {"ANY", std::nullopt},  {"", std::nullopt},           {"GETS", std::nullopt},
  };
  for (const auto& c : cases) {
    CAPTURE(c.text);
    CHECK(parse_method(c.text) == c.expected);
    if (c.expected) CHECK(name(*c.expected) == c.text);
  }
}

TEST_CASE("the case of a method matters (RFC 9110 section 9.1)") {
  CHECK_FALSE(parse_method("get"));
  CHECK_FALSE(parse_method("Get"));
}

TEST_CASE("Allow has a fixed order, HEAD if it has GET, and always OPTIONS (RFC 9110 section 10.2.1)") {
  method_set set;
  CHECK(set.empty());
  CHECK(set.allow() == "OPTIONS");

  set.add(method::del);
  set.add(method::get);

  CHECK(set.allow() == "GET, HEAD, DELETE, OPTIONS");
  CHECK(set.has(method::del));
  CHECK_FALSE(set.has(method::post));
  CHECK_FALSE(set.has(method::any));
  for (const auto m : {method::head, method::post, method::put, method::patch, method::options}) set.add(m);
  CHECK(set.has(method::any));
}

TEST_CASE("a set without one of the methods does not have all") {
  for (int missing = 0; missing < 7; ++missing) {
    method_set set;
    for (int i = 0; i < 7; ++i) {
      if (i != missing) set.add(static_cast<method>(i));
    }
    CHECK_FALSE(set.has(method::any));
  }
}

TEST_CASE("any adds all methods") {
  method_set set;
  set.add(method::any);

  CHECK(set.has(method::any));
  CHECK(set.has(method::patch));
  CHECK(set.allow() == "GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS");
}

TEST_CASE("sets can be added and compared") {
  method_set a, b;
  a.add(method::get);
  b.add(method::put);
  CHECK(a != b);

  a.add(b);
  b.add(method::get);

  CHECK(a == b);
}

TEST_CASE("each token except CONNECT and TRACE is a method that a route may have (RFC 9110 section 5.6.2)") {
  for (const char* token : {"GET", "PROPFIND", "M-SEARCH", "azAZ09", "!#$%&'*+-.^_`|~", "TRACES", "connect"}) {
    CAPTURE(token);
    CHECK(is_servable_method(token));
  }
  for (const char* token : {"", "CONNECT", "TRACE", "A B", "A/B", "A:B", "A@B", "A[", "A{", "\x80", "A\x7F"}) {
    CAPTURE(token);
    CHECK_FALSE(is_servable_method(token));
  }
}

TEST_CASE("a set has other methods once each, after the known ones") {
  method_set a, b;
  a.add_other("PROPFIND");
  a.add_other("PROPFIND");
  b.add_other("LOCK");
  CHECK(a != b);
  CHECK(a.has_other("PROPFIND"));
  CHECK_FALSE(a.has_other("LOCK"));
  CHECK_FALSE(a.empty());

  a.add(b);
  a.add(method::put);

  CHECK(a.allow() == "PUT, OPTIONS, PROPFIND, LOCK");
}
