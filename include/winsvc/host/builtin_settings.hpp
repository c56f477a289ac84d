// Built-in settings (`host`, `port`, `bind_timeout`, `log_level`, `log_format`), the sources of all settings, and the
// reload.
//
//   load_setting_sources(definition, launch_options, executable);   // before the app
//   declare_builtin_settings(definition);                            // after the app
//   reload_settings(definition);                                     // all new values are applied, or none
//
// Sources, in order of precedence: the command line (install stores it in the ImagePath), the environment
// (HELLO_GREETING), the settings file (`hello.ini` next to the executable, or --config), the default.
#pragma once

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "winsvc/host/definition.hpp"
#include "winsvc/addons/allowed_hosts.hpp"
#include "winsvc/base/attempt.hpp"
#include "winsvc/api/setting.hpp"
#include "winsvc/api/settings_format.hpp"
#include "winsvc/base/error.hpp"
#include "winsvc/base/log.hpp"
#include "winsvc/config/abi.hpp"
#include "winsvc/base/error_codes.hpp"
#include "winsvc/settings/registry.hpp"
#include "winsvc/os/native.hpp"

namespace winsvc {
inline namespace WINSVC_ABI {
namespace detail::host {

/// Path of the settings file: --config, or `<program>.ini` next to the executable. An instance has its own file,
/// `<program>-<instance>.ini`.
[[nodiscard]] std::string settings_path(const std::string& executable, const scm::launch_options& launch);

/// Reads all sources. Call it before the app declares its first setting; `definition` has the name and the instance.
void load_setting_sources(service_definition& definition, const scm::launch_options& launch,
                          const std::string& executable);
/// Reads the settings file in the format of the app. Call it before the first setting is declared.
void use_settings_format(service_definition& definition, settings_format format);

/// Format of the log file before the app has run. It is a setting too, so it is read from the sources.
[[nodiscard]] log_format initial_log_format(const service_definition& definition);

/// The built-in settings of a service, with the defaults of its definition. This is the only list of them.
struct builtin_settings {
  explicit builtin_settings(const service_definition& definition);

  std::shared_ptr<settings::typed_setting<std::string>> host;
  std::shared_ptr<settings::typed_setting<std::uint16_t>> port;
  std::shared_ptr<settings::typed_setting<std::chrono::seconds>> bind_timeout;
  std::shared_ptr<settings::typed_setting<std::vector<std::string>>> allowed_hosts;
  std::shared_ptr<settings::typed_setting<winsvc::log_level>> log_level;
  std::shared_ptr<settings::typed_setting<winsvc::log_format>> log_format;

  struct entry {
    std::shared_ptr<settings::setting_base> setting;
    std::string_view default_function;  ///< function of `service` that sets its default; empty: no function
  };
  /// All of them, in the order of their declaration.
  [[nodiscard]] std::vector<entry> entries() const;
};

/// Throws setup_error if a setting of the app has the name or the environment variable of a built-in setting.
void reject_builtin_name(const service_definition& definition, const settings::setting_base& setting);
/// Declares the built-in settings and applies their values. Call it after the app; settings.errors() has the errors.
void declare_builtin_settings(service_definition& definition);

/// Reads the settings file again. All new values are applied, or no value; the log lists the changes. False: no value
/// was applied.
bool reload_settings(service_definition& definition);

}  // namespace detail::host
}  // inline namespace WINSVC_ABI
}  // namespace winsvc

// ---------------------------------------------------------------------------------------------------------------------

#if WINSVC_BODIES_HOST

namespace winsvc {
inline namespace WINSVC_ABI {
namespace detail::host {

WINSVC_INLINE std::string settings_path(const std::string& executable, const scm::launch_options& launch) {
  if (launch.config) return *launch.config;
  const std::string suffix = launch.instance ? '-' + *launch.instance : std::string();
  return os::path_join(os::folder_of(executable), os::program_name(executable) + suffix + ".ini");
}

/// Reads the file into `sources`. A missing file is an error only if `is_expected`.
WINSVC_INLINE void read_settings_file(settings::setting_sources& sources, bool is_expected) {
  sources.content = os::read_file(sources.path);
  sources.file_error.reset();
  if (sources.content) {
    sources.file = sources.parse(*sources.content);
    return;
  }
  const auto opened = os::input_file::open(sources.path);
  const std::uint32_t code = opened ? base::win32_error::invalid_data : opened.error();
  sources.file.reset();
  if (!opened && os::is_missing(code) && !is_expected) return;
  sources.file_error =
      base::error_with_explanation(code, "read the settings", sources.path, os::system_error_message(code));
}

/// Replaces the extension of the path, unless --config gave it, and the parser.
WINSVC_INLINE void set_format(settings::setting_sources& sources, const settings_format& format) {
  const auto extension = sources.path.rfind('.');
  if (!sources.is_path_given && extension != sources.path.npos)
    sources.path.replace(extension + 1, sources.path.npos, format.extension);
  sources.parse = [parse = format.parse](std::string_view content) {
    return settings::check_settings_file(parse(content));
  };
}

WINSVC_INLINE void read_sources(service_definition& definition, settings::setting_sources sources) {
  sources.file_name = sources.path.substr(sources.path.find_last_of("/\\") + 1);
  read_settings_file(sources, sources.is_path_given);
  definition.settings.set_sources(std::move(sources));
}

WINSVC_INLINE void load_setting_sources(service_definition& definition, const scm::launch_options& launch,
                                        const std::string& executable) {
  settings::setting_sources sources;
  if (launch.host) sources.command_line.push_back({"host", *launch.host, "--host"});
  if (launch.port) sources.command_line.push_back({"port", std::to_string(*launch.port), "--port"});
  for (const auto& [name, value] : launch.settings) sources.command_line.push_back({name, value, "--set " + name});
  sources.environment = os::environment_variable;
  // The SCM has the name of the instance (`hello$blue`); variables have the name of the service, for all instances.
  std::string service = definition.spec.name;
  const std::string tail = launch.instance ? '$' + *launch.instance : std::string();
  if (!tail.empty() && service.size() > tail.size() &&
      service.compare(service.size() - tail.size(), tail.size(), tail) == 0) {
    service.resize(service.size() - tail.size());
  }
  sources.prefix = settings::variable_prefix(service);
  sources.is_path_given = launch.config.has_value();
  sources.path = settings_path(executable, launch);
  if (definition.settings_format) set_format(sources, *definition.settings_format);
  read_sources(definition, std::move(sources));
}

WINSVC_INLINE void use_settings_format(service_definition& definition, settings_format format) {
  definition.settings_format = std::move(format);
  auto sources = definition.settings.sources();
  set_format(sources, *definition.settings_format);
  if (!sources.path.empty()) read_sources(definition, std::move(sources));  // a test client reads no file
}

WINSVC_INLINE std::shared_ptr<settings::typed_setting<log_format>> log_format_setting(
    const service_definition& definition) {
  return api::make_setting<log_format>({"log_format"}, definition.log_file.format,
                                       "format of the lines in the log file", at_start,
                                       enum_names<log_format>{{"text", log_format::text}, {"json", log_format::json}});
}

WINSVC_INLINE log_format initial_log_format(const service_definition& definition) {
  const auto setting = log_format_setting(definition);
  definition.settings.load_early(*setting);
  return setting->get();
}

WINSVC_INLINE builtin_settings::builtin_settings(const service_definition& definition)
    : host(api::make_setting<std::string>({"host"}, definition.host, "address to listen on", at_start)),
      port(api::make_setting<std::uint16_t>({"port"}, definition.port, "port to listen on; 0 selects a free port",
                                            at_start)),
      bind_timeout(api::make_setting<std::chrono::seconds>({"bind_timeout"}, definition.bind_timeout,
                                                           "time to wait for the address and the port at the start",
                                                           at_start)),
      allowed_hosts(api::make_setting<std::vector<std::string>>(
          {"allowed_hosts"}, {}, "names of the service in the Host field of requests, besides localhost", at_start,
          satisfies([](const std::vector<std::string>& names) {
            return std::all_of(names.begin(), names.end(), addons::is_host_pattern);
          }, "have host names without scheme, port and brackets"))),
      log_level(api::make_setting<winsvc::log_level>(
          {"log_level"}, definition.log.threshold(), "minimum level of the log",
          enum_names<winsvc::log_level>{{"debug", winsvc::log_level::debug},
                                        {"info", winsvc::log_level::info},
                                        {"warn", winsvc::log_level::warn},
                                        {"error", winsvc::log_level::error}})),
      log_format(log_format_setting(definition)) {
  for (const auto& each : entries()) each.setting->location = {"winsvc", 0};
}

WINSVC_INLINE std::vector<builtin_settings::entry> builtin_settings::entries() const {
  return {{host, "listen()"}, {port, "listen()"}, {bind_timeout, {}}, {allowed_hosts, {}},
          {log_level, "log()"}, {log_format, "log_file()"}};
}

WINSVC_INLINE void reject_builtin_name(const service_definition& definition, const settings::setting_base& setting) {
  const auto& sources = definition.settings.sources();
  for (const auto& [builtin, default_function] : builtin_settings(definition).entries()) {
    if (sources.variable(builtin->name()) != sources.variable(setting.name())) continue;
    std::string message = "setting '" + setting.name() + "' (" + setting.location.to_string() + "): ";
    message += builtin->name() == setting.name()
                   ? std::string("built-in setting")
                   : "it has the same environment variable as the built-in setting '" + builtin->name() + '\'';
    message += "; use another name";
    if (!default_function.empty())
      message.append(", or set the default of '" + builtin->name() + "' with ").append(default_function);
    throw setup_error(message);
  }
}

WINSVC_INLINE void declare_builtin_settings(service_definition& definition) {
  const builtin_settings builtin(definition);
  for (const auto& each : builtin.entries()) definition.settings.declare(each.setting);
  definition.log_level = builtin.log_level;
  definition.log_file.format = builtin.log_format->get();
  definition.host = builtin.host->get();
  definition.port = builtin.port->get();
  definition.bind_timeout = builtin.bind_timeout->get();
  definition.allowed_hosts = builtin.allowed_hosts->get();
  definition.log.threshold(definition.log_level->get());
}

WINSVC_INLINE bool reload_settings(service_definition& definition) {
  auto sources = definition.settings.sources();
  const bool existed = sources.file.has_value();
  read_settings_file(sources, existed);
  const auto before = definition.log_level ? definition.log_level->get() : definition.log.threshold();
  const auto report = definition.settings.reload(std::move(sources.file), std::move(sources.file_error));
  // A log level that the operator set at run time stays until the setting changes.
  if (const auto after = definition.log_level ? definition.log_level->get() : before; after != before)
    definition.log.threshold(after);
  base::attempt([&] {  // out of memory: the values are applied, so the reload hooks must follow
    for (const auto& error : report.errors)
      definition.log.error("reload: " + error.to_string() + "; no setting was changed");
    for (const auto& line : report.changes) definition.log.write_always(log_level::info, "setting " + line);
    for (const auto& line : report.changes_after_restart)
      definition.log.write_always(log_level::warn, "setting " + line + " takes effect at the next start");
  });
  return report.errors.empty();
}

}  // namespace detail::host
}  // inline namespace WINSVC_ABI
}  // namespace winsvc

#endif  // WINSVC_BODIES_HOST
