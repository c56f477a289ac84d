// cpp-httplib at work for one request: the subclass that reaches its parser and writer, and the hooks that put our
// router in the place of its own.
//
// cpp-httplib parses heads, compresses and writes; this reads bodies, decides what is called, and what an answer must and
// must not carry. It uses what a subclass is offered (process_request, svr_sock_) and public hooks, and never calls listen() or
// stop().
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
namespace http {

class request_processor final : public httplib::Server {
 public:
  request_processor(const router& routes, const wire::limits& bounds, logger& log);

  /// Runs one request that the gate has let through, and leaves its answer in the stream's `out`, as far as that has
  /// not left already. False: the connection is of no further use behind it.
  bool process(exchange& exchange, const os::endpoint& peer, const os::endpoint& local);

  /// Serves a connection whose request was answered with 101, until it is over.
  void process_upgraded(exchange& exchange) { exchange.serve_upgraded(log_); }

  /// How long requests like this take.
  [[nodiscard]] route_latency& latency_of(const route::match_result& m) noexcept {
    return latencies_[m.outcome == route::match_outcome::matched ? m.route_id : latencies_.size() - 1];
  }
  [[nodiscard]] bool is_slow(const route::match_result& m) noexcept { return latency_of(m).is_slow(); }

  /// The routes, for whoever matches before the body is read.
  [[nodiscard]] const router& routes() const noexcept { return routes_; }
  /// A request id: short, and unlike those of the run before.
  [[nodiscard]] std::string next_id();

 private:
  bool process_with_httplib(exchange& exchange, const os::endpoint& peer, const os::endpoint& local);
  bool process_fast_path(exchange& exchange, const os::endpoint& peer, const os::endpoint& local);
  void route(exchange& exchange, request& req, response& res);
  void dispatch(exchange& exchange, request& req, response& res);
  void call_handler(exchange& exchange, request& req, response& res);
  [[nodiscard]] bool accepts_upload(const exchange& exchange) const { return routes_.receiver(exchange.match) != nullptr; }
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
  std::vector<route_latency> latencies_;  // by route, and the last for what has none
  std::uint32_t salt_;
  std::atomic<std::uint64_t> request_counter_{0};  // relaxed: only its uniqueness matters
};

/// What was wrong with a body, by the status it got.
[[nodiscard]] constexpr std::string_view body_error_text(int status) noexcept {
  return status == 408   ? "the body did not arrive in time"
         : status == 413 ? "the body is too large"
         : status == 415 ? "the body is in a coding that is not known here"
                         : "the body is not framed as it says";
}

/// An answer that nobody else writes, the connection closing.
[[nodiscard]] std::string complete_response(const response& res, bool send_body = true);
/// The same for what the gate refuses.
[[nodiscard]] std::string error_response(int status, std::string_view reason, bool send_body = true);

}  // namespace http
}  // inline namespace WINSVC_ABI
}  // namespace winsvc

// ---------------------------------------------------------------------------------------------------------------------

#if WINSVC_BODIES_HTTP

namespace winsvc {
inline namespace WINSVC_ABI {
namespace http {

WINSVC_INLINE request_processor::request_processor(const router& routes, const wire::limits& bounds, logger& log) : routes_(routes), limits_(bounds), log_(log), error_responder_(routes, log), latencies_(routes.routes().entries().size() + 1), salt_(std::random_device{}() & 0xFFFFFFu) {
  // Content providers stop as soon as this is INVALID_SOCKET, which to cpp-httplib means "stopped".
  svr_sock_ = static_cast<socket_t>(0);
  set_payload_max_length((std::numeric_limits<std::size_t>::max)());  // ours count; its own would blank our answer

  set_pre_routing_handler([this](const request& req, response& res) {
    // cpp-httplib hands out its own non-const objects as const; casting that away is well defined.
    auto& r = const_cast<request&>(req);
    exchange& exchange = *current_exchange();
    if (exchange.finished_response) {  // it was made on the direct way; what is left to do is to write it
      res = std::move(*exchange.finished_response);
      r.ranges.clear();
      return HandlerResponse::Handled;
    }
    exchange.current_request = &req;
    r.is_connection_closed = [&exchange] { return exchange.stream.wait_stream_event(std::chrono::milliseconds(0)) == stream_event::peer_closed; };
    // a range is defined for GET alone (RFC 9110 section 14.2)
    if (r.method != "GET" && r.method != "HEAD") r.ranges.clear();

    if (exchange.match.outcome == route::match_outcome::matched && !exchange.stream.is_body_complete() && r.method != "HEAD") {
      const std::string coding = r.get_header_value("Content-Encoding");
      const bool plain = coding.empty() || strings::equal_nocase(coding, "identity");
#if WINSVC_COMPRESSES
      if (!plain) {
        // On to the handler below, which cpp-httplib gives a reader that decompresses, as it does for some methods only.
        exchange.path = std::exchange(r.path, "/_");
        exchange.method = std::exchange(r.method, "POST");
        return HandlerResponse::Unhandled;
      }
#endif
      exchange.read_body = [this, &exchange, &r, &res, plain] {
        if (!plain) res.status = 415;
        return plain && receive_body(exchange, r, [&exchange](const body_receiver& take) { return exchange.stream.read_body(take); });
      };
    }
    route(exchange, r, res);
    exchange.read_body = nullptr;
    return HandlerResponse::Handled;
  });

#if WINSVC_COMPRESSES
  // With a reader cpp-httplib lets us say when the body is read: after the middleware, before the handler. A route of
  // cpp-httplib's brings its std::regex into the program, so there is none where nothing can be decompressed.
  const HandlerWithContentReader late = [this](const request& req, response& res, const httplib::ContentReader& read) {
    exchange& exchange = *current_exchange();
    auto& r = const_cast<request&>(req);
    r.path = std::move(exchange.path);
    r.method = std::move(exchange.method);
    r.path_params.clear();
    exchange.read_body = [this, &exchange, &r, &read] {
      return receive_body(exchange, r, [&r, &read](const body_receiver& take) {
        // With the type of a form, cpp-httplib would parse the body itself and hand out nothing.
        const auto type = r.headers.find("Content-Type");
        std::string hidden;
        if (type != r.headers.end()) hidden = std::exchange(type->second, std::string());
        const scope_exit show([&] {
          if (type != r.headers.end()) type->second = std::move(hidden);
        });
        return read(take);
      });
    };
    route(exchange, r, res);
    exchange.read_body = nullptr;
  };
  Post("/:_", late);
#endif

  set_error_handler([this](const request& req, response& res) {
    exchange& exchange = *current_exchange();
    if (exchange.is_own_response || !res.body.empty()) return HandlerResponse::Unhandled;
    error_responder_.send_error(exchange, req, res, res.status, "the request could not be read");  // cpp-httplib's own refusals have no text
    return HandlerResponse::Handled;
  });

  set_post_routing_handler([](const request& req, response& res) { before_write(*current_exchange(), req, res); });
}

WINSVC_INLINE std::string request_processor::next_id() {
  char text[32];
  char* at = text;
  for (int shift = 20; shift >= 0; shift -= 4) *at++ = "0123456789abcdef"[(salt_ >> shift) & 0xF];
  *at++ = '-';
  at = std::to_chars(at, text + sizeof text, request_counter_.fetch_add(1, std::memory_order_relaxed) + 1).ptr;
  return std::string(text, at);
}

WINSVC_INLINE bool request_processor::process(exchange& exchange, const os::endpoint& peer, const os::endpoint& local) {
  auto* const outer = std::exchange(current_exchange(), &exchange);  // of a handler that asks another engine
  bool ok = false;
  try {
    const bool direct = limits_.fast_path && !latency_of(exchange.match).streams() && is_fast_path_request(exchange.head, exchange.stream) &&
                        !(exchange.match.outcome == route::match_outcome::matched && accepts_upload(exchange));
    ok = (direct && process_fast_path(exchange, peer, local)) || process_with_httplib(exchange, peer, local);
  } catch (const std::exception& e) {
    // Content providers, hooks and the writer run outside cpp-httplib's own try block.
    log_.error("request " + exchange.id + ": the answer failed while it was written: " + e.what());
  } catch (...) {
    log_.error("request " + exchange.id + ": the answer failed while it was written");
  }
  current_exchange() = outer;
  if (exchange.stream.was_sent_instead()) exchange.status = 503;
  return exchange.stream.close() && ok && !exchange.close_after_response && exchange.stream.is_body_complete();
}

WINSVC_INLINE bool request_processor::process_with_httplib(exchange& exchange, const os::endpoint& peer, const os::endpoint& local) {
  exchange.stream.set_normalized_head(wire::write_normalized_head(exchange.head, httplib_decodes_headers));
  return process_request(exchange.stream, peer.host, peer.port, local.host, local.port, exchange.close_after_response, exchange.httplib_closes_connection, nullptr);
}

/// False: nothing has been answered, and the other way is the one.
WINSVC_INLINE bool request_processor::process_fast_path(exchange& exchange, const os::endpoint& peer, const os::endpoint& local) {
  request req;
  if (!fill_request(req, exchange.head, peer, local)) return false;
  response res;
  exchange.current_request = &req;
  req.is_connection_closed = [&exchange] { return exchange.stream.wait_stream_event(std::chrono::milliseconds(0)) == stream_event::peer_closed; };
  struct call_frame {
    const request_processor& processor;
    http::exchange& current;
    request& req;
  } all{*this, exchange, req};
  if (exchange.match.outcome == route::match_outcome::matched && !exchange.stream.is_body_complete() && req.method != "HEAD") {
    exchange.read_body = [&all] {
      const std::uint64_t limit = all.processor.body_limit(all.current);
      all.current.body_too_large = all.current.head.content_length > limit;
      if (all.current.body_too_large) return false;
      all.current.stream.move_body_to(all.req.body);
      if (is_urlencoded(all.req)) parse_urlencoded(all.req);
      return true;
    };
  }
  route(exchange, req, res);
  exchange.read_body = nullptr;
  if (!is_complete_response(res)) {  // from now on such requests go the other way at once
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

/// The middleware, and in its middle the handler or the refusal.
WINSVC_INLINE void request_processor::route(exchange& exchange, request& req, response& res) {
  exchange.is_own_response = true;
  if (exchange.match.outcome == route::match_outcome::matched) exchange.pattern = routes_.entry(exchange.match.route_id).path.text;
  run_middleware(exchange, 0, req, res);
  error_responder_.check_status(exchange, req, res);
  const std::string* const wish = find_header(res, "Connection");  // somebody's own
  if (wish && strings::equal_nocase(*wish, "close")) exchange.close_after_response = true;
  if (res.status == -1) res.status = 200;     // left at -1, a Range would turn it into 206
  if (res.status != 206) req.ranges.clear();  // cpp-httplib would make it 416 where they reach past the answer's end
  if (find_header(res, "Content-Encoding")) req.headers.erase("Accept-Encoding");  // cpp-httplib would encode it again
  discard_unread_body(exchange);
}

/// One middleware, which is given the rest as `next`; each in a guard of its own, so that whoever called `next` sees a
/// finished answer whatever went wrong behind it.
WINSVC_INLINE void request_processor::run_middleware(exchange& exchange, std::size_t position, request& req, response& res) {
  const middleware_chain& links = routes_.middleware_for(exchange.match, exchange.head.method_id);
  if (position == links.size()) return dispatch(exchange, req, res);
  bool called = false;
  const std::function<void()> rest = [&] {
    if (std::exchange(called, true)) throw std::logic_error("a middleware called next() a second time");
    run_middleware(exchange, position + 1, req, res);
    if (res.status == -1) res.status = 200;
  };
  error_responder_.run_guarded(exchange, req, res, "middleware", [&] { (*links[position])(req, res, next_handler(rest)); });
}

/// A body that has arrived with its head is dropped, and the connection lives on. One that would have to be waited for
/// is not worth it: the answer leaves now, and the connection ends.
WINSVC_INLINE void request_processor::discard_unread_body(exchange& exchange) {
  if (exchange.stream.is_body_buffered() && exchange.stream.body_error_status() == 0) return;
  exchange.close_after_response = true;
  exchange.stream.reject_body();
}

WINSVC_INLINE void request_processor::dispatch(exchange& exchange, request& req, response& res) {
  switch (exchange.match.outcome) {
    case route::match_outcome::matched: return call_handler(exchange, req, res);
    case route::match_outcome::bad_path: return error_responder_.send_error(exchange, req, res, 400, "the path is not well formed");
    case route::match_outcome::not_found: return error_responder_.send_error(exchange, req, res, 404, {});
    case route::match_outcome::paused:
      replace_header(res, "Retry-After", "10");
      return error_responder_.send_error(exchange, req, res, 503, "the service is paused");
    case route::match_outcome::method_not_allowed:
      replace_header(res, "Allow", exchange.match.allowed.allow());
      if (exchange.head.method_id == route::method::options) res.status = 204;
      else error_responder_.send_error(exchange, req, res, 405, {});
  }
}

/// Into the request, or into files. False: it did not arrive whole, or is too large.
WINSVC_INLINE bool request_processor::receive_body(exchange& exchange, request& req, const body_source& read) const {
  const std::uint64_t limit = body_limit(exchange);
  exchange.body_too_large = exchange.head.framing == wire::framing::length && exchange.head.content_length > limit;
  if (exchange.body_too_large) return false;
  const upload_receiver* const files = routes_.receiver(exchange.match);
  if (!files) return read_body(req, read, limit, exchange.body_too_large);

  const bool closing = std::exchange(exchange.close_after_response, true);  // unless it is read to its end, nothing can follow it
  const std::uint64_t of_file = routes_.entry(exchange.match.route_id).metadata.file_limit.value_or(limit);
  if (!files->receive(exchange, req, read, {limit, of_file, routes_.upload_folder})) return false;
  exchange.close_after_response = closing;
  return true;
}

WINSVC_INLINE void request_processor::call_handler(exchange& exchange, request& req, response& res) {
  error_responder_.run_guarded(exchange, req, res, "handler", [&] {
    if (exchange.read_body && !exchange.read_body()) {
      const int fault = exchange.stream.body_error_status();
      const int status = exchange.body_too_large ? 413 : fault > 0 ? fault : res.status >= 400 ? res.status : 400;
      exchange.close_after_response = true;
      winsvc::abort(status, exchange.body_too_large ? "the body is larger than " + std::to_string(body_limit(exchange)) + " bytes"
                                             : std::string(body_error_text(status)));
    }
    std::optional<handler_timeouts::scoped_timeout> deadline;
    if (const auto limit = routes_.entry(exchange.match.route_id).metadata.time_limit)
      deadline.emplace(handler_timeouts_, *limit, [this, &exchange, &req, limit = *limit] { send_timeout_response(exchange, req, limit); });
    routes_.call(exchange.match, req, res);
  });
}

/// On the watchdog's thread. The request is only read here, as it is in the handler.
WINSVC_INLINE void request_processor::send_timeout_response(exchange& exchange, const request& req, std::chrono::milliseconds limit) noexcept {
  try {
    response res;
    const std::string detail = "no answer within " + duration_text(limit);
    if (prefers_text(req)) write_text_problem(res, 503, detail, exchange.id);
    else write_problem(res, 503, detail, exchange.id);
    if (!exchange.stream.send_instead(complete_response(res))) return;
    log_.warn("request " + exchange.id + ": " + std::string(exchange.head.method) + ' ' + std::string(exchange.head.path) + ": handler at " +
              routes_.entry(exchange.match.route_id).location.to_string() + ": " + detail + "; the client was told so with 503, and the "
              "handler goes on");
  } catch (...) {  // no memory: the handler may still answer
  }
}

/// What is decided once the answer is there, and before it is written.
WINSVC_INLINE connection_headers request_processor::decide_connection_headers(exchange& exchange, const request& req, response& res) {
  exchange.status = res.status;
  // Looked at now and not when the request came: the drain may have begun while the handler ran.
  if (exchange.draining.load() || exchange.httplib_closes_connection || (!exchange.stream.is_body_complete() && exchange.stream.body_error_status() != 0)) exchange.close_after_response = true;
  connection_headers words;
  words.no_body_allowed = res.status < 200 || res.status == 204 || res.status == 304;
  words.send_body = req.method != "HEAD";
  const bool switches = find_header(res, "Upgrade") != nullptr;  // or tells what to switch to: 101 and 426
  if (exchange.close_after_response && res.status != 101) words.connection = switches ? "Upgrade, close" : "close";
  else if (switches) words.connection = "Upgrade";
  else if (exchange.head.minor_version == 0) words.connection = "keep-alive";
  return words;
}

/// Runs when cpp-httplib has put the headers together and before it writes them.
WINSVC_INLINE void request_processor::before_write(exchange& exchange, const request& req, response& res) {
  if (res.is_chunked_content_provider_ && exchange.head.minor_version == 0) {  // HTTP/1.0 knows no chunks: the end is the end
    res.is_chunked_content_provider_ = false;
    res.headers.erase("Transfer-Encoding");
    exchange.close_after_response = true;
  }
  const connection_headers words = decide_connection_headers(exchange, req, res);
  if (res.content_provider_ && (words.no_body_allowed || !res.body.empty())) {  // a stream that was replaced
    discard_stream(res);
    replace_header(res, "Content-Length", std::to_string(res.body.size()));
  }
  if (res.content_provider_) exchange.stream.disable_buffering();
  // RFC 9110 section 8.6: no Content-Length in a 1xx or 204; a 304's would be that of the answer it stands for.
  if (words.no_body_allowed) {
    res.body.clear();
    res.headers.erase("Content-Length");
    if (res.status != 304) res.headers.erase("Content-Type");
  }
  if (!words.send_body) res.headers.erase("Accept-Ranges");  // cpp-httplib promises ranges on HEAD alone
  res.headers.erase("Keep-Alive");
  res.headers.erase("Connection");
  if (!words.connection.empty()) res.set_header("Connection", std::string(words.connection));
  if (!res.has_header("Date")) res.set_header("Date", std::string(date_header_value()));
}

WINSVC_INLINE std::string complete_response(const response& res, bool send_body) {
  connection_headers words;
  words.connection = "close";
  words.send_body = send_body;
  std::string out;
  serialize_response(res, words, out);
  return out;
}

WINSVC_INLINE std::string error_response(int status, std::string_view reason, bool send_body) {
  response res;
  write_problem(res, status, reason);
  if (status == 503 || status == 429) replace_header(res, "Retry-After", "10");
  return complete_response(res, send_body);
}

}  // namespace http
}  // inline namespace WINSVC_ABI
}  // namespace winsvc

#endif  // WINSVC_BODIES_HTTP
