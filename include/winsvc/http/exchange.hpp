// Exchange: one request with its response, shared by the functions that run around a handler.
//
//   exchange exchange(head, stream, peer, local, id, draining);
//   const bool keep_alive = processor.process(exchange);
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "winsvc/api/httplib.hpp"
#include "winsvc/base/clock.hpp"
#include "winsvc/base/log.hpp"
#include "winsvc/config/abi.hpp"
#include "winsvc/http/exchange_stream.hpp"
#include "winsvc/os/native.hpp"
#include "winsvc/route/table.hpp"
#include "winsvc/wire/head.hpp"

namespace winsvc {
inline namespace WINSVC_ABI {
namespace detail::http {

/// A part of a content provider's bytes that a 206 response has.
struct body_part {
  std::string head;  ///< delimiter and fields before the bytes; empty for a single range
  std::uint64_t offset, length;
};

/// A part of a file that the connection sends after the head, while the client reads and without a thread that waits.
struct file_body {
  std::shared_ptr<const os::input_file> file;
  std::uint64_t position = 0, remaining = 0;
};

/// One request with its response, shared by the functions that run around a handler.
struct exchange {
  exchange(const wire::head& h, exchange_stream& s, const os::endpoint& peer_address,
           const os::endpoint& local_address, std::string request_id, const std::atomic<bool>& drains)
      : head(h), stream(s), peer(peer_address), local(local_address), draining(drains), id(std::move(request_id)) {}

  const wire::head& head;
  exchange_stream& stream;
  const os::endpoint &peer, &local;
  const std::atomic<bool>& draining;              ///< may become true while the handler runs
  route::match_result match;
  clock::time_point complete_time{};              ///< when the request was complete, or its head if the body is unread
  const route::table* routes = nullptr;           ///< the table of `match`
  std::string id;                                 ///< request id, for the log and for a 500
  std::function<bool()> read_body;                ///< reads the body; empty if there is no body to read
  /// Runs the request with a reader of the decompressed body; set while cpp-httplib processes the request.
  std::function<void(const std::function<bool(const std::function<bool(const char*, std::size_t)>&)>&)> run_with_body;
  bool body_too_large = false;
  std::uint64_t body_limit = ~std::uint64_t{0};   ///< maximum body size for this request; the app's limit also applies
  bool has_conditions = false, has_range = false;  ///< the request has conditional fields, a Range field that applies
  bool has_range_field = false;                   ///< the request has at least one Range field
  bool unknown_coding = false;                    ///< the body was not read, because its content coding is unknown
  bool is_head_route = false;                     ///< the matched route serves HEAD only
  std::vector<body_part> parts;                   ///< of a 206 response; empty: the whole body
  std::string end_of_parts;                       ///< bytes after the last part
  std::optional<std::uint64_t> stream_length;     ///< the length of a stream, if the app has announced it
  std::optional<std::uint64_t> length_of_head;    ///< Content-Length of a response to HEAD that has no body to measure
  api::header_pool* headers = nullptr;            ///< memory for headers; null: none
  std::optional<request> filled_request;          ///< filled by request_of(), at its first call
  const request* current_request = nullptr;       ///< the filled request, while it is handled; null: no code needs it
  std::string text_to_send;                       ///< a long body that follows the head in output(), without a copy
  file_body body_to_send;                         ///< the part of a file that follows the head in output()
  std::vector<std::function<void()>> before_handler;    ///< functions of the middleware that check the body
  std::map<const void*, std::shared_ptr<void>> values;  ///< values of winsvc::context, by type
  bool close_after_response = false;
  int status = 0;                                 ///< of the response
  std::string_view pattern;                       ///< of the route, for the access log
  std::string scheme, host, path_prefix;          ///< of the client's URL, if a trusted proxy reports them
  std::string client;                             ///< address of the client if a trusted proxy named it
  std::atomic<std::size_t>* websockets = nullptr;  ///< number of open WebSockets; null: WebSockets are not available
  /// Serves the connection after a 101 response has been sent. Throws what its handler throws.
  std::function<void(logger&)> serve_upgraded;
};

/// The exchange of this thread; null outside a request. All connections share cpp-httplib's callbacks, which have no
/// other access to it.
exchange*& current_exchange() noexcept;

}  // namespace detail::http
}  // inline namespace WINSVC_ABI
}  // namespace winsvc

// ---------------------------------------------------------------------------------------------------------------------

#if WINSVC_BODIES_HTTP

namespace winsvc {
inline namespace WINSVC_ABI {
namespace detail::http {

WINSVC_INLINE exchange*& current_exchange() noexcept {
  static thread_local exchange* current = nullptr;
  return current;
}

}  // namespace detail::http
}  // inline namespace WINSVC_ABI
}  // namespace winsvc

#endif  // WINSVC_BODIES_HTTP
