// The last lines of the log, in memory: for who looks at a running service.
//
//   auto lines = recent->after(0);             // all that are kept, oldest first, each with its number
//   recent->wait(lines.back().number, 1s);     // until there is a newer one
#pragma once

#include <chrono>
#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <mutex>
#include <utility>
#include <vector>

#include "winsvc/base/log.hpp"
#include "winsvc/config/abi.hpp"

namespace winsvc {
inline namespace WINSVC_ABI {

class ring_sink final : public log_sink {
 public:
  struct numbered_entry {
    std::uint64_t number = 0;  ///< from 1 on
    log_entry entry;
  };
  explicit ring_sink(std::size_t kept = 200) : capacity_(kept) {}

  void write(const log_entry& entry) noexcept override {
    const std::lock_guard lock(mutex_);
    try {
      entries_.push_back(entry);
    } catch (...) {  // no memory: this one is not kept
      return;
    }
    ++last_number_;
    if (entries_.size() > capacity_) entries_.pop_front();
    entry_added_.notify_all();
  }
  /// Those that are kept and newer, oldest first.
  [[nodiscard]] std::vector<numbered_entry> after(std::uint64_t number) const {
    const std::lock_guard lock(mutex_);
    std::vector<numbered_entry> out;
    const std::uint64_t first = last_number_ - entries_.size() + 1;
    for (std::size_t i = number >= first ? static_cast<std::size_t>(number - first + 1) : 0; i < entries_.size(); ++i)
      out.push_back({first + i, entries_[i]});
    return out;
  }
  /// The newest one's number; 0: there is none.
  [[nodiscard]] std::uint64_t last_number() const {
    const std::lock_guard lock(mutex_);
    return last_number_;
  }
  /// Until there is a newer one, or the time is over.
  void wait_after(std::uint64_t number, std::chrono::milliseconds limit) const {
    std::unique_lock lock(mutex_);
    entry_added_.wait_for(lock, limit, [&] { return last_number_ > number; });
  }

 private:
  const std::size_t capacity_;
  mutable std::mutex mutex_;
  mutable std::condition_variable entry_added_;
  std::deque<log_entry> entries_;
  std::uint64_t last_number_ = 0;
};

}  // inline namespace WINSVC_ABI
}  // namespace winsvc
