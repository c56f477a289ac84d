// Installation: the configuration of a service, either the installed one or the desired one.
//
//   const auto desired = desired_installation(request, spec, installed, defaults);     // installed: may be null
//
// Sources of a desired value, strongest first: the install request, the app, the installed value, the default.
// manage/install_plan.hpp compares two installations, and manage/install.hpp changes the service; this header calls
// nothing.
#pragma once

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "winsvc/base/result.hpp"
#include "winsvc/base/text.hpp"
#include "winsvc/commandline/parse_command.hpp"
#include "winsvc/config/abi.hpp"
#include "winsvc/scm/account.hpp"
#include "winsvc/scm/config_levels.hpp"
#include "winsvc/scm/install_request.hpp"
#include "winsvc/scm/security.hpp"
#include "winsvc/scm/spec.hpp"

namespace winsvc {
inline namespace WINSVC_ABI {
namespace detail::manage {

/// Configuration of a service, as installed or as desired. An empty member is unknown in the installed configuration,
/// and stays unchanged in the desired one.
struct installation {
  std::optional<winsvc::startup> startup;
  std::optional<std::string> binary;
  std::optional<std::string> display_name;
  std::optional<scm::account> account;
  std::optional<std::vector<std::string>> dependencies;
  std::map<std::uint32_t, scm::config_level> levels;  ///< by number; without delayed_start, which `startup` includes
  std::optional<std::vector<std::string>> environment;
  std::map<std::string, bool> control_users;    ///< users of --allow-control: true if the user may control the service
  std::optional<bool> event_source;             ///< the event source is registered
  std::optional<bool> logon_right;              ///< the account has the right to log on as a service, if it needs it
  std::optional<bool> can_read_program_folder;  ///< the service SID may read the folder of the executable
  std::optional<bool> can_modify_data_folder;   ///< the service SID may modify the data folder
  bool new_password = false;                    ///< install must read a password
};

/// Values that come from the program, not from the request or the app.
struct install_defaults {
  std::string executable;
  std::string program_folder;                     ///< folder of the executable
  std::string data_folder;                        ///< empty: the service has no data folder
  std::chrono::milliseconds preshutdown{25'000};  ///< longer than the stop limit of the app
};

/// Returns the desired configuration. `installed`: null if the service is not installed. Fails with 1057 if the account
/// is invalid.
[[nodiscard]] result<installation> desired_installation(const scm::install_request& request,
                                                        const scm::service_spec& spec, const installation* installed,
                                                        const install_defaults& defaults);
/// Returns the account of an installed service. Accepts any name that Windows returns.
[[nodiscard]] scm::account parse_known_account(std::string_view name, std::string_view service);

/// Returns the environment with the requested changes: NAME=value sets a variable, NAME= removes it. Names are not
/// case-sensitive.
[[nodiscard]] std::vector<std::string> merged_environment(std::vector<std::string> existing,
                                                          const std::vector<std::string>& requested);

/// Returns a level of the installation, or nullopt.
[[nodiscard]] std::optional<scm::config_level> level_of(const installation& source, std::uint32_t number);

}  // namespace detail::manage
}  // inline namespace WINSVC_ABI
}  // namespace winsvc

// ---------------------------------------------------------------------------------------------------------------------

#if WINSVC_BODIES_MANAGE

namespace winsvc {
inline namespace WINSVC_ABI {
namespace detail::manage {

WINSVC_INLINE scm::account parse_known_account(std::string_view name, std::string_view service) {
  if (auto known = scm::parse_account(name, service)) return *std::move(known);
  const bool is_virtual = base::starts_with_nocase(name, "NT SERVICE\\");
  return {is_virtual ? scm::account_kind::virtual_account : scm::account_kind::user, std::string(name)};
}

WINSVC_INLINE std::vector<std::string> merged_environment(std::vector<std::string> existing,
                                                          const std::vector<std::string>& requested) {
  const auto name_of = [](const std::string& variable) {
    return std::string_view(variable).substr(0, variable.find('='));
  };
  for (const auto& variable : requested) {
    const auto found = std::find_if(existing.begin(), existing.end(), [&](const std::string& other) {
      return base::equal_nocase(name_of(other), name_of(variable));
    });
    const bool removes = variable.size() == name_of(variable).size() + 1;
    if (found == existing.end()) {
      if (!removes) existing.push_back(variable);
    } else if (removes) {
      existing.erase(found);
    } else {
      *found = variable;
    }
  }
  return existing;
}

WINSVC_INLINE std::optional<scm::config_level> level_of(const installation& source, std::uint32_t number) {
  const auto found = source.levels.find(number);
  return found == source.levels.end() ? std::nullopt : std::optional(found->second);
}

/// Returns the desired recovery; nullopt: it stays unchanged.
WINSVC_INLINE std::optional<scm::recovery_options> desired_recovery(const scm::install_request& request,
                                                                 const scm::service_spec& spec,
                                                                 const installation* installed) {
  if (installed && !request.recovery && !request.recovery_reset && !request.recovery_command &&
      !request.restart_limit && !spec.recovery) {
    return std::nullopt;
  }
  const auto old = installed ? level_of(*installed, scm::config_level_id::failure_actions) : std::nullopt;
  scm::recovery_options recovery = spec.recovery ? *spec.recovery
                                : old         ? std::get<scm::recovery_options>(*old)
                                              : scm::default_recovery();
  if (request.recovery) recovery.actions = *request.recovery;
  if (request.recovery_reset) recovery.reset = *request.recovery_reset;
  if (request.recovery_command) recovery.command = *request.recovery_command;
  if (request.restart_limit)
    recovery.actions = scm::limit_restarts(std::move(recovery.actions), *request.restart_limit);
  for (auto& action : recovery.actions)
    action.delay = std::clamp(action.delay, std::chrono::milliseconds(0), max_recovery_delay);
  return recovery;
}

WINSVC_INLINE result<installation> desired_installation(const scm::install_request& request,
                                                        const scm::service_spec& spec, const installation* installed,
                                                        const install_defaults& defaults) {
  installation desired;
  // An installed value is not replaced by a default.
  const auto default_of = [installed](auto value) {
    return installed ? std::nullopt : std::optional(std::move(value));
  };
  const auto first_of = [](const auto& first, const auto& second, auto third) {
    return first ? first : second ? second : third;
  };

  desired.startup = first_of(request.startup, spec.startup, default_of(startup::automatic));
  desired.display_name = first_of(request.display_name, spec.display_name, default_of(spec.name));
  desired.dependencies = first_of(request.depends_on, spec.depends_on, default_of(std::vector<std::string>()));
  scm::launch_options older;
  if (installed && installed->binary)
    older = commandline::launch_options_of(scm::quoted_binary(*installed->binary, defaults.executable));
  const scm::launch_options launch = request.launch.override_with(older);
  desired.binary = scm::image_path(defaults.executable, launch);

  const auto name = first_of(request.username, spec.account, default_of(std::string("virtual")));
  if (name) {
    auto parsed = scm::parse_account(*name, spec.name);
    if (!parsed) return failure{parsed.error()};
    desired.account = *std::move(parsed);
  } else if (request.reads_password) {
    desired.account = installed->account;
  }
  if (desired.account && desired.account->needs_password()) {
    const bool is_same = installed && installed->account &&
                         base::equal_nocase(installed->account->name, desired.account->name);
    desired.new_password = !is_same || request.username || request.reads_password;
  }

  const auto description = first_of(request.description, spec.description, std::optional<std::string>());
  const auto set = [&desired](scm::config_level l) { desired.levels.insert_or_assign(scm::number(l), std::move(l)); };
  if (description && (installed || !description->empty())) set(scm::description_text{*description});
  if (auto recovery = desired_recovery(request, spec, installed)) set(*std::move(recovery));
  set(scm::failure_flag{true});
  const auto old_type = installed ? level_of(*installed, scm::config_level_id::sid_type) : std::nullopt;
  // An administrator has set `restricted`: keep it.
  const bool has_restricted = old_type && std::get<scm::sid_type>(*old_type).value == scm::sid_type::restricted;
  set(scm::sid_type{has_restricted ? scm::sid_type::restricted : scm::sid_type::unrestricted});
  scm::required_privileges privileges{{"SeChangeNotifyPrivilege"}};
  for (const auto& privilege : spec.privileges) {
    if (!base::equal_nocase(privilege, privileges.names[0])) privileges.names.push_back(privilege);
  }
  set(std::move(privileges));
  set(scm::preshutdown_timeout{
      first_of(launch.preshutdown, spec.preshutdown, std::optional(defaults.preshutdown)).value()});

  if (!request.environment.empty()) {
    const bool is_known = installed && installed->environment;
    desired.environment = merged_environment(is_known ? *installed->environment : std::vector<std::string>(),
                                             request.environment);
  }
  for (const auto& user : request.allow_control) desired.control_users[user] = true;
  if (scm::shared_folder_reason(defaults.program_folder).empty()) desired.can_read_program_folder = true;
  if (!defaults.data_folder.empty()) desired.can_modify_data_folder = true;
  return desired;
}

}  // namespace detail::manage
}  // inline namespace WINSVC_ABI
}  // namespace winsvc

#endif  // WINSVC_BODIES_MANAGE
