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
#include "winsvc/model/command.hpp"
#include "winsvc/model/state_file.hpp"
#include "winsvc/os/service_manager.hpp"
#include "winsvc/verbs/desk.hpp"
#include "winsvc/verbs/wait.hpp"

namespace winsvc {
inline namespace WINSVC_ABI {
namespace host {

class manager {
 public:
  explicit manager(desk& at) noexcept : desk_(at) {}

  result<void> start(const model::command& asked);
  /// Fails with 1460 when the service has stopped, and says that it cut something on its way.
  result<void> stop(const model::command& asked);
  result<void> restart(const model::command& asked);
  result<service_report> status();

  /// How a stop ended. A service that is not running has stopped well.
  struct stopped {
    bool was_running = false;             ///< and was waited for
    std::uint32_t code = 0;               ///< 0: well
    std::string sentence;                 ///< what the service says of it, where it was not well
    std::vector<std::string> dependents;  ///< those that were stopped before it, in that order
  };
  /// What the handle for it has to allow.
  static constexpr std::uint32_t stop_rights =
      os::access::stop | os::access::query_status | os::access::enumerate_dependents;
  /// Stops it, and with `asked.force` what depends on it before, and waits unless told not to.
  result<stopped> stop_and_wait(desk::raw_handle service, const model::command& asked, const std::string& doing);

 private:
  result<void> stop_one(desk::raw_handle service, const std::string& name, const model::command& asked, bool wait,
                        const std::string& doing, os::service_process* ended);
  result<std::vector<std::string>> stop_dependents(desk::raw_handle service, const model::command& asked,
                                                   const std::string& doing);
  result<void> start_again(const std::vector<std::string>& stopped_ones, const model::command& asked);
  [[nodiscard]] stopped how_it_ended(const model::service_status& status,
                                     const std::optional<model::service_state>& before) const;
  [[nodiscard]] error failed_start(const model::service_status& status,
                                   const std::optional<model::service_state>& before) const;

  desk& desk_;
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

WINSVC_INLINE result<void> manager::start(const model::command& asked) {
  const auto service = desk_.open("start", os::access::start | os::access::query_status);
  if (!service) return failure{service.error()};
  const auto before = desk_.state();
  for (bool first = true;; first = false) {
    const auto started = desk_.scm().start_service(service->get(), asked.arguments);
    if (started) break;
    if (started.error() != model::code::service_already_running) return desk_.failed("start", started.error());
    const auto now = desk_.scm().query_status(service->get());
    if (now && now->status.current == model::state::running) {
      desk_.say(desk_.quoted() + " is running already");
      if (!asked.arguments.empty()) desk_.warn("the arguments did not reach it: use restart");
      return {};
    }
    if (!first || !now || now->status.current != model::state::stop_pending) break;
    // It is on its way down from an earlier stop: let it get there, and start it then.
    const auto settled =
        wait_until_settled(desk_.scm(), service->get(), desk_.time(), {}, asked.wait, "start", desk_.name());
    if (!settled) return failure{settled.error()};
  }
  if (asked.no_wait) return {};

  const auto settled = wait_until_settled(desk_.scm(), service->get(), desk_.time(), {model::state::running},
                                          asked.wait, "start", desk_.name());
  if (!settled) return failure{settled.error()};
  if (settled->status.current != model::state::running) return failure{failed_start(settled->status, before)};
  const auto left = desk_.state();
  const bool known = left && left->pid == settled->pid && !left->url.empty();
  desk_.say("started " + desk_.quoted() + (known ? ": " + left->url : ""));
  return {};
}

/// The service's own sentence where it left one: "the port is taken by pid 7" helps, "10048" alone does not.
/// `before`: what lay there before this start, which is no news of it.
WINSVC_INLINE error manager::failed_start(const model::service_status& status,
                                   const std::optional<model::service_state>& before) const {
  const std::uint32_t code = status.exit.failed() ? status.exit.code() : model::code::service_request_timeout;
  error why = model::explained(code, "start", desk_.name(), os::system_words(code));
  if (const auto left = desk_.state(); left && !left->failure.empty() && (!before || left->pid != before->pid)) {
    why.said = left->failure;
    why.hint.clear();
  } else if (!status.exit.failed()) {
    why.said = "it stopped as soon as it had started";
    why.hint = "read its log";
  }
  return why;
}

WINSVC_INLINE result<void> manager::stop(const model::command& asked) {
  const auto service = desk_.open("stop", stop_rights);
  if (!service) return failure{service.error()};
  const auto now = desk_.scm().query_status(service->get());
  if (now && now->status.current == model::state::stopped) {
    desk_.say(desk_.quoted() + " is not running");
    return {};
  }
  const auto ended = stop_and_wait(service->get(), asked, "stop");
  if (!ended) return failure{ended.error()};
  if (asked.no_wait) {
    desk_.say("asked " + desk_.quoted() + " to stop");
    return {};
  }
  if (ended->code != 0)
    return failure{error{ended->code, {}, {}, "stopped " + desk_.quoted() + ", but: " + ended->sentence, {}}};
  desk_.say("stopped " + desk_.quoted());
  return {};
}

WINSVC_INLINE result<void> manager::restart(const model::command& asked) {
  stopped ended;
  {
    const auto service = desk_.open("restart", stop_rights);
    if (!service) return failure{service.error()};
    auto stopping = stop_and_wait(service->get(), asked, "restart");
    if (!stopping) return failure{stopping.error()};
    ended = *std::move(stopping);
  }
  if (ended.code != 0)
    desk_.warn("stopped " + desk_.quoted() + ", but: " + ended.sentence);
  else
    desk_.say(ended.was_running ? "stopped " + desk_.quoted() : desk_.quoted() + " is not running");
  if (auto started = start(asked); !started) return started;
  return start_again(ended.dependents, asked);
}

WINSVC_INLINE result<manager::stopped> manager::stop_and_wait(desk::raw_handle service, const model::command& asked,
                                                       const std::string& doing) {
  const auto before = desk_.state();
  const bool wait = !asked.no_wait;
  stopped ended;
  os::service_process last;
  auto done = stop_one(service, desk_.name(), asked, wait, doing, &last);
  if (!done && done.error().code == model::code::dependent_services_running) {
    auto dependents = stop_dependents(service, asked, doing);
    if (!dependents) return failure{dependents.error()};
    ended.dependents = *std::move(dependents);
    done = stop_one(service, desk_.name(), asked, wait, doing, &last);
  }
  if (!done) return failure{done.error()};
  if (last.status.current != model::state::stopped) return ended;  // it was not running, or is not waited for
  auto how = how_it_ended(last.status, before);
  how.dependents = std::move(ended.dependents);
  return how;
}

/// One service, ours or a dependent. `ended` is what it was at last, where there was a stop to wait for.
WINSVC_INLINE result<void> manager::stop_one(desk::raw_handle service, const std::string& name, const model::command& asked,
                                      bool wait, const std::string& doing, os::service_process* ended) {
  const auto began = desk_.time().now(), until = began + asked.wait;
  for (;;) {
    const auto done = desk_.scm().control_service(service, static_cast<std::uint32_t>(model::control::stop));
    if (done) break;
    if (done.error() == model::code::service_not_active) return {};
    const auto now = desk_.scm().query_status(service);
    // Windows says 1061 of a service between two states, Wine 1052, which is also what one says that never takes a
    // stop. A state that has just changed is asked about once more; one that stays is no reason to wait.
    const bool refused = done.error() == model::code::service_cannot_accept_control ||
                         done.error() == model::code::invalid_service_control;
    if (!refused) return desk_.failed(doing, name, done.error());
    if (now && now->status.current == model::state::stop_pending) break;

    // It is starting, say. Let it get there; the stop is then asked for again.
    const bool pending = now && model::is_pending(now->status.current);
    if (!pending && desk_.time().now() >= (std::min)(until, began + std::chrono::seconds(1)))
      return desk_.failed(doing, name, done.error());
    if (pending && desk_.time().now() >= until) {
      error late = model::explained(model::code::timeout, doing, name);
      late.said = "it is still '" + std::string(model::name(now->status.current)) + '\'';
      return failure{std::move(late)};
    }
    desk_.time().sleep(std::chrono::milliseconds(50));
  }
  if (!wait) return {};
  const auto settled = wait_until_settled(desk_.scm(), service, desk_.time(), {}, asked.wait, doing, name);
  if (!settled) return failure{settled.error()};
  if (ended) *ended = *settled;
  return {};
}

WINSVC_INLINE result<std::vector<std::string>> manager::stop_dependents(desk::raw_handle service, const model::command& asked,
                                                                 const std::string& doing) {
  auto dependents = desk_.scm().active_dependents(service);
  if (!dependents) return desk_.failed(doing, dependents.error());
  if (!asked.force) {
    auto why = desk_.failed(doing, model::code::dependent_services_running);
    if (!dependents->empty()) why.reason.said += ": " + text::join(*dependents, ", ");
    return why;
  }
  for (const auto& name : *dependents) {
    const auto one = desk_.open(doing, name, os::access::stop | os::access::query_status);
    if (!one) return failure{one.error()};
    if (auto done = stop_one(one->get(), name, asked, true, doing, nullptr); !done) return failure{done.error()};
    desk_.say("stopped '" + name + "', which depends on it");
  }
  return *std::move(dependents);
}

/// What restart stopped before ours comes back after it, the last one first.
WINSVC_INLINE result<void> manager::start_again(const std::vector<std::string>& stopped_ones, const model::command& asked) {
  for (auto name = stopped_ones.rbegin(); name != stopped_ones.rend(); ++name) {
    const auto one = desk_.open("start", *name, os::access::start | os::access::query_status);
    if (!one) return failure{one.error()};
    const auto started = desk_.scm().start_service(one->get(), {});
    if (!started && started.error() != model::code::service_already_running)
      return desk_.failed("start", *name, started.error());
    const auto settled =
        wait_until_settled(desk_.scm(), one->get(), desk_.time(), {model::state::running}, asked.wait, "start", *name);
    if (!settled) return failure{settled.error()};
    if (settled->status.current != model::state::running)
      return failure{model::explained(settled->status.exit.code(), "start", *name, "it did not stay")};
    desk_.say("started '" + *name + "' again");
  }
  return {};
}

/// A stop that had to cut a request or a hook ends with 0, because recovery must not follow it, and with a sentence.
WINSVC_INLINE manager::stopped manager::how_it_ended(const model::service_status& status,
                                              const std::optional<model::service_state>& before) const {
  stopped how;
  how.was_running = true;
  const auto left = desk_.state();
  const bool news =
      left && !left->failure.empty() && (!before || before->pid != left->pid || before->failure != left->failure);
  if (status.exit.failed()) {
    how.code = status.exit.code();
    const auto* row = model::explain(how.code);
    how.sentence = news ? left->failure : row ? std::string(row->said) : os::system_words(how.code);
  } else if (news) {
    how.code = model::code::timeout;
    how.sentence = left->failure;
  }
  return how;
}

WINSVC_INLINE result<service_report> manager::status() {
  service_report r;
  r.name = desk_.name();
  const auto service = desk_.open("query", os::access::query_status | os::access::query_config);
  if (!service) {
    if (service.error().code == model::code::service_does_not_exist) return r;
    return failure{service.error()};
  }
  r.installed = true;
  const auto process = desk_.scm().query_status(service->get());
  if (!process) return desk_.failed("query", process.error());
  r.process = *process;
  const auto config = desk_.scm().query_config(service->get());
  if (!config) return desk_.failed("query", config.error());
  r.config = *config;
  if (auto left = desk_.state()) {
    r.left = *left;
    if (r.left.pid != r.process.pid || r.process.pid == 0) r.left.url.clear(), r.left.since.clear();
  }
  return r;
}

}  // namespace host
}  // inline namespace WINSVC_ABI
}  // namespace winsvc

#endif  // WINSVC_BODIES_VERBS
