// HTTP engine: the HTTP server of a service, with its listener, thread pool and connection slots.
//
//   engine e(router, limits, log);
//   if (auto bound = e.bind("127.0.0.1", 0); !bound) return bound.error();
//   e.start();                                 // serves on its own threads
//   auto report = e.drain(20s, [] { ... });    // completes the accepted requests, or counts them as aborted
//
// It hides the server (server/server.hpp), so that the host, which only starts and stops it, includes neither
// connections nor cpp-httplib. It does not restart: after drain(), create another engine.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "winsvc/base/clock.hpp"
#include "winsvc/base/log.hpp"
#include "winsvc/base/result.hpp"
#include "winsvc/os/thread_starter.hpp"
#include "winsvc/config/abi.hpp"
#include "winsvc/http/router.hpp"
#include "winsvc/server/tls_identity.hpp"
#include "winsvc/http/engine_state.hpp"
#include "winsvc/os/native.hpp"
#include "winsvc/wire/limits.hpp"

namespace winsvc {
inline namespace WINSVC_ABI {
namespace detail::http {
class transport;
}

namespace detail::server {

class server;

/// Result of a drain.
struct drain_report {
  std::size_t completed = 0;      ///< requests that were completed during the drain
  std::size_t aborted = 0;        ///< requests and WebSockets that were open at the deadline
  std::size_t stuck_threads = 0;  ///< threads that are still in a handler; only the end of the process stops them
  std::vector<std::string> aborted_requests;  ///< at most 10 aborted requests with their age: `GET /report 21 s`
};

class engine {
 public:
  /// `time` and `starter`: the clock of all timeouts, and the source of all threads. They must outlive the engine.
  engine(const http::router& router, const wire::limits& limits, logger& log, const clock& time = clock::system(),
         os::thread_starter& starter = os::thread_starter::system());
  /// Drains with a limit of 0 if drain() was not called, and waits for handlers that still run.
  ~engine();
  engine(const engine&) = delete;
  engine& operator=(const engine&) = delete;

  /// Binds and listens, exclusively. Clients can connect from here on; start() serves them. The error names the process
  /// that uses the port, if it can be found.
  [[nodiscard]] result<void> bind(const std::string& host, std::uint16_t port);
  /// Address of the listener, with the real port; call it after bind().
  [[nodiscard]] os::endpoint address() const;

  /// Sets the certificate and key for new connections; null: plain HTTP. Thread-safe. Make the first call before
  /// `bind`, which records whether the address is https.
  void tls(std::shared_ptr<tls_identity> identity);

  /// Adds a function that is called for each response, on the thread that sends it: after a response was sent, or
  /// before an error response to a malformed request is sent. Call it before `start`.
  void on_response(std::function<void(const http::access_record&)> f);

  /// Starts the threads and serves. Throws std::system_error if no thread can be created.
  void start();
  /// While paused, requests receive 503 with Retry-After; connections stay open. Thread-safe.
  void pause(bool paused) noexcept;
  [[nodiscard]] bool is_paused() const noexcept;
  /// Stops accepting, completes the requests in flight and aborts the rest after `limit`. Calls `progress` on this
  /// thread when a connection has closed and further responses were sent.
  drain_report drain(std::chrono::milliseconds limit, const std::function<void()>& progress = {});
  /// From any thread: ends the running or a later drain after `remaining` at the latest.
  void shorten_drain(std::chrono::milliseconds remaining);

  /// Detaches the threads that a drain reported as stuck. After that, keep the engine until the process ends.
  void abandon_threads();

  /// Current numbers: requests in flight, open WebSockets, open connections, threads of the pool. Thread-safe.
  [[nodiscard]] std::size_t in_flight() const noexcept;
  [[nodiscard]] std::size_t websockets() const noexcept;
  [[nodiscard]] std::size_t connections() const noexcept;
  [[nodiscard]] std::size_t threads() const;
  /// Number of responses since start, and the latency statistics. Thread-safe.
  [[nodiscard]] std::uint64_t response_count() const noexcept;
  [[nodiscard]] http::request_statistics& statistics() noexcept;

  /// At most `limit` requests whose handlers run now. Thread-safe.
  [[nodiscard]] std::vector<http::active_request> active_requests(std::size_t limit);

  /// Serves one connection on the calling thread, without a listener: used by the test client.
  void serve_transport(http::transport& transport);

 private:
  std::unique_ptr<server> server_;
};

}  // namespace detail::server
}  // inline namespace WINSVC_ABI
}  // namespace winsvc
