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
struct ending {
  enum kind { done, threw, silent };
  kind what = done;
  std::string words;  ///< of the exception
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

  /// Runs `body` on the thread and waits: until it ends, or has made no progress for `allowance`. After `silent`
  /// nothing more can be run, and what the body uses must stay until the process ends. Under a debugger nothing is
  /// silent: somebody may be at a breakpoint.
  ending run(std::function<void()> body, milliseconds allowance);
  /// From any thread: the hook that runs now is alive; its time begins anew.
  void progress() noexcept;
  /// From any thread: whatever runs now has this long from here on, if it had longer, and so has what is run later; and
  /// nothing has longer than `all_by`, whatever progress it makes.
  void hurry(milliseconds allowance, time_point all_by = (time_point::max)()) noexcept;

 private:
  /// What both threads look at. It outlives a thread that was given up.
  struct desk {
    std::mutex mutex;
    std::condition_variable changed;
    std::function<void()> body;  // to run, or running
    bool running = false, closing = false;
    ending how;
    milliseconds most = std::chrono::hours(24 * 365);  // for ever; more would overflow where it is added to a time
    milliseconds allowance{0};
    time_point until, all_by = (time_point::max)();

    void patience(milliseconds allowed) {
      allowance = (std::min)(allowed, most);
      until = (std::min)(std::chrono::steady_clock::now() + allowance, all_by);
    }
    void work();
  };

  std::shared_ptr<desk> desk_ = std::make_shared<desk>();
  std::thread thread_;
};

// ---------------------------------------------------------------------------------------------------------------------

inline void hook_thread::desk::work() {
  std::unique_lock lock(mutex);
  for (;;) {
    changed.wait(lock, [this] { return running || closing; });
    if (!running) return;
    lock.unlock();
    ending ended;
    try {
      body();
    } catch (const std::exception& e) {
      ended = {ending::threw, e.what()};
    } catch (...) {
      ended = {ending::threw, "something that is no std::exception"};
    }
    lock.lock();
    how = std::move(ended);
    running = false;
    changed.notify_all();
  }
}

inline ending hook_thread::run(std::function<void()> body, milliseconds allowance) {
  if (!thread_.joinable()) thread_ = std::thread([shared = desk_] { shared->work(); });
  std::unique_lock lock(desk_->mutex);
  desk_->body = std::move(body);
  desk_->running = true;
  desk_->patience(allowance);
  desk_->changed.notify_all();
  while (desk_->running) {
    const auto until = desk_->until;  // progress and hurry move it
    if (desk_->changed.wait_until(lock, until) == std::cv_status::timeout && desk_->running &&
        std::chrono::steady_clock::now() >= desk_->until) {
      if (os::debugger_attached()) {
        desk_->patience(desk_->allowance);
        continue;
      }
      thread_.detach();  // it may come back or not; nobody waits for it any more
      return {ending::silent, {}};
    }
  }
  desk_->body = nullptr;
  return std::move(desk_->how);
}

inline void hook_thread::progress() noexcept {
  const std::lock_guard lock(desk_->mutex);
  desk_->patience(desk_->allowance);
}

inline void hook_thread::hurry(milliseconds allowance, time_point all_by) noexcept {
  const std::lock_guard lock(desk_->mutex);
  desk_->most = (std::min)(allowance, desk_->most);
  desk_->all_by = (std::min)(all_by, desk_->all_by);
  if (desk_->allowance <= desk_->most && desk_->until <= desk_->all_by) return;
  desk_->patience((std::min)(desk_->most, desk_->allowance));
  desk_->changed.notify_all();
}

inline hook_thread::~hook_thread() {
  if (!thread_.joinable()) return;
  {
    const std::lock_guard lock(desk_->mutex);
    desk_->closing = true;
    desk_->changed.notify_all();
  }
  thread_.join();
}

}  // namespace host
}  // inline namespace WINSVC_ABI
}  // namespace winsvc
