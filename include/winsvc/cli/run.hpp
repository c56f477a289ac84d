// Implements winsvc::run (api/run.hpp), the entry point of a program: parses the command line and runs the verb.
//
//   return cli::run(app, os::arguments(argc, argv));     // the exit code
//
// The command line is parsed first, so that no verb waits for a dispatcher that does not exist, and `run-service`
// connects to the dispatcher at once. Exit code: 0, 2 for a usage error, otherwise the system's code. cli/run_verb.hpp
// has the verbs that manage the service.
#pragma once

#include <algorithm>
#include <cstddef>
#include <memory>
#include <new>
#include <optional>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>
#include <vector>

#include "winsvc/base/error.hpp"
#include "winsvc/api/app.hpp"
#include "winsvc/api/run.hpp"
#include "winsvc/base/json_writer.hpp"
#include "winsvc/base/text.hpp"
#include "winsvc/config/abi.hpp"
#include "winsvc/config/version.hpp"
#include "winsvc/host/console_host.hpp"
#include "winsvc/host/builtin_settings.hpp"
#include "winsvc/host/service_host.hpp"
#include "winsvc/commandline/parse_command.hpp"
#include "winsvc/cli/config.hpp"
#include "winsvc/cli/prove.hpp"
#include "winsvc/log/log_reader.hpp"
#include "winsvc/cli/run_verb.hpp"

namespace winsvc {
inline namespace WINSVC_ABI {
namespace detail::cli {

std::string routes_json(const route::table& routes);

int run_service(api::app_factory app, const scm::launch_options& launch);

/// `logs`: prints the log, and new entries with -f.
int show_log(const host::service_definition& definition, const commandline::command& command,
             const program_dependencies& dependencies);

/// True if the settings have an error that the service would find too. A file that cannot be read here does not count.
bool check_settings(const settings::setting_registry& registry);

/// Returns the secret setting that one of these variables sets; nullptr if they set no secret.
const settings::setting_base* find_secret(const settings::setting_registry& registry,
                                       const std::vector<std::string>& variables);

/// Runs the program; returns the exit code.
int run(const api::app_factory& app, const std::vector<std::string>& arguments,
        const program_dependencies& dependencies = {});

}  // namespace detail::cli
}  // inline namespace WINSVC_ABI
}  // namespace winsvc

// ---------------------------------------------------------------------------------------------------------------------

#if WINSVC_BODIES_CLI

namespace winsvc {
inline namespace WINSVC_ABI {
namespace detail::cli {

WINSVC_INLINE std::string routes_json(const route::table& routes) {
  const auto format =  [](const route::route_entry& entry) {
    base::json_object_writer json;
    json.put_text("method", entry.method_name()).put_text("pattern", entry.path.text);
    json.put("name", entry.metadata.name.empty() ? "null" : base::json_quoted(entry.metadata.name));
    return json.put_text("source", entry.location.to_string()).text();
  };
  return base::json_array(routes.entries(), format, ",\n ") + '\n';
}

WINSVC_INLINE int run_service(api::app_factory app, const scm::launch_options& launch) {
  os::native_dispatcher dispatcher;
  return host::service_host(std::move(app), launch, {dispatcher}).run();
}
/// Converts log lines to JSON lines. A line of a JSON log stays as it is; a line that continues an entry has a text
/// only.
WINSVC_INLINE std::string log_lines_json(std::string_view lines) {
  std::string out;
  for (const auto line : base::split(lines, '\n')) {
    if (line.empty()) continue;
    const auto first = line.find(' '), second = line.find(' ', first + 6);
    const auto level = first == line.npos || second == line.npos
                           ? std::nullopt
                           : parse_log_level(base::trim(line.substr(first + 1, second - first)));
    base::json_object_writer json;
    if (line[0] == '{') {
      out += std::string(line) + '\n';
    } else if (level) {
      json.put_text("time", line.substr(0, first)).put_text("level", name(*level));
      out += json.put_text("text", line.substr(second + 1)).text() + '\n';
    } else {
      out += json.put_text("text", line).text() + '\n';
    }
  }
  return out;
}

WINSVC_INLINE int show_log(const host::service_definition& definition, const commandline::command& command,
                           const program_dependencies& dependencies) {
  const std::string name = scm::spec_of_instance(definition.spec, command.launch.instance).name;
  const auto folder = dependencies.data_folder(name);
  if (!folder)
    return dependencies.print_error(base::error_with_explanation(folder.error(), "find the data folder of", name));
  const std::string path = log::log_path(*folder, name);
  const auto warn_of_lost_lines = [&] {
    const auto live = base::parse_flat_object(diagnose::query_live_status(
        os::control_channel_address(name, *folder), diagnose::pid_of(*dependencies.scm, name)));
    if (const auto failure = live ? base::text_of(*live, "log_failure") : std::string(); !failure.empty())
      dependencies.err("warning: " + failure + '\n');
  };
  const stop_source stop;
  const auto go_on = [&stop] { return !stop.token().stop_requested(); };
  if (const auto file = os::input_file::open(path + ".log"); !file && !os::is_missing(file.error())) {
    if (command.log.follow) {  // the file cannot be read, but the running service may return the lines
      const os::interrupts until_interrupted([stop](os::interruption) { stop.request_stop(); });
      const auto followed = os::send_channel_request(
          os::control_channel_address(name, *folder), "log " + std::string(winsvc::name(command.log.level)),
          diagnose::pid_of(*dependencies.scm, name), [&](std::string_view lines) {
            if (!lines.empty()) dependencies.out(lines);
            return go_on();
          });
      if (followed) return base::exit_codes::ok;
    }
    warn_of_lost_lines();
    return dependencies.print_error(base::error_with_explanation(file.error(), "read the log", path + ".log",
                                                                  os::system_error_message(file.error())));
  }
  const auto print = [&](std::string_view lines) {
    dependencies.out(command.report.json ? log_lines_json(lines) : std::string(lines));
  };
  constexpr std::size_t default_entries = 20;
  log::log_query query;
  query.min_level = command.log.level;
  if (command.log.since) query.since = dependencies.time.system_now() - *command.log.since;
  query.max_entries = command.log.max_entries.value_or(command.log.since ? log::log_query::unlimited : default_entries);
  if (!command.log.follow) {
    const bool is_filtered = command.log.since || query.min_level != log_level::debug;
    if (log::print_log(path, query, print) == 0 && query.max_entries != 0)
      dependencies.err((is_filtered ? "no matching entries in " : "no entries in ") + path + ".log\n");
    warn_of_lost_lines();
    return base::exit_codes::ok;
  }
  const os::interrupts until_interrupted([stop](os::interruption) { stop.request_stop(); });
  log::follow_log(path, query, print, go_on, dependencies.time);
  return base::exit_codes::ok;
}
WINSVC_INLINE bool check_settings(const settings::setting_registry& registry) {
  const auto errors = registry.errors();
  return std::any_of(errors.begin(), errors.end(),
                     [](const error& f) {
                       return f.origin == error::origin_kind::command_line || f.code == base::win32_error::invalid_data;
                     });
}
WINSVC_INLINE const settings::setting_base* find_secret(const settings::setting_registry& registry,
                                                     const std::vector<std::string>& variables) {
  for (const auto& variable : variables) {
    const auto name = std::string_view(variable).substr(0, variable.find('='));
    for (const auto& setting : registry.settings()) {
      if (setting->secret && base::equal_nocase(name, registry.sources().variable(setting->name())))
        return setting.get();
    }
  }
  return nullptr;
}
WINSVC_INLINE int show_help(const host::service_definition& definition, const commandline::command& command,
                            const program_dependencies& dependencies) {
  const std::string program = dependencies.program();
  const std::string about = definition.spec.display_name.value_or(definition.spec.name) +
                            (definition.spec.description ? ": " + *definition.spec.description : "");
  dependencies.out(command.topic ? commandline::help_text(program, *command.topic)
                                  : commandline::help_text(program, about));
  return base::exit_codes::ok;
}

WINSVC_INLINE int show_version(const host::service_definition& definition, const commandline::command& command,
                               const program_dependencies& dependencies) {
  if (command.report.json) {
    base::json_object_writer json;
    json.put_text("name", definition.spec.name).put_text("version", definition.version);
    json.put_text("winsvc", WINSVC_VERSION_STRING).put_text("cpp-httplib", api::httplib_version_text());
    dependencies.out(json.text() + '\n');
    return base::exit_codes::ok;
  }
  dependencies.out(definition.spec.name + ' ' + (definition.version.empty() ? "(no version)" : definition.version) +
             ", " + api::library_versions() + "\n");
  return base::exit_codes::ok;
}

/// Connects to the process that requested elevation, before any output, which nothing would display. Sets
/// `from_parent`. Returns an exit code if it fails.
WINSVC_INLINE std::optional<int> join_parent(const commandline::command& command,
                                             const program_dependencies& dependencies,
                                             std::optional<std::string>& from_parent) {
  if (!command.elevated) return std::nullopt;
  const auto joined = dependencies.join_parent(*command.elevated);
  if (!joined) {
    return dependencies.print_error(base::error_with_explanation(
        joined.error(), "connect to the program that requested elevation", dependencies.program(),
        os::system_error_message(joined.error())));
  }
  from_parent = *joined;
  return std::nullopt;
}

/// Reports the errors of this command line before the verb runs, and returns the exit code. The errors of the settings
/// file are reported by the verbs that read it.
WINSVC_INLINE std::optional<int> check_command_line(const host::service_definition& definition,
                                                    const commandline::command& command,
                                                    const program_dependencies& dependencies) {
  std::vector<error> from_command_line;
  for (const auto& error : definition.settings.errors()) {
    if (error.origin == error::origin_kind::command_line) from_command_line.push_back(error);
  }
  if (!from_command_line.empty()) return dependencies.print_errors(from_command_line);

  if (const auto* secret = find_secret(definition.settings, command.install.request.environment)) {
    return dependencies.print_error(base::usage_error(
        "--env " + definition.settings.sources().variable(secret->name()) + ": '" + secret->name() +
            "' is a secret; every user of the machine can read the environment of a service",
        "write it to the settings file"));
  }
  const bool reads_service = command.verb == commandline::verb::logs || command.verb == commandline::verb::config ||
                             command.verb == commandline::verb::reload ||
                             command.verb == commandline::verb::restart;
  if (!reads_service) return std::nullopt;
  if (auto own = check_own_service(definition, command, dependencies); !own)
    return dependencies.print_error(own.error());
  return std::nullopt;
}

/// Runs a verb after the app has described the service.
WINSVC_INLINE int run_described_verb(host::service_definition& definition, const commandline::command& command,
                                     const std::vector<std::string>& arguments,
                                     const program_dependencies& dependencies,
                                     const std::optional<std::string>& from_parent, std::shared_ptr<void> app_object) {
  switch (command.verb) {
    case commandline::verb::help: return show_help(definition, command, dependencies);
    case commandline::verb::version: return show_version(definition, command, dependencies);
    case commandline::verb::routes:
      dependencies.out(command.report.json ? routes_json(definition.router.table())
                                     : host::format_routes(definition.router.table()));
      return base::exit_codes::ok;
    case commandline::verb::logs: return show_log(definition, command, dependencies);
    case commandline::verb::config: return show_settings(definition, command, dependencies);
    case commandline::verb::reload:  // errors that the service would reject are reported here
    case commandline::verb::restart:
      // The service does not have the environment of the operator.
      if (with_installed_options(definition, command, dependencies, environment_scope::service_only) &&
          check_settings(definition.settings)) {
        const int code = dependencies.print_errors(definition.settings.errors());
        const std::string verb(commandline::info(command.verb).word);
        dependencies.err(dependencies.program() + ": the service was not " + verb +
                         "ed; correct the settings and run '" + verb + "' again\n");
        return code;
      }
      return manage(definition, command, arguments, dependencies, from_parent);
    case commandline::verb::doctor:
      with_installed_options(definition, command, dependencies);
      return manage(definition, command, arguments, dependencies, from_parent);
    case commandline::verb::debug:
      if (const auto errors = definition.settings.errors(); !errors.empty()) return dependencies.print_errors(errors);
      definition.spec = scm::spec_of_instance(std::move(definition.spec), definition.instance);
      return host::run_in_console(definition, std::move(app_object));
    default: return manage(definition, command, arguments, dependencies, from_parent);
  }
}

WINSVC_INLINE int run(const api::app_factory& users_app, const std::vector<std::string>& arguments,
                      const program_dependencies& dependencies) {
  if (const auto code = os::run_dump_writer(arguments)) return *code;  // started by the crash handler of a service
  const std::string program = dependencies.program();
  auto command = commandline::parse_command(arguments);
  if (!command) return dependencies.print_error(command.error());
  if (command->verb == commandline::verb::prove) return prove(*command, dependencies);
  const bool is_proof = command->launch.instance && diagnose::is_prove_instance(*command->launch.instance);
  const api::app_factory app = is_proof ? diagnose::prove_app() : users_app;
  if (auto& file = command->launch.config) file = os::absolute_path(*file);  // the service runs in another folder
  if (command->verb == commandline::verb::run_service) {
    const int code = run_service(app, command->launch);
    if (code == os::exit_code(base::win32_error::failed_controller_connect)) {
      return dependencies.print_error(
          base::error_with_explanation(base::win32_error::failed_controller_connect, "run the service", program));
    }
    return code;
  }
  // A service that was registered by hand, without the verb, has no arguments and no terminal to show the help.
  if (command->no_arguments && !os::has_standard_output()) return run_service(app, {});

  std::optional<std::string> from_parent;
  if (const auto code = join_parent(*command, dependencies, from_parent)) return *code;
  if (command->verb == commandline::verb::debug)
    os::change_directory(os::folder_of(dependencies.executable));  // as the service does, before the app runs

  host::service_definition definition;
  definition.spec.name = program;
  definition.instance = command->launch.instance;
  host::load_setting_sources(definition, command->launch, dependencies.executable);
  std::shared_ptr<void> app_object;
  service svc(definition);
  try {
    app_object = definition.call_app(app, svc);
    host::declare_builtin_settings(definition);
  } catch (const setup_error& e) {
    return dependencies.print_error(base::app_error(e.what()));
  } catch (...) {
    return dependencies.print_error({scm::win32_error::exception_in_service, "set up", definition.spec.name,
                                     base::exception_message(),
                                     "open resources in on_start, because the app function runs for every verb"});
  }

  if (const auto code = check_command_line(definition, *command, dependencies)) return *code;
  return run_described_verb(definition, *command, arguments, dependencies, from_parent, std::move(app_object));
}

}  // namespace detail::cli

namespace detail::api {

WINSVC_INLINE int run_program(const api::app_factory& app, int argc, char** argv, const char* app_version) {
  try {
    const auto app_with_version = [app, version = std::string(app_version)](service& svc) {
      svc.version(version);  // first: the app can set another one
      return app(svc);
    };
    return cli::run(app_with_version, os::arguments(argc, argv));
  } catch (const std::bad_alloc&) {
    os::write_stderr(
        "out of memory: the program cannot continue; end other programs or increase the limit of memory\n");
  } catch (const std::system_error& e) {  // the system cannot create a thread
    os::write_stderr(e.what());
    os::write_stderr(": the program cannot continue; end other programs or increase the limits of the process\n");
  }
  return os::exit_code(base::win32_error::not_enough_memory);
}

}  // namespace detail::api
}  // inline namespace WINSVC_ABI
}  // namespace winsvc

#endif  // WINSVC_BODIES_CLI
