// Tests of media types, content codings and byte ranges.
#include <winsvc/wire/representation.hpp>

#include <doctest/doctest.h>

#include <cstdint>

using namespace winsvc::detail::wire;

TEST_CASE("the extension of a file name determines the media type") {
  CHECK(media_type("index.html") == "text/html; charset=utf-8");
  CHECK(media_type("Site.CSS") == "text/css; charset=utf-8");
  CHECK(media_type("app.min.js") == "text/javascript; charset=utf-8");
  CHECK(media_type("a.webp") == "image/webp");
  CHECK(media_type("README") == "application/octet-stream");
  CHECK(media_type("what.ever") == "application/octet-stream");
  CHECK(media_type("") == "application/octet-stream");
}

TEST_CASE("a coding is accepted if it is listed, or '*' is, with a weight above 0") {
  for (const char* yes : {"gzip", "GZIP", "deflate, gzip", "gzip;q=0.5", "gzip; q=0.001", "*", "br, *;q=0.1",
                          "gzip;q=1.000, *;q=0"}) {
    CAPTURE(yes);
    CHECK(accepts_coding(yes, "gzip"));
  }
  for (const char* no : {"", "deflate", "gzip;q=0", "gzip;q=0.000", "*;q=0", "gzip;q=0, *", "identity", "xgzip"}) {
    CAPTURE(no);
    CHECK_FALSE(accepts_coding(no, "gzip"));
  }
}

TEST_CASE("ranges are limited to the file, and ranges outside the file are dropped") {
  using ranges = byte_ranges<std::int64_t>;
  CHECK(satisfiable_ranges<std::int64_t>({{0, 4}}, 10) == ranges{{0, 4}});
  CHECK(satisfiable_ranges<std::int64_t>({{5, -1}}, 10) == ranges{{5, 9}});
  CHECK(satisfiable_ranges<std::int64_t>({{-1, 3}}, 10) == ranges{{7, 9}});
  CHECK(satisfiable_ranges<std::int64_t>({{-1, 500}}, 10) == ranges{{0, 9}});  // longer than the file: the whole file
  CHECK(satisfiable_ranges<std::int64_t>({{8, 500}}, 10) == ranges{{8, 9}});
  CHECK(satisfiable_ranges<std::int64_t>({{10, 12}}, 10).empty());
  CHECK(satisfiable_ranges<std::int64_t>({{-1, 0}}, 10).empty());
  CHECK(satisfiable_ranges<std::int64_t>({{0, -1}}, 0).empty());
  CHECK(satisfiable_ranges<std::int64_t>({{-1, 5}}, 0).empty());
  CHECK(satisfiable_ranges<std::int64_t>({{0, 1}, {20, 30}, {4, 5}}, 10) == ranges{{0, 1}, {4, 5}});
}
