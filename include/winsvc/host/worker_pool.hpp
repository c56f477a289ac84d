// The app's workers while they run: a thread each, asked to stop when the drain begins, joined before the stop hooks.
#pragma once

#include <chrono>
#include <condition_variable>
#include <exception>
#include <functional>
#include <list>
#include <mutex>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "winsvc/host/definition.hpp"
#include "winsvc/base/stop.hpp"
#include "winsvc/config/abi.hpp"

namespace winsvc {
inline namespace WINSVC_ABI {
namespace host {

class worker_pool {
 public:
  /// On the worker's thread, with the words of the exception that left it.
  using failure_callback = std::function<void(const worker&, const std::string& message)>;

  explicit worker_pool(failure_callback failed) : on_failure_(std::move(failed)) {}
  worker_pool(const worker_pool&) = delete;
  worker_pool& operator=(const worker_pool&) = delete;

  /// Starts one thread; throws std::system_error when there is none to be had.
  void start(const worker& w);
  void request_stop() noexcept { stop_.request_stop(); }
  /// Joins all that end until then, calling `finished` after each. The names of those that did not: their threads stay,
  /// and so must all that they use, until the process ends.
  std::vector<std::string> join(std::chrono::steady_clock::time_point deadline, const std::function<void()>& ended);

 private:
  struct running_worker {
    const worker* name = nullptr;
    std::thread thread;
    bool finished = false;  // under mutex_
  };

  failure_callback on_failure_;
  stop_source stop_;
  std::mutex mutex_;
  std::condition_variable worker_finished_;
  std::list<running_worker> workers_;
};

}  // namespace host
}  // inline namespace WINSVC_ABI
}  // namespace winsvc

// ---------------------------------------------------------------------------------------------------------------------

#if WINSVC_BODIES_HOST

namespace winsvc {
inline namespace WINSVC_ABI {
namespace host {

WINSVC_INLINE void worker_pool::start(const worker& w) {
  auto& own = workers_.emplace_back();
  own.name = &w;
  try {
    own.thread = std::thread([this, &own] {
      try {
        own.name->run(stop_.token());
      } catch (const std::exception& e) {
        on_failure_(*own.name, e.what());
      } catch (...) {
        on_failure_(*own.name, "something that is no std::exception");
      }
      const std::lock_guard lock(mutex_);
      own.finished = true;
      worker_finished_.notify_all();
    });
  } catch (...) {
    workers_.pop_back();  // `join` waits for those that run, and for no other
    throw;
  }
}

WINSVC_INLINE std::vector<std::string> worker_pool::join(std::chrono::steady_clock::time_point deadline,
                                                  const std::function<void()>& ended) {
  std::vector<std::string> left;
  for (auto& one : workers_) {
    std::unique_lock lock(mutex_);
    const bool in_time = worker_finished_.wait_until(lock, deadline, [&one] { return one.finished; });
    lock.unlock();
    if (in_time) {
      one.thread.join();
      ended();
    } else {
      one.thread.detach();
      left.push_back(one.name->name);
    }
  }
  return left;
}

}  // namespace host
}  // inline namespace WINSVC_ABI
}  // namespace winsvc

#endif  // WINSVC_BODIES_HOST
