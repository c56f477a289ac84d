// Account of a service: the accepted spellings, the Windows name, and the password and rights that it needs.
//
//   parse_account("virtual", "hello")->name      // NT SERVICE\hello, the default: a virtual account, no password
//   parse_account("system", "hello")->name       // LocalSystem
//   parse_account("CORP\\anna", "hello")->name   // a user: needs a password and the right to log on as a service
//
// It does not check that the account exists; Windows does that at install.
// Source: "Service User Accounts" and lpServiceStartName, lpPassword of CreateServiceW in the Win32 documentation.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "winsvc/base/error.hpp"
#include "winsvc/base/error_codes.hpp"
#include "winsvc/base/result.hpp"
#include "winsvc/base/text.hpp"
#include "winsvc/config/abi.hpp"

namespace winsvc {
inline namespace WINSVC_ABI {
namespace detail::scm {

/// `managed`: a managed service account, `DOMAIN\name$`. `user`: an account with a password.
enum class account_kind { virtual_account, local_system, local_service, network_service, managed, user };

/// The account that a service runs as.
struct account {
  account_kind kind = account_kind::virtual_account;
  std::string name;  ///< lpServiceStartName

  /// True if the account has a password that install must read from a prompt or from standard input.
  [[nodiscard]] bool needs_password() const noexcept { return kind == account_kind::user; }
  /// Returns lpPassword for an account without `needs_password()`: nullopt (NULL) for virtual and managed accounts, ""
  /// for built-in accounts.
  [[nodiscard]] std::optional<std::string> fixed_password() const {
    const bool is_null = kind == account_kind::virtual_account || kind == account_kind::managed;
    return is_null ? std::nullopt : std::optional(std::string());
  }
  /// True if install must grant SeServiceLogonRight. Built-in and virtual accounts have it.
  [[nodiscard]] bool needs_logon_right() const noexcept {
    return kind == account_kind::user || kind == account_kind::managed;
  }
  /// Returns the disadvantage of this account compared with a virtual account; empty if there is no disadvantage.
  [[nodiscard]] std::string_view losing_rights_warning() const noexcept;
};

/// Hint for a text that is not an account.
inline constexpr const char* account_hint = "write virtual, system, local-service, network-service or DOMAIN\\name";

/// Parses `virtual`, `system`, `local-service`, `network-service`, their Windows names, `DOMAIN\name$` (a managed
/// account), `DOMAIN\name`, `name@domain` and `name` (of this machine). Fails with 1057 for any other text and for the
/// virtual account of another service.
[[nodiscard]] result<account> parse_account(std::string_view text, std::string_view service_name);

/// True if the text is a SID, such as S-1-5-21-7-1001, and not a name.
[[nodiscard]] bool is_sid(std::string_view text) noexcept;
/// Returns the name in the form that LookupAccountNameW accepts: without `.\`, which only the SCM understands. It looks
/// up a name without a domain on this machine first.
[[nodiscard]] std::string lookup_name(std::string_view name);

}  // namespace detail::scm
}  // inline namespace WINSVC_ABI
}  // namespace winsvc

// ---------------------------------------------------------------------------------------------------------------------

#if WINSVC_BODIES_SCM

namespace winsvc {
inline namespace WINSVC_ABI {
namespace detail::scm {

WINSVC_INLINE bool is_sid(std::string_view text) noexcept {
  if (!base::starts_with_nocase(text, "S-1-")) return false;
  text.remove_prefix(4);
  // The authority (48 bits), then 1 to 15 numbers of 32 bits. Source: [MS-DTYP] 2.4.2.1.
  std::uint64_t number = 0, limit = 0xFFFFFFFFFFFFu;
  int numbers = 0;
  for (;; ++numbers, limit = 0xFFFFFFFFu) {
    const auto dash = text.find('-');
    if (!base::parse_number(text.substr(0, dash), limit, number)) return false;
    if (dash == text.npos) return numbers >= 1 && numbers <= 15;
    text.remove_prefix(dash + 1);
  }
}

WINSVC_INLINE std::string lookup_name(std::string_view name) {
  return std::string(base::starts_with(name, ".\\") ? name.substr(2) : name);
}

WINSVC_INLINE std::string_view account::losing_rights_warning() const noexcept {
  switch (kind) {
    case account_kind::virtual_account: return {};
    case account_kind::local_system:
      return "LocalSystem can do anything on this machine; an attacker who controls the service controls the machine";
    case account_kind::local_service:
    case account_kind::network_service:
      return "other services use this account too; they can read the data of this service and stop it";
    case account_kind::managed: return {};
    case account_kind::user:
      return "a user account has a password; if it changes, set the new one with update --username ACCOUNT";
  }
  return {};
}

WINSVC_INLINE result<account> parse_account(std::string_view text, std::string_view service_name) {
  struct known_account {
    std::string_view word;
    account_kind kind;
    std::string_view name;
  };
  constexpr known_account table[] = {
      {"system", account_kind::local_system, "LocalSystem"},
      {"LocalSystem", account_kind::local_system, "LocalSystem"},
      {".\\LocalSystem", account_kind::local_system, "LocalSystem"},
      {"NT AUTHORITY\\SYSTEM", account_kind::local_system, "LocalSystem"},
      {"local-service", account_kind::local_service, "NT AUTHORITY\\LocalService"},
      {"LocalService", account_kind::local_service, "NT AUTHORITY\\LocalService"},
      {"NT AUTHORITY\\LocalService", account_kind::local_service, "NT AUTHORITY\\LocalService"},
      {"NT AUTHORITY\\LOCAL SERVICE", account_kind::local_service, "NT AUTHORITY\\LocalService"},
      {"network-service", account_kind::network_service, "NT AUTHORITY\\NetworkService"},
      {"NetworkService", account_kind::network_service, "NT AUTHORITY\\NetworkService"},
      {"NT AUTHORITY\\NetworkService", account_kind::network_service, "NT AUTHORITY\\NetworkService"},
      {"NT AUTHORITY\\NETWORK SERVICE", account_kind::network_service, "NT AUTHORITY\\NetworkService"},
  };
  const auto invalid = [&](std::string message, std::string hint) {
    return failure{error{base::win32_error::invalid_service_account, "use the account", std::string(text),
                         std::move(message), std::move(hint)}};
  };
  text = base::trim(text);
  if (text.empty())
    return invalid("it is empty", account_hint);
  const std::string virtual_name = "NT SERVICE\\" + std::string(service_name);
  if (base::equal_nocase(text, "virtual") || base::equal_nocase(text, virtual_name)) {
    return account{account_kind::virtual_account, virtual_name};
  }
  for (const auto& known : table) {
    if (base::equal_nocase(text, known.word)) return account{known.kind, std::string(known.name)};
  }
  if (base::starts_with_nocase(text, "NT SERVICE\\")) {
    return invalid("it is the virtual account of another service",
                  "write 'virtual' for the account of this service: " + virtual_name);
  }
  const auto slash = text.find('\\');
  if (slash == 0 || slash + 1 == text.size() || (slash != text.npos && text.find('\\', slash + 1) != text.npos)) {
    return invalid("it is not an account name", "write DOMAIN\\name, .\\name for this machine, or name@domain");
  }
  const account_kind kind = text.back() == '$' ? account_kind::managed : account_kind::user;
  if (slash != text.npos || text.find('@') != text.npos) return account{kind, std::string(text)};
  if (kind == account_kind::managed)
    return invalid("a managed account needs a domain", "write DOMAIN\\" + std::string(text));
  return account{kind, ".\\" + std::string(text)};
}

}  // namespace detail::scm
}  // inline namespace WINSVC_ABI
}  // namespace winsvc

#endif  // WINSVC_BODIES_SCM
