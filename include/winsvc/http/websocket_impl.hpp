// Implementation of api/websocket.hpp: the handshake of a WebSocket, the call of its handler, and class websocket.
#pragma once

#include <atomic>
#include <chrono>
#include <cstddef>
#include <functional>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>

#include "winsvc/api/abort.hpp"
#include "winsvc/api/handler.hpp"
#include "winsvc/api/httplib.hpp"
#include "winsvc/api/websocket.hpp"
#include "winsvc/base/attempt.hpp"
#include "winsvc/base/clock.hpp"
#include "winsvc/base/encoding.hpp"
#include "winsvc/base/error.hpp"
#include "winsvc/base/log.hpp"
#include "winsvc/base/scope.hpp"
#include "winsvc/base/sha.hpp"
#include "winsvc/config/abi.hpp"
#include "winsvc/http/exchange.hpp"
#include "winsvc/http/problem.hpp"
#include "winsvc/http/websocket_session.hpp"
#include "winsvc/wire/websocket.hpp"
#include "winsvc/wire/websocket_handshake.hpp"

// ---------------------------------------------------------------------------------------------------------------------

#if WINSVC_BODIES_FEATURES

namespace winsvc {
inline namespace WINSVC_ABI {
namespace detail::http {

/// Counts one open WebSocket of the engine.
class websocket_count_guard {
 public:
  explicit websocket_count_guard(std::atomic<std::size_t>& open) noexcept : open_(open) { ++open_; }
  ~websocket_count_guard() { --open_; }
  websocket_count_guard(const websocket_count_guard&) = delete;
  websocket_count_guard& operator=(const websocket_count_guard&) = delete;

 private:
  std::atomic<std::size_t>& open_;
};

/// Serves a WebSocket after the 101 response has been sent.
WINSVC_INLINE void serve_websocket(exchange& exchange, const std::shared_ptr<websocket_session>& session, logger& log,
                                   const std::function<void(websocket&)>& handler) {
  int code = wire::close_code::normal;
  std::string reason;
  const scope_exit detach([&session]() noexcept { session->detach(); });  // also if there is no memory for finish()
  const auto fail = [&](const std::string& message) {
    code = wire::close_code::internal_error;
    base::attempt([&] {
      log.error("request " + exchange.id() + ": " + std::string(exchange.head.path) + ": websocket handler of " +
                std::string(exchange.pattern) + " failed: " + message);
      reason = "the handler failed; the log has the reason under " + exchange.id();
    });
  };
  exchange.current_request = &session->req();  // for winsvc::context
  try {
    const exchange_scope handled(exchange);
    websocket ws(session);
    handler(ws);
    if (exchange.services.draining.load()) {
      code = wire::close_code::going_away;
      reason = websocket_session::stop_reason_text;
    }
  } catch (const abort_error& e) {
    code = wire::close_code::policy;
    base::attempt([&] { reason = e.what(); });
  } catch (...) {
    fail(base::exception_message());
  }
  session->finish(code, reason);
  if (log.is_enabled(log_level::debug)) {
    log.debug("request " + exchange.id() + ": websocket closed; close code of the client: " +
              std::to_string(session->peer_close_code()));
  }
}

}  // namespace detail::http

namespace detail::api {

WINSVC_INLINE void accept_websocket(const api::invocation& invocation, const websocket_options& options,
                                    std::function<void(websocket&)> handler) {
  http::exchange& exchange = invocation.exchange;
  const std::string& proxy_host = exchange.forwarded().host;  // that of a trusted proxy; empty without one
  const std::string_view host = proxy_host.empty() ? exchange.head.host : std::string_view(proxy_host);
  const auto requested = wire::check_handshake(exchange.head, host, options.protocols, options.origins);
  if (requested.status == 426) {  // RFC 9110 section 15.5.22, RFC 6455 section 4.4
    api::replace_header(invocation.res, "Upgrade", "websocket");
    api::replace_header(invocation.res, "Sec-WebSocket-Version", "13");
  }
  if (requested.status != 101) abort(requested.status, std::string(requested.reason));

  auto count_guard = std::make_shared<http::websocket_count_guard>(exchange.services.websockets);
  const bool draining = exchange.services.draining.load();
  if (draining || exchange.services.websockets.load() > exchange.stream.limits().websockets) {
    http::add_retry_after(invocation.res);
    abort(503, draining ? http::websocket_session::stop_reason_text : "too many WebSockets are open");
  }
  invocation.res.status = 101;
  api::replace_header(invocation.res, "Upgrade", "websocket");
  // RFC 6455 section 4.2.2. cpp-httplib's functions are not usable: its base64 of 0.41 shifts negative numbers, and its
  // sha1 is private.
  const std::string proof = std::string(requested.key) + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";
  api::replace_header(invocation.res, "Sec-WebSocket-Accept", base::to_base64(base::sha1(proof)));
  if (!requested.protocol.empty())
    api::replace_header(invocation.res, "Sec-WebSocket-Protocol", std::string(requested.protocol));
  auto session = std::make_shared<http::websocket_session>(exchange, invocation.req, requested.protocol);
  exchange.use_extras().serve_upgraded = [&exchange, session, count_guard, handler = std::move(handler)](logger& log) {
    http::serve_websocket(exchange, session, log, handler);
  };
}

}  // namespace detail::api

WINSVC_INLINE std::optional<websocket::message> websocket::receive() const {
  return session_->receive((clock::time_point::max)());
}
WINSVC_INLINE std::optional<websocket::message> websocket::receive(std::chrono::milliseconds limit) const {
  return session_->receive(session_->time().now() + limit);
}
WINSVC_INLINE bool websocket::send(std::string_view text) const {
  if (!detail::wire::is_utf8(text))
    throw std::invalid_argument("websocket: a text message is UTF-8; send_binary takes any bytes");
  return session_->send(detail::wire::opcode::text, text);
}
WINSVC_INLINE bool websocket::send_binary(std::string_view bytes) const {
  return session_->send(detail::wire::opcode::binary, bytes);
}
WINSVC_INLINE void websocket::close(int code, std::string_view reason) const { session_->close(code, reason); }
WINSVC_INLINE bool websocket::is_open() const noexcept { return session_->is_open(); }
WINSVC_INLINE int websocket::close_code() const noexcept { return session_->peer_close_code(); }
WINSVC_INLINE const winsvc::request& websocket::request() const noexcept { return session_->req(); }
WINSVC_INLINE const std::string& websocket::id() const noexcept { return session_->id(); }
WINSVC_INLINE const std::string& websocket::protocol() const noexcept { return session_->protocol(); }

}  // inline namespace WINSVC_ABI
}  // namespace winsvc

#endif  // WINSVC_BODIES_FEATURES
