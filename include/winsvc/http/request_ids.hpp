// Request ids: the source of the short ids of requests, for the log and for a 500.
//
//   request_ids ids;
//   ids.next()     // `3f09ac-17`: a random number of this process and a counter
//
// A request takes its id at the first use (exchange::id), so a request that writes no log line costs nothing here.
#pragma once

#include <atomic>
#include <cstdint>
#include <random>
#include <string>

#include "winsvc/config/abi.hpp"

namespace winsvc {
inline namespace WINSVC_ABI {
namespace detail::http {

class request_ids {
 public:
  request_ids();
  [[nodiscard]] std::string next();

 private:
  std::string prefix_;
  std::atomic<std::uint64_t> counter_{0};  // relaxed: only uniqueness matters
};

}  // namespace detail::http
}  // inline namespace WINSVC_ABI
}  // namespace winsvc

// ---------------------------------------------------------------------------------------------------------------------

#if WINSVC_BODIES_HTTP

namespace winsvc {
inline namespace WINSVC_ABI {
namespace detail::http {

/// The prefix has six random hexadecimal digits and a hyphen.
WINSVC_INLINE request_ids::request_ids() {
  const auto number = std::random_device{}();
  for (int shift = 20; shift >= 0; shift -= 4) prefix_ += "0123456789abcdef"[(number >> shift) & 0xF];
  prefix_ += '-';
}

WINSVC_INLINE std::string request_ids::next() {
  return prefix_ + std::to_string(counter_.fetch_add(1, std::memory_order_relaxed) + 1);
}

}  // namespace detail::http
}  // inline namespace WINSVC_ABI
}  // namespace winsvc

#endif  // WINSVC_BODIES_HTTP
