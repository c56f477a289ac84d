// Conditions of requests, by RFC 9110's own words.
#include <winsvc/wire/conditional.hpp>

#include <doctest/doctest.h>

using namespace winsvc::wire;

TEST_CASE("a date has three forms, and all of them are taken") {
  // RFC 9110 §5.6.7's examples: one moment.
  CHECK(parse_http_date("Sun, 06 Nov 1994 08:49:37 GMT") == 784111777);
  CHECK(parse_http_date("Sunday, 06-Nov-94 08:49:37 GMT") == 784111777);
  CHECK(parse_http_date("Sun Nov  6 08:49:37 1994") == 784111777);
  CHECK(parse_http_date("Thu, 01 Jan 1970 00:00:00 GMT") == 0);
  CHECK(parse_http_date("Tue, 29 Feb 2028 23:59:60 GMT") == 1835481600);  // a leap day, a leap second
  CHECK(parse_http_date("Saturday, 01-Jan-00 00:00:00 GMT") == 946684800);
}

TEST_CASE("what is no date is none") {
  for (const char* text : {"", "yesterday", "Sun, 06 Nov 1994 08:49:37", "Sun, 06 Nov 1994 08:49:37 CET",
                           "Sun, 06 Nov 1994 08:49:37 GMT and more", "Sun, 00 Nov 1994 08:49:37 GMT",
                           "Sun, 06 Foo 1994 08:49:37 GMT", "Sun, 06 anF 1994 08:49:37 GMT",
                           "Sun, 06 Nov 1994 24:49:37 GMT", "Sun, 06 Nov 1994 08:60:37 GMT", "784111777"}) {
    CAPTURE(text);
    CHECK_FALSE(parse_http_date(text));
  }
}

TEST_CASE("a list of entity tags names one, weakly or strongly") {
  CHECK(names_tag("\"a\"", "\"a\"", true));
  CHECK(names_tag("\"x\", \"a\" ,\"y\"", "\"a\"", true));
  CHECK(names_tag("*", "\"a\"", true));
  CHECK(names_tag("W/\"a\"", "\"a\"", false));
  CHECK_FALSE(names_tag("W/\"a\"", "\"a\"", true));
  CHECK_FALSE(names_tag("\"a\"", "W/\"a\"", true));
  CHECK_FALSE(names_tag("\"ab\"", "\"a\"", false));
  CHECK_FALSE(names_tag("a", "\"a\"", false));
  CHECK_FALSE(names_tag("\"a", "\"a\"", false));
  CHECK_FALSE(names_tag("", "\"a\"", false));
  CHECK(names_tag("\"with, comma\"", "\"with, comma\"", true));
}

TEST_CASE("conditions are looked at in the order of section 13.2.2") {
  const validators there{"\"v2\"", 1000};
  const auto at_1000 = "Thu, 01 Jan 1970 00:16:40 GMT", at_999 = "Thu, 01 Jan 1970 00:16:39 GMT";
  struct {
    conditions asked;
    verdict reading, changing;
  } const cases[] = {
      {{"", "", "", ""}, verdict::serve, verdict::serve},
      {{"\"v2\"", "", "", ""}, verdict::serve, verdict::serve},
      {{"\"v1\"", "", "", ""}, verdict::failed, verdict::failed},
      {{"", "\"v2\"", "", ""}, verdict::not_modified, verdict::failed},
      {{"", "\"v1\"", "", ""}, verdict::serve, verdict::serve},
      {{"", "*", "", ""}, verdict::not_modified, verdict::failed},
      {{"", "", at_1000, ""}, verdict::not_modified, verdict::serve},
      {{"", "", at_999, ""}, verdict::serve, verdict::serve},
      {{"", "", "", at_1000}, verdict::serve, verdict::serve},
      {{"", "", "", at_999}, verdict::failed, verdict::failed},
      {{"", "\"v1\"", at_1000, ""}, verdict::serve, verdict::serve},     // If-Modified-Since is not looked at
      {{"\"v2\"", "", "", at_999}, verdict::serve, verdict::serve},     // nor is If-Unmodified-Since
      {{"\"v1\"", "\"v2\"", "", ""}, verdict::failed, verdict::failed},  // the first that fails decides
      {{"", "", "nonsense", "nonsense"}, verdict::serve, verdict::serve},
  };
  for (const auto& c : cases) {
    CAPTURE(&c - cases);
    CHECK(evaluate(c.asked, there, true) == c.reading);
    CHECK(evaluate(c.asked, there, false) == c.changing);
  }
}

TEST_CASE("a range is served where the client's part is of the same file") {
  const validators there{"\"v2\"", 1000};
  CHECK(range_applies("", there));
  CHECK(range_applies("\"v2\"", there));
  CHECK(range_applies("Thu, 01 Jan 1970 00:16:40 GMT", there));
  CHECK_FALSE(range_applies("\"v1\"", there));
  CHECK_FALSE(range_applies("W/\"v2\"", there));
  CHECK_FALSE(range_applies("Thu, 01 Jan 1970 00:16:41 GMT", there));
  CHECK_FALSE(range_applies("nonsense", there));
}
