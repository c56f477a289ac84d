// Typed access to query parameters, form fields and headers of a request.
//
//   const int page = winsvc::query(req, "page", 1);                    // 1 if the parameter is missing
//   const auto q = winsvc::query<std::string>(req, "q");               // 400 "the query parameter 'q' is missing"
//   const auto tags = winsvc::query_all<std::string>(req, "tag");      // ?tag=a&tag=b
//   const auto size = winsvc::form<int>(req, "size");                  // a form field
//
// A value that cannot be converted is 400, and the message names it. Query parameters are read only from the target,
// form fields only from the body; `params` of cpp-httplib contains both.
//
// api/text_value.hpp has the types. api/parameter.hpp passes such values as arguments, checks them and documents them.
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

// Parts of a request as text, for a file that does not include <httplib.h>. All are valid on the thread of the request.

/// The method in upper case, for example "GET".
[[nodiscard]] const std::string& request_method(const request& req) noexcept;
/// The value of a header; empty if the header is missing. Several header lines of one name are joined by commas.
[[nodiscard]] std::string header_text(const request& req, const std::string& name);
/// True if the request has a header of this name.
[[nodiscard]] bool has_header(const request& req, const std::string& name);
/// The path of the target, percent-decoded.
[[nodiscard]] const std::string& request_path(const request& req) noexcept;
/// The IP address of the client; behind a trusted proxy (addons/proxies.hpp) the address that the proxy reports.
[[nodiscard]] const std::string& client_address(const request& req) noexcept;
/// The body, decompressed. It is empty in a middleware before the handler, because the body is read after the
/// middleware.
[[nodiscard]] const std::string& body_text(const request& req) noexcept;

namespace detail::api {

/// Converts text to T. Aborts with 400 and names the value: `source` is "the query parameter", for example.
template <class T>
T parse_value(const std::string& text, const char* source, const std::string& name) {
  static_assert(is_text_value<T> && !std::is_same_v<T, std::string_view>,
                "winsvc: the type of a query parameter, form field or header must be bool, an integer, double, "
                "std::string, a std::chrono duration, an enumeration with WINSVC_ENUM, or a type with "
                "winsvc::text_traits");
  T value{};
  if (convert(text, value)) return value;
  constexpr const char* limit = !std::is_integral_v<T> || std::is_same_v<T, bool> ? ""
                                : std::is_unsigned_v<T> ? " from 0 on, or is too large"
                                                        : ", or is too large";
  abort(400, std::string(source) + " '" + name + "' is not " + text_kind<T>() + limit + ": '" +
                 std::string(base::truncate(text, 80)) + "'");
}

/// T, or std::string if T is a string literal.
template <class T>
using value_type = std::conditional_t<std::is_convertible_v<T, std::string_view>, std::string, T>;

/// The query component of the target, not decoded.
[[nodiscard]] std::string_view query_text(const request& req) noexcept;
/// The text of a form field, URL-encoded or multipart; nullopt if it is missing.
[[nodiscard]] std::optional<std::string> form_text(const request& req, const std::string& name);
/// The texts of all form fields of this name, in the order of the body.
[[nodiscard]] std::vector<std::string> form_texts(const request& req, const std::string& name);

}  // namespace detail::api

/// The query parameter `name`; nullopt if it is missing. If it occurs several times, the first value.
template <class T>
[[nodiscard]] std::optional<T> find_query(const request& req, const std::string& name) {
  const auto text = detail::wire::find_field(detail::api::query_text(req), name);
  if (!text) return std::nullopt;
  return detail::api::parse_value<T>(*text, "the query parameter", name);
}
/// The query parameter `name`; aborts with 400 if it is missing.
template <class T>
[[nodiscard]] T query(const request& req, const std::string& name) {
  auto found = find_query<T>(req, name);
  if (!found) abort(400, "the query parameter '" + name + "' is missing");
  return std::move(*found);
}
/// The query parameter `name`; `default_value` if it is missing.
template <class T>
[[nodiscard]] detail::api::value_type<T> query(const request& req, const std::string& name, T default_value) {
  auto found = find_query<detail::api::value_type<T>>(req, name);
  return found ? std::move(*found) : detail::api::value_type<T>(std::move(default_value));
}
/// All values of the query parameter `name`, in the order of the target.
template <class T>
[[nodiscard]] std::vector<T> query_all(const request& req, const std::string& name) {
  std::vector<T> values;
  for (const std::string& text : detail::wire::find_fields(detail::api::query_text(req), name))
    values.push_back(detail::api::parse_value<T>(text, "the query parameter", name));
  return values;
}

/// The form field `name`, from a URL-encoded or multipart body; nullopt if it is missing.
template <class T>
[[nodiscard]] std::optional<T> find_form(const request& req, const std::string& name) {
  const auto text = detail::api::form_text(req, name);
  if (!text) return std::nullopt;
  return detail::api::parse_value<T>(*text, "the form field", name);
}
/// The form field `name`; aborts with 400 if it is missing.
template <class T>
[[nodiscard]] T form(const request& req, const std::string& name) {
  auto found = find_form<T>(req, name);
  if (!found) abort(400, "the form field '" + name + "' is missing");
  return std::move(*found);
}

/// The header `name`; nullopt if it is missing.
template <class T>
[[nodiscard]] std::optional<T> find_header(const request& req, const std::string& name) {
  if (!has_header(req, name)) return std::nullopt;
  return detail::api::parse_value<T>(header_text(req, name), "the header", name);
}

}  // inline namespace WINSVC_ABI
}  // namespace winsvc

// ---------------------------------------------------------------------------------------------------------------------

#if WINSVC_BODIES_API

namespace winsvc {
inline namespace WINSVC_ABI {
namespace detail::api {

WINSVC_INLINE std::string_view query_text(const request& req) noexcept { return wire::query_component(req.target); }

}  // namespace detail::api

WINSVC_INLINE const std::string& request_method(const request& req) noexcept { return req.method; }
WINSVC_INLINE std::string header_text(const request& req, const std::string& name) {
  return req.get_header_value(name);
}
WINSVC_INLINE bool has_header(const request& req, const std::string& name) { return req.has_header(name); }
WINSVC_INLINE const std::string& request_path(const request& req) noexcept { return req.path; }
WINSVC_INLINE const std::string& client_address(const request& req) noexcept { return req.remote_addr; }
WINSVC_INLINE const std::string& body_text(const request& req) noexcept { return req.body; }

}  // inline namespace WINSVC_ABI
}  // namespace winsvc

#endif  // WINSVC_BODIES_API
