// Route registration: methods, groups under a prefix, middleware, resources, static folders, WebSockets.
//
//   void users(winsvc::route_group& users) {
//     users.use(winsvc::basic_auth(...));
//     users.get("/", [] { ... });
//     users.get("/{id}", [](int id) { ... });
//   }
//   svc.group("/users", users);                             // /users and /users/{id}
//
//   struct todo {
//     winsvc::json get(int id) const;
//     void put(int id, winsvc::body<item> i) const;
//   };
//   svc.resource<todo>("/todos/{id}");                      // any subset of get, post, put, patch, del
//
// Registration returns a route_builder (api/route_builder.hpp) for the name, limits and description of the route:
//
//   svc.get("/users/{id}", show).name("user").summary("One user");
//   svc.url_for("user", 7)                                  // "/users/7"
//
// All functions throw setup_error for a malformed pattern, for a conflict with another route, and after start. A route
// for GET also serves HEAD, and OPTIONS is answered with Allow unless a route serves it.
#pragma once

#include <cstddef>
#include <memory>
#include <string>
#include <string_view>
#include <tuple>
#include <type_traits>
#include <utility>
#include <vector>

#include "winsvc/base/source_location.hpp"
#include "winsvc/config/abi.hpp"
#include "winsvc/api/file_options.hpp"
#include "winsvc/base/error.hpp"
#include "winsvc/api/middleware.hpp"
#include "winsvc/api/resource.hpp"
#include "winsvc/api/route_builder.hpp"
#include "winsvc/api/handler.hpp"
#include "winsvc/api/parameter.hpp"
#include "winsvc/api/sourced_handler.hpp"
#include "winsvc/route/url_value.hpp"
#include "winsvc/api/websocket.hpp"

namespace winsvc {
inline namespace WINSVC_ABI {

class route_group;

namespace detail::http {
class router;
}

namespace detail::api {

// Access to the router through functions, so that a file that registers routes does not include http/router.hpp.

/// Adds a route with its middleware chain, and returns its ID. Throws setup_error as router::add does.
std::size_t add_route(http::router& router, route::method method, std::string_view pattern, erased_handler handler,
                      source_location location, std::shared_ptr<const middleware_chain> chain);
/// The same for a method by its name. Throws setup_error for a name that is not a method.
std::size_t add_route(http::router& router, std::string_view method, std::string_view pattern, erased_handler handler,
                      source_location location, std::shared_ptr<const middleware_chain> chain);
/// Number of routes, which is the ID of the next route.
[[nodiscard]] std::size_t route_count(const http::router& router) noexcept;
/// Sets the middleware chain for requests that match no route.
void set_outer_chain(http::router& router, std::shared_ptr<const middleware_chain> chain, source_location location);
/// Sets the middleware chain for requests below a group's prefix that match no route.
void set_group_chain(http::router& router, std::string_view prefix, std::shared_ptr<const middleware_chain> chain,
                     source_location location);
/// Returns a copy of the chain with one more middleware at its end.
[[nodiscard]] std::shared_ptr<const middleware_chain> with_link(const middleware_chain& chain, middleware added);
/// The path of the route with this name. Throws setup_error as url_for does.
[[nodiscard]] std::string path_of(const http::router& router, std::string_view name,
                                  const std::vector<url_value>& values);
/// Serves the files of a folder below `outer` + `prefix`.
void add_files(http::router& router, const std::string& outer, std::string_view prefix, std::string folder,
               file_options options, const std::shared_ptr<const middleware_chain>& chain,
               source_location location);

/// A pattern and the source location of its registration.
struct pattern_at {
  std::string_view text;
  source_location location;
  template <class Text, class = std::enable_if_t<std::is_convertible_v<const Text&, std::string_view>>>
  pattern_at(const Text& pattern, source_location registered_at = source_location::current())
      : text(pattern), location(registered_at) {}
};

/// The registration functions of `service` and `route_group`. `Self` is the derived class.
template <class Self>
class route_registrar {
 public:
  /// Registers a handler for GET. route/pattern.hpp describes patterns, api/handler.hpp describes handlers. Error
  /// messages contain `location`, by default the line of the call. The same holds for the functions below.
  template <class F>
  route_builder get(std::string_view pattern, F handler, source_location location = source_location::current()) {
    return add(route::method::get, pattern, make_handler(std::move(handler)), location);
  }
  template <class F>
  route_builder post(std::string_view pattern, F handler, source_location location = source_location::current()) {
    return add(route::method::post, pattern, make_handler(std::move(handler)), location);
  }
  template <class F>
  route_builder put(std::string_view pattern, F handler, source_location location = source_location::current()) {
    return add(route::method::put, pattern, make_handler(std::move(handler)), location);
  }
  template <class F>
  route_builder patch(std::string_view pattern, F handler, source_location location = source_location::current()) {
    return add(route::method::patch, pattern, make_handler(std::move(handler)), location);
  }
  /// Registers a handler for DELETE. The name is short because `delete` is a keyword and DELETE a Windows macro.
  template <class F>
  route_builder del(std::string_view pattern, F handler, source_location location = source_location::current()) {
    return add(route::method::del, pattern, make_handler(std::move(handler)), location);
  }
  template <class F>
  route_builder options(std::string_view pattern, F handler, source_location location = source_location::current()) {
    return add(route::method::options, pattern, make_handler(std::move(handler)), location);
  }
  /// Registers a handler for all methods. A route of the same pattern for one method has precedence.
  template <class F>
  route_builder any(std::string_view pattern, F handler, source_location location = source_location::current()) {
    return add(route::method::any, pattern, make_handler(std::move(handler)), location);
  }
  /// Registers a handler for the method `method`.
  template <class F>
  route_builder route(route::method method, std::string_view pattern, F handler,
                      source_location location = source_location::current()) {
    return add(method, pattern, make_handler(std::move(handler)), location);
  }
  /// Registers a handler for a method by its name, for example "PROPFIND", "REPORT" or "QUERY". Names of methods are
  /// case-sensitive. Throws setup_error for CONNECT, TRACE and a text that is not a name.
  template <class F>
  route_builder route(std::string_view method, std::string_view pattern, F handler,
                      source_location location = source_location::current()) {
    return add(method, pattern, make_handler(std::move(handler)), location);
  }

  // The same with sources for the arguments of the handler (api/parameter.hpp), which is the last argument:
  // `get("/items/{id}", query("q"), header("X-Key"), handler)`.

  /// Registers a handler for GET whose arguments have sources.
  template <class... Options, class First, class... Rest>
  route_builder get(pattern_at pattern, parameter<Options...> source, First first, Rest... rest) {
    return add_sourced(route::method::get, pattern, std::move(source), std::move(first), std::move(rest)...);
  }
  template <class... Options, class First, class... Rest>
  route_builder post(pattern_at pattern, parameter<Options...> source, First first, Rest... rest) {
    return add_sourced(route::method::post, pattern, std::move(source), std::move(first), std::move(rest)...);
  }
  template <class... Options, class First, class... Rest>
  route_builder put(pattern_at pattern, parameter<Options...> source, First first, Rest... rest) {
    return add_sourced(route::method::put, pattern, std::move(source), std::move(first), std::move(rest)...);
  }
  template <class... Options, class First, class... Rest>
  route_builder patch(pattern_at pattern, parameter<Options...> source, First first, Rest... rest) {
    return add_sourced(route::method::patch, pattern, std::move(source), std::move(first), std::move(rest)...);
  }
  template <class... Options, class First, class... Rest>
  route_builder del(pattern_at pattern, parameter<Options...> source, First first, Rest... rest) {
    return add_sourced(route::method::del, pattern, std::move(source), std::move(first), std::move(rest)...);
  }
  template <class... Options, class First, class... Rest>
  route_builder any(pattern_at pattern, parameter<Options...> source, First first, Rest... rest) {
    return add_sourced(route::method::any, pattern, std::move(source), std::move(first), std::move(rest)...);
  }
  template <class... Options, class First, class... Rest>
  route_builder route(route::method method, pattern_at pattern, parameter<Options...> source, First first,
                      Rest... rest) {
    return add_sourced(method, pattern, std::move(source), std::move(first), std::move(rest)...);
  }
  template <class... Options, class First, class... Rest>
  route_builder route(std::string_view method, pattern_at pattern, parameter<Options...> source, First first,
                      Rest... rest) {
    return add_sourced(method, pattern, std::move(source), std::move(first), std::move(rest)...);
  }

  /// Registers a WebSocket handler (api/websocket.hpp): `f(winsvc::websocket&, path parameters...)`.
  template <class F>
  route_builder websocket(std::string_view pattern, F handler, websocket_options options = {},
                          source_location location = source_location::current()) {
    websocket_route<F> bound{std::move(handler), std::move(options)};
    return add(route::method::get, pattern, make_handler(std::move(bound)), location).returns(101, "A WebSocket");
  }

  /// Registers the members `get`, `post`, `put`, `patch` and `del` of a class as handlers of one pattern. A class has
  /// one or more of them; they are const and not overloaded. One object serves all requests, concurrently: `object`, or
  /// a default-constructed object. The returned route_builder applies to all methods; its function `on` selects one.
  template <class T>
  route_builder resource(std::string_view pattern, source_location location = source_location::current()) {
    return resource<T>(pattern, std::make_shared<T>(), location);
  }
  template <class T>
  route_builder resource(std::string_view pattern, std::shared_ptr<T> object,
                         source_location location = source_location::current()) {
    const auto first = route_count(*router_);
    for_each_member(std::move(object), [&](route::method method, auto handler) {
      this->route(method, pattern, std::move(handler), location);
    });
    return {*router_, first, route_count(*router_)};
  }

  /// Serves the files of a folder below a prefix, for GET and HEAD (http/static_folder.hpp). A relative path starts at
  /// the folder of the executable. If the folder does not exist at start, the log has a warning, and its paths are 404
  /// until it exists.
  Self& files(std::string_view prefix, std::string folder, file_options options = {},
              source_location location = source_location::current());

  /// Adds a middleware (api/middleware.hpp) for the routes that are registered after it, here and in nested groups. The
  /// middleware of the app also runs for requests that match no route; the middleware of a group runs for such requests
  /// below its prefix.
  template <class F>
  Self& use(F m, source_location location = source_location::current()) {
    auto longer = with_link(*middleware_, make_middleware(std::move(m)));
    combined_middleware(longer, location);
    middleware_ = std::move(longer);  // last: a call that throws changes nothing
    return self();
  }

  /// Registers routes under a common prefix. They run the middleware of this object, then the middleware of the group.
  /// Calls `describe(winsvc::route_group&)` at once. In the group, the pattern "/" is the prefix itself. The prefix
  /// starts with '/' and does not end with '/'. An empty prefix makes a group that only shares middleware.
  template <class F>
  Self& group(std::string_view prefix, F&& describe, source_location location = source_location::current());
  /// Registers routes with a common middleware and without a prefix.
  template <class F, class = std::enable_if_t<std::is_invocable_v<F&, winsvc::route_group&>>>
  Self& group(F&& describe);

  /// Returns the path of the route with this name, percent-encoded, with the values as its parameters. The route must
  /// be registered before. In a handler, use winsvc::url_for (api/url_for.hpp). Throws setup_error as that does.
  template <class... Values>
  [[nodiscard]] std::string url_for(std::string_view name, const Values&... values) const {
    return path_of(*router_, name, {url_value(values)...});
  }

 protected:
  route_registrar(http::router& router, std::string prefix, std::shared_ptr<const middleware_chain> chain,
                  bool has_own_prefix = true)
      : router_(&router), prefix_(std::move(prefix)), middleware_(std::move(chain)), has_own_prefix_(has_own_prefix) {}
  ~route_registrar() = default;

 private:
  template <class Method>  // route::method, or the name of a method
  route_builder add(Method method, std::string_view pattern, erased_handler handler, source_location location) {
    const std::string full = prefix_ + std::string(full_pattern(pattern));
    const auto id = add_route(*router_, method, full, std::move(handler), location, middleware_);
    return {*router_, id, id + 1};
  }
  template <class Method, class... Given>
  route_builder add_sourced(Method method, const pattern_at& pattern, Given... given) {
    std::tuple<Given...> all(std::move(given)...);
    return add(method, pattern.text, make_handler_of(all, std::make_index_sequence<sizeof...(Given) - 1>()),
               pattern.location);
  }
  Self& self() noexcept { return static_cast<Self&>(*this); }
  [[nodiscard]] std::string_view full_pattern(std::string_view pattern) const noexcept {
    return !prefix_.empty() && pattern == "/" ? std::string_view() : pattern;
  }
  /// Middleware also runs for requests that match no route.
  void combined_middleware(const std::shared_ptr<const middleware_chain>& chain, source_location location) {
    if constexpr (!std::is_same_v<Self, winsvc::route_group>) set_outer_chain(*router_, chain, location);
    else if (has_own_prefix_) set_group_chain(*router_, prefix_, chain, location);
  }

  http::router* router_;
  std::string prefix_;
  std::shared_ptr<const middleware_chain> middleware_;
  bool has_own_prefix_;  // false: the prefix is that of the outer group
};

}  // namespace detail::api

/// A group of routes with a common prefix and middleware. Valid during the call of `describe` in `group`.
class route_group : public detail::api::route_registrar<route_group> {
 public:
  route_group(detail::http::router& router, std::string prefix,
              std::shared_ptr<const detail::api::middleware_chain> chain, bool has_own_prefix = true)
      : route_registrar(router, std::move(prefix), std::move(chain), has_own_prefix) {}
};

// ---------------------------------------------------------------------------------------------------------------------

namespace detail::api {

template <class Self>
Self& route_registrar<Self>::files(std::string_view prefix, std::string folder, file_options options,
                                   source_location location) {
  add_files(*router_, prefix_, prefix, std::move(folder), std::move(options), middleware_, location);
  return self();
}

template <class Self>
template <class F>
Self& route_registrar<Self>::group(std::string_view prefix, F&& describe, source_location location) {
  static_assert(std::is_invocable_v<F&, winsvc::route_group&>,
                "winsvc: the function passed to group() must be callable with winsvc::route_group&");
  if (!prefix.empty() && (prefix.front() != '/' || prefix.back() == '/')) {
    throw setup_error("group '" + std::string(prefix) + "' (" + location.to_string() +
                      "): a prefix must start with '/' and must not end with '/'");
  }
  winsvc::route_group inner(*router_, prefix_ + std::string(prefix), middleware_, !prefix.empty());
  describe(inner);
  return self();
}

template <class Self>
template <class F, class>
Self& route_registrar<Self>::group(F&& describe) {
  winsvc::route_group inner(*router_, prefix_, middleware_, false);
  describe(inner);
  return self();
}

}  // namespace detail::api
}  // inline namespace WINSVC_ABI
}  // namespace winsvc
