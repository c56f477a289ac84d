// Values of options and arguments: which ones are accepted, the hints for the others, and words that are always values.
#include "winsvc/commandline/option_values.hpp"

#include <doctest/doctest.h>

#include <chrono>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "winsvc/commandline/parse_command.hpp"

#include "error_text.hpp"

using namespace winsvc;
using namespace winsvc::detail::commandline;
using namespace std::chrono_literals;

TEST_CASE("an invalid value of an option is rejected with a hint for valid values") {
  struct row { words arguments; const char* hint; };
  const row rows[] = {
      {{"install", "--port", "-1"}, "a port is a number from 0 to 65535"},
      {{"install", "--port", "65536"}, "a port is a number from 0 to 65535"},
      {{"install", "--port", "99999999999999999999"}, "a port is a number from 0 to 65535"},
      {{"install", "--port", ""}, "a port is a number from 0 to 65535"},
      {{"install", "--port=http"}, "a port is a number from 0 to 65535"},
      {{"install", "--port", "--host"}, "a port is a number from 0 to 65535"},
      {{"debug", "--host="}, "write an address"},
      {{"install", "--startup", "boot"}, "auto|delayed|manual|disabled"},
      {{"start", "--wait", "soon"}, "write a time in seconds"},
      {{"start", "--wait=-1"}, "write a time in seconds"},
      {{"install", "--display-name", std::string(257, 'x')}, "shorten it"},
      {{"install", "--username", ""}, "DOMAIN\\name"},
      {{"install", "--depends", "a,,b"}, "separated by commas"},
      {{"install", "--depends", "a,+"}, "separated by commas"},
      {{"install", "--recovery", "shutdown/5s"}, "restart/5s,run/1m,none"},
      {{"install", "--recovery", "restart/50d"}, "restart/5s,run/1m,none"},
      {{"install", "--recovery-reset", "500ms"}, "whole seconds"},
      {{"install", "--preshutdown", "25h"}, "up to a day"},
      {{"install", "--preshutdown", "86400001ms"}, "up to a day"},
      {{"install", "--preshutdown", "soon"}, "up to a day"},
      {{"install", "--recovery-reset", "soon"}, "whole seconds"},
      {{"install", "--restart-limit", "1001"}, "a number of restarts, such as 5"},
      {{"install", "--restart-limit", "-1"}, "a number of restarts, such as 5"},
      {{"install", "--recovery-command", ""}, "write --recovery-command TEXT"},
      {{"install", "--priority", "realtime"}, "use one of idle|below-normal|normal|above-normal|high"},
      {{"install", "--set", "greeting"}, "write NAME=VALUE"},
      {{"install", "--set", "=hi"}, "write NAME=VALUE"},
      {{"install", "--set", "a b=hi"}, "write NAME=VALUE"},
      {{"install", "--unset", "a b"}, "write the name of a setting"},
      {{"install", "--config", ""}, "write --config FILE"},
      {{"logs", "-n", "many"}, "write a number"},
      {{"logs", "-n", "1000000001"}, "write a number"},
      {{"logs", "--level", "loud"}, "use debug, info, warn or error"},
      {{"logs", "--since", "noon"}, "such as 10m or 2h"},
      {{"stop", "--why", ""}, "write --why TEXT"},
      {{"prove", "--report", ""}, "write --report FILE"},
      {{"install", "--env", "=x"}, "NAME=VALUE"},
      {{"install", "--env", "NAME"}, "NAME=VALUE"},
      {{"install", "--allow-control", ""}, "a user or a group"},
      {{"start", "--instance", ""}, "such as blue"},
      {{"start", "--instance", std::string(65, 'a')}, "such as blue"},
      {{"start", "--instance", "a b"}, "such as blue"},
      {{"start", "--instance", "a$b"}, "such as blue"},
      {{"start", "--elevated", ""}, "write --elevated PIPE"},
  };
  for (const auto& r : rows) {
    CAPTURE(detail::base::join(r.arguments, " "));
    const auto result = parse_command(r.arguments);
    REQUIRE_FALSE(result);
    CHECK(contains(result.error().hint, r.hint));
  }
  CHECK(error_text({"install", "--port", "-1"}) == "--port does not accept '-1'; a port is a number from 0 to 65535");
  CHECK(*parse_command({"install", "--port", "0"})->launch.port == 0);
  CHECK(error_text({"logs", "-n", std::string(100, 'x')}) ==
        "-n does not accept '" + std::string(80, 'x') + "'; write a number");
  CHECK(*parse_command({"install", "--port", "65535"})->launch.port == 65535);
}

TEST_CASE("the largest and the smallest value of an option are accepted") {
  CHECK(parse_command({"install", "--preshutdown", "24h"})->launch.preshutdown == 24h);
  CHECK(parse_command({"install", "--preshutdown", "0"})->launch.preshutdown == 0s);
  CHECK(parse_command({"install", "--recovery-reset", "1s"})->install.request.recovery_reset == 1s);
  CHECK(parse_command({"install", "--restart-limit", "1000"})->install.request.restart_limit == 1000u);
  CHECK(parse_command({"install", "--restart-limit", "0"})->install.request.restart_limit == 0u);
  CHECK(parse_command({"logs", "-n", "1000000000"})->log.max_entries == 1'000'000'000u);
  CHECK(parse_command({"logs", "-n", "0"})->log.max_entries == 0u);
  CHECK(parse_command({"logs", "--level", "Debug"})->log.level == log_level::debug);
  CHECK(parse_command({"start", "--instance", std::string(64, 'a')}));
  CHECK(parse_command({"debug", "--set", "a="})->launch.settings.at(0).second == "");
}

TEST_CASE("host and port have one value, whether --set or their own option names them") {
  CHECK(parse_command({"debug", "--set", "port=81", "--set=host=::1"})->launch.port == 81);
  CHECK(parse_command({"debug", "--set", "port=81", "--set=host=::1"})->launch.host == "::1");
  CHECK(parse_command({"debug", "--set", "port=81", "--set=host=::1"})->launch.settings.empty());
  CHECK(parse_command({"debug", "--port", "80", "--set", "Port=81"})->launch.port == 81);
  CHECK(parse_command({"debug", "--set", "port=81", "--port", "80"})->launch.port == 80);
  using pairs = std::vector<std::pair<std::string, std::string>>;
  const auto other = parse_command({"debug", "--set", "limit=5", "--set", "port=http"});
  CHECK_FALSE(other->launch.port);
  CHECK(other->launch.settings == pairs{{"limit", "5"}, {"port", "http"}});  // the check of settings rejects it
}

TEST_CASE("a usage error has no system code") {
  CHECK(error_text({"install", "--display-name", std::string(257, 'x')}) ==
        "--display-name: it is longer than 256 characters; shorten it");
  CHECK(parse_command({"install", "--display-name", std::string(256, 'x')}));
}

TEST_CASE("the wait time is given in seconds or with a unit") {
  CHECK(parse_command({"start", "--wait", "5"})->control.wait == 5s);
  CHECK(parse_command({"start", "--wait=2m"})->control.wait == 2min);
  CHECK(parse_command({"remove", "--wait", "0"})->control.wait == 0s);
}

TEST_CASE("a list of services is separated by commas, and an empty text is an empty list") {
  CHECK(parse_command({"install", "--depends", " a , +b ,c"})->install.request.depends_on == words{"a", "+b", "c"});
  CHECK(parse_command({"install", "--depends", ""})->install.request.depends_on == words{});
  CHECK_FALSE(parse_command({"install"})->install.request.depends_on);
}

TEST_CASE("all values of a repeatable option are kept, in their order") {
  const auto result = parse_command({"install", "--env", "A=1", "--env=B=", "--env", "A=2", "--allow-control", "x",
                                  "--allow-control=y"});
  REQUIRE(result);
  CHECK(result->install.request.environment == words{"A=1", "B=", "A=2"});
  CHECK(result->install.request.allow_control == words{"x", "y"});
}

TEST_CASE("control accepts only a number from 128 to 255") {
  CHECK(parse_command({"control", "128"})->control.number == 128);
  CHECK(parse_command({"control", "--wait=1", "255"}).error().message == "'control' does not accept the option --wait");
  CHECK(parse_command({"CONTROL", "255"})->control.number == 255);
  for (const std::string word : {"0", "1", "127", "256", "200x", "-200", "4294967496", "reload"}) {
    CAPTURE(word);
    CHECK_FALSE(parse_command({"control", word}));
  }
  CHECK(error_text({"control", "127"}) == "'127' is not a custom control; use 128 to 255");
  CHECK(error_text({"control"}) == "'control' needs a number; write control N, where N is 128 to 255");
  CHECK(contains(error_text({"control", "200", "201"}), "does not accept the argument '201'"));
  CHECK(parse_command({"control", "--help"})->topic == verb::control);
}

TEST_CASE("level accepts one log level") {
  const auto result = parse_command({"level", "Warn"});
  REQUIRE(result);
  CHECK(result->log.level == log_level::warn);
  CHECK(result->log.has_level);
  CHECK_FALSE(parse_command({"logs", "--level", "warn"})->log.has_level);
  CHECK(error_text({"level"}) == "'level' needs a level; write level debug, info, warn or error");
  CHECK(error_text({"level", "loud"}) == "'loud' is not a log level; use debug, info, warn or error");
  CHECK(error_text({"level", "warn", "info"}) ==
        "'level' does not accept the argument 'info'; options begin with --; 'help level' lists them");
}

TEST_CASE("a value that looks like a short option stays a value, and so does an argument after --") {
  CHECK(parse_command({"install", "--description", "-n5"})->install.request.description == "-n5");
  CHECK(parse_command({"start", "--", "-n5"})->control.arguments == words{"-n5"});
}

TEST_CASE("a value that looks like -n5 stays the value of -n, and of --lines") {
  for (const char* option : {"-n", "--lines"}) {
    const std::string text = error_text({"logs", option, "-n5"});
    CAPTURE(text);
    CHECK(text.find("'-n5'") != std::string::npos);
  }
}

TEST_CASE("the words that other programs use are accepted: delete, -v, -n5, --follow, --lines, -q") {
  CHECK(parse_command({"delete"})->verb == verb::remove);
  CHECK(parse_command({"uninstall"})->verb == verb::remove);
  CHECK(parse_command({"-v"})->verb == verb::version);
  CHECK(parse_command({"-V"})->verb == verb::version);
  for (const words& arguments : {words{"logs", "-n5"}, {"logs", "-n", "5"}, {"logs", "--lines=5"}, {"-n5", "logs"},
                         {"--lines", "5", "logs"}, {"logs", "-f", "-n5"}, {"logs", "-n6", "-n5"}})
    CHECK(parse_command(arguments)->log.max_entries == 5u);
  CHECK(parse_command({"logs", "--follow"})->log.follow);
  CHECK(parse_command({"stop", "-q"})->quiet);
  CHECK(parse_command({"-q", "stop"})->verb == verb::stop);
  CHECK(parse_command({"-q", "stop"})->quiet);
  CHECK_FALSE(parse_command({"install"})->install.request.reads_password);
  CHECK(error_text({"logs", "-nx"}) == "unknown option '-nx'; did you mean '-n'?");
  CHECK(error_text({"-n5"}) == "unknown verb '-n5'; 'help' lists the verbs");
}

TEST_CASE("a missing value, an extra value and an unexpected argument are reported") {
  CHECK(error_text({"install", "--port"}) == "--port needs a value; write --port N");
  CHECK(error_text({"stop", "--no-wait=1"}) == "--no-wait does not accept a value; write it without '='");
  CHECK(error_text({"status", "--json="}) == "--json does not accept a value; write it without '='");
  CHECK(error_text({"install", "hello"}) ==
        "'install' does not accept the argument 'hello'; options begin with --; 'help install' lists them");
  CHECK(error_text({"install", ""}) ==
        "'install' does not accept the argument ''; options begin with --; 'help install' lists them");
  CHECK(error_text({"install", "-"}) ==
        "'install' does not accept the argument '-'; options begin with --; 'help install' lists them");
  CHECK(error_text({"help", "install", "remove"}) ==
        "'help' does not accept the argument 'remove'; options begin with --; 'help help' lists them");
}

TEST_CASE("a password on the command line is rejected, and the error names the alternatives") {
  for (const words& arguments : {words{"install", "--password", "secret"}, words{"install", "--password=secret"},
                         words{"--username", "anna", "--password", "secret", "install"}}) {
    CHECK(error_text(arguments) ==
          "--password is not supported: every user of this machine can read command lines; "
          "omit it to be prompted for the password, or pipe it in with --password-stdin");
  }
  for (const words& arguments : {words{"install", "--interactive"}, words{"--interactive", "install"}}) {
    CHECK(error_text(arguments) ==
          "--interactive is not supported: services have had no desktop since Windows Vista; omit it");
  }
}

TEST_CASE("all arguments after -- are for the start hooks, even if they look like options") {
  for (const std::string verb : {"start", "restart"}) {
    const auto result = parse_command({verb, "--wait", "5", "--", "--port", "80", "", "--", "help", "/?"});
    REQUIRE(result);
    CHECK(result->control.wait == 5s);
    CHECK(result->control.arguments == words{"--port", "80", "", "--", "help", "/?"});
    CHECK(parse_command({verb, "--"})->control.arguments.empty());
  }
  CHECK(error_text({"stop", "--", "x"}) == "unknown option '--'; 'help stop' lists the options");
  CHECK(error_text({"start", "x"}) ==
        "'start' does not accept the argument 'x'; options begin with --; 'help start' lists them");
}
