// From the command line to a verb: the body of winsvc::run (api/run.hpp).
//
// Words are parsed before anything else, so that no verb waits for a dispatcher that is not there, and `run-service`
// goes to the dispatcher at once. The exit code: 0, 2 for a usage error, otherwise the system's code. The verbs that
// manage the service are in cli/run_verb.hpp.
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

/// `logs`: what is there, and with -f what comes.
int show_log(const service_definition& plan, const model::command& command, const program_dependencies& dependencies);

/// Is there a fault that the service would find as well? A file that cannot be read from here is none.
bool check_settings(const model::setting_registry& registry);

/// The secret that one of these variables would set; null: none.
const model::setting_base* find_secret(const model::setting_registry& registry, const std::vector<std::string>& variables);

/// Everything that main does.
int run(const app_factory& app, const std::vector<std::string>& arguments, const program_dependencies& dependencies = {});

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
  const auto one = [](const route::route_entry& e) {
    strings::json_object_writer o;
    o.put_text("method", route::name(e.method_id)).put_text("pattern", e.path.text);
    o.put("name", e.metadata.name.empty() ? "null" : strings::json_quoted(e.metadata.name));
    return o.put_text("source", e.location.to_string()).text();
  };
  return strings::json_array(routes.entries(), one, ",\n ") + '\n';
}

WINSVC_INLINE int run_service(app_factory app, const model::launch_options& launch) {
  os::native_dispatcher dispatcher;
  return service_host(std::move(app), launch, {dispatcher}).run();
}
WINSVC_INLINE int show_log(const service_definition& plan, const model::command& command, const program_dependencies& dependencies) {
  const std::string name = model::spec_of_instance(plan.spec, command.launch.instance).name;
  const auto folder = dependencies.data_folder(name);
  if (!folder) return dependencies.print_error(model::error_with_explanation(folder.error(), "find the data folder of", name));
  const std::string path = log_path(*folder, name);
  const stop_source over;
  const auto go_on = [&over] { return !over.token().stop_requested(); };
  if (const auto file = os::input_file::open(path + ".log"); !file && !os::is_missing(file.error())) {
    if (command.follow) {  // the service may tell whom the file does not
      const os::interrupts until_interrupted([over](os::interruption) { over.request_stop(); });
      const auto reported = os::send_channel_request(os::control_channel_address(name, *folder), "log " + std::string(winsvc::name(command.level)),
                                        pid_of(*dependencies.scm, name), [&](std::string_view lines) {
                                          if (!lines.empty()) dependencies.out(lines);
                                          return go_on();
                                        });
      if (reported) return model::exit_codes::ok;
    }
    return dependencies.print_error(model::error_with_explanation(file.error(), "read the log", path + ".log",
                                            os::system_error_message(file.error())));
  }
  constexpr std::size_t a_screen = 20;
  model::log_query query;
  query.min_level = command.level;
  if (command.since) query.since = dependencies.time.system_now() - *command.since;
  query.max_entries = command.max_entries.value_or(command.since ? model::log_query::unlimited : a_screen);
  if (!command.follow) {
    if (print_log(path, query, dependencies.out) == 0) dependencies.err("no entries in " + path + ".log\n");
    return model::exit_codes::ok;
  }
  const os::interrupts until_interrupted([over](os::interruption) { over.request_stop(); });
  follow_log(path, query, dependencies.out, go_on, dependencies.time);
  return model::exit_codes::ok;
}
WINSVC_INLINE bool check_settings(const model::setting_registry& registry) {
  const auto faults = registry.errors();
  return std::any_of(faults.begin(), faults.end(),
                     [](const error& f) { return f.code == 0 || f.code == model::win32_error::invalid_data; });
}
WINSVC_INLINE const model::setting_base* find_secret(const model::setting_registry& registry, const std::vector<std::string>& variables) {
  for (const auto& one : variables) {
    const auto name = std::string_view(one).substr(0, one.find('='));
    for (const auto& s : registry.settings()) {
      if (s->secret && strings::equal_nocase(name, registry.sources().variable(s->name()))) return s.get();
    }
  }
  return nullptr;
}
WINSVC_INLINE int run(const app_factory& app, const std::vector<std::string>& arguments, const program_dependencies& dependencies) {
  const std::string program = dependencies.program();
  auto command = model::parse_command(arguments);
  if (!command) return dependencies.print_error(command.error());
  if (auto& file = command->launch.config) file = os::absolute_path(*file);  // the service starts in another folder
  if (command->verb == model::verb::run_service) {
    const int code = run_service(app, command->launch);
    if (code == os::exit_code(model::win32_error::failed_controller_connect)) {
      return dependencies.print_error(
          model::error_with_explanation(model::win32_error::failed_controller_connect, "run the service", program));
    }
    return code;
  }
  // A service that was registered by hand, without the word, has neither a word nor anybody to show the help to.
  if (command->no_arguments && !os::has_standard_output()) return run_service(app, {});

  std::optional<std::string> from_parent;
  if (command->elevated) {  // before anything is printed, which nobody would see
    const auto joined = dependencies.join_parent(*command->elevated);
    if (!joined) {
      return dependencies.print_error(model::error_with_explanation(joined.error(), "join the program that asked for elevation", program,
                                              os::system_error_message(joined.error())));
    }
    from_parent = *joined;
  }
  if (command->verb == model::verb::debug)
    os::change_directory(os::folder_of(dependencies.executable));  // as the service does, before App

  service_definition plan;
  plan.spec.name = program;
  plan.instance = command->launch.instance;
  load_setting_sources(plan, command->launch, dependencies.executable);
  std::shared_ptr<void> object;
  service svc(plan);
  try {
    object = app(svc);
    declare_builtin_settings(plan);
  } catch (const setup_error& e) {
    return dependencies.print_error({0, {}, {}, e.what(), {}});
  } catch (const std::exception& e) {
    return dependencies.print_error({model::win32_error::exception_in_service, "describe", plan.spec.name, e.what(),
                            "open things in on_start: the app is described for every verb"});
  } catch (...) {
    return dependencies.print_error({model::win32_error::exception_in_service, "describe", plan.spec.name,
                            "something that is no std::exception was thrown", {}});
  }

  // What was said here and cannot be: told before anything is done. What the file has is the business of who reads it.
  for (const auto& wrong : plan.settings.errors()) {
    if (wrong.code == 0) return dependencies.print_error(wrong);
  }

  if (const auto* secret = find_secret(plan.settings, command->environment)) {
    return dependencies.print_error({0, {}, {}, "--env " + plan.settings.sources().variable(secret->name()) + ": '" + secret->name() +
                                       "' is a secret, and what is kept with a service every user of the machine can read",
                            "write it into the settings file"});
  }

  switch (command->verb) {
    case model::verb::help: {
      const std::string about = plan.spec.display_name.value_or(plan.spec.name) +
                                (plan.spec.description ? ": " + *plan.spec.description : "");
      dependencies.out(command->topic ? model::help_text(program, *command->topic) : model::help_text(program, about));
      return model::exit_codes::ok;
    }
    case model::verb::version:
      dependencies.out(plan.spec.name + ' ' + (plan.version.empty() ? "(no version)" : plan.version) +
                 ", winsvc " WINSVC_VERSION_STRING ", cpp-httplib " + std::string(http::httplib_version_text()) + "\n");
      return model::exit_codes::ok;
    case model::verb::routes:
      dependencies.out(command->json ? routes_json(plan.router.routes()) : format_routes(plan.router.routes()));
      return model::exit_codes::ok;
    case model::verb::logs: return show_log(plan, *command, dependencies);
    case model::verb::config: return show_settings(plan, *command, dependencies);
    case model::verb::reload:  // what the service would refuse is told here, where somebody reads it
      with_installed_options(plan, *command, dependencies);
      if (auto wrong = settings_error(plan.settings); wrong && check_settings(plan.settings)) {
        wrong->hint += (wrong->hint.empty() ? "" : "; ") + std::string("the service was not told to reload");
        return dependencies.print_error(*wrong);
      }
      return manage(plan, *command, arguments, dependencies, from_parent);
    case model::verb::doctor:
      with_installed_options(plan, *command, dependencies);
      return manage(plan, *command, arguments, dependencies, from_parent);
    case model::verb::debug:
      if (const auto wrong = settings_error(plan.settings)) return dependencies.print_error(*wrong);
      plan.spec = model::spec_of_instance(std::move(plan.spec), plan.instance);
      return run_in_console(plan, std::move(object));
    default: return manage(plan, *command, arguments, dependencies, from_parent);
  }
}

WINSVC_INLINE int run_program(const app_factory& app, int argc, char** argv) { return run(app, os::arguments(argc, argv)); }

}  // namespace host
}  // inline namespace WINSVC_ABI
}  // namespace winsvc

#endif  // WINSVC_BODIES_VERBS
