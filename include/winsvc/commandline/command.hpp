// Command-line parser: converts argv to a `command`, with the tables of commandline/verbs.hpp. It has no other effect.
//
//   const auto command = parse_command({"install", "--port", "5001"});
//   command->verb;               // verb::install
//   *command->launch.port;       // 5001
//
// Verbs and options are not case-sensitive. `--opt value` and `--opt=value` are equal. Options may precede the verb, as
// in pywin32. A usage error (exit code 2) suggests the nearest word. An empty command line is
// `help` with `no_arguments` set: without a terminal, the program then tries to connect to the SCM first.
#pragma once

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "winsvc/base/duration.hpp"
#include "winsvc/base/log.hpp"
#include "winsvc/base/quote.hpp"
#include "winsvc/base/result.hpp"
#include "winsvc/base/text.hpp"
#include "winsvc/config/abi.hpp"
#include "winsvc/base/error_codes.hpp"
#include "winsvc/scm/install_request.hpp"
#include "winsvc/scm/spec.hpp"
#include "winsvc/commandline/verbs.hpp"

namespace winsvc {
inline namespace WINSVC_ABI {
namespace detail::commandline {

/// Options of `install` and `update`.
struct install_options {
  scm::install_request request;
  bool must_exist = false;   ///< update: a missing service is an error
  bool start_after = false;    ///< --start
  bool restart_after = false;  ///< --restart
  bool allow_writable_folder = false;
  bool plan = false;           ///< --plan
  bool json = false;           ///< --plan --json
};

/// Options of the verbs that start, stop and control a service.
struct control_options {
  std::vector<std::string> arguments;      ///< start, restart: the arguments after --
  std::uint32_t number = 0;                ///< control N
  std::optional<std::string> stop_reason;  ///< stop, restart: --why
  bool force = false;
  bool no_wait = false;
  bool hold = false;         ///< stop --hold
  bool remove_data = false;  ///< remove --data
  std::chrono::milliseconds wait{60'000};
};

/// Options of `logs` and `level`.
struct log_options {
  std::optional<std::size_t> max_entries;          ///< logs -n
  bool follow = false;                             ///< logs -f
  log_level level = log_level::debug;              ///< logs --level, level LEVEL
  bool has_level = false;                          ///< level LEVEL was present
  std::optional<std::chrono::milliseconds> since;  ///< logs --since, as a duration before now
};

/// Options of the verbs that print a report.
struct report_options {
  bool json = false;
  bool all = false;         ///< status --all
  bool as_command = false;  ///< show --command
  bool init = false;  ///< config --init
  bool fix = false;   ///< doctor --fix
  std::optional<std::string> file;  ///< prove --report
};

/// A parsed command line. Only the options of its verb are set.
struct command {
  commandline::verb verb = commandline::verb::help;
  bool no_arguments = false;               ///< the command line was empty
  std::optional<commandline::verb> topic;  ///< help VERB
  scm::launch_options launch;
  install_options install;
  control_options control;
  log_options log;
  report_options report;
  bool quiet = false;  ///< print only errors and warnings
  bool no_elevate = false;
  std::optional<std::string> elevated;  ///< this is the elevated process; the value is the pipe of its parent
};

/// Parses `arguments`, which is argv without the name of the program, in UTF-8. The error is a usage error.
[[nodiscard]] result<command> parse_command(const std::vector<std::string>& arguments);

/// Returns the arguments for the elevated process. Arguments after `--` become `--argument=` options, so that the
/// caller can append an option.
[[nodiscard]] std::vector<std::string> elevated_arguments(const std::vector<std::string>& arguments);

/// Returns the options that an earlier install wrote to an ImagePath with `image_path`; empty if another program wrote
/// the ImagePath.
[[nodiscard]] scm::launch_options launch_options_of(const std::string& image_path);

}  // namespace detail::commandline
}  // inline namespace WINSVC_ABI
}  // namespace winsvc

// ---------------------------------------------------------------------------------------------------------------------

#if WINSVC_BODIES_COMMANDLINE

namespace winsvc {
inline namespace WINSVC_ABI {
namespace detail::commandline {

WINSVC_INLINE failure<error> usage_error(std::string message, std::string hint) {
  return {base::usage_error(std::move(message), std::move(hint))};
}

/// Returns "did you mean 'x'?", or `fallback` if no known word is similar.
WINSVC_INLINE std::string suggestion(std::string_view word, const std::vector<std::string_view>& known,
                                     std::string fallback) {
  const auto best = base::closest_match(word, known);
  return best.empty() ? fallback : "did you mean '" + std::string(best) + "'?";
}

WINSVC_INLINE const verb_info* find_verb(std::string_view word) {
  for (const auto& row : verb_table) {
    const auto aliases = base::split(row.aliases, ' ');
    const bool is_alias = std::any_of(aliases.begin(), aliases.end(), [word](std::string_view alias) {
      return !alias.empty() && base::equal_nocase(alias, word);
    });
    if (is_alias || base::equal_nocase(row.word, word)) return &row;
  }
  return nullptr;
}

WINSVC_INLINE bool is_help_request(std::string_view word) noexcept {
  for (const std::string_view spelling : {"--help", "-h", "-?", "/?"}) {
    if (base::equal_nocase(word, spelling)) return true;
  }
  return false;
}

WINSVC_INLINE bool is_version_request(std::string_view word) noexcept {
  return base::equal_nocase(word, "--version") || base::equal_nocase(word, "-v");
}

WINSVC_INLINE result<const verb_info*> verb_of(std::string_view word) {
  if (is_help_request(word)) return &info(verb::help);
  if (is_version_request(word)) return &info(verb::version);
  if (const auto* found = find_verb(word)) return found;

  std::vector<std::string_view> known;
  for (const auto& row : verb_table) {
    if (!row.summary.empty()) known.push_back(row.word);
  }
  return usage_error("unknown verb '" + std::string(word) + "'", suggestion(word, known, "'help' lists the verbs"));
}

WINSVC_INLINE result<const option_info*> option_of(std::string_view word, const verb_info& v) {
  std::vector<std::string_view> known;
  for (const auto& o : option_table) {
    const bool is_accepted = (o.verbs & verb_bit(v.id)) != 0;
    if (base::equal_nocase(o.word, word) || (!o.alias.empty() && base::equal_nocase(o.alias, word))) {
      if (is_accepted) return &o;
      return usage_error("'" + std::string(v.word) + "' does not accept the option " + std::string(o.word),
                         "'help " + std::string(v.word) + "' lists its options");
    }
    if (is_accepted && !o.summary.empty()) known.push_back(o.word);
  }
  for (const auto& o : rejected_options) {
    if (base::equal_nocase(o.word, word))
      return usage_error(std::string(o.word) + " is not supported: " + std::string(o.message), std::string(o.hint));
  }
  return usage_error("unknown option '" + std::string(word) + "'",
                     suggestion(word, known, "'help " + std::string(v.word) + "' lists the options"));
}

/// Parses `A,B`. The items must not be empty; an empty text is an empty list.
WINSVC_INLINE std::optional<std::vector<std::string>> parse_list(std::string_view text) {
  std::vector<std::string> items;
  if (base::trim(text).empty()) return items;
  for (const auto& item : base::split(text, ',')) {
    items.emplace_back(base::trim(item));
    if (items.back().empty() || items.back() == "+") return std::nullopt;
  }
  return items;
}

/// Stores the value of an option in `command`. Returns false if the option does not accept the value.
WINSVC_INLINE bool parse_value(command& command, option o, std::string_view value) {
  const auto store_text = [&](std::optional<std::string>& field) {
    field = std::string(value);
    return !value.empty();
  };
  switch (o) {
    case option::startup: return (command.install.request.startup = parse_startup(value)).has_value();
    case option::display_name: command.install.request.display_name = std::string(value); return true;
    case option::description: command.install.request.description = std::string(value); return true;
    case option::username: return store_text(command.install.request.username);
    case option::allow_writable_folder: return command.install.allow_writable_folder = true;
    case option::password_stdin: return command.install.request.reads_password = true;
    case option::depends: return (command.install.request.depends_on = parse_list(value)).has_value();
    case option::recovery: return (command.install.request.recovery = scm::parse_recovery(value)).has_value();
    case option::recovery_command: return store_text(command.install.request.recovery_command);
    case option::restart_limit: {
      std::uint64_t limit = 0;
      if (!base::parse_number(value, 1000, limit)) return false;
      command.install.request.restart_limit = static_cast<unsigned>(limit);
      return true;
    }
    case option::recovery_reset: {
      const auto reset = base::parse_duration(value);
      if (!reset || reset->count() % 1000 != 0) return false;
      command.install.request.recovery_reset = std::chrono::duration_cast<std::chrono::seconds>(*reset);
      return true;
    }
    case option::preshutdown:
      command.launch.preshutdown = base::parse_duration(value);
      return command.launch.preshutdown && *command.launch.preshutdown <= std::chrono::hours(24);
    case option::environment:
      command.install.request.environment.emplace_back(value);
      return value.find('=') != 0 && value.find('=') != value.npos;
    case option::allow_control: command.install.request.allow_control.emplace_back(value); return !value.empty();
    case option::host: return store_text(command.launch.host);
    case option::port: {
      std::uint64_t port = 0;
      if (!base::parse_number(value, 65'535, port)) return false;
      command.launch.port = static_cast<std::uint16_t>(port);
      return true;
    }
    case option::set: {
      const auto equals = value.find('=');
      if (equals == value.npos || !settings::is_setting_name(value.substr(0, equals))) return false;
      // Host and port also have an option of their own name. They are stored in one place, so that the last value wins.
      const std::string name = settings::setting_name(value.substr(0, equals));
      if (name == "host") return command.launch.host = value.substr(equals + 1), true;
      std::uint64_t port = 0;
      if (name == "port" && base::parse_number(value.substr(equals + 1), 65'535, port))
        return command.launch.port = static_cast<std::uint16_t>(port), true;
      command.launch.settings.emplace_back(value.substr(0, equals), value.substr(equals + 1));
      return true;
    }
    case option::unset: command.launch.unset_settings.emplace_back(value); return settings::is_setting_name(value);
    case option::config: return store_text(command.launch.config);
    case option::report: return store_text(command.report.file);
    case option::init: return command.report.init = true;
    case option::fix: return command.report.fix = true;
    case option::lines: {
      std::uint64_t count = 0;
      if (!base::parse_number(value, 1'000'000'000, count)) return false;
      command.log.max_entries = static_cast<std::size_t>(count);
      return true;
    }
    case option::follow: return command.log.follow = true;
    case option::level: {
      const auto level = parse_log_level(value);
      if (level) command.log.level = *level;
      return level.has_value();
    }
    case option::since: return (command.log.since = base::parse_duration(value)).has_value();
    case option::instance: return store_text(command.launch.instance) && scm::check_instance(value);
    case option::start_after: return command.install.start_after = true;
    case option::restart_after: return command.install.restart_after = true;
    case option::hold: return command.control.hold = true;
    case option::data: return command.control.remove_data = true;
    case option::all: return command.report.all = true;
    case option::as_command: return command.report.as_command = true;
    case option::quiet: return command.quiet = true;
    case option::priority: return (command.launch.priority = scm::parse_priority(value)).has_value();
    case option::plan: return command.install.plan = true;
    case option::force: return command.control.force = true;
    case option::wait: {
      const auto wait = base::parse_duration(value);
      if (wait) command.control.wait = *wait;
      return wait.has_value();
    }
    case option::no_wait: return command.control.no_wait = true;
    case option::json: return command.report.json = true;
    case option::no_elevate: return command.no_elevate = true;
    case option::elevated: return store_text(command.elevated);
    case option::why: return store_text(command.control.stop_reason);
    case option::argument: command.control.arguments.emplace_back(value); return true;
  }
  return false;
}

/// Returns the hint for a value that the option does not accept.
WINSVC_INLINE std::string used_values(const option_info& o) {
  switch (o.id) {
    case option::startup: return "use one of " + std::string(o.value);
    case option::username: return "write virtual, system, local-service, network-service or DOMAIN\\name";
    case option::depends: return "write service names separated by commas, or \"\" for no dependencies";
    case option::recovery:
      return "write restart/TIME, reboot/TIME, run/TIME and none, separated by commas, such as restart/5s,run/1m,none";
    case option::restart_limit: return "write a number of restarts, such as 5; 0 restarts it never";
    case option::recovery_reset: return "write a time in whole seconds, such as 1d";
    case option::preshutdown: return "write a time of up to a day, such as 30s";
    case option::environment: return "write NAME=VALUE, or NAME= to remove the variable";
    case option::allow_control: return "write a user or a group, such as DOMAIN\\name";
    case option::host: return "write an address, such as 127.0.0.1 or 0.0.0.0";
    case option::port: return "a port is a number from 0 to 65535";
    case option::set: return "write NAME=VALUE";
    case option::unset: return "write the name of a setting";
    case option::lines: return "write a number";
    case option::level: return "use debug, info, warn or error";
    case option::since: return "write a time, such as 10m or 2h";
    case option::instance: return "write 1 to 64 letters, digits, '-', '_' and '.', such as blue";
    case option::priority: return "use one of " + std::string(o.value);
    case option::wait: return "write a time in seconds, such as 30, or 2m";
    default: return "write " + std::string(o.word) + ' ' + std::string(o.value);
  }
}

WINSVC_INLINE result<void> apply_option(command& command, const option_info& o, std::string_view value) {
  if (o.id == option::display_name) {
    if (const auto checked = scm::check_display_name(value); !checked)
      return usage_error(std::string(o.word) + ": " + checked.error().message, checked.error().hint);
  }
  if (parse_value(command, o.id, value)) return {};
  return usage_error(std::string(o.word) + " does not accept '" + std::string(base::truncate(value, 80)) + "'",
                     used_values(o));
}

/// Stores an argument that is not an option: the topic of help, the number of control, the level of level.
WINSVC_INLINE result<void> apply_positional(command& command, const verb_info& v, std::string_view word) {
  if (v.id == verb::help && !command.topic) {
    const auto topic = verb_of(word);
    if (!topic) return failure{topic.error()};
    command.topic = (*topic)->id;
    return {};
  }
  if (v.id == verb::control && command.control.number == 0) {
    std::uint64_t number = 0;
    if (!base::parse_number(word, 255, number) || number < 128)
      return usage_error("'" + std::string(word) + "' is not a custom control", "use 128 to 255");
    command.control.number = static_cast<std::uint32_t>(number);
    return {};
  }
  if (v.id == verb::level && !command.log.has_level) {
    const auto level = parse_log_level(word);
    if (!level)
      return usage_error("'" + std::string(word) + "' is not a log level", "use debug, info, warn or error");
    command.log.level = *level;
    command.log.has_level = true;
    return {};
  }
  return usage_error("'" + std::string(v.word) + "' does not accept the argument '" + std::string(word) + "'",
                     "options begin with --; 'help " + std::string(v.word) + "' lists them");
}

WINSVC_INLINE bool has_value(std::string_view option) noexcept {
  for (const auto& o : option_table) {
    if (base::equal_nocase(o.word, option) || (!o.alias.empty() && base::equal_nocase(o.alias, option)))
      return !o.value.empty();
  }
  for (const auto& o : rejected_options) {
    if (base::equal_nocase(o.word, option)) return o.has_value;
  }
  return false;
}

/// Splits `-n5` into `-n` and `5`: an option of one letter whose value follows directly.
WINSVC_INLINE std::vector<std::string> split_short_options(const std::vector<std::string>& arguments) {
  std::vector<std::string> out;
  bool is_value = false;
  for (const auto& word : arguments) {
    const bool is_short = !is_value && word.size() > 2 && word[0] == '-' && word[1] == 'n' && base::is_digit(word[2]);
    if (is_short) out.insert(out.end(), {"-n", word.substr(2)});
    else out.push_back(word);
    is_value = !is_short && word.size() > 1 && word[0] == '-' && has_value(word);
    if (word == "--") {  // the other words are arguments of the service
      out.insert(out.end(), arguments.begin() + (&word - arguments.data()) + 1, arguments.end());
      break;
    }
  }
  return out;
}

/// Moves the verb to the front. In pywin32, options precede the verb: `app --startup auto install`.
WINSVC_INLINE std::vector<std::string> move_verb_first(std::vector<std::string> arguments) {
  if (is_help_request(arguments[0]) || is_version_request(arguments[0])) return arguments;
  for (std::size_t i = 0; i < arguments.size() && arguments[i] != "--"; ++i) {
    if (arguments[i].size() < 2 || arguments[i][0] != '-') {
      std::rotate(arguments.begin(), arguments.begin() + static_cast<std::ptrdiff_t>(i),
                  arguments.begin() + static_cast<std::ptrdiff_t>(i) + 1);
      break;
    }
    if (has_value(arguments[i])) ++i;  // skip the value
  }
  return arguments;
}

WINSVC_INLINE result<command> parse_command(const std::vector<std::string>& original) {
  command command;
  if (original.empty()) {
    command.no_arguments = true;
    return command;
  }
  const auto arguments = split_short_options(move_verb_first(original));
  const auto found_verb = verb_of(arguments[0]);
  if (!found_verb) return failure{found_verb.error()};
  const verb_info& v = **found_verb;
  command.verb = v.id;

  for (std::size_t i = 1; i < arguments.size(); ++i) {
    const std::string_view word = arguments[i];
    if (is_help_request(word)) {
      command.topic = command.verb;
      command.verb = verb::help;
      return command;
    }
    if (word == "--" && (verb_bit(v.id) & verb_bits(verb::start, verb::restart)) != 0) {
      command.control.arguments.insert(command.control.arguments.end(),
                                       arguments.begin() + static_cast<std::ptrdiff_t>(i) + 1, arguments.end());
      break;
    }
    if (word.size() < 2 || word[0] != '-') {
      if (auto applied = apply_positional(command, v, word); !applied) return failure{applied.error()};
      continue;
    }

    const auto equals = word.find('=');
    const auto o = option_of(word.substr(0, equals), v);
    if (!o) return failure{o.error()};
    std::string_view value;
    if ((*o)->value.empty()) {
      if (equals != std::string_view::npos)
        return usage_error(std::string((*o)->word) + " does not accept a value", "write it without '='");
    } else if (equals != std::string_view::npos) {
      value = word.substr(equals + 1);
    } else {
      if (i + 1 == arguments.size()) {
        return usage_error(std::string((*o)->word) + " needs a value",
                           "write " + std::string((*o)->word) + ' ' + std::string((*o)->value));
      }
      value = arguments[++i];
    }
    if (auto applied = apply_option(command, **o, value); !applied) return failure{applied.error()};
  }
  if (command.verb == verb::control && command.control.number == 0)
    return usage_error("'control' needs a number", "write control N, where N is 128 to 255");
  if (command.verb == verb::level && !command.log.has_level)
    return usage_error("'level' needs a level", "write level debug, info, warn or error");
  command.install.request.launch = command.launch;
  command.install.must_exist = command.verb == verb::update;
  command.install.json = command.report.json;
  if (command.report.json && (verb_bit(command.verb) & verbs_that_install) != 0 && !command.install.plan)
    return usage_error("--json needs --plan", "write " + std::string(v.word) + " --plan --json");
  return command;
}

WINSVC_INLINE std::vector<std::string> elevated_arguments(const std::vector<std::string>& arguments) {
  const auto separator = std::find(arguments.begin(), arguments.end(), "--");
  std::vector<std::string> out(arguments.begin(), separator);
  if (separator == arguments.end()) return out;
  for (auto it = separator + 1; it != arguments.end(); ++it) out.push_back("--argument=" + *it);
  return out;
}

WINSVC_INLINE scm::launch_options launch_options_of(const std::string& image_path) {
  // Each option is parsed separately, so that an unknown option of another version loses only itself.
  const auto arguments = base::split_command_line(image_path);
  scm::launch_options options;
  if (arguments.size() < 2 || arguments[1] != scm::run_service_verb) return options;
  for (std::size_t i = 2; i + 1 < arguments.size(); ++i) {
    const auto command = parse_command({std::string(scm::run_service_verb), arguments[i], arguments[i + 1]});
    if (command) options = command->launch.override_with(options);
  }
  return options;
}

}  // namespace detail::commandline
}  // inline namespace WINSVC_ABI
}  // namespace winsvc

#endif  // WINSVC_BODIES_COMMANDLINE
