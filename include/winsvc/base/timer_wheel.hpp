// timer_wheel: many deadlines, each set and moved in constant time (Varghese and Lauck 1987).
//
//   timer_wheel wheel(now);
//   wheel.set(connection.timer, now + 10s);             // moves the timer if it is already set
//   wheel.advance(now, [](timer_wheel::timer& t) { ... });  // called for each expired timer
//   sleep_until(wheel.next_deadline());
//
// A timer never expires early; it expires at most 64 ms late. The wheel has 1024 slots of 64 ms, 65 s in all. A later
// deadline stays on the wheel for more than one turn. The class reads no clock and has no lock; threads that share a
// wheel need a mutex.
#pragma once

#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <ratio>

#include "winsvc/config/abi.hpp"

namespace winsvc {
inline namespace WINSVC_ABI {
namespace detail::base {

class timer_wheel {
 public:
  using time_point = std::chrono::steady_clock::time_point;

  /// A list node, usually a member of the object with the deadline. Its address must not change while it is set.
  struct timer {
    timer* previous = nullptr;  // null: not set
    timer* next = nullptr;
    std::int64_t deadline = 0;  // in slots since the epoch of the clock
    void* user_data = nullptr;  ///< for the caller, such as the object with the deadline
  };

  explicit timer_wheel(time_point now) noexcept : now_(slot_of(now)), first_(now_) {
    for (auto& s : slots_) s.previous = s.next = &s;
  }
  timer_wheel(const timer_wheel&) = delete;
  timer_wheel& operator=(const timer_wheel&) = delete;

  void set(timer& t, time_point time) noexcept;
  void clear(timer& t) noexcept;
  [[nodiscard]] static bool is_set(const timer& t) noexcept { return t.previous != nullptr; }

  /// Calls `on_expired` for each expired timer. The timer is already cleared; the function may set it again.
  template <class F>
  void advance(time_point now, const F& on_expired);
  /// The earliest time at which a timer may expire. time_point::max() if no timer is set.
  [[nodiscard]] time_point next_deadline() noexcept;

  static constexpr std::chrono::milliseconds slot_duration{64};

 private:
  static constexpr std::size_t slot_count = 1024;
  using slot_duration_type = std::chrono::duration<std::int64_t, std::ratio<64, 1000>>;

  [[nodiscard]] static std::int64_t slot_of(time_point time) noexcept {
    return std::chrono::floor<slot_duration_type>(time.time_since_epoch()).count();
  }
  void link(timer& t) noexcept;
  static void unlink(timer& t) noexcept;

  std::array<timer, slot_count> slots_;
  std::size_t count_ = 0;
  std::int64_t now_;    // the last slot whose timers have expired
  std::int64_t first_;  // no slot between now_ and this one has a timer
};

// ---------------------------------------------------------------------------------------------------------------------

template <class F>
void timer_wheel::advance(time_point now, const F& on_expired) {
  const auto target = slot_of(now);
  if (target > now_ + static_cast<std::int64_t>(slot_count)) now_ = target - static_cast<std::int64_t>(slot_count);
  while (now_ < target && count_ > 0) {
    ++now_;
    timer& head = slots_[static_cast<std::size_t>(now_) % slot_count];
    timer* const last = head.previous;  // a timer that is set again during this loop is added after it
    for (timer* t = head.next; t != &head;) {
      timer& current = *t;
      const bool at_end = t == last;
      t = t->next;
      unlink(current);
      if (current.deadline > now_) {
        link(current);
      } else {
        --count_;
        on_expired(current);
      }
      if (at_end) break;
    }
  }
  if (now_ < target) now_ = target;
}

}  // namespace detail::base
}  // inline namespace WINSVC_ABI
}  // namespace winsvc

#if WINSVC_BODIES_BASE

namespace winsvc {
inline namespace WINSVC_ABI {
namespace detail::base {

WINSVC_INLINE void timer_wheel::link(timer& t) noexcept {
  // At most one turn ahead. If the deadline is later, `advance` links the timer again at the end of the turn.
  auto slot = t.deadline <= now_ ? now_ + 1 : t.deadline;
  if (slot > now_ + static_cast<std::int64_t>(slot_count)) slot = now_ + static_cast<std::int64_t>(slot_count);
  if (slot < first_) first_ = slot;
  timer& head = slots_[static_cast<std::size_t>(slot) % slot_count];
  t.previous = head.previous;
  t.next = &head;
  head.previous->next = &t;
  head.previous = &t;
}

WINSVC_INLINE void timer_wheel::unlink(timer& t) noexcept {
  t.previous->next = t.next;
  t.next->previous = t.previous;
  t.previous = t.next = nullptr;
}

WINSVC_INLINE void timer_wheel::set(timer& t, time_point time) noexcept {
  if (is_set(t)) unlink(t);
  else ++count_;
  t.deadline = slot_of(time) + 1;  // the slot that begins after the time: never early
  link(t);
}

WINSVC_INLINE void timer_wheel::clear(timer& t) noexcept {
  if (!is_set(t)) return;
  unlink(t);
  --count_;
}

WINSVC_INLINE timer_wheel::time_point timer_wheel::next_deadline() noexcept {
  if (count_ == 0) return (time_point::max)();
  if (first_ <= now_) first_ = now_ + 1;
  for (;; ++first_) {  // one of the next slot_count slots has a timer
    const timer& head = slots_[static_cast<std::size_t>(first_) % slot_count];
    if (head.next != &head) break;
  }
  return time_point(std::chrono::duration_cast<time_point::duration>(slot_duration_type(first_)));
}

}  // namespace detail::base
}  // inline namespace WINSVC_ABI
}  // namespace winsvc

#endif  // WINSVC_BODIES_BASE
