// The routes of an app with their handlers: registration, and the call of the one that matches.
//
// It serves nothing by itself: the engine asks it for every request, the test client and the `routes` verb ask it too.
// Filled while the app is described, frozen at start, read from many threads after that without a lock.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "winsvc/base/error.hpp"
#include "winsvc/base/source_location.hpp"
#include "winsvc/config/abi.hpp"
#include "winsvc/api/error_handlers.hpp"
#include "winsvc/api/handler.hpp"
#include "winsvc/api/middleware.hpp"
#include "winsvc/route/table.hpp"
#include "winsvc/route/url.hpp"

namespace winsvc {
inline namespace WINSVC_ABI {
namespace http {

class router {
 public:
  /// Adds a route. Throws setup_error: a malformed pattern, a duplicate or a conflict (both places are named), a
  /// parameter count that does not match the lambda, a call after start.
  /// `middleware`: the middleware around it. Returns the route's id.
  template <class F>
  std::size_t add(route::method verb, std::string_view pattern, F f, source_location location,
                  std::shared_ptr<const middleware_chain> links = std::make_shared<middleware_chain>()) {
    return add(verb, pattern, make_handler(std::move(f)), location, std::move(links));
  }
  std::size_t add(route::method verb, std::string_view pattern, erased_handler made, source_location location,
                  std::shared_ptr<const middleware_chain> links);

  /// The app's own middleware, for what no route serves. Throws setup_error after start.
  void set_global_middleware(std::shared_ptr<const middleware_chain> links, source_location location);
  /// The middleware around whatever answers this match: the route's, or the app's where there is none. An OPTIONS that
  /// has no route runs through that of the path's other methods: CORS in a group has to see what a browser asks first.
  [[nodiscard]] const middleware_chain& middleware_for(const route::match_result& m, route::method verb) const noexcept {
    if (m.outcome == route::match_outcome::matched) return *handlers_[m.route_id].middleware;
    const bool asks_first = m.outcome == route::match_outcome::method_not_allowed && verb == route::method::options;
    return asks_first && m.sibling_id ? *handlers_[*m.sibling_id].middleware : *global_middleware_;
  }
  error_handlers error_handlers;          ///< filled before start
  std::string upload_folder;  ///< set before start; "": the system's temporary one

  /// A folder that is served, for who looks at start whether it is there.
  struct static_folder_entry {
    std::string prefix, folder;
    source_location location;
  };
  std::vector<static_folder_entry> static_folders;

  [[nodiscard]] const route::table& routes() const noexcept { return table_; }
  /// The routes, to say `what` of the one with this id. Throws setup_error after start.
  [[nodiscard]] route::table& mutable_routes(std::size_t id, std::string_view what);
  /// Is there a route of exactly this pattern text?
  [[nodiscard]] bool has_pattern(std::string_view pattern) const noexcept;
  void freeze() noexcept { frozen_ = true; }
  /// The route added last answers while the service is paused, as liveness must, and is not the app's own.
  void serve_while_paused() noexcept {
    handlers_.back().while_paused = true;
    table_.metadata(handlers_.size() - 1).hidden = true;
  }
  [[nodiscard]] bool serves_paused(const route::match_result& m) const noexcept {
    return m.outcome == route::match_outcome::matched && handlers_[m.route_id].while_paused;
  }

  /// The most bytes of a body: the route's own limit, or the app's.
  [[nodiscard]] std::uint64_t body_limit(const route::match_result& m, std::uint64_t of_app) const noexcept {
    return m.outcome == route::match_outcome::matched ? entry(m.route_id).metadata.body_limit.value_or(of_app) : of_app;
  }

  /// What reads the body of this match into files; null where the handler takes no upload.
  [[nodiscard]] const upload_receiver* receiver(const route::match_result& m) const noexcept {
    return m.outcome == route::match_outcome::matched && handlers_[m.route_id].receiver ? &handlers_[m.route_id].receiver() : nullptr;
  }

  /// Does any route take uploads?
  [[nodiscard]] bool accepts_uploads() const noexcept {
    const auto& all = table_.entries();
    return std::any_of(all.begin(), all.end(), [](const route::route_entry& e) { return e.metadata.accepts_upload; });
  }

  /// Calls the handler of a match. Whatever it throws passes through.
  void call(const route::match_result& match, request& req, response& res) const;

  [[nodiscard]] const route::route_entry& entry(std::size_t id) const noexcept { return table_.entries()[id]; }

 private:
  struct bound_route {
    std::unique_ptr<handler> call;
    bool needs_parameter_names;
    std::shared_ptr<const middleware_chain> middleware;
    const upload_receiver& (*receiver)() noexcept = nullptr;
    bool while_paused = false;
  };
  route::table table_;
  std::vector<bound_route> handlers_;  // by id, which is the order of registration
  std::shared_ptr<const middleware_chain> global_middleware_ = std::make_shared<middleware_chain>();
  bool frozen_ = false;
};

}  // namespace http
}  // inline namespace WINSVC_ABI
}  // namespace winsvc

// ---------------------------------------------------------------------------------------------------------------------

#if WINSVC_BODIES_HTTP

namespace winsvc {
inline namespace WINSVC_ABI {
namespace http {

WINSVC_INLINE bool router::has_pattern(std::string_view pattern) const noexcept {
  for (const auto& e : table_.entries()) {
    if (e.path.text == pattern) return true;
  }
  return false;
}

WINSVC_INLINE void router::set_global_middleware(std::shared_ptr<const middleware_chain> links, source_location location) {
  if (frozen_) {
    throw setup_error("use (" + location.to_string() +
                      "): the service has started; add middleware in the app, not in a handler or hook");
  }
  global_middleware_ = std::move(links);
}

WINSVC_INLINE route::table& router::mutable_routes(std::size_t id, std::string_view what) {
  if (frozen_) {
    throw setup_error("route " + entry(id).text() + ": " + std::string(what) +
                      ": the service has started; describe routes in the app, not in a handler or hook");
  }
  return table_;
}

WINSVC_INLINE std::size_t router::add(route::method verb, std::string_view pattern, erased_handler made, source_location location,
                               std::shared_ptr<const middleware_chain> links) {
  const handler_shape& shape = made.shape;
  const auto what = [&] {
    return std::string(route::name(verb)) + " " + std::string(pattern) + " (" + location.to_string() + ")";
  };
  if (frozen_) {
    throw setup_error("route " + what() +
                      ": the service has started; register routes in the app, not in a handler or hook");
  }
  std::size_t names = 0;
  try {
    names = route::parse_pattern(pattern).names.size();
  } catch (const setup_error& e) {  // it knows the pattern, not where that was written
    throw setup_error("route " + std::string(route::name(verb)) + " (" + location.to_string() + "): " + e.what());
  }
  const bool reads_them_itself = shape.parameters == 0 && shape.accepts_request;
  if (names != shape.parameters && !reads_them_itself) {
    throw setup_error("route " + what() + ": the pattern has " + std::to_string(names) + " parameter" +
                      (names == 1 ? "" : "s") + ", the handler takes " + std::to_string(shape.parameters));
  }
  const std::size_t id = handlers_.size();
  table_.add(verb, pattern, id, location);
  handlers_.push_back({std::move(made.call), shape.accepts_request, std::move(links), shape.receiver});

  auto& about = table_.metadata(id);
  about.parameters.assign(shape.kinds, shape.kinds + shape.parameters);
  about.accepts_json = shape.accepts_body;
  about.accepts_upload = shape.receiver != nullptr;
  about.response = shape.response_kind;
  about.returns_optional = shape.returns_optional;
  about.sets_status = shape.sets_status || shape.accepts_response;
  return id;
}

WINSVC_INLINE void router::call(const route::match_result& match, request& req, response& res) const {
  const auto& route = table_.entries()[match.route_id];
  req.matched_route = route.path.text;
  if (handlers_[match.route_id].needs_parameter_names) {
    req.path_params.clear();
    for (std::size_t i = 0; i < match.values.size(); ++i) req.path_params.emplace(route.path.names[i], match.values[i]);
  }
  handlers_[match.route_id].call->call({req, res, match.values});
}

}  // namespace http
}  // inline namespace WINSVC_ABI
}  // namespace winsvc

#endif  // WINSVC_BODIES_HTTP
