// `config` verb: prints each setting with its value, its source and its help text, or writes a settings file. If the
// service is installed, the options of its command line are a source too.
//
//   return show_settings(definition, command, dependencies);     // the exit code
#pragma once

#include <algorithm>
#include <cstddef>
#include <optional>
#include <string>
#include <vector>

#include "winsvc/host/definition.hpp"
#include "winsvc/base/json_writer.hpp"
#include "winsvc/base/text.hpp"
#include "winsvc/config/abi.hpp"
#include "winsvc/host/builtin_settings.hpp"
#include "winsvc/commandline/parse_command.hpp"
#include "winsvc/manage/verb_context.hpp"
#include "winsvc/settings/registry.hpp"
#include "winsvc/commandline/verbs.hpp"
#include "winsvc/os/native.hpp"
#include "winsvc/cli/run_verb.hpp"

namespace winsvc {
inline namespace WINSVC_ABI {
namespace detail::cli {

/// Shows the settings, or writes a settings file if --init is given. Returns the exit code: 13 if a value is invalid.
[[nodiscard]] int show_settings(host::service_definition& definition, const commandline::command& command,
                                const program_dependencies& dependencies);

/// Text of `config`: `greeting = hi   hello.ini:3`, and below it the help text. A secret is shown as stars.
[[nodiscard]] std::string settings_text(const settings::setting_registry& registry);
/// A JSON array of objects: name, value (null for a secret), source, default, takes, help, secret, at_start.
[[nodiscard]] std::string settings_json(const settings::setting_registry& registry);

}  // namespace detail::cli
}  // inline namespace WINSVC_ABI
}  // namespace winsvc

// ---------------------------------------------------------------------------------------------------------------------

#if WINSVC_BODIES_CLI

namespace winsvc {
inline namespace WINSVC_ABI {
namespace detail::cli {

WINSVC_INLINE std::string settings_text(const settings::setting_registry& registry) {
  const auto line = [](const settings::setting_registry::setting_view& setting) {
    return setting.name + " = " + setting.value;
  };
  constexpr std::size_t max_aligned_width = 40;  // after a longer value the source follows without alignment
  std::size_t width = 0;
  for (const auto& setting : registry.views())
    width = (std::min)((std::max)(width, line(setting).size()), max_aligned_width);
  std::string out;
  for (const auto& setting : registry.views()) {
    out += base::pad_right(line(setting), width + 3) + setting.source + "\n    " +
           (setting.help.empty() ? "" : setting.help + ": ") + setting.kind;
    if (setting.source != "default")
      out += "; default: " + (setting.default_text.empty() ? "nothing" : setting.default_text);
    out += setting.needs_restart ? "; read at start\n" : "\n";
  }
  return out;
}

WINSVC_INLINE std::string settings_json(const settings::setting_registry& registry) {
  const auto boolean = [](bool b) { return b ? "true" : "false"; };
  const auto format = [&boolean](const settings::setting_registry::setting_view& setting) {
    const auto value = [&setting](const std::string& text) {
      return setting.secret ? "null" : base::json_quoted(text);
    };
    base::json_object_writer json;
    json.put_text("name", setting.name).put("value", value(setting.value)).put_text("source", setting.source);
    json.put("default", value(setting.default_text)).put_text("takes", setting.kind).put_text("help", setting.help);
    return json.put("secret", boolean(setting.secret)).put("at_start", boolean(setting.needs_restart)).text();
  };
  return base::json_array(registry.views(), format, ",\n ") + '\n';
}

/// Fails if the service of this name belongs to another program: its log and its options are not ours.
WINSVC_INLINE result<void> check_own_service(const host::service_definition& definition,
                                             const commandline::command& command,
                                             const program_dependencies& dependencies) {
  const std::string name = scm::spec_of_instance(definition.spec, command.launch.instance).name;
  return manage::check_own_service(*dependencies.scm, name, dependencies.executable,
                                   std::string(commandline::info(command.verb).word));
}

/// The environment in which settings are looked up: that of the service alone, or also that of this process.
enum class environment_scope { service_only, service_and_process };

/// Adds the options of the installed service below the options of this command line. If the service cannot be queried,
/// the settings are those of a service that this command line would install, and the result is false.
WINSVC_INLINE bool with_installed_options(host::service_definition& definition, const commandline::command& command,
                                          const program_dependencies& dependencies,
                                          environment_scope scope = environment_scope::service_and_process) {
  const std::string name = scm::spec_of_instance(definition.spec, command.launch.instance).name;
  auto& scm = *dependencies.scm;
  const auto raw_manager = scm.open_manager(os::access_rights::manager_connect);
  if (!raw_manager) return false;
  const os::service_handle manager(scm, *raw_manager);
  const auto raw_service = scm.open_service(manager.get(), name, os::access_rights::query_config);
  if (!raw_service) return false;
  const os::service_handle service(scm, *raw_service);
  const auto config = scm.query_config(service.get());
  if (!config || !manage::check_same_program(config->binary, dependencies.executable, name, "query")) return false;
  const std::string binary = scm::quoted_binary(config->binary, dependencies.executable);
  const auto arguments = base::split_command_line(binary);
  host::load_setting_sources(definition, command.launch.override_with(commandline::launch_options_of(binary)),
                       arguments.empty() ? dependencies.executable : arguments[0]);

  const auto variables = scm.query_environment(name);
  auto sources = definition.settings.sources();
  if (scope == environment_scope::service_only)
    sources.environment = [](const std::string&) { return std::optional<std::string>(); };
  if (variables) {
    sources.environment = [own = *variables, others = sources.environment](const std::string& variable) {
      for (const auto& line : own) {
        const auto equals = line.find('=', 1);
        if (equals != line.npos && base::equal_nocase(std::string_view(line).substr(0, equals), variable))
          return std::optional(line.substr(equals + 1));
      }
      return others(variable);
    };
  }
  definition.settings.set_sources(std::move(sources));
  return true;
}

WINSVC_INLINE int write_settings_file(const host::service_definition& definition,
                                      const program_dependencies& dependencies) {
  const auto& sources = definition.settings.sources();
  std::vector<settings::setting_template> entries;
  for (const auto& setting : definition.settings.settings())
    entries.push_back(
        {setting->name(), setting->is_hidden() ? std::string() : setting->default_text(), setting->kind(),
         setting->help()});
  const std::string text = settings::settings_file_text(
      {"Settings of " + definition.spec.name + ". To change a setting, remove its '#' and edit the value.",
       "The command line (--set NAME=VALUE) and the environment (" + sources.prefix + "_NAME) override this file.",
       "Use 'reload' to make the running service read it again."},
      entries, definition.settings_format ? definition.settings_format->write : settings::value_writer());
  std::uint32_t code = 0;
  auto file =  os::exclusive_file::create(sources.path);
  if (!file) {
    code = file.error();
  } else if (const auto written = file->write(text); !written) {
    code = written.error();
  } else if (const auto closed = file->close(); !closed) {
    code = closed.error();
  }
  if (code == 0) {
    dependencies.out("wrote " + sources.path + '\n');
    return base::exit_codes::ok;
  }
  error error =
      base::error_with_explanation(code, "write the settings file", sources.path, os::system_error_message(code));
  if (sources.file) error.hint = "move it, or choose another file with --config";
  return dependencies.print_error(error);
}

WINSVC_INLINE int show_settings(host::service_definition& definition, const commandline::command& command,
                                const program_dependencies& dependencies) {
  with_installed_options(definition, command, dependencies);
  if (command.report.init) return write_settings_file(definition, dependencies);
  if (command.report.json) {
    dependencies.out(settings_json(definition.settings));
  } else {
    const auto& sources = definition.settings.sources();
    dependencies.out("file: " + sources.path + (sources.file ? "" : " (not found)") + "\n\n" +
                     settings_text(definition.settings));
  }
  const auto errors = definition.settings.errors();
  for (const auto& error : errors) static_cast<void>(dependencies.print_error(error));
  return errors.empty() ? base::exit_codes::ok : os::exit_code(base::win32_error::invalid_data);
}

}  // namespace detail::cli
}  // inline namespace WINSVC_ABI
}  // namespace winsvc

#endif  // WINSVC_BODIES_CLI
