// A queue in front of sinks that take their time: whoever logs leaves an entry there and goes on, one thread writes.
//
//   auto queue = std::make_shared<queued_log>();
//   queue->to(file);
//   log.add_sink(queue);
//
// The queue has a bound, and a full one costs nobody a wait: what does not fit is counted, and as soon as there is room
// a line says how much is missing, and of which time. While nothing is logged the thread sleeps.
#pragma once

#include <chrono>
#include <condition_variable>
#include <cstddef>
#include <cstdint>
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
  struct bounds {
    std::size_t entries = 16'384;
    std::size_t bytes = 8 * 1024 * 1024;  ///< of their texts
  };
  queued_log() : queued_log(bounds{}) {}
  explicit queued_log(bounds most);
  /// Writes what is there.
  ~queued_log() override;

  /// One more sink, for what comes from here on.
  void to(std::shared_ptr<log_sink> sink);

  void write(const log_entry& entry) noexcept override;
  /// Waits until all that is in the queue has been written, and the sinks are flushed: at most 3 s, for a sink may hang,
  /// and what calls this may be the end of a process that crashed.
  void flush() noexcept override;

  /// Entries that found no room, since the beginning.
  [[nodiscard]] std::uint64_t dropped() const;

 private:
  void work() noexcept;
  void hand_out(const std::vector<log_entry>& batch) noexcept;
  void note_drops();

  /// Between a batch and the next: what comes meanwhile comes without waking anybody, and is one write together.
  static constexpr std::chrono::milliseconds pause{2};

  const bounds most_;
  mutable std::mutex mutex_;
  std::condition_variable something_, written_;
  std::vector<log_entry> queue_;
  std::size_t bytes_ = 0;
  std::uint64_t dropped_ = 0, told_ = 0;             // drops, and those of them that a line has told of
  clock::wall_point first_drop_, last_drop_;         // of those that none has
  std::uint64_t taken_ = 0, done_ = 0;               // batches
  bool sleeps_ = false, hurry_ = false, over_ = false;

  std::mutex sinks_mutex_;  // held while sinks write
  std::vector<std::shared_ptr<log_sink>> sinks_;
  std::thread thread_;  // without one (the system has none), entries are written where they are logged
};

// ---------------------------------------------------------------------------------------------------------------------

inline queued_log::queued_log(bounds most) : most_(most) {
  try {
    thread_ = std::thread([this] { work(); });
  } catch (const std::exception&) {
  }
}

inline queued_log::~queued_log() {
  {
    const std::lock_guard lock(mutex_);
    over_ = true;
    something_.notify_one();
  }
  if (thread_.joinable()) thread_.join();
}

inline void queued_log::to(std::shared_ptr<log_sink> sink) {
  const std::lock_guard lock(sinks_mutex_);
  sinks_.push_back(std::move(sink));
}

inline void queued_log::write(const log_entry& entry) noexcept {
  if (!thread_.joinable()) return hand_out({entry});
  const std::lock_guard lock(mutex_);
  const std::size_t size = entry.text.size() + entry.members.size();
  bool room = queue_.size() < most_.entries && bytes_ + size <= most_.bytes;
  try {
    if (room) queue_.push_back(entry);
  } catch (...) {
    room = false;  // nor memory
  }
  if (!room) {
    if (dropped_++ == told_) first_drop_ = entry.when;
    last_drop_ = entry.when;
    return;
  }
  bytes_ += size;
  if (sleeps_) {
    sleeps_ = false;
    something_.notify_one();
  }
}

inline void queued_log::hand_out(const std::vector<log_entry>& batch) noexcept {
  const std::lock_guard lock(sinks_mutex_);
  for (const auto& sink : sinks_) sink->write_all(batch);
}

/// Under mutex_: behind the last entry that found room.
inline void queued_log::note_drops() {
  if (dropped_ == told_) return;
  queue_.push_back({last_drop_, log_level::warn,
                    std::to_string(dropped_ - told_) + " lines of the log were dropped between " +
                        iso_time(first_drop_) + " and " + iso_time(last_drop_) + ": they came faster than they can be written"});
  told_ = dropped_;
}

inline void queued_log::work() noexcept {
  std::vector<log_entry> batch;
  std::unique_lock lock(mutex_);
  for (;;) {
    const auto awake = [this] { return !sleeps_ || over_ || hurry_; };
    sleeps_ = queue_.empty();
    if (sleeps_) something_.wait(lock, awake);
    sleeps_ = false;
    if (!over_ && !hurry_) something_.wait_for(lock, pause, [this] { return over_ || hurry_; });
    try {
      note_drops();
    } catch (...) {  // no memory: later
    }
    if (queue_.empty() && over_) return;
    batch.swap(queue_);
    bytes_ = 0;
    hurry_ = false;
    ++taken_;
    lock.unlock();
    hand_out(batch);
    batch.clear();
    lock.lock();
    done_ = taken_;
    written_.notify_all();
  }
}

inline void queued_log::flush() noexcept {
  constexpr auto patience = std::chrono::seconds(3);
  if (thread_.joinable()) {
    std::unique_lock lock(mutex_);
    // What is in the queue leaves with the next batch, whether or not one is on its way now.
    const auto wanted = taken_ + 1;
    hurry_ = true;
    something_.notify_one();
    if (!written_.wait_for(lock, patience, [&] { return done_ >= wanted; })) return;
  }
  const std::lock_guard lock(sinks_mutex_);
  for (const auto& sink : sinks_) sink->flush();
}

inline std::uint64_t queued_log::dropped() const {
  const std::lock_guard lock(mutex_);
  return dropped_;
}

}  // inline namespace WINSVC_ABI
}  // namespace winsvc
