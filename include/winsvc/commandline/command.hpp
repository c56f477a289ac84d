// Parsed command line: a struct with the verb and the options of each group of verbs.
//
//   const auto command = parse_command({"install", "--port", "5001"});    // commandline/parse_command.hpp
//   command->verb;               // verb::install
//   *command->launch.port;       // 5001
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "winsvc/base/log.hpp"
#include "winsvc/commandline/verbs.hpp"
#include "winsvc/config/abi.hpp"
#include "winsvc/scm/install_request.hpp"
#include "winsvc/scm/spec.hpp"

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

}  // namespace detail::commandline
}  // inline namespace WINSVC_ABI
}  // namespace winsvc
