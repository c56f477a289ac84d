// What the running service leaves for `status` to find: `state.json` in its data folder, a flat JSON object of texts
// and numbers.
//
//   {"pid":1234,"url":"http://127.0.0.1:5001","since":"2026-01-31T08:05:09.250Z","failure":""}
//
// It is a hint, not a truth: the SCM says whether the service runs, and the pid must be the SCM's for the rest to
// count.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "winsvc/base/json_text.hpp"
#include "winsvc/base/text.hpp"
#include "winsvc/config/abi.hpp"

namespace winsvc {
inline namespace WINSVC_ABI {
namespace model {

struct service_state {
  std::uint32_t pid = 0;
  std::string url;      ///< with the real port; empty before it listens and after it stopped
  std::string since;    ///< when it began to listen, RFC 3339
  std::string failure;  ///< the sentence of the last failure; empty after a clean stop
};

[[nodiscard]] inline std::string to_text(const service_state& s) {
  text::json_object o;
  o.put("pid", std::to_string(s.pid)).put_text("url", s.url).put_text("since", s.since).put_text("failure", s.failure);
  return o.text() + '\n';
}

/// Reads what `to_text` wrote, in any order, unknown names ignored. Nothing for anything else: a torn file is no file.
[[nodiscard]] std::optional<service_state> parse_service_state(std::string_view s);

// ---------------------------------------------------------------------------------------------------------------------

/// A JSON string at the front of `s`, which moves past it. The escapes that json_quoted writes, and no others.
inline std::optional<std::string> take_json_string(std::string_view& s) {
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
          return text::is_digit(c) ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
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

inline std::optional<service_state> parse_service_state(std::string_view s) {
  service_state out;
  while (!s.empty() && (s.back() == '\n' || s.back() == '\r')) s.remove_suffix(1);
  if (s.size() < 2 || s.front() != '{' || s.back() != '}') return std::nullopt;
  s = s.substr(1, s.size() - 2);

  while (!s.empty()) {
    const auto name = take_json_string(s);
    if (!name || s.empty() || s[0] != ':') return std::nullopt;
    s.remove_prefix(1);
    if (!s.empty() && s[0] == '"') {
      const auto value = take_json_string(s);
      if (!value) return std::nullopt;
      if (*name == "url") out.url = *value;
      if (*name == "since") out.since = *value;
      if (*name == "failure") out.failure = *value;
    } else {
      const auto digits = (std::min)(s.find(','), s.size());
      std::uint64_t number = 0;
      if (!text::parse_number(s.substr(0, digits), 0xFFFFFFFFu, number)) return std::nullopt;
      if (*name == "pid") out.pid = static_cast<std::uint32_t>(number);
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
