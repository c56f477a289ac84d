// How much a client may send, and how long it may take: every number of the wire in one place, each with its unit and
// its reason.
//
//   limits bounds;
//   bounds.body_bytes = 64 * 1024 * 1024;      // a service that takes uploads
//
// The time-outs are totals, not per receive: a client that sends one byte a second is as late as one that sends none.
// The one for writing alone is for each stretch without progress.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>

#include "winsvc/config/abi.hpp"

namespace winsvc {
inline namespace WINSVC_ABI {
namespace wire {

struct limits {
  // The head (RFC 9112 sections 2.3, 3 and 5; RFC 6585 section 5 for 431). A service behind a browser sees 1 to 4 KiB.
  std::size_t head_bytes = 32 * 1024;  ///< the request head, first byte to empty line; else 431
  std::size_t method_bytes = 32;       ///< longer than any that is registered; else 501
  std::size_t target_bytes = 8000;     ///< RFC 9112 section 3 asks for at least 8000 in a request line; else 414
  std::size_t field_bytes = 8000;      ///< of one name; cpp-httplib refuses a line of more than 8192; else 431
  std::size_t fields = 100;            ///< field lines; cpp-httplib refuses more than 100; else 431

  // The body (RFC 9112 sections 6 and 7.1).
  std::uint64_t body_bytes = 8 * 1024 * 1024;  ///< it is kept in memory: 8 MiB times some clients still fits; else 413
  std::size_t chunk_digits = 8;                ///< hex digits of a chunk size: 4 GiB, never near an overflow
  std::size_t chunk_extension_bytes = 4096;    ///< of all chunks of a body together: nobody uses them, CVE-2023-39326
  std::size_t trailer_bytes = 8192;            ///< the trailer section; it is dropped, so it need not be large

  /// Plain requests pass by cpp-httplib's parser and writer (http/direct.hpp). Off: all go through them.
  bool fast_path = true;

  // The clock.
  std::chrono::milliseconds head_timeout = std::chrono::seconds(10);   ///< first byte to empty line: slowloris
  std::chrono::milliseconds keep_alive_timeout = std::chrono::seconds(60);   ///< between two requests: browsers hold 60 to 120 s
  std::chrono::milliseconds body_timeout = std::chrono::seconds(20);   ///< for a body; the rate adds to it
  std::uint64_t body_bytes_per_second = 1024;                       ///< the slowest client that is not an attack
  std::chrono::milliseconds write_timeout = std::chrono::seconds(20);  ///< without progress: a client that stopped reading

  // The crowd.
  std::size_t connections = 10'000;          ///< open at once; else 503
  std::size_t connections_per_address = 0;   ///< of one client; 0: any. Else 429. Behind a proxy all have its address
  std::size_t threads = 256;                 ///< in handlers at once; streams, WebSockets, large bodies not counted
  std::size_t queue = 1000;                  ///< requests that wait for one of them; else 503

  // WebSockets.
  std::size_t websockets = 1000;                     ///< open at once, each with a thread of its own; else 503
  std::size_t websocket_message_bytes = 1024 * 1024; ///< it is kept in memory until it is whole; else close code 1009
  std::chrono::milliseconds websocket_ping = std::chrono::seconds(30);  ///< of silence, then a ping asks for life
  std::chrono::milliseconds websocket_pong = std::chrono::seconds(20);  ///< of silence after that: the client is gone
  std::chrono::milliseconds websocket_close = std::chrono::seconds(2);  ///< for the client's half of the goodbye

  /// How long a body of `bytes` may take in all.
  [[nodiscard]] std::chrono::milliseconds body_deadline(std::uint64_t bytes) const noexcept {
    const auto rate = body_bytes_per_second == 0 ? 1 : body_bytes_per_second;
    return body_timeout + std::chrono::seconds(bytes / rate);
  }
};

}  // namespace wire
}  // inline namespace WINSVC_ABI
}  // namespace winsvc
