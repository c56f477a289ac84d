// The engine: listens, accepts, serves, drains. What the runtime starts and stops, and all it knows of HTTP.
//
//   engine e(router, limits, log);
//   if (auto bound = e.bind("127.0.0.1", 0); !bound) return bound.error();
//   e.accept();                                // serving, on threads of its own
//   auto report = e.drain(20s, [] { ... });    // every accepted request answered, or counted as cut
//
// It is a handle: the server (server/server.hpp) is inside, so that a file which only starts and stops it sees neither
// connections nor cpp-httplib.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "winsvc/base/log.hpp"
#include "winsvc/base/result.hpp"
#include "winsvc/config/abi.hpp"
#include "winsvc/http/router.hpp"
#include "winsvc/server/tls_identity.hpp"
#include "winsvc/http/engine_state.hpp"
#include "winsvc/os/native.hpp"
#include "winsvc/wire/limits.hpp"

namespace winsvc {
inline namespace WINSVC_ABI {
namespace http {

class server;
class transport;

/// How a drain went.
struct drain_report {
  std::size_t completed = 0;  ///< requests in flight that got their answer
  std::size_t aborted = 0;       ///< requests and WebSockets that were still at work at the deadline
  std::size_t stuck_threads = 0;     ///< threads that are in a handler even after that: the process has to end over them
  std::vector<std::string> aborted_requests;  ///< what some of them were: `GET /report 21 s`
};

class engine {
 public:
  engine(const router& routes, const wire::limits& bounds, logger& log);
  /// Drains without patience if nobody did before, and waits for handlers that still run.
  ~engine();
  engine(const engine&) = delete;
  engine& operator=(const engine&) = delete;

  /// Binds and listens, exclusively; clients can connect from here on, and wait. The error names the owner of a taken
  /// port where that can be found out.
  [[nodiscard]] result<void> bind(const std::string& host, std::uint16_t port);
  /// Where it listens, with the real port; after bind.
  [[nodiscard]] os::endpoint address() const;

  /// What new connections speak TLS with; null: plain HTTP. From any thread; the first time before `bind`.
  void tls(std::shared_ptr<tls_identity> identity);

  /// Called after each answer, on the thread that served it, beside those that were given before. Give it before
  /// `start`.
  void on_response(std::function<void(const access_record&)> f);

  /// Starts to serve. Throws std::system_error when the system has no thread for it.
  void start();
  /// While paused, requests get 503 with Retry-After; connections stay. From any thread.
  void pause(bool paused) noexcept;
  [[nodiscard]] bool is_paused() const noexcept;
  /// Stops: see above. `progress` is called, on the calling thread, whenever requests were answered meanwhile.
  drain_report drain(std::chrono::milliseconds limit, const std::function<void()>& progress = {});

  /// Lets go of threads that a drain found stuck. The engine must stay as it is until the process ends.
  void abandon_threads();

  /// Requests being handled, WebSockets and connections open, threads: for status.
  [[nodiscard]] std::size_t in_flight() const noexcept;
  [[nodiscard]] std::size_t websockets() const noexcept;
  [[nodiscard]] std::size_t connections() const noexcept;
  [[nodiscard]] std::size_t threads() const;
  /// Since it began, and how that went lately.
  [[nodiscard]] std::uint64_t response_count() const noexcept;
  [[nodiscard]] http::request_statistics& statistics() noexcept;

  /// Requests that are being handled now, at most so many.
  [[nodiscard]] std::vector<work> active_requests(std::size_t limit);

  /// Serves one connection on the calling thread, without a listener: the way of the test client.
  void serve(transport& transport);

 private:
  std::unique_ptr<server> server_;
};

}  // namespace http
}  // inline namespace WINSVC_ABI
}  // namespace winsvc
