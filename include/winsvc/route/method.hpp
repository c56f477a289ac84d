// method, method_set: the request methods of routes, and the Allow field.
//
//   parse_method("DELETE")                       // method::del
//   method_set set; set.add(method::get);
//   set.allow()                                  // "GET, HEAD, OPTIONS"
//
// There are seven methods. CONNECT and TRACE are not among them: an origin server does not need them, and the response
// is 501, as for an unknown method.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "winsvc/config/abi.hpp"

namespace winsvc {
inline namespace WINSVC_ABI {
namespace detail::route {

/// A method of RFC 9110 section 9.3 (PATCH: RFC 5789). `any` is for a route that serves all methods; a request never
/// has it. `del` is DELETE, because Windows headers define DELETE as a macro.
enum class method { get, head, post, put, patch, del, options, any };

/// Parses the method of a request line. Case matters (RFC 9110 section 9.1): "get" is not a method. "ANY" is not a
/// method either.
[[nodiscard]] std::optional<method> parse_method(std::string_view token) noexcept;

/// The name in a request line. `any` is "ANY", for messages only.
[[nodiscard]] std::string_view name(method m) noexcept;

/// The methods of a resource. Adding `any` adds all methods.
class method_set {
 public:
  void add(method m) noexcept;
  void add(method_set other) noexcept { bits_ |= other.bits_; }
  [[nodiscard]] bool has(method m) const noexcept;
  [[nodiscard]] bool empty() const noexcept { return bits_ == 0; }

  /// The value of an Allow field (RFC 9110 section 10.2.1), in the order of the enumeration. GET includes HEAD (RFC
  /// 9110 section 9.3.2). OPTIONS is always included, because the server responds to OPTIONS with this field.
  [[nodiscard]] std::string allow() const;

  friend bool operator==(method_set a, method_set b) noexcept { return a.bits_ == b.bits_; }
  friend bool operator!=(method_set a, method_set b) noexcept { return !(a == b); }

 private:
  unsigned bits_ = 0;
};

// ---------------------------------------------------------------------------------------------------------------------

inline constexpr unsigned method_count = 7;  // without `any`

}  // namespace detail::route
}  // inline namespace WINSVC_ABI
}  // namespace winsvc

#if WINSVC_BODIES_ROUTE

namespace winsvc {
inline namespace WINSVC_ABI {
namespace detail::route {

inline constexpr std::string_view method_names[] = {"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "ANY"};

WINSVC_INLINE std::optional<method> parse_method(std::string_view token) noexcept {
  for (unsigned i = 0; i < method_count; ++i) {
    if (token == method_names[i]) return static_cast<method>(i);
  }
  return std::nullopt;
}

WINSVC_INLINE std::string_view name(method m) noexcept { return method_names[static_cast<unsigned>(m)]; }

WINSVC_INLINE void method_set::add(method m) noexcept {
  bits_ |= m == method::any ? (1u << method_count) - 1 : 1u << static_cast<unsigned>(m);
}

WINSVC_INLINE bool method_set::has(method m) const noexcept {
  method_set single;
  single.add(m);
  return (bits_ & single.bits_) == single.bits_;
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
  return out;
}

}  // namespace detail::route
}  // inline namespace WINSVC_ABI
}  // namespace winsvc

#endif  // WINSVC_BODIES_ROUTE
