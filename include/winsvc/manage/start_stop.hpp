// The verbs that bring an installed service up and down: start, stop, restart, and status, which looks. Each is a short
// program over the seam in os/service_manager.hpp that asks for the least rights it needs; nothing here knows Windows.
//
// A verb that finds the work done already (stopped, running) has succeeded.
#pragma once

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "winsvc/base/result.hpp"
#include "winsvc/base/text.hpp"
#include "winsvc/config/abi.hpp"
#include "winsvc/host/status.hpp"
#include "winsvc/commandline/command.hpp"
#include "winsvc/scm/saved_state.hpp"
#include "winsvc/os/service_manager.hpp"
#include "winsvc/manage/verb_context.hpp"
#include "winsvc/manage/wait.hpp"

namespace winsvc {
inline namespace WINSVC_ABI {
namespace host {

class service_controller {
 public:
  explicit service_controller(verb_context& context) noexcept : context_(context) {}

  result<void> start(const model::command& command);
  /// Fails with 1460 when the service has stopped, and says that it cut something on its way.
  result<void> stop(const model::command& command);
  result<void> restart(const model::command& command);
  result<service_report> status();

  /// How a stop ended. A service that is not running has stopped well.
  struct stop_result {
    bool was_running = false;             ///< and was waited for
    std::uint32_t code = 0;               ///< 0: well
    std::string sentence;                 ///< what the service says of it, where it was not well
    std::vector<std::string> dependents;  ///< those that were stopped before it, in that order
  };
  /// What the handle for it has to allow.
  static constexpr std::uint32_t stop_rights =
      os::access_rights::stop | os::access_rights::query_status | os::access_rights::enumerate_dependents;
  /// Stops it, and with `asked.force` what depends on it before, and waits unless told not to.
  result<stop_result> stop_and_wait(verb_context::raw_handle service, const model::command& command, const std::string& operation);

 private:
  result<void> stop_one(verb_context::raw_handle service, const std::string& name, const model::command& command, bool wait,
                        const std::string& operation, os::service_process_status* ended);
  result<std::vector<std::string>> stop_dependents(verb_context::raw_handle service, const model::command& command,
                                                   const std::string& operation);
  result<void> restart_dependents(const std::vector<std::string>& stopped_ones, const model::command& command);
  [[nodiscard]] stop_result describe_stop(const model::service_status& status,
                                     const std::optional<model::saved_state>& before) const;
  [[nodiscard]] error start_error(const model::service_status& status,
                                   const std::optional<model::saved_state>& before) const;

  verb_context& context_;
};

// ---------------------------------------------------------------------------------------------------------------------

// -- start --

// -- stop --

// -- status --

}  // namespace host
}  // inline namespace WINSVC_ABI
}  // namespace winsvc

#if WINSVC_BODIES_VERBS

namespace winsvc {
inline namespace WINSVC_ABI {
namespace host {

WINSVC_INLINE result<void> service_controller::start(const model::command& command) {
  const auto service = context_.open("start", os::access_rights::start | os::access_rights::query_status);
  if (!service) return failure{service.error()};
  const auto before = context_.state();
  for (bool first = true;; first = false) {
    const auto started = context_.scm().start_service(service->get(), command.arguments);
    if (started) break;
    if (started.error() != model::win32_error::service_already_running) return context_.make_error("start", started.error());
    const auto now = context_.scm().query_status(service->get());
    if (now && now->status.current == model::state::running) {
      context_.print(context_.quoted_name() + " is running already");
      if (!command.arguments.empty()) context_.warn("the arguments did not reach it: use restart");
      return {};
    }
    if (!first || !now || now->status.current != model::state::stop_pending) break;
    // It is on its way down from an earlier stop: let it get there, and start it then.
    const auto settled =
        wait_while_pending(context_.scm(), service->get(), context_.time(), {}, command.wait, "start", context_.name());
    if (!settled) return failure{settled.error()};
  }
  if (command.no_wait) return {};

  const auto settled = wait_while_pending(context_.scm(), service->get(), context_.time(), {model::state::running},
                                          command.wait, "start", context_.name());
  if (!settled) return failure{settled.error()};
  if (settled->status.current != model::state::running) return failure{start_error(settled->status, before)};
  const auto saved = context_.state();
  const bool known = saved && saved->pid == settled->pid && !saved->url.empty();
  context_.print("started " + context_.quoted_name() + (known ? ": " + saved->url : ""));
  return {};
}

/// The service's own sentence where it left one: "the port is taken by pid 7" helps, "10048" alone does not.
/// `before`: what lay there before this start, which is no news of it.
WINSVC_INLINE error service_controller::start_error(const model::service_status& status,
                                   const std::optional<model::saved_state>& before) const {
  const std::uint32_t code = status.exit.failed() ? status.exit.code() : model::win32_error::service_request_timeout;
  error error = model::error_with_explanation(code, "start", context_.name(), os::system_error_message(code));
  if (const auto saved = context_.state(); saved && !saved->failure.empty() && (!before || saved->pid != before->pid)) {
    error.message = saved->failure;
    error.hint.clear();
  } else if (!status.exit.failed()) {
    error.message = "it stopped as soon as it had started";
    error.hint = "read its log";
  }
  return error;
}

WINSVC_INLINE result<void> service_controller::stop(const model::command& command) {
  const auto service = context_.open("stop", stop_rights);
  if (!service) return failure{service.error()};
  const auto now = context_.scm().query_status(service->get());
  if (now && now->status.current == model::state::stopped) {
    context_.print(context_.quoted_name() + " is not running");
    return {};
  }
  const auto ended = stop_and_wait(service->get(), command, "stop");
  if (!ended) return failure{ended.error()};
  if (command.no_wait) {
    context_.print("asked " + context_.quoted_name() + " to stop");
    return {};
  }
  if (ended->code != 0)
    return failure{error{ended->code, {}, {}, "stopped " + context_.quoted_name() + ", but: " + ended->sentence, {}}};
  context_.print("stopped " + context_.quoted_name());
  return {};
}

WINSVC_INLINE result<void> service_controller::restart(const model::command& command) {
  stop_result ended;
  {
    const auto service = context_.open("restart", stop_rights);
    if (!service) return failure{service.error()};
    auto stopping = stop_and_wait(service->get(), command, "restart");
    if (!stopping) return failure{stopping.error()};
    ended = *std::move(stopping);
  }
  if (ended.code != 0)
    context_.warn("stopped " + context_.quoted_name() + ", but: " + ended.sentence);
  else
    context_.print(ended.was_running ? "stopped " + context_.quoted_name() : context_.quoted_name() + " is not running");
  if (auto started = start(command); !started) return started;
  return restart_dependents(ended.dependents, command);
}

WINSVC_INLINE result<service_controller::stop_result> service_controller::stop_and_wait(verb_context::raw_handle service, const model::command& command,
                                                       const std::string& operation) {
  const auto before = context_.state();
  const bool wait = !command.no_wait;
  stop_result ended;
  os::service_process_status last;
  auto done = stop_one(service, context_.name(), command, wait, operation, &last);
  if (!done && done.error().code == model::win32_error::dependent_services_running) {
    auto dependents = stop_dependents(service, command, operation);
    if (!dependents) return failure{dependents.error()};
    ended.dependents = *std::move(dependents);
    done = stop_one(service, context_.name(), command, wait, operation, &last);
  }
  if (!done) return failure{done.error()};
  if (last.status.current != model::state::stopped) return ended;  // it was not running, or is not waited for
  auto how = describe_stop(last.status, before);
  how.dependents = std::move(ended.dependents);
  return how;
}

/// One service, ours or a dependent. `ended` is what it was at last, where there was a stop to wait for.
WINSVC_INLINE result<void> service_controller::stop_one(verb_context::raw_handle service, const std::string& name, const model::command& command,
                                      bool wait, const std::string& operation, os::service_process_status* ended) {
  const auto began = context_.time().now(), deadline = began + command.wait;
  for (;;) {
    const auto done = context_.scm().control_service(service, static_cast<std::uint32_t>(model::control::stop));
    if (done) break;
    if (done.error() == model::win32_error::service_not_active) return {};
    const auto now = context_.scm().query_status(service);
    // Windows says 1061 of a service between two states, Wine 1052, which is also what one says that never takes a
    // stop. A state that has just changed is asked about once more; one that stays is no reason to wait.
    const bool refused = done.error() == model::win32_error::service_cannot_accept_control ||
                         done.error() == model::win32_error::invalid_service_control;
    if (!refused) return context_.make_error(operation, name, done.error());
    if (now && now->status.current == model::state::stop_pending) break;

    // It is starting, say. Let it get there; the stop is then asked for again.
    const bool pending = now && model::is_pending(now->status.current);
    if (!pending && context_.time().now() >= (std::min)(deadline, began + std::chrono::seconds(1)))
      return context_.make_error(operation, name, done.error());
    if (pending && context_.time().now() >= deadline) {
      error late = model::error_with_explanation(model::win32_error::timeout, operation, name);
      late.message = "it is still '" + std::string(model::name(now->status.current)) + '\'';
      return failure{std::move(late)};
    }
    context_.time().sleep(std::chrono::milliseconds(50));
  }
  if (!wait) return {};
  const auto settled = wait_while_pending(context_.scm(), service, context_.time(), {}, command.wait, operation, name);
  if (!settled) return failure{settled.error()};
  if (ended) *ended = *settled;
  return {};
}

WINSVC_INLINE result<std::vector<std::string>> service_controller::stop_dependents(verb_context::raw_handle service, const model::command& command,
                                                                 const std::string& operation) {
  auto dependents = context_.scm().active_dependents(service);
  if (!dependents) return context_.make_error(operation, dependents.error());
  if (!command.force) {
    auto error = context_.make_error(operation, model::win32_error::dependent_services_running);
    if (!dependents->empty()) error.error.message += ": " + strings::join(*dependents, ", ");
    return error;
  }
  for (const auto& name : *dependents) {
    const auto one = context_.open(operation, name, os::access_rights::stop | os::access_rights::query_status);
    if (!one) return failure{one.error()};
    if (auto done = stop_one(one->get(), name, command, true, operation, nullptr); !done) return failure{done.error()};
    context_.print("stopped '" + name + "', which depends on it");
  }
  return *std::move(dependents);
}

/// What restart stopped before ours comes back after it, the last one first.
WINSVC_INLINE result<void> service_controller::restart_dependents(const std::vector<std::string>& stopped_ones, const model::command& command) {
  for (auto name = stopped_ones.rbegin(); name != stopped_ones.rend(); ++name) {
    const auto one = context_.open("start", *name, os::access_rights::start | os::access_rights::query_status);
    if (!one) return failure{one.error()};
    const auto started = context_.scm().start_service(one->get(), {});
    if (!started && started.error() != model::win32_error::service_already_running)
      return context_.make_error("start", *name, started.error());
    const auto settled =
        wait_while_pending(context_.scm(), one->get(), context_.time(), {model::state::running}, command.wait, "start", *name);
    if (!settled) return failure{settled.error()};
    if (settled->status.current != model::state::running)
      return failure{model::error_with_explanation(settled->status.exit.code(), "start", *name, "it did not stay")};
    context_.print("started '" + *name + "' again");
  }
  return {};
}

/// A stop that had to cut a request or a hook ends with 0, because recovery must not follow it, and with a sentence.
WINSVC_INLINE service_controller::stop_result service_controller::describe_stop(const model::service_status& status,
                                              const std::optional<model::saved_state>& before) const {
  stop_result how;
  how.was_running = true;
  const auto saved = context_.state();
  const bool news =
      saved && !saved->failure.empty() && (!before || before->pid != saved->pid || before->failure != saved->failure);
  if (status.exit.failed()) {
    how.code = status.exit.code();
    const auto* row = model::explain(how.code);
    how.sentence = news ? saved->failure : row ? std::string(row->message) : os::system_error_message(how.code);
  } else if (news) {
    how.code = model::win32_error::timeout;
    how.sentence = saved->failure;
  }
  return how;
}

WINSVC_INLINE result<service_report> service_controller::status() {
  service_report r;
  r.name = context_.name();
  const auto service = context_.open("query", os::access_rights::query_status | os::access_rights::query_config);
  if (!service) {
    if (service.error().code == model::win32_error::service_does_not_exist) return r;
    return failure{service.error()};
  }
  r.installed = true;
  const auto process = context_.scm().query_status(service->get());
  if (!process) return context_.make_error("query", process.error());
  r.process = *process;
  const auto config = context_.scm().query_config(service->get());
  if (!config) return context_.make_error("query", config.error());
  r.config = *config;
  if (auto saved = context_.state()) {
    r.saved_state = *saved;
    if (r.saved_state.pid != r.process.pid || r.process.pid == 0) r.saved_state.url.clear(), r.saved_state.since.clear();
  }
  return r;
}

}  // namespace host
}  // inline namespace WINSVC_ABI
}  // namespace winsvc

#endif  // WINSVC_BODIES_VERBS
