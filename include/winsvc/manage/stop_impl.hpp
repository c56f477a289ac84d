// Implementation of manage/start_stop.hpp: stops a service and its dependent services; `stop --hold`.
#pragma once

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "winsvc/base/attempt.hpp"
#include "winsvc/base/clock.hpp"
#include "winsvc/base/duration.hpp"
#include "winsvc/base/error_codes.hpp"
#include "winsvc/base/json_writer.hpp"
#include "winsvc/base/result.hpp"
#include "winsvc/base/scope.hpp"
#include "winsvc/base/text.hpp"
#include "winsvc/commandline/command.hpp"
#include "winsvc/config/abi.hpp"
#include "winsvc/manage/start_stop.hpp"
#include "winsvc/manage/verb_context.hpp"
#include "winsvc/manage/wait.hpp"
#include "winsvc/os/crash.hpp"
#include "winsvc/os/process.hpp"
#include "winsvc/os/service_manager.hpp"
#include "winsvc/scm/recovery.hpp"
#include "winsvc/scm/saved_state.hpp"

// ---------------------------------------------------------------------------------------------------------------------

#if WINSVC_BODIES_MANAGE

namespace winsvc {
inline namespace WINSVC_ABI {
namespace detail::manage {

WINSVC_INLINE result<void> service_controller::stop(const commandline::control_options& options) {
  const auto service = context_.open("stop", stop_rights);
  if (!service) return failure{service.error()};
  const auto current = context_.scm().query_status(service->get());
  const auto before = context_.state();
  const bool has_ended = current && current->pid != 0 && context_.scm().exit_code_of(current->pid);
  if (options.hold) {
    if (auto held = hold(); !held) return held;
  }
  if (current && current->status.current == scm::state::stopped) {
    context_.print(context_.quoted_name() + " is not running");
    if (current->status.exit.failed() && !options.hold)
      warn_of_queued_restart(before && !before->failure.empty() ? last_failure_of(*before) : restart_cause());
    return {};
  }
  const auto stopped = stop_and_wait(service->get(), options, "stop");
  if (!stopped) return failure{stopped.error()};
  const bool is_incomplete = !options.no_wait && stopped->code != 0;
  if (!is_incomplete)
    context_.print((options.no_wait ? "sent 'stop' to " : "stopped ") + context_.quoted_name());
  const bool has_failed_before = before && !(before->failure.empty() && before->previous_failure.empty());
  restart_cause new_failure;
  new_failure.failed_at = context_.time().system_now();
  if (!options.hold && (has_ended || stopped->is_failure)) warn_of_queued_restart(new_failure);
  else if (!options.hold && has_failed_before) warn_of_queued_restart(last_failure_of(*before));
  if (!is_incomplete) return {};
  return failure{error{stopped->code, {}, {}, "stopped " + context_.quoted_name() + ", but: " + stopped->sentence, {}}};
}

/// Disables the service, so that neither a queued restart of the SCM nor the next boot starts it.
WINSVC_INLINE result<void> service_controller::hold() {
  const auto service = context_.open("hold", os::access_rights::query_config | os::access_rights::change_config);
  if (!service) return failure{service.error()};
  const auto config = context_.scm().query_config(service->get());
  if (!config) return context_.make_error("hold", config.error());
  if (config->startup == startup::disabled) return {};
  os::service_config_change change;
  change.startup = startup::disabled;
  change.dependencies = config->dependencies;
  // First the file: without it, 'start' would not know the start type of a disabled service.
  bool is_disabled = false;
  const scope_exit forget([&]() noexcept {
    if (!is_disabled) base::attempt([&] { static_cast<void>(context_.write_data("hold.json", {})); });
  });
  const std::string content = base::json_object_writer().put_text("startup", name(config->startup)).text() + '\n';
  if (auto written = context_.write_data("hold.json", content); !written) {
    auto unchanged = context_.make_error("write", "hold.json", written.error());
    unchanged.error.hint = "'stop --hold' saves the start type in this file of the data folder, so that 'start' can "
                           "restore it; the service is unchanged";
    return unchanged;
  }
  if (auto done = context_.scm().change_config(service->get(), change); !done)
    return context_.make_error("hold", done.error());
  is_disabled = true;
  context_.print(context_.quoted_name() + " is disabled until 'start'");
  return {};
}

WINSVC_INLINE service_controller::restart_cause service_controller::last_failure_of(const scm::saved_state& saved) {
  restart_cause cause;
  cause.failed_at = scm::last_failure_time(saved);
  if (saved.failure.empty()) cause.next_start = scm::start_time(saved);
  if (scm::lacks_dump_result(saved)) cause.max_end_delay = os::crash_handler::crash_handler_options().max_duration();
  return cause;
}

/// The SCM may have queued a restart after a failure, also if the service was started and stopped since then. No call
/// cancels it. Source: ChangeServiceConfig2W. Without a time of the failure, it is unknown whether the SCM has already
/// executed the restart.
WINSVC_INLINE void service_controller::warn_of_queued_restart(const restart_cause& cause) {
  const auto service = context_.open("query", os::access_rights::query_config);
  const auto level =
      service ? context_.scm().query_level(service->get(), scm::config_level_id::failure_actions)
              : os::sys_result<scm::config_level>(os::sys_failure(base::win32_error::access_denied));
  if (!level) return;
  using namespace std::chrono;
  const auto& recovery = std::get<scm::recovery_options>(*level);
  const bool has_restarted =
      cause.failed_at && cause.next_start &&
      scm::is_start_by_restart(recovery, duration_cast<milliseconds>(*cause.next_start - *cause.failed_at));
  if (has_restarted) return;
  const auto now = context_.time().system_now();
  // A time in the future is invalid: the clock was set back.
  const bool is_time_known = cause.failed_at && *cause.failed_at <= now;
  const auto elapsed = is_time_known ? duration_cast<milliseconds>(now - *cause.failed_at) : milliseconds(0);
  const auto left = scm::time_to_restart(recovery, elapsed - cause.max_end_delay);
  if (!left) return;
  const std::string limit = base::exact_duration((std::max)(ceil<seconds>(*left), seconds(1)));
  context_.warn(context_.quoted_name() + " has failed, and the service manager may start it again within " + limit +
                (is_time_known ? "" : " of the failure") +
                "; no command cancels that start; use 'stop --hold' to prevent every start until 'start'");
}

WINSVC_INLINE result<service_controller::stop_result> service_controller::stop_and_wait(
    verb_context::raw_handle service, const commandline::control_options& options, const std::string& operation) {
  const auto previous = context_.state();
  const bool wait = !options.no_wait;
  stop_result stopped;
  os::service_process_status last;
  auto done = stop_one(service, context_.name(), options, wait, operation, &last);
  if (!done && done.error().code == base::win32_error::dependent_services_running) {
    auto dependents = stop_dependents(service, options, operation);
    if (!dependents) return failure{dependents.error()};
    stopped.dependents = *std::move(dependents);
    done = stop_one(service, context_.name(), options, wait, operation, &last);
  }
  if (!done) return failure{done.error()};
  // It was not running, or the stop is not waited for.
  if (last.status.current != scm::state::stopped) return stopped;
  auto result = describe_stop(last.status, previous);
  result.dependents = std::move(stopped.dependents);
  return result;
}

/// Stops one service, ours or a dependent one. `stopped` receives its last state if the stop was waited for.
WINSVC_INLINE result<void> service_controller::stop_one(verb_context::raw_handle service, const std::string& name,
                                                        const commandline::control_options& options, bool wait,
                                                        const std::string& operation,
                                                        os::service_process_status* stopped) {
  const auto start = context_.time().now(), deadline = start + options.wait;
  for (;;) {
    const auto done = context_.scm().control_service(service, static_cast<std::uint32_t>(scm::control::stop));
    if (done) break;
    if (done.error() == base::win32_error::service_not_active) return {};
    const auto current = context_.scm().query_status(service);
    // The process may have ended, although the SCM has not detected it yet.
    if (current && context_.scm().exit_code_of(current->pid)) return {};
    if (current && current->status.current == scm::state::stopped) return {};
    // A service between two states returns 1061 on Windows and 1052 on Wine. A service that never accepts a stop also
    // returns 1052, so a state that just changed is tried again for a second.
    const bool refused = done.error() == base::win32_error::service_cannot_accept_control ||
                         done.error() == base::win32_error::invalid_service_control;
    if (!refused) return context_.make_error(operation, name, done.error());
    if (current && current->status.current == scm::state::stop_pending) break;

    // The service may be starting: wait until it has started and try again.
    const bool pending = current && scm::is_pending(current->status.current);
    if (!pending && context_.time().now() >= (std::min)(deadline, start + std::chrono::seconds(1)))
      return context_.make_error(operation, name, done.error());
    if (pending && context_.time().now() >= deadline) {
      error late = base::error_with_explanation(base::win32_error::timeout, operation, name);
      late.message = "the service is still '" + std::string(scm::name(current->status.current)) + '\'';
      return failure{std::move(late)};
    }
    context_.time().sleep(std::chrono::milliseconds(50));
  }
  if (!wait) return {};
  const auto settled = wait_while_pending(context_.scm(), service, context_.time(), {}, options.wait, operation, name);
  if (!settled) return failure{settled.error()};
  if (stopped) *stopped = *settled;
  return {};
}

WINSVC_INLINE result<std::vector<std::string>> service_controller::stop_dependents(
    verb_context::raw_handle service, const commandline::control_options& options, const std::string& operation) {
  auto dependents = context_.scm().active_dependents(service);
  if (!dependents) return context_.make_error(operation, dependents.error());
  if (!options.force) {
    auto error = context_.make_error(operation, base::win32_error::dependent_services_running);
    if (!dependents->empty()) error.error.message += ": " + base::join(*dependents, ", ");
    return error;
  }
  for (const auto& name : *dependents) {
    const auto dependent = context_.open(operation, name, os::access_rights::stop | os::access_rights::query_status);
    if (!dependent) return failure{dependent.error()};
    if (auto done = stop_one(dependent->get(), name, options, true, operation, nullptr); !done)
      return failure{done.error()};
    context_.print("stopped '" + name + "', which depends on it");
  }
  return *std::move(dependents);
}

/// Describes a stop. A stop that aborted a request or a hook ends with code 0, because it must not cause a recovery;
/// the message then comes from the state file.
WINSVC_INLINE service_controller::stop_result service_controller::describe_stop(const scm::service_status& status,
                                              const std::optional<scm::saved_state>& previous) const {
  stop_result result;
  result.was_running = true;
  result.is_failure = status.exit.failed();
  const auto saved = context_.state();
  const bool has_new_failure = saved && !saved->failure.empty() &&
                               (!previous || previous->pid != saved->pid || previous->failure != saved->failure);
  if (status.exit.failed()) {
    result.code = status.exit.code();
    result.sentence = has_new_failure ? saved->failure : os::explained_message(result.code);
  } else if (has_new_failure) {
    result.code = base::win32_error::timeout;
    result.sentence = saved->failure;
  }
  return result;
}

}  // namespace detail::manage
}  // inline namespace WINSVC_ABI
}  // namespace winsvc

#endif  // WINSVC_BODIES_MANAGE
