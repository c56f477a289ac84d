// The settings of an app: what it declares, where the values come from, and what becomes of them at a reload.
//
//   settings all;
//   all.from(sources);                                   // command line, environment, file: strongest first
//   auto greeting = all.declare(std::make_shared<typed_setting<std::string>>("greeting", "hello", "what to say"));
//   if (const auto wrong = all.faults(); !wrong.empty()) ...
//   greeting->get();                                     // from any thread
//
// A setting has its value as soon as it is declared; a value that cannot be taken leaves it at its default, and is one
// of the `errors`, with which nothing starts. A reload takes all values, or none.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "winsvc/base/error.hpp"
#include "winsvc/base/text.hpp"
#include "winsvc/config/abi.hpp"
#include "winsvc/base/error_codes.hpp"
#include "winsvc/settings/setting.hpp"
#include "winsvc/settings/settings_file.hpp"

namespace winsvc {
inline namespace WINSVC_ABI {
namespace model {

/// Where values may stand.
struct setting_sources {
  struct command_line_value {
    std::string name, value;
    std::string option = "--set";  ///< how it was said
  };
  std::vector<command_line_value> command_line;  ///< of two for one name the last counts
  /// The value of a variable, by its name.
  std::function<std::optional<std::string>(const std::string&)> environment;
  std::string prefix;     ///< of the names of variables: HELLO
  std::string path;       ///< of the file
  std::string file_name;  ///< the same as it is shown
  std::optional<std::string> content;  ///< as it was read
  std::optional<settings_file> file;
  std::optional<error> file_error;  ///< why there is none, where there should be one

  /// HELLO_STORE_PATH for `store.path`.
  [[nodiscard]] std::string variable(std::string_view name) const;
};
/// Letters and digits of a service's name, capital; '_' for the rest.
[[nodiscard]] std::string variable_prefix(std::string_view service_name);

/// All of them.
class setting_registry {
 public:
  using list = std::vector<std::shared_ptr<setting_base>>;

  /// Where values stand. Before the first is declared, or again later, for all of them.
  void set_sources(setting_sources where);
  [[nodiscard]] const setting_sources& sources() const noexcept { return sources_; }
  [[nodiscard]] bool empty() const noexcept { return settings_.empty(); }

  /// Variables of the environment have this name in theirs.
  void set_service_name(std::string_view service_name) { sources_.prefix = variable_prefix(service_name); }

  /// Gives it the value that it would have, or leaves it at its default: for what has to be known before App says it.
  void load_early(setting_base& setting) const {
    setting_source from;
    static_cast<void>(stage(setting, from));
    setting.commit();
  }
  /// Takes its value. Throws setup_error for a name that is none, or taken.
  void declare(std::shared_ptr<setting_base> setting);
  [[nodiscard]] const list& settings() const noexcept { return settings_; }
  [[nodiscard]] setting_base* find(std::string_view name) const noexcept;

  /// What is wrong with the sources, in their order, once all settings are declared: values that are not taken, names
  /// that nobody declared, lines of the file that say nothing. Each is a sentence with its place.
  [[nodiscard]] std::vector<error> errors() const;

  /// What a reload did.
  struct reload_result {
    std::vector<error> faults;         ///< if any: nothing was changed
    std::vector<std::string> changes;  ///< "greeting: 'hi', was 'hello' (hello.ini:3)"
    std::vector<std::string> changes_after_restart;    ///< the same, of those that hold from the next start on
  };
  /// From one thread at a time.
  reload_result reload(std::optional<settings_file> file, std::optional<error> fault = {});

  /// A setting as it is shown: any thread may ask.
  struct setting_view {
    std::string name, value, origin, default_text, kind, help;
    bool secret = false, needs_restart = false;
  };
  [[nodiscard]] std::vector<setting_view> views() const;

 private:
  void find_value(const setting_base& setting, const std::function<void(std::string_view, setting_source)>& use) const;
  [[nodiscard]] std::optional<error> stage(setting_base& setting, setting_source& from) const;
  [[nodiscard]] error unknown_setting_error(std::string_view name, const setting_source& at, std::uint32_t code) const;
  [[nodiscard]] std::string file_location(const settings_file::setting_line& row) const {
    return sources_.file_name + ':' + std::to_string(row.line);
  }

  setting_sources sources_;
  list settings_;
  std::vector<error> value_errors_;
  mutable std::mutex mutex_;  // of the origins
};

}  // namespace model
}  // inline namespace WINSVC_ABI
}  // namespace winsvc

// ---------------------------------------------------------------------------------------------------------------------

#if WINSVC_BODIES_MODEL

namespace winsvc {
inline namespace WINSVC_ABI {
namespace model {

WINSVC_INLINE std::string variable_prefix(std::string_view service_name) {
  std::string out;
  for (const char c : service_name) {
    const char upper = strings::to_upper(c);
    out += (upper >= 'A' && upper <= 'Z') || strings::is_digit(upper) ? upper : '_';
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

/// Calls `use` with the strongest value, or not at all.
WINSVC_INLINE void setting_registry::find_value(const setting_base& setting,
                              const std::function<void(std::string_view, setting_source)>& use) const {
  using kind = setting_source::kind;
  for (auto given = sources_.command_line.rbegin(); given != sources_.command_line.rend(); ++given) {
    if (setting_name(given->name) == setting.name()) return use(given->value, {kind::command_line, given->option});
  }
  const std::string variable = sources_.variable(setting.name());
  const auto set = sources_.environment ? sources_.environment(variable) : std::nullopt;
  if (set) return use(*set, {kind::environment, variable});
  if (!sources_.file) return;
  for (const auto& row : sources_.file->rows) {
    if (row.name == setting.name()) return use(row.value, {kind::file, file_location(row)});
  }
}

/// Nothing, or what is wrong with the value it has; then its default is staged.
WINSVC_INLINE std::optional<error> setting_registry::stage(setting_base& setting, setting_source& from) const {
  std::optional<error> wrong;
  setting.stage_default();
  from = {};
  find_value(setting, [&](std::string_view value, setting_source origin) {
    const bool in_file = origin.kind_of_source == setting_source::kind::file;
    const bool spoken = origin.kind_of_source == setting_source::kind::command_line;
    if (spoken && setting.secret) {
      wrong = error{0, {}, {}, "'" + setting.name() + "' is a secret, and a command line is no place for one: every user of "
                               "the machine can read it",
                    "write it into the settings file"};
    } else if (const auto reason = setting.stage(value, in_file)) {
      const std::string message = '\'' + setting.name() + "' " + *reason;
      wrong = spoken ? error{0, {}, {}, origin.location + ": " + message, {}}
                     : error{win32_error::invalid_data, "read", origin.location, message, {}};
    } else {
      from = std::move(origin);
    }
  });
  return wrong;
}

WINSVC_INLINE void setting_registry::set_sources(setting_sources where) {
  sources_ = std::move(where);
  value_errors_.clear();
  const std::lock_guard lock(mutex_);
  for (const auto& setting : settings_) {
    if (auto wrong = stage(*setting, setting->origin)) value_errors_.push_back(*std::move(wrong));
    setting->commit();
  }
}

WINSVC_INLINE void setting_registry::declare(std::shared_ptr<setting_base> setting) {
  if (!is_setting_name(setting->name()))
    throw setup_error("setting '" + setting->name() + "' (" + setting->location.to_string() +
                      "): a name has letters, digits, '_' and '-', with dots between");
  if (const auto* other = find(setting->name()))
    throw setup_error("setting '" + setting->name() + "' (" + setting->location.to_string() + "): it is declared at " +
                      other->location.to_string() + " already");
  for (const auto& other : settings_) {
    if (sources_.variable(other->name()) == sources_.variable(setting->name()))
      throw setup_error("setting '" + setting->name() + "' (" + setting->location.to_string() + "): in the environment it has the name of '" +
                        other->name() + "' (" + other->location.to_string() + ")");
  }
  const std::lock_guard lock(mutex_);
  if (auto wrong = stage(*setting, setting->origin)) value_errors_.push_back(*std::move(wrong));
  setting->commit();
  settings_.push_back(std::move(setting));
}

WINSVC_INLINE error setting_registry::unknown_setting_error(std::string_view name, const setting_source& at, std::uint32_t code) const {
  std::vector<std::string_view> known;
  for (const auto& setting : settings_) known.push_back(setting->name());
  const auto near_one = strings::closest_match(name, known);
  const std::string message = "there is no setting '" + std::string(strings::truncate(name, 80)) + '\'';
  std::string hint = near_one.empty() ? "'config' lists them" : "did you mean '" + std::string(near_one) + "'?";
  if (code == 0) return {0, {}, {}, at.location + ": " + message, std::move(hint)};
  return {code, "read", at.location, message, std::move(hint)};
}

WINSVC_INLINE std::vector<error> setting_registry::errors() const {
  std::vector<error> out;
  for (const auto& given : sources_.command_line) {
    if (!find(setting_name(given.name)))
      out.push_back(unknown_setting_error(given.name, {setting_source::kind::command_line, given.option}, 0));
  }
  out.insert(out.end(), value_errors_.begin(), value_errors_.end());
  if (sources_.file_error) out.push_back(*sources_.file_error);
  if (!sources_.file) return out;
  for (const auto& f : sources_.file->errors)
    out.push_back({win32_error::invalid_data, "read", sources_.file_name + ':' + std::to_string(f.line), f.message, f.hint});
  for (const auto& row : sources_.file->rows) {
    if (!find(row.name)) out.push_back(unknown_setting_error(row.name, {setting_source::kind::file, file_location(row)}, win32_error::invalid_data));
  }
  return out;
}

WINSVC_INLINE setting_registry::reload_result setting_registry::reload(std::optional<settings_file> file, std::optional<error> fault) {
  reload_result report;
  auto before = std::exchange(sources_.file, std::move(file));
  auto fault_before = std::exchange(sources_.file_error, std::move(fault));
  auto wrong_before = std::move(value_errors_);
  value_errors_.clear();
  std::vector<setting_source> origins(settings_.size());
  for (std::size_t i = 0; i < settings_.size(); ++i) {
    if (auto wrong = stage(*settings_[i], origins[i])) value_errors_.push_back(*std::move(wrong));
  }
  report.faults = errors();
  if (!report.faults.empty()) {
    sources_.file = std::move(before);
    sources_.file_error = std::move(fault_before);
    value_errors_ = std::move(wrong_before);
    return report;
  }
  const std::lock_guard lock(mutex_);
  for (std::size_t i = 0; i < settings_.size(); ++i) {
    setting_base& setting = *settings_[i];
    const std::string was = setting.text(), is = setting.staged_text();
    if (was != is) {
      const std::string line = setting.secret ? setting.name() + " (" + origins[i].text() + ')'
                                          : setting.name() + ": '" + is + "', was '" + was + "' (" + origins[i].text() + ')';
      (setting.needs_restart ? report.changes_after_restart : report.changes).push_back(line);
      if (setting.needs_restart) continue;
    }
    setting.commit();
    setting.origin = std::move(origins[i]);
  }
  return report;
}

WINSVC_INLINE std::vector<setting_registry::setting_view> setting_registry::views() const {
  std::vector<setting_view> out;
  const std::lock_guard lock(mutex_);
  for (const auto& setting : settings_) {
    out.push_back({setting->name(), setting->masked_value(setting->text()), setting->origin.text(), setting->masked_value(setting->default_text()),
                   setting->kind(), setting->help(), setting->secret, setting->needs_restart});
  }
  return out;
}

}  // namespace model
}  // inline namespace WINSVC_ABI
}  // namespace winsvc

#endif  // WINSVC_BODIES_MODEL
