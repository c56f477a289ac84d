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
service_status accepting(state s, std::uint32_t mask) {
  service_status status = not_pending(s);
  status.accepted = mask;
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
      {{starting, not_pending(state::stopped)},
       "stopped: the start failed, but the exit code is 0, which is success; no recovery action runs"},
      {{starting, running, stopping, running, stopping, stopped},
       "running: Windows has no transition from 'stop pending'"},
      {{starting, running, stopped}, "stopped: Windows has no transition from 'running'"},
      {{starting, running, starting, running, stopping, stopped},
       "start pending: Windows has no transition from 'running'"},
      {{starting, accepting(state::paused, 1), stopping, stopped},
       "paused: Windows has no transition from 'start pending'"},
      {{starting, running, accepting(state::paused, 1), stopping, stopped},
       "paused: Windows has no transition from 'running'"},
      {{starting, running, pending(state::continue_pending, 1), running, stopping, stopped},
       "continue pending: Windows has no transition from 'running'"},
      {{starting, accepting(state::running, 0), stopping, stopped},
       "running: STOP is not accepted; the service cannot be stopped"},
      {{starting, accepting(state::running, 0x105), stopping, stopped},
       "running: SHUTDOWN and PRESHUTDOWN are both accepted; Windows then sends only PRESHUTDOWN"},
      {{pending(state::start_pending, 1, 600s), running, stopping, stopped},
       "start pending: the wait hint is longer than 5 minutes, and hides a hang for this time"},
      {{pending(state::start_pending, 1, -1ms), running, stopping, stopped},
       "start pending: no wait hint; the SCM stops waiting after 2 s"},
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

TEST_CASE("Windows has exactly these transitions") {
  constexpr state states[] = {state::none,   state::start_pending,    state::running,      state::pause_pending,
                              state::paused, state::continue_pending, state::stop_pending, state::stopped};
  constexpr bool expected[8][8] = {
      //                      none  sp ru pp pd cp st end
      /* none             */ {false, true, false, false, false, false, false, false},
      /* start pending    */ {false, true, true, false, false, false, true, true},
      /* running          */ {false, false, false, true, false, false, true, false},
      /* pause pending    */ {false, false, true, true, true, false, true, false},
      /* paused           */ {false, false, false, false, false, true, true, false},
      /* continue pending */ {false, false, true, false, true, true, true, false},
      /* stop pending     */ {false, false, false, false, false, false, true, true},
      /* stopped          */ {false, false, false, false, false, false, false, false},
  };
  for (std::size_t from = 0; from < 8; ++from) {
    for (std::size_t to = 0; to < 8; ++to) {
      CAPTURE(name(states[from]));
      CAPTURE(name(states[to]));
      CHECK(winsvc::testing::is_windows_transition(states[from], states[to]) == expected[from][to]);
    }
  }
}

// -- reactions to controls --

namespace {

using winsvc::testing::find_control_violations;
using winsvc::testing::timed_control;

constexpr std::chrono::steady_clock::time_point zero{};

/// A history with one status per entry, at seconds after zero.
std::vector<timed_status> history_at(const std::vector<std::pair<int, service_status>>& entries) {
  std::vector<timed_status> history;
  for (const auto& [second, status] : entries) history.push_back({status, zero + std::chrono::seconds(second)});
  return history;
}

}  // namespace

TEST_CASE("a control that was accepted needs a status within 3 s, and SHUTDOWN needs STOPPED within 5 s") {
  const service_status paused = accepting(state::paused, 1);
  const std::string ignored = ": the control handler returned 0, but no status followed within 3 s; report the pending "
                              "state before the handler returns";
  struct { const char* name; std::vector<timed_status> history; timed_control control; int end; std::string violation;
  } const cases[] = {
      {"stop in time", history_at({{0, starting}, {1, running}, {4, stopping}, {9, stopped}}),
       {1, zero + 1s, 2, true, 0}, 9, ""},
      {"stop too late", history_at({{0, starting}, {1, running}, {5, stopping}, {9, stopped}}),
       {1, zero + 1s, 2, true, 0}, 9, "control 1" + ignored},
      {"stop ignored", history_at({{0, starting}, {1, running}}), {1, zero + 1s, 2, true, 0}, 5, "control 1" + ignored},
      {"stop just sent", history_at({{0, starting}, {1, running}}), {1, zero + 1s, 2, true, 0}, 3, ""},
      {"stop rejected", history_at({{0, starting}, {1, running}}), {1, zero + 1s, 2, true, 1061}, 9, ""},
      {"stop of a test only", history_at({{0, starting}, {1, running}}), {1, zero + 1s, 2, false, 0}, 9, ""},
      {"pause ignored", history_at({{0, starting}, {1, running}}),
       {2, zero + 1s, 2, true, 0}, 5, "control 2" + ignored},
      {"pause of a paused service", history_at({{0, starting}, {1, running}, {2, pending(state::pause_pending, 1)},
        {3, paused}}), {2, zero + 3s, 4, true, 0}, 99, "pause pending: reported without a PAUSE control"},
      {"continue ignored", history_at({{0, starting}, {1, paused}}),
       {3, zero + 1s, 2, true, 0}, 5, "control 3" + ignored},
      {"continue of a running service", history_at({{0, starting}, {1, running}}), {3, zero + 1s, 2, true, 0}, 9, ""},
      {"pause replaced by a stop", history_at({{0, starting}, {1, running}, {2, stopping}, {3, stopped}}),
       {2, zero + 1s, 2, true, 0}, 9, ""},
      {"interrogate", history_at({{0, starting}, {1, running}}), {4, zero + 1s, 2, true, 0}, 9, ""},
      {"custom", history_at({{0, starting}, {1, running}}), {200, zero + 1s, 2, true, 0}, 9, ""},
      {"shutdown in time", history_at({{0, starting}, {1, running}, {1, stopping}, {6, stopped}}),
       {5, zero + 1s, 2, true, 0}, 6, ""},
      {"shutdown too slow", history_at({{0, starting}, {1, running}, {1, stopping}, {7, stopped}}),
       {5, zero + 1s, 2, true, 0}, 7, "control 5: no STOPPED within 5 s after SHUTDOWN; Windows ends the process then"},
      {"shutdown without end", history_at({{0, starting}, {1, running}, {1, stopping}}),
       {5, zero + 1s, 2, true, 0}, 7, "control 5: no STOPPED within 5 s after SHUTDOWN; Windows ends the process then"},
      {"a control that Windows does not have", history_at({{0, starting}, {1, running}}),
       {99, zero + 1s, 2, false, 0}, 9,
       "control 99: the control handler returned 0 for a control that Windows does not have; return 120 "
       "(ERROR_CALL_NOT_IMPLEMENTED)"},
      {"an unknown control that is rejected", history_at({{0, starting}, {1, running}}),
       {99, zero + 1s, 2, false, 120}, 9,
       ""},
  };
  for (const auto& c : cases) {
    CAPTURE(c.name);
    const auto violations = find_control_violations(c.history, {c.control}, zero + std::chrono::seconds(c.end));
    REQUIRE(violations.size() == (c.violation.empty() ? 0 : 1));
    if (!violations.empty()) CHECK(violations[0] == c.violation);
  }
}

TEST_CASE("each PAUSE_PENDING and CONTINUE_PENDING needs a separate control") {
  const auto pausing = pending(state::pause_pending, 1), resuming = pending(state::continue_pending, 1);
  const auto paused = accepting(state::paused, 1);
  const auto history = history_at({{0, starting}, {1, running}, {2, pausing}, {3, paused}, {4, resuming}, {5, running},
                                   {6, pausing}, {7, pending(state::pause_pending, 2)}, {8, paused}});
  const timed_control pause1{2, zero + 2s, 2, true, 0}, resume{3, zero + 4s, 4, true, 0};
  const timed_control pause2{2, zero + 6s, 6, true, 0};

  CHECK(find_control_violations(history, {pause1, resume, pause2}, zero + 9s).empty());
  CHECK(find_control_violations(history, {pause1, resume}, zero + 9s).size() == 1);
  CHECK(find_control_violations(history, {pause1, pause2}, zero + 9s).size() == 1);
  CHECK(find_control_violations(history, {}, zero + 9s).size() == 3);
}

// -- programs that hang, throw, or do not call Windows --

namespace {

/// Runs a program with its test, with a short limit for each wait. Returns the violations.
std::vector<std::string> run_and_check(const program& p,
                                       const std::function<void(winsvc::testing::simulated_scm&)>& act = {},
                                       std::chrono::milliseconds wait_limit = 2s) {
  winsvc::testing::simulated_scm scm;
  scm.wait_limit = wait_limit;
  scm.start_program_async(p);
  if (act) act(scm);
  static_cast<void>(scm.wait());
  return scm.violations();
}

/// A program that registers a handler and runs `body` as its service_main.
program with_handler(winsvc::detail::os::dispatcher::control_handler handler,
                     std::function<void(winsvc::detail::os::dispatcher&)> body) {
  return [handler = std::move(handler), body = std::move(body)](winsvc::detail::os::dispatcher& d) {
    d.run([&](const std::vector<std::string>&) {
      d.register_handler("bad", handler);
      body(d);
    });
  };
}

std::uint32_t ok(const winsvc::detail::scm::control_event&) { return 0; }

}  // namespace

TEST_CASE("a service that hangs in any state is a violation, and wait returns 1053") {
  struct { std::vector<service_status> statuses; const char* in_state;
  } const cases[] = {
      {{}, "wait: no success, and no status for 200 ms"},
      {{pending(state::start_pending, 1, 50ms)}, "in state 'start pending'"},
      {{starting, running}, "in state 'running'"},
      {{starting, running, pending(state::stop_pending, 1, 50ms)}, "in state 'stop pending'"},
      {{starting, running, stopping, stopped}, "in state 'stopped'"},
  };
  for (const auto& c : cases) {
    CAPTURE(c.in_state);
    winsvc::stop_source release, returned;
    auto statuses = c.statuses;
    if (!statuses.empty() && statuses.back().wait_hint > 1s) statuses.back().wait_hint = 50ms;
    winsvc::testing::simulated_scm scm;
    scm.wait_limit = 200ms;
    scm.start_program_async(with_handler(ok, [release, returned, statuses](winsvc::detail::os::dispatcher& d) {
      for (const auto& s : statuses) d.set_status(s);
      waiting::wait_for_stop(release, "the release of the service");
      returned.request_stop();
    }));

    CHECK(scm.wait() == 1053);

    CHECK(contains(scm.violations(), c.in_state));
    release.request_stop();
    waiting::wait_for_stop(returned, "the service to return");
  }
}

TEST_CASE("a wait in a pending state lasts as long as its wait hint") {
  const auto violations = run_and_check(with_handler(ok, [](winsvc::detail::os::dispatcher& d) {
    d.set_status(pending(state::start_pending, 1, 20s));
    std::this_thread::sleep_for(400ms);
    for (const auto& s : {running, stopping, stopped}) d.set_status(s);
  }), {}, 100ms);
  CHECK(violations.empty());
}

TEST_CASE("start returns at the limit if the service does not start") {
  const auto app = [](winsvc::service&) {};
  const auto start_time = std::chrono::steady_clock::now();
  winsvc::testing::simulated_scm scm;
  scm.wait_limit = 100ms;
  scm.delay["run"] = 2s;

  scm.start(app);

  CHECK(std::chrono::steady_clock::now() - start_time < 2s);
  CHECK(contains(scm.violations(), "start: no success, and no status for 100 ms"));
  waiting::wait_until([&] { return scm.state() == state::running; }, "the service to run");
}

TEST_CASE("the destructor abandons a service that does not stop") {
  winsvc::stop_source release, returned;
  {
    winsvc::testing::simulated_scm scm;
    scm.wait_limit = 100ms;
    scm.start_program_async(with_handler(ok, [release, returned](winsvc::detail::os::dispatcher& d) {
      d.set_status(running);
      waiting::wait_for_stop(release, "the release of the service");
      returned.request_stop();
    }));
  }
  release.request_stop();
  waiting::wait_for_stop(returned, "the service to return");
}

TEST_CASE("wait_for returns false at the limit, and explains that a stop was rejected") {
  const auto app = [](winsvc::service&) {};
  winsvc::testing::simulated_scm scm;
  scm.wait_limit = 100ms;
  scm.start(app);

  CHECK_FALSE(scm.wait_for(state::paused));

  CHECK(contains(scm.violations(), "wait_for 'paused': no success, and no status for 100 ms in state 'running'; the "
                                   "service has received no stop"));
  CHECK(scm.stop() == 0);
  CHECK(scm.wait() == 0);
}

TEST_CASE("a control handler that throws or never returns is a violation, and the test goes on") {
  winsvc::stop_source release, returned;
  const auto serve_until = [](winsvc::stop_source stop) {
    return [stop](winsvc::detail::os::dispatcher& d) {
      d.set_status(starting), d.set_status(running);
      waiting::wait_for_stop(stop, "the control");
      d.set_status(stopping), d.set_status(stopped);
    };
  };
  winsvc::stop_source thrown, called;
  const auto send_stop = [](winsvc::testing::simulated_scm& scm) {
    REQUIRE(scm.wait_for(state::running));
    CHECK(scm.stop() != 0);
  };
  const auto throwing = run_and_check(with_handler([thrown](const auto&) -> std::uint32_t {
    thrown.request_stop();
    throw std::runtime_error("oh");
  }, serve_until(thrown)), send_stop);
  const auto hanging = run_and_check(with_handler([called, release, returned](const auto&) {
    called.request_stop();
    waiting::wait_for_stop(release, "the release of the handler");
    returned.request_stop();
    return 0u;
  }, serve_until(called)), send_stop, 200ms);
  release.request_stop();

  REQUIRE(throwing.size() == 1);
  CHECK(throwing[0] == "control 1: the control handler threw: oh; Windows ends the process");
  REQUIRE(hanging.size() == 1);
  CHECK(hanging[0] == "control 1: the control handler did not return");
  waiting::wait_for_stop(returned, "the handler to return");
}

TEST_CASE("an exception that leaves service_main or the program is a violation") {
  const auto caught = run_and_check([](winsvc::detail::os::dispatcher& d) {
    try {
      d.run([](const std::vector<std::string>&) { throw std::runtime_error("oh"); });
    } catch (const std::exception&) {
    }
  });
  const auto uncaught = run_and_check([](winsvc::detail::os::dispatcher&) { throw 7; });

  CHECK(contains(caught, "service_main threw: oh; Windows ends the process"));
  CHECK(contains(uncaught, "the program threw: "));
}

TEST_CASE("a service without a status, a handler or a call of the dispatcher is a violation") {
  const auto without_handler = [](winsvc::detail::os::dispatcher& d) {
    d.run([&](const std::vector<std::string>&) {
      for (const auto& s : {starting, running, stopping, stopped}) d.set_status(s);
    });
  };

  CHECK(run_and_check(reports({})) == std::vector<std::string>{
                                  "the service reported no status; Windows ends the start after 30 s with 1053"});
  CHECK(run_and_check([](winsvc::detail::os::dispatcher&) {}) ==
        std::vector<std::string>{
            "the program did not call the dispatcher; Windows ends the start after 30 s with 1053"});
  CHECK(run_and_check(without_handler) ==
        std::vector<std::string>{"a status was reported without a control handler; Windows returns the status handle "
                                 "with its registration"});
}

TEST_CASE("work after STOPPED is a violation") {
  const auto violations = run_and_check(with_handler(ok, [](winsvc::detail::os::dispatcher& d) {
    for (const auto& s : {starting, running, stopping, stopped}) d.set_status(s);
    std::this_thread::sleep_for(700ms);
  }));
  CHECK(contains(violations, "stopped: service_main did not return within 500 ms after STOPPED"));
}

TEST_CASE("a start that ends in STOPPED with 0 is a violation, with and without STOP_PENDING, unless it was stopped") {
  CHECK(contains(violations_of(reports({starting, stopped})), "the start failed, but the exit code is 0"));
  CHECK(contains(violations_of(reports({starting, stopping, stopped})), "never RUNNING and no stop was sent"));
  CHECK(violations_of(reports({starting, stopping, not_pending(state::stopped, 5)})).empty());
  winsvc::stop_source stop;
  const auto accept = [stop](const auto&) {
    stop.request_stop();
    return 0u;
  };
  const auto stopped_while_starting = run_and_check(with_handler(accept, [stop](winsvc::detail::os::dispatcher& d) {
    d.set_status(starting);
    waiting::wait_for_stop(stop, "the control");
    d.set_status(stopping), d.set_status(stopped);
  }), [](auto& scm) {
    REQUIRE(scm.wait_for(state::start_pending));
    CHECK(scm.deliver_always(control::shutdown) == 0);
  });
  CHECK(stopped_while_starting.empty());
}

TEST_CASE("a handler that returns 0 for each control is a violation after a custom control") {
  winsvc::stop_source stop;
  const auto run_with = [&](std::uint32_t result_for_others) {
    return run_and_check(with_handler([stop, result_for_others](const auto& event) {
      if (event.control == 1) stop.request_stop();
      return event.control == 1 || event.control == 200 ? 0u : result_for_others;
    }, [](winsvc::detail::os::dispatcher& d) {
      for (const auto& s : {starting, running}) d.set_status(s);
      std::this_thread::sleep_for(100ms);
      for (const auto& s : {stopping, stopped}) d.set_status(s);
    }), [](auto& scm) {
      REQUIRE(scm.wait_for(state::running));
      CHECK(scm.custom(200) == 0);
    });
  };

  CHECK(run_with(120).empty());
  CHECK(contains(run_with(0), "control 200: the control handler returned 0, also for the unknown control 127"));
}

TEST_CASE("a failed start has one event, with the reason") {
  const auto app = [](winsvc::service& svc) {
    svc.on_start([] { throw std::runtime_error("the warehouse is locked"); });
  };
  winsvc::testing::simulated_scm scm;
  scm.start(app);

  CHECK(scm.wait() == 1064);
  REQUIRE(scm.events().size() == 1);
  CHECK(scm.events()[0].find("the warehouse is locked") != std::string::npos);
  CHECK(scm.violations().empty());
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
