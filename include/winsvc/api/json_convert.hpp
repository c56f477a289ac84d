// JSON conversion: converts a JSON value to a C++ type without losing information, and collects all faults.
//
//   json_faults faults;
//   auto value = convert_json<std::vector<int>>(document, {}, faults);   // fault: "/2: must be a whole number ..."
//
// nlohmann's own conversion truncates: 99999999999 becomes 1215752191 in an int, 1.5 becomes 1, and true becomes 1. So
// numbers, text, lists, maps and optionals are converted here, value by value. Another type is converted by its own
// from_json. It must have to_json too: the result is converted back and compared, so that a number or an unknown name
// of an enumeration that was changed is found at each depth.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <limits>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <tuple>
#include <type_traits>
#include <utility>
#include <vector>

#include "winsvc/api/json.hpp"
#include "winsvc/api/json_compare.hpp"
#include "winsvc/base/text.hpp"
#include "winsvc/config/abi.hpp"

namespace winsvc {
inline namespace WINSVC_ABI {
namespace detail::api {

/// Converts a value. Returns nullopt and adds at least one fault if it does not fit.
template <class T, class Json>
[[nodiscard]] std::optional<T> convert_json(const Json& value, const std::string& pointer, json_faults& faults);

// ---------------------------------------------------------------------------------------------------------------------

template <class T, class = void>
inline constexpr bool is_json_map = false;
template <class T>
inline constexpr bool is_json_map<T, std::void_t<typename T::mapped_type, typename T::key_type>> =
    std::is_same_v<typename T::key_type, std::string>;
template <class T, class = void>
inline constexpr bool is_json_list = false;
template <class T>
inline constexpr bool is_json_list<
    T, std::void_t<typename T::value_type,
                   decltype(std::declval<T&>().insert(std::declval<T&>().end(),
                                                      std::declval<typename T::value_type>()))>> =
    !is_json_map<T> && !std::is_convertible_v<T, std::string_view>;
template <class T, class = void>
inline constexpr bool has_mapped_type = false;
template <class T>
inline constexpr bool has_mapped_type<T, std::void_t<typename T::mapped_type>> = true;
template <class T, class = void>
inline constexpr bool is_json_tuple = false;
template <class T>
inline constexpr bool is_json_tuple<T, std::void_t<decltype(std::tuple_size<T>::value)>> = true;
template <class T>
inline constexpr bool is_json_optional = false;
template <class T>
inline constexpr bool is_json_optional<std::optional<T>> = true;

template <class T, class Json>
std::optional<T> convert_integer(const Json& value, const std::string& pointer, json_faults& faults) {
  if (const auto number = whole_number<T>(value)) return number;
  add_json_fault(value, pointer,
                 "a whole number from " + std::to_string((std::numeric_limits<T>::min)()) + " to " +
                     std::to_string((std::numeric_limits<T>::max)()), faults);
  return std::nullopt;
}

template <class T, class Json>
std::optional<T> convert_list(const Json& value, const std::string& pointer, json_faults& faults) {
  if (!value.is_array()) {
    add_json_fault(value, pointer, "a list", faults);
    return std::nullopt;
  }
  T list{};
  std::size_t position = 0;
  const auto before = faults.size();
  for (const auto& element : value) {
    auto converted = convert_json<typename T::value_type>(element, pointer_step(pointer, std::to_string(position++)),
                                                          faults);
    if (converted) list.insert(list.end(), std::move(*converted));
  }
  return faults.size() == before ? std::optional<T>(std::move(list)) : std::nullopt;
}

template <class T, class Json>
std::optional<T> convert_map(const Json& value, const std::string& pointer, json_faults& faults) {
  if (!value.is_object()) {
    add_json_fault(value, pointer, "an object", faults);
    return std::nullopt;
  }
  T map{};
  const auto before = faults.size();
  for (auto member = value.begin(); member != value.end(); ++member) {
    auto converted = convert_json<typename T::mapped_type>(member.value(), pointer_step(pointer, member.key()), faults);
    if (converted) map.emplace(member.key(), std::move(*converted));
  }
  return faults.size() == before ? std::optional<T>(std::move(map)) : std::nullopt;
}

template <class T, class Json, std::size_t... Index>
std::optional<T> convert_tuple(const Json& value, const std::string& pointer, json_faults& faults,
                               std::index_sequence<Index...>) {
  if (!value.is_array() || value.size() != sizeof...(Index)) {
    add_json_fault(value, pointer, "a list of " + std::to_string(sizeof...(Index)) + " values", faults);
    return std::nullopt;
  }
  auto parts = std::tuple{convert_json<std::tuple_element_t<Index, T>>(
      value[Index], pointer_step(pointer, std::to_string(Index)), faults)...};
  if (!(std::get<Index>(parts).has_value() && ...)) return std::nullopt;
  return T{std::move(*std::get<Index>(parts))...};
}

/// Converts by from_json, and compares the result with the document.
template <class T, class Json>
std::optional<T> convert_and_compare(const Json& value, const std::string& pointer, json_faults& faults) {
  const auto before = faults.size();
  const std::function<Json(const Json&)> convert = [](const Json& sent) { return Json(sent.template get<T>()); };
  std::optional<Json> safe;
  if (has_unsafe_number(value)) safe.emplace(with_safe_numbers(value, convert));
  const Json& sent = safe ? *safe : value;
  std::optional<T> result(sent.template get<T>());
  const Json kept(*result);
  converted_document<Json> document{sent, convert};
  if (std::is_enum_v<T> && (value.is_string() || kept.is_string()) && value != kept)
    add_json_fault(value, pointer, "a name of the enumeration", faults);
  else
    find_changed_values(document, value, kept, typename Json::json_pointer(), pointer, faults);
  if (faults.size() != before) result.reset();
  return result;
}

/// A value of a type with its own from_json.
template <class T, class Json>
std::optional<T> convert_by_type(const Json& value, const std::string& pointer, json_faults& faults) {
  constexpr bool has_to_json = std::is_constructible_v<Json, const T&>;
  static_assert(has_to_json,
                "winsvc: the type in body<T> has from_json, but not to_json. nlohmann's conversion truncates numbers, "
                "which can be found only if the result is converted back. Describe the type with WINSVC_TYPE, add "
                "to_json, or take winsvc::body<winsvc::json> and convert it in the handler");
  if constexpr (has_to_json) {
    json_faults other_kinds;  // compared with a default value; they matter only if the conversion fails
    if constexpr (std::is_default_constructible_v<T> && std::is_class_v<T>) {
      try {
        find_other_kinds(value, Json(T{}), pointer, other_kinds);
      } catch (...) {  // a default value without JSON: the conversion below decides
      }
    }
    try {
      return convert_and_compare<T>(value, pointer, faults);
    } catch (const typename Json::exception& e) {
      const std::string message = e.what();  // "[json.exception.type_error.302] type must be ..."
      faults.add(other_kinds);
      if (other_kinds.empty() || message.find("not found") != message.npos) {
        const auto bracket = message.find("] ");
        const std::string place = locate_json_error(
            value, message, [](const Json& changed) { static_cast<void>(changed.template get<T>()); });
        faults.add(pointer + place, std::string_view(message).substr(bracket == message.npos ? 0 : bracket + 2));
      }
    } catch (const std::invalid_argument& e) {  // from_json throws it for an invalid value of the right type
      faults.add(pointer, e.what());
    }
  }
  return std::nullopt;
}

template <class T, class Json>
std::optional<T> convert_json(const Json& value, const std::string& pointer, json_faults& faults) {
  if constexpr (is_nlohmann<T>::value) {
    return T(value);
  } else if constexpr (is_json_optional<T>) {
    if (value.is_null()) return T();
    auto inner = convert_json<typename T::value_type>(value, pointer, faults);
    return inner ? std::optional<T>(T(std::move(*inner))) : std::nullopt;
  } else if constexpr (std::is_same_v<T, bool>) {
    if (value.is_boolean()) return value.template get<bool>();
    add_json_fault(value, pointer, "true or false", faults);
    return std::nullopt;
  } else if constexpr (std::is_integral_v<T>) {
    return convert_integer<T>(value, pointer, faults);
  } else if constexpr (std::is_floating_point_v<T>) {
    if (value.is_number()) {
      const auto number = value.template get<double>();
      constexpr auto max = static_cast<long double>((std::numeric_limits<T>::max)());
      if (number <= max && number >= -max) return static_cast<T>(number);
    }
    add_json_fault(value, pointer, "a number in the range of its type", faults);
    return std::nullopt;
  } else if constexpr (std::is_same_v<T, std::string>) {
    if (value.is_string()) return value.template get<std::string>();
    add_json_fault(value, pointer, "text", faults);
    return std::nullopt;
  } else if constexpr (is_json_map<T>) {
    return convert_map<T>(value, pointer, faults);
  } else if constexpr (is_json_list<T> && !has_mapped_type<T>) {
    return convert_list<T>(value, pointer, faults);
  } else if constexpr (is_json_tuple<T>) {
    return convert_tuple<T>(value, pointer, faults, std::make_index_sequence<std::tuple_size_v<T>>());
  } else {
    return convert_by_type<T>(value, pointer, faults);
  }
}

}  // namespace detail::api
}  // inline namespace WINSVC_ABI
}  // namespace winsvc
