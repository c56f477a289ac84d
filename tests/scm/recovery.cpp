// Recovery options and the text form of their actions.
#include "winsvc/scm/recovery.hpp"

#include <doctest/doctest.h>

using namespace winsvc;
using namespace winsvc::detail::base;
using namespace winsvc::detail::scm;
using namespace std::chrono_literals;
using actions = std::vector<recovery_action>;

TEST_CASE("recovery actions are a list, separated by commas") {
  struct row { const char* text; std::optional<actions> parsed; };
  const row rows[] = {
      {"restart/5s,restart/30s,none", actions{restart_after(5s), restart_after(30s), no_action()}},
      {"restart", actions{restart_after(0s)}},
      {"RESTART/2m", actions{restart_after(2min)}},
      {" restart/1m30s , None ", actions{restart_after(90s), no_action()}},
      {"none,restart/5s", actions{no_action(), restart_after(5s)}},
      {"restart/250ms", actions{restart_after(250ms)}},
      {"", actions{}},
      {"none", actions{}},  // a list of "none" alone has no effect
      {"none,none", actions{}},
      {"restart/49d", actions{restart_after(std::chrono::hours(49 * 24))}},
      {"restart/4294967295ms", actions{restart_after(max_recovery_delay)}},
      {"restart/4294967296ms", {}},  // exceeds 32 bits of milliseconds
      {"restart/50d", {}},
      {"restart/", {}},
      {"restart/soon", {}},
      {"restart/-5s", {}},
      {"none/5s", {}},
      {"run", actions{run_command_after(0s)}},
      {"restart/5s,", {}},
      {",restart/5s", {}},
      {"restart/5s;none", {}},
  };
  for (const auto& r : rows) {
    CAPTURE(r.text);
    CHECK(parse_recovery(r.text) == r.parsed);
  }
}

TEST_CASE("formatted actions are parsed to the same actions") {
  for (const auto& list : {actions{}, actions{restart_after(5s), no_action(), restart_after(1500ms)},
                           default_recovery().actions}) {
    CHECK(parse_recovery(recovery_text(list)) == list);
  }
  CHECK(recovery_text({}) == "none");
  CHECK(recovery_text(default_recovery().actions) == "restart/5s,restart/30s,restart/2m");
  CHECK(recovery_text({{recovery_action::kind::reboot, 60s}, {recovery_action::kind::run, 0s}}) == "reboot/1m,run/0s");
  CHECK(recovery_text({{static_cast<recovery_action::kind>(4), 1s}}) == "action 4/1s");
  CHECK(recovery_text({{static_cast<recovery_action::kind>(9), 1s}}) == "action 9/1s");
}

TEST_CASE("a duration is formatted in the largest unit that is exact") {
  struct row { std::chrono::milliseconds d; const char* text; };
  const row rows[] = {{0ms, "0s"},   {1ms, "1ms"}, {1500ms, "1500ms"}, {5s, "5s"}, {60s, "1m"},
                      {90s, "90s"},  {2h, "2h"},   {24h, "1d"},        {36h, "36h"}};
  for (const auto& r : rows) {
    CHECK(exact_duration(r.d) == r.text);
    CHECK(parse_duration(r.text) == r.d);
  }
}

TEST_CASE("the default restarts the service with growing delays and is reset after a day") {
  const recovery_options options = default_recovery();
  CHECK(options.actions.size() == 3);
  for (const auto& a : options.actions) CHECK(a.kind_of_action == recovery_action::kind::restart);
  CHECK(options.reset == 24h);
  CHECK(options == default_recovery());
  CHECK_FALSE(options == recovery_options{options.actions, 1h});
  CHECK_FALSE(options == recovery_options{{}, options.reset});
  CHECK_FALSE(options == recovery_options{options.actions, options.reset, "fix.exe"});
  CHECK(recovery_options{}.reset == 24h);
  CHECK(no_action().delay == 0s);
}

TEST_CASE("actions are equal if kind and delay are") {
  CHECK(restart_after(1s) == restart_after(1000ms));
  CHECK_FALSE(restart_after(1s) == restart_after(2s));
  CHECK_FALSE(restart_after(1s) == reboot_after(1s));
}

TEST_CASE("kinds of actions have the numbers of Win32") {
  CHECK(static_cast<int>(recovery_action::kind::none) == 0);
  CHECK(static_cast<int>(recovery_action::kind::restart) == 1);
  CHECK(static_cast<int>(recovery_action::kind::reboot) == 2);
  CHECK(static_cast<int>(recovery_action::kind::run) == 3);
}

TEST_CASE("a restart of the machine and a command are actions") {
  CHECK(parse_recovery("reboot/1m,run/5s,none") ==
        std::vector{reboot_after(60s), run_command_after(5s), no_action()});
  CHECK(recovery_text({reboot_after(60s), run_command_after(0s)}) == "reboot/1m,run/0s");
  CHECK_FALSE(parse_recovery("reboot/x"));
}

TEST_CASE("a limit of restarts repeats the last restart up to the limit, then does nothing") {
  const std::vector defaults{restart_after(5s), restart_after(30s)};
  CHECK(limit_restarts(defaults, 4) ==
        std::vector{restart_after(5s), restart_after(30s), restart_after(30s), restart_after(30s), no_action()});
  CHECK(limit_restarts(defaults, 1) == std::vector{restart_after(5s), no_action()});
  CHECK(limit_restarts(defaults, 0).empty());
  CHECK(limit_restarts({restart_after(5s), no_action()}, 9) == std::vector{restart_after(5s), no_action()});
  CHECK(limit_restarts({}, 5).empty());
}

TEST_CASE("a queued restart is possible until the longest delay of a restart has passed") {
  const recovery_options options{{restart_after(5s), reboot_after(1h), restart_after(30s), no_action()}, 24h};
  CHECK(time_to_restart(options, 0s) == 30s);
  CHECK(time_to_restart(options, 10s) == 20s);
  CHECK(time_to_restart(options, 30s) == 0s);
  CHECK_FALSE(time_to_restart(options, 31s));
  CHECK(time_to_restart(options, -1min) == 90s);  // the process ends later
  CHECK_FALSE(time_to_restart({{no_action(), run_command_after(5s)}, 24h}, 0s));
  CHECK_FALSE(time_to_restart({{}, 24h}, 0s));
}

TEST_CASE("a start within 5 s after the delay of a restart is one of the recovery") {
  const recovery_options options{{restart_after(5s), reboot_after(1h), restart_after(30s), no_action()}, 24h};
  for (const auto time : {5'000ms, 10'000ms, 30'000ms, 35'000ms}) CHECK(is_start_by_restart(options, time));
  for (const auto time : {-1ms, 0ms, 4'999ms, 10'001ms, 29'999ms, 35'001ms, 3'600'000ms})
    CHECK_FALSE(is_start_by_restart(options, time));
  CHECK_FALSE(is_start_by_restart({{}, 24h}, 0s));
}
