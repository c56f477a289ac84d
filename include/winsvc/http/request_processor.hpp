// Request processor: runs one request: body, middleware, handler, error responses, and the headers of the response.
//
//   request_processor processor(router, limits, log);
//   const bool keep_alive = processor.process(exchange, peer, local);   // the response is in exchange.stream.output()
//
// It derives from httplib::Server, whose parser, compression and writer serve the requests that the fast path does not.
// It uses what cpp-httplib offers to a subclass (process_request, svr_sock_) and its public callbacks, and never calls
// listen() or stop(). It does not read heads or accept connections.
#pragma once

#include <algorithm>
#include <atomic>
#include <charconv>
#include <chrono>
#include <cstdint>
#include <exception>
#include <functional>
#include <limits>
#include <optional>
#include <random>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "winsvc/base/error.hpp"
#include "winsvc/base/duration.hpp"
#include "winsvc/base/log.hpp"
#include "winsvc/base/scope.hpp"
#include "winsvc/config/abi.hpp"
#include "winsvc/http/body_reader.hpp"
#include "winsvc/http/fast_path.hpp"
#include "winsvc/http/exchange.hpp"
#include "winsvc/http/error_responder.hpp"
#include "winsvc/api/httplib.hpp"
#include "winsvc/http/problem.hpp"
#include "winsvc/http/router.hpp"
#include "winsvc/http/engine_state.hpp"
#include "winsvc/http/upload_receiver.hpp"
#include "winsvc/http/handler_timeouts.hpp"

namespace winsvc {
inline namespace WINSVC_ABI {
namespace detail::http {

class request_processor final : public httplib::Server {
 public:
  request_processor(const router& routes, const wire::limits& limits, logger& log);

  /// Runs one request whose head was accepted. The response is in the stream's output(), unless it was sent already.
  /// Returns false if the connection cannot serve another request. Reports errors to the client and the log.
  bool process(exchange& exchange, const os::endpoint& peer, const os::endpoint& local);

  /// Serves the new protocol of a connection after a 101 response, until it ends.
  void process_upgraded(exchange& exchange) { exchange.serve_upgraded(log_); }

  /// Latency history of the route; requests without a route share one history.
  [[nodiscard]] route_latency& latency_of(const route::match_result& match) noexcept {
    return latencies_[match.outcome == route::match_outcome::matched ? match.route_id : latencies_.size() - 1];
  }
  [[nodiscard]] bool is_slow(const route::match_result& match) noexcept { return latency_of(match).is_slow(); }

  [[nodiscard]] const router& routes() const noexcept { return routes_; }
  /// Returns a short request id, for example `3f09ac-17`: a random number of this process and a counter.
  [[nodiscard]] std::string next_id();

 private:
  bool process_with_httplib(exchange& exchange, const os::endpoint& peer, const os::endpoint& local);
  std::optional<bool> process_fast_path(exchange& exchange, const os::endpoint& peer, const os::endpoint& local);
  void route(exchange& exchange, request& req, response& res);
  void dispatch(exchange& exchange, request& req, response& res);
  void call_handler(exchange& exchange, request& req, response& res);
  [[nodiscard]] bool accepts_upload(const exchange& exchange) const {
    return routes_.receiver(exchange.match) != nullptr;
  }
  bool receive_body(exchange& exchange, request& req, const body_source& read) const;
  void run_middleware(exchange& exchange, std::size_t position, request& req, response& res);
  void discard_unread_body(exchange& exchange);
  [[nodiscard]] std::uint64_t body_limit(const exchange& exchange) const noexcept {
    return (std::min)(routes_.body_limit(exchange.match, limits_.body_bytes), exchange.body_limit);
  }
  void send_timeout_response(exchange& exchange, const request& req, std::chrono::milliseconds limit) noexcept;
  static connection_headers decide_connection_headers(exchange& exchange, const request& req, response& res);
  static void before_write(exchange& exchange, const request& req, response& res);

  const router& routes_;
  const wire::limits& limits_;
  logger& log_;
  const error_responder error_responder_;
  handler_timeouts handler_timeouts_;
  std::vector<route_latency> latencies_;  // by route id; the last one is for requests without a route
  std::uint32_t salt_;
  std::atomic<std::uint64_t> request_counter_{0};  // relaxed: only uniqueness matters
};

/// Detail text for a body error, by its status.
[[nodiscard]] constexpr std::string_view body_error_text(int status) noexcept {
  return status == 408   ? "the body did not arrive in time"
         : status == 413 ? "the body is too large"
         : status == 415 ? "the content coding of the body is not supported"
                         : "the framing of the body is invalid";
}

/// The complete bytes of a response that ends the connection.
[[nodiscard]] std::string complete_response(const response& res, bool send_body = true);
/// The complete bytes of an error response that ends the connection, for requests without a handler.
[[nodiscard]] std::string error_response(int status, std::string_view reason, bool send_body = true);

}  // namespace detail::http
}  // inline namespace WINSVC_ABI
}  // namespace winsvc

// ---------------------------------------------------------------------------------------------------------------------

#if WINSVC_BODIES_HTTP

namespace winsvc {
inline namespace WINSVC_ABI {
namespace detail::http {

WINSVC_INLINE request_processor::request_processor(const router& routes, const wire::limits& limits, logger& log)
    : routes_(routes),
      limits_(limits),
      log_(log),
      error_responder_(routes, log),
      latencies_(routes.routes().entries().size() + 1),
      salt_(std::random_device{}() & 0xFFFFFFu) {
  // cpp-httplib stops content providers while svr_sock_ is INVALID_SOCKET, which means "stopped".
  svr_sock_ = static_cast<socket_t>(0);
  // The limits of winsvc apply; cpp-httplib would clear our response when it enforces its own.
  set_payload_max_length((std::numeric_limits<std::size_t>::max)());

  set_pre_routing_handler([this](const request& req, response& res) {
    // cpp-httplib passes its own non-const objects as const; removing the const is well defined.
    auto& r = const_cast<request&>(req);
    exchange& exchange = *current_exchange();
    if (exchange.finished_response) {  // the fast path ran the handler; cpp-httplib only writes the response
      res = std::move(*exchange.finished_response);
      r.ranges.clear();
      return HandlerResponse::Handled;
    }
    exchange.current_request = &req;
    r.is_connection_closed = [&exchange] {
      return exchange.stream.wait_stream_event(std::chrono::milliseconds(0)) == stream_event::peer_closed;
    };
    if (r.method != "GET" && r.method != "HEAD") r.ranges.clear();  // a range requires GET (RFC 9110 section 14.2)

    const bool has_unread_body = !exchange.stream.is_body_complete() && r.method != "HEAD";
    if (exchange.match.outcome == route::match_outcome::matched && has_unread_body) {
      const std::string coding = r.get_header_value("Content-Encoding");
      const bool plain = coding.empty() || base::equal_nocase(coding, "identity");
#if WINSVC_COMPRESSES
      if (!plain) {
        // Continue with the handler below: only there does cpp-httplib provide a reader that decompresses.
        exchange.path = std::exchange(r.path, "/_");
        exchange.method = std::exchange(r.method, "POST");
        return HandlerResponse::Unhandled;
      }
#endif
      exchange.read_body = [this, &exchange, &r, &res, plain] {
        if (!plain) {
          res.status = 415;
          return false;
        }
        return receive_body(exchange, r,
                            [&exchange](const body_receiver& take) { return exchange.stream.read_body(take); });
      };
    }
    route(exchange, r, res);
    exchange.read_body = nullptr;
    return HandlerResponse::Handled;
  });

#if WINSVC_COMPRESSES
  // A handler with a reader decides when the body is read: after the middleware and before the app's handler. It exists
  // only with a decompressor, because a route of cpp-httplib adds std::regex to the program.
  const HandlerWithContentReader read_compressed = [this](const request& req, response& res,
                                                          const httplib::ContentReader& read) {
    exchange& exchange = *current_exchange();
    auto& r = const_cast<request&>(req);
    r.path = std::move(exchange.path);
    r.method = std::move(exchange.method);
    r.path_params.clear();
    exchange.read_body = [this, &exchange, &r, &read] {
      return receive_body(exchange, r, [&r, &read](const body_receiver& take) {
        // For the type of a form, cpp-httplib would parse the body itself and pass no bytes. So the type is hidden.
        const auto type = r.headers.find("Content-Type");
        std::string hidden;
        if (type != r.headers.end()) hidden = std::exchange(type->second, std::string());
        const scope_exit restore([&] {
          if (type != r.headers.end()) type->second = std::move(hidden);
        });
        return read(take);
      });
    };
    route(exchange, r, res);
    exchange.read_body = nullptr;
  };
  Post("/:_", read_compressed);
#endif

  set_error_handler([this](const request& req, response& res) {
    exchange& exchange = *current_exchange();
    if (exchange.is_own_response || !res.body.empty()) return HandlerResponse::Unhandled;
    // An error response of cpp-httplib has no text.
    error_responder_.send_error(exchange, req, res, res.status, "the request could not be read");
    return HandlerResponse::Handled;
  });

  set_post_routing_handler([](const request& req, response& res) { before_write(*current_exchange(), req, res); });
}

WINSVC_INLINE std::string request_processor::next_id() {
  char text[32];
  char* end = text;
  for (int shift = 20; shift >= 0; shift -= 4) *end++ = "0123456789abcdef"[(salt_ >> shift) & 0xF];
  *end++ = '-';
  end = std::to_chars(end, text + sizeof text, request_counter_.fetch_add(1, std::memory_order_relaxed) + 1).ptr;
  return std::string(text, end);
}

WINSVC_INLINE bool request_processor::process(exchange& exchange, const os::endpoint& peer, const os::endpoint& local) {
  auto* const outer = std::exchange(current_exchange(), &exchange);  // not null if a handler calls another engine
  bool ok = false;
  try {
    const bool is_upload = exchange.match.outcome == route::match_outcome::matched && accepts_upload(exchange);
    const bool fast = limits_.fast_path && !latency_of(exchange.match).streams() && !is_upload &&
                      is_fast_path_request(exchange.head, exchange.stream);
    const std::optional<bool> sent = fast ? process_fast_path(exchange, peer, local) : std::nullopt;
    ok = sent ? *sent : process_with_httplib(exchange, peer, local);
  } catch (...) {
    // Content providers, callbacks and the writer run outside cpp-httplib's own try block.
    log_.error("request " + exchange.id + ": writing the response failed: " + base::exception_message());
  }
  current_exchange() = outer;
  if (exchange.stream.was_sent_instead()) exchange.status = 503;
  return exchange.stream.close() && ok && !exchange.close_after_response && exchange.stream.is_body_complete();
}

WINSVC_INLINE bool request_processor::process_with_httplib(exchange& exchange, const os::endpoint& peer,
                                                           const os::endpoint& local) {
  exchange.stream.set_normalized_head(wire::write_normalized_head(exchange.head, api::httplib_decodes_headers));
  return process_request(exchange.stream, peer.host, peer.port, local.host, local.port, exchange.close_after_response,
                         exchange.httplib_closes_connection, nullptr);
}

/// Returns whether the response was written. nullopt: no handler ran; process_with_httplib() must process the request.
WINSVC_INLINE std::optional<bool> request_processor::process_fast_path(exchange& exchange, const os::endpoint& peer,
                                                                       const os::endpoint& local) {
  request req;
  if (!fill_request(req, exchange.head, peer, local)) return std::nullopt;
  response res;
  exchange.current_request = &req;
  req.is_connection_closed = [&exchange] {
    return exchange.stream.wait_stream_event(std::chrono::milliseconds(0)) == stream_event::peer_closed;
  };
  struct call_frame {  // one pointer to it fits into a std::function without an allocation
    const request_processor& processor;
    http::exchange& current;
    request& req;
  } frame{*this, exchange, req};
  const bool has_unread_body = !exchange.stream.is_body_complete() && req.method != "HEAD";
  if (exchange.match.outcome == route::match_outcome::matched && has_unread_body) {
    exchange.read_body = [&frame] {
      const std::uint64_t limit = frame.processor.body_limit(frame.current);
      frame.current.body_too_large = frame.current.head.content_length > limit;
      if (frame.current.body_too_large) return false;
      frame.current.stream.move_body_to(frame.req.body);
      if (is_urlencoded(frame.req)) parse_urlencoded(frame.req);
      return true;
    };
  }
  route(exchange, req, res);
  exchange.read_body = nullptr;
  if (!is_complete_response(res)) {  // further requests of this route skip the fast path
    latency_of(exchange.match).mark_stream();
    exchange.finished_response = &res;
    const bool ok = process_with_httplib(exchange, peer, local);
    exchange.finished_response = nullptr;
    exchange.current_request = nullptr;
    return ok;
  }
  if (!exchange.stream.is_body_complete() && exchange.stream.is_body_buffered()) {
    std::string unread;
    exchange.stream.move_body_to(unread);
  }
  serialize_response(res, decide_connection_headers(exchange, req, res), exchange.stream.output());
  exchange.current_request = nullptr;
  return true;
}

/// Runs the middleware and, inside it, the handler or the error response.
WINSVC_INLINE void request_processor::route(exchange& exchange, request& req, response& res) {
  exchange.is_own_response = true;
  if (exchange.match.outcome == route::match_outcome::matched)
    exchange.pattern = routes_.entry(exchange.match.route_id).path.text;
  run_middleware(exchange, 0, req, res);
  error_responder_.check_status(exchange, req, res);
  const std::string* const connection = api::find_header(res, "Connection");  // set by the app
  if (connection && base::equal_nocase(*connection, "close")) exchange.close_after_response = true;
  if (res.status == -1) res.status = 200;     // with -1, cpp-httplib would respond to a Range with 206
  if (res.status != 206) req.ranges.clear();  // cpp-httplib would respond with 416 to a range after the end of the body
  if (api::find_header(res, "Content-Encoding"))
    req.headers.erase("Accept-Encoding");  // else cpp-httplib encodes it again
  discard_unread_body(exchange);
}

/// Runs one middleware. Each one runs in its own run_guarded(), so that `next` returns with a finished response even if
/// an inner function throws.
WINSVC_INLINE void request_processor::run_middleware(exchange& exchange, std::size_t position, request& req,
                                                     response& res) {
  const api::middleware_chain& chain = routes_.middleware_for(exchange.match, exchange.head.method_id);
  if (position == chain.size()) return dispatch(exchange, req, res);
  bool called = false;
  const std::function<void()> call_next = [&] {
    if (std::exchange(called, true)) throw std::logic_error("a middleware called next() a second time");
    run_middleware(exchange, position + 1, req, res);
    if (res.status == -1) res.status = 200;
  };
  error_responder_.run_guarded(exchange, req, res, "middleware",
                               [&] { (*chain[position])(req, res, next_handler(call_next)); });
}

/// Keeps the connection if the unread body is buffered, because the body can be dropped. Otherwise the response is sent
/// now and the connection ends: it would have to wait for the body.
WINSVC_INLINE void request_processor::discard_unread_body(exchange& exchange) {
  if (exchange.stream.is_body_buffered() && exchange.stream.body_error_status() == 0) return;
  exchange.close_after_response = true;
  exchange.stream.reject_body();
}

WINSVC_INLINE void request_processor::dispatch(exchange& exchange, request& req, response& res) {
  switch (exchange.match.outcome) {
    case route::match_outcome::matched: return call_handler(exchange, req, res);
    case route::match_outcome::bad_path:
      return error_responder_.send_error(exchange, req, res, 400, "the path is not well formed");
    case route::match_outcome::not_found: return error_responder_.send_error(exchange, req, res, 404, {});
    case route::match_outcome::paused:
      api::replace_header(res, "Retry-After", "10");
      return error_responder_.send_error(exchange, req, res, 503, "the service is paused");
    case route::match_outcome::method_not_allowed:
      api::replace_header(res, "Allow", exchange.match.allowed.allow());
      if (exchange.head.method_id == route::method::options) res.status = 204;
      else error_responder_.send_error(exchange, req, res, 405, {});
  }
}

/// Reads the body into the request, or into files for an upload. Returns false if it did not arrive or is too large.
WINSVC_INLINE bool request_processor::receive_body(exchange& exchange, request& req, const body_source& read) const {
  const std::uint64_t limit = body_limit(exchange);
  exchange.body_too_large = exchange.head.framing == wire::framing::length && exchange.head.content_length > limit;
  if (exchange.body_too_large) return false;
  const upload_receiver* const files = routes_.receiver(exchange.match);
  if (!files) return read_body(req, read, limit, exchange.body_too_large);

  // Unless the body is read to its end, the connection cannot serve another request.
  const bool close_before = std::exchange(exchange.close_after_response, true);
  const std::uint64_t file_limit = routes_.entry(exchange.match.route_id).metadata.file_limit.value_or(limit);
  if (!files->receive(exchange, req, read, {limit, file_limit, routes_.upload_folder})) return false;
  exchange.close_after_response = close_before;
  return true;
}

WINSVC_INLINE void request_processor::call_handler(exchange& exchange, request& req, response& res) {
  error_responder_.run_guarded(exchange, req, res, "handler", [&] {
    if (exchange.read_body && !exchange.read_body()) {
      const int error = exchange.stream.body_error_status();
      const int status = exchange.body_too_large ? 413 : error > 0 ? error : res.status >= 400 ? res.status : 400;
      exchange.close_after_response = true;
      winsvc::abort(status, exchange.body_too_large
                                ? "the body is larger than " + std::to_string(body_limit(exchange)) + " bytes"
                                : std::string(body_error_text(status)));
    }
    std::optional<handler_timeouts::scoped_timeout> deadline;
    if (const auto limit = routes_.entry(exchange.match.route_id).metadata.time_limit) {
      deadline.emplace(handler_timeouts_, *limit,
                       [this, &exchange, &req, limit = *limit] { send_timeout_response(exchange, req, limit); });
    }
    for (const auto& check_body : exchange.before_handler) check_body();
    routes_.call(exchange.match, req, res);
  });
}

/// Called on the timer thread of handler_timeouts while the handler runs. Both only read `req`.
WINSVC_INLINE void request_processor::send_timeout_response(exchange& exchange, const request& req,
                                                            std::chrono::milliseconds limit) noexcept {
  try {
    response res;
    const std::string detail = "no response within " + base::duration_text(limit);
    if (prefers_text(req)) write_text_problem(res, 503, detail, exchange.id);
    else write_problem(res, 503, detail, exchange.id);
    if (!exchange.stream.send_instead(complete_response(res))) return;
    log_.warn("request " + exchange.id + ": " + std::string(exchange.head.method) + ' ' +
              std::string(exchange.head.path) + ": handler at " +
              routes_.entry(exchange.match.route_id).location.to_string() + ": " + detail +
              "; sent 503 to the client, the handler still runs");
  } catch (...) {  // out of memory: the handler may still respond
  }
}

/// Decides the connection header and the body rules when the response is complete, before it is written.
WINSVC_INLINE connection_headers request_processor::decide_connection_headers(exchange& exchange, const request& req,
                                                                              response& res) {
  exchange.status = res.status;
  // `draining` is checked now and not when the request arrived: the drain may have begun while the handler ran.
  const bool body_failed = !exchange.stream.is_body_complete() && exchange.stream.body_error_status() != 0;
  if (exchange.draining.load() || exchange.httplib_closes_connection || body_failed)
    exchange.close_after_response = true;
  connection_headers headers;
  headers.no_body_allowed = res.status < 200 || res.status == 204 || res.status == 304;
  headers.send_body = req.method != "HEAD";
  const bool has_upgrade =
      api::find_header(res, "Upgrade") != nullptr;  // status 101, or 426 with the required protocol
  if (exchange.close_after_response && res.status != 101) headers.connection = has_upgrade ? "Upgrade, close" : "close";
  else if (has_upgrade) headers.connection = "Upgrade";
  else if (exchange.head.minor_version == 0) headers.connection = "keep-alive";
  return headers;
}

/// Called by cpp-httplib when the headers are complete, before it writes them.
WINSVC_INLINE void request_processor::before_write(exchange& exchange, const request& req, response& res) {
  if (res.is_chunked_content_provider_ && exchange.head.minor_version == 0) {  // HTTP/1.0: the close ends the body
    res.is_chunked_content_provider_ = false;
    res.headers.erase("Transfer-Encoding");
    exchange.close_after_response = true;
  }
  const connection_headers headers = decide_connection_headers(exchange, req, res);
  if (res.content_provider_ && (headers.no_body_allowed || !res.body.empty())) {  // a stream that was replaced
    discard_stream(res);
    api::replace_header(res, "Content-Length", std::to_string(res.body.size()));
  }
  if (res.content_provider_) exchange.stream.disable_buffering();
  // RFC 9110 section 8.6: no Content-Length with 1xx or 204; in a 304 it would describe the 200 response.
  if (headers.no_body_allowed) {
    res.body.clear();
    res.headers.erase("Content-Length");
    if (res.status != 304) res.headers.erase("Content-Type");
  }
  if (!headers.send_body) res.headers.erase("Accept-Ranges");  // cpp-httplib sets it only in a response to HEAD
  res.headers.erase("Keep-Alive");
  res.headers.erase("Connection");
  if (!headers.connection.empty()) res.set_header("Connection", std::string(headers.connection));
  if (!res.has_header("Date")) res.set_header("Date", std::string(date_header_value()));
}

WINSVC_INLINE std::string complete_response(const response& res, bool send_body) {
  connection_headers headers;
  headers.connection = "close";
  headers.send_body = send_body;
  std::string output;
  serialize_response(res, headers, output);
  return output;
}

WINSVC_INLINE std::string error_response(int status, std::string_view reason, bool send_body) {
  response res;
  write_problem(res, status, reason);
  if (status == 503 || status == 429) api::replace_header(res, "Retry-After", "10");
  return complete_response(res, send_body);
}

}  // namespace detail::http
}  // inline namespace WINSVC_ABI
}  // namespace winsvc

#endif  // WINSVC_BODIES_HTTP
