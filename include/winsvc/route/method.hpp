// The request methods that routes are made of, and small sets of them.
//
//   parse_method("DELETE")                       // method::del
//   method_set set; set.add(method::get);
//   set.allow()                                  // "GET, HEAD, OPTIONS"
//
// It knows the seven methods that a route may serve. CONNECT and TRACE are HTTP too, but an origin server that is no
// proxy has no use for them: they are answered as unknown ones are, with 501.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "winsvc/config/abi.hpp"

namespace winsvc {
inline namespace WINSVC_ABI {
namespace route {

/// A method of RFC 9110 section 9.3 (PATCH: RFC 5789), or `any`: a route for all of them, which no request ever
/// carries. `del` is DELETE, which Windows headers define as a macro.
enum class method { get, head, post, put, patch, del, options, any };

/// The method that a request line names. Case counts (RFC 9110 section 9.1): "get" is no method, and "ANY" is not one
/// either.
[[nodiscard]] std::optional<method> parse_method(std::string_view token) noexcept;

/// As it stands in a request line; `any` is "ANY", for messages only.
[[nodiscard]] std::string_view name(method m) noexcept;

/// What a resource can be asked for. `any` adds every method.
class method_set {
 public:
  void add(method m) noexcept;
  void add(method_set other) noexcept { bits_ |= other.bits_; }
  [[nodiscard]] bool has(method m) const noexcept;
  [[nodiscard]] bool empty() const noexcept { return bits_ == 0; }

  /// The value of an Allow field (RFC 9110 section 10.2.1), in the order of the enumeration. GET brings HEAD along
  /// (RFC 9110 section 9.3.2), and OPTIONS is always there, because whoever writes Allow answers OPTIONS with it.
  [[nodiscard]] std::string allow() const;

  friend bool operator==(method_set a, method_set b) noexcept { return a.bits_ == b.bits_; }
  friend bool operator!=(method_set a, method_set b) noexcept { return !(a == b); }

 private:
  unsigned bits_ = 0;
};

// ---------------------------------------------------------------------------------------------------------------------

inline constexpr std::string_view method_names[] = {"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "ANY"};
inline constexpr unsigned method_count = 7;  // without `any`

inline std::optional<method> parse_method(std::string_view token) noexcept {
  for (unsigned i = 0; i < method_count; ++i) {
    if (token == method_names[i]) return static_cast<method>(i);
  }
  return std::nullopt;
}

inline std::string_view name(method m) noexcept { return method_names[static_cast<unsigned>(m)]; }

inline void method_set::add(method m) noexcept {
  bits_ |= m == method::any ? (1u << method_count) - 1 : 1u << static_cast<unsigned>(m);
}

inline bool method_set::has(method m) const noexcept {
  method_set one;
  one.add(m);
  return (bits_ & one.bits_) == one.bits_;
}

inline std::string method_set::allow() const {
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

}  // namespace route
}  // inline namespace WINSVC_ABI
}  // namespace winsvc
