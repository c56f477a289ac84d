// url_value, with_query: a value for a URL, and a URL with such values in its query.
//
//   with_query("/users", {{"page", 2}, {"q", "a&b"}})             // "/users?page=2&q=a%26b"
#pragma once

#include <algorithm>
#include <charconv>
#include <initializer_list>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>

#include "winsvc/config/abi.hpp"
#include "winsvc/route/path.hpp"

namespace winsvc {
inline namespace WINSVC_ABI {

/// A value for a URL: a text, an integer, a floating-point number (the shortest text that parses to the same number),
/// or a bool.
class url_value {
 public:
  url_value(std::string value) : text_(std::move(value)) {}
  url_value(std::string_view value) : text_(value) {}
  url_value(const char* value) : text_(value) {}
  template <class T, class = std::enable_if_t<std::is_arithmetic_v<T>>>
  url_value(T value) {
    static_assert(!std::is_same_v<T, char>, "winsvc: a char in a URL is ambiguous: pass an int or a string");
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

/// Adds percent-encoded values to the query of a URL, after the values that it already has and before the fragment.
[[nodiscard]] std::string with_query(std::string url,
                                     std::initializer_list<std::pair<std::string_view, url_value>> values);

}  // inline namespace WINSVC_ABI
}  // namespace winsvc

// ---------------------------------------------------------------------------------------------------------------------

#if WINSVC_BODIES_ROUTE

namespace winsvc {
inline namespace WINSVC_ABI {
namespace detail::route {

/// Encodes a name or a value of a query: all but the unreserved characters (RFC 3986 section 2.3), so that '+', '&' and
/// '=' are decoded as themselves.
WINSVC_INLINE std::string percent_encode_value(std::string_view value) {
  std::string out;
  for (const char c : percent_encode_segment(value)) {
    constexpr std::string_view reserved = "!$&'()*+,;=:@";
    if (reserved.find(c) == std::string_view::npos) out += c;
    else out += "%" + std::string(1, "0123456789ABCDEF"[c >> 4]) + "0123456789ABCDEF"[c & 15];
  }
  return out;
}

}  // namespace detail::route

WINSVC_INLINE std::string with_query(std::string url,
                              std::initializer_list<std::pair<std::string_view, url_value>> values) {
  const auto hash = (std::min)(url.find('#'), url.size());
  const std::string fragment = url.substr(hash);
  url.resize(hash);
  for (const auto& [name, value] : values) {
    if (url.find('?') == std::string::npos) url += '?';
    else if (url.back() != '?' && url.back() != '&') url += '&';
    url += detail::route::percent_encode_value(name) + '=' + detail::route::percent_encode_value(value.text());
  }
  return url + fragment;
}

}  // inline namespace WINSVC_ABI
}  // namespace winsvc

#endif  // WINSVC_BODIES_ROUTE
