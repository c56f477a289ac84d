// Lines that wait for nobody: bounded, in order, and none lost in silence.
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
using winsvc::async_sink;
using namespace std::chrono_literals;

namespace {

using texts = std::vector<std::string>;

/// Without a lock of its own: a sink is promised one thread at a time, and the thread sanitizer watches.
class memory final : public winsvc::log_sink {
 public:
  void write(const log_entry& entry) noexcept override { seen.push_back(entry.text); }
  void flush() noexcept override { ++flushed; }
  texts seen;
  int flushed = 0;
};

/// Holds whoever writes to it until it is opened.
class gate final : public winsvc::log_sink {
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

log_entry entry(std::string text, std::chrono::milliseconds at = 0ms) {
  return {winsvc::clock::system_time(std::chrono::duration_cast<winsvc::clock::system_time::duration>(at)),
          log_level::info, std::move(text)};
}

async_sink::async_sink_options small(std::size_t entries, std::size_t bytes = 1024) {
  async_sink::async_sink_options options;
  options.max_entries = entries;
  options.max_bytes = bytes;
  return options;
}

}  // namespace

TEST_CASE("after a flush, everything is with the sinks, in order, and they are flushed too") {
  async_sink log;
  const auto one = std::make_shared<memory>(), other = std::make_shared<memory>();
  log.add_sink(one);
  log.add_sink(other);

  for (const char* text : {"a", "b", "c"}) log.write(entry(text));
  log.flush();

  CHECK(one->seen == texts{"a", "b", "c"});
  CHECK(other->seen == texts{"a", "b", "c"});
  CHECK(one->flushed == 1);
  log.flush();
  CHECK(one->flushed == 2);
}

TEST_CASE("the end of the queue writes what is left") {
  const auto sink = std::make_shared<memory>();
  {
    async_sink log;
    log.add_sink(sink);
    for (int i = 0; i < 1000; ++i) log.write(entry(std::to_string(i)));
  }
  REQUIRE(sink->seen.size() == 1000);
  CHECK(sink->seen[999] == "999");
  CHECK(sink->flushed >= 1);
}

TEST_CASE("what was written before the first sink waits for it; a later sink gets what follows") {
  async_sink log;
  log.write(entry("early"));
  log.flush();  // nobody to flush, and no reason to wait
  const auto first = std::make_shared<memory>(), second = std::make_shared<memory>();

  log.add_sink(first);
  log.flush();
  log.add_sink(second);
  log.write(entry("late"));
  log.flush();

  CHECK(first->seen == texts{"early", "late"});
  CHECK(second->seen == texts{"late"});
}

TEST_CASE("a queue that is full takes nothing and holds up nobody, and says how much it did not take") {
  const auto sink = std::make_shared<gate>();
  async_sink log(small(3));
  log.add_sink(sink);
  log.write(entry("first"));
  sink->wait_until_entered();  // the thread is stuck with it, and the queue is empty

  for (int i = 1; i <= 5; ++i) log.write(entry(std::to_string(i), i * 1s));
  CHECK(log.dropped_count() == 2);
  sink->open();
  log.flush();
  log.write(entry("after"));
  log.flush();

  CHECK(sink->seen == texts{"first", "1", "2", "3",
                            "2 lines were dropped between 1970-01-01T00:00:04.000Z and 1970-01-01T00:00:05.000Z: "
                            "they came faster than they could be written",
                            "after"});
}

TEST_CASE("long texts fill the queue as well, but one of any length may wait alone") {
  const auto sink = std::make_shared<gate>();
  auto options = small(100, 10);
  options.utc_offset = [](winsvc::clock::system_time) { return 60min; };
  async_sink log(std::move(options));
  log.add_sink(sink);
  log.write(entry("first"));
  sink->wait_until_entered();

  const std::string lengthy(50, 'x');
  log.write(entry(lengthy));
  log.write(entry("y", 1s));
  sink->open();
  log.flush();

  CHECK(sink->seen == texts{"first", lengthy,
                            "1 line was dropped between 1970-01-01T01:00:01.000+01:00 and "
                            "1970-01-01T01:00:01.000+01:00: they came faster than they could be written"});
}

TEST_CASE("a flush gives up when a sink does not come back") {
  const auto sink = std::make_shared<gate>();
  auto options = small(10);
  options.flush_timeout = 10ms;
  async_sink log(std::move(options));
  log.add_sink(sink);
  log.write(entry("stuck"));
  sink->wait_until_entered();

  log.flush();

  CHECK(sink->seen.empty());
  sink->open();
}

TEST_CASE("a sink may log and flush through the queue it is called by") {
  struct talking final : winsvc::log_sink {
    explicit talking(async_sink& to) : log(&to) {}
    void write(const log_entry& e) noexcept override {
      seen.push_back(e.text);
      if (e.text == "question") log->write(entry("answer"));
      log->flush();
    }
    async_sink* log;
    texts seen;
  };
  async_sink log;
  const auto sink = std::make_shared<talking>(log);
  log.add_sink(sink);

  log.write(entry("question"));
  log.flush();
  log.flush();

  CHECK(sink->seen == texts{"question", "answer"});
}

TEST_CASE("where no thread can be started, lines go to the sinks at once") {
  async_sink::async_sink_options options;
  options.start_thread = [](std::function<void()>) -> std::thread { throw std::system_error(EAGAIN, std::generic_category()); };
  async_sink log(std::move(options));
  const auto sink = std::make_shared<memory>();

  log.write(entry("early"));
  log.add_sink(sink);
  CHECK(sink->seen == texts{"early"});
  log.write(entry("late"));
  CHECK(sink->seen == texts{"early", "late"});
  log.flush();
  CHECK(sink->flushed == 1);
}

TEST_CASE("a lock that its holder never gives back is given up, and what was not written for it is told") {
  auto options = small(10);
  options.flush_timeout = 10ms;
  options.start_thread = [](std::function<void()>) -> std::thread { throw std::system_error(EAGAIN, std::generic_category()); };
  async_sink log(std::move(options));  // without a thread, a sink is called under the lock: a way to hold it
  const auto sink = std::make_shared<gate>();
  log.add_sink(sink);
  waiting::scoped_thread holder("the thread that holds the lock", [&] { log.write(entry("first")); });
  sink->wait_until_entered();

  log.write(entry("lost"));
  log.flush();
  CHECK(log.dropped_count() == 1);
  sink->open();
  holder.join();
  log.write(entry("after"));

  CHECK(sink->seen == texts{"first",
                            "1 line was dropped between 1970-01-01T00:00:00.000Z and 1970-01-01T00:00:00.000Z: "
                            "they came faster than they could be written",
                            "after"});
}

TEST_CASE("what many threads write through a logger arrives in the order of its times, whole or counted") {
  winsvc::logger log;
  async_sink::async_sink_options options = small(64, 1'000'000);
  const auto queue = std::make_shared<async_sink>(std::move(options));
  struct watching final : winsvc::log_sink {
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
  const auto sink = std::make_shared<watching>();
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
  CHECK(sink->counted == queue->dropped_count());
}
