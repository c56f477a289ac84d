// The settings of an app: what it declares, where the values come from, and what becomes of them at a reload.
//
//   settings all;
//   all.from(sources);                                   // command line, environment, file: strongest first
//   auto greeting = all.declare(std::make_shared<typed_setting<std::string>>("greeting", "hello", "what to say"));
//   if (const auto wrong = all.faults(); !wrong.empty()) ...
//   greeting->get();                                     // from any thread
//
// A setting has its value as soon as it is declared; a value that cannot be taken leaves it at its default, and is one
// of the `faults`, with which nothing starts. A reload takes all values, or none.
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
#include "winsvc/model/codes.hpp"
#include "winsvc/model/setting.hpp"
#include "winsvc/model/settings_file.hpp"

namespace winsvc {
inline namespace WINSVC_ABI {
namespace model {

/// Where values may stand.
struct setting_sources {
  struct given {
    std::string name, value;
    std::string option = "--set";  ///< how it was said
  };
  std::vector<given> command_line;  ///< of two for one name the last counts
  /// The value of a variable, by its name.
  std::function<std::optional<std::string>(const std::string&)> environment;
  std::string prefix;     ///< of the names of variables: HELLO
  std::string path;       ///< of the file
  std::string file_name;  ///< the same as it is shown
  std::optional<std::string> content;  ///< as it was read
  std::optional<settings_file> file;
  std::optional<error> fault;  ///< why there is none, where there should be one

  /// HELLO_STORE_PATH for `store.path`.
  [[nodiscard]] std::string variable(std::string_view name) const;
};
/// Letters and digits of a service's name, capital; '_' for the rest.
[[nodiscard]] std::string variable_prefix(std::string_view service_name);

/// All of them.
class settings {
 public:
  using list = std::vector<std::shared_ptr<any_setting>>;

  /// Where values stand. Before the first is declared, or again later, for all of them.
  void from(setting_sources where);
  [[nodiscard]] const setting_sources& sources() const noexcept { return sources_; }
  [[nodiscard]] bool empty() const noexcept { return all_.empty(); }

  /// Variables of the environment have this name in theirs.
  void called(std::string_view service_name) { sources_.prefix = variable_prefix(service_name); }

  /// Gives it the value that it would have, or leaves it at its default: for what has to be known before App says it.
  void peek(any_setting& one) const {
    setting_origin from;
    static_cast<void>(stage(one, from));
    one.commit();
  }
  /// Takes its value. Throws setup_error for a name that is none, or taken.
  void declare(std::shared_ptr<any_setting> one);
  [[nodiscard]] const list& all() const noexcept { return all_; }
  [[nodiscard]] any_setting* find(std::string_view name) const noexcept;

  /// What is wrong with the sources, in their order, once all settings are declared: values that are not taken, names
  /// that nobody declared, lines of the file that say nothing. Each is a sentence with its place.
  [[nodiscard]] std::vector<error> faults() const;

  /// What a reload did.
  struct reload_report {
    std::vector<error> faults;         ///< if any: nothing was changed
    std::vector<std::string> changes;  ///< "greeting: 'hi', was 'hello' (hello.ini:3)"
    std::vector<std::string> later;    ///< the same, of those that hold from the next start on
  };
  /// From one thread at a time.
  reload_report reload(std::optional<settings_file> file, std::optional<error> fault = {});

  /// A setting as it is shown: any thread may ask.
  struct shown_setting {
    std::string name, value, origin, standard, kind, help;
    bool secret = false, at_start = false;
  };
  [[nodiscard]] std::vector<shown_setting> shown() const;

 private:
  void look_up(const any_setting& one, const std::function<void(std::string_view, setting_origin)>& use) const;
  [[nodiscard]] std::optional<error> stage(any_setting& one, setting_origin& from) const;
  [[nodiscard]] error unknown(std::string_view name, const setting_origin& at, std::uint32_t code) const;
  [[nodiscard]] std::string place(const settings_file::row& row) const {
    return sources_.file_name + ':' + std::to_string(row.line);
  }

  setting_sources sources_;
  list all_;
  std::vector<error> wrong_values_;
  mutable std::mutex mutex_;  // of the origins
};

// ---------------------------------------------------------------------------------------------------------------------

inline std::string variable_prefix(std::string_view service_name) {
  std::string out;
  for (const char c : service_name) {
    const char upper = text::to_upper(c);
    out += (upper >= 'A' && upper <= 'Z') || text::is_digit(upper) ? upper : '_';
  }
  return out;
}

inline std::string setting_sources::variable(std::string_view name) const {
  return prefix + '_' + variable_prefix(name);
}

inline any_setting* settings::find(std::string_view name) const noexcept {
  for (const auto& one : all_) {
    if (one->name() == name) return one.get();
  }
  return nullptr;
}

/// Calls `use` with the strongest value, or not at all.
inline void settings::look_up(const any_setting& one,
                              const std::function<void(std::string_view, setting_origin)>& use) const {
  using kind = setting_origin::kind;
  for (auto given = sources_.command_line.rbegin(); given != sources_.command_line.rend(); ++given) {
    if (setting_name(given->name) == one.name()) return use(given->value, {kind::command_line, given->option});
  }
  const std::string variable = sources_.variable(one.name());
  const auto set = sources_.environment ? sources_.environment(variable) : std::nullopt;
  if (set) return use(*set, {kind::environment, variable});
  if (!sources_.file) return;
  for (const auto& row : sources_.file->rows) {
    if (row.name == one.name()) return use(row.value, {kind::file, place(row)});
  }
}

/// Nothing, or what is wrong with the value it has; then its default is staged.
inline std::optional<error> settings::stage(any_setting& one, setting_origin& from) const {
  std::optional<error> wrong;
  one.stage_default();
  from = {};
  look_up(one, [&](std::string_view value, setting_origin origin) {
    const bool in_file = origin.from == setting_origin::kind::file;
    const bool spoken = origin.from == setting_origin::kind::command_line;
    if (spoken && one.secret) {
      wrong = error{0, {}, {}, "'" + one.name() + "' is a secret, and a command line is no place for one: every user of "
                               "the machine can read it",
                    "write it into the settings file"};
    } else if (const auto why = one.stage(value, in_file)) {
      const std::string said = '\'' + one.name() + "' " + *why;
      wrong = spoken ? error{0, {}, {}, origin.where + ": " + said, {}}
                     : error{code::invalid_data, "read", origin.where, said, {}};
    } else {
      from = std::move(origin);
    }
  });
  return wrong;
}

inline void settings::from(setting_sources where) {
  sources_ = std::move(where);
  wrong_values_.clear();
  const std::lock_guard lock(mutex_);
  for (const auto& one : all_) {
    if (auto wrong = stage(*one, one->origin)) wrong_values_.push_back(*std::move(wrong));
    one->commit();
  }
}

inline void settings::declare(std::shared_ptr<any_setting> one) {
  if (!is_setting_name(one->name()))
    throw setup_error("setting '" + one->name() + "' (" + one->where.text() +
                      "): a name has letters, digits, '_' and '-', with dots between");
  if (const auto* other = find(one->name()))
    throw setup_error("setting '" + one->name() + "' (" + one->where.text() + "): it is declared at " +
                      other->where.text() + " already");
  for (const auto& other : all_) {
    if (sources_.variable(other->name()) == sources_.variable(one->name()))
      throw setup_error("setting '" + one->name() + "' (" + one->where.text() + "): in the environment it has the name of '" +
                        other->name() + "' (" + other->where.text() + ")");
  }
  const std::lock_guard lock(mutex_);
  if (auto wrong = stage(*one, one->origin)) wrong_values_.push_back(*std::move(wrong));
  one->commit();
  all_.push_back(std::move(one));
}

inline error settings::unknown(std::string_view name, const setting_origin& at, std::uint32_t code) const {
  std::vector<std::string_view> known;
  for (const auto& one : all_) known.push_back(one->name());
  const auto near_one = text::nearest(name, known);
  const std::string said = "there is no setting '" + std::string(text::cut(name, 80)) + '\'';
  std::string hint = near_one.empty() ? "'config' lists them" : "did you mean '" + std::string(near_one) + "'?";
  if (code == 0) return {0, {}, {}, at.where + ": " + said, std::move(hint)};
  return {code, "read", at.where, said, std::move(hint)};
}

inline std::vector<error> settings::faults() const {
  std::vector<error> out;
  for (const auto& given : sources_.command_line) {
    if (!find(setting_name(given.name)))
      out.push_back(unknown(given.name, {setting_origin::kind::command_line, given.option}, 0));
  }
  out.insert(out.end(), wrong_values_.begin(), wrong_values_.end());
  if (sources_.fault) out.push_back(*sources_.fault);
  if (!sources_.file) return out;
  for (const auto& f : sources_.file->faults)
    out.push_back({code::invalid_data, "read", sources_.file_name + ':' + std::to_string(f.line), f.said, f.hint});
  for (const auto& row : sources_.file->rows) {
    if (!find(row.name)) out.push_back(unknown(row.name, {setting_origin::kind::file, place(row)}, code::invalid_data));
  }
  return out;
}

inline settings::reload_report settings::reload(std::optional<settings_file> file, std::optional<error> fault) {
  reload_report report;
  auto before = std::exchange(sources_.file, std::move(file));
  auto fault_before = std::exchange(sources_.fault, std::move(fault));
  auto wrong_before = std::move(wrong_values_);
  wrong_values_.clear();
  std::vector<setting_origin> origins(all_.size());
  for (std::size_t i = 0; i < all_.size(); ++i) {
    if (auto wrong = stage(*all_[i], origins[i])) wrong_values_.push_back(*std::move(wrong));
  }
  report.faults = faults();
  if (!report.faults.empty()) {
    sources_.file = std::move(before);
    sources_.fault = std::move(fault_before);
    wrong_values_ = std::move(wrong_before);
    return report;
  }
  const std::lock_guard lock(mutex_);
  for (std::size_t i = 0; i < all_.size(); ++i) {
    any_setting& one = *all_[i];
    const std::string was = one.text(), is = one.staged_text();
    if (was != is) {
      const std::string line = one.secret ? one.name() + " (" + origins[i].text() + ')'
                                          : one.name() + ": '" + is + "', was '" + was + "' (" + origins[i].text() + ')';
      (one.at_start ? report.later : report.changes).push_back(line);
      if (one.at_start) continue;
    }
    one.commit();
    one.origin = std::move(origins[i]);
  }
  return report;
}

inline std::vector<settings::shown_setting> settings::shown() const {
  std::vector<shown_setting> out;
  const std::lock_guard lock(mutex_);
  for (const auto& one : all_) {
    out.push_back({one->name(), one->shown(one->text()), one->origin.text(), one->shown(one->default_text()),
                   one->kind(), one->help(), one->secret, one->at_start});
  }
  return out;
}

}  // namespace model
}  // inline namespace WINSVC_ABI
}  // namespace winsvc
