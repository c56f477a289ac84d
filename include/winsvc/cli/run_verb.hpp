// Service verbs: runs a verb that manages the service, prints its result, reads the password, and repeats the verb
// elevated if Windows denies access.
//
// After error 5 the same program runs again, elevated and hidden (os/elevation.hpp). Windows prompts the user once;
// output and exit code of the elevated process become those of this process. `--no-elevate` disables this.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "winsvc/host/definition.hpp"
#include "winsvc/base/clock.hpp"
#include "winsvc/base/result.hpp"
#include "winsvc/config/abi.hpp"
#include "winsvc/host/status.hpp"
#include "winsvc/commandline/command.hpp"
#include "winsvc/scm/saved_state.hpp"
#include "winsvc/os/native.hpp"
#include "winsvc/diagnose/live_query.hpp"
#include "winsvc/manage/verb_context.hpp"
#include "winsvc/diagnose/doctor.hpp"
#include "winsvc/manage/drift.hpp"
#include "winsvc/manage/install.hpp"
#include "winsvc/diagnose/system_probe.hpp"
#include "winsvc/manage/start_stop.hpp"
#include "winsvc/manage/remove.hpp"
#include "winsvc/manage/send_control.hpp"
#include "winsvc/diagnose/post_mortem.hpp"

namespace winsvc {
inline namespace WINSVC_ABI {
namespace host {

/// Dependencies of a program, which tests replace.
struct program_dependencies {
  std::shared_ptr<os::service_manager> scm = std::make_shared<os::native_service_manager>();
  clock& time = clock::system();
  std::string executable = os::executable_path();
  std::function<void(std::string_view)> out = os::write_stdout;
  std::function<void(std::string_view)> err = os::write_stderr;
  std::function<os::sys_result<std::string>(const std::string& service_name)> data_folder = os::data_folder;
  std::function<os::sys_result<std::string>(std::string_view prompt)> read_secret = os::read_secret;
  std::function<std::optional<std::string>()> read_input_line = os::read_input_line;
  std::function<os::sys_result<std::uint32_t>(std::vector<std::string> arguments, const std::string& input,
                                              const std::function<void(std::string_view)>& on_output)>
      run_elevated = os::run_elevated;
  std::function<os::sys_result<std::string>(const std::string& pipe)> join_parent = os::connect_to_parent;
  winsvc::host::system_probe machine{};

  [[nodiscard]] std::string program() const { return os::program_name(executable); }
  /// Prints an error as `program: message` and returns its exit code: the system's code, or 2 for a usage error.
  [[nodiscard]] int print_error(const error& error) const {
    err(program() + ": " + error.to_string() + '\n');
    return error.code == 0 ? model::exit_codes::usage : os::exit_code(error.code);
  }
};

/// Runs a service verb. `arguments` is the command line; `from_parent` is the input from the parent of an elevated
/// process. Returns the exit code.
[[nodiscard]] int manage(const service_definition& definition, const model::command& command,
                         const std::vector<std::string>& arguments, const program_dependencies& dependencies,
                         const std::optional<std::string>& from_parent = {});

}  // namespace host
}  // inline namespace WINSVC_ABI
}  // namespace winsvc

// ---------------------------------------------------------------------------------------------------------------------

#if WINSVC_BODIES_VERBS

namespace winsvc {
inline namespace WINSVC_ABI {
namespace host {

/// Reads the password when it is first needed and keeps it.
WINSVC_INLINE std::function<result<std::string>()> password_source(const model::command& command,
                                                                   const program_dependencies& dependencies,
                                                                   const std::optional<std::string>& from_parent) {
  return [&command, &dependencies, &from_parent, password = from_parent]() mutable -> result<std::string> {
    const std::string account = command.username.value_or("the service's account");
    if (from_parent && from_parent->empty()) {
      return failure{error{model::win32_error::cancelled, "get the password of", account,
                           "the elevated process did not receive it", "run from an elevated prompt"}};
    }
    if (password) return *password;
    if (command.password_stdin) {
      password = dependencies.read_input_line();
      if (password) return *password;
      return failure{error{0, "read the password of", account, "standard input has ended", "pipe it as one line"}};
    }
    const auto typed = dependencies.read_secret("password of " + account + ": ");
    if (!typed) {
      return failure{error{model::win32_error::cancelled, "read the password of", account,
                           "it cannot be read from the terminal: " + os::system_error_message(typed.error()),
                           "type it, or pipe it with --password-stdin"}};
    }
    password = *typed;
    return *password;
  };
}

/// Runs the verb, except `status`, which has its own exit codes.
WINSVC_INLINE result<void> run_verb(verb_context& context, const model::command& command) {
  switch (command.verb) {
    case model::verb::install:
    case model::verb::update: return installer(context).run(command);
    case model::verb::remove: return remove(context, command);
    case model::verb::start: return service_controller(context).start(command);
    case model::verb::stop: return service_controller(context).stop(command);
    case model::verb::restart: return service_controller(context).restart(command);
    case model::verb::pause: return pause(context, command);
    case model::verb::resume: return resume(context, command);
    case model::verb::reload: return reload(context);
    case model::verb::control: return send_control(context, command);
    default: return failure{error{model::win32_error::not_supported, "manage", context.name(), "unknown verb", {}}};
  }
}

/// Runs the verb again in an elevated process. `denied` is the error that caused it.
WINSVC_INLINE int elevate(verb_context& context, const model::command& command,
                          const std::vector<std::string>& arguments, const program_dependencies& dependencies,
                          const error& denied) {
  std::string input;
  const bool is_install = (model::verb_bit(command.verb) & model::verbs_that_install) != 0;
  if (is_install && installer(context).needs_password(command)) {  // the hidden window cannot show a prompt
    auto password = context.read_password();
    if (!password) return dependencies.print_error(password.error());
    input = *std::move(password);
  }
  const auto code = dependencies.run_elevated(model::elevated_arguments(arguments), input, dependencies.out);
  if (code) return static_cast<int>(*code);
  if (code.error() != model::win32_error::cancelled) return dependencies.print_error(denied);
  return dependencies.print_error(model::error_with_explanation(code.error(), denied.operation, denied.subject));
}

WINSVC_INLINE std::string format_single_line(std::string text) {
  std::replace_if(text.begin(), text.end(), [](char c) { return static_cast<unsigned char>(c) < 0x20; }, ' ');
  return std::string(strings::truncate(text, 1000));
}

WINSVC_INLINE int set_level(const std::string& name, const std::string& channel, std::uint32_t pid,
                            const model::command& command, const program_dependencies& dependencies) {
  const std::string level(winsvc::name(command.level));
  if (!command_service(channel, "level " + level, pid)) {
    return dependencies.print_error({model::win32_error::service_not_active, "change the log level of", name,
                                     "the service does not respond",
                                     "start the service, or run from an elevated prompt"});
  }
  dependencies.out("the log level of '" + name + "' is " + level + " until the service stops\n");
  return model::exit_codes::ok;
}

/// `doctor`: the exit code is 1 if there is a problem.
WINSVC_INLINE int run_doctor(verb_context& context, const service_definition& definition, const std::string& channel,
                             const model::command& command, const program_dependencies& dependencies) {
  const auto run_checks = [&] {
    return diagnostics(context, definition, query_live_status(channel, pid_of(context.scm(), context.name())),
                       dependencies.machine)
        .run_checks();
  };
  auto findings = run_checks();
  std::optional<error> fix_error;
  if (command.fix &&
      std::any_of(findings.begin(), findings.end(), [](const model::finding& finding) { return finding.fixable; })) {
    // With --json the messages go to standard error, so that standard output is valid JSON.
    const auto print = [&](const std::string& line) {
      (command.json ? dependencies.err : dependencies.out)(line + '\n');
    };
    if (auto done = apply_fixes(context, print); !done) fix_error = done.error();
    findings = run_checks();
  }
  dependencies.out(command.json ? model::findings_json(findings) : model::findings_text(findings));
  if (fix_error) return dependencies.print_error(*fix_error);
  return model::count(findings, model::severity::problem) == 0 ? model::exit_codes::ok : 1;
}

WINSVC_INLINE int manage(const service_definition& definition, const model::command& command,
                         const std::vector<std::string>& arguments, const program_dependencies& dependencies,
                         const std::optional<std::string>& from_parent) {
  const model::service_spec spec = model::spec_of_instance(definition.spec, command.launch.instance);
  if (const auto valid = model::check_name(spec.name); !valid) return dependencies.print_error(valid.error());
  const auto folder = dependencies.data_folder(spec.name);
  const auto state = [&folder]() -> std::optional<model::saved_state> {
    const auto content = folder ? os::read_file(os::path_join(*folder, "state.json")) : std::nullopt;
    return content ? model::parse_saved_state(*content) : std::nullopt;
  };
  const auto print = [&dependencies](const std::string& line) { dependencies.out(line + '\n'); };
  model::install_defaults defaults;
  defaults.executable = dependencies.executable;
  defaults.program_folder = os::folder_of(dependencies.executable);
  defaults.data_folder = folder ? *folder : std::string();
  defaults.preshutdown = definition.stop_limit + std::chrono::seconds(5);
  verb_context context(spec, {*dependencies.scm, dependencies.time, print, state, defaults,
                              password_source(command, dependencies, from_parent)});

  const std::string channel = folder ? os::control_channel_address(spec.name, *folder) : std::string();
  const auto pid = [&] { return pid_of(*dependencies.scm, spec.name); };
  if (command.verb == model::verb::level) return set_level(spec.name, channel, pid(), command, dependencies);
  if (command.verb == model::verb::doctor) return run_doctor(context, definition, channel, command, dependencies);
  if (command.verb == model::verb::status || command.verb == model::verb::why) {
    auto report = service_controller(context).status();
    if (!report || report->process.pid != 0) {
      std::string live = query_live_status(channel, report ? report->process.pid : 0);
      if (report) report->live_status = std::move(live);
      else if (!live.empty() && report.error().code == model::win32_error::not_supported)
        report = query_status_report(spec.name, live);
    }
    if (!report) return dependencies.print_error(report.error());
    if (command.verb == model::verb::why) {
      dependencies.out(format_post_mortem(
          collect_post_mortem(*std::move(report), folder ? *folder : std::string(), dependencies.machine)));
      return model::exit_codes::ok;
    }
    if (report->installed) report->drift = drift_lines(context);
    dependencies.out(command.json ? status_json(*report) : status_text(*report));
    return status_exit(*report);
  }
  if (command.stop_reason && !command_service(channel, "why " + format_single_line(*command.stop_reason), pid()))
    context.warn("the stop reason was not delivered: the service is not running or does not respond");
  const auto done = run_verb(context, command);
  if (done) return model::exit_codes::ok;
  const bool may_elevate = !command.no_elevate && !command.elevated && !command.plan;
  if (context.denied() && done.error().code == model::win32_error::access_denied && may_elevate)
    return elevate(context, command, arguments, dependencies, done.error());
  return dependencies.print_error(done.error());
}

}  // namespace host
}  // inline namespace WINSVC_ABI
}  // namespace winsvc

#endif  // WINSVC_BODIES_VERBS
