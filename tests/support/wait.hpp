// Waits for tests, each with a deadline.
//
//   waiting::wait_until([&] { return s.in_flight() == 0; }, "the requests in flight to end");
//   waiting::wait_for_stop(begun, "the handler to start");
//
// If a wait reaches its limit, the test case fails and the message states what was awaited. On the test thread the wait
// throws, as REQUIRE does. On another thread it records the failure and returns false, because an exception would end
// the process there. Another thread has twice the time: the wait of the test thread fails first, and its message is
// closer to the cause.
#pragma once

#include <doctest/doctest.h>

#include <chrono>
#include <condition_variable>
#include <cstdio>
#include <cstdlib>
#include <functional>
#include <future>
#include <iostream>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <utility>

// single_include/ has no such files. A test of the single header includes it before this file.
#if __has_include("winsvc/base/stop.hpp")
  #include "winsvc/base/source_location.hpp"
  #include "winsvc/base/stop.hpp"
#endif

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
  #define WAITING_SANITIZER
#elif defined(__has_feature)
  #if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
    #define WAITING_SANITIZER
  #endif
#endif

namespace waiting {

using steady = std::chrono::steady_clock;

/// With a sanitizer, some tests repeat a step fewer times. The full number runs in a stage without a sanitizer.
#ifdef WAITING_SANITIZER
constexpr bool with_sanitizer = true;
#else
constexpr bool with_sanitizer = false;
#endif

/// Factor for all limits. Default: 1, with a sanitizer 1.5. On a slow machine, set WINSVC_TEST_TIMEOUT_FACTOR, which
/// multiplies it.
inline double timeout_factor() {
  static const double factor = [] {
#ifdef WAITING_SANITIZER
    const double base = 1.5;
#else
    const double base = 1;
#endif
    const char* const given = std::getenv("WINSVC_TEST_TIMEOUT_FACTOR");
    const double times = given ? std::atof(given) : 1;
    return times > 0 ? base * times : base;
  }();
  return factor;
}

/// Returns the duration times `timeout_factor`.
inline std::chrono::milliseconds scaled(std::chrono::milliseconds limit) {
  return std::chrono::duration_cast<std::chrono::milliseconds>(limit * timeout_factor());
}

inline const std::thread::id test_thread = std::this_thread::get_id();  // doctest runs the cases on the thread of main
inline bool on_test_thread() { return std::this_thread::get_id() == test_thread; }

/// Maximum duration of one wait.
inline std::chrono::milliseconds limit() { return scaled(std::chrono::seconds(on_test_thread() ? 30 : 60)); }

/// Fails the test case. Returns false on a thread other than the test thread, else throws.
inline bool fail_timeout(const std::string& awaited, winsvc::source_location location) {
  const std::string text = "no success after " + std::to_string(limit().count()) + " ms of waiting for " + awaited;
  if (on_test_thread()) ADD_FAIL_AT(location.file, location.line, text);
  ADD_FAIL_CHECK_AT(location.file, location.line, text);
  return false;
}

/// Waits for the predicate, which it polls each millisecond. `awaited` completes the message "... of waiting for".
template <class Predicate>
bool wait_until(const Predicate& predicate, const std::string& awaited,
                winsvc::source_location location = winsvc::source_location::current()) {
  const auto deadline = steady::now() + limit();
  while (!predicate()) {
    if (steady::now() >= deadline) return predicate() || fail_timeout(awaited, location);
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
  return true;
}

/// Waits for the predicate on a condition variable. `lock` must be held.
template <class Predicate>
bool wait_for(std::condition_variable& changed, std::unique_lock<std::mutex>& lock, const Predicate& predicate,
              const std::string& awaited, winsvc::source_location location = winsvc::source_location::current()) {
  return changed.wait_for(lock, limit(), predicate) || fail_timeout(awaited, location);
}

/// Waits until a future has its value. `Future`: std::future or std::shared_future.
template <class Future>
bool wait_for_value(const Future& future, const std::string& awaited,
                    winsvc::source_location location = winsvc::source_location::current()) {
  return future.wait_for(limit()) == std::future_status::ready || fail_timeout(awaited, location);
}

/// Waits for the request of a stop source, which the tests also use as a latch.
inline bool wait_for_stop(const winsvc::stop_token& token, const std::string& awaited,
                          winsvc::source_location location = winsvc::source_location::current()) {
  return token.wait_for(limit()) || fail_timeout(awaited, location);
}
inline bool wait_for_stop(const winsvc::stop_source& latch, const std::string& awaited,
                          winsvc::source_location location = winsvc::source_location::current()) {
  return wait_for_stop(latch.token(), awaited, location);
}

/// A thread that is joined with a deadline, by `join` or by the destructor.
///
/// A thread that does not end still uses variables of the test case, so the test program cannot continue. It prints the
/// name of the thread and of the test case and ends with exit code 1.
class scoped_thread {
 public:
  /// `name` completes the sentence "... did not end".
  template <class Body>
  scoped_thread(std::string name, Body body) : name_(std::move(name)) {
    std::promise<void> end;
    finished_ = end.get_future();
    thread_ = std::thread([body = std::move(body), end = std::move(end)]() mutable {
      body();
      end.set_value();
    });
  }
  scoped_thread(scoped_thread&&) = default;
  scoped_thread& operator=(scoped_thread&&) = delete;
  ~scoped_thread() { join(); }

  void join() {
    if (!thread_.joinable()) return;
    // The waits of the thread itself take up to 60 s: they fail first.
    const auto limit = scaled(std::chrono::seconds(90));
    if (finished_.wait_for(limit) != std::future_status::ready) end_program(limit);
    thread_.join();
  }

 private:
  void end_program(std::chrono::milliseconds limit) const {
    const auto* const test = doctest::getContextOptions()->currentTest;
    std::cout.flush();
    std::printf("\nTEST CASE:  %s\n\nFATAL ERROR: %s did not end within %lld ms; the test program ends\n",
                test ? test->m_name : "", name_.c_str(), static_cast<long long>(limit.count()));
    std::fflush(stdout);
    std::_Exit(1);
  }

  std::string name_;
  std::future<void> finished_;
  std::thread thread_;
};

/// Calls a function that may block, on another thread with the deadline of `scoped_thread`. Returns its result.
template <class Function>
auto call_within_deadline(const std::string& name, const Function& function) {
  std::optional<decltype(function())> result;
  scoped_thread(name, [&] { result = function(); }).join();
  return std::move(*result);
}

}  // namespace waiting
