// Publishes what the lifecycle gives, in its order: one lock around the decision and the publishing, so that no late
// status ever overtakes STOP_PENDING or follows STOPPED.
#pragma once

#include <chrono>
#include <functional>
#include <mutex>
#include <utility>

#include "winsvc/config/abi.hpp"
#include "winsvc/scm/control_policy.hpp"
#include "winsvc/scm/lifecycle.hpp"

namespace winsvc {
inline namespace WINSVC_ABI {
namespace host {

class status_reporter {
 public:
  /// `publish` is called under the lock, from any thread; it must not call back.
  explicit status_reporter(std::function<void(const model::service_status&)> publish)
      : lifecycle_({}), publish_(std::move(publish)) {}

  /// What may be sent from RUNNING on; known when the app has been described.
  void set_handled_controls(model::handled_controls hooks) {
    const std::lock_guard lock(mutex_);
    hooks_ = hooks;
    lifecycle_.hooks(hooks);
  }

  /// Makes the move and publishes it; false where it is not legal from here, and nothing was published.
  bool apply(model::lifecycle_event what, std::chrono::milliseconds wait_hint = {}, model::exit_status exit = {}) {
    const std::lock_guard lock(mutex_);
    return publish(what, wait_hint, exit);
  }

  /// Decides what a control means now, and publishes what follows from it, in one step: no other status comes between.
  model::control_decision handle_control(std::uint32_t control, std::chrono::milliseconds wait_hint) {
    const std::lock_guard lock(mutex_);
    const auto decided = model::decide_control(lifecycle_.status().current, hooks_, control);
    if (decided.event) publish(*decided.event, wait_hint, {});
    return decided;
  }

  [[nodiscard]] model::service_status now() const {
    const std::lock_guard lock(mutex_);
    return lifecycle_.status();
  }

 private:
  bool publish(model::lifecycle_event what, std::chrono::milliseconds wait_hint, model::exit_status exit) {
    const auto status = lifecycle_.apply(what, wait_hint, exit);
    if (status && publish_) publish_(*status);
    return status.has_value();
  }

  mutable std::mutex mutex_;
  model::lifecycle lifecycle_;
  model::handled_controls hooks_;
  std::function<void(const model::service_status&)> publish_;
};

}  // namespace host
}  // inline namespace WINSVC_ABI
}  // namespace winsvc
