// The clients that are connected, and who of the crew is at which of them.
//
// A seat is somebody's place: it waits (parked), or one thread is busy with it. Whoever wants to serve it claims it
// first; who comes while it is busy leaves word, and the busy one looks again before he goes. So no event is lost, and
// no client is served twice at once, without a lock. Seats are used again, and not freed before the engine is.
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

#include "winsvc/base/timer_wheel.hpp"
#include "winsvc/config/abi.hpp"
#include "winsvc/server/connection.hpp"
#include "winsvc/server/thread_pool.hpp"
#include "winsvc/http/transport.hpp"
#include "winsvc/os/native.hpp"

namespace winsvc {
inline namespace WINSVC_ABI {
namespace http {

class slot_state {
 public:
  slot_state() noexcept { timer_.user_data = this; }
  slot_state(const slot_state&) = delete;
  slot_state& operator=(const slot_state&) = delete;
  /// Parked to busy. Otherwise whoever is busy with it will look again.
  bool claim() noexcept {
    auto now = state_.load(std::memory_order_relaxed);
    for (;;) {
      if (now == value::parked) {
        if (state_.compare_exchange_weak(now, value::busy, std::memory_order_acq_rel)) return true;
      } else if (now != value::busy) {
        return false;  // empty, or told already
      } else if (state_.compare_exchange_weak(now, value::busy_rerun, std::memory_order_acq_rel)) {
        return false;
      }
    }
  }
  /// Busy to parked. False: somebody left word; it is still the caller's.
  bool park() noexcept {
    auto now = value::busy;
    if (state_.compare_exchange_strong(now, value::parked, std::memory_order_acq_rel)) return true;
    state_.store(value::busy, std::memory_order_relaxed);
    return false;
  }
  /// From empty, as the caller's.
  void acquire() noexcept { state_.store(value::busy, std::memory_order_release); }
  void release() noexcept { state_.store(value::free, std::memory_order_release); }
  /// It is over, but the poller has something to report of it. Whoever hears the last of it empties the seat, once.
  void begin_close() noexcept { state_.store(value::closing); }
  bool end_close() noexcept {
    auto now = value::closing;
    return state_.compare_exchange_strong(now, value::free);
  }
  [[nodiscard]] bool is_closing() const noexcept { return state_.load() == value::closing; }

  // When somebody has to look, though nothing came.
  std::atomic<bool> timed_out{false};

 private:
  friend class deadline_timers;
  enum class value : std::uint8_t { free, parked, busy, busy_rerun, closing };
  std::atomic<value> state_{value::free};

  std::atomic<std::int64_t> deadline_{no_deadline}, scheduled_at_{no_deadline};  // in the clock's ticks
  timer_wheel::timer timer_;                                   // under the deadlines' lock
  static constexpr std::int64_t no_deadline = (std::numeric_limits<std::int64_t>::max)();
};

/// When which seat is to be looked at. Setting a later time, which is what an answered request does, takes no lock: the
/// wheel comes to the earlier one, finds that it has moved, and puts the seat there.
class deadline_timers {
 public:
  using steady = std::chrono::steady_clock;
  using time_point = steady::time_point;

  /// Of whoever is busy with the seat. True: it comes before all others.
  bool set(slot_state& s, time_point deadline) {
    const auto when = deadline.time_since_epoch().count();
    s.deadline_.store(when);
    if (when >= s.scheduled_at_.load()) return false;
    const std::lock_guard lock(mutex_);
    const auto before = wheel_.next_deadline();
    wheel_.set(s.timer_, deadline);
    s.scheduled_at_.store(when);
    return deadline < before;
  }
  void clear(slot_state& s) noexcept {
    s.deadline_.store(slot_state::no_deadline);
    const std::lock_guard lock(mutex_);
    wheel_.clear(s.timer_);
    s.scheduled_at_.store(slot_state::no_deadline);
  }
  /// Calls `f` for each that is parked and late, claimed. When to come again.
  template <class F>
  time_point advance(time_point now, const F& f) {
    const std::lock_guard lock(mutex_);
    wheel_.advance(now, [&](timer_wheel::timer& e) {
      slot_state& s = slot_of(e);
      s.scheduled_at_.store(slot_state::no_deadline);  // before its time is read: whoever sets an earlier one from here on comes to us
      const auto deadline = s.deadline_.load();
      if (deadline == slot_state::no_deadline) return;
      if (deadline > now.time_since_epoch().count()) {
        s.scheduled_at_.store(deadline);
        wheel_.set(e, time_point(steady::duration(deadline)));
        return;
      }
      auto parked = slot_state::value::parked;  // who is busy with it sets another time
      if (!s.state_.compare_exchange_strong(parked, slot_state::value::busy, std::memory_order_acq_rel)) return;
      s.timed_out.store(true);
      f(s);
    });
    return wheel_.next_deadline();
  }

 private:
  static slot_state& slot_of(timer_wheel::timer& e) noexcept { return *static_cast<slot_state*>(e.user_data); }
  std::mutex mutex_;
  timer_wheel wheel_{steady::now()};
};

/// One client.
struct connection_slot final : slot_state, blocking_observer {
  connection_slot(os::poller& by, thread_pool& of) noexcept : poller(by), pool(of) {}

  os::poller& poller;
  thread_pool& pool;
  os::poller::registration registration;
  std::atomic<route_latency*> latency{nullptr};  // whose pace its request goes
  std::string client_address;                // of the client, where they are counted
  bool in_blocking_section = false;                  // of whoever is busy with it: the thread has left the crew

  std::mutex mutex;  // of the two: they are closed by one thread, and may be looked at by another
  std::unique_ptr<socket_transport> transport;
  std::optional<connection> active_connection;

  void on_begin_blocking() noexcept override {
    if (std::exchange(in_blocking_section, true)) return;
    poller.arm(registration, os::poll_for::nothing);
    pool.begin_blocking();
  }
  [[nodiscard]] bool has_hung_up() const noexcept override { return poller.has_hung_up(registration); }
};

}  // namespace http
}  // inline namespace WINSVC_ABI
}  // namespace winsvc
