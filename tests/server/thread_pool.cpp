// Thread pool without an engine: the items are jobs, which the test reports as ready or submits.
#include "winsvc/server/thread_pool.hpp"

#include "../support/wait.hpp"
#include "limited_starter.hpp"

#include <doctest/doctest.h>

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstddef>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <set>
#include <thread>
#include <utility>
#include <vector>

using namespace std::chrono_literals;
using engine_tests::limited_starter;
using waiting::wait_until;
using winsvc::detail::server::thread_pool;
using winsvc::detail::server::thread_pool_limits;
using winsvc::detail::server::thread_shortage;
using winsvc::detail::server::work_class;
using winsvc::detail::server::work_item;
using steady = std::chrono::steady_clock;

namespace {

struct job {
  std::function<void(thread_pool::thread_role)> run;
  std::atomic<int> served{0};
  std::atomic<bool> called_on_blocked{false};
};

/// One run of a job: an item is in one queue at a time, and a test submits a job more than once.
struct job_run final : work_item {
  explicit job_run(job& what) : target(what) {}
  job& target;
};

/// Work source with jobs: notify() reports jobs as ready, as a poller would.
class job_source final : public thread_pool::work_source {
 public:
  explicit job_source(const thread_pool_limits& limits = {},
                      winsvc::detail::os::thread_starter& starter = winsvc::detail::os::thread_starter::system())
      : pool(*this, limits, winsvc::clock::system(), starter) {}
  ~job_source() {
    release.store(true);
    pool.stop();
  }

  job& make(std::function<void(thread_pool::thread_role)> run = {}) {
    const std::lock_guard lock(mutex_);
    jobs_.push_back(std::make_unique<job>());
    jobs_.back()->run = std::move(run);
    return *jobs_.back();
  }
  /// A job that runs until `release`.
  job& make_long() {
    return make([this](thread_pool::thread_role) {
      ++busy;
      wait_until([this] { return release.load(); }, "the release of the job");
      --busy;
    });
  }
  void notify(const std::vector<job*>& jobs) {
    const std::lock_guard lock(mutex_);
    for (auto* job : jobs) ready_.push_back(&runs_.emplace_back(*job));
    changed_.notify_all();
  }

  bool submit(job& what, work_class kind) {
    job_run* run = nullptr;
    {
      const std::lock_guard lock(mutex_);
      run = &runs_.emplace_back(what);
    }
    return pool.submit(*run, kind);
  }
  /// Reports jobs as ready to one thread only.
  void notify_only(std::thread::id thread_id, const std::vector<job*>& jobs) {
    {
      const std::lock_guard lock(mutex_);
      only_thread = thread_id;
    }
    notify(jobs);
  }

  std::size_t wait_ready(work_item** output, std::size_t capacity) noexcept override {
    std::unique_lock lock(mutex_);
    ++polls;
    ++waiting;
    changed_.wait(lock, [this] {
      const bool accepts = only_thread == std::thread::id() || only_thread == std::this_thread::get_id();
      return stopping_ || notified_ || (!ready_.empty() && accepts);
    });
    --waiting;
    if (stopping_) return 0;
    notified_ = false;
    if (only_thread != std::thread::id() && only_thread != std::this_thread::get_id()) return 0;
    std::size_t count = 0;
    for (; count < capacity && !ready_.empty(); ++count) {
      output[count] = ready_.front();
      ready_.pop_front();
    }
    return count;
  }
  void wake() noexcept override {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
    changed_.notify_all();
  }
  void notify() noexcept override {
    const std::lock_guard lock(mutex_);
    notified_ = true;
    changed_.notify_all();
  }
  bool claim(work_item&) noexcept override { return true; }
  void serve(work_item& served, thread_pool::thread_role role, std::shared_ptr<void>&) noexcept override {
    job& item = static_cast<job_run&>(served).target;
    if (item.run) item.run(role);
    ++item.served;
  }
  void on_blocked(work_item& item) noexcept override {
    static_cast<job_run&>(item).target.called_on_blocked.store(true);
    if (blocked_callback) blocked_callback();
  }
  void on_thread_shortage(const thread_shortage& numbers) noexcept override {
    waiting_streams.store(numbers.waiting_streams);
    ++shortages;
  }
  thread_pool::time_point run_timers(thread_pool::time_point) noexcept override {
    ++timer_runs;
    return (thread_pool::time_point::max)();
  }

  std::atomic<int> busy{0}, timer_runs{0}, polls{0}, waiting{0}, shortages{0};
  std::atomic<std::size_t> waiting_streams{0};
  std::thread::id only_thread;          // the only thread that receives jobs; under mutex_
  std::function<void()> blocked_callback;  // called on the monitor thread
  std::atomic<bool> release{false};
  thread_pool pool;

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<job_run> runs_;
  std::deque<job_run*> ready_;
  std::vector<std::unique_ptr<job>> jobs_;
  bool stopping_ = false, notified_ = false;
};

/// Waits until the predicate is true. Returns false if it is still false at the limit of a wait.
bool eventually(const std::function<bool()>& predicate) {
  const auto deadline = steady::now() + waiting::limit();
  while (!predicate()) {
    if (steady::now() >= deadline) return predicate();
    std::this_thread::sleep_for(1ms);
  }
  return true;
}

thread_pool_limits limits_of(std::size_t io_threads, std::size_t min_threads, std::size_t max_threads,
                             std::size_t queue_limit = 1000) {
  thread_pool_limits limits;
  limits.io_threads = io_threads, limits.min_threads = min_threads;
  limits.max_threads = max_threads, limits.queue_limit = queue_limit;
  return limits;
}

}  // namespace

TEST_CASE("ready jobs run on an I/O thread, submitted jobs on a blocking thread") {
  job_source w;
  w.pool.start();
  std::atomic<int> io_count{0}, blocking_count{0};
  auto& job = w.make([&](thread_pool::thread_role role) {
    ++(role == thread_pool::thread_role::io ? io_count : blocking_count);
  });

  w.notify({&job, &job, &job});
  CHECK(w.submit(job, work_class::blocking));
  CHECK(eventually([&] { return job.served == 4; }));
  CHECK(io_count == 3);
  CHECK(blocking_count == 1);
}

TEST_CASE("an I/O thread that is blocked in a handler is demoted, and other threads serve its batch") {
  job_source w(limits_of(1, 4, 16));
  w.pool.start();
  auto& long_job = w.make_long();
  auto& quick = w.make();

  w.notify({&long_job, &quick, &quick, &quick});
  CHECK(eventually([&] { return quick.served == 3; }));
  w.notify({&quick});  // another thread has become an I/O thread
  CHECK(eventually([&] { return quick.served == 4; }));
  CHECK(long_job.served == 0);
  CHECK(long_job.called_on_blocked);
  CHECK_FALSE(quick.called_on_blocked);
}

TEST_CASE("while items end quickly, the monitor scans seldom, and still detects a thread that blocks") {
  job_source w(limits_of(1, 4, 16));
  w.pool.start();
  job* again = nullptr;
  auto& quick = w.make([&](thread_pool::thread_role) {
    if (!w.release.load()) w.notify({again});
  });
  again = &quick;
  w.notify({&quick});
  CHECK(eventually([&] {  // scans every 2 ms would be 40 in 80 ms
    const auto start = steady::now();
    const int runs_before = w.timer_runs;
    std::this_thread::sleep_for(80ms);
    return w.timer_runs - runs_before <= (steady::now() - start) / 4ms;
  }));

  auto& long_job = w.make_long();
  w.notify({&long_job});
  CHECK(eventually([&] { return w.busy == 1; }));
  const int served_before = quick.served;
  CHECK(eventually([&] { return quick.served >= served_before + 1000; }));
  w.release.store(true);
}

TEST_CASE("the pool grows to its limit while handlers block, and the queue to its own") {
  job_source w(limits_of(1, 2, 6, 3));
  w.pool.start();
  auto& long_job = w.make_long();
  std::size_t submitted = 0;
  CHECK(eventually([&] {
    if (w.submit(long_job, work_class::blocking)) ++submitted;
    return w.busy == 5;
  }));
  CHECK(w.pool.size() == 6);  // one of them is an I/O thread
  for (int i = 0; i < 100 && w.submit(long_job, work_class::blocking); ++i) ++submitted;
  CHECK(submitted == 5 + 3);
  // The monitor thread adds a thread in a round in which no thread took a job from the queue. The limit must hold.
  const int runs_before = w.timer_runs;
  CHECK(eventually([&] { return w.timer_runs >= runs_before + 20; }));
  CHECK(w.pool.size() == 6);
  CHECK(w.busy == 5);
  w.release.store(true);
  CHECK(eventually([&] { return long_job.served == static_cast<int>(submitted); }));
}

TEST_CASE("a thread in a blocking section is not counted, and another thread takes its role") {
  job_source w(limits_of(1, 2, 2));
  w.pool.start();
  std::atomic<bool> entered{false};
  auto& blocks = w.make([&](thread_pool::thread_role) {
    w.pool.begin_blocking();
    entered.store(true);
    wait_until([&] { return w.release.load(); }, "the release of the job");
    w.pool.end_blocking();
  });
  auto& quick = w.make();
  w.notify({&blocks, &quick, &quick});
  CHECK(eventually([&] { return entered.load() && quick.served == 2; }));
  w.notify({&quick});
  CHECK(eventually([&] { return quick.served == 3; }));
  CHECK_FALSE(blocks.called_on_blocked);
  w.release.store(true);
  CHECK(eventually([&] { return blocks.served == 1; }));
}

TEST_CASE("an idle pool causes no wakeups") {
  job_source w;
  w.pool.start();
  auto& job = w.make();
  w.notify({&job});
  CHECK(eventually([&] { return job.served == 1; }));
  int before = -1;
  CHECK(eventually([&] {  // until the monitor thread stops scanning
    const int now = w.timer_runs;
    std::this_thread::sleep_for(100ms);
    before = w.timer_runs;
    return before == now;
  }));
  std::this_thread::sleep_for(300ms);
  CHECK(w.timer_runs == before);
}

TEST_CASE("stop waits for running jobs and serves the queue") {
  job_source w(limits_of(1, 2, 2));
  w.pool.start();
  auto& slow = w.make([](thread_pool::thread_role) { std::this_thread::sleep_for(20ms); });
  for (int i = 0; i < 5; ++i) CHECK(w.submit(slow, work_class::blocking));
  w.pool.stop();
  CHECK(slow.served == 5);
  CHECK(w.pool.size() == 0);
}

TEST_CASE("two I/O threads serve at the same time") {
  job_source w(limits_of(2, 4, 8));
  w.pool.start();
  std::mutex mutex;
  std::set<std::thread::id> thread_ids;
  auto& job = w.make([&](thread_pool::thread_role) {
    std::this_thread::sleep_for(500us);
    const std::lock_guard lock(mutex);
    thread_ids.insert(std::this_thread::get_id());
  });
  int notified = 0;
  CHECK(eventually([&] {
    w.notify({&job});
    ++notified;
    std::this_thread::sleep_for(200us);
    const std::lock_guard lock(mutex);
    return thread_ids.size() >= 2;
  }));
  CHECK(eventually([&] { return job.served == notified; }));
}

TEST_CASE("a thread that was demoted just after its handler returned is observed with its next batch") {
  job_source w(limits_of(1, 4, 8));
  std::atomic<bool> release_first{false};
  std::thread::id demoted_thread;
  auto& first = w.make([&](thread_pool::thread_role) {
    demoted_thread = std::this_thread::get_id();
    wait_until([&] { return release_first.load(); }, "the monitor thread to demote this thread");
  });
  w.blocked_callback = [&] {  // the monitor has seen the thread in the job and has not demoted it yet
    release_first.store(true);
    eventually([&] { return w.waiting == 1; });
  };
  w.pool.start();
  w.notify({&first});
  CHECK(eventually([&] { return w.waiting == 2; }));  // the demoted thread and its replacement
  w.blocked_callback = nullptr;
  auto& slow = w.make_long();
  auto& queued = w.make();
  w.notify_only(demoted_thread, {&slow, &queued});
  CHECK(eventually([&] { return queued.served == 1; }));
  CHECK(slow.served == 0);
}

TEST_CASE("a thread that was demoted just after its handler returned may enter a blocking section in its next batch") {
  job_source w(limits_of(1, 4, 8));
  std::atomic<bool> release_first{false};
  std::thread::id demoted_thread;
  auto& first = w.make([&](thread_pool::thread_role) {
    demoted_thread = std::this_thread::get_id();
    wait_until([&] { return release_first.load(); }, "the monitor thread to demote this thread");
  });
  w.blocked_callback = [&] {
    release_first.store(true);
    eventually([&] { return w.waiting == 1; });
  };
  w.pool.start();
  w.notify({&first});
  CHECK(eventually([&] { return w.waiting == 2; }));
  w.blocked_callback = nullptr;
  auto& stays = w.make([&](thread_pool::thread_role) {
    w.pool.begin_blocking();
    wait_until([&] { return w.release.load(); }, "the release of the job");
    w.pool.end_blocking();
  });
  auto& queued = w.make();
  w.notify_only(demoted_thread, {&stays, &queued});
  CHECK(eventually([&] { return queued.served == 1; }));
  CHECK(stays.served == 0);
}

TEST_CASE("a submitted item of the class io runs on an I/O thread, also if all blocking threads are in handlers") {
  job_source w(limits_of(1, 2, 2));
  w.pool.start();
  auto& long_job = w.make_long();
  std::atomic<int> io_count{0};
  auto& quick_job =
      w.make([&](thread_pool::thread_role role) { io_count += role == thread_pool::thread_role::io ? 1 : 0; });
  for (int i = 0; i < 5; ++i) CHECK(w.submit(long_job, work_class::blocking));
  CHECK(eventually([&] { return w.busy == 1; }));

  for (int i = 0; i < 20; ++i) CHECK(w.submit(quick_job, work_class::io));

  CHECK(eventually([&] { return io_count == 20; }));
}

TEST_CASE("an item that waits in a queue can be removed, and is then not served") {
  job_source w(limits_of(1, 2, 2));
  w.pool.start();
  auto& long_job = w.make_long();
  CHECK(w.submit(long_job, work_class::blocking));
  CHECK(eventually([&] { return w.busy == 1; }));
  auto& queued = w.make();
  job_run run(queued);

  CHECK(w.pool.submit(run, work_class::blocking));
  CHECK(w.pool.remove(run));
  CHECK_FALSE(w.pool.remove(run));

  w.release.store(true);
  CHECK(eventually([&] { return long_job.served == 1; }));
  w.pool.stop();
  CHECK(queued.served == 0);
}

TEST_CASE("streams have no limit in the queue, and each one has its own thread") {
  job_source w(limits_of(1, 2, 2, 1));
  w.pool.start();
  auto& stream = w.make([&](thread_pool::thread_role role) {
    CHECK(role == thread_pool::thread_role::stream);
    w.pool.begin_blocking();
    ++w.busy;
    wait_until([&] { return w.release.load(); }, "the release of the streams");
    w.pool.end_blocking();
  });
  for (int i = 0; i < 40; ++i) CHECK(w.submit(stream, work_class::stream));
  CHECK(eventually([&] { return w.busy == 40; }));
  auto& handler = w.make();
  CHECK(w.submit(handler, work_class::blocking));
  CHECK(eventually([&] { return handler.served == 1; }));
  w.release.store(true);
  CHECK(eventually([&] { return stream.served == 40; }));
}

TEST_CASE("without further threads, streams wait and handlers are served, and the shortage is reported until it ends") {
  limited_starter starter(7);  // I/O, reserve, monitor, and four others
  job_source w(limits_of(1, 4, 16), starter);
  w.pool.start();
  auto& stream = w.make([&](thread_pool::thread_role) {
    w.pool.begin_blocking();
    ++w.busy;
    wait_until([&] { return w.release.load(); }, "the release of the streams");
    w.pool.end_blocking();
  });
  for (int i = 0; i < 10; ++i) CHECK(w.submit(stream, work_class::stream));

  CHECK(eventually([&] { return w.busy == 3 && w.shortages > 0; }));
  CHECK(eventually([&] { return w.waiting_streams == 7; }));
  auto& handler = w.make();
  auto& ready = w.make();
  for (int i = 0; i < 5; ++i) CHECK(w.submit(handler, work_class::blocking));
  w.notify({&ready});
  CHECK(eventually([&] { return handler.served == 5 && ready.served == 1; }));
  CHECK(w.busy == 3);

  starter.available = 100;
  CHECK(eventually([&] { return w.busy == 10; }));
  w.release.store(true);
  CHECK(eventually([&] { return stream.served == 10; }));
}

TEST_CASE("a pool with one thread runs handlers on it, and the reserve thread serves ready items meanwhile") {
  for (const std::size_t io_threads : {std::size_t{1}, std::size_t{2}}) {  // the system creates one of them
    CAPTURE(io_threads);
    limited_starter starter(3, io_threads == 2 ? 2 : 0);  // the pool thread, reserve, monitor
    job_source w(limits_of(io_threads, 4, 16), starter);
    w.pool.start();
    auto& handler = w.make_long();
    for (int i = 0; i < 2; ++i) CHECK(w.submit(handler, work_class::blocking));
    CHECK(eventually([&] { return w.busy == 1 && w.shortages > 0; }));
    std::atomic<int> reserve_count{0};
    auto& ready = w.make([&](thread_pool::thread_role role) {
      reserve_count += role == thread_pool::thread_role::reserve ? 1 : 0;
    });

    for (int i = 0; i < 3; ++i) w.notify({&ready});
    CHECK(eventually([&] { return reserve_count == 3; }));
    CHECK(w.pool.size() == 1);
    const int polls = w.polls, failures = starter.failures;
    CHECK(eventually([&] { return starter.failures >= failures + 3; }));  // at least 100 ms
    CHECK(w.polls < polls + 50);                                          // the reserve thread does not wake itself

    w.release.store(true);
    CHECK(eventually([&] { return handler.served == 2; }));
    for (int i = 0; i < 3; ++i) {  // again after the pool has been idle
      w.notify({&ready});
      CHECK(w.submit(handler, work_class::blocking));
      CHECK(eventually([&] { return handler.served == 3 + i && ready.served == 4 + i; }));
    }
  }
}

TEST_CASE("while no thread can be created, the pool does not try more often than each 50 ms") {
  limited_starter starter(4);  // I/O, reserve, monitor, and one for handlers
  job_source w(limits_of(1, 1, 16), starter);
  w.pool.start();
  auto& handler = w.make_long();
  for (int i = 0; i < 3; ++i) CHECK(w.submit(handler, work_class::blocking));
  CHECK(eventually([&] { return w.busy == 1 && starter.failures > 0; }));

  const auto begin = steady::now();
  const int before = starter.failures;
  CHECK(eventually([&] { return starter.failures >= before + 10; }));
  CHECK(steady::now() - begin >= 400ms);

  starter.available = 100;
  CHECK(eventually([&] { return w.busy == 3; }));
}

TEST_CASE("a stream does not wait for handlers, also if the queue is not empty and the pool may not grow") {
  job_source w(limits_of(1, 2, 2));
  w.pool.start();
  auto& handler = w.make_long();
  for (int i = 0; i < 3; ++i) CHECK(w.submit(handler, work_class::blocking));
  CHECK(eventually([&] { return w.busy == 1; }));
  auto& stream = w.make([&](thread_pool::thread_role) {
    w.pool.begin_blocking();
    w.pool.end_blocking();
  });

  CHECK(w.submit(stream, work_class::stream));

  CHECK(eventually([&] { return stream.served == 1; }));
  w.release.store(true);
  CHECK(eventually([&] { return handler.served == 3; }));
  CHECK(eventually([&] { return w.waiting == 1; }));  // the thread that the stream started is not an I/O thread
}

TEST_CASE("if all threads are blocked and no thread can be created, the reserve thread serves ready items") {
  limited_starter starter(4);  // two I/O threads, reserve, monitor
  job_source w(limits_of(2, 4, 16), starter);
  w.pool.start();
  auto& long_job = w.make_long();
  w.notify({&long_job});
  w.notify({&long_job});
  CHECK(eventually([&] { return w.busy == 2; }));
  std::atomic<int> reserve_count{0};
  auto& ready = w.make([&](thread_pool::thread_role role) {
    reserve_count += role == thread_pool::thread_role::reserve ? 1 : 0;
  });

  for (int i = 0; i < 3; ++i) w.notify({&ready});
  CHECK(eventually([&] { return reserve_count == 3; }));
  CHECK(eventually([&] { return w.shortages > 0; }));

  starter.available = 100;
  std::atomic<bool> other_role{false};
  auto& later = w.make([&](thread_pool::thread_role role) {
    if (role == thread_pool::thread_role::io) other_role.store(true);
  });
  CHECK(eventually([&] {
    w.notify({&later});
    return other_role.load();
  }));
  w.release.store(true);
  CHECK(eventually([&] { return long_job.served == 2; }));
}
