// The command line as two tables: the verbs, and the options with the verbs that take them. The parser, the help and
// the suggestions all read these; there is no third list.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "winsvc/base/text.hpp"
#include "winsvc/config/abi.hpp"

namespace winsvc {
inline namespace WINSVC_ABI {
namespace model {

enum class verb {
  help, version, install, update, remove, start, stop, restart, pause, resume, reload, control, status, debug, routes,
  config, logs, level, doctor, why, run_service
};

struct verb_info {
  verb id;
  std::string_view word;
  std::string_view aliases;       ///< a second spelling, or empty
  std::string_view arguments;  ///< what it takes beside options, as the help shows it
  std::string_view summary;    ///< one line of help; empty hides the verb
  std::string_view details;    ///< what `help VERB` adds
};

inline constexpr verb_info verb_table[] = {
    {verb::install, "install", "", "", "create the service, or bring an existing one to what is asked",
     "Needs an elevated prompt, or asks for one. What is given here is kept with the service, so that it holds at\n"
     "every start; an existing service keeps what is not given anew. What fails half-way is taken back."},
    {verb::update, "update", "", "", "bring an existing service to what is asked",
     "As install, for a service that is there already."},
    {verb::remove, "remove", "uninstall", "", "stop the service, delete it, wait until it is gone",
     "Needs an elevated prompt, or asks for one. A service that is not installed is no error. Its data folder stays."},
    {verb::start, "start", "", "[-- ARGUMENTS]", "start the service and wait until it serves",
     "A service that runs already is no error. What stands behind -- reaches the start hooks, this time alone."},
    {verb::stop, "stop", "", "", "stop the service and wait until it has answered every request",
     "A service that is stopped already is no error. Exit code 1460: it has stopped, and cut what did not end."},
    {verb::restart, "restart", "", "[-- ARGUMENTS]", "stop, then start",
     "With --force the services that depend on it are stopped before and started after it."},
    {verb::pause, "pause", "", "", "pause the service: it stays, and requests get 503", "Needs a hook of the app."},
    {verb::resume, "continue", "", "", "let a paused service go on", "Needs a hook of the app."},
    {verb::reload, "reload", "", "", "have the service read its settings anew, and what the app's hooks read",
     "All new values are taken or, where one cannot be, none; the log says which."},
    {verb::control, "control", "", "N", "send the service a control of its own, 128 to 255",
     "Needs a hook of the app, whose answer is the exit code."},
    {verb::status, "status", "", "", "what the service is doing, and where it listens",
     "Exit code: 0 running, 3 installed and not running, 4 not installed."},
    {verb::debug, "debug", "run", "", "serve in this terminal; Ctrl-C drains and stops",
     "Needs no installation. Attach a debugger, or start the program in one. Routes, requests and the log are shown."},
    {verb::logs, "logs", "", "", "the end of the service's log",
     "Reads the files in the data folder, also while the service does not run. What is older than the oldest file is\n"
     "gone: ten megabytes a file and five files are kept, where the app does not say otherwise."},
    {verb::level, "level", "", "LEVEL", "how much the running service logs: debug, info, warn or error",
     "Until it ends; the setting log_level says how it begins."},
    {verb::doctor, "doctor", "", "", "what keeps the service from starting and serving, or soon will",
     "Each finding with what was seen and what to do. --fix brings the installed service to what the program would\n"
     "install. Exit code: 0, or 1 where there is a problem."},
    {verb::why, "why", "", "", "what became of the service, and why: in a few sentences",
     "From the service control manager, what the service left, its log, and its last minidump."},
    {verb::config, "config", "", "", "every setting: its value, where that comes from, what it is for",
     "As the service has them that is installed, where one is. Strongest first: the command line (--set, kept at\n"
     "install), the environment, the settings file, the default. Exit code 13: the file or a value cannot be taken."},
    {verb::routes, "routes", "", "", "method, pattern, name and source line of every route", ""},
    {verb::help, "help", "", "[VERB]", "this, or the help of one verb", ""},
    {verb::version, "version", "", "", "the version of the program and of winsvc", ""},
    {verb::run_service, "run-service", "", "", "",
     "How the service control manager starts this program. Not for a person."},
};

enum class option {
  startup, display_name, description, username, password_stdin, depends, recovery, recovery_reset, preshutdown,
  environment, allow_control, host, port, set, unset, config, init, lines, follow, level, since, instance, start_after, plan, force, wait, no_wait, json, no_elevate, elevated,
  argument, why, fix
};

/// A set of verbs, one bit each.
constexpr std::uint32_t verb_bit(verb v) noexcept { return 1u << static_cast<int>(v); }
template <class... Verbs>
constexpr std::uint32_t verb_bits(Verbs... v) noexcept {
  return (verb_bit(v) | ...);
}
inline constexpr std::uint32_t verbs_that_install = verb_bits(verb::install, verb::update);
inline constexpr std::uint32_t verbs_that_wait =
    verbs_that_install |
    verb_bits(verb::remove, verb::start, verb::stop, verb::restart, verb::pause, verb::resume);
/// Those that Windows may refuse to who is not elevated.
inline constexpr std::uint32_t verbs_that_manage = verbs_that_wait | verb_bits(verb::reload, verb::control);
inline constexpr std::uint32_t verbs_that_listen = verbs_that_install | verb_bits(verb::debug, verb::run_service);
inline constexpr std::uint32_t verbs_with_settings = verbs_that_listen | verb_bits(verb::config, verb::doctor);

struct option_info {
  option id;
  std::string_view word;
  std::string_view value;    ///< what it takes, as the help shows it; empty for a switch
  std::uint32_t verbs;       ///< who takes it
  std::string_view summary;  ///< empty hides the option
};

inline constexpr option_info option_table[] = {
    {option::startup, "--startup", "auto|delayed|manual|disabled", verbs_that_install,
     "when the system starts it; default auto"},
    {option::display_name, "--display-name", "TEXT", verbs_that_install, "the name that the Services window shows"},
    {option::description, "--description", "TEXT", verbs_that_install, "the line under it"},
    {option::username, "--username", "ACCOUNT", verbs_that_install,
     "whom it runs as: virtual, system, local-service, network-service, DOMAIN\\name; default virtual"},
    {option::password_stdin, "--password-stdin", "", verbs_that_install,
     "the account's password is the first line of standard input; without it, a prompt asks for it"},
    {option::depends, "--depends", "A,B", verbs_that_install, "services that must run before it; +G is a group"},
    {option::recovery, "--recovery", "ACTION,...", verbs_that_install,
     "what follows each failure: restart/5s, none; the last one repeats; default restart/5s,restart/30s,restart/2m"},
    {option::recovery_reset, "--recovery-reset", "TIME", verbs_that_install,
     "so long without a failure, and the next is the first again; default 1d"},
    {option::preshutdown, "--preshutdown", "TIME", verbs_that_install | verb_bit(verb::run_service),
     "have the machine wait so long for it before it shuts down"},
    {option::environment, "--env", "NAME=VALUE", verbs_that_install,
     "a variable of its environment (may be repeated); NAME= takes it out"},
    {option::allow_control, "--allow-control", "USER", verbs_that_install,
     "let this user or group start and stop it without elevation (may be repeated)"},
    {option::host, "--host", "ADDRESS", verbs_with_settings, "the address to listen on"},
    {option::port, "--port", "N", verbs_with_settings, "the port to listen on; 0 picks a free one"},
    {option::set, "--set", "NAME=VALUE", verbs_with_settings, "a setting (may be repeated); 'config' lists them"},
    {option::unset, "--unset", "NAME", verbs_that_install, "forget what an earlier install gave with --set"},
    {option::config, "--config", "FILE", verbs_with_settings,
     "the settings file; default: the program's name with .ini, beside it"},
    {option::fix, "--fix", "", verb_bit(verb::doctor), "mend what can be mended without asking"},
    {option::init, "--init", "", verb_bit(verb::config), "write a settings file with every setting in it, commented out"},
    {option::lines, "-n", "N", verb_bit(verb::logs), "so many entries; default 20, or all since --since"},
    {option::follow, "-f", "", verb_bit(verb::logs), "and what is logged from now on, until Ctrl-C"},
    {option::level, "--level", "LEVEL", verb_bit(verb::logs), "debug, info, warn or error: that, and what is worse"},
    {option::since, "--since", "TIME", verb_bit(verb::logs), "of the last 10m, 2h, 1d"},
    {option::instance, "--instance", "NAME",
     verbs_that_manage | verb_bits(verb::status, verb::debug, verb::config, verb::logs, verb::level, verb::doctor, verb::why, verb::run_service),
     "this one of several instances, each a service with a name, settings and data of its own"},
    {option::start_after, "--start", "", verbs_that_install, "start it afterwards"},
    {option::plan, "--plan", "", verbs_that_install, "show what would be changed, and change nothing"},
    {option::force, "--force", "", verb_bits(verb::stop, verb::restart, verb::remove),
     "stop the services that depend on it, too"},
    {option::why, "--why", "TEXT", verb_bits(verb::stop, verb::restart), "the reason, which the service's log keeps"},
    {option::wait, "--wait", "SECONDS", verbs_that_wait, "how long to wait for it; default 60"},
    {option::no_wait, "--no-wait", "", verb_bits(verb::start, verb::stop), "ask, and do not wait"},
    {option::json, "--json", "", verb_bits(verb::status, verb::routes, verb::config, verb::doctor), "for a machine to read"},
    {option::no_elevate, "--no-elevate", "", verbs_that_manage,
     "fail where elevation is needed, and do not ask for it"},
    {option::elevated, "--elevated", "PIPE", verbs_that_manage, ""},  // this is the elevated one (os/elevation.hpp)
    {option::argument, "--argument", "TEXT", verb_bits(verb::start, verb::restart), ""},  // as one behind --
};

/// Options that people look for, and why there are none.
struct rejected_option {
  std::string_view word;
  bool has_value;
  std::string_view message, hint;
};
inline constexpr rejected_option rejected_options[] = {
    {"--password", true, "a command line is no place for a password: every user of the machine can read it",
     "leave it out, and a prompt asks; or pipe it in, with --password-stdin"},
    {"--interactive", false, "services have had no desktop since Windows Vista", "leave it out"},
};

[[nodiscard]] const verb_info& info(verb v) noexcept;

/// The help screen. `program` is the name to show in examples; `about` the app's own line.
[[nodiscard]] std::string help_text(std::string_view program, std::string_view about);
/// The help of one verb, with its options.
[[nodiscard]] std::string help_text(std::string_view program, verb v);

[[nodiscard]] std::string pad_right(std::string_view s, std::size_t width);

}  // namespace model
}  // inline namespace WINSVC_ABI
}  // namespace winsvc

// ---------------------------------------------------------------------------------------------------------------------

#if WINSVC_BODIES_MODEL

namespace winsvc {
inline namespace WINSVC_ABI {
namespace model {

WINSVC_INLINE const verb_info& info(verb v) noexcept {
  for (const auto& r : verb_table) {
    if (r.id == v) return r;
  }
  return verb_table[0];
}

WINSVC_INLINE std::string pad_right(std::string_view s, std::size_t width) {
  return std::string(s) + std::string(s.size() < width ? width - s.size() : 1, ' ');
}

WINSVC_INLINE std::string help_text(std::string_view program, std::string_view about) {
  std::string out;
  if (!about.empty()) out += std::string(about) + "\n\n";
  out += "usage: " + std::string(program) + " VERB [options]\n\n";
  for (const auto& r : verb_table) {
    if (!r.summary.empty()) out += "  " + pad_right(r.word, 10) + std::string(r.summary) + '\n';
  }
  return out + "\n'" + std::string(program) + " help VERB' shows the options of a verb.\n";
}

WINSVC_INLINE std::string help_text(std::string_view program, verb v) {
  const verb_info& r = info(v);
  std::string out = "usage: " + std::string(program) + ' ' + std::string(r.word);
  std::string options;
  for (const auto& o : option_table) {
    if ((o.verbs & verb_bit(v)) == 0 || o.summary.empty()) continue;
    const std::string spelled = std::string(o.word) + (o.value.empty() ? "" : " " + std::string(o.value));
    options += "  " + spelled + "\n      " + std::string(o.summary) + '\n';
  }
  if (!options.empty()) out += " [options]";
  if (!r.arguments.empty()) out += ' ' + std::string(r.arguments);
  out += "\n\n";
  if (!r.summary.empty())
    out += static_cast<char>(strings::to_upper(r.summary[0])) + std::string(r.summary.substr(1)) + ".\n";
  if (!r.details.empty()) out += std::string(r.details) + '\n';
  if (!options.empty()) out += '\n' + options;
  return out;
}

}  // namespace model
}  // inline namespace WINSVC_ABI
}  // namespace winsvc

#endif  // WINSVC_BODIES_MODEL
