// Connection: serves the requests of one client, one after the other, in steps that never wait.
//
//   connection c(transport, processor, engine_state, limits);
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
//   body             the body arrived or failed                               handler
//   body             late body (408), or too many bodies (503)                response, then close
//   handler          blocking handler on an I/O thread                        handler, on a blocking thread
//   handler          the handler holds its thread for a long time             handler, on a stream thread
//   handler          a queue or a limit is full, or the time limit passed     response (503), then close; events: close
//   handler          the client left while the request waited for a thread    close
//   handler          the handler returned                                     response
//   handler          the protocol after a 101 response has ended              close
//   response         sent, more events of a channel may follow                events
//   response         sent, keep-alive                                         head
//   response         sent, no keep-alive; or write timeout, client closed     close
//   events           an event is pending, or no event for 15 s                response (the event, or a comment)
//   events           the channel has closed, or a drain has begun             response (the end of the body)
//   events           client closed, or too many bytes wait                    close
//   lingering_close  client closed, timeout, or more than 1 MiB discarded     closed
//   any              out of memory                                            closed
//
// "close" is the function close(): it selects lingering_close after a response or unread input, and closed otherwise.
#pragma once

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "winsvc/base/clock.hpp"
#include "winsvc/config/abi.hpp"
#include "winsvc/http/request_processor.hpp"
#include "winsvc/http/engine_state.hpp"
#include "winsvc/http/event_subscription.hpp"
#include "winsvc/server/scratch_buffers.hpp"
#include "winsvc/wire/chunked.hpp"
#include "winsvc/wire/head_parser.hpp"

namespace winsvc {
inline namespace WINSVC_ABI {
namespace detail::server {

/// Handlers in the order of what they do to their thread: no code of the app; fast; may block it; holds it for long.
enum class handler_kind : std::uint8_t { builtin, fast, blocking, stream };

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
/// `wake`: a call of transport::wake. The deadline of a wait for a thread is that of the handler; time_point::max():
/// none.
enum class wait_reason : std::uint8_t { readable, writable, wake, blocking_thread, stream_thread, yield, closed };

struct wait_condition {
  wait_reason reason = wait_reason::closed;
  clock::time_point deadline = (clock::time_point::max)();
};

class connection {
 public:
  connection(http::transport& transport, http::request_processor& processor,
             http::engine_state& engine_state, const wire::limits& limits)
      : transport_(transport),
        processor_(processor),
        engine_state_(engine_state),
        limits_(limits),
        peer_(transport.peer()),
        local_(transport.local()),
        request_started_(current_time()) {
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
    const auto output = unsent_output();
    return output.empty() ? unsent_text() : output;
  }
  /// Removes `count` bytes from the front of unsent(), because the poller has sent them.
  void mark_sent(std::size_t count) noexcept {
    output_sent_ += count;
    extend_send_deadline(count);
  }
  /// True if too many events wait for the client: the next step closes the connection.
  [[nodiscard]] bool is_lagging() const noexcept {
    return events_to_send_ && access_record_.bytes > 0 && events_to_send_->is_lagging();  // not before the head is sent
  }
  /// True if it waits for a request of which no byte has arrived: it can be closed without loss.
  [[nodiscard]] bool is_idle() const noexcept {
    return stage_ == stage::head && blocks_->input.remaining().empty() && !transport_.needs_handshake();
  }

 private:
  enum class stage : std::uint8_t { head, body, handler, response, events, lingering_close, closed };
  class buffer_lease;

  [[nodiscard]] std::optional<wait_condition> run_stage(bool timed_out, const step_options& options,
                                                        scratch_buffers& buffers);
  [[nodiscard]] std::optional<wait_condition> read_head(bool timed_out);
  [[nodiscard]] std::optional<wait_condition> collect_body(bool timed_out);
  [[nodiscard]] std::optional<wait_condition> send_response(bool timed_out);
  [[nodiscard]] std::optional<wait_condition> await_events(bool timed_out);
  [[nodiscard]] std::optional<wait_condition> lingering_close(bool timed_out);
  [[nodiscard]] std::optional<wait_condition> start_handler(const step_options& options, scratch_buffers& buffers);
  [[nodiscard]] bool parse_received_head();
  void shrink_input();
  void accept_head(std::size_t head_bytes);
  void find_route();
  [[nodiscard]] bool can_collect_body() const;
  [[nodiscard]] bool is_body_buffered() const noexcept;
  [[nodiscard]] std::size_t body_memory(std::size_t received) const noexcept;
  [[nodiscard]] bool is_chunked_body_complete();
  [[nodiscard]] handler_kind required_kind() const;
  [[nodiscard]] bool reserve_stream_thread();
  [[nodiscard]] clock::time_point handler_deadline() const noexcept;
  void run_handler(const step_options& options, scratch_buffers& buffers);
  void limit_unsent();
  [[nodiscard]] bool read_file_part();
  void start_response() noexcept;
  void leave_channel() noexcept;
  [[nodiscard]] bool receive_during_response();
  [[nodiscard]] bool can_receive_during_response() const noexcept {
    constexpr std::size_t max_bytes = 16 * 1024;
    return blocks_->input.remaining().size() < max_bytes;
  }
  void extend_send_deadline(std::size_t sent_now) noexcept;
  [[nodiscard]] std::string error_bytes(int status, std::string_view reason, http::access_record& record);
  void reject(int status, std::string_view reason);
  void reject_at_limit(http::shared_limit limit, std::string_view reason);
  void release_shared() noexcept;
  void close(http::close_reason reason) noexcept;
  void finish_request() noexcept;
  os::transfer receive();
  [[nodiscard]] std::string_view unsent_output() const noexcept {
    return blocks_->output.view().substr((std::min)(output_sent_, blocks_->output.size()));
  }
  [[nodiscard]] std::string_view unsent_text() const noexcept {
    return std::string_view(text_to_send_).substr(output_sent_ - (std::min)(output_sent_, blocks_->output.size()));
  }
  void clear_output() noexcept {
    blocks_->output.clear();
    if (!text_to_send_.empty()) std::string().swap(text_to_send_);
    output_sent_ = 0;
  }
  [[nodiscard]] wait_condition wait_for(wait_reason reason) const noexcept { return {reason, deadline_}; }
  [[nodiscard]] wait_condition wait_for_input() const noexcept {
    return wait_for(transport_.needs_write(false) ? wait_reason::writable : wait_reason::readable);
  }
  [[nodiscard]] clock::time_point current_time() const noexcept { return engine_state_.time.now(); }
  void set_deadline(std::chrono::milliseconds limit) noexcept { deadline_ = current_time() + limit; }

  http::transport& transport_;
  http::request_processor& processor_;
  http::engine_state& engine_state_;
  const wire::limits& limits_;
  os::endpoint peer_, local_;

  stage stage_ = stage::head;
  clock::time_point deadline_;  // of the current wait
  clock::time_point now_;       // when the step began, or when its handler returned
  step_blocks kept_;             // bytes that are needed after a step
  step_blocks* blocks_ = &kept_;  // during a step, those of the thread
  bool keeps_bytes_ = false;     // kept_ is not empty
  std::size_t scanned_ = 0;  // bytes of an incomplete head that the parser has checked

  // A block that a large body or response has grown is freed after its use.
  static constexpr std::size_t max_kept_capacity = 256 * 1024;

  // The request in progress.
  bool in_flight_ = false, keep_alive_ = false, body_unread_ = false;
  bool is_new_ = true;  // no head has arrived
  wire::head head_;
  route::match_result match_;
  clock::time_point request_started_;  // before the first request: when the client has connected
  http::access_record access_record_;
  std::string id_, client_;
  std::string text_to_send_;  // follows the output, as in response_delivery (http/exchange.hpp)
  std::size_t output_sent_ = 0, lingered_bytes_ = 0;  // output_sent_: bytes of the output and text_to_send_
  http::file_part file_to_send_;  // follows text_to_send_
  std::shared_ptr<http::event_subscription> events_to_send_;  // follows the output
  int event_parts_ = 0;  // parts of events that were sent without a wait
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

}  // namespace detail::server
}  // inline namespace WINSVC_ABI
}  // namespace winsvc
