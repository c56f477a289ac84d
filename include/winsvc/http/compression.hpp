// Compression of complete response bodies with the libraries that cpp-httplib is built with: gzip, br, zstd.
//
//   const auto coding = select_coding("gzip, br;q=0.5");      // "gzip"; "" if nothing fits
//   if (const auto packed = compress(body, coding)) ...
//
// Streams are not compressed, because a compressor delays the bytes that a client waits for.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "winsvc/api/httplib.hpp"
#include "winsvc/base/scope.hpp"
#include "winsvc/config/abi.hpp"
#include "winsvc/wire/accept.hpp"

namespace winsvc {
inline namespace WINSVC_ABI {
namespace detail::http {

/// Smaller bodies are not compressed: the head of the response and the format cost more than compression saves.
inline constexpr std::size_t min_compressed_bytes = 1024;

/// The coding with the highest weight in an Accept-Encoding field among those of this program, in the order br, gzip,
/// zstd if the weights are equal. Empty if the client accepts none of them, or prefers the plain content.
[[nodiscard]] std::string_view select_coding(std::string_view accept_encoding);

/// The compressed content; nullopt if the coding is unknown, the library fails, or the result is not smaller.
[[nodiscard]] std::optional<std::string> compress(std::string_view content, std::string_view coding);

}  // namespace detail::http
}  // inline namespace WINSVC_ABI
}  // namespace winsvc

// ---------------------------------------------------------------------------------------------------------------------

#if WINSVC_BODIES_HTTP

namespace winsvc {
inline namespace WINSVC_ABI {
namespace detail::http {

inline constexpr std::string_view known_codings[] = {
#ifdef CPPHTTPLIB_BROTLI_SUPPORT
    "br",
#endif
#ifdef CPPHTTPLIB_ZLIB_SUPPORT
    "gzip",
#endif
#ifdef CPPHTTPLIB_ZSTD_SUPPORT
    "zstd",
#endif
    ""};  // ends the list, which may have no other element

WINSVC_INLINE std::string_view select_coding(std::string_view accept_encoding) {
  std::string_view best;
  int best_weight = 0;
  for (const auto coding : known_codings) {
    if (coding.empty()) break;
    int weight = wire::coding_weight(accept_encoding, coding);
    if (coding == "gzip") weight = (std::max)(weight, wire::coding_weight(accept_encoding, "x-gzip"));  // an alias
    if (weight <= best_weight) continue;
    best = coding;
    best_weight = weight;
  }
  const bool prefers_plain = wire::coding_weight(accept_encoding, "identity") > best_weight;
  return prefers_plain ? std::string_view() : best;
}

#ifdef CPPHTTPLIB_ZLIB_SUPPORT
WINSVC_INLINE bool gzip(std::string_view content, std::string& output) {
  if (content.size() > UINT32_MAX) return false;  // zlib counts with 32 bits
  z_stream stream{};
  constexpr int gzip_format = 15 + 16;  // zlib.h: 15 bits of window, and 16 for a gzip head
  constexpr int memory = 8;              // zlib.h: the default of memLevel
  if (deflateInit2(&stream, Z_DEFAULT_COMPRESSION, Z_DEFLATED, gzip_format, memory, Z_DEFAULT_STRATEGY) != Z_OK)
    return false;
  const scope_exit free_memory([&stream]() noexcept { deflateEnd(&stream); });
  output.resize(deflateBound(&stream, static_cast<uLong>(content.size())));
  stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(content.data()));
  stream.avail_in = static_cast<uInt>(content.size());
  stream.next_out = reinterpret_cast<Bytef*>(&output[0]);
  stream.avail_out = static_cast<uInt>(output.size());
  const bool complete = deflate(&stream, Z_FINISH) == Z_STREAM_END;
  output.resize(stream.total_out);
  return complete;
}
#endif

#ifdef CPPHTTPLIB_BROTLI_SUPPORT
WINSVC_INLINE bool brotli(std::string_view content, std::string& output) {
  constexpr int quality = 5;  // the default, 11, takes about 100 times the time of gzip
  std::size_t size = BrotliEncoderMaxCompressedSize(content.size());
  if (size == 0) return false;
  output.resize(size);
  const bool complete = BrotliEncoderCompress(quality, BROTLI_DEFAULT_WINDOW, BROTLI_MODE_TEXT, content.size(),
                                              reinterpret_cast<const std::uint8_t*>(content.data()), &size,
                                              reinterpret_cast<std::uint8_t*>(&output[0])) == BROTLI_TRUE;
  output.resize(size);
  return complete;
}
#endif

#ifdef CPPHTTPLIB_ZSTD_SUPPORT
WINSVC_INLINE bool zstd(std::string_view content, std::string& output) {
  output.resize(ZSTD_compressBound(content.size()));
  const std::size_t size =
      ZSTD_compress(&output[0], output.size(), content.data(), content.size(), ZSTD_CLEVEL_DEFAULT);
  if (ZSTD_isError(size) != 0) return false;
  output.resize(size);
  return true;
}
#endif

WINSVC_INLINE std::optional<std::string> compress(std::string_view content, std::string_view coding) {
  std::string output;
  bool complete = false;
#ifdef CPPHTTPLIB_BROTLI_SUPPORT
  if (coding == "br") complete = brotli(content, output);
#endif
#ifdef CPPHTTPLIB_ZLIB_SUPPORT
  if (coding == "gzip") complete = gzip(content, output);
#endif
#ifdef CPPHTTPLIB_ZSTD_SUPPORT
  if (coding == "zstd") complete = zstd(content, output);
#endif
  static_cast<void>(coding);
  if (!complete || output.size() >= content.size()) return std::nullopt;
  return output;
}

}  // namespace detail::http
}  // inline namespace WINSVC_ABI
}  // namespace winsvc

#endif  // WINSVC_BODIES_HTTP
