// Compression, which cpp-httplib does where it is built with zlib: answers for who accepts it, bodies for who sends it.
#include <winsvc/testing.hpp>

#include <doctest/doctest.h>

#ifdef CPPHTTPLIB_ZLIB_SUPPORT
#include <zlib.h>

#include <string>

using winsvc::reply;
using winsvc::request;
using winsvc::service;
using winsvc::testing::client;

namespace {

std::string gzipped(const std::string& plain) {
  z_stream z{};
  REQUIRE(deflateInit2(&z, Z_BEST_COMPRESSION, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY) == Z_OK);
  std::string out(deflateBound(&z, static_cast<uLong>(plain.size())), '\0');
  z.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(plain.data()));
  z.avail_in = static_cast<uInt>(plain.size());
  z.next_out = reinterpret_cast<Bytef*>(&out[0]);
  z.avail_out = static_cast<uInt>(out.size());
  REQUIRE(deflate(&z, Z_FINISH) == Z_STREAM_END);
  out.resize(z.total_out);
  deflateEnd(&z);
  return out;
}

std::string gunzipped(const std::string& packed) {
  z_stream z{};
  REQUIRE(inflateInit2(&z, 15 + 16) == Z_OK);
  std::string out(1 << 20, '\0');
  z.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(packed.data()));
  z.avail_in = static_cast<uInt>(packed.size());
  z.next_out = reinterpret_cast<Bytef*>(&out[0]);
  z.avail_out = static_cast<uInt>(out.size());
  CHECK(inflate(&z, Z_FINISH) == Z_STREAM_END);
  out.resize(z.total_out);
  inflateEnd(&z);
  return out;
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
  svc.get("/png", [] { return reply::with(text, "image/png"); });
  svc.get("/packed", [] { return reply::text("packed by its own means").header("Content-Encoding", "x-own"); });
  svc.post("/size", [](const request& req) { return std::to_string(req.body.size()); });
}

}  // namespace

TEST_CASE("text is compressed for a client that accepts it, and a cache is told so") {
  client c(app);
  for (const char* path : {"/text", "/stream"}) {
    CAPTURE(path);
    const auto packed = c.get(path, {{"Accept-Encoding", "gzip, deflate"}});
    CHECK(packed.status == 200);
    CHECK(packed.header("Content-Encoding") == "gzip");
    CHECK(packed.header("Vary") == "Accept-Encoding");
    CHECK(packed.body.size() < 1000);
    CHECK(gunzipped(packed.body) == text);

    const auto plain = c.get(path);
    CHECK(plain.header("Content-Encoding").empty());
    CHECK(plain.body == text);
  }
  CHECK(c.get("/text", {{"Accept-Encoding", "gzip;q=0"}}).body == text);
}

TEST_CASE("what is compressed already is left alone") {
  client c(app);
  CHECK(c.get("/png", {{"Accept-Encoding", "gzip"}}).body == text);
  const auto own = c.get("/packed", {{"Accept-Encoding", "gzip"}});
  CHECK(own.header("Content-Encoding") == "x-own");
  CHECK(own.body == "packed by its own means");
}

TEST_CASE("a compressed form is parsed") {
  auto app = [](service& svc) {
    svc.post("/form", [](const request& req) { return winsvc::form<std::string>(req, "a=b"); });
  };
  client c(app);
  const std::string form = gzipped("--B\r\nContent-Disposition: form-data; name=\"a=b\"\r\n\r\nvalue\r\n--B--\r\n");

  const auto r = c.raw("POST /form HTTP/1.1\r\nHost: t\r\nContent-Type: multipart/form-data; boundary=B\r\n"
                       "Content-Encoding: gzip\r\nContent-Length: " + std::to_string(form.size()) + "\r\n\r\n" + form);

  CHECK(r.find("200 OK") != std::string::npos);
  CHECK(r.find("\r\n\r\nvalue") != std::string::npos);
}

TEST_CASE("a compressed body is unpacked, and its limit is for what comes out of it") {
  client c(app);
  const auto send = [&](const std::string& plain) {
    return c.request("POST", "/size", {{"Content-Type", "text/plain"}, {"Content-Encoding", "gzip"}}, gzipped(plain));
  };
  CHECK(send(text).body == "5000");
  const auto bomb = send(std::string(1'000'000, 'b'));
  CHECK(bomb.status == 413);
  CHECK(bomb.body.find("the body is larger than 10000 bytes") != std::string::npos);
  const auto partial = c.request("POST", "/size", {{"Content-Encoding", "gzip"}}, "this is no gzip");
  CHECK(partial.status == 400);
}
#endif  // CPPHTTPLIB_ZLIB_SUPPORT
