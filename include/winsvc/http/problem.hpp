// Error responses of winsvc: problem details in JSON (RFC 9457), a line of text, or a small page for a browser.
//
//   write_error(res, {404, "no route"}, preferred_error_format(req.get_header_value("Accept")));
#pragma once

#include <algorithm>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>

#include "winsvc/api/httplib.hpp"
#include "winsvc/base/encoding.hpp"
#include "winsvc/base/json_writer.hpp"
#include "winsvc/base/text.hpp"
#include "winsvc/config/abi.hpp"
#include "winsvc/wire/accept.hpp"
#include "winsvc/wire/status.hpp"

namespace winsvc {
inline namespace WINSVC_ABI {
namespace detail::http {

/// Releases the content provider of the response, so that nothing is streamed.
void discard_stream(response& res);

/// Discards the body that a handler has set, with its stream and the headers that describe it. Keeps the status and the
/// other headers.
void discard_body(response& res);

/// Adds the name of a request header to Vary, unless Vary has it.
void add_vary(response& res, std::string_view name);
/// Removes invalid headers, which a handler can insert into `res.headers` directly. Throws std::invalid_argument for
/// the first of them.
void reject_invalid_headers(response& res);

/// Seconds after which a client may repeat a request that was rejected by a limit, a pause or a shortage.
inline constexpr std::string_view retry_after_seconds = "10";
/// Adds Retry-After (RFC 9110 section 10.2.3) with this time.
void add_retry_after(response& res);

/// The formats of an error response.
enum class error_format { json, text, html };
/// The format that the client prefers, by the weights of Accept (RFC 9110 section 12.5.1): HTML for a browser, text for
/// a client that prefers text/plain, JSON for all others.
[[nodiscard]] error_format preferred_error_format(std::string_view accept);

/// An error for a client. The title comes from the status.
struct error_text {
  int status;
  std::string_view detail;       ///< for a person; empty: none
  std::string_view id = {};      ///< request id in the log; empty: none
  std::string_view errors = {};  ///< JSON array with the faults of the request, for JSON only; empty: none
};
/// Writes an error: problem details in JSON (RFC 9457), a line of text, or a small page. Replaces the body of the
/// response and the headers that describe it.
void write_error(response& res, const error_text& error, error_format format);

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
  res.file_content_path_.clear();
}
WINSVC_INLINE void discard_body(response& res) {
  discard_stream(res);
  res.body.clear();
  res.result_type = {};
  for (const char* name : {"Content-Type", "Content-Length", "Content-Encoding", "Content-Disposition",
                           "ETag", "Last-Modified"})
    res.headers.erase(name);
}
WINSVC_INLINE void add_vary(response& res, std::string_view name) {
  const auto [begin, end] = res.headers.equal_range("Vary");
  for (auto field = begin; field != end; ++field) {
    for (const auto element : base::split(field->second, ',')) {
      const auto listed = base::trim(element);
      if (listed == "*" || base::equal_nocase(listed, name)) return;
    }
  }
  api::insert_header(res, "Vary", name);
}

WINSVC_INLINE void reject_invalid_headers(response& res) {
  std::string first_error;
  for (auto field = res.headers.begin(); field != res.headers.end();) {
    if (api::is_valid_header(field->first, field->second)) {
      ++field;
      continue;
    }
    if (first_error.empty()) first_error = api::invalid_header_text(field->first, field->second);
    field = res.headers.erase(field);
  }
  if (!first_error.empty()) throw std::invalid_argument(first_error);
}

WINSVC_INLINE void add_retry_after(response& res) { api::replace_header(res, "Retry-After", retry_after_seconds); }

WINSVC_INLINE error_format preferred_error_format(std::string_view accept) {
  if (accept.empty()) return error_format::json;
  const auto ranges = wire::accept_list(accept);
  const auto weight = [&ranges](std::string_view type) { return wire::media_type_weight(ranges, type); };
  const int json = (std::max)(weight("application/problem+json"), weight("application/json"));
  const int html = weight("text/html"), text = weight("text/plain");
  if (json >= html && json >= text) return error_format::json;
  // A client that accepts both equally has listed HTML only if it is a browser: "text/*" alone is not.
  const bool lists_html = std::any_of(ranges.begin(), ranges.end(), [](const wire::weighted_value& range) {
    return base::equal_nocase(range.value, "text/html");
  });
  return html > text || (html == text && lists_html) ? error_format::html : error_format::text;
}

/// The error as a page that is readable on a phone, in light and dark, also if a Content-Security-Policy blocks its
/// style.
WINSVC_INLINE std::string html_error(const error_text& error, const std::string& title) {
  std::string page =
      "<!doctype html>\n<html lang=\"en\">\n<meta charset=\"utf-8\">\n"
      "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n"
      "<meta name=\"color-scheme\" content=\"light dark\">\n<title>";
  page += title;
  page += "</title>\n<style>body { font: 1rem/1.5 system-ui, sans-serif; max-width: 40rem; margin: 15vh auto; "
          "padding: 0 1rem; overflow-wrap: anywhere }</style>\n<h1>";
  page += title + "</h1>\n";
  if (!error.detail.empty()) page += "<p>" + base::escape_html(error.detail) + "</p>\n";
  if (!error.id.empty()) page += "<p>Request <code>" + base::escape_html(error.id) + "</code></p>\n";
  return page + "</html>\n";
}

WINSVC_INLINE void write_error(response& res, const error_text& error, error_format format) {
  const auto phrase = wire::reason_phrase(error.status);
  const std::string title = std::to_string(error.status) + (phrase.empty() ? "" : " ") + std::string(phrase);
  std::string body, type;
  if (format == error_format::json) {
    base::json_object_writer object;
    if (phrase.empty()) object.put_text("title", "Error");
    else object.put_text("title", phrase);
    object.put("status", std::to_string(error.status));
    object.put_text_if_set("detail", error.detail).put_text_if_set("request_id", error.id);
    if (!error.errors.empty()) object.put("errors", error.errors);
    body = object.text() + '\n';
    type = "application/problem+json";
  } else if (format == error_format::text) {
    body = title;
    if (!error.detail.empty()) body += ": " + std::string(error.detail);
    if (!error.id.empty()) body += " (request " + std::string(error.id) + ")";
    body += '\n';
    type = "text/plain; charset=utf-8";
  } else {
    body = html_error(error, title);
    type = "text/html; charset=utf-8";
  }
  discard_body(res);
  res.status = error.status;
  api::insert_header(res, "Content-Type", type);
  res.body = std::move(body);
}

}  // namespace detail::http
}  // inline namespace WINSVC_ABI
}  // namespace winsvc

#endif  // WINSVC_BODIES_HTTP
