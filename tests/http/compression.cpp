// Compression, if cpp-httplib is built with zlib: responses for clients that accept it, and compressed bodies.
#include <winsvc/testing.hpp>

#include <doctest/doctest.h>

#ifdef CPPHTTPLIB_ZLIB_SUPPORT
#include "../support/gzip.hpp"

#include <string>

using compressed::gzipped;
using winsvc::reply;
using winsvc::request;
using winsvc::service;
using winsvc::testing::client;

namespace {

std::string gunzipped(const std::string& packed) {
  z_stream stream{};
  REQUIRE(inflateInit2(&stream, 15 + 16) == Z_OK);
  std::string output(1 << 20, '\0');
  stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(packed.data()));
  stream.avail_in = static_cast<uInt>(packed.size());
  stream.next_out = reinterpret_cast<Bytef*>(&output[0]);
  stream.avail_out = static_cast<uInt>(output.size());
  CHECK(inflate(&stream, Z_FINISH) == Z_STREAM_END);
  output.resize(stream.total_out);
  inflateEnd(&stream);
  return output;
}

const std::string text(5000, 'a');

void app(service& svc) {
  svc.limits().body_bytes = 10'000;
  svc.get("/text", [] { return text; });
  svc.get("/stream", [] {
    return reply::stream("text/plain", [](winsvc::stream& out) {
      for (int i = 0; i < 5; ++i) out.write(text.substr(0, 1000));
    });
  });
  svc.get("/small", [] { return "x"; });
  svc.get("/tagged", [] { return reply::text(text).header("ETag", "\"v1\""); });
  svc.get("/fixed", [] { return reply::text(text).header("Cache-Control", "no-transform"); });
  svc.get("/png", [] { return reply::with(text, "image/png"); });
  svc.get("/packed", [] { return reply::text("already encoded").header("Content-Encoding", "x-own"); });
  svc.post("/size", [](const request& req) { return std::to_string(req.body.size()); });
}

}  // namespace

TEST_CASE("text is compressed for a client that accepts it, and both forms have Vary for caches") {
  client c(app);
  const auto packed = c.get("/text", {{"Accept-Encoding", "gzip, deflate"}});
  CHECK(packed.status == 200);
  CHECK(packed.header("Content-Encoding") == "gzip");
  CHECK(packed.header("Vary") == "Accept-Encoding");
  CHECK(packed.body.size() < 1000);
  CHECK(gunzipped(packed.body) == text);

  const auto plain = c.get("/text");
  CHECK(plain.header("Content-Encoding").empty());
  CHECK(plain.header("Vary") == "Accept-Encoding");
  CHECK(plain.body == text);
  CHECK(c.get("/text", {{"Accept-Encoding", "gzip;q=0"}}).body == text);
  CHECK(c.get("/text", {{"Accept-Encoding", "gzip;q=0.5, identity"}}).body == text);

  const auto head = c.head("/text", {{"Accept-Encoding", "gzip"}});
  CHECK(head.header("Content-Encoding") == "gzip");
  CHECK(head.header("Content-Length") == std::to_string(packed.body.size()));
  const auto old = c.raw("GET /text HTTP/1.0\r\nHost: t\r\nAccept-Encoding: gzip\r\n\r\n");
  CHECK(old.find("Content-Length: " + std::to_string(packed.body.size()) + "\r\n") != std::string::npos);
}

TEST_CASE("a stream and a small body are not compressed") {
  client c(app);
  const auto stream = c.get("/stream", {{"Accept-Encoding", "gzip"}});
  CHECK(stream.header("Content-Encoding").empty());
  CHECK(stream.body == text);
  const auto small = c.get("/small", {{"Accept-Encoding", "gzip"}});
  CHECK(small.header("Content-Encoding").empty());
  CHECK(small.header("Vary").empty());
  CHECK(small.body == "x");
}

TEST_CASE("the compressed form has a weak ETag, and conditions match it") {
  client c(app);
  const auto packed = c.get("/tagged", {{"Accept-Encoding", "gzip"}});
  CHECK(packed.header("ETag") == "W/\"v1\"");
  CHECK(c.get("/tagged").header("ETag") == "\"v1\"");
  const auto unchanged = c.get("/tagged", {{"Accept-Encoding", "gzip"}, {"If-None-Match", "W/\"v1\""}});
  CHECK(unchanged.status == 304);
  CHECK(unchanged.header("ETag") == "W/\"v1\"");
  CHECK(unchanged.header("Vary") == "Accept-Encoding");
  CHECK(unchanged.header("Content-Encoding").empty());
}

TEST_CASE("a range is served uncompressed, and no-transform prevents compression") {
  client c(app);
  const auto part = c.get("/tagged", {{"Accept-Encoding", "gzip"}, {"Range", "bytes=0-2"}});
  CHECK(part.status == 206);
  CHECK(part.body == "aaa");
  CHECK(part.header("Content-Encoding").empty());
  CHECK(c.get("/fixed", {{"Accept-Encoding", "gzip"}}).body == text);
}

TEST_CASE("compressed content is not compressed again") {
  client c(app);
  CHECK(c.get("/png", {{"Accept-Encoding", "gzip"}}).body == text);
  const auto own = c.get("/packed", {{"Accept-Encoding", "gzip"}});
  CHECK(own.header("Content-Encoding") == "x-own");
  CHECK(own.body == "already encoded");
}

TEST_CASE("a compressed form is parsed") {
  auto app = [](service& svc) {
    svc.post("/form", [](const request& req) { return winsvc::form<std::string>(req, "a=b"); });
  };
  client c(app);
  const std::string form = gzipped("--B\r\nContent-Disposition: form-data; name=\"a=b\"\r\n\r\nvalue\r\n--B--\r\n");

  const std::string head = "POST /form HTTP/1.1\r\nHost: t\r\nContent-Type: multipart/form-data; boundary=B\r\n"
                           "Content-Encoding: gzip\r\nContent-Length: " + std::to_string(form.size()) + "\r\n\r\n";
  const auto response = c.raw(head + form);

  CHECK(response.find("200 OK") != std::string::npos);
  CHECK(response.find("\r\n\r\nvalue") != std::string::npos);
}

TEST_CASE("the limit of a compressed form applies to its preamble, its epilogue and the heads of its parts") {
  auto app = [](service& svc) {
    svc.limits().body_bytes = 10'000;
    svc.post("/form", [](const request& req) { return std::to_string(req.form.get_field("a").size()); });
    svc.post("/upload", [](winsvc::upload sent) { return std::to_string(sent.files().size()); });
  };
  client c(app);
  const std::string head = "Content-Disposition: form-data; name=\"a\"", end = "\r\n--B--\r\n";
  const auto form = [&](const std::string& more, const std::string& content) {
    return "--B\r\n" + head + more + "\r\n\r\n" + content + end;
  };
  const std::string content(10'000 - form({}, {}).size(), 'x'), megabytes(3'000'000, 'b');
  std::string with_heads;
  for (int i = 0; i < 10; ++i)
    with_heads += "--B\r\n" + head + "\r\nX-Part: " + std::string(1000, 'h') + "\r\n\r\n\r\n";
  for (const char* path : {"/form", "/upload"}) {
    CAPTURE(path);
    const auto send = [&](const std::string& plain) {
      const auto response =
          c.request("POST", path, {{"Content-Type", "multipart/form-data; boundary=B"}, {"Content-Encoding", "gzip"}},
                    gzipped(plain));
      const bool has_limit = response.body.find("the body is larger than 10000 bytes") != std::string::npos;
      CHECK((response.status == 413) == has_limit);
      return response;
    };
    CHECK(send(form({}, content)).body == (path == std::string("/form") ? std::to_string(content.size()) : "0"));
    CHECK(send(form({}, content + 'x')).status == 413);
    CHECK(send(megabytes + "\r\n" + form({}, "x")).status == 413);
    CHECK(send(form({}, "x") + megabytes).status == 413);
    CHECK(send(with_heads + form({}, "x")).status == 413);
  }
}

TEST_CASE("a compressed body is decompressed, and the limit applies to the decompressed size") {
  client c(app);
  const auto send = [&](const std::string& plain) {
    return c.request("POST", "/size", {{"Content-Type", "text/plain"}, {"Content-Encoding", "gzip"}}, gzipped(plain));
  };
  CHECK(send(text).body == "5000");
  const auto bomb = send(std::string(1'000'000, 'b'));
  CHECK(bomb.status == 413);
  CHECK(bomb.body.find("the body is larger than 10000 bytes") != std::string::npos);
  const auto partial = c.request("POST", "/size", {{"Content-Encoding", "gzip"}}, "not gzip data");
  CHECK(partial.status == 400);
}
#endif  // CPPHTTPLIB_ZLIB_SUPPORT
