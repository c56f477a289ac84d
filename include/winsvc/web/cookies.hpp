// Cookies: read, set with all their attributes, and signed so that a client cannot change what it keeps for us.
//
//   if (auto theme = winsvc::find_cookie(req, "theme")) …
//   winsvc::set_cookie(res, winsvc::cookie("theme", "dark").max_age(24h * 30).same_site("Lax"));
//   winsvc::set_cookie(res, winsvc::cookie("user", winsvc::sign("anna", key)));
//   auto user = winsvc::unsign(*winsvc::find_cookie(req, "user"), key);     // nothing when it was changed
//
// By default a cookie is `Path=/; HttpOnly; SameSite=Lax`; `secure()` adds Secure, and should where there is TLS.
// Source: RFC 6265 and its successor draft for SameSite.
#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "winsvc/base/encoding.hpp"
#include "winsvc/base/error.hpp"
#include "winsvc/base/sha256.hpp"
#include "winsvc/base/text.hpp"
#include "winsvc/config/abi.hpp"
#include "winsvc/http/httplib.hpp"
#include "winsvc/wire/grammar.hpp"

namespace winsvc {
inline namespace WINSVC_ABI {

/// A cookie to set. A name or value that RFC 6265 does not allow throws setup_error: encode it (`text::to_base64url`).
class cookie {
 public:
  cookie(std::string name, std::string value);

  cookie& path(std::string p) { return keep(path_, std::move(p)); }
  cookie& domain(std::string d) { return keep(domain_, std::move(d)); }
  /// How long the browser keeps it. Without: until it is closed. 0: it is deleted.
  cookie& max_age(std::chrono::seconds age) {
    max_age_ = age;
    return *this;
  }
  cookie& secure(bool on = true) {
    secure_ = on;
    return *this;
  }
  /// Scripts of the page see it when this is off.
  cookie& http_only(bool on) {
    http_only_ = on;
    return *this;
  }
  /// "Strict", "Lax" or "None"; with "None" browsers want `secure` too.
  cookie& same_site(std::string value);

  /// The value of Set-Cookie.
  [[nodiscard]] std::string text() const;

 private:
  cookie& keep(std::string& into, std::string value);
  std::string name_, value_, path_ = "/", domain_, same_site_ = "Lax";
  std::optional<std::chrono::seconds> max_age_;
  bool secure_ = false, http_only_ = true;
};

inline void set_cookie(response& res, const cookie& c) { res.headers.emplace("Set-Cookie", c.text()); }
/// The first cookie of this name, without quotes around it.
[[nodiscard]] std::optional<std::string> find_cookie(const request& req, std::string_view name);

/// `value` with a signature behind it, fit for a cookie. `key`: at least 16 bytes that nobody else knows.
[[nodiscard]] std::string sign(std::string_view value, std::string_view key);
/// The value again; nothing when it or its signature is not what `sign` made with this key.
[[nodiscard]] std::optional<std::string> unsign(std::string_view signed_value, std::string_view key);

// ---------------------------------------------------------------------------------------------------------------------

inline bool fits_cookie(std::string_view s) noexcept {
  for (const char c : s) {
    const auto u = static_cast<unsigned char>(c);
    if (u <= 0x20 || u >= 0x7F || c == '"' || c == ',' || c == ';' || c == '\\') return false;
  }
  return true;
}

inline cookie::cookie(std::string name, std::string value) : name_(std::move(name)), value_(std::move(value)) {
  if (!wire::is_token(name_)) throw setup_error("cookie '" + name_ + "': the name is no token (RFC 6265)");
  if (!fits_cookie(value_)) {
    throw setup_error("cookie '" + name_ +
                      "': its value has a blank, quote, comma, semicolon, backslash or a byte that is "
                      "not ASCII; encode it, with text::to_base64url say");
  }
}
inline cookie& cookie::keep(std::string& into, std::string value) {
  for (const char c : value) {
    if (static_cast<unsigned char>(c) < 0x20 || c == ';' || c == 0x7F)
      throw setup_error("cookie '" + name_ + "': an attribute has a semicolon or a control character");
  }
  into = std::move(value);
  return *this;
}
inline cookie& cookie::same_site(std::string value) {
  if (value != "Strict" && value != "Lax" && value != "None")
    throw setup_error("cookie '" + name_ + "': SameSite is Strict, Lax or None");
  same_site_ = std::move(value);
  return *this;
}
inline std::string cookie::text() const {
  std::string out = name_ + '=' + value_;
  if (!path_.empty()) out += "; Path=" + path_;
  if (!domain_.empty()) out += "; Domain=" + domain_;
  if (max_age_) out += "; Max-Age=" + std::to_string(max_age_->count());
  if (secure_) out += "; Secure";
  if (http_only_) out += "; HttpOnly";
  return out + "; SameSite=" + same_site_;
}

inline std::optional<std::string> find_cookie(const request& req, std::string_view name) {
  const auto [begin, end] = req.headers.equal_range("Cookie");
  for (auto header = begin; header != end; ++header) {
    for (const std::string_view part : text::split(header->second, ';')) {
      const std::string_view pair = text::trimmed(part);
      const auto equals = pair.find('=');
      if (equals == pair.npos || text::trimmed(pair.substr(0, equals)) != name) continue;
      std::string_view value = text::trimmed(pair.substr(equals + 1));
      if (value.size() >= 2 && value.front() == '"' && value.back() == '"') value = value.substr(1, value.size() - 2);
      return std::string(value);
    }
  }
  return std::nullopt;
}

inline std::string sign(std::string_view value, std::string_view key) {
  if (key.size() < 16) throw setup_error("sign: the key is shorter than 16 bytes; anybody could guess it");
  return text::to_base64url(value) + '.' + text::to_base64url(hmac_sha256(key, value));
}
inline std::optional<std::string> unsign(std::string_view signed_value, std::string_view key) {
  const auto dot = signed_value.find('.');
  if (dot == signed_value.npos) return std::nullopt;
  auto value = text::from_base64(signed_value.substr(0, dot));
  if (!value || !equal_secret(signed_value, sign(*value, key))) return std::nullopt;
  return value;
}

}  // inline namespace WINSVC_ABI
}  // namespace winsvc
