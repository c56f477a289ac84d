// Request fields: converts a parsed head into cpp-httplib's Request.
//
//   const request& req = request_of(exchange);     // filled at the first call
//
// Most handlers take their arguments from the head. To fill a Request costs two strings for each header, so it is
// filled only for a handler, a middleware or an error handler that takes it.
//
// cpp-httplib's own parser is not used: it rejects valid Accept and Range fields, and its versions treat repeated
// fields and escapes differently.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>

#include "winsvc/api/httplib.hpp"
#include "winsvc/base/text.hpp"
#include "winsvc/config/abi.hpp"
#include "winsvc/http/exchange.hpp"
#include "winsvc/http/header_pool.hpp"
#include "winsvc/os/native.hpp"
#include "winsvc/wire/accept.hpp"
#include "winsvc/wire/head.hpp"
#include "winsvc/wire/representation.hpp"

namespace winsvc {
inline namespace WINSVC_ABI {
namespace detail::http {

/// Fills all members of `req` that a handler can read, except the body. `ranges` has the ranges of a valid Range field
/// that counts bytes, in a GET request only (RFC 9110 section 14.2).
void fill_request(request& req, const wire::head& head, const os::endpoint& peer, const os::endpoint& local);

/// The request of the exchange. Call it on the thread that handles the request.
[[nodiscard]] request& request_of(exchange& exchange);

}  // namespace detail::http
}  // inline namespace WINSVC_ABI
}  // namespace winsvc

// ---------------------------------------------------------------------------------------------------------------------

#if WINSVC_BODIES_HTTP

namespace winsvc {
inline namespace WINSVC_ABI {
namespace detail::http {

WINSVC_INLINE void fill_request(request& req, const wire::head& head, const os::endpoint& peer,
                                const os::endpoint& local) {
  req.method = head.method;
  req.version = head.minor_version == 0 ? "HTTP/1.0" : "HTTP/1.1";
  req.target = head.path;
  if (!head.query.empty()) {
    req.target += '?';
    req.target += head.query;
    httplib::detail::parse_query_text(head.query.data(), head.query.size(), req.params);
  }
  req.path = head.path.find('%') == head.path.npos ? std::string(head.path)
                                                   : httplib::decode_path_component(std::string(head.path));
  req.remote_addr = peer.host;
  req.remote_port = peer.port;
  req.local_addr = local.host;
  req.local_port = local.port;

  header_pool* const pool = header_pool::current();
  if (pool) pool->acquire(req.headers);
  wire::for_each_normalized_field(head, [&](std::string_view name, std::string_view value) {
    if (name.size() == 6 && base::equal_nocase(name, "Accept")) {
      const auto media_ranges = wire::accept_list(value);
      req.accept_content_types.reserve(media_ranges.size());
      for (const auto& range : media_ranges) req.accept_content_types.emplace_back(range.value);
    } else if (name.size() == 5 && base::equal_nocase(name, "Range") && head.method_id == route::method::get) {
      const auto ranges = wire::parse_byte_ranges(value);
      for (const auto& [first, last] : ranges ? *ranges : wire::byte_ranges<std::int64_t>())
        req.ranges.emplace_back(static_cast<ssize_t>(first), static_cast<ssize_t>(last));
    }
    if (pool) pool->insert(req.headers, name, value);
    else req.headers.emplace(name, value);
  });
}

WINSVC_INLINE request& request_of(exchange& exchange) {
  if (exchange.filled_request) return *exchange.filled_request;
  request& req = exchange.filled_request.emplace();
  try {
    fill_request(req, exchange.head, exchange.peer, exchange.local);
  } catch (...) {  // out of memory: no code sees a part of the request
    exchange.filled_request.reset();
    throw;
  }
  req.is_connection_closed = [&exchange] {
    return exchange.stream.wait_stream_event(std::chrono::milliseconds(0)) == stream_event::peer_closed;
  };
  exchange.current_request = &req;
  return req;
}

}  // namespace detail::http
}  // inline namespace WINSVC_ABI
}  // namespace winsvc

#endif  // WINSVC_BODIES_HTTP
