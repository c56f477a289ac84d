// Values of options: parses the value of each option of the command line, checks it and stores it in the `command`. The
// error of a value names the values that the option accepts.
//
//   apply_option(command, port, "5001");    // command.launch.port is 5001
//   apply_option(command, port, "http");    // --port does not accept 'http'; a port is a number ...
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "winsvc/base/duration.hpp"
#include "winsvc/base/error_codes.hpp"
#include "winsvc/base/log.hpp"
#include "winsvc/base/result.hpp"
#include "winsvc/base/text.hpp"
#include "winsvc/commandline/command.hpp"
#include "winsvc/commandline/verbs.hpp"
#include "winsvc/config/abi.hpp"
#include "winsvc/scm/account.hpp"
#include "winsvc/scm/spec.hpp"

namespace winsvc {
inline namespace WINSVC_ABI {
namespace detail::commandline {

/// Stores the value of an option. `value` is empty for an option without a value.
result<void> apply_option(command& command, const option_info& o, std::string_view value);

/// An error of the command line, as the failure of a result.
[[nodiscard]] failure<error> usage_error(std::string message, std::string hint);

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
      std::uint64_t port = 0;
      if (name == "host") command.launch.host = value.substr(equals + 1);
      else if (name == "port" && base::parse_number(value.substr(equals + 1), 65'535, port))
        command.launch.port = static_cast<std::uint16_t>(port);
      else command.launch.settings.emplace_back(value.substr(0, equals), value.substr(equals + 1));
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

inline constexpr const char* log_level_hint = "use debug, info, warn or error";

/// Returns the hint for a value that the option does not accept.
WINSVC_INLINE std::string used_values(const option_info& o) {
  switch (o.id) {
    case option::startup: return "use one of " + std::string(o.value);
    case option::username: return scm::account_hint;
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
    case option::level: return log_level_hint;
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

}  // namespace detail::commandline
}  // inline namespace WINSVC_ABI
}  // namespace winsvc

#endif  // WINSVC_BODIES_COMMANDLINE
