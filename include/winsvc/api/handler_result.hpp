// Result of a handler: writes the returned value to the response, and finds the kind of the response from the type of
// that value at compile time.
//
//   write_result(res, "text");                        // 200, text/plain
//   write_result(res, std::optional<todo>());         // 404
//   result_traits<winsvc::json>::kind                 // route::response_kind::json
//
// The functions access the response, so that a file with handlers does not include <httplib.h>.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>

#include "winsvc/api/abort.hpp"
#include "winsvc/api/html.hpp"
#include "winsvc/api/httplib.hpp"
#include "winsvc/api/json.hpp"
#include "winsvc/api/json_type.hpp"
#include "winsvc/api/reply.hpp"
#include "winsvc/config/abi.hpp"
#include "winsvc/route/metadata.hpp"

namespace winsvc {
inline namespace WINSVC_ABI {
namespace detail::api {

/// Sets the body to plain text. Keeps a status and a Content-Type that the handler has set on the response; default:
/// 200 and text/plain.
void write_text(response& res, std::string text);
/// Sets the body to JSON text. Keeps a status and a Content-Type that the handler has set; default: 200 and
/// application/json.
void write_json(response& res, std::string text);
/// Sets the body to HTML in UTF-8. Keeps a status that the handler has set on the response; default: 200.
void write_html(response& res, std::string markup);
/// Sets the status of the response.
void set_status(response& res, int status);

template <class T>
struct is_pair : std::false_type {};
template <class A, class B>
struct is_pair<std::pair<A, B>> : std::true_type {};

/// True for a type that write_result writes without nlohmann's to_json.
template <class T>
struct has_own_result_form
    : std::bool_constant<std::is_same_v<T, reply> || std::is_same_v<T, html> || std::is_convertible_v<T, std::string> ||
                         std::is_same_v<T, std::string_view> || is_nlohmann<T>::value || is_json_value<T>> {};

/// True if nlohmann's type is complete and can be constructed from a T: T, or the type of its elements, has a to_json.
template <class T, class Json, class = void>
struct constructs_json : std::false_type {};
template <class T, class Json>
struct constructs_json<T, Json, std::void_t<decltype(sizeof(Json))>> : std::is_constructible<Json, const T&> {};

/// True for a class that only nlohmann's to_json describes, and for containers of such classes.
#if WINSVC_JSON
template <class T>
inline constexpr bool has_only_to_json =
    std::conjunction_v<std::is_class<T>, std::negation<has_own_result_form<T>>, std::negation<is_pair<T>>,
                       constructs_json<T, winsvc::json>>;
#else
template <class T>
inline constexpr bool has_only_to_json = false;
#endif

/// Writes the result of a handler to the response.
template <class R>
void write_result(response& res, R&& value) {
  using plain = std::remove_cv_t<std::remove_reference_t<R>>;
  if constexpr (std::is_same_v<plain, reply>) {
    reply(std::forward<R>(value)).apply(res);
  } else if constexpr (is_nlohmann<plain>::value) {  // before text: json converts to a string, by throwing
#if WINSVC_JSON
    if constexpr (std::is_same_v<plain, winsvc::json>) write_json(res, text_of_json(value));
    else
#endif
      write_json(res, value.dump(-1, ' ', false, plain::error_handler_t::replace));
  } else if constexpr (std::is_convertible_v<R, std::string>) {
    write_text(res, std::string(std::forward<R>(value)));
  } else if constexpr (std::is_same_v<plain, std::string_view>) {
    write_text(res, std::string(value));
  } else if constexpr (std::is_same_v<plain, html>) {
    write_html(res, html(std::forward<R>(value)).markup());
  } else if constexpr (is_json_value<plain>) {
    write_json(res, to_json_text(value));
  } else if constexpr (has_only_to_json<plain>) {
#if WINSVC_JSON
    write_json(res, text_of_json(winsvc::json(value)));
#endif
  } else {
    static_assert(sizeof(plain) == 0,
                  "winsvc: a handler must return void, text, winsvc::html, a number, a type with WINSVC_TYPE or with "
                  "nlohmann's to_json, a vector, map or optional of such types, winsvc::json (with "
                  "<nlohmann/json.hpp> before <winsvc.hpp>), winsvc::reply, std::optional<T> or std::pair<int, T>, "
                  "where T is one of these types");
  }
}
template <class T>
void write_result(response& res, std::optional<T>&& value) {
  if (!value) winsvc::abort(404);
  write_result(res, std::move(*value));
}
template <class T>
void write_result(response& res, std::pair<int, T>&& value) {
  write_result(res, std::move(value.second));
  set_status(res, value.first);
}

/// True if write_result writes JSON for an R.
template <class R>
inline constexpr bool is_json =
    is_nlohmann<R>::value || (is_json_value<R> && !std::is_convertible_v<R, std::string>) || has_only_to_json<R>;

/// Properties of a response that follow from the return type of the handler.
template <class R>
struct result_traits {
  using type = R;  ///< without optional and pair
  static constexpr bool optional = false, sets_status = std::is_same_v<R, reply>;
  static constexpr auto kind = std::is_void_v<R> || sets_status ? route::response_kind::unknown
                               : is_json<R>                     ? route::response_kind::json
                               : std::is_same_v<R, html>        ? route::response_kind::html
                                                                : route::response_kind::text;
};
template <class T>
struct result_traits<std::optional<T>> : result_traits<T> {
  static constexpr bool optional = true;
};
template <class T>
struct result_traits<std::pair<int, T>> : result_traits<T> {
  static constexpr bool sets_status = true;
};

}  // namespace detail::api
}  // inline namespace WINSVC_ABI
}  // namespace winsvc

// ---------------------------------------------------------------------------------------------------------------------

#if WINSVC_BODIES_API

namespace winsvc {
inline namespace WINSVC_ABI {
namespace detail::api {

/// Sets the body. A status and a Content-Type that the handler has set stay. `type`: a constant text.
WINSVC_INLINE void write_body(response& res, std::string text, const char* type) {
  if (res.status == -1) res.status = 200;
  res.result_type = type;
  res.body = std::move(text);
}
WINSVC_INLINE void write_text(response& res, std::string text) {
  write_body(res, std::move(text), "text/plain; charset=utf-8");
}
WINSVC_INLINE void write_json(response& res, std::string text) {
  write_body(res, std::move(text), "application/json");
}
WINSVC_INLINE void write_html(response& res, std::string markup) {
  const int status = res.status;
  reply::html(std::move(markup), status == -1 ? 200 : status).apply(res);
}
WINSVC_INLINE void set_status(response& res, int status) { res.status = status; }

}  // namespace detail::api
}  // inline namespace WINSVC_ABI
}  // namespace winsvc

#endif  // WINSVC_BODIES_API
