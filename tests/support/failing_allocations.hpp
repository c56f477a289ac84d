// failing_allocations: lets the n-th allocation of an operation fail, for n = 1, 2, ... up to its last one, then the
// n-th and the 29 that follow, and checks the object after each failure. tests/host/memory_shortage.cpp defines the
// operator new that uses it.
//
//   failing_allocations::sweep("subscribe", [] { return std::make_shared<channel>(4); },
//                              [](channel& c) { c.subscribe("7"); }, [](channel& c) { return text_of(c.size()); });
//
// Only allocations of the calling thread fail, and only during the operation.
#pragma once

#include <winsvc/testing.hpp>

#include "wait.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <filesystem>
#include <new>
#include <string>
#include <string_view>
#include <type_traits>

// The sanitizers have their own operator new.
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
  #define WITH_OPERATOR_NEW_OF_SANITIZER
#elif defined(__has_feature)
  #if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
    #define WITH_OPERATOR_NEW_OF_SANITIZER
  #endif
#endif

namespace failing_allocations {

/// Keeps the texts of entries without an allocation.
class fixed_sink final : public winsvc::log_sink {
 public:
  void write(const winsvc::log_entry& entry) noexcept override {
    for (const std::string_view part : {std::string_view(entry.text), std::string_view("|")}) {
      const auto count = (std::min)(part.size(), sizeof text_ - size_);
      part.copy(text_ + size_, count);
      size_ += count;
    }
  }
  [[nodiscard]] std::string text() const { return {text_, size_}; }

 private:
  char text_[16 * 1024];
  std::size_t size_ = 0;
};

/// A clock whose system time does not change.
struct fixed_clock final : winsvc::clock {
  [[nodiscard]] system_time system_now() const noexcept override { return system_time(std::chrono::hours(1)); }
};
inline const fixed_clock fixed_time;

/// A fault if `text` has no `part`.
inline std::string missing(const std::string& text, std::string_view part) {
  return text.find(part) == text.npos ? "no '" + std::string(part) + "' in '" + text + '\'' : std::string();
}

#ifdef __linux__
/// The number of open descriptors.
inline std::string descriptors() {
  int count = 0;
  for ([[maybe_unused]] const auto& entry : std::filesystem::directory_iterator("/proc/self/fd")) ++count;
  return std::to_string(count);
}
#endif

/// The number of the first allocation that fails, counted down to 1, and how many fail from there on; 0: none.
inline thread_local long first_failing = 0, failing_count = 0;

/// Called for each allocation.
inline bool fails_now() noexcept {
  if (first_failing == 0 || (first_failing > 1 && --first_failing > 0) || failing_count == 0) return false;
  --failing_count;
  return true;
}

enum class outcome { completed, failed, threw };

/// Calls `operation`. Its allocations from number `first` on fail, at most `count`. `reached`: at least one has failed.
template <class Operation>
outcome run_with_failures(long first, long count, const Operation& operation, bool& reached) {
  struct armed {
    armed(long number, long failures) noexcept {
      first_failing = number;
      failing_count = failures;
    }
    ~armed() { first_failing = failing_count = 0; }
  };
  outcome result = outcome::completed;
  const armed now(first, count);
  try {
    if constexpr (std::is_same_v<decltype(operation()), bool>) {
      if (!operation()) result = outcome::failed;
    } else {
      operation();
    }
  } catch (const std::bad_alloc&) {
    result = outcome::threw;
  }
  reached = failing_count < count;
  return result;
}

/// For each allocation of `operation`: calls `operation(*make())` while this allocation fails, and while it and the
/// next ones fail. Then calls `check(object, outcome)` on another thread, so that a lock which was not released ends
/// the test. `check` returns the description of a fault; empty: none. An operation that returns false has reported the
/// failure.
template <class Make, class Operation, class Check>
void each_failure(const std::string& name, const Make& make, const Operation& operation, const Check& check) {
  constexpr long max_allocations = 10'000;
  for (const long count : {1L, 30L}) {
    bool reached = true;
    long number = 1;
    for (; reached && number < max_allocations; ++number) {
      auto object = make();
      const outcome result = run_with_failures(number, count, [&] { return operation(*object); }, reached);
      const std::string fault =
          waiting::call_within_deadline(name, [&] { return std::string(check(*object, result)); });
      CHECK_MESSAGE(fault.empty(), name, ", ", count, " from allocation ", number, " on: ", fault);
    }
    CHECK_MESSAGE(number > 2, name, ": the operation has no allocation");
    CHECK_MESSAGE(!reached, name, ": the operation has too many allocations");
  }
}

/// The same for an operation that throws or returns false, and is then repeated. Afterwards `observe` must return the
/// same text as for an object whose operation did not fail.
template <class Make, class Operation, class Observe>
void sweep(const std::string& name, const Make& make, const Operation& operation, const Observe& observe) {
  std::string expected;
  {
    auto object = make();
    static_cast<void>(operation(*object));
    expected = observe(*object);
  }
  each_failure(name, make, operation, [&](auto& object, outcome result) {
    if (result != outcome::completed) static_cast<void>(operation(object));
    const std::string observed = observe(object);
    return observed == expected ? std::string() : "'" + observed + "' instead of '" + expected + "'";
  });
}

}  // namespace failing_allocations
