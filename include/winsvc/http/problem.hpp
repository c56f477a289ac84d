// Problem details: error responses as application/problem+json (RFC 9457), or as a line of text.
#pragma once

#include <string>
#include <string_view>

#include "winsvc/api/httplib.hpp"
#include "winsvc/base/json_writer.hpp"
#include "winsvc/base/text.hpp"
#include "winsvc/config/abi.hpp"

namespace winsvc {
inline namespace WINSVC_ABI {
namespace detail::http {

/// Releases the content provider of the response, so that nothing is streamed.
void discard_stream(response& res);

/// Discards the body that a handler has set, with its stream and the headers that describe it. Keeps the status and the
/// other headers.
void discard_body(response& res);

/// Writes an error as application/problem+json (RFC 9457): the title comes from the status, `detail` is for a person.
/// `id`: request id in the log, or empty. `errors`: a JSON array, or empty.
void write_problem(response& res, int status, std::string_view detail, std::string_view id = {},
                   std::string_view errors = {});

/// True if the client prefers text to JSON: Accept contains text/plain, but neither JSON nor `*/*`.
[[nodiscard]] bool prefers_text(const request& req);

/// Writes the same error as a line of text.
void write_text_problem(response& res, int status, std::string_view detail, std::string_view id = {});

}  // namespace detail::http
}  // inline namespace WINSVC_ABI
}  // namespace winsvc

// ---------------------------------------------------------------------------------------------------------------------

#if WINSVC_BODIES_HTTP

namespace winsvc {
inline namespace WINSVC_ABI {
namespace detail::http {

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
WINSVC_INLINE void write_problem(response& res, int status, std::string_view detail, std::string_view id,
                                 std::string_view errors) {
  base::json_object_writer body;
  body.put_text("title", httplib::status_message(status)).put("status", std::to_string(status));
  body.put_text_if_set("detail", detail).put_text_if_set("request_id", id);
  if (!errors.empty()) body.put("errors", errors);
  discard_body(res);
  res.status = status;
  res.set_content(body.text() + '\n', "application/problem+json");
}
WINSVC_INLINE bool prefers_text(const request& req) {
  const std::string accept = base::to_lower(req.get_header_value("Accept"));
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

}  // namespace detail::http
}  // inline namespace WINSVC_ABI
}  // namespace winsvc

#endif  // WINSVC_BODIES_HTTP
