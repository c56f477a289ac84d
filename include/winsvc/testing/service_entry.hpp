// service_entry: one installed service of the simulated SCM (testing/service_database.hpp), with Windows' defaults.
//
//   winsvc::testing::service_entry& e = scm.services["hello"];
//   CHECK(e.config.startup == winsvc::startup::automatic);
#pragma once

#include <chrono>
#include <cstdint>
#include <deque>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "winsvc/testing/whole.hpp"

namespace winsvc {
namespace testing {

/// An installed service.
struct service_entry {
  detail::os::service_config config;
  std::optional<std::string> password;  ///< the last password that was set; nullopt: NULL
  std::map<std::uint32_t, detail::scm::config_level> levels;
  std::vector<std::string> environment;
  std::vector<std::string> dependents;  ///< running services that depend on it; until they stop, STOP fails (1051)
  std::string security = "D:(A;;CCLCSWRPWPDTLOCRRC;;;SY)(A;;CCDCLCSWRPWPDTLOCRSDRCWDWO;;;BA)";
  std::map<std::uint32_t, std::uint32_t> replies_to_controls;  ///< result of the service by control; default 0
  detail::os::service_process_status process;
  std::deque<detail::os::service_process_status> next;  ///< each query_status removes the first
  bool marked_for_delete = false;
  int handles = 0;  ///< open handles; add 1 to simulate an open Services window
};

namespace database {

namespace code = detail::base::win32_error;

/// The number as 0x...
inline std::string hex(std::uint32_t v) {
  constexpr char digits[] = "0123456789abcdef";
  std::string out;
  for (; v != 0 || out.empty(); v >>= 4) out.insert(out.begin(), digits[v & 15]);
  return "0x" + out;
}

/// The words separated by blanks; "none" without words.
inline std::string list(const std::vector<std::string>& l) { return l.empty() ? "none" : detail::base::join(l, " "); }

/// The change as text, without a password.
inline std::string text_of(const detail::os::service_config_change& s) {
  std::string out;
  const auto put = [&out](const std::string& text) { out += (out.empty() ? "" : ", ") + text; };
  if (s.startup) put("startup " + std::string(name(*s.startup)));
  if (s.binary) put("binary " + *s.binary);
  if (s.display_name) put("display name " + *s.display_name);
  if (s.account) put("account " + *s.account);
  if (s.account || s.password)
    put(!s.password ? "password NULL" : s.password->empty() ? "password \"\"" : "password given");
  if (s.dependencies) put("depends on " + list(*s.dependencies));
  return out;
}

/// Changes what ChangeServiceConfigW changes.
inline void apply(service_entry& e, const detail::os::service_config_change& s) {
  // CreateServiceW and ChangeServiceConfigW cannot set delayed start; it is level 3 of ChangeServiceConfig2W.
  if (s.startup) e.config.startup = *s.startup == startup::delayed ? startup::automatic : *s.startup;
  if (s.binary) e.config.binary = *s.binary;
  if (s.display_name) e.config.display_name = *s.display_name;
  if (s.account) {
    e.config.account = *s.account;
    e.password = s.password;
  }
  if (s.dependencies) e.config.dependencies = *s.dependencies;
}

/// The value of a level, or the default of Windows if it was not set.
inline std::optional<detail::scm::config_level> level_of(const service_entry& e, std::uint32_t level) {
  if (const auto found = e.levels.find(level); found != e.levels.end()) return found->second;
  switch (level) {
    case detail::scm::config_level_id::description:
      return detail::scm::description_text{};
    case detail::scm::config_level_id::failure_actions:
      return detail::scm::recovery_options{{}, std::chrono::seconds(0)};
    case detail::scm::config_level_id::delayed_start:
      return detail::scm::delayed_start{};
    case detail::scm::config_level_id::failure_flag:
      return detail::scm::failure_flag{};
    case detail::scm::config_level_id::sid_type:
      return detail::scm::sid_type{};
    case detail::scm::config_level_id::required_privileges:
      return detail::scm::required_privileges{};
    case detail::scm::config_level_id::preshutdown:
      return detail::scm::preshutdown_timeout{std::chrono::minutes(3)};
    default:
      return std::nullopt;
  }
}

}  // namespace database
}  // namespace testing
}  // namespace winsvc
