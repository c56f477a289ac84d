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
// A route that was registered is at hand for what else there is to say of it (http/route_handle.hpp):
//
//   svc.get("/users/{id}", show).name("user").summary("One user");
//   svc.url_for("user", 7)                                  // "/users/7"
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>

#include "winsvc/base/source.hpp"
#include "winsvc/config/abi.hpp"
#include "winsvc/http/folder.hpp"
#include "winsvc/http/middleware.hpp"
#include "winsvc/http/resource.hpp"
#include "winsvc/http/route_handle.hpp"
#include "winsvc/http/router.hpp"
#include "winsvc/http/websocket.hpp"

namespace winsvc {
inline namespace WINSVC_ABI {

class route_group;

namespace http {

/// What `service` and `group` have in common; `Self` is which of them it is.
template <class Self>
class route_registrar {
 public:
  /// Each of these: a pattern (route/pattern.hpp) and what answers it (http/handler.hpp).
  template <class F>
  route_handle get(std::string_view pattern, F handler, source where = source::here()) {
    return add(route::method::get, pattern, make_handler(std::move(handler)), where);
  }
  template <class F>
  route_handle post(std::string_view pattern, F handler, source where = source::here()) {
    return add(route::method::post, pattern, make_handler(std::move(handler)), where);
  }
  template <class F>
  route_handle put(std::string_view pattern, F handler, source where = source::here()) {
    return add(route::method::put, pattern, make_handler(std::move(handler)), where);
  }
  template <class F>
  route_handle patch(std::string_view pattern, F handler, source where = source::here()) {
    return add(route::method::patch, pattern, make_handler(std::move(handler)), where);
  }
  /// HTTP DELETE, a word that C++ and Windows' headers both have taken.
  template <class F>
  route_handle del(std::string_view pattern, F handler, source where = source::here()) {
    return add(route::method::del, pattern, make_handler(std::move(handler)), where);
  }
  template <class F>
  route_handle options(std::string_view pattern, F handler, source where = source::here()) {
    return add(route::method::options, pattern, make_handler(std::move(handler)), where);
  }
  /// Whatever the method is; a route for the method itself goes before it.
  template <class F>
  route_handle any(std::string_view pattern, F handler, source where = source::here()) {
    return add(route::method::any, pattern, make_handler(std::move(handler)), where);
  }
  template <class F>
  route_handle route(route::method verb, std::string_view pattern, F handler, source where = source::here()) {
    return add(verb, pattern, make_handler(std::move(handler)), where);
  }

  /// A WebSocket (http/websocket.hpp): `f(winsvc::websocket&, path parameters...)`.
  template <class F>
  route_handle websocket(std::string_view pattern, F handler, websocket_options options = {},
                         source where = source::here()) {
    websocket_route<F> with{std::move(handler), std::move(options)};
    return add(route::method::get, pattern, make_handler(std::move(with)), where).returns(101, "A WebSocket");
  }

  /// A class whose members `get`, `post`, `put`, `patch`, `del` (any of them, const, not overloaded) are handlers of
  /// one pattern. One object serves all requests; it is made with the default constructor, or given. What is said of
  /// the handle is said of all of them, and of one with `on`.
  template <class T>
  route_handle resource(std::string_view pattern, source where = source::here()) {
    return resource<T>(pattern, std::make_shared<T>(), where);
  }
  template <class T>
  route_handle resource(std::string_view pattern, std::shared_ptr<T> object, source where = source::here()) {
    const auto first = router_->routes().entries().size();
    for_each_member(std::move(object), [&](route::method verb, auto handler) {
      this->route(verb, pattern, std::move(handler), where);
    });
    return {*router_, first, router_->routes().entries().size()};
  }

  /// The files of a folder below a prefix (http/folder.hpp): GET and HEAD. The folder need not be there yet; the log
  /// says so at start, and its paths are 404 until it is.
  Self& files(std::string_view prefix, std::string folder, file_options how = {}, source where = source::here());

  /// Adds a middleware for the routes that are registered after it, here and in groups of this one.
  Self& use(middleware m, source where = source::here()) {
    auto longer = std::make_shared<chain>(*links_);
    longer->push_back(std::make_shared<const middleware>(std::move(m)));
    links_ = std::move(longer);
    used(links_, where);
    return self();
  }

  /// Routes under a common prefix, with this one's middleware and their own. `describe(winsvc::route_group&)` is called
  /// here and now; a pattern of "/" in it is the prefix itself.
  template <class F>
  Self& group(std::string_view prefix, F&& describe, source where = source::here());

  /// The path of the route with this name, percent-encoded, its parameters filled with the values; of routes that were
  /// registered before. In a handler it is winsvc::url_for (http/url_for.hpp). Throws setup_error as that does.
  template <class... Values>
  [[nodiscard]] std::string url_for(std::string_view name, const Values&... values) const {
    return route::build_path(router_->routes(), name, {url_value(values)...});
  }

 protected:
  route_registrar(router& to, std::string prefix, std::shared_ptr<const chain> links)
      : router_(&to), prefix_(std::move(prefix)), links_(std::move(links)) {}
  ~route_registrar() = default;

 private:
  route_handle add(route::method verb, std::string_view pattern, made_handler made, source where) {
    const auto id = router_->add(verb, prefix_ + std::string(pattern_below(pattern)), std::move(made), where, links_);
    return {*router_, id, id + 1};
  }
  Self& self() noexcept { return static_cast<Self&>(*this); }
  [[nodiscard]] std::string_view pattern_below(std::string_view pattern) const noexcept {
    return !prefix_.empty() && pattern == "/" ? std::string_view() : pattern;
  }
  /// The app's own middleware runs for what no route serves too.
  void used(const std::shared_ptr<const chain>& links, source where) {
    if constexpr (!std::is_same_v<Self, winsvc::route_group>) router_->outer(links, where);
    else static_cast<void>(links), static_cast<void>(where);
  }

  router* router_;
  std::string prefix_;
  std::shared_ptr<const chain> links_;
};

}  // namespace http

class route_group : public http::route_registrar<route_group> {
 public:
  route_group(http::router& to, std::string prefix, std::shared_ptr<const http::chain> links)
      : route_registrar(to, std::move(prefix), std::move(links)) {}
};

// ---------------------------------------------------------------------------------------------------------------------

namespace http {

template <class Self>
Self& route_registrar<Self>::files(std::string_view prefix, std::string folder, file_options how, source where) {
  if (folder.empty())
    throw setup_error("files '" + std::string(prefix) + "' (" + where.text() + "): no folder is named");
  router_->folders.push_back({prefix_ + std::string(prefix), folder, where});
  const auto served = std::make_shared<file_folder>(std::move(folder), std::move(how));
  const auto root = [served](const request& req, response& res) { served->answer(req, res, {}); };
  const auto below = [served](const request& req, response& res, const std::string& path) {
    served->answer(req, res, path);
  };
  const auto at_pattern = [&](const std::string& pattern, auto handler) {
    const auto id = router_->add(route::method::get, pattern, make_handler(handler), where, links_);
    winsvc::route_handle(*router_, id, id + 1).hidden();
  };
  const std::string full = prefix_ + (prefix == "/" ? std::string() : std::string(prefix));
  if (!full.empty()) at_pattern(full, &file_folder::send_behind_slash);
  at_pattern(full + "/", root);
  at_pattern(full + "/{path...}", below);
  return self();
}

template <class Self>
template <class F>
Self& route_registrar<Self>::group(std::string_view prefix, F&& describe, source where) {
  static_assert(std::is_invocable_v<F&, winsvc::route_group&>,
                "winsvc: group takes a callable with winsvc::route_group&");
  if (prefix.empty() || prefix.front() != '/' || prefix.back() == '/') {
    throw setup_error("group '" + std::string(prefix) + "' (" + where.text() +
                      "): a prefix begins with '/' and does not end with it");
  }
  winsvc::route_group inner(*router_, prefix_ + std::string(prefix), links_);
  describe(inner);
  return self();
}

}  // namespace http
}  // inline namespace WINSVC_ABI
}  // namespace winsvc
