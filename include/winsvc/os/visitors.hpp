// Threads for those who come and go: one each, a few at once, joined by whoever let them in.
#pragma once

#include <condition_variable>
#include <cstddef>
#include <exception>
#include <functional>
#include <list>
#include <mutex>
#include <thread>
#include <utility>

#include "winsvc/config/abi.hpp"

namespace winsvc {
inline namespace WINSVC_ABI {
namespace os {

class visitors {
 public:
  explicit visitors(std::size_t at_once) : at_once_(at_once) {}
  ~visitors() { wait_for_all(); }
  visitors(const visitors&) = delete;
  visitors& operator=(const visitors&) = delete;

  /// Runs `visit` on a thread of its own; waits for one that ends where there are as many as may be. False: the system has
  /// no thread.
  bool admit(std::function<void()> visit) {
    std::unique_lock lock(mutex_);
    one_ended_.wait(lock, [this] {
      reap();
      return all_.size() < at_once_;
    });
    try {
      visitor& v = all_.emplace_back();
      try {
        v.thread = std::thread([this, &v, visit = std::move(visit)] {
          visit();
          const std::lock_guard end(mutex_);
          v.ended = true;
          one_ended_.notify_all();
        });
      } catch (...) {
        all_.pop_back();
        throw;
      }
    } catch (const std::exception&) {
      return false;
    }
    return true;
  }
  /// Those who stay have to be told to go before.
  void wait_for_all() {
    std::unique_lock lock(mutex_);
    one_ended_.wait(lock, [this] {
      reap();
      return all_.empty();
    });
  }

 private:
  struct visitor {
    std::thread thread;
    bool ended = false;
  };
  /// Under mutex_, which a thread that has ended needs no more.
  void reap() {
    for (auto it = all_.begin(); it != all_.end();) {
      const auto here = it++;
      if (!here->ended) continue;
      here->thread.join();
      all_.erase(here);
    }
  }
  const std::size_t at_once_;
  std::mutex mutex_;
  std::condition_variable one_ended_;
  std::list<visitor> all_;
};

}  // namespace os
}  // inline namespace WINSVC_ABI
}  // namespace winsvc
