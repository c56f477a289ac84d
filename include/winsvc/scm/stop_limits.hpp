// Stop limits: the time limits of a stop, for STOP, SHUTDOWN, PRESHUTDOWN, a closed terminal and a second Ctrl-C.
//
//   stop_limits_for(static_cast<std::uint32_t>(control::shutdown), 20s, {})     // 3 s per step, 4.5 s in total
//
// Windows terminates the process about 5 s after SHUTDOWN, and at the end of its preshutdown timeout after PRESHUTDOWN.
// The drain gets only a part of this time, so that the stop hooks and the log get the remaining time.
// Source: "Service Control Handler Function" and SERVICE_PRESHUTDOWN_INFO in the Win32 documentation.
#pragma once

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <optional>

#include "winsvc/config/abi.hpp"
#include "winsvc/scm/state.hpp"

namespace winsvc {
inline namespace WINSVC_ABI {
namespace detail::scm {

/// Limits of one stop.
struct stop_limits {
  std::chrono::milliseconds step_limit{0};         ///< for the drain, and for each hook
  std::optional<std::chrono::milliseconds> total;  ///< for the whole stop; nullopt: no limit while it makes progress
};

/// Limits when Windows shuts down or the console is closed.
inline constexpr std::chrono::milliseconds shutdown_limit{3'000}, shutdown_total{4'500};

/// Limits after a second Ctrl-C or SIGTERM: the operator does not want to wait for the first stop.
inline constexpr std::chrono::milliseconds second_request_limit{1'000}, second_request_total{2'500};

/// Returns the limits for a control. `limit`: the stop limit of the app. `preshutdown`: the preshutdown timeout of the
/// installed service; nullopt: `limit`.
[[nodiscard]] stop_limits stop_limits_for(std::uint32_t number, std::chrono::milliseconds limit,
                                          std::optional<std::chrono::milliseconds> preshutdown) noexcept;

}  // namespace detail::scm
}  // inline namespace WINSVC_ABI
}  // namespace winsvc

// ---------------------------------------------------------------------------------------------------------------------

#if WINSVC_BODIES_SCM

namespace winsvc {
inline namespace WINSVC_ABI {
namespace detail::scm {

WINSVC_INLINE stop_limits stop_limits_for(std::uint32_t number, std::chrono::milliseconds limit,
                                          std::optional<std::chrono::milliseconds> preshutdown) noexcept {
  switch (static_cast<control>(number)) {
    case control::shutdown: return {(std::min)(limit, shutdown_limit), shutdown_total};
    case control::preshutdown: {
      const auto timeout = preshutdown.value_or(limit);
      return {(std::min)(limit, timeout * 3 / 5), timeout * 9 / 10};
    }
    default: return {limit, {}};
  }
}

}  // namespace detail::scm
}  // inline namespace WINSVC_ABI
}  // namespace winsvc

#endif  // WINSVC_BODIES_SCM
