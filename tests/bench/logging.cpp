// Benchmark of logging: several threads log at a constant rate through the async sink into a rotating log file. Prints
// the duration of the calls, and checks that no line is lost without a report. Run it manually for more than seconds.
//
//   g++ -O2 -std=c++17 -Iinclude -isystem build/deps/include tests/bench/logging.cpp -o build/logging -pthread
//   build/logging 100000 5 4        # lines per second in total, seconds, threads; a rate of 0 is as fast as possible
//
// Each line must be in a file, or in a count that the log reports. The benchmark fails if a line is in neither.
#include "winsvc/base/log.hpp"
#include "winsvc/log/async_sink.hpp"
#include "winsvc/log/rotating_file_sink.hpp"
#include "winsvc/log/log_reader.hpp"

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <memory>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

using namespace std::chrono_literals;
using steady = std::chrono::steady_clock;

namespace {

/// Logs lines at the given interval. Returns the duration of each call in nanoseconds.
std::vector<std::uint32_t> log_lines(winsvc::logger& log, int thread, std::uint64_t lines, steady::duration interval) {
  std::vector<std::uint32_t> durations;
  durations.reserve(lines);
  auto next_time = steady::now();
  for (std::uint64_t i = 0; i < lines; ++i, next_time += interval) {
    // A sleep lasts at least a millisecond, which is longer than the interval. Late lines follow without a pause.
    while (steady::now() < next_time) std::this_thread::sleep_for(1ms);
    std::string text = "GET /users/" + std::to_string(i) + " 200 12 us of thread " + std::to_string(thread);
    const auto before = steady::now();
    log.info(std::move(text));
    durations.push_back(static_cast<std::uint32_t>((steady::now() - before).count()));
  }
  return durations;
}

std::uint64_t number(int argc, char** argv, int index, std::uint64_t default_value) {
  return argc > index ? std::strtoull(argv[index], nullptr, 10) : default_value;
}

}  // namespace

int main(int argc, char** argv) {
  const std::uint64_t rate = number(argc, argv, 1, 100'000), seconds = number(argc, argv, 2, 5);
  const auto threads = static_cast<std::size_t>(number(argc, argv, 3, 4));
  const std::uint64_t lines_per_thread = (rate != 0 ? rate : 500'000) * seconds / threads;
  const auto interval = rate != 0 ? steady::duration(std::chrono::nanoseconds(1'000'000'000ull * threads / rate)) : 0ns;
  namespace fs = std::filesystem;
  const fs::path folder =
      fs::temp_directory_path() / ("winsvc-logging-" + std::to_string(winsvc::detail::os::process_id()));
  fs::create_directories(folder);

  const std::string path = (folder / "bench").string();
  winsvc::log_file_options limits;
  limits.max_files = 1000;
  std::vector<std::vector<std::uint32_t>> durations(threads);
  std::uint64_t dropped = 0, unwritten = 0;
  const auto start = steady::now();
  {
    winsvc::logger log;
    const auto file = std::make_shared<winsvc::detail::log::rotating_file_sink>(path, limits);
    const auto queue = std::make_shared<winsvc::detail::log::async_sink>();
    queue->add_sink(file);
    log.add_sink(queue);
    std::vector<std::thread> writers;
    for (std::size_t thread = 0; thread < threads; ++thread) {
      writers.emplace_back([&, thread] {
        durations[thread] = log_lines(log, static_cast<int>(thread), lines_per_thread, interval);
      });
    }
    for (auto& writer : writers) writer.join();
    log.flush();
    dropped = queue->lost_count();
    unwritten = file->lost_count();
  }
  const double elapsed = std::chrono::duration<double>(steady::now() - start).count();

  std::uint64_t lines = 0, reported = 0, files = 0;
  winsvc::detail::log::print_log(path, {}, [&](std::string_view text) {
    while (!text.empty()) {
      const std::string_view line = text.substr(0, text.find('\n'));
      if (line.find(" WARN ") == line.npos) ++lines;
      else reported += std::strtoull(std::string(line.substr(line.find("WARN ") + 6)).c_str(), nullptr, 10);
      text.remove_prefix(line.size() + 1);
    }
  });
  for ([[maybe_unused]] const auto& f : fs::directory_iterator(folder)) ++files;
  fs::remove_all(folder);

  std::vector<std::uint32_t> sorted;
  for (const auto& calls : durations) sorted.insert(sorted.end(), calls.begin(), calls.end());
  std::sort(sorted.begin(), sorted.end());
  const auto percentile =  [&](double part) {
    return sorted[static_cast<std::size_t>(static_cast<double>(sorted.size() - 1) * part)];
  };
  const std::uint64_t logged = lines_per_thread * threads;
  std::printf("%llu lines in %.2f s: %llu written to %llu files, %llu dropped and %llu unwritten, %llu reported\n",
              static_cast<unsigned long long>(logged), elapsed, static_cast<unsigned long long>(lines),
              static_cast<unsigned long long>(files), static_cast<unsigned long long>(dropped),
              static_cast<unsigned long long>(unwritten), static_cast<unsigned long long>(reported));
  std::printf("duration of a call: median %u ns, p99 %u ns, p99.9 %u ns, maximum %u ns\n", percentile(0.5),
              percentile(0.99), percentile(0.999), sorted.back());
  const bool complete = lines + reported == logged && reported == dropped + unwritten;
  std::printf("%s\n", complete ? "no line is lost without a report" : "LINES ARE LOST WITHOUT A REPORT");
  return complete ? 0 : 1;
}
