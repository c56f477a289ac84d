// The WebSocket protocol, rule by rule; frames are fed at once and byte by byte, to the same end.
#include "winsvc/wire/head_parser.hpp"
#include "winsvc/wire/websocket.hpp"

#include <doctest/doctest.h>

#include <string>
#include <string_view>
#include <vector>

using namespace winsvc::wire;
using event = frame_decoder::event;

namespace {

/// A frame as a client sends it.
std::string sent(int first, std::string_view payload, const char (&mask)[5] = "\x37\xfa\x21\x3d") {
  std::string plain = frame(opcode::text, payload);
  const std::size_t header = plain.size() - payload.size();
  std::string out = plain.substr(0, header);
  out[0] = static_cast<char>(first);
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

/// What became of them, as text: "text hello|ping x|close 1000 bye".
std::string told(std::string_view input, std::size_t chunk_size, std::size_t limit = 100'000) {
  frame_decoder frames(limit);
  std::string out;
  for (std::size_t position = 0; position < input.size();) {
    const auto part = input.substr(position, chunk_size);
    for (std::size_t done = 0; done < part.size();) {
      std::size_t used = 0;
      const auto what = frames.feed(part.substr(done), used);
      done += used;
      if (what == event::more) continue;
      if (!out.empty()) out += '|';
      if (what == event::message) out += (frames.is_binary() ? "binary " : "text ") + frames.move_message();
      if (what == event::ping) out += "ping " + frames.payload();
      if (what == event::pong) out += "pong " + frames.payload();
      if (what == event::close) out += "close " + std::to_string(frames.code()) + ' ' + frames.payload();
      if (what == event::protocol_error)
        return out + "wrong " + std::to_string(frames.code()) + ' ' + std::string(frames.reason());
      if (what == event::close) return out;
    }
    position += part.size();
  }
  return out + (frames.pending() ? "…" : "");
}

struct frame_case {
  const char* name;
  std::string input;
  std::string is;
};

handshake judged(const std::string& fields, const std::vector<std::string>& protocols = {},
                 const std::vector<std::string>& origins = {}, const std::string& line = "GET /chat HTTP/1.1") {
  static std::string kept;  // the views of a handshake point into it
  kept = line + "\r\nHost: server.example.com\r\n" + fields + "\r\n";
  const auto result = parse_head(kept, limits());
  REQUIRE(result.kind == head_parse_result::complete);
  return check_handshake(result.value, protocols, origins);
}

const std::string usual =
    "Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
    "Sec-WebSocket-Version: 13\r\n";

}  // namespace

TEST_CASE("frames are spelled as RFC 6455 §5.7 shows them") {
  CHECK(frame(opcode::text, "Hello") == bytes({0x81, 0x05, 0x48, 0x65, 0x6c, 0x6c, 0x6f}));
  CHECK(frame(opcode::ping, "Hello") == bytes({0x89, 0x05, 0x48, 0x65, 0x6c, 0x6c, 0x6f}));
  CHECK(frame(opcode::binary, std::string(256, 'x')).substr(0, 4) == bytes({0x82, 0x7E, 0x01, 0x00}));
  CHECK(frame(opcode::binary, std::string(65536, 'x')).substr(0, 10) ==
        bytes({0x82, 0x7F, 0, 0, 0, 0, 0, 1, 0, 0}));
  CHECK(frame(opcode::binary, std::string(125, 'x')).size() == 127);
  CHECK(frame(opcode::binary, std::string(126, 'x')).size() == 130);
  CHECK(told(bytes({0x81, 0x85, 0x37, 0xfa, 0x21, 0x3d, 0x7f, 0x9f, 0x4d, 0x51, 0x58}), 100) == "text Hello");
}

TEST_CASE("frames of a client become messages and control frames, however they are cut") {
  const std::string zero(3, '\0');
  const frame_case cases[] = {
      {"text", sent(0x81, "Hello"), "text Hello"},
      {"empty text", sent(0x81, ""), "text "},
      {"binary, zeros in it", sent(0x82, zero), "binary " + zero},
      {"two", sent(0x81, "a") + sent(0x81, "b"), "text a|text b"},
      {"fragments", sent(0x01, "Hel") + sent(0x80, "lo"), "text Hello"},
      {"three fragments, one empty", sent(0x02, "a") + sent(0x00, "") + sent(0x80, "b"), "binary ab"},
      {"a ping between fragments", sent(0x01, "Hel") + sent(0x89, "p") + sent(0x80, "lo"), "ping p|text Hello"},
      {"ping and pong", sent(0x89, "") + sent(0x8A, "x"), "ping |pong x"},
      {"the longest ping", sent(0x89, std::string(125, 'p')), "ping " + std::string(125, 'p')},
      {"126 bytes", sent(0x81, std::string(126, 'a')), "text " + std::string(126, 'a')},
      {"65536 bytes", sent(0x81, std::string(65536, 'a')), "text " + std::string(65536, 'a')},
      {"a character over two fragments", sent(0x01, "\xC3") + sent(0x80, "\xA9"), "text \xC3\xA9"},
      {"half a frame", sent(0x81, "Hello").substr(0, 9), "…"},
      {"half a message", sent(0x01, "Hello"), "…"},
      {"close without a code", sent(0x88, ""), "close 1005 "},
      {"close", sent(0x88, close_payload(1000, "bye")), "close 1000 bye"},
      {"close, an app's code", sent(0x88, close_payload(4999, "")), "close 4999 "},

      {"no mask", frame(opcode::text, "Hello"), "wrong 1002 frame without a mask"},
      {"no mask, a large one", frame(opcode::text, std::string(70000, 'a')), "wrong 1002 frame without a mask"},
      {"reserved bit", sent(0xC1, "x"), "wrong 1002 reserved bits"},
      {"opcode 3", sent(0x83, "x"), "wrong 1002 unknown opcode"},
      {"opcode 11", sent(0x8B, "x"), "wrong 1002 unknown opcode"},
      {"fragmented ping", sent(0x09, "x"), "wrong 1002 fragmented control frame"},
      {"long ping", sent(0x89, std::string(126, 'x')), "wrong 1002 control frame too long"},
      {"continuation first", sent(0x80, "x"), "wrong 1002 continuation of nothing"},
      {"continuation after the end", sent(0x81, "a") + sent(0x80, "x"), "text a|wrong 1002 continuation of nothing"},
      {"text in a message", sent(0x01, "a") + sent(0x81, "b"), "wrong 1002 message within a message"},
      {"length of 5 in 2 bytes", bytes({0x81, 0xFE, 0, 5, 1, 2, 3, 4}), "wrong 1002 length in the wrong form"},
      {"length of 5 in 8 bytes", bytes({0x81, 0xFF, 0, 0, 0, 0, 0, 0, 0, 5, 1, 2, 3, 4}),
       "wrong 1002 length in the wrong form"},
      {"length with the highest bit", bytes({0x81, 0xFF, 0x80, 0, 0, 0, 0, 0, 0, 5, 1, 2, 3, 4}),
       "wrong 1002 length in the wrong form"},
      {"close with one byte", sent(0x88, "\x03"), "wrong 1002 close code of one byte"},
      {"close 1005", sent(0x88, close_payload(1005, "")), "wrong 1002 close code out of range"},
      {"close 999", sent(0x88, close_payload(999, "")), "wrong 1002 close code out of range"},
      {"close 2999", sent(0x88, close_payload(2999, "")), "wrong 1002 close code out of range"},
      {"close, reason no UTF-8", sent(0x88, bytes({3, 232, 0xFF})), "wrong 1007 close reason that is not UTF-8"},
      {"text no UTF-8", sent(0x81, "a\xFF"), "wrong 1007 text that is not UTF-8"},
      {"text ends in a character", sent(0x81, "\xC3"), "wrong 1007 text that is not UTF-8"},
      {"overlong", sent(0x81, "\xC0\x80"), "wrong 1007 text that is not UTF-8"},
      {"surrogate", sent(0x81, "\xED\xA0\x80"), "wrong 1007 text that is not UTF-8"},
      {"beyond U+10FFFF", sent(0x81, "\xF4\x90\x80\x80"), "wrong 1007 text that is not UTF-8"},
      {"wrong before the end of a fragment", sent(0x01, "\xFF").substr(0, 7), "wrong 1007 text that is not UTF-8"},
      {"too large by its header", bytes({0x82, 0xFF, 0, 0, 0, 0, 0x7F, 0, 0, 0, 1, 2, 3, 4}),
       "wrong 1009 message too large"},
      {"too large by its fragments", sent(0x01, std::string(60000, 'a')) + sent(0x80, std::string(60000, 'a')),
       "wrong 1009 message too large"},
  };
  for (const auto& c : cases) {
    CAPTURE(c.name);
    for (const std::size_t chunk_size : {std::size_t{1}, std::size_t{7}, std::size_t{1'000'000}})
      CHECK(told(c.input, chunk_size) == c.is);
  }
}

TEST_CASE("text is UTF-8 by the table of RFC 3629") {
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

TEST_CASE("the reason of a close has its room, and is cut at a character") {
  CHECK(close_payload(1001, "gone") == bytes({0x03, 0xE9}) + "gone");
  CHECK(close_payload(1000, std::string(200, 'a')).size() == 125);
  CHECK(close_payload(1000, std::string(122, 'a') + "\xC3\xA9").size() == 124);
  CHECK(close_payload(1000, "\xFF").size() == 2);
}

TEST_CASE("a handshake is judged by RFC 6455 §4.2") {
  const auto good = judged(usual);
  CHECK(good.status == 101);
  CHECK(good.key == "dGhlIHNhbXBsZSBub25jZQ==");
  CHECK(good.protocol.empty());
  CHECK(judged("upgrade: h2c, WebSocket\r\nCONNECTION: keep-alive, UPGRADE\r\n" + usual.substr(41)).status == 101);

  const struct { const char* name; std::string fields; int status; } cases[] = {
      {"no Upgrade", "Connection: Upgrade\r\n" + usual.substr(41), 426},
      {"no Connection", "Upgrade: websocket\r\n" + usual.substr(41), 426},
      {"something else", "Upgrade: h2c\r\nConnection: Upgrade\r\n" + usual.substr(41), 426},
      {"a body", usual + "Content-Length: 3\r\n", 426},
      {"version 8", usual.substr(0, usual.size() - 4) + "8\r\n", 426},
      {"no version", usual.substr(0, usual.size() - 27), 426},
      {"two versions", usual + "Sec-WebSocket-Version: 13\r\n", 426},
      {"no key", "Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n", 400},
      {"two keys", usual + "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n", 400},
      {"a key of 15 bytes", "Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
       "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25j\r\n", 400},
      {"a key that is no base64", "Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
       "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25j!!==\r\n", 400},
      {"another site", usual + "Origin: https://evil.example\r\n", 403},
      {"a hidden origin", usual + "Origin: null\r\n", 403},
      {"our own page", usual + "Origin: http://server.example.com\r\n", 101},
  };
  for (const auto& c : cases) {
    CAPTURE(c.name);
    CHECK(judged(c.fields).status == c.status);
  }
  CHECK(judged(usual, {}, {}, "HEAD /chat HTTP/1.1").status == 426);
  CHECK(judged(usual, {}, {}, "GET /chat HTTP/1.0").status == 426);
}

TEST_CASE("the best subprotocol that both sides speak is chosen") {
  const std::string offers = usual + "Sec-WebSocket-Protocol: chat.v1, chat.v2\r\nSec-WebSocket-Protocol: other\r\n";

  CHECK(judged(offers, {"chat.v2", "chat.v1"}).protocol == "chat.v2");
  CHECK(judged(offers, {"other"}).protocol == "other");
  CHECK(judged(offers, {"CHAT.V2"}).protocol.empty());
  CHECK(judged(offers, {}).protocol.empty());
  CHECK(judged(usual, {"chat.v2"}).protocol.empty());
}

TEST_CASE("the service's own pages may connect, and those that are named") {
  const std::vector<std::string> none, one{"https://app.example"}, items{"*"};
  CHECK(origin_is_allowed("http://a.example", "a.example", none));
  CHECK(origin_is_allowed("https://A.example", "a.example", none));
  CHECK(origin_is_allowed("http://a.example", "a.example:80", none));
  CHECK(origin_is_allowed("https://a.example:443", "a.example", none));
  CHECK(origin_is_allowed("http://127.0.0.1:8080", "127.0.0.1:8080", none));
  CHECK(origin_is_allowed("http://[::1]:8080", "[::1]:8080", none));
  CHECK_FALSE(origin_is_allowed("http://a.example:81", "a.example", none));
  CHECK_FALSE(origin_is_allowed("http://b.example", "a.example", none));
  CHECK_FALSE(origin_is_allowed("http://a.example.evil", "a.example", none));
  CHECK_FALSE(origin_is_allowed("null", "null", none));
  CHECK_FALSE(origin_is_allowed("http://", "", none));
  CHECK(origin_is_allowed("https://app.example", "a.example", one));
  CHECK_FALSE(origin_is_allowed("https://app.example:444", "a.example", one));
  CHECK(origin_is_allowed("null", "a.example", items));
}
