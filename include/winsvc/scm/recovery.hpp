// What the SCM does when the service fails: a list of actions, one a failure, the last one for all that follow, and how
// long without a failure begins the list anew.
//
//   svc.recovery({restart_after(5s), restart_after(30s), no_action()}, 24h);
//   hello install --recovery restart/5s,restart/30s,none --recovery-reset 1d
//
// A failure is a process that ends without STOPPED, and, by the flag that install sets as well, a STOPPED with an exit
// code. Source: SERVICE_FAILURE_ACTIONSW and SERVICE_FAILURE_ACTIONS_FLAG in the Win32 documentation.
#pragma once

#include <chrono>
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

/// One action after one failure.
struct recovery_action {
  /// SC_ACTION_TYPE. reboot and run are never set here, but may be found.
  enum class kind : std::uint32_t { none = 0, restart = 1, reboot = 2, run = 3 };
  kind kind_of_action = kind::none;
  std::chrono::milliseconds delay{0};

  friend bool operator==(const recovery_action& a, const recovery_action& b) noexcept {
    return a.kind_of_action == b.kind_of_action && a.delay == b.delay;
  }
};
[[nodiscard]] recovery_action restart_after(std::chrono::milliseconds delay) noexcept;
[[nodiscard]] recovery_action no_action() noexcept;
/// Windows counts delays in milliseconds of 32 bits: 49 days.
inline constexpr std::chrono::milliseconds longest_recovery_delay{0xFFFFFFFF};

namespace model {

struct recovery_plan {
  std::vector<recovery_action> actions;
  std::chrono::seconds reset{24 * 3600};  ///< so long without a failure, and the next one is the first again

  friend bool operator==(const recovery_plan& a, const recovery_plan& b) noexcept {
    return a.actions == b.actions && a.reset == b.reset;
  }
};

/// What an install sets where nobody says otherwise: the service comes back, ever more slowly.
[[nodiscard]] recovery_plan default_recovery();

/// `restart/5s,restart/30s,none`; `none` alone and the empty text: no action at all. Nothing for anything else, and for
/// a delay that Windows cannot say.
[[nodiscard]] std::optional<std::vector<recovery_action>> parse_recovery(std::string_view s);
/// The same back; kinds that cannot be asked for as `reboot/...` and `run/...`.
[[nodiscard]] std::string recovery_text(const std::vector<recovery_action>& actions);

}  // namespace model
}  // inline namespace WINSVC_ABI
}  // namespace winsvc

// ---------------------------------------------------------------------------------------------------------------------

#if WINSVC_BODIES_MODEL

namespace winsvc {
inline namespace WINSVC_ABI {

WINSVC_INLINE recovery_action restart_after(std::chrono::milliseconds delay) noexcept {
  return {recovery_action::kind::restart, delay};
}
WINSVC_INLINE recovery_action no_action() noexcept { return {}; }

namespace model {

WINSVC_INLINE recovery_plan default_recovery() {
  using namespace std::chrono_literals;
  return {{restart_after(5s), restart_after(30s), restart_after(2min)}, std::chrono::hours(24)};
}

WINSVC_INLINE std::optional<std::vector<recovery_action>> parse_recovery(std::string_view s) {
  std::vector<recovery_action> actions;
  if (strings::trim(s).empty()) return actions;
  bool acts = false;
  while (true) {
    const auto comma = s.find(',');
    const std::string_view one = strings::trim(s.substr(0, comma));
    const auto slash = one.find('/');
    const std::string_view word = one.substr(0, slash);
    recovery_action action;
    if (strings::equal_nocase(word, "restart")) {
      const auto delay =
          slash == one.npos ? std::optional(std::chrono::milliseconds(0)) : parse_duration(one.substr(slash + 1));
      if (!delay || *delay > longest_recovery_delay) return std::nullopt;
      action = restart_after(*delay);
      acts = true;
    } else if (!strings::equal_nocase(word, "none") || slash != one.npos) {
      return std::nullopt;
    }
    actions.push_back(action);
    if (comma == s.npos) break;
    s.remove_prefix(comma + 1);
  }
  if (!acts) actions.clear();  // nothing but "none" is no plan at all
  return actions;
}

WINSVC_INLINE std::string recovery_text(const std::vector<recovery_action>& actions) {
  constexpr std::string_view message[] = {"none", "restart", "reboot", "run"};
  std::string out;
  for (const auto& a : actions) {
    const auto i = static_cast<std::uint32_t>(a.kind_of_action);
    if (!out.empty()) out += ',';
    out += i < 4 ? std::string(message[i]) : "action " + std::to_string(i);
    if (a.kind_of_action != recovery_action::kind::none) out += '/' + exact_duration(a.delay);
  }
  return out.empty() ? "none" : out;
}

}  // namespace model
}  // inline namespace WINSVC_ABI
}  // namespace winsvc

#endif  // WINSVC_BODIES_MODEL
