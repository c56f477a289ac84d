// Opens the listening sockets of a host: two for `localhost`, one for both address families for `::`, otherwise one.
//
//   const listening opened = listen_on("localhost", 8080);   // 127.0.0.1:8080 and [::1]:8080
//   if (opened.failure) return opened.failure->code;         // of opened.failure->address
//
// A client of `localhost` may try ::1 first, and on Windows it waits about 2 s before it tries the other family. So
// both have the same port. A family that this machine lacks is skipped, and listed in `missing`.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "winsvc/base/error_codes.hpp"
#include "winsvc/base/text.hpp"
#include "winsvc/config/abi.hpp"
#include "winsvc/os/process.hpp"
#include "winsvc/os/socket.hpp"

namespace winsvc {
inline namespace WINSVC_ABI {
namespace detail::os {

/// The numeric addresses of a host to listen on. For any other name than `localhost`, that is the name.
struct listen_addresses {
  std::vector<std::string> addresses;
  bool needs_all = true;  ///< false: the first address that this machine has is enough
};
[[nodiscard]] listen_addresses listen_addresses_of(const std::string& host);

struct listen_failure {
  endpoint address;
  std::uint32_t code = 0;
};
/// Either `failure`, or at least one socket; all sockets have the same port.
struct listening {
  std::vector<tcp_socket> sockets;
  std::vector<listen_failure> missing;  ///< addresses whose family this machine lacks
  std::optional<listen_failure> failure;
};

using listen_function = std::function<sys_result<tcp_socket>(const std::string& address, std::uint16_t port)>;

/// Listens on all addresses of a host. Fails if one of them cannot be used, or if this machine has none of them. Port 0
/// selects a port that is free on each of them.
[[nodiscard]] listening listen_on(const std::string& host, std::uint16_t port,
                                  const listen_function& listen = &tcp_socket::listen);
/// Describes why `listen_on` failed for a host: the address, the program that uses the port, the remedy.
[[nodiscard]] error listen_error(const std::string& host, const listen_failure& failed);

}  // namespace detail::os
}  // inline namespace WINSVC_ABI
}  // namespace winsvc

// ---------------------------------------------------------------------------------------------------------------------

#if WINSVC_BODIES_OS

namespace winsvc {
inline namespace WINSVC_ABI {
namespace detail::os {

WINSVC_INLINE listen_addresses listen_addresses_of(const std::string& host) {
  if (base::equal_nocase(host, "localhost")) return {{"127.0.0.1", "::1"}, true};
  if (host == "::") return {{"::", "0.0.0.0"}, false};  // :: accepts IPv4 too; see tcp_socket::listen
  return {{host}, true};
}

/// True for the codes of a numeric address whose family is not installed, or has no such address.
[[nodiscard]] constexpr bool is_family_missing(std::uint32_t code) noexcept {
  return code == base::win32_error::family_not_supported || code == base::win32_error::address_not_available ||
         // The resolver knows only installed families.
         code == base::win32_error::host_not_found || code == base::win32_error::host_has_no_address;
}

/// One attempt of listen_on.
[[nodiscard]] WINSVC_INLINE listening listen_once(const listen_addresses& wanted, std::uint16_t port,
                                                  const listen_function& listen) {
  listening result;
  for (const auto& address : wanted.addresses) {
    const endpoint at{address, result.sockets.empty() ? port : result.sockets.front().local().port};
    auto opened = listen(at.host, at.port);
    if (opened) {
      result.sockets.push_back(std::move(*opened));
      if (!wanted.needs_all) break;
    } else if (wanted.addresses.size() > 1 && is_family_missing(opened.error())) {
      result.missing.push_back({at, opened.error()});
    } else {
      result.failure = listen_failure{at, opened.error()};
      break;
    }
  }
  if (!result.failure && result.sockets.empty()) result.failure = result.missing.front();
  if (result.failure) result.sockets.clear();
  return result;
}

WINSVC_INLINE listening listen_on(const std::string& host, std::uint16_t port, const listen_function& listen) {
  const listen_addresses wanted = listen_addresses_of(host);
  constexpr int max_attempts = 16;  // another program may have the selected port in the second family
  for (int attempt = 1;; ++attempt) {
    listening result = listen_once(wanted, port, listen);
    const bool is_in_use = result.failure && (result.failure->code == base::win32_error::address_in_use ||
                                              result.failure->code == base::win32_error::access_to_address);
    const bool may_select_again = port == 0 && is_in_use && result.failure->address.port != 0;
    if (!may_select_again || attempt == max_attempts) return result;
  }
}

WINSVC_INLINE error listen_error(const std::string& host, const listen_failure& failed) {
  error result = base::error_with_explanation(failed.code, "listen on", failed.address.text(),
                                              system_error_message(failed.code));
  if (failed.code == base::win32_error::address_in_use || failed.code == base::win32_error::access_to_address) {
    if (const auto owner = port_owner(failed.address); !owner.empty()) result.message += ": in use by " + owner;
    if (const auto& all = listen_addresses_of(host).addresses; all.size() > 1 && host != failed.address.host)
      result.message += "; host '" + host + "' needs the port on " + base::join(all, " and ");
  }
  return result;
}

}  // namespace detail::os
}  // inline namespace WINSVC_ABI
}  // namespace winsvc

#endif  // WINSVC_BODIES_OS
