// timed_mutex: a mutex whose lock has a timeout. The log uses it, because a crashed thread may hold the mutex while the
// crash is logged.
//
//   timed_mutex::scoped_lock lock(mutex, 2s);
//   if (!lock) return;                         // the thread that holds the mutex may never release it
//
// It replaces std::timed_mutex. The thread sanitizer of clang 14 and earlier does not support the timed lock of that
// class (pthread_mutex_clocklock) and reports races that do not exist.
#pragma once

#include <chrono>
#include <condition_variable>
#include <mutex>

#include "winsvc/config/abi.hpp"

namespace winsvc {
inline namespace WINSVC_ABI {
namespace detail::base {

class timed_mutex {
 public:
  /// Holds the lock until the end of the scope. With a timeout: false if the lock was not acquired within the timeout.
  class scoped_lock {
   public:
    explicit scoped_lock(timed_mutex& m) : mutex_(m), owns_lock_(true) { m.lock(); }
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

  void lock() {
    std::unique_lock lock(mutex_);
    ++waiter_count_;
    unlocked_.wait(lock, [this] { return !locked_; });
    --waiter_count_;
    locked_ = true;
  }
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
    bool has_waiter = false;
    {
      const std::lock_guard lock(mutex_);
      locked_ = false;
      has_waiter = waiter_count_ != 0;
    }
    if (has_waiter) unlocked_.notify_one();
  }

 private:
  std::mutex mutex_;  // held only for the instructions above, which cannot crash
  std::condition_variable unlocked_;
  int waiter_count_ = 0;
  bool locked_ = false;
};

}  // namespace detail::base
}  // inline namespace WINSVC_ABI
}  // namespace winsvc
