// install and update over a database of services in memory: the exact arguments of every call, what is undone when one
// is refused, and what is said.
#include <winsvc/testing.hpp>

#include <doctest/doctest.h>

#include <chrono>
#include <string>
#include <vector>

#include "fixture.hpp"

using namespace std::chrono_literals;
using winsvc::startup;
using winsvc::model::command;
using winsvc::model::state;
using winsvc::testing::service_database;
using calls = std::vector<std::string>;
namespace level = winsvc::model::config_level_id;

namespace {

command asked(std::vector<std::string> options) {
  options.insert(options.begin(), "install");
  const auto parsed = winsvc::model::parse_command(options);
  REQUIRE(parsed);
  return *parsed;
}
std::string level_of(const bench& b, std::uint32_t number, const std::string& service = "hello") {
  const auto& levels = b.scm.services.at(service).levels;
  return levels.count(number) != 0 ? winsvc::model::format_config_level(levels.at(number)) : "not set";
}
bool has(const std::string& text, std::string_view part) { return text.find(part) != std::string::npos; }

/// All that can be asked for.
command everything() {
  return asked({"--startup", "delayed", "--display-name", "Hello service", "--description", "says hello", "--username",
                "CORP\\anna", "--depends", "tcpip,+net", "--recovery", "restart/5s,none", "--recovery-reset", "2h",
                "--preshutdown", "45s", "--env", "A=1", "--env", "B=2", "--allow-control", "CORP\\ops", "--host",
                "0.0.0.0", "--port", "5002"});
}
void with_people(bench& b) {
  b.password = "secret";
  b.scm.accounts = {{"CORP\\anna", "S-1-5-21-7"}, {"CORP\\ops", "S-1-5-21-8"}};
}

const std::string data_sddl =
    "O:BAD:P(A;OICI;FA;;;SY)(A;OICI;FA;;;BA)(A;OICI;0x1301bf;;;S-1-5-80-hello)(A;;0x1200a9;;;BU)(A;OINPIO;0x120089;;;BU)";
const std::string apps_sddl = "D:AI(A;OICI;0x1200a9;;;S-1-5-80-hello)(A;OICIID;FA;;;BA)";

}  // namespace

TEST_CASE("install of a new service without a word: these calls, these rights, these arguments") {
  bench b;

  CHECK(sentence(b.install()) == "done");

  CHECK(b.scm.calls ==
        calls{"open_manager(0x1)", "open_service(hello, 0x1)",  // is it there?
              "open_manager(0x3)",
              "create_service(hello, 0x10012, startup auto, binary \"C:\\apps\\hello.exe\" run-service, display name "
              "hello, account NT SERVICE\\hello, password NULL, depends on none)",
              "change_level(2, restart/5s,restart/30s,restart/2m, reset 1d)", "change_level(4, yes)",
              "change_level(5, unrestricted)", "change_level(6, SeChangeNotifyPrivilege)", "change_level(7, 25s)",
              "add_event_source(hello)", "account_sid(NT SERVICE\\hello)", "query_folder_security(C:\\apps)",
              "change_folder_security(C:\\apps, " + apps_sddl + ")", "query_folder_security(C:\\ProgramData\\hello)",
              "change_folder_security(C:\\ProgramData\\hello, " + data_sddl + ")"});
  CHECK(b.said == "installed 'hello' (auto): \"C:\\apps\\hello.exe\" run-service\n");
  CHECK(b.scm.open_handles() == 0);
}

TEST_CASE("install of a new service with everything: these calls, these rights, these arguments") {
  bench b;
  with_people(b);

  CHECK(sentence(b.install(everything())) == "done");

  const std::string security = b.scm.add("other", "x").security;
  CHECK(b.scm.calls ==
        calls{"account_sid(CORP\\ops)", "open_manager(0x1)", "open_service(hello, 0x20001)", "open_manager(0x3)",
              "create_service(hello, 0x70012, startup delayed, binary \"C:\\apps\\hello.exe\" run-service --host 0.0.0.0 "
              "--port 5002 --preshutdown 45s, display name Hello service, account CORP\\anna, password given, depends on "
              "tcpip +net)",
              "change_level(3, yes)", "change_level(1, says hello)", "change_level(2, restart/5s,none, reset 2h)",
              "change_level(4, yes)", "change_level(5, unrestricted)", "change_level(6, SeChangeNotifyPrivilege)",
              "change_level(7, 45s)", "change_environment(hello, A=1 B=2)", "query_security()",
              "change_security(" + security + "(A;;CCLCSWRPWPDTLOCRRC;;;S-1-5-21-8))", "add_event_source(hello)",
              "account_sid(CORP\\anna)", "add_logon_right(S-1-5-21-7)", "account_sid(NT SERVICE\\hello)",
              "query_folder_security(C:\\apps)", "change_folder_security(C:\\apps, " + apps_sddl + ")",
              "query_folder_security(C:\\ProgramData\\hello)",
              "change_folder_security(C:\\ProgramData\\hello, " + data_sddl + ")"});
  const auto& e = b.scm.services.at("hello");
  CHECK(e.password == "secret");
  CHECK(e.config.dependencies == calls{"tcpip", "+net"});
  CHECK(b.said ==
        "installed 'hello' (delayed): \"C:\\apps\\hello.exe\" run-service --host 0.0.0.0 --port 5002 --preshutdown 45s\n"
        "note: a user account has a password; if it changes, set the new one with update --username ACCOUNT\n");
}

TEST_CASE("passwords: NULL for virtual and managed accounts, \"\" for the built-in ones, the asked one for a person") {
  struct { const char* account; const char* name; std::optional<std::string> password; bool right; const char* note;
  } const rows[] = {
      {"virtual", "NT SERVICE\\hello", std::nullopt, false, ""},
      {"CORP\\web$", "CORP\\web$", std::nullopt, true, ""},
      {"system", "LocalSystem", "", false, "note: LocalSystem can do anything"},
      {"local-service", "NT AUTHORITY\\LocalService", "", false, "note: other services use this account"},
      {"network-service", "NT AUTHORITY\\NetworkService", "", false, "note: other services use this account"},
      {"CORP\\anna", "CORP\\anna", "secret", true, "note: a user account has a password"},
  };
  for (const auto& r : rows) {
    CAPTURE(r.account);
    bench b;
    with_people(b);
    b.scm.accounts["CORP\\web$"] = "S-1-5-21-9";
    CHECK(sentence(b.install(asked({"--username", r.account}))) == "done");
    CHECK(b.scm.services.at("hello").config.account == r.name);
    CHECK(b.scm.services.at("hello").password == r.password);
    CHECK(b.scm.logon_rights.empty() != r.right);
    CHECK(has(b.said, "note: ") == (*r.note != 0));
    CHECK(has(b.said, r.note));
  }
}

TEST_CASE("nobody is asked for a password before Windows has let us in") {
  bench b;
  with_people(b);
  b.password.reset();  // asking fails
  b.scm.fail_with["open_manager"] = 5;
  CHECK(b.install(asked({"--username", "CORP\\anna"})).error().code == 5);
  CHECK(b.denied);
  b.scm.fail_with.clear();
  CHECK(b.install(asked({"--username", "CORP\\anna"})).error().message == "nobody answers");
  CHECK(b.scm.services.empty());
  CHECK(!b.called("create_service"));
}

TEST_CASE("what is asked at install goes before what the app says, which goes before the defaults") {
  bench b;
  b.spec.display_name = "Hello service";
  b.spec.description = "says hello";
  b.spec.startup = startup::manual;
  b.spec.account = "local-service";
  b.spec.depends_on = calls{"tcpip"};
  b.spec.privileges = {"SeImpersonatePrivilege"};
  CHECK(sentence(b.install()) == "done");
  const auto& e = b.scm.services.at("hello");
  CHECK(e.config.display_name == "Hello service");
  CHECK(e.config.startup == startup::manual);
  CHECK(e.config.account == "NT AUTHORITY\\LocalService");
  CHECK(e.config.dependencies == calls{"tcpip"});
  CHECK(level_of(b, level::description) == "says hello");
  CHECK(level_of(b, level::required_privileges) == "SeChangeNotifyPrivilege, SeImpersonatePrivilege");
  CHECK(level_of(b, level::delayed_start) == "not set");

  bench other;
  other.spec = b.spec;
  CHECK(sentence(other.install(asked({"--startup", "delayed", "--display-name", "Other", "--description", "else",
                                      "--port", "5002"}))) == "done");
  CHECK(other.scm.services.at("hello").config.display_name == "Other");
  CHECK(level_of(other, level::delayed_start) == "yes");
  CHECK(level_of(other, level::description) == "else");
  CHECK(other.scm.services.at("hello").config.binary == "\"C:\\apps\\hello.exe\" run-service --port 5002");
}

TEST_CASE("an install of what is there is an update: only what differs is called, with the rights for that") {
  bench b;
  CHECK(sentence(b.install()) == "done");
  b.scm.calls.clear();
  b.said.clear();

  CHECK(sentence(b.install(asked({"--host", "0.0.0.0"}))) == "done");

  const calls look{"open_manager(0x1)", "open_service(hello, 0x1)", "query_config()", "query_level(1)",
                   "query_level(2)", "query_level(4)", "query_level(5)", "query_level(6)", "query_level(7)",
                   "query_event_source(hello)", "account_sid(NT SERVICE\\hello)", "query_folder_security(C:\\apps)",
                   "query_folder_security(C:\\ProgramData\\hello)"};
  calls all = look;
  all.insert(all.end(), {"open_manager(0x1)", "open_service(hello, 0x2)",
                         "change_config(binary \"C:\\apps\\hello.exe\" run-service --host 0.0.0.0, depends on none)",
                         "add_event_source(hello)"});
  CHECK(b.scm.calls == all);
  CHECK(b.said ==
        "updated 'hello':\n"
        "  binary        \"C:\\apps\\hello.exe\" run-service -> \"C:\\apps\\hello.exe\" run-service --host 0.0.0.0\n");

  b.scm.calls.clear();
  b.said.clear();
  CHECK(sentence(b.install()) == "done");
  CHECK(b.scm.calls == look);
  CHECK(b.said == "'hello' is installed as it is asked for\n");
  CHECK(b.scm.open_handles() == 0);
}

TEST_CASE("an update of everything: these calls, these rights, these arguments") {
  bench b;
  with_people(b);
  CHECK(sentence(b.install()) == "done");
  const std::string security = b.scm.services.at("hello").security;
  b.scm.calls.clear();

  CHECK(sentence(b.update(everything())) == "done");

  const calls expected{
      "account_sid(CORP\\ops)", "open_manager(0x1)", "open_service(hello, 0x20001)", "query_config()", "query_level(1)",
      "query_level(2)", "query_level(4)", "query_level(5)", "query_level(6)", "query_level(7)",
      "query_environment(hello)", "query_security()", "query_event_source(hello)", "account_sid(NT SERVICE\\hello)",
      "query_folder_security(C:\\apps)", "query_folder_security(C:\\ProgramData\\hello)",
      // and now with rights
      "open_manager(0x1)", "open_service(hello, 0x60012)",
      "change_config(startup delayed, binary \"C:\\apps\\hello.exe\" run-service --host 0.0.0.0 --port 5002 --preshutdown "
      "45s, display name Hello service, depends on tcpip +net)",
      "change_level(3, yes)", "change_level(1, says hello)", "change_level(2, restart/5s,none, reset 2h)",
      "change_level(7, 45s)", "change_environment(hello, A=1 B=2)", "query_security()",
      "change_security(" + security + "(A;;CCLCSWRPWPDTLOCRRC;;;S-1-5-21-8))", "add_event_source(hello)",
      "change_config(account CORP\\anna, password given, depends on tcpip +net)", "account_sid(CORP\\anna)",
      "add_logon_right(S-1-5-21-7)"};
  CHECK(b.scm.calls == expected);
  CHECK(b.scm.services.at("hello").password == "secret");
}

TEST_CASE("a second install keeps what is not asked anew, also what an administrator set") {
  bench b;
  auto& e = b.installed();
  e.config.startup = startup::manual;
  e.config.display_name = "Theirs";
  e.config.dependencies = {"tcpip"};
  e.levels[level::description] = winsvc::model::description_text{"old"};
  e.levels[level::failure_actions] = winsvc::model::recovery_plan{{}, 1h};

  CHECK(sentence(b.install(asked({"--host", "::1"}))) == "done");

  CHECK(e.config.binary == "\"C:\\apps\\hello.exe\" run-service --host ::1 --port 5001");
  CHECK(e.config.startup == startup::manual);
  CHECK(e.config.display_name == "Theirs");
  CHECK(e.config.dependencies == calls{"tcpip"});  // given whole, because Wine reads NULL as none
  CHECK(e.config.account == "LocalSystem");
  CHECK(level_of(b, level::description) == "old");
  CHECK(level_of(b, level::failure_actions) == "none, reset 1h");
  CHECK(level_of(b, level::failure_flag) == "yes");
  CHECK(has(b.said, "note: LocalSystem can do anything"));
}

TEST_CASE("a delay is set behind an automatic start and taken away before it") {
  bench b;
  CHECK(sentence(b.install()) == "done");
  const auto changes_of = [&b](const char* to) {
    b.scm.calls.clear();
    CHECK(sentence(b.update(asked({"--startup", to}))) == "done");
    std::string out;
    for (const auto& c : b.scm.calls) {
      if (c.rfind("change_config", 0) == 0 || c.rfind("change_level(3", 0) == 0) out += c + '\n';
    }
    return out;
  };
  CHECK(changes_of("delayed") == "change_config(startup delayed, depends on none)\nchange_level(3, yes)\n");
  CHECK(changes_of("manual") == "change_level(3, no)\nchange_config(startup manual, depends on none)\n");
  CHECK(changes_of("delayed") == "change_config(startup delayed, depends on none)\nchange_level(3, yes)\n");
  CHECK(changes_of("delayed").empty());
  CHECK(changes_of("auto") == "change_level(3, no)\nchange_config(startup auto, depends on none)\n");
}

TEST_CASE("--plan shows what would be changed, with query rights, and changes nothing") {
  bench b;
  with_people(b);
  b.password.reset();  // it asks nobody
  command c = everything();
  c.plan = true;
  CHECK(sentence(b.install(c)) == "done");
  CHECK(b.scm.calls == calls{"account_sid(CORP\\ops)", "open_manager(0x1)", "open_service(hello, 0x20001)"});
  CHECK(b.said.rfind("'hello' is not installed; install creates it:\n  startup       delayed\n", 0) == 0);
  CHECK(has(b.said, "  account       CORP\\anna\n  password      the given password\n"));

  b.installed();
  b.scm.calls.clear();
  b.said.clear();
  const std::string before = b.scm.snapshot();
  c.start_after = true;
  CHECK(sentence(b.update(c)) == "done");
  CHECK(b.scm.snapshot() == before);
  for (const auto& call : b.scm.calls) {
    CHECK(call.rfind("change", 0) != 0);
    CHECK(call.rfind("add", 0) != 0);
    CHECK(call.rfind("start", 0) != 0);
  }
  CHECK(b.said.rfind("'hello' is installed; these values change:\n  startup       auto -> delayed\n", 0) == 0);
  CHECK(has(b.said, "  account       LocalSystem -> CORP\\anna\n"));
  CHECK(has(b.said, "  rights of CORP\\ops none -> start and stop the service\n"));
  CHECK(b.scm.open_handles() == 0);
}

TEST_CASE("update of what is not installed says so") {
  bench b;
  CHECK(sentence(b.update()) == "update 'hello': it is not installed (1060); install it first");
  command c;
  c.plan = true;
  CHECK(b.update(c).error().code == 1060);
  CHECK(b.scm.services.empty());
}

TEST_CASE("--start starts it afterwards, also when nothing had to be changed") {
  bench b;
  b.scm.after_start = {service_database::at(state::running)};
  command c;
  c.start_after = true;
  CHECK(sentence(b.install(c)) == "done");
  CHECK(b.said == "installed 'hello' (auto): \"C:\\apps\\hello.exe\" run-service\nstarted 'hello'\n");
  CHECK(sentence(b.install(c)) == "done");
  CHECK(has(b.said, "'hello' is installed as it is asked for\n'hello' is running already\n"));
}

TEST_CASE("a start that fails is told, and the service stays installed") {
  bench b;
  b.scm.fail_with["start_service"] = 1069;
  command c;
  c.start_after = true;
  CHECK(b.install(c).error().code == 1069);
  CHECK(b.scm.services.count("hello") == 1);
}

TEST_CASE("whichever call of an install is refused, nothing is left behind") {
  bench whole;
  with_people(whole);
  REQUIRE(whole.install(everything()));
  const std::size_t count = whole.scm.calls.size();

  std::size_t refusals = 0;
  for (std::size_t k = 0; k < count; ++k) {
    bench b;
    with_people(b);
    const std::string before = b.scm.snapshot();
    b.scm.fail_call_with[k] = 87;
    const auto done = b.install(everything());
    CAPTURE(whole.scm.calls[k]);
    CHECK(b.scm.open_handles() == 0);
    if (done) {
      CHECK(has(b.said, "warning: "));  // a folder: the service is there
      continue;
    }
    ++refusals;
    CHECK(b.scm.snapshot() == before);
    CHECK(done.error().code == 87);
    CHECK(!done.error().operation.empty());
    CHECK(b.said.empty());
  }
  CHECK(refusals == count - 5);  // the service's SID, and two calls for each of two folders
}

TEST_CASE("whichever call of an update is refused, all is as it was") {
  const auto existing = [](bench& b) {
    with_people(b);
    auto& e = b.installed();
    e.config.startup = startup::manual;
    e.config.account = "NT SERVICE\\hello";
    e.environment = {"OLD=1"};
    e.levels[level::description] = winsvc::model::description_text{"old"};
    e.levels[level::failure_actions] = winsvc::model::recovery_plan{{winsvc::restart_after(1s)}, 1h};
    e.levels[level::failure_flag] = winsvc::model::failure_flag{false};
    e.levels[level::sid_type] = winsvc::model::sid_type{};
    e.levels[level::delayed_start] = winsvc::model::delayed_start{false};
    e.levels[level::required_privileges] = winsvc::model::required_privileges{};
    e.levels[level::preshutdown] = winsvc::model::preshutdown_timeout{10s};
    b.scm.event_sources = {"hello"};
  };
  for (const bool from_delayed : {false, true}) {
    command c = everything();
    if (from_delayed) c.startup = startup::manual;
    const auto prepare = [&](bench& b) {
      existing(b);
      if (!from_delayed) return;
      b.scm.services.at("hello").config.startup = startup::automatic;
      b.scm.services.at("hello").levels[level::delayed_start] = winsvc::model::delayed_start{true};
    };
    bench whole;
    prepare(whole);
    REQUIRE(whole.update(c));
    const std::size_t count = whole.scm.calls.size();

    for (std::size_t k = 0; k < count; ++k) {
      bench b;
      prepare(b);
      const std::string before = b.scm.snapshot();
      b.scm.fail_call_with[k] = 87;
      const auto done = b.update(c);
      CAPTURE(whole.scm.calls[k]);
      CHECK(b.scm.open_handles() == 0);
      if (done) {
        // What could not be read is unknown, and set; what could not be done for a folder is said.
        const bool read = whole.scm.calls[k].rfind("query_", 0) == 0 || whole.scm.calls[k].rfind("account_sid(NT", 0) == 0;
        CHECK((read || has(b.said, "warning: ")));
        continue;
      }
      CHECK(b.scm.snapshot() == before);
      CHECK(done.error().code == 87);
    }
  }
}

TEST_CASE("whichever call of a remove is refused, it either says so or is done") {
  bench whole;
  REQUIRE(whole.install());
  whole.scm.calls.clear();
  REQUIRE(whole.remove());
  const std::size_t count = whole.scm.calls.size();
  for (std::size_t k = 0; k < count; ++k) {
    bench b;
    REQUIRE(b.install());
    b.scm.calls.clear();
    b.scm.fail_call_with[k] = 87;
    const auto done = b.remove();
    CAPTURE(whole.scm.calls[k]);
    CHECK(b.scm.open_handles() == 0);
    if (done) CHECK(b.scm.services.empty());
    else CHECK(done.error().code == 87);
    b.scm.fail_call_with.clear();
    CHECK(sentence(b.remove()) == "done");  // and a second one ends it
    CHECK(b.scm.services.empty());
    CHECK(b.scm.event_sources.empty());
  }
}

TEST_CASE("an account that has to be put back is, unless its password is not known") {
  bench b;
  with_people(b);
  b.installed().config.account = "NT AUTHORITY\\LocalService";
  b.scm.fail_with["add_logon_right"] = 5;
  CHECK(sentence(b.update(asked({"--username", "CORP\\anna"}))) ==
        "give the right to log on as a service to 'CORP\\anna': access denied (5); run from an elevated prompt");
  CHECK(b.scm.services.at("hello").config.account == "NT AUTHORITY\\LocalService");
  CHECK(b.scm.services.at("hello").password == "");
}

TEST_CASE("a level that the system does not know is a warning that says what is lost, and all others are set") {
  for (const std::uint32_t code : {120u, 124u, 1733u}) {
    bench b;
    for (std::uint32_t l = 1; l <= 7; ++l) b.scm.fail_level_with[l] = code;
    CHECK(sentence(b.install(asked({"--startup", "delayed", "--description", "x"}))) == "done");
    for (std::uint32_t l = 1; l <= 7; ++l) {
      CHECK(has(b.said, "warning: this system does not know setting " + std::to_string(l) + " (" + std::to_string(code) +
                            "): " + std::string(winsvc::model::consequence_of_missing(l)) + "\n"));
    }
    CHECK(has(b.said, "installed 'hello' (delayed)"));
  }
  for (std::uint32_t l = 1; l <= 7; ++l) {
    CAPTURE(l);
    bench b;
    b.scm.fail_level_with[l] = 5;
    const auto done = b.install(asked({"--startup", "delayed", "--description", "x"}));
    REQUIRE(!done);
    CHECK(done.error().to_string() == "configure 'hello': access denied (5); run from an elevated prompt");
    CHECK(b.scm.services.empty());
  }
}

TEST_CASE("a system that knows no levels is asked for them at every update, because what it has is unknown") {
  bench b;  // as Wine is
  for (const std::uint32_t l : {3u, 4u, 5u, 6u}) b.scm.fail_level_with[l] = 124;
  CHECK(sentence(b.install()) == "done");
  b.said.clear();
  CHECK(sentence(b.install()) == "done");
  CHECK(has(b.said, "warning: this system does not know setting 5 (124)"));
  CHECK(has(b.said, "'hello' is installed as far as this system can have it\n"));
  b.said.clear();
  CHECK(sentence(b.install(asked({"--port", "1"}))) == "done");
  CHECK(has(b.said, "updated 'hello':\n  binary        "));
  CHECK(!has(b.said, "unknown ->"));  // what was refused is not told as done
}

TEST_CASE("folders that cannot be opened to the service are warnings with a remedy") {
  bench unknown;
  unknown.scm.fail_with["account_sid"] = 1332;
  CHECK(sentence(unknown.install()) == "done");
  CHECK(has(unknown.said, "warning: the service's own SID is not to be had: "));
  CHECK(has(unknown.said, "(1332); give 'NT SERVICE\\hello' the right to read 'C:\\apps' and modify "
                          "'C:\\ProgramData\\hello' by hand\n"));
  CHECK(!unknown.called("change_folder_security"));

  bench refused;
  refused.scm.fail_with["change_folder_security"] = 5;
  CHECK(sentence(refused.install()) == "done");
  CHECK(has(refused.said, "warning: the right to read 'C:\\apps' is not set: "));
  CHECK(has(refused.said, "warning: the right to modify 'C:\\ProgramData\\hello' is not set: "));
  CHECK(has(refused.said, "(5); give it to 'NT SERVICE\\hello' by hand\n"));

  bench blind;
  blind.scm.fail_with["query_folder_security"] = 5;
  CHECK(sentence(blind.install()) == "done");
  CHECK(has(blind.said, "warning: the rights to 'C:\\apps' cannot be read: "));
  CHECK(has(blind.said, "warning: the rights to 'C:\\ProgramData\\hello' cannot be read: "));
  CHECK(!blind.called("change_folder_security"));  // what cannot be read is not overwritten
}

TEST_CASE("no rights are written to a drive's root, to Windows or to a folder of everybody's") {
  for (const char* folder : {"C:\\", "C:\\Windows\\System32", "C:\\Program Files", "\\\\server\\share"}) {
    CAPTURE(folder);
    bench b;
    b.ours.program_folder = folder;
    b.ours.executable = std::string(folder) + "\\hello.exe";
    CHECK(sentence(b.install()) == "done");
    CHECK(has(b.said, "warning: the service gets no right to '" + std::string(folder) + "', because "));
    CHECK(has(b.said, "; put the program into a folder of its own\n"));
    CHECK(b.scm.folders.count(folder) == 0);
    CHECK(b.scm.folders.count("C:\\ProgramData\\hello") == 1);
    b.said.clear();
    CHECK(sentence(b.install()) == "done");
    CHECK(!has(b.said, "warning"));  // once is enough
  }
}

TEST_CASE("a data folder of an administrator's making keeps its entries") {
  bench b;
  b.scm.folders["C:\\ProgramData\\hello"] = "O:BAD:PAI(A;OICI;FA;;;BA)(A;OICI;FR;;;IU)";
  CHECK(sentence(b.install()) == "done");
  CHECK(b.scm.folders.at("C:\\ProgramData\\hello") ==
        "O:BAD:PAI(A;OICI;FA;;;BA)(A;OICI;FR;;;IU)(A;OICI;0x1301bf;;;S-1-5-80-hello)");
}

TEST_CASE("a program that has moved takes its rights along") {
  bench b;
  CHECK(sentence(b.install()) == "done");
  b.ours.executable = "D:\\new\\hello.exe";
  b.ours.program_folder = "D:\\new";
  b.scm.folders["D:\\new"] = "D:AI";
  CHECK(sentence(b.install()) == "done");
  CHECK(b.scm.folders.at("D:\\new") == "D:AI(A;OICI;0x1200a9;;;S-1-5-80-hello)");
  CHECK(b.scm.folders.at("C:\\apps") == "D:AI(A;OICIID;FA;;;BA)");
  CHECK(has(b.said, "C:\\apps\\hello.exe\" run-service -> \"D:\\new\\hello.exe\" run-service\n"));
}

TEST_CASE("a user who is not known is told before anything is done") {
  bench b;
  CHECK(sentence(b.install(asked({"--allow-control", "nobody"}))) ==
        "find the account 'nobody': there is no account with that name (1332); check the name, with its domain");
  CHECK(b.scm.calls.size() == 1);
}

TEST_CASE("a right to control is given once, and well-known groups as Windows writes them") {
  bench b;
  b.scm.accounts["Users"] = "S-1-5-32-545";
  CHECK(sentence(b.install(asked({"--allow-control", "Users"}))) == "done");
  CHECK(has(b.scm.services.at("hello").security, "(A;;CCLCSWRPWPDTLOCRRC;;;BU)"));
  const std::string before = b.scm.snapshot();
  b.said.clear();
  CHECK(sentence(b.install(asked({"--allow-control", "Users"}))) == "done");
  CHECK(b.scm.snapshot() == before);
  CHECK(b.said == "'hello' is installed as it is asked for\n");
}

TEST_CASE("the environment of a service is merged with what is asked") {
  bench b;
  b.installed().environment = {"A=1", "B=2"};
  CHECK(sentence(b.install(asked({"--env", "b=", "--env", "C=3"}))) == "done");
  CHECK(b.scm.services.at("hello").environment == calls{"A=1", "C=3"});
  b.scm.fail_with["query_environment"] = 5;
  CHECK(sentence(b.install(asked({"--env", "D=4"}))) ==
        "read the environment of 'hello': access denied (5); run from an elevated prompt");
  CHECK(b.scm.services.at("hello").environment == calls{"A=1", "C=3"});
}

TEST_CASE("two instances of one executable are two services, side by side") {
  bench plain, blue;
  blue.spec.display_name = "Hello service";
  blue.spec = winsvc::model::spec_of_instance(blue.spec, "blue");
  blue.ours.data_folder = "C:\\ProgramData\\hello$blue";
  CHECK(sentence(plain.install()) == "done");
  blue.scm = plain.scm;
  CHECK(sentence(blue.install(asked({"--instance", "blue", "--port", "5002"}))) == "done");

  const auto& e = blue.scm.services.at("hello$blue");
  CHECK(e.config.display_name == "Hello service (blue)");
  CHECK(e.config.binary == "\"C:\\apps\\hello.exe\" run-service --instance blue --port 5002");
  CHECK(e.config.account == "NT SERVICE\\hello$blue");
  CHECK(blue.scm.event_sources.count("hello$blue") == 1);
  CHECK(blue.scm.folders.count("C:\\ProgramData\\hello$blue") == 1);
  CHECK(has(blue.scm.folders.at("C:\\apps"), "S-1-5-80-hello)"));
  CHECK(has(blue.scm.folders.at("C:\\apps"), "S-1-5-80-hello$blue)"));

  CHECK(sentence(blue.remove()) == "done");
  CHECK(blue.scm.services.count("hello") == 1);
  CHECK(has(blue.scm.folders.at("C:\\apps"), "S-1-5-80-hello)"));
  CHECK(!has(blue.scm.folders.at("C:\\apps"), "blue"));
}

TEST_CASE("every refusal is one sentence: what, to what, why, what to try") {
  struct { const char* function; std::uint32_t code; bool there; const char* said; } const cases[] = {
      {"open_manager", 5, false, "install 'hello': access denied (5); run from an elevated prompt"},
      {"open_service", 5, true, "install 'hello': access denied (5); run from an elevated prompt"},
      {"create_service", 5, false, "install 'hello': access denied (5); run from an elevated prompt"},
      {"create_service", 1057, false,
       "install 'hello': the account or its password is not valid (1057); check the name, with its domain, and the "
       "password"},
      {"create_service", 1078, false,
       "install 'hello': another service has this display name (1078); choose another with --display-name"},
      {"create_service", 1072, false,
       "install 'hello': the service is marked for deletion (1072); close the Services window and Task Manager, which "
       "hold it open, then try again"},
      {"create_service", 1073, false,
       "install 'hello': a service with that name exists (1073); use 'update', or give the app another name"},
      {"change_config", 1072, true,
       "install 'hello': the service is marked for deletion (1072); close the Services window and Task Manager, which "
       "hold it open, then try again"},
      {"query_config", 5, true, "install 'hello': access denied (5); run from an elevated prompt"},
      {"add_event_source", 5, true, "register the event source 'hello': access denied (5); run from an elevated prompt"},
      {"add_event_source", 5, false, "register the event source 'hello': access denied (5); run from an elevated prompt"},
      {"open_manager", 50, false,
       "install 'hello': services are a thing of Windows (50); 'debug' serves in the terminal on every system"},
  };
  for (const auto& one : cases) {
    CAPTURE(one.function);
    bench b;
    if (one.there) b.installed();
    const std::string before = b.scm.snapshot();
    b.scm.fail_with[one.function] = one.code;
    CHECK(sentence(b.install(asked({"--port", "1"}))) == one.said);
    CHECK(b.denied == (one.code == 5));
    CHECK(b.scm.snapshot() == before);
    CHECK(b.scm.open_handles() == 0);
  }
}

TEST_CASE("a display name that another service has is refused, and the service is not left behind") {
  bench b;
  b.scm.add("other", "C:\\other.exe").config.display_name = "Taken";
  CHECK(b.install(asked({"--display-name", "taken"})).error().code == 1078);
  CHECK(b.scm.services.count("hello") == 0);
}

TEST_CASE("install and update do not take over a service that is another program's") {
  bench b;
  b.scm.add("hello", "C:\\Windows\\system32\\spoolsv.exe");
  for (const bool update : {false, true}) {
    const auto done = update ? b.update() : b.install();
    REQUIRE(!done);
    CHECK(done.error().code == 1073);
    CHECK(has(done.error().to_string(), "another program's service has that name: C:\\Windows\\system32\\spoolsv.exe"));
  }
  CHECK(!b.called("change_config"));
}

TEST_CASE("a service of this executable that was registered by hand is ours") {
  bench b;
  b.scm.add("hello", "c:\\APPS\\hello.exe");
  CHECK(sentence(b.install()) == "done");
  CHECK(b.scm.services["hello"].config.binary == "\"C:\\apps\\hello.exe\" run-service");
  CHECK(sentence(b.remove()) == "done");
}

TEST_CASE("who would be asked for a password is known without rights") {
  bench b;
  with_people(b);
  const auto needs = [&b](const command& c) {
    return b.run([&](winsvc::host::verb_context& context) { return winsvc::host::installer(context).needs_password(c); });
  };
  CHECK(needs(asked({"--username", "CORP\\anna"})));
  CHECK(!needs(asked({"--username", "system"})));
  CHECK(!needs({}));
  b.installed().config.account = "CORP\\anna";
  CHECK(!needs({}));
  CHECK(needs(asked({"--password-stdin"})));
  CHECK(!b.called("change_config"));
}
