// Request ids: the source of the short ids of requests, for the log and for a 500.
//
//   request_ids ids;
//   ids.next()     // `3f09ac-17`: a random number of this process and a counter
//
// A request takes its id at the first use (exchange::id), so a request that writes no log line costs nothing here.
#pragma once

#include <array>
#include <atomic>
#include <charconv>
#include <cstddef>
#include <cstdint>
#include <cstring>
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
  std::array<char, 7> prefix_{};
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
  std::size_t size = 0;
  for (int shift = 20; shift >= 0; shift -= 4) prefix_[size++] = "0123456789abcdef"[(number >> shift) & 0xF];
  prefix_[size] = '-';
}

WINSVC_INLINE std::string request_ids::next() {
  char text[32];  // the prefix and at most 20 digits
  std::memcpy(text, prefix_.data(), prefix_.size());
  const auto number = counter_.fetch_add(1, std::memory_order_relaxed) + 1;
  return {text, std::to_chars(text + prefix_.size(), text + sizeof text, number).ptr};
}

}  // namespace detail::http
}  // inline namespace WINSVC_ABI
}  // namespace winsvc

#endif  // WINSVC_BODIES_HTTP
