// Implementation of server/thread_pool.hpp: the monitor thread, which detects blocked I/O threads, starts threads that
// are missing, and runs the timers.
#pragma once

#include <algorithm>
#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <list>
#include <memory>
#include <mutex>
#include <new>
#include <system_error>
#include <thread>
#include <utility>

#include "winsvc/base/clock.hpp"
#include "winsvc/base/scope.hpp"
#include "winsvc/config/abi.hpp"
#include "winsvc/os/native.hpp"
#include "winsvc/os/thread_starter.hpp"
#include "winsvc/server/thread_load.hpp"
#include "winsvc/server/thread_pool.hpp"
#include "winsvc/server/thread_progress.hpp"
#include "winsvc/server/work_queue.hpp"

// ---------------------------------------------------------------------------------------------------------------------

#if WINSVC_BODIES_SERVER

namespace winsvc {
inline namespace WINSVC_ABI {
namespace detail::server {

WINSVC_INLINE void thread_pool::start_scanning() noexcept {
  if (!scanning_.exchange(true)) wake_monitor();
}

WINSVC_INLINE void thread_pool::wake_monitor() {
  const std::lock_guard lock(monitor_mutex_);
  wake_requested_ = true;
  monitor_wakeup_.notify_one();
}

WINSVC_INLINE void thread_pool::monitor_main() noexcept {
  constexpr int max_quiet_scans = 10;
  for (int quiet_scans = 0;;) {
    const auto next = source_.run_timers(time_.now());
    if (scanning_.load()) {
      quiet_scans = scan_threads() ? 0 : quiet_scans + 1;
      if (quiet_scans >= max_quiet_scans) {
        scanning_.store(false);
        if (scan_threads()) scanning_.store(true);  // an item began after the last scan and saw scanning_ as true
        quiet_scans = 0;
      }
    }
    join_finished();
    std::unique_lock lock(monitor_mutex_);
    wait_for_monitor(lock, next);
    wake_requested_ = false;
    if (monitor_stopping_) return;
  }
}

/// Waits for the next timer or scan. The timers use the clock of the service, the scans real time, because they observe
/// threads of the system.
WINSVC_INLINE void thread_pool::wait_for_monitor(std::unique_lock<std::mutex>& lock, time_point next_timer) {
  const auto& real = clock::system();
  auto next_scan = (time_point::max)();
  if (scanning_.load()) {
    const auto until_timer = (std::max)(next_timer - time_.now(), clock::duration::zero());
    const clock::duration interval = serves_quickly_ ? long_scan_interval : scan_interval;
    next_scan = real.now() + (std::min)(interval, until_timer);
  }
  while (!wake_requested_ && !monitor_stopping_ && real.now() < next_scan &&
         (next_timer == (time_point::max)() || time_.now() < next_timer)) {
    if (next_scan == (time_point::max)()) time_.wait_until(monitor_wakeup_, lock, next_timer);
    else real.wait_until(monitor_wakeup_, lock, next_scan);
  }
}

/// Returns false if no I/O thread is busy, the queues are empty and no thread is missing.
WINSVC_INLINE bool thread_pool::scan_threads() {
  const auto now = clock::system().now();  // the threads and their CPU times are those of the system
  const bool io_busy = scan_io_threads(now);
  const bool queues_busy = scan_queues(now);
  serves_quickly_ = serves_quickly_ && !queues_busy;
  return io_busy || queues_busy;
}

/// Demotes I/O threads that are blocked or compute for long.
WINSVC_INLINE bool thread_pool::scan_io_threads(time_point now) {
  const auto since_last_scan = now - std::exchange(last_scan_, now);
  bool busy = false, quick = false, unchanged = false;
  const std::lock_guard lock(mutex_);
  for (auto& thread : threads_) {
    if (!thread.is_io.load(std::memory_order_relaxed)) continue;
    const auto state = thread.progress.observe(thread.sequence.load(), since_last_scan);
    busy = busy || state != thread_state::idle;
    quick = quick || state == thread_state::quick;
    unchanged = unchanged || state == thread_state::unchanged;
    if (state != thread_state::blocked) continue;
    source_.on_blocked(*thread.current_item.load(std::memory_order_acquire));
    offload_batch(thread);
  }
  serves_quickly_ = quick && !unchanged;
  return busy;
}

/// Starts a blocking thread if the queue of handlers does not move, and one more while streams wait. Tries again to
/// create threads that are missing.
WINSVC_INLINE bool thread_pool::scan_queues(time_point now) {
  bool busy = false, stuck = false;
  {
    const std::lock_guard lock(mutex_);
    busy = !io_items_.empty() || !blocking_items_.empty() || !stream_items_.empty() || shortage_;
    // If no item was dequeued since the last scan, all threads are in handlers.
    if (!blocking_items_.empty() && idle_count_ > 0) work_available_.notify_one();
    else stuck = !blocking_items_.empty() && dequeued_count_ == dequeued_at_last_scan_ &&
                 thread_count_ < limits_.max_threads && !shortage_;
    ensure_stream_threads();  // a thread that was started for a stream may have taken the role io
    if (!io_items_.empty() && !stopping_) source_.notify();
    dequeued_at_last_scan_ = dequeued_count_;
  }
  if (stuck && growth_helps(now)) {
    const std::lock_guard lock(mutex_);
    start_thread(false);
  }
  retry_in_shortage(now);
  return busy;
}

/// True if another thread helps: it does if the handlers block, but not if they compute. Called on the monitor thread,
/// which reads the CPU times without mutex_.
WINSVC_INLINE bool thread_pool::growth_helps(time_point now) {
  constexpr std::size_t max_sampled = 64;  // bounds the number of system calls; the first threads are the oldest
  std::array<pool_thread*, max_sampled> sampled;
  std::size_t count = 0;
  {
    const std::lock_guard lock(mutex_);
    for (auto& thread : threads_) {
      if (count == max_sampled) break;
      if (thread.is_io.load(std::memory_order_relaxed) || thread.sequence.load() % 2 == 0) continue;
      sampled[count++] = &thread;
    }
  }
  load_tally tally;
  for (std::size_t i = 0; i < count; ++i) {
    const auto cpu = sampled[i]->cpu_clock.cpu_time();
    if (cpu) sampled[i]->load.sample(now, *cpu);
    tally.add(cpu ? sampled[i]->load.state() : load_state::blocked);
  }
  return tally.allows_growth((std::max)(limits_.io_threads, std::size_t{1}));
}

/// While threads cannot be created, tries again and reports the shortage.
WINSVC_INLINE void thread_pool::retry_in_shortage(time_point now) {
  if (now < next_retry_) return;
  thread_shortage numbers;
  {
    const std::lock_guard lock(mutex_);
    if (!shortage_ || stopping_) return;
    next_retry_ = now + shortage_interval;
    shortage_ = false;
    ensure_io_threads();
    ensure_blocking_threads();
    ensure_stream_threads();
    if (!shortage_) return;
    numbers = {threads_.size(), blocking_items_.size(), stream_items_.size()};
  }
  source_.on_thread_shortage(numbers);
}

WINSVC_INLINE void thread_pool::stop_monitor() {
  if (!monitor_.joinable()) return;
  {
    const std::lock_guard lock(monitor_mutex_);
    monitor_stopping_ = true;
    monitor_wakeup_.notify_one();
  }
  monitor_.join();
}

}  // namespace detail::server
}  // inline namespace WINSVC_ABI
}  // namespace winsvc

#endif  // WINSVC_BODIES_SERVER
