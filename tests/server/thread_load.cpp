// Thread load: the verdict on a thread from its CPU time, and the rule by which a pool grows.
#include "winsvc/server/thread_load.hpp"

#include <doctest/doctest.h>

#include <chrono>
#include <cstddef>

using namespace std::chrono_literals;
using winsvc::detail::server::load_state;
using winsvc::detail::server::load_tally;
using winsvc::detail::server::thread_load;

namespace {
const thread_load::time_point start{24h};
constexpr auto window = thread_load::window;
}  // namespace

TEST_CASE("a thread is unknown until a window is complete") {
  thread_load load;
  CHECK(load.state() == load_state::unknown);
  load.sample(start, 0ns);
  load.sample(start + window / 2, window / 2);
  CHECK(load.state() == load_state::unknown);
  load.sample(start + window, window);
  CHECK(load.state() == load_state::computing);
}

TEST_CASE("a thread that gets a small share of a busy processor computes, a thread that sleeps is blocked") {
  thread_load computes, sleeps;
  for (auto* load : {&computes, &sleeps}) load->sample(start, 5s);
  computes.sample(start + window, 5s + window / 10);
  sleeps.sample(start + window, 5s + 100us);
  CHECK(computes.state() == load_state::computing);
  CHECK(sleeps.state() == load_state::blocked);

  computes.sample(start + 2 * window, 5s + window / 10);  // the next window decides again
  CHECK(computes.state() == load_state::blocked);
}

TEST_CASE("a window with a gap decides nothing, because the thread may have been idle in it") {
  thread_load load;
  load.sample(start, 0ns);
  load.sample(start + 100 * window, window);
  CHECK(load.state() == load_state::unknown);
  load.sample(start + 101 * window, 2 * window);
  CHECK(load.state() == load_state::computing);
}

TEST_CASE("a pool grows if handlers block, at most to the double in a window, and not if they occupy the processors") {
  struct row {
    std::size_t unknown, computing, blocked;
    bool grows;
  };
  for (const row& r : {row{0, 0, 4, true}, row{4, 0, 4, true}, row{5, 0, 4, false}, row{4, 0, 0, false},
                       row{0, 1, 3, true}, row{0, 2, 2, false}, row{0, 2, 100, false}, row{0, 0, 0, true}}) {
    CAPTURE(r.unknown);
    CAPTURE(r.computing);
    CAPTURE(r.blocked);
    CHECK(load_tally{r.unknown, r.computing, r.blocked}.allows_growth(2) == r.grows);
  }
}
