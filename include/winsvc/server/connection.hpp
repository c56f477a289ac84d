// Connection: serves the requests of one client, one after the other, in steps that never wait.
//
//   connection c(transport, processor, state, limits);
//   for (;;) {
//     const auto next = c.advance(buffers, {});
//     if (next.reason == wait_reason::closed) break;   // else wait for next.reason, at most until next.deadline
//   }
//
// A step reads a head and a body, finds the route, runs the handler and sends the response, as far as the available
// bytes allow. A client that sends or reads slowly therefore holds no thread. Exceptions are uploads, bodies after
// `100 Continue`, streams and WebSockets, whose handlers wait for the client; they require a stream thread. The class
// does not know sockets or other connections: it shares `engine_state` with them, and it leases `scratch_buffers` from
// the thread for each step.
//
// Stages and their transitions. One thread at a time runs a step.
//
//   stage            event                                                    next stage
//   head             complete head; its body is not complete                  body
//   head             complete head; any other body, or no body                handler
//   head             malformed head (4xx, 5xx) or late head (408)             response, then close
//   head             client closed, keep-alive timeout, or drain              close
//   body             the body arrived, failed or is late                      handler
//   handler          slow route on an I/O thread                              handler, on a blocking thread
//   handler          the handler holds its thread for a long time             handler, on a stream thread
//   handler          a queue or a limit is full, or the time limit passed     response (503), then close
//   handler          the client left while the request waited for a thread    close
//   handler          the handler returned                                     response
//   handler          the protocol after a 101 response has ended              close
//   response         sent, keep-alive                                         head
//   response         sent, no keep-alive; or write timeout, client closed     close
//   lingering_close  client closed, timeout, or more than 1 MiB discarded     closed
//   any              out of memory                                            closed
//
// "close" is the function close(): it selects lingering_close after a response or unread input, and closed otherwise.
#pragma once

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <exception>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "winsvc/api/httplib.hpp"
#include "winsvc/base/clock.hpp"
#include "winsvc/base/duration.hpp"
#include "winsvc/base/scope.hpp"
#include "winsvc/base/text.hpp"
#include "winsvc/config/abi.hpp"
#include "winsvc/http/request_processor.hpp"
#include "winsvc/http/engine_state.hpp"
#include "winsvc/wire/chunked.hpp"
#include "winsvc/wire/head_parser.hpp"

namespace winsvc {
inline namespace WINSVC_ABI {
namespace detail::server {

/// Memory blocks for one step. Each thread has one set for all connections, so that an idle connection holds no block.
struct scratch_buffers {
  scratch_buffers() {
    for (auto* block : {&input, &head_block, &output}) block->reserve(16 * 1024);
    fields.reserve(32);
  }
  std::string input, head_block, output;  // empty, with reserved capacity
  std::vector<wire::field> fields;        // empty, with the capacity for a browser's head
  api::header_pool headers;
};

/// Handlers in the order of what they do to their thread: no code of the app; fast; may block; holds it for long.
enum class handler_kind : std::uint8_t { builtin, fast, slow, stream };

/// Options of one step.
struct step_options {
  bool timed_out = false;  ///< the deadline of the last wait condition has passed
  /// Handlers that this thread may run; for the others, the step requests a blocking thread or a stream thread.
  handler_kind allowed = handler_kind::stream;
  bool queue_full = false;  ///< no blocking thread is available: send 503
  /// Receives the latency history of the route while its handler runs; null: not needed.
  std::atomic<http::route_latency*>* latency = nullptr;
};

/// Condition for the next step. `yield`: more work is available at once, but other connections go first.
/// The deadline of a wait for a thread is that of the handler; time_point::max(): none.
enum class wait_reason : std::uint8_t { readable, writable, blocking_thread, stream_thread, yield, closed };

struct wait_condition {
  wait_reason reason = wait_reason::closed;
  clock::time_point deadline = (clock::time_point::max)();
};

class connection {
 public:
  connection(http::transport& transport, http::request_processor& processor, http::engine_state& state,
             const wire::limits& limits)
      : transport_(transport),
        processor_(processor),
        engine_state_(state),
        limits_(limits),
        peer_(transport.peer()),
        local_(transport.local()) {
    set_deadline(transport_.needs_handshake() ? limits_.head_timeout : limits_.keep_alive_timeout);
  }
  ~connection() {
    finish_request();
    release_shared();
  }
  connection(const connection&) = delete;
  connection& operator=(const connection&) = delete;

  /// Wait condition of a new connection.
  [[nodiscard]] wait_condition initial_wait() const noexcept { return wait_for(wait_reason::readable); }
  /// Runs one step: does as much as possible without waiting, and returns the condition for the next step. Call it from
  /// any thread, but from one thread at a time. Never throws.
  [[nodiscard]] wait_condition advance(scratch_buffers& buffers, const step_options& options) noexcept;

  /// The request whose handler runs now and its age; nullopt if no handler runs. Thread-safe.
  [[nodiscard]] std::optional<http::active_request> current_request() const;
  /// The next response bytes that are not sent yet.
  [[nodiscard]] std::string_view unsent() const noexcept {
    const auto head = unsent_output();
    return head.empty() ? unsent_body() : head;
  }
  /// Removes `count` bytes from the front of unsent(), because the poller has sent them.
  void mark_sent(std::size_t count) noexcept {
    output_sent_ += count;
    extend_send_deadline(count);
  }
  /// True if it waits for a request of which no byte has arrived: it can be closed without loss.
  [[nodiscard]] bool is_idle() const noexcept {
    return stage_ == stage::head && buffer_.remaining().empty() && !transport_.needs_handshake();
  }

 private:
  enum class stage : std::uint8_t { head, body, handler, response, lingering_close, closed };
  class buffer_lease;

  [[nodiscard]] std::optional<wait_condition> read_head(const step_options& options);
  [[nodiscard]] std::optional<wait_condition> read_body(const step_options& options);
  [[nodiscard]] std::optional<wait_condition> send_response(const step_options& options);
  [[nodiscard]] std::optional<wait_condition> lingering_close(const step_options& options);
  [[nodiscard]] std::optional<wait_condition> start_handler(const step_options& options, scratch_buffers& buffers);
  void accept_head(wire::head_parse_result&& result);
  void find_route();
  [[nodiscard]] bool can_collect_body() const;
  [[nodiscard]] bool is_body_buffered() const noexcept;
  [[nodiscard]] bool is_chunked_body_complete();
  [[nodiscard]] handler_kind required_kind() const;
  [[nodiscard]] bool reserve_stream_thread();
  [[nodiscard]] clock::time_point handler_deadline() const noexcept;
  void run_handler(const step_options& options, scratch_buffers& buffers);
  void limit_unsent();
  [[nodiscard]] bool read_file_body();
  void extend_send_deadline(std::size_t sent_now) noexcept;
  void reject(int status, std::string_view reason);
  void reject_at_limit(http::shared_limit limit, std::string_view reason);
  void release_shared() noexcept;
  void close(http::close_reason reason) noexcept;
  void finish_request() noexcept;
  os::transfer receive();
  [[nodiscard]] std::string_view unsent_output() const noexcept {
    return std::string_view(output_).substr((std::min)(output_sent_, output_.size()));
  }
  [[nodiscard]] std::string_view unsent_body() const noexcept {
    return std::string_view(body_).substr(output_sent_ - (std::min)(output_sent_, output_.size()));
  }
  void clear_output() noexcept {
    output_.clear();
    std::string().swap(body_);
    output_sent_ = 0;
  }
  [[nodiscard]] wait_condition wait_for(wait_reason reason) const noexcept { return {reason, deadline_}; }
  [[nodiscard]] wait_condition wait_for_input() const noexcept {
    return wait_for(transport_.needs_write(false) ? wait_reason::writable : wait_reason::readable);
  }
  [[nodiscard]] clock::time_point time() const noexcept { return engine_state_.time.now(); }
  void set_deadline(std::chrono::milliseconds limit) noexcept { deadline_ = time() + limit; }

  http::transport& transport_;
  http::request_processor& processor_;
  http::engine_state& engine_state_;
  const wire::limits& limits_;
  os::endpoint peer_, local_;

  stage stage_ = stage::head;
  clock::time_point deadline_;  // of the current wait
  clock::time_point now_;       // when the step began, or when its handler returned
  http::receive_buffer buffer_;
  std::size_t scanned_ = 0;  // bytes of an incomplete head that the parser has checked

  // The request in progress.
  bool in_flight_ = false, keep_alive_ = false, body_unread_ = false;
  std::string head_block_;  // memory of the views in head_
  wire::head head_;
  route::match_result match_;
  clock::time_point request_started_;
  http::access_record access_record_;
  std::string id_, client_;
  std::string output_;  // response bytes
  std::string body_;    // a long body, follows output_
  std::size_t output_sent_ = 0, lingered_bytes_ = 0;  // output_sent_: bytes of output_ and body_
  http::file_body file_body_;  // follows body_
  std::optional<wire::chunked_decoder> body_scanner_;  // finds the end of a chunked body
  std::size_t body_scanned_ = 0;                       // bytes of the body that body_scanner_ has read
  clock::time_point complete_time_{}, queued_time_{};  // of the request, and of its first wait for a thread
  clock::time_point send_wait_start_{};                // of the first wait for the client to read; not set: none
  std::uint64_t sent_since_wait_ = 0;

  // The part of this connection in the shared counters of engine_state_.
  std::uint64_t counted_body_bytes_ = 0, counted_unsent_bytes_ = 0;
  std::atomic<std::size_t>* counted_thread_ = nullptr;  // engine_state::streams or body_threads

  // current_request() reads head_ from another thread. It sets was_inspected_ and then loads has_current_request_;
  // run_handler() clears has_current_request_ and then loads was_inspected_. Both orders need sequential consistency:
  // at least one thread sees the store of the other, so head_ does not change while it is read.
  mutable std::mutex current_request_mutex_;  // held by the reader
  std::atomic<bool> has_current_request_{false};
  mutable std::atomic<bool> was_inspected_{false};
};

// ---------------------------------------------------------------------------------------------------------------------

/// Lease of the thread's scratch buffers for one step. The connection keeps the blocks whose bytes it still needs.
class connection::buffer_lease {
 public:
  buffer_lease(connection& owner, scratch_buffers& buffers) noexcept : connection_(owner), buffers_(buffers) {
    acquire(connection_.buffer_.bytes, buffers_.input);
    acquire(connection_.head_block_, buffers_.head_block);
    acquire(connection_.output_, buffers_.output);
    if (connection_.head_.fields.empty()) connection_.head_.fields.swap(buffers_.fields);
  }
  ~buffer_lease() {
    const auto remaining = connection_.buffer_.remaining();
    if (remaining.size() <= max_kept_bytes) keep_remainder(remaining);
    if (!connection_.in_flight_) {
      connection_.head_block_.clear();
      auto& fields = connection_.head_.fields;
      fields.clear();
      if (fields.capacity() > buffers_.fields.capacity()) fields.swap(buffers_.fields);
      else std::vector<wire::field>().swap(fields);
    }
    release(connection_.head_block_, buffers_.head_block);
    release(connection_.output_, buffers_.output);
  }
  buffer_lease(const buffer_lease&) = delete;
  buffer_lease& operator=(const buffer_lease&) = delete;

 private:
  static constexpr std::size_t max_kept_bytes = 2048;

  /// Copies a short remainder to a small string, so that the block can be returned.
  void keep_remainder(std::string_view remainder) noexcept {
    try {
      std::string kept(remainder);
      connection_.buffer_.bytes.clear();
      connection_.buffer_.consumed = 0;
      release(connection_.buffer_.bytes, buffers_.input);
      connection_.buffer_.bytes = std::move(kept);
    } catch (...) {  // out of memory: the connection keeps the block
    }
  }
  static void acquire(std::string& block, std::string& shared) noexcept {
    if (block.empty()) block.swap(shared);
  }
  static void release(std::string& block, std::string& shared) noexcept {
    constexpr std::size_t max_capacity = 256 * 1024;  // a block that a large response has grown is freed
    if (!block.empty()) return;
    if (block.capacity() > shared.capacity() && block.capacity() <= max_capacity) block.swap(shared);
    else std::string().swap(block);
  }

  connection& connection_;
  scratch_buffers& buffers_;
};

}  // namespace detail::server
}  // inline namespace WINSVC_ABI
}  // namespace winsvc

#if WINSVC_BODIES_SERVER

namespace winsvc {
inline namespace WINSVC_ABI {
namespace detail::server {

WINSVC_INLINE wait_condition connection::advance(scratch_buffers& buffers, const step_options& options) noexcept {
  try {
    const buffer_lease lease(*this, buffers);
    now_ = time();
    step_options current = options;
    constexpr int max_requests = 16;  // requests per step: a client may pipeline any number
    for (int served = 0;; current.timed_out = false) {
      std::optional<wait_condition> wait;
      switch (stage_) {
        case stage::head:
          if (served++ == max_requests) return wait_for(wait_reason::yield);
          wait = read_head(current);
          break;
        case stage::body: wait = read_body(current); break;
        case stage::handler: wait = start_handler(current, buffers); break;
        case stage::response: wait = send_response(current); break;
        case stage::lingering_close: wait = lingering_close(current); break;
        case stage::closed: return {};
      }
      if (wait) return *wait;
    }
  } catch (...) {  // out of memory: this connection ends, the other connections continue
    stage_ = stage::closed;
    return {};
  }
}

/// Receives at most one block of available bytes and appends them to the buffer.
WINSVC_INLINE os::transfer connection::receive() {
  constexpr std::size_t chunk_size = 16 * 1024;
  auto& bytes = buffer_.bytes;
  if (bytes.capacity() - bytes.size() < chunk_size && buffer_.consumed > 0)
    bytes.erase(0, std::exchange(buffer_.consumed, 0));
  char chunk[chunk_size];
  std::size_t received = 0;
  const auto result = transport_.receive(chunk, sizeof chunk, received, std::chrono::milliseconds(0));
  if (result == os::transfer::done) bytes.append(chunk, received);
  return result;
}

WINSVC_INLINE std::optional<wait_condition> connection::read_head(const step_options& options) {
  const bool begun = !buffer_.remaining().empty();
  if (begun) {
    auto parsed = wire::parse_head(buffer_.remaining(), limits_, &scanned_, std::move(head_.fields));
    if (parsed.kind == wire::head_parse_result::more) {
      head_.fields = std::move(parsed.value.fields);
    } else {
      scanned_ = 0;
      if (parsed.kind == wire::head_parse_result::reject) reject(parsed.status, parsed.reason);
      else accept_head(std::move(parsed));
      return std::nullopt;
    }
  }
  const auto result = receive();  // bytes that have arrived are served, even after the deadline
  if (result == os::transfer::done) {
    if (!begun) set_deadline(limits_.head_timeout);
    return std::nullopt;
  }
  if (result != os::transfer::timed_out) {
    close(http::close_reason::idle);
    return std::nullopt;
  }
  if (!begun) {
    if (options.timed_out || engine_state_.draining.load()) {
      close(http::close_reason::idle);
      return std::nullopt;
    }
    return wait_for_input();
  }
  if (options.timed_out || time() >= deadline_) {
    reject(408, "the request head did not arrive in time");
    return std::nullopt;
  }
  // A drain allows 500 ms for the rest of a head.
  constexpr std::chrono::milliseconds drain_limit{500};
  if (engine_state_.draining.load()) deadline_ = (std::min)(deadline_, time() + drain_limit);
  return wait_for_input();
}

WINSVC_INLINE void connection::accept_head(wire::head_parse_result&& result) {
  request_started_ = now_;
  access_record_.bytes = 0;
  access_record_.counts_in_statistics = true;
  ++engine_state_.in_flight;
  in_flight_ = true;

  // The views of the head point into the buffer, which grows when the body arrives. So the head keeps this block, and
  // the two blocks are swapped with each request.
  head_block_.clear();
  std::swap(head_block_, buffer_.bytes);
  buffer_.bytes.assign(head_block_, buffer_.consumed + result.consumed);
  buffer_.consumed = 0;
  head_ = std::move(result.value);
  find_route();
  // A method that no route has is 501; a method of another path is 405 (RFC 9110 sections 15.5.6 and 15.6.2).
  if (head_.method_id == route::method::other && match_.outcome != route::match_outcome::matched &&
      !processor_.routes().routes().all_methods().has_other(head_.method))
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
  if (match_.outcome != route::match_outcome::matched || processor_.routes().receiver(match_)) return false;
  return head_.framing == wire::framing::chunked ||
         head_.content_length <= processor_.routes().body_limit(match_, limits_.body_bytes);
}

WINSVC_INLINE bool connection::is_body_buffered() const noexcept {
  if (head_.framing == wire::framing::length) return buffer_.remaining().size() >= head_.content_length;
  return head_.framing == wire::framing::none;
}

WINSVC_INLINE void connection::find_route() {
  const auto& routes = processor_.routes();
  if (head_.path == "*") {
    match_ = {};
    match_.outcome = route::match_outcome::method_not_allowed;
    match_.allowed = routes.routes().all_methods();
  } else {
    match_ = routes.match(head_.method_id, head_.path, head_.method);
  }
  if (engine_state_.paused.load() && !routes.serves_paused(match_)) match_.outcome = route::match_outcome::paused;
}

/// Collects a body. It reports no error: the handler stage reads the body, responds to errors and logs them.
WINSVC_INLINE std::optional<wait_condition> connection::read_body(const step_options& options) {
  const auto have = buffer_.remaining().size();
  engine_state_.buffered_body_bytes += have - counted_body_bytes_;
  counted_body_bytes_ = have;
  if (limits_.buffered_body_bytes > 0 && engine_state_.buffered_body_bytes.load() > limits_.buffered_body_bytes) {
    reject_at_limit(http::shared_limit::buffered_body_bytes, "too many request bodies are being received");
    return std::nullopt;
  }
  // One deadline for the whole body: each received byte extends it by its share at body_bytes_per_second.
  deadline_ = request_started_ + limits_.body_deadline(have);
  const bool is_complete =
      head_.framing == wire::framing::chunked ? is_chunked_body_complete() : have >= head_.content_length;
  if (!is_complete && !options.timed_out) {
    const auto result = receive();
    if (result == os::transfer::done) return std::nullopt;
    if (result == os::transfer::timed_out && time() < deadline_) return wait_for_input();
  }
  complete_time_ = now_;
  stage_ = stage::handler;
  return std::nullopt;
}

/// True if the buffer contains the whole chunked body, or an error that the handler stage reports.
WINSVC_INLINE bool connection::is_chunked_body_complete() {
  if (!body_scanner_) body_scanner_.emplace(limits_, processor_.routes().body_limit(match_, limits_.body_bytes));
  std::string discarded;
  std::size_t consumed = 0;
  const auto step = body_scanner_->feed(buffer_.remaining().substr(body_scanned_), consumed, discarded);
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
      head_.content_length > processor_.routes().body_limit(match_, limits_.body_bytes);
  if (reads_body && !is_too_large && !is_body_buffered()) return handler_kind::stream;
  if (processor_.is_slow(match_)) return handler_kind::slow;
  return processor_.is_builtin(match_, head_) ? handler_kind::builtin : handler_kind::fast;
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
  const auto limit = processor_.time_limit(match_);
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
    const auto limit = *processor_.time_limit(match_);
    processor_.log_unstarted(head_.method, head_.path, limit);
    reject(503, "no response within " + base::duration_text(limit));
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
  http::exchange_stream stream(transport_, buffer_, output_, head_, limits_, request_started_, engine_state_.time);
  http::exchange exchange(head_, stream, peer_, local_, processor_.next_id(), engine_state_.draining);
  exchange.headers = &buffers.headers;
  exchange.websockets = &engine_state_.websockets;
  exchange.routes = &processor_.routes().routes();
  exchange.match = std::move(match_);
  exchange.complete_time = complete_time_;
  if (head_.framing == wire::framing::chunked)
    stream.limit_body(processor_.routes().body_limit(exchange.match, limits_.body_bytes));
  exchange.close_after_response = !head_.keep_alive;
  if (options.latency) options.latency->store(&processor_.latency_of(exchange.match), std::memory_order_relaxed);
  has_current_request_.store(true);
  const auto handler_started = now_;
  keep_alive_ = processor_.process(exchange);
  now_ = time();
  has_current_request_.store(false);
  if (was_inspected_.load()) {  // wait until current_request() has read head_
    const std::lock_guard wait(current_request_mutex_);
  }
  if (options.latency) options.latency->store(nullptr, std::memory_order_relaxed);
  processor_.latency_of(exchange.match).record(now_ - handler_started);

  id_ = std::move(exchange.id);
  client_ = std::move(exchange.client);
  access_record_.pattern = exchange.pattern;
  access_record_.status = exchange.status;
  access_record_.bytes = stream.sent_bytes();
  access_record_.counts_in_statistics =
      !processor_.routes().serves_paused(exchange.match) && !processor_.latency_of(exchange.match).streams();
  access_record_.route_id.reset();
  if (exchange.match.outcome == route::match_outcome::matched) access_record_.route_id = exchange.match.route_id;

  if (keep_alive_ && exchange.status == 101 && exchange.serve_upgraded) {
    processor_.latency_of(exchange.match).mark_holds_thread();
    transport_.begin_blocking();
    keep_alive_ = stream.flush();
    access_record_.bytes = stream.sent_bytes();
    finish_request();  // the new protocol is not part of the request
    if (keep_alive_) processor_.process_upgraded(exchange);
    return close(http::close_reason::after_response);
  }
  body_unread_ = !stream.is_body_complete();
  output_sent_ = 0;
  body_ = std::move(exchange.text_to_send);
  file_body_ = std::move(exchange.body_to_send);
  send_wait_start_ = {};
  deadline_ = now_ + limits_.write_timeout;
  stage_ = stage::response;
  limit_unsent();
}

/// Counts a large response until it is sent. If too many bytes wait for slow clients, sends 503 in its place.
WINSVC_INLINE void connection::limit_unsent() {
  constexpr std::size_t min_counted_bytes = 64 * 1024;
  if (output_.size() + body_.size() < min_counted_bytes) return;
  counted_unsent_bytes_ = output_.size() + body_.size();
  const auto before = engine_state_.unsent_bytes.fetch_add(counted_unsent_bytes_);
  if (limits_.unsent_bytes == 0 || before == 0 || before + counted_unsent_bytes_ <= limits_.unsent_bytes) return;
  file_body_ = {};
  reject_at_limit(http::shared_limit::unsent_bytes, "too many responses wait for clients that read slowly");
}

/// Reads the next part of the file into output_. Returns false at its end; ends the connection if the file is shorter
/// than it was.
WINSVC_INLINE bool connection::read_file_body() {
  constexpr std::size_t part_size = 64 * 1024;
  if (!file_body_.file || file_body_.remaining == 0) return false;
  output_.resize(static_cast<std::size_t>((std::min)(file_body_.remaining, std::uint64_t{part_size})));
  const auto count = file_body_.file->read(file_body_.position, output_.data(), output_.size());
  output_.resize(count.value_or(0));
  output_sent_ = 0;
  file_body_.position += output_.size();
  file_body_.remaining -= output_.size();
  if (output_.empty()) keep_alive_ = false;  // the client sees that the body is incomplete
  return !output_.empty();
}

/// Extends the deadline after progress: the write timeout restarts, but the client must also keep the minimum rate.
WINSVC_INLINE void connection::extend_send_deadline(std::size_t sent_now) noexcept {
  const auto now = time();
  if (send_wait_start_ == clock::time_point{}) {  // what the socket buffer took at first does not count
    send_wait_start_ = now;
    sent_since_wait_ = 0;
  } else {
    sent_since_wait_ += sent_now;
  }
  deadline_ = (std::min)(now + limits_.write_timeout, send_wait_start_ + limits_.response_deadline(sent_since_wait_));
}

WINSVC_INLINE std::optional<wait_condition> connection::send_response(const step_options& options) {
  if (options.timed_out) {
    close(http::close_reason::idle);
    return std::nullopt;
  }
  auto result = os::transfer::done;
  constexpr int max_parts = 16;  // then other connections go first
  for (int parts = 0;; ++parts) {
    std::size_t sent = 0;
    const auto head = unsent_output(), body = unsent_body();
    result = body.empty() ? transport_.send_some(head.data(), head.size(), sent)
                          : transport_.send_parts(head, body, sent);
    output_sent_ += sent;
    if (result == os::transfer::timed_out) {
      if (sent > 0 || send_wait_start_ == clock::time_point{}) extend_send_deadline(sent);
      return wait_for(transport_.needs_write(true) ? wait_reason::writable : wait_reason::readable);
    }
    if (result != os::transfer::done) break;
    access_record_.bytes += output_.size() + body_.size();
    if (send_wait_start_ != clock::time_point{} && sent > 0) extend_send_deadline(sent);
    clear_output();
    if (!read_file_body()) break;
    if (parts == max_parts) return wait_for(wait_reason::yield);
  }
  if (file_body_.remaining > 0 && result == os::transfer::done) result = os::transfer::failed;
  clear_output();
  file_body_ = {};
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
  deadline_ = now_ + (buffer_.remaining().empty() ? limits_.keep_alive_timeout : limits_.head_timeout);
  if (buffer_.remaining().empty() && transport_.has_no_input() && !engine_state_.draining.load())
    return wait_for(wait_reason::readable);
  return std::nullopt;
}

/// Ends the request in progress, if any: counts it and writes its access record, unless no response was sent.
WINSVC_INLINE void connection::finish_request() noexcept {
  release_shared();
  if (!std::exchange(in_flight_, false)) return;
  --engine_state_.in_flight;
  if (access_record_.bytes == 0) return;  // no response
  ++engine_state_.response_count;
  if (access_record_.counts_in_statistics)
    engine_state_.statistics.record(now_, now_ - request_started_, access_record_.status);
  if (engine_state_.on_response.empty()) return;
  try {
    access_record_.method = head_.method;
    access_record_.target = head_.target;
    access_record_.method_id = head_.method_id;
    access_record_.id = id_;
    access_record_.peer = peer_;
    if (!client_.empty()) access_record_.peer.host = client_, access_record_.peer.port = 0;
  } catch (const std::exception&) {  // out of memory: the response was sent, and its record is lost
    return;
  }
  const auto duration = time() - request_started_;  // includes sending
  access_record_.duration = std::chrono::duration_cast<std::chrono::microseconds>(duration);
  engine_state_.notify_response(access_record_);
}

/// Removes this connection from the shared counters.
WINSVC_INLINE void connection::release_shared() noexcept {
  engine_state_.buffered_body_bytes -= std::exchange(counted_body_bytes_, 0);
  engine_state_.unsent_bytes -= std::exchange(counted_unsent_bytes_, 0);
  if (auto* const counter = std::exchange(counted_thread_, nullptr)) --*counter;
}

/// Responds without a handler to a request that the head parser rejects, that is late, or for which no thread is
/// available. The connection ends.
WINSVC_INLINE void connection::reject(int status, std::string_view reason) {
  // Even a malformed head shows whether the method is HEAD, whose response has no body (RFC 9110 section 9.3.2).
  auto requested = in_flight_ ? std::string_view(head_block_) : buffer_.remaining();
  while (base::starts_with(requested, "\r\n")) requested.remove_prefix(2);
  clear_output();
  output_ = http::error_response(status, reason, !base::starts_with(requested, "HEAD "));
  keep_alive_ = false;
  body_unread_ = true;
  engine_state_.notify_response({"refused:", reason, {}, peer_, status, output_.size(), {}});
  if (std::exchange(in_flight_, false)) --engine_state_.in_flight;
  release_shared();
  send_wait_start_ = {};
  set_deadline(limits_.write_timeout);
  stage_ = stage::response;
}

WINSVC_INLINE void connection::reject_at_limit(http::shared_limit limit, std::string_view reason) {
  reject(503, reason);
  if (engine_state_.on_limit_reached) engine_state_.on_limit_reached(limit);
}

/// After a response, input is read and discarded for 100 ms, or 500 ms if the client still sends: if a socket with
/// unread input is closed, Windows resets the connection and the client loses the response (RFC 9112 section 9.6). A
/// client that closes first ends this wait.
WINSVC_INLINE void connection::close(http::close_reason reason) noexcept {
  finish_request();
  reason = transport_.shutdown(buffer_.remaining().empty() ? reason : http::close_reason::unread_input);
  set_deadline(std::chrono::milliseconds(reason == http::close_reason::unread_input ? 500 : 100));
  stage_ = reason == http::close_reason::idle ? stage::closed : stage::lingering_close;
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

WINSVC_INLINE std::optional<http::active_request> connection::current_request() const {
  const std::lock_guard lock(current_request_mutex_);
  was_inspected_.store(true);  // before has_current_request_ is loaded
  const scope_exit clear([this]() noexcept { was_inspected_.store(false); });
  if (!has_current_request_.load()) return std::nullopt;
  return http::active_request{std::string(head_.method) + ' ' + std::string(head_.path),
                              time() - request_started_};
}

}  // namespace detail::server
}  // inline namespace WINSVC_ABI
}  // namespace winsvc

#endif  // WINSVC_BODIES_SERVER
