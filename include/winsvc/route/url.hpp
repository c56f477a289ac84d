// A pattern and its values back into a path: the other way round than a table goes.
//
//   build_path(parse_pattern("/users/{id}"), {"7"})               // "/users/7"
//   build_path(parse_pattern("/files/{path...}"), {"a b/c"})      // "/files/a%20b/c": a tail keeps its slashes
//   with_query("/users", {{"page", 2}, {"q", "a&b"}})             // "/users?page=2&q=a%26b"
//
// What it builds, `table::match` takes apart into the same values. Values that no path can carry are refused: an empty
// segment, a NUL, and "." and "..", which clients resolve before they ask (RFC 3986 section 5.2.4, escaped ones too).
#pragma once

#include <algorithm>
#include <charconv>
#include <cstddef>
#include <initializer_list>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

#include "winsvc/base/error.hpp"
#include "winsvc/base/text.hpp"
#include "winsvc/config/abi.hpp"
#include "winsvc/route/table.hpp"

namespace winsvc {
inline namespace WINSVC_ABI {

/// A value for a URL: text, an integer, a floating point number (the shortest text that reads back), a bool.
class url_value {
 public:
  url_value(std::string value) : text_(std::move(value)) {}
  url_value(std::string_view value) : text_(value) {}
  url_value(const char* value) : text_(value) {}
  template <class T, class = std::enable_if_t<std::is_arithmetic_v<T>>>
  url_value(T value) {
    static_assert(!std::is_same_v<T, char>, "winsvc: a char in a URL is a number or a letter? give an int or a string");
    if constexpr (std::is_same_v<T, bool>) {
      text_ = value ? "true" : "false";
    } else {
      char digits[64];
      text_.assign(digits, std::to_chars(digits, digits + sizeof digits, value).ptr);
    }
  }
  [[nodiscard]] const std::string& text() const noexcept { return text_; }

 private:
  std::string text_;
};

/// A URL with values behind its '?', percent-encoded; where it has some already, behind those.
[[nodiscard]] std::string with_query(std::string url,
                                     std::initializer_list<std::pair<std::string_view, url_value>> values);

namespace route {

/// The path of a route, percent-encoded (RFC 3986). Throws setup_error: the wrong number of values, or one that no
/// path could carry or that this route would not take.
[[nodiscard]] std::string build_path(const entry& of, const std::vector<url_value>& values);

/// The same by the route's name. Throws setup_error for a name that is none, too, with the nearest that is one.
[[nodiscard]] std::string build_path(const table& routes, std::string_view name, const std::vector<url_value>& values);

}  // namespace route

// ---------------------------------------------------------------------------------------------------------------------

namespace route {

/// A piece of the query: only what is neither reserved nor a blank stays as it is (RFC 3986 section 2.3), so that '+',
/// '&' and '=' mean themselves wherever it is read.
inline std::string percent_encode_value(std::string_view value) {
  std::string out;
  for (const char c : percent_encode_segment(value)) {
    constexpr std::string_view reserved = "!$&'()*+,;=:@";
    if (reserved.find(c) == std::string_view::npos) out += c;
    else out += "%" + std::string(1, "0123456789ABCDEF"[c >> 4]) + "0123456789ABCDEF"[c & 15];
  }
  return out;
}

/// One decoded segment of a path: what is wrong with it, or nothing.
inline std::string_view unfit_segment(std::string_view value) noexcept {
  if (value.find('\0') != std::string_view::npos) return "holds a NUL, which no path may";
  if (value == "." || value == "..") return "would be resolved by the client, and not reach this route";
  return {};
}

inline std::string build_path(const entry& of, const std::vector<url_value>& values) {
  const auto refuse = [&of](const std::string& why) { throw setup_error("url_for " + of.text() + ": " + why); };
  const auto& names = of.path.names;
  if (values.size() != names.size()) {
    refuse("the pattern has " + std::to_string(names.size()) + " parameter" + (names.size() == 1 ? "" : "s") + ", " +
           std::to_string(values.size()) + (values.size() == 1 ? " value was" : " values were") + " given");
  }

  std::string path;
  std::size_t next = 0;
  for (const auto& piece : of.path.segments) {
    if (piece.kind == segment::sort::literal) {
      path += '/' + percent_encode_segment(piece.text);
      continue;
    }
    const std::string& value = values[next].text();
    const bool tail = piece.kind == segment::sort::tail;
    const std::string shown = "the parameter '" + piece.text + "'";
    if (!tail && value.empty()) refuse(shown + " is empty, which a segment of a path is not");
    if (next < of.about.parameters.size() && !fits(of.about.parameters[next], value)) {
      refuse(shown + " is not " + std::string(words(of.about.parameters[next])) + ": '" +
             std::string(text::cut(value, 80)) + "'");
    }
    for (const std::string_view part : tail ? text::split(value, '/') : std::vector<std::string_view>{value}) {
      if (const auto why = unfit_segment(part); !why.empty()) refuse(shown + " " + std::string(why));
      path += '/' + percent_encode_segment(part);
    }
    ++next;
  }
  // To a browser that is a host, not a path (RFC 3986 section 4.2).
  if (path.size() > 1 && path[1] == '/') refuse("it would begin with '//', which names a host");
  return path;
}

inline std::string build_path(const table& routes, std::string_view name, const std::vector<url_value>& values) {
  if (const entry* found = routes.named(name)) return build_path(*found, values);
  const auto names = routes.names();
  const auto near_one = text::nearest(name, names);
  throw setup_error("url_for '" + std::string(name) + "': no route has this name" +
                    (near_one.empty() ? names.empty() ? ": none has one yet; say .name(\"...\") behind a route" : ""
                                      : "; did you mean '" + std::string(near_one) + "'?"));
}

}  // namespace route

inline std::string with_query(std::string url,
                              std::initializer_list<std::pair<std::string_view, url_value>> values) {
  const auto hash = (std::min)(url.find('#'), url.size());
  const std::string fragment = url.substr(hash);
  url.resize(hash);
  for (const auto& [name, value] : values) {
    if (url.find('?') == std::string::npos) url += '?';
    else if (url.back() != '?' && url.back() != '&') url += '&';
    url += route::percent_encode_value(name) + '=' + route::percent_encode_value(value.text());
  }
  return url + fragment;
}

}  // inline namespace WINSVC_ABI
}  // namespace winsvc
