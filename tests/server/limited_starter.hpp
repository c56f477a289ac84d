// A thread_starter that creates a limited number of threads, as a system does whose limit of threads is reached.
#pragma once

#include <winsvc/testing.hpp>

#include <atomic>
#include <functional>
#include <system_error>
#include <thread>
#include <utility>

namespace engine_tests {

/// Creates `available` threads, then fails.
struct limited_starter final : winsvc::detail::os::thread_starter {
  explicit limited_starter(int count) : available(count) {}
  std::thread start(std::function<void()> body) override {
    if (available.fetch_sub(1) <= 0) {
      ++available;
      throw std::system_error(std::make_error_code(std::errc::resource_unavailable_try_again));
    }
    return thread_starter::start(std::move(body));
  }
  std::atomic<int> available;
};

}  // namespace engine_tests
