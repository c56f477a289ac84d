#include "winsvc/server/thread_progress.hpp"

#include <doctest/doctest.h>

#include <chrono>

using namespace std::chrono_literals;
using winsvc::detail::server::thread_progress;
using winsvc::detail::server::thread_state;

TEST_CASE("a thread without items is idle, one that serves some moves, one that serves many is quick") {
  thread_progress thread;
  CHECK(thread.observe(0, 2ms) == thread_state::idle);
  CHECK(thread.observe(1, 2ms) == thread_state::moved);  // its first item has begun
  CHECK(thread.observe(2, 2ms) == thread_state::moved);
  CHECK(thread.observe(2, 2ms) == thread_state::idle);
  CHECK(thread.observe(33, 2ms) == thread_state::moved);
  CHECK(thread.observe(65, 2ms) == thread_state::quick);
}

TEST_CASE("a thread is blocked after 6 ms in one item") {
  thread_progress thread;
  CHECK(thread.observe(1, 2ms) == thread_state::moved);
  CHECK(thread.observe(1, 2ms) == thread_state::unchanged);
  CHECK(thread.observe(1, 2ms) == thread_state::unchanged);
  CHECK(thread.observe(1, 2ms) == thread_state::blocked);
  CHECK(thread.observe(3, 2ms) == thread_state::moved);
  CHECK(thread.observe(3, 2ms) == thread_state::unchanged);
}

TEST_CASE("one interval, however long, does not make a thread blocked") {
  thread_progress thread;
  CHECK(thread.observe(1, 2ms) == thread_state::moved);
  CHECK(thread.observe(1, 1h) == thread_state::unchanged);
  CHECK(thread.observe(1, 2ms) == thread_state::blocked);
}
