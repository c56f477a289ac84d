// Implementation of manage/install.hpp: the checks of a request, and the steps of an install or update. Each completed
// step adds a function that reverts it to the rollback.
#pragma once

#include <algorithm>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "winsvc/base/error_codes.hpp"
#include "winsvc/base/result.hpp"
#include "winsvc/base/text.hpp"
#include "winsvc/config/abi.hpp"
#include "winsvc/commandline/parse_command.hpp"
#include "winsvc/manage/dependency_cycle.hpp"
#include "winsvc/manage/install.hpp"
#include "winsvc/manage/install_plan.hpp"
#include "winsvc/manage/installation.hpp"
#include "winsvc/manage/verb_context.hpp"
#include "winsvc/os/service_manager.hpp"
#include "winsvc/scm/account.hpp"
#include "winsvc/scm/config_levels.hpp"
#include "winsvc/scm/security.hpp"
#include "winsvc/scm/spec.hpp"
#include "winsvc/settings/settings_file.hpp"

// ---------------------------------------------------------------------------------------------------------------------

#if WINSVC_BODIES_MANAGE

namespace winsvc {
inline namespace WINSVC_ABI {
namespace detail::manage {

/// Rejects or warns of requests that have no effect or that prevent every start.
WINSVC_INLINE result<void> installer::check_request(const scm::install_request& request, const install_job& job) {
  if (job.desired.dependencies) {
    auto checked = check_dependencies(*job.desired.dependencies, request.depends_on ? "--depends" : "depends_on",
                                      job.operation);
    if (!checked) return checked;
  }
  scm::launch_options older;
  if (job.installation && job.installation->binary)
    older = commandline::launch_options_of(
        scm::quoted_binary(*job.installation->binary, context_.defaults().executable));
  for (const auto& name : request.launch.unset_settings) {
    const std::string normalized = settings::setting_name(name);
    const bool is_stored = (normalized == "host" && older.host) || (normalized == "port" && older.port) ||
                           std::any_of(older.settings.begin(), older.settings.end(), [&](const auto& stored) {
                             return settings::setting_name(stored.first) == normalized;
                           });
    if (!is_stored) context_.warn("--unset " + name + ": the installed service has no such value");
  }
  for (const auto& variable : request.environment) {
    if (variable.find('=') != variable.size() - 1) continue;
    const std::string name = variable.substr(0, variable.size() - 1);
    const auto installed = job.installation && job.installation->environment ? *job.installation->environment
                                                                             : std::vector<std::string>();
    const bool is_set = std::any_of(installed.begin(), installed.end(), [&name](const std::string& other) {
      return base::equal_nocase(other.substr(0, other.find('=', 1)), name);
    });
    if (!is_set) context_.warn("--env " + variable + ": the service has no variable '" + name + '\'');
  }
  warn_of_readable_secrets(request);
  return {};
}

/// The command line and the variables of a service are in its configuration, which each user can read.
WINSVC_INLINE void installer::warn_of_readable_secrets(const scm::install_request& request) {
  std::vector<std::string> options;
  for (const auto& [name, value] : request.launch.settings) {
    if (!value.empty() && base::names_secret(name)) options.push_back("--set " + name);
  }
  for (const auto& variable : request.environment) {
    const std::string name = variable.substr(0, variable.find('=', 1));
    if (name.size() + 1 < variable.size() && base::names_secret(name)) options.push_back("--env " + name);
  }
  if (options.empty()) return;
  context_.warn(base::join(options, ", ") + ": each user of this computer can read the value in the configuration of " +
                "the service; write the setting to the settings file");
}

/// `source`: the option or the function that specifies them.
WINSVC_INLINE result<void> installer::check_dependencies(const std::vector<std::string>& dependencies,
                                                         const std::string& source, const std::string& operation) {
  for (const auto& dependency : dependencies) {
    if (base::equal_nocase(dependency, context_.name()))
      return failure{base::usage_error(source + ": the service cannot depend on itself ('" + dependency + "')",
                                       "omit it")};
    if (dependency.empty() || dependency[0] == '+') continue;  // a group of services
    if (!context_.is_installed(dependency)) {
      context_.warn(source + ": '" + dependency + "' is not installed; the service cannot start without it");
      continue;
    }
    const auto cycle = dependency_cycle(context_.scm(), context_.name(), dependency);
    if (!cycle.empty()) {
      auto error = context_.make_error(operation, base::win32_error::circular_dependency);
      error.error.message += ": " + base::join(cycle, " -> ");
      return error;
    }
  }
  return {};
}

/// Changes the values that one ChangeServiceConfigW call sets, except the account.
WINSVC_INLINE result<void> installer::change_settings(install_job& job, verb_context::raw_handle service,
                                                      rollback& rollback) {
  auto& scm = context_.scm();
  os::service_config_change to, restore;
  if (job.plan.has(manage::config_item::startup)) {
    to.startup = job.desired.startup;
    restore.startup = job.installation->startup;
  }
  if (job.plan.has(manage::config_item::binary)) {
    to.binary = job.desired.binary;
    restore.binary = job.installation->binary;
  }
  if (job.plan.has(manage::config_item::display_name)) {
    to.display_name = job.desired.display_name;
    restore.display_name = job.installation->display_name;
  }
  if (!to.startup && !to.binary && !to.display_name && !job.plan.has(manage::config_item::dependencies)) return {};
  restore.dependencies = job.installation->dependencies;
  to.dependencies = job.desired.dependencies ? job.desired.dependencies : job.installation->dependencies;

  // Delayed start requires an automatic start: remove the delay before the start type changes, and set it afterwards.
  const bool was_delayed = to.startup && job.installation->startup == startup::delayed;
  if (was_delayed) {
    const scm::config_level off = scm::delayed_start{false}, on = scm::delayed_start{true};
    if (auto done = change_level(job, service, on, off, rollback); !done) return done;
  }
  rollback.prepare([&scm, service, restore] { static_cast<void>(scm.change_config(service, restore)); });
  if (auto changed = scm.change_config(service, to); !changed)
    return context_.make_error(job.operation, changed.error());
  rollback.completed();
  if (to.startup == startup::delayed) {
    const scm::config_level off = scm::delayed_start{false}, on = scm::delayed_start{true};
    if (auto done = change_level(job, service, off, on, rollback); !done) return done;
  }
  return {};
}

WINSVC_INLINE result<void> installer::change_account(const install_job& job, verb_context::raw_handle service,
                                                     rollback& rollback) {
  if (!job.plan.has(manage::config_item::account) && !job.plan.has(manage::config_item::password)) return {};
  auto& scm = context_.scm();
  os::service_config_change to, restore;
  to.account = job.desired.account->name;
  to.password = job.password;
  to.dependencies = job.desired.dependencies ? job.desired.dependencies : job.installation->dependencies;
  const bool can_restore = !job.installation->account->needs_password();
  if (can_restore) {
    restore.account = job.installation->account->name;
    restore.password = job.installation->account->fixed_password();
    restore.dependencies = to.dependencies;
    rollback.prepare([&scm, service, restore] { static_cast<void>(scm.change_config(service, restore)); });
  }
  if (auto changed = scm.change_config(service, to); !changed)
    return context_.make_error(job.operation, changed.error());
  if (can_restore) rollback.completed();
  return {};
}

WINSVC_INLINE result<void> installer::change_levels(install_job& job, verb_context::raw_handle service,
                                                    rollback& rollback) {
  for (const auto& [number, to] : job.desired.levels) {
    const auto from = job.installation ? manage::level_of(*job.installation, number) : std::nullopt;
    if (from && scm::format_config_level(*from) == scm::format_config_level(to)) continue;
    if (auto done = change_level(job, service, from, to, rollback); !done) return done;
  }
  return {};
}

WINSVC_INLINE result<void> installer::change_level(install_job& job, verb_context::raw_handle service,
                                                   const std::optional<scm::config_level>& from,
                                                   const scm::config_level& to, rollback& rollback) {
  auto& scm = context_.scm();
  const std::uint32_t number = scm::number(to);
  if (from) rollback.prepare([&scm, service, from] { static_cast<void>(scm.change_level(service, *from)); });
  if (auto done = scm.change_level(service, to); !done) {
    if (!manage::is_level_unsupported(done.error())) return context_.make_error("configure", done.error());
    std::string name = "delayed start";
    for (const auto& row : manage::config_level_table) {
      if (row.number != number) continue;
      name = row.name;
      job.plan.remove_item(row.item);
    }
    context_.warn_of_system("this system does not support the setting '" + name + "' (" +
                            std::to_string(done.error()) +
                            "): " + std::string(manage::consequence_of_missing(number)));
    return {};
  }
  if (from) rollback.completed();
  return {};
}

/// Changes the objects outside the SCM configuration: environment, event source, permissions of the service.
WINSVC_INLINE result<void> installer::change_related_objects(const install_job& job, verb_context::raw_handle service,
                                                             rollback& rollback) {
  auto& scm = context_.scm();
  if (job.plan.has(manage::config_item::environment)) {
    if (job.installation) {  // the environment of a new service is deleted with the service
      rollback.prepare([&scm, name = context_.name(), restore = *job.installation->environment] {
        static_cast<void>(scm.change_environment(name, restore));
      });
    }
    if (auto done = scm.change_environment(context_.name(), *job.desired.environment); !done)
      return context_.make_error("set the environment of", done.error());
    if (job.installation) rollback.completed();
  }
  if (job.plan.has(manage::config_item::control)) {
    const auto security = scm.query_security(service);
    if (!security) return context_.make_error("read the permissions of", security.error());
    std::string to = *security;
    for (const auto& [user, sid] : job.sids)
      to = scm::add_ace(to, scm::control_ace(sid), scm::secured_object::service);
    rollback.prepare([&scm, service, restore = *security] {
      static_cast<void>(scm.change_security(service, restore));
    });
    if (auto done = scm.change_security(service, to); !done)
      return context_.make_error("change the permissions of", done.error());
    rollback.completed();
  }
  // Also added to an existing service, which may have lost it; that is never rolled back.
  if (job.plan.creates_service) {
    rollback.prepare([&scm, name = context_.name()] { static_cast<void>(scm.remove_event_source(name)); });
    rollback.completed();  // also if the source was added in part
  }
  if (auto done = scm.add_event_source(context_.name()); !done)
    return context_.make_error("register the event source", done.error());
  return {};
}

/// Without this right the start fails with 1069, and the Services window does not show the reason.
WINSVC_INLINE result<void> installer::grant_logon_right(const install_job& job) {
  if (!job.plan.has(manage::config_item::logon_right)) return {};
  const std::string& name = (job.desired.account ? job.desired.account : job.installation->account)->name;
  const auto sid = context_.scm().account_sid(scm::lookup_name(name));
  if (!sid) return context_.make_error("find the account", name, sid.error());
  if (auto done = context_.scm().add_logon_right(*sid); !done)
    return context_.make_error("grant the right to log on as a service to", name, done.error());
  return {};
}

}  // namespace detail::manage
}  // inline namespace WINSVC_ABI
}  // namespace winsvc

#endif  // WINSVC_BODIES_MANAGE
