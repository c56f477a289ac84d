// `start`, `stop`, `restart` and `status` verbs. Each uses the interface in os/service_manager.hpp with the minimum
// rights; nothing here depends on Windows.
//
//   service_controller(context).start(command.control);     // waits until the service is RUNNING; result<void>
//
// A verb whose target state is already reached (stopped, running) is a success.
#pragma once

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "winsvc/base/clock.hpp"
#include "winsvc/base/flat_json.hpp"
#include "winsvc/base/json_writer.hpp"
#include "winsvc/base/quote.hpp"
#include "winsvc/base/result.hpp"
#include "winsvc/base/text.hpp"
#include "winsvc/config/abi.hpp"
#include "winsvc/host/status.hpp"
#include "winsvc/commandline/command.hpp"
#include "winsvc/scm/saved_state.hpp"
#include "winsvc/os/service_manager.hpp"
#include "winsvc/manage/verb_context.hpp"
#include "winsvc/manage/pending_restart.hpp"
#include "winsvc/manage/wait.hpp"

namespace winsvc {
inline namespace WINSVC_ABI {
namespace detail::manage {

/// Starts, stops and queries one service.
class service_controller {
 public:
  explicit service_controller(verb_context& context) noexcept : context_(context) {}

  result<void> start(const commandline::control_options& options);
  /// Stops the service. Fails with 1460 if it stopped but did not complete a request, hook or worker.
  result<void> stop(const commandline::control_options& options);
  result<void> restart(const commandline::control_options& options);
  /// `live_status`: the response on the control channel, if the service was queried already.
  result<host::service_report> status(const std::optional<std::string>& live_status = {});

  /// How a stop ended. A service that was not running has code 0.
  struct stop_result {
    bool was_running = false;             ///< the service was running, and the stop was waited for
    std::uint32_t code = 0;               ///< 0: complete stop
    bool is_failure = false;              ///< the service ended with an exit code other than 0: the SCM recovers it
    std::string sentence;                 ///< the failure that the service reported, if the stop was not complete
    std::vector<std::string> dependents;  ///< the services that were stopped before it, in this order
  };
  /// Rights that the handle must have.
  static constexpr std::uint32_t stop_rights =
      os::access_rights::stop | os::access_rights::query_status | os::access_rights::enumerate_dependents;
  /// Stops the service, and with --force the services that depend on it first; waits unless --no-wait is given.
  result<stop_result> stop_and_wait(verb_context::raw_handle service, const commandline::control_options& options,
                                    const std::string& operation);

 private:
  result<void> stop_one(verb_context::raw_handle service, const std::string& name,
                        const commandline::control_options& options, bool wait, const std::string& operation,
                        os::service_process_status* stopped);
  result<std::vector<std::string>> stop_dependents(verb_context::raw_handle service,
                                                   const commandline::control_options& options,
                                                   const std::string& operation);
  result<void> restart_dependents(const std::vector<std::string>& stopped_names,
                                  const commandline::control_options& options);
  result<void> hold();
  result<void> release_hold();
  /// A failure after which the SCM may have queued a restart.
  struct restart_cause {
    std::optional<clock::system_time> failed_at;   ///< nullopt: unknown
    std::optional<clock::system_time> next_start;  ///< start of the process after it; nullopt: unknown, or none
    std::chrono::milliseconds max_end_delay{0};    ///< the failed process ended at most this time after `failed_at`
  };
  [[nodiscard]] static restart_cause last_failure_of(const scm::saved_state& saved);
  void warn_of_queued_restart(const restart_cause& cause);
  void note_first_log_on();
  [[nodiscard]] result<void> check_program(const std::string& operation);
  [[nodiscard]] stop_result describe_stop(const scm::service_status& status,
                                          const std::optional<scm::saved_state>& previous) const;
  [[nodiscard]] error start_error(const scm::service_status& status,
                                  const std::optional<scm::saved_state>& previous) const;

  /// Message of the error if a service that was started is stopped, with code 0.
  static constexpr const char* stopped_at_once = "it stopped immediately after its start";

  verb_context& context_;
};

// ---------------------------------------------------------------------------------------------------------------------

}  // namespace detail::manage
}  // inline namespace WINSVC_ABI
}  // namespace winsvc

#if WINSVC_BODIES_MANAGE

namespace winsvc {
inline namespace WINSVC_ABI {
namespace detail::manage {

WINSVC_INLINE result<void> service_controller::start(const commandline::control_options& options) {
  if (auto released = release_hold(); !released) return released;
  const auto service = context_.open("start", os::access_rights::start | os::access_rights::query_status);
  if (!service) return failure{service.error()};
  const auto previous = context_.state();
  if (context_.lacks_data("state.json")) note_first_log_on();
  for (bool first = true;; first = false) {
    const auto started = context_.scm().start_service(service->get(), options.arguments);
    if (started) break;
    if (started.error() != base::win32_error::service_already_running) {
      auto refused = context_.make_error("start", started.error());
      if (auto missing = check_program("start"); !missing) return missing;
      return refused;
    }
    const auto current = context_.scm().query_status(service->get());
    if (current && current->status.current == scm::state::running) {
      context_.print(context_.quoted_name() + " is already running");
      if (!options.arguments.empty()) context_.warn("the arguments were not delivered; use 'restart'");
      return {};
    }
    if (!first || !current || current->status.current != scm::state::stop_pending) break;
    // The service is stopping: wait until it has stopped, and start it then.
    const auto settled =
        wait_while_pending(context_.scm(), service->get(), context_.time(), {}, options.wait, "start", context_.name());
    if (!settled) return failure{settled.error()};
  }
  if (options.no_wait) {
    context_.print("sent 'start' to " + context_.quoted_name());
    return {};
  }

  const auto settled = wait_while_pending(context_.scm(), service->get(), context_.time(), {scm::state::running},
                                          options.wait, "start", context_.name());
  if (!settled) return failure{settled.error()};
  if (settled->status.current != scm::state::running) return failure{start_error(settled->status, previous)};
  const auto saved = context_.state();
  const bool known = saved && saved->pid == settled->pid && !saved->url.empty();
  context_.print("started " + context_.quoted_name() + (known ? ": " + saved->url : ""));
  return {};
}

/// Fails if the executable of the installed service does not exist. Succeeds if that is unknown.
WINSVC_INLINE result<void> service_controller::check_program(const std::string& operation) {
  const auto service = context_.open(operation, os::access_rights::query_config);
  if (!service) return {};
  const auto config = context_.scm().query_config(service->get());
  if (!config) return {};
  const auto arguments =
      base::split_command_line(scm::quoted_binary(config->binary, context_.defaults().executable));
  if (arguments.empty() || !context_.lacks_file(arguments[0])) return {};
  return failure{error{base::win32_error::file_not_found, operation, context_.name(),
                       "the executable does not exist: " + arguments[0],
                       "run 'update' from the current location of the program"}};
}

/// Before the process of a virtual account exists, Windows logs the account on and creates its profile. At the first
/// start, that may take several seconds without a sign of life. Source: "Service User Accounts".
WINSVC_INLINE void service_controller::note_first_log_on() {
  if (context_.is_wine() || context_.running_pid() != 0) return;
  const auto service = context_.open("query", os::access_rights::query_config);
  if (!service) return;
  const auto config = context_.scm().query_config(service->get());
  if (!config) return;
  const auto account = manage::parse_known_account(config->account, context_.name());
  if (account.kind == scm::account_kind::virtual_account)
    context_.print("starting " + context_.quoted_name() + ": at the first start, Windows creates a profile for '" +
                   account.name + "', which may take several seconds");
}

/// Error of a failed start, with the message of the service if it saved one, for example the owner of the port
/// for 10048. `previous` is the state before this start, which does not count.
WINSVC_INLINE error service_controller::start_error(const scm::service_status& status,
                                                    const std::optional<scm::saved_state>& previous) const {
  const std::uint32_t code = status.exit.failed() ? status.exit.code() : base::win32_error::service_request_timeout;
  error error = base::error_with_explanation(code, "start", context_.name(), os::system_error_message(code));
  if (const auto saved = context_.state();
      saved && (!previous || saved->pid != previous->pid) &&
      (!saved->failure.empty() || saved->running || !saved->url.empty())) {
    const auto exit_code = context_.scm().exit_code_of(saved->pid);
    error.message = saved->failure.empty() ? scm::unreported_failure(*saved, context_.last_activities(), exit_code)
                                           : saved->failure;
    error.hint.clear();
    // The message may be a complete sentence, with the operation and the name.
    const auto quoted = error.message.find(context_.quoted_name());
    if (quoted < error.message.find(": ")) {
      error.operation.clear();
      error.subject.clear();
    }
  } else if (!status.exit.failed()) {
    error.message = stopped_at_once;
    error.hint = "read its log with 'logs'";
  }
  return error;
}

/// Restores the start type that `stop --hold` replaced.
WINSVC_INLINE result<void> service_controller::release_hold() {
  const auto content = context_.read_data("hold.json");
  const auto members = content ? base::parse_flat_object(*content) : std::nullopt;
  std::optional<startup> before;
  if (members) before = parse_startup(base::text_of(*members, "startup"));
  if (!before) return {};
  const auto service = context_.open("start", os::access_rights::query_config | os::access_rights::change_config);
  if (!service) return failure{service.error()};
  const auto config = context_.scm().query_config(service->get());
  if (!config) return context_.make_error("start", config.error());
  if (config->startup == startup::disabled) {
    os::service_config_change change;
    change.startup = *before;
    change.dependencies = config->dependencies;
    if (auto done = context_.scm().change_config(service->get(), change); !done)
      return context_.make_error("start", done.error());
    if (*before == startup::delayed) {
      if (auto done = context_.scm().change_level(service->get(), scm::delayed_start{true}); !done)
        context_.warn("the service starts automatically, but without the delay that it had before 'stop --hold': " +
                      os::system_error_message(done.error()));
    }
  }
  context_.try_write_data("hold.json", {}, "'status' may show the service as held if something disables it");
  return {};
}

WINSVC_INLINE result<void> service_controller::restart(const commandline::control_options& options) {
  stop_result stopped;
  {
    const auto service = context_.open("restart", stop_rights);
    if (!service) return failure{service.error()};
    if (auto startable = check_program("restart"); !startable) return startable;  // before the service stops
    commandline::control_options waiting = options;
    waiting.no_wait = false;  // a service that is stopping cannot be started
    auto stop = stop_and_wait(service->get(), waiting, "restart");
    if (!stop) return failure{stop.error()};
    stopped = *std::move(stop);
  }
  if (stopped.code != 0)
    context_.warn("stopped " + context_.quoted_name() + ", but: " + stopped.sentence);
  else
    context_.print(stopped.was_running ? "stopped " + context_.quoted_name()
                                       : context_.quoted_name() + " is not running");
  if (auto started = start(options); !started || options.no_wait) return started;
  return restart_dependents(stopped.dependents, options);
}

/// Starts the dependent services that `restart` has stopped, in reverse order.
WINSVC_INLINE result<void> service_controller::restart_dependents(const std::vector<std::string>& stopped_names,
                                                                  const commandline::control_options& options) {
  for (auto name = stopped_names.rbegin(); name != stopped_names.rend(); ++name) {
    const auto dependent = context_.open("start", *name, os::access_rights::start | os::access_rights::query_status);
    if (!dependent) return failure{dependent.error()};
    const auto started = context_.scm().start_service(dependent->get(), {});
    if (!started && started.error() != base::win32_error::service_already_running)
      return context_.make_error("start", *name, started.error());
    const auto settled = wait_while_pending(context_.scm(), dependent->get(), context_.time(), {scm::state::running},
                                            options.wait, "start", *name);
    if (!settled) return failure{settled.error()};
    if (settled->status.current != scm::state::running)
      return failure{base::error_with_explanation(settled->status.exit.code(), "start", *name,
                                                   stopped_at_once)};
    context_.print("started '" + *name + "' again");
  }
  return {};
}

WINSVC_INLINE result<host::service_report> service_controller::status(const std::optional<std::string>& live_status) {
  host::service_report report;
  report.name = context_.name();
  const auto service = context_.open("query", os::access_rights::query_status | os::access_rights::query_config);
  if (!service) {
    if (service.error().code == base::win32_error::service_does_not_exist) return report;
    return failure{service.error()};
  }
  report.installed = true;
  const auto process = context_.scm().query_status(service->get());
  if (!process) return context_.make_error("query", process.error());
  report.process = *process;
  const auto config = context_.scm().query_config(service->get());
  if (!config) return context_.make_error("query", config.error());
  report.config = *config;
  report.held = config->startup == startup::disabled && context_.read_data("hold.json").has_value();
  // The SCM may not have noticed the end of the process yet.
  if (report.process.pid != 0 && context_.scm().exit_code_of(report.process.pid))
    report.process = ended_process(report.process);
  if (auto saved = context_.state()) {
    report.saved_state = *saved;
    const auto exit_code = context_.scm().exit_code_of(saved->pid);
    if (report.process.pid == 0 && saved->failure.empty())
      report.saved_state.failure = scm::unreported_failure(*saved, context_.last_activities(), exit_code);
    if (report.saved_state.pid != report.process.pid || report.process.pid == 0) {
      report.saved_state.url.clear();
      report.saved_state.since.clear();
    }
  }
  if (report.process.pid != 0) {  // one query, because a service that hangs responds to none in time
    const auto response = live_status ? live_status : context_.query_channel("status");
    if (response && base::parse_flat_object(*response)) report.live_status = *response;
  }
  report.pending_restart = pending_restart(context_, report.process.pid, report.live_status);
  return report;
}

}  // namespace detail::manage
}  // inline namespace WINSVC_ABI
}  // namespace winsvc

#endif  // WINSVC_BODIES_MANAGE
