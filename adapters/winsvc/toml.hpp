// Settings file in TOML, with toml++ (Debian: libtomlplusplus-dev). Opt-in: nothing else includes it.
//
//   #include <winsvc.hpp>
//   #include <winsvc/toml.hpp>                   // -Iadapters, or a copy next to winsvc.hpp
//
//   svc.settings_format(winsvc::adapters::toml_settings());     // hello.toml instead of hello.ini
//   auto path = svc.setting("store.path", "data", "folder of the store");
//
//   [store]                                      # hello.toml
//   path = "D:\\data"
//
// A table is a section. A string, an integer, a float or a boolean is the value of a setting; an array of them is a list.
// Dates, and tables in arrays, are errors. A time such as 30s and a size such as 10M are strings. examples/toml/app.cpp
// is a complete program.
#pragma once

#include <toml++/toml.h>

#include <cstddef>
#include <sstream>
#include <string>
#include <string_view>
#include <utility>

#include <winsvc.hpp>

namespace winsvc {
namespace adapters {

namespace toml_detail {

inline std::size_t line_of(const toml::node& node) { return static_cast<std::size_t>(node.source().begin.line); }

/// The text of a value in an .ini file. False if the node is not a value of a setting.
inline bool read_value(const toml::node& node, std::string& text) {
  if (const auto* value = node.as_string()) {
    text = value->get();
  } else if (const auto* flag = node.as_boolean()) {
    text = flag->get() ? "yes" : "no";
  } else if (const auto* number = node.as_integer()) {
    text = std::to_string(number->get());
  } else if (const auto* fraction = node.as_floating_point()) {
    std::ostringstream out;
    out << toml::node_view<const toml::node>(*fraction);
    text = out.str();
  } else {
    return false;
  }
  return true;
}

/// The items of an array as a list: each in double quotes, in which a double quote is written twice.
inline bool read_list(const toml::array& array, std::string& text) {
  for (const auto& item : array) {
    std::string value;
    if (!read_value(item, value)) return false;
    text += text.empty() ? "\"" : ", \"";
    for (const char c : value) text += c == '"' ? "\"\"" : std::string(1, c);
    text += '"';
  }
  return true;
}

inline void add_table(settings_file& file, const std::string& prefix, const toml::table& table) {
  for (const auto& [key, node] : table) {
    const std::string name = prefix + std::string(key.str());
    if (const auto* inner = node.as_table()) {
      add_table(file, name + '.', *inner);
      continue;
    }
    std::string text;
    const auto* array = node.as_array();
    if (array ? read_list(*array, text) : read_value(node, text)) {
      file.rows.push_back({name, std::move(text), line_of(node), true});
    } else {
      file.errors.push_back({line_of(node), '\'' + name + "' is not a value of a setting",
                             "write a string, a number, a boolean or an array of them"});
    }
  }
}

inline settings_file parse(std::string_view content) {
  settings_file file;
  try {
    add_table(file, {}, toml::parse(content));
  } catch (const toml::parse_error& error) {
    file.errors.push_back({static_cast<std::size_t>(error.source().begin.line), std::string(error.description()),
                           "see toml.io for the syntax"});
  }
  return file;
}

/// A default as TOML: numbers, booleans and lists as such, everything else as a string.
inline std::string write(const std::string& value, const std::string& kind) {
  const auto starts_with = [&kind](std::string_view text) { return kind.compare(0, text.size(), text) == 0; };
  if (!value.empty() && (starts_with("a whole number") || starts_with("a number"))) return value;
  if (starts_with("yes or no")) return value == "yes" ? "true" : "false";
  std::ostringstream out;
  out << toml::value<std::string>(value);
  return out.str();
}

}  // namespace toml_detail

/// Returns the format for `service::settings_format`. The extension is "toml".
inline settings_format toml_settings() { return {"toml", toml_detail::parse, toml_detail::write}; }

}  // namespace adapters
}  // namespace winsvc
