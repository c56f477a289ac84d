// Every state and every step: what moves, what is published, what is refused.
#include "winsvc/scm/lifecycle.hpp"

#include <doctest/doctest.h>

#include <map>
#include <utility>
#include <vector>

using namespace winsvc::model;
using namespace std::chrono_literals;

namespace {

constexpr state states[] = {state::none,    state::start_pending,    state::running,       state::pause_pending,
                            state::paused,  state::continue_pending, state::stop_pending,  state::stopped};
constexpr lifecycle_event steps[] = {lifecycle_event::start,  lifecycle_event::progress, lifecycle_event::ready, lifecycle_event::pause,   lifecycle_event::paused,
                          lifecycle_event::resume, lifecycle_event::resumed,  lifecycle_event::hook_failed, lifecycle_event::stop, lifecycle_event::finished};

/// The contract, written out anew: rows are states, columns are steps, in the orders above; none is "refused".
constexpr state no = state::none, sp = state::start_pending, ru = state::running, pp = state::pause_pending,
                pd = state::paused, cp = state::continue_pending, st = state::stop_pending, end = state::stopped;
constexpr state expected[8][10] = {
    //                      start progress ready pause paused resume resumed refused stop finished
    /* none             */ {sp,   no,      no,   no,   no,    no,    no,     no,     no,  no},
    /* start pending    */ {no,   sp,      ru,   no,   no,    no,    no,     no,     st,  end},
    /* running          */ {no,   no,      no,   pp,   no,    no,    no,     no,     st,  no},
    /* pause pending    */ {no,   pp,      no,   no,   pd,    no,    no,     ru,     st,  no},
    /* paused           */ {no,   no,      no,   no,   no,    cp,    no,     no,     st,  no},
    /* continue pending */ {no,   cp,      no,   no,   no,    no,    ru,     pd,     st,  no},
    /* stop pending     */ {no,   st,      no,   no,   no,    no,    no,     no,     no,  end},
    /* stopped          */ {no,   no,      no,   no,   no,    no,    no,     no,     no,  no},
};

/// A lifecycle that was led to a state.
lifecycle at(state s, handled_controls h = {}) {
  static const std::map<state, std::vector<lifecycle_event>> ways = {
      {state::none, {}},
      {state::start_pending, {lifecycle_event::start}},
      {state::running, {lifecycle_event::start, lifecycle_event::ready}},
      {state::pause_pending, {lifecycle_event::start, lifecycle_event::ready, lifecycle_event::pause}},
      {state::paused, {lifecycle_event::start, lifecycle_event::ready, lifecycle_event::pause, lifecycle_event::paused}},
      {state::continue_pending, {lifecycle_event::start, lifecycle_event::ready, lifecycle_event::pause, lifecycle_event::paused, lifecycle_event::resume}},
      {state::stop_pending, {lifecycle_event::start, lifecycle_event::ready, lifecycle_event::stop}},
      {state::stopped, {lifecycle_event::start, lifecycle_event::ready, lifecycle_event::stop, lifecycle_event::finished}},
  };
  lifecycle life(h);
  for (const lifecycle_event what : ways.at(s)) REQUIRE(life.apply(what, 30s));
  REQUIRE(life.status().current == s);
  return life;
}

bool same(const service_status& a, const service_status& b) {
  return a.current == b.current && a.accepted == b.accepted && a.exit.win32 == b.exit.win32 &&
         a.exit.specific == b.exit.specific && a.checkpoint == b.checkpoint && a.wait_hint == b.wait_hint;
}

}  // namespace

TEST_CASE("from every state, every step does what the table says, and a refused one changes nothing") {
  for (std::size_t s = 0; s < std::size(states); ++s) {
    for (std::size_t w = 0; w < std::size(steps); ++w) {
      CAPTURE(name(states[s]));
      CAPTURE(w);
      lifecycle life = at(states[s]);
      const service_status before = life.status();

      const auto published = life.apply(steps[w], 10s, {5, 0});

      CHECK(published.has_value() == (expected[s][w] != state::none));
      if (published) {
        CHECK(published->current == expected[s][w]);
        CHECK(same(*published, life.status()));
      } else {
        CHECK(same(before, life.status()));
      }
    }
  }
}

TEST_CASE("what is published holds its rules on every path of ten steps") {
  handled_controls h;
  h.pause_continue = true;
  std::size_t paths = 0, wrong = 0;
  const auto walk = [&](const auto& self, lifecycle life, int left) -> void {
    if (left == 0) return;
    for (const lifecycle_event what : steps) {
      lifecycle next = life;
      const auto before = life.status();
      const auto result = next.apply(what, 0s, {5, 0});
      if (before.current == state::stopped && result) ++wrong;  // nothing after STOPPED
      if (!result) continue;
      ++paths;
      const bool pending = is_pending(result->current);
      const bool stays = result->current == before.current;
      if (stays != (what == lifecycle_event::progress)) ++wrong;
      if (result->checkpoint != (!pending ? 0 : stays ? before.checkpoint + 1 : 1)) ++wrong;
      if (pending && result->accepted != 0) ++wrong;
      if (result->accepted != accepted_controls(result->current, h)) ++wrong;
      if (!pending && result->wait_hint != 0s) ++wrong;
      if (result->exit.win32 != (result->current == state::stopped ? 5u : 0u)) ++wrong;
      if (next.is_stopped() != (result->current == state::stopped)) ++wrong;
      self(self, next, left - 1);
    }
  };
  walk(walk, lifecycle(h), 10);
  CHECK(paths > 500);
  CHECK(wrong == 0);
}

TEST_CASE("a checkpoint begins at 1, rises with progress alone, and is 0 where nothing is pending") {
  lifecycle life({});
  CHECK(life.status().checkpoint == 0);
  CHECK(life.apply(lifecycle_event::start, 30s)->checkpoint == 1);
  CHECK(life.apply(lifecycle_event::progress)->checkpoint == 2);
  CHECK_FALSE(life.apply(lifecycle_event::start, 30s));
  CHECK(life.status().checkpoint == 2);
  CHECK(life.apply(lifecycle_event::progress)->checkpoint == 3);
  CHECK(life.apply(lifecycle_event::ready)->checkpoint == 0);
  CHECK(life.apply(lifecycle_event::stop, 20s)->checkpoint == 1);
  CHECK(life.apply(lifecycle_event::progress)->checkpoint == 2);
  CHECK(life.apply(lifecycle_event::finished)->checkpoint == 0);
}

TEST_CASE("a wait hint is kept through progress without one, replaced by a new one, and gone when nothing is pending") {
  lifecycle life({});
  CHECK(life.apply(lifecycle_event::start, 30s)->wait_hint == 30s);
  CHECK(life.apply(lifecycle_event::progress)->wait_hint == 30s);
  CHECK(life.apply(lifecycle_event::progress, 5s)->wait_hint == 5s);
  CHECK(life.apply(lifecycle_event::progress)->wait_hint == 5s);
  CHECK(life.apply(lifecycle_event::ready, 9s)->wait_hint == 0s);
  CHECK(life.apply(lifecycle_event::stop, 20s)->wait_hint == 20s);
  CHECK(life.apply(lifecycle_event::progress)->wait_hint == 20s);
  CHECK(life.apply(lifecycle_event::finished, 9s)->wait_hint == 0s);
}

TEST_CASE("a stop during the start drops the start's hint") {
  lifecycle life = at(state::start_pending);
  CHECK(life.apply(lifecycle_event::stop, 4s)->wait_hint == 4s);
}

TEST_CASE("an exit status is published with STOPPED alone") {
  lifecycle life({});
  CHECK(life.apply(lifecycle_event::start, 30s, {5, 0})->exit.win32 == 0);
  CHECK(life.apply(lifecycle_event::ready, 0s, {5, 0})->exit.win32 == 0);
  CHECK(life.apply(lifecycle_event::stop, 20s, {5, 0})->exit.win32 == 0);
  const auto last = life.apply(lifecycle_event::finished, 0s, {1066, 7});
  REQUIRE(last);
  CHECK(last->exit.win32 == 1066);
  CHECK(last->exit.specific == 7);
}

TEST_CASE("a start that fails goes to STOPPED with its code") {
  lifecycle life = at(state::start_pending);
  const auto last = life.apply(lifecycle_event::finished, 0s, failure_status(10048));
  REQUIRE(last);
  CHECK(last->current == state::stopped);
  CHECK(last->exit.win32 == 10048);
}

TEST_CASE("STOPPED is given once, and nothing after it") {
  lifecycle life = at(state::stop_pending);
  CHECK_FALSE(life.is_stopped());
  REQUIRE(life.apply(lifecycle_event::finished));
  CHECK(life.is_stopped());
  for (const lifecycle_event what : steps) CHECK_FALSE(life.apply(what, 1s, {1, 1}));
  CHECK(life.status().current == state::stopped);
  CHECK(life.status().exit.win32 == 0);
}

TEST_CASE("hooks that become known during the start are advertised from RUNNING on") {
  lifecycle life({});
  CHECK(life.apply(lifecycle_event::start, 30s)->accepted == 0);
  handled_controls h;
  h.pause_continue = h.preshutdown = true;
  life.hooks(h);
  CHECK(life.status().accepted == 0);
  CHECK(life.apply(lifecycle_event::ready)->accepted == (accepted_control::stop | accepted_control::preshutdown | accepted_control::pause_continue));
}

TEST_CASE("the table has no two rows for one state and step, and each row is taken") {
  std::size_t in_grid = 0;
  for (const auto& row : expected) {
    for (const state to : row) in_grid += to != state::none ? 1 : 0;
  }
  CHECK(std::size(transitions) == in_grid);
}
