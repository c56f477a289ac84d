// method, method_set: the request methods of routes (GET, POST, ...), and the value of the Allow field.
//
//   parse_method("DELETE")                       // method::del
//   method_set set; set.add(method::get);
//   set.allow()                                  // "GET, HEAD, OPTIONS"
//
// Seven methods have a value. Other methods (PROPFIND, REPORT, QUERY, ...) are `other` with a name: an app
// can register a route for any of them. CONNECT and TRACE are always 501, because an origin server does not need them.
#pragma once

#include <algorithm>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "winsvc/base/text.hpp"
#include "winsvc/config/abi.hpp"

namespace winsvc {
inline namespace WINSVC_ABI {
namespace detail::route {

/// A method of RFC 9110 section 9.3 (PATCH: RFC 5789). `any` is for a route that serves all methods; a request never
/// has it. `del` is DELETE, because Windows headers define DELETE as a macro. `other` is any other method;
/// its name is stored separately.
enum class method { get, head, post, put, patch, del, options, any, other };

/// Parses the method of a request line. Case matters (RFC 9110 section 9.1): "get" is not a method. "ANY" is not a
/// method either.
[[nodiscard]] std::optional<method> parse_method(std::string_view token) noexcept;

/// True if a route can have a method of this name: a token, but not CONNECT or TRACE.
[[nodiscard]] bool is_servable_method(std::string_view token) noexcept;

/// The name in a request line. `any` is "ANY" and `other` is "OTHER", for messages only.
[[nodiscard]] std::string_view name(method m) noexcept;

/// The methods of a resource. Adding `any` adds all methods.
class method_set {
 public:
  void add(method m) noexcept;
  void add(const method_set& other);
  /// Adds a method that is `other`.
  void add_other(std::string_view name);
  [[nodiscard]] bool has(method m) const noexcept;
  [[nodiscard]] bool has_other(std::string_view name) const noexcept;
  [[nodiscard]] bool empty() const noexcept { return bits_ == 0 && others_.empty(); }

  /// The value of an Allow field (RFC 9110 section 10.2.1), in the order of the enumeration, then the other
  /// methods. GET includes HEAD (RFC
  /// 9110 section 9.3.2). OPTIONS is always included, because the server responds to OPTIONS with this field.
  [[nodiscard]] std::string allow() const;

  friend bool operator==(const method_set& a, const method_set& b) noexcept {
    return a.bits_ == b.bits_ && a.others_ == b.others_;
  }
  friend bool operator!=(const method_set& a, const method_set& b) noexcept { return !(a == b); }

 private:
  unsigned bits_ = 0;
  std::vector<std::string> others_;
};

// ---------------------------------------------------------------------------------------------------------------------

inline constexpr unsigned method_count = 7;  // without `any` and `other`

}  // namespace detail::route
}  // inline namespace WINSVC_ABI
}  // namespace winsvc

#if WINSVC_BODIES_ROUTE

namespace winsvc {
inline namespace WINSVC_ABI {
namespace detail::route {

inline constexpr std::string_view method_names[] = {"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "ANY",
                                                    "OTHER"};

WINSVC_INLINE std::optional<method> parse_method(std::string_view token) noexcept {
  if (base::is_literal(token, "GET")) return method::get;  // the most frequent one
  for (unsigned i = 0; i < method_count; ++i) {
    if (token == method_names[i]) return static_cast<method>(i);
  }
  return std::nullopt;
}

WINSVC_INLINE std::string_view name(method m) noexcept { return method_names[static_cast<unsigned>(m)]; }

WINSVC_INLINE bool is_servable_method(std::string_view token) noexcept {
  constexpr std::string_view marks = "!#$%&'*+-.^_`|~";  // of a token (RFC 9110 section 5.6.2)
  for (const char c : token) {
    const bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
    if (!letter && marks.find(c) == marks.npos) return false;
  }
  return !token.empty() && token != "CONNECT" && token != "TRACE";
}

WINSVC_INLINE void method_set::add(const method_set& other) {
  bits_ |= other.bits_;
  for (const auto& name : other.others_) add_other(name);
}
WINSVC_INLINE void method_set::add_other(std::string_view name) {
  if (!has_other(name)) others_.emplace_back(name);
}
WINSVC_INLINE bool method_set::has_other(std::string_view name) const noexcept {
  return std::find(others_.begin(), others_.end(), name) != others_.end();
}

WINSVC_INLINE void method_set::add(method m) noexcept {
  bits_ |= m == method::any ? (1u << method_count) - 1 : 1u << static_cast<unsigned>(m);
}

WINSVC_INLINE bool method_set::has(method m) const noexcept {
  const unsigned bits = m == method::any ? (1u << method_count) - 1 : 1u << static_cast<unsigned>(m);
  return (bits_ & bits) == bits;
}

WINSVC_INLINE std::string method_set::allow() const {
  method_set listed = *this;
  if (has(method::get)) listed.add(method::head);
  listed.add(method::options);

  std::string out;
  for (unsigned i = 0; i < method_count; ++i) {
    if (!listed.has(static_cast<method>(i))) continue;
    if (!out.empty()) out += ", ";
    out += method_names[i];
  }
  for (const auto& other : others_) out += ", " + other;
  return out;
}

}  // namespace detail::route
}  // inline namespace WINSVC_ABI
}  // namespace winsvc

#endif  // WINSVC_BODIES_ROUTE
