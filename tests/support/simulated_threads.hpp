// Simulated threads: real threads of which exactly one runs at a time, in an order that a seed decides, with a virtual
// clock.
//
//   simulation::scheduler world(options);
//   world.at(5s, [&] { ... });                     // an event at a virtual time
//   const bool ended = world.run([&] { ... });     // the body and all threads that it starts
//
// simulated_calls.hpp replaces the functions of the system that threads call: threads, mutexes, condition variables,
// clocks, sleeps, sockets and epoll. In a simulated thread each of them calls the scheduler, which may select another
// thread. If no thread can run, the clock advances to the next event or deadline, so an hour without work takes no
// time.
// The threads run the real code of the server. The same options give the same order of all steps.
//
// Limits: an instruction takes no virtual time, and threads are not switched between two calls of the system.
#pragma once

#include "simulated_faults.hpp"
#include "simulated_random.hpp"

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <linux/futex.h>
#include <map>
#include <memory>
#include <pthread.h>
#include <sched.h>
#include <string>
#include <sys/syscall.h>
#include <unistd.h>
#include <utility>
#include <vector>

namespace simulation {

using nanoseconds = std::chrono::nanoseconds;
inline constexpr nanoseconds never = (nanoseconds::max)();

struct thread_state;

/// A thread of the system that runs one simulated thread after the other. Workers are kept for the next simulation.
struct worker {
  pthread_t handle{};
  std::atomic<std::uint32_t> turn{0};
  thread_state* assigned = nullptr;

  void wait_turn() noexcept {
    while (turn.load(std::memory_order_acquire) == 0) ::syscall(SYS_futex, &turn, FUTEX_WAIT_PRIVATE, 0, nullptr);
    turn.store(0, std::memory_order_relaxed);
  }
  void give_turn() noexcept {
    turn.store(1, std::memory_order_release);
    ::syscall(SYS_futex, &turn, FUTEX_WAKE_PRIVATE, 1);
  }
};

class scheduler;

struct thread_state {
  std::size_t number = 0;
  worker* on = nullptr;
  std::function<void()> body;
  const void* awaited = nullptr;  // the object of its wait
  std::int64_t deadline = 0;       // of its wait, in nanoseconds
  bool was_woken = false, finished = false, joined = false;
  nanoseconds cpu_time{0}, compute_start = never;
};

/// The simulated thread that runs on this thread of the system; null on all other threads.
inline thread_local thread_state* current_thread = nullptr;
/// The scheduler of the running simulation.
inline scheduler* current_scheduler = nullptr;

/// Creates and joins threads of the system; set in simulated_calls.hpp.
inline int (*create_system_thread)(pthread_t*, void* (*)(void*), void*) = nullptr;

struct scheduler_options {
  std::uint64_t seed = 1;
  std::size_t switch_rate = 16;   ///< one call of the system in `switch_rate` switches threads; 0: none
  std::size_t early_wakeups = 0;  ///< one wait in `early_wakeups` returns early, without a reason; 0: none
  std::size_t max_threads = 0;    ///< pthread_create fails from this number of threads on; 0: no limit
  std::size_t fault_rate = 0;     ///< one possible failure of a call in `fault_rate` occurs; 0: none
  std::uint32_t fault_kinds = all_faults;
  std::uint64_t max_steps = 20'000'000;  ///< then the simulation ends as one without progress
};

class scheduler {
 public:
  explicit scheduler(const scheduler_options& options)
      : faults(options.seed, options.fault_rate, options.fault_kinds),
        options_(options),
        random_(options.seed ^ 0x5EED) {}

  /// Runs `body` on a simulated thread, until it and all threads that it started have ended. Returns false if it did
  /// not end: all threads wait for each other, or there are too many steps. Then the scheduler and all that its threads
  /// use must not be destroyed.
  bool run(std::function<void()> body) {
    cpu_set_t affinity;
    const bool has_affinity = ::sched_getaffinity(0, sizeof affinity, &affinity) == 0;
    use_one_processor();
    current_scheduler = this;
    thread_state& first = start(std::move(body));
    take(first);
    first.on->give_turn();
    while (state_.load(std::memory_order_acquire) == 0) ::syscall(SYS_futex, &state_, FUTEX_WAIT_PRIVATE, 0, nullptr);
    current_scheduler = nullptr;
    if (has_affinity) ::sched_setaffinity(0, sizeof affinity, &affinity);
    return state_.load() == 1;
  }

  [[nodiscard]] nanoseconds now() const noexcept { return now_; }
  void at(nanoseconds time, std::function<void()> action) {
    events_.emplace(std::pair(time, event_count_++), std::move(action));
  }
  /// Called each time that no thread can run, before the clock advances.
  std::function<void()> on_quiet;
  /// Failures of calls; none until they are enabled.
  system_faults faults;
  /// The reason of an end without success.
  std::string problem;
  /// Number of threads that have not ended, and a number that depends on the order of all steps.
  [[nodiscard]] std::size_t thread_count() const noexcept { return live_count_; }
  [[nodiscard]] std::uint64_t trace() const noexcept { return trace_; }
  [[nodiscard]] random_numbers& random() noexcept { return random_; }
  [[nodiscard]] bool returns_early() noexcept {
    return options_.early_wakeups != 0 && random_.one_in(options_.early_wakeups);
  }

  /// Starts a thread. Null if the limit is reached.
  thread_state* create(std::function<void()> body) {
    if (options_.max_threads != 0 && live_count_ >= options_.max_threads) return nullptr;
    if (faults.occurs(fault::no_thread)) return nullptr;
    return &start(std::move(body));
  }
  /// May run other threads first.
  void step() {
    if (options_.switch_rate == 0 || runnable_.empty() || !random_.one_in(options_.switch_rate)) return;
    runnable_.push_back(current_thread);
    switch_from(*current_thread);
  }
  /// Waits until another thread wakes `object`, or until the deadline. Returns false at the deadline.
  bool wait(const void* object, nanoseconds deadline) {
    thread_state& self = *current_thread;
    self.awaited = object;
    self.deadline = deadline.count();
    blocked_.push_back(&self);
    switch_from(self);
    return self.was_woken;
  }
  /// Wakes one thread that waits for the object, if there is one.
  void wake_one(const void* object) {
    std::size_t count = 0, chosen = 0;
    thread_state* const* const blocked = blocked_.data();
    for (std::size_t i = 0, size = blocked_.size(); i < size; ++i) {
      if (blocked[i]->awaited == object && random_.below(++count) == 0) chosen = i;
    }
    if (count > 0) make_runnable(chosen, true);
  }
  void wake_all(const void* object) {
    for (std::size_t i = 0; i < blocked_.size();) {
      if (blocked_[i]->awaited == object) make_runnable(i, true);
      else ++i;
    }
  }
  [[nodiscard]] bool has_waiter(const void* object) const noexcept {
    return std::any_of(blocked_.begin(), blocked_.end(),
                       [object](const thread_state* thread) { return thread->awaited == object; });
  }
  /// The thread with this handle that was not joined.
  [[nodiscard]] thread_state* find(pthread_t handle) noexcept {
    for (auto& thread : threads_)
      if (!thread->joined && pthread_equal(thread->on->handle, handle) != 0) return thread.get();
    return nullptr;
  }
  [[nodiscard]] thread_state& thread_at(std::size_t number) noexcept { return *threads_[number]; }
  /// Releases the worker of a finished thread.
  void forget(thread_state& thread) {
    thread.joined = true;
    idle_workers().push_back(thread.on);
  }
  /// After a fork: the threads exist in the parent process only. The child uses this processor; -1: any.
  static void begin_child(int processor) {
    idle_workers().clear();
    fixed_processor = processor;
  }
  static std::vector<worker*>& idle_workers() {
    static std::vector<worker*> workers;
    return workers;
  }

 private:
  thread_state& start(std::function<void()> body) {
    auto& workers = idle_workers();
    if (workers.empty()) {
      auto* const created = new worker;
      create_system_thread(&created->handle, &worker_main, created);
      workers.push_back(created);
    }
    thread_state& thread = *threads_.emplace_back(std::make_unique<thread_state>());
    thread.number = threads_.size() - 1;
    thread.body = std::move(body);
    thread.on = workers.back();
    workers.pop_back();
    thread.on->assigned = &thread;
    runnable_.push_back(&thread);
    ++live_count_;
    return thread;
  }
  /// Only one thread runs at a time, and a switch on one processor costs a tenth of a switch between two. The workers
  /// inherit the affinity.
  static void use_one_processor() noexcept {
    static const int first = ::sched_getcpu();
    const int processor = fixed_processor >= 0 ? fixed_processor : first;
    cpu_set_t set;
    CPU_ZERO(&set);
    if (processor < 0) return;
    CPU_SET(static_cast<std::size_t>(processor), &set);
    ::sched_setaffinity(0, sizeof set, &set);
  }
  static void* worker_main(void* argument) {
    auto& self = *static_cast<worker*>(argument);
    for (;;) {
      self.wait_turn();
      thread_state& thread = *self.assigned;
      current_thread = &thread;
      thread.body();
      thread.body = nullptr;
      current_scheduler->finish(thread);
    }
  }
  void finish(thread_state& thread) {
    thread.finished = true;
    --live_count_;
    wake_all(&thread);
    current_thread = nullptr;
    if (thread.number == 0) forget(thread);
    if (live_count_ == 0) return end(1);
    if (thread_state* const next = choose()) next->on->give_turn();
  }
  void end(std::uint32_t result) noexcept {
    state_.store(result, std::memory_order_release);
    ::syscall(SYS_futex, &state_, FUTEX_WAKE_PRIVATE, 1);
  }
  void take(thread_state& thread) { runnable_.erase(std::find(runnable_.begin(), runnable_.end(), &thread)); }
  void make_runnable(std::size_t index, bool was_woken) {
    thread_state* const thread = blocked_[index];
    blocked_[index] = blocked_.back();
    blocked_.pop_back();
    thread->awaited = nullptr;
    thread->was_woken = was_woken;
    runnable_.push_back(thread);
  }
  void switch_from(thread_state& self) {
    thread_state* const next = choose();
    if (next == &self) return;
    if (next) next->on->give_turn();
    self.on->wait_turn();  // without end, if the simulation has given up
  }
  /// Returns the thread that runs next, or null if the simulation ends.
  thread_state* choose() {
    if (++steps_ > options_.max_steps) return give_up("no progress: too many steps at " + seconds_text(now_));
    for (;;) {
      while (!events_.empty() && events_.begin()->first.first <= now_) {
        const auto action = std::move(events_.begin()->second);
        events_.erase(events_.begin());
        action();
      }
      if (!runnable_.empty()) {
        const std::size_t index = runnable_.size() == 1 ? 0 : random_.below(runnable_.size());
        thread_state* const next = runnable_[index];
        runnable_[index] = runnable_.back();
        runnable_.pop_back();
        trace_ = (trace_ ^ (next->number + 1) ^ static_cast<std::uint64_t>(now_.count())) * 0x100000001B3u;
        return next;
      }
      if (on_quiet) on_quiet();
      if (!advance_clock()) return give_up("all threads wait for each other at " + seconds_text(now_));
    }
  }
  /// Advances the clock to the next event or deadline. Returns false if nothing is scheduled.
  bool advance_clock() {
    constexpr auto none = never.count();
    auto time = events_.empty() ? none : events_.begin()->first.first.count();
    thread_state* const* const blocked = blocked_.data();
    for (std::size_t i = 0, size = blocked_.size(); i < size; ++i)
      if (blocked[i]->deadline < time) time = blocked[i]->deadline;
    if (time == none) return false;
    if (now_.count() < time) now_ = nanoseconds(time);
    time = now_.count();
    for (std::size_t i = 0; i < blocked_.size();) {
      if (blocked[i]->deadline <= time) make_runnable(i, false);
      else ++i;
    }
    return true;
  }
  thread_state* give_up(std::string why) {
    problem = std::move(why);
    end(2);
    return nullptr;
  }

 public:
  static std::string seconds_text(nanoseconds time) {
    const auto ms = std::chrono::duration_cast<std::chrono::milliseconds>(time).count();
    std::string fraction = std::to_string(ms % 1000);
    fraction.insert(0, 3 - fraction.size(), '0');
    return std::to_string(ms / 1000) + '.' + fraction + " s";
  }

 private:
  inline static int fixed_processor = -1;  // -1: the one on which the first simulation started

  const scheduler_options options_;
  random_numbers random_;
  nanoseconds now_{0};
  std::vector<std::unique_ptr<thread_state>> threads_;
  std::vector<thread_state*> runnable_, blocked_;
  std::map<std::pair<nanoseconds, std::uint64_t>, std::function<void()>> events_;
  std::uint64_t event_count_ = 0, steps_ = 0, trace_ = 0xCBF29CE484222325u;
  std::size_t live_count_ = 0;
  std::atomic<std::uint32_t> state_{0};  // 0: runs, 1: ended, 2: did not end
};

}  // namespace simulation
