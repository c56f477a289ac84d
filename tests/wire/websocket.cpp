// Tests of WebSocket frames, which are decoded in one piece, in pieces of 7 bytes and byte by byte.
#include "winsvc/wire/websocket.hpp"

#include <doctest/doctest.h>

#include <string>
#include <string_view>

using namespace winsvc::detail::wire;
using event = frame_decoder::event;

namespace {

/// Returns a frame of a client: masked, with `first_byte` (FIN, reserved bits and opcode).
std::string masked(int first_byte, std::string_view payload, const char (&mask)[5] = "\x37\xfa\x21\x3d") {
  const std::string unmasked = frame(opcode::text, payload);
  const std::size_t header = unmasked.size() - payload.size();
  std::string out = unmasked.substr(0, header);
  out[0] = static_cast<char>(first_byte);
  out[1] = static_cast<char>(out[1] | 0x80);
  out.append(mask, 4);
  for (std::size_t i = 0; i < payload.size(); ++i) out += static_cast<char>(payload[i] ^ mask[i % 4]);
  return out;
}

std::string bytes(std::initializer_list<int> values) {
  std::string out;
  for (const int v : values) out += static_cast<char>(v);
  return out;
}

/// Decodes the frames in pieces of `piece_size` bytes. Returns the events as text: "text hello|ping x|close 1000 bye".
std::string decode(std::string_view input, std::size_t piece_size) {
  frame_decoder frames(100'000);
  std::string out;
  for (std::size_t position = 0; position < input.size();) {
    const auto piece = input.substr(position, piece_size);
    for (std::size_t consumed = 0; consumed < piece.size();) {
      std::size_t used = 0;
      const auto next = frames.feed(piece.substr(consumed), used);
      consumed += used;
      if (next == event::more) continue;
      if (!out.empty()) out += '|';
      if (next == event::message) out += (frames.is_binary() ? "binary " : "text ") + frames.move_message();
      if (next == event::ping) out += "ping " + frames.payload();
      if (next == event::pong) out += "pong " + frames.payload();
      if (next == event::close) out += "close " + std::to_string(frames.code()) + ' ' + frames.payload();
      if (next == event::protocol_error)
        return out + "error " + std::to_string(frames.code()) + ' ' + std::string(frames.reason());
      if (next == event::close) return out;
    }
    position += piece.size();
  }
  return out + (frames.pending() ? "..." : "");
}

struct frame_case {
  const char* name;
  std::string input;
  std::string expected;
};

}  // namespace

TEST_CASE("frames are encoded as in the examples of RFC 6455 section 5.7") {
  CHECK(frame(opcode::text, "Hello") == bytes({0x81, 0x05, 0x48, 0x65, 0x6c, 0x6c, 0x6f}));
  CHECK(frame(opcode::ping, "Hello") == bytes({0x89, 0x05, 0x48, 0x65, 0x6c, 0x6c, 0x6f}));
  CHECK(frame(opcode::binary, std::string(256, 'x')).substr(0, 4) == bytes({0x82, 0x7E, 0x01, 0x00}));
  CHECK(frame(opcode::binary, std::string(65536, 'x')).substr(0, 10) ==
        bytes({0x82, 0x7F, 0, 0, 0, 0, 0, 1, 0, 0}));
  CHECK(frame(opcode::binary, std::string(125, 'x')).size() == 127);
  CHECK(frame(opcode::binary, std::string(126, 'x')).size() == 130);
  CHECK(decode(bytes({0x81, 0x85, 0x37, 0xfa, 0x21, 0x3d, 0x7f, 0x9f, 0x4d, 0x51, 0x58}), 100) == "text Hello");
}

TEST_CASE("frames of a client are decoded to messages and control frames for each division into packets") {
  const std::string zero(3, '\0');
  const frame_case cases[] = {
      {"text", masked(0x81, "Hello"), "text Hello"},
      {"empty text", masked(0x81, ""), "text "},
      {"binary with zeros", masked(0x82, zero), "binary " + zero},
      {"two messages", masked(0x81, "a") + masked(0x81, "b"), "text a|text b"},
      {"fragments", masked(0x01, "Hel") + masked(0x80, "lo"), "text Hello"},
      {"three fragments, one empty", masked(0x02, "a") + masked(0x00, "") + masked(0x80, "b"), "binary ab"},
      {"a ping between fragments", masked(0x01, "Hel") + masked(0x89, "p") + masked(0x80, "lo"), "ping p|text Hello"},
      {"ping and pong", masked(0x89, "") + masked(0x8A, "x"), "ping |pong x"},
      {"the longest ping", masked(0x89, std::string(125, 'p')), "ping " + std::string(125, 'p')},
      {"126 bytes", masked(0x81, std::string(126, 'a')), "text " + std::string(126, 'a')},
      {"65537 bytes", masked(0x81, std::string(65537, 'a')), "text " + std::string(65537, 'a')},
      {"65536 bytes", masked(0x81, std::string(65536, 'a')), "text " + std::string(65536, 'a')},
      {"a character in two fragments", masked(0x01, "\xC3") + masked(0x80, "\xA9"), "text \xC3\xA9"},
      {"half a frame", masked(0x81, "Hello").substr(0, 9), "..."},
      {"half a message", masked(0x01, "Hello"), "..."},
      {"close without a code", masked(0x88, ""), "close 1005 "},
      {"close", masked(0x88, close_payload(1000, "bye")), "close 1000 bye"},
      {"close, an app's code", masked(0x88, close_payload(4999, "")), "close 4999 "},

      {"no mask", frame(opcode::text, "Hello"), "error 1002 frame without a mask"},
      {"no mask, a large frame", frame(opcode::text, std::string(70000, 'a')), "error 1002 frame without a mask"},
      {"reserved bit", masked(0xC1, "x"), "error 1002 reserved bits"},
      {"opcode 3", masked(0x83, "x"), "error 1002 unknown opcode"},
      {"opcode 11", masked(0x8B, "x"), "error 1002 unknown opcode"},
      {"fragmented ping", masked(0x09, "x"), "error 1002 fragmented control frame"},
      {"long ping", masked(0x89, std::string(126, 'x')), "error 1002 control frame too long"},
      {"continuation first", masked(0x80, "x"), "error 1002 continuation frame without a message"},
      {"continuation after the end", masked(0x81, "a") + masked(0x80, "x"),
       "text a|error 1002 continuation frame without a message"},
      {"text in a message", masked(0x01, "a") + masked(0x81, "b"),
       "error 1002 new message before the end of the previous message"},
      {"length of 5 in 2 bytes", bytes({0x81, 0xFE, 0, 5, 1, 2, 3, 4}),
       "error 1002 invalid or overlong payload length"},
      {"length of 5 in 8 bytes", bytes({0x81, 0xFF, 0, 0, 0, 0, 0, 0, 0, 5, 1, 2, 3, 4}),
       "error 1002 invalid or overlong payload length"},
      {"length of 65535 in 8 bytes", bytes({0x81, 0xFF, 0, 0, 0, 0, 0, 0, 0xFF, 0xFF, 1, 2, 3, 4}),
       "error 1002 invalid or overlong payload length"},
      {"length with the highest bit", bytes({0x81, 0xFF, 0x80, 0, 0, 0, 0, 0, 0, 5, 1, 2, 3, 4}),
       "error 1002 invalid or overlong payload length"},
      {"close with one byte", masked(0x88, "\x03"), "error 1002 close code of one byte"},
      {"close 1005", masked(0x88, close_payload(1005, "")), "error 1002 close code out of range"},
      {"close 999", masked(0x88, close_payload(999, "")), "error 1002 close code out of range"},
      {"close 2999", masked(0x88, close_payload(2999, "")), "error 1002 close code out of range"},
      {"close, reason not UTF-8", masked(0x88, bytes({3, 232, 0xFF})), "error 1007 close reason that is not UTF-8"},
      {"text not UTF-8", masked(0x81, "a\xFF"), "error 1007 text that is not UTF-8"},
      {"text ends within a character", masked(0x81, "\xC3"), "error 1007 text that is not UTF-8"},
      {"overlong", masked(0x81, "\xC0\x80"), "error 1007 text that is not UTF-8"},
      {"surrogate", masked(0x81, "\xED\xA0\x80"), "error 1007 text that is not UTF-8"},
      {"beyond U+10FFFF", masked(0x81, "\xF4\x90\x80\x80"), "error 1007 text that is not UTF-8"},
      {"invalid before the end of a fragment", masked(0x01, "\xFF").substr(0, 7), "error 1007 text that is not UTF-8"},
      {"too large by its header", bytes({0x82, 0xFF, 0, 0, 0, 0, 0x7F, 0, 0, 0, 1, 2, 3, 4}),
       "error 1009 message too large"},
      {"too large by its fragments", masked(0x01, std::string(60000, 'a')) + masked(0x80, std::string(60000, 'a')),
       "error 1009 message too large"},
  };
  for (const auto& c : cases) {
    CAPTURE(c.name);
    for (const std::size_t piece_size : {std::size_t{1}, std::size_t{7}, std::size_t{1'000'000}})
      CHECK(decode(c.input, piece_size) == c.expected);
  }
}

TEST_CASE("UTF-8 is checked according to the table of RFC 3629") {
  for (const auto* good : {"", "a", "\xC2\x80", "\xDF\xBF", "\xE0\xA0\x80", "\xED\x9F\xBF", "\xEF\xBF\xBF",
                           "\xF0\x90\x80\x80", "\xF4\x8F\xBF\xBF"}) {
    CAPTURE(good);
    CHECK(is_utf8(good));
  }
  for (const auto* bad : {"\x80", "\xBF", "\xC1\xBF", "\xE0\x9F\xBF", "\xE0\xA0", "\xED\xA0\x80", "\xF0\x8F\xBF\xBF",
                          "\xF5\x80\x80\x80", "\xF8\x88\x80\x80\x80", "\xFE", "\xC3(", "\xE2\x82"}) {
    CAPTURE(bad);
    CHECK_FALSE(is_utf8(bad));
  }
}

TEST_CASE("an endpoint may send the codes that RFC 6455 and the registry of IANA define, and those from 3000 on") {
  struct { int first, last; bool may_be_sent; } const ranges[] = {
      {0, 999, false},     {1000, 1003, true},  {1004, 1006, false},    {1007, 1014, true},
      {1015, 2999, false}, {3000, 4999, true}, {5000, 65'535, false}};
  for (const auto& range : ranges) {
    CAPTURE(range.first);
    CHECK(is_close_code(range.first) == range.may_be_sent);
    CHECK(is_close_code(range.last) == range.may_be_sent);
  }
}

TEST_CASE("the reason of a close is truncated at a character boundary") {
  CHECK(close_payload(1001, "gone") == bytes({0x03, 0xE9}) + "gone");
  CHECK(close_payload(1000, std::string(200, 'a')).size() == 125);
  CHECK(close_payload(1000, std::string(122, 'a') + "\xC3\xA9").size() == 124);
  CHECK(close_payload(1000, "\xFF").size() == 2);
}
