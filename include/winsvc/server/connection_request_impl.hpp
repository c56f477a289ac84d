// Implementation of server/connection.hpp: receives the head and the body of a request, finds its route and runs its
// handler (the stages head, body and handler).
#pragma once

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "winsvc/base/clock.hpp"
#include "winsvc/base/duration.hpp"
#include "winsvc/base/scope.hpp"
#include "winsvc/base/text.hpp"
#include "winsvc/config/abi.hpp"
#include "winsvc/http/engine_state.hpp"
#include "winsvc/http/handler_timeouts.hpp"
#include "winsvc/http/request_processor.hpp"
#include "winsvc/server/connection.hpp"
#include "winsvc/wire/chunked.hpp"
#include "winsvc/wire/head_parser.hpp"

// ---------------------------------------------------------------------------------------------------------------------

#if WINSVC_BODIES_SERVER

namespace winsvc {
inline namespace WINSVC_ABI {
namespace detail::server {

WINSVC_INLINE std::optional<wait_condition> connection::read_head(bool timed_out) {
  const bool begun = !blocks_->input.remaining().empty();
  if (begun) shrink_input();
  if (begun && parse_received_head()) return std::nullopt;
  const auto result = receive();  // bytes that have arrived are served, even after the deadline
  if (result == os::transfer::done) {
    if (begun) return std::nullopt;
    deadline_ = now_ + limits_.head_timeout;
    static_cast<void>(parse_received_head());
    return std::nullopt;
  }
  if (result != os::transfer::timed_out) {
    close(http::close_reason::idle);
    return std::nullopt;
  }
  // A drain allows 500 ms for the rest of a head, and for the first request of a client that has just connected.
  constexpr std::chrono::milliseconds drain_limit{500};
  if (!begun) {
    if (engine_state_.draining.load()) {
      if (is_new_) deadline_ = (std::min)(deadline_, request_started_ + drain_limit);
      if (!is_new_ || current_time() >= deadline_) timed_out = true;
    }
    if (timed_out) {
      close(http::close_reason::idle);
      return std::nullopt;
    }
    return wait_for_input();
  }
  if (timed_out || current_time() >= deadline_) {
    reject(408, "the request head did not arrive in time");
    return std::nullopt;
  }
  if (engine_state_.draining.load()) deadline_ = (std::min)(deadline_, current_time() + drain_limit);
  return wait_for_input();
}

/// Moves the bytes after a large body to a block of their size: the next head would keep the block of the body.
WINSVC_INLINE void connection::shrink_input() {
  auto& input = blocks_->input;
  if (input.consumed == 0 || input.bytes.capacity() <= max_kept_capacity) return;
  base::byte_block smaller;
  smaller.append(input.remaining());
  input.bytes.swap(smaller);
  input.consumed = 0;
}

/// Begins the request of the head in the buffer, or rejects it. Returns false if it is valid so far, but incomplete.
WINSVC_INLINE bool connection::parse_received_head() {
  const auto parsed = wire::parse_head(blocks_->input.remaining(), limits_, &scanned_, head_);
  if (parsed.kind == wire::head_parse_status::more) return false;
  scanned_ = 0;
  if (parsed.kind == wire::head_parse_status::reject) reject(parsed.status, parsed.rejection_text());
  else accept_head(parsed.consumed);
  return true;
}

/// Begins the request of head_, which has `head_bytes` in the buffer.
WINSVC_INLINE void connection::accept_head(std::size_t head_bytes) {
  request_started_ = now_;
  access_record_.bytes = 0;
  access_record_.counts_in_statistics = true;
  is_new_ = false;
  engine_state_.requests.begin();
  in_flight_ = true;

  // The views of the head point into the buffer, which grows when the body arrives. So the head keeps this block, and
  // the two blocks are swapped with each request.
  blocks_->head_block.clear();
  blocks_->head_block.swap(blocks_->input.bytes);
  const std::size_t head_end = std::exchange(blocks_->input.consumed, 0) + head_bytes;  // before append() may throw
  if (head_end < blocks_->head_block.size())
    blocks_->input.bytes.append(blocks_->head_block.view().substr(head_end));
  find_route();
  // A method that no route has is 501; a method of another path is 405 (RFC 9110 sections 15.5.6 and 15.6.2).
  if (head_.method_id == route::method::other && match_.outcome != route::match_outcome::matched &&
      !processor_.router().table().all_methods().has_other(head_.method))
    return reject(501, "method not implemented");

  body_scanner_.reset();
  body_scanned_ = 0;
  complete_time_ = now_;
  queued_time_ = {};
  stage_ = can_collect_body() && !is_body_buffered() ? stage::body : stage::handler;
}

/// True if the body is awaited in the poller, which holds no thread. Exceptions: a client that waits for 100 Continue,
/// an upload, which goes to files, and a request that is rejected without its body.
WINSVC_INLINE bool connection::can_collect_body() const {
  if (head_.framing == wire::framing::none || head_.expect_continue) return false;
  if (match_.outcome != route::match_outcome::matched || processor_.router().receiver(match_)) return false;
  return head_.framing == wire::framing::chunked ||
         head_.content_length <= processor_.router().body_limit(match_, limits_.body_bytes);
}

WINSVC_INLINE bool connection::is_body_buffered() const noexcept {
  if (head_.framing == wire::framing::length) return blocks_->input.remaining().size() >= head_.content_length;
  return head_.framing == wire::framing::none;
}

/// The memory for a body of which `received` bytes have arrived: room for a quarter more, but not after its end.
WINSVC_INLINE std::size_t connection::body_memory(std::size_t received) const noexcept {
  const std::size_t memory = received + received / 4;
  if (stage_ != stage::body || head_.framing != wire::framing::length) return memory;
  const auto whole = (std::max)(head_.content_length, std::uint64_t{received});
  return static_cast<std::size_t>((std::min)(std::uint64_t{memory}, whole));
}

WINSVC_INLINE void connection::find_route() {
  const auto& router = processor_.router();
  if (head_.path == "*") {
    match_ = {};
    match_.outcome = route::match_outcome::method_not_allowed;
    match_.allowed = router.table().all_methods();
  } else {
    router.match(head_.method_id, head_.path, head_.method, match_);
  }
  if (engine_state_.paused.load() && !router.serves_while_paused(match_)) {
    if (match_.outcome == route::match_outcome::matched) match_.sibling_id = match_.route_id;
    else if (head_.method_id != route::method::options) match_.sibling_id.reset();  // as for a 405
    match_.outcome = route::match_outcome::paused;
  }
}

/// Collects a body. A late body is 408. The handler stage finds other errors: it reads the body, responds to errors and
/// logs them.
WINSVC_INLINE std::optional<wait_condition> connection::collect_body(bool timed_out) {
  const auto have = blocks_->input.remaining().size();
  const auto memory = body_memory(have);
  engine_state_.buffered_body_bytes += memory - counted_body_bytes_;
  counted_body_bytes_ = memory;
  if (limits_.buffered_body_bytes > 0 && engine_state_.buffered_body_bytes.load() > limits_.buffered_body_bytes) {
    reject_at_limit(http::shared_limit::buffered_body_bytes, "too many request bodies are being received");
    return std::nullopt;
  }
  // One deadline for the whole body: each received byte extends it by its share at body_bytes_per_second.
  deadline_ = request_started_ + limits_.body_deadline(have);
  const bool is_complete =
      head_.framing == wire::framing::chunked ? is_chunked_body_complete() : have >= head_.content_length;
  auto result = os::transfer::timed_out;
  if (!is_complete && !timed_out) {
    result = receive();
    if (result == os::transfer::done) return std::nullopt;
    if (result == os::transfer::timed_out && current_time() < deadline_) return wait_for_input();
  }
  // Late; rejected here, because the handler stage may have to wait for a thread.
  if (!is_complete && result == os::transfer::timed_out && current_time() >= deadline_) {
    reject(408, http::body_error_text(408));
    return std::nullopt;
  }
  complete_time_ = now_;
  stage_ = stage::handler;
  return std::nullopt;
}

/// True if the buffer contains the whole chunked body, or an error that the handler stage reports.
WINSVC_INLINE bool connection::is_chunked_body_complete() {
  if (!body_scanner_) body_scanner_.emplace(limits_, processor_.router().body_limit(match_, limits_.body_bytes));
  std::string discarded;
  std::size_t consumed = 0;
  const auto step = body_scanner_->feed(blocks_->input.remaining().substr(body_scanned_), consumed, discarded);
  body_scanned_ += consumed;
  return step != wire::chunked_decoder::step::more;
}

/// The kind of the handler of this request, which decides on which thread it may run.
WINSVC_INLINE handler_kind connection::required_kind() const {
  const bool matched = match_.outcome == route::match_outcome::matched;
  if (matched && processor_.latency_of(match_).holds_thread()) return handler_kind::stream;
  const bool reads_body = matched && head_.framing != wire::framing::none && !can_collect_body();
  const bool is_too_large =
      head_.framing == wire::framing::length &&
      head_.content_length > processor_.router().body_limit(match_, limits_.body_bytes);
  if (reads_body && !is_too_large && !is_body_buffered()) return handler_kind::stream;
  // A built-in handler is slow only on a busy system, which needs its health checks.
  if (processor_.is_builtin(match_, head_)) return handler_kind::builtin;
  return processor_.is_blocking(match_) ? handler_kind::blocking : handler_kind::fast;
}

/// Counts a request that holds a stream thread. Returns false if there are too many.
WINSVC_INLINE bool connection::reserve_stream_thread() {
  if (counted_thread_) return true;
  const bool streams = processor_.latency_of(match_).holds_thread();
  auto& counter = streams ? engine_state_.streams : engine_state_.body_threads;
  const auto limit = streams ? limits_.streams : limits_.body_threads;
  if (counter.fetch_add(1) < limit) {
    counted_thread_ = &counter;
    return true;
  }
  --counter;
  reject_at_limit(streams ? http::shared_limit::streams : http::shared_limit::body_threads,
                  streams ? "too many streams are open" : "too many uploads are in progress");
  return false;
}

WINSVC_INLINE clock::time_point connection::handler_deadline() const noexcept {
  const auto limit = processor_.timeout_of(match_);
  return limit ? complete_time_ + *limit : (clock::time_point::max)();
}

/// Runs the handler, or requests a thread that may run it.
WINSVC_INLINE std::optional<wait_condition> connection::start_handler(const step_options& options,
                                                                      scratch_buffers& buffers) {
  const bool was_queued = queued_time_ != clock::time_point{};
  if (options.queue_full) {
    reject(503, "the service is too busy");
    return std::nullopt;
  }
  if (was_queued && now_ >= handler_deadline()) {
    const auto limit = *processor_.timeout_of(match_);
    processor_.log_unstarted(head_.method, head_.path, limit);
    reject(503, http::timeout_message(limit));
    return std::nullopt;
  }
  if (const auto kind = required_kind(); kind > options.allowed) {
    if (kind == handler_kind::stream && !reserve_stream_thread()) return std::nullopt;
    if (!was_queued) queued_time_ = now_;
    return wait_condition{kind == handler_kind::stream ? wait_reason::stream_thread : wait_reason::blocking_thread,
                          handler_deadline()};
  }
  // A client that has left needs no response. A client may also end its side after the request and read the response,
  // so only a request that has waited is dropped: Go and nginx drop it at once.
  constexpr std::chrono::milliseconds min_wait{100};
  if (was_queued && (now_ - queued_time_ >= min_wait || engine_state_.draining.load()) &&
      transport_.has_peer_closed()) {
    close(http::close_reason::idle);
    return std::nullopt;
  }
  run_handler(options, buffers);
  return std::nullopt;
}

WINSVC_INLINE void connection::run_handler(const step_options& options, scratch_buffers& buffers) {
  http::exchange_stream stream(transport_, blocks_->input, blocks_->output, head_, limits_, request_started_,
                               engine_state_.time);
  const http::exchange_services services{processor_.router().table(), buffers.headers, engine_state_.websockets,
                                         engine_state_.draining, processor_.ids()};
  http::exchange exchange(head_, match_, stream, peer_, local_, services);
  exchange.complete_time = complete_time_;
  if (head_.framing == wire::framing::chunked)
    stream.limit_body(processor_.router().body_limit(exchange.match, limits_.body_bytes));
  exchange.delivery.close_after_response = !head_.keep_alive;
  if (options.latency) options.latency->store(&processor_.latency_of(exchange.match), std::memory_order_relaxed);
  has_current_request_.store(true, std::memory_order_release);
  const auto handler_started = now_;
  {
    const scope_exit end_of_handler([this, &options]() noexcept {
      has_current_request_.store(false);
      if (was_inspected_.load()) {  // wait until current_request() has read head_
        const std::lock_guard wait(current_request_mutex_);
      }
      if (options.latency) options.latency->store(nullptr, std::memory_order_relaxed);
    });
    keep_alive_ = processor_.process(exchange);
  }
  now_ = exchange.handled_time;
  processor_.latency_of(exchange.match).record(now_ - handler_started);

  if (!engine_state_.on_response.empty()) {
    id_ = exchange.id();
    client_ = exchange.forwarded().client;
  }
  access_record_.pattern = exchange.pattern;
  access_record_.status = exchange.delivery.status;
  access_record_.bytes = stream.sent_bytes();
  access_record_.counts_in_statistics =
      !processor_.router().serves_while_paused(exchange.match) && !processor_.latency_of(exchange.match).streams();
  access_record_.route_id.reset();
  if (exchange.match.outcome == route::match_outcome::matched) access_record_.route_id = exchange.match.route_id;

  if (keep_alive_ && exchange.delivery.status == 101 && exchange.extras() && exchange.extras()->serve_upgraded) {
    processor_.latency_of(exchange.match).mark_holds_thread();
    transport_.begin_blocking();
    keep_alive_ = stream.flush();
    access_record_.bytes = stream.sent_bytes();
    finish_request();  // the new protocol is not part of the request
    if (keep_alive_) processor_.process_upgraded(exchange);
    return close(http::close_reason::after_response);
  }
  body_unread_ = !stream.is_body_complete();
  auto& delivery = exchange.delivery;
  if (!delivery.text_to_send.empty()) text_to_send_ = std::move(delivery.text_to_send);
  if (delivery.file_to_send.file) file_to_send_ = std::move(delivery.file_to_send);
  if (delivery.events_to_send) events_to_send_ = std::move(delivery.events_to_send);
  start_response();
  limit_unsent();
}

}  // namespace detail::server
}  // inline namespace WINSVC_ABI
}  // namespace winsvc

#endif  // WINSVC_BODIES_SERVER
