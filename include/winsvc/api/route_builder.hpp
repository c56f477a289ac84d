// A route that was registered, at hand for what else there is to say of it.
//
//   svc.get("/users", list).name("users").summary("All users").query("page", "which page", 1).tag("users");
//   svc.put("/users/{id}", change).limit_body(4096).returns(200, "The user as it is now").returns(201, "It is new");
//
//   const auto todo = svc.resource<todo_item>("/todos/{id}").name("todo").tag("todos");     // of all its methods
//   todo.on(winsvc::route::method::get).summary("One to-do");                                // of one
//
// `limit_body` and `timeout` change what the route does, `name` serves url_for, all else describes it: the OpenAPI
// document shows it (addons/openapi.hpp), nothing checks that the handler keeps it. A handle is a light value; it is of
// use while the app is described, and throws setup_error afterwards.
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
#include "winsvc/route/metadata.hpp"
#include "winsvc/route/method.hpp"
#include "winsvc/route/url_value.hpp"

namespace winsvc {
inline namespace WINSVC_ABI {

namespace http {
class router;
}

class route_builder {
 public:
  /// The routes with ids from `first` up to `last`; they have one pattern.
  route_builder(http::router& of, std::size_t first, std::size_t last) noexcept
      : router_(&of), first_(first), last_(last) {}

  /// For url_for, `routes` and the description. Unique; the routes of one resource share theirs.
  route_builder name(std::string text) const;
  /// The most bytes of a body, in place of the app's `limits().body_bytes`: less, or more. A larger one gets 413; where
  /// it says its length, before it is read.
  route_builder limit_body(std::uint64_t bytes) const;
  /// How long its handler may take, from the body's end until it returns; no limit is the default. A client whose
  /// handler takes longer gets 503 and the connection ends. The handler itself goes on, for nothing can end a thread
  /// that is in it; it may ask `winsvc::context(req).timed_out()` between two steps. A stream is written after the
  /// handler, and has no limit.
  route_builder timeout(std::chrono::milliseconds limit) const;

  /// The most bytes of each file of an upload (api/upload.hpp); a larger one gets 413. Default: that of the body.
  route_builder limit_file(std::uint64_t bytes) const;

  /// One line.
  route_builder summary(const std::string& text) const;
  /// As much as there is to say; Markdown.
  route_builder description(const std::string& text) const;
  /// What it belongs to. Any number.
  route_builder tag(const std::string& text) const;
  route_builder deprecated() const;
  /// Not in the description.
  route_builder hidden() const;

  /// What its handler reads from the query, spelled as it reads it (api/values.hpp): without a default it is required.
  template <class T>
  route_builder query(const std::string& name, const std::string& about) const {
    return add_query({name, about, route::kind_of_value<T>(), true, {}});
  }
  template <class T>
  route_builder query(const std::string& name, const std::string& about, const T& otherwise) const {
    constexpr bool is_text = !std::is_arithmetic_v<T>;
    constexpr auto kind = is_text ? route::value_kind::text : route::kind_of_value<T>();
    const std::string value = url_value(otherwise).text();
    return add_query({name, about, kind, false, is_text ? strings::json_quoted(value) : value});
  }
  template <class T>
  route_builder find_query(const std::string& name, const std::string& about) const {
    return add_query({name, about, route::kind_of_value<T>(), false, {}});
  }

  /// The body of the request. A handler with body<T> is known to take JSON; others may say what they read.
  route_builder takes(const std::string& about, const std::string& media_type = "application/json") const;
  /// An answer. Those of winsvc's own (404, 422, ...) are described without it. `media_type`: default is what the
  /// handler's type says.
  route_builder returns(int status, const std::string& about, const std::string& media_type = std::string()) const;
  /// The JSON Schema (2020-12) of the body that `takes` or `returns` named right before, as JSON or as its text. It is
  /// written by hand: C++17 cannot ask a type for its members.
  route_builder schema_text(std::string_view text) const;
  /// An example of it.
  route_builder example_text(std::string_view text) const;
#if WINSVC_JSON
  template <class T = winsvc::json, class Json = winsvc::json>
  route_builder schema(const T& value) const {
    return schema_text(http::text_of_json(Json(value)));
  }
  template <class T = winsvc::json, class Json = winsvc::json>
  route_builder example(const T& value) const {
    return example_text(http::text_of_json(Json(value)));
  }
#endif

  /// Of the routes of a resource, the one for this method. Throws setup_error where there is none.
  [[nodiscard]] route_builder on(route::method verb) const;

 private:
  static constexpr int no_body = -1, request_body = 0;  // else the status of an answer

  template <class F>
  route_builder set(std::string_view what, F output, int code = no_body) const;
  [[nodiscard]] route_builder add_query(route::query_metadata q) const;
  [[nodiscard]] route::body_metadata& current_body(route::route_metadata& f, std::string_view what) const;

  http::router* router_;
  std::size_t first_, last_;
  int current_body_status_ = no_body;
};

}  // inline namespace WINSVC_ABI
}  // namespace winsvc
