// ring_sink: keeps the newest log entries in memory, for clients that watch a running service.
//
//   auto entries = recent->after(0);                   // all stored entries with their numbers, oldest first
//   recent->wait_after(entries.back().number, 1s);     // waits for a newer entry
#pragma once

#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <mutex>
#include <utility>
#include <vector>

#include "winsvc/base/log.hpp"
#include "winsvc/config/abi.hpp"

namespace winsvc {
inline namespace WINSVC_ABI {
namespace detail::log {

class ring_sink final : public log_sink {
 public:
  struct numbered_entry {
    std::uint64_t number = 0;  ///< counted from 1
    log_entry entry;
  };
  /// Stores at most `capacity` entries, and at least one.
  explicit ring_sink(std::size_t capacity = 200) : capacity_((std::max)(capacity, std::size_t{1})) {}

  void write(const log_entry& entry) noexcept override {
    const std::lock_guard lock(mutex_);
    try {
      if (entries_.size() < capacity_) entries_.push_back(entry);
      else replace(entries_[position_of(last_number_ + 1)], entry);
    } catch (...) {  // out of memory: this entry is not stored
      return;
    }
    ++last_number_;
    entry_added_.notify_all();
  }
  /// The stored entries with a greater number, oldest first.
  [[nodiscard]] std::vector<numbered_entry> after(std::uint64_t number) const {
    const std::lock_guard lock(mutex_);
    std::vector<numbered_entry> newer;
    const std::uint64_t first = last_number_ - entries_.size() + 1;
    for (std::size_t i = number >= first ? static_cast<std::size_t>(number - first + 1) : 0; i < entries_.size(); ++i)
      newer.push_back({first + i, entries_[position_of(first + i)]});
    return newer;
  }
  /// The number of the newest entry; 0 if there was no entry.
  [[nodiscard]] std::uint64_t last_number() const {
    const std::lock_guard lock(mutex_);
    return last_number_;
  }
  /// Waits until there is an entry with a greater number, or until `timeout` has passed.
  void wait_after(std::uint64_t number, std::chrono::milliseconds timeout) const {
    std::unique_lock lock(mutex_);
    entry_added_.wait_for(lock, timeout, [&] { return last_number_ > number; });
  }

 private:
  /// Reuses the memory of `oldest`, which does not change if there is no memory for the new text.
  static void replace(log_entry& oldest, const log_entry& entry) {
    if (oldest.text.capacity() < entry.text.size()) oldest.text.reserve(entry.text.size());
    if (oldest.json_fields.capacity() < entry.json_fields.size()) oldest.json_fields.reserve(entry.json_fields.size());
    oldest = entry;
  }
  [[nodiscard]] std::size_t position_of(std::uint64_t number) const noexcept {
    return static_cast<std::size_t>((number - 1) % capacity_);
  }

  const std::size_t capacity_;
  mutable std::mutex mutex_;
  mutable std::condition_variable entry_added_;
  std::vector<log_entry> entries_;  // entry `number` is at position_of(number)
  std::uint64_t last_number_ = 0;
};

}  // namespace detail::log
}  // inline namespace WINSVC_ABI
}  // namespace winsvc
