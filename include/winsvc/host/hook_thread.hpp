// Hook thread: runs the app's hooks one after the other, with a timeout. The caller waits, so that a hook that hangs
// can be named and abandoned.
//
//   hook_thread hooks;
//   auto result = hooks.run([&] { open_store(); }, 30s);
//   if (result.outcome == hook_result::timed_out) ...      // no progress() for 30 s; the thread was abandoned
//
// All hooks of a service run on this thread, because a resource (a COM apartment, a window) may have to be closed by
// the thread that opened it. The thread starts with the first hook.
#pragma once

#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <exception>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <utility>

#include "winsvc/base/clock.hpp"
#include "winsvc/base/error.hpp"
#include "winsvc/config/abi.hpp"
#include "winsvc/os/native.hpp"

namespace winsvc {
inline namespace WINSVC_ABI {
namespace detail::host {

/// How a hook ended.
struct hook_result {
  enum kind { completed, threw, timed_out };
  kind outcome = completed;
  std::string message;  ///< text of the exception
};

class hook_thread {
 public:
  using milliseconds = std::chrono::milliseconds;
  using time_point = clock::time_point;
  static constexpr milliseconds no_limit = (milliseconds::max)();

  explicit hook_thread(const clock& time) : state_(std::make_shared<shared_state>(time)) {}
  ~hook_thread();
  hook_thread(const hook_thread&) = delete;
  hook_thread& operator=(const hook_thread&) = delete;

  /// Runs `callback` on the thread and waits until it returns, or until it has made no progress for `timeout`. After
  /// `timed_out` no other callback can run, and the objects that the callback uses must exist until the process ends.
  /// Nothing times out under a debugger, which may have stopped the process at a breakpoint.
  hook_result run(std::function<void()> callback, milliseconds timeout);
  /// From any thread: restarts the timeout of the running hook.
  void progress() noexcept;
  /// From any thread: reduces the timeout of the running hook and of all later hooks to `max_timeout`. No hook runs
  /// past `total_deadline`, whatever progress it makes.
  void shorten_deadline(milliseconds max_timeout, time_point total_deadline = (time_point::max)()) noexcept;

 private:
  /// State of both threads. It outlives a thread that was abandoned.
  struct shared_state {
    explicit shared_state(const clock& source) : time(&source) {}

    const clock* time;
    std::mutex mutex;
    std::condition_variable changed;
    std::function<void()> callback;  // the callback to run, or the running one
    bool running = false, stopping = false;
    hook_result result;
    // No limit; a larger value would overflow when it is added to a time.
    milliseconds max_timeout = std::chrono::hours(24 * 365);
    milliseconds timeout{0};
    time_point deadline, total_deadline = (time_point::max)();

    void set_timeout(milliseconds new_timeout) {
      timeout = (std::min)(new_timeout, max_timeout);
      deadline = (std::min)(time->now() + timeout, total_deadline);
    }
    void thread_main();
  };

  std::shared_ptr<shared_state> state_;
  std::thread thread_;
};

}  // namespace detail::host
}  // inline namespace WINSVC_ABI
}  // namespace winsvc

// ---------------------------------------------------------------------------------------------------------------------

#if WINSVC_BODIES_HOST

namespace winsvc {
inline namespace WINSVC_ABI {
namespace detail::host {

WINSVC_INLINE void hook_thread::shared_state::thread_main() {
  std::unique_lock lock(mutex);
  for (;;) {
    changed.wait(lock, [this] { return running || stopping; });
    if (!running) return;
    lock.unlock();
    hook_result new_result;
    try {
      callback();
    } catch (...) {
      new_result = {hook_result::threw, base::exception_message()};
    }
    lock.lock();
    result = std::move(new_result);
    running = false;
    changed.notify_all();
  }
}

WINSVC_INLINE hook_result hook_thread::run(std::function<void()> callback, milliseconds timeout) {
  if (!thread_.joinable()) thread_ = os::start_thread([shared = state_] { shared->thread_main(); });
  std::unique_lock lock(state_->mutex);
  state_->callback = std::move(callback);
  state_->running = true;
  state_->set_timeout(timeout);
  state_->changed.notify_all();
  while (state_->running) {
    state_->time->wait_until(state_->changed, lock, state_->deadline);
    // progress() and shorten_deadline() move the deadline during the wait.
    if (state_->running && state_->time->now() >= state_->deadline) {
      if (os::debugger_attached()) {
        state_->set_timeout(state_->timeout);
        continue;
      }
      thread_.detach();  // the hook may never return; it is abandoned
      return {hook_result::timed_out, {}};
    }
  }
  state_->callback = nullptr;
  return std::move(state_->result);
}

WINSVC_INLINE void hook_thread::progress() noexcept {
  const std::lock_guard lock(state_->mutex);
  state_->set_timeout(state_->timeout);
}

WINSVC_INLINE void hook_thread::shorten_deadline(milliseconds max_timeout, time_point total_deadline) noexcept {
  const std::lock_guard lock(state_->mutex);
  state_->max_timeout = (std::min)(max_timeout, state_->max_timeout);
  state_->total_deadline = (std::min)(total_deadline, state_->total_deadline);
  if (state_->timeout <= state_->max_timeout && state_->deadline <= state_->total_deadline) return;
  state_->set_timeout((std::min)(state_->max_timeout, state_->timeout));
  state_->changed.notify_all();
}

WINSVC_INLINE hook_thread::~hook_thread() {
  if (!thread_.joinable()) return;
  {
    const std::lock_guard lock(state_->mutex);
    state_->stopping = true;
    state_->changed.notify_all();
  }
  thread_.join();
}

}  // namespace detail::host
}  // inline namespace WINSVC_ABI
}  // namespace winsvc

#endif  // WINSVC_BODIES_HOST
