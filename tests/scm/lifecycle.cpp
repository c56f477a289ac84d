// Lifecycle: transitions and statuses in each state for each event.
#include "winsvc/scm/lifecycle.hpp"

#include <doctest/doctest.h>

#include <map>
#include <utility>
#include <vector>

using namespace winsvc::detail::scm;
using namespace std::chrono_literals;

namespace {

using event = lifecycle_event;

constexpr state states[] = {state::none,   state::start_pending,    state::running,      state::pause_pending,
                            state::paused, state::continue_pending, state::stop_pending, state::stopped};
constexpr event events[] = {event::start,  event::progress, event::ready,       event::pause, event::paused,
                            event::resume, event::resumed,  event::hook_failed, event::stop,  event::finished};

/// The expected transitions, independent of the table: one row per state and one column per event, in the orders above.
/// `no`: the event is illegal.
constexpr state no = state::none, sp = state::start_pending, ru = state::running, pp = state::pause_pending,
                pd = state::paused, cp = state::continue_pending, st = state::stop_pending, end = state::stopped;
constexpr state expected[8][10] = {
    //                      start progress ready pause paused resume resumed failed stop finished
    /* none             */ {sp,   no,      no,   no,   no,    no,    no,     no,    no,  no},
    /* start pending    */ {no,   sp,      ru,   no,   no,    no,    no,     no,    st,  end},
    /* running          */ {no,   no,      no,   pp,   no,    no,    no,     no,    st,  no},
    /* pause pending    */ {no,   pp,      no,   no,   pd,    no,    no,     ru,    st,  no},
    /* paused           */ {no,   no,      no,   no,   no,    cp,    no,     no,    st,  no},
    /* continue pending */ {no,   cp,      no,   no,   no,    no,    ru,     pd,    st,  no},
    /* stop pending     */ {no,   st,      no,   no,   no,    no,    no,     no,    no,  end},
    /* stopped          */ {no,   no,      no,   no,   no,    no,    no,     no,    no,  no},
};

/// Returns a lifecycle in a state.
lifecycle lifecycle_in(state s, handled_controls hooks = {}) {
  static const std::map<state, std::vector<event>> paths = {
      {state::none, {}},
      {state::start_pending, {event::start}},
      {state::running, {event::start, event::ready}},
      {state::pause_pending, {event::start, event::ready, event::pause}},
      {state::paused, {event::start, event::ready, event::pause, event::paused}},
      {state::continue_pending, {event::start, event::ready, event::pause, event::paused, event::resume}},
      {state::stop_pending, {event::start, event::ready, event::stop}},
      {state::stopped, {event::start, event::ready, event::stop, event::finished}},
  };
  lifecycle machine(hooks);
  for (const event e : paths.at(s)) REQUIRE(machine.apply(e, 30s));
  REQUIRE(machine.status().current == s);
  return machine;
}

bool same(const service_status& a, const service_status& b) {
  return a.current == b.current && a.accepted == b.accepted && a.exit.win32 == b.exit.win32 &&
         a.exit.specific == b.exit.specific && a.checkpoint == b.checkpoint && a.wait_hint == b.wait_hint;
}

}  // namespace

TEST_CASE("in each state, each event causes the transition in the table, and an illegal event changes nothing") {
  for (std::size_t s = 0; s < std::size(states); ++s) {
    for (std::size_t i = 0; i < std::size(events); ++i) {
      CAPTURE(name(states[s]));
      CAPTURE(i);
      lifecycle machine = lifecycle_in(states[s]);
      const service_status before = machine.status();

      const auto status = machine.apply(events[i], 10s, {5, 0});

      CHECK(status.has_value() == (expected[s][i] != state::none));
      if (status) {
        CHECK(status->current == expected[s][i]);
        CHECK(same(*status, machine.status()));
      } else {
        CHECK(same(before, machine.status()));
      }
    }
  }
}

TEST_CASE("each status is consistent on every path of ten events") {
  handled_controls hooks;
  hooks.pause_continue = true;
  std::size_t transition_count = 0, error_count = 0;
  const auto walk = [&](const auto& self, lifecycle machine, int remaining) -> void {
    if (remaining == 0) return;
    for (const event e : events) {
      lifecycle next = machine;
      const auto before = machine.status();
      const auto result = next.apply(e, 1s, {5, 0});
      if (before.current == state::stopped && result) ++error_count;  // nothing after STOPPED
      if (!result) continue;
      ++transition_count;
      const bool is_pending_state = is_pending(result->current);
      const bool is_same_state = result->current == before.current;
      if (is_same_state != (e == event::progress)) ++error_count;
      if (result->checkpoint != (!is_pending_state ? 0 : is_same_state ? before.checkpoint + 1 : 1)) ++error_count;
      if (is_pending_state && result->accepted != 0) ++error_count;
      if (result->accepted != accepted_controls(result->current, hooks)) ++error_count;
      if (!is_pending_state && result->wait_hint != 0s) ++error_count;
      if (result->exit.win32 != (result->current == state::stopped ? 5u : 0u)) ++error_count;
      if (next.is_stopped() != (result->current == state::stopped)) ++error_count;
      self(self, next, remaining - 1);
    }
  };
  walk(walk, lifecycle(hooks), 10);
  CHECK(transition_count > 500);
  CHECK(error_count == 0);
}

TEST_CASE("a checkpoint starts at 1, rises only with progress, and is 0 in settled states") {
  lifecycle machine({});
  CHECK(machine.status().checkpoint == 0);
  CHECK(machine.apply(event::start, 30s)->checkpoint == 1);
  CHECK(machine.apply(event::progress)->checkpoint == 2);
  CHECK_FALSE(machine.apply(event::start, 30s));
  CHECK(machine.status().checkpoint == 2);
  CHECK(machine.apply(event::progress)->checkpoint == 3);
  CHECK(machine.apply(event::ready)->checkpoint == 0);
  CHECK(machine.apply(event::stop, 20s)->checkpoint == 1);
  CHECK(machine.apply(event::progress)->checkpoint == 2);
  CHECK(machine.apply(event::finished)->checkpoint == 0);
}

TEST_CASE("progress without a wait hint keeps the hint, a new hint replaces it, and a settled state clears it") {
  lifecycle machine({});
  CHECK(machine.apply(event::start, 30s)->wait_hint == 30s);
  CHECK(machine.apply(event::progress)->wait_hint == 30s);
  CHECK(machine.apply(event::progress, 5s)->wait_hint == 5s);
  CHECK(machine.apply(event::progress)->wait_hint == 5s);
  CHECK(machine.apply(event::ready, 9s)->wait_hint == 0s);
  CHECK(machine.apply(event::stop, 20s)->wait_hint == 20s);
  CHECK(machine.apply(event::progress)->wait_hint == 20s);
  CHECK(machine.apply(event::finished, 9s)->wait_hint == 0s);
}

TEST_CASE("a stop during the start replaces the wait hint of the start") {
  lifecycle machine = lifecycle_in(state::start_pending);
  CHECK(machine.apply(event::stop, 4s)->wait_hint == 4s);
}

TEST_CASE("only STOPPED has an exit status") {
  lifecycle machine({});
  CHECK(machine.apply(event::start, 30s, {5, 0})->exit.win32 == 0);
  CHECK(machine.apply(event::ready, 0s, {5, 0})->exit.win32 == 0);
  CHECK(machine.apply(event::stop, 20s, {5, 0})->exit.win32 == 0);
  const auto last = machine.apply(event::finished, 0s, {1066, 7});
  REQUIRE(last);
  CHECK(last->exit.win32 == 1066);
  CHECK(last->exit.specific == 7);
}

TEST_CASE("a failed start ends in STOPPED with its exit code") {
  lifecycle machine = lifecycle_in(state::start_pending);
  const auto last = machine.apply(event::finished, 0s, failure_status(10048));
  REQUIRE(last);
  CHECK(last->current == state::stopped);
  CHECK(last->exit.win32 == 10048);
}

TEST_CASE("a pending state without a positive wait hint is rejected, and nothing changes") {
  struct { state from; event cause;
  } const entries[] = {
      {state::none, event::start},    {state::running, event::pause},         {state::paused, event::resume},
      {state::running, event::stop},  {state::start_pending, event::stop},    {state::pause_pending, event::stop},
      {state::paused, event::stop},   {state::continue_pending, event::stop}, {state::start_pending, event::progress},
      {state::stop_pending, event::progress},
  };
  for (const auto& entry : entries) {
    CAPTURE(name(entry.from));
    CAPTURE(static_cast<int>(entry.cause));
    lifecycle machine = lifecycle_in(entry.from);
    const service_status before = machine.status();

    CHECK_FALSE(machine.apply(entry.cause, -1ms));
    if (entry.cause != event::progress) CHECK_FALSE(machine.apply(entry.cause, 0ms));  // progress keeps the hint

    CHECK(same(before, machine.status()));
    CHECK(machine.apply(entry.cause, 1ms));
  }
}

TEST_CASE("a settled state accepts any wait hint, because it reports none") {
  for (const auto hint : {-1ms, 0ms, 9000ms}) {
    lifecycle machine = lifecycle_in(state::start_pending);
    const auto running = machine.apply(event::ready, hint);
    REQUIRE(running);
    CHECK(running->wait_hint == 0ms);
  }
}

TEST_CASE("STOPPED with 1066 and the specific code 0 is rejected, and a valid code is accepted after it") {
  for (const state from : {state::start_pending, state::stop_pending}) {
    lifecycle machine = lifecycle_in(from);

    CHECK_FALSE(machine.apply(event::finished, 0s, {1066, 0}));

    CHECK(machine.status().current == from);
    CHECK(machine.apply(event::finished, 0s, failure_status(1066))->exit.win32 == 1064);
  }
}

TEST_CASE("STOPPED is returned once, and no status follows it") {
  lifecycle machine = lifecycle_in(state::stop_pending);
  CHECK_FALSE(machine.is_stopped());
  REQUIRE(machine.apply(event::finished));
  CHECK(machine.is_stopped());
  for (const event e : events) CHECK_FALSE(machine.apply(e, 1s, {1, 1}));
  CHECK(machine.status().current == state::stopped);
  CHECK(machine.status().exit.win32 == 0);
}

TEST_CASE("controls whose hooks become known during the start are accepted from RUNNING on") {
  lifecycle machine({});
  CHECK(machine.apply(event::start, 30s)->accepted == 0);
  handled_controls hooks;
  hooks.pause_continue = hooks.preshutdown = true;
  machine.hooks(hooks);
  CHECK(machine.status().accepted == 0);
  CHECK(machine.apply(event::ready)->accepted ==
        (winsvc::detail::scm::accepted_control::stop | winsvc::detail::scm::accepted_control::preshutdown |
         winsvc::detail::scm::accepted_control::pause_continue));
}

TEST_CASE("the table has one row for each legal pair of state and event") {
  std::size_t legal_count = 0;
  for (const auto& row : expected) {
    for (const state to : row) legal_count += to != state::none ? 1 : 0;
  }
  CHECK(std::size(transitions) == legal_count);
}
