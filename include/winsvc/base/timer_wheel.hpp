// Deadlines of very many things, each set and moved in constant time: a wheel of slots, one turn of which is 65 s.
//
//   timer_wheel wheel(now);
//   wheel.set(connection.timer, now + 10s);             // moves it when it was set before
//   wheel.advance(now, [](timer_wheel::entry& e) { ... });  // those whose time has come
//   sleep_until(wheel.next());
//
// It is coarse, and never early: an entry is handed out up to 64 ms after its time. One that lies further ahead than a
// turn is kept until it is near. It knows no clock and no threads; whoever shares it brings a lock.
#pragma once

#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>

#include "winsvc/config/abi.hpp"

namespace winsvc {
inline namespace WINSVC_ABI {

class timer_wheel {
 public:
  using time_point = std::chrono::steady_clock::time_point;

  /// A place on the wheel, part of what it is the deadline of. It must stay where it is while it is set.
  struct timer {
    timer* previous = nullptr;  // null: not on the wheel
    timer* next = nullptr;
    std::int64_t deadline = 0;  // in slots since the clock's beginning
    void* user_data = nullptr;  ///< what it is the deadline of; for the user
  };

  explicit timer_wheel(time_point now) noexcept : now_(slot_of(now)) {
    for (auto& s : slots_) s.previous = s.next = &s;
  }
  timer_wheel(const timer_wheel&) = delete;
  timer_wheel& operator=(const timer_wheel&) = delete;

  void set(timer& e, time_point time) noexcept;
  void clear(timer& e) noexcept;
  [[nodiscard]] static bool is_set(const timer& e) noexcept { return e.previous != nullptr; }

  /// Calls `f` for each entry whose time has come; it is off the wheel by then, and may be set again.
  template <class F>
  void advance(time_point now, const F& f);
  /// When to look again: nothing is due before. time_point::max() when the wheel is empty.
  [[nodiscard]] time_point next_deadline() const noexcept;

  static constexpr std::chrono::milliseconds slot_duration{64};

 private:
  static constexpr std::size_t slot_count = 1024;
  using slot_duration_type = std::chrono::duration<std::int64_t, std::ratio<64, 1000>>;

  [[nodiscard]] static std::int64_t slot_of(time_point time) noexcept {
    return std::chrono::floor<slot_duration_type>(time.time_since_epoch()).count();
  }
  void link(timer& e) noexcept;
  static void unlink(timer& e) noexcept;

  std::array<timer, slot_count> slots_;
  std::size_t count_ = 0;
  std::int64_t now_;  // all slots up to this one have been handed out
};

// ---------------------------------------------------------------------------------------------------------------------

template <class F>
void timer_wheel::advance(time_point now, const F& f) {
  const auto target = slot_of(now);
  if (target > now_ + static_cast<std::int64_t>(slot_count)) now_ = target - static_cast<std::int64_t>(slot_count);
  while (now_ < target && count_ > 0) {
    ++now_;
    timer& head = slots_[static_cast<std::size_t>(now_) % slot_count];
    timer* const last = head.previous;  // what is set again meanwhile goes behind it
    for (timer* e = head.next; e != &head;) {
      timer& one = *e;
      const bool at_end = e == last;
      e = e->next;
      unlink(one);
      if (one.deadline > now_) {
        link(one);
      } else {
        --count_;
        f(one);
      }
      if (at_end) break;
    }
  }
  if (now_ < target) now_ = target;
}

}  // inline namespace WINSVC_ABI
}  // namespace winsvc

#if WINSVC_BODIES_BASE

namespace winsvc {
inline namespace WINSVC_ABI {

WINSVC_INLINE void timer_wheel::link(timer& e) noexcept {
  // At the latest in the slot that is looked at last: an entry that is due in a later turn is put there again.
  auto at = e.deadline <= now_ ? now_ + 1 : e.deadline;
  if (at > now_ + static_cast<std::int64_t>(slot_count)) at = now_ + static_cast<std::int64_t>(slot_count);
  timer& head = slots_[static_cast<std::size_t>(at) % slot_count];
  e.previous = head.previous;
  e.next = &head;
  head.previous->next = &e;
  head.previous = &e;
}

WINSVC_INLINE void timer_wheel::unlink(timer& e) noexcept {
  e.previous->next = e.next;
  e.next->previous = e.previous;
  e.previous = e.next = nullptr;
}

WINSVC_INLINE void timer_wheel::set(timer& e, time_point time) noexcept {
  if (is_set(e)) unlink(e);
  else ++count_;
  e.deadline = slot_of(time) + 1;  // the slot that begins after it: never early
  link(e);
}

WINSVC_INLINE void timer_wheel::clear(timer& e) noexcept {
  if (!is_set(e)) return;
  unlink(e);
  --count_;
}

WINSVC_INLINE timer_wheel::time_point timer_wheel::next_deadline() const noexcept {
  if (count_ == 0) return (time_point::max)();
  for (std::int64_t ahead = 1; ahead <= static_cast<std::int64_t>(slot_count); ++ahead) {
    const timer& head = slots_[static_cast<std::size_t>(now_ + ahead) % slot_count];
    if (head.next != &head)
      return time_point(std::chrono::duration_cast<time_point::duration>(slot_duration_type(now_ + ahead)));
  }
  return (time_point::max)();
}

}  // inline namespace WINSVC_ABI
}  // namespace winsvc

#endif  // WINSVC_BODIES_BASE
