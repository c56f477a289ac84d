// The verbs that manage, by their words: what each prints, what it exits with, where a password comes from, and once
// more elevated where Windows says no.
//
// An error 5 begins the same program anew, elevated and hidden (os/elevation.hpp): the person is asked once, by
// Windows, and what it prints and its exit code are this program's. `--no-elevate` leaves it at the error.
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

/// What a program needs from outside, so that a test can stand in for it.
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
  /// Prints an error as `program: sentence` and gives the exit code for it: the system's; 2 for a usage error, which
  /// has none.
  [[nodiscard]] int print_error(const error& error) const {
    err(program() + ": " + error.to_string() + '\n');
    return error.code == 0 ? model::exit_codes::usage : os::exit_code(error.code);
  }
};

/// Runs a verb that manages. `words` is what the command line said, `from_parent` what the parent of this elevated
/// process gave it. The exit code.
[[nodiscard]] int manage(const service_definition& plan, const model::command& command, const std::vector<std::string>& arguments,
                         const program_dependencies& dependencies, const std::optional<std::string>& from_parent = {});

}  // namespace host
}  // inline namespace WINSVC_ABI
}  // namespace winsvc

// ---------------------------------------------------------------------------------------------------------------------

#if WINSVC_BODIES_VERBS

namespace winsvc {
inline namespace WINSVC_ABI {
namespace host {

/// Asked once, however often it is wanted.
WINSVC_INLINE std::function<result<std::string>()> password_source(const model::command& command,
                                                            const program_dependencies& dependencies,
                                                            const std::optional<std::string>& from_parent) {
  return [&command, &dependencies, &from_parent, given = from_parent]() mutable -> result<std::string> {
    const std::string recipient = command.username.value_or("the service's account");
    if (from_parent && from_parent->empty()) {
      return failure{error{model::win32_error::cancelled, "get the password of", recipient, "the elevated process was given none",
                           "run from an elevated prompt"}};
    }
    if (given) return *given;
    if (command.password_stdin) {
      given = dependencies.read_input_line();
      if (given) return *given;
      return failure{error{0, "read the password of", recipient, "standard input is at its end", "pipe it in, as a line"}};
    }
    const auto typed = dependencies.read_secret("password of " + recipient + ": ");
    if (!typed) {
      return failure{error{model::win32_error::cancelled, "ask for the password of", recipient,
                           "there is nobody who gives it: " + os::system_error_message(typed.error()),
                           "type it, or pipe it in with --password-stdin"}};
    }
    given = *typed;
    return *given;
  };
}

/// What the verb does, but for status, which has exit codes of its own.
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
    default: return failure{error{model::win32_error::not_supported, "manage", context.name(), "there is no such verb", {}}};
  }
}

/// The same words in an elevated process. `denied`: why.
WINSVC_INLINE int elevate(verb_context& context, const model::command& command, const std::vector<std::string>& arguments,
                   const program_dependencies& dependencies, const error& denied) {
  std::string input;
  const bool installs = (model::verb_bit(command.verb) & model::verbs_that_install) != 0;
  if (installs && installer(context).needs_password(command)) {  // the hidden window is no place to type it
    auto given = context.read_password();
    if (!given) return dependencies.print_error(given.error());
    input = *std::move(given);
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
    return dependencies.print_error({model::win32_error::service_not_active, "change the log level of", name, "it cannot be asked",
                            "start it first, or run from an elevated prompt"});
  }
  dependencies.out("the log of '" + name + "' keeps " + level + " and above, until it ends\n");
  return model::exit_codes::ok;
}

/// `doctor`: 1 where there is a problem.
WINSVC_INLINE int run_doctor(verb_context& context, const service_definition& plan, const std::string& channel, const model::command& command,
                   const program_dependencies& dependencies) {
  const auto look = [&] {
    return diagnostics(context, plan, query_live_status(channel, pid_of(context.scm(), context.name())), dependencies.machine).run_checks();
  };
  auto found = look();
  std::optional<error> wrong;
  if (command.fix && std::any_of(found.begin(), found.end(), [](const model::finding& f) { return f.fixable; })) {
    // What it does is said beside the findings, which a machine may read.
    const auto print = [&](const std::string& line) { (command.json ? dependencies.err : dependencies.out)(line + '\n'); };
    if (auto done = apply_fixes(context, print); !done) wrong = done.error();
    found = look();
  }
  dependencies.out(command.json ? model::findings_json(found) : model::findings_text(found));
  if (wrong) return dependencies.print_error(*wrong);
  return model::count(found, model::severity::problem) == 0 ? model::exit_codes::ok : 1;
}

WINSVC_INLINE int manage(const service_definition& plan, const model::command& command, const std::vector<std::string>& arguments,
                  const program_dependencies& dependencies, const std::optional<std::string>& from_parent) {
  const model::service_spec spec = model::spec_of_instance(plan.spec, command.launch.instance);
  if (const auto good = model::check_name(spec.name); !good) return dependencies.print_error(good.error());
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
  defaults.preshutdown = plan.stop_limit + std::chrono::seconds(5);
  verb_context context(spec, {*dependencies.scm, dependencies.time, print, state, defaults, password_source(command, dependencies, from_parent)});

  const std::string channel = folder ? os::control_channel_address(spec.name, *folder) : std::string();
  const auto pid = [&] { return pid_of(*dependencies.scm, spec.name); };
  if (command.verb == model::verb::level) return set_level(spec.name, channel, pid(), command, dependencies);
  if (command.verb == model::verb::doctor) return run_doctor(context, plan, channel, command, dependencies);
  if (command.verb == model::verb::status || command.verb == model::verb::why) {
    auto report = service_controller(context).status();
    if (!report || report->process.pid != 0) {
      std::string live = query_live_status(channel, report ? report->process.pid : 0);
      if (report) report->live_status = std::move(live);
      else if (!live.empty() && report.error().code == model::win32_error::not_supported) report = query_status_report(spec.name, live);
    }
    if (!report) return dependencies.print_error(report.error());
    if (command.verb == model::verb::why) {
      dependencies.out(format_post_mortem(collect_post_mortem(*std::move(report), folder ? *folder : std::string(), dependencies.machine)));
      return model::exit_codes::ok;
    }
    if (report->installed) report->drift = drift_lines(context);
    dependencies.out(command.json ? status_json(*report) : status_text(*report));
    return status_exit(*report);
  }
  if (command.stop_reason && !command_service(channel, "why " + format_single_line(*command.stop_reason), pid()))
    context.warn("the reason did not reach the service: it cannot be asked, or it is not running");
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
