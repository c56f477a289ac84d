// Service verbs: runs a verb that manages the service, prints its result, reads the password, and repeats the verb
// elevated if Windows denies access.
//
//   return cli::manage(definition, command, arguments, dependencies);     // the exit code
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
#include "winsvc/commandline/parse_command.hpp"
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
#include "winsvc/manage/show.hpp"
#include "winsvc/diagnose/post_mortem.hpp"

namespace winsvc {
inline namespace WINSVC_ABI {
namespace detail::cli {

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
                                              const os::output_receiver& on_output)>
      run_elevated = os::run_elevated;
  std::function<os::sys_result<std::string>(const std::string& pipe)> join_parent = os::connect_to_parent;
  winsvc::detail::diagnose::system_probe probe{};

  [[nodiscard]] std::string program() const { return os::program_name(executable); }
  /// Prints an error as `program: message` and returns its exit code: the system's code, or 2 for an error of the
  /// command line or of the app.
  [[nodiscard]] int print_error(const winsvc::error& error) const {
    const std::string text = error.to_string();  // several lines, if a service reported several errors
    for (const auto line : base::split(text, '\n')) err(program() + ": " + std::string(line) + '\n');
    return error.origin == winsvc::error::origin_kind::system ? os::exit_code(error.code) : base::exit_codes::usage;
  }
  /// Prints one line for each error and returns the exit code of the first one; 0 if there are no errors.
  [[nodiscard]] int print_errors(const std::vector<error>& errors) const {
    int code = base::exit_codes::ok;
    for (const auto& error : errors) {
      const int own = print_error(error);
      if (&error == &errors.front()) code = own;
    }
    return code;
  }
};

/// Runs a service verb. `arguments` is the command line; `from_parent` is the input from the parent of an elevated
/// process. Returns the exit code.
[[nodiscard]] int manage(const host::service_definition& definition, const commandline::command& command,
                         const std::vector<std::string>& arguments, const program_dependencies& dependencies,
                         const std::optional<std::string>& from_parent = {});

}  // namespace detail::cli
}  // inline namespace WINSVC_ABI
}  // namespace winsvc

// ---------------------------------------------------------------------------------------------------------------------

#if WINSVC_BODIES_CLI

namespace winsvc {
inline namespace WINSVC_ABI {
namespace detail::cli {

/// Reads the password when it is first needed and keeps it.
WINSVC_INLINE std::function<result<std::string>()> password_source(const commandline::command& command,
                                                                   const program_dependencies& dependencies,
                                                                   const std::optional<std::string>& from_parent) {
  return [&command, &dependencies, &from_parent, password = from_parent]() mutable -> result<std::string> {
    const std::string account = command.install.request.username.value_or("the service's account");
    if (from_parent && from_parent->empty()) {
      return failure{error{base::win32_error::cancelled, "get the password of", account,
                           "the elevated process did not receive it", "run from an elevated prompt"}};
    }
    if (password) return *password;
    if (command.install.request.reads_password) {
      password = dependencies.read_input_line();
      if (password) return *password;
      return failure{error{0, "read the password of", account, "standard input has ended", "pipe it as one line",
                           error::origin_kind::command_line}};
    }
    const auto typed = dependencies.read_secret("password of " + account + ": ");
    if (!typed) {
      return failure{error{typed.error(), "read the password of", account,
                           "it cannot be read from the terminal: " + os::system_error_message(typed.error()),
                           "type it, or pipe it with --password-stdin"}};
    }
    password = *typed;
    return *password;
  };
}

/// Runs the verb, except `status`, which has its own exit codes.
WINSVC_INLINE result<void> run_verb(manage::verb_context& context, const commandline::command& command) {
  switch (command.verb) {
    case commandline::verb::install:
    case commandline::verb::update: return manage::installer(context).run(command.install, command.control);
    case commandline::verb::remove: return manage::remove(context, command.control);
    case commandline::verb::start: return manage::service_controller(context).start(command.control);
    case commandline::verb::stop: return manage::service_controller(context).stop(command.control);
    case commandline::verb::restart: return manage::service_controller(context).restart(command.control);
    case commandline::verb::pause: return manage::pause(context, command.control);
    case commandline::verb::resume: return manage::resume(context, command.control);
    case commandline::verb::reload: return manage::reload(context);
    case commandline::verb::control: return manage::send_control(context, command.control);
    default: return failure{error{base::win32_error::not_supported, "manage", context.name(), "unknown verb", {}}};
  }
}

/// Lets the verbs read and write the files of the data folder. An empty text deletes the file.
WINSVC_INLINE void use_data_folder(manage::verb_context::verb_dependencies& dependencies, const std::string& folder) {
  dependencies.read_data = [folder](const std::string& file) { return os::read_file(os::path_join(folder, file)); };
  dependencies.lacks_data = [folder](const std::string& file) { return os::lacks_file(os::path_join(folder, file)); };
  dependencies.write_data = [folder](const std::string& file, const std::string& text) -> os::sys_result<void> {
    const std::string path = os::path_join(folder, file);
    if (text.empty() && (os::remove_file(path) || os::lacks_file(path))) return {};
    return os::replace_file(path, text);  // if it cannot be removed: an empty file names no start type or change
  };
}

/// Runs the verb again in an elevated process. `denied` is the error that caused it.
WINSVC_INLINE int elevate(manage::verb_context& context, const commandline::command& command,
                          const std::vector<std::string>& arguments, const program_dependencies& dependencies,
                          const error& denied) {
  std::string input;
  const bool is_install = (commandline::verb_bit(command.verb) & commandline::verbs_that_install) != 0;
  if (is_install &&
      manage::installer(context).needs_password(command.install)) {  // the hidden window cannot show a prompt
    auto password = context.read_password();
    if (!password) return dependencies.print_error(password.error());
    input = *std::move(password);
  }
  const auto print = [&dependencies](os::output_stream stream, std::string_view text) {
    (stream == os::output_stream::error ? dependencies.err : dependencies.out)(text);
  };
  const auto code = dependencies.run_elevated(commandline::elevated_arguments(arguments), input, print);
  if (code) return static_cast<int>(*code);
  if (code.error() != base::win32_error::cancelled) return dependencies.print_error(denied);
  return dependencies.print_error(base::error_with_explanation(code.error(), denied.operation, denied.subject));
}

WINSVC_INLINE std::string format_single_line(std::string text) {
  std::replace_if(text.begin(), text.end(), [](char c) { return static_cast<unsigned char>(c) < 0x20; }, ' ');
  return std::string(base::truncate(text, 1000));
}

/// Returns the suffix of a stop reason that names the operator.
WINSVC_INLINE std::string by_user(const std::string& user) { return user.empty() ? user : " (by " + user + ')'; }

WINSVC_INLINE int set_level(const std::string& name, const std::string& channel, std::uint32_t pid,
                            const commandline::command& command, const program_dependencies& dependencies) {
  const std::string level(winsvc::name(command.log.level));
  if (!diagnose::command_service(channel, "level " + level, pid)) {
    return dependencies.print_error({base::win32_error::service_not_active, "change the log level of", name,
                                     "the service does not respond",
                                     "start the service, or run from an elevated prompt"});
  }
  dependencies.out("the log level of '" + name + "' is " + level + " until the service stops\n");
  return base::exit_codes::ok;
}

/// `doctor`: the exit code is 1 if there is a problem.
WINSVC_INLINE int run_doctor(manage::verb_context& context, const host::service_definition& definition,
                             const std::string& channel, const commandline::command& command,
                             const program_dependencies& dependencies) {
  const auto run_checks = [&] {
    return diagnose::diagnostics(context, definition,
                                 diagnose::query_live_status(channel, diagnose::pid_of(context.scm(), context.name())),
                                 dependencies.probe)
        .run_checks();
  };
  auto findings = run_checks();
  std::optional<error> fix_error;
  if (command.report.fix &&
      std::any_of(findings.begin(), findings.end(), [](const diagnose::finding& finding) { return finding.fixable; })) {
    // With --json the messages go to standard error, so that standard output is valid JSON.
    const auto print = [&](const std::string& line) {
      (command.report.json ? dependencies.err : dependencies.out)(line + '\n');
    };
    if (auto done = diagnose::apply_fixes(context, print); !done) fix_error = done.error();
    findings = run_checks();
  }
  dependencies.out(command.report.json ? diagnose::findings_json(findings) : diagnose::findings_text(findings));
  if (fix_error) return dependencies.print_error(*fix_error);
  return diagnose::count(findings, diagnose::severity::problem) == 0 ? base::exit_codes::ok : 1;
}

WINSVC_INLINE int manage(const host::service_definition& definition, const commandline::command& command,
                         const std::vector<std::string>& arguments, const program_dependencies& dependencies,
                         const std::optional<std::string>& from_parent) {
  const scm::service_spec spec = scm::spec_of_instance(definition.spec, command.launch.instance);
  if (const auto valid = scm::check_name(spec.name); !valid) return dependencies.print_error(valid.error());
  const auto folder = dependencies.data_folder(spec.name);
  const auto state = [&folder]() -> std::optional<scm::saved_state> {
    const auto content = folder ? os::read_file(os::path_join(*folder, "state.json")) : std::nullopt;
    return content ? scm::parse_saved_state(*content) : std::nullopt;
  };
  const auto print = [&dependencies, quiet = command.quiet](const std::string& line) {
    if (!quiet) dependencies.out(line + '\n');
  };
  manage::install_defaults defaults;
  defaults.executable = dependencies.executable;
  defaults.program_folder = os::folder_of(dependencies.executable);
  defaults.data_folder = folder ? *folder : std::string();
  defaults.preshutdown = definition.stop_limit + std::chrono::seconds(5);
  const std::string channel = folder ? os::control_channel_address(spec.name, *folder) : std::string();
  const auto pid = [&] { return diagnose::pid_of(*dependencies.scm, spec.name); };
  manage::verb_context::verb_dependencies parts{*dependencies.scm, dependencies.time, print, state, defaults,
                                                password_source(command, dependencies, from_parent)};
  parts.warn = [&dependencies](const std::string& line) { dependencies.err("warning: " + line + '\n'); };
  parts.query_channel = [&](const std::string& request) { return diagnose::query_service(channel, request, pid()); };
  parts.running_pid = pid;
  parts.is_installed = [&](const std::string& name) { return diagnose::is_installed(*dependencies.scm, name); };
  if (folder) use_data_folder(parts, *folder);
  parts.lacks_file = dependencies.probe.lacks_file;
  parts.is_wine = dependencies.probe.is_wine();
  manage::verb_context context(spec, std::move(parts));

  if (auto own = context.check_own_service(std::string(commandline::info(command.verb).word));
      !own && command.verb != commandline::verb::doctor)
    return dependencies.print_error(own.error());
  if (command.verb == commandline::verb::show) {
    const auto text = manage::show(context, command.report);
    if (!text) return dependencies.print_error(text.error());
    dependencies.out(*text);
    return base::exit_codes::ok;
  }
  if (command.verb == commandline::verb::status && command.report.all) {
    const auto rows = manage::find_instances(context);
    if (!rows) return dependencies.print_error(rows.error());
    dependencies.out(command.report.json ? manage::instances_json(*rows) : manage::instances_text(*rows));
    return rows->empty() ? base::exit_codes::not_installed : base::exit_codes::ok;
  }
  if (command.verb == commandline::verb::level) return set_level(spec.name, channel, pid(), command, dependencies);
  if (command.verb == commandline::verb::doctor) return run_doctor(context, definition, channel, command, dependencies);
  if (command.verb == commandline::verb::status || command.verb == commandline::verb::why) {
    auto report = manage::service_controller(context).status();
    if (!report && report.error().code == base::win32_error::not_supported) {
      if (const auto live = diagnose::query_live_status(channel, 0); !live.empty())
        report = host::query_status_report(spec.name, live);
    }
    if (!report) return dependencies.print_error(report.error());
    if (command.verb == commandline::verb::why) {
      const auto data =
          diagnose::collect_post_mortem(*std::move(report), folder ? *folder : std::string(), dependencies.probe);
      dependencies.out(command.report.json ? diagnose::post_mortem_json(data) : diagnose::format_post_mortem(data));
      return base::exit_codes::ok;
    }
    if (report->installed) report->drift = manage::drift_lines(context);
    dependencies.out(command.report.json ? host::status_json(*report) : host::status_text(*report));
    return host::status_exit(*report);
  }
  const auto reason = command.control.stop_reason;
  const bool is_reason_lost =
      reason && !diagnose::command_service(
                    channel, "why " + format_single_line(*reason + by_user(os::user_name())), pid());
  const auto done = run_verb(context, command);
  const bool may_elevate = !command.no_elevate && !command.elevated && !command.install.plan;
  if (!done && context.denied() && done.error().code == base::win32_error::access_denied && may_elevate)
    return elevate(context, command, arguments, dependencies, done.error());  // this delivers the reason, too
  if (is_reason_lost)
    context.warn("the stop reason was not delivered: the service is not running or does not respond");
  return done ? base::exit_codes::ok : dependencies.print_error(done.error());
}

}  // namespace detail::cli
}  // inline namespace WINSVC_ABI
}  // namespace winsvc

#endif  // WINSVC_BODIES_CLI
