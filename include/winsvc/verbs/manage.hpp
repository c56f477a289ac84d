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

#include "winsvc/app/blueprint.hpp"
#include "winsvc/base/clock.hpp"
#include "winsvc/base/result.hpp"
#include "winsvc/config/abi.hpp"
#include "winsvc/host/status.hpp"
#include "winsvc/model/command.hpp"
#include "winsvc/model/state_file.hpp"
#include "winsvc/os/native.hpp"
#include "winsvc/verbs/ask.hpp"
#include "winsvc/verbs/desk.hpp"
#include "winsvc/verbs/doctor.hpp"
#include "winsvc/verbs/drift.hpp"
#include "winsvc/verbs/install.hpp"
#include "winsvc/verbs/machine.hpp"
#include "winsvc/verbs/manager.hpp"
#include "winsvc/verbs/remove.hpp"
#include "winsvc/verbs/send.hpp"
#include "winsvc/verbs/why.hpp"

namespace winsvc {
inline namespace WINSVC_ABI {
namespace host {

/// What a program needs from outside, so that a test can stand in for it.
struct program_surroundings {
  std::shared_ptr<os::service_manager> scm = std::make_shared<os::native_service_manager>();
  clock& time = clock::system();
  std::string executable = os::executable_path();
  std::function<void(std::string_view)> out = os::write_out;
  std::function<void(std::string_view)> err = os::write_err;
  std::function<os::sys_result<std::string>(const std::string& service_name)> data_folder = os::data_folder;
  std::function<os::sys_result<std::string>(std::string_view prompt)> read_secret = os::read_secret;
  std::function<std::optional<std::string>()> read_input_line = os::read_input_line;
  std::function<os::sys_result<std::uint32_t>(std::vector<std::string> words, const std::string& input,
                                              const std::function<void(std::string_view)>& on_output)>
      run_elevated = os::run_elevated;
  std::function<os::sys_result<std::string>(const std::string& pipe)> join_parent = os::join_parent;
  winsvc::host::machine machine{};

  [[nodiscard]] std::string program() const { return os::program_name(executable); }
  /// Prints an error as `program: sentence` and gives the exit code for it: the system's; 2 for a usage error, which
  /// has none.
  [[nodiscard]] int complain(const error& why) const {
    err(program() + ": " + why.sentence() + '\n');
    return why.code == 0 ? model::exits::usage : os::exit_code(why.code);
  }
};

/// Runs a verb that manages. `words` is what the command line said, `from_parent` what the parent of this elevated
/// process gave it. The exit code.
[[nodiscard]] int manage(const blueprint& plan, const model::command& asked, const std::vector<std::string>& words,
                         const program_surroundings& around, const std::optional<std::string>& from_parent = {});

}  // namespace host
}  // inline namespace WINSVC_ABI
}  // namespace winsvc

// ---------------------------------------------------------------------------------------------------------------------

#if WINSVC_BODIES_VERBS

namespace winsvc {
inline namespace WINSVC_ABI {
namespace host {

/// Asked once, however often it is wanted.
WINSVC_INLINE std::function<result<std::string>()> password_source(const model::command& asked,
                                                            const program_surroundings& around,
                                                            const std::optional<std::string>& from_parent) {
  return [&asked, &around, &from_parent, given = from_parent]() mutable -> result<std::string> {
    const std::string whom = asked.username.value_or("the service's account");
    if (from_parent && from_parent->empty()) {
      return failure{error{model::code::cancelled, "get the password of", whom, "the elevated process was given none",
                           "run from an elevated prompt"}};
    }
    if (given) return *given;
    if (asked.password_stdin) {
      given = around.read_input_line();
      if (given) return *given;
      return failure{error{0, "read the password of", whom, "standard input is at its end", "pipe it in, as a line"}};
    }
    const auto typed = around.read_secret("password of " + whom + ": ");
    if (!typed) {
      return failure{error{model::code::cancelled, "ask for the password of", whom,
                           "there is nobody who gives it: " + os::system_words(typed.error()),
                           "type it, or pipe it in with --password-stdin"}};
    }
    given = *typed;
    return *given;
  };
}

/// What the verb does, but for status, which has exit codes of its own.
WINSVC_INLINE result<void> perform(desk& at, const model::command& asked) {
  switch (asked.verb) {
    case model::verb::install:
    case model::verb::update: return installer(at).run(asked);
    case model::verb::remove: return remove(at, asked);
    case model::verb::start: return manager(at).start(asked);
    case model::verb::stop: return manager(at).stop(asked);
    case model::verb::restart: return manager(at).restart(asked);
    case model::verb::pause: return pause(at, asked);
    case model::verb::resume: return resume(at, asked);
    case model::verb::reload: return reload(at);
    case model::verb::control: return send_control(at, asked);
    default: return failure{error{model::code::not_supported, "manage", at.name(), "there is no such verb", {}}};
  }
}

/// The same words in an elevated process. `denied`: why.
WINSVC_INLINE int elevate(desk& at, const model::command& asked, const std::vector<std::string>& words,
                   const program_surroundings& around, const error& denied) {
  std::string input;
  const bool installs = (model::bit(asked.verb) & model::verbs_that_install) != 0;
  if (installs && installer(at).needs_password(asked)) {  // the hidden window is no place to type it
    auto given = at.ask_password();
    if (!given) return around.complain(given.error());
    input = *std::move(given);
  }
  const auto code = around.run_elevated(model::elevated_words(words), input, around.out);
  if (code) return static_cast<int>(*code);
  if (code.error() != model::code::cancelled) return around.complain(denied);
  return around.complain(model::explained(code.error(), denied.doing, denied.subject));
}

WINSVC_INLINE std::string one_line(std::string text) {
  std::replace_if(text.begin(), text.end(), [](char c) { return static_cast<unsigned char>(c) < 0x20; }, ' ');
  return std::string(text::cut(text, 1000));
}

WINSVC_INLINE int set_level(const std::string& name, const std::string& channel, std::uint32_t pid,
                     const model::command& asked, const program_surroundings& around) {
  const std::string level(winsvc::name(asked.level));
  if (!tell_service(channel, "level " + level, pid)) {
    return around.complain({model::code::service_not_active, "change the log level of", name, "it cannot be asked",
                            "start it first, or run from an elevated prompt"});
  }
  around.out("the log of '" + name + "' keeps " + level + " and above, until it ends\n");
  return model::exits::ok;
}

/// `doctor`: 1 where there is a problem.
WINSVC_INLINE int examine(desk& at, const blueprint& plan, const std::string& channel, const model::command& asked,
                   const program_surroundings& around) {
  const auto look = [&] {
    return doctor(at, plan, live_status(channel, pid_of(at.scm(), at.name())), around.machine).examine();
  };
  auto found = look();
  std::optional<error> wrong;
  if (asked.fix && std::any_of(found.begin(), found.end(), [](const model::finding& f) { return f.fixable; })) {
    // What it does is said beside the findings, which a machine may read.
    const auto say = [&](const std::string& line) { (asked.json ? around.err : around.out)(line + '\n'); };
    if (auto done = repair(at, say); !done) wrong = done.error();
    found = look();
  }
  around.out(asked.json ? model::findings_json(found) : model::findings_text(found));
  if (wrong) return around.complain(*wrong);
  return model::count(found, model::weight::problem) == 0 ? model::exits::ok : 1;
}

WINSVC_INLINE int manage(const blueprint& plan, const model::command& asked, const std::vector<std::string>& words,
                  const program_surroundings& around, const std::optional<std::string>& from_parent) {
  const model::service_spec spec = model::of_instance(plan.spec, asked.launch.instance);
  if (const auto good = model::check_name(spec.name); !good) return around.complain(good.error());
  const auto folder = around.data_folder(spec.name);
  const auto state = [&folder]() -> std::optional<model::service_state> {
    const auto content = folder ? os::read_file(os::path_join(*folder, "state.json")) : std::nullopt;
    return content ? model::parse_service_state(*content) : std::nullopt;
  };
  const auto say = [&around](const std::string& line) { around.out(line + '\n'); };
  model::install_defaults ours;
  ours.executable = around.executable;
  ours.program_folder = os::folder_of(around.executable);
  ours.data_folder = folder ? *folder : std::string();
  ours.preshutdown = plan.stop_limit + std::chrono::seconds(5);
  desk at(spec, {*around.scm, around.time, say, state, ours, password_source(asked, around, from_parent)});

  const std::string channel = folder ? os::channel_address(spec.name, *folder) : std::string();
  const auto pid = [&] { return pid_of(*around.scm, spec.name); };
  if (asked.verb == model::verb::level) return set_level(spec.name, channel, pid(), asked, around);
  if (asked.verb == model::verb::doctor) return examine(at, plan, channel, asked, around);
  if (asked.verb == model::verb::status || asked.verb == model::verb::why) {
    auto report = manager(at).status();
    if (!report || report->process.pid != 0) {
      std::string live = live_status(channel, report ? report->process.pid : 0);
      if (report) report->live = std::move(live);
      else if (!live.empty() && report.error().code == model::code::not_supported) report = report_of(spec.name, live);
    }
    if (!report) return around.complain(report.error());
    if (asked.verb == model::verb::why) {
      around.out(why_text(gather(*std::move(report), folder ? *folder : std::string(), around.machine)));
      return model::exits::ok;
    }
    if (report->installed) report->drift = drift_lines(at);
    around.out(asked.json ? status_json(*report) : status_text(*report));
    return status_exit(*report);
  }
  if (asked.why && !tell_service(channel, "why " + one_line(*asked.why), pid()))
    at.warn("the reason did not reach the service: it cannot be asked, or it is not running");
  const auto done = perform(at, asked);
  if (done) return model::exits::ok;
  const bool may_elevate = !asked.no_elevate && !asked.elevated && !asked.plan;
  if (at.denied() && done.error().code == model::code::access_denied && may_elevate)
    return elevate(at, asked, words, around, done.error());
  return around.complain(done.error());
}

}  // namespace host
}  // inline namespace WINSVC_ABI
}  // namespace winsvc

#endif  // WINSVC_BODIES_VERBS
