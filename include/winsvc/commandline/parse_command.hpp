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
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "winsvc/base/quote.hpp"
#include "winsvc/base/result.hpp"
#include "winsvc/base/text.hpp"
#include "winsvc/commandline/command.hpp"
#include "winsvc/commandline/option_values.hpp"
#include "winsvc/commandline/verbs.hpp"
#include "winsvc/config/abi.hpp"
#include "winsvc/scm/spec.hpp"

namespace winsvc {
inline namespace WINSVC_ABI {
namespace detail::commandline {

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
      return usage_error("'" + std::string(word) + "' is not a log level", log_level_hint);
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
  bool is_value = true;  // the first word is the verb, which is not split either
  for (const auto& word : arguments) {
    const bool is_short = !is_value && word.size() > 2 && word[0] == '-' && word[1] == 'n' && base::is_digit(word[2]);
    if (is_short) out.insert(out.end(), {"-n", word.substr(2)});
    else out.push_back(word);
    is_value = has_value(word);
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
