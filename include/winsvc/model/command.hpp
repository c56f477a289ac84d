// From argv to what is asked: pure, by the tables of model/verbs.hpp.
//
//   auto asked = parse_command({"install", "--port", "5001"});
//   if (asked) asked->verb == verb::install; *asked->listen.port == 5001;
//
// Verbs and options are case-blind; `--opt value` and `--opt=value` are the same. A mistake is an error without a code
// (the exit code is 2) that suggests the nearest word. No words at all is `help`, with `bare` set, so that the program
// can try the service control manager first where there is no terminal.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "winsvc/base/duration.hpp"
#include "winsvc/base/quote.hpp"
#include "winsvc/base/result.hpp"
#include "winsvc/base/text.hpp"
#include "winsvc/config/abi.hpp"
#include "winsvc/model/codes.hpp"
#include "winsvc/model/spec.hpp"
#include "winsvc/model/verbs.hpp"

namespace winsvc {
inline namespace WINSVC_ABI {
namespace model {

/// What the command line asks for.
struct command {
  model::verb verb = model::verb::help;
  bool bare = false;                      ///< there were no words at all
  std::optional<model::verb> topic;       ///< help VERB
  std::optional<winsvc::startup> startup;
  std::optional<std::string> display_name;
  std::optional<std::string> description;
  launch_options launch;
  std::chrono::milliseconds wait{60'000};
  bool no_wait = false;
  bool json = false;
};

/// `words` is argv without the program's name, in UTF-8.
[[nodiscard]] result<command> parse_command(const std::vector<std::string>& words);

/// What an earlier install left in an ImagePath (model::image_path made it); nothing where it is not one of ours.
[[nodiscard]] launch_options launch_options_in(const std::string& image_path);

// ---------------------------------------------------------------------------------------------------------------------

inline failure<error> usage_error(std::string said, std::string hint) {
  return {error{0, {}, {}, std::move(said), std::move(hint)}};
}

/// "did you mean 'x'?", or where to look.
inline std::string suggestion(std::string_view word, const std::vector<std::string_view>& known,
                              std::string otherwise) {
  const auto best = text::nearest(word, known);
  return best.empty() ? otherwise : "did you mean '" + std::string(best) + "'?";
}

inline const verb_row* find_verb(std::string_view word) noexcept {
  for (const auto& r : verb_table) {
    if (text::equal_nocase(r.word, word) || (!r.also.empty() && text::equal_nocase(r.also, word))) return &r;
  }
  return nullptr;
}

inline bool asks_for_help(std::string_view word) noexcept {
  for (const std::string_view spelling : {"--help", "-h", "-?", "/?"}) {
    if (text::equal_nocase(word, spelling)) return true;
  }
  return false;
}

inline result<const verb_row*> verb_of(std::string_view word) {
  if (asks_for_help(word)) return &row(verb::help);
  if (text::equal_nocase(word, "--version")) return &row(verb::version);
  if (const auto* found = find_verb(word)) return found;

  std::vector<std::string_view> known;
  for (const auto& r : verb_table) {
    if (!r.summary.empty()) known.push_back(r.word);
  }
  return usage_error("unknown verb '" + std::string(word) + "'", suggestion(word, known, "'help' lists the verbs"));
}

inline result<const option_row*> option_of(std::string_view word, const verb_row& v) {
  std::vector<std::string_view> known;
  for (const auto& o : option_table) {
    const bool taken = (o.verbs & bit(v.id)) != 0;
    if (text::equal_nocase(o.word, word)) {
      if (taken) return &o;
      return usage_error("'" + std::string(v.word) + "' takes no option " + std::string(o.word),
                         "'help " + std::string(v.word) + "' lists the ones it takes");
    }
    if (taken) known.push_back(o.word);
  }
  return usage_error("unknown option '" + std::string(word) + "'",
                     suggestion(word, known, "'help " + std::string(v.word) + "' lists the options"));
}

/// Puts one option's value where it belongs.
inline result<void> apply_option(command& into, const option_row& o, std::string_view value) {
  const auto refuse = [&](std::string hint) {
    return usage_error(std::string(o.word) + " does not take '" + std::string(value) + "'", std::move(hint));
  };
  switch (o.id) {
    case option::startup:
      into.startup = parse_startup(value);
      if (!into.startup) return refuse("it is one of " + std::string(o.value));
      return {};
    case option::display_name:
      if (const auto good = check_display_name(value); !good) {
        return usage_error(std::string(o.word) + ": " + good.error().said, good.error().hint);
      }
      into.display_name = std::string(value);
      return {};
    case option::description: into.description = std::string(value); return {};
    case option::host:
      if (value.empty()) return refuse("give an address, such as 127.0.0.1 or 0.0.0.0");
      into.launch.host = std::string(value);
      return {};
    case option::port: {
      std::uint64_t port = 0;
      if (!text::parse_number(value, 65'535, port)) return refuse("a port is a number from 0 to 65535");
      into.launch.port = static_cast<std::uint16_t>(port);
      return {};
    }
    case option::wait: {
      const auto wait = parse_duration(value);
      if (!wait) return refuse("give seconds, such as 30, or 2m");
      into.wait = *wait;
      return {};
    }
    case option::no_wait: into.no_wait = true; return {};
    case option::json: into.json = true; return {};
  }
  return {};
}

inline result<command> parse_command(const std::vector<std::string>& words) {
  command asked;
  if (words.empty()) {
    asked.bare = true;
    return asked;
  }
  const auto verb_found = verb_of(words[0]);
  if (!verb_found) return failure{verb_found.error()};
  const verb_row& v = **verb_found;
  asked.verb = v.id;

  for (std::size_t i = 1; i < words.size(); ++i) {
    const std::string_view word = words[i];
    if (asks_for_help(word)) {
      asked.topic = asked.verb;
      asked.verb = verb::help;
      return asked;
    }
    if (word.size() < 2 || word[0] != '-') {
      if (v.id == verb::help && !asked.topic) {
        const auto topic = verb_of(word);
        if (!topic) return failure{topic.error()};
        asked.topic = (*topic)->id;
        continue;
      }
      return usage_error("'" + std::string(v.word) + "' takes no argument '" + std::string(word) + "'",
                         "options begin with --; 'help " + std::string(v.word) + "' lists them");
    }

    const auto equals = word.find('=');
    const auto o = option_of(word.substr(0, equals), v);
    if (!o) return failure{o.error()};
    std::string_view value;
    if ((*o)->value.empty()) {
      if (equals != std::string_view::npos)
        return usage_error(std::string((*o)->word) + " takes no value", "write it alone");
    } else if (equals != std::string_view::npos) {
      value = word.substr(equals + 1);
    } else {
      if (i + 1 == words.size()) {
        return usage_error(std::string((*o)->word) + " needs a value",
                           "write " + std::string((*o)->word) + ' ' + std::string((*o)->value));
      }
      value = words[++i];
    }
    if (auto applied = apply_option(asked, **o, value); !applied) return failure{applied.error()};
  }
  return asked;
}

inline launch_options launch_options_in(const std::string& image_path) {
  // Pair by pair, so that an option of another version costs nothing but itself.
  const auto words = split_command_line(image_path);
  launch_options found;
  if (words.size() < 2 || words[1] != run_service_word) return found;
  for (std::size_t i = 2; i + 1 < words.size(); ++i) {
    const auto asked = parse_command({std::string(run_service_word), words[i], words[i + 1]});
    if (asked) found = asked->launch.over(found);
  }
  return found;
}

}  // namespace model
}  // inline namespace WINSVC_ABI
}  // namespace winsvc
