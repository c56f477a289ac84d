// Controls with the simulated SCM: pause and continue, reload, events, custom controls, and each way to stop.
#include <winsvc/testing.hpp>

#include "../support/fast_clock.hpp"
#include "support.hpp"

#include <algorithm>
#include <atomic>
#include <chrono>
#include <filesystem>
#include <fstream>
#include <functional>
#include <memory>
#include <optional>
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
using winsvc::detail::scm::control;
using winsvc::detail::scm::state;

TEST_CASE("a paused service returns 503 with Retry-After, stays live, and serves again after continue") {
  diary calls;
  auto app = [&](service& svc) {
    svc.get("/", [] { return "hello"; });
    svc.on_pause([&] { calls.note("pause"); });
    svc.on_pause([&](stop_context& context) { context.progress("half"); calls.note("pause2"); });
    svc.on_continue([&] { calls.note("continue"); });
  };
  simulated_scm scm;
  scm.start(app);

  CHECK(scm.pause() == 0);
  REQUIRE(scm.wait_for(state::paused));
  const auto refused = get(scm, "/");
  const auto ready = get(scm, "/readyz");
  const auto live = get(scm, "/livez");
  CHECK(scm.pause() == 0);  // already paused
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
  CHECK(calls.text() == "pause pause2 continue");
  CHECK(states(scm) ==
        "start pending, running, pause pending, paused, continue pending, running, stop pending, stopped");
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

TEST_CASE("after an exception in a pause hook the service runs, after one in a continue hook it stays paused") {
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

TEST_CASE("controls with a hook are accepted; reload is always accepted, for the built-in settings") {
  struct { void (*app)(service&); control code; std::uint32_t mask;
  } const cases[] = {
      {[](service& svc) { svc.on_pause([] {}); }, control::pause, 0x2},
      {[](service& svc) { svc.on_continue([] {}); }, control::pause, 0x2},
      {[](service& svc) { svc.on_reload([] {}); }, control::param_change, 0x8},
      {[](service& svc) { svc.on_power([](const power_event&) {}); }, control::power_event, 0x40},
      {[](service& svc) { svc.on_session_change([](const session_change&) {}); }, control::session_change, 0x80},
      {[](service& svc) { svc.on_time_change([] {}); }, control::time_change, 0x200},
  };
  for (const auto& hooked : cases) {
    simulated_scm scm;
    scm.start(hooked.app);
    CHECK(scm.history().back().status.accepted == (0x1u | 0x4u | 0x8u | hooked.mask));
    for (const auto& other : cases) {
      if (other.mask != 0x8) CHECK(scm.deliver_always(other.code) == (other.mask == hooked.mask ? 0u : 120u));
    }
    static_cast<void>(scm.deliver_always(control::stop));
    CHECK(scm.wait() == 0);
    CHECK(scm.violations().empty());
  }
}

TEST_CASE("reload runs its hooks while running or paused, and the service continues after an exception") {
  diary calls;
  auto app = [&](service& svc) {
    svc.on_reload([&] { calls.note("reload"); });
    svc.on_reload([&](stop_context&) { if (calls.text() != "reload") throw std::runtime_error("bad file"); });
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

TEST_CASE("session changes, power events and time changes reach their hooks with typed values") {
  diary calls;
  auto app = [&](service& svc) {
    svc.on_session_change([&](const session_change& change) {
      calls.note(std::string(name(change.kind_of_change)) + " of " + std::to_string(change.session));
    });
    svc.on_power([&](const power_event& event) {
      calls.note(std::string(name(event.kind_of_event)) + event.setting + event.data);
    });
    svc.on_time_change([&] { calls.note("time"); });
  };
  simulated_scm scm;
  scm.start(app);

  CHECK(scm.change_session(session_change::lock, 3) == 0);
  CHECK(scm.power(power_event::suspend) == 0);
  CHECK(scm.control({static_cast<std::uint32_t>(control::power_event), power_event::setting_changed, 0, "{g}", "x"}) ==
        0);
  CHECK(scm.control(control::time_change) == 0);
  CHECK(eventually([&] { return calls.text().find("time") != std::string::npos; }));
  CHECK(scm.stop() == 0);

  CHECK(scm.wait() == 0);
  CHECK(calls.text() == "lock of 3 suspend setting changed{g}x time");
  CHECK(scm.violations().empty());
}

TEST_CASE("an exception in an event hook is logged, and the next hook runs") {
  diary calls;
  auto app = [&](service& svc) {
    svc.on_power([](const power_event&) { throw std::runtime_error("no battery"); });
    svc.on_power([&](const power_event&) { calls.note("second"); });
  };
  folder data;
  simulated_scm scm;
  scm.data_folder = data.path;
  scm.start(app);

  CHECK(scm.power(power_event::resume) == 0);
  CHECK(eventually([&] { return calls.text() == "second"; }));
  CHECK(scm.stop() == 0);
  CHECK(scm.wait() == 0);
  CHECK(data.log().find("power event: hook at controls.cpp:") != std::string::npos);
}

TEST_CASE("the sender of a custom control receives the result of the hook") {
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

TEST_CASE("the sender of a slow custom control does not wait for its end") {
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

TEST_CASE("a control that is queued when the service stops returns 1061") {
  // The SCM sends one control after the other, so the stop comes from a worker that fails. The sender waits 500 ms for
  // the result and receives 997 then: on a slow machine an attempt can end this way.
  std::uint32_t result = 0;
  for (int attempt = 0; attempt < 10 && result != 1061; ++attempt) {
    stop_source started, go, fault;
    auto app = [&](service& svc) {
      svc.on_reload([&] { started.request_stop(); wait_for_stop(go, "the release of the hook"); });
      svc.on_control(200, [] { return 5; });
      svc.worker("w", [&](stop_token) {
        wait_for_stop(fault, "the request for a failure");
        throw std::runtime_error("the device is gone");
      });
    };
    simulated_scm scm;
    scm.start(app);
    CHECK(scm.reload() == 0);
    wait_for_stop(started, "the hook to start");

    scoped_thread sender("the sender of control 200", [&] { result = scm.custom(200); });
    std::this_thread::sleep_for(50ms);  // the control is in the queue then
    fault.request_stop();
    wait_until([&] { return scm.state() == state::stop_pending; }, "STOP_PENDING");
    go.request_stop();
    sender.join();

    CHECK(scm.wait() == 1064);
    CHECK((result == 1061 || result == 997));
    CHECK(scm.violations().empty());
  }
  CHECK(result == 1061);
}

TEST_CASE("custom controls are 128 to 255, and each has one hook") {
  const auto setup_error_of = [](auto app) {
    simulated_scm scm;
    scm.start(app);
    CHECK(scm.wait() == 1064);
    return scm.events();
  };
  auto low = [](service& svc) { svc.on_control(127, [] {}); };
  auto high = [](service& svc) { svc.on_control(256, [] {}); };
  auto twice = [](service& svc) { svc.on_control(200, [] {}).on_control(200, [] {}); };

  CHECK(has(setup_error_of(low), "not a custom control; use a code from 128 to 255"));
  CHECK(has(setup_error_of(high), "not a custom control; use a code from 128 to 255"));
  CHECK(has(setup_error_of(twice), "on_control 200 (controls.cpp:"));
}

TEST_CASE("a service that requests PRESHUTDOWN receives it, and requests have three fifths of its time") {
  auto app = [](service& svc) { svc.preshutdown(10s).stop_limit(60s); };
  simulated_scm scm;
  scm.start(app);

  CHECK(scm.history().back().status.accepted == (0x1u | 0x8u | 0x100u));
  CHECK(scm.control(control::shutdown) == 1052);
  CHECK(scm.shut_down() == 0);
  CHECK(scm.wait() == 0);
  for (const auto& entry : scm.history()) {
    if (entry.status.current == state::stop_pending) CHECK(entry.status.wait_hint == 11s);  // 6 s and the margin
  }
  CHECK(scm.violations().empty());
}

TEST_CASE("a preshutdown that was requested at install is accepted") {
  auto app = [](service& svc) { svc.stop_limit(60s); };
  simulated_scm scm;
  scm.launch.preshutdown = 5s;
  scm.start(app);

  CHECK(scm.history().back().status.accepted == (0x1u | 0x8u | 0x100u));
  CHECK(scm.shut_down() == 0);
  CHECK(scm.wait() == 0);
  CHECK(scm.history().back().status.current == state::stopped);
}

TEST_CASE("a service without PRESHUTDOWN stops on SHUTDOWN") {
  auto app = [](service&) {};
  simulated_scm scm;
  scm.start(app);

  CHECK(scm.shut_down() == 0);
  CHECK(scm.wait() == 0);
  CHECK(scm.violations().empty());
}

TEST_CASE("a start hook without progress is named, and the start fails") {
  stop_source go, returned;
  auto app = [&](service& svc) {
    svc.start_limit(50ms);
    svc.on_stop("first", [] {});
    svc.on_start("open store", [go, returned] {
      wait_for_stop(go, "the release of the hook");
      returned.request_stop();
    });
  };
  folder data;
  simulated_scm scm;
  scm.data_folder = data.path;

  scm.start(app);

  CHECK(scm.wait() == 1053);
  const std::string sentence = "start 'simulated': hook 'open store' made no progress for 50 ms (1053); call "
      "progress() during long work, or increase start_limit";
  CHECK(has(scm.events(), "3 " + sentence));
  CHECK(data.left().failure == sentence);
  CHECK(data.log().find(sentence) != std::string::npos);
  CHECK(data.log().find("the stop hooks were not run") != std::string::npos);
  CHECK(states(scm) == "start pending, stop pending, stopped");
  REQUIRE(scm.violations().size() == 1);
  CHECK(scm.violations()[0].find("the host would end the process") != std::string::npos);
  go.request_stop();
  wait_for_stop(returned, "the abandoned hook to return");
}

TEST_CASE("a stop hook without progress is named and abandoned; the requested stop is not a failure") {
  stop_source go, returned;
  diary calls;
  auto app = [&](service& svc) {
    svc.stop_limit(50ms);
    svc.on_stop("never", [&] { calls.note("never"); });
    svc.on_stop("flush cache", [go, returned] {
      wait_for_stop(go, "the release of the hook");
      returned.request_stop();
    });
    svc.on_stop("last", [&] { calls.note("last"); });
  };
  folder data;
  simulated_scm scm;
  scm.data_folder = data.path;
  scm.start(app);

  CHECK(scm.stop() == 0);

  CHECK(scm.wait() == 0);
  CHECK(calls.text() == "last");
  CHECK(data.log().find("stopping: hook 'flush cache' made no progress for 50 ms") != std::string::npos);
  CHECK(data.left().failure == "hook 'flush cache' made no progress for 50 ms (1460)");
  CHECK(has(scm.events(), "9 simulated stopped, but: hook 'flush cache' made no progress for 50 ms"));
  CHECK(scm.violations().size() == 1);
  go.request_stop();
  wait_for_stop(returned, "the abandoned hook to return");
}

TEST_CASE("progress in a stop hook increases the checkpoint and restarts its timeout") {
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

TEST_CASE("a reload hook that hangs ends the service, and the failure names it") {
  stop_source go, returned;
  auto app = [&](service& svc) {
    svc.stop_limit(50ms);
    svc.on_reload([go, returned] { wait_for_stop(go, "the release of the hook"); returned.request_stop(); });
  };
  folder data;
  simulated_scm scm;
  scm.data_folder = data.path;
  scm.start(app);

  CHECK(scm.reload() == 0);

  CHECK(scm.wait() == 1053);
  CHECK(data.left().failure.find("reload 'simulated': hook at controls.cpp:") == 0);
  go.request_stop();
  wait_for_stop(returned, "the abandoned hook to return");
}

TEST_CASE("late progress of an abandoned hook has no effect") {
  stop_source go, returned;
  auto app = [&](service& svc) {
    svc.stop_limit(50ms);
    svc.on_reload([go, returned](stop_context& context) {
      wait_for_stop(go, "the release of the hook");
      context.progress("late");
      returned.request_stop();
    });
  };
  simulated_scm scm;
  scm.start(app);

  CHECK(scm.reload() == 0);
  REQUIRE(scm.wait_for(state::stop_pending));
  go.request_stop();
  wait_for_stop(returned, "the abandoned hook to return");

  CHECK(scm.wait() == 1053);
}

TEST_CASE("the wait hint covers the limit of a slow hook") {
  auto app = [](service& svc) {
    svc.start_limit(40s).stop_limit(40s);
    svc.on_start([] {});
  };
  simulated_scm scm;
  scm.start(app);
  CHECK(scm.stop() == 0);
  CHECK(scm.wait() == 0);
  for (const auto& entry : scm.history()) {
    if (entry.status.checkpoint > 1) CHECK(entry.status.wait_hint == 45s);
  }
  CHECK(scm.violations().empty());
}

TEST_CASE("at shutdown all hooks share the remaining time, even if they make progress") {
  stop_source go, returned;
  diary calls;
  auto app = [&](service& svc) {
    svc.on_stop([&] { calls.note("never"); });
    svc.on_stop("endless", [go, returned](stop_context& context) {
      wait_until([&] {
            if (go.token().wait_for(20ms)) return true;
            context.progress("next part");
            return false;
      }, "the release of the hook");
      returned.request_stop();
    });
  };
  simulated_scm scm;
  scm.start(app);
  const auto start = std::chrono::steady_clock::now();

  CHECK(scm.shut_down() == 0);

  CHECK(scm.wait() == 0);
  CHECK(std::chrono::steady_clock::now() - start >= 4s);
  CHECK(std::chrono::steady_clock::now() - start < 10s);
  CHECK(calls.text().empty());
  CHECK(has(scm.events(), "9 simulated stopped, but: hook 'endless' did not finish before the shutdown time limit"));
  go.request_stop();
  wait_for_stop(returned, "the abandoned hook to return");
}

TEST_CASE("a stop waits for a start hook no longer than stop_limit") {
  stop_source started, go, returned;
  auto app = [&](service& svc) {
    svc.stop_limit(50ms).start_limit(60s);
    svc.on_start("deaf", [started, go, returned] {
      started.request_stop();
      wait_for_stop(go, "the release of the hook");
      returned.request_stop();
    });
  };
  simulated_scm scm;
  scm.start_async(app);
  wait_for_stop(started, "the hook to start");

  CHECK(scm.deliver_always(control::shutdown) == 0);

  CHECK(scm.wait() == 0);
  CHECK(has(scm.events(), "9 simulated stopped, but: hook 'deaf' made no progress for 50 ms"));
  go.request_stop();
  wait_for_stop(returned, "the abandoned hook to return");
}

TEST_CASE("an exception in a start hook after a stop request is not a failure") {
  stop_source started;
  auto app = [&](service& svc) {
    svc.on_start([&](start_context& start) {
      started.request_stop();
      wait_for_stop(start.stop(), "the stop");
      throw std::runtime_error("canceled");
    });
  };
  simulated_scm scm;
  scm.start_async(app);
  wait_for_stop(started, "the hook to start");

  CHECK(scm.deliver_always(control::shutdown) == 0);
  CHECK(scm.wait() == 0);
  CHECK(scm.violations().empty());
}

TEST_CASE("the checkpoint does not increase while a start hook makes no progress") {
  stop_source started, go;
  auto app = [&](service& svc) {
    svc.on_start([&](start_context& start) {
      start.progress("step 1");
      started.request_stop();
      wait_for_stop(go, "the release of the hook");
    });
  };
  simulated_scm scm;
  scm.start_async(app);
  wait_for_stop(started, "the hook to start");

  scm.measure_idle(50ms);
  go.request_stop();
  REQUIRE(scm.wait_for(state::running));
  static_cast<void>(scm.stop());
  CHECK(scm.wait() == 0);
  CHECK(scm.violations().empty());
}

TEST_CASE("bind retries a missing address until the timeout, with a checkpoint for each attempt") {
  winsvc::detail::host::service_definition definition;
  definition.spec.name = "late";
  definition.host = "192.0.2.1";  // an address for documentation (RFC 5737)
  std::vector<winsvc::detail::scm::service_status> published;
  winsvc::detail::host::status_reporter reporter([&](const auto& status) { published.push_back(status); });
  winsvc::detail::host::run_options options;
  options.bind_timeout = 60ms;
  options.bind_retry_delay = 10ms;
  reporter.apply(winsvc::detail::scm::lifecycle_event::start, 30s);

  const auto result = winsvc::detail::host::runtime(definition, reporter, options).run();

  REQUIRE(result.failure);
  CHECK(result.failure->code == 10049);
  CHECK(result.failure->message.find("; tried for 60 ms") != std::string::npos);
  CHECK(result.exit().win32 == 10049);
  std::uint32_t highest = 0;
  for (const auto& status : published) {
    if (status.current == state::start_pending) highest = (std::max)(highest, status.checkpoint);
  }
  CHECK(highest >= 3);
  CHECK(highest <= 9);
}

TEST_CASE("bind retries a port in use if no program listens on it, and fails at once if one listens") {
  namespace os = winsvc::detail::os;
  const auto blocker = os::tcp_socket::listen("127.0.0.1", 0);
  REQUIRE(blocker);
  const auto attempts_with = [&](const os::sys_result<std::optional<os::port_listener>>& found) {
    winsvc::detail::host::service_definition definition;
    definition.spec.name = "late";
    definition.port = blocker->local().port;
    winsvc::detail::host::status_reporter reporter({});
    winsvc::detail::host::run_options options;
    options.bind_timeout = 600ms;
    options.bind_retry_delay = 10ms;
    int attempts = 0;
    options.find_listener = [&](const os::endpoint& address) {
      CHECK(address.port == blocker->local().port);
      ++attempts;
      return found;
    };
    reporter.apply(winsvc::detail::scm::lifecycle_event::start, 30s);
    const auto result = winsvc::detail::host::runtime(definition, reporter, options).run();
    REQUIRE(result.failure);
    CHECK(result.failure->code == 10048);
    const std::string text = result.failure->to_string();
    CAPTURE(text);
    const bool is_free = found && !*found;  // the message does not name a program that does not exist
    CHECK((text.find("no program listens on it; connections of the previous run may still be open; tried for 600 ms") !=
           text.npos) == is_free);
    CHECK((text.find("stop the program that uses it") == text.npos) == is_free);
    return attempts;
  };

  CHECK(attempts_with(std::optional<os::port_listener>()) >= 3);
  CHECK(attempts_with(std::optional(os::port_listener{7, "other.exe"})) == 1);
  CHECK(attempts_with(os::sys_failure(50)) == 1);
}

TEST_CASE("bind succeeds when the connections of the previous run are gone") {
  namespace os = winsvc::detail::os;
  auto blocker = os::tcp_socket::listen("127.0.0.1", 0);
  REQUIRE(blocker);
  winsvc::detail::host::service_definition definition;
  definition.spec.name = "late";
  definition.port = blocker->local().port;
  winsvc::detail::host::status_reporter reporter({});
  winsvc::detail::host::run_options options;
  options.bind_timeout = 10s;
  options.bind_retry_delay = 1ms;
  options.find_listener = [&](const os::endpoint&) {
    blocker->close();
    return os::sys_result<std::optional<os::port_listener>>(std::optional<os::port_listener>());
  };
  winsvc::detail::host::runtime* started = nullptr;
  options.on_running = [&](const os::endpoint&) { started->request_stop("end of the test"); };
  reporter.apply(winsvc::detail::scm::lifecycle_event::start, 30s);
  winsvc::detail::host::runtime runtime(definition, reporter, options);
  started = &runtime;
  CHECK_FALSE(runtime.run().failure);
}

TEST_CASE("a rejected bind without a listener has its reason, and a listener or another code keeps the message") {
  namespace os = winsvc::detail::os;
  winsvc::detail::host::service_definition definition;
  winsvc::detail::host::run_options options;
  const auto describe = [&](std::uint32_t code) {
    return winsvc::detail::host::describe_bind_failure(
        winsvc::detail::base::error_with_explanation(code, "listen on", "127.0.0.1:80"), definition, options);
  };
  options.find_listener = [](const os::endpoint&) {
    return os::sys_result<std::optional<os::port_listener>>(std::optional<os::port_listener>());
  };
  for (const std::uint32_t code : {10013u, 10048u}) {
    const auto failed = describe(code);
    CHECK_FALSE(failed.retry_reason.empty());
    CHECK(failed.described.code == code);
    CHECK(failed.described.message.find("; no program listens on it; connections of the previous run") != std::string::npos);
    CHECK(failed.described.hint.find("wait until they are closed, or increase bind_timeout") == 0);
    CHECK((failed.described.hint.find("netsh") != std::string::npos) == (code == 10013));
  }
  CHECK(describe(5).retry_reason.empty());
  CHECK(describe(10049).retry_reason == "the network may not be up yet");
  CHECK(describe(10049).described.message == "the address does not belong to this machine");
  options.find_listener = [](const os::endpoint&) {
    return os::sys_result<std::optional<os::port_listener>>(os::port_listener{7, "other.exe"});
  };
  CHECK(describe(10013).retry_reason.empty());
  CHECK(describe(10048).described.hint == "stop the program that uses it, or choose another port with --port");
}

TEST_CASE("the setting bind_timeout limits the attempts") {
  folder data;
  simulated_scm scm;
  scm.data_folder = data.path;
  scm.launch.host.reset();
  scm.launch.settings = {{"bind_timeout", "0s"}};
  auto app = [](service& svc) { svc.listen("192.0.2.1", 1); };
  scm.start_async(app);
  CHECK(scm.wait() == winsvc::detail::os::exit_code(10049));
  CHECK(data.log().find("trying again") == std::string::npos);
  CHECK(data.left().failure.find("tried for") == std::string::npos);
}

TEST_CASE("a stop cancels the wait for an address") {
  auto app = [](service& svc) { svc.listen("192.0.2.1", 1); };
  simulated_scm scm;
  scm.launch.host.reset();
  const auto start = std::chrono::steady_clock::now();
  scm.start_async(app);
  REQUIRE(scm.wait_for(state::start_pending));
  wait_until([&] { return scm.history().size() >= 2; }, "the second status of the service");

  CHECK(scm.deliver_always(control::shutdown) == 0);

  CHECK(scm.wait() == 0);
  CHECK(std::chrono::steady_clock::now() - start < 20s);
  CHECK(scm.violations().empty());
}

TEST_CASE("an exception after RUNNING stops the service as failed") {
  // The event is reported when the service is RUNNING; a report may throw if it runs out of memory.
  winsvc::detail::host::service_definition definition;
  definition.spec.name = "late";
  std::vector<state> published;
  winsvc::detail::host::status_reporter reporter([&](const auto& status) { published.push_back(status.current); });
  winsvc::detail::host::run_options options;
  definition.port = 0;
  options.on_running = [](const auto&) { throw std::runtime_error("no memory"); };
  reporter.apply(winsvc::detail::scm::lifecycle_event::start, 30s);

  const auto result = winsvc::detail::host::runtime(definition, reporter, options).run();

  CHECK(result.exit().win32 == 1064);
  CHECK(result.failure->message == "no memory");
  CHECK(published.back() == state::stop_pending);
}

TEST_CASE("an exception after RUNNING ends in STOPPED with 1064") {
  struct recorder final : winsvc::detail::os::dispatcher {
    std::uint32_t run(service_main entry) override {
      entry({"late"});
      return 0;
    }
    std::uint32_t register_handler(const std::string&, control_handler) override { return 0; }
    std::uint32_t set_status(const winsvc::detail::scm::service_status& status) noexcept override {
      history.push_back({status, std::chrono::steady_clock::now()});
      return 0;
    }
    std::vector<winsvc::testing::timed_status> history;
  } dispatcher;
  std::vector<std::string> events;
  winsvc::detail::host::service_host_dependencies dependencies{dispatcher};
  dependencies.data_folder = [](const std::string&) -> winsvc::detail::os::sys_result<std::string> {
    return winsvc::detail::os::sys_failure(winsvc::detail::base::win32_error::access_denied);
  };
  dependencies.report_event = [&](const std::string&, winsvc::detail::scm::event_level, std::uint32_t id,
                                  std::string_view text) {
    if (id == static_cast<std::uint32_t>(winsvc::detail::scm::service_event::started))
      throw std::runtime_error("no memory");
    events.push_back(std::to_string(id) + ' ' + std::string(text));
  };
  dependencies.handle_crashes = false;
  dependencies.end_process = [](int) { FAIL_CHECK("the process would be ended"); };
  auto app = [](service&) {};

  winsvc::detail::host::service_host host(winsvc::detail::api::app_of_callable(app),
                                          {{}, "127.0.0.1", std::uint16_t{0}, {}}, dependencies);
  CHECK(host.run() == 1064);

  REQUIRE(!dispatcher.history.empty());
  CHECK(dispatcher.history.back().status.current == state::stopped);
  CHECK(dispatcher.history.back().status.exit.code() == 1064);
  CHECK(winsvc::testing::find_status_violations(dispatcher.history).empty());
  CHECK(has(events, "3 start 'late': no memory"));
}

TEST_CASE("a worker that does not return is named; the stop is not a failure, and the process must end") {
  stop_source go, returned;
  auto app = [&](service& svc) {
    svc.stop_limit(20ms);
    svc.on_stop([] {});
    svc.worker("deaf", [go, returned](stop_token) {
      wait_for_stop(go, "the release of the worker");
      returned.request_stop();
    });
  };
  folder data;
  simulated_scm scm;
  scm.data_folder = data.path;
  scm.start(app);

  CHECK(scm.stop() == 0);

  CHECK(scm.wait() == 0);
  CHECK(data.left().failure == "worker 'deaf' did not return within 20 ms (1460)");
  CHECK(scm.violations().size() == 1);
  go.request_stop();
  wait_for_stop(returned, "the abandoned worker to return");
}

TEST_CASE("a handler that does not return is counted; the stop is not a failure, and the process must end") {
  stop_source started, go, returned;
  auto app = [&](service& svc) {
    svc.stop_limit(20ms);
    svc.get("/deaf", [started, go, returned] {
      started.request_stop();
      wait_for_stop(go, "the release of the handler");
      returned.request_stop();
      return "late";
    });
  };
  folder data;
  simulated_scm scm;
  scm.data_folder = data.path;
  scm.start(app);
  auto client = connected(scm);
  ask(client, "/deaf");
  wait_for_stop(started, "the handler to start");

  CHECK(scm.stop() == 0);

  CHECK(scm.wait() == 0);
  CHECK(data.left().failure == "1 request handler did not return within 20 ms (1460)");
  CHECK(scm.violations().size() == 1);
  go.request_stop();
  wait_for_stop(returned, "the abandoned handler to return");
}

TEST_CASE("a handler that does not return is logged when its limit has passed, before the workers have returned") {
  struct line_listener final : winsvc::log_sink {
    stop_source found;
    void write(const winsvc::log_entry& entry) noexcept override {
      if (entry.text.find("request handler did not return") != std::string::npos) found.request_stop();
    }
  };
  const auto listener = std::make_shared<line_listener>();
  // The workers' limit does not pass; the drain of the engine has real time. The thread of the abandoned handler reads
  // the clock after the test.
  static winsvc::testing::manual_clock time;
  stop_source started, go, returned;
  auto app = [&](service& svc) {
    svc.stop_limit(20ms);
    svc.log().add_sink(listener);
    svc.worker("listener", [&](stop_token) { wait_for_stop(listener->found, "the line about the handler"); });
    svc.get("/deaf", [started, go, returned] {
      started.request_stop();
      wait_for_stop(go, "the release of the handler");
      returned.request_stop();
      return "late";
    });
  };
  folder data;
  simulated_scm scm;
  scm.time = &time;
  scm.data_folder = data.path;
  scm.start(app);
  auto client = connected(scm);
  ask(client, "/deaf");
  wait_for_stop(started, "the handler to start");

  CHECK(scm.stop() == 0);

  CHECK(scm.wait() == 0);
  CHECK(data.left().failure.find("did not return") != std::string::npos);
  CHECK(data.left().failure.find("worker") == std::string::npos);
  go.request_stop();
  wait_for_stop(returned, "the abandoned handler to return");
}

#if !defined(_WIN32)  // on Windows a folder remains while a file in it is open
TEST_CASE("a log folder that is replaced while no line is written is reported by /readyz, also when it works again") {
  folder data;
  simulated_scm scm;
  scm.data_folder = data.path;
  auto app = [](service& svc) { svc.log().threshold(winsvc::log_level::error); };
  scm.start(app);
  const std::filesystem::path logs = std::filesystem::path(data.path) / "logs";
  std::filesystem::remove_all(logs);
  std::ofstream(logs, std::ios::binary) << "x";

  CHECK(eventually([&] {
    return get(scm, "/readyz").body.find("ready\nthe log file cannot be written since 2") == 0;
  }));

  std::filesystem::remove(logs);
  CHECK(eventually([&] { return get(scm, "/readyz").body == "ready\n"; }));
  CHECK(scm.stop() == 0);
  CHECK(scm.wait() == 0);
}
#endif

TEST_CASE("if the dispatcher or the registration of the control handler fails, the process ends with its code") {
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

TEST_CASE("a slow SCM only delays the states") {
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

// -- controls that wait for other hooks --

TEST_CASE("a stop starts no further hook, and the checkpoint rises when the running hook returns") {
  stop_source started, go;
  diary calls;
  auto app = [&](service& svc) {
    svc.on_session_change([&](const auto&) {
      calls.note("first");
      started.request_stop();
      wait_for_stop(go, "the release of the hook");
    });
    for (int i = 0; i < 3; ++i) svc.on_session_change([&](const auto&) { calls.note("later"); });
    svc.on_reload([&] { calls.note("reload"); });
    svc.on_control(200, [&] { calls.note("custom"); });
    svc.on_stop([&] { calls.note("stop"); });
  };
  simulated_scm scm;
  scm.start(app);
  CHECK(scm.change_session(session_change::lock, 1) == 0);
  wait_for_stop(started, "the hook to start");
  CHECK(scm.reload() == 0);  // queued: the hook runs

  CHECK(scm.stop() == 0);
  const auto before = scm.history().size();
  go.request_stop();

  CHECK(scm.wait() == 0);
  CHECK(calls.text() == "first stop");
  REQUIRE(scm.history().size() > before);
  CHECK(scm.history()[before].status.current == state::stop_pending);
  CHECK(scm.history()[before].status.checkpoint == 2);
  CHECK(scm.violations().empty());
}

TEST_CASE("hooks that wait in the queue raise the checkpoint of a pending pause and of a pending continue") {
  // Six hooks of 2 s each outlast the wait hint of 8 s: the clock of the service is faster.
  const fast_clock time;
  auto app = [&](service& svc) {
    svc.stop_limit(3s);
    svc.on_pause([] {});
    svc.on_continue([] {});
    svc.on_session_change([&](const auto&) { time.pass(2s); });
  };
  simulated_scm scm;
  scm.time = &time;
  scm.start(app);
  const auto queue_events = [&] {
    for (int i = 0; i < 6; ++i) CHECK(scm.change_session(session_change::lock, 1) == 0);
  };

  queue_events();
  CHECK(scm.pause() == 0);
  REQUIRE(scm.wait_for(state::paused));
  const auto paused = scm.history().size();
  queue_events();
  CHECK(scm.resume() == 0);
  REQUIRE(scm.wait_for(state::running, paused));
  CHECK(count_of(scm, state::pause_pending) >= 4);
  CHECK(count_of(scm, state::continue_pending) >= 4);
  CHECK(scm.stop() == 0);

  CHECK(scm.wait() == 0);
  CHECK(scm.violations().empty());
}

TEST_CASE("several hooks of one event raise the checkpoint of a pending pause, and a stop ends the event") {
  const fast_clock time;
  std::atomic<int> calls{0};
  auto app = [&](service& svc) {
    svc.stop_limit(3s);
    svc.on_pause([] {});
    for (int i = 0; i < 6; ++i) svc.on_power([&](const auto&) { ++calls; time.pass(1500ms); });
  };
  simulated_scm scm;
  scm.time = &time;
  scm.start(app);

  CHECK(scm.power(power_event::suspend) == 0);
  CHECK(scm.pause() == 0);
  REQUIRE(scm.wait_for(state::paused));
  CHECK(calls == 6);
  CHECK(scm.power(power_event::resume) == 0);
  wait_until([&] { return calls == 7; }, "the first hook of the second event");
  CHECK(scm.stop() == 0);

  CHECK(scm.wait() == 0);
  CHECK(calls == 7);
  CHECK(scm.violations().empty());
}

namespace {

/// A runtime on its own thread, without the SCM. `run` returns when the service is RUNNING.
struct running_service {
  explicit running_service(const std::function<void(service&)>& app) {
    definition.spec.name = "direct";
    definition.port = 0;
    app(svc);
    winsvc::detail::host::run_options options;
    options.on_running = [this](const auto& address) { port = address.port; };
    reporter.apply(winsvc::detail::scm::lifecycle_event::start, 30s);
    host = std::make_unique<winsvc::detail::host::runtime>(definition, reporter, options);
    thread.emplace("the service", [this] { result = host->run(); });
    wait_until([this] { return reporter.state() == state::running && port != 0; }, "the service to run");
  }

  winsvc::detail::host::service_definition definition;
  service svc{definition};
  winsvc::detail::host::status_reporter reporter{{}};
  std::unique_ptr<winsvc::detail::host::runtime> host;
  std::atomic<std::uint16_t> port{0};
  winsvc::detail::host::run_result result;
  std::optional<scoped_thread> thread;
};

}  // namespace

TEST_CASE("a second stop request shortens the wait for requests, workers and hooks, and a third one changes nothing") {
  enum class slow { request, worker, hook };
  for (const slow part : {slow::request, slow::worker, slow::hook}) {
    CAPTURE(static_cast<int>(part));
    stop_source go, started, returned;
    const auto block = [go, started, returned] {
      started.request_stop();
      wait_for_stop(go, "the release of the test");
      returned.request_stop();
    };
    // As the host does it: after a run with a stuck thread, all objects stay until the process ends.
    static auto& kept = *new std::vector<std::unique_ptr<running_service>>;
    kept.push_back(std::make_unique<running_service>([&](service& svc) {
      svc.stop_limit(60s);
      svc.get("/", [block] { block(); return "late"; });
      if (part == slow::worker) svc.worker("deaf", [block](stop_token) { block(); });
      if (part == slow::hook) svc.on_stop("deaf", [block](stop_context&) { block(); });
    }));
    running_service& direct = *kept.back();
    std::optional<winsvc::detail::os::tcp_socket> client;
    if (part == slow::request) {
      auto socket = winsvc::detail::os::tcp_socket::connect({"127.0.0.1", direct.port}, waiting::limit());
      REQUIRE(socket);
      client = std::move(*socket);
      ask(*client, "/");
    }
    if (part != slow::hook) wait_for_stop(started, "the slow part to start");

    CHECK(direct.host->request_stop("first"));
    wait_for_stop(started, "the slow part to start");
    std::this_thread::sleep_for(50ms);  // the stop waits for it
    const auto start_time = std::chrono::steady_clock::now();
    CHECK_FALSE(direct.host->request_stop("second", 100ms, 300ms));
    CHECK_FALSE(direct.host->request_stop("third", 60s, 60s));
    direct.thread->join();

    CHECK(std::chrono::steady_clock::now() - start_time < waiting::scaled(10s));
    CHECK(direct.result.has_stuck_thread);
    REQUIRE(direct.result.incomplete_stop);
    const std::string reason = direct.result.incomplete_stop->message;
    CHECK(reason.find("60 s") == std::string::npos);  // not the limit before the second request
    CHECK(reason.find("1 min") == std::string::npos);
    CHECK(direct.result.failure_text() == reason + " (1460)");  // `stop` prints it after the name of the service
    CHECK(direct.result.exit().win32 == 0);
    go.request_stop();
    wait_for_stop(returned, "the slow part to return");
  }
}

TEST_CASE("a start hook that uses the whole limit of a stop leaves the wait hint for the first stop hook") {
  const fast_clock time;
  stop_source started;
  auto app = [&](service& svc) {
    svc.stop_limit(8s);
    svc.on_stop([&] { time.pass(7s); });
    svc.on_start([&](start_context& start) {
      started.request_stop();
      wait_for_stop(start.stop(), "the stop");
      time.pass(7s);
      throw std::runtime_error("canceled");
    });
  };
  simulated_scm scm;
  scm.time = &time;
  scm.start_async(app);
  wait_for_stop(started, "the hook to start");

  CHECK(scm.deliver_always(control::stop) == 0);

  CHECK(scm.wait() == 0);
  CHECK(scm.violations().empty());
}
