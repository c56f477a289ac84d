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

class connection_threads {
 public:
  explicit connection_threads(std::size_t max_connections) : max_threads_(max_connections) {}
  ~connection_threads() { wait_for_all(); }
  connection_threads(const connection_threads&) = delete;
  connection_threads& operator=(const connection_threads&) = delete;

  /// Runs `visit` on a thread of its own; waits for one that ends where there are as many as may be. False: the system has
  /// no thread.
  bool run(std::function<void()> step) {
    std::unique_lock lock(mutex_);
    thread_finished_.wait(lock, [this] {
      join_finished();
      return threads_.size() < max_threads_;
    });
    try {
      connection_thread& v = threads_.emplace_back();
      try {
        v.thread = std::thread([this, &v, step = std::move(step)] {
          step();
          const std::lock_guard end(mutex_);
          v.finished = true;
          thread_finished_.notify_all();
        });
      } catch (...) {
        threads_.pop_back();
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
    thread_finished_.wait(lock, [this] {
      join_finished();
      return threads_.empty();
    });
  }

 private:
  struct connection_thread {
    std::thread thread;
    bool finished = false;
  };
  /// Under mutex_, which a thread that has ended needs no more.
  void join_finished() {
    for (auto it = threads_.begin(); it != threads_.end();) {
      const auto here = it++;
      if (!here->finished) continue;
      here->thread.join();
      threads_.erase(here);
    }
  }
  const std::size_t max_threads_;
  std::mutex mutex_;
  std::condition_variable thread_finished_;
  std::list<connection_thread> threads_;
};

}  // namespace os
}  // inline namespace WINSVC_ABI
}  // namespace winsvc
