// Values of options: which values each option accepts, and the hints for the others.
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
      {{"install", "--env", "=x"}, "NAME=VALUE"},
      {{"install", "--env", "NAME"}, "NAME=VALUE"},
      {{"install", "--allow-control", ""}, "a user or a group"},
      {{"start", "--instance", ""}, "such as blue"},
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
  CHECK(*parse_command({"install", "--port", "65535"})->launch.port == 65535);
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
