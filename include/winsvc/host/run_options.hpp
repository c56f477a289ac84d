// Options and result of one run of a service: what a host passes to the runtime, and what the runtime returns.
//
//   run_options options;
//   options.on_running = [](const os::endpoint& address) { ... };
//   const run_result result = runtime(definition, reporter, std::move(options)).run();
//   result.exit().code();        // for the SCM
//   result.failure_text();       // empty after a complete stop
#pragma once

#include <chrono>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "winsvc/base/error.hpp"
#include "winsvc/config/abi.hpp"
#include "winsvc/http/engine_state.hpp"
#include "winsvc/os/native.hpp"
#include "winsvc/scm/events.hpp"
#include "winsvc/scm/state.hpp"

namespace winsvc {
inline namespace WINSVC_ABI {
namespace detail::host {

/// Options of a run, from the host.
struct run_options {
  std::vector<std::string> arguments;  ///< arguments of StartService
  std::function<void(const os::endpoint&)> on_listening;  ///< called after bind, before RUNNING
  std::function<void(const os::endpoint&)> on_running;    ///< called after RUNNING was reported
  std::function<void(const http::access_record&)> on_response;
  std::function<void(scm::service_event, const std::string&)> on_event;  ///< paused, continued, reloaded
  /// Time to wait for an address that the machine does not have yet (10049): the network may come up after boot. Also
  /// for a port that is in use (10048, 10013) although no program listens on it: connections of the previous run are
  /// still open.
  std::chrono::milliseconds bind_timeout{0};
  std::function<os::sys_result<std::optional<os::port_listener>>(const os::endpoint&)> find_listener =
      os::find_listener;
  std::chrono::milliseconds bind_retry_delay{500};  ///< between two attempts
  std::string control_channel;  ///< address of the control channel (os/control_channel.hpp); empty: no channel
};

/// Result of a run.
struct run_result {
  std::optional<error> failure;      ///< set if the run failed
  std::vector<error> more_failures;  ///< the other errors of the settings
  /// Set after a requested stop in which a hook, handler or worker did not return in time.
  std::optional<error> incomplete_stop;
  std::string stop_reason;  ///< reason of the operator or of the app; empty: none
  /// A hook, handler or worker did not return. The process must end without waiting for it; until then the runtime, the
  /// service definition and the app's object must not be destroyed.
  bool has_stuck_thread = false;

  /// Exit status for the SCM: that of the failure, otherwise success. An incomplete stop is a success: the SCM would
  /// start the service again after a failure.
  [[nodiscard]] scm::exit_status exit() const noexcept {
    return failure ? scm::failure_status(failure->code) : scm::exit_status{};
  }
  /// Text of the failure, one line for each error, or the reason of the incomplete stop; empty after a complete stop.
  [[nodiscard]] std::string failure_text() const {
    if (!failure) {
      if (!incomplete_stop) return {};
      return error{incomplete_stop->code, {}, {}, incomplete_stop->message, incomplete_stop->hint}.to_string();
    }
    std::string out = failure->to_string();
    for (const auto& other : more_failures) out += '\n' + other.to_string();
    return out;
  }
};

}  // namespace detail::host
}  // inline namespace WINSVC_ABI
}  // namespace winsvc
