// File response: sends a file in parts from the open file, never as a whole in memory, with validators, conditions and
// ranges (RFC 9110 sections 8.8, 13 and 14): ETag, Last-Modified, 304, 412, 206 and 416.
//
//   send_file_response(req, res, "reports/7.pdf", "report.pdf");   // by path, saved as report.pdf
//
// The ETag contains the size and the modification time, in the resolution of the file system. If the file becomes
// shorter while it is sent, the connection ends, so that the client detects the missing part.
#pragma once

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <memory>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>

#include "winsvc/base/clock.hpp"
#include "winsvc/config/abi.hpp"
#include "winsvc/api/abort.hpp"
#include "winsvc/api/httplib.hpp"
#include "winsvc/api/reply.hpp"
#include "winsvc/base/error_codes.hpp"
#include "winsvc/os/native.hpp"
#include "winsvc/route/path.hpp"
#include "winsvc/wire/conditional.hpp"
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

/// Writes the response from an open file. Keeps the status of `res` if the whole file is sent, else sets 206 or 304.
/// Aborts with 412 or 416.
void send_file_response(const request& req, response& res, os::input_file file, const file_variant& variant);
/// Writes the response from the file at `path`. `save_as`: file name for the browser; empty: none. Aborts with 404 if
/// the file does not exist; throws std::runtime_error if it cannot be read.
void send_file_response(const request& req, response& res, const std::string& path, const std::string& save_as);

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

WINSVC_INLINE void send_file_response(const request& req, response& res, os::input_file file,
                                      const file_variant& variant) {
  using namespace std::chrono;
  const auto since = file.modified().time_since_epoch();
  char tag[64];
  std::snprintf(tag, sizeof tag, "\"%llx-%llx%s\"", static_cast<unsigned long long>(file.size()),
                static_cast<unsigned long long>(duration_cast<nanoseconds>(since).count()),
                variant.coding.empty() ? "" : ("-" + variant.coding).c_str());
  const wire::validators validators{tag, duration_cast<seconds>(since).count()};
  api::replace_header(res, "ETag", tag);
  api::replace_header(res, "Last-Modified", http_date(file.modified()));
  if (!variant.cache_control.empty()) api::replace_header(res, "Cache-Control", variant.cache_control);

  const auto field = [&req](const char* name) { return req.get_header_value(name); };
  const std::string match = field("If-Match"), none_match = field("If-None-Match"),
                    modified = field("If-Modified-Since"), unmodified = field("If-Unmodified-Since");
  const bool reads = req.method == "GET" || req.method == "HEAD";
  switch (wire::evaluate({match, none_match, modified, unmodified}, validators, reads)) {
    case wire::condition_result::not_modified: res.status = 304; return;
    case wire::condition_result::failed: abort(412, "the file does not match the condition of the request");
    case wire::condition_result::serve: break;
  }

  auto& ranges = const_cast<request&>(req).ranges;  // cpp-httplib sends these ranges of the file
  if (req.method != "GET" || !wire::range_applies(field("If-Range"), validators) || ranges.size() > 16) ranges.clear();
  if (!ranges.empty()) {
    ranges = wire::satisfiable_ranges(ranges, static_cast<ssize_t>(file.size()));
    if (ranges.empty()) {
      api::replace_header(res, "Content-Range", "bytes */" + std::to_string(file.size()));
      abort(416, "the file has " + std::to_string(file.size()) + " bytes");
    }
    res.status = 206;
  }

  api::replace_header(res, "Accept-Ranges", "bytes");
  api::replace_header(res, "X-Content-Type-Options", "nosniff");
  if (!variant.coding.empty()) api::replace_header(res, "Content-Encoding", variant.coding);
  if (file.size() == 0) return res.set_content("", variant.type);
  const auto size = static_cast<std::size_t>(file.size());
  res.set_content_provider(size, variant.type, [from = std::make_shared<os::input_file>(std::move(file))](
                                                std::size_t position, std::size_t length, httplib::DataSink& sink) {
    char buffer[64 * 1024];
    const auto received = from->read(position, buffer, (std::min)(length, sizeof buffer));
    return received && *received != 0 && sink.write(buffer, *received);
  });
}

WINSVC_INLINE void send_file_response(const request& req, response& res, const std::string& path,
                                      const std::string& save_as) {
  auto file = os::input_file::open(path);
  if (!file) {
    if (!os::is_missing(file.error()) && !os::real_folder(path))
      throw std::runtime_error("open '" + path + "': " + os::system_error_message(file.error()));
    abort(404);
  }
  if (!save_as.empty()) api::replace_header(res, "Content-Disposition", attachment(save_as));
  send_file_response(req, res, *std::move(file), {std::string(wire::media_type(path)), {}, {}});
}

}  // namespace detail::http

WINSVC_INLINE reply reply::file(std::string path, std::string save_as) {
  reply r;
  r.file_ = std::move(path);
  r.save_as_ = std::move(save_as);
  r.send_file_ = [](const request& req, response& res, const std::string& from, const std::string& name) {
    detail::http::send_file_response(req, res, from, name);
  };
  return r;
}

}  // inline namespace WINSVC_ABI
}  // namespace winsvc

#endif  // WINSVC_BODIES_FEATURES
