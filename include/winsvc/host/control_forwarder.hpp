// Control forwarder: passes the controls of the SCM to the runtime while it exists. A stop that arrives before is not
// lost: the runtime receives it when it is attached.
//
//   control_forwarder controls;                    // before the control handler is registered
//   controls.attach(runtime);
//   const scope_exit detach([&] { controls.detach(); });
//
//   state          | control other than stop     | stop              | attach                | detach
//   no runtime     | code of START_PENDING       | remembered        | attached, gets it     | -
//   attached       | runtime::control            | runtime::control  | -                     | no runtime, when no
//                  |                             |                   |                       | control is running
#pragma once

#include <condition_variable>
#include <cstdint>
#include <mutex>
#include <optional>

#include "winsvc/base/scope.hpp"
#include "winsvc/config/abi.hpp"
#include "winsvc/host/runtime.hpp"
#include "winsvc/scm/control_event.hpp"
#include "winsvc/scm/control_policy.hpp"

namespace winsvc {
inline namespace WINSVC_ABI {
namespace detail::host {

class control_forwarder {
 public:
  /// Handles a control. Returns the code for the SCM. Safe to call from any thread.
  std::uint32_t control(const scm::control_event& event);
  /// From now on, `service_runtime` receives the controls, first a stop that arrived before.
  void attach(runtime& service_runtime);
  /// Waits until no control uses the runtime. No control uses it afterwards.
  void detach();

 private:
  std::mutex mutex_;
  std::condition_variable control_finished_;
  int active_controls_ = 0;                     // under mutex_: controls that the runtime is handling
  runtime* runtime_ = nullptr;                  // under mutex_
  // Under mutex_: a stop that arrived before the runtime existed. Its copy needs no memory: it has no data.
  std::optional<scm::control_event> pending_stop_;
};

}  // namespace detail::host
}  // inline namespace WINSVC_ABI
}  // namespace winsvc

// ---------------------------------------------------------------------------------------------------------------------

#if WINSVC_BODIES_HOST

namespace winsvc {
inline namespace WINSVC_ABI {
namespace detail::host {

WINSVC_INLINE std::uint32_t control_forwarder::control(const scm::control_event& event) {
  runtime* service_runtime = nullptr;
  {
    const std::lock_guard lock(mutex_);
    service_runtime = runtime_;
    if (!service_runtime) {  // the app has not run yet, or the service has ended
      const auto decision = scm::decide_control(scm::state::start_pending, {}, event.control);
      if (decision.action == scm::control_action::stop) pending_stop_ = event;
      return decision.return_code;
    }
    ++active_controls_;
  }
  const scope_exit finished([this]() noexcept {  // also after an exception: detach() waits for it
    const std::lock_guard lock(mutex_);
    --active_controls_;
    control_finished_.notify_all();
  });
  return service_runtime->control(event);
}

WINSVC_INLINE void control_forwarder::attach(runtime& service_runtime) {
  const std::lock_guard lock(mutex_);
  runtime_ = &service_runtime;
  if (pending_stop_) static_cast<void>(service_runtime.control(*pending_stop_));
}

WINSVC_INLINE void control_forwarder::detach() {
  std::unique_lock lock(mutex_);
  runtime_ = nullptr;
  control_finished_.wait(lock, [this] { return active_controls_ == 0; });
}

}  // namespace detail::host
}  // inline namespace WINSVC_ABI
}  // namespace winsvc

#endif  // WINSVC_BODIES_HOST
