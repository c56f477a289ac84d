// Whatever the bytes: the verdict and the body do not depend on how they were cut, the limits hold, and a body that
// came out is the one that goes in again.
#include "winsvc/wire/chunked.hpp"

#include "require.hpp"

using namespace winsvc::wire;
using step = chunked_decoder::step;

namespace {

constexpr std::uint64_t most = 64;

struct verdict {
  step last = step::more;
  std::size_t consumed = 0;
  std::string body;
};

verdict fed(std::string_view bytes, std::size_t chunk_size, std::uint64_t body_bytes) {
  limits bounds;
  bounds.chunk_extension_bytes = 20;
  bounds.trailer_bytes = 40;
  chunked_decoder decoder(bounds, body_bytes);
  verdict v;
  while (v.last == step::more && v.consumed < bytes.size()) {
    std::size_t consumed = 0;
    const auto now = bytes.substr(v.consumed, chunk_size);
    v.last = decoder.feed(now, consumed, v.body);
    require(v.last != step::more || consumed == now.size(), "more means that all was taken");
    v.consumed += consumed;
  }
  return v;
}

std::string encoded(std::string_view body) {
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

  const verdict whole = fed(bytes, bytes.size() + 1, most);
  const verdict pieces = fed(bytes, 1 + data[0] % 7u, most);
  require(whole.last == pieces.last && whole.body == pieces.body && whole.consumed == pieces.consumed,
          "the verdict does not depend on packet borders");
  require(whole.body.size() <= most, "the limit of the body holds");
  require(whole.consumed >= whole.body.size(), "a body is not longer than its coding");

  if (whole.last == step::too_large) {
    require(fed(bytes, bytes.size() + 1, UINT64_MAX).last != step::too_large, "too large for this limit alone");
  }
  if (whole.last != step::done) return 0;

  require(bytes.substr(0, whole.consumed).substr(whole.consumed - 4).substr(2) == "\r\n", "done behind a CRLF");
  require(fed(bytes.substr(0, whole.consumed - 1), 1, most).last == step::more, "done with the last byte, not before");
  const verdict again = fed(encoded(whole.body), 3, most);
  require(again.last == step::done && again.body == whole.body, "what came out goes in again");
  return 0;
}
