// The judge: every verdict, by a history that deserves it.
#include <winsvc/testing.hpp>

#include "../support/wait.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <functional>
#include <string>
#include <thread>
#include <vector>

using namespace std::chrono_literals;
using winsvc::model::control;
using winsvc::model::service_status;
using winsvc::model::state;
using winsvc::testing::find_status_violations;
using winsvc::testing::timed_status;

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
  made.accepted = s == state::running ? winsvc::model::accepted_control::stop : 0;
  made.exit = {win32, specific};
  return made;
}
std::vector<std::string> judged(const std::vector<service_status>& statuses) {
  std::vector<timed_status> history;
  for (const auto& s : statuses) history.push_back({s, {}});
  return find_status_violations(history);
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
  eager.accepted = winsvc::model::accepted_control::stop;
  auto open_end = stopped;
  open_end.accepted = winsvc::model::accepted_control::stop;
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
  const std::vector<timed_status> late{
      {pending(state::start_pending, 1, 2s), zero}, {running, zero + 3s}, {stopping, zero + 4s}, {stopped, zero + 5s}};
  const std::vector<timed_status> good{{pending(state::start_pending, 1, 2s), zero},
                                   {running, zero + 1s},
                                   {stopping, zero + 90s},
                                   {stopped, zero + 91s}};

  REQUIRE(find_status_violations(late).size() == 1);
  CHECK(find_status_violations(late)[0] == "start pending: silent for longer than its wait hint: the SCM takes it for hung");
  CHECK(find_status_violations(good).empty());
}

TEST_CASE("nothing is sent to a service that has not begun") {
  winsvc::testing::simulated_scm scm;

  CHECK(scm.control(control::stop) == 1062);
  CHECK(scm.deliver_always(control::stop) == 1061);
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
      cancelled = start.stop().wait_for(waiting::limit());
    });
  };
  {
    winsvc::testing::simulated_scm scm;
    scm.start_async(app);
    waiting::wait_until([&] { return begun.load(); }, "the start hook");
  }
  CHECK(cancelled);
}

// -- every verdict of the simulator, by a service over the dispatcher that deserves it --

namespace {

using program = std::function<void(winsvc::os::dispatcher&)>;

/// What a service written by hand reports, one status after the other.
program reports(std::vector<service_status> statuses) {
  return [statuses = std::move(statuses)](winsvc::os::dispatcher& d) {
    d.run([&](const std::vector<std::string>&) {
      d.register_handler("bad", [](const auto&) { return 0u; });
      for (const auto& s : statuses) d.set_status(s);
    });
  };
}

std::vector<std::string> verdicts_of(const program& p, std::uint16_t port = 0) {
  winsvc::testing::simulated_scm scm;
  scm.start_program_async(p, port);
  static_cast<void>(scm.wait());
  return scm.violations();
}

bool says(const std::vector<std::string>& verdicts, std::string_view part) {
  return std::any_of(verdicts.begin(), verdicts.end(),
                     [&](const auto& v) { return v.find(part) != std::string::npos; });
}

}  // namespace

TEST_CASE("a service by hand that behaves has no verdict") {
  CHECK(verdicts_of(reports({starting, running, stopping, stopped})).empty());
}

TEST_CASE("a service that reports RUNNING before its port answers has that verdict, one that listens has not") {
  auto free_port = winsvc::os::tcp_socket::listen("127.0.0.1", 0);
  REQUIRE(free_port);
  const std::uint16_t port = free_port->local().port;
  const program p = reports({starting, running, stopping, stopped});

  CHECK(verdicts_of(p, port).empty());
  free_port->close();
  const auto verdicts = verdicts_of(p, port);
  REQUIRE(verdicts.size() == 1);
  CHECK(verdicts[0] == "running: reported before the port answers: whoever waited for it finds nobody");
}

TEST_CASE("a service whose timer raises checkpoints while its work hangs has that verdict") {
  winsvc::stop_source go;
  const program pulsing = [go](winsvc::os::dispatcher& d) {
    d.run([&](const std::vector<std::string>&) {
      d.register_handler("bad", [](const auto&) { return 0u; });
      std::uint32_t checkpoint = 0;
      do d.set_status(pending(state::start_pending, ++checkpoint));
      while (!go.token().wait_for(5ms) && checkpoint < 10'000);
      d.set_status(running);
      d.set_status(stopping);
      d.set_status(stopped);
    });
  };
  winsvc::testing::simulated_scm scm;
  scm.start_program_async(pulsing);
  REQUIRE(scm.wait_for(state::start_pending));

  scm.measure_idle(5s);
  go.request_stop();

  CHECK(scm.wait() == 0);
  REQUIRE(scm.violations().size() == 1);
  CHECK(scm.violations()[0] == "the checkpoint rose while nothing was achieved: a timer raises it, and hides a hang");
}

TEST_CASE("a service that works in its control handler has that verdict, and so has one that is silent for too long") {
  winsvc::stop_source requested;
  const program slow = [requested](winsvc::os::dispatcher& d) {
    d.run([&](const std::vector<std::string>&) {
      d.register_handler("bad", [&](const auto&) {
        std::this_thread::sleep_for(1100ms);
        requested.request_stop();
        return 0u;
      });
      d.set_status(pending(state::start_pending, 1, 1ms));
      std::this_thread::sleep_for(20ms);
      d.set_status(running);
      waiting::wait_for_stop(requested, "the control");
      d.set_status(stopping);
      d.set_status(stopped);
    });
  };
  winsvc::testing::simulated_scm scm;
  scm.start_program_async(slow);
  REQUIRE(scm.wait_for(state::running));

  CHECK(scm.stop() == 0);

  CHECK(scm.wait() == 0);
  CHECK(scm.violations().size() == 2);
  CHECK(says(scm.violations(), "control 1: the handler took over 1 s"));
  CHECK(says(scm.violations(), "start pending: silent for longer than its wait hint"));
}

TEST_CASE("each fault of a history is a verdict of the simulator's too") {
  auto eager = starting;
  eager.accepted = 1;
  struct { std::vector<service_status> statuses; const char* verdict;
  } const cases[] = {
      {{eager, running, stopping, stopped}, "controls are accepted in this state"},
      {{pending(state::start_pending, 1, 0ms), running, stopping, stopped}, "no wait hint"},
      {{pending(state::start_pending, 0), running, stopping, stopped}, "no checkpoint in a pending state"},
      {{starting, starting, running, stopping, stopped}, "the checkpoint did not rise"},
      {{starting, running, running, stopping, stopped}, "reported twice"},
      {{running, stopping, stopped}, "the first status is not START_PENDING"},
      {{starting, running, stopping, stopped, stopped}, "reported after STOPPED"},
      {{starting, running}, "never reported STOPPED"},
      {{starting, settled(state::stopped, 1066, 0)}, "completed successfully"},
  };
  for (const auto& one : cases) {
    CAPTURE(one.verdict);
    CHECK(says(verdicts_of(reports(one.statuses)), one.verdict));
  }
}

TEST_CASE("what the simulated SCM refuses and delays is what the service meets") {
  winsvc::testing::simulated_scm scm;
  scm.fail_with["set_status"] = 6;
  scm.delay["run"] = 30ms;
  std::uint32_t answered = 0;
  const auto began = std::chrono::steady_clock::now();

  scm.start_program_async([&](winsvc::os::dispatcher& d) {
    d.run([&](const std::vector<std::string>&) { answered = d.set_status(starting); });
  });
  static_cast<void>(scm.wait());

  CHECK(answered == 6);
  CHECK(scm.history().empty());
  CHECK(std::chrono::steady_clock::now() - began >= 30ms);
}
