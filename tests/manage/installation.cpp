// Install plan: installed and desired configuration, and the changes between them.
#include "winsvc/manage/installation.hpp"

#include <doctest/doctest.h>

using namespace winsvc;
using namespace winsvc::detail::commandline;
using namespace winsvc::detail::manage;
using namespace winsvc::detail::scm;
using namespace std::chrono_literals;
using words = std::vector<std::string>;

namespace {

const install_defaults defaults{"C:\\apps\\hello.exe", "C:\\apps", "C:\\ProgramData\\hello", 25s};

service_spec hello() {
  service_spec s;
  s.name = "hello";
  return s;
}
install_request options(const words& arguments) {
  words command_line{"install"};
  command_line.insert(command_line.end(), arguments.begin(), arguments.end());
  const auto parsed = parse_command(command_line);
  REQUIRE(parsed);
  return parsed->install.request;
}
installation desired_for(const install_request& c, const service_spec& spec = hello(),
                         const installation* installed = nullptr) {
  const auto desired = desired_installation(c, spec, installed, defaults);
  REQUIRE(desired);
  return *desired;
}
/// Returns the configuration after an install without options.
installation default_installation() {
  installation installed = desired_for({});
  installed.control_users.clear();
  installed.environment = words{};
  installed.can_read_program_folder = installed.can_modify_data_folder = true;
  installed.levels.insert_or_assign(detail::scm::config_level_id::description, description_text{});
  return installed;
}
std::string changes(const installation* installed, const installation& desired) {
  return format_changes(plan_install(installed, desired, defaults));
}
std::string level_text(const installation& source, std::uint32_t number) {
  const auto level = level_of(source, number);
  return level ? format_config_level(*level) : "unchanged";
}

}  // namespace

TEST_CASE("an install without options: automatic start, virtual account, restarts, minimal privileges") {
  const installation desired = desired_for({});
  CHECK(desired.startup == startup::automatic);
  CHECK(desired.binary == "\"C:\\apps\\hello.exe\" run-service");
  CHECK(desired.display_name == "hello");
  CHECK(desired.account->name == "NT SERVICE\\hello");
  CHECK(desired.dependencies == words{});
  CHECK(level_text(desired, detail::scm::config_level_id::description) == "unchanged");
  CHECK(level_text(desired, detail::scm::config_level_id::failure_actions) ==
        "restart/5s,restart/30s,restart/2m, reset 1d");
  CHECK(level_text(desired, detail::scm::config_level_id::failure_flag) == "yes");
  CHECK(level_text(desired, detail::scm::config_level_id::sid_type) == "unrestricted");
  CHECK(level_text(desired, detail::scm::config_level_id::required_privileges) == "SeChangeNotifyPrivilege");
  CHECK(level_text(desired, detail::scm::config_level_id::preshutdown) == "25s");
  CHECK_FALSE(desired.environment);
  CHECK_FALSE(desired.new_password);
  CHECK(desired.can_read_program_folder == true);
  CHECK(desired.can_modify_data_folder == true);
  CHECK(format_plan("hello", plan_install(nullptr, desired, defaults)) ==
        "'hello' is not installed; install creates it:\n"
        "  startup       auto\n"
        "  binary        \"C:\\apps\\hello.exe\" run-service\n"
        "  display name  hello\n"
        "  account       NT SERVICE\\hello\n"
        "  recovery      restart/5s,restart/30s,restart/2m, reset 1d\n"
        "  failure flag  yes\n"
        "  service SID   unrestricted\n"
        "  privileges    SeChangeNotifyPrivilege\n"
        "  preshutdown   25s\n"
        "  event source  registered\n"
        "  read access   C:\\apps\n"
        "  modify access C:\\ProgramData\\hello\n");
}

TEST_CASE("a second install without options changes nothing") {
  const installation installed = default_installation();
  const auto plan = plan_install(&installed, desired_for({}, hello(), &installed), defaults);
  CHECK(plan.changes.empty());
  CHECK_FALSE(plan.creates_service);
  CHECK(format_plan("hello", plan) == "'hello' is installed as requested; nothing changes\n");
}

TEST_CASE("the command line overrides the app, and the app overrides the installed value") {
  installation installed = default_installation();
  installed.startup = startup::disabled;
  installed.display_name = "Installed name";
  installed.account = account{account_kind::local_system, "LocalSystem"};
  installed.dependencies = words{"installed"};
  installed.levels.insert_or_assign(detail::scm::config_level_id::description, description_text{"installed"});
  installed.levels.insert_or_assign(detail::scm::config_level_id::failure_actions,
                                    recovery_options{{restart_after(1s)}, 1h});
  installed.binary = "\"D:\\old\\hello.exe\" run-service --port 80 --preshutdown 50s";
  service_spec spec = hello();
  spec.startup = startup::manual;
  spec.display_name = "App name";
  spec.account = "local-service";
  spec.depends_on = words{"app"};
  spec.description = "app";
  spec.recovery = recovery_options{{restart_after(2s)}, 2h};
  spec.preshutdown = 40s;
  const install_request c = options({"--startup", "delayed", "--display-name", "Option name", "--username",
                                     "network-service", "--depends", "option", "--description", "option", "--recovery",
                                     "restart/3s", "--recovery-reset", "3h", "--preshutdown", "30s", "--port", "90"});

  const installation from_installed = desired_for({}, hello(), &installed);  // empty members: unchanged
  CHECK_FALSE(from_installed.startup);
  CHECK_FALSE(from_installed.display_name);
  CHECK_FALSE(from_installed.account);
  CHECK_FALSE(from_installed.dependencies);
  CHECK(level_text(from_installed, detail::scm::config_level_id::description) == "unchanged");
  CHECK(level_text(from_installed, detail::scm::config_level_id::failure_actions) == "unchanged");
  CHECK(level_text(from_installed, detail::scm::config_level_id::preshutdown) == "50s");
  CHECK(from_installed.binary == "\"C:\\apps\\hello.exe\" run-service --port 80 --preshutdown 50s");

  const installation from_app = desired_for({}, spec, &installed);
  CHECK(from_app.startup == startup::manual);
  CHECK(from_app.display_name == "App name");
  CHECK(from_app.account->name == "NT AUTHORITY\\LocalService");
  CHECK(from_app.dependencies == words{"app"});
  CHECK(level_text(from_app, detail::scm::config_level_id::description) == "app");
  CHECK(level_text(from_app, detail::scm::config_level_id::failure_actions) == "restart/2s, reset 2h");
  CHECK(level_text(from_app, detail::scm::config_level_id::preshutdown) == "50s");  // the installed ImagePath has it
  CHECK(level_text(desired_for({}, spec), detail::scm::config_level_id::preshutdown) == "40s");

  const installation* const previous[] = {&installed, nullptr};
  for (const installation* old : previous) {
    const installation from_line = desired_for(c, spec, old);
    CHECK(from_line.startup == startup::delayed);
    CHECK(from_line.display_name == "Option name");
    CHECK(from_line.account->name == "NT AUTHORITY\\NetworkService");
    CHECK(from_line.dependencies == words{"option"});
    CHECK(level_text(from_line, detail::scm::config_level_id::description) == "option");
    CHECK(level_text(from_line, detail::scm::config_level_id::failure_actions) == "restart/3s, reset 3h");
    CHECK(level_text(from_line, detail::scm::config_level_id::preshutdown) == "30s");
    CHECK(from_line.binary == "\"C:\\apps\\hello.exe\" run-service --port 90 --preshutdown 30s");
  }
  CHECK(format_plan("hello", plan_install(&installed, desired_for(c, spec, &installed), defaults)) ==
        "'hello' is installed; these values change:\n"
        "  startup       disabled -> delayed\n"
        "  binary        \"D:\\old\\hello.exe\" run-service --port 80 --preshutdown 50s -> "
        "\"C:\\apps\\hello.exe\" run-service --port 90 --preshutdown 30s\n"
        "  display name  Installed name -> Option name\n"
        "  account       LocalSystem -> NT AUTHORITY\\NetworkService\n"
        "  depends on    installed -> option\n"
        "  description   installed -> option\n"
        "  recovery      restart/1s, reset 1h -> restart/3s, reset 3h\n"
        "  preshutdown   25s -> 30s\n");
}

TEST_CASE("--recovery keeps the installed reset time, and --recovery-reset the installed actions") {
  installation installed = default_installation();
  installed.levels.insert_or_assign(detail::scm::config_level_id::failure_actions,
                                    recovery_options{{restart_after(1s)}, 1h});
  const auto recovery = [](const installation& desired) {
    return level_text(desired, detail::scm::config_level_id::failure_actions);
  };
  const install_request new_actions = options({"--recovery", "none"}), new_reset = options({"--recovery-reset", "2h"});
  CHECK(recovery(desired_for(new_actions, hello(), &installed)) == "none, reset 1h");
  CHECK(recovery(desired_for(new_reset, hello(), &installed)) == "restart/1s, reset 2h");
  CHECK(recovery(desired_for(new_reset)) == "restart/5s,restart/30s,restart/2m, reset 2h");
  installed.levels.erase(detail::scm::config_level_id::failure_actions);
  CHECK(recovery(desired_for(new_reset, hello(), &installed)) == "restart/5s,restart/30s,restart/2m, reset 2h");
}

TEST_CASE("a recovery delay beyond the range of Windows is clamped") {
  service_spec s = hello();
  s.recovery = recovery_options{{restart_after(std::chrono::hours(24 * 60)), restart_after(-5s)}, 1h};
  CHECK(level_text(desired_for({}, s), detail::scm::config_level_id::failure_actions) ==
        "restart/4294967295ms,restart/0s, reset 1h");
}

TEST_CASE("an unknown installed value is set if install always sets it, else it stays unchanged") {
  installation installed = default_installation();
  installed.levels.clear();
  installed.can_read_program_folder.reset();
  installed.can_modify_data_folder = false;
  const installation desired = desired_for({}, hello(), &installed);
  CHECK(level_text(desired, detail::scm::config_level_id::failure_actions) == "unchanged");
  CHECK(changes(&installed, desired) ==
        "  failure flag  unknown -> yes\n"
        "  service SID   unknown -> unrestricted\n"
        "  privileges    unknown -> SeChangeNotifyPrivilege\n"
        "  preshutdown   unknown -> 25s\n"
        "  read access   unknown -> C:\\apps\n"
        "  modify access none -> C:\\ProgramData\\hello\n");
}

TEST_CASE("an empty value is shown as 'none'") {
  const installation installed = default_installation();
  CHECK(changes(&installed, desired_for(options({"--description", "greets"}), hello(), &installed)) ==
        "  description   none -> greets\n");
  installation described = installed;
  described.levels.insert_or_assign(detail::scm::config_level_id::description, description_text{"old"});
  CHECK(changes(&described, desired_for(options({"--description", ""}), hello(), &described)) ==
        "  description   old -> none\n");
}

TEST_CASE("the privileges are SeChangeNotifyPrivilege and those of the app, each once") {
  service_spec s = hello();
  s.privileges = {"SeImpersonatePrivilege", "sechangenotifyprivilege"};
  CHECK(level_text(desired_for({}, s), detail::scm::config_level_id::required_privileges) ==
        "SeChangeNotifyPrivilege, SeImpersonatePrivilege");
}

TEST_CASE("a restricted service SID stays restricted") {
  installation installed = default_installation();
  installed.levels.insert_or_assign(detail::scm::config_level_id::sid_type, sid_type{sid_type::restricted});
  CHECK(plan_install(&installed, desired_for({}, hello(), &installed), defaults).changes.empty());
}

TEST_CASE("a password is required for a new user account, with --username or with --password-stdin") {
  installation installed = default_installation();
  installed.account = account{account_kind::user, "CORP\\anna"};
  service_spec with_account = hello();
  with_account.account = "corp\\ANNA";
  struct row {
    install_request c;
    service_spec spec;
    const installation* installed;
    bool needs_password;
  };
  const row rows[] = {
      {{}, hello(), nullptr, false},
      {{}, hello(), &installed, false},
      {{}, with_account, nullptr, true},
      {{}, with_account, &installed, false},
      {options({"--username", "CORP\\anna"}), hello(), nullptr, true},
      {options({"--username", "CORP\\anna"}), hello(), &installed, true},  // to change the password
      {options({"--username", "CORP\\bob"}), hello(), &installed, true},
      {options({"--password-stdin"}), hello(), &installed, true},
      {options({"--password-stdin"}), with_account, &installed, true},
      {options({"--password-stdin"}), hello(), nullptr, false},
      {options({"--username", "system"}), with_account, &installed, false},
      {options({"--username", "CORP\\web$"}), hello(), nullptr, false},
  };
  for (const auto& r : rows) {
    const installation desired = desired_for(r.c, r.spec, r.installed);
    CHECK(desired.new_password == r.needs_password);
    const auto plan = plan_install(r.installed, desired, defaults);
    CHECK(plan.has(config_item::password) == r.needs_password);
    if (r.needs_password) CHECK(plan.has(config_item::logon_right));
  }
  CHECK(changes(&installed, desired_for(options({"--password-stdin"}), hello(), &installed)) ==
        "  password      unknown -> the given password\n"
        "  log-on right  unknown -> as a service\n");
  const auto managed = desired_for(options({"--username", "CORP\\web$"}));
  CHECK(plan_install(nullptr, managed, defaults).has(config_item::logon_right));
  const auto built_in = desired_for(options({"--username", "system"}));
  CHECK_FALSE(plan_install(nullptr, built_in, defaults).has(config_item::logon_right));
}

TEST_CASE("an invalid account is an error before any change") {
  const auto desired = desired_installation(options({"--username", "NT SERVICE\\other"}), hello(), nullptr, defaults);
  REQUIRE_FALSE(desired);
  CHECK(desired.error().code == 1057);
}

TEST_CASE("the account of an installed service stays, whatever its name is") {
  for (const char* name : {"LocalSystem", "NT SERVICE\\other", "CORP\\anna", "anna@corp.example", "", "a\\b\\c"}) {
    CAPTURE(name);
    installation installed = default_installation();
    installed.account = parse_known_account(name, "hello");
    CHECK(plan_install(&installed, desired_for({}, hello(), &installed), defaults).changes.empty());
  }
  CHECK(parse_known_account("NT SERVICE\\other", "hello").needs_password() == false);
  CHECK(parse_known_account("NT AUTHORITY\\NetworkService", "hello").kind == account_kind::network_service);
}

TEST_CASE("the environment is changed by name, not case-sensitive") {
  CHECK(merged_environment({}, {}) == words{});
  CHECK(merged_environment({"A=1", "B=2"}, {"a=3", "C=4"}) == words{"a=3", "B=2", "C=4"});
  CHECK(merged_environment({"A=1", "B=2"}, {"A="}) == words{"B=2"});
  CHECK(merged_environment({"A=1"}, {"B="}) == words{"A=1"});
  CHECK(merged_environment({"AB=1"}, {"A=2"}) == words{"AB=1", "A=2"});
  CHECK(merged_environment({}, {"A=1=2", "A=3", "A="}) == words{});

  installation installed = default_installation();
  installed.environment = words{"A=1", "B=2"};
  CHECK(changes(&installed, desired_for(options({"--env", "B=", "--env", "C=3"}), hello(), &installed)) ==
        "  environment   A, B -> A, C\n");
  CHECK(changes(&installed, desired_for(options({"--env", "A=1"}), hello(), &installed)).empty());
  CHECK_FALSE(plan_install(nullptr, desired_for(options({"--env", "A="})), defaults).has(config_item::environment));
}

TEST_CASE("--allow-control grants rights only to users who do not have them") {
  installation installed = default_installation();
  installed.control_users = {{"CORP\\anna", true}, {"Users", false}};
  const install_request c = options({"--allow-control", "Users", "--allow-control", "CORP\\anna"});
  CHECK(changes(&installed, desired_for(c, hello(), &installed)) ==
        "  rights of Users none -> start and stop the service\n");
}

TEST_CASE("a program in a shared folder gets no right to that folder") {
  install_defaults root = defaults;
  root.program_folder = "C:\\";
  const auto desired = desired_installation({}, hello(), nullptr, root);
  REQUIRE(desired);
  CHECK_FALSE(desired->can_read_program_folder);
  CHECK_FALSE(plan_install(nullptr, *desired, root).has(config_item::program_folder));
  root.data_folder.clear();
  CHECK_FALSE(desired_installation({}, hello(), nullptr, root)->can_modify_data_folder);
}

TEST_CASE("each level has a consequence for a system that does not support it") {
  for (std::uint32_t l = 1; l <= std::variant_size_v<config_level>; ++l) {
    CAPTURE(l);
    CHECK_FALSE(consequence_of_missing(l).empty());
  }
  CHECK(consequence_of_missing(8).empty());
  for (const std::uint32_t code : {120u, 124u, 1733u}) CHECK(is_level_unsupported(code));
  for (const std::uint32_t code : {0u, 5u, 87u, 122u, 1072u}) CHECK_FALSE(is_level_unsupported(code));
  // `startup` includes the delayed start.
  for (const auto& row : config_level_table) CHECK(row.number != detail::scm::config_level_id::delayed_start);
}

TEST_CASE("the plan shows the names of variables, but not their values") {
  using winsvc::detail::manage::format_variables;
  CHECK(format_variables({"TOKEN=hunter2", "X=1"}, {"token=hunter1"}) == "TOKEN (new value), X");
  CHECK(format_variables({}, {"A=b"}) == "none");
  CHECK(format_variables({"A=b"}, {"A=b"}) == "A");
}
