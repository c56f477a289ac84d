// What is installed, what is to be, and what lies between the two: values in, a list of changes out, which `--plan`
// shows and manage/install.hpp carries out.
//
//   const auto wanted = desired_installation(asked, spec, there ? &*there : nullptr, ours);
//   const install_plan plan = plan_install(there ? &*there : nullptr, *wanted);
//   format_plan("hello", plan);     // "'hello' is installed; these change:\n  startup       manual -> auto\n"
//
// What counts, strongest first: what is asked on the command line, what the app says, what there is, the default.
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
#include "winsvc/config/abi.hpp"
#include "winsvc/scm/account.hpp"
#include "winsvc/commandline/command.hpp"
#include "winsvc/scm/config_levels.hpp"
#include "winsvc/scm/security.hpp"
#include "winsvc/scm/spec.hpp"

namespace winsvc {
inline namespace WINSVC_ABI {
namespace model {

/// All that an install sets. What is empty is unknown in what there is, and left alone in what is wanted.
struct installation {
  std::optional<winsvc::startup> startup;
  std::optional<std::string> binary;
  std::optional<std::string> display_name;
  std::optional<model::account> account;
  std::optional<std::vector<std::string>> dependencies;
  std::map<std::uint32_t, config_level> levels;  ///< by number; without delayed_start, which `startup` says
  std::optional<std::vector<std::string>> environment;
  std::map<std::string, bool> control_users;  ///< by user, those who were asked about
  std::optional<bool> event_source;         ///< it is registered
  std::optional<bool> logon_right;          ///< its account's, where it needs it
  std::optional<bool> can_read_program_folder;        ///< the service its executable's folder
  std::optional<bool> can_modify_data_folder;        ///< and its data folder
  bool new_password = false;                ///< one must be asked for
};

/// What an install takes from the program and not from a person.
struct install_defaults {
  std::string executable;
  std::string program_folder;                     ///< the executable's
  std::string data_folder;                        ///< empty: there is none
  std::chrono::milliseconds preshutdown{25'000};  ///< its stop limit and a little
};

enum class config_item {
  startup, binary, display_name, account, password, dependencies, description, recovery, failure_flag, service_sid,
  privileges, preshutdown, environment, event_source, control, logon_right, program_folder, data_folder
};

/// The levels of `installation::levels`, as the plan shows them.
struct config_level_info {
  std::uint32_t number;
  config_item item;
  std::string_view name;
};
inline constexpr config_level_info config_level_table[] = {
    {config_level_id::description, config_item::description, "description"},
    {config_level_id::failure_actions, config_item::recovery, "recovery"},
    {config_level_id::failure_flag, config_item::failure_flag, "on errors too"},
    {config_level_id::sid_type, config_item::service_sid, "service SID"},
    {config_level_id::required_privileges, config_item::privileges, "privileges"},
    {config_level_id::preshutdown, config_item::preshutdown, "preshutdown"},
};

struct config_change {
  config_item item;
  std::string name;  ///< as the plan shows it
  std::string from;  ///< empty in a service that is not there yet
  std::string to;
};

struct install_plan {
  bool creates_service = false;
  std::vector<config_change> changes;

  [[nodiscard]] bool has(config_item item) const noexcept {
    for (const auto& c : changes) {
      if (c.item == item) return true;
    }
    return false;
  }
  /// For what turned out not to be possible.
  void remove_item(config_item item) {
    changes.erase(std::remove_if(changes.begin(), changes.end(), [item](const config_change& c) { return c.item == item; }),
                  changes.end());
  }
};

/// `there`: null where nothing is installed. Fails where the account is none.
[[nodiscard]] result<installation> desired_installation(const command& command, const service_spec& spec,
                                                       const installation* installed, const install_defaults& defaults);
[[nodiscard]] install_plan plan_install(const installation* installed, const installation& desired,
                                        const install_defaults& defaults);
[[nodiscard]] std::string format_plan(std::string_view service, const install_plan& plan);
/// The list alone, a line each, indented.
[[nodiscard]] std::string format_changes(const install_plan& plan);

/// One of them as what is wrong with the service that is there: `startup is manual, would be auto`.
[[nodiscard]] std::string format_drift(const config_change& c);

/// The account of a service that is there: any name that Windows gives.
[[nodiscard]] account parse_known_account(std::string_view name, std::string_view service);

/// The environment with what is asked: NAME=value sets, NAME= takes out; names are case-blind.
[[nodiscard]] std::vector<std::string> merged_environment(std::vector<std::string> existing,
                                                          const std::vector<std::string>& requested);

/// What goes without, where the system refuses a level that is optional: for a warning.
[[nodiscard]] std::string_view consequence_of_missing(std::uint32_t level) noexcept;
/// 120, 124 and 1733: the system does not know the level.
[[nodiscard]] constexpr bool is_level_unreadable(std::uint32_t code) noexcept {
  return code == win32_error::call_not_implemented || code == win32_error::invalid_level || code == win32_error::invalid_tag;
}

[[nodiscard]] std::optional<config_level> level_of(const installation& i, std::uint32_t number);

}  // namespace model
}  // inline namespace WINSVC_ABI
}  // namespace winsvc

// ---------------------------------------------------------------------------------------------------------------------

#if WINSVC_BODIES_MODEL

namespace winsvc {
inline namespace WINSVC_ABI {
namespace model {

WINSVC_INLINE account parse_known_account(std::string_view name, std::string_view service) {
  if (auto known = parse_account(name, service)) return *std::move(known);
  const bool another = strings::starts_with_nocase(name, "NT SERVICE\\");
  return {another ? account_kind::virtual_account : account_kind::user, std::string(name)};
}

WINSVC_INLINE std::vector<std::string> merged_environment(std::vector<std::string> existing,
                                                   const std::vector<std::string>& requested) {
  const auto name_of = [](const std::string& s) { return std::string_view(s).substr(0, s.find('=')); };
  for (const auto& one : requested) {
    const auto same = std::find_if(existing.begin(), existing.end(),
                                   [&](const std::string& s) { return strings::equal_nocase(name_of(s), name_of(one)); });
    const bool out = one.size() == name_of(one).size() + 1;
    if (same == existing.end()) {
      if (!out) existing.push_back(one);
    } else if (out) {
      existing.erase(same);
    } else {
      *same = one;
    }
  }
  return existing;
}

WINSVC_INLINE std::string_view consequence_of_missing(std::uint32_t l) noexcept {
  switch (l) {
    case config_level_id::description:
      return "the Services window shows no description";
    case config_level_id::failure_actions:
      return "it is not started again after a failure";
    case config_level_id::delayed_start:
      return "it starts without delay";
    case config_level_id::failure_flag:
      return "it is started again after a crash alone, not after it stopped with an error";
    case config_level_id::sid_type:
      return "files cannot be opened to this service alone";
    case config_level_id::required_privileges:
      return "its process keeps every privilege of its account";
    case config_level_id::preshutdown:
      return "the system's own time-out counts when the machine shuts down";
    default:
      return {};
  }
}

WINSVC_INLINE std::optional<config_level> level_of(const installation& i, std::uint32_t number) {
  const auto found = i.levels.find(number);
  return found == i.levels.end() ? std::nullopt : std::optional(found->second);
}

/// What follows a failure; nothing: leave it as it is.
WINSVC_INLINE std::optional<recovery_plan> desired_recovery(const command& command, const service_spec& spec,
                                                    const installation* installed) {
  if (installed && !command.recovery && !command.recovery_reset && !spec.recovery) return std::nullopt;
  const auto old = installed ? level_of(*installed, config_level_id::failure_actions) : std::nullopt;
  recovery_plan expected = spec.recovery ? *spec.recovery : old ? std::get<recovery_plan>(*old) : default_recovery();
  if (command.recovery) expected.actions = *command.recovery;
  if (command.recovery_reset) expected.reset = *command.recovery_reset;
  for (auto& action : expected.actions)
    action.delay = std::clamp(action.delay, std::chrono::milliseconds(0), longest_recovery_delay);
  return expected;
}

WINSVC_INLINE result<installation> desired_installation(const command& command, const service_spec& spec,
                                                const installation* installed, const install_defaults& defaults) {
  installation desired;
  const auto default_of = [installed](auto value) { return installed ? std::nullopt : std::optional(std::move(value)); };
  const auto first_of = [](const auto& a, const auto& b, auto otherwise) { return a ? a : b ? b : otherwise; };

  desired.startup = first_of(command.startup, spec.startup, default_of(startup::automatic));
  desired.display_name = first_of(command.display_name, spec.display_name, default_of(spec.name));
  desired.dependencies = first_of(command.depends_on, spec.depends_on, default_of(std::vector<std::string>()));
  const launch_options older = installed && installed->binary ? launch_options_of(*installed->binary) : launch_options();
  const launch_options launch = command.launch.override_with(older);
  desired.binary = image_path(defaults.executable, launch);

  const auto name = first_of(command.username, spec.account, default_of(std::string("virtual")));
  if (name) {
    auto parsed = parse_account(*name, spec.name);
    if (!parsed) return failure{parsed.error()};
    desired.account = *std::move(parsed);
  } else if (command.password_stdin) {
    desired.account = installed->account;
  }
  if (desired.account && desired.account->needs_password()) {
    const bool same = installed && installed->account && strings::equal_nocase(installed->account->name, desired.account->name);
    desired.new_password = !same || command.username || command.password_stdin;
  }

  const auto description = first_of(command.description, spec.description, std::optional<std::string>());
  const auto set = [&desired](config_level l) { desired.levels.insert_or_assign(number(l), std::move(l)); };
  if (description && (installed || !description->empty())) set(description_text{*description});
  if (auto recovery = desired_recovery(command, spec, installed)) set(*std::move(recovery));
  set(failure_flag{true});
  const auto old_type = installed ? level_of(*installed, config_level_id::sid_type) : std::nullopt;
  const bool stricter = old_type && std::get<sid_type>(*old_type).value == sid_type::restricted;  // an administrator's
  set(sid_type{stricter ? sid_type::restricted : sid_type::unrestricted});
  required_privileges privileges{{"SeChangeNotifyPrivilege"}};
  for (const auto& p : spec.privileges) {
    if (!strings::equal_nocase(p, privileges.names[0])) privileges.names.push_back(p);
  }
  set(std::move(privileges));
  set(preshutdown_timeout{first_of(launch.preshutdown, spec.preshutdown, std::optional(defaults.preshutdown)).value()});

  if (!command.environment.empty()) {
    desired.environment = merged_environment(
        installed && installed->environment ? *installed->environment : std::vector<std::string>(), command.environment);
  }
  for (const auto& user : command.allow_control) desired.control_users[user] = true;
  if (shared_folder_reason(defaults.program_folder).empty()) desired.can_read_program_folder = true;
  if (!defaults.data_folder.empty()) desired.can_modify_data_folder = true;
  return desired;
}

/// The names of variables; a value may be a secret. `new value` where one is another than before.
WINSVC_INLINE std::string format_variables(const std::vector<std::string>& items, const std::vector<std::string>& before) {
  const auto name_of = [](const std::string& s) { return std::string_view(s).substr(0, s.find('=', 1)); };
  std::vector<std::string> out;
  for (const auto& one : items) {
    const bool changed = std::any_of(before.begin(), before.end(), [&](const std::string& b) {
      return strings::equal_nocase(name_of(b), name_of(one)) && b != one;
    });
    out.push_back(std::string(name_of(one)) + (changed ? " (new value)" : ""));
  }
  return out.empty() ? "none" : strings::join(out, ", ");
}

WINSVC_INLINE install_plan plan_install(const installation* installed, const installation& desired, const install_defaults& defaults) {
  install_plan plan;
  plan.creates_service = installed == nullptr;
  const auto put = [&](config_item item, std::string name, const std::optional<std::string>& from,
                       const std::string& to) {
    if (installed && from && *from == to) return;
    const auto word = [](const std::string& s) { return s.empty() ? "none" : s; };
    const std::string before = !installed ? std::string() : from ? word(*from) : "unknown";
    plan.changes.push_back({item, std::move(name), before, word(to)});
  };
  const auto shown = [](const auto& field, auto text_of_it) {
    return field ? std::optional<std::string>(text_of_it(*field)) : std::nullopt;
  };
  const auto list = [](const std::vector<std::string>& l) {
    return l.empty() ? std::string("none") : strings::join(l, ", ");
  };
  const auto same = [](const std::string& s) { return s; };
  const installation old = installed ? *installed : installation();

  if (desired.startup) {
    const auto word = [](winsvc::startup s) { return std::string(winsvc::name(s)); };
    put(config_item::startup, "startup", shown(old.startup, word), word(*desired.startup));
  }
  if (desired.binary) put(config_item::binary, "binary", shown(old.binary, same), *desired.binary);
  if (desired.display_name) put(config_item::display_name, "display name", shown(old.display_name, same), *desired.display_name);
  if (desired.account && !(old.account && strings::equal_nocase(old.account->name, desired.account->name))) {
    put(config_item::account, "account", shown(old.account, [](const account& a) { return a.name; }), desired.account->name);
  }
  if (desired.new_password) put(config_item::password, "password", std::nullopt, "the one that is given");
  if (desired.dependencies) {
    if (installed || !desired.dependencies->empty())
      put(config_item::dependencies, "depends on", shown(old.dependencies, list), list(*desired.dependencies));
  }
  const auto level_text = [](const config_level& l) { return format_config_level(l); };  // there are other functions of that name
  for (const auto& row : config_level_table) {
    if (const auto to = level_of(desired, row.number))
      put(row.item, std::string(row.name), shown(level_of(old, row.number), level_text), level_text(*to));
  }
  if (desired.environment && (installed || !desired.environment->empty()))
    put(config_item::environment, "environment", shown(old.environment, [&](const auto& all) { return format_variables(all, {}); }),
        format_variables(*desired.environment, old.environment.value_or(std::vector<std::string>())));

  const auto right = [&put](config_item item, std::string name, std::optional<bool> has, const std::string& to) {
    if (!has.value_or(false)) put(item, std::move(name), has ? std::optional<std::string>("none") : std::nullopt, to);
  };
  // Whether these are there can be seen by whom it concerns, or it is no news.
  if (!installed || old.event_source == false) right(config_item::event_source, "event source", false, "registered");
  for (const auto& [user, may] : desired.control_users) {
    const auto has = old.control_users.find(user);
    right(config_item::control, "rights of " + user,
          has == old.control_users.end() ? std::nullopt : std::optional<bool>(has->second), "start and stop it");
  }
  const auto& account = desired.account ? desired.account : old.account;
  if (account && account->needs_logon_right()) {
    const bool other = plan.has(config_item::account) || desired.new_password;
    if (other) put(config_item::logon_right, "log-on right", std::nullopt, "as a service");
    else if (old.logon_right == false) right(config_item::logon_right, "log-on right", false, "as a service");
  }
  if (desired.can_read_program_folder) right(config_item::program_folder, "may read", old.can_read_program_folder, defaults.program_folder);
  if (desired.can_modify_data_folder) right(config_item::data_folder, "may modify", old.can_modify_data_folder, defaults.data_folder);
  return plan;
}

WINSVC_INLINE std::string format_changes(const install_plan& plan) {
  std::string out;
  for (const auto& c : plan.changes) {
    out += "  " + pad_right(c.name, 14) + (c.from.empty() ? "" : c.from + " -> ") + c.to + '\n';
  }
  return out;
}

WINSVC_INLINE std::string format_plan(std::string_view service, const install_plan& plan) {
  const std::string quoted = '\'' + std::string(service) + '\'';
  if (plan.creates_service) return quoted + " is not installed; install creates it:\n" + format_changes(plan);
  if (plan.changes.empty()) return quoted + " is installed as it is asked for; nothing changes\n";
  return quoted + " is installed; these change:\n" + format_changes(plan);
}

WINSVC_INLINE std::string format_drift(const config_change& c) {
  switch (c.item) {
    case config_item::program_folder: return "the service has no right of its own to read " + c.to;
    case config_item::data_folder: return "the service has no right of its own to modify " + c.to;
    case config_item::logon_right: return "its account may not log on as a service";
    case config_item::event_source: return "its event source is not registered";
    default: return c.name + " is " + c.from + ", would be " + c.to;
  }
}

}  // namespace model
}  // inline namespace WINSVC_ABI
}  // namespace winsvc

#endif  // WINSVC_BODIES_MODEL
