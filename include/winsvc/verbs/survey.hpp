// What is installed, read with query rights alone: what install plans with, and all that `--plan` needs.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <utility>

#include "winsvc/base/result.hpp"
#include "winsvc/config/abi.hpp"
#include "winsvc/model/command.hpp"
#include "winsvc/model/installation.hpp"
#include "winsvc/model/levels.hpp"
#include "winsvc/model/security.hpp"
#include "winsvc/os/service_manager.hpp"
#include "winsvc/verbs/desk.hpp"
#include "winsvc/verbs/folders.hpp"

namespace winsvc {
inline namespace WINSVC_ABI {
namespace host {

struct surveyed {
  std::optional<model::installation> there;  ///< nothing: it is not installed
  std::map<std::string, std::string> sids;   ///< of the users of --allow-control
};

/// Fails where it cannot be seen, where another program's service has the name, and where a user is not known.
[[nodiscard]] result<surveyed> survey(desk& at, const model::command& asked, const std::string& doing);

}  // namespace host
}  // inline namespace WINSVC_ABI
}  // namespace winsvc

// ---------------------------------------------------------------------------------------------------------------------

#if WINSVC_BODIES_VERBS

namespace winsvc {
inline namespace WINSVC_ABI {
namespace host {

/// What belongs to it and is not in the SCM's database. What cannot be seen stays unknown.
WINSVC_INLINE void look_beside(desk& at, model::installation& there) {
  auto& scm = at.scm();
  if (const auto source = scm.query_event_source(at.name())) there.event_source = *source;
  if (!there.account->needs_logon_right()) return;
  const auto sid = scm.account_sid(model::name_to_look_up(there.account->name));
  if (!sid) return;
  if (const auto right = scm.query_logon_right(*sid)) there.logon_right = *right;
}

WINSVC_INLINE result<surveyed> survey(desk& at, const model::command& asked, const std::string& doing) {
  auto& scm = at.scm();
  surveyed found;
  for (const auto& user : asked.allow_control) {
    const auto sid = scm.account_sid(model::name_to_look_up(user));
    if (!sid) return at.failed("find the account", user, sid.error());
    found.sids[user] = *sid;
  }

  const std::uint32_t security_right = found.sids.empty() ? 0 : os::access::read_security;
  const auto service = at.open(doing, os::access::query_config | security_right);
  if (!service) {
    if (service.error().code == model::code::service_does_not_exist) return found;
    return failure{service.error()};
  }
  const auto config = scm.query_config(service->get());
  if (!config) return at.failed(doing, config.error());
  if (auto mine = at.check_ours(doing, config->binary); !mine) return failure{mine.error()};

  model::installation& there = found.there.emplace();
  there.startup = config->startup;
  there.binary = config->binary;
  there.display_name = config->display_name;
  there.account = model::known_account(config->account, at.name());
  there.dependencies = config->dependencies;
  for (const auto& row : model::level_rows) {
    auto value = scm.query_level(service->get(), row.number);
    if (value) there.levels.insert_or_assign(row.number, *std::move(value));
  }
  if (!asked.environment.empty()) {  // or what is there and not asked for would be lost
    auto all = scm.query_environment(at.name());
    if (!all) return at.failed("read the environment of", all.error());
    there.environment = *std::move(all);
  }
  if (!found.sids.empty()) {
    const auto security = scm.query_security(service->get());
    if (!security) return at.failed("read the rights of", security.error());
    for (const auto& [user, sid] : found.sids)
      there.may_control[user] = model::has_entry(*security, model::control_entry(sid));
  }
  look_beside(at, there);
  look_at_folders(at, there);
  return found;
}

}  // namespace host
}  // inline namespace WINSVC_ABI
}  // namespace winsvc

#endif  // WINSVC_BODIES_VERBS
