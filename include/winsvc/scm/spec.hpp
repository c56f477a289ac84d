// What is to be installed: the app's own description, and what an install adds to it. Pure values, with which
// manage/installation.hpp plans; manage/install.hpp turns the plan into calls.
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
#include "winsvc/base/error.hpp"
#include "winsvc/base/quote.hpp"
#include "winsvc/base/result.hpp"
#include "winsvc/base/text.hpp"
#include "winsvc/config/abi.hpp"
#include "winsvc/scm/recovery.hpp"
#include "winsvc/settings/settings_file.hpp"

namespace winsvc {
inline namespace WINSVC_ABI {

/// When the SCM starts the service.
enum class startup { automatic, delayed, manual, disabled };

[[nodiscard]] constexpr std::string_view name(startup s) noexcept {
  constexpr std::string_view names[] = {"auto", "delayed", "manual", "disabled"};
  return names[static_cast<int>(s)];
}
[[nodiscard]] std::optional<startup> parse_startup(std::string_view s) noexcept;

namespace model {

/// What the ImagePath carries from install to every start, as far as it was said.
struct launch_options {
  std::optional<std::string> instance;
  std::optional<std::string> host;
  std::optional<std::uint16_t> port;
  std::optional<std::chrono::milliseconds> preshutdown;
  std::optional<std::string> config = {};                          ///< the settings file, absolute
  std::vector<std::pair<std::string, std::string>> settings = {};  ///< name, value: --set
  std::vector<std::string> unset_settings = {};                             ///< names: --unset, which ends in no ImagePath

  /// These, and from `older` what these leave open.
  [[nodiscard]] launch_options override_with(const launch_options& older) const;
};

/// The app's identity, and what it asks to be installed with. What is not set is defaulted at creation and left alone
/// in an update.
struct service_spec {
  std::string name;
  std::optional<std::string> display_name;               ///< default: the name
  std::optional<std::string> description;                ///< default: none
  std::optional<winsvc::startup> startup;                ///< default: automatic
  std::optional<std::string> account;                    ///< default: virtual (scm/account.hpp)
  std::optional<std::vector<std::string>> depends_on;    ///< default: nothing
  std::optional<recovery_plan> recovery;                 ///< default: default_recovery()
  std::optional<std::chrono::milliseconds> preshutdown;  ///< default: SHUTDOWN is taken instead
  std::vector<std::string> privileges;                   ///< beside SeChangeNotifyPrivilege
};

/// The name of an instance of a service, as Windows' own instances are called: `hello$blue`.
[[nodiscard]] std::string instance_name(std::string_view service, std::string_view instance);
/// 1 to 64 letters, digits, '-', '_' and '.'.
[[nodiscard]] result<void> check_instance(std::string_view instance);
/// What is installed for an instance: another name, and a display name that says which, "Hello service (blue)".
[[nodiscard]] service_spec spec_of_instance(service_spec spec, const std::optional<std::string>& instance);

/// The word in the ImagePath that tells the process it was started by the SCM. It is explicit, so that nothing has to
/// be guessed from parent process, session or handles.
inline constexpr std::string_view run_service_verb = "run-service";

/// The ImagePath: the quoted executable, the word, the options that were given at install.
[[nodiscard]] std::string image_path(std::string_view executable, const launch_options& launch);

/// A service name as CreateService takes it: 1 to 256 characters (UTF-16 units), no slash of either kind.
[[nodiscard]] result<void> check_name(std::string_view name);
/// The service name as a folder and file name: what Windows does not take in one becomes '_'. Names that differ in such
/// characters alone share a folder.
[[nodiscard]] std::string folder_name(std::string_view service_name);
/// A display name: up to 256 characters.
[[nodiscard]] result<void> check_display_name(std::string_view display_name);

}  // namespace model
}  // inline namespace WINSVC_ABI
}  // namespace winsvc

// ---------------------------------------------------------------------------------------------------------------------

#if WINSVC_BODIES_MODEL

namespace winsvc {
inline namespace WINSVC_ABI {

WINSVC_INLINE std::optional<startup> parse_startup(std::string_view s) noexcept {
  for (const startup one : {startup::automatic, startup::delayed, startup::manual, startup::disabled}) {
    if (strings::equal_nocase(s, name(one))) return one;
  }
  return strings::equal_nocase(s, "automatic") ? std::optional(startup::automatic) : std::nullopt;
}

namespace model {

WINSVC_INLINE std::string instance_name(std::string_view service, std::string_view instance) {
  return std::string(service) + '$' + std::string(instance);
}

WINSVC_INLINE launch_options launch_options::override_with(const launch_options& older) const {
  const auto taken_out = [this](std::string_view name) {
    return std::any_of(unset_settings.begin(), unset_settings.end(), [name](const std::string& u) { return setting_name(u) == name; });
  };
  launch_options out{instance ? instance : older.instance, host || taken_out("host") ? host : older.host,
                     port || taken_out("port") ? port : older.port, preshutdown ? preshutdown : older.preshutdown,
                     config ? config : older.config};
  const auto given_again = [this](const std::string& name) {
    const auto same = [&name](const std::string& other) { return setting_name(other) == setting_name(name); };
    return std::any_of(unset_settings.begin(), unset_settings.end(), same) ||
           std::any_of(settings.begin(), settings.end(), [&same](const auto& s) { return same(s.first); });
  };
  for (const auto& one : older.settings) {
    if (!given_again(one.first)) out.settings.push_back(one);
  }
  out.settings.insert(out.settings.end(), settings.begin(), settings.end());
  return out;
}

WINSVC_INLINE std::string image_path(std::string_view executable, const launch_options& launch) {
  std::vector<std::string> arguments{std::string(run_service_verb)};
  if (launch.instance) arguments.insert(arguments.end(), {"--instance", *launch.instance});
  if (launch.host) arguments.insert(arguments.end(), {"--host", *launch.host});
  if (launch.port) arguments.insert(arguments.end(), {"--port", std::to_string(*launch.port)});
  if (launch.preshutdown) arguments.insert(arguments.end(), {"--preshutdown", exact_duration(*launch.preshutdown)});
  if (launch.config) arguments.insert(arguments.end(), {"--config", *launch.config});
  for (const auto& [name, value] : launch.settings) arguments.insert(arguments.end(), {"--set", name + '=' + value});
  return command_line(executable, arguments);
}

WINSVC_INLINE result<void> check_name(std::string_view name) {
  const auto refuse = [&](std::string message) {
    return failure{error{123, "use the service name", std::string(name), std::move(message),
                         "choose 1 to 256 characters without '/', '\\' and control characters"}};
  };
  if (name.empty()) return refuse("it is empty");
  if (strings::to_utf16(name).size() > 256) return refuse("it is longer than 256 characters");
  for (const char c : name) {
    if (c == '/' || c == '\\') return refuse("it has a slash");
    if (static_cast<unsigned char>(c) < 0x20) return refuse("it has a control character");
  }
  return {};
}

WINSVC_INLINE result<void> check_instance(std::string_view instance) {
  bool good = !instance.empty() && instance.size() <= 64;
  for (const char c : instance) {
    const bool letter = strings::to_lower(c) >= 'a' && strings::to_lower(c) <= 'z';
    good = good && (letter || strings::is_digit(c) || c == '-' || c == '_' || c == '.');
  }
  if (good) return {};
  return failure{error{123, "use the instance name", std::string(strings::truncate(instance, 80)),
                       "it is not 1 to 64 letters, digits, '-', '_' and '.'", "choose another, such as blue"}};
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
  // A dot or a blank at the end is dropped by Windows without a word; "." and ".." would be other folders.
  while (!out.empty() && (out.back() == '.' || out.back() == ' ')) out.back() = '_';
  return out;
}

WINSVC_INLINE result<void> check_display_name(std::string_view display_name) {
  if (strings::to_utf16(display_name).size() <= 256) return {};
  return failure{error{123, "use the display name", std::string(strings::truncate(display_name, 40)) + "...",
                       "it is longer than 256 characters", "shorten it"}};
}

}  // namespace model
}  // inline namespace WINSVC_ABI
}  // namespace winsvc

#endif  // WINSVC_BODIES_MODEL
