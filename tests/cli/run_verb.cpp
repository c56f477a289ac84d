// `start`, `stop`, `restart`, `remove` and `status` with an in-memory service database: calls, rights, order and
// output.
#include <winsvc/testing.hpp>

#include <doctest/doctest.h>

#include <chrono>
#include <optional>
#include <string>
#include <vector>

#include "../manage/fixture.hpp"

using namespace std::chrono_literals;
using winsvc::detail::commandline::control_options;
using winsvc::detail::scm::state;
using winsvc::testing::manual_clock;
using winsvc::testing::service_database;
using calls = std::vector<std::string>;

namespace {

constexpr winsvc::detail::scm::exit_status failed_with(std::uint32_t win32, std::uint32_t specific = 0) {
  return {win32, specific};
}
control_options without_waiting() {
  control_options c;
  c.no_wait = true;
  return c;
}

}  // namespace

TEST_CASE("remove deletes a stopped service, waits until it is deleted, and removes its event source") {
  bench d;
  d.installed();
  d.scm.event_sources = {"hello"};

  CHECK(sentence(d.remove(with_wait(10s))) == "done");

  CHECK(d.scm.calls == calls{"open_manager(0x1)", "open_service(hello, 0x1002d)", "query_config()",
                                  "account_sid(NT SERVICE\\hello)", "control_service(1)", "delete_service()",
                                  "open_manager(0x1)", "open_service(hello, 0x4)", "remove_event_source(hello)",
                                  "query_folder_security(C:\\apps)"});
  CHECK(d.scm.services.empty());
  CHECK(d.scm.open_handles() == 0);
  CHECK(d.scm.event_sources.empty());
  CHECK(d.output == "removed 'hello'\n");
}

TEST_CASE("remove stops a running service first") {
  bench d;
  d.installed(state::running);
  d.scm.after_stop = {service_database::at(state::stop_pending, 42, 1), service_database::at(state::stopped)};

  CHECK(sentence(d.remove(with_wait(10s))) == "done");
  CHECK(d.scm.services.empty());
}

TEST_CASE("remove of a service that is not installed is a success") {
  bench d;

  CHECK(sentence(d.remove(with_wait(10s))) == "done");
  CHECK(sentence(d.remove(with_wait(10s))) == "done");
  CHECK(d.output == "'hello' is not installed\n'hello' is not installed\n");
}

TEST_CASE("remove waits for a service that another program has open, until its time limit") {
  bench d;
  auto& service = d.installed();
  ++service.handles;  // the Services window

  const auto start = d.time.now();
  CHECK(sentence(d.remove(with_wait(10s))) ==
        "remove 'hello': the service is marked for deletion (1072); close the Services window and Task Manager, which "
        "hold it open, then try again");
  CHECK(d.time.now() - start >= 10s);
  CHECK(d.time.now() - start < 12s);
}

TEST_CASE("remove of a service that is marked for deletion waits until it is deleted") {
  bench d;
  d.installed().marked_for_delete = true;

  CHECK(sentence(d.remove(with_wait(10s))) == "done");
  CHECK(d.scm.services.empty());
}

TEST_CASE("a service that does not stop is not deleted") {
  bench d;
  d.installed(state::running);
  d.scm.after_stop = {service_database::at(state::stop_pending, 42, 1)};

  CHECK(sentence(d.remove(with_wait(5s))).find("remove 'hello': the service is still 'stop pending' after 5") == 0);
  CHECK(d.scm.services.size() == 1);
  CHECK(!d.called("delete_service"));
}

TEST_CASE("start waits until the service runs, and shows its address") {
  bench d;
  d.installed();
  d.scm.after_start = {service_database::at(state::start_pending, 42, 1),
                       service_database::at(state::start_pending, 42, 2), service_database::at(state::running, 42)};
  d.saved = winsvc::detail::scm::saved_state{42, "http://127.0.0.1:5001", "", ""};

  CHECK(sentence(d.start(with_wait(60s))) == "done");

  CHECK(d.scm.calls == calls{"open_manager(0x1)", "open_service(hello, 0x14)", "start_service()", "query_status()",
                                  "query_status()", "query_status()"});
  CHECK(d.output == "started 'hello': http://127.0.0.1:5001\n");
}

TEST_CASE("start with --no-wait starts the service and returns") {
  bench d;
  d.installed();

  CHECK(sentence(d.start(without_waiting())) == "done");
  CHECK(!d.called("query_status"));
}

TEST_CASE("start of a running service is a success, of a starting service it waits") {
  bench running;
  running.installed(state::running);
  CHECK(sentence(running.start(with_wait(60s))) == "done");
  CHECK(running.output == "'hello' is already running\n");

  bench starting;
  starting.installed(state::start_pending).next = {service_database::at(state::start_pending, 42, 1),
                                                   service_database::at(state::running)};
  CHECK(sentence(starting.start(with_wait(60s))) == "done");
  CHECK(starting.output == "started 'hello'\n");
}

TEST_CASE("a failed start shows the message that the service saved") {
  using winsvc::detail::scm::saved_state;
  struct { winsvc::detail::scm::exit_status exit; const char* saved; std::uint32_t code; const char* message;
  } const cases[] = {
      {failed_with(10048), "listen on '127.0.0.1:5001': the port is taken by pid 7 (10048)", 10048,
       "start 'hello': listen on '127.0.0.1:5001': the port is taken by pid 7 (10048)"},
      {failed_with(10048), nullptr, 10048,
       "start 'hello': the port is taken (10048); stop the program that uses it, or choose another port with --port"},
      {failed_with(1066, 77), "no", 77, "start 'hello': no (77)"},
      {failed_with(0), nullptr, 1053,
       "start 'hello': it stopped immediately after its start (1053); read its log with 'logs'"},
  };
  for (const auto& row : cases) {
    CAPTURE(row.message);
    bench d;
    d.installed();
    d.scm.after_start = {service_database::at(state::start_pending, 42, 1),
                         service_database::at(state::stopped, 0, 0, row.exit)};
    if (row.saved) d.saved_by_start = saved_state{42, "", "", row.saved};
    const auto done = d.start(with_wait(60s));
    REQUIRE(!done);
    CHECK(done.error().code == row.code);
    CHECK(done.error().to_string() == row.message);
  }
}

TEST_CASE("a start that Windows rejects has a reason and a remedy") {
  struct { const char* function; std::uint32_t code; const char* message;
  } const cases[] = {
      {"open_service", 1060, "start 'hello': it is not installed (1060); install it first"},
      {"start_service", 1058,
       "start 'hello': the service is disabled (1058); install it with --startup auto or --startup manual"},
      {"start_service", 1069,
       "start 'hello': the account could not log on (1069); set its password with update --username ACCOUNT, "
       "which also grants the right to log on as a service"},
      {"open_manager", 50,
       "start 'hello': Windows services are not available on this system (50); use 'debug' to run in the terminal"},
  };
  for (const auto& row : cases) {
    bench d;
    d.installed();
    d.scm.fail_with[row.function] = row.code;
    CHECK(sentence(d.start(with_wait(60s))) == row.message);
  }
}

TEST_CASE("start waits up to its limit, and fails after 30 s without progress") {
  bench stalled;
  stalled.installed();
  stalled.scm.after_start = {service_database::at(state::start_pending, 42, 1)};
  auto start = stalled.time.now();
  CHECK(sentence(stalled.start(with_wait(300s))).find("start 'hello': the service is still 'start pending' after 3") ==
        0);
  CHECK(stalled.time.now() - start >= 30s);
  CHECK(stalled.time.now() - start < 33s);

  bench busy;
  busy.installed();
  for (std::uint32_t i = 1; i < 1000; ++i)
    busy.scm.after_start.push_back(service_database::at(state::start_pending, 42, i));
  start = busy.time.now();
  const auto done = busy.start(with_wait(100s));
  REQUIRE(!done);
  CHECK(done.error().code == 1460);
  CHECK(done.error().hint == "check it with 'status'; allow more time with --wait SECONDS");
  CHECK(busy.time.now() - start >= 100s);
  CHECK(busy.time.now() - start < 102s);
}

TEST_CASE("stop waits until the service has stopped") {
  bench d;
  d.installed(state::running);
  d.scm.after_stop = {service_database::at(state::stop_pending, 42, 1),
                      service_database::at(state::stop_pending, 42, 2), service_database::at(state::stopped)};

  CHECK(sentence(d.stop(with_wait(60s))) == "done");

  CHECK(d.scm.calls == calls{"open_manager(0x1)", "open_service(hello, 0x2c)", "query_status()",
                                  "control_service(1)", "query_status()", "query_status()", "query_status()"});
  CHECK(d.output == "stopped 'hello'\n");
}

TEST_CASE("stop of a stopped service is a success, and with --no-wait it only sends the control") {
  bench stopped, requested;
  stopped.installed();
  requested.installed(state::running);

  CHECK(sentence(stopped.stop(with_wait(60s))) == "done");
  CHECK(stopped.output == "'hello' is not running\n");
  CHECK(!stopped.called("control_service"));
  CHECK(sentence(requested.stop(without_waiting())) == "done");
  CHECK(requested.output == "sent 'stop' to 'hello'\n");
}

TEST_CASE("stop of a starting service is sent again after the start") {
  bench d;
  auto& service = d.installed(state::start_pending);
  service.next = {service_database::at(state::start_pending, 42, 1), service_database::at(state::start_pending, 42, 1),
                  service_database::at(state::running)};
  d.scm.after_stop = {service_database::at(state::stopped)};

  CHECK(sentence(d.stop(with_wait(60s))) == "done");
  CHECK(d.output == "stopped 'hello'\n");
}

TEST_CASE("stop of a stopping service waits until it has stopped") {
  bench d;
  d.installed(state::stop_pending).next = {service_database::at(state::stop_pending, 42, 1),
                                           service_database::at(state::stop_pending, 42, 2),
                                           service_database::at(state::stopped)};

  CHECK(sentence(d.stop(with_wait(60s))) == "done");
}

TEST_CASE("a stop that Windows rejects has a reason and a remedy") {
  struct { const char* function; std::uint32_t code; const char* message;
  } const cases[] = {
      {"control_service", 1051,
       "stop 'hello': other services that depend on it are running (1051); stop them first, or add --force"},
      {"control_service", 5, "stop 'hello': access denied (5); run from an elevated prompt"},
      {"control_service", 1061,
       "stop 'hello': the service cannot accept a control now (1061); wait until it has started or stopped, then try "
       "again"},
      {"open_service", 1060, "stop 'hello': it is not installed (1060); install it first"},
  };
  for (const auto& row : cases) {
    bench d;
    d.installed(state::running);
    d.scm.fail_with[row.function] = row.code;
    CHECK(sentence(d.stop(with_wait(5s))) == row.message);
  }
}

TEST_CASE("status of a running service as text and as JSON") {
  bench d;
  d.installed(state::running).config.display_name = "Hello \"service\"";
  d.saved = winsvc::detail::scm::saved_state{42, "http://127.0.0.1:5001", "2026-01-31T08:05:09.250Z", ""};

  const auto report = d.status();

  REQUIRE(report);
  CHECK(d.scm.calls == calls{"open_manager(0x1)", "open_service(hello, 0x5)", "query_status()", "query_config()"});
  CHECK(winsvc::detail::host::status_exit(*report) == 0);
  CHECK(winsvc::detail::host::status_text(*report) ==
        "hello: running, pid 42, since 2026-01-31T08:05:09.250Z\n"
        "  url      http://127.0.0.1:5001\n"
        "  startup  auto\n"
        "  binary   \"C:\\apps\\hello.exe\" run-service --port 5001\n");
  CHECK(
      winsvc::detail::host::status_json(*report) ==
      R"({"name":"hello","installed":true,"state":"running","pid":42,"exit_code":0,"startup":"auto",)"
      R"("display_name":"Hello \"service\"",)"
      R"("binary":"\"C:\\apps\\hello.exe\" run-service --port 5001","url":"http://127.0.0.1:5001",)"
      R"("since":"2026-01-31T08:05:09.250Z",)"
      R"("failure":null,"last_failure":null,"stop_reason":null,"pending_restart":[],"drift":[],"live":null})"
      "\n");
}

TEST_CASE("status of a failed service has its exit code and message, but no address of an earlier run") {
  bench d;
  d.installed().process = service_database::at(state::stopped, 0, 0, failed_with(10048));
  d.saved = winsvc::detail::scm::saved_state{42, "http://127.0.0.1:5001", "2026-01-31T08:05:09.250Z",
                                       "listen on '127.0.0.1:5001': the port is taken"};

  const auto report = d.status();

  REQUIRE(report);
  CHECK(winsvc::detail::host::status_exit(*report) == 3);
  CHECK(winsvc::detail::host::status_text(*report) ==
        "hello: stopped\n"
        "  startup  auto\n"
        "  binary   \"C:\\apps\\hello.exe\" run-service --port 5001\n"
        "  exit     10048, the port is taken\n"
        "  failure  listen on '127.0.0.1:5001': the port is taken\n");
  d.saved->failure = "read 'hello.ini:1': no '='\nread 'hello.ini:2': no '='";
  CHECK(status_text(*d.status()).find("  failure  read 'hello.ini:1': no '='\n           read 'hello.ini:2': no '='\n") !=
        std::string::npos);
  const auto object = winsvc::json::parse(winsvc::detail::host::status_json(*report));
  CHECK(object["exit_code"] == 10048);
  CHECK(object["url"] == nullptr);
  CHECK(object["since"] == nullptr);
  CHECK(object["failure"] == "listen on '127.0.0.1:5001': the port is taken");
}

TEST_CASE("status of a running service shows the failure of an earlier run") {
  bench d;
  d.installed(state::running);
  d.saved = winsvc::detail::scm::saved_state{42, "http://127.0.0.1:5001", "2026-01-31T08:05:09.250Z", "", 10, "",
                                       "2026-01-30T08:05:09.250Z the store is gone"};
  const auto report = d.status();
  REQUIRE(report);
  CHECK(status_text(*report).find("  failed   2026-01-30T08:05:09.250Z the store is gone\n") != std::string::npos);
  CHECK(status_json(*report).find("\"last_failure\":\"2026-01-30T08:05:09.250Z the store is gone\"") !=
        std::string::npos);
}

TEST_CASE("status shows drift, and that update fixes it") {
  bench d;
  d.installed(state::running);
  d.spec.startup = winsvc::startup::manual;
  auto report = d.status();
  REQUIRE(report);

  report->drift =
      d.run([](winsvc::detail::manage::verb_context& context) { return winsvc::detail::manage::drift_lines(context); });

  CHECK(status_text(*report).find("  drift    startup is auto, expected manual\n") != std::string::npos);
  CHECK(status_text(*report).find("           run 'update' to fix it\n") != std::string::npos);
  CHECK(status_json(*report).find("\"drift\":[\"startup is auto, expected manual\",") != std::string::npos);
  d.scm.fail_with["open_manager"] = 5;
  CHECK(d.run([](winsvc::detail::manage::verb_context& context) {
           return winsvc::detail::manage::drift_lines(context);
         }).empty());
}

TEST_CASE("status of a service that is not installed, that is starting, or that cannot be read") {
  bench absent, starting, refused;
  starting.installed(state::start_pending);
  refused.scm.fail_with["open_manager"] = 5;

  const auto not_installed = absent.status();
  REQUIRE(not_installed);
  CHECK(winsvc::detail::host::status_exit(*not_installed) == 4);
  CHECK(winsvc::detail::host::status_text(*not_installed) == "hello: not installed\n");
  CHECK(winsvc::detail::host::status_json(*not_installed) ==
        "{\"name\":\"hello\",\"installed\":false,\"state\":\"not_installed\",\"pid\":null,\"exit_code\":null,"
        "\"startup\":null,"
        "\"display_name\":null,\"binary\":null,\"url\":null,\"since\":null,\"failure\":null,\"last_failure\":null,"
        "\"stop_reason\":null,\"pending_restart\":null,\"drift\":null,\"live\":null}\n");
  const auto pending = starting.status();
  REQUIRE(pending);
  CHECK(winsvc::detail::host::status_exit(*pending) == 3);
  CHECK(winsvc::json::parse(winsvc::detail::host::status_json(*pending))["state"] == "start_pending");
  CHECK(sentence(refused.status()) == "query 'hello': access denied (5); run from an elevated prompt");
}

TEST_CASE("an older saved failure is not shown for this start") {
  bench d;
  d.installed();
  d.saved = winsvc::detail::scm::saved_state{42, "", "", "listen on 'x': earlier run (10048)"};
  d.scm.after_start = {service_database::at(state::stopped, 0, 0, failed_with(1067))};

  CHECK(sentence(d.start(with_wait(60s))) ==
        "start 'hello': the process ended unexpectedly (1067); read its log and the event log");
}

TEST_CASE("remove leaves a service of another program alone") {
  bench d;
  d.scm.add("hello", "C:\\Windows\\system32\\spoolsv.exe", state::running);

  CHECK(sentence(d.remove(with_wait(5s))) ==
        "remove 'hello': a service of another program has this name: C:\\Windows\\system32\\spoolsv.exe (1073); rename "
        "the app");
  CHECK(!d.called("control_service"));
  CHECK(!d.called("delete_service"));
}

TEST_CASE("start waits for a pending stop and starts the service then") {
  bench d;
  d.installed(state::stop_pending).next = {service_database::at(state::stop_pending),
                                           service_database::at(state::stopped)};
  d.scm.after_start = {service_database::at(state::running)};

  CHECK(sentence(d.start(with_wait(60s))) == "done");
}

TEST_CASE("the options of an earlier install are read from its command line") {
  using winsvc::detail::commandline::launch_options_of;

  CHECK(*launch_options_of("\"C:\\a b\\x.exe\" run-service --host ::1 --port 5").host == "::1");
  CHECK(*launch_options_of("\"C:\\a b\\x.exe\" run-service --host ::1 --port 5").port == 5);
  for (const char* path :
       {"", "\"C:\\x.exe\"", "C:\\x.exe --port 5", "C:\\x.exe run-service --prot 5", "C:\\x.exe debug --port 5"}) {
    CAPTURE(path);
    CHECK(!launch_options_of(path).host);
    CHECK(!launch_options_of(path).port);
  }
}

TEST_CASE("a wait polls at a tenth of the elapsed time, at most every 10 s") {
  struct recording_clock final : winsvc::clock {
    [[nodiscard]] time_point now() const noexcept override { return clock.now(); }
    void sleep(duration d) override {
      pauses.push_back(std::chrono::duration_cast<std::chrono::milliseconds>(d));
      clock.sleep(d);
    }
    manual_clock clock;
    std::vector<std::chrono::milliseconds> pauses;
  } time;
  service_database scm;
  auto& service = scm.add("hello", "x", state::start_pending);
  for (std::uint32_t i = 1; i < 60; ++i) {
    service.next.push_back(service_database::at(state::start_pending, 42, i));
    service.next.back().status.wait_hint = 200s;
  }

  const auto handle = *scm.open_service(*scm.open_manager(1), "hello", winsvc::detail::os::access_rights::query_status);
  const auto settled =
      winsvc::detail::manage::wait_while_pending(scm, handle, time, {state::running}, 200s, "start", "hello");

  REQUIRE(!settled);
  REQUIRE(time.pauses.size() > 12);
  CHECK(time.pauses[0] == 10ms);
  CHECK(time.pauses[1] == 20ms);
  CHECK(time.pauses[2] == 40ms);
  std::chrono::milliseconds elapsed{0};
  for (const auto pause : time.pauses) {
    CHECK(pause <= (std::max)(100ms, elapsed / 10));
    CHECK(pause <= 10s);
    elapsed += pause;
  }
  CHECK(time.pauses.size() < 80);
}

TEST_CASE("start passes its arguments to the service, and warns if it is already running") {
  bench d;
  d.installed();
  d.saved = winsvc::detail::scm::saved_state{};  // it has run before
  d.scm.after_start = {service_database::at(state::running)};
  control_options options;
  options.arguments = {"--fast", "a b"};
  CHECK(sentence(d.start(options)) == "done");
  CHECK(d.scm.calls[2] == "start_service(--fast a b)");

  bench running;
  running.installed(state::running);
  CHECK(sentence(running.start(options)) == "done");
  CHECK(running.output == "'hello' is already running\nwarning: the arguments were not delivered; use 'restart'\n");
}

TEST_CASE("an incomplete stop has exit code 0 for the SCM, and 'stop' fails with 1460") {
  bench d;
  d.installed(state::running);
  d.saved = winsvc::detail::scm::saved_state{42, "http://127.0.0.1:5001", "2026-01-31T08:05:09.250Z", ""};
  d.saved_by_stop =
      winsvc::detail::scm::saved_state{42, "", "", "hook 'flush' made no progress for 20 s (1460)"};
  d.scm.after_stop = {service_database::at(state::stop_pending, 42, 1), service_database::at(state::stopped)};

  const auto done = d.stop();

  REQUIRE(!done);
  CHECK(done.error().code == 1460);
  CHECK(done.error().to_string() == "stopped 'hello', but: hook 'flush' made no progress for 20 s (1460)");
  CHECK(!d.denied);
}

TEST_CASE("an older saved failure is not shown for this stop") {
  bench d;
  d.installed(state::running);
  d.saved = winsvc::detail::scm::saved_state{42, "", "", "an old failure"};
  d.scm.after_stop = {service_database::at(state::stopped)};

  CHECK(sentence(d.stop()) == "done");
}

TEST_CASE("a service that fails during its stop is shown with its exit code") {
  bench d;
  d.installed(state::running);
  d.scm.after_stop = {service_database::at(state::stopped, 0, 0, failed_with(5))};
  const auto done = d.stop();
  REQUIRE(!done);
  CHECK(done.error().code == 5);
  CHECK(done.error().to_string() == "stopped 'hello', but: access denied (5)");
  CHECK(!d.denied);  // the exit code of the service: elevation does not help
}

namespace {
/// Adds 'hello', on which 'web' depends, on which 'shop' depends.
void with_dependents(bench& d) {
  auto& service = d.installed(state::running);
  service.dependents = {"shop", "web"};
  d.scm.add("web", "C:\\web.exe", state::running);
  d.scm.add("shop", "C:\\shop.exe", state::running);
  d.scm.after_stop = {service_database::at(state::stop_pending, 42, 1), service_database::at(state::stopped)};
  d.scm.after_start = {service_database::at(state::running)};
}
control_options forced() {
  control_options c;
  c.force = true;
  return c;
}
}  // namespace

TEST_CASE("without --force, running dependents are named and keep running") {
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

TEST_CASE("with --force, dependents are stopped first, in the order of the SCM") {
  bench d;
  with_dependents(d);

  CHECK(sentence(d.stop(forced())) == "done");

  CHECK(d.scm.calls == calls{"open_manager(0x1)", "open_service(hello, 0x2c)", "query_status()",
                                  "control_service(1)", "query_status()", "active_dependents()", "open_manager(0x1)",
                                  "open_service(shop, 0x24)", "control_service(1)", "query_status()", "query_status()",
                                  "open_manager(0x1)", "open_service(web, 0x24)", "control_service(1)",
                                  "query_status()", "query_status()", "control_service(1)", "query_status()",
                                  "query_status()"});
  CHECK(d.output == "stopped 'shop', which depends on it\nstopped 'web', which depends on it\nstopped 'hello'\n");
}

TEST_CASE("a dependent that does not stop is named, and the service keeps running") {
  bench d;
  with_dependents(d);
  d.scm.services.at("web").replies_to_controls[1] = 1052;
  const auto done = d.stop(forced());
  REQUIRE(!done);
  CHECK(done.error().subject == "web");
  CHECK(done.error().code == 1052);
  CHECK(d.scm.services.at("hello").process.status.current == state::running);
}

TEST_CASE("restart stops and starts the service with its arguments, and starts the stopped dependents") {
  bench d;
  with_dependents(d);
  control_options options = forced();
  options.arguments = {"again"};

  CHECK(sentence(d.restart(options)) == "done");

  CHECK(d.output ==
        "stopped 'shop', which depends on it\nstopped 'web', which depends on it\nstopped 'hello'\nstarted 'hello'\n"
        "started 'web' again\nstarted 'shop' again\n");
  std::vector<std::string> starts;
  for (const auto& call : d.scm.calls) {
    if (call.rfind("start_service", 0) == 0) starts.push_back(call);
  }
  CHECK(starts == calls{"start_service(again)", "start_service()", "start_service()"});
  CHECK(d.scm.open_handles() == 0);
}

TEST_CASE("restart starts a stopped service, and warns after an incomplete stop") {
  bench stopped;
  stopped.installed();
  stopped.scm.after_start = {service_database::at(state::running)};
  CHECK(sentence(stopped.restart()) == "done");
  CHECK(stopped.output == "'hello' is not running\nstarted 'hello'\n");

  bench incomplete;
  incomplete.installed(state::running);
  incomplete.saved_by_stop = winsvc::detail::scm::saved_state{42, "", "", "2 requests were aborted"};
  incomplete.scm.after_stop = {service_database::at(state::stopped)};
  incomplete.scm.after_start = {service_database::at(state::running)};
  CHECK(sentence(incomplete.restart()) == "done");
  CHECK(incomplete.output == "warning: stopped 'hello', but: 2 requests were aborted\nstarted 'hello'\n");

  bench absent;
  CHECK(sentence(absent.restart()) == "restart 'hello': it is not installed (1060); install it first");
}

TEST_CASE("remove continues after an incomplete stop, and with --force stops dependents") {
  bench d;
  with_dependents(d);
  d.saved_by_stop = winsvc::detail::scm::saved_state{42, "", "", "2 requests were aborted"};

  CHECK(sentence(d.remove(forced())) == "done");

  CHECK(d.scm.services.count("hello") == 0);
  CHECK(d.scm.services.count("web") == 1);
  CHECK(d.output ==
        "stopped 'shop', which depends on it\nstopped 'web', which depends on it\n"
        "warning: stopped 'hello', but: 2 requests were aborted\nremoved 'hello'\n");
}

TEST_CASE("remove revokes the access of the service to the folder of the installed program") {
  bench d;
  d.installed().config.binary = "\"D:\\old\\hello.exe\" run-service";
  d.scm.folders["D:\\old"] = "D:AI(A;OICI;0x1200a9;;;S-1-5-80-hello)(A;OICIID;FA;;;BA)";
  CHECK(sentence(d.remove()) == "done");
  CHECK(d.scm.folders.at("D:\\old") == "D:AI(A;OICIID;FA;;;BA)");
  CHECK(d.output == "removed 'hello'\n");

  bench refused;
  refused.installed();
  refused.scm.folders["C:\\apps"] = "D:(A;OICI;0x1200a9;;;S-1-5-80-hello)";
  refused.scm.fail_with["change_folder_security"] = 5;
  CHECK(sentence(refused.remove()) == "done");
  CHECK(refused.output.find("warning: the access of S-1-5-80-hello to 'C:\\apps' cannot be removed: ") == 0);
  CHECK(refused.scm.services.empty());
}
