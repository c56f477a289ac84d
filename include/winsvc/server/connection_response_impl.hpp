// Implementation of server/connection.hpp: sends a response (the stage response), ends a request, and rejects one.
#pragma once

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "winsvc/base/clock.hpp"
#include "winsvc/base/text.hpp"
#include "winsvc/config/abi.hpp"
#include "winsvc/http/engine_state.hpp"
#include "winsvc/http/header_pool.hpp"
#include "winsvc/http/request_processor.hpp"
#include "winsvc/server/connection.hpp"

// ---------------------------------------------------------------------------------------------------------------------

#if WINSVC_BODIES_SERVER

namespace winsvc {
inline namespace WINSVC_ABI {
namespace detail::server {

constexpr std::chrono::seconds comment_interval{15};  // shorter than the timeout of usual proxies

/// Counts a large response until it is sent. If too many bytes wait for slow clients, sends 503 in its place.
WINSVC_INLINE void connection::limit_unsent() {
  constexpr std::size_t min_counted_bytes = 64 * 1024;
  if (blocks_->output.size() + text_to_send_.size() < min_counted_bytes) return;
  counted_unsent_bytes_ = blocks_->output.size() + text_to_send_.size();
  const auto before = engine_state_.unsent_bytes.fetch_add(counted_unsent_bytes_);
  if (limits_.unsent_bytes == 0 || before == 0 || before + counted_unsent_bytes_ <= limits_.unsent_bytes) return;
  file_to_send_ = {};
  reject_at_limit(http::shared_limit::unsent_bytes, "too many responses wait for clients that read slowly");
}

/// Reads the next part of the file into the output. Returns false at its end; ends the connection if the file is
/// shorter than it was.
WINSVC_INLINE bool connection::read_file_part() {
  constexpr std::size_t part_size = 64 * 1024;
  if (!file_to_send_.file || file_to_send_.remaining == 0) return false;
  const auto size = static_cast<std::size_t>((std::min)(file_to_send_.remaining, std::uint64_t{part_size}));
  blocks_->output.clear();
  blocks_->output.reserve(size);
  const auto count = file_to_send_.file->read(file_to_send_.position, blocks_->output.data(), size);
  blocks_->output.extend(count.value_or(0));
  output_sent_ = 0;
  file_to_send_.position += blocks_->output.size();
  file_to_send_.remaining -= blocks_->output.size();
  if (blocks_->output.empty()) keep_alive_ = false;  // the client sees that the body is incomplete
  return !blocks_->output.empty();
}

/// Extends the deadline after progress: the write timeout restarts, but the client must also keep the minimum rate.
WINSVC_INLINE void connection::extend_send_deadline(std::size_t sent_now) noexcept {
  const auto now = current_time();
  if (send_wait_start_ == clock::time_point{}) {  // what the socket buffer took at first does not count
    send_wait_start_ = now;
    sent_since_wait_ = 0;
  } else {
    sent_since_wait_ += sent_now;
  }
  deadline_ = (std::min)(now + limits_.write_timeout, send_wait_start_ + limits_.response_deadline(sent_since_wait_));
}

WINSVC_INLINE std::optional<wait_condition> connection::send_response(bool timed_out) {
  if (timed_out || is_lagging()) {
    close(http::close_reason::idle);
    return std::nullopt;
  }
  auto result = os::transfer::done;
  constexpr int max_parts = 16;  // then other connections go first
  for (int parts = 0;; ++parts) {
    std::size_t sent = 0;
    const auto output = unsent_output(), text = unsent_text();
    result = text.empty() ? transport_.send_some(output.data(), output.size(), sent)
                          : transport_.send_parts(output, text, sent);
    output_sent_ += sent;
    if (result == os::transfer::timed_out) {
      if (sent > 0 || send_wait_start_ == clock::time_point{}) extend_send_deadline(sent);
      return wait_for(transport_.needs_write(true) ? wait_reason::writable : wait_reason::readable);
    }
    if (result != os::transfer::done) break;
    access_record_.bytes += blocks_->output.size() + text_to_send_.size();
    if (send_wait_start_ != clock::time_point{} && sent > 0) extend_send_deadline(sent);
    clear_output();
    if (!read_file_part()) break;
    if (parts == max_parts) return wait_for(wait_reason::yield);
  }
  if (file_to_send_.remaining > 0 && result == os::transfer::done) result = os::transfer::failed;
  clear_output();
  if (file_to_send_.file) file_to_send_ = {};
  if (events_to_send_ && result == os::transfer::done) {
    set_deadline(comment_interval);
    stage_ = stage::events;
    return std::nullopt;
  }
  finish_request();
  if (result != os::transfer::done) {
    close(http::close_reason::idle);
    return std::nullopt;
  }
  if (!keep_alive_) {
    close(body_unread_ ? http::close_reason::unread_input : http::close_reason::after_response);
    return std::nullopt;
  }
  stage_ = stage::head;
  deadline_ = now_ + (blocks_->input.remaining().empty() ? limits_.keep_alive_timeout : limits_.head_timeout);
  if (blocks_->input.remaining().empty() && transport_.has_no_input() && !engine_state_.draining.load())
    return wait_for(wait_reason::readable);
  return std::nullopt;
}

/// Waits for the events of a channel, in the poller: an event wakes the connection.
WINSVC_INLINE std::optional<wait_condition> connection::await_events(bool timed_out) {
  constexpr std::size_t max_part_bytes = 16 * 1024;  // memory for a client that does not read
  constexpr int max_parts = 16;  // then other connections go first
  constexpr std::string_view comment = ": keep-alive\n\n", comment_chunk = "e\r\n: keep-alive\n\n\r\n";
  const bool chunked = head_.minor_version != 0;
  if (event_parts_ == max_parts) {
    event_parts_ = 0;
    return wait_for(wait_reason::yield);
  }
  if (engine_state_.draining.load()) events_to_send_->end_with_published();
  switch (events_to_send_->take(transport_, blocks_->output, max_part_bytes, chunked)) {
    case http::subscription_state::events: ++event_parts_; break;
    case http::subscription_state::none:
      event_parts_ = 0;
      if (!receive_during_response()) {
        close(http::close_reason::idle);
        return std::nullopt;
      }
      if (!timed_out) return can_receive_during_response() ? wait_for_input() : wait_for(wait_reason::wake);
      blocks_->output.append(chunked ? comment_chunk : comment);  // to detect a client that has disappeared
      break;
    case http::subscription_state::ended:
      leave_channel();
      if (chunked) blocks_->output.append("0\r\n\r\n");
      break;
    case http::subscription_state::lagging: close(http::close_reason::idle); return std::nullopt;
  }
  start_response();
  return std::nullopt;
}

/// Another object may keep the subscription, for example a copy of the response.
WINSVC_INLINE void connection::leave_channel() noexcept {
  if (!events_to_send_) return;
  events_to_send_->leave();
  events_to_send_.reset();
}

/// Receives a pipelined request, up to a limit. Returns false if the client has closed its end.
WINSVC_INLINE bool connection::receive_during_response() {
  while (can_receive_during_response()) {
    const auto result = receive();
    if (result == os::transfer::timed_out) return true;
    if (result != os::transfer::done) return false;
  }
  return !transport_.has_peer_closed();
}

/// Begins to send the output, text_to_send_, file_to_send_ and events_to_send_.
WINSVC_INLINE void connection::start_response() noexcept {
  output_sent_ = 0;
  send_wait_start_ = {};
  deadline_ = now_ + limits_.write_timeout;
  stage_ = stage::response;
}

/// Ends the request in progress, if any: counts it and writes its access record, unless no response was sent.
WINSVC_INLINE void connection::finish_request() noexcept {
  release_shared();
  leave_channel();
  if (!std::exchange(in_flight_, false)) return;
  engine_state_.requests.end(access_record_.bytes > 0);
  if (access_record_.bytes == 0) return;  // no response
  if (access_record_.counts_in_statistics)
    engine_state_.statistics.record(now_, now_ - request_started_, access_record_.status);
  if (engine_state_.on_response.empty()) return;
  try {
    access_record_.method = head_.method;
    access_record_.target = head_.target;
    access_record_.method_id = head_.method_id;
    access_record_.id = id_;
    access_record_.peer = peer_;
    if (!client_.empty()) {
      access_record_.peer.host = client_;
      access_record_.peer.port = 0;
    }
  } catch (const std::exception&) {  // out of memory: the response was sent, and its record is lost
    return;
  }
  const auto duration = current_time() - request_started_;  // includes sending
  access_record_.duration = std::chrono::duration_cast<std::chrono::microseconds>(duration);
  engine_state_.notify_response(access_record_);
}

/// Removes this connection from the shared counters.
WINSVC_INLINE void connection::release_shared() noexcept {
  if (counted_body_bytes_ > 0) engine_state_.buffered_body_bytes -= std::exchange(counted_body_bytes_, 0);
  if (counted_unsent_bytes_ > 0) engine_state_.unsent_bytes -= std::exchange(counted_unsent_bytes_, 0);
  if (auto* const counter = std::exchange(counted_thread_, nullptr)) --*counter;
}

/// The bytes of an error response to a valid request, without its handler. `record` gets its status and request id.
WINSVC_INLINE std::string connection::error_bytes(int status, std::string_view reason, http::access_record& record) {
  try {
    http::exchange_stream stream(transport_, blocks_->input, blocks_->output, head_, limits_, request_started_,
                               engine_state_.time);
    http::header_pool headers;
    const http::exchange_services services{processor_.router().table(), headers, engine_state_.websockets,
                                           engine_state_.draining, processor_.ids()};
    http::exchange own(head_, match_, stream, peer_, local_, services);
    std::string bytes = processor_.substitute_response(own, status, reason, false);
    id_ = own.id();
    record.id = id_;
    record.status = own.delivery.status;
    return bytes;
  } catch (...) {  // out of memory
    return http::error_response(status, reason, engine_state_.time, head_.method_id != route::method::head);
  }
}

/// Responds without a handler to a request that the head parser rejects, that is late, or for which no thread is
/// available. The connection ends. A client that awaits events gets an event stream that ends.
WINSVC_INLINE void connection::reject(int status, std::string_view reason) {
  // Even a malformed head shows whether the method is HEAD, whose response has no body (RFC 9110 section 9.3.2).
  auto received = blocks_->input.remaining();
  while (base::starts_with(received, "\r\n")) received.remove_prefix(2);
  clear_output();
  http::access_record record{"rejected:", reason, {}, peer_, status, 0, {}};
  const bool is_head = base::starts_with(received, "HEAD ");
  blocks_->output.append(in_flight_ ? error_bytes(status, reason, record)
                                    : http::error_response(status, reason, engine_state_.time, !is_head));
  record.bytes = blocks_->output.size();
  keep_alive_ = false;
  body_unread_ = true;
  if (in_flight_) {  // a valid request that is not served
    record.method_id = head_.method_id;
    if (match_.outcome == route::match_outcome::matched) record.route_id = match_.route_id;
    record.duration = std::chrono::duration_cast<std::chrono::microseconds>(now_ - request_started_);
    engine_state_.statistics.record(now_, now_ - request_started_, record.status);
  }
  engine_state_.notify_response(record);
  if (std::exchange(in_flight_, false)) engine_state_.requests.end(false);
  release_shared();
  send_wait_start_ = {};
  set_deadline(limits_.write_timeout);
  stage_ = stage::response;
}

WINSVC_INLINE void connection::reject_at_limit(http::shared_limit limit, std::string_view reason) {
  reject(503, reason);
  if (engine_state_.on_limit_reached) engine_state_.on_limit_reached(limit);
}

}  // namespace detail::server
}  // inline namespace WINSVC_ABI
}  // namespace winsvc

#endif  // WINSVC_BODIES_SERVER
