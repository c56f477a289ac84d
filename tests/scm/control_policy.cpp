// Control policy: each control in each state.
#include "winsvc/scm/control_policy.hpp"

#include <doctest/doctest.h>

#include <cstdint>

using namespace std::chrono_literals;
using winsvc::detail::scm::accepted_controls;
using winsvc::detail::scm::control;
using winsvc::detail::scm::decide_control;
using winsvc::detail::scm::control_decision;
using winsvc::detail::scm::control_action;
using winsvc::detail::scm::handled_controls;
using winsvc::detail::scm::is_accepted;
using winsvc::detail::scm::is_pending;
using winsvc::detail::scm::lifecycle;
using winsvc::detail::scm::state;
using winsvc::detail::scm::lifecycle_event;

namespace {

constexpr state all_states[] = {state::start_pending, state::running,          state::pause_pending, state::paused,
                                state::continue_pending, state::stop_pending, state::stopped};

handled_controls all_hooks() {
  handled_controls hooks;
  hooks.pause_continue = hooks.param_change = hooks.power_event = hooks.session_change = hooks.time_change =
      hooks.preshutdown = true;
  hooks.custom.set();
  return hooks;
}
control_decision decide(state s, const handled_controls& hooks, control c) {
  return decide_control(s, hooks, static_cast<std::uint32_t>(c));
}

}  // namespace

TEST_CASE("a control that does nothing, and a stop, need no task") {
  for (const auto action : {control_action::nothing, control_action::stop}) CHECK_FALSE(needs_task(action));
  for (const auto action : {control_action::pause, control_action::resume, control_action::reload,
                            control_action::power, control_action::session, control_action::time,
                            control_action::custom})
    CHECK(needs_task(action));
  CHECK(control_decision().return_code == 0);
}

TEST_CASE("INTERROGATE succeeds in every state and changes nothing") {
  for (const state s : all_states) {
    const auto d = decide(s, {}, control::interrogate);
    CHECK(d.return_code == 0);
    CHECK(!d.event);
    CHECK(d.action == control_action::nothing);
  }
}

TEST_CASE("STOP, SHUTDOWN and PRESHUTDOWN stop in any state, and do nothing during a stop") {
  for (const control c : {control::stop, control::shutdown, control::preshutdown}) {
    for (const state s : all_states) {
      const auto d = decide(s, {}, c);
      const bool is_stopping = s == state::stop_pending || s == state::stopped;
      CHECK(d.return_code == 0);
      CHECK((d.event == lifecycle_event::stop) == !is_stopping);
      CHECK((d.action == control_action::stop) == !is_stopping);
    }
  }
}

TEST_CASE("PAUSE and CONTINUE work in their state, succeed if already done, and return 1061 elsewhere") {
  struct {
    state from;
    std::uint32_t pause;
    bool pauses;
    std::uint32_t resume;
    bool resumes;
  } const rows[] = {
      {state::start_pending, 1061, false, 1061, false}, {state::running, 0, true, 0, false},
      {state::pause_pending, 0, false, 1061, false},    {state::paused, 0, false, 0, true},
      {state::continue_pending, 1061, false, 0, false}, {state::stop_pending, 1061, false, 1061, false},
  };
  for (const auto& row : rows) {
    CAPTURE(name(row.from));
    const auto p = decide(row.from, all_hooks(), control::pause);
    const auto r = decide(row.from, all_hooks(), control::continue_control);
    CHECK(p.return_code == row.pause);
    CHECK((p.action == control_action::pause) == row.pauses);
    CHECK((p.event == lifecycle_event::pause) == row.pauses);
    CHECK(r.return_code == row.resume);
    CHECK((r.action == control_action::resume) == row.resumes);
    CHECK((r.event == lifecycle_event::resume) == row.resumes);
  }
}

TEST_CASE("a control without a hook returns 120 in every state") {
  for (const state s : all_states) {
    for (std::uint32_t c = 0; c < 300; ++c) {
      const auto number = static_cast<control>(c);
      if (number == control::stop || number == control::shutdown || number == control::preshutdown ||
          number == control::interrogate)
        continue;
      const auto d = decide_control(s, {}, c);
      CHECK(d.return_code == 120);
      CHECK(d.action == control_action::nothing);
      CHECK(!d.event);
    }
  }
}

TEST_CASE("hooks run in RUNNING and PAUSED; in other states the control returns 1061") {
  struct {
    std::uint32_t control;
    control_action action;
  } const rows[] = {{6, control_action::reload}, {13, control_action::power}, {14, control_action::session},
                    {16, control_action::time}, {128, control_action::custom}, {255, control_action::custom}};
  for (const auto& row : rows) {
    for (const state s : all_states) {
      const auto d = decide_control(s, all_hooks(), row.control);
      const bool is_settled = s == state::running || s == state::paused;
      CHECK(d.return_code == (is_settled ? 0u : 1061u));
      CHECK(d.action == (is_settled ? row.action : control_action::nothing));
      CHECK(!d.event);
    }
  }
  CHECK(decide_control(state::running, all_hooks(), 127).return_code == 120);
  CHECK(decide_control(state::running, all_hooks(), 256).return_code == 120);
}

TEST_CASE("each accepted control is handled, and its lifecycle event is legal in that state") {
  // accepted_controls and decide_control are separate functions; this test keeps them consistent.
  for (const state s : {state::running, state::paused}) {
    const auto mask = accepted_controls(s, all_hooks());
    for (std::uint32_t c = 0; c < 300; ++c) {
      if (!is_accepted(mask, static_cast<control>(c))) continue;
      CAPTURE(c);
      const auto d = decide_control(s, all_hooks(), c);
      CHECK(d.return_code == 0);
      if (!d.event) continue;
      lifecycle machine(all_hooks());
      machine.apply(lifecycle_event::start, 30s);
      machine.apply(lifecycle_event::ready);
      if (s == state::paused) machine.apply(lifecycle_event::pause, 30s), machine.apply(lifecycle_event::paused);
      CHECK(machine.apply(*d.event, 20s).has_value());
    }
  }
}

TEST_CASE("each custom control, and no other, has the action whose sender waits for a result") {
  for (const state s : all_states) {
    for (std::uint32_t number = 0; number <= 300; ++number) {
      CAPTURE(number);
      const bool is_settled = s == state::running || s == state::paused;
      const bool is_custom = decide_control(s, all_hooks(), number).action == control_action::custom;
      CHECK(is_custom == (is_settled && winsvc::detail::scm::is_custom_control(number)));
    }
  }
}
