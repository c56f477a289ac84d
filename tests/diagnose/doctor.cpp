// What doctor sees in a service that is installed wrongly, half, or not at all; over a database of services in memory.
#include <winsvc/testing.hpp>

#include <doctest/doctest.h>

#include <string>
#include <vector>

#include "../manage/fixture.hpp"

using winsvc::model::finding;
using winsvc::model::severity;

namespace {

struct examined {
  bench b;
  winsvc::host::service_definition plan;
  winsvc::host::system_probe around;
  std::vector<finding> found;

  examined() {
    around.firewall_rules = [] { return winsvc::os::sys_failure(50); };
    plan.spec.name = "hello";
    plan.port = 0;
    winsvc::host::declare_builtin_settings(plan);
    b.installed();
    b.scm.services["hello"].config.binary = "\"C:\\apps\\hello.exe\" run-service";
    b.scm.folders["C:\\apps"] = "D:PAI(A;OICI;FA;;;BA)(A;OICI;0x1200a9;;;BU)";
  }
  void examine(const std::string& live = {}) {
    found = b.run([&](winsvc::host::verb_context& context) { return winsvc::host::diagnostics(context, plan, live, around).run_checks(); });
  }
  /// `problem: seen -> remedy` of what was found about this, a line each.
  std::string about(const std::string& what) const {
    std::string out;
    for (const auto& f : found) {
      if (f.topic == what)
        out += std::string(name(f.severity)) + ": " + f.evidence + (f.remedy.empty() ? "" : " -> " + f.remedy) + '\n';
    }
    return out;
  }
};
bool has(const std::string& text, std::string_view part) { return text.find(part) != std::string::npos; }

}  // namespace

TEST_CASE("a service that is not installed is worth a note, and looking changes nothing") {
  examined p;
  p.b.scm.services.clear();
  const auto before = p.b.scm.snapshot();
  p.examine();
  CHECK(p.about("service") == "note: it is not installed -> install --start\n");
  CHECK(p.about("port") == "ok: a free one is picked at each start\n");
  CHECK(p.b.scm.snapshot() == before);
  CHECK(count(p.found, severity::problem) == 0);
}

TEST_CASE("what would be installed otherwise is drift, which update mends") {
  examined p;
  p.plan.spec.description = "says hello";
  p.b.spec.description = "says hello";
  p.b.scm.services["hello"].config.binary = "\"D:\\old\\hello.exe\" run-service";
  p.examine();
  CHECK(has(p.about("drift"), "binary is \"D:\\old\\hello.exe\" run-service, expected \"C:\\apps\\hello.exe\" "
                              "run-service -> update, by the program that is to run\n"));
  CHECK(has(p.about("drift"), "description is "));
  CHECK(has(p.about("path"), "problem: its program is not there: D:\\old\\hello.exe"));
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
  p.b.scm.fail_with["query_folder_security"] = 5;
  p.examine();
  CHECK(has(p.about("folder"), "note: who may change C:\\apps cannot be seen"));
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
  const std::string port = std::to_string(taken->local().port);
  winsvc::model::setting_sources from;
  from.file = winsvc::model::parse_settings_file("port = " + port + "\n");
  p.plan.settings.set_sources(from);
  p.examine();
  CHECK(has(p.about("port"), "problem: 127.0.0.1:" + port + ": the port is taken"));
  p.examine("{\"url\":\"http://127.0.0.1:1\"}");
  CHECK(p.about("port") == "ok: the service answers: http://127.0.0.1:1\n");
  p.b.scm.services["hello"].process = winsvc::testing::service_database::at(winsvc::model::state::running, 42);
  p.examine();  // from a prompt that may not ask it
  CHECK(has(p.about("port"), "note: the service runs, as pid 42, and cannot be asked from here"));
  CHECK(count(p.found, severity::problem) == 1);  // its program is not there: this is a test
}

TEST_CASE("--fix leaves the program that runs where it is, unless that is gone") {
  examined p;
  const std::string existing = winsvc::os::executable_path();
  std::string message;
  const auto repair = [&] {
    message.clear();
    return p.b.run([&](winsvc::host::verb_context& context) {
      return winsvc::host::apply_fixes(context, [&message](const std::string& line) { message += line + '\n'; });
    });
  };
  p.b.spec.description = "says hello";
  auto& service = p.b.scm.services["hello"];
  service.config.binary = '"' + existing + "\" run-service --port 5001";
  CHECK(sentence(repair()) == "done");
  CHECK(service.config.binary == '"' + existing + "\" run-service --port 5001");
  CHECK(has(message, "description   none -> says hello"));

  service.config.binary = "\"D:\\old\\hello.exe\" run-service --port 5001";
  p.b.scm.folders["C:\\apps"] = "D:AI(A;OICIID;0x1301bf;;;AU)";
  CHECK(has(sentence(repair()), "its program is gone, and this one lies in a folder that others may change: C:\\apps"));
  CHECK(has(service.config.binary, "D:\\old"));

  p.b.scm.folders["C:\\apps"] = "D:PAI(A;OICI;FA;;;BA)(A;OICI;0x1200a9;;;BU)";
  CHECK(sentence(repair()) == "done");
  CHECK(service.config.binary == "\"C:\\apps\\hello.exe\" run-service --port 5001");
}

TEST_CASE("an address that others reach is worth a word about the firewall, and a look at its rules where they can be seen") {
  examined p;
  winsvc::model::setting_sources from;
  from.file = winsvc::model::parse_settings_file("host = 0.0.0.0\nport = 5001\n");
  p.plan.settings.set_sources(from);
  const auto options = [&p](std::vector<std::string> rules) {
    p.around.firewall_rules = [rules] { return winsvc::os::sys_result<std::vector<std::string>>(rules); };
    p.examine();
    return p.about("firewall");
  };
  const std::string add = "netsh advfirewall firewall add rule name=\"hello\" dir=in action=allow protocol=TCP "
                          "localport=5001 program=\"C:\\apps\\hello.exe\"\n";
  const std::string allow = "v2.30|Action=Allow|Active=TRUE|Dir=In|Protocol=6|LPort=5001|Name=hello|";
  const std::string block = "v2.30|Action=Block|Active=TRUE|Dir=In|App=C:\\apps\\hello.exe|Name=hello.exe|";
  p.examine();
  CHECK(p.about("firewall") == "note: others reach 0.0.0.0:5001 where the firewall lets them -> " + add);
  CHECK(options({}) == "warning: no rule of its own lets others reach 0.0.0.0:5001 -> " + add);
  CHECK(options({allow}) == "ok: the rule 'hello' lets others reach 0.0.0.0:5001\n");
  CHECK(has(options({allow, block}), "problem: the rule 'hello.exe' keeps others away from 0.0.0.0:5001 -> netsh advfirewall "
                                  "firewall delete rule name=\"hello.exe\""));
}

TEST_CASE("a program on a network drive, and one with 32 bits on a Windows with 64, are told of") {
  examined p;
  p.examine();
  CHECK(p.about("program") == "ok: C:\\apps\\hello.exe\n");
  CHECK(p.about("32-bit").empty());
  p.around.is_on_network = [](const std::string& path) { return path == "C:\\apps\\hello.exe"; };
  p.around.is_emulated = [] { return true; };
  p.examine();
  CHECK(has(p.about("program"), "problem: C:\\apps\\hello.exe is on another machine"));
  CHECK(has(p.about("32-bit"), "note: the program has 32 bits"));
}

TEST_CASE("a service that was deleted and is still open somewhere is a problem that only closing mends") {
  examined p;
  p.b.scm.services["hello"].marked_for_delete = true;
  p.b.scm.services["hello"].handles = 1;  // the Services window
  p.examine();
  CHECK(has(p.about("service"), "problem: it was deleted, and goes when the last program that has it open closes it -> "
                                "close the Services window"));
}

TEST_CASE("an event source that is not registered is drift, and so is an account without the right to log on; update mends both") {
  examined p;
  p.b.scm.accounts = {{"CORP\\anna", "S-1-5-21-7"}};
  p.b.scm.services["hello"].config.account = "CORP\\anna";
  p.examine();
  CHECK(has(p.about("drift"), "warning: the service SID has no right to read C:\\apps -> update"));
  CHECK(has(p.about("drift"), "warning: the service SID has no right to modify C:\\ProgramData\\hello -> update"));
  CHECK(has(p.about("drift"), "warning: its event source is not registered -> update"));
  CHECK(has(p.about("drift"), "problem: its account has no right to log on as a service -> update"));

  CHECK(sentence(p.b.update()) == "done");
  CHECK(p.b.scm.event_sources.count("hello") == 1);
  CHECK(p.b.scm.logon_rights.count("S-1-5-21-7") == 1);
  p.examine();
  CHECK_FALSE(has(p.about("drift"), "event source is not"));
  CHECK_FALSE(has(p.about("drift"), "right to log on"));
}

TEST_CASE("a right that cannot be seen is no drift") {
  examined p;
  p.b.scm.accounts = {{"CORP\\anna", "S-1-5-21-7"}};
  p.b.scm.services["hello"].config.account = "CORP\\anna";
  p.b.scm.fail_with["query_logon_right"] = 5;
  p.examine();
  CHECK_FALSE(has(p.about("drift"), "right to log on"));
}

TEST_CASE("a full disk is a problem before it is one") {
  examined p;
  const auto options = [&p](std::uint64_t mib) {
    p.around.free_space = [mib](const std::string&) { return std::optional<std::uint64_t>(mib * 1024 * 1024); };
    p.examine();
    return p.about("disk");
  };
  CHECK(options(5000) == "ok: 5000 MiB free for C:\\ProgramData\\hello\n");
  CHECK(options(400) == "warning: 400 MiB free for C:\\ProgramData\\hello -> make room\n");
  CHECK(has(options(3), "problem: 3 MiB free"));
}

TEST_CASE("how long the last start took is held against what it may, and a start that is yet to come is a clock set back") {
  examined p;
  p.b.left = winsvc::model::saved_state{7, "http://x", winsvc::iso_time(p.b.time.system_now()), "", 1200};
  p.examine();
  CHECK(p.about("last start") == "ok: took 1.2 s, each of its hooks may take 30 s\n");
  CHECK(p.about("clock").empty());
  p.b.left->start_ms = 16'000;
  p.b.left->since = winsvc::iso_time(p.b.time.system_now() + std::chrono::hours(1));
  p.examine();
  CHECK(p.about("last start") == "warning: took 16 s, each of its hooks may take 30 s -> do less in on_start, or raise start_limit\n");
  CHECK(has(p.about("clock"), "warning: it started at " + p.b.left->since + ", which is yet to come"));
}

TEST_CASE("settings that cannot be taken, and the reason of the last failure, are found") {
  examined p;
  winsvc::model::setting_sources from;
  from.file_name = "hello.ini";
  from.file = winsvc::model::parse_settings_file("port = many\n");
  p.plan.settings.set_sources(from);
  p.b.left = winsvc::model::saved_state{7, "", "", "the store is locked"};
  p.examine();
  CHECK(has(p.about("settings"), "problem: read 'hello.ini:1': 'port' must be a whole number from 0 to 65535, but is 'many'"));
  CHECK(has(p.about("last run"), "warning: the store is locked -> logs"));
}

TEST_CASE("another program's service of that name is a problem, and where Windows says no it is told") {
  examined p;
  p.b.scm.services["hello"].config.binary = "C:\\other\\thing.exe";
  p.examine();
  CHECK(has(p.about("service"), "problem: look at 'hello': another program's service has that name"));
  examined denied;
  denied.b.scm.fail_with["open_manager"] = 5;
  denied.examine();
  CHECK(has(denied.about("service"), "warning: look at 'hello': access denied (5)"));
}
