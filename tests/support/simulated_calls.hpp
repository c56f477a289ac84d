// Replacements of system calls in a simulation: threads, mutexes, condition variables and clocks. Those for sockets are
// in simulated_socket_calls.hpp.
//
//   #include "simulated_calls.hpp"                 // both in exactly one source file of a program
//   #include "simulated_socket_calls.hpp"
//   simulation::scheduler world(options);
//   simulation::network net(world);
//   simulation::current_network = &net;
//   world.run([] { ... });                         // real server code, simulated system
//
// The program defines functions of the C library with their own names, so the calls of the headers and of libstdc++.so
// use these definitions. On a thread that is not simulated, they call the system. The headers of the library are
// therefore tested without a change, and a release has no cost.
// Only for Linux with glibc, without sanitizers, which replace the same functions.
#pragma once

#include "simulated_sockets.hpp"

#include <cerrno>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <ctime>
#include <dlfcn.h>
#include <pthread.h>
#include <sched.h>
#include <utility>

namespace simulation {

/// Finds the function of the C library. Without a guard for the static variable: a mutex may not be used here.
template <class Function>
Function* system_function(Function*, const char* name) noexcept {
  // The first version of the functions for condition variables has another layout (glibc 2.3.2).
  void* found = ::dlvsym(RTLD_NEXT, name, "GLIBC_2.3.2");
  if (!found) found = ::dlsym(RTLD_NEXT, name);
  Function* result = nullptr;
  std::memcpy(&result, &found, sizeof result);
  return result;
}

inline constexpr std::size_t processors = 2;
inline constexpr clockid_t first_cpu_clock = 1 << 20;
inline constexpr std::int64_t start_time = 1'700'000'000;  // of both clocks, in seconds

[[nodiscard]] inline bool is_simulated() noexcept { return current_thread != nullptr; }

[[nodiscard]] inline nanoseconds to_duration(const timespec& t) noexcept {
  return std::chrono::seconds(t.tv_sec) + nanoseconds(t.tv_nsec);
}
[[nodiscard]] inline timespec to_timespec(nanoseconds time) noexcept {
  timespec result{};
  result.tv_sec = static_cast<std::time_t>(time.count() / 1'000'000'000);
  result.tv_nsec = static_cast<long>(time.count() % 1'000'000'000);
  return result;
}
/// A time of the clocks of the system as a time of the scheduler.
[[nodiscard]] inline nanoseconds to_simulated(const timespec& t) noexcept {
  return to_duration(t) - std::chrono::seconds(start_time);
}

/// As in glibc: 0 is free, 1 is locked, 2 is locked and a thread may wait.
inline void lock(pthread_mutex_t* m) {
  int locked = 1;
  while (m->__data.__lock != 0) {
    m->__data.__lock = locked = 2;
    current_scheduler->wait(m, never);
  }
  m->__data.__lock = locked;
}
inline void unlock(pthread_mutex_t* m) {
  if (std::exchange(m->__data.__lock, 0) == 2) current_scheduler->wake_one(m);
}
inline bool wait_for_condition(pthread_cond_t* changed, pthread_mutex_t* m, nanoseconds deadline) {
  unlock(m);
  const bool is_early = current_scheduler->returns_early();
  const bool was_woken = current_scheduler->wait(changed, is_early ? current_scheduler->now() : deadline) || is_early;
  lock(m);
  return was_woken;
}
inline void sleep(nanoseconds time) {
  const char awaited = 0;  // an object that nothing wakes
  current_scheduler->wait(&awaited, current_scheduler->now() + time);
}
/// Computes for this time: the CPU time of the thread increases.
inline void compute(nanoseconds time) {
  thread_state& self = *current_thread;
  self.compute_start = current_scheduler->now();
  sleep(time);
  self.cpu_time += current_scheduler->now() - std::exchange(self.compute_start, never);
}

inline const int set_thread_source = [] {
  create_system_thread = [](pthread_t* handle, void* (*entry)(void*), void* argument) {
    static auto* const create = system_function(&::pthread_create, "pthread_create");
    return create(handle, nullptr, entry, argument);
  };
  return 0;
}();

}  // namespace simulation

/// Calls the function of the C library with the name of the enclosing function.
#define CALL_SYSTEM(function, ...)                                          \
  static decltype(&::function) found = nullptr;                             \
  if (!found) found = simulation::system_function(&::function, #function); \
  return found(__VA_ARGS__)

extern "C" {

// --- threads ---

int pthread_create(pthread_t* handle, const pthread_attr_t* attributes, void* (*entry)(void*),
                   void* argument) noexcept {
  if (simulation::is_simulated()) {
    auto* const thread = simulation::current_scheduler->create([entry, argument] { entry(argument); });
    if (!thread) return EAGAIN;
    *handle = thread->on->handle;
    simulation::current_scheduler->step();
    return 0;
  }
  CALL_SYSTEM(pthread_create, handle, attributes, entry, argument);
}
int pthread_join(pthread_t handle, void** result) {
  if (simulation::is_simulated()) {
    auto* const thread = simulation::current_scheduler->find(handle);
    while (!thread->finished) simulation::current_scheduler->wait(thread, simulation::never);
    simulation::current_scheduler->forget(*thread);
    return 0;
  }
  CALL_SYSTEM(pthread_join, handle, result);
}
int pthread_mutex_lock(pthread_mutex_t* m) noexcept {
  if (simulation::is_simulated()) {
    simulation::current_scheduler->step();
    simulation::lock(m);
    return 0;
  }
  CALL_SYSTEM(pthread_mutex_lock, m);
}
int pthread_mutex_trylock(pthread_mutex_t* m) noexcept {
  if (simulation::is_simulated()) {
    simulation::current_scheduler->step();
    if (m->__data.__lock != 0) return EBUSY;
    m->__data.__lock = 1;
    return 0;
  }
  CALL_SYSTEM(pthread_mutex_trylock, m);
}
int pthread_mutex_unlock(pthread_mutex_t* m) noexcept {
  if (simulation::is_simulated()) {
    simulation::unlock(m);
    simulation::current_scheduler->step();
    return 0;
  }
  CALL_SYSTEM(pthread_mutex_unlock, m);
}
int pthread_cond_wait(pthread_cond_t* changed, pthread_mutex_t* m) {
  if (simulation::is_simulated()) {
    simulation::wait_for_condition(changed, m, simulation::never);
    return 0;
  }
  CALL_SYSTEM(pthread_cond_wait, changed, m);
}
int pthread_cond_timedwait(pthread_cond_t* changed, pthread_mutex_t* m, const timespec* deadline) {
  if (simulation::is_simulated())
    return simulation::wait_for_condition(changed, m, simulation::to_simulated(*deadline)) ? 0 : ETIMEDOUT;
  CALL_SYSTEM(pthread_cond_timedwait, changed, m, deadline);
}
int pthread_cond_clockwait(pthread_cond_t* changed, pthread_mutex_t* m, clockid_t clock, const timespec* deadline) {
  if (simulation::is_simulated())
    return simulation::wait_for_condition(changed, m, simulation::to_simulated(*deadline)) ? 0 : ETIMEDOUT;
  CALL_SYSTEM(pthread_cond_clockwait, changed, m, clock, deadline);
}
int pthread_cond_signal(pthread_cond_t* changed) noexcept {
  if (simulation::is_simulated()) {
    simulation::current_scheduler->wake_one(changed);
    simulation::current_scheduler->step();
    return 0;
  }
  CALL_SYSTEM(pthread_cond_signal, changed);
}
int pthread_cond_broadcast(pthread_cond_t* changed) noexcept {
  if (simulation::is_simulated()) {
    simulation::current_scheduler->wake_all(changed);
    simulation::current_scheduler->step();
    return 0;
  }
  CALL_SYSTEM(pthread_cond_broadcast, changed);
}
int pthread_getcpuclockid(pthread_t handle, clockid_t* clock) noexcept {
  if (simulation::is_simulated()) {
    *clock = simulation::first_cpu_clock + static_cast<clockid_t>(simulation::current_thread->number);
    return 0;
  }
  CALL_SYSTEM(pthread_getcpuclockid, handle, clock);
}
int sched_getaffinity(pid_t process, std::size_t size, cpu_set_t* set) noexcept {
  if (simulation::is_simulated()) {
    std::memset(set, 0, size);
    for (std::size_t i = 0; i < simulation::processors; ++i) CPU_SET(i, set);
    return 0;
  }
  CALL_SYSTEM(sched_getaffinity, process, size, set);
}

// --- time ---

int clock_gettime(clockid_t clock, timespec* time) noexcept {
  if (simulation::is_simulated()) {
    auto now = simulation::current_scheduler->now() + std::chrono::seconds(simulation::start_time);
    if (clock >= simulation::first_cpu_clock) {
      const auto& thread = simulation::current_scheduler->thread_at(
          static_cast<std::size_t>(clock - simulation::first_cpu_clock));
      if (thread.finished) return EINVAL;
      now = thread.cpu_time;
      if (thread.compute_start != simulation::never)
        now += simulation::current_scheduler->now() - thread.compute_start;
    }
    *time = simulation::to_timespec(now);
    return 0;
  }
  CALL_SYSTEM(clock_gettime, clock, time);
}
int nanosleep(const timespec* time, timespec* remaining) {
  if (simulation::is_simulated()) {
    simulation::sleep(simulation::to_duration(*time));
    return 0;
  }
  CALL_SYSTEM(nanosleep, time, remaining);
}
int clock_nanosleep(clockid_t clock, int flags, const timespec* time, timespec* remaining) {
  if (simulation::is_simulated()) {
    const auto given = flags == TIMER_ABSTIME
                           ? simulation::to_simulated(*time) - simulation::current_scheduler->now()
                           : simulation::to_duration(*time);
    if (given.count() > 0) simulation::sleep(given);
    return 0;
  }
  CALL_SYSTEM(clock_nanosleep, clock, flags, time, remaining);
}

}  // extern "C"
