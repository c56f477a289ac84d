// What is installed, what is wanted, and what lies between.
#include "winsvc/manage/installation.hpp"

#include <doctest/doctest.h>

using namespace winsvc;
using namespace winsvc::model;
using namespace std::chrono_literals;
using words = std::vector<std::string>;

namespace {

const install_defaults ours{"C:\\apps\\hello.exe", "C:\\apps", "C:\\ProgramData\\hello", 25s};

service_spec hello() {
  service_spec s;
  s.name = "hello";
  return s;
}
command asked(const words& options) {
  words all{"install"};
  all.insert(all.end(), options.begin(), options.end());
  const auto parsed = parse_command(all);
  REQUIRE(parsed);
  return *parsed;
}
installation wanted(const command& c, const service_spec& s = hello(), const installation* installed = nullptr) {
  const auto w = desired_installation(c, s, installed, ours);
  REQUIRE(w);
  return *w;
}
/// As an install without a word leaves it.
installation plain() {
  installation i = wanted({});
  i.control_users.clear();
  i.environment = words{};
  i.can_read_program_folder = i.can_modify_data_folder = true;
  i.levels.insert_or_assign(config_level_id::description, description_text{});
  return i;
}
std::string changes(const installation* installed, const installation& w) { return format_changes(plan_install(installed, w, ours)); }
std::string level_text(const installation& i, std::uint32_t number) {
  const auto l = level_of(i, number);
  return l ? format_config_level(*l) : "left alone";
}

}  // namespace

TEST_CASE("an install without a word: automatic, an account of its own, restarts, least privileges") {
  const installation w = wanted({});
  CHECK(w.startup == startup::automatic);
  CHECK(w.binary == "\"C:\\apps\\hello.exe\" run-service");
  CHECK(w.display_name == "hello");
  CHECK(w.account->name == "NT SERVICE\\hello");
  CHECK(w.dependencies == words{});
  CHECK(level_text(w, config_level_id::description) == "left alone");
  CHECK(level_text(w, config_level_id::failure_actions) == "restart/5s,restart/30s,restart/2m, reset 1d");
  CHECK(level_text(w, config_level_id::failure_flag) == "yes");
  CHECK(level_text(w, config_level_id::sid_type) == "unrestricted");
  CHECK(level_text(w, config_level_id::required_privileges) == "SeChangeNotifyPrivilege");
  CHECK(level_text(w, config_level_id::preshutdown) == "25s");
  CHECK_FALSE(w.environment);
  CHECK_FALSE(w.new_password);
  CHECK(w.can_read_program_folder == true);
  CHECK(w.can_modify_data_folder == true);
  CHECK(format_plan("hello", plan_install(nullptr, w, ours)) ==
        "'hello' is not installed; install creates it:\n"
        "  startup       auto\n"
        "  binary        \"C:\\apps\\hello.exe\" run-service\n"
        "  display name  hello\n"
        "  account       NT SERVICE\\hello\n"
        "  recovery      restart/5s,restart/30s,restart/2m, reset 1d\n"
        "  on errors too yes\n"
        "  service SID   unrestricted\n"
        "  privileges    SeChangeNotifyPrivilege\n"
        "  preshutdown   25s\n"
        "  event source  registered\n"
        "  may read      C:\\apps\n"
        "  may modify    C:\\ProgramData\\hello\n");
}

TEST_CASE("a second install without a word changes nothing") {
  const installation installed = plain();
  const auto plan = plan_install(&installed, wanted({}, hello(), &installed), ours);
  CHECK(plan.changes.empty());
  CHECK_FALSE(plan.creates_service);
  CHECK(format_plan("hello", plan) == "'hello' is installed as it is asked for; nothing changes\n");
}

TEST_CASE("what is asked counts more than what the app says, which counts more than what there is") {
  installation installed = plain();
  installed.startup = startup::disabled;
  installed.display_name = "There";
  installed.account = account{account_kind::local_system, "LocalSystem"};
  installed.dependencies = words{"there"};
  installed.levels.insert_or_assign(config_level_id::description, description_text{"there"});
  installed.levels.insert_or_assign(config_level_id::failure_actions, recovery_plan{{restart_after(1s)}, 1h});
  installed.binary = "\"D:\\old\\hello.exe\" run-service --port 80 --preshutdown 50s";
  service_spec reply = hello();
  reply.startup = startup::manual;
  reply.display_name = "Said";
  reply.account = "local-service";
  reply.depends_on = words{"said"};
  reply.description = "said";
  reply.recovery = recovery_plan{{restart_after(2s)}, 2h};
  reply.preshutdown = 40s;
  const command c = asked({"--startup", "delayed", "--display-name", "Asked", "--username", "network-service", "--depends",
                           "asked", "--description", "asked", "--recovery", "restart/3s", "--recovery-reset", "3h",
                           "--preshutdown", "30s", "--port", "90"});

  const installation from_installed = wanted({}, hello(), &installed);  // empty: left alone
  CHECK_FALSE(from_installed.startup);
  CHECK_FALSE(from_installed.display_name);
  CHECK_FALSE(from_installed.account);
  CHECK_FALSE(from_installed.dependencies);
  CHECK(level_text(from_installed, config_level_id::description) == "left alone");
  CHECK(level_text(from_installed, config_level_id::failure_actions) == "left alone");
  CHECK(level_text(from_installed, config_level_id::preshutdown) == "50s");
  CHECK(from_installed.binary == "\"C:\\apps\\hello.exe\" run-service --port 80 --preshutdown 50s");

  const installation from_app = wanted({}, reply, &installed);
  CHECK(from_app.startup == startup::manual);
  CHECK(from_app.display_name == "Said");
  CHECK(from_app.account->name == "NT AUTHORITY\\LocalService");
  CHECK(from_app.dependencies == words{"said"});
  CHECK(level_text(from_app, config_level_id::description) == "said");
  CHECK(level_text(from_app, config_level_id::failure_actions) == "restart/2s, reset 2h");
  CHECK(level_text(from_app, config_level_id::preshutdown) == "50s");  // asked at an earlier install, which the ImagePath keeps
  CHECK(level_text(wanted({}, reply), config_level_id::preshutdown) == "40s");

  for (const installation* old : {static_cast<const installation*>(&installed), static_cast<const installation*>(nullptr)}) {
    const installation from_line = wanted(c, reply, old);
    CHECK(from_line.startup == startup::delayed);
    CHECK(from_line.display_name == "Asked");
    CHECK(from_line.account->name == "NT AUTHORITY\\NetworkService");
    CHECK(from_line.dependencies == words{"asked"});
    CHECK(level_text(from_line, config_level_id::description) == "asked");
    CHECK(level_text(from_line, config_level_id::failure_actions) == "restart/3s, reset 3h");
    CHECK(level_text(from_line, config_level_id::preshutdown) == "30s");
    CHECK(from_line.binary == "\"C:\\apps\\hello.exe\" run-service --port 90 --preshutdown 30s");
  }
  CHECK(format_plan("hello", plan_install(&installed, wanted(c, reply, &installed), ours)) ==
        "'hello' is installed; these change:\n"
        "  startup       disabled -> delayed\n"
        "  binary        \"D:\\old\\hello.exe\" run-service --port 80 --preshutdown 50s -> "
        "\"C:\\apps\\hello.exe\" run-service --port 90 --preshutdown 30s\n"
        "  display name  There -> Asked\n"
        "  account       LocalSystem -> NT AUTHORITY\\NetworkService\n"
        "  depends on    there -> asked\n"
        "  description   there -> asked\n"
        "  recovery      restart/1s, reset 1h -> restart/3s, reset 3h\n"
        "  preshutdown   25s -> 30s\n");
}

TEST_CASE("half of a recovery is asked for, and the other half stays") {
  installation installed = plain();
  installed.levels.insert_or_assign(config_level_id::failure_actions, recovery_plan{{restart_after(1s)}, 1h});
  CHECK(level_text(wanted(asked({"--recovery", "none"}), hello(), &installed), config_level_id::failure_actions) == "none, reset 1h");
  CHECK(level_text(wanted(asked({"--recovery-reset", "2h"}), hello(), &installed), config_level_id::failure_actions) ==
        "restart/1s, reset 2h");
  CHECK(level_text(wanted(asked({"--recovery-reset", "2h"})), config_level_id::failure_actions) ==
        "restart/5s,restart/30s,restart/2m, reset 2h");
  installed.levels.erase(config_level_id::failure_actions);
  CHECK(level_text(wanted(asked({"--recovery-reset", "2h"}), hello(), &installed), config_level_id::failure_actions) ==
        "restart/5s,restart/30s,restart/2m, reset 2h");
}

TEST_CASE("a delay that Windows cannot say becomes the longest it can") {
  service_spec s = hello();
  s.recovery = recovery_plan{{restart_after(std::chrono::hours(24 * 60)), restart_after(-5s)}, 1h};
  CHECK(level_text(wanted({}, s), config_level_id::failure_actions) == "restart/4294967295ms,restart/0s, reset 1h");
}

TEST_CASE("what could not be read is unknown: set where it is always set, left alone where it is not") {
  installation installed = plain();
  installed.levels.clear();
  installed.can_read_program_folder.reset();
  installed.can_modify_data_folder = false;
  const installation w = wanted({}, hello(), &installed);
  CHECK(level_text(w, config_level_id::failure_actions) == "left alone");
  CHECK(changes(&installed, w) ==
        "  on errors too unknown -> yes\n"
        "  service SID   unknown -> unrestricted\n"
        "  privileges    unknown -> SeChangeNotifyPrivilege\n"
        "  preshutdown   unknown -> 25s\n"
        "  may read      unknown -> C:\\apps\n"
        "  may modify    none -> C:\\ProgramData\\hello\n");
}

TEST_CASE("what is empty is shown as none") {
  const installation installed = plain();
  CHECK(changes(&installed, wanted(asked({"--description", "says hello"}), hello(), &installed)) ==
        "  description   none -> says hello\n");
  installation reply = installed;
  reply.levels.insert_or_assign(config_level_id::description, description_text{"old"});
  CHECK(changes(&reply, wanted(asked({"--description", ""}), hello(), &reply)) == "  description   old -> none\n");
}

TEST_CASE("the privileges are what every service needs, and those the app asks for, each once") {
  service_spec s = hello();
  s.privileges = {"SeImpersonatePrivilege", "sechangenotifyprivilege"};
  CHECK(level_text(wanted({}, s), config_level_id::required_privileges) == "SeChangeNotifyPrivilege, SeImpersonatePrivilege");
}

TEST_CASE("a service SID that an administrator made stricter stays so") {
  installation installed = plain();
  installed.levels.insert_or_assign(config_level_id::sid_type, sid_type{sid_type::restricted});
  CHECK(plan_install(&installed, wanted({}, hello(), &installed), ours).changes.empty());
}

TEST_CASE("a password is asked for when a person's account is new, asked for, or its password piped in") {
  installation installed = plain();
  installed.account = account{account_kind::user, "CORP\\anna"};
  service_spec says = hello();
  says.account = "corp\\ANNA";
  struct row { command c; service_spec s; const installation* there; bool asks; };
  const row rows[] = {
      {{}, hello(), nullptr, false},
      {{}, hello(), &installed, false},
      {{}, says, nullptr, true},
      {{}, says, &installed, false},
      {asked({"--username", "CORP\\anna"}), hello(), nullptr, true},
      {asked({"--username", "CORP\\anna"}), hello(), &installed, true},  // to change it
      {asked({"--username", "CORP\\bob"}), hello(), &installed, true},
      {asked({"--password-stdin"}), hello(), &installed, true},
      {asked({"--password-stdin"}), says, &installed, true},
      {asked({"--password-stdin"}), hello(), nullptr, false},
      {asked({"--username", "system"}), says, &installed, false},
      {asked({"--username", "CORP\\web$"}), hello(), nullptr, false},
  };
  for (const auto& r : rows) {
    const installation w = wanted(r.c, r.s, r.there);
    CHECK(w.new_password == r.asks);
    const auto plan = plan_install(r.there, w, ours);
    CHECK(plan.has(config_item::password) == r.asks);
    if (r.asks) CHECK(plan.has(config_item::logon_right));
  }
  CHECK(changes(&installed, wanted(asked({"--password-stdin"}), hello(), &installed)) ==
        "  password      unknown -> the one that is given\n"
        "  log-on right  unknown -> as a service\n");
  CHECK(plan_install(nullptr, wanted(asked({"--username", "CORP\\web$"})), ours).has(config_item::logon_right));
  CHECK_FALSE(plan_install(nullptr, wanted(asked({"--username", "system"})), ours).has(config_item::logon_right));
}

TEST_CASE("an account that is none is an error before anything is done") {
  const auto w = desired_installation(asked({"--username", "NT SERVICE\\other"}), hello(), nullptr, ours);
  REQUIRE_FALSE(w);
  CHECK(w.error().code == 1057);
}

TEST_CASE("the account of a service that is there stays, whatever it is called") {
  for (const char* name : {"LocalSystem", "NT SERVICE\\other", "CORP\\anna", "anna@corp.example", "", "a\\b\\c"}) {
    CAPTURE(name);
    installation installed = plain();
    installed.account = parse_known_account(name, "hello");
    CHECK(plan_install(&installed, wanted({}, hello(), &installed), ours).changes.empty());
  }
  CHECK(parse_known_account("NT SERVICE\\other", "hello").needs_password() == false);
  CHECK(parse_known_account("NT AUTHORITY\\NetworkService", "hello").kind == account_kind::network_service);
}

TEST_CASE("the environment is changed by name, without regard to case") {
  using e = words;
  CHECK(merged_environment({}, {}) == e{});
  CHECK(merged_environment({"A=1", "B=2"}, {"a=3", "C=4"}) == e{"a=3", "B=2", "C=4"});
  CHECK(merged_environment({"A=1", "B=2"}, {"A="}) == e{"B=2"});
  CHECK(merged_environment({"A=1"}, {"B="}) == e{"A=1"});
  CHECK(merged_environment({"AB=1"}, {"A=2"}) == e{"AB=1", "A=2"});
  CHECK(merged_environment({}, {"A=1=2", "A=3", "A="}) == e{});

  installation installed = plain();
  installed.environment = words{"A=1", "B=2"};
  CHECK(changes(&installed, wanted(asked({"--env", "B=", "--env", "C=3"}), hello(), &installed)) ==
        "  environment   A, B -> A, C\n");
  CHECK(changes(&installed, wanted(asked({"--env", "A=1"}), hello(), &installed)).empty());
  CHECK_FALSE(plan_install(nullptr, wanted(asked({"--env", "A="})), ours).has(config_item::environment));
}

TEST_CASE("who may control it is asked for user by user, and given once") {
  installation installed = plain();
  installed.control_users = {{"CORP\\anna", true}, {"Users", false}};
  CHECK(changes(&installed, wanted(asked({"--allow-control", "Users", "--allow-control", "CORP\\anna"}), hello(), &installed)) ==
        "  rights of Users none -> start and stop it\n");
}

TEST_CASE("a program in a folder that is not its own gets no right to it") {
  install_defaults root = ours;
  root.program_folder = "C:\\";
  const auto w = desired_installation({}, hello(), nullptr, root);
  REQUIRE(w);
  CHECK_FALSE(w->can_read_program_folder);
  CHECK_FALSE(plan_install(nullptr, *w, root).has(config_item::program_folder));
  root.data_folder.clear();
  CHECK_FALSE(desired_installation({}, hello(), nullptr, root)->can_modify_data_folder);
}

TEST_CASE("every level that may be refused says what is lost with it") {
  for (std::uint32_t l = 1; l <= std::variant_size_v<config_level>; ++l) {
    CAPTURE(l);
    CHECK_FALSE(consequence_of_missing(l).empty());
  }
  CHECK(consequence_of_missing(8).empty());
  for (const std::uint32_t code : {120u, 124u, 1733u}) CHECK(is_level_unreadable(code));
  for (const std::uint32_t code : {0u, 5u, 87u, 122u, 1072u}) CHECK_FALSE(is_level_unreadable(code));
  for (const auto& row : config_level_table) CHECK(row.number != config_level_id::delayed_start);  // the start type says it
}

TEST_CASE("of variables the plan shows the names: a value may be a secret") {
  using winsvc::model::format_variables;
  CHECK(format_variables({"TOKEN=hunter2", "X=1"}, {"token=hunter1"}) == "TOKEN (new value), X");
  CHECK(format_variables({}, {"A=b"}) == "none");
  CHECK(format_variables({"A=b"}, {"A=b"}) == "A");
}
