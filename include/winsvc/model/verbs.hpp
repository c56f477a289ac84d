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

enum class verb { help, version, install, remove, start, stop, restart, status, debug, routes, run_service };

struct verb_row {
  verb id;
  std::string_view word;
  std::string_view also;     ///< a second spelling, or empty
  std::string_view summary;  ///< one line of help; empty hides the verb
  std::string_view details;  ///< what `help VERB` adds
};

inline constexpr verb_row verb_table[] = {
    {verb::install, "install", "", "create the service, or bring an existing one to what is asked",
     "Needs an elevated prompt. What is given here is kept in the service's command line, so that it holds at\n"
     "every start; an existing service keeps what is not given anew."},
    {verb::remove, "remove", "uninstall", "stop the service, delete it, wait until it is gone",
     "Needs an elevated prompt. A service that is not installed is no error."},
    {verb::start, "start", "", "start the service and wait until it serves",
     "A service that runs already is no error."},
    {verb::stop, "stop", "", "stop the service and wait until it has answered every request",
     "A service that is stopped already is no error."},
    {verb::restart, "restart", "", "stop, then start", ""},
    {verb::status, "status", "", "what the service is doing, and where it listens",
     "Exit code: 0 running, 3 installed and not running, 4 not installed."},
    {verb::debug, "debug", "run", "serve in this terminal; Ctrl-C drains and stops",
     "Needs no installation. Attach a debugger, or start the program in one. Routes, requests and the log are shown."},
    {verb::routes, "routes", "", "method, pattern and source line of every route", ""},
    {verb::help, "help", "", "this, or the help of one verb", ""},
    {verb::version, "version", "", "the version of the program and of winsvc", ""},
    {verb::run_service, "run-service", "", "",
     "How the service control manager starts this program. Not for a person."},
};

enum class option { startup, display_name, description, host, port, wait, no_wait, json };

constexpr std::uint32_t bit(verb v) noexcept { return 1u << static_cast<int>(v); }

struct option_row {
  option id;
  std::string_view word;
  std::string_view value;  ///< what it takes, as the help shows it; empty for a switch
  std::uint32_t verbs;     ///< who takes it
  std::string_view summary;
};

inline constexpr option_row option_table[] = {
    {option::startup, "--startup", "auto|delayed|manual|disabled", bit(verb::install),
     "when the system starts it; default auto"},
    {option::display_name, "--display-name", "TEXT", bit(verb::install), "the name that the Services window shows"},
    {option::description, "--description", "TEXT", bit(verb::install), "the line under it"},
    {option::host, "--host", "ADDRESS", bit(verb::install) | bit(verb::debug) | bit(verb::run_service),
     "the address to listen on"},
    {option::port, "--port", "N", bit(verb::install) | bit(verb::debug) | bit(verb::run_service),
     "the port to listen on; 0 picks a free one"},
    {option::wait, "--wait", "SECONDS", bit(verb::start) | bit(verb::stop) | bit(verb::restart) | bit(verb::remove),
     "how long to wait for it; default 60"},
    {option::no_wait, "--no-wait", "", bit(verb::start) | bit(verb::stop), "ask, and do not wait"},
    {option::json, "--json", "", bit(verb::status) | bit(verb::routes), "for a machine to read"},
};

[[nodiscard]] inline const verb_row& row(verb v) noexcept {
  for (const auto& r : verb_table) {
    if (r.id == v) return r;
  }
  return verb_table[0];
}

/// The help screen. `program` is the name to show in examples; `about` the app's own line.
[[nodiscard]] std::string help_text(std::string_view program, std::string_view about);
/// The help of one verb, with its options.
[[nodiscard]] std::string help_text(std::string_view program, verb v);

// ---------------------------------------------------------------------------------------------------------------------

inline std::string padded(std::string_view s, std::size_t width) {
  return std::string(s) + std::string(s.size() < width ? width - s.size() : 1, ' ');
}

inline std::string help_text(std::string_view program, std::string_view about) {
  std::string out;
  if (!about.empty()) out += std::string(about) + "\n\n";
  out += "usage: " + std::string(program) + " VERB [options]\n\n";
  for (const auto& r : verb_table) {
    if (!r.summary.empty()) out += "  " + padded(r.word, 10) + std::string(r.summary) + '\n';
  }
  return out + "\n'" + std::string(program) + " help VERB' shows the options of a verb.\n";
}

inline std::string help_text(std::string_view program, verb v) {
  const verb_row& r = row(v);
  std::string out = "usage: " + std::string(program) + ' ' + std::string(r.word);
  std::string options;
  for (const auto& o : option_table) {
    if ((o.verbs & bit(v)) == 0) continue;
    const std::string spelled = std::string(o.word) + (o.value.empty() ? "" : " " + std::string(o.value));
    options += "  " + spelled + "\n      " + std::string(o.summary) + '\n';
  }
  if (v == verb::help) out += " [VERB]";
  if (!options.empty()) out += " [options]";
  out += "\n\n";
  if (!r.summary.empty())
    out += static_cast<char>(text::to_upper(r.summary[0])) + std::string(r.summary.substr(1)) + ".\n";
  if (!r.details.empty()) out += std::string(r.details) + '\n';
  if (!options.empty()) out += '\n' + options;
  return out;
}

}  // namespace model
}  // inline namespace WINSVC_ABI
}  // namespace winsvc
