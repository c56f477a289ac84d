// How often one client may ask: a bucket of tokens for each address, one token a request, refilled steadily.
//
//   svc.use(winsvc::rate_limit(10, 20));     // ten requests a second, twenty at once
//
// More get 429 with Retry-After. An IPv6 client is its /64, which is what one subscriber has. Behind a proxy put
// `trusted_proxies` before it, or all clients are one.
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
#include "winsvc/api/middleware.hpp"
#include "winsvc/api/reply.hpp"
#include "winsvc/api/values.hpp"
#include "winsvc/wire/ip.hpp"

namespace winsvc {
inline namespace WINSVC_ABI {

/// The buckets by themselves. Safe to use from any thread.
class token_buckets {
 public:
  /// `most`: so many clients have a bucket of their own; one that is full again is forgotten, and costs its client
  /// nothing by it. Whoever comes when all are in use shares one bucket with the others who do, so that an attack from
  /// many addresses frees nobody.
  token_buckets(double per_second, double burst, std::size_t limit = 10'000, const clock& time = clock::system())
      : per_second_(per_second), burst_(burst), max_buckets_(limit), time_(time), shared_bucket_{burst, time.now()} {
    if (!(per_second > 0) || !(burst >= 1))
      throw setup_error("rate_limit: it needs a rate above 0 and a burst of 1 or more");
  }

  /// Takes a token: 0, or how long until there is one.
  std::chrono::milliseconds try_take(const ip_bytes& client);
  /// How many clients have a bucket.
  [[nodiscard]] std::size_t size() const {
    const std::lock_guard lock(mutex_);
    return all_.size();
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
  const clock& time_;
  mutable std::mutex mutex_;
  std::map<ip_bytes, bucket> all_;
  bucket shared_bucket_;
  clock::time_point next_cleanup_{};
};

/// `per_second` requests a second from one client, up to `burst` at once.
[[nodiscard]] middleware rate_limit(double per_second, double burst);

}  // inline namespace WINSVC_ABI
}  // namespace winsvc

// ---------------------------------------------------------------------------------------------------------------------

#if WINSVC_BODIES_WEB

namespace winsvc {
inline namespace WINSVC_ABI {

WINSVC_INLINE std::chrono::milliseconds token_buckets::try_take(const ip_bytes& client) {
  const auto now = time_.now();
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
  if (const auto known = all_.find(client); known != all_.end()) return known->second;
  if (all_.size() >= max_buckets_) remove_full_buckets(now);
  if (all_.size() >= max_buckets_) return shared_bucket_;
  return all_.try_emplace(client, bucket{burst_, now}).first->second;
}

/// Once a second at the most: a look at all of them for each newcomer would be an attack by itself.
WINSVC_INLINE void token_buckets::remove_full_buckets(clock::time_point now) {
  if (now < next_cleanup_) return;
  next_cleanup_ = now + std::chrono::seconds(1);
  for (auto it = all_.begin(); it != all_.end();)
    it = tokens_in(it->second, now) >= burst_ ? all_.erase(it) : std::next(it);
}

WINSVC_INLINE middleware rate_limit(double per_second, double burst) {
  const auto buckets = std::make_shared<token_buckets>(per_second, burst);
  return [buckets](const request& req, response& res, const next_handler& go_on) {
    const auto wait = buckets->try_take(wire::rate_limit_key(client_address(req)));
    if (wait.count() == 0) return go_on();
    http::replace_header(res, "Retry-After", std::to_string((wait.count() + 999) / 1000));
    abort(429, "too many requests from this address");
  };
}

}  // inline namespace WINSVC_ABI
}  // namespace winsvc

#endif  // WINSVC_BODIES_WEB
