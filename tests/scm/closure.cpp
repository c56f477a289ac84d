// Exhaustive check of the lifecycle and of the control policy: each state that any sequence of events and controls can
// reach, for each combination of hooks. The rules are those of Windows; they do not use the table under test.
#include "winsvc/scm/control_policy.hpp"
#include "winsvc/scm/lifecycle.hpp"

#include <doctest/doctest.h>

#include <cstdint>
#include <deque>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <tuple>

using namespace winsvc::detail::scm;
using namespace std::chrono_literals;

namespace {

/// The broken rules, each with its count and the first case.
class rule_book {
 public:
  void check(bool holds, const char* rule, const std::string& location) {
    if (holds) return;
    auto& entry = broken_[rule];
    if (entry.first++ == 0) entry.second = location;
  }
  void report() const {
    CHECK(broken_.empty());
    for (const auto& [rule, entry] : broken_)
      FAIL_CHECK("broken " << entry.first << " times: " << rule << ", first at " << entry.second);
  }

 private:
  std::map<std::string, std::pair<long, std::string>> broken_;
};

struct node {
  lifecycle machine{handled_controls{}};
  bool hooks_known = false;
};

/// The values that distinguish two nodes. Checkpoints above 3 and hints above 0 behave alike.
auto key_of(const node& n) {
  const service_status& s = n.machine.status();
  return std::tuple(s.current, s.accepted, s.checkpoint < 3 ? s.checkpoint : 3u, s.wait_hint > 0ms, s.exit.win32,
                    s.exit.specific, n.hooks_known);
}

handled_controls hooks_of(unsigned bits) {
  handled_controls hooks;
  hooks.pause_continue = (bits & 1) != 0;
  hooks.param_change = (bits & 2) != 0;
  hooks.power_event = (bits & 4) != 0;
  hooks.session_change = (bits & 8) != 0;
  hooks.time_change = (bits & 16) != 0;
  hooks.preshutdown = (bits & 32) != 0;
  if ((bits & 64) != 0) hooks.custom.set(0), hooks.custom.set(127);
  return hooks;
}

void check_status(rule_book& rules, const service_status& before, const service_status& after, const std::string& at) {
  const bool pending = is_pending(after.current);
  const bool settled = after.current == state::running || after.current == state::paused;
  const bool shutdown = (after.accepted & accepted_control::shutdown) != 0;
  const bool preshutdown = (after.accepted & accepted_control::preshutdown) != 0;
  rules.check(before.current != state::stopped, "no status follows STOPPED", at);
  rules.check(before.current != state::none || after.current == state::start_pending, "START_PENDING is first", at);
  rules.check(settled || after.accepted == 0, "only RUNNING and PAUSED accept controls", at);
  rules.check(!settled || (after.accepted & accepted_control::stop) != 0, "RUNNING and PAUSED accept STOP", at);
  rules.check(!settled || shutdown != preshutdown, "exactly one of SHUTDOWN and PRESHUTDOWN is accepted", at);
  rules.check(pending == (after.checkpoint > 0), "pending states have a checkpoint, the others have none", at);
  rules.check(pending == (after.wait_hint > 0ms), "pending states have a positive wait hint, the others have none", at);
  rules.check(after.current != before.current || (pending && after.checkpoint > before.checkpoint),
              "a state is repeated only with a higher checkpoint", at);
  rules.check(after.current == state::stopped || after.exit.win32 == 0, "only STOPPED has an exit code", at);
  rules.check(after.exit.win32 != 1066 || after.exit.specific != 0, "1066 has a specific code", at);
}

void check_decision(rule_book& rules, const service_status& status, const control_decision& d, std::uint32_t number,
                    const std::string& at) {
  const bool custom = number >= 128 && number <= 255;
  const bool settled = status.current == state::running || status.current == state::paused;
  const bool is_sent = settled && !custom && is_accepted(status.accepted, static_cast<control>(number));
  const bool has_no_effect = number == 4 || (number == 2 && status.current == state::paused) ||
                             (number == 3 && status.current == state::running);
  rules.check(!is_sent || d.return_code == 0, "a control that is accepted returns 0", at);
  rules.check(!is_sent || has_no_effect || d.action != control_action::nothing,
              "an accepted control has an effect", at);
  rules.check(d.action == control_action::nothing || d.return_code == 0, "a control with an effect returns 0", at);
  rules.check(settled || !d.event || d.action == control_action::stop, "only a stop leaves a pending state", at);
  const bool ending = status.current == state::stop_pending || status.current == state::stopped;
  rules.check(!ending || (!d.event && d.action == control_action::nothing),
              "no control has an effect after a stop", at);
}

/// Finds all reachable nodes with these hooks. Returns their number.
std::size_t explore(unsigned bits, rule_book& rules) {
  const handled_controls hooks = hooks_of(bits);
  std::set<decltype(key_of(node{}))> seen{key_of(node{})};
  std::deque<node> open{node{}};
  const auto add_node = [&](const node& n) {
    if (seen.insert(key_of(n)).second) open.push_back(n);
  };
  for (; !open.empty(); open.pop_front()) {
    const node n = open.front();
    const service_status before = n.machine.status();
    const std::string at = "hooks " + std::to_string(bits) + ", " + std::string(name(before.current)) + ", ";

    if (!n.hooks_known) {  // the app may have run at any time
      node next = n;
      next.machine.hooks(hooks);
      next.hooks_known = true;
      add_node(next);
    }
    for (int e = 0; e <= static_cast<int>(lifecycle_event::finished); ++e) {
      for (const auto hint : {-1ms, 0ms, 10'000ms}) {
        for (const exit_status exit : {exit_status{}, exit_status{5, 0}, exit_status{1066, 0}, exit_status{1066, 7}}) {
          node next = n;
          const auto status = next.machine.apply(static_cast<lifecycle_event>(e), hint, exit);
          const std::string detail = at + "event " + std::to_string(e) + " with hint " + std::to_string(hint.count());
          if (status) {
            check_status(rules, before, *status, detail);
            add_node(next);
          }
          rules.check(status || key_of(next) == key_of(n), "a rejected event changes nothing", detail);
        }
      }
    }
    for (std::uint32_t number = 0; number <= 300; ++number) {
      const std::string detail = at + "control " + std::to_string(number);
      const auto decision = decide_control(before.current, n.hooks_known ? hooks : handled_controls{}, number);
      check_decision(rules, before, decision, number, detail);
      if (!decision.event) continue;
      node next = n;
      const auto status = next.machine.apply(*decision.event, 25s);
      rules.check(status || before.current == state::none, "the event of a control is legal", detail);
      if (!status) continue;
      check_status(rules, before, *status, detail);
      add_node(next);
    }
  }
  return seen.size();
}

}  // namespace

TEST_CASE("no sequence of events and controls leads to a status that Windows does not allow") {
  rule_book rules;
  std::size_t count = 0;

  for (unsigned bits = 0; bits < 128; ++bits) count += explore(bits, rules);

  rules.report();
  CHECK(count > 128 * 20);  // START_PENDING to STOPPED, with the checkpoints and exit codes
}
