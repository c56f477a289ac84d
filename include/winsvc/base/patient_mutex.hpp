// A mutex whose waiters give up after a while: for what must go on when a thread has crashed and left it locked.
//
//   patient_mutex::hold held(mutex, 2s);
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

class patient_mutex {
 public:
  /// The lock, for a scope; false when it could not be had in time.
  class hold {
   public:
    hold(patient_mutex& m, std::chrono::milliseconds patience) : mutex_(m), held_(m.lock_within(patience)) {}
    ~hold() {
      if (held_) mutex_.unlock();
    }
    hold(const hold&) = delete;
    hold& operator=(const hold&) = delete;
    explicit operator bool() const noexcept { return held_; }

   private:
    patient_mutex& mutex_;
    bool held_;
  };

  [[nodiscard]] bool lock_within(std::chrono::milliseconds patience) {
    std::unique_lock lock(mutex_);
    if (taken_) {
      ++waiting_;
      const bool free = freed_.wait_for(lock, patience, [this] { return !taken_; });
      --waiting_;
      if (!free) return false;
    }
    return taken_ = true;
  }
  void unlock() {
    bool somebody = false;
    {
      const std::lock_guard lock(mutex_);
      taken_ = false;
      somebody = waiting_ != 0;
    }
    if (somebody) freed_.notify_one();
  }

 private:
  std::mutex mutex_;  // held for the few instructions above, in which nothing can crash
  std::condition_variable freed_;
  int waiting_ = 0;
  bool taken_ = false;
};

}  // inline namespace WINSVC_ABI
}  // namespace winsvc
