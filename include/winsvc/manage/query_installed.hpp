// Reads the configuration of the installed service from the SCM. It opens the service with query rights only, so
// `install --plan` needs no elevation.
//
//   const auto found = query_installed(context, request, "install");
//   found->installation                                      // nullopt: the service is not installed
//
// manage/install_plan.hpp compares it with the desired configuration; this header changes nothing.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <utility>

#include "winsvc/base/result.hpp"
#include "winsvc/config/abi.hpp"
#include "winsvc/manage/install_plan.hpp"
#include "winsvc/manage/installation.hpp"
#include "winsvc/scm/config_levels.hpp"
#include "winsvc/scm/install_request.hpp"
#include "winsvc/scm/security.hpp"
#include "winsvc/os/service_manager.hpp"
#include "winsvc/manage/verb_context.hpp"
#include "winsvc/manage/folder_access.hpp"

namespace winsvc {
inline namespace WINSVC_ABI {
namespace detail::manage {

struct installed_service {
  std::optional<manage::installation> installation;  ///< nullopt: not installed
  std::map<std::string, std::string> sids;          ///< SIDs of the users of --allow-control
};

/// Fails if access is denied, if a service of another program has the name, or if a user is unknown.
[[nodiscard]] result<installed_service> query_installed(verb_context& context, const scm::install_request& request,
                                                        const std::string& operation);

}  // namespace detail::manage
}  // inline namespace WINSVC_ABI
}  // namespace winsvc

// ---------------------------------------------------------------------------------------------------------------------

#if WINSVC_BODIES_MANAGE

namespace winsvc {
inline namespace WINSVC_ABI {
namespace detail::manage {

/// Reads the event source and the logon right, which are not in the SCM's database. Values that cannot be read stay
/// unknown.
WINSVC_INLINE void query_related_objects(verb_context& context, manage::installation& installed) {
  auto& scm = context.scm();
  if (const auto source = scm.query_event_source(context.name())) installed.event_source = *source;
  if (!installed.account->needs_logon_right()) return;
  const auto sid = scm.account_sid(scm::lookup_name(installed.account->name));
  if (!sid) return;
  if (const auto right = scm.query_logon_right(*sid)) installed.logon_right = *right;
}

WINSVC_INLINE result<installed_service> query_installed(verb_context& context, const scm::install_request& request,
                                                        const std::string& operation) {
  auto& scm = context.scm();
  installed_service queried;
  for (const auto& user : request.allow_control) {
    const auto sid = scm.account_sid(scm::lookup_name(user));
    if (!sid) return context.make_error("find the account", user, sid.error());
    queried.sids[user] = *sid;
  }

  const std::uint32_t security_right = queried.sids.empty() ? 0 : os::access_rights::read_security;
  const auto service = context.open(operation, os::access_rights::query_config | security_right);
  if (!service) {
    if (service.error().code == base::win32_error::service_does_not_exist) return queried;
    return failure{service.error()};
  }
  const auto config = scm.query_config(service->get());
  if (!config) return context.make_error(operation, config.error());
  if (auto own = context.check_same_program(operation, config->binary); !own) return failure{own.error()};

  manage::installation& installed = queried.installation.emplace();
  installed.startup = config->startup;
  installed.binary = config->binary;
  installed.display_name = config->display_name;
  installed.account = manage::parse_known_account(config->account, context.name());
  installed.dependencies = config->dependencies;
  for (const auto& row : manage::config_level_table) {
    auto value = scm.query_level(service->get(), row.number);
    if (value) installed.levels.insert_or_assign(row.number, *std::move(value));
  }
  if (!request.environment.empty()) {  // otherwise the update would delete the variables that it does not set
    auto items = scm.query_environment(context.name());
    if (!items) return context.make_error("read the environment of", items.error());
    installed.environment = *std::move(items);
  }
  if (!queried.sids.empty()) {
    const auto security = scm.query_security(service->get());
    if (!security) return context.make_error("read the permissions of", security.error());
    for (const auto& [user, sid] : queried.sids)
      installed.control_users[user] =
          scm::has_ace(*security, scm::control_ace(sid), scm::secured_object::service);
  }
  query_related_objects(context, installed);
  query_folder_access(context, installed);
  return queried;
}

}  // namespace detail::manage
}  // inline namespace WINSVC_ABI
}  // namespace winsvc

#endif  // WINSVC_BODIES_MANAGE
