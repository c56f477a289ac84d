// The last log lines of a process that crashes are in the file, even if the crashed thread held a lock of the log.
#include "winsvc/log/async_sink.hpp"
#include "winsvc/log/rotating_file_sink.hpp"
#include "winsvc/log/log_reader.hpp"

#include "../support/part.hpp"

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
using namespace winsvc::detail::log;
using namespace std::chrono_literals;

namespace {

std::string log_path(const std::string& id) {
  return (std::filesystem::temp_directory_path() / ("winsvc-crash-log-" + id)).string();
}

/// A sink that crashes while the lock of the logger is held.
struct trap final : log_sink {
  void write(const log_entry& entry) noexcept override {
    if (entry.text == "and the trap") std::abort();
  }
};

int crash(bool in_the_log) {
  logger log(clock::system(), 500ms);  // time limit of the queue for each flush
  const auto queue = std::make_shared<async_sink>();
  queue->add_sink(std::make_shared<detail::log::rotating_file_sink>(log_path(program_arguments().at(2))));
  log.add_sink(queue);
  log.add_sink(std::make_shared<trap>());
  detail::os::crash_handler::crash_handler_options options;
  options.on_crash = [&log](const detail::os::crash_report&) {
    log.error("crashed");
    log.flush();
  };
  const detail::os::crash_handler handler(std::move(options));
  std::thread([&] {
    for (int i = 0; i < 5000; ++i) log.info("line");
    if (in_the_log) log.info("and the trap");
    std::abort();
  }).join();
  return 0;
}

const part crashing("crashing", [] { return crash(false); });
const part crashing_in_the_log("crashing in the log", [] { return crash(true); });

/// Log file of a crashed process: number of lines, and whether the crash message is one of them.
struct crashed_log {
  std::size_t lines = 0;
  bool has_crash_line = false;
  explicit crashed_log(const std::string& part) {
    const std::string id = std::to_string(detail::os::process_id());
    detail::os::remove_file(log_path(id) + ".log");
    CHECK(run_part(part, {id}) != 0);
    detail::log::print_log(log_path(id), {}, [&](std::string_view text) {
      for (const char c : text) lines += c == '\n' ? 1u : 0u;
      has_crash_line = has_crash_line || text.find("ERROR crashed\n") != text.npos;
    });
    detail::os::remove_file(log_path(id) + ".log");
  }
};

}  // namespace

TEST_CASE("a crash loses no queued line, and the crash message is the last line") {
  const crashed_log log("crashing");

  CHECK(log.lines == 5001);
  CHECK(log.has_crash_line);
}

TEST_CASE("if a thread crashes while it holds the log's lock, the process ends and the queued lines are written") {
  const crashed_log log("crashing in the log");

  CHECK(log.lines == 5001);  // includes the line that caused the crash, which was in the queue
  CHECK_FALSE(log.has_crash_line);
}
