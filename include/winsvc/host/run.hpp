// From main to a verb: what WINSVC_MAIN calls, and what anyone may call instead.
//
//   int main(int argc, char** argv) { return winsvc::run<App>(argc, argv); }
//
// Words are parsed before anything else, so that no verb waits for a dispatcher that is not there, and `run-service`
// goes to the dispatcher at once. The exit code: 0, 2 for a usage error, otherwise the system's code.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "winsvc/config/abi.hpp"
#include "winsvc/config/version.hpp"
#include "winsvc/host/app.hpp"
#include "winsvc/host/console_host.hpp"
#include "winsvc/host/manage.hpp"
#include "winsvc/host/service_host.hpp"
#include "winsvc/model/command.hpp"

namespace winsvc {
inline namespace WINSVC_ABI {
namespace host {

/// Prints an error as `program: sentence` and gives the exit code for it: the system's; 2 for a usage error, which has
/// none.
inline int complain(const std::string& program, const error& why) {
  os::write_err(program + ": " + why.sentence() + '\n');
  return why.code == 0 ? model::exits::usage : os::exit_code(why.code);
}

inline std::string routes_json(const route::table& routes) {
  std::string out = "[";
  for (const auto& e : routes.entries()) {
    if (out.size() > 1) out += ",\n ";
    out += "{\"method\":" + text::json_quoted(route::name(e.verb)) + ",\"pattern\":" + text::json_quoted(e.path.text) +
           ",\"source\":" + text::json_quoted(e.where.text()) + "}";
  }
  return out + "]\n";
}

/// The verbs that talk to the SCM.
inline int manage(const std::string& program, const blueprint& plan, const model::command& asked) {
  os::native_service_manager scm;
  const auto say = [](const std::string& line) { os::write_out(line + '\n'); };
  const auto state = [&plan]() -> std::optional<model::service_state> {
    const auto folder = os::data_folder(plan.spec.name);
    const auto content = folder ? os::read_file(os::path_join(*folder, "state.json")) : std::nullopt;
    return content ? model::parse_service_state(*content) : std::nullopt;
  };
  manager m(plan.spec, {scm, clock::system(), say, state, os::executable_path()});

  const auto code_of = [&](const result<void>& done) {
    return done ? model::exits::ok : complain(program, done.error());
  };
  switch (asked.verb) {
    case model::verb::install: return code_of(m.install(asked));
    case model::verb::remove: return code_of(m.remove(asked.wait));
    case model::verb::start: return code_of(m.start(asked.wait, !asked.no_wait));
    case model::verb::stop: return code_of(m.stop(asked.wait, !asked.no_wait));
    case model::verb::restart: {
      if (const auto stopped = m.stop(asked.wait, true); !stopped) return complain(program, stopped.error());
      return code_of(m.start(asked.wait, true));
    }
    default: break;
  }
  const auto report = m.status();
  if (!report) return complain(program, report.error());
  os::write_out(asked.json ? status_json(*report) : status_text(*report));
  return status_exit(*report);
}

inline int run_service(app_factory app, const model::launch_options& launch) {
  os::native_dispatcher dispatcher;
  return service_host(std::move(app), launch, {dispatcher}).run();
}

inline int run(const app_factory& app, const std::vector<std::string>& words) {
  const std::string executable = os::executable_path();
  const std::string program = os::program_name(executable);
  const auto asked = model::parse_command(words);
  if (!asked) return complain(program, asked.error());
  if (asked->verb == model::verb::run_service) {
    const int code = run_service(app, asked->launch);
    if (code == os::exit_code(model::code::failed_controller_connect)) {
      return complain(program, model::explained(model::code::failed_controller_connect, "run the service", program));
    }
    return code;
  }
  // A service that was registered by hand, without the word, has neither a word nor anybody to show the help to.
  if (asked->bare && !os::has_standard_output()) return run_service(app, {});

  if (asked->verb == model::verb::debug)
    os::change_directory(os::folder_of(executable));  // as the service does, before App

  blueprint plan;
  plan.spec.name = program;
  std::shared_ptr<void> object;
  service svc(plan);
  try {
    object = app(svc);
  } catch (const setup_error& e) {
    return complain(program, {0, {}, {}, e.what(), {}});
  } catch (const std::exception& e) {
    return complain(program, {model::code::exception_in_service, "describe", plan.spec.name, e.what(),
                              "open things in on_start: the app is described for every verb"});
  } catch (...) {
    return complain(program, {model::code::exception_in_service, "describe", plan.spec.name,
                              "something that is no std::exception was thrown", {}});
  }

  switch (asked->verb) {
    case model::verb::help: {
      const std::string about = plan.spec.display_name.value_or(plan.spec.name) +
                                (plan.spec.description ? ": " + *plan.spec.description : "");
      os::write_out(asked->topic ? model::help_text(program, *asked->topic) : model::help_text(program, about));
      return model::exits::ok;
    }
    case model::verb::version:
      os::write_out(plan.spec.name + ' ' + (plan.version.empty() ? "(no version)" : plan.version) +
                    ", winsvc " WINSVC_VERSION_STRING ", cpp-httplib " CPPHTTPLIB_VERSION "\n");
      return model::exits::ok;
    case model::verb::routes:
      os::write_out(asked->json ? routes_json(plan.router.routes()) : routes_text(plan.router.routes()));
      return model::exits::ok;
    case model::verb::debug: return run_in_console(plan, std::move(object), asked->launch);
    default: return manage(program, plan, *asked);
  }
}

}  // namespace host

/// Runs the verb that the command line asks for, with an App that is a type.
template <class App>
int run(int argc, char** argv) {
  return host::run(host::app_of_type<App>(), os::arguments(argc, argv));
}
/// The same with an App that is a function or a global callable object.
template <auto& App>
int run(int argc, char** argv) {
  return host::run(host::app_of_callable(App), os::arguments(argc, argv));
}

}  // inline namespace WINSVC_ABI
}  // namespace winsvc
