// Parser for flat JSON objects, which have only strings and unsigned numbers: the live status and the saved state of a
// service.
//
//   number_of(*parse_flat_object("{\"pid\":7,\"url\":\"http://...\"}"), "pid")    // 7
//
// It accepts the JSON that base/json_writer.hpp writes for such members, in any order, and rejects all other JSON.
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
namespace detail::base {

/// Value of a member.
struct flat_value {
  std::string text;  ///< the string, or the digits of a number
  bool is_number = false;
};
using flat_object = std::map<std::string, flat_value>;

/// Parses an object, with or without a line end after it. Returns nullopt for any other text.
[[nodiscard]] std::optional<flat_object> parse_flat_object(std::string_view s);

/// Returns the text of a member; "" if the member is missing.
[[nodiscard]] std::string text_of(const flat_object& object, const std::string& name);
/// Returns the number of a member; 0 if the member is missing or is not a number.
[[nodiscard]] std::uint64_t number_of(const flat_object& object, const std::string& name);

}  // namespace detail::base
}  // inline namespace WINSVC_ABI
}  // namespace winsvc

// ---------------------------------------------------------------------------------------------------------------------

#if WINSVC_BODIES_BASE

namespace winsvc {
inline namespace WINSVC_ABI {
namespace detail::base {

WINSVC_INLINE std::string text_of(const flat_object& object, const std::string& name) {
  const auto found = object.find(name);
  return found == object.end() ? std::string() : found->second.text;
}
WINSVC_INLINE std::uint64_t number_of(const flat_object& object, const std::string& name) {
  std::uint64_t number = 0;
  static_cast<void>(base::parse_number(text_of(object, name), ~std::uint64_t{0}, number));
  return number;
}

/// Parses a JSON string at the front of `s` and removes it from `s`. Accepts only the escapes that json_quoted writes.
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
          return base::is_digit(c) ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
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
      if (!base::parse_number(s.substr(0, digits), ~std::uint64_t{0}, number)) return std::nullopt;
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

}  // namespace detail::base
}  // inline namespace WINSVC_ABI
}  // namespace winsvc

#endif  // WINSVC_BODIES_BASE
