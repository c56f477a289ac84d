// Thread pool: the I/O threads, blocking threads and stream threads that serve connections.
//
//   thread_pool pool(source, limits);             // source: a work_source, which waits for items and serves them
//   pool.start();
//   pool.submit(item, work_class::blocking);      // for a blocking thread; false: the queue is full
//   pool.stop();
//
// There is one I/O thread per processor. It waits in the poller and serves the ready items itself: for a fast handler,
// nothing is cheaper than the thread that has the request in its cache. Items with a blocking handler go through a
// queue to the blocking threads. There are few blocking threads; more are started while handlers block, and they end
// when idle.
//
// The monitor thread detects an I/O thread that is blocked in a handler: it demotes the thread, submits the rest of its
// batch, and has another thread take the role. It also runs the timers. When nothing happens, all threads sleep: an
// idle pool causes no wakeups. A thread that must wait for one client (a stream, a WebSocket, an upload) encloses the
// wait in begin_blocking() and end_blocking(); meanwhile it is not counted, and another thread can take its place.
//
// The server accepts connections and sends responses also during a shortage of threads. Two rules ensure this:
// - The reserve thread exists from start() on. While no thread has the role io, it waits in the poller and serves the
//   ready items, but runs no handler of the app. The monitor tries again to create threads until it succeeds.
// - A thread takes an item with the class `stream` only if another thread is idle or can be created. So items that hold
//   a thread for a long time never take the last thread from the handlers.
//
// Roles of a pool thread and their transitions. `io_count_` counts the threads with the role io.
//
//   role      event                                                                      next role
//   (new)     start(): limits.io_threads threads                                         io
//   (new)     a queue needs a thread, or the monitor finds all threads blocked           blocking
//   io        monitor: in the same item for 3 scans                                      blocking (offload_batch)
//   io        begin_blocking()                                                           blocking (offload_batch)
//   io        demoted between two batches, and the poller has returned a batch           io for this batch (promote)
//   io        the extra batch is served                                                  blocking (demote)
//   io        wanted_io_threads() < io_count_, because the system creates no thread       blocking
//   io        stop()                                                                     blocking (demote)
//   blocking  io_count_ < wanted_io_threads()                                            io
//   blocking  takes an item with the class `stream`; the item is served                  stream; blocking
//   blocking  10 s without an item, more than limits.min_threads                         ended
//   blocking  stop(), and the queues are empty                                           ended
//   reserve   stop()                                                                     ended
#pragma once

#include <algorithm>
#include <array>
#include <atomic>
#include <chrono>
#include <condition_variable>
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
#include "winsvc/os/thread_starter.hpp"
#include "winsvc/config/abi.hpp"
#include "winsvc/os/native.hpp"
#include "winsvc/server/thread_load.hpp"
#include "winsvc/server/thread_progress.hpp"
#include "winsvc/server/work_queue.hpp"

namespace winsvc {
inline namespace WINSVC_ABI {
namespace detail::server {

struct thread_pool_limits {
  std::size_t io_threads = 1;      ///< number of I/O threads
  /// Number of threads that never end while idle, including the I/O threads. The engine sets it from the number of
  /// processors (server::thread_pool_limits_for).
  std::size_t min_threads = 4;
  std::size_t max_threads = 256;   ///< maximum number of threads while handlers block
  std::size_t queue_limit = 1000;  ///< maximum number of items that wait for a blocking thread
};

/// Thread that an item needs: an I/O thread if it does not block, a blocking thread for a handler that may block, a
/// stream thread for a handler that holds its thread for a long time.
enum class work_class : std::uint8_t { io, blocking, stream };

/// Numbers of a pool that cannot create a thread.
struct thread_shortage {
  std::size_t threads = 0, waiting_handlers = 0, waiting_streams = 0;
};

class thread_pool {
 public:
  using time_point = clock::time_point;
  /// Role of the thread that serves an item. `reserve`: run no handler of the app.
  enum class thread_role { io, blocking, stream, reserve };

  /// Source of the items. The pool calls `wake` on the thread that stops it, `notify` on any thread, and the other
  /// functions on its own threads.
  class work_source {
   public:
    /// Waits for ready items and writes at most `capacity` of them to `output`. Returns 0 after `wake` or `notify`.
    virtual std::size_t wait_ready(work_item** output, std::size_t capacity) noexcept = 0;
    /// Ends all calls of wait_ready, now and later.
    virtual void wake() noexcept = 0;
    /// Makes at least one call of wait_ready return, now or later.
    virtual void notify() noexcept = 0;
    /// Returns true if the caller now owns the item and must serve or submit it.
    virtual bool claim(work_item& item) noexcept = 0;
    /// Serves a claimed item. `thread_context` belongs to the thread: empty at first, then as the last call left it.
    /// (Not a thread_local, because mingw may free one before it calls the destructor.)
    virtual void serve(work_item& item, thread_role role, std::shared_ptr<void>& thread_context) noexcept = 0;
    /// Called on the monitor thread: an I/O thread has been in this item for too long.
    virtual void on_blocked(work_item& item) noexcept = 0;
    /// Called on the monitor thread: runs the timers that are due and returns the time of the next timer.
    virtual time_point run_timers(time_point now) noexcept = 0;
    /// Called on the monitor thread each time that the pool tried in vain to create a thread.
    virtual void on_thread_shortage(const thread_shortage&) noexcept {}

   protected:
    ~work_source() = default;
  };

  thread_pool(work_source& source, const thread_pool_limits& limits, const clock& time,
              os::thread_starter& starter = os::thread_starter::system())
      : source_(source), limits_(limits), time_(time), starter_(starter) {}
  /// Calls stop().
  ~thread_pool() { stop(); }
  thread_pool(const thread_pool&) = delete;
  thread_pool& operator=(const thread_pool&) = delete;

  /// Starts the I/O threads, the reserve thread and the monitor thread. Throws std::system_error or std::bad_alloc if
  /// the system cannot create the reserve thread, the monitor thread and one I/O thread; a further call then starts the
  /// threads that are missing.
  void start();
  /// Stops all threads. Waits until the queues are empty and no item is being served.
  void stop();
  /// Detaches all threads; some of them are stuck in a handler. After that, keep the pool until the process ends.
  void abandon();

  /// Queues a claimed item. Returns false if the class is `blocking` and its queue is full. Needs no memory.
  bool submit(work_item& item, work_class work) noexcept;
  /// Removes an item from the queues of blocking threads and stream threads. Returns false if it is not in them;
  /// otherwise the caller owns the item.
  bool remove(work_item& item) noexcept;
  /// Makes the monitor thread call run_timers() again, because a timer is due earlier.
  void wake_monitor();

  /// Called on a pool thread before and after it waits for one client. Each begin_blocking() has one end_blocking().
  void begin_blocking();
  void end_blocking();

  /// Number of threads, without the monitor thread, the reserve thread and those in a blocking section.
  [[nodiscard]] std::size_t size() const;

 private:
  static constexpr std::size_t batch_size = 8;
  static constexpr std::chrono::milliseconds scan_interval{2};
  static constexpr std::chrono::milliseconds long_scan_interval{8};  // while the I/O threads serve items quickly
  static constexpr std::chrono::milliseconds shortage_interval{50};  // between two attempts to create a thread

  struct pool_thread {
    std::thread handle;
    thread_pool* pool = nullptr;
    // The role. Written under mutex_; its own thread reads it without the lock. run_io_loop() stores batch_cursor and
    // then loads is_io; offload_batch() clears is_io and then loads batch_cursor. Both need sequential consistency: the
    // thread notices its demotion, or the other thread takes the batch, except the first item. If the thread does not
    // notice its demotion, it serves that item without the role, as a blocking thread would.
    std::atomic<bool> is_io{false};
    // Odd while an item is served. scan_io_threads() compares it with the last scan. For its memory order see
    // scanning_.
    std::atomic<std::uint64_t> sequence{0};
    std::atomic<work_item*> current_item{nullptr};  // release: stored before the item is served, for on_blocked()
    // Batch number << 16 | count << 8 | next index. A compare-exchange takes one item; it fails for a cursor of an
    // older batch, because the batch number differs. acq_rel, so that the thread that takes an item sees `batch`.
    std::atomic<std::uint64_t> batch_cursor{0};
    std::atomic<work_item*> batch[batch_size] = {};  // relaxed: published by batch_cursor
    std::shared_ptr<void> thread_context;            // used by its own thread only
    os::thread_clock cpu_clock;                      // attached by its own thread, read by the monitor thread
    thread_load load;                                // used by the monitor thread
    thread_progress progress;                        // used by the monitor thread
    bool finished = false;                           // under mutex_
  };
  static pool_thread*& current_thread() noexcept {
    static thread_local pool_thread* thread = nullptr;
    return thread;
  }

  void thread_main(pool_thread& thread) noexcept;
  void reserve_main(pool_thread& thread) noexcept;
  void run_io_loop(pool_thread& thread) noexcept;
  bool run_blocking_loop(pool_thread& thread) noexcept;
  void serve_item(pool_thread& thread, work_item& item, thread_role role) noexcept;
  void serve_io_items(pool_thread& thread, thread_role role) noexcept;
  [[nodiscard]] static work_item* next_in_batch(pool_thread& thread) noexcept;
  void promote(pool_thread& thread);
  void demote(pool_thread& thread);
  void offload_batch(pool_thread& thread);
  bool start_thread(bool as_io_thread) noexcept;
  void join_finished();
  void enqueue_io_item(work_item& item) noexcept;
  [[nodiscard]] work_item* take_item(thread_role& role);
  [[nodiscard]] bool can_take_stream();
  [[nodiscard]] std::size_t wanted_io_threads() const noexcept;
  bool leave_surplus_role(pool_thread& thread);
  void ensure_io_threads();
  void ensure_blocking_threads();
  void ensure_stream_threads();
  void start_scanning() noexcept;
  void monitor_main() noexcept;
  void wait_for_monitor(std::unique_lock<std::mutex>& lock, time_point next_timer);
  bool scan_threads();
  bool scan_io_threads(time_point now);
  bool scan_queues(time_point now);
  [[nodiscard]] bool growth_helps(time_point now);
  void retry_in_shortage(time_point now);
  void stop_monitor();

  work_source& source_;
  const thread_pool_limits limits_;
  const clock& time_;
  os::thread_starter& starter_;

  mutable std::mutex mutex_;  // protects the members up to stopping_
  std::condition_variable work_available_, reserve_needed_;
  std::list<pool_thread> threads_;  // only the monitor thread and stop() erase elements
  work_queue io_items_, blocking_items_, stream_items_;
  std::size_t thread_count_ = 0;   // without the threads in a blocking section
  std::size_t io_count_ = 0;       // threads with the role io
  std::size_t idle_count_ = 0;     // blocking threads that wait for an item
  std::size_t starting_count_ = 0;  // blocking threads that were created and have not run yet
  std::uint64_t dequeued_count_ = 0, dequeued_at_last_scan_ = 0;
  bool shortage_ = false;          // the last attempt to create a thread failed
  std::atomic<bool> surplus_io_{false};  // a thread with the role io must leave it; read without mutex_
  bool stopping_ = false;
  std::atomic<std::size_t> io_item_count_{0};  // of io_items_, read without mutex_; notify() follows each push

  pool_thread reserve_;
  time_point next_retry_{}, last_scan_{};  // on the system's clock; used by the monitor thread
  bool serves_quickly_ = false;            // used by the monitor thread: the next scan can be late

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
  {
    const std::lock_guard lock(mutex_);
    const auto wanted = (std::max)(limits_.io_threads, std::size_t{1});
    while (io_count_ < wanted && start_thread(true)) {}
    if (io_count_ == 0) throw std::system_error(std::make_error_code(std::errc::resource_unavailable_try_again));
  }
  reserve_.pool = this;
  if (!reserve_.handle.joinable()) reserve_.handle = starter_.start([this] { reserve_main(reserve_); });
  if (!monitor_.joinable()) monitor_ = starter_.start([this] { monitor_main(); });
}

WINSVC_INLINE bool thread_pool::submit(work_item& item, work_class work) noexcept {
  {
    const std::lock_guard lock(mutex_);
    if (work == work_class::io) {
      enqueue_io_item(item);
    } else if (work == work_class::blocking) {
      if (blocking_items_.size() >= limits_.queue_limit) return false;
      blocking_items_.push_back(item);
      ensure_blocking_threads();
    } else {
      stream_items_.push_back(item);
      ensure_stream_threads();
    }
  }
  if (!scanning_.load()) start_scanning();
  return true;
}

WINSVC_INLINE bool thread_pool::remove(work_item& item) noexcept {
  const std::lock_guard lock(mutex_);
  return blocking_items_.remove(item) || stream_items_.remove(item);
}

/// Queues an item for an I/O thread; after stop(), for a blocking thread. Requires mutex_.
WINSVC_INLINE void thread_pool::enqueue_io_item(work_item& item) noexcept {
  io_items_.push_back(item);
  io_item_count_.store(io_items_.size());
  if (stopping_) work_available_.notify_one();
  else source_.notify();
}

/// Wakes or starts a thread for the queue of handlers. Requires mutex_.
WINSVC_INLINE void thread_pool::ensure_blocking_threads() {
  if (blocking_items_.empty()) return;
  if (idle_count_ > 0) work_available_.notify_one();
  else if (thread_count_ < limits_.min_threads || thread_count_ == io_count_) start_thread(false);
}

/// Wakes or starts a thread for the queue of streams. Requires mutex_.
WINSVC_INLINE void thread_pool::ensure_stream_threads() {
  if (stream_items_.empty()) return;
  // One thread for each item, and one that remains for handlers.
  if (!shortage_ && idle_count_ + starting_count_ < stream_items_.size() + 1) start_thread(false);
  if (idle_count_ > 0) work_available_.notify_one();
}

/// Number of threads for the role io. While the system creates no thread, one of the last threads remains for handlers,
/// also the only one: the reserve thread polls then. Requires mutex_.
WINSVC_INLINE std::size_t thread_pool::wanted_io_threads() const noexcept {
  if (!shortage_ || thread_count_ > limits_.io_threads) return limits_.io_threads;
  return (std::max)(thread_count_, std::size_t{1}) - 1;
}

/// Wakes or starts a thread for the role io, if there are too few. Wakes the reserve thread if no thread has this role.
/// Requires mutex_.
WINSVC_INLINE void thread_pool::ensure_io_threads() {
  if (stopping_) return;
  if (io_count_ < wanted_io_threads()) {
    if (idle_count_ > 0) work_available_.notify_one();
    else start_thread(true);
  }
  if (io_count_ == 0) reserve_needed_.notify_one();
}

WINSVC_INLINE void thread_pool::begin_blocking() {
  pool_thread& thread = *current_thread();
  const std::lock_guard lock(mutex_);
  if (&thread == &reserve_) return;
  --thread_count_;
  offload_batch(thread);
  ensure_blocking_threads();
}

WINSVC_INLINE void thread_pool::end_blocking() {
  const std::lock_guard lock(mutex_);
  if (current_thread() != &reserve_) ++thread_count_;
}

WINSVC_INLINE std::size_t thread_pool::size() const {
  const std::lock_guard lock(mutex_);
  return thread_count_;
}

WINSVC_INLINE void thread_pool::stop() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
    work_available_.notify_all();
    reserve_needed_.notify_all();
  }
  source_.wake();
  stop_monitor();
  for (auto& thread : threads_) {
    if (thread.handle.joinable()) thread.handle.join();
  }
  threads_.clear();
  if (reserve_.handle.joinable()) reserve_.handle.join();
}

WINSVC_INLINE void thread_pool::abandon() {
  stop_monitor();
  const std::lock_guard lock(mutex_);
  stopping_ = true;
  for (auto& thread : threads_) {
    if (thread.handle.joinable()) thread.handle.detach();
  }
  if (reserve_.handle.joinable()) reserve_.handle.detach();
}

}  // namespace detail::server
}  // inline namespace WINSVC_ABI
}  // namespace winsvc

#endif  // WINSVC_BODIES_SERVER
