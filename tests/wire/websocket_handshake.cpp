// Tests of the WebSocket handshake: the request heads and their statuses.
#include "winsvc/wire/websocket_handshake.hpp"
#include "winsvc/wire/head_parser.hpp"

#include <doctest/doctest.h>

#include <string>
#include <vector>

using namespace winsvc::detail::wire;

namespace {

handshake check(const std::string& fields, const std::vector<std::string>& protocols = {},
                const std::vector<std::string>& origins = {}, const std::string& line = "GET /chat HTTP/1.1") {
  static std::string buffer;  // the views of the result point into it
  buffer = line + "\r\nHost: server.example.com\r\n" + fields + "\r\n";
  const auto result = parse_head(buffer, limits());
  REQUIRE(result.kind == head_parse_result::complete);
  return check_handshake(result.value, result.value.host, protocols, origins);
}

const std::string handshake_fields =
    "Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
    "Sec-WebSocket-Version: 13\r\n";

}  // namespace

TEST_CASE("a handshake is checked according to RFC 6455 section 4.2") {
  const auto accepted = check(handshake_fields);
  CHECK(accepted.status == 101);
  CHECK(accepted.key == "dGhlIHNhbXBsZSBub25jZQ==");
  CHECK(accepted.protocol.empty());
  const std::string lists = "upgrade: h2c, WebSocket\r\nCONNECTION: keep-alive, UPGRADE\r\n";
  CHECK(check(lists + handshake_fields.substr(41)).status == 101);

  const struct { const char* name; std::string fields; int status; } cases[] = {
      {"no Upgrade", "Connection: Upgrade\r\n" + handshake_fields.substr(41), 426},
      {"no Connection", "Upgrade: websocket\r\n" + handshake_fields.substr(41), 426},
      {"another protocol", "Upgrade: h2c\r\nConnection: Upgrade\r\n" + handshake_fields.substr(41), 426},
      {"a body", handshake_fields + "Content-Length: 3\r\n", 426},
      {"version 8", handshake_fields.substr(0, handshake_fields.size() - 4) + "8\r\n", 426},
      {"no version", handshake_fields.substr(0, handshake_fields.size() - 27), 426},
      {"two versions", handshake_fields + "Sec-WebSocket-Version: 13\r\n", 426},
      {"no key", "Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n", 400},
      {"two keys", handshake_fields + "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n", 400},
      {"a key of 15 bytes", "Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
       "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25j\r\n", 400},
      {"a key that is not base64", "Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
       "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25j!!==\r\n", 400},
      {"another site", handshake_fields + "Origin: https://evil.example\r\n", 403},
      {"an opaque origin", handshake_fields + "Origin: null\r\n", 403},
      {"a page of the service", handshake_fields + "Origin: http://server.example.com\r\n", 101},
  };
  for (const auto& c : cases) {
    CAPTURE(c.name);
    CHECK(check(c.fields).status == c.status);
  }
  CHECK(check(handshake_fields, {}, {}, "HEAD /chat HTTP/1.1").status == 426);
  CHECK(check(handshake_fields, {}, {}, "GET /chat HTTP/1.0").status == 426);
}

TEST_CASE("the first subprotocol of the server that the client offers is selected") {
  const std::string offers =
      handshake_fields + "Sec-WebSocket-Protocol: chat.v1, chat.v2\r\nSec-WebSocket-Protocol: other\r\n";

  CHECK(check(offers, {"chat.v2", "chat.v1"}).protocol == "chat.v2");
  CHECK(check(offers, {"other"}).protocol == "other");
  CHECK(check(offers, {"CHAT.V2"}).protocol.empty());
  CHECK(check(offers, {}).protocol.empty());
  CHECK(check(handshake_fields, {"chat.v2"}).protocol.empty());
}
