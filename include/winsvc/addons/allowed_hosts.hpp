// Middleware against DNS rebinding: rejects requests whose Host field is not a name of this service.
//
//   svc.use(winsvc::allowed_hosts({"hello.example.com", "*.internal"}));
//
// The name of another site can resolve to 127.0.0.1. The browser then lets a page of that site read the responses of
// the service, because the origin is the same; `same_origin` and CORS do not help. Such a request has the name of the
// other site in its Host field. If the service listens on a loopback address, this check is on by default and accepts
// the names of the loopback interface. If a local proxy keeps the Host field, add the public name.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "winsvc/base/error.hpp"
#include "winsvc/config/abi.hpp"
#include "winsvc/api/abort.hpp"
#include "winsvc/api/middleware.hpp"
#include "winsvc/api/values.hpp"
#include "winsvc/wire/host_name.hpp"

namespace winsvc {
inline namespace WINSVC_ABI {

/// Responds with 421 to requests for other hosts, WebSocket handshakes included. `names`: a name, an address without
/// port and brackets, `*.example.com` for all subdomains, or `*` for all hosts. The loopback names (localhost,
/// 127.0.0.0/8, ::1) are always accepted. Requests without a Host field, which a browser cannot send, are accepted.
/// Throws setup_error for a name with a port or a scheme. On a loopback listener, it replaces the default check on its
/// routes, and with `svc.use` also on `/livez`, `/readyz` and the pages of winsvc (metrics, OpenAPI, dashboard). The
/// setting `allowed_hosts` adds names.
[[nodiscard]] middleware allowed_hosts(std::vector<std::string> names = {});

namespace detail::addons {

/// Function object of `allowed_hosts`. Its type identifies it in a chain: the router does not call it for the hosts of
/// the setting.
struct host_check {
  std::vector<std::string> names;
  void operator()(const request& req, response&, const next_handler& next) const;
};
/// The names of a middleware that was made by `allowed_hosts`; null for another one.
[[nodiscard]] const std::vector<std::string>* host_names(const middleware& function) noexcept;
/// True for a name or an address without scheme, port and brackets, `*.example.com` and `*`.
[[nodiscard]] bool is_host_pattern(const std::string& name);

}  // namespace detail::addons
}  // inline namespace WINSVC_ABI
}  // namespace winsvc

// ---------------------------------------------------------------------------------------------------------------------

#if WINSVC_BODIES_HOST  // the host uses it for a loopback listener, and it needs no other add-on

namespace winsvc {
inline namespace WINSVC_ABI {
namespace detail::addons {

WINSVC_INLINE void host_check::operator()(const request& req, response&, const next_handler& next) const {
  const std::string host = header_text(req, "Host");
  if (!host.empty() && !wire::is_allowed_host(host, names)) abort(421, std::string(wire::rejected_host_reason));
  next();
}
WINSVC_INLINE const std::vector<std::string>* host_names(const middleware& function) noexcept {
  const auto* const check = function.target<host_check>();
  return check ? &check->names : nullptr;
}
WINSVC_INLINE bool is_host_pattern(const std::string& name) {
  if (name.empty() || name.find_first_of("/[] ") != name.npos) return false;
  return name.find(':') == name.npos || parse_ip(name).has_value();
}

}  // namespace detail::addons

WINSVC_INLINE middleware allowed_hosts(std::vector<std::string> names) {
  for (const auto& name : names) {
    if (!detail::addons::is_host_pattern(name)) {
      throw setup_error("allowed_hosts: '" + name +
                        "' is not a host name; write a name or an address without scheme, port and brackets");
    }
  }
  return detail::addons::host_check{std::move(names)};
}

}  // inline namespace WINSVC_ABI
}  // namespace winsvc

#endif  // WINSVC_BODIES_HOST
