// Whatever the bytes: what they say does not depend on how they were cut, no message is larger than allowed, text is UTF-8,
// and nothing is read behind the end.
#include "winsvc/wire/websocket.hpp"

#include "require.hpp"

#include <string>

using namespace winsvc::wire;
using event = frame_decoder::event;

namespace {

constexpr std::size_t most = 300;

/// All that was said, one after the other.
std::string told(std::string_view bytes, std::size_t chunk_size) {
  frame_decoder frames(most);
  std::string out;
  for (std::size_t position = 0; position < bytes.size();) {
    std::size_t used = 0;
    const auto now = bytes.substr(position, chunk_size);
    const auto what = frames.feed(now, used);
    require(used <= now.size(), "no more is taken than is there");
    require(what != event::more || used == now.size(), "more means that all was taken");
    require(frames.received() <= most, "the limit of a message holds");
    position += used;
    if (what == event::more) continue;
    out += std::to_string(static_cast<int>(what)) + ' ';
    if (what == event::message) {
      const std::string message = frames.move_message();
      require(frames.is_binary() || is_utf8(message), "text is UTF-8");
      out += message;
    } else if (what != event::protocol_error) {
      require(frames.payload().size() <= 125, "control frames are short");
      out += frames.payload();
    }
    if (what != event::close && what != event::protocol_error) continue;
    require(what == event::close ? frames.code() == close_code::none || is_close_code(frames.code())
                                 : is_close_code(frames.code()),
            "a code can be answered with");
    std::size_t more = 0;
    static_cast<void>(frames.feed(bytes.substr(position), more));
    require(more == 0, "behind the end nothing is read");
    return out + std::to_string(frames.code());
  }
  return out;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const std::string_view bytes(reinterpret_cast<const char*>(data) + 1, size - 1);

  const std::string whole = told(bytes, bytes.size() + 1);
  require(whole == told(bytes, 1 + data[0] % 9u), "what is said does not depend on packet borders");
  return 0;
}
