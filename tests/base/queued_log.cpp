// The queue before the sinks: nobody waits, nothing changes its order, and what is lost is told of.
#include "winsvc/base/queued_log.hpp"

#include <doctest/doctest.h>

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

using namespace std::chrono_literals;
using winsvc::log_entry;
using winsvc::log_level;
using winsvc::logger;
using winsvc::queued_log;

namespace {

/// Keeps what it gets; hangs while `held`.
struct slow_sink final : winsvc::log_sink {
  void write(const log_entry& entry) noexcept override {
    std::unique_lock lock(mutex);
    free.wait(lock, [this] { return !held; });
    texts.push_back(entry.text);
  }
  void flush() noexcept override { ++flushed; }
  void hold(bool now) {
    const std::lock_guard lock(mutex);
    held = now;
    free.notify_all();
  }
  std::vector<std::string> got() {
    const std::lock_guard lock(mutex);
    return texts;
  }
  std::mutex mutex;
  std::condition_variable free;
  bool held = false;
  std::vector<std::string> texts;
  std::atomic<int> flushed{0};
};

struct queued {
  std::shared_ptr<slow_sink> sink = std::make_shared<slow_sink>();
  std::shared_ptr<queued_log> queue;
  logger log;
  explicit queued(queued_log::bounds most = {}) : queue(std::make_shared<queued_log>(most)) {
    queue->to(sink);
    log.add_sink(queue);
  }
  ~queued() { sink->hold(false); }
};

bool comes_true(const std::function<bool()>& it) {
  for (int i = 0; i < 10'000; ++i) {
    if (it()) return true;
    std::this_thread::sleep_for(1ms);
  }
  return false;
}

}  // namespace

TEST_CASE("what is logged arrives by itself, in its order, and at once after a flush") {
  queued q;
  q.log.info("one");
  CHECK(comes_true([&] { return q.sink->got().size() == 1; }));
  for (int i = 0; i < 1000; ++i) q.log.info(std::to_string(i));
  q.log.flush();

  const auto got = q.sink->got();
  REQUIRE(got.size() == 1001);
  for (int i = 0; i < 1000; ++i) CHECK(got[static_cast<std::size_t>(i) + 1] == std::to_string(i));
  CHECK(q.sink->flushed == 1);
  CHECK(q.queue->dropped() == 0);
}

TEST_CASE("the end of the queue writes what is in it") {
  const auto sink = std::make_shared<slow_sink>();
  {
    queued_log queue;
    queue.to(sink);
    for (int i = 0; i < 10; ++i) queue.write({{}, log_level::info, "x"});
  }
  CHECK(sink->got().size() == 10);
}

TEST_CASE("a sink that hangs holds up nobody; what finds no room is counted, and a line tells of it") {
  queued_log::bounds few;
  few.entries = 5;
  queued q(few);
  q.sink->hold(true);
  q.log.info("first");
  std::this_thread::sleep_for(50ms);  // it is on its way into the sink

  const auto began = std::chrono::steady_clock::now();
  for (int i = 0; i < 100; ++i) q.log.info(std::to_string(i));
  CHECK(std::chrono::steady_clock::now() - began < 1s);
  const auto dropped = q.queue->dropped();
  CHECK(dropped >= 95);
  CHECK(dropped <= 96);
  q.sink->hold(false);
  q.log.flush();
  q.log.info("after");
  q.log.flush();

  const auto got = q.sink->got();
  REQUIRE(got.size() == 101 - dropped + 2);
  CHECK(got[0] == "first");
  CHECK(got[got.size() - 2].find(std::to_string(dropped) + " lines of the log were dropped between ") == 0);
  CHECK(got.back() == "after");
}

TEST_CASE("the queue is bounded in bytes as well") {
  queued_log::bounds few;
  few.bytes = 1000;
  queued q(few);
  q.sink->hold(true);
  q.log.info("first");
  std::this_thread::sleep_for(50ms);
  for (int i = 0; i < 10; ++i) q.log.info(std::string(400, 'x'));
  CHECK(q.queue->dropped() >= 8);
}

TEST_CASE("a flush does not wait for ever for a sink that hangs") {
  queued q;
  q.sink->hold(true);
  q.log.info("one");
  const auto began = std::chrono::steady_clock::now();
  q.log.flush();
  CHECK(std::chrono::steady_clock::now() - began < 10s);
}

TEST_CASE("from many threads, every line arrives once, and those of one thread in their order") {
  queued q;
  std::vector<std::thread> all;
  for (int t = 0; t < 4; ++t) {
    all.emplace_back([&q, t] {
      for (int i = 0; i < 2000; ++i) q.log.info(std::to_string(t) + ' ' + std::to_string(i));
    });
  }
  for (auto& one : all) one.join();
  q.log.flush();

  CHECK(q.sink->got().size() + q.queue->dropped() >= 8000);
  int last[4] = {-1, -1, -1, -1};
  for (const auto& text : q.sink->got()) {
    if (text.size() < 3 || text[1] != ' ') continue;
    const int thread = text[0] - '0', number = std::stoi(text.substr(2));
    CHECK(number > last[thread]);
    last[thread] = number;
  }
}
