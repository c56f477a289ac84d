// Hooks: functions that the service calls at start, stop, pause, continue, reload and for custom controls.
//
//   svc.on_start("open store", [](winsvc::start_context& start) { ...; return [] { close_store(); }; });
//   svc.on_stop("flush cache", [](winsvc::stop_context& stop) { ...; stop.progress("half of the entries"); });
//   svc.on_control(200, [](std::uint32_t) { return 0; });
//
// The log identifies a hook by its name; a hook without a name is identified by its source location. This header
// converts each form of a hook to one function type. host/hook_runner.hpp runs the hooks.
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

/// Parameter of a start hook. Use it on the thread that runs the hook.
class start_context {
 public:
  /// Reports a completed step: logs "opening store (2 of 5)" for `progress("opening store", 2, 5)`, and sends a
  /// checkpoint to the SCM. If a hook makes no progress for `service::start_limit` (default 30 s), the start fails.
  /// `step_count` 0: the number of steps is unknown.
  void progress(std::string_view text, unsigned step = 0, unsigned step_count = 0) const {
    progress_(text, step, step_count);
  }
  /// True if a stop was requested during the start. Return soon; the service will not run.
  [[nodiscard]] bool stop_requested() const { return stop_.stop_requested(); }
  /// Token that is signaled when a stop is requested during the start.
  [[nodiscard]] const stop_token& stop() const noexcept { return stop_; }
  /// Arguments of the start (verb: `start -- ARGUMENT...`), without the name of the service. Empty in `debug`.
  /// Source: Win32, StartServiceW.
  [[nodiscard]] const std::vector<std::string>& arguments() const noexcept { return arguments_; }

  using progress_function = std::function<void(std::string_view, unsigned, unsigned)>;
  start_context(progress_function progress, stop_token stop, std::vector<std::string> arguments)
      : progress_(std::move(progress)), stop_(std::move(stop)), arguments_(std::move(arguments)) {}

 private:
  progress_function progress_;
  stop_token stop_;
  std::vector<std::string> arguments_;
};

/// Optional parameter of a stop, pause, continue, reload or time change hook, and of a cleanup function. Use it on the
/// thread that runs the hook.
class stop_context {
 public:
  /// Reports a completed step, as in start_context. The limit without progress is
  /// `service::stop_limit` (default 20 s), at most 3 s at SHUTDOWN.
  void progress(std::string_view text, unsigned step = 0, unsigned step_count = 0) const {
    progress_(text, step, step_count);
  }
  explicit stop_context(start_context::progress_function progress) : progress_(std::move(progress)) {}

 private:
  start_context::progress_function progress_;
};

namespace detail::api {

/// Reverts a start hook; runs at stop.
using cleanup_function = std::function<void(stop_context&)>;

/// A pause, continue, reload, time change or stop hook.
struct named_hook {
  std::string name;
  source_location location;
  cleanup_function run;

  /// "hook 'flush cache'" or "hook at app.cpp:7".
  [[nodiscard]] std::string description() const {
    return name.empty() ? "hook at " + location.to_string() : "hook '" + name + "'";
  }
};

/// A start hook or a stop hook. The list runs forward at start and backward at stop.
struct hook {
  std::function<cleanup_function(start_context&)> start;
  named_hook stop;  ///< also has the name and the location of a start hook
};

/// The hook of a custom control; `run` returns the Win32 error code for the sender.
struct control_hook {
  std::uint32_t code = 0;
  source_location location;
  std::function<std::uint32_t(std::uint32_t)> run;
};

/// A hook for an event: `session_change` or `power_event`.
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
                "winsvc: an on_start hook must be callable without arguments or with winsvc::start_context&");
  return [f = std::move(f)]([[maybe_unused]] start_context& context) mutable -> cleanup_function {
    const auto call = [&]() -> decltype(auto) {
      if constexpr (with_context) return f(context);
      else return f();
    };
    using returned = decltype(call());
    static_assert(std::is_void_v<returned> || is_stop_callback<std::decay_t<returned>>,
                  "winsvc: an on_start hook must return void or a cleanup function, which is callable without "
                  "arguments or with winsvc::stop_context&");
    if constexpr (std::is_void_v<returned>) {
      call();
      return {};
    } else {
      auto cleanup = call();
      if constexpr (std::is_assignable_v<decltype(cleanup)&, std::nullptr_t>) {  // a std::function, which may be empty
        if (!cleanup) return {};
      }
      return stop_callback(std::move(cleanup));
    }
  };
}

template <class F>
std::function<std::uint32_t(std::uint32_t)> control_callback(F f) {
  constexpr bool with_code = std::is_invocable_v<F&, std::uint32_t>;
  static_assert(with_code || std::is_invocable_v<F&>,
                "winsvc: an on_control hook must be callable without arguments or with the control code "
                "(std::uint32_t)");
  return [f = std::move(f)]([[maybe_unused]] std::uint32_t code) mutable -> std::uint32_t {
    const auto call = [&]() -> decltype(auto) {
      if constexpr (with_code) return f(code);
      else return f();
    };
    using returned = decltype(call());
    static_assert(std::is_void_v<returned> || std::is_convertible_v<returned, std::uint32_t>,
                  "winsvc: an on_control hook must return void or a Win32 error code, which the sender of the control "
                  "receives");
    if constexpr (std::is_void_v<returned>) {
      call();
      return 0;
    } else {
      return static_cast<std::uint32_t>(call());
    }
  };
}

}  // namespace detail::api
}  // inline namespace WINSVC_ABI
}  // namespace winsvc
