// How often one client may ask: a bucket of tokens for each address, one token a request, refilled steadily.
//
//   svc.use(winsvc::rate_limit(10, 20));     // ten requests a second, twenty at once
//
// More get 429 with Retry-After. An IPv6 client is its /64, which is what one subscriber has. Behind a proxy put
// `trusted_proxies` before it, or all clients are one.
#pragma once

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstddef>
#include <memory>
#include <mutex>
#include <string>
#include <unordered_map>
#include <utility>

#include "winsvc/base/clock.hpp"
#include "winsvc/base/error.hpp"
#include "winsvc/config/abi.hpp"
#include "winsvc/http/middleware.hpp"
#include "winsvc/http/reply.hpp"

namespace winsvc {
inline namespace WINSVC_ABI {

/// The buckets by themselves. Safe to use from any thread.
class token_buckets {
 public:
  /// `most`: so many clients are remembered; whose bucket is full is forgotten first, and costs nothing by it.
  token_buckets(double per_second, double burst, std::size_t most = 10'000, const clock& time = clock::system())
      : per_second_(per_second), burst_(burst), most_(most), time_(time) {
    if (!(per_second > 0) || !(burst >= 1)) throw setup_error("rate_limit: it needs a rate above 0 and a burst of 1 or more");
  }

  /// Takes a token: 0, or how long until there is one.
  std::chrono::milliseconds take(const std::string& client);

 private:
  struct bucket {
    double tokens;
    clock::time_point when;
  };
  void forget_full_ones(clock::time_point now);

  double per_second_, burst_;
  std::size_t most_;
  const clock& time_;
  std::mutex mutex_;
  std::unordered_map<std::string, bucket> all_;
};

/// `per_second` requests a second from one client, up to `burst` at once.
[[nodiscard]] middleware rate_limit(double per_second, double burst);

// ---------------------------------------------------------------------------------------------------------------------

inline std::chrono::milliseconds token_buckets::take(const std::string& client) {
  const auto now = time_.now();
  const std::lock_guard lock(mutex_);
  if (all_.size() >= most_ && all_.find(client) == all_.end()) forget_full_ones(now);
  bucket& b = all_.try_emplace(client, bucket{burst_, now}).first->second;
  const double passed = std::chrono::duration<double>(now - b.when).count();
  b.tokens = (std::min)(burst_, b.tokens + passed * per_second_);
  b.when = now;
  if (b.tokens >= 1) {
    b.tokens -= 1;
    return {};
  }
  return std::chrono::milliseconds(1 + static_cast<long long>((1 - b.tokens) / per_second_ * 1000));
}

inline void token_buckets::forget_full_ones(clock::time_point now) {
  for (auto it = all_.begin(); it != all_.end();) {
    const double passed = std::chrono::duration<double>(now - it->second.when).count();
    it = it->second.tokens + passed * per_second_ >= burst_ ? all_.erase(it) : std::next(it);
  }
  if (all_.size() >= most_) all_.clear();  // so many at once are an attack: all begin anew, and memory stays what it is
}

/// IPv4 as it is; of IPv6 the first four groups.
inline std::string client_key(const std::string& address) {
  if (address.find(':') == std::string::npos) return address;
  std::size_t at = 0;
  for (int colons = 0; at < address.size(); ++at) {
    if (address[at] != ':') continue;
    if (++colons == 4 || (at + 1 < address.size() && address[at + 1] == ':')) break;
  }
  return address.substr(0, at) + "::/64";
}

inline middleware rate_limit(double per_second, double burst) {
  const auto buckets = std::make_shared<token_buckets>(per_second, burst);
  return [buckets](const request& req, response& res, const next& go_on) {
    const auto wait = buckets->take(client_key(req.remote_addr));
    if (wait.count() == 0) return go_on();
    http::replace_header(res, "Retry-After", std::to_string((wait.count() + 999) / 1000));
    abort(429, "too many requests from this address");
  };
}

}  // inline namespace WINSVC_ABI
}  // namespace winsvc
