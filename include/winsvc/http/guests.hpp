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
#include "winsvc/http/connection.hpp"
#include "winsvc/http/crew.hpp"
#include "winsvc/http/transport.hpp"
#include "winsvc/os/native.hpp"

namespace winsvc {
inline namespace WINSVC_ABI {
namespace http {

class seat {
 public:
  seat() noexcept { timer_.owner = this; }
  seat(const seat&) = delete;
  seat& operator=(const seat&) = delete;
  /// Parked to busy. Otherwise whoever is busy with it will look again.
  bool claim() noexcept {
    auto now = state_.load(std::memory_order_relaxed);
    for (;;) {
      if (now == state::parked) {
        if (state_.compare_exchange_weak(now, state::busy, std::memory_order_acq_rel)) return true;
      } else if (now != state::busy) {
        return false;  // empty, or told already
      } else if (state_.compare_exchange_weak(now, state::again, std::memory_order_acq_rel)) {
        return false;
      }
    }
  }
  /// Busy to parked. False: somebody left word; it is still the caller's.
  bool park() noexcept {
    auto now = state::busy;
    if (state_.compare_exchange_strong(now, state::parked, std::memory_order_acq_rel)) return true;
    state_.store(state::busy, std::memory_order_relaxed);
    return false;
  }
  /// From empty, as the caller's.
  void take() noexcept { state_.store(state::busy, std::memory_order_release); }
  void leave() noexcept { state_.store(state::empty, std::memory_order_release); }
  /// It is over, but the poller has something to report of it. Whoever hears the last of it empties the seat, once.
  void begin_to_leave() noexcept { state_.store(state::leaving); }
  bool end_to_leave() noexcept {
    auto now = state::leaving;
    return state_.compare_exchange_strong(now, state::empty);
  }
  [[nodiscard]] bool is_leaving() const noexcept { return state_.load() == state::leaving; }

  // When somebody has to look, though nothing came.
  std::atomic<bool> late{false};

 private:
  friend class deadlines;
  enum class state : std::uint8_t { empty, parked, busy, again, leaving };
  std::atomic<state> state_{state::empty};

  std::atomic<std::int64_t> until_{never}, looked_at_{never};  // in the clock's ticks
  timer_wheel::entry timer_;                                   // under the deadlines' lock
  static constexpr std::int64_t never = (std::numeric_limits<std::int64_t>::max)();
};

/// When which seat is to be looked at. Setting a later time, which is what an answered request does, takes no lock: the
/// wheel comes to the earlier one, finds that it has moved, and puts the seat there.
class deadlines {
 public:
  using steady = std::chrono::steady_clock;
  using time_point = steady::time_point;

  /// Of whoever is busy with the seat. True: it comes before all others.
  bool set(seat& s, time_point until) {
    const auto when = until.time_since_epoch().count();
    s.until_.store(when);
    if (when >= s.looked_at_.load()) return false;
    const std::lock_guard lock(mutex_);
    const auto before = wheel_.next();
    wheel_.set(s.timer_, until);
    s.looked_at_.store(when);
    return until < before;
  }
  void clear(seat& s) noexcept {
    s.until_.store(seat::never);
    const std::lock_guard lock(mutex_);
    wheel_.clear(s.timer_);
    s.looked_at_.store(seat::never);
  }
  /// Calls `f` for each that is parked and late, claimed. When to come again.
  template <class F>
  time_point advance(time_point now, const F& f) {
    const std::lock_guard lock(mutex_);
    wheel_.advance(now, [&](timer_wheel::entry& e) {
      seat& s = of(e);
      s.looked_at_.store(seat::never);  // before its time is read: whoever sets an earlier one from here on comes to us
      const auto until = s.until_.load();
      if (until == seat::never) return;
      if (until > now.time_since_epoch().count()) {
        s.looked_at_.store(until);
        wheel_.set(e, time_point(steady::duration(until)));
        return;
      }
      auto parked = seat::state::parked;  // who is busy with it sets another time
      if (!s.state_.compare_exchange_strong(parked, seat::state::busy, std::memory_order_acq_rel)) return;
      s.late.store(true);
      f(s);
    });
    return wheel_.next();
  }

 private:
  static seat& of(timer_wheel::entry& e) noexcept { return *static_cast<seat*>(e.owner); }
  std::mutex mutex_;
  timer_wheel wheel_{steady::now()};
};

/// One client.
struct guest final : seat, thread_lender {
  guest(os::poller& by, crew& of) noexcept : poller(by), staff(of) {}

  os::poller& poller;
  crew& staff;
  os::poller::place place;
  std::atomic<pace*> whose{nullptr};  // whose pace its request goes
  std::string address;                // of the client, where they are counted
  bool lent = false;                  // of whoever is busy with it: the thread has left the crew

  std::mutex mutex;  // of the two: they are closed by one thread, and may be looked at by another
  std::unique_ptr<socket_transport> wire;
  std::optional<connection> talk;

  void lend_thread() noexcept override {
    if (std::exchange(lent, true)) return;
    poller.arm(place, os::poll_for::nothing);
    staff.leave();
  }
  [[nodiscard]] bool has_hung_up() const noexcept override { return poller.has_hung_up(place); }
};

}  // namespace http
}  // inline namespace WINSVC_ABI
}  // namespace winsvc
