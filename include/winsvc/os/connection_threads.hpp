// Connection threads of the control channel: at most N threads, one for each connection, joined when it has finished.
// HTTP connections use server/thread_pool.hpp.
//
//   connection_threads threads(8);
//   threads.run([s = std::move(connection)] { serve(*s); });   // blocks while 8 threads run
//
// It cannot interrupt a thread. Shut the connections down before `wait_for_all`.
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
#include "winsvc/os/thread.hpp"

namespace winsvc {
inline namespace WINSVC_ABI {
namespace detail::os {

class connection_threads {
 public:
  explicit connection_threads(std::size_t max_connections) : max_threads_(max_connections) {}
  ~connection_threads() { wait_for_all(); }
  connection_threads(const connection_threads&) = delete;
  connection_threads& operator=(const connection_threads&) = delete;

  /// Runs `task` on a new thread. If `max_connections` threads run, blocks until one of them has finished. Returns
  /// false if the system cannot create a thread.
  bool run(std::function<void()> task) {
    std::unique_lock lock(mutex_);
    thread_finished_.wait(lock, [this] {
      join_finished();
      return threads_.size() < max_threads_;
    });
    try {
      connection_thread& entry = threads_.emplace_back();
      try {
        entry.thread = start_thread([this, &entry, task = std::move(task)] {
          task();
          const std::lock_guard end(mutex_);
          entry.finished = true;
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
  /// Waits until all threads have finished, and joins them.
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
  /// The caller holds mutex_. A finished thread does not lock it again, so the join cannot deadlock.
  void join_finished() {
    for (auto it = threads_.begin(); it != threads_.end();) {
      const auto entry = it++;
      if (!entry->finished) continue;
      entry->thread.join();
      threads_.erase(entry);
    }
  }
  const std::size_t max_threads_;
  std::mutex mutex_;
  std::condition_variable thread_finished_;
  std::list<connection_thread> threads_;
};

}  // namespace detail::os
}  // inline namespace WINSVC_ABI
}  // namespace winsvc
