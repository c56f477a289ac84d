// Cookies: the value of Set-Cookie with all attributes, and signed values that a client cannot change.
//
//   cookie("theme", "dark").max_age(24h * 30).to_string()   // the value of Set-Cookie
//   const auto text = sign("user", "anna", key, 8h);
//   unsign("user", text, key)                               // "anna", for eight hours
//
// The default attributes are `Path=/; HttpOnly; SameSite=Lax`, and `Secure` in the response to an HTTPS request. A
// signed value is not encrypted: the client can read it. api/cookies.hpp reads and sets the cookies of requests.
// Source: RFC 6265 and its successor draft for SameSite.
#pragma once

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "winsvc/base/clock.hpp"
#include "winsvc/base/encoding.hpp"
#include "winsvc/base/error.hpp"
#include "winsvc/base/sha.hpp"
#include "winsvc/base/text.hpp"
#include "winsvc/config/abi.hpp"
#include "winsvc/wire/grammar.hpp"

namespace winsvc {
inline namespace WINSVC_ABI {

/// A cookie to set. Throws setup_error for a name or value that RFC 6265 does not allow: encode such a value,
/// for example as base64url.
class cookie {
 public:
  cookie(std::string name, std::string value);

  /// Default "/".
  cookie& path(std::string value) { return set_attribute(path_, std::move(value)); }
  /// Default: none; the browser then returns the cookie to this host only.
  cookie& domain(std::string value) { return set_attribute(domain_, std::move(value)); }
  /// Lifetime in the browser. Default: until the browser is closed. 0 deletes the cookie.
  cookie& max_age(std::chrono::seconds age) {
    max_age_ = age;
    return *this;
  }
  /// The browser returns the cookie over HTTPS only. Default: on if the request came over HTTPS, to this process or to
  /// a trusted proxy, else off.
  cookie& secure(bool on = true) {
    secure_ = on;
    return *this;
  }
  /// Default true: scripts of the page cannot read the cookie.
  cookie& http_only(bool on) {
    http_only_ = on;
    return *this;
  }
  /// "Strict", "Lax" (default) or "None"; else throws setup_error. For "None", browsers require `secure()` too.
  cookie& same_site(std::string value);

  /// Returns the value of Set-Cookie. `https`: the value of `secure` that applies if it was not set.
  [[nodiscard]] std::string to_string(bool https = false) const;

 private:
  cookie& set_attribute(std::string& attribute, std::string value);
  std::string name_, value_, path_ = "/", domain_, same_site_ = "Lax";
  std::optional<std::chrono::seconds> max_age_;
  std::optional<bool> secure_;
  bool http_only_ = true;
};

/// Returns `value` with its expiry time and a signature (HMAC-SHA256), valid as the value of a cookie. The signature
/// includes `name`, so that a client cannot use the value for another cookie, and expires after `lifetime`. `key` is a
/// secret of at least 16 bytes; a shorter key throws setup_error.
[[nodiscard]] std::string sign(std::string_view name, std::string_view value, std::string_view key,
                               std::chrono::seconds lifetime, const clock& time = clock::system());
/// Returns the value that was signed; nullopt if the argument is nullopt, is expired, or was not made by `sign` with
/// this name and key. Throws only if memory is exhausted.
[[nodiscard]] std::optional<std::string> unsign(std::string_view name, std::optional<std::string_view> signed_value,
                                                std::string_view key, const clock& time = clock::system());

namespace detail::wire {

/// Returns the value of the first cookie of this name in a Cookie header, without quotes around it.
[[nodiscard]] std::optional<std::string_view> cookie_in(std::string_view header, std::string_view name);
/// True if a browser replaces the cookie of one Set-Cookie value with the other: Name, Domain and Path are equal.
[[nodiscard]] bool same_cookie(std::string_view first, std::string_view second);

}  // namespace detail::wire

}  // inline namespace WINSVC_ABI
}  // namespace winsvc

// ---------------------------------------------------------------------------------------------------------------------

#if WINSVC_BODIES_WIRE

namespace winsvc {
inline namespace WINSVC_ABI {
namespace detail::wire {

WINSVC_INLINE bool is_valid_cookie_value(std::string_view s) noexcept {
  for (const char c : s) {
    const auto u = static_cast<unsigned char>(c);
    if (u <= 0x20 || u >= 0x7F || c == '"' || c == ',' || c == ';' || c == '\\') return false;
  }
  return true;
}

inline constexpr std::size_t min_key_bytes = 16;

/// Signs a text that is unique for each name, value and deadline: the length of the name comes first.
WINSVC_INLINE std::string cookie_signature(std::string_view name, std::string_view value, std::string_view deadline,
                                           std::string_view key) {
  std::string text = std::to_string(name.size()) + ' ' + std::string(deadline) + ' ';
  text += name;
  text += value;
  return base::to_base64url(base::hmac_sha256(key, text));
}
WINSVC_INLINE std::int64_t unix_seconds(const clock& time) {
  return std::chrono::duration_cast<std::chrono::seconds>(time.system_now().time_since_epoch()).count();
}

}  // namespace detail::wire

WINSVC_INLINE cookie::cookie(std::string name, std::string value) : name_(std::move(name)), value_(std::move(value)) {
  if (!detail::wire::is_token(name_))
    throw setup_error("cookie '" + name_ + "': the name is not a token (RFC 6265); use letters, digits and '-'");
  if (!detail::wire::is_valid_cookie_value(value_)) {
    throw setup_error("cookie '" + name_ +
                      "': the value contains a blank, quote, comma, semicolon, backslash, control character or "
                      "non-ASCII byte; encode it, for example as base64url");
  }
}
WINSVC_INLINE cookie& cookie::set_attribute(std::string& attribute, std::string value) {
  for (const char c : value) {
    if (static_cast<unsigned char>(c) < 0x20 || c == ';' || c == 0x7F)
      throw setup_error("cookie '" + name_ + "': an attribute contains a semicolon or a control character; remove it");
  }
  attribute = std::move(value);
  return *this;
}
WINSVC_INLINE cookie& cookie::same_site(std::string value) {
  if (value != "Strict" && value != "Lax" && value != "None")
    throw setup_error("cookie '" + name_ + "': invalid SameSite '" + value + "'; use Strict, Lax or None");
  same_site_ = std::move(value);
  return *this;
}
WINSVC_INLINE std::string cookie::to_string(bool https) const {
  std::string out = name_ + '=' + value_;
  if (!path_.empty()) out += "; Path=" + path_;
  if (!domain_.empty()) out += "; Domain=" + domain_;
  if (max_age_) out += "; Max-Age=" + std::to_string(max_age_->count());
  if (secure_.value_or(https)) out += "; Secure";
  if (http_only_) out += "; HttpOnly";
  return out + "; SameSite=" + same_site_;
}

WINSVC_INLINE std::string sign(std::string_view name, std::string_view value, std::string_view key,
                               std::chrono::seconds lifetime, const clock& time) {
  if (key.size() < detail::wire::min_key_bytes)
    throw setup_error("sign: the key has fewer than 16 bytes and can be guessed; use a longer random key");
  constexpr std::int64_t max_lifetime = std::int64_t{1} << 40;  // 34,000 years in seconds: the sum cannot overflow
  const auto now = (std::max)(std::int64_t{0}, detail::wire::unix_seconds(time));
  const auto deadline = std::to_string(now + (std::clamp)(std::int64_t{lifetime.count()}, -now, max_lifetime));
  return detail::base::to_base64url(value) + '.' + deadline + '.' +
         detail::wire::cookie_signature(name, value, deadline, key);
}

WINSVC_INLINE std::optional<std::string> unsign(std::string_view name, std::optional<std::string_view> signed_value,
                                                std::string_view key, const clock& time) {
  if (!signed_value || key.size() < detail::wire::min_key_bytes) return std::nullopt;
  const auto parts = detail::base::split(*signed_value, '.');
  if (parts.size() != 3) return std::nullopt;
  auto value = detail::base::from_base64(parts[0]);
  if (!value || detail::base::to_base64url(*value) != parts[0]) return std::nullopt;  // a second encoding of the value
  if (!equal_secret(parts[2], detail::wire::cookie_signature(name, *value, parts[1], key))) return std::nullopt;
  std::uint64_t deadline = 0;  // can be trusted: the signature is valid
  if (!detail::base::parse_number(parts[1], UINT64_MAX, deadline)) return std::nullopt;
  if (detail::wire::unix_seconds(time) >= static_cast<std::int64_t>(deadline)) return std::nullopt;
  return value;
}

namespace detail::wire {

WINSVC_INLINE std::optional<std::string_view> cookie_in(std::string_view header, std::string_view name) {
  for (const std::string_view part : base::split(header, ';')) {
    const std::string_view pair = base::trim(part);
    const auto equals = pair.find('=');
    if (equals == pair.npos || base::trim(pair.substr(0, equals)) != name) continue;
    std::string_view value = base::trim(pair.substr(equals + 1));
    if (value.size() >= 2 && value.front() == '"' && value.back() == '"') value = value.substr(1, value.size() - 2);
    return value;
  }
  return std::nullopt;
}

WINSVC_INLINE bool same_cookie(std::string_view first, std::string_view second) {
  const auto attribute = [](std::string_view cookie, std::string_view name) {
    std::string_view found;
    for (const auto part : base::split(cookie, ';')) {
      const auto pair = base::trim(part);
      if (base::equal_nocase(pair.substr(0, pair.find('=')), name))
        found = pair.substr((std::min)(name.size() + 1, pair.size()));
    }
    return found;
  };
  const auto name = [](std::string_view cookie) { return base::trim(cookie.substr(0, cookie.find_first_of("=;"))); };
  return name(first) == name(second) && attribute(first, "Path") == attribute(second, "Path") &&
         base::equal_nocase(attribute(first, "Domain"), attribute(second, "Domain"));
}

}  // namespace detail::wire
}  // inline namespace WINSVC_ABI
}  // namespace winsvc

#endif  // WINSVC_BODIES_WIRE
