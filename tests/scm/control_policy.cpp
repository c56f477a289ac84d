// What each control means in each state, walked whole.
#include "winsvc/scm/control_policy.hpp"

#include <doctest/doctest.h>

#include <cstdint>

using winsvc::model::accepted_controls;
using winsvc::model::control;
using winsvc::model::decide_control;
using winsvc::model::control_decision;
using winsvc::model::control_action;
using winsvc::model::handled_controls;
using winsvc::model::is_accepted;
using winsvc::model::is_pending;
using winsvc::model::lifecycle;
using winsvc::model::state;
using winsvc::model::lifecycle_event;

namespace {

constexpr state all_states[] = {state::start_pending, state::running,          state::pause_pending, state::paused,
                                state::continue_pending, state::stop_pending, state::stopped};

handled_controls everything() {
  handled_controls h;
  h.pause_continue = h.param_change = h.power_event = h.session_change = h.time_change = h.preshutdown = true;
  h.custom.set();
  return h;
}
control_decision ask(state s, const handled_controls& h, control c) { return decide_control(s, h, static_cast<std::uint32_t>(c)); }

}  // namespace

TEST_CASE("interrogate is answered with success in every state, and changes nothing") {
  for (const state s : all_states) {
    const auto d = ask(s, {}, control::interrogate);
    CHECK(d.return_code == 0);
    CHECK(!d.event);
    CHECK(d.action == control_action::nothing);
  }
}

TEST_CASE("each of the three stops stops from any state but a stop, where it does no harm") {
  for (const control c : {control::stop, control::shutdown, control::preshutdown}) {
    for (const state s : all_states) {
      const auto d = ask(s, {}, c);
      const bool over = s == state::stop_pending || s == state::stopped;
      CHECK(d.return_code == 0);
      CHECK((d.event == lifecycle_event::stop) == !over);
      CHECK((d.action == control_action::stop) == !over);
    }
  }
}

TEST_CASE("pause and continue go from where they can, are done already where they are, and wait elsewhere") {
  struct { state from; std::uint32_t pause; bool pauses; std::uint32_t resume; bool resumes;
  } const cases[] = {
      {state::start_pending, 1061, false, 1061, false}, {state::running, 0, true, 0, false},
      {state::pause_pending, 0, false, 1061, false},    {state::paused, 0, false, 0, true},
      {state::continue_pending, 1061, false, 0, false}, {state::stop_pending, 1061, false, 1061, false},
  };
  for (const auto& one : cases) {
    CAPTURE(name(one.from));
    const auto p = ask(one.from, everything(), control::pause);
    const auto r = ask(one.from, everything(), control::continue_control);
    CHECK(p.return_code == one.pause);
    CHECK((p.action == control_action::pause) == one.pauses);
    CHECK((p.event == lifecycle_event::pause) == one.pauses);
    CHECK(r.return_code == one.resume);
    CHECK((r.action == control_action::resume) == one.resumes);
    CHECK((r.event == lifecycle_event::resume) == one.resumes);
  }
}

TEST_CASE("what is not hooked is not known: 120, in every state and for every number") {
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

TEST_CASE("hooked events are for RUNNING and PAUSED, and for later anywhere else") {
  struct { std::uint32_t control; control_action then;
  } const cases[] = {{6, control_action::reload}, {13, control_action::power}, {14, control_action::session}, {16, control_action::time},
                     {128, control_action::custom}, {255, control_action::custom}};
  for (const auto& one : cases) {
    for (const state s : all_states) {
      const auto d = decide_control(s, everything(), one.control);
      const bool working = s == state::running || s == state::paused;
      CHECK(d.return_code == (working ? 0u : 1061u));
      CHECK(d.action == (working ? one.then : control_action::nothing));
      CHECK(!d.event);
    }
  }
  CHECK(decide_control(state::running, everything(), 127).return_code == 120);
  CHECK(decide_control(state::running, everything(), 256).return_code == 120);
}

TEST_CASE("whatever is accepted in a state is known there, and every step it publishes is legal there") {
  // The mask and the decision are two functions; this is what keeps them one.
  for (const state s : {state::running, state::paused}) {
    const auto mask = accepted_controls(s, everything());
    for (std::uint32_t c = 0; c < 300; ++c) {
      if (!is_accepted(mask, static_cast<control>(c))) continue;
      CAPTURE(c);
      const auto d = decide_control(s, everything(), c);
      CHECK(d.return_code == 0);
      if (!d.event) continue;
      lifecycle life(everything());
      life.apply(lifecycle_event::start);
      life.apply(lifecycle_event::ready);
      if (s == state::paused) life.apply(lifecycle_event::pause), life.apply(lifecycle_event::paused);
      CHECK(life.apply(*d.event).has_value());
    }
  }
}
