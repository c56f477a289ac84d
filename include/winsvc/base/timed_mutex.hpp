// A mutex whose waiters give up after a while: for what must go on when a thread has crashed and left it locked.
//
//   timed_mutex::hold held(mutex, 2s);
//   if (!held) return;                         // whoever has it does not come back
//
// It is std::timed_mutex in other clothes. That one's timed lock is unknown to the thread sanitizers of our compilers
// (clang 14 and before: pthread_mutex_clocklock), which then see races everywhere.
#pragma once

#include <chrono>
#include <condition_variable>
#include <mutex>

#include "winsvc/config/abi.hpp"

namespace winsvc {
inline namespace WINSVC_ABI {

class timed_mutex {
 public:
  /// The lock, for a scope; false when it could not be had in time.
  class scoped_lock {
   public:
    scoped_lock(timed_mutex& m, std::chrono::milliseconds timeout) : mutex_(m), owns_lock_(m.try_lock_for(timeout)) {}
    ~scoped_lock() {
      if (owns_lock_) mutex_.unlock();
    }
    scoped_lock(const scoped_lock&) = delete;
    scoped_lock& operator=(const scoped_lock&) = delete;
    explicit operator bool() const noexcept { return owns_lock_; }

   private:
    timed_mutex& mutex_;
    bool owns_lock_;
  };

  [[nodiscard]] bool try_lock_for(std::chrono::milliseconds timeout) {
    std::unique_lock lock(mutex_);
    if (locked_) {
      ++waiter_count_;
      const bool free = unlocked_.wait_for(lock, timeout, [this] { return !locked_; });
      --waiter_count_;
      if (!free) return false;
    }
    return locked_ = true;
  }
  void unlock() {
    bool present = false;
    {
      const std::lock_guard lock(mutex_);
      locked_ = false;
      present = waiter_count_ != 0;
    }
    if (present) unlocked_.notify_one();
  }

 private:
  std::mutex mutex_;  // held for the few instructions above, in which nothing can crash
  std::condition_variable unlocked_;
  int waiter_count_ = 0;
  bool locked_ = false;
};

}  // inline namespace WINSVC_ABI
}  // namespace winsvc
