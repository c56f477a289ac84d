// Rate limit per client: middleware with one token bucket per address.
//
//   svc.use(winsvc::rate_limit(10, 20));     // 10 requests per second, bursts of 20
//
// Further requests get 429 with Retry-After. All IPv6 addresses of a /64 count as one client, because one subscriber
// usually has a /64. Behind a proxy, add `trusted_proxies` first; otherwise all clients share one bucket.
#pragma once

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <iterator>
#include <map>
#include <memory>
#include <mutex>
#include <string>

#include "winsvc/base/clock.hpp"
#include "winsvc/base/error.hpp"
#include "winsvc/config/abi.hpp"
#include "winsvc/api/context.hpp"
#include "winsvc/api/middleware.hpp"
#include "winsvc/api/reply.hpp"
#include "winsvc/api/values.hpp"
#include "winsvc/wire/ip.hpp"

namespace winsvc {
inline namespace WINSVC_ABI {

/// Token buckets, one per client. Thread-safe.
class token_buckets {
 public:
  /// `max_buckets`: number of clients that have their own bucket. Full buckets are removed, which does not affect their
  /// clients. If all buckets are in use, further clients share one bucket, so that an attack from many addresses cannot
  /// remove the bucket of another client.
  token_buckets(double per_second, double burst, std::size_t max_buckets = 10'000)
      : per_second_(per_second), burst_(burst), max_buckets_(max_buckets), shared_bucket_{burst, {}} {
    if (!(per_second > 0) || !(burst >= 1))
      throw setup_error("rate_limit: invalid rate or burst; the rate must be above 0, the burst at least 1");
  }

  /// Takes a token. `now`: a time of the same clock in each call. Returns 0, or the time until the next token is
  /// available.
  std::chrono::milliseconds try_take(const ip_bytes& client, clock::time_point now);
  /// Number of clients that have a bucket.
  [[nodiscard]] std::size_t size() const {
    const std::lock_guard lock(mutex_);
    return buckets_.size();
  }

 private:
  struct bucket {
    double tokens;
    clock::time_point updated_at;
  };
  [[nodiscard]] bucket& bucket_of(const ip_bytes& client, clock::time_point now);
  void remove_full_buckets(clock::time_point now);
  [[nodiscard]] double tokens_in(const bucket& b, clock::time_point now) const {
    return (std::min)(burst_, b.tokens + std::chrono::duration<double>(now - b.updated_at).count() * per_second_);
  }

  double per_second_, burst_;
  std::size_t max_buckets_;
  mutable std::mutex mutex_;
  std::map<ip_bytes, bucket> buckets_;
  bucket shared_bucket_;
  clock::time_point next_cleanup_{};
};

/// Allows each client `per_second` requests per second and bursts of `burst` requests. Throws setup_error if
/// `per_second` is not above 0 or `burst` is below 1.
[[nodiscard]] middleware rate_limit(double per_second, double burst);

}  // inline namespace WINSVC_ABI
}  // namespace winsvc

// ---------------------------------------------------------------------------------------------------------------------

#if WINSVC_BODIES_ADDONS

namespace winsvc {
inline namespace WINSVC_ABI {

WINSVC_INLINE std::chrono::milliseconds token_buckets::try_take(const ip_bytes& client, clock::time_point now) {
  const std::lock_guard lock(mutex_);
  bucket& b = bucket_of(client, now);
  b.tokens = tokens_in(b, now);
  b.updated_at = now;
  if (b.tokens >= 1) {
    b.tokens -= 1;
    return {};
  }
  return std::chrono::milliseconds(1 + static_cast<long long>((1 - b.tokens) / per_second_ * 1000));
}

WINSVC_INLINE token_buckets::bucket& token_buckets::bucket_of(const ip_bytes& client, clock::time_point now) {
  if (const auto known = buckets_.find(client); known != buckets_.end()) return known->second;
  if (buckets_.size() >= max_buckets_) remove_full_buckets(now);
  if (buckets_.size() >= max_buckets_) return shared_bucket_;
  return buckets_.try_emplace(client, bucket{burst_, now}).first->second;
}

/// Runs at most once per second, because a scan of all buckets for each new client would make an attack cheaper.
WINSVC_INLINE void token_buckets::remove_full_buckets(clock::time_point now) {
  if (now < next_cleanup_) return;
  next_cleanup_ = now + std::chrono::seconds(1);
  for (auto it = buckets_.begin(); it != buckets_.end();)
    it = tokens_in(it->second, now) >= burst_ ? buckets_.erase(it) : std::next(it);
}

WINSVC_INLINE middleware rate_limit(double per_second, double burst) {
  const auto buckets = std::make_shared<token_buckets>(per_second, burst);
  return [buckets](const request& req, response& res, const next_handler& next) {
    const auto wait = buckets->try_take(detail::wire::rate_limit_key(client_address(req)), context(req).time().now());
    if (wait.count() == 0) return next();
    detail::api::replace_header(res, "Retry-After", std::to_string((wait.count() + 999) / 1000));
    abort(429, "too many requests from this address");
  };
}

}  // inline namespace WINSVC_ABI
}  // namespace winsvc

#endif  // WINSVC_BODIES_ADDONS
