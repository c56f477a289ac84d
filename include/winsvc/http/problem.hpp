// Error responses: application/problem+json (RFC 9457), or a line of text for a client that asks for text.
#pragma once

#include <string>
#include <string_view>

#include "winsvc/api/httplib.hpp"
#include "winsvc/base/json_writer.hpp"
#include "winsvc/base/text.hpp"
#include "winsvc/config/abi.hpp"

namespace winsvc {
inline namespace WINSVC_ABI {
namespace http {

/// What would have been written while it is made is not, and is cleaned up.
void discard_stream(response& res);

/// Takes back what a handler began to answer with, but for its status and the headers that are not about the body.
void discard_body(response& res);

/// An error as application/problem+json (RFC 9457): title from the status, detail for the person.
/// `id`: the request id that the log has, or empty.
void write_problem(response& res, int status, std::string_view detail, std::string_view id = {});

/// Does the client want text, and not JSON? Text is named in Accept, JSON and `*/*` are not.
[[nodiscard]] bool prefers_text(const request& req);

/// The same as a line of text.
void write_text_problem(response& res, int status, std::string_view detail, std::string_view id = {});

}  // namespace http
}  // inline namespace WINSVC_ABI
}  // namespace winsvc

// ---------------------------------------------------------------------------------------------------------------------

#if WINSVC_BODIES_HTTP

namespace winsvc {
inline namespace WINSVC_ABI {
namespace http {

WINSVC_INLINE void discard_stream(response& res) {
  if (res.content_provider_resource_releaser_) res.content_provider_resource_releaser_(false);
  res.content_provider_resource_releaser_ = nullptr;
  res.content_provider_ = nullptr;
  res.is_chunked_content_provider_ = false;
  res.content_length_ = 0;
  res.headers.erase("Transfer-Encoding");
}
WINSVC_INLINE void discard_body(response& res) {
  discard_stream(res);
  res.body.clear();
  for (const char* name : {"Content-Type", "Content-Length", "Content-Encoding", "Content-Disposition",
                           "ETag", "Last-Modified"})
    res.headers.erase(name);
}
WINSVC_INLINE void write_problem(response& res, int status, std::string_view detail, std::string_view id) {
  strings::json_object_writer body;
  body.put_text("title", httplib::status_message(status)).put("status", std::to_string(status));
  body.put_text_if_set("detail", detail).put_text_if_set("request_id", id);
  discard_body(res);
  res.status = status;
  res.set_content(body.text() + '\n', "application/problem+json");
}
WINSVC_INLINE bool prefers_text(const request& req) {
  const std::string accept = strings::to_lower(req.get_header_value("Accept"));
  const auto names = [&](std::string_view type) { return accept.find(type) != std::string::npos; };
  return names("text/plain") && !names("json") && !names("*/*");
}
WINSVC_INLINE void write_text_problem(response& res, int status, std::string_view detail, std::string_view id) {
  std::string body = std::to_string(status) + ' ' + httplib::status_message(status);
  if (!detail.empty()) body += ": " + std::string(detail);
  if (!id.empty()) body += " (request " + std::string(id) + ")";
  discard_body(res);
  res.status = status;
  res.set_content(body + "\n", "text/plain; charset=utf-8");
}

}  // namespace http
}  // inline namespace WINSVC_ABI
}  // namespace winsvc

#endif  // WINSVC_BODIES_HTTP
