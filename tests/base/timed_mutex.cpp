// Tests of timed_mutex, the mutex of the log.
#include "winsvc/base/timed_mutex.hpp"

#include "../support/wait.hpp"

#include <doctest/doctest.h>

#include <chrono>
#include <optional>
#include <utility>

using namespace std::chrono_literals;
using winsvc::detail::base::timed_mutex;

TEST_CASE("a lock excludes others until the end of its scope, with a timeout and without") {
  timed_mutex mutex;
  {
    const timed_mutex::scoped_lock lock(mutex);
    CHECK(lock);
    CHECK_FALSE(mutex.try_lock_for(1ms));
  }
  {
    const timed_mutex::scoped_lock lock(mutex, 0ms);
    CHECK(lock);
    CHECK_FALSE(mutex.try_lock_for(1ms));
  }
  CHECK(mutex.try_lock_for(0ms));
  mutex.unlock();
}

TEST_CASE("a lock waits until the mutex is free") {
  timed_mutex mutex;
  int value = 0;
  std::optional<timed_mutex::scoped_lock> first(std::in_place, mutex);
  const auto add = [&] { ++value; };
  waiting::scoped_thread without_timeout("a lock without a timeout", [&] {
    const timed_mutex::scoped_lock lock(mutex);
    add();
  });
  waiting::scoped_thread with_timeout("a lock with a timeout", [&] {
    const timed_mutex::scoped_lock lock(mutex, 1h);
    if (lock) add();
  });
  for (int i = 0; i < 20; ++i) {
    CHECK_FALSE(mutex.try_lock_for(1ms));  // the two threads wait meanwhile
    CHECK(value == 0);
  }
  first.reset();
  without_timeout.join();
  with_timeout.join();
  CHECK(value == 2);
}
