// File response: a file as the response of a handler or of a static folder.
//
//   send_file_response(res, "reports/7.pdf", "report.pdf");   // by path, saved as report.pdf
//
// http/file_body.hpp reads the file; http/response_content.hpp evaluates conditions and ranges.
#pragma once

#include <cstdio>
#include <string>
#include <string_view>
#include <utility>

#include "winsvc/config/abi.hpp"
#include "winsvc/api/httplib.hpp"
#include "winsvc/api/reply.hpp"
#include "winsvc/http/file_body.hpp"
#include "winsvc/os/native.hpp"
#include "winsvc/route/path.hpp"
#include "winsvc/wire/representation.hpp"

namespace winsvc {
inline namespace WINSVC_ABI {
namespace detail::http {

/// How the content of a file is sent.
struct file_variant {
  std::string type;           ///< media type
  std::string coding;         ///< Content-Encoding; empty: no coding
  std::string cache_control;  ///< empty: no header
};

/// Makes an open file the content of the response, with its own validators. Conditions and ranges are evaluated when
/// the response is complete (http/response_content.hpp).
void send_file_response(response& res, os::input_file file, const file_variant& variant);
/// Makes the file at `path` the content. `save_as`: file name for the browser; empty: none. Aborts with 404 if the file
/// does not exist; throws std::runtime_error if it cannot be read. ETag, Last-Modified and Content-Type of the app
/// stay.
void send_file_response(response& res, const std::string& path, const std::string& save_as);

/// Value of Content-Disposition (RFC 6266): an ASCII file name, followed by the exact name if it is not ASCII.
[[nodiscard]] std::string attachment(std::string_view file_name);

}  // namespace detail::http
}  // inline namespace WINSVC_ABI
}  // namespace winsvc

// ---------------------------------------------------------------------------------------------------------------------

#if WINSVC_BODIES_FEATURES

namespace winsvc {
inline namespace WINSVC_ABI {
namespace detail::http {

WINSVC_INLINE std::string attachment(std::string_view file_name) {
  std::string plain;
  bool ascii = true;
  for (const char character : file_name) {
    const auto byte = static_cast<unsigned char>(character);
    if (byte >= 0x80) ascii = false;
    if (byte >= 0x80 && byte < 0xC0) continue;  // one underscore for each UTF-8 character
    plain += byte < 0x20 || byte >= 0x7F || character == '"' || character == '\\' ? '_' : character;
  }
  std::string value = "attachment; filename=\"" + plain + '"';
  if (!ascii) {  // RFC 8187: an ext-value allows fewer characters than percent_encode_segment leaves
    value += "; filename*=UTF-8''";
    for (const char character : route::percent_encode_segment(file_name)) {
      constexpr std::string_view marks = "'()*,;=:@";
      char encoded[4] = {character};
      if (marks.find(character) != marks.npos)
        std::snprintf(encoded, sizeof encoded, "%%%02X", static_cast<unsigned>(character));
      value += encoded;
    }
  }
  return value;
}

WINSVC_INLINE void send_file_response(response& res, os::input_file file, const file_variant& variant) {
  for (const char* name : {"ETag", "Last-Modified"}) res.headers.erase(name);
  if (!variant.cache_control.empty()) api::replace_header(res, "Cache-Control", variant.cache_control);
  api::replace_header(res, "X-Content-Type-Options", "nosniff");
  set_file_body(res, std::move(file), variant.type, variant.coding);
}

WINSVC_INLINE void send_file_response(response& res, const std::string& path, const std::string& save_as) {
  auto file = open_file(path);
  if (!save_as.empty()) api::replace_header(res, "Content-Disposition", attachment(save_as));
  api::replace_header(res, "X-Content-Type-Options", "nosniff");
  set_file_body(res, std::move(file), std::string(wire::media_type(path)), {});
}

}  // namespace detail::http

WINSVC_INLINE reply reply::file(std::string path, std::string save_as) {
  reply r;
  r.file_ = std::move(path);
  r.save_as_ = std::move(save_as);
  r.send_file_ = [](response& res, const std::string& from, const std::string& name) {
    detail::http::send_file_response(res, from, name);
  };
  return r;
}

}  // inline namespace WINSVC_ABI
}  // namespace winsvc

#endif  // WINSVC_BODIES_FEATURES
