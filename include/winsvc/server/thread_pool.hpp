// The engine's threads, few and busy.
//
// In front stand as many as there are cores. Each waits in the poller, and serves what it is told of right there: for a
// handler that is quick, nothing is cheaper than the thread that has the request in its cache. What is known to be slow
// goes through a queue to those at the back. They are few too, become more while handlers block, and fewer again.
//
// Somebody in front who does not come back from a handler is found out by the clerk, the one thread that looks at the
// clock: what he had still to serve goes to the back, he stays there himself, and another stands in front. The clerk
// keeps the deadlines as well. While nothing happens he sleeps, as all others do: an idle crew makes no wake-up.
//
// Whoever is going to wait for one client for long (a stream, a WebSocket, a large body) leaves the crew before, and
// comes back after: he is not counted, and a place at the back is free for another.
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
namespace http {

struct thread_pool_limits {
  std::size_t io_threads = 1;     ///< threads that wait for clients
  std::size_t min_threads = 4;       ///< threads that stay, those in front among them
  std::size_t max_threads = 256;    ///< threads while handlers block
  std::size_t queue_limit = 1000;  ///< requests that wait for one of them
};

class thread_pool {
 public:
  using time_point = std::chrono::steady_clock::time_point;
  enum class thread_role { io, blocking };

  /// What the crew works for. All of it is called by the crew's threads.
  class work_source {
   public:
    /// Up to `room` things that can be served; waits for one. 0 once `wake` was called.
    virtual std::size_t wait_ready(void** output, std::size_t capacity) noexcept = 0;
    virtual void wake() noexcept = 0;
    /// Is it free to be served? From here on it is the caller's.
    virtual bool claim(void* user_data) noexcept = 0;
    /// `thread_context`: empty at a thread's first; what is left there is there at its next. (A thread_local of its own would do,
    /// but for mingw, whose runtime may free one before it calls its destructor.)
    virtual void serve(void* user_data, thread_role at, std::shared_ptr<void>& tools) noexcept = 0;
    /// It is served in front, and takes long.
    virtual void on_slow(void* user_data) noexcept = 0;
    /// Does what is due; says when something is next.
    virtual time_point run_timers(time_point now) noexcept = 0;

   protected:
    ~work_source() = default;
  };

  thread_pool(work_source& source, const thread_pool_limits& bounds) : source_(source), limits_(bounds) {}
  /// Waits for all.
  ~thread_pool() { stop(); }
  thread_pool(const thread_pool&) = delete;
  thread_pool& operator=(const thread_pool&) = delete;

  /// Throws std::system_error when not even one thread is to be had.
  void start();
  /// Ends all threads, and waits for those that serve.
  void stop();
  /// Lets go of those that serve; the crew must stay as it is until the process ends.
  void abandon();

  /// For the back, once claimed. False: so many wait already, unless it `must` be.
  bool submit(void* user_data, bool must) noexcept;
  /// The clerk shall ask for the time sooner than he was told.
  void wake_monitor();

  /// On a thread of the crew: see above. Each `begin_blocking` has its `end_blocking`.
  void begin_blocking();
  void end_blocking();
  /// Is this thread one of the crew?
  [[nodiscard]] bool is_pool_thread() const noexcept { return current_thread() && current_thread()->pool == this; }

  /// Threads of the crew; those that left are not among them.
  [[nodiscard]] std::size_t size() const;

 private:
  static constexpr std::size_t batch_size = 8;
  static constexpr std::chrono::milliseconds scan_interval{2};

  struct pool_thread {
    std::thread thread;
    thread_pool* pool = nullptr;
    std::atomic<bool> is_io{false};       // written under mutex_
    std::atomic<std::uint64_t> sequence{0};     // odd while it serves
    std::atomic<void*> current_item{nullptr};
    std::atomic<std::uint64_t> batch_cursor{0};    // of the batch: which one, how many, the next
    std::atomic<void*> batch[batch_size] = {};
    std::atomic<std::uint32_t> os_thread_id{0};    // the system's
    std::shared_ptr<void> thread_context;             // its own
    std::uint64_t last_sequence = 0;                  // the clerk's: turns at his last look
    int unchanged_scans = 0;                           // and for how many looks they have been the same
    bool finished = false;                      // under mutex_
  };
  static pool_thread*& current_thread() noexcept {
    static thread_local pool_thread* thread = nullptr;
    return thread;
  }

  void thread_main(pool_thread& m) noexcept;
  void run_io_loop(pool_thread& m) noexcept;
  bool run_blocking_loop(pool_thread& m) noexcept;
  void serve(pool_thread& m, void* user_data, thread_role at) noexcept;
  [[nodiscard]] static void* next_in_batch(pool_thread& m) noexcept;
  void promote(pool_thread& m);
  void demote(pool_thread& m);
  void offload_batch(pool_thread& m);
  bool start_thread(bool in_front) noexcept;
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

  mutable std::mutex mutex_;
  std::condition_variable work_available_;
  std::list<pool_thread> threads_;
  std::deque<void*> queue_;
  std::size_t thread_count_ = 0, io_count_ = 0, idle_count_ = 0, blocked_count_ = 0;  // gone_: left for a while
  std::uint64_t dequeued_count_ = 0, dequeued_at_last_scan_ = 0;              // from the queue
  bool stopping_ = false;

  std::mutex monitor_mutex_;
  std::condition_variable monitor_wakeup_;
  std::thread monitor_;
  std::atomic<bool> scanning_{false};
  bool wake_requested_ = false, monitor_stopping_ = false;
};

// ---------------------------------------------------------------------------------------------------------------------

// --- the clerk -------------------------------------------------------------------------------------------------------

}  // namespace http
}  // inline namespace WINSVC_ABI
}  // namespace winsvc

#if WINSVC_BODIES_HTTP

namespace winsvc {
inline namespace WINSVC_ABI {
namespace http {

WINSVC_INLINE void thread_pool::start() {
  const std::lock_guard lock(mutex_);
  for (std::size_t i = 0; i < (std::max)(limits_.io_threads, std::size_t{1}); ++i) {
    if (!start_thread(true) && i == 0) throw std::system_error(std::make_error_code(std::errc::resource_unavailable_try_again));
  }
  monitor_ = std::thread([this] { monitor_main(); });
}

/// Under mutex_. One thread more; false when the system has none.
WINSVC_INLINE bool thread_pool::start_thread(bool in_front) noexcept {
  if (stopping_) return false;
  for (auto it = threads_.begin(); it != threads_.end();) {
    const auto here = it++;
    if (!here->finished) continue;
    here->thread.join();
    threads_.erase(here);
  }
  try {
    pool_thread& m = threads_.emplace_back();
    m.pool = this;
    m.is_io.store(in_front);
    try {
      m.thread = std::thread([this, &m] { thread_main(m); });
    } catch (...) {
      threads_.pop_back();
      throw;
    }
  } catch (const std::exception&) {  // no thread, or no memory for one: those that are there go on
    return false;
  }
  ++thread_count_;
  if (in_front) ++io_count_;
  return true;
}

WINSVC_INLINE void thread_pool::thread_main(pool_thread& m) noexcept {
  current_thread() = &m;
  m.os_thread_id = os::thread_id();
  do run_io_loop(m);
  while (run_blocking_loop(m));
  const std::lock_guard lock(mutex_);
  m.finished = true;
}

WINSVC_INLINE void thread_pool::serve(pool_thread& m, void* user_data, thread_role at) noexcept {
  m.current_item.store(user_data, std::memory_order_release);
  m.sequence.store(m.sequence.load(std::memory_order_relaxed) + 1);
  if (!scanning_.load()) start_scanning();
  source_.serve(user_data, at, m.thread_context);
  m.sequence.store(m.sequence.load(std::memory_order_relaxed) + 1, std::memory_order_release);
}

/// The next of the batch, for whoever asks first: the one who was told, or who takes it over from him.
WINSVC_INLINE void* thread_pool::next_in_batch(pool_thread& m) noexcept {
  auto at = m.batch_cursor.load();
  for (;;) {
    const auto count = (at >> 8) & 0xFF, next = at & 0xFF;
    if (next >= count) return nullptr;
    void* const user_data = m.batch[next].load(std::memory_order_relaxed);
    if (m.batch_cursor.compare_exchange_weak(at, at + 1, std::memory_order_acq_rel, std::memory_order_acquire)) return user_data;
  }
}

WINSVC_INLINE void thread_pool::run_io_loop(pool_thread& m) noexcept {
  std::uint64_t number = 0;
  for (bool too_many = false; !too_many && m.is_io.load(std::memory_order_acquire);) {
    void* result[batch_size];
    const std::size_t count = source_.wait_ready(result, batch_size);
    if (count == 0) {
      {
        const std::lock_guard lock(mutex_);
        if (!stopping_) continue;
      }
      return demote(m);
    }
    for (std::size_t i = 0; i < count; ++i) m.batch[i].store(result[i], std::memory_order_relaxed);
    m.batch_cursor.store((++number << 16) | (count << 8));
    if ((too_many = !m.is_io.load())) promote(m);
    while (void* const user_data = next_in_batch(m)) {
      if (source_.claim(user_data)) serve(m, user_data, thread_role::io);
    }
    if (too_many) demote(m);
  }
}

/// The clerk sent this one to the back when it had just ended what he saw it at, and waited again: now it has a batch,
/// and nobody would watch over that. So it is in front once more, one too many, for this batch.
WINSVC_INLINE void thread_pool::promote(pool_thread& m) {
  const std::lock_guard lock(mutex_);
  ++io_count_;
  m.is_io.store(true);
}
WINSVC_INLINE void thread_pool::demote(pool_thread& m) {
  const std::lock_guard lock(mutex_);
  if (m.is_io.exchange(false)) --io_count_;
}

/// True: it is to stand in front.
WINSVC_INLINE bool thread_pool::run_blocking_loop(pool_thread& m) noexcept {
  constexpr auto timeout = std::chrono::seconds(10);
  std::unique_lock lock(mutex_);
  for (;;) {
    if (stopping_ && queue_.empty()) break;
    if (!stopping_ && io_count_ < limits_.io_threads) {
      ++io_count_;
      m.is_io.store(true);
      return true;
    }
    if (queue_.empty()) {
      ++idle_count_;
      const auto something = [this] { return stopping_ || !queue_.empty() || io_count_ < limits_.io_threads; };
      bool called = true;
      if (thread_count_ > limits_.min_threads) called = work_available_.wait_for(lock, timeout, something);
      else work_available_.wait(lock, something);
      --idle_count_;
      if (!called && thread_count_ > limits_.min_threads) break;  // nobody needed this one for a while
      continue;
    }
    void* const user_data = queue_.front();
    queue_.pop_front();
    ++dequeued_count_;
    lock.unlock();
    serve(m, user_data, thread_role::blocking);
    lock.lock();
  }
  --thread_count_;
  return false;
}

WINSVC_INLINE bool thread_pool::submit(void* user_data, bool must) noexcept {
  for (bool put = false; !put;) {
    {
      const std::lock_guard lock(mutex_);
      if (!must && queue_.size() >= limits_.queue_limit) return false;
      put = enqueue(user_data);
      if (put) ensure_blocking_threads();
    }
    if (!put && !must) return false;
    if (!put) std::this_thread::sleep_for(scan_interval);  // until somebody has given memory back
  }
  if (!scanning_.load()) start_scanning();
  return true;
}

/// Under mutex_. False: no memory.
WINSVC_INLINE bool thread_pool::enqueue(void* user_data) noexcept {
  try {
    queue_.push_back(user_data);
    return true;
  } catch (const std::bad_alloc&) {
    return false;
  }
}

/// Under mutex_: somebody for what waits.
WINSVC_INLINE void thread_pool::ensure_blocking_threads() {
  if (queue_.empty()) return;
  if (idle_count_ > 0) work_available_.notify_one();
  else if (thread_count_ < limits_.min_threads || thread_count_ == io_count_) start_thread(false);
}
/// Under mutex_: somebody who stands in front.
WINSVC_INLINE void thread_pool::ensure_io_threads() {
  if (stopping_ || io_count_ >= limits_.io_threads) return;
  if (idle_count_ > 0) work_available_.notify_one();
  else start_thread(true);
}

/// Under mutex_: it is going to be long where it is. What it has not begun goes to the back.
WINSVC_INLINE void thread_pool::offload_batch(pool_thread& m) {
  if (!m.is_io.exchange(false)) return;
  --io_count_;
  while (void* const user_data = next_in_batch(m)) {
    if (!source_.claim(user_data)) continue;
    while (!enqueue(user_data)) std::this_thread::sleep_for(scan_interval);
  }
  ensure_io_threads();
  ensure_blocking_threads();
}

WINSVC_INLINE void thread_pool::begin_blocking() {
  pool_thread& m = *current_thread();
  const std::lock_guard lock(mutex_);
  --thread_count_;
  ++blocked_count_;
  offload_batch(m);
  ensure_blocking_threads();
}

WINSVC_INLINE void thread_pool::end_blocking() {
  const std::lock_guard lock(mutex_);
  --blocked_count_;
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
  constexpr int enough = 10;  // ticks without anything to see
  for (int quiet = 0;;) {
    const auto now = std::chrono::steady_clock::now();
    auto next = source_.run_timers(now);
    if (scanning_.load()) {
      quiet = scan_threads() ? 0 : quiet + 1;
      if (quiet >= enough) {
        scanning_.store(false);
        if (scan_threads()) scanning_.store(true);  // it began just now, and whoever began saw us watching
        quiet = 0;
      }
      if (scanning_.load()) next = (std::min)(next, now + scan_interval);
    }
    std::unique_lock lock(monitor_mutex_);
    const auto called = [this] { return wake_requested_ || monitor_stopping_; };
    if (next == (time_point::max)()) monitor_wakeup_.wait(lock, called);
    else monitor_wakeup_.wait_until(lock, next, called);
    wake_requested_ = false;
    if (monitor_stopping_) return;
  }
}

/// Is there anything to watch?
WINSVC_INLINE bool thread_pool::scan_threads() {
  bool busy = false;
  const std::lock_guard lock(mutex_);
  for (auto& m : threads_) {
    if (!m.is_io.load(std::memory_order_relaxed)) continue;
    const auto turns = m.sequence.load();
    const bool moved = turns != std::exchange(m.last_sequence, turns);
    busy = busy || moved || turns % 2 == 1;
    m.unchanged_scans = moved || turns % 2 == 0 ? 0 : m.unchanged_scans + 1;
    if (m.unchanged_scans == 0) continue;
    // One that only waits for a processor gains nothing by another who wants one too; one that has computed for long does.
    const bool asleep = os::is_thread_blocked(m.os_thread_id).value_or(m.unchanged_scans > 1);
    if (!asleep && m.unchanged_scans < 5) continue;
    source_.on_slow(m.current_item.load(std::memory_order_acquire));
    offload_batch(m);
  }
  if (!queue_.empty()) {
    busy = true;
    // Nobody took anything since the last look: all are in handlers. If those block, one more is of use; if they compute,
    // he would only take their time.
    if (idle_count_ > 0) work_available_.notify_one();
    else if (dequeued_count_ == dequeued_at_last_scan_ && thread_count_ < limits_.max_threads && !is_cpu_bound()) start_thread(false);
  }
  dequeued_at_last_scan_ = dequeued_count_;
  return busy;
}

/// Under mutex_: are the processors busy with those at the back?
WINSVC_INLINE bool thread_pool::is_cpu_bound() const {
  std::size_t awake = 0;
  for (const auto& m : threads_) {
    if (m.is_io.load(std::memory_order_relaxed) || m.sequence.load() % 2 == 0) continue;
    if (!os::is_thread_blocked(m.os_thread_id).value_or(true) && ++awake >= (std::max)(limits_.io_threads, std::size_t{1})) return true;
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
  for (auto& m : threads_) {
    if (m.thread.joinable()) m.thread.join();
  }
  threads_.clear();
}

WINSVC_INLINE void thread_pool::abandon() {
  stop_monitor();
  const std::lock_guard lock(mutex_);
  stopping_ = true;
  for (auto& m : threads_) {
    if (m.thread.joinable()) m.thread.detach();
  }
}

}  // namespace http
}  // inline namespace WINSVC_ABI
}  // namespace winsvc

#endif  // WINSVC_BODIES_HTTP
