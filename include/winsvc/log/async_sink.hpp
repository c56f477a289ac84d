// A queue before the sinks of a log, and a thread that empties it: whoever logs leaves a line there and goes on,
// however slow the disk is.
//
//   auto queue = std::make_shared<async_sink>();
//   queue->add_sink(std::make_shared<host::rotating_file_sink>(path));
//   log.add_sink(queue);
//
// The queue is bounded. When it is full, lines are dropped and counted, never waited for; a WARN line in their place
// says how many there were and when. Lines are never reordered. `flush` waits until all that was logged before it has
// been written; the destructor writes what is left, and waits for as long as the sinks take. What is queued when the
// process is killed is gone: the lines of the last `batch_delay`, where the sinks keep up.
#pragma once

#include <algorithm>
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "winsvc/base/clock.hpp"
#include "winsvc/base/log.hpp"
#include "winsvc/config/abi.hpp"

namespace winsvc {
inline namespace WINSVC_ABI {

class async_sink final : public log_sink {
 public:
  struct async_sink_options {
    std::size_t max_entries = 8192;           ///< that may wait; as many again are being written at times
    std::size_t max_bytes = 8 * 1024 * 1024;  ///< of their texts. One entry may wait alone however long it is
    /// How long the thread leaves the first line alone, so that the next ones come along: with a wake and a write for
    /// each, those who log 100,000 lines a second would spend their time in the kernel.
    std::chrono::milliseconds batch_delay{5};
    std::chrono::milliseconds flush_timeout{5'000};  ///< of `flush`
    /// For the times in what it says of dropped lines; none: UTC.
    std::function<std::chrono::minutes(clock::system_time)> utc_offset;
    /// How the thread is started; none: std::thread. When it throws, there is no thread and no queue: lines go to the
    /// sinks at once, and whoever logs waits for them, up to a second.
    std::function<std::thread(std::function<void()>)> start_thread;
  };
  explicit async_sink(async_sink_options options);
  async_sink() : async_sink(async_sink_options{}) {}
  ~async_sink() override;
  async_sink(const async_sink&) = delete;
  async_sink& operator=(const async_sink&) = delete;

  /// It gets what is not yet written, and all that follows. Until there is one, lines wait in the queue.
  void add_sink(std::shared_ptr<log_sink> sink);

  void write(const log_entry& entry) noexcept override;
  /// Waits until all that was written before it is with the sinks and they are flushed; `flush_timeout` at most. Also after
  /// a crash, from another thread, whatever the crashed one held. In a sink of this queue it does nothing.
  void flush() noexcept override;
  [[nodiscard]] bool has_concurrent_flush() const noexcept override { return true; }
  /// Was a flush given up, and has it not been made good since? The destructor would wait for it.
  [[nodiscard]] bool is_flush_overdue() {
    const std::lock_guard lock(mutex_);
    return flush_requested_ != flush_done_.load(std::memory_order_relaxed);
  }

  /// Lines that were dropped, since the beginning.
  [[nodiscard]] std::uint64_t dropped_count() const noexcept { return dropped_total_.load(std::memory_order_relaxed); }

 private:
  using sinks = std::vector<std::shared_ptr<log_sink>>;
  /// What did not fit since the thread last took the queue.
  struct lost_lines {
    std::uint64_t count = 0;
    clock::system_time first_time{}, last_time{};
  };

  bool enqueue(log_entry& entry);
  void count_dropped(clock::system_time time) noexcept;
  bool is_near_capacity() const noexcept;
  void thread_main() noexcept;
  log_entry lost_lines_entry(const lost_lines& lost) const;
  static bool try_lock_for(std::unique_lock<std::mutex>& lock, std::chrono::milliseconds timeout) noexcept;

  async_sink_options options_;
  std::atomic<std::uint64_t> dropped_total_{0};
  std::atomic<std::uint64_t> dropped_without_lock_{0};  // dropped without the lock: no memory, or the lock could not be had
  std::mutex mutex_;                       // held for a push or a swap; for a sink's call only where there is no thread
  std::condition_variable wakeup_;
  std::vector<log_entry> queue_;
  std::size_t bytes_ = 0;
  lost_lines unreported_losses_;
  std::shared_ptr<const sinks> sinks_ = std::make_shared<const sinks>();
  std::uint64_t flush_requested_ = 0;
  bool is_idle_ = false;  // the thread waits for a first line: who brings one must wake it
  bool stopping_ = false;
  bool synchronous_ = false;  // there is no thread
  // Written by the thread alone, and read without the lock: who waits in `flush` must not need one that a crashed
  // thread may hold. The release orders what the sinks did before it.
  std::atomic<std::uint64_t> flush_done_{0};
  std::thread thread_;  // last: it uses all of the above
};

}  // inline namespace WINSVC_ABI
}  // namespace winsvc

// ---------------------------------------------------------------------------------------------------------------------

#if WINSVC_BODIES_BASE

namespace winsvc {
inline namespace WINSVC_ABI {

WINSVC_INLINE async_sink::async_sink(async_sink_options options) : options_(std::move(options)) {
  try {
    thread_ = options_.start_thread ? options_.start_thread([this] { thread_main(); }) : std::thread([this] { thread_main(); });
  } catch (...) {  // too many threads, or no memory for one: a slow log is better than none
    synchronous_ = true;
  }
}

WINSVC_INLINE async_sink::~async_sink() {
  if (!thread_.joinable()) return;
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  wakeup_.notify_one();
  thread_.join();
}

/// A mutex is locked here for less than a microsecond, unless its holder has crashed: then it is locked for ever. Not a
/// std::timed_mutex, because no condition variable takes one without a mutex of its own, which could be held as well.
WINSVC_INLINE bool async_sink::try_lock_for(std::unique_lock<std::mutex>& lock, std::chrono::milliseconds timeout) noexcept {
  for (int i = 0; i < 100; ++i) {
    if (lock.try_lock()) return true;
    std::this_thread::yield();
  }
  for (const auto deadline = std::chrono::steady_clock::now() + timeout; std::chrono::steady_clock::now() < deadline;) {
    if (lock.try_lock()) return true;
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
  return false;
}

WINSVC_INLINE void async_sink::add_sink(std::shared_ptr<log_sink> sink) {
  {
    const std::lock_guard lock(mutex_);
    if (synchronous_ && sinks_->empty()) {
      sink->write_batch(queue_);
      queue_.clear();
    }
    sinks all = *sinks_;
    all.push_back(std::move(sink));
    sinks_ = std::make_shared<const sinks>(std::move(all));
  }
  wakeup_.notify_one();
}

WINSVC_INLINE void async_sink::write(const log_entry& entry) noexcept {
  bool wake = false;
  try {
    log_entry own(entry);
    wake = enqueue(own);
  } catch (...) {  // out of memory
    dropped_without_lock_.fetch_add(1, std::memory_order_relaxed);
    dropped_total_.fetch_add(1, std::memory_order_relaxed);
  }
  if (wake) wakeup_.notify_one();  // without the lock, which the woken would only wait for
}

/// Puts it into the queue. Must the thread be woken?
WINSVC_INLINE bool async_sink::enqueue(log_entry& entry) {
  std::unique_lock lock(mutex_, std::defer_lock);
  if (!try_lock_for(lock, (std::min)(options_.flush_timeout, std::chrono::milliseconds(1'000)))) {
    dropped_without_lock_.fetch_add(1, std::memory_order_relaxed);
    dropped_total_.fetch_add(1, std::memory_order_relaxed);
    return false;
  }
  if (synchronous_ && !sinks_->empty()) {
    lost_lines lost{dropped_without_lock_.exchange(0, std::memory_order_relaxed), entry.time, entry.time};
    for (const auto& sink : *sinks_) {
      if (lost.count != 0) sink->write(lost_lines_entry(lost));
      sink->write(entry);
    }
    return false;
  }
  const std::size_t size = entry.text.size() + entry.json_fields.size();
  const bool full = queue_.size() >= options_.max_entries || (!queue_.empty() && bytes_ + size > options_.max_bytes);
  // Once one was dropped all are, until the thread takes the queue: the line that says so stands where they were.
  if (full || unreported_losses_.count != 0) {
    count_dropped(entry.time);
    return false;
  }
  const bool was_shortened = is_near_capacity();
  queue_.push_back(std::move(entry));
  bytes_ += size;
  const bool wake = is_idle_ || (is_near_capacity() && !was_shortened);
  is_idle_ = false;
  return wake;
}

WINSVC_INLINE void async_sink::count_dropped(clock::system_time time) noexcept {
  if (unreported_losses_.count++ == 0) unreported_losses_.first_time = time;
  unreported_losses_.last_time = time;
  dropped_total_.fetch_add(1, std::memory_order_relaxed);
}

/// Is there a reason not to wait for more?
WINSVC_INLINE bool async_sink::is_near_capacity() const noexcept {
  return stopping_ || flush_requested_ != flush_done_.load(std::memory_order_relaxed) ||
         queue_.size() >= options_.max_entries / 2 || bytes_ >= options_.max_bytes / 2;
}

WINSVC_INLINE log_entry async_sink::lost_lines_entry(const lost_lines& lost) const {
  const auto at = [this](clock::system_time time) {
    return options_.utc_offset ? local_time(time, options_.utc_offset(time)) : iso_time(time);
  };
  const std::string count = std::to_string(lost.count);
  return {lost.last_time, log_level::warn,
          count + (lost.count == 1 ? " line was" : " lines were") + " dropped between " + at(lost.first_time) + " and " +
              at(lost.last_time) + ": they came faster than they could be written",
          "\"dropped\":" + count};
}

WINSVC_INLINE void async_sink::thread_main() noexcept {
  std::vector<log_entry> batch;
  for (;;) {
    std::unique_lock lock(mutex_);
    is_idle_ = true;
    wakeup_.wait(lock, [this] {
      return stopping_ || (!sinks_->empty() && (!queue_.empty() || flush_requested_ != flush_done_));
    });
    is_idle_ = false;
    wakeup_.wait_for(lock, options_.batch_delay, [this] { return is_near_capacity(); });

    batch.swap(queue_);
    bytes_ = 0;
    lost_lines lost = std::exchange(unreported_losses_, {});
    const std::uint64_t requested = flush_requested_;
    const auto sinks_now = sinks_;
    const bool last = stopping_;  // nobody may write to what is being destroyed: there is nothing after it
    lock.unlock();

    if (const auto refused = dropped_without_lock_.exchange(0, std::memory_order_relaxed); refused != 0) {
      if (lost.count == 0) lost.first_time = lost.last_time = batch.empty() ? clock::system_time{} : batch.back().time;
      lost.count += refused;
    }
    if (lost.count != 0) {
      try {
        batch.push_back(lost_lines_entry(lost));
      } catch (...) {  // out of memory: said the next time
        dropped_without_lock_.fetch_add(lost.count, std::memory_order_relaxed);
      }
    }
    for (const auto& sink : *sinks_now) {
      if (!batch.empty()) sink->write_batch(batch);
      if (last || requested != flush_done_) sink->flush();
    }
    batch.clear();
    flush_done_.store(requested, std::memory_order_release);
    if (last) return;
  }
}

WINSVC_INLINE void async_sink::flush() noexcept {
  if (std::this_thread::get_id() == thread_.get_id()) return;
  const auto deadline = std::chrono::steady_clock::now() + options_.flush_timeout;
  std::unique_lock lock(mutex_, std::defer_lock);
  if (!try_lock_for(lock, options_.flush_timeout) || sinks_->empty()) return;
  if (synchronous_) {
    for (const auto& sink : *sinks_) sink->flush();
    return;
  }
  const std::uint64_t own = ++flush_requested_;
  lock.unlock();
  wakeup_.notify_one();
  while (flush_done_.load(std::memory_order_acquire) < own && std::chrono::steady_clock::now() < deadline) {
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
}

}  // inline namespace WINSVC_ABI
}  // namespace winsvc

#endif  // WINSVC_BODIES_BASE
