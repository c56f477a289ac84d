// Thread pool: the I/O threads and blocking threads that serve connections.
//
//   thread_pool pool(source, limits);   // source: a work_source, which waits for items and serves them
//   pool.start();
//   pool.submit(item, false);           // for a blocking thread; false: the queue is full
//   pool.stop();
//
// There is one I/O thread per processor. It waits in the poller and serves the ready items itself: for a fast handler,
// nothing is cheaper than the thread that has the request in its cache. Items with a slow handler go through a queue to
// the blocking threads. There are few blocking threads; more are started while handlers block, and they end when idle.
//
// The monitor thread detects an I/O thread that is blocked in a handler: it demotes the thread, queues the rest of its
// batch, and has another thread take the role. It also runs the timers. When nothing happens, all threads sleep: an
// idle pool causes no wakeups. A thread that must wait for one client (a stream, a WebSocket, a large body) encloses
// the wait in begin_blocking() and end_blocking(); meanwhile it is not counted, and another thread can take its place.
//
// Roles of a pool thread and their transitions. `io_count_` counts the threads with the role io.
//
//   role      event                                                                      next role
//   (new)     start(): limits.io_threads threads                                         io
//   (new)     the queue needs a thread, or the monitor finds all threads blocked         blocking
//   io        monitor: sleeps in one item for one scan, or computes in it for 5 scans    blocking (offload_batch)
//   io        begin_blocking()                                                           blocking (offload_batch)
//   io        demoted between two batches, and the poller has returned a batch           io for this batch (promote)
//   io        the extra batch is served                                                  blocking (demote)
//   io        stop()                                                                     blocking (demote)
//   blocking  io_count_ < limits.io_threads                                              io
//   blocking  10 s without an item, more than limits.min_threads                         ended
//   blocking  stop(), and the queue is empty                                             ended
#pragma once

#include <algorithm>
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <list>
#include <memory>
#include <mutex>
#include <new>
#include <system_error>
#include <thread>
#include <utility>

#include "winsvc/config/abi.hpp"
#include "winsvc/config/options.hpp"
#include "winsvc/os/native.hpp"

namespace winsvc {
inline namespace WINSVC_ABI {
namespace detail::server {

struct thread_pool_limits {
  std::size_t io_threads = 1;      ///< number of I/O threads
  std::size_t min_threads = 4;     ///< number of threads that never end while idle, including the I/O threads
  std::size_t max_threads = 256;   ///< maximum number of threads while handlers block
  std::size_t queue_limit = 1000;  ///< maximum number of items that wait for a blocking thread
};

class thread_pool {
 public:
  using time_point = std::chrono::steady_clock::time_point;
  enum class thread_role { io, blocking };

  /// Source of the items; an item is an opaque pointer, `user_data`. The pool calls `wake` on the thread that stops it,
  /// and the other functions on its own threads.
  class work_source {
   public:
    /// Waits for ready items and writes at most `capacity` of them to `output`. Returns 0 after `wake`.
    virtual std::size_t wait_ready(void** output, std::size_t capacity) noexcept = 0;
    virtual void wake() noexcept = 0;
    /// Returns true if the caller now owns the item and must serve or submit it.
    virtual bool claim(void* user_data) noexcept = 0;
    /// Serves a claimed item. `thread_context` belongs to the thread: empty at first, then as the last call left it.
    /// (Not a thread_local, because mingw may free one before it calls the destructor.)
    virtual void serve(void* user_data, thread_role role, std::shared_ptr<void>& thread_context) noexcept = 0;
    /// Called on the monitor thread: an I/O thread has been in this item for too long.
    virtual void on_slow(void* user_data) noexcept = 0;
    /// Called on the monitor thread: runs the timers that are due and returns the time of the next timer.
    virtual time_point run_timers(time_point now) noexcept = 0;

   protected:
    ~work_source() = default;
  };

  thread_pool(work_source& source, const thread_pool_limits& limits) : source_(source), limits_(limits) {}
  /// Calls stop().
  ~thread_pool() { stop(); }
  thread_pool(const thread_pool&) = delete;
  thread_pool& operator=(const thread_pool&) = delete;

  /// Starts the I/O threads and the monitor thread. Throws std::system_error if not even one thread can be started.
  void start();
  /// Stops all threads. Waits until the queue is empty and no item is being served.
  void stop();
  /// Detaches all threads; some of them are stuck in a handler. After that, keep the pool until the process ends.
  void abandon();

  /// Queues a claimed item for a blocking thread. Returns false if the queue is full; `force` ignores the queue limit.
  bool submit(void* user_data, bool force) noexcept;
  /// Makes the monitor thread call run_timers() again, because a timer is due earlier.
  void wake_monitor();

  /// Called on a pool thread before and after it waits for one client. Each begin_blocking() has one end_blocking().
  void begin_blocking();
  void end_blocking();
  /// True if the calling thread belongs to this pool.
  [[nodiscard]] bool is_pool_thread() const noexcept { return current_thread() && current_thread()->pool == this; }

  /// Number of threads, without the monitor thread and without those in a blocking section.
  [[nodiscard]] std::size_t size() const;

 private:
  static constexpr std::size_t batch_size = 8;
  static constexpr std::chrono::milliseconds scan_interval{2};

  struct pool_thread {
    std::thread handle;
    thread_pool* pool = nullptr;
    // The role. Written under mutex_; its own thread reads it without the lock. run_io_loop() stores batch_cursor and
    // then loads is_io; offload_batch() clears is_io and then loads batch_cursor. Both need sequential consistency: the
    // thread notices its demotion, or the other thread takes the batch.
    std::atomic<bool> is_io{false};
    // Odd while an item is served. scan_threads() compares it with the last scan. For its memory order see scanning_.
    std::atomic<std::uint64_t> sequence{0};
    std::atomic<void*> current_item{nullptr};  // release: stored before the item is served, for on_slow()
    // Batch number << 16 | count << 8 | next index. A compare-exchange takes one item; it fails for a cursor of an
    // older batch, because the batch number differs. acq_rel, so that the thread that takes an item sees `batch`.
    std::atomic<std::uint64_t> batch_cursor{0};
    std::atomic<void*> batch[batch_size] = {};   // relaxed: published by batch_cursor
    std::atomic<std::uint32_t> os_thread_id{0};  // 0 until the thread runs
    std::shared_ptr<void> thread_context;        // used by its own thread only
    std::uint64_t last_sequence = 0;             // used by the monitor thread: sequence at the last scan
    int unchanged_scans = 0;                     // used by the monitor thread: scans with the same item
    bool finished = false;                       // under mutex_
  };
  static pool_thread*& current_thread() noexcept {
    static thread_local pool_thread* thread = nullptr;
    return thread;
  }

  void thread_main(pool_thread& thread) noexcept;
  void run_io_loop(pool_thread& thread) noexcept;
  bool run_blocking_loop(pool_thread& thread) noexcept;
  void serve(pool_thread& thread, void* user_data, thread_role role) noexcept;
  [[nodiscard]] static void* next_in_batch(pool_thread& thread) noexcept;
  void promote(pool_thread& thread);
  void demote(pool_thread& thread);
  void offload_batch(pool_thread& thread);
  bool start_thread(bool as_io_thread) noexcept;
  bool enqueue(void* user_data) noexcept;
  void ensure_io_threads();
  void ensure_blocking_threads();
  void start_scanning() noexcept;
  void monitor_main() noexcept;
  bool scan_threads();
  void stop_monitor();
  [[nodiscard]] bool is_cpu_bound() const;

  work_source& source_;
  const thread_pool_limits limits_;

  mutable std::mutex mutex_;  // protects the members up to stopping_
  std::condition_variable work_available_;
  std::list<pool_thread> threads_;
  std::deque<void*> queue_;
  std::size_t thread_count_ = 0;   // without the threads in a blocking section
  std::size_t io_count_ = 0;       // threads with the role io
  std::size_t idle_count_ = 0;     // blocking threads that wait for an item
  std::uint64_t dequeued_count_ = 0, dequeued_at_last_scan_ = 0;
  bool stopping_ = false;

  // scanning_: false -> true when a thread starts an item or queues one; true -> false after 10 scans without activity.
  // A thread increments `sequence` and then loads scanning_; the monitor clears scanning_ and then scans once more.
  // Both need sequential consistency, so that no item remains unobserved.
  std::atomic<bool> scanning_{false};
  std::thread monitor_;
  std::mutex monitor_mutex_;  // protects the members below
  std::condition_variable monitor_wakeup_;
  bool wake_requested_ = false, monitor_stopping_ = false;
};

// ---------------------------------------------------------------------------------------------------------------------

}  // namespace detail::server
}  // inline namespace WINSVC_ABI
}  // namespace winsvc

#if WINSVC_BODIES_SERVER

namespace winsvc {
inline namespace WINSVC_ABI {
namespace detail::server {

WINSVC_INLINE void thread_pool::start() {
  const std::lock_guard lock(mutex_);
  for (std::size_t i = 0; i < (std::max)(limits_.io_threads, std::size_t{1}); ++i) {
    if (!start_thread(true) && i == 0)
      throw std::system_error(std::make_error_code(std::errc::resource_unavailable_try_again));
  }
  monitor_ = os::start_thread([this] { monitor_main(); });
}

/// Starts one thread; joins threads that have finished. Requires mutex_. Returns false if the system has no thread.
WINSVC_INLINE bool thread_pool::start_thread(bool as_io_thread) noexcept {
  if (stopping_) return false;
  for (auto it = threads_.begin(); it != threads_.end();) {
    const auto current = it++;
    if (!current->finished) continue;
    current->handle.join();
    threads_.erase(current);
  }
  try {
    pool_thread& thread = threads_.emplace_back();
    thread.pool = this;
    thread.is_io.store(as_io_thread);
    try {
      thread.handle = os::start_thread([this, &thread] { thread_main(thread); });
    } catch (...) {
      threads_.pop_back();
      throw;
    }
  } catch (const std::exception&) {  // no thread or no memory: the existing threads continue
    return false;
  }
  ++thread_count_;
  if (as_io_thread) ++io_count_;
  return true;
}

WINSVC_INLINE void thread_pool::thread_main(pool_thread& thread) noexcept {
  current_thread() = &thread;
  thread.os_thread_id = os::thread_id();
  do run_io_loop(thread);
  while (run_blocking_loop(thread));
  const std::lock_guard lock(mutex_);
  thread.finished = true;
}

WINSVC_INLINE void thread_pool::serve(pool_thread& thread, void* user_data, thread_role role) noexcept {
  thread.current_item.store(user_data, std::memory_order_release);
  thread.sequence.store(thread.sequence.load(std::memory_order_relaxed) + 1);
  if (!scanning_.load()) start_scanning();
  source_.serve(user_data, role, thread.thread_context);
  thread.sequence.store(thread.sequence.load(std::memory_order_relaxed) + 1, std::memory_order_release);
}

/// Takes the next item of a batch. Its own thread calls it, and any thread that offloads the batch.
WINSVC_INLINE void* thread_pool::next_in_batch(pool_thread& thread) noexcept {
  auto cursor = thread.batch_cursor.load();
  for (;;) {
    const auto count = (cursor >> 8) & 0xFF, next = cursor & 0xFF;
    if (next >= count) return nullptr;
    void* const user_data = thread.batch[next].load(std::memory_order_relaxed);
    if (thread.batch_cursor.compare_exchange_weak(cursor, cursor + 1, std::memory_order_acq_rel,
                                                  std::memory_order_acquire))
      return user_data;
  }
}

WINSVC_INLINE void thread_pool::run_io_loop(pool_thread& thread) noexcept {
  std::uint64_t batch_number = 0;
  for (bool is_extra = false; !is_extra && thread.is_io.load(std::memory_order_acquire);) {
    void* items[batch_size];
    const std::size_t count = source_.wait_ready(items, batch_size);
    if (count == 0) {
      {
        const std::lock_guard lock(mutex_);
        if (!stopping_) continue;
      }
      return demote(thread);
    }
    for (std::size_t i = 0; i < count; ++i) thread.batch[i].store(items[i], std::memory_order_relaxed);
    thread.batch_cursor.store((++batch_number << 16) | (count << 8));
    if ((is_extra = !thread.is_io.load())) promote(thread);
    while (void* const user_data = next_in_batch(thread)) {
      if (source_.claim(user_data)) serve(thread, user_data, thread_role::io);
    }
    if (is_extra) demote(thread);
  }
}

/// Makes a demoted thread an I/O thread for one batch, as an extra one. The monitor demoted it when its last item had
/// just ended and the thread was in the poller again: it then has a new batch, which the monitor must observe.
WINSVC_INLINE void thread_pool::promote(pool_thread& thread) {
  const std::lock_guard lock(mutex_);
  ++io_count_;
  thread.is_io.store(true);
}
WINSVC_INLINE void thread_pool::demote(pool_thread& thread) {
  const std::lock_guard lock(mutex_);
  if (thread.is_io.exchange(false)) --io_count_;
}

/// Serves queued items. Returns true if the thread must become an I/O thread, false if it must end.
WINSVC_INLINE bool thread_pool::run_blocking_loop(pool_thread& thread) noexcept {
  constexpr auto idle_timeout = std::chrono::seconds(10);
  std::unique_lock lock(mutex_);
  for (;;) {
    if (stopping_ && queue_.empty()) break;
    if (!stopping_ && io_count_ < limits_.io_threads) {
      ++io_count_;
      thread.is_io.store(true);
      return true;
    }
    if (queue_.empty()) {
      ++idle_count_;
      const auto is_needed = [this] { return stopping_ || !queue_.empty() || io_count_ < limits_.io_threads; };
      bool needed = true;
      if (thread_count_ > limits_.min_threads) needed = work_available_.wait_for(lock, idle_timeout, is_needed);
      else work_available_.wait(lock, is_needed);
      --idle_count_;
      if (!needed && thread_count_ > limits_.min_threads) break;
      continue;
    }
    void* const user_data = queue_.front();
    queue_.pop_front();
    ++dequeued_count_;
    lock.unlock();
    serve(thread, user_data, thread_role::blocking);
    lock.lock();
  }
  --thread_count_;
  return false;
}

WINSVC_INLINE bool thread_pool::submit(void* user_data, bool force) noexcept {
  for (bool queued = false; !queued;) {
    {
      const std::lock_guard lock(mutex_);
      if (!force && queue_.size() >= limits_.queue_limit) return false;
      queued = enqueue(user_data);
      if (queued) ensure_blocking_threads();
    }
    if (!queued && !force) return false;
    if (!queued) std::this_thread::sleep_for(scan_interval);  // out of memory: try again
  }
  if (!scanning_.load()) start_scanning();
  return true;
}

/// Requires mutex_. Returns false if memory is exhausted.
WINSVC_INLINE bool thread_pool::enqueue(void* user_data) noexcept {
  try {
    queue_.push_back(user_data);
    return true;
  } catch (const std::bad_alloc&) {
    return false;
  }
}

/// Wakes or starts a thread for the queue. Requires mutex_.
WINSVC_INLINE void thread_pool::ensure_blocking_threads() {
  if (queue_.empty()) return;
  if (idle_count_ > 0) work_available_.notify_one();
  else if (thread_count_ < limits_.min_threads || thread_count_ == io_count_) start_thread(false);
}
/// Wakes or starts a thread for the role io, if there are too few. Requires mutex_.
WINSVC_INLINE void thread_pool::ensure_io_threads() {
  if (stopping_ || io_count_ >= limits_.io_threads) return;
  if (idle_count_ > 0) work_available_.notify_one();
  else start_thread(true);
}

/// Demotes an I/O thread that will not return soon and queues the rest of its batch. Requires mutex_.
WINSVC_INLINE void thread_pool::offload_batch(pool_thread& thread) {
  if (!thread.is_io.exchange(false)) return;
  --io_count_;
  while (void* const user_data = next_in_batch(thread)) {
    if (!source_.claim(user_data)) continue;
    while (!enqueue(user_data)) std::this_thread::sleep_for(scan_interval);
  }
  ensure_io_threads();
  ensure_blocking_threads();
}

WINSVC_INLINE void thread_pool::begin_blocking() {
  pool_thread& thread = *current_thread();
  const std::lock_guard lock(mutex_);
  --thread_count_;
  offload_batch(thread);
  ensure_blocking_threads();
}

WINSVC_INLINE void thread_pool::end_blocking() {
  const std::lock_guard lock(mutex_);
  ++thread_count_;
}

WINSVC_INLINE std::size_t thread_pool::size() const {
  const std::lock_guard lock(mutex_);
  return thread_count_;
}

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
    const auto now = std::chrono::steady_clock::now();
    auto next = source_.run_timers(now);
    if (scanning_.load()) {
      quiet_scans = scan_threads() ? 0 : quiet_scans + 1;
      if (quiet_scans >= max_quiet_scans) {
        scanning_.store(false);
        if (scan_threads()) scanning_.store(true);  // an item began after the last scan and saw scanning_ as true
        quiet_scans = 0;
      }
      if (scanning_.load()) next = (std::min)(next, now + scan_interval);
    }
    std::unique_lock lock(monitor_mutex_);
    const auto is_requested = [this] { return wake_requested_ || monitor_stopping_; };
    if (next == (time_point::max)()) monitor_wakeup_.wait(lock, is_requested);
    else monitor_wakeup_.wait_until(lock, next, is_requested);
    wake_requested_ = false;
    if (monitor_stopping_) return;
  }
}

/// Demotes blocked I/O threads, and starts a blocking thread if the queue does not move. Returns false if no
/// I/O thread is busy and the queue is empty.
WINSVC_INLINE bool thread_pool::scan_threads() {
  bool busy = false;
  const std::lock_guard lock(mutex_);
  for (auto& thread : threads_) {
    if (!thread.is_io.load(std::memory_order_relaxed)) continue;
    const auto sequence = thread.sequence.load();
    const bool moved = sequence != std::exchange(thread.last_sequence, sequence);
    const bool serves = sequence % 2 == 1;
    busy = busy || moved || serves;
    thread.unchanged_scans = moved || !serves ? 0 : thread.unchanged_scans + 1;
    if (thread.unchanged_scans == 0) continue;
    // A sleeping thread is demoted at once. A running one may wait for a processor, and another thread would make that
    // worse, so it is demoted after 5 scans.
    const bool sleeps = os::is_thread_blocked(thread.os_thread_id).value_or(thread.unchanged_scans > 1);
    if (!sleeps && thread.unchanged_scans < 5) continue;
    source_.on_slow(thread.current_item.load(std::memory_order_acquire));
    offload_batch(thread);
  }
  if (!queue_.empty()) {
    busy = true;
    // If no item was dequeued since the last scan, all threads are in handlers. Another thread helps if the handlers
    // block, but not if they compute.
    if (idle_count_ > 0) {
      work_available_.notify_one();
    } else if (dequeued_count_ == dequeued_at_last_scan_ && thread_count_ < limits_.max_threads && !is_cpu_bound()) {
      start_thread(false);
    }
  }
  dequeued_at_last_scan_ = dequeued_count_;
  return busy;
}

/// True if the blocking threads occupy all processors. Requires mutex_.
WINSVC_INLINE bool thread_pool::is_cpu_bound() const {
  const std::size_t processors = (std::max)(limits_.io_threads, std::size_t{1});
  std::size_t running = 0;
  for (const auto& thread : threads_) {
    if (thread.is_io.load(std::memory_order_relaxed) || thread.sequence.load() % 2 == 0) continue;
    if (!os::is_thread_blocked(thread.os_thread_id).value_or(true) && ++running >= processors) return true;
  }
  return false;
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

WINSVC_INLINE void thread_pool::stop() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
    work_available_.notify_all();
  }
  source_.wake();
  stop_monitor();
  for (auto& thread : threads_) {
    if (thread.handle.joinable()) thread.handle.join();
  }
  threads_.clear();
}

WINSVC_INLINE void thread_pool::abandon() {
  stop_monitor();
  const std::lock_guard lock(mutex_);
  stopping_ = true;
  for (auto& thread : threads_) {
    if (thread.handle.joinable()) thread.handle.detach();
  }
}

}  // namespace detail::server
}  // inline namespace WINSVC_ABI
}  // namespace winsvc

#endif  // WINSVC_BODIES_SERVER
