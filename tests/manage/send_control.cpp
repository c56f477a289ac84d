// `pause`, `continue`, `reload` and `control` with an in-memory service database: calls, rights, output and errors.
#include <winsvc/testing.hpp>

#include <doctest/doctest.h>

#include <chrono>
#include <string>
#include <vector>

#include "fixture.hpp"

using namespace std::chrono_literals;
using winsvc::detail::commandline::control_options;
using winsvc::detail::scm::state;
using winsvc::testing::service_database;
using calls = std::vector<std::string>;

namespace {

winsvc::result<void> pause(bench& d, const control_options& c = {}) {
  return d.run(
      [&](winsvc::detail::manage::verb_context& context) { return winsvc::detail::manage::pause(context, c); });
}
winsvc::result<void> resume(bench& d, const control_options& c = {}) {
  return d.run(
      [&](winsvc::detail::manage::verb_context& context) { return winsvc::detail::manage::resume(context, c); });
}
winsvc::result<void> reload(bench& d) {
  return d.run([&](winsvc::detail::manage::verb_context& context) { return winsvc::detail::manage::reload(context); });
}
winsvc::result<void> control(bench& d, std::uint32_t code = 200) {
  control_options c;
  c.number = code;
  return d.run(
      [&](winsvc::detail::manage::verb_context& context) { return winsvc::detail::manage::send_control(context, c); });
}

}  // namespace

TEST_CASE("pause and continue wait for the state, with these calls and rights") {
  bench d;
  d.installed(state::running);
  d.scm.after_pause = {service_database::at(state::pause_pending, 42, 1), service_database::at(state::paused)};
  d.scm.after_continue = {service_database::at(state::continue_pending, 42, 1), service_database::at(state::running)};

  CHECK(sentence(pause(d)) == "done");
  CHECK(d.scm.calls == calls{"open_manager(0x1)", "open_service(hello, 0x44)", "query_status()",
                                  "control_service(2)", "query_status()", "query_status()"});
  d.scm.calls.clear();
  CHECK(sentence(resume(d)) == "done");
  CHECK(d.scm.calls == calls{"open_manager(0x1)", "open_service(hello, 0x44)", "query_status()",
                                  "control_service(3)", "query_status()", "query_status()"});
  CHECK(d.output == "'hello' is paused\n'hello' is running\n");
  CHECK(d.scm.open_handles() == 0);
}

TEST_CASE("pause of a paused service and continue of a running service are successes") {
  bench paused, running;
  paused.installed(state::paused);
  running.installed(state::running);

  CHECK(sentence(pause(paused)) == "done");
  CHECK(sentence(resume(running)) == "done");

  CHECK(paused.output == "'hello' is already paused\n");
  CHECK(running.output == "'hello' is already running\n");
  CHECK(!paused.called("control_service"));
  CHECK(!running.called("control_service"));
}

TEST_CASE("if the service has no hook for a control, the error names the hook") {
  struct { std::uint32_t control; const char* message; } const cases[] = {
      {2, "pause 'hello': the service has no on_pause hook (1052)"},
      {3, "continue 'hello': the service has no on_continue hook (1052)"},
      {200, "control 'hello': the service has no on_control 200 hook (1052)"},
  };
  for (const auto& row : cases) {
    bench d;
    d.installed(row.control == 3 ? state::paused : state::running).replies_to_controls[row.control] = 1052;
    CHECK(sentence(row.control == 2   ? pause(d)
                   : row.control == 3 ? resume(d)
                                      : control(d)) == row.message);
    CHECK(!d.denied);
  }
}

TEST_CASE("a failed hook leaves the state unchanged, and the verb reports it") {
  bench d;
  d.installed(state::running);
  d.scm.after_pause = {service_database::at(state::pause_pending, 42, 1), service_database::at(state::running)};
  CHECK(sentence(pause(d)) ==
        "pause 'hello': the on_pause hook failed; the service is still 'running' (1064); read its log with 'logs'");
  bench paused;
  paused.installed(state::paused);
  paused.scm.after_continue = {service_database::at(state::continue_pending, 42, 1),
                               service_database::at(state::paused)};
  CHECK(
      sentence(resume(paused)) ==
      "continue 'hello': the on_continue hook failed; the service is still 'paused' (1064); read its log with 'logs'");
}

TEST_CASE("a control is sent again while the service is between two states, until the time limit") {
  bench d;
  d.installed(state::start_pending).next = {service_database::at(state::start_pending, 42, 1),
                                            service_database::at(state::start_pending, 42, 2),
                                            service_database::at(state::running)};
  d.scm.after_pause = {service_database::at(state::paused)};
  CHECK(sentence(pause(d)) == "done");
  CHECK(d.output == "'hello' is paused\n");

  bench late;
  late.installed(state::start_pending);
  const auto start = late.time.now();
  CHECK(sentence(pause(late, with_wait(5s))) ==
        "pause 'hello': the service cannot accept a control now (1061); wait until it has started or stopped, then try "
        "again");
  CHECK(late.time.now() - start >= 5s);
  CHECK(late.time.now() - start < 6s);
}

TEST_CASE("a service that does not run accepts no control") {
  for (const char* verb : {"pause", "continue", "reload", "control"}) {
    bench d;
    d.installed();
    const std::string v = verb;
    CHECK(sentence(v == "pause" ? pause(d) : v == "continue" ? resume(d) : v == "reload" ? reload(d) : control(d)) ==
          v + " 'hello': it is not running (1062); start it first");
    bench absent;
    CHECK(sentence(v == "pause"      ? pause(absent)
                   : v == "continue" ? resume(absent)
                   : v == "reload"   ? reload(absent)
                                   : control(absent)) == v + " 'hello': it is not installed (1060); install it first");
  }
  bench died;
  died.installed(state::running);
  died.scm.after_pause = {service_database::at(state::stopped)};
  CHECK(sentence(pause(died)) == "pause 'hello': it is not running (1062); start it first");
}

TEST_CASE("reload sends the control and does not wait") {
  bench d;
  d.installed(state::running);
  CHECK(sentence(reload(d)) == "done");
  CHECK(d.scm.calls == calls{"open_manager(0x1)", "open_service(hello, 0x40)", "control_service(6)"});
  CHECK(d.output == "sent 'reload' to 'hello'\n");
}

TEST_CASE("control sends a custom control and shows the result of the hook") {
  bench d;
  d.installed(state::running);
  CHECK(sentence(control(d, 255)) == "done");
  CHECK(d.scm.calls == calls{"open_manager(0x1)", "open_service(hello, 0x100)", "control_service(255)"});
  CHECK(d.output == "'hello' accepted control 255\n");

  bench busy;
  busy.installed(state::running).replies_to_controls[200] = 997;
  CHECK(sentence(control(busy)) == "done");
  CHECK(busy.output == "'hello' accepted control 200 and is still processing it\n");

  for (const std::uint32_t code : {5u, 77u, 1064u, 1060u}) {
    CAPTURE(code);
    bench failing;
    failing.installed(state::running).replies_to_controls[200] = code;
    const auto done = control(failing);
    REQUIRE(!done);
    CHECK(done.error().code == code);
    CHECK(done.error().to_string().find("control 'hello': the hook for 200 returned: ") == 0);
    CHECK(!failing.denied);  // the 5 comes from the hook, not from Windows
  }
}

TEST_CASE("errors of the SCM are not reported as results of the hook") {
  for (const std::uint32_t code : {1053u, 1061u, 1062u}) {
    bench d;
    d.installed(state::running).replies_to_controls[200] = code;
    CHECK(sentence(control(d)) == winsvc::detail::base::error_with_explanation(code, "control", "hello").to_string());
  }
}

TEST_CASE("a denied handle counts as denied access") {
  for (int verb = 0; verb < 4; ++verb) {
    bench d;
    d.installed(state::running);
    d.scm.fail_with["open_service"] = 5;
    CHECK(!(verb == 0 ? pause(d) : verb == 1 ? resume(d) : verb == 2 ? reload(d) : control(d)));
    CHECK(d.denied);
  }
}
