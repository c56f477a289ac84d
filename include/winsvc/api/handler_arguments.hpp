// Arguments of a handler: `body<T>`, and the kind of each parameter, which the compiler finds from its type.
//
//   [](const winsvc::request& req, int id, winsvc::body<todo> item) { ... }
//   // kind_of<int>() == argument_kind::parameter, kind_of<body<todo>>() == argument_kind::body
//
// api/handler.hpp has the rules for their order and converts the values; api/parameter.hpp has the sources of values.
#pragma once

#include <optional>
#include <type_traits>
#include <vector>

#include "winsvc/api/httplib.hpp"
#include "winsvc/api/json_type.hpp"
#include "winsvc/api/text_value.hpp"
#include "winsvc/api/upload.hpp"
#include "winsvc/config/abi.hpp"
#include "winsvc/route/metadata.hpp"

namespace winsvc {
inline namespace WINSVC_ABI {

/// Handler parameter: the body of the request, converted from JSON to T. Use it like a pointer, with `*` and `->`. The
/// types of api/json_type.hpp are read strictly and checked. Another type is converted by nlohmann's `from_json`; it
/// must have `to_json` too, because only a comparison finds the numbers that `from_json` truncates
/// (api/json_convert.hpp).
/// Requires <nlohmann/json.hpp>, or another parser for the types of api/json_type.hpp (api/json_library.hpp).
template <class T>
struct body {
  T value;
  T& operator*() noexcept { return value; }
  const T& operator*() const noexcept { return value; }
  T* operator->() noexcept { return &value; }
  const T* operator->() const noexcept { return &value; }
};

namespace detail::api {

template <class T>
struct is_body : std::false_type {};
template <class T>
struct is_body<body<T>> : std::true_type {};

enum class argument_kind { request, response, parameter, sourced, body, upload, object, unsupported };

/// True for the arguments that have a value of the path or of a source.
constexpr bool is_value_kind(argument_kind kind) noexcept {
  return kind == argument_kind::parameter || kind == argument_kind::sourced;
}

template <class Argument>
using plain_type = std::remove_cv_t<std::remove_reference_t<Argument>>;

/// True for std::optional and std::vector of a text value, for uploaded files, and for enumerations without
/// WINSVC_ENUM, whose names are options of the source.
template <class T>
inline constexpr bool is_sourced_value = std::is_same_v<T, uploaded_file> || std::is_enum_v<T>;
template <class T>
inline constexpr bool is_sourced_value<std::optional<T>> = is_text_value<T> || is_sourced_value<T>;
template <class T>
inline constexpr bool is_sourced_value<std::vector<T>> = is_text_value<T> || is_sourced_value<T>;

template <class Argument>
constexpr argument_kind kind_of() noexcept {
  using plain = plain_type<Argument>;
  constexpr bool mutable_reference =
      std::is_lvalue_reference_v<Argument> && !std::is_const_v<std::remove_reference_t<Argument>>;
  if constexpr (std::is_same_v<plain, winsvc::request>) {
    return mutable_reference || !std::is_reference_v<Argument> ? argument_kind::unsupported : argument_kind::request;
  } else if constexpr (std::is_same_v<plain, winsvc::response> || std::is_same_v<plain, httplib::Response>) {
    return mutable_reference ? argument_kind::response : argument_kind::unsupported;
  } else if constexpr (is_body<plain>::value) {
    return mutable_reference ? argument_kind::unsupported : argument_kind::body;
  } else if constexpr (std::is_same_v<plain, winsvc::upload>) {
    return mutable_reference ? argument_kind::unsupported : argument_kind::upload;
  } else if constexpr (is_text_value<plain>) {
    return mutable_reference ? argument_kind::unsupported : argument_kind::parameter;
  } else if constexpr (is_sourced_value<plain>) {
    return mutable_reference ? argument_kind::unsupported : argument_kind::sourced;
  } else {
    return mutable_reference && std::is_class_v<plain> ? argument_kind::object : argument_kind::unsupported;
  }
}

/// True if the order is request, response, values, then one body or upload, each at most once except values. Objects
/// may be anywhere.
template <class... Arguments>
constexpr bool check_argument_order() noexcept {
  argument_kind last = argument_kind::request;
  bool first = true, ok = true;
  [[maybe_unused]] const auto check_next = [&](argument_kind kind) {
    if (kind == argument_kind::object) return;
    if (kind == argument_kind::sourced) kind = argument_kind::parameter;
    if (!first && (kind < last || last >= argument_kind::body ||
                   (kind == last && kind != argument_kind::parameter))) ok = false;
    last = kind;
    first = false;
  };
  (check_next(kind_of<Arguments>()), ...);
  return ok;
}

/// The function that returns the schema of a type; null if the type has none.
template <class T>
[[nodiscard]] constexpr route::schema_function schema_of() noexcept {
  if constexpr (is_json_value<T>) return &json_type<T>::schema;
  else return nullptr;
}
template <class T>
[[nodiscard]] constexpr route::schema_function schema_of(const body<T>*) noexcept { return schema_of<T>(); }
[[nodiscard]] constexpr route::schema_function schema_of(const void*) noexcept { return nullptr; }

}  // namespace detail::api
}  // inline namespace WINSVC_ABI
}  // namespace winsvc
