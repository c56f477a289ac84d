// The verbs over a database of services in memory: which calls, with which rights, in which order, and what is said.
#include <winsvc/testing.hpp>

#include <doctest/doctest.h>

#include <chrono>
#include <optional>
#include <string>
#include <vector>

using namespace std::chrono_literals;
using winsvc::startup;
using winsvc::host::manager;
using winsvc::model::command;
using winsvc::model::state;
using winsvc::testing::manual_clock;
using winsvc::testing::service_database;
using calls = std::vector<std::string>;

namespace {

/// A manager of the service 'hello' and all that it stands on.
struct desk {
  service_database scm;
  manual_clock time;
  std::string said;
  std::optional<winsvc::model::service_state> left;
  std::optional<winsvc::model::service_state> left_by_start;  // there as soon as a start was asked for
  winsvc::model::service_spec spec;

  desk() { spec.name = "hello"; }
  manager verbs() {
    return manager(spec, {scm, time, [this](const std::string& line) { said += line + '\n'; },
                          [this] { return left_by_start && called("start_service") ? left_by_start : left; },
                          "C:\\apps\\hello.exe"});
  }
  bool called(const std::string& function) const {
    for (const auto& c : scm.calls) {
      if (c.compare(0, function.size() + 1, function + '(') == 0) return true;
    }
    return false;
  }
};

template <class Result>
std::string sentence(const Result& r) {
  return r ? "done" : r.error().sentence();
}

service_database::entry& installed(desk& d, state s = state::stopped) {
  return d.scm.add("hello", "\"C:\\apps\\hello.exe\" run-service --port 5001", s);
}

constexpr winsvc::model::exit_status failed_with(std::uint32_t win32, std::uint32_t specific = 0) {
  return {win32, specific};
}

}  // namespace

TEST_CASE("install creates a service that is not there: these calls, these rights") {
  desk d;

  CHECK(sentence(d.verbs().install({})) == "done");

  CHECK(d.scm.calls == calls{"open_manager(0x1)", "open_service(hello, 0x3)", "open_manager(0x3)",
                             "create_service(hello, 0x10002, startup auto, binary \"C:\\apps\\hello.exe\" run-service, "
                             "display name hello)",
                             "change_delayed_start(false)", "add_event_source(hello)"});
  CHECK(d.said == "installed 'hello' (auto): \"C:\\apps\\hello.exe\" run-service\n");
  CHECK(d.scm.services.at("hello").handles == 0);
  CHECK(d.scm.event_sources == calls{"hello"});
}

TEST_CASE("what is asked at install goes before what the app says, which goes before the defaults") {
  desk d;
  d.spec.display_name = "Hello service";
  d.spec.description = "says hello";
  d.spec.startup = startup::manual;
  CHECK(sentence(d.verbs().install({})) == "done");
  const auto& e = d.scm.services.at("hello");
  CHECK(e.config.display_name == "Hello service");
  CHECK(e.config.startup == startup::manual);
  CHECK(e.description == "says hello");
  CHECK(!d.called("change_delayed_start"));

  desk asked;
  asked.spec = d.spec;
  command c;
  c.startup = startup::delayed;
  c.display_name = "Other";
  c.description = "else";
  c.launch.host = "0.0.0.0";
  c.launch.port = std::uint16_t{5002};
  CHECK(sentence(asked.verbs().install(c)) == "done");
  const auto& f = asked.scm.services.at("hello");
  CHECK(f.config.display_name == "Other");
  CHECK(f.delayed);
  CHECK(f.description == "else");
  CHECK(f.config.binary == "\"C:\\apps\\hello.exe\" run-service --host 0.0.0.0 --port 5002");
}

TEST_CASE("a second install updates: what is given anew changes, what was given before stays") {
  desk d;
  installed(d);
  d.scm.services.at("hello").config.startup = startup::manual;
  d.scm.services.at("hello").description = "old";
  command c;
  c.launch.host = "0.0.0.0";

  CHECK(sentence(d.verbs().install(c)) == "done");

  CHECK(d.scm.calls == calls{"open_manager(0x1)", "open_service(hello, 0x3)", "query_config()",
                             "change_config(, binary \"C:\\apps\\hello.exe\" run-service --host 0.0.0.0 --port 5001)",
                             "add_event_source(hello)"});
  CHECK(d.scm.services.at("hello").config.startup == startup::manual);
  CHECK(d.scm.services.at("hello").description == "old");
  CHECK(d.said ==
        "'hello' was installed already and is updated: \"C:\\apps\\hello.exe\" run-service --host 0.0.0.0 --port 5001\n"
        "  it was: \"C:\\apps\\hello.exe\" run-service --port 5001\n");
}

TEST_CASE("install twice in a row is the same as once") {
  desk d;
  CHECK(sentence(d.verbs().install({})) == "done");
  d.said.clear();
  CHECK(sentence(d.verbs().install({})) == "done");

  CHECK(d.scm.services.size() == 1);
  CHECK(d.said == "'hello' was installed already and is updated: \"C:\\apps\\hello.exe\" run-service\n");
}

TEST_CASE("a half-installed service is taken back") {
  for (const char* function : {"change_description", "add_event_source"}) {
    CAPTURE(function);
    desk d;
    d.spec.description = "says hello";
    d.scm.refuse[function] = 5;

    const auto done = d.verbs().install({});

    CHECK(!done);
    CHECK(done.error().code == 5);
    CHECK(d.scm.services.empty());
    CHECK(d.scm.event_sources.empty());
    CHECK(d.said.empty());
  }
}

TEST_CASE("an update that fails deletes nothing") {
  desk d;
  installed(d);
  d.scm.refuse["add_event_source"] = 5;

  CHECK(sentence(d.verbs().install({})) ==
        "register the event source 'hello': access denied (5); run from an elevated prompt");

  CHECK(d.scm.services.size() == 1);
  CHECK(!d.called("delete_service"));
}

TEST_CASE("a system that knows no delayed start gets an ordinary one, and is said so") {
  desk d;
  d.scm.refuse["change_delayed_start"] = 120;
  command c;
  c.startup = startup::delayed;

  CHECK(sentence(d.verbs().install(c)) == "done");
  CHECK(d.said.find("warning: a delayed start is not supported here (120)") == 0);

  desk plain;
  plain.scm.refuse["change_delayed_start"] = 120;
  CHECK(sentence(plain.verbs().install({})) == "done");
  CHECK(plain.said.find("warning") == std::string::npos);
}

TEST_CASE("every refusal is one sentence: what, to what, why, what to try") {
  struct { const char* function; std::uint32_t code; bool there; const char* said;
  } const cases[] = {
      {"open_manager", 5, false, "install 'hello': access denied (5); run from an elevated prompt"},
      {"open_service", 5, true, "install 'hello': access denied (5); run from an elevated prompt"},
      {"create_service", 5, false, "install 'hello': access denied (5); run from an elevated prompt"},
      {"create_service", 1078, false,
       "install 'hello': the display name is taken by another service (1078); choose another with --display-name"},
      {"create_service", 1072, false,
       "install 'hello': the service is marked for deletion (1072); close the Services window and Task Manager, which "
       "hold it open, then try again"},
      {"change_config", 1072, true,
       "install 'hello': the service is marked for deletion (1072); close the Services window and Task Manager, which "
       "hold it open, then try again"},
      {"query_config", 5, true, "install 'hello': access denied (5); run from an elevated prompt"},
      {"open_manager", 50, false,
       "install 'hello': services are a thing of Windows (50); 'debug' serves in the terminal on every system"},
  };
  for (const auto& one : cases) {
    CAPTURE(one.function);
    desk d;
    if (one.there) installed(d);
    d.scm.refuse[one.function] = one.code;
    CHECK(sentence(d.verbs().install({})) == one.said);
    if (one.there) CHECK(d.scm.services.at("hello").handles == 0);
  }
}

TEST_CASE("remove deletes a stopped service, waits until it is gone, and takes its event source") {
  desk d;
  installed(d);
  d.scm.event_sources = {"hello"};

  CHECK(sentence(d.verbs().remove(10s)) == "done");

  CHECK(d.scm.calls == calls{"open_manager(0x1)", "open_service(hello, 0x10025)", "query_config()",
                             "control_service(1)", "delete_service()", "open_manager(0x1)", "open_service(hello, 0x4)",
                             "remove_event_source(hello)"});
  CHECK(d.scm.services.empty());
  CHECK(d.scm.event_sources.empty());
  CHECK(d.said == "removed 'hello'\n");
}

TEST_CASE("remove stops a running service first") {
  desk d;
  installed(d, state::running);
  d.scm.after_stop = {service_database::at(state::stop_pending, 42, 1), service_database::at(state::stopped)};

  CHECK(sentence(d.verbs().remove(10s)) == "done");
  CHECK(d.scm.services.empty());
}

TEST_CASE("remove of what is not there is a success that says so, twice as well") {
  desk d;

  CHECK(sentence(d.verbs().remove(10s)) == "done");
  CHECK(sentence(d.verbs().remove(10s)) == "done");
  CHECK(d.said == "'hello' is not installed\n'hello' is not installed\n");
}

TEST_CASE("a service that somebody holds open is waited for, and named when the time runs out") {
  desk d;
  auto& e = installed(d);
  ++e.handles;  // the Services window

  const auto began = d.time.now();
  CHECK(sentence(d.verbs().remove(10s)) ==
        "remove 'hello': the service is marked for deletion (1072); close the Services window and Task Manager, which "
        "hold it open, then try again");
  CHECK(d.time.now() - began >= 10s);
  CHECK(d.time.now() - began < 12s);
}

TEST_CASE("remove of a service that is marked for deletion already waits until it is gone") {
  desk d;
  installed(d).marked_for_delete = true;

  CHECK(sentence(d.verbs().remove(10s)) == "done");
  CHECK(d.scm.services.empty());
}

TEST_CASE("a service that does not stop is not deleted") {
  desk d;
  installed(d, state::running);
  d.scm.after_stop = {service_database::at(state::stop_pending, 42, 1)};

  CHECK(sentence(d.verbs().remove(5s)).find("remove 'hello': it is still 'stop pending' after 5") == 0);
  CHECK(d.scm.services.size() == 1);
  CHECK(!d.called("delete_service"));
}

TEST_CASE("start waits until the service runs, and shows its address") {
  desk d;
  installed(d);
  d.scm.after_start = {service_database::at(state::start_pending, 42, 1),
                       service_database::at(state::start_pending, 42, 2), service_database::at(state::running, 42)};
  d.left = winsvc::model::service_state{42, "http://127.0.0.1:5001", "", ""};

  CHECK(sentence(d.verbs().start(60s, true)) == "done");

  CHECK(d.scm.calls == calls{"open_manager(0x1)", "open_service(hello, 0x14)", "start_service()", "query_status()",
                             "query_status()", "query_status()"});
  CHECK(d.said == "started 'hello': http://127.0.0.1:5001\n");
}

TEST_CASE("start without waiting asks and leaves") {
  desk d;
  installed(d);

  CHECK(sentence(d.verbs().start(60s, false)) == "done");
  CHECK(!d.called("query_status"));
}

TEST_CASE("start of what runs is a success, of what is starting waits with it") {
  desk running;
  installed(running, state::running);
  CHECK(sentence(running.verbs().start(60s, true)) == "done");
  CHECK(running.said == "'hello' is running already\n");

  desk starting;
  installed(starting, state::start_pending).next = {service_database::at(state::start_pending, 42, 1),
                                                    service_database::at(state::running)};
  CHECK(sentence(starting.verbs().start(60s, true)) == "done");
  CHECK(starting.said == "started 'hello'\n");
}

TEST_CASE("a start that fails is told in the service's own words where it left some") {
  using winsvc::model::service_state;
  struct { winsvc::model::exit_status exit; const char* left; std::uint32_t code; const char* said;
  } const cases[] = {
      {failed_with(10048), "listen on '127.0.0.1:5001': the port is taken by pid 7 (10048)", 10048,
       "start 'hello': listen on '127.0.0.1:5001': the port is taken by pid 7 (10048)"},
      {failed_with(10048), nullptr, 10048,
       "start 'hello': the port is taken (10048); stop that program, or choose another port with --port"},
      {failed_with(1066, 77), "no", 77, "start 'hello': no (77)"},
      {failed_with(0), nullptr, 1053, "start 'hello': it stopped as soon as it had started (1053); read its log"},
  };
  for (const auto& one : cases) {
    CAPTURE(one.said);
    desk d;
    installed(d);
    d.scm.after_start = {service_database::at(state::start_pending, 42, 1),
                         service_database::at(state::stopped, 0, 0, one.exit)};
    if (one.left) d.left_by_start = service_state{42, "", "", one.left};
    const auto done = d.verbs().start(60s, true);
    REQUIRE(!done);
    CHECK(done.error().code == one.code);
    CHECK(done.error().sentence() == one.said);
  }
}

TEST_CASE("a start that is refused says why") {
  struct { const char* function; std::uint32_t code; const char* said;
  } const cases[] = {
      {"open_service", 1060, "start 'hello': it is not installed (1060); install it first"},
      {"start_service", 1058,
       "start 'hello': the service is disabled (1058); install it with --startup auto or --startup manual"},
      {"start_service", 1069,
       "start 'hello': the account could not log on (1069); check the password and the right to log on as a service"},
      {"open_manager", 50,
       "start 'hello': services are a thing of Windows (50); 'debug' serves in the terminal on every system"},
  };
  for (const auto& one : cases) {
    desk d;
    installed(d);
    d.scm.refuse[one.function] = one.code;
    CHECK(sentence(d.verbs().start(60s, true)) == one.said);
  }
}

TEST_CASE("a start that makes progress is waited for to the limit, one that stalls for 30 seconds is not") {
  desk stalled;
  installed(stalled);
  stalled.scm.after_start = {service_database::at(state::start_pending, 42, 1)};
  auto began = stalled.time.now();
  CHECK(sentence(stalled.verbs().start(300s, true)).find("start 'hello': it is still 'start pending' after 3") == 0);
  CHECK(stalled.time.now() - began >= 30s);
  CHECK(stalled.time.now() - began < 33s);

  desk busy;
  installed(busy);
  for (std::uint32_t i = 1; i < 1000; ++i)
    busy.scm.after_start.push_back(service_database::at(state::start_pending, 42, i));
  began = busy.time.now();
  const auto done = busy.verbs().start(100s, true);
  REQUIRE(!done);
  CHECK(done.error().code == 1460);
  CHECK(done.error().hint == "look with the status verb; allow more with --wait SECONDS");
  CHECK(busy.time.now() - began >= 100s);
  CHECK(busy.time.now() - began < 102s);
}

TEST_CASE("stop waits until the service has stopped") {
  desk d;
  installed(d, state::running);
  d.scm.after_stop = {service_database::at(state::stop_pending, 42, 1),
                      service_database::at(state::stop_pending, 42, 2), service_database::at(state::stopped)};

  CHECK(sentence(d.verbs().stop(60s, true)) == "done");

  CHECK(d.scm.calls == calls{"open_manager(0x1)", "open_service(hello, 0x24)", "query_status()", "control_service(1)",
                             "query_status()", "query_status()", "query_status()"});
  CHECK(d.said == "stopped 'hello'\n");
}

TEST_CASE("stop of what is stopped is a success, without waiting it only asks") {
  desk stopped, asked;
  installed(stopped);
  installed(asked, state::running);

  CHECK(sentence(stopped.verbs().stop(60s, true)) == "done");
  CHECK(stopped.said == "'hello' is not running\n");
  CHECK(!stopped.called("control_service"));
  CHECK(sentence(asked.verbs().stop(60s, false)) == "done");
  CHECK(asked.said == "asked 'hello' to stop\n");
}

TEST_CASE("stop of a service that is starting asks again when it has started") {
  desk d;
  auto& e = installed(d, state::start_pending);
  e.next = {service_database::at(state::start_pending, 42, 1), service_database::at(state::start_pending, 42, 1),
            service_database::at(state::running)};
  d.scm.after_stop = {service_database::at(state::stopped)};

  CHECK(sentence(d.verbs().stop(60s, true)) == "done");
  CHECK(d.said == "stopped 'hello'\n");
}

TEST_CASE("stop of a service that is stopping already waits with it") {
  desk d;
  installed(d, state::stop_pending).next = {service_database::at(state::stop_pending, 42, 1),
                                            service_database::at(state::stop_pending, 42, 2),
                                            service_database::at(state::stopped)};

  CHECK(sentence(d.verbs().stop(60s, true)) == "done");
}

TEST_CASE("a stop that is refused says why") {
  struct { const char* function; std::uint32_t code; const char* said;
  } const cases[] = {
      {"control_service", 1051, "stop 'hello': other services that depend on it are running (1051); stop them first"},
      {"control_service", 5, "stop 'hello': access denied (5); run from an elevated prompt"},
      {"control_service", 1061,
       "stop 'hello': the service cannot take a control now (1061); wait until it has started or stopped, then try "
       "again"},
      {"open_service", 1060, "stop 'hello': it is not installed (1060); install it first"},
  };
  for (const auto& one : cases) {
    desk d;
    installed(d, state::running);
    d.scm.refuse[one.function] = one.code;
    CHECK(sentence(d.verbs().stop(5s, true)) == one.said);
  }
}

TEST_CASE("status of a running service, for a person and for a machine") {
  desk d;
  installed(d, state::running).config.display_name = "Hello \"service\"";
  d.left = winsvc::model::service_state{42, "http://127.0.0.1:5001", "2026-01-31T08:05:09.250Z", ""};

  const auto r = d.verbs().status();

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
      R"("binary":"\"C:\\apps\\hello.exe\" run-service --port 5001","url":"http://127.0.0.1:5001","since":"2026-01-31T08:05:09.250Z","failure":null})"
      "\n");
}

TEST_CASE("status of a failed service has its exit code and its own words, and not the address of another run") {
  desk d;
  installed(d).process = service_database::at(state::stopped, 0, 0, failed_with(10048));
  d.left = winsvc::model::service_state{42, "http://127.0.0.1:5001", "2026-01-31T08:05:09.250Z",
                                        "listen on '127.0.0.1:5001': the port is taken"};

  const auto r = d.verbs().status();

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

TEST_CASE("status of what is not installed, of what starts, and where the SCM refuses") {
  desk none, starting, refused;
  installed(starting, state::start_pending);
  refused.scm.refuse["open_manager"] = 5;

  const auto n = none.verbs().status();
  REQUIRE(n);
  CHECK(winsvc::host::status_exit(*n) == 4);
  CHECK(winsvc::host::status_text(*n) == "hello: not installed\n");
  CHECK(winsvc::host::status_json(*n) ==
        "{\"name\":\"hello\",\"installed\":false,\"state\":\"not_installed\",\"pid\":null,\"exit_code\":null,"
        "\"startup\":null,"
        "\"display_name\":null,\"binary\":null,\"url\":null,\"since\":null,\"failure\":null}\n");
  const auto s = starting.verbs().status();
  REQUIRE(s);
  CHECK(winsvc::host::status_exit(*s) == 3);
  CHECK(winsvc::json::parse(winsvc::host::status_json(*s))["state"] == "start_pending");
  CHECK(sentence(refused.verbs().status()) == "query 'hello': access denied (5); run from an elevated prompt");
}

TEST_CASE("a failure that lay there before the start is not told as this one's") {
  desk d;
  installed(d);
  d.left = winsvc::model::service_state{42, "", "", "listen on 'x': old news (10048)"};
  d.scm.after_start = {service_database::at(state::stopped, 0, 0, failed_with(1067))};

  CHECK(sentence(d.verbs().start(60s, true)) ==
        "start 'hello': the process ended unexpectedly (1067); read its log and the event log");
}

TEST_CASE("install does not take over a service that is another program's") {
  desk d;
  d.scm.add("hello", "C:\\Windows\\system32\\spoolsv.exe");

  const auto done = d.verbs().install({});

  REQUIRE(!done);
  CHECK(done.error().code == 1073);
  CHECK(done.error().sentence().find("spoolsv.exe") != std::string::npos);
  CHECK(!d.called("change_config"));
}

TEST_CASE("remove leaves another program's service of that name alone") {
  desk d;
  d.scm.add("hello", "C:\\Windows\\system32\\spoolsv.exe", state::running);

  CHECK(sentence(d.verbs().remove(5s)) ==
        "remove 'hello': another program's service has that name: C:\\Windows\\system32\\spoolsv.exe (1073); give the "
        "app another name");
  CHECK(!d.called("control_service"));
  CHECK(!d.called("delete_service"));
}

TEST_CASE("a service of this executable that was registered by hand is ours to install and remove") {
  desk d;
  d.scm.add("hello", "c:\\APPS\\hello.exe");

  CHECK(sentence(d.verbs().install({})) == "done");
  CHECK(d.scm.services["hello"].config.binary == "\"C:\\apps\\hello.exe\" run-service");
}

TEST_CASE("start waits for a stop that is under way, and starts then") {
  desk d;
  installed(d, state::stop_pending).next = {service_database::at(state::stop_pending),
                                            service_database::at(state::stopped)};
  d.scm.after_start = {service_database::at(state::running)};

  CHECK(sentence(d.verbs().start(60s, true)) == "done");
}

TEST_CASE("the options of an earlier install are read back from its command line, whatever else stands there") {
  using winsvc::model::launch_options_in;

  CHECK(*launch_options_in("\"C:\\a b\\x.exe\" run-service --host ::1 --port 5").host == "::1");
  CHECK(*launch_options_in("\"C:\\a b\\x.exe\" run-service --host ::1 --port 5").port == 5);
  for (const char* path :
       {"", "\"C:\\x.exe\"", "C:\\x.exe --port 5", "C:\\x.exe run-service --prot 5", "C:\\x.exe debug --port 5"}) {
    CAPTURE(path);
    CHECK(!launch_options_in(path).host);
    CHECK(!launch_options_in(path).port);
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

  const auto handle = *scm.open_service(&scm, "hello", winsvc::os::access::query_status);
  const auto settled = winsvc::host::wait_until_settled(scm, handle, time, {state::running}, 200s, "start", "hello");

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
