// Diagnostics of `doctor`: findings for services that are installed wrongly, partly or not at all.
#include <winsvc/testing.hpp>

#include <doctest/doctest.h>

#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include "../manage/fixture.hpp"

using winsvc::detail::diagnose::finding;
using winsvc::detail::diagnose::severity;

namespace {

struct doctor_test {
  bench b;
  winsvc::detail::host::service_definition definition;
  winsvc::detail::diagnose::system_probe probe;
  std::vector<finding> found;

  doctor_test() {
    probe.firewall_rules = [] { return winsvc::detail::os::sys_failure(50); };
    definition.spec.name = "hello";
    definition.port = 0;
    winsvc::detail::host::declare_builtin_settings(definition);
    b.installed();
    b.scm.services["hello"].config.binary = "\"C:\\apps\\hello.exe\" run-service";
    b.scm.folders["C:\\apps"] = "D:PAI(A;OICI;FA;;;BA)(A;OICI;0x1200a9;;;BU)";
  }
  void check(const std::string& live = {}) {
    found = b.run([&](winsvc::detail::manage::verb_context& context) {
      return winsvc::detail::diagnose::diagnostics(context, definition, live, probe).run_checks();
    });
  }
  /// The findings of a topic as `severity: evidence -> remedy`, one per line.
  std::string about(const std::string& topic) const {
    std::string text;
    for (const auto& finding : found) {
      if (finding.topic == topic)
        text += std::string(name(finding.severity)) + ": " + finding.evidence +
                (finding.remedy.empty() ? "" : " -> " + finding.remedy) + '\n';
    }
    return text;
  }
};
bool has(const std::string& text, std::string_view part) { return text.find(part) != std::string::npos; }

}  // namespace

TEST_CASE("a service that is not installed is a note, and the checks change nothing") {
  doctor_test p;
  p.b.scm.services.clear();
  const auto before = p.b.scm.snapshot();
  p.check();
  CHECK(p.about("service") == "note: it is not installed -> install --start\n");
  CHECK(p.about("port") == "ok: each start selects a free port\n");
  CHECK(p.b.scm.snapshot() == before);
  CHECK(count(p.found, severity::problem) == 0);
}

TEST_CASE("a difference to the desired configuration is drift, and update removes it") {
  doctor_test p;
  p.definition.spec.description = "says hello";
  p.b.spec.description = "says hello";
  p.b.scm.services["hello"].config.binary = "\"D:\\old\\hello.exe\" run-service";
  p.check();
  CHECK(has(p.about("drift"), "binary is \"D:\\old\\hello.exe\" run-service, expected \"C:\\apps\\hello.exe\" "
            "run-service -> update, run from the program to install\n"));
  CHECK(has(p.about("drift"), "description is "));
  CHECK(has(p.about("path"), "problem: the executable does not exist: D:\\old\\hello.exe"));
}

TEST_CASE("a path without quotes is a problem") {
  doctor_test p;
  p.b.scm.services["hello"].config.binary = "C:\\my apps\\hello.exe run-service";
  p.b.defaults.executable = "C:\\my apps\\hello.exe";
  p.check();
  CHECK(has(p.about("path"), "problem: the path is not quoted"));
  CHECK(has(p.about("drift"), "expected \"C:\\my apps\\hello.exe\" run-service -> update\n"));  // it is this program
}

TEST_CASE("a program folder that users can change is a problem") {
  doctor_test p;
  p.check();
  CHECK(p.about("folder") == "ok: only administrators and the service can change files in C:\\apps\n");
  p.b.scm.folders["C:\\apps"] = "D:AI(A;OICIID;FA;;;BA)(A;OICIID;0x1301bf;;;AU)";
  p.check();
  CHECK(has(p.about("folder"), "problem: authenticated users can change files in C:\\apps"));
  CHECK(has(p.about("folder"), "icacls \"C:\\apps\""));
  p.b.scm.fail_with["query_folder_security"] = 5;
  p.check();
  CHECK(has(p.about("folder"), "note: the permissions of C:\\apps cannot be read"));
}

TEST_CASE("an account and an owner that can change a folder or a file are named, and the service itself is not") {
  doctor_test p;
  p.b.scm.accounts = {{"PC\\ann", "S-1-5-21-7"}, {"PC\\svc", "S-1-5-21-8"}};
  p.b.scm.services["hello"].config.account = "PC\\svc";
  p.b.scm.folders["C:\\apps"] =
      "O:S-1-5-21-7D:PAI(A;OICI;FA;;;BA)(A;OICI;FA;;;S-1-5-21-8)(A;OICI;FA;;;S-1-5-21-9)(A;OICI;FA;;;S-1-5-80-hello)";
  p.check();
  CHECK(has(p.about("folder"),
            "warning: S-1-5-21-9 and PC\\ann (owner) can change files in C:\\apps and so replace the "
            "program of the service -> to remove their access: icacls \"C:\\apps\" /setowner"));
  p.b.scm.folders["C:\\apps"] = "O:S-1-5-21-7D:PAI(A;OICI;FA;;;BA)(A;OICI;FA;;;BU)";
  p.check();
  CHECK(has(p.about("folder"), "problem: users and PC\\ann (owner) can change files in C:\\apps"));
  p.b.is_wine = true;
  p.b.scm.folders["C:\\apps"] = "O:S-1-5-21-7D:PAI(A;OICI;FA;;;S-1-5-21-7)";
  p.check();
  CHECK(has(p.about("folder"), "ok: "));  // each folder belongs to the user of Unix

  doctor_test q;
  q.b.scm.accounts = {{"PC\\ann", "S-1-5-21-7"}};
  q.b.scm.folders["C:\\ProgramData\\hello"] = "O:BAD:P(A;OICI;FA;;;BA)(A;OICI;0x1301bf;;;S-1-5-21-7)";
  auto sources = q.definition.settings.sources();
  sources.path = "C:\\apps\\hello.ini";
  q.definition.settings.set_sources(sources);
  q.b.scm.folders[sources.path] = "O:S-1-5-21-7D:PAI(A;;FA;;;BA)(A;;FR;;;BU)";
  q.check();
  CHECK(has(q.about("data folder"),
            "warning: PC\\ann can change files in C:\\ProgramData\\hello -> to remove their access: "));
  CHECK(has(q.about("settings file"), "warning: PC\\ann (owner) can change C:\\apps\\hello.ini and so the settings"));
}

TEST_CASE("a settings file that users can change is a problem with a remedy") {
  doctor_test p;
  auto sources = p.definition.settings.sources();
  sources.path = "C:\\apps\\hello.ini";
  p.definition.settings.set_sources(sources);
  p.b.scm.folders["C:\\apps\\hello.ini"] = "D:PAI(A;;FA;;;BA)(A;;FR;;;BU)";
  p.check();
  CHECK(p.about("settings file") == "ok: only administrators and the service can change C:\\apps\\hello.ini\n");
  p.b.scm.folders["C:\\apps\\hello.ini"] = "D:AI(A;;FA;;;BA)(A;;0x1301bf;;;S-1-5-32-545)";
  p.check();
  CHECK(has(p.about("settings file"),
            "problem: users can change C:\\apps\\hello.ini and so the settings of the service -> restrict it: icacls"));
  CHECK(has(p.about("settings file"), "\"NT SERVICE\\hello:R\""));
  p.b.is_wine = true;
  p.check();
  CHECK(p.about("settings file").empty());
}

TEST_CASE("a settings file elsewhere is a problem if users can change its folder") {
  doctor_test p;
  auto sources = p.definition.settings.sources();
  sources.path = "D:\\shared\\hello.ini";
  p.definition.settings.set_sources(sources);
  p.b.scm.folders["D:\\shared"] = "D:AI(A;OICIID;FA;;;BA)(A;OICIID;0x1301bf;;;AU)";  // the file does not exist
  p.check();
  CHECK(has(p.about("settings file"), "problem: authenticated users can change D:\\shared"));
  CHECK(has(p.about("settings file"), "use --config"));
  p.b.scm.folders["D:\\shared"] = "D:PAI(A;OICI;FA;;;BA)";
  p.check();
  CHECK(p.about("settings file").empty());
}

TEST_CASE("a secret in a settings file that users can read is a warning") {
  doctor_test p;
  p.definition.settings.declare(
      winsvc::detail::api::make_setting<std::string>({"token"}, "", "of the store", winsvc::secret));
  auto sources = p.definition.settings.sources();
  sources.path = "C:\\apps\\hello.ini";
  sources.file_name = "hello.ini";
  p.b.scm.folders["C:\\apps\\hello.ini"] = "D:PAI(A;;FA;;;BA)(A;;FR;;;BU)";
  sources.file = winsvc::detail::settings::parse_settings_file("token = s3cret\n");
  p.definition.settings.set_sources(sources);
  p.check();
  CHECK(has(p.about("settings file"),
            "warning: users can read C:\\apps\\hello.ini, which has the secret 'token' -> restrict it"));
  CHECK(!has(p.about("settings file"), "s3cret"));
  p.b.scm.folders["C:\\apps\\hello.ini"] = "D:P(A;;FA;;;BA)(A;;FR;;;S-1-5-80-hello)";
  p.check();
  CHECK(has(p.about("settings file"), "ok: "));
}

TEST_CASE("a data folder that other users can change, or that another user owns, is a problem that update corrects") {
  doctor_test p;
  const std::string folder = "C:\\ProgramData\\hello";
  p.check();
  CHECK(p.about("data folder").empty());  // it does not exist yet
  p.b.scm.folders[folder] = "O:S-1-5-21-7D:AI(A;OICIID;FA;;;BA)(A;OICIID;0x1301bf;;;BU)";
  p.check();
  CHECK(has(p.about("data folder"), "problem: users and S-1-5-21-7 (owner) can change files in " + folder +
                                        " -> update"));
  p.b.scm.folders[folder] = "O:S-1-5-21-7D:P(A;OICI;FA;;;S-1-5-21-7)";
  p.check();
  CHECK(has(p.about("data folder"), "problem: S-1-5-21-7 (owner) can change files in " + folder + " -> update"));
  p.b.scm.folders[folder] = "O:BAD:AI(A;OICIID;FA;;;BA)";
  p.check();
  CHECK(has(p.about("data folder"), "problem: " + folder + " inherits rights"));
  p.b.scm.folders[folder] = "O:BAD:P(A;OICI;FA;;;BA)(A;OICI;FA;;;WD)";
  p.check();
  CHECK(has(p.about("data folder"), "problem: everyone can change files in " + folder + " -> remove the right"));
  p.b.scm.folders[folder] = "O:BAD:P(A;OICI;FA;;;BA)";
  p.check();
  CHECK(has(p.about("data folder"), "ok: only administrators and the service can change files in " + folder));
  p.b.scm.fail_with["query_folder_security"] = 4395;
  p.check();
  CHECK(has(p.about("data folder"), "problem: " + folder + " is a link -> remove the link"));
  p.b.scm.fail_with["query_folder_security"] = 5;
  p.check();
  CHECK(has(p.about("data folder"), "note: the rights of " + folder + " cannot be read"));
  p.b.scm.fail_with.clear();
  p.b.missing_services.insert("hello");
  p.b.scm.folders[folder] = "D:AI(A;OICIID;0x1301bf;;;BU)";
  p.check();
  CHECK(has(p.about("data folder"), "note: users can change files in " + folder + " -> install renames it"));
}

TEST_CASE("a program, a folder of the program or a settings file that is a link is a warning") {
  doctor_test p;
  winsvc::detail::settings::setting_sources sources;
  sources.path = "D:\\settings\\hello.ini";
  p.definition.settings.set_sources(sources);
  p.check();
  CHECK_FALSE(has(p.about("folder") + p.about("program file") + p.about("settings file"), "is a link"));

  const std::string end = " is a link, so it is unknown whether other users can change its target -> ";
  p.b.scm.links = {"C:\\apps", "C:\\apps\\hello.exe", sources.path};
  p.check();
  CHECK(p.about("folder") == "warning: 'C:\\apps'" + end + "install the program from its real folder\n");
  CHECK(has(p.about("settings file"), "warning: '" + sources.path + "'" + end + "use --config with the real path"));
  p.b.scm.links = {"C:\\apps\\hello.exe"};
  p.check();
  CHECK(p.about("program file") ==
        "warning: 'C:\\apps\\hello.exe'" + end + "install the program from its real folder\n");
}

TEST_CASE("a disabled service and a missing dependency are problems") {
  doctor_test p;
  p.b.scm.services["hello"].config.startup = winsvc::startup::disabled;
  p.b.scm.services["hello"].config.dependencies = {"tcpip", "+group"};
  p.check();
  CHECK(has(p.about("service"), "problem: the service is disabled and cannot be started -> update --startup auto"));
  CHECK(has(p.about("depends on"), "problem: 'tcpip' is not installed"));
  CHECK_FALSE(has(p.about("depends on"), "group"));
}

TEST_CASE("an address that is not of this machine is a problem, also if each start selects a free port") {
  doctor_test p;
  winsvc::detail::settings::setting_sources sources;
  sources.file = winsvc::detail::settings::parse_settings_file("host = 192.0.2.1\nport = 0\n");
  p.definition.settings.set_sources(sources);
  p.check();
  CHECK(has(p.about("port"), "problem: 192.0.2.1:0: the address does not belong to this machine"));
}

TEST_CASE("a taken port is a problem, unless the service itself uses it") {
  auto listener = winsvc::detail::os::tcp_socket::listen("127.0.0.1", 0);
  REQUIRE(listener);
  doctor_test p;
  const std::string port = std::to_string(listener->local().port);
  winsvc::detail::settings::setting_sources sources;
  sources.file = winsvc::detail::settings::parse_settings_file("port = " + port + "\n");
  p.definition.settings.set_sources(sources);
  p.check();
  CHECK(has(p.about("port"), "problem: 127.0.0.1:" + port + ": the port is taken"));
  p.check("{\"url\":\"http://127.0.0.1:1\"}");
  CHECK(p.about("port") == "ok: the service listens on http://127.0.0.1:1\n");
  p.b.scm.services["hello"].process = winsvc::testing::service_database::at(winsvc::detail::scm::state::running, 42);
  p.b.running_pid = 42;
  p.check();  // access to the control channel is denied
  CHECK(has(p.about("port"), "note: the service runs (pid 42) but does not return its status"));
  CHECK(count(p.found, severity::problem) == 1);  // the executable does not exist in this test
}

TEST_CASE("--fix keeps the installed executable, unless it does not exist") {
  doctor_test p;
  const std::string existing = winsvc::detail::os::executable_path();
  std::string message;
  const auto repair = [&] {
    message.clear();
    return p.b.run([&](winsvc::detail::manage::verb_context& context) {
      return winsvc::detail::diagnose::apply_fixes(context,
                                                   [&message](const std::string& line) { message += line + '\n'; });
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
  CHECK(
      has(sentence(repair()),
          "the installed executable does not exist, and other users can change the folder of this program: C:\\apps"));
  CHECK(has(service.config.binary, "D:\\old"));

  p.b.scm.folders["C:\\apps"] = "D:PAI(A;OICI;FA;;;BA)(A;OICI;0x1200a9;;;BU)";
  CHECK(sentence(repair()) == "done");
  CHECK(service.config.binary == "\"C:\\apps\\hello.exe\" run-service --port 5001");
}

TEST_CASE("for an address that other machines can reach, the firewall rules are checked") {
  doctor_test p;
  winsvc::detail::settings::setting_sources sources;
  sources.file = winsvc::detail::settings::parse_settings_file("host = 0.0.0.0\nport = 5001\n");
  p.definition.settings.set_sources(sources);
  const auto findings_for = [&p](std::vector<std::string> rules) {
    p.probe.firewall_rules = [rules] { return winsvc::detail::os::sys_result<std::vector<std::string>>(rules); };
    p.check();
    return p.about("firewall");
  };
  const std::string add = "netsh advfirewall firewall add rule name=\"hello\" dir=in action=allow protocol=TCP "
      "localport=5001 program=\"C:\\apps\\hello.exe\"\n";
  const std::string allow = "v2.30|Action=Allow|Active=TRUE|Dir=In|Protocol=6|LPort=5001|Name=hello|";
  const std::string block = "v2.30|Action=Block|Active=TRUE|Dir=In|App=C:\\apps\\hello.exe|Name=hello.exe|";
  p.check();
  CHECK(p.about("firewall") ==
        "note: the firewall rules cannot be read; other machines need a rule to reach 0.0.0.0:5001 -> " + add);
  CHECK(findings_for({}) == "warning: no rule allows other machines to reach 0.0.0.0:5001 -> " + add);
  CHECK(findings_for({allow}) == "ok: the rule 'hello' allows other machines to reach 0.0.0.0:5001\n");
  CHECK(has(findings_for({allow, block}),
            "problem: the rule 'hello.exe' blocks other machines from 0.0.0.0:5001 -> netsh advfirewall "
            "firewall delete rule name=\"hello.exe\""));
}

TEST_CASE("a program on a network drive is a problem, and a 32-bit program on 64-bit Windows is a note") {
  doctor_test p;
  p.check();
  CHECK(p.about("program") == "ok: C:\\apps\\hello.exe\n");
  CHECK(p.about("32-bit").empty());
  p.probe.is_on_network = [](const std::string& path) { return path == "C:\\apps\\hello.exe"; };
  p.probe.is_emulated = [] { return true; };
  p.check();
  CHECK(has(p.about("program"), "problem: C:\\apps\\hello.exe is on a network drive"));
  CHECK(has(p.about("32-bit"), "note: 32-bit program on 64-bit Windows: System32 and HKLM\\Software are redirected"));
}

TEST_CASE("a service that is marked for deletion is a problem") {
  doctor_test p;
  p.b.scm.services["hello"].marked_for_delete = true;
  p.b.scm.services["hello"].handles = 1;  // the Services window
  p.check();
  CHECK(
      has(p.about("service"),
          "problem: the service is marked for deletion; Windows deletes it when the last program closes its handle -> "
          "close the Services window"));
}

TEST_CASE("a missing event source or logon right is drift, and update adds it") {
  doctor_test p;
  p.b.scm.accounts = {{"CORP\\anna", "S-1-5-21-7"}};
  p.b.scm.services["hello"].config.account = "CORP\\anna";
  p.check();
  CHECK(has(p.about("drift"), "warning: the service SID has no right to read C:\\apps -> update"));
  CHECK(
      has(p.about("drift"), "warning: the service SID has no right to modify C:\\ProgramData\\hello -> update"));
  CHECK(has(p.about("drift"), "warning: its event source is not registered -> update"));
  CHECK(has(p.about("drift"), "problem: its account has no right to log on as a service -> update"));

  CHECK(sentence(p.b.update()) == "done");
  CHECK(p.b.scm.event_sources.count("hello") == 1);
  CHECK(p.b.scm.logon_rights.count("S-1-5-21-7") == 1);
  p.check();
  CHECK_FALSE(has(p.about("drift"), "event source is not"));
  CHECK_FALSE(has(p.about("drift"), "right to log on"));
}

TEST_CASE("a right that cannot be read is not drift") {
  doctor_test p;
  p.b.scm.accounts = {{"CORP\\anna", "S-1-5-21-7"}};
  p.b.scm.services["hello"].config.account = "CORP\\anna";
  p.b.scm.fail_with["query_logon_right"] = 5;
  p.check();
  CHECK_FALSE(has(p.about("drift"), "right to log on"));
}

TEST_CASE("little free disk space is a warning, and very little is a problem") {
  doctor_test p;
  const auto findings_for = [&p](std::uint64_t mib) {
    p.probe.free_space = [mib](const std::string&) { return std::optional<std::uint64_t>(mib * 1024 * 1024); };
    p.check();
    return p.about("disk");
  };
  CHECK(findings_for(5000) == "ok: 5000 MiB free for C:\\ProgramData\\hello\n");
  CHECK(findings_for(400) == "warning: 400 MiB free for C:\\ProgramData\\hello -> free disk space\n");
  CHECK(has(findings_for(3), "problem: 3 MiB free"));
}

TEST_CASE("a slow start is a warning, and so is a start time in the future") {
  doctor_test p;
  p.b.saved = winsvc::detail::scm::saved_state{7, "http://x", winsvc::iso_time(p.b.time.system_now()), "", 1200};
  p.check();
  CHECK(p.about("last start") == "ok: took 1.2 s (limit of each hook: 30 s)\n");
  CHECK(p.about("clock").empty());
  p.b.saved->start_ms = 16'000;
  p.b.saved->since = winsvc::iso_time(p.b.time.system_now() + std::chrono::hours(1));
  p.check();
  CHECK(p.about("last start") ==
        "warning: took 16 s (limit of each hook: 30 s) -> do less in on_start, or increase start_limit\n");
  CHECK(has(p.about("clock"), "warning: the start time " + p.b.saved->since + " is in the future"));
}

TEST_CASE("invalid settings and the last failure are found") {
  doctor_test p;
  winsvc::detail::settings::setting_sources sources;
  sources.file_name = "hello.ini";
  sources.file = winsvc::detail::settings::parse_settings_file("port = many\n");
  p.definition.settings.set_sources(sources);
  p.b.saved = winsvc::detail::scm::saved_state{7, "", "", "the store is locked"};
  p.check();
  CHECK(has(p.about("settings"),
            "problem: read 'hello.ini:1': 'port' must be a whole number from 0 to 65535, but is 'many'"));
  CHECK(has(p.about("last run"), "problem: the store is locked -> logs"));
}

TEST_CASE("a service of another program with this name is a problem, and denied access is a warning") {
  doctor_test p;
  p.b.scm.services["hello"].config.binary = "C:\\other\\thing.exe";
  p.check();
  CHECK(has(p.about("service"), "problem: query 'hello': a service of another program has this name"));
  doctor_test denied;
  denied.b.scm.fail_with["open_manager"] = 5;
  denied.check();
  CHECK(has(denied.about("service"), "warning: query 'hello': access denied (5)"));
}

TEST_CASE("a run that failed before it could save a reason is a problem, with the code of the service manager") {
  struct row { winsvc::detail::scm::exit_status exit; const char* text; };
  for (const auto& r : {row{{1067, 0}, "problem: it ended with 1067: the process ended unexpectedly -> read its log"},
                        row{{1069, 0}, "problem: it ended with 1069: the account could not log on -> set its password"},
                        row{{1053, 0}, "problem: it ended with 1053: the service did not respond"},
                        row{{1066, 4711}, "problem: it ended with 4711: "}}) {
    doctor_test p;
    p.b.scm.services["hello"].process =
        winsvc::testing::service_database::at(winsvc::detail::scm::state::stopped, 0, 0, r.exit);
    p.check();
    CAPTURE(p.about("last run"));
    CHECK(p.about("last run").rfind(r.text, 0) == 0);
    p.b.saved = winsvc::detail::scm::saved_state{};  // a clean state of an earlier run
    p.check();
    CHECK(p.about("last run").rfind(r.text, 0) == 0);
  }
}

TEST_CASE("a saved failure explains the exit code of its run, and another code is named too") {
  doctor_test p;
  auto& process = p.b.scm.services["hello"].process;
  process = winsvc::testing::service_database::at(winsvc::detail::scm::state::stopped, 0, 0, {1064, 0});
  p.b.saved = winsvc::detail::scm::saved_state{7, "", "", "hook 'open' threw: locked (1064)"};
  p.check();
  CHECK(p.about("last run") == "problem: hook 'open' threw: locked (1064) -> logs --since 1d --level warn\n");
  process.status.exit.win32 = 1067;
  p.check();
  CHECK(!has(p.about("last run"), "1067"));
  process.status.exit.win32 = 1069;  // of a later start, which has no process
  p.check();
  CHECK(has(p.about("last run"), "it ended with 1069"));
}

TEST_CASE("a service that was never started, or that runs, has no failure of its last run") {
  for (const auto& process : {winsvc::testing::service_database::at(winsvc::detail::scm::state::stopped, 0, 0, {1077, 0}),
                              winsvc::testing::service_database::at(winsvc::detail::scm::state::running)}) {
    doctor_test p;
    p.b.scm.services["hello"].process = process;
    p.b.running_pid = process.pid;
    p.check("{\"url\":\"http://127.0.0.1:1\"}");
    CHECK(p.about("last run").empty());
  }
}

TEST_CASE("a process that was killed is a problem with its exit code, also before the service manager has noticed it") {
  for (const bool is_saved : {true, false}) {
    doctor_test p;
    p.b.scm.services["hello"].process =
        winsvc::testing::service_database::at(winsvc::detail::scm::state::running, 42);
    p.b.running_pid = 42;
    p.b.scm.ended_processes[42] = 9;
    if (is_saved) {
      p.b.saved = winsvc::detail::scm::saved_state{};
      p.b.saved->pid = 42;
      p.b.saved->running = true;
    }
    p.check();
    CHECK(has(p.about("last run"), is_saved ? "the process (pid 42) ended with exit code 9" : "it ended with 1067"));
  }
}

TEST_CASE("a log that cannot be written is a problem, from the running service or from the folder") {
  doctor_test p;
  p.check("{\"url\":\"http://127.0.0.1:1\",\"log_failure\":\"the log file cannot be written since 08:05: full\"}");
  CHECK(p.about("log") == "problem: the log file cannot be written since 08:05: full -> make the file and its folder "
                          "writable for the service, which then writes its log again; 'restart' creates a missing data "
                          "folder\n");
  p.check();
  CHECK(p.about("log").empty());  // there is no folder yet
#ifndef _WIN32
  const auto temporary = std::filesystem::temp_directory_path() /
                         ("winsvc-doctor-" + std::to_string(winsvc::detail::os::process_id()));
  std::filesystem::create_directories(temporary);
  std::ofstream(temporary / "logs") << "a file in place of the folder";
  p.b.defaults.data_folder = temporary.string();
  p.check();
  CHECK(has(p.about("log"), "problem: the folder of the log cannot be read: "));
  std::filesystem::remove_all(temporary);
#endif
}

TEST_CASE("values that a running process does not use yet are a warning") {
  doctor_test p;
  p.b.scm.services["hello"].process = winsvc::testing::service_database::at(winsvc::detail::scm::state::running, 42);
  p.b.running_pid = 42;
  p.b.data["pending.json"] = "{\"pid\":42,\"changes\":\"binary, environment\"}";
  p.check("{\"url\":\"http://127.0.0.1:1\"}");
  CHECK(p.about("restart") == "warning: the service runs with the old values until it is restarted: binary, environment "
                              "-> restart\n");
  p.b.running_pid = 43;  // it was restarted
  p.check("{\"url\":\"http://127.0.0.1:1\"}");
  CHECK(p.about("restart").empty());
}

TEST_CASE("--fix reports like update: its warnings, one note under Wine, and values that need a restart") {
  const auto repair = [](doctor_test& p) {
    std::string lines;
    const auto done = p.b.run([&](winsvc::detail::manage::verb_context& context) {
      return winsvc::detail::diagnose::apply_fixes(context, [&lines](const std::string& line) { lines += line + '\n'; });
    });
    CHECK(sentence(done) == "done");
    return lines;
  };
  doctor_test p;
  p.b.scm.services["hello"].config.binary = "\"D:\\old\\hello.exe\" run-service";
  p.b.scm.services["hello"].process = winsvc::testing::service_database::at(winsvc::detail::scm::state::running, 42);
  p.b.running_pid = 42;
  const std::string lines = repair(p);
  CHECK(has(lines, "binary"));
  CHECK(!has(lines, "warning: "));
  CHECK(has(p.b.warnings, "'hello' runs with the old values until it is restarted: binary"));
  CHECK(has(p.b.data["pending.json"], "binary"));

  doctor_test wine;
  wine.b.is_wine = true;
  for (std::uint32_t number = 4; number <= 7; ++number) wine.b.scm.fail_level_with[number] = 124;
  wine.b.scm.fail_with["account_sid"] = 1332;
  CHECK(!has(repair(wine), "warning: "));
  CHECK(wine.b.warnings == std::string(winsvc::detail::manage::verb_context::wine_note) + '\n');
}

TEST_CASE("a program that users can change is a problem, also in a closed folder") {
  doctor_test p;
  p.b.scm.folders["C:\\apps\\hello.exe"] = "D:AI(A;ID;FA;;;BA)(A;ID;0x1200a9;;;BU)";
  p.check();
  CHECK(p.about("program file").empty());
  p.b.scm.folders["C:\\apps\\hello.exe"] = "D:AI(A;ID;FA;;;BA)(A;;0x1301bf;;;AU)";
  p.check();
  CHECK(has(p.about("folder"), "ok: "));
  CHECK(p.about("program file") ==
        "problem: authenticated users can change C:\\apps\\hello.exe, the program of the service -> give it the rights of "
        "its folder: icacls \"C:\\apps\\hello.exe\" /reset\n");
  p.b.scm.accounts = {{"PC\\ann", "S-1-5-21-7"}};
  p.b.scm.folders["C:\\apps\\hello.exe"] = "O:S-1-5-21-7D:AI(A;ID;FA;;;BA)";
  p.check();
  CHECK(has(p.about("program file"), "warning: PC\\ann (owner) can change C:\\apps\\hello.exe"));
  p.b.is_wine = true;
  p.check();
  CHECK(p.about("program file").empty());
}

TEST_CASE("a path without quotes of a program that was moved is a problem") {
  doctor_test p;
  p.b.scm.services["hello"].config.binary = "C:\\my apps\\old\\hello.exe run-service";
  p.check();
  CHECK(has(p.about("path"), "problem: the path is not quoted, so Windows may start another program instead"));
  CHECK(has(p.about("path"), "problem: the executable does not exist: C:\\my apps\\old\\hello.exe"));
}
