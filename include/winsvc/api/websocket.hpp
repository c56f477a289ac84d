// WebSockets: a route whose handler talks with a page for as long as both like.
//
//   svc.websocket("/chat/{room}", [](winsvc::websocket& ws, std::string room) {
//     while (auto message = ws.receive()) ws.send(room + ": " + message->data);
//   });
//
// Middleware runs before, as for any GET, and can refuse; what it sets goes with the 101. The handler has the
// connection's thread to itself while it lasts, up to `limits().websockets` of them, beyond which there is 503.
// `receive` answers pings, sends them to a client that is silent, and ends when the client leaves, when it broke the
// protocol, and when the service stops: return then. The closing handshake is done for the handler, with 1000, with
// 1001 when the service stops, with 1011 when it threw, with 1008 when it called abort.
//
// cpp-httplib writes the 101 and no more. Its own WebSockets (0.41 to 0.53) close a connection over a frame header that
// came in two packets, send no close code for what was wrong, and give each connection a second thread for pings; so
// the frames are ours (wire/websocket.hpp).
// Source: RFC 6455. No extensions, so no compression.
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

struct websocket_options {
  /// Pages of which other sites may connect: `https://host[:port]` each, or "*". The service's own may, and programs,
  /// which send no Origin. Behind a proxy that asks under another Host, the name that browsers see goes here.
  std::vector<std::string> origins;
  /// Subprotocols the handler speaks, the best first; see websocket::protocol.
  std::vector<std::string> protocols;
};

namespace http {
class websocket_session;
}

/// A handle: copies are the same connection. Keep them where you like; once the handler has returned, they are closed.
class websocket {
 public:
  struct message {
    std::string data;
    bool binary = false;  ///< otherwise UTF-8, checked
  };

  /// The next message; nothing when there will be none. On the handler's thread.
  [[nodiscard]] std::optional<message> receive() const;
  /// Nothing too when none came in that time; `is_open` tells which.
  [[nodiscard]] std::optional<message> receive(std::chrono::milliseconds limit) const;

  // From any thread.

  /// False when there is nobody to send to any more. Waits while a client takes nothing, and cuts it off after
  /// `limits().write_timeout`. Throws std::invalid_argument for what is not UTF-8.
  bool send(std::string_view text) const;
  bool send(const message& m) const { return m.binary ? send_binary(m.data) : send(m.data); }
  bool send_binary(std::string_view bytes) const;
  /// JSON, as text.
  template <class Json, std::enable_if_t<http::is_nlohmann<Json>::value, int> = 0>
  bool send(const Json& value) const {
    return send(value.dump(-1, ' ', false, Json::error_handler_t::replace));
  }
  /// Says goodbye; `receive` ends, the client's answer is waited for behind the handler. Throws std::invalid_argument
  /// for a code that must not be sent: 1000 to 1003, 1007 to 1014 and 3000 to 4999 may.
  void close(int code = 1000, std::string_view reason = {}) const;
  /// Is there a reason to go on: a client, and a service that does not stop?
  [[nodiscard]] bool is_open() const noexcept;

  /// What the client closed with: 1005 without a code, 1006 when it just went; 0 while it has not.
  [[nodiscard]] int close_code() const noexcept;
  /// The request that it began as.
  [[nodiscard]] const winsvc::request& request() const noexcept;
  /// Of the request, as the log has it.
  [[nodiscard]] const std::string& id() const noexcept;
  /// The subprotocol that was agreed on, or "".
  [[nodiscard]] const std::string& protocol() const noexcept;

  friend bool operator==(const websocket& a, const websocket& b) noexcept { return a.session_ == b.session_; }
  friend bool operator!=(const websocket& a, const websocket& b) noexcept { return a.session_ != b.session_; }

  explicit websocket(std::shared_ptr<http::websocket_session> s) noexcept : session_(std::move(s)) {}

 private:
  std::shared_ptr<http::websocket_session> session_;
};

namespace http {

/// Accepts the handshake, or leaves with a refusal; `handler` runs when the 101 has left.
void accept_websocket(const invocation& invocation, const websocket_options& options, std::function<void(websocket&)> handler);

/// A handler with its options, on its way to the router.
template <class F>
struct websocket_route {
  F handler;
  websocket_options options;
};

template <class F, class First, class... Parameters>
class websocket_handler final : public handler {
  static_assert(std::is_same_v<std::remove_cv_t<std::remove_reference_t<First>>, websocket> &&
                    ((kind_of<Parameters>() == argument_kind::parameter) && ...),
                "winsvc: a websocket handler takes winsvc::websocket& and the path parameters (integers, double, "
                "std::string)");

 public:
  explicit websocket_handler(websocket_route<F> of) : f_(std::move(of.handler)), options_(std::move(of.options)) {}

  static constexpr handler_shape shape() noexcept {
    handler_shape s;
    s.parameters = sizeof...(Parameters);
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
    std::tuple<plain<Parameters>...> values;
    if (!(convert(invocation.values[Index], std::get<Index>(values)) && ...)) winsvc::abort(404);
    accept_websocket(invocation, options_, [this, values](websocket& ws) {
      std::apply([&](const auto&... value) { f_(ws, value...); }, values);
    });
  }

  F f_;
  websocket_options options_;
};

template <class F, class Bound>
struct bind_websocket {
  static_assert(sizeof(F) == 0, "winsvc: a websocket handler takes winsvc::websocket& first, then the path parameters");
};
template <class F, class R, class First, class... A>
struct bind_websocket<F, typed_handler<F, R, First, A...>> {
  static_assert(std::is_void_v<R>, "winsvc: a websocket handler returns nothing: it sends");
  using type = websocket_handler<F, First, A...>;
};
template <class F>
struct bind_handler<websocket_route<F>, void> : bind_websocket<F, typename bind_handler<F>::type> {};

}  // namespace http

}  // inline namespace WINSVC_ABI
}  // namespace winsvc
