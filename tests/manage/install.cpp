// `install` and `update` with an in-memory service database: the arguments of each call, the rollback after a failed
// call, and the output.
#include <winsvc/testing.hpp>

#include <doctest/doctest.h>

#include <chrono>
#include <string>
#include <vector>

#include "fixture.hpp"

using namespace std::chrono_literals;
using winsvc::startup;
using winsvc::detail::commandline::install_options;
using winsvc::detail::scm::state;
using winsvc::testing::service_database;
using calls = std::vector<std::string>;
namespace level = winsvc::detail::scm::config_level_id;

namespace {

/// The rights that a folder below C:\ inherits from it.
constexpr const char* writable_folder =
    "O:BAD:AI(A;OICIID;FA;;;BA)(A;OICIID;FA;;;SY)(A;OICIID;0x1200a9;;;BU)(A;ID;0x1301bf;;;AU)(A;OICIIOID;SDGXGWGR;;;"
    "AU)";

namespace os = winsvc::detail::os;

/// A folder that is deleted with its content at the end of a test.
struct temporary_folder {
  std::string root = os::path_join(os::temporary_folder(), "winsvc-install-" + std::to_string(os::process_id()));

  temporary_folder() { REQUIRE(os::make_folders(root)); }
  ~temporary_folder() { static_cast<void>(os::remove_folder(root)); }
  std::string path(const std::string& name) const { return os::path_join(root, name); }
};

install_options options_of(std::vector<std::string> options) {
  options.insert(options.begin(), "install");
  const auto parsed = winsvc::detail::commandline::parse_command(options);
  REQUIRE(parsed);
  return parsed->install;
}
std::string level_of(const bench& b, std::uint32_t number, const std::string& service = "hello") {
  const auto& levels = b.scm.services.at(service).levels;
  return levels.count(number) != 0 ? winsvc::detail::scm::format_config_level(levels.at(number)) : "not set";
}
bool has(const std::string& text, std::string_view part) { return text.find(part) != std::string::npos; }

/// All options of `install`.
install_options everything() {
  return options_of({"--startup",
                     "delayed",
                     "--display-name",
                     "Hello service",
                     "--description",
                     "says hello",
                     "--username",
                     "CORP\\anna",
                     "--depends",
                     "tcpip,+net",
                     "--recovery",
                     "restart/5s,none",
                     "--recovery-reset",
                     "2h",
                     "--preshutdown",
                     "45s",
                     "--env",
                     "A=1",
                     "--env",
                     "B=2",
                     "--allow-control",
                     "CORP\\ops",
                     "--host",
                     "0.0.0.0",
                     "--port",
                     "5002"});
}
void add_accounts(bench& b) {
  b.password = "secret";
  b.scm.accounts = {{"CORP\\anna", "S-1-5-21-7"}, {"CORP\\ops", "S-1-5-21-8"}};
}

const std::string data_sddl =
    "O:BAD:P(A;OICI;FA;;;SY)(A;OICI;FA;;;BA)(A;OICI;0x1301bf;;;S-1-5-80-hello)(A;;0x1200a9;;;BU)(A;OINPIO;0x120089;;;"
    "BU)";
/// The new path of the data folder that the last install of `b` has renamed.
std::string renamed_folder(const bench& b) {
  std::string new_path;
  for (const auto& call : b.scm.calls) {
    const std::string begin = "rename_folder(" + b.defaults.data_folder + ", ";
    if (call.compare(0, begin.size(), begin) != 0) continue;
    new_path = call.substr(begin.size(), call.size() - begin.size() - 1);
  }
  return new_path;
}
const std::string apps_sddl = "D:AI(A;OICI;0x1200a9;;;S-1-5-80-hello)(A;OICIID;FA;;;BA)";

}  // namespace

TEST_CASE("install without options makes these calls with these rights and arguments") {
  bench b;

  CHECK(sentence(b.install()) == "done");

  CHECK(b.scm.calls ==
        calls{"open_manager(0x1)", "open_service(hello, 0x1)",  // is it installed?
              "query_folder_security(C:\\apps)",                // can ordinary users change it?
              "query_folder_security(C:\\apps\\hello.exe)",
              "open_manager(0x3)", "query_folder_security(C:\\ProgramData\\hello)",
              "account_sid(NT SERVICE\\hello)", "create_folder(C:\\ProgramData\\hello, " + data_sddl + ")",
              "create_service(hello, 0x10012, startup auto, binary \"C:\\apps\\hello.exe\" run-service, display name "
              "hello, account NT SERVICE\\hello, password NULL, depends on none)",
              "change_level(2, restart/5s,restart/30s,restart/2m, reset 1d)", "change_level(4, yes)",
              "change_level(5, unrestricted)", "change_level(6, SeChangeNotifyPrivilege)", "change_level(7, 25s)",
              "add_event_source(hello)", "account_sid(NT SERVICE\\hello)", "query_folder_security(C:\\apps)",
              "change_folder_security(C:\\apps, " + apps_sddl + ")", "query_folder_security(C:\\ProgramData\\hello)"});
  CHECK(b.output == "installed 'hello' (auto): \"C:\\apps\\hello.exe\" run-service\n");
  CHECK(b.scm.open_handles() == 0);
}

TEST_CASE("install with all options makes these calls with these rights and arguments") {
  bench b;
  add_accounts(b);

  CHECK(sentence(b.install(everything())) == "done");

  const std::string security = b.scm.add("other", "x").security;
  CHECK(
      b.scm.calls ==
      calls{"account_sid(CORP\\ops)",
            "open_manager(0x1)",
            "open_service(hello, 0x20001)",
            "open_manager(0x1)", "open_service(tcpip, 0x1)",  // does it depend on this service?
            "query_folder_security(C:\\apps)", "query_folder_security(C:\\apps\\hello.exe)",
            "open_manager(0x3)", "query_folder_security(C:\\ProgramData\\hello)",
            "account_sid(NT SERVICE\\hello)", "create_folder(C:\\ProgramData\\hello, " + data_sddl + ")",
            "create_service(hello, 0x70012, startup delayed, binary \"C:\\apps\\hello.exe\" run-service --host 0.0.0.0 "
            "--port 5002 --preshutdown 45s, display name Hello service, account CORP\\anna, password given, depends on "
            "tcpip +net)",
            "change_level(3, yes)",
            "change_level(1, says hello)",
            "change_level(2, restart/5s,none, reset 2h)",
            "change_level(4, yes)",
            "change_level(5, unrestricted)",
            "change_level(6, SeChangeNotifyPrivilege)",
            "change_level(7, 45s)",
            "change_environment(hello, A=1 B=2)",
            "query_security()",
            "change_security(" + security + "(A;;CCLCSWRPWPDTLOCRRC;;;S-1-5-21-8))",
            "add_event_source(hello)",
            "account_sid(CORP\\anna)",
            "add_logon_right(S-1-5-21-7)",
            "account_sid(NT SERVICE\\hello)",
            "query_folder_security(C:\\apps)",
            "change_folder_security(C:\\apps, " + apps_sddl + ")",
            "query_folder_security(C:\\ProgramData\\hello)"});
  const auto& installed = b.scm.services.at("hello");
  CHECK(installed.password == "secret");
  CHECK(installed.config.dependencies == calls{"tcpip", "+net"});
  CHECK(
      b.output ==
      "installed 'hello' (delayed): \"C:\\apps\\hello.exe\" run-service --host 0.0.0.0 --port 5002 --preshutdown 45s\n"
      "note: a user account has a password; if it changes, set the new one with update --username ACCOUNT\n");
}

TEST_CASE("the password is NULL for virtual and managed accounts, \"\" for built-in accounts, else the given one") {
  struct { const char* account; const char* name; std::optional<std::string> password; bool right; const char* note;
  } const rows[] = {
      {"virtual", "NT SERVICE\\hello", std::nullopt, false, ""},
      {"CORP\\web$", "CORP\\web$", std::nullopt, true, ""},
      {"system", "LocalSystem", "", false, "note: LocalSystem can do anything"},
      {"local-service", "NT AUTHORITY\\LocalService", "", false, "note: other services use this account"},
      {"network-service", "NT AUTHORITY\\NetworkService", "", false, "note: other services use this account"},
      {"CORP\\anna", "CORP\\anna", "secret", true, "note: a user account has a password"},
  };
  for (const auto& row : rows) {
    CAPTURE(row.account);
    bench b;
    add_accounts(b);
    b.scm.accounts["CORP\\web$"] = "S-1-5-21-9";
    CHECK(sentence(b.install(options_of({"--username", row.account}))) == "done");
    CHECK(b.scm.services.at("hello").config.account == row.name);
    CHECK(b.scm.services.at("hello").password == row.password);
    CHECK(b.scm.logon_rights.empty() != row.right);
    CHECK(has(b.output, "note: ") == (*row.note != 0));
    CHECK(has(b.output, row.note));
  }
}

TEST_CASE("no password is requested before Windows has granted access") {
  bench b;
  add_accounts(b);
  b.password.reset();  // the prompt fails
  b.scm.fail_with["open_manager"] = 5;
  CHECK(b.install(options_of({"--username", "CORP\\anna"})).error().code == 5);
  CHECK(b.denied);
  b.scm.fail_with.clear();
  CHECK(b.install(options_of({"--username", "CORP\\anna"})).error().message == "no password");
  CHECK(b.scm.services.empty());
  CHECK(!b.called("create_service"));
}

TEST_CASE("options override the values of the app, which override the defaults") {
  bench b;
  b.spec.display_name = "Hello service";
  b.spec.description = "says hello";
  b.spec.startup = startup::manual;
  b.spec.account = "local-service";
  b.spec.depends_on = calls{"tcpip"};
  b.spec.privileges = {"SeImpersonatePrivilege"};
  CHECK(sentence(b.install()) == "done");
  const auto& installed = b.scm.services.at("hello");
  CHECK(installed.config.display_name == "Hello service");
  CHECK(installed.config.startup == startup::manual);
  CHECK(installed.config.account == "NT AUTHORITY\\LocalService");
  CHECK(installed.config.dependencies == calls{"tcpip"});
  CHECK(level_of(b, winsvc::detail::scm::config_level_id::description) == "says hello");
  CHECK(level_of(b, winsvc::detail::scm::config_level_id::required_privileges) ==
        "SeChangeNotifyPrivilege, SeImpersonatePrivilege");
  CHECK(level_of(b, winsvc::detail::scm::config_level_id::delayed_start) == "not set");

  bench other;
  other.spec = b.spec;
  CHECK(sentence(other.install(options_of({"--startup", "delayed", "--display-name", "Other", "--description", "else",
                                           "--port", "5002"}))) == "done");
  CHECK(other.scm.services.at("hello").config.display_name == "Other");
  CHECK(level_of(other, winsvc::detail::scm::config_level_id::delayed_start) == "yes");
  CHECK(level_of(other, winsvc::detail::scm::config_level_id::description) == "else");
  CHECK(other.scm.services.at("hello").config.binary == "\"C:\\apps\\hello.exe\" run-service --port 5002");
}

TEST_CASE("install of an installed service changes only the differences, with the rights for them") {
  bench b;
  CHECK(sentence(b.install()) == "done");
  b.scm.calls.clear();
  b.output.clear();

  CHECK(sentence(b.install(options_of({"--host", "0.0.0.0"}))) == "done");

  const calls queries{"open_manager(0x1)", "open_service(hello, 0x1)", "query_config()", "query_level(1)",
                   "query_level(2)", "query_level(4)", "query_level(5)", "query_level(6)", "query_level(7)",
                   "query_event_source(hello)", "account_sid(NT SERVICE\\hello)", "query_folder_security(C:\\apps)",
                      "query_folder_security(C:\\ProgramData\\hello)"};
  calls expected = queries;
  expected.insert(expected.end(), {"open_manager(0x1)", "open_service(hello, 0x2)",
                   "change_config(binary \"C:\\apps\\hello.exe\" run-service --host 0.0.0.0, depends on none)",
                   "add_event_source(hello)"});
  CHECK(b.scm.calls == expected);
  CHECK(b.output ==
        "updated 'hello':\n"
        "  binary        \"C:\\apps\\hello.exe\" run-service -> \"C:\\apps\\hello.exe\" run-service --host 0.0.0.0\n");

  b.scm.calls.clear();
  b.output.clear();
  CHECK(sentence(b.install()) == "done");
  CHECK(b.scm.calls == queries);
  CHECK(b.output == "'hello' is up to date\n");
  CHECK(b.scm.open_handles() == 0);
}

TEST_CASE("update with all options makes these calls with these rights and arguments") {
  bench b;
  add_accounts(b);
  CHECK(sentence(b.install()) == "done");
  const std::string security = b.scm.services.at("hello").security;
  b.scm.calls.clear();

  CHECK(sentence(b.update(everything())) == "done");

  const calls expected{
      "account_sid(CORP\\ops)", "open_manager(0x1)", "open_service(hello, 0x20001)", "query_config()", "query_level(1)",
      "query_level(2)", "query_level(4)", "query_level(5)", "query_level(6)", "query_level(7)",
      "query_environment(hello)", "query_security()", "query_event_source(hello)", "account_sid(NT SERVICE\\hello)",
      "query_folder_security(C:\\apps)", "query_folder_security(C:\\ProgramData\\hello)",
      "open_manager(0x1)", "open_service(tcpip, 0x1)",  // does it depend on this service?
      // the changes, with their rights
      "open_manager(0x1)", "open_service(hello, 0x60012)",
      "change_config(startup delayed, binary \"C:\\apps\\hello.exe\" run-service --host 0.0.0.0 --port 5002 "
      "--preshutdown "
      "45s, display name Hello service, depends on tcpip +net)",
      "change_level(3, yes)", "change_level(1, says hello)", "change_level(2, restart/5s,none, reset 2h)",
      "change_level(7, 45s)", "change_environment(hello, A=1 B=2)", "query_security()",
      "change_security(" + security + "(A;;CCLCSWRPWPDTLOCRRC;;;S-1-5-21-8))", "add_event_source(hello)",
      "change_config(account CORP\\anna, password given, depends on tcpip +net)", "account_sid(CORP\\anna)",
      "add_logon_right(S-1-5-21-7)"};
  CHECK(b.scm.calls == expected);
  CHECK(b.scm.services.at("hello").password == "secret");
}

TEST_CASE("a second install keeps the values that it does not set, also those of an administrator") {
  bench b;
  auto& existing = b.installed();
  existing.config.startup = startup::manual;
  existing.config.display_name = "Theirs";
  existing.config.dependencies = {"tcpip"};
  existing.levels[winsvc::detail::scm::config_level_id::description] = winsvc::detail::scm::description_text{"old"};
  existing.levels[winsvc::detail::scm::config_level_id::failure_actions] =
      winsvc::detail::scm::recovery_options{{}, 1h};

  CHECK(sentence(b.install(options_of({"--host", "::1"}))) == "done");

  CHECK(existing.config.binary == "\"C:\\apps\\hello.exe\" run-service --host ::1 --port 5001");
  CHECK(existing.config.startup == startup::manual);
  CHECK(existing.config.display_name == "Theirs");
  // Passed as a complete list, because Wine treats NULL as an empty list.
  CHECK(existing.config.dependencies == calls{"tcpip"});
  CHECK(existing.config.account == "LocalSystem");
  CHECK(level_of(b, winsvc::detail::scm::config_level_id::description) == "old");
  CHECK(level_of(b, winsvc::detail::scm::config_level_id::failure_actions) == "none, reset 1h");
  CHECK(level_of(b, winsvc::detail::scm::config_level_id::failure_flag) == "yes");
  CHECK(has(b.output, "note: LocalSystem can do anything"));
}

TEST_CASE("delayed start is set after the start type becomes automatic, and removed before it changes") {
  bench b;
  CHECK(sentence(b.install()) == "done");
  const auto changes_of = [&b](const char* to) {
    b.scm.calls.clear();
    CHECK(sentence(b.update(options_of({"--startup", to}))) == "done");
    std::string changes;
    for (const auto& call : b.scm.calls) {
      if (call.rfind("change_config", 0) == 0 || call.rfind("change_level(3", 0) == 0) changes += call + '\n';
    }
    return changes;
  };
  CHECK(changes_of("delayed") == "change_config(startup delayed, depends on none)\nchange_level(3, yes)\n");
  CHECK(changes_of("manual") == "change_level(3, no)\nchange_config(startup manual, depends on none)\n");
  CHECK(changes_of("delayed") == "change_config(startup delayed, depends on none)\nchange_level(3, yes)\n");
  CHECK(changes_of("delayed").empty());
  CHECK(changes_of("auto") == "change_level(3, no)\nchange_config(startup auto, depends on none)\n");
}

TEST_CASE("--plan shows the changes, needs only query rights, and changes nothing") {
  bench b;
  add_accounts(b);
  b.password.reset();  // --plan requests no password
  install_options c = everything();
  c.plan = true;
  CHECK(sentence(b.install(c)) == "done");
  CHECK(b.scm.calls == calls{"account_sid(CORP\\ops)", "open_manager(0x1)", "open_service(hello, 0x20001)",
                             "open_manager(0x1)", "open_service(tcpip, 0x1)", "query_folder_security(C:\\apps)",
                             "query_folder_security(C:\\apps\\hello.exe)"});
  CHECK(b.output.rfind("'hello' is not installed; install creates it:\n  startup       delayed\n", 0) == 0);
  CHECK(has(b.output, "  account       CORP\\anna\n  password      the given password\n"));

  b.installed();
  b.scm.calls.clear();
  b.output.clear();
  const std::string before = b.scm.snapshot();
  c.start_after = true;
  CHECK(sentence(b.update(c)) == "done");
  CHECK(b.scm.snapshot() == before);
  for (const auto& call : b.scm.calls) {
    CHECK(call.rfind("change", 0) != 0);
    CHECK(call.rfind("add", 0) != 0);
    CHECK(call.rfind("start", 0) != 0);
  }
  CHECK(b.output.rfind("'hello' is installed; these values change:\n  startup       auto -> delayed\n", 0) == 0);
  CHECK(has(b.output, "  account       LocalSystem -> CORP\\anna\n"));
  CHECK(has(b.output, "  rights of CORP\\ops none -> start and stop the service\n"));
  CHECK(b.scm.open_handles() == 0);
}

TEST_CASE("update of a service that is not installed fails") {
  bench b;
  CHECK(sentence(b.update()) == "update 'hello': it is not installed (1060); install it first");
  install_options c;
  c.plan = true;
  CHECK(b.update(c).error().code == 1060);
  CHECK(b.scm.services.empty());
}

TEST_CASE("--start starts the service afterwards, even if nothing changed") {
  bench b;
  b.scm.after_start = {service_database::at(state::running)};
  install_options c;
  c.start_after = true;
  CHECK(sentence(b.install(c)) == "done");
  CHECK(b.output == "installed 'hello' (auto): \"C:\\apps\\hello.exe\" run-service\n"
                    "starting 'hello': at the first start, Windows creates a profile for 'NT SERVICE\\hello', which may "
                    "take several seconds\nstarted 'hello'\n");
  b.running_pid = 42;
  CHECK(sentence(b.install(c)) == "done");
  CHECK(has(b.output, "'hello' is up to date\n'hello' is already running\n"));
}

TEST_CASE("if --start fails, the service stays installed") {
  bench b;
  b.scm.fail_with["start_service"] = 1069;
  install_options c;
  c.start_after = true;
  CHECK(b.install(c).error().code == 1069);
  CHECK(b.scm.services.count("hello") == 1);
}

TEST_CASE("if any call of an install fails, everything is rolled back") {
  bench reference;
  add_accounts(reference);
  REQUIRE(reference.install(everything()));
  const std::size_t count = reference.scm.calls.size();
  constexpr std::size_t first_query = 3, first_data_query = 8, data_creation = 10;
  constexpr std::size_t last_query = 6;  // of the dependency and of the program
  REQUIRE(reference.scm.calls[first_query] == "open_manager(0x1)");
  REQUIRE(reference.scm.calls[last_query] == "query_folder_security(C:\\apps\\hello.exe)");
  REQUIRE(reference.scm.calls[first_data_query] == "query_folder_security(C:\\ProgramData\\hello)");
  REQUIRE(has(reference.scm.calls[data_creation], "create_folder(C:\\ProgramData\\hello"));

  std::size_t failures = 0;
  for (std::size_t failing_call = 0; failing_call < count; ++failing_call) {
    bench b;
    add_accounts(b);
    const std::string before = b.scm.snapshot();
    b.scm.fail_call_with[failing_call] = 87;
    const auto done = b.install(everything());
    CAPTURE(reference.scm.calls[failing_call]);
    CHECK(b.scm.open_handles() == 0);
    if (done) {
      // A folder: the service is installed. If the first query or the first creation fails, a later one succeeds or
      // reports the reason.
      const bool is_repeated = failing_call >= first_data_query && failing_call <= data_creation;
      const bool is_optional = failing_call >= first_query && failing_call <= last_query;
      CHECK((has(b.output, "warning: ") || is_optional || is_repeated));
      continue;
    }
    ++failures;
    CHECK(b.scm.snapshot() == before);
    CHECK(done.error().code == 87);
    CHECK(!done.error().operation.empty());
    CHECK(b.output.empty());
  }
  // The dependency, the program, the first query of each of the two folders, the service SID (twice), and the other
  // calls for the folders.
  CHECK(failures == count - 11);
}

TEST_CASE("if any call of an update fails, all changes are rolled back") {
  const auto add_existing = [](bench& b) {
    add_accounts(b);
    auto& existing = b.installed();
    existing.config.startup = startup::manual;
    existing.config.account = "NT SERVICE\\hello";
    existing.environment = {"OLD=1"};
    existing.levels[winsvc::detail::scm::config_level_id::description] = winsvc::detail::scm::description_text{"old"};
    existing.levels[winsvc::detail::scm::config_level_id::failure_actions] =
        winsvc::detail::scm::recovery_options{{winsvc::restart_after(1s)}, 1h};
    existing.levels[winsvc::detail::scm::config_level_id::failure_flag] = winsvc::detail::scm::failure_flag{false};
    existing.levels[winsvc::detail::scm::config_level_id::sid_type] = winsvc::detail::scm::sid_type{};
    existing.levels[winsvc::detail::scm::config_level_id::delayed_start] = winsvc::detail::scm::delayed_start{false};
    existing.levels[winsvc::detail::scm::config_level_id::required_privileges] =
        winsvc::detail::scm::required_privileges{};
    existing.levels[winsvc::detail::scm::config_level_id::preshutdown] = winsvc::detail::scm::preshutdown_timeout{10s};
    b.scm.event_sources = {"hello"};
  };
  for (const bool from_delayed : {false, true}) {
    install_options c = everything();
    if (from_delayed) c.request.startup = startup::manual;
    const auto prepare = [&](bench& b) {
      add_existing(b);
      if (!from_delayed) return;
      b.scm.services.at("hello").config.startup = startup::automatic;
      b.scm.services.at("hello").levels[winsvc::detail::scm::config_level_id::delayed_start] =
          winsvc::detail::scm::delayed_start{true};
    };
    bench reference;
    prepare(reference);
    REQUIRE(reference.update(c));
    const std::size_t count = reference.scm.calls.size();

    for (std::size_t failing_call = 0; failing_call < count; ++failing_call) {
      bench b;
      prepare(b);
      const std::string before = b.scm.snapshot();
      b.scm.fail_call_with[failing_call] = 87;
      const auto done = b.update(c);
      CAPTURE(reference.scm.calls[failing_call]);
      CHECK(b.scm.open_handles() == 0);
      if (done) {
        // A value that cannot be read is unknown and is set; a folder change that fails is a warning.
        // The query of a dependency may fail.
        const auto dependency = std::find(reference.scm.calls.begin(), reference.scm.calls.end(),
                                          "open_service(tcpip, 0x1)") - reference.scm.calls.begin();
        const bool is_dependency = failing_call + 1 == static_cast<std::size_t>(dependency) ||
                                   failing_call == static_cast<std::size_t>(dependency);
        const bool is_query = is_dependency || reference.scm.calls[failing_call].rfind("query_", 0) == 0 ||
                              reference.scm.calls[failing_call].rfind("account_sid(NT", 0) == 0;
        CHECK((is_query || has(b.output, "warning: ")));
        continue;
      }
      CHECK(b.scm.snapshot() == before);
      CHECK(done.error().code == 87);
    }
  }
}

TEST_CASE("if any call of a remove fails, the remove fails or the service is removed") {
  bench reference;
  REQUIRE(reference.install());
  reference.scm.calls.clear();
  REQUIRE(reference.remove());
  const std::size_t count = reference.scm.calls.size();
  for (std::size_t failing_call = 0; failing_call < count; ++failing_call) {
    bench b;
    REQUIRE(b.install());
    b.scm.calls.clear();
    b.scm.fail_call_with[failing_call] = 87;
    const auto done = b.remove();
    CAPTURE(reference.scm.calls[failing_call]);
    CHECK(b.scm.open_handles() == 0);
    if (done) CHECK(b.scm.services.empty());
    else CHECK(done.error().code == 87);
    b.scm.fail_call_with.clear();
    CHECK(sentence(b.remove()) == "done");  // a second remove completes it
    CHECK(b.scm.services.empty());
    CHECK(b.scm.event_sources.empty());
  }
}

TEST_CASE("the rollback restores an account that has no password") {
  bench b;
  add_accounts(b);
  b.installed().config.account = "NT AUTHORITY\\LocalService";
  b.scm.fail_with["add_logon_right"] = 5;
  CHECK(sentence(b.update(options_of({"--username", "CORP\\anna"}))) ==
        "grant the right to log on as a service to 'CORP\\anna': access denied (5); run from an elevated prompt");
  CHECK(b.scm.services.at("hello").config.account == "NT AUTHORITY\\LocalService");
  CHECK(b.scm.services.at("hello").password == "");
}

TEST_CASE("an unsupported configuration level is a warning with its consequence, and the others are set") {
  for (const std::uint32_t code : {120u, 124u, 1733u}) {
    bench b;
    for (std::uint32_t number = 1; number <= 7; ++number) b.scm.fail_level_with[number] = code;
    CHECK(sentence(b.install(options_of({"--startup", "delayed", "--description", "x"}))) == "done");
    const char* const names[] = {"description", "recovery",    "delayed start", "failure flag",
                                 "service SID", "privileges", "preshutdown"};
    for (std::uint32_t number = 1; number <= 7; ++number) {
      CHECK(has(b.output, "warning: this system does not support the setting '" + std::string(names[number - 1]) +
                              "' (" + std::to_string(code) +
                              "): " + std::string(winsvc::detail::manage::consequence_of_missing(number)) + "\n"));
    }
    CHECK(has(b.output, "installed 'hello' (delayed)"));
  }
  for (std::uint32_t number = 1; number <= 7; ++number) {
    CAPTURE(number);
    bench b;
    b.scm.fail_level_with[number] = 5;
    const auto done = b.install(options_of({"--startup", "delayed", "--description", "x"}));
    REQUIRE(!done);
    CHECK(done.error().to_string() == "configure 'hello': access denied (5); run from an elevated prompt");
    CHECK(b.scm.services.empty());
  }
}

TEST_CASE("each update sets unsupported configuration levels again, because their state is unknown") {
  bench b;  // as on Wine
  for (const std::uint32_t number : {3u, 4u, 5u, 6u}) b.scm.fail_level_with[number] = 124;
  CHECK(sentence(b.install()) == "done");
  b.output.clear();
  CHECK(sentence(b.install()) == "done");
  CHECK(has(b.output, "warning: this system does not support the setting 'service SID' (124)"));
  CHECK(has(b.output, "'hello' is installed; this system does not support the remaining changes\n"));
  b.output.clear();
  CHECK(sentence(b.install(options_of({"--port", "1"}))) == "done");
  CHECK(has(b.output, "updated 'hello':\n  binary        "));
  CHECK(!has(b.output, "unknown ->"));  // a change that failed is not shown as done
}

TEST_CASE("folder access that cannot be granted is a warning with a remedy") {
  bench unknown;
  unknown.scm.fail_with["account_sid"] = 1332;
  CHECK(sentence(unknown.install()) == "done");
  CHECK(has(unknown.output, "warning: the service SID cannot be read: "));
  CHECK(has(unknown.output, "(1332); grant 'NT SERVICE\\hello' read access to 'C:\\apps' and modify access to "
            "'C:\\ProgramData\\hello' manually\n"));
  CHECK(!unknown.called("change_folder_security"));

  bench refused;
  refused.scm.fail_with["change_folder_security"] = 5;
  refused.scm.fail_with["create_folder"] = 5;
  CHECK(sentence(refused.install()) == "done");
  CHECK(has(refused.output, "warning: read access to 'C:\\apps' cannot be granted: "));
  CHECK(has(refused.output, "warning: modify access to 'C:\\ProgramData\\hello' cannot be granted: "));
  CHECK(has(refused.output, "(5); grant it to 'NT SERVICE\\hello' manually\n"));

  bench unreadable;
  unreadable.scm.fail_with["query_folder_security"] = 5;
  CHECK(sentence(unreadable.install()) == "done");
  CHECK(has(unreadable.output, "warning: the permissions of 'C:\\apps' cannot be read: "));
  CHECK(has(unreadable.output, "warning: the permissions of 'C:\\ProgramData\\hello' cannot be read: "));
  CHECK(!unreadable.called("change_folder_security"));  // permissions that cannot be read are not overwritten
}

TEST_CASE("no access is granted to the root of a drive, to Windows or to a shared folder") {
  for (const char* folder : {"C:\\", "C:\\Windows\\System32", "C:\\Program Files", "\\\\server\\share"}) {
    CAPTURE(folder);
    bench b;
    b.defaults.program_folder = folder;
    b.defaults.executable = std::string(folder) + "\\hello.exe";
    CHECK(sentence(b.install()) == "done");
    CHECK(has(b.output, "warning: no access to '" + std::string(folder) + "' is granted, because "));
    CHECK(has(b.output, "; move the program to a separate folder\n"));
    CHECK(b.scm.folders.count(folder) == 0);
    CHECK(b.scm.folders.count("C:\\ProgramData\\hello") == 1);
    b.output.clear();
    CHECK(sentence(b.install()) == "done");
    CHECK(!has(b.output, "warning"));  // only the first install warns
  }
}

TEST_CASE("a data folder that an administrator created keeps its entries") {
  bench b;
  b.scm.folders["C:\\ProgramData\\hello"] = "O:BAD:PAI(A;OICI;FA;;;BA)(A;OICI;FR;;;IU)";
  CHECK(sentence(b.install()) == "done");
  CHECK(b.scm.folders.at("C:\\ProgramData\\hello") ==
        "O:BAD:PAI(A;OICI;FA;;;BA)(A;OICI;FR;;;IU)(A;OICI;0x1301bf;;;S-1-5-80-hello)");
}

TEST_CASE("an open data folder with files is renamed before the install, and back if the install fails") {
  const temporary_folder parent;
  const std::string folder = parent.path("hello");
  const std::string open = "O:S-1-5-21-7D:AI(A;OICIID;FA;;;BA)(A;OICIID;0x1301bf;;;BU)";
  REQUIRE(os::make_folders(folder));
  REQUIRE(os::replace_file(os::path_join(folder, "planted"), "x"));
  bench b;
  b.defaults.data_folder = folder;
  b.scm.folders[folder] = open;
  b.scm.fail_with["add_event_source"] = 5;
  CHECK_FALSE(b.install());
  CHECK(os::read_file(os::path_join(folder, "planted")) == "x");

  b.scm.fail_with.clear();
  b.output.clear();
  CHECK(sentence(b.install()) == "done");

  const std::string renamed = renamed_folder(b);
  CHECK_FALSE(os::read_file(os::path_join(folder, "planted")));
  CHECK(os::read_file(os::path_join(renamed, "planted")) == "x");
  CHECK(b.scm.folders.at(folder) == data_sddl);
  CHECK(has(b.warnings, "other users could change the data folder '" + folder + "'; it is now '" + renamed + '\''));
}

TEST_CASE("a data folder whose permissions cannot be read is renamed: its owner may have excluded administrators") {
  const temporary_folder parent;
  const std::string folder = parent.path("hello");
  REQUIRE(os::make_folders(folder));
  REQUIRE(os::replace_file(os::path_join(folder, "planted"), "x"));
  bench b;
  b.defaults.data_folder = folder;
  b.scm.fail_with["query_folder_security"] = 5;

  CHECK(sentence(b.install()) == "done");

  CHECK(os::read_file(os::path_join(renamed_folder(b), "planted")) == "x");
  CHECK_FALSE(os::read_file(os::path_join(folder, "planted")));
}

TEST_CASE("a data folder is not renamed if it is empty, closed, or under Wine") {
  for (const int variant : {0, 1, 2}) {
    CAPTURE(variant);
    const temporary_folder parent;
    const std::string folder = parent.path("hello");
    REQUIRE(os::make_folders(folder));
    if (variant != 0) REQUIRE(os::replace_file(os::path_join(folder, "own"), "x"));
    bench b;
    b.is_wine = variant == 2;
    b.defaults.data_folder = folder;
    b.scm.folders[folder] = variant == 1 ? "O:BAD:P(A;OICI;FA;;;BA)" : "O:S-1-5-21-7D:AI(A;OICIID;0x1301bf;;;BU)";
    CHECK(sentence(b.install()) == "done");
    CHECK(os::read_file(os::path_join(folder, "own")).has_value() == (variant != 0));
    CHECK(!has(b.warnings, "it is now"));
  }
}

TEST_CASE("the new name of a data folder ends with random digits, so that no user can take all possible names") {
  std::vector<std::string> names;
  for (int i = 0; i < 2; ++i) {
    const temporary_folder parent;
    bench b;
    b.defaults.data_folder = parent.path("hello");
    REQUIRE(os::make_folders(b.defaults.data_folder));
    REQUIRE(os::replace_file(os::path_join(b.defaults.data_folder, "planted"), "x"));
    b.scm.folders[b.defaults.data_folder] = "O:S-1-5-21-7D:AI(A;OICIID;0x1301bf;;;BU)";
    CHECK(sentence(b.install()) == "done");
    names.push_back(renamed_folder(b));
    const std::string digits = names.back().substr(names.back().rfind('-') + 1);
    CHECK(digits.size() == 16);
    CHECK(digits.find_first_not_of("0123456789abcdef") == std::string::npos);
  }
  CHECK(names[0] != names[1]);
}

TEST_CASE("a data folder that another user creates between its removal and its creation is not accepted") {
  bench b;
  REQUIRE(b.install());
  std::size_t creation = 0;
  while (!has(b.scm.calls[creation], "create_folder(")) ++creation;

  bench once;
  once.scm.fail_call_with[creation] = 183;
  CHECK(sentence(once.install()) == "done");
  CHECK(once.scm.folders.at("C:\\ProgramData\\hello") == data_sddl);

  bench always;
  always.scm.fail_with["create_folder"] = 183;
  CHECK(always.install().error().code == 183);
  CHECK(always.scm.services.empty());
}

TEST_CASE("a data folder that is a link is rejected, and an update reports a data folder that was open") {
  bench b;
  b.scm.fail_with["query_folder_security"] = 4395;
  CHECK(has(sentence(b.install()), "the data folder 'C:\\ProgramData\\hello' is a link"));
  CHECK(b.scm.services.empty());

  bench open;
  open.installed();
  open.scm.folders["C:\\ProgramData\\hello"] = "D:AI(A;OICIID;0x1301bf;;;BU)";
  CHECK(sentence(open.update()) == "done");
  CHECK(has(open.warnings, "other users could change 'C:\\ProgramData\\hello' until now"));
}

TEST_CASE("a user whose right Windows writes with an alias has it already, and nothing is planned") {
  bench b;
  b.scm.accounts["Remote Users"] = "S-1-5-32-555";
  b.installed().security = "D:(A;;CCLCSWRPWPDTLOCRRC;;;SY)(A;;RCCRLODTWPRPSWLCCC;;;RD)";
  CHECK(sentence(b.install(options_of({"--allow-control", "Remote Users"}))) == "done");
  CHECK(!b.called("change_security"));
}

TEST_CASE("if the program has moved, the folder access moves too") {
  bench b;
  CHECK(sentence(b.install()) == "done");
  b.defaults.executable = "D:\\new\\hello.exe";
  b.defaults.program_folder = "D:\\new";
  b.scm.folders["D:\\new"] = "D:AI";
  CHECK(sentence(b.install()) == "done");
  CHECK(b.scm.folders.at("D:\\new") == "D:AI(A;OICI;0x1200a9;;;S-1-5-80-hello)");
  CHECK(b.scm.folders.at("C:\\apps") == "D:AI(A;OICIID;FA;;;BA)");
  CHECK(has(b.output, "C:\\apps\\hello.exe\" run-service -> \"D:\\new\\hello.exe\" run-service\n"));
}

TEST_CASE("an unknown user is an error before any change") {
  bench b;
  CHECK(sentence(b.install(options_of({"--allow-control", "unknown"}))) ==
        "find the account 'unknown': there is no account with that name (1332); check the name, with its domain");
  CHECK(b.scm.calls.size() == 1);
}

TEST_CASE("a control right is granted once, and a well-known group is written like Windows does") {
  bench b;
  b.scm.accounts["Users"] = "S-1-5-32-545";
  CHECK(sentence(b.install(options_of({"--allow-control", "Users"}))) == "done");
  CHECK(has(b.scm.services.at("hello").security, "(A;;CCLCSWRPWPDTLOCRRC;;;BU)"));
  const std::string before = b.scm.snapshot();
  b.output.clear();
  CHECK(sentence(b.install(options_of({"--allow-control", "Users"}))) == "done");
  CHECK(b.scm.snapshot() == before);
  CHECK(b.output == "'hello' is up to date\n");
}

TEST_CASE("--env is merged into the environment of the service") {
  bench b;
  b.installed().environment = {"A=1", "B=2"};
  CHECK(sentence(b.install(options_of({"--env", "b=", "--env", "C=3"}))) == "done");
  CHECK(b.scm.services.at("hello").environment == calls{"A=1", "C=3"});
  b.scm.fail_with["query_environment"] = 5;
  CHECK(sentence(b.install(options_of({"--env", "D=4"}))) ==
        "read the environment of 'hello': access denied (5); run from an elevated prompt");
  CHECK(b.scm.services.at("hello").environment == calls{"A=1", "C=3"});
}

TEST_CASE("two instances of one executable are two services") {
  bench plain, blue;
  blue.spec.display_name = "Hello service";
  blue.spec = winsvc::detail::scm::spec_of_instance(blue.spec, "blue");
  blue.defaults.data_folder = "C:\\ProgramData\\hello$blue";
  CHECK(sentence(plain.install()) == "done");
  blue.scm = plain.scm;
  CHECK(sentence(blue.install(options_of({"--instance", "blue", "--port", "5002"}))) == "done");

  const auto& installed = blue.scm.services.at("hello$blue");
  CHECK(installed.config.display_name == "Hello service (blue)");
  CHECK(installed.config.binary == "\"C:\\apps\\hello.exe\" run-service --instance blue --port 5002");
  CHECK(installed.config.account == "NT SERVICE\\hello$blue");
  CHECK(blue.scm.event_sources.count("hello$blue") == 1);
  CHECK(blue.scm.folders.count("C:\\ProgramData\\hello$blue") == 1);
  CHECK(has(blue.scm.folders.at("C:\\apps"), "S-1-5-80-hello)"));
  CHECK(has(blue.scm.folders.at("C:\\apps"), "S-1-5-80-hello$blue)"));

  CHECK(sentence(blue.remove()) == "done");
  CHECK(blue.scm.services.count("hello") == 1);
  CHECK(has(blue.scm.folders.at("C:\\apps"), "S-1-5-80-hello)"));
  CHECK(!has(blue.scm.folders.at("C:\\apps"), "blue"));
}

TEST_CASE("each error is one sentence: operation, object, reason, remedy") {
  struct { const char* function; std::uint32_t code; bool exists; const char* message;
  } const cases[] = {
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
      {"add_event_source", 5, true,
       "register the event source 'hello': access denied (5); run from an elevated prompt"},
      {"add_event_source", 5, false,
       "register the event source 'hello': access denied (5); run from an elevated prompt"},
      {"open_manager", 50, false,
       "install 'hello': Windows services are not available on this system (50); use 'debug' to run in the terminal"},
  };
  for (const auto& row : cases) {
    CAPTURE(row.function);
    bench b;
    if (row.exists) b.installed();
    const std::string before = b.scm.snapshot();
    b.scm.fail_with[row.function] = row.code;
    CHECK(sentence(b.install(options_of({"--port", "1"}))) == row.message);
    CHECK(b.denied == (row.code == 5));
    CHECK(b.scm.snapshot() == before);
    CHECK(b.scm.open_handles() == 0);
  }
}

TEST_CASE("a display name of another service is rejected, and the service is rolled back") {
  bench b;
  b.scm.add("other", "C:\\other.exe").config.display_name = "Taken";
  CHECK(b.install(options_of({"--display-name", "taken"})).error().code == 1078);
  CHECK(b.scm.services.count("hello") == 0);
}

TEST_CASE("install and update leave a service of another program alone") {
  bench b;
  b.scm.add("hello", "C:\\Windows\\system32\\spoolsv.exe");
  for (const bool update : {false, true}) {
    const auto done = update ? b.update() : b.install();
    REQUIRE(!done);
    CHECK(done.error().code == 1073);
    CHECK(has(done.error().to_string(),
              "a service of another program has this name: C:\\Windows\\system32\\spoolsv.exe"));
  }
  CHECK(!b.called("change_config"));
}

TEST_CASE("a service of this executable that was registered manually belongs to the program") {
  bench b;
  b.scm.add("hello", "c:\\APPS\\hello.exe");
  CHECK(sentence(b.install()) == "done");
  CHECK(b.scm.services["hello"].config.binary == "\"C:\\apps\\hello.exe\" run-service");
  CHECK(sentence(b.remove()) == "done");
}

TEST_CASE("needs_password works without rights") {
  bench b;
  add_accounts(b);
  const auto needs = [&b](const install_options& options) {
    return b.run([&](winsvc::detail::manage::verb_context& context) {
      return winsvc::detail::manage::installer(context).needs_password(options);
    });
  };
  CHECK(needs(options_of({"--username", "CORP\\anna"})));
  CHECK(!needs(options_of({"--username", "system"})));
  CHECK(!needs({}));
  b.installed().config.account = "CORP\\anna";
  CHECK(!needs({}));
  CHECK(needs(options_of({"--password-stdin"})));
  CHECK(!b.called("change_config"));
}

TEST_CASE("install rejects a folder that ordinary users can change, names the right, and accepts it on request") {
  bench b;
  b.scm.folders["C:\\apps"] = writable_folder;

  const auto refused = b.install(options_of({}));
  REQUIRE_FALSE(refused);
  const std::string text = refused.error().to_string();
  CHECK(has(text, "authenticated users can change files in 'C:\\apps' and so replace the program of the service"));
  CHECK(has(text, "icacls \"C:\\apps\""));
  CHECK(has(text, "--allow-writable-folder"));
  CHECK(b.scm.services.count("hello") == 0);

  CHECK(b.install(options_of({"--allow-writable-folder"})));
  CHECK(b.scm.services.count("hello") == 1);
}

TEST_CASE("install rejects a program that ordinary users can change, also in a closed folder") {
  bench b;
  b.scm.folders["C:\\apps\\hello.exe"] = writable_folder;  // it was moved here with its rights

  const auto refused = b.install(options_of({}));
  REQUIRE_FALSE(refused);
  CHECK(has(sentence(refused), "authenticated users can change 'C:\\apps\\hello.exe', the program of the service"));
  CHECK(has(sentence(refused), "icacls \"C:\\apps\\hello.exe\" /reset; or use --allow-writable-folder"));
  CHECK(b.scm.services.empty());

  CHECK(b.install(options_of({"--allow-writable-folder"})));
}

TEST_CASE("install warns of a program or a program folder that is a link, whose target is not checked") {
  for (const std::string path : {"C:\\apps", "C:\\apps\\hello.exe"}) {
    CAPTURE(path);
    bench b;
    b.scm.links.insert(path);
    CHECK(b.install(options_of({})));
    CHECK(has(b.warnings, "'" + path + "' is a link, so it is unknown whether other users can change its target; "
                          "install the program from its real folder\n"));
  }
  bench b;
  b.scm.links.insert("C:\\apps\\hello.exe");
  CHECK(b.install(options_of({"--allow-writable-folder"})));
  CHECK_FALSE(has(b.warnings, "is a link"));
}

TEST_CASE("if Windows reports the service SID only after the install, a folder of another user is moved away before it") {
  const temporary_folder parent;
  const std::string folder = parent.path("hello");
  REQUIRE(os::make_folders(folder));
  REQUIRE(os::replace_file(os::path_join(folder, "planted"), "x"));
  bench b;
  b.defaults.data_folder = folder;
  b.scm.folders[folder] = "O:S-1-5-21-7D:AI(A;OICIID;FA;;;BA)(A;OICIID;0x1301bf;;;BU)";
  b.scm.fail_with["account_sid"] = 1332;  // a name that is not ASCII

  CHECK(sentence(b.install()) == "done");

  CHECK(os::read_file(os::path_join(renamed_folder(b), "planted")) == "x");
  CHECK(b.scm.folders.at(folder) == winsvc::detail::scm::data_folder_security(""));
  CHECK(has(b.warnings, "the service SID cannot be read"));

  b.scm.fail_with.clear();
  CHECK(sentence(b.update()) == "done");
  CHECK(has(b.scm.folders.at(folder), "(A;OICI;0x1301bf;;;S-1-5-80-hello)"));
}
