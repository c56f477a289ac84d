// Controls under the simulated SCM: pause and continue, reload, events, controls of the app's own, and every stop.
#include <winsvc/testing.hpp>

#include "support.hpp"

#include <algorithm>
#include <atomic>
#include <chrono>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

using namespace support;
using winsvc::power_event;
using winsvc::service;
using winsvc::session_change;
using winsvc::start_context;
using winsvc::stop_context;
using winsvc::stop_source;
using winsvc::stop_token;
using winsvc::model::control;
using winsvc::model::state;

TEST_CASE("a paused service refuses requests with 503 and Retry-After, stays alive, and serves again when continued") {
  diary d;
  auto app = [&](service& svc) {
    svc.get("/", [] { return "hello"; });
    svc.on_pause([&] { d.note("pause"); });
    svc.on_pause([&](stop_context& context) { context.progress("half of it"); d.note("pause2"); });
    svc.on_continue([&] { d.note("continue"); });
  };
  simulated_scm scm;
  scm.start(app);

  CHECK(scm.pause() == 0);
  REQUIRE(scm.wait_for(state::paused));
  const auto refused = get(scm, "/");
  const auto ready = get(scm, "/readyz");
  const auto live = get(scm, "/livez");
  CHECK(scm.pause() == 0);  // already
  CHECK(scm.resume() == 0);
  REQUIRE(scm.wait_for(state::running, 5));
  const auto served = get(scm, "/");
  CHECK(scm.stop() == 0);

  CHECK(scm.wait() == 0);
  CHECK(refused.status == 503);
  CHECK(refused.header("Retry-After") == "10");
  CHECK(refused.body.find("the service is paused") != std::string::npos);
  CHECK(ready.status == 503);
  CHECK(ready.body == "paused\n");
  CHECK(live.status == 200);
  CHECK(served.body == "hello");
  CHECK(d.text() == "pause pause2 continue");
  CHECK(states(scm) == "start pending, running, pause pending, paused, continue pending, running, stop pending, stopped");
  CHECK(has(scm.events(), "5 simulated paused"));
  CHECK(has(scm.events(), "6 simulated continued"));
  CHECK(scm.violations().empty());
}

TEST_CASE("a paused service can be stopped") {
  auto app = [](service& svc) { svc.on_pause([] {}); };
  simulated_scm scm;
  scm.start(app);

  CHECK(scm.pause() == 0);
  REQUIRE(scm.wait_for(state::paused));
  CHECK(scm.stop() == 0);

  CHECK(scm.wait() == 0);
  CHECK(states(scm) == "start pending, running, pause pending, paused, stop pending, stopped");
  CHECK(scm.violations().empty());
}

TEST_CASE("a pause hook that throws leaves the service running, a continue hook that throws leaves it paused") {
  std::atomic<bool> broken{true};
  auto app = [&](service& svc) {
    svc.get("/", [] { return "hello"; });
    svc.on_pause([&] { if (broken) throw std::runtime_error("the device is busy"); });
    svc.on_continue([&] { if (broken) throw 7; });
  };
  folder data;
  simulated_scm scm;
  scm.data_folder = data.path;
  scm.start(app);

  const auto before = scm.history().size();
  CHECK(scm.pause() == 0);
  REQUIRE(scm.wait_for(state::running, before));
  CHECK(get(scm, "/").body == "hello");
  broken = false;
  CHECK(scm.pause() == 0);
  REQUIRE(scm.wait_for(state::paused));
  broken = true;
  const auto paused = scm.history().size();
  CHECK(scm.resume() == 0);
  REQUIRE(scm.wait_for(state::paused, paused));
  CHECK(get(scm, "/").status == 503);
  CHECK(scm.stop() == 0);

  CHECK(scm.wait() == 0);
  CHECK(data.log().find("pause: hook at controls.cpp:") != std::string::npos);
  CHECK(data.log().find("threw: the device is busy") != std::string::npos);
  CHECK(data.log().find("continue: hook at controls.cpp:") != std::string::npos);
  CHECK(scm.violations().empty());
}

TEST_CASE("what is hooked is accepted, and a reload in any case, for the settings that every service has") {
  struct { void (*app)(service&); control what; std::uint32_t mask;
  } const cases[] = {
      {[](service& svc) { svc.on_pause([] {}); }, control::pause, 0x2},
      {[](service& svc) { svc.on_continue([] {}); }, control::pause, 0x2},
      {[](service& svc) { svc.on_reload([] {}); }, control::param_change, 0x8},
      {[](service& svc) { svc.on_power([](const power_event&) {}); }, control::power_event, 0x40},
      {[](service& svc) { svc.on_session_change([](const session_change&) {}); }, control::session_change, 0x80},
      {[](service& svc) { svc.on_time_change([] {}); }, control::time_change, 0x200},
  };
  for (const auto& one : cases) {
    simulated_scm scm;
    scm.start(one.app);
    CHECK(scm.history().back().status.accepted == (0x1u | 0x4u | 0x8u | one.mask));
    for (const auto& other : cases) {
      if (other.mask != 0x8) CHECK(scm.deliver_always(other.what) == (other.mask == one.mask ? 0u : 120u));
    }
    static_cast<void>(scm.deliver_always(control::stop));
    CHECK(scm.wait() == 0);
    CHECK(scm.violations().empty());
  }
}

TEST_CASE("reload runs its hooks, in running and in paused, and one that throws ends nothing") {
  diary d;
  auto app = [&](service& svc) {
    svc.on_reload([&] { d.note("reload"); });
    svc.on_reload([&](stop_context&) { if (d.text() != "reload") throw std::runtime_error("bad file"); });
    svc.on_pause([] {});
  };
  folder data;
  simulated_scm scm;
  scm.data_folder = data.path;
  scm.start(app);

  CHECK(scm.reload() == 0);
  CHECK(eventually([&] { return has(scm.events(), "7 simulated reloaded"); }));
  CHECK(scm.pause() == 0);
  REQUIRE(scm.wait_for(state::paused));
  CHECK(scm.reload() == 0);
  CHECK(eventually([&] { return data.log().find("threw: bad file") != std::string::npos; }));
  CHECK(scm.state() == state::paused);
  CHECK(scm.stop() == 0);

  CHECK(scm.wait() == 0);
  CHECK(scm.violations().empty());
}

TEST_CASE("session changes, power events and changes of the clock reach their hooks, typed") {
  diary d;
  auto app = [&](service& svc) {
    svc.on_session_change([&](const session_change& c) {
      d.note(std::string(name(c.kind_of_change)) + " of " + std::to_string(c.session));
    });
    svc.on_power([&](const power_event& p) { d.note(std::string(name(p.kind_of_event)) + p.setting + p.data); });
    svc.on_time_change([&] { d.note("time"); });
  };
  simulated_scm scm;
  scm.start(app);

  CHECK(scm.change_session(session_change::lock, 3) == 0);
  CHECK(scm.power(power_event::suspend) == 0);
  CHECK(scm.control({static_cast<std::uint32_t>(control::power_event), power_event::setting_changed, 0, "{g}", "x"}) == 0);
  CHECK(scm.control(control::time_change) == 0);
  CHECK(eventually([&] { return d.text().find("time") != std::string::npos; }));
  CHECK(scm.stop() == 0);

  CHECK(scm.wait() == 0);
  CHECK(d.text() == "lock of 3 suspend setting changed{g}x time");
  CHECK(scm.violations().empty());
}

TEST_CASE("an event hook that throws is logged, and the next one runs") {
  diary d;
  auto app = [&](service& svc) {
    svc.on_power([](const power_event&) { throw std::runtime_error("no battery"); });
    svc.on_power([&](const power_event&) { d.note("second"); });
  };
  folder data;
  simulated_scm scm;
  scm.data_folder = data.path;
  scm.start(app);

  CHECK(scm.power(power_event::resume) == 0);
  CHECK(eventually([&] { return d.text() == "second"; }));
  CHECK(scm.stop() == 0);
  CHECK(scm.wait() == 0);
  CHECK(data.log().find("power event: hook at controls.cpp:") != std::string::npos);
}

TEST_CASE("the sender of a control of the app's own gets the hook's result") {
  auto app = [](service& svc) {
    svc.on_control(128, [] {});
    svc.on_control(200, [](std::uint32_t code) { return code + 1; });
    svc.on_control(255, []() -> int { throw std::runtime_error("no"); });
  };
  simulated_scm scm;
  scm.start(app);

  CHECK(scm.custom(128) == 0);
  CHECK(scm.custom(200) == 201);
  CHECK(scm.custom(255) == 1064);
  CHECK(scm.custom(129) == 120);
  CHECK(scm.custom(127) == 1052);
  CHECK(scm.stop() == 0);
  CHECK(scm.wait() == 0);
  CHECK(scm.violations().empty());
}

TEST_CASE("the sender of a control that takes long does not wait for its end") {
  stop_source go;
  std::atomic<bool> done{false};
  auto app = [&](service& svc) {
    svc.on_control(200, [&] { wait_for_stop(go, "the release of the hook"); done = true; return 5; });
  };
  simulated_scm scm;
  scm.start(app);

  CHECK(scm.custom(200) == 997);
  go.request_stop();
  CHECK(eventually([&] { return done.load(); }));
  CHECK(scm.stop() == 0);
  CHECK(scm.wait() == 0);
  CHECK(scm.violations().empty());  // the handler was not too slow
}

TEST_CASE("a control that is in the queue when the service stops is answered with 1061") {
  // The SCM sends one control after the other, so the stop comes from a worker that fails. The sender of a control waits
  // 500 ms for the result and gets 997 after that: on a slow machine an attempt can end so.
  std::uint32_t answered = 0;
  for (int attempt = 0; attempt < 10 && answered != 1061; ++attempt) {
    stop_source begun, go, fault;
    auto app = [&](service& svc) {
      svc.on_reload([&] { begun.request_stop(); wait_for_stop(go, "the release of the hook"); });
      svc.on_control(200, [] { return 5; });
      svc.worker("w", [&](stop_token) {
        wait_for_stop(fault, "the request to fail");
        throw std::runtime_error("the device is gone");
      });
    };
    simulated_scm scm;
    scm.start(app);
    CHECK(scm.reload() == 0);
    wait_for_stop(begun, "the hook to start");

    scoped_thread sender("the sender of control 200", [&] { answered = scm.custom(200); });
    std::this_thread::sleep_for(50ms);  // the control is in the queue then
    fault.request_stop();
    wait_until([&] { return scm.state() == state::stop_pending; }, "STOP_PENDING");
    go.request_stop();
    sender.join();

    CHECK(scm.wait() == 1064);
    CHECK((answered == 1061 || answered == 997));
    CHECK(scm.violations().empty());
  }
  CHECK(answered == 1061);
}

TEST_CASE("controls are 128 to 255, and have one hook each") {
  const auto refused = [](auto app) {
    simulated_scm scm;
    scm.start(app);
    CHECK(scm.wait() == 1064);
    return scm.events();
  };
  auto low = [](service& svc) { svc.on_control(127, [] {}); };
  auto high = [](service& svc) { svc.on_control(256, [] {}); };
  auto twice = [](service& svc) { svc.on_control(200, [] {}).on_control(200, [] {}); };

  CHECK(has(refused(low), "not a custom control; use a code from 128 to 255"));
  CHECK(has(refused(high), "not a custom control; use a code from 128 to 255"));
  CHECK(has(refused(twice), "on_control 200 (controls.cpp:"));
}

TEST_CASE("a service that asks for PRESHUTDOWN gets it, and has three fifths of its time for requests") {
  auto app = [](service& svc) { svc.preshutdown(10s).stop_limit(60s); };
  simulated_scm scm;
  scm.start(app);

  CHECK(scm.history().back().status.accepted == (0x1u | 0x8u | 0x100u));
  CHECK(scm.control(control::shutdown) == 1052);
  CHECK(scm.shut_down() == 0);
  CHECK(scm.wait() == 0);
  for (const auto& h : scm.history()) {
    if (h.status.current == state::stop_pending) CHECK(h.status.wait_hint == 11s);  // 6 s, and a margin
  }
  CHECK(scm.violations().empty());
}

TEST_CASE("a preshutdown that was asked for at install is accepted as well, and has that time") {
  auto app = [](service& svc) { svc.stop_limit(60s); };
  simulated_scm scm;
  scm.launch.preshutdown = 5s;
  scm.start(app);

  CHECK(scm.history().back().status.accepted == (0x1u | 0x8u | 0x100u));
  CHECK(scm.shut_down() == 0);
  CHECK(scm.wait() == 0);
  CHECK(scm.history().back().status.current == state::stopped);
}

TEST_CASE("a service without PRESHUTDOWN is shut down by SHUTDOWN") {
  auto app = [](service&) {};
  simulated_scm scm;
  scm.start(app);

  CHECK(scm.shut_down() == 0);
  CHECK(scm.wait() == 0);
  CHECK(scm.violations().empty());
}

TEST_CASE("a start hook that makes no progress is named, and the service fails") {
  stop_source go, left;
  auto app = [&](service& svc) {
    svc.start_limit(50ms);
    svc.on_stop("first", [] {});
    svc.on_start("open store", [go, left] { wait_for_stop(go, "the release of the hook"); left.request_stop(); });
  };
  folder data;
  simulated_scm scm;
  scm.data_folder = data.path;

  scm.start(app);

  CHECK(scm.wait() == 1053);
  const std::string sentence = "start 'simulated': hook 'open store' made no progress for 50 ms (1053); let it call "
                               "progress() when something is done, or raise start_limit";
  CHECK(has(scm.events(), "3 " + sentence));
  CHECK(data.left().failure == sentence);
  CHECK(data.log().find(sentence) != std::string::npos);
  CHECK(data.log().find("the stop hooks are not run") != std::string::npos);
  CHECK(states(scm) == "start pending, stop pending, stopped");
  REQUIRE(scm.violations().size() == 1);
  CHECK(scm.violations()[0].find("the host would end the process") != std::string::npos);
  go.request_stop();
  wait_for_stop(left, "the abandoned hook to return");
}

TEST_CASE("a stop hook that makes no progress is named and given up; the stop that was asked for is no failure") {
  stop_source go, left;
  diary d;
  auto app = [&](service& svc) {
    svc.stop_limit(50ms);
    svc.on_stop("never", [&] { d.note("never"); });
    svc.on_stop("flush cache", [go, left] { wait_for_stop(go, "the release of the hook"); left.request_stop(); });
    svc.on_stop("last", [&] { d.note("last"); });
  };
  folder data;
  simulated_scm scm;
  scm.data_folder = data.path;
  scm.start(app);

  CHECK(scm.stop() == 0);

  CHECK(scm.wait() == 0);
  CHECK(d.text() == "last");
  CHECK(data.log().find("stopping: hook 'flush cache' made no progress for 50 ms") != std::string::npos);
  CHECK(data.left().failure == "stop 'simulated': hook 'flush cache' made no progress for 50 ms (1460)");
  CHECK(has(scm.events(), "9 stop 'simulated': hook 'flush cache' made no progress for 50 ms"));
  CHECK(scm.violations().size() == 1);
  go.request_stop();
  wait_for_stop(left, "the abandoned hook to return");
}

TEST_CASE("progress in a stop hook raises the checkpoint and gives it its time again") {
  auto app = [](service& svc) {
    svc.stop_limit(200ms);
    svc.on_stop("flush", [](stop_context& stop) {
      for (unsigned i = 1; i <= 5; ++i) {
        std::this_thread::sleep_for(60ms);
        stop.progress("flushed some", i, 5);
      }
    });
  };
  folder data;
  simulated_scm scm;
  scm.data_folder = data.path;
  scm.start(app);

  CHECK(scm.stop() == 0);

  CHECK(scm.wait() == 0);
  CHECK(data.log().find("stopping: flushed some (5 of 5)") != std::string::npos);
  CHECK(data.left().failure.empty());
  CHECK(scm.history().back().status.exit.win32 == 0);
  CHECK(scm.violations().empty());
}

TEST_CASE("a reload hook that hangs ends the service, which says over what") {
  stop_source go, left;
  auto app = [&](service& svc) {
    svc.stop_limit(50ms);
    svc.on_reload([go, left] { wait_for_stop(go, "the release of the hook"); left.request_stop(); });
  };
  folder data;
  simulated_scm scm;
  scm.data_folder = data.path;
  scm.start(app);

  CHECK(scm.reload() == 0);

  CHECK(scm.wait() == 1053);
  CHECK(data.left().failure.find("reload 'simulated': hook at controls.cpp:") == 0);
  go.request_stop();
  wait_for_stop(left, "the abandoned hook to return");
}

TEST_CASE("a hook that was given up and makes progress after all does no harm") {
  stop_source go, left;
  auto app = [&](service& svc) {
    svc.stop_limit(50ms);
    svc.on_reload([go, left](stop_context& context) {
      wait_for_stop(go, "the release of the hook");
      context.progress("late");
      left.request_stop();
    });
  };
  simulated_scm scm;
  scm.start(app);

  CHECK(scm.reload() == 0);
  REQUIRE(scm.wait_for(state::stop_pending));
  go.request_stop();
  wait_for_stop(left, "the abandoned hook to return");

  CHECK(scm.wait() == 1053);
}

TEST_CASE("a slow hook within a long limit is silent for less than the SCM was told") {
  auto app = [](service& svc) {
    svc.start_limit(40s).stop_limit(40s);
    svc.on_start([] {});
  };
  simulated_scm scm;
  scm.start(app);
  CHECK(scm.stop() == 0);
  CHECK(scm.wait() == 0);
  for (const auto& h : scm.history()) {
    if (h.status.checkpoint > 1) CHECK(h.status.wait_hint == 45s);
  }
  CHECK(scm.violations().empty());
}

TEST_CASE("when the machine shuts down all hooks together have what is left, whatever progress they make") {
  stop_source go, left;
  diary d;
  auto app = [&](service& svc) {
    svc.on_stop([&] { d.note("never"); });
    svc.on_stop("endless", [go, left](stop_context& context) {
      wait_until([&] {
        if (go.token().wait_for(20ms)) return true;
        context.progress("a little more");
        return false;
      }, "the release of the hook");
      left.request_stop();
    });
  };
  simulated_scm scm;
  scm.start(app);
  const auto began = std::chrono::steady_clock::now();

  CHECK(scm.shut_down() == 0);

  CHECK(scm.wait() == 0);
  CHECK(std::chrono::steady_clock::now() - began >= 4s);
  CHECK(std::chrono::steady_clock::now() - began < 10s);
  CHECK(d.text().empty());
  CHECK(has(scm.events(), "9 stop 'simulated': hook 'endless' was still running when the machine waited no longer"));
  go.request_stop();
  wait_for_stop(left, "the abandoned hook to return");
}

TEST_CASE("a stop does not wait longer for a start hook than for anything else") {
  stop_source begun, go, left;
  auto app = [&](service& svc) {
    svc.stop_limit(50ms).start_limit(60s);
    svc.on_start("deaf", [begun, go, left] {
      begun.request_stop();
      wait_for_stop(go, "the release of the hook");
      left.request_stop();
    });
  };
  simulated_scm scm;
  scm.start_async(app);
  wait_for_stop(begun, "the hook to start");

  CHECK(scm.deliver_always(control::shutdown) == 0);

  CHECK(scm.wait() == 0);
  CHECK(has(scm.events(), "9 stop 'simulated': hook 'deaf' made no progress for 50 ms"));
  go.request_stop();
  wait_for_stop(left, "the abandoned hook to return");
}

TEST_CASE("a start hook that leaves a cancelled start by an exception has not failed") {
  stop_source begun;
  auto app = [&](service& svc) {
    svc.on_start([&](start_context& start) {
      begun.request_stop();
      wait_for_stop(start.stop(), "the stop");
      throw std::runtime_error("cancelled");
    });
  };
  simulated_scm scm;
  scm.start_async(app);
  wait_for_stop(begun, "the hook to start");

  CHECK(scm.deliver_always(control::shutdown) == 0);
  CHECK(scm.wait() == 0);
  CHECK(scm.violations().empty());
}

TEST_CASE("no checkpoint rises while a start hook achieves nothing") {
  stop_source begun, go;
  auto app = [&](service& svc) {
    svc.on_start([&](start_context& start) {
      start.progress("one");
      begun.request_stop();
      wait_for_stop(go, "the release of the hook");
    });
  };
  simulated_scm scm;
  scm.start_async(app);
  wait_for_stop(begun, "the hook to start");

  scm.measure_idle(50ms);
  go.request_stop();
  REQUIRE(scm.wait_for(state::running));
  static_cast<void>(scm.stop());
  CHECK(scm.wait() == 0);
  CHECK(scm.violations().empty());
}

TEST_CASE("an address that this machine has not got is tried again, each attempt a checkpoint, until its time is up") {
  winsvc::host::service_definition plan;
  plan.spec.name = "late";
  plan.host = "192.0.2.1";  // of documentation alone (RFC 5737)
  std::vector<winsvc::model::service_status> seen;
  winsvc::host::status_reporter report([&](const auto& s) { seen.push_back(s); });
  winsvc::host::run_options settings;
  settings.bind_timeout = 60ms;
  settings.bind_retry_delay = 10ms;
  report.apply(winsvc::model::lifecycle_event::start, 30s);

  const auto result = winsvc::host::runtime(plan, report, settings).run();

  REQUIRE(result.failure);
  CHECK(result.failure->code == 10049);
  CHECK(result.exit.win32 == 10049);
  std::uint32_t highest = 0;
  for (const auto& s : seen) {
    if (s.current == state::start_pending) highest = (std::max)(highest, s.checkpoint);
  }
  CHECK(highest >= 3);
  CHECK(highest <= 9);
}

TEST_CASE("a stop cancels the wait for an address") {
  auto app = [](service& svc) { svc.listen("192.0.2.1", 1); };
  simulated_scm scm;
  scm.launch.host.reset();
  const auto began = std::chrono::steady_clock::now();
  scm.start_async(app);
  REQUIRE(scm.wait_for(state::start_pending));
  wait_until([&] { return scm.history().size() >= 2; }, "the second status of the service");

  CHECK(scm.deliver_always(control::shutdown) == 0);

  CHECK(scm.wait() == 0);
  CHECK(std::chrono::steady_clock::now() - began < 20s);
  CHECK(scm.violations().empty());
}

TEST_CASE("an exception after RUNNING stops the service as failed") {
  // The started event is reported when RUNNING is known; a report that throws is one that has no memory, say.
  winsvc::host::service_definition plan;
  plan.spec.name = "late";
  std::vector<state> seen;
  winsvc::host::status_reporter report([&](const auto& s) { seen.push_back(s.current); });
  winsvc::host::run_options settings;
  plan.port = 0;
  settings.on_running = [](const auto&) { throw std::runtime_error("no memory"); };
  report.apply(winsvc::model::lifecycle_event::start, 30s);

  const auto result = winsvc::host::runtime(plan, report, settings).run();

  CHECK(result.exit.win32 == 1064);
  CHECK(result.failure->message == "no memory");
  CHECK(seen.back() == state::stop_pending);
}

TEST_CASE("an exception after RUNNING ends in STOPPED with 1064") {
  struct recorder final : winsvc::os::dispatcher {
    std::uint32_t run(service_main entry) override {
      entry({"late"});
      return 0;
    }
    std::uint32_t register_handler(const std::string&, control_handler) override { return 0; }
    std::uint32_t set_status(const winsvc::model::service_status& status) noexcept override {
      history.push_back({status, std::chrono::steady_clock::now()});
      return 0;
    }
    std::vector<winsvc::testing::timed_status> history;
  } line;
  std::vector<std::string> events;
  winsvc::host::service_host_dependencies dependencies{line};
  dependencies.data_folder = [](const std::string&) -> winsvc::os::sys_result<std::string> {
    return winsvc::os::sys_failure(winsvc::model::win32_error::access_denied);
  };
  dependencies.report_event = [&](const std::string&, winsvc::model::event_level, std::uint32_t id, std::string_view text) {
    if (id == static_cast<std::uint32_t>(winsvc::model::service_event::started)) throw std::runtime_error("no memory");
    events.push_back(std::to_string(id) + ' ' + std::string(text));
  };
  dependencies.handle_crashes = false;
  dependencies.end_process = [](int) { FAIL_CHECK("the process would be ended"); };
  auto app = [](service&) {};

  winsvc::host::service_host host(winsvc::host::app_of_callable(app), {{}, "127.0.0.1", std::uint16_t{0}, {}}, dependencies);
  CHECK(host.run() == 1064);

  REQUIRE(!line.history.empty());
  CHECK(line.history.back().status.current == state::stopped);
  CHECK(line.history.back().status.exit.code() == 1064);
  CHECK(winsvc::testing::find_status_violations(line.history).empty());
  CHECK(has(events, "3 start 'late': no memory"));
}

TEST_CASE("a worker that never returns is named, the stop is no failure, and the process has to end over it") {
  stop_source go, left;
  auto app = [&](service& svc) {
    svc.stop_limit(20ms);
    svc.on_stop([] {});
    svc.worker("deaf", [go, left](stop_token) { wait_for_stop(go, "the release of the hook"); left.request_stop(); });
  };
  folder data;
  simulated_scm scm;
  scm.data_folder = data.path;
  scm.start(app);

  CHECK(scm.stop() == 0);

  CHECK(scm.wait() == 0);
  CHECK(data.left().failure == "stop 'simulated': worker 'deaf' did not return within 20 ms (1460)");
  CHECK(scm.violations().size() == 1);
  go.request_stop();
  wait_for_stop(left, "the abandoned hook to return");
}

TEST_CASE("a request handler that never returns is counted, the stop is no failure, and the process has to end over it") {
  stop_source begun, go, left;
  auto app = [&](service& svc) {
    svc.stop_limit(20ms);
    svc.get("/deaf", [begun, go, left] {
      begun.request_stop();
      wait_for_stop(go, "the release of the handler");
      left.request_stop();
      return "late";
    });
  };
  folder data;
  simulated_scm scm;
  scm.data_folder = data.path;
  scm.start(app);
  auto client = connected(scm);
  ask(client, "/deaf");
  wait_for_stop(begun, "the hook to start");

  CHECK(scm.stop() == 0);

  CHECK(scm.wait() == 0);
  CHECK(data.left().failure == "stop 'simulated': 1 request handler(s) did not return within 20 ms (1460)");
  CHECK(scm.violations().size() == 1);
  go.request_stop();
  wait_for_stop(left, "the abandoned hook to return");
}

TEST_CASE("a dispatcher that refuses, and a handler that cannot be registered, end the process with their codes") {
  auto app = [](service&) {};
  simulated_scm refused;
  refused.fail_with["run"] = 1063;
  refused.start(app);
  CHECK(refused.wait() == 0);
  CHECK(refused.history().empty());

  simulated_scm unregistered;
  unregistered.fail_with["register_handler"] = 1060;
  unregistered.start(app);
  static_cast<void>(unregistered.wait());
  CHECK(unregistered.history().empty());
  CHECK(has(unregistered.events(), "3 register the control handler of 'simulated'"));
}

TEST_CASE("a machine that is slow to take statuses changes nothing but the time") {
  auto app = [](service& svc) { svc.on_pause([] {}); };
  simulated_scm scm;
  scm.delay["set_status"] = 5ms;
  scm.delay["register_handler"] = 5ms;
  scm.start(app);

  CHECK(scm.pause() == 0);
  REQUIRE(scm.wait_for(state::paused));
  CHECK(scm.stop() == 0);
  CHECK(scm.wait() == 0);
  CHECK(scm.violations().empty());
}
