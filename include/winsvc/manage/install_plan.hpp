// Install plan: the changes between the installed and the desired configuration of a service, and their texts.
//
//   const install_plan plan = plan_install(installed, desired, defaults);     // installed: may be null
//   format_plan("hello", plan);     // "'hello' is installed; these values change:\n  startup       manual -> auto\n"
//
// `--plan` shows the plan, and manage/install.hpp executes it; this header calls nothing.
#pragma once

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "winsvc/base/duration.hpp"
#include "winsvc/base/error_codes.hpp"
#include "winsvc/base/json_writer.hpp"
#include "winsvc/base/text.hpp"
#include "winsvc/config/abi.hpp"
#include "winsvc/manage/installation.hpp"
#include "winsvc/scm/account.hpp"
#include "winsvc/scm/config_levels.hpp"
#include "winsvc/scm/spec.hpp"

namespace winsvc {
inline namespace WINSVC_ABI {
namespace detail::manage {

/// Parts of an installation that a plan can change.
enum class config_item {
  startup, binary, display_name, account, password, dependencies, description, recovery, failure_flag, service_sid,
  privileges, preshutdown, environment, event_source, control, logon_right, program_folder, data_folder
};

/// A level of `installation::levels` with the name that the plan shows.
struct config_level_info {
  std::uint32_t number;
  config_item item;
  std::string_view name;
};
inline constexpr config_level_info config_level_table[] = {
    {scm::config_level_id::description, config_item::description, "description"},
    {scm::config_level_id::failure_actions, config_item::recovery, "recovery"},
    {scm::config_level_id::failure_flag, config_item::failure_flag, "failure flag"},
    {scm::config_level_id::sid_type, config_item::service_sid, "service SID"},
    {scm::config_level_id::required_privileges, config_item::privileges, "privileges"},
    {scm::config_level_id::preshutdown, config_item::preshutdown, "preshutdown"},
};

/// One change of a plan.
struct config_change {
  config_item item;
  std::string name;  ///< name that the plan shows
  std::string from;  ///< installed value; empty if the service is not installed
  std::string to;    ///< desired value
};

/// Changes between the installed and the desired configuration.
struct install_plan {
  bool creates_service = false;
  std::vector<config_change> changes;

  [[nodiscard]] bool has(config_item item) const noexcept {
    for (const auto& c : changes) {
      if (c.item == item) return true;
    }
    return false;
  }
  /// Removes a change that turned out to be impossible.
  void remove_item(config_item item) {
    const auto is_item = [item](const config_change& c) { return c.item == item; };
    changes.erase(std::remove_if(changes.begin(), changes.end(), is_item), changes.end());
  }
};

/// Returns the changes. `installed`: null if the service is not installed.
[[nodiscard]] install_plan plan_install(const installation* installed, const installation& desired,
                                        const install_defaults& defaults);
/// Returns the text of `--plan`: a heading and the changes.
[[nodiscard]] std::string format_plan(std::string_view service, const install_plan& plan);
/// Returns the plan as a JSON object: name, creates, changes (name, from, to).
[[nodiscard]] std::string plan_json(std::string_view service, const install_plan& plan);
/// Returns the changes, one indented line for each.
[[nodiscard]] std::string format_changes(const install_plan& plan);

/// Returns the names of the variables, without the values, which may be secret. A name whose value differs from
/// `before` is marked `(new value)`.
[[nodiscard]] std::string format_variables(const std::vector<std::string>& variables,
                                           const std::vector<std::string>& before);

/// Returns a change as a description of drift: `startup is manual, expected auto`.
[[nodiscard]] std::string format_drift(const config_change& c);

/// Returns the consequence, for a warning, if the system does not support a level; empty for an unknown number.
[[nodiscard]] std::string_view consequence_of_missing(std::uint32_t level) noexcept;
/// True for the error codes of a level that the system does not support: 120, 124 and 1733.
[[nodiscard]] constexpr bool is_level_unsupported(std::uint32_t code) noexcept {
  return code == base::win32_error::call_not_implemented || code == base::win32_error::invalid_level ||
         code == base::win32_error::invalid_tag;
}

}  // namespace detail::manage
}  // inline namespace WINSVC_ABI
}  // namespace winsvc

// ---------------------------------------------------------------------------------------------------------------------

#if WINSVC_BODIES_MANAGE

namespace winsvc {
inline namespace WINSVC_ABI {
namespace detail::manage {

WINSVC_INLINE std::string_view consequence_of_missing(std::uint32_t level) noexcept {
  switch (level) {
    case scm::config_level_id::description:
      return "the Services window shows no description";
    case scm::config_level_id::failure_actions:
      return "it is not restarted after a failure";
    case scm::config_level_id::delayed_start:
      return "it starts without delay";
    case scm::config_level_id::failure_flag:
      return "it is restarted only after a crash, not after a stop with an error code";
    case scm::config_level_id::sid_type:
      return "access to files cannot be granted to this service alone";
    case scm::config_level_id::required_privileges:
      return "its process keeps all privileges of its account";
    case scm::config_level_id::preshutdown:
      return "at shutdown, the default time limit of Windows applies";
    default:
      return {};
  }
}

WINSVC_INLINE std::string format_variables(const std::vector<std::string>& variables,
                                           const std::vector<std::string>& before) {
  const auto name_of = [](const std::string& variable) {
    return std::string_view(variable).substr(0, variable.find('=', 1));
  };
  std::vector<std::string> names;
  for (const auto& variable : variables) {
    const bool is_changed = std::any_of(before.begin(), before.end(), [&](const std::string& other) {
      return base::equal_nocase(name_of(other), name_of(variable)) && other != variable;
    });
    names.push_back(std::string(name_of(variable)) + (is_changed ? " (new value)" : ""));
  }
  return names.empty() ? "none" : base::join(names, ", ");
}

WINSVC_INLINE install_plan plan_install(const installation* installed, const installation& desired,
                                        const install_defaults& defaults) {
  install_plan plan;
  plan.creates_service = installed == nullptr;
  // Adds a change unless the values are equal. `from`: nullopt if the installed value is unknown.
  const auto add = [&](config_item item, std::string name, const std::optional<std::string>& from,
                       const std::string& to) {
    if (installed && from && *from == to) return;
    const auto shown = [item](const std::string& value) {
      return value.empty() ? "none" : item == config_item::binary ? scm::shown_binary(value) : value;
    };
    const std::string before = !installed ? std::string() : from ? shown(*from) : "unknown";
    plan.changes.push_back({item, std::move(name), before, shown(to)});
  };
  const auto format = [](const auto& field, auto to_text) {
    return field ? std::optional<std::string>(to_text(*field)) : std::nullopt;
  };
  const auto list_text = [](const std::vector<std::string>& items) {
    return items.empty() ? std::string("none") : base::join(items, ", ");
  };
  const auto plain_text = [](const std::string& value) { return value; };
  const installation old = installed ? *installed : installation();

  if (desired.startup) {
    const auto startup_text = [](winsvc::startup s) { return std::string(winsvc::name(s)); };
    add(config_item::startup, "startup", format(old.startup, startup_text), startup_text(*desired.startup));
  }
  if (desired.binary) add(config_item::binary, "binary", format(old.binary, plain_text), *desired.binary);
  if (desired.display_name)
    add(config_item::display_name, "display name", format(old.display_name, plain_text), *desired.display_name);
  if (desired.account && !(old.account && base::equal_nocase(old.account->name, desired.account->name))) {
    const auto account_text = [](const scm::account& a) { return a.name; };
    add(config_item::account, "account", format(old.account, account_text), desired.account->name);
  }
  if (desired.new_password) add(config_item::password, "password", std::nullopt, "the given password");
  if (desired.dependencies) {
    if (installed || !desired.dependencies->empty())
      add(config_item::dependencies, "depends on", format(old.dependencies, list_text),
          list_text(*desired.dependencies));
  }
  const auto level_text = [](const scm::config_level& level) { return scm::format_config_level(level); };
  for (const auto& row : config_level_table) {
    if (const auto to = level_of(desired, row.number))
      add(row.item, std::string(row.name), format(level_of(old, row.number), level_text), level_text(*to));
  }
  if (desired.environment && (installed || !desired.environment->empty())) {
    const auto names = [](const std::vector<std::string>& variables) { return format_variables(variables, {}); };
    add(config_item::environment, "environment", format(old.environment, names),
        format_variables(*desired.environment, old.environment.value_or(std::vector<std::string>())));
  }

  const auto add_right = [&add](config_item item, std::string name, std::optional<bool> has_right,
                                const std::string& to) {
    if (has_right.value_or(false)) return;
    add(item, std::move(name), has_right ? std::optional<std::string>("none") : std::nullopt, to);
  };
  // An unknown event source or log-on right is not a change: a process that may change them can also read them.
  if (!installed || old.event_source == false)
    add_right(config_item::event_source, "event source", false, "registered");
  for (const auto& [user, has_control] : desired.control_users) {
    const auto found = old.control_users.find(user);
    add_right(config_item::control, "rights of " + user,
              found == old.control_users.end() ? std::nullopt : std::optional<bool>(found->second),
              "start and stop the service");
  }
  const auto& account = desired.account ? desired.account : old.account;
  if (account && account->needs_logon_right()) {
    const bool is_new = plan.has(config_item::account) || desired.new_password;
    if (is_new) add(config_item::logon_right, "log-on right", std::nullopt, "as a service");
    else if (old.logon_right == false) add_right(config_item::logon_right, "log-on right", false, "as a service");
  }
  if (desired.can_read_program_folder)
    add_right(config_item::program_folder, "read access", old.can_read_program_folder, defaults.program_folder);
  if (desired.can_modify_data_folder)
    add_right(config_item::data_folder, "modify access", old.can_modify_data_folder, defaults.data_folder);
  return plan;
}

WINSVC_INLINE std::string format_changes(const install_plan& plan) {
  std::string out;
  for (const auto& c : plan.changes) {
    out += "  " + base::pad_right(c.name, 14) + (c.from.empty() ? "" : c.from + " -> ") + c.to + '\n';
  }
  return out;
}

WINSVC_INLINE std::string format_plan(std::string_view service, const install_plan& plan) {
  const std::string quoted = '\'' + std::string(service) + '\'';
  if (plan.creates_service) return quoted + " is not installed; install creates it:\n" + format_changes(plan);
  if (plan.changes.empty()) return quoted + " is installed as requested; nothing changes\n";
  return quoted + " is installed; these values change:\n" + format_changes(plan);
}

WINSVC_INLINE std::string plan_json(std::string_view service, const install_plan& plan) {
  const auto change_json = [](const config_change& c) {
    return base::json_object_writer().put_text("name", c.name).put_text("from", c.from).put_text("to", c.to).text();
  };
  base::json_object_writer out;
  out.put_text("name", service).put("creates", plan.creates_service ? "true" : "false");
  return out.put("changes", base::json_array(plan.changes, change_json, ",\n ")).text() + '\n';
}

WINSVC_INLINE std::string format_drift(const config_change& c) {
  switch (c.item) {
    case config_item::program_folder: return "the service SID has no right to read " + c.to;
    case config_item::data_folder: return "the service SID has no right to modify " + c.to;
    case config_item::logon_right: return "its account has no right to log on as a service";
    case config_item::event_source: return "its event source is not registered";
    default: return c.name + " is " + c.from + ", expected " + c.to;
  }
}

}  // namespace detail::manage
}  // inline namespace WINSVC_ABI
}  // namespace winsvc

#endif  // WINSVC_BODIES_MANAGE
