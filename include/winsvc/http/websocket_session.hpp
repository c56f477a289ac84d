// WebSocket session: one open WebSocket (RFC 6455) with its frames, pings and closing handshake.
//
//   websocket_session session(exchange, req, protocol);
//   while (auto message = session.receive(deadline)) session.send(wire::opcode::text, *message);
//   session.finish(wire::close_code::normal, {});
//
// wire/websocket.hpp encodes and decodes the frames; http/websocket_impl.hpp calls the handler of the app.
#pragma once

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstddef>
#include <mutex>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>

#include "winsvc/api/websocket.hpp"
#include "winsvc/base/log.hpp"
#include "winsvc/base/scope.hpp"
#include "winsvc/config/abi.hpp"
#include "winsvc/http/exchange.hpp"
#include "winsvc/wire/websocket.hpp"

namespace winsvc {
inline namespace WINSVC_ABI {
namespace detail::http {

class websocket_session {
 public:
  static constexpr const char* stop_reason_text = "the service stops";

  websocket_session(exchange& exchange, const request& req, std::string_view protocol)
      : transport_(&exchange.stream.connection_transport()),
        buffer_(exchange.stream.buffer()),
        limits_(exchange.stream.limits()),
        draining_(&exchange.services.draining),
        frames_(limits_.websocket_message_bytes),
        time_(exchange.stream.time()),
        last_received_(time_.now()),
        req_(req),
        id_(exchange.id()),
        protocol_(protocol) {
    req_.is_connection_closed = [this] { return !is_open(); };
  }

  [[nodiscard]] const clock& time() const noexcept { return time_; }
  std::optional<websocket::message> receive(clock::time_point deadline);
  bool send(wire::opcode opcode, std::string_view payload);
  void close(int code, std::string_view reason);
  [[nodiscard]] bool is_open() const noexcept;
  /// Called after the handler: sends a Close if none was sent and waits for the client's. No frame is sent after it.
  void finish(int code, std::string_view reason);
  /// No later call uses the transport, which is destroyed. Another thread may have the WebSocket of the handler.
  void detach() noexcept {
    const std::lock_guard lock(mutex_);
    transport_ = nullptr;
  }

  [[nodiscard]] int peer_close_code() const noexcept { return peer_code_.load(); }
  [[nodiscard]] const request& req() const noexcept { return req_; }
  [[nodiscard]] const std::string& id() const noexcept { return id_; }
  [[nodiscard]] const std::string& protocol() const noexcept { return protocol_; }

 private:
  using event = wire::frame_decoder::event;
  event next_event();
  os::transfer has_more(std::chrono::milliseconds limit, bool wakes_for_drain);
  [[nodiscard]] bool wait(clock::time_point deadline);
  bool write_frame(wire::opcode opcode, std::string_view payload);
  void send_close(int code, std::string_view reason);
  void close_abnormally() noexcept;
  /// Calls `receive_part`. After an exception, bytes of a frame are lost, so no further frame can be read.
  template <class F>
  decltype(auto) close_if_thrown(const F& receive_part) {
    try {
      return receive_part();
    } catch (...) {  // out of memory
      close_abnormally();
      throw;
    }
  }

  // Held while a frame is sent, which may take as long as the write timeout: frames of several threads must not mix,
  // and no frame may follow a Close.
  mutable std::mutex mutex_;
  transport* transport_;  // null after detach()
  // Both become true once. Written under mutex_ or by the handler's thread; atomic, because is_open() reads them
  // without the mutex: it must not wait for a send.
  std::atomic<bool> close_sent_{false}, broken_{false};

  // Used by the handler's thread only.
  receive_buffer& buffer_;
  const wire::limits& limits_;
  const std::atomic<bool>* draining_;
  wire::frame_decoder frames_;
  const clock& time_;
  clock::time_point last_received_, ping_sent_at_;
  clock::duration ping_wait_{0};  // time spent waiting for the current message
  bool ping_pending_ = false, was_input_pending_ = false;

  std::atomic<int> peer_code_{0};  // close code of the client; 0: not closed. Read by any thread.
  request req_;
  std::string id_, protocol_;
};

}  // namespace detail::http
}  // inline namespace WINSVC_ABI
}  // namespace winsvc

// ---------------------------------------------------------------------------------------------------------------------

#if WINSVC_BODIES_FEATURES

namespace winsvc {
inline namespace WINSVC_ABI {
namespace detail::http {

/// Sends one frame. Requires mutex_. Returns false if the WebSocket is closed or the send failed.
WINSVC_INLINE bool websocket_session::write_frame(wire::opcode opcode, std::string_view payload) {
  if (!transport_ || close_sent_.load() || broken_.load()) return false;
  const std::string bytes = wire::frame(opcode, payload);
  if (transport_->send(bytes.data(), bytes.size(), limits_.write_timeout) == os::transfer::done) return true;
  broken_.store(true);
  transport_->abort_connection();  // a part of the frame may be sent; also wakes the thread that receives
  return false;
}

WINSVC_INLINE void websocket_session::send_close(int code, std::string_view reason) {
  const std::lock_guard lock(mutex_);
  const bool has_no_code = code == wire::close_code::none;
  static_cast<void>(
      write_frame(wire::opcode::close, has_no_code ? std::string() : wire::close_payload(code, reason)));
  close_sent_.store(true);
}

WINSVC_INLINE bool websocket_session::send(wire::opcode opcode, std::string_view payload) {
  const std::lock_guard lock(mutex_);
  return transport_ && !draining_->load() && peer_code_.load() == 0 && write_frame(opcode, payload);
}

WINSVC_INLINE void websocket_session::close(int code, std::string_view reason) {
  if (!wire::is_close_code(code))
    throw std::invalid_argument("websocket: close code " + std::to_string(code) + " must not be sent (RFC 6455, 7.4)");
  send_close(code, reason);
}

WINSVC_INLINE bool websocket_session::is_open() const noexcept {
  if (close_sent_.load() || broken_.load() || peer_code_.load() != 0) return false;
  // Do not wait: another thread may hold the mutex for a send to a slow client. If it does, the transport is open.
  const std::unique_lock lock(mutex_, std::try_to_lock);
  return !lock || (transport_ && !draining_->load());
}

/// Marks the WebSocket as closed without a closing handshake (code 1006).
WINSVC_INLINE void websocket_session::close_abnormally() noexcept {
  constexpr int abnormal = 1006;
  int not_closed = 0;
  peer_code_.compare_exchange_strong(not_closed, abnormal);
  broken_.store(true);
}

/// Decodes the next event from the buffer. Responds to pings and to a Close.
WINSVC_INLINE websocket_session::event websocket_session::next_event() {
  for (;;) {
    std::size_t consumed = 0;
    const auto result = close_if_thrown([&] { return frames_.feed(buffer_.remaining(), consumed); });
    buffer_.consume(consumed);
    const bool pending = frames_.pending();
    if (!was_input_pending_) ping_wait_ = clock::duration(0);
    was_input_pending_ = pending && result != event::message;
    switch (result) {
      case event::ping: {
        const std::lock_guard lock(mutex_);
        static_cast<void>(write_frame(wire::opcode::pong, frames_.payload()));
        continue;
      }
      case event::pong: continue;
      case event::close:
        peer_code_.store(frames_.code());
        send_close(frames_.code(), frames_.payload());
        return result;
      case event::protocol_error:
        send_close(frames_.code(), frames_.reason());
        close_abnormally();
        return result;
      default: return result;
    }
  }
}

WINSVC_INLINE os::transfer websocket_session::has_more(std::chrono::milliseconds limit, bool wakes_for_drain) {
  char buffer[16 * 1024];
  std::size_t received = 0;
  limit = (std::max)(limit, std::chrono::milliseconds(0));
  const auto result = wakes_for_drain ? transport_->receive_idle(buffer, sizeof buffer, received, limit)
                                      : transport_->receive(buffer, sizeof buffer, received, limit);
  if (result == os::transfer::done) {
    close_if_thrown([&] { buffer_.bytes.append({buffer, received}); });
    last_received_ = time_.now();
    ping_pending_ = false;
  } else if (result != os::transfer::timed_out) {
    close_abnormally();
  }
  return result;
}

/// Waits for bytes until `deadline`; sends pings and enforces their timeouts. Returns false if no bytes arrived.
WINSVC_INLINE bool websocket_session::wait(clock::time_point deadline) {
  const auto start = time_.now();
  // One deadline for the whole message, as for a body: single bytes or empty fragments do not extend it indefinitely.
  auto message_deadline = (clock::time_point::max)();
  if (was_input_pending_) message_deadline = start + (limits_.body_deadline(frames_.received()) - ping_wait_);
  if (start >= message_deadline) {
    send_close(wire::close_code::policy, "the message did not arrive in time");
    close_abnormally();
    return false;
  }
  const auto ping_deadline =
      ping_pending_ ? ping_sent_at_ + limits_.websocket_pong : last_received_ + limits_.websocket_ping;
  const auto wait_end = (std::min)({deadline, message_deadline, ping_deadline});
  const auto remaining = std::chrono::duration_cast<std::chrono::milliseconds>(wait_end - start);
  const auto result = has_more(remaining + std::chrono::milliseconds(1), true);  // rounded up, so that a wait is not 0
  const auto now = time_.now();
  ping_wait_ += now - start;
  if (result != os::transfer::timed_out) return result == os::transfer::done;

  if (now >= ping_deadline && ping_pending_) {
    close_abnormally();
  } else if (now >= ping_deadline) {
    ping_pending_ = true;
    ping_sent_at_ = now;
    const std::lock_guard lock(mutex_);
    static_cast<void>(write_frame(wire::opcode::ping, {}));
  }
  return false;
}

WINSVC_INLINE std::optional<websocket::message> websocket_session::receive(clock::time_point deadline) {
  for (;;) {
    // In a drain, the Close is sent here, and not when the handler has returned.
    if (draining_->load()) send_close(wire::close_code::going_away, stop_reason_text);
    if (!is_open()) return std::nullopt;
    const auto result = next_event();
    if (result == event::message) return websocket::message{frames_.move_message(), frames_.is_binary()};
    if (result == event::more && !wait(deadline) && time_.now() >= deadline) return std::nullopt;
  }
}

WINSVC_INLINE void websocket_session::finish(int code, std::string_view reason) {
  const scope_exit end([this]() noexcept { detach(); });
  send_close(code, reason);
  const auto deadline = time_.now() + limits_.websocket_close;
  while (peer_code_.load() == 0 && !broken_.load()) {
    const auto result = next_event();
    if (result == event::message) static_cast<void>(frames_.move_message());  // sent before the client saw our Close
    if (result != event::more) continue;
    const auto remaining = std::chrono::duration_cast<std::chrono::milliseconds>(deadline - time_.now());
    if (remaining.count() <= 0 || has_more(remaining, false) != os::transfer::done) return;
  }
}

}  // namespace detail::http
}  // inline namespace WINSVC_ABI
}  // namespace winsvc

#endif  // WINSVC_BODIES_FEATURES
