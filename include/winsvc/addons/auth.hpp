// Authentication middleware: HTTP basic and bearer authentication.
//
//   svc.use(winsvc::basic_auth("hello", {{"anna", "secret"}}));
//   svc.use(winsvc::bearer_auth("hello", [&](std::string_view token) { return user_of(token); }));
//   winsvc::context(req).get<winsvc::authenticated_user>()->name        // in the handler
//
// Both schemes send the secret without encryption: use them only with TLS, on a loopback address or behind a TLS proxy.
// Source: RFC 9110 section 11, RFC 7617 (basic), RFC 6750 (bearer).
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "winsvc/base/encoding.hpp"
#include "winsvc/base/error.hpp"
#include "winsvc/base/sha.hpp"
#include "winsvc/base/text.hpp"
#include "winsvc/config/abi.hpp"
#include "winsvc/api/context.hpp"
#include "winsvc/api/cookies.hpp"
#include "winsvc/api/middleware.hpp"
#include "winsvc/api/reply.hpp"
#include "winsvc/api/values.hpp"

namespace winsvc {
inline namespace WINSVC_ABI {

/// The authenticated user. The middleware stores it in the context of the request.
struct authenticated_user {
  std::string name;
};

/// Basic authentication. `authenticate(user, password)` returns true if the password is correct; compare with
/// `equal_secret`. It is called on the thread of the request.
[[nodiscard]] middleware basic_auth(std::string realm,
                                    std::function<bool(std::string_view, std::string_view)> authenticate);
/// Basic authentication with a map of users to passwords, compared in constant time. Throws setup_error for an empty
/// password, which usually comes from a missing setting and would accept any client.
[[nodiscard]] middleware basic_auth(std::string realm, std::map<std::string, std::string> users);
/// Bearer authentication. `authenticate(token)` returns the name of the user, or nullopt if the token is invalid. It is
/// called on the thread of the request.
[[nodiscard]] middleware bearer_auth(std::string realm,
                                     std::function<std::optional<std::string>(std::string_view token)> authenticate);

/// Hash of a password with a random salt, to be stored in its place: `pbkdf2-sha256$ROUNDS$SALT$HASH` (RFC 8018 section
/// 5.2). It takes about as long as `rounds` hashes of 128 bytes.
[[nodiscard]] std::string hash_password(std::string_view password, unsigned rounds = 60'000);
/// True if `hash` is a hash of the password, compared in constant time; false for a malformed hash.
[[nodiscard]] bool check_password(std::string_view password, std::string_view hash);

}  // inline namespace WINSVC_ABI
}  // namespace winsvc

// ---------------------------------------------------------------------------------------------------------------------

#if WINSVC_BODIES_ADDONS

namespace winsvc {
inline namespace WINSVC_ABI {
namespace detail::addons {

/// Returns the credentials in Authorization; nullopt if the field is missing or has another scheme.
WINSVC_INLINE std::optional<std::string> credentials(const request& req, std::string_view scheme) {
  const std::string header = header_text(req, "Authorization");
  const auto blank = header.find(' ');
  if (blank == std::string::npos || !base::equal_nocase(std::string_view(header).substr(0, blank), scheme))
    return std::nullopt;
  return std::string(base::trim(std::string_view(header).substr(blank)));
}

[[noreturn]] WINSVC_INLINE void challenge(response& res, const std::string& value, std::string_view detail) {
  api::replace_header(res, "WWW-Authenticate", value);
  winsvc::abort(401, std::string(detail));
}

WINSVC_INLINE std::string quoted_realm(std::string_view realm) {
  std::string out = "\"";
  for (const char c : realm) {
    if (c == '"' || c == '\\') out += '\\';
    if (static_cast<unsigned char>(c) >= 0x20) out += c;
  }
  return out + '"';
}

}  // namespace detail::addons

WINSVC_INLINE middleware basic_auth(std::string realm,
                                    std::function<bool(std::string_view, std::string_view)> authenticate) {
  const std::string scheme = "Basic realm=" + detail::addons::quoted_realm(realm) + ", charset=\"UTF-8\"";
  middleware result = [scheme, authenticate = std::move(authenticate)](const request& req, response& res,
                                                                      const next_handler& next) {
    const auto encoded = detail::addons::credentials(req, "Basic");
    const auto decoded = encoded ? detail::base::from_base64(*encoded) : std::nullopt;
    const auto colon = decoded ? decoded->find(':') : std::string::npos;
    if (colon == std::string::npos)
      return detail::addons::challenge(res, scheme, "a user name and a password are required");
    const auto user = std::string_view(*decoded).substr(0, colon);
    if (!authenticate(user, std::string_view(*decoded).substr(colon + 1)))
      return detail::addons::challenge(res, scheme, "the user name or the password is wrong");
    context(req).set(authenticated_user{std::string(user)});
    next();
  };
  result.security = "basic";
  return result;
}

WINSVC_INLINE middleware basic_auth(std::string realm, std::map<std::string, std::string> users) {
  for (const auto& [user, password] : users) {
    if (password.empty())
      throw setup_error("basic_auth: the password of '" + user + "' is empty; check the setting that provides it");
  }
  return basic_auth(std::move(realm), [users = std::move(users)](std::string_view user, std::string_view password) {
    const auto found = users.find(std::string(user));
    // An unknown user causes the same work, so that the response time does not reveal which users exist.
    const bool equal = equal_secret(password, found == users.end() ? std::string_view("no such user") : found->second);
    return equal && found != users.end();
  });
}

WINSVC_INLINE middleware bearer_auth(std::string realm,
                                     std::function<std::optional<std::string>(std::string_view)> authenticate) {
  const std::string scheme = "Bearer realm=" + detail::addons::quoted_realm(realm);
  middleware result = [scheme, authenticate = std::move(authenticate)](const request& req, response& res,
                                                                      const next_handler& next) {
    const auto token = detail::addons::credentials(req, "Bearer");
    if (!token || token->empty()) return detail::addons::challenge(res, scheme, "a token is required");
    auto name = authenticate(*token);
    if (!name) return detail::addons::challenge(res, scheme + ", error=\"invalid_token\"", "the token is invalid");
    context(req).set(authenticated_user{std::move(*name)});
    next();
  };
  result.security = "bearer";
  return result;
}

namespace detail::addons {

/// The first block of PBKDF2 with HMAC-SHA256, which has 32 bytes.
WINSVC_INLINE std::string derive_key(std::string_view password, std::string_view salt, unsigned rounds) {
  std::string block = base::hmac_sha256(password, std::string(salt) + std::string("\0\0\0\1", 4)), key = block;
  for (unsigned round = 1; round < rounds; ++round) {
    block = base::hmac_sha256(password, block);
    for (std::size_t i = 0; i < key.size(); ++i) key[i] = static_cast<char>(key[i] ^ block[i]);
  }
  return key;
}

}  // namespace detail::addons

WINSVC_INLINE std::string hash_password(std::string_view password, unsigned rounds) {
  const std::string salt = detail::api::random_bytes(16);
  return "pbkdf2-sha256$" + std::to_string(rounds) + '$' + detail::base::to_base64url(salt) + '$' +
         detail::base::to_base64url(detail::addons::derive_key(password, salt, rounds));
}

WINSVC_INLINE bool check_password(std::string_view password, std::string_view hash) {
  const auto parts = detail::base::split(hash, '$');
  std::uint64_t rounds = 0;
  constexpr std::uint64_t max_rounds = 10'000'000;  // a hash from elsewhere does not stop a thread
  if (parts.size() != 4 || parts[0] != "pbkdf2-sha256" || !detail::base::parse_number(parts[1], max_rounds, rounds))
    return false;
  const auto salt = detail::base::from_base64(parts[2]), key = detail::base::from_base64(parts[3]);
  if (!salt || !key || rounds == 0) return false;
  return equal_secret(*key, detail::addons::derive_key(password, *salt, static_cast<unsigned>(rounds)));
}

}  // inline namespace WINSVC_ABI
}  // namespace winsvc

#endif  // WINSVC_BODIES_ADDONS
