// Implementation of api/stream.hpp: writes to the response of a request in progress and waits for its client.
#pragma once

#include <chrono>
#include <string>
#include <string_view>

#include "winsvc/api/httplib.hpp"
#include "winsvc/api/stream.hpp"
#include "winsvc/config/abi.hpp"
#include "winsvc/http/exchange.hpp"
#include "winsvc/wire/head.hpp"

// ---------------------------------------------------------------------------------------------------------------------

#if WINSVC_BODIES_HTTP

namespace winsvc {
inline namespace WINSVC_ABI {

WINSVC_INLINE bool stream::write(std::string_view bytes) {
  return open_ = open_ && sink_.write(bytes.data(), bytes.size());
}

WINSVC_INLINE bool stream::wait_for(std::chrono::milliseconds limit) {
  if (!open_) return false;
  const auto event = exchange_.stream.wait_stream_event(limit);
  open_ = event != detail::http::stream_event::peer_closed;
  return event == detail::http::stream_event::timed_out;
}

WINSVC_INLINE std::string stream::last_event_id() const {
  return detail::wire::normalized_value(exchange_.head, "Last-Event-ID").value_or(std::string());
}

WINSVC_INLINE bool stream::is_open() const noexcept { return open_ && !exchange_.services.draining.load(); }

}  // inline namespace WINSVC_ABI
}  // namespace winsvc

#endif  // WINSVC_BODIES_HTTP
