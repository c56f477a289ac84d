// Fast path: converts a simple request into cpp-httplib's Request and its Response into bytes, without cpp-httplib's
// parser and writer. Most requests are simple, and the fast path saves about half of the work for them.
//
//   request req;
//   if (is_fast_path_request(head, stream) && fill_request(req, head, peer, local)) ...   // calls the handler
//   serialize_response(res, connection, stream.output());
//
// Other requests (a body that is not received yet or is chunked, a range, an upgrade, a content coding) and streamed
// responses go through cpp-httplib. Both ways produce the same responses: tests/conformance compares them, and
// `limits().fast_path = false` disables this one.
#pragma once

#include <charconv>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>

#include "winsvc/base/clock.hpp"
#include "winsvc/base/text.hpp"
#include "winsvc/config/abi.hpp"
#include "winsvc/http/exchange.hpp"
#include "winsvc/api/httplib.hpp"
#include "winsvc/os/native.hpp"
#include "winsvc/wire/head.hpp"

namespace winsvc {
inline namespace WINSVC_ABI {
namespace detail::http {

/// True if the request has been received completely and needs nothing that only cpp-httplib can do.
[[nodiscard]] bool is_fast_path_request(const wire::head& head, const exchange_stream& stream);

/// Fills `req` as cpp-httplib's parser would. Returns false if that parser rejects the request: let it respond.
[[nodiscard]] bool fill_request(request& req, const wire::head& head, const os::endpoint& peer,
                                const os::endpoint& local);

/// True if the response has a complete body, so that serialize_response() can write it. A stream or a file has not.
[[nodiscard]] bool is_complete_response(const response& res) noexcept;
/// Value of the Date header. Each thread formats it once per second and reads the system clock at most every 20 ms.
[[nodiscard]] std::string_view date_header_value();

/// Connection header and body rules of a response; request_processor::decide_connection_headers() decides them.
struct connection_headers {
  std::string_view connection;   ///< value of the Connection field; empty: no field
  bool no_body_allowed = false;  ///< status 1xx, 204 or 304: no body and no Content-Length
  bool send_body = true;         ///< false for a response to HEAD
};
/// Appends the response to `output`: its headers, `connection`, and type, length and date if they are missing.
void serialize_response(const response& res, const connection_headers& connection, std::string& output);

}  // namespace detail::http
}  // inline namespace WINSVC_ABI
}  // namespace winsvc

// ---------------------------------------------------------------------------------------------------------------------

#if WINSVC_BODIES_HTTP

namespace winsvc {
inline namespace WINSVC_ABI {
namespace detail::http {

WINSVC_INLINE bool is_complete_response(const response& res) noexcept {
  return !res.content_provider_ && res.file_content_path_.empty();
}
WINSVC_INLINE std::string_view date_header_value() {
  struct cached_date {  // trivially destructible: mingw may free a thread_local before it calls the destructor
    std::chrono::steady_clock::time_point checked_at;
    std::int64_t second;
    std::size_t length;
    char text[48];
  };
  static_assert(std::is_trivially_destructible_v<cached_date>);
  static thread_local cached_date last{{}, -1, 0, {}};
  const auto text_of = [](const cached_date& date) { return std::string_view(date.text, date.length); };
  const auto now = std::chrono::steady_clock::now();
  if (last.second != -1 && now - last.checked_at < std::chrono::milliseconds(20)) return text_of(last);
  last.checked_at = now;
  const auto wall = clock::system().system_now();
  const auto second = std::chrono::duration_cast<std::chrono::seconds>(wall.time_since_epoch()).count();
  if (second != last.second) {
    const std::string text = http_date(wall);
    last.length = text.copy(last.text, sizeof last.text);
    last.second = second;
  }
  return text_of(last);
}

inline constexpr bool httplib_compresses = WINSVC_COMPRESSES;

WINSVC_INLINE bool is_fast_path_request(const wire::head& head, const exchange_stream& stream) {
  if (head.upgrade || head.expect_continue || head.framing == wire::framing::chunked) return false;
  if (!stream.is_body_buffered()) return false;
  for (const auto& field : head.fields) {
    switch (field.name.size()) {  // compares only names of the same length
      case 5:
        if (base::equal_nocase(field.name, "Range")) return false;
        break;
      case 12:
        if (base::equal_nocase(field.name, "Content-Type") &&
            base::equal_nocase(field.value.substr(0, 10), "multipart/"))
          return false;
        break;
      case 15:
        if (httplib_compresses && base::equal_nocase(field.name, "Accept-Encoding")) return false;
        break;
      case 16:
        if (base::equal_nocase(field.name, "Content-Encoding")) return false;
        break;
      default: break;
    }
  }
  return true;
}

WINSVC_INLINE bool fill_request(request& req, const wire::head& head, const os::endpoint& peer,
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

  bool acceptable = true;
  wire::for_each_normalized_field(head, [&](std::string_view name, std::string&& value) {
    if (name.size() == 6 && base::equal_nocase(name, "Accept"))
      acceptable = httplib::detail::parse_accept_header(value, req.accept_content_types);
    req.headers.emplace(std::string(name), std::move(value));
  });
  return acceptable;
}

WINSVC_INLINE void serialize_response(const response& res, const connection_headers& connection, std::string& output) {
  const auto put = [&output](std::string_view first, std::string_view second, std::string_view third = "\r\n") {
    output.append(first).append(second).append(third);
  };
  const bool has_body = !res.body.empty() && !connection.no_body_allowed;
  char number[24];
  const auto text_of = [&number](std::size_t value) {
    return std::string_view(number, static_cast<std::size_t>(
                                        std::to_chars(number, number + sizeof number, value).ptr - number));
  };
  output.reserve(output.size() + 256 + (connection.send_body ? res.body.size() : 0));
  put("HTTP/1.1 ", text_of(static_cast<std::size_t>(res.status)), " ");
  put(httplib::status_message(res.status), "");

  bool type = false, length = false, date = false;
  for (const auto& [name, value] : res.headers) {
    const auto is = [&field_name = name](std::string_view other) { return base::equal_nocase(field_name, other); };
    if (is("Connection") || is("Keep-Alive")) continue;
    if (is("Content-Type")) {
      if (connection.no_body_allowed && res.status != 304) continue;
      type = true;
    } else if (is("Content-Length")) {
      if (has_body || connection.no_body_allowed || std::exchange(length, true)) continue;
    } else if (is("Date")) {
      date = true;
    }
    put(name, ": ", value);
    output.append("\r\n");
  }
  if (has_body && !type) put("Content-Type: ", "text/plain");
  if (has_body) put("Content-Length: ", text_of(res.body.size()));
  else if (!length && !connection.no_body_allowed) put("Content-Length: ", "0");
  if (!connection.connection.empty()) put("Connection: ", connection.connection);
  if (!date) put("Date: ", date_header_value());
  put("\r\n", connection.send_body && has_body ? std::string_view(res.body) : std::string_view(), "");
}

}  // namespace detail::http
}  // inline namespace WINSVC_ABI
}  // namespace winsvc

#endif  // WINSVC_BODIES_HTTP
