// JSON types: values that are read from JSON, written as JSON, checked, and described by a JSON Schema.
//
//   bool, integers, double, float, std::string, and the other types of api/text_value.hpp (a JSON string each)
//   types with WINSVC_TYPE (api/type_macros.hpp)
//   std::optional, std::vector and std::map<std::string, T> of these
//
//   const std::string text = winsvc::to_json_text(item{"tea", 2.5});        // {"name":"tea","price":2.5}
//   const auto tea = winsvc::from_json_text<item>(text);                    // std::invalid_argument with all faults
//
// A handler takes them as body<T> and returns them. Reading is strict: `true` and 1.5 are rejected for an integer, and
// a number must fit into its type. All faults are reported, each with its JSON pointer. Members of an object that the
// type does not have are ignored. An empty optional is not written. The operations of a type are a table, so that a
// described type adds little code.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <limits>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

#include "winsvc/api/faults.hpp"
#include "winsvc/api/httplib.hpp"
#include "winsvc/api/json.hpp"
#include "winsvc/api/json_library.hpp"
#include "winsvc/api/text_value.hpp"
#include "winsvc/base/text.hpp"
#include "winsvc/config/abi.hpp"
#include "winsvc/route/metadata.hpp"
#include "winsvc/route/schema_set.hpp"
#include "winsvc/settings/rule.hpp"

namespace winsvc {
inline namespace WINSVC_ABI {

/// JSON text of a value of a type with WINSVC_TYPE, or of another type of api/json_type.hpp.
template <class T>
[[nodiscard]] std::string to_json_text(const T& value);
/// The value of a JSON text. Throws std::invalid_argument if the text is not JSON or is not a T, with all faults in the
/// message. Requires <nlohmann/json.hpp>.
template <class T>
[[nodiscard]] T from_json_text(const std::string& text);

namespace detail::api {

/// Marks a member that may be missing in the JSON; it then keeps its initial value. Only WINSVC_TYPE uses the name.
struct optional_member {};
inline constexpr optional_member optional{};

/// The text of a type in WINSVC_TYPE.
struct type_text {
  std::string_view text;
};
template <class Json>
using enable_if_json = std::enable_if_t<is_nlohmann<Json>::value>;

/// True for a type with WINSVC_TYPE.
template <class T, class = void>
inline constexpr bool is_described = false;
template <class T>
inline constexpr bool is_described<T, std::void_t<decltype(winsvc_type_name(static_cast<const T*>(nullptr)))>> = true;

/// True for the types of this header.
template <class T>
inline constexpr bool is_json_value =
    (is_text_value<T> && !std::is_same_v<T, std::string_view>) || std::is_same_v<T, float> || is_described<T>;
template <class T>
inline constexpr bool is_json_value<std::optional<T>> = is_json_value<T>;
template <class T, class A>
inline constexpr bool is_json_value<std::vector<T, A>> = is_json_value<T>;
template <class T, class C, class A>
inline constexpr bool is_json_value<std::map<std::string, T, C, A>> = is_json_value<T>;

/// The position of a value in a document: a list of steps from the value to the root, on the stack.
struct json_place {
  const json_place* parent = nullptr;
  std::string_view name = {};
  std::size_t index = 0;
  bool is_element = false;
  /// The position as a JSON pointer (RFC 6901); empty for the root.
  [[nodiscard]] std::string pointer() const;
};

/// A document that is being read, and the faults found so far.
struct json_reader {
  using value = json_library::value;
  const json_library& library;
  fault_list& faults;

  /// Adds the fault "must REQUIREMENT, but is VALUE". Returns false.
  bool reject(value v, const json_place& place, const std::string& requirement) const;
  /// Returns whether the value has this kind; adds a fault if it has not.
  bool check_kind(value v, const json_place& place, json_kind kind, const char* requirement) const;
  bool read_signed(value v, const json_place& place, std::int64_t lower, std::int64_t upper, std::int64_t& out) const;
  bool read_unsigned(value v, const json_place& place, std::uint64_t upper, std::uint64_t& out) const;
  bool read_number(value v, const json_place& place, double upper, double& out) const;
};

/// The operations of a type. `read` returns false after a fault.
struct json_operations {
  bool (*read)(const json_reader& reader, json_library::value v, void* target, const json_place& place);
  void (*write)(const void* source, std::string& out);
  route::schema_function schema;
  bool (*is_missing)(const void* source);  ///< null unless the type is an optional
};
template <class T>
[[nodiscard]] const json_operations& operations_of() noexcept;

/// A rule of a member, for its address.
struct member_rule {
  std::function<bool(const void*)> predicate;
  std::string requirement, schema;
};
struct described_member {
  std::string_view name;
  std::size_t offset = 0;  ///< in bytes
  const json_operations* operations = nullptr;
  std::vector<member_rule> rules = {};
  bool is_required = true;
};
struct described_type {
  std::string_view name;
  std::vector<described_member> members = {};

  bool read(const json_reader& reader, json_library::value v, void* object, const json_place& place) const;
  void write(const void* object, std::string& out) const;
  [[nodiscard]] std::string schema(route::schema_set& set) const;
};

/// The name in the text of a member: `name` in "name, at_least(1)".
[[nodiscard]] std::string_view first_word(std::string_view text) noexcept;
void write_number(double value, std::string& out);

// ---------------------------------------------------------------------------------------------------------------------

template <class T>
struct member_collector {
  const T& probe;
  described_type& type;

  template <class M, class C, class... Rules>
  void operator()(std::string_view text, M C::* pointer, const Rules&... member_rules) {
    static_assert(is_json_value<M>,
                  "winsvc: a member in WINSVC_TYPE must be bool, an integer, double, float, std::string, a std::chrono "
                  "duration, a type with WINSVC_TYPE, WINSVC_ENUM or winsvc::text_traits, or std::optional, "
                  "std::vector or std::map<std::string, T> of one of them");
    described_member member{first_word(text)};
    member.offset = static_cast<std::size_t>(reinterpret_cast<const char*>(&(probe.*pointer)) -
                                             reinterpret_cast<const char*>(&probe));
    member.operations = &operations_of<M>();
    member.is_required = !member.operations->is_missing;
    (add_rule<M>(member, member_rules), ...);
    type.members.push_back(std::move(member));
  }

 private:
  template <class M, class Rule>
  static void add_rule(described_member& member, const Rule& option) {
    if constexpr (std::is_same_v<Rule, optional_member>) {
      member.is_required = false;
    } else {
      constexpr bool is_optional = single_value<M>::is_optional;
      using value = std::conditional_t<is_optional, typename single_value<M>::type, M>;
      auto rule = settings::rule_for<value>(option);
      const auto erased = [predicate = std::move(rule.predicate)](const void* address) {
        if constexpr (is_optional) {
          const auto& held = *static_cast<const M*>(address);
          return !held || predicate(*held);
        } else {
          return predicate(*static_cast<const M*>(address));
        }
      };
      member.rules.push_back({erased, std::move(rule.requirement), std::move(rule.schema)});
    }
  }
};

template <class T>
const described_type& type_table() {
  static const described_type table = [] {
    static_assert(std::is_default_constructible_v<T>,
                  "winsvc: a type in WINSVC_TYPE must be default-constructible, because it is made before its members "
                  "are read");
    const T probe{};
    described_type type{winsvc_type_name(static_cast<const T*>(nullptr)).text};
    member_collector<T> collector{probe, type};
    winsvc_describe(collector, static_cast<const T*>(nullptr));
    return type;
  }();
  return table;
}

/// The operations of one type, with its type.
template <class T>
struct json_type {
  static bool read(const json_reader& reader, json_library::value v, T& out, const json_place& place) {
    if constexpr (is_described<T>) {
      return type_table<T>().read(reader, v, &out, place);
    } else if constexpr (std::is_same_v<T, bool>) {
      if (!reader.check_kind(v, place, json_kind::boolean, "be true or false")) return false;
      out = reader.library.boolean(v);
    } else if constexpr (std::is_integral_v<T>) {
      constexpr auto upper = (std::numeric_limits<T>::max)();
      std::conditional_t<std::is_signed_v<T>, std::int64_t, std::uint64_t> number = 0;
      if constexpr (std::is_signed_v<T>) {
        if (!reader.read_signed(v, place, (std::numeric_limits<T>::min)(), upper, number)) return false;
      } else if (!reader.read_unsigned(v, place, upper, number)) {
        return false;
      }
      out = static_cast<T>(number);
    } else if constexpr (std::is_floating_point_v<T>) {
      double number = 0;
      if (!reader.read_number(v, place, static_cast<double>((std::numeric_limits<T>::max)()), number)) return false;
      out = static_cast<T>(number);
    } else {
      const bool is_text = std::is_same_v<T, std::string>;
      const std::string kind = is_text ? "be a text" : "be " + text_kind<T>();
      if (!reader.check_kind(v, place, json_kind::text, kind.c_str())) return false;
      if (!convert(std::string(reader.library.text(v)), out)) return reader.reject(v, place, kind);
    }
    return true;
  }
  static void write(const T& value, std::string& out) {
    if constexpr (is_described<T>) type_table<T>().write(&value, out);
    else if constexpr (std::is_same_v<T, bool>) out += value ? "true" : "false";
    else if constexpr (std::is_integral_v<T>) out += std::to_string(value);
    else if constexpr (std::is_floating_point_v<T>) write_number(static_cast<double>(value), out);
    else if constexpr (std::is_same_v<T, std::string>) out += base::json_quoted(value);
    else out += base::json_quoted(text_of_value(value));
  }
  static std::string schema(route::schema_set& set) {
    if constexpr (is_described<T>) {
      const described_type& type = type_table<T>();
      return set.reference(&type, std::string(type.name), [&] { return type.schema(set); });
    } else {
      static_cast<void>(set);
      return text_schema<T>();
    }
  }
};

template <class T>
struct json_type<std::optional<T>> {
  static bool read(const json_reader& reader, json_library::value v, std::optional<T>& out, const json_place& place) {
    out.reset();
    if (reader.library.kind(v) == json_kind::null) return true;
    return json_type<T>::read(reader, v, out.emplace(), place);
  }
  static void write(const std::optional<T>& value, std::string& out) {
    if (value) json_type<T>::write(*value, out);
    else out += "null";
  }
  static std::string schema(route::schema_set& set) {
    return "{\"anyOf\":[" + json_type<T>::schema(set) + ",{\"type\":\"null\"}]}";
  }
};

template <class T, class A>
struct json_type<std::vector<T, A>> {
  static bool read(const json_reader& reader, json_library::value v, std::vector<T, A>& out, const json_place& place) {
    out.clear();
    if (!reader.check_kind(v, place, json_kind::array, "be a list")) return false;
    bool ok = true;
    const std::size_t size = reader.library.size(v);
    for (std::size_t i = 0; i < size; ++i) {
      T element{};
      ok = json_type<T>::read(reader, reader.library.element(v, i), element, {&place, {}, i, true}) && ok;
      if (reader.faults.is_full()) return false;
      out.push_back(std::move(element));
    }
    return ok;
  }
  static void write(const std::vector<T, A>& value, std::string& out) {
    out += '[';
    bool first = true;
    for (const auto& element : value) {
      if (!std::exchange(first, false)) out += ',';
      json_type<T>::write(element, out);
    }
    out += ']';
  }
  static std::string schema(route::schema_set& set) {
    return "{\"type\":\"array\",\"items\":" + json_type<T>::schema(set) + '}';
  }
};

template <class T, class C, class A>
struct json_type<std::map<std::string, T, C, A>> {
  using map = std::map<std::string, T, C, A>;
  static bool read(const json_reader& reader, json_library::value v, map& out, const json_place& place) {
    out.clear();
    if (!reader.check_kind(v, place, json_kind::object, "be an object")) return false;
    bool ok = true;
    reader.library.for_each_member(v, [&](std::string_view name, json_library::value member) {
      ok = json_type<T>::read(reader, member, out[std::string(name)], {&place, name}) && ok;
    });
    return ok;
  }
  static void write(const map& value, std::string& out) {
    out += '{';
    bool first = true;
    for (const auto& [name, member] : value) {
      if (!std::exchange(first, false)) out += ',';
      out += base::json_quoted(name) + ':';
      json_type<T>::write(member, out);
    }
    out += '}';
  }
  static std::string schema(route::schema_set& set) {
    return "{\"type\":\"object\",\"additionalProperties\":" + json_type<T>::schema(set) + '}';
  }
};

template <class T>
const json_operations& operations_of() noexcept {
  static constexpr bool is_optional = single_value<T>::is_optional;
  static const json_operations operations{
      [](const json_reader& reader, json_library::value v, void* target, const json_place& place) {
        return json_type<T>::read(reader, v, *static_cast<T*>(target), place);
      },
      [](const void* source, std::string& out) { json_type<T>::write(*static_cast<const T*>(source), out); },
      [](route::schema_set& set) {
        if constexpr (is_optional) return json_type<typename single_value<T>::type>::schema(set);
        else return json_type<T>::schema(set);
      },
      is_optional ? +[]([[maybe_unused]] const void* source) {
        if constexpr (is_optional) return !static_cast<const T*>(source)->has_value();
        else return false;
      } : nullptr};
  return operations;
}

/// Parses the JSON body of the request. Aborts with 415 or 400.
[[nodiscard]] std::shared_ptr<const void> parse_body(const invocation& call);

/// The JSON body of the request as a T; its faults are added to `faults`.
template <class T>
void read_body_value(const invocation& call, T& value, fault_list& faults) {
  const auto document = parse_body(call);
  static_cast<void>(json_type<T>::read({json_library_of(call), faults}, document.get(), value, {}));
}

/// Throws std::invalid_argument if the text is not JSON; otherwise calls `read` and throws for its faults.
void read_text(const std::string& text, const std::function<void(const json_reader&, json_library::value)>& read);

}  // namespace detail::api

template <class T>
std::string to_json_text(const T& value) {
  static_assert(detail::api::is_json_value<T>,
                "winsvc: to_json_text requires a type with WINSVC_TYPE, a number, bool, text, or std::optional, "
                "std::vector or std::map<std::string, T> of one of them");
  std::string out;
  detail::api::json_type<T>::write(value, out);
  return out;
}

template <class T>
T from_json_text(const std::string& text) {
  static_assert(detail::api::is_json_value<T>,
                "winsvc: from_json_text requires a type with WINSVC_TYPE, a number, bool, text, or std::optional, "
                "std::vector or std::map<std::string, T> of one of them");
  T value{};
  detail::api::read_text(text, [&value](const detail::api::json_reader& reader, json_library::value v) {
    static_cast<void>(detail::api::json_type<T>::read(reader, v, value, {}));
  });
  return value;
}

}  // inline namespace WINSVC_ABI
}  // namespace winsvc
