// `show` verb: prints the installed configuration of the service as text, as JSON or as an install command. Also prints
// the list of all services of the program (`status --all`).
//
//   show(context, options);
//   //   startup       auto
//   //   account       NT SERVICE\\hello
#pragma once

#include <algorithm>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "winsvc/base/json_writer.hpp"
#include "winsvc/base/quote.hpp"
#include "winsvc/base/result.hpp"
#include "winsvc/base/text.hpp"
#include "winsvc/config/abi.hpp"
#include "winsvc/commandline/parse_command.hpp"
#include "winsvc/manage/install_plan.hpp"
#include "winsvc/manage/installation.hpp"
#include "winsvc/manage/query_installed.hpp"
#include "winsvc/manage/verb_context.hpp"

namespace winsvc {
inline namespace WINSVC_ABI {
namespace detail::manage {

/// Returns the installed configuration as `show` prints it. Fails with 1060 if the service is not installed.
[[nodiscard]] result<std::string> show(verb_context& context, const commandline::report_options& options);

/// Values of an installation by the name that `show` prints; unknown values are omitted. Environment variables appear
/// without their values, which may be secret.
[[nodiscard]] std::vector<std::pair<std::string, std::string>> installed_values(const installation& installed);
/// Returns the command that installs the same, with the values of the environment variables. A value with the
/// name of a secret (base::names_secret) is shown as stars, and the name is added to `hidden`.
[[nodiscard]] std::string install_command(const installation& installed, const std::string& executable,
                                          std::vector<std::string>* hidden = nullptr);

/// A service that runs this program.
struct instance_row {
  std::string name;
  scm::state state = scm::state::stopped;
  std::uint32_t pid = 0;
  winsvc::startup startup = winsvc::startup::automatic;
  std::string binary;
};
/// Returns all services whose command line has this executable.
[[nodiscard]] result<std::vector<instance_row>> find_instances(verb_context& context);
/// One line for each service: name, state, process ID, start type.
[[nodiscard]] std::string instances_text(const std::vector<instance_row>& rows);
[[nodiscard]] std::string instances_json(const std::vector<instance_row>& rows);

}  // namespace detail::manage
}  // inline namespace WINSVC_ABI
}  // namespace winsvc

// ---------------------------------------------------------------------------------------------------------------------

#if WINSVC_BODIES_MANAGE

namespace winsvc {
inline namespace WINSVC_ABI {
namespace detail::manage {

WINSVC_INLINE std::vector<std::pair<std::string, std::string>> installed_values(const installation& installed) {
  std::vector<std::pair<std::string, std::string>> out;
  const auto add = [&out](std::string name, const std::string& value) {
    out.emplace_back(std::move(name), value.empty() ? "none" : value);
  };
  const auto right = [](bool has) { return std::string(has ? "yes" : "no"); };
  if (installed.startup) add("startup", std::string(name(*installed.startup)));
  if (installed.binary) add("binary", scm::shown_binary(*installed.binary));
  if (installed.display_name) add("display name", *installed.display_name);
  if (installed.account) add("account", installed.account->name);
  if (installed.dependencies) add("depends on", base::join(*installed.dependencies, ", "));
  for (const auto& row : config_level_table) {
    if (const auto level = level_of(installed, row.number))
      add(std::string(row.name), scm::format_config_level(*level));
  }
  std::vector<std::string> users;
  for (const auto& user : installed.control_users) users.push_back(user.first);
  if (!users.empty()) add("controlled by", base::join(users, ", "));
  if (installed.environment) add("environment", format_variables(*installed.environment, {}));
  if (installed.event_source) add("event source", *installed.event_source ? "registered" : "");
  if (installed.logon_right) add("log-on right", right(*installed.logon_right));
  if (installed.can_read_program_folder) add("read access", right(*installed.can_read_program_folder));
  if (installed.can_modify_data_folder) add("modify access", right(*installed.can_modify_data_folder));
  return out;
}

WINSVC_INLINE std::string install_command(const installation& installed, const std::string& executable,
                                          std::vector<std::string>* hidden) {
  std::vector<std::string> arguments{"install"};
  const auto add = [&arguments](const char* option, const std::string& value) {
    arguments.insert(arguments.end(), {option, value});
  };
  const auto level = [&installed](std::uint32_t number) { return level_of(installed, number); };
  scm::launch_options launch;
  if (installed.binary) launch = commandline::launch_options_of(scm::quoted_binary(*installed.binary, executable));
  if (launch.instance) add("--instance", *launch.instance);
  if (installed.startup) add("--startup", std::string(name(*installed.startup)));
  if (installed.display_name) add("--display-name", *installed.display_name);
  if (const auto text = level(scm::config_level_id::description))
    add("--description", std::get<scm::description_text>(*text).text);
  if (installed.account) add("--username", installed.account->name);
  if (installed.dependencies) add("--depends", base::join(*installed.dependencies, ","));
  if (const auto recovery = level(scm::config_level_id::failure_actions)) {
    const auto& options = std::get<scm::recovery_options>(*recovery);
    add("--recovery", scm::recovery_text(options.actions));
    add("--recovery-reset", base::exact_duration(options.reset));
    if (!options.command.empty()) add("--recovery-command", options.command);
  }
  if (launch.preshutdown) add("--preshutdown", base::exact_duration(*launch.preshutdown));
  if (launch.priority) add("--priority", std::string(name(*launch.priority)));
  if (launch.host) add("--host", *launch.host);
  if (launch.port) add("--port", std::to_string(*launch.port));
  if (launch.config) add("--config", *launch.config);
  const auto add_assignment = [&](const char* option, const std::string& name, const std::string& value) {
    const bool is_hidden = base::names_secret(name) && !value.empty();
    if (is_hidden && hidden) hidden->push_back(name);
    add(option, name + '=' + (is_hidden ? std::string(base::secret_stars) : value));
  };
  for (const auto& [setting, value] : launch.settings) add_assignment("--set", setting, value);
  for (const auto& variable : installed.environment.value_or(std::vector<std::string>())) {
    const std::string name = variable.substr(0, variable.find('='));
    add_assignment("--env", name, variable.substr((std::min)(name.size() + 1, variable.size())));
  }
  for (const auto& [user, is_granted] : installed.control_users) {
    if (is_granted) add("--allow-control", user);
  }
  return base::command_line(executable, arguments);
}

WINSVC_INLINE result<std::string> show(verb_context& context, const commandline::report_options& options) {
  auto found = query_installed(context, {}, "show");
  if (!found) return failure{found.error()};
  if (!found->installation) return context.make_error("show", base::win32_error::service_does_not_exist);
  installation& installed = *found->installation;
  if (auto variables = context.scm().query_environment(context.name())) installed.environment = *std::move(variables);
  // Wine stores dependencies and does not return them, so an empty list is unknown there.
  if (context.is_wine() && installed.dependencies && installed.dependencies->empty()) installed.dependencies.reset();
  os::sys_result<std::string> security = os::sys_failure(base::win32_error::access_denied);
  if (const auto service = context.open("show", os::access_rights::read_security))
    security = context.scm().query_security(service->get());
  for (const auto& sid : scm::control_sids(security ? *security : std::string())) {
    const auto name = context.scm().account_name(sid);
    installed.control_users[name ? *name : sid] = true;
  }
  if (options.as_command) {
    std::vector<std::string> hidden;
    const std::string command = install_command(installed, context.defaults().executable, &hidden);
    if (!hidden.empty())
      context.warn("the command has stars in place of secret values; replace them: " + base::join(hidden, ", "));
    return command + '\n';
  }
  auto values = installed_values(installed);
  if (security) {
    const bool is_empty = scm::split_entries(*security).empty();
    if (is_empty && !context.is_wine()) values.emplace_back("rights", "no account (" + *security + ')');
    else if (!is_empty) values.emplace_back("rights", *security);
  }
  if (options.json) {
    base::json_object_writer out;
    out.put_text("name", context.name());
    for (const auto& [name, value] : values) {
      std::string key = name;
      for (char& c : key) c = c == ' ' || c == '-' ? '_' : c;
      out.put_text(base::to_lower(key), value);
    }
    return out.put_text("command", install_command(installed, context.defaults().executable)).text() + '\n';
  }
  std::string out = context.name() + ":\n";
  for (const auto& [name, value] : values) out += "  " + base::pad_right(name, 14) + value + '\n';
  return out;
}

WINSVC_INLINE result<std::vector<instance_row>> find_instances(verb_context& context) {
  const auto manager =
      context.open_manager("query", os::access_rights::manager_connect | os::access_rights::manager_enumerate);
  if (!manager) return failure{manager.error()};
  auto& scm = context.scm();
  const auto names = scm.list_services(manager->get());
  if (!names) return context.make_error("list the services", names.error());
  std::vector<instance_row> rows;
  for (const auto& name : *names) {
    const auto opened =
        scm.open_service(manager->get(), name, os::access_rights::query_config | os::access_rights::query_status);
    if (!opened) continue;
    const os::service_handle service(scm, *opened);
    const auto config = scm.query_config(service.get());
    const auto process = scm.query_status(service.get());
    if (!config || !process) continue;
    const std::string& executable = context.defaults().executable;
    const auto arguments = base::split_command_line(scm::quoted_binary(config->binary, executable));
    if (arguments.empty() || !base::equal_nocase(arguments[0], executable)) continue;
    rows.push_back({name, process->status.current, process->pid, config->startup, config->binary});
  }
  return rows;
}

WINSVC_INLINE std::string instances_text(const std::vector<instance_row>& rows) {
  std::string out;
  for (const auto& row : rows) {
    out += base::pad_right(row.name, 24) + base::pad_right(scm::name(row.state), 16) +
           base::pad_right(row.pid == 0 ? "-" : std::to_string(row.pid), 8) + std::string(name(row.startup)) + '\n';
  }
  return out.empty() ? "no service runs this program\n" : out;
}

WINSVC_INLINE std::string instances_json(const std::vector<instance_row>& rows) {
  const auto row_json = [](const instance_row& row) {
    base::json_object_writer out;
    out.put_text("name", row.name).put_text("state", scm::name(row.state)).put("pid", std::to_string(row.pid));
    return out.put_text("startup", name(row.startup)).put_text("binary", scm::shown_binary(row.binary)).text();
  };
  return base::json_array(rows, row_json, ",\n ") + '\n';
}

}  // namespace detail::manage
}  // inline namespace WINSVC_ABI
}  // namespace winsvc

#endif  // WINSVC_BODIES_MANAGE
