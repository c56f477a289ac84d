// Time-outs of handlers: somebody who looks at the clock while a handler runs.
//
//   watchdog dog;
//   { const watchdog::watch until(dog, 5s, [&] { ... }); handler(); }   // called once the handler has had 5 s
//
// One thread for all of them, begun by the first. Nothing can end a handler: what is called here answers in its place.
#pragma once

#include <chrono>
#include <condition_variable>
#include <functional>
#include <map>
#include <mutex>
#include <thread>
#include <utility>

#include "winsvc/config/abi.hpp"

namespace winsvc {
inline namespace WINSVC_ABI {
namespace http {

class watchdog {
 public:
  using time_point = std::chrono::steady_clock::time_point;

  watchdog() = default;
  ~watchdog();
  watchdog(const watchdog&) = delete;
  watchdog& operator=(const watchdog&) = delete;

  class watch {
   public:
    /// `late` is called on the watchdog's thread, and must be quick: the others wait. It must not throw.
    watch(watchdog& by, std::chrono::milliseconds limit, std::function<void()> late);
    /// It is not called any more, and not being called.
    ~watch();
    watch(const watch&) = delete;
    watch& operator=(const watch&) = delete;

   private:
    watchdog& by_;
    std::multimap<time_point, std::function<void()>>::iterator place_;
  };

 private:
  void run();

  std::mutex mutex_;
  std::condition_variable changed_;
  std::multimap<time_point, std::function<void()>> watched_;  // empty functions: those that were called
  std::thread thread_;
  bool over_ = false;
};

// ---------------------------------------------------------------------------------------------------------------------

inline watchdog::watch::watch(watchdog& by, std::chrono::milliseconds limit, std::function<void()> late) : by_(by) {
  const std::lock_guard lock(by_.mutex_);
  if (!by_.thread_.joinable()) by_.thread_ = std::thread([dog = &by_] { dog->run(); });
  place_ = by_.watched_.emplace(std::chrono::steady_clock::now() + limit, std::move(late));
  if (place_ == by_.watched_.begin()) by_.changed_.notify_one();
}

inline watchdog::watch::~watch() {
  const std::lock_guard lock(by_.mutex_);
  by_.watched_.erase(place_);
}

inline void watchdog::run() {
  std::unique_lock lock(mutex_);
  while (!over_) {
    // Those that were called stay until their handlers return, and are passed over.
    auto next = watched_.begin();
    while (next != watched_.end() && !next->second) ++next;
    if (next == watched_.end()) {
      changed_.wait(lock);
    } else if (const auto when = next->first; std::chrono::steady_clock::now() < when) {
      changed_.wait_until(lock, when);
    } else {
      std::exchange(next->second, nullptr)();
    }
  }
}

inline watchdog::~watchdog() {
  if (!thread_.joinable()) return;
  {
    const std::lock_guard lock(mutex_);
    over_ = true;
    changed_.notify_one();
  }
  thread_.join();
}

}  // namespace http
}  // inline namespace WINSVC_ABI
}  // namespace winsvc
