// From the command line to a verb: the body of winsvc::run (api/run.hpp).
//
// Words are parsed before anything else, so that no verb waits for a dispatcher that is not there, and `run-service`
// goes to the dispatcher at once. The exit code: 0, 2 for a usage error, otherwise the system's code. The verbs that
// manage the service are in verbs/manage.hpp.
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
#include "winsvc/base/json_text.hpp"
#include "winsvc/base/text.hpp"
#include "winsvc/config/abi.hpp"
#include "winsvc/config/version.hpp"
#include "winsvc/host/console_host.hpp"
#include "winsvc/host/own_settings.hpp"
#include "winsvc/host/service_host.hpp"
#include "winsvc/model/command.hpp"
#include "winsvc/verbs/config.hpp"
#include "winsvc/verbs/logs.hpp"
#include "winsvc/verbs/manage.hpp"

namespace winsvc {
inline namespace WINSVC_ABI {
namespace host {

std::string routes_json(const route::table& routes);

int run_service(app_factory app, const model::launch_options& launch);

/// `logs`: what is there, and with -f what comes.
int show_log(const blueprint& plan, const model::command& asked, const program_surroundings& around);

/// Is there a fault that the service would find as well? A file that cannot be read from here is none.
bool would_be_refused(const model::settings& all);

/// The secret that one of these variables would set; null: none.
const model::any_setting* secret_among(const model::settings& all, const std::vector<std::string>& variables);

/// Everything that main does.
int run(const app_factory& app, const std::vector<std::string>& words, const program_surroundings& around = {});

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
  const auto one = [](const route::entry& e) {
    text::json_object o;
    o.put_text("method", route::name(e.verb)).put_text("pattern", e.path.text);
    o.put("name", e.about.name.empty() ? "null" : text::json_quoted(e.about.name));
    return o.put_text("source", e.where.text()).text();
  };
  return text::json_list(routes.entries(), one, ",\n ") + '\n';
}

WINSVC_INLINE int run_service(app_factory app, const model::launch_options& launch) {
  os::native_dispatcher dispatcher;
  return service_host(std::move(app), launch, {dispatcher}).run();
}
WINSVC_INLINE int show_log(const blueprint& plan, const model::command& asked, const program_surroundings& around) {
  const std::string name = model::of_instance(plan.spec, asked.launch.instance).name;
  const auto folder = around.data_folder(name);
  if (!folder) return around.complain(model::explained(folder.error(), "find the data folder of", name));
  const std::string path = log_path(*folder, name);
  const stop_source over;
  const auto go_on = [&over] { return !over.token().stop_requested(); };
  if (const auto file = os::source_file::open(path + ".log"); !file && !os::is_missing(file.error())) {
    if (asked.follow) {  // the service may tell whom the file does not
      const os::interrupts until_interrupted([over](os::interruption) { over.request_stop(); });
      const auto told = os::ask_channel(os::channel_address(name, *folder), "log " + std::string(winsvc::name(asked.level)),
                                        pid_of(*around.scm, name), [&](std::string_view lines) {
                                          if (!lines.empty()) around.out(lines);
                                          return go_on();
                                        });
      if (told) return model::exits::ok;
    }
    return around.complain(model::explained(file.error(), "read the log", path + ".log",
                                            os::system_words(file.error())));
  }
  constexpr std::size_t a_screen = 20;
  model::log_query what;
  what.least = asked.level;
  if (asked.since) what.since = around.time.wall() - *asked.since;
  what.last = asked.lines.value_or(asked.since ? model::log_query::all : a_screen);
  if (!asked.follow) {
    if (print_log(path, what, around.out) == 0) around.err("no entries in " + path + ".log\n");
    return model::exits::ok;
  }
  const os::interrupts until_interrupted([over](os::interruption) { over.request_stop(); });
  follow_log(path, what, around.out, go_on, around.time);
  return model::exits::ok;
}
WINSVC_INLINE bool would_be_refused(const model::settings& all) {
  const auto faults = all.faults();
  return std::any_of(faults.begin(), faults.end(),
                     [](const error& f) { return f.code == 0 || f.code == model::code::invalid_data; });
}
WINSVC_INLINE const model::any_setting* secret_among(const model::settings& all, const std::vector<std::string>& variables) {
  for (const auto& one : variables) {
    const auto name = std::string_view(one).substr(0, one.find('='));
    for (const auto& s : all.all()) {
      if (s->secret && text::equal_nocase(name, all.sources().variable(s->name()))) return s.get();
    }
  }
  return nullptr;
}
WINSVC_INLINE int run(const app_factory& app, const std::vector<std::string>& words, const program_surroundings& around) {
  const std::string program = around.program();
  auto asked = model::parse_command(words);
  if (!asked) return around.complain(asked.error());
  if (auto& file = asked->launch.config) file = os::absolute_path(*file);  // the service starts in another folder
  if (asked->verb == model::verb::run_service) {
    const int code = run_service(app, asked->launch);
    if (code == os::exit_code(model::code::failed_controller_connect)) {
      return around.complain(
          model::explained(model::code::failed_controller_connect, "run the service", program));
    }
    return code;
  }
  // A service that was registered by hand, without the word, has neither a word nor anybody to show the help to.
  if (asked->bare && !os::has_standard_output()) return run_service(app, {});

  std::optional<std::string> from_parent;
  if (asked->elevated) {  // before anything is printed, which nobody would see
    const auto joined = around.join_parent(*asked->elevated);
    if (!joined) {
      return around.complain(model::explained(joined.error(), "join the program that asked for elevation", program,
                                              os::system_words(joined.error())));
    }
    from_parent = *joined;
  }
  if (asked->verb == model::verb::debug)
    os::change_directory(os::folder_of(around.executable));  // as the service does, before App

  blueprint plan;
  plan.spec.name = program;
  plan.instance = asked->launch.instance;
  find_settings(plan, asked->launch, around.executable);
  std::shared_ptr<void> object;
  service svc(plan);
  try {
    object = app(svc);
    take_own_settings(plan);
  } catch (const setup_error& e) {
    return around.complain({0, {}, {}, e.what(), {}});
  } catch (const std::exception& e) {
    return around.complain({model::code::exception_in_service, "describe", plan.spec.name, e.what(),
                            "open things in on_start: the app is described for every verb"});
  } catch (...) {
    return around.complain({model::code::exception_in_service, "describe", plan.spec.name,
                            "something that is no std::exception was thrown", {}});
  }

  // What was said here and cannot be: told before anything is done. What the file has is the business of who reads it.
  for (const auto& wrong : plan.settings.faults()) {
    if (wrong.code == 0) return around.complain(wrong);
  }

  if (const auto* secret = secret_among(plan.settings, asked->environment)) {
    return around.complain({0, {}, {}, "--env " + plan.settings.sources().variable(secret->name()) + ": '" + secret->name() +
                                       "' is a secret, and what is kept with a service every user of the machine can read",
                            "write it into the settings file"});
  }

  switch (asked->verb) {
    case model::verb::help: {
      const std::string about = plan.spec.display_name.value_or(plan.spec.name) +
                                (plan.spec.description ? ": " + *plan.spec.description : "");
      around.out(asked->topic ? model::help_text(program, *asked->topic) : model::help_text(program, about));
      return model::exits::ok;
    }
    case model::verb::version:
      around.out(plan.spec.name + ' ' + (plan.version.empty() ? "(no version)" : plan.version) +
                 ", winsvc " WINSVC_VERSION_STRING ", cpp-httplib " + std::string(http::httplib_version_text()) + "\n");
      return model::exits::ok;
    case model::verb::routes:
      around.out(asked->json ? routes_json(plan.router.routes()) : routes_text(plan.router.routes()));
      return model::exits::ok;
    case model::verb::logs: return show_log(plan, *asked, around);
    case model::verb::config: return show_settings(plan, *asked, around);
    case model::verb::reload:  // what the service would refuse is told here, where somebody reads it
      as_installed(plan, *asked, around);
      if (auto wrong = settings_error(plan.settings); wrong && would_be_refused(plan.settings)) {
        wrong->hint += (wrong->hint.empty() ? "" : "; ") + std::string("the service was not told to reload");
        return around.complain(*wrong);
      }
      return manage(plan, *asked, words, around, from_parent);
    case model::verb::doctor:
      as_installed(plan, *asked, around);
      return manage(plan, *asked, words, around, from_parent);
    case model::verb::debug:
      if (const auto wrong = settings_error(plan.settings)) return around.complain(*wrong);
      plan.spec = model::of_instance(std::move(plan.spec), plan.instance);
      return run_in_console(plan, std::move(object));
    default: return manage(plan, *asked, words, around, from_parent);
  }
}

WINSVC_INLINE int run_program(const app_factory& app, int argc, char** argv) { return run(app, os::arguments(argc, argv)); }

}  // namespace host
}  // inline namespace WINSVC_ABI
}  // namespace winsvc

#endif  // WINSVC_BODIES_VERBS
