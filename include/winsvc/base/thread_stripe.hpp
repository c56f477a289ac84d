// Thread stripe: counters without locked instructions. Each thread increments its own copy of a counter, its stripe,
// and a reader adds them up.
//
//   std::array<std::atomic<std::uint64_t>, thread_stripe::count> counters{};
//   const thread_stripe own = thread_stripe::current();
//   own.increment(counters[own.index]);
//
// The first 16 threads of the process that use it have a stripe each: only this thread writes it, so an increment is a
// load and a store, and no two processors write the same cache line. All later threads share the last stripe, with
// atomic additions. The stripe of a thread that has ended is not used again.
#pragma once

#include <atomic>
#include <cstddef>

#include "winsvc/config/abi.hpp"

namespace winsvc {
inline namespace WINSVC_ABI {
namespace detail::base {

struct thread_stripe {
  static constexpr std::size_t count = 17;  ///< those of 16 threads, and the shared one

  std::size_t index;  ///< less than `count`

  [[nodiscard]] static thread_stripe current() noexcept {
    static std::atomic<std::size_t> next{0};  // relaxed: the numbers need only differ
    // Trivially destructible: mingw may free a thread_local before it calls the destructor.
    static thread_local const std::size_t number = next.fetch_add(1, std::memory_order_relaxed);
    return {number < count - 1 ? number : count - 1};
  }
  /// Adds 1 to a counter of this stripe. Release: a thread that reads the new value sees what this thread did before.
  template <class T>
  void increment(std::atomic<T>& counter) const noexcept {
    if (index == count - 1) counter.fetch_add(1, std::memory_order_release);
    else counter.store(counter.load(std::memory_order_relaxed) + 1, std::memory_order_release);
  }
};

}  // namespace detail::base
}  // inline namespace WINSVC_ABI
}  // namespace winsvc
