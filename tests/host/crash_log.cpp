// The last lines of a process that crashes: they are in the file, whatever the thread was doing that crashed.
#include "winsvc/log/async_sink.hpp"
#include "winsvc/log/rotating_file_sink.hpp"
#include "winsvc/log/log_reader.hpp"

#include "../os/part.hpp"

#include <doctest/doctest.h>

#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <memory>
#include <string>
#include <string_view>
#include <thread>
#include <utility>

using namespace winsvc;
using namespace std::chrono_literals;

namespace {

std::string log_path(const std::string& id) {
  return (std::filesystem::temp_directory_path() / ("winsvc-crash-log-" + id)).string();
}

/// A sink that the crash happens in, while the logger's lock is held.
struct trap final : log_sink {
  void write(const log_entry& entry) noexcept override {
    if (entry.text == "and the trap") std::abort();
  }
};

int crash(bool in_the_log) {
  logger log(clock::system(), 500ms);  // which the queue has to write, twice
  const auto queue = std::make_shared<async_sink>();
  queue->add_sink(std::make_shared<host::rotating_file_sink>(log_path(program_arguments().at(2))));
  log.add_sink(queue);
  log.add_sink(std::make_shared<trap>());
  os::crash_handler::crash_handler_options options;
  options.on_crash = [&log](const os::crash_report&) {
    log.error("crashed");
    log.flush();
  };
  const os::crash_handler guard(std::move(options));
  std::thread([&] {
    for (int i = 0; i < 5000; ++i) log.info("line");
    if (in_the_log) log.info("and the trap");
    std::abort();
  }).join();
  return 0;
}

const part crashing("crashing", [] { return crash(false); });
const part crashing_in_the_log("crashing in the log", [] { return crash(true); });

/// What a crashed process left: its lines, and whether the last word is among them.
struct legacy {
  std::size_t lines = 0;
  bool last_word = false;
  explicit legacy(const std::string& part) {
    const std::string id = std::to_string(os::process_id());
    os::remove_file(log_path(id) + ".log");
    CHECK(run_part(part, {id}) != 0);
    host::print_log(log_path(id), {}, [&](std::string_view text) {
      for (const char c : text) lines += c == '\n' ? 1u : 0u;
      last_word = last_word || text.find("ERROR crashed\n") != text.npos;
    });
    os::remove_file(log_path(id) + ".log");
  }
};

}  // namespace

TEST_CASE("a crash loses no line that was queued, and its last word is the last line") {
  const legacy left("crashing");

  CHECK(left.lines == 5001);
  CHECK(left.last_word);
}

TEST_CASE("a crash of a thread that holds the log ends the process all the same, and what was queued is written") {
  const legacy left("crashing in the log");

  CHECK(left.lines == 5001);  // with the one on which it crashed, which the queue had before
  CHECK_FALSE(left.last_word);
}
