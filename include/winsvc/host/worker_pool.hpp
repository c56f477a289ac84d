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

#include "winsvc/app/blueprint.hpp"
#include "winsvc/base/stop.hpp"
#include "winsvc/config/abi.hpp"

namespace winsvc {
inline namespace WINSVC_ABI {
namespace host {

class worker_pool {
 public:
  /// On the worker's thread, with the words of the exception that left it.
  using failed_function = std::function<void(const worker&, const std::string& words)>;

  explicit worker_pool(failed_function failed) : failed_(std::move(failed)) {}
  worker_pool(const worker_pool&) = delete;
  worker_pool& operator=(const worker_pool&) = delete;

  /// Starts one thread; throws std::system_error when there is none to be had.
  void start(const worker& w);
  void request_stop() noexcept { stop_.request_stop(); }
  /// Joins all that end until then, calling `ended` after each. The names of those that did not: their threads stay,
  /// and so must all that they use, until the process ends.
  std::vector<std::string> join(std::chrono::steady_clock::time_point until, const std::function<void()>& ended);

 private:
  struct running {
    const worker* what = nullptr;
    std::thread thread;
    bool ended = false;  // under mutex_
  };

  failed_function failed_;
  stop_source stop_;
  std::mutex mutex_;
  std::condition_variable ended_;
  std::list<running> all_;
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
  auto& mine = all_.emplace_back();
  mine.what = &w;
  try {
    mine.thread = std::thread([this, &mine] {
      try {
        mine.what->body(stop_.token());
      } catch (const std::exception& e) {
        failed_(*mine.what, e.what());
      } catch (...) {
        failed_(*mine.what, "something that is no std::exception");
      }
      const std::lock_guard lock(mutex_);
      mine.ended = true;
      ended_.notify_all();
    });
  } catch (...) {
    all_.pop_back();  // `join` waits for those that run, and for no other
    throw;
  }
}

WINSVC_INLINE std::vector<std::string> worker_pool::join(std::chrono::steady_clock::time_point until,
                                                  const std::function<void()>& ended) {
  std::vector<std::string> left;
  for (auto& one : all_) {
    std::unique_lock lock(mutex_);
    const bool in_time = ended_.wait_until(lock, until, [&one] { return one.ended; });
    lock.unlock();
    if (in_time) {
      one.thread.join();
      ended();
    } else {
      one.thread.detach();
      left.push_back(one.what->name);
    }
  }
  return left;
}

}  // namespace host
}  // inline namespace WINSVC_ABI
}  // namespace winsvc

#endif  // WINSVC_BODIES_HOST
