// What a handler may answer with, beyond plain text: a reply with status and headers, JSON, and a way out of the
// middle.
//
//   svc.post("/users", [] { return winsvc::reply::text("made", 201).header("Location", "/users/7"); });
//   svc.get("/users/{id}", [](int id) -> winsvc::json { if (id < 0) winsvc::abort(400, "ids start at 0"); ... });
//
// `winsvc::json` is nlohmann's json, there when <nlohmann/json.hpp> is (WINSVC_JSON in config/knobs.hpp).
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
#include "winsvc/api/httplib.hpp"
#include "winsvc/api/json.hpp"
#include "winsvc/api/stream.hpp"
#include "winsvc/wire/cookie.hpp"

namespace winsvc {
inline namespace WINSVC_ABI {

namespace http {

/// Does it stay beside others of its name? Set-Cookie is a line a cookie (RFC 6265 section 3), Vary what each layer
/// looked at.
[[nodiscard]] bool is_repeatable_header(std::string_view name) noexcept;

/// Into an answer that may have headers already: added or in their place, whichever the name asks for.
void add_header(response& res, const std::string& name, const std::string& value);

}  // namespace http

/// A whole answer as a value. Cheap to move.
class reply {
 public:
  /// An empty body.
  explicit reply(int status = 200) : status_(status) {}

  [[nodiscard]] static reply text(std::string body, int status = 200) {
    return with(std::move(body), "text/plain; charset=utf-8", status);
  }
  [[nodiscard]] static reply html(std::string body, int status = 200) {
    return with(std::move(body), "text/html; charset=utf-8", status);
  }
#if WINSVC_JSON
  [[nodiscard]] static reply json(const winsvc::json& value, int status = 200);
  /// The same for nlohmann's other types (ordered_json), and for whatever converts to JSON: text, a list, a type with
  /// to_json.
  template <class T, class Json = winsvc::json, class = std::enable_if_t<!std::is_same_v<std::decay_t<T>, Json>>>
  [[nodiscard]] static reply json(T&& value, int status = 200) {
    if constexpr (http::is_nlohmann<std::decay_t<T>>::value)
      return with(value.dump(-1, ' ', false, std::decay_t<T>::error_handler_t::replace), "application/json", status);
    else
      return json(Json(std::forward<T>(value)), status);
  }
#endif
  /// Bytes that are written while they are made (api/stream.hpp); `write(stream&)` runs on the request's thread after
  /// the head was sent.
  [[nodiscard]] static reply stream(std::string content_type, std::function<void(winsvc::stream&)> write);
  /// Server-sent events (api/stream.hpp).
  [[nodiscard]] static reply events(std::function<void(event_stream&)> write);
  /// To another place: 302, or 301, 303, 307, 308 (RFC 9110, section 15.4).
  [[nodiscard]] static reply redirect(const std::string& location, int status = 302) {
    return reply(status).header("Location", location);
  }
  /// A file (http/file_answer.hpp): its type by its ending, with conditions and ranges. A relative path begins at the
  /// executable's folder. `save_as`: what a browser saves it as, instead of showing it. 404 where there is none.
  [[nodiscard]] static reply file(std::string path, std::string save_as = {});
  /// Bytes of a type of your own.
  [[nodiscard]] static reply with(std::string body, std::string content_type, int status = 200);

  /// Sets a header, in the place of one of this name that is there already, a middleware's too. Set-Cookie and Vary are
  /// added to those that are there: each of them says something of its own.
  reply& header(std::string name, std::string value) &;
  reply&& header(std::string name, std::string value) && {
    return std::move(header(std::move(name), std::move(value)));
  }
  /// Sets a cookie, in the place of one of the same name, path and domain.
  reply& cookie(const winsvc::cookie& c) & { return header("Set-Cookie", c.to_string()); }
  reply&& cookie(const winsvc::cookie& c) && { return std::move(cookie(c)); }
  reply& status(int code) & {
    status_ = code;
    return *this;
  }
  reply&& status(int code) && { return std::move(status(code)); }

  /// Writes it into httplib's response.
  void apply(response& res) &&;

 private:
  void set_content(response& res);

  int status_ = 200;
  std::string body_;
  std::string content_type_;
  std::string file_, save_as_;
  /// Of a file: what sends it. A program that sends none does not link it.
  void (*send_file_)(const request&, response&, const std::string&, const std::string&) = nullptr;
  std::function<void(winsvc::stream&)> stream_function_;
  std::vector<std::pair<std::string, std::string>> headers_;
};

}  // inline namespace WINSVC_ABI
}  // namespace winsvc

// ---------------------------------------------------------------------------------------------------------------------

#if WINSVC_BODIES_API

namespace winsvc {
inline namespace WINSVC_ABI {
namespace http {

WINSVC_INLINE bool is_repeatable_header(std::string_view name) noexcept {
  return strings::equal_nocase(name, "Set-Cookie") || strings::equal_nocase(name, "Vary");
}
WINSVC_INLINE void add_header(response& res, const std::string& name, const std::string& value) {
  if (!is_repeatable_header(name)) return replace_header(res, name, value);
  const bool cookie = strings::equal_nocase(name, "Set-Cookie");
  // Which of two lines a browser sees last is not ours to say: cpp-httplib keeps no order that it promises. What stays
  // is collected and set again, because its versions differ in which iterators an erase leaves valid.
  std::vector<std::string> others;
  const auto [begin, end] = res.headers.equal_range(name);
  for (auto path = begin; path != end; ++path) {
    if (!(cookie ? wire::same_cookie(path->second, value) : path->second == value)) others.push_back(path->second);
  }
  res.headers.erase(name);
  for (const std::string& other : others) res.set_header(name, other);
  res.set_header(name, value);
}

}  // namespace http

#if WINSVC_JSON
WINSVC_INLINE reply reply::json(const winsvc::json& value, int status) {
  return with(http::text_of_json(value), "application/json", status);
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
  for (auto& [known, held] : headers_) {
    if (strings::equal_nocase(known, name) && !http::is_repeatable_header(name)) {
      held = std::move(value);
      return *this;
    }
  }
  headers_.emplace_back(std::move(name), std::move(value));
  return *this;
}

}  // inline namespace WINSVC_ABI
}  // namespace winsvc

#endif  // WINSVC_BODIES_API
