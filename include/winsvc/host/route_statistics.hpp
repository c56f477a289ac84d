// Route statistics of the dashboard: requests, errors and durations of each route, and the last failed request.
//
//   route_statistics statistics(definition.router.table());
//   statistics.record(response, now);          // after each response, from any thread
//   statistics.json(200);                      // [{"method":"GET","pattern":"/","n":3,"c":0,"e":1,...}]
//
// Requests that match no route are counted in one row, and messages that are not valid requests in another one, so that
// clients cannot create rows. A request that succeeds takes two atomic additions, without a lock or an allocation.
#pragma once

#include <algorithm>
#include <array>
#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "winsvc/base/json_writer.hpp"
#include "winsvc/config/abi.hpp"
#include "winsvc/http/engine_state.hpp"
#include "winsvc/http/request_statistics.hpp"
#include "winsvc/route/table.hpp"

namespace winsvc {
inline namespace WINSVC_ABI {
namespace detail::host {

/// A response with a status of 500 or greater.
struct failed_request {
  std::chrono::milliseconds time{0};  ///< since 1970
  std::string method, target;         ///< the target with its query string
  int status = 0;
  std::string id;                     ///< request ID
};

/// Counters since the start of the service. Thread-safe.
class route_statistics {
 public:
  explicit route_statistics(const route::table& routes)
      : routes_(routes), counters_(routes.entries().size() + row_count_without_route) {}

  /// Counts a response. `now`: milliseconds since 1970.
  void record(const http::access_record& response, std::chrono::milliseconds now) noexcept;

  /// Returns a JSON array of the slowest routes by the 99th percentile, at most `max_routes`. The two rows that are not
  /// routes have an empty method, and follow the routes.
  [[nodiscard]] std::string json(std::size_t max_routes) const;
  /// The newest response with a status of 500 or greater.
  [[nodiscard]] std::optional<failed_request> last_failure() const {
    const std::lock_guard lock(mutex_);
    return last_failure_;
  }

 private:
  static constexpr std::size_t row_count_without_route = 2;  ///< no route matched; not a valid request

  // Memory order relaxed: the counters need not be consistent with each other.
  struct row_counters {
    std::array<std::atomic<std::uint64_t>, http::request_statistics::bucket_count> duration{};
    std::atomic<std::uint64_t> client_errors{0}, server_errors{0}, max_duration{0};
  };
  struct row {
    std::size_t index = 0;
    std::uint64_t count = 0, p50 = 0, p99 = 0, max_duration = 0;
  };
  [[nodiscard]] row read_row(std::size_t index) const;
  [[nodiscard]] std::string row_json(const row& r) const;

  const route::table& routes_;
  std::vector<row_counters> counters_;  // by route ID, then the rows without a route
  mutable std::mutex mutex_;
  std::optional<failed_request> last_failure_;
};

}  // namespace detail::host
}  // inline namespace WINSVC_ABI
}  // namespace winsvc

// ---------------------------------------------------------------------------------------------------------------------

#if WINSVC_BODIES_ADDONS

namespace winsvc {
inline namespace WINSVC_ABI {
namespace detail::host {

WINSVC_INLINE void route_statistics::record(const http::access_record& response,
                                            std::chrono::milliseconds now) noexcept {
  if (!response.counts_in_statistics) return;
  constexpr auto relaxed = std::memory_order_relaxed;
  const std::size_t route_count = counters_.size() - row_count_without_route;
  const std::size_t row_without_route = response.method_id ? route_count : route_count + 1;
  row_counters& counters = counters_[(std::min)(response.route_id.value_or(row_without_route), row_without_route)];
  const auto us = static_cast<std::uint64_t>((std::max)(response.duration.count(), std::chrono::microseconds::rep{0}));
  counters.duration[http::request_statistics::bucket_of(response.duration)].fetch_add(1, relaxed);
  for (auto known_max = counters.max_duration.load(relaxed);
       us > known_max && !counters.max_duration.compare_exchange_weak(known_max, us, relaxed);) {}
  if (response.status < 400) return;
  (response.status < 500 ? counters.client_errors : counters.server_errors).fetch_add(1, relaxed);
  if (response.status < 500) return;
  try {
    failed_request failed{now, std::string(response.method), std::string(response.target), response.status,
                          std::string(response.id)};
    const std::lock_guard lock(mutex_);
    last_failure_ = std::move(failed);
  } catch (...) {  // out of memory: the page shows the failure before this one
  }
}

WINSVC_INLINE route_statistics::row route_statistics::read_row(std::size_t index) const {
  http::request_statistics::histogram durations{};
  row r;
  r.index = index;
  for (std::size_t k = 0; k < durations.size(); ++k)
    r.count += durations[k] = counters_[index].duration[k].load(std::memory_order_relaxed);
  r.max_duration = counters_[index].max_duration.load(std::memory_order_relaxed);
  // A percentile is the middle of a bucket and can exceed the maximum.
  r.p50 = (std::min)(std::uint64_t{http::request_statistics::percentile(durations, r.count, 50)}, r.max_duration);
  r.p99 = (std::min)(std::uint64_t{http::request_statistics::percentile(durations, r.count, 99)}, r.max_duration);
  return r;
}

WINSVC_INLINE std::string route_statistics::row_json(const row& r) const {
  constexpr auto relaxed = std::memory_order_relaxed;
  const std::size_t route_count = counters_.size() - row_count_without_route;
  base::json_object_writer o;
  if (r.index < route_count) {
    const auto& entry = routes_.entries()[r.index];
    o.put_text("method", entry.method_name()).put_text("pattern", entry.path.text);
  } else {
    o.put_text("method", "").put_text("pattern", r.index == route_count ? "no route" : "invalid request");
  }
  o.put("n", std::to_string(r.count)).put("c", std::to_string(counters_[r.index].client_errors.load(relaxed)));
  o.put("e", std::to_string(counters_[r.index].server_errors.load(relaxed)));
  o.put("p50", std::to_string(r.p50)).put("p99", std::to_string(r.p99));
  return o.put("max", std::to_string(r.max_duration)).text();
}

WINSVC_INLINE std::string route_statistics::json(std::size_t max_routes) const {
  const std::size_t route_count = counters_.size() - row_count_without_route;
  std::vector<row> rows;
  for (std::size_t i = 0; i < route_count; ++i) {
    const row r = read_row(i);
    if (r.count != 0) rows.push_back(r);
  }
  std::sort(rows.begin(), rows.end(), [](const row& a, const row& b) { return a.p99 > b.p99; });
  if (rows.size() > max_routes) rows.resize(max_routes);
  for (std::size_t i = route_count; i < counters_.size(); ++i) {
    const row r = read_row(i);
    if (r.count != 0) rows.push_back(r);
  }
  return base::json_array(rows, [this](const row& r) { return row_json(r); });
}

}  // namespace detail::host
}  // inline namespace WINSVC_ABI
}  // namespace winsvc

#endif  // WINSVC_BODIES_ADDONS
