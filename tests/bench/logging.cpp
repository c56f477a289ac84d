// What a line of the log costs whoever logs it, and whether any is lost: 4 threads, 100,000 lines a second in all.
//
//   g++ -std=c++17 -O2 -Iinclude -isystem build/deps/include tests/bench/logging.cpp -o logging -lpthread && ./logging 5
//
// Prints lines logged, written, reported as dropped, and the median and 99th percentile of a call's nanoseconds. Ends
// with 1 when a line is missing that no other tells of.
#include <winsvc.hpp>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <string>
#include <thread>
#include <vector>

int main(int argc, char** argv) {
  using steady = std::chrono::steady_clock;
  const int seconds = argc > 1 ? std::atoi(argv[1]) : 5;
  const int rate = argc > 2 ? std::atoi(argv[2]) : 100'000;  // lines a second, of all threads
  constexpr int threads = 4;
  const std::string path = winsvc::os::path_join(winsvc::os::temporary_folder(),
                                                 "winsvc-logging-" + std::to_string(winsvc::os::process_id()));
  winsvc::log_file_options much;
  much.bytes = 1ull << 40;

  std::vector<std::vector<long long>> costs(threads);
  std::uint64_t dropped = 0;
  const auto began = steady::now();
  {
    winsvc::logger log;
    auto file = std::make_shared<winsvc::host::file_log>(path, much);
    auto queue = std::make_shared<winsvc::queued_log>();
    queue->to(file);
    log.add_sink(queue);
    std::vector<std::thread> all;
    for (int t = 0; t < threads; ++t) {
      all.emplace_back([&, t] {
        auto& mine = costs[static_cast<std::size_t>(t)];
        const long long lines = static_cast<long long>(rate) / threads * seconds;
        mine.reserve(static_cast<std::size_t>(lines));
        for (long long i = 0; i < lines; ++i) {
          const auto due = began + std::chrono::nanoseconds(i * 1'000'000'000ll * threads / rate);
          if (due > steady::now() + std::chrono::milliseconds(1)) std::this_thread::sleep_until(due);
          std::string text = "GET /users/" + std::to_string(i) + "  200  151 B  88 us  /users/{id}";
          const auto before = steady::now();
          log.info(std::move(text));
          mine.push_back((steady::now() - before).count());
        }
      });
    }
    for (auto& one : all) one.join();
    log.flush();
    dropped = queue->dropped();
  }
  const std::chrono::duration<double> took = steady::now() - began;

  const std::string written = winsvc::os::read_file(path + ".log").value_or("");
  winsvc::os::remove_file(path + ".log");
  long long lines = 0, reports = 0;
  for (std::size_t at = 0; (at = written.find('\n', at)) != written.npos; ++at) ++lines;
  for (std::size_t at = 0; (at = written.find(" lines of the log were dropped", at)) != written.npos; ++at) ++reports;
  std::vector<long long> sorted;
  for (const auto& mine : costs) sorted.insert(sorted.end(), mine.begin(), mine.end());
  std::sort(sorted.begin(), sorted.end());
  const auto logged = static_cast<long long>(sorted.size());
  const auto missing = logged - (lines - reports) - static_cast<long long>(dropped);
  std::printf("%lld lines in %.1f s (%.0f a second), %lld written, %llu dropped and told of in %lld lines, %lld missing\n",
              logged, took.count(), static_cast<double>(logged) / took.count(), lines - reports,
              static_cast<unsigned long long>(dropped), reports, missing);
  std::printf("a call: median %lld ns, p99 %lld ns, longest %lld us\n", sorted[sorted.size() / 2],
              sorted[sorted.size() * 99 / 100], sorted.back() / 1000);
  return missing == 0 ? 0 : 1;
}
