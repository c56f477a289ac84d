// A request's body as a T, from JSON, and the sentence for one that is none: 415 for what does not say it is JSON, 400
// for what is not JSON (the offset is named), 422 for JSON that is no T (the place in it is named).
//
// The type of the content is asked for because a page of another site can make a browser send any text without asking
// this service first, but not with `application/json` (the Fetch standard's "CORS-safelisted request-header").
#pragma once

#include <cstddef>
#include <stdexcept>
#include <string>
#include <string_view>
#include <type_traits>

#include "winsvc/base/text.hpp"
#include "winsvc/config/abi.hpp"
#include "winsvc/api/abort.hpp"
#include "winsvc/api/httplib.hpp"
#include "winsvc/api/json.hpp"

namespace winsvc {
inline namespace WINSVC_ABI {
namespace http {

/// application/json, text/json, or a type that ends with +json (RFC 6839), whatever its parameters.
[[nodiscard]] bool is_json_type(std::string_view content_type);

/// How deep arrays and objects are nested in this text, if it is JSON.
[[nodiscard]] std::size_t json_depth(std::string_view text) noexcept;

/// Deeper documents are refused: what reads, copies and destroys them calls itself once for each level, and a thread's
/// stack is 1 MiB on Windows.
constexpr std::size_t max_json_depth = 128;

/// The body of a request that says it is JSON. Aborts with 415, or with 400 for one that is nested too deep.
[[nodiscard]] const std::string& json_text_of(const request& req);

/// The body of this request as a T. Aborts with 415, 400 or 422.
template <class T, class Json>
[[nodiscard]] T body_from_json(const request& req);

// ---------------------------------------------------------------------------------------------------------------------

template <class T, class Json>
T body_from_json(const request& req) {
  const std::string& text = json_text_of(req);
  Json parsed;
  parse_json(text, parsed);
  if constexpr (std::is_same_v<T, Json>) {
    return parsed;
  } else {
    const auto refuse = [](std::string_view reason) {
      winsvc::abort(422, "the body does not have the expected shape: " + std::string(reason));
    };
    try {
      return parsed.template get<T>();
    } catch (const typename Json::exception& e) {
      const std::string complaint = e.what();  // "[json.exception.type_error.302] type must be ..."
      const std::string place = place_in_json(parsed, complaint, [&parsed] { static_cast<void>(parsed.template get<T>()); });
      const auto bracket = complaint.find("] ");
      refuse(place + complaint.substr(bracket == complaint.npos ? 0 : bracket + 2));
    } catch (const std::invalid_argument& e) {  // how a from_json says that a value of the right type will not do
      refuse(e.what());
    }
    throw std::logic_error("refuse returned");
  }
}

}  // namespace http
}  // inline namespace WINSVC_ABI
}  // namespace winsvc

#if WINSVC_BODIES_API

namespace winsvc {
inline namespace WINSVC_ABI {
namespace http {

WINSVC_INLINE bool is_json_type(std::string_view content_type) {
  const std::string type = strings::to_lower(strings::trim(content_type.substr(0, content_type.find(';'))));
  return type == "application/json" || type == "text/json" ||
         (type.size() > 5 && type.compare(type.size() - 5, 5, "+json") == 0);
}

WINSVC_INLINE std::size_t json_depth(std::string_view text) noexcept {
  std::size_t depth = 0, limit = 0;
  bool quoted = false;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (quoted) {
      if (c == '\\') ++i;
      else if (c == '"') quoted = false;
    } else if (c == '"') {
      quoted = true;
    } else if (c == '[' || c == '{') {
      if (++depth > limit) limit = depth;
    } else if ((c == ']' || c == '}') && depth != 0) {
      --depth;
    }
  }
  return limit;
}

WINSVC_INLINE const std::string& json_text_of(const request& req) {
  if (!is_json_type(req.get_header_value("Content-Type")))
    winsvc::abort(415, "the body has to be JSON; send it with 'Content-Type: application/json'");
  if (json_depth(req.body) > max_json_depth)
    winsvc::abort(400, "the body is JSON that is nested deeper than " + std::to_string(max_json_depth) + " levels");
  return req.body;
}

}  // namespace http
}  // inline namespace WINSVC_ABI
}  // namespace winsvc

#endif  // WINSVC_BODIES_API
