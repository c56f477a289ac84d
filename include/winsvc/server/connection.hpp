// One connection, from its first byte to its close, in steps: read a head, let the gate judge it, find the route, have
// it answered, send the answer; again. A step takes what is there and never waits for more, so nobody's slowness holds
// a thread:
//
//   connection c(wire, core, traffic, limits);
//   for (;;) {
//     const auto next = c.advance(desk, {});
//     if (next.what == wants::nothing) break;      // else wait for it, until next.until at the most
//   }
//
// It knows neither sockets nor other connections; what it shares with them is in `traffic`, what it borrows for a step
// in `scratch_buffers`.
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "winsvc/base/scope.hpp"
#include "winsvc/base/text.hpp"
#include "winsvc/config/abi.hpp"
#include "winsvc/http/request_processor.hpp"
#include "winsvc/http/engine_state.hpp"
#include "winsvc/wire/head_parser.hpp"

namespace winsvc {
inline namespace WINSVC_ABI {
namespace http {

/// The blocks of memory that a step works in. A thread has one desk for all connections, so that one that has nothing
/// to say costs next to none.
struct scratch_buffers {
  scratch_buffers() {
    for (auto* block : {&input, &head_block, &output}) block->reserve(16 * 1024);
  }
  std::string input, head_block, output;  // empty, with room
};

/// How a step is taken.
struct step_options {
  bool timed_out = false;      ///< the time that was waited for is over
  bool skip_slow_handlers = false;     ///< go into no handler that is known to be slow
  bool queue_full = false;  ///< nor into any other: there is nobody for it
  /// Where to write whose pace it is that the step depends on; null: nobody asks.
  std::atomic<route_latency*>* latency = nullptr;
};

/// What a connection waits for. A turn: there is more to do at once, but others have waited while it had its share.
enum class wait_reason : std::uint8_t { readable, writable, blocking_thread, yield, closed };

struct wait_condition {
  wait_reason reason = wait_reason::closed;
  std::chrono::steady_clock::time_point deadline = (std::chrono::steady_clock::time_point::max)();
};

class connection {
 public:
  using steady = std::chrono::steady_clock;

  connection(transport& transport, request_processor& server, engine_state& shared, const wire::limits& bounds)
      : transport_(transport), processor_(server), engine_state_(shared), limits_(bounds), peer_(transport.peer()), local_(transport.local()) {
    set_deadline(transport_.needs_handshake() ? limits_.head_timeout : limits_.keep_alive_timeout);
  }
  ~connection() { finish_request(); }
  connection(const connection&) = delete;
  connection& operator=(const connection&) = delete;

  /// What a new one waits for.
  [[nodiscard]] wait_condition initial_wait() const noexcept { return wait_for(wait_reason::readable); }
  /// As far as it goes without waiting. On any thread, one at a time. Never throws.
  [[nodiscard]] wait_condition advance(scratch_buffers& buffers, const step_options& options) noexcept;

  /// What it is busy with: `GET /report`, and for how long; nothing, where it waits. From any thread.
  [[nodiscard]] std::optional<work> current_request() const;
  /// What waits to be sent begins with this.
  [[nodiscard]] std::string_view unsent() const noexcept { return std::string_view(output_).substr(output_sent_); }
  /// So much of it has left.
  void mark_sent(std::size_t count) noexcept { output_sent_ += count, set_deadline(limits_.write_timeout); }

 private:
  enum class stage : std::uint8_t { head, body, handler, response, lingering_close, closed };
  class buffer_lease;

  [[nodiscard]] std::optional<wait_condition> read_head(const step_options& options);
  [[nodiscard]] std::optional<wait_condition> read_body(const step_options& options);
  [[nodiscard]] std::optional<wait_condition> send_response(const step_options& options);
  [[nodiscard]] std::optional<wait_condition> lingering_close(const step_options& options);
  void accept_head(wire::head_parse_result&& result);
  void find_route();
  void run_handler(const step_options& options);
  void reject(int status, std::string_view reason);
  void close(close_reason reason) noexcept;
  void finish_request() noexcept;
  os::transfer receive();
  [[nodiscard]] wait_condition wait_for(wait_reason what) const noexcept { return {what, deadline_}; }
  void set_deadline(std::chrono::milliseconds limit) noexcept { deadline_ = steady::now() + limit; }

  transport& transport_;
  request_processor& processor_;
  engine_state& engine_state_;
  const wire::limits& limits_;
  os::endpoint peer_, local_;

  stage stage_ = stage::head;
  steady::time_point deadline_;  // what is waited for has to be there
  steady::time_point now_;    // the step began, or its handler returned
  receive_buffer buffer_;
  std::size_t scanned_ = 0;  // of a head that is not complete

  // Of the request that is being served.
  bool in_flight_ = false, keep_alive_ = false, body_unread_ = false;
  std::string head_block_;  // what the views of head_ point into
  wire::head head_;
  route::match_result match_;
  steady::time_point request_started_;
  access_record access_record_;
  std::string id_, client_;
  std::string output_;  // of the answer, not yet sent
  std::size_t output_sent_ = 0, lingered_bytes_ = 0;

  mutable std::mutex current_request_mutex_;  // of those who look
  std::atomic<bool> has_current_request_{false};  // head_ may be read by others
  mutable std::atomic<bool> was_inspected_{false};
};

// ---------------------------------------------------------------------------------------------------------------------

/// Gives a connection the desk's blocks for a step. What it still needs afterwards, it keeps.
class connection::buffer_lease {
 public:
  buffer_lease(connection& of, scratch_buffers& buffers) noexcept : connection_(of), buffers_(buffers) {
    acquire(connection_.buffer_.bytes, buffers_.input);
    acquire(connection_.head_block_, buffers_.head_block);
    acquire(connection_.output_, buffers_.output);
  }
  ~buffer_lease() {
    if (const auto rest = connection_.buffer_.remaining(); rest.size() <= max_kept_bytes) keep_remainder(rest);
    if (!connection_.in_flight_) connection_.head_block_.clear();
    release(connection_.head_block_, buffers_.head_block);
    release(connection_.output_, buffers_.output);
  }
  buffer_lease(const buffer_lease&) = delete;
  buffer_lease& operator=(const buffer_lease&) = delete;

 private:
  static constexpr std::size_t max_kept_bytes = 2048;

  /// The beginning of a request needs no whole block.
  void keep_remainder(std::string_view rest) noexcept {
    try {
      std::string kept(rest);
      connection_.buffer_.bytes.clear();
      connection_.buffer_.consumed = 0;
      release(connection_.buffer_.bytes, buffers_.input);
      connection_.buffer_.bytes = std::move(kept);
    } catch (...) {  // no memory: then it keeps the block
    }
  }
  static void acquire(std::string& own, std::string& theirs) noexcept {
    if (own.empty()) own.swap(theirs);
  }
  static void release(std::string& own, std::string& theirs) noexcept {
    constexpr std::size_t largest = 256 * 1024;  // a block that a large answer grew is not kept for small ones
    if (own.empty() && own.capacity() > theirs.capacity() && own.capacity() <= largest) own.swap(theirs);
    else if (own.empty()) std::string().swap(own);
  }

  connection& connection_;
  scratch_buffers& buffers_;
};

}  // namespace http
}  // inline namespace WINSVC_ABI
}  // namespace winsvc

#if WINSVC_BODIES_HTTP

namespace winsvc {
inline namespace WINSVC_ABI {
namespace http {

WINSVC_INLINE wait_condition connection::advance(scratch_buffers& buffers, const step_options& options) noexcept {
  try {
    const buffer_lease blocks(*this, buffers);
    now_ = steady::now();
    step_options now = options;
    constexpr int share = 16;  // requests that came in one send: a client may have written any number
    for (int served = 0;; now.timed_out = false) {
      std::optional<wait_condition> deadline;
      switch (stage_) {
        case stage::head:
          if (served++ == share) return wait_for(wait_reason::yield);
          deadline = read_head(now);
          break;
        case stage::body: deadline = read_body(now); break;
        case stage::handler:
          if (now.queue_full) reject(503, "the service is too busy");
          else if (now.skip_slow_handlers && processor_.is_slow(match_)) return wait_for(wait_reason::blocking_thread);
          else run_handler(now);
          break;
        case stage::response: deadline = send_response(now); break;
        case stage::lingering_close: deadline = lingering_close(now); break;
        case stage::closed: return {};
      }
      if (deadline) return *deadline;
    }
  } catch (...) {  // out of memory in our own hands: this connection ends, the others go on
    stage_ = stage::closed;
    return {};
  }
}

/// Up to a block of what has come, behind what is there.
WINSVC_INLINE os::transfer connection::receive() {
  constexpr std::size_t chunk_size = 16 * 1024;
  auto& output = buffer_.bytes;
  const auto before = output.size();
  if (output.capacity() - before < chunk_size) {
    if (buffer_.consumed > 0) output.erase(0, std::exchange(buffer_.consumed, 0));
  }
  char block[chunk_size];
  std::size_t received = 0;
  const auto result = transport_.receive(block, sizeof block, received, std::chrono::milliseconds(0));
  if (result == os::transfer::done) output.append(block, received);
  return result;
}

WINSVC_INLINE std::optional<wait_condition> connection::read_head(const step_options& options) {
  const bool begun = !buffer_.remaining().empty();
  if (begun) {
    auto received = wire::parse_head(buffer_.remaining(), limits_, &scanned_);
    if (received.kind != wire::head_parse_result::more) {
      scanned_ = 0;
      if (received.kind == wire::head_parse_result::reject) reject(received.status, received.reason);
      else accept_head(std::move(received));
      return std::nullopt;
    }
  }
  const auto result = receive();  // what has arrived is served, even so late
  if (result == os::transfer::done) {
    if (!begun) set_deadline(limits_.head_timeout);
    return std::nullopt;
  }
  if (result != os::transfer::timed_out) return close(close_reason::idle), std::nullopt;
  if (!begun) {
    if (options.timed_out || engine_state_.draining.load()) return close(close_reason::idle), std::nullopt;
    return wait_for(transport_.needs_write(false) ? wait_reason::writable : wait_reason::readable);
  }
  if (options.timed_out || steady::now() >= deadline_) return reject(408, "the request head did not arrive in time"), std::nullopt;
  // A drain does not wait for a head that is slow to come: it has a last moment, and is refused then.
  constexpr std::chrono::milliseconds last_moment{500};
  if (engine_state_.draining.load()) deadline_ = (std::min)(deadline_, steady::now() + last_moment);
  return wait_for(transport_.needs_write(false) ? wait_reason::writable : wait_reason::readable);
}

WINSVC_INLINE void connection::accept_head(wire::head_parse_result&& result) {
  request_started_ = now_;
  access_record_.bytes = 0;
  access_record_.counts_in_statistics = true;
  ++engine_state_.in_flight;
  in_flight_ = true;

  // The head's views point into the buffer, which the body's bytes would move: the block they are in is set aside, and
  // the two blocks take turns from request to request.
  head_block_.clear();
  std::swap(head_block_, buffer_.bytes);
  buffer_.bytes.assign(head_block_, buffer_.consumed + result.consumed);
  buffer_.consumed = 0;
  head_ = std::move(result.value);
  find_route();

  // A small body is waited for here, where that holds no thread. Not one that the client sends only when it is told to,
  // nor where the answer does not depend on it.
  constexpr std::uint64_t max_prefetched_body = 64 * 1024;
  const bool waits = head_.framing == wire::framing::length && head_.content_length <= max_prefetched_body &&
                     !head_.expect_continue && match_.outcome == route::match_outcome::matched &&
                     head_.content_length <= processor_.routes().body_limit(match_, limits_.body_bytes);
  stage_ = waits ? stage::body : stage::handler;
}

WINSVC_INLINE void connection::find_route() {
  const auto& routes = processor_.routes();
  match_ = {};
  if (head_.path == "*") {
    match_.outcome = route::match_outcome::method_not_allowed;
    match_.allowed = routes.routes().all_methods();
  } else {
    match_ = routes.routes().match(head_.method_id, head_.path);
  }
  if (engine_state_.paused.load() && !routes.serves_paused(match_)) match_.outcome = route::match_outcome::paused;
}

/// What is wrong with a body that did not come is found by whoever reads it: he answers, and logs.
WINSVC_INLINE std::optional<wait_condition> connection::read_body(const step_options& options) {
  const auto have = buffer_.remaining().size();
  if (have >= head_.content_length || options.timed_out) return stage_ = stage::handler, std::nullopt;
  const auto result = receive();
  if (result == os::transfer::done) return std::nullopt;
  if (result != os::transfer::timed_out) return stage_ = stage::handler, std::nullopt;
  // The deadline is for the whole body: each byte that came buys the time it is worth, and no more.
  deadline_ = request_started_ + limits_.body_deadline(have);
  if (steady::now() >= deadline_) return stage_ = stage::handler, std::nullopt;
  return wait_for(transport_.needs_write(false) ? wait_reason::writable : wait_reason::readable);
}

WINSVC_INLINE void connection::run_handler(const step_options& options) {
  exchange_stream stream(transport_, buffer_, output_, head_, limits_);
  stream.set_request_start(request_started_);
  exchange exchange(head_, stream, processor_.next_id(), engine_state_.draining);
  exchange.websockets = &engine_state_.websockets;
  exchange.routes = &processor_.routes().routes();
  exchange.match = std::move(match_);
  if (head_.framing == wire::framing::chunked)
    stream.limit_body(processor_.routes().body_limit(exchange.match, limits_.body_bytes));
  exchange.close_after_response = !head_.keep_alive;
  if (options.latency) options.latency->store(&processor_.latency_of(exchange.match), std::memory_order_relaxed);
  has_current_request_.store(true);
  const auto from = now_;
  keep_alive_ = processor_.process(exchange, peer_, local_);
  now_ = steady::now();
  has_current_request_.store(false);
  if (was_inspected_.load()) {  // whoever reads head_ has to be done
    const std::lock_guard wait(current_request_mutex_);
  }
  if (options.latency) options.latency->store(nullptr, std::memory_order_relaxed);
  processor_.latency_of(exchange.match).record(now_ - from);

  id_ = std::move(exchange.id);
  client_ = std::move(exchange.client);
  access_record_.pattern = exchange.pattern;
  access_record_.status = exchange.status;
  access_record_.bytes = stream.sent_bytes();
  access_record_.counts_in_statistics = !processor_.routes().serves_paused(exchange.match) && !processor_.latency_of(exchange.match).streams();
  access_record_.route_id.reset();
  if (exchange.match.outcome == route::match_outcome::matched) access_record_.route_id = exchange.match.route_id;

  if (keep_alive_ && exchange.status == 101 && exchange.serve_upgraded) {
    transport_.begin_blocking();
    keep_alive_ = stream.flush();
    access_record_.bytes = stream.sent_bytes();
    finish_request();  // from here on it is no request
    if (keep_alive_) processor_.process_upgraded(exchange);
    return close(close_reason::after_response);
  }
  body_unread_ = !stream.is_body_complete();
  output_sent_ = 0;
  deadline_ = now_ + limits_.write_timeout;
  stage_ = stage::response;
}

WINSVC_INLINE std::optional<wait_condition> connection::send_response(const step_options& options) {
  if (options.timed_out) return close(close_reason::idle), std::nullopt;
  std::size_t sent = 0;
  const auto result = transport_.send_some(output_.data() + output_sent_, output_.size() - output_sent_, sent);
  output_sent_ += sent;
  if (result == os::transfer::timed_out) {
    if (sent > 0) set_deadline(limits_.write_timeout);  // it is for a stretch without progress
    return wait_for(transport_.needs_write(true) ? wait_reason::writable : wait_reason::readable);
  }
  if (result == os::transfer::done) access_record_.bytes += output_.size();
  output_.clear();
  output_sent_ = 0;
  finish_request();
  if (result != os::transfer::done) return close(close_reason::idle), std::nullopt;
  if (!keep_alive_) return close(body_unread_ ? close_reason::unread_input : close_reason::after_response), std::nullopt;
  std::vector<wire::field>().swap(head_.fields);
  stage_ = stage::head;
  deadline_ = now_ + (buffer_.remaining().empty() ? limits_.keep_alive_timeout : limits_.head_timeout);
  if (buffer_.remaining().empty() && transport_.has_no_input() && !engine_state_.draining.load()) return wait_for(wait_reason::readable);
  return std::nullopt;
}

/// The request is over, whatever became of it.
WINSVC_INLINE void connection::finish_request() noexcept {
  if (!std::exchange(in_flight_, false)) return;
  --engine_state_.in_flight;
  if (access_record_.bytes == 0) return;  // nobody got an answer
  ++engine_state_.response_count;
  if (access_record_.counts_in_statistics) engine_state_.statistics.record(now_, now_ - request_started_, access_record_.status >= 500);
  if (engine_state_.on_response.empty()) return;
  access_record_.method = head_.method;
  access_record_.target = head_.target;
  access_record_.method_id = head_.method_id;
  access_record_.id = id_;
  access_record_.peer = peer_;
  if (!client_.empty()) access_record_.peer.host = client_, access_record_.peer.port = 0;
  access_record_.duration = std::chrono::duration_cast<std::chrono::microseconds>(steady::now() - request_started_);  // sent, that is
  engine_state_.notify_response(access_record_);
}

/// What the gate refuses, or nobody has time for. It ends the connection.
WINSVC_INLINE void connection::reject(int status, std::string_view reason) {
  // Of a head that is none it is known at least whether a body may follow (RFC 9110 section 9.3.2).
  auto requested = in_flight_ ? std::string_view(head_block_) : buffer_.remaining();
  while (strings::starts_with(requested, "\r\n")) requested.remove_prefix(2);
  output_ = error_response(status, reason, !strings::starts_with(requested, "HEAD "));
  output_sent_ = 0;
  keep_alive_ = false;
  body_unread_ = true;
  engine_state_.notify_response({"refused:", reason, {}, peer_, status, output_.size(), {}});
  if (std::exchange(in_flight_, false)) --engine_state_.in_flight;
  set_deadline(limits_.write_timeout);
  stage_ = stage::response;
}

/// After an answer, what the client still sends is taken for a moment, because closing over it makes Windows reset the
/// connection, and the client never sees the answer (RFC 9112 section 9.6). A client that has all it wants ends that
/// moment at once.
WINSVC_INLINE void connection::close(close_reason reason) noexcept {
  finish_request();
  reason = transport_.shutdown(buffer_.remaining().empty() ? reason : close_reason::unread_input);
  set_deadline(std::chrono::milliseconds(reason == close_reason::unread_input ? 500 : 100));
  stage_ = reason == close_reason::idle ? stage::closed : stage::lingering_close;
}

WINSVC_INLINE std::optional<wait_condition> connection::lingering_close(const step_options& options) {
  constexpr std::size_t limit = 1024 * 1024;
  buffer_.bytes.clear();
  buffer_.consumed = 0;
  const auto result = options.timed_out ? os::transfer::closed : receive();
  lingered_bytes_ += buffer_.bytes.size();
  if (result == os::transfer::timed_out) return wait_for(wait_reason::readable);
  if (result != os::transfer::done || lingered_bytes_ > limit) stage_ = stage::closed;
  return std::nullopt;
}

WINSVC_INLINE std::optional<work> connection::current_request() const {
  const std::lock_guard lock(current_request_mutex_);
  was_inspected_.store(true);  // before doing_ is asked: whoever is done from here on waits for us
  const scope_exit away([this]() noexcept { was_inspected_.store(false); });
  if (!has_current_request_.load()) return std::nullopt;
  return work{std::string(head_.method) + ' ' + std::string(head_.path), steady::now() - request_started_};
}

}  // namespace http
}  // inline namespace WINSVC_ABI
}  // namespace winsvc

#endif  // WINSVC_BODIES_HTTP
