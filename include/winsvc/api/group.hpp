// Routes, as an app or a part of it registers them: methods, groups under a prefix, middleware, resources.
//
//   void users(winsvc::route_group& g) {                          // in a file of its own
//     g.use(winsvc::basic_auth(...));
//     g.get("/", [] { ... });
//     g.get("/{id}", [](int id) { ... });
//   }
//   svc.group("/users", users);                             // /users and /users/{id}
//
//   struct todo {
//     winsvc::json get(int id) const;
//     void put(int id, winsvc::body<item> i) const;
//   };
//   svc.resource<todo>("/todos/{id}");                      // any subset of get, post, put, patch, del
//
// A route that was registered is at hand for what else there is to say of it (api/route_builder.hpp):
//
//   svc.get("/users/{id}", show).name("user").summary("One user");
//   svc.url_for("user", 7)                                  // "/users/7"
#pragma once

#include <cstddef>
#include <memory>
#include <string>
#include <string_view>
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
#include "winsvc/route/url_value.hpp"
#include "winsvc/api/websocket.hpp"

namespace winsvc {
inline namespace WINSVC_ABI {

class route_group;

namespace http {

class router;

// What a registrar does with the router. Functions, so that a file that registers routes need not see it.

/// Adds a route with the middleware around it; returns its id. Throws setup_error as router::add does.
std::size_t add_route(router& to, route::method verb, std::string_view pattern, erased_handler made, source_location location,
                      std::shared_ptr<const middleware_chain> links);
/// How many routes there are: the id of the next one.
[[nodiscard]] std::size_t route_count(const router& of) noexcept;
/// The middleware for requests that no route serves.
void set_outer_chain(router& to, std::shared_ptr<const middleware_chain> links, source_location location);
/// A chain with one middleware more.
[[nodiscard]] std::shared_ptr<const middleware_chain> with_link(const middleware_chain& before, middleware m);
/// The path of the route with this name.
[[nodiscard]] std::string path_of(const router& of, std::string_view name, const std::vector<url_value>& values);
/// Serves the files of a folder below `outer` + `prefix`.
void add_files(router& to, const std::string& outer, std::string_view prefix, std::string folder, file_options options,
               const std::shared_ptr<const middleware_chain>& links, source_location location);

/// What `service` and `group` have in common; `Self` is which of them it is.
template <class Self>
class route_registrar {
 public:
  /// Each of these: a pattern (route/pattern.hpp) and what answers it (api/handler.hpp).
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
  /// HTTP DELETE, a word that C++ and Windows' headers both have taken.
  template <class F>
  route_builder del(std::string_view pattern, F handler, source_location location = source_location::current()) {
    return add(route::method::del, pattern, make_handler(std::move(handler)), location);
  }
  template <class F>
  route_builder options(std::string_view pattern, F handler, source_location location = source_location::current()) {
    return add(route::method::options, pattern, make_handler(std::move(handler)), location);
  }
  /// Whatever the method is; a route for the method itself goes before it.
  template <class F>
  route_builder any(std::string_view pattern, F handler, source_location location = source_location::current()) {
    return add(route::method::any, pattern, make_handler(std::move(handler)), location);
  }
  template <class F>
  route_builder route(route::method verb, std::string_view pattern, F handler, source_location location = source_location::current()) {
    return add(verb, pattern, make_handler(std::move(handler)), location);
  }

  /// A WebSocket (api/websocket.hpp): `f(winsvc::websocket&, path parameters...)`.
  template <class F>
  route_builder websocket(std::string_view pattern, F handler, websocket_options options = {},
                         source_location location = source_location::current()) {
    websocket_route<F> with{std::move(handler), std::move(options)};
    return add(route::method::get, pattern, make_handler(std::move(with)), location).returns(101, "A WebSocket");
  }

  /// A class whose members `get`, `post`, `put`, `patch`, `del` (any of them, const, not overloaded) are handlers of
  /// one pattern. One object serves all requests; it is made with the default constructor, or given. What is said of
  /// the handle is said of all of them, and of one with `on`.
  template <class T>
  route_builder resource(std::string_view pattern, source_location location = source_location::current()) {
    return resource<T>(pattern, std::make_shared<T>(), location);
  }
  template <class T>
  route_builder resource(std::string_view pattern, std::shared_ptr<T> object, source_location location = source_location::current()) {
    const auto first = route_count(*router_);
    for_each_member(std::move(object), [&](route::method verb, auto handler) {
      this->route(verb, pattern, std::move(handler), location);
    });
    return {*router_, first, route_count(*router_)};
  }

  /// The files of a folder below a prefix (http/folder.hpp): GET and HEAD. The folder need not be there yet; the log
  /// says so at start, and its paths are 404 until it is.
  Self& files(std::string_view prefix, std::string folder, file_options options = {}, source_location location = source_location::current());

  /// Adds a middleware for the routes that are registered after it, here and in groups of this one.
  Self& use(middleware m, source_location location = source_location::current()) {
    middleware_ = with_link(*middleware_, std::move(m));
    combined_middleware(middleware_, location);
    return self();
  }

  /// Routes under a common prefix, with this one's middleware and their own. `describe(winsvc::route_group&)` is called
  /// here and now; a pattern of "/" in it is the prefix itself.
  template <class F>
  Self& group(std::string_view prefix, F&& describe, source_location location = source_location::current());

  /// The path of the route with this name, percent-encoded, its parameters filled with the values; of routes that were
  /// registered before. In a handler it is winsvc::url_for (api/url_for.hpp). Throws setup_error as that does.
  template <class... Values>
  [[nodiscard]] std::string url_for(std::string_view name, const Values&... values) const {
    return path_of(*router_, name, {url_value(values)...});
  }

 protected:
  route_registrar(router& to, std::string prefix, std::shared_ptr<const middleware_chain> links)
      : router_(&to), prefix_(std::move(prefix)), middleware_(std::move(links)) {}
  ~route_registrar() = default;

 private:
  route_builder add(route::method verb, std::string_view pattern, erased_handler made, source_location location) {
    const auto id =
        add_route(*router_, verb, prefix_ + std::string(full_pattern(pattern)), std::move(made), location, middleware_);
    return {*router_, id, id + 1};
  }
  Self& self() noexcept { return static_cast<Self&>(*this); }
  [[nodiscard]] std::string_view full_pattern(std::string_view pattern) const noexcept {
    return !prefix_.empty() && pattern == "/" ? std::string_view() : pattern;
  }
  /// The app's own middleware runs for what no route serves too.
  void combined_middleware(const std::shared_ptr<const middleware_chain>& links, source_location location) {
    if constexpr (!std::is_same_v<Self, winsvc::route_group>) set_outer_chain(*router_, links, location);
    else static_cast<void>(links), static_cast<void>(location);
  }

  router* router_;
  std::string prefix_;
  std::shared_ptr<const middleware_chain> middleware_;
};

}  // namespace http

class route_group : public http::route_registrar<route_group> {
 public:
  route_group(http::router& to, std::string prefix, std::shared_ptr<const http::middleware_chain> links)
      : route_registrar(to, std::move(prefix), std::move(links)) {}
};

// ---------------------------------------------------------------------------------------------------------------------

namespace http {

template <class Self>
Self& route_registrar<Self>::files(std::string_view prefix, std::string folder, file_options options, source_location location) {
  add_files(*router_, prefix_, prefix, std::move(folder), std::move(options), middleware_, location);
  return self();
}

template <class Self>
template <class F>
Self& route_registrar<Self>::group(std::string_view prefix, F&& describe, source_location location) {
  static_assert(std::is_invocable_v<F&, winsvc::route_group&>,
                "winsvc: group takes a callable with winsvc::route_group&");
  if (prefix.empty() || prefix.front() != '/' || prefix.back() == '/') {
    throw setup_error("group '" + std::string(prefix) + "' (" + location.to_string() +
                      "): a prefix begins with '/' and does not end with it");
  }
  winsvc::route_group inner(*router_, prefix_ + std::string(prefix), middleware_);
  describe(inner);
  return self();
}

}  // namespace http
}  // inline namespace WINSVC_ABI
}  // namespace winsvc
