// Config levels: each field of the structs of ChangeServiceConfig2W. Wine's service manager does not store all of them.
#include "winsvc/os/native.hpp"

#include <doctest/doctest.h>

#include <iterator>

#if defined(_WIN32)

using namespace winsvc;
using namespace std::chrono_literals;

namespace {

template <class Struct>
const Struct& as(detail::os::native_level& level) {
  return *static_cast<const Struct*>(level.data());
}

/// Converts a value to its struct and back, and formats it.
std::string round_trip(const detail::scm::config_level& value) {
  detail::os::native_level native(value);
  return detail::scm::format_config_level(detail::os::level_value(native.number(), native.data()));
}

}  // namespace

TEST_CASE("each level has its SERVICE_CONFIG_ number") {
  CHECK(detail::os::native_level(detail::scm::description_text{}).number() == SERVICE_CONFIG_DESCRIPTION);
  CHECK(detail::os::native_level(detail::scm::recovery_options{}).number() == SERVICE_CONFIG_FAILURE_ACTIONS);
  CHECK(detail::os::native_level(detail::scm::delayed_start{}).number() == SERVICE_CONFIG_DELAYED_AUTO_START_INFO);
  CHECK(detail::os::native_level(detail::scm::failure_flag{}).number() == SERVICE_CONFIG_FAILURE_ACTIONS_FLAG);
  CHECK(detail::os::native_level(detail::scm::sid_type{}).number() == SERVICE_CONFIG_SERVICE_SID_INFO);
  CHECK(detail::os::native_level(detail::scm::required_privileges{}).number() ==
        SERVICE_CONFIG_REQUIRED_PRIVILEGES_INFO);
  CHECK(detail::os::native_level(detail::scm::preshutdown_timeout{}).number() == SERVICE_CONFIG_PRESHUTDOWN_INFO);
}

TEST_CASE("failure actions have a reset period in seconds and delays in milliseconds; the message is NULL") {
  detail::os::native_level level(
      detail::scm::recovery_options{{restart_after(5s), restart_after(1500ms), no_action()}, 24h});
  const auto& s = as<SERVICE_FAILURE_ACTIONSW>(level);
  CHECK(s.dwResetPeriod == 86'400);
  CHECK(s.lpRebootMsg == nullptr);
  REQUIRE(s.cActions == 3);
  CHECK(s.lpsaActions[0].Type == SC_ACTION_RESTART);
  CHECK(s.lpsaActions[0].Delay == 5'000);
  CHECK(s.lpsaActions[1].Delay == 1'500);
  CHECK(s.lpsaActions[2].Type == SC_ACTION_NONE);
  CHECK(s.lpsaActions[2].Delay == 0);
}

TEST_CASE("an empty list of failure actions has a count of 0 and a pointer, so that the call deletes the old actions") {
  detail::os::native_level level(detail::scm::recovery_options{});
  const auto& s = as<SERVICE_FAILURE_ACTIONSW>(level);
  CHECK(s.cActions == 0);
  CHECK(s.lpsaActions != nullptr);
}

TEST_CASE("the command of the failure actions is a string; an empty one deletes the command, NULL would keep it") {
  detail::os::native_level none(detail::scm::recovery_options{{restart_after(5s)}, 24h});
  REQUIRE(as<SERVICE_FAILURE_ACTIONSW>(none).lpCommand != nullptr);
  CHECK(std::wstring(as<SERVICE_FAILURE_ACTIONSW>(none).lpCommand).empty());

  detail::scm::recovery_options recovery{{restart_after(5s)}, 24h};
  recovery.command = "C:\\tools\\page \xC3\xA9.exe /q";
  detail::os::native_level level(recovery);
  REQUIRE(as<SERVICE_FAILURE_ACTIONSW>(level).lpCommand != nullptr);
  CHECK(as<SERVICE_FAILURE_ACTIONSW>(level).lpCommand == std::wstring(L"C:\\tools\\page \u00E9.exe /q"));
}

TEST_CASE("a duration is limited to the range of a DWORD") {
  detail::os::native_level level(
      detail::scm::recovery_options{{restart_after(1'000'000h), restart_after(-1s)}, 10'000'000h});
  const auto& s = as<SERVICE_FAILURE_ACTIONSW>(level);
  CHECK(s.dwResetPeriod == INFINITE);
  CHECK(s.lpsaActions[0].Delay == 0xFFFFFFFF);
  CHECK(s.lpsaActions[1].Delay == 0);
}

TEST_CASE("the list of privileges ends with two NULs, also if it is empty") {
  detail::os::native_level level(detail::scm::required_privileges{{"SeChangeNotifyPrivilege", "SeBackupPrivilege"}});
  const wchar_t* list = as<SERVICE_REQUIRED_PRIVILEGES_INFOW>(level).pmszRequiredPrivileges;
  constexpr wchar_t expected[] = L"SeChangeNotifyPrivilege\0SeBackupPrivilege\0";  // the literal adds the second NUL
  CHECK(std::wstring(list, std::size(expected)) == std::wstring(expected, std::size(expected)));

  detail::os::native_level empty(detail::scm::required_privileges{});
  list = as<SERVICE_REQUIRED_PRIVILEGES_INFOW>(empty).pmszRequiredPrivileges;
  REQUIRE(list != nullptr);
  CHECK(std::wstring(list, 2) == std::wstring(2, L'\0'));
}

TEST_CASE("levels with one field set that field") {
  detail::os::native_level on(detail::scm::delayed_start{true}), off(detail::scm::delayed_start{false}),
      flag(detail::scm::failure_flag{true}), sid(detail::scm::sid_type{detail::scm::sid_type::unrestricted}),
      wait(detail::scm::preshutdown_timeout{30s}),
      text(detail::scm::description_text{"Gr\xC3\xBC\xC3\x9F"
                                         "e"}),
      no_text(detail::scm::description_text{});
  CHECK(as<SERVICE_DELAYED_AUTO_START_INFO>(on).fDelayedAutostart == TRUE);
  CHECK(as<SERVICE_DELAYED_AUTO_START_INFO>(off).fDelayedAutostart == FALSE);
  CHECK(as<SERVICE_FAILURE_ACTIONS_FLAG>(flag).fFailureActionsOnNonCrashFailures == TRUE);
  CHECK(as<SERVICE_SID_INFO>(sid).dwServiceSidType == SERVICE_SID_TYPE_UNRESTRICTED);
  CHECK(as<SERVICE_PRESHUTDOWN_INFO>(wait).dwPreshutdownTimeout == 30'000);
  CHECK(as<SERVICE_DESCRIPTIONW>(text).lpDescription == std::wstring(L"Gr\u00FC\u00DF" L"e"));
  REQUIRE(as<SERVICE_DESCRIPTIONW>(no_text).lpDescription != nullptr);
  CHECK(as<SERVICE_DESCRIPTIONW>(no_text).lpDescription == std::wstring());
}

TEST_CASE("a value is unchanged after conversion to its struct and back") {
  const detail::scm::config_level values[] = {
      detail::scm::description_text{"Gr\xC3\xBC\xC3\x9F" "e"},
      detail::scm::default_recovery(),
      detail::scm::recovery_options{{{recovery_action::kind::reboot, 60s}, {recovery_action::kind::run, 1s}}, 60s},
      detail::scm::recovery_options{{}, 0s},
      detail::scm::delayed_start{true},
      detail::scm::failure_flag{true},
      detail::scm::sid_type{detail::scm::sid_type::restricted},
      detail::scm::required_privileges{{"SeChangeNotifyPrivilege", "SeImpersonatePrivilege"}},
      detail::scm::required_privileges{},
      detail::scm::preshutdown_timeout{12'345ms},
  };
  for (const auto& value : values) CHECK(round_trip(value) == detail::scm::format_config_level(value));
}

TEST_CASE("NULL in a struct is read as an empty value") {
  const SERVICE_DESCRIPTIONW no_text{nullptr};
  const SERVICE_FAILURE_ACTIONSW no_actions{};
  const SERVICE_REQUIRED_PRIVILEGES_INFOW no_privileges{nullptr};
  CHECK(std::get<detail::scm::description_text>(detail::os::level_value(1, &no_text)).text.empty());
  CHECK(std::get<detail::scm::recovery_options>(detail::os::level_value(2, &no_actions)).actions.empty());
  CHECK(std::get<detail::scm::required_privileges>(detail::os::level_value(6, &no_privileges)).names.empty());
}

TEST_CASE("a string list ends with two NULs, and empty strings are left out") {
  CHECK(detail::os::to_wide_list({}) == std::wstring(2, L'\0'));
  CHECK(detail::os::to_wide_list({"a", "", "bc"}) == std::wstring(L"a\0bc\0", 5) + L'\0');
  const std::wstring list = detail::os::to_wide_list({"a", "", "b\xC3\xBC"});
  CHECK(detail::os::from_wide_list(list.c_str()) == std::vector<std::string>{"a", "b\xC3\xBC"});
  CHECK(detail::os::from_wide_list(nullptr).empty());
}

#endif
