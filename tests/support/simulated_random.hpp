// Random numbers of a simulation.
//
//   random_numbers random(seed);
//   random.between(1, 6)
#pragma once

#include <cstddef>
#include <cstdint>

namespace simulation {

/// A small generator of random numbers (splitmix64), which is the same on each machine.
class random_numbers {
 public:
  explicit random_numbers(std::uint64_t seed) : state_(seed) {}
  std::uint64_t next() noexcept {
    std::uint64_t z = (state_ += 0x9E3779B97F4A7C15u);
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9u;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EBu;
    return z ^ (z >> 31);
  }
  /// A number from 0 to `count` - 1.
  std::size_t below(std::size_t count) noexcept { return static_cast<std::size_t>(next() % count); }
  /// A number from `low` to `high`.
  int between(int low, int high) noexcept {
    return low + static_cast<int>(below(static_cast<std::size_t>(high - low + 1)));
  }
  /// True in one of `count` cases.
  bool one_in(std::size_t count) noexcept { return below(count) == 0; }

 private:
  std::uint64_t state_;
};

}  // namespace simulation
