// A process that is killed (kill -9) loses no line that the log has written, and the next process continues the log.
#include "winsvc/log/async_sink.hpp"
#include "winsvc/log/rotating_file_sink.hpp"

#include "../support/part.hpp"
#include "../support/wait.hpp"

#include <doctest/doctest.h>

#if !defined(_WIN32)

  #include <chrono>
  #include <csignal>
  #include <filesystem>
  #include <memory>
  #include <string>
  #include <sys/wait.h>
  #include <thread>
  #include <unistd.h>

using namespace winsvc;
using namespace winsvc::detail::log;
using namespace std::chrono_literals;
namespace fs = std::filesystem;

namespace {

constexpr int files_kept = 400;

log_file_options small_files() {
  log_file_options options;
  options.max_file_bytes = 16 * 1024;
  options.max_files = files_kept;
  return options;
}

/// The child process: writes numbered lines until it is killed. The queue is flushed after each 50 lines.
const part numbered_lines("numbered-lines", [] {
  const std::string path = program_arguments().at(2);
  const auto queue = std::make_shared<async_sink>();
  queue->add_sink(std::make_shared<rotating_file_sink>(path, small_files()));
  for (int i = 0;; ++i) {
    queue->write({clock::system().system_now(), log_level::info, "number " + std::to_string(i), {}});
    if (i % 50 == 49) queue->flush();
  }
  return 0;
});

/// All lines of the log, oldest first.
std::string read_log(const std::string& path) {
  std::string text;
  for (int age = files_kept; age >= 0; --age) text += detail::os::read_file(log_file_name(path, age)).value_or("");
  return text;
}

}  // namespace

TEST_CASE("after a kill each line is complete, no line between two others is missing, and the next run continues") {
  const fs::path folder = fs::temp_directory_path() / ("winsvc-kill-" + std::to_string(detail::os::process_id()));
  for (int run = 0; run < 5; ++run) {
    fs::remove_all(folder);
    fs::create_directories(folder);
    const std::string path = (folder / "hello").string();
    const pid_t child = start_part("numbered-lines", {path});
    REQUIRE(child >= 0);
    waiting::wait_until([&] { return fs::exists(log_file_name(path, 2)); }, "the second rotation");
    std::this_thread::sleep_for(std::chrono::milliseconds(3 * run));
    ::kill(child, SIGKILL);
    int status = 0;
    REQUIRE(::waitpid(child, &status, 0) == child);
    REQUIRE(WIFSIGNALED(status));

    rotating_file_sink next(path, small_files());
    CHECK_FALSE(next.is_alternate());  // the lock ended with the process
    next.write({clock::system().system_now(), log_level::info, "the next run", {}});

    const std::string text = read_log(path);
    int expected = 0, malformed = 0;
    bool continued = false;
    for (const auto line : detail::base::split(text, '\n')) {
      if (line.empty()) continue;
      const auto number = line.find("number ");
      if (line.find("the next run") != line.npos) continued = true;
      else if (number != line.npos && line.substr(number + 7) == std::to_string(expected)) ++expected;
      else ++malformed;
    }
    CHECK(expected > 300);
    CHECK(malformed <= 1);  // a line that the kill has cut; the next run has ended it
    CHECK(continued);
  }
  fs::remove_all(folder);
}

#endif
