// Response content: prepares the response of a handler before it is written: removes framing fields, evaluates
// conditions and ranges (RFC 9110 sections 13 and 14), and compresses the body.
//
//   const auto removed = remove_framing_fields(exchange, res);         // "Content-Length, Connection"
//   switch (select_content(exchange, res)) ...                    // 200, 206, 304, 412 or 416
//
// It applies to all kinds of bodies of known length: text, files, and content providers of cpp-httplib.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <optional>
#include <random>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "winsvc/api/httplib.hpp"
#include "winsvc/api/reply.hpp"
#include "winsvc/base/text.hpp"
#include "winsvc/config/abi.hpp"
#include "winsvc/http/compression.hpp"
#include "winsvc/http/event_subscription.hpp"
#include "winsvc/http/exchange.hpp"
#include "winsvc/http/problem.hpp"
#include "winsvc/http/response_writer.hpp"
#include "winsvc/wire/conditional.hpp"
#include "winsvc/wire/head.hpp"
#include "winsvc/wire/representation.hpp"

namespace winsvc {
inline namespace WINSVC_ABI {
namespace detail::http {

/// Removes the fields that belong to the server: Content-Length, Transfer-Encoding, Connection, Keep-Alive, Trailer and
/// others of the connection. Returns their names for the log. Two values take effect: `Connection: close` ends the
/// connection, and the Content-Length of a stream becomes its length. Neither is reported.
[[nodiscard]] std::string remove_framing_fields(exchange& exchange, response& res);

/// The content that a request selects.
enum class content_selection {
  as_is,          ///< the response of the handler, which may have become 206
  not_modified,   ///< the response has become 304
  failed,         ///< 412 must be sent
  unsatisfiable,  ///< 416 must be sent; Content-Range is set if the length is known
};

/// Evaluates the conditional fields and the Range field of a GET or HEAD request for a response with status 200, and
/// compresses its body if the client accepts that. A 206 of the handler without Content-Range gets the ranges too.
[[nodiscard]] content_selection select_content(exchange& exchange, response& res);

}  // namespace detail::http
}  // inline namespace WINSVC_ABI
}  // namespace winsvc

// ---------------------------------------------------------------------------------------------------------------------

#if WINSVC_BODIES_HTTP

namespace winsvc {
inline namespace WINSVC_ABI {
namespace detail::http {

WINSVC_INLINE std::string remove_framing_fields(exchange& exchange, response& res) {
  if (res.headers.empty()) return {};
  std::vector<std::pair<std::string, std::string>> found;
  for (const auto& [name, value] : res.headers) {
    if (wire::is_framing_field(name)) found.emplace_back(name, value);
  }
  std::string removed;
  for (const auto& [name, value] : found) {
    res.headers.erase(name);
    if (base::equal_nocase(name, "Connection")) {
      bool closes = false, has_others = false;
      for (const auto part : base::split(value, ',')) {
        const auto option = base::trim(part);
        if (base::equal_nocase(option, "close")) closes = true;
        else if (!option.empty()) has_others = true;
      }
      if (closes) exchange.delivery.close_after_response = true;
      if (!has_others) continue;
    }
    std::uint64_t length = 0;
    if (base::equal_nocase(name, "Content-Length") && base::parse_number(value, INT64_MAX, length)) {
      if (is_stream(res) && !exchange.delivery.stream_length && !find_event_provider(res)) {
        exchange.delivery.stream_length = length;
        continue;
      }
      // A handler for HEAD alone has no body, so it states the length of the response to GET.
      if (exchange.head.method_id == route::method::head && exchange.criteria.is_head_route && res.body.empty() &&
          !res.content_provider_) {
        exchange.delivery.length_of_head = length;
        continue;
      }
      if (!res.content_provider_ && length == res.body.size()) continue;  // correct, so there is nothing to report
    }
    if (!removed.empty()) removed += ", ";
    removed += name;
  }
  return removed;
}

/// The length of the body; nullopt for a stream.
WINSVC_INLINE std::optional<std::uint64_t> body_length(const response& res) noexcept {
  if (is_stream(res)) return std::nullopt;
  return res.content_provider_ ? std::uint64_t{res.content_length_} : std::uint64_t{res.body.size()};
}

/// Sets the parts of a 206 response. Returns false if the ranges must be ignored: too many of them, or more bytes than
/// the whole content.
WINSVC_INLINE bool set_parts(exchange& exchange, response& res, const wire::byte_ranges<std::int64_t>& ranges,
                             std::uint64_t size) {
  constexpr std::size_t max_ranges = 16;
  std::uint64_t total = 0;
  for (const auto& [first, last] : ranges) total += static_cast<std::uint64_t>(last - first + 1);
  if (ranges.size() > max_ranges || total > size) return false;
  const auto field = [size](std::int64_t first, std::int64_t last) {
    return "bytes " + std::to_string(first) + '-' + std::to_string(last) + '/' + std::to_string(size);
  };
  body_parts parts;
  api::write_content_type(res);
  const std::string* const type_field = api::find_header(res, "Content-Type");
  const std::string type = type_field ? *type_field : "text/plain";
  std::string delimiter;
  if (ranges.size() > 1) {
    char random[32];
    std::random_device device;  // clients must not be able to predict it and put it into the content
    std::snprintf(random, sizeof random, "%08x%08x", device(), device());
    delimiter = std::string("part-") + random;
    res.headers.erase("Content-Type");
    api::insert_header(res, "Content-Type", "multipart/byteranges; boundary=" + delimiter);
    parts.end = "\r\n--" + delimiter + "--\r\n";
  } else {
    api::replace_header(res, "Content-Range", field(ranges[0].first, ranges[0].second));
  }
  for (const auto& [first, last] : ranges) {
    std::string head;
    if (!delimiter.empty()) {
      head = (parts.list.empty() ? "--" : "\r\n--") + delimiter + "\r\nContent-Type: " + type +
             "\r\nContent-Range: " + field(first, last) + "\r\n\r\n";
    }
    const auto length = static_cast<std::uint64_t>(last - first + 1);
    parts.list.push_back({std::move(head), static_cast<std::uint64_t>(first), length});
  }
  if (!res.content_provider_) {
    std::string body;  // the parts of a text are joined here, because it is in memory anyway
    for (const auto& part : parts.list) {
      body.append(part.head)
          .append(res.body, static_cast<std::size_t>(part.offset), static_cast<std::size_t>(part.length));
    }
    res.body = std::move(body.append(parts.end));
  }
  // Nothing throws from here on: an error response has no parts.
  exchange.delivery.parts = std::move(parts);
  res.status = 206;
  return true;
}

/// True if the body could be compressed for a client that accepts it.
WINSVC_INLINE bool is_compressible(const response& res) {
  if (!WINSVC_COMPRESSES || res.content_provider_ || res.body.size() < min_compressed_bytes || res.status == 206)
    return false;
  if (api::find_header(res, "Content-Encoding") || api::find_header(res, "Content-Range")) return false;
  const std::string* const control = api::find_header(res, "Cache-Control");
  if (control && base::to_lower(*control).find("no-transform") != std::string::npos) return false;
  const auto type = api::content_type_of(res);
  return wire::is_compressible_type(type.empty() ? "text/plain" : type);
}

/// Compresses the body if the client accepts it. A strong ETag becomes weak: the bytes of the forms differ (RFC 9110
/// section 8.8.1).
WINSVC_INLINE void compress_body(std::string_view coding, response& res) {
  if (auto packed = coding.empty() ? std::nullopt : compress(res.body, coding)) {
    res.body = std::move(*packed);
    api::replace_header(res, "Content-Encoding", std::string(coding));
  }
  const std::string* const etag = api::find_header(res, "ETag");
  if (!coding.empty() && etag && base::starts_with(*etag, "\"")) api::replace_header(res, "ETag", "W/" + *etag);
}

/// Becomes 304: the headers that describe the stored response stay (RFC 9110 section 15.4.5).
WINSVC_INLINE void become_not_modified(response& res) {
  discard_stream(res);
  res.body.clear();
  res.status = 304;
  res.result_type = {};
  for (const char* name : {"Content-Type", "Content-Encoding", "Content-Disposition"}) res.headers.erase(name);
}

WINSVC_INLINE content_selection select_content(exchange& exchange, response& res) {
  const bool is_get = exchange.head.method_id == route::method::get;
  const bool reads = is_get || exchange.head.method_id == route::method::head;
  const bool compressible = is_compressible(res);
  std::string_view coding;
  if (compressible) {
    add_vary(res, "Accept-Encoding");
    coding = select_coding(exchange.head.find("Accept-Encoding").value_or(std::string_view()));
  }
  const auto length = body_length(res);
  constexpr std::size_t min_ranged_bytes = 8 * 1024;  // clients request parts of longer texts only
  const bool offers_ranges = res.content_provider_ ? length.has_value()
                                                   : res.body.size() >= min_ranged_bytes && coding.empty();
  if (reads && res.status == 200 && offers_ranges && !api::find_header(res, "Accept-Ranges"))
    api::insert_header(res, "Accept-Ranges", "bytes");

  const content_criteria& criteria = exchange.criteria;
  if (reads && (res.status == 200 || res.status == 206) && (criteria.has_conditions || criteria.has_range)) {
    const std::string* const etag = api::find_header(res, "ETag");
    const std::string* const date = api::find_header(res, "Last-Modified");
    wire::validators validators{etag ? std::string_view(*etag) : std::string_view()};
    if (date) validators.modified = wire::parse_http_date(*date).value_or(wire::unknown_time);
    const auto field = [&exchange](const char* name) {
      return wire::normalized_value(exchange.head, name).value_or(std::string());
    };
    if (criteria.has_conditions && res.status == 200 && (etag || date)) {
      const std::string match = field("If-Match"), none_match = field("If-None-Match"),
                        modified = field("If-Modified-Since"), unmodified = field("If-Unmodified-Since");
      switch (wire::evaluate({match, none_match, modified, unmodified}, validators, reads)) {
        case wire::condition_result::not_modified:
          if (!coding.empty()) compress_body(coding, res);  // the ETag of the form that the client has
          become_not_modified(res);
          return content_selection::not_modified;
        case wire::condition_result::failed: return content_selection::failed;
        case wire::condition_result::serve: break;
      }
    }
    const bool has_ranges = is_get && criteria.has_range && length && !api::find_header(res, "Content-Range");
    if (has_ranges && (res.status == 206 || wire::range_applies(field("If-Range"), validators))) {
      const auto size = static_cast<std::int64_t>(*length);
      const auto requested = wire::parse_byte_ranges(field("Range"));
      const auto ranges = requested ? wire::satisfiable_ranges(*requested, size) : wire::byte_ranges<std::int64_t>();
      if (ranges.empty()) {
        api::replace_header(res, "Content-Range", "bytes */" + std::to_string(*length));
        return content_selection::unsatisfiable;
      }
      if (set_parts(exchange, res, ranges, *length)) return content_selection::as_is;
    }
  }
  if (compressible) compress_body(coding, res);
  return content_selection::as_is;
}

}  // namespace detail::http
}  // inline namespace WINSVC_ABI
}  // namespace winsvc

#endif  // WINSVC_BODIES_HTTP
