// The verbs over a database of services in memory: which calls, with which rights, in which order, and what is said.
#include <winsvc/testing.hpp>

#include <doctest/doctest.h>

#include <chrono>
#include <optional>
#include <string>
#include <vector>

#include "../manage/fixture.hpp"

using namespace std::chrono_literals;
using winsvc::model::command;
using winsvc::model::state;
using winsvc::testing::manual_clock;
using winsvc::testing::service_database;
using calls = std::vector<std::string>;

namespace {

constexpr winsvc::model::exit_status failed_with(std::uint32_t win32, std::uint32_t specific = 0) {
  return {win32, specific};
}
command without_waiting() {
  command c;
  c.no_wait = true;
  return c;
}

}  // namespace

TEST_CASE("remove deletes a stopped service, waits until it is gone, and takes its event source") {
  bench d;
  d.installed();
  d.scm.event_sources = {"hello"};

  CHECK(sentence(d.remove(patient(10s))) == "done");

  CHECK(d.scm.calls == calls{"open_manager(0x1)", "open_service(hello, 0x1002d)", "query_config()",
                             "account_sid(NT SERVICE\\hello)", "control_service(1)", "delete_service()",
                             "open_manager(0x1)", "open_service(hello, 0x4)", "remove_event_source(hello)",
                             "query_folder_security(C:\\apps)"});
  CHECK(d.scm.services.empty());
  CHECK(d.scm.open_handles() == 0);
  CHECK(d.scm.event_sources.empty());
  CHECK(d.said == "removed 'hello'\n");
}

TEST_CASE("remove stops a running service first") {
  bench d;
  d.installed(state::running);
  d.scm.after_stop = {service_database::at(state::stop_pending, 42, 1), service_database::at(state::stopped)};

  CHECK(sentence(d.remove(patient(10s))) == "done");
  CHECK(d.scm.services.empty());
}

TEST_CASE("remove of what is not there is a success that says so, twice as well") {
  bench d;

  CHECK(sentence(d.remove(patient(10s))) == "done");
  CHECK(sentence(d.remove(patient(10s))) == "done");
  CHECK(d.said == "'hello' is not installed\n'hello' is not installed\n");
}

TEST_CASE("a service that somebody holds open is waited for, and named when the time runs out") {
  bench d;
  auto& e = d.installed();
  ++e.handles;  // the Services window

  const auto began = d.time.now();
  CHECK(sentence(d.remove(patient(10s))) ==
        "remove 'hello': the service is marked for deletion (1072); close the Services window and Task Manager, which "
        "hold it open, then try again");
  CHECK(d.time.now() - began >= 10s);
  CHECK(d.time.now() - began < 12s);
}

TEST_CASE("remove of a service that is marked for deletion already waits until it is gone") {
  bench d;
  d.installed().marked_for_delete = true;

  CHECK(sentence(d.remove(patient(10s))) == "done");
  CHECK(d.scm.services.empty());
}

TEST_CASE("a service that does not stop is not deleted") {
  bench d;
  d.installed(state::running);
  d.scm.after_stop = {service_database::at(state::stop_pending, 42, 1)};

  CHECK(sentence(d.remove(patient(5s))).find("remove 'hello': it is still 'stop pending' after 5") == 0);
  CHECK(d.scm.services.size() == 1);
  CHECK(!d.called("delete_service"));
}

TEST_CASE("start waits until the service runs, and shows its address") {
  bench d;
  d.installed();
  d.scm.after_start = {service_database::at(state::start_pending, 42, 1),
                       service_database::at(state::start_pending, 42, 2), service_database::at(state::running, 42)};
  d.left = winsvc::model::saved_state{42, "http://127.0.0.1:5001", "", ""};

  CHECK(sentence(d.start(patient(60s))) == "done");

  CHECK(d.scm.calls == calls{"open_manager(0x1)", "open_service(hello, 0x14)", "start_service()", "query_status()",
                             "query_status()", "query_status()"});
  CHECK(d.said == "started 'hello': http://127.0.0.1:5001\n");
}

TEST_CASE("start without waiting asks and leaves") {
  bench d;
  d.installed();

  CHECK(sentence(d.start(without_waiting())) == "done");
  CHECK(!d.called("query_status"));
}

TEST_CASE("start of what runs is a success, of what is starting waits with it") {
  bench running;
  running.installed(state::running);
  CHECK(sentence(running.start(patient(60s))) == "done");
  CHECK(running.said == "'hello' is running already\n");

  bench starting;
  starting.installed(state::start_pending).next = {service_database::at(state::start_pending, 42, 1),
                                                    service_database::at(state::running)};
  CHECK(sentence(starting.start(patient(60s))) == "done");
  CHECK(starting.said == "started 'hello'\n");
}

TEST_CASE("a start that fails is told in the service's own words where it left some") {
  using winsvc::model::saved_state;
  struct { winsvc::model::exit_status exit; const char* left; std::uint32_t code; const char* said;
  } const cases[] = {
      {failed_with(10048), "listen on '127.0.0.1:5001': the port is taken by pid 7 (10048)", 10048,
       "start 'hello': listen on '127.0.0.1:5001': the port is taken by pid 7 (10048)"},
      {failed_with(10048), nullptr, 10048,
       "start 'hello': the port is taken (10048); stop the program that uses it, or choose another port with --port"},
      {failed_with(1066, 77), "no", 77, "start 'hello': no (77)"},
      {failed_with(0), nullptr, 1053, "start 'hello': it stopped as soon as it had started (1053); read its log"},
  };
  for (const auto& one : cases) {
    CAPTURE(one.said);
    bench d;
    d.installed();
    d.scm.after_start = {service_database::at(state::start_pending, 42, 1),
                         service_database::at(state::stopped, 0, 0, one.exit)};
    if (one.left) d.left_by_start = saved_state{42, "", "", one.left};
    const auto done = d.start(patient(60s));
    REQUIRE(!done);
    CHECK(done.error().code == one.code);
    CHECK(done.error().to_string() == one.said);
  }
}

TEST_CASE("a start that is refused says why") {
  struct { const char* function; std::uint32_t code; const char* said;
  } const cases[] = {
      {"open_service", 1060, "start 'hello': it is not installed (1060); install it first"},
      {"start_service", 1058,
       "start 'hello': the service is disabled (1058); install it with --startup auto or --startup manual"},
      {"start_service", 1069,
       "start 'hello': the account could not log on (1069); set its password with update --username ACCOUNT, which "
       "also grants the right to log on as a service"},
      {"open_manager", 50,
       "start 'hello': services are a thing of Windows (50); 'debug' serves in the terminal on every system"},
  };
  for (const auto& one : cases) {
    bench d;
    d.installed();
    d.scm.fail_with[one.function] = one.code;
    CHECK(sentence(d.start(patient(60s))) == one.said);
  }
}

TEST_CASE("a start that makes progress is waited for to the limit, one that stalls for 30 seconds is not") {
  bench stalled;
  stalled.installed();
  stalled.scm.after_start = {service_database::at(state::start_pending, 42, 1)};
  auto began = stalled.time.now();
  CHECK(sentence(stalled.start(patient(300s))).find("start 'hello': it is still 'start pending' after 3") == 0);
  CHECK(stalled.time.now() - began >= 30s);
  CHECK(stalled.time.now() - began < 33s);

  bench busy;
  busy.installed();
  for (std::uint32_t i = 1; i < 1000; ++i)
    busy.scm.after_start.push_back(service_database::at(state::start_pending, 42, i));
  began = busy.time.now();
  const auto done = busy.start(patient(100s));
  REQUIRE(!done);
  CHECK(done.error().code == 1460);
  CHECK(done.error().hint == "check it with 'status'; allow more time with --wait SECONDS");
  CHECK(busy.time.now() - began >= 100s);
  CHECK(busy.time.now() - began < 102s);
}

TEST_CASE("stop waits until the service has stopped") {
  bench d;
  d.installed(state::running);
  d.scm.after_stop = {service_database::at(state::stop_pending, 42, 1),
                      service_database::at(state::stop_pending, 42, 2), service_database::at(state::stopped)};

  CHECK(sentence(d.stop(patient(60s))) == "done");

  CHECK(d.scm.calls == calls{"open_manager(0x1)", "open_service(hello, 0x2c)", "query_status()", "control_service(1)",
                             "query_status()", "query_status()", "query_status()"});
  CHECK(d.said == "stopped 'hello'\n");
}

TEST_CASE("stop of what is stopped is a success, without waiting it only asks") {
  bench stopped, requested;
  stopped.installed();
  requested.installed(state::running);

  CHECK(sentence(stopped.stop(patient(60s))) == "done");
  CHECK(stopped.said == "'hello' is not running\n");
  CHECK(!stopped.called("control_service"));
  CHECK(sentence(requested.stop(without_waiting())) == "done");
  CHECK(requested.said == "asked 'hello' to stop\n");
}

TEST_CASE("stop of a service that is starting asks again when it has started") {
  bench d;
  auto& e = d.installed(state::start_pending);
  e.next = {service_database::at(state::start_pending, 42, 1), service_database::at(state::start_pending, 42, 1),
            service_database::at(state::running)};
  d.scm.after_stop = {service_database::at(state::stopped)};

  CHECK(sentence(d.stop(patient(60s))) == "done");
  CHECK(d.said == "stopped 'hello'\n");
}

TEST_CASE("stop of a service that is stopping already waits with it") {
  bench d;
  d.installed(state::stop_pending).next = {service_database::at(state::stop_pending, 42, 1),
                                            service_database::at(state::stop_pending, 42, 2),
                                            service_database::at(state::stopped)};

  CHECK(sentence(d.stop(patient(60s))) == "done");
}

TEST_CASE("a stop that is refused says why") {
  struct { const char* function; std::uint32_t code; const char* said;
  } const cases[] = {
      {"control_service", 1051,
       "stop 'hello': other services that depend on it are running (1051); stop them first, or add --force"},
      {"control_service", 5, "stop 'hello': access denied (5); run from an elevated prompt"},
      {"control_service", 1061,
       "stop 'hello': the service cannot accept a control now (1061); wait until it has started or stopped, then try "
       "again"},
      {"open_service", 1060, "stop 'hello': it is not installed (1060); install it first"},
  };
  for (const auto& one : cases) {
    bench d;
    d.installed(state::running);
    d.scm.fail_with[one.function] = one.code;
    CHECK(sentence(d.stop(patient(5s))) == one.said);
  }
}

TEST_CASE("status of a running service, for a person and for a machine") {
  bench d;
  d.installed(state::running).config.display_name = "Hello \"service\"";
  d.left = winsvc::model::saved_state{42, "http://127.0.0.1:5001", "2026-01-31T08:05:09.250Z", ""};

  const auto r = d.status();

  REQUIRE(r);
  CHECK(d.scm.calls == calls{"open_manager(0x1)", "open_service(hello, 0x5)", "query_status()", "query_config()"});
  CHECK(winsvc::host::status_exit(*r) == 0);
  CHECK(winsvc::host::status_text(*r) ==
        "hello: running, pid 42, since 2026-01-31T08:05:09.250Z\n"
        "  url      http://127.0.0.1:5001\n"
        "  startup  auto\n"
        "  binary   \"C:\\apps\\hello.exe\" run-service --port 5001\n");
  CHECK(
      winsvc::host::status_json(*r) ==
      R"({"name":"hello","installed":true,"state":"running","pid":42,"exit_code":0,"startup":"auto","display_name":"Hello \"service\"",)"
      R"("binary":"\"C:\\apps\\hello.exe\" run-service --port 5001","url":"http://127.0.0.1:5001","since":"2026-01-31T08:05:09.250Z","failure":null,"last_failure":null,"drift":[],"live":null})"
      "\n");
}

TEST_CASE("status of a failed service has its exit code and its own words, and not the address of another run") {
  bench d;
  d.installed().process = service_database::at(state::stopped, 0, 0, failed_with(10048));
  d.left = winsvc::model::saved_state{42, "http://127.0.0.1:5001", "2026-01-31T08:05:09.250Z",
                                        "listen on '127.0.0.1:5001': the port is taken"};

  const auto r = d.status();

  REQUIRE(r);
  CHECK(winsvc::host::status_exit(*r) == 3);
  CHECK(winsvc::host::status_text(*r) ==
        "hello: stopped\n"
        "  startup  auto\n"
        "  binary   \"C:\\apps\\hello.exe\" run-service --port 5001\n"
        "  exit     10048, the port is taken\n"
        "  failure  listen on '127.0.0.1:5001': the port is taken\n");
  const auto j = winsvc::json::parse(winsvc::host::status_json(*r));
  CHECK(j["exit_code"] == 10048);
  CHECK(j["url"] == nullptr);
  CHECK(j["since"] == nullptr);
  CHECK(j["failure"] == "listen on '127.0.0.1:5001': the port is taken");
}

TEST_CASE("status of a service that runs again shows how a run before failed") {
  bench d;
  d.installed(state::running);
  d.left = winsvc::model::saved_state{42, "http://127.0.0.1:5001", "2026-01-31T08:05:09.250Z", "", 10, "",
                                        "2026-01-30T08:05:09.250Z the store is gone"};
  const auto r = d.status();
  REQUIRE(r);
  CHECK(status_text(*r).find("  failed   2026-01-30T08:05:09.250Z the store is gone\n") != std::string::npos);
  CHECK(status_json(*r).find("\"last_failure\":\"2026-01-30T08:05:09.250Z the store is gone\"") != std::string::npos);
}

TEST_CASE("status tells where what is installed is not what the program would install, and that update mends it") {
  bench d;
  d.installed(state::running);
  d.spec.startup = winsvc::startup::manual;
  auto r = d.status();
  REQUIRE(r);

  r->drift = d.run([](winsvc::host::verb_context& context) { return winsvc::host::drift_lines(context); });

  CHECK(status_text(*r).find("  drift    startup is auto, expected manual\n") != std::string::npos);
  CHECK(status_text(*r).find("           update mends it\n") != std::string::npos);
  CHECK(status_json(*r).find("\"drift\":[\"startup is auto, expected manual\",") != std::string::npos);
  d.scm.fail_with["open_manager"] = 5;
  CHECK(d.run([](winsvc::host::verb_context& context) { return winsvc::host::drift_lines(context); }).empty());
}

TEST_CASE("status of what is not installed, of what starts, and where the SCM refuses") {
  bench none, starting, refused;
  starting.installed(state::start_pending);
  refused.scm.fail_with["open_manager"] = 5;

  const auto n = none.status();
  REQUIRE(n);
  CHECK(winsvc::host::status_exit(*n) == 4);
  CHECK(winsvc::host::status_text(*n) == "hello: not installed\n");
  CHECK(winsvc::host::status_json(*n) ==
        "{\"name\":\"hello\",\"installed\":false,\"state\":\"not_installed\",\"pid\":null,\"exit_code\":null,"
        "\"startup\":null,"
        "\"display_name\":null,\"binary\":null,\"url\":null,\"since\":null,\"failure\":null,\"last_failure\":null,\"drift\":null,\"live\":null}\n");
  const auto s = starting.status();
  REQUIRE(s);
  CHECK(winsvc::host::status_exit(*s) == 3);
  CHECK(winsvc::json::parse(winsvc::host::status_json(*s))["state"] == "start_pending");
  CHECK(sentence(refused.status()) == "query 'hello': access denied (5); run from an elevated prompt");
}

TEST_CASE("a failure that lay there before the start is not told as this one's") {
  bench d;
  d.installed();
  d.left = winsvc::model::saved_state{42, "", "", "listen on 'x': old news (10048)"};
  d.scm.after_start = {service_database::at(state::stopped, 0, 0, failed_with(1067))};

  CHECK(sentence(d.start(patient(60s))) ==
        "start 'hello': the process ended unexpectedly (1067); read its log and the event log");
}

TEST_CASE("remove leaves another program's service of that name alone") {
  bench d;
  d.scm.add("hello", "C:\\Windows\\system32\\spoolsv.exe", state::running);

  CHECK(sentence(d.remove(patient(5s))) ==
        "remove 'hello': another program's service has that name: C:\\Windows\\system32\\spoolsv.exe (1073); give the "
        "app another name");
  CHECK(!d.called("control_service"));
  CHECK(!d.called("delete_service"));
}

TEST_CASE("start waits for a stop that is under way, and starts then") {
  bench d;
  d.installed(state::stop_pending).next = {service_database::at(state::stop_pending),
                                            service_database::at(state::stopped)};
  d.scm.after_start = {service_database::at(state::running)};

  CHECK(sentence(d.start(patient(60s))) == "done");
}

TEST_CASE("the options of an earlier install are read back from its command line, whatever else stands there") {
  using winsvc::model::launch_options_of;

  CHECK(*launch_options_of("\"C:\\a b\\x.exe\" run-service --host ::1 --port 5").host == "::1");
  CHECK(*launch_options_of("\"C:\\a b\\x.exe\" run-service --host ::1 --port 5").port == 5);
  for (const char* path :
       {"", "\"C:\\x.exe\"", "C:\\x.exe --port 5", "C:\\x.exe run-service --prot 5", "C:\\x.exe debug --port 5"}) {
    CAPTURE(path);
    CHECK(!launch_options_of(path).host);
    CHECK(!launch_options_of(path).port);
  }
}

TEST_CASE("a wait looks soon at first, then at a tenth of what has passed, and never less often than every 10 s") {
  struct watching final : winsvc::clock {
    [[nodiscard]] time_point now() const noexcept override { return hand.now(); }
    void sleep(duration d) override {
      pauses.push_back(std::chrono::duration_cast<std::chrono::milliseconds>(d));
      hand.sleep(d);
    }
    manual_clock hand;
    std::vector<std::chrono::milliseconds> pauses;
  } time;
  service_database scm;
  auto& e = scm.add("hello", "x", state::start_pending);
  for (std::uint32_t i = 1; i < 60; ++i) {
    e.next.push_back(service_database::at(state::start_pending, 42, i));
    e.next.back().status.wait_hint = 200s;
  }

  const auto handle = *scm.open_service(*scm.open_manager(1), "hello", winsvc::os::access_rights::query_status);
  const auto settled = winsvc::host::wait_while_pending(scm, handle, time, {state::running}, 200s, "start", "hello");

  REQUIRE(!settled);
  REQUIRE(time.pauses.size() > 12);
  CHECK(time.pauses[0] == 10ms);
  CHECK(time.pauses[1] == 20ms);
  CHECK(time.pauses[2] == 40ms);
  std::chrono::milliseconds passed{0};
  for (const auto pause : time.pauses) {
    CHECK(pause <= (std::max)(100ms, passed / 10));
    CHECK(pause <= 10s);
    passed += pause;
  }
  CHECK(time.pauses.size() < 80);
}

TEST_CASE("start passes its arguments on, and says so when they cannot reach it") {
  bench d;
  d.installed();
  d.scm.after_start = {service_database::at(state::running)};
  command c;
  c.arguments = {"--fast", "a b"};
  CHECK(sentence(d.start(c)) == "done");
  CHECK(d.scm.calls[2] == "start_service(--fast a b)");

  bench running;
  running.installed(state::running);
  CHECK(sentence(running.start(c)) == "done");
  CHECK(running.said == "'hello' is running already\nwarning: the arguments did not reach it: use restart\n");
}

TEST_CASE("a stop that had to cut something succeeds for the SCM, and is told here, with 1460") {
  bench d;
  d.installed(state::running);
  d.left = winsvc::model::saved_state{42, "http://127.0.0.1:5001", "2026-01-31T08:05:09.250Z", ""};
  d.left_by_stop = winsvc::model::saved_state{42, "", "", "stop 'hello': hook 'flush' made no progress for 20 s (1460)"};
  d.scm.after_stop = {service_database::at(state::stop_pending, 42, 1), service_database::at(state::stopped)};

  const auto done = d.stop();

  REQUIRE(!done);
  CHECK(done.error().code == 1460);
  CHECK(done.error().to_string() ==
        "stopped 'hello', but: stop 'hello': hook 'flush' made no progress for 20 s (1460)");
  CHECK(!d.denied);
}

TEST_CASE("what lay there before the stop is no news of it") {
  bench d;
  d.installed(state::running);
  d.left = winsvc::model::saved_state{42, "", "", "an old failure"};
  d.scm.after_stop = {service_database::at(state::stopped)};

  CHECK(sentence(d.stop()) == "done");
}

TEST_CASE("a service that fails while it stops is told with its own code") {
  bench d;
  d.installed(state::running);
  d.scm.after_stop = {service_database::at(state::stopped, 0, 0, failed_with(5))};
  const auto done = d.stop();
  REQUIRE(!done);
  CHECK(done.error().code == 5);
  CHECK(done.error().to_string() == "stopped 'hello', but: access denied (5)");
  CHECK(!d.denied);  // not by Windows: elevation would not help
}

namespace {
/// 'hello', which 'web' needs, which 'shop' needs.
void with_dependents(bench& d) {
  auto& e = d.installed(state::running);
  e.dependents = {"shop", "web"};
  d.scm.add("web", "C:\\web.exe", state::running);
  d.scm.add("shop", "C:\\shop.exe", state::running);
  d.scm.after_stop = {service_database::at(state::stop_pending, 42, 1), service_database::at(state::stopped)};
  d.scm.after_start = {service_database::at(state::running)};
}
command forced() {
  command c;
  c.force = true;
  return c;
}
}  // namespace

TEST_CASE("dependents that run are named, and left alone without --force") {
  for (const bool remove : {false, true}) {
    bench d;
    with_dependents(d);
    const auto done = remove ? d.remove() : d.stop();
    REQUIRE(!done);
    CHECK(done.error().code == 1051);
    CHECK(done.error().to_string() == std::string(remove ? "remove" : "stop") +
                                         " 'hello': other services that depend on it are running: shop, web (1051); "
                                         "stop them first, or add --force");
    CHECK(d.scm.services.at("shop").process.status.current == state::running);
    CHECK(d.scm.services.at("hello").process.status.current == state::running);
    CHECK(d.scm.open_handles() == 0);
  }
}

TEST_CASE("with --force dependents are stopped in the order that the SCM gives, each waited for, and then ours") {
  bench d;
  with_dependents(d);

  CHECK(sentence(d.stop(forced())) == "done");

  CHECK(d.scm.calls ==
        calls{"open_manager(0x1)", "open_service(hello, 0x2c)", "query_status()", "control_service(1)", "query_status()",
              "active_dependents()",
              "open_manager(0x1)", "open_service(shop, 0x24)", "control_service(1)", "query_status()", "query_status()",
              "open_manager(0x1)", "open_service(web, 0x24)", "control_service(1)", "query_status()", "query_status()",
              "control_service(1)", "query_status()", "query_status()"});
  CHECK(d.said == "stopped 'shop', which depends on it\nstopped 'web', which depends on it\nstopped 'hello'\n");
}

TEST_CASE("a dependent that does not stop is named, and ours goes on") {
  bench d;
  with_dependents(d);
  d.scm.services.at("web").replies_to_controls[1] = 1052;
  const auto done = d.stop(forced());
  REQUIRE(!done);
  CHECK(done.error().subject == "web");
  CHECK(done.error().code == 1052);
  CHECK(d.scm.services.at("hello").process.status.current == state::running);
}

TEST_CASE("restart stops and starts, with its arguments, and brings back the dependents it stopped") {
  bench d;
  with_dependents(d);
  command c = forced();
  c.arguments = {"anew"};

  CHECK(sentence(d.restart(c)) == "done");

  CHECK(d.said ==
        "stopped 'shop', which depends on it\nstopped 'web', which depends on it\nstopped 'hello'\nstarted 'hello'\n"
        "started 'web' again\nstarted 'shop' again\n");
  std::vector<std::string> starts;
  for (const auto& call : d.scm.calls) {
    if (call.rfind("start_service", 0) == 0) starts.push_back(call);
  }
  CHECK(starts == calls{"start_service(anew)", "start_service()", "start_service()"});
  CHECK(d.scm.open_handles() == 0);
}

TEST_CASE("restart of what does not run starts it, and of what was cut while stopping warns") {
  bench stopped;
  stopped.installed();
  stopped.scm.after_start = {service_database::at(state::running)};
  CHECK(sentence(stopped.restart()) == "done");
  CHECK(stopped.said == "'hello' is not running\nstarted 'hello'\n");

  bench cut;
  cut.installed(state::running);
  cut.left_by_stop = winsvc::model::saved_state{42, "", "", "2 requests were cut"};
  cut.scm.after_stop = {service_database::at(state::stopped)};
  cut.scm.after_start = {service_database::at(state::running)};
  CHECK(sentence(cut.restart()) == "done");
  CHECK(cut.said == "warning: stopped 'hello', but: 2 requests were cut\nstarted 'hello'\n");

  bench absent;
  CHECK(sentence(absent.restart()) == "restart 'hello': it is not installed (1060); install it first");
}

TEST_CASE("remove goes on when the stop had to cut something, and takes dependents with --force") {
  bench d;
  with_dependents(d);
  d.left_by_stop = winsvc::model::saved_state{42, "", "", "2 requests were cut"};

  CHECK(sentence(d.remove(forced())) == "done");

  CHECK(d.scm.services.count("hello") == 0);
  CHECK(d.scm.services.count("web") == 1);
  CHECK(d.said ==
        "stopped 'shop', which depends on it\nstopped 'web', which depends on it\n"
        "warning: stopped 'hello', but: 2 requests were cut\nremoved 'hello'\n");
}

TEST_CASE("remove takes the service's rights out of the folder of the program that is installed") {
  bench d;
  d.installed().config.binary = "\"D:\\old\\hello.exe\" run-service";
  d.scm.folders["D:\\old"] = "D:AI(A;OICI;0x1200a9;;;S-1-5-80-hello)(A;OICIID;FA;;;BA)";
  CHECK(sentence(d.remove()) == "done");
  CHECK(d.scm.folders.at("D:\\old") == "D:AI(A;OICIID;FA;;;BA)");
  CHECK(d.said == "removed 'hello'\n");

  bench refused;
  refused.installed();
  refused.scm.folders["C:\\apps"] = "D:(A;OICI;0x1200a9;;;S-1-5-80-hello)";
  refused.scm.fail_with["change_folder_security"] = 5;
  CHECK(sentence(refused.remove()) == "done");
  CHECK(refused.said.find("warning: the rights of S-1-5-80-hello to 'C:\\apps' are still there: ") == 0);
  CHECK(refused.scm.services.empty());
}
