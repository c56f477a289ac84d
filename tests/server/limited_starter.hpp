// A thread_starter that creates a limited number of threads, as a system does whose limit of threads is reached.
#pragma once

#include <winsvc/testing.hpp>

#include <atomic>
#include <functional>
#include <system_error>
#include <thread>
#include <utility>

namespace engine_tests {

/// Creates `available` threads, then fails until `available` is raised. The call number `failing_call` fails too.
struct limited_starter final : winsvc::detail::os::thread_starter {
  explicit limited_starter(int count, int failing = 0) : available(count), failing_call(failing) {}
  std::thread start(std::function<void()> body) override {
    const bool is_refused = ++calls == failing_call;
    if (is_refused || available.fetch_sub(1) <= 0) {
      if (!is_refused) ++available;
      ++failures;
      throw std::system_error(std::make_error_code(std::errc::resource_unavailable_try_again));
    }
    return thread_starter::start(std::move(body));
  }
  std::atomic<int> available, failures{0}, calls{0};
  const int failing_call;  ///< 0: none
};

}  // namespace engine_tests
