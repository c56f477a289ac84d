// The thread that hooks run on, one after the other, and the patience with them. Whoever runs a hook waits beside it,
// so that one that hangs can be named and given up.
//
//   hook_thread hooks;
//   auto how = hooks.run([&] { open_store(); }, 30s);
//   if (how.what == ending::silent) ...          // no progress() for 30 s: the thread is left to itself
//
// All hooks of a service run on this one thread, because what one opens (a COM apartment, a window) another may have to
// close on the same. It begins with the first hook.
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

#include "winsvc/config/abi.hpp"
#include "winsvc/os/native.hpp"

namespace winsvc {
inline namespace WINSVC_ABI {
namespace host {

/// How a hook ended, for the one who waited.
struct hook_result {
  enum kind { completed, threw, timed_out };
  kind outcome = completed;
  std::string message;  ///< of the exception
};

class hook_thread {
 public:
  using milliseconds = std::chrono::milliseconds;
  using time_point = std::chrono::steady_clock::time_point;
  static constexpr milliseconds no_limit = (milliseconds::max)();

  hook_thread() = default;
  ~hook_thread();
  hook_thread(const hook_thread&) = delete;
  hook_thread& operator=(const hook_thread&) = delete;

  /// Runs `callback` on the thread and waits: until it ends, or has made no progress for `timeout`. After `timed_out`
  /// nothing more can be run, and what the body uses must stay until the process ends. Under a debugger nothing is
  /// silent: somebody may be at a breakpoint.
  hook_result run(std::function<void()> body, milliseconds allowance);
  /// From any thread: the hook that runs now is alive; its time begins anew.
  void progress() noexcept;
  /// From any thread: whatever runs now has this long from here on, if it had longer, and so has what is run later; and
  /// nothing has longer than `total_deadline`, whatever progress it makes.
  void shorten_deadline(milliseconds allowance, time_point total_deadline = (time_point::max)()) noexcept;

 private:
  /// What both threads look at. It outlives a thread that was given up.
  struct shared_state {
    std::mutex mutex;
    std::condition_variable changed;
    std::function<void()> callback;  // to run, or running
    bool running = false, stopping = false;
    hook_result result;
    milliseconds max_timeout = std::chrono::hours(24 * 365);  // for ever; more would overflow where it is added to a time
    milliseconds timeout{0};
    time_point deadline, total_deadline = (time_point::max)();

    void set_timeout(milliseconds allowed) {
      timeout = (std::min)(allowed, max_timeout);
      deadline = (std::min)(std::chrono::steady_clock::now() + timeout, total_deadline);
    }
    void thread_main();
  };

  std::shared_ptr<shared_state> state_ = std::make_shared<shared_state>();
  std::thread thread_;
};

}  // namespace host
}  // inline namespace WINSVC_ABI
}  // namespace winsvc

// ---------------------------------------------------------------------------------------------------------------------

#if WINSVC_BODIES_HOST

namespace winsvc {
inline namespace WINSVC_ABI {
namespace host {

WINSVC_INLINE void hook_thread::shared_state::thread_main() {
  std::unique_lock lock(mutex);
  for (;;) {
    changed.wait(lock, [this] { return running || stopping; });
    if (!running) return;
    lock.unlock();
    hook_result ended;
    try {
      callback();
    } catch (const std::exception& e) {
      ended = {hook_result::threw, e.what()};
    } catch (...) {
      ended = {hook_result::threw, "something that is no std::exception"};
    }
    lock.lock();
    result = std::move(ended);
    running = false;
    changed.notify_all();
  }
}

WINSVC_INLINE hook_result hook_thread::run(std::function<void()> body, milliseconds allowance) {
  if (!thread_.joinable()) thread_ = std::thread([shared = state_] { shared->thread_main(); });
  std::unique_lock lock(state_->mutex);
  state_->callback = std::move(body);
  state_->running = true;
  state_->set_timeout(allowance);
  state_->changed.notify_all();
  while (state_->running) {
    const auto deadline = state_->deadline;  // progress and hurry move it
    if (state_->changed.wait_until(lock, deadline) == std::cv_status::timeout && state_->running &&
        std::chrono::steady_clock::now() >= state_->deadline) {
      if (os::debugger_attached()) {
        state_->set_timeout(state_->timeout);
        continue;
      }
      thread_.detach();  // it may come back or not; nobody waits for it any more
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

WINSVC_INLINE void hook_thread::shorten_deadline(milliseconds allowance, time_point total_deadline) noexcept {
  const std::lock_guard lock(state_->mutex);
  state_->max_timeout = (std::min)(allowance, state_->max_timeout);
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

}  // namespace host
}  // inline namespace WINSVC_ABI
}  // namespace winsvc

#endif  // WINSVC_BODIES_HOST
