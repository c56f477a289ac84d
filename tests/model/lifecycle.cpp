// Every state and every step: what moves, what is published, what is refused.
#include "winsvc/model/lifecycle.hpp"

#include <doctest/doctest.h>

#include <map>
#include <utility>
#include <vector>

using namespace winsvc::model;
using namespace std::chrono_literals;

namespace {

constexpr state states[] = {state::none,    state::start_pending,    state::running,       state::pause_pending,
                            state::paused,  state::continue_pending, state::stop_pending,  state::stopped};
constexpr step steps[] = {step::start,  step::progress, step::ready, step::pause,   step::paused,
                          step::resume, step::resumed,  step::refused, step::stop, step::finished};

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
lifecycle at(state s, hooked h = {}) {
  static const std::map<state, std::vector<step>> ways = {
      {state::none, {}},
      {state::start_pending, {step::start}},
      {state::running, {step::start, step::ready}},
      {state::pause_pending, {step::start, step::ready, step::pause}},
      {state::paused, {step::start, step::ready, step::pause, step::paused}},
      {state::continue_pending, {step::start, step::ready, step::pause, step::paused, step::resume}},
      {state::stop_pending, {step::start, step::ready, step::stop}},
      {state::stopped, {step::start, step::ready, step::stop, step::finished}},
  };
  lifecycle life(h);
  for (const step what : ways.at(s)) REQUIRE(life.apply(what, 30s));
  REQUIRE(life.now().current == s);
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
      const service_status before = life.now();

      const auto published = life.apply(steps[w], 10s, {5, 0});

      CHECK(published.has_value() == (expected[s][w] != state::none));
      if (published) {
        CHECK(published->current == expected[s][w]);
        CHECK(same(*published, life.now()));
      } else {
        CHECK(same(before, life.now()));
      }
    }
  }
}

TEST_CASE("what is published holds its rules on every path of ten steps") {
  hooked h;
  h.pause_continue = true;
  std::size_t paths = 0, wrong = 0;
  const auto walk = [&](const auto& self, lifecycle life, int left) -> void {
    if (left == 0) return;
    for (const step what : steps) {
      lifecycle next = life;
      const auto before = life.now();
      const auto got = next.apply(what, 0s, {5, 0});
      if (before.current == state::stopped && got) ++wrong;  // nothing after STOPPED
      if (!got) continue;
      ++paths;
      const bool pending = is_pending(got->current);
      const bool stays = got->current == before.current;
      if (stays != (what == step::progress)) ++wrong;
      if (got->checkpoint != (!pending ? 0 : stays ? before.checkpoint + 1 : 1)) ++wrong;
      if (pending && got->accepted != 0) ++wrong;
      if (got->accepted != accepted_controls(got->current, h)) ++wrong;
      if (!pending && got->wait_hint != 0s) ++wrong;
      if (got->exit.win32 != (got->current == state::stopped ? 5u : 0u)) ++wrong;
      if (next.ended() != (got->current == state::stopped)) ++wrong;
      self(self, next, left - 1);
    }
  };
  walk(walk, lifecycle(h), 10);
  CHECK(paths > 500);
  CHECK(wrong == 0);
}

TEST_CASE("a checkpoint begins at 1, rises with progress alone, and is 0 where nothing is pending") {
  lifecycle life({});
  CHECK(life.now().checkpoint == 0);
  CHECK(life.apply(step::start, 30s)->checkpoint == 1);
  CHECK(life.apply(step::progress)->checkpoint == 2);
  CHECK_FALSE(life.apply(step::start, 30s));
  CHECK(life.now().checkpoint == 2);
  CHECK(life.apply(step::progress)->checkpoint == 3);
  CHECK(life.apply(step::ready)->checkpoint == 0);
  CHECK(life.apply(step::stop, 20s)->checkpoint == 1);
  CHECK(life.apply(step::progress)->checkpoint == 2);
  CHECK(life.apply(step::finished)->checkpoint == 0);
}

TEST_CASE("a wait hint is kept through progress without one, replaced by a new one, and gone when nothing is pending") {
  lifecycle life({});
  CHECK(life.apply(step::start, 30s)->wait_hint == 30s);
  CHECK(life.apply(step::progress)->wait_hint == 30s);
  CHECK(life.apply(step::progress, 5s)->wait_hint == 5s);
  CHECK(life.apply(step::progress)->wait_hint == 5s);
  CHECK(life.apply(step::ready, 9s)->wait_hint == 0s);
  CHECK(life.apply(step::stop, 20s)->wait_hint == 20s);
  CHECK(life.apply(step::progress)->wait_hint == 20s);
  CHECK(life.apply(step::finished, 9s)->wait_hint == 0s);
}

TEST_CASE("a stop during the start drops the start's hint") {
  lifecycle life = at(state::start_pending);
  CHECK(life.apply(step::stop, 4s)->wait_hint == 4s);
}

TEST_CASE("an exit status is published with STOPPED alone") {
  lifecycle life({});
  CHECK(life.apply(step::start, 30s, {5, 0})->exit.win32 == 0);
  CHECK(life.apply(step::ready, 0s, {5, 0})->exit.win32 == 0);
  CHECK(life.apply(step::stop, 20s, {5, 0})->exit.win32 == 0);
  const auto last = life.apply(step::finished, 0s, {1066, 7});
  REQUIRE(last);
  CHECK(last->exit.win32 == 1066);
  CHECK(last->exit.specific == 7);
}

TEST_CASE("a start that fails goes to STOPPED with its code") {
  lifecycle life = at(state::start_pending);
  const auto last = life.apply(step::finished, 0s, failure_status(10048));
  REQUIRE(last);
  CHECK(last->current == state::stopped);
  CHECK(last->exit.win32 == 10048);
}

TEST_CASE("STOPPED is given once, and nothing after it") {
  lifecycle life = at(state::stop_pending);
  CHECK_FALSE(life.ended());
  REQUIRE(life.apply(step::finished));
  CHECK(life.ended());
  for (const step what : steps) CHECK_FALSE(life.apply(what, 1s, {1, 1}));
  CHECK(life.now().current == state::stopped);
  CHECK(life.now().exit.win32 == 0);
}

TEST_CASE("hooks that become known during the start are advertised from RUNNING on") {
  lifecycle life({});
  CHECK(life.apply(step::start, 30s)->accepted == 0);
  hooked h;
  h.pause_continue = h.preshutdown = true;
  life.hooks(h);
  CHECK(life.now().accepted == 0);
  CHECK(life.apply(step::ready)->accepted == (accept::stop | accept::preshutdown | accept::pause_continue));
}

TEST_CASE("the table has no two rows for one state and step, and each row is taken") {
  std::size_t in_grid = 0;
  for (const auto& row : expected) {
    for (const state to : row) in_grid += to != state::none ? 1 : 0;
  }
  CHECK(std::size(legal_moves) == in_grid);
}
