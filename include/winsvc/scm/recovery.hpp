// Recovery of a service: the actions of the SCM after failures. The first action follows the first failure, and the
// last action follows all further failures. After a time without a failure, the list starts again.
//
//   svc.recovery({restart_after(5s), restart_after(30s), no_action()}, 24h);
//   hello install --recovery restart/5s,restart/30s,none --recovery-reset 1d
//
// A failure is a process that ends without STOPPED or, because install also sets the failure flag, STOPPED with an exit
// code other than 0.
// Source: SERVICE_FAILURE_ACTIONSW and SERVICE_FAILURE_ACTIONS_FLAG in the Win32 documentation.
#pragma once

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "winsvc/base/duration.hpp"
#include "winsvc/base/text.hpp"
#include "winsvc/config/abi.hpp"

namespace winsvc {
inline namespace WINSVC_ABI {

/// Action after one failure.
struct recovery_action {
  /// SC_ACTION_TYPE: no action, restart the service, restart the machine, run a command.
  enum class kind : std::uint32_t { none = 0, restart = 1, reboot = 2, run = 3 };
  kind kind_of_action = kind::none;
  std::chrono::milliseconds delay{0};

  friend bool operator==(const recovery_action& a, const recovery_action& b) noexcept {
    return a.kind_of_action == b.kind_of_action && a.delay == b.delay;
  }
};
/// Returns the action that restarts the service after `delay`, at most 49 days.
[[nodiscard]] recovery_action restart_after(std::chrono::milliseconds delay) noexcept;
/// Returns the action that restarts the machine after `delay`.
[[nodiscard]] recovery_action reboot_after(std::chrono::milliseconds delay) noexcept;
/// Returns the action that runs the command of `service::recovery_command` after `delay`.
[[nodiscard]] recovery_action run_command_after(std::chrono::milliseconds delay) noexcept;
/// Returns the action that does nothing.
[[nodiscard]] recovery_action no_action() noexcept;
/// Maximum delay, 49 days: Windows stores milliseconds in 32 bits.
inline constexpr std::chrono::milliseconds max_recovery_delay{0xFFFFFFFF};

namespace detail::scm {

/// Actions after failures, and the time after which the failure count is reset.
struct recovery_options {
  std::vector<recovery_action> actions;
  std::chrono::seconds reset{24 * 3600};  ///< time without a failure after which the failure count is reset
  std::string command = {};               ///< command line of the action `run`

  friend bool operator==(const recovery_options& a, const recovery_options& b) noexcept {
    return a.actions == b.actions && a.reset == b.reset && a.command == b.command;
  }
};

/// Returns the default of an install: restart after 5 s, 30 s and 2 min, with a reset after 1 day.
[[nodiscard]] recovery_options default_recovery();

/// Returns the actions with at most `limit` restarts and no action after them; the last restart repeats up to the
/// limit.
[[nodiscard]] std::vector<recovery_action> limit_restarts(std::vector<recovery_action> actions, std::size_t limit);

/// Returns the longest time until the SCM executes a restart that it has queued, at the time `elapsed` after a failure;
/// nullopt if it has executed every possible one. `elapsed` is negative if the failure is in the future. The SCM does
/// not report which of the actions it has selected.
[[nodiscard]] std::optional<std::chrono::milliseconds> time_to_restart(const recovery_options& options,
                                                                       std::chrono::milliseconds elapsed);
/// True if a process that started at the time `elapsed` after a failure was probably started by a restart of the SCM:
/// it started within 5 s after the delay of one.
[[nodiscard]] bool is_start_by_restart(const recovery_options& options, std::chrono::milliseconds elapsed) noexcept;

/// Parses `restart/5s,reboot/1m,run/5s,none`. `none` alone and the empty text mean no actions. Returns
/// nullopt for any other text, and for a delay above `max_recovery_delay`.
[[nodiscard]] std::optional<std::vector<recovery_action>> parse_recovery(std::string_view s);
/// Returns the text that parse_recovery reads.
[[nodiscard]] std::string recovery_text(const std::vector<recovery_action>& actions);

}  // namespace detail::scm
}  // inline namespace WINSVC_ABI
}  // namespace winsvc

// ---------------------------------------------------------------------------------------------------------------------

#if WINSVC_BODIES_SCM

namespace winsvc {
inline namespace WINSVC_ABI {

WINSVC_INLINE recovery_action restart_after(std::chrono::milliseconds delay) noexcept {
  return {recovery_action::kind::restart, delay};
}
WINSVC_INLINE recovery_action reboot_after(std::chrono::milliseconds delay) noexcept {
  return {recovery_action::kind::reboot, delay};
}
WINSVC_INLINE recovery_action run_command_after(std::chrono::milliseconds delay) noexcept {
  return {recovery_action::kind::run, delay};
}
WINSVC_INLINE recovery_action no_action() noexcept { return {}; }

namespace detail::scm {

WINSVC_INLINE recovery_options default_recovery() {
  using namespace std::chrono_literals;
  return {{restart_after(5s), restart_after(30s), restart_after(2min)}, std::chrono::hours(24)};
}

WINSVC_INLINE std::optional<std::vector<recovery_action>> parse_recovery(std::string_view s) {
  std::vector<recovery_action> actions;
  if (base::trim(s).empty()) return actions;
  bool has_effect = false;
  while (true) {
    const auto comma = s.find(',');
    const std::string_view item = base::trim(s.substr(0, comma));
    const auto slash = item.find('/');
    const std::string_view word = item.substr(0, slash);
    recovery_action action;
    const auto kind = base::equal_nocase(word, "restart")  ? recovery_action::kind::restart
                      : base::equal_nocase(word, "reboot") ? recovery_action::kind::reboot
                      : base::equal_nocase(word, "run")    ? recovery_action::kind::run
                                                           : recovery_action::kind::none;
    if (kind != recovery_action::kind::none) {
      const auto delay = slash == item.npos ? std::optional(std::chrono::milliseconds(0))
                                            : base::parse_duration(item.substr(slash + 1));
      if (!delay || *delay > max_recovery_delay) return std::nullopt;
      action = {kind, *delay};
      has_effect = true;
    } else if (!base::equal_nocase(word, "none") || slash != item.npos) {
      return std::nullopt;
    }
    actions.push_back(action);
    if (comma == s.npos) break;
    s.remove_prefix(comma + 1);
  }
  if (!has_effect) actions.clear();  // a list of "none" alone has no effect
  return actions;
}

WINSVC_INLINE std::vector<recovery_action> limit_restarts(std::vector<recovery_action> actions, std::size_t limit) {
  std::vector<recovery_action> out;
  for (std::size_t i = 0; out.size() < limit && !actions.empty(); ++i) {
    const auto& action = actions[(std::min)(i, actions.size() - 1)];
    if (i >= actions.size() && action.kind_of_action != recovery_action::kind::restart) break;
    out.push_back(action);
  }
  if (!out.empty() && out.back().kind_of_action != recovery_action::kind::none) out.push_back(no_action());
  return out;
}

WINSVC_INLINE std::optional<std::chrono::milliseconds> time_to_restart(const recovery_options& options,
                                                                       std::chrono::milliseconds elapsed) {
  std::optional<std::chrono::milliseconds> longest;
  for (const auto& action : options.actions) {
    const auto left = action.delay - elapsed;
    if (action.kind_of_action != recovery_action::kind::restart || left.count() < 0) continue;
    longest = longest ? (std::max)(*longest, left) : left;
  }
  return longest;
}

WINSVC_INLINE bool is_start_by_restart(const recovery_options& options, std::chrono::milliseconds elapsed) noexcept {
  // From the message of the failure to STOPPED, and from the call of the SCM to the first line of the program.
  constexpr std::chrono::seconds max_latency(5);
  return std::any_of(options.actions.begin(), options.actions.end(), [=](const recovery_action& action) {
    return action.kind_of_action == recovery_action::kind::restart && elapsed >= action.delay &&
           elapsed <= action.delay + max_latency;
  });
}

WINSVC_INLINE std::string recovery_text(const std::vector<recovery_action>& actions) {
  constexpr std::string_view kinds[] = {"none", "restart", "reboot", "run"};
  std::string out;
  for (const auto& a : actions) {
    const auto i = static_cast<std::uint32_t>(a.kind_of_action);
    if (!out.empty()) out += ',';
    out += i < 4 ? std::string(kinds[i]) : "action " + std::to_string(i);
    if (a.kind_of_action != recovery_action::kind::none) out += '/' + base::exact_duration(a.delay);
  }
  return out.empty() ? "none" : out;
}

}  // namespace detail::scm
}  // inline namespace WINSVC_ABI
}  // namespace winsvc

#endif  // WINSVC_BODIES_SCM
