// Command-line parser.
#include "winsvc/commandline/parse_command.hpp"

#include "error_text.hpp"

#include <doctest/doctest.h>

using namespace winsvc;
using namespace winsvc::detail::commandline;
using namespace winsvc::detail::scm;
using namespace std::chrono_literals;

namespace {

/// Returns a value that the option accepts.
std::string sample_value(const option_info& o) {
  switch (o.id) {
    case option::startup: return "manual";
    case option::display_name: return "Hello service";
    case option::description: return "Greets the network";
    case option::username: return "CORP\\anna";
    case option::depends: return "tcpip,+net";
    case option::recovery: return "restart/5s,none";
    case option::recovery_reset: return "2h";
    case option::preshutdown: return "45s";
    case option::environment: return "A=b=c";
    case option::allow_control: return "CORP\\operators";
    case option::host: return "0.0.0.0";
    case option::port: return "5001";
    case option::set: return "greeting=hi=all";
    case option::unset: return "store.path";
    case option::config: return "C:\\data\\hello.ini";
    case option::report: return "report.html";
    case option::lines: return "50";
    case option::level: return "error";
    case option::since: return "10m";
    case option::instance: return "blue";
    case option::wait: return "90";
    case option::elevated: return "pipe-1";
    case option::argument: return "--fast";
    case option::why: return "new disk";
    case option::priority: return "high";
    case option::recovery_command: return "C:\\fix.exe /now";
    case option::restart_limit: return "5";
    default: return {};
  }
}

using pairs = std::vector<std::pair<std::string, std::string>>;

/// True if the option has its sample value in the command.
bool is_applied(const command& c, option o) {
  switch (o) {
    case option::startup: return c.install.request.startup == winsvc::startup::manual;
    case option::display_name: return c.install.request.display_name == "Hello service";
    case option::description: return c.install.request.description == "Greets the network";
    case option::username: return c.install.request.username == "CORP\\anna";
    case option::password_stdin: return c.install.request.reads_password;
    case option::depends: return c.install.request.depends_on == words{"tcpip", "+net"};
    case option::recovery: return c.install.request.recovery == std::vector{restart_after(5s), no_action()};
    case option::recovery_reset: return c.install.request.recovery_reset == 7200s;
    case option::preshutdown: return c.launch.preshutdown == 45s;
    case option::environment: return c.install.request.environment == words{"A=b=c"};
    case option::allow_control: return c.install.request.allow_control == words{"CORP\\operators"};
    case option::allow_writable_folder: return c.install.allow_writable_folder;
    case option::host: return c.launch.host == "0.0.0.0";
    case option::port: return c.launch.port == 5001;
    case option::set: return c.launch.settings == pairs{{"greeting", "hi=all"}};
    case option::unset: return c.launch.unset_settings == words{"store.path"};
    case option::config: return c.launch.config == "C:\\data\\hello.ini";
    case option::init: return c.report.init;
    case option::fix: return c.report.fix;
    case option::report: return c.report.file == "report.html";
    case option::lines: return c.log.max_entries == 50u;
    case option::follow: return c.log.follow;
    case option::level: return c.log.level == winsvc::log_level::error;
    case option::since: return c.log.since == 10min;
    case option::instance: return c.launch.instance == "blue";
    case option::start_after: return c.install.start_after;
    case option::plan: return c.install.plan;
    case option::force: return c.control.force;
    case option::wait: return c.control.wait == 90s;
    case option::no_wait: return c.control.no_wait;
    case option::json: return c.report.json;
    case option::no_elevate: return c.no_elevate;
    case option::elevated: return c.elevated == "pipe-1";
    case option::argument: return c.control.arguments == words{"--fast"};
    case option::why: return c.control.stop_reason == "new disk";
    case option::restart_after: return c.install.restart_after;
    case option::hold: return c.control.hold;
    case option::data: return c.control.remove_data;
    case option::all: return c.report.all;
    case option::as_command: return c.report.as_command;
    case option::quiet: return c.quiet;
    case option::recovery_command: return c.install.request.recovery_command == "C:\\fix.exe /now";
    case option::restart_limit: return c.install.request.restart_limit == 5u;
    case option::priority: return c.launch.priority == process_priority::high;
  }
  return false;
}

/// Returns the verb with the arguments that it requires.
words minimal(const std::string& verb) {
  if (detail::base::equal_nocase(verb, "level")) return {verb, "warn"};
  return detail::base::equal_nocase(verb, "control") ? words{verb, "200"} : words{verb};
}
words joined(words first, const words& second) {
  first.insert(first.end(), second.begin(), second.end());
  return first;
}

std::string upper_case(std::string_view s) {
  std::string out(s);
  for (char& c : out) c = detail::base::to_upper(c);
  return out;
}

}  // namespace

TEST_CASE("every verb accepts only its options in the table, in both forms and in any case") {
  for (const auto& v : verb_table) {
    for (const auto& o : option_table) {
      CAPTURE(v.word);
      CAPTURE(o.word);
      const std::string verb(v.word), option(o.word), value = sample_value(o);
      std::vector<words> forms;
      for (const std::string& spelling : {option, upper_case(option)}) {
        if (o.value.empty()) {
          forms.push_back(joined(minimal(verb), {spelling}));
        } else {
          forms.push_back(joined(minimal(verb), {spelling, value}));
          forms.push_back(joined(minimal(upper_case(verb)), {spelling + "=" + value}));
        }
      }
      const bool needs_plan = o.id == option::json && (verb_bit(v.id) & verbs_that_install) != 0;
      for (auto& form : forms) {
        if (needs_plan) form.push_back("--plan");
        const auto result = parse_command(form);
        if ((o.verbs & verb_bit(v.id)) != 0) {
          REQUIRE(result);
          CHECK(result->verb == v.id);
          CHECK(is_applied(*result, o.id));
        } else {
          REQUIRE_FALSE(result);
          CHECK(result.error().origin == error::origin_kind::command_line);
          CHECK(contains(result.error().message, "does not accept the option"));
          CHECK(contains(result.error().hint, "help " + verb));
        }
      }
    }
  }
}

TEST_CASE("every verb is accepted by name and alias in any case, and sets no option") {
  for (const auto& v : verb_table) {
    auto spellings = detail::base::split(v.aliases, ' ');
    spellings.push_back(v.word);
    for (const std::string_view word : spellings) {
      if (word.empty()) continue;
      for (const std::string& spelling : {std::string(word), upper_case(word)}) {
        const auto result = parse_command(minimal(spelling));
        REQUIRE(result);
        CHECK(result->verb == v.id);
        CHECK_FALSE(result->no_arguments);
        CHECK_FALSE(result->topic);
        for (const auto& o : option_table) CHECK_FALSE(is_applied(*result, o.id));
        CHECK_FALSE(result->launch.host);
        CHECK_FALSE(result->launch.port);
        CHECK_FALSE(result->install.request.startup);
        CHECK_FALSE(result->control.no_wait);
        CHECK_FALSE(result->report.json);
        CHECK(result->control.wait == 60s);
      }
    }
  }
}

TEST_CASE("a command has no option until one is set") {
  const command c;
  CHECK(c.verb == verb::help);
  CHECK_FALSE((c.no_arguments || c.topic || c.quiet || c.no_elevate || c.elevated));
  const auto& install = c.install;
  CHECK_FALSE((install.must_exist || install.start_after || install.restart_after || install.allow_writable_folder ||
               install.plan || install.json));
  CHECK_FALSE((c.control.force || c.control.no_wait || c.control.hold || c.control.remove_data || c.control.number));
  CHECK(c.control.wait == 60s);
  CHECK_FALSE((c.log.max_entries || c.log.follow || c.log.has_level || c.log.since));
  CHECK(c.log.level == log_level::debug);
  const auto& report = c.report;
  CHECK_FALSE((report.json || report.all || report.as_command || report.init || report.fix || report.file));
}

TEST_CASE("install has the options for the start of the service; update requires the service") {
  const auto install = parse_command({"install", "--port", "80", "--set", "a=1"});
  CHECK(install->install.request.launch.port == 80);
  CHECK(install->install.request.launch.settings == pairs{{"a", "1"}});
  CHECK_FALSE(install->install.must_exist);
  CHECK(parse_command({"update"})->install.must_exist);
}

TEST_CASE("an empty command line is help, with no_arguments set") {
  const auto result = parse_command({});
  REQUIRE(result);
  CHECK(result->verb == verb::help);
  CHECK(result->no_arguments);
}

TEST_CASE("options are accepted in any number and order, and the last value wins") {
  const auto result = parse_command({"install", "--port", "1", "--host=::1", "--startup", "Delayed", "--port=2",
                                  "--display-name", "A = B", "--description="});
  REQUIRE(result);
  CHECK(*result->launch.port == 2);
  CHECK(*result->launch.host == "::1");
  CHECK(*result->install.request.startup == startup::delayed);
  CHECK(*result->install.request.display_name == "A = B");
  CHECK(result->install.request.description->empty());
  CHECK(*parse_command({"install", "--description=a=b"})->install.request.description == "a=b");
}

TEST_CASE("every usual spelling of help is accepted") {
  for (const std::string word : {"help", "HELP", "--help", "--Help", "-h", "-H", "/?", "-?"}) {
    CAPTURE(word);
    const auto result = parse_command({word});
    REQUIRE(result);
    CHECK(result->verb == verb::help);
    CHECK_FALSE(result->topic);
  }
  for (const auto& v : verb_table) {
    for (const words& arguments :
         {words{"help", std::string(v.word)}, words{std::string(v.word), "--help"}, words{std::string(v.word), "-h"},
          words{std::string(v.word), "/?"}, words{std::string(v.word), "-?"}, words{std::string(v.word), "--HELP"}}) {
      CAPTURE(detail::base::join(arguments, " "));
      const auto result = parse_command(arguments);
      REQUIRE(result);
      CHECK(result->verb == verb::help);
      CHECK(result->topic == v.id);
    }
  }
  const auto help_last = parse_command({"install", "--port", "80", "--help"});
  REQUIRE(help_last);
  CHECK(help_last->topic == verb::install);
  CHECK(parse_command({"--version"})->verb == verb::version);
  CHECK(parse_command({"--VERSION"})->verb == verb::version);
}

TEST_CASE("an unknown word suggests the nearest known word, or the help") {
  CHECK(error_text({"instal"}) == "unknown verb 'instal'; did you mean 'install'?");
  CHECK(error_text({"STRAT"}) == "unknown verb 'STRAT'; did you mean 'start'?");
  CHECK(error_text({"banana"}) == "unknown verb 'banana'; 'help' lists the verbs");
  CHECK(error_text({"run-servic"}) == "unknown verb 'run-servic'; 'help' lists the verbs");  // a hidden verb
  CHECK(error_text({""}) == "unknown verb ''; 'help' lists the verbs");
  CHECK(error_text({"help", "instal"}) == "unknown verb 'instal'; did you mean 'install'?");
  CHECK(error_text({"install", "--prot", "80"}) == "unknown option '--prot'; did you mean '--port'?");
  CHECK(error_text({"install", "--prot=80"}) == "unknown option '--prot'; did you mean '--port'?");
  CHECK(error_text({"install", "--banana"}) == "unknown option '--banana'; 'help install' lists the options");
  CHECK(error_text({"install", "--"}) == "unknown option '--'; 'help install' lists the options");
  // An option that this verb does not accept is never suggested.
  CHECK(error_text({"help", "--jsn"}) == "unknown option '--jsn'; 'help help' lists the options");
}

TEST_CASE("options may precede the verb, as in pywin32") {
  const auto result = parse_command({"--startup", "auto", "--username=anna", "--start", "install", "--port", "80"});
  REQUIRE(result);
  CHECK(result->verb == verb::install);
  CHECK(result->install.request.startup == startup::automatic);
  CHECK(result->install.request.username == "anna");
  CHECK(result->install.start_after);
  CHECK(result->launch.port == 80);
  CHECK(parse_command({"--wait", "5", "start"})->control.wait == 5s);
  CHECK(parse_command({"--display-name", "install", "update"})->verb == verb::update);  // a value is not a verb
  CHECK(error_text({"--banana", "install"}) == "unknown option '--banana'; 'help install' lists the options");
  CHECK(error_text({"--wait", "5"}) == "unknown verb '--wait'; 'help' lists the verbs");
  CHECK(error_text({"--wait"}) == "unknown verb '--wait'; 'help' lists the verbs");
  CHECK(error_text({"--", "start"}) == "unknown verb '--'; 'help' lists the verbs");
  CHECK(parse_command({"--help", "install"})->verb == verb::help);
  CHECK(parse_command({"--help", "install"})->topic == verb::install);
}

TEST_CASE("hidden options are accepted, but neither shown nor suggested") {
  CHECK(parse_command({"install", "--elevated", "p"})->elevated == "p");
  CHECK(error_text({"install", "--elevate"}) == "unknown option '--elevate'; did you mean '--no-elevate'?");
  CHECK_FALSE(contains(help_text("app", verb::start), "--argument"));
}

TEST_CASE("the elevated process gets the same command, even if an option is appended") {
  struct row { words arguments; words elevated; };
  const row rows[] = {
      {{"install", "--port", "80"}, {"install", "--port", "80"}},
      {{"start", "--wait", "5", "--"}, {"start", "--wait", "5"}},
      {{"start", "--", "a b", "", "--", "-x"},
       {"start", "--argument=a b", "--argument=", "--argument=--", "--argument=-x"}},
  };
  for (const auto& r : rows) {
    CHECK(elevated_arguments(r.arguments) == r.elevated);
    const auto parent = parse_command(r.arguments);
    const auto child = parse_command(joined(elevated_arguments(r.arguments), {"--elevated", "p"}));
    REQUIRE(parent);
    REQUIRE(child);
    CHECK(child->control.arguments == parent->control.arguments);
    CHECK(child->control.wait == parent->control.wait);
    CHECK(child->elevated == "p");
  }
}

TEST_CASE("the options in an ImagePath are parsed again, one by one") {
  const launch_options options{"blue", "::1", 80, 90s};
  const auto parsed = launch_options_of(image_path("C:\\My tools\\app.exe", options));
  CHECK(parsed.instance == options.instance);
  CHECK(parsed.host == options.host);
  CHECK(parsed.port == options.port);
  CHECK(parsed.preshutdown == options.preshutdown);

  launch_options settings;
  settings.config = "C:\\My data\\hello.ini";
  settings.settings = {{"greeting", "a \"quoted\" = text"}, {"empty", ""}};
  CHECK(launch_options_of(image_path("C:\\app.exe", settings)).config == settings.config);
  CHECK(launch_options_of(image_path("C:\\app.exe", settings)).settings == settings.settings);
  for (const char* other : {"", "C:\\app.exe", "C:\\app.exe --port 80", "C:\\app.exe serve --port 80"})
    CHECK_FALSE(launch_options_of(other).port);
  CHECK(launch_options_of("C:\\app.exe run-service --port 80").port == 80);
  CHECK(launch_options_of("C:\\app.exe run-service --later x --port 80").port == 80);  // an option of a later version
  CHECK_FALSE(launch_options_of("C:\\app.exe run-service").port);
  CHECK_FALSE(launch_options_of("C:\\app.exe run-service --port").port);
}

TEST_CASE("a request for help or the version stays first, whatever follows") {
  CHECK(parse_command({"-h", "install"})->verb == verb::help);
  CHECK(parse_command({"-h", "install"})->topic == verb::install);
  CHECK(error_text({"--version", "status"}).find("'version'") == 0);
  CHECK(error_text({"-v", "-x", "status"}).find("unknown option '-x'") == 0);
}

TEST_CASE("--json of install needs --plan") {
  CHECK(error_text({"install", "--json"}) == "--json needs --plan; write install --plan --json");
  CHECK(error_text({"update", "--json"}) == "--json needs --plan; write update --plan --json");
  CHECK(parse_command({"update", "--plan", "--json"})->install.json);
  CHECK_FALSE(parse_command({"update", "--plan"})->install.json);
  CHECK(parse_command({"status", "--json"})->report.json);
}
