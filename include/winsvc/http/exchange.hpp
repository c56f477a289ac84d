// Exchange: one request with its response, shared by the functions that run around a handler.
//
//   exchange exchange(head, match, stream, peer, local, services);
//   const bool keep_alive = processor.process(exchange);
//
// The functions of winsvc receive the exchange as an argument. A handler finds it in its `invocation`, a content
// provider in its sink (http/content_sink.hpp), a public function in its response (`link`) or by its request
// (exchange_of).
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
#include "winsvc/base/error.hpp"
#include "winsvc/base/log.hpp"
#include "winsvc/config/abi.hpp"
#include "winsvc/http/exchange_stream.hpp"
#include "winsvc/http/header_pool.hpp"
#include "winsvc/http/request_ids.hpp"
#include "winsvc/os/native.hpp"
#include "winsvc/route/table.hpp"
#include "winsvc/wire/head.hpp"

namespace winsvc {
inline namespace WINSVC_ABI {
namespace detail::http {

class event_subscription;

/// A part of a content provider's bytes that a 206 response has.
struct body_part {
  std::string head;  ///< delimiter and fields before the bytes; empty for a single range
  std::uint64_t offset, length;
};

/// The body of a 206 response.
struct body_parts {
  std::vector<body_part> list;  ///< at least one
  std::string end;              ///< bytes after the last part
};

/// A part of a file that the connection sends after the head, while the client reads and without a thread that waits.
struct file_part {
  std::shared_ptr<const os::input_file> file;
  std::uint64_t position = 0, remaining = 0;
};

/// The services of the server for each request.
struct exchange_services {
  const route::table& table;
  header_pool& headers;                  ///< memory for headers
  std::atomic<std::size_t>& websockets;  ///< number of open WebSockets
  const std::atomic<bool>& draining;     ///< may become true while the handler runs
  request_ids& ids;
};

/// The body of a request: how it is read, and why it could not be read.
struct request_body {
  std::function<bool()> read;             ///< empty if there is no body to read
  std::uint64_t limit = ~std::uint64_t{0};  ///< maximum size for this request; the app's limit also applies
  bool too_large = false;
  bool unknown_coding = false;            ///< the body was not read, because its content coding is unknown
  bool invalid_coding = false;            ///< the compressed data is invalid or incomplete
};

/// Fields of the request and of the matched route that select the content of the response.
struct content_criteria {
  bool has_conditions = false;   ///< the request has conditional fields
  bool has_range = false;        ///< the request has a Range field that applies
  bool has_range_field = false;  ///< the request has at least one Range field
  bool is_head_route = false;    ///< the route serves HEAD only
};

/// The length that a content provider has announced, and the number of bytes that it wrote.
struct length_mismatch {
  std::uint64_t announced, written;
};

/// How the response is sent, as far as `response` of cpp-httplib has no member for it.
struct response_delivery {
  int status = 0;                              ///< of the response, for the access log
  bool close_after_response = false;
  std::optional<body_parts> parts;             ///< of a 206 response; nullopt: the whole body
  std::optional<std::uint64_t> stream_length;  ///< the length of a stream, if the app has announced it
  std::optional<std::uint64_t> length_of_head;  ///< Content-Length of a response to HEAD that has no body to measure
  std::string text_to_send;                    ///< a long body that follows the head in output(), without a copy
  file_part file_to_send;                      ///< the part of a file that follows the head in output()
  std::shared_ptr<event_subscription> events_to_send;  ///< the events that follow the head in output()
  std::optional<http::length_mismatch> length_mismatch;  ///< of a content provider that wrote too few or too many bytes

  /// Sends nothing after the head.
  void discard_body() noexcept {
    file_to_send = {};
    text_to_send.clear();
    events_to_send.reset();
  }
};

/// The client's address and URL as a trusted proxy reports them; a member is empty if it is not reported.
struct forwarded_origin {
  std::string client;  ///< address of the client
  std::string scheme, host, path_prefix;
};

/// Parts of an exchange that few requests use. An exchange makes them at their first use, because their construction
/// costs more than that of the other parts.
struct exchange_extras {
  forwarded_origin forwarded;
  std::map<const void*, std::shared_ptr<void>> values;  ///< values of winsvc::context, by type
  std::vector<std::function<void()>> before_handler;    ///< functions of the middleware that check the body
  /// Serves the connection after a 101 response has been sent. Throws what its handler throws.
  std::function<void(logger&)> serve_upgraded;
};

/// One request with its response, shared by the functions that run around a handler.
struct exchange {
  exchange(const wire::head& h, const route::match_result& matched, exchange_stream& s,
           const os::endpoint& peer_address, const os::endpoint& local_address, const exchange_services& provided)
      : head(h),
        match(matched),
        stream(s),
        peer(peer_address),
        local(local_address),
        services(provided) {}

  /// Request id, for the log and for a 500. The first call makes it.
  [[nodiscard]] const std::string& id() const {
    if (id_.empty()) id_ = services.ids.next();
    return id_;
  }
  void set_id(std::string id) noexcept { id_ = std::move(id); }

  /// The extras; null before the first use.
  [[nodiscard]] const exchange_extras* extras() const noexcept { return extras_ ? &*extras_ : nullptr; }
  [[nodiscard]] exchange_extras& use_extras() { return extras_ ? *extras_ : extras_.emplace(); }
  /// The report of a trusted proxy; empty without one.
  [[nodiscard]] const forwarded_origin& forwarded() const noexcept;

  const wire::head& head;
  const route::match_result& match;
  exchange_stream& stream;
  const os::endpoint &peer, &local;
  const exchange_services services;

  std::string_view pattern;                       ///< of the route, for the access log
  clock::time_point complete_time{};              ///< when the request was complete, or its head if the body is unread
  clock::time_point handled_time{};               ///< when the handler returned, or when its stream ended
  request_body body;
  content_criteria criteria;
  response_delivery delivery;

  std::optional<request> filled_request;          ///< filled by request_of(), at its first call
  const request* current_request = nullptr;       ///< the filled request, while it is handled; null: no code needs it

 private:
  mutable std::string id_;
  std::optional<exchange_extras> extras_;
};

/// Makes an exchange the one that this thread handles, until the scope ends. Scopes nest: a handler may call another
/// engine.
class exchange_scope {
 public:
  explicit exchange_scope(exchange& handled) noexcept : outer_(std::exchange(of_thread(), &handled)) {}
  ~exchange_scope() { of_thread() = outer_; }
  exchange_scope(const exchange_scope&) = delete;
  exchange_scope& operator=(const exchange_scope&) = delete;

 private:
  friend exchange* find_exchange(const request& req) noexcept;
  /// The exchange of this thread; null outside a request.
  [[nodiscard]] static exchange*& of_thread() noexcept;

  exchange* outer_;
};

/// The exchange that handles `req`; null if `req` is a copy or if this thread does not handle it. `request` is the type
/// of cpp-httplib, without a member for the exchange. So this compares its address with the request that this thread
/// handles, which reads nothing of a request that may no longer exist.
[[nodiscard]] exchange* find_exchange(const request& req) noexcept;

/// The same, but throws setup_error instead of returning null; `function_name` begins the message.
[[nodiscard]] exchange& exchange_of(const request& req, std::string_view function_name);

}  // namespace detail::http
}  // inline namespace WINSVC_ABI
}  // namespace winsvc

// ---------------------------------------------------------------------------------------------------------------------

#if WINSVC_BODIES_HTTP

namespace winsvc {
inline namespace WINSVC_ABI {
namespace detail::http {

WINSVC_INLINE const forwarded_origin& exchange::forwarded() const noexcept {
  static const forwarded_origin none;
  return extras_ ? extras_->forwarded : none;
}

WINSVC_INLINE exchange*& exchange_scope::of_thread() noexcept {
  static thread_local exchange* current = nullptr;
  return current;
}
WINSVC_INLINE exchange* find_exchange(const request& req) noexcept {
  exchange* const handled = exchange_scope::of_thread();
  return handled && handled->current_request == &req ? handled : nullptr;
}

WINSVC_INLINE exchange& exchange_of(const request& req, std::string_view function_name) {
  if (exchange* const found = find_exchange(req)) return *found;
  throw setup_error(std::string(function_name) +
                    ": use it only on the thread that handles the request, while the handler runs, and not with a copy "
                    "of the request");
}

}  // namespace detail::http
}  // inline namespace WINSVC_ABI
}  // namespace winsvc

#endif  // WINSVC_BODIES_HTTP
