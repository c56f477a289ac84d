// Test case reduction (shrinking): reduces a scenario that breaks a rule to a smaller one that breaks it too.
//
//   const scenario small = shrink(plan, [](const scenario& s) { return !problem_in_process(s).empty(); });
//
// Each attempt runs in a child process, because a run may crash or not end.
#pragma once

#include "simulated_run.hpp"

#include <csignal>
#include <cstddef>
#include <string>
#include <sys/wait.h>
#include <unistd.h>
#include <utility>
#include <vector>

namespace simulation {

/// Runs a scenario in a child process. Returns the broken rule, or how the process ended; empty: no rule was broken.
inline std::string problem_in_process(const scenario& plan) {
  constexpr unsigned time_limit = 20;  // in seconds
  int ends[2];
  if (::pipe(ends) != 0) return "cannot create a pipe";
  const pid_t child = ::fork();
  if (child == 0) {
    ::close(ends[0]);
    ::alarm(time_limit);
    scheduler::begin_child(-1);
    const std::string problem = run_scenario(plan).problem;
    static_cast<void>(!::write(ends[1], problem.data(), problem.size()));
    ::_exit(0);
  }
  ::close(ends[1]);
  std::string problem;
  char buffer[1024];
  for (ssize_t count = 0; (count = ::read(ends[0], buffer, sizeof buffer)) > 0;)
    problem.append(buffer, static_cast<std::size_t>(count));
  ::close(ends[0]);
  int status = 0;
  ::waitpid(child, &status, 0);
  if (WIFSIGNALED(status)) problem = "the process ended with signal " + std::to_string(WTERMSIG(status));
  return problem;
}

/// Removes clients, requests and properties as long as `fails` is true for the rest. Calls `fails` at most
/// `max_attempts` times.
template <class Predicate>
scenario shrink(scenario plan, const Predicate& fails, int max_attempts = 300) {
  const auto attempt = [&](const scenario& candidate) {
    if (max_attempts-- <= 0 || !fails(candidate)) return false;
    plan = candidate;
    return true;
  };
  for (std::size_t size = plan.clients.size() / 2; size > 0; size /= 2) {
    for (std::size_t begin = 0; begin < plan.clients.size();) {
      scenario candidate = plan;
      const auto first = candidate.clients.begin() + static_cast<std::ptrdiff_t>(begin);
      const auto count = (std::min)(size, plan.clients.size() - begin);
      candidate.clients.erase(first, first + static_cast<std::ptrdiff_t>(count));
      if (!attempt(candidate)) begin += count;
    }
  }
  for (std::size_t i = 0; i < plan.clients.size(); ++i) {
    while (!plan.clients[i].requests.empty()) {
      scenario candidate = plan;
      candidate.clients[i].requests.pop_back();
      if (!attempt(candidate)) break;
    }
    scenario candidate = plan;
    for (auto& request : candidate.clients[i].requests) request.pieces = 1, request.think_ms = 0;
    candidate.clients[i].ends_early = candidate.clients[i].never_reads = false;
    static_cast<void>(attempt(candidate));
  }
  for (std::size_t i = 0; i < fault_count && plan.system.fault_rate != 0; ++i) {
    scenario candidate = plan;
    candidate.system.fault_kinds &= ~(1u << i);
    if (candidate.system.fault_kinds != plan.system.fault_kinds) static_cast<void>(attempt(candidate));
  }
  for (const auto& simplify : std::vector<void (*)(scenario&)>{
           [](scenario& s) { s.system.switch_rate = 0; }, [](scenario& s) { s.system.early_wakeups = 0; },
           [](scenario& s) { s.system.max_threads = 0; }, [](scenario& s) { s.system.fault_rate = 0; },
           [](scenario& s) { s.threads = 256, s.queue = 1000, s.streams = s.connections = 10'000; }}) {
    scenario candidate = plan;
    simplify(candidate);
    static_cast<void>(attempt(candidate));
  }
  return plan;
}

}  // namespace simulation
