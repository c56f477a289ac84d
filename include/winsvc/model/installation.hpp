// What is installed, what is to be, and what lies between the two: values in, a list of changes out, which `--plan`
// shows and verbs/install.hpp carries out.
//
//   const auto wanted = wanted_installation(asked, spec, there ? &*there : nullptr, ours);
//   const install_plan plan = plan_install(there ? &*there : nullptr, *wanted);
//   plan_text("hello", plan);     // "'hello' is installed; these change:\n  startup       manual -> auto\n"
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
#include "winsvc/model/account.hpp"
#include "winsvc/model/command.hpp"
#include "winsvc/model/levels.hpp"
#include "winsvc/model/security.hpp"
#include "winsvc/model/spec.hpp"

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
  std::map<std::string, bool> may_control;  ///< by user, those who were asked about
  std::optional<bool> event_source;         ///< it is registered
  std::optional<bool> logon_right;          ///< its account's, where it needs it
  std::optional<bool> reads_program;        ///< the service its executable's folder
  std::optional<bool> modifies_data;        ///< and its data folder
  bool new_password = false;                ///< one must be asked for
};

/// What an install takes from the program and not from a person.
struct install_defaults {
  std::string executable;
  std::string program_folder;                     ///< the executable's
  std::string data_folder;                        ///< empty: there is none
  std::chrono::milliseconds preshutdown{25'000};  ///< its stop limit and a little
};

enum class item {
  startup, binary, display_name, account, password, dependencies, description, recovery, failure_flag, service_sid,
  privileges, preshutdown, environment, event_source, control, logon_right, program_folder, data_folder
};

/// The levels of `installation::levels`, as the plan shows them.
struct level_row {
  std::uint32_t number;
  item what;
  std::string_view name;
};
inline constexpr level_row level_rows[] = {
    {level::description, item::description, "description"},
    {level::failure_actions, item::recovery, "recovery"},
    {level::failure_flag, item::failure_flag, "on errors too"},
    {level::sid_type, item::service_sid, "service SID"},
    {level::required_privileges, item::privileges, "privileges"},
    {level::preshutdown, item::preshutdown, "preshutdown"},
};

struct change {
  item what;
  std::string name;  ///< as the plan shows it
  std::string from;  ///< empty in a service that is not there yet
  std::string to;
};

struct install_plan {
  bool creates = false;
  std::vector<change> changes;

  [[nodiscard]] bool has(item what) const noexcept {
    for (const auto& c : changes) {
      if (c.what == what) return true;
    }
    return false;
  }
  /// For what turned out not to be possible.
  void drop(item what) {
    changes.erase(std::remove_if(changes.begin(), changes.end(), [what](const change& c) { return c.what == what; }),
                  changes.end());
  }
};

/// `there`: null where nothing is installed. Fails where the account is none.
[[nodiscard]] result<installation> wanted_installation(const command& asked, const service_spec& spec,
                                                       const installation* there, const install_defaults& ours);
[[nodiscard]] install_plan plan_install(const installation* there, const installation& wanted,
                                        const install_defaults& ours);
[[nodiscard]] std::string plan_text(std::string_view service, const install_plan& plan);
/// The list alone, a line each, indented.
[[nodiscard]] std::string changes_text(const install_plan& plan);

/// One of them as what is wrong with the service that is there: `startup is manual, would be auto`.
[[nodiscard]] std::string drift_text(const change& c);

/// The account of a service that is there: any name that Windows gives.
[[nodiscard]] account known_account(std::string_view name, std::string_view service);

/// The environment with what is asked: NAME=value sets, NAME= takes out; names are case-blind.
[[nodiscard]] std::vector<std::string> merged_environment(std::vector<std::string> there,
                                                          const std::vector<std::string>& asked);

/// What goes without, where the system refuses a level that is optional: for a warning.
[[nodiscard]] std::string_view lost_without(std::uint32_t level) noexcept;
/// 120, 124 and 1733: the system does not know the level.
[[nodiscard]] constexpr bool is_unknown_level(std::uint32_t code) noexcept {
  return code == code::call_not_implemented || code == code::invalid_level || code == code::invalid_tag;
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

WINSVC_INLINE account known_account(std::string_view name, std::string_view service) {
  if (auto known = parse_account(name, service)) return *std::move(known);
  const bool another = text::starts_with_nocase(name, "NT SERVICE\\");
  return {another ? account_kind::virtual_account : account_kind::person, std::string(name)};
}

WINSVC_INLINE std::vector<std::string> merged_environment(std::vector<std::string> there,
                                                   const std::vector<std::string>& asked) {
  const auto name_of = [](const std::string& s) { return std::string_view(s).substr(0, s.find('=')); };
  for (const auto& one : asked) {
    const auto same = std::find_if(there.begin(), there.end(),
                                   [&](const std::string& s) { return text::equal_nocase(name_of(s), name_of(one)); });
    const bool out = one.size() == name_of(one).size() + 1;
    if (same == there.end()) {
      if (!out) there.push_back(one);
    } else if (out) {
      there.erase(same);
    } else {
      *same = one;
    }
  }
  return there;
}

WINSVC_INLINE std::string_view lost_without(std::uint32_t l) noexcept {
  switch (l) {
    case level::description:
      return "the Services window shows no description";
    case level::failure_actions:
      return "it is not started again after a failure";
    case level::delayed_start:
      return "it starts without delay";
    case level::failure_flag:
      return "it is started again after a crash alone, not after it stopped with an error";
    case level::sid_type:
      return "files cannot be opened to this service alone";
    case level::required_privileges:
      return "its process keeps every privilege of its account";
    case level::preshutdown:
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
WINSVC_INLINE std::optional<recovery_plan> wanted_recovery(const command& asked, const service_spec& spec,
                                                    const installation* there) {
  if (there && !asked.recovery && !asked.recovery_reset && !spec.recovery) return std::nullopt;
  const auto old = there ? level_of(*there, level::failure_actions) : std::nullopt;
  recovery_plan wanted = spec.recovery ? *spec.recovery : old ? std::get<recovery_plan>(*old) : default_recovery();
  if (asked.recovery) wanted.actions = *asked.recovery;
  if (asked.recovery_reset) wanted.reset = *asked.recovery_reset;
  for (auto& action : wanted.actions)
    action.delay = std::clamp(action.delay, std::chrono::milliseconds(0), longest_recovery_delay);
  return wanted;
}

WINSVC_INLINE result<installation> wanted_installation(const command& asked, const service_spec& spec,
                                                const installation* there, const install_defaults& ours) {
  installation wanted;
  const auto default_of = [there](auto value) { return there ? std::nullopt : std::optional(std::move(value)); };
  const auto first_of = [](const auto& a, const auto& b, auto otherwise) { return a ? a : b ? b : otherwise; };

  wanted.startup = first_of(asked.startup, spec.startup, default_of(startup::automatic));
  wanted.display_name = first_of(asked.display_name, spec.display_name, default_of(spec.name));
  wanted.dependencies = first_of(asked.depends_on, spec.depends_on, default_of(std::vector<std::string>()));
  const launch_options older = there && there->binary ? launch_options_in(*there->binary) : launch_options();
  const launch_options launch = asked.launch.over(older);
  wanted.binary = image_path(ours.executable, launch);

  const auto name = first_of(asked.username, spec.account, default_of(std::string("virtual")));
  if (name) {
    auto parsed = parse_account(*name, spec.name);
    if (!parsed) return failure{parsed.error()};
    wanted.account = *std::move(parsed);
  } else if (asked.password_stdin) {
    wanted.account = there->account;
  }
  if (wanted.account && wanted.account->needs_password()) {
    const bool same = there && there->account && text::equal_nocase(there->account->name, wanted.account->name);
    wanted.new_password = !same || asked.username || asked.password_stdin;
  }

  const auto description = first_of(asked.description, spec.description, std::optional<std::string>());
  const auto set = [&wanted](config_level l) { wanted.levels.insert_or_assign(number(l), std::move(l)); };
  if (description && (there || !description->empty())) set(description_text{*description});
  if (auto recovery = wanted_recovery(asked, spec, there)) set(*std::move(recovery));
  set(failure_flag{true});
  const auto old_type = there ? level_of(*there, level::sid_type) : std::nullopt;
  const bool stricter = old_type && std::get<sid_type>(*old_type).value == sid_type::restricted;  // an administrator's
  set(sid_type{stricter ? sid_type::restricted : sid_type::unrestricted});
  required_privileges privileges{{"SeChangeNotifyPrivilege"}};
  for (const auto& p : spec.privileges) {
    if (!text::equal_nocase(p, privileges.names[0])) privileges.names.push_back(p);
  }
  set(std::move(privileges));
  set(preshutdown_timeout{first_of(launch.preshutdown, spec.preshutdown, std::optional(ours.preshutdown)).value()});

  if (!asked.environment.empty()) {
    wanted.environment = merged_environment(
        there && there->environment ? *there->environment : std::vector<std::string>(), asked.environment);
  }
  for (const auto& user : asked.allow_control) wanted.may_control[user] = true;
  if (not_a_folder_of_ones_own(ours.program_folder).empty()) wanted.reads_program = true;
  if (!ours.data_folder.empty()) wanted.modifies_data = true;
  return wanted;
}

/// The names of variables; a value may be a secret. `new value` where one is another than before.
WINSVC_INLINE std::string variables_text(const std::vector<std::string>& all, const std::vector<std::string>& before) {
  const auto name_of = [](const std::string& s) { return std::string_view(s).substr(0, s.find('=', 1)); };
  std::vector<std::string> out;
  for (const auto& one : all) {
    const bool changed = std::any_of(before.begin(), before.end(), [&](const std::string& b) {
      return text::equal_nocase(name_of(b), name_of(one)) && b != one;
    });
    out.push_back(std::string(name_of(one)) + (changed ? " (new value)" : ""));
  }
  return out.empty() ? "none" : text::join(out, ", ");
}

WINSVC_INLINE install_plan plan_install(const installation* there, const installation& wanted, const install_defaults& ours) {
  install_plan plan;
  plan.creates = there == nullptr;
  const auto put = [&](item what, std::string name, const std::optional<std::string>& from,
                       const std::string& to) {
    if (there && from && *from == to) return;
    const auto word = [](const std::string& s) { return s.empty() ? "none" : s; };
    const std::string before = !there ? std::string() : from ? word(*from) : "unknown";
    plan.changes.push_back({what, std::move(name), before, word(to)});
  };
  const auto shown = [](const auto& field, auto text_of_it) {
    return field ? std::optional<std::string>(text_of_it(*field)) : std::nullopt;
  };
  const auto list = [](const std::vector<std::string>& l) {
    return l.empty() ? std::string("none") : text::join(l, ", ");
  };
  const auto same = [](const std::string& s) { return s; };
  const installation old = there ? *there : installation();

  if (wanted.startup) {
    const auto word = [](winsvc::startup s) { return std::string(winsvc::name(s)); };
    put(item::startup, "startup", shown(old.startup, word), word(*wanted.startup));
  }
  if (wanted.binary) put(item::binary, "binary", shown(old.binary, same), *wanted.binary);
  if (wanted.display_name) put(item::display_name, "display name", shown(old.display_name, same), *wanted.display_name);
  if (wanted.account && !(old.account && text::equal_nocase(old.account->name, wanted.account->name))) {
    put(item::account, "account", shown(old.account, [](const account& a) { return a.name; }), wanted.account->name);
  }
  if (wanted.new_password) put(item::password, "password", std::nullopt, "the one that is given");
  if (wanted.dependencies) {
    if (there || !wanted.dependencies->empty())
      put(item::dependencies, "depends on", shown(old.dependencies, list), list(*wanted.dependencies));
  }
  const auto level_text = [](const config_level& l) { return text_of(l); };  // there are other functions of that name
  for (const auto& row : level_rows) {
    if (const auto to = level_of(wanted, row.number))
      put(row.what, std::string(row.name), shown(level_of(old, row.number), level_text), level_text(*to));
  }
  if (wanted.environment && (there || !wanted.environment->empty()))
    put(item::environment, "environment", shown(old.environment, [&](const auto& all) { return variables_text(all, {}); }),
        variables_text(*wanted.environment, old.environment.value_or(std::vector<std::string>())));

  const auto right = [&put](item what, std::string name, std::optional<bool> has, const std::string& to) {
    if (!has.value_or(false)) put(what, std::move(name), has ? std::optional<std::string>("none") : std::nullopt, to);
  };
  // Whether these are there can be seen by whom it concerns, or it is no news.
  if (!there || old.event_source == false) right(item::event_source, "event source", false, "registered");
  for (const auto& [user, may] : wanted.may_control) {
    const auto has = old.may_control.find(user);
    right(item::control, "rights of " + user,
          has == old.may_control.end() ? std::nullopt : std::optional<bool>(has->second), "start and stop it");
  }
  const auto& account = wanted.account ? wanted.account : old.account;
  if (account && account->needs_logon_right()) {
    const bool other = plan.has(item::account) || wanted.new_password;
    if (other) put(item::logon_right, "log-on right", std::nullopt, "as a service");
    else if (old.logon_right == false) right(item::logon_right, "log-on right", false, "as a service");
  }
  if (wanted.reads_program) right(item::program_folder, "may read", old.reads_program, ours.program_folder);
  if (wanted.modifies_data) right(item::data_folder, "may modify", old.modifies_data, ours.data_folder);
  return plan;
}

WINSVC_INLINE std::string changes_text(const install_plan& plan) {
  std::string out;
  for (const auto& c : plan.changes) {
    out += "  " + padded(c.name, 14) + (c.from.empty() ? "" : c.from + " -> ") + c.to + '\n';
  }
  return out;
}

WINSVC_INLINE std::string plan_text(std::string_view service, const install_plan& plan) {
  const std::string quoted = '\'' + std::string(service) + '\'';
  if (plan.creates) return quoted + " is not installed; install creates it:\n" + changes_text(plan);
  if (plan.changes.empty()) return quoted + " is installed as it is asked for; nothing changes\n";
  return quoted + " is installed; these change:\n" + changes_text(plan);
}

WINSVC_INLINE std::string drift_text(const change& c) {
  switch (c.what) {
    case item::program_folder: return "the service has no right of its own to read " + c.to;
    case item::data_folder: return "the service has no right of its own to modify " + c.to;
    case item::logon_right: return "its account may not log on as a service";
    case item::event_source: return "its event source is not registered";
    default: return c.name + " is " + c.from + ", would be " + c.to;
  }
}

}  // namespace model
}  // inline namespace WINSVC_ABI
}  // namespace winsvc

#endif  // WINSVC_BODIES_MODEL
