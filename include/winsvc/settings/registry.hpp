// Registry of the settings of an app: finds their values in the sources, reports errors, and reloads the settings file.
//
//   setting_registry registry;
//   registry.set_sources(sources);       // command line, environment, settings file: strongest first
//   const auto greeting = std::make_shared<typed_setting<std::string>>("greeting", "hello", "text of the response");
//   registry.declare(greeting);
//   if (const auto errors = registry.errors(); !errors.empty()) ...
//   greeting->get();                     // from any thread
//
// A setting has its value as soon as it is declared. If the value is invalid, the setting keeps its default and
// `errors` has the reason; a service with errors does not start. A reload applies all new values or no value. It does
// not read files: the caller passes their content.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "winsvc/base/error.hpp"
#include "winsvc/base/reserve_one.hpp"
#include "winsvc/base/scope.hpp"
#include "winsvc/base/text.hpp"
#include "winsvc/config/abi.hpp"
#include "winsvc/base/error_codes.hpp"
#include "winsvc/settings/setting.hpp"
#include "winsvc/settings/settings_file.hpp"

namespace winsvc {
inline namespace WINSVC_ABI {
namespace detail::settings {

/// Sources of the values.
struct setting_sources {
  struct command_line_value {
    std::string name, value;
    std::string option = "--set";  ///< option that the user typed, for messages
  };
  std::vector<command_line_value> command_line;  ///< if a name occurs twice, the last value wins
  /// Returns the value of an environment variable.
  std::function<std::optional<std::string>(const std::string&)> environment;
  std::string prefix;                  ///< prefix of the environment variables, such as HELLO
  std::string path;                    ///< path of the settings file
  bool is_path_given = false;          ///< the path comes from --config
  std::string file_name;               ///< name of the settings file in messages
  std::function<settings_file(std::string_view content)> parse = parse_settings_file;
  std::optional<std::string> content;  ///< content of the settings file
  std::optional<settings_file> file;   ///< the parsed content
  std::optional<error> file_error;     ///< reason why the file could not be read

  /// Returns the environment variable of a setting: HELLO_STORE_PATH for `store.path`.
  [[nodiscard]] std::string variable(std::string_view name) const;
};
/// Returns the service name in capital letters, with '_' for each character that is not a letter or a digit.
[[nodiscard]] std::string variable_prefix(std::string_view service_name);

/// The settings of an app with their sources.
class setting_registry {
 public:
  using list = std::vector<std::shared_ptr<setting_base>>;

  /// Sets the sources and reads the values of all declared settings again.
  void set_sources(setting_sources sources);
  [[nodiscard]] const setting_sources& sources() const noexcept { return sources_; }
  [[nodiscard]] bool empty() const noexcept { return settings_.empty(); }

  /// Sets the prefix of the environment variables.
  void set_service_name(std::string_view service_name) { sources_.prefix = variable_prefix(service_name); }

  /// Sets the value of a setting that is not declared yet, for settings that are needed before the app runs. The
  /// setting keeps its default if there is no value or the value is invalid.
  void load_early(setting_base& setting) const {
    setting_source source;
    static_cast<void>(stage(setting, source));
    setting.commit();
  }
  /// Adds a setting and sets its value. Throws setup_error if the name is invalid or already declared, or if another
  /// setting has the same environment variable.
  void declare(std::shared_ptr<setting_base> setting);
  [[nodiscard]] const list& settings() const noexcept { return settings_; }
  [[nodiscard]] setting_base* find(std::string_view name) const noexcept;

  /// Returns the errors in the sources: invalid values, names that no setting has, and malformed lines of the file.
  /// Call it after all settings are declared. Each error has its location. Errors of the command line and of the
  /// environment come first, then those of the file in the order of its lines.
  [[nodiscard]] std::vector<error> errors() const;

  /// Result of a reload.
  struct reload_result {
    std::vector<error> errors;                       ///< if not empty: no value was changed
    std::vector<std::string> changes;                ///< "greeting: 'hi', was 'hello' (hello.ini:3)"
    std::vector<std::string> changes_after_restart;  ///< the same for settings that need a restart
  };
  /// Replaces the settings file and applies its values, or keeps the old file and all values if there are errors.
  /// `file_error`: reason why the file could not be read. Not thread-safe.
  reload_result reload(std::optional<settings_file> file, std::optional<error> file_error = {});

  /// Names of the settings whose values in the file apply after a restart, since the last reload. Thread-safe.
  [[nodiscard]] std::vector<std::string> pending_names() const {
    const std::lock_guard lock(mutex_);
    return pending_names_;
  }

  /// A setting as it is shown, with stars for a secret or a setting with the name of a secret.
  struct setting_view {
    std::string name, value, source, default_text, kind, help;
    bool secret = false, needs_restart = false;
  };
  /// Returns all settings, in the order of their declaration. Thread-safe.
  [[nodiscard]] std::vector<setting_view> views() const;

 private:
  using value_callback = std::function<void(std::string_view, setting_source)>;

  void find_value(const setting_base& setting, const value_callback& use) const;
  /// An error and its line in the settings file; 0 if it is not in the file.
  struct located_error {
    error reason;
    std::size_t line = 0;
  };
  [[nodiscard]] std::optional<located_error> stage(setting_base& setting, setting_source& source) const;
  [[nodiscard]] error unknown_setting_error(std::string_view name, const setting_source& source) const;
  [[nodiscard]] setting_source file_source(std::size_t line, bool may_have_quotes = false) const {
    return {setting_source::kind::file, sources_.file_name + ':' + std::to_string(line), line, may_have_quotes};
  }

  setting_sources sources_;
  list settings_;
  std::vector<located_error> value_errors_;
  mutable std::mutex mutex_;  // protects the sources of the settings, and pending_names_
  std::vector<std::string> pending_names_;
};

}  // namespace detail::settings
}  // inline namespace WINSVC_ABI
}  // namespace winsvc

// ---------------------------------------------------------------------------------------------------------------------

#if WINSVC_BODIES_SETTINGS

namespace winsvc {
inline namespace WINSVC_ABI {
namespace detail::settings {

WINSVC_INLINE std::string variable_prefix(std::string_view service_name) {
  std::string out;
  for (const char c : service_name) {
    const char upper = base::to_upper(c);
    out += (upper >= 'A' && upper <= 'Z') || base::is_digit(upper) ? upper : '_';
  }
  return out;
}

WINSVC_INLINE std::string setting_sources::variable(std::string_view name) const {
  return prefix + '_' + variable_prefix(name);
}

WINSVC_INLINE setting_base* setting_registry::find(std::string_view name) const noexcept {
  for (const auto& setting : settings_) {
    if (setting->name() == name) return setting.get();
  }
  return nullptr;
}

/// Calls `use` with the value of the strongest source; does not call it if no source has a value.
WINSVC_INLINE void setting_registry::find_value(const setting_base& setting, const value_callback& use) const {
  using kind = setting_source::kind;
  for (auto entry = sources_.command_line.rbegin(); entry != sources_.command_line.rend(); ++entry) {
    if (setting_name(entry->name) == setting.name()) return use(entry->value, {kind::command_line, entry->option});
  }
  const std::string variable = sources_.variable(setting.name());
  const auto value = sources_.environment ? sources_.environment(variable) : std::nullopt;
  if (value) return use(*value, {kind::environment, variable});
  if (!sources_.file) return;
  for (const auto& row : sources_.file->rows) {
    if (row.name == setting.name()) return use(row.value, file_source(row.line, !row.is_literal));
  }
}

/// Stages the value of the strongest source. If it is invalid, stages the default and returns the error.
WINSVC_INLINE std::optional<setting_registry::located_error> setting_registry::stage(setting_base& setting,
                                                                                     setting_source& source) const {
  std::optional<located_error> value_error;
  setting.stage_default();
  source = {};
  find_value(setting, [&](std::string_view value, setting_source found) {
    const bool on_command_line = found.kind_of_source == setting_source::kind::command_line;
    if (on_command_line && setting.secret) {
      value_error.emplace();
      value_error->reason = base::usage_error("'" + setting.name() +
                                                  "' is a secret and is not accepted on a command line, which every "
                                                  "user of this machine can read",
                                              "write it to the settings file");
    } else if (const auto reason = setting.stage(value, found.may_have_quotes)) {
      const std::string message = '\'' + setting.name() + "' " + *reason;
      value_error.emplace();
      value_error->line = found.line;
      value_error->reason = on_command_line
                                ? base::usage_error(found.location + ": " + message)
                                : error{base::win32_error::invalid_data, "read", found.location, message, {}};
    } else {
      source = std::move(found);
    }
  });
  return value_error;
}

WINSVC_INLINE void setting_registry::set_sources(setting_sources sources) {
  sources_ = std::move(sources);
  value_errors_.clear();
  const std::lock_guard lock(mutex_);
  for (const auto& setting : settings_) {
    if (auto value_error = stage(*setting, setting->source)) value_errors_.push_back(*std::move(value_error));
    setting->commit();
  }
}

WINSVC_INLINE void setting_registry::declare(std::shared_ptr<setting_base> setting) {
  const std::string subject = "setting '" + setting->name() + "' (" + setting->location.to_string() + "): ";
  if (!is_setting_name(setting->name()))
    throw setup_error(subject + "a name consists of letters, digits, '_' and '-', separated by dots");
  if (const auto* other = find(setting->name()))
    throw setup_error(subject + "it is already declared at " + other->location.to_string());
  for (const auto& other : settings_) {
    if (sources_.variable(other->name()) == sources_.variable(setting->name()))
      throw setup_error(subject + "it has the same environment variable as '" + other->name() + "' (" +
                        other->location.to_string() + ")");
  }
  const std::lock_guard lock(mutex_);
  auto value_error = stage(*setting, setting->source);
  base::reserve_one(value_errors_);
  settings_.push_back(setting);
  if (value_error) value_errors_.push_back(*std::move(value_error));
  setting->commit();
}

WINSVC_INLINE error setting_registry::unknown_setting_error(std::string_view name, const setting_source& source) const {
  std::vector<std::string_view> known;
  for (const auto& setting : settings_) known.push_back(setting->name());
  const auto best = base::closest_match(name, known);
  const std::string message = "there is no setting '" + std::string(base::truncate(name, 80)) + '\'';
  std::string hint = best.empty() ? "'config' lists the settings" : "did you mean '" + std::string(best) + "'?";
  if (source.kind_of_source == setting_source::kind::command_line)
    return base::usage_error(source.location + ": " + message, std::move(hint));
  return {base::win32_error::invalid_data, "read", source.location, message, std::move(hint)};
}

WINSVC_INLINE std::vector<error> setting_registry::errors() const {
  std::multimap<std::size_t, error> by_line;  // keeps the order of errors of one line
  for (const auto& entry : sources_.command_line) {
    if (!find(setting_name(entry.name)))
      by_line.emplace(0, unknown_setting_error(entry.name, {setting_source::kind::command_line, entry.option, 0}));
  }
  for (const auto& entry : value_errors_) by_line.emplace(entry.line, entry.reason);
  if (sources_.file_error) by_line.emplace(0, *sources_.file_error);
  if (sources_.file) {
    for (const auto& e : sources_.file->errors)
      by_line.emplace(e.line,
                      error{base::win32_error::invalid_data, "read", file_source(e.line).location, e.message, e.hint});
    for (const auto& row : sources_.file->rows) {
      if (!find(row.name)) by_line.emplace(row.line, unknown_setting_error(row.name, file_source(row.line)));
    }
  }
  std::vector<error> out;
  for (auto& entry : by_line) out.push_back(std::move(entry.second));
  return out;
}

WINSVC_INLINE setting_registry::reload_result setting_registry::reload(std::optional<settings_file> file,
                                                                      std::optional<error> file_error) {
  reload_result report;
  std::vector<setting_source> new_sources(settings_.size());
  std::vector<std::string> pending;
  auto old_file = std::exchange(sources_.file, std::move(file));
  auto old_file_error = std::exchange(sources_.file_error, std::move(file_error));
  auto old_value_errors = std::exchange(value_errors_, {});
  bool is_applied = false;
  const scope_exit restore([&]() noexcept {  // after errors, and if there is no memory
    if (is_applied) return;
    sources_.file = std::move(old_file);
    sources_.file_error = std::move(old_file_error);
    value_errors_ = std::move(old_value_errors);
  });
  for (std::size_t i = 0; i < settings_.size(); ++i) {
    if (auto value_error = stage(*settings_[i], new_sources[i])) value_errors_.push_back(*std::move(value_error));
  }
  report.errors = errors();
  if (!report.errors.empty()) return report;
  std::vector<bool> waits_for_restart(settings_.size());
  for (std::size_t i = 0; i < settings_.size(); ++i) {
    const setting_base& setting = *settings_[i];
    const std::string old_text = setting.text(), new_text = setting.staged_text();
    if (old_text == new_text) continue;
    const std::string values = setting.is_hidden() ? "" : ": '" + new_text + "', was '" + old_text + '\'';
    const std::string line = setting.name() + values + " (" + new_sources[i].text() + ')';
    (setting.needs_restart ? report.changes_after_restart : report.changes).push_back(line);
    waits_for_restart[i] = setting.needs_restart;
    if (setting.needs_restart) pending.push_back(setting.name());
  }
  is_applied = true;  // nothing throws from here on
  const std::lock_guard lock(mutex_);
  pending_names_.swap(pending);
  for (std::size_t i = 0; i < settings_.size(); ++i) {
    if (waits_for_restart[i]) continue;
    settings_[i]->commit();
    settings_[i]->source = std::move(new_sources[i]);
  }
  return report;
}

WINSVC_INLINE std::vector<setting_registry::setting_view> setting_registry::views() const {
  std::vector<setting_view> out;
  const std::lock_guard lock(mutex_);
  for (const auto& setting : settings_) {
    out.push_back({setting->name(), setting->masked_value(setting->text()), setting->source.text(),
                   setting->masked_value(setting->default_text()), setting->kind(), setting->help(),
                   setting->is_hidden(), setting->needs_restart});
  }
  return out;
}

}  // namespace detail::settings
}  // inline namespace WINSVC_ABI
}  // namespace winsvc

#endif  // WINSVC_BODIES_SETTINGS
