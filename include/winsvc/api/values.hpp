// What a request says beside its path, as a value of a type: query, form and header. A value that does not convert is a
// 400 that names it.
//
//   const int page = winsvc::query(req, "page", 1);                    // 1 when it is not there
//   const auto q = winsvc::query<std::string>(req, "q");               // 400 "the query parameter 'q' is missing"
//   const auto tags = winsvc::query_all<std::string>(req, "tag");      // ?tag=a&tag=b
//   const auto size = winsvc::form<int>(req, "size");                  // of a form's field
//
// The query is what stands in the target, and a form what stands in the body: neither is looked for in the other.
// cpp-httplib's `params` has both.
//
// Types: those of path parameters, and bool (true, false, 1, 0, yes, no, on, off).
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

#include "winsvc/base/text.hpp"
#include "winsvc/config/abi.hpp"
#include "winsvc/api/abort.hpp"
#include "winsvc/api/handler.hpp"
#include "winsvc/api/httplib.hpp"
#include "winsvc/wire/fields.hpp"

namespace winsvc {
inline namespace WINSVC_ABI {

// A request's parts as text, for a file that does not include <httplib.h>.

/// The method in upper case.
[[nodiscard]] const std::string& request_method(const request& req) noexcept;
/// The value of a header; empty when it is not there. Lines of one name are one value, joined by commas.
[[nodiscard]] std::string header_text(const request& req, const std::string& name);
/// True if the request has a header of this name.
[[nodiscard]] bool has_header(const request& req, const std::string& name);
/// The path of the target, decoded.
[[nodiscard]] const std::string& request_path(const request& req) noexcept;
/// The address of the client; behind a trusted proxy (addons/proxies.hpp) the one that the proxy names.
[[nodiscard]] const std::string& client_address(const request& req) noexcept;
/// The body as it came, decompressed. Empty before the handler: it is read after the middleware.
[[nodiscard]] const std::string& body_text(const request& req) noexcept;

namespace http {

template <class T>
T value_of(const std::string& from, const char* what, const std::string& name) {
  static_assert(std::is_same_v<T, bool> || kind_of<T>() == argument_kind::parameter,
                "winsvc: a value is an integer, double, bool or std::string");
  T to{};
  if constexpr (std::is_same_v<T, bool>) {
    for (const char* yes : {"true", "1", "yes", "on"}) {
      if (strings::equal_nocase(from, yes)) return true;
    }
    for (const char* no : {"false", "0", "no", "off"}) {
      if (strings::equal_nocase(from, no)) return false;
    }
  } else {
    if (convert(from, to)) return to;
  }
  constexpr const char* kind = std::is_same_v<T, bool>     ? "true or false"
                               : std::is_same_v<T, double> ? "a number"
                               : std::is_unsigned_v<T>     ? "a whole number from 0 on, or is too large"
                                                           : "a whole number, or is too large";
  abort(400, std::string(what) + " '" + name + "' is not " + kind + ": '" + std::string(strings::truncate(from, 80)) + "'");
}

/// A string literal as a default means text.
template <class T>
using value_type = std::conditional_t<std::is_convertible_v<T, std::string_view>, std::string, T>;

/// The query of the request's target, undecoded.
[[nodiscard]] std::string_view query_text(const request& req) noexcept;
/// The text of a form's field, urlencoded or multipart.
[[nodiscard]] std::optional<std::string> form_text(const request& req, const std::string& name);

}  // namespace http

template <class T>
[[nodiscard]] std::optional<T> find_query(const request& req, const std::string& name) {
  const auto text = wire::find_field(http::query_text(req), name);
  if (!text) return std::nullopt;
  return http::value_of<T>(*text, "the query parameter", name);
}
template <class T>
[[nodiscard]] T query(const request& req, const std::string& name) {
  auto found = find_query<T>(req, name);
  if (!found) abort(400, "the query parameter '" + name + "' is missing");
  return std::move(*found);
}
template <class T>
[[nodiscard]] http::value_type<T> query(const request& req, const std::string& name, T otherwise) {
  auto found = find_query<http::value_type<T>>(req, name);
  return found ? std::move(*found) : http::value_type<T>(std::move(otherwise));
}
template <class T>
[[nodiscard]] std::vector<T> query_all(const request& req, const std::string& name) {
  std::vector<T> all;
  for (const std::string& text : wire::find_fields(http::query_text(req), name))
    all.push_back(http::value_of<T>(text, "the query parameter", name));
  return all;
}

/// A field of a form, urlencoded or multipart.
template <class T>
[[nodiscard]] std::optional<T> find_form(const request& req, const std::string& name) {
  const auto text = http::form_text(req, name);
  if (!text) return std::nullopt;
  return http::value_of<T>(*text, "the form field", name);
}
template <class T>
[[nodiscard]] T form(const request& req, const std::string& name) {
  auto found = find_form<T>(req, name);
  if (!found) abort(400, "the form field '" + name + "' is missing");
  return std::move(*found);
}

template <class T>
[[nodiscard]] std::optional<T> find_header(const request& req, const std::string& name) {
  if (!has_header(req, name)) return std::nullopt;
  return http::value_of<T>(header_text(req, name), "the header", name);
}

}  // inline namespace WINSVC_ABI
}  // namespace winsvc

// ---------------------------------------------------------------------------------------------------------------------

#if WINSVC_BODIES_API

namespace winsvc {
inline namespace WINSVC_ABI {
namespace http {

WINSVC_INLINE std::string_view query_text(const request& req) noexcept { return wire::query_component(req.target); }

}  // namespace http

WINSVC_INLINE const std::string& request_method(const request& req) noexcept { return req.method; }
WINSVC_INLINE std::string header_text(const request& req, const std::string& name) { return req.get_header_value(name); }
WINSVC_INLINE bool has_header(const request& req, const std::string& name) { return req.has_header(name); }
WINSVC_INLINE const std::string& request_path(const request& req) noexcept { return req.path; }
WINSVC_INLINE const std::string& client_address(const request& req) noexcept { return req.remote_addr; }
WINSVC_INLINE const std::string& body_text(const request& req) noexcept { return req.body; }

}  // inline namespace WINSVC_ABI
}  // namespace winsvc

#endif  // WINSVC_BODIES_API
