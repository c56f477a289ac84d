// Decompression of request bodies, if cpp-httplib is built with a library for it.
#include <winsvc/testing.hpp>

#include <doctest/doctest.h>

#include <cstddef>
#include <cstdlib>
#include <new>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

using winsvc::request;
using winsvc::service;
using winsvc::detail::http::make_decompressor;
using winsvc::testing::client;

namespace {

void app(service& svc) {
  svc.post("/size", [](const request& req) { return std::to_string(req.body.size()); });
}

struct outcome {
  bool valid = true, complete = false;
  std::string text;
  bool operator==(const outcome& other) const {
    return valid == other.valid && complete == other.complete && text == other.text;
  }
};

/// Decompresses the bytes in pieces.
[[maybe_unused]] outcome decompressed(std::string_view coding, std::string_view bytes, std::size_t piece) {
  outcome result;
  const auto decompressor = make_decompressor(coding);
  REQUIRE(decompressor);
  for (std::size_t i = 0; i < bytes.size() && result.valid; i += piece) {
    result.valid = decompressor->feed(bytes.substr(i, piece), [&result](const char* part, std::size_t count) {
      result.text.append(part, count);
      return true;
    });
  }
  result.complete = result.valid && decompressor->is_complete();
  return result;
}

/// Text that compresses to much less, and text that does not.
[[maybe_unused]] std::vector<std::string> samples() {
  std::string noise;
  unsigned state = 1;
  for (int i = 0; i < 20'000; ++i) noise += static_cast<char>((state = state * 1'103'515'245u + 12'345u) >> 16);
  return {"", "x", std::string(200'000, 'a'), std::string(16 * 1024, 'a'), noise};
}

/// Checks each way to cut the bytes of a coding, an early end and bytes after the end.
template <class Pack>
void check_coding(std::string_view coding, const Pack& pack) {
  for (const auto& text : samples()) {
    CAPTURE(text.size());
    const std::string packed = pack(text);
    for (const std::size_t piece : {packed.size(), std::size_t{1}, std::size_t{7}})
      CHECK(decompressed(coding, packed, piece) == outcome{true, true, text});
    if (packed.size() > 1) CHECK_FALSE(decompressed(coding, packed.substr(0, packed.size() - 1), 4096).complete);
    CHECK_FALSE(decompressed(coding, packed + "garbage", 4096).valid);
    CHECK_FALSE(decompressed(coding, packed + "garbage", 1).valid);
  }
  CHECK(decompressed(coding, "", 1) == outcome{true, true, ""});
  CHECK_FALSE(decompressed(coding, "this is plain text, which is not compressed", 4096).complete);
}

}  // namespace

TEST_CASE("a coding that is not supported has no decompressor") {
  for (const char* coding : {"", "identity", "compress", "gzip, gzip", "gzip, br", "brotli", "x-own"}) {
    CAPTURE(coding);
    CHECK(make_decompressor(coding) == nullptr);
  }
}

TEST_CASE("a body with an unknown coding is rejected with 415, without its body") {
  client c(app);

  const auto response = c.request("POST", "/size", {{"Content-Encoding", "x-own"}}, "bytes");

  CHECK(response.status == 415);
  CHECK(response.body.find("the content coding of the body is not supported") != std::string::npos);
  CHECK(c.request("POST", "/size", {{"Content-Encoding", "identity"}}, "bytes").body == "5");
}

#ifdef CPPHTTPLIB_ZLIB_SUPPORT
#include "../support/gzip.hpp"

using compressed::deflated;
using compressed::gzipped;

TEST_CASE("gzip and deflate are decompressed for each division into packets") {
  check_coding("gzip", gzipped);
  check_coding("X-GZIP", gzipped);
  check_coding("deflate", [](const std::string& text) { return deflated(text, 15); });
}

TEST_CASE("a gzip body may have several members") {
  const std::string packed = gzipped("first ") + gzipped("") + gzipped("second");
  for (const std::size_t piece : {packed.size(), std::size_t{1}})
    CHECK(decompressed("gzip", packed, piece) == outcome{true, true, "first second"});
}

TEST_CASE("the receiver of decompressed bytes can stop at its limit") {
  const auto decompressor = make_decompressor("gzip");
  std::size_t received = 0;
  CHECK_FALSE(decompressor->feed(gzipped(std::string(10'000'000, 'a')), [&](const char*, std::size_t count) {
    received += count;
    return received < 100'000;
  }));
  CHECK(received < 200'000);
}

TEST_CASE("a compressed body that is invalid or incomplete is rejected with 400, in each framing") {
  client c(app);
  const std::string packed = gzipped(std::string(5000, 'a'));
  const auto send = [&](const std::string& body, bool chunked) {
    std::string head = "POST /size HTTP/1.1\r\nHost: t\r\nContent-Encoding: gzip\r\n";
    if (!chunked) return c.raw(head + "Content-Length: " + std::to_string(body.size()) + "\r\n\r\n" + body);
    head += "Transfer-Encoding: chunked\r\n\r\n";
    for (const char byte : body) head += std::string("1\r\n") + byte + "\r\n";
    return c.raw(head + "0\r\n\r\n");
  };
  for (const bool chunked : {false, true}) {
    CAPTURE(chunked);
    CHECK(send(packed, chunked).find("\r\n\r\n5000") != std::string::npos);
    for (const std::string& body : {packed.substr(0, packed.size() - 4), packed + "x", std::string("not gzip data")}) {
      const auto response = send(body, chunked);
      CHECK(response.find("HTTP/1.1 400 ") == 0);
      CHECK(response.find("the compressed body is invalid or incomplete") != std::string::npos);
      CHECK(response.find("Connection: close") != std::string::npos);
    }
  }
}

TEST_CASE("a connection continues after a compressed body, and pipelined requests are served") {
  client c(app);
  const std::string packed = gzipped(std::string(5000, 'a'));
  const std::string one = "POST /size HTTP/1.1\r\nHost: t\r\nContent-Encoding: gzip\r\nContent-Length: " +
                          std::to_string(packed.size()) + "\r\n\r\n" + packed;

  std::string output = c.raw(one + one);

  CHECK(winsvc::testing::parse_response(output).body == "5000");
  CHECK(winsvc::testing::parse_response(output).body == "5000");
}
#endif  // CPPHTTPLIB_ZLIB_SUPPORT

#ifdef CPPHTTPLIB_BROTLI_SUPPORT
#include <brotli/encode.h>

TEST_CASE("br is decompressed for each division into packets") {
  check_coding("br", [](const std::string& text) {
    std::size_t size = BrotliEncoderMaxCompressedSize(text.size()) + 64;
    std::string output(size, '\0');
    REQUIRE(BrotliEncoderCompress(5, BROTLI_DEFAULT_WINDOW, BROTLI_MODE_TEXT, text.size(),
                                  reinterpret_cast<const unsigned char*>(text.data()), &size,
                                  reinterpret_cast<unsigned char*>(&output[0])) == BROTLI_TRUE);
    output.resize(size);
    return output;
  });
}

TEST_CASE("a shortage of memory while br is decompressed is not reported as invalid data") {
  static int allocations_left;
  const auto allocate = [](void*, std::size_t size) { return allocations_left-- > 0 ? std::malloc(size) : nullptr; };
  const auto release = [](void*, void* address) { std::free(address); };
  const std::string text = samples().back();
  std::size_t size = BrotliEncoderMaxCompressedSize(text.size()) + 64;
  std::string packed(size, '\0');
  REQUIRE(BrotliEncoderCompress(5, BROTLI_DEFAULT_WINDOW, BROTLI_MODE_TEXT, text.size(),
                                reinterpret_cast<const unsigned char*>(text.data()), &size,
                                reinterpret_cast<unsigned char*>(&packed[0])) == BROTLI_TRUE);
  packed.resize(size);
  int failures = 0;
  for (bool complete = false; !complete && failures < 100;) {
    allocations_left = failures;
    try {
      winsvc::detail::http::brotli_decompressor decompressor(allocate, release);
      complete = decompressor.feed(packed, [](const char*, std::size_t) { return true; });
      CHECK(complete);
      if (!complete) break;
    } catch (const std::bad_alloc&) {
      ++failures;
    }
  }
  CHECK(failures >= 2);  // the first is that of the decoder itself
}
#endif  // CPPHTTPLIB_BROTLI_SUPPORT

#ifdef CPPHTTPLIB_ZSTD_SUPPORT
namespace {

std::string zstd_frame(const std::string& text) {
  std::string output(ZSTD_compressBound(text.size()), '\0');
  const std::size_t size = ZSTD_compress(&output[0], output.size(), text.data(), text.size(), ZSTD_CLEVEL_DEFAULT);
  REQUIRE(ZSTD_isError(size) == 0);
  output.resize(size);
  return output;
}

}  // namespace

TEST_CASE("zstd is decompressed, however the bytes are cut") { check_coding("zstd", zstd_frame); }

TEST_CASE("a zstd body may have several frames") {
  const std::string packed = zstd_frame("first ") + zstd_frame("") + zstd_frame("second");
  for (const std::size_t piece : {packed.size(), std::size_t{1}})
    CHECK(decompressed("zstd", packed, piece) == outcome{true, true, "first second"});
}

TEST_CASE("a shortage of memory while zstd is decompressed is not reported as invalid data") {
  using winsvc::detail::http::check_zstd;
  const auto result_of = [](ZSTD_ErrorCode code) { return std::size_t{0} - static_cast<std::size_t>(code); };
  CHECK_THROWS_AS(static_cast<void>(check_zstd(result_of(ZSTD_error_memory_allocation))), std::bad_alloc);
  CHECK_FALSE(check_zstd(result_of(ZSTD_error_corruption_detected)));
  CHECK(check_zstd(0));
  CHECK(check_zstd(1000));
}
#endif  // CPPHTTPLIB_ZSTD_SUPPORT
