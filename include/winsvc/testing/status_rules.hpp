// find_status_violations: checks the recorded statuses of a service against the rules of the SCM, in tests.
//
//   for (const auto& text : find_status_violations(statuses)) FAIL(text);
#pragma once

#include <chrono>
#include <string>
#include <vector>

#include "winsvc/testing/whole.hpp"

namespace winsvc {
namespace testing {

/// A reported status and the time of the report.
struct timed_status {
  detail::scm::service_status status;
  std::chrono::steady_clock::time_point time;
};

/// Maximum wait hint. With a longer one, the SCM and `start` would detect a hang only after this time.
inline constexpr std::chrono::minutes max_wait_hint{5};

/// True if Windows has this transition between two states. Independent of the table in scm/lifecycle.hpp, which the
/// tests check with it. Source: "Service State Transitions" in the Win32 documentation; and a pause or a continue that
/// fails returns to the state before it.
[[nodiscard]] constexpr bool is_windows_transition(detail::scm::state from, detail::scm::state to) noexcept {
  using detail::scm::state;
  if (from == to) return detail::scm::is_pending(from);
  switch (from) {
    case state::none: return to == state::start_pending;
    case state::start_pending: return to == state::running || to == state::stop_pending || to == state::stopped;
    case state::running: return to == state::pause_pending || to == state::stop_pending;
    case state::pause_pending: return to == state::paused || to == state::running || to == state::stop_pending;
    case state::paused: return to == state::continue_pending || to == state::stop_pending;
    case state::continue_pending: return to == state::running || to == state::paused || to == state::stop_pending;
    case state::stop_pending: return to == state::stopped;
    case state::stopped: break;
  }
  return false;
}

/// The violations of one status on its own, without the name of its state.
[[nodiscard]] inline std::vector<std::string> find_violations_in(const detail::scm::service_status& status) {
  using detail::scm::state;
  namespace accepted_control = detail::scm::accepted_control;
  std::vector<std::string> violations;
  const auto rule = [&violations](bool holds, const char* text) {
    if (!holds) violations.emplace_back(text);
  };
  const bool pending = detail::scm::is_pending(status.current);
  const bool settled = status.current == state::running || status.current == state::paused;
  const bool shutdown = (status.accepted & accepted_control::shutdown) != 0;
  const bool preshutdown = (status.accepted & accepted_control::preshutdown) != 0;
  rule(settled || status.accepted == 0, "controls are accepted in this state");
  rule(!settled || (status.accepted & accepted_control::stop) != 0,
       "STOP is not accepted; the service cannot be stopped");
  rule(!shutdown || !preshutdown, "SHUTDOWN and PRESHUTDOWN are both accepted; Windows then sends only PRESHUTDOWN");
  rule(!pending || status.wait_hint.count() > 0, "no wait hint; the SCM stops waiting after 2 s");
  rule(!pending || status.wait_hint <= max_wait_hint,
       "the wait hint is longer than 5 minutes, and hides a hang for this time");
  rule(!pending || status.checkpoint != 0, "no checkpoint in a pending state");
  rule(pending || status.checkpoint == 0, "a checkpoint outside a pending state");
  rule(pending || status.wait_hint.count() == 0, "a wait hint outside a pending state");
  rule(status.exit.win32 != detail::scm::win32_error::service_specific || status.exit.specific != 0,
       "exit code 1066 with specific code 0 is shown as 'completed successfully'");
  rule(status.current == state::stopped || status.exit.win32 == 0, "an exit code before STOPPED");
  return violations;
}

/// The violations of a status as the successor of `previous`, without the name of its state.
[[nodiscard]] inline std::vector<std::string> find_violations_between(const detail::scm::service_status& previous,
                                                                      const detail::scm::service_status& status) {
  using detail::scm::state;
  if (previous.current == state::stopped) return {"reported after STOPPED, when the process may have ended"};
  if (previous.current == status.current && !detail::scm::is_pending(status.current)) return {"reported twice"};
  std::vector<std::string> violations;
  if (previous.current == status.current && status.checkpoint <= previous.checkpoint)
    violations.emplace_back("the checkpoint did not increase");
  if (!is_windows_transition(previous.current, status.current))
    violations.push_back("Windows has no transition from '" + std::string(detail::scm::name(previous.current)) + '\'');
  if (previous.current == state::start_pending && status.current == state::stopped && !status.exit.failed())
    violations.emplace_back("the start failed, but the exit code is 0, which is success; no recovery action runs");
  return violations;
}

/// One message for each violation in a history of statuses. Empty if the history is correct.
[[nodiscard]] inline std::vector<std::string> find_status_violations(const std::vector<timed_status>& history) {
  std::vector<std::string> violations;
  const timed_status* last = nullptr;
  for (const timed_status& entry : history) {
    const auto report = [&](const std::string& text) {
      violations.push_back(std::string(detail::scm::name(entry.status.current)) + ": " + text);
    };
    if (last && detail::scm::is_pending(last->status.current) && last->status.wait_hint.count() > 0 &&
        entry.time - last->time > last->status.wait_hint) {
      violations.push_back(std::string(detail::scm::name(last->status.current)) +
                           ": no status within the wait hint; the SCM treats the service as hung");
    }
    if (!last && entry.status.current != detail::scm::state::start_pending)
      report("the first status is not START_PENDING");
    if (last) {
      for (const auto& text : find_violations_between(last->status, entry.status)) report(text);
    }
    for (const auto& text : find_violations_in(entry.status)) report(text);
    last = &entry;
  }
  if (last && last->status.current != detail::scm::state::stopped)
    violations.emplace_back("the service never reported STOPPED");
  return violations;
}

}  // namespace testing
}  // namespace winsvc
