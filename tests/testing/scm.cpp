// The judge: every verdict, by a history that deserves it.
#include <winsvc/testing.hpp>

#include <doctest/doctest.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <string>
#include <thread>
#include <vector>

using namespace std::chrono_literals;
using winsvc::model::control;
using winsvc::model::service_status;
using winsvc::model::state;
using winsvc::testing::judge;
using winsvc::testing::reported;

namespace {

service_status pending(state s, std::uint32_t checkpoint, std::chrono::milliseconds hint = 30s) {
  service_status made;
  made.current = s;
  made.checkpoint = checkpoint;
  made.wait_hint = hint;
  return made;
}
service_status settled(state s, std::uint32_t win32 = 0, std::uint32_t specific = 0) {
  service_status made;
  made.current = s;
  made.accepted = s == state::running ? winsvc::model::accept::stop : 0;
  made.exit = {win32, specific};
  return made;
}
std::vector<std::string> judged(const std::vector<service_status>& statuses) {
  std::vector<reported> history;
  for (const auto& s : statuses) history.push_back({s, {}});
  return judge(history);
}

const service_status starting = pending(state::start_pending, 1), running = settled(state::running),
                     stopping = pending(state::stop_pending, 1), stopped = settled(state::stopped);

}  // namespace

TEST_CASE("a good history has no verdict") {
  CHECK(judged({}).empty());
  CHECK(judged({starting, running, stopping, stopped}).empty());
  CHECK(
      judged({starting, pending(state::start_pending, 2), running, stopping, pending(state::stop_pending, 2), stopped})
          .empty());
  CHECK(judged({starting, settled(state::stopped, 10048)}).empty());
  CHECK(judged({starting, settled(state::stopped, 1066, 7)}).empty());
}

TEST_CASE("each fault of a history has its verdict") {
  auto eager = starting;
  eager.accepted = winsvc::model::accept::stop;
  auto open_end = stopped;
  open_end.accepted = winsvc::model::accept::stop;
  auto counting = running;
  counting.checkpoint = 3;
  auto failed = running;
  failed.exit.win32 = 5;

  struct { std::vector<service_status> history; std::string verdict;
  } const cases[] = {
      {{starting, running, stopping, stopped, stopped},
       "stopped: reported after STOPPED, when the process may be gone"},
      {{starting, running, stopping, stopped, running, stopped},
       "running: reported after STOPPED, when the process may be gone"},
      {{running, stopping, stopped}, "running: the first status is not START_PENDING"},
      {{eager, running, stopping, stopped}, "start pending: controls are accepted in this state"},
      {{starting, running, stopping, open_end}, "stopped: controls are accepted in this state"},
      {{pending(state::start_pending, 1, 0ms), running, stopping, stopped},
       "start pending: no wait hint: the SCM gives up after 2 s"},
      {{starting, running, pending(state::stop_pending, 1, 0ms), stopped},
       "stop pending: no wait hint: the SCM gives up after 2 s"},
      {{pending(state::start_pending, 0), running, stopping, stopped},
       "start pending: no checkpoint in a pending state"},
      {{starting, counting, stopping, stopped}, "running: a checkpoint outside a pending state"},
      {{starting, running, stopping, stopping, stopped}, "stop pending: the checkpoint did not rise"},
      {{starting, running, pending(state::stop_pending, 3), pending(state::stop_pending, 2), stopped},
       "stop pending: the checkpoint did not rise"},
      {{starting, running, running, stopping, stopped}, "running: reported twice"},
      {{starting, settled(state::stopped, 1066, 0)}, "stopped: exit code 1066 with 0 reads 'completed successfully'"},
      {{starting, failed, stopping, stopped}, "running: an exit code before STOPPED"},
      {{starting, running}, "the service never reported STOPPED"},
      {{starting, running, stopping}, "the service never reported STOPPED"},
  };
  for (const auto& one : cases) {
    CAPTURE(one.verdict);
    const auto verdicts = judged(one.history);
    CHECK(std::count(verdicts.begin(), verdicts.end(), one.verdict) == 1);
  }
}

TEST_CASE(
    "a status that comes later than the wait hint before it is a verdict, as the SCM takes the service for hung") {
  const auto zero = std::chrono::steady_clock::time_point{};
  const std::vector<reported> late{
      {pending(state::start_pending, 1, 2s), zero}, {running, zero + 3s}, {stopping, zero + 4s}, {stopped, zero + 5s}};
  const std::vector<reported> good{{pending(state::start_pending, 1, 2s), zero},
                                   {running, zero + 1s},
                                   {stopping, zero + 90s},
                                   {stopped, zero + 91s}};

  REQUIRE(judge(late).size() == 1);
  CHECK(judge(late)[0] == "start pending: silent for longer than its wait hint: the SCM takes it for hung");
  CHECK(judge(good).empty());
}

TEST_CASE("nothing is sent to a service that has not begun") {
  winsvc::testing::simulated_scm scm;

  CHECK(scm.control(control::stop) == 1062);
  CHECK(scm.force(control::stop) == 1061);
  CHECK(scm.state() == state::none);
  CHECK(scm.url().empty());
  CHECK(scm.history().empty());
  CHECK(scm.wait() == 0);
}

TEST_CASE("the simulated SCM stops what still runs when it goes") {
  bool stopped_hook = false;
  auto app = [&](winsvc::service& svc) { svc.on_stop([&] { stopped_hook = true; }); };
  {
    winsvc::testing::simulated_scm scm;
    scm.start(app);
  }
  CHECK(stopped_hook);
}

TEST_CASE("the simulated SCM stops a service that is still starting when it goes") {
  bool cancelled = false;
  std::atomic<bool> begun{false};
  auto app = [&](winsvc::service& svc) {
    svc.on_start([&](winsvc::start_context& start) {
      begun = true;
      cancelled = start.stop().wait_for(5s);
    });
  };
  {
    winsvc::testing::simulated_scm scm;
    scm.begin(app);
    while (!begun) std::this_thread::yield();
  }
  CHECK(cancelled);
}
