// Detects route patterns in the syntax of another framework (`:id`, `*`) and suggests the pattern in winsvc's syntax.
//
//   foreign_spelling("/users/:id")            // "write '/users/{id}'"
//   foreign_spelling("/files/*")              // "write '/files/{path...}'"
//   foreign_spelling("/users/{id}")           // "": the syntax of winsvc
//
// As a pattern of winsvc it would be literal text, and all its requests would get 404. So it is an error at start.
#pragma once

#include <algorithm>
#include <cstddef>
#include <iterator>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "winsvc/base/text.hpp"
#include "winsvc/config/abi.hpp"

namespace winsvc {
inline namespace WINSVC_ABI {
namespace detail::route {

/// True for a name that a parameter may have: letters, digits and '_', not a digit first.
[[nodiscard]] bool is_identifier(std::string_view s) noexcept;

/// The part of an error message that shows the right spelling; empty if the pattern has no foreign spelling.
[[nodiscard]] std::string foreign_spelling(std::string_view pattern);

}  // namespace detail::route
}  // inline namespace WINSVC_ABI
}  // namespace winsvc

// ---------------------------------------------------------------------------------------------------------------------

#if WINSVC_BODIES_ROUTE

namespace winsvc {
inline namespace WINSVC_ABI {
namespace detail::route {

WINSVC_INLINE bool is_identifier(std::string_view s) noexcept {
  const auto letter = [](char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_'; };
  if (s.empty() || !letter(s[0])) return false;
  for (const char c : s) {
    if (!letter(c) && !base::is_digit(c)) return false;
  }
  return true;
}

/// A segment of another framework: the parameter that it means.
struct foreign_segment {
  bool found = false, optional = false, tail = false;
  bool is_part = false;  ///< the segment has other text besides the parameter
  std::string name;      ///< empty: the framework gives no name
};

/// The identifier at the start of `text`.
WINSVC_INLINE std::string_view leading_identifier(std::string_view text) noexcept {
  std::size_t end = 0;
  while (end < text.size() && is_identifier(text.substr(0, end + 1))) ++end;
  return text.substr(0, end);
}

/// Interprets the text inside brackets: `int:id`, `id:int`, `path:rest`, `*rest`, `id?`, `id=5`, `id:\d+`.
WINSVC_INLINE foreign_segment parse_foreign_parameter(std::string_view text, bool converter_first) {
  foreign_segment result;
  result.found = true;
  while (!text.empty() && (text[0] == '*' || text[0] == '.')) {
    result.tail = true;
    text.remove_prefix(1);
  }
  const auto colon = text.find(':');
  std::string_view name = text, converter;
  if (colon != text.npos) {
    name = converter_first ? text.substr(colon + 1) : text.substr(0, colon);
    converter = converter_first ? text.substr(0, colon) : text.substr(colon + 1);
  }
  const auto suffix = [](std::string_view s, char c) { return !s.empty() && s.back() == c; };
  result.optional = suffix(name, '?') || suffix(converter, '?') || name.find('=') != name.npos;
  result.tail = result.tail || suffix(name, '*') || suffix(name, '+') || base::starts_with(converter, "path") ||
                converter == ".*" || converter == ".+";
  result.name = leading_identifier(name);
  const bool has_number = !name.empty() && name.find_first_not_of("0123456789") == name.npos;
  if (has_number) result.name = leading_identifier(converter);  // drogon: `1:name`
  constexpr std::string_view types_of_crow[] = {"int", "uint", "float", "double", "string"};
  if (converter_first && colon == text.npos &&
      std::find(std::begin(types_of_crow), std::end(types_of_crow), result.name) != std::end(types_of_crow))
    result.name.clear();
  return result;
}

/// Finds a parameter that is only a part of a segment: `<name>.png`, `user-<int:id>`, `@:name`, `v:version`. A colon
/// after a word is not one, because `items:batch` is a usual literal.
WINSVC_INLINE foreign_segment find_partial_parameter(std::string_view raw) {
  foreign_segment result;
  if (raw.find('{') != raw.npos) return result;  // the parser of patterns reports it
  const auto open = raw.find('<');
  const auto close = open == raw.npos ? raw.npos : raw.find('>', open);
  if (close != raw.npos) {
    const auto text = raw.substr(open + 1, close - open - 1);
    const auto parsed = parse_foreign_parameter(text, true);
    if (!leading_identifier(text).empty()) result = parsed;
  }
  for (auto colon = raw.find(':', 1); !result.found && colon != raw.npos; colon = raw.find(':', colon + 1)) {
    const char before = raw[colon - 1];
    const bool after_word = base::is_digit(before) || before == ':' || before == ')' ||
                            static_cast<unsigned char>(before) >= 0x80 ||
                            !leading_identifier(raw.substr(colon - 1)).empty();
    const auto name = leading_identifier(raw.substr(colon + 1));
    const bool is_version = base::equal_nocase(raw.substr(0, colon), "v") && name == "version";
    if ((after_word && !is_version) || name.empty()) continue;
    result.found = true;
    result.name = name;
  }
  result.is_part = result.found;
  result.tail = false;
  return result;
}

WINSVC_INLINE foreign_segment parse_foreign_segment(std::string_view raw) {
  const auto inner = [raw] { return raw.substr(1, raw.size() - 2); };
  const auto starts_and_ends = [raw](char first, char last) {
    return raw.size() > 2 && raw.front() == first && raw.back() == last;
  };
  if (!raw.empty() && raw[0] == '*') return parse_foreign_parameter(raw, false);     // chi, gin, Express
  if (raw.size() > 1 && raw[0] == ':' && !leading_identifier(raw.substr(1)).empty()) {  // Express, gin, Rails
    auto result = parse_foreign_parameter(raw.substr(1), false);
    result.tail = result.tail || raw.find("(.*)") != raw.npos;
    const auto rest = raw.substr(1 + leading_identifier(raw.substr(1)).size());
    result.is_part = !rest.empty() && std::string_view("?*+(").find(rest[0]) == std::string_view::npos;
    return result;
  }
  if (starts_and_ends('<', '>') && raw.find('<', 1) == raw.npos)
    return parse_foreign_parameter(inner(), true);                                   // Flask, Django, Crow
  if (raw == "{}") return parse_foreign_parameter({}, false);                        // drogon
  if (starts_and_ends('[', ']') && is_identifier(parse_foreign_parameter(inner(), false).name))
    return parse_foreign_parameter(inner(), false);                                  // Next.js
  if (starts_and_ends('{', '}') && !is_identifier(inner())) {                        // FastAPI, ASP.NET, Spring, axum
    const auto text = inner();
    const bool is_own_tail = text.size() > 3 && text.substr(text.size() - 3) == "...";
    const bool is_number = text.find_first_not_of("0123456789") == text.npos;          // drogon
    if (!is_own_tail && (is_number || text.find_first_of(":?=*+") != text.npos))
      return parse_foreign_parameter(text, false);
  }
  for (const char* regex : {"(\\", "(.", "([", ".*", ".+", "\\d", "\\w", "(?"}) {         // a regular expression
    if (raw.find(regex) == raw.npos || raw.find('{') != raw.npos) continue;
    foreign_segment result;
    result.found = true;
    result.tail = raw.find(".*") != raw.npos || raw.find(".+") != raw.npos;
    return result;
  }
  return find_partial_parameter(raw);
}

/// Splits a pattern at each '/' that is not inside brackets, because a regular expression may contain one.
WINSVC_INLINE std::vector<std::string_view> split_pattern(std::string_view pattern) {
  std::vector<std::string_view> segments;
  std::size_t begin = 0;
  int depth = 0;
  for (std::size_t i = 0; i <= pattern.size(); ++i) {
    if (i == pattern.size() || (pattern[i] == '/' && depth <= 0)) {
      segments.push_back(pattern.substr(begin, i - begin));
      begin = i + 1;
    } else if (pattern[i] == '{' || pattern[i] == '(' || pattern[i] == '[') {
      ++depth;
    } else if (pattern[i] == '}' || pattern[i] == ')' || pattern[i] == ']') {
      --depth;
    }
  }
  return segments;
}

WINSVC_INLINE std::string foreign_spelling(std::string_view pattern) {
  if (pattern.find_first_of("*:<[({\\") == pattern.npos) return {};
  std::string right, without_optional, foreign;
  const auto segments = split_pattern(!pattern.empty() && pattern[0] == '/' ? pattern.substr(1) : pattern);
  std::vector<std::string> names;
  bool has_part = false;
  for (std::size_t i = 0; i < segments.size(); ++i) {
    const auto segment = parse_foreign_segment(segments[i]);
    if (!segment.found) {
      if (base::starts_with(segments[i], "{")) names.emplace_back(leading_identifier(segments[i].substr(1)));
      right += '/' + std::string(segments[i]);
      continue;
    }
    const bool is_tail = segment.tail && i + 1 == segments.size();
    if (foreign.empty() && segments[i] != "{}") foreign = segments[i];  // the parser of patterns reports `{}` alone
    if (segment.optional && without_optional.empty()) without_optional = right.empty() ? "/" : right;
    has_part = has_part || segment.is_part;
    const std::string wanted = !segment.name.empty() ? segment.name : is_tail ? "path" : "value";
    std::string name = wanted;
    for (int number = 2; std::find(names.begin(), names.end(), name) != names.end(); ++number)
      name = wanted + std::to_string(number);
    right += "/{" + name + (is_tail ? "...}" : "}");
    names.push_back(std::move(name));
  }
  if (foreign.empty()) return {};
  std::string message = "'" + foreign + "' is the spelling of another framework; write '" + right + "'";
  if (!without_optional.empty()) message += ", and register '" + without_optional + "' as a second route";
  if (has_part) message += ", and check the other text of the segment in the handler: a parameter is a whole segment";
  return message + " (the type of a parameter is that of the handler's argument)";
}

}  // namespace detail::route
}  // inline namespace WINSVC_ABI
}  // namespace winsvc

#endif  // WINSVC_BODIES_ROUTE
