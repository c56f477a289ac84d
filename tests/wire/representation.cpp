// Tests of media types, types worth compressing, and byte ranges.
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

TEST_CASE("a Range field is parsed, and its unit is case-insensitive") {
  using ranges = byte_ranges<std::int64_t>;
  CHECK(parse_byte_ranges("bytes=0-4") == ranges{{0, 4}});
  CHECK(parse_byte_ranges("bytes=0-0,7-7,-0,0-") == ranges{{0, 0}, {7, 7}, {-1, 0}, {0, -1}});
  CHECK(parse_byte_ranges("Bytes=0-4") == ranges{{0, 4}});
  CHECK(parse_byte_ranges("bytes= 5- , -3,") == ranges{{5, -1}, {-1, 3}});
  CHECK(parse_byte_ranges("bytes=0-99999999999999999999") == ranges{{0, INT64_MAX}});
  for (const char* bad : {"", "bytes", "bytes=", "bytes=-", "bytes=a-b", "bytes=5-2", "bytes=0-1;x", "items=0-1",
                          "bytes=--1", "bytes=1", "bytes=+1-2"}) {
    CAPTURE(bad);
    CHECK(!parse_byte_ranges(bad));
  }
}

TEST_CASE("text, JSON and XML are compressed, but images and event streams are not") {
  for (const char* yes : {"text/plain; charset=utf-8", "TEXT/HTML", "application/json", "application/problem+json",
                          "image/svg+xml", "application/javascript"}) {
    CAPTURE(yes);
    CHECK(is_compressible_type(yes));
  }
  for (const char* no :
       {"", "image/png", "application/zip", "text/event-stream", "video/mp4", "application/octet-stream"}) {
    CAPTURE(no);
    CHECK_FALSE(is_compressible_type(no));
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
