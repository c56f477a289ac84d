// Verbs and options of the command line as two tables, and the help text that is made from them.
//
//   info(verb::install).summary            // "create the service, or update an existing one"
//   help_text("hello", verb::install)      // usage, description and options of a verb
//
// The parser (commandline/parse_command.hpp), the help and the suggestions read these tables; there is no third list.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "winsvc/base/text.hpp"
#include "winsvc/config/abi.hpp"

namespace winsvc {
inline namespace WINSVC_ABI {
namespace detail::commandline {

/// The first argument of the program.
enum class verb {
  help, version, install, update, remove, start, stop, restart, pause, resume, reload, control, status, debug, routes,
  config, logs, level, doctor, why, show, prove, run_service
};

struct verb_info {
  verb id;
  std::string_view word;
  std::string_view aliases;    ///< other spellings, separated by blanks; may be empty
  std::string_view arguments;  ///< arguments other than options, as the help shows them
  std::string_view summary;    ///< one line of help; empty: the help does not show the verb
  std::string_view details;    ///< additional text of `help VERB`
};

inline constexpr verb_info verb_table[] = {
    {verb::install, "install", "", "", "create the service, or update an existing one",
     "Requires administrator rights and requests elevation if necessary. The options are stored with the service and\n"
     "apply at every start. An existing service keeps the values of the options that you omit. If a step fails, the\n"
     "completed steps are rolled back."},
    {verb::update, "update", "", "", "update an existing service",
     "Does the same as install, but fails if the service is not installed."},
    {verb::remove, "remove", "uninstall delete", "", "stop the service, delete it and wait until it is deleted",
     "Requires administrator rights and requests elevation if necessary. It is not an error if the service is not\n"
     "installed. The data folder is kept, unless --data is given."},
    {verb::start, "start", "", "[-- ARGUMENTS]", "start the service and wait until it accepts requests",
     "It is not an error if the service is already running. The start hooks receive the arguments after --, for this\n"
     "start only."},
    {verb::stop, "stop", "", "", "stop the service and wait until the requests in flight are complete",
     "It is not an error if the service is already stopped. Exit code 1460: the service stopped, but something did\n"
     "not finish within its time limit."},
    {verb::restart, "restart", "", "[-- ARGUMENTS]", "stop the service, then start it",
     "With --force, the services that depend on it are stopped before it and started after it."},
    {verb::pause, "pause", "", "", "pause the service; it keeps running and sends 503 to requests",
     "Requires a hook in the app."},
    {verb::resume, "continue", "", "", "resume a paused service", "Requires a hook in the app."},
    {verb::reload, "reload", "", "", "read the settings file again and run the reload hooks",
     "All new values are applied, or no value if one of them is invalid; the log shows the result."},
    {verb::control, "control", "", "N", "send a custom control (128 to 255) to the service",
     "Requires a hook in the app. The return value of the hook is the exit code."},
    {verb::status, "status", "", "", "show the state of the service, its address and its statistics",
     "Exit code: 0 running, 3 installed but not running, 4 not installed."},
    {verb::show, "show", "", "", "show everything that is installed",
     "Account, recovery, dependencies, environment, service SID, privileges, rights and arguments; with --command as\n"
     "the command that installs the same. Only that command has the values of environment variables."},
    {verb::debug, "debug", "run", "", "run the service in this terminal; Ctrl-C stops it gracefully",
     "The service need not be installed. Shows the routes, the requests and the log. You can start the program in a\n"
     "debugger, or attach one."},
    {verb::logs, "logs", "", "", "show the last entries of the service log",
     "Reads the log files in the data folder, even if the service is not running. Unless the app sets other limits,\n"
     "five files of at most 10 MiB are kept, and older entries are deleted."},
    {verb::level, "level", "", "LEVEL", "set the log level of the running service: debug, info, warn or error",
     "Applies until the service stops. The setting log_level is the level at the next start."},
    {verb::doctor, "doctor", "", "", "find problems that prevent the service from starting or serving",
     "Shows evidence and a remedy for each finding. --fix updates the installed service to what the program would\n"
     "install. Exit code: 0, or 1 if there is a problem."},
    {verb::why, "why", "", "", "explain why the service stopped or failed",
     "Uses the service control manager, the saved state of the service, its log and its last minidump."},
    {verb::prove, "prove", "", "", "check on this machine what winsvc states about Windows",
     "Installs a service with another name and its own data folder, starts it, stops it, makes it fail and removes\n"
     "it. Your app does not run. Takes up to five minutes and requires administrator rights. Exit code: 0, or 1 if a\n"
     "claim does not hold."},
    {verb::config, "config", "", "", "show each setting: its value, its source and its purpose",
     "Shows the values of the installed service, if it is installed. Sources, strongest first: the command line\n"
     "(--set, stored at install), the environment, the settings file, the default. Exit code 13: the file or a value\n"
     "is invalid."},
    {verb::routes, "routes", "", "", "show method, pattern, name and source line of each route", ""},
    {verb::help, "help", "", "[VERB]", "show this help, or the help of a verb", ""},
    {verb::version, "version", "", "", "show the version of the program and of winsvc", ""},
    {verb::run_service, "run-service", "", "", "",
     "The service control manager starts the program with this verb. Do not use it in a terminal."},
};

enum class option {
  startup, display_name, description, username, password_stdin, allow_writable_folder, depends, recovery,
  recovery_reset, preshutdown,
  environment, allow_control, host, port, set, unset, config, init, lines, follow, level, since, instance, start_after,
  plan, force, wait, no_wait, json, no_elevate, elevated, argument, why, fix, restart_after, hold, data, all,
  as_command, quiet, priority, recovery_command, restart_limit, report
};

/// Bit of a verb in a set of verbs.
constexpr std::uint32_t verb_bit(verb v) noexcept { return 1u << static_cast<int>(v); }
template <class... Verbs>
constexpr std::uint32_t verb_bits(Verbs... v) noexcept {
  return (verb_bit(v) | ...);
}
inline constexpr std::uint32_t verbs_that_install = verb_bits(verb::install, verb::update);
inline constexpr std::uint32_t verbs_that_wait =
    verbs_that_install |
    verb_bits(verb::remove, verb::start, verb::stop, verb::restart, verb::pause, verb::resume);
/// Verbs that Windows may deny to a process that is not elevated.
inline constexpr std::uint32_t verbs_that_manage = verbs_that_wait | verb_bits(verb::reload, verb::control);
inline constexpr std::uint32_t verbs_that_listen = verbs_that_install | verb_bits(verb::debug, verb::run_service);
inline constexpr std::uint32_t verbs_with_settings = verbs_that_listen | verb_bits(verb::config, verb::doctor);

struct option_info {
  option id;
  std::string_view word;
  std::string_view value;    ///< placeholder of the value in the help; empty for an option without a value
  std::uint32_t verbs;       ///< verbs that accept the option, as `verb_bits`
  std::string_view summary;  ///< one line of help; empty: the help does not show the option
  std::string_view alias = {};  ///< second spelling
};

inline constexpr option_info option_table[] = {
    {option::startup, "--startup", "auto|delayed|manual|disabled", verbs_that_install,
     "start type of the service (default auto)"},
    {option::display_name, "--display-name", "TEXT", verbs_that_install, "name in the Services window"},
    {option::description, "--description", "TEXT", verbs_that_install, "description in the Services window"},
    {option::username, "--username", "ACCOUNT", verbs_that_install,
     "account: virtual, system, local-service, network-service or DOMAIN\\name (default virtual)"},
    {option::password_stdin, "--password-stdin", "", verbs_that_install,
     "read the password of the account from the first line of standard input (default: prompt for it)"},
    {option::depends, "--depends", "A,B", verbs_that_install, "services that must run before this one; +G is a group"},
    {option::recovery, "--recovery", "ACTION,...", verbs_that_install,
     "action after each failure: restart/5s, none; the last one repeats (default restart/5s,restart/30s,restart/2m)"},
    {option::recovery_reset, "--recovery-reset", "TIME", verbs_that_install,
     "reset the failure count after this time without a failure (default 1d)"},
    {option::recovery_command, "--recovery-command", "TEXT", verbs_that_install,
     "command line that the action run/5s of --recovery starts, with the account of the service"},
    {option::restart_limit, "--restart-limit", "N", verbs_that_install,
     "restart at most N times until --recovery-reset has passed without a failure (default: no limit)"},
    {option::preshutdown, "--preshutdown", "TIME", verbs_that_install | verb_bit(verb::run_service),
     "time for the service to stop before Windows shuts down"},
    {option::environment, "--env", "NAME=VALUE", verbs_that_install,
     "set an environment variable of the service (repeatable); NAME= removes it"},
    {option::allow_control, "--allow-control", "USER", verbs_that_install,
     "allow a user or group to start and stop the service without elevation (repeatable)"},
    {option::allow_writable_folder, "--allow-writable-folder", "", verbs_that_install,
     "accept a program in a folder that ordinary users can change"},
    {option::host, "--host", "ADDRESS", verbs_with_settings, "address to listen on"},
    {option::port, "--port", "N", verbs_with_settings, "port to listen on; 0 selects a free port"},
    {option::set, "--set", "NAME=VALUE", verbs_with_settings,
     "set a setting (repeatable); 'config' lists the settings"},
    {option::unset, "--unset", "NAME", verbs_that_install, "remove a value that an earlier install stored with --set"},
    {option::config, "--config", "FILE", verbs_with_settings,
     "settings file (default: the program's name with .ini, in the folder of the program)"},
    {option::fix, "--fix", "", verb_bit(verb::doctor), "fix the problems that need no decision"},
    {option::report, "--report", "FILE", verb_bit(verb::prove), "also write the result as an HTML page"},
    {option::init, "--init", "", verb_bit(verb::config), "write a settings file with each setting commented out"},
    {option::lines, "-n", "N", verb_bit(verb::logs), "number of entries (default 20; all with --since)", "--lines"},
    {option::follow, "-f", "", verb_bit(verb::logs), "follow the log: show new entries until Ctrl-C", "--follow"},
    {option::level, "--level", "LEVEL", verb_bit(verb::logs),
     "minimum level: debug, info, warn or error (default debug)"},
    {option::since, "--since", "TIME", verb_bit(verb::logs), "show the entries of the last 10m, 2h, 1d"},
    {option::instance, "--instance", "NAME",
     verbs_that_manage | verb_bits(verb::status, verb::debug, verb::config, verb::logs, verb::level, verb::doctor,
                                   verb::why, verb::show, verb::run_service),
     "instance to use; an instance is a service with its own name, settings and data"},
    {option::start_after, "--start", "", verbs_that_install, "start the service afterwards"},
    {option::restart_after, "--restart", "", verb_bit(verb::update), "restart the service afterwards, if it runs"},
    {option::priority, "--priority", "idle|below-normal|normal|above-normal|high",
     verbs_that_install | verb_bit(verb::run_service), "priority of the process (default normal)"},
    {option::plan, "--plan", "", verbs_that_install, "show the changes without applying them"},
    {option::force, "--force", "", verb_bits(verb::stop, verb::restart, verb::remove),
     "stop the services that depend on this one, too"},
    {option::why, "--why", "TEXT", verb_bits(verb::stop, verb::restart), "reason for the stop, for the service log"},
    {option::wait, "--wait", "SECONDS", verbs_that_wait, "maximum time to wait for completion (default 60)"},
    {option::no_wait, "--no-wait", "",
     verb_bits(verb::start, verb::stop, verb::restart, verb::pause, verb::resume),
     "send the control and return at once; restart waits for the stop"},
    {option::hold, "--hold", "", verb_bit(verb::stop),
     "disable the service until 'start', so that a queued restart does not start it"},
    {option::data, "--data", "", verb_bit(verb::remove), "delete the data folder with the log, too"},
    {option::all, "--all", "", verb_bit(verb::status), "show every service that this program runs"},
    {option::as_command, "--command", "", verb_bit(verb::show), "print the command that installs the same"},
    {option::json, "--json", "",
     verbs_that_install | verb_bits(verb::status, verb::routes, verb::config, verb::doctor, verb::why, verb::show,
                                    verb::logs, verb::version, verb::prove),
     "print JSON; for install and update, with --plan"},
    {option::quiet, "--quiet", "", verbs_that_manage, "print only errors and warnings", "-q"},
    {option::no_elevate, "--no-elevate", "", verbs_that_manage,
     "fail if elevation is required, instead of requesting it"},
    {option::elevated, "--elevated", "PIPE", verbs_that_manage, ""},  // marks the elevated process (os/elevation.hpp)
    {option::argument, "--argument", "TEXT", verb_bits(verb::start, verb::restart), ""},  // one argument after --
};

/// An option that is not supported, with the reason. The parser shows it instead of "unknown option".
struct rejected_option {
  std::string_view word;
  bool has_value;
  std::string_view message, hint;
};
inline constexpr rejected_option rejected_options[] = {
    {"--password", true, "every user of this machine can read command lines",
     "omit it to be prompted for the password, or pipe it in with --password-stdin"},
    {"--interactive", false, "services have had no desktop since Windows Vista", "omit it"},
};

/// Returns the row of a verb.
[[nodiscard]] const verb_info& info(verb v) noexcept;

/// Returns the help screen. `program`: name of the program in the usage line. `description`: first line, from the app;
/// may be empty.
[[nodiscard]] std::string help_text(std::string_view program, std::string_view description);
/// Returns the help of one verb with its options.
[[nodiscard]] std::string help_text(std::string_view program, verb v);

}  // namespace detail::commandline
}  // inline namespace WINSVC_ABI
}  // namespace winsvc

// ---------------------------------------------------------------------------------------------------------------------

#if WINSVC_BODIES_COMMANDLINE

namespace winsvc {
inline namespace WINSVC_ABI {
namespace detail::commandline {

WINSVC_INLINE const verb_info& info(verb v) noexcept {
  for (const auto& row : verb_table) {
    if (row.id == v) return row;
  }
  return verb_table[0];
}

WINSVC_INLINE std::string help_text(std::string_view program, std::string_view description) {
  std::string out;
  if (!description.empty()) out += std::string(description) + "\n\n";
  out += "usage: " + std::string(program) + " VERB [options]\n\n";
  for (const auto& row : verb_table) {
    if (!row.summary.empty()) out += "  " + base::pad_right(row.word, 10) + std::string(row.summary) + '\n';
  }
  return out + "\n'" + std::string(program) + " help VERB' shows the options of a verb.\n";
}

WINSVC_INLINE std::string help_text(std::string_view program, verb v) {
  const verb_info& row = info(v);
  std::string out = "usage: " + std::string(program) + ' ' + std::string(row.word);
  std::string options;
  for (const auto& o : option_table) {
    if ((o.verbs & verb_bit(v)) == 0 || o.summary.empty()) continue;
    const std::string syntax = std::string(o.word) + (o.value.empty() ? "" : " " + std::string(o.value));
    options += "  " + syntax + "\n      " + std::string(o.summary) + '\n';
  }
  if (!options.empty()) out += " [options]";
  if (!row.arguments.empty()) out += ' ' + std::string(row.arguments);
  out += "\n\n";
  if (!row.summary.empty())
    out += static_cast<char>(base::to_upper(row.summary[0])) + std::string(row.summary.substr(1)) + ".\n";
  if (!row.details.empty()) out += std::string(row.details) + '\n';
  if (!options.empty()) out += '\n' + options;
  return out;
}

}  // namespace detail::commandline
}  // inline namespace WINSVC_ABI
}  // namespace winsvc

#endif  // WINSVC_BODIES_COMMANDLINE
