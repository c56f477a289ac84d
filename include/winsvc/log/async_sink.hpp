// async_sink: a log sink with a bounded queue and a thread in front of other sinks. A thread that logs adds an entry to
// the queue and does not wait for the disk.
//
//   auto queue = std::make_shared<async_sink>();
//   queue->add_sink(std::make_shared<log::rotating_file_sink>(path));
//   log.add_sink(queue);
//
// When the queue is full, entries are lost and counted (base/lost_lines.hpp); a WARN entry in their place reports their
// number and times. The order of entries never changes. `flush` waits until all earlier entries are written. The
// destructor writes the queued entries and waits for the sinks without a time limit. If the process is killed, the
// queued entries are lost. These are the entries of the last `batch_delay` if the sinks are fast enough.
#pragma once

#include <algorithm>
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "winsvc/base/attempt.hpp"
#include "winsvc/base/clock.hpp"
#include "winsvc/base/log.hpp"
#include "winsvc/config/abi.hpp"
#include "winsvc/os/native.hpp"

namespace winsvc {
inline namespace WINSVC_ABI {
namespace detail::log {

class async_sink final : public log_sink {
 public:
  struct async_sink_options {
    std::size_t max_entries = 8192;           ///< queued entries; as many again may be in the batch being written
    std::size_t max_bytes = 8 * 1024 * 1024;  ///< text of the queued entries. A single entry may be longer
    /// Time that the thread waits after the first entry, to write more entries in one batch. Without it, a program that
    /// logs 100,000 entries per second would spend its time in system calls, with one wakeup and one write for each.
    std::chrono::milliseconds batch_delay{5};
    std::chrono::milliseconds flush_timeout{5'000};  ///< longest wait of `flush`
    /// Returns the UTC offset for times in the entry about lost entries. Default: UTC.
    std::function<std::chrono::minutes(clock::system_time)> utc_offset;
    /// Starts the thread. Default: std::thread. If it throws, there is no thread and no queue: the thread that logs
    /// writes to the sinks. It waits at most 1 s for another thread that does the same.
    std::function<std::thread(std::function<void()>)> start_thread;
    const clock* time = &clock::system();  ///< for the timeouts
  };
  explicit async_sink(async_sink_options options);
  async_sink() : async_sink(async_sink_options{}) {}
  ~async_sink() override;
  async_sink(const async_sink&) = delete;
  async_sink& operator=(const async_sink&) = delete;

  /// Adds a sink, which receives the queued and all later entries. Without a sink, entries stay in the queue.
  void add_sink(std::shared_ptr<log_sink> sink);

  void write(const log_entry& entry) noexcept override;
  /// Waits until all earlier entries are written and the sinks are flushed, at most `flush_timeout`. Also works after a
  /// crash, from another thread, even if the crashed thread holds a lock. Does nothing when called from a sink of this
  /// queue.
  void flush() noexcept override { flush(options_.flush_timeout); }
  /// The same with another timeout.
  void flush(std::chrono::milliseconds timeout) noexcept;
  [[nodiscard]] bool has_concurrent_flush() const noexcept override { return true; }
  /// True if a flush was requested and has not completed, for example after a timeout. The destructor waits for it.
  [[nodiscard]] bool is_flush_overdue() {
    const std::lock_guard lock(mutex_);
    return flush_requested_ != flush_done_.load(std::memory_order_relaxed);
  }

  /// Number of lost entries since construction.
  [[nodiscard]] std::uint64_t lost_count() const noexcept { return lost_.total(); }

 private:
  using sinks = std::vector<std::shared_ptr<log_sink>>;
  bool enqueue(const log_entry& entry);
  static void recycle(std::vector<log_entry>& batch, std::vector<log_entry>& reusable) noexcept;
  void count_lost(clock::system_time time) noexcept;
  void report_lost(clock::system_time time) noexcept;
  bool is_near_capacity() const noexcept;
  void thread_main() noexcept;
  log_entry lost_lines_entry(const base::lost_lines& lost) const;
  bool try_lock_for(std::unique_lock<std::mutex>& lock, std::chrono::milliseconds timeout) const noexcept;

  async_sink_options options_;
  base::lost_line_counter lost_;
  std::mutex mutex_;  // held to copy an entry or to swap; during a call of a sink only if there is no thread
  std::condition_variable wakeup_;
  std::vector<log_entry> queue_;
  std::vector<log_entry> unused_;  // written entries, whose memory is used again
  std::size_t bytes_ = 0;
  base::lost_lines unreported_lost_;  // since the thread last took the queue; under mutex_
  std::shared_ptr<const sinks> sinks_ = std::make_shared<const sinks>();
  std::uint64_t flush_requested_ = 0;
  bool is_idle_ = false;  // the thread waits for a first entry, and must be woken for it
  bool stopping_ = false;
  bool synchronous_ = false;  // there is no thread
  // Written only by the thread, and read without the lock, because a crashed thread may hold the lock while another
  // waits in `flush`. Release and acquire: the work of the sinks happens before `flush` returns.
  std::atomic<std::uint64_t> flush_done_{0};
  std::thread thread_;  // the last member: it uses the others
};

}  // namespace detail::log
}  // inline namespace WINSVC_ABI
}  // namespace winsvc

// ---------------------------------------------------------------------------------------------------------------------

#if WINSVC_BODIES_LOG

namespace winsvc {
inline namespace WINSVC_ABI {
namespace detail::log {

WINSVC_INLINE async_sink::async_sink(async_sink_options options) : options_(std::move(options)) {
  try {
    thread_ = options_.start_thread ? options_.start_thread([this] { thread_main(); })
                                    : os::start_thread([this] { thread_main(); });
  } catch (...) {  // too many threads, or out of memory: a slow log is better than no log
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

/// The mutex is held for less than a microsecond, or forever if its holder has crashed. It is not a std::timed_mutex:
/// std::condition_variable_any, which accepts one, has an internal mutex that a crashed thread could hold too.
WINSVC_INLINE bool async_sink::try_lock_for(std::unique_lock<std::mutex>& lock,
                                            std::chrono::milliseconds timeout) const noexcept {
  for (int i = 0; i < 100; ++i) {
    if (lock.try_lock()) return true;
    std::this_thread::yield();
  }
  for (const auto deadline = options_.time->now() + timeout; options_.time->now() < deadline;) {
    if (lock.try_lock()) return true;
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
  return false;
}

WINSVC_INLINE void async_sink::add_sink(std::shared_ptr<log_sink> sink) {
  {
    const std::lock_guard lock(mutex_);
    sinks added = *sinks_;
    added.push_back(std::move(sink));
    auto all = std::make_shared<const sinks>(std::move(added));
    if (synchronous_ && sinks_->empty()) {
      if (!unreported_lost_.empty()) queue_.push_back(lost_lines_entry(unreported_lost_));
      all->front()->write_batch(queue_);
      queue_.clear();
      bytes_ = 0;
      unreported_lost_ = {};
    }
    sinks_ = std::move(all);
  }
  wakeup_.notify_one();
}

WINSVC_INLINE void async_sink::write(const log_entry& entry) noexcept {
  bool wake = false;
  try {
    wake = enqueue(entry);
  } catch (...) {  // out of memory
    lost_.add_unreported();
  }
  if (wake) wakeup_.notify_one();  // without the lock, for which the thread would otherwise wait
}

/// Adds an entry to the queue. Returns true if the caller must wake the thread.
WINSVC_INLINE bool async_sink::enqueue(const log_entry& entry) {
  std::unique_lock lock(mutex_, std::defer_lock);
  if (!try_lock_for(lock, (std::min)(options_.flush_timeout, std::chrono::milliseconds(1'000)))) {
    lost_.add_unreported();
    return false;
  }
  if (synchronous_ && !sinks_->empty()) {
    if (lost_.has_unreported()) report_lost(entry.time);
    for (const auto& sink : *sinks_) sink->write(entry);
    return false;
  }
  const std::size_t size = entry.text.size() + entry.json_fields.size();
  const bool full = queue_.size() >= options_.max_entries || (!queue_.empty() && bytes_ + size > options_.max_bytes);
  // After the first lost entry, all entries are lost until the thread takes the queue. Then the WARN entry is at
  // the right place in the order.
  if (full || !unreported_lost_.empty()) {
    count_lost(entry.time);
    return false;
  }
  const bool was_near_capacity = is_near_capacity();
  if (unused_.empty()) {
    queue_.push_back(entry);
  } else {
    unused_.back() = entry;
    queue_.push_back(std::move(unused_.back()));
    unused_.pop_back();
  }
  bytes_ += size;
  const bool wake = is_idle_ || (is_near_capacity() && !was_near_capacity);
  is_idle_ = false;
  return wake;
}

/// Moves written entries to `reusable` for later ones, so that a thread that logs does not allocate. Called without the
/// lock, because it destroys the other entries.
WINSVC_INLINE void async_sink::recycle(std::vector<log_entry>& batch, std::vector<log_entry>& reusable) noexcept {
  constexpr std::size_t max_unused = 1024, max_bytes = 1024;
  for (auto& entry : batch) {
    if (reusable.size() == max_unused) break;
    if (entry.text.capacity() + entry.json_fields.capacity() > max_bytes) continue;
    try {
      reusable.push_back(std::move(entry));
    } catch (const std::exception&) {  // out of memory
      break;
    }
  }
  batch.clear();
}

WINSVC_INLINE void async_sink::count_lost(clock::system_time time) noexcept {
  unreported_lost_.add(time);
  lost_.add();
}

/// Reports lost entries if there is no thread.
WINSVC_INLINE void async_sink::report_lost(clock::system_time time) noexcept {
  base::lost_lines lost;
  lost.add(lost_.take_unreported(), time, time);
  const bool is_reported = base::attempt([&] {
    const log_entry entry = lost_lines_entry(lost);
    for (const auto& sink : *sinks_) sink->write(entry);
  });
  if (!is_reported) lost_.return_unreported(lost.count);  // out of memory: the next entry reports them
}

/// True if the thread must write now and not wait for more entries. Requires the lock.
WINSVC_INLINE bool async_sink::is_near_capacity() const noexcept {
  return stopping_ || flush_requested_ != flush_done_.load(std::memory_order_relaxed) ||
         queue_.size() >= options_.max_entries / 2 || bytes_ >= options_.max_bytes / 2;
}

WINSVC_INLINE log_entry async_sink::lost_lines_entry(const base::lost_lines& lost) const {
  const auto format = [this](clock::system_time time) {
    return options_.utc_offset ? local_time(time, options_.utc_offset(time)) : iso_time(time);
  };
  return {lost.last_time, log_level::warn, lost.text("they were logged faster than they could be written", format),
          lost.json_field()};
}

WINSVC_INLINE void async_sink::thread_main() noexcept {
  std::vector<log_entry> batch, reusable;
  for (;;) {
    recycle(batch, reusable);
    std::unique_lock lock(mutex_);
    if (unused_.size() < reusable.size()) unused_.swap(reusable);
    is_idle_ = true;
    wakeup_.wait(lock, [this] {
      return stopping_ || (!sinks_->empty() && (!queue_.empty() || flush_requested_ != flush_done_));
    });
    is_idle_ = false;
    wakeup_.wait_for(lock, options_.batch_delay, [this] { return is_near_capacity(); });

    batch.swap(queue_);
    bytes_ = 0;
    base::lost_lines lost = std::exchange(unreported_lost_, {});
    const std::uint64_t requested = flush_requested_;
    const auto sinks_now = sinks_;
    const bool last = stopping_;  // the last batch: no thread may write to a sink that is being destroyed
    lock.unlock();

    if (const auto count = lost_.take_unreported(); count != 0) {
      if (lost.empty() && !batch.empty()) lost.add(count, batch.back().time, batch.back().time);
      else lost.add(count);
    }
    if (!lost.empty()) {
      try {
        batch.push_back(lost_lines_entry(lost));
      } catch (...) {  // out of memory: reported with the next batch
        lost_.return_unreported(lost.count);
      }
    }
    for (const auto& sink : *sinks_now) {
      if (!batch.empty()) sink->write_batch(batch);
      if (last || requested != flush_done_) sink->flush();
    }
    flush_done_.store(requested, std::memory_order_release);
    if (last) return;
  }
}

WINSVC_INLINE void async_sink::flush(std::chrono::milliseconds timeout) noexcept {
  if (std::this_thread::get_id() == thread_.get_id()) return;
  const auto deadline = options_.time->now() + timeout;
  std::unique_lock lock(mutex_, std::defer_lock);
  if (!try_lock_for(lock, timeout) || sinks_->empty()) return;
  if (synchronous_) {
    for (const auto& sink : *sinks_) sink->flush();
    return;
  }
  const std::uint64_t number = ++flush_requested_;
  lock.unlock();
  wakeup_.notify_one();
  while (flush_done_.load(std::memory_order_acquire) < number && options_.time->now() < deadline) {
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
}

}  // namespace detail::log
}  // inline namespace WINSVC_ABI
}  // namespace winsvc

#endif  // WINSVC_BODIES_LOG
