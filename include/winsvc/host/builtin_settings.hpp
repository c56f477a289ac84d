// The settings of a run: where their values are looked for, those that every app has, and what a reload does with all.
//
// Sources, strongest first: the command line (at install it is kept in the ImagePath), the environment (HELLO_GREETING),
// the file (`hello.ini` beside the executable, or --config), the default. Every app has `host`, `port`,
// `log_level` and `log_format`.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "winsvc/host/definition.hpp"
#include "winsvc/api/setting.hpp"
#include "winsvc/base/log.hpp"
#include "winsvc/config/abi.hpp"
#include "winsvc/base/error_codes.hpp"
#include "winsvc/settings/registry.hpp"
#include "winsvc/os/native.hpp"

namespace winsvc {
inline namespace WINSVC_ABI {
namespace host {

/// Where the settings file is: what was asked for, or `<program>.ini` beside the executable; an instance has its own,
/// `<program>-<instance>.ini`.
[[nodiscard]] std::string settings_path(const std::string& executable, const model::launch_options& launch);

/// Reads what there is to read, before App declares its first. `plan` knows the name so far, and the instance.
void load_setting_sources(service_definition& plan, const model::launch_options& launch, const std::string& executable);

/// How a line of the log file looks, before App has said what there is: a setting as well.
[[nodiscard]] log_format initial_log_format(const service_definition& plan);

/// After App: declares our own, and takes their values. What is wrong with any is in plan.settings.faults().
void declare_builtin_settings(service_definition& plan);

/// All faults in one error; nothing where there are none.
[[nodiscard]] std::optional<error> settings_error(const model::setting_registry& registry);

/// Reads the file anew. All new values are good, and taken, or none is; the log has what changed. False: none.
bool reload_settings(service_definition& plan);

}  // namespace host
}  // inline namespace WINSVC_ABI
}  // namespace winsvc

// ---------------------------------------------------------------------------------------------------------------------

#if WINSVC_BODIES_HOST

namespace winsvc {
inline namespace WINSVC_ABI {
namespace host {

WINSVC_INLINE std::string settings_path(const std::string& executable, const model::launch_options& launch) {
  if (launch.config) return *launch.config;
  const std::string which = launch.instance ? '-' + *launch.instance : std::string();
  return os::path_join(os::folder_of(executable), os::program_name(executable) + which + ".ini");
}

/// The file as it is now. One that is not there is no fault, unless somebody said that there is one.
WINSVC_INLINE void read_settings_file(model::setting_sources& output, bool expected) {
  output.content = os::read_file(output.path);
  output.file_error.reset();
  if (output.content) {
    output.file = model::parse_settings_file(*output.content);
    return;
  }
  const auto why = os::input_file::open(output.path);
  const std::uint32_t code = why ? model::win32_error::invalid_data : why.error();
  output.file.reset();
  if (!why && os::is_missing(code) && !expected) return;
  output.file_error = model::error_with_explanation(code, "read the settings", output.path, os::system_error_message(code));
}

WINSVC_INLINE void load_setting_sources(service_definition& plan, const model::launch_options& launch, const std::string& executable) {
  model::setting_sources from;
  if (launch.host) from.command_line.push_back({"host", *launch.host, "--host"});
  if (launch.port) from.command_line.push_back({"port", std::to_string(*launch.port), "--port"});
  for (const auto& [name, value] : launch.settings) from.command_line.push_back({name, value, "--set " + name});
  from.environment = os::environment_variable;
  // The SCM knows an instance by its own name (`hello$blue`); variables have the service's, for all instances.
  std::string service = plan.spec.name;
  const std::string tail = launch.instance ? '$' + *launch.instance : std::string();
  if (!tail.empty() && service.size() > tail.size() &&
      service.compare(service.size() - tail.size(), tail.size(), tail) == 0) {
    service.resize(service.size() - tail.size());
  }
  from.prefix = model::variable_prefix(service);
  from.path = settings_path(executable, launch);
  from.file_name = from.path.substr(from.path.find_last_of("/\\") + 1);
  read_settings_file(from, launch.config.has_value());
  plan.settings.set_sources(std::move(from));
}

WINSVC_INLINE std::shared_ptr<model::typed_setting<log_format>> log_format_setting(const service_definition& plan) {
  return make_setting<log_format>({"log_format"}, plan.log_file.format, "how a line of the log file looks", at_start,
                                  enum_names<log_format>{{"text", log_format::text}, {"json", log_format::json}});
}

WINSVC_INLINE log_format initial_log_format(const service_definition& plan) {
  const auto setting = log_format_setting(plan);
  plan.settings.load_early(*setting);
  return setting->get();
}

WINSVC_INLINE void declare_builtin_settings(service_definition& plan) {
  const auto own = [&plan](auto one) {
    one->location = {"winsvc", 0};
    plan.settings.declare(one);
    return one;
  };
  const auto host = own(make_setting<std::string>({"host"}, plan.host, "the address to listen on", at_start));
  const auto port = own(make_setting<std::uint16_t>({"port"}, plan.port, "the port to listen on; 0 picks a free one",
                                                    at_start));
  plan.log_level = own(make_setting<log_level>(
      {"log_level"}, plan.log.threshold(), "the least that the log keeps",
      enum_names<log_level>{{"debug", log_level::debug}, {"info", log_level::info}, {"warn", log_level::warn},
                       {"error", log_level::error}}));
  const auto format = own(log_format_setting(plan));
  plan.log_file.format = format->get();
  plan.host = host->get();
  plan.port = port->get();
  plan.log.threshold(plan.log_level->get());
}

WINSVC_INLINE std::optional<error> settings_error(const model::setting_registry& registry) {
  constexpr std::size_t enough = 10;
  const auto faults = registry.errors();
  if (faults.empty()) return std::nullopt;
  error all_in_one = faults.front();
  for (std::size_t i = 1; i < (std::min)(faults.size(), enough); ++i)
    all_in_one.hint += (all_in_one.hint.empty() ? "" : "; ") + faults[i].to_string();
  if (faults.size() > enough) all_in_one.hint += "; and " + std::to_string(faults.size() - enough) + " more";
  return all_in_one;
}

WINSVC_INLINE bool reload_settings(service_definition& plan) {
  auto sources = plan.settings.sources();
  const bool existed = sources.file.has_value();
  read_settings_file(sources, existed);
  const auto before = plan.log_level ? plan.log_level->get() : plan.log.threshold();
  const auto report = plan.settings.reload(std::move(sources.file), std::move(sources.file_error));
  // What the operator has changed meanwhile stays, until the setting itself is another.
  if (const auto after = plan.log_level ? plan.log_level->get() : before; after != before) plan.log.threshold(after);
  for (const auto& wrong : report.faults) plan.log.error("reload: " + wrong.to_string() + "; no setting was changed");
  for (const auto& line : report.changes) plan.log.write_always(log_level::info, "setting " + line);
  for (const auto& line : report.changes_after_restart) plan.log.write_always(log_level::warn, "setting " + line + " holds from the next start on");
  return report.faults.empty();
}

}  // namespace host
}  // inline namespace WINSVC_ABI
}  // namespace winsvc

#endif  // WINSVC_BODIES_HOST
