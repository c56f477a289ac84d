// Tests of content negotiation: Accept and Accept-Encoding.
#include <winsvc/wire/accept.hpp>

#include <doctest/doctest.h>

#include <string>

using namespace winsvc::detail::wire;

TEST_CASE("a coding is accepted if it is listed, or '*' is, with a weight above 0") {
  for (const char* yes : {"gzip", "GZIP", "deflate, gzip", "gzip;q=0.5", "gzip; q=0.001", "*", "br, *;q=0.1",
                          "gzip;q=1.000, *;q=0", ",gzip,,", "gzip ; Q=0.5"}) {
    CAPTURE(yes);
    CHECK(coding_weight(yes, "gzip") > 0);
  }
  for (const char* no : {"", "deflate", "gzip;q=0", "gzip;q=0.000", "*;q=0", "gzip;q=0, *", "identity", "xgzip",
                         "gzip;q=2", "gzip;q=x"}) {
    CAPTURE(no);
    CHECK(coding_weight(no, "gzip") == 0);
  }
  CHECK(coding_weight("gzip;q=0.5, br;q=0.75", "br") == 750);
}

TEST_CASE("elements of Accept that do not match the grammar are ignored") {
  const auto values = [](const char* field) {
    std::string out;
    for (const auto& range : accept_list(field))
      out += std::string(range.value) + '|' + std::to_string(range.weight) + ' ';
    return out;
  };
  CHECK(values("application/json,") == "application/json|1000 ");
  CHECK(values(", a/b") == "a/b|1000 ");
  CHECK(values("a/b,,c/d") == "a/b|1000 c/d|1000 ");
  CHECK(values("text/html;a=\"x,y;q=0\";q=0.5, a/b") == "text/html|500 a/b|1000 ");
  CHECK(values("json") == "");
  CHECK(values("q=2, a/b;q=1.5, c/d;q=0.1234, e/f") == "e/f|1000 ");
  CHECK(values("text/html;a=\"open") == "text/html|1000 ");
}

TEST_CASE("the most specific media range decides the weight of a type") {
  const auto list = accept_list("text/*;q=0.3, text/html;q=0.7, */*;q=0.1, text/html;level=1");
  CHECK(media_type_weight(list, "text/html") == 1000);
  CHECK(media_type_weight(list, "text/plain") == 300);
  CHECK(media_type_weight(list, "image/png") == 100);
  CHECK(media_type_weight(accept_list("text/html;q=0, */*"), "text/html") == 0);
  CHECK(media_type_weight(accept_list("text/html;q=0.7, text/html;q=0.2"), "text/html") == 700);
  CHECK(media_type_weight({}, "text/html") == 0);
}
