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

class request_statistics {
 public:
  using time_point = std::chrono::steady_clock::time_point;
  using duration = std::chrono::steady_clock::duration;

  /// What was answered in a second, or in several.
  struct interval_statistics {
    std::int64_t second = 0;  ///< of the steady clock
    std::uint32_t count = 0, failed = 0;
    std::uint32_t p50 = 0, p99 = 0;  ///< microseconds; 0 where there was none
  };

  /// One answer. `buckets`: from its complete head until it could be sent.
  void record(time_point at, duration elapsed, bool failed) noexcept {
    const std::int64_t second = second_of(at);
    if (second > current_second_.load(std::memory_order_relaxed)) advance_to(second);
    shard& own = shards_[current_shard()];
    own.buckets[bucket_of(elapsed)].fetch_add(1, std::memory_order_relaxed);
    if (failed) own.failed.fetch_add(1, std::memory_order_relaxed);
  }

  /// The seconds that are over, newer than `after`, oldest first; those in which nothing was answered are not there.
  [[nodiscard]] std::vector<interval_statistics> seconds(time_point now, std::int64_t after);
  /// The last minute, as one; its count is of 60 seconds.
  [[nodiscard]] interval_statistics last_minute(time_point now);

  /// How often it took how long, for whoever counts something else than seconds.
  static constexpr std::size_t bucket_count = 4 * 26;
  using histogram = std::array<std::uint64_t, bucket_count>;
  [[nodiscard]] static std::size_t bucket_of(duration elapsed) noexcept;
  /// Microseconds; 0 where `count` is.
  [[nodiscard]] static std::uint32_t percentile(const histogram& of, std::uint64_t count, std::uint64_t percent) noexcept;

  static std::int64_t second_of(time_point at) noexcept {
    return std::chrono::duration_cast<std::chrono::seconds>(at.time_since_epoch()).count();
  }
  static constexpr std::size_t kept_seconds = 300;  ///< seconds

 private:
  static constexpr std::size_t shard_count = 4, seconds_per_minute = 60;
  struct alignas(64) shard {  // by thread, so that two seldom write one cache line
    std::array<std::atomic<std::uint32_t>, bucket_count> buckets{};
    std::atomic<std::uint32_t> failed{0};
  };

  static std::size_t current_shard() noexcept {
    static std::atomic<unsigned> next{0};
    static thread_local const unsigned own = next.fetch_add(1, std::memory_order_relaxed);
    return own % shard_count;
  }
  /// The middle of a step.
  static std::uint32_t bucket_value(std::size_t step) noexcept {
    if (step < 8) return static_cast<std::uint32_t>(step);
    const std::size_t power = (step - 4) / 4;
    return static_cast<std::uint32_t>(((4 + step % 4) << power) + ((std::size_t{1} << power) >> 1));
  }
  void advance_to(std::int64_t second) noexcept;

  std::array<shard, shard_count> shards_;
  std::atomic<std::int64_t> current_second_{0};
  std::mutex mutex_;
  std::vector<interval_statistics> intervals_;       // by second, modulo kept
  std::vector<histogram> histograms_;   // seconds_per_minute of them
  std::vector<std::int64_t> histogram_seconds_;
};

}  // namespace http
}  // inline namespace WINSVC_ABI
}  // namespace winsvc

// ---------------------------------------------------------------------------------------------------------------------

#if WINSVC_BODIES_HTTP

namespace winsvc {
inline namespace WINSVC_ABI {
namespace http {

/// 0 to 3 us are themselves; beyond, four steps a power of two.
WINSVC_INLINE std::size_t request_statistics::bucket_of(duration elapsed) noexcept {
  const auto us = std::chrono::duration_cast<std::chrono::microseconds>(elapsed).count();
  auto remaining = static_cast<std::uint64_t>((std::max)(us, std::chrono::microseconds::rep{0}));
  std::size_t power = 0;
  for (; remaining >= 8; remaining >>= 1) ++power;
  return (std::min)(remaining < 4 ? static_cast<std::size_t>(remaining) : power * 4 + static_cast<std::size_t>(remaining), bucket_count - 1);
}

WINSVC_INLINE std::uint32_t request_statistics::percentile(const histogram& of, std::uint64_t count, std::uint64_t percent) noexcept {
  if (count == 0) return 0;
  const std::uint64_t expected = (count * percent + 99) / 100;
  std::uint64_t so_far = 0;
  for (std::size_t i = 0; i < bucket_count; ++i) {
    so_far += of[i];
    if (so_far >= expected) return bucket_value(i);
  }
  return bucket_value(bucket_count - 1);
}

/// The second that was is over: what was counted belongs to it. An answer that is counted meanwhile may come to belong
/// to the next.
WINSVC_INLINE void request_statistics::advance_to(std::int64_t second) noexcept {
  try {
    const std::lock_guard lock(mutex_);
    const std::int64_t was = current_second_.load(std::memory_order_relaxed);
    if (second <= was) return;
    if (intervals_.empty()) {
      intervals_.resize(kept_seconds);
      histograms_.resize(seconds_per_minute);
      histogram_seconds_.assign(seconds_per_minute, -1);
    }
    current_second_.store(second, std::memory_order_relaxed);
    if (was == 0) return;
    const auto slot = static_cast<std::size_t>(was);
    histogram& elapsed = histograms_[slot % seconds_per_minute];
    interval_statistics& one = intervals_[slot % kept_seconds];
    elapsed = {};
    one = {was, 0, 0, 0, 0};
    histogram_seconds_[slot % seconds_per_minute] = was;
    for (auto& s : shards_) {
      for (std::size_t i = 0; i < bucket_count; ++i) {
        const auto here = s.buckets[i].load(std::memory_order_relaxed);
        if (here == 0) continue;
        const auto taken = s.buckets[i].exchange(0, std::memory_order_relaxed);
        elapsed[i] += taken;
        one.count += static_cast<std::uint32_t>(taken);
      }
      one.failed += s.failed.exchange(0, std::memory_order_relaxed);
    }
    one.p50 = percentile(elapsed, one.count, 50);
    one.p99 = percentile(elapsed, one.count, 99);
  } catch (...) {  // no memory for the first second: it is not kept
  }
}

WINSVC_INLINE std::vector<request_statistics::interval_statistics> request_statistics::seconds(time_point now, std::int64_t after) {
  const std::int64_t second = second_of(now);
  advance_to(second);
  std::vector<interval_statistics> out;
  const std::lock_guard lock(mutex_);
  if (intervals_.empty()) return out;
  const auto oldest = second - static_cast<std::int64_t>(kept_seconds);
  for (auto s = (std::max)((std::min)(after, second) + 1, oldest); s < second; ++s) {
    const interval_statistics& one = intervals_[static_cast<std::size_t>((std::max)(s, std::int64_t{0})) % kept_seconds];
    if (one.second == s && one.count != 0) out.push_back(one);
  }
  return out;
}

WINSVC_INLINE request_statistics::interval_statistics request_statistics::last_minute(time_point now) {
  const std::int64_t second = second_of(now);
  advance_to(second);
  interval_statistics all;
  histogram sum{};
  const std::lock_guard lock(mutex_);
  for (std::size_t i = 0; i < histograms_.size(); ++i) {
    if (histogram_seconds_[i] < 0 || histogram_seconds_[i] < second - static_cast<std::int64_t>(seconds_per_minute)) continue;
    const interval_statistics& one = intervals_[static_cast<std::size_t>(histogram_seconds_[i]) % kept_seconds];
    all.count += one.count;
    all.failed += one.failed;
    for (std::size_t k = 0; k < bucket_count; ++k) sum[k] += histograms_[i][k];
  }
  all.second = second;
  all.p50 = percentile(sum, all.count, 50);
  all.p99 = percentile(sum, all.count, 99);
  return all;
}

}  // namespace http
}  // inline namespace WINSVC_ABI
}  // namespace winsvc

#endif  // WINSVC_BODIES_HTTP
