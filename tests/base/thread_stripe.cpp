// Tests of thread_stripe: each of the first threads has its own stripe, and no increment is lost.
#include "winsvc/base/thread_stripe.hpp"

#include "../support/wait.hpp"

#include <doctest/doctest.h>

#include <array>
#include <atomic>
#include <cstdint>
#include <vector>

using winsvc::detail::base::thread_stripe;

TEST_CASE("a thread keeps its stripe") {
  const std::size_t own = thread_stripe::current().index;
  CHECK(own < thread_stripe::count);
  CHECK(thread_stripe::current().index == own);
}

TEST_CASE("threads share only the last stripe, and no increment is lost") {
  constexpr std::size_t threads = 2 * thread_stripe::count;
  constexpr std::uint64_t increments = 2'000;
  std::array<std::atomic<std::uint64_t>, thread_stripe::count> counters{};
  std::array<std::atomic<int>, thread_stripe::count> users{};
  std::atomic<std::size_t> ready{0};
  std::vector<waiting::scoped_thread> all;
  for (std::size_t i = 0; i < threads; ++i) {
    all.emplace_back("a thread that counts", [&] {
      const thread_stripe own = thread_stripe::current();
      ++users.at(own.index);
      ++ready;
      waiting::wait_until([&] { return ready.load() == threads; }, "all threads");
      for (std::uint64_t n = 0; n < increments; ++n) own.increment(counters.at(own.index));
    });
  }
  for (auto& t : all) t.join();
  std::uint64_t sum = 0;
  for (const auto& c : counters) sum += c.load();
  CHECK(sum == threads * increments);
  for (std::size_t i = 0; i + 1 < thread_stripe::count; ++i) CHECK(users[i].load() <= 1);
  CHECK(users.back().load() >= static_cast<int>(threads - (thread_stripe::count - 1)));
}

TEST_CASE("an increment adds one, in a stripe of one thread and in the shared stripe") {
  for (const std::size_t index : {std::size_t{0}, thread_stripe::count - 1}) {
    std::atomic<int> counter{41};
    thread_stripe{index}.increment(counter);
    CHECK(counter.load() == 42);
  }
}
