// Verbs from the view of an operator: pending restarts, held services, notes, controls, `show`, and the ownership of a
// service.
#include <winsvc/testing.hpp>

#include <doctest/doctest.h>

#include <algorithm>
#include <string>
#include <vector>

#include "fixture.hpp"

using namespace std::chrono_literals;
using namespace winsvc::detail;
using winsvc::startup;
using winsvc::testing::service_database;

namespace {

commandline::install_options options_of(std::vector<std::string> options) {
  options.insert(options.begin(), "install");
  const auto parsed = commandline::parse_command(options);
  REQUIRE(parsed);
  return parsed->install;
}
bool has(const std::string& text, std::string_view part) { return text.find(part) != std::string::npos; }
std::vector<std::string> pending(bench& b, std::uint32_t pid) {
  return b.run([&](manage::verb_context& context) {
    return manage::pending_restart(context, pid, context.query_channel("status").value_or(std::string()));
  });
}
std::size_t lines(const std::string& text) {
  return static_cast<std::size_t>(std::count(text.begin(), text.end(), '\n'));
}
commandline::control_options numbered(std::uint32_t number) {
  commandline::control_options c;
  c.number = number;
  return c;
}
winsvc::result<void> send(bench& b, std::uint32_t number) {
  return b.run([&](manage::verb_context& context) { return manage::send_control(context, numbered(number)); });
}

}  // namespace

TEST_CASE("an update of a running service names the changes that need a restart, until the process ends") {
  bench b;
  CHECK(sentence(b.install()) == "done");
  b.scm.services["hello"].process = service_database::at(scm::state::running);
  b.running_pid = 42;
  CHECK(sentence(b.update(options_of({"--port", "81", "--description", "x"}))) == "done");
  CHECK(b.warnings == "'hello' runs with the old values until it is restarted: binary; run 'restart', or use "
                      "'update --restart'\n");
  CHECK(sentence(b.update(options_of({"--env", "A=1"}))) == "done");
  CHECK(pending(b, 42) == std::vector<std::string>{"binary", "environment"});
  const auto status = b.status();
  REQUIRE(status);
  CHECK(has(host::status_text(*status), "  pending  restart, for: binary, environment; run 'restart'\n"));
  CHECK(winsvc::json::parse(host::status_json(*status))["pending_restart"].size() == 2);
  CHECK(pending(b, 43).empty());  // another process has started with the new values
  CHECK(pending(b, 0).empty());
}

TEST_CASE("status and update name a replaced program file and settings, which the running process reports") {
  bench b;
  CHECK(sentence(b.install()) == "done");
  b.scm.services["hello"].process = service_database::at(scm::state::running, 42);
  b.running_pid = 42;
  b.ask = [](const std::string& request) {
    return request == "status" ? std::optional<std::string>(R"({"pid":42,"pending_restart":"program file, setting port"})")
                               : std::nullopt;
  };
  CHECK(pending(b, 42) == std::vector<std::string>{"program file", "setting port"});
  CHECK(pending(b, 43).empty());  // the answer is of another process
  CHECK(has(host::status_text(*b.status()), "  pending  restart, for: program file, setting port; run 'restart'\n"));
  CHECK(sentence(b.update()) == "done");  // nothing changes but the file
  CHECK(b.warnings == "'hello' runs with the old values until it is restarted: program file, setting port; run "
                      "'restart', or use 'update --restart'\n");
  b.warnings.clear();
  CHECK(sentence(b.update(options_of({"--env", "A=1"}))) == "done");
  CHECK(pending(b, 42) == std::vector<std::string>{"environment", "program file", "setting port"});
  CHECK(!has(b.data["pending.json"], "program file"));  // the process reports it as long as it is true
}

TEST_CASE("each item of a plan that the process reads needs a restart, and those of the service manager do not") {
  using manage::config_item;
  for (const auto item : {config_item::binary, config_item::account, config_item::password, config_item::environment,
                          config_item::service_sid, config_item::privileges})
    CHECK(manage::needs_restart(item));
  for (const auto item : {config_item::startup, config_item::display_name, config_item::description,
                          config_item::recovery, config_item::failure_flag, config_item::dependencies,
                          config_item::event_source, config_item::control})
    CHECK_FALSE(manage::needs_restart(item));
}

TEST_CASE("an update of a stopped service, or of values that need no restart, has no warning") {
  bench b;
  CHECK(sentence(b.install()) == "done");
  CHECK(sentence(b.update(options_of({"--port", "81"}))) == "done");
  b.running_pid = 42;
  CHECK(sentence(b.update(options_of({"--description", "x"}))) == "done");
  CHECK(b.warnings.empty());
  CHECK(b.data.empty());
}

TEST_CASE("an update after a start whose process has ended does not report old values, and restarts nothing") {
  bench b;
  CHECK(sentence(b.install()) == "done");
  b.scm.services["hello"].process =
      service_database::at(scm::state::start_pending, 42);  // Wine does not notice the end
  b.running_pid = 42;
  b.scm.ended_processes[42] = 3;
  auto options = options_of({"--port", "81"});
  options.restart_after = true;
  CHECK(sentence(b.update(options)) == "done");
  CHECK(b.warnings.empty());
  CHECK(has(b.output, "'hello' is not running; 'start' starts it\n"));
  CHECK(pending(b, 42).empty());
}

TEST_CASE("show has no line for values that Wine does not keep, and names an empty list of rights") {
  bench b;
  CHECK(sentence(b.install()) == "done");
  b.scm.services["hello"].security = "D:";
  const auto shown = [&b](bool as_command) {
    commandline::report_options options;
    options.as_command = as_command;
    return *b.run([&](manage::verb_context& context) { return manage::show(context, options); });
  };
  CHECK(has(shown(false), "rights        no account (D:)"));
  CHECK(has(shown(false), "depends on    none"));
  b.is_wine = true;
  CHECK(!has(shown(false), "rights"));
  CHECK(!has(shown(false), "depends on"));
  CHECK(!has(shown(true), "--depends"));
  b.scm.services["hello"].security = "D:(A;;FA;;;S-1-5-18)";
  CHECK(has(shown(false), "rights        D:(A;;FA;;;S-1-5-18)"));
}

TEST_CASE("update --restart restarts a running service and leaves a stopped one stopped") {
  bench b;
  CHECK(sentence(b.install()) == "done");
  auto options = options_of({"--port", "81"});
  options.restart_after = true;
  CHECK(sentence(b.update(options)) == "done");
  CHECK(has(b.output, "'hello' is not running; 'start' starts it\n"));

  b.running_pid = 42;
  b.saved = scm::saved_state{};
  b.scm.services["hello"].process = service_database::at(scm::state::running);
  b.scm.after_stop = {service_database::at(scm::state::stopped)};
  b.scm.after_start = {service_database::at(scm::state::running)};
  options = options_of({"--port", "82"});
  options.restart_after = true;
  CHECK(sentence(b.update(options)) == "done");
  CHECK(has(b.output, "stopped 'hello'\nstarted 'hello'\n"));
  CHECK(b.warnings.empty());
}

TEST_CASE("under Wine, an install prints one note and no other warning") {
  bench b;
  b.is_wine = true;
  for (std::uint32_t number = 4; number <= 7; ++number) b.scm.fail_level_with[number] = 124;
  b.scm.fail_with["account_sid"] = 1332;
  b.scm.fail_with["query_folder_security"] = 50;
  CHECK(sentence(b.install()) == "done");
  CHECK(b.warnings == std::string(manage::verb_context::wine_note) + '\n');
  b.warnings.clear();
  CHECK(sentence(b.update(options_of({"--port", "81"}))) == "done");
  CHECK(lines(b.warnings) <= 1);
}

TEST_CASE("requests without an effect are named, and a dependency on itself is rejected") {
  bench b;
  b.missing_services = {"nope"};
  CHECK(sentence(b.install(options_of({"--depends", "nope,tcpip,+group", "--env", "NOPE=", "--unset", "greeting"}))) ==
        "done");
  CHECK(has(b.warnings, "--depends: 'nope' is not installed; the service cannot start without it\n"));
  CHECK(has(b.warnings, "--env NOPE=: the service has no variable 'NOPE'\n"));
  CHECK(has(b.warnings, "--unset greeting: the installed service has no such value\n"));
  CHECK(lines(b.warnings) == 3);
  b.warnings.clear();
  CHECK(sentence(b.update(options_of({"--set", "api_key=a", "--env", "DB_PASSWORD=b", "--env", "KITCHEN=warm",
                                      "--set", "key_file=c", "--env", "OLD_TOKEN="}))) == "done");
  CHECK(has(b.warnings, "--set api_key, --env DB_PASSWORD: each user of this computer can read the value in the "
                        "configuration of the service; write the setting to the settings file\n"));

  const auto done = b.update(options_of({"--depends", "HELLO"}));
  REQUIRE_FALSE(done);
  CHECK(done.error().origin == winsvc::error::origin_kind::command_line);
  CHECK(has(sentence(done), "the service cannot depend on itself"));

  b.warnings.clear();
  CHECK(sentence(b.update(options_of({"--set", "greeting=hi", "--env", "A=1"}))) == "done");
  CHECK(sentence(b.update(options_of({"--unset", "greeting", "--env", "a="}))) == "done");
  CHECK(b.warnings.empty());
}

TEST_CASE("an ImagePath of this executable without quotes is ours, and update quotes it and keeps its options") {
  bench b;
  b.defaults.executable = "C:\\Program Files\\hello.exe";
  b.scm.add("hello", "C:\\Program Files\\hello.exe run-service --port 81");
  CHECK(sentence(b.update()) == "done");
  CHECK(b.scm.services["hello"].config.binary == "\"C:\\Program Files\\hello.exe\" run-service --port 81");
}

TEST_CASE("a service of another program is not ours") {
  bench b;
  b.scm.add("hello", "C:\\Program Files\\other.exe");
  const auto check = [&b] {
    return b.run([](manage::verb_context& context) { return context.check_own_service("stop"); });
  };
  CHECK(sentence(check()) == "stop 'hello': a service of another program has this name: C:\\Program Files\\other.exe "
                             "(1073); rename the app");
  b.scm.services["hello"].config.binary = "\"D:\\elsewhere\\hello.exe\" run-service";
  CHECK(sentence(check()) == "done");
  b.scm.services.clear();
  CHECK(sentence(check()) == "done");
}

TEST_CASE("stop --hold disables the service, and start restores its start type") {
  for (const auto type : {startup::automatic, startup::manual, startup::delayed}) {
    bench b;
    auto& service = b.installed(scm::state::running);
    service.config.startup = type == startup::delayed ? startup::automatic : type;
    if (type == startup::delayed) service.levels[scm::config_level_id::delayed_start] = scm::delayed_start{true};
    b.scm.after_stop = {service_database::at(scm::state::stopped)};
    b.scm.after_start = {service_database::at(scm::state::running)};
    commandline::control_options hold;
    hold.hold = true;
    CHECK(sentence(b.stop(hold)) == "done");
    CHECK(b.output == "'hello' is disabled until 'start'\nstopped 'hello'\n");
    CHECK(b.scm.services["hello"].config.startup == startup::disabled);
    CHECK(b.status()->held);
    CHECK(sentence(b.start()) == "done");
    CHECK(b.scm.services["hello"].config.startup == (type == startup::delayed ? startup::automatic : type));
    CHECK(b.data.empty());
  }
}

TEST_CASE("stop --hold changes nothing if it cannot save the start type") {
  bench b;
  b.installed(scm::state::running).config.startup = startup::automatic;
  b.write_error = 112;  // ERROR_DISK_FULL
  commandline::control_options hold;
  hold.hold = true;
  const auto stopped = b.stop(hold);
  REQUIRE_FALSE(stopped);
  CHECK(stopped.error().code == 112);
  CHECK(has(stopped.error().to_string(), "write 'hold.json': "));
  CHECK(has(stopped.error().to_string(), "; 'stop --hold' saves the start type in this file of the data folder"));
  CHECK(b.scm.services["hello"].config.startup == startup::automatic);
  CHECK(b.scm.services["hello"].process.status.current == scm::state::running);
  CHECK(b.data.empty());
}

TEST_CASE("start of a held service warns if it cannot restore the delay or remove the file") {
  bench b;
  auto& service = b.installed();
  service.config.startup = startup::disabled;
  b.data["hold.json"] = R"({"startup":"delayed"})";
  b.write_error = 5;  // ERROR_ACCESS_DENIED
  b.scm.fail_level_with[scm::config_level_id::delayed_start] = 1784;  // ERROR_INVALID_USER_BUFFER
  b.scm.after_start = {service_database::at(scm::state::running)};
  CHECK(sentence(b.start()) == "done");
  CHECK(b.scm.services["hello"].config.startup == startup::automatic);
  CHECK(has(b.warnings, "without the delay that it had before 'stop --hold'"));
  CHECK(has(b.warnings, "cannot remove the file hold.json in the data folder: "));
}

TEST_CASE("stop of a failed service warns of a queued restart, and of a stopped one it does not") {
  bench failed;
  auto& service = failed.installed();
  service.process = service_database::at(scm::state::stopped, 0, 0, {1067, 0});
  service.levels[scm::config_level_id::failure_actions] = scm::default_recovery();
  CHECK(sentence(failed.stop()) == "done");
  CHECK(has(failed.warnings, "'stop --hold'"));

  bench stopped;
  stopped.installed().levels[scm::config_level_id::failure_actions] = scm::default_recovery();
  CHECK(sentence(stopped.stop()) == "done");
  CHECK(stopped.warnings.empty());
}

TEST_CASE("a start whose process has ended fails at once, with its exit code and what it was doing") {
  bench b;
  b.installed();
  b.scm.after_start = {service_database::at(scm::state::start_pending, 42)};
  b.scm.ended_processes[42] = 3;
  scm::saved_state left;
  left.pid = 42;
  left.running = true;
  b.saved_by_start = left;
  std::string entry(os::activity_bytes, '\0');
  entry[0] = 1;
  entry.replace(1, 17, "start hook 'open'");
  b.data["activity"] = entry;
  const auto before = b.time.now();
  CHECK(sentence(b.start()) == "start 'hello': the process (pid 42) ended with exit code 3 while running start hook "
                               "'open' (1067)");
  CHECK(b.time.now() - before < 2s);
}

TEST_CASE("status of a process that was killed names what it did, also before the service manager has noticed it") {
  for (const bool is_noticed : {true, false}) {
    CAPTURE(is_noticed);
    bench b;
    b.installed();
    b.scm.services["hello"].process =
        is_noticed ? service_database::at(scm::state::stopped, 0) : service_database::at(scm::state::running, 42);
    b.scm.ended_processes[42] = 9;
    scm::saved_state left;
    left.pid = 42;
    left.running = true;
    left.url = "http://127.0.0.1:1";
    b.saved = left;
    std::string entry(os::activity_bytes, '\0');
    entry[0] = 1;
    entry.replace(1, 6, "GET /x");
    b.data["activity"] = entry;

    const auto report = b.status();

    REQUIRE(report);
    CHECK(report->process.status.current == scm::state::stopped);
    CHECK(report->saved_state.failure == "the process (pid 42) ended with exit code 9 while running GET /x");
    CHECK(report->saved_state.url.empty());
  }
}

TEST_CASE("stop of a service whose process ended during its start does not wait") {
  for (const std::uint32_t refusal : {1061u, 1052u}) {
    CAPTURE(refusal);
    bench b;
    b.installed();
    b.scm.services["hello"].process = service_database::at(scm::state::start_pending, 42);
    b.scm.fail_with["control_service"] = refusal;
    b.scm.ended_processes[42] = 3;
    const auto before = b.time.now();
    CHECK(sentence(b.stop()) == "done");
    CHECK(b.time.now() - before < 2s);
  }
}

TEST_CASE("a stop that is rejected because the service has stopped in the meantime succeeds") {
  for (const std::uint32_t refusal : {1061u, 1052u}) {
    CAPTURE(refusal);
    bench b;
    b.installed();
    b.scm.services["hello"].process = service_database::at(scm::state::stopped);
    b.scm.fail_with["control_service"] = refusal;
    CHECK(sentence(b.stop()) == "done");
    CHECK(sentence(b.remove()) == "done");
  }
}

TEST_CASE("the message of a failed start has the operation and the name once") {
  bench b;
  b.installed();
  b.scm.after_start = {service_database::at(scm::state::stopped, 0, 0, {1064, 0})};
  scm::saved_state left;
  left.pid = 42;
  left.failure = "start 'hello': hook 'open' threw: locked (1064)";
  b.saved_by_start = left;
  CHECK(sentence(b.start()) == left.failure);
  bench other;
  other.installed();
  other.scm.after_start = b.scm.after_start;
  left.failure = "listen on '127.0.0.1:80': the port is taken (10048)";
  other.saved_by_start = left;
  CHECK(has(sentence(other.start()), "start 'hello': listen on '127.0.0.1:80': the port is taken"));
}

TEST_CASE("a control without a hook is not sent, and the result of a hook comes from the service") {
  bench b;
  b.installed(scm::state::running);
  b.ask = [](const std::string&) { return std::optional<std::string>("none"); };
  CHECK(sentence(send(b, 202)) == "control 'hello': the service has no on_control 202 hook (1052)");
  CHECK_FALSE(b.called("control_service"));

  int requests = 0;
  b.ask = [&requests](const std::string& request) {
    CHECK(request == "control 201");
    return std::optional<std::string>(++requests < 3 ? "4 0" : "5 5");  // the hook completes after the second request
  };
  const auto done = send(b, 201);
  REQUIRE_FALSE(done);
  CHECK(done.error().code == 5);
  CHECK(has(sentence(done), "the hook for 201 returned: "));
  requests = 0;
  b.ask = [&requests](const std::string&) { return std::optional<std::string>(++requests < 2 ? "0 0" : "1 0"); };
  b.output.clear();
  CHECK(sentence(send(b, 201)) == "done");
  CHECK(b.output == "'hello' completed control 201\n");
}

TEST_CASE("--no-wait of start, pause, continue and restart prints the control that was sent") {
  commandline::control_options no_wait;
  no_wait.no_wait = true;
  bench b;
  b.installed();
  CHECK(sentence(b.start(no_wait)) == "done");
  b.scm.services["hello"].process = service_database::at(scm::state::running);
  b.scm.after_stop = {service_database::at(scm::state::stopped)};
  CHECK(sentence(b.restart(no_wait)) == "done");
  CHECK(b.output == "sent 'start' to 'hello'\nstopped 'hello'\nsent 'start' to 'hello'\n");
  b.output.clear();
  b.scm.services["hello"].next.clear();
  b.scm.services["hello"].process = service_database::at(scm::state::running);
  CHECK(sentence(b.run([&](manage::verb_context& c) { return manage::pause(c, no_wait); })) == "done");
  b.scm.services["hello"].process = service_database::at(scm::state::paused);
  CHECK(sentence(b.run([&](manage::verb_context& c) { return manage::resume(c, no_wait); })) == "done");
  CHECK(b.output == "sent 'pause' to 'hello'\nsent 'continue' to 'hello'\n");
}

TEST_CASE("show has everything that install sets, and its command installs the same") {
  bench b;
  CHECK(sentence(b.install(options_of({"--startup", "manual", "--port", "81", "--set", "a=b c", "--env", "KITCHEN=x",
                                       "--recovery", "run/5s,reboot/1m", "--recovery-command", "C:\\fix.exe",
                                       "--priority", "high"}))) == "done");
  const auto shown = [&b](bool json, bool command) {
    commandline::report_options options;
    options.json = json;
    options.as_command = command;
    const auto text = b.run([&](manage::verb_context& context) { return manage::show(context, options); });
    REQUIRE(text);
    return *text;
  };
  const std::string text = shown(false, false);
  for (const char* part : {"startup       manual", "account       NT SERVICE\\hello", "environment   KITCHEN",
                           "command C:\\fix.exe", "service SID   unrestricted", "rights        D:"})
    CHECK(has(text, part));
  CHECK_FALSE(has(text, "KITCHEN=x"));
  const auto object = winsvc::json::parse(shown(true, false));
  CHECK(object["startup"] == "manual");
  CHECK(object["service_sid"] == "unrestricted");

  const std::string command = shown(false, true);
  auto arguments = base::split_command_line(command.substr(0, command.size() - 1));
  CHECK(arguments[0] == b.defaults.executable);
  arguments.erase(arguments.begin());
  const auto parsed = commandline::parse_command(arguments);
  REQUIRE(parsed);
  bench copy;
  CHECK(sentence(copy.install(parsed->install)) == "done");
  CHECK(copy.scm.snapshot() == b.scm.snapshot());
}

TEST_CASE("show prints stars for values with the name of a secret, and a warning with the names") {
  bench b;
  CHECK(sentence(b.install(options_of({"--set", "api_key=s3cret", "--env", "DB_PASSWORD=s3cret", "--env",
                                       "KITCHEN=warm"}))) == "done");
  for (const bool command : {true, false}) {
    commandline::report_options options;
    options.json = !command;
    options.as_command = command;
    b.warnings.clear();
    const auto shown = b.run([&](manage::verb_context& context) { return manage::show(context, options); });
    REQUIRE(shown);
    CHECK_FALSE(has(*shown, "s3cret"));
    CHECK(has(*shown, "--set api_key=******"));
    CHECK(has(*shown, "--env DB_PASSWORD=****** --env KITCHEN=warm"));
    CHECK(has(b.warnings, "replace them: api_key, DB_PASSWORD") == command);
  }
}

TEST_CASE("install, its plan, status and status --all show stars in the command line of the service") {
  bench b;
  CHECK(sentence(b.install(options_of({"--set", "api_key=s3cret", "--set", "a=1"}))) == "done");
  CHECK(has(b.output, "run-service --set api_key=****** --set a=1\n"));
  CHECK(has(b.scm.services["hello"].config.binary, "api_key=s3cret"));
  CHECK(sentence(b.update(options_of({"--plan", "--set", "api_key=s3cret2"}))) == "done");  // a change of stars only
  CHECK(has(b.output, "these values change:\n  binary"));
  const auto services = b.run([](manage::verb_context& context) { return manage::find_instances(context); });
  REQUIRE(services);
  CHECK(has(manage::instances_json(*services), "--set api_key=******"));
  const auto status = b.status();
  REQUIRE(status);
  CHECK(has(host::status_text(*status), "--set api_key=******"));
  b.output += manage::instances_json(*services) + host::status_text(*status) + host::status_json(*status);
  CHECK_FALSE(has(b.output, "s3cret"));
}

TEST_CASE("show of a service that is not installed is an error") {
  bench b;
  const auto text = b.run([&](manage::verb_context& context) { return manage::show(context, {}); });
  REQUIRE_FALSE(text);
  CHECK(text.error().code == 1060);
}

TEST_CASE("status --all lists the services that run this executable, and no other") {
  bench b;
  b.installed(scm::state::running);
  b.scm.add("hello$blue", "C:\\apps\\hello.exe run-service --instance blue");
  b.scm.add("other", "\"C:\\apps\\other.exe\"");
  const auto rows = b.run([&](manage::verb_context& context) { return manage::find_instances(context); });
  REQUIRE(rows);
  REQUIRE(rows->size() == 2);
  CHECK(has(manage::instances_text(*rows), "hello$blue"));
  CHECK(winsvc::json::parse(manage::instances_json(*rows))[0]["state"] == "running");
}

TEST_CASE("remove deletes the state of the service") {
  bench b;
  b.installed();
  b.data = {{"state.json", "{}"}, {"pending.json", "{}"}, {"hold.json", "{}"}, {"activity", "x"}, {"orders.db", "x"}};
  CHECK(sentence(b.remove()) == "done");
  CHECK(b.data.size() == 1);
}

TEST_CASE("a plan is printed as JSON") {
  bench b;
  auto options = options_of({"--plan"});
  options.json = true;
  CHECK(sentence(b.install(options)) == "done");
  const auto object = winsvc::json::parse(b.output);
  CHECK(object["creates"] == true);
  CHECK(object["changes"][0]["name"] == "startup");
}

namespace {

std::string shown_command(bench& b) {
  commandline::report_options options;
  options.as_command = true;
  const auto command = b.run([&](manage::verb_context& context) { return manage::show(context, options); });
  REQUIRE(command);
  return command->substr(0, command->size() - 1);
}

/// A service with recovery after 5 s, 30 s and 2 min.
struct recovering : bench {
  explicit recovering(scm::state state = scm::state::running) {
    installed(state).levels[scm::config_level_id::failure_actions] = scm::default_recovery();
    scm.after_stop = {service_database::at(winsvc::detail::scm::state::stopped)};
  }
};
scm::saved_state after_failure(const bench& b, std::chrono::seconds age) {
  scm::saved_state saved;
  saved.pid = 42;
  saved.previous_failure = winsvc::iso_time(b.time.system_now() - age) + " the store is gone";
  return saved;
}

}  // namespace

TEST_CASE("stop within the delay of a restart warns of it, also if the service was started in the meantime") {
  const std::string end = "; no command cancels that start; use 'stop --hold' to prevent every start until 'start'\n";
  recovering b;
  b.saved = after_failure(b, 20s);
  CHECK(sentence(b.stop()) == "done");
  CHECK(b.warnings == "'hello' has failed, and the service manager may start it again within 100s" + end);

  recovering no_wait;
  no_wait.saved = after_failure(no_wait, 119s);
  commandline::control_options options;
  options.no_wait = true;
  CHECK(sentence(no_wait.stop(options)) == "done");
  CHECK(has(no_wait.warnings, " within 1s;"));

  recovering old;
  old.saved = after_failure(old, 121s);
  CHECK(sentence(old.stop()) == "done");
  CHECK(old.warnings.empty());

  recovering held;
  held.saved = after_failure(held, 20s);
  commandline::control_options hold;
  hold.hold = true;
  CHECK(sentence(held.stop(hold)) == "done");
  CHECK(held.warnings.empty());

  recovering without;
  without.scm.services["hello"].levels[scm::config_level_id::failure_actions] = scm::recovery_options{};
  without.saved = after_failure(without, 20s);
  CHECK(sentence(without.stop()) == "done");
  CHECK(without.warnings.empty());
}

TEST_CASE("stop does not warn if the service manager has executed the restart that it had queued") {
  struct row { std::chrono::milliseconds start; bool is_restart; };
  for (const auto& r : {row{4'900ms, false}, row{5'300ms, true}, row{9'900ms, true}, row{10'100ms, false},
                        row{31s, true}, row{40s, false}}) {
    CAPTURE(r.start.count());
    recovering b;
    b.saved = after_failure(b, 60s);
    b.saved->start_ms = 2'000;
    b.saved->since = winsvc::iso_time(b.time.system_now() - 60s + r.start + 2s);
    CHECK(sentence(b.stop()) == "done");
    if (r.is_restart) CHECK(b.warnings.empty());
    else CHECK(has(b.warnings, " within 1m;"));
  }
}

TEST_CASE("stop warns without a time left if the failure is in the future, because the clock was set back") {
  recovering b;
  b.saved = after_failure(b, -3600s);
  CHECK(sentence(b.stop()) == "done");
  CHECK(has(b.warnings, " may start it again within 2m of the failure;"));

  recovering restarted;
  restarted.saved = after_failure(restarted, -3600s);
  restarted.saved->start_ms = 1'000;
  restarted.saved->since = winsvc::iso_time(restarted.time.system_now() + 3600s + 7s);
  CHECK(sentence(restarted.stop()) == "done");
  CHECK(restarted.warnings.empty());
}

TEST_CASE("the time of the warning includes the limits of a minidump that has no result yet") {
  for (const bool is_stopped : {false, true}) {
    for (const std::string result : {"", "; dump: C:\\x.dmp", "; no dump: disk full (112)"}) {
      CAPTURE(result);
      recovering b(is_stopped ? scm::state::stopped : scm::state::running);
      b.saved = after_failure(b, 20s);
      const std::string time = winsvc::iso_time(b.time.system_now() - 20s), failure = "crashed: a signal" + result;
      b.saved->previous_failure = time + ' ' + failure;
      if (is_stopped) {
        b.scm.services["hello"].process = service_database::at(scm::state::stopped, 0, 0, {1067, 0});
        b.saved->failure = failure;
        b.saved->written_at = time;
      }
      CHECK(sentence(b.stop()) == "done");
      CHECK(has(b.warnings, result.empty() ? " within 175s;" : " within 100s;"));
    }
  }
}

TEST_CASE("stop of a service that was killed before warns until the run is older than each delay") {
  for (const auto age : {30s, 300s}) {
    recovering b;
    b.saved = scm::saved_state{};
    b.saved->previous_failure = "the run that began at 2026-01-31T08:05:09.250Z (pid 7) ended without an exit code";
    b.saved->since = winsvc::iso_time(b.time.system_now() - age);
    CHECK(sentence(b.stop()) == "done");
    CHECK(has(b.warnings, " within 90s;") == (age == 30s));
  }
}

TEST_CASE("a stop that itself ends as a failure, or whose process has ended, warns of the restart") {
  recovering b;
  b.scm.after_stop = {service_database::at(scm::state::stopped, 0, 0, {1066, 7})};
  CHECK(has(sentence(b.stop()), "stopped 'hello', but: "));
  CHECK(has(b.warnings, "may start it again within 2m;"));

  recovering incomplete;  // a handler was aborted: exit code 0, so that the SCM does not restart it
  incomplete.saved_by_stop = scm::saved_state{};
  incomplete.saved_by_stop->failure = "1 request handler did not return";
  CHECK(has(sentence(incomplete.stop()), "1 request handler"));
  CHECK(incomplete.warnings.empty());

  recovering killed;
  killed.scm.ended_processes[42] = 9;
  killed.scm.fail_with["control_service"] = 1061;
  CHECK(sentence(killed.stop()) == "done");
  CHECK(has(killed.warnings, "may start it again within 2m;"));
}

TEST_CASE("stop of a stopped service warns until the restart after its failure is over") {
  struct row { std::optional<std::chrono::seconds> age; const char* text; };
  for (const auto& r : {row{20s, " within 100s;"}, row{121s, ""}, row{std::nullopt, " within 2m of the failure;"}}) {
    recovering b(scm::state::stopped);
    b.scm.services["hello"].process = service_database::at(scm::state::stopped, 0, 0, {1064, 0});
    b.saved = scm::saved_state{};
    if (r.age) {
      b.saved->failure = "the store is gone";
      b.saved->written_at = winsvc::iso_time(b.time.system_now() - *r.age);
    }
    CHECK(sentence(b.stop()) == "done");
    if (*r.text == 0) CHECK(b.warnings.empty());
    else CHECK(has(b.warnings, r.text));
  }
  recovering never(scm::state::stopped);
  never.scm.services["hello"].process = service_database::at(scm::state::stopped, 0, 0, {1077, 0});
  CHECK(sentence(never.stop()) == "done");
  CHECK(never.warnings.empty());
}

TEST_CASE("the first start of a virtual account prints a line before it, and no other start does") {
  bench b;
  CHECK(sentence(b.install()) == "done");
  b.scm.after_start = {service_database::at(scm::state::running)};
  b.output.clear();
  CHECK(sentence(b.start()) == "done");
  CHECK(b.output == "starting 'hello': at the first start, Windows creates a profile for 'NT SERVICE\\hello', which may "
                    "take several seconds\nstarted 'hello'\n");

  for (const int variant : {0, 1, 2, 3}) {
    CAPTURE(variant);
    bench other;
    if (variant == 0) other.saved = scm::saved_state{};  // it has run before
    if (variant == 1) other.is_wine = true;
    if (variant == 3) other.is_state_readable = false;
    CHECK(sentence(other.install()) == "done");
    if (variant == 2) other.scm.services["hello"].config.account = "LocalSystem";
    other.scm.after_start = {service_database::at(scm::state::running)};
    other.output.clear();
    CHECK(sentence(other.start()) == "done");
    CHECK(other.output == "started 'hello'\n");
  }
}

TEST_CASE("the dependencies of the app are checked as those of the command line") {
  bench b;
  b.missing_services = {"nope"};
  b.spec.depends_on = std::vector<std::string>{"nope", "tcpip"};
  CHECK(sentence(b.install()) == "done");
  CHECK(b.warnings == "depends_on: 'nope' is not installed; the service cannot start without it\n");
  bench itself;
  itself.spec.depends_on = std::vector<std::string>{"Hello"};
  CHECK(has(sentence(itself.install()), "depends_on: the service cannot depend on itself ('Hello')"));
  CHECK(itself.scm.services.empty());
}

TEST_CASE("a dependency that leads back to the service is rejected with its path, and other cycles are not ours") {
  bench b;
  b.scm.add("store", "x").config.dependencies = {"+group", "cache", "queue"};
  b.scm.add("cache", "x").config.dependencies = {"store"};
  b.scm.add("queue", "x").config.dependencies = {"HELLO"};
  const auto done = b.install(options_of({"--depends", "store"}));
  REQUIRE_FALSE(done);
  CHECK(done.error().code == 1059);
  CHECK(has(sentence(done), "install 'hello': its dependencies form a cycle: hello -> store -> queue -> HELLO (1059)"));
  CHECK(b.scm.services.count("hello") == 0);
  b.scm.services["queue"].config.dependencies.clear();
  CHECK(sentence(b.install(options_of({"--depends", "store"}))) == "done");
  CHECK(b.warnings.empty());
  CHECK(b.scm.open_handles() == 0);
}

TEST_CASE("the command of show has the users who may control the service") {
  bench b;
  b.scm.accounts = {{"CORP\\ops", "S-1-5-21-8"}, {"Users", "S-1-5-32-545"}};
  CHECK(sentence(b.install(options_of({"--allow-control", "Users", "--allow-control", "CORP\\ops"}))) == "done");
  commandline::report_options options;
  const auto text = b.run([&](manage::verb_context& context) { return manage::show(context, options); });
  REQUIRE(text);
  CHECK(has(*text, "controlled by CORP\\ops, Users"));
  const std::string command = shown_command(b);
  CHECK(has(command, " --allow-control CORP\\ops --allow-control Users"));

  auto arguments = base::split_command_line(command);
  arguments.erase(arguments.begin());
  bench copy;
  copy.scm.accounts = b.scm.accounts;
  CHECK(sentence(copy.install(options_of({arguments.begin() + 1, arguments.end()}))) == "done");
  CHECK(has(copy.scm.services["hello"].security, ";S-1-5-21-8)"));
  CHECK(copy.scm.services["hello"].security == b.scm.services["hello"].security);
}

TEST_CASE("the command of show has the SID of a user without a name, and install accepts it") {
  bench b;
  b.scm.accounts = {{"CORP\\gone", "S-1-5-21-9-1001"}};
  CHECK(sentence(b.install(options_of({"--allow-control", "CORP\\gone"}))) == "done");
  b.scm.accounts.clear();  // the account was deleted
  const std::string command = shown_command(b);
  CHECK(has(command, " --allow-control S-1-5-21-9-1001"));

  auto arguments = base::split_command_line(command);
  bench copy;
  CHECK(sentence(copy.install(options_of({arguments.begin() + 2, arguments.end()}))) == "done");
  CHECK(copy.scm.services["hello"].security == b.scm.services["hello"].security);

  const auto refused = copy.update(options_of({"--allow-control", "S-1-5-x"}));
  CHECK(has(sentence(refused), "find the account 'S-1-5-x': "));
}

TEST_CASE("a control to a service whose process has ended is explained") {
  bench b;
  b.installed(scm::state::running);
  b.scm.fail_with["control_service"] = 232;
  const auto pause = b.run([](manage::verb_context& context) { return manage::pause(context, {}); });
  CHECK(sentence(pause) == "pause 'hello': the other end of the pipe was closed; its process may have ended (232); "
                           "check with 'status' whether the service still runs");
}
