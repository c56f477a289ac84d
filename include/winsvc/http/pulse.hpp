// How busy a service is: what was answered in each of the last seconds, and how long it took.
//
//   pulse p;
//   p.note(now, took, status >= 500);        // of each answer, from any thread: two additions
//   p.minute(now).p99                        // microseconds
//
// Times are kept in steps of a quarter of their power of two, so a percentile is right to an eighth of itself. It is
// fed by the requests alone: a service that is asked nothing does nothing.
#pragma once

#include <algorithm>
#include <array>
#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <mutex>
#include <vector>

#include "winsvc/config/abi.hpp"

namespace winsvc {
inline namespace WINSVC_ABI {
namespace http {

class pulse {
 public:
  using time_point = std::chrono::steady_clock::time_point;
  using duration = std::chrono::steady_clock::duration;

  /// What was answered in a second, or in several.
  struct beat {
    std::int64_t second = 0;  ///< of the steady clock
    std::uint32_t count = 0, failed = 0;
    std::uint32_t p50 = 0, p99 = 0;  ///< microseconds; 0 where there was none
  };

  /// One answer. `took`: from its complete head until it could be sent.
  void note(time_point at, duration took, bool failed) noexcept {
    const std::int64_t second = second_of(at);
    if (second > current_.load(std::memory_order_relaxed)) turn(second);
    shard& mine = shards_[my_shard()];
    mine.took[step_of(took)].fetch_add(1, std::memory_order_relaxed);
    if (failed) mine.failed.fetch_add(1, std::memory_order_relaxed);
  }

  /// The seconds that are over, newer than `after`, oldest first; those in which nothing was answered are not there.
  [[nodiscard]] std::vector<beat> seconds(time_point now, std::int64_t after);
  /// The last minute, as one; its count is of 60 seconds.
  [[nodiscard]] beat minute(time_point now);

  /// How often it took how long, for whoever counts something else than seconds.
  static constexpr std::size_t steps = 4 * 26;
  using counts = std::array<std::uint64_t, steps>;
  [[nodiscard]] static std::size_t step_of(duration took) noexcept;
  /// Microseconds; 0 where `count` is.
  [[nodiscard]] static std::uint32_t percentile(const counts& of, std::uint64_t count, std::uint64_t percent) noexcept;

  static std::int64_t second_of(time_point at) noexcept {
    return std::chrono::duration_cast<std::chrono::seconds>(at.time_since_epoch()).count();
  }
  static constexpr std::size_t kept = 300;  ///< seconds

 private:
  static constexpr std::size_t threads = 4, of_minute = 60;
  struct alignas(64) shard {  // by thread, so that two seldom write one cache line
    std::array<std::atomic<std::uint32_t>, steps> took{};
    std::atomic<std::uint32_t> failed{0};
  };

  static std::size_t my_shard() noexcept {
    static std::atomic<unsigned> next{0};
    static thread_local const unsigned mine = next.fetch_add(1, std::memory_order_relaxed);
    return mine % threads;
  }
  /// The middle of a step.
  static std::uint32_t time_of(std::size_t step) noexcept {
    if (step < 8) return static_cast<std::uint32_t>(step);
    const std::size_t power = (step - 4) / 4;
    return static_cast<std::uint32_t>(((4 + step % 4) << power) + ((std::size_t{1} << power) >> 1));
  }
  void turn(std::int64_t second) noexcept;

  std::array<shard, threads> shards_;
  std::atomic<std::int64_t> current_{0};
  std::mutex mutex_;
  std::vector<beat> beats_;       // by second, modulo kept
  std::vector<counts> counted_;   // of_minute of them
  std::vector<std::int64_t> counted_at_;
};

// ---------------------------------------------------------------------------------------------------------------------

/// 0 to 3 us are themselves; beyond, four steps a power of two.
inline std::size_t pulse::step_of(duration took) noexcept {
  const auto us = std::chrono::duration_cast<std::chrono::microseconds>(took).count();
  auto left = static_cast<std::uint64_t>((std::max)(us, std::chrono::microseconds::rep{0}));
  std::size_t power = 0;
  for (; left >= 8; left >>= 1) ++power;
  return (std::min)(left < 4 ? static_cast<std::size_t>(left) : power * 4 + static_cast<std::size_t>(left), steps - 1);
}

inline std::uint32_t pulse::percentile(const counts& of, std::uint64_t count, std::uint64_t percent) noexcept {
  if (count == 0) return 0;
  const std::uint64_t wanted = (count * percent + 99) / 100;
  std::uint64_t so_far = 0;
  for (std::size_t i = 0; i < steps; ++i) {
    so_far += of[i];
    if (so_far >= wanted) return time_of(i);
  }
  return time_of(steps - 1);
}

/// The second that was is over: what was counted belongs to it. An answer that is counted meanwhile may come to belong
/// to the next.
inline void pulse::turn(std::int64_t second) noexcept {
  try {
    const std::lock_guard lock(mutex_);
    const std::int64_t was = current_.load(std::memory_order_relaxed);
    if (second <= was) return;
    if (beats_.empty()) {
      beats_.resize(kept);
      counted_.resize(of_minute);
      counted_at_.assign(of_minute, -1);
    }
    current_.store(second, std::memory_order_relaxed);
    if (was == 0) return;
    const auto slot = static_cast<std::size_t>(was);
    counts& took = counted_[slot % of_minute];
    beat& one = beats_[slot % kept];
    took = {};
    one = {was, 0, 0, 0, 0};
    counted_at_[slot % of_minute] = was;
    for (auto& s : shards_) {
      for (std::size_t i = 0; i < steps; ++i) {
        const auto here = s.took[i].load(std::memory_order_relaxed);
        if (here == 0) continue;
        const auto taken = s.took[i].exchange(0, std::memory_order_relaxed);
        took[i] += taken;
        one.count += static_cast<std::uint32_t>(taken);
      }
      one.failed += s.failed.exchange(0, std::memory_order_relaxed);
    }
    one.p50 = percentile(took, one.count, 50);
    one.p99 = percentile(took, one.count, 99);
  } catch (...) {  // no memory for the first second: it is not kept
  }
}

inline std::vector<pulse::beat> pulse::seconds(time_point now, std::int64_t after) {
  const std::int64_t second = second_of(now);
  turn(second);
  std::vector<beat> out;
  const std::lock_guard lock(mutex_);
  if (beats_.empty()) return out;
  const auto oldest = second - static_cast<std::int64_t>(kept);
  for (auto s = (std::max)((std::min)(after, second) + 1, oldest); s < second; ++s) {
    const beat& one = beats_[static_cast<std::size_t>((std::max)(s, std::int64_t{0})) % kept];
    if (one.second == s && one.count != 0) out.push_back(one);
  }
  return out;
}

inline pulse::beat pulse::minute(time_point now) {
  const std::int64_t second = second_of(now);
  turn(second);
  beat all;
  counts sum{};
  const std::lock_guard lock(mutex_);
  for (std::size_t i = 0; i < counted_.size(); ++i) {
    if (counted_at_[i] < 0 || counted_at_[i] < second - static_cast<std::int64_t>(of_minute)) continue;
    const beat& one = beats_[static_cast<std::size_t>(counted_at_[i]) % kept];
    all.count += one.count;
    all.failed += one.failed;
    for (std::size_t k = 0; k < steps; ++k) sum[k] += counted_[i][k];
  }
  all.second = second;
  all.p50 = percentile(sum, all.count, 50);
  all.p99 = percentile(sum, all.count, 99);
  return all;
}

}  // namespace http
}  // inline namespace WINSVC_ABI
}  // namespace winsvc
