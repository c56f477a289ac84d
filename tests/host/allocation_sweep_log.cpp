// Each allocation of an operation of the log fails once. Afterwards the log works, and it has each line or reports it
// as lost.
#include <winsvc/testing.hpp>

#include "../support/failing_allocations.hpp"
#include "../support/test_folder.hpp"

#if defined(__linux__) && !defined(WITH_OPERATOR_NEW_OF_SANITIZER)

  #include <doctest/doctest.h>

  #include <chrono>
  #include <filesystem>
  #include <functional>
  #include <memory>
  #include <new>
  #include <string>
  #include <string_view>
  #include <system_error>
  #include <thread>
  #include <utility>
  #include <vector>

using namespace std::chrono_literals;
using failing_allocations::each_failure;
using failing_allocations::fixed_sink;
using failing_allocations::fixed_time;
using failing_allocations::missing;
using failing_allocations::outcome;
using failing_allocations::sweep;
using winsvc::log_entry;
using winsvc::log_level;
using winsvc::logger;
namespace logs = winsvc::detail::log;

namespace {

const std::string long_line(30, 'x'), second_line(30, 'y');

log_entry entry_of(const std::string& text, std::chrono::hours time = 0h) {
  return {winsvc::clock::system_time(time), log_level::info, text, "\"n\":\"" + text + '"'};
}

struct test_log {
  logger log{fixed_time};
  std::shared_ptr<fixed_sink> sink = std::make_shared<fixed_sink>();
};

/// A queue without a thread.
struct test_queue {
  std::unique_ptr<logs::async_sink> queue;
  std::shared_ptr<fixed_sink> sink = std::make_shared<fixed_sink>();
  explicit test_queue(bool has_thread) {
    logs::async_sink::async_sink_options options;
    options.max_entries = 2;
    if (!has_thread) {
      options.start_thread = [](const std::function<void()>&) -> std::thread {
        throw std::system_error(std::make_error_code(std::errc::resource_unavailable_try_again));
      };
    }
    queue = std::make_unique<logs::async_sink>(std::move(options));
  }
  /// A fault if the queue does not report as many lost lines as it has lost.
  std::string fault_of_counts() {
    const std::string text = text_with_last_line();
    const auto count = queue->lost_count();
    if (count == 0) return missing(text, long_line) + missing(text, "last");
    return missing(text, std::to_string(count) + (count == 1 ? " line was lost" : " lines were lost")) +
           missing(text, "last");
  }
  std::string text_with_last_line() {
    queue->write(entry_of("last"));
    queue->flush();
    return sink->text();
  }
};

struct test_file {
  test_folder folder{"log-sweep"};
  std::unique_ptr<logs::rotating_file_sink> sink;
};

std::unique_ptr<logs::rotating_file_sink> sink_in(const test_folder& folder, bool daily) {
  winsvc::log_file_options options;
  options.daily = daily;
  return std::make_unique<logs::rotating_file_sink>(folder.name("hello"), options, winsvc::clock::system(),
                                                   [](winsvc::clock::system_time) { return 0min; });
}

}  // namespace

TEST_CASE("the log keeps its lines if an allocation fails") {
  const auto with_lines = [] {
    auto made = std::make_unique<test_log>();
    for (int i = 0; i < 101; ++i) made->log.info(i == 0 ? long_line : "line");  // it keeps 100
    return made;
  };
  sweep("logger::add_sink", with_lines, [](test_log& l) { l.log.add_sink(l.sink); }, [](test_log& l) {
    l.log.info("last");
    return l.sink->text();
  });
  sweep("logger::info", [] { return std::make_unique<test_log>(); }, [](test_log& l) { l.log.info(long_line); },
        [](test_log& l) {
          l.log.add_sink(l.sink);
          return l.sink->text();
        });
}

TEST_CASE("the queue of a sink keeps its lines, or counts them, if an allocation fails") {
  const log_entry first = entry_of(long_line), next = entry_of(second_line);
  for (const bool has_thread : {true, false}) {
    const auto with_lines = [has_thread] {
      auto made = std::make_unique<test_queue>(has_thread);
      for (const auto& text : {long_line, second_line, second_line}) made->queue->write(entry_of(text));  // it keeps 2
      return made;
    };
    sweep("async_sink::add_sink", with_lines, [](test_queue& q) { q.queue->add_sink(q.sink); },
          [](test_queue& q) {
            q.queue->flush();
            return q.text_with_last_line() + q.fault_of_counts();
          });
    const auto without_lines = [has_thread] { return std::make_unique<test_queue>(has_thread); };
    each_failure("async_sink::write", without_lines, [&](test_queue& q) { q.queue->write(first); },
                 [](test_queue& q, outcome) {
                   q.queue->add_sink(q.sink);
                   q.queue->flush();
                   return q.fault_of_counts();
                 });
  }
  const auto with_lost_line = [&] {
    auto made = std::make_unique<test_queue>(false);
    bool reached = false;
    failing_allocations::run_with_failures(1, 1, [&] { made->queue->write(first); }, reached);
    made->queue->add_sink(made->sink);
    return made;
  };
  each_failure("async_sink::write after a lost line", with_lost_line, [&](test_queue& q) { q.queue->write(next); },
               [](test_queue& q, outcome) { return q.fault_of_counts(); });
}

TEST_CASE("the log reports lines that were lost because of a lock, if an allocation fails, with the next line") {
  /// Logs another line on another thread, which cannot get the lock, while it receives the line "first".
  struct busy_sink final : winsvc::log_sink {
    void write(const log_entry& entry) noexcept override {
      if (entry.text == "first") std::thread([this] { log->info("lost"); }).join();
      kept.write(entry);
    }
    logger* log = nullptr;
    fixed_sink kept;
  };
  struct busy_log {
    logger log{fixed_time, 1ms};
    std::shared_ptr<busy_sink> sink = std::make_shared<busy_sink>();
    busy_log() {
      sink->log = &log;
      log.add_sink(sink);
      log.info("first");
    }
  };
  each_failure("logger::info", [] { return std::make_unique<busy_log>(); }, [](busy_log& l) { l.log.info("second"); },
               [](busy_log& l, outcome) {
                 l.log.info("last");
                 const std::string text = l.sink->kept.text();
                 return missing(text, "1 line was lost") + missing(text, "second") + missing(text, "last");
               });
}

TEST_CASE("a ring of log entries has no entry of two texts if an allocation fails") {
  const auto full = [] {
    auto ring = std::make_unique<logs::ring_sink>(2);
    for (const char* text : {"a", "b"}) ring->write(entry_of(text));
    return ring;
  };
  const log_entry added = entry_of(long_line);
  each_failure("ring_sink::write", full, [&](logs::ring_sink& ring) { ring.write(added); },
               [](logs::ring_sink& ring, outcome) {
                 for (const auto& [number, entry] : ring.after(0)) {
                   if (entry.json_fields != "\"n\":\"" + entry.text + '"') return entry.text + ' ' + entry.json_fields;
                 }
                 return std::string(ring.after(0).size() == 2 ? "" : "lost entry");
               });
}

TEST_CASE("a log file is rotated on a new day although an allocation failed at the first line of the day") {
  const auto with_first_day = [] {
    auto made = std::make_unique<test_file>();
    made->sink = sink_in(made->folder, true);
    made->sink->write(entry_of("first day"));
    return made;
  };
  const std::vector<log_entry> batch{entry_of(long_line, 30h), entry_of(second_line, 30h)};
  each_failure("rotating_file_sink::write_batch", with_first_day, [&](test_file& f) { f.sink->write_batch(batch); },
               [](test_file& f, outcome) {
                 f.sink->write(entry_of("last", 31h));
                 const std::string text = f.folder.content("hello.log");
                 // Without memory for its new name, the rotated file keeps its temporary name until the next rotation.
                 const std::string rotated = f.folder.content("hello.1.log") + f.folder.content("hello.pending.log");
                 if (const auto fault = missing(rotated, "first day"); !fault.empty()) return fault;
                 if (text.find("first day") != text.npos) return "not rotated: " + text;
                 if (!missing(text, long_line).empty() && !missing(text, " lost ").empty()) return text;
                 return missing(text, "last");
               });
}

TEST_CASE("a line does not continue an incomplete line of another program if an allocation fails") {
  const auto with_new_file = [] {
    auto made = std::make_unique<test_file>();
    made->sink = sink_in(made->folder, false);
    REQUIRE(winsvc::detail::os::replace_file(made->folder.name("hello.log"), "incomplete"));
    return made;
  };
  each_failure("rotating_file_sink::flush", with_new_file, [](test_file& f) { f.sink->flush(); },
               [](test_file& f, outcome) {
                 f.sink->flush();
                 f.sink->write(entry_of("last"));
                 const std::string text = f.folder.content("hello.log");
                 return text.compare(0, 11, "incomplete\n") == 0 ? missing(text, "last") : text;
               });
}

TEST_CASE("an exception of the callback for write errors does not end the process") {
  test_file file;
  file.sink = sink_in(file.folder, false);
  file.sink->on_write_error([](std::uint32_t) { throw std::bad_alloc(); });
  std::filesystem::remove_all(file.folder.path);
  REQUIRE(winsvc::detail::os::replace_file(file.folder.path.string(), "a file has the name of the folder"));

  file.sink->flush();

  CHECK_FALSE(file.sink->is_open());
}

#endif
