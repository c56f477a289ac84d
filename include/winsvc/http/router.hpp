// Router: the routes of an app with their handlers and middleware.
//
//   router r;
//   r.add(route::method::get, "/users/{id}", handler, location);   // while the app registers its routes
//   r.freeze();
//   route::match_result match;
//   r.match(route::method::get, "/users/7", "", match);
//   r.call(match, req, res, exchange);
//
// It is filled while the app registers its routes and frozen at start; after that many threads read it without a lock.
// It serves no connections: the engine, the test client and the verb `routes` use it.
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
#include "winsvc/base/reserve_one.hpp"
#include "winsvc/base/source_location.hpp"
#include "winsvc/config/abi.hpp"
#include "winsvc/api/error_handlers.hpp"
#include "winsvc/api/handler.hpp"
#include "winsvc/api/middleware.hpp"
#include "winsvc/api/trailing_slash.hpp"
#include "winsvc/route/metadata.hpp"
#include "winsvc/route/pattern.hpp"
#include "winsvc/route/table.hpp"
#include "winsvc/route/url.hpp"
#include "winsvc/wire/host_name.hpp"

namespace winsvc {
inline namespace WINSVC_ABI {
namespace detail::http {

class router {
 public:
  /// Adds a route and returns its id. `chain`: its middleware. Throws setup_error for a malformed pattern, a duplicate
  /// or a conflict (with both locations), a number of parameters that differs from the handler's, and after freeze().
  template <class F>
  std::size_t add(route::method method, std::string_view pattern, F f, source_location location,
                  std::shared_ptr<const api::middleware_chain> chain = std::make_shared<api::middleware_chain>()) {
    return add(method, pattern, api::make_handler(std::move(f)), location, std::move(chain));
  }
  /// `other_name`: the name of the method, if it is `other`.
  std::size_t add(route::method method, std::string_view pattern, api::erased_handler handler, source_location location,
                  std::shared_ptr<const api::middleware_chain> chain, std::string_view other_name = {});

  /// Sets the app's global middleware, for requests without a route. Throws setup_error after freeze().
  void set_global_middleware(std::shared_ptr<const api::middleware_chain> chain, source_location location);
  /// Returns the names that a middleware accepts; null if it does not check the host.
  using host_names_function = const std::vector<std::string>* (*)(const middleware&) noexcept;
  /// Makes accepts_host() reject all hosts but those of the loopback interface. Chains with a middleware for which
  /// `host_names` returns names decide themselves. `accepted`: further hosts, for all chains. Call it before
  /// freeze().
  void check_hosts(host_names_function host_names, std::vector<std::string> accepted = {}) {
    host_names_ = host_names;
    accepted_hosts_ = std::move(accepted);
  }
  /// True if the middleware only checks the host, and `host` is one of the further hosts. It is not called then.
  [[nodiscard]] bool skips_host_check(const middleware& link, std::string_view host) const {
    return !accepted_hosts_.empty() && host_names_(link) && wire::is_allowed_host(host, accepted_hosts_);
  }
  /// Makes accepts_host() also compare the names of the global middleware for the last added route.
  void accept_global_hosts() noexcept { handlers_.back().accepts_global_hosts = true; }
  /// True if a request with this authority (wire::head::host) may reach `chain`, the middleware for the match. Costs
  /// little: it reads the head only.
  [[nodiscard]] bool accepts_host(std::string_view host, const route::match_result& match, route::method method,
                                  const api::middleware_chain& chain) const;
  /// Sets the middleware of a group, for requests below its prefix without a route. Throws setup_error after freeze().
  void set_group_middleware(std::string_view prefix, std::shared_ptr<const api::middleware_chain> chain,
                            source_location location);
  /// The middleware for a match: that of the route, also while the service is paused. An OPTIONS request without a
  /// route of its own uses the middleware of another method of the path. Another request without a route uses that of
  /// the innermost group whose prefix it has, or the global middleware. So CORS in a group sees the preflight requests
  /// and the errors of its paths.
  [[nodiscard]] const api::middleware_chain& middleware_for(const route::match_result& match, route::method method,
                                                            std::string_view raw_path) const;

  /// Finds the route of a request, with the rule for a final slash. `result`: its memory is used again.
  void match(route::method method, std::string_view raw_path, std::string_view other_name,
             route::match_result& result) const;
  trailing_slash final_slash = trailing_slash::strict;  ///< set before start
  api::error_handlers error_handlers;  ///< filled before start; qualified, because GCC rejects the name alone
  std::string upload_folder;            ///< set before start; empty: the temporary folder of the system

  /// A served folder; a check at start reports a missing one.
  struct static_folder_entry {
    std::string prefix, folder;
    source_location location;
  };
  std::vector<static_folder_entry> static_folders;

  [[nodiscard]] const route::table& table() const noexcept { return table_; }
  /// The table, for changes of the route `id`. Throws setup_error after freeze(); `operation` names the change there.
  [[nodiscard]] route::table& mutable_table(std::size_t id, std::string_view operation);
  /// Adds a middleware to the routes from `first` to `last - 1`. Throws setup_error after freeze().
  void add_middleware(std::size_t first, std::size_t last, std::shared_ptr<const middleware> added);
  api::app_objects objects;  ///< filled before start
  /// The authentication schemes of the middleware of a route, for the OpenAPI document.
  [[nodiscard]] std::vector<std::string> security_of(std::size_t id) const {
    std::vector<std::string> schemes;
    for (const auto& link : *handlers_[id].middleware) {
      if (!link->security.empty()) schemes.push_back(link->security);
    }
    return schemes;
  }
  /// Throws setup_error if a handler takes an object that the app does not provide.
  void check_objects() const;
  /// True if a route has exactly this pattern text.
  [[nodiscard]] bool has_pattern(std::string_view pattern) const noexcept;
  void freeze() noexcept { frozen_ = true; }
  [[nodiscard]] bool is_frozen() const noexcept { return frozen_; }
  /// Marks the last added route as one of winsvc: it is served while the service is paused, and it is hidden.
  /// `runs_app_code`: its handler calls functions of the app, which may block.
  void serve_while_paused(bool runs_app_code = false) noexcept {
    handlers_.back().while_paused = true;
    handlers_.back().runs_app_code = runs_app_code;
    table_.metadata(handlers_.size() - 1).hidden = true;
  }
  [[nodiscard]] bool serves_while_paused(const route::match_result& match) const noexcept {
    return match.outcome == route::match_outcome::matched && handlers_[match.route_id].while_paused;
  }
  [[nodiscard]] bool runs_no_app_code(const route::match_result& match) const noexcept {
    return serves_while_paused(match) && !handlers_[match.route_id].runs_app_code;
  }

  /// Maximum size of a body in bytes: the limit of the route, or `default_limit`.
  [[nodiscard]] std::uint64_t body_limit(const route::match_result& match, std::uint64_t default_limit) const noexcept {
    if (match.outcome != route::match_outcome::matched) return default_limit;
    return entry(match.route_id).metadata.body_limit.value_or(default_limit);
  }

  /// The function that reads the body of this match into files; null if the handler accepts no upload.
  [[nodiscard]] const upload_receiver* receiver(const route::match_result& match) const noexcept {
    if (match.outcome != route::match_outcome::matched || !handlers_[match.route_id].receiver) return nullptr;
    return &handlers_[match.route_id].receiver();
  }

  /// True if a route accepts uploads.
  [[nodiscard]] bool accepts_uploads() const noexcept {
    const auto& entries = table_.entries();
    return std::any_of(entries.begin(), entries.end(),
                       [](const route::route_entry& entry) { return entry.metadata.accepts_upload; });
  }

  /// True if the handler of a match takes the request, or arguments from its body. Otherwise its arguments are in the
  /// head, and the request need not be filled.
  [[nodiscard]] bool needs_request(const route::match_result& match) const noexcept {
    return match.outcome == route::match_outcome::matched && handlers_[match.route_id].needs_request;
  }
  /// Calls the handler of a match. Exceptions of the handler pass through.
  void call(const route::match_result& match, request& req, response& res, exchange& exchange) const;
  /// Calls the handler of a match that does not take the request.
  void call_without_request(const route::match_result& match, response& res, exchange& exchange) const;

  [[nodiscard]] const route::route_entry& entry(std::size_t id) const noexcept { return table_.entries()[id]; }

 private:
  void check_may_use(source_location location) const;

  struct bound_route {
    std::unique_ptr<api::handler> call;
    bool needs_parameter_names;
    std::shared_ptr<const api::middleware_chain> middleware;
    const upload_receiver& (*receiver)() noexcept = nullptr;
    const api::required_object* objects = nullptr;
    std::size_t object_count = 0;
    bool needs_request = true;
    bool while_paused = false, runs_app_code = false, accepts_global_hosts = false;
  };
  /// The route whose middleware runs for a match; null if it is that of a group or the global one.
  [[nodiscard]] const bound_route* middleware_route(const route::match_result& match,
                                                    route::method method) const noexcept;

  route::table table_;
  std::vector<bound_route> handlers_;  // by route id
  std::shared_ptr<const api::middleware_chain> global_middleware_ = std::make_shared<api::middleware_chain>();
  struct route_group {
    route::pattern prefix;
    std::shared_ptr<const api::middleware_chain> middleware;
  };
  std::vector<route_group> groups_;
  host_names_function host_names_ = nullptr;  // null: each host is accepted
  std::vector<std::string> accepted_hosts_;
  bool frozen_ = false;
};

}  // namespace detail::http
}  // inline namespace WINSVC_ABI
}  // namespace winsvc

// ---------------------------------------------------------------------------------------------------------------------

#if WINSVC_BODIES_HTTP

namespace winsvc {
inline namespace WINSVC_ABI {
namespace detail::http {

WINSVC_INLINE bool router::has_pattern(std::string_view pattern) const noexcept {
  for (const auto& entry : table_.entries()) {
    if (entry.path.text == pattern) return true;
  }
  return false;
}

WINSVC_INLINE void router::match(route::method method, std::string_view raw_path, std::string_view other_name,
                                 route::match_result& result) const {
  table_.match(method, raw_path, other_name, result);
  if (result.has_dot_segment) {  // a static folder has no such file
    for (const auto& entry : static_folders) {
      const std::string prefix = entry.prefix.back() == '/' ? entry.prefix : entry.prefix + '/';
      if (base::starts_with(raw_path, prefix)) result.outcome = route::match_outcome::not_found;
    }
  }
  if (final_slash == trailing_slash::strict || result.outcome != route::match_outcome::not_found || raw_path.size() < 2)
    return;
  std::string other_path(raw_path);
  if (other_path.back() == '/') other_path.pop_back();
  else other_path += '/';
  auto other = table_.match(method, other_path, other_name);
  if (other.outcome == route::match_outcome::not_found) return;
  if (final_slash == trailing_slash::redirect && other.outcome == route::match_outcome::matched)
    other.outcome = route::match_outcome::redirect;
  result = std::move(other);
}

WINSVC_INLINE route::table& router::mutable_table(std::size_t id, std::string_view operation) {
  if (frozen_) {
    throw setup_error("route " + entry(id).text() + ": " + std::string(operation) +
                      ": the service has started; describe routes in the app, not in a handler or hook");
  }
  return table_;
}

WINSVC_INLINE void router::check_objects() const {
  for (std::size_t id = 0; id < handlers_.size(); ++id) {
    for (std::size_t i = 0; i < handlers_[id].object_count; ++i) {
      const api::required_object& required = handlers_[id].objects[i];
      if (!objects.find(required.key()))
        throw setup_error("route " + entry(id).text() + ": the handler takes '" + required.type() +
                          "&', but the app does not provide one; call svc.provide(object) in the app");
    }
  }
}

WINSVC_INLINE std::size_t router::add(route::method method, std::string_view pattern, api::erased_handler handler,
                                      source_location location, std::shared_ptr<const api::middleware_chain> chain,
                                      std::string_view other_name) {
  const api::handler_shape& shape = handler.shape;
  const std::string_view method_name = method == route::method::other ? other_name : route::name(method);
  const auto describe_route = [&] {
    return std::string(method_name) + " " + std::string(pattern) + " (" + location.to_string() + ")";
  };
  if (frozen_) {
    throw setup_error("route " + describe_route() +
                      ": the service has started; register routes in the app, not in a handler or hook");
  }
  std::size_t name_count = 0;
  try {
    name_count = route::parse_pattern(pattern).names.size();
  } catch (const setup_error& e) {  // its message has the pattern, but not the location
    throw setup_error("route " + std::string(method_name) + " (" + location.to_string() + "): " + e.what());
  }
  const bool reads_path_params = shape.parameters == 0 && shape.accepts_request;
  if (name_count != shape.parameters && !reads_path_params) {
    throw setup_error("route " + describe_route() + ": the pattern has " + std::to_string(name_count) + " parameter" +
                      (name_count == 1 ? "" : "s") + ", the handler takes " + std::to_string(shape.parameters) +
                      (handler.parameters.empty()
                           ? std::string()
                           : " besides the " + std::to_string(handler.parameters.size()) + " from sources"));
  }
  const bool reads_body = std::any_of(
      handler.parameters.begin(), handler.parameters.end(),
      [](const route::parameter_metadata& value) { return value.source == "form" || value.source == "file"; });
  route::route_metadata metadata;
  metadata.parameters.assign(shape.kinds, shape.kinds + shape.parameters);
  metadata.accepts_json = shape.accepts_body;
  metadata.accepts_upload = shape.receiver != nullptr;
  metadata.body_schema = shape.body_schema;
  metadata.response_schema = shape.response_schema;
  metadata.response = shape.response_kind;
  metadata.returns_optional = shape.returns_optional;
  metadata.values = std::move(handler.parameters);
  for (auto& value : metadata.values) value.is_argument = true;
  metadata.sets_status = shape.sets_status || shape.accepts_response;

  base::reserve_one(handlers_);  // the table and the handlers change together
  const std::size_t id = handlers_.size();
  table_.add(method, pattern, id, location, other_name);
  table_.metadata(id) = std::move(metadata);
  handlers_.push_back({std::move(handler.call), shape.accepts_request, std::move(chain), shape.receiver,
                       shape.objects, shape.object_count,
                       shape.accepts_request || shape.reads_request || shape.accepts_body || shape.receiver ||
                           reads_body});
  return id;
}

WINSVC_INLINE void router::call(const route::match_result& match, request& req, response& res,
                                exchange& exchange) const {
  const auto& route = table_.entries()[match.route_id];
  req.matched_route = route.path.text;
  if (handlers_[match.route_id].needs_parameter_names) {
    req.path_params.clear();
    for (std::size_t i = 0; i < match.values.size(); ++i) req.path_params.emplace(route.path.names[i], match.values[i]);
  }
  handlers_[match.route_id].call->call({req, res, match.values, exchange, &objects});
}

WINSVC_INLINE void router::call_without_request(const route::match_result& match, response& res,
                                                exchange& exchange) const {
  static const request empty;
  handlers_[match.route_id].call->call({empty, res, match.values, exchange, &objects});
}

}  // namespace detail::http
}  // inline namespace WINSVC_ABI
}  // namespace winsvc

#endif  // WINSVC_BODIES_HTTP
