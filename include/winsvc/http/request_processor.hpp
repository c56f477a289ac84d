// Request processor: handles one request. It runs the middleware and the handler and writes the response.
//
//   request_processor processor(router, limits, log);
//   const bool keep_alive = processor.process(exchange);   // the response is in exchange.stream.output()
//
// It does not read heads or accept connections. It uses the types of cpp-httplib, but no code of its server.
#pragma once

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <functional>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "winsvc/base/attempt.hpp"
#include "winsvc/base/clock.hpp"
#include "winsvc/base/error.hpp"
#include "winsvc/base/duration.hpp"
#include "winsvc/base/log.hpp"
#include "winsvc/base/scope.hpp"
#include "winsvc/config/abi.hpp"
#include "winsvc/http/body_reader.hpp"
#include "winsvc/http/exchange.hpp"
#include "winsvc/http/error_responder.hpp"
#include "winsvc/api/httplib.hpp"
#include "winsvc/http/header_pool.hpp"
#include "winsvc/http/problem.hpp"
#include "winsvc/http/router.hpp"
#include "winsvc/http/engine_state.hpp"
#include "winsvc/http/upload_receiver.hpp"
#include "winsvc/http/handler_timeouts.hpp"
#include "winsvc/http/request_fields.hpp"
#include "winsvc/http/request_ids.hpp"
#include "winsvc/http/response_writer.hpp"

namespace winsvc {
inline namespace WINSVC_ABI {
namespace detail::http {

class request_processor {
 public:
  request_processor(const http::router& router, const wire::limits& limits, logger& log, const clock& time,
                    os::thread_starter& starter = os::thread_starter::system());

  /// Starts the timeout thread if a route has a timeout. Throws std::system_error if the system cannot create it.
  void start();

  /// Runs one request whose head was accepted. The response is in the stream's output(), unless it was sent already.
  /// Returns false if the connection cannot serve another request. Reports errors to the client and the log.
  bool process(exchange& exchange);

  /// Serves the new protocol of a connection after a 101 response, until it ends.
  void process_upgraded(exchange& exchange) { exchange.extras()->serve_upgraded(log_); }

  /// Latency history of the route; requests without a route share one history.
  [[nodiscard]] route_latency& latency_of(const route::match_result& match) noexcept {
    return latencies_[match.outcome == route::match_outcome::matched ? match.route_id : latencies_.size() - 1];
  }
  [[nodiscard]] bool is_blocking(const route::match_result& match) noexcept { return latency_of(match).is_blocking(); }

  /// True if only winsvc's own code runs for the request, which does not block: a health route without middleware.
  [[nodiscard]] bool is_builtin(const route::match_result& match, const wire::head& head) const {
    if (!router_.runs_no_app_code(match)) return false;
    const auto& chain = router_.middleware_for(match, head.method_id, head.path);
    return chain.empty() &&
           router_.accepts_host(head.host, match, head.method_id, chain);  // else an error handler of the app may run
  }
  /// Timeout of the route; nullopt if it has none.
  [[nodiscard]] std::optional<std::chrono::milliseconds> timeout_of(const route::match_result& match) const noexcept {
    if (match.outcome != route::match_outcome::matched) return std::nullopt;
    return router_.entry(match.route_id).metadata.timeout;
  }
  /// Logs that the timeout passed before the handler was started.
  void log_unstarted(std::string_view method, std::string_view path, std::chrono::milliseconds limit) const noexcept;

  /// The complete bytes of an error response without a handler, in the format that the client prefers and with the
  /// headers of the middleware that only adds headers. It runs no other code of the app. The connection ends after it.
  /// `own`: an exchange for this response alone. `shows_id`: the body has its id too.
  [[nodiscard]] std::string substitute_response(exchange& own, int status, std::string_view detail, bool shows_id);
  /// True if the client awaits server-sent events. An EventSource does not connect again after a status other than 200
  /// (WHATWG HTML standard, section "Server-sent events"), but it does after the end of an event stream.
  [[nodiscard]] bool awaits_events(const route::match_result& match, const wire::head& head);

  [[nodiscard]] const http::router& router() const noexcept { return router_; }
  [[nodiscard]] request_ids& ids() noexcept { return ids_; }

 private:
  bool process_request(exchange& exchange);
  bool read_body_of(exchange& exchange) const;
  bool read_compressed_body(exchange& exchange, request& req, std::string_view coding) const;
  void make_response(exchange& exchange, response& res);
  void prepare_response(exchange& exchange, response& res);
  void prepare_error(exchange& exchange, response& res);
  [[nodiscard]] std::string location_text(const exchange& exchange) const;
  void dispatch(exchange& exchange, response& res);
  void call_handler(exchange& exchange, response& res);
  bool receive_body(exchange& exchange, request& req, const body_source& read) const;
  void run_middleware(exchange& exchange, const api::middleware_chain& chain, std::size_t position, response& res);
  static void add_headers(exchange& own, const api::middleware_chain& chain, std::size_t position, response& res);
  void discard_unread_body(exchange& exchange);
  void log_length_mismatch(const exchange& exchange) const noexcept;
  [[nodiscard]] std::uint64_t body_limit(const exchange& exchange) const noexcept {
    return (std::min)(router_.body_limit(exchange.match, limits_.body_bytes), exchange.body.limit);
  }
  void send_timeout_response(exchange& exchange, std::chrono::milliseconds limit) noexcept;
  static connection_headers decide_connection_headers(exchange& exchange, const response& res);

  const http::router& router_;
  const wire::limits& limits_;
  logger& log_;
  const clock& time_;
  const error_responder error_responder_;
  handler_timeouts handler_timeouts_;
  std::vector<route_latency> latencies_;  // by route id; the last one is for requests without a route
  request_ids ids_;
};

/// Response that needs no memory. Its blocks of memory are reserved before the request (scratch_buffers).
inline constexpr std::string_view out_of_memory_response =
    "HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\nRetry-After: 10\r\nConnection: close\r\n\r\n";
static_assert(out_of_memory_response.find(std::string_view("Retry-After: 10\r")) != std::string_view::npos &&
              retry_after_seconds == "10");

/// Media type of server-sent events.
inline constexpr std::string_view event_stream_type = "text/event-stream";

/// Detail text for a body error, by its status.
[[nodiscard]] constexpr std::string_view body_error_text(int status) noexcept {
  return status == 408   ? "the body did not arrive in time"
         : status == 413 ? "the body is too large"
         : status == 415 ? "the content coding of the body is not supported"
                         : "the framing of the body is invalid";
}

/// The complete bytes of an error response that ends the connection, for a request without a valid head.
[[nodiscard]] std::string error_response(int status, std::string_view reason, const clock& time, bool send_body = true);

}  // namespace detail::http
}  // inline namespace WINSVC_ABI
}  // namespace winsvc

// ---------------------------------------------------------------------------------------------------------------------

#if WINSVC_BODIES_HTTP

namespace winsvc {
inline namespace WINSVC_ABI {
namespace detail::http {

WINSVC_INLINE request_processor::request_processor(const http::router& router, const wire::limits& limits, logger& log,
                                                   const clock& time, os::thread_starter& starter)
    : router_(router),
      limits_(limits),
      log_(log),
      time_(time),
      error_responder_(router, log),
      handler_timeouts_(time, starter),
      latencies_(router.table().entries().size() + 1) {}

WINSVC_INLINE void request_processor::start() {
  const auto& entries = router_.table().entries();
  if (std::any_of(entries.begin(), entries.end(), [](const auto& e) { return e.metadata.timeout.has_value(); }))
    handler_timeouts_.start();
}

WINSVC_INLINE void request_processor::log_unstarted(std::string_view method, std::string_view path,
                                                    std::chrono::milliseconds limit) const noexcept {
  try {
    log_.warn("request " + std::string(method) + ' ' + std::string(path) + ": no thread was free within " +
              base::duration_text(limit) + "; the request was rejected, the handler was not started");
  } catch (...) {  // out of memory: the client receives the response
  }
}

WINSVC_INLINE bool request_processor::process(exchange& exchange) {
  const exchange_scope handled(exchange);
  auto* const outer_headers = std::exchange(header_pool::current(), &exchange.services.headers);
  std::string_view target = exchange.head.target;  // without its query, which may have a secret
  target.remove_suffix(exchange.head.query.size());
  if (target.back() == '?') target.remove_suffix(1);
  const os::activity running(exchange.head.method, target);
  bool ok = false;
  try {
    ok = process_request(exchange);
  } catch (...) {  // content providers run while the response is written
    exchange.handled_time = time_.now();
    // If no byte was sent, a response without memory takes the place of the incomplete one.
    exchange.delivery.discard_body();
    const bool replaces = exchange.stream.sent_bytes() == 0;
    exchange.stream.output().clear();
    try {
      if (replaces) exchange.stream.output().append(out_of_memory_response);
      if (replaces) exchange.delivery.status = 503;
      log_.error("request " + exchange.id() + ": writing the response failed: " + base::exception_message());
    } catch (const std::exception&) {  // out of memory: the connection ends
    }
  }
  exchange.current_request = nullptr;
  if (exchange.filled_request) exchange.services.headers.release(exchange.filled_request->headers);
  header_pool::current() = outer_headers;
  if (exchange.stream.was_sent_instead()) {
    exchange.delivery.status = 503;
    base::attempt([&] {
      if (awaits_events(exchange.match, exchange.head)) exchange.delivery.status = 200;
    });
  }
  const bool is_owner = exchange.stream.close();  // false: a timeout has sent its response, and nothing may follow it
  if (!is_owner) exchange.delivery.discard_body();
  return is_owner && ok && !exchange.delivery.close_after_response && exchange.stream.is_body_complete();
}

/// Runs the middleware and the handler, and writes the response. Returns false if the response is incomplete.
WINSVC_INLINE bool request_processor::process_request(exchange& exchange) {
  response res;
  res.link.attach(exchange);
  const scope_exit return_memory([&exchange, &res]() noexcept { exchange.services.headers.release(res.headers); });
  struct call_frame {  // one pointer to it fits into a std::function without an allocation
    const request_processor& processor;
    http::exchange& exchange;
  } frame{*this, exchange};
  const bool has_unread_body =
      !exchange.stream.is_body_complete() && exchange.head.method_id != route::method::head;
  if (exchange.match.outcome == route::match_outcome::matched && has_unread_body)
    exchange.body.read = [&frame] { return frame.processor.read_body_of(frame.exchange); };
  make_response(exchange, res);
  exchange.body.read = nullptr;

  if (!exchange.stream.is_body_complete() && exchange.stream.is_body_buffered()) {
    std::string unread;
    exchange.stream.move_body_to(unread);
  }
  if (is_stream(res)) {
    latency_of(exchange.match).mark_stream();
    if (base::starts_with_nocase(api::content_type_of(res), event_stream_type))
      latency_of(exchange.match).mark_events();
    if (!find_event_provider(res)) latency_of(exchange.match).mark_holds_thread();
  }
  exchange.handled_time = time_.now();
  const bool complete = http::write_response(exchange, res, decide_connection_headers(exchange, res));
  if (exchange.stream.sent_bytes() > 0) exchange.handled_time = time_.now();
  if (exchange.delivery.length_mismatch) log_length_mismatch(exchange);
  if (!complete) exchange.delivery.close_after_response = true;  // the client detects the missing end of the body
  return complete;
}

/// Decides the connection header and the body rules when the response is complete, before it is written.
WINSVC_INLINE connection_headers request_processor::decide_connection_headers(exchange& exchange,
                                                                              const response& res) {
  response_delivery& delivery = exchange.delivery;
  delivery.status = res.status;
  // `draining` is checked now and not when the request arrived: the drain may have begun while the handler ran.
  const bool body_failed = !exchange.stream.is_body_complete() && exchange.stream.body_error_status() != 0;
  // HTTP/1.0 has no chunks: the end of the connection is the end of a stream.
  const bool close_ends_body = exchange.head.minor_version == 0 && is_stream(res) && !delivery.stream_length;
  if (exchange.services.draining.load() || body_failed || close_ends_body) delivery.close_after_response = true;
  connection_headers headers;
  headers.send_body = exchange.head.method_id != route::method::head;
  const bool has_upgrade =
      api::find_header(res, "Upgrade") != nullptr;  // status 101, or 426 with the required protocol
  if (delivery.close_after_response && res.status != 101) headers.connection = has_upgrade ? "Upgrade, close" : "close";
  else if (has_upgrade) headers.connection = "Upgrade";
  else if (exchange.head.minor_version == 0) headers.connection = "keep-alive";
  return headers;
}

WINSVC_INLINE std::string error_response(int status, std::string_view reason, const clock& time, bool send_body) {
  response res;
  write_error(res, {status, reason}, error_format::json);
  if (status == 503 || status == 429) add_retry_after(res);
  return complete_response(res, time, send_body);
}

}  // namespace detail::http
}  // inline namespace WINSVC_ABI
}  // namespace winsvc

#endif  // WINSVC_BODIES_HTTP
