// Engine slot: place of a connection or of a listener in the engine, with a fixed address, a deadline, and an atomic
// state that decides which thread owns it.
//
//   slot.claim();   // parked -> busy: the caller owns the slot and may run one step of its connection
//   slot.park();    // busy -> parked: no thread owns it; false: an event came, run another step
//
// `deadline_timers` has the deadlines of all slots. For the thread pool, a slot is a work item (server/work_queue.hpp).
// No event is lost and no two threads own the same slot, without a lock. The engine reuses connection slots and frees
// them only at its end, because a late event of the poller may still name a slot.
//
//   state       call and event                                          next state   owner
//   free        acquire(): a connection was accepted, or the start      busy         the caller
//   parked      claim(): an event of the poller, a deadline, a drain    busy         the caller
//   busy        claim(): an event while a thread or a queue owns it     busy_rerun   unchanged
//   busy        park(): the connection waits                            parked       none
//   busy_rerun  park(): an event came, the owner runs another step      busy         unchanged
//   busy        release(): closed, the poller has no pending event      free         none
//   busy        begin_close(): closed, an event is pending              closing      none
//   closing     end_close(): after the last pending event               free         the caller, once
//
// In any other state, claim() returns false and changes nothing.
#pragma once

#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <utility>

#include "winsvc/base/clock.hpp"
#include "winsvc/base/timer_wheel.hpp"
#include "winsvc/config/abi.hpp"
#include "winsvc/server/connection.hpp"
#include "winsvc/server/thread_pool.hpp"
#include "winsvc/http/transport.hpp"
#include "winsvc/os/native.hpp"

namespace winsvc {
inline namespace WINSVC_ABI {
namespace detail::server {

/// The state of a slot and its deadline. A connection slot and a listener derive from it.
class engine_slot : public work_item {
 public:
  engine_slot() noexcept { timer_.user_data = this; }
  engine_slot(const engine_slot&) = delete;
  engine_slot& operator=(const engine_slot&) = delete;
  /// Parked to busy: returns true, and the caller owns the slot. Busy to busy_rerun: returns false.
  bool claim() noexcept {
    auto now = state_.load(std::memory_order_relaxed);
    for (;;) {
      if (now == slot_state::parked) {
        if (state_.compare_exchange_weak(now, slot_state::busy, std::memory_order_acq_rel)) return true;
      } else if (now == slot_state::busy || now == slot_state::busy_rerun) {
        if (state_.compare_exchange_weak(now, slot_state::busy_rerun, std::memory_order_acq_rel)) return false;
      } else {
        return false;  // free or closing
      }
    }
  }
  /// Busy to parked. Returns false if an event came while the slot was busy: the caller still owns the slot.
  bool park() noexcept {
    auto now = slot_state::busy;
    if (state_.compare_exchange_strong(now, slot_state::parked, std::memory_order_acq_rel)) return true;
    state_.exchange(slot_state::busy, std::memory_order_acq_rel);
    return false;
  }
  /// Free to busy.
  void acquire() noexcept { state_.store(slot_state::busy, std::memory_order_release); }
  /// Busy to free.
  void release() noexcept { state_.store(slot_state::free, std::memory_order_release); }
  /// Busy to closing: the connection is closed, but the poller may still report an event for this slot.
  void begin_close() noexcept { state_.store(slot_state::closing); }
  /// Closing to free. Returns true for one caller only.
  bool end_close() noexcept {
    auto now = slot_state::closing;
    return state_.compare_exchange_strong(now, slot_state::free);
  }
  [[nodiscard]] bool is_closing() const noexcept { return state_.load() == slot_state::closing; }
  /// The last deadline that was set, in ticks of the clock.
  [[nodiscard]] std::int64_t deadline_ticks() const noexcept { return deadline_.load(); }

  /// Set by the thread that claims the slot because its deadline has passed; cleared by the next owner. Only the owner
  /// uses it, and the state orders the owners.
  bool timed_out = false;

 private:
  friend class deadline_timers;
  enum class slot_state : std::uint8_t { free, parked, busy, busy_rerun, closing };
  // acq_rel: the thread that claims a slot sees all writes of the thread that parked it. If park() returns false, the
  // owner sees all writes before each claim: claim() writes the state even if it is busy_rerun, and park() reads it in
  // an exchange. Otherwise a drain could set `draining` and load the old busy_rerun while the owner stores busy and
  // loads the old `draining`: an idle connection would stay open.
  std::atomic<slot_state> state_{slot_state::free};

  // In ticks of the clock. set() stores deadline_, then loads scheduled_at_; advance() stores scheduled_at_, then loads
  // deadline_. Both need sequential consistency, so that an earlier deadline is not missed.
  std::atomic<std::int64_t> deadline_{no_deadline}, scheduled_at_{no_deadline};
  base::timer_wheel::timer timer_;  // protected by the mutex of deadline_timers
  static constexpr std::int64_t no_deadline = (std::numeric_limits<std::int64_t>::max)();
};

/// Deadlines of all slots, on a timer wheel. Moving a deadline to a later time takes no lock: the wheel finds the new
/// deadline when the old time comes, and schedules the slot again.
class deadline_timers {
 public:
  using time_point = clock::time_point;

  explicit deadline_timers(const clock& time) : wheel_(time.now()) {}

  /// Sets the deadline of a slot that the caller owns. Returns true if it is now the earliest deadline of all slots.
  bool set(engine_slot& slot, time_point deadline) {
    const auto ticks = deadline.time_since_epoch().count();
    slot.deadline_.store(ticks);
    if (ticks >= slot.scheduled_at_.load()) return false;
    const std::lock_guard lock(mutex_);
    const auto before = wheel_.next_deadline();
    wheel_.set(slot.timer_, deadline);
    slot.scheduled_at_.store(ticks);
    return deadline < before;
  }
  /// The same for an owner that parks the slot next, as after each request. A later deadline is stored with relaxed
  /// order: if advance() reads the old one, it schedules the slot for the old one, or it claims the slot and then reads
  /// the new one. In the rare case that it has just found the slot busy, it schedules the slot at most 1 s late.
  bool set_before_park(engine_slot& slot, time_point deadline) {
    const auto ticks = deadline.time_since_epoch().count();
    if (ticks < slot.deadline_.load(std::memory_order_relaxed) ||
        ticks < slot.scheduled_at_.load(std::memory_order_relaxed))
      return set(slot, deadline);
    slot.deadline_.store(ticks, std::memory_order_relaxed);
    return false;
  }
  void clear(engine_slot& slot) noexcept {
    slot.deadline_.store(engine_slot::no_deadline);
    const std::lock_guard lock(mutex_);
    wheel_.clear(slot.timer_);
    slot.scheduled_at_.store(engine_slot::no_deadline);
  }
  /// Claims each parked slot whose deadline has passed and calls `on_due` for it; its timed_out is false if the
  /// deadline was moved meanwhile. Calls `on_due_busy` for each busy slot whose deadline has passed, again each second:
  /// it may wait in a queue. Returns the time of the next call.
  ///
  /// While this decides about a slot, its owner cannot set a later deadline and then queue the slot: the owner reads
  /// no_deadline in scheduled_at_, so set() waits for mutex_. The exception is a handler without a time limit,
  /// which is queued with no_deadline: `on_due_busy` may find it in the queue. The handler then loses its place there,
  /// but its request does not fail.
  template <class F, class G>
  time_point advance(time_point now, const F& on_due, const G& on_due_busy) {
    const std::lock_guard lock(mutex_);
    wheel_.advance(now, [&](base::timer_wheel::timer& timer) {
      engine_slot& slot = slot_of(timer);
      slot.scheduled_at_.store(engine_slot::no_deadline);  // before deadline_ is loaded; see engine_slot
      const auto deadline = slot.deadline_.load();
      if (deadline == engine_slot::no_deadline) return;
      if (deadline > now.time_since_epoch().count()) {
        slot.scheduled_at_.store(deadline);
        wheel_.set(timer, time_point(clock::duration(deadline)));
        return;
      }
      auto parked = engine_slot::slot_state::parked;
      if (!slot.state_.compare_exchange_strong(parked, engine_slot::slot_state::busy, std::memory_order_acq_rel)) {
        // The owner may have set this deadline already and be about to park the slot, so the deadline is checked again.
        const auto again = now + busy_interval;
        wheel_.set(timer, again);
        on_due_busy(slot);
        return slot.scheduled_at_.store(again.time_since_epoch().count());  // last: until then, set() waits
      }
      slot.timed_out = slot.deadline_.load(std::memory_order_relaxed) <= now.time_since_epoch().count();
      on_due(slot);
    });
    return wheel_.next_deadline();
  }

 private:
  static constexpr std::chrono::seconds busy_interval{1};

  static engine_slot& slot_of(base::timer_wheel::timer& timer) noexcept {
    return *static_cast<engine_slot*>(timer.user_data);
  }
  std::mutex mutex_;
  base::timer_wheel wheel_;
};

/// Slot of one open connection, with its registration in the poller, its transport and its HTTP state.
struct connection_slot final : engine_slot, http::transport_owner {
  connection_slot(os::poller& owner_poller, thread_pool& owner_pool) noexcept
      : poller(owner_poller), pool(owner_pool) {}

  os::poller& poller;
  thread_pool& pool;
  os::poller::registration registration;
  // Latency history of the route whose handler runs. The monitor thread only adds a record to it: relaxed stores
  // suffice.
  std::atomic<http::route_latency*> latency{nullptr};
  // True while it is parked and waits for a new request. Written by the owner before it parks; relaxed: only a claim
  // decides.
  std::atomic<bool> is_idle{false};
  std::string client_address;        // empty unless connections are counted by address
  bool in_blocking_section = false;  // of the owner: its thread is not counted in the thread pool

  std::mutex mutex;  // protects the two below: one thread closes them while another may inspect them
  std::unique_ptr<http::socket_transport> transport;
  std::optional<connection> active_connection;

  /// Called by the transport on the owner's thread before it waits for the client.
  void on_begin_blocking() noexcept override {
    if (std::exchange(in_blocking_section, true)) return;
    poller.arm(registration, os::poll_for::nothing);
    pool.begin_blocking();
  }
  void on_wake() noexcept override {
    if (claim()) static_cast<void>(pool.submit(*this, work_class::io));
  }
  [[nodiscard]] bool has_hung_up() const noexcept override { return poller.has_hung_up(registration); }
};

}  // namespace detail::server
}  // inline namespace WINSVC_ABI
}  // namespace winsvc
