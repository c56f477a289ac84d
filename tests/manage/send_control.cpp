// pause, continue, reload and control: what the SCM, the hooks and the person say to each other.
#include <winsvc/testing.hpp>

#include <doctest/doctest.h>

#include <chrono>
#include <string>
#include <vector>

#include "fixture.hpp"

using namespace std::chrono_literals;
using winsvc::model::command;
using winsvc::model::state;
using winsvc::testing::service_database;
using calls = std::vector<std::string>;

namespace {

winsvc::result<void> pause(bench& d, const command& c = {}) {
  return d.run([&](winsvc::host::verb_context& context) { return winsvc::host::pause(context, c); });
}
winsvc::result<void> resume(bench& d, const command& c = {}) {
  return d.run([&](winsvc::host::verb_context& context) { return winsvc::host::resume(context, c); });
}
winsvc::result<void> reload(bench& d) {
  return d.run([&](winsvc::host::verb_context& context) { return winsvc::host::reload(context); });
}
winsvc::result<void> control(bench& d, std::uint32_t code = 200) {
  command c;
  c.control = code;
  return d.run([&](winsvc::host::verb_context& context) { return winsvc::host::send_control(context, c); });
}

}  // namespace

TEST_CASE("pause and continue wait until the service is there: these calls, these rights") {
  bench d;
  d.installed(state::running);
  d.scm.after_pause = {service_database::at(state::pause_pending, 42, 1), service_database::at(state::paused)};
  d.scm.after_continue = {service_database::at(state::continue_pending, 42, 1), service_database::at(state::running)};

  CHECK(sentence(pause(d)) == "done");
  CHECK(d.scm.calls == calls{"open_manager(0x1)", "open_service(hello, 0x44)", "query_status()", "control_service(2)",
                             "query_status()", "query_status()"});
  d.scm.calls.clear();
  CHECK(sentence(resume(d)) == "done");
  CHECK(d.scm.calls == calls{"open_manager(0x1)", "open_service(hello, 0x44)", "query_status()", "control_service(3)",
                             "query_status()", "query_status()"});
  CHECK(d.said == "'hello' is paused\n'hello' is running\n");
  CHECK(d.scm.open_handles() == 0);
}

TEST_CASE("pause of what is paused and continue of what runs are successes") {
  bench paused, running;
  paused.installed(state::paused);
  running.installed(state::running);

  CHECK(sentence(pause(paused)) == "done");
  CHECK(sentence(resume(running)) == "done");

  CHECK(paused.said == "'hello' is paused already\n");
  CHECK(running.said == "'hello' is running already\n");
  CHECK(!paused.called("control_service"));
  CHECK(!running.called("control_service"));
}

TEST_CASE("a service without the hook says which one it lacks") {
  struct { std::uint32_t control; const char* said; } const cases[] = {
      {2, "pause 'hello': the service has no on_pause hook (1052)"},
      {3, "continue 'hello': the service has no on_continue hook (1052)"},
      {200, "control 'hello': the service has no on_control 200 hook (1052)"},
  };
  for (const auto& one : cases) {
    bench d;
    d.installed(one.control == 3 ? state::paused : state::running).replies_to_controls[one.control] = 1052;
    CHECK(sentence(one.control == 2   ? pause(d)
                   : one.control == 3 ? resume(d)
                                      : control(d)) == one.said);
    CHECK(!d.denied);
  }
}

TEST_CASE("a hook that fails leaves the service as it was, and the verb says so") {
  bench d;
  d.installed(state::running);
  d.scm.after_pause = {service_database::at(state::pause_pending, 42, 1), service_database::at(state::running)};
  CHECK(sentence(pause(d)) ==
        "pause 'hello': its on_pause hook failed; it is still 'running' (1064); read its log");
  bench e;
  e.installed(state::paused);
  e.scm.after_continue = {service_database::at(state::continue_pending, 42, 1), service_database::at(state::paused)};
  CHECK(sentence(resume(e)) ==
        "continue 'hello': its on_continue hook failed; it is still 'paused' (1064); read its log");
}

TEST_CASE("a service between two states is asked again when it has got there, or the time runs out") {
  bench d;
  d.installed(state::start_pending).next = {service_database::at(state::start_pending, 42, 1),
                                            service_database::at(state::start_pending, 42, 2),
                                            service_database::at(state::running)};
  d.scm.after_pause = {service_database::at(state::paused)};
  CHECK(sentence(pause(d)) == "done");
  CHECK(d.said == "'hello' is paused\n");

  bench late;
  late.installed(state::start_pending);
  const auto began = late.time.now();
  CHECK(sentence(pause(late, patient(5s))) ==
        "pause 'hello': the service cannot accept a control now (1061); wait until it has started or stopped, then try "
        "again");
  CHECK(late.time.now() - began >= 5s);
  CHECK(late.time.now() - began < 6s);
}

TEST_CASE("what does not run can neither be paused nor told anything") {
  for (const char* verb : {"pause", "continue", "reload", "control"}) {
    bench d;
    d.installed();
    const std::string v = verb;
    CHECK(sentence(v == "pause" ? pause(d) : v == "continue" ? resume(d) : v == "reload" ? reload(d) : control(d)) ==
          v + " 'hello': it is not running (1062); start it first");
    bench absent;
    CHECK(sentence(v == "pause" ? pause(absent) : v == "continue" ? resume(absent) : v == "reload" ? reload(absent) : control(absent)) ==
          v + " 'hello': it is not installed (1060); install it first");
  }
  bench died;
  died.installed(state::running);
  died.scm.after_pause = {service_database::at(state::stopped)};
  CHECK(sentence(pause(died)) == "pause 'hello': it is not running (1062); start it first");
}

TEST_CASE("reload asks, and does not wait") {
  bench d;
  d.installed(state::running);
  CHECK(sentence(reload(d)) == "done");
  CHECK(d.scm.calls == calls{"open_manager(0x1)", "open_service(hello, 0x40)", "control_service(6)"});
  CHECK(d.said == "told 'hello' to reload\n");
}

TEST_CASE("control sends a code of the service's own and shows the hook's answer") {
  bench d;
  d.installed(state::running);
  CHECK(sentence(control(d, 255)) == "done");
  CHECK(d.scm.calls == calls{"open_manager(0x1)", "open_service(hello, 0x100)", "control_service(255)"});
  CHECK(d.said == "'hello' has done control 255\n");

  bench busy;
  busy.installed(state::running).replies_to_controls[200] = 997;
  CHECK(sentence(control(busy)) == "done");
  CHECK(busy.said == "'hello' has taken control 200 and is still at work\n");

  for (const std::uint32_t answer : {5u, 77u, 1064u, 1060u}) {
    CAPTURE(answer);
    bench refuses;
    refuses.installed(state::running).replies_to_controls[200] = answer;
    const auto done = control(refuses);
    REQUIRE(!done);
    CHECK(done.error().code == answer);
    CHECK(done.error().to_string().find("control 'hello': the hook for 200 answered: ") == 0);
    CHECK(!refuses.denied);  // it is the hook's 5, not Windows'
  }
}

TEST_CASE("the SCM's own refusals of a control are not the hook's") {
  for (const std::uint32_t code : {1053u, 1061u, 1062u}) {
    bench d;
    d.installed(state::running).replies_to_controls[200] = code;
    CHECK(sentence(control(d)) == winsvc::model::error_with_explanation(code, "control", "hello").to_string());
  }
}

TEST_CASE("a handle that Windows refuses is known as a refusal of rights") {
  for (int verb = 0; verb < 4; ++verb) {
    bench d;
    d.installed(state::running);
    d.scm.fail_with["open_service"] = 5;
    CHECK(!(verb == 0 ? pause(d) : verb == 1 ? resume(d) : verb == 2 ? reload(d) : control(d)));
    CHECK(d.denied);
  }
}
