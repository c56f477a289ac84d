// find_control_violations: checks the reaction of a service to its controls against the rules of the SCM, in tests.
//
//   for (const auto& text : find_control_violations(statuses, controls, end)) FAIL(text);
#pragma once

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "winsvc/testing/whole.hpp"
#include "winsvc/testing/status_rules.hpp"

namespace winsvc {
namespace testing {

/// A control that the control handler received.
struct timed_control {
  std::uint32_t number = 0;
  std::chrono::steady_clock::time_point time;
  std::size_t status_count = 0;  ///< statuses reported before the control
  bool was_accepted = false;     ///< the service accepted it; otherwise only a test could send it
  std::uint32_t result = 0;      ///< return value of the handler
};

/// Time for the first status after STOP, PAUSE or CONTINUE. Windows has no such limit; `sc stop` and services.msc read
/// the status at once and report an unchanged state as a failure.
inline constexpr std::chrono::seconds control_reaction_limit{3};
/// Time that Windows waits after SHUTDOWN: WaitToKillServiceTimeout.
inline constexpr std::chrono::seconds shutdown_time{5};

/// True if Windows defines a control with this number, or the number is a custom control.
/// Source: HandlerEx and winsvc.h: 1 to 16, 0x20 (TRIGGEREVENT), 0x40 (USERMODEREBOOT), 0x60 and 0x61 (low resources).
[[nodiscard]] constexpr bool is_windows_control(std::uint32_t number) noexcept {
  return (number >= 1 && number <= 16) || number == 0x20 || number == 0x40 || number == 0x60 || number == 0x61 ||
         (number >= 128 && number <= 255);
}

/// True if a status with state `reported` can be the reaction to the control; also true for a control that needs none.
[[nodiscard]] inline bool is_reaction(std::uint32_t number, detail::scm::state reported) noexcept {
  using detail::scm::control;
  using detail::scm::state;
  if (reported == state::stop_pending || reported == state::stopped) return true;  // also in place of another reaction
  switch (static_cast<control>(number)) {
    case control::stop:
    case control::shutdown:
    case control::preshutdown: return false;
    case control::pause: return reported == state::pause_pending || reported == state::paused;
    case control::continue_control: return reported == state::continue_pending || reported == state::running;
    default: return true;
  }
}

/// One message for each violation. `history`: the statuses. `end`: the end of the service, or now.
[[nodiscard]] inline std::vector<std::string> find_control_violations(
    const std::vector<timed_status>& history, const std::vector<timed_control>& controls,
    std::chrono::steady_clock::time_point end) {
  using detail::scm::control;
  using detail::scm::state;
  std::vector<std::string> violations;
  // The time of the first status from index `first` on for which the predicate is true; `end` if no status has it.
  const auto first_time = [&](std::size_t first, const auto& predicate) {
    const auto begin = history.begin() + static_cast<std::ptrdiff_t>((std::min)(first, history.size()));
    const auto found = std::find_if(begin, history.end(), [&](const auto& e) { return predicate(e.status.current); });
    return found == history.end() ? end : found->time;
  };
  for (const timed_control& c : controls) {
    const std::string name = "control " + std::to_string(c.number);
    if (c.result != 0) continue;
    if (!is_windows_control(c.number))
      violations.push_back(name + ": the control handler returned 0 for a control that Windows does not have; return "
                                  "120 (ERROR_CALL_NOT_IMPLEMENTED)");
    if (!c.was_accepted) continue;
    const state before = c.status_count == 0 ? state::none : history[c.status_count - 1].status.current;
    const bool reacts = is_reaction(c.number, before);  // for example PAUSE to a paused service
    const auto reaction = first_time(c.status_count, [&](state s) { return is_reaction(c.number, s); });
    if (!reacts && reaction - c.time > control_reaction_limit)
      violations.push_back(name + ": the control handler returned 0, but no status followed within 3 s; report the "
                                  "pending state before the handler returns");
    if (static_cast<control>(c.number) == control::shutdown &&
        first_time(c.status_count, [](state s) { return s == state::stopped; }) - c.time > shutdown_time)
      violations.push_back(name + ": no STOPPED within 5 s after SHUTDOWN; Windows ends the process then");
  }

  // A service does not pause or continue without a control.
  const auto check_cause = [&](state entered, control cause, const char* text) {
    std::size_t count = 0;
    for (std::size_t i = 1; i < history.size(); ++i) {
      if (history[i].status.current != entered || history[i - 1].status.current == entered) continue;
      const auto causes = std::count_if(controls.begin(), controls.end(), [&](const timed_control& c) {
        return c.number == static_cast<std::uint32_t>(cause) && c.status_count <= i;
      });
      if (++count > static_cast<std::size_t>(causes)) violations.emplace_back(text);
    }
  };
  check_cause(state::pause_pending, control::pause, "pause pending: reported without a PAUSE control");
  check_cause(state::continue_pending, control::continue_control,
              "continue pending: reported without a CONTINUE control");
  return violations;
}

}  // namespace testing
}  // namespace winsvc
