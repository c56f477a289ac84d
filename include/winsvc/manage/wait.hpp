// Waiting until the SCM says that a service has got where it was sent: quick looks at first, then ever fewer, and an
// end to patience when it makes no progress.
//
// Source: "Starting a Service" in the Win32 documentation: poll at a tenth of the wait hint, at least 1 s, at most 10
// s. Most services need milliseconds, so here a pause is also no more than a tenth of what has been waited, or 100 ms.
#pragma once

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <initializer_list>
#include <string>

#include "winsvc/base/clock.hpp"
#include "winsvc/base/duration.hpp"
#include "winsvc/base/result.hpp"
#include "winsvc/config/abi.hpp"
#include "winsvc/base/error_codes.hpp"
#include "winsvc/os/native.hpp"

namespace winsvc {
inline namespace WINSVC_ABI {
namespace host {

/// Looks until the service is in one of the states `wanted`, of which `stopped` is always one. A stall of 30 s, or of
/// the wait hint where that is longer, ends it before `limit` does: the SCM itself calls that hung.
[[nodiscard]] result<os::service_process_status> wait_while_pending(os::service_manager& scm,
                                                                    os::service_manager::raw_handle service,
                                                                    clock& time,
                                                                    std::initializer_list<model::state> expected,
                                                                    std::chrono::milliseconds limit,
                                                                    const std::string& operation, const std::string& name);

}  // namespace host
}  // inline namespace WINSVC_ABI
}  // namespace winsvc

// ---------------------------------------------------------------------------------------------------------------------

#if WINSVC_BODIES_VERBS

namespace winsvc {
inline namespace WINSVC_ABI {
namespace host {

WINSVC_INLINE result<os::service_process_status> wait_while_pending(os::service_manager& scm,
                                                                    os::service_manager::raw_handle service,
                                                                    clock& time,
                                                                    std::initializer_list<model::state> expected,
                                                                    std::chrono::milliseconds limit,
                                                                    const std::string& operation, const std::string& name) {
  using namespace std::chrono;
  const auto began = time.now();
  auto progressed = began;
  std::uint32_t checkpoint = 0;
  milliseconds pause{10};
  for (;;) {
    const auto seen = scm.query_status(service);
    if (!seen) return failure{model::error_with_explanation(seen.error(), operation, name, os::system_error_message(seen.error()))};
    const auto& status = seen->status;
    const bool exists = std::find(expected.begin(), expected.end(), status.current) != expected.end();
    if (exists || status.current == model::state::stopped) return *seen;

    const auto now = time.now();
    if (status.checkpoint != checkpoint) {
      checkpoint = status.checkpoint;
      progressed = now;
    }
    const auto timeout = (std::max)(status.wait_hint, milliseconds(30'000));
    if (now - began >= limit || now - progressed >= timeout) {
      error late = model::error_with_explanation(model::win32_error::timeout, operation, name);
      late.message = "it is still '" + std::string(model::name(status.current)) + "' after " +
                  duration_text(duration_cast<milliseconds>(now - began));
      return failure{std::move(late)};
    }
    time.sleep((std::min)(pause, duration_cast<milliseconds>(limit - (now - began)) + milliseconds(1)));
    const auto slowest = std::clamp(status.wait_hint / 10, milliseconds(1000), milliseconds(10'000));
    const auto tenth = (std::max)(duration_cast<milliseconds>(time.now() - began) / 10, milliseconds(100));
    pause = (std::min)({pause * 2, slowest, tenth});
  }
}

}  // namespace host
}  // inline namespace WINSVC_ABI
}  // namespace winsvc

#endif  // WINSVC_BODIES_VERBS
