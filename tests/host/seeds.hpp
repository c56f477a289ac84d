// Plays random sequences from consecutive seeds on several threads, and reports the seeds that fail.
//
//   play_seeds({"WINSVC_SEQUENCES", 500, 8}, [](std::uint64_t seed) { return first_problem_of(seed); });
#pragma once

#include "../support/wait.hpp"

#include <doctest/doctest.h>

#include <atomic>
#include <chrono>
#include <cstdint>
#include <cstdlib>
#include <mutex>
#include <string>
#include <vector>

/// The number of sequences: an environment variable and its default; and the number of threads, most of which wait.
struct seed_options {
  const char* count_variable;
  std::uint64_t default_count;
  int threads;
};

inline std::uint64_t number_in(const char* variable, std::uint64_t default_value) {
  const char* const text = std::getenv(variable);
  return text ? std::strtoull(text, nullptr, 10) : default_value;
}

/// `play(seed)` returns the first problem of a sequence, or "". WINSVC_SEED is the first seed.
template <class Play>
void play_seeds(const seed_options& options, const Play& play) {
  const std::uint64_t first = number_in("WINSVC_SEED", 1);
  const std::uint64_t count = number_in(options.count_variable, options.default_count);
  std::atomic<std::uint64_t> next{first}, finished{0};
  std::mutex mutex;
  std::vector<std::string> failures;
  const auto start = std::chrono::steady_clock::now();

  std::vector<waiting::scoped_thread> threads;
  for (int i = 0; i < options.threads; ++i) {
    threads.emplace_back("a thread that plays sequences", [&] {
      for (std::uint64_t seed = next++; seed < first + count; seed = next++) {
        std::string failure = play(seed);
        if (!failure.empty()) {
          const std::lock_guard lock(mutex);
          failures.push_back("seed " + std::to_string(seed) + ": " + std::move(failure));
        }
        ++finished;
      }
    });
  }
  // The deadline applies to one sequence. All sequences together take as long as the machine needs.
  for (std::uint64_t before = 0; before < count;) {
    waiting::wait_until([&] { return finished != before; },
                        "a sequence to end, after " + std::to_string(before) + " of " + std::to_string(count));
    before = finished;
  }
  for (auto& thread : threads) thread.join();

  const auto elapsed = std::chrono::duration_cast<std::chrono::milliseconds>(std::chrono::steady_clock::now() - start);
  MESSAGE(count << " sequences from seed " << first << " in " << elapsed.count() << " ms");
  CHECK(failures.size() == 0);
  for (std::size_t i = 0; i < failures.size() && i < 10; ++i) FAIL_CHECK(failures[i]);
}
