// What is known of a route beside its pattern: its name, what it takes and answers, and what the app says about it.
//
//   facts f;
//   f.name = "user", f.summary = "One user", f.parameters = {value_kind::int32};
//
// The parts that follow from the handler's type are filled when it is registered, the rest by
// `api/route_builder.hpp`. It serves nothing: url_for, the `routes` verb, the OpenAPI document and the limits read it.
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
namespace route {

/// What a value in a path or a query is, as far as descriptions go.
enum class value_kind { text, int32, int64, uint32, uint64, number, boolean };

template <class T>
[[nodiscard]] constexpr value_kind kind_of_value() noexcept {
  if constexpr (std::is_same_v<T, bool>) return value_kind::boolean;
  else if constexpr (std::is_floating_point_v<T>) return value_kind::number;
  else if constexpr (!std::is_integral_v<T>) return value_kind::text;
  else if constexpr (sizeof(T) > 4) return std::is_unsigned_v<T> ? value_kind::uint64 : value_kind::int64;
  else return std::is_unsigned_v<T> ? value_kind::uint32 : value_kind::int32;
}

/// "a whole number", for sentences.
[[nodiscard]] std::string_view describe(value_kind k) noexcept;

/// Would a path parameter of this kind take this text?
[[nodiscard]] bool accepts_text(value_kind k, std::string_view value) noexcept;

/// A value of the query, as `winsvc::query` and its kin read it.
struct query_metadata {
  std::string name, description;
  value_kind kind = value_kind::text;
  bool required = false;
  std::string default_json;  ///< the default as JSON; empty when there is none
};

/// A body, of a request or of an answer.
struct body_metadata {
  std::string description;
  std::string media_type;       ///< empty: what the handler's type says
  std::string schema, example;  ///< JSON; empty when there is none
};

/// What a handler's type says about its answer.
enum class response_kind { unknown, text, json };

struct route_metadata {
  // From the handler's type.
  std::vector<value_kind> parameters;  ///< of the path, in order; empty where the handler reads them itself
  bool accepts_json = false;             ///< it has a body<T>
  bool accepts_upload = false;           ///< its body goes into files
  response_kind response = response_kind::unknown;
  bool returns_optional = false;  ///< it returns an optional: 404
  bool sets_status = false;  ///< it returns a reply or a pair, or works on the response

  // What the app says.
  std::string name;  ///< for url_for; unique but among the routes of one resource
  std::string summary, description;
  std::vector<std::string> tags;
  std::vector<query_metadata> query;
  std::optional<body_metadata> request_body;
  std::vector<std::pair<int, body_metadata>> responses;  ///< by status, in the order they were said
  bool deprecated = false;
  bool hidden = false;                     ///< not in the description
  std::optional<std::uint64_t> body_limit;  ///< bytes, in place of the app's limit
  std::optional<std::uint64_t> file_limit;  ///< bytes of each file of an upload
  std::optional<std::chrono::milliseconds> time_limit;  ///< of the handler; then the client gets 503
};

}  // namespace route
}  // inline namespace WINSVC_ABI
}  // namespace winsvc

// ---------------------------------------------------------------------------------------------------------------------

#if WINSVC_BODIES_ROUTE

namespace winsvc {
inline namespace WINSVC_ABI {
namespace route {

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
  T to{};
  const auto [end, failed] = std::from_chars(value.data(), value.data() + value.size(), to);
  return failed == std::errc() && end == value.data() + value.size();
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

}  // namespace route
}  // inline namespace WINSVC_ABI
}  // namespace winsvc

#endif  // WINSVC_BODIES_ROUTE
