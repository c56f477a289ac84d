// Tests of conditional requests (RFC 9110 section 13).
#include <winsvc/wire/conditional.hpp>

#include <doctest/doctest.h>

using namespace winsvc::detail::wire;

TEST_CASE("the three forms of an HTTP date are parsed") {
  // The examples of RFC 9110 section 5.6.7: the same time in three forms.
  CHECK(parse_http_date("Sun, 06 Nov 1994 08:49:37 GMT") == 784111777);
  CHECK(parse_http_date("Sunday, 06-Nov-94 08:49:37 GMT") == 784111777);
  CHECK(parse_http_date("Sun Nov  6 08:49:37 1994") == 784111777);
  CHECK(parse_http_date("Thu, 01 Jan 1970 00:00:00 GMT") == 0);
  CHECK(parse_http_date("Tue, 29 Feb 2028 23:59:60 GMT") == 1835481600);  // a leap day, a leap second
  CHECK(parse_http_date("Saturday, 01-Jan-00 00:00:00 GMT") == 946684800);
  CHECK(parse_http_date("Thursday, 01-Jan-70 00:00:00 GMT") == 0);
  CHECK(parse_http_date("Tuesday, 01-Jan-69 00:00:00 GMT") == 3124224000);  // 2069
  CHECK(parse_http_date("Wed, 31 Dec 1969 23:59:59 GMT") == -1);
  CHECK(parse_http_date("Sat, 01 Mar 0001 00:00:00 GMT") == -62130499200);
  CHECK(parse_http_date("Mon, 01 Jan 0001 00:00:00 GMT") == -62135596800);
  CHECK(parse_http_date("Sun, 28 Feb 1900 00:00:00 GMT") == -2203977600);
  CHECK(parse_http_date("Thu, 01 Mar 1900 00:00:00 GMT") == -2203891200);
  CHECK(parse_http_date(" Sun, 06 Nov 1994 08:49:37 GMT\t") == 784111777);
}

TEST_CASE("an invalid date is rejected") {
  for (const char* text : {"", "yesterday", "Sun, 06 Nov 1994 08:49:37", "Sun, 06 Nov 1994 08:49:37 CET",
                           "Sun, 06 Nov 1994 08:49:37 GMT and more", "Sun, 00 Nov 1994 08:49:37 GMT",
                           "Sun, 06 Foo 1994 08:49:37 GMT", "Sun, 06 anF 1994 08:49:37 GMT",
                           "Sun, 06 Nov 1994 24:49:37 GMT", "Sun, 06 Nov 1994 08:60:37 GMT", "784111777",
                           "Sun, 06 Nov 1994 08:49:61 GMT", "Sun, 32 Nov 1994 08:49:37 GMT",
                           "Sun, 06 Nov 0000 08:49:37 GMT", "Sun, 06 No 1994 08:49:37 GMT",
                           "Sunday, 06-Nov-94 08:49:37 GMTx", "Sunday, 06-Nov-94 08:49:37 CET",
                           "Sun Nov  6 08:49:37 1994 GMT", "Sun Foo  6 08:49:37 1994"}) {
    CAPTURE(text);
    CHECK_FALSE(parse_http_date(text));
  }
}

TEST_CASE("an entity tag is found in a list with the weak or the strong comparison") {
  CHECK(matches_etag("\"a\"", "\"a\"", true));
  CHECK(matches_etag("\"x\", \"a\" ,\"y\"", "\"a\"", true));
  CHECK(matches_etag("*", "\"a\"", true));
  CHECK(matches_etag("W/\"a\"", "\"a\"", false));
  CHECK_FALSE(matches_etag("W/\"a\"", "\"a\"", true));
  CHECK_FALSE(matches_etag("\"a\"", "W/\"a\"", true));
  CHECK_FALSE(matches_etag("\"ab\"", "\"a\"", false));
  CHECK_FALSE(matches_etag("a", "\"a\"", false));
  CHECK_FALSE(matches_etag("\"a", "\"a\"", false));
  CHECK_FALSE(matches_etag("", "\"a\"", false));
  CHECK(matches_etag("\"with, comma\"", "\"with, comma\"", true));
}

TEST_CASE("each tag of a list is compared as a whole") {
  CHECK(matches_etag("W/\"x\", W/\"a\"", "W/\"a\"", false));
  CHECK(matches_etag("\"\", \"a\"", "\"a\"", true));
  CHECK(matches_etag("\"\"", "\"\"", true));
  CHECK(matches_etag(" * ", "\"a\"", true));
  CHECK(matches_etag("/\"a\"", "\"a\"", true));
  CHECK_FALSE(matches_etag("\"b\", \"c\"", "\"a\"", true));
  CHECK_FALSE(matches_etag("\"x\" \"", "\"a\"", true));
  CHECK_FALSE(matches_etag("W/\"a\"", "W/\"a\"", true));
}

TEST_CASE("a file without a time is never unmodified") {
  const validators without_time{"\"v2\"", unknown_time};
  const auto date = "Thu, 01 Jan 1970 00:16:40 GMT";
  CHECK(evaluate({"", "", date, ""}, without_time, true) == condition_result::serve);
  CHECK(validators{}.modified == unknown_time);
}

TEST_CASE("conditions are evaluated in the order of section 13.2.2") {
  const validators validators{"\"v2\"", 1000};
  const auto at_1000 = "Thu, 01 Jan 1970 00:16:40 GMT", at_999 = "Thu, 01 Jan 1970 00:16:39 GMT";
  struct {
    conditions request;
    condition_result read, write;
  } const cases[] = {
      {{"", "", "", ""}, condition_result::serve, condition_result::serve},
      {{"\"v2\"", "", "", ""}, condition_result::serve, condition_result::serve},
      {{"\"v1\"", "", "", ""}, condition_result::failed, condition_result::failed},
      {{"", "\"v2\"", "", ""}, condition_result::not_modified, condition_result::failed},
      {{"", "\"v1\"", "", ""}, condition_result::serve, condition_result::serve},
      {{"", "*", "", ""}, condition_result::not_modified, condition_result::failed},
      {{"", "", at_1000, ""}, condition_result::not_modified, condition_result::serve},
      {{"", "", at_999, ""}, condition_result::serve, condition_result::serve},
      {{"", "", "", at_1000}, condition_result::serve, condition_result::serve},
      {{"", "", "", at_999}, condition_result::failed, condition_result::failed},
      {{"", "\"v1\"", at_1000, ""}, condition_result::serve, condition_result::serve},  // ignores If-Modified-Since
      {{"\"v2\"", "", "", at_999}, condition_result::serve, condition_result::serve},  // ignores If-Unmodified-Since
      {{"\"v1\"", "\"v2\"", "", ""}, condition_result::failed, condition_result::failed},  // If-Match is first
      {{"", "", "nonsense", "nonsense"}, condition_result::serve, condition_result::serve},
  };
  for (const auto& c : cases) {
    CAPTURE(&c - cases);
    CHECK(evaluate(c.request, validators, true) == c.read);
    CHECK(evaluate(c.request, validators, false) == c.write);
  }
}

TEST_CASE("a range is served only if If-Range matches the current file") {
  const validators validators{"\"v2\"", 1000};
  CHECK(range_applies("", validators));
  CHECK(range_applies("\"v2\"", validators));
  CHECK(range_applies("Thu, 01 Jan 1970 00:16:40 GMT", validators));
  CHECK_FALSE(range_applies("\"v1\"", validators));
  CHECK_FALSE(range_applies("W/\"v2\"", validators));
  CHECK_FALSE(range_applies("Thu, 01 Jan 1970 00:16:41 GMT", validators));
  CHECK_FALSE(range_applies("nonsense", validators));
}

TEST_CASE("If-Range has one strong tag, not a list") {
  const validators validators{"\"v2\"", 1000};
  for (const char* list : {"\"v1\", \"v2\"", "\"v2\", \"v2\"", "\"v2\",", ",\"v2\"", "\"v2", "*", "\"*\"", "x\"v2\""}) {
    CAPTURE(list);
    CHECK_FALSE(range_applies(list, validators));
  }
  CHECK(range_applies(" \"v2\" ", validators));
  CHECK_FALSE(range_applies("W/\"v2\"", {"W/\"v2\"", 1000}));
}
