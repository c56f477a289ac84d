// Session middleware: stores values of one browser in a signed cookie, messages for its next page, and CSRF tokens.
//
//   svc.use(winsvc::sessions(key)).use(winsvc::csrf_tokens());
//   svc.post("/login", winsvc::form("name"), [](const winsvc::request& req, std::string name) {
//     winsvc::session::of(req).set("user", name).flash("Welcome");
//     return winsvc::reply::to(req, "index");
//   });
//   winsvc::html("<form method=post>{}...</form>", winsvc::csrf_field(req))
//
// The client can read the values, but it cannot change them. They are limited to about 3,000 bytes. The cookie is
// renewed while the browser sends requests, so a session ends after `lifetime` without requests. It is HttpOnly,
// SameSite=Lax, and Secure if the client uses HTTPS. There is no list of sessions on the server: a value that was
// removed is still valid in a copy of an old cookie until its lifetime ends.
// Source: RFC 6265; OWASP, "CSRF Prevention Cheat Sheet".
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "winsvc/api/abort.hpp"
#include "winsvc/api/context.hpp"
#include "winsvc/api/cookies.hpp"
#include "winsvc/api/html.hpp"
#include "winsvc/api/middleware.hpp"
#include "winsvc/api/values.hpp"
#include "winsvc/base/clock.hpp"
#include "winsvc/base/encoding.hpp"
#include "winsvc/base/error.hpp"
#include "winsvc/base/text.hpp"
#include "winsvc/config/abi.hpp"

namespace winsvc {
inline namespace WINSVC_ABI {

namespace detail::addons {
class session_cookie;
}

/// The session of a request. The middleware `sessions` makes it; use it on the thread of the request.
class session {
 public:
  /// The session of this request. Throws setup_error if no `sessions` middleware runs for the route.
  [[nodiscard]] static session& of(const request& req);

  /// The value of this name; nullopt if it is missing.
  [[nodiscard]] std::optional<std::string> get(const std::string& name) const;
  /// Sets a value.
  session& set(const std::string& name, std::string value);
  /// Removes a value.
  session& erase(const std::string& name);
  /// Removes all values, the CSRF token included: call it at login and logout, so that no other client has the new
  /// token.
  session& clear();
  /// Adds a message for the next page that shows messages.
  session& flash(std::string message);
  /// Returns the messages and removes them.
  [[nodiscard]] std::vector<std::string> take_flashes();
  /// The CSRF token of this session, which is made at the first call.
  [[nodiscard]] std::string csrf_token();

 private:
  friend class detail::addons::session_cookie;
  std::map<std::string, std::string> values_;
  std::vector<std::string> flashes_;
  std::string token_;
  std::uint64_t issued_ = 0;  // seconds since 1970
  bool changed_ = false;
};

/// Options of `sessions`.
struct session_options {
  std::string cookie_name = "session";
  std::chrono::seconds lifetime = std::chrono::hours(24 * 14);  ///< without requests
};

/// Middleware that gives each request a session. `key` signs the cookie: a secret of at least 16 bytes, which must stay
/// the same for all processes of the service; a shorter one throws setup_error.
[[nodiscard]] middleware sessions(std::string key, session_options options = {});

/// Middleware that rejects unsafe requests (POST, PUT ...) without the CSRF token of the session with 403. The token is
/// the form field `csrf_token` or the header X-CSRF-Token. Add it after `sessions`.
[[nodiscard]] middleware csrf_tokens();
/// A hidden form field with the CSRF token.
[[nodiscard]] html csrf_field(const request& req);

}  // inline namespace WINSVC_ABI
}  // namespace winsvc

// ---------------------------------------------------------------------------------------------------------------------

#if WINSVC_BODIES_ADDONS

namespace winsvc {
inline namespace WINSVC_ABI {

WINSVC_INLINE session& session::of(const request& req) {
  session* const found = context(req).get<session>();
  if (!found) throw setup_error("session: the route has no sessions; call svc.use(winsvc::sessions(key)) before it");
  return *found;
}
WINSVC_INLINE std::optional<std::string> session::get(const std::string& name) const {
  const auto found = values_.find(name);
  return found == values_.end() ? std::nullopt : std::optional(found->second);
}
WINSVC_INLINE session& session::set(const std::string& name, std::string value) {
  values_[name] = std::move(value);
  changed_ = true;
  return *this;
}
WINSVC_INLINE session& session::erase(const std::string& name) {
  changed_ = values_.erase(name) != 0 || changed_;
  return *this;
}
WINSVC_INLINE session& session::clear() {
  values_.clear();
  flashes_.clear();
  token_.clear();
  changed_ = true;
  return *this;
}
WINSVC_INLINE session& session::flash(std::string message) {
  flashes_.push_back(std::move(message));
  changed_ = true;
  return *this;
}
WINSVC_INLINE std::vector<std::string> session::take_flashes() {
  changed_ = changed_ || !flashes_.empty();
  return std::exchange(flashes_, {});
}
WINSVC_INLINE std::string session::csrf_token() {
  if (token_.empty()) {
    token_ = detail::base::to_base64url(detail::api::random_bytes(16));
    changed_ = true;
  }
  return token_;
}

namespace detail::addons {

/// Reads a session from its cookie and writes it there, as fields: `v.NAME=VALUE`, `f=MESSAGE`, `c=TOKEN`, `t=TIME`.
class session_cookie {
 public:
  session_cookie(std::string key, session_options options) : key_(std::move(key)), options_(std::move(options)) {
    static_cast<void>(sign(options_.cookie_name, {}, key_, options_.lifetime));         // checks the key
    static_cast<void>(cookie(options_.cookie_name, std::string()));                     // checks the name
    if (options_.lifetime.count() <= 0) throw setup_error("sessions: the lifetime must be more than 0");
  }

  [[nodiscard]] session read(const request& req) const {
    session result;
    const auto text = unsign(options_.cookie_name, find_cookie(req, options_.cookie_name), key_, context(req).time());
    if (!text) return result;
    for (const std::string_view field : base::split(*text, '&')) {
      const auto equals = field.find('=');
      if (equals == field.npos) continue;
      const auto name = from_base64(field.substr(2, equals - 2)), value = from_base64(field.substr(equals + 1));
      if (field[0] == 'v') result.values_[name] = value;
      else if (field[0] == 'f') result.flashes_.push_back(value);
      else if (field[0] == 'c') result.token_ = value;
      else if (field[0] == 't') static_cast<void>(base::parse_number(value, max_time, result.issued_));
    }
    return result;
  }

  /// Sets the cookie if the session has changed or a tenth of its lifetime has passed.
  void write(const clock& time, response& res, const session& current) const {
    const bool is_empty = current.values_.empty() && current.flashes_.empty() && current.token_.empty();
    const auto since_1970 = time.system_now().time_since_epoch();
    const auto now =
        static_cast<std::uint64_t>(std::chrono::duration_cast<std::chrono::seconds>(since_1970).count());
    const bool is_due = !is_empty && now > current.issued_ + static_cast<std::uint64_t>(options_.lifetime.count()) / 10;
    api::add_header(res, "Vary", "Cookie");
    if (!current.changed_ && !is_due) return;
    if (is_empty) return set_cookie(res, cookie(options_.cookie_name, std::string()).max_age(std::chrono::seconds(0)));
    std::string text = "t.=" + base::to_base64url(std::to_string(now));
    const auto add = [&text](char kind, std::string_view name, std::string_view value) {
      text += '&';
      text += kind;
      text += '.' + base::to_base64url(name) + '=' + base::to_base64url(value);
    };
    for (const auto& [name, value] : current.values_) add('v', name, value);
    for (const auto& message : current.flashes_) add('f', {}, message);
    if (!current.token_.empty()) add('c', {}, current.token_);
    const std::string value = sign(options_.cookie_name, text, key_, options_.lifetime, time);
    if (value.size() > max_cookie_bytes)
      throw std::length_error("session: its values need " + std::to_string(value.size()) +
                              " bytes, but a cookie has at most " + std::to_string(max_cookie_bytes));
    cookie c(options_.cookie_name, value);
    set_cookie(res, c.max_age(options_.lifetime));
  }

 private:
  static constexpr std::uint64_t max_time = std::uint64_t{1} << 40;
  static constexpr std::size_t max_cookie_bytes = 4000;  // browsers accept 4,096 with name and attributes
  static std::string from_base64(std::string_view text) { return base::from_base64(text).value_or(std::string()); }

  std::string key_;
  session_options options_;
};

}  // namespace detail::addons

WINSVC_INLINE middleware sessions(std::string key, session_options options) {
  return [stored = detail::addons::session_cookie(std::move(key), std::move(options))](
             const request& req, response& res, const next_handler& next) {
    const context values(req);
    values.set(stored.read(req));
    next();
    stored.write(values.time(), res, *values.get<session>());
  };
}

WINSVC_INLINE middleware csrf_tokens() {
  return [](const request& req, response&, const next_handler& next) {
    const std::string_view method = request_method(req);
    if (method != "GET" && method != "HEAD" && method != "OPTIONS") {
      context(req).before_handler([&req] {  // a form is read after the middleware
        std::string token = header_text(req, "X-CSRF-Token");
        if (token.empty()) token = find_form<std::string>(req, "csrf_token").value_or(std::string());
        if (token.empty() || !equal_secret(token, session::of(req).csrf_token()))
          abort(403, "the form is too old or comes from another site; load its page again and send it once more");
      });
    }
    next();
  };
}

WINSVC_INLINE html csrf_field(const request& req) {
  return html("<input type=\"hidden\" name=\"csrf_token\" value=\"{}\">", session::of(req).csrf_token());
}

}  // inline namespace WINSVC_ABI
}  // namespace winsvc

#endif  // WINSVC_BODIES_ADDONS
