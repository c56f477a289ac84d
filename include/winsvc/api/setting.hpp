// A setting of the app's, as App declares it and handlers read it.
//
//   auto greeting = svc.setting("greeting", "hello", "what to say");
//   auto packers = svc.setting<int>("packers", 4, "threads that pack", winsvc::between(1, 64), winsvc::at_start);
//   svc.get("/", [greeting] { return *greeting; });
//
// The handle is small; copy it. `*handle` is the value of now: a reload changes it under a handler that reads twice.
#pragma once

#include <cstddef>
#include <initializer_list>
#include <memory>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#include "winsvc/base/error.hpp"
#include "winsvc/base/source_location.hpp"
#include "winsvc/config/abi.hpp"
#include "winsvc/settings/setting.hpp"

namespace winsvc {
inline namespace WINSVC_ABI {

template <class T>
class setting {
 public:
  explicit setting(std::shared_ptr<const model::typed_setting<T>> of) noexcept : setting_(std::move(of)) {}
  /// The value, from any thread.
  [[nodiscard]] T operator*() const { return setting_->get(); }

 private:
  std::shared_ptr<const model::typed_setting<T>> setting_;
};

// What else there is to say of a setting, behind its help, in any order:

/// Both ends belong to it: `between(1, 64)`, `between(1s, 5min)`.
template <class A, class B>
struct between {
  A lower;
  B upper;
  constexpr between(A a, B b) : lower(std::move(a)), upper(std::move(b)) {}
};
/// Any other rule: `satisfies([](const std::string& s) { return s.size() == 8; }, "have eight letters")`.
template <class F>
struct satisfies {
  F predicate;
  std::string requirement;
  satisfies(F f, std::string text) : predicate(std::move(f)), requirement(std::move(text)) {}
};
/// One of several, by name: `enum_names<mode>{{"fast", mode::fast}, {"safe", mode::safe}}`. Needed for an enumeration.
template <class T>
struct enum_names {
  std::vector<std::pair<std::string, T>> values;
  enum_names(std::initializer_list<std::pair<std::string, T>> these) : values(these) {}
};
/// Shown as stars wherever settings are shown, named in the log without its value, and not taken from a command line,
/// which every user of the machine can read.
struct secret_setting {};
inline constexpr secret_setting secret{};
/// A change in the file holds from the next start on: a reload says so, and leaves it.
struct start_setting {};
inline constexpr start_setting at_start{};

namespace host {

/// The name of a setting, and where it was written.
struct setting_name_at {
  std::string name;
  source_location location;
  template <class Text, class = std::enable_if_t<std::is_convertible_v<Text, std::string>>>
  setting_name_at(Text&& text, source_location here = source_location::current()) : name(std::forward<Text>(text)), location(here) {}
};

/// What a setting holds whose default is a D: text for what is given as a literal.
template <class T, class D>
using setting_value = std::conditional_t<
    !std::is_void_v<T>, T,
    std::conditional_t<std::is_convertible_v<D, std::string> && !std::is_same_v<std::decay_t<D>, file_path>, std::string,
                       std::decay_t<D>>>;

template <class T, class A, class B>
void apply_option(model::typed_setting<T>& setting, const between<A, B>& range) {
  const T lower(range.lower), upper(range.upper);
  if constexpr (std::is_arithmetic_v<T> && std::is_arithmetic_v<A> && std::is_arithmetic_v<B>) {
    if (static_cast<A>(lower) != range.lower || static_cast<B>(upper) != range.upper)
      throw setup_error("setting '" + setting.name() + "': an end of between() is beyond what it can hold");
  }
  const auto text = [](const T& v) { return model::setting_type<T>::text(v); };
  setting.range = "from " + text(lower) + " to " + text(upper);
  setting.rules.push_back({[lower, upper](const T& v) { return !(v < lower) && !(upper < v); },
                       "lie between " + text(lower) + " and " + text(upper)});
}
template <class T, class F>
void apply_option(model::typed_setting<T>& setting, const satisfies<F>& rule) {
  setting.rules.push_back({rule.predicate, rule.requirement});
}
template <class T>
void apply_option(model::typed_setting<T>& setting, const enum_names<T>& values) {
  setting.enum_names = values.values;
}
template <class T>
void apply_option(model::typed_setting<T>& setting, secret_setting) {
  setting.secret = true;
}
template <class T>
void apply_option(model::typed_setting<T>& setting, start_setting) {
  setting.needs_restart = true;
}

template <class T, class Option>
inline constexpr bool is_enum_names_of = false;
template <class T>
inline constexpr bool is_enum_names_of<T, enum_names<T>> = true;

template <class T, class... Options>
std::shared_ptr<model::typed_setting<T>> make_setting(setting_name_at words, T standard, std::string help,
                                                      const Options&... options) {
  static_assert(model::setting_type<T>::is_supported || (is_enum_names_of<T, Options> || ...),
                "winsvc: a setting holds bool, a whole number, double, std::string, a std::chrono duration of milliseconds or "
                "longer, byte_size, file_path, std::vector<std::string>, or with winsvc::enum_names any type that has ==");
  auto one = std::make_shared<model::typed_setting<T>>(std::move(words.name), std::move(standard), std::move(help));
  one->location = words.location;
  (apply_option(*one, options), ...);
  if (!one->has_text_form(one->get()))
    throw setup_error("setting '" + one->name() + "' (" + words.location.to_string() + "): its default cannot be written" +
                      (one->enum_names.empty() ? ", and so not be set" : ": it has no name among its names"));
  if (const auto why = one->validate(one->get()))
    throw setup_error("setting '" + one->name() + "' (" + words.location.to_string() + "): its default " + *why);
  return one;
}

}  // namespace host
}  // inline namespace WINSVC_ABI
}  // namespace winsvc
