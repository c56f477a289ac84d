// route_metadata: name, description, body types and limits of a route.
//
//   route_metadata m;
//   m.name = "user";
//   m.parameters = {value_kind::int32};
//
// The members that follow from the handler's type are set when the route is registered; `api/route_builder.hpp` sets
// the others. url_for, the `routes` verb, the OpenAPI document and the limits read the metadata.
#pragma once

#include <charconv>
#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <system_error>
#include <type_traits>
#include <utility>
#include <vector>

#include "winsvc/base/json_writer.hpp"
#include "winsvc/base/text.hpp"
#include "winsvc/config/abi.hpp"
#include "winsvc/route/schema_set.hpp"

namespace winsvc {
inline namespace WINSVC_ABI {
namespace detail::route {

/// The type of a value in a path or a query, for descriptions.
enum class value_kind { text, int32, int64, uint32, uint64, number, boolean };

template <class T>
[[nodiscard]] constexpr value_kind kind_of_value() noexcept {
  if constexpr (std::is_same_v<T, bool>) return value_kind::boolean;
  else if constexpr (std::is_floating_point_v<T>) return value_kind::number;
  else if constexpr (!std::is_integral_v<T>) return value_kind::text;
  else if constexpr (sizeof(T) > 4) return std::is_unsigned_v<T> ? value_kind::uint64 : value_kind::int64;
  else return std::is_unsigned_v<T> ? value_kind::uint32 : value_kind::int32;
}

/// The type as text for error messages: "a number".
[[nodiscard]] std::string_view describe(value_kind k) noexcept;

/// True if a path parameter of this type accepts the text.
[[nodiscard]] bool accepts_text(value_kind k, std::string_view value) noexcept;

/// The JSON Schema of a type. `default_json`: the default as JSON; empty: no default.
[[nodiscard]] std::string value_schema(value_kind kind, std::string_view default_json = {});
/// The JSON Schema of a text with one of these values.
[[nodiscard]] std::string enum_schema(const std::vector<std::string_view>& values);
/// Adds members, such as `"minimum":1,"maximum":9`, to a JSON Schema.
[[nodiscard]] std::string with_schema_members(std::string_view schema, std::string_view members);

/// A value of the request that the handler receives as an argument (api/parameter.hpp) or reads with `winsvc::query`.
struct parameter_metadata {
  std::string name, description;
  std::string source = "query";  ///< "query", "header", "cookie", "form", "file" or "client"
  std::string schema;            ///< JSON Schema
  bool required = false;
  bool is_argument = false;      ///< winsvc reads and checks the value
};

/// The body of a request or a response.
struct body_metadata {
  std::string description;
  std::string media_type;       ///< empty: derived from the handler's type
  std::string schema, example;  ///< JSON; empty: none
  std::vector<std::pair<std::string, std::string>> headers{};  ///< of a response: name, description
};

/// The kind of response that follows from the handler's return type.
enum class response_kind { unknown, text, html, json };

struct route_metadata {
  // From the handler's type.
  std::vector<value_kind> parameters;  ///< types of the path parameters; empty if they are not arguments
  bool accepts_json = false;           ///< the handler takes a body<T>
  schema_function body_schema = nullptr, response_schema = nullptr;  ///< null: unknown
  bool accepts_upload = false;         ///< the request body is written to files
  response_kind response = response_kind::unknown;
  bool returns_optional = false;  ///< the handler returns an optional; an empty one is 404
  bool sets_status = false;       ///< the handler returns a reply or a pair, or takes the response

  // From the app.
  std::string name;  ///< for url_for; unique, except among the routes of one resource
  std::string summary, description;
  std::vector<std::string> tags;
  std::vector<parameter_metadata> values;  ///< query parameters, headers, cookies, form fields, files
  std::optional<body_metadata> request_body;
  std::vector<std::pair<int, body_metadata>> responses;  ///< by status, in the order of the calls
  bool deprecated = false;
  bool hidden = false;                      ///< not in the OpenAPI document
  std::optional<std::uint64_t> body_limit;  ///< maximum body in bytes; overrides the app's limit
  std::optional<std::uint64_t> file_limit;  ///< maximum size of each file of an upload, in bytes
  std::optional<std::chrono::milliseconds> timeout;  ///< of the handler; afterwards the client receives 503
};

}  // namespace detail::route
}  // inline namespace WINSVC_ABI
}  // namespace winsvc

// ---------------------------------------------------------------------------------------------------------------------

#if WINSVC_BODIES_ROUTE

namespace winsvc {
inline namespace WINSVC_ABI {
namespace detail::route {

WINSVC_INLINE std::string_view describe(value_kind k) noexcept {
  switch (k) {
    case value_kind::int32:
    case value_kind::int64: return "a whole number, or is too large";
    case value_kind::uint32:
    case value_kind::uint64: return "a whole number from 0 on, or is too large";
    case value_kind::number: return "a number";
    case value_kind::boolean: return "true or false";
    case value_kind::text: break;
  }
  return "text";
}

WINSVC_INLINE std::string value_schema(value_kind kind, std::string_view default_json) {
  base::json_object_writer s;
  switch (kind) {
    case value_kind::int32: s.put_text("type", "integer").put_text("format", "int32"); break;
    case value_kind::int64: s.put_text("type", "integer").put_text("format", "int64"); break;
    case value_kind::uint32: s.put_text("type", "integer").put("minimum", "0").put("maximum", "4294967295"); break;
    case value_kind::uint64: s.put_text("type", "integer").put("minimum", "0"); break;
    case value_kind::number: s.put_text("type", "number").put_text("format", "double"); break;
    case value_kind::boolean: s.put_text("type", "boolean"); break;
    case value_kind::text: s.put_text("type", "string"); break;
  }
  if (!default_json.empty()) s.put("default", default_json);
  return s.text();
}

WINSVC_INLINE std::string enum_schema(const std::vector<std::string_view>& values) {
  base::json_object_writer s;
  s.put_text("type", "string");
  s.put("enum", base::json_array(values, [](std::string_view value) { return base::json_quoted(value); }));
  return s.text();
}

WINSVC_INLINE std::string with_schema_members(std::string_view schema, std::string_view members) {
  if (members.empty()) return std::string(schema);
  std::string out(schema.substr(0, schema.size() - (schema.empty() ? 0 : 1)));
  for (const std::string_view key : {"\"minimum\":", "\"maximum\":"}) {  // a limit of the type, which the rule replaces
    const auto position = out.find(key);
    if (members.find(key) == members.npos || position == out.npos) continue;
    out.erase(position - 1, out.find(',', position) - (position - 1));
  }
  return (out.empty() ? "{" : out) + (out.size() > 1 ? "," : "") + std::string(members) + '}';
}

template <class T>
bool parses_as(std::string_view value) noexcept {
  T parsed{};
  const auto [end, error] = std::from_chars(value.data(), value.data() + value.size(), parsed);
  return error == std::errc() && end == value.data() + value.size();
}

WINSVC_INLINE bool accepts_text(value_kind k, std::string_view value) noexcept {
  switch (k) {
    case value_kind::int32: return parses_as<std::int32_t>(value);
    case value_kind::int64: return parses_as<std::int64_t>(value);
    case value_kind::uint32: return parses_as<std::uint32_t>(value);
    case value_kind::uint64: return parses_as<std::uint64_t>(value);
    case value_kind::number: return parses_as<double>(value);
    case value_kind::boolean: return value == "true" || value == "false";
    case value_kind::text: break;
  }
  return true;
}

}  // namespace detail::route
}  // inline namespace WINSVC_ABI
}  // namespace winsvc

#endif  // WINSVC_BODIES_ROUTE
