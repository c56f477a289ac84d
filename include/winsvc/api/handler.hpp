// Handlers: the parameters and return types of a handler, and the conversion of requests and responses.
//
//   [] { return "text"; }
//   [](int id) { return winsvc::json{{"id", id}}; }
//   [](const winsvc::request& req, winsvc::response& res, std::string name, winsvc::body<todo> item) { ... }
//
// Parameters, each optional, in this order: `const request&`; `response&`; the path parameters in the order of the
// pattern (api/text_value.hpp has their types); one for each source of the route (api/parameter.hpp); `body<T>` or
// `upload` (api/upload.hpp). A parameter `T&` at any position is an object of the app (api/app_objects.hpp).
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

#include <array>
#include <cstddef>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <tuple>
#include <type_traits>
#include <utility>
#include <vector>

#include "winsvc/config/abi.hpp"
#include "winsvc/api/app_objects.hpp"
#include "winsvc/api/faults.hpp"
#include "winsvc/api/json_body.hpp"
#include "winsvc/api/json_type.hpp"
#include "winsvc/api/reply.hpp"
#include "winsvc/api/text_value.hpp"
#include "winsvc/api/upload.hpp"
#include "winsvc/route/metadata.hpp"

namespace winsvc {
inline namespace WINSVC_ABI {

/// Handler parameter: the body of the request, converted from JSON to T. Use it like a pointer, with `*` and `->`. The
/// types of api/json_type.hpp are read strictly and checked; another type is converted by nlohmann's `from_json`.
/// Requires <nlohmann/json.hpp>, or another parser for the types of api/json_type.hpp (api/json_library.hpp).
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
  const app_objects* objects = nullptr;    ///< null: the app provides none
};

/// Where the value of a handler's argument comes from.
enum class source_kind { query, header, cookie, form, file, client };

/// The data for the conversion of the arguments of one call.
struct argument_context {
  const invocation& call;
  fault_list faults = {};
  std::optional<upload> files = {};  ///< of the request; empty until the first argument needs them
};

/// The same for a handler whose arguments come from the path.
struct path_context {
  const invocation& call;
};

// The functions of api/parameter.hpp that read an argument from a source.

template <class T>
struct typed_source;
template <class A, class T>
void read_source(const typed_source<T>& source, argument_context& context, std::optional<stored_value<A>>& output);
[[nodiscard]] std::string_view name_of_source(source_kind source) noexcept;
/// Throws setup_error if the name is missing, or if a file comes from another source than `file`.
void check_source(source_kind source, const std::string& name, bool is_file);
/// All values with this name, in the order of the request.
[[nodiscard]] std::vector<std::string> source_texts(const request& req, source_kind source, const std::string& name);
/// Moves the uploaded files of this name out of the request.
[[nodiscard]] std::vector<uploaded_file> take_files(argument_context& context, const std::string& name);
void add_missing_value(fault_list& faults, source_kind source, const std::string& name);
/// `requirement` completes "must": "be a whole number".
void add_invalid_value(fault_list& faults, source_kind source, const std::string& name, const std::string& requirement,
                       std::string_view text);

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
  route::schema_function body_schema = nullptr, response_schema = nullptr;  ///< null: unknown
  const required_object* objects = nullptr;  ///< the types of the parameters `T&`, an array of `object_count`
  std::size_t object_count = 0;
};

template <class T>
struct is_body : std::false_type {};
template <class T>
struct is_body<body<T>> : std::true_type {};

enum class argument_kind { request, response, parameter, sourced, body, upload, object, unsupported };

/// True for the arguments that have a value of the path or of a source.
constexpr bool is_value_kind(argument_kind kind) noexcept {
  return kind == argument_kind::parameter || kind == argument_kind::sourced;
}

template <class Argument>
using plain_type = std::remove_cv_t<std::remove_reference_t<Argument>>;

/// True for std::optional and std::vector of a text value, for uploaded files, and for enumerations without
/// WINSVC_ENUM, whose names are options of the source.
template <class T>
inline constexpr bool is_sourced_value = std::is_same_v<T, uploaded_file> || std::is_enum_v<T>;
template <class T>
inline constexpr bool is_sourced_value<std::optional<T>> = is_text_value<T> || is_sourced_value<T>;
template <class T>
inline constexpr bool is_sourced_value<std::vector<T>> = is_text_value<T> || is_sourced_value<T>;

template <class Argument>
constexpr argument_kind kind_of() noexcept {
  using plain = plain_type<Argument>;
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
  } else if constexpr (is_text_value<plain>) {
    return mutable_reference ? argument_kind::unsupported : argument_kind::parameter;
  } else if constexpr (is_sourced_value<plain>) {
    return mutable_reference ? argument_kind::unsupported : argument_kind::sourced;
  } else {
    return mutable_reference && std::is_class_v<plain> ? argument_kind::object : argument_kind::unsupported;
  }
}

/// True if the order is request, response, values, then one body or upload, each at most once except values. Objects
/// may be anywhere.
template <class... Arguments>
constexpr bool check_argument_order() noexcept {
  argument_kind last = argument_kind::request;
  bool first = true, ok = true;
  [[maybe_unused]] const auto check_next = [&](argument_kind kind) {
    if (kind == argument_kind::object) return;
    if (kind == argument_kind::sourced) kind = argument_kind::parameter;
    if (!first && (kind < last || last >= argument_kind::body ||
                   (kind == last && kind != argument_kind::parameter))) ok = false;
    last = kind;
    first = false;
  };
  (check_next(kind_of<Arguments>()), ...);
  return ok;
}

// Access to the response through functions, so that a file with handlers does not include <httplib.h>.

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
/// The object of the app with this key. The check at start has found it.
[[nodiscard]] void* object_of(const invocation& invocation, const void* key);

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
  } else {
    static_assert(sizeof(plain) == 0,
                  "winsvc: a handler must return void, text, winsvc::html, a number, a type with WINSVC_TYPE or a "
                  "vector, map or optional of such types, winsvc::json (with <nlohmann/json.hpp>), winsvc::reply, "
                  "std::optional<T> or std::pair<int, T>, where T is one of these types");
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
    is_nlohmann<R>::value || (is_json_value<R> && !std::is_convertible_v<R, std::string>);

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
/// The function that returns the schema of a type; null if the type has none.
template <class T>
[[nodiscard]] constexpr route::schema_function schema_of() noexcept {
  if constexpr (is_json_value<T>) return &json_type<T>::schema;
  else return nullptr;
}
template <class T>
[[nodiscard]] constexpr route::schema_function schema_of(const body<T>*) noexcept { return schema_of<T>(); }
[[nodiscard]] constexpr route::schema_function schema_of(const void*) noexcept { return nullptr; }

/// The part of a handler that depends only on its signature. Lambdas with the same signature share it, because it
/// causes most of the compile time of a route. The first `PathCount` values come from the path, the others from
/// sources.
template <std::size_t PathCount, class R, class... Arguments>
class signature {
  static_assert(
      ((kind_of<Arguments>() != argument_kind::unsupported) && ...),
      "winsvc: unsupported parameter type of a handler; supported are const request&, response&, values of the path "
      "or of a source (bool, integers, double, std::string, durations, enumerations with WINSVC_ENUM ...), body<T> or "
      "upload, all by value or const reference, and objects of the app as T&");
  static_assert(
      check_argument_order<Arguments...>(),
      "winsvc: the parameters of a handler must be in this order: const request&, response&, path parameters, values "
      "of sources, body<T> or upload; only values may repeat");

 public:
  /// Calls the function object at `f`.
  using invoke_function = R (*)(const void* f, Arguments...);

  static constexpr handler_shape shape() noexcept {
    constexpr std::size_t value_count = (std::size_t{0} + ... + (is_value_kind(kind_of<Arguments>()) ? 1 : 0));
    handler_shape s;
    s.parameters = value_count < PathCount ? value_count : PathCount;
    s.accepts_request = ((kind_of<Arguments>() == argument_kind::request) || ...);
    s.accepts_response = ((kind_of<Arguments>() == argument_kind::response) || ...);
    s.accepts_body = ((kind_of<Arguments>() == argument_kind::body) || ...);
    if constexpr (((kind_of<Arguments>() == argument_kind::upload || takes_file<Arguments>) || ...))
      s.receiver = &the_upload_receiver;
    s.kinds = kinds_.data();
    constexpr std::size_t object_count =
        (std::size_t{0} + ... + (kind_of<Arguments>() == argument_kind::object ? 1 : 0));
    if constexpr (object_count != 0) s.objects = objects_.data();
    s.object_count = object_count;
    using traits = result_traits<std::remove_cv_t<std::remove_reference_t<R>>>;
    s.response_kind = traits::kind;
    if constexpr (is_json<typename traits::type>) s.response_schema = schema_of<typename traits::type>();
    static_cast<void>(((s.body_schema = schema_of(static_cast<const plain_type<Arguments>*>(nullptr))) || ...));
    s.returns_optional = traits::optional;
    s.sets_status = traits::sets_status;
    return s;
  }

  template <class Sources>
  static void call(const invocation& invocation, const void* f, invoke_function invoke, const Sources& sources) {
    call(invocation, f, invoke, sources, std::index_sequence_for<Arguments...>());
  }

 private:
  template <class A>
  static constexpr bool takes_file = std::is_same_v<typename single_value<plain_type<A>>::type, uploaded_file>;

  /// The kinds of the values, in their order.
  static constexpr auto kinds_ = [] {
    std::array<route::value_kind, sizeof...(Arguments) + 1> kinds{};
    [[maybe_unused]] std::size_t count = 0;
    ((is_value_kind(kind_of<Arguments>())
          ? static_cast<void>(kinds[count++] = route::kind_of_value<plain_type<Arguments>>())
          : void()), ...);
    return kinds;
  }();
  /// The types of the objects, in their order.
  static constexpr auto objects_ = [] {
    std::array<required_object, sizeof...(Arguments) + 1> objects{};
    [[maybe_unused]] std::size_t count = 0;
    ((kind_of<Arguments>() == argument_kind::object
          ? static_cast<void>(objects[count++] = required_object{&type_key<plain_type<Arguments>>,
                                                                 &type_name<plain_type<Arguments>>})
          : void()), ...);
    return objects;
  }();
  /// The index of an argument among the values.
  static constexpr std::size_t value_index(std::size_t argument) noexcept {
    constexpr bool values[] = {is_value_kind(kind_of<Arguments>())..., false};
    std::size_t index = 0;
    for (std::size_t i = 0; i < argument; ++i) index += values[i] ? 1 : 0;
    return index;
  }
  template <std::size_t Index, class A>
  static constexpr bool is_from_source = is_value_kind(kind_of<A>()) && value_index(Index) >= PathCount;

  /// Storage type of an argument between its conversion and the call; char if nothing is stored.
  template <std::size_t Index, class A>
  using stored_argument = std::conditional_t<
      is_from_source<Index, A>, std::optional<stored_value<plain_type<A>>>,
      std::conditional_t<kind_of<A>() == argument_kind::parameter || kind_of<A>() == argument_kind::upload,
                         stored_value<plain_type<A>>,
                         std::conditional_t<kind_of<A>() == argument_kind::body, std::optional<plain_type<A>>, char>>>;

  template <class Sources, std::size_t... Index>
  static void call(const invocation& invocation, const void* f, invoke_function invoke, const Sources& sources,
                   std::index_sequence<Index...>) {
    std::tuple<stored_argument<Index, Arguments>...> values;
    constexpr bool reads_request =
        ((is_from_source<Index, Arguments> || kind_of<Arguments>() == argument_kind::body) || ...);
    std::conditional_t<reads_request, argument_context, path_context> context{invocation};
    if (!(convert_argument<Index, Arguments>(context, std::get<Index>(values), sources) && ...)) winsvc::abort(404);
    if constexpr (reads_request) context.faults.abort_if_any();
    static_cast<void>(sources);
    if constexpr (std::is_void_v<R>) {
      invoke(f, pass<Index, Arguments>(invocation, std::get<Index>(values))...);
    } else {
      write_result(invocation.res, invoke(f, pass<Index, Arguments>(invocation, std::get<Index>(values))...));
    }
  }

  /// Returns false if a path parameter does not have its type.
  template <std::size_t Index, class A, class Context, class Sources>
  static bool convert_argument(Context& context, stored_argument<Index, A>& output, const Sources& sources) {
    if constexpr (is_from_source<Index, A>) {
      read_source<plain_type<A>>(std::get<value_index(Index) - PathCount>(sources), context, output);
    } else if constexpr (is_value_kind(kind_of<A>())) {
      static_assert(kind_of<A>() == argument_kind::parameter,
                    "winsvc: a parameter that is an optional, a list or a file needs a source in the registration, "
                    "such as svc.get(\"/items\", winsvc::query(\"q\"), handler)");
      constexpr std::size_t index = value_index(Index);
      return index < context.call.values.size() && convert(context.call.values[index], output);
    } else if constexpr (kind_of<A>() == argument_kind::body) {
      using value = std::remove_reference_t<decltype(*std::declval<plain_type<A>&>())>;
      if constexpr (is_json_value<value>) {
        read_body_value(context.call, output.emplace().value, context.faults);
      } else {
#if WINSVC_JSON
        output.emplace(plain_type<A>{body_from_json<value, winsvc::json>(context.call.req)});
#else
        static_assert(sizeof(A) == 0,
                      "winsvc: body<T> requires <nlohmann/json.hpp>: add its folder to the include path, or describe T "
                      "with WINSVC_TYPE and provide a winsvc::json_library");
#endif
      }
    } else if constexpr (kind_of<A>() == argument_kind::upload) {
      output = make_upload();
    }
    static_cast<void>(context), static_cast<void>(output), static_cast<void>(sources);
    return true;
  }

  template <std::size_t Index, class A>
  static decltype(auto) pass(const invocation& invocation, stored_argument<Index, A>& stored) {
    static_cast<void>(invocation), static_cast<void>(stored);
    if constexpr (kind_of<A>() == argument_kind::request) {
      return (invocation.req);
    } else if constexpr (kind_of<A>() == argument_kind::response) {
      return (invocation.res);
    } else if constexpr (kind_of<A>() == argument_kind::object) {
      return *static_cast<plain_type<A>*>(object_of(invocation, type_key<plain_type<A>>()));
    } else if constexpr (kind_of<A>() == argument_kind::body || is_from_source<Index, A>) {
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
  using signature_type = signature<sizeof...(Arguments), R, Arguments...>;
  static constexpr handler_shape shape() noexcept { return signature_type::shape(); }
  void call(const invocation& invocation) const override {
    signature_type::call(invocation, &function_, &invoke, std::tuple<>());
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
  std::vector<route::parameter_metadata> parameters = {};  ///< the sources of the route
};
template <class F>
erased_handler make_handler(F f) {
  using bound = typename bind_handler<F>::type;
  return {std::unique_ptr<handler>(new bound(std::move(f))), bound::shape(), {}};
}

}  // namespace detail::api
}  // inline namespace WINSVC_ABI
}  // namespace winsvc

// ---------------------------------------------------------------------------------------------------------------------

#if WINSVC_BODIES_API

namespace winsvc {
inline namespace WINSVC_ABI {
namespace detail::api {

/// Sets the body. A status and a Content-Type that the handler has set stay.
WINSVC_INLINE void write_body(response& res, std::string text, const char* type) {
  if (res.status == -1) res.status = 200;
  if (!find_header(res, "Content-Type")) replace_header(res, "Content-Type", type);
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
WINSVC_INLINE void* object_of(const invocation& invocation, const void* key) {
  void* const object = invocation.objects ? invocation.objects->find(key) : nullptr;
  if (!object) throw setup_error("the app does not provide an object that the handler takes; call svc.provide(object)");
  return object;
}

}  // namespace detail::api
}  // inline namespace WINSVC_ABI
}  // namespace winsvc

#endif  // WINSVC_BODIES_API
