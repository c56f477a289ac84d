// Engine state: the flags, counters and observers that all connections of one engine share. Also the access record of a
// response, and the latency history of a route, which decides whether its handler is blocking.
//
//   state.on_response.push_back([](const access_record& record) { ... });   // after each response
//   latency.record(elapsed);
//   latency.is_blocking();     // true: the next request of this route runs on a blocking thread
#pragma once

#include <atomic>
#include <charconv>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "winsvc/base/clock.hpp"
#include "winsvc/base/text.hpp"
#include "winsvc/config/abi.hpp"
#include "winsvc/http/request_counts.hpp"
#include "winsvc/http/request_statistics.hpp"
#include "winsvc/os/native.hpp"
#include "winsvc/route/method.hpp"

namespace winsvc {
inline namespace WINSVC_ABI {
namespace detail::http {

/// One response, for the access log and for observers.
struct access_record {
  /// Valid during the call only. For a request that the head parser rejected: "rejected:", the reason, and no pattern.
  std::string_view method, target, pattern;
  os::endpoint peer;  ///< the client that a trusted proxy named (port 0), otherwise the peer of the connection
  int status = 0;
  std::uint64_t bytes = 0;  ///< head and body of the response
  std::chrono::microseconds duration{0};
  std::optional<std::size_t> route_id = {};  ///< of the matched route, also if a middleware responded
  std::optional<winsvc::detail::route::method> method_id = {};  ///< nullopt for a rejected request
  /// False for responses whose duration does not measure the app: streams, which last until the client closes, and
  /// routes that winsvc serves while paused.
  bool counts_in_statistics = true;
  std::string_view id = {};  ///< request id; empty for a rejected request

  /// Appends `GET /users/7  200  151 B  88 us`. Allocates only if `out` has too little memory.
  void append_text(std::string& out) const {
    out.append(method).append(" ").append(target).append("  ");
    append_number(out, static_cast<std::uint64_t>(status));
    append_number(out.append("  "), bytes);
    append_number(out.append(" B  "), static_cast<std::uint64_t>(duration.count()));
    out.append(" us");
  }
  /// Appends the members of a JSON object, without braces, for a log in JSON lines.
  void append_json_fields(std::string& out) const {
    const std::size_t begin = out.size();
    const auto name = [&](std::string_view text) -> std::string& {
      return out.append(out.size() == begin ? "\"" : ",\"").append(text).append("\":");
    };
    if (!id.empty()) base::append_json_quoted(name("id"), id);
    base::append_json_quoted(name("peer"), peer.host);
    base::append_json_quoted(name("method"), method);
    base::append_json_quoted(name("target"), target);
    if (!pattern.empty()) base::append_json_quoted(name("route"), pattern);
    append_number(name("status"), static_cast<std::uint64_t>(status));
    append_number(name("bytes"), bytes);
    append_number(name("us"), static_cast<std::uint64_t>(duration.count()));
  }

 private:
  static void append_number(std::string& out, std::uint64_t value) {
    char text[24];
    out.append(text, std::to_chars(text, text + sizeof text, value).ptr);
  }
};

/// A request whose handler runs.
struct active_request {
  std::string request_line;  ///< `GET /report`
  std::chrono::steady_clock::duration age;
};

/// A limit for all clients together (wire/limits.hpp).
enum class shared_limit { streams, body_threads, buffered_body_bytes, unsent_bytes };

/// Shared by all connections of one engine. `draining` needs the default order: a drain sets it before it claims the
/// parked slots, and a step loads it before it parks, so no idle connection misses it. The other atomics are switches
/// and counters that order no other data: relaxed is sufficient. A counter with a limit may exceed it for a moment, by
/// one request of each thread.
/// `paused` is a switch and not a view of the service's state: a stop from PAUSED completes its requests with 503, too,
/// because the pause hooks have run.
struct engine_state {
  explicit engine_state(const clock& time_source) : time(time_source) {}

  const clock& time;
  std::atomic<bool> draining{false};       ///< connections end after their response; the default order matters
  std::atomic<bool> paused{false};         ///< requests receive 503, except for routes that are served while paused
  request_counts requests;                 ///< without the responses of connection::reject()
  std::atomic<std::size_t> websockets{0};  ///< open WebSockets; their requests are complete
  std::atomic<std::size_t> streams{0};       ///< requests that have or await a thread for a stream
  std::atomic<std::size_t> body_threads{0};  ///< requests that have or await a thread for their body
  std::atomic<std::uint64_t> buffered_body_bytes{0}, unsent_bytes{0};  ///< of all connections
  http::request_statistics statistics;
  /// Called after each response, on the thread that sent it. Filled before the first connection.
  std::vector<std::function<void(const access_record&)>> on_response;

  /// Called when a request was rejected because of this limit; may be empty. Set before the first connection.
  std::function<void(shared_limit)> on_limit_reached;

  void notify_response(const access_record& record) const noexcept {
    for (const auto& f : on_response) {
      try {
        f(record);
      } catch (...) {  // out of memory for a log line: the response was sent
      }
    }
  }
};

/// Latency history of one route: the last eight requests, and whether it streams. Thread-safe.
class route_latency {
 public:
  /// True if the handler counts as blocking, and runs on a blocking thread: three of its last eight requests took
  /// longer than the threshold. One is not sufficient, because a busy system sometimes delays a fast handler.
  [[nodiscard]] bool is_blocking() const noexcept {
    unsigned long_count = 0;
    for (unsigned h = history_.load(std::memory_order_relaxed); h != 0; h &= h - 1) ++long_count;
    return long_count >= 3;
  }
  void record(std::chrono::steady_clock::duration elapsed) noexcept { push(elapsed > blocking_threshold ? 1 : 0, 1); }
  /// Records a request that still runs and has blocked its I/O thread; it counts twice.
  void mark_blocked() noexcept { push(3, 2); }
  /// True if the route has sent a streamed response.
  [[nodiscard]] bool streams() const noexcept { return streams_.load(std::memory_order_relaxed); }
  void mark_stream() noexcept {
    if (!streams()) streams_.store(true, std::memory_order_relaxed);
  }
  /// True if the route has sent server-sent events.
  [[nodiscard]] bool streams_events() const noexcept { return streams_events_.load(std::memory_order_relaxed); }
  void mark_events() noexcept {
    if (!streams_events()) streams_events_.store(true, std::memory_order_relaxed);
  }
  /// True at the first call: framing headers of a handler are reported once per route.
  [[nodiscard]] bool is_first_framing_report() noexcept {
    return !framing_reported_.exchange(true, std::memory_order_relaxed);
  }
  /// True if the route has sent a stream or opened a WebSocket, which holds its thread for a long time.
  [[nodiscard]] bool holds_thread() const noexcept { return holds_thread_.load(std::memory_order_relaxed); }
  void mark_holds_thread() noexcept {
    if (!holds_thread()) holds_thread_.store(true, std::memory_order_relaxed);
  }

 private:
  static constexpr std::chrono::microseconds blocking_threshold{150};

  void push(unsigned bits, unsigned count) noexcept {
    const unsigned before = history_.load(std::memory_order_relaxed);
    const unsigned after = ((before << count) | bits) & 0xFF;
    if (after != before) history_.store(static_cast<std::uint8_t>(after), std::memory_order_relaxed);
  }
  // Relaxed: all are heuristics. A set bit is a request that took longer than the threshold; two concurrent writers may
  // lose one record.
  std::atomic<std::uint8_t> history_{0};
  std::atomic<bool> streams_{false}, streams_events_{false}, framing_reported_{false}, holds_thread_{false};
};

}  // namespace detail::http
}  // inline namespace WINSVC_ABI
}  // namespace winsvc
