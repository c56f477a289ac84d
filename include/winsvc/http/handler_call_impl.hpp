// Implementation of http/request_processor.hpp: runs the middleware, reads the body, calls the handler with its time
// limit, and prepares the response for the writer.
#pragma once

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>

#include "winsvc/api/httplib.hpp"
#include "winsvc/api/middleware.hpp"
#include "winsvc/base/clock.hpp"
#include "winsvc/base/duration.hpp"
#include "winsvc/base/text.hpp"
#include "winsvc/config/abi.hpp"
#include "winsvc/http/body_reader.hpp"
#include "winsvc/http/decompression.hpp"
#include "winsvc/http/error_responder.hpp"
#include "winsvc/http/exchange.hpp"
#include "winsvc/http/file_body.hpp"
#include "winsvc/http/handler_timeouts.hpp"
#include "winsvc/http/problem.hpp"
#include "winsvc/http/request_fields.hpp"
#include "winsvc/http/request_processor.hpp"
#include "winsvc/http/response_content.hpp"
#include "winsvc/http/response_writer.hpp"
#include "winsvc/http/router.hpp"
#include "winsvc/http/upload_receiver.hpp"
#include "winsvc/http/url_for_impl.hpp"
#include "winsvc/route/table.hpp"
#include "winsvc/wire/accept.hpp"
#include "winsvc/wire/head.hpp"
#include "winsvc/wire/host_name.hpp"
#include "winsvc/wire/representation.hpp"
#include "winsvc/wire/status.hpp"

// ---------------------------------------------------------------------------------------------------------------------

#if WINSVC_BODIES_HTTP

namespace winsvc {
inline namespace WINSVC_ABI {
namespace detail::http {

/// Reads a compressed body. Returns false if it did not arrive, or if its coding is unknown or invalid.
WINSVC_INLINE bool request_processor::read_compressed_body(exchange& exchange, request& req,
                                                           std::string_view coding) const {
  const auto decompressor = make_decompressor(coding);
  bool is_valid = true;
  const auto read = [&](const body_receiver& take) {
    if (!decompressor) return false;
    bool was_taken = true;
    const body_receiver take_part = [&](const char* bytes, std::size_t count) {
      return was_taken = take(bytes, count);
    };
    const bool arrived = exchange.stream.read_body([&](const char* bytes, std::size_t count) {
      is_valid = decompressor->feed({bytes, count}, take_part) || !was_taken;
      return is_valid && was_taken;
    });
    if (arrived) is_valid = decompressor->is_complete();
    return arrived && is_valid;
  };
  if (receive_body(exchange, req, read)) return true;
  exchange.body.unknown_coding = !decompressor && !exchange.body.too_large;
  exchange.body.invalid_coding = !is_valid;
  return false;
}

/// Reads the body into the request, or into files. Returns false if it did not arrive or cannot be used.
WINSVC_INLINE bool request_processor::read_body_of(exchange& exchange) const {
  request& req = request_of(exchange);
  const auto coding = wire::normalized_value(exchange.head, "Content-Encoding");
  if (coding && !coding->empty() && !base::equal_nocase(*coding, "identity"))
    return read_compressed_body(exchange, req, *coding);
  const bool is_form = is_multipart(req);
  if (exchange.stream.is_body_buffered() && !is_form && !router_.receiver(exchange.match)) {
    const std::uint64_t limit = body_limit(exchange);
    exchange.body.too_large = exchange.head.content_length > limit;
    if (exchange.body.too_large) return false;
    exchange.stream.move_body_to(req.body);
    if (is_urlencoded(req)) parse_urlencoded(req);
    return true;
  }
  return receive_body(exchange, req,
                      [&exchange](const body_receiver& take) { return exchange.stream.read_body(take); });
}

/// Makes the response: runs the middleware and, inside it, the handler or the error response. Then prepares the result
/// for the writer.
WINSVC_INLINE void request_processor::make_response(exchange& exchange, response& res) {
  content_criteria& criteria = exchange.criteria;
  if (exchange.match.outcome == route::match_outcome::matched) {
    const auto& entry = router_.entry(exchange.match.route_id);
    exchange.pattern = entry.path.text;
    criteria.is_head_route = entry.method_id == route::method::head;
  }
  for (const auto& field : exchange.head.fields) {
    const char first = base::to_lower(field.name.front());
    if (first == 'r' && base::equal_nocase(field.name, "Range"))
      criteria.has_range = !std::exchange(criteria.has_range_field, true) && wire::counts_bytes(field.value);
    else if (first == 'i' && field.name.size() > 7 && base::starts_with_nocase(field.name, "If-"))
      criteria.has_conditions = true;
  }
  const auto& chain = router_.middleware_for(exchange.match, exchange.head.method_id, exchange.head.path);
  if (router_.accepts_host(exchange.head.host, exchange.match, exchange.head.method_id, chain))
    run_middleware(exchange, chain, 0, res);
  else error_responder_.send_error(exchange, res, 421, wire::rejected_host_reason);
  error_responder_.check_status(exchange, res);
  if (res.status == -1) res.status = 200;
  // An invalid header is replaced by an error response, which is then prepared like any other.
  if (!res.headers.empty())
    error_responder_.run_guarded_change(exchange, res, "response", [&] { reject_invalid_headers(res); });
  const auto prepare = [&] { prepare_response(exchange, res); };
  if (!error_responder_.run_guarded_change(exchange, res, "response", prepare)) {
    exchange.delivery.stream_length.reset();  // of the response that the error response replaces
    exchange.delivery.length_of_head.reset();
    prepare_error(exchange, res);
  }
  discard_unread_body(exchange);
}

/// Adds the path prefix that a trusted proxy has reported to Location.
WINSVC_INLINE void add_forwarded_prefix(const exchange& exchange, response& res) {
  const std::string& prefix = exchange.forwarded().path_prefix;
  const std::string* const location = prefix.empty() ? nullptr : api::find_header(res, "Location");
  if (location) api::replace_header(res, "Location", with_prefix(prefix, *location));
}

/// Makes the response ready for the writer: the framing belongs to the server, and the request may select a part of the
/// content, or none.
WINSVC_INLINE void request_processor::prepare_response(exchange& exchange, response& res) {
  if (!res.file_content_path_.empty()) attach_file(res);
  if (wire::is_bodyless_status(res.status) || res.status == 205) {
    discard_stream(res);
    res.body.clear();
  } else if (res.content_provider_ && !res.body.empty()) {  // the body has replaced a stream
    discard_stream(res);
  }
  const std::string removed = remove_framing_fields(exchange, res);
  if (!removed.empty() && latency_of(exchange.match).is_first_framing_report()) {
    log_.warn("request " + exchange.id() + ": " + std::string(exchange.head.method) + ' ' +
              std::string(exchange.head.path) + ": the handler" + location_text(exchange) + " has set " + removed +
              "; the server sets these headers itself and has removed them (logged once per route)");
  }
  // A proxy that buffers the response, as nginx does by default, would delay a stream.
  if (is_stream(res) && !exchange.delivery.stream_length && !api::find_header(res, "X-Accel-Buffering"))
    api::insert_header(res, "X-Accel-Buffering", "no");
  if (exchange.extras()) add_forwarded_prefix(exchange, res);
  switch (select_content(exchange, res)) {
    case content_selection::as_is:
    case content_selection::not_modified: return;
    case content_selection::failed:
      error_responder_.send_error(exchange, res, 412, "the content does not match the request's condition");
      break;
    case content_selection::unsatisfiable:
      error_responder_.send_error(exchange, res, 416,
                                  (res.content_provider_ ? "the file has " : "the content has ") +
                                      std::to_string(body_length(res).value_or(0)) + " bytes");
      break;
  }
  prepare_error(exchange, res);
}

/// The same for an error response that has replaced a response while it was prepared: the app's error handler may have
/// set framing fields, or a file.
WINSVC_INLINE void request_processor::prepare_error(exchange& exchange, response& res) {
  static_cast<void>(remove_framing_fields(exchange, res));
  if (res.file_content_path_.empty()) return;
  const auto attach = [&] { attach_file(res); };
  if (error_responder_.run_guarded_change(exchange, res, "error handler", attach)) return;
  discard_stream(res);  // the error handler has set the file again
  static_cast<void>(remove_framing_fields(exchange, res));
}

WINSVC_INLINE std::string request_processor::location_text(const exchange& exchange) const {
  if (exchange.match.outcome != route::match_outcome::matched) return {};
  return " at " + router_.entry(exchange.match.route_id).location.to_string();
}

WINSVC_INLINE void request_processor::log_length_mismatch(const exchange& exchange) const noexcept {
  base::attempt([&] {
    const auto [announced, written] = *exchange.delivery.length_mismatch;
    log_.warn("request " + exchange.id() + ": " + std::string(exchange.head.method) + ' ' +
              std::string(exchange.head.path) + ": the content provider of the handler" + location_text(exchange) +
              " announced " + std::to_string(announced) + " bytes and wrote " + std::to_string(written) +
              (written < announced ? "; the connection was closed, so that the client sees that bytes are missing"
                                   : "; the bytes after the announced length were not sent"));
  });
}

/// Runs one middleware. Each one runs in its own run_guarded(), so that `next` returns with a finished response even if
/// an inner function throws.
WINSVC_INLINE void request_processor::run_middleware(exchange& exchange, const api::middleware_chain& chain,
                                                     std::size_t position, response& res) {
  while (position < chain.size() && router_.skips_host_check(*chain[position], exchange.head.host)) ++position;
  if (position == chain.size()) return dispatch(exchange, res);
  struct call_frame {  // as in process_request()
    request_processor& processor;
    http::exchange& exchange;
    const api::middleware_chain& chain;
    std::size_t next_position;
    response& res;
    bool called;
  } frame{*this, exchange, chain, position + 1, res, false};
  const std::function<void()> call_next = [&frame] {
    if (std::exchange(frame.called, true)) throw std::logic_error("a middleware called next() a second time");
    frame.processor.run_middleware(frame.exchange, frame.chain, frame.next_position, frame.res);
    api::write_content_type(frame.res);
    if (frame.res.status == -1) frame.res.status = 200;
  };
  error_responder_.run_guarded(exchange, res, "middleware", [&] {
    (*chain[position])(request_of(exchange), res, next_handler(call_next));
  });
}

/// Keeps the connection if the unread body is buffered, because the body can be dropped. Otherwise the response is sent
/// now and the connection ends: it would have to wait for the body.
WINSVC_INLINE void request_processor::discard_unread_body(exchange& exchange) {
  if (exchange.stream.is_body_buffered() && exchange.stream.body_error_status() == 0) return;
  exchange.delivery.close_after_response = true;
  exchange.stream.reject_body();
}

/// Redirects to the path with a final slash, or without it. The target is relative, so that it is correct behind a
/// proxy that removes a prefix. After "./", a colon does not end a URI scheme.
WINSVC_INLINE void redirect_to_other_slash(const wire::head& head, response& res) {
  std::string_view path = head.path;
  const bool has_slash = path.back() == '/';
  if (has_slash) path.remove_suffix(1);
  const auto last = path.substr(path.rfind('/') + 1);
  std::string target = has_slash ? "../" : "./";
  target.append(last).append(has_slash ? "" : "/");
  if (!head.query.empty()) target.append("?").append(head.query);
  res.status = 308;
  api::replace_header(res, "Location", target);
}

/// Writes an event stream that ends at once. It sets the time after which the client connects again.
WINSVC_INLINE void write_ended_events(response& res, std::string_view reason) {
  res.status = 200;
  const std::string milliseconds = std::string(retry_after_seconds) + "000";
  res.set_content("retry: " + milliseconds + "\n: " + std::string(reason) + "\n\n", std::string(event_stream_type));
  api::replace_header(res, "Cache-Control", "no-store");
  api::replace_header(res, "X-Accel-Buffering", "no");
}

WINSVC_INLINE void request_processor::dispatch(exchange& exchange, response& res) {
  switch (exchange.match.outcome) {
    case route::match_outcome::matched: return call_handler(exchange, res);
    case route::match_outcome::bad_path:
      return error_responder_.send_error(exchange, res, 400, exchange.match.reason);
    case route::match_outcome::redirect: return redirect_to_other_slash(exchange.head, res);
    case route::match_outcome::not_found: return error_responder_.send_error(exchange, res, 404, {});
    case route::match_outcome::paused:
      if (awaits_events(exchange.match, exchange.head)) return write_ended_events(res, "the service is paused");
      add_retry_after(res);
      return error_responder_.send_error(exchange, res, 503, "the service is paused");
    case route::match_outcome::method_not_allowed:
      api::replace_header(res, "Allow", exchange.match.allowed.allow());
      if (exchange.head.method_id == route::method::options) res.status = 204;
      else error_responder_.send_error(exchange, res, 405, {});
  }
}

/// Reads the body into the request, or into files for an upload. Returns false if it did not arrive or is too large.
WINSVC_INLINE bool request_processor::receive_body(exchange& exchange, request& req, const body_source& read) const {
  const std::uint64_t limit = body_limit(exchange);
  exchange.body.too_large = exchange.head.framing == wire::framing::length && exchange.head.content_length > limit;
  if (exchange.body.too_large) return false;
  const upload_receiver* const files = router_.receiver(exchange.match);
  if (!files) return read_body_to_memory(exchange, req, read, limit);

  // Unless the body is read to its end, the connection cannot serve another request.
  const bool close_before = std::exchange(exchange.delivery.close_after_response, true);
  const std::uint64_t file_limit = router_.entry(exchange.match.route_id).metadata.file_limit.value_or(limit);
  if (!files->receive(exchange, req, read, {limit, file_limit, router_.upload_folder})) return false;
  exchange.delivery.close_after_response = close_before;
  return true;
}

WINSVC_INLINE void request_processor::call_handler(exchange& exchange, response& res) {
  error_responder_.run_guarded(exchange, res, "handler", [&] {
    const auto& limit = router_.entry(exchange.match.route_id).metadata.timeout;
    const auto read_start = limit ? time_.now() : clock::time_point();
    if (exchange.body.read && !exchange.body.read()) {
      const int error = exchange.stream.body_error_status();
      const int status = exchange.body.too_large ? 413 : error > 0 ? error : exchange.body.unknown_coding ? 415 : 400;
      exchange.delivery.close_after_response = true;
      winsvc::abort(status, exchange.body.too_large        ? body_limit_message(body_limit(exchange))
                            : exchange.body.invalid_coding ? std::string("the compressed body is invalid or incomplete")
                                                           : std::string(body_error_text(status)));
    }
    std::optional<handler_timeouts::scoped_timeout> timeout;
    if (limit) {
      // The time runs from the complete request: a wait for a thread counts, a wait for the client does not.
      const auto now = time_.now();
      const auto deadline = exchange.complete_time + *limit + (now - read_start);
      if (now >= deadline) {
        log_unstarted(exchange.head.method, exchange.head.path, *limit);
        if (awaits_events(exchange.match, exchange.head)) return write_ended_events(res, timeout_message(*limit));
        add_retry_after(res);
        winsvc::abort(503, timeout_message(*limit));
      }
      static_cast<void>(exchange.id());  // made before the timeout thread may read it
      exchange.stream.begin_time_limit();
      timeout.emplace(handler_timeouts_, deadline,
                      [this, &exchange, limit = *limit] { send_timeout_response(exchange, limit); });
    }
    if (exchange.extras()) {
      for (const auto& check_body : exchange.extras()->before_handler) check_body();
    }
    if (router_.needs_request(exchange.match) || exchange.filled_request)
      router_.call(exchange.match, request_of(exchange), res, exchange);
    else
      router_.call_without_request(exchange.match, res, exchange);
  });
}

WINSVC_INLINE void request_processor::add_headers(exchange& own, const api::middleware_chain& chain,
                                                  std::size_t position, response& res) {
  while (position < chain.size() && !chain[position]->adds_headers_only) ++position;
  if (position == chain.size()) return;
  bool called = false;
  const std::function<void()> continue_chain = [&] {
    if (std::exchange(called, true)) throw std::logic_error("a middleware called next() a second time");
    add_headers(own, chain, position + 1, res);
  };
  (*chain[position])(request_of(own), res, next_handler(continue_chain));
}

WINSVC_INLINE std::string request_processor::substitute_response(exchange& own, int status, std::string_view detail,
                                                                 bool shows_id) {
  const bool send_body = own.head.method_id != route::method::head;
  try {
    const exchange_scope handled(own);
    response res;
    res.link.attach(own);
    add_headers(own, router_.middleware_for(own.match, own.head.method_id, own.head.path), 0, res);
    if (status == 503 && awaits_events(own.match, own.head)) {
      write_ended_events(res, detail);
    } else {
      write_error(res, {status, detail, shows_id ? std::string_view(own.id()) : std::string_view()},
                  preferred_error_format(wire::normalized_value(own.head, "Accept").value_or(std::string())));
      add_vary(res, "Accept");
      if (status == 503) add_retry_after(res);
    }
    reject_invalid_headers(res);
    static_cast<void>(remove_framing_fields(own, res));
    own.delivery.status = res.status;
    return complete_response(res, time_, send_body);
  } catch (...) {
    own.delivery.status = status;
    log_.error("request " + own.id() + ": a middleware of the error response failed: " + base::exception_message());
    return error_response(status, detail, time_, send_body);
  }
}

/// Without a preference of the client, the route decides. A client that accepts another type with the same weight can
/// read an error.
WINSVC_INLINE bool request_processor::awaits_events(const route::match_result& match, const wire::head& head) {
  if (head.method_id != route::method::get) return false;
  const auto accept = wire::normalized_value(head, "Accept");
  int events = 0, others = 0;
  for (const auto& range : accept ? wire::accept_list(*accept) : std::vector<wire::weighted_value>()) {
    if (base::equal_nocase(range.value, event_stream_type)) events = (std::max)(events, range.weight);
    else if (range.value != "*/*") others = (std::max)(others, range.weight);
  }
  if (events > 0 || others > 0) return events > others;
  return match.outcome == route::match_outcome::matched && latency_of(match).streams_events();
}

/// Called on the timeout thread of handler_timeouts while the handler runs. Both only read the exchange.
WINSVC_INLINE void request_processor::send_timeout_response(exchange& exchange,
                                                            std::chrono::milliseconds limit) noexcept {
  try {
    const std::string detail = timeout_message(limit);
    http::exchange own(exchange.head, exchange.match, exchange.stream, exchange.peer, exchange.local,
                       exchange.services);
    own.set_id(exchange.id());
    const std::string bytes = substitute_response(own, 503, detail, true);
    if (!exchange.stream.send_instead(bytes)) return;
    log_.warn("request " + exchange.id() + ": " + std::string(exchange.head.method) + ' ' +
              std::string(exchange.head.path) + ": handler at " +
              router_.entry(exchange.match.route_id).location.to_string() + ": " + detail + "; sent " +
              std::to_string(own.delivery.status) + " to the client, the handler still runs");
  } catch (...) {  // out of memory: the handler may still respond
  }
}

}  // namespace detail::http
}  // inline namespace WINSVC_ABI
}  // namespace winsvc

#endif  // WINSVC_BODIES_HTTP
