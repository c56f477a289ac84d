// WebSocket handshake (RFC 6455 section 4.2): checks the head of the request that opens a WebSocket.
//
//   const auto result = wire::check_handshake(head, head.host, {"chat.v2"}, {});   // 101, or the rejection
//
// http/websocket_impl.hpp sends the response; wire/websocket.hpp has the frames that follow.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "winsvc/base/encoding.hpp"
#include "winsvc/base/text.hpp"
#include "winsvc/config/abi.hpp"
#include "winsvc/route/method.hpp"
#include "winsvc/wire/head.hpp"
#include "winsvc/wire/origin.hpp"

namespace winsvc {
inline namespace WINSVC_ABI {
namespace detail::wire {

/// Result of check_handshake (RFC 6455 section 4.2).
struct handshake {
  int status = 101;           ///< or 400, 403, 426
  std::string_view reason;    ///< of a rejection
  std::string_view key;       ///< 101: Sec-WebSocket-Key
  std::string_view protocol;  ///< 101: the selected subprotocol, or ""
};

/// Checks the request head of a handshake. `protocols`: subprotocols of the server in order of preference; the first
/// that the client offers is selected, and a request without a match is accepted. `origins`: other sites whose pages
/// may connect; see is_allowed_origin. `host`: host and port that the client used; behind a trusted proxy, not those
/// of the head.
[[nodiscard]] handshake check_handshake(const head& head, std::string_view host,
                                        const std::vector<std::string>& protocols,
                                        const std::vector<std::string>& origins);

}  // namespace detail::wire
}  // inline namespace WINSVC_ABI
}  // namespace winsvc

// ---------------------------------------------------------------------------------------------------------------------

#if WINSVC_BODIES_WIRE

namespace winsvc {
inline namespace WINSVC_ABI {
namespace detail::wire {

/// Calls `f` for each element of a list field, of all field lines with this name (RFC 9110 section 5.6.1).
template <class F>
void for_each_element(const head& head, std::string_view name, F f) {
  for (const auto& field : head.fields) {
    if (!base::equal_nocase(field.name, name)) continue;
    for (const auto part : base::split(field.value, ',')) {
      if (const auto element = base::trim(part); !element.empty()) f(element);
    }
  }
}

WINSVC_INLINE std::size_t count_fields(const head& head, std::string_view name) noexcept {
  std::size_t count = 0;
  for (const auto& field : head.fields) count += base::equal_nocase(field.name, name) ? 1 : 0;
  return count;
}

WINSVC_INLINE handshake check_handshake(const head& head, std::string_view host,
                                        const std::vector<std::string>& protocols,
                                        const std::vector<std::string>& origins) {
  const auto rejected = [](int status, std::string_view reason) {
    handshake result;
    result.status = status;
    result.reason = reason;
    return result;
  };
  bool requested = false;
  for_each_element(head, "Upgrade", [&](std::string_view element) {
    requested = requested || base::equal_nocase(element, "websocket");
  });
  if (!head.upgrade || !requested || head.method_id != route::method::get)
    return rejected(426, "WebSocket endpoint; send GET with Upgrade: websocket");
  if (count_fields(head, "Sec-WebSocket-Version") != 1 || head.find("Sec-WebSocket-Version") != "13")
    return rejected(426, "unsupported WebSocket version; use version 13");

  handshake result;
  result.key = head.find("Sec-WebSocket-Key").value_or("");
  const auto nonce = result.key.size() == 24 ? base::from_base64(result.key) : std::nullopt;
  if (count_fields(head, "Sec-WebSocket-Key") != 1 || !nonce || nonce->size() != 16)
    return rejected(400, "Sec-WebSocket-Key is not 16 bytes in base64");

  if (const auto origin = head.find("Origin");
      count_fields(head, "Origin") > 1 || (origin && !is_allowed_origin(*origin, host, origins)))
    return rejected(403, "pages of this origin are not allowed to connect");

  for (const auto& protocol : protocols) {
    for_each_element(head, "Sec-WebSocket-Protocol", [&](std::string_view element) {
      if (result.protocol.empty() && element == protocol) result.protocol = element;
    });
  }
  return result;
}

}  // namespace detail::wire
}  // inline namespace WINSVC_ABI
}  // namespace winsvc

#endif  // WINSVC_BODIES_WIRE
