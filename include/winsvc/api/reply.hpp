// reply: a response with status, headers and body, as the return value of a handler.
//
//   svc.post("/users", [] { return winsvc::reply::text("created", 201).header("Location", "/users/7"); });
//   svc.get("/report", [] { return winsvc::reply::file("report.csv"); });
//   svc.get("/old", [] { return winsvc::reply::redirect("/new", 301); });
//
// A handler that only returns text or JSON does not need it (api/handler.hpp). `reply::json` requires
// <nlohmann/json.hpp> (WINSVC_JSON in config/options.hpp).
#pragma once

#include <algorithm>
#include <cstddef>
#include <exception>
#include <functional>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

#include "winsvc/base/json_writer.hpp"
#include "winsvc/base/text.hpp"
#include "winsvc/config/abi.hpp"
#include "winsvc/api/abort.hpp"
#include "winsvc/api/html.hpp"
#include "winsvc/api/httplib.hpp"
#include "winsvc/api/json.hpp"
#include "winsvc/api/json_type.hpp"
#include "winsvc/api/event_channel.hpp"
#include "winsvc/api/stream.hpp"
#include "winsvc/route/url_value.hpp"
#include "winsvc/wire/cookie.hpp"

namespace winsvc {
inline namespace WINSVC_ABI {

namespace detail::api {

/// True if a response may have several headers of this name: Set-Cookie, one per cookie (RFC 6265 section 3), Link
/// (RFC 8288 section 3), Vary, which each layer of middleware extends, a challenge for each authentication scheme (RFC
/// 9110 section 11.6.1), and others that are lists.
[[nodiscard]] bool is_repeatable_header(std::string_view name) noexcept;

/// The path of a named route. Throws setup_error as url_for does.
[[nodiscard]] std::string path_for(const request& req, std::string_view name, const std::vector<url_value>& values);
/// True if the response is for a request that came over HTTPS, to this process or to a trusted proxy.
[[nodiscard]] bool is_for_https(const response& res) noexcept;

/// Adds a repeatable header; replaces a header of any other name. A Set-Cookie replaces the one for the same cookie.
void add_header(response& res, const std::string& name, const std::string& value);

}  // namespace detail::api

/// A response as a value. Cheap to move.
class reply {
 public:
  /// A response with an empty body.
  explicit reply(int status = 200) : status_(status) {}

  /// Plain text in UTF-8.
  [[nodiscard]] static reply text(std::string body, int status = 200) {
    return with(std::move(body), "text/plain; charset=utf-8", status);
  }
  /// HTML in UTF-8.
  [[nodiscard]] static reply html(std::string body, int status = 200) {
    return with(std::move(body), "text/html; charset=utf-8", status);
  }
  /// Markup (api/html.hpp).
  [[nodiscard]] static reply html(winsvc::html markup, int status = 200) {
    return html(std::move(markup).markup(), status);
  }
  /// JSON of a type with WINSVC_TYPE, or of another type of api/json_type.hpp.
  template <class T, std::enable_if_t<detail::api::is_json_value<T>, int> = 0>
  [[nodiscard]] static reply json(const T& value, int status = 200) {
    return with(to_json_text(value), "application/json", status);
  }
#if WINSVC_JSON
  /// JSON. Bytes that are not UTF-8 are replaced.
  [[nodiscard]] static reply json(const winsvc::json& value, int status = 200);
  /// JSON from nlohmann's other types (ordered_json) and from any value that converts to JSON: text, a container, a
  /// type with to_json.
  template <class T, class Json = winsvc::json,
            class = std::enable_if_t<!std::is_same_v<std::decay_t<T>, Json> &&
                                     !detail::api::is_json_value<std::decay_t<T>>>>
  [[nodiscard]] static reply json(T&& value, int status = 200) {
    if constexpr (detail::api::is_nlohmann<std::decay_t<T>>::value)
      return with(value.dump(-1, ' ', false, std::decay_t<T>::error_handler_t::replace), "application/json", status);
    else
      return json(Json(std::forward<T>(value)), status);
  }
#endif
  /// A streamed body (api/stream.hpp). `write` runs on the thread of the request, after the head was sent. A stream
  /// without a Content-Length has `X-Accel-Buffering: no`, so that nginx does not delay it, unless the app sets it.
  [[nodiscard]] static reply stream(std::string content_type, std::function<void(winsvc::stream&)> write);
  /// Server-sent events (api/stream.hpp). `write` runs as in `stream`.
  [[nodiscard]] static reply events(std::function<void(event_stream&)> write);
  /// The events of a channel (api/event_channel.hpp), from now on. Holds no thread.
  [[nodiscard]] static reply events(event_channel& channel);
  /// A redirect to another URL: 302 by default, or 301, 303, 307, 308 (RFC 9110, section 15.4). Blanks and characters
  /// that are not ASCII are percent-encoded. A line break in `location` makes the response a logged 500.
  [[nodiscard]] static reply redirect(const std::string& location, int status = 302) {
    return reply(status).header("Location", location);
  }
  /// A redirect to the route `name` with these path parameters (api/url_for.hpp), with 303: the client sends GET, also
  /// after a form.
  template <class... Values>
  [[nodiscard]] static reply to(const request& req, std::string_view name, const Values&... values) {
    return redirect(detail::api::path_for(req, name, {url_value(values)...}), 303);
  }
  /// A file (http/file_response.hpp), with conditional requests and ranges. The file name extension determines the
  /// Content-Type. A relative path starts at the folder of the executable. With `save_as`, a browser saves the file
  /// under this name instead of showing it. A missing file is 404.
  [[nodiscard]] static reply file(std::string path, std::string save_as = {});
  /// A body with this Content-Type.
  [[nodiscard]] static reply with(std::string body, std::string content_type, int status = 200);

  /// Sets a header, and replaces an existing one of this name, also one from a middleware. Headers of which a response
  /// may have several are added to existing ones: Set-Cookie, Vary, Link, WWW-Authenticate, Proxy-Authenticate,
  /// Server-Timing, Warning, Content-Security-Policy and Content-Security-Policy-Report-Only. A header with an invalid
  /// name, or with a line break in its value, makes the response a logged 500. The server sets Content-Length,
  /// Transfer-Encoding and Connection itself: a Content-Length of a stream becomes its length, `Connection: close` ends
  /// the connection, other values are removed and logged once per route.
  reply& header(std::string name, std::string value) &;
  [[nodiscard]] reply header(std::string name, std::string value) && {
    return std::move(header(std::move(name), std::move(value)));
  }
  /// Sets a cookie, and replaces one with the same name, path and domain. The response to an HTTPS request makes it
  /// `Secure`.
  reply& cookie(const winsvc::cookie& c) &;
  [[nodiscard]] reply cookie(const winsvc::cookie& c) && { return std::move(cookie(c)); }
  /// Sets the status.
  reply& status(int code) & {
    status_ = code;
    return *this;
  }
  [[nodiscard]] reply status(int code) && { return std::move(status(code)); }

  /// Writes the reply to a response. Throws setup_error for a file or a stream if winsvc has not made the response for
  /// a request: then nothing would send it.
  void apply(response& res) &&;

 private:
  int status_ = 200;
  std::string body_;
  std::string content_type_;
  std::string file_, save_as_;
  /// Sends the file. A pointer, so that a program that sends no files does not link the function.
  void (*send_file_)(response&, const std::string&, const std::string&) = nullptr;
  std::function<void(winsvc::stream&)> stream_function_;
  std::shared_ptr<detail::http::channel> channel_;
  /// Makes the client of the response a subscriber. A pointer for the same reason as `send_file_`.
  void (*subscribe_)(response&, detail::http::channel&) = nullptr;
  struct reply_header {
    std::string name, value;
    std::string https_value;  ///< in the response to an HTTPS request; empty: `value`
  };
  std::vector<reply_header> headers_;
};

}  // inline namespace WINSVC_ABI
}  // namespace winsvc

// ---------------------------------------------------------------------------------------------------------------------

#if WINSVC_BODIES_API

namespace winsvc {
inline namespace WINSVC_ABI {
namespace detail::api {

WINSVC_INLINE bool is_repeatable_header(std::string_view name) noexcept {
  for (const char* known : {"Set-Cookie", "Vary", "Link", "WWW-Authenticate", "Proxy-Authenticate", "Server-Timing",
                            "Warning"}) {
    if (base::equal_nocase(name, known)) return true;
  }
  return false;
}
WINSVC_INLINE void add_header(response& res, const std::string& name, const std::string& value) {
  if (!is_repeatable_header(name)) return replace_header(res, name, value);
  const bool cookie = base::equal_nocase(name, "Set-Cookie");
  // The headers of this name are collected and set again, because the versions of cpp-httplib differ in which iterators
  // remain valid after an erase. `values` has them in the order in which they were set.
  std::vector<std::string> values = header_values(res, name);
  const auto is_same = [&](const std::string& other) {
    return cookie ? wire::same_cookie(other, value) : other == value;
  };
  values.erase(std::remove_if(values.begin(), values.end(), is_same), values.end());
  replace_header(res, name, value);  // checks the value
  res.headers.erase(name);
  for (const std::string& other : values) res.headers.emplace(name, other);
  res.headers.emplace(name, value);
}

}  // namespace detail::api

#if WINSVC_JSON
WINSVC_INLINE reply reply::json(const winsvc::json& value, int status) {
  return with(detail::api::text_of_json(value), "application/json", status);
}
#endif

WINSVC_INLINE reply reply::stream(std::string content_type, std::function<void(winsvc::stream&)> write) {
  reply r;
  r.content_type_ = std::move(content_type);
  r.stream_function_ = std::move(write);
  return r;
}

WINSVC_INLINE reply reply::with(std::string body, std::string content_type, int status) {
  reply r(status);
  r.body_ = std::move(body);
  r.content_type_ = std::move(content_type);
  return r;
}

WINSVC_INLINE reply& reply::header(std::string name, std::string value) & {
  for (reply_header& known : headers_) {
    if (detail::base::equal_nocase(known.name, name) && !detail::api::is_repeatable_header(name)) {
      known.value = std::move(value);
      return *this;
    }
  }
  headers_.push_back({std::move(name), std::move(value), {}});
  return *this;
}

WINSVC_INLINE reply& reply::cookie(const winsvc::cookie& c) & {
  headers_.push_back({"Set-Cookie", c.to_string(false), c.to_string(true)});
  return *this;
}

}  // inline namespace WINSVC_ABI
}  // namespace winsvc

#endif  // WINSVC_BODIES_API
