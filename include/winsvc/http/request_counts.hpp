// Request counts: how many requests are in flight, and how many responses were sent.
//
//   counts.begin();           // the head is complete
//   counts.end(true);         // the response is sent; false: there is no response to count
//   counts.in_flight()
//
// A request may begin on one thread and end on another.
#pragma once

#include <algorithm>
#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <utility>

#include "winsvc/base/thread_stripe.hpp"
#include "winsvc/config/abi.hpp"

namespace winsvc {
inline namespace WINSVC_ABI {
namespace detail::http {

/// Thread-safe. The increments are releases and the loads are acquires, so that a reader which counts the end of a
/// request also counts its begin and its response.
class request_counts {
 public:
  void begin() noexcept {
    const auto own = base::thread_stripe::current();
    own.increment(stripes_[own.index].begun);
  }
  /// The response is counted first. A caller that sees no request in flight, and then drains, does not count this one
  /// as completed by the drain.
  void end(bool responded) noexcept {
    const auto own = base::thread_stripe::current();
    if (responded) own.increment(stripes_[own.index].responded);
    own.increment(stripes_[own.index].ended);
  }
  /// Requests with a complete head whose response is not sent. It may count a request that ends during the call.
  /// If requests end between the two sums, it counts again: the system may pause this thread there, and requests that
  /// begin and end meanwhile would be counted.
  [[nodiscard]] std::size_t in_flight() const noexcept {
    constexpr int max_tries = 4;
    std::uint64_t least = ~std::uint64_t{0};
    std::uint64_t ended = sum(&stripe::ended);  // before `begun`, so that the difference is not negative
    for (int tries = 0; tries < max_tries; ++tries) {
      least = (std::min)(least, sum(&stripe::begun) - ended);
      const std::uint64_t before = std::exchange(ended, sum(&stripe::ended));
      if (ended == before) break;
    }
    return static_cast<std::size_t>(least);
  }
  /// Responses since the start.
  [[nodiscard]] std::uint64_t responses() const noexcept { return sum(&stripe::responded); }

 private:
  using counter = std::atomic<std::uint64_t>;  // acquire and release; see the comment of the class
  struct alignas(64) stripe {  // one cache line, so that two threads do not write the same one
    counter begun{0}, ended{0}, responded{0};
  };

  [[nodiscard]] std::uint64_t sum(counter stripe::*which) const noexcept {
    std::uint64_t total = 0;
    for (const stripe& each : stripes_) total += (each.*which).load(std::memory_order_acquire);
    return total;
  }

  std::array<stripe, base::thread_stripe::count> stripes_;
};

}  // namespace detail::http
}  // inline namespace WINSVC_ABI
}  // namespace winsvc
