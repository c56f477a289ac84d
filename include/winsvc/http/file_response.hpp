// A file as an answer: sent in pieces from the open file, never whole in memory, with what lets a client ask again only
// for what it has not got (RFC 9110, sections 8.8, 13 and 14): ETag, Last-Modified, 304, 412, ranges, 416.
//
// The ETag is made of the size and the time of the last change, in the resolution of the file system. A file that
// becomes shorter while it is sent ends the connection: the client sees that something is missing.
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
namespace http {

/// What there is to say of the file's content.
struct file_variant {
  std::string type;           ///< media type
  std::string coding;         ///< Content-Encoding; empty: as it is
  std::string cache_control;  ///< empty: no header
};

/// Writes the answer. The status of the response is the one it answers with where all of the file is sent.
void send_file_response(const request& req, response& res, os::input_file file, const file_variant& form);
/// By its path. Aborts with 404 where there is no such file; throws where it cannot be read.
void send_file_response(const request& req, response& res, const std::string& path, const std::string& save_as);

/// What a browser saves an answer as (RFC 6266): a name of ASCII, and beside it the real one where that is not.
[[nodiscard]] std::string attachment(std::string_view file_name);

}  // namespace http
}  // inline namespace WINSVC_ABI
}  // namespace winsvc

// ---------------------------------------------------------------------------------------------------------------------

#if WINSVC_BODIES_FEATURES

namespace winsvc {
inline namespace WINSVC_ABI {
namespace http {

WINSVC_INLINE std::string attachment(std::string_view file_name) {
  std::string plain;
  bool ascii = true;
  for (const char c : file_name) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte >= 0x80) ascii = false;
    if (byte >= 0x80 && byte < 0xC0) continue;  // one mark for each letter
    plain += byte < 0x20 || byte >= 0x7F || c == '"' || c == '\\' ? '_' : c;
  }
  std::string out = "attachment; filename=\"" + plain + '"';
  if (!ascii) {  // RFC 8187; percent_encode_segment leaves more marks than an ext-value may have
    out += "; filename*=UTF-8''";
    for (const char c : route::percent_encode_segment(file_name)) {
      constexpr std::string_view marks = "'()*,;=:@";
      char text[4] = {c};
      if (marks.find(c) != marks.npos) std::snprintf(text, sizeof text, "%%%02X", static_cast<unsigned>(c));
      out += text;
    }
  }
  return out;
}

WINSVC_INLINE void send_file_response(const request& req, response& res, os::input_file file, const file_variant& form) {
  using namespace std::chrono;
  const auto since = file.modified().time_since_epoch();
  char tag[64];
  std::snprintf(tag, sizeof tag, "\"%llx-%llx%s\"", static_cast<unsigned long long>(file.size()),
                static_cast<unsigned long long>(duration_cast<nanoseconds>(since).count()),
                form.coding.empty() ? "" : ("-" + form.coding).c_str());
  const wire::validators validators{tag, duration_cast<seconds>(since).count()};
  replace_header(res, "ETag", tag);
  replace_header(res, "Last-Modified", http_date(file.modified()));
  if (!form.cache_control.empty()) replace_header(res, "Cache-Control", form.cache_control);

  const auto field = [&req](const char* name) { return req.get_header_value(name); };
  const std::string match = field("If-Match"), none_match = field("If-None-Match"),
                    modified = field("If-Modified-Since"), unmodified = field("If-Unmodified-Since");
  const bool reads = req.method == "GET" || req.method == "HEAD";
  switch (wire::evaluate({match, none_match, modified, unmodified}, validators, reads)) {
    case wire::condition_result::not_modified: res.status = 304; return;
    case wire::condition_result::failed: abort(412, "the file is not the one that the request is about");
    case wire::condition_result::serve: break;
  }

  auto& ranges = const_cast<request&>(req).ranges;  // cpp-httplib's own, which it cuts the file by
  if (req.method != "GET" || !wire::range_applies(field("If-Range"), validators) || ranges.size() > 16) ranges.clear();
  if (!ranges.empty()) {
    ranges = wire::satisfiable_ranges(ranges, static_cast<ssize_t>(file.size()));
    if (ranges.empty()) {
      replace_header(res, "Content-Range", "bytes */" + std::to_string(file.size()));
      abort(416, "the file has " + std::to_string(file.size()) + " bytes");
    }
    res.status = 206;
  }

  replace_header(res, "Accept-Ranges", "bytes");
  replace_header(res, "X-Content-Type-Options", "nosniff");
  if (!form.coding.empty()) replace_header(res, "Content-Encoding", form.coding);
  if (file.size() == 0) return res.set_content("", form.type);
  const auto size = static_cast<std::size_t>(file.size());
  res.set_content_provider(size, form.type, [from = std::make_shared<os::input_file>(std::move(file))](
                                                std::size_t position, std::size_t length, httplib::DataSink& sink) {
    char buffer[64 * 1024];
    const auto received = from->read(position, buffer, (std::min)(length, sizeof buffer));
    return received && *received != 0 && sink.write(buffer, *received);
  });
}

WINSVC_INLINE void send_file_response(const request& req, response& res, const std::string& path, const std::string& save_as) {
  auto file = os::input_file::open(path);
  if (!file) {
    if (!os::is_missing(file.error()) && !os::real_folder(path))
      throw std::runtime_error("open '" + path + "': " + os::system_error_message(file.error()));
    abort(404);
  }
  if (!save_as.empty()) replace_header(res, "Content-Disposition", attachment(save_as));
  send_file_response(req, res, *std::move(file), {std::string(wire::media_type(path)), {}, {}});
}

}  // namespace http

WINSVC_INLINE reply reply::file(std::string path, std::string save_as) {
  reply r;
  r.file_ = std::move(path);
  r.save_as_ = std::move(save_as);
  r.send_file_ = [](const request& req, response& res, const std::string& from, const std::string& name) {
    http::send_file_response(req, res, from, name);
  };
  return r;
}

}  // inline namespace WINSVC_ABI
}  // namespace winsvc

#endif  // WINSVC_BODIES_FEATURES
