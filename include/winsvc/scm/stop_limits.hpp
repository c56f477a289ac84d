// How long a stop may take, by where it comes from.
//
//   stop_limits_for(control::shutdown, 20s, {})       // 3 s for requests and each hook, 4.5 s in all
//
// Source: "Service Control Handler Function" and SERVICE_PRESHUTDOWN_INFO in the Win32 documentation. The system ends us
// some 5 s after SHUTDOWN, and at the end of our time after PRESHUTDOWN, whatever we are doing: requests get a part of it,
// so that hooks and the log have theirs.
#pragma once

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <optional>

#include "winsvc/config/abi.hpp"
#include "winsvc/scm/state.hpp"

namespace winsvc {
inline namespace WINSVC_ABI {
namespace model {

struct stop_limits {
  std::chrono::milliseconds per_step{0};                ///< for the requests in flight, and for each hook
  std::optional<std::chrono::milliseconds> total;  ///< and for all of it; none: as long as it makes progress
};

/// When the machine shuts down or the console is closed.
inline constexpr std::chrono::milliseconds shutdown_limit{3'000}, shutdown_total{4'500};

/// `limit`: the app's own; `preshutdown`: what the SCM was told.
[[nodiscard]] stop_limits stop_limits_for(std::uint32_t what, std::chrono::milliseconds limit,
                                                 std::optional<std::chrono::milliseconds> preshutdown) noexcept;

}  // namespace model
}  // inline namespace WINSVC_ABI
}  // namespace winsvc

// ---------------------------------------------------------------------------------------------------------------------

#if WINSVC_BODIES_MODEL

namespace winsvc {
inline namespace WINSVC_ABI {
namespace model {

WINSVC_INLINE stop_limits stop_limits_for(std::uint32_t what, std::chrono::milliseconds limit,
                                                 std::optional<std::chrono::milliseconds> preshutdown) noexcept {
  switch (static_cast<control>(what)) {
    case control::shutdown: return {(std::min)(limit, shutdown_limit), shutdown_total};
    case control::preshutdown: {
      const auto all = preshutdown.value_or(limit);
      return {(std::min)(limit, all * 3 / 5), all * 9 / 10};
    }
    default: return {limit, {}};
  }
}

}  // namespace model
}  // inline namespace WINSVC_ABI
}  // namespace winsvc

#endif  // WINSVC_BODIES_MODEL
