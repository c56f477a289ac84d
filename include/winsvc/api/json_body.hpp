// JSON body: converts the body of a request to a type, with an error message for each kind of invalid body.
//
//   const auto item = body_from_json<todo, winsvc::json>(req);     // what a handler with body<todo> does
//
// 415: the Content-Type is not JSON. 400: the body is not JSON; the message has the offset. 422: the JSON does not
// convert to the type without loss (api/json_convert.hpp); the message has the JSON pointer of each invalid value.
//
// The Content-Type is required for security. A page of another site can make a browser send a text body without a
// preflight request, but not with `application/json` (Fetch standard, "CORS-safelisted request-header").
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>

#include "winsvc/base/text.hpp"
#include "winsvc/config/abi.hpp"
#include "winsvc/api/abort.hpp"
#include "winsvc/api/httplib.hpp"
#include "winsvc/api/json.hpp"
#include "winsvc/api/json_convert.hpp"

namespace winsvc {
inline namespace WINSVC_ABI {
namespace detail::api {

/// True for application/json, text/json and types that end with +json (RFC 6839); parameters are ignored.
[[nodiscard]] bool is_json_type(std::string_view content_type);

/// Nesting depth of arrays and objects in a JSON text.
[[nodiscard]] std::size_t json_depth(std::string_view text) noexcept;

/// Maximum nesting depth. Parsing, copying and destroying a document recurse once per level, and the stack of a thread
/// is 1 MiB on Windows.
constexpr std::size_t max_json_depth = 128;

/// The body of a request with a JSON Content-Type. Aborts with 415 for another Content-Type, and with 400 if the
/// nesting is too deep.
[[nodiscard]] const std::string& json_body_text(const request& req);

/// The body of the request as a T. Aborts with 415, 400 or 422.
template <class T, class Json>
[[nodiscard]] T body_from_json(const request& req);

// ---------------------------------------------------------------------------------------------------------------------

template <class T, class Json>
T body_from_json(const request& req) {
  const std::string& text = json_body_text(req);
  Json parsed;
  parse_json(text, parsed);
  if constexpr (std::is_same_v<T, Json>) {
    return parsed;
  } else {
    json_faults faults;
    auto value = convert_json<T>(std::as_const(parsed), {}, faults);
    if (!value) faults.abort();
    return std::move(*value);
  }
}

}  // namespace detail::api
}  // inline namespace WINSVC_ABI
}  // namespace winsvc

#if WINSVC_BODIES_API

namespace winsvc {
inline namespace WINSVC_ABI {
namespace detail::api {

WINSVC_INLINE bool is_json_type(std::string_view content_type) {
  const std::string type = base::to_lower(base::trim(content_type.substr(0, content_type.find(';'))));
  return type == "application/json" || type == "text/json" ||
         (type.size() > 5 && type.compare(type.size() - 5, 5, "+json") == 0);
}

WINSVC_INLINE std::size_t json_depth(std::string_view text) noexcept {
  std::size_t depth = 0, max_depth = 0;
  bool quoted = false;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (quoted) {
      if (c == '\\') ++i;
      else if (c == '"') quoted = false;
    } else if (c == '"') {
      quoted = true;
    } else if (c == '[' || c == '{') {
      if (++depth > max_depth) max_depth = depth;
    } else if ((c == ']' || c == '}') && depth != 0) {
      --depth;
    }
  }
  return max_depth;
}

WINSVC_INLINE const std::string& json_body_text(const request& req) {
  if (!is_json_type(req.get_header_value("Content-Type")))
    winsvc::abort(415, "the body must be JSON; send it with 'Content-Type: application/json'");
  if (json_depth(req.body) > max_json_depth)
    winsvc::abort(400, "the JSON body is nested deeper than " + std::to_string(max_json_depth) + " levels");
  return req.body;
}

}  // namespace detail::api
}  // inline namespace WINSVC_ABI
}  // namespace winsvc

#endif  // WINSVC_BODIES_API
