// Body reader: reads the body of a request into memory, after the middleware and directly before the handler.
//
//   if (!read_body_to_memory(exchange, req, source, limit)) ...   // exchange.body.too_large, or it did not arrive
//
// A request that is rejected before that costs no upload. The fields of a URL-encoded form become `req.params`, those
// of a multipart form become `req.form`, as in cpp-httplib; any other content becomes `req.body`. It writes no files: a
// handler with an upload has the upload reader (http/upload_reader.hpp).
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "winsvc/base/text.hpp"
#include "winsvc/config/abi.hpp"
#include "winsvc/http/exchange.hpp"
#include "winsvc/api/httplib.hpp"
#include "winsvc/api/abort.hpp"
#include "winsvc/api/cookies.hpp"
#include "winsvc/api/handler.hpp"
#include "winsvc/api/upload.hpp"
#include "winsvc/api/values.hpp"
#include "winsvc/wire/accept.hpp"
#include "winsvc/wire/cookie.hpp"
#include "winsvc/wire/fields.hpp"
#include "winsvc/wire/file_name.hpp"
#include "winsvc/wire/multipart.hpp"

namespace winsvc {
inline namespace WINSVC_ABI {
namespace detail::http {

/// Receives the next bytes of the body. Returns false to stop reading.
using body_receiver = std::function<bool(const char* bytes, std::size_t count)>;
/// Reads the body to its end, decompressed. Returns false if it did not arrive or if the receiver stopped.
using body_source = std::function<bool(const body_receiver&)>;

/// Reads the body into `req`; `limit` is the maximum number of decompressed bytes, of a form with its boundaries and
/// all bytes outside its parts. Returns false if the body did not arrive, is badly framed, or is larger than `limit`
/// (sets `body.too_large`). Throws abort_error for a malformed multipart form (400) and for a form with more than
/// `max_form_fields` fields (413).
[[nodiscard]] bool read_body_to_memory(exchange& exchange, request& req, const body_source& read, std::uint64_t limit);

/// Maximum number of fields, or of parts with files, in a form: each costs memory, even if it is empty.
inline constexpr std::size_t max_form_fields = 1024;

/// Messages for a form that is rejected with 400.
inline constexpr const char* no_boundary_message = "the form has no boundary in its Content-Type";
inline constexpr const char* malformed_form_message = "the body is not a valid multipart form";
inline constexpr const char* incomplete_form_message = "the form ends before its closing boundary";
/// Message for a body that is rejected with 413.
[[nodiscard]] std::string body_limit_message(std::uint64_t limit);

/// True if the media type is multipart/form-data, in upper or lower case.
[[nodiscard]] bool is_multipart(const request& req);
/// True if the media type is application/x-www-form-urlencoded.
[[nodiscard]] bool is_urlencoded(const request& req);
/// Parses a URL-encoded body into `req.params`. Throws abort_error (413) for more than `max_form_fields` fields.
void parse_urlencoded(request& req);

}  // namespace detail::http
}  // inline namespace WINSVC_ABI
}  // namespace winsvc

// ---------------------------------------------------------------------------------------------------------------------

#if WINSVC_BODIES_HTTP

namespace winsvc {
inline namespace WINSVC_ABI {
namespace detail::http {

WINSVC_INLINE std::string body_limit_message(std::uint64_t limit) {
  return "the body is larger than " + std::to_string(limit) + " bytes";
}

[[noreturn]] WINSVC_INLINE void reject_too_many_fields() {
  winsvc::abort(413, "the form has more than " + std::to_string(max_form_fields) + " fields");
}

/// Reader of a multipart form for handlers without an upload: the files stay in memory.
class form_reader {
 public:
  form_reader(exchange& exchange, request& req, std::uint64_t limit)
      : exchange_(exchange), req_(req), max_bytes_(limit) {
    const auto boundary = wire::multipart_boundary(req.get_header_value("Content-Type"));
    if (!boundary) winsvc::abort(400, no_boundary_message);
    decoder_.emplace(*boundary);
  }

  /// Receives the next bytes. Returns false to stop reading.
  bool consume(std::string_view bytes) {
    using step = wire::multipart_decoder::step;
    // Count all bytes, not only the content: a small compressed form can have a preamble of any size.
    if (bytes.size() > max_bytes_ - body_bytes_) return !(exchange_.body.too_large = true);
    body_bytes_ += bytes.size();
    decoder_->feed(bytes);
    for (;;) {
      switch (decoder_->next()) {
        case step::more:
        case step::done: return true;
        case step::bad: malformed_ = true; return false;
        case step::part:
          if (++parts_ > max_form_fields) return false;
          begin(decoder_->part());
          break;
        case step::data: content_->append(decoder_->data());
      }
    }
  }

  /// Called when the body has ended, or consume() returned false and the body is not too large. `complete`: the body
  /// arrived to its end.
  void finish(bool complete) {
    const bool too_many = parts_ > max_form_fields;
    if (too_many || malformed_) exchange_.delivery.close_after_response = true;  // the rest of the body is unread
    if (too_many) reject_too_many_fields();
    if (malformed_) winsvc::abort(400, malformed_form_message);
    if (complete && decoder_->next() != wire::multipart_decoder::step::done)
      winsvc::abort(400, incomplete_form_message);
  }

 private:
  void begin(const wire::part_head& part) {
    httplib::Headers headers;
    for (const auto& [name, value] : part.fields) headers.emplace(name, value);
    if (!part.is_file || part.file_name.empty()) {  // a file field without a selected file is an empty field
      httplib::FormField field;
      field.name = part.name;
      field.headers = std::move(headers);
      content_ = &req_.form.fields.emplace(part.name, std::move(field))->second.content;
    } else {
      httplib::FormData file;
      file.name = part.name;
      file.filename = wire::safe_file_name(part.file_name);
      file.content_type = part.content_type;
      file.headers = std::move(headers);
      content_ = &req_.form.files.emplace(part.name, std::move(file))->second.content;
    }
  }

  exchange& exchange_;
  request& req_;
  std::uint64_t max_bytes_, body_bytes_ = 0;
  std::optional<wire::multipart_decoder> decoder_;
  std::string* content_ = nullptr;
  std::size_t parts_ = 0;
  bool malformed_ = false;
};

WINSVC_INLINE bool read_multipart(exchange& exchange, request& req, const body_source& read, std::uint64_t limit) {
  form_reader form(exchange, req, limit);
  const bool complete =
      read([&](const char* bytes, std::size_t count) { return form.consume(std::string_view(bytes, count)); });
  if (!exchange.body.too_large) form.finish(complete);
  return complete;
}

/// The media type of the body, a part of the header; empty if the request has no Content-Type.
WINSVC_INLINE std::string_view media_type_of(const request& req) {
  for (const auto& [name, value] : req.headers) {  // faster than hashing the name
    if (base::equal_nocase(name, "Content-Type"))
      return base::trim(std::string_view(value).substr(0, value.find(';')));
  }
  return {};
}

WINSVC_INLINE bool is_multipart(const request& req) {
  return base::equal_nocase(media_type_of(req), "multipart/form-data");
}

WINSVC_INLINE bool is_urlencoded(const request& req) {
  return base::equal_nocase(media_type_of(req), "application/x-www-form-urlencoded");
}

}  // namespace detail::http

namespace detail::api {

WINSVC_INLINE std::optional<std::string> form_text(const request& req, const std::string& name) {
  if (http::is_multipart(req))
    return req.form.has_field(name) ? std::optional(req.form.get_field(name)) : std::nullopt;
  return http::is_urlencoded(req) ? wire::find_field(req.body, name) : std::nullopt;
}

WINSVC_INLINE std::vector<std::string> form_texts(const request& req, const std::string& name) {
  if (http::is_multipart(req)) return req.form.get_fields(name);
  return http::is_urlencoded(req) ? wire::find_fields(req.body, name) : std::vector<std::string>();
}

WINSVC_INLINE std::vector<std::string> values_of_source(const invocation& call, source_kind source,
                                                        const std::string& name) {
  const http::exchange& exchange = call.exchange;
  if (!exchange.current_request) {  // the request is not filled: the values are in the head
    const auto list = [](std::optional<std::string> value) {
      return value ? std::vector<std::string>{*std::move(value)} : std::vector<std::string>();
    };
    if (source == source_kind::query) return wire::find_fields(exchange.head.query, name);
    if (source == source_kind::header) return list(wire::normalized_value(exchange.head, name));
    if (source == source_kind::client) return {exchange.peer.host};
    const std::string cookies = wire::normalized_value(exchange.head, "Cookie").value_or(std::string());
    if (const auto value = wire::cookie_in(cookies, name)) return {std::string(*value)};
    return {};
  }
  const request& req = call.req;
  switch (source) {
    case source_kind::query: return wire::find_fields(query_text(req), name);
    case source_kind::form: return form_texts(req, name);
    case source_kind::client: return {client_address(req)};
    case source_kind::cookie:
      if (const auto value = find_cookie(req, name)) return {*value};
      return {};
    case source_kind::header: {
      std::vector<std::string> values;
      for (std::size_t i = 0; i < req.get_header_value_count(name); ++i)
        values.push_back(req.get_header_value(name, "", i));
      return values;
    }
    case source_kind::file: break;
  }
  return {};
}

WINSVC_INLINE std::vector<std::string> source_texts(const invocation& call, source_kind source,
                                                    const std::string& name, bool as_list) {
  auto values = values_of_source(call, source, name);
  if (!as_list || source != source_kind::header) return values;
  std::vector<std::string> elements;
  for (std::string_view list : values) {
    while (!list.empty()) {  // a comma in quotes is a part of its element
      if (const auto element = wire::take_element(list, ','); !element.empty()) elements.emplace_back(element);
    }
  }
  return elements;
}

}  // namespace detail::api

namespace detail::http {

WINSVC_INLINE void parse_urlencoded(request& req) {
  if (wire::field_count(req.body) > max_form_fields) reject_too_many_fields();
  httplib::detail::parse_query_text(req.body, req.params);
}

WINSVC_INLINE bool read_body_to_memory(exchange& exchange, request& req, const body_source& read,
                                       std::uint64_t limit) {
  if (is_multipart(req)) return read_multipart(exchange, req, read, limit);
  const bool complete = read([&](const char* bytes, std::size_t count) {
    if (count > limit - req.body.size()) return !(exchange.body.too_large = true);  // decompression may exceed it
    req.body.append(bytes, count);
    return true;
  });
  if (!complete) return false;
  if (is_urlencoded(req)) parse_urlencoded(req);
  return true;
}

}  // namespace detail::http
}  // inline namespace WINSVC_ABI
}  // namespace winsvc

#endif  // WINSVC_BODIES_HTTP
