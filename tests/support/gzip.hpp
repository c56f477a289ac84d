// Compresses texts with zlib, for tests of compressed bodies.
//
//   compressed::gzipped("text")          // a gzip member
//   compressed::deflated("text", 15)     // zlib format; the windowBits of deflateInit2
#pragma once

#include <doctest/doctest.h>

#include <zlib.h>

#include <string>

namespace compressed {

inline std::string deflated(const std::string& plain, int window_bits) {
  z_stream stream{};
  REQUIRE(deflateInit2(&stream, Z_BEST_COMPRESSION, Z_DEFLATED, window_bits, 8, Z_DEFAULT_STRATEGY) == Z_OK);
  std::string output(deflateBound(&stream, static_cast<uLong>(plain.size())) + 64, '\0');
  stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(plain.data()));
  stream.avail_in = static_cast<uInt>(plain.size());
  stream.next_out = reinterpret_cast<Bytef*>(&output[0]);
  stream.avail_out = static_cast<uInt>(output.size());
  REQUIRE(deflate(&stream, Z_FINISH) == Z_STREAM_END);
  output.resize(stream.total_out);
  deflateEnd(&stream);
  return output;
}
inline std::string gzipped(const std::string& plain) { return deflated(plain, 15 + 16); }

}  // namespace compressed
