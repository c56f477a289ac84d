// Text values: the types that a path parameter, query parameter, header, cookie or form field may have.
//
//   bool, integers, double, std::string, std::string_view, std::chrono durations of milliseconds or longer units (30s),
//   byte_size (64k), an enumeration with WINSVC_ENUM, and types for which winsvc::text_traits is specialized
//
//   enum class order { ascending, descending };
//   WINSVC_ENUM(order, ascending, descending)                     // in the namespace of the enumeration
//
//   svc.get("/items", winsvc::query("order"), [](std::optional<order> o) { ... });       // ?order=descending
//
// settings/setting_value.hpp has text_traits and the text form of durations and sizes.
#pragma once

#include <charconv>
#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <system_error>
#include <type_traits>
#include <utility>
#include <vector>

#include "winsvc/base/text.hpp"
#include "winsvc/config/abi.hpp"
#include "winsvc/route/metadata.hpp"
#include "winsvc/settings/setting_value.hpp"

namespace winsvc {
inline namespace WINSVC_ABI {
namespace detail::api {

/// The names and values of an enumeration, from WINSVC_ENUM.
template <class E>
using enum_table = std::vector<std::pair<std::string_view, E>>;

template <class T, class = void>
inline constexpr bool is_named_enum = false;
template <class T>
inline constexpr bool is_named_enum<T, std::void_t<decltype(winsvc_enum_values(static_cast<const T*>(nullptr)))>> =
    true;

/// True if the text forms of api/text_value.hpp include T.
template <class T>
inline constexpr bool is_text_value =
    std::is_same_v<T, bool> || (std::is_integral_v<T> && !std::is_same_v<T, char>) || std::is_same_v<T, double> ||
    std::is_same_v<T, std::string> || std::is_same_v<T, std::string_view> || is_named_enum<T> ||
    (settings::setting_type<T>::is_supported && !std::is_same_v<T, std::vector<std::string>>);

/// The type in which a value is stored: std::string for std::string_view.
template <class T>
using stored_value = std::conditional_t<std::is_same_v<T, std::string_view>, std::string, T>;

/// The type of one value: T for T, std::optional<T> and std::vector<T>.
template <class T>
struct single_value {
  using type = T;
  static constexpr bool is_optional = false, is_list = false;
};
template <class T>
struct single_value<std::optional<T>> {
  using type = T;
  static constexpr bool is_optional = true, is_list = false;
};
template <class T>
struct single_value<std::vector<T>> {
  using type = T;
  static constexpr bool is_optional = false, is_list = true;
};

/// Parses true, 1, yes, on, or false, 0, no, off, in any case.
[[nodiscard]] std::optional<bool> parse_bool(std::string_view text) noexcept;
/// "one, two or three".
[[nodiscard]] std::string list_of_names(const std::vector<std::string_view>& names);

template <class E>
[[nodiscard]] std::vector<std::string_view> enum_name_list() {
  std::vector<std::string_view> names;
  for (const auto& [name, value] : winsvc_enum_values(static_cast<const E*>(nullptr))) names.push_back(name);
  return names;
}

/// Converts text to T. Returns false if the text is not a T.
template <class T>
[[nodiscard]] bool convert(const std::string& text, T& value) {
  if constexpr (std::is_same_v<T, std::string>) {
    value = text;
    return true;
  } else if constexpr (std::is_same_v<T, bool>) {
    const auto parsed = parse_bool(text);
    value = parsed.value_or(false);
    return parsed.has_value();
  } else if constexpr (std::is_arithmetic_v<T>) {
    const auto [end, failed] = std::from_chars(text.data(), text.data() + text.size(), value);
    if constexpr (std::is_same_v<T, double>) {
      if (!(value - value == 0)) return false;  // from_chars accepts "inf" and "nan"
    }
    return failed == std::errc() && end == text.data() + text.size() && !text.empty();
  } else if constexpr (is_named_enum<T>) {
    for (const auto& [name, named_value] : winsvc_enum_values(static_cast<const T*>(nullptr))) {
      if (name == text) {
        value = named_value;
        return true;
      }
    }
    return false;
  } else {
    auto parsed = settings::setting_type<T>::parse(text);
    if (parsed) value = std::move(*parsed);
    return parsed.has_value();
  }
}

/// The text of a value, which `convert` reads.
template <class T>
[[nodiscard]] std::string text_of_value(const T& value) {
  if constexpr (std::is_same_v<T, bool>) {
    return value ? "true" : "false";
  } else if constexpr (is_named_enum<T>) {
    for (const auto& [name, named_value] : winsvc_enum_values(static_cast<const T*>(nullptr))) {
      if (named_value == value) return std::string(name);
    }
    return {};
  } else {
    return settings::setting_type<T>::text(value);
  }
}

/// The expected text, for messages: "a whole number".
template <class T>
[[nodiscard]] std::string text_kind() {
  if constexpr (std::is_same_v<T, bool>) return "true or false";
  else if constexpr (is_named_enum<T>) return list_of_names(enum_name_list<T>());
  else return settings::setting_type<T>::kind();
}

/// The JSON Schema of the text.
template <class T>
[[nodiscard]] std::string text_schema() {
  if constexpr (is_named_enum<T>) return route::enum_schema(enum_name_list<T>());
  else return route::value_schema(route::kind_of_value<T>());
}

}  // namespace detail::api
}  // inline namespace WINSVC_ABI
}  // namespace winsvc

// ---------------------------------------------------------------------------------------------------------------------

#if WINSVC_BODIES_API

namespace winsvc {
inline namespace WINSVC_ABI {
namespace detail::api {

WINSVC_INLINE std::optional<bool> parse_bool(std::string_view text) noexcept {
  for (const char* yes : {"true", "1", "yes", "on"}) {
    if (base::equal_nocase(text, yes)) return true;
  }
  for (const char* no : {"false", "0", "no", "off"}) {
    if (base::equal_nocase(text, no)) return false;
  }
  return std::nullopt;
}

WINSVC_INLINE std::string list_of_names(const std::vector<std::string_view>& names) {
  std::string out;
  for (std::size_t i = 0; i < names.size(); ++i)
    out += (i == 0 ? "" : i + 1 == names.size() ? " or " : ", ") + std::string(names[i]);
  return out;
}

}  // namespace detail::api
}  // inline namespace WINSVC_ABI
}  // namespace winsvc

#endif  // WINSVC_BODIES_API
