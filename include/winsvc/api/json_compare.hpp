// JSON comparison: checks that the conversion of JSON to a C++ type lost nothing (round trip), and collects the faults.
//
//   json_faults faults;
//   converted_document<json> document{sent, convert};
//   find_changed_values(document, sent, convert(sent), json::json_pointer(), {}, faults);   // "/a: must be a ..."
//
// The conversion returns the result as JSON again. A number that was truncated differs there, and so does an unknown
// name of an enumeration. The rules for single values are here too (whole_number).
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <limits>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>
#include <vector>

#include "winsvc/api/abort.hpp"
#include "winsvc/api/faults.hpp"
#include "winsvc/api/json.hpp"
#include "winsvc/base/json_writer.hpp"
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
    if (++count_ <= max_faults) faults_.push_back({pointer, std::string(reason)});
  }
  void add(const json_faults& other) {
    count_ += other.count_;
    for (const auto& each : other.faults_) {
      if (faults_.size() < max_faults) faults_.push_back(each);
    }
  }
  [[nodiscard]] bool empty() const noexcept { return count_ == 0; }
  [[nodiscard]] std::size_t size() const noexcept { return count_; }
  /// Ends the handler with 422 and all faults.
  [[noreturn]] void abort() const;

 private:
  struct fault {
    std::string pointer, reason;
  };
  static constexpr std::size_t max_faults = 50;  // a response is not much larger than the request that causes it
  std::size_t count_ = 0;
  std::vector<fault> faults_;
};

/// Appends a step to a JSON pointer.
[[nodiscard]] std::string pointer_step(const std::string& pointer, std::string_view key);

// ---------------------------------------------------------------------------------------------------------------------

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

/// True if a number with a decimal point or an exponent is a whole number that a double can state exactly. So a whole
/// number that is too large for std::int64_t, which a parser may return as a double, is not accepted rounded. The limit
/// is excluded: the parser rounds the next whole number to it.
[[nodiscard]] constexpr bool is_exact_whole_number(double number) noexcept {
  constexpr double limit = 9007199254740992.0;  // 2 to the power of 53
  return number > -limit && number < limit && static_cast<double>(static_cast<std::int64_t>(number)) == number;
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
  if (!is_exact_whole_number(number)) return std::nullopt;
  return whole_number<Integer>(Json(static_cast<std::int64_t>(number)));
}

/// True if `kept` is what remains of the whole number `sent` in an integer of 8, 16, 32 or 64 bits.
[[nodiscard]] bool is_wrapped_number(std::uint64_t sent, std::uint64_t kept) noexcept;

/// True if a number has a decimal point and does not fit into the smallest integer. nlohmann's conversion of a number
/// to an integer that cannot have it is undefined behavior.
template <class Json>
bool is_unsafe_number(const Json& value) {
  if (!value.is_number_float()) return false;
  const auto number = value.template get<double>();
  return !(number >= 0 && number < 128);
}
template <class Json>
bool has_unsafe_number(const Json& value) {
  if (!value.is_structured()) return is_unsafe_number(value);
  for (const auto& member : value) {
    if (has_unsafe_number(member)) return true;
  }
  return false;
}
/// Replaces each unsafe number.
template <class Json>
void replace_unsafe_numbers(Json& value, double replacement) {
  if (is_unsafe_number(value)) value = replacement;
  if (!value.is_structured()) return;
  for (auto& member : value) replace_unsafe_numbers(member, replacement);
}
/// Calls `f` for each place that both documents have, with two values that are neither objects nor lists.
template <class Json, class Kept, class F>
void for_each_common_place(Json& sent, Kept& kept, const F& f) {
  if (sent.is_object() && kept.is_object()) {
    for (auto member = sent.begin(); member != sent.end(); ++member) {
      const auto other = kept.find(member.key());
      if (other != kept.end()) for_each_common_place(member.value(), other.value(), f);
    }
  } else if (sent.is_array() && kept.is_array() && sent.size() == kept.size()) {
    for (std::size_t i = 0; i < sent.size(); ++i) for_each_common_place(sent[i], kept[i], f);
  } else if (!sent.is_structured() && !kept.is_structured()) {
    f(sent, kept);
  }
}
/// Replaces each unsafe number that the type keeps in an integer: 1e3 by 1000, and 1e30, which is rejected later, by
/// `replacement`.
template <class Json>
void replace_whole_numbers(Json& document, const Json& kept, double replacement) {
  for_each_common_place(document, kept, [replacement](Json& sent, const Json& other) {
    if (!is_unsafe_number(sent) || !other.is_number_integer()) return;
    const auto whole = whole_number<std::int64_t>(sent);
    sent = whole ? Json(*whole) : Json(replacement);
  });
}

/// The document without the numbers whose conversion to an integer is undefined. A conversion with other numbers shows
/// which of them the type keeps in integers.
template <class Json>
Json with_safe_numbers(const Json& value, const std::function<Json(const Json&)>& convert) {
  for (const double replacement : {1.5, 100.5, 0.5}) {
    Json document = value;
    replace_unsafe_numbers(document, replacement);
    try {
      const Json kept = convert(document);
      document = value;
      replace_whole_numbers(document, kept, replacement);
      return document;
    } catch (...) {  // the type rejects the replacement, or another value: then the conversion reports it
    }
  }
  return value;
}

/// A document, and its conversion to a type and back, which can be repeated for changed documents.
template <class Json>
struct converted_document {
  const Json& sent;
  const std::function<Json(const Json&)>& convert;
  int attempts_left = 64;  ///< each attempt copies and converts the document
};

/// False if the result is the same without the value at `place`. So `to_json` may write there what `from_json` does not
/// read, for example a date. A member with a default value has no effect either, if its value is the default.
template <class Json>
bool has_effect(converted_document<Json>& document, const typename Json::json_pointer& place, const Json& kept) {
  if (place.empty() || document.attempts_left-- <= 0) return true;
  try {
    Json changed = document.sent;
    Json& parent = changed[place.parent_pointer()];
    if (!parent.is_object()) return true;
    parent.erase(place.back());
    return document.convert(changed).at(place) != kept;
  } catch (...) {  // the type requires the value
    return true;
  }
}

/// True if the conversion of `value` at `place` succeeds with the result `kept`.
template <class Json>
bool results_in(converted_document<Json>& document, const typename Json::json_pointer& place, const Json& value,
                const Json& kept) {
  if (document.attempts_left-- <= 0) return false;
  try {
    Json changed = document.sent;
    changed[place] = value;
    return document.convert(changed).at(place) == kept;
  } catch (...) {  // the type checks the value itself
    return false;
  }
}

/// True if the type ignores a number at `place`: each number gives the same result.
template <class Json>
bool ignores_number(converted_document<Json>& document, const typename Json::json_pointer& place, const Json& kept) {
  return results_in(document, place, Json(1), kept) && results_in(document, place, Json(2), kept);
}

/// True if the type accepts each text and number at `place` with the same result, and requires a value. Thus an
/// enumeration of NLOHMANN_JSON_SERIALIZE_ENUM takes its first name in place of an unknown one.
template <class Json>
bool is_unknown_value(converted_document<Json>& document, const typename Json::json_pointer& place, const Json& kept) {
  const Json& value = document.sent[place];
  return results_in(document, place, Json("?" + text_of_json(value) + "?"), kept) &&
         results_in(document, place, Json(0.25), kept) && has_effect(document, place, kept);
}

/// The requirement of a value that the conversion has changed to the number `kept`; null: it has not changed the value.
template <class Json>
const char* broken_requirement(const Json& sent, const Json& kept) {
  if (kept.is_number_integer()) {
    if (sent.is_boolean()) return "a whole number";
    if (sent.is_number_float()) {
      const auto whole = whole_number<std::int64_t>(sent);
      return whole && *whole == kept.template get<std::int64_t>() ? nullptr : "a whole number";
    }
    const bool wrapped =
        sent.is_number_integer() && sent != kept &&
        is_wrapped_number(sent.template get<std::uint64_t>(), kept.template get<std::uint64_t>());
    return wrapped ? "a whole number in the range of its type" : nullptr;
  }
  if (sent.is_boolean()) return "a number";
  const auto number = kept.template get<double>();
  return sent.is_number() && number - number != 0 ? "a number in the range of its type" : nullptr;  // 1e300 in a float
}

/// Compares a document with what a type has kept of it. Adds a fault for each number that the conversion has changed,
/// and for each text that is not one of the values of the type.
template <class Json>
void find_changed_values(converted_document<Json>& document, const Json& sent, const Json& kept,
                         const typename Json::json_pointer& place, const std::string& pointer, json_faults& faults) {
  if (sent.is_object() && kept.is_object()) {
    for (auto member = sent.begin(); member != sent.end(); ++member) {
      const auto other = kept.find(member.key());
      if (other != kept.end())
        find_changed_values(document, member.value(), other.value(), place / member.key(),
                            pointer_step(pointer, member.key()), faults);
    }
  } else if (sent.is_array() && kept.is_array() && sent.size() == kept.size()) {
    for (std::size_t i = 0; i < sent.size(); ++i)
      find_changed_values(document, sent[i], kept[i], place / i, pointer_step(pointer, std::to_string(i)), faults);
  } else if (kept.is_number()) {
    const char* const requirement = broken_requirement(sent, kept);
    if (requirement && !ignores_number(document, place, kept)) add_json_fault(sent, pointer, requirement, faults);
  } else if (!sent.is_structured() && !kept.is_structured() && (sent.is_string() || kept.is_string()) &&
             sent != kept && is_unknown_value(document, place, kept)) {
    faults.add(pointer, "must be one of the values of its type, but is " +
                            std::string(base::truncate(text_of_json(sent), 80)));
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

}  // namespace detail::api
}  // inline namespace WINSVC_ABI
}  // namespace winsvc

#if WINSVC_BODIES_API

namespace winsvc {
inline namespace WINSVC_ABI {
namespace detail::api {

WINSVC_INLINE void json_faults::abort() const {
  std::string text;
  for (const auto& each : faults_)
    text += (text.empty() ? "" : "; ") + each.pointer + (each.pointer.empty() ? "" : ": ") + each.reason;
  if (count_ > max_faults) text += "; and " + std::to_string(count_ - max_faults) + " more";
  throw abort_error(422, "the body does not have the expected shape: " + text,
                    base::json_array(faults_, [](const fault& each) {
                      return body_fault_json(each.pointer, each.reason);
                    }));
}

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
