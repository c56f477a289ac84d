// Output of the verbs: --quiet, --json, the data folder, and refusals that leave a running service running.
#include <winsvc/testing.hpp>

#include <doctest/doctest.h>

#ifndef _WIN32

  #include <atomic>
  #include <cstdlib>
  #include <mutex>
  #include <string>

  #include "machine.hpp"

using namespace winsvc::detail;
using winsvc::testing::service_database;

namespace {

/// A machine with the service 'hello' and a data folder that exists.
struct installed_machine : test_machine {
  std::string root = os::path_join(os::temporary_folder(), "winsvc-cli-" + std::to_string(os::process_id()));
  std::string folder = os::path_join(root, "hello");

  explicit installed_machine(scm::state state = scm::state::stopped) {
    REQUIRE(os::remove_folder(root));
    REQUIRE(os::make_folders(os::path_join(folder, "logs")));
    data_root = os::path_join(root, "");
    scm->add("hello", "\"C:\\apps\\hello.exe\" run-service", state);
  }
  ~installed_machine() { static_cast<void>(os::remove_folder(root)); }
  void write(const std::string& file, const std::string& text) {
    REQUIRE(os::replace_file(os::path_join(folder, file), text));
  }
};

}  // namespace

TEST_CASE("--quiet prints only errors and warnings") {
  test_machine m;
  m.scm->after_start = {service_database::at(scm::state::running)};
  m.scm->after_stop = {service_database::at(scm::state::stopped)};
  for (const std::vector<std::string>& arguments :
       std::vector<std::vector<std::string>>{{"install"}, {"update", "--port", "1"}, {"start"}, {"reload"}, {"stop"},
                                             {"remove"}}) {
    CAPTURE(arguments[0]);
    auto quiet = arguments;
    quiet.push_back("-q");
    CHECK(m.run(quiet) == 0);
    CHECK(m.out.empty());
    CHECK(m.err.empty());
  }
  CHECK(m.run({"start", "--quiet"}) == os::exit_code(1060));
  CHECK(has(m.err, "hello: start 'hello': it is not installed (1060)"));
  CHECK(m.run({"install", "--quiet", "--unset", "color"}) == 0);
  CHECK(m.out.empty());
  CHECK(m.err == "warning: --unset color: the installed service has no such value\n");
}

TEST_CASE("version, why and the plan of an install are JSON with --json") {
  installed_machine m;
  CHECK(m.run({"version", "--json"}) == 0);
  const auto version = winsvc::json::parse(m.out);
  CHECK(version["name"] == "hello");
  CHECK(version["version"] == "1.2.3");
  CHECK(version["winsvc"] == WINSVC_VERSION_STRING);

  m.write("state.json", R"({"pid":42,"failure":"the store is gone","when":"2026-01-31T08:05:09.250Z"})");
  CHECK(m.run({"why", "--json"}) == 0);
  const auto why = winsvc::json::parse(m.out);
  CHECK(why["name"] == "hello");
  CHECK(why["state"] == "stopped");
  CHECK(why["failure"] == "the store is gone");

  CHECK(m.run({"update", "--plan", "--json", "--port", "81"}) == 0);
  const auto plan = winsvc::json::parse(m.out);
  CHECK(plan["creates"] == false);
  CHECK(m.run({"update", "--json"}) == 2);
  CHECK(has(m.err, "--json needs --plan; write update --plan --json"));
}

TEST_CASE("logs prints lines as text or as JSON, and names a log without a matching entry") {
  installed_machine m;
  m.write("logs/hello.log", "2026-01-31T08:05:09.250+00:00 INFO  listening\n    second line\n"
                            "2026-01-31T08:05:10.250+00:00 WARN  slow\n");
  CHECK(m.run({"logs"}) == 0);
  CHECK(has(m.out, "INFO  listening\n"));
  CHECK(m.run({"logs", "--json", "-n1"}) == 0);
  CHECK(winsvc::json::parse(m.out) ==
        winsvc::json::parse(R"({"time":"2026-01-31T08:05:10.250+00:00","level":"warn","text":"slow"})"));
  CHECK(m.run({"logs", "--level", "error"}) == 0);
  CHECK(m.out.empty());
  CHECK(has(m.err, "no matching entries in "));
  CHECK(m.run({"logs", "-n", "0"}) == 0);
  CHECK(m.err.empty());
  m.write("logs/hello.log", "");
  CHECK(m.run({"logs"}) == 0);
  CHECK(m.err == "no entries in " + os::path_join(m.folder, "logs/hello.log") + '\n');
}

TEST_CASE("show prints the values of the installed service, and fails if it is not installed") {
  installed_machine m;
  CHECK(m.run({"show"}) == 0);
  CHECK(has(m.out, "C:\\apps\\hello.exe"));
  CHECK(m.err.empty());
  test_machine empty;
  CHECK(empty.run({"show"}) == os::exit_code(1060));
  CHECK(empty.out.empty());
}

TEST_CASE("remove keeps the data folder, remove --data deletes it, and a failure names the folder") {
  installed_machine m;
  m.write("orders.db", "x");
  CHECK(m.run({"remove"}) == 0);
  CHECK(os::read_file(os::path_join(m.folder, "orders.db")) == "x");
  CHECK(m.run({"remove", "--data"}) == 0);
  CHECK(m.out == "'hello' is not installed\ndeleted " + m.folder + '\n');
  CHECK(os::lacks_file(m.folder));
  CHECK(m.run({"remove", "--data"}) == 0);

  installed_machine broken;
  REQUIRE(os::remove_folder(broken.folder));
  REQUIRE(os::replace_file(broken.folder, "a file in place of the folder"));
  CHECK(broken.run({"remove", "--data"}) != 0);
  CHECK(broken.out == "removed 'hello'\n");
  CHECK(broken.err.find("hello: delete the data folder '" + broken.folder + "': ") == 0);
  CHECK(has(broken.err, "; the service is removed; delete the rest of the folder yourself\n"));
}

TEST_CASE("restart with an invalid settings file leaves the service running") {
  installed_machine m(scm::state::running);
  auto counts = [](winsvc::service& svc) { svc.name("hello"); svc.setting("count", 1, "how often"); };
  m.scm->after_stop = {service_database::at(scm::state::stopped)};
  m.scm->after_start = {service_database::at(scm::state::running)};
  const std::string path = os::path_join(m.root, "hello.ini");
  m.scm->services["hello"].config.binary = "\"C:\\apps\\hello.exe\" run-service --config " + path;
  REQUIRE(os::replace_file(path, "count = many\nname = x\n"));
  CHECK(m.run(counts, {"restart"}) == 13);
  CHECK(m.out.empty());
  CHECK(has(m.err, ".ini:1': 'count' must be a whole number, but is 'many' (13)\n"));
  CHECK(has(m.err, "hello: the service was not restarted; correct the settings and run 'restart' again\n"));
  CHECK(m.scm->services["hello"].process.status.current == scm::state::running);

  REQUIRE(os::replace_file(path, "count = 2\n"));
  CHECK(m.run(counts, {"restart"}) == 0);
  CHECK(m.out == "stopped 'hello'\nstarted 'hello'\n");
}

TEST_CASE("restart and reload check the environment of the service, not that of the operator") {
  installed_machine m(scm::state::running);
  auto counts = [](winsvc::service& svc) { svc.name("hello"); svc.setting("count", 1, "how often"); };
  m.scm->after_stop = {service_database::at(scm::state::stopped)};
  m.scm->after_start = {service_database::at(scm::state::running)};
  ::setenv("HELLO_COUNT", "x", 1);
  const winsvc::scope_exit restore([] { ::unsetenv("HELLO_COUNT"); });
  for (const std::string verb : {"reload", "restart"}) {
    CAPTURE(verb);
    CHECK(m.run(counts, {verb}) == 0);
    CHECK(m.err.empty());
  }
  m.scm->services["hello"].environment = {"OTHER=1"};
  CHECK(m.run(counts, {"restart"}) == 0);
  m.scm->services["hello"].environment = {"HELLO_COUNT=many"};
  CHECK(m.run(counts, {"restart"}) == 13);
  CHECK(has(m.err, "'HELLO_COUNT': 'count' must be a whole number, but is 'many' (13)\n"));
}

TEST_CASE("restart and reload report a service that is absent or of another program before an invalid settings file") {
  installed_machine m;
  m.executable = os::path_join(m.root, "hello");
  REQUIRE(os::replace_file(os::path_join(m.root, "hello.ini"), "name = x\n"));
  m.scm->services.clear();
  CHECK(m.run({"config"}) == 13);  // the file that the verbs would check
  for (const std::string verb : {"restart", "reload"}) {
    CAPTURE(verb);
    CHECK(m.run({verb}) == os::exit_code(1060));
    CHECK(m.err == "hello: " + verb + " 'hello': it is not installed (1060); install it first\n");
  }
  m.scm->add("hello", "/opt/other/hello --port 99", scm::state::running);
  for (const std::string verb : {"restart", "reload"}) {
    CAPTURE(verb);
    CHECK(m.run({verb}) == os::exit_code(1073));
    CHECK(m.err.find("hello: " + verb + " 'hello': a service of another program has this name") == 0);
  }
}

TEST_CASE("status, why and doctor query a running service once, also if it does not respond") {
  installed_machine m(scm::state::running);
  m.scm->services["hello"].process.pid = os::process_id();
  std::atomic<int> queries{0};
  std::atomic<bool> responds{true};
  const auto channel = os::control_channel::open(
      os::control_channel_address("hello", m.folder),
      [&](const std::string& request, const os::control_channel::response_writer& write) {
        if (request == "status") ++queries;
        if (responds)
          write("{\"pid\":" + std::to_string(os::process_id()) + ",\"pending_restart\":\"setting port\"}\n");
      });
  REQUIRE(channel);
  for (const std::string verb : {"status", "why", "doctor"}) {
    CAPTURE(verb);
    for (const bool response : {true, false}) {
      responds = response;
      queries = 0;
      m.run({verb, "--json"});
      CHECK(queries.load() == 1);
      if (verb != "why") CHECK(has(m.out, "setting port") == response);
    }
  }
}

TEST_CASE("a stop reason reaches the service in one line, with the name of the user") {
  installed_machine m(scm::state::running);
  m.scm->services["hello"].process.pid = os::process_id();
  m.scm->after_stop = {service_database::at(scm::state::stopped)};
  std::mutex mutex;
  std::string received;
  const auto channel = os::control_channel::open(
      os::control_channel_address("hello", m.folder),
      [&](const std::string& request, const os::control_channel::response_writer& write) {
        {
          const std::lock_guard lock(mutex);
          if (request.rfind("why ", 0) == 0) received = request;
        }
        write("ok\n");
      });
  REQUIRE(channel);
  CHECK(m.run({"stop", "--why", "a\tnew\r\ndisk"}) == 0);
  CHECK(m.err == "");
  const std::lock_guard lock(mutex);
  CHECK(received == "why a new  disk" + (os::user_name().empty() ? "" : " (by " + os::user_name() + ")"));
}

TEST_CASE("an executable that does not exist is named by start, and restart leaves the service running") {
  installed_machine m(scm::state::running);
  m.scm->services["hello"].config.binary = "\"C:\\old\\hello.exe\" run-service";
  m.missing_files = {"C:\\old\\hello.exe"};
  const std::string reason = " 'hello': the executable does not exist: C:\\old\\hello.exe (2); run 'update' from the "
                             "current location of the program\n";
  CHECK(m.run({"restart"}) == os::exit_code(2));
  CHECK(m.err == "hello: restart" + reason);
  CHECK(m.scm->services["hello"].process.status.current == scm::state::running);

  m.scm->services["hello"].process = service_database::at(scm::state::stopped);
  m.scm->fail_with["start_service"] = 2;
  CHECK(m.run({"start"}) == os::exit_code(2));
  CHECK(m.err == "hello: start" + reason);
}

#endif
