// Configuration levels of ChangeServiceConfig2W, one type for each level. The number of a level is its position in
// `config_level`, counted from 1.
//
//   change_level(service, scm::failure_flag{true});     // SERVICE_CONFIG_FAILURE_ACTIONS_FLAG, 4
//
// Systems support different levels: the errors 120, 124 and 1733 cause a warning, not a failure.
// Source: ChangeServiceConfig2W in the Win32 documentation.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "winsvc/base/text.hpp"
#include "winsvc/config/abi.hpp"
#include "winsvc/scm/recovery.hpp"

namespace winsvc {
inline namespace WINSVC_ABI {
namespace detail::scm {

struct description_text {
  std::string text;
};
/// Automatic start about two minutes after the other services.
struct delayed_start {
  bool on = false;
};
/// If on, STOPPED with an exit code other than 0 is also a failure. If off, recovery acts only on crashes.
struct failure_flag {
  bool on = false;
};
/// SERVICE_SID_TYPE_*. With `unrestricted`, the token of the process contains the SID of `NT SERVICE\<name>`, with any
/// account, so that a file can grant access to this service alone.
struct sid_type {
  std::uint32_t value = 0;
  static constexpr std::uint32_t none = 0, unrestricted = 1, restricted = 3;
};
/// Privileges that stay in the token of the process; the SCM removes the others. Empty: all privileges of the account.
struct required_privileges {
  std::vector<std::string> names;
};
/// Time that the SCM waits for the service before Windows shuts down.
struct preshutdown_timeout {
  std::chrono::milliseconds limit{0};
};

using config_level = std::variant<description_text,      // 1 SERVICE_CONFIG_DESCRIPTION
                                  recovery_options,      // 2 SERVICE_CONFIG_FAILURE_ACTIONS
                                  delayed_start,         // 3 SERVICE_CONFIG_DELAYED_AUTO_START_INFO
                                  failure_flag,          // 4 SERVICE_CONFIG_FAILURE_ACTIONS_FLAG
                                  sid_type,              // 5 SERVICE_CONFIG_SERVICE_SID_INFO
                                  required_privileges,   // 6 SERVICE_CONFIG_REQUIRED_PRIVILEGES_INFO
                                  preshutdown_timeout>;  // 7 SERVICE_CONFIG_PRESHUTDOWN_INFO

namespace config_level_id {
inline constexpr std::uint32_t description = 1, failure_actions = 2, delayed_start = 3, failure_flag = 4, sid_type = 5,
                               required_privileges = 6, preshutdown = 7;
}  // namespace config_level_id
/// Returns the number of a level, 1 to 7.
[[nodiscard]] std::uint32_t number(const config_level& l) noexcept;
/// Returns the value of a level as an install plan shows it.
[[nodiscard]] std::string format_config_level(const config_level& l);

/// Calls `function` with the alternative that the level has. An alternative that it does not accept is a compile error.
template <class F, std::size_t... Index>
void call_with_value(const config_level& l, const F& function, std::index_sequence<Index...> /*alternatives*/) {
  static_cast<void>(((l.index() == Index && (function(*std::get_if<Index>(&l)), true)) || ...));
}
template <class F>
void call_with_value(const config_level& l, const F& function) {
  call_with_value(l, function, std::make_index_sequence<std::variant_size_v<config_level>>{});
}

}  // namespace detail::scm
}  // inline namespace WINSVC_ABI
}  // namespace winsvc

// ---------------------------------------------------------------------------------------------------------------------

#if WINSVC_BODIES_SCM

namespace winsvc {
inline namespace WINSVC_ABI {
namespace detail::scm {

WINSVC_INLINE std::uint32_t number(const config_level& l) noexcept {
  return static_cast<std::uint32_t>(l.index()) + 1;
}

WINSVC_INLINE std::string format_config_level(const config_level& l) {
  struct formatter {
    std::string operator()(const description_text& level) const { return level.text; }
    std::string operator()(const recovery_options& level) const {
      return recovery_text(level.actions) + ", reset " + base::exact_duration(level.reset) +
             (level.command.empty() ? "" : ", command " + level.command);
    }
    std::string operator()(const delayed_start& level) const { return level.on ? "yes" : "no"; }
    std::string operator()(const failure_flag& level) const { return level.on ? "yes" : "no"; }
    std::string operator()(const sid_type& level) const {
      return level.value == sid_type::none           ? "none"
             : level.value == sid_type::unrestricted ? "unrestricted"
             : level.value == sid_type::restricted   ? "restricted"
                                                     : std::to_string(level.value);
    }
    std::string operator()(const required_privileges& level) const {
      return level.names.empty() ? "all privileges of the account" : base::join(level.names, ", ");
    }
    std::string operator()(const preshutdown_timeout& level) const { return base::exact_duration(level.limit); }
  };
  std::string text;
  call_with_value(l, [&text](const auto& level) { text = formatter{}(level); });
  return text;
}

}  // namespace detail::scm
}  // inline namespace WINSVC_ABI
}  // namespace winsvc

#endif  // WINSVC_BODIES_SCM
