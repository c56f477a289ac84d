// The whole server in a deterministic simulation: virtual time, virtual sockets, and threads in an order that a seed
// decides. docs/testing.md describes the rules and how to repeat a failure.
//
//   WINSVC_SIMULATION_SEED=17 build/test/http-clang/http.exe --source-file='*server/simulation*'
//
// It needs glibc and no sanitizer: see tests/support/simulated_calls.hpp.
#include <doctest/doctest.h>

#include <cstdlib>  // defines __GLIBC__

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
  #define SIMULATION_WITH_SANITIZER
#elif defined(__has_feature)
  #if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
    #define SIMULATION_WITH_SANITIZER
  #endif
#endif

#if defined(__linux__) && defined(__GLIBC__) && !defined(SIMULATION_WITH_SANITIZER)

#include "simulated_run.hpp"
#include "simulated_seeds.hpp"
#include "simulated_shrink.hpp"

#include <chrono>
#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <malloc.h>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

using namespace simulation;

namespace {

std::uint64_t number_in(const char* variable, std::uint64_t default_value) {
  const char* const text = std::getenv(variable);
  return text ? std::strtoull(text, nullptr, 10) : default_value;
}

/// Prints a scenario that breaks a rule, and a smaller one that breaks a rule too.
void report(const scenario& plan, const std::string& problem) {
  const scenario small = shrink(plan, [](const scenario& candidate) { return !problem_in_process(candidate).empty(); });
  const std::string text = "seed " + std::to_string(plan.system.seed) + ": " + problem + "\nsmaller scenario: " +
                           problem_in_process(small) + '\n' + text_of(small);
  ADD_FAIL_CHECK_AT(__FILE__, __LINE__, text);
}

run_result check_scenario(const scenario& plan) {
  run_result result = run_scenario(plan);
  if (!result.problem.empty()) report(plan, result.problem);
  return result;
}

/// Thousands of clients and some hours. They come in bursts, so that thousands are connected at the same time.
scenario make_long_scenario(std::uint64_t seed) {
  scenario_size size;
  size.min_clients = size.max_clients = 3000;
  size.max_requests = 2;
  scenario plan = make_scenario(seed, size);
  random_numbers random(seed);
  constexpr int hour = 3'600'000, hours = 3;
  plan.system.switch_rate = 64;
  plan.system.max_threads = 0;
  plan.threads = 256, plan.queue = 1000, plan.streams = plan.connections = 10'000;
  plan.stop_ms = hours * hour;
  plan.drain_ms = 20'000;
  for (auto& client : plan.clients) {
    client.connect_ms = random.one_in(4) ? random.between(0, plan.stop_ms)
                                         : random.between(0, hours) * hour / 2 + random.between(0, 1000);
    for (auto& request : client.requests) {
      request.ms %= 50;
      // These would hold a thread until the stop.
      if (request.kind == request_kind::hang || request.kind == request_kind::limited_hang)
        request.kind = request_kind::fast;
      if (request.kind != request_kind::events) continue;
      client.leave_ms = 1000;
      client.never_reads = false;
      if (&request != &client.requests.back()) client.requests.pop_back();
      break;
    }
  }
  return plan;
}

}  // namespace

TEST_CASE("the server keeps its rules for each of many seeds" * doctest::timeout(1200)) {
  const char* const only = std::getenv("WINSVC_SIMULATION_SEED");
  const std::uint64_t first = number_in("WINSVC_SIMULATION_SEED", 1);
  const std::uint64_t count = number_in("WINSVC_SIMULATION_SEEDS", only ? 1 : 300);
  if (count > 1) {
    const auto result = run_seeds(first, count);
    if (result.failed_seed != 0) report(make_scenario(result.failed_seed), result.problem);
    for (std::size_t kind = 0; result.failed_seed == 0 && count >= 300 && kind < fault_count; ++kind)
      CHECK_MESSAGE(result.faults[kind] > 0, "no seed has the fault '" << fault_names[kind] << "'");
    return;
  }
  const scenario plan = make_scenario(first);
  const run_result result = check_scenario(plan);
  if (result.problem.empty()) MESSAGE(text_of(plan) << "no rule was broken; " << result.answered << " responses");
}

TEST_CASE("the server keeps its rules for 3000 clients in three hours") {
  const run_result result = check_scenario(make_long_scenario(1));
  CHECK(result.answered > 1000);
  CHECK(result.end_time >= std::chrono::hours(3));
}

TEST_CASE("a seed gives the same steps each time") {
  for (const std::uint64_t seed : {2u, 3u, 5u, 8u}) {
    const auto plan = make_scenario(seed);
    const auto first = run_scenario(plan), second = run_scenario(plan);
    CHECK(first.trace == second.trace);
    CHECK(first.answered == second.answered);
    CHECK(first.end_time == second.end_time);
  }
  CHECK(run_scenario(make_scenario(2)).trace != run_scenario(make_scenario(3)).trace);
}

TEST_CASE("seeds give the same steps in one process as in several") {
  const auto one = run_seeds(1, 40, 1), several = run_seeds(1, 40);
  CHECK(one.failed_seed == 0);
  CHECK(one.trace == several.trace);
  CHECK(one.trace != run_seeds(2, 40).trace);
}

TEST_CASE("the memory of the server returns to its start value") {
  const auto plan = make_scenario(11);
  const auto run_often = [&plan] {
    for (int i = 0; i < 15; ++i) static_cast<void>(run_scenario(plan));
    return ::mallinfo2().uordblks;
  };
  const auto before = run_often(), after = run_often();
  CHECK(after < before + 32 * 1024);
}

TEST_CASE("simulated threads that wait for each other are reported") {
  auto* const world = new scheduler(scheduler_options{});  // its threads remain
  const bool ended = world->run([] {
    std::mutex mutex;
    std::condition_variable changed;
    std::unique_lock lock(mutex);
    changed.wait(lock);
  });
  CHECK_FALSE(ended);
  CHECK(world->problem == "all threads wait for each other at 0.000 s");
}

TEST_CASE("simulated threads that make no progress are reported") {
  scheduler_options options;
  options.max_steps = 1000;
  auto* const world = new scheduler(options);
  const bool ended = world->run([] {
    for (;;) std::this_thread::sleep_for(std::chrono::nanoseconds(1));
  });
  CHECK_FALSE(ended);
  CHECK(world->problem.find("no progress") == 0);
}

TEST_CASE("an hour of simulated threads takes no time, and mutexes and condition variables keep their promises") {
  for (std::uint64_t seed = 1; seed <= 50; ++seed) {
    scheduler_options options;
    options.seed = seed;
    options.switch_rate = 2;
    options.early_wakeups = 3;
    scheduler world(options);
    int value = 0, inside = 0;
    bool was_exclusive = true, timed_out = false;
    CHECK(world.run([&] {
      std::mutex mutex;
      std::condition_variable changed;
      const auto work = [&] {
        for (int i = 0; i < 10; ++i) {
          const std::lock_guard lock(mutex);
          if (++inside != 1) was_exclusive = false;
          std::this_thread::sleep_for(std::chrono::minutes(3));
          ++value;
          --inside;
          changed.notify_one();
        }
      };
      std::thread first(work), second(work);
      {
        std::unique_lock lock(mutex);
        changed.wait(lock, [&] { return value == 20; });
        timed_out = !changed.wait_for(lock, std::chrono::seconds(5), [] { return false; });
      }
      first.join();
      second.join();
    }));
    CHECK(value == 20);
    CHECK(was_exclusive);
    CHECK(timed_out);
    CHECK(world.now() == std::chrono::hours(1) + std::chrono::seconds(5));
  }
}

TEST_CASE("a scenario is reduced to the clients and requests that break a rule") {
  scenario plan = make_scenario(4);
  plan.clients.resize(12);
  plan.clients[7].requests = {{request_kind::hang, 1, 1, 3}, {request_kind::fast, 0, 0, 1}};

  const scenario small = shrink(plan, [](const scenario& candidate) {
    for (const auto& client : candidate.clients)
      if (!client.requests.empty() && client.requests[0].kind == request_kind::hang) return true;
    return false;
  });

  REQUIRE(small.clients.size() == 1);
  REQUIRE(small.clients[0].requests.size() == 1);
  CHECK(small.clients[0].requests[0].pieces == 1);
  CHECK(small.system.switch_rate == 0);
}

TEST_CASE("a rule that a run breaks in another process is reported, and so is the end of that process") {
  scenario plan;
  plan.stop_ms = 100;
  CHECK(problem_in_process(plan).empty());
  plan.system.max_threads = 1;  // an engine needs more
  CHECK(problem_in_process(plan).find("signal") != std::string::npos);
}

#endif
