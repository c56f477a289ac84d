// Fuzz test of the chunked decoder: the result does not depend on how the bytes are split, the limits apply, and a
// decoded body that is encoded and decoded again is equal.
#include "winsvc/wire/chunked.hpp"

#include "require.hpp"

using namespace winsvc::detail::wire;
using step = chunked_decoder::step;

namespace {

constexpr std::uint64_t max_body_bytes = 64;

struct decode_result {
  step last = step::more;
  std::size_t consumed = 0;
  std::string body;
};

decode_result decode(std::string_view bytes, std::size_t piece_size, std::uint64_t limit = max_body_bytes) {
  limits limits;
  limits.chunk_extension_bytes = 20;
  limits.trailer_bytes = 40;
  chunked_decoder decoder(limits, limit);
  decode_result result;
  while (result.last == step::more && result.consumed < bytes.size()) {
    std::size_t consumed = 0;
    const auto piece = bytes.substr(result.consumed, piece_size);
    result.last = decoder.feed(piece, consumed, result.body);
    require(result.last != step::more || consumed == piece.size(), "if the result is more, all bytes are consumed");
    result.consumed += consumed;
  }
  return result;
}

std::string encode(std::string_view body) {
  constexpr char hex[] = "0123456789abcdef";
  std::string out;
  for (const char c : body) out += std::string("1\r\n") + c + "\r\n";
  if (body.size() < 16) out = body.empty() ? "" : hex[body.size()] + std::string("\r\n") + std::string(body) + "\r\n";
  return out + "0\r\n\r\n";
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const std::string_view bytes(reinterpret_cast<const char*>(data) + 1, size - 1);

  const decode_result unsplit = decode(bytes, bytes.size() + 1);
  const decode_result split = decode(bytes, 1 + data[0] % 7u);
  require(unsplit.last == split.last && unsplit.body == split.body && unsplit.consumed == split.consumed,
          "the result does not depend on how the bytes are split");
  require(unsplit.body.size() <= max_body_bytes, "the body does not exceed its limit");
  require(unsplit.consumed >= unsplit.body.size(), "the body is not longer than its encoding");

  if (unsplit.last == step::too_large) {
    require(decode(bytes, bytes.size() + 1, UINT64_MAX).last != step::too_large, "not too large without a limit");
  }
  if (unsplit.last != step::done) return 0;

  require(bytes.substr(0, unsplit.consumed).substr(unsplit.consumed - 4).substr(2) == "\r\n", "done after a CRLF");
  require(decode(bytes.substr(0, unsplit.consumed - 1), 1).last == step::more, "not done before the last byte");
  const decode_result second = decode(encode(unsplit.body), 3);
  require(second.last == step::done && second.body == unsplit.body, "the encoded body decodes to the same body");
  return 0;
}
