// Request counts: requests in flight, and responses.
#include "winsvc/http/request_counts.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <thread>
#include <vector>

using winsvc::detail::base::thread_stripe;
using winsvc::detail::http::request_counts;

TEST_CASE("requests of more threads than stripes are each counted once") {
  constexpr std::size_t thread_count = thread_stripe::count + 7, requests = 100'000;
  request_counts counts;
  std::atomic<bool> started{false};  // all threads count at the same time
  std::vector<std::thread> threads;
  for (std::size_t t = 0; t < thread_count; ++t) {
    threads.emplace_back([&counts, &started] {
      while (!started.load()) std::this_thread::yield();
      for (std::size_t i = 0; i < requests; ++i) {
        counts.begin();
        if (i % 10 != 9) counts.end(i % 2 == 0);
      }
    });
  }
  started.store(true);
  for (auto& thread : threads) thread.join();
  CHECK(counts.responses() == thread_count * requests / 2);
  CHECK(counts.in_flight() == thread_count * requests / 10);
  for (std::size_t i = 0; i < thread_count * requests / 10; ++i) counts.end(false);
  CHECK(counts.in_flight() == 0);
}

TEST_CASE("the number of requests in flight is never negative while requests change their thread") {
  constexpr std::size_t requests = 500;
  request_counts counts;
  std::atomic<std::size_t> begun{0}, ended{0};
  std::thread first([&] {
    for (std::size_t i = 0; i < requests; ++i) {
      while (ended.load() < i) std::this_thread::yield();
      counts.begin();
      begun.store(i + 1);
    }
  });
  std::thread second([&] {
    for (std::size_t i = 0; i < requests; ++i) {
      while (begun.load() <= i) std::this_thread::yield();
      counts.end(true);
      ended.store(i + 1);
    }
  });
  std::size_t greatest = 0;
  while (ended.load() < requests) greatest = (std::max)(greatest, counts.in_flight());
  first.join();
  second.join();
  CHECK(greatest <= requests);
  CHECK(counts.in_flight() == 0);
  CHECK(counts.responses() == requests);
}

TEST_CASE("a reader that is paused while it counts does not report requests that have ended") {
  constexpr std::size_t thread_count = 4, max_reported = 100;  // each thread has one request at a time
  request_counts counts;
  std::atomic<bool> stopping{false};
  std::vector<std::thread> threads;
  for (std::size_t t = 0; t < thread_count; ++t) {
    threads.emplace_back([&counts, &stopping] {
      while (!stopping.load()) {
        counts.begin();
        counts.end(true);
      }
    });
  }
  std::size_t greatest = 0;
  for (int i = 0; i < 100'000; ++i) greatest = (std::max)(greatest, counts.in_flight());
  stopping.store(true);
  for (auto& thread : threads) thread.join();
  CHECK(greatest <= max_reported);
  CHECK(counts.in_flight() == 0);
}
