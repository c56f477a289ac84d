// Configuration levels of ChangeServiceConfig2W.
#include "winsvc/scm/config_levels.hpp"

#include <doctest/doctest.h>

using namespace winsvc;
using namespace winsvc::detail::scm;
using namespace std::chrono_literals;

TEST_CASE("a level has the number of Win32") {
  CHECK(number(description_text{}) == 1);
  CHECK(number(recovery_options{}) == 2);
  CHECK(number(delayed_start{}) == 3);
  CHECK(number(failure_flag{}) == 4);
  CHECK(number(sid_type{}) == 5);
  CHECK(number(required_privileges{}) == 6);
  CHECK(number(preshutdown_timeout{}) == 7);
  CHECK(detail::scm::config_level_id::description == 1);
  CHECK(detail::scm::config_level_id::failure_actions == 2);
  CHECK(detail::scm::config_level_id::delayed_start == 3);
  CHECK(detail::scm::config_level_id::failure_flag == 4);
  CHECK(detail::scm::config_level_id::sid_type == 5);
  CHECK(detail::scm::config_level_id::required_privileges == 6);
  CHECK(detail::scm::config_level_id::preshutdown == 7);
  CHECK(sid_type::none == 0);  // SERVICE_SID_TYPE_*
  CHECK(sid_type::unrestricted == 1);
  CHECK(sid_type::restricted == 3);
}

TEST_CASE("a level is formatted for an install plan") {
  struct row { config_level level; const char* text; };
  const row rows[] = {
      {description_text{"greets"}, "greets"},
      {recovery_options{{restart_after(5s), no_action()}, 24h}, "restart/5s,none, reset 1d"},
      {recovery_options{{}, 0s}, "none, reset 0s"},
      {recovery_options{{run_command_after(5s)}, 1h, "fix.exe /now"}, "run/5s, reset 1h, command fix.exe /now"},
      {recovery_options{}, "none, reset 1d"},
      {delayed_start{}, "no"},
      {failure_flag{}, "no"},
      {sid_type{}, "none"},
      {preshutdown_timeout{}, "0s"},
      {delayed_start{true}, "yes"},
      {delayed_start{false}, "no"},
      {failure_flag{true}, "yes"},
      {sid_type{sid_type::none}, "none"},
      {sid_type{sid_type::unrestricted}, "unrestricted"},
      {sid_type{sid_type::restricted}, "restricted"},
      {sid_type{7}, "7"},
      {required_privileges{}, "all privileges of the account"},
      {required_privileges{{"SeA", "SeB"}}, "SeA, SeB"},
      {preshutdown_timeout{25s}, "25s"},
  };
  for (const auto& r : rows) CHECK(format_config_level(r.level) == r.text);
}
