// Runs the scenarios of many seeds, in one child process for each processor.
//
//   const seed_range_result result = run_seeds(1, 10'000);
//   result.failed_seed                      // the first seed that breaks a rule; 0: none
//   result.problem                          // the rule, or how the process of this seed ended
//
// The result does not depend on the number of processes.
#pragma once

#include "simulated_run.hpp"

#include <algorithm>
#include <atomic>
#include <csignal>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <sched.h>
#include <string>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>
#include <vector>

namespace simulation {

/// The processors on which this process may run.
inline std::vector<int> allowed_processors() {
  std::vector<int> found;
  cpu_set_t set;
  if (::sched_getaffinity(0, sizeof set, &set) == 0)
    for (int i = 0; i < CPU_SETSIZE; ++i)
      if (CPU_ISSET(static_cast<std::size_t>(i), &set)) found.push_back(i);
  if (found.empty()) found.push_back(-1);
  return found;
}

/// Waits for the end of a child process. Returns how it failed; empty if its exit code is 0. `id`: the result of
/// fork().
inline std::string end_of_child(pid_t id) {
  if (id < 0) return "the process could not be created";
  int status = 0;
  if (::waitpid(id, &status, 0) != id) return "the end of the process is not known";
  if (WIFSIGNALED(status)) return "the process ended with signal " + std::to_string(WTERMSIG(status));
  if (WEXITSTATUS(status) != 0) return "the process ended with exit code " + std::to_string(WEXITSTATUS(status));
  return {};
}

struct seed_range_result {
  std::uint64_t failed_seed = 0;
  std::string problem;
  std::uint64_t trace = 0;  // depends on the steps of all seeds
  fault_counts faults{};    // how often each kind of fault occurred
};

inline seed_range_result run_seeds(std::uint64_t first, std::uint64_t count, std::size_t max_processes = 64) {
  struct shared_state {  // the zero bytes of a new mapping are its start values
    std::atomic<std::uint64_t> failed_seed, trace, faults[fault_count];
    struct child_state {
      std::atomic<std::uint64_t> seed;  // that it runs; 0: it has ended
      char problem[1000];
    } children[64];
  };
  const auto allowed = allowed_processors();
  const auto processes = (std::min)({std::size_t{64}, max_processes, allowed.size(), static_cast<std::size_t>(count)});
  seed_range_result result;
  void* const memory =
      ::mmap(nullptr, sizeof(shared_state), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  if (memory == MAP_FAILED) return result.failed_seed = first, result.problem = "cannot map memory", result;
  auto& shared = *static_cast<shared_state*>(memory);
  const auto note_failure = [&shared](std::uint64_t seed) {
    auto known = shared.failed_seed.load();
    while ((known == 0 || seed < known) && !shared.failed_seed.compare_exchange_weak(known, seed)) {}
  };

  std::vector<pid_t> ids;
  for (std::size_t i = 0; i < processes; ++i) {
    ids.push_back(::fork());
    if (ids.back() != 0) continue;
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);
    auto& self = shared.children[i];
    scheduler::begin_child(allowed[i]);
    for (auto seed = first + i; seed < first + count; seed += processes) {
      if (const auto failed = shared.failed_seed.load(); failed != 0 && failed < seed) break;
      self.seed = seed;
      ::alarm(120);  // seconds; a seed needs some milliseconds
      const auto run = run_scenario(make_scenario(seed));
      shared.trace += run.trace * seed;
      for (std::size_t k = 0; k < fault_count; ++k) shared.faults[k] += run.faults[k];
      if (run.problem.empty()) continue;
      std::strncpy(self.problem, run.problem.c_str(), sizeof self.problem - 1);
      note_failure(seed);
      ::_exit(0);  // `seed` remains
    }
    self.seed = 0;
    ::_exit(0);
  }
  for (std::size_t i = 0; i < processes; ++i) {
    const std::string problem = end_of_child(ids[i]);
    if (problem.empty()) continue;
    auto& child = shared.children[i];
    if (child.seed == 0) child.seed = first + i;  // it did not start, or not end with _exit(0)
    std::strncpy(child.problem, problem.c_str(), sizeof child.problem - 1);
    note_failure(child.seed);
  }
  result.trace = shared.trace;
  for (std::size_t k = 0; k < fault_count; ++k) result.faults[k] = shared.faults[k];
  result.failed_seed = shared.failed_seed;
  for (const auto& child : shared.children)
    if (result.failed_seed != 0 && child.seed == result.failed_seed) result.problem = child.problem;
  ::munmap(memory, sizeof(shared_state));
  return result;
}

}  // namespace simulation
