// Waits until a service reaches a state. The poll interval grows with the waiting time; the wait fails if the service
// makes no progress.
//
//   const auto now = wait_while_pending(scm, handle, time, {scm::state::running}, 60s, "start", "hello");
//   if (!now) return failure{now.error()};
//
// Source: "Starting a Service" in the Win32 documentation: poll at a tenth of the wait hint, at least 1 s, at most 10
// s. Most services need milliseconds, so the interval here is shorter at first: a tenth of the elapsed time, but at
// least 100 ms.
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
namespace detail::manage {

/// The status of a service whose process has ended without STOPPED: stopped, with 1067 (ERROR_PROCESS_ABORTED).
[[nodiscard]] os::service_process_status ended_process(os::service_process_status process) noexcept;

/// Waits until the service is in one of the states `expected`, or stopped, or until its process has ended. Fails after
/// `limit`, or after 30 s without progress (or the wait hint, if it is longer), when the SCM also treats the service as
/// hung.
[[nodiscard]] result<os::service_process_status> wait_while_pending(
    os::service_manager& scm, os::service_manager::raw_handle service, clock& time,
    std::initializer_list<scm::state> expected, std::chrono::milliseconds limit, const std::string& operation,
    const std::string& name);

}  // namespace detail::manage
}  // inline namespace WINSVC_ABI
}  // namespace winsvc

// ---------------------------------------------------------------------------------------------------------------------

#if WINSVC_BODIES_MANAGE

namespace winsvc {
inline namespace WINSVC_ABI {
namespace detail::manage {

WINSVC_INLINE os::service_process_status ended_process(os::service_process_status process) noexcept {
  process.status.current = scm::state::stopped;
  process.status.exit = {base::win32_error::process_aborted, 0};
  process.pid = 0;
  return process;
}

WINSVC_INLINE result<os::service_process_status> wait_while_pending(
    os::service_manager& scm, os::service_manager::raw_handle service, clock& time,
    std::initializer_list<scm::state> expected, std::chrono::milliseconds limit, const std::string& operation,
    const std::string& name) {
  using namespace std::chrono;
  const auto start = time.now();
  auto last_progress = start;
  std::uint32_t checkpoint = 0;
  milliseconds pause{10};
  bool was_ended = false;
  for (;;) {
    const auto process = scm.query_status(service);
    if (!process)
      return failure{
          base::error_with_explanation(process.error(), operation, name, os::system_error_message(process.error()))};
    const auto& status = process->status;
    // The SCM may notice the end of a process only when the pending state times out: 36 s under Wine.
    if (scm::is_pending(status.current) && scm.exit_code_of(process->pid)) {
      if (was_ended) return ended_process(*process);
      was_ended = true;  // it may have reported STOPPED as its last action
    }
    const bool reached = std::find(expected.begin(), expected.end(), status.current) != expected.end();
    if (reached || status.current == scm::state::stopped) return *process;

    const auto now = time.now();
    if (status.checkpoint != checkpoint) {
      checkpoint = status.checkpoint;
      last_progress = now;
    }
    const auto timeout = (std::max)(status.wait_hint, milliseconds(30'000));
    if (now - start >= limit || now - last_progress >= timeout) {
      error late = base::error_with_explanation(base::win32_error::timeout, operation, name);
      late.message = "the service is still '" + std::string(scm::name(status.current)) + "' after " +
                     base::duration_text(duration_cast<milliseconds>(now - start));
      return failure{std::move(late)};
    }
    time.sleep((std::min)(pause, duration_cast<milliseconds>(limit - (now - start)) + milliseconds(1)));
    const auto max_pause = std::clamp(status.wait_hint / 10, milliseconds(1000), milliseconds(10'000));
    const auto tenth = (std::max)(duration_cast<milliseconds>(time.now() - start) / 10, milliseconds(100));
    pause = (std::min)({pause * 2, max_pause, tenth});
  }
}

}  // namespace detail::manage
}  // inline namespace WINSVC_ABI
}  // namespace winsvc

#endif  // WINSVC_BODIES_MANAGE
