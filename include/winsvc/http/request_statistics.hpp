// Request statistics: counts responses and errors per second and computes latency percentiles of the last seconds.
//
//   request_statistics s;
//   s.record(now, duration, status);   // after each response, from any thread: one or two increments
//   s.last_minute(now).p99             // microseconds
//
// Each power of two of the histogram has four buckets, so a percentile is exact to one eighth of its value. No timer
// runs: record() and the readers close past seconds, so a service without requests does nothing.
#pragma once

#include <algorithm>
#include <array>
#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <mutex>
#include <utility>
#include <vector>

#include "winsvc/base/thread_stripe.hpp"
#include "winsvc/config/abi.hpp"

namespace winsvc {
inline namespace WINSVC_ABI {
namespace detail::http {

/// The counters of a stripe only grow: the end of a second subtracts their values at the end of the second before. A
/// count may fall into the next second. current_second_ is written under mutex_; record() reads it relaxed and checks
/// it again under mutex_.
class request_statistics {
 public:
  using time_point = std::chrono::steady_clock::time_point;
  using duration = std::chrono::steady_clock::duration;

  /// Statistics of one second, or of several seconds.
  struct interval_statistics {
    std::int64_t second = 0;  ///< in seconds of the steady clock
    std::uint32_t count = 0;
    std::uint32_t client_errors = 0, server_errors = 0;  ///< status 400 to 499, and 500 or greater
    std::uint32_t p50 = 0, p99 = 0;                      ///< microseconds; 0 without responses
  };

  /// Records one response. `elapsed`: from the complete head until the response can be sent. Thread-safe.
  void record(time_point time, duration elapsed, int status) noexcept {
    const std::int64_t second = second_of(time);
    if (second > current_second_.load(std::memory_order_relaxed)) advance_to(second);
    const auto stripe = base::thread_stripe::current();
    auto& own = stripes_[stripe.index].values;
    stripe.increment(own[bucket_of(elapsed)]);
    if (status >= 400) stripe.increment(own[status < 500 ? client_errors : server_errors]);
  }

  /// Completed seconds after `after`, oldest first, at most `kept_seconds`. Seconds without responses are omitted.
  [[nodiscard]] std::vector<interval_statistics> seconds(time_point now, std::int64_t after);
  /// Sum of the last 60 seconds.
  [[nodiscard]] interval_statistics last_minute(time_point now);

  /// The histogram, for other users than the seconds: a count for each bucket of durations.
  static constexpr std::size_t bucket_count = 4 * 26;
  using histogram = std::array<std::uint64_t, bucket_count>;
  [[nodiscard]] static std::size_t bucket_of(duration elapsed) noexcept;
  /// Percentile in microseconds; 0 if `count` is 0.
  [[nodiscard]] static std::uint32_t percentile(const histogram& buckets, std::uint64_t count,
                                                std::uint64_t percent) noexcept;

  static std::int64_t second_of(time_point time) noexcept {
    return std::chrono::duration_cast<std::chrono::seconds>(time.time_since_epoch()).count();
  }
  static constexpr std::size_t kept_seconds = 300;

 private:
  static constexpr std::size_t seconds_per_minute = 60;
  // Indexes of counters; the buckets are before them.
  static constexpr std::size_t client_errors = bucket_count, server_errors = bucket_count + 1,
                               counter_count = bucket_count + 2;
  // A response that is counted while a second ends may belong to either second, and the counters of a second need not
  // be consistent with each other. mutex_ orders the completed seconds.
  struct alignas(64) counters {  // so that two threads seldom write one cache line
    std::array<std::atomic<std::uint32_t>, counter_count> values{};
  };

  /// Middle of a bucket in microseconds.
  static std::uint32_t bucket_value(std::size_t bucket) noexcept {
    if (bucket < 8) return static_cast<std::uint32_t>(bucket);
    const std::size_t power = (bucket - 4) / 4;
    return static_cast<std::uint32_t>(((4 + bucket % 4) << power) + ((std::size_t{1} << power) >> 1));
  }
  void advance_to(std::int64_t second) noexcept;

  std::array<counters, base::thread_stripe::count> stripes_;
  std::array<std::uint32_t, counter_count> closed_{};  // the sums at the end of the last second; under mutex_
  std::atomic<std::int64_t> current_second_{0};  // relaxed, as the counters; written under mutex_
  std::mutex mutex_;
  std::vector<interval_statistics> intervals_;   // index: second modulo kept_seconds
  std::vector<histogram> histograms_;            // index: second modulo seconds_per_minute
  std::vector<std::int64_t> histogram_seconds_;  // the second of each histogram; -1: unused
};

}  // namespace detail::http
}  // inline namespace WINSVC_ABI
}  // namespace winsvc

// ---------------------------------------------------------------------------------------------------------------------

#if WINSVC_BODIES_HTTP

namespace winsvc {
inline namespace WINSVC_ABI {
namespace detail::http {

/// 0 to 7 us have their own buckets; then each power of two has four.
WINSVC_INLINE std::size_t request_statistics::bucket_of(duration elapsed) noexcept {
  const auto us = std::chrono::duration_cast<std::chrono::microseconds>(elapsed).count();
  auto remaining = static_cast<std::uint64_t>((std::max)(us, std::chrono::microseconds::rep{0}));
  std::size_t power = 0;
  for (; remaining >= 8; remaining >>= 1) ++power;
  const auto low = static_cast<std::size_t>(remaining);
  return (std::min)(remaining < 4 ? low : power * 4 + low, bucket_count - 1);
}

WINSVC_INLINE std::uint32_t request_statistics::percentile(const histogram& buckets, std::uint64_t count,
                                                           std::uint64_t percent) noexcept {
  if (count == 0) return 0;
  const std::uint64_t rank = (count * percent + 99) / 100;
  std::uint64_t sum = 0;
  for (std::size_t i = 0; i < bucket_count; ++i) {
    sum += buckets[i];
    if (sum >= rank) return bucket_value(i);
  }
  return bucket_value(bucket_count - 1);
}

/// Closes the current second: its histogram gets what all stripes have counted in it. A concurrent record() may count
/// in the next second.
WINSVC_INLINE void request_statistics::advance_to(std::int64_t second) noexcept {
  try {
    const std::lock_guard lock(mutex_);
    const std::int64_t closed_second = current_second_.load(std::memory_order_relaxed);
    if (second <= closed_second) return;
    if (intervals_.empty()) {  // all three vectors, or none if an allocation fails
      std::vector<interval_statistics> intervals(kept_seconds);
      std::vector<histogram> histograms(seconds_per_minute);
      histogram_seconds_.assign(seconds_per_minute, -1);
      histograms_ = std::move(histograms);
      intervals_ = std::move(intervals);
    }
    current_second_.store(second, std::memory_order_relaxed);
    if (closed_second == 0) return;
    const auto index = static_cast<std::size_t>(closed_second);
    histogram& durations = histograms_[index % seconds_per_minute];
    interval_statistics& interval = intervals_[index % kept_seconds];
    durations = {};
    interval = {};
    interval.second = closed_second;
    histogram_seconds_[index % seconds_per_minute] = closed_second;
    for (std::size_t i = 0; i < counter_count; ++i) {
      std::uint32_t sum = 0;
      for (const counters& each : stripes_) sum += each.values[i].load(std::memory_order_relaxed);
      const std::uint32_t count = sum - std::exchange(closed_[i], sum);  // also correct after an overflow
      if (i == client_errors) {
        interval.client_errors = count;
      } else if (i == server_errors) {
        interval.server_errors = count;
      } else {
        durations[i] = count;
        interval.count += count;
      }
    }
    interval.p50 = percentile(durations, interval.count, 50);
    interval.p99 = percentile(durations, interval.count, 99);
  } catch (...) {  // out of memory in the first second: the statistics of this second are lost
  }
}

WINSVC_INLINE std::vector<request_statistics::interval_statistics> request_statistics::seconds(time_point now,
                                                                                               std::int64_t after) {
  const std::int64_t second = second_of(now);
  advance_to(second);
  std::vector<interval_statistics> result;
  const std::lock_guard lock(mutex_);
  if (intervals_.empty()) return result;
  const auto oldest = second - static_cast<std::int64_t>(kept_seconds);
  for (auto s = (std::max)((std::min)(after, second) + 1, oldest); s < second; ++s) {
    const auto index = static_cast<std::size_t>((std::max)(s, std::int64_t{0})) % kept_seconds;
    const interval_statistics& interval = intervals_[index];
    if (interval.second == s && interval.count != 0) result.push_back(interval);
  }
  return result;
}

WINSVC_INLINE request_statistics::interval_statistics request_statistics::last_minute(time_point now) {
  const std::int64_t second = second_of(now);
  advance_to(second);
  interval_statistics total;
  histogram sum{};
  const std::lock_guard lock(mutex_);
  for (std::size_t i = 0; i < histograms_.size(); ++i) {
    const std::int64_t histogram_second = histogram_seconds_[i];
    if (histogram_second < 0 || histogram_second < second - static_cast<std::int64_t>(seconds_per_minute)) continue;
    const interval_statistics& interval = intervals_[static_cast<std::size_t>(histogram_second) % kept_seconds];
    total.count += interval.count;
    total.client_errors += interval.client_errors;
    total.server_errors += interval.server_errors;
    for (std::size_t k = 0; k < bucket_count; ++k) sum[k] += histograms_[i][k];
  }
  total.second = second;
  total.p50 = percentile(sum, total.count, 50);
  total.p99 = percentile(sum, total.count, 99);
  return total;
}

}  // namespace detail::http
}  // inline namespace WINSVC_ABI
}  // namespace winsvc

#endif  // WINSVC_BODIES_HTTP
