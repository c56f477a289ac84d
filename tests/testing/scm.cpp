// Tests of simulated_scm and find_status_violations: each violation is detected.
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
using winsvc::detail::scm::control;
using winsvc::detail::scm::service_status;
using winsvc::detail::scm::state;
using winsvc::testing::find_status_violations;
using winsvc::testing::timed_status;

namespace {

service_status pending(state s, std::uint32_t checkpoint, std::chrono::milliseconds hint = 30s) {
  service_status status;
  status.current = s;
  status.checkpoint = checkpoint;
  status.wait_hint = hint;
  return status;
}
service_status not_pending(state s, std::uint32_t win32 = 0, std::uint32_t specific = 0) {
  service_status status;
  status.current = s;
  status.accepted = s == state::running ? winsvc::detail::scm::accepted_control::stop : 0;
  status.exit = {win32, specific};
  return status;
}
std::vector<std::string> violations_in(const std::vector<service_status>& statuses) {
  std::vector<timed_status> history;
  for (const auto& s : statuses) history.push_back({s, {}});
  return find_status_violations(history);
}

const service_status starting = pending(state::start_pending, 1), running = not_pending(state::running),
                     stopping = pending(state::stop_pending, 1), stopped = not_pending(state::stopped);

}  // namespace

TEST_CASE("a correct history has no violation") {
  CHECK(violations_in({}).empty());
  CHECK(violations_in({starting, running, stopping, stopped}).empty());
  CHECK(violations_in({starting, pending(state::start_pending, 2), running, stopping, pending(state::stop_pending, 2),
                       stopped}).empty());
  CHECK(violations_in({starting, not_pending(state::stopped, 10048)}).empty());
  CHECK(violations_in({starting, not_pending(state::stopped, 1066, 7)}).empty());
}

TEST_CASE("each kind of violation in a history is detected") {
  auto starting_accepts_stop = starting;
  starting_accepts_stop.accepted = winsvc::detail::scm::accepted_control::stop;
  auto stopped_accepts_stop = stopped;
  stopped_accepts_stop.accepted = winsvc::detail::scm::accepted_control::stop;
  auto with_checkpoint = running;
  with_checkpoint.checkpoint = 3;
  auto failed = running;
  failed.exit.win32 = 5;

  struct { std::vector<service_status> history; std::string violation;
  } const cases[] = {
      {{starting, running, stopping, stopped, stopped},
       "stopped: reported after STOPPED, when the process may have ended"},
      {{starting, running, stopping, stopped, running, stopped},
       "running: reported after STOPPED, when the process may have ended"},
      {{running, stopping, stopped}, "running: the first status is not START_PENDING"},
      {{starting_accepts_stop, running, stopping, stopped}, "start pending: controls are accepted in this state"},
      {{starting, running, stopping, stopped_accepts_stop}, "stopped: controls are accepted in this state"},
      {{pending(state::start_pending, 1, 0ms), running, stopping, stopped},
       "start pending: no wait hint; the SCM stops waiting after 2 s"},
      {{starting, running, pending(state::stop_pending, 1, 0ms), stopped},
       "stop pending: no wait hint; the SCM stops waiting after 2 s"},
      {{pending(state::start_pending, 0), running, stopping, stopped},
       "start pending: no checkpoint in a pending state"},
      {{starting, with_checkpoint, stopping, stopped}, "running: a checkpoint outside a pending state"},
      {{starting, running, stopping, stopping, stopped}, "stop pending: the checkpoint did not increase"},
      {{starting, running, pending(state::stop_pending, 3), pending(state::stop_pending, 2), stopped},
       "stop pending: the checkpoint did not increase"},
      {{starting, running, running, stopping, stopped}, "running: reported twice"},
      {{starting, not_pending(state::stopped, 1066, 0)},
       "stopped: exit code 1066 with specific code 0 is shown as 'completed successfully'"},
      {{starting, failed, stopping, stopped}, "running: an exit code before STOPPED"},
      {{starting, running}, "the service never reported STOPPED"},
      {{starting, running, stopping}, "the service never reported STOPPED"},
  };
  for (const auto& c : cases) {
    CAPTURE(c.violation);
    const auto violations = violations_in(c.history);
    CHECK(std::count(violations.begin(), violations.end(), c.violation) == 1);
  }
}

TEST_CASE("a status that is later than the previous wait hint is a violation") {
  const auto zero = std::chrono::steady_clock::time_point{};
  const std::vector<timed_status> late{
      {pending(state::start_pending, 1, 2s), zero}, {running, zero + 3s}, {stopping, zero + 4s}, {stopped, zero + 5s}};
  const std::vector<timed_status> in_time{{pending(state::start_pending, 1, 2s), zero},
                                          {running, zero + 1s},
                                          {stopping, zero + 90s},
                                          {stopped, zero + 91s}};

  REQUIRE(find_status_violations(late).size() == 1);
  CHECK(find_status_violations(late)[0] ==
        "start pending: no status within the wait hint; the SCM treats the service as hung");
  CHECK(find_status_violations(in_time).empty());
}

TEST_CASE("a control to a service that has not started fails") {
  winsvc::testing::simulated_scm scm;

  CHECK(scm.control(control::stop) == 1062);
  CHECK(scm.deliver_always(control::stop) == 1061);
  CHECK(scm.state() == state::none);
  CHECK(scm.url().empty());
  CHECK(scm.history().empty());
  CHECK(scm.wait() == 0);
}

TEST_CASE("the destructor stops a running service") {
  bool stopped_hook = false;
  auto app = [&](winsvc::service& svc) { svc.on_stop([&] { stopped_hook = true; }); };
  {
    winsvc::testing::simulated_scm scm;
    scm.start(app);
  }
  CHECK(stopped_hook);
}

TEST_CASE("the destructor stops a service that is starting") {
  bool canceled = false;
  std::atomic<bool> begun{false};
  auto app = [&](winsvc::service& svc) {
    svc.on_start([&](winsvc::start_context& start) {
      begun = true;
      canceled = start.stop().wait_for(waiting::limit());
    });
  };
  {
    winsvc::testing::simulated_scm scm;
    scm.start_async(app);
    waiting::wait_until([&] { return begun.load(); }, "the start hook");
  }
  CHECK(canceled);
}

// -- violations by programs that use the dispatcher directly --

namespace {

using program = std::function<void(winsvc::detail::os::dispatcher&)>;

/// A program that reports these statuses.
program reports(std::vector<service_status> statuses) {
  return [statuses = std::move(statuses)](winsvc::detail::os::dispatcher& d) {
    d.run([&](const std::vector<std::string>&) {
      d.register_handler("bad", [](const auto&) { return 0u; });
      for (const auto& s : statuses) d.set_status(s);
    });
  };
}

std::vector<std::string> violations_of(const program& p, std::uint16_t port = 0) {
  winsvc::testing::simulated_scm scm;
  scm.start_program_async(p, port);
  static_cast<void>(scm.wait());
  return scm.violations();
}

bool contains(const std::vector<std::string>& violations, std::string_view part) {
  return std::any_of(violations.begin(), violations.end(),
                     [&](const auto& v) { return v.find(part) != std::string::npos; });
}

}  // namespace

TEST_CASE("a program that follows the rules has no violation") {
  CHECK(violations_of(reports({starting, running, stopping, stopped})).empty());
}

TEST_CASE("RUNNING before the port accepts connections is a violation") {
  auto free_port = winsvc::detail::os::tcp_socket::listen("127.0.0.1", 0);
  REQUIRE(free_port);
  const std::uint16_t port = free_port->local().port;
  const program p = reports({starting, running, stopping, stopped});

  CHECK(violations_of(p, port).empty());
  free_port->close();
  const auto violations = violations_of(p, port);
  REQUIRE(violations.size() == 1);
  CHECK(violations[0] == "running: reported before the port accepts connections");
}

TEST_CASE("checkpoints from a timer without progress are a violation") {
  winsvc::stop_source finish;
  const program timer_driven = [finish](winsvc::detail::os::dispatcher& d) {
    d.run([&](const std::vector<std::string>&) {
      d.register_handler("bad", [](const auto&) { return 0u; });
      std::uint32_t checkpoint = 0;
      do d.set_status(pending(state::start_pending, ++checkpoint));
      while (!finish.token().wait_for(5ms) && checkpoint < 10'000);
      d.set_status(running);
      d.set_status(stopping);
      d.set_status(stopped);
    });
  };
  winsvc::testing::simulated_scm scm;
  scm.start_program_async(timer_driven);
  REQUIRE(scm.wait_for(state::start_pending));

  scm.measure_idle(5s);
  finish.request_stop();

  CHECK(scm.wait() == 0);
  REQUIRE(scm.violations().size() == 1);
  CHECK(scm.violations()[0] ==
        "the checkpoint increased without progress: a timer that reports checkpoints hides a hang");
}

TEST_CASE("a slow control handler is a violation, and so is a status after the wait hint") {
  winsvc::stop_source requested;
  const program slow = [requested](winsvc::detail::os::dispatcher& d) {
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
  CHECK(contains(scm.violations(), "control 1: the control handler took more than 1 s"));
  CHECK(contains(scm.violations(), "start pending: no status within the wait hint"));
}

TEST_CASE("simulated_scm reports the violations in a history") {
  auto starting_accepts_stop = starting;
  starting_accepts_stop.accepted = 1;
  struct { std::vector<service_status> statuses; const char* violation;
  } const cases[] = {
      {{starting_accepts_stop, running, stopping, stopped}, "controls are accepted in this state"},
      {{pending(state::start_pending, 1, 0ms), running, stopping, stopped}, "no wait hint"},
      {{pending(state::start_pending, 0), running, stopping, stopped}, "no checkpoint in a pending state"},
      {{starting, starting, running, stopping, stopped}, "the checkpoint did not increase"},
      {{starting, running, running, stopping, stopped}, "reported twice"},
      {{running, stopping, stopped}, "the first status is not START_PENDING"},
      {{starting, running, stopping, stopped, stopped}, "reported after STOPPED"},
      {{starting, running}, "never reported STOPPED"},
      {{starting, not_pending(state::stopped, 1066, 0)}, "completed successfully"},
  };
  for (const auto& c : cases) {
    CAPTURE(c.violation);
    CHECK(contains(violations_of(reports(c.statuses)), c.violation));
  }
}

TEST_CASE("fail_with and delay apply to the calls of the service") {
  winsvc::testing::simulated_scm scm;
  scm.fail_with["set_status"] = 6;
  scm.delay["run"] = 30ms;
  std::uint32_t result = 0;
  const auto start_time = std::chrono::steady_clock::now();

  scm.start_program_async([&](winsvc::detail::os::dispatcher& d) {
    d.run([&](const std::vector<std::string>&) { result = d.set_status(starting); });
  });
  static_cast<void>(scm.wait());

  CHECK(result == 6);
  CHECK(scm.history().empty());
  CHECK(std::chrono::steady_clock::now() - start_time >= 30ms);
}
