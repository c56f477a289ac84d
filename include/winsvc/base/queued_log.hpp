// A queue before the sinks of a log, and a thread that empties it: whoever logs leaves a line there and goes on,
// however slow the disk is.
//
//   auto queue = std::make_shared<queued_log>();
//   queue->add_sink(std::make_shared<host::file_log>(path));
//   log.add_sink(queue);
//
// The queue is bounded. When it is full, lines are dropped and counted, never waited for; a WARN line in their place
// says how many there were and when. Lines are never reordered. `flush` waits until all that was logged before it has
// been written; the destructor writes what is left, and waits for as long as the sinks take. What is queued when the
// process is killed is gone: the lines of the last `linger`, where the sinks keep up.
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

class queued_log final : public log_sink {
 public:
  struct settings {
    std::size_t entries = 8192;           ///< that may wait; as many again are being written at times
    std::size_t bytes = 8 * 1024 * 1024;  ///< of their texts. One entry may wait alone however long it is
    /// How long the thread leaves the first line alone, so that the next ones come along: with a wake and a write for
    /// each, those who log 100,000 lines a second would spend their time in the kernel.
    std::chrono::milliseconds linger{5};
    std::chrono::milliseconds patience{5'000};  ///< of `flush`
    /// For the times in what it says of dropped lines; none: UTC.
    std::function<std::chrono::minutes(clock::wall_point)> offset;
    /// How the thread is started; none: std::thread. When it throws, there is no thread and no queue: lines go to the
    /// sinks at once, and whoever logs waits for them, up to a second.
    std::function<std::thread(std::function<void()>)> start;
  };
  explicit queued_log(settings how);
  queued_log() : queued_log(settings{}) {}
  ~queued_log() override;
  queued_log(const queued_log&) = delete;
  queued_log& operator=(const queued_log&) = delete;

  /// It gets what is not yet written, and all that follows. Until there is one, lines wait in the queue.
  void add_sink(std::shared_ptr<log_sink> sink);

  void write(const log_entry& entry) noexcept override;
  /// Waits until all that was written before it is with the sinks and they are flushed; `patience` at most. Also after
  /// a crash, from another thread, whatever the crashed one held. In a sink of this queue it does nothing.
  void flush() noexcept override;
  [[nodiscard]] bool concurrent() const noexcept override { return true; }
  /// Was a flush given up, and has it not been made good since? The destructor would wait for it.
  [[nodiscard]] bool is_behind() {
    const std::lock_guard lock(mutex_);
    return flush_asked_ != flush_done_.load(std::memory_order_relaxed);
  }

  /// Lines that were dropped, since the beginning.
  [[nodiscard]] std::uint64_t dropped() const noexcept { return dropped_in_all_.load(std::memory_order_relaxed); }

 private:
  using sinks = std::vector<std::shared_ptr<log_sink>>;
  /// What did not fit since the thread last took the queue.
  struct losses {
    std::uint64_t lines = 0;
    clock::wall_point first{}, last{};
  };

  bool take(log_entry& entry);
  void drop(clock::wall_point when) noexcept;
  bool hurried() const noexcept;
  void work() noexcept;
  log_entry told(const losses& lost) const;
  static bool lock_within(std::unique_lock<std::mutex>& lock, std::chrono::milliseconds patience) noexcept;

  settings how_;
  std::atomic<std::uint64_t> dropped_in_all_{0};
  std::atomic<std::uint64_t> refused_{0};  // dropped without the lock: no memory, or the lock could not be had
  std::mutex mutex_;                       // held for a push or a swap; for a sink's call only where there is no thread
  std::condition_variable wake_;
  std::vector<log_entry> queue_;
  std::size_t bytes_ = 0;
  losses lost_;
  std::shared_ptr<const sinks> sinks_ = std::make_shared<const sinks>();
  std::uint64_t flush_asked_ = 0;
  bool asleep_ = false;  // the thread waits for a first line: who brings one must wake it
  bool ending_ = false;
  bool direct_ = false;  // there is no thread
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

WINSVC_INLINE queued_log::queued_log(settings how) : how_(std::move(how)) {
  try {
    thread_ = how_.start ? how_.start([this] { work(); }) : std::thread([this] { work(); });
  } catch (...) {  // too many threads, or no memory for one: a slow log is better than none
    direct_ = true;
  }
}

WINSVC_INLINE queued_log::~queued_log() {
  if (!thread_.joinable()) return;
  {
    const std::lock_guard lock(mutex_);
    ending_ = true;
  }
  wake_.notify_one();
  thread_.join();
}

/// A mutex is locked here for less than a microsecond, unless its holder has crashed: then it is locked for ever. Not a
/// std::timed_mutex, because no condition variable takes one without a mutex of its own, which could be held as well.
WINSVC_INLINE bool queued_log::lock_within(std::unique_lock<std::mutex>& lock, std::chrono::milliseconds patience) noexcept {
  for (int i = 0; i < 100; ++i) {
    if (lock.try_lock()) return true;
    std::this_thread::yield();
  }
  for (const auto until = std::chrono::steady_clock::now() + patience; std::chrono::steady_clock::now() < until;) {
    if (lock.try_lock()) return true;
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
  return false;
}

WINSVC_INLINE void queued_log::add_sink(std::shared_ptr<log_sink> sink) {
  {
    const std::lock_guard lock(mutex_);
    if (direct_ && sinks_->empty()) {
      sink->write_batch(queue_);
      queue_.clear();
    }
    sinks all = *sinks_;
    all.push_back(std::move(sink));
    sinks_ = std::make_shared<const sinks>(std::move(all));
  }
  wake_.notify_one();
}

WINSVC_INLINE void queued_log::write(const log_entry& entry) noexcept {
  bool wake = false;
  try {
    log_entry mine(entry);
    wake = take(mine);
  } catch (...) {  // out of memory
    refused_.fetch_add(1, std::memory_order_relaxed);
    dropped_in_all_.fetch_add(1, std::memory_order_relaxed);
  }
  if (wake) wake_.notify_one();  // without the lock, which the woken would only wait for
}

/// Puts it into the queue. Must the thread be woken?
WINSVC_INLINE bool queued_log::take(log_entry& entry) {
  std::unique_lock lock(mutex_, std::defer_lock);
  if (!lock_within(lock, (std::min)(how_.patience, std::chrono::milliseconds(1'000)))) {
    refused_.fetch_add(1, std::memory_order_relaxed);
    dropped_in_all_.fetch_add(1, std::memory_order_relaxed);
    return false;
  }
  if (direct_ && !sinks_->empty()) {
    losses lost{refused_.exchange(0, std::memory_order_relaxed), entry.when, entry.when};
    for (const auto& sink : *sinks_) {
      if (lost.lines != 0) sink->write(told(lost));
      sink->write(entry);
    }
    return false;
  }
  const std::size_t size = entry.text.size() + entry.members.size();
  const bool full = queue_.size() >= how_.entries || (!queue_.empty() && bytes_ + size > how_.bytes);
  // Once one was dropped all are, until the thread takes the queue: the line that says so stands where they were.
  if (full || lost_.lines != 0) {
    drop(entry.when);
    return false;
  }
  const bool was_hurried = hurried();
  queue_.push_back(std::move(entry));
  bytes_ += size;
  const bool wake = asleep_ || (hurried() && !was_hurried);
  asleep_ = false;
  return wake;
}

WINSVC_INLINE void queued_log::drop(clock::wall_point when) noexcept {
  if (lost_.lines++ == 0) lost_.first = when;
  lost_.last = when;
  dropped_in_all_.fetch_add(1, std::memory_order_relaxed);
}

/// Is there a reason not to wait for more?
WINSVC_INLINE bool queued_log::hurried() const noexcept {
  return ending_ || flush_asked_ != flush_done_.load(std::memory_order_relaxed) ||
         queue_.size() >= how_.entries / 2 || bytes_ >= how_.bytes / 2;
}

WINSVC_INLINE log_entry queued_log::told(const losses& lost) const {
  const auto at = [this](clock::wall_point when) {
    return how_.offset ? local_time(when, how_.offset(when)) : iso_time(when);
  };
  const std::string count = std::to_string(lost.lines);
  return {lost.last, log_level::warn,
          count + (lost.lines == 1 ? " line was" : " lines were") + " dropped between " + at(lost.first) + " and " +
              at(lost.last) + ": they came faster than they could be written",
          "\"dropped\":" + count};
}

WINSVC_INLINE void queued_log::work() noexcept {
  std::vector<log_entry> batch;
  for (;;) {
    std::unique_lock lock(mutex_);
    asleep_ = true;
    wake_.wait(lock, [this] {
      return ending_ || (!sinks_->empty() && (!queue_.empty() || flush_asked_ != flush_done_));
    });
    asleep_ = false;
    wake_.wait_for(lock, how_.linger, [this] { return hurried(); });

    batch.swap(queue_);
    bytes_ = 0;
    losses lost = std::exchange(lost_, {});
    const std::uint64_t asked = flush_asked_;
    const auto sinks_now = sinks_;
    const bool last = ending_;  // nobody may write to what is being destroyed: there is nothing after it
    lock.unlock();

    if (const auto refused = refused_.exchange(0, std::memory_order_relaxed); refused != 0) {
      if (lost.lines == 0) lost.first = lost.last = batch.empty() ? clock::wall_point{} : batch.back().when;
      lost.lines += refused;
    }
    if (lost.lines != 0) {
      try {
        batch.push_back(told(lost));
      } catch (...) {  // out of memory: said the next time
        refused_.fetch_add(lost.lines, std::memory_order_relaxed);
      }
    }
    for (const auto& sink : *sinks_now) {
      if (!batch.empty()) sink->write_batch(batch);
      if (last || asked != flush_done_) sink->flush();
    }
    batch.clear();
    flush_done_.store(asked, std::memory_order_release);
    if (last) return;
  }
}

WINSVC_INLINE void queued_log::flush() noexcept {
  if (std::this_thread::get_id() == thread_.get_id()) return;
  const auto until = std::chrono::steady_clock::now() + how_.patience;
  std::unique_lock lock(mutex_, std::defer_lock);
  if (!lock_within(lock, how_.patience) || sinks_->empty()) return;
  if (direct_) {
    for (const auto& sink : *sinks_) sink->flush();
    return;
  }
  const std::uint64_t mine = ++flush_asked_;
  lock.unlock();
  wake_.notify_one();
  while (flush_done_.load(std::memory_order_acquire) < mine && std::chrono::steady_clock::now() < until) {
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
}

}  // inline namespace WINSVC_ABI
}  // namespace winsvc

#endif  // WINSVC_BODIES_BASE
