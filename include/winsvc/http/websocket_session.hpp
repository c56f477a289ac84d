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
  static constexpr const char* stopping = "the service stops";

  websocket_session(exchange& x, const request& req, std::string_view protocol)
      : wire_(&x.stream.wire()),
        buffer_(x.stream.buffer()),
        bounds_(x.stream.bounds()),
        draining_(&x.draining),
        frames_(bounds_.websocket_message_bytes),
        heard_(steady::now()),
        req_(req),
        id_(x.id),
        protocol_(protocol) {
    req_.is_connection_closed = [this] { return !is_open(); };
  }

  std::optional<websocket::message> receive(steady::time_point until);
  bool send(wire::opcode what, std::string_view payload);
  void close(int code, std::string_view reason);
  [[nodiscard]] bool is_open() const noexcept;
  /// Behind the handler: says goodbye if nobody has, and waits for the client's. No copy reaches the wire after it.
  void finish(int code, std::string_view reason);

  [[nodiscard]] int peer_code() const noexcept { return peer_code_.load(); }
  [[nodiscard]] const request& req() const noexcept { return req_; }
  [[nodiscard]] const std::string& id() const noexcept { return id_; }
  [[nodiscard]] const std::string& protocol() const noexcept { return protocol_; }

 private:
  using event = wire::frame_decoder::event;
  event next_event();
  os::transfer more(std::chrono::milliseconds limit, bool wakes_for_drain);
  [[nodiscard]] bool wait(steady::time_point until);
  bool put(wire::opcode what, std::string_view payload);
  void send_close(int code, std::string_view reason);
  void lost() noexcept;

  // Held over a send, which may take its time: frames of several threads must not mix, and none may follow a Close.
  mutable std::mutex mutex_;
  transport* wire_;  // null: the connection is not ours any more
  std::atomic<bool> close_sent_{false}, broken_{false};  // written under mutex_ or by the reader, read by anybody

  // Of the handler's thread.
  receive_buffer& buffer_;
  const wire::limits& bounds_;
  const std::atomic<bool>* draining_;
  wire::frame_decoder frames_;
  steady::time_point heard_, pinged_at_;
  steady::duration waited_{0};  ///< for the message that has begun, in all
  bool pinged_ = false, was_pending_ = false;

  std::atomic<int> peer_code_{0};
  request req_;
  std::string id_, protocol_;
};

/// One WebSocket among those that an engine may have open.
class websocket_place {
 public:
  explicit websocket_place(std::atomic<std::size_t>& open) noexcept : open_(open) { ++open_; }
  ~websocket_place() { --open_; }
  websocket_place(const websocket_place&) = delete;
  websocket_place& operator=(const websocket_place&) = delete;

 private:
  std::atomic<std::size_t>& open_;
};

/// Serves a connection that has been told 101.
void serve_websocket(exchange& x, const std::shared_ptr<websocket_session>& session, logger& log,
                            const std::function<void(websocket&)>& handler);

/// Answers the handshake: 101 into the response, and what follows it into the exchange; or leaves with a refusal.
void accept_websocket(const invocation& with, const websocket_options& options,
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
WINSVC_INLINE bool websocket_session::put(wire::opcode what, std::string_view payload) {
  if (!wire_ || close_sent_.load() || broken_.load()) return false;
  const std::string bytes = wire::frame(what, payload);
  if (wire_->send(bytes.data(), bytes.size(), bounds_.write_time) == os::transfer::done) return true;
  broken_.store(true);
  wire_->cut();  // it may hold half a frame; and whoever waits to receive shall know
  return false;
}

WINSVC_INLINE void websocket_session::send_close(int code, std::string_view reason) {
  const std::lock_guard lock(mutex_);
  const bool empty = code == wire::close_code::none;
  static_cast<void>(put(wire::opcode::close, empty ? std::string() : wire::close_payload(code, reason)));
  close_sent_.store(true);
}

WINSVC_INLINE bool websocket_session::send(wire::opcode what, std::string_view payload) {
  const std::lock_guard lock(mutex_);
  return wire_ && !draining_->load() && peer_code_.load() == 0 && put(what, payload);
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
WINSVC_INLINE void websocket_session::lost() noexcept {
  constexpr int abnormal = 1006;
  int none = 0;
  peer_code_.compare_exchange_strong(none, abnormal);
  broken_.store(true);
}

/// What the bytes say that are here; answers what needs no handler.
WINSVC_INLINE websocket_session::event websocket_session::next_event() {
  for (;;) {
    std::size_t used = 0;
    const auto what = frames_.feed(buffer_.rest(), used);
    buffer_.consume(used);
    const bool pending = frames_.pending();
    if (!was_pending_) waited_ = steady::duration(0);
    was_pending_ = pending && what != event::message;
    switch (what) {
      case event::ping: {
        const std::lock_guard lock(mutex_);
        static_cast<void>(put(wire::opcode::pong, frames_.payload()));
        continue;
      }
      case event::pong: continue;
      case event::close:
        peer_code_.store(frames_.code());
        send_close(frames_.code(), frames_.payload());
        return what;
      case event::wrong:
        send_close(frames_.code(), frames_.reason());
        lost();
        return what;
      default: return what;
    }
  }
}

WINSVC_INLINE os::transfer websocket_session::more(std::chrono::milliseconds limit, bool wakes_for_drain) {
  char piece[16 * 1024];
  std::size_t got = 0;
  limit = (std::max)(limit, std::chrono::milliseconds(0));
  const auto what = wakes_for_drain ? wire_->receive_idle(piece, sizeof piece, got, limit)
                                    : wire_->receive(piece, sizeof piece, got, limit);
  if (what == os::transfer::done) {
    buffer_.bytes.append(piece, got);
    heard_ = steady::now();
    pinged_ = false;
  } else if (what != os::transfer::timed_out) {
    lost();
  }
  return what;
}

/// Waits for bytes, and does what a clock asks for meanwhile. False: none came.
WINSVC_INLINE bool websocket_session::wait(steady::time_point until) {
  const auto began = steady::now();
  // A message has its time as a whole, as a body has: neither a byte now and then nor empty fragments keep it alive.
  auto late = (steady::time_point::max)();
  if (was_pending_) late = began + (bounds_.time_for_body(frames_.received()) - waited_);
  if (began >= late) {
    send_close(wire::close_code::policy, "the message did not arrive in time");
    lost();
    return false;
  }
  const auto alive = pinged_ ? pinged_at_ + bounds_.websocket_pong : heard_ + bounds_.websocket_ping;
  const auto left = std::chrono::duration_cast<std::chrono::milliseconds>((std::min)({until, late, alive}) - began);
  const auto what = more(left + std::chrono::milliseconds(1), true);  // rounded up: no turns of no time
  const auto now = steady::now();
  waited_ += now - began;
  if (what != os::transfer::timed_out) return what == os::transfer::done;

  if (now >= alive && pinged_) {
    lost();
  } else if (now >= alive) {
    pinged_ = true;
    pinged_at_ = now;
    const std::lock_guard lock(mutex_);
    static_cast<void>(put(wire::opcode::ping, {}));
  }
  return false;
}

WINSVC_INLINE std::optional<websocket::message> websocket_session::receive(steady::time_point until) {
  for (;;) {
    // A drain ends the wait below: the goodbye leaves here and now, not when the handler is done.
    if (draining_->load()) send_close(wire::close_code::going_away, stopping);
    if (!is_open()) return std::nullopt;
    const auto what = next_event();
    if (what == event::message) return websocket::message{frames_.take_message(), frames_.is_binary()};
    if (what == event::more && !wait(until) && steady::now() >= until) return std::nullopt;
  }
}

WINSVC_INLINE void websocket_session::finish(int code, std::string_view reason) {
  const scope_exit over([this]() noexcept {
    const std::lock_guard lock(mutex_);
    wire_ = nullptr;
  });
  send_close(code, reason);
  const auto until = steady::now() + bounds_.websocket_close;
  while (peer_code_.load() == 0 && !broken_.load()) {
    const auto what = next_event();
    if (what == event::message) static_cast<void>(frames_.take_message());  // sent before the client saw our Close
    if (what != event::more) continue;
    const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(until - steady::now());
    if (left.count() <= 0 || more(left, false) != os::transfer::done) return;
  }
}
WINSVC_INLINE void serve_websocket(exchange& x, const std::shared_ptr<websocket_session>& session, logger& log,
                            const std::function<void(websocket&)>& handler) {
  int code = wire::close_code::normal;
  std::string reason;
  const auto failed = [&](const std::string& words) {
    log.error("request " + x.id + ": " + std::string(x.head.path) + ": websocket handler of " + std::string(x.pattern) +
              " threw: " + words);
    code = wire::close_code::internal_error;
    reason = "the handler failed; the log has the reason under " + x.id;
  };
  x.req = &session->req();  // for winsvc::context
  current_exchange() = &x;
  try {
    websocket ws(session);
    handler(ws);
    if (x.draining.load()) code = wire::close_code::going_away, reason = websocket_session::stopping;
  } catch (const abort_error& e) {
    code = wire::close_code::policy, reason = e.what();
  } catch (const std::exception& e) {
    failed(e.what());
  } catch (...) {
    failed("something that is no std::exception");
  }
  current_exchange() = nullptr;
  session->finish(code, reason);
  if (log.wants(log_level::debug))
    log.debug("request " + x.id + ": websocket over, client's close code " + std::to_string(session->peer_code()));
}
WINSVC_INLINE void accept_websocket(const invocation& with, const websocket_options& options,
                             std::function<void(websocket&)> handler) {
  exchange& x = *current_exchange();
  const auto asked = wire::judge_handshake(x.head, options.protocols, options.origins);
  if (asked.status == 426) {  // RFC 9110 section 15.5.22, RFC 6455 section 4.4
    replace_header(with.res, "Upgrade", "websocket");
    replace_header(with.res, "Sec-WebSocket-Version", "13");
  }
  if (asked.status != 101) abort(asked.status, std::string(asked.reason));
  if (!x.websockets) abort(501, "there are no WebSockets here");

  auto place = std::make_shared<websocket_place>(*x.websockets);
  if (x.draining.load() || x.websockets->load() > x.stream.bounds().websockets) {
    replace_header(with.res, "Retry-After", "10");
    abort(503, x.draining.load() ? websocket_session::stopping : "too many WebSockets are open");
  }
  with.res.status = 101;
  replace_header(with.res, "Upgrade", "websocket");
  // RFC 6455 4.2.2. Not cpp-httplib's own functions: its base64 of 0.41 shifts negative numbers, and its sha1 is private.
  const std::string proof = std::string(asked.key) + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";
  replace_header(with.res, "Sec-WebSocket-Accept", text::to_base64(sha1(proof)));
  if (!asked.protocol.empty())
    replace_header(with.res, "Sec-WebSocket-Protocol", std::string(asked.protocol));
  auto session = std::make_shared<websocket_session>(x, with.req, asked.protocol);
  x.upgraded = [&x, session, place, handler = std::move(handler)](logger& log) {
    serve_websocket(x, session, log, handler);
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
WINSVC_INLINE int websocket::close_code() const noexcept { return session_->peer_code(); }
WINSVC_INLINE const winsvc::request& websocket::request() const noexcept { return session_->req(); }
WINSVC_INLINE const std::string& websocket::id() const noexcept { return session_->id(); }
WINSVC_INLINE const std::string& websocket::protocol() const noexcept { return session_->protocol(); }

}  // inline namespace WINSVC_ABI
}  // namespace winsvc

#endif  // WINSVC_BODIES_FEATURES
