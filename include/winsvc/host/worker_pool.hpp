// Worker pool: runs each worker of the app on its own thread. A stop is requested when the drain begins; the threads
// are joined before the stop hooks.
//
//   worker_pool workers(on_failure, clock);
//   workers.start(worker);
//   workers.request_stop();
//   workers.join(deadline, on_joined, report_stuck);
#pragma once

#include <algorithm>
#include <condition_variable>
#include <exception>
#include <functional>
#include <list>
#include <mutex>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "winsvc/base/attempt.hpp"
#include "winsvc/base/clock.hpp"
#include "winsvc/base/error.hpp"
#include "winsvc/host/definition.hpp"
#include "winsvc/base/stop.hpp"
#include "winsvc/os/native.hpp"
#include "winsvc/config/abi.hpp"

namespace winsvc {
inline namespace WINSVC_ABI {
namespace detail::host {

class worker_pool {
 public:
  /// Called on the worker's thread with the text of the exception that ended it.
  using failure_callback = std::function<void(const worker&, const std::string& message)>;

  worker_pool(failure_callback on_failure, const clock& time) : on_failure_(std::move(on_failure)), time_(time) {}
  worker_pool(const worker_pool&) = delete;
  worker_pool& operator=(const worker_pool&) = delete;

  /// Starts one thread; throws std::system_error if the system cannot create one.
  void start(const worker& definition);
  void request_stop() noexcept { stop_.request_stop(); }
  /// Joins each worker that returns before `deadline`, or before an earlier one from shorten_deadline(), and calls
  /// `on_joined` after each. Calls `on_stuck` for each of the others: their threads continue, so the objects that they
  /// use must exist until the process ends. Exceptions of the two functions are ignored.
  void join(clock::time_point deadline, const std::function<void()>& on_joined,
            const std::function<void(const worker&)>& on_stuck) noexcept;
  /// From any thread: ends the running or a later join at `deadline`.
  void shorten_deadline(clock::time_point deadline) noexcept {
    const std::lock_guard lock(mutex_);
    deadline_ = (std::min)(deadline_, deadline);
    worker_finished_.notify_all();
  }

 private:
  struct running_worker {
    const worker* definition = nullptr;
    std::string title;      // for the activity
    std::thread thread;
    bool finished = false;  // under mutex_
  };

  failure_callback on_failure_;
  const clock& time_;
  clock::time_point deadline_ = (clock::time_point::max)();  // under mutex_
  stop_source stop_;
  std::mutex mutex_;
  std::condition_variable worker_finished_;
  std::list<running_worker> workers_;
};

}  // namespace detail::host
}  // inline namespace WINSVC_ABI
}  // namespace winsvc

// ---------------------------------------------------------------------------------------------------------------------

#if WINSVC_BODIES_HOST

namespace winsvc {
inline namespace WINSVC_ABI {
namespace detail::host {

WINSVC_INLINE void worker_pool::start(const worker& definition) {
  auto& running = workers_.emplace_back();
  running.definition = &definition;
  try {
    running.title = '\'' + definition.name + '\'';
    running.thread = os::start_thread([this, &running] {
      try {
        const os::activity activity("worker", running.title);
        running.definition->run(stop_.token());
      } catch (...) {
        on_failure_(*running.definition, base::exception_message());
      }
      const std::lock_guard lock(mutex_);
      running.finished = true;
      worker_finished_.notify_all();
    });
  } catch (...) {
    workers_.pop_back();  // `join` waits only for workers that run
    throw;
  }
}

WINSVC_INLINE void worker_pool::join(clock::time_point deadline, const std::function<void()>& on_joined,
                                     const std::function<void(const worker&)>& on_stuck) noexcept {
  shorten_deadline(deadline);
  for (auto& running : workers_) {
    std::unique_lock lock(mutex_);
    while (!running.finished && time_.now() < deadline_) time_.wait_until(worker_finished_, lock, deadline_);
    const bool in_time = running.finished;
    lock.unlock();
    if (in_time) {
      running.thread.join();
      base::attempt(on_joined);
    } else {
      running.thread.detach();
      base::attempt([&] { on_stuck(*running.definition); });
    }
  }
}

}  // namespace detail::host
}  // inline namespace WINSVC_ABI
}  // namespace winsvc

#endif  // WINSVC_BODIES_HOST
