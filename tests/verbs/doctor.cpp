// What doctor sees in a service that is installed wrongly, half, or not at all; over a database of services in memory.
#include <winsvc/testing.hpp>

#include <doctest/doctest.h>

#include <string>
#include <vector>

#include "bench.hpp"

using winsvc::model::finding;
using winsvc::model::weight;

namespace {

struct examined {
  bench b;
  winsvc::host::blueprint plan;
  std::vector<finding> found;

  examined() {
    plan.spec.name = "hello";
    plan.port = 0;
    winsvc::host::take_own_settings(plan);
    b.installed();
    b.scm.services["hello"].config.binary = "\"C:\\apps\\hello.exe\" run-service";
    b.scm.folders["C:\\apps"] = "D:PAI(A;OICI;FA;;;BA)(A;OICI;0x1200a9;;;BU)";
  }
  void examine(const std::string& live = {}) {
    found = b.run([&](winsvc::host::desk& at) { return winsvc::host::doctor(at, plan, live).examine(); });
  }
  /// `problem: seen -> remedy` of what was found about this, a line each.
  std::string about(const std::string& what) const {
    std::string out;
    for (const auto& f : found) {
      if (f.about == what)
        out += std::string(name(f.weight)) + ": " + f.seen + (f.remedy.empty() ? "" : " -> " + f.remedy) + '\n';
    }
    return out;
  }
};
bool has(const std::string& text, std::string_view part) { return text.find(part) != std::string::npos; }

}  // namespace

TEST_CASE("a service that is not installed is worth a note, and looking changes nothing") {
  examined p;
  p.b.scm.services.clear();
  const auto before = p.b.scm.picture();
  p.examine();
  CHECK(p.about("service") == "note: it is not installed -> install --start\n");
  CHECK(p.about("port") == "ok: 127.0.0.1:0 is free\n");
  CHECK(p.b.scm.picture() == before);
  CHECK(count(p.found, weight::problem) == 0);
}

TEST_CASE("what would be installed otherwise is drift, which update mends") {
  examined p;
  p.plan.spec.description = "says hello";
  p.b.spec.description = "says hello";
  p.b.scm.services["hello"].config.binary = "\"D:\\old\\hello.exe\" run-service";
  p.examine();
  CHECK(has(p.about("drift"), "binary is \"D:\\old\\hello.exe\" run-service, and would be installed as "
                              "\"C:\\apps\\hello.exe\" run-service -> update\n"));
  CHECK(has(p.about("drift"), "description is "));
  CHECK(has(p.about("path"), "problem: its program cannot be opened: D:\\old\\hello.exe"));
}

TEST_CASE("a path without quotes is a problem where another program can take its place") {
  examined p;
  p.b.scm.services["hello"].config.binary = "C:\\my apps\\hello.exe run-service";
  p.b.ours.executable = "C:\\my apps\\hello.exe";
  p.examine();
  CHECK(has(p.about("path"), "problem: its path is not quoted"));
}

TEST_CASE("a folder that users may write into hands the service to them") {
  examined p;
  p.examine();
  CHECK(p.about("folder") == "ok: only administrators may change C:\\apps\n");
  p.b.scm.folders["C:\\apps"] = "D:AI(A;OICIID;FA;;;BA)(A;OICIID;0x1301bf;;;AU)";
  p.examine();
  CHECK(has(p.about("folder"), "problem: authenticated users may change what is in C:\\apps"));
  CHECK(has(p.about("folder"), "icacls \"C:\\apps\""));
}

TEST_CASE("a disabled service, and one whose dependency is missing, do not start") {
  examined p;
  p.b.scm.services["hello"].config.startup = winsvc::startup::disabled;
  p.b.scm.services["hello"].config.dependencies = {"tcpip", "+group"};
  p.examine();
  CHECK(has(p.about("service"), "problem: it is disabled, and cannot be started -> update --startup auto"));
  CHECK(has(p.about("depends on"), "problem: 'tcpip' is not installed"));
  CHECK_FALSE(has(p.about("depends on"), "group"));
}

TEST_CASE("a taken port is a problem, but for the service that has it") {
  auto taken = winsvc::os::tcp_socket::listen("127.0.0.1", 0);
  REQUIRE(taken);
  examined p;
  winsvc::host::blueprint other;
  other.port = taken->local().port;
  winsvc::host::take_own_settings(other);
  const auto examine = [&](const std::string& live) {
    p.found = p.b.run([&](winsvc::host::desk& at) { return winsvc::host::doctor(at, other, live).examine(); });
  };
  examine("");
  CHECK(has(p.about("port"), "problem: 127.0.0.1:" + std::to_string(other.port) + ": the port is taken"));
  examine("{\"url\":\"http://127.0.0.1:1\"}");
  CHECK(p.about("port") == "ok: the service answers: http://127.0.0.1:1\n");
}

TEST_CASE("an address that others reach is worth a word about the firewall") {
  examined p;
  winsvc::host::blueprint open;
  open.host = "0.0.0.0";
  open.port = 0;
  winsvc::host::take_own_settings(open);
  p.found = p.b.run([&](winsvc::host::desk& at) { return winsvc::host::doctor(at, open, {}).examine(); });
  CHECK(has(p.about("firewall"), "note: others reach 0.0.0.0:0"));
  CHECK(has(p.about("firewall"), "netsh advfirewall firewall add rule name=\"hello\""));
}

TEST_CASE("settings that cannot be taken, and the reason of the last failure, are found") {
  examined p;
  winsvc::model::setting_sources from;
  from.file_name = "hello.ini";
  from.file = winsvc::model::parse_settings_file("port = many\n");
  p.plan.settings.from(from);
  p.b.left = winsvc::model::service_state{7, "", "", "the store is locked"};
  p.examine();
  CHECK(has(p.about("settings"), "problem: read 'hello.ini:1': 'port' takes a whole number from 0 to 65535, and 'many' is none"));
  CHECK(has(p.about("last run"), "warning: the store is locked -> logs"));
}

TEST_CASE("another program's service of that name is a problem, and where Windows says no it is told") {
  examined p;
  p.b.scm.services["hello"].config.binary = "C:\\other\\thing.exe";
  p.examine();
  CHECK(has(p.about("service"), "problem: look at 'hello': another program's service has that name"));
  examined denied;
  denied.b.scm.refuse["open_manager"] = 5;
  denied.examine();
  CHECK(has(denied.about("service"), "warning: look at 'hello': access denied (5)"));
}
