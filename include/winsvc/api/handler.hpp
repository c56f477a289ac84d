// Handlers: the parameters and return types of a handler, and the conversion of requests and responses.
//
//   [] { return "text"; }
//   [](int id) { return winsvc::json{{"id", id}}; }
//   [](const winsvc::request& req, winsvc::response& res, std::string name, winsvc::body<todo> item) { ... }
//
// Parameters, each optional, in this order: `const request&`; `response&`; the path parameters in the order of the
// pattern (signed and unsigned integers, double, std::string); `body<T>` or `upload` (api/upload.hpp).
// Return types: void (the handler fills the response), text, json, reply, std::optional<T> (empty: 404),
// std::pair<int, T> (status and value).
//
// A path parameter that cannot be converted is 404: the pattern `/users/{id}` with an int does not match `/users/bob`.
// A body without a JSON Content-Type is 415, a body that is not JSON is 400, and JSON that does not convert to T is 422
// (RFC 9110, section 15.5.21).
//
// A handler runs on the thread that serves the request, concurrently with itself; protect shared data. An exception is
// logged and becomes 500 (abort and on_exception: see api/abort.hpp and api/error_handlers.hpp).
#pragma once

#include <charconv>
#include <cstddef>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <system_error>
#include <tuple>
#include <type_traits>
#include <utility>
#include <vector>

#include "winsvc/config/abi.hpp"
#include "winsvc/api/json_body.hpp"
#include "winsvc/api/reply.hpp"
#include "winsvc/api/upload.hpp"
#include "winsvc/route/metadata.hpp"

namespace winsvc {
inline namespace WINSVC_ABI {

/// Handler parameter: the body of the request, converted from JSON to T by nlohmann's `from_json`. Use it like a
/// pointer, with `*` and `->`. Requires <nlohmann/json.hpp>.
template <class T>
struct body {
  T value;
  T& operator*() noexcept { return value; }
  const T& operator*() const noexcept { return value; }
  T* operator->() noexcept { return &value; }
  const T* operator->() const noexcept { return &value; }
};

namespace detail::api {

/// The data for one call of a handler.
struct invocation {
  const request& req;
  response& res;
  const std::vector<std::string>& values;  ///< values of the path parameters, decoded
};

/// Type-erased handler. A class of winsvc, because std::function for 200 lambdas doubles the compile time.
class handler {
 public:
  virtual ~handler() = default;
  virtual void call(const invocation& invocation) const = 0;
};

/// The signature of a handler, as registration needs it.
struct handler_shape {
  std::size_t parameters = 0;      ///< number of path parameters
  bool accepts_request = false;    ///< the handler can read `path_params` of the request
  bool accepts_response = false;
  bool accepts_body = false;
  const http::upload_receiver& (*receiver)() noexcept = nullptr;  ///< null unless the handler has an `upload` parameter
  const route::value_kind* kinds = nullptr;                 ///< kinds of the path parameters, an array of `parameters`
  route::response_kind response_kind = route::response_kind::unknown;
  bool returns_optional = false;
  bool sets_status = false;        ///< the handler returns a pair or a reply
};

template <class T>
struct is_body : std::false_type {};
template <class T>
struct is_body<body<T>> : std::true_type {};

enum class argument_kind { request, response, parameter, body, upload, unsupported };

template <class Argument>
constexpr argument_kind kind_of() noexcept {
  using plain = std::remove_cv_t<std::remove_reference_t<Argument>>;
  constexpr bool mutable_reference =
      std::is_lvalue_reference_v<Argument> && !std::is_const_v<std::remove_reference_t<Argument>>;
  if constexpr (std::is_same_v<plain, winsvc::request>) {
    return mutable_reference || !std::is_reference_v<Argument> ? argument_kind::unsupported : argument_kind::request;
  } else if constexpr (std::is_same_v<plain, winsvc::response>) {
    return mutable_reference ? argument_kind::response : argument_kind::unsupported;
  } else if constexpr (is_body<plain>::value) {
    return mutable_reference ? argument_kind::unsupported : argument_kind::body;
  } else if constexpr (std::is_same_v<plain, winsvc::upload>) {
    return mutable_reference ? argument_kind::unsupported : argument_kind::upload;
  } else if constexpr (std::is_same_v<plain, bool> || std::is_same_v<plain, char>) {
    return argument_kind::unsupported;
  } else if constexpr (std::is_integral_v<plain> || std::is_same_v<plain, double> ||
                       std::is_same_v<plain, std::string>) {
    return mutable_reference ? argument_kind::unsupported : argument_kind::parameter;
  } else {
    return argument_kind::unsupported;
  }
}

/// True if the order is request, response, path parameters, then one body or upload, each at most once except path
/// parameters.
template <class... Arguments>
constexpr bool check_argument_order() noexcept {
  argument_kind last = argument_kind::request;
  bool first = true, ok = true;
  [[maybe_unused]] const auto check_next = [&](argument_kind kind) {
    if (!first && (kind < last || last >= argument_kind::body ||
                   (kind == last && kind != argument_kind::parameter))) ok = false;
    last = kind;
    first = false;
  };
  (check_next(kind_of<Arguments>()), ...);
  return ok;
}

/// Converts the text of a path parameter to T. Returns false if the text is not a T.
template <class T>
bool convert(const std::string& text, T& value) {
  if constexpr (std::is_same_v<T, std::string>) {
    value = text;
    return true;
  } else {
    const auto [end, failed] = std::from_chars(text.data(), text.data() + text.size(), value);
    if constexpr (std::is_same_v<T, double>) {
      if (!(value - value == 0)) return false;  // from_chars accepts "inf" and "nan"
    }
    return failed == std::errc() && end == text.data() + text.size() && !text.empty();
  }
}

// Access to the response through functions, so that a file with handlers does not include <httplib.h>.

/// Sets the body to plain text. Keeps a status that the handler has set on the response; default: 200.
void write_text(response& res, std::string text);
/// Sets the body to JSON text. Keeps a status that the handler has set on the response; default: 200.
void write_json(response& res, std::string text);
/// Sets the status of the response.
void set_status(response& res, int status);

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
  } else {
    static_assert(sizeof(plain) == 0,
                  "winsvc: a handler must return void, text, winsvc::json (with <nlohmann/json.hpp>), winsvc::reply, "
                  "std::optional<T> or std::pair<int, T>, where T is text, winsvc::json or winsvc::reply");
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

/// Properties of a response that follow from the return type of the handler.
template <class R>
struct result_traits {
  static constexpr bool optional = false, sets_status = std::is_same_v<R, reply>;
  static constexpr auto kind = std::is_void_v<R> || sets_status ? route::response_kind::unknown
                               : is_nlohmann<R>::value          ? route::response_kind::json
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

/// The part of a handler that depends only on its signature. Lambdas with the same signature share it, because it
/// causes most of the compile time of a route.
template <class R, class... Arguments>
class signature {
  static_assert(
      ((kind_of<Arguments>() != argument_kind::unsupported) && ...),
      "winsvc: unsupported parameter type of a handler; supported are const request&, response&, path parameters "
      "(integers, double, std::string) and body<T> or upload; the last two kinds by value or const reference");
  static_assert(
      check_argument_order<Arguments...>(),
      "winsvc: the parameters of a handler must be in this order: const request&, response&, path parameters, body<T> "
      "or upload; only path parameters may repeat");

 public:
  /// Calls the function object at `f`.
  using invoke_function = R (*)(const void* f, Arguments...);

  static constexpr handler_shape shape() noexcept {
    handler_shape s;
    s.parameters = (std::size_t{0} + ... + (kind_of<Arguments>() == argument_kind::parameter ? 1 : 0));
    s.accepts_request = ((kind_of<Arguments>() == argument_kind::request) || ...);
    s.accepts_response = ((kind_of<Arguments>() == argument_kind::response) || ...);
    s.accepts_body = ((kind_of<Arguments>() == argument_kind::body) || ...);
    if constexpr (((kind_of<Arguments>() == argument_kind::upload) || ...)) s.receiver = &the_upload_receiver;
    // The path parameters follow the request and the response without a gap.
    s.kinds = kinds_ + (s.accepts_request ? 1 : 0) + (s.accepts_response ? 1 : 0);
    using traits = result_traits<std::remove_cv_t<std::remove_reference_t<R>>>;
    s.response_kind = traits::kind;
    s.returns_optional = traits::optional;
    s.sets_status = traits::sets_status;
    return s;
  }

  static void call(const invocation& invocation, const void* f, invoke_function invoke) {
    call(invocation, f, invoke, std::index_sequence_for<Arguments...>());
  }

 private:
  template <class A>
  using plain = std::remove_cv_t<std::remove_reference_t<A>>;
  static constexpr route::value_kind kinds_[] = {route::kind_of_value<plain<Arguments>>()..., route::value_kind::text};
  /// Storage type of an argument between its conversion and the call; char if nothing is stored.
  template <class A>
  using stored_argument =
      std::conditional_t<kind_of<A>() == argument_kind::parameter || kind_of<A>() == argument_kind::upload, plain<A>,
                         std::conditional_t<kind_of<A>() == argument_kind::body, std::optional<plain<A>>, char>>;

  template <std::size_t... Index>
  static void call(const invocation& invocation, const void* f, invoke_function invoke,
                   std::index_sequence<Index...>) {
    std::tuple<stored_argument<Arguments>...> values;
    [[maybe_unused]] std::size_t next = 0;
    if (!(convert_arguments<Arguments>(invocation, std::get<Index>(values), next) && ...)) winsvc::abort(404);
    if constexpr (std::is_void_v<R>) {
      invoke(f, pass<Arguments>(invocation, std::get<Index>(values))...);
    } else {
      write_result(invocation.res, invoke(f, pass<Arguments>(invocation, std::get<Index>(values))...));
    }
  }

  template <class A>
  static bool convert_arguments(const invocation& invocation, stored_argument<A>& output, std::size_t& next) {
    if constexpr (kind_of<A>() == argument_kind::parameter) {
      return next < invocation.values.size() && convert(invocation.values[next++], output);
    } else if constexpr (kind_of<A>() == argument_kind::body) {
#if WINSVC_JSON
      using value = std::remove_reference_t<decltype(*std::declval<plain<A>&>())>;
      output.emplace(plain<A>{body_from_json<value, winsvc::json>(invocation.req)});
#else
      static_assert(sizeof(A) == 0,
                    "winsvc: body<T> requires <nlohmann/json.hpp>: add its folder to the include path");
#endif
    } else if constexpr (kind_of<A>() == argument_kind::upload) {
      output = make_upload();
    }
    static_cast<void>(invocation), static_cast<void>(output), static_cast<void>(next);
    return true;
  }

  template <class A>
  static decltype(auto) pass(const invocation& invocation, stored_argument<A>& stored) {
    static_cast<void>(invocation), static_cast<void>(stored);
    if constexpr (kind_of<A>() == argument_kind::request) {
      return (invocation.req);
    } else if constexpr (kind_of<A>() == argument_kind::response) {
      return (invocation.res);
    } else if constexpr (kind_of<A>() == argument_kind::body) {
      return std::move(*stored);
    } else {
      return std::move(stored);
    }
  }
};

/// The part of a handler that depends on the type of the function object.
template <class F, class R, class... Arguments>
class typed_handler final : public handler {
 public:
  explicit typed_handler(F f) : function_(std::move(f)) {}
  static constexpr handler_shape shape() noexcept { return signature<R, Arguments...>::shape(); }
  void call(const invocation& invocation) const override {
    signature<R, Arguments...>::call(invocation, &function_, &invoke);
  }

 private:
  static R invoke(const void* f, Arguments... arguments) {
    return (*static_cast<const F*>(f))(std::forward<Arguments>(arguments)...);
  }

  F function_;
};

// Find the typed_handler for a callable type by its parameter list.
template <class F, class Member>
struct from_member;
template <class F, class C, class R, class... A>
struct from_member<F, R (C::*)(A...)> {
  static_assert(sizeof(C) == 0,
                "winsvc: the call operator of a handler must be const (a lambda without `mutable`), because several "
                "threads call it at the same time");
};
template <class F, class C, class R, class... A>
struct from_member<F, R (C::*)(A...) const> { using type = typed_handler<F, R, A...>; };
template <class F, class C, class R, class... A>
struct from_member<F, R (C::*)(A...) const noexcept> { using type = typed_handler<F, R, A...>; };

template <class F, class = void>
struct bind_handler {
  static_assert(sizeof(F) == 0,
                "winsvc: a handler must be a function or a lambda with explicit parameter types (no `auto`)");
};
template <class F>
struct bind_handler<F, std::void_t<decltype(&F::operator())>> : from_member<F, decltype(&F::operator())> {};
template <class R, class... A>
struct bind_handler<R (*)(A...), void> { using type = typed_handler<R (*)(A...), R, A...>; };
template <class R, class... A>
struct bind_handler<R (*)(A...) noexcept, void> { using type = typed_handler<R (*)(A...) noexcept, R, A...>; };

/// A type-erased handler and its signature.
struct erased_handler {
  std::unique_ptr<handler> call;
  handler_shape shape;
};
template <class F>
erased_handler make_handler(F f) {
  using bound = typename bind_handler<F>::type;
  return {std::unique_ptr<handler>(new bound(std::move(f))), bound::shape()};
}

}  // namespace detail::api
}  // inline namespace WINSVC_ABI
}  // namespace winsvc

// ---------------------------------------------------------------------------------------------------------------------

#if WINSVC_BODIES_API

namespace winsvc {
inline namespace WINSVC_ABI {
namespace detail::api {

WINSVC_INLINE void write_text(response& res, std::string text) {
  const int status = res.status;
  reply::text(std::move(text), status == -1 ? 200 : status).apply(res);
}
WINSVC_INLINE void write_json(response& res, std::string text) {
  const int status = res.status;
  reply::with(std::move(text), "application/json", status == -1 ? 200 : status).apply(res);
}
WINSVC_INLINE void set_status(response& res, int status) { res.status = status; }

}  // namespace detail::api
}  // inline namespace WINSVC_ABI
}  // namespace winsvc

#endif  // WINSVC_BODIES_API
