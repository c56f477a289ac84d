// Setting: a named, typed value with rules, a default, and a staged value that a reload applies.
//
//   typed_setting<int> packers("packers", 4, "number of packing threads");
//   packers.rules.push_back({[](int n) { return n > 0; }, "be greater than 0"});
//   packers.stage("x", true);     // "must be a whole number, but is 'x'"
//   packers.get();                // 4, from any thread
//
// It does not look for its value; the registry in settings/registry.hpp does.
#pragma once

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <functional>
#include <limits>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

#include "winsvc/base/source_location.hpp"
#include "winsvc/base/text.hpp"
#include "winsvc/config/abi.hpp"
#include "winsvc/settings/rule.hpp"
#include "winsvc/settings/setting_value.hpp"
#include "winsvc/settings/settings_file.hpp"

namespace winsvc {
inline namespace WINSVC_ABI {
namespace detail::settings {

/// Source of a value.
struct setting_source {
  enum class kind { default_value, file, environment, command_line };
  kind kind_of_source = kind::default_value;
  std::string location;  ///< `hello.ini:3`, `HELLO_GREETING` or `--set`; empty for the default
  std::size_t line = 0;  ///< line of the settings file, from 1; 0 for the other sources
  bool may_have_quotes = false;  ///< double quotes around the value do not belong to it

  /// Returns the location, or "default".
  [[nodiscard]] std::string text() const { return kind_of_source == kind::default_value ? "default" : location; }
};

/// Setting of any type. `get` does not return a staged value until it is committed.
class setting_base {
 public:
  setting_base(std::string name, std::string help) : name_(setting_name(name)), help_(std::move(help)) {}
  virtual ~setting_base() = default;
  setting_base(const setting_base&) = delete;
  setting_base& operator=(const setting_base&) = delete;

  [[nodiscard]] const std::string& name() const noexcept { return name_; }
  [[nodiscard]] const std::string& help() const noexcept { return help_; }
  /// Returns a description of the valid values, such as "a whole number from 1 to 64".
  [[nodiscard]] virtual std::string kind() const = 0;
  [[nodiscard]] virtual std::string default_text() const = 0;
  [[nodiscard]] virtual std::string text() const = 0;
  /// Parses and checks a value and stages it. `may_have_quotes`: double quotes around the text do not belong to it.
  /// Returns nullopt, or the reason why the value is invalid, as in "must be a whole number, but is 'x'".
  [[nodiscard]] virtual std::optional<std::string> stage(std::string_view text, bool may_have_quotes) = 0;
  virtual void stage_default() = 0;
  [[nodiscard]] virtual std::string staged_text() const = 0;
  /// Makes the staged value the value. The staged value is unspecified then.
  virtual void commit() noexcept = 0;

  bool secret = false;         ///< not accepted on a command line, and never shown
  bool needs_restart = false;  ///< a change applies at the next start
  source_location location;    ///< of the declaration
  setting_source source;       ///< of the value; the lock of the registry protects it

  /// True if the value is never shown: a secret, or a setting with the name of a secret.
  [[nodiscard]] bool is_hidden() const { return secret || base::names_secret(name_); }
  /// Returns the value as it is shown: stars for a hidden value that is not empty.
  [[nodiscard]] std::string masked_value(const std::string& value) const {
    return is_hidden() && !value.empty() ? std::string(base::secret_stars) : value;
  }

 private:
  std::string name_, help_;
};

/// Setting of type T. `setting_type<T>` must support T, or `enum_names` must have the values.
template <class T>
class typed_setting final : public setting_base {
 public:
  typed_setting(std::string name, T default_value, std::string help)
      : setting_base(std::move(name), std::move(help)),
        default_(default_value),
        staged_(default_value),
        value_(std::move(default_value)) {}

  /// True if `get` does not lock a mutex. An atomic of another type would need the library libatomic.
  static constexpr bool is_lock_free = std::is_trivially_copyable_v<T> && sizeof(T) <= sizeof(std::uint64_t) &&
                                       alignof(T) == sizeof(T);

  /// Returns the value. Thread-safe.
  [[nodiscard]] T get() const {
    if constexpr (is_lock_free) {
      return value_.load(std::memory_order_relaxed);
    } else {
      const std::lock_guard lock(mutex_);
      return value_;
    }
  }

  // Set before the setting is declared:
  std::vector<setting_rule<T>> rules;
  std::vector<std::pair<std::string, T>> enum_names;  ///< if not empty: the names of all valid values
  std::string range;                                  ///< part of `kind()`, such as "from 1 to 64"

  [[nodiscard]] std::string kind() const override;
  [[nodiscard]] std::string default_text() const override { return to_text(default_); }
  [[nodiscard]] std::string text() const override { return to_text(get()); }
  [[nodiscard]] std::optional<std::string> stage(std::string_view text, bool in_file) override;
  void stage_default() override { staged_ = default_; }
  [[nodiscard]] std::string staged_text() const override { return to_text(staged_); }
  void commit() noexcept override {
    if constexpr (is_lock_free) {
      value_.store(staged_, std::memory_order_relaxed);
    } else {
      const std::lock_guard lock(mutex_);
      std::swap(value_, staged_);  // needs no memory: a reload applies all values or none
    }
  }
  /// Checks a value against the rules. Returns nullopt, or the rule that is not met, as in "must be greater than 0".
  [[nodiscard]] std::optional<std::string> validate(const T& value) const;
  /// True if the text of the value is parsed to the same value. False for a value without a name in `enum_names`, and
  /// for a negative duration.
  [[nodiscard]] bool has_text_form(const T& value) const {
    if (!enum_names.empty())
      return std::any_of(enum_names.begin(), enum_names.end(),
                         [&value](const auto& item) { return item.second == value; });
    if constexpr (!setting_type<T>::is_supported) {
      return false;
    } else if constexpr (std::is_same_v<T, file_path> || is_path_setting<T>) {
      return true;  // an empty path is a valid default, although it cannot be parsed
    } else {
      const auto parsed = setting_type<T>::parse(setting_type<T>::text(value));
      return parsed && *parsed == value;
    }
  }

 private:
  [[nodiscard]] std::string to_text(const T& value) const;

  T default_, staged_;
  mutable std::mutex mutex_;
  // Atomic: a handler reads a number without a lock, while a reload stores it. It orders no other data: relaxed would
  // do. Other types are under mutex_.
  std::conditional_t<is_lock_free, std::atomic<T>, T> value_;
};

// ---------------------------------------------------------------------------------------------------------------------

template <class T>
std::string typed_setting<T>::to_text(const T& value) const {
  for (const auto& [name, named_value] : enum_names) {
    if (named_value == value) return name;
  }
  if constexpr (setting_type<T>::is_supported) return setting_type<T>::text(value);
  else return {};
}

template <class T>
std::string typed_setting<T>::kind() const {
  if (!enum_names.empty()) {
    std::string out;
    for (std::size_t i = 0; i < enum_names.size(); ++i)
      out += (i == 0 ? "" : i + 1 == enum_names.size() ? " or " : ", ") + enum_names[i].first;
    return out;
  }
  if constexpr (setting_type<T>::is_supported) {
    std::string out = setting_type<T>::kind();
    if constexpr (is_integer_setting<T>) {
      if (range.empty() && std::is_unsigned_v<T>)
        return out + (sizeof(T) > 2 ? ", 0 or more" : " from 0 to " + to_text((std::numeric_limits<T>::max)()));
      return out + (range.empty() ? "" : ' ' + range);
    }
    return out + (range.empty() ? "" : ", " + range);
  } else {
    return {};
  }
}

template <class T>
std::optional<std::string> typed_setting<T>::validate(const T& value) const {
  for (const auto& rule : rules) {
    try {
      if (!rule.predicate(value)) return "must " + rule.requirement;
    } catch (const std::exception& e) {  // for example, an invalid regular expression in the rule
      return "must " + rule.requirement + (is_hidden() ? std::string() : " (" + std::string(e.what()) + ')');
    }
  }
  return std::nullopt;
}

template <class T>
std::optional<std::string> typed_setting<T>::stage(std::string_view text, bool may_have_quotes) {
  const std::string quoted = '\'' + std::string(base::truncate(text, 80)) + '\'';
  const std::string but_is = is_hidden() ? ", but is not" : ", but is " + quoted;
  std::optional<T> value;
  if (!enum_names.empty()) {
    for (const auto& [name, named_value] : enum_names) {
      if (base::equal_nocase(name, text)) value = named_value;
    }
  } else if constexpr (setting_type<T>::is_supported) {
    constexpr bool can_have_quotes =
        std::is_same_v<T, std::string> || std::is_same_v<T, file_path> || is_path_setting<T>;
    value = setting_type<T>::parse(may_have_quotes && can_have_quotes ? unquote(text) : text);
  }
  if (!value) {
    const auto digits = text.substr(text.empty() || text[0] != '-' ? 0 : 1);
    const bool is_too_large = is_integer_setting<T> && enum_names.empty() && !digits.empty() &&
                              digits.find_first_not_of("0123456789") == digits.npos;
    if (is_too_large) return "must be " + kind() + ", but " + (is_hidden() ? "" : quoted + " ") + "is too large";
    return "must be " + kind() + but_is;
  }
  if (auto unmet_rule = validate(*value)) return *unmet_rule + but_is;
  staged_ = *std::move(value);
  return std::nullopt;
}

}  // namespace detail::settings
}  // inline namespace WINSVC_ABI
}  // namespace winsvc
