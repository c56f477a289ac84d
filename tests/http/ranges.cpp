// Ranges and conditions of responses that are not files: text, and content providers and files of cpp-httplib.
#include <winsvc/testing.hpp>

#include <doctest/doctest.h>
#include <httplib.h>

#include <cstddef>
#include <fstream>
#include <string>

using winsvc::reply;
using winsvc::request;
using winsvc::response;
using winsvc::service;
using winsvc::testing::client;

namespace {

const std::string letters = "abcdefghijklmnopqrstuvwxyz";

bool provide(std::size_t offset, std::size_t length, httplib::DataSink& sink) {
  return sink.write(letters.data() + offset, length);
}

struct letters_file {
  std::string path = winsvc::detail::os::path_join(winsvc::detail::os::temporary_folder(),
                                                   "ranges-" + std::to_string(winsvc::detail::os::process_id()));
  letters_file() { std::ofstream(path, std::ios::binary) << letters; }
  ~letters_file() { winsvc::detail::os::remove_file(path); }
};

}  // namespace

TEST_CASE("a range of text, of a content provider and of a file is served") {
  const letters_file file;
  auto app = [&file](service& svc) {
    svc.get("/text", [] { return letters; });
    svc.get("/provider", [](response& res) { res.set_content_provider(26, "text/plain", provide); });
    svc.get("/file-content", [&file](response& res) { res.set_file_content(file.path, "text/plain"); });
    svc.get("/file", [&file] { return reply::file(file.path); });
    svc.get("/own-206", [](const request& req, response& res) {
      if (!req.ranges.empty()) res.status = 206;
      res.set_content_provider(26, "text/plain", provide);
    });
    svc.post("/text", [] { return letters; });
  };
  client c(app);
  for (const char* path : {"/text", "/provider", "/file-content", "/file", "/own-206"}) {
    CAPTURE(path);
    const auto part = c.get(path, {{"Range", "Bytes=10-12"}});
    CHECK(part.status == 206);
    CHECK(part.header("Content-Range") == "bytes 10-12/26");
    CHECK(part.header("Content-Length") == "3");
    CHECK(part.body == "klm");
    CHECK(c.get(path, {{"Range", "bytes=-2"}}).body == "yz");
    CHECK(c.get(path, {{"Range", "bytes=24-"}}).body == "yz");

    const auto several = c.get(path, {{"Range", "bytes=0-1,24-"}});
    CHECK(several.status == 206);
    CHECK(several.header("Content-Type").find("multipart/byteranges; boundary=") == 0);
    CHECK(several.header("Content-Length") == std::to_string(several.body.size()));
    CHECK(several.body.find("Content-Range: bytes 0-1/26\r\n\r\nab\r\n--") != std::string::npos);
    CHECK(several.body.find("Content-Range: bytes 24-25/26\r\n\r\nyz\r\n--") != std::string::npos);

    const auto beyond = c.get(path, {{"Range", "bytes=26-"}});
    CHECK(beyond.status == 416);
    CHECK(beyond.header("Content-Range") == "bytes */26");

    for (const char* ignored : {"items=0-1", "bytes=0-,0-", "bytes=0-25,0-0"}) {
      const auto whole = c.get(path, {{"Range", ignored}});
      CHECK(whole.status == (std::string(path) == "/own-206" && *ignored == 'b' ? 206 : 200));
      CHECK(whole.body == letters);
    }
    const auto head = c.head(path, {{"Range", "bytes=0-1"}});
    CHECK(head.status == 200);
    CHECK(head.header("Content-Length") == "26");
  }
  CHECK(c.request("POST", "/text", {{"Range", "bytes=0-1"}}).body == letters);
}

TEST_CASE("ETag and Last-Modified of a handler are compared with the conditions of the request") {
  auto app = [](service& svc) {
    svc.get("/", [] {
      return reply::text("hello").header("ETag", "\"v1\"").header("Last-Modified", "Sun, 09 Sep 2001 01:46:40 GMT");
    });
    svc.get("/weak", [] { return reply::text("hello").header("ETag", "W/\"v1\""); });
    svc.get("/none", [] { return "hello"; });
  };
  client c(app);
  const auto fresh = c.get("/", {{"If-None-Match", "\"x\", W/\"v1\""}});
  CHECK(fresh.status == 304);
  CHECK(fresh.header("ETag") == "\"v1\"");
  CHECK(fresh.body.empty());
  CHECK(c.get("/", {{"If-Modified-Since", "Sun, 09 Sep 2001 01:46:40 GMT"}}).status == 304);
  CHECK(c.get("/", {{"If-Modified-Since", "Sun, 09 Sep 2001 01:46:39 GMT"}}).status == 200);
  CHECK(c.get("/", {{"If-None-Match", "\"x\""}, {"If-Modified-Since", "Sun, 09 Sep 2001 01:46:40 GMT"}}).status == 200);
  CHECK(c.get("/", {{"If-Match", "\"x\""}}).status == 412);
  CHECK(c.get("/", {{"If-Unmodified-Since", "Sun, 09 Sep 2001 01:46:39 GMT"}}).status == 412);
  CHECK(c.get("/none", {{"If-None-Match", "*"}, {"If-Modified-Since", "Sun, 09 Sep 2040 01:46:40 GMT"}}).status == 200);

  const auto range = [&](const char* path, const char* if_range) {
    return c.get(path, {{"Range", "bytes=0-0"}, {"If-Range", if_range}}).status;
  };
  CHECK(range("/", "\"v1\"") == 206);
  CHECK(range("/", "W/\"v1\"") == 200);
  CHECK(range("/", "\"v2\"") == 200);
  CHECK(range("/", "Sun, 09 Sep 2001 01:46:40 GMT") == 206);
  CHECK(range("/weak", "W/\"v1\"") == 200);
  CHECK(range("/none", "\"v1\"") == 200);
}

TEST_CASE("a long text has Accept-Ranges, unless it is compressed") {
  auto app = [](service& svc) {
    svc.get("/long", [] { return std::string(20'000, 'x'); });
    svc.get("/short", [] { return "x"; });
    svc.get("/own", [] { return reply::text(std::string(20'000, 'x')).header("Accept-Ranges", "none"); });
    svc.post("/long", [] { return std::string(20'000, 'x'); });
  };
  client c(app);
  CHECK(c.get("/long").header("Accept-Ranges") == "bytes");
  CHECK(c.head("/long").header("Accept-Ranges") == "bytes");
  CHECK(c.get("/short").header("Accept-Ranges") == "");
  CHECK(c.get("/own").header("Accept-Ranges") == "none");
  CHECK(c.post("/long", "").header("Accept-Ranges") == "");
  const auto part = c.get("/long", {{"Range", "bytes=0-1"}});
  CHECK(part.status == 206);
  CHECK(part.header("Accept-Ranges") == "bytes");
  const auto packed = c.get("/long", {{"Accept-Encoding", "gzip"}});
  CHECK(packed.header("Accept-Ranges") == (packed.header("Content-Encoding").empty() ? "bytes" : ""));
}
