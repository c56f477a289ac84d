// The life of a service as a pure state machine: a table of legal moves, and for each move the status to publish.
//
//   lifecycle life({});
//   publish(*life.apply(step::start, 30s));     // START_PENDING, checkpoint 1
//   publish(*life.apply(step::ready));          // RUNNING
//   life.apply(step::ready);                    // nullopt: not legal from here, publish nothing
//
// It holds no thread, no clock and no handle: the host publishes what it is given, under one lock, in the order given.
// STOPPED is given once, and nothing after it, because the process may be ended the moment the SCM hears it.
#pragma once

#include <chrono>
#include <optional>

#include "winsvc/config/abi.hpp"
#include "winsvc/scm/state.hpp"

namespace winsvc {
inline namespace WINSVC_ABI {
namespace model {

/// What happened, or is asked for. `hook_failed`: a pause or continue hook threw, and things are as they were before.
enum class lifecycle_event { start, progress, ready, pause, paused, resume, resumed, hook_failed, stop, finished };

/// One legal move. `progress` stays in its state and raises the checkpoint.
struct transition {
  state from;
  lifecycle_event event;
  state to;
};

inline constexpr transition transitions[] = {
    {state::none, lifecycle_event::start, state::start_pending},
    {state::start_pending, lifecycle_event::progress, state::start_pending},
    {state::start_pending, lifecycle_event::ready, state::running},
    {state::start_pending, lifecycle_event::stop, state::stop_pending},
    {state::start_pending, lifecycle_event::finished, state::stopped},
    {state::running, lifecycle_event::pause, state::pause_pending},
    {state::running, lifecycle_event::stop, state::stop_pending},
    {state::pause_pending, lifecycle_event::progress, state::pause_pending},
    {state::pause_pending, lifecycle_event::paused, state::paused},
    {state::pause_pending, lifecycle_event::hook_failed, state::running},
    {state::pause_pending, lifecycle_event::stop, state::stop_pending},
    {state::paused, lifecycle_event::resume, state::continue_pending},
    {state::paused, lifecycle_event::stop, state::stop_pending},
    {state::continue_pending, lifecycle_event::progress, state::continue_pending},
    {state::continue_pending, lifecycle_event::resumed, state::running},
    {state::continue_pending, lifecycle_event::hook_failed, state::paused},
    {state::continue_pending, lifecycle_event::stop, state::stop_pending},
    {state::stop_pending, lifecycle_event::progress, state::stop_pending},
    {state::stop_pending, lifecycle_event::finished, state::stopped},
};

class lifecycle {
 public:
  explicit lifecycle(handled_controls hooks) noexcept : hooks_(hooks) {}

  [[nodiscard]] const service_status& status() const noexcept { return status_; }
  [[nodiscard]] bool is_stopped() const noexcept { return status_.current == state::stopped; }

  /// Which controls are hooked; known only when the app has been described, which is after START_PENDING.
  void hooks(handled_controls h) noexcept { hooks_ = h; }

  /// Makes the move and returns what to publish, or nothing where the table has no such move.
  /// `wait_hint`: how long until the next report at the latest; for pending states only.
  /// `exit`: for step::finished only.
  std::optional<service_status> apply(lifecycle_event what, std::chrono::milliseconds wait_hint = {},
                                      exit_status exit = {}) noexcept;

 private:
  handled_controls hooks_;
  service_status status_;
};

}  // namespace model
}  // inline namespace WINSVC_ABI
}  // namespace winsvc

// ---------------------------------------------------------------------------------------------------------------------

#if WINSVC_BODIES_MODEL

namespace winsvc {
inline namespace WINSVC_ABI {
namespace model {

WINSVC_INLINE std::optional<service_status> lifecycle::apply(lifecycle_event what, std::chrono::milliseconds wait_hint,
                                                      exit_status exit) noexcept {
  for (const auto& m : transitions) {
    if (m.from != status_.current || m.event != what) continue;

    service_status next;
    next.current = m.to;
    next.accepted = accepted_controls(m.to, hooks_);
    if (is_pending(m.to)) {
      next.checkpoint = m.from == m.to ? status_.checkpoint + 1 : 1;
      // A progress without a hint of its own keeps the last one; a pending state without any hint would let the SCM
      // give up after its own 2 s.
      next.wait_hint = wait_hint.count() > 0 || m.from != m.to ? wait_hint : status_.wait_hint;
    }
    if (m.to == state::stopped) next.exit = exit;
    status_ = next;
    return next;
  }
  return std::nullopt;
}

}  // namespace model
}  // inline namespace WINSVC_ABI
}  // namespace winsvc

#endif  // WINSVC_BODIES_MODEL
