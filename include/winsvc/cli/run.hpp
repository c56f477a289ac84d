// Entry point of a program: parses the command line and runs a verb. Body of winsvc::run (api/run.hpp).
//
// The command line is parsed first, so that no verb waits for a dispatcher that does not exist, and `run-service`
// connects to the dispatcher at once. Exit code: 0, 2 for a usage error, otherwise the system's code. cli/run_verb.hpp
// has the verbs that manage the service.
#pragma once

#include <algorithm>
#include <cstddef>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "winsvc/api/app.hpp"
#include "winsvc/api/run.hpp"
#include "winsvc/base/json_writer.hpp"
#include "winsvc/base/text.hpp"
#include "winsvc/config/abi.hpp"
#include "winsvc/config/version.hpp"
#include "winsvc/host/console_host.hpp"
#include "winsvc/host/builtin_settings.hpp"
#include "winsvc/host/service_host.hpp"
#include "winsvc/commandline/command.hpp"
#include "winsvc/cli/config.hpp"
#include "winsvc/log/log_reader.hpp"
#include "winsvc/cli/run_verb.hpp"

namespace winsvc {
inline namespace WINSVC_ABI {
namespace host {

std::string routes_json(const route::table& routes);

int run_service(app_factory app, const model::launch_options& launch);

/// `logs`: prints the log, and new entries with -f.
int show_log(const service_definition& definition, const model::command& command,
             const program_dependencies& dependencies);

/// True if the settings have an error that the service would find too. A file that cannot be read here does not count.
bool check_settings(const model::setting_registry& registry);

/// Returns the secret setting that one of these variables sets; nullptr if they set no secret.
const model::setting_base* find_secret(const model::setting_registry& registry,
                                       const std::vector<std::string>& variables);

/// Runs the program; returns the exit code.
int run(const app_factory& app, const std::vector<std::string>& arguments,
        const program_dependencies& dependencies = {});

int run_program(const app_factory& app, int argc, char** argv);

}  // namespace host
}  // inline namespace WINSVC_ABI
}  // namespace winsvc

// ---------------------------------------------------------------------------------------------------------------------

#if WINSVC_BODIES_VERBS

namespace winsvc {
inline namespace WINSVC_ABI {
namespace host {

WINSVC_INLINE std::string routes_json(const route::table& routes) {
  const auto format =  [](const route::route_entry& entry) {
    strings::json_object_writer json;
    json.put_text("method", route::name(entry.method_id)).put_text("pattern", entry.path.text);
    json.put("name", entry.metadata.name.empty() ? "null" : strings::json_quoted(entry.metadata.name));
    return json.put_text("source", entry.location.to_string()).text();
  };
  return strings::json_array(routes.entries(), format, ",\n ") + '\n';
}

WINSVC_INLINE int run_service(app_factory app, const model::launch_options& launch) {
  os::native_dispatcher dispatcher;
  return service_host(std::move(app), launch, {dispatcher}).run();
}
WINSVC_INLINE int show_log(const service_definition& definition, const model::command& command,
                           const program_dependencies& dependencies) {
  const std::string name = model::spec_of_instance(definition.spec, command.launch.instance).name;
  const auto folder = dependencies.data_folder(name);
  if (!folder)
    return dependencies.print_error(model::error_with_explanation(folder.error(), "find the data folder of", name));
  const std::string path = log_path(*folder, name);
  const stop_source stop;
  const auto go_on = [&stop] { return !stop.token().stop_requested(); };
  if (const auto file = os::input_file::open(path + ".log"); !file && !os::is_missing(file.error())) {
    if (command.follow) {  // the file cannot be read, but the running service may return the lines
      const os::interrupts until_interrupted([stop](os::interruption) { stop.request_stop(); });
      const auto followed = os::send_channel_request(os::control_channel_address(name, *folder),
                                                     "log " + std::string(winsvc::name(command.level)),
                                                     pid_of(*dependencies.scm, name), [&](std::string_view lines) {
                                                       if (!lines.empty()) dependencies.out(lines);
                                                       return go_on();
                                                     });
      if (followed) return model::exit_codes::ok;
    }
    return dependencies.print_error(model::error_with_explanation(file.error(), "read the log", path + ".log",
                                                                  os::system_error_message(file.error())));
  }
  constexpr std::size_t default_entries = 20;
  model::log_query query;
  query.min_level = command.level;
  if (command.since) query.since = dependencies.time.system_now() - *command.since;
  query.max_entries = command.max_entries.value_or(command.since ? model::log_query::unlimited : default_entries);
  if (!command.follow) {
    if (print_log(path, query, dependencies.out) == 0) dependencies.err("no entries in " + path + ".log\n");
    return model::exit_codes::ok;
  }
  const os::interrupts until_interrupted([stop](os::interruption) { stop.request_stop(); });
  follow_log(path, query, dependencies.out, go_on, dependencies.time);
  return model::exit_codes::ok;
}
WINSVC_INLINE bool check_settings(const model::setting_registry& registry) {
  const auto errors = registry.errors();
  return std::any_of(errors.begin(), errors.end(),
                     [](const error& f) { return f.code == 0 || f.code == model::win32_error::invalid_data; });
}
WINSVC_INLINE const model::setting_base* find_secret(const model::setting_registry& registry,
                                                     const std::vector<std::string>& variables) {
  for (const auto& variable : variables) {
    const auto name = std::string_view(variable).substr(0, variable.find('='));
    for (const auto& setting : registry.settings()) {
      if (setting->secret && strings::equal_nocase(name, registry.sources().variable(setting->name())))
        return setting.get();
    }
  }
  return nullptr;
}
WINSVC_INLINE int run(const app_factory& app, const std::vector<std::string>& arguments,
                      const program_dependencies& dependencies) {
  const std::string program = dependencies.program();
  auto command = model::parse_command(arguments);
  if (!command) return dependencies.print_error(command.error());
  if (auto& file = command->launch.config) file = os::absolute_path(*file);  // the service runs in another folder
  if (command->verb == model::verb::run_service) {
    const int code = run_service(app, command->launch);
    if (code == os::exit_code(model::win32_error::failed_controller_connect)) {
      return dependencies.print_error(
          model::error_with_explanation(model::win32_error::failed_controller_connect, "run the service", program));
    }
    return code;
  }
  // A service that was registered by hand, without the verb, has no arguments and no terminal to show the help.
  if (command->no_arguments && !os::has_standard_output()) return run_service(app, {});

  std::optional<std::string> from_parent;
  if (command->elevated) {  // before any output, which nothing would display
    const auto joined = dependencies.join_parent(*command->elevated);
    if (!joined) {
      return dependencies.print_error(model::error_with_explanation(joined.error(),
                                                                    "connect to the program that requested elevation",
                                                                    program, os::system_error_message(joined.error())));
    }
    from_parent = *joined;
  }
  if (command->verb == model::verb::debug)
    os::change_directory(os::folder_of(dependencies.executable));  // as the service does, before the app runs

  service_definition definition;
  definition.spec.name = program;
  definition.instance = command->launch.instance;
  load_setting_sources(definition, command->launch, dependencies.executable);
  std::shared_ptr<void> app_object;
  service svc(definition);
  try {
    app_object = app(svc);
    declare_builtin_settings(definition);
  } catch (const setup_error& e) {
    return dependencies.print_error({0, {}, {}, e.what(), {}});
  } catch (const std::exception& e) {
    return dependencies.print_error({model::win32_error::exception_in_service, "set up", definition.spec.name, e.what(),
                                     "open resources in on_start, because the app function runs for every verb"});
  } catch (...) {
    return dependencies.print_error({model::win32_error::exception_in_service, "set up", definition.spec.name,
                            "unknown exception (not derived from std::exception)", {}});
  }

  // Errors of this command line are reported before the verb runs; errors of the settings file by the verbs that read
  // it.
  for (const auto& error : definition.settings.errors()) {
    if (error.code == 0) return dependencies.print_error(error);
  }

  if (const auto* secret = find_secret(definition.settings, command->environment)) {
    return dependencies.print_error(
        {0,
         {},
         {},
         "--env " + definition.settings.sources().variable(secret->name()) + ": '" + secret->name() +
             "' is a secret; every user of the machine can read the environment of a service",
         "write it to the settings file"});
  }

  switch (command->verb) {
    case model::verb::help: {
      const std::string about = definition.spec.display_name.value_or(definition.spec.name) +
                                (definition.spec.description ? ": " + *definition.spec.description : "");
      dependencies.out(command->topic ? model::help_text(program, *command->topic) : model::help_text(program, about));
      return model::exit_codes::ok;
    }
    case model::verb::version:
      dependencies.out(definition.spec.name + ' ' + (definition.version.empty() ? "(no version)" : definition.version) +
                 ", winsvc " WINSVC_VERSION_STRING ", cpp-httplib " + std::string(http::httplib_version_text()) + "\n");
      return model::exit_codes::ok;
    case model::verb::routes:
      dependencies.out(command->json ? routes_json(definition.router.routes())
                                     : format_routes(definition.router.routes()));
      return model::exit_codes::ok;
    case model::verb::logs: return show_log(definition, *command, dependencies);
    case model::verb::config: return show_settings(definition, *command, dependencies);
    case model::verb::reload:  // errors that the service would reject are reported here
      with_installed_options(definition, *command, dependencies);
      if (auto error =  settings_error(definition.settings); error && check_settings(definition.settings)) {
        error->hint += (error->hint.empty() ? "" : "; ") + std::string("the service was not reloaded");
        return dependencies.print_error(*error);
      }
      return manage(definition, *command, arguments, dependencies, from_parent);
    case model::verb::doctor:
      with_installed_options(definition, *command, dependencies);
      return manage(definition, *command, arguments, dependencies, from_parent);
    case model::verb::debug:
      if (const auto error =  settings_error(definition.settings)) return dependencies.print_error(*error);
      definition.spec = model::spec_of_instance(std::move(definition.spec), definition.instance);
      return run_in_console(definition, std::move(app_object));
    default: return manage(definition, *command, arguments, dependencies, from_parent);
  }
}

WINSVC_INLINE int run_program(const app_factory& app, int argc, char** argv) {
  return run(app, os::arguments(argc, argv));
}

}  // namespace host
}  // inline namespace WINSVC_ABI
}  // namespace winsvc

#endif  // WINSVC_BODIES_VERBS
