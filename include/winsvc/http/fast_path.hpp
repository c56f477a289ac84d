// The direct way of a plain request: from the gate's head straight into cpp-httplib's Request, and from its Response
// straight onto the wire. Most requests are plain, and theirs is half the way: nothing is written down for a parser that
// reads it again.
//
// What is not plain (a body that is still to come or comes in parts, a range, an upgrade, a coding) is cpp-httplib's own
// to read and write; and so is an answer that turns out to be a stream. Both ways give the same answers:
// tests/conformance holds them against each other, and `limits().fast_path` closes this one.
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
namespace http {

/// Is all of the request here, and nothing in it that only cpp-httplib knows how to do?
[[nodiscard]] bool is_fast_path_request(const wire::head& h, const exchange_stream& stream);

/// The request as cpp-httplib would have read it. False: it would have refused it, and shall.
[[nodiscard]] bool fill_request(request& req, const wire::head& h, const os::endpoint& peer, const os::endpoint& local);

/// Is the answer all there, so that it can be written here?
[[nodiscard]] bool is_complete_response(const response& res) noexcept;
/// The Date of an answer. On each thread it is written anew once a second, and looked for every few milliseconds.
[[nodiscard]] std::string_view date_header_value();

/// What an answer says of the connection and of its end, decided in core.hpp: not among its headers yet.
struct connection_headers {
  std::string_view connection;  ///< for the Connection field; empty: none
  bool no_body_allowed = false;        ///< 1xx, 204, 304: no body and no length
  bool send_body = true;        ///< to HEAD it is not sent
};
/// The answer behind what is in `out`: its headers, the words, and what is missing: type, length, date.
void serialize_response(const response& res, const connection_headers& words, std::string& out);

}  // namespace http
}  // inline namespace WINSVC_ABI
}  // namespace winsvc

// ---------------------------------------------------------------------------------------------------------------------

#if WINSVC_BODIES_HTTP

namespace winsvc {
inline namespace WINSVC_ABI {
namespace http {

WINSVC_INLINE bool is_complete_response(const response& res) noexcept {
  return !res.content_provider_ && res.file_content_path_.empty();
}
WINSVC_INLINE std::string_view date_header_value() {
  struct cached_date {  // without a destructor: mingw's runtime may free a thread_local before it calls that
    std::chrono::steady_clock::time_point checked_at;
    std::int64_t second;
    std::size_t length;
    char text[48];
  };
  static_assert(std::is_trivially_destructible_v<cached_date>);
  static thread_local cached_date last{{}, -1, 0, {}};
  const auto text_of = [](const cached_date& k) { return std::string_view(k.text, k.length); };
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

WINSVC_INLINE bool is_fast_path_request(const wire::head& h, const exchange_stream& stream) {
  if (h.upgrade || h.expect_continue || h.framing == wire::framing::chunked || !stream.is_body_buffered()) return false;
  for (const auto& f : h.fields) {
    switch (f.name.size()) {  // few names have these lengths, and fewer are compared
      case 5:
        if (strings::equal_nocase(f.name, "Range")) return false;
        break;
      case 12:
        if (strings::equal_nocase(f.name, "Content-Type") &&
            strings::equal_nocase(f.value.substr(0, 10), "multipart/"))
          return false;
        break;
      case 15:
        if (httplib_compresses && strings::equal_nocase(f.name, "Accept-Encoding")) return false;
        break;
      case 16:
        if (strings::equal_nocase(f.name, "Content-Encoding")) return false;
        break;
      default: break;
    }
  }
  return true;
}

WINSVC_INLINE bool fill_request(request& req, const wire::head& h, const os::endpoint& peer, const os::endpoint& local) {
  req.method = h.method;
  req.version = h.minor_version == 0 ? "HTTP/1.0" : "HTTP/1.1";
  req.target = h.path;
  if (!h.query.empty()) {
    req.target += '?';
    req.target += h.query;
    httplib::detail::parse_query_text(h.query.data(), h.query.size(), req.params);
  }
  req.path = h.path.find('%') == h.path.npos ? std::string(h.path)
                                             : httplib::decode_path_component(std::string(h.path));
  req.remote_addr = peer.host;
  req.remote_port = peer.port;
  req.local_addr = local.host;
  req.local_port = local.port;

  bool acceptable = true;
  wire::for_each_normalized_field(h, [&](std::string_view name, std::string&& value) {
    if (name.size() == 6 && strings::equal_nocase(name, "Accept"))
      acceptable = httplib::detail::parse_accept_header(value, req.accept_content_types);
    req.headers.emplace(std::string(name), std::move(value));
  });
  return acceptable;
}

WINSVC_INLINE void serialize_response(const response& res, const connection_headers& words, std::string& out) {
  const auto put = [&out](std::string_view a, std::string_view b, std::string_view c = "\r\n") {
    out.append(a).append(b).append(c);
  };
  const bool has_body = !res.body.empty() && !words.no_body_allowed;
  char number[24];
  const auto text_of = [&number](std::size_t value) {
    return std::string_view(number, static_cast<std::size_t>(
                                        std::to_chars(number, number + sizeof number, value).ptr - number));
  };
  out.reserve(out.size() + 256 + (words.send_body ? res.body.size() : 0));
  put("HTTP/1.1 ", text_of(static_cast<std::size_t>(res.status)), " ");
  put(httplib::status_message(res.status), "");

  bool type = false, length = false, date = false;
  for (const auto& [name, value] : res.headers) {
    const auto is = [&field = name](std::string_view other) { return strings::equal_nocase(field, other); };
    if (is("Connection") || is("Keep-Alive")) continue;
    if (is("Content-Type")) {
      if (words.no_body_allowed && res.status != 304) continue;
      type = true;
    } else if (is("Content-Length")) {
      if (has_body || words.no_body_allowed || std::exchange(length, true)) continue;
    } else if (is("Date")) {
      date = true;
    }
    put(name, ": ", value);
    out.append("\r\n");
  }
  if (has_body && !type) put("Content-Type: ", "text/plain");
  if (has_body) put("Content-Length: ", text_of(res.body.size()));
  else if (!length && !words.no_body_allowed) put("Content-Length: ", "0");
  if (!words.connection.empty()) put("Connection: ", words.connection);
  if (!date) put("Date: ", date_header_value());
  put("\r\n", words.send_body && has_body ? std::string_view(res.body) : std::string_view(), "");
}

}  // namespace http
}  // inline namespace WINSVC_ABI
}  // namespace winsvc

#endif  // WINSVC_BODIES_HTTP
