// The direct way of a plain request: from the gate's head straight into cpp-httplib's Request, and from its Response
// straight onto the wire. Most requests are plain, and theirs is half the way: nothing is written down for a parser that
// reads it again.
//
// What is not plain (a body that is still to come or comes in parts, a range, an upgrade, a coding) is cpp-httplib's own
// to read and write; and so is an answer that turns out to be a stream. Both ways give the same answers:
// tests/conformance holds them against each other, and `limits().direct_path` closes this one.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "winsvc/base/text.hpp"
#include "winsvc/config/abi.hpp"
#include "winsvc/http/exchange.hpp"
#include "winsvc/http/httplib.hpp"
#include "winsvc/os/native.hpp"
#include "winsvc/wire/head.hpp"

namespace winsvc {
inline namespace WINSVC_ABI {
namespace http {

/// Is all of the request here, and nothing in it that only cpp-httplib knows how to do?
[[nodiscard]] bool is_plain(const wire::head& h, const exchange_stream& stream);

/// The request as cpp-httplib would have read it. False: it would have refused it, and shall.
[[nodiscard]] bool fill_request(request& req, const wire::head& h, const os::endpoint& peer, const os::endpoint& local);

/// Is the answer all there, so that it can be written here?
[[nodiscard]] inline bool is_whole(const response& res) noexcept {
  return !res.content_provider_ && res.file_content_path_.empty();
}
/// The headers that cpp-httplib adds before the post-routing hook.
void complete_headers(response& res);
/// Line and headers behind what is in `out`, and the body, unless that is not asked for: HEAD.
void write_answer(const response& res, bool with_body, std::string& out);

// ---------------------------------------------------------------------------------------------------------------------

#if defined(CPPHTTPLIB_ZLIB_SUPPORT) || defined(CPPHTTPLIB_BROTLI_SUPPORT) || defined(CPPHTTPLIB_ZSTD_SUPPORT)
inline constexpr bool httplib_compresses = true;
#else
inline constexpr bool httplib_compresses = false;
#endif

inline bool is_plain(const wire::head& h, const exchange_stream& stream) {
  if (h.upgrade || h.expect_continue || h.framing == wire::framing::chunked || !stream.body_here()) return false;
  for (const auto& f : h.fields) {
    switch (f.name.size()) {  // few names have these lengths, and fewer are compared
      case 5:
        if (text::equal_nocase(f.name, "Range")) return false;
        break;
      case 12:
        if (text::equal_nocase(f.name, "Content-Type") &&
            text::equal_nocase(f.value.substr(0, 10), "multipart/"))
          return false;
        break;
      case 15:
        if (httplib_compresses && text::equal_nocase(f.name, "Accept-Encoding")) return false;
        break;
      case 16:
        if (text::equal_nocase(f.name, "Content-Encoding")) return false;
        break;
      default: break;
    }
  }
  return true;
}

inline bool fill_request(request& req, const wire::head& h, const os::endpoint& peer, const os::endpoint& local) {
  req.method = h.method;
  req.version = h.minor == 0 ? "HTTP/1.0" : "HTTP/1.1";
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
  wire::for_each_canonical(h, [&](std::string_view name, std::string&& value) {
    if (name.size() == 6 && text::equal_nocase(name, "Accept"))
      acceptable = httplib::detail::parse_accept_header(value, req.accept_content_types);
    req.headers.emplace(std::string(name), std::move(value));
  });
  return acceptable;
}

inline void complete_headers(response& res) {
  if (!res.body.empty()) {
    if (!res.has_header("Content-Type")) res.set_header("Content-Type", "text/plain");
    replace_header(res, "Content-Length", std::to_string(res.body.size()));
  } else if (!res.has_header("Content-Length")) {
    res.set_header("Content-Length", "0");
  }
}

inline void write_answer(const response& res, bool with_body, std::string& out) {
  const auto put = [&out](std::string_view piece) { out.append(piece.data(), piece.size()); };
  out.reserve(out.size() + 256 + (with_body ? res.body.size() : 0));
  put("HTTP/1.1 ");
  put(std::to_string(res.status));
  put(" ");
  put(httplib::status_message(res.status));
  put("\r\n");
  for (const auto& [name, value] : res.headers) {
    put(name);
    put(": ");
    put(value);
    put("\r\n");
  }
  put("\r\n");
  if (with_body) put(res.body);
}

}  // namespace http
}  // inline namespace WINSVC_ABI
}  // namespace winsvc
