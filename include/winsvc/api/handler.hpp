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
#include "winsvc/api/handler_arguments.hpp"
#include "winsvc/api/handler_result.hpp"
#include "winsvc/api/json_body.hpp"
#include "winsvc/api/json_type.hpp"
#include "winsvc/api/text_value.hpp"
#include "winsvc/api/upload.hpp"
#include "winsvc/route/metadata.hpp"

namespace winsvc {
inline namespace WINSVC_ABI {

namespace detail::http {
struct exchange;
}

namespace detail::api {

/// The data for one call of a handler.
struct invocation {
  const request& req;                      ///< empty unless the handler needs the request
  response& res;
  const std::vector<std::string>& values;  ///< values of the path parameters, decoded
  http::exchange& exchange;
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
/// All values with this name, in the order of the request. `as_list`: a header has one value for each element of its
/// list (RFC 9110 section 5.6.1); otherwise it has one value.
[[nodiscard]] std::vector<std::string> source_texts(const invocation& call, source_kind source,
                                                    const std::string& name, bool as_list);
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
  bool reads_request = false;      ///< the handler reads the request without a parameter for it
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

/// The object of the app with this key. The check at start has found it.
[[nodiscard]] void* object_of(const invocation& invocation, const void* key);

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
      output = extract_upload(context.call.exchange);
    }
    static_cast<void>(context);
    static_cast<void>(output);
    static_cast<void>(sources);
    return true;
  }

  template <std::size_t Index, class A>
  static decltype(auto) pass(const invocation& invocation, stored_argument<Index, A>& stored) {
    static_cast<void>(invocation);
    static_cast<void>(stored);
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
                "winsvc: a handler must be a function or a lambda with explicit parameter types (no `auto`); if its "
                "body has an error, correct that first");
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

WINSVC_INLINE void* object_of(const invocation& invocation, const void* key) {
  void* const object = invocation.objects ? invocation.objects->find(key) : nullptr;
  if (!object) throw setup_error("the app does not provide an object that the handler takes; call svc.provide(object)");
  return object;
}

}  // namespace detail::api
}  // inline namespace WINSVC_ABI
}  // namespace winsvc

#endif  // WINSVC_BODIES_API
