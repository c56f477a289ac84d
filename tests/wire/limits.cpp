// Tests of the default limits, and of the time limits of bodies and responses.
#include "winsvc/wire/limits.hpp"

#include <doctest/doctest.h>

#include <chrono>
#include <cstdint>
#include <string>

using winsvc::detail::wire::limits;
using namespace std::chrono_literals;

TEST_CASE("the limits of a service that sets none") {
  const limits l;
  struct { const char* name; std::uint64_t limit, expected;
  } const numbers[] = {
      {"head_bytes", l.head_bytes, 32'768},
      {"method_bytes", l.method_bytes, 32},
      {"target_bytes", l.target_bytes, 8'000},
      {"field_bytes", l.field_bytes, 8'000},
      {"fields", l.fields, 100},
      {"body_bytes", l.body_bytes, 8'388'608},
      {"chunk_digits", l.chunk_digits, 8},
      {"chunk_extension_bytes", l.chunk_extension_bytes, 4'096},
      {"trailer_bytes", l.trailer_bytes, 8'192},
      {"body_bytes_per_second", l.body_bytes_per_second, 1'024},
      {"response_bytes_per_second", l.response_bytes_per_second, 1'024},
      {"buffered_body_bytes", l.buffered_body_bytes, 268'435'456},
      {"unsent_bytes", l.unsent_bytes, 268'435'456},
      {"connections", l.connections, 10'000},
      {"connections_per_address", l.connections_per_address, 0},
      {"threads", l.threads, 256},
      {"queue", l.queue, 1'000},
      {"streams", l.streams, 10'000},
      {"body_threads", l.body_threads, 256},
      {"websockets", l.websockets, 1'000},
      {"websocket_message_bytes", l.websocket_message_bytes, 1'048'576},
  };
  struct { const char* name; std::chrono::milliseconds limit, expected;
  } const times[] = {
      {"head_timeout", l.head_timeout, 10s},        {"keep_alive_timeout", l.keep_alive_timeout, 60s},
      {"body_timeout", l.body_timeout, 20s},        {"write_timeout", l.write_timeout, 20s},
      {"websocket_ping", l.websocket_ping, 30s},    {"websocket_pong", l.websocket_pong, 20s},
      {"websocket_close", l.websocket_close, 2s},
  };
  for (const auto& row : numbers) CHECK_MESSAGE(row.limit == row.expected, std::string(row.name));
  for (const auto& row : times) CHECK_MESSAGE(row.limit == row.expected, std::string(row.name));
}

TEST_CASE("a body and a response have a base time and the time at the minimum rate") {
  limits l;
  l.body_timeout = 20s;
  l.body_bytes_per_second = 1024;
  l.write_timeout = 5s;
  l.response_bytes_per_second = 2048;
  CHECK(l.body_deadline(0) == 20s);
  CHECK(l.body_deadline(512) == 20s + 500ms);
  CHECK(l.body_deadline(1024 * 1024) == 20s + 1024s);
  CHECK(l.response_deadline(0) == 5s);
  CHECK(l.response_deadline(1024) == 5s + 500ms);
}

TEST_CASE("a minimum rate of 0 counts as 1 byte per second") {
  limits l;
  l.body_timeout = 20s;
  l.body_bytes_per_second = 0;
  CHECK(l.body_deadline(3) == 23s);
  l.body_bytes_per_second = 1;
  CHECK(l.body_deadline(3) == 23s);
}
