// What a lambda may take and return, and how it is called.
//
//   [] { return "text"; }
//   [](int id) { return winsvc::json{{"id", id}}; }
//   [](const winsvc::request& req, winsvc::response& res, std::string name, winsvc::body<todo> item) { ... }
//
// Takes, in this order, each of them optional: `const request&`, `response&`, the path parameters in the order of the
// pattern (int, long, long long and their unsigned kin, double, std::string), `body<T>` or `upload` (api/upload.hpp).
// Returns: nothing (the response is as the handler left it), text, json, reply, std::optional<T> (empty is 404),
// std::pair<int, T> (status and value).
//
// A path parameter that does not convert is 404: `/users/{id}` with an int has no `/users/bob`. A body that is not
// JSON is 400, one that is not a T is 422 (RFC 9110, section 15.5.21), one that does not say it is JSON is 415.
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

/// The request's body as a T, from JSON, by nlohmann's `from_json`. Read it with `*` and `->`.
template <class T>
struct body {
  T value;
  T& operator*() noexcept { return value; }
  const T& operator*() const noexcept { return value; }
  T* operator->() noexcept { return &value; }
  const T* operator->() const noexcept { return &value; }
};

namespace http {

/// One call of a handler: what it is given.
struct invocation {
  const request& req;
  response& res;
  const std::vector<std::string>& values;  ///< of the path parameters, decoded
};

/// A lambda with its type forgotten. One small class for all of them: std::function for each of 200 lambdas costs twice
/// the compile time.
class handler {
 public:
  virtual ~handler() = default;
  virtual void call(const invocation& invocation) const = 0;
};

/// What registration has to know of a lambda's parameters.
struct handler_shape {
  std::size_t parameters = 0;  ///< how many path parameters it takes
  bool accepts_request = false;  ///< and could look at `path_params` itself
  bool accepts_response = false;
  bool accepts_body = false;
  const upload_receiver& (*receiver)() noexcept = nullptr;  ///< of one that takes an upload
  const route::value_kind* kinds = nullptr;  ///< of the path parameters, so many
  route::response_kind response_kind = route::response_kind::unknown;
  bool returns_optional = false;  ///< it returns an optional
  bool sets_status = false;  ///< by a pair or a reply
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

/// Request before response before parameters before a body of either kind, nothing twice but parameters.
template <class... Arguments>
constexpr bool check_argument_order() noexcept {
  argument_kind last = argument_kind::request;
  bool first = true, ok = true;
  [[maybe_unused]] const auto next = [&](argument_kind k) {
    if (!first && (k < last || last >= argument_kind::body || (k == last && k != argument_kind::parameter))) ok = false;
    last = k;
    first = false;
  };
  (next(kind_of<Arguments>()), ...);
  return ok;
}

/// A path parameter's text as a T; false where it is none.
template <class T>
bool convert(const std::string& from, T& to) {
  if constexpr (std::is_same_v<T, std::string>) {
    to = from;
    return true;
  } else {
    const auto [end, failed] = std::from_chars(from.data(), from.data() + from.size(), to);
    if constexpr (std::is_same_v<T, double>) {
      if (!(to - to == 0)) return false;  // "inf" and "nan" convert, and are no numbers of a path
    }
    return failed == std::errc() && end == from.data() + from.size() && !from.empty();
  }
}

// What `write_result` does with a response. Functions, so that a file with handlers need not see httplib's response.

/// Text as the answer. A status that the handler set on the response itself stays.
void answer_text(response& res, std::string text);
/// The same for JSON, as text.
void answer_json(response& res, std::string text);
/// The answer's status.
void set_status(response& res, int status);

/// A handler's answer into the response.
template <class R>
void write_result(response& res, R&& value) {
  using plain = std::remove_cv_t<std::remove_reference_t<R>>;
  if constexpr (std::is_same_v<plain, reply>) {
    reply(std::forward<R>(value)).apply(res);
  } else if constexpr (is_nlohmann<plain>::value) {  // before text: json converts to a string, by throwing
#if WINSVC_JSON
    if constexpr (std::is_same_v<plain, winsvc::json>) answer_json(res, text_of_json(value));
    else
#endif
      answer_json(res, value.dump(-1, ' ', false, plain::error_handler_t::replace));
  } else if constexpr (std::is_convertible_v<R, std::string>) {
    answer_text(res, std::string(std::forward<R>(value)));
  } else if constexpr (std::is_same_v<plain, std::string_view>) {
    answer_text(res, std::string(value));
  } else {
    static_assert(sizeof(plain) == 0,
                  "winsvc: a handler returns nothing, text, winsvc::json (with <nlohmann/json.hpp>), winsvc::reply, "
                  "std::optional of one of these, or std::pair<int, one of these>");
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

/// What a return type says of the answer.
template <class R>
struct result_traits {
  static constexpr bool optional = false, chooses = std::is_same_v<R, reply>;
  static constexpr auto kind = std::is_void_v<R> || chooses ? route::response_kind::unknown
                               : is_nlohmann<R>::value      ? route::response_kind::json
                                                            : route::response_kind::text;
};
template <class T>
struct result_traits<std::optional<T>> : result_traits<T> {
  static constexpr bool optional = true;
};
template <class T>
struct result_traits<std::pair<int, T>> : result_traits<T> {
  static constexpr bool chooses = true;
};

/// Everything about a handler that follows from its signature: made once for all lambdas that have the same one, for it
/// is most of what a route costs to compile.
template <class R, class... Arguments>
class signature {
  static_assert(
      ((kind_of<Arguments>() != argument_kind::unsupported) && ...),
      "winsvc: a handler takes const request&, response&, path parameters (integers, double, std::string) and "
      "body<T> or upload, by value or const reference");
  static_assert(
      check_argument_order<Arguments...>(),
      "winsvc: a handler takes its arguments in this order: const request&, response&, path parameters, body<T> or "
      "upload");

 public:
  /// Calls the lambda at `f`.
  using invoke_function = R (*)(const void* f, Arguments...);

  static constexpr handler_shape shape() noexcept {
    handler_shape s;
    s.parameters = (std::size_t{0} + ... + (kind_of<Arguments>() == argument_kind::parameter ? 1 : 0));
    s.accepts_request = ((kind_of<Arguments>() == argument_kind::request) || ...);
    s.accepts_response = ((kind_of<Arguments>() == argument_kind::response) || ...);
    s.accepts_body = ((kind_of<Arguments>() == argument_kind::body) || ...);
    if constexpr (((kind_of<Arguments>() == argument_kind::upload) || ...)) s.receiver = &the_upload_receiver;
    // Parameters are together, behind the request and the response.
    s.kinds = kinds_ + (s.accepts_request ? 1 : 0) + (s.accepts_response ? 1 : 0);
    using answer = result_traits<std::remove_cv_t<std::remove_reference_t<R>>>;
    s.response_kind = answer::kind;
    s.returns_optional = answer::optional;
    s.sets_status = answer::chooses;
    return s;
  }

  static void call(const invocation& invocation, const void* f, invoke_function enter) {
    call(invocation, f, enter, std::index_sequence_for<Arguments...>());
  }

 private:
  template <class A>
  using plain = std::remove_cv_t<std::remove_reference_t<A>>;
  static constexpr route::value_kind kinds_[] = {route::kind_of_value<plain<Arguments>>()..., route::value_kind::text};
  /// What an argument is kept in between its conversion and the call.
  template <class A>
  using stored_argument =
      std::conditional_t<kind_of<A>() == argument_kind::parameter || kind_of<A>() == argument_kind::upload, plain<A>,
                         std::conditional_t<kind_of<A>() == argument_kind::body, std::optional<plain<A>>, char>>;

  template <std::size_t... Index>
  static void call(const invocation& invocation, const void* f, invoke_function enter, std::index_sequence<Index...>) {
    std::tuple<stored_argument<Arguments>...> values;
    [[maybe_unused]] std::size_t next = 0;
    if (!(convert_arguments<Arguments>(invocation, std::get<Index>(values), next) && ...)) winsvc::abort(404);
    if constexpr (std::is_void_v<R>) {
      enter(f, pass<Arguments>(invocation, std::get<Index>(values))...);
    } else {
      write_result(invocation.res, enter(f, pass<Arguments>(invocation, std::get<Index>(values))...));
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
      static_assert(sizeof(A) == 0, "winsvc: body<T> needs nlohmann's json: put <nlohmann/json.hpp> on the include path");
#endif
    } else if constexpr (kind_of<A>() == argument_kind::upload) {
      output = make_upload();
    }
    static_cast<void>(invocation), static_cast<void>(output), static_cast<void>(next);
    return true;
  }

  template <class A>
  static decltype(auto) pass(const invocation& invocation, stored_argument<A>& from) {
    static_cast<void>(invocation), static_cast<void>(from);
    if constexpr (kind_of<A>() == argument_kind::request) {
      return (invocation.req);
    } else if constexpr (kind_of<A>() == argument_kind::response) {
      return (invocation.res);
    } else if constexpr (kind_of<A>() == argument_kind::body) {
      return std::move(*from);
    } else {
      return std::move(from);
    }
  }
};

/// What is left for each lambda.
template <class F, class R, class... Arguments>
class typed_handler final : public handler {
 public:
  explicit typed_handler(F f) : function_(std::move(f)) {}
  static constexpr handler_shape shape() noexcept { return signature<R, Arguments...>::shape(); }
  void call(const invocation& invocation) const override { signature<R, Arguments...>::call(invocation, &function_, &invoke); }

 private:
  static R invoke(const void* f, Arguments... arguments) {
    return (*static_cast<const F*>(f))(std::forward<Arguments>(arguments)...);
  }

  F function_;
};

// From a callable to its parameter list.
template <class F, class Member>
struct from_member;
template <class F, class C, class R, class... A>
struct from_member<F, R (C::*)(A...)> {
  static_assert(sizeof(C) == 0,
                "winsvc: a handler is called from many threads at once, so its call operator must be const "
                "(a lambda without `mutable`)");
};
template <class F, class C, class R, class... A>
struct from_member<F, R (C::*)(A...) const> { using type = typed_handler<F, R, A...>; };
template <class F, class C, class R, class... A>
struct from_member<F, R (C::*)(A...) const noexcept> { using type = typed_handler<F, R, A...>; };

template <class F, class = void>
struct bind_handler {
  static_assert(sizeof(F) == 0,
                "winsvc: a handler is a function or a lambda whose parameter types are written out (no `auto`)");
};
template <class F>
struct bind_handler<F, std::void_t<decltype(&F::operator())>> : from_member<F, decltype(&F::operator())> {};
template <class R, class... A>
struct bind_handler<R (*)(A...), void> { using type = typed_handler<R (*)(A...), R, A...>; };
template <class R, class... A>
struct bind_handler<R (*)(A...) noexcept, void> { using type = typed_handler<R (*)(A...) noexcept, R, A...>; };

/// A lambda with its type forgotten, and its shape.
struct erased_handler {
  std::unique_ptr<handler> call;
  handler_shape shape;
};
template <class F>
erased_handler make_handler(F f) {
  using bound = typename bind_handler<F>::type;
  return {std::unique_ptr<handler>(new bound(std::move(f))), bound::shape()};
}

}  // namespace http
}  // inline namespace WINSVC_ABI
}  // namespace winsvc

// ---------------------------------------------------------------------------------------------------------------------

#if WINSVC_BODIES_API

namespace winsvc {
inline namespace WINSVC_ABI {
namespace http {

WINSVC_INLINE void answer_text(response& res, std::string text) {
  const int status = res.status;
  reply::text(std::move(text), status == -1 ? 200 : status).apply(res);
}
WINSVC_INLINE void answer_json(response& res, std::string text) {
  const int status = res.status;
  reply::with(std::move(text), "application/json", status == -1 ? 200 : status).apply(res);
}
WINSVC_INLINE void set_status(response& res, int status) { res.status = status; }

}  // namespace http
}  // inline namespace WINSVC_ABI
}  // namespace winsvc

#endif  // WINSVC_BODIES_API
