// JSON objects of texts and numbers alone, read: what a service says of itself, to its own verbs.
//
//   parse_flat_object("{\"pid\":7,\"url\":\"http://...\"}")->find("pid")->text    // "7"
//
// It reads what base/json_text.hpp writes of such members, in any order, and nothing else: anything else is no answer.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "winsvc/base/text.hpp"
#include "winsvc/config/abi.hpp"

namespace winsvc {
inline namespace WINSVC_ABI {
namespace model {

struct flat_value {
  std::string text;  ///< of a number, its digits
  bool is_number = false;
};
using flat_object = std::map<std::string, flat_value>;

[[nodiscard]] std::optional<flat_object> parse_flat_object(std::string_view s);

/// The member's text; "" where there is none.
[[nodiscard]] std::string text_of(const flat_object& o, const std::string& name);
/// The member's number; 0 where there is none.
[[nodiscard]] std::uint64_t number_of(const flat_object& o, const std::string& name);

}  // namespace model
}  // inline namespace WINSVC_ABI
}  // namespace winsvc

// ---------------------------------------------------------------------------------------------------------------------

#if WINSVC_BODIES_MODEL

namespace winsvc {
inline namespace WINSVC_ABI {
namespace model {

WINSVC_INLINE std::string text_of(const flat_object& o, const std::string& name) {
  const auto found = o.find(name);
  return found == o.end() ? std::string() : found->second.text;
}
WINSVC_INLINE std::uint64_t number_of(const flat_object& o, const std::string& name) {
  std::uint64_t number = 0;
  static_cast<void>(strings::parse_number(text_of(o, name), ~std::uint64_t{0}, number));
  return number;
}

/// A JSON string at the front of `s`, which moves past it. The escapes that json_quoted writes, and no others.
WINSVC_INLINE std::optional<std::string> parse_json_string(std::string_view& s) {
  if (s.empty() || s[0] != '"') return std::nullopt;
  std::string out;
  for (std::size_t i = 1; i < s.size(); ++i) {
    if (s[i] == '"') {
      s.remove_prefix(i + 1);
      return out;
    }
    if (s[i] != '\\') {
      out += s[i];
      continue;
    }
    if (++i == s.size()) return std::nullopt;
    switch (s[i]) {
      case 'n': out += '\n'; break;
      case 'r': out += '\r'; break;
      case 't': out += '\t'; break;
      case '"':
      case '\\': out += s[i]; break;
      case 'u': {
        if (i + 4 >= s.size() || s.substr(i + 1, 2) != "00") return std::nullopt;
        const auto digit = [](char c) {
          return strings::is_digit(c) ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
        };
        const int high = digit(s[i + 3]), low = digit(s[i + 4]);
        if (high < 0 || low < 0) return std::nullopt;
        out += static_cast<char>(high * 16 + low);
        i += 4;
        break;
      }
      default: return std::nullopt;
    }
  }
  return std::nullopt;
}

WINSVC_INLINE std::optional<flat_object> parse_flat_object(std::string_view s) {
  flat_object out;
  while (!s.empty() && (s.back() == '\n' || s.back() == '\r')) s.remove_suffix(1);
  if (s.size() < 2 || s.front() != '{' || s.back() != '}') return std::nullopt;
  s = s.substr(1, s.size() - 2);

  while (!s.empty()) {
    const auto name = parse_json_string(s);
    if (!name || s.empty() || s[0] != ':') return std::nullopt;
    s.remove_prefix(1);
    if (!s.empty() && s[0] == '"') {
      auto value = parse_json_string(s);
      if (!value) return std::nullopt;
      out[*name] = {*std::move(value), false};
    } else {
      const auto digits = (std::min)(s.find(','), s.size());
      std::uint64_t number = 0;
      if (!strings::parse_number(s.substr(0, digits), ~std::uint64_t{0}, number)) return std::nullopt;
      out[*name] = {std::string(s.substr(0, digits)), true};
      s.remove_prefix(digits);
    }
    if (s.empty()) break;
    if (s[0] != ',') return std::nullopt;
    s.remove_prefix(1);
    if (s.empty()) return std::nullopt;
  }
  return out;
}

}  // namespace model
}  // inline namespace WINSVC_ABI
}  // namespace winsvc

#endif  // WINSVC_BODIES_MODEL
