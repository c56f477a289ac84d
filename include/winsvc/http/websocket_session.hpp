// One open WebSocket on its connection: handshake, frames, pings and the closing handshake. The bodies of
// api/websocket.hpp are here.
#pragma once

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstddef>
#include <exception>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>

#include "winsvc/api/websocket.hpp"
#include "winsvc/base/encoding.hpp"
#include "winsvc/base/log.hpp"
#include "winsvc/base/scope.hpp"
#include "winsvc/base/sha.hpp"
#include "winsvc/config/abi.hpp"
#include "winsvc/http/exchange.hpp"
#include "winsvc/wire/websocket.hpp"

namespace winsvc {
inline namespace WINSVC_ABI {
namespace http {

class websocket_session {
 public:
  using steady = std::chrono::steady_clock;
  static constexpr const char* stop_reason_text = "the service stops";

  websocket_session(exchange& exchange, const request& req, std::string_view protocol)
      : wire_(&exchange.stream.connection_transport()),
        buffer_(exchange.stream.buffer()),
        bounds_(exchange.stream.limits()),
        draining_(&exchange.draining),
        frames_(bounds_.websocket_message_bytes),
        last_received_(steady::now()),
        req_(req),
        id_(exchange.id),
        protocol_(protocol) {
    req_.is_connection_closed = [this] { return !is_open(); };
  }

  std::optional<websocket::message> receive(steady::time_point deadline);
  bool send(wire::opcode what, std::string_view payload);
  void close(int code, std::string_view reason);
  [[nodiscard]] bool is_open() const noexcept;
  /// Behind the handler: says goodbye if nobody has, and waits for the client's. No copy reaches the wire after it.
  void finish(int code, std::string_view reason);

  [[nodiscard]] int peer_close_code() const noexcept { return peer_code_.load(); }
  [[nodiscard]] const request& req() const noexcept { return req_; }
  [[nodiscard]] const std::string& id() const noexcept { return id_; }
  [[nodiscard]] const std::string& protocol() const noexcept { return protocol_; }

 private:
  using event = wire::frame_decoder::event;
  event next_event();
  os::transfer has_more(std::chrono::milliseconds limit, bool wakes_for_drain);
  [[nodiscard]] bool wait(steady::time_point deadline);
  bool write_frame(wire::opcode what, std::string_view payload);
  void send_close(int code, std::string_view reason);
  void close_abnormally() noexcept;

  // Held over a send, which may take its time: frames of several threads must not mix, and none may follow a Close.
  mutable std::mutex mutex_;
  transport* wire_;  // null: the connection is not ours any more
  std::atomic<bool> close_sent_{false}, broken_{false};  // written under mutex_ or by the reader, read by anybody

  // Of the handler's thread.
  receive_buffer& buffer_;
  const wire::limits& bounds_;
  const std::atomic<bool>* draining_;
  wire::frame_decoder frames_;
  steady::time_point last_received_, ping_sent_at_;
  steady::duration ping_wait_{0};  ///< for the message that has begun, in all
  bool ping_pending_ = false, was_input_pending_ = false;

  std::atomic<int> peer_code_{0};
  request req_;
  std::string id_, protocol_;
};

/// One WebSocket among those that an engine may have open.
class websocket_count_guard {
 public:
  explicit websocket_count_guard(std::atomic<std::size_t>& open) noexcept : open_(open) { ++open_; }
  ~websocket_count_guard() { --open_; }
  websocket_count_guard(const websocket_count_guard&) = delete;
  websocket_count_guard& operator=(const websocket_count_guard&) = delete;

 private:
  std::atomic<std::size_t>& open_;
};

/// Serves a connection that has been told 101.
void serve_websocket(exchange& exchange, const std::shared_ptr<websocket_session>& session, logger& log,
                            const std::function<void(websocket&)>& handler);

/// Answers the handshake: 101 into the response, and what follows it into the exchange; or leaves with a refusal.
void accept_websocket(const invocation& invocation, const websocket_options& options,
                             std::function<void(websocket&)> handler);

}  // namespace http

}  // inline namespace WINSVC_ABI
}  // namespace winsvc

// ---------------------------------------------------------------------------------------------------------------------

#if WINSVC_BODIES_FEATURES

namespace winsvc {
inline namespace WINSVC_ABI {
namespace http {

/// One frame to the wire; under mutex_.
WINSVC_INLINE bool websocket_session::write_frame(wire::opcode what, std::string_view payload) {
  if (!wire_ || close_sent_.load() || broken_.load()) return false;
  const std::string bytes = wire::frame(what, payload);
  if (wire_->send(bytes.data(), bytes.size(), bounds_.write_timeout) == os::transfer::done) return true;
  broken_.store(true);
  wire_->abort_connection();  // it may hold half a frame; and whoever waits to receive shall know
  return false;
}

WINSVC_INLINE void websocket_session::send_close(int code, std::string_view reason) {
  const std::lock_guard lock(mutex_);
  const bool empty = code == wire::close_code::none;
  static_cast<void>(write_frame(wire::opcode::close, empty ? std::string() : wire::close_payload(code, reason)));
  close_sent_.store(true);
}

WINSVC_INLINE bool websocket_session::send(wire::opcode what, std::string_view payload) {
  const std::lock_guard lock(mutex_);
  return wire_ && !draining_->load() && peer_code_.load() == 0 && write_frame(what, payload);
}

WINSVC_INLINE void websocket_session::close(int code, std::string_view reason) {
  if (!wire::is_close_code(code))
    throw std::invalid_argument("websocket: close code " + std::to_string(code) + " must not be sent (RFC 6455, 7.4)");
  send_close(code, reason);
}

WINSVC_INLINE bool websocket_session::is_open() const noexcept {
  if (close_sent_.load() || broken_.load() || peer_code_.load() != 0) return false;
  // Not waited for: a reader must not stand behind a sender whose client takes nothing. Whoever holds it has the wire.
  const std::unique_lock lock(mutex_, std::try_to_lock);
  return !lock || (wire_ && !draining_->load());
}

/// The client went without a goodbye.
WINSVC_INLINE void websocket_session::close_abnormally() noexcept {
  constexpr int abnormal = 1006;
  int none = 0;
  peer_code_.compare_exchange_strong(none, abnormal);
  broken_.store(true);
}

/// What the bytes say that are here; answers what needs no handler.
WINSVC_INLINE websocket_session::event websocket_session::next_event() {
  for (;;) {
    std::size_t used = 0;
    const auto what = frames_.feed(buffer_.remaining(), used);
    buffer_.consume(used);
    const bool pending = frames_.pending();
    if (!was_input_pending_) ping_wait_ = steady::duration(0);
    was_input_pending_ = pending && what != event::message;
    switch (what) {
      case event::ping: {
        const std::lock_guard lock(mutex_);
        static_cast<void>(write_frame(wire::opcode::pong, frames_.payload()));
        continue;
      }
      case event::pong: continue;
      case event::close:
        peer_code_.store(frames_.code());
        send_close(frames_.code(), frames_.payload());
        return what;
      case event::protocol_error:
        send_close(frames_.code(), frames_.reason());
        close_abnormally();
        return what;
      default: return what;
    }
  }
}

WINSVC_INLINE os::transfer websocket_session::has_more(std::chrono::milliseconds limit, bool wakes_for_drain) {
  char buffer[16 * 1024];
  std::size_t received = 0;
  limit = (std::max)(limit, std::chrono::milliseconds(0));
  const auto result = wakes_for_drain ? wire_->receive_idle(buffer, sizeof buffer, received, limit)
                                    : wire_->receive(buffer, sizeof buffer, received, limit);
  if (result == os::transfer::done) {
    buffer_.bytes.append(buffer, received);
    last_received_ = steady::now();
    ping_pending_ = false;
  } else if (result != os::transfer::timed_out) {
    close_abnormally();
  }
  return result;
}

/// Waits for bytes, and does what a clock asks for meanwhile. False: none came.
WINSVC_INLINE bool websocket_session::wait(steady::time_point deadline) {
  const auto began = steady::now();
  // A message has its time as a whole, as a body has: neither a byte now and then nor empty fragments keep it alive.
  auto late = (steady::time_point::max)();
  if (was_input_pending_) late = began + (bounds_.body_deadline(frames_.received()) - ping_wait_);
  if (began >= late) {
    send_close(wire::close_code::policy, "the message did not arrive in time");
    close_abnormally();
    return false;
  }
  const auto alive = ping_pending_ ? ping_sent_at_ + bounds_.websocket_pong : last_received_ + bounds_.websocket_ping;
  const auto remaining = std::chrono::duration_cast<std::chrono::milliseconds>((std::min)({deadline, late, alive}) - began);
  const auto result = has_more(remaining + std::chrono::milliseconds(1), true);  // rounded up: no turns of no time
  const auto now = steady::now();
  ping_wait_ += now - began;
  if (result != os::transfer::timed_out) return result == os::transfer::done;

  if (now >= alive && ping_pending_) {
    close_abnormally();
  } else if (now >= alive) {
    ping_pending_ = true;
    ping_sent_at_ = now;
    const std::lock_guard lock(mutex_);
    static_cast<void>(write_frame(wire::opcode::ping, {}));
  }
  return false;
}

WINSVC_INLINE std::optional<websocket::message> websocket_session::receive(steady::time_point deadline) {
  for (;;) {
    // A drain ends the wait below: the goodbye leaves here and now, not when the handler is done.
    if (draining_->load()) send_close(wire::close_code::going_away, stop_reason_text);
    if (!is_open()) return std::nullopt;
    const auto what = next_event();
    if (what == event::message) return websocket::message{frames_.move_message(), frames_.is_binary()};
    if (what == event::more && !wait(deadline) && steady::now() >= deadline) return std::nullopt;
  }
}

WINSVC_INLINE void websocket_session::finish(int code, std::string_view reason) {
  const scope_exit over([this]() noexcept {
    const std::lock_guard lock(mutex_);
    wire_ = nullptr;
  });
  send_close(code, reason);
  const auto deadline = steady::now() + bounds_.websocket_close;
  while (peer_code_.load() == 0 && !broken_.load()) {
    const auto what = next_event();
    if (what == event::message) static_cast<void>(frames_.move_message());  // sent before the client saw our Close
    if (what != event::more) continue;
    const auto remaining = std::chrono::duration_cast<std::chrono::milliseconds>(deadline - steady::now());
    if (remaining.count() <= 0 || has_more(remaining, false) != os::transfer::done) return;
  }
}
WINSVC_INLINE void serve_websocket(exchange& exchange, const std::shared_ptr<websocket_session>& session, logger& log,
                            const std::function<void(websocket&)>& handler) {
  int code = wire::close_code::normal;
  std::string reason;
  const auto failed = [&](const std::string& message) {
    log.error("request " + exchange.id + ": " + std::string(exchange.head.path) + ": websocket handler of " + std::string(exchange.pattern) +
              " threw: " + message);
    code = wire::close_code::internal_error;
    reason = "the handler failed; the log has the reason under " + exchange.id;
  };
  exchange.current_request = &session->req();  // for winsvc::context
  current_exchange() = &exchange;
  try {
    websocket ws(session);
    handler(ws);
    if (exchange.draining.load()) code = wire::close_code::going_away, reason = websocket_session::stop_reason_text;
  } catch (const abort_error& e) {
    code = wire::close_code::policy, reason = e.what();
  } catch (const std::exception& e) {
    failed(e.what());
  } catch (...) {
    failed("something that is no std::exception");
  }
  current_exchange() = nullptr;
  session->finish(code, reason);
  if (log.is_enabled(log_level::debug))
    log.debug("request " + exchange.id + ": websocket over, client's close code " + std::to_string(session->peer_close_code()));
}
WINSVC_INLINE void accept_websocket(const invocation& invocation, const websocket_options& options,
                             std::function<void(websocket&)> handler) {
  exchange& exchange = *current_exchange();
  const auto requested = wire::check_handshake(exchange.head, options.protocols, options.origins);
  if (requested.status == 426) {  // RFC 9110 section 15.5.22, RFC 6455 section 4.4
    replace_header(invocation.res, "Upgrade", "websocket");
    replace_header(invocation.res, "Sec-WebSocket-Version", "13");
  }
  if (requested.status != 101) abort(requested.status, std::string(requested.reason));
  if (!exchange.websockets) abort(501, "there are no WebSockets here");

  auto place = std::make_shared<websocket_count_guard>(*exchange.websockets);
  if (exchange.draining.load() || exchange.websockets->load() > exchange.stream.limits().websockets) {
    replace_header(invocation.res, "Retry-After", "10");
    abort(503, exchange.draining.load() ? websocket_session::stop_reason_text : "too many WebSockets are open");
  }
  invocation.res.status = 101;
  replace_header(invocation.res, "Upgrade", "websocket");
  // RFC 6455 4.2.2. Not cpp-httplib's own functions: its base64 of 0.41 shifts negative numbers, and its sha1 is private.
  const std::string proof = std::string(requested.key) + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";
  replace_header(invocation.res, "Sec-WebSocket-Accept", strings::to_base64(sha1(proof)));
  if (!requested.protocol.empty())
    replace_header(invocation.res, "Sec-WebSocket-Protocol", std::string(requested.protocol));
  auto session = std::make_shared<websocket_session>(exchange, invocation.req, requested.protocol);
  exchange.serve_upgraded = [&exchange, session, place, handler = std::move(handler)](logger& log) {
    serve_websocket(exchange, session, log, handler);
  };
}

}  // namespace http

WINSVC_INLINE std::optional<websocket::message> websocket::receive() const {
  return session_->receive((http::websocket_session::steady::time_point::max)());
}
WINSVC_INLINE std::optional<websocket::message> websocket::receive(std::chrono::milliseconds limit) const {
  return session_->receive(http::websocket_session::steady::now() + limit);
}
WINSVC_INLINE bool websocket::send(std::string_view text) const {
  if (!wire::is_utf8(text))
    throw std::invalid_argument("websocket: a text message is UTF-8; send_binary takes any bytes");
  return session_->send(wire::opcode::text, text);
}
WINSVC_INLINE bool websocket::send_binary(std::string_view bytes) const { return session_->send(wire::opcode::binary, bytes); }
WINSVC_INLINE void websocket::close(int code, std::string_view reason) const { session_->close(code, reason); }
WINSVC_INLINE bool websocket::is_open() const noexcept { return session_->is_open(); }
WINSVC_INLINE int websocket::close_code() const noexcept { return session_->peer_close_code(); }
WINSVC_INLINE const winsvc::request& websocket::request() const noexcept { return session_->req(); }
WINSVC_INLINE const std::string& websocket::id() const noexcept { return session_->id(); }
WINSVC_INLINE const std::string& websocket::protocol() const noexcept { return session_->protocol(); }

}  // inline namespace WINSVC_ABI
}  // namespace winsvc

#endif  // WINSVC_BODIES_FEATURES
