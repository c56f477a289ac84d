// What each control means in each state, walked whole.
#include "winsvc/model/decision.hpp"

#include <doctest/doctest.h>

#include <cstdint>

using winsvc::model::accepted_controls;
using winsvc::model::control;
using winsvc::model::decide;
using winsvc::model::decision;
using winsvc::model::duty;
using winsvc::model::hooked;
using winsvc::model::is_accepted;
using winsvc::model::is_pending;
using winsvc::model::lifecycle;
using winsvc::model::state;
using winsvc::model::step;

namespace {

constexpr state all_states[] = {state::start_pending, state::running,          state::pause_pending, state::paused,
                                state::continue_pending, state::stop_pending, state::stopped};

hooked everything() {
  hooked h;
  h.pause_continue = h.param_change = h.power_event = h.session_change = h.time_change = h.preshutdown = true;
  h.custom.set();
  return h;
}
decision ask(state s, const hooked& h, control c) { return decide(s, h, static_cast<std::uint32_t>(c)); }

}  // namespace

TEST_CASE("interrogate is answered with success in every state, and changes nothing") {
  for (const state s : all_states) {
    const auto d = ask(s, {}, control::interrogate);
    CHECK(d.answer == 0);
    CHECK(!d.publish);
    CHECK(d.then == duty::nothing);
  }
}

TEST_CASE("each of the three stops stops from any state but a stop, where it does no harm") {
  for (const control c : {control::stop, control::shutdown, control::preshutdown}) {
    for (const state s : all_states) {
      const auto d = ask(s, {}, c);
      const bool over = s == state::stop_pending || s == state::stopped;
      CHECK(d.answer == 0);
      CHECK((d.publish == step::stop) == !over);
      CHECK((d.then == duty::stop) == !over);
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
    const auto r = ask(one.from, everything(), control::resume);
    CHECK(p.answer == one.pause);
    CHECK((p.then == duty::pause) == one.pauses);
    CHECK((p.publish == step::pause) == one.pauses);
    CHECK(r.answer == one.resume);
    CHECK((r.then == duty::resume) == one.resumes);
    CHECK((r.publish == step::resume) == one.resumes);
  }
}

TEST_CASE("what is not hooked is not known: 120, in every state and for every number") {
  for (const state s : all_states) {
    for (std::uint32_t c = 0; c < 300; ++c) {
      const auto what = static_cast<control>(c);
      if (what == control::stop || what == control::shutdown || what == control::preshutdown ||
          what == control::interrogate)
        continue;
      const auto d = decide(s, {}, c);
      CHECK(d.answer == 120);
      CHECK(d.then == duty::nothing);
      CHECK(!d.publish);
    }
  }
}

TEST_CASE("hooked events are for RUNNING and PAUSED, and for later anywhere else") {
  struct { std::uint32_t control; duty then;
  } const cases[] = {{6, duty::reload}, {13, duty::power}, {14, duty::session}, {16, duty::time},
                     {128, duty::custom}, {255, duty::custom}};
  for (const auto& one : cases) {
    for (const state s : all_states) {
      const auto d = decide(s, everything(), one.control);
      const bool working = s == state::running || s == state::paused;
      CHECK(d.answer == (working ? 0u : 1061u));
      CHECK(d.then == (working ? one.then : duty::nothing));
      CHECK(!d.publish);
    }
  }
  CHECK(decide(state::running, everything(), 127).answer == 120);
  CHECK(decide(state::running, everything(), 256).answer == 120);
}

TEST_CASE("whatever is accepted in a state is known there, and every step it publishes is legal there") {
  // The mask and the decision are two functions; this is what keeps them one.
  for (const state s : {state::running, state::paused}) {
    const auto mask = accepted_controls(s, everything());
    for (std::uint32_t c = 0; c < 300; ++c) {
      if (!is_accepted(mask, static_cast<control>(c))) continue;
      CAPTURE(c);
      const auto d = decide(s, everything(), c);
      CHECK(d.answer == 0);
      if (!d.publish) continue;
      lifecycle life(everything());
      life.apply(step::start);
      life.apply(step::ready);
      if (s == state::paused) life.apply(step::pause), life.apply(step::paused);
      CHECK(life.apply(*d.publish).has_value());
    }
  }
}
