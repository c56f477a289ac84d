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
#include "winsvc/base/source.hpp"
#include "winsvc/config/abi.hpp"
#include "winsvc/model/settings.hpp"

namespace winsvc {
inline namespace WINSVC_ABI {

template <class T>
class setting {
 public:
  explicit setting(std::shared_ptr<const model::typed_setting<T>> of) noexcept : of_(std::move(of)) {}
  /// The value, from any thread.
  [[nodiscard]] T operator*() const { return of_->get(); }

 private:
  std::shared_ptr<const model::typed_setting<T>> of_;
};

// What else there is to say of a setting, behind its help, in any order:

/// Both ends belong to it: `between(1, 64)`, `between(1s, 5min)`.
template <class A, class B>
struct between {
  A least;
  B most;
  constexpr between(A a, B b) : least(std::move(a)), most(std::move(b)) {}
};
/// Any other rule: `must([](const std::string& s) { return s.size() == 8; }, "have eight letters")`.
template <class F>
struct must {
  F holds;
  std::string words;
  must(F f, std::string be_so) : holds(std::move(f)), words(std::move(be_so)) {}
};
/// One of several, by name: `names<mode>{{"fast", mode::fast}, {"safe", mode::safe}}`. Needed for an enumeration.
template <class T>
struct names {
  std::vector<std::pair<std::string, T>> all;
  names(std::initializer_list<std::pair<std::string, T>> these) : all(these) {}
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
struct setting_words {
  std::string name;
  source where;
  template <class Text, class = std::enable_if_t<std::is_convertible_v<Text, std::string>>>
  setting_words(Text&& text, source here = source::here()) : name(std::forward<Text>(text)), where(here) {}
};

/// What a setting holds whose default is a D: text for what is given as a literal.
template <class T, class D>
using setting_value = std::conditional_t<
    !std::is_void_v<T>, T,
    std::conditional_t<std::is_convertible_v<D, std::string> && !std::is_same_v<std::decay_t<D>, file_path>, std::string,
                       std::decay_t<D>>>;

template <class T, class A, class B>
void describe(model::typed_setting<T>& one, const between<A, B>& range) {
  const T least(range.least), most(range.most);
  if constexpr (std::is_arithmetic_v<T> && std::is_arithmetic_v<A> && std::is_arithmetic_v<B>) {
    if (static_cast<A>(least) != range.least || static_cast<B>(most) != range.most)
      throw setup_error("setting '" + one.name() + "': an end of between() is beyond what it can hold");
  }
  const auto text = [](const T& v) { return model::setting_type<T>::text(v); };
  one.range = "from " + text(least) + " to " + text(most);
  one.rules.push_back({[least, most](const T& v) { return !(v < least) && !(most < v); },
                       "lie between " + text(least) + " and " + text(most)});
}
template <class T, class F>
void describe(model::typed_setting<T>& one, const must<F>& rule) {
  one.rules.push_back({rule.holds, rule.words});
}
template <class T>
void describe(model::typed_setting<T>& one, const names<T>& these) {
  one.names = these.all;
}
template <class T>
void describe(model::typed_setting<T>& one, secret_setting) {
  one.secret = true;
}
template <class T>
void describe(model::typed_setting<T>& one, start_setting) {
  one.at_start = true;
}

template <class T, class Option>
inline constexpr bool is_names_of = false;
template <class T>
inline constexpr bool is_names_of<T, names<T>> = true;

template <class T, class... Options>
std::shared_ptr<model::typed_setting<T>> make_setting(setting_words words, T standard, std::string help,
                                                      const Options&... options) {
  static_assert(model::setting_type<T>::known || (is_names_of<T, Options> || ...),
                "winsvc: a setting holds bool, a whole number, double, std::string, a std::chrono duration of milliseconds or "
                "longer, byte_size, file_path, std::vector<std::string>, or with winsvc::names any type that has ==");
  auto one = std::make_shared<model::typed_setting<T>>(std::move(words.name), std::move(standard), std::move(help));
  one->where = words.where;
  (describe(*one, options), ...);
  if (!one->can_be_written(one->get()))
    throw setup_error("setting '" + one->name() + "' (" + words.where.text() + "): its default cannot be written" +
                      (one->names.empty() ? ", and so not be set" : ": it has no name among its names"));
  if (const auto why = one->validate(one->get()))
    throw setup_error("setting '" + one->name() + "' (" + words.where.text() + "): its default " + *why);
  return one;
}

}  // namespace host
}  // inline namespace WINSVC_ABI
}  // namespace winsvc
