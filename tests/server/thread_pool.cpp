// The engine's threads, without an engine: what they serve here are little jobs, told or given.
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
using winsvc::http::thread_pool;
using winsvc::http::thread_pool_limits;
using steady = std::chrono::steady_clock;

namespace {

struct job {
  std::function<void(thread_pool::thread_role)> does;
  std::atomic<int> served{0};
  std::atomic<bool> called_slow{false};
};

/// Whom the crew works for: `tell` is what a poller would do.
class workplace final : public thread_pool::work_source {
 public:
  explicit workplace(const thread_pool_limits& bounds = {}) : staff(*this, bounds) {}
  ~workplace() {
    go.store(true);
    staff.stop();
  }

  job& make(std::function<void(thread_pool::thread_role)> does = {}) {
    const std::lock_guard lock(mutex_);
    jobs_.push_back(std::make_unique<job>());
    jobs_.back()->does = std::move(does);
    return *jobs_.back();
  }
  /// Somebody who stays until `go`.
  job& make_long() {
    return make([this](thread_pool::thread_role) {
      ++busy;
      wait_until([this] { return go.load(); }, "the release of the job");
      --busy;
    });
  }
  void tell(const std::vector<job*>& some) {
    const std::lock_guard lock(mutex_);
    for (auto* job : some) told_.push_back(job);
    changed_.notify_all();
  }

  void tell_only(std::thread::id recipient, const std::vector<job*>& some) {
    {
      const std::lock_guard lock(mutex_);
      only = recipient;
    }
    tell(some);
  }

  std::size_t wait_ready(void** output, std::size_t capacity) noexcept override {
    std::unique_lock lock(mutex_);
    ++waiting;
    changed_.wait(lock, [this] {
      return over_ || (!told_.empty() && (only == std::thread::id() || only == std::this_thread::get_id()));
    });
    --waiting;
    if (over_) return 0;
    std::size_t count = 0;
    for (; count < capacity && !told_.empty(); ++count) {
      output[count] = told_.front();
      told_.pop_front();
    }
    return count;
  }
  void wake() noexcept override {
    const std::lock_guard lock(mutex_);
    over_ = true;
    changed_.notify_all();
  }
  bool claim(void*) noexcept override { return true; }
  void serve(void* user_data, thread_pool::thread_role at, std::shared_ptr<void>&) noexcept override {
    job& item = *static_cast<job*>(user_data);
    if (item.does) item.does(at);
    ++item.served;
  }
  void on_slow(void* user_data) noexcept override {
    static_cast<job*>(user_data)->called_slow.store(true);
    if (when_slow) when_slow();
  }
  thread_pool::time_point run_timers(thread_pool::time_point) noexcept override {
    ++looks;
    return (thread_pool::time_point::max)();
  }

  std::atomic<int> busy{0}, looks{0}, waiting{0};
  std::thread::id only;             // who alone is told, under mutex_
  std::function<void()> when_slow;  // on the clerk's thread
  std::atomic<bool> go{false};
  thread_pool staff;

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<job*> told_;
  std::vector<std::unique_ptr<job>> jobs_;
  bool over_ = false;
};

/// Waits until the predicate is true. Returns false if it is still false at the limit of a wait.
bool comes_true(const std::function<bool()>& it) {
  const auto deadline = steady::now() + waiting::limit();
  while (!it()) {
    if (steady::now() >= deadline) return it();
    std::this_thread::sleep_for(1ms);
  }
  return true;
}

thread_pool_limits with(std::size_t front, std::size_t few, std::size_t many, std::size_t queue = 1000) {
  thread_pool_limits of;
  of.io_threads = front, of.min_threads = few, of.max_threads = many, of.queue_limit = queue;
  return of;
}

}  // namespace

TEST_CASE("what is told is served in front, what is given at the back") {
  workplace w;
  w.staff.start();
  std::atomic<int> front{0}, back{0};
  auto& job = w.make([&](thread_pool::thread_role at) { ++(at == thread_pool::thread_role::io ? front : back); });

  w.tell({&job, &job, &job});
  CHECK(w.staff.submit(&job, false));
  CHECK(comes_true([&] { return job.served == 4; }));
  CHECK(front == 3);
  CHECK(back == 1);
}

TEST_CASE("who does not come back from a handler in front loses his place, and others serve what he was told") {
  workplace w(with(1, 4, 16));
  w.staff.start();
  auto& long_one = w.make_long();
  auto& quick = w.make();

  w.tell({&long_one, &quick, &quick, &quick});
  CHECK(comes_true([&] { return quick.served == 3; }));
  w.tell({&quick});  // and there is somebody in front again
  CHECK(comes_true([&] { return quick.served == 4; }));
  CHECK(long_one.served == 0);
  CHECK(long_one.called_slow);
  CHECK_FALSE(quick.called_slow);
}

TEST_CASE("the crew becomes more while handlers block, up to its limit, and the queue up to its own") {
  workplace w(with(1, 2, 6, 3));
  w.staff.start();
  auto& long_one = w.make_long();
  std::size_t given = 0;
  CHECK(comes_true([&] {
    if (w.staff.submit(&long_one, false)) ++given;
    return w.busy == 5;
  }));
  CHECK(w.staff.size() == 6);  // one of them in front
  for (int i = 0; i < 100 && w.staff.submit(&long_one, false); ++i) ++given;
  CHECK(given == 5 + 3);
  // The monitor thread adds a thread in a round in which no thread took a job from the queue. The limit must hold.
  const int rounds = w.looks;
  CHECK(comes_true([&] { return w.looks >= rounds + 20; }));
  CHECK(w.staff.size() == 6);
  CHECK(w.busy == 5);
  CHECK(w.staff.submit(&long_one, true));  // what must be done is taken all the same
  w.go.store(true);
  CHECK(comes_true([&] { return long_one.served == static_cast<int>(given + 1); }));
}

TEST_CASE("who leaves is not counted, and another takes his place; who comes back stays at the back") {
  workplace w(with(1, 2, 2));
  w.staff.start();
  std::atomic<bool> left{false};
  auto& leaves = w.make([&](thread_pool::thread_role) {
    w.staff.begin_blocking();
    left.store(true);
    wait_until([&] { return w.go.load(); }, "the release of the job");
    w.staff.end_blocking();
  });
  auto& quick = w.make();
  w.tell({&leaves, &quick, &quick});
  CHECK(comes_true([&] { return left.load() && quick.served == 2; }));
  w.tell({&quick});
  CHECK(comes_true([&] { return quick.served == 3; }));
  CHECK_FALSE(leaves.called_slow);
  w.go.store(true);
  CHECK(comes_true([&] { return leaves.served == 1; }));
}

TEST_CASE("a crew that has nothing to do wakes nobody") {
  workplace w;
  w.staff.start();
  auto& job = w.make();
  w.tell({&job});
  CHECK(comes_true([&] { return job.served == 1; }));
  int before = -1;
  CHECK(comes_true([&] {  // once the clerk has seen that it is quiet, he sleeps
    const int now = w.looks;
    std::this_thread::sleep_for(100ms);
    before = w.looks;
    return before == now;
  }));
  std::this_thread::sleep_for(300ms);
  CHECK(w.looks == before);
}

TEST_CASE("stopping waits for what is being served, and serves what was given") {
  workplace w(with(1, 2, 2));
  w.staff.start();
  auto& slow = w.make([](thread_pool::thread_role) { std::this_thread::sleep_for(20ms); });
  for (int i = 0; i < 5; ++i) CHECK(w.staff.submit(&slow, true));
  w.staff.stop();
  CHECK(slow.served == 5);
  CHECK(w.staff.size() == 0);
}

TEST_CASE("two in front serve beside each other") {
  workplace w(with(2, 4, 8));
  w.staff.start();
  std::mutex mutex;
  std::set<std::thread::id> thread;
  auto& job = w.make([&](thread_pool::thread_role) {
    std::this_thread::sleep_for(500us);
    const std::lock_guard lock(mutex);
    thread.insert(std::this_thread::get_id());
  });
  int reported = 0;
  CHECK(comes_true([&] {
    w.tell({&job});
    ++reported;
    std::this_thread::sleep_for(200us);
    const std::lock_guard lock(mutex);
    return thread.size() >= 2;
  }));
  CHECK(comes_true([&] { return job.served == reported; }));
}

TEST_CASE("who was sent to the back in the moment he came back from a handler is watched over at what he is told next") {
  workplace w(with(1, 4, 8));
  std::atomic<bool> ends{false};
  std::thread::id thread;
  auto& first = w.make([&](thread_pool::thread_role) {
    thread = std::this_thread::get_id();
    wait_until([&] { return ends.load(); }, "the monitor thread to demote this thread");
  });
  w.when_slow = [&] {  // the clerk has seen him at it, and has not yet said so
    ends.store(true);
    comes_true([&] { return w.waiting == 1; });
  };
  w.staff.start();
  w.tell({&first});
  CHECK(comes_true([&] { return w.waiting == 2; }));  // he, and the one in his place
  w.when_slow = nullptr;
  auto& slow = w.make_long();
  auto& behind = w.make();
  w.tell_only(thread, {&slow, &behind});
  CHECK(comes_true([&] { return behind.served == 1; }));
  CHECK(slow.served == 0);
}

TEST_CASE("and so is who leaves then") {
  workplace w(with(1, 4, 8));
  std::atomic<bool> ends{false};
  std::thread::id thread;
  auto& first = w.make([&](thread_pool::thread_role) {
    thread = std::this_thread::get_id();
    wait_until([&] { return ends.load(); }, "the monitor thread to demote this thread");
  });
  w.when_slow = [&] {
    ends.store(true);
    comes_true([&] { return w.waiting == 1; });
  };
  w.staff.start();
  w.tell({&first});
  CHECK(comes_true([&] { return w.waiting == 2; }));
  w.when_slow = nullptr;
  auto& stays = w.make([&](thread_pool::thread_role) {
    w.staff.begin_blocking();
    wait_until([&] { return w.go.load(); }, "the release of the job");
    w.staff.end_blocking();
  });
  auto& behind = w.make();
  w.tell_only(thread, {&stays, &behind});
  CHECK(comes_true([&] { return behind.served == 1; }));
  CHECK(stays.served == 0);
}
