// One setting: its type, its rules, its value, and the value it would have after a reload.
//
//   typed_setting<int> packers("packers", 4, "threads that pack");
//   packers.rules.push_back({[](int n) { return n > 0; }, "be more than none"});
//   packers.stage("x", true);     // "takes a whole number, and 'x' is none"
//   packers.get();                // 4, from any thread
//
// All of them, and where their values come from: settings/registry.hpp.
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
#include "winsvc/settings/setting_value.hpp"
#include "winsvc/settings/settings_file.hpp"

namespace winsvc {
inline namespace WINSVC_ABI {
namespace model {

/// Where a value was found.
struct setting_source {
  enum class kind { default_value, file, environment, command_line };
  kind kind_of_source = kind::default_value;
  std::string location;  ///< `hello.ini:3`, `HELLO_GREETING`, `--set`; "default"

  [[nodiscard]] std::string text() const { return kind_of_source == kind::default_value ? "default" : location; }
};

/// One setting, whatever it holds. What is staged is not seen until it is committed.
class setting_base {
 public:
  setting_base(std::string name, std::string help) : name_(setting_name(name)), help_(std::move(help)) {}
  virtual ~setting_base() = default;
  setting_base(const setting_base&) = delete;
  setting_base& operator=(const setting_base&) = delete;

  [[nodiscard]] const std::string& name() const noexcept { return name_; }
  [[nodiscard]] const std::string& help() const noexcept { return help_; }
  /// What it takes: "a whole number from 1 to 64".
  [[nodiscard]] virtual std::string kind() const = 0;
  [[nodiscard]] virtual std::string default_text() const = 0;
  [[nodiscard]] virtual std::string text() const = 0;
  /// Nothing, or why it does not take that.
  [[nodiscard]] virtual std::optional<std::string> stage(std::string_view written, bool in_file) = 0;
  virtual void stage_default() = 0;
  [[nodiscard]] virtual std::string staged_text() const = 0;
  virtual void commit() = 0;

  bool secret = false;    ///< shown as stars, everywhere
  bool needs_restart = false;  ///< a change holds from the next start on
  source_location location;           ///< of the declaration
  setting_source origin;  ///< under the registry's lock

  /// For people: a secret that is set is stars.
  [[nodiscard]] std::string masked_value(const std::string& value) const {
    return secret && !value.empty() ? std::string(masked) : value;
  }
  static constexpr std::string_view masked = "******";

 private:
  std::string name_, help_;
};

/// A rule for a value beyond its type, and how it ends the sentence "... must".
template <class T>
struct setting_rule {
  std::function<bool(const T&)> predicate;
  std::string requirement;
};

template <class T>
class typed_setting final : public setting_base {
 public:
  typed_setting(std::string name, T standard, std::string help)
      : setting_base(std::move(name), std::move(help)), default_(standard), staged_(standard), value_(std::move(standard)) {}

  /// From any thread.
  [[nodiscard]] T get() const {
    if constexpr (is_lock_free) {
      return value_.load(std::memory_order_relaxed);
    } else {
      const std::lock_guard lock(mutex_);
      return value_;
    }
  }

  // While it is described:
  std::vector<setting_rule<T>> rules;
  std::vector<std::pair<std::string, T>> enum_names;  ///< where it is one of several, by name
  std::string range;                             ///< "from 1 to 64"

  [[nodiscard]] std::string kind() const override;
  [[nodiscard]] std::string default_text() const override { return to_text(default_); }
  [[nodiscard]] std::string text() const override { return to_text(get()); }
  [[nodiscard]] std::optional<std::string> stage(std::string_view text, bool in_file) override;
  void stage_default() override { staged_ = default_; }
  [[nodiscard]] std::string staged_text() const override { return to_text(staged_); }
  void commit() override {
    if constexpr (is_lock_free) {
      value_.store(staged_, std::memory_order_relaxed);
    } else {
      const std::lock_guard lock(mutex_);
      value_ = staged_;
    }
  }
  /// Of the default: the mistake would be the programmer's.
  [[nodiscard]] std::optional<std::string> validate(const T& value) const;
  /// Is what is written of a value read back as it? Not of a default that has no name among its names, nor of a time
  /// that is negative.
  [[nodiscard]] bool has_text_form(const T& value) const {
    if (!enum_names.empty())
      return std::any_of(enum_names.begin(), enum_names.end(), [&value](const auto& one) { return one.second == value; });
    if constexpr (!setting_type<T>::is_supported) {
      return false;
    } else if constexpr (std::is_same_v<T, file_path>) {
      return true;  // the empty one is none
    } else {
      const auto read = setting_type<T>::parse(setting_type<T>::text(value));
      return read && *read == value;
    }
  }

 private:
  static constexpr bool is_lock_free = std::is_trivially_copyable_v<T> && sizeof(T) <= sizeof(std::uint64_t);
  [[nodiscard]] std::string to_text(const T& value) const;

  T default_, staged_;
  mutable std::mutex mutex_;
  std::conditional_t<is_lock_free, std::atomic<T>, T> value_;
};

// ---------------------------------------------------------------------------------------------------------------------

template <class T>
std::string typed_setting<T>::to_text(const T& value) const {
  for (const auto& [name, one] : enum_names) {
    if (one == value) return name;
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
    } catch (const std::exception& e) {  // of a regular expression that is none, say
      return "must " + rule.requirement + (secret ? std::string() : " (" + std::string(e.what()) + ')');
    }
  }
  return std::nullopt;
}

template <class T>
std::optional<std::string> typed_setting<T>::stage(std::string_view text, bool in_file) {
  const std::string quoted = secret ? "what it has" : '\'' + std::string(strings::truncate(text, 80)) + '\'';
  std::optional<T> value;
  if (!enum_names.empty()) {
    for (const auto& [name, one] : enum_names) {
      if (strings::equal_nocase(name, text)) value = one;
    }
  } else if constexpr (setting_type<T>::is_supported) {
    constexpr bool takes_quotes = std::is_same_v<T, std::string> || std::is_same_v<T, file_path>;
    value = setting_type<T>::parse(in_file && takes_quotes ? unquote(text) : text);
  }
  if (!value) {
    const auto digits = text.substr(text.empty() || text[0] != '-' ? 0 : 1);
    const bool too_large = is_integer_setting<T> && enum_names.empty() && !digits.empty() &&
                           digits.find_first_not_of("0123456789") == digits.npos;
    return "takes " + kind() + ", and " + quoted + (too_large ? " is beyond what it can hold" : " is none");
  }
  if (auto why = validate(*value)) return *why + ", and " + quoted + " does not";
  staged_ = *std::move(value);
  return std::nullopt;
}

}  // namespace model
}  // inline namespace WINSVC_ABI
}  // namespace winsvc
