// find_status_violations: checks the recorded statuses of a service against the rules of the SCM. A pure function.
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

/// One message for each violation in a history of statuses. Empty if the history is correct.
[[nodiscard]] inline std::vector<std::string> find_status_violations(const std::vector<timed_status>& history) {
  using detail::scm::state;
  std::vector<std::string> violations;
  const detail::scm::service_status* last = nullptr;
  std::chrono::steady_clock::time_point last_time;
  for (const auto& [status, time] : history) {
    const auto report = [&violations, &current = status.current](const std::string& text) {
      violations.push_back(std::string(detail::scm::name(current)) + ": " + text);
    };
    const bool pending = detail::scm::is_pending(status.current);
    if (last && detail::scm::is_pending(last->current) && last->wait_hint.count() != 0 &&
        time - last_time > last->wait_hint) {
      violations.push_back(std::string(detail::scm::name(last->current)) +
                           ": no status within the wait hint; the SCM treats the service as hung");
    }
    if (last && last->current == detail::scm::state::stopped)
      report("reported after STOPPED, when the process may have ended");
    if (!last && status.current != detail::scm::state::start_pending) report("the first status is not START_PENDING");
    if ((pending || status.current == detail::scm::state::stopped) && status.accepted != 0)
      report("controls are accepted in this state");
    if (pending && status.wait_hint.count() == 0) report("no wait hint; the SCM stops waiting after 2 s");
    if (pending && status.checkpoint == 0) report("no checkpoint in a pending state");
    if (!pending && status.checkpoint != 0) report("a checkpoint outside a pending state");
    if (last && last->current == status.current && pending && status.checkpoint <= last->checkpoint)
      report("the checkpoint did not increase");
    if (last && last->current == status.current && !pending) report("reported twice");
    if (status.exit.win32 == 1066 && status.exit.specific == 0)
      report("exit code 1066 with specific code 0 is shown as 'completed successfully'");
    if (status.current != detail::scm::state::stopped && status.exit.win32 != 0) report("an exit code before STOPPED");
    last = &status;
    last_time = time;
  }
  if (last && last->current != detail::scm::state::stopped) violations.push_back("the service never reported STOPPED");
  return violations;
}

}  // namespace testing
}  // namespace winsvc
