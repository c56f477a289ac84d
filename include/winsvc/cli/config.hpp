// `config`: every setting with its value, where that comes from, and what it is for. Where a service is installed it is
// asked for what it was installed with, so that what is shown is what the service has.
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
#include "winsvc/commandline/command.hpp"
#include "winsvc/settings/registry.hpp"
#include "winsvc/commandline/verbs.hpp"
#include "winsvc/os/native.hpp"
#include "winsvc/cli/run_verb.hpp"

namespace winsvc {
inline namespace WINSVC_ABI {
namespace host {

/// Shows them, or writes a settings file with --init. The exit code: 13 where something cannot be taken.
[[nodiscard]] int show_settings(service_definition& plan, const model::command& command, const program_dependencies& dependencies);

/// `greeting = hi   hello.ini:3`, and below it what it is for. A secret is stars.
[[nodiscard]] std::string settings_text(const model::setting_registry& registry);
/// A list of objects: name, value (null where it is a secret), source, default, takes, help, secret, at_start.
[[nodiscard]] std::string settings_json(const model::setting_registry& registry);

}  // namespace host
}  // inline namespace WINSVC_ABI
}  // namespace winsvc

// ---------------------------------------------------------------------------------------------------------------------

#if WINSVC_BODIES_VERBS

namespace winsvc {
inline namespace WINSVC_ABI {
namespace host {

WINSVC_INLINE std::string settings_text(const model::setting_registry& registry) {
  const auto line = [](const model::setting_registry::setting_view& s) { return s.name + " = " + s.value; };
  constexpr std::size_t widest = 40;  // behind a long value its origin may stand where it comes to stand
  std::size_t width = 0;
  for (const auto& s : registry.views()) width = (std::min)((std::max)(width, line(s).size()), widest);
  std::string out;
  for (const auto& s : registry.views()) {
    out += model::pad_right(line(s), width + 3) + s.origin + "\n    " + (s.help.empty() ? "" : s.help + ": ") + s.kind;
    if (s.origin != "default") out += "; default: " + (s.default_text.empty() ? "nothing" : s.default_text);
    out += s.needs_restart ? "; read at start\n" : "\n";
  }
  return out;
}

WINSVC_INLINE std::string settings_json(const model::setting_registry& registry) {
  const auto boolean = [](bool b) { return b ? "true" : "false"; };
  const auto one = [&boolean](const model::setting_registry::setting_view& s) {
    const auto value = [&s](const std::string& v) { return s.secret ? "null" : strings::json_quoted(v); };
    strings::json_object_writer o;
    o.put_text("name", s.name).put("value", value(s.value)).put_text("source", s.origin);
    o.put("default", value(s.default_text)).put_text("takes", s.kind).put_text("help", s.help);
    return o.put("secret", boolean(s.secret)).put("at_start", boolean(s.needs_restart)).text();
  };
  return strings::json_array(registry.views(), one, ",\n ") + '\n';
}

/// What the installed service was given, under what is given here. Who may not ask, and where there are no services,
/// sees what a service would have that is installed with this command line.
WINSVC_INLINE void with_installed_options(service_definition& plan, const model::command& command, const program_dependencies& dependencies) {
  const std::string name = model::spec_of_instance(plan.spec, command.launch.instance).name;
  auto& scm = *dependencies.scm;
  const auto raw_manager = scm.open_manager(os::access_rights::manager_connect);
  if (!raw_manager) return;
  const os::service_handle manager(scm, *raw_manager);
  const auto raw_service = scm.open_service(manager.get(), name, os::access_rights::query_config);
  if (!raw_service) return;
  const os::service_handle service(scm, *raw_service);
  const auto config = scm.query_config(service.get());
  if (!config) return;
  const auto arguments = split_command_line(config->binary);
  load_setting_sources(plan, command.launch.override_with(model::launch_options_of(config->binary)),
                arguments.empty() ? dependencies.executable : arguments[0]);

  const auto variables = scm.query_environment(name);
  if (!variables || variables->empty()) return;
  auto sources = plan.settings.sources();
  sources.environment = [own = *variables, others = sources.environment](const std::string& variable) {
    for (const auto& line : own) {
      const auto equals = line.find('=', 1);
      if (equals != line.npos && strings::equal_nocase(std::string_view(line).substr(0, equals), variable))
        return std::optional(line.substr(equals + 1));
    }
    return others(variable);
  };
  plan.settings.set_sources(std::move(sources));
}

WINSVC_INLINE int write_settings_file(const service_definition& plan, const program_dependencies& dependencies) {
  const auto& sources = plan.settings.sources();
  std::vector<model::setting_template> notes;
  for (const auto& s : plan.settings.settings())
    notes.push_back({s->name(), s->secret ? std::string() : s->default_text(), s->kind(), s->help()});
  const std::string text = model::settings_file_text(
      {"Settings of " + plan.spec.name + ". Take the '#' away before one, and give it another value.",
       "The command line (--set NAME=VALUE) and the environment (" + sources.prefix + "_NAME) are stronger than this file.",
       "'reload' has the running service read it anew."},
      notes);
  std::uint32_t code = 0;
  auto made = os::exclusive_file::create(sources.path);
  if (!made) {
    code = made.error();
  } else if (const auto written = made->write(text); !written) {
    code = written.error();
  } else if (const auto closed = made->close(); !closed) {
    code = closed.error();
  }
  if (code == 0) {
    dependencies.out("wrote " + sources.path + '\n');
    return model::exit_codes::ok;
  }
  error error = model::error_with_explanation(code, "write the settings file", sources.path, os::system_error_message(code));
  if (sources.file) error.hint = "it is there already: move it away, or name another with --config";
  return dependencies.print_error(error);
}

WINSVC_INLINE int show_settings(service_definition& plan, const model::command& command, const program_dependencies& dependencies) {
  with_installed_options(plan, command, dependencies);
  if (command.init) return write_settings_file(plan, dependencies);
  if (command.json) {
    dependencies.out(settings_json(plan.settings));
  } else {
    const auto& sources = plan.settings.sources();
    dependencies.out("file: " + sources.path + (sources.file ? "" : ", which is not there") + "\n\n" +
               settings_text(plan.settings));
  }
  const auto wrong = plan.settings.errors();
  for (const auto& one : wrong) static_cast<void>(dependencies.print_error(one));
  return wrong.empty() ? model::exit_codes::ok : os::exit_code(model::win32_error::invalid_data);
}

}  // namespace host
}  // inline namespace WINSVC_ABI
}  // namespace winsvc

#endif  // WINSVC_BODIES_VERBS
