// html: markup that is safe by construction, because each text that is inserted is escaped.
//
//   winsvc::html page("<h1>{}</h1>", title);                              // <, >, &, " and ' in title are escaped
//   for (const post& p : posts) page += winsvc::html("<a href=\"/posts/{}\">{}</a>", p.id, p.title);
//   return winsvc::html("<!doctype html><title>{}</title>{}", title, page);      // markup is inserted as it is
//
// The first argument is a literal, so text of a request cannot become markup. Each `{}` in it is a place for one value:
// text, a number, or other html. Put an attribute in quotes. Escaping does not make a value safe as a URL scheme
// (`href="{}"` with "javascript:..."), in a script or in a style sheet. A handler may return html.
#pragma once

#include <cstddef>
#include <stdexcept>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>

#include "winsvc/base/encoding.hpp"
#include "winsvc/config/abi.hpp"

namespace winsvc {
inline namespace WINSVC_ABI {

/// Markup. A value: copy it, append to it, return it from a handler.
class html {
 public:
  html() = default;
  /// Replaces each `{}` of the literal by a value. Throws std::logic_error if their numbers differ.
  template <std::size_t Size, class... Values>
  explicit html(const char (&markup)[Size], const Values&... values) {
    const std::string escaped[] = {to_markup(values)..., std::string()};
    fill(std::string_view(markup, Size - 1), escaped, sizeof...(Values));
  }
  /// Escaped text.
  [[nodiscard]] static html text(std::string_view plain);
  /// Markup from a source that the app trusts, such as a template engine; it is not escaped.
  [[nodiscard]] static html trusted(std::string markup) {
    html result;
    result.markup_ = std::move(markup);
    return result;
  }

  html& operator+=(const html& other) {
    markup_ += other.markup_;
    return *this;
  }
  [[nodiscard]] const std::string& markup() const& noexcept { return markup_; }
  [[nodiscard]] std::string markup() && noexcept { return std::move(markup_); }
  [[nodiscard]] bool empty() const noexcept { return markup_.empty(); }

 private:
  template <class Value>
  static std::string to_markup(const Value& value) {
    if constexpr (std::is_same_v<Value, html>) {
      return value.markup_;
    } else if constexpr (std::is_convertible_v<const Value&, std::string_view>) {
      return detail::base::escape_html(value);
    } else {
      static_assert(std::is_arithmetic_v<Value> && !std::is_same_v<Value, bool> && !std::is_same_v<Value, char>,
                    "winsvc: a value of html must be text, a number or html");
      return std::to_string(value);
    }
  }
  void fill(std::string_view markup, const std::string* values, std::size_t count);

  std::string markup_;
};

}  // inline namespace WINSVC_ABI
}  // namespace winsvc

// ---------------------------------------------------------------------------------------------------------------------

#if WINSVC_BODIES_API

namespace winsvc {
inline namespace WINSVC_ABI {

WINSVC_INLINE html html::text(std::string_view plain) { return trusted(detail::base::escape_html(plain)); }

WINSVC_INLINE void html::fill(std::string_view markup, const std::string* values, std::size_t count) {
  std::size_t used = 0;
  for (;;) {
    const auto place = markup.find("{}");
    if ((place == markup.npos) != (used == count))
      throw std::logic_error("html: the markup has " + std::string(place == markup.npos ? "fewer" : "more") +
                             " places {} than there are values (" + std::to_string(count) + ")");
    markup_ += markup.substr(0, place);
    if (place == markup.npos) return;
    markup_ += values[used++];
    markup.remove_prefix(place + 2);
  }
}

}  // inline namespace WINSVC_ABI
}  // namespace winsvc

#endif  // WINSVC_BODIES_API
