// Rules for values: ranges, lengths, allowed values and patterns, for settings, parameters of routes and members of
// described types.
//
//   svc.setting("threads", 4, "number of threads", winsvc::between(1, 64));
//   svc.get("/items", winsvc::query("q", winsvc::at_most(50)), [](std::optional<std::string> q) { ... });
//   WINSVC_TYPE(item, (name, at_least(1)), (price, above(0)))
//
// A limit applies to the value of a number or duration, to the number of characters of a text, and to the number of
// items of a list. `rule_for` makes the rule of a type from an option; a rule has a predicate, a text for messages, and
// a part of a JSON Schema.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <initializer_list>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

#include "winsvc/base/error.hpp"
#include "winsvc/base/text.hpp"
#include "winsvc/base/text_pattern.hpp"
#include "winsvc/config/abi.hpp"
#include "winsvc/settings/setting_value.hpp"

namespace winsvc {
inline namespace WINSVC_ABI {

/// A range that includes both limits: `between(1, 64)`, `between(1s, 5min)`.
template <class A, class B>
struct between {
  A lower;
  B upper;
  constexpr between(A lower_limit, B upper_limit) : lower(std::move(lower_limit)), upper(std::move(upper_limit)) {}
};
/// A lower limit, which is allowed: `at_least(1)`.
template <class T>
struct at_least {
  T limit;
  constexpr explicit at_least(T lower_limit) : limit(std::move(lower_limit)) {}
};
/// An upper limit, which is allowed: `at_most(50)`.
template <class T>
struct at_most {
  T limit;
  constexpr explicit at_most(T upper_limit) : limit(std::move(upper_limit)) {}
};
/// A lower limit, which is not allowed: `above(0)`.
template <class T>
struct above {
  T limit;
  constexpr explicit above(T lower_limit) : limit(std::move(lower_limit)) {}
};
/// An upper limit, which is not allowed: `below(100)`.
template <class T>
struct below {
  T limit;
  constexpr explicit below(T upper_limit) : limit(std::move(upper_limit)) {}
};
/// The allowed values: `one_of("asc", "desc")`, `one_of(1, 2, 4)`.
template <class T>
struct one_of {
  std::vector<T> values;
  template <class... Values>
  explicit one_of(const Values&... allowed) : values{T(allowed)...} {}
};
template <class First, class... Rest>
explicit one_of(const First&, const Rest&...)
    -> one_of<std::conditional_t<std::is_convertible_v<First, std::string>, std::string, First>>;
/// A regular expression that the whole text must match: `matches("[a-z]{2}-\\d+")`. base/text_pattern.hpp has the
/// syntax. A malformed pattern throws setup_error.
struct matches {
  std::string pattern;
  explicit matches(std::string regular_expression) : pattern(std::move(regular_expression)) {}
};
/// A custom rule: `satisfies([](const std::string& s) { return s.size() == 8; }, "have eight letters")`. The text
/// completes the sentence "the value must ...". The predicate must be thread-safe.
template <class F>
struct satisfies {
  F predicate;
  std::string requirement;
  satisfies(F f, std::string text) : predicate(std::move(f)), requirement(std::move(text)) {}
};
/// The allowed values by name: `enum_names<mode>{{"fast", mode::fast}, {"safe", mode::safe}}`. Required for an
/// enumeration, unless WINSVC_ENUM has its names.
template <class T>
struct enum_names {
  std::vector<std::pair<std::string, T>> values;
  enum_names(std::initializer_list<std::pair<std::string, T>> names) : values(names) {}
};

namespace detail::settings {

/// Rule for the values of a type, in addition to the type itself.
template <class T>
struct setting_rule {
  std::function<bool(const T&)> predicate;
  std::string requirement;  ///< the text after "must", such as "be greater than 0"
  std::string schema = {};  ///< members of a JSON Schema, such as `"minimum":1`; empty: none
};

template <class T, class = void>
inline constexpr bool is_list = false;
template <class T>
inline constexpr bool is_list<T, std::void_t<decltype(std::declval<const T&>().size()), typename T::value_type>> =
    !std::is_convertible_v<T, std::string_view>;

/// The type of the value that a limit is compared with: T, or the type of the number of characters or items.
template <class T>
using measure_type =
    std::conditional_t<is_list<T> || std::is_convertible_v<T, std::string_view>, std::size_t, T>;
template <class T>
[[nodiscard]] measure_type<T> measure(const T& value) noexcept {
  if constexpr (is_list<T>) return value.size();
  else if constexpr (std::is_convertible_v<T, std::string_view>) return base::character_count(value);
  else return value;
}

enum class limit_kind { at_least, at_most, above, below };

/// The texts of a rule with a limit. `unit` is "character", "item" or empty for a number.
struct limit_text {
  std::string requirement, schema;
  limit_text(limit_kind kind, const std::string& limit, std::string_view unit, bool is_number);
};

template <class T, class Limit>
[[nodiscard]] measure_type<T> convert_limit(const Limit& limit) {
  using measured = measure_type<T>;
  if constexpr (std::is_same_v<measured, byte_size> && std::is_arithmetic_v<Limit>) {
    return convert_limit<std::uint64_t>(limit);
  } else if constexpr (std::is_arithmetic_v<measured> && std::is_arithmetic_v<Limit>) {
    const auto result = static_cast<measured>(limit);
    if (static_cast<Limit>(result) != limit || (result < measured(0)) != (limit < Limit(0)))
      throw setup_error("a limit of a rule is out of range for the type of the value");
    return result;
  } else {
    return measured(limit);
  }
}

template <class T, class Limit>
[[nodiscard]] setting_rule<T> limit_rule(limit_kind kind, const Limit& given) {
  using measured = measure_type<T>;
  const measured limit = convert_limit<T>(given);
  limit_text text(kind, setting_type<measured>::text(limit),
                  is_list<T> ? "item" : std::is_same_v<measured, T> ? "" : "character", std::is_arithmetic_v<measured>);
  const auto predicate = [kind, limit](const T& value) {
    const measured amount = measure(value);
    switch (kind) {
      case limit_kind::at_least: return !(amount < limit);
      case limit_kind::at_most: return !(limit < amount);
      case limit_kind::above: return limit < amount;
      case limit_kind::below: break;
    }
    return amount < limit;
  };
  return {predicate, std::move(text.requirement), std::move(text.schema)};
}

// The rule of an option for a value of type T.

template <class T, class L>
[[nodiscard]] setting_rule<T> rule_for(const at_least<L>& option) {
  return limit_rule<T>(limit_kind::at_least, option.limit);
}
template <class T, class L>
[[nodiscard]] setting_rule<T> rule_for(const at_most<L>& option) {
  return limit_rule<T>(limit_kind::at_most, option.limit);
}
template <class T, class L>
[[nodiscard]] setting_rule<T> rule_for(const above<L>& option) {
  return limit_rule<T>(limit_kind::above, option.limit);
}
template <class T, class L>
[[nodiscard]] setting_rule<T> rule_for(const below<L>& option) {
  return limit_rule<T>(limit_kind::below, option.limit);
}
template <class T, class A, class B>
[[nodiscard]] setting_rule<T> rule_for(const between<A, B>& option) {
  using measured = measure_type<T>;
  auto lower = limit_rule<T>(limit_kind::at_least, option.lower);
  auto upper = limit_rule<T>(limit_kind::at_most, option.upper);
  constexpr bool is_value = !is_list<T> && std::is_same_v<measured, T>;
  std::string requirement = is_value ? "lie between " : "have between ";
  requirement += setting_type<measured>::text(convert_limit<T>(option.lower)) + " and " +
                            setting_type<measured>::text(convert_limit<T>(option.upper)) +
                            (is_list<T> ? " items" : is_value ? "" : " characters");
  std::string schema = lower.schema + (lower.schema.empty() ? "" : ",") + upper.schema;
  return {[lower = std::move(lower.predicate), upper = std::move(upper.predicate)](const T& value) {
            return lower(value) && upper(value);
          },
          std::move(requirement), std::move(schema)};
}
template <class T, class V>
[[nodiscard]] setting_rule<T> rule_for(const one_of<V>& option) {
  std::vector<T> allowed;
  std::string names, schema;
  for (const V& value : option.values) {
    allowed.push_back(T(value));
    const std::string text = setting_type<T>::text(allowed.back());
    names += (names.empty() ? "" : ", ") + text;
    schema += (schema.empty() ? "" : ",") + (std::is_arithmetic_v<T> ? text : base::json_quoted(text));
  }
  return {[allowed = std::move(allowed)](const T& value) {
            for (const T& one : allowed) {
              if (one == value) return true;
            }
            return false;
          },
          "be one of " + names, "\"enum\":[" + schema + ']'};
}
template <class T>
[[nodiscard]] setting_rule<T> rule_for(const matches& option) {
  static_assert(std::is_convertible_v<T, std::string_view>, "winsvc: the rule matches() requires a text");
  base::text_pattern pattern(option.pattern);
  std::string schema = "\"pattern\":" + base::json_quoted(pattern.anchored());
  return {[pattern = std::move(pattern)](const T& value) { return pattern.matches(value); },
          "match the pattern " + option.pattern, std::move(schema)};
}
template <class T, class F>
[[nodiscard]] setting_rule<T> rule_for(const satisfies<F>& option) {
  return {option.predicate, option.requirement, {}};
}

}  // namespace detail::settings
}  // inline namespace WINSVC_ABI
}  // namespace winsvc

// ---------------------------------------------------------------------------------------------------------------------

#if WINSVC_BODIES_SETTINGS

namespace winsvc {
inline namespace WINSVC_ABI {
namespace detail::settings {

WINSVC_INLINE limit_text::limit_text(limit_kind kind, const std::string& limit, std::string_view unit, bool is_number) {
  constexpr const char* words[] = {"at least ", "at most ", "above ", "below "};
  constexpr const char* counts[] = {"at least ", "at most ", "more than ", "less than "};
  const auto index = static_cast<std::size_t>(kind);
  if (unit.empty()) {
    constexpr const char* keys[] = {"minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum"};
    requirement = std::string("be ") + words[index] + limit;
    if (is_number) schema = '"' + std::string(keys[index]) + "\":" + limit;
    return;
  }
  requirement = std::string("have ") + counts[index] + limit + ' ' + std::string(unit) + (limit == "1" ? "" : "s");
  // JSON Schema has no exclusive limits of lengths.
  const bool is_lower = kind == limit_kind::at_least || kind == limit_kind::above;
  unsigned long long count = std::stoull(limit);
  if (kind == limit_kind::above) ++count;
  if (kind == limit_kind::below && count > 0) --count;
  schema = std::string(is_lower ? "\"min" : "\"max") + (unit == "item" ? "Items" : "Length") +
           "\":" + std::to_string(count);
}

}  // namespace detail::settings
}  // inline namespace WINSVC_ABI
}  // namespace winsvc

#endif  // WINSVC_BODIES_SETTINGS
