// WebSockets: connections on which the client and the service send messages at any time, until one side closes.
//
//   svc.websocket("/chat/{room}", [](winsvc::websocket& ws, std::string room) {
//     while (auto message = ws.receive()) ws.send(room + ": " + message->data);
//   });
//
// Middleware runs before the handshake, as for each GET. It can reject the request, and its headers are part of the 101
// response. The handler occupies a thread until it returns. At most `limits().websockets` connections are open;
// further requests get 503.
//
// `receive` answers pings, sends pings to a silent client, and returns nullopt when the client has disconnected or
// violated the protocol, or when the service stops; return then. After the handler returns, winsvc performs the closing
// handshake: with code 1000, with 1001 if the service stops, with 1011 after an exception, with 1008 after abort.
//
// winsvc implements the handshake (wire/websocket_handshake.hpp) and the frames (wire/websocket.hpp). The WebSockets of
// cpp-httplib (0.41 to 0.53) close a connection if a frame header arrives in two packets, send no close code for a
// protocol error, and use a second thread per connection for pings.
//
// Extensions are not supported, so there is no compression. Source: RFC 6455.
#pragma once

#include <chrono>
#include <cstddef>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <tuple>
#include <type_traits>
#include <utility>
#include <vector>

#include "winsvc/config/abi.hpp"
#include "winsvc/api/handler.hpp"
#include "winsvc/api/httplib.hpp"

namespace winsvc {
inline namespace WINSVC_ABI {

/// Options of a WebSocket route.
struct websocket_options {
  /// Other sites whose pages may connect: `https://host[:port]`, or "*" for all sites. Pages of this service, and
  /// programs that send no Origin, may always connect. Behind a proxy that changes the Host header, add the name that
  /// browsers use. Default: no other sites. Source: RFC 6455 section 10.2.
  std::vector<std::string> origins;
  /// Subprotocols of the handler, the preferred one first; see websocket::protocol. Default: none.
  std::vector<std::string> protocols;
};

namespace detail::http {
class websocket_session;
}

/// A handle to a connection. Copies refer to the same connection and can outlive the handler; the connection is closed
/// when the handler returns.
class websocket {
 public:
  /// A received or sent message.
  struct message {
    std::string data;
    bool binary = false;  ///< false: `data` is valid UTF-8
  };

  /// Waits for the next message. Returns nullopt if the connection is closed or the service stops. Call it only on the
  /// thread of the handler.
  [[nodiscard]] std::optional<message> receive() const;
  /// Waits at most `limit` for the next message. Also returns nullopt if no message arrives in this time; `is_open` is
  /// then true.
  [[nodiscard]] std::optional<message> receive(std::chrono::milliseconds limit) const;

  // The following functions are thread-safe.

  /// Sends a text message. Waits while the client does not read, and aborts the connection after
  /// `limits().write_timeout`. Returns false if the connection is closed. Throws std::invalid_argument if the text is
  /// not UTF-8.
  bool send(std::string_view text) const;
  /// Sends a text or binary message.
  bool send(const message& m) const { return m.binary ? send_binary(m.data) : send(m.data); }
  /// Sends a binary message. Waits and returns false as `send` does.
  bool send_binary(std::string_view bytes) const;
  /// Sends JSON as a text message.
  template <class Json, std::enable_if_t<detail::api::is_nlohmann<Json>::value, int> = 0>
  bool send(const Json& value) const {
    return send(value.dump(-1, ' ', false, Json::error_handler_t::replace));
  }
  /// Sends a Close frame; `receive` then returns nullopt. The Close frame of the client is awaited after the handler
  /// returns. Throws std::invalid_argument unless the code is 1000 to 1003, 1007 to 1014 or 3000 to 4999 (RFC 6455
  /// section 7.4).
  void close(int code = 1000, std::string_view reason = {}) const;
  /// True if the client is connected and the service does not stop.
  [[nodiscard]] bool is_open() const noexcept;

  /// Close code that the client sent: 0 if the client has not closed the connection, 1005 for a Close frame without a
  /// code, 1006 if the client disconnected without a Close frame.
  [[nodiscard]] int close_code() const noexcept;
  /// The request that opened the connection.
  [[nodiscard]] const winsvc::request& request() const noexcept;
  /// ID of the request in the log.
  [[nodiscard]] const std::string& id() const noexcept;
  /// The negotiated subprotocol; empty if the handler has no subprotocols or the client requested none of them.
  [[nodiscard]] const std::string& protocol() const noexcept;

  friend bool operator==(const websocket& a, const websocket& b) noexcept { return a.session_ == b.session_; }
  friend bool operator!=(const websocket& a, const websocket& b) noexcept { return a.session_ != b.session_; }

  explicit websocket(std::shared_ptr<detail::http::websocket_session> s) noexcept : session_(std::move(s)) {}

 private:
  std::shared_ptr<detail::http::websocket_session> session_;
};

namespace detail::api {

/// Accepts the handshake, or aborts with an error status. `handler` runs after the 101 response was sent.
void accept_websocket(const invocation& invocation, const websocket_options& options,
                      std::function<void(websocket&)> handler);

/// A WebSocket handler with its options, as make_handler takes it.
template <class F>
struct websocket_route {
  F handler;
  websocket_options options;
};

template <class F, class First, class... Parameters>
class websocket_handler final : public handler {
  static_assert(std::is_same_v<std::remove_cv_t<std::remove_reference_t<First>>, websocket> &&
                    ((kind_of<Parameters>() == argument_kind::parameter) && ...),
                "winsvc: a WebSocket handler must take winsvc::websocket& first, then the path parameters (integers, "
                "double, std::string)");

 public:
  explicit websocket_handler(websocket_route<F> bound)
      : function_(std::move(bound.handler)), options_(std::move(bound.options)) {}

  static constexpr handler_shape shape() noexcept {
    handler_shape s;
    s.parameters = sizeof...(Parameters);
    s.reads_request = true;  // websocket::request()
    s.kinds = kinds_;
    s.sets_status = true;
    return s;
  }

  void call(const invocation& invocation) const override { call(invocation, std::index_sequence_for<Parameters...>()); }

 private:
  template <class A>
  using plain = std::remove_cv_t<std::remove_reference_t<A>>;
  static constexpr route::value_kind kinds_[] = {route::kind_of_value<plain<Parameters>>()..., route::value_kind::text};

  template <std::size_t... Index>
  void call(const invocation& invocation, std::index_sequence<Index...>) const {
    std::tuple<stored_value<plain<Parameters>>...> values;
    if (!(convert(invocation.values[Index], std::get<Index>(values)) && ...)) winsvc::abort(404);
    accept_websocket(invocation, options_, [this, values](websocket& ws) {
      std::apply([&](const auto&... value) { function_(ws, value...); }, values);
    });
  }

  F function_;
  websocket_options options_;
};

template <class F, class Bound>
struct bind_websocket {
  static_assert(sizeof(F) == 0,
                "winsvc: a WebSocket handler must take winsvc::websocket& first, then the path parameters (integers, "
                "double, std::string)");
};
template <class F, class R, class First, class... A>
struct bind_websocket<F, typed_handler<F, R, First, A...>> {
  static_assert(std::is_void_v<R>,
                "winsvc: a WebSocket handler must return void; it sends data with winsvc::websocket::send");
  using type = websocket_handler<F, First, A...>;
};
template <class F>
struct bind_handler<websocket_route<F>, void> : bind_websocket<F, typename bind_handler<F>::type> {};

}  // namespace detail::api

}  // inline namespace WINSVC_ABI
}  // namespace winsvc
