// Thread pool without an engine: the items are jobs, which the test reports as ready or submits.
#include "winsvc/server/thread_pool.hpp"

#include "../support/wait.hpp"

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
#include <vector>

using namespace std::chrono_literals;
using waiting::wait_until;
using winsvc::detail::server::thread_pool;
using winsvc::detail::server::thread_pool_limits;
using steady = std::chrono::steady_clock;

namespace {

struct job {
  std::function<void(thread_pool::thread_role)> run;
  std::atomic<int> served{0};
  std::atomic<bool> called_slow{false};
};

/// Work source with jobs: notify() reports jobs as ready, as a poller would.
class job_source final : public thread_pool::work_source {
 public:
  explicit job_source(const thread_pool_limits& limits = {}) : pool(*this, limits) {}
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
    for (auto* job : jobs) ready_.push_back(job);
    changed_.notify_all();
  }

  /// Reports jobs as ready to one thread only.
  void notify_only(std::thread::id thread_id, const std::vector<job*>& jobs) {
    {
      const std::lock_guard lock(mutex_);
      only_thread = thread_id;
    }
    notify(jobs);
  }

  std::size_t wait_ready(void** output, std::size_t capacity) noexcept override {
    std::unique_lock lock(mutex_);
    ++waiting;
    changed_.wait(lock, [this] {
      const bool accepts = only_thread == std::thread::id() || only_thread == std::this_thread::get_id();
      return stopping_ || (!ready_.empty() && accepts);
    });
    --waiting;
    if (stopping_) return 0;
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
  bool claim(void*) noexcept override { return true; }
  void serve(void* user_data, thread_pool::thread_role role, std::shared_ptr<void>&) noexcept override {
    job& item = *static_cast<job*>(user_data);
    if (item.run) item.run(role);
    ++item.served;
  }
  void on_slow(void* user_data) noexcept override {
    static_cast<job*>(user_data)->called_slow.store(true);
    if (slow_callback) slow_callback();
  }
  thread_pool::time_point run_timers(thread_pool::time_point) noexcept override {
    ++timer_runs;
    return (thread_pool::time_point::max)();
  }

  std::atomic<int> busy{0}, timer_runs{0}, waiting{0};
  std::thread::id only_thread;          // the only thread that receives jobs; under mutex_
  std::function<void()> slow_callback;  // called on the monitor thread
  std::atomic<bool> release{false};
  thread_pool pool;

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<job*> ready_;
  std::vector<std::unique_ptr<job>> jobs_;
  bool stopping_ = false;
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
  CHECK(w.pool.submit(&job, false));
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
  CHECK(long_job.called_slow);
  CHECK_FALSE(quick.called_slow);
}

TEST_CASE("the pool grows to its limit while handlers block, and the queue to its own") {
  job_source w(limits_of(1, 2, 6, 3));
  w.pool.start();
  auto& long_job = w.make_long();
  std::size_t submitted = 0;
  CHECK(eventually([&] {
    if (w.pool.submit(&long_job, false)) ++submitted;
    return w.busy == 5;
  }));
  CHECK(w.pool.size() == 6);  // one of them is an I/O thread
  for (int i = 0; i < 100 && w.pool.submit(&long_job, false); ++i) ++submitted;
  CHECK(submitted == 5 + 3);
  // The monitor thread adds a thread in a round in which no thread took a job from the queue. The limit must hold.
  const int runs_before = w.timer_runs;
  CHECK(eventually([&] { return w.timer_runs >= runs_before + 20; }));
  CHECK(w.pool.size() == 6);
  CHECK(w.busy == 5);
  CHECK(w.pool.submit(&long_job, true));  // a forced job is accepted over the limit
  w.release.store(true);
  CHECK(eventually([&] { return long_job.served == static_cast<int>(submitted + 1); }));
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
  CHECK_FALSE(blocks.called_slow);
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
  for (int i = 0; i < 5; ++i) CHECK(w.pool.submit(&slow, true));
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
  w.slow_callback = [&] {  // the monitor has seen the thread in the job and has not demoted it yet
    release_first.store(true);
    eventually([&] { return w.waiting == 1; });
  };
  w.pool.start();
  w.notify({&first});
  CHECK(eventually([&] { return w.waiting == 2; }));  // the demoted thread and its replacement
  w.slow_callback = nullptr;
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
  w.slow_callback = [&] {
    release_first.store(true);
    eventually([&] { return w.waiting == 1; });
  };
  w.pool.start();
  w.notify({&first});
  CHECK(eventually([&] { return w.waiting == 2; }));
  w.slow_callback = nullptr;
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
