// What is wrong with the statuses that a service reported, in the SCM's eyes: pure, over a record of them.
#pragma once

#include <chrono>
#include <string>
#include <vector>

#include "winsvc/testing/whole.hpp"

namespace winsvc {
namespace testing {

/// One status as it was reported, and when.
struct timed_status {
  model::service_status status;
  std::chrono::steady_clock::time_point time;
};

/// What is wrong with a history of statuses, a sentence each; empty when nothing is.
[[nodiscard]] inline std::vector<std::string> find_status_violations(const std::vector<timed_status>& history) {
  using model::state;
  std::vector<std::string> verdicts;
  const model::service_status* last = nullptr;
  std::chrono::steady_clock::time_point last_when;
  for (const auto& [status, when] : history) {
    const auto print = [&verdicts, &current = status.current](const std::string& what) {
      verdicts.push_back(std::string(model::name(current)) + ": " + what);
    };
    const bool pending = model::is_pending(status.current);
    if (last && model::is_pending(last->current) && last->wait_hint.count() != 0 &&
        when - last_when > last->wait_hint) {
      verdicts.push_back(std::string(model::name(last->current)) +
                         ": silent for longer than its wait hint: the SCM takes it for hung");
    }
    if (last && last->current == state::stopped) print("reported after STOPPED, when the process may be gone");
    if (!last && status.current != state::start_pending) print("the first status is not START_PENDING");
    if ((pending || status.current == state::stopped) && status.accepted != 0)
      print("controls are accepted in this state");
    if (pending && status.wait_hint.count() == 0) print("no wait hint: the SCM gives up after 2 s");
    if (pending && status.checkpoint == 0) print("no checkpoint in a pending state");
    if (!pending && status.checkpoint != 0) print("a checkpoint outside a pending state");
    if (last && last->current == status.current && pending && status.checkpoint <= last->checkpoint)
      print("the checkpoint did not rise");
    if (last && last->current == status.current && !pending) print("reported twice");
    if (status.exit.win32 == 1066 && status.exit.specific == 0)
      print("exit code 1066 with 0 reads 'completed successfully'");
    if (status.current != state::stopped && status.exit.win32 != 0) print("an exit code before STOPPED");
    last = &status;
    last_when = when;
  }
  if (last && last->current != state::stopped) verdicts.push_back("the service never reported STOPPED");
  return verdicts;
}

}  // namespace testing
}  // namespace winsvc
