// Tests of async_sink: the bounded queue, the order of entries, dropped entries.
#include "winsvc/log/async_sink.hpp"

#include "../support/wait.hpp"

#include <doctest/doctest.h>

#include <cerrno>
#include <chrono>
#include <cstdlib>
#include <future>
#include <string>
#include <system_error>
#include <thread>
#include <vector>

using winsvc::log_entry;
using winsvc::log_level;
using winsvc::detail::log::async_sink;
using namespace std::chrono_literals;

namespace {

using texts = std::vector<std::string>;

/// Has no lock: a sink is called by one thread at a time. The thread sanitizer checks this.
class memory_sink final : public winsvc::log_sink {
 public:
  void write(const log_entry& entry) noexcept override { seen.push_back(entry.text); }
  void flush() noexcept override { ++flushed; }
  texts seen;
  int flushed = 0;
};

/// Blocks `write` until the test calls `open`.
class blocking_sink final : public winsvc::log_sink {
 public:
  void write(const log_entry& entry) noexcept override {
    if (seen.empty()) entered_.set_value();
    waiting::wait_for_value(opened_, "the release of the sink");
    seen.push_back(entry.text);
  }
  void wait_until_entered() { waiting::wait_for_value(entered_.get_future(), "the first line to reach the sink"); }
  void open() { open_.set_value(); }
  texts seen;

 private:
  std::promise<void> entered_, open_;
  std::shared_future<void> opened_ = open_.get_future().share();
};

log_entry entry(std::string text, std::chrono::milliseconds time = 0ms) {
  return {winsvc::clock::system_time(std::chrono::duration_cast<winsvc::clock::system_time::duration>(time)),
          log_level::info, std::move(text)};
}

async_sink::async_sink_options limited_to(std::size_t max_entries, std::size_t max_bytes = 1024) {
  async_sink::async_sink_options options;
  options.max_entries = max_entries;
  options.max_bytes = max_bytes;
  return options;
}

/// Options with which the thread of the sink cannot be started.
async_sink::async_sink_options without_thread() {
  async_sink::async_sink_options options;
  options.start_thread = [](std::function<void()>) -> std::thread {
    throw std::system_error(EAGAIN, std::generic_category());
  };
  return options;
}

}  // namespace

TEST_CASE("flush writes all entries in order to all sinks and flushes the sinks") {
  async_sink log;
  const auto first = std::make_shared<memory_sink>(), second = std::make_shared<memory_sink>();
  log.add_sink(first);
  log.add_sink(second);

  for (const char* text : {"a", "b", "c"}) log.write(entry(text));
  log.flush();

  CHECK(first->seen == texts{"a", "b", "c"});
  CHECK(second->seen == texts{"a", "b", "c"});
  CHECK(first->flushed == 1);
  log.flush();
  CHECK(first->flushed == 2);
}

TEST_CASE("the destructor writes the queued entries") {
  const auto sink = std::make_shared<memory_sink>();
  {
    async_sink log;
    log.add_sink(sink);
    for (int i = 0; i < 1000; ++i) log.write(entry(std::to_string(i)));
  }
  REQUIRE(sink->seen.size() == 1000);
  CHECK(sink->seen[999] == "999");
  CHECK(sink->flushed >= 1);
}

TEST_CASE("entries wait in the queue for the first sink; a later sink receives only later entries") {
  async_sink log;
  log.write(entry("early"));
  log.flush();  // there is no sink: returns at once
  const auto first = std::make_shared<memory_sink>(), second = std::make_shared<memory_sink>();

  log.add_sink(first);
  log.flush();
  log.add_sink(second);
  log.write(entry("late"));
  log.flush();

  CHECK(first->seen == texts{"early", "late"});
  CHECK(second->seen == texts{"late"});
}

TEST_CASE("a full queue drops entries, blocks no thread and reports the number of dropped entries") {
  const auto sink = std::make_shared<blocking_sink>();
  async_sink log(limited_to(3));
  log.add_sink(sink);
  log.write(entry("first"));
  sink->wait_until_entered();  // the thread is blocked in the sink, and the queue is empty

  for (int i = 1; i <= 5; ++i) log.write(entry(std::to_string(i), i * 1s));
  CHECK(log.lost_count() == 2);
  sink->open();
  log.flush();
  log.write(entry("after"));
  log.flush();

  CHECK(sink->seen == texts{"first", "1", "2", "3",
                            "2 lines were lost between 1970-01-01T00:00:04.000Z and 1970-01-01T00:00:05.000Z: "
                            "they were logged faster than they could be written",
                            "after"});
}

TEST_CASE("long texts fill the queue, but a single entry of any length is accepted") {
  const auto sink = std::make_shared<blocking_sink>();
  auto options = limited_to(100, 10);
  options.utc_offset = [](winsvc::clock::system_time) { return 60min; };
  async_sink log(std::move(options));
  log.add_sink(sink);
  log.write(entry("first"));
  sink->wait_until_entered();

  const std::string long_text(50, 'x');
  log.write(entry(long_text));
  log.write(entry("y", 1s));
  sink->open();
  log.flush();

  CHECK(sink->seen == texts{"first", long_text,
                            "1 line was lost at 1970-01-01T01:00:01.000+01:00: "
                            "they were logged faster than they could be written"});
}

TEST_CASE("flush returns after its timeout if a sink is blocked") {
  const auto sink = std::make_shared<blocking_sink>();
  auto options = limited_to(10);
  options.flush_timeout = 10ms;
  async_sink log(std::move(options));
  log.add_sink(sink);
  log.write(entry("stuck"));
  sink->wait_until_entered();

  log.flush();

  CHECK(sink->seen.empty());
  sink->open();
}

TEST_CASE("a sink may log and flush through the queue that calls it") {
  struct logging_sink final : winsvc::log_sink {
    explicit logging_sink(async_sink& queue) : log(&queue) {}
    void write(const log_entry& e) noexcept override {
      seen.push_back(e.text);
      if (e.text == "request") log->write(entry("response"));
      log->flush();
    }
    async_sink* log;
    texts seen;
  };
  async_sink log;
  const auto sink = std::make_shared<logging_sink>(log);
  log.add_sink(sink);

  log.write(entry("request"));
  log.flush();
  log.flush();

  CHECK(sink->seen == texts{"request", "response"});
}

TEST_CASE("without a thread, entries go to the sinks at once") {
  async_sink log(without_thread());
  const auto sink = std::make_shared<memory_sink>();

  log.write(entry("early"));
  log.add_sink(sink);
  CHECK(sink->seen == texts{"early"});
  log.write(entry("late"));
  CHECK(sink->seen == texts{"early", "late"});
  log.flush();
  CHECK(sink->flushed == 1);
}

TEST_CASE("an entry is dropped and reported if another thread holds the lock for too long") {
  auto options = without_thread();
  options.flush_timeout = 10ms;
  async_sink log(std::move(options));  // without a thread, a sink is called under the lock, so the test can hold it
  const auto sink = std::make_shared<blocking_sink>();
  log.add_sink(sink);
  waiting::scoped_thread holder("the thread that holds the lock", [&] { log.write(entry("first")); });
  sink->wait_until_entered();

  log.write(entry("lost"));
  log.flush();
  CHECK(log.lost_count() == 1);
  sink->open();
  holder.join();
  log.write(entry("after"));

  CHECK(sink->seen == texts{"first",
                            "1 line was lost at 1970-01-01T00:00:00.000Z: "
                            "they were logged faster than they could be written",
                            "after"});
}

TEST_CASE("entries of many threads arrive in the order of their times, or are counted as dropped") {
  winsvc::logger log;
  const auto queue = std::make_shared<async_sink>(limited_to(64, 1'000'000));
  struct counting_sink final : winsvc::log_sink {
    void write(const log_entry& e) noexcept override {
      if (e.time < last) ++backwards;
      last = e.time;
      if (e.level == log_level::warn) counted += std::strtoul(e.text.c_str(), nullptr, 10);
      else ++lines;
    }
    winsvc::clock::system_time last{};
    int backwards = 0;
    unsigned long lines = 0, counted = 0;
  };
  const auto sink = std::make_shared<counting_sink>();
  queue->add_sink(sink);
  log.add_sink(queue);

  std::vector<waiting::scoped_thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back("a thread that logs", [&log] {
      for (int i = 0; i < 5000; ++i) log.info("line");
    });
  }
  threads.emplace_back("a thread that flushes", [&log] {
    for (int i = 0; i < 20; ++i) log.flush();
  });
  for (auto& t : threads) t.join();
  log.flush();

  CHECK(sink->backwards == 0);
  CHECK(sink->lines + sink->counted == 20'000);
  CHECK(sink->counted == queue->lost_count());
}
