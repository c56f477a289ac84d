// route_builder: sets the name, the limits and the description of a registered route.
//
//   svc.get("/users", list).name("users").summary("All users").query("page", "page number", 1).tag("users");
//   svc.put("/users/{id}", change).limit_body(4096).returns(200, "The changed user").returns(201, "The new user");
//
//   const auto todo = svc.resource<todo_item>("/todos/{id}").name("todo").tag("todos");     // for all its methods
//   todo.on(winsvc::http_method::get).summary("One to-do");                                // for one method
//
// `limit_body`, `limit_file` and `timeout` change the behavior of the route, and url_for uses `name`. Everything else
// is documentation for the OpenAPI document (addons/openapi.hpp); winsvc does not check it against the handler.
// A route_builder is small; copy it. Use it only in the app: its functions throw setup_error after start.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>

#include "winsvc/base/error.hpp"
#include "winsvc/base/text.hpp"
#include "winsvc/config/abi.hpp"
#include "winsvc/api/json.hpp"
#include "winsvc/api/middleware.hpp"
#include "winsvc/route/metadata.hpp"
#include "winsvc/route/method.hpp"
#include "winsvc/route/url_value.hpp"

namespace winsvc {
inline namespace WINSVC_ABI {

namespace detail::http {
class router;
}

/// A handle to a route, or to the routes of a resource. Each function returns a route_builder, so calls can be chained.
/// The functions throw setup_error for an invalid value and after start.
class route_builder {
 public:
  /// The routes with the IDs from `first` to `last - 1`, which have the same pattern.
  route_builder(detail::http::router& router, std::size_t first, std::size_t last) noexcept
      : router_(&router), first_(first), last_(last) {}

  /// Name of the route, for url_for, the verb `routes` and the OpenAPI operation ID. It must be unique; the routes of
  /// one resource share a name.
  route_builder name(std::string text) const;

  /// Adds a middleware for this route only. It runs after the middleware of the app and of the group, in the order of
  /// the calls. `m` has one of the forms of api/middleware.hpp.
  template <class F>
  route_builder use(F m) const {
    return add_middleware(detail::api::make_middleware(std::move(m)));
  }

  // -- limits --

  /// Maximum size of the body in bytes. Default: `limits().body_bytes` of the app, which may be smaller or larger. A
  /// larger body gets 413, before it is read if the request has a Content-Length.
  route_builder limit_body(std::uint64_t bytes) const;
  /// Maximum size in bytes of each file of an upload (api/upload.hpp). A larger file gets 413. Default: the limit of
  /// the body.
  route_builder limit_file(std::uint64_t bytes) const;
  /// Maximum time from the end of the request until the handler returns; positive. After it, the client gets 503 and
  /// the connection is closed. If the time passes while the request waits for a thread, the handler is not started. A
  /// handler that was started keeps running, because a thread cannot be ended safely; a long handler can check
  /// `winsvc::context(req).timed_out()` between two steps. A stream is not limited, because it is written after the
  /// handler returns. Default: no limit.
  route_builder timeout(std::chrono::milliseconds limit) const;

  // -- description --

  /// Summary in one line.
  route_builder summary(const std::string& text) const;
  /// Description of any length, in Markdown.
  route_builder description(const std::string& text) const;
  /// Adds a tag, which groups routes in the document.
  route_builder tag(const std::string& text) const;
  /// Marks the route as deprecated.
  route_builder deprecated() const;
  /// Omits the route from the document.
  route_builder hidden() const;

  /// Documents a required query parameter of type T. Call it as the handler calls winsvc::query (api/values.hpp).
  template <class T>
  route_builder query(const std::string& name, const std::string& description) const {
    return add_query({name, description, "query", value_schema_of<T>(), true});
  }
  /// Documents an optional query parameter with a default.
  template <class T>
  route_builder query(const std::string& name, const std::string& description, const T& default_value) const {
    constexpr bool is_text = !std::is_arithmetic_v<T>;
    const std::string value = url_value(default_value).text();
    return add_query({name, description, "query",
                      value_schema_of<T>(is_text ? detail::base::json_quoted(value) : value), false});
  }
  /// Documents an optional query parameter without a default.
  template <class T>
  route_builder find_query(const std::string& name, const std::string& description) const {
    return add_query({name, description, "query", value_schema_of<T>(), false});
  }

  /// Documents the body of the request. Optional for a handler with body<T>, which always takes JSON.
  route_builder takes(const std::string& description, const std::string& media_type = "application/json") const;
  /// Documents a response with this status (100 to 599), once per status. The error responses of winsvc (404, 422 ...)
  /// are documented without it. Default of `media_type`: the type that follows from the return type of the handler.
  route_builder returns(int status, const std::string& description,
                        const std::string& media_type = std::string()) const;
  /// Documents a header of the response that the last call of `returns` describes, as in
  /// `.returns(201, "Created").returns_header("Location", "URL of the new item")`.
  route_builder returns_header(const std::string& name, const std::string& description) const;
  /// Sets the JSON Schema (2020-12) of a body, as JSON text. Call it directly after `takes` or `returns`. C++17 has no
  /// reflection, so the schema cannot be derived from a type.
  route_builder schema_text(std::string_view text) const;
  /// Sets an example of a body, as JSON text. Call it after `takes`, `returns` or `schema`.
  route_builder example_text(std::string_view text) const;
#if WINSVC_JSON
  /// Sets the JSON Schema of a body, as schema_text does.
  template <class T = winsvc::json, class Json = winsvc::json>
  route_builder schema(const T& value) const {
    return schema_text(detail::api::text_of_json(Json(value)));
  }
  /// Sets an example of a body, as example_text does.
  template <class T = winsvc::json, class Json = winsvc::json>
  route_builder example(const T& value) const {
    return example_text(detail::api::text_of_json(Json(value)));
  }
#endif

  /// The route of a resource for this method. Throws setup_error if the resource does not have the method.
  [[nodiscard]] route_builder on(detail::route::method method) const;

 private:
  static constexpr int no_body = -1, request_body = 0;  // other values: the status of a response

  route_builder add_middleware(middleware m) const;
  template <class F>
  route_builder set(std::string_view function_name, F change, int body_status = no_body) const;
  template <class T>
  [[nodiscard]] static std::string value_schema_of(std::string_view default_json = {}) {
    return detail::route::value_schema(detail::route::kind_of_value<T>(), default_json);
  }
  [[nodiscard]] route_builder add_query(detail::route::parameter_metadata parameter) const;
  [[nodiscard]] detail::route::body_metadata& current_body(detail::route::route_metadata& metadata,
                                                   std::string_view function_name) const;

  detail::http::router* router_;
  std::size_t first_, last_;
  int current_body_status_ = no_body;  // the body that schema and example describe
};

}  // inline namespace WINSVC_ABI
}  // namespace winsvc
