// Decompression of request bodies with the libraries that cpp-httplib is built with: gzip, deflate, br, zstd.
//
//   const auto decompressor = make_decompressor("gzip");       // null: the coding is not supported
//   decompressor->feed(bytes, [](const char* part, std::size_t count) { ...; return true; });
//   decompressor->is_complete()                                // false: the body ends too early
//
// It keeps no output: the receiver takes each part, and stops at its limit, so a small body cannot fill the memory.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <new>
#include <string_view>
#include <utility>

#include "winsvc/api/httplib.hpp"
#include "winsvc/base/text.hpp"
#include "winsvc/config/abi.hpp"
#include "winsvc/http/body_reader.hpp"

#ifdef CPPHTTPLIB_ZSTD_SUPPORT
#include <zstd_errors.h>
#endif

namespace winsvc {
inline namespace WINSVC_ABI {
namespace detail::http {

class decompressor {
 public:
  decompressor() = default;
  decompressor(const decompressor&) = delete;
  decompressor& operator=(const decompressor&) = delete;
  virtual ~decompressor() = default;

  /// Decompresses the next bytes and passes the result to `take`. Returns false if the data is invalid, if bytes follow
  /// its end, or if `take` has returned false; do not call it again then. Throws std::bad_alloc.
  [[nodiscard]] virtual bool feed(std::string_view bytes, const body_receiver& take) = 0;
  /// True if the data has ended, or if no byte was fed.
  [[nodiscard]] virtual bool is_complete() const noexcept = 0;
};

/// Returns a decompressor for a Content-Encoding; null if the coding is unknown, or if there are several. Throws
/// std::bad_alloc.
[[nodiscard]] std::unique_ptr<decompressor> make_decompressor(std::string_view coding);

}  // namespace detail::http
}  // inline namespace WINSVC_ABI
}  // namespace winsvc

// ---------------------------------------------------------------------------------------------------------------------

#if WINSVC_BODIES_HTTP

namespace winsvc {
inline namespace WINSVC_ABI {
namespace detail::http {

using decompressed_part = std::array<char, 16 * 1024>;

#ifdef CPPHTTPLIB_ZLIB_SUPPORT
/// gzip (RFC 1952), which may have several members, and deflate, which is the zlib format (RFC 1950).
class zlib_decompressor final : public decompressor {
 public:
  zlib_decompressor() {
    constexpr int any_format = 15 + 32;  // zlib.h: 15 bits of window, and 32 to detect the format
    if (inflateInit2(&stream_, any_format) != Z_OK) throw std::bad_alloc();
  }
  ~zlib_decompressor() override { inflateEnd(&stream_); }

  bool feed(std::string_view bytes, const body_receiver& take) override {
    constexpr std::size_t max_bytes = 1 << 30;  // zlib counts with 32 bits
    for (; bytes.size() > max_bytes; bytes.remove_prefix(max_bytes))
      if (!feed_some(bytes.substr(0, max_bytes), take)) return false;
    return feed_some(bytes, take);
  }
  [[nodiscard]] bool is_complete() const noexcept override { return at_end_; }

 private:
  bool feed_some(std::string_view bytes, const body_receiver& take) {
    stream_.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(bytes.data()));
    stream_.avail_in = static_cast<uInt>(bytes.size());
    decompressed_part part;
    for (bool has_more_output = false; stream_.avail_in > 0 || has_more_output;) {
      if (at_end_ && std::exchange(has_begun_, true) && inflateReset(&stream_) != Z_OK) return false;
      at_end_ = false;
      stream_.next_out = reinterpret_cast<Bytef*>(part.data());
      stream_.avail_out = static_cast<uInt>(part.size());
      const int result = inflate(&stream_, Z_NO_FLUSH);
      const std::size_t count = part.size() - stream_.avail_out;
      if (count > 0 && !take(part.data(), count)) return false;
      if (result == Z_MEM_ERROR) throw std::bad_alloc();
      if (result == Z_BUF_ERROR) return stream_.avail_in == 0;  // the last part was exactly full
      if (result != Z_OK && result != Z_STREAM_END) return false;
      at_end_ = result == Z_STREAM_END;
      has_more_output = !at_end_ && stream_.avail_out == 0;
    }
    return true;
  }

  z_stream stream_{};
  bool at_end_ = true, has_begun_ = false;
};
#endif

#ifdef CPPHTTPLIB_BROTLI_SUPPORT
/// br (RFC 7932).
class brotli_decompressor final : public decompressor {
 public:
  /// A null function: malloc or free.
  explicit brotli_decompressor(brotli_alloc_func allocate = nullptr, brotli_free_func release = nullptr)
      : state_(BrotliDecoderCreateInstance(allocate, release, nullptr)) {
    if (!state_) throw std::bad_alloc();
  }
  ~brotli_decompressor() override { BrotliDecoderDestroyInstance(state_); }

  bool feed(std::string_view bytes, const body_receiver& take) override {
    if (bytes.empty()) return true;
    if (result_ == BROTLI_DECODER_RESULT_SUCCESS) return false;  // bytes after the end
    auto next_in = reinterpret_cast<const std::uint8_t*>(bytes.data());
    std::size_t remaining = bytes.size();
    has_begun_ = true;
    decompressed_part part;
    do {
      auto next_out = reinterpret_cast<std::uint8_t*>(part.data());
      std::size_t room = part.size();
      result_ = BrotliDecoderDecompressStream(state_, &remaining, &next_in, &room, &next_out, nullptr);
      if (result_ == BROTLI_DECODER_RESULT_ERROR) {
        const int code = BrotliDecoderGetErrorCode(state_);  // brotli/decode.h: these are all ERROR_ALLOC codes
        if (code <= BROTLI_DECODER_ERROR_ALLOC_CONTEXT_MODES && code >= BROTLI_DECODER_ERROR_ALLOC_BLOCK_TYPE_TREES)
          throw std::bad_alloc();
        return false;
      }
      const std::size_t count = part.size() - room;
      if (count > 0 && !take(part.data(), count)) return false;
    } while (result_ == BROTLI_DECODER_RESULT_NEEDS_MORE_OUTPUT);
    return remaining == 0;
  }
  [[nodiscard]] bool is_complete() const noexcept override {
    return !has_begun_ || result_ == BROTLI_DECODER_RESULT_SUCCESS;
  }

 private:
  BrotliDecoderState* const state_;
  BrotliDecoderResult result_ = BROTLI_DECODER_RESULT_NEEDS_MORE_INPUT;
  bool has_begun_ = false;
};
#endif

#ifdef CPPHTTPLIB_ZSTD_SUPPORT
/// True if a function of zstd has succeeded, false if the data is invalid. Throws std::bad_alloc if memory is short.
[[nodiscard]] WINSVC_INLINE bool check_zstd(std::size_t result) {
  if (ZSTD_getErrorCode(result) == ZSTD_error_memory_allocation) throw std::bad_alloc();
  return ZSTD_isError(result) == 0;
}

/// zstd (RFC 8878), which may have several frames. RFC 9659 limits the window, and so the memory, to 8 MiB.
class zstd_decompressor final : public decompressor {
 public:
  zstd_decompressor() {
    constexpr int max_window_bits = 23;
    if (!context_) throw std::bad_alloc();
    static_cast<void>(ZSTD_DCtx_setParameter(context_, ZSTD_d_windowLogMax, max_window_bits));
  }
  ~zstd_decompressor() override { ZSTD_freeDCtx(context_); }

  bool feed(std::string_view bytes, const body_receiver& take) override {
    ZSTD_inBuffer input{bytes.data(), bytes.size(), 0};
    decompressed_part part;
    for (bool has_more_output = false; input.pos < input.size || has_more_output;) {
      ZSTD_outBuffer output{part.data(), part.size(), 0};
      const std::size_t result = ZSTD_decompressStream(context_, &output, &input);
      if (!check_zstd(result)) return false;
      if (output.pos > 0 && !take(part.data(), output.pos)) return false;
      at_end_ = result == 0;
      has_more_output = !at_end_ && output.pos == output.size;
    }
    return true;
  }
  [[nodiscard]] bool is_complete() const noexcept override { return at_end_; }

 private:
  ZSTD_DCtx* const context_ = ZSTD_createDCtx();
  bool at_end_ = true;
};
#endif

WINSVC_INLINE std::unique_ptr<decompressor> make_decompressor(std::string_view coding) {
#ifdef CPPHTTPLIB_ZLIB_SUPPORT
  // RFC 9110 section 8.4.1: x-gzip is an alias.
  for (const std::string_view name : {"gzip", "x-gzip", "deflate"})
    if (base::equal_nocase(coding, name)) return std::make_unique<zlib_decompressor>();
#endif
#ifdef CPPHTTPLIB_BROTLI_SUPPORT
  if (base::equal_nocase(coding, "br")) return std::make_unique<brotli_decompressor>();
#endif
#ifdef CPPHTTPLIB_ZSTD_SUPPORT
  if (base::equal_nocase(coding, "zstd")) return std::make_unique<zstd_decompressor>();
#endif
  static_cast<void>(coding);
  return nullptr;
}

}  // namespace detail::http
}  // inline namespace WINSVC_ABI
}  // namespace winsvc

#endif  // WINSVC_BODIES_HTTP
