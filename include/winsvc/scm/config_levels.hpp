// What ChangeServiceConfig2W sets, level by level. A level's number is its place in `config_level`, counted from 1.
//
//   change_level(service, model::failure_flag{true});     // SERVICE_CONFIG_FAILURE_ACTIONS_FLAG, 4
//
// Systems differ in the levels they know: a refusal with 120, 124 or 1733 is a warning, not a failure.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "winsvc/base/text.hpp"
#include "winsvc/config/abi.hpp"
#include "winsvc/scm/recovery.hpp"

namespace winsvc {
inline namespace WINSVC_ABI {
namespace model {

struct description_text {
  std::string text;
};
/// An automatic start some two minutes after the others.
struct delayed_start {
  bool on = false;
};
/// Is a STOPPED with an exit code a failure too? Without it recovery acts on crashes alone.
struct failure_flag {
  bool on = false;
};
/// SERVICE_SID_TYPE_*: with `unrestricted` the process's token holds the SID of `NT SERVICE\<name>`, whatever account
/// it runs as, so that files can be opened to this service and to no other.
struct sid_type {
  std::uint32_t value = 0;
  static constexpr std::uint32_t none = 0, unrestricted = 1, restricted = 3;
};
/// The privileges that stay in the process's token; the SCM takes the others out. Empty: all that the account has.
struct required_privileges {
  std::vector<std::string> names;
};
/// How long the SCM waits for the service before the machine shuts down.
struct preshutdown_timeout {
  std::chrono::milliseconds limit{0};
};

using config_level = std::variant<description_text,      // 1 SERVICE_CONFIG_DESCRIPTION
                                  recovery_plan,         // 2 SERVICE_CONFIG_FAILURE_ACTIONS
                                  delayed_start,         // 3 SERVICE_CONFIG_DELAYED_AUTO_START_INFO
                                  failure_flag,          // 4 SERVICE_CONFIG_FAILURE_ACTIONS_FLAG
                                  sid_type,              // 5 SERVICE_CONFIG_SERVICE_SID_INFO
                                  required_privileges,   // 6 SERVICE_CONFIG_REQUIRED_PRIVILEGES_INFO
                                  preshutdown_timeout>;  // 7 SERVICE_CONFIG_PRESHUTDOWN_INFO

namespace config_level_id {
inline constexpr std::uint32_t description = 1, failure_actions = 2, delayed_start = 3, failure_flag = 4, sid_type = 5,
                               required_privileges = 6, preshutdown = 7;
}
[[nodiscard]] std::uint32_t number(const config_level& l) noexcept;
/// As an install plan shows it.
[[nodiscard]] std::string format_config_level(const config_level& l);

}  // namespace model
}  // inline namespace WINSVC_ABI
}  // namespace winsvc

// ---------------------------------------------------------------------------------------------------------------------

#if WINSVC_BODIES_MODEL

namespace winsvc {
inline namespace WINSVC_ABI {
namespace model {

WINSVC_INLINE std::uint32_t number(const config_level& l) noexcept {
  return static_cast<std::uint32_t>(l.index()) + 1;
}

WINSVC_INLINE std::string format_config_level(const config_level& l) {
  struct writer {
    std::string operator()(const description_text& v) const { return v.text; }
    std::string operator()(const recovery_plan& v) const {
      return recovery_text(v.actions) + ", reset " + exact_duration(v.reset);
    }
    std::string operator()(const delayed_start& v) const { return v.on ? "yes" : "no"; }
    std::string operator()(const failure_flag& v) const { return v.on ? "yes" : "no"; }
    std::string operator()(const sid_type& v) const {
      return v.value == sid_type::none           ? "none"
             : v.value == sid_type::unrestricted ? "unrestricted"
             : v.value == sid_type::restricted   ? "restricted"
                                                 : std::to_string(v.value);
    }
    std::string operator()(const required_privileges& v) const {
      return v.names.empty() ? "all that the account has" : strings::join(v.names, ", ");
    }
    std::string operator()(const preshutdown_timeout& v) const { return exact_duration(v.limit); }
  };
  return std::visit(writer{}, l);
}

}  // namespace model
}  // inline namespace WINSVC_ABI
}  // namespace winsvc

#endif  // WINSVC_BODIES_MODEL
