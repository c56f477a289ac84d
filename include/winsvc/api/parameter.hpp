// Parameters of a route: values of a request that the handler receives as arguments, read, checked and documented.
//
//   svc.get("/items/{id}", winsvc::query("q", winsvc::at_most(50)), winsvc::header("X-Key"),
//           [](int id, std::optional<std::string> q, std::string key) { ... });
//
// The sources follow the pattern. The handler has one argument for each, in the same order, after the path parameters.
// An argument is a type of api/text_value.hpp, a std::optional of it, if the value may be missing, or a std::vector of
// it for repeated values (?tag=a&tag=b, or the elements of a header `X-Tag: a, b`). The argument of `file` is a
// winsvc::uploaded_file, or an optional or vector of it. Options of a source, in any order: the rules of
// settings/rule.hpp, `default_value`, `enum_names`, and a text that describes the value in the OpenAPI document.
//
// If values are missing or invalid, the handler does not run, and the client receives 422 with all faults, those of the
// body included. An empty value is a value: `at_least(1)` rejects an empty text.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <tuple>
#include <type_traits>
#include <utility>
#include <vector>

#include "winsvc/api/faults.hpp"
#include "winsvc/api/handler.hpp"
#include "winsvc/api/httplib.hpp"
#include "winsvc/api/text_value.hpp"
#include "winsvc/api/upload.hpp"
#include "winsvc/config/abi.hpp"
#include "winsvc/route/metadata.hpp"
#include "winsvc/settings/rule.hpp"

namespace winsvc {
inline namespace WINSVC_ABI {

/// A source of a handler's argument, with its options. `query`, `header`, `cookie_value`, `form`, `file` and
/// `client_address` return it.
template <class... Options>
struct parameter {
  detail::api::source_kind source;
  std::string name;
  std::tuple<Options...> options;
};

/// Option of a parameter: the value if the request has none.
template <class T>
struct default_value {
  T value;
  constexpr explicit default_value(T if_missing) : value(std::move(if_missing)) {}
};

/// Argument of a handler: the query parameter `name`.
template <class... Options>
[[nodiscard]] parameter<Options...> query(std::string_view name, Options... options) {
  return {detail::api::source_kind::query, std::string(name), {std::move(options)...}};
}
/// Argument of a handler: the header `name`.
template <class... Options>
[[nodiscard]] parameter<Options...> header(std::string_view name, Options... options) {
  return {detail::api::source_kind::header, std::string(name), {std::move(options)...}};
}
/// Argument of a handler: the value of the cookie `name`.
template <class... Options>
[[nodiscard]] parameter<Options...> cookie_value(std::string_view name, Options... options) {
  return {detail::api::source_kind::cookie, std::string(name), {std::move(options)...}};
}
/// Argument of a handler: the form field `name`, from a URL-encoded or multipart body.
template <class... Options>
[[nodiscard]] parameter<Options...> form(std::string_view name, Options... options) {
  return {detail::api::source_kind::form, std::string(name), {std::move(options)...}};
}
/// Argument of a handler: the uploaded file of the form field `name`; the name "" means the body as a file.
template <class... Options>
[[nodiscard]] parameter<Options...> file(std::string_view name, Options... options) {
  return {detail::api::source_kind::file, std::string(name), {std::move(options)...}};
}
/// Argument of a handler, a text: the IP address of the client, as the function with a request returns it.
[[nodiscard]] parameter<> client_address();

namespace detail::api {

/// A source with its options for a value of type T.
template <class T>
struct typed_source {
  source_kind source{};
  std::string name, description;
  std::vector<settings::setting_rule<T>> rules;
  std::vector<std::pair<std::string, T>> names;  ///< from enum_names; if not empty, the only valid values
  std::optional<T> if_missing;
};

template <class T, class Rule>
auto apply_source_option(typed_source<T>& source, const Rule& rule) -> decltype(settings::rule_for<T>(rule), void()) {
  source.rules.push_back(settings::rule_for<T>(rule));
}
template <class T>
void apply_source_option(typed_source<T>& source, const enum_names<T>& values) {
  source.names = values.values;
}
template <class T, class V>
void apply_source_option(typed_source<T>& source, const default_value<V>& option) {
  source.if_missing.emplace(option.value);
}
template <class T>
void apply_source_option(typed_source<T>& source, const char* description) {
  source.description = description;
}

/// Parses one value and adds it to `faults` if it is invalid.
template <class T>
std::optional<T> parse_source_value(const typed_source<T>& source, const std::string& text, fault_list& faults) {
  std::optional<T> value;
  std::string kind;
  if (!source.names.empty()) {
    std::vector<std::string_view> names;
    for (const auto& [name, named_value] : source.names) {
      names.push_back(name);
      if (name == text) value = named_value;
    }
    if (!value) kind = list_of_names(names);
  } else if constexpr (is_text_value<T>) {
    if (value.emplace(); !convert(text, *value)) {
      value.reset();
      kind = text_kind<T>();
    }
  }
  if (!value) {
    add_invalid_value(faults, source.source, source.name, "be " + kind, text);
    return value;
  }
  for (const auto& rule : source.rules) {
    if (!rule.predicate(*value)) add_invalid_value(faults, source.source, source.name, rule.requirement, text);
  }
  return value;
}

/// Reads the argument A into `output`; adds a fault if there is no valid value.
template <class A, class T>
void read_source(const typed_source<T>& source, argument_context& context, std::optional<stored_value<A>>& output) {
  using single = single_value<A>;
  if constexpr (std::is_same_v<T, uploaded_file>) {
    auto files = take_files(context, source.name);
    if constexpr (single::is_list) output.emplace(std::move(files));
    else if constexpr (single::is_optional) output.emplace();
    if constexpr (!single::is_list) {
      if (!files.empty()) output.emplace(std::move(files.front()));
      else if (!single::is_optional) add_missing_value(context.faults, source.source, source.name);
    }
  } else {
    const auto texts = source_texts(context.call, source.source, source.name, single::is_list);
    if constexpr (single::is_list) {
      output.emplace();
      for (const std::string& text : texts) {
        if (auto value = parse_source_value(source, text, context.faults)) output->push_back(std::move(*value));
      }
    } else if (!texts.empty()) {
      if (auto value = parse_source_value(source, texts.front(), context.faults)) output.emplace(std::move(*value));
    } else if (source.if_missing) {
      output.emplace(*source.if_missing);
    } else if constexpr (single::is_optional) {
      output.emplace();
    } else {
      add_missing_value(context.faults, source.source, source.name);
    }
  }
}

/// The description of the source for the OpenAPI document.
template <class A, class T>
route::parameter_metadata describe_source(const typed_source<T>& source) {
  using single = single_value<A>;
  route::parameter_metadata metadata;
  metadata.name = source.name;
  metadata.description = source.description;
  metadata.source = name_of_source(source.source);
  metadata.required = !single::is_optional && !single::is_list && !source.if_missing;
  if constexpr (std::is_same_v<T, uploaded_file>) {
    metadata.schema = "{\"type\":\"string\",\"format\":\"binary\"}";
  } else {
    if constexpr (is_text_value<T>) metadata.schema = text_schema<T>();
    if (!source.names.empty()) {
      std::vector<std::string_view> names;
      for (const auto& [name, value] : source.names) names.push_back(name);
      metadata.schema = route::enum_schema(names);
    }
    for (const auto& rule : source.rules) metadata.schema = route::with_schema_members(metadata.schema, rule.schema);
    if constexpr (is_text_value<T>) {
      if (source.if_missing) {
        const std::string text = text_of_value(*source.if_missing);
        metadata.schema = route::with_schema_members(
            metadata.schema, "\"default\":" + (std::is_arithmetic_v<T> ? text : base::json_quoted(text)));
      }
    }
  }
  if (single::is_list) metadata.schema = "{\"type\":\"array\",\"items\":" + metadata.schema + '}';
  return metadata;
}

/// The arguments of a handler that are values, as a tuple.
template <class... Arguments>
using value_arguments = decltype(std::tuple_cat(
    std::declval<std::conditional_t<is_value_kind(kind_of<Arguments>()),
                                    std::tuple<plain_type<Arguments>>, std::tuple<>>>()...));

template <class T, class... Options>
typed_source<T> make_typed_source(const parameter<Options...>& given) {
  static_assert(std::is_same_v<T, uploaded_file> || is_text_value<T> ||
                    (std::is_same_v<Options, enum_names<T>> || ...),
                "winsvc: the argument of a source must be bool, an integer, double, std::string, a std::chrono "
                "duration, an enumeration with WINSVC_ENUM or enum_names, a type with winsvc::text_traits, or "
                "std::optional or std::vector of one of them; for file() it is winsvc::uploaded_file");
  typed_source<T> source;
  source.source = given.source;
  source.name = given.name;
  check_source(given.source, given.name, std::is_same_v<T, uploaded_file>);
  std::apply([&source](const auto&... option) { (apply_source_option(source, option), ...); }, given.options);
  return source;
}

}  // namespace detail::api
}  // inline namespace WINSVC_ABI
}  // namespace winsvc

// ---------------------------------------------------------------------------------------------------------------------

#if WINSVC_BODIES_API

namespace winsvc {
inline namespace WINSVC_ABI {
namespace detail::api {

}  // namespace detail::api

WINSVC_INLINE parameter<> client_address() { return {detail::api::source_kind::client, {}, {}}; }

namespace detail::api {

WINSVC_INLINE std::string_view name_of_source(source_kind source) noexcept {
  switch (source) {
    case source_kind::query: return "query";
    case source_kind::header: return "header";
    case source_kind::cookie: return "cookie";
    case source_kind::form: return "form";
    case source_kind::file: return "file";
    case source_kind::client: break;
  }
  return "client";
}

WINSVC_INLINE void check_source(source_kind source, const std::string& name, bool is_file) {
  const bool may_be_empty = source == source_kind::file || source == source_kind::client;
  if (name.empty() && !may_be_empty)
    throw setup_error("a source of a handler's argument has no name: " + std::string(name_of_source(source)) + "()");
  if (is_file != (source == source_kind::file))
    throw setup_error("the source " + std::string(name_of_source(source)) + "(\"" + name + "\"): " +
                      (is_file ? "an argument of type winsvc::uploaded_file requires the source file()"
                               : "its argument must be a winsvc::uploaded_file, or an optional or vector of it"));
}

WINSVC_INLINE void add_missing_value(fault_list& faults, source_kind source, const std::string& name) {
  faults.add(name_of_source(source), name, "is missing");
}

WINSVC_INLINE void add_invalid_value(fault_list& faults, source_kind source, const std::string& name,
                                     const std::string& requirement, std::string_view text) {
  const auto digits = text.substr(!text.empty() && text[0] == '-' ? 1 : 0);
  const bool is_too_large = requirement.compare(0, 17, "be a whole number") == 0 && !digits.empty() &&
                            digits.find_first_not_of("0123456789") == digits.npos;
  faults.add(name_of_source(source), name,
             "must " + requirement + ", but is '" + std::string(base::truncate(text, 80)) + '\'' +
                 (is_too_large ? ", which is out of range" : ""));
}

}  // namespace detail::api
}  // inline namespace WINSVC_ABI
}  // namespace winsvc

#endif  // WINSVC_BODIES_API
