// route_metadata: name, description, body types and limits of a route.
//
//   route_metadata m;
//   m.name = "user", m.summary = "One user", m.parameters = {value_kind::int32};
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

#include "winsvc/config/abi.hpp"

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

/// A query value that the handler reads with `winsvc::query` or a similar function.
struct query_metadata {
  std::string name, description;
  value_kind kind = value_kind::text;
  bool required = false;
  std::string default_json;  ///< the default as JSON; empty: no default
};

/// The body of a request or a response.
struct body_metadata {
  std::string description;
  std::string media_type;       ///< empty: derived from the handler's type
  std::string schema, example;  ///< JSON; empty: none
};

/// The kind of response that follows from the handler's return type.
enum class response_kind { unknown, text, json };

struct route_metadata {
  // From the handler's type.
  std::vector<value_kind> parameters;  ///< types of the path parameters; empty if they are not arguments
  bool accepts_json = false;           ///< the handler takes a body<T>
  bool accepts_upload = false;         ///< the request body is written to files
  response_kind response = response_kind::unknown;
  bool returns_optional = false;  ///< the handler returns an optional; an empty one is 404
  bool sets_status = false;       ///< the handler returns a reply or a pair, or takes the response

  // From the app.
  std::string name;  ///< for url_for; unique, except among the routes of one resource
  std::string summary, description;
  std::vector<std::string> tags;
  std::vector<query_metadata> query;
  std::optional<body_metadata> request_body;
  std::vector<std::pair<int, body_metadata>> responses;  ///< by status, in the order of the calls
  bool deprecated = false;
  bool hidden = false;                      ///< not in the OpenAPI document
  std::optional<std::uint64_t> body_limit;  ///< maximum body in bytes; overrides the app's limit
  std::optional<std::uint64_t> file_limit;  ///< maximum size of each file of an upload, in bytes
  std::optional<std::chrono::milliseconds> time_limit;  ///< of the handler; afterwards the client receives 503
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
