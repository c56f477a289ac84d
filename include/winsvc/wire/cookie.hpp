// A cookie as text: with all its attributes, and signed so that a client cannot change what it keeps for us.
//
//   cookie("theme", "dark").max_age(24h * 30).text()        // the value of Set-Cookie
//   const auto text = sign("user", "anna", key, 8h);
//   unsign("user", text, key)                               // "anna", for eight hours
//
// By default a cookie is `Path=/; HttpOnly; SameSite=Lax`; `secure()` adds Secure, and should where there is TLS.
// A signature hides nothing: the client can read the value. api/cookies.hpp reads and sets cookies of requests.
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
  [[nodiscard]] std::string to_string() const;

 private:
  cookie& keep(std::string& output, std::string value);
  std::string name_, value_, path_ = "/", domain_, same_site_ = "Lax";
  std::optional<std::chrono::seconds> max_age_;
  bool secure_ = false, http_only_ = true;
};

/// `value` with its end and a signature behind it, fit for a cookie. It holds for this name alone, so that no cookie is
/// passed off as another, and for `lifetime` from now on. `key`: at least 16 bytes that nobody else knows, else
/// setup_error.
[[nodiscard]] std::string sign(std::string_view name, std::string_view value, std::string_view key,
                               std::chrono::seconds lifetime, const clock& time = clock::system());
/// The value again; nothing when there is none, when its time is over, or when it is not what `sign` made with this
/// name and key. Never throws but for memory.
[[nodiscard]] std::optional<std::string> unsign(std::string_view name, std::optional<std::string_view> signed_value,
                                                std::string_view key, const clock& time = clock::system());

namespace wire {

/// The value of the first cookie of this name in a Cookie header, without quotes around it.
[[nodiscard]] std::optional<std::string_view> cookie_in(std::string_view header, std::string_view name);
/// Would the second value of Set-Cookie replace the first in a browser? Name, Domain and Path are a cookie's identity.
[[nodiscard]] bool same_cookie(std::string_view one, std::string_view other);

}  // namespace wire

}  // inline namespace WINSVC_ABI
}  // namespace winsvc

// ---------------------------------------------------------------------------------------------------------------------

#if WINSVC_BODIES_WIRE

namespace winsvc {
inline namespace WINSVC_ABI {
namespace wire {

WINSVC_INLINE bool is_valid_cookie_value(std::string_view s) noexcept {
  for (const char c : s) {
    const auto u = static_cast<unsigned char>(c);
    if (u <= 0x20 || u >= 0x7F || c == '"' || c == ',' || c == ';' || c == '\\') return false;
  }
  return true;
}

inline constexpr std::size_t min_key_bytes = 16;

/// What is signed: no two triples give the same text.
WINSVC_INLINE std::string cookie_signature(std::string_view name, std::string_view value, std::string_view deadline,
                                                  std::string_view key) {
  std::string text = std::to_string(name.size()) + ' ' + std::string(deadline) + ' ';
  text += name;
  text += value;
  return strings::to_base64url(hmac_sha256(key, text));
}
WINSVC_INLINE std::int64_t unix_seconds(const clock& time) {
  return std::chrono::duration_cast<std::chrono::seconds>(time.system_now().time_since_epoch()).count();
}

}  // namespace wire

WINSVC_INLINE cookie::cookie(std::string name, std::string value) : name_(std::move(name)), value_(std::move(value)) {
  if (!wire::is_token(name_)) throw setup_error("cookie '" + name_ + "': the name is no token (RFC 6265)");
  if (!wire::is_valid_cookie_value(value_)) {
    throw setup_error("cookie '" + name_ +
                      "': its value has a blank, quote, comma, semicolon, backslash or a byte that is "
                      "not ASCII; encode it, with text::to_base64url say");
  }
}
WINSVC_INLINE cookie& cookie::keep(std::string& output, std::string value) {
  for (const char c : value) {
    if (static_cast<unsigned char>(c) < 0x20 || c == ';' || c == 0x7F)
      throw setup_error("cookie '" + name_ + "': an attribute has a semicolon or a control character");
  }
  output = std::move(value);
  return *this;
}
WINSVC_INLINE cookie& cookie::same_site(std::string value) {
  if (value != "Strict" && value != "Lax" && value != "None")
    throw setup_error("cookie '" + name_ + "': SameSite is Strict, Lax or None");
  same_site_ = std::move(value);
  return *this;
}
WINSVC_INLINE std::string cookie::to_string() const {
  std::string out = name_ + '=' + value_;
  if (!path_.empty()) out += "; Path=" + path_;
  if (!domain_.empty()) out += "; Domain=" + domain_;
  if (max_age_) out += "; Max-Age=" + std::to_string(max_age_->count());
  if (secure_) out += "; Secure";
  if (http_only_) out += "; HttpOnly";
  return out + "; SameSite=" + same_site_;
}

WINSVC_INLINE std::string sign(std::string_view name, std::string_view value, std::string_view key,
                        std::chrono::seconds lifetime, const clock& time) {
  if (key.size() < wire::min_key_bytes)
    throw setup_error("sign: the key is shorter than 16 bytes; anybody could guess it");
  constexpr std::int64_t longest = std::int64_t{1} << 40;  // 34,000 years: no sum overflows
  const auto now = (std::max)(std::int64_t{0}, wire::unix_seconds(time));
  const auto deadline = std::to_string(now + (std::clamp)(std::int64_t{lifetime.count()}, -now, longest));
  return strings::to_base64url(value) + '.' + deadline + '.' + wire::cookie_signature(name, value, deadline, key);
}

WINSVC_INLINE std::optional<std::string> unsign(std::string_view name, std::optional<std::string_view> signed_value,
                                         std::string_view key, const clock& time) {
  if (!signed_value || key.size() < wire::min_key_bytes) return std::nullopt;
  const auto parts = strings::split(*signed_value, '.');
  if (parts.size() != 3) return std::nullopt;
  auto value = strings::from_base64(parts[0]);
  if (!value || strings::to_base64url(*value) != parts[0]) return std::nullopt;  // one text a value
  if (!equal_secret(parts[2], wire::cookie_signature(name, *value, parts[1], key))) return std::nullopt;
  std::uint64_t deadline = 0;  // ours from here on, as it was signed
  if (!strings::parse_number(parts[1], UINT64_MAX, deadline)) return std::nullopt;
  if (wire::unix_seconds(time) >= static_cast<std::int64_t>(deadline)) return std::nullopt;
  return value;
}

namespace wire {

WINSVC_INLINE std::optional<std::string_view> cookie_in(std::string_view header, std::string_view name) {
  for (const std::string_view part : strings::split(header, ';')) {
    const std::string_view pair = strings::trim(part);
    const auto equals = pair.find('=');
    if (equals == pair.npos || strings::trim(pair.substr(0, equals)) != name) continue;
    std::string_view value = strings::trim(pair.substr(equals + 1));
    if (value.size() >= 2 && value.front() == '"' && value.back() == '"') value = value.substr(1, value.size() - 2);
    return value;
  }
  return std::nullopt;
}

WINSVC_INLINE bool same_cookie(std::string_view one, std::string_view other) {
  const auto attribute = [](std::string_view of, std::string_view name) {
    std::string_view found;
    for (const auto part : strings::split(of, ';')) {
      const auto pair = strings::trim(part);
      if (strings::equal_nocase(pair.substr(0, pair.find('=')), name))
        found = pair.substr((std::min)(name.size() + 1, pair.size()));
    }
    return found;
  };
  const auto name = [](std::string_view of) { return strings::trim(of.substr(0, of.find_first_of("=;"))); };
  return name(one) == name(other) && attribute(one, "Path") == attribute(other, "Path") &&
         strings::equal_nocase(attribute(one, "Domain"), attribute(other, "Domain"));
}

}  // namespace wire
}  // inline namespace WINSVC_ABI
}  // namespace winsvc

#endif  // WINSVC_BODIES_WIRE
