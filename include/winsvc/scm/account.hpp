// The account a service runs as: how it is spelled, what Windows calls it, and what it gives up.
//
//   parse_account("virtual", "hello")->name      // NT SERVICE\hello, the default: an account of its own, no password
//   parse_account("system", "hello")->name       // LocalSystem
//   parse_account("CORP\\anna", "hello")->name   // a person's: needs a password and the right to log on as a service
//
// Source: "Service User Accounts" and lpServiceStartName, lpPassword of CreateServiceW in the Win32 documentation.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "winsvc/base/error.hpp"
#include "winsvc/base/result.hpp"
#include "winsvc/base/text.hpp"
#include "winsvc/config/abi.hpp"

namespace winsvc {
inline namespace WINSVC_ABI {
namespace model {

enum class account_kind { virtual_account, local_system, local_service, network_service, managed, user };

struct account {
  account_kind kind = account_kind::virtual_account;
  std::string name;  ///< lpServiceStartName

  /// Has it a password of its own that must be asked for?
  [[nodiscard]] bool needs_password() const noexcept { return kind == account_kind::user; }
  /// lpPassword where none is asked for: NULL for virtual and managed accounts, "" for the built-in ones.
  [[nodiscard]] std::optional<std::string> fixed_password() const {
    const bool null = kind == account_kind::virtual_account || kind == account_kind::managed;
    return null ? std::nullopt : std::optional(std::string());
  }
  /// Must it be given SeServiceLogonRight? Built-in and virtual accounts have it.
  [[nodiscard]] bool needs_logon_right() const noexcept {
    return kind == account_kind::user || kind == account_kind::managed;
  }
  /// What is lost against an account of the service's own; empty for that one.
  [[nodiscard]] std::string_view losing_rights_warning() const noexcept;
};

/// `virtual`, `system`, `local-service`, `network-service`, their Windows names, `DOMAIN\name$` (a managed account),
/// `DOMAIN\name`, `name@domain`, `name` (of this machine). Another service's virtual account is refused.
[[nodiscard]] result<account> parse_account(std::string_view s, std::string_view service_name);

/// The name as LookupAccountNameW knows it: `.\` is a word of the SCM alone, and a bare name is this machine's first.
[[nodiscard]] std::string lookup_name(std::string_view name);

}  // namespace model
}  // inline namespace WINSVC_ABI
}  // namespace winsvc

// ---------------------------------------------------------------------------------------------------------------------

#if WINSVC_BODIES_MODEL

namespace winsvc {
inline namespace WINSVC_ABI {
namespace model {

WINSVC_INLINE std::string lookup_name(std::string_view name) {
  return std::string(strings::starts_with(name, ".\\") ? name.substr(2) : name);
}

WINSVC_INLINE std::string_view account::losing_rights_warning() const noexcept {
  switch (kind) {
    case account_kind::virtual_account: return {};
    case account_kind::local_system:
      return "LocalSystem may do anything on this machine: whoever takes over the service takes over the machine";
    case account_kind::local_service:
    case account_kind::network_service:
      return "this account is shared with other services, which can read and stop what this one does";
    case account_kind::managed: return {};
    case account_kind::user:
      return "a person's account has a password, and when that is changed it has to be given here anew";
  }
  return {};
}

WINSVC_INLINE result<account> parse_account(std::string_view s, std::string_view service_name) {
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
  const auto refuse = [&](std::string message, std::string hint) {
    return failure{error{1057, "use the account", std::string(s), std::move(message), std::move(hint)}};
  };
  s = strings::trim(s);
  if (s.empty()) return refuse("it is empty", "give virtual, system, local-service, network-service or DOMAIN\\name");
  const std::string own = "NT SERVICE\\" + std::string(service_name);
  if (strings::equal_nocase(s, "virtual") || strings::equal_nocase(s, own)) {
    return account{account_kind::virtual_account, own};
  }
  for (const auto& k : table) {
    if (strings::equal_nocase(s, k.word)) return account{k.kind, std::string(k.name)};
  }
  if (strings::starts_with_nocase(s, "NT SERVICE\\")) {
    return refuse("it is the virtual account of another service", "'virtual' is this one's own: " + own);
  }
  const auto slash = s.find('\\');
  if (slash == 0 || slash + 1 == s.size() || (slash != s.npos && s.find('\\', slash + 1) != s.npos)) {
    return refuse("it is no account name", "write DOMAIN\\name, .\\name for this machine, or name@domain");
  }
  const account_kind kind = s.back() == '$' ? account_kind::managed : account_kind::user;
  if (slash != s.npos || s.find('@') != s.npos) return account{kind, std::string(s)};
  if (kind == account_kind::managed) return refuse("a managed account has a domain", "write DOMAIN\\" + std::string(s));
  return account{kind, ".\\" + std::string(s)};
}

}  // namespace model
}  // inline namespace WINSVC_ABI
}  // namespace winsvc

#endif  // WINSVC_BODIES_MODEL
