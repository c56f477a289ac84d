// Control verbs: `pause`, `continue`, `reload` and `control N` send a control to a running service. Their errors name
// the hook that the app lacks, because a new hook is the remedy.
//
//   manage::pause(context, command.control);      // waits until the service is PAUSED; result<void>
#pragma once

#include <chrono>
#include <cstdint>
#include <limits>
#include <optional>
#include <string>
#include <string_view>

#include "winsvc/base/result.hpp"
#include "winsvc/config/abi.hpp"
#include "winsvc/commandline/command.hpp"
#include "winsvc/os/service_manager.hpp"
#include "winsvc/manage/verb_context.hpp"
#include "winsvc/manage/wait.hpp"

namespace winsvc {
inline namespace WINSVC_ABI {
namespace detail::manage {

/// Both wait until the state is reached; a service that already has the state is a success.
result<void> pause(verb_context& context, const commandline::control_options& options);
result<void> resume(verb_context& context, const commandline::control_options& options);
/// Sends PARAMCHANGE and does not wait for the reload.
result<void> reload(verb_context& context);
/// Sends a custom control, 128 to 255. If the hook returns an error code, the error has this code.
result<void> send_control(verb_context& context, const commandline::control_options& options);

}  // namespace detail::manage
}  // inline namespace WINSVC_ABI
}  // namespace winsvc

// ---------------------------------------------------------------------------------------------------------------------

#if WINSVC_BODIES_MANAGE

namespace winsvc {
inline namespace WINSVC_ABI {
namespace detail::manage {

WINSVC_INLINE failure<error> missing_hook_error(const verb_context& context, const char* operation, std::uint32_t code,
                                                const std::string& hook) {
  return {error{code, operation, context.name(), "the service has no " + hook + " hook", {}}};
}

/// Table row for pause and continue, which differ only in these values.
struct pause_transition {
  const char* operation;
  scm::control control;
  scm::state target, from;
  const char* result_text;
  const char* hook;
};

WINSVC_INLINE result<void> change_pause_state(verb_context& context, const commandline::control_options& options,
                                              const pause_transition& row) {
  const auto service = context.open(row.operation, os::access_rights::pause_continue | os::access_rights::query_status);
  if (!service) return failure{service.error()};
  const auto deadline = context.time().now() + options.wait;
  for (;;) {
    const auto current = context.scm().query_status(service->get());
    if (!current) return context.make_error(row.operation, current.error());
    if (current->status.current == row.target) {
      context.print(context.quoted_name() + " is already " + row.result_text);
      return {};
    }
    const auto done = context.scm().control_service(service->get(), static_cast<std::uint32_t>(row.control));
    if (done && options.no_wait) {
      context.print("sent '" + std::string(row.operation) + "' to " + context.quoted_name());
      return {};
    }
    if (done) break;
    if (done.error() == base::win32_error::invalid_service_control && !scm::is_pending(current->status.current))
      return missing_hook_error(context, row.operation, done.error(), row.hook);
    const bool is_retryable = done.error() == base::win32_error::service_cannot_accept_control ||
                              done.error() == base::win32_error::invalid_service_control;
    if (!is_retryable || context.time().now() >= deadline) return context.make_error(row.operation, done.error());
    context.time().sleep(std::chrono::milliseconds(50));
  }

  // The pending state was published before the control returned: if the state is unchanged, a hook has failed.
  const auto settled = wait_while_pending(context.scm(), service->get(), context.time(), {row.target, row.from},
                                          options.wait, row.operation, context.name());
  if (!settled) return failure{settled.error()};
  if (settled->status.current == row.target) {
    context.print(context.quoted_name() + " is " + row.result_text);
    return {};
  }
  if (settled->status.current == scm::state::stopped)
    return context.make_error(row.operation, base::win32_error::service_not_active);
  return failure{error{scm::win32_error::exception_in_service, row.operation, context.name(),
                       "the " + std::string(row.hook) + " hook failed; the service is still '" +
                           std::string(scm::name(settled->status.current)) + '\'',
                       "read its log with 'logs'"}};
}

WINSVC_INLINE result<void> reload(verb_context& context) {
  const auto service = context.open("reload", os::access_rights::pause_continue);  // PARAMCHANGE has no separate right
  if (!service) return failure{service.error()};
  const auto done =
      context.scm().control_service(service->get(), static_cast<std::uint32_t>(scm::control::param_change));
  if (!done) return context.make_error("reload", done.error());
  context.print("sent 'reload' to " + context.quoted_name());
  return {};
}

/// Response of the control channel: the last result of a custom control.
struct control_query_result {
  bool has_hook = false;
  std::uint64_t count = 0;  ///< completed calls of the hook
  std::uint32_t code = 0;   ///< result of the last call
};

/// Returns nullopt if the service does not respond.
WINSVC_INLINE std::optional<control_query_result> query_control(const verb_context& context,
                                                                const std::string& number) {
  const auto response = context.query_channel("control " + number);
  if (!response) return std::nullopt;
  if (*response == "none") return control_query_result{};
  const auto blank = response->find(' ');
  control_query_result out{true, 0, 0};
  std::uint64_t code = 0;
  if (blank == response->npos ||
      !base::parse_number(std::string_view(*response).substr(0, blank), (std::numeric_limits<std::uint64_t>::max)(),
                          out.count) ||
      !base::parse_number(std::string_view(*response).substr(blank + 1), 0xFFFFFFFFu, code))
    return std::nullopt;  // another version
  out.code = static_cast<std::uint32_t>(code);
  return out;
}

WINSVC_INLINE failure<error> hook_error(const verb_context& context, const std::string& number, std::uint32_t code) {
  return {error{code, "control", context.name(),
                "the hook for " + number + " returned: " + os::system_error_message(code), {}}};
}

WINSVC_INLINE result<void> send_control(verb_context& context, const commandline::control_options& options) {
  const auto service = context.open("control", os::access_rights::user_control);
  if (!service) return failure{service.error()};
  const std::string number = std::to_string(options.number);
  // The service manager need not pass on the result of the hook, nor reject a control without a hook; the service does.
  const auto before = query_control(context, number);
  if (before && !before->has_hook)
    return missing_hook_error(context, "control", base::win32_error::invalid_service_control, "on_control " + number);
  const auto done = context.scm().control_service(service->get(), options.number);
  if (before && (done || done.error() == base::win32_error::io_pending)) {
    const auto deadline = context.time().now() + options.wait;
    for (; context.time().now() < deadline; context.time().sleep(std::chrono::milliseconds(50))) {
      const auto after = query_control(context, number);
      if (!after) break;
      if (after->count == before->count) continue;
      if (after->code != 0) return hook_error(context, number, after->code);
      context.print(context.quoted_name() + " completed control " + number);
      return {};
    }
  }
  if (done) {
    context.print(context.quoted_name() + " accepted control " + number);
    return {};
  }
  switch (done.error()) {
    case base::win32_error::io_pending:
      context.print(context.quoted_name() + " accepted control " + number + " and is still processing it");
      return {};
    case base::win32_error::call_not_implemented:
    case base::win32_error::invalid_service_control:
      return missing_hook_error(context, "control", done.error(), "on_control " + number);
    case base::win32_error::service_request_timeout:
    case base::win32_error::service_cannot_accept_control:
    case base::win32_error::service_not_active: return context.make_error("control", done.error());
    default: break;
  }
  // The handle has the right to send the control, so the code comes from the hook, not from the system.
  return hook_error(context, number, done.error());
}

WINSVC_INLINE result<void> pause(verb_context& context, const commandline::control_options& options) {
  return change_pause_state(context, options,
      {"pause", scm::control::pause, scm::state::paused, scm::state::running, "paused", "on_pause"});
}

WINSVC_INLINE result<void> resume(verb_context& context, const commandline::control_options& options) {
  return change_pause_state(context, options,
              {"continue", scm::control::continue_control, scm::state::running, scm::state::paused, "running",
               "on_continue"});
}

}  // namespace detail::manage
}  // inline namespace WINSVC_ABI
}  // namespace winsvc

#endif  // WINSVC_BODIES_MANAGE
