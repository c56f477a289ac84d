// JSON conversion: converts a JSON value to a C++ type without losing information, and collects all faults.
//
//   json_faults faults;
//   auto value = convert_json<std::vector<int>>(document, {}, faults);   // fault: "/2: must be a whole number ..."
//
// nlohmann's own conversion truncates: 99999999999 becomes 1215752191 in an int, 1.5 becomes 1, and true becomes 1. So
// numbers, text, lists, maps and optionals are converted here, value by value. Another type is converted by its own
// from_json. If it has to_json too, the result is converted back and compared, so that a number that was changed is
// found at each depth.
#pragma once

#include <cstddef>
#include <cstdint>
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
#include "winsvc/base/text.hpp"
#include "winsvc/config/abi.hpp"

namespace winsvc {
inline namespace WINSVC_ABI {
namespace detail::api {

/// The faults of a document.
class json_faults {
 public:
  /// `pointer`: JSON pointer of the value (RFC 6901); empty: the document itself.
  void add(const std::string& pointer, std::string_view reason) {
    if (++count_ <= max_faults) texts_.push_back(pointer + (pointer.empty() ? "" : ": ") + std::string(reason));
  }
  void add(const json_faults& other) {
    count_ += other.count_;
    for (const auto& text : other.texts_) {
      if (texts_.size() < max_faults) texts_.push_back(text);
    }
  }
  [[nodiscard]] bool empty() const noexcept { return count_ == 0; }
  [[nodiscard]] std::size_t size() const noexcept { return count_; }
  /// All faults in one line.
  [[nodiscard]] std::string text() const {
    const std::string all = base::join(texts_, "; ");
    return count_ <= max_faults ? all : all + "; and " + std::to_string(count_ - max_faults) + " more";
  }

 private:
  static constexpr std::size_t max_faults = 50;  // a response is not much larger than the request that causes it
  std::size_t count_ = 0;
  std::vector<std::string> texts_;
};

/// Appends a step to a JSON pointer.
[[nodiscard]] std::string pointer_step(const std::string& pointer, std::string_view key);

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

/// The value in a message, for example `a number`, `99999999999`, `true`.
template <class Json>
std::string describe_json(const Json& value) {
  if (value.is_object()) return "an object";
  if (value.is_array()) return "a list";
  if (value.is_string()) return "text";
  return std::string(base::truncate(text_of_json(value), 40));  // a number, true, false or null
}
template <class Json>
void add_json_fault(const Json& value, const std::string& pointer, const std::string& requirement,
                    json_faults& faults) {
  faults.add(pointer, "must be " + requirement + ", but is " + describe_json(value));
}

/// The value of a JSON number as an Integer; nullopt if it is not a whole number, or does not fit. A number with a
/// decimal point is whole if it has no fraction, as in JSON Schema.
template <class Integer, class Json>
std::optional<Integer> whole_number(const Json& value) {
  constexpr auto min = (std::numeric_limits<Integer>::min)();
  constexpr auto max = (std::numeric_limits<Integer>::max)();
  if (value.is_number_unsigned()) {
    const auto number = value.template get<std::uint64_t>();
    return number <= static_cast<std::uint64_t>(max) ? std::optional(static_cast<Integer>(number)) : std::nullopt;
  }
  if (value.is_number_integer()) {
    const auto number = value.template get<std::int64_t>();
    if (number < 0) {
      const bool fits = std::is_signed_v<Integer> && number >= static_cast<std::int64_t>(min);
      return fits ? std::optional(static_cast<Integer>(number)) : std::nullopt;
    }
    const bool fits = static_cast<std::uint64_t>(number) <= static_cast<std::uint64_t>(max);
    return fits ? std::optional(static_cast<Integer>(number)) : std::nullopt;
  }
  if (!value.is_number_float()) return std::nullopt;
  const double number = value.template get<double>();
  constexpr double limit = 9007199254740992.0;  // 2^53: up to here each whole number is exact
  if (!(number >= -limit && number <= limit)) return std::nullopt;
  const auto whole = static_cast<std::int64_t>(number);
  if (static_cast<double>(whole) != number) return std::nullopt;
  return whole_number<Integer>(Json(whole));
}

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

/// True if `kept` is what remains of the whole number `sent` in an integer of 8, 16, 32 or 64 bits.
[[nodiscard]] bool is_wrapped_number(std::uint64_t sent, std::uint64_t kept) noexcept;

/// Compares a document with what a type has kept of it. Adds a fault for each number that the conversion has changed.
template <class Json>
void find_changed_numbers(const Json& sent, const Json& kept, const std::string& pointer, json_faults& faults) {
  if (sent.is_object() && kept.is_object()) {
    for (auto member = sent.begin(); member != sent.end(); ++member) {
      const auto other = kept.find(member.key());
      if (other != kept.end())
        find_changed_numbers(member.value(), other.value(), pointer_step(pointer, member.key()), faults);
    }
  } else if (sent.is_array() && kept.is_array() && sent.size() == kept.size()) {
    for (std::size_t i = 0; i < sent.size(); ++i)
      find_changed_numbers(sent[i], kept[i], pointer_step(pointer, std::to_string(i)), faults);
  } else if (kept.is_number_integer()) {
    if (sent.is_boolean()) return add_json_fault(sent, pointer, "a whole number", faults);
    if (sent.is_number_float()) {
      const auto whole = whole_number<std::int64_t>(sent);
      const bool same = whole && *whole == kept.template get<std::int64_t>();
      if (!same) add_json_fault(sent, pointer, "a whole number", faults);
    } else if (sent.is_number_integer() && sent != kept &&
               is_wrapped_number(sent.template get<std::uint64_t>(), kept.template get<std::uint64_t>())) {
      add_json_fault(sent, pointer, "a whole number in the range of its type", faults);
    }
  } else if (kept.is_number_float() && sent.is_boolean()) {
    add_json_fault(sent, pointer, "a number", faults);
  }
}

/// Compares a document with a default value of its type. Adds a fault for each value of another kind. An empty list or
/// null in the model can be anything.
template <class Json>
void find_other_kinds(const Json& sent, const Json& model, const std::string& pointer, json_faults& faults) {
  if (model.is_object()) {
    if (!sent.is_object()) return add_json_fault(sent, pointer, "an object", faults);
    for (auto member = model.begin(); member != model.end(); ++member) {
      const auto found = sent.find(member.key());
      if (found != sent.end())
        find_other_kinds(found.value(), member.value(), pointer_step(pointer, member.key()), faults);
    }
  } else if (model.is_array()) {
    if (!sent.is_array()) return add_json_fault(sent, pointer, "a list", faults);
    if (model.size() != sent.size()) return;
    for (std::size_t i = 0; i < sent.size(); ++i)
      find_other_kinds(sent[i], model[i], pointer_step(pointer, std::to_string(i)), faults);
  } else if (model.is_number_integer()) {
    if (!sent.is_number() || (sent.is_number_float() && !whole_number<std::int64_t>(sent)))
      add_json_fault(sent, pointer, "a whole number", faults);
  } else if (model.is_number_float()) {
    if (!sent.is_number()) add_json_fault(sent, pointer, "a number", faults);
  } else if (model.is_string()) {
    if (!sent.is_string()) add_json_fault(sent, pointer, "text", faults);
  } else if (model.is_boolean()) {
    if (!sent.is_boolean()) add_json_fault(sent, pointer, "true or false", faults);
  }
}

/// True if an integer of the model would receive a number beyond 64 bits. nlohmann's conversion of such a number is
/// undefined behavior.
template <class Json>
bool has_unsafe_number(const Json& sent, const Json& model) {
  if (model.is_object() && sent.is_object()) {
    for (auto member = model.begin(); member != model.end(); ++member) {
      const auto found = sent.find(member.key());
      if (found != sent.end() && has_unsafe_number(found.value(), member.value())) return true;
    }
  } else if (model.is_array() && sent.is_array() && model.size() == sent.size()) {
    for (std::size_t i = 0; i < sent.size(); ++i) {
      if (has_unsafe_number(sent[i], model[i])) return true;
    }
  } else if (model.is_number_integer() && sent.is_number_float()) {
    const auto number = sent.template get<double>();
    return !(number > -9.2e18 && number < 9.2e18);
  }
  return false;
}

/// A value of a type with its own from_json.
template <class T, class Json>
std::optional<T> convert_by_type(const Json& value, const std::string& pointer, json_faults& faults) {
  constexpr bool has_to_json = std::is_constructible_v<Json, const T&>;
  json_faults other_kinds;  // compared with a default value; they matter only if the conversion fails
  if constexpr (has_to_json && std::is_default_constructible_v<T> && std::is_class_v<T>) {
    try {
      const Json model(T{});
      find_other_kinds(value, model, pointer, other_kinds);
      if (has_unsafe_number(value, model)) {
        faults.add(other_kinds);
        return std::nullopt;
      }
    } catch (...) {  // a default value without JSON: the conversion below decides
    }
  }
  const auto before = faults.size();
  try {
    T result = value.template get<T>();
    if constexpr (has_to_json) find_changed_numbers(value, Json(result), pointer, faults);
    if (faults.size() == before) return result;
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

// ---------------------------------------------------------------------------------------------------------------------

#if WINSVC_BODIES_API

namespace winsvc {
inline namespace WINSVC_ABI {
namespace detail::api {

WINSVC_INLINE std::string pointer_step(const std::string& pointer, std::string_view key) {
  std::string out = pointer + '/';
  for (const char c : key) {
    if (c == '~') out += "~0";
    else if (c == '/') out += "~1";
    else out += c;
  }
  return out;
}

WINSVC_INLINE bool is_wrapped_number(std::uint64_t sent, std::uint64_t kept) noexcept {
  if (sent == kept) return true;  // the same bits, but another sign
  for (const unsigned bits : {8u, 16u, 32u}) {
    const std::uint64_t mask = (std::uint64_t{1} << bits) - 1;
    const std::uint64_t high = kept & ~mask;
    const bool fits_unsigned = high == 0;
    const bool fits_signed = high == ~mask && (kept >> (bits - 1) & 1) != 0;
    if ((sent & mask) == (kept & mask) && (fits_unsigned || fits_signed)) return true;
  }
  return false;
}

}  // namespace detail::api
}  // inline namespace WINSVC_ABI
}  // namespace winsvc

#endif  // WINSVC_BODIES_API
