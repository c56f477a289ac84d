// Setting handle: reads a setting of the app. Also the options of a declaration: range, rule, enum names, secret.
//
//   auto greeting = svc.setting("greeting", "hello", "text of the response");
//   auto packers = svc.setting<int>("packers", 4, "packing threads", winsvc::between(1, 64), winsvc::at_start);
//   svc.get("/", [greeting] { return *greeting; });
//
// A handle is small; copy it. `*handle` returns the current value. A reload can change it at any time, so a handler
// that needs a consistent value reads it once.
//
// Types: bool, integers, double, std::string, std::chrono durations of milliseconds or longer units, byte_size,
// file_path, std::filesystem::path, std::vector<std::string>, and with enum_names any type with operator==.
#pragma once

#include <cstddef>
#include <memory>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#include "winsvc/base/error.hpp"
#include "winsvc/base/source_location.hpp"
#include "winsvc/config/abi.hpp"
#include "winsvc/settings/rule.hpp"
#include "winsvc/settings/setting.hpp"

namespace winsvc {
inline namespace WINSVC_ABI {

/// A handle to a setting of type T. `service::setting` returns it.
template <class T>
class setting {
 public:
  explicit setting(std::shared_ptr<const detail::settings::typed_setting<T>> typed) noexcept
      : setting_(std::move(typed)) {}
  /// The current value. Thread-safe.
  [[nodiscard]] T operator*() const { return setting_->get(); }
  /// A member of the current value, which is copied: `token->empty()`. Thread-safe.
  [[nodiscard]] auto operator->() const {
    struct copy {
      T value;
      const T* operator->() const noexcept { return &value; }
    };
    return copy{setting_->get()};
  }

 private:
  std::shared_ptr<const detail::settings::typed_setting<T>> setting_;
};

// Options of `service::setting`, after the help text, in any order:

// The rules of settings/rule.hpp (between, at_least, one_of, matches, satisfies, enum_names ...), and:

/// Marks a secret. Its value is shown as stars, the log contains only its name, and the command line does not accept
/// it, because each user of the machine can read command lines.
struct secret_setting {};
inline constexpr secret_setting secret{};
/// Marks a setting whose value changes only at the next start. A reload keeps the current value and logs this.
struct start_setting {};
inline constexpr start_setting at_start{};

namespace detail::api {

/// The name of a setting and the source location of its declaration.
struct setting_name_at {
  std::string name;
  source_location location;
  template <class Text, class = std::enable_if_t<std::is_convertible_v<Text, std::string>>>
  setting_name_at(Text&& text, source_location declared_at = source_location::current())
      : name(std::forward<Text>(text)), location(declared_at) {}
};

/// The type of a setting with a default of type D: T if it is given, std::string for a string literal, otherwise D.
template <class T, class D>
using setting_value = std::conditional_t<
    !std::is_void_v<T>, T,
    std::conditional_t<std::is_convertible_v<D, std::string> && !std::is_same_v<std::decay_t<D>, file_path> &&
                           !settings::is_path_setting<std::decay_t<D>>,
                       std::string, std::decay_t<D>>>;

/// A rule of settings/rule.hpp.
template <class T, class Rule>
auto apply_option(settings::typed_setting<T>& setting, const Rule& rule)
    -> decltype(settings::rule_for<T>(rule), void()) {
  setting.rules.push_back(settings::rule_for<T>(rule));
}

/// Converts a default to the type of the setting. A text for a path is UTF-8.
template <class T, class D>
T to_default(D&& standard) {
  if constexpr (settings::is_path_setting<T> && std::is_convertible_v<D, std::string> &&
                !std::is_same_v<std::decay_t<D>, T>)
    return settings::setting_type<T>::parse(std::string(std::forward<D>(standard))).value_or(T());
  else
    return T(std::forward<D>(standard));
}

template <class T, class A, class B>
void apply_option(settings::typed_setting<T>& setting, const between<A, B>& range) {
  const T lower = T(range.lower), upper = T(range.upper);
  if constexpr (std::is_arithmetic_v<T> && std::is_arithmetic_v<A> && std::is_arithmetic_v<B>) {
    if (static_cast<A>(lower) != range.lower || static_cast<B>(upper) != range.upper)
      throw setup_error("setting '" + setting.name() + "': a limit of between() is out of range for its type");
  }
  const auto text = [](const T& v) { return settings::setting_type<T>::text(v); };
  setting.range = "from " + text(lower) + " to " + text(upper);
  setting.rules.push_back({[lower, upper](const T& v) { return !(v < lower) && !(upper < v); },
                           "lie between " + text(lower) + " and " + text(upper)});
}
template <class T>
void apply_option(settings::typed_setting<T>& setting, const enum_names<T>& values) {
  setting.enum_names = values.values;
}
template <class T>
void apply_option(settings::typed_setting<T>& setting, secret_setting) {
  setting.secret = true;
}
template <class T>
void apply_option(settings::typed_setting<T>& setting, start_setting) {
  setting.needs_restart = true;
}

template <class T, class Option>
inline constexpr bool is_enum_names_of = false;
template <class T>
inline constexpr bool is_enum_names_of<T, enum_names<T>> = true;

template <class T, class... Options>
std::shared_ptr<settings::typed_setting<T>> make_setting(setting_name_at name, T standard, std::string help,
                                                      const Options&... options) {
  static_assert(settings::setting_type<T>::is_supported || (is_enum_names_of<T, Options> || ...),
                "winsvc: the type of a setting must be bool, an integer, double, std::string, a std::chrono duration "
                "of milliseconds or a longer unit, byte_size, file_path, std::filesystem::path, "
                "std::vector<std::string>, or, with "
                "winsvc::enum_names, any type with operator==");
  auto setting =
      std::make_shared<settings::typed_setting<T>>(std::move(name.name), std::move(standard), std::move(help));
  setting->location = name.location;
  (apply_option(*setting, options), ...);
  const auto reject_default = [&](const std::string& reason) {
    throw setup_error("setting '" + setting->name() + "' (" + name.location.to_string() + "): its default " + reason);
  };
  if (!setting->has_text_form(setting->get()))
    reject_default(setting->enum_names.empty() ? "has no text form, so it cannot be set"
                                               : "is not one of its enum_names");
  if (const auto reason = setting->validate(setting->get())) reject_default(*reason);
  return setting;
}

}  // namespace detail::api
}  // inline namespace WINSVC_ABI
}  // namespace winsvc
