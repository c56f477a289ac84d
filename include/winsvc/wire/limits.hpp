// Limits and timeouts of connections and requests, with their defaults and the reason for each number.
//
//   limits values;
//   values.body_bytes = 64 * 1024 * 1024;      // a service that accepts uploads
//
// A timeout applies to the whole head or body, not to each receive call: a client that sends one byte per second does
// not extend it. Only `write_timeout` starts again after each progress.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>

#include "winsvc/config/abi.hpp"

namespace winsvc {
inline namespace WINSVC_ABI {
namespace detail::wire {

struct limits {
  // Head (RFC 9112 sections 2.3, 3 and 5; RFC 6585 section 5 for 431). Browsers send 1 to 4 KiB.
  std::size_t head_bytes = 32 * 1024;  ///< from the first byte to the empty line; else 431
  std::size_t method_bytes = 32;       ///< more than any registered method has; else 501
  std::size_t target_bytes = 8000;     ///< RFC 9112 section 3 recommends at least 8000 for a request line; else 414
  std::size_t field_bytes = 8000;      ///< all lines of one name together; else 431
  std::size_t fields = 100;            ///< number of field lines; else 431

  // Body (RFC 9112 sections 6 and 7.1).
  std::uint64_t body_bytes = 8 * 1024 * 1024;  ///< bodies of several clients must fit into memory together; else 413
  std::size_t chunk_digits = 8;                ///< hex digits of a chunk size: below 4 GiB, without overflow
  std::size_t chunk_extension_bytes = 4096;    ///< of all chunks of a body; extensions are unused (CVE-2023-39326)
  std::size_t trailer_bytes = 8192;            ///< the trailer section, which is discarded

  // Timeouts.
  std::chrono::milliseconds head_timeout = std::chrono::seconds(10);  ///< first byte to empty line (Slowloris attack)
  std::chrono::milliseconds keep_alive_timeout = std::chrono::seconds(60);  ///< between requests; browsers: 60 to 120 s
  std::chrono::milliseconds body_timeout = std::chrono::seconds(20);  ///< base time of a body; see body_deadline
  std::uint64_t body_bytes_per_second = 1024;                         ///< minimum rate of a client
  std::chrono::milliseconds write_timeout = std::chrono::seconds(20);  ///< without progress: the client does not read
  std::uint64_t response_bytes_per_second = 1024;  ///< minimum rate of a client that reads, after `write_timeout`

  // Memory, for all clients together. Slow clients must not use up the memory of the process. 0: no limit.
  std::uint64_t buffered_body_bytes = 256 * 1024 * 1024;  ///< of bodies that arrive; else 503
  std::uint64_t unsent_bytes = 256 * 1024 * 1024;         ///< of responses that clients have not read; else 503

  // Connections and threads.
  std::size_t connections = 10'000;         ///< open connections; then the oldest idle one is closed, else 503
  std::size_t connections_per_address = 0;  ///< 0: no limit; else 429. Clients behind one proxy have its address
  std::size_t threads = 256;                ///< threads in handlers; without streams, WebSockets and large bodies
  std::size_t queue = 1000;                 ///< requests that wait for a thread; else 503
  std::size_t streams = 10'000;             ///< streams that a function writes, each with its own thread; else 503
  std::size_t body_threads = 256;           ///< uploads and bodies after `100 Continue`, each with its thread; else 503

  // WebSockets.
  std::size_t websockets = 1000;                      ///< open sessions, each with its own thread; else 503
  std::size_t websocket_message_bytes = 1024 * 1024;  ///< a message is kept in memory; else close code 1009
  std::chrono::milliseconds websocket_ping = std::chrono::seconds(30);  ///< without input, then a ping is sent
  std::chrono::milliseconds websocket_pong = std::chrono::seconds(20);  ///< without input after a ping, then it closes
  std::chrono::milliseconds websocket_close = std::chrono::seconds(2);  ///< wait for the client's Close frame

  /// Returns the time limit of a body of `bytes`: `body_timeout` plus the time at the minimum rate.
  [[nodiscard]] std::chrono::milliseconds body_deadline(std::uint64_t bytes) const noexcept {
    return body_timeout + time_at_rate(bytes, body_bytes_per_second);
  }
  /// Returns the time limit after which a client must have read `bytes`: `write_timeout` plus the time at the minimum
  /// rate.
  [[nodiscard]] std::chrono::milliseconds response_deadline(std::uint64_t bytes) const noexcept {
    return write_timeout + time_at_rate(bytes, response_bytes_per_second);
  }

 private:
  [[nodiscard]] static std::chrono::milliseconds time_at_rate(std::uint64_t bytes, std::uint64_t rate) noexcept {
    return std::chrono::milliseconds(bytes * 1000 / (rate == 0 ? 1 : rate));
  }
};

}  // namespace detail::wire
}  // inline namespace WINSVC_ABI
}  // namespace winsvc
