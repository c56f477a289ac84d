// From the words of the command line to what is asked, by the tables.
#include "winsvc/commandline/command.hpp"

#include <doctest/doctest.h>

using namespace winsvc;
using namespace winsvc::model;
using namespace std::chrono_literals;
using words = std::vector<std::string>;

namespace {

/// A value that the option takes.
std::string sample(const option_info& o) {
  switch (o.id) {
    case option::startup: return "manual";
    case option::display_name: return "Hello service";
    case option::description: return "Says hello";
    case option::username: return "CORP\\anna";
    case option::depends: return "tcpip,+net";
    case option::recovery: return "restart/5s,none";
    case option::recovery_reset: return "2h";
    case option::preshutdown: return "45s";
    case option::environment: return "A=b=c";
    case option::allow_control: return "CORP\\operators";
    case option::host: return "0.0.0.0";
    case option::port: return "5001";
    case option::set: return "greeting=hi=there";
    case option::unset: return "store.path";
    case option::config: return "C:\\data\\hello.ini";
    case option::lines: return "50";
    case option::level: return "error";
    case option::since: return "10m";
    case option::instance: return "blue";
    case option::wait: return "90";
    case option::elevated: return "pipe-1";
    case option::argument: return "--fast";
    case option::why: return "new disk";
    default: return {};
  }
}

using pairs = std::vector<std::pair<std::string, std::string>>;

bool applied(const command& c, option o) {
  switch (o) {
    case option::startup: return c.startup == winsvc::startup::manual;
    case option::display_name: return c.display_name == "Hello service";
    case option::description: return c.description == "Says hello";
    case option::username: return c.username == "CORP\\anna";
    case option::password_stdin: return c.password_stdin;
    case option::depends: return c.depends_on == words{"tcpip", "+net"};
    case option::recovery: return c.recovery == std::vector{restart_after(5s), no_action()};
    case option::recovery_reset: return c.recovery_reset == 7200s;
    case option::preshutdown: return c.launch.preshutdown == 45s;
    case option::environment: return c.environment == words{"A=b=c"};
    case option::allow_control: return c.allow_control == words{"CORP\\operators"};
    case option::host: return c.launch.host == "0.0.0.0";
    case option::port: return c.launch.port == 5001;
    case option::set: return c.launch.settings == pairs{{"greeting", "hi=there"}};
    case option::unset: return c.launch.unset_settings == words{"store.path"};
    case option::config: return c.launch.config == "C:\\data\\hello.ini";
    case option::init: return c.init;
    case option::fix: return c.fix;
    case option::lines: return c.max_entries == 50u;
    case option::follow: return c.follow;
    case option::level: return c.level == winsvc::log_level::error;
    case option::since: return c.since == 10min;
    case option::instance: return c.launch.instance == "blue";
    case option::start_after: return c.start_after;
    case option::plan: return c.plan;
    case option::force: return c.force;
    case option::wait: return c.wait == 90s;
    case option::no_wait: return c.no_wait;
    case option::json: return c.json;
    case option::no_elevate: return c.no_elevate;
    case option::elevated: return c.elevated == "pipe-1";
    case option::argument: return c.arguments == words{"--fast"};
    case option::why: return c.stop_reason == "new disk";
  }
  return false;
}

/// The verb's words, and what it cannot do without.
words alone(const std::string& verb) {
  if (strings::equal_nocase(verb, "level")) return {verb, "warn"};
  return strings::equal_nocase(verb, "control") ? words{verb, "200"} : words{verb};
}
words with(words first, const words& more) {
  first.insert(first.end(), more.begin(), more.end());
  return first;
}

std::string shouted(std::string_view s) {
  std::string out(s);
  for (char& c : out) c = strings::to_upper(c);
  return out;
}

std::string sentence(const words& w) {
  const auto result = parse_command(w);
  if (result) return "accepted";
  CHECK(result.error().code == 0);  // a usage error is ours, and the exit code 2 is given above
  return result.error().to_string();
}

bool holds(const std::string& s, std::string_view part) { return s.find(part) != std::string::npos; }

}  // namespace

TEST_CASE("every verb takes the options that the table gives it, in both forms and any case, and no other") {
  for (const auto& v : verb_table) {
    for (const auto& o : option_table) {
      CAPTURE(v.word);
      CAPTURE(o.word);
      const std::string verb(v.word), option(o.word), value = sample(o);
      std::vector<words> forms;
      for (const std::string& as : {option, shouted(option)}) {
        if (o.value.empty()) {
          forms.push_back(with(alone(verb), {as}));
        } else {
          forms.push_back(with(alone(verb), {as, value}));
          forms.push_back(with(alone(shouted(verb)), {as + "=" + value}));
        }
      }
      for (const auto& form : forms) {
        const auto result = parse_command(form);
        if ((o.verbs & verb_bit(v.id)) != 0) {
          REQUIRE(result);
          CHECK(result->verb == v.id);
          CHECK(applied(*result, o.id));
        } else {
          REQUIRE_FALSE(result);
          CHECK(result.error().code == 0);
          CHECK(holds(result.error().message, "takes no option"));
          CHECK(holds(result.error().hint, "help " + verb));
        }
      }
    }
  }
}

TEST_CASE("every verb is known by its words in any case, and alone asks for nothing more") {
  for (const auto& v : verb_table) {
    for (const std::string_view word : {v.word, v.aliases}) {
      if (word.empty()) continue;
      for (const std::string& spelled : {std::string(word), shouted(word)}) {
        const auto result = parse_command(alone(spelled));
        REQUIRE(result);
        CHECK(result->verb == v.id);
        CHECK_FALSE(result->no_arguments);
        CHECK_FALSE(result->topic);
        for (const auto& o : option_table) CHECK_FALSE(applied(*result, o.id));
        CHECK_FALSE(result->launch.host);
        CHECK_FALSE(result->launch.port);
        CHECK_FALSE(result->startup);
        CHECK_FALSE(result->no_wait);
        CHECK_FALSE(result->json);
        CHECK(result->wait == 60s);
      }
    }
  }
}

TEST_CASE("no words at all is help, marked as bare") {
  const auto result = parse_command({});
  REQUIRE(result);
  CHECK(result->verb == verb::help);
  CHECK(result->no_arguments);
}

TEST_CASE("options come in any number and order, and the last one counts") {
  const auto result = parse_command({"install", "--port", "1", "--host=::1", "--startup", "Delayed", "--port=2",
                                  "--display-name", "A = B", "--description="});
  REQUIRE(result);
  CHECK(*result->launch.port == 2);
  CHECK(*result->launch.host == "::1");
  CHECK(*result->startup == startup::delayed);
  CHECK(*result->display_name == "A = B");
  CHECK(result->description->empty());
  CHECK(*parse_command({"install", "--description=a=b"})->description == "a=b");
}

TEST_CASE("help is asked for in every way that people ask for it") {
  for (const std::string word : {"help", "HELP", "--help", "--Help", "-h", "-H", "/?", "-?"}) {
    CAPTURE(word);
    const auto result = parse_command({word});
    REQUIRE(result);
    CHECK(result->verb == verb::help);
    CHECK_FALSE(result->topic);
  }
  for (const auto& v : verb_table) {
    for (const words& w :
         {words{"help", std::string(v.word)}, words{std::string(v.word), "--help"}, words{std::string(v.word), "-h"},
          words{std::string(v.word), "/?"}, words{std::string(v.word), "-?"}, words{std::string(v.word), "--HELP"}}) {
      CAPTURE(strings::join(w, " "));
      const auto result = parse_command(w);
      REQUIRE(result);
      CHECK(result->verb == verb::help);
      CHECK(result->topic == v.id);
    }
  }
  const auto behind = parse_command({"install", "--port", "80", "--help"});
  REQUIRE(behind);
  CHECK(behind->topic == verb::install);
  CHECK(parse_command({"--version"})->verb == verb::version);
  CHECK(parse_command({"--VERSION"})->verb == verb::version);
}

TEST_CASE("an unknown word suggests the nearest, or where to look") {
  CHECK(sentence({"instal"}) == "unknown verb 'instal'; did you mean 'install'?");
  CHECK(sentence({"STRAT"}) == "unknown verb 'STRAT'; did you mean 'start'?");
  CHECK(sentence({"banana"}) == "unknown verb 'banana'; 'help' lists the verbs");
  CHECK(sentence({"run-servic"}) == "unknown verb 'run-servic'; 'help' lists the verbs");  // no word for a person
  CHECK(sentence({""}) == "unknown verb ''; 'help' lists the verbs");
  CHECK(sentence({"help", "instal"}) == "unknown verb 'instal'; did you mean 'install'?");
  CHECK(sentence({"install", "--prot", "80"}) == "unknown option '--prot'; did you mean '--port'?");
  CHECK(sentence({"install", "--prot=80"}) == "unknown option '--prot'; did you mean '--port'?");
  CHECK(sentence({"install", "--banana"}) == "unknown option '--banana'; 'help install' lists the options");
  CHECK(sentence({"install", "--"}) == "unknown option '--'; 'help install' lists the options");
  // An option that this verb does not take is never suggested.
  CHECK(sentence({"version", "--jsn"}) == "unknown option '--jsn'; 'help version' lists the options");
}

TEST_CASE("a value that an option does not take is refused, with what it takes") {
  struct row { words w; const char* hint; };
  const row rows[] = {
      {{"install", "--port", "-1"}, "a port is a number from 0 to 65535"},
      {{"install", "--port", "65536"}, "a port is a number from 0 to 65535"},
      {{"install", "--port", "99999999999999999999"}, "a port is a number from 0 to 65535"},
      {{"install", "--port", ""}, "a port is a number from 0 to 65535"},
      {{"install", "--port=http"}, "a port is a number from 0 to 65535"},
      {{"install", "--port", "--host"}, "a port is a number from 0 to 65535"},
      {{"debug", "--host="}, "give an address"},
      {{"install", "--startup", "boot"}, "auto|delayed|manual|disabled"},
      {{"start", "--wait", "soon"}, "give seconds"},
      {{"start", "--wait=-1"}, "give seconds"},
      {{"install", "--display-name", std::string(257, 'x')}, "shorten it"},
      {{"install", "--username", ""}, "DOMAIN\\name"},
      {{"install", "--depends", "a,,b"}, "commas between them"},
      {{"install", "--depends", "a,+"}, "commas between them"},
      {{"install", "--recovery", "reboot/5s"}, "restart/5s,restart/1m,none"},
      {{"install", "--recovery", "restart/50d"}, "restart/5s,restart/1m,none"},
      {{"install", "--recovery-reset", "500ms"}, "whole seconds"},
      {{"install", "--preshutdown", "25h"}, "up to a day"},
      {{"install", "--env", "=x"}, "NAME=VALUE"},
      {{"install", "--env", "NAME"}, "NAME=VALUE"},
      {{"install", "--allow-control", ""}, "a user or a group"},
      {{"start", "--instance", ""}, "such as blue"},
      {{"start", "--instance", "a b"}, "such as blue"},
      {{"start", "--instance", "a$b"}, "such as blue"},
      {{"start", "--elevated", ""}, "write --elevated PIPE"},
  };
  for (const auto& r : rows) {
    CAPTURE(strings::join(r.w, " "));
    const auto result = parse_command(r.w);
    REQUIRE_FALSE(result);
    CHECK(holds(result.error().hint, r.hint));
  }
  CHECK(sentence({"install", "--port", "-1"}) == "--port does not take '-1'; a port is a number from 0 to 65535");
  CHECK(*parse_command({"install", "--port", "0"})->launch.port == 0);
  CHECK(*parse_command({"install", "--port", "65535"})->launch.port == 65535);
}

TEST_CASE("a usage error has no system code, whatever was wrong") {
  CHECK(sentence({"install", "--display-name", std::string(257, 'x')}) ==
        "--display-name: it is longer than 256 characters; shorten it");
  CHECK(parse_command({"install", "--display-name", std::string(256, 'x')}));
}

TEST_CASE("a missing value, a value too many, and a stray word are named") {
  CHECK(sentence({"install", "--port"}) == "--port needs a value; write --port N");
  CHECK(sentence({"stop", "--no-wait=1"}) == "--no-wait takes no value; write it alone");
  CHECK(sentence({"status", "--json="}) == "--json takes no value; write it alone");
  CHECK(sentence({"install", "hello"}) ==
        "'install' takes no argument 'hello'; options begin with --; 'help install' lists them");
  CHECK(sentence({"install", ""}) ==
        "'install' takes no argument ''; options begin with --; 'help install' lists them");
  CHECK(sentence({"install", "-"}) ==
        "'install' takes no argument '-'; options begin with --; 'help install' lists them");
  CHECK(sentence({"help", "install", "remove"}) ==
        "'help' takes no argument 'remove'; options begin with --; 'help help' lists them");
}

TEST_CASE("waiting is given in seconds or with a unit") {
  CHECK(parse_command({"start", "--wait", "5"})->wait == 5s);
  CHECK(parse_command({"start", "--wait=2m"})->wait == 2min);
  CHECK(parse_command({"remove", "--wait", "0"})->wait == 0s);
}

TEST_CASE("lists of services are cut at commas, and the empty text is no service") {
  CHECK(parse_command({"install", "--depends", " a , +b ,c"})->depends_on == words{"a", "+b", "c"});
  CHECK(parse_command({"install", "--depends", ""})->depends_on == words{});
  CHECK_FALSE(parse_command({"install"})->depends_on);
}

TEST_CASE("options that may be repeated are all kept, in their order") {
  const auto result = parse_command({"install", "--env", "A=1", "--env=B=", "--env", "A=2", "--allow-control", "x",
                                  "--allow-control=y"});
  REQUIRE(result);
  CHECK(result->environment == words{"A=1", "B=", "A=2"});
  CHECK(result->allow_control == words{"x", "y"});
}

TEST_CASE("what stands behind -- is for the start hooks, whatever it looks like") {
  for (const std::string verb : {"start", "restart"}) {
    const auto result = parse_command({verb, "--wait", "5", "--", "--port", "80", "", "--", "help", "/?"});
    REQUIRE(result);
    CHECK(result->wait == 5s);
    CHECK(result->arguments == words{"--port", "80", "", "--", "help", "/?"});
    CHECK(parse_command({verb, "--"})->arguments.empty());
  }
  CHECK(sentence({"stop", "--", "x"}) == "unknown option '--'; 'help stop' lists the options");
  CHECK(sentence({"start", "x"}) ==
        "'start' takes no argument 'x'; options begin with --; 'help start' lists them");
}

TEST_CASE("control takes a number from 128 to 255, and nothing else") {
  CHECK(parse_command({"control", "128"})->control == 128);
  CHECK(parse_command({"control", "--wait=1", "255"}).error().message == "'control' takes no option --wait");
  CHECK(parse_command({"CONTROL", "255"})->control == 255);
  for (const std::string word : {"0", "1", "127", "256", "200x", "-200", "4294967496", "reload"}) {
    CAPTURE(word);
    CHECK_FALSE(parse_command({"control", word}));
  }
  CHECK(sentence({"control", "127"}) == "'127' is no control of a service's own; they are 128 to 255");
  CHECK(sentence({"control"}) == "'control' needs a number; write control N, N being 128 to 255");
  CHECK(holds(sentence({"control", "200", "201"}), "takes no argument '201'"));
  CHECK(parse_command({"control", "--help"})->topic == verb::control);
}

TEST_CASE("a password is not taken from a command line, and the sentence says where it comes from") {
  for (const words& w : {words{"install", "--password", "secret"}, words{"install", "--password=secret"},
                         words{"--username", "anna", "--password", "secret", "install"}}) {
    CHECK(sentence(w) ==
          "there is no --password: a command line is no place for a password: every user of the machine can read it; "
          "leave it out, and a prompt asks; or pipe it in, with --password-stdin");
  }
  CHECK(holds(sentence({"install", "--interactive"}), "no desktop since Windows Vista"));
}

TEST_CASE("options may stand before the verb, as pywin32 has them") {
  const auto result = parse_command({"--startup", "auto", "--username=anna", "--start", "install", "--port", "80"});
  REQUIRE(result);
  CHECK(result->verb == verb::install);
  CHECK(result->startup == startup::automatic);
  CHECK(result->username == "anna");
  CHECK(result->start_after);
  CHECK(result->launch.port == 80);
  CHECK(parse_command({"--wait", "5", "start"})->wait == 5s);
  CHECK(parse_command({"--display-name", "install", "update"})->verb == verb::update);  // a value is no verb
  CHECK(sentence({"--wait", "5"}) == "unknown verb '--wait'; 'help' lists the verbs");
  CHECK(sentence({"--wait"}) == "unknown verb '--wait'; 'help' lists the verbs");
  CHECK(sentence({"--", "start"}) == "unknown verb '--'; 'help' lists the verbs");
  CHECK(parse_command({"--help", "install"})->verb == verb::help);
  CHECK(parse_command({"--help", "install"})->topic == verb::install);
}

TEST_CASE("hidden options are taken, and neither shown nor suggested") {
  CHECK(parse_command({"install", "--elevated", "p"})->elevated == "p");
  CHECK(sentence({"install", "--elevate"}) == "unknown option '--elevate'; did you mean '--no-elevate'?");
  CHECK_FALSE(holds(help_text("app", verb::start), "--argument"));
}

TEST_CASE("the elevated process is asked for the same, also where an option is put at the end") {
  struct row { words asked; words elevated; };
  const row rows[] = {
      {{"install", "--port", "80"}, {"install", "--port", "80"}},
      {{"start", "--wait", "5", "--"}, {"start", "--wait", "5"}},
      {{"start", "--", "a b", "", "--", "-x"}, {"start", "--argument=a b", "--argument=", "--argument=--", "--argument=-x"}},
  };
  for (const auto& r : rows) {
    CHECK(elevated_arguments(r.asked) == r.elevated);
    const auto parent = parse_command(r.asked), child = parse_command(with(elevated_arguments(r.asked), {"--elevated", "p"}));
    REQUIRE(parent);
    REQUIRE(child);
    CHECK(child->arguments == parent->arguments);
    CHECK(child->wait == parent->wait);
    CHECK(child->elevated == "p");
  }
}

TEST_CASE("what an ImagePath says is read back, pair by pair") {
  const launch_options all{"blue", "::1", 80, 90s};
  const auto back = launch_options_of(image_path("C:\\My tools\\app.exe", all));
  CHECK(back.instance == all.instance);
  CHECK(back.host == all.host);
  CHECK(back.port == all.port);
  CHECK(back.preshutdown == all.preshutdown);

  launch_options more;
  more.config = "C:\\My data\\hello.ini";
  more.settings = {{"greeting", "say \"hi\" = now"}, {"empty", ""}};
  CHECK(launch_options_of(image_path("C:\\app.exe", more)).config == more.config);
  CHECK(launch_options_of(image_path("C:\\app.exe", more)).settings == more.settings);
}
