// Service specification: the identity and the install options of an app, the options in the ImagePath, and the checks
// of names.
//
//   service_spec spec;
//   spec.name = "hello";
//   image_path("C:\\app.exe", {"blue", {}, 5001, {}});     // "C:\app.exe" run-service --instance blue --port 5001
//
// These are values without effects; manage/installation.hpp makes a plan from them, and manage/install.hpp executes it.
#pragma once

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "winsvc/base/duration.hpp"
#include "winsvc/base/error_codes.hpp"
#include "winsvc/base/error.hpp"
#include "winsvc/base/quote.hpp"
#include "winsvc/base/result.hpp"
#include "winsvc/base/text.hpp"
#include "winsvc/config/abi.hpp"
#include "winsvc/scm/recovery.hpp"
#include "winsvc/settings/settings_file.hpp"

namespace winsvc {
inline namespace WINSVC_ABI {

/// When the SCM starts the service: at boot, about two minutes after boot, on request, or never.
enum class startup { automatic, delayed, manual, disabled };

/// Returns the name that `--startup` accepts.
[[nodiscard]] constexpr std::string_view name(startup s) noexcept {
  constexpr std::string_view names[] = {"auto", "delayed", "manual", "disabled"};
  return names[static_cast<int>(s)];
}
/// Parses `auto`, `automatic`, `delayed`, `manual` or `disabled`, not case-sensitive.
[[nodiscard]] std::optional<startup> parse_startup(std::string_view s) noexcept;

namespace detail::scm {

/// Priority class of the process. There is no real-time class, because a busy process of that class blocks the machine.
enum class process_priority { idle, below_normal, normal, above_normal, high };
/// Returns the name that `--priority` accepts.
[[nodiscard]] constexpr std::string_view name(process_priority p) noexcept {
  constexpr std::string_view names[] = {"idle", "below-normal", "normal", "above-normal", "high"};
  return names[static_cast<int>(p)];
}
/// Parses the name of a priority, not case-sensitive.
[[nodiscard]] std::optional<process_priority> parse_priority(std::string_view s) noexcept;

/// Options that the ImagePath passes from install to each start. An empty member was not specified.
struct launch_options {
  std::optional<std::string> instance;
  std::optional<std::string> host;
  std::optional<std::uint16_t> port;
  std::optional<std::chrono::milliseconds> preshutdown;
  std::optional<std::string> config = {};                          ///< absolute path of the settings file
  std::vector<std::pair<std::string, std::string>> settings = {};  ///< --set: names and values
  std::vector<std::string> unset_settings = {};                    ///< --unset: names; the ImagePath does not have them
  std::optional<process_priority> priority = {};

  /// Returns these options, completed with options from `older`.
  [[nodiscard]] launch_options override_with(const launch_options& older) const;
};

/// Identity and install options that an app specifies. An empty member means the default when the service is created,
/// and no change when it is updated.
struct service_spec {
  std::string name;
  std::optional<std::string> display_name;               ///< default: the name
  std::optional<std::string> description;                ///< default: no description
  std::optional<winsvc::startup> startup;                ///< default: automatic
  std::optional<std::string> account;                    ///< default: virtual (scm/account.hpp)
  std::optional<std::vector<std::string>> depends_on;    ///< default: no dependencies
  std::optional<recovery_options> recovery;              ///< default: default_recovery()
  std::optional<std::chrono::milliseconds> preshutdown;  ///< default: the service accepts SHUTDOWN instead
  std::vector<std::string> privileges;                   ///< in addition to SeChangeNotifyPrivilege
};

/// Returns the service name of an instance, in the form that SQL Server uses: `hello$blue`.
[[nodiscard]] std::string instance_name(std::string_view service, std::string_view instance);
/// Fails with 123 unless the name has 1 to 64 letters, digits, '-', '_' and '.'.
[[nodiscard]] result<void> check_instance(std::string_view instance);
/// Returns the specification of an instance, with its service name and a display name such as "Hello service (blue)".
[[nodiscard]] service_spec spec_of_instance(service_spec spec, const std::optional<std::string>& instance);

/// The verb in the ImagePath. It identifies a start by the SCM, so that the program need not examine its parent
/// process, session or handles.
inline constexpr std::string_view run_service_verb = "run-service";

/// Returns the ImagePath: the quoted executable, `run-service` and the options.
[[nodiscard]] std::string image_path(std::string_view executable, const launch_options& launch);

/// Returns the ImagePath with quotes around its executable, if it begins with this executable without them, or with
/// another one that `run-service` follows: the program may have been moved.
[[nodiscard]] std::string quoted_binary(const std::string& binary, std::string_view executable);
/// Returns the ImagePath with stars in place of the values of settings with the name of a secret.
[[nodiscard]] std::string shown_binary(const std::string& binary);

/// Fails with 123 unless CreateService accepts the name: 1 to 256 UTF-16 units without '/', '\' and control characters.
[[nodiscard]] result<void> check_name(std::string_view name);
/// Returns the service name as a name of a folder or file. Each character that Windows does not allow there becomes
/// '_', so names that differ only in such characters share a folder.
[[nodiscard]] std::string folder_name(std::string_view service_name);
/// Fails with 123 if the display name is longer than 256 UTF-16 units.
[[nodiscard]] result<void> check_display_name(std::string_view display_name);

}  // namespace detail::scm
}  // inline namespace WINSVC_ABI
}  // namespace winsvc

// ---------------------------------------------------------------------------------------------------------------------

#if WINSVC_BODIES_SCM

namespace winsvc {
inline namespace WINSVC_ABI {

WINSVC_INLINE std::optional<startup> parse_startup(std::string_view s) noexcept {
  for (const startup value : {startup::automatic, startup::delayed, startup::manual, startup::disabled}) {
    if (detail::base::equal_nocase(s, name(value))) return value;
  }
  return detail::base::equal_nocase(s, "automatic") ? std::optional(startup::automatic) : std::nullopt;
}

namespace detail::scm {

WINSVC_INLINE std::optional<process_priority> parse_priority(std::string_view s) noexcept {
  for (int i = 0; i <= static_cast<int>(process_priority::high); ++i) {
    const auto value = static_cast<process_priority>(i);
    if (base::equal_nocase(s, name(value))) return value;
  }
  return std::nullopt;
}

WINSVC_INLINE std::string instance_name(std::string_view service, std::string_view instance) {
  return std::string(service) + '$' + std::string(instance);
}

WINSVC_INLINE launch_options launch_options::override_with(const launch_options& older) const {
  const auto is_unset = [this](std::string_view name) {
    return std::any_of(unset_settings.begin(), unset_settings.end(),
                       [name](const std::string& unset) { return settings::setting_name(unset) == name; });
  };
  launch_options out{instance ? instance : older.instance, host || is_unset("host") ? host : older.host,
                     port || is_unset("port") ? port : older.port, preshutdown ? preshutdown : older.preshutdown,
                     config ? config : older.config};
  out.priority = priority ? priority : older.priority;
  const auto is_overridden = [this](const std::string& name) {
    const auto is_same = [&name](const std::string& other) {
      return settings::setting_name(other) == settings::setting_name(name);
    };
    return std::any_of(unset_settings.begin(), unset_settings.end(), is_same) ||
           std::any_of(settings.begin(), settings.end(), [&is_same](const auto& s) { return is_same(s.first); });
  };
  for (const auto& setting : older.settings) {
    if (!is_overridden(setting.first)) out.settings.push_back(setting);
  }
  out.settings.insert(out.settings.end(), settings.begin(), settings.end());
  return out;
}

WINSVC_INLINE std::string image_path(std::string_view executable, const launch_options& launch) {
  std::vector<std::string> arguments{std::string(run_service_verb)};
  if (launch.instance) arguments.insert(arguments.end(), {"--instance", *launch.instance});
  if (launch.host) arguments.insert(arguments.end(), {"--host", *launch.host});
  if (launch.port) arguments.insert(arguments.end(), {"--port", std::to_string(*launch.port)});
  if (launch.preshutdown)
    arguments.insert(arguments.end(), {"--preshutdown", base::exact_duration(*launch.preshutdown)});
  if (launch.config) arguments.insert(arguments.end(), {"--config", *launch.config});
  if (launch.priority) arguments.insert(arguments.end(), {"--priority", std::string(name(*launch.priority))});
  for (const auto& [name, value] : launch.settings) arguments.insert(arguments.end(), {"--set", name + '=' + value});
  return base::command_line(executable, arguments);
}

WINSVC_INLINE std::string quoted_binary(const std::string& binary, std::string_view executable) {
  std::size_t length = executable.size();
  const bool begins_with_it = length != 0 && base::starts_with_nocase(binary, executable) &&
                              (binary.size() == length || binary[length] == ' ');
  if (!begins_with_it) {
    const std::string verb = ".exe " + std::string(run_service_verb);
    const std::string lower = base::to_lower(binary);
    length = lower.find(".exe ");  // Windows too may end the path at a blank
    const bool is_moved = !binary.empty() && binary[0] != '"' && length != lower.npos &&
                          lower.compare(length, verb.size(), verb) == 0 &&
                          (lower.size() == length + verb.size() || lower[length + verb.size()] == ' ');
    if (!is_moved) return binary;
    length += 4;
  }
  return '"' + binary.substr(0, length) + '"' + binary.substr(length);
}

WINSVC_INLINE std::string shown_binary(const std::string& binary) {
  std::string out = binary;
  const auto arguments = base::split_command_line(binary);
  for (std::size_t i = 2; i < arguments.size(); ++i) {
    const std::string name = arguments[i].substr(0, arguments[i].find('='));
    if (arguments[i - 1] != "--set" || name.size() + 1 >= arguments[i].size() || !base::names_secret(name)) continue;
    const std::string argument = base::quote_argument(arguments[i]);
    const auto begin = out.find(argument);
    if (begin == out.npos) return base::quote_argument(arguments[0], base::quoting::always) + " ...";  // other quotes
    out.replace(begin, argument.size(), name + '=' + std::string(base::secret_stars));
  }
  return out;
}

WINSVC_INLINE result<void> check_name(std::string_view name) {
  const auto invalid = [&](std::string message) {
    return failure{error{base::win32_error::invalid_name, "use the service name", std::string(name),
                         std::move(message),
                         "choose 1 to 256 characters without '/', '\\' and control characters"}};
  };
  if (name.empty()) return invalid("it is empty");
  if (base::to_utf16(name).size() > 256) return invalid("it is longer than 256 characters");
  for (const char c : name) {
    if (c == '/' || c == '\\') return invalid("it contains a slash");
    if (static_cast<unsigned char>(c) < 0x20) return invalid("it contains a control character");
  }
  return {};
}

WINSVC_INLINE result<void> check_instance(std::string_view instance) {
  bool is_valid = !instance.empty() && instance.size() <= 64;
  for (const char c : instance) {
    const bool is_letter = base::to_lower(c) >= 'a' && base::to_lower(c) <= 'z';
    is_valid = is_valid && (is_letter || base::is_digit(c) || c == '-' || c == '_' || c == '.');
  }
  if (is_valid) return {};
  return failure{error{base::win32_error::invalid_name, "use the instance name",
                       std::string(base::truncate(instance, 80)),
                       "an instance name has 1 to 64 letters, digits, '-', '_' and '.'",
                       "choose another name, such as blue"}};
}

WINSVC_INLINE service_spec spec_of_instance(service_spec spec, const std::optional<std::string>& instance) {
  if (!instance) return spec;
  spec.display_name = spec.display_name.value_or(spec.name) + " (" + *instance + ')';
  spec.name = instance_name(spec.name, *instance);
  return spec;
}

WINSVC_INLINE std::string folder_name(std::string_view service_name) {
  std::string out(service_name);
  for (char& c : out) {
    if (std::string_view("<>:\"|?*/\\").find(c) != std::string_view::npos || static_cast<unsigned char>(c) < 0x20)
      c = '_';
  }
  // Windows removes a dot or a blank at the end without an error, and "." and ".." are other folders.
  while (!out.empty() && (out.back() == '.' || out.back() == ' ')) out.back() = '_';
  return out;
}

WINSVC_INLINE result<void> check_display_name(std::string_view display_name) {
  if (base::to_utf16(display_name).size() <= 256) return {};
  return failure{error{base::win32_error::invalid_name, "use the display name",
                       std::string(base::truncate(display_name, 40)) + "...",
                       "it is longer than 256 characters", "shorten it"}};
}

}  // namespace detail::scm
}  // inline namespace WINSVC_ABI
}  // namespace winsvc

#endif  // WINSVC_BODIES_SCM
