// Fuzz test of the WebSocket frame decoder: the result does not depend on how the bytes are split, messages do not
// exceed their limit, text is UTF-8, and no bytes are read after the end.
#include "winsvc/wire/websocket.hpp"

#include "require.hpp"

#include <string>

using namespace winsvc::detail::wire;
using event = frame_decoder::event;

namespace {

constexpr std::size_t max_message_bytes = 300;

/// Decodes the bytes in pieces and returns all results as text.
std::string decode(std::string_view bytes, std::size_t piece_size) {
  frame_decoder frames(max_message_bytes);
  std::string out;
  for (std::size_t position = 0; position < bytes.size();) {
    std::size_t used = 0;
    const auto piece = bytes.substr(position, piece_size);
    const auto result = frames.feed(piece, used);
    require(used <= piece.size(), "only available bytes are consumed");
    require(result != event::more || used == piece.size(), "if the result is more, all bytes are consumed");
    require(frames.received() <= max_message_bytes, "a message does not exceed its limit");
    position += used;
    if (result == event::more) continue;
    out += std::to_string(static_cast<int>(result)) + ' ';
    if (result == event::message) {
      const std::string message = frames.move_message();
      require(frames.is_binary() || is_utf8(message), "text is UTF-8");
      out += message;
    } else if (result != event::protocol_error) {
      require(frames.payload().size() <= 125, "control frames are short");
      out += frames.payload();
    }
    if (result != event::close && result != event::protocol_error) continue;
    require(result == event::close
                ? frames.code() == winsvc::detail::wire::close_code::none || is_close_code(frames.code())
                : is_close_code(frames.code()),
            "the close code can be sent");
    std::size_t used_after_end = 0;
    static_cast<void>(frames.feed(bytes.substr(position), used_after_end));
    require(used_after_end == 0, "no bytes are read after the end");
    return out + std::to_string(frames.code());
  }
  return out;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const std::string_view bytes(reinterpret_cast<const char*>(data) + 1, size - 1);

  const std::string unsplit = decode(bytes, bytes.size() + 1);
  require(unsplit == decode(bytes, 1 + data[0] % 9u), "the result does not depend on how the bytes are split");
  return 0;
}
