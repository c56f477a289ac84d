// The verbs that send a running service a control: pause, continue, reload, control N. What they cannot do is told in
// terms of the app's hooks, because that is where it is mended.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>

#include "winsvc/base/result.hpp"
#include "winsvc/config/abi.hpp"
#include "winsvc/model/command.hpp"
#include "winsvc/os/service_manager.hpp"
#include "winsvc/verbs/desk.hpp"
#include "winsvc/verbs/wait.hpp"

namespace winsvc {
inline namespace WINSVC_ABI {
namespace host {

/// Both wait until it is there; a service that is there already is a success.
result<void> pause(desk& at, const model::command& asked);
result<void> resume(desk& at, const model::command& asked);
/// PARAMCHANGE: asked, and not waited for.
result<void> reload(desk& at);
/// 128 to 255. The code of its error is the hook's answer, where the hook has one.
result<void> send_control(desk& at, const model::command& asked);

}  // namespace host
}  // inline namespace WINSVC_ABI
}  // namespace winsvc

// ---------------------------------------------------------------------------------------------------------------------

#if WINSVC_BODIES_VERBS

namespace winsvc {
inline namespace WINSVC_ABI {
namespace host {

WINSVC_INLINE failure<error> no_hook(const desk& at, const char* doing, std::uint32_t code, const std::string& hook) {
  return {error{code, doing, at.name(), "the service has no " + hook + " hook", {}}};
}

/// Pause and continue, which mirror each other.
struct turn_row {
  const char* doing;
  model::control control;
  model::state wanted, from;
  const char* done;
  const char* hook;
};

WINSVC_INLINE result<void> turn(desk& at, const model::command& asked, const turn_row& row) {
  const auto service = at.open(row.doing, os::access::pause_continue | os::access::query_status);
  if (!service) return failure{service.error()};
  const auto until = at.time().now() + asked.wait;
  for (;;) {
    const auto now = at.scm().query_status(service->get());
    if (!now) return at.failed(row.doing, now.error());
    if (now->status.current == row.wanted) {
      at.say(at.quoted() + " is " + row.done + " already");
      return {};
    }
    const auto done = at.scm().control_service(service->get(), static_cast<std::uint32_t>(row.control));
    if (done) break;
    if (done.error() == model::code::invalid_service_control && !model::is_pending(now->status.current))
      return no_hook(at, row.doing, done.error(), row.hook);
    const bool between = done.error() == model::code::service_cannot_accept_control ||
                         done.error() == model::code::invalid_service_control;
    if (!between || at.time().now() >= until) return at.failed(row.doing, done.error());
    at.time().sleep(std::chrono::milliseconds(50));
  }

  // The handler has published the pending state before the control returned: where it is as it was, a hook has failed.
  const auto settled =
      wait_until_settled(at.scm(), service->get(), at.time(), {row.wanted, row.from}, asked.wait, row.doing, at.name());
  if (!settled) return failure{settled.error()};
  if (settled->status.current == row.wanted) {
    at.say(at.quoted() + " is " + row.done);
    return {};
  }
  if (settled->status.current == model::state::stopped) return at.failed(row.doing, model::code::service_not_active);
  return failure{error{model::code::exception_in_service, row.doing, at.name(),
                       "its " + std::string(row.hook) + " hook failed; it is still '" +
                           std::string(model::name(settled->status.current)) + '\'',
                       "read its log"}};
}

WINSVC_INLINE result<void> reload(desk& at) {
  const auto service = at.open("reload", os::access::pause_continue);  // PARAMCHANGE has no right of its own
  if (!service) return failure{service.error()};
  const auto done = at.scm().control_service(service->get(), static_cast<std::uint32_t>(model::control::param_change));
  if (!done) return at.failed("reload", done.error());
  at.say("told " + at.quoted() + " to reload");
  return {};
}

WINSVC_INLINE result<void> send_control(desk& at, const model::command& asked) {
  const auto service = at.open("control", os::access::user_control);
  if (!service) return failure{service.error()};
  const std::string number = std::to_string(asked.control);
  const auto done = at.scm().control_service(service->get(), asked.control);
  if (done) {
    at.say(at.quoted() + " has done control " + number);
    return {};
  }
  switch (done.error()) {
    case model::code::io_pending:
      at.say(at.quoted() + " has taken control " + number + " and is still at work");
      return {};
    case model::code::call_not_implemented:
    case model::code::invalid_service_control: return no_hook(at, "control", done.error(), "on_control " + number);
    case model::code::service_request_timeout:
    case model::code::service_cannot_accept_control:
    case model::code::service_not_active: return at.failed("control", done.error());
    default: break;
  }
  // The handle was opened with the right to send it, so this is the hook's own answer, and not the system's.
  return failure{error{done.error(), "control", at.name(),
                       "the hook for " + number + " answered: " + os::system_words(done.error()), {}}};
}

WINSVC_INLINE result<void> pause(desk& at, const model::command& asked) {
  return turn(at, asked,
              {"pause", model::control::pause, model::state::paused, model::state::running, "paused", "on_pause"});
}

WINSVC_INLINE result<void> resume(desk& at, const model::command& asked) {
  return turn(at, asked,
              {"continue", model::control::resume, model::state::running, model::state::paused, "running",
               "on_continue"});
}

}  // namespace host
}  // inline namespace WINSVC_ABI
}  // namespace winsvc

#endif  // WINSVC_BODIES_VERBS
