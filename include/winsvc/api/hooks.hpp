// The hooks of a service as the app writes them, each brought to one shape for the runtime.
//
//   svc.on_start("open store", [](winsvc::start_context& start) { ...; return [] { close_store(); }; });
//   svc.on_stop("flush cache", [](winsvc::stop_context& stop) { ...; stop.progress("half of it"); });
//   svc.on_control(200, [](std::uint32_t) { return 0; });
//
// A hook is named by the text it was given, or by where it was written: the log and a failure have to tell them apart.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

#include "winsvc/base/source_location.hpp"
#include "winsvc/base/stop.hpp"
#include "winsvc/config/abi.hpp"
#include "winsvc/scm/control_event.hpp"

namespace winsvc {
inline namespace WINSVC_ABI {

/// What a start hook is given. Used on the thread that runs the hook.
class start_context {
 public:
  /// "opening store", 2 of 5: goes to the log, and tells the SCM that the start is alive. A hook that makes none for
  /// the start limit (`service::start_limit`, 30 s) is taken for hung, so call it when something has been achieved, and
  /// only then.
  void progress(std::string_view what, unsigned step = 0, unsigned of = 0) const { progress_(what, step, of); }
  /// A stop was asked for meanwhile: return soon, the service will not run.
  [[nodiscard]] bool stop_requested() const { return stop_.stop_requested(); }
  [[nodiscard]] const stop_token& stop() const noexcept { return stop_; }
  /// What came with the start (`start -- words...`), without the service's name. Empty in debug.
  [[nodiscard]] const std::vector<std::string>& arguments() const noexcept { return arguments_; }

  using progress_function = std::function<void(std::string_view, unsigned, unsigned)>;
  start_context(progress_function progress, stop_token stop, std::vector<std::string> arguments)
      : progress_(std::move(progress)), stop_(std::move(stop)), arguments_(std::move(arguments)) {}

 private:
  progress_function progress_;
  stop_token stop_;
  std::vector<std::string> arguments_;
};

/// What a stop, pause, continue or reload hook may be given. Used on the thread that runs the hook.
class stop_context {
 public:
  /// As in start_context; the limit is `service::stop_limit`, 20 s, and 3 s when the machine shuts down.
  void progress(std::string_view what, unsigned step = 0, unsigned of = 0) const { progress_(what, step, of); }
  explicit stop_context(start_context::progress_function progress) : progress_(std::move(progress)) {}

 private:
  start_context::progress_function progress_;
};

namespace host {

/// A start hook returns what undoes it, or nothing.
using cleanup_function = std::function<void(stop_context&)>;

/// What is called when the service pauses, continues, reloads or stops.
struct named_hook {
  std::string name;
  source_location location;
  cleanup_function run;

  [[nodiscard]] std::string description() const { return name.empty() ? "hook at " + location.to_string() : "hook '" + name + "'"; }
};

/// One entry of the list that is walked forwards at start and backwards at stop: a start hook or a stop hook.
struct hook {
  std::function<cleanup_function(start_context&)> start;
  named_hook stop;  ///< its name and place are the start hook's too
};

/// Of a control of the app's own; the result goes to the sender.
struct control_hook {
  std::uint32_t code = 0;
  source_location location;
  std::function<std::uint32_t(std::uint32_t)> run;
};

/// A hook of events: `session_change` or `power_event`.
template <class Event>
struct event_hook {
  source_location location;
  std::function<void(const Event&)> run;
};

// ---------------------------------------------------------------------------------------------------------------------

template <class F>
cleanup_function stop_callback(F f) {
  if constexpr (std::is_invocable_v<F&, stop_context&>) {
    return [f = std::move(f)](stop_context& context) mutable { static_cast<void>(f(context)); };
  } else {
    return [f = std::move(f)](stop_context&) mutable { static_cast<void>(f()); };
  }
}

template <class F>
inline constexpr bool is_stop_callback = std::is_invocable_v<F&> || std::is_invocable_v<F&, stop_context&>;
template <>
inline constexpr bool is_stop_callback<void> = false;

template <class F>
std::function<cleanup_function(start_context&)> start_callback(F f) {
  constexpr bool with_context = std::is_invocable_v<F&, start_context&>;
  static_assert(with_context || std::is_invocable_v<F&>,
                "winsvc: on_start takes a callable without arguments, or with winsvc::start_context&");
  return [f = std::move(f)](start_context& context) mutable -> cleanup_function {
    const auto call = [&]() -> decltype(auto) {
      if constexpr (with_context) return f(context);
      else return static_cast<void>(context), f();
    };
    using returned = decltype(call());
    static_assert(std::is_void_v<returned> || is_stop_callback<std::decay_t<returned>>,
                  "winsvc: an on_start hook returns nothing, or a callable that undoes it at stop");
    if constexpr (std::is_void_v<returned>) {
      call();
      return {};
    } else {
      auto back = call();
      if constexpr (std::is_assignable_v<decltype(back)&, std::nullptr_t>) {  // a std::function, which may be empty
        if (!back) return {};
      }
      return stop_callback(std::move(back));
    }
  };
}

template <class F>
std::function<std::uint32_t(std::uint32_t)> control_callback(F f) {
  constexpr bool with_code = std::is_invocable_v<F&, std::uint32_t>;
  static_assert(with_code || std::is_invocable_v<F&>,
                "winsvc: on_control takes a callable without arguments, or with the control's number");
  return [f = std::move(f)](std::uint32_t code) mutable -> std::uint32_t {
    const auto call = [&]() -> decltype(auto) {
      if constexpr (with_code) return f(code);
      else return static_cast<void>(code), f();
    };
    using returned = decltype(call());
    static_assert(std::is_void_v<returned> || std::is_convertible_v<returned, std::uint32_t>,
                  "winsvc: an on_control hook returns nothing, or a Win32 code for who sent the control");
    if constexpr (std::is_void_v<returned>) {
      call();
      return 0;
    } else {
      return static_cast<std::uint32_t>(call());
    }
  };
}

}  // namespace host
}  // inline namespace WINSVC_ABI
}  // namespace winsvc
